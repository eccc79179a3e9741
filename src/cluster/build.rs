//! Builds a world from a cluster's part of a scenario.

use super::blueprint::machine_of;
use super::ring_membership::{membership_settings, state_bytes};
use super::ring_storage::storage_settings;
use super::role::Role;
use super::service_settings::service_settings;
use super::sql_settings::sql_settings;
use crate::engine::machine::CORES_UNLIMITED;
use crate::engine::random::name_hash;
use crate::engine::{
    DiskSpeed, Distribution, NetworkSpec, NodeId, NodeSpec, Purpose, SimDuration, Stream, World,
};
use crate::ring::consistency::ConsistencyLevel;
use crate::ring::message::{
    CLASS_READ_REQUEST, CLASS_READ_RESPONSE, CLASS_WRITE_ACKNOWLEDGEMENT, CLASS_WRITE_REQUEST, LAST_CLASS,
};
use crate::ring::place::{Place, Places, Step};
use crate::ring::ring_node::RingNode;
use crate::ring::settings::{
    AntiEntropy, Asked, CommitLogSync, HintedHandoff, ReadRepair, RingSettings, Versions,
};
use crate::ring::token_ring::{Partitioning, TokenRing};
use crate::ring::view::Atlas;
use crate::scenario::names::{Seat, seats};
use crate::scenario::schema::{
    ClusterSection, DiskSection, LegDelays, LevelName, MachineSection, PartitioningMode, PayloadBytes,
    ReadFrom, ReadRepairMode, ReadReplicas, RingSection, Scenario, SyncPolicy, VersionsMode, WorkloadSection,
    WriteReplicas,
};
use crate::service::broker::Broker;
use crate::service::collector::Collector;
use crate::service::object_store::ObjectStore;
use crate::service::reader::Reader;
use crate::service::settings::ServiceSettings;
use crate::service::worker::Worker;
use crate::sql::backup_store::BackupStore;
use crate::sql::config_service::ConfigService;
use crate::sql::mysql::MySql;
use crate::sql::query_proxy::QueryProxy;
use crate::sql::settings::SqlSettings;
use crate::sql::shard_map::ShardMap;
use crate::sql::shard_proxy::ShardProxy;
use crate::workload::client::{Client, ClientSettings, ServiceEndpoints, Topology, Updates};
use crate::workload::generator::{Generated, Generator, QueryShares, Source, Traffic};
use crate::workload::keys::KeySpace;
use crate::workload::probe::ProbeSettings;
use crate::workload::recorded::Recording;
use crate::workload::zipf::Zipf;
use std::rc::Rc;

/// The traffic that all clusters of a run share.
pub fn traffic(scenario: &Scenario, recording: Option<Rc<Recording>>) -> Rc<Traffic> {
    let workload = &scenario.workload;
    let (keys, source) = match recording {
        Some(recording) => (KeySpace::recorded(recording.keys.clone()), Source::Recorded(recording)),
        None => {
            let payload_bytes = match workload.payload_bytes {
                PayloadBytes::Constant(bytes) => [bytes, bytes],
                PayloadBytes::Uniform(range) => range,
            };
            let generated = Generated {
                rate_per_s: workload.rate_per_s,
                reads: workload.reads,
                deletes: workload.deletes,
                decrements: workload.decrements,
                queries: queries(workload),
                popularity: Zipf::new(workload.keys, workload.zipf_theta),
                payload_bytes,
            };
            (KeySpace::generated(workload.keys), Source::Generated(generated))
        }
    };
    Rc::new(Traffic { keys, source, clients: workload.clients, counts: workload.counts })
}

fn queries(workload: &WorkloadSection) -> QueryShares {
    let WorkloadSection { scans, tops, joins, query_rows, .. } = *workload;
    let rows = if scans + tops + joins > 0.0 { query_rows } else { 0 };
    QueryShares { scans, tops, joins, rows }
}

/// A cluster that is about to start: its seats in the order of its nodes, and its world.
pub struct Built {
    pub seats: Vec<Seat>,
    pub world: World<Role>,
    /// A ring's tokens when it starts.
    pub ring: Option<Rc<TokenRing>>,
    pub neighbours: Vec<Vec<u16>>,
    /// A SQL cluster's first map.
    pub map: Option<Rc<ShardMap>>,
    /// The service in front of it.
    pub service: Option<Rc<ServiceSettings>>,
}

