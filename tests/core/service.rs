//! Counting views, end to end: what is taken is counted, once, whatever crashes.

use crate::runs::{merge, run, scenario};
use faultline::cluster::run::ClusterRun;
use faultline::engine::{Purpose, Stream};
use faultline::report::service::ServiceReport;
use faultline::scenario::parse::parse;
use faultline::session::Session;
use serde_json::{Value, json};

/// A small service in front of a SQL cluster, with fields of its own.
fn small(service: Value, more: Value) -> Value {
    let mut section = json!({
        "workers": {"nodes": 3, "window_ms": 2_000, "flush_ms": 500, "checkpoint_ms": 1_000},
        "log": {"partitions": 6, "session_timeout_ms": 1_500, "member_heartbeat_ms": 300},
        "follow_every": 20
    });
    for (field, value) in service.as_object().expect("fields") {
        if section[field].is_object() && value.is_object() {
            merge(&mut section[field], value);
        } else {
            section[field] = value.clone();
        }
    }
    let mut whole = json!({
        "version": 1, "name": "small-service", "title": "Small service", "duration_ms": 20_000,
        "workload": {"rate_per_s": 800, "reads": 0.1, "keys": 50, "clients": 4},
        "clusters": [{"sharded_sql": {"service": section}}]
    });
    merge(&mut whole, &more);
    whole
}

/// What came of the one cluster of a run.
fn of(session: &Session) -> ServiceReport {
    ServiceReport::of(&session.clusters()[0], session.now()).expect("it has a service")
}

/// Viewers stop some time before the end, so that all can be counted by then.
fn silent_at_the_end(mut faults: Vec<Value>, at_ms: u64) -> Value {
    faults.push(json!({"at_ms": at_ms, "do": {"load_spike": {"factor": 0}}}));
    json!({"faults": faults})
}

#[test]
fn everything_that_is_taken_is_counted_when_nothing_breaks() {
    for delivery in ["at_most_once", "at_least_once", "effectively_once"] {
        let service = json!({"workers": {"delivery": delivery}});
        let session = run(scenario(&small(service, silent_at_the_end(Vec::new(), 15_000))));
        let report = of(&session);
        assert!(report.views.taken > 9_000, "{delivery}: {:?}", report.views);
        assert_eq!(
            (report.views.missing, report.views.counted_twice),
            (0, 0),
            "{delivery}: {:?}",
            report.views
        );
        assert_eq!(report.views.counted, report.views.taken, "{delivery}");
        assert_eq!(report.log_lag_views, 0, "{delivery}");
        assert!(report.row_writes_per_view.expect("views were taken") < 0.5, "{delivery}: rows are gathered");
    }
}

#[test]
fn a_view_that_is_followed_is_stored_before_it_is_shown() {
    let session = run(scenario(&small(json!({}), json!({}))));
    let report = of(&session);
    let (stored, shown) = (report.stored_after_ms, report.shown_after_ms);
    assert!(stored.count > 50 && shown.count > 50, "{stored:?} {shown:?}");
    // A flush waits for up to 500 ms; a reader remembers for up to a second more.
    assert!(stored.p50 < shown.p50 && stored.p99 < shown.p99, "{stored:?} {shown:?}");
    assert!(stored.p99 < Some(1_500.0) && shown.p99 < Some(3_000.0), "{stored:?} {shown:?}");
}

