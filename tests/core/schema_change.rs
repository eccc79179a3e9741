//! Changing the schema of a shard's table while it serves.

use crate::resharding::{every_row_once, failed, run, scenario};
use faultline::cluster::run::ClusterRun;
use faultline::session::Session;
use faultline::session::frames::fault_frames;
use faultline::sql::mysql::MySql;
use faultline::workload::operation::Outcome;
use serde_json::{Value, json};

fn servers(run: &ClusterRun) -> Vec<&MySql> {
    run.world().node_ids().filter_map(|node| run.world().process(node).as_mysql()).collect()
}

/// Whether each server of the first shard has the new schema.
fn changed(run: &ClusterRun) -> Vec<bool> {
    servers(run).iter().filter(|server| server.shard() == 0).map(|server| server.schema() > 0).collect()
}

fn cluster(schema_change: Value) -> Value {
    json!({"shards": [{"from": "A", "to": "Z"}], "replicas": 2, "replication": "synchronous",
           "failover": {"fencing": {"lease_ms": 1000}, "block_ms": 1000}, "schema_change": schema_change})
}

fn at_5_s() -> Value {
    json!([{"at_ms": 5000, "do": {"schema_change": {"shard": 1}}}])
}

fn told(session: &Session, what: &str) -> usize {
    session.narration().filter(|line| line.text.contains(what)).count()
}

#[test]
fn every_server_gets_the_new_schema_and_keeps_its_rows() {
    for online in [false, true] {
        let faults = json!([
            {"at_ms": 5000, "do": {"schema_change": {"shard": 1}}},
            {"at_ms": 29000, "do": {"load_spike": {"factor": 0}}}
        ]);
        let session = run(scenario(cluster(json!({"online": online})), faults));
        let run = &session.clusters()[0];
        assert_eq!(changed(run), [true, true, true], "online: {online}");
        every_row_once(run).unwrap_or_else(|why| panic!("online: {online}: {why}"));
        assert_eq!(told(&session, "has its new schema"), 1, "once");
        // All servers agree on every row: the ghost table had what the table had.
        let servers = servers(run);
        for key in 0..600 {
            let rows: Vec<_> = servers.iter().map(|server| server.row(key)).collect();
            assert!(rows.iter().all(|row| *row == rows[0]), "online: {online}, key {key}: {rows:?}");
        }
    }
}

/// The longest that a write took which was sent while the schema changed, in ms.
fn longest_write(run: &ClusterRun) -> f64 {
    let writes = run.history().filter(|op| op.outcome == Outcome::Ok && op.result.version > 0);
    let latencies = writes.filter_map(|op| Some(op.completed?.since(op.invoked).as_ms_f64()));
    latencies.fold(0.0, f64::max)
}

#[test]
fn writes_wait_for_a_blocking_change_and_hardly_for_an_online_one() {
    // 600 rows, or the most of them, at one millisecond.
    let change = |online: bool| json!({"online": online, "row_service": {"constant_ms": 1.0}});
    let blocking = run(scenario(cluster(change(false)), at_5_s()));
    let online = run(scenario(cluster(change(true)), at_5_s()));
    let (blocking, online) = (&blocking.clusters()[0], &online.clusters()[0]);
    assert!(longest_write(blocking) > 300.0, "{}", longest_write(blocking));
    assert!(longest_write(online) < 100.0, "{}", longest_write(online));
    assert_eq!((failed(blocking), failed(online)), (0, 0), "nothing is lost by waiting");
}

#[test]
fn a_replica_repeats_a_blocking_change_and_falls_behind() {
    let with = |online: bool| {
        let mut cluster = cluster(json!({"online": online, "row_service": {"constant_ms": 2.0}}));
        cluster["replication"] = json!("asynchronous");
        let session = run(scenario(cluster, at_5_s()));
        let buckets = session.clusters()[0].buckets();
        buckets.iter().filter_map(|bucket| bucket.lag_ms).fold(0.0, f64::max)
    };
    let (blocking, online) = (with(false), with(true));
    assert!(blocking > 600.0, "behind by {blocking} ms");
    assert!(online < 200.0, "behind by {online} ms");
}

