//! A gossip-based ring.

use super::Checked;
use super::clusters::{disk, encryption, interval, storing_machine, up_to_another};
use super::range::{between, distribution, positive_up_to, whole};
use crate::measure::prices::PriceSheet;
use crate::scenario::error::ScenarioError;
use crate::scenario::limits::*;
use crate::scenario::schema::{
    CompactionSection, FailureDetectionSection, GossipPeers, GossipSection, PartitioningMode, RingSection,
    StorageSection, SwimSection, SyncPolicy,
};

pub(super) fn check(path: &str, ring: &RingSection, prices: &PriceSheet) -> Checked {
    let at = |field: &str| format!("{path}.{field}");
    whole(&at("nodes"), ring.nodes, 1, RING_NODES_MAX)?;
    whole(&at("spares"), ring.spares, 0, SPARES_MAX)?;
    if ring.nodes + ring.spares > RING_NODES_MAX {
        let problem = format!(
            "is {}; with `nodes`, which is {}, it must be at most {RING_NODES_MAX}",
            ring.spares, ring.nodes
        );
        return Err(ScenarioError::wrong(at("spares"), problem));
    }
    between(
        &at("stream_mbit_per_s"),
        ring.stream_mbit_per_s,
        BANDWIDTH_MBIT_PER_S_MIN,
        BANDWIDTH_MBIT_PER_S_MAX,
    )?;
    whole(&at("virtual_nodes"), ring.virtual_nodes, 1, VIRTUAL_NODES_MAX)?;
    whole(&at("partitions"), ring.partitions, 1, PARTITIONS_MAX)?;
    if ring.partitioning != PartitioningMode::ByToken && ring.partitions < ring.nodes {
        let problem = format!(
            "is {}; it must be at least `nodes`, which is {}, so that every node can own one",
            ring.partitions, ring.nodes
        );
        return Err(ScenarioError::wrong(at("partitions"), problem));
    }
    if let Some(rows) = ring.rows_per_partition {
        whole(&at("rows_per_partition"), rows, 2, PARTITION_ROWS_MAX)?;
    }
    whole(&at("n"), ring.n, 1, KEY_REPLICAS_MAX)?;
    up_to_another(&at("n"), ring.n, "nodes", ring.nodes)?;
    up_to_another(&at("r"), ring.r, "n", ring.n)?;
    up_to_another(&at("w"), ring.w, "n", ring.n)?;
    if let Some(percentile) = ring.speculative_retry_percentile {
        between(&at("speculative_retry_percentile"), percentile, 1.0, 100.0)?;
    }
    if let Some(handoff) = &ring.hinted_handoff {
        between(&at("hinted_handoff.window_ms"), handoff.window_ms, 0.0, SPAN_MS_MAX)?;
        between(&at("hinted_handoff.rate_per_s"), handoff.rate_per_s, 1.0, HINTS_PER_S_MAX)?;
    }
    if let Some(anti_entropy) = &ring.anti_entropy {
        interval(&at("anti_entropy.interval_ms"), anti_entropy.interval_ms)?;
        whole(&at("anti_entropy.depth"), anti_entropy.depth, 1, TREE_DEPTH_MAX)?;
        distribution(&at("anti_entropy.key_service"), &anti_entropy.key_service)?;
    }
    between(&at("gc_grace_ms"), ring.gc_grace_ms, TIMEOUT_MS_MIN, GC_GRACE_MS_MAX)?;
    gossip(&at("gossip"), &ring.gossip, ring.nodes)?;
    failure_detection(&at("failure_detection"), &ring.failure_detection)?;
    sync(&at("commit_log_sync"), ring.commit_log_sync)?;
    if let Some(section) = &ring.storage {
        storage(&at("storage"), section)?;
    }
    between(&at("request_timeout_ms"), ring.request_timeout_ms, TIMEOUT_MS_MIN, SPAN_MS_MAX)?;
    whole(&at("in_flight_max"), ring.in_flight_max, 1, IN_FLIGHT_MAX)?;
    storing_machine(&at("machine"), &ring.machine, prices)?;
    super::money::throughput_of_ring(path, ring)?;
    disk(&at("disk"), &ring.disk)?;
    encryption(&at("encryption"), &ring.encryption)?;
    for (field, times) in [
        ("clock_offset", &ring.clock_offset),
        ("coordinator_service", &ring.coordinator_service),
        ("read_service", &ring.read_service),
        ("row_service", &ring.row_service),
        ("write_service", &ring.write_service),
        ("gossip_service", &ring.gossip_service),
    ] {
        distribution(&at(field), times)?;
    }
    for (field, delay) in [
        ("legs.write_request", &ring.legs.write_request),
        ("legs.write_acknowledgement", &ring.legs.write_acknowledgement),
        ("legs.read_request", &ring.legs.read_request),
        ("legs.read_response", &ring.legs.read_response),
        ("legs.cross_zone_extra", &ring.legs.cross_zone_extra),
    ] {
        if let Some(delay) = delay {
            distribution(&at(field), delay)?;
        }
    }
    Ok(())
}

