//! A sharded SQL cluster.

use super::Checked;
use super::clusters::{disk, encryption, interval, machine, up_to_another};
use super::range::{between, distribution, length, positive_up_to, whole};
use crate::measure::prices::PriceSheet;
use crate::scenario::error::{ScenarioError, shortened};
use crate::scenario::limits::*;
use crate::scenario::schema::{
    FencingMode, LogSyncPolicy, ReadFrom, ReplicationMode, RetriesSection, ShardRange, SqlSection,
};
use crate::sql::shard_map::name_point;

pub(super) fn check(path: &str, sql: &SqlSection, prices: &PriceSheet) -> Checked {
    let at = |field: &str| format!("{path}.{field}");
    whole(&at("query_proxies"), sql.query_proxies, 1, QUERY_PROXIES_MAX)?;
    match sql.hash_shards {
        Some(count) => whole(&at("hash_shards"), count, 1, SHARDS_MAX)?,
        None => shards(&at("shards"), &sql.shards)?,
    }
    whole(&at("spare_shards"), sql.spare_shards, 0, SPARE_SHARDS_MAX)?;
    whole(&at("resharding.chunk_rows"), sql.resharding.chunk_rows, 1, CHUNK_ROWS_MAX)?;
    between(&at("resharding.chunk_every_ms"), sql.resharding.chunk_every_ms, 0.0, INTERVAL_MS_MAX)?;
    let pause = sql.resharding.write_pause_ms_max;
    between(&at("resharding.write_pause_ms_max"), pause, TIMEOUT_MS_MIN, SPAN_MS_MAX)?;
    schema_change(path, sql)?;
    if let Some(backups) = &sql.backups {
        let most = SPAN_MS_MAX;
        let snapshot_every = backups.snapshot_every_ms;
        between(&at("backups.snapshot_every_ms"), snapshot_every, BACKUP_INTERVAL_MS_MIN, most)?;
        whole(&at("backups.snapshots"), backups.snapshots, 1, SNAPSHOTS_MAX)?;
        between(&at("backups.binlog_every_ms"), backups.binlog_every_ms, BACKUP_INTERVAL_MS_MIN, most)?;
    }
    whole(&at("shard_proxies"), sql.shard_proxies, 1, SHARD_PROXIES_MAX)?;
    whole(&at("replicas"), sql.replicas, 0, REPLICAS_MAX)?;
    config_nodes(&at("config_nodes"), sql.config_nodes)?;
    reads(&at("reads"), sql.reads)?;
    whole(&at("cache.entries"), sql.cache.entries, 0, CACHE_ENTRIES_MAX)?;
    if let Some(bytes) = sql.cache.bytes {
        whole(&at("cache.bytes"), bytes, 1, CACHE_BYTES_MAX)?;
    }
    between(&at("cache.ttl_ms"), sql.cache.ttl_ms, 0.0, SPAN_MS_MAX)?;
    failover(path, sql)?;
    replication(&at("replication"), sql)?;
    whole(&at("appliers"), sql.appliers, 1, APPLIERS_MAX)?;
    log_sync(&at("redo_log_sync"), sql.redo_log_sync)?;
    log_sync(&at("binlog_sync"), sql.binlog_sync)?;
    if let Some(pool) = &sql.buffer_pool {
        whole(&at("buffer_pool.pages"), pool.pages, 1, BUFFER_POOL_PAGES_MAX)?;
        whole(&at("buffer_pool.rows_per_page"), pool.rows_per_page, 1, ROWS_PER_PAGE_MAX)?;
    }
    interval(&at("recovery.checkpoint_every_ms"), sql.recovery.checkpoint_every_ms)?;
    between(&at("row_locks.wait_timeout_ms"), sql.row_locks.wait_timeout_ms, TIMEOUT_MS_MIN, SPAN_MS_MAX)?;
    whole(&at("row_locks.queue"), sql.row_locks.queue, 0, ROW_QUEUE_MAX)?;
    query_proxy(path, sql)?;
    connections(path, sql)?;
    encryption(&at("encryption"), &sql.encryption)?;
    machine(&at("proxy_machine"), &sql.proxy_machine, prices)?;
    machine(&at("mysql_machine"), &sql.mysql_machine, prices)?;
    disk(&at("disk"), &sql.disk)?;
    for (field, service) in [
        ("recovery.service", &sql.recovery.service),
        ("query_proxy_service", &sql.query_proxy_service),
        ("shard_proxy_service", &sql.shard_proxy_service),
        ("read_service", &sql.read_service),
        ("row_service", &sql.row_service),
        ("write_service", &sql.write_service),
        ("apply_service", &sql.apply_service),
    ] {
        distribution(&at(field), service)?;
    }
    Ok(())
}

