//! What a node is and believes, in words.

use super::frame::Inspector;
use super::frames::{broken_shards, standing};
use super::narrator::plural;
use super::run::Session;
use crate::cluster::role::Role;
use crate::cluster::run::ClusterRun;
use crate::engine::disk::File;
use crate::engine::{NodeId, SimTime};
use crate::ring::membership::Belief;
use crate::ring::ring_node::RingNode;
use crate::ring::rumour::Standing as RumouredStanding;
use crate::ring::settings::Versions;
use crate::ring::storage::Store;
use crate::sql::mysql::{MySql, Standing};
use crate::sql::query_proxy::QueryProxy;
use crate::sql::shard_map::KeyRange;

/// Beliefs of a ring node about others that are told one by one.
const BELIEFS_MAX: usize = 64;

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
    let has_cores =
        !matches!(run.world().process(node), Role::Client(_) | Role::BackupStore(_) | Role::ObjectStore(_));
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
                let (snapshots, end) = store.kept(shard);
                let upto = end.map_or(0, |end| end.sequence);
                let kept = format!("kept up to transaction {upto}, snapshots: {snapshots}");
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
        Role::Ring(ring) => ring_facts(run, ring, &mut fact),
        _ => super::service_words::facts(run, node, &mut fact),
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

fn ring_facts(run: &ClusterRun, ring: &RingNode, fact: &mut impl FnMut(&str, String)) {
    let (now, members) = (run.world().now(), ring.gossip());
    let name = |member: u16| run.world().body(ring.settings().nodes[usize::from(member)]).name();
    let names = |members: Vec<String>| {
        if members.is_empty() { "nobody".to_string() } else { members.join(", ") }
    };
    let (own, tokens) = (ring.index(), ring.view().ring());
    let (share, count) = (tokens.share(own) * 100.0, tokens.tokens_of(own));
    let standing = standing(ring).map_or(String::new(), |(words, _)| format!("{words}, "));
    fact("Ring", format!("{standing}{share:.1} % by {count} {}", plural(count as u64, "token", "tokens")));
    if let Some(done) = ring.streamed() {
        fact("Streaming", format!("{:.0} %, {} rows", done * 100.0, ring.rows_received()));
    }
    let neighbours = members.overlay().places().map(|(neighbour, stand_in)| match stand_in {
        Some(other) => format!("{} for {}", name(other), name(neighbour)),
        None => name(neighbour).to_string(),
    });
    fact("Knows", names(neighbours.collect()));
    let (parts, _) = run.overlay();
    if parts > 1 {
        fact("Overlay", format!("in {parts} parts"));
    }
    fact(
        "Believes dead",
        names(members.believed_dead().take(BELIEFS_MAX).map(|dead| name(dead).to_string()).collect()),
    );
    fact("Coordinates", format!("{} requests", ring.in_flight()));
    if ring.settings().speculative_retry.is_some() {
        fact("Speculative reads", ring.speculations().to_string());
    }
    if ring.settings().versions == Versions::Siblings {
        fact("Siblings", format!("in {} rows", ring.rows_with_siblings()));
    }
    if !ring.hints().is_empty() {
        fact("Hints kept", ring.hints().len().to_string());
    }
    if let Some(store) = ring.store_on_disk() {
        store_facts(ring, store, fact);
    }
    let own = members.own_rumour();
    let says = if members.swim().is_some() { "Own incarnation" } else { "Own heartbeat" };
    fact(says, own.version.to_string());
    if let Some(swim) = members.swim().filter(|swim| swim.settings().lifeguard) {
        fact("Local health", format!("{}: time-outs ×{}", swim.health().score(), swim.health().score() + 1));
    }
    let nodes = ring.settings().nodes.len();
    fact(
        "Heard of",
        format!("{} of {nodes} nodes, {} KB", members.heard_of(), members.memory_bytes().div_ceil(1_000)),
    );
    let others = (0..nodes as u16).filter(|member| *member != ring.index());
    let beliefs = others.filter_map(|member| Some((member, members.belief(member, now)?)));
    // Of a large ring those about whom there is something to say.
    let worth = |belief: &Belief| {
        nodes <= BELIEFS_MAX || !belief.is_alive || belief.suspicion > 0.5 || belief.rumour.is_none()
    };
    for (member, belief) in beliefs.filter(|(_, belief)| worth(belief)).take(BELIEFS_MAX) {
        fact(name(member), belief_words(ring, member, &belief, now, name(belief.heard_from)));
    }
}

fn store_facts(ring: &RingNode, store: &Store, fact: &mut impl FnMut(&str, String)) {
    let megabytes = |bytes: u64| format!("{:.2} MB", bytes as f64 / 1e6);
    let counts = store.counts;
    if ring.is_replaying() {
        fact("Commit log", format!("replays {} records", store.memtable().records()));
    }
    let before = if store.flushing().is_some() { ", the one before is being flushed" } else { "" };
    let (bytes, room) = (store.memtable().bytes(), store.settings().memtable_bytes);
    fact("Memtable", format!("{} of {}{before}", megabytes(bytes), megabytes(room)));
    if ring.writes_stalled() > 0 {
        fact("Writes wait", ring.writes_stalled().to_string());
    }
    let bytes = store.tables().iter().map(|table| table.bytes()).sum();
    let pending = store.pending_compactions();
    let tables = store.tables().len();
    fact("Sorted tables", format!("{tables}, {}; compactions due: {pending}", megabytes(bytes)));
    let read = counts.tables_read as f64 / counts.reads.max(1) as f64;
    fact("A read looks into", format!("{read:.2} tables"));
    let (flushed, compacted) = (counts.flushed_bytes, counts.compacted_bytes);
    let written = (flushed + compacted) as f64 / flushed.max(1) as f64;
    fact(
        "Written",
        format!("{} by flushes, {} by compactions: ×{written:.1}", megabytes(flushed), megabytes(compacted)),
    );
    let (blocks, room) = store.cache_fill();
    let asked = (counts.cache_hits + counts.cache_misses).max(1);
    let ratio = counts.cache_hits as f64 / asked as f64 * 100.0;
    fact("Block cache", format!("{blocks} of {room} blocks, {ratio:.0} % hits"));
}

/// `alive, φ 0.4, heartbeat 17 from ring-2 by 3 hops`.
fn belief_words(ring: &RingNode, member: u16, belief: &Belief, now: SimTime, from: &str) -> String {
    let rumour = belief.rumour;
    let standing = match (belief.is_alive, rumour.standing) {
        (false, _) => "dead",
        (true, RumouredStanding::Suspected) => "suspected",
        _ if rumour.is_none() => "never heard of",
        _ => "alive",
    };
    let mut words = standing.to_string();
    let is_swim = ring.gossip().swim().is_some();
    if belief.is_alive && !is_swim {
        words += &format!(", φ {:.1}", ring.gossip().phi(member, now));
    }
    if !rumour.is_none() {
        let what = if is_swim { "incarnation" } else { "heartbeat" };
        let hops = plural(u64::from(rumour.hops), "hop", "hops");
        words += &format!(", {what} {} from {from} by {} {hops}", rumour.version, rumour.hops);
    }
    words
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
