//! How well a node itself is, by its own experience.
//!
//! Lifeguard's local health multiplier (Dadgar, Phillips, Currey, "Lifeguard:
//! local health awareness for more accurate failure detection", DSN-W 2018,
//! section IV.A; memberlist, `awareness.go`): probes that fail, missing negative
//! acknowledgements and suspicions of itself make a node worse, probes that
//! succeed make it better, and its intervals and time-outs grow with it.

use crate::engine::SimDuration;

/// Time-outs grow so many times at most (memberlist, `AwarenessMaxMultiplier`).
pub const MULTIPLIER_MAX: u32 = 8;

/// From 0, well, to [`MULTIPLIER_MAX`] - 1.
#[derive(Clone, Copy, Default, Debug)]
pub struct LocalHealth {
    score: u32,
}

impl LocalHealth {
    /// Worse by so much; better if negative.
    pub fn change(&mut self, by: i32) {
        self.score = self.score.saturating_add_signed(by).min(MULTIPLIER_MAX - 1);
    }

    pub fn score(self) -> u32 {
        self.score
    }

    /// A time-out, as long as it should be at this health.
    pub fn scale(self, timeout: SimDuration) -> SimDuration {
        timeout.scaled(f64::from(self.score + 1))
    }
}
