//! What every node of a cluster is called, and which zone it stands in.
//!
//! Faults name nodes, so the names are part of the scenario format: whoever
//! builds a cluster and whoever checks a scenario take them from here.
//!
//! ```text
//! clients        client-1 …         zones in turn: a, b, c, a …
//! query proxies  query-proxy-1 …    zones in turn
//! configuration  config-1           the last zone
//!                config-2 …         one zone back each
//! backups        backup-store       the last zone
//! shard 1        shard-proxy-1      zone a
//!                shard-proxy-1-2 …  zone b …
//!                mysql-1-1          zone a   (the first primary)
//!                mysql-1-2          zone b   (its first replica)
//! shard 2        shard-proxy-2      zone b, and so on one zone further
//! service        collector-1 …, broker-1 …, worker-1 …, reader-1 …   zones in turn
//!                object-store       the last zone
//! ring           ring-1 …           zones in blocks: ring-1, ring-2 in a, ring-3, ring-4 in b …
//!                its spares         numbered on, zones in turn
//! ```
//!
//! A ring's neighbours by number share a zone, so that cutting a zone off cuts
//! a stretch of the picture; its tokens lie anywhere.

use super::schema::{ClusterSection, WorkloadSection};

/// Role names, as selectors and frames use them.
pub const CLIENT: &str = "client";
pub const QUERY_PROXY: &str = "query-proxy";
pub const CONFIG: &str = "config";
pub const SHARD_PROXY: &str = "shard-proxy";
pub const MYSQL: &str = "mysql";
pub const BACKUP_STORE: &str = "backup-store";
pub const RING_NODE: &str = "ring-node";
pub const COLLECTOR: &str = "collector";
pub const BROKER: &str = "broker";
pub const WORKER: &str = "worker";
pub const READER: &str = "reader";
pub const OBJECT_STORE: &str = "object-store";

/// Every role there is.
pub const ROLES: [&str; 12] = [
    CLIENT,
    COLLECTOR,
    BROKER,
    WORKER,
    READER,
    OBJECT_STORE,
    QUERY_PROXY,
    CONFIG,
    BACKUP_STORE,
    SHARD_PROXY,
    MYSQL,
    RING_NODE,
];

/// One node's part in its cluster. Numbers count from 1, as the names do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seat {
    Client(u32),
    QueryProxy(u32),
    Config(u32),
    BackupStore,
    ShardProxy {
        shard: u32,
        member: u32,
    },
    /// Member 1 is the shard's first primary.
    Mysql {
        shard: u32,
        member: u32,
    },
    RingNode(u32),
    Collector(u32),
    Broker(u32),
    Worker(u32),
    Reader(u32),
    ObjectStore,
}

impl Seat {
    /// Unique in its cluster.
    pub fn name(self) -> String {
        match self {
            Seat::Client(number) => format!("client-{number}"),
            Seat::QueryProxy(number) => format!("query-proxy-{number}"),
            Seat::Config(number) => format!("config-{number}"),
            Seat::BackupStore => BACKUP_STORE.to_string(),
            Seat::ShardProxy { shard, member: 1 } => format!("shard-proxy-{shard}"),
            Seat::ShardProxy { shard, member } => format!("shard-proxy-{shard}-{member}"),
            Seat::Mysql { shard, member } => format!("mysql-{shard}-{member}"),
            Seat::RingNode(number) => format!("ring-{number}"),
            Seat::Collector(number) => format!("collector-{number}"),
            Seat::Broker(number) => format!("broker-{number}"),
            Seat::Worker(number) => format!("worker-{number}"),
            Seat::Reader(number) => format!("reader-{number}"),
            Seat::ObjectStore => OBJECT_STORE.to_string(),
        }
    }

    pub fn role(self) -> &'static str {
        match self {
            Seat::Client(_) => CLIENT,
            Seat::QueryProxy(_) => QUERY_PROXY,
            Seat::Config(_) => CONFIG,
            Seat::BackupStore => BACKUP_STORE,
            Seat::ShardProxy { .. } => SHARD_PROXY,
            Seat::Mysql { .. } => MYSQL,
            Seat::RingNode(_) => RING_NODE,
            Seat::Collector(_) => COLLECTOR,
            Seat::Broker(_) => BROKER,
            Seat::Worker(_) => WORKER,
            Seat::Reader(_) => READER,
            Seat::ObjectStore => OBJECT_STORE,
        }
    }
}

