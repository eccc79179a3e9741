//! What a ring makes of writes that did not know of each other: by the last write, by siblings, by
//! counters, and by compare-and-set.

use crate::runs::{self, merge};
use faultline::cluster::run::ClusterRun;
use faultline::report::run_report::{ClusterReport, RunReport};
use faultline::ring::row::Row;
use faultline::session::Session;
use faultline::workload::operation::{OperationKind, Outcome};
use serde_json::{Value, json};

/// Five nodes; what a replica acknowledged is on its disk; five clients count on three keys.
fn run(versions: &str, more: Value, workload: Value, faults: Value) -> Session {
    let mut ring = json!({
        "nodes": 5, "r": 2, "w": 2, "versions": versions, "read_repair": "blocking", "commit_log_sync": "every_write",
        "gossip": {"interval_ms": 50}, "hinted_handoff": {}
    });
    merge(&mut ring, &more);
    let mut scenario = json!({
        "version": 1, "name": "versions", "title": "Versions", "duration_ms": 20000, "zones": ["a", "b"],
        "workload": {
            "clients": 5, "rate_per_s": 150, "reads": 0.3, "keys": 3, "zipf_theta": 0.0, "counts": true,
            "timeout_ms": 1500,
        },
        "clusters": [{"gossip_ring": ring}], "faults": faults
    });
    merge(&mut scenario["workload"], &workload);
    runs::run(runs::scenario(&scenario))
}

/// Two nodes and two or three clients on one side, the others on the other; nobody writes at the end.
fn cut() -> Value {
    json!([
        {"at_ms": 4000, "for_ms": 7000, "do": {"partition": {"groups": [{"zones": ["a"]}, {"zones": ["b"]}]}}},
        {"at_ms": 16000, "do": {"load_spike": {"factor": 0.0}}},
    ])
}

fn sloppy() -> Value {
    json!({"sloppy_quorum": true})
}

fn report(session: &Session) -> ClusterReport {
    RunReport::of(session, None, None).clusters.remove(0)
}

fn acknowledged(session: &Session, kind: OperationKind) -> u64 {
    let history = session.clusters()[0].history();
    history.filter(|operation| operation.kind == kind && operation.outcome.is_ok()).count() as u64
}

/// What all nodes together hold of a key.
fn left(run: &ClusterRun, key: u32) -> Row {
    let world = run.world();
    let mut left = Row::default();
    let nodes = world.node_ids().filter_map(|node| world.process(node).as_ring());
    nodes.for_each(|node| left.merge(&node.known(key)));
    left
}

#[test]
fn the_last_write_loses_most_of_what_is_counted_at_once() {
    // As in Jepsen's test: one key, and hardly ever a moment in which nobody is about to write.
    let one_key = json!({"keys": 1, "rate_per_s": 1500, "reads": 0.0});
    let session = run("last_write_wins", sloppy(), one_key, cut());
    let (lost, counted) =
        (report(&session).lost_acknowledged_writes, acknowledged(&session, OperationKind::Increment));
    assert!(counted > 1_000 && lost * 2 > counted, "{lost} of {counted} lost");
}

#[test]
fn a_single_client_that_waits_loses_nothing_without_a_cut_and_one_side_with_it() {
    let alone = json!({"clients": 1, "rate_per_s": 20, "in_flight_max": 1});
    let load = json!([{"at_ms": 16000, "do": {"load_spike": {"factor": 0.0}}}]);
    let session = run("last_write_wins", sloppy(), alone.clone(), load);
    assert_eq!(report(&session).lost_acknowledged_writes, 0);
    // Two that wait, one on each side.
    let two = json!({"clients": 2, "rate_per_s": 40, "in_flight_max": 1, "keys": 1, "timeout_ms": 100});
    let session = run("last_write_wins", sloppy(), two.clone(), cut());
    let lost = report(&session).lost_acknowledged_writes;
    assert!(lost > 40, "{lost} lost");
    let session = run("siblings", sloppy(), two, cut());
    assert_eq!(report(&session).lost_acknowledged_writes, 0);
}

#[test]
fn siblings_lose_nothing_and_are_merged_by_whoever_reads_them() {
    let session = run("siblings", sloppy(), json!({}), cut());
    assert!(acknowledged(&session, OperationKind::Increment) > 1_000);
    assert_eq!(report(&session).lost_acknowledged_writes, 0);
    let Row::Siblings(siblings) = left(&session.clusters()[0], 0) else { panic!("siblings") };
    assert!(siblings.versions().len() < 8, "{} left", siblings.versions().len());
}

