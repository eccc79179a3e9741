//! Swarm test: runs whose every option is drawn from a seed.
//!
//! A run has a safety phase, in which reads and writes meet crashes, pauses,
//! cuts, loss, skew and slowness, and a liveness phase: all faults lifted, no
//! more writes, every key read several times. Then everything must have healed:
//! each shard has one primary, replicas hold what it holds, ring replicas agree,
//! and every key can be read. (The idea and its name are from Groce et al.,
//! "Swarm Testing", ISSTA 2012; the two phases from TigerBeetle's simulator.)

use faultline::cluster::run::ClusterRun;
use faultline::engine::distribution::{Distribution, Lognormal};
use faultline::engine::{Purpose, SimTime, Stream};
use faultline::scenario::fault::{FaultSpec, ScheduledFault, Selector};
use faultline::scenario::names::seats;
use faultline::scenario::schema::{
    AntiEntropySection, BackupsSection, BufferPoolSection, BufferingSection, ChecksSection,
    CircuitBreakerSection, ClusterSection, CompactionSection, FailureDetectionSection, FencingMode,
    GossipMode, GossipPeers, HintedHandoffSection, LevelledSection, LogSyncPolicy, NetworkSection,
    PartitioningMode, PhiAccrualSection, ProbeOrder, ProbesSection, ReadFrom, ReadRepairMode, ReadReplicas,
    ReplicationMode, RetriesSection, RingSection, Scenario, ShardRange, SizeTieredSection, SqlSection,
    StorageSection, SwimSection, SyncPolicy, TimeOutSection, VersionsMode, WorkloadSection,
};
use faultline::session::Session;
use faultline::workload::operation::{Cause, OperationKind, Outcome};
use faultline::workload::recorded::{Format, RecordedOperation, Recording};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

const SAFETY_MS: f64 = 8_000.0;
/// After the last fault is lifted: connections resume, replicas copy and catch up, gossip settles.
const SETTLE_MS: f64 = 30_000.0;
const READS_MS: f64 = 6_000.0;
const READS_PER_KEY: u32 = 12;

/// Draws from a seed.
pub struct Dice(pub Stream);

impl Dice {
    pub fn below(&mut self, bound: u32) -> u32 {
        self.0.below(bound)
    }

    pub fn between(&mut self, low: f64, high: f64) -> f64 {
        // Rounded, so that a printed scenario is the scenario.
        ((low + (high - low) * self.0.unit()) * 100.0).round() / 100.0
    }

    fn one_in(&mut self, n: u32) -> bool {
        self.below(n) == 0
    }
}

fn draw_scenario(seed: u64) -> Scenario {
    let mut dice = Dice(Stream::new(seed, Purpose::Swarm, 0));
    let shards = match dice.below(3) {
        0 => vec![ShardRange::new("A", "Z")],
        1 => vec![ShardRange::new("A", "M"), ShardRange::new("N", "Z")],
        _ => vec![ShardRange::new("A", "F"), ShardRange::new("G", "P"), ShardRange::new("Q", "Z")],
    };
    let sync =
        |dice: &mut Dice| if dice.one_in(2) { SyncPolicy::EveryWrite } else { SyncPolicy::EveryMs(200.0) };
    let sql = draw_sql(&mut dice, shards);
    let nodes = 3 + dice.below(7);
    let n = 1 + dice.below(nodes.min(5));
    let ring = RingSection {
        nodes,
        virtual_nodes: 1 + dice.below(32),
        n,
        r: 1 + dice.below(n),
        w: 1 + dice.below(n),
        commit_log_sync: sync(&mut dice),
        ..RingSection::default()
    };
    let mut scenario = Scenario {
        version: 1,
        name: "swarm".to_string(),
        title: "Swarm".to_string(),
        question: String::new(),
        things_to_try: Vec::new(),
        seed,
        duration_ms: 60_000.0,
        zones: ["a", "b", "c"].map(String::from).to_vec(),
        regions: Vec::new(),
        network: NetworkSection {
            same_zone: Distribution::Lognormal(Lognormal { median_ms: 0.2, sigma: 0.5 }),
            loss: if dice.one_in(4) { 0.001 } else { 0.0 },
            ..NetworkSection::default()
        },
        workload: WorkloadSection {
            clients: 1 + dice.below(8),
            rate_per_s: 1.0,
            reads: 0.5,
            counts: false,
            deletes: 0.0,
            decrements: 0.0,
            scans: 0.0,
            tops: 0.0,
            joins: 0.0,
            query_rows: 10,
            keys: 20 + dice.below(300),
            zipf_theta: 0.99,
            payload_bytes: Default::default(),
            timeout_ms: 1_000.0,
            in_flight_max: 1_024,
            probes: seed.is_multiple_of(4).then(ProbesSection::default),
        },
        clusters: vec![ClusterSection::ShardedSql(Box::new(sql)), ClusterSection::GossipRing(Box::new(ring))],
        faults: Vec::new(),
        checks: ChecksSection::default(),
        prices: "aws-us-east-1-on-demand".to_string(),
        price_overrides: Vec::new(),
        effort: Default::default(),
    };
    let faults = 1 + dice.below(6);
    scenario.faults = (0..faults).map(|_| draw_fault(&mut dice, &scenario)).collect();
    draw_operations(&mut dice, &mut scenario);
    draw_quorums(&mut dice, &mut scenario);
    draw_membership(seed, &mut scenario);
    draw_versions(seed, &mut scenario);
    draw_ring_changes(seed, &mut scenario);
    draw_storage(seed, &mut scenario);
    scenario
}