/// What the parts of a cluster are set up with: those that it has.
struct Parts {
    service: Option<Rc<ServiceSettings>>,
    sql: Option<Rc<SqlSettings>>,
    ring: Option<Rc<RingSettings>>,
    clients: Rc<ClientSettings>,
}

/// Builds one cluster.
pub fn build(scenario: &Scenario, section: &ClusterSection, traffic: &Rc<Traffic>, seed: u64) -> Built {
    let seats = seats(section, &scenario.workload);
    let service = section.service().map(|part| Rc::new(service_settings(scenario, section, part, &seats)));
    let sql = section.sql().map(|sql| {
        let keys = match &service {
            Some(service) if section.kind() == "sharded_sql" => service.tables.keys().clone(),
            Some(service) => service.metadata_tables.keys().clone(),
            None => traffic.keys.clone(),
        };
        Rc::new(sql_settings(scenario, section, sql, &seats, keys))
    });
    let ring = match section {
        ClusterSection::GossipRing(ring) => {
            let keys = match &service {
                Some(service) => service.tables.keys().clone(),
                None => traffic.keys.in_partitions(ring.rows_per_partition.unwrap_or(1)),
            };
            Some(Rc::new(ring_settings(scenario, section, ring, &seats, keys, seed)))
        }
        ClusterSection::ShardedSql(_) => None,
    };
    let clients = match (&service, &ring) {
        (Some(service), _) => service_clients(scenario, service),
        (None, Some(settings)) => ring_clients(scenario, section, settings),
        (None, None) => sql_clients(scenario, section, &seats),
    };
    let parts = Parts { service, sql, ring, clients };
    let nodes = seats.iter().map(|seat| {
        let offset = match (section, seat) {
            (ClusterSection::GossipRing(ring), Seat::RingNode(_)) => {
                clock_offset_ns(&ring.clock_offset, seed, &seat.name())
            }
            _ => 0,
        };
        (node_spec(scenario, section, *seat, offset), role(scenario, section, *seat, &parts, traffic, seed))
    });
    let network = match section {
        ClusterSection::GossipRing(ring) => with_legs(network(scenario), &ring.legs),
        ClusterSection::ShardedSql(_) => network(scenario),
    };
    let world = World::new(seed, network, nodes.collect());
    let Parts { service, sql, ring, .. } = parts;
    Built {
        seats,
        world,
        neighbours: ring.as_ref().map_or_else(Vec::new, |ring| ring.membership.neighbours.clone()),
        ring: ring.map(|ring| Rc::clone(&ring.atlas.view(ring.atlas.first()).current)),
        map: sql.map(|sql| Rc::clone(&sql.first_map)),
        service,
    }
}

/// What a node runs.
fn role(
    scenario: &Scenario,
    section: &ClusterSection,
    seat: Seat,
    parts: &Parts,
    traffic: &Rc<Traffic>,
    seed: u64,
) -> Role {
    let sql = || Rc::clone(parts.sql.as_ref().expect("a seat of a SQL cluster"));
    let ring = || Rc::clone(parts.ring.as_ref().expect("a seat of a ring"));
    let service = || Rc::clone(parts.service.as_ref().expect("a seat of a service"));
    match seat {
        Seat::Client(number) => {
            let name = seat.name();
            let region = if parts.ring.is_some() { scenario.region_of(section, seat) } else { 0 };
            let generator = Generator::new(Rc::clone(traffic), seed, number - 1, &name);
            Role::Client(Box::new(Client::new(Rc::clone(&parts.clients), generator, seed, (&name, region))))
        }
        Seat::QueryProxy(_) => Role::QueryProxy(Box::new(QueryProxy::new(sql()))),
        Seat::Config(number) => Role::Config(Box::new(ConfigService::new(sql(), number as usize - 1))),
        Seat::ShardProxy { shard, .. } => {
            Role::ShardProxy(Box::new(ShardProxy::new(sql(), shard as usize - 1)))
        }
        Seat::Mysql { shard, .. } => Role::MySql(Box::new(MySql::new(sql(), shard as usize - 1))),
        Seat::BackupStore => {
            let settings = sql();
            let backups = settings.backups.expect("only with backups is there a store");
            Role::BackupStore(Box::new(BackupStore::new(settings, backups)))
        }
        Seat::RingNode(number) => Role::Ring(Box::new(RingNode::new(ring(), number as u16 - 1))),
        Seat::Collector(number) => Role::Collector(Box::new(Collector::new(service(), number as usize - 1))),
        Seat::Broker(number) => Role::Broker(Box::new(Broker::new(service(), number as usize - 1))),
        Seat::Worker(number) => Role::Worker(Box::new(Worker::new(service(), number as usize - 1))),
        Seat::Reader(number) => Role::Reader(Box::new(Reader::new(service(), number as usize - 1))),
        Seat::ObjectStore => Role::ObjectStore(Box::new(ObjectStore::new(service()))),
    }
}

