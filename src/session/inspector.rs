//! What a node is and believes, in words.

use super::frame::Inspector;
use super::frames::broken_shards;
use super::narrator::plural;
use super::run::Session;
use crate::cluster::role::Role;
use crate::cluster::run::ClusterRun;
use crate::engine::NodeId;
use crate::engine::disk::File;
use crate::sql::mysql::{MySql, Standing};
use crate::sql::query_proxy::QueryProxy;
use crate::sql::shard_map::KeyRange;

/// The facts about one node; none if there is no such node.
pub fn inspect(session: &Session, cluster: u8, node: u16) -> Option<Inspector> {
    let run = session.clusters().get(usize::from(cluster))?;
    if usize::from(node) >= run.world().node_count() {
        return None;
    }
    Some(Inspector { cluster, node, facts: facts(run, NodeId(node)) })
}

fn facts(run: &ClusterRun, node: NodeId) -> Vec<(String, String)> {
    let body = run.world().body(node);
    let mut facts: Vec<(String, String)> = Vec::new();
    let mut fact = |term: &str, text: String| facts.push((term.to_string(), text));
    let condition = match (body.is_down(), body.is_paused()) {
        (true, _) => "down".to_string(),
        (_, true) => "paused".to_string(),
        _ if body.slow_factor() != 1.0 => format!("up, {}× slower", body.slow_factor()),
        _ if body.disk_slow_factor() != 1.0 => format!("up, disk {}× slower", body.disk_slow_factor()),
        _ => "up".to_string(),
    };
    fact("Condition", condition);
    let has_cores = !matches!(run.world().process(node), Role::Client(_) | Role::BackupStore(_));
    if has_cores {
        let machine = body.machine();
        fact("Cores busy", format!("{} of {}", machine.busy_cores(), machine.cores));
        fact("Queue", format!("{} of {}", machine.queue_len(), machine.queue_limit));
        fact("Load", format!("{:.0} %", f64::from(run.loads()[node.index()]) * 100.0));
        fact("Turned away", machine.shed_count().to_string());
    }
    if body.clock_offset_ns() != 0 {
        fact("Clock", format!("{:+.1} ms off", body.clock_offset_ns() as f64 / 1e6));
    }
    match run.world().process(node) {
        Role::Client(client) => {
            fact("Under way", client.in_flight().to_string());
            if client.load_factor() != 1.0 {
                fact("Load", format!("×{}", client.load_factor()));
            }
        }
        Role::QueryProxy(proxy) => {
            fact("Under way", proxy.in_flight().to_string());
            fact("Shard map", format!("version {}", proxy.map().version));
            query_proxy_facts(proxy, &mut fact);
        }
        Role::BackupStore(store) => {
            let shards = run.blueprint().map.as_ref().map_or(0, |map| map.shards.len());
            for shard in 0..shards {
                let kept = match store.kept(shard) {
                    (_, None) => "nothing yet".to_string(),
                    (snapshots, Some(end)) => format!(
                        "{snapshots} {}, up to transaction {} of epoch {}",
                        plural(snapshots as u64, "snapshot", "snapshots"),
                        end.sequence,
                        end.epoch
                    ),
                };
                fact(&format!("Shard {}", shard + 1), kept);
            }
        }
        Role::Config(config) => {
            let standing = match (config.leads(run.world().now()), config.follows()) {
                (true, _) => "leads",
                (_, true) => "follows",
                _ => "seeks a majority",
            };
            fact("Role", format!("{standing}, term {}", config.term()));
            fact("Shard map", format!("version {}", config.map().version));
            // A follower asks nobody: what it knew is old.
            let health = config.health().iter().filter(|_| config.leads(run.world().now()));
            for health in health {
                let name = run.world().body(health.node).name();
                let text = match health.missed {
                    0 => "answers".to_string(),
                    missed => format!("missed {missed} of {}", config.threshold()),
                };
                fact(name, text);
            }
        }
        Role::ShardProxy(proxy) => {
            fact("Under way", proxy.in_flight().to_string());
            fact("Connections", format!("{} in use, {} wait", proxy.connections_in_use(), proxy.waiting()));
            let cache = proxy.cache();
            if cache.is_on() {
                let asked = (cache.hits + cache.misses).max(1);
                let ratio = cache.hits as f64 / asked as f64 * 100.0;
                fact("Cache", format!("{} rows, {} bytes, {ratio:.0} % hits", cache.len(), cache.bytes()));
                fact("Coalesced", format!("{} reads took another's answer", proxy.coalesced()));
            } else {
                fact("Cache", "off".to_string());
            }
            let entry = proxy.entry();
            let primary = run.world().body(entry.primary).name();
            fact("Believes primary", format!("{primary}, epoch {}", entry.epoch));
            fact("Keys", keys(run, entry.range));
        }
        Role::MySql(server) => mysql_facts(run, node, server, &mut fact),
        Role::Ring(ring) => {
            let now = run.world().now();
            let names = |members: Vec<u16>| -> String {
                let nodes = members.iter().map(|member| ring.settings().nodes[usize::from(*member)]);
                let names: Vec<&str> = nodes.map(|node| run.world().body(node).name()).collect();
                if names.is_empty() { "nobody".to_string() } else { names.join(", ") }
            };
            fact("Knows", names(ring.settings().neighbours[usize::from(ring.index())].clone()));
            fact("Believes dead", names(ring.gossip().believed_dead().collect()));
            let others = (0..ring.settings().nodes.len() as u16).filter(|member| *member != ring.index());
            let most =
                others.max_by(|a, b| ring.gossip().phi(*a, now).total_cmp(&ring.gossip().phi(*b, now)));
            if let Some(most) = most {
                fact(
                    "Suspects most",
                    format!("{}, φ {:.1}", names(vec![most]), ring.gossip().phi(most, now)),
                );
            }
            fact("Coordinates", format!("{} requests", ring.in_flight()));
            if ring.settings().speculative_retry.is_some() {
                fact("Asked one more", format!("for {} reads", ring.speculations()));
            }
            let kept: Vec<String> = ring
                .hints()
                .owners()
                .map(|(owner, count)| format!("{count} for {}", names(vec![owner])))
                .collect();
            if !kept.is_empty() {
                fact("Hints", kept.join(", "));
            }
            let beat = ring.gossip().heartbeat(ring.index());
            fact("Own heartbeat", beat.version.to_string());
        }
    }
    if has_cores && body.disk().sync_count() > 0 {
        let disk = body.disk();
        let unsynced = match run.world().process(node) {
            Role::MySql(_) => {
                let (redo, binlog) = (disk.unsynced(File::First), disk.unsynced(File::Second));
                format!("{redo} redo and {binlog} binlog")
            }
            _ => disk.backlog().to_string(),
        };
        fact("Disk", format!("{unsynced} records not yet synced, {} fsyncs", disk.sync_count()));
    }
    facts
}