/// How the ring stores and protects what it has; from dice of its own, too.
fn draw_storage(seed: u64, scenario: &mut Scenario) {
    let mut dice = Dice(Stream::new(seed, Purpose::Swarm, 4));
    let ClusterSection::GossipRing(ring) = &mut scenario.clusters[1] else { return };
    ring.encryption.in_transit = dice.one_in(4);
    ring.encryption.at_rest = dice.one_in(4);
    if dice.one_in(2) {
        let compaction = match dice.below(3) {
            0 => None,
            1 => Some(CompactionSection::SizeTiered(SizeTieredSection {
                min_threshold: 2 + dice.below(4),
                ..SizeTieredSection::default()
            })),
            _ => Some(CompactionSection::Levelled(LevelledSection { table_mb: 0.02, fan_out: 4 })),
        };
        let throttled = dice.one_in(2);
        // Where tables pile up, the disk alone cannot keep up with the reads.
        let piles_up = compaction.is_none() || throttled;
        ring.storage = Some(StorageSection {
            memtable_mb: dice.between(0.01, 0.05),
            commit_log_mb: dice.between(0.05, 0.5),
            block_cache_mb: if piles_up { 2.0 } else { dice.between(0.0, 0.1) },
            // Made slower still by a fault, it makes writes wait.
            disk_mb_per_s: if dice.one_in(4) { 1.0 } else { 50.0 },
            compaction,
            compaction_mb_per_s: throttled.then_some(0.1),
            ..StorageSection::default()
        });
    }
    ring.rows_per_partition = dice.one_in(3).then(|| 2 + dice.below(20));
}

/// How a ring's coordinators go about it, and what heals replicas.
fn draw_quorums(dice: &mut Dice, scenario: &mut Scenario) {
    let ClusterSection::GossipRing(ring) = &mut scenario.clusters[1] else { return };
    ring.sloppy_quorum = dice.one_in(2);
    ring.token_aware = dice.one_in(2);
    ring.digest_reads = dice.one_in(3);
    if dice.one_in(3) {
        ring.read_repair = ReadRepairMode::Blocking;
    }
    if dice.one_in(2) {
        let rate_per_s = dice.between(50.0, 2_000.0);
        ring.hinted_handoff = Some(HintedHandoffSection { rate_per_s, ..HintedHandoffSection::default() });
    }
    if dice.one_in(3) {
        ring.read_from = ReadReplicas::Needed;
        ring.speculative_retry_percentile = dice.one_in(2).then_some(95.0);
    }
    // Reads that ask few replicas do not find the others behind.
    if dice.one_in(3) || ring.read_from == ReadReplicas::Needed {
        let interval_ms = dice.between(300.0, 2_000.0);
        ring.anti_entropy =
            Some(AntiEntropySection { interval_ms, depth: 6, ..AntiEntropySection::default() });
    }
}

