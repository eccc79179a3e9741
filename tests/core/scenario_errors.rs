//! What a scenario's author is told: each slip gives the field, what is wrong and what would be right.

use faultline::scenario::error::ScenarioError;
use faultline::scenario::fault::{FaultSpec, Selector};
use faultline::scenario::limits::TEXT_BYTES_MAX;
use faultline::scenario::schema::Scenario;
use faultline::scenario::validate::validate_command;
use faultline::scenario::{parse, presets};
use serde_json::{Value, json};

/// The smallest scenario with both clusters.
fn base() -> Value {
    json!({
        "version": 1, "name": "test", "title": "Test", "duration_ms": 10_000,
        "workload": {"rate_per_s": 100},
        "clusters": [{"sharded_sql": {}}, {"gossip_ring": {}}],
    })
}

/// The scenario with one value replaced or added, by JSON pointer.
fn with(pointer: &str, value: Value) -> Value {
    let mut scenario = base();
    let (parent, field) = pointer.rsplit_once('/').expect("a pointer");
    match scenario.pointer_mut(parent).expect("the parent exists") {
        Value::Object(fields) => {
            fields.insert(field.to_string(), value);
        }
        Value::Array(list) => list[field.parse::<usize>().expect("an index")] = value,
        other => panic!("{other} has no fields"),
    }
    scenario
}

fn with_fault(fault: Value) -> Value {
    with("/faults", json!([{"at_ms": 1000, "for_ms": 500, "do": fault}]))
}

fn message(scenario: &Value) -> String {
    match parse(&scenario.to_string()) {
        Ok(_) => panic!("accepted: {scenario}"),
        Err(error) => error.to_string(),
    }
}

/// Every part must stand in the message.
#[track_caller]
fn says(scenario: &Value, parts: &[&str]) {
    let message = message(scenario);
    for part in parts {
        assert!(message.contains(part), "`{part}` is missing in: {message}");
    }
}

#[test]
fn the_smallest_scenario_is_accepted_and_gets_its_defaults() {
    let scenario = parse(&base().to_string()).expect("valid");
    assert_eq!(scenario.zones, ["a", "b", "c"]);
    assert_eq!(scenario.workload.clients, 12);
    assert_eq!(scenario.seed, 1);
}

#[test]
fn text_that_is_not_json_is_refused_with_its_place() {
    let Err(ScenarioError::Unreadable { line, column, problem }) = parse("{\n  \"version\": 1,\n  oops\n}")
    else {
        panic!("another error");
    };
    assert_eq!((line, column), (3, 3));
    assert!(problem.contains("key must be a string"), "{problem}");
    assert!(parse("").is_err());
    assert!(parse("[1, 2]").unwrap_err().to_string().contains("must be an object"));
}

#[test]
fn what_encryption_costs_has_a_bound_in_both_clusters() {
    for (cluster, name) in [(0, "sharded_sql"), (1, "gossip_ring")] {
        let scenario = with(&format!("/clusters/{cluster}/{name}/encryption"), json!({"io_ms": 2_000}));
        says(&scenario, &[&format!("clusters[{cluster}].{name}.encryption.io_ms"), "2000", "0 to 1000"]);
    }
}

#[test]
fn a_ring_is_refused_the_queries_that_it_has_not() {
    for (field, remedy) in [("scans", "`rows_per_partition`"), ("tops", "must be 0"), ("joins", "must be 0")]
    {
        let scenario = with(&format!("/workload/{field}"), json!(0.3));
        says(&scenario, &["clusters[1].gossip_ring", &format!("workload.{field} is 0.3"), remedy]);
    }
    let mut scenario = with("/workload/scans", json!(0.3));
    scenario["clusters"][1]["gossip_ring"]["rows_per_partition"] = json!(20);
    assert!(parse(&scenario.to_string()).is_ok(), "with wide rows it has scans");
    says(
        &with("/clusters/1/gossip_ring/rows_per_partition", json!(1)),
        &["clusters[1].gossip_ring.rows_per_partition", "is 1", "2 to 10000"],
    );
}

