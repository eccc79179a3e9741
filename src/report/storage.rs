//! What a report says of a ring's log-structured stores.

use crate::cluster::run::ClusterRun;
use crate::ring::storage::{StorageCounts, Store};
use serde::Serialize;

/// All stores of a ring, each since its node's last start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct StorageReport {
    /// Sorted tables of the node that has most of them, now.
    pub tables_max: u64,
    pub flushes: u64,
    pub flushed_mb: f64,
    pub compactions: u64,
    /// That compactions wrote.
    pub compacted_mb: f64,
    /// Bytes written to tables for each byte that was flushed; none before the first flush.
    pub write_amplification: Option<f64>,
    /// Tables that a read of a replica looks into on average.
    pub tables_per_read: Option<f64>,
    /// Of the blocks that were needed: those that were in memory.
    pub cache_hits_share: Option<f64>,
    /// Compactions that are due now, of all nodes.
    pub pending_compactions: u64,
    pub tombstones_dropped: u64,
    /// Writes that had to wait for a flush, and those of them that waited too long.
    pub writes_stalled: u64,
    pub writes_dropped: u64,
}

impl StorageReport {
    /// None where there are no stores.
    pub fn of(run: &ClusterRun) -> Option<StorageReport> {
        let world = run.world();
        let nodes = world.node_ids().filter_map(|node| world.process(node).as_ring());
        let stores: Vec<&Store> = nodes.filter_map(|node| node.store_on_disk()).collect();
        if stores.is_empty() {
            return None;
        }
        let sum = |of: fn(&StorageCounts) -> u64| stores.iter().map(|store| of(&store.counts)).sum::<u64>();
        let share = |part: u64, whole: u64| (whole > 0).then(|| part as f64 / whole as f64);
        let (flushed, compacted) = (sum(|counts| counts.flushed_bytes), sum(|counts| counts.compacted_bytes));
        let (hits, misses) = (sum(|counts| counts.cache_hits), sum(|counts| counts.cache_misses));
        Some(StorageReport {
            tables_max: stores.iter().map(|store| store.tables().len() as u64).max().unwrap_or(0),
            flushes: sum(|counts| counts.flushes),
            flushed_mb: flushed as f64 / 1e6,
            compactions: sum(|counts| counts.compactions),
            compacted_mb: compacted as f64 / 1e6,
            write_amplification: share(flushed + compacted, flushed),
            tables_per_read: share(sum(|counts| counts.tables_read), sum(|counts| counts.reads)),
            cache_hits_share: share(hits, hits + misses),
            pending_compactions: stores.iter().map(|store| u64::from(store.pending_compactions())).sum(),
            tombstones_dropped: sum(|counts| counts.tombstones_dropped),
            writes_stalled: sum(|counts| counts.writes_stalled),
            writes_dropped: sum(|counts| counts.writes_dropped),
        })
    }
}
