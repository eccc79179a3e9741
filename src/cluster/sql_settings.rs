//! From a sharded SQL cluster's part of a scenario to what its parts are set up with.

use crate::engine::{NodeId, SimDuration};
use crate::scenario::names::Seat;
use crate::scenario::schema::{
    ClusterSection, FencingMode, LogSyncPolicy, ReadFrom, ReplicationMode, Scenario, ShardRange, SqlSection,
};
use crate::sql::settings::{
    Backups, Breaker, BufferPool, Buffering, Cache, Failover, Fencing, LogSync, Pool, ReadRouting,
    Replication, Resharding, Retries, SchemaChange, Services, SqlSettings, Storage,
};
use crate::sql::shard_map::{KeyRange, ShardEntry, ShardMap, Sharding, name_point};
use crate::workload::keys::KeySpace;
use std::rc::Rc;

/// Queries that a query proxy has under way at most.
const QUERY_PROXY_IN_FLIGHT_MAX: usize = 16_384;

/// Of a valid scenario.
pub(super) fn sql_settings(
    scenario: &Scenario,
    section: &ClusterSection,
    sql: &SqlSection,
    seats: &[Seat],
    keys: KeySpace,
) -> SqlSettings {
    let ms = SimDuration::from_ms_f64;
    let nodes = |wanted: fn(&Seat) -> bool| -> Vec<NodeId> { super::build::nodes_of(seats, wanted) };
    let first_map = Rc::new(first_map(sql, seats));
    let mut proxies = nodes(|seat| matches!(seat, Seat::QueryProxy(_)));
    proxies.extend(nodes(|seat| matches!(seat, Seat::ShardProxy { .. })));
    SqlSettings {
        keys,
        sharding: first_map.sharding,
        first_map,
        config: nodes(|seat| matches!(seat, Seat::Config(_))),
        proxies,
        regions: seats.iter().map(|seat| scenario.region_of(section, *seat)).collect(),
        backup_store: nodes(|seat| matches!(seat, Seat::BackupStore)).first().copied(),
        backups: sql.backups.as_ref().map(|backups| Backups {
            snapshot_every: ms(backups.snapshot_every_ms),
            snapshots: backups.snapshots as usize,
            binlog_every: ms(backups.binlog_every_ms),
        }),
        failover: Failover {
            health_interval: ms(sql.health_check.interval_ms),
            health_timeout: ms(sql.health_check.timeout_ms),
            health_threshold: sql.health_check.threshold,
            fencing: match sql.failover.fencing {
                FencingMode::None => Fencing::None,
                FencingMode::LeaseMs(length) => Fencing::Lease(ms(length)),
                FencingMode::ShutdownMs(off_for) => Fencing::Shutdown { off_for: ms(off_for) },
            },
            block: ms(sql.failover.block_ms),
            cross_region: sql.failover.cross_region,
            leader_lease: ms(sql.failover.leader_lease_ms),
        },
        proxy_timeout: ms(sql.proxy_timeout_ms),
        proxy_in_flight_max: QUERY_PROXY_IN_FLIGHT_MAX,
        deadlines: sql.deadlines,
        retries: sql.retries.as_ref().map(|retries| Retries {
            max: retries.max,
            attempt_timeout: ms(retries.attempt_timeout_ms),
            backoff_first: ms(retries.backoff_ms),
            backoff_max: ms(retries.backoff_ms_max),
            jitter: retries.jitter,
            budget: retries.budget,
            unknown_writes: retries.unknown_writes,
        }),
        breaker: sql
            .circuit_breaker
            .as_ref()
            .map(|breaker| Breaker { failures: breaker.failures, open_for: ms(breaker.open_ms) }),
        buffering: sql.buffering.as_ref().map(|buffering| Buffering {
            size: buffering.size,
            window: ms(buffering.window_ms),
            failover_max: ms(buffering.failover_ms_max),
            failovers_apart: ms(buffering.failovers_apart_ms),
            drain: buffering.drain_concurrency,
        }),
        reads: match sql.reads {
            ReadFrom::Primary => ReadRouting::Primary,
            ReadFrom::Replica => ReadRouting::Replica,
            ReadFrom::WithinLagMs(bound) => ReadRouting::WithinLag(ms(bound)),
            ReadFrom::ReadYourWritesWaitMs(wait) => ReadRouting::ReadYourWrites { wait: ms(wait) },
        },
        cache: Cache {
            entries: sql.cache.entries,
            bytes: sql.cache.bytes,
            ttl: ms(sql.cache.ttl_ms),
            coalescing: sql.cache.coalescing,
        },
        pool: Pool {
            connections: sql.pool_size,
            queue: sql.pool_queue,
            timeout: ms(sql.pool_timeout_ms),
            shed_after: sql.shed_after_ms.map(ms),
        },
        replication: match sql.replication {
            ReplicationMode::Asynchronous => Replication::Asynchronous,
            ReplicationMode::SemiSynchronous { replicas, timeout_ms } => {
                Replication::SemiSynchronous { replicas, timeout: ms(timeout_ms) }
            }
            ReplicationMode::Synchronous => Replication::Synchronous,
        },
        appliers: sql.appliers,
        storage: Storage {
            redo_log_sync: log_sync(sql.redo_log_sync),
            binlog_sync: log_sync(sql.binlog_sync),
            buffer_pool: sql
                .buffer_pool
                .as_ref()
                .map(|pool| BufferPool { pages: pool.pages, rows_per_page: pool.rows_per_page }),
            checkpoint_every: ms(sql.recovery.checkpoint_every_ms),
            recovery_service: sql.recovery.service.clone(),
            lock_wait_timeout: ms(sql.row_locks.wait_timeout_ms),
            row_queue_max: sql.row_locks.queue,
        },
        encryption: sql.encryption.cost(),
        resharding: Resharding {
            chunk_rows: sql.resharding.chunk_rows,
            chunk_every: ms(sql.resharding.chunk_every_ms),
            write_pause_max: ms(sql.resharding.write_pause_ms_max),
        },
        schema_change: SchemaChange {
            online: sql.schema_change.online,
            row_service: sql.schema_change.row_service.clone(),
            chunk_rows: sql.schema_change.chunk_rows,
            chunk_every: ms(sql.schema_change.chunk_every_ms),
            lag_max: ms(sql.schema_change.lag_ms_max),
            cut_over_max: ms(sql.schema_change.cut_over_ms_max),
        },
        services: Services {
            query_proxy: sql.query_proxy_service.clone(),
            shard_proxy: sql.shard_proxy_service.clone(),
            read: sql.read_service.clone(),
            row: sql.row_service.clone(),
            write: sql.write_service.clone(),
            apply: sql.apply_service.clone(),
        },
    }
}

