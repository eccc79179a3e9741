//! Each mechanism of a ring node's storage and security, on and off.

use faultline::report::run_report::{ClusterReport, RunReport};
use faultline::scenario::parse::parse;
use faultline::session::Session;
use faultline::workload::operation::{KeyId, OperationKind};
use serde_json::{Value, json};

/// A run of two rings that differ in what is given for the second.
fn pair(workload: Value, common: Value, on: Value, faults: Value, duration_ms: u32) -> Session {
    let mut off = json!({"name": "off"});
    let mut with = json!({"name": "on"});
    merge(&mut off, &common);
    merge(&mut with, &common);
    merge(&mut with, &on);
    let scenario = json!({
        "version": 1, "name": "pair", "title": "Pair", "duration_ms": duration_ms, "workload": workload,
        "clusters": [{"gossip_ring": off}, {"gossip_ring": with}], "faults": faults
    });
    let scenario = parse(&scenario.to_string()).unwrap_or_else(|error| panic!("{error}"));
    let mut session = Session::open(scenario, None, Vec::new(), None).expect("it is valid");
    session.without_checkpoints();
    session.keep_history();
    session.run_until(session.end());
    session
}

fn merge(into: &mut Value, more: &Value) {
    let (Value::Object(into), Value::Object(more)) = (into, more) else { panic!("objects") };
    for (name, value) in more {
        into.insert(name.clone(), value.clone());
    }
}

/// Core time that all nodes of each ring used, in ms.
fn busy(session: &Session) -> [f64; 2] {
    [0, 1].map(|cluster| {
        let world = session.clusters()[cluster].world();
        world.node_ids().map(|node| world.body(node).machine().busy_time().as_ms_f64()).sum()
    })
}

fn reports(session: &Session) -> [ClusterReport; 2] {
    RunReport::of(session, None, None).clusters.try_into().expect("two clusters")
}

/// Service times that are the same for every draw.
fn constant_services() -> Value {
    json!({"nodes": 3, "n": 3, "r": 2, "w": 2, "coordinator_service": {"constant_ms": 0.04},
           "read_service": {"constant_ms": 0.2}, "write_service": {"constant_ms": 0.1},
           "gossip_service": {"constant_ms": 0}})
}

#[test]
fn tls_costs_core_time_for_each_message_but_those_to_itself() {
    // Without gossip there are the requests, and of each two messages to other replicas and two back.
    let workload = json!({"rate_per_s": 1000, "reads": 1, "keys": 500});
    let mut common = constant_services();
    merge(&mut common, &json!({"gossip": {"interval_ms": 600000}}));
    let on = json!({"encryption": {"in_transit": true, "message_ms": 0.02, "kilobyte_ms": 0}});
    let session = pair(workload, common, on, json!([]), 5_000);
    let ([plain, encrypted], [off, _]) = (busy(&session), reports(&session));
    let per_operation = (encrypted - plain) / off.operations.ok as f64;
    assert!((0.099..0.101).contains(&per_operation), "five messages at 0.02 ms: {per_operation}");
}

#[test]
fn tls_of_a_larger_payload_costs_more() {
    let cost = |bytes: u32| {
        let workload = json!({"rate_per_s": 500, "reads": 0, "keys": 500, "payload_bytes": bytes});
        let on = json!({"encryption": {"in_transit": true, "message_ms": 0, "kilobyte_ms": 0.01}});
        let session = pair(workload, constant_services(), on, json!([]), 4_000);
        let [plain, encrypted] = busy(&session);
        encrypted - plain
    };
    let (small, large) = (cost(1_000), cost(10_000));
    // A request and two writes to other replicas, each a kilobyte more than headers.
    assert!(large > 6.0 * small, "{small} ms and {large} ms");
}

