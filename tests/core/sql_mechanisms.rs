//! Each mechanism of the sharded SQL cluster, on and off.

use crate::runs;
use faultline::report::run_report::{ClusterReport, RunReport};
use faultline::scenario::parse::parse;
use faultline::session::Session;
use faultline::workload::operation::{Outcome, ServedBy};
use serde_json::{Value, json};

/// A run of two that differ in what is given for the second.
fn pair(workload: Value, common: Value, on: Value, faults: Value, duration_ms: u32) -> Session {
    runs::pair("sharded_sql", workload, [common, on], faults, duration_ms)
}

fn reports(session: &Session) -> [ClusterReport; 2] {
    RunReport::of(session, None, None).clusters.try_into().expect("two clusters")
}

fn count(cluster: &ClusterReport, cause: &str) -> u64 {
    cluster.causes.iter().filter(|found| found.cause.contains(cause)).map(|found| found.count).sum()
}

fn failed(cluster: &ClusterReport) -> u64 {
    cluster.operations.failed + cluster.operations.unknown - cluster.operations.under_way
}

const ONE_SHARD: &str = r#"[{"from": "A", "to": "Z"}]"#;

fn one_shard() -> Value {
    serde_json::from_str(ONE_SHARD).expect("it is JSON")
}

#[test]
fn buffering_turns_the_failures_of_a_failover_into_waiting() {
    let session = pair(
        json!({"rate_per_s": 200, "reads": 0, "keys": 5000, "timeout_ms": 12000}),
        json!({"shards": one_shard(), "replicas": 2, "proxy_timeout_ms": 10000, "cache": {"entries": 0},
               "retries": {"max": 1, "attempt_timeout_ms": 10000}}),
        json!({"buffering": {}}),
        // The primary answers, and says that it is none any more: a restart.
        json!([{"at_ms": 5000, "do": {"restart": {"nodes": {"nodes": ["mysql-1-1"]}}}}]),
        15_000,
    );
    let [off, on] = reports(&session);
    assert!(count(&off, "no primary") + count(&off, "not the primary") + count(&off, "restoring") > 10);
    assert_eq!(count(&on, "no primary") + count(&on, "not the primary"), 0, "{:?}", on.causes);
    assert!(failed(&on) < failed(&off));
}

#[test]
fn a_full_buffer_gives_up_the_oldest() {
    let session = pair(
        json!({"rate_per_s": 500, "reads": 0, "keys": 5000, "timeout_ms": 12000}),
        json!({"shards": one_shard(), "replicas": 0, "proxy_timeout_ms": 10000, "cache": {"entries": 0}}),
        json!({"buffering": {"size": 20, "window_ms": 1000}}),
        json!([{"at_ms": 5000, "for_ms": 5000, "do": {"crash": {"nodes": {"nodes": ["mysql-1-1"]}}}},
               {"at_ms": 4990, "do": {"restart": {"nodes": {"nodes": ["mysql-1-1"]}}}}]),
        15_000,
    );
    let [off, on] = reports(&session);
    assert_eq!(count(&off, "buffer allows"), 0);
    assert!(count(&on, "buffer allows") > 100, "{:?}", on.causes);
}

#[test]
fn a_circuit_breaker_fails_fast_and_closes_again() {
    let session = pair(
        json!({"rate_per_s": 400, "reads": 1, "keys": 5000}),
        json!({"shards": [{"from": "A", "to": "M"}, {"from": "N", "to": "Z"}], "replicas": 0,
               "cache": {"entries": 0}}),
        json!({"circuit_breaker": {"failures": 10, "open_ms": 500}}),
        json!([{"at_ms": 4000, "for_ms": 4000, "do": {"pause": {"nodes": {"nodes": ["mysql-1-1"]}}}}]),
        14_000,
    );
    let [off, on] = reports(&session);
    assert!(count(&on, "circuit breaker") > 300, "{:?}", on.causes);
    assert!(count(&on, "timed out") * 4 < count(&off, "timed out"), "{:?} {:?}", on.causes, off.causes);
    let ended_well = session.clusters()[1]
        .history()
        .filter(|op| op.invoked.as_ms_f64() > 10_000.0 && op.completed.is_some())
        .all(|op| op.outcome == Outcome::Ok);
    assert!(ended_well, "it has closed");
}