#[test]
fn a_store_has_its_ranges() {
    let at = "/clusters/1/gossip_ring/storage";
    for (value, parts) in [
        (json!({"memtable_mb": 0}), ["storage.memtable_mb", "is 0", "0.01 to 1000"]),
        (
            json!({"bloom_filter_false_positives": 0}),
            ["storage.bloom_filter_false_positives", "is 0", "to 1"],
        ),
        (json!({"compaction_mb_per_s": -1}), ["storage.compaction_mb_per_s", "is -1", "0.01 to 100000"]),
        (
            json!({"compaction": {"size_tiered": {"min_threshold": 8, "max_threshold": 4}}}),
            ["storage.compaction.size_tiered.max_threshold", "is 4", "at least `min_threshold`, which is 8"],
        ),
        (
            json!({"compaction": {"levelled": {"fan_out": 1}}}),
            ["storage.compaction.levelled.fan_out", "is 1", "2 to 100"],
        ),
        (json!({"memtable": 1}), ["memtable", "memtable_mb", "storage"]),
    ] {
        says(&with(at, value), &parts);
    }
    assert!(parse(&with(at, json!({"compaction": null})).to_string()).is_ok());
}

#[test]
fn a_byte_order_mark_is_passed_over() {
    assert!(parse(&format!("\u{feff}{}", base())).is_ok());
}

#[test]
fn text_that_is_too_large_is_refused_before_it_is_read() {
    let error = parse(&" ".repeat(TEXT_BYTES_MAX + 1)).unwrap_err();
    assert!(matches!(error, ScenarioError::TooLarge { .. }));
    assert!(error.to_string().contains("at most 1048576"), "{error}");
}

#[test]
fn the_version_is_checked_before_anything_else() {
    let mut scenario = with("/version", json!(7));
    scenario["unheard_of"] = json!(true);
    says(&scenario, &["version is 7", "reads version 1"]);
    says(&with("/version", json!("1")), &["version is the text \"1\"", "reads version 1"]);
    let mut scenario = base();
    scenario.as_object_mut().unwrap().remove("version");
    says(&scenario, &["version is missing", "reads version 1"]);
}

#[test]
fn an_unknown_field_is_named_with_the_nearest_right_one_and_all_possible_ones() {
    says(
        &with("/durations_ms", json!(1)),
        &["durations_ms", "did you mean `duration_ms`?", "workload, clusters"],
    );
    says(&with("/workload/rate", json!(1)), &["workload.rate:", "did you mean `rate_per_s`?"]);
    says(
        &with("/clusters/1/gossip_ring/gossip", json!({"neighbors": 2})),
        &["clusters[1].gossip_ring.gossip.neighbors", "did you mean `neighbours`?", "fan_out"],
    );
    says(
        &with("/clusters/0/sharded_sql/shards", json!([{"form": "A", "to": "Z"}])),
        &["clusters[0].sharded_sql.shards[0].form", "did you mean `from`?", "Possible: from, to"],
    );
    says(
        &with("/clusters/0/sharded_sql/disk", json!({"read": {"lognormal": {"median": 1, "sigma": 1}}})),
        &["clusters[0].sharded_sql.disk.read.lognormal.median", "did you mean `median_ms`?"],
    );
    says(
        &with_fault(json!({"crash": {"node": {"all": true}}})),
        &["faults[0].do.crash.node", "did you mean `nodes`?"],
    );
    says(
        &with_fault(json!({"pause": {"nodes": {"role": ["mysql"]}}})),
        &["faults[0].do.pause.nodes.role", "did you mean `roles`?"],
    );
}

#[test]
fn an_unknown_kind_is_named_with_the_nearest_right_one() {
    says(
        &with("/clusters/0", json!({"sharded-sql": {}})),
        &["clusters[0]", "`sharded-sql`", "did you mean `sharded_sql`?"],
    );
    says(
        &with_fault(json!({"crush": {}})),
        &["faults[0].do", "there is no fault `crush`", "did you mean `crash`?", "hot_key"],
    );
    says(
        &with("/clusters/0/sharded_sql/reads", json!("primry")),
        &["sharded_sql.reads", "did you mean `primary`?"],
    );
    says(
        &with(
            "/clusters/0/sharded_sql/disk",
            json!({"fsync": {"mixture": [{"weight": 1, "of": {"constant": 1}}]}}),
        ),
        &["disk.fsync.mixture[0].of", "did you mean `constant_ms`?", "pareto"],
    );
    says(
        &with("/clusters/0/sharded_sql/binlog_sync", json!("never")),
        &["binlog_sync", "every_write, every_writes, every_ms"],
    );
}