#[test]
fn encryption_at_rest_costs_core_time_for_writes_and_none_for_reads_from_memory() {
    let cost = |reads: f64| {
        let workload = json!({"rate_per_s": 1000, "reads": reads, "keys": 500});
        let on = json!({"encryption": {"at_rest": true, "io_ms": 0.05}});
        let session = pair(workload, constant_services(), on, json!([]), 5_000);
        let ([plain, encrypted], [off, _]) = (busy(&session), reports(&session));
        (encrypted - plain) / off.operations.ok as f64
    };
    let (writes, reads) = (cost(0.0), cost(1.0));
    assert!((0.149..0.151).contains(&writes), "three replicas at 0.05 ms: {writes}");
    assert!(reads.abs() < 1e-6, "all is in memory: {reads}");
}

#[test]
fn encryption_that_is_off_changes_nothing() {
    let hash = |costs: Value| {
        let workload = json!({"rate_per_s": 500, "reads": 0.5, "keys": 500});
        let session = pair(workload, constant_services(), json!({"encryption": costs}), json!([]), 3_000);
        reports(&session)[1].trace_hash.clone()
    };
    assert_eq!(hash(json!({})), hash(json!({"message_ms": 5, "kilobyte_ms": 5, "io_ms": 5})));
}

// Wide rows.

/// Rows that scans of the second ring may have returned, each with how many it did return:
/// acknowledged before the scan began at least, begun before its end at most.
fn scans_between(session: &Session, query_rows: usize) -> Vec<(usize, u64, usize)> {
    let run = &session.clusters()[1];
    let keys = &run.blueprint().traffic.keys;
    let operations: Vec<_> = run.history().collect();
    let writes: Vec<_> =
        operations.iter().filter(|operation| operation.kind == OperationKind::Write).collect();
    let is_ok = |kind| {
        move |operation: &&faultline::check::history::Operation| {
            operation.kind == kind && operation.outcome.is_ok()
        }
    };
    operations
        .iter()
        .filter(is_ok(OperationKind::Scan))
        .map(|scan| {
            let first = keys.rank(scan.key) as usize;
            let last = (first + query_rows).min(keys.len());
            let written = |key: &KeyId, surely: bool| {
                writes.iter().filter(|write| write.key == *key).any(|write| match surely {
                    true => write.outcome.is_ok() && write.completed < Some(scan.invoked),
                    false => Some(write.invoked) < scan.completed,
                })
            };
            let rows = &keys.order()[first..last];
            let count = |surely| rows.iter().filter(|key| written(key, surely)).count();
            (count(true), scan.result.version, count(false))
        })
        .collect()
}

#[test]
fn a_scan_returns_what_was_written_in_its_range_whatever_partitions_it_touches() {
    for more in [
        json!({"rows_per_partition": 40}),
        json!({"rows_per_partition": 3, "digest_reads": true}),
        json!({"rows_per_partition": 7, "read_from": "needed", "speculative_retry_percentile": 90,
               "read_repair": "blocking"}),
    ] {
        let workload = json!({"rate_per_s": 300, "reads": 0.5, "scans": 1, "query_rows": 10, "keys": 150, "zipf_theta": 0.3});
        let common = json!({"nodes": 5, "n": 3, "r": 2, "w": 2, "rows_per_partition": 20});
        let session = pair(workload, common, more.clone(), json!([]), 5_000);
        let scans = scans_between(&session, 10);
        assert!(scans.len() > 500, "{}", scans.len());
        for (least, found, most) in &scans {
            assert!(*least as u64 <= *found && *found <= *most as u64, "{least}, {found}, {most}: {more}");
        }
        assert!(scans.iter().any(|(least, ..)| *least == 10), "some ranges are full by then");
    }
}

