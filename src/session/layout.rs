//! What the page has to know once of a run.

use super::frame::{ClusterLayout, Layout, LinkLayout, LinkUse, NodeLayout};
use super::narrator::plural;
use super::run::Session;
use crate::cluster::blueprint::Blueprint;
use crate::cluster::run::ClusterRun;
use crate::engine::NodeId;
use crate::ring::token_ring::TokenRing;
use crate::scenario::names::Seat;
use crate::scenario::schema::{ClusterSection, FencingMode, LevelName, ReadFrom, ReplicationMode};
use crate::sql::shard_map::ShardMap;

/// The layout of a session.
pub fn layout(session: &Session) -> Layout {
    let scenario = session.scenario();
    Layout {
        scenario_name: scenario.name.clone(),
        title: scenario.title.clone(),
        question: scenario.question.clone(),
        things_to_try: scenario.things_to_try.clone(),
        seed: session.seed(),
        end_ns: session.end().0,
        zones: scenario.zones.clone(),
        bucket_ns: session.bucket().0,
        clusters: session.clusters().iter().map(|run| cluster_layout(session, run)).collect(),
        price_sheet: format!("{}, {}", session.prices().title, session.prices().date),
    }
}

fn cluster_layout(session: &Session, run: &ClusterRun) -> ClusterLayout {
    let blueprint = run.blueprint();
    ClusterLayout {
        name: run.name().to_string(),
        kind: run.kind().to_string(),
        summary: summary(&blueprint.section),
        nodes: run.world().node_ids().map(|node| node_layout(session, run, node)).collect(),
        links: links(blueprint),
    }
}

fn node_layout(session: &Session, run: &ClusterRun, node: NodeId) -> NodeLayout {
    let blueprint = run.blueprint();
    let seat = blueprint.directory.seats[node.index()];
    let (shard, ordinal) = match seat {
        Seat::Client(number)
        | Seat::QueryProxy(number)
        | Seat::RingNode(number)
        | Seat::Collector(number)
        | Seat::Broker(number)
        | Seat::Worker(number)
        | Seat::Reader(number) => (None, number - 1),
        Seat::Config(number) => (None, number - 1),
        Seat::BackupStore | Seat::ObjectStore => (None, 0),
        Seat::ShardProxy { shard, member } | Seat::Mysql { shard, member } => (Some(shard - 1), member - 1),
    };
    let machine = blueprint.machine(seat);
    let ring = blueprint.ring.as_ref().zip(match seat {
        Seat::RingNode(number) => Some(number as u16 - 1),
        _ => None,
    });
    let arcs = ring.map_or_else(Vec::new, |(ring, own)| arcs(ring, own));
    NodeLayout {
        name: seat.name(),
        role: seat.role().to_string(),
        label: label(run.map(), seat),
        zone: blueprint.directory.zones_of[node.index()],
        shard: shard.map(|shard| shard as u8),
        ordinal: ordinal as u16,
        machine_type: machine.map_or_else(String::new, |machine| machine.machine_type.clone()),
        usd_per_hour: machine
            .and_then(|machine| session.prices().usd_per_hour(&machine.machine_type))
            .unwrap_or(0.0),
        ownership: ring.map_or(0.0, |(ring, own)| ring.share(own) as f32),
        arcs,
    }
}

fn arcs(ring: &TokenRing, own: u16) -> Vec<(f32, f32)> {
    let own_ranges = ring.ranges().filter(|(owner, _, _)| *owner == own);
    own_ranges.map(|(_, end, length)| ((end - length) as f32, length as f32)).collect()
}

/// The arcs of every node while a token ring is in force.
pub fn all_arcs(run: &ClusterRun, ring: &TokenRing) -> Vec<Vec<(f32, f32)>> {
    let of = |seat: &Seat| match seat {
        Seat::RingNode(number) => arcs(ring, *number as u16 - 1),
        _ => Vec::new(),
    };
    run.blueprint().directory.seats.iter().map(of).collect()
}

/// What every node is called in the picture while a shard map is in force.
pub fn labels(run: &ClusterRun, map: &ShardMap) -> Vec<String> {
    run.blueprint().directory.seats.iter().map(|seat| label(Some(map), *seat)).collect()
}

/// `A–M` for a MySQL server, `spare` while its shard stands by; `3` for a ring node.
fn label(map: Option<&ShardMap>, seat: Seat) -> String {
    let range =
        |shard: u32| map.and_then(|map| map.label(shard as usize - 1)).unwrap_or_else(|| "spare".to_string());
    match seat {
        Seat::Client(number) => format!("C{number}"),
        Seat::QueryProxy(number) => format!("Q{number}"),
        Seat::BackupStore => "BAK".to_string(),
        Seat::Config(1) => "CFG".to_string(),
        Seat::Config(number) => format!("CFG {number}"),
        Seat::ShardProxy { shard, .. } => format!("P {}", range(shard)),
        Seat::Mysql { shard, .. } => range(shard),
        Seat::RingNode(number) => format!("r{number}"),
        Seat::Collector(number) => format!("K{number}"),
        Seat::Broker(number) => format!("B{number}"),
        Seat::Worker(number) => format!("W{number}"),
        Seat::Reader(number) => format!("R{number}"),
        Seat::ObjectStore => "OBJ".to_string(),
    }
}