#[test]
fn deadlines_spare_the_work_that_nobody_waits_for() {
    let session = pair(
        json!({"rate_per_s": 900, "reads": 0, "keys": 5000, "timeout_ms": 300}),
        json!({"shards": one_shard(), "replicas": 0, "proxy_timeout_ms": 250, "cache": {"entries": 0},
               "deadlines": false, "pool_size": 10000,
               "mysql_machine": {"cores": 1, "queue_limit": 100000}, "write_service": {"constant_ms": 1}}),
        json!({"deadlines": true}),
        json!([{"at_ms": 3000, "for_ms": 3000, "do": {"load_spike": {"factor": 2}}}]),
        14_000,
    );
    let after = |cluster: usize| {
        let late = session.clusters()[cluster].history().filter(|op| op.invoked.as_ms_f64() > 7_000.0);
        let (ok, all) =
            late.fold((0, 0), |(ok, all), op| (ok + u32::from(op.outcome == Outcome::Ok), all + 1));
        f64::from(ok) / f64::from(all)
    };
    assert!(after(1) > 0.9 && after(1) > after(0) + 0.1, "off {}, on {}", after(0), after(1));
}

#[test]
fn a_hot_row_is_written_one_commit_after_the_other() {
    let workload = json!({"rate_per_s": 2000, "reads": 0, "keys": 1000, "zipf_theta": 0, "timeout_ms": 5000});
    let common = json!({"shards": one_shard(), "replicas": 0, "proxy_timeout_ms": 4000, "cache": {"entries": 0},
                        "pool_size": 100000,
                        "disk": {"fsync": {"constant_ms": 2}}, "write_service": {"constant_ms": 0.1}});
    let heat = json!([{"at_ms": 0, "do": {"hot_key": {"share": 1.0}}}]);
    let hot = pair(workload.clone(), common.clone(), json!({"row_locks": {"queue": 5}}), heat, 5_000);
    let cold = pair(workload, common, json!({}), json!([]), 5_000);
    let [hot_off, hot_on] = reports(&hot);
    let [cold_off, _] = reports(&cold);
    // Redo log and binlog: two fsyncs of 2 ms each, and then the next.
    assert!((200.0..280.0).contains(&hot_off.goodput_per_second), "{}", hot_off.goodput_per_second);
    assert!(cold_off.goodput_per_second > 1_900.0, "{}", cold_off.goodput_per_second);
    // With a bound on the queue the others fail fast, and those that get the row are fast.
    assert!(count(&hot_on, "row or table was locked") > 5_000);
    assert!(hot_on.latency_ms.write.p99.expect("some") < 60.0);
    assert!(hot_off.latency_ms.write.p99.expect("some") > 1_000.0);
}

#[test]
fn reads_of_the_session_are_its_own_writes() {
    let workload = json!({"clients": 4, "rate_per_s": 1500, "reads": 0.5, "keys": 20});
    let common = json!({"shards": one_shard(), "replicas": 1, "cache": {"entries": 0}, "reads": "replica",
                        "apply_service": {"constant_ms": 1.1}});
    for wait in [0, 30] {
        let routing = json!({"reads": {"read_your_writes_wait_ms": wait}});
        let session = pair(workload.clone(), common.clone(), routing, json!([]), 8_000);
        let [any, own] = [0, 1].map(|cluster| {
            let mut last = std::collections::BTreeMap::new();
            let mut broken = 0;
            let mut operations: Vec<_> = session.clusters()[cluster].history().collect();
            operations.sort_by_key(|op| op.completed);
            // What each client had written, and been told so, before it read.
            for op in operations.iter().filter(|op| op.outcome == Outcome::Ok) {
                let place = (op.id.client(), op.key);
                if op.kind == faultline::workload::operation::OperationKind::Write {
                    last.insert((place, op.completed), op.result.version);
                } else {
                    let before = last
                        .range((place, None)..(place, Some(op.invoked)))
                        .map(|(_, version)| *version)
                        .max()
                        .unwrap_or(0);
                    broken += u32::from(op.result.version < before);
                }
            }
            broken
        });
        assert!(any > 50, "replicas are behind: {any} reads");
        assert_eq!(own, 0, "waiting {wait} ms at most");
    }
}