#[test]
fn a_name_like_no_other_gets_no_suggestion() {
    let message = message(&with("/zzz", json!(1)));
    assert!(!message.contains("did you mean") && message.contains("Possible:"), "{message}");
}

#[test]
fn a_value_of_the_wrong_type_is_said_in_plain_words() {
    says(
        &with("/workload/rate_per_s", json!("fast")),
        &["workload.rate_per_s", "the text \"fast\"", "must be a number"],
    );
    says(
        &with("/workload/clients", json!(1.5)),
        &["workload.clients: is 1.5", "whole number from 0 to 4294967295"],
    );
    says(&with("/workload/clients", json!(-1)), &["workload.clients: is -1", "whole number"]);
    says(&with("/workload/payload_bytes", json!("big")), &["workload.payload_bytes", "list of two"]);
    says(&with("/workload", json!(3)), &["workload: is 3", "an object with named fields"]);
    says(&with("/name", json!(null)), &["name: is null", "text in quotes"]);
    says(&with("/zones", json!("abc")), &["zones", "must be a list"]);
    says(
        &with("/clusters/0/sharded_sql/disk", json!({"read": {"uniform_ms": [1]}})),
        &["disk.read.uniform_ms", "exactly two"],
    );
    says(
        &with("/clusters/0/sharded_sql/disk", json!({"read": {"uniform_ms": [1, 2, 3]}})),
        &["disk.read.uniform_ms", "too many"],
    );
    says(
        &with("/clusters/0/sharded_sql/disk", json!({"read": 3})),
        &["disk.read: is 3", "exactly one entry", "constant_ms"],
    );
    says(&with("/clusters/0", json!({})), &["clusters[0]", "exactly one entry", "sharded_sql, gossip_ring"]);
    says(
        &with("/clusters/0", json!({"sharded_sql": {}, "name": "x"})),
        &["clusters[0]", "exactly one entry"],
    );
    says(&with_fault(json!("crash")), &["faults[0].do", "without its value", "{\"crash\": …}"]);
    says(
        &with("/clusters/0/sharded_sql/binlog_sync", json!({"every_write": 1})),
        &["binlog_sync", "stand alone"],
    );
    says(
        &json!({"version": 1, "name": "x", "title": "T", "duration_ms": 1, "clusters": []}),
        &["`workload` is missing"],
    );
}

#[test]
fn a_number_that_no_float_can_hold_is_refused() {
    let text = base().to_string().replace("\"rate_per_s\":100", "\"rate_per_s\":1e999");
    assert!(text.contains("1e999"));
    // JSON itself has no such limit, but ours has: it is told as unreadable, with its place.
    assert!(parse(&text).unwrap_err().to_string().contains("number out of range"));
}

#[test]
fn a_field_that_stands_twice_is_refused() {
    let text = base().to_string().replace("\"rate_per_s\":100", "\"rate_per_s\":100,\"rate_per_s\":200");
    let message = parse(&text).unwrap_err().to_string();
    assert!(message.contains("`rate_per_s` stands twice"), "{message}");
}

#[test]
fn nodes_written_as_a_list_or_a_text_get_an_example() {
    for nodes in [json!(["mysql-1-1", "ring-1"]), json!("ring-1")] {
        says(
            &with_fault(json!({"crash": {"nodes": nodes}})),
            &["faults[0].do.crash.nodes", "{\"nodes\": [\"ring-1\"]}"],
        );
    }
    says(
        &with_fault(json!({"partition": {"groups": [["a"], ["b"]]}})),
        &["groups[0]", "{\"zones\": [\"a\"]}"],
    );
}

#[test]
fn a_list_in_place_of_an_object_is_refused_even_where_it_would_fit() {
    says(
        &with("/clusters/0/sharded_sql/shards", json!([["A", "Z"]])),
        &["shards[0]", "must be an object with named fields"],
    );
    says(
        &with("/clusters/1/gossip_ring/gossip", json!([200, 3, 8])),
        &["gossip", "must be an object with named fields"],
    );
}

