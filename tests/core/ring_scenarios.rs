//! What the scenarios about the ring show, as ranges over several seeds: won with
//! the mechanism on, lost with it off.

use faultline::report::run_report::{ClusterReport, RunReport};
use faultline::scenario::presets;
use faultline::session::Session;

const SEEDS: [u64; 3] = [1, 2, 3];

fn run(name: &str, seed: u64) -> Vec<ClusterReport> {
    let mut scenario =
        presets::find(name).unwrap_or_else(|| panic!("no scenario {name}")).scenario().expect("valid");
    scenario.seed = seed;
    let mut session = Session::open(scenario, None, Vec::new(), None).expect("it is valid");
    session.without_checkpoints();
    session.run_until(session.end());
    RunReport::of(&session, None, None).clusters
}

#[test]
fn quorums_that_overlap_refuse_in_a_partition_and_others_read_old_data() {
    for seed in SEEDS {
        let [one, majority, all] = &run("quorum-partition", seed)[..] else { panic!("three clusters") };
        assert!(one.stale_reads > 300, "R 1, W 1: {} stale reads", one.stale_reads);
        assert_eq!((majority.stale_reads, all.stale_reads), (0, 0), "R + W > N");
        assert_eq!(one.operations.failed, 0, "R 1, W 1 refuses nothing");
        assert!(majority.operations.failed > 300 && all.operations.failed > 300, "both refuse");
    }
}

#[test]
fn stand_ins_take_writes_and_hints_end_old_reads() {
    for seed in SEEDS {
        let [strict, forgetful, hints] = &run("sloppy-hints", seed)[..] else { panic!("three clusters") };
        assert!(strict.operations.failed > 300, "strict refuses: {}", strict.operations.failed);
        assert_eq!((forgetful.operations.failed, hints.operations.failed), (0, 0), "sloppy does not");
        let (without, with) = (forgetful.stale_reads, hints.stale_reads);
        assert!(without > 2 * with, "{without} stale reads without hints, {with} with them");
    }
}

#[test]
fn rows_come_back_when_tombstones_are_gone_before_the_replica_is_back() {
    for seed in SEEDS {
        let [short, long] = &run("deletes-come-back", seed)[..] else { panic!("two clusters") };
        assert!(short.reads_of_deleted_rows > 0, "with a grace of two seconds");
        assert_eq!((long.reads_of_deleted_rows, long.stale_reads, long.lost_acknowledged_writes), (0, 0, 0));
    }
}

#[test]
fn asking_one_more_hides_a_replica_that_hangs() {
    for seed in SEEDS {
        let [needed, one_more, all] = &run("speculative-retry", seed)[..] else { panic!("three clusters") };
        let (alone, hidden) = (needed.operations.unknown, one_more.operations.unknown);
        assert!(alone * 2 > hidden * 3, "{alone} time out without it, {hidden} with it");
        // What is left are the requests that the node itself coordinates.
        assert!(
            hidden <= all.operations.unknown + 10,
            "{hidden}, and {} if all are asked",
            all.operations.unknown
        );
        let dollars = |cluster: &ClusterReport| cluster.cost.usd_per_hour;
        assert!(dollars(one_more) < dollars(all), "and it sends less");
    }
}

#[test]
fn compactions_that_cannot_keep_up_make_reads_slow_and_levels_write_most() {
    for seed in SEEDS {
        let [throttled, tiers, levels] = &run("compaction-debt", seed)[..] else { panic!("three clusters") };
        let stored = |cluster: &ClusterReport| cluster.storage.expect("a ring with stores");
        let [debt, paid] = [throttled, tiers].map(|cluster| stored(cluster).tables_max);
        assert!((22..40).contains(&debt) && (4..12).contains(&paid), "{debt} tables of a node, and {paid}");
        let [read_debt, read_tiers, read_levels] =
            [throttled, tiers, levels].map(|cluster| cluster.latency_ms.read.p99.expect("some"));
        assert!(read_debt > 2.5 * read_tiers, "{read_debt} and {read_tiers} ms");
        assert!(read_levels < read_tiers, "{read_levels} and {read_tiers} ms");
        let [written_tiers, written_levels] =
            [tiers, levels].map(|cluster| stored(cluster).write_amplification.expect("some"));
        assert!((1.8..2.9).contains(&written_tiers), "{written_tiers}");
        assert!((3.0..5.0).contains(&written_levels), "{written_levels}");
        let writes = [throttled, tiers, levels].map(|cluster| cluster.latency_ms.write.p99.expect("some"));
        assert!(writes.iter().all(|p99| (2.5..4.0).contains(p99)), "writes do not care: {writes:?}");
    }
}
