//! From the `storage` of a ring's part of a scenario to what its nodes' stores are set up with.

use crate::ring::storage::compaction::Strategy;
use crate::ring::storage::{BLOCK_BYTES, StorageSettings};
use crate::scenario::schema::{CompactionSection, StorageSection};

fn bytes(megabytes: f64) -> u64 {
    (megabytes * 1e6) as u64
}

/// Of a valid scenario.
pub(super) fn storage_settings(storage: &StorageSection) -> StorageSettings {
    StorageSettings {
        memtable_bytes: bytes(storage.memtable_mb),
        commit_log_bytes: bytes(storage.commit_log_mb),
        false_positives: storage.bloom_filter_false_positives,
        cache_blocks: (bytes(storage.block_cache_mb) / BLOCK_BYTES) as u32,
        disk_bytes_per_s: storage.disk_mb_per_s * 1e6,
        compaction: storage.compaction.as_ref().map(|compaction| match compaction {
            CompactionSection::SizeTiered(tiers) => Strategy::SizeTiered {
                min_threshold: tiers.min_threshold,
                max_threshold: tiers.max_threshold,
                bucket_low: tiers.bucket_low,
                bucket_high: tiers.bucket_high,
            },
            CompactionSection::Levelled(levels) => {
                Strategy::Levelled { table_bytes: bytes(levels.table_mb), fan_out: levels.fan_out }
            }
        }),
        compaction_bytes_per_s: storage.compaction_mb_per_s.map(|limit| limit * 1e6),
        table_service: storage.table_service.clone(),
        merge_service: storage.merge_service.clone(),
        replay_service: storage.replay_service.clone(),
    }
}
