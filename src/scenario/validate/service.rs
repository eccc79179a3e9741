//! A counting service in front of a cluster.

use super::Checked;
use super::clusters::{disk, interval, machine, up_to_another};
use super::range::{between, distribution, positive_up_to, whole};
use crate::measure::prices::PriceSheet;
use crate::scenario::error::ScenarioError;
use crate::scenario::limits::*;
use crate::scenario::schema::{
    ClusterSection, CollectorsSection, DeliveryMode, LogSection, ModelMode, ReadersSection, Scenario,
    ServiceSection, StoreMode, SyncPolicy, TriggerMode, VersionsMode, WorkersSection, WorkloadSection,
};

pub(super) fn check(
    path: &str,
    scenario: &Scenario,
    cluster: &ClusterSection,
    prices: &PriceSheet,
) -> Checked {
    let Some(service) = cluster.service() else { return Ok(()) };
    let path = format!("{path}.service");
    let at = |field: &str| format!("{path}.{field}");
    whole(&at("follow_every"), service.follow_every, 0, FOLLOW_EVERY_MAX)?;
    collectors(&at("collectors"), &service.collectors, prices)?;
    log(&at("log"), &service.log, prices)?;
    workers(&at("workers"), &service.workers, prices)?;
    readers(&at("readers"), &service.readers, prices)?;
    distribution(&at("object_store.first_byte"), &service.object_store.first_byte)?;
    between(
        &at("object_store.mb_per_s"),
        service.object_store.mb_per_s,
        DISK_MB_PER_S_MIN,
        DISK_MB_PER_S_MAX,
    )?;
    if let Some(sql) = &service.metadata {
        if matches!(cluster, ClusterSection::ShardedSql(_)) {
            let problem = "is a second SQL cluster beside the first one; it belongs to a gossip ring";
            return Err(ScenarioError::wrong(at("metadata"), problem));
        }
        if sql.service.is_some() {
            let problem = "is a service in front of titles and names; only the ring itself has one";
            return Err(ScenarioError::wrong(at("metadata.service"), problem));
        }
        super::sharded_sql::check(&at("metadata"), sql, prices)?;
    }
    modes(&path, service, cluster)?;
    workload(&path, &scenario.workload)?;
    rows(&path, scenario, cluster, service)
}

fn collectors(path: &str, collectors: &CollectorsSection, prices: &PriceSheet) -> Checked {
    let at = |field: &str| format!("{path}.{field}");
    whole(&at("nodes"), collectors.nodes, 1, SERVICE_NODES_MAX)?;
    whole(&at("batch_views"), collectors.batch_views, 1, BATCH_VIEWS_MAX)?;
    between(&at("linger_ms"), collectors.linger_ms, 0.0, INTERVAL_MS_MAX)?;
    for (field, ms) in [
        ("request_timeout_ms", collectors.request_timeout_ms),
        ("delivery_timeout_ms", collectors.delivery_timeout_ms),
    ] {
        between(&at(field), ms, TIMEOUT_MS_MIN, SPAN_MS_MAX)?;
    }
    whole(&at("buffer_views"), collectors.buffer_views, 1, HELD_MAX)?;
    whole(&at("sub_counts"), collectors.sub_counts, 1, SUB_COUNTS_MAX)?;
    positive_up_to(&at("hot_share"), collectors.hot_share, 1.0)?;
    machine(&at("machine"), &collectors.machine, prices)?;
    distribution(&at("service"), &collectors.service)
}

