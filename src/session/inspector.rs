//! What a node is and believes, in words.

use super::frame::Inspector;
use super::run::Session;
use crate::cluster::role::Role;
use crate::cluster::run::ClusterRun;
use crate::engine::NodeId;
use crate::sql::mysql::{MySql, Standing};

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
    let is_client = run.world().process(node).as_client().is_some();
    if !is_client {
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
        }
        Role::Config(config) => {
            fact("Shard map", format!("version {}", config.map().version));
            for health in config.health() {
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
            let cache = proxy.cache();
            if cache.is_on() {
                let asked = (cache.hits + cache.misses).max(1);
                let ratio = cache.hits as f64 / asked as f64 * 100.0;
                fact("Cache", format!("{} rows, {ratio:.0} % hits", cache.len()));
            } else {
                fact("Cache", "off".to_string());
            }
            let entry = proxy.entry();
            let primary = run.world().body(entry.primary).name();
            fact("Believes primary", format!("{primary}, epoch {}", entry.epoch));
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
            let beat = ring.gossip().heartbeat(ring.index());
            fact("Own heartbeat", beat.version.to_string());
        }
    }
    if !is_client && body.disk().sync_count() > 0 {
        let disk = body.disk();
        fact("Disk", format!("{} records not yet synced, {} fsyncs", disk.backlog(), disk.sync_count()));
    }
    facts
}

fn mysql_facts(run: &ClusterRun, node: NodeId, server: &MySql, fact: &mut impl FnMut(&str, String)) {
    match server.standing() {
        Standing::Primary => fact("Role", format!("primary, epoch {}", server.epoch())),
        Standing::Replica { source: Some(source) } => {
            fact("Role", format!("replica of {}, epoch {}", run.world().body(source).name(), server.epoch()));
        }
        Standing::Replica { source: None } => fact("Role", "waits to be told what it is".to_string()),
    }
    let position = server.executed();
    fact("Executed", format!("transaction {} of epoch {}", position.sequence, position.epoch));
    if !server.is_primary() {
        fact("Relay log", format!("{} transactions wait", server.relay_len()));
        if let Some(lag) = run.lag_of(node) {
            fact("Behind", format!("{lag:.1} ms"));
        }
    }
    if server.is_restoring() {
        fact("Copy", "being taken".to_string());
    }
}
