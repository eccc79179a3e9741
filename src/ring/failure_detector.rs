//! Phi accrual failure detection (Hayashibara et al., SRDS 2004).
//!
//! For each peer the detector keeps the mean time between news of it, and phi,
//! the suspicion: -log10 of the probability that news is merely late, with
//! exponential intervals, which makes phi = time since the last news / mean /
//! ln 10, as Cassandra computes it. A peer is believed dead when phi exceeds the
//! threshold (8: after 18.4 mean intervals), and alive as soon as there is news.
//!
//! Simplified: the mean is smoothed exponentially, where Cassandra averages a
//! window of 1,000.

use crate::engine::{SimDuration, SimTime};

/// Weight of the newest interval in the mean.
const SMOOTHING: f64 = 1.0 / 32.0;

/// One peer, as one node sees it.
#[derive(Clone, Copy, Debug)]
pub struct Suspicion {
    last_news: SimTime,
    mean_interval_ns: f64,
}

impl Suspicion {
    /// As if news had just come, with an expected interval.
    pub fn new(now: SimTime, expected: SimDuration) -> Suspicion {
        Suspicion { last_news: now, mean_interval_ns: expected.0 as f64 }
    }

    /// News of the peer.
    pub fn heard(&mut self, now: SimTime) {
        let interval = now.since(self.last_news).0 as f64;
        self.mean_interval_ns += (interval - self.mean_interval_ns) * SMOOTHING;
        self.last_news = now;
    }

    /// News after an absence: the gap says nothing of the usual interval.
    pub fn returned(&mut self, now: SimTime) {
        self.last_news = now;
    }

    pub fn phi(&self, now: SimTime) -> f64 {
        now.since(self.last_news).0 as f64 / self.mean_interval_ns.max(1.0) / std::f64::consts::LN_10
    }
}