#[test]
fn every_number_has_its_range() {
    let cases = [
        ("/duration_ms", json!(0), "duration_ms: is 0; it must be a number from 1 to 3600000"),
        ("/duration_ms", json!(3_600_001), "from 1 to 3600000"),
        (
            "/workload/rate_per_s",
            json!(0),
            "workload.rate_per_s: is 0; it must be a number greater than 0 and at most 200000",
        ),
        ("/workload/rate_per_s", json!(-5), "is -5"),
        ("/workload/rate_per_s", json!(200_001), "at most 200000"),
        ("/workload/reads", json!(1.01), "workload.reads: is 1.01; it must be a number from 0 to 1"),
        ("/workload/clients", json!(0), "whole number from 1 to 256"),
        ("/workload/clients", json!(257), "whole number from 1 to 256"),
        ("/workload/keys", json!(0), "whole number from 1 to 1000000"),
        ("/workload/zipf_theta", json!(2.5), "from 0 to 2"),
        ("/workload/payload_bytes", json!(2_000_000), "payload_bytes: is 2000000"),
        ("/workload/payload_bytes", json!([9, 3]), "runs from 9 to 3"),
        ("/workload/timeout_ms", json!(0), "workload.timeout_ms: is 0"),
        (
            "/workload/probes",
            json!({"at_ms": [1, 1]}),
            "workload.probes.at_ms[1]: is 1, after 1; delays must rise",
        ),
        (
            "/workload/probes",
            json!({"at_ms": [60_001]}),
            "at_ms[0]: is 60001; it must be a number from 0 to 60000",
        ),
        ("/workload/probes", json!({"at_ms": vec![1; 17]}), "at_ms: has 17 delays; it must have 0 to 16"),
        ("/workload/probes", json!({"searching": 17}), "probes.searching: is 17"),
        ("/workload/in_flight_max", json!(0), "workload.in_flight_max: is 0"),
        ("/network", json!({"loss": 0.6}), "network.loss: is 0.6; it must be a number from 0 to 0.5"),
        ("/network", json!({"bandwidth_mbit_per_s": 0}), "network.bandwidth_mbit_per_s: is 0"),
        ("/network", json!({"stream_timeout_ms": 0}), "network.stream_timeout_ms: is 0"),
        ("/clusters/0/sharded_sql/query_proxies", json!(17), "from 1 to 16"),
        ("/clusters/0/sharded_sql/replicas", json!(6), "clusters[0].sharded_sql.replicas: is 6"),
        ("/clusters/0/sharded_sql/pool_size", json!(0), "pool_size: is 0"),
        ("/clusters/0/sharded_sql/health_check", json!({"threshold": 0}), "health_check.threshold: is 0"),
        (
            "/clusters/0/sharded_sql/health_check",
            json!({"interval_ms": 0.001}),
            "health_check.interval_ms: is 0.001",
        ),
        ("/clusters/0/sharded_sql/binlog_sync", json!({"every_ms": 0}), "binlog_sync.every_ms: is 0"),
        ("/clusters/0/sharded_sql/cache", json!({"ttl_ms": -1}), "cache.ttl_ms: is -1"),
        ("/clusters/0/sharded_sql/mysql_machine", json!({"cores": 0}), "mysql_machine.cores: is 0"),
        (
            "/clusters/0/sharded_sql/proxy_machine",
            json!({"storage_gb": -1}),
            "proxy_machine.storage_gb: is -1",
        ),
        ("/clusters/1/gossip_ring/nodes", json!(1_001), "from 1 to 1000"),
        ("/clusters/1/gossip_ring/n", json!(7), "from 1 to `nodes`, which is 6"),
        (
            "/clusters/1/gossip_ring/r",
            json!(4),
            "clusters[1].gossip_ring.r: is 4; it must be a whole number from 1 to `n`, which is 3",
        ),
        ("/clusters/1/gossip_ring/w", json!(0), "gossip_ring.w: is 0"),
        (
            "/clusters/1/gossip_ring/gossip",
            json!({"neighbours": 4}),
            "gossip.neighbours: is 4; it must be a whole number from 1 to 3",
        ),
        (
            "/clusters/1/gossip_ring/gossip",
            json!({"fan_out": 4}),
            "gossip.fan_out: is 4; it must be a whole number from 1 to `neighbours`, which is 3",
        ),
        (
            "/clusters/1/gossip_ring/gossip",
            json!({"seeds": 7}),
            "gossip.seeds: is 7; it must be a whole number from 1 to `nodes`, which is 6",
        ),
        (
            "/clusters/1/gossip_ring/failure_detection",
            json!({"phi_accrual": {"threshold": 0}}),
            "failure_detection.phi_accrual.threshold: is 0",
        ),
        (
            "/clusters/1/gossip_ring/failure_detection",
            json!({"time_out": {"after_ms": 0}}),
            "failure_detection.time_out.after_ms: is 0",
        ),
        (
            "/clusters/1/gossip_ring/failure_detection",
            json!({"swim": {"timeout_ms": 1_500}}),
            "failure_detection.swim.timeout_ms: is 1500; it must be at most `period_ms`, which is 1000",
        ),
        (
            "/clusters/1/gossip_ring/failure_detection",
            json!({"swim": {"indirect": 17}}),
            "failure_detection.swim.indirect: is 17",
        ),
        ("/clusters/1/gossip_ring/virtual_nodes", json!(0), "virtual_nodes: is 0"),
        ("/clusters/1/gossip_ring/partitions", json!(100_000), "partitions: is 100000"),
        (
            "/clusters/1/gossip_ring",
            json!({"partitioning": "equal_shares", "partitions": 5}),
            "partitions: is 5; it must be at least `nodes`, which is 6",
        ),
        ("/clusters/1/gossip_ring/partitioning", json!("equal"), "by_token, equal_ranges, equal_shares"),
        ("/checks", json!({"success_share_min": 1.5}), "checks.success_share_min: is 1.5"),
        ("/checks", json!({"latency_ms_p99_max": 0}), "checks.latency_ms_p99_max: is 0"),
    ];
    for (pointer, value, part) in cases {
        says(&with(pointer, value), &[part]);
    }
}