fn storage(path: &str, storage: &StorageSection) -> Checked {
    let at = |field: &str| format!("{path}.{field}");
    between(&at("memtable_mb"), storage.memtable_mb, STORAGE_MB_MIN, STORAGE_MB_MAX)?;
    between(&at("commit_log_mb"), storage.commit_log_mb, STORAGE_MB_MIN, STORAGE_MB_MAX)?;
    let share = storage.bloom_filter_false_positives;
    between(&at("bloom_filter_false_positives"), share, FALSE_POSITIVES_MIN, 1.0)?;
    between(&at("block_cache_mb"), storage.block_cache_mb, 0.0, STORAGE_MB_MAX)?;
    between(&at("disk_mb_per_s"), storage.disk_mb_per_s, DISK_MB_PER_S_MIN, DISK_MB_PER_S_MAX)?;
    if let Some(limit) = storage.compaction_mb_per_s {
        between(&at("compaction_mb_per_s"), limit, DISK_MB_PER_S_MIN, DISK_MB_PER_S_MAX)?;
    }
    for (field, times) in [
        ("table_service", &storage.table_service),
        ("merge_service", &storage.merge_service),
        ("replay_service", &storage.replay_service),
    ] {
        distribution(&at(field), times)?;
    }
    match &storage.compaction {
        None => Ok(()),
        Some(CompactionSection::SizeTiered(tiers)) => {
            let at = |field: &str| at(&format!("compaction.size_tiered.{field}"));
            whole(&at("min_threshold"), tiers.min_threshold, 2, COMPACTED_TABLES_MAX)?;
            whole(&at("max_threshold"), tiers.max_threshold, 2, COMPACTED_TABLES_MAX)?;
            if tiers.max_threshold < tiers.min_threshold {
                let problem = format!(
                    "is {}; it must be at least `min_threshold`, which is {}",
                    tiers.max_threshold, tiers.min_threshold
                );
                return Err(ScenarioError::wrong(at("max_threshold"), problem));
            }
            between(&at("bucket_low"), tiers.bucket_low, 0.0, 1.0)?;
            between(&at("bucket_high"), tiers.bucket_high, 1.0, BUCKET_RATIO_MAX)
        }
        Some(CompactionSection::Levelled(levels)) => {
            let at = |field: &str| at(&format!("compaction.levelled.{field}"));
            between(&at("table_mb"), levels.table_mb, STORAGE_MB_MIN, STORAGE_MB_MAX)?;
            whole(&at("fan_out"), levels.fan_out, 2, LEVEL_FAN_OUT_MAX)
        }
    }
}

fn gossip(path: &str, gossip: &GossipSection, nodes: u32) -> Checked {
    let at = |field: &str| format!("{path}.{field}");
    interval(&at("interval_ms"), gossip.interval_ms)?;
    whole(&at("neighbours"), gossip.neighbours, 1, NEIGHBOURS_MAX)?;
    whole(&at("fan_out"), gossip.fan_out, 1, FAN_OUT_MAX)?;
    if gossip.peers == GossipPeers::Neighbours {
        up_to_another(&at("fan_out"), gossip.fan_out, "neighbours", gossip.neighbours)?;
    }
    whole(&at("seeds"), gossip.seeds, 0, RING_NODES_MAX)?;
    if gossip.seeds > nodes {
        up_to_another(&at("seeds"), gossip.seeds, "nodes", nodes)?;
    }
    Ok(())
}

fn failure_detection(path: &str, detection: &FailureDetectionSection) -> Checked {
    match detection {
        FailureDetectionSection::PhiAccrual(phi) => {
            let at = |field: &str| format!("{path}.phi_accrual.{field}");
            positive_up_to(&at("threshold"), phi.threshold, PHI_THRESHOLD_MAX)?;
            whole(&at("window"), phi.window, 1, WINDOW_MAX)
        }
        FailureDetectionSection::TimeOut(time_out) => {
            between(&format!("{path}.time_out.after_ms"), time_out.after_ms, TIMEOUT_MS_MIN, SPAN_MS_MAX)
        }
        FailureDetectionSection::Swim(swim) => self::swim(&format!("{path}.swim"), swim),
    }
}

fn swim(path: &str, swim: &SwimSection) -> Checked {
    let at = |field: &str| format!("{path}.{field}");
    interval(&at("period_ms"), swim.period_ms)?;
    between(&at("timeout_ms"), swim.timeout_ms, TIMEOUT_MS_MIN, INTERVAL_MS_MAX)?;
    if swim.timeout_ms > swim.period_ms {
        let problem = format!(
            "is {}; it must be at most `period_ms`, which is {}: by then others were asked",
            swim.timeout_ms, swim.period_ms
        );
        return Err(ScenarioError::wrong(at("timeout_ms"), problem));
    }
    whole(&at("indirect"), swim.indirect, 0, INDIRECT_MAX)?;
    for (field, multiplier) in [
        ("suspicion_multiplier", swim.suspicion_multiplier),
        ("suspicion_max_multiplier", swim.suspicion_max_multiplier),
        ("retransmit_multiplier", swim.retransmit_multiplier),
    ] {
        whole(&at(field), multiplier, 1, SWIM_MULTIPLIER_MAX)?;
    }
    Ok(())
}

fn sync(field: &str, policy: SyncPolicy) -> Checked {
    match policy {
        SyncPolicy::EveryWrite => Ok(()),
        SyncPolicy::EveryMs(interval_ms) => interval(&format!("{field}.every_ms"), interval_ms),
    }
}