fn sql_clients(scenario: &Scenario, section: &ClusterSection, seats: &[Seat]) -> Rc<ClientSettings> {
    let query_proxies = nodes_of(seats, |seat| matches!(seat, Seat::QueryProxy(_)));
    let asked = (0..query_proxies.len() as u16).collect();
    let topology = Topology { number: 0, asked, owners: None };
    let reads = section.sql().map(|sql| sql.reads);
    let sends_session = matches!(reads, Some(ReadFrom::ReadYourWritesWaitMs(_)));
    client_settings(scenario, query_proxies, sends_session, (topology, None), Updates::Direct)
}

fn ring_clients(
    scenario: &Scenario,
    section: &ClusterSection,
    settings: &RingSettings,
) -> Rc<ClientSettings> {
    let ClusterSection::GossipRing(ring) = section else { unreachable!("a ring has ring settings") };
    let updates = match ring.versions {
        VersionsMode::LastWriteWins => Updates::ReadFirst,
        VersionsMode::Siblings => Updates::WithContext,
        VersionsMode::GCounter | VersionsMode::PnCounter => Updates::Direct,
        VersionsMode::CompareAndSet => Updates::CompareAndSet,
    };
    let first = settings.atlas.view(settings.atlas.first());
    let topology = first.topology(&settings.keys, ring.token_aware);
    let regions = ring.region_aware.then(|| settings.data_centres.clone());
    client_settings(scenario, settings.nodes.clone(), false, (topology, regions), updates)
}

/// Viewers: views go to collectors, questions to readers.
fn service_clients(scenario: &Scenario, service: &ServiceSettings) -> Rc<ClientSettings> {
    let writers = service.nodes.collectors.len() as u16;
    let endpoints = [service.nodes.collectors.as_slice(), &service.nodes.readers].concat();
    let topology = Topology { number: 0, asked: (0..endpoints.len() as u16).collect(), owners: None };
    let settings = client_settings(scenario, endpoints, false, (topology, None), Updates::Direct);
    let sizes = service.tables.sizes;
    let service = ServiceEndpoints {
        writers,
        follow_every: service.processing.tag_every,
        window: sizes.window,
        windows: sizes.windows,
    };
    Rc::new(ClientSettings { service: Some(service), probes: None, ..ClientSettings::clone(&settings) })
}

pub(super) fn nodes_of(seats: &[Seat], wanted: impl Fn(&Seat) -> bool) -> Vec<NodeId> {
    seats.iter().enumerate().filter(|(_, seat)| wanted(seat)).map(|(at, _)| NodeId(at as u16)).collect()
}