fn log_sync(policy: LogSyncPolicy) -> LogSync {
    match policy {
        LogSyncPolicy::EveryWrite => LogSync::EveryCommit,
        LogSyncPolicy::EveryWrites(commits) => LogSync::EveryCommits(commits),
        LogSyncPolicy::EveryMs(interval) => LogSync::Interval(SimDuration::from_ms_f64(interval)),
    }
}

/// The map as an operator sets it up.
fn first_map(sql: &SqlSection, seats: &[Seat]) -> ShardMap {
    let (sharding, ranges) = match sql.hash_shards {
        Some(count) => (Sharding::ByHash, hash_ranges(count)),
        None => (Sharding::ByName, sql.shards.iter().map(name_range).collect()),
    };
    let spares = (0..sql.spare_shards).map(|_| None);
    let ranges = ranges.into_iter().map(Some).chain(spares);
    let entries = ranges.zip(1..).map(|(range, shard)| {
        let of_shard = |wanted: fn(&Seat) -> Option<u32>| {
            super::build::nodes_of(seats, |seat| wanted(seat) == Some(shard))
        };
        let nodes = of_shard(|seat| match seat {
            Seat::Mysql { shard, .. } => Some(*shard),
            _ => None,
        });
        let proxies = of_shard(|seat| match seat {
            Seat::ShardProxy { shard, .. } => Some(*shard),
            _ => None,
        });
        ShardEntry { range, proxies, primary: nodes[0], epoch: 1, stamp: 1, serving: true, nodes }
    });
    ShardMap::new(1, sharding, entries.collect())
}

/// All places in equal parts.
fn hash_ranges(count: u32) -> Vec<KeyRange> {
    let start = |part: u32| ((u64::from(part) << 32) / u64::from(count)) as u32;
    let end = |part: u32| if part + 1 == count { u32::MAX } else { start(part + 1) - 1 };
    (0..count).map(|part| KeyRange { from: start(part), to: end(part) }).collect()
}

/// Whatever stands before A belongs to the first range, whatever after Z to the last.
fn name_range(range: &ShardRange) -> KeyRange {
    let from = if range.from == "A" { 0 } else { name_point(&range.from, 0) };
    let to = if range.to == "Z" { u32::MAX } else { name_point(&range.to, u8::MAX) };
    KeyRange { from, to }
}