#[test]
fn a_change_that_is_lifted_leaves_the_old_schema_and_every_row() {
    let mut done = 0;
    for online in [false, true] {
        for step in 0..12 {
            let for_ms = 40 + step * 150;
            let change = json!({"online": online, "row_service": {"constant_ms": 2.0}, "chunk_rows": 30});
            let faults = json!([{"at_ms": 5000, "for_ms": for_ms, "do": {"schema_change": {"shard": 1}}}]);
            let session = run(scenario(cluster(change), faults));
            let run = &session.clusters()[0];
            every_row_once(run).unwrap_or_else(|why| panic!("lifted after {for_ms} ms: {why}"));
            let given_up = told(&session, "given up");
            let is_changed = changed(run);
            assert!(is_changed.iter().all(|one| *one == is_changed[0]), "all or none");
            assert_eq!(given_up, usize::from(!is_changed[0]), "online: {online}, lifted after {for_ms} ms");
            assert_eq!(run.lost_acknowledged_writes(), 0);
            assert!(servers(run).iter().all(|server| server.schema_change().is_none()), "writes go on");
            done += usize::from(is_changed[0]);
        }
    }
    assert!((2..22).contains(&done), "{done} of 24 were done before they were lifted");
}

#[test]
fn a_change_begins_anew_where_another_is_primary() {
    for online in [false, true] {
        let change = json!({"online": online, "row_service": {"constant_ms": 3.0}});
        let faults = json!([
            {"at_ms": 5000, "do": {"schema_change": {"shard": 1}}},
            {"at_ms": 5800, "for_ms": 8000, "do": {"crash": {"nodes": {"nodes": ["mysql-1-1"]}}}}
        ]);
        let mut cluster = cluster(change);
        // Its commits must not wait for the one that is down.
        cluster["replication"] = json!({"semi_synchronous": {"timeout_ms": 10000}});
        let session = run(scenario(cluster, faults));
        let run = &session.clusters()[0];
        assert_eq!(changed(run), [true, true, true], "online: {online}");
        let begun = told(&session, if online { "beside the old one" } else { "locks the table" });
        assert_eq!(begun, 2, "online: {online}");
        every_row_once(run).unwrap_or_else(|why| panic!("online: {online}: {why}"));
    }
}

#[test]
fn an_online_change_waits_for_a_replica_that_is_behind() {
    let took = |lag_ms_max: f64| {
        let change = json!({"lag_ms_max": lag_ms_max, "row_service": {"constant_ms": 0.2}});
        let mut cluster = cluster(change);
        cluster["replication"] = json!("asynchronous");
        let faults = json!([
            {"at_ms": 5000, "do": {"schema_change": {"shard": 1}}},
            {"at_ms": 1000, "for_ms": 9000, "do": {"slow_machine": {"nodes": {"nodes": ["mysql-1-2"]}, "factor": 60}}}
        ]);
        let session = run(scenario(cluster, faults));
        let ended = session.narration().find(|line| line.text.contains("has its new schema"));
        ended.expect("it ends").at_ns as f64 / 1e9
    };
    let (patient, careless) = (took(500.0), took(60_000.0));
    assert!(careless < 7.0, "without the bound it ended at {careless} s");
    assert!(patient > 10.0, "with it, at {patient} s");
}

#[test]
fn a_cut_over_that_takes_too_long_lets_writes_go_on_and_is_tried_again() {
    // No replica acknowledges while they are paused: what is in commit holds the table up.
    let mut cluster = cluster(json!({"cut_over_ms_max": 300.0, "row_service": {"constant_ms": 1.0}}));
    cluster["failover"]["fencing"] = json!("none");
    let replicas = json!({"nodes": ["mysql-1-2", "mysql-1-3"]});
    let faults = json!([
        {"at_ms": 5000, "do": {"schema_change": {"shard": 1}}},
        {"at_ms": 5300, "for_ms": 5000, "do": {"pause": {"nodes": replicas}}}
    ]);
    let session = run(scenario(cluster, faults));
    let run = &session.clusters()[0];
    assert!(told(&session, "the last step is tried again") > 0);
    assert_eq!(changed(run), [true, true, true]);
    every_row_once(run).unwrap_or_else(|why| panic!("{why}"));
}

#[test]
fn what_is_done_is_over_and_cannot_be_lifted() {
    let session = run(scenario(cluster(json!({})), at_5_s()));
    let done = session.narration().find(|line| line.text.contains("has its new schema")).expect("it is done");
    let fault = &fault_frames(&session)[0];
    assert_eq!((fault.active, fault.end_ns), (false, Some(done.at_ns)));
    let session = run(scenario(cluster(json!({"row_service": {"constant_ms": 60_000.0}})), at_5_s()));
    let fault = &fault_frames(&session)[0];
    assert_eq!((fault.active, fault.end_ns), (true, None), "it is never done");
}

#[test]
fn a_shard_that_is_not_there_is_told() {
    let session =
        run(scenario(cluster(json!({})), json!([{"at_ms": 5000, "do": {"schema_change": {"shard": 7}}}])));
    assert_eq!(told(&session, "There is no shard 7"), 1);
}