fn ring_settings(
    scenario: &Scenario,
    section: &ClusterSection,
    ring: &RingSection,
    seats: &[Seat],
    keys: KeySpace,
    seed: u64,
) -> RingSettings {
    let members: Vec<(usize, String, u8)> = seats
        .iter()
        .enumerate()
        .filter(|(_, seat)| matches!(seat, Seat::RingNode(_)))
        .map(|(at, seat)| (at, seat.name(), scenario.zone_of(section, *seat)))
        .collect();
    let named: Vec<(&str, u8)> = members.iter().map(|(_, name, zone)| (name.as_str(), *zone)).collect();
    let first: Places = named
        .iter()
        .enumerate()
        .map(|(node, (name, _))| {
            let step = if node < ring.nodes as usize { Step::In } else { Step::Out };
            Place::first(step, name_hash(name))
        })
        .collect();
    let zones: Vec<u8> = members.iter().map(|(_, _, zone)| *zone).collect();
    let atlas = Rc::new(Atlas::new(seed, zones, partitioning(ring), ring.n as usize, Rc::clone(&first)));
    let nodes: Vec<NodeId> = members.iter().map(|(at, _, _)| NodeId(*at as u16)).collect();
    let rows_per_partition =
        if section.service().is_some() { 1 } else { ring.rows_per_partition.unwrap_or(1) };
    let membership = Rc::new(membership_settings(ring, seed));
    RingSettings {
        keys,
        rows_per_partition,
        atlas,
        nodes,
        stream_rate: ring.stream_mbit_per_s / 8_000.0,
        membership,
        state_bytes: state_bytes(ring),
        n: ring.n as usize,
        read_level: level(ring.read_level, ring.r),
        write_level: level(ring.write_level, ring.w),
        versions: match ring.versions {
            VersionsMode::LastWriteWins => Versions::LastWriteWins,
            VersionsMode::Siblings => Versions::Siblings,
            VersionsMode::GCounter | VersionsMode::PnCounter => Versions::Counter,
            VersionsMode::CompareAndSet => Versions::CompareAndSet,
        },
        clients: nodes_of(seats, |seat| matches!(seat, Seat::Client(_))),
        token_aware: ring.token_aware,
        sloppy_quorum: ring.sloppy_quorum,
        read_from: match ring.read_from {
            ReadReplicas::All => Asked::All,
            ReadReplicas::Needed => Asked::Nearest,
            ReadReplicas::Drawn => Asked::Drawn,
        },
        write_to: match ring.write_to {
            WriteReplicas::All => Asked::All,
            WriteReplicas::Drawn => Asked::Drawn,
        },
        digest_reads: ring.digest_reads,
        speculative_retry: ring.speculative_retry_percentile,
        hinted_handoff: ring.hinted_handoff.as_ref().map(|handoff| HintedHandoff {
            window: SimDuration::from_ms_f64(handoff.window_ms),
            rate_per_s: handoff.rate_per_s,
        }),
        anti_entropy: ring.anti_entropy.as_ref().map(|anti_entropy| AntiEntropy {
            interval: SimDuration::from_ms_f64(anti_entropy.interval_ms),
            depth: anti_entropy.depth,
            key_service: anti_entropy.key_service.clone(),
        }),
        gc_grace: SimDuration::from_ms_f64(ring.gc_grace_ms),
        zones: members.iter().map(|(_, _, zone)| *zone).collect(),
        data_centres: members.iter().map(|(_, _, zone)| scenario.region_of_zone(*zone)).collect(),
        read_repair: match ring.read_repair {
            ReadRepairMode::None => ReadRepair::None,
            ReadRepairMode::Background => ReadRepair::Background,
            ReadRepairMode::Blocking => ReadRepair::Blocking,
        },
        commit_log_sync: match ring.commit_log_sync {
            SyncPolicy::EveryWrite => CommitLogSync::EveryWrite,
            SyncPolicy::EveryMs(ms) => CommitLogSync::Interval(SimDuration::from_ms_f64(ms)),
        },
        storage: ring.storage.as_ref().map(|storage| Rc::new(storage_settings(storage))),
        request_timeout: SimDuration::from_ms_f64(ring.request_timeout_ms),
        in_flight_max: ring.in_flight_max as usize,
        coordinator_service: ring.coordinator_service.clone(),
        read_service: ring.read_service.clone(),
        row_service: ring.row_service.clone(),
        write_service: ring.write_service.clone(),
        gossip_service: ring.gossip_service.clone(),
        encryption: ring.encryption.cost(),
    }
}

/// How the ring is divided.
pub(super) fn partitioning(ring: &RingSection) -> Partitioning {
    let (tokens, partitions) = (ring.virtual_nodes, ring.partitions);
    match ring.partitioning {
        PartitioningMode::ByToken => Partitioning::ByToken { tokens },
        PartitioningMode::EqualRanges => Partitioning::EqualRanges { tokens, partitions },
        PartitioningMode::EqualShares => Partitioning::EqualShares { partitions },
    }
}

/// A level by name goes before a number.
fn level(name: Option<LevelName>, count: u32) -> ConsistencyLevel {
    match name {
        None => ConsistencyLevel::Count(count as u8),
        Some(LevelName::One) => ConsistencyLevel::Count(1),
        Some(LevelName::Two) => ConsistencyLevel::Count(2),
        Some(LevelName::Quorum) => ConsistencyLevel::Quorum,
        Some(LevelName::LocalOne) => ConsistencyLevel::LocalOne,
        Some(LevelName::LocalQuorum) => ConsistencyLevel::LocalQuorum,
        Some(LevelName::EachQuorum) => ConsistencyLevel::EachQuorum,
        Some(LevelName::All) => ConsistencyLevel::All,
    }
}

