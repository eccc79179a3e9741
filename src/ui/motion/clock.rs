//! Simulated time between frames.

use crate::session::frame::Frame;

/// Runs from each frame's time to the next one's, arriving about when the one after that is due.
#[derive(Default)]
pub struct Clock {
    shown_ns: f64,
    target_ns: f64,
    /// Simulated nanoseconds per real millisecond.
    rate: f64,
    /// Real milliseconds between frames, smoothed.
    interval_ms: f64,
    heard_ms: f64,
    ticked_ms: f64,
}

impl Clock {
    pub fn hear(&mut self, frame: &Frame, now_ms: f64) {
        let time_ns = frame.time_ns as f64;
        let since_ms = (now_ms - self.heard_ms).clamp(8.0, 400.0);
        self.heard_ms = now_ms;
        if frame.reset || !frame.playing || time_ns < self.shown_ns {
            self.shown_ns = time_ns;
            self.target_ns = time_ns;
            self.rate = 0.0;
            self.interval_ms = 60.0;
            return;
        }
        self.interval_ms =
            if self.interval_ms == 0.0 { since_ms } else { self.interval_ms * 0.8 + since_ms * 0.2 };
        self.target_ns = time_ns;
        self.rate = (self.target_ns - self.shown_ns) / self.interval_ms;
    }

    /// The simulated time to draw at this moment.
    pub fn advance(&mut self, now_ms: f64, at_once: bool) -> f64 {
        let passed_ms = (now_ms - self.ticked_ms).clamp(0.0, 100.0);
        self.ticked_ms = now_ms;
        self.shown_ns = if at_once {
            self.target_ns
        } else {
            (self.shown_ns + self.rate * passed_ms).min(self.target_ns)
        };
        self.shown_ns
    }

    /// Whether the time shown has not reached the last frame's.
    pub fn is_running(&self) -> bool {
        self.shown_ns < self.target_ns
    }
}
