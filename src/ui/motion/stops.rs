//! Messages that a cut or a loss stopped: a small cross where they ended.

use super::stage::{Ways, css};
use crate::session::frame::StopFrame;
use crate::ui::picture::Point;
use crate::ui::theme::Rgb;
use std::collections::VecDeque;
use web_sys::CanvasRenderingContext2d;

/// Real milliseconds that a cross is seen.
const SEEN_MS: f64 = 700.0;
/// Crosses at most; the oldest go first.
const CROSSES_MAX: usize = 24;
const ARM: f64 = 3.6;

#[derive(Default)]
pub struct Stops {
    crosses: VecDeque<(Point, f64)>,
    /// The last that was seen; frames repeat them.
    last_ns: Option<u64>,
}

impl Stops {
    pub fn hear(&mut self, stops: &[StopFrame], ways: &mut Ways, now_ms: f64) {
        let last_ns = self.last_ns;
        let is_new = |stop: &&StopFrame| last_ns.is_none_or(|last| stop.at_ns > last);
        for stop in stops.iter().filter(is_new).rev().take(CROSSES_MAX) {
            let Some(way) = ways.find(stop.from, stop.to) else { continue };
            let at_cut = ways.cuts.iter().find_map(|cut| cut.meets(&way));
            // Where no cut is met it was lost anywhere: spread by its time, which is as good as any.
            let share = at_cut.unwrap_or_else(|| 0.3 + (stop.at_ns / 1_000 % 400) as f32 / 1_000.0);
            self.crosses.push_back((way.at(share), now_ms));
        }
        self.last_ns = stops.iter().map(|stop| stop.at_ns).max().max(self.last_ns);
        while self.crosses.len() > CROSSES_MAX {
            self.crosses.pop_front();
        }
    }

    pub fn is_empty(&self) -> bool {
        self.crosses.is_empty()
    }

    /// Says whether any is left to fade.
    pub fn draw(&mut self, canvas: &CanvasRenderingContext2d, now_ms: f64, colour: Rgb) -> bool {
        self.crosses.retain(|(_, since_ms)| now_ms - since_ms < SEEN_MS);
        canvas.set_line_width(1.8);
        canvas.set_line_cap("round");
        for (at, since_ms) in &self.crosses {
            let age = ((now_ms - since_ms) / SEEN_MS).clamp(0.0, 1.0);
            let (x, y) = (f64::from(at.x), f64::from(at.y));
            canvas.set_stroke_style_str(&css(colour, 1.0 - age * age));
            canvas.begin_path();
            canvas.move_to(x - ARM, y - ARM);
            canvas.line_to(x + ARM, y + ARM);
            canvas.move_to(x + ARM, y - ARM);
            canvas.line_to(x - ARM, y + ARM);
            canvas.stroke();
        }
        !self.crosses.is_empty()
    }
}