#[test]
fn what_a_ring_cannot_do_is_refused_with_what_it_can() {
    says(
        &with_fault(json!({"join": {"node": "ring-9"}})),
        &["faults[0].do.join.node: there is no ring node `ring-9`", "Possible: ring-1, ring-2"],
    );
    says(&with_fault(json!({"leave": {"node": "mysql-1-1"}})), &["do.leave.node: there is no ring node"]);
    let by_itself = json!({"replace": {"node": "ring-2", "by": "ring-2"}});
    says(&with_fault(by_itself), &["do.replace.by: is ring-2, the node itself; it must be another one"]);
    for (ring, part) in [
        (json!({"partitioning": "equal_shares"}), "choose `partitioning` by_token or equal_ranges"),
        (json!({"nodes": 20, "n": 16}), "choose `n` up to 15"),
        (json!({"versions": "compare_and_set"}), "choose other `versions`"),
    ] {
        let mut scenario = with_fault(json!({"leave": {"node": "ring-2"}}));
        scenario["clusters"][1]["gossip_ring"] = ring;
        says(&scenario, &["do.leave.node: is ring-2, of a ring that is", part]);
    }
    says(&with("/clusters/1/gossip_ring/spares", json!(65)), &["spares: is 65"]);
    let too_many = with("/clusters/1/gossip_ring", json!({"nodes": 990, "spares": 11}));
    says(&too_many, &["spares: is 11; with `nodes`, which is 990, it must be at most 1000"]);
    says(&with("/clusters/1/gossip_ring/stream_mbit_per_s", json!(0)), &["stream_mbit_per_s: is 0"]);
}

#[test]
fn the_threshold_of_the_failure_detector_is_read_where_it_once_stood() {
    let old = with("/clusters/1/gossip_ring/gossip", json!({"phi_threshold": 5.0, "neighbours": 2}));
    let scenario = serde_json::to_value(parse(&old.to_string()).expect("valid")).expect("serialises");
    let ring = &scenario["clusters"][1]["gossip_ring"];
    assert_eq!(ring["failure_detection"], json!({"phi_accrual": {"threshold": 5.0, "window": 1_000}}));
    assert_eq!(ring["gossip"]["neighbours"], 2);
    says(
        &with("/clusters/1/gossip_ring/gossip", json!({"phi_threshold": 0})),
        &["failure_detection.phi_accrual.threshold: is 0"],
    );
}

#[test]
fn a_distribution_is_checked_part_by_part() {
    let read = |distribution: Value| with("/clusters/0/sharded_sql/disk", json!({"read": distribution}));
    says(&read(json!({"constant_ms": -1})), &["clusters[0].sharded_sql.disk.read", "constant_ms is -1"]);
    says(&read(json!({"uniform_ms": [2, 1]})), &["must not be greater"]);
    says(&read(json!({"empirical_ms": []})), &["empty list"]);
    says(
        &read(json!({"mixture": [{"weight": 1, "of": {"constant_ms": 1}},
                                 {"weight": 1, "of": {"exponential": {"rate_per_ms": 0}}}]})),
        &["disk.read.mixture[1].of", "rate_per_ms is 0"],
    );
    let mut deep = json!({"constant_ms": 1});
    for _ in 0..20 {
        deep = json!({"shifted": {"by_ms": 1, "of": deep}});
    }
    says(&read(deep), &["disk.read", "nest deeper"]);
    says(
        &with("/clusters/1/gossip_ring/legs", json!({"read_request": {"constant_ms": -1}})),
        &["legs.read_request"],
    );
}

