//! Simulated time: an integer count of nanoseconds.
//!
//! Nothing in the core reads a wall clock. `SimTime` is a point on the one
//! global clock of a run (which no node can see: nodes have local clocks, see
//! [`Context::local_time`](crate::engine::Context::local_time)), `SimDuration`
//! a distance on it. Both saturate instead of wrapping.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::ops::{Add, AddAssign, Sub};

/// A point in simulated time, in nanoseconds since the start of the run.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Hash, Debug, Serialize, Deserialize)]
pub struct SimTime(pub u64);

/// A span of simulated time, in nanoseconds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Hash, Debug, Serialize, Deserialize)]
pub struct SimDuration(pub u64);

const NANOS_PER_MS: f64 = 1e6;

impl SimTime {
    pub const ZERO: SimTime = SimTime(0);
    pub const MAX: SimTime = SimTime(u64::MAX);

    pub const fn from_ms(ms: u64) -> SimTime {
        SimTime(ms.saturating_mul(1_000_000))
    }

    pub fn as_ms_f64(self) -> f64 {
        self.0 as f64 / NANOS_PER_MS
    }

    /// The time since `earlier`; zero if `earlier` is later.
    pub const fn since(self, earlier: SimTime) -> SimDuration {
        SimDuration(self.0.saturating_sub(earlier.0))
    }
}

impl SimDuration {
    pub const ZERO: SimDuration = SimDuration(0);
    pub const MAX: SimDuration = SimDuration(u64::MAX);

    pub const fn from_ms(ms: u64) -> SimDuration {
        SimDuration(ms.saturating_mul(1_000_000))
    }

    /// Rounds to the nearest nanosecond; negative and NaN become zero, too large saturates.
    pub fn from_ms_f64(ms: f64) -> SimDuration {
        // `as` saturates and maps NaN to zero; adding a half and truncating is
        // the same on every platform, where `round` may be a libm call.
        SimDuration((ms * NANOS_PER_MS + 0.5) as u64)
    }

    pub fn as_ms_f64(self) -> f64 {
        self.0 as f64 / NANOS_PER_MS
    }

    /// Scales by a factor, as faults do; rounds to the nearest nanosecond.
    pub fn scaled(self, factor: f64) -> SimDuration {
        SimDuration((self.0 as f64 * factor + 0.5) as u64)
    }
}

impl Add<SimDuration> for SimTime {
    type Output = SimTime;
    fn add(self, span: SimDuration) -> SimTime {
        SimTime(self.0.saturating_add(span.0))
    }
}

impl AddAssign<SimDuration> for SimTime {
    fn add_assign(&mut self, span: SimDuration) {
        *self = *self + span;
    }
}

impl Add for SimDuration {
    type Output = SimDuration;
    fn add(self, other: SimDuration) -> SimDuration {
        SimDuration(self.0.saturating_add(other.0))
    }
}

impl Sub for SimDuration {
    type Output = SimDuration;
    fn sub(self, other: SimDuration) -> SimDuration {
        SimDuration(self.0.saturating_sub(other.0))
    }
}

impl fmt::Display for SimTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:03} s", self.0 / 1_000_000_000, self.0 / 1_000_000 % 1_000)
    }
}

impl fmt::Display for SimDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ms", self.as_ms_f64())
    }
}
