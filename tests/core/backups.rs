//! Backups, and restores of a shard from them.

use crate::resharding::{every_row_once, run, scenario};
use crate::swarm::seeds_asked_for;
use faultline::cluster::run::ClusterRun;
use faultline::engine::{Purpose, SimDuration, SimTime, Stream};
use faultline::report::run_report::{ClusterReport, RunReport};
use faultline::session::Session;
use faultline::sql::mysql::MySql;
use faultline::workload::operation::{OperationKind, Outcome, Versioned};
use serde_json::{Value, json};

fn cluster(backups: Option<Value>) -> Value {
    let mut cluster = json!({"shards": [{"from": "A", "to": "M"}, {"from": "N", "to": "Z"}], "replicas": 1,
                             "failover": {"block_ms": 1000}, "cache": {"entries": 0}});
    if let Some(backups) = backups {
        cluster["backups"] = backups;
    }
    cluster
}

/// All nodes of the first shard lose their disks.
fn loss_at_15_s() -> Value {
    json!([{"at_ms": 15000, "for_ms": 500,
            "do": {"crash": {"nodes": {"nodes": ["mysql-1-1", "mysql-1-2"]}, "disk_lost": true}}}])
}

fn report(session: &Session) -> ClusterReport {
    RunReport::of(session, None, None).clusters.remove(0)
}

fn told(session: &Session, what: &str) -> usize {
    session.narration().filter(|line| line.text.contains(what)).count()
}

fn primary(run: &ClusterRun, shard: usize) -> &MySql {
    let servers = run.world().node_ids().filter_map(|node| run.world().process(node).as_mysql());
    let mut primaries = servers.filter(|server| server.shard() == shard && server.is_primary());
    primaries.next().expect("there is a primary")
}

/// The newest acknowledged write of each key as of a time, from the history.
fn acknowledged_by(run: &ClusterRun, time: SimTime) -> Vec<Versioned> {
    let mut newest = vec![Versioned::default(); run.blueprint().traffic.keys.len()];
    for op in run.history() {
        let is_write = op.kind == OperationKind::Write && op.outcome == Outcome::Ok;
        let place = &mut newest[op.key as usize];
        if is_write && op.completed.is_some_and(|at| at <= time) && op.result.is_newer_than(place) {
            *place = op.result;
        }
    }
    newest
}

#[test]
fn a_shard_that_lost_all_its_disks_comes_back_from_its_backups() {
    let backups = json!({"snapshot_every_ms": 6000, "binlog_every_ms": 1000});
    let session = run(scenario(cluster(Some(backups)), loss_at_15_s()));
    let with = report(&session);
    let without = report(&run(scenario(cluster(None), loss_at_15_s())));
    // Half of 150 writes a second: a second of them at most, against all of fifteen.
    assert!((1..=90).contains(&with.lost_acknowledged_writes), "{}", with.lost_acknowledged_writes);
    assert!(without.lost_acknowledged_writes > 700, "{}", without.lost_acknowledged_writes);
    assert_eq!((with.restores, without.restores), (1, 0));
    let point = with.recovery_point_ms_max.expect("there was a restore");
    assert!(point > 0.0 && point < 1_100.0, "recovery point {point} ms");
    let time = with.recovery_time_ms_max.expect("there was a restore");
    assert!(time > 10.0 && time < 5_000.0, "recovery time {time} ms");
    assert_eq!(with.errant_transactions, 0, "what a restore undoes is not errant");
}

#[test]
fn the_recovery_point_is_the_interval_of_the_binlog() {
    let point = |every_ms: f64| {
        let backups = json!({"snapshot_every_ms": 6000, "binlog_every_ms": every_ms});
        let session = run(scenario(cluster(Some(backups)), loss_at_15_s()));
        report(&session).recovery_point_ms_max.expect("there was a restore")
    };
    let (short, long) = (point(200.0), point(4_000.0));
    assert!(short < 300.0, "fetched every 200 ms: {short} ms");
    assert!(long > 1_000.0 && long < 4_100.0, "fetched every 4 s: {long} ms");
}

#[test]
fn what_is_restored_is_what_was_there_at_that_time() {
    // No write after 20 s; the shard goes back to 12 s before.
    let faults = json!([
        {"at_ms": 20000, "do": {"load_spike": {"factor": 0}}},
        {"at_ms": 24000, "do": {"restore": {"shard": 1, "back_ms": 12000}}}
    ]);
    let backups = json!({"snapshot_every_ms": 5000, "snapshots": 5, "binlog_every_ms": 500});
    let session = run(scenario(cluster(Some(backups)), faults));
    let run = &session.clusters()[0];
    let keys = &run.blueprint().traffic.keys;
    let map = run.blueprint().map.as_ref().expect("a SQL cluster");
    let as_of = |ms: u64| acknowledged_by(run, SimTime::ZERO + SimDuration::from_ms(ms));
    // What was acknowledged a moment before is in it, and nothing that was a moment later.
    let (before, after) = (as_of(11_990), as_of(12_010));
    let mut compared = 0;
    for key in 0..keys.len() as u32 {
        if map.shard_of(map.sharding.point(keys, key)) != 0 {
            continue;
        }
        let row = primary(run, 0).row(key).content;
        let (at_least, at_most) = (before[key as usize], after[key as usize]);
        assert!(!at_least.is_newer_than(&row), "key {key}: {row:?}, of {at_least:?}");
        assert!(!row.is_newer_than(&at_most), "key {key}: {row:?}, of {at_most:?}");
        compared += usize::from(row.version > 0);
    }
    assert!(compared > 100, "{compared} rows");
    let report = report(&session);
    let point = report.recovery_point_ms_max.expect("it was restored");
    assert!((7_900.0..8_200.0).contains(&point), "from 20 s to 12 s: {point} ms");
    // The other shard is as it was.
    assert_eq!(primary(run, 1).epoch(), 1);
    // The replica has a copy of what was restored.
    let servers = run.world().node_ids().filter_map(|node| run.world().process(node).as_mysql());
    let of_first: Vec<&MySql> = servers.filter(|server| server.shard() == 0).collect();
    assert!((0..keys.len() as u32).all(|key| of_first[0].row(key) == of_first[1].row(key)));
}