#[test]
fn json_that_nests_without_end_is_refused() {
    let nested = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(parse(&nested).unwrap_err().to_string().contains("recursion limit"));
}

#[test]
fn shards_must_cover_the_alphabet_once_and_in_order() {
    let shards = |ranges: &[(&str, &str)]| {
        let list: Vec<Value> = ranges.iter().map(|(from, to)| json!({"from": from, "to": to})).collect();
        with("/clusters/0/sharded_sql/shards", json!(list))
    };
    says(
        &shards(&[]),
        &["shards has 0 ranges"].map(|part| if part.is_empty() { part } else { "has 0 ranges" }),
    );
    says(
        &shards(&[("A", "M"), ("O", "Z")]),
        &["shards[1].from: is O", "leaves names between M and O without a shard", "right after M"],
    );
    says(&shards(&[("A", "M"), ("M", "Z")]), &["shards[1].from: is M", "another shard has already"]);
    says(&shards(&[("N", "Z"), ("A", "M")]), &["shards[0].from: is N", "must begin with A"]);
    says(&shards(&[("A", "Y")]), &["shards[0].to: is Y", "must end with Z"]);
    says(&shards(&[("A", "Z"), ("A", "Z")]), &["shards[1]", "comes after Z"]);
    says(&shards(&[("a", "z")]), &["shards[0].from", "a capital letter"]);
    says(&shards(&[("A", "Ä")]), &["shards[0].to", "a capital letter"]);
    says(&shards(&[("A", "M"), ("N", "L")]), &["shards[1].to: is L, before its from, N"]);
    assert!(parse(&shards(&[("A", "A"), ("B", "Y"), ("Z", "Z")]).to_string()).is_ok());
}

#[test]
fn names_must_be_there_unique_and_readable() {
    says(&with("/name", json!("Two Words")), &["name: is \"Two Words\"", "lower-case"]);
    says(&with("/name", json!("")), &["name: has 0 characters"]);
    says(&with("/name", json!("a--b")), &["joined by hyphens"]);
    says(&with("/title", json!("  ")), &["title", "blank"]);
    says(&with("/title", json!("\u{1b}[31mred")), &["title", "control characters"]);
    says(&with("/zones", json!([])), &["zones: has 0 names"]);
    says(&with("/zones", json!(["a", "b", "a"])), &["zones[2]: is \"a\" like zones[0]"]);
    says(&with("/clusters", json!([])), &["clusters: has 0 clusters"]);
    says(
        &with("/clusters", json!([{"gossip_ring": {}}, {"gossip_ring": {}}])),
        &["clusters[1].gossip_ring.name", "like clusters[0]", "name of its own"],
    );
}

#[test]
fn what_is_provisioned_must_be_a_volumes_and_do_something() {
    let mysql = |fields: Value| with("/clusters/0/sharded_sql/mysql_machine", fields);
    says(
        &mysql(json!({"provisioned_iops": 5})),
        &["mysql_machine.provisioned_iops: is 5; it must be 0, or a number from 100"],
    );
    says(
        &mysql(json!({"provisioned_iops": 4_000, "storage_gb": 0})),
        &["must be 0 without a volume", "`storage_gb`, which is 0"],
    );
    says(
        &mysql(json!({"provisioned_mb_per_s": 200, "storage_gb": 10})),
        &["mysql_machine.provisioned_mb_per_s: is 200; it must be 0 without a ring's `storage`"],
    );
    let ring = json!({"machine": {"provisioned_mb_per_s": 150, "storage_gb": 100}, "storage": {"disk_mb_per_s": 200}});
    says(
        &with("/clusters/1/gossip_ring", ring),
        &["storage.disk_mb_per_s: is 200; it must be at most `machine.provisioned_mb_per_s`, which is 150"],
    );
    says(
        &with("/effort", json!({"vendor_run_share": 2})),
        &["effort.vendor_run_share: is 2; it must be a number from 0 to 1"],
    );
}