fn schema_change(path: &str, sql: &SqlSection) -> Checked {
    let at = |field: &str| format!("{path}.schema_change.{field}");
    let change = &sql.schema_change;
    distribution(&at("row_service"), &change.row_service)?;
    whole(&at("chunk_rows"), change.chunk_rows, 1, CHUNK_ROWS_MAX)?;
    between(&at("chunk_every_ms"), change.chunk_every_ms, 0.0, INTERVAL_MS_MAX)?;
    between(&at("lag_ms_max"), change.lag_ms_max, 0.0, SPAN_MS_MAX)?;
    between(&at("cut_over_ms_max"), change.cut_over_ms_max, TIMEOUT_MS_MIN, SPAN_MS_MAX)
}

fn config_nodes(field: &str, count: u32) -> Checked {
    if matches!(count, 1 | 3) {
        return Ok(());
    }
    let right = "it must be 1 or 3: an even number of nodes survives no more failures than one less";
    Err(ScenarioError::wrong(field, format!("is {count}; {right}")))
}

fn reads(field: &str, reads: ReadFrom) -> Checked {
    match reads {
        ReadFrom::Primary | ReadFrom::Replica => Ok(()),
        ReadFrom::WithinLagMs(bound) => between(&format!("{field}.within_lag_ms"), bound, 0.0, SPAN_MS_MAX),
        ReadFrom::ReadYourWritesWaitMs(wait) => {
            between(&format!("{field}.read_your_writes_wait_ms"), wait, 0.0, SPAN_MS_MAX)
        }
    }
}

fn failover(path: &str, sql: &SqlSection) -> Checked {
    let at = |field: &str| format!("{path}.{field}");
    interval(&at("health_check.interval_ms"), sql.health_check.interval_ms)?;
    between(&at("health_check.timeout_ms"), sql.health_check.timeout_ms, TIMEOUT_MS_MIN, INTERVAL_MS_MAX)?;
    whole(&at("health_check.threshold"), sql.health_check.threshold, 1, THRESHOLD_MAX)?;
    match sql.failover.fencing {
        FencingMode::None => {}
        FencingMode::LeaseMs(length) => {
            between(&at("failover.fencing.lease_ms"), length, LEASE_MS_MIN, INTERVAL_MS_MAX)?;
        }
        FencingMode::ShutdownMs(off) => {
            between(&at("failover.fencing.shutdown_ms"), off, TIMEOUT_MS_MIN, SPAN_MS_MAX)?;
        }
    }
    between(&at("failover.block_ms"), sql.failover.block_ms, 0.0, SPAN_MS_MAX)?;
    between(&at("failover.leader_lease_ms"), sql.failover.leader_lease_ms, LEASE_MS_MIN, INTERVAL_MS_MAX)
}

fn replication(field: &str, sql: &SqlSection) -> Checked {
    let without_replicas = |mode: &str| {
        let right = "give `replicas` 1 or more, or choose asynchronous";
        Err(ScenarioError::wrong(field, format!("is {mode}, and there are no replicas to wait for; {right}")))
    };
    match sql.replication {
        ReplicationMode::Asynchronous => Ok(()),
        ReplicationMode::SemiSynchronous { .. } if sql.replicas == 0 => without_replicas("semi_synchronous"),
        ReplicationMode::Synchronous if sql.replicas == 0 => without_replicas("synchronous"),
        ReplicationMode::SemiSynchronous { replicas, timeout_ms } => {
            let field = format!("{field}.semi_synchronous");
            up_to_another(&format!("{field}.replicas"), replicas, "replicas", sql.replicas)?;
            between(&format!("{field}.timeout_ms"), timeout_ms, TIMEOUT_MS_MIN, SPAN_MS_MAX)
        }
        ReplicationMode::Synchronous => Ok(()),
    }
}

fn log_sync(field: &str, policy: LogSyncPolicy) -> Checked {
    match policy {
        LogSyncPolicy::EveryWrite => Ok(()),
        LogSyncPolicy::EveryWrites(commits) => {
            whole(&format!("{field}.every_writes"), commits, 1, COMMITS_PER_SYNC_MAX)
        }
        LogSyncPolicy::EveryMs(interval_ms) => interval(&format!("{field}.every_ms"), interval_ms),
    }
}

fn query_proxy(path: &str, sql: &SqlSection) -> Checked {
    let at = |field: &str| format!("{path}.{field}");
    between(&at("proxy_timeout_ms"), sql.proxy_timeout_ms, TIMEOUT_MS_MIN, SPAN_MS_MAX)?;
    if let Some(retries) = &sql.retries {
        check_retries(&at("retries"), retries)?;
    }
    if let Some(breaker) = &sql.circuit_breaker {
        whole(&at("circuit_breaker.failures"), breaker.failures, 1, BREAKER_FAILURES_MAX)?;
        between(&at("circuit_breaker.open_ms"), breaker.open_ms, TIMEOUT_MS_MIN, SPAN_MS_MAX)?;
    }
    if let Some(buffering) = &sql.buffering {
        whole(&at("buffering.size"), buffering.size, 1, BUFFER_SIZE_MAX)?;
        between(&at("buffering.window_ms"), buffering.window_ms, TIMEOUT_MS_MIN, SPAN_MS_MAX)?;
        let most = at("buffering.failover_ms_max");
        between(&most, buffering.failover_ms_max, TIMEOUT_MS_MIN, SPAN_MS_MAX)?;
        between(&at("buffering.failovers_apart_ms"), buffering.failovers_apart_ms, 0.0, SPAN_MS_MAX)?;
        whole(&at("buffering.drain_concurrency"), buffering.drain_concurrency, 1, BUFFER_SIZE_MAX)?;
    }
    Ok(())
}

