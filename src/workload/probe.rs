//! Reads that follow a write, to see when it becomes visible.
//!
//! After an acknowledged write of its own a client reads the key again, at some
//! delay after the acknowledgement, through any endpoint as it reads anything
//! else. Two kinds of delay:
//!
//! - *listed*: given by the scenario. Each write is read at one of them, in turn.
//! - *searching*: around the delay after which one read in a thousand is stale,
//!   which each client looks for by itself. It starts at 1 ms; an answer that is
//!   stale moves it up by a step, one that is not moves it down by a thousandth of
//!   a step, so that it rests where one in a thousand is stale (Kaernbach 1991,
//!   weighted up-down method), and steps shrink with the stale answers seen
//!   (Robbins and Monro 1951). No scenario has to say where to look.
//!
//! A client that crashes forgets the reads that were due, one that is paused misses them.

use super::operation::Versioned;
use crate::engine::{Purpose, SimDuration, Stream};

/// What the delay that is looked for leaves stale: one read in a thousand.
pub const STALE_SHARE_SOUGHT: f64 = 0.001;
/// Shortest and longest delay that is tried in a search.
const REACH_MS_MIN: f64 = 0.001;
const REACH_MS_MAX: f64 = 60_000.0;
const REACH_MS_FIRST: f64 = 1.0;
/// Delays are drawn up to this far around the reach, as a logarithm: a seventh up and down.
const SPREAD: f64 = 0.15;
/// The smallest step, as a logarithm.
const STEP_MIN: f64 = 0.03;
/// How steps shrink with the number of stale answers: faster than its root, slower than itself.
const STEP_EXPONENT: f64 = -0.75;

/// Which reads follow a write.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ProbeSettings {
    /// Each write is read once after one of these, in turn.
    pub listed: Vec<SimDuration>,
    /// Further reads after each write.
    pub searching: u32,
}

/// What a read that follows a write knows of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Probe {
    /// What the write had become.
    pub written: Versioned,
    /// From the write's acknowledgement to the sending of the read.
    pub after: SimDuration,
    /// Place of the delay in the list; none if it was searching.
    pub listed: Option<u8>,
}

impl Probe {
    /// Whether what was read is older than the write.
    pub fn is_stale(&self, read: &Versioned) -> bool {
        self.written.is_newer_than(read)
    }
}

/// One client's choice of delays.
#[derive(Clone)]
pub struct Prober {
    settings: ProbeSettings,
    stream: Stream,
    /// Place in the list for the next write.
    next_listed: usize,
    reach_ms: f64,
    stale_answers: u32,
    step: f64,
    /// What an answer that is not stale multiplies the reach by.
    shrink: f64,
}

impl Prober {
    pub fn new(settings: ProbeSettings, seed: u64, client: &str) -> Prober {
        let mut prober = Prober {
            settings,
            stream: Stream::named(seed, Purpose::Probe, client),
            next_listed: 0,
            reach_ms: REACH_MS_FIRST,
            stale_answers: 0,
            step: 0.0,
            shrink: 1.0,
        };
        prober.set_step();
        prober
    }

    /// Reads that follow each write.
    pub fn per_write(&self) -> usize {
        usize::from(!self.settings.listed.is_empty()) + self.settings.searching as usize
    }

    /// The reads that follow a write that became `written`.
    pub fn draw(&mut self, written: Versioned, mut each: impl FnMut(Probe)) {
        if !self.settings.listed.is_empty() {
            let place = self.next_listed;
            self.next_listed = (place + 1) % self.settings.listed.len();
            each(Probe { written, after: self.settings.listed[place], listed: Some(place as u8) });
        }
        for _ in 0..self.settings.searching {
            let around = libm::exp(SPREAD * (2.0 * self.stream.unit() - 1.0));
            let after = SimDuration::from_ms_f64(self.reach_ms * around);
            each(Probe { written, after, listed: None });
        }
    }

    /// Takes in an answer to a searching read. One to a delay far from where the search is by now says nothing.
    pub fn learn(&mut self, probe: &Probe, is_stale: bool) {
        let reach = SimDuration::from_ms_f64(self.reach_ms);
        let (least, most) = (reach.scaled(libm::exp(-2.0 * SPREAD)), reach.scaled(libm::exp(2.0 * SPREAD)));
        if probe.listed.is_some() || probe.after < least || probe.after > most {
            return;
        }
        if is_stale {
            self.reach_ms *= libm::exp(self.step);
            self.stale_answers += 1;
            self.set_step();
        } else {
            self.reach_ms *= self.shrink;
        }
        self.reach_ms = self.reach_ms.clamp(REACH_MS_MIN, REACH_MS_MAX);
    }

    fn set_step(&mut self) {
        let shrunk = libm::pow(f64::from(self.stale_answers) + 1.0, STEP_EXPONENT);
        self.step = shrunk.max(STEP_MIN);
        self.shrink = libm::exp(-self.step * STALE_SHARE_SOUGHT / (1.0 - STALE_SHARE_SOUGHT));
    }
}
