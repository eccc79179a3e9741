//! One cluster's canvas, and what is drawn on it.

use super::dots::Dots;
use super::flow::Flows;
use super::stops::Stops;
use crate::engine::order::ascending;
use crate::engine::table::{Table, pair};
use crate::session::frame::{ClusterFrame, MessageFrame};
use crate::ui::picture::{Curve, Cut, Scene};
use crate::ui::theme::{Colours, Rgb};
use std::rc::Rc;
use wasm_bindgen::JsCast;
use web_sys::{CanvasRenderingContext2d, HtmlCanvasElement};

/// A message that is seen for less than this is not drawn as a dot.
const VISIBLE_MS_MIN: f64 = 70.0;
/// Above this many under way, bands are drawn, and a few messages on them.
const DOTS_MAX: u32 = 120;
/// Messages drawn on bands.
const SAMPLES: usize = 20;
/// Milliseconds in which bands come and go.
const FADE_MS: f64 = 350.0;

#[derive(Default)]
pub struct Stage {
    /// Which of the clusters' colours it has.
    pub hue: u8,
    canvas: Option<CanvasRenderingContext2d>,
    width: f64,
    height: f64,
    dense: f64,
    ways: Ways,
    dots: Dots,
    flows: Flows,
    stops: Stops,
    /// How far bands have faded in, 0 to 1.
    bands: f64,
    bands_wanted: bool,
    /// Bands hide single messages: they live too short.
    too_fast: bool,
    drawn_ms: f64,
    is_stale: bool,
}

/// The curves that messages travel on, found once per scene.
#[derive(Default)]
pub struct Ways {
    scene: Option<Rc<Scene>>,
    pub cuts: Rc<Vec<Cut>>,
    found: Table<Option<Curve>>,
}

impl Ways {
    /// From one node to another, a little to the right of the line between them.
    pub fn find(&mut self, from: u16, to: u16) -> Option<Curve> {
        let scene = self.scene.as_ref()?;
        *self.found.entry(pair(from, to), || Some(scene.way(from, to)?.beside(2.5)))
    }

    /// The marks that two nodes belong to.
    pub fn marks(&self, from: u16, to: u16) -> Option<(u16, u16)> {
        let scene = self.scene.as_ref()?;
        Some((scene.mark_of(from)?, scene.mark_of(to)?))
    }
}

impl Stage {
    pub fn set_canvas(&mut self, canvas: HtmlCanvasElement, width: i32, height: i32) {
        // More than 2 costs time and shows nothing.
        let dense = web_sys::window().map_or(1.0, |window| window.device_pixel_ratio()).clamp(1.0, 2.0);
        canvas.set_width((f64::from(width) * dense) as u32);
        canvas.set_height((f64::from(height) * dense) as u32);
        (self.width, self.height, self.dense) = (f64::from(width), f64::from(height), dense);
        self.canvas = canvas.get_context("2d").ok().flatten().and_then(|context| context.dyn_into().ok());
        self.is_stale = true;
    }

    pub fn set_scene(&mut self, scene: Rc<Scene>, cuts: Rc<Vec<Cut>>) {
        self.ways = Ways { scene: Some(scene), cuts, found: Table::default() };
        self.is_stale = true;
    }

    pub fn hear(&mut self, frame: &ClusterFrame, time_ns: u64, speed: f64, reset: bool, now_ms: f64) {
        if reset {
            self.dots = Dots::default();
            self.flows = Flows::default();
            self.stops = Stops::default();
        }
        let visible_ms = median_life_ns(&frame.messages) / (speed.max(1e-6) * 1e6);
        // A little slack, so that it does not go back and forth at the limit.
        let visible_ms_min = if self.too_fast { VISIBLE_MS_MIN * 1.3 } else { VISIBLE_MS_MIN };
        if !frame.messages.is_empty() {
            self.too_fast = visible_ms < visible_ms_min;
        }
        let dots_max = if self.bands_wanted { DOTS_MAX - 20 } else { DOTS_MAX };
        self.bands_wanted = self.too_fast || frame.messages_under_way > dots_max;
        self.dots.hear(&frame.messages, time_ns);
        self.flows.hear(&frame.messages, frame.messages_under_way, &self.ways, now_ms);
        self.stops.hear(&frame.stops, &mut self.ways, now_ms);
        self.is_stale = true;
    }

    pub fn shows_bands(&self) -> bool {
        self.bands_wanted && self.too_fast
    }

    /// Draws the moment. Says whether the next one will look different even without a new frame.
    pub fn draw(&mut self, time_ns: f64, now_ms: f64, colours: &Colours, little_motion: bool) -> bool {
        let Some(canvas) = self.canvas.clone() else { return false };
        let passed_ms = (now_ms - self.drawn_ms).clamp(0.0, 100.0);
        self.drawn_ms = now_ms;
        let step = passed_ms / FADE_MS;
        let wanted = if self.bands_wanted { 1.0 } else { 0.0 };
        self.bands =
            if little_motion { wanted } else { self.bands + (wanted - self.bands).clamp(-step, step) };
        let is_fading = (self.bands - wanted).abs() > 0.001;
        let has_dots = !(self.bands_wanted && self.too_fast);
        if !self.is_stale && !is_fading && !has_dots && self.stops.is_empty() {
            return false;
        }

        let _ = canvas.set_transform(self.dense, 0.0, 0.0, self.dense, 0.0, 0.0);
        canvas.clear_rect(0.0, 0.0, self.width, self.height);
        let colour = colours.clusters[usize::from(self.hue) % 4];
        if self.bands > 0.0 {
            self.flows.draw(&canvas, &mut self.ways, colour, self.bands);
        }
        let shown = if !self.bands_wanted {
            usize::MAX
        } else if self.too_fast {
            0
        } else {
            SAMPLES
        };
        self.dots.draw(&canvas, &mut self.ways, time_ns, shown, colours, colour, little_motion);
        let stops_show = self.stops.draw(&canvas, now_ms, colours.bad);
        self.is_stale = false;
        is_fading || stops_show
    }
}

/// Half of the messages live longer than this.
fn median_life_ns(messages: &[MessageFrame]) -> f64 {
    let lives = ascending(messages.iter().map(|message| message.arrives_ns.saturating_sub(message.sent_ns)));
    lives.get(lives.len() / 2).map_or(0.0, |life| *life as f64)
}

/// As canvases read it.
pub fn css(colour: Rgb, alpha: f64) -> String {
    format!("rgba({},{},{},{:.2})", colour.0, colour.1, colour.2, alpha)
}