/// How the ring gossips and judges; from dice of its own, so that all else stays as it was drawn.
fn draw_membership(seed: u64, scenario: &mut Scenario) {
    let mut dice = Dice(Stream::new(seed, Purpose::Swarm, 2));
    let ClusterSection::GossipRing(ring) = &mut scenario.clusters[1] else { return };
    let gossip = &mut ring.gossip;
    gossip.mode = [GossipMode::Push, GossipMode::Pull, GossipMode::PushPull][dice.below(3) as usize];
    gossip.delta = dice.one_in(2);
    gossip.interval_ms = dice.between(50.0, 400.0);
    gossip.neighbours = 2 + dice.below(2);
    gossip.fan_out = 1 + dice.below(gossip.neighbours);
    if dice.one_in(2) {
        gossip.peers = GossipPeers::Everybody;
    }
    // One way back is enough; but who is believed dead is pulled from by nobody, and where rumours
    // are only pushed it is told nothing: it cannot refute.
    gossip.seeds = dice.below(3);
    gossip.unreachable = gossip.seeds == 0 || gossip.mode != GossipMode::PushPull || dice.one_in(2);
    // Patient enough that nobody healthy is convicted for being quiet for a moment.
    ring.failure_detection = match dice.below(4) {
        0 => FailureDetectionSection::TimeOut(TimeOutSection {
            after_ms: gossip.interval_ms * dice.between(25.0, 40.0),
        }),
        1 => FailureDetectionSection::PhiAccrual(PhiAccrualSection {
            threshold: dice.between(8.0, 12.0),
            window: 100 + dice.below(1_000),
        }),
        _ => FailureDetectionSection::Swim(SwimSection {
            period_ms: dice.between(300.0, 1_000.0),
            timeout_ms: dice.between(50.0, 300.0),
            indirect: dice.below(4),
            order: if dice.one_in(2) { ProbeOrder::Random } else { ProbeOrder::RoundRobin },
            lifeguard: dice.one_in(2),
            ..SwimSection::default()
        }),
    };
}

/// What becomes of writes that did not know of each other; from dice of its own.
fn draw_versions(seed: u64, scenario: &mut Scenario) {
    let mut dice = Dice(Stream::new(seed, Purpose::Swarm, 3));
    let ClusterSection::GossipRing(ring) = &mut scenario.clusters[1] else { return };
    scenario.workload.counts = dice.one_in(2);
    ring.versions = match dice.below(8) {
        0 => VersionsMode::GCounter,
        1 => VersionsMode::PnCounter,
        2 | 3 => VersionsMode::Siblings,
        4 | 5 => VersionsMode::CompareAndSet,
        _ => VersionsMode::LastWriteWins,
    };
    if ring.versions == VersionsMode::CompareAndSet {
        ring.sloppy_quorum = false;
        // A round hears of a majority only: it does not find the others behind.
        ring.anti_entropy.get_or_insert_with(|| AntiEntropySection {
            interval_ms: 1_000.0,
            depth: 6,
            ..AntiEntropySection::default()
        });
    }
}

/// Nodes that join and leave meanwhile; from dice of its own.
fn draw_ring_changes(seed: u64, scenario: &mut Scenario) {
    let mut dice = Dice(Stream::new(seed, Purpose::Swarm, 31));
    let ClusterSection::GossipRing(ring) = &mut scenario.clusters[1] else { return };
    match dice.below(4) {
        0 => ring.partitioning = PartitioningMode::EqualRanges,
        1 => ring.partitioning = PartitioningMode::EqualShares,
        _ => {}
    }
    let cannot =
        ring.partitioning == PartitioningMode::EqualShares || ring.versions == VersionsMode::CompareAndSet;
    if cannot || dice.one_in(2) {
        return;
    }
    ring.spares = dice.below(3);
    ring.stream_mbit_per_s = dice.between(1.0, 200.0);
    let all = ring.nodes + ring.spares;
    for _ in 0..1 + dice.below(3) {
        let node = format!("ring-{}", 1 + dice.below(all));
        let fault = if dice.one_in(2) { FaultSpec::Join { node } } else { FaultSpec::Leave { node } };
        let for_ms = dice.one_in(4).then(|| dice.between(10.0, 3_000.0));
        scenario.faults.push(ScheduledFault { at_ms: dice.between(0.0, SAFETY_MS), for_ms, fault });
    }
}

