//! Whether a run kept what its scenario asks for.

use super::run_report::{ClusterReport, Operations};
use crate::scenario::schema::ChecksSection;
use serde::Serialize;
use std::fmt;

/// One limit of the scenario, held against one cluster.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Check {
    pub cluster: String,
    /// Its name in the scenario.
    pub check: &'static str,
    pub limit: f64,
    /// None if there was nothing to judge by: such a check is kept.
    pub found: Option<f64>,
    pub kept: bool,
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Check { cluster, check, limit, found, kept } = self;
        let found = found.map_or("nothing to judge by".to_string(), |found| found.to_string());
        let verdict = if *kept { "kept" } else { "violated" };
        write!(f, "{cluster}: {check} is {limit}, found {found}: {verdict}")
    }
}

/// Every limit that the scenario sets, for every cluster.
pub fn judge(checks: &ChecksSection, clusters: &[ClusterReport]) -> Vec<Check> {
    clusters.iter().flat_map(|cluster| judge_cluster(checks, cluster)).collect()
}

fn judge_cluster(checks: &ChecksSection, cluster: &ClusterReport) -> Vec<Check> {
    let at_most = |check, limit: Option<f64>, found: Option<f64>| {
        limit.map(|limit| (check, limit, found, found.is_none_or(|found| found <= limit)))
    };
    let at_least = |check, limit: Option<f64>, found: Option<f64>| {
        limit.map(|limit| (check, limit, found, found.is_none_or(|found| found >= limit)))
    };
    let lost = cluster.lost_acknowledged_writes as f64;
    let stale = cluster.stale_reads as f64;
    let latency =
        [cluster.latency_ms.read.p99, cluster.latency_ms.write.p99].into_iter().flatten().reduce(f64::max);
    [
        at_most(
            "lost_acknowledged_writes_max",
            checks.lost_acknowledged_writes_max.map(|most| most as f64),
            Some(lost),
        ),
        at_most("stale_reads_max", checks.stale_reads_max.map(|most| most as f64), Some(stale)),
        at_most("latency_ms_p99_max", checks.latency_ms_p99_max, latency),
        at_least("success_share_min", checks.success_share_min, success_share(&cluster.operations)),
    ]
    .into_iter()
    .flatten()
    .map(|(check, limit, found, kept)| Check { cluster: cluster.name.clone(), check, limit, found, kept })
    .collect()
}

/// Of the operations that ended; what was still under way when the run ended is
/// neither a success nor a failure.
fn success_share(operations: &Operations) -> Option<f64> {
    let ended = operations.invoked - operations.under_way;
    (ended > 0).then(|| operations.ok as f64 / ended as f64)
}
