//! Quorums of the ring, and what heals replicas: each mechanism on and off.

use crate::runs::{self, merge};
use faultline::cluster::run::ClusterRun;
use faultline::engine::{Purpose, Stream};
use faultline::report::run_report::{ClusterReport, RunReport};
use faultline::ring::ring_node::RingNode;
use faultline::scenario::parse::parse;
use faultline::scenario::schema::Scenario;
use faultline::session::Session;
use faultline::workload::operation::{OperationKind, Outcome};
use serde_json::{Value, json};

/// Six nodes, three replicas, no repair of any kind. What a replica acknowledged is on its disk.
fn ring(more: Value) -> Value {
    let mut ring = json!({"nodes": 6, "n": 3, "r": 1, "w": 1, "read_repair": "none", "commit_log_sync": "every_write", "gossip": {"interval_ms": 50}});
    merge(&mut ring, &more);
    ring
}

fn scenario(ring: Value, workload: Value, faults: Value) -> Scenario {
    let mut scenario = json!({
        "version": 1, "name": "quorums", "title": "Quorums", "duration_ms": 20000,
        "workload": {"clients": 6, "rate_per_s": 300, "reads": 0.5, "keys": 300, "zipf_theta": 0.3},
        "clusters": [{"gossip_ring": ring}], "faults": faults
    });
    merge(&mut scenario["workload"], &workload);
    runs::scenario(&scenario)
}

fn run(ring: Value, faults: Value) -> Session {
    runs::run(scenario(ring, json!({}), faults))
}

fn report(session: &Session) -> ClusterReport {
    RunReport::of(session, None, None).clusters.remove(0)
}

fn nodes(run: &ClusterRun) -> Vec<&RingNode> {
    run.world().node_ids().filter_map(|node| run.world().process(node).as_ring()).collect()
}

/// Replicas that do not have the newest version of their key, of all keys.
fn behind(run: &ClusterRun) -> usize {
    let nodes = nodes(run);
    let settings = nodes[0].settings();
    let mut behind = 0;
    for key in 0..settings.keys.len() as u32 {
        let replicas = nodes[0].view().readers(settings.keys.token(key));
        let versions: Vec<u64> =
            replicas.iter().map(|node| nodes[usize::from(*node)].cell(key).content.version).collect();
        let newest = versions.iter().max().expect("there are replicas");
        behind += versions.iter().filter(|version| *version < newest).count();
    }
    behind
}

fn bytes_sent(session: &Session) -> u64 {
    let traffic = session.clusters()[0].world().network().traffic();
    traffic.bytes_same_zone + traffic.bytes_cross_zone + traffic.bytes_cross_region
}

/// One node is down for a while, and writes stop before the end.
fn one_away() -> Value {
    json!([
        {"at_ms": 4000, "for_ms": 6000, "do": {"crash": {"nodes": {"nodes": ["ring-2"]}}}},
        {"at_ms": 11000, "do": {"load_spike": {"factor": 0}}}
    ])
}

#[test]
fn hints_bring_a_replica_what_it_missed() {
    let without = run(ring(json!({})), one_away());
    let with = run(ring(json!({"hinted_handoff": {}})), one_away());
    assert!(behind(&without.clusters()[0]) > 50, "{}", behind(&without.clusters()[0]));
    assert_eq!(behind(&with.clusters()[0]), 0);
    let told = with.narration().filter(|line| line.text.contains("had kept for")).count();
    assert!(told > 0);
    assert!(nodes(&with.clusters()[0]).iter().all(|node| node.hints().is_empty()), "nothing is left over");
}

#[test]
fn hints_are_kept_for_a_window_only_and_survive_a_restart() {
    let short = run(ring(json!({"hinted_handoff": {"window_ms": 1000}})), one_away());
    assert!(behind(&short.clusters()[0]) > 20, "{}", behind(&short.clusters()[0]));
    let mut faults = one_away();
    let restart = json!({"at_ms": 9000, "do": {"restart": {"nodes": {"nodes":
        ["ring-1", "ring-3", "ring-4", "ring-5", "ring-6"]}}}});
    faults.as_array_mut().expect("a list").push(restart);
    let ring = ring(json!({"hinted_handoff": {}}));
    let restarted = run(ring, faults);
    assert_eq!(behind(&restarted.clusters()[0]), 0, "hints are on disk");
}

