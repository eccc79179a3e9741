//! What the scenarios about the ring show, as ranges over several seeds: won with
//! the mechanism on, lost with it off.

use faultline::cluster::run::ClusterRun;
use faultline::engine::SimDuration;
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
fn the_last_write_loses_most_counts_and_siblings_counters_and_conditions_none() {
    for seed in SEEDS {
        let [last, siblings, counters, conditions] = &run("lost-updates", seed)[..] else {
            panic!("four clusters")
        };
        let counted = last.latency_ms.write.count;
        let lost = last.lost_acknowledged_writes;
        assert!(2 * lost > counted, "{lost} of {counted} lost");
        for ring in [siblings, counters] {
            assert_eq!(ring.lost_acknowledged_writes, 0, "{}", ring.name);
            assert!(ring.operations.ok > 14_000, "{}: {} ok", ring.name, ring.operations.ok);
        }
        assert_eq!((conditions.lost_acknowledged_writes, conditions.stale_reads), (0, 0));
        assert!(conditions.operations.ok < counters.operations.ok / 10, "they duel for one row");
    }
}

#[test]
fn a_quorum_of_the_own_region_is_fast_and_goes_on_and_one_of_all_is_neither_and_never_old() {
    for seed in SEEDS {
        let [local, all, each] = &run("two-regions", seed)[..] else { panic!("three clusters") };
        let p50 =
            |quantiles: &faultline::report::run_report::Latency| quantiles.p50.expect("there were some");
        let (read, write) = (
            |ring: &ClusterReport| p50(&ring.latency_ms.read),
            |ring: &ClusterReport| p50(&ring.latency_ms.write),
        );
        // An ocean is 40 ms one way.
        assert!(read(local) < 5.0 && write(local) < 5.0 && read(each) < 5.0);
        assert!(read(all) > 79.0 && write(all) > 79.0 && write(each) > 79.0);
        assert!(local.operations.failed + local.operations.unknown < 10, "LOCAL_QUORUM goes on");
        assert!(all.operations.failed + all.operations.unknown > 2_000, "QUORUM does not");
        assert!(local.stale_reads > 300, "{} old reads", local.stale_reads);
        assert_eq!((all.stale_reads, each.stale_reads), (0, 0));
    }
}

#[test]
fn a_short_time_out_believes_many_dead_that_are_not_and_accrual_and_swim_few() {
    for seed in SEEDS {
        let [time_out, phi, swim] = &run("who-is-alive", seed)[..] else { panic!("three clusters") };
        let wrong = |ring: &ClusterReport| ring.false_convictions.expect("a ring");
        assert!(wrong(time_out) > 300, "{} by time-out", wrong(time_out));
        assert!(wrong(phi) < 30 && wrong(swim) < 60, "{} by phi, {} by SWIM", wrong(phi), wrong(swim));
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
fn a_join_under_load_costs_while_it_lasts_and_relieves_afterwards() {
    for seed in SEEDS {
        let mut scenario = presets::find("join-under-load").expect("it is there").scenario().expect("valid");
        scenario.seed = seed;
        let mut session = Session::open(scenario, None, Vec::new(), None).expect("it is valid");
        session.without_checkpoints();
        // How busy the ring's nodes are at a moment, the spares aside, and how long each join took.
        let mut looks: Vec<Vec<f32>> = Vec::new();
        let mut over: [Option<f64>; 2] = [None, None];
        while !session.is_over() {
            session.run_until(session.now() + SimDuration::from_ms(500));
            looks.push(session.clusters().iter().map(busy).collect());
            for (at, run) in session.clusters().iter().enumerate() {
                let is_in = run.ring().is_some_and(|ring| ring.tokens_of(6) > 0);
                over[at] = over[at].or(is_in.then(|| session.now().as_ms_f64()));
            }
        }
        let reports = RunReport::of(&session, None, None).clusters;
        let p99: Vec<[f64; 3]> = session
            .clusters()
            .iter()
            .map(|run| [15.0..20.0, 20.0..25.0, 44.0..50.0].map(|seconds| read_ms_p99(run, seconds)))
            .collect();
        let [Some(fast), Some(slow)] = over else { panic!("both join: {over:?}") };
        assert!(slow - 20_000.0 > 1.5 * (fast - 20_000.0), "fast over at {fast}, slow at {slow}");
        let ([before, during, after], slowly) = (p99[0], p99[1][1]);
        assert!(during > 3.0 * before, "{before} ms before, {during} ms while it streams");
        assert!(slowly < 0.7 * during, "{slowly} ms if it streams slowly, {during} ms if not");
        assert!(after < 1.05 * before, "{before} ms before, {after} ms afterwards");
        let (then, now) = (looks[38][0], looks[98][0]);
        assert!(now < then - 0.02, "the six others were busy {then:.2}, and are {now:.2}");
        for (report, run) in reports.iter().zip(session.clusters()) {
            assert_eq!(
                (report.operations.failed, report.stale_reads, report.lost_acknowledged_writes),
                (0, 0, 0)
            );
            assert_eq!(report.operations.unknown, report.operations.under_way, "nothing times out");
            assert_eq!(run.ring().map(|ring| ring.tokens_of(6)), Some(32), "it has joined");
        }
    }
}

fn busy(run: &ClusterRun) -> f32 {
    let ring = run.world().node_ids().filter(|node| run.world().process(*node).as_ring().is_some());
    ring.take(6).map(|node| run.loads()[node.index()]).sum::<f32>() / 6.0
}

/// The mean over buckets of their p99.
fn read_ms_p99(run: &ClusterRun, seconds: std::ops::Range<f64>) -> f64 {
    let per_second = run.buckets().len() as f64 / 50.0;
    let at = |second: f64| (second * per_second) as usize;
    let buckets = (at(seconds.start)..at(seconds.end)).filter_map(|bucket| run.buckets().get(bucket));
    let values: Vec<f64> = buckets.map(|bucket| f64::from(bucket.latency.read_ms_p99)).collect();
    values.iter().sum::<f64>() / values.len() as f64
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
