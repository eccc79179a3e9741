//! When a read has taken so long that another replica is asked: at a percentile
//! of the latest reads (Cassandra 4.1: `speculative_retry = '99p'`).

use super::settings::RingSettings;
use crate::engine::SimDuration;
use crate::engine::order::ascending;

/// Reads that the percentile is taken of.
const REMEMBERED: usize = 256;
/// After so many it is taken anew.
const EVERY: u32 = 32;

/// What a coordinator remembers of its reads.
#[derive(Clone, Default)]
pub struct Speculation {
    latest: Vec<u64>,
    next: usize,
    since: u32,
    after: Option<SimDuration>,
    is_due: bool,
}

impl Speculation {
    /// A read took so long, in nanoseconds.
    pub fn took(&mut self, nanoseconds: u64) {
        if self.latest.len() < REMEMBERED {
            self.latest.push(nanoseconds);
        } else {
            self.latest[self.next] = nanoseconds;
        }
        self.next = (self.next + 1) % REMEMBERED;
        self.since += 1;
        self.is_due |= self.since >= EVERY;
    }

    /// When to ask another replica; none if that is not done, or not enough is known.
    pub fn after(&mut self, settings: &RingSettings) -> Option<SimDuration> {
        let percentile = settings.speculative_retry?;
        if std::mem::take(&mut self.is_due) {
            self.since = 0;
            let ordered = ascending(self.latest.iter().copied());
            let rank = (ordered.len() as f64 * percentile / 100.0) as usize;
            self.after = ordered.get(rank.min(ordered.len() - 1)).map(|ns| SimDuration(*ns));
        }
        self.after
    }
}