#[test]
fn siblings_that_nobody_lets_merge_are_refused_when_they_are_too_many() {
    // Everybody reads before anybody has written: no context covers another's write.
    let at_once = json!({"clients": 200, "rate_per_s": 20000, "reads": 0.0, "keys": 1, "timeout_ms": 4000});
    let slow = json!({"n": 1, "nodes": 1, "r": 1, "w": 1, "write_service": {"constant_ms": 0.5}, "machine": {"cores": 64, "queue_limit": 60000},
        "in_flight_max": 60000, "coordinator_service": {"constant_ms": 10.0}});
    let session =
        run("siblings", slow, at_once, json!([{"at_ms": 100, "do": {"load_spike": {"factor": 0.0}}}]));
    let causes = report(&session).causes;
    assert!(causes.iter().any(|cause| cause.cause.contains("too many siblings")), "{causes:?}");
    assert_eq!(report(&session).lost_acknowledged_writes, 0);
}

#[test]
fn counters_lose_nothing_whatever_they_count() {
    for (versions, decrements) in [("g_counter", 0.0), ("pn_counter", 0.3)] {
        let session = run(versions, sloppy(), json!({"decrements": decrements}), cut());
        let report = report(&session);
        assert_eq!(report.lost_acknowledged_writes, 0, "{versions}");
        let changes = |kind| session.clusters()[0].history().filter(move |operation| operation.kind == kind);
        let sure = |kind| changes(kind).filter(|operation| operation.outcome.is_ok()).count() as u64;
        let maybe = |kind| {
            changes(kind).filter(|operation| !matches!(operation.outcome, Outcome::Failed(_))).count() as u64
        };
        let (mut added, mut taken) = (0, 0);
        for key in 0..3 {
            let Row::Counter(counter) = left(&session.clusters()[0], key) else { panic!("a counter") };
            added += counter.added();
            taken += counter.taken();
        }
        // No change counts twice, and none that was acknowledged is missing.
        let (up, down) = (OperationKind::Increment, OperationKind::Decrement);
        assert!((sure(up)..=maybe(up)).contains(&added), "{added} of {} to {}", sure(up), maybe(up));
        assert!((sure(down)..=maybe(down)).contains(&taken), "{taken} of {} to {}", sure(down), maybe(down));
        assert_eq!(taken > 0, decrements > 0.0);
    }
}

#[test]
fn a_counter_that_lost_its_memory_counts_on_under_another_name() {
    // Acknowledged before it is on disk: what the node itself had counted last is gone with it, and what the
    // others had heard of it is not counted over.
    let faults = json!([
        {"at_ms": 3000, "for_ms": 1000, "do": {"crash": {"nodes": {"nodes": ["ring-2"]}}}},
        {"at_ms": 8000, "for_ms": 1000, "do": {"crash": {"nodes": {"nodes": ["ring-4"]}}}},
        {"at_ms": 16000, "do": {"load_spike": {"factor": 0.0}}},
    ]);
    let memory = json!({"commit_log_sync": {"every_ms": 5000}, "r": 3, "w": 3});
    for versions in ["pn_counter", "siblings"] {
        let session = run(versions, memory.clone(), json!({}), faults.clone());
        assert!(acknowledged(&session, OperationKind::Increment) > 500);
        assert_eq!(report(&session).lost_acknowledged_writes, 0, "{versions}");
    }
}

/// Every operation on one row, in real time, sees and leaves a later state than those that ended before it began.
fn assert_linearizable(run: &ClusterRun) {
    let mut failed: Vec<u64> = Vec::new();
    let mut operations: Vec<(u32, u64, u64, u64, u64, bool)> = Vec::new();
    for operation in run.history() {
        match operation.outcome {
            Outcome::Ok => operations.push((
                operation.key,
                operation.invoked.0,
                operation.completed.expect("it is over").0,
                operation.result.version,
                operation.result.value,
                operation.kind.is_write(),
            )),
            Outcome::Failed(_) => failed.push(operation.id.0),
            Outcome::Unknown(_) => {}
        }
    }
    for operation in &operations {
        assert!(!failed.contains(&operation.4), "a write that had failed was read");
        for earlier in operations.iter().filter(|earlier| earlier.0 == operation.0 && earlier.2 < operation.1)
        {
            let ((before, value), (after, other)) = ((earlier.3, earlier.4), (operation.3, operation.4));
            assert!(before <= after, "version {before} was seen, and later {after}");
            assert!(before < after || value == other, "two values have version {before}");
            assert!(!operation.5 || value != other, "a write is not what was there before it");
        }
    }
}