#[test]
fn the_rate_of_handoff_is_kept() {
    let waited = |rate: f64| {
        let session = run(ring(json!({"hinted_handoff": {"rate_per_s": rate}})), one_away());
        let back = session.narration().filter(|line| line.text.contains("had kept for")).last();
        back.map(|line| line.at_ns as f64 / 1e9)
    };
    let (fast, slow) = (waited(10_000.0).expect("all is delivered"), waited(10.0).unwrap_or(20.0));
    assert!(fast < 12.5, "it is back at 10 s, and has all at {fast} s");
    assert!(slow > fast + 1.0, "{slow} s at ten a second, {fast} s at ten thousand");
}

#[test]
fn a_sloppy_quorum_takes_writes_that_a_strict_one_refuses() {
    let failed = |session: &Session| {
        let ops = session.clusters()[0].history();
        ops.filter(|op| (7_000_000_000..10_000_000_000).contains(&op.invoked.0) && op.outcome != Outcome::Ok)
            .count()
    };
    let strict = run(ring(json!({"w": 3, "hinted_handoff": {}})), one_away());
    let sloppy = run(ring(json!({"w": 3, "sloppy_quorum": true, "hinted_handoff": {}})), one_away());
    assert!(failed(&strict) > 150, "{}", failed(&strict));
    // Clients that ask the dead node itself try it again now and then.
    assert!(failed(&sloppy) < failed(&strict) / 4, "{} of {}", failed(&sloppy), failed(&strict));
    assert_eq!(behind(&sloppy.clusters()[0]), 0, "stand-ins hand over what they kept");
}

#[test]
fn strict_quorums_that_overlap_are_never_stale_without_faults() {
    for (n, r, w) in [(1, 1, 1), (2, 1, 2), (3, 2, 2), (3, 1, 3), (3, 3, 1), (5, 3, 3), (5, 2, 4)] {
        for more in [
            json!({}),
            json!({"digest_reads": true}),
            json!({"read_from": "needed"}),
            json!({"read_from": "needed", "speculative_retry_percentile": 90, "digest_reads": true}),
        ] {
            let mut ring = ring(more.clone());
            (ring["n"], ring["r"], ring["w"]) = (json!(n), json!(r), json!(w));
            let report = report(&run(ring, json!([])));
            assert_eq!(report.stale_reads, 0, "N {n}, R {r}, W {w}, {more}");
            assert_eq!(report.operations.failed + report.operations.unknown, report.operations.under_way);
        }
    }
    let late = json!({"legs": {"write_request": {"exponential": {"rate_per_ms": 0.1}}}});
    assert!(report(&run(ring(late), json!([]))).stale_reads > 0, "N 3, R 1, W 1 is stale now and then");
}

#[test]
fn names_of_levels_are_numbers_of_replicas_and_places() {
    let regions = |level: &str| {
        let ring =
            ring(json!({"n": 6, "read_level": level, "write_level": level, "gossip": {"interval_ms": 200}}));
        let mut scenario = json!({
            "version": 1, "name": "levels", "title": "Levels", "duration_ms": 20000, "zones": ["a", "b"],
            "regions": [{"name": "east", "zones": ["a"]}, {"name": "west", "zones": ["b"]}],
            "workload": {"clients": 6, "rate_per_s": 300, "reads": 0.5, "keys": 300},
            "clusters": [{"gossip_ring": ring}]
        });
        scenario["faults"] = json!([{"at_ms": 10000, "for_ms": 8000,
            "do": {"partition": {"groups": [{"zones": ["a"]}, {"zones": ["b"]}]}}}]);
        let session = runs::run(parse(&scenario.to_string()).unwrap_or_else(|error| panic!("{error}")));
        let late = |op: &faultline::check::history::Operation| {
            (14_000_000_000..17_000_000_000).contains(&op.invoked.0)
        };
        // Requests of clients that can reach their coordinator.
        let (mut ok, mut refused) = (0, 0);
        for op in session.clusters()[0].history().filter(late) {
            match op.outcome {
                Outcome::Ok => ok += 1,
                Outcome::Failed(_) => refused += 1,
                Outcome::Unknown(_) => {}
            }
        }
        (
            f64::from(ok) / f64::from(ok + refused).max(1.0),
            report(&session).latency_ms.write.p50.unwrap_or(0.0),
        )
    };
    let (local, local_ms) = regions("local_quorum");
    let (each, each_ms) = regions("each_quorum");
    let (all, _) = regions("all");
    let (one, _) = regions("one");
    assert!(local > 0.99 && one > 0.99, "within a data centre: {local}, {one}");
    assert!(each < 0.01 && all < 0.01, "across: {each}, {all}");
    assert!(each_ms > local_ms + 20.0, "a region away: {each_ms} ms, {local_ms} ms");
}

