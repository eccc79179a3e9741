//! One cluster of one run, to its end, in a few figures: what a search for a better design judges by.

use super::run::Session;
use crate::scenario::{Scenario, ScenarioError};
use serde::{Deserialize, Serialize};

/// What came of a cluster. What there was none of is none, never 0.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// Of this cluster alone, as in its report.
    pub trace_hash: u64,
    pub events: u64,
    pub usd_per_month: f64,
    pub read_ms_p99: Option<f64>,
    pub write_ms_p99: Option<f64>,
    /// Of the operations that ended: those that succeeded.
    pub success_share: Option<f64>,
    /// Stale reads for each read that succeeded.
    pub stale_share: Option<f64>,
    pub lost_writes: u64,
}

/// Runs a scenario for the sake of one of its clusters; the others, which change nothing of it, are left out.
pub fn measure(scenario: Scenario, seed: u64, cluster: usize) -> Result<Measured, ScenarioError> {
    let mut session = Session::open(scenario, Some(seed), Vec::new(), None)?;
    session.without_checkpoints();
    session.keep_only(cluster);
    session.run_until(session.end());
    let run = &session.clusters()[0];
    let summary = run.summary(session.now());
    let ended = summary.invoked - run.open_operations();
    let share = |part: u64, whole: u64| (whole > 0).then(|| part as f64 / whole as f64);
    let (reads, writes) = (summary.read, summary.write);
    Ok(Measured {
        trace_hash: run.trace_hash(),
        events: run.events(),
        usd_per_month: summary.cost.usd_per_month,
        read_ms_p99: (reads.count > 0).then_some(reads.p99_ms),
        write_ms_p99: (writes.count > 0).then_some(writes.p99_ms),
        success_share: share(summary.ok, ended),
        stale_share: share(summary.stale_reads, reads.count),
        lost_writes: summary.lost_acknowledged_writes,
    })
}