/// Crashes, pauses, cuts and outages that leave a majority of the log's brokers alive at every moment.
fn drawn_faults(stream: &mut Stream, until_ms: u32) -> Vec<Value> {
    let mut faults = Vec::new();
    let between = |stream: &mut Stream, low: u32, high: u32| low + stream.below(high - low);
    // One broker at a time, and never the next one before the last is back for a while.
    let mut at = between(stream, 1_000, 3_000);
    while at + 3_000 < until_ms {
        let broker = format!("broker-{}", 1 + stream.below(3));
        let length = between(stream, 100, 2_000);
        let nodes = json!({"nodes": [broker]});
        let fault = match stream.below(3) {
            0 => json!({"crash": {"nodes": nodes}}),
            1 => json!({"pause": {"nodes": nodes}}),
            _ => json!({"partition": {"groups": [nodes, {"roles": ["broker"]}]}}),
        };
        // A group may name a node once only.
        let fault = if fault.get("partition").is_some() { json!({"crash": {"nodes": nodes}}) } else { fault };
        faults.push(json!({"at_ms": at, "for_ms": length, "do": fault}));
        at += length + between(stream, 2_500, 5_000);
    }
    // Workers crash and stand still as they like.
    for _ in 0..1 + stream.below(5) {
        let at = between(stream, 500, until_ms - 3_000);
        let nodes = json!({"nodes": [format!("worker-{}", 1 + stream.below(3))]});
        let kind = if stream.chance(0.6) { "crash" } else { "pause" };
        faults
            .push(json!({"at_ms": at, "for_ms": between(stream, 50, 3_000), "do": {kind: {"nodes": nodes}}}));
    }
    // The database is slow, or cannot be reached.
    for _ in 0..stream.below(3) {
        let at = between(stream, 500, until_ms - 4_000);
        let length = between(stream, 200, 4_000);
        let fault = match stream.below(2) {
            0 => json!({"partition": {"groups": [{"roles": ["worker"]}, {"roles": ["query-proxy"]}]}}),
            _ => json!({"slow_machine": {"nodes": {"roles": ["mysql"]}, "factor": 20}}),
        };
        faults.push(json!({"at_ms": at, "for_ms": length, "do": fault}));
    }
    if stream.chance(0.3) {
        let at = between(stream, 500, until_ms - 3_000);
        let fault = json!({"partition": {"groups": [{"roles": ["worker"]}, {"nodes": ["object-store"]}]}});
        faults.push(json!({"at_ms": at, "for_ms": between(stream, 100, 2_000), "do": fault}));
    }
    if stream.chance(0.5) {
        faults.push(json!({"at_ms": between(stream, 500, until_ms - 1_000), "do": {"rebalance": {}}}));
    }
    faults
}

/// A drawn service under drawn faults, until all that can be counted is.
fn drawn_run(seed: u64, delivery: &str) -> ServiceReport {
    let mut stream = Stream::new(seed, Purpose::Swarm, 6);
    let stop_ms = 18_000;
    let mut service = json!({
        "workers": {
            "delivery": delivery,
            "flush_ms": 100 + stream.below(900),
            "checkpoint_ms": 200 + stream.below(2_000),
            "buffer_rows": if stream.chance(0.3) { 20 } else { 10_000 },
            "spill_rows": if stream.chance(0.3) { 50 } else { 100_000 },
            "aggregate": stream.chance(0.8),
            "fetch_views": 50 + stream.below(1_000),
            "write_timeout_ms": 1_000
        },
        "collectors": {"linger_ms": stream.below(20), "sub_counts": 1 + stream.below(3), "hot_share": 0.1},
        "store": if stream.chance(0.3) { "both" } else { "aggregates" }
    });
    if stream.chance(0.3) {
        service["workers"]["enrichment"] = json!({"cache_entries": stream.below(40)});
    }
    let faults = drawn_faults(&mut stream, stop_ms);
    let mut more = silent_at_the_end(faults, u64::from(stop_ms));
    more["seed"] = json!(seed);
    more["duration_ms"] = json!(60_000);
    let whole = small(service, more);
    let session =
        run(parse(&whole.to_string()).unwrap_or_else(|error| panic!("seed {seed}: {error}\n{whole}")));
    let report = of(&session);
    assert_eq!(report.log_lag_views, 0, "seed {seed}: not drained: {report:?}\n{whole}");
    report
}

fn check_deliveries(seed: u64) {
    let exactly = drawn_run(seed, "effectively_once").views;
    assert_eq!(
        (exactly.missing, exactly.counted_twice),
        (0, 0),
        "seed {seed}, effectively once: {exactly:?}"
    );
    let at_least = drawn_run(seed, "at_least_once").views;
    assert_eq!(at_least.missing, 0, "seed {seed}, at least once: {at_least:?}");
    let at_most = drawn_run(seed, "at_most_once").views;
    assert_eq!(at_most.counted_twice, 0, "seed {seed}, at most once: {at_most:?}");
}

