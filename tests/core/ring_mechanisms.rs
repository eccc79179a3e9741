//! Each mechanism of a ring node's storage and security, on and off.

use crate::runs::{self, merge};
use faultline::engine::SimDuration;
use faultline::report::run_report::{CauseCount, ClusterReport, RunReport};
use faultline::scenario::parse::parse;
use faultline::session::Session;
use faultline::workload::operation::{KeyId, OperationKind};
use serde_json::{Value, json};

/// A run of two that differ in what is given for the second.
fn pair(workload: Value, common: Value, on: Value, faults: Value, duration_ms: u32) -> Session {
    runs::pair("gossip_ring", workload, [common, on], faults, duration_ms)
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
        (0..800).filter(|key| nodes[1].row(*key).lacks(&nodes[0].row(*key))).count()
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
        let ring = session.clusters()[cluster].blueprint().ring.as_ref().expect("a ring has tokens");
        let replicas = |key: &KeyId| ring.replicas(settings.keys.token(*key)).to_vec();
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

// The log-structured store.

/// Every replica has everything: three nodes, constant times, all reads from disk.
fn on_disk(storage: Value) -> Value {
    let mut common = constant_services();
    let mut section = json!({"memtable_mb": 0.1, "block_cache_mb": 0, "compaction": null});
    merge(&mut section, &storage);
    merge(
        &mut common,
        &json!({"storage": section, "gossip": {"interval_ms": 1000},
                               "disk": {"read": {"constant_ms": 0.5}, "channels": 4}}),
    );
    common
}

#[test]
fn reads_get_slower_with_every_table_until_compaction_merges_them() {
    let workload =
        json!({"rate_per_s": 400, "reads": 0.5, "keys": 200, "zipf_theta": 0, "payload_bytes": 1000});
    let on = json!({"storage": {"memtable_mb": 0.1, "block_cache_mb": 0, "compaction": {"size_tiered": {}}}});
    let session = pair(workload, on_disk(json!({})), on, json!([]), 20_000);
    let [none, tiers] = reports(&session);
    let (none_stored, tiers_stored) = (none.storage.expect("it has"), tiers.storage.expect("it has"));
    // 200 writes a second of a kilobyte fill a memtable of 100 KB in half a second.
    assert!(none_stored.tables_max > 25, "{none_stored:?}");
    assert!(tiers_stored.tables_max < 12, "{tiers_stored:?}");
    let read = |report: &ClusterReport| report.latency_ms.read.p50.expect("some");
    assert!(read(&none) > 1.5 * read(&tiers), "{} and {}", read(&none), read(&tiers));
    assert!(none_stored.tables_per_read > tiers_stored.tables_per_read.map(|tables| 2.0 * tables));
    assert_eq!(none_stored.write_amplification, Some(1.0));
    assert!(tiers_stored.write_amplification > Some(1.4), "{tiers_stored:?}");
    // And they get slower as the run goes on, each table a disk read more.
    let buckets: Vec<f32> =
        session.clusters()[0].buckets().iter().map(|bucket| bucket.latency.read_ms_p50).collect();
    let (early, late) = (buckets[buckets.len() / 20], buckets[buckets.len() * 19 / 20]);
    assert!(late > 2.5 * early, "{early} and {late} ms");
}

#[test]
fn a_block_cache_and_filters_spare_the_disk() {
    let run = |storage: Value| {
        let workload = json!({"rate_per_s": 400, "reads": 0.5, "keys": 2_000, "payload_bytes": 1000});
        let session = pair(workload, on_disk(json!({})), json!({"storage": storage}), json!([]), 10_000);
        let [plain, other] = reports(&session);
        [plain, other]
            .map(|cluster| (cluster.latency_ms.read.mean.expect("some"), cluster.storage.expect("it has")))
    };
    let none = json!({"memtable_mb": 0.1, "block_cache_mb": 0, "compaction": null, "bloom_filter_false_positives": 1});
    let [filtered, unfiltered] = run(none);
    assert!(unfiltered.0 > 1.2 * filtered.0, "{unfiltered:?} and {filtered:?}");
    let [uncached, cached] = run(json!({"memtable_mb": 0.1, "block_cache_mb": 20, "compaction": null}));
    assert!(uncached.0 > 1.5 * cached.0, "{uncached:?} and {cached:?}");
    assert!(cached.1.cache_hits_share > Some(0.7), "{cached:?}");
}

#[test]
fn compaction_takes_the_disk_from_requests_and_a_throttle_gives_it_back() {
    let workload =
        json!({"rate_per_s": 200, "reads": 0.4, "keys": 3_000, "zipf_theta": 0.5, "payload_bytes": 1000});
    let storage = json!({"bloom_filter_false_positives": 1, "disk_mb_per_s": 20,
        "compaction": {"size_tiered": {"min_threshold": 8}}, "compaction_mb_per_s": null});
    let mut common = on_disk(storage);
    merge(&mut common, &json!({"r": 3, "w": 3, "disk": {"read": {"constant_ms": 0.5}, "channels": 1}}));
    let mut storage = common["storage"].clone();
    merge(&mut storage, &json!({"compaction_mb_per_s": 2}));
    let session = pair(workload, common, json!({"storage": storage}), json!([]), 30_000);
    let [unbridled, throttled] = reports(&session);
    let p99 = |report: &ClusterReport| report.latency_ms.read.p99.expect("some");
    let work = |report: &ClusterReport| report.storage.map(|storage| storage.compactions);
    assert_eq!(work(&unbridled), work(&throttled), "both keep up");
    assert!(p99(&unbridled) > 1.8 * p99(&throttled), "{} and {}", p99(&unbridled), p99(&throttled));
}

#[test]
fn flushes_and_compactions_cost_core_time() {
    let cost = |merge_ms: f64| {
        let workload = json!({"rate_per_s": 300, "reads": 0, "keys": 3_000, "payload_bytes": 1000});
        let storage =
            json!({"memtable_mb": 0.1, "block_cache_mb": 0, "merge_service": {"constant_ms": merge_ms}});
        let common = on_disk(json!({"merge_service": {"constant_ms": merge_ms}}));
        let session = pair(workload, common, json!({"storage": storage}), json!([]), 10_000);
        busy(&session)
    };
    let ([none, tiers], [none_costly, tiers_costly]) = (cost(0.0), cost(0.5));
    assert!(none_costly > none + 500.0, "flushes: {none} and {none_costly} ms");
    assert!(tiers_costly - tiers > 1.5 * (none_costly - none), "compactions: {tiers} and {tiers_costly} ms");
}

#[test]
fn after_a_crash_the_commit_log_is_replayed_and_the_longer_it_is_the_longer_that_takes() {
    let replay_ms = |memtable_mb: f64| {
        let storage =
            json!({"memtable_mb": memtable_mb, "commit_log_mb": 50, "replay_service": {"constant_ms": 1}});
        let mut ring = on_disk(storage);
        merge(&mut ring, &json!({"commit_log_sync": "every_write"}));
        let scenario = json!({
            "version": 1, "name": "replay", "title": "Replay", "duration_ms": 15_000,
            "workload": {"rate_per_s": 600, "reads": 0, "keys": 5_000, "payload_bytes": 1000},
            "clusters": [{"gossip_ring": ring}],
            "faults": [{"at_ms": 6000, "do": {"restart": {"nodes": {"nodes": ["ring-2"]}}}}],
        });
        let scenario = parse(&scenario.to_string()).unwrap_or_else(|error| panic!("{error}"));
        let mut session = Session::open(scenario, None, Vec::new(), None).expect("it is valid");
        session.without_checkpoints();
        let mut replaying_ms = 0;
        while session.now() < session.end() {
            session.run_until(session.now() + SimDuration::from_ms(10));
            let world = session.clusters()[0].world();
            let node =
                world.process(world.find("ring-2").expect("it is there")).as_ring().expect("of the ring");
            replaying_ms += if node.is_replaying() { 10 } else { 0 };
        }
        let report = &RunReport::of(&session, None, None).clusters[0];
        assert_eq!(report.lost_acknowledged_writes, 0, "what was acknowledged was synced");
        let is_told = |found: &&CauseCount| found.cause.contains("restoring");
        assert!(
            report.causes.iter().any(|found| is_told(&found)),
            "who asks it meanwhile is told: {:?}",
            report.causes
        );
        replaying_ms
    };
    let (short, long) = (replay_ms(0.2), replay_ms(5.0));
    assert!((3_400..3_900).contains(&long), "3,600 records at a millisecond: {long}");
    assert!((10..400).contains(&short), "only what was not flushed: {short}");
}

#[test]
fn nothing_acknowledged_and_synced_is_lost_when_every_node_restarts() {
    let workload =
        json!({"rate_per_s": 500, "reads": 0.4, "deletes": 0.2, "keys": 300, "payload_bytes": 1000});
    let storage = json!({"memtable_mb": 0.05, "compaction": {"size_tiered": {}}});
    let mut common = on_disk(storage);
    merge(&mut common, &json!({"commit_log_sync": "every_write"}));
    let restart =
        |at_ms: u32| json!({"at_ms": at_ms, "do": {"restart": {"nodes": {"roles": ["ring-node"]}}}});
    let faults = json!([restart(3_000), restart(6_010), restart(6_060), restart(9_025)]);
    let levelled = json!({"storage": {"memtable_mb": 0.05, "block_cache_mb": 0,
                                      "compaction": {"levelled": {"table_mb": 0.05, "fan_out": 3}}}});
    let session = pair(workload, common, levelled, faults, 12_000);
    for report in reports(&session) {
        assert_eq!((report.lost_acknowledged_writes, report.stale_reads), (0, 0), "{}", report.name);
        assert!(report.storage.expect("it has").compactions > 3, "{:?}", report.storage);
    }
}

#[test]
fn writes_wait_when_flushes_cannot_keep_up_and_the_log_stays_bounded() {
    let workload =
        json!({"rate_per_s": 400, "reads": 0, "keys": 5_000, "zipf_theta": 0, "payload_bytes": 1000});
    let slow = json!({"storage": {"memtable_mb": 0.2, "commit_log_mb": 0.6, "block_cache_mb": 0, "disk_mb_per_s": 0.2,
                                  "compaction": null}});
    let session =
        pair(workload, on_disk(json!({"memtable_mb": 0.2, "commit_log_mb": 0.6})), slow, json!([]), 20_000);
    let [fast, slow] = reports(&session);
    let stored = slow.storage.expect("it has");
    assert_eq!(fast.storage.expect("it has").writes_stalled, 0);
    assert!(stored.writes_stalled > 500 && stored.writes_dropped > 100, "{stored:?}");
    // 0.2 MB a second are 195 writes of the 400.
    assert!((140.0..260.0).contains(&slow.goodput_per_second), "{}", slow.goodput_per_second);
    let world = session.clusters()[1].world();
    for node in world.node_ids().filter_map(|node| world.process(node).as_ring()) {
        let store = node.store_on_disk().expect("it has");
        let logs = [Some(store.memtable()), store.flushing()].into_iter().flatten();
        assert!(logs.map(|log| log.log_bytes()).sum::<u64>() < 602_000);
        assert!(node.writes_stalled() <= 4_096);
    }
}

#[test]
fn wide_rows_are_read_whole_from_every_table_that_has_some_of_them() {
    let workload = json!({"rate_per_s": 300, "reads": 0.5, "scans": 1, "query_rows": 10, "keys": 150, "zipf_theta": 0.3});
    let mut common = on_disk(json!({"memtable_mb": 0.05}));
    merge(&mut common, &json!({"rows_per_partition": 20}));
    let session = pair(workload, common, json!({"rows_per_partition": 5}), json!([]), 5_000);
    for (least, found, most) in scans_between(&session, 10) {
        assert!(least as u64 <= found && found <= most as u64, "{least}, {found}, {most}");
    }
    let [wide, narrow] = reports(&session);
    let tables =
        |report: &ClusterReport| report.storage.and_then(|storage| storage.tables_per_read).expect("some");
    assert!(tables(&wide) >= tables(&narrow), "{} and {}", tables(&wide), tables(&narrow));
}