fn check_retries(path: &str, retries: &RetriesSection) -> Checked {
    let at = |field: &str| format!("{path}.{field}");
    whole(&at("max"), retries.max, 1, RETRIES_MAX)?;
    between(&at("attempt_timeout_ms"), retries.attempt_timeout_ms, TIMEOUT_MS_MIN, SPAN_MS_MAX)?;
    between(&at("backoff_ms"), retries.backoff_ms, 0.0, SPAN_MS_MAX)?;
    between(&at("backoff_ms_max"), retries.backoff_ms_max, 0.0, SPAN_MS_MAX)?;
    if retries.backoff_ms > retries.backoff_ms_max {
        let (first, most) = (retries.backoff_ms, retries.backoff_ms_max);
        let problem = format!("is {first}; it must not be greater than `backoff_ms_max`, which is {most}");
        return Err(ScenarioError::wrong(at("backoff_ms"), problem));
    }
    match retries.budget {
        Some(budget) => positive_up_to(&at("budget"), budget, RETRY_BUDGET_MAX),
        None => Ok(()),
    }
}

fn connections(path: &str, sql: &SqlSection) -> Checked {
    let at = |field: &str| format!("{path}.{field}");
    whole(&at("pool_size"), sql.pool_size, 1, POOL_SIZE_MAX)?;
    whole(&at("pool_queue"), sql.pool_queue, 0, POOL_SIZE_MAX)?;
    between(&at("pool_timeout_ms"), sql.pool_timeout_ms, TIMEOUT_MS_MIN, SPAN_MS_MAX)?;
    match sql.shed_after_ms {
        Some(after) => between(&at("shed_after_ms"), after, 0.0, SPAN_MS_MAX),
        None => Ok(()),
    }
}

/// Ranges of names that cover A to Z once, in order.
fn shards(path: &str, shards: &[ShardRange]) -> Checked {
    length(path, shards.len(), 1, SHARDS_MAX as usize, "ranges")?;
    let mut next = name_point("A", 0);
    for (index, shard) in shards.iter().enumerate() {
        let (from_field, to_field) = (format!("{path}[{index}].from"), format!("{path}[{index}].to"));
        let from = name_point(range_end(&from_field, &shard.from)?, 0);
        let to = name_point(range_end(&to_field, &shard.to)?, u8::MAX);
        if index == 0 && from != next {
            let problem = format!("is {}; the first range must begin with A", shard.from);
            return Err(ScenarioError::wrong(from_field, problem));
        }
        if from < next {
            let before = &shards[index - 1].to;
            let right = format!("the range before it ends with {before}; it must begin right after that");
            let problem = format!("is {}, which another shard has already: {right}", shard.from);
            return Err(ScenarioError::wrong(from_field, problem));
        }
        if from > next {
            let before = &shards[index - 1].to;
            let problem = format!(
                "is {}, which leaves names between {before} and {} without a shard; it must begin right after {before}",
                shard.from, shard.from
            );
            return Err(ScenarioError::wrong(from_field, problem));
        }
        if to < from {
            let ShardRange { from, to } = shard;
            let problem = format!("is {to}, before its from, {from}; it must be {from} or later");
            return Err(ScenarioError::wrong(to_field, problem));
        }
        let is_last = index + 1 == shards.len();
        let ends_with_z = shard.to == "Z";
        if is_last && !ends_with_z {
            let problem = format!(
                "is {}, which leaves names after it without a shard; the last range must end with Z",
                shard.to
            );
            return Err(ScenarioError::wrong(to_field, problem));
        }
        if !is_last && ends_with_z {
            let problem = "comes after Z, where the ranges end; shards must cover A to Z once".to_string();
            return Err(ScenarioError::wrong(format!("{path}[{}]", index + 1), problem));
        }
        next = to.saturating_add(1);
    }
    Ok(())
}

/// A capital letter and up to three more characters.
pub(super) fn range_end<'a>(field: &str, text: &'a str) -> Result<&'a str, ScenarioError> {
    let right = "it must be a capital letter, A to Z, and at most three more capital letters or digits";
    let is_end = matches!(text.as_bytes(), [b'A'..=b'Z', rest @ ..]
        if rest.len() < RANGE_END_CHARS_MAX && rest.iter().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit()));
    if is_end {
        return Ok(text);
    }
    Err(ScenarioError::wrong(field, format!("is \"{}\"; {right}", shortened(text))))
}