#[test]
fn no_mode_breaks_its_promise_under_drawn_crashes_and_outages() {
    for seed in 1..=6 {
        check_deliveries(seed);
    }
}

/// By hand: `FAULTLINE_SWARM_SEED=… FAULTLINE_SWARM_RUNS=… cargo test --test core -- --ignored deliveries_many`.
#[test]
#[ignore = "takes as long as it is told to"]
fn deliveries_many() {
    let number = |name: &str, default: u64| {
        std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
    };
    let first = number("FAULTLINE_SWARM_SEED", 1);
    for seed in first..first + number("FAULTLINE_SWARM_RUNS", 20) {
        check_deliveries(seed);
    }
}

/// A worker crashes between two checkpoints.
fn with_a_crash(delivery: &str) -> ServiceReport {
    let service = json!({"workers": {"delivery": delivery, "checkpoint_ms": 3_000, "flush_ms": 200}});
    let crash = json!({"at_ms": 7_900, "for_ms": 2_000, "do": {"crash": {"nodes": {"nodes": ["worker-1", "worker-2"]}}}});
    of(&run(scenario(&small(service, silent_at_the_end(vec![crash], 15_000)))))
}

#[test]
fn a_crash_costs_what_the_mode_says_and_no_less() {
    let at_most = with_a_crash("at_most_once").views;
    assert!(at_most.missing > 0 && at_most.counted_twice == 0, "views are lost: {at_most:?}");
    let at_least = with_a_crash("at_least_once").views;
    assert!(at_least.missing == 0 && at_least.counted_twice > 100, "views are counted twice: {at_least:?}");
    let exactly = with_a_crash("effectively_once").views;
    assert_eq!((exactly.missing, exactly.counted_twice), (0, 0), "{exactly:?}");
}

#[test]
fn an_outage_of_the_database_is_spilled_held_back_and_drained() {
    let service = json!({"workers": {"buffer_rows": 30, "spill_rows": 60, "write_timeout_ms": 500}});
    let outage = json!({"at_ms": 4_000, "for_ms": 12_000, "do":
        {"partition": {"groups": [{"roles": ["worker"]}, {"roles": ["query-proxy"]}]}}});
    let mut more = silent_at_the_end(vec![outage], 17_000);
    more["duration_ms"] = json!(40_000);
    let session = run(scenario(&small(service, more)));
    let report = of(&session);
    assert!(report.times_spilled > 0 && report.times_held_back > 0, "{report:?}");
    assert!(report.row_write_retries > 0);
    assert_eq!(
        (report.views.missing, report.views.counted_twice, report.log_lag_views),
        (0, 0, 0),
        "{report:?}"
    );
    assert!(report.stored_after_ms.p99 > Some(8_000.0), "views waited for the database: {report:?}");
}

#[test]
fn malformed_views_go_to_the_dead_letters_or_block_their_partition() {
    let poison = || json!({"at_ms": 5_000, "for_ms": 1_000, "do": {"poison": {"share": 0.05}}});
    let with = of(&run(scenario(&small(json!({}), silent_at_the_end(vec![poison()], 15_000)))));
    assert!(with.views.dead_letters_malformed > 10, "{with:?}");
    assert_eq!((with.views.missing, with.views.counted_twice, with.log_lag_views), (0, 0, 0), "{with:?}");
    let service = json!({"workers": {"dead_letters": false}});
    let without = of(&run(scenario(&small(service, silent_at_the_end(vec![poison()], 15_000)))));
    assert_eq!(without.views.dead_letters_malformed, 0);
    assert!(
        without.log_lag_views > 1_000 && without.views.missing > 1_000,
        "partitions stand still: {without:?}"
    );
}

fn workers_of(run: &ClusterRun) -> Vec<usize> {
    let world = run.world();
    let workers = world.node_ids().filter_map(|node| world.process(node).as_worker());
    workers.map(|worker| worker.partitions().count()).collect()
}