#[test]
fn a_lag_bound_sends_reads_to_the_primary_while_the_replica_is_behind() {
    let session = pair(
        json!({"rate_per_s": 1200, "reads": 0.5, "keys": 200}),
        json!({"shards": one_shard(), "replicas": 1, "cache": {"entries": 0}, "reads": "replica"}),
        json!({"reads": {"within_lag_ms": 400}}),
        json!([{"at_ms": 4000, "for_ms": 4000, "do": {"slow_machine": {"nodes": {"nodes": ["mysql-1-2"]}, "factor": 12}}}]),
        12_000,
    );
    let [any, bounded] = reports(&session);
    assert!(any.stale_age_ms_max > 1_500.0, "{}", any.stale_age_ms_max);
    assert!(bounded.stale_age_ms_max < 1_200.0, "{}", bounded.stale_age_ms_max);
    let by = |served: ServedBy| session.clusters()[1].history().filter(|op| op.served_by == served).count();
    assert!(by(ServedBy::Replica) > 1_000 && by(ServedBy::Primary) > 1_000);
}

#[test]
fn more_appliers_keep_a_replica_up_with_its_source() {
    let session = pair(
        json!({"rate_per_s": 2500, "reads": 0, "keys": 10000}),
        json!({"shards": one_shard(), "replicas": 1, "apply_service": {"constant_ms": 0.6},
               "write_service": {"constant_ms": 0.2}, "appliers": 1}),
        json!({"appliers": 2}),
        json!([]),
        10_000,
    );
    let [one, two] = reports(&session);
    assert!(one.replication_lag_ms_max.expect("a replica") > 2_000.0);
    assert!(two.replication_lag_ms_max.expect("a replica") < 100.0);
}

#[test]
fn a_buffer_pool_is_cold_after_a_restart() {
    let session = pair(
        json!({"rate_per_s": 300, "reads": 1, "keys": 20000, "zipf_theta": 0.5}),
        json!({"shards": one_shard(), "replicas": 0, "cache": {"entries": 0}, "disk": {"read": {"constant_ms": 2}}}),
        json!({"buffer_pool": {"pages": 2000, "rows_per_page": 10}}),
        json!([{"at_ms": 5000, "do": {"restart": {"nodes": {"nodes": ["mysql-1-1"]}}}}]),
        20_000,
    );
    let p50_between = |cluster: usize, from: f64, to: f64| {
        let mut latencies: Vec<f64> = session.clusters()[cluster]
            .history()
            .filter(|op| (from..to).contains(&op.invoked.as_ms_f64()) && op.outcome == Outcome::Ok)
            .filter_map(|op| Some(op.completed?.as_ms_f64() - op.invoked.as_ms_f64()))
            .collect();
        latencies.sort_by(f64::total_cmp);
        latencies[latencies.len() * 9 / 10]
    };
    let (warm, cold, warmed) = (
        p50_between(1, 1_000.0, 4_900.0),
        p50_between(1, 6_000.0, 7_500.0),
        p50_between(1, 17_000.0, 19_900.0),
    );
    assert!(cold > warm + 0.3 && warmed < cold - 0.2, "warm {warm}, cold {cold}, warmed {warmed}");
    assert!((p50_between(0, 6_000.0, 7_500.0) / p50_between(0, 1_000.0, 4_900.0) - 1.0).abs() < 0.1);
}

