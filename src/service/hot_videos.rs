//! Which videos are watched so much that one row cannot take their counts.
//!
//! Counted each second with a few counters, by Space-Saving (Metwally et al., "Efficient Computation of Frequent and
//! Top-k Elements in Data Streams", ICDT 2005): a video without a counter takes over the smallest one, with its
//! count as its possible error. Only what is surely counted makes a video hot, so that none is by mistake;
//! one that is over the share by less than the error is missed.

use crate::engine::{SimDuration, SimTime};
use crate::workload::operation::KeyId;

const COUNTERS: usize = 64;
const COUNTED_FOR: SimDuration = SimDuration::from_ms(1_000);

#[derive(Clone, Copy)]
struct Counter {
    video: KeyId,
    count: u32,
    error: u32,
}

/// The hot ones of the last full second.
#[derive(Clone, Default)]
pub struct HotVideos {
    since: SimTime,
    total: u32,
    counters: Vec<Counter>,
    hot: Vec<KeyId>,
}

impl HotVideos {
    /// Counts a view.
    pub fn note(&mut self, video: KeyId, share: f64, now: SimTime) {
        let passed = now.since(self.since);
        if passed >= COUNTED_FOR {
            self.end_second(share, now, passed);
        }
        self.total += 1;
        if let Some(counter) = self.counters.iter_mut().find(|counter| counter.video == video) {
            counter.count += 1;
        } else if self.counters.len() < COUNTERS {
            self.counters.push(Counter { video, count: 1, error: 0 });
        } else if let Some(least) = self.counters.iter_mut().min_by_key(|counter| counter.count) {
            *least = Counter { video, count: least.count + 1, error: least.count };
        }
    }

    fn end_second(&mut self, share: f64, now: SimTime, passed: SimDuration) {
        let least = f64::from(self.total) * share;
        let is_hot = |counter: &&Counter| f64::from(counter.count - counter.error) > least;
        let was_quiet = passed.0 >= 2 * COUNTED_FOR.0;
        self.hot =
            self.counters.iter().filter(is_hot).filter(|_| !was_quiet).map(|counter| counter.video).collect();
        self.counters.clear();
        self.total = 0;
        self.since = now;
    }

    pub fn is_hot(&self, video: KeyId) -> bool {
        self.hot.contains(&video)
    }
}