/// What an operator does meanwhile.
fn draw_operations(dice: &mut Dice, scenario: &mut Scenario) {
    let ClusterSection::ShardedSql(sql) = &mut scenario.clusters[0] else { return };
    if dice.one_in(3) {
        sql.backups = Some(BackupsSection {
            snapshot_every_ms: dice.between(500.0, 8_000.0),
            snapshots: 1 + dice.below(3),
            binlog_every_ms: dice.between(100.0, 2_000.0),
        });
    }
    sql.schema_change.online = dice.one_in(2);
    let shards = sql.shard_count();
    let operations = if dice.one_in(2) { dice.below(3) } else { 0 };
    for _ in 0..operations {
        let shard = 1 + dice.below(shards) as u16;
        let fault = if dice.one_in(2) {
            FaultSpec::SchemaChange { shard }
        } else {
            FaultSpec::Restore {
                shard,
                back_ms: Some(dice.between(0.0, 4_000.0)).filter(|back| *back > 500.0),
            }
        };
        scenario.faults.push(ScheduledFault { at_ms: dice.between(0.0, SAFETY_MS), for_ms: None, fault });
    }
}

fn draw_sql(dice: &mut Dice, shards: Vec<ShardRange>) -> SqlSection {
    let replicas = dice.below(4);
    let log_sync = |dice: &mut Dice| match dice.below(4) {
        0 | 1 => LogSyncPolicy::EveryWrite,
        2 => LogSyncPolicy::EveryWrites(20),
        _ => LogSyncPolicy::EveryMs(200.0),
    };
    let mut sql = SqlSection {
        query_proxies: 1 + dice.below(3),
        shards,
        shard_proxies: 1 + dice.below(2),
        replicas,
        config_nodes: if dice.one_in(2) { 1 } else { 3 },
        appliers: 1 + dice.below(4),
        redo_log_sync: log_sync(dice),
        binlog_sync: log_sync(dice),
        reads: match dice.below(4) {
            0 => ReadFrom::Primary,
            1 => ReadFrom::Replica,
            2 => ReadFrom::WithinLagMs(200.0),
            _ => ReadFrom::ReadYourWritesWaitMs(50.0),
        },
        replication: match dice.below(3) {
            1 if replicas > 0 => {
                ReplicationMode::SemiSynchronous { replicas: 1 + dice.below(replicas), timeout_ms: 500.0 }
            }
            2 if replicas > 0 => ReplicationMode::Synchronous,
            _ => ReplicationMode::Asynchronous,
        },
        pool_queue: dice.below(2) * 100,
        ..SqlSection::default()
    };
    sql.failover.fencing = match dice.below(3) {
        0 => FencingMode::None,
        1 => FencingMode::LeaseMs(1_000.0),
        _ => FencingMode::ShutdownMs(3_000.0),
    };
    sql.failover.block_ms = if dice.one_in(2) { 0.0 } else { 5_000.0 };
    sql.cache.coalescing = dice.one_in(2);
    if dice.one_in(3) {
        sql.cache.entries = 0;
    }
    if dice.one_in(2) {
        sql.retries = Some(RetriesSection { unknown_writes: dice.one_in(2), ..RetriesSection::default() });
    }
    if dice.one_in(2) {
        sql.circuit_breaker = Some(CircuitBreakerSection::default());
    }
    if dice.one_in(2) {
        sql.buffering = Some(BufferingSection { failovers_apart_ms: 2_000.0, ..BufferingSection::default() });
    }
    if dice.one_in(2) {
        sql.buffer_pool = Some(BufferPoolSection { pages: 8, rows_per_page: 4 });
    }
    sql.encryption.in_transit = dice.one_in(4);
    sql.encryption.at_rest = dice.one_in(4);
    sql
}