#[test]
fn partitions_are_dealt_out_evenly_and_again_when_a_worker_is_gone() {
    let crash = json!({"at_ms": 8_000, "do": {"crash": {"nodes": {"nodes": ["worker-2"]}}}});
    let mut session =
        Session::open(scenario(&small(json!({}), json!({"faults": [crash]}))), None, Vec::new(), None)
            .expect("valid");
    session.run_until(faultline::engine::SimTime(7_000_000_000));
    assert_eq!(workers_of(&session.clusters()[0]), [2, 2, 2]);
    session.run_until(faultline::engine::SimTime(14_000_000_000));
    let after = workers_of(&session.clusters()[0]);
    assert_eq!((after[0], after[2]), (3, 3), "the crashed one still shows what it had: {after:?}");
}

#[test]
fn a_bug_is_repaired_from_the_views_if_they_are_stored() {
    let faults = || {
        vec![
            json!({"at_ms": 4_000, "for_ms": 5_000, "do": {"counting_bug": {"device": 2}}}),
            json!({"at_ms": 12_000, "do": {"recount": {}}}),
        ]
    };
    let mut more = silent_at_the_end(faults(), 14_000);
    more["duration_ms"] = json!(30_000);
    let aggregates = of(&run(scenario(&small(json!({"store": "aggregates"}), more.clone()))));
    assert!(aggregates.views.missing > 500, "a quarter of five seconds is missing: {aggregates:?}");
    assert_eq!(aggregates.stored_by_device, None);
    let both = of(&run(scenario(&small(json!({"store": "both"}), more))));
    assert_eq!((both.views.missing, both.views.counted_twice), (0, 0), "{both:?}");
    let by_device = both.stored_by_device.clone().expect("the views are stored");
    assert_eq!(by_device.iter().sum::<u64>(), both.views.taken);
    assert!(both.object_store_mb > 0.5, "{both:?}");
}

#[test]
fn each_view_can_be_a_row_of_its_own() {
    let service = json!({"store": "events"});
    let mut more = silent_at_the_end(Vec::new(), 12_000);
    more["workload"] = json!({"rate_per_s": 200, "reads": 0.1, "keys": 20, "clients": 4});
    let events = of(&run(scenario(&small(service, more.clone()))));
    assert_eq!((events.views.missing, events.views.counted_twice), (0, 0), "{events:?}");
    let aggregates = of(&run(scenario(&small(json!({}), more))));
    let writes = |report: &ServiceReport| report.row_writes_per_view.expect("views were taken");
    assert!(
        writes(&events) > 0.99 && writes(&aggregates) < 0.8,
        "{} {}",
        writes(&events),
        writes(&aggregates)
    );
    assert!(events.database_mb > 3.0 * aggregates.database_mb, "{events:?} {aggregates:?}");
    let by_device = events.stored_by_device.expect("views can be sliced");
    assert_eq!(by_device.iter().sum::<u64>(), events.views.taken);
}

#[test]
fn a_ring_counts_as_well_with_rows_that_rise_or_with_counters() {
    for (versions, delivery) in [("last_write_wins", "effectively_once"), ("g_counter", "at_least_once")] {
        let mut whole =
            small(json!({"workers": {"delivery": delivery}}), silent_at_the_end(Vec::new(), 15_000));
        let service = whole["clusters"][0]["sharded_sql"]["service"].clone();
        whole["clusters"] = json!([{"gossip_ring": {"versions": versions, "service": service}}]);
        let report = of(&run(scenario(&whole)));
        assert!(report.views.taken > 9_000);
        assert_eq!((report.views.missing, report.views.counted_twice), (0, 0), "{versions}: {report:?}");
    }
}

#[test]
fn a_new_name_is_one_row_or_one_for_each_video() {
    let rename = json!({"at_ms": 8_000, "do": {"rename": {"channel": 1}}});
    let workload = json!({"rate_per_s": 800, "reads": 0.5, "joins": 1.0, "keys": 60, "clients": 4});
    let of_model = |model: &str| {
        let more = json!({"faults": [rename.clone()], "workload": workload.clone()});
        of(&run(scenario(&small(json!({"model": model}), more))))
    };
    let (normalized, denormalized) = (of_model("normalized"), of_model("denormalized"));
    assert_eq!(normalized.rows_renamed, 1);
    assert_eq!(denormalized.rows_renamed, 1 + 20, "the channel and its videos");
    assert!(
        denormalized.names_disagreed_ms > 0.0 && normalized.names_disagreed_ms > 0.0,
        "caches keep the old name"
    );
}