/// Reads of a key that return an older version than a read which had ended before they began.
fn backward_reads(run: &ClusterRun) -> usize {
    let mut reads: Vec<_> =
        run.history().filter(|op| op.kind == OperationKind::Read && op.outcome == Outcome::Ok).collect();
    reads.sort_by_key(|op| (op.key, op.invoked));
    let mut backward = 0;
    for (at, read) in reads.iter().enumerate() {
        let before = reads[..at].iter().rev().take_while(|other| other.key == read.key).take(40);
        let mut done = before.filter(|other| other.completed.is_some_and(|end| end < read.invoked));
        backward += usize::from(done.any(|other| other.result.version > read.result.version));
    }
    backward
}

#[test]
fn blocking_read_repair_keeps_reads_of_a_quorum_from_going_backwards() {
    let run = |repair: &str| {
        // Writes reach replicas at very different times, few keys are read often.
        let legs = json!({"write_request": {"exponential": {"rate_per_ms": 0.005}},
            "read_request": {"constant_ms": 0.2}, "read_response": {"constant_ms": 0.2}});
        let ring =
            ring(json!({"r": 2, "w": 2, "read_repair": repair, "read_from": "needed", "token_aware": true,
            "legs": legs}));
        let workload = json!({"keys": 20, "rate_per_s": 400, "reads": 0.9, "zipf_theta": 0});
        runs::run(scenario(ring, workload, json!([])))
    };
    let (none, blocking) = (run("none"), run("blocking"));
    let (none, blocking) = (backward_reads(&none.clusters()[0]), backward_reads(&blocking.clusters()[0]));
    assert!(none > 20, "{none} reads went backwards");
    assert_eq!(blocking, 0);
}

#[test]
fn digests_save_bytes() {
    let bytes = |digest_reads: bool| {
        let ring = ring(json!({"r": 2, "w": 2, "digest_reads": digest_reads}));
        let workload = json!({"payload_bytes": 10_000, "reads": 0.9});
        let session = runs::run(scenario(ring, workload, json!([])));
        bytes_sent(&session)
    };
    let (with, without) = (bytes(true), bytes(false));
    assert!(with * 10 < without * 7, "{with} bytes with digests, {without} without");
}

#[test]
fn another_replica_hides_a_slow_one() {
    let p99 = |percentile: Option<f64>| {
        let mut ring = ring(json!({"read_from": "needed", "token_aware": false}));
        if let Some(percentile) = percentile {
            ring["speculative_retry_percentile"] = json!(percentile);
        }
        let slow = json!([{"at_ms": 2000, "do": {"delay": {"from": {"nodes": ["ring-3"]}, "to": {"roles": ["ring-node"]},
            "extra": {"constant_ms": 300.0}}}}]);
        let session = run(ring, slow);
        // What the slow node itself coordinates is slow in any case.
        let run = &session.clusters()[0];
        let others = run.history().filter(|op| {
            op.kind == OperationKind::Read
                && op.outcome == Outcome::Ok
                && run.world().body(op.endpoint).name() != "ring-3"
                && op.invoked.0 > 4_000_000_000
        });
        let mut took: Vec<f64> =
            others.filter_map(|op| Some(op.completed?.since(op.invoked).as_ms_f64())).collect();
        took.sort_by(f64::total_cmp);
        took[took.len() * 99 / 100]
    };
    let (alone, speculative) = (p99(None), p99(Some(80.0)));
    assert!(alone > 200.0, "a slow replica shows: {alone} ms");
    assert!(speculative < 20.0, "with speculative retry: {speculative} ms");
}

#[test]
fn replicas_that_nobody_reads_are_brought_together_by_trees() {
    let workload = json!({"reads": 0});
    let run = |more: Value| runs::run(scenario(ring(more), workload.clone(), one_away()));
    let without = run(json!({}));
    let with = run(json!({"anti_entropy": {"interval_ms": 500, "depth": 8}}));
    assert!(behind(&without.clusters()[0]) > 50);
    assert_eq!(behind(&with.clusters()[0]), 0);
    let coarse = run(json!({"anti_entropy": {"interval_ms": 500, "depth": 1}}));
    assert_eq!(behind(&coarse.clusters()[0]), 0);
    assert_ne!(bytes_sent(&with), bytes_sent(&coarse), "the depth of the tree decides how much is sent");
}