fn draw_fault(dice: &mut Dice, scenario: &Scenario) -> ScheduledFault {
    let names: Vec<String> = scenario
        .clusters
        .iter()
        .flat_map(|section| seats(section, &scenario.workload))
        .map(|seat| seat.name())
        .filter(|name| !name.starts_with("client"))
        .collect();
    let some_nodes = |dice: &mut Dice| {
        let count = 1 + dice.below(3);
        let chosen: BTreeSet<String> =
            (0..count).map(|_| names[dice.below(names.len() as u32) as usize].clone()).collect();
        Selector { nodes: chosen.into_iter().collect(), ..Selector::default() }
    };
    let some_zone = |dice: &mut Dice| ["a", "b", "c"][dice.below(3) as usize];
    let fault = match dice.below(12) {
        0 | 1 => FaultSpec::Crash { nodes: some_nodes(dice), disk_lost: false },
        2 => FaultSpec::Restart { nodes: some_nodes(dice) },
        3 => FaultSpec::Pause { nodes: some_nodes(dice) },
        4 => FaultSpec::SlowMachine { nodes: some_nodes(dice), factor: dice.between(2.0, 40.0) },
        5 => FaultSpec::SlowDisk { nodes: some_nodes(dice), factor: dice.between(2.0, 100.0) },
        6 => {
            let alone = some_zone(dice);
            let others =
                ["a", "b", "c"].iter().filter(|zone| **zone != alone).map(|zone| zone.to_string()).collect();
            let rest = Selector { zones: others, ..Selector::default() };
            FaultSpec::Partition { groups: vec![Selector::zone(alone), rest] }
        }
        7 => FaultSpec::OneWayCut { from: some_nodes(dice), to: Selector::all() },
        8 => FaultSpec::Loss {
            from: Selector::all(),
            to: Selector::all(),
            probability: dice.between(0.01, 0.3),
        },
        9 => FaultSpec::Delay {
            from: Selector::all(),
            to: some_nodes(dice),
            extra: Distribution::constant_ms(dice.between(1.0, 300.0)),
        },
        10 => FaultSpec::Duplication { from: Selector::all(), to: Selector::all(), probability: 0.2 },
        _ => FaultSpec::ClockSkew { nodes: some_nodes(dice), offset_ms: dice.between(-3_000.0, 3_000.0) },
    };
    let at_ms = dice.between(0.0, SAFETY_MS - 1_000.0);
    ScheduledFault { at_ms, for_ms: Some(dice.between(10.0, SAFETY_MS - at_ms)), fault }
}

/// Reads and writes of random keys in the safety phase; then, after a pause, every key several times.
fn draw_traffic(seed: u64, keys: u32) -> Recording {
    let mut dice = Dice(Stream::new(seed, Purpose::Swarm, 1));
    let mut operations = Vec::new();
    let rate_per_ms = dice.between(0.1, 1.0);
    let writes = dice.between(0.05, 0.9);
    let mut at_ms = 0.0;
    while at_ms < SAFETY_MS {
        at_ms += dice.0.exponential() / rate_per_ms;
        let is_write = dice.0.chance(writes);
        operations.push(RecordedOperation {
            at_ns: (at_ms * 1e6) as u64,
            key: dice.below(keys),
            is_write,
            bytes: 100,
        });
    }
    let reads = keys * READS_PER_KEY;
    let first_read_ms = SAFETY_MS + SETTLE_MS;
    operations.extend((0..reads).map(|read| RecordedOperation {
        at_ns: ((first_read_ms + READS_MS * f64::from(read) / f64::from(reads)) * 1e6) as u64,
        key: read % keys,
        is_write: false,
        bytes: 100,
    }));
    let taken = operations.len() as u64;
    Recording {
        operations,
        keys: (0..keys).map(|key| format!("{}{key:03}", (b'A' + (key * 7 % 26) as u8) as char)).collect(),
        taken,
        skipped: 0,
        first_skipped: Vec::new(),
        gaps_closed: 0,
        format: Format::Csv,
    }
}

/// Runs a seed and says what did not heal.
fn run_seed(seed: u64) -> Result<u64, String> {
    run_scenario(seed, draw_scenario(seed))
}