fn log(path: &str, log: &LogSection, prices: &PriceSheet) -> Checked {
    let at = |field: &str| format!("{path}.{field}");
    whole(&at("brokers"), log.brokers, 1, BROKERS_MAX)?;
    whole(&at("partitions"), log.partitions, 1, LOG_PARTITIONS_MAX)?;
    whole(&at("replication"), log.replication, 1, LOG_REPLICATION_MAX)?;
    up_to_another(&at("replication"), log.replication, "brokers", log.brokers)?;
    if let SyncPolicy::EveryMs(interval_ms) = log.sync {
        interval(&at("sync.every_ms"), interval_ms)?;
    }
    between(&at("retention_ms"), log.retention_ms, TIMEOUT_MS_MIN, SPAN_MS_MAX)?;
    if !(1..=RETENTION_VIEWS_MAX).contains(&log.retention_views) {
        let problem =
            format!("is {}; it must be a whole number from 1 to {RETENTION_VIEWS_MAX}", log.retention_views);
        return Err(ScenarioError::wrong(at("retention_views"), problem));
    }
    for (field, ms) in [
        ("election_timeout_ms", log.election_timeout_ms),
        ("heartbeat_ms", log.heartbeat_ms),
        ("fetch_wait_ms", log.fetch_wait_ms),
        ("member_heartbeat_ms", log.member_heartbeat_ms),
        ("session_timeout_ms", log.session_timeout_ms),
    ] {
        interval(&at(field), ms)?;
    }
    for (field, often, longest, ms) in [
        ("heartbeat_ms", log.heartbeat_ms, "election_timeout_ms", log.election_timeout_ms),
        ("member_heartbeat_ms", log.member_heartbeat_ms, "session_timeout_ms", log.session_timeout_ms),
    ] {
        if often >= ms {
            let problem = format!("is {often}; it must be less than `{longest}`, which is {ms}");
            return Err(ScenarioError::wrong(at(field), problem));
        }
    }
    machine(&at("machine"), &log.machine, prices)?;
    disk(&at("disk"), &log.disk)?;
    distribution(&at("batch_service"), &log.batch_service)?;
    between(&at("view_service_ms"), log.view_service_ms, 0.0, ENCRYPTION_MS_MAX)
}

fn workers(path: &str, workers: &WorkersSection, prices: &PriceSheet) -> Checked {
    let at = |field: &str| format!("{path}.{field}");
    whole(&at("nodes"), workers.nodes, 1, SERVICE_NODES_MAX)?;
    if let TriggerMode::EveryMs(every_ms) = workers.trigger {
        between(&at("trigger.every_ms"), every_ms, WINDOW_MS_MIN, SPAN_MS_MAX)?;
    }
    between(&at("window_ms"), workers.window_ms, WINDOW_MS_MIN, SPAN_MS_MAX)?;
    between(&at("lateness_ms"), workers.lateness_ms, 0.0, SPAN_MS_MAX)?;
    for (field, ms) in [("flush_ms", workers.flush_ms), ("checkpoint_ms", workers.checkpoint_ms)] {
        interval(&at(field), ms)?;
    }
    whole(&at("fetch_views"), workers.fetch_views, 1, BATCH_VIEWS_MAX)?;
    whole(&at("deduplicate_views"), workers.deduplicate_views, 0, HELD_MAX)?;
    if let Some(enrichment) = &workers.enrichment {
        whole(&at("enrichment.cache_entries"), enrichment.cache_entries, 0, CACHE_ENTRIES_MAX)?;
    }
    whole(&at("buffer_rows"), workers.buffer_rows, 1, HELD_MAX)?;
    whole(&at("spill_rows"), workers.spill_rows, 0, HELD_MAX)?;
    whole(&at("writes_in_flight"), workers.writes_in_flight, 1, IN_FLIGHT_MAX)?;
    between(&at("write_timeout_ms"), workers.write_timeout_ms, TIMEOUT_MS_MIN, SPAN_MS_MAX)?;
    for (field, ms) in [("backoff_ms", workers.backoff_ms), ("backoff_ms_max", workers.backoff_ms_max)] {
        between(&at(field), ms, TIMEOUT_MS_MIN, SPAN_MS_MAX)?;
    }
    machine(&at("machine"), &workers.machine, prices)?;
    disk(&at("disk"), &workers.disk)?;
    distribution(&at("service"), &workers.service)
}