/// Every node of a cluster, in the order in which it is built: clients; then
/// query proxies, configuration service, backup store and, per shard, its proxy and its
/// MySQL nodes; or the ring's nodes; then those of the service in front of it.
pub fn seats(section: &ClusterSection, workload: &WorkloadSection) -> Vec<Seat> {
    let mut seats: Vec<Seat> = (1..=workload.clients).map(Seat::Client).collect();
    if let ClusterSection::GossipRing(ring) = section {
        seats.extend((1..=ring.nodes + ring.spares).map(Seat::RingNode));
    }
    if let Some(sql) = section.sql() {
        seats.extend((1..=sql.query_proxies).map(Seat::QueryProxy));
        seats.extend((1..=sql.config_nodes).map(Seat::Config));
        seats.extend(sql.backups.iter().map(|_| Seat::BackupStore));
        for shard in 1..=sql.shard_count_in_all() {
            seats.extend((1..=sql.shard_proxies).map(|member| Seat::ShardProxy { shard, member }));
            seats.extend((1..=sql.replicas + 1).map(|member| Seat::Mysql { shard, member }));
        }
    }
    if let Some(service) = section.service() {
        seats.extend((1..=service.collectors.nodes).map(Seat::Collector));
        seats.extend((1..=service.log.brokers).map(Seat::Broker));
        seats.extend((1..=service.workers.nodes).map(Seat::Worker));
        seats.extend((1..=service.readers.nodes).map(Seat::Reader));
        seats.push(Seat::ObjectStore);
    }
    seats
}

/// The number of the ring node with this name.
pub fn ring_node_number(name: &str) -> Option<u32> {
    name.strip_prefix("ring-")?.parse().ok()
}

/// Name and role of every node, in the order of [`seats`].
pub fn node_names(section: &ClusterSection, workload: &WorkloadSection) -> Vec<(String, &'static str)> {
    seats(section, workload).into_iter().map(|seat| (seat.name(), seat.role())).collect()
}

/// The zone of a node, as an index into the scenario's zones (at least one): where its cluster
/// places it, or else in turn.
pub fn zone_of(section: &ClusterSection, seat: Seat, zones: &[String]) -> u8 {
    let name = seat.name();
    let placement = section.placement();
    let placed = placement.iter().find(|place| place.nodes.contains(&name));
    let placed =
        placed.or_else(|| placement.iter().find(|place| place.roles.iter().any(|role| role == seat.role())));
    let at = placed.and_then(|place| zones.iter().position(|zone| *zone == place.zone));
    at.map_or_else(|| zone_in_turn(section, seat, zones.len()), |at| at as u8)
}

fn zone_in_turn(section: &ClusterSection, seat: Seat, zone_count: usize) -> u8 {
    let zones = zone_count.max(1) as u64;
    let in_turn = |number: u64| number % zones;
    let zone = match seat {
        Seat::Client(number)
        | Seat::QueryProxy(number)
        | Seat::Collector(number)
        | Seat::Broker(number)
        | Seat::Worker(number)
        | Seat::Reader(number) => in_turn(u64::from(number) - 1),
        Seat::BackupStore | Seat::ObjectStore => zones - 1,
        Seat::Config(number) => zones - 1 - in_turn(u64::from(number) - 1),
        Seat::ShardProxy { shard, member } | Seat::Mysql { shard, member } => {
            in_turn(u64::from(shard) + u64::from(member) - 2)
        }
        Seat::RingNode(number) => match section {
            ClusterSection::GossipRing(ring) => match number.checked_sub(ring.nodes + 1) {
                Some(spare) => in_turn(u64::from(spare)),
                None => (u64::from(number) - 1) * zones / u64::from(ring.nodes.max(1)),
            },
            ClusterSection::ShardedSql(_) => 0,
        },
    };
    u8::try_from(zone).unwrap_or(u8::MAX)
}