#[test]
fn compare_and_set_stays_linearizable_through_cuts_crashes_and_skewed_clocks() {
    let faults = json!([
        {"at_ms": 3000, "for_ms": 3000, "do": {"partition": {"groups": [{"zones": ["a"]}, {"zones": ["b"]}]}}},
        {"at_ms": 5000, "for_ms": 2000, "do": {"crash": {"nodes": {"nodes": ["ring-3"]}}}},
        {"at_ms": 8000, "for_ms": 3000, "do": {"loss": {"probability": 0.1}}},
        {"at_ms": 10000, "for_ms": 2000, "do": {"pause": {"nodes": {"nodes": ["ring-1"]}}}},
        {"at_ms": 12000, "for_ms": 1500, "do": {"crash": {"nodes": {"nodes": ["ring-1", "ring-5"]}}}},
        {"at_ms": 17000, "do": {"load_spike": {"factor": 0.0}}},
    ]);
    for seed in [1, 2, 3] {
        for counts in [true, false] {
            let workload =
                json!({"counts": counts, "rate_per_s": 60 + seed, "clients": 4 + seed, "reads": 0.5});
            let skewed = json!({"clock_offset": {"uniform_ms": [0.0, 500.0]}});
            let session = run("compare_and_set", skewed, workload, faults.clone());
            let report = report(&session);
            assert!(report.operations.ok > 200, "{} operations", report.operations.ok);
            assert_eq!((report.lost_acknowledged_writes, report.stale_reads), (0, 0));
            assert_linearizable(&session.clusters()[0]);
        }
    }
}

#[test]
fn without_rounds_of_paxos_the_same_history_is_not_linearizable() {
    let session = run("last_write_wins", sloppy(), json!({}), cut());
    let run = &session.clusters()[0];
    let judged = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| assert_linearizable(run)));
    assert!(judged.is_err());
}

#[test]
fn compare_and_set_costs_rounds_and_refuses_without_a_majority() {
    let quiet = json!({"rate_per_s": 20, "keys": 300});
    let paxos = run("compare_and_set", json!({}), quiet.clone(), json!([]));
    let plain = run("last_write_wins", json!({}), quiet, json!([]));
    let (slow, fast) = (report(&paxos), report(&plain));
    let p50 = |report: &ClusterReport| report.latency_ms.write.p50.expect("there were writes");
    assert!(p50(&slow) > 1.5 * p50(&fast), "{} ms and {} ms", p50(&slow), p50(&fast));
    assert_eq!(slow.operations.failed + slow.operations.unknown, 0);
    let session = run("compare_and_set", json!({}), json!({}), cut());
    let refused = report(&session).causes;
    assert!(refused.iter().any(|cause| cause.cause.contains("too few replicas")), "{refused:?}");
}

#[test]
fn replicas_that_each_have_something_that_the_other_lacks_are_repaired_by_reads_with_digests() {
    // Both count while they cannot hear each other; later nobody but reads brings them together.
    let apart = json!([
        {"at_ms": 2000, "for_ms": 6000, "do": {"partition": {"groups": [{"zones": ["a"]}, {"zones": ["b"]}]}}},
        {"at_ms": 16000, "do": {"load_spike": {"factor": 0.0}}},
    ]);
    let workload = json!({"keys": 400, "rate_per_s": 1000, "reads": 0.9});
    for versions in ["pn_counter", "siblings"] {
        let ring = json!({
            "nodes": 2, "n": 2, "r": 1, "w": 1, "digest_reads": true, "read_repair": "background", "hinted_handoff": null,
        });
        let session = run(versions, ring, workload.clone(), apart.clone());
        let run = &session.clusters()[0];
        let world = run.world();
        let nodes: Vec<_> = world.node_ids().filter_map(|node| world.process(node).as_ring()).collect();
        let apart = (0..400).filter(|key| nodes[0].row(*key).hash() != nodes[1].row(*key).hash()).count();
        assert_eq!(apart, 0, "{versions}: {apart} of 400 rows differ");
    }
}
