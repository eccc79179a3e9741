//! Each mechanism of a ring node's storage and security, on and off.

use faultline::report::run_report::{ClusterReport, RunReport};
use faultline::scenario::parse::parse;
use faultline::session::Session;
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
