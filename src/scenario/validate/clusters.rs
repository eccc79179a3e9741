//! The clusters of a scenario.

use super::Checked;
use super::range::{between, distribution, length, positive_up_to, text, whole};
use crate::measure::prices::PriceSheet;
use crate::scenario::error::ScenarioError;
use crate::scenario::limits::*;
use crate::scenario::names;
use crate::scenario::schema::{
    ClusterSection, DiskSection, MachineSection, RingSection, Scenario, ShardRange, SqlSection, SyncPolicy,
};

pub(super) fn check(scenario: &Scenario, prices: &PriceSheet) -> Checked {
    length("clusters", scenario.clusters.len(), 1, CLUSTERS_MAX, "clusters")?;
    let mut nodes = 0;
    for (index, cluster) in scenario.clusters.iter().enumerate() {
        let path = format!("clusters[{index}].{}", cluster.kind());
        text(&format!("{path}.name"), cluster.name(), 1, NAME_CHARS_MAX)?;
        let before = &scenario.clusters[..index];
        if let Some(earlier) = before.iter().position(|other| other.name() == cluster.name()) {
            let problem = format!(
                "is \"{}\" like clusters[{earlier}]; every cluster needs a name of its own",
                cluster.name()
            );
            return Err(ScenarioError::wrong(format!("{path}.name"), problem));
        }
        match cluster {
            ClusterSection::ShardedSql(sql) => sharded_sql(&path, sql, prices)?,
            ClusterSection::GossipRing(ring) => gossip_ring(&path, ring, prices)?,
        }
        nodes += names::seats(cluster, &scenario.workload).len();
    }
    if nodes > NODES_MAX {
        let problem = format!("have {nodes} nodes in all, clients included; at most {NODES_MAX} are allowed");
        return Err(ScenarioError::wrong("clusters", problem));
    }
    Ok(())
}

fn sharded_sql(path: &str, sql: &SqlSection, prices: &PriceSheet) -> Checked {
    let at = |field: &str| format!("{path}.{field}");
    whole(&at("query_proxies"), sql.query_proxies, 1, QUERY_PROXIES_MAX)?;
    shards(&at("shards"), &sql.shards)?;
    whole(&at("replicas"), sql.replicas, 0, REPLICAS_MAX)?;
    whole(&at("cache.entries"), sql.cache.entries, 0, CACHE_ENTRIES_MAX)?;
    between(&at("cache.ttl_ms"), sql.cache.ttl_ms, 0.0, SPAN_MS_MAX)?;
    interval(&at("health_check.interval_ms"), sql.health_check.interval_ms)?;
    between(&at("health_check.timeout_ms"), sql.health_check.timeout_ms, TIMEOUT_MS_MIN, INTERVAL_MS_MAX)?;
    whole(&at("health_check.threshold"), sql.health_check.threshold, 1, THRESHOLD_MAX)?;
    sync(&at("binlog_sync"), sql.binlog_sync)?;
    between(&at("proxy_timeout_ms"), sql.proxy_timeout_ms, TIMEOUT_MS_MIN, SPAN_MS_MAX)?;
    whole(&at("pool_size"), sql.pool_size, 1, POOL_SIZE_MAX)?;
    machine(&at("proxy_machine"), &sql.proxy_machine, prices)?;
    machine(&at("mysql_machine"), &sql.mysql_machine, prices)?;
    disk(&at("disk"), &sql.disk)?;
    for (field, service) in [
        ("query_proxy_service", &sql.query_proxy_service),
        ("shard_proxy_service", &sql.shard_proxy_service),
        ("read_service", &sql.read_service),
        ("write_service", &sql.write_service),
        ("apply_service", &sql.apply_service),
    ] {
        distribution(&at(field), service)?;
    }
    Ok(())
}

/// Ranges of letters that cover A to Z once, in order.
fn shards(path: &str, shards: &[ShardRange]) -> Checked {
    length(path, shards.len(), 1, 26, "ranges")?;
    let mut next = b'A';
    for (index, shard) in shards.iter().enumerate() {
        let from = letter(&format!("{path}[{index}].from"), &shard.from)?;
        let to = letter(&format!("{path}[{index}].to"), &shard.to)?;
        let covered = char::from(next - 1);
        let wrong = |field: &str, problem: String| {
            Err(ScenarioError::wrong(format!("{path}[{index}].{field}"), problem))
        };
        if from < next {
            let right =
                format!("the range before it ends with {covered}; it must begin with the next letter");
            return wrong(
                "from",
                format!("is {}, which another shard has already: {right}", char::from(from)),
            );
        }
        if from > next {
            let gap = format!("leaves {} without a shard", char::from(next));
            return wrong(
                "from",
                format!("is {}, which {gap}; it must be {}", char::from(from), char::from(next)),
            );
        }
        if to < from {
            let (to, from) = (char::from(to), char::from(from));
            return wrong(
                "to",
                format!("is {to}, before its from, {from}; it must be {from} or a later letter"),
            );
        }
        next = to + 1;
        if next > b'Z' && index + 1 < shards.len() {
            let problem = "comes after Z, where the ranges end; shards must cover A to Z once".to_string();
            return Err(ScenarioError::wrong(format!("{path}[{}]", index + 1), problem));
        }
    }
    if next <= b'Z' {
        let last = format!("{path}[{}].to", shards.len() - 1);
        let (to, gap) = (char::from(next - 1), char::from(next));
        return Err(ScenarioError::wrong(
            last,
            format!("is {to}, which leaves {gap} to Z without a shard; the last range must end with Z"),
        ));
    }
    Ok(())
}