#[test]
fn prices_and_machines_must_exist() {
    says(
        &with("/prices", json!("aws-us-east-2-on-demand")),
        &["prices", "did you mean `aws-us-east-1-on-demand`?"],
    );
    says(
        &with("/clusters/1/gossip_ring/machine", json!({"machine_type": "EC2 m6i.larg"})),
        &["clusters[1].gossip_ring.machine.machine_type", "did you mean `EC2 m6i.large`?"],
    );
}

#[test]
fn all_nodes_together_are_bounded() {
    let mut scenario = base();
    scenario["workload"]["clients"] = json!(256);
    let ring = |name: &str| json!({"gossip_ring": {"name": name, "nodes": 256}});
    scenario["clusters"] = json!([ring("one"), ring("two"), ring("three")]);
    says(&scenario, &["clusters: have 1536 nodes", "at most 1024"]);
}

#[test]
fn faults_must_name_what_exists_in_some_cluster() {
    let crash = |nodes: Value| with_fault(json!({"crash": {"nodes": nodes}}));
    says(&crash(json!({})), &["faults[0].do.crash.nodes", "names nothing"]);
    says(
        &crash(json!({"nodes": ["mysql-1-3"]})),
        &["faults[0].do.crash.nodes.nodes[0]", "there is no node `mysql-1-3`", "did you mean `mysql-1-1`?"],
    );
    says(&crash(json!({"nodes": ["ring-1", "ring-7"]})), &["nodes.nodes[1]", "no node `ring-7`"]);
    says(&crash(json!({"zones": ["d"]})), &["nodes.zones[0]", "no zone `d`", "Possible: a, b, c"]);
    says(&crash(json!({"roles": ["my-sql"]})), &["no role `my-sql`", "did you mean `mysql`?"]);
    for good in [
        json!({"nodes": ["client-12", "query-proxy-2", "config-1", "shard-proxy-2", "mysql-2-2", "ring-6"]}),
        json!({"roles": ["client", "query-proxy", "config", "shard-proxy", "mysql", "ring-node"]}),
        json!({"zones": ["c"]}),
        json!({"all": true}),
    ] {
        assert!(parse(&crash(good).to_string()).is_ok());
    }
    // Without a ring, there is no such role or node.
    let mut scenario = crash(json!({"roles": ["ring-node"]}));
    scenario["clusters"] = json!([{"sharded_sql": {}}]);
    says(&scenario, &["no role `ring-node`"]);
}

#[test]
fn every_number_of_a_fault_has_its_range() {
    let all = json!({"all": true});
    let cases = [
        (json!({"slow_machine": {"nodes": all, "factor": 0}}), "slow_machine.factor: is 0"),
        (json!({"slow_disk": {"nodes": all, "factor": 10_001}}), "slow_disk.factor: is 10001"),
        (json!({"loss": {"probability": 1.1}}), "loss.probability: is 1.1; it must be a number from 0 to 1"),
        (json!({"duplication": {"probability": -0.1}}), "duplication.probability"),
        (json!({"delay": {"extra": {"constant_ms": -1}}}), "delay.extra"),
        (json!({"clock_skew": {"nodes": all, "offset_ms": 1e12}}), "clock_skew.offset_ms: is 1000000000000"),
        (
            json!({"load_spike": {"factor": 101}}),
            "load_spike.factor: is 101; it must be a number from 0 to 100",
        ),
        (json!({"hot_key": {"share": 2}}), "hot_key.share: is 2"),
        (json!({"one_way_cut": {"from": {"zones": ["x"]}, "to": all}}), "one_way_cut.from.zones[0]"),
    ];
    for (fault, part) in cases {
        says(&with_fault(fault), &["faults[0].do.", part]);
    }
}

#[test]
fn a_partition_needs_two_groups_that_share_no_node() {
    let partition = |groups: Value| with_fault(json!({"partition": {"groups": groups}}));
    says(&partition(json!([{"zones": ["a"]}])), &["partition.groups: has 1 groups", "2 to 16"]);
    says(&partition(json!([{"zones": ["a"]}, {}])), &["partition.groups[1]", "names nothing"]);
    says(
        &partition(json!([{"zones": ["a"]}, {"nodes": ["ring-1"]}])),
        &["partition.groups[1]: has ring-1 like", "groups[0]", "one group only"],
    );
    says(&partition(json!([{"all": true}, {"zones": ["b"]}])), &["one group only"]);
    assert!(parse(&partition(json!([{"zones": ["a"]}, {"nodes": ["ring-3"]}])).to_string()).is_ok());
}

