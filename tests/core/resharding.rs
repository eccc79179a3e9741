//! Moving ranges of keys between shards while they serve.

use crate::swarm::seeds_asked_for;
use faultline::cluster::run::ClusterRun;
use faultline::engine::{Distribution, Purpose, SimDuration, Stream};
use faultline::scenario::fault::{FaultSpec, ScheduledFault, Selector};
use faultline::scenario::parse::parse;
use faultline::scenario::schema::{ClusterSection, FencingMode, ReplicationMode, Scenario};
use faultline::session::Session;
use faultline::sql::shard_map::ShardMap;
use faultline::workload::operation::Outcome;
use serde_json::{Value, json};

pub fn scenario(cluster: Value, faults: Value) -> Scenario {
    let scenario = json!({
        "version": 1, "name": "move", "title": "Move", "duration_ms": 30000,
        "workload": {"clients": 6, "rate_per_s": 300, "reads": 0.5, "keys": 600, "zipf_theta": 0.5},
        "clusters": [{"sharded_sql": cluster}], "faults": faults
    });
    parse(&scenario.to_string()).unwrap_or_else(|error| panic!("{error}"))
}

pub fn run(scenario: Scenario) -> Session {
    let mut session = Session::open(scenario, None, Vec::new(), None).expect("it is valid");
    session.without_checkpoints();
    session.keep_history();
    session.run_until(session.end());
    session
}

fn map(run: &ClusterRun) -> &ShardMap {
    run.map().expect("there is a configuration service")
}

/// Every row that was ever acknowledged is at the primary of its shard, as new as was acknowledged, and at no other.
pub fn every_row_once(run: &ClusterRun) -> Result<(), String> {
    let (world, map) = (run.world(), map(run));
    let keys = &run.blueprint().traffic.keys;
    for key in 0..keys.len() as u32 {
        let owner = map.shard_of(map.sharding.point(keys, key));
        let acknowledged = run.recorder().acknowledged().newest(key);
        for (shard, entry) in map.shards.iter().enumerate() {
            let server = world.process(entry.primary).as_mysql().expect("a MySQL node");
            if !server.is_primary() {
                return Err(format!("{} is not primary", world.body(entry.primary).name()));
            }
            let held = server.row(key).content;
            if shard != owner && held.version > 0 {
                return Err(format!("key {key} of shard {owner} is in shard {shard} too"));
            }
            if shard == owner && acknowledged.is_some_and(|newest| newest.is_newer_than(&held)) {
                return Err(format!(
                    "key {key} in shard {shard} is {held:?}, acknowledged was {acknowledged:?}"
                ));
            }
        }
    }
    Ok(())
}

pub fn failed(run: &ClusterRun) -> usize {
    run.history().filter(|op| op.completed.is_some() && op.outcome != Outcome::Ok).count()
}

#[test]
fn a_shard_is_split_while_it_serves() {
    for (cluster, at) in [
        (json!({"shards": [{"from": "A", "to": "Z"}], "spare_shards": 1, "replicas": 2}), "N"),
        (json!({"hash_shards": 1, "spare_shards": 1, "replicas": 1, "config_nodes": 3}), "80"),
        (
            json!({"shards": [{"from": "A", "to": "Z"}], "spare_shards": 1, "failover": {"fencing": {"lease_ms": 2000}},
                "replication": "synchronous"}),
            "K0",
        ),
    ] {
        let session =
            run(scenario(cluster, json!([{"at_ms": 5000, "do": {"split": {"shard": 1, "at": at}}}])));
        let run = &session.clusters()[0];
        let map = map(run);
        assert!(map.shards.iter().all(|shard| shard.range.is_some()), "at {at}: {map:?}");
        every_row_once(run).unwrap_or_else(|why| panic!("at {at}: {why}"));
        assert_eq!(run.lost_acknowledged_writes(), 0);
        // Writes wait out the pause: hardly any fails.
        assert!(failed(run) <= 3, "{} failed", failed(run));
        let moved: Vec<bool> = map
            .shards
            .iter()
            .map(|shard| {
                run.world()
                    .process(shard.primary)
                    .as_mysql()
                    .is_some_and(|server| server.executed().sequence > 50)
            })
            .collect();
        assert_eq!(moved, [true, true], "both take writes");
        assert_eq!(
            run.recorder().counts.stale_reads,
            0,
            "reads of the primary without delay are never stale"
        );
    }
}

#[test]
fn two_shards_are_merged() {
    let cluster = json!({"shards": [{"from": "A", "to": "F"}, {"from": "G", "to": "Z"}], "replicas": 1});
    let session = run(scenario(cluster, json!([{"at_ms": 5000, "do": {"merge": {"shard": 2, "into": 1}}}])));
    let run = &session.clusters()[0];
    assert!(map(run).shards[1].range.is_none());
    every_row_once(run).unwrap_or_else(|why| panic!("{why}"));
    assert!(failed(run) <= 3, "{} failed", failed(run));
}