fn summary(section: &ClusterSection) -> String {
    match section {
        ClusterSection::ShardedSql(sql) => {
            let shards = u64::from(sql.shard_count());
            let by = if sql.hash_shards.is_some() { " by hash" } else { "" };
            let replicas = u64::from(sql.replicas);
            let reads = match sql.reads {
                ReadFrom::Primary => "reads from the primary",
                ReadFrom::Replica => "reads from replicas",
                ReadFrom::WithinLagMs(_) => "reads from replicas within a lag",
                ReadFrom::ReadYourWritesWaitMs(_) => "reads its own writes",
            };
            let mode = match sql.replication {
                ReplicationMode::Asynchronous => "asynchronous",
                ReplicationMode::SemiSynchronous { .. } => "semi-synchronous",
                ReplicationMode::Synchronous => "synchronous",
            };
            let cache = if sql.cache.entries == 0 { ", no cache" } else { "" };
            let shards = format!("{shards} {}{by}", plural(shards, "shard", "shards"));
            if replicas == 0 {
                return format!("{shards}, no replicas{cache}");
            }
            let fencing = match sql.failover.fencing {
                FencingMode::None => "",
                FencingMode::LeaseMs(_) => "fenced by lease, ",
                FencingMode::ShutdownMs(_) => "fenced by shutdown, ",
            };
            format!(
                "{shards}, {replicas} {} each, {mode}, {fencing}{reads}{cache}",
                plural(replicas, "replica", "replicas")
            )
        }
        ClusterSection::GossipRing(ring) => {
            let level = |letter: &str, name: Option<LevelName>, count: u32| match name {
                Some(name) => format!("{letter} {}", name.in_words()),
                None => format!("{letter} {count}"),
            };
            let (r, w) = (level("R", ring.read_level, ring.r), level("W", ring.write_level, ring.w));
            let sloppy = if ring.sloppy_quorum { ", sloppy" } else { "" };
            let hints = if ring.hinted_handoff.is_some() { ", hints" } else { "" };
            format!("{} nodes, N {}, {r}, {w}{sloppy}{hints}", ring.nodes, ring.n)
        }
    }
}

fn links(blueprint: &Blueprint) -> Vec<LinkLayout> {
    let seats = &blueprint.directory.seats;
    let nodes = |wanted: fn(&Seat) -> bool| {
        seats.iter().enumerate().filter(move |(_, seat)| wanted(seat)).map(|(at, _)| at as u16)
    };
    let mut links = Vec::new();
    let mut link = |from: u16, to: u16, use_for: LinkUse| links.push(LinkLayout { from, to, use_for });
    if let Some(map) = &blueprint.map {
        for proxy in nodes(|seat| matches!(seat, Seat::QueryProxy(_))) {
            let shard_proxies = map.shards.iter().flat_map(|shard| &shard.proxies);
            shard_proxies.for_each(|shard_proxy| link(proxy, shard_proxy.0, LinkUse::Query));
        }
        for shard in &map.shards {
            for proxy in &shard.proxies {
                shard.nodes.iter().for_each(|node| link(proxy.0, node.0, LinkUse::Query));
            }
            let replicas = shard.nodes.iter().filter(|node| **node != shard.primary);
            replicas.for_each(|node| link(shard.primary.0, node.0, LinkUse::Replication));
            for store in nodes(|seat| matches!(seat, Seat::BackupStore)) {
                shard.nodes.iter().for_each(|node| link(store, node.0, LinkUse::HealthCheck));
            }
            for config in nodes(|seat| matches!(seat, Seat::Config(_))) {
                shard.nodes.iter().for_each(|node| link(config, node.0, LinkUse::HealthCheck));
            }
        }
    }
    // One line from each to one of the next says the way; all of them would be a mesh.
    let mut way = |from: fn(&Seat) -> bool, to: fn(&Seat) -> bool| {
        let to: Vec<u16> = nodes(to).collect();
        for (place, node) in nodes(from).enumerate().filter(|_| !to.is_empty()) {
            link(node, to[place % to.len()], LinkUse::Query);
        }
    };
    if blueprint.service.is_some() {
        way(|seat| matches!(seat, Seat::Client(_)), |seat| matches!(seat, Seat::Collector(_)));
        way(|seat| matches!(seat, Seat::Collector(_)), |seat| matches!(seat, Seat::Broker(_)));
        way(|seat| matches!(seat, Seat::Worker(_)), |seat| matches!(seat, Seat::ObjectStore));
        way(|seat| matches!(seat, Seat::Reader(_)), |seat| matches!(seat, Seat::QueryProxy(_)));
        way(|seat| matches!(seat, Seat::Client(_)), |seat| matches!(seat, Seat::Reader(_)));
    }
    let ring: Vec<u16> = nodes(|seat| matches!(seat, Seat::RingNode(_))).collect();
    for (at, known) in blueprint.neighbours.iter().enumerate() {
        for peer in known.iter().filter(|peer| usize::from(**peer) > at) {
            link(ring[at], ring[usize::from(*peer)], LinkUse::Gossip);
        }
    }
    links
}