fn client_settings(
    scenario: &Scenario,
    endpoints: Vec<NodeId>,
    sends_session: bool,
    (topology, regions): (Topology, Option<Vec<u8>>),
    updates: Updates,
) -> Rc<ClientSettings> {
    Rc::new(ClientSettings {
        endpoints,
        topology: Rc::new(topology),
        regions,
        sends_session,
        updates,
        timeout: SimDuration::from_ms_f64(scenario.workload.timeout_ms),
        in_flight_max: scenario.workload.in_flight_max as usize,
        probes: scenario.workload.probes.as_ref().map(|probes| ProbeSettings {
            listed: probes.at_ms.iter().map(|ms| SimDuration::from_ms_f64(*ms)).collect(),
            searching: probes.searching,
        }),
        service: None,
    })
}

fn node_spec(scenario: &Scenario, section: &ClusterSection, seat: Seat, clock_offset_ns: i64) -> NodeSpec {
    let (machine, disk) = match machine_of(section, seat) {
        Some((machine, disk)) => (machine.clone(), disk.cloned().unwrap_or_default()),
        None => free_machine(section),
    };
    NodeSpec {
        name: seat.name(),
        zone: scenario.zone_of(section, seat),
        cores: machine.cores,
        queue_limit: machine.queue_limit,
        disk: DiskSpeed { read: disk.read, sync: disk.fsync, channels: disk.channels as u16 },
        clock_offset_ns,
    }
}

/// What clients and managed stores have: cores without limit, the queue and the disk of their cluster's machines.
fn free_machine(section: &ClusterSection) -> (MachineSection, DiskSection) {
    let (machine, disk) = match section {
        ClusterSection::ShardedSql(sql) => (&sql.proxy_machine, &sql.disk),
        ClusterSection::GossipRing(ring) => (&ring.machine, &ring.disk),
    };
    (MachineSection { cores: CORES_UNLIMITED, ..machine.clone() }, disk.clone())
}

/// A draw before or after true time, each as likely.
fn clock_offset_ns(offset: &Distribution, seed: u64, name: &str) -> i64 {
    let mut stream = Stream::named(seed, Purpose::Clock, name);
    let size = offset.sample(&mut stream).0 as i64;
    if stream.chance(0.5) { -size } else { size }
}

fn network(scenario: &Scenario) -> NetworkSpec {
    let section = &scenario.network;
    let zones = scenario.zones.len();
    let region = |zone: usize| scenario.region_of_zone(zone as u8);
    let delay = |from: usize, to: usize| match (from == to, region(from) == region(to)) {
        (true, _) => section.same_zone.clone(),
        (false, true) => section.cross_zone.clone(),
        (false, false) => section.cross_region.clone(),
    };
    let delays = (0..zones * zones).map(|at| delay(at / zones, at % zones)).collect();
    NetworkSpec {
        zones,
        regions: (0..zones).map(region).collect(),
        delays,
        local_delay: Distribution::constant_ms(0.0),
        class_delays: Vec::new(),
        class_zone_extras: Vec::new(),
        loss: section.loss,
        bandwidth: section.bandwidth_mbit_per_s.map(|mbit| mbit / 8_000.0),
        stream_timeout: SimDuration::from_ms_f64(section.stream_timeout_ms),
    }
}

/// A network on which the legs of a quorum operation have delays of their own.
fn with_legs(network: NetworkSpec, legs: &LegDelays) -> NetworkSpec {
    let mut class_delays = vec![None; usize::from(LAST_CLASS) + 1];
    let mut class_zone_extras = class_delays.clone();
    for (class, delay) in [
        (CLASS_WRITE_REQUEST, &legs.write_request),
        (CLASS_WRITE_ACKNOWLEDGEMENT, &legs.write_acknowledgement),
        (CLASS_READ_REQUEST, &legs.read_request),
        (CLASS_READ_RESPONSE, &legs.read_response),
    ] {
        class_delays[usize::from(class)] = delay.clone();
        class_zone_extras[usize::from(class)] = legs.cross_zone_extra.clone();
    }
    NetworkSpec { class_delays, class_zone_extras, ..network }
}