fn readers(path: &str, readers: &ReadersSection, prices: &PriceSheet) -> Checked {
    let at = |field: &str| format!("{path}.{field}");
    whole(&at("nodes"), readers.nodes, 1, SERVICE_NODES_MAX)?;
    whole(&at("cache_entries"), readers.cache_entries, 0, CACHE_ENTRIES_MAX)?;
    between(&at("cache_ttl_ms"), readers.cache_ttl_ms, 0.0, SPAN_MS_MAX)?;
    whole(&at("range_windows"), readers.range_windows, 1, RANGE_WINDOWS_MAX)?;
    whole(&at("top_videos"), readers.top_videos, 1, TOP_VIDEOS_MAX)?;
    between(&at("timeout_ms"), readers.timeout_ms, TIMEOUT_MS_MIN, SPAN_MS_MAX)?;
    machine(&at("machine"), &readers.machine, prices)?;
    distribution(&at("service"), &readers.service)
}

/// What a database can do of what the service asks for.
fn modes(path: &str, service: &ServiceSection, cluster: &ClusterSection) -> Checked {
    let wrong = |field: &str, problem: &str| Err(ScenarioError::wrong(format!("{path}.{field}"), problem));
    let exactly = service.workers.delivery == DeliveryMode::EffectivelyOnce;
    if let ClusterSection::GossipRing(ring) = cluster {
        let is_counter = cluster.has_counters();
        if ring.versions != VersionsMode::LastWriteWins && !is_counter {
            return wrong(
                "workers.delivery",
                "needs rows that can be added to or raised; `versions` of the ring must be last_write_wins, g_counter or pn_counter",
            );
        }
        if is_counter && exactly {
            return wrong(
                "workers.delivery",
                "is effectively_once, and the ring has counters: what is added twice counts twice; set `versions` to last_write_wins",
            );
        }
        if !is_counter && !exactly && service.store != StoreMode::Events {
            return wrong(
                "workers.delivery",
                "adds to rows, which a ring does with counters only; set `versions` to g_counter, or `delivery` to effectively_once",
            );
        }
        if is_counter && service.store == StoreMode::Events {
            return wrong("store", "is events, and the ring has counters; set `versions` to last_write_wins");
        }
        if is_counter && service.metadata.is_none() && service.workers.enrichment.is_some() {
            return wrong(
                "workers.enrichment",
                "looks up titles, and every row of the ring is a counter; give `metadata`",
            );
        }
        if service.model == ModelMode::Normalized {
            return wrong(
                "model",
                "is normalized, and a ring joins nothing; use denormalized, or a SQL cluster",
            );
        }
    }
    if service.store == StoreMode::Events && service.collectors.sub_counts > 1 {
        return wrong(
            "collectors.sub_counts",
            "spreads counts, and `store` is events: there are none; set it to 1",
        );
    }
    Ok(())
}

/// A service takes views and answers three questions.
fn workload(path: &str, workload: &WorkloadSection) -> Checked {
    for (field, share) in
        [("deletes", workload.deletes), ("decrements", workload.decrements), ("scans", workload.scans)]
    {
        if share > 0.0 {
            let problem = format!(
                "is a service that counts views, and `workload.{field}` is {share}; it must be 0 then"
            );
            return Err(ScenarioError::wrong(path, problem));
        }
    }
    Ok(())
}

fn rows(path: &str, scenario: &Scenario, cluster: &ClusterSection, service: &ServiceSection) -> Checked {
    let windows = scenario.duration_ms / service.workers.window_ms + 1.0;
    let rows = f64::from(scenario.workload.keys) * windows * f64::from(service.collectors.sub_counts);
    let of = |rows: f64, what: &str| {
        if rows <= TABLE_ROWS_MAX as f64 {
            return Ok(());
        }
        let problem = format!(
            "makes {rows:.0} rows of {what}; at most {TABLE_ROWS_MAX} are allowed: fewer `workload.keys`, longer \
             `workers.window_ms`, or a shorter run"
        );
        Err(ScenarioError::wrong(path, problem))
    };
    of(rows, "counts")?;
    if service.store == StoreMode::Events {
        let (sizes, _) = crate::scenario::service_tables::sizes(scenario, cluster, service);
        of(f64::from(scenario.workload.keys) * windows * f64::from(sizes.raw_slots), "views")?;
    }
    Ok(())
}
