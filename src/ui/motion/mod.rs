//! The fast layer: messages in flight, on one canvas per cluster, outside the virtual DOM.
//!
//! Frames come a few times a second; between two of them time runs on smoothly
//! ([`clock`]), one frame behind the simulation, so that every message drawn is
//! one that was sent. Where messages live too short to be seen, or are too many
//! to be told apart, links are drawn as bands as wide as their traffic
//! ([`flow`]).

mod clock;
mod dots;
mod flow;
mod stage;
mod stops;

use crate::session::frame::Frame;
use crate::ui::picture::{Cut, Scene};
use crate::ui::theme::{self, Colours};
use clock::Clock;
use stage::Stage;
use std::cell::RefCell;
use std::rc::{Rc, Weak};
use wasm_bindgen::JsCast;
use wasm_bindgen::closure::Closure;
use web_sys::HtmlCanvasElement;
use yew::Callback;

/// Milliseconds from one frame to the next that is asked for. With little motion, far fewer.
const FRAME_MS: f64 = 48.0;
const FRAME_MS_LITTLE_MOTION: f64 = 240.0;

/// A handle to the fast layer; all are to the same one.
#[derive(Clone)]
pub struct FastLayer(Rc<RefCell<Inner>>);

impl PartialEq for FastLayer {
    fn eq(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }
}

struct Inner {
    stages: Vec<Stage>,
    clock: Clock,
    colours: Colours,
    little_motion: bool,
    /// When the last frame came, until it was acknowledged.
    frame_came_ms: Option<f64>,
    on_drawn: Callback<()>,
    tick: Option<Closure<dyn FnMut(f64)>>,
    is_scheduled: bool,
}

impl FastLayer {
    /// `on_drawn` hears when the next frame may come.
    pub fn new(on_drawn: Callback<()>) -> FastLayer {
        let layer = FastLayer(Rc::new(RefCell::new(Inner {
            stages: Vec::new(),
            clock: Clock::default(),
            colours: Colours::read(),
            little_motion: theme::wants_little_motion(),
            frame_came_ms: None,
            on_drawn,
            tick: None,
            is_scheduled: false,
        })));
        let weak: Weak<RefCell<Inner>> = Rc::downgrade(&layer.0);
        let tick = Closure::new(move |now_ms: f64| {
            if let Some(inner) = weak.upgrade() {
                tick(&inner, now_ms);
            }
        });
        layer.0.borrow_mut().tick = Some(tick);
        layer
    }

    /// A cluster's canvas has this size now, in CSS pixels.
    pub fn set_canvas(&self, cluster: u8, canvas: HtmlCanvasElement, width: i32, height: i32) {
        let mut inner = self.0.borrow_mut();
        inner.stage(cluster).set_canvas(canvas, width, height);
        inner.schedule();
    }

    /// A cluster's nodes stand there now.
    pub fn set_scene(&self, cluster: u8, scene: Rc<Scene>, cuts: Rc<Vec<Cut>>) {
        let mut inner = self.0.borrow_mut();
        inner.stage(cluster).set_scene(scene, cuts);
        inner.schedule();
    }

    pub fn remove(&self, cluster: u8) {
        *self.0.borrow_mut().stage(cluster) = Stage::default();
    }

    /// Which of the clusters' colours each cluster has.
    pub fn set_hues(&self, hues: &[u8]) {
        let mut inner = self.0.borrow_mut();
        for (cluster, hue) in hues.iter().enumerate() {
            inner.stage(cluster as u8).hue = *hue;
        }
    }

    pub fn set_colours(&self, colours: Colours) {
        let mut inner = self.0.borrow_mut();
        inner.colours = colours;
        inner.schedule();
    }

    /// Shows a frame, and asks for the next when this one was drawn.
    pub fn show(&self, frame: &Frame) {
        let now_ms = now_ms();
        let mut inner = self.0.borrow_mut();
        let speed = if frame.reached_speed > 0.0 { frame.reached_speed } else { frame.speed };
        inner.clock.hear(frame, now_ms);
        for (cluster, of_cluster) in frame.clusters.iter().enumerate() {
            inner.stage(cluster as u8).hear(of_cluster, frame.time_ns, speed, frame.reset, now_ms);
        }
        inner.frame_came_ms = Some(now_ms);
        inner.schedule();
    }

    /// Whether a cluster's traffic is drawn as bands now.
    pub fn shows_bands(&self, cluster: u8) -> bool {
        self.0.borrow().stages.get(usize::from(cluster)).is_some_and(Stage::shows_bands)
    }
}

impl Inner {
    fn stage(&mut self, cluster: u8) -> &mut Stage {
        let cluster = usize::from(cluster);
        while self.stages.len() <= cluster {
            self.stages.push(Stage::default());
        }
        &mut self.stages[cluster]
    }

    fn schedule(&mut self) {
        if self.is_scheduled {
            return;
        }
        let (Some(window), Some(tick)) = (web_sys::window(), &self.tick) else { return };
        self.is_scheduled = window.request_animation_frame(tick.as_ref().unchecked_ref()).is_ok();
    }
}

/// One animation frame.
fn tick(inner: &Rc<RefCell<Inner>>, now_ms: f64) {
    let mut acknowledges = None;
    {
        let mut inner = inner.borrow_mut();
        let inner = &mut *inner;
        inner.is_scheduled = false;
        let time_ns = inner.clock.advance(now_ms, inner.little_motion);
        let mut goes_on = inner.clock.is_running() && !inner.little_motion;
        for stage in &mut inner.stages {
            goes_on |= stage.draw(time_ns, now_ms, &inner.colours, inner.little_motion);
        }
        if let Some(came_ms) = inner.frame_came_ms {
            let wait_ms = if inner.little_motion { FRAME_MS_LITTLE_MOTION } else { FRAME_MS };
            if now_ms - came_ms >= wait_ms {
                inner.frame_came_ms = None;
                acknowledges = Some(inner.on_drawn.clone());
            } else {
                goes_on = true;
            }
        }
        if goes_on {
            inner.schedule();
        }
    }
    if let Some(on_drawn) = acknowledges {
        on_drawn.emit(());
    }
}

fn now_ms() -> f64 {
    web_sys::window().and_then(|window| window.performance()).map_or(0.0, |performance| performance.now())
}
