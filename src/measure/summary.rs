//! What a cluster's run comes to.

use super::cost::Cost;
use super::latency::LatencySummary;

/// All figures of one cluster since the start of the run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Summary {
    pub invoked: u64,
    pub ok: u64,
    pub failed: u64,
    /// Timed out, or still under way at the end.
    pub unknown: u64,
    /// Failed and unknown by cause, most frequent first.
    pub causes: Vec<(String, u64)>,
    pub read: LatencySummary,
    pub write: LatencySummary,
    /// Queries over many rows.
    pub scan: LatencySummary,
    pub top: LatencySummary,
    pub join: LatencySummary,
    pub goodput_per_second: f64,
    pub stale_reads: u64,
    pub stale_age_ms_max: f64,
    pub stale_versions_max: u64,
    /// Of the stale reads: those that a cache answered, and those that a replica did.
    pub stale_reads_from_cache: u64,
    pub stale_reads_from_replica: u64,
    /// And those that returned a row which had been deleted.
    pub reads_of_deleted_rows: u64,
    pub lost_acknowledged_writes: u64,
    /// Of the lost ones: those that a primary acknowledged after another had been promoted.
    pub split_brain_writes: u64,
    /// Transactions that a returning primary alone had, and gave up.
    pub errant_transactions: u64,
    pub restores: u64,
    pub recovery_point_ms_max: Option<f64>,
    pub recovery_time_ms_max: Option<f64>,
    /// Second attempts of query proxies.
    pub retries: u64,
    /// None where there are no replicas that lag.
    pub replication_lag_ms_max: Option<f64>,
    pub cost: Cost,
}
