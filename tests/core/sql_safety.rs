//! Safety of the sharded SQL cluster under drawn faults.
//!
//! With synchronous replication, logs on disk before an answer, and fencing, no
//! acknowledged write is lost, whatever breaks, as long as one disk of a shard is
//! left; and with fencing, at most one primary takes writes per shard at a time.

use crate::swarm::{Dice, seeds_asked_for};
use faultline::cluster::run::ClusterRun;
use faultline::engine::{NodeId, Purpose, SimDuration, Stream};
use faultline::scenario::fault::{FaultSpec, ScheduledFault, Selector};
use faultline::scenario::parse::parse;
use faultline::scenario::schema::{ClusterSection, FencingMode, ReplicationMode, Scenario};
use faultline::session::Session;
use faultline::workload::operation::{OperationKind, Outcome, ServedBy};

const FAULTS_END_MS: f64 = 12_000.0;

/// Two shards of three nodes, three nodes of the configuration service, and what is broken.
fn draw(seed: u64, fencing: FencingMode) -> Scenario {
    let mut dice = Dice(Stream::new(seed, Purpose::Swarm, 7));
    let json = r#"{ "version": 1, "name": "safety", "title": "Safety", "duration_ms": 40000,
        "workload": { "clients": 6, "rate_per_s": 120, "reads": 0.3, "keys": 200 },
        "clusters": [ { "sharded_sql": { "replicas": 2, "config_nodes": 3, "query_proxies": 2, "shard_proxies": 2,
            "retries": { "unknown_writes": true },
            "failover": { "block_ms": 1000, "leader_lease_ms": 1000 } } } ] }"#;
    let mut scenario = parse(json).expect("it is valid");
    scenario.seed = seed;
    let ClusterSection::ShardedSql(sql) = &mut scenario.clusters[0] else { panic!("it is a SQL cluster") };
    sql.replication = ReplicationMode::Synchronous;
    sql.failover.fencing = fencing;
    sql.config_nodes = if dice.below(3) == 0 { 1 } else { 3 };
    // The disks of one shard that a crash may lose: never all of them.
    let spared = [1 + dice.below(3), 1 + dice.below(3)];
    for _ in 0..2 + dice.below(6) {
        let at_ms = dice.between(1_000.0, FAULTS_END_MS - 1_500.0);
        let for_ms = Some(dice.between(50.0, (FAULTS_END_MS - at_ms).min(6_000.0)));
        let shard = 1 + dice.below(2);
        let member = 1 + dice.below(3);
        let node = match dice.below(4) {
            0 => format!("config-{}", 1 + dice.below(sql.config_nodes)),
            _ => format!("mysql-{shard}-{member}"),
        };
        let loses_disk = node.starts_with("mysql") && member != spared[shard as usize - 1];
        let nodes = Selector::node(&node);
        let fault = match dice.below(7) {
            0 | 1 => FaultSpec::Crash { nodes, disk_lost: loses_disk && dice.below(2) == 0 },
            2 => FaultSpec::Pause { nodes },
            3 => FaultSpec::SlowDisk { nodes, factor: dice.between(2.0, 200.0) },
            4 => FaultSpec::OneWayCut { from: nodes, to: Selector::all() },
            5 => {
                let alone = ["a", "b", "c"][dice.below(3) as usize];
                let others = ["a", "b", "c"].into_iter().filter(|zone| *zone != alone);
                let rest = Selector { zones: others.map(String::from).collect(), ..Selector::default() };
                FaultSpec::Partition { groups: vec![Selector::zone(alone), rest] }
            }
            _ => FaultSpec::ClockSkew { nodes, offset_ms: dice.between(-5_000.0, 5_000.0) },
        };
        scenario.faults.push(ScheduledFault { at_ms, for_ms, fault });
    }
    scenario
}

fn run_checked(scenario: Scenario, check: impl Fn(&ClusterRun)) -> Session {
    let mut session = Session::open(scenario, None, Vec::new(), None).expect("it is valid");
    session.without_checkpoints();
    session.keep_history();
    while session.now() < session.end() {
        session.run_until(session.now() + SimDuration::from_ms(5));
        check(&session.clusters()[0]);
    }
    session.run_until(session.end() + SimDuration::from_ms(1));
    session
}