#[test]
fn jobs_cost_less_time_of_machines_and_more_delay() {
    let mut more = silent_at_the_end(Vec::new(), 15_000);
    more["duration_ms"] = json!(26_000);
    let stream = of(&run(scenario(&small(json!({}), more.clone()))));
    let jobs = of(&run(scenario(&small(json!({"workers": {"trigger": {"every_ms": 6_000}}}), more))));
    assert_eq!((jobs.views.missing, jobs.views.counted_twice), (0, 0), "{jobs:?}");
    assert!(jobs.jobs >= 3 * 4, "{jobs:?}");
    assert!(jobs.worker_hours < 0.5 * stream.worker_hours, "{} {}", jobs.worker_hours, stream.worker_hours);
    assert!(jobs.stored_after_ms.p50 > stream.stored_after_ms.p50.map(|ms| ms * 3.0), "{jobs:?}");
}

#[test]
fn a_field_more_fails_strict_readers_and_waits_for_the_schema_in_sql() {
    let add = json!({"at_ms": 5_000, "do": {"add_field": {"readers_after_ms": 4_000}}});
    let failed = |kind: &str, service: Value, more: Vec<Value>| {
        let faults: Vec<Value> = more.into_iter().chain([add.clone()]).collect();
        let mut whole = small(service, silent_at_the_end(faults, 16_000));
        let service = whole["clusters"][0]["sharded_sql"]["service"].clone();
        whole["clusters"] = json!([{kind: {"service": service}}]);
        let session = run(scenario(&whole));
        let causes = session.clusters()[0].summary(session.now()).causes;
        let unknown = causes.iter().find(|(cause, _)| cause.contains("field"));
        (unknown.map_or(0, |(_, count)| *count), of(&session))
    };
    let strict = || json!({"readers": {"tolerant": false}});
    let (refused, report) = failed("gossip_ring", strict(), Vec::new());
    assert!(refused > 100, "readers of the version before fail: {refused}");
    assert_eq!((report.views.missing, report.views.counted_twice), (0, 0));
    let (refused, _) = failed("gossip_ring", json!({}), Vec::new());
    assert_eq!(refused, 0, "tolerant readers pass over it");
    // No table has the field: workers are refused, and views wait.
    let (_, without) = failed("sharded_sql", json!({}), Vec::new());
    assert!(without.views.missing > 3_000 && without.row_write_retries > 0, "{without:?}");
    let change = |shard: u32| json!({"at_ms": 6_000, "do": {"schema_change": {"shard": shard}}});
    let (_, with) = failed("sharded_sql", json!({}), vec![change(1), change(2)]);
    assert_eq!(
        (with.views.missing, with.views.counted_twice),
        (0, 0),
        "the schema changes, and all is written: {with:?}"
    );
}

#[test]
fn old_windows_go_to_cold_storage_and_count_there() {
    let service = |hot: Value| json!({"model": "normalized", "workers": {"lateness_ms": 1_000, "hot_windows": hot}, "readers": {"range_windows": 8, "cache_entries": 0}});
    let with = of(&run(scenario(&small(service(json!(2)), silent_at_the_end(Vec::new(), 15_000)))));
    let without = run(scenario(&small(service(Value::Null), silent_at_the_end(Vec::new(), 15_000))));
    assert_eq!((with.views.missing, with.views.counted_twice), (0, 0), "{with:?}");
    let hot_only = of(&without);
    assert!(with.database_mb < 0.6 * hot_only.database_mb, "{} {}", with.database_mb, hot_only.database_mb);
    // Readers answer the same, later where they have to ask the object store.
    let session = run(scenario(&small(service(json!(2)), silent_at_the_end(Vec::new(), 15_000))));
    let p50 = |session: &Session| session.clusters()[0].summary(session.now()).read.p50_ms;
    assert!(p50(&session) > p50(&without) + 10.0, "{} {}", p50(&session), p50(&without));
}
