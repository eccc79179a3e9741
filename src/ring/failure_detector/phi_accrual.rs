//! Phi accrual failure detection (Hayashibara et al., SRDS 2004).
//!
//! For each peer the detector keeps the mean time between news of it, and phi,
//! the suspicion: -log10 of the probability that news is merely late, with
//! exponential intervals, which makes phi = time since the last news / mean /
//! ln 10, as Cassandra computes it (`gms/FailureDetector.java`; the paper fits a
//! normal distribution). A peer is believed dead when phi exceeds the threshold
//! (8: after 18.42 mean intervals), and alive as soon as there is news.
//!
//! Simplified: the mean is of all intervals until the window is full, and from
//! then on forgets the old ones little by little, where Cassandra drops the oldest
//! of its 1,000: so a peer takes a few bytes, not thousands.

use crate::engine::{SimDuration, SimTime};

/// When there was news of one peer.
#[derive(Clone, Copy, Debug)]
pub struct ArrivalWindow {
    last_news: SimTime,
    mean_interval_ns: f64,
    intervals: u32,
}

impl ArrivalWindow {
    /// As if news had just come, with an expected interval as the first in the mean.
    pub fn new(now: SimTime, expected: SimDuration) -> ArrivalWindow {
        ArrivalWindow { last_news: now, mean_interval_ns: expected.0 as f64, intervals: 1 }
    }

    /// News of the peer; `window` is how many intervals the mean is of.
    pub fn heard(&mut self, now: SimTime, window: u32) {
        let interval = now.since(self.last_news).0 as f64;
        self.intervals = self.intervals.saturating_add(1).min(window);
        self.mean_interval_ns += (interval - self.mean_interval_ns) / f64::from(self.intervals);
        self.last_news = now;
    }

    /// News after an absence: the gap says nothing of the usual interval.
    pub fn returned(&mut self, now: SimTime) {
        self.last_news = now;
    }

    /// How long there has been no news.
    #[inline]
    pub fn silent_for(&self, now: SimTime) -> SimDuration {
        now.since(self.last_news)
    }

    #[inline]
    pub fn phi(&self, now: SimTime) -> f64 {
        self.silent_for(now).0 as f64 / self.mean_interval_ns.max(1.0) / std::f64::consts::LN_10
    }

    pub fn mean_interval(&self) -> SimDuration {
        SimDuration(self.mean_interval_ns as u64)
    }
}