fn letter(field: &str, text: &str) -> Result<u8, ScenarioError> {
    match text.as_bytes() {
        [letter @ b'A'..=b'Z'] => Ok(*letter),
        _ => {
            let shown = crate::scenario::error::shortened(text);
            let problem = format!("is \"{shown}\"; it must be one capital letter, A to Z");
            Err(ScenarioError::wrong(field, problem))
        }
    }
}

fn gossip_ring(path: &str, ring: &RingSection, prices: &PriceSheet) -> Checked {
    let at = |field: &str| format!("{path}.{field}");
    whole(&at("nodes"), ring.nodes, 1, RING_NODES_MAX)?;
    whole(&at("virtual_nodes"), ring.virtual_nodes, 1, VIRTUAL_NODES_MAX)?;
    whole(&at("n"), ring.n, 1, KEY_REPLICAS_MAX)?;
    up_to_another(&at("n"), ring.n, "nodes", ring.nodes)?;
    up_to_another(&at("r"), ring.r, "n", ring.n)?;
    up_to_another(&at("w"), ring.w, "n", ring.n)?;
    interval(&at("gossip.interval_ms"), ring.gossip.interval_ms)?;
    whole(&at("gossip.neighbours"), ring.gossip.neighbours, 1, NEIGHBOURS_MAX)?;
    positive_up_to(&at("gossip.phi_threshold"), ring.gossip.phi_threshold, PHI_THRESHOLD_MAX)?;
    sync(&at("commit_log_sync"), ring.commit_log_sync)?;
    between(&at("request_timeout_ms"), ring.request_timeout_ms, TIMEOUT_MS_MIN, SPAN_MS_MAX)?;
    whole(&at("in_flight_max"), ring.in_flight_max, 1, IN_FLIGHT_MAX)?;
    machine(&at("machine"), &ring.machine, prices)?;
    disk(&at("disk"), &ring.disk)?;
    for (field, times) in [
        ("clock_offset", &ring.clock_offset),
        ("coordinator_service", &ring.coordinator_service),
        ("read_service", &ring.read_service),
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
    ] {
        if let Some(delay) = delay {
            distribution(&at(field), delay)?;
        }
    }
    Ok(())
}

/// A whole number from 1 to what another field says.
fn up_to_another(field: &str, value: u32, other: &str, most: u32) -> Checked {
    if (1..=most).contains(&value) {
        return Ok(());
    }
    let problem = format!("is {value}; it must be a whole number from 1 to `{other}`, which is {most}");
    Err(ScenarioError::wrong(field, problem))
}

fn interval(field: &str, interval_ms: f64) -> Checked {
    between(field, interval_ms, INTERVAL_MS_MIN, INTERVAL_MS_MAX)
}

fn sync(field: &str, policy: SyncPolicy) -> Checked {
    match policy {
        SyncPolicy::EveryWrite => Ok(()),
        SyncPolicy::EveryMs(interval_ms) => interval(&format!("{field}.every_ms"), interval_ms),
    }
}

fn machine(path: &str, machine: &MachineSection, prices: &PriceSheet) -> Checked {
    if prices.usd_per_hour(&machine.machine_type).is_none() {
        let possible = prices.machine_types().map(str::to_string).collect();
        let field = format!("{path}.machine_type");
        return Err(ScenarioError::unknown(field, "machine type", &machine.machine_type, possible));
    }
    whole(&format!("{path}.cores"), machine.cores, 1, CORES_MAX)?;
    whole(&format!("{path}.queue_limit"), machine.queue_limit, 1, QUEUE_LIMIT_MAX)?;
    between(&format!("{path}.storage_gb"), machine.storage_gb, 0.0, STORAGE_GB_MAX)
}

fn disk(path: &str, disk: &DiskSection) -> Checked {
    distribution(&format!("{path}.read"), &disk.read)?;
    distribution(&format!("{path}.fsync"), &disk.fsync)
}