fn run_scenario(seed: u64, scenario: Scenario) -> Result<u64, String> {
    let keys = scenario.workload.keys;
    let recording = Rc::new(draw_traffic(seed, keys));
    let mut session =
        Session::open(scenario, None, Vec::new(), Some(recording)).map_err(|error| error.to_string())?;
    session.without_checkpoints();
    session.keep_history();
    let end = session.end();
    session.run_until(end + faultline::engine::SimDuration::from_ms(5_000));
    for run in session.clusters() {
        every_key_was_read(run)?;
        every_operation_ended(run)?;
        reads_return_what_was_written_to_their_key(run)?;
        match run.kind() {
            "sharded_sql" => replicas_hold_what_the_primary_holds(run, keys)?,
            _ => {
                ring_replicas_agree(run, keys)?;
                nothing_that_is_promised_is_lost(run)?;
            }
        }
    }
    Ok(session.trace_hash())
}

fn every_key_was_read(run: &ClusterRun) -> Result<(), String> {
    let liveness = SimTime(((SAFETY_MS + SETTLE_MS) * 1e6) as u64);
    for operation in run.history().filter(|operation| operation.invoked >= liveness) {
        // An open circuit breaker closes with the first query that it lets through.
        let probed = operation.outcome == Outcome::Failed(Cause::CircuitOpen)
            && operation.invoked.since(liveness) < faultline::engine::SimDuration::from_ms(200);
        if operation.completed.is_some() && operation.outcome != Outcome::Ok && !probed {
            return Err(format!(
                "{}: key {} could not be read at {} after all faults were lifted: {:?}",
                run.name(),
                operation.key,
                operation.invoked,
                operation.outcome
            ));
        }
    }
    Ok(())
}

fn every_operation_ended(run: &ClusterRun) -> Result<(), String> {
    let summary = run.summary(run.world().now());
    let sum = summary.ok + summary.failed + summary.unknown;
    if sum != summary.invoked {
        return Err(format!(
            "{}: {} operations were invoked, and {sum} accounted for",
            run.name(),
            summary.invoked
        ));
    }
    Ok(())
}

fn replicas_hold_what_the_primary_holds(run: &ClusterRun, keys: u32) -> Result<(), String> {
    let world = run.world();
    for shard in &run.blueprint().map.as_ref().expect("a SQL cluster has a map").shards {
        let servers: Vec<_> = shard.nodes.iter().filter_map(|node| world.process(*node).as_mysql()).collect();
        let primaries: Vec<_> = servers.iter().filter(|server| server.is_primary()).collect();
        let [primary] = primaries.as_slice() else {
            return Err(format!(
                "{}: shard {} has {} primaries",
                run.name(),
                shard.range.map_or(0, |range| range.from),
                primaries.len()
            ));
        };
        for (node, server) in shard.nodes.iter().zip(&servers) {
            if server.executed().sequence != primary.executed().sequence {
                return Err(format!(
                    "{}: {} has executed {:?}, its primary {:?}",
                    run.name(),
                    world.body(*node).name(),
                    server.executed(),
                    primary.executed()
                ));
            }
            // A crash can leave the binlog ahead of a redo log that commits do not wait for: the
            // transaction counts as executed, and its row is missing. Nothing in MySQL mends that.
            let ClusterSection::ShardedSql(sql) = &run.blueprint().section else { continue };
            if sql.redo_log_sync != LogSyncPolicy::EveryWrite {
                continue;
            }
            if let Some(key) = (0..keys).find(|key| server.row(*key) != primary.row(*key)) {
                return Err(format!("{}: {} differs in key {key}", run.name(), world.body(*node).name()));
            }
        }
    }
    Ok(())
}

fn reads_return_what_was_written_to_their_key(run: &ClusterRun) -> Result<(), String> {
    if let ClusterSection::GossipRing(ring) = &run.blueprint().section
        && matches!(ring.versions, VersionsMode::GCounter | VersionsMode::PnCounter)
    {
        return Ok(());
    }
    let writes = run.history().filter(|operation| operation.kind.is_write());
    let keys: BTreeMap<u64, u32> = writes.map(|write| (write.id.0, write.key)).collect();
    let mut reads = run
        .history()
        .filter(|operation| operation.kind == OperationKind::Read && operation.result.value != 0);
    match reads.find(|read| keys.get(&read.result.value) != Some(&read.key)) {
        Some(read) => Err(format!("{}: {read:?} returned what was written to another key", run.name())),
        None => Ok(()),
    }
}