/// The keys that a node believes to be its shard's.
fn keys(run: &ClusterRun, range: Option<KeyRange>) -> String {
    let range = range.zip(run.map()).map(|(range, map)| range.label(map.sharding));
    range.unwrap_or_else(|| "none: it stands by".to_string())
}

fn query_proxy_facts(proxy: &QueryProxy, fact: &mut impl FnMut(&str, String)) {
    if proxy.settings().retries.is_some() {
        fact("Retries", proxy.retries().to_string());
    }
    if let Some(tokens) = proxy.retry_budget() {
        fact("Retry budget", format!("{tokens:.1} left"));
    }
    if proxy.settings().breaker.is_some() {
        fact(
            "Breaker",
            broken_shards(proxy).map_or("closed".to_string(), |shards| format!("open for {shards}")),
        );
    }
    if proxy.settings().buffering.is_some() {
        fact("Keeps back", format!("{} writes", proxy.buffered()));
    }
}

fn mysql_facts(run: &ClusterRun, node: NodeId, server: &MySql, fact: &mut impl FnMut(&str, String)) {
    let now = run.world().now();
    match server.standing() {
        _ if server.is_recovering() => {
            fact("Role", format!("recovers {} transactions", server.recovered()));
        }
        Standing::Primary => fact("Role", format!("primary, epoch {}", server.epoch())),
        Standing::Replica { source: Some(source) } => {
            fact("Role", format!("replica of {}, epoch {}", run.world().body(source).name(), server.epoch()));
        }
        Standing::Replica { source: None } => fact("Role", "waits to be told what it is".to_string()),
    }
    if let Some(until) = server.lease_until() {
        let left = match until.since(now).0 {
            0 => "none".to_string(),
            left => format!("{:.0} ms left", left as f64 / 1e6),
        };
        fact("Lease", left);
    }
    if server.range().is_some() || server.stands_by() {
        fact("Keys", keys(run, server.range()));
    }
    let position = server.executed();
    fact("Executed", format!("transaction {} of epoch {}", position.sequence, position.epoch));
    if server.is_primary() {
        fact("In commit", format!("{} transactions", server.uncommitted()));
        fact("Rows waited for", server.contended_rows().to_string());
        if server.is_degraded() {
            fact("Semi-synchronous", "given up until replicas have caught up".to_string());
        }
    } else {
        fact("Relay log", format!("{} transactions wait", server.relay_len()));
        if let Some(lag) = run.lag_of(node) {
            fact("Behind", format!("{lag:.1} ms"));
        }
    }
    if let Some((rows, locks)) = server.schema_change() {
        let lock = if locks { ", table locked" } else { "" };
        fact("Schema change", format!("{rows} rows done{lock}"));
    }
    if server.is_restoring() {
        fact("Copy", "being taken".to_string());
    }
    if let Some(pool) = server.buffer_pool() {
        let (pages, room) = pool.fill();
        let ratio = pool.hits as f64 / (pool.hits + pool.misses).max(1) as f64 * 100.0;
        fact("Buffer pool", format!("{pages} of {room} pages, {ratio:.0} % hits"));
    }
    if server.recovered() > 0 && !server.is_recovering() {
        fact("Recovered", format!("{} transactions", server.recovered()));
    }
    if server.errant() > 0 {
        fact("Gave up", format!("{} errant transactions", server.errant()));
    }
}