#[test]
fn a_scan_within_a_partition_is_one_read_and_one_over_many_a_read_of_each() {
    // Constant core time: a read of a replica 0.2 ms, a row of it 0.01 ms, the coordinator's part 0.04 ms.
    let work = |rows_per_partition: u32| {
        let workload = json!({"rate_per_s": 200, "reads": 1, "scans": 1, "query_rows": 10, "keys": 600});
        let mut common = constant_services();
        merge(&mut common, &json!({"row_service": {"constant_ms": 0.01}, "gossip": {"interval_ms": 600000}}));
        merge(&mut common, &json!({"rows_per_partition": 600}));
        let on = json!({"rows_per_partition": rows_per_partition});
        let session = pair(workload, common, on, json!([]), 5_000);
        let [one, many] = reports(&session);
        assert_eq!((one.operations.failed, many.operations.failed), (0, 0));
        busy(&session).map(|busy| busy / one.operations.ok as f64)
    };
    let [one, two] = work(2);
    assert!((0.92..0.945).contains(&one), "0.04 + 3 × (0.2 + 10 × 0.01): {one}");
    // Ten rows fall into five partitions of two rows, or into six.
    assert!((3.2..4.2).contains(&two), "{two}");
}

#[test]
fn scans_repair_a_replica_that_missed_writes_row_by_row() {
    let repaired = |read_repair: &str| {
        let workload = json!({"rate_per_s": 400, "reads": 0.8, "scans": 1, "query_rows": 20, "keys": 800, "zipf_theta": 0});
        let common =
            json!({"nodes": 3, "n": 3, "r": 2, "w": 2, "rows_per_partition": 25, "read_repair": read_repair});
        let faults = json!([
            {"at_ms": 500, "for_ms": 6_000, "do": {"crash": {"nodes": {"nodes": ["ring-2"]}}}},
        ]);
        let session = pair(workload, common, json!({}), faults, 20_000);
        let run = &session.clusters()[0];
        let nodes: Vec<_> =
            run.world().node_ids().filter_map(|node| run.world().process(node).as_ring()).collect();
        (0..800).filter(|key| nodes[1].row(*key).lacks(nodes[0].row(*key))).count()
    };
    let (with, without) = (repaired("background"), repaired("none"));
    assert!(with <= 2, "{with} rows differ although scans repair");
    assert!(repaired("blocking") <= 2);
    assert!(without > 50, "{without} rows differ without");
}

#[test]
fn keys_of_a_partition_share_their_replicas() {
    let session = pair(
        json!({"rate_per_s": 10, "keys": 500}),
        json!({"nodes": 12}),
        json!({"rows_per_partition": 25}),
        json!([]),
        1_000,
    );
    let placed = |cluster: usize| {
        let world = session.clusters()[cluster].world();
        let node = world.process(world.find("ring-1").expect("it is there")).as_ring().expect("a ring node");
        let settings = node.settings();
        let replicas = |key: &KeyId| settings.ring.replicas(settings.keys.token(*key)).to_vec();
        let partitions = settings.keys.order().chunks(25);
        partitions.filter(|keys| keys.iter().all(|key| replicas(key) == replicas(&keys[0]))).count()
    };
    assert_eq!(placed(1), 20, "all twenty partitions");
    assert!(placed(0) < 2, "without, neighbours stand apart: {}", placed(0));
}

#[test]
fn a_scan_is_refused_where_too_few_replicas_are_believed_alive() {
    let workload = json!({"rate_per_s": 200, "reads": 1, "scans": 1, "query_rows": 10, "keys": 200});
    let common = json!({"nodes": 3, "n": 3, "r": 3, "rows_per_partition": 10});
    let faults = json!([{"at_ms": 1_000, "do": {"crash": {"nodes": {"nodes": ["ring-3"]}}}}]);
    let session = pair(workload, common, json!({"r": 2}), faults, 25_000);
    let [all, two] = reports(&session);
    let refused = |cluster: &ClusterReport| {
        cluster
            .causes
            .iter()
            .filter(|found| found.cause.contains("too few"))
            .map(|found| found.count)
            .sum::<u64>()
    };
    assert!(refused(&all) > 500, "{:?}", all.causes);
    assert_eq!(refused(&two), 0, "{:?}", two.causes);
}