/// Reads that return a version from before an acknowledged delete of their key.
fn resurrected(run: &ClusterRun) -> usize {
    let deletes: Vec<_> =
        run.history().filter(|op| op.kind == OperationKind::Delete && op.outcome == Outcome::Ok).collect();
    let is_back = |read: &faultline::check::history::Operation| {
        let mut before = deletes.iter().filter(|delete| {
            delete.key == read.key && delete.completed.is_some_and(|end| end < read.invoked)
        });
        before.any(|delete| read.result.version < delete.result.version && read.result.version > 0)
    };
    let reads = run.history().filter(|op| op.kind == OperationKind::Read && op.outcome == Outcome::Ok);
    reads.filter(|op| op.invoked.0 > 14_000_000_000).filter(is_back).count()
}

#[test]
fn what_was_deleted_comes_back_if_repair_comes_after_the_grace_period() {
    // Rows are written, then one replica is away while most are deleted.
    let faults = |away_from: f64| json!([{"at_ms": away_from, "for_ms": 8000, "do": {"crash": {"nodes": {"nodes": ["ring-2"]}}}}]);
    let run = |more: Value| {
        let mut ring = ring(json!({"r": 2, "w": 2, "read_repair": "background"}));
        for (name, value) in more.as_object().expect("fields") {
            ring[name] = value.clone();
        }
        let workload = json!({"deletes": 0.5, "keys": 400, "rate_per_s": 100, "zipf_theta": 0});
        runs::run(scenario(ring, workload, faults(4_000.0)))
    };
    let short = run(json!({"gc_grace_ms": 1000}));
    let long = run(json!({"gc_grace_ms": 864000000.0}));
    let handed = run(json!({"gc_grace_ms": 10000, "hinted_handoff": {}}));
    assert!(resurrected(&short.clusters()[0]) > 0, "tombstones are gone when the replica is back");
    assert_eq!(resurrected(&long.clusters()[0]), 0, "tombstones are there");
    assert_eq!(resurrected(&handed.clusters()[0]), 0, "hints bring it the deletes within the grace period");
    let told = short.narration().filter(|line| line.text.contains("grace period")).count();
    assert!(told > 0);
}

#[test]
fn clients_that_know_where_keys_are_save_a_hop() {
    let mean = |token_aware: bool| {
        let report = report(&run(ring(json!({"token_aware": token_aware})), json!([])));
        report.latency_ms.read.p50.expect("there are reads")
    };
    let (random, aware) = (mean(false), mean(true));
    assert!(aware < 0.95 * random, "{aware} ms, {random} ms");
}

/// A ring with drawn settings, whose quorums overlap or just do not; nothing is broken, no clock is wrong.
fn drawn(seed: u64, overlap: bool) -> Scenario {
    let mut dice = Stream::new(seed, Purpose::Swarm, 40);
    let n = 2 + dice.below(4);
    let r = 1 + dice.below(n);
    let w = if overlap { n + 1 - r } else { (n - r).max(1) };
    let r = if overlap { r } else { r.min(n - w) };
    let mut choose = |of: &[Value]| of[dice.below(of.len() as u32) as usize].clone();
    let toggle = [json!(true), json!(false)];
    let ring = json!({
        "nodes": n + 2, "n": n, "r": r, "w": w,
        "read_from": choose(&[json!("all"), json!("needed"), json!("drawn")]),
        "digest_reads": choose(&toggle), "token_aware": choose(&toggle),
        "read_repair": choose(&[json!("none"), json!("background"), json!("blocking")]),
        "versions": choose(&[json!("last_write_wins"), json!("siblings"), json!("pn_counter"), json!("compare_and_set")]),
        "speculative_retry_percentile": choose(&[json!(null), json!(90)]),
        "write_service": {"lognormal": {"median_ms": 1.0, "sigma": 1.2}},
        "machine": {"cores": 64},
        "request_timeout_ms": 5_000,
    });
    let counts = choose(&toggle);
    scenario(ring, json!({"counts": counts, "keys": 20, "timeout_ms": 8_000, "rate_per_s": 250}), json!([]))
}

#[test]
fn quorums_that_overlap_never_show_anything_old_and_others_do() {
    let mut old = 0;
    for seed in 1..=30 {
        let session = runs::run(drawn(seed, true));
        let report = report(&session);
        assert_eq!(report.stale_reads, 0, "seed {seed}: {:?}", session.scenario().clusters[0]);
        assert!(report.operations.ok > 1_000, "seed {seed}");
        if seed <= 10 {
            old += RunReport::of(&runs::run(drawn(seed, false)), None, None).clusters[0].stale_reads;
        }
    }
    assert!(old > 10, "{old} old reads where quorums do not overlap");
}