/// What must be so at every moment: one leader of the configuration service at most, one map of each
/// version, and one node of each shard at most that takes writes.
fn check_moment(run: &ClusterRun) -> Result<(), String> {
    let world = run.world();
    let now = world.now();
    let up = || world.node_ids().filter(|node| !world.body(*node).is_down());
    let configs: Vec<_> = up().filter_map(|node| world.process(node).as_config()).collect();
    let leaders = configs.iter().filter(|config| config.leads(now)).count();
    if leaders > 1 {
        return Err(format!("{leaders} nodes lead the configuration service"));
    }
    for (at, one) in configs.iter().enumerate() {
        let other = configs[..at].iter().find(|other| other.map().version == one.map().version);
        if other.is_some_and(|other| other.map() != one.map()) {
            return Err(format!("two maps of version {}", one.map().version));
        }
    }
    let shards = &run.blueprint().map.as_ref().expect("a SQL cluster has a map").shards;
    for (shard, entry) in shards.iter().enumerate() {
        let takes_writes = |node: &NodeId| {
            let server = world.process(*node).as_mysql().filter(|_| !world.body(*node).is_down());
            server.is_some_and(|server| {
                server.is_primary() && server.lease_until().is_none_or(|until| until > now)
            })
        };
        let primaries = entry.nodes.iter().filter(|node| takes_writes(node)).count();
        if primaries > 1 {
            return Err(format!("{primaries} nodes of shard {} take writes", shard + 1));
        }
    }
    Ok(())
}

fn check(seed: u64, fencing: FencingMode) {
    let say = |what: &str| format!("seed {seed}, {fencing:?}: {what}");
    let session = run_checked(draw(seed, fencing), |moment| {
        check_moment(moment).unwrap_or_else(|why| panic!("{}", say(&why)));
    });
    let run = &session.clusters()[0];
    let lost = run.lost_acknowledged_writes();
    assert_eq!(lost, 0, "{}", say("acknowledged writes are lost by the ledger"));
    // And by what the rows hold: the newest acknowledged write of each key, or a later one.
    let world = run.world();
    let map = run.blueprint().map.as_ref().expect("a SQL cluster has a map");
    let acknowledged = run.recorder().acknowledged();
    for shard in &map.shards {
        let primary = shard.nodes.iter().filter_map(|node| world.process(*node).as_mysql());
        let primaries: Vec<_> = primary.filter(|server| server.is_primary()).collect();
        assert_eq!(primaries.len(), 1, "{}", say("primaries of a shard at the end"));
        for key in 0..200 {
            let keys = &run.blueprint().traffic.keys;
            if !shard.range.is_some_and(|range| range.contains(map.sharding.point(keys, key))) {
                continue;
            }
            if let Some(newest) = acknowledged.newest(key) {
                let held = primaries[0].row(key).content;
                assert!(!newest.is_newer_than(&held), "{}", say(&format!("key {key} is at {held:?}")));
            }
        }
    }
    assert_eq!(run.recorder().counts.split_brain_writes, 0, "{}", say("two primaries took writes"));
    let writes = run.history().filter(|op| {
        op.kind == OperationKind::Write && op.outcome == Outcome::Ok && op.served_by == ServedBy::Primary
    });
    assert!(writes.count() > 300, "{}", say("hardly anything was written"));
}

#[test]
fn no_acknowledged_write_is_lost_with_synchronous_replication_and_fencing() {
    for seed in 1..=40 {
        check(seed, FencingMode::LeaseMs(1_000.0));
        check(seed, FencingMode::ShutdownMs(2_000.0));
    }
}

/// The same faults do lose writes when replication is asynchronous and nothing is fenced.
#[test]
fn the_same_faults_lose_writes_without_them() {
    let lost: u64 = (1..=40)
        .map(|seed| {
            let mut scenario = draw(seed, FencingMode::None);
            let ClusterSection::ShardedSql(sql) = &mut scenario.clusters[0] else {
                panic!("it is a SQL cluster")
            };
            sql.replication = ReplicationMode::Asynchronous;
            run_checked(scenario, |_| {}).clusters()[0].lost_acknowledged_writes()
        })
        .sum();
    assert!(lost > 100, "{lost} writes lost in forty runs");
}

/// `FAULTLINE_SWARM_RUNS=N cargo test --test core -- --ignored safety_many`.
#[test]
#[ignore = "as many runs as asked for"]
fn safety_many() {
    for seed in seeds_asked_for() {
        check(seed, FencingMode::LeaseMs(1_000.0));
        check(seed, FencingMode::ShutdownMs(2_000.0));
    }
}