#[test]
fn faults_must_begin_within_the_run_and_last_some_time() {
    let at = |at_ms: Value, for_ms: Value| {
        with("/faults", json!([{"at_ms": at_ms, "for_ms": for_ms, "do": {"load_spike": {"factor": 2}}}]))
    };
    says(&at(json!(10_001), json!(1)), &["faults[0].at_ms: is 10001; it must be a number from 0 to 10000"]);
    says(&at(json!(-1), json!(1)), &["faults[0].at_ms: is -1"]);
    says(&at(json!(1), json!(0)), &["faults[0].for_ms: is 0"]);
    let many = vec![json!({"at_ms": 1, "do": {"load_spike": {"factor": 2}}}); 201];
    says(&with("/faults", json!(many)), &["faults: has 201 faults", "0 to 200"]);
}

#[test]
fn a_live_fault_is_checked_like_a_scheduled_one() {
    let scenario = presets::default().scenario().expect("valid");
    let crash = |name: &str| FaultSpec::Crash { nodes: Selector::node(name), disk_lost: false };
    assert_eq!(validate_command(&scenario, &crash("ring-1"), Some(100.0)), Ok(()));
    assert_eq!(validate_command(&scenario, &crash("ring-1"), None), Ok(()));
    let message = validate_command(&scenario, &crash("ring-9"), None).unwrap_err().to_string();
    assert!(message.contains("crash.nodes.nodes[0]: there is no node `ring-9`"), "{message}");
    for for_ms in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let message = validate_command(&scenario, &crash("ring-1"), Some(for_ms)).unwrap_err().to_string();
        assert!(message.contains("for_ms"), "{message}");
    }
    let skew = FaultSpec::ClockSkew { nodes: Selector::all(), offset_ms: f64::NAN };
    assert!(validate_command(&scenario, &skew, None).is_err());
}

#[test]
fn a_message_stays_short_whatever_was_written() {
    let long = "x".repeat(100_000);
    for scenario in [
        with(&format!("/{long}"), json!(1)),
        with("/clusters/0/sharded_sql/reads", json!(long)),
        with("/workload/rate_per_s", json!(long)),
        with_fault(json!({"crash": {"nodes": {"nodes": [long]}}})),
        with("/clusters/0/sharded_sql/shards", json!([{"from": long, "to": "Z"}])),
    ] {
        let message = message(&scenario);
        assert!(message.chars().count() < 1_500, "{} characters", message.chars().count());
    }
}

#[test]
fn a_scenario_that_is_accepted_is_written_and_read_back_the_same() {
    let scenario = parse(&base().to_string()).expect("valid");
    let text = serde_json::to_string(&scenario).expect("serialises");
    let back: Scenario = parse(&text).expect("valid");
    assert_eq!(back, scenario);
}

#[test]
fn what_a_ring_makes_of_two_writes_fits_what_is_written() {
    let refused = |workload: &str, ring: &str| {
        let text = format!(
            r#"{{"version": 1, "name": "x", "title": "X", "duration_ms": 1000,
                "workload": {{"rate_per_s": 10{workload}}}, "clusters": [{{"gossip_ring": {{{ring}}}}}]}}"#
        );
        parse(&text).expect_err("it is refused").to_string()
    };
    let counters = refused(r#", "deletes": 0.1"#, r#""versions": "pn_counter""#);
    assert!(
        counters.contains("clusters[0].gossip_ring.versions") && counters.contains("must be 0"),
        "{counters}"
    );
    let only_up = refused(r#", "counts": true, "decrements": 0.1"#, r#""versions": "g_counter""#);
    assert!(only_up.contains("with pn_counter they can go down"), "{only_up}");
    let sloppy = refused("", r#""versions": "compare_and_set", "sloppy_quorum": true"#);
    assert!(sloppy.contains("it must be false"), "{sloppy}");
    let deletes = refused(r#", "counts": true, "deletes": 0.1"#, "");
    assert!(deletes.contains("workload.deletes") && deletes.contains("must be 0"), "{deletes}");
    let decrements = refused(r#", "decrements": 0.1"#, "");
    assert!(
        decrements.contains("workload.decrements") && decrements.contains("workload.counts"),
        "{decrements}"
    );
}