#[test]
fn recovery_takes_longer_the_more_there_is_to_recover() {
    let unavailable = |checkpoint_every_ms: u32| {
        let session = pair(
            json!({"rate_per_s": 1000, "reads": 0, "keys": 5000}),
            json!({"shards": one_shard(), "replicas": 0, "cache": {"entries": 0},
                   "recovery": {"service": {"constant_ms": 0.5}}}),
            json!({"recovery": {"checkpoint_every_ms": checkpoint_every_ms, "service": {"constant_ms": 0.5}}}),
            json!([{"at_ms": 9500, "do": {"restart": {"nodes": {"nodes": ["mysql-1-1"]}}}}]),
            20_000,
        );
        [0, 1].map(|cluster| {
            let acknowledged = session.clusters()[cluster]
                .history()
                .filter(|op| op.outcome == Outcome::Ok && op.invoked.as_ms_f64() > 9_500.0);
            acknowledged.filter_map(|op| op.completed).min().map_or(f64::MAX, |at| at.as_ms_f64() - 9_500.0)
        })
    };
    let [all, since_checkpoint] = unavailable(1_000);
    assert!((4_000.0..7_000.0).contains(&all), "9,500 transactions at 0.5 ms: {all}");
    assert!(since_checkpoint < 1_800.0, "500 transactions: {since_checkpoint}");
}

#[test]
fn logs_that_are_not_synced_lose_what_was_acknowledged() {
    for policy in [json!({"every_ms": 900}), json!({"every_writes": 500})] {
        let session = pair(
            json!({"rate_per_s": 400, "reads": 0.5, "keys": 500}),
            json!({"shards": one_shard(), "replicas": 0, "cache": {"entries": 0}}),
            json!({"redo_log_sync": policy, "binlog_sync": policy}),
            json!([{"at_ms": 5000, "do": {"restart": {"nodes": {"nodes": ["mysql-1-1"]}}}}]),
            10_000,
        );
        let [safe, fast] = reports(&session);
        assert_eq!(safe.lost_acknowledged_writes, 0);
        assert!(fast.lost_acknowledged_writes > 5, "{policy}: {}", fast.lost_acknowledged_writes);
        assert!(fast.latency_ms.write.p50 < safe.latency_ms.write.p50);
    }
}

#[test]
fn encryption_costs_core_time() {
    let session = pair(
        json!({"rate_per_s": 2000, "reads": 0.5, "keys": 5000}),
        json!({"shards": one_shard()}),
        json!({"encryption": {"in_transit": true, "at_rest": true, "message_ms": 0.02, "io_ms": 0.05}}),
        json!([]),
        5_000,
    );
    let busy = |cluster: usize| -> f64 {
        let world = session.clusters()[cluster].world();
        world.node_ids().map(|node| world.body(node).machine().busy_time().as_ms_f64()).sum()
    };
    assert!(busy(1) > 1.15 * busy(0), "{} and {}", busy(0), busy(1));
}

#[test]
fn pages_are_decrypted_only_when_they_come_from_disk() {
    let busy = |pages: u32| {
        let session = pair(
            json!({"rate_per_s": 800, "reads": 1, "keys": 5000, "zipf_theta": 0}),
            json!({"shards": one_shard(), "replicas": 0, "cache": {"entries": 0},
                   "buffer_pool": {"pages": pages, "rows_per_page": 1}}),
            json!({"encryption": {"at_rest": true, "io_ms": 0.2}}),
            json!([]),
            5_000,
        );
        [0, 1].map(|cluster| {
            let world = session.clusters()[cluster].world();
            world.node_ids().map(|node| world.body(node).machine().busy_time().as_ms_f64()).sum::<f64>()
        })
    };
    let [plain, encrypted] = busy(5_000);
    assert!((encrypted / plain - 1.0).abs() < 0.001, "all is in memory: {plain} and {encrypted}");
    let [plain, encrypted] = busy(50);
    assert!(encrypted > plain + 500.0, "nearly every read is from disk: {plain} and {encrypted}");
}