#[test]
fn what_cannot_be_moved_stays() {
    let cluster = json!({"shards": [{"from": "A", "to": "M"}, {"from": "N", "to": "Z"}]});
    for what in [
        json!({"split": {"shard": 1, "at": "F"}}),
        json!({"split": {"shard": 9, "at": "F"}}),
        json!({"merge": {"shard": 1, "into": 7}}),
    ] {
        let session = run(scenario(cluster.clone(), json!([{"at_ms": 2000, "do": what}])));
        assert_eq!(map(&session.clusters()[0]).version, 1);
    }
}

#[test]
fn a_move_that_is_lifted_at_any_moment_leaves_every_row_once() {
    let mut done = 0;
    for step in 0..40 {
        let cluster = json!({"shards": [{"from": "A", "to": "Z"}], "spare_shards": 1, "replicas": 1});
        let for_ms = 1 + step * 20;
        let faults = json!([{"at_ms": 5000, "for_ms": for_ms, "do": {"split": {"shard": 1, "at": "N"}}}]);
        let session = run(scenario(cluster, faults));
        let run = &session.clusters()[0];
        every_row_once(run).unwrap_or_else(|why| panic!("lifted after {for_ms} ms: {why}"));
        assert!(failed(run) <= 3, "lifted after {for_ms} ms: {} failed", failed(run));
        done += usize::from(map(run).shards[1].range.is_some());
    }
    assert!((1..40).contains(&done), "{done} of 40 were done before they were lifted");
}

fn add_schema_change(scenario: &mut Scenario, dice: &mut Stream) {
    let at_ms = 3_500.0 + f64::from(dice.below(3_000));
    let for_ms = dice.chance(0.3).then(|| 100.0 + f64::from(dice.below(3_000)));
    let fault = FaultSpec::SchemaChange { shard: 1 + dice.below(2) as u16 };
    scenario.faults.push(ScheduledFault { at_ms, for_ms, fault });
    if let ClusterSection::ShardedSql(sql) = &mut scenario.clusters[0] {
        sql.schema_change.online = dice.chance(0.7);
        sql.schema_change.chunk_rows = 20;
        sql.schema_change.row_service = Distribution::constant_ms(1.0);
    }
}

/// Crashes, pauses and cuts in the middle of it.
fn check_broken(seed: u64) {
    let mut dice = Stream::new(seed, Purpose::Swarm, 9);
    let cluster = json!({"shards": [{"from": "A", "to": "Z"}], "spare_shards": 1, "replicas": 2, "config_nodes": 3,
                         "resharding": {"chunk_rows": 20}, "failover": {"block_ms": 1000, "leader_lease_ms": 1000}});
    let mut scenario = scenario(cluster, json!([]));
    scenario.seed = seed;
    let ClusterSection::ShardedSql(sql) = &mut scenario.clusters[0] else { panic!("it is a SQL cluster") };
    sql.replication = ReplicationMode::Synchronous;
    sql.failover.fencing =
        if dice.chance(0.5) { FencingMode::LeaseMs(1_000.0) } else { FencingMode::ShutdownMs(1_500.0) };
    let split = FaultSpec::Split { shard: 1, at: "N".to_string() };
    let for_ms = dice.chance(0.3).then(|| 100.0 + f64::from(dice.below(6_000)));
    scenario.faults.push(ScheduledFault { at_ms: 4_000.0, for_ms, fault: split });
    // A schema change gets in the way of the move, and the move in its way.
    if dice.chance(0.5) {
        add_schema_change(&mut scenario, &mut dice);
    }
    for _ in 0..1 + dice.below(4) {
        let at_ms = 4_000.0 + f64::from(dice.below(4_000));
        let for_ms = Some(20.0 + f64::from(dice.below(2_500)));
        let name = match dice.below(3) {
            0 => format!("config-{}", 1 + dice.below(3)),
            _ => format!("mysql-{}-{}", 1 + dice.below(2), 1 + dice.below(3)),
        };
        let nodes = Selector::node(&name);
        let fault = match dice.below(4) {
            0 | 1 => FaultSpec::Crash { nodes, disk_lost: false },
            2 => FaultSpec::Pause { nodes },
            _ => FaultSpec::OneWayCut { from: nodes, to: Selector::all() },
        };
        scenario.faults.push(ScheduledFault { at_ms, for_ms, fault });
    }
    let mut session = Session::open(scenario, None, Vec::new(), None).expect("it is valid");
    session.without_checkpoints();
    session.run_until(session.end() + SimDuration::from_ms(10));
    let run = &session.clusters()[0];
    every_row_once(run).unwrap_or_else(|why| panic!("seed {seed}: {why}"));
    assert_eq!(run.lost_acknowledged_writes(), 0, "seed {seed}");
}

#[test]
fn a_move_in_which_things_break_leaves_every_row_once() {
    (1..=60).for_each(check_broken);
}

/// `FAULTLINE_SWARM_RUNS=N cargo test --test core -- --ignored resharding_many`.
#[test]
#[ignore = "as many runs as asked for"]
fn resharding_many() {
    seeds_asked_for().for_each(check_broken);
}
