//! Builds a world from a cluster's part of a scenario.

use super::ring_membership::{membership_settings, state_bytes};
use super::ring_storage::storage_settings;
use super::role::Role;
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
    ReadFrom, ReadRepairMode, ReadReplicas, RingSection, Scenario, SqlSection, SyncPolicy, VersionsMode,
    WorkloadSection, WriteReplicas,
};
use crate::sql::backup_store::BackupStore;
use crate::sql::config_service::ConfigService;
use crate::sql::mysql::MySql;
use crate::sql::query_proxy::QueryProxy;
use crate::sql::shard_map::ShardMap;
use crate::sql::shard_proxy::ShardProxy;
use crate::workload::client::{Client, ClientSettings, Topology, Updates};
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
}

/// Builds one cluster.
pub fn build(scenario: &Scenario, section: &ClusterSection, traffic: &Rc<Traffic>, seed: u64) -> Built {
    let seats = seats(section, &scenario.workload);
    match section {
        ClusterSection::ShardedSql(sql) => build_sql(scenario, section, sql, seats, traffic, seed),
        ClusterSection::GossipRing(ring) => build_ring(scenario, section, ring, seats, traffic, seed),
    }
}

fn build_sql(
    scenario: &Scenario,
    section: &ClusterSection,
    sql: &SqlSection,
    seats: Vec<Seat>,
    traffic: &Rc<Traffic>,
    seed: u64,
) -> Built {
    let settings = Rc::new(sql_settings(scenario, section, sql, &seats, traffic));
    let map = Rc::clone(&settings.first_map);
    let query_proxies = nodes_of(&seats, |seat| matches!(seat, Seat::QueryProxy(_)));
    let asked = (0..query_proxies.len() as u16).collect();
    let topology = Topology { number: 0, asked, owners: None };
    let clients = client_settings(
        scenario,
        query_proxies,
        matches!(sql.reads, ReadFrom::ReadYourWritesWaitMs(_)),
        (topology, None),
        Updates::Direct,
    );
    let nodes = seats
        .iter()
        .map(|seat| {
            let role = match *seat {
                Seat::QueryProxy(_) => Role::QueryProxy(Box::new(QueryProxy::new(Rc::clone(&settings)))),
                Seat::Config(number) => {
                    Role::Config(Box::new(ConfigService::new(Rc::clone(&settings), number as usize - 1)))
                }
                Seat::ShardProxy { shard, .. } => {
                    Role::ShardProxy(Box::new(ShardProxy::new(Rc::clone(&settings), shard as usize - 1)))
                }
                Seat::Mysql { shard, .. } => {
                    Role::MySql(Box::new(MySql::new(Rc::clone(&settings), shard as usize - 1)))
                }
                Seat::BackupStore => {
                    let backups = settings.backups.expect("only with backups is there a store");
                    Role::BackupStore(Box::new(BackupStore::new(Rc::clone(&settings), backups)))
                }
                Seat::Client(_) | Seat::RingNode(_) => client(*seat, 0, &clients, traffic, seed),
            };
            let machine = match seat {
                Seat::Mysql { .. } => &sql.mysql_machine,
                _ => &sql.proxy_machine,
            };
            (node_spec(scenario, section, *seat, machine, &sql.disk, 0), role)
        })
        .collect();
    let world = World::new(seed, network(scenario), nodes);
    Built { seats, world, ring: None, neighbours: Vec::new(), map: Some(map) }
}

pub(super) fn nodes_of(seats: &[Seat], wanted: impl Fn(&Seat) -> bool) -> Vec<NodeId> {
    seats.iter().enumerate().filter(|(_, seat)| wanted(seat)).map(|(at, _)| NodeId(at as u16)).collect()
}

fn build_ring(
    scenario: &Scenario,
    section: &ClusterSection,
    ring: &RingSection,
    seats: Vec<Seat>,
    traffic: &Rc<Traffic>,
    seed: u64,
) -> Built {
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
    let token_ring = Rc::clone(&atlas.view(&first).current);
    let nodes: Vec<NodeId> = members.iter().map(|(at, _, _)| NodeId(*at as u16)).collect();
    let rows_per_partition = ring.rows_per_partition.unwrap_or(1);
    let membership = Rc::new(membership_settings(ring, seed));
    let known = membership.neighbours.clone();
    let settings = Rc::new(RingSettings {
        keys: traffic.keys.in_partitions(rows_per_partition),
        rows_per_partition,
        atlas,
        nodes: nodes.clone(),
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
        clients: nodes_of(&seats, |seat| matches!(seat, Seat::Client(_))),
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
    });
    let updates = match ring.versions {
        VersionsMode::LastWriteWins => Updates::ReadFirst,
        VersionsMode::Siblings => Updates::WithContext,
        VersionsMode::GCounter | VersionsMode::PnCounter => Updates::Direct,
        VersionsMode::CompareAndSet => Updates::CompareAndSet,
    };
    let topology = settings.atlas.view(&first).topology(&settings.keys, ring.token_aware);
    let regions = ring.region_aware.then(|| settings.data_centres.clone());
    let clients = client_settings(scenario, nodes, false, (topology, regions), updates);
    let nodes = seats
        .iter()
        .map(|seat| match *seat {
            Seat::RingNode(number) => {
                let offset = clock_offset_ns(&ring.clock_offset, seed, &seat.name());
                let node = RingNode::new(Rc::clone(&settings), number as u16 - 1);
                let spec = node_spec(scenario, section, *seat, &ring.machine, &ring.disk, offset);
                (spec, Role::Ring(Box::new(node)))
            }
            _ => {
                let spec = node_spec(scenario, section, *seat, &ring.machine, &ring.disk, 0);
                let region = scenario.region_of_zone(scenario.zone_of(section, *seat));
                (spec, client(*seat, region, &clients, traffic, seed))
            }
        })
        .collect();
    let world = World::new(seed, with_legs(network(scenario), &ring.legs), nodes);
    Built { seats, world, ring: Some(token_ring), neighbours: known, map: None }
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

fn client(seat: Seat, region: u8, settings: &Rc<ClientSettings>, traffic: &Rc<Traffic>, seed: u64) -> Role {
    let Seat::Client(number) = seat else { unreachable!("every other seat has its own role") };
    let name = seat.name();
    let generator = Generator::new(Rc::clone(traffic), seed, number - 1, &name);
    Role::Client(Box::new(Client::new(Rc::clone(settings), generator, seed, (&name, region))))
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
    })
}

fn node_spec(
    scenario: &Scenario,
    section: &ClusterSection,
    seat: Seat,
    machine: &MachineSection,
    disk: &DiskSection,
    clock_offset_ns: i64,
) -> NodeSpec {
    let is_free = matches!(seat, Seat::Client(_) | Seat::BackupStore);
    NodeSpec {
        name: seat.name(),
        zone: scenario.zone_of(section, seat),
        cores: if is_free { CORES_UNLIMITED } else { machine.cores },
        queue_limit: machine.queue_limit,
        disk: DiskSpeed {
            read: disk.read.clone(),
            sync: disk.fsync.clone(),
            channels: disk.channels as u16,
            spacing: if !is_free && machine.provisioned_iops > 0.0 {
                SimDuration((1e9 / machine.provisioned_iops + 0.5) as u64)
            } else {
                SimDuration::ZERO
            },
        },
        clock_offset_ns,
    }
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