#[test]
fn writes_past_a_cache_leave_it_stale() {
    let session = pair(
        json!({"rate_per_s": 2000, "reads": 0.8, "keys": 50}),
        json!({"shards": one_shard(), "replicas": 0, "cache": {"entries": 1000, "ttl_ms": 2000}}),
        json!({"shard_proxies": 2}),
        json!([]),
        8_000,
    );
    let [one, two] = reports(&session);
    // One proxy sees every write; of two, each sees half of them.
    assert!(two.stale_reads_from_cache > 20 * one.stale_reads_from_cache.max(1), "{one:?}");
    assert!((1_000.0..2_100.0).contains(&two.stale_age_ms_max), "{}", two.stale_age_ms_max);
}

#[test]
fn a_pool_that_sheds_keeps_the_wait_short() {
    let session = pair(
        json!({"rate_per_s": 1500, "reads": 1, "keys": 5000}),
        json!({"shards": one_shard(), "replicas": 0, "cache": {"entries": 0}, "pool_size": 4, "pool_queue": 2000,
               "pool_timeout_ms": 800, "read_service": {"constant_ms": 2},
               "mysql_machine": {"cores": 2, "queue_limit": 512}}),
        json!({"shed_after_ms": 20}),
        json!([]),
        6_000,
    );
    let [off, on] = reports(&session);
    assert!(off.latency_ms.read.p50.expect("some") > 300.0, "{:?}", off.latency_ms.read);
    assert!(on.latency_ms.read.p99.expect("some") < 60.0, "{:?}", on.latency_ms.read);
    assert!(on.goodput_per_second > 0.95 * off.goodput_per_second);
}

#[test]
fn after_a_failover_another_one_is_blocked_for_a_while() {
    let session = pair(
        json!({"rate_per_s": 300, "reads": 0, "keys": 5000}),
        json!({"shards": one_shard(), "replicas": 2, "failover": {"block_ms": 0}}),
        json!({"failover": {"block_ms": 20000}}),
        json!([{"at_ms": 3000, "do": {"crash": {"nodes": {"nodes": ["mysql-1-1"]}}}},
               {"at_ms": 9000, "do": {"crash": {"nodes": {"nodes": ["mysql-1-2"]}}}}]),
        18_000,
    );
    let [off, on] = reports(&session);
    assert!(off.operations.ok > on.operations.ok + 1_000, "{} and {}", off.operations.ok, on.operations.ok);
}

#[test]
fn a_join_reads_both_rows_and_a_scan_its_range() {
    let scenario = json!({
        "version": 1, "name": "queries", "title": "Queries", "duration_ms": 6000,
        "workload": {"rate_per_s": 500, "reads": 0.5, "scans": 0.3, "tops": 0.2, "joins": 0.3, "keys": 300, "query_rows": 20},
        "clusters": [{"sharded_sql": {"name": "names"}}, {"sharded_sql": {"name": "hash", "hash_shards": 4}}]
    });
    let scenario = parse(&scenario.to_string()).unwrap_or_else(|error| panic!("{error}"));
    let mut session = Session::open(scenario, None, Vec::new(), None).expect("it is valid");
    session.run_until(session.end());
    let [names, hash] = reports(&session);
    for cluster in [&names, &hash] {
        assert_eq!(failed(cluster), 0, "{:?}", cluster.causes);
        let latency = &cluster.latency_ms;
        assert!(latency.scan.count > 300 && latency.top.count > 200 && latency.join.count > 300);
        assert!(latency.join.p50 > latency.read.p50, "a join is two reads in turn");
        assert!(latency.top.p50 > latency.read.p50, "a top waits for every shard");
    }
    // Neighbours by name are together; by hash they are everywhere.
    assert!(hash.latency_ms.scan.p50 > names.latency_ms.scan.p50);
}