/// Where no write can win over another, and what is acknowledged is on disk.
fn nothing_that_is_promised_is_lost(run: &ClusterRun) -> Result<(), String> {
    let ClusterSection::GossipRing(ring) = &run.blueprint().section else { return Ok(()) };
    let promised =
        ring.versions != VersionsMode::LastWriteWins && ring.commit_log_sync == SyncPolicy::EveryWrite;
    match run.lost_acknowledged_writes() {
        lost if promised && lost > 0 => {
            Err(format!("{:?}: {lost} acknowledged writes are lost", ring.versions))
        }
        _ => Ok(()),
    }
}

fn ring_replicas_agree(run: &ClusterRun, keys: u32) -> Result<(), String> {
    let world = run.world();
    let ring = run.ring().expect("a ring has tokens");
    let nodes: Vec<_> = world.node_ids().filter_map(|node| world.process(node).as_ring()).collect();
    for node in &nodes {
        if let Some(dead) = node.gossip().believed_dead().next() {
            return Err(format!(
                "{}: ring-{} still believes ring-{} dead",
                run.name(),
                node.index() + 1,
                dead + 1
            ));
        }
    }
    for key in 0..keys {
        let replicas = ring.replicas(nodes[0].settings().keys.token(key));
        let held: BTreeSet<u64> =
            replicas.iter().map(|replica| nodes[usize::from(*replica)].row(key).hash()).collect();
        if held.len() > 1 {
            return Err(format!(
                "{}: replicas of key {key} hold {held:?}, {:?}",
                run.name(),
                nodes[0].settings().versions
            ));
        }
    }
    Ok(())
}

fn check(first: u64, runs: u64) {
    for seed in first..first + runs {
        if let Err(why) = run_seed(seed) {
            panic!("swarm seed {seed}: {why}\n(repeat it: cargo xtask swarm --runs 1 --seed {seed})");
        }
    }
}

#[test]
fn drawn_runs_heal_once_all_faults_are_lifted() {
    check(1, 40);
}

/// The liveness phase can fail: without read repair nothing brings ring replicas together.
#[test]
fn without_read_repair_some_drawn_run_does_not_heal() {
    let healed = (1..=20).all(|seed| {
        let mut scenario = draw_scenario(seed);
        for section in &mut scenario.clusters {
            if let ClusterSection::GossipRing(ring) = section {
                ring.read_repair = ReadRepairMode::None;
                ring.anti_entropy = None;
                ring.hinted_handoff = None;
            }
        }
        run_scenario(seed, scenario).is_ok()
    });
    assert!(!healed, "twenty runs healed although nothing repairs");
}

#[test]
fn a_drawn_run_gives_the_same_hash_twice() {
    for seed in 1_000..1_006 {
        assert_eq!(run_seed(seed), run_seed(seed), "swarm seed {seed}");
    }
}

/// The seeds that `FAULTLINE_SWARM_SEED` and `FAULTLINE_SWARM_RUNS` name: 1 to 1,000 if they do not.
pub fn seeds_asked_for() -> std::ops::Range<u64> {
    let number = |name: &str, default: u64| {
        std::env::var(name).map_or(default, |text| text.parse().unwrap_or(default))
    };
    let (first, runs) = (number("FAULTLINE_SWARM_SEED", 1), number("FAULTLINE_SWARM_RUNS", 1_000));
    first..first + runs.max(1)
}

/// `cargo xtask swarm --runs N [--seed S]`.
#[test]
#[ignore = "as many runs as asked for"]
fn swarm_many() {
    let seeds = seeds_asked_for();
    let (first, last) = (seeds.start, seeds.end - 1);
    check(first, seeds.end - first);
    println!("{} drawn runs healed, seeds {first} to {last}", seeds.end - first);
}