#[test]
fn more_to_replay_takes_longer() {
    let time = |snapshot_every_ms: f64| {
        let backups = json!({"snapshot_every_ms": snapshot_every_ms, "binlog_every_ms": 500});
        let mut cluster = cluster(Some(backups));
        cluster["apply_service"] = json!({"constant_ms": 2.0});
        let session = run(scenario(cluster, loss_at_15_s()));
        report(&session).recovery_time_ms_max.expect("there was a restore")
    };
    // 2 s of 75 writes, or 15 s of them, at 2 ms each.
    let (fresh, old) = (time(2_000.0), time(60_000.0));
    assert!(old > fresh + 1_000.0, "{fresh} ms after a fresh snapshot, {old} ms after an old one");
}

#[test]
fn nothing_is_undone_where_there_is_no_backup() {
    for (backups, back_ms) in
        [(None, 1_000.0), (Some(json!({"snapshots": 1, "snapshot_every_ms": 2000})), 15_000.0)]
    {
        let faults = json!([{"at_ms": 18000, "do": {"restore": {"shard": 1, "back_ms": back_ms}}}]);
        let session = run(scenario(cluster(backups), faults));
        assert_eq!(told(&session, "There is no backup"), 1);
        let run = &session.clusters()[0];
        assert_eq!((run.lost_acknowledged_writes(), report(&session).restores), (0, 0));
        every_row_once(run).unwrap_or_else(|why| panic!("{why}"));
        let last = run.history().filter(|op| op.outcome == Outcome::Ok).last().expect("there are some");
        assert!(last.invoked.0 > 29_000_000_000, "it goes on serving");
    }
}

/// A restore, with crashes, pauses and cuts in the middle of it.
fn check_broken(seed: u64) {
    let mut dice = Stream::new(seed, Purpose::Swarm, 10);
    let mut cluster = cluster(Some(json!({"snapshot_every_ms": 3000, "binlog_every_ms": 300})));
    cluster["config_nodes"] = json!(3);
    cluster["replicas"] = json!(2);
    cluster["failover"] = match dice.below(3) {
        0 => json!({"block_ms": 500, "fencing": {"lease_ms": 1000}, "leader_lease_ms": 1000}),
        1 => json!({"block_ms": 500, "fencing": {"shutdown_ms": 1500}, "leader_lease_ms": 1000}),
        _ => json!({"block_ms": 500, "leader_lease_ms": 1000}),
    };
    let mut faults = vec![json!({"at_ms": 8000, "do": {"restore": {"shard": 1, "back_ms": 500}}})];
    for _ in 0..1 + dice.below(4) {
        let name = match dice.below(4) {
            0 => format!("config-{}", 1 + dice.below(3)),
            1 => "backup-store".to_string(),
            _ => format!("mysql-1-{}", 1 + dice.below(3)),
        };
        let nodes = json!({"nodes": [name]});
        let what = match dice.below(4) {
            0 => json!({"crash": {"nodes": nodes}}),
            1 => json!({"crash": {"nodes": nodes, "disk_lost": true}}),
            2 => json!({"pause": {"nodes": nodes}}),
            _ => json!({"one_way_cut": {"from": nodes, "to": {"all": true}}}),
        };
        let (at_ms, for_ms) = (7_500 + dice.below(2_500), 20 + dice.below(2_500));
        faults.push(json!({"at_ms": at_ms, "for_ms": for_ms, "do": what}));
    }
    let session = run({
        let mut scenario = scenario(cluster, json!(faults));
        scenario.seed = seed;
        scenario
    });
    let run = &session.clusters()[0];
    // It serves again, with one primary, and the replicas have what it has.
    let ok_late = run.history().filter(|op| op.outcome == Outcome::Ok && op.invoked.0 > 27_000_000_000);
    let shards: Vec<u16> = ok_late.map(|op| op.shard).collect();
    assert!(shards.contains(&0) && shards.contains(&1), "seed {seed}: a shard does not serve: {faults:?}");
    let servers = run.world().node_ids().filter_map(|node| run.world().process(node).as_mysql());
    let of_first: Vec<&MySql> = servers.filter(|server| server.shard() == 0).collect();
    let primaries = of_first.iter().filter(|server| server.is_primary()).count();
    assert_eq!(primaries, 1, "seed {seed}: {faults:?}");
    assert!(
        of_first.iter().all(|server| !server.is_restoring()),
        "seed {seed}: one still restores: {faults:?}"
    );
}

#[test]
fn a_restore_in_which_things_break_ends_with_a_shard_that_serves() {
    (1..=40).for_each(check_broken);
}

/// `FAULTLINE_SWARM_RUNS=N cargo test --test core -- --ignored restores_many`.
#[test]
#[ignore = "as many runs as asked for"]
fn restores_many() {
    seeds_asked_for().for_each(check_broken);
}
