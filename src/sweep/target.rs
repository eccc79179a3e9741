//! What a cluster has to keep, and whether it did.

use crate::session::measured::Measured;
use serde::Serialize;

/// Limits; what is none does not matter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Target {
    pub read_ms_p99_max: Option<f64>,
    pub write_ms_p99_max: Option<f64>,
    /// Of the operations that end: those that succeed, 0 to 1.
    pub success_share_min: Option<f64>,
    /// Stale reads for each read that succeeds, 0 to 1.
    pub stale_share_max: Option<f64>,
    pub lost_writes_max: Option<u64>,
}

/// Worse than this is not told apart.
const WORST: f64 = 10.0;

/// A limit that was not kept.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Miss {
    pub limit: &'static str,
    /// None if there was nothing to judge by: not one operation succeeded.
    pub found: Option<f64>,
    /// By how much, in a measure of its own that starts at 0.
    #[serde(skip)]
    pub by: f64,
    /// Whether more machines could mend it.
    #[serde(skip)]
    pub is_of_load: bool,
}

impl Target {
    /// Whether there is no limit at all.
    pub fn is_empty(&self) -> bool {
        *self == Target::default()
    }

    /// Every limit that was not kept.
    pub fn misses(&self, measured: &Measured) -> Vec<Miss> {
        let at_most = |limit, most: Option<f64>, found: Option<f64>, least_step: f64, is_of_load| {
            let most = most?;
            let by = found.map_or(WORST, |found| ((found - most) / most.max(least_step)).min(WORST));
            (by > 0.0).then_some(Miss { limit, found, by, is_of_load })
        };
        // Failures are held against the failures that are allowed.
        let failing = |success: Option<f64>| success.map(|share| 1.0 - share);
        let lost = self.lost_writes_max.map(|most| most as f64);
        let success =
            at_most("success", failing(self.success_share_min), failing(measured.success_share), 1e-3, true);
        let success = success.map(|miss| Miss { found: measured.success_share, ..miss });
        [
            at_most("read p99", self.read_ms_p99_max, measured.read_ms_p99, 1e-3, true),
            at_most("write p99", self.write_ms_p99_max, measured.write_ms_p99, 1e-3, true),
            success,
            at_most("stale reads", self.stale_share_max, measured.stale_share, 1e-3, false),
            at_most("lost writes", lost, Some(measured.lost_writes as f64), 1.0, false),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}
