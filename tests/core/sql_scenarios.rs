//! What the scenarios about the sharded SQL cluster show, as ranges over several
//! seeds: won with the mechanism on, lost with it off.

use faultline::engine::distribution::{Distribution, Exponential};
use faultline::report::run_report::{ClusterReport, RunReport};
use faultline::scenario::presets;
use faultline::scenario::schema::{ClusterSection, Scenario, SqlSection};
use faultline::session::Session;
use faultline::workload::operation::Outcome;

const SEEDS: [u64; 3] = [1, 2, 3];

fn preset(name: &str) -> Scenario {
    presets::find(name).unwrap_or_else(|| panic!("no scenario {name}")).scenario().expect("it is valid")
}

fn sql(scenario: &mut Scenario, cluster: usize) -> &mut SqlSection {
    match &mut scenario.clusters[cluster] {
        ClusterSection::ShardedSql(sql) => sql,
        ClusterSection::GossipRing(_) => panic!("cluster {cluster} is a ring"),
    }
}

fn session(mut scenario: Scenario, seed: u64) -> Session {
    scenario.seed = seed;
    let mut session = Session::open(scenario, None, Vec::new(), None).expect("it is valid");
    session.without_checkpoints();
    session.keep_history();
    session.run_until(session.end());
    session
}

fn run(scenario: Scenario, seed: u64) -> Vec<ClusterReport> {
    RunReport::of(&session(scenario, seed), None, None).clusters
}

fn success(cluster: &ClusterReport) -> f64 {
    let ended = cluster.operations.invoked - cluster.operations.under_way;
    cluster.operations.ok as f64 / ended as f64
}

/// Share of the operations that were invoked in a stretch and succeeded.
fn success_between(session: &Session, cluster: usize, from_s: f64, to_s: f64) -> f64 {
    let stretch = (from_s * 1e9) as u64..(to_s * 1e9) as u64;
    let mut counts = [0_u64; 2];
    for operation in session.clusters()[cluster].history() {
        if stretch.contains(&operation.invoked.0) {
            counts[usize::from(operation.outcome == Outcome::Ok)] += 1;
        }
    }
    counts[1] as f64 / (counts[0] + counts[1]) as f64
}

#[test]
fn more_shards_carry_more_load_at_the_same_latency() {
    for seed in SEEDS {
        let [one, two, four] = &run(preset("shards-under-load"), seed)[..] else { panic!("three clusters") };
        assert!(success(one) < 0.85, "one shard is overloaded: {}", success(one));
        for cluster in [two, four] {
            assert!(success(cluster) > 0.999, "{}: {}", cluster.name, success(cluster));
            assert!(cluster.latency_ms.write.p99.is_some_and(|p99| p99 < 20.0), "{}", cluster.name);
        }
    }
}

/// The most that a number of shards carries with a p99 of 20 ms, to a twentieth.
fn capacity(shards: u32) -> f64 {
    let mut scenario = preset("shards-under-load");
    scenario.clusters.truncate(1);
    scenario.duration_ms = 3_000.0;
    sql(&mut scenario, 0).hash_shards = Some(shards);
    let (mut low, mut high) = (1_000.0, 60_000.0);
    while high / low > 1.05 {
        let rate = f64::sqrt(low * high);
        scenario.workload.rate_per_s = rate;
        let cluster = &run(scenario.clone(), 1)[0];
        let latency = &cluster.latency_ms;
        let p99 = f64::max(latency.read.p99.unwrap_or(0.0), latency.write.p99.unwrap_or(0.0));
        if p99 <= 20.0 && success(cluster) > 0.999 { low = rate } else { high = rate }
    }
    low
}

#[test]
fn throughput_at_a_fixed_p99_grows_with_the_shards() {
    let (one, two, four) = (capacity(1), capacity(2), capacity(4));
    assert!((1.5..2.3).contains(&(two / one)), "two shards carry {two}, one {one}");
    assert!((2.8..4.5).contains(&(four / one)), "four shards carry {four}, one {one}");
}

#[test]
fn a_query_over_all_shards_is_as_slow_as_the_slowest() {
    for seed in SEEDS {
        let clusters = run(preset("scatter-gather"), seed);
        let tops: Vec<f64> =
            clusters.iter().map(|cluster| cluster.latency_ms.top.p50.unwrap_or(0.0)).collect();
        assert!(tops[1] > 1.2 * tops[0] && tops[2] > 1.2 * tops[1], "medians of the top ten: {tops:?}");
        let reads: Vec<f64> =
            clusters.iter().map(|cluster| cluster.latency_ms.read.p50.unwrap_or(0.0)).collect();
        assert!(reads.iter().all(|read| (read / reads[0] - 1.0).abs() < 0.15), "medians of reads: {reads:?}");
    }
}

/// `order_5of5_exp1` of the published cases: the slowest of five exponential times.
#[test]
fn the_slowest_of_five_shards_is_the_fifth_order_statistic() {
    let mut scenario = preset("scatter-gather");
    scenario.clusters.truncate(1);
    scenario.duration_ms = 400_000.0;
    scenario.workload.rate_per_s = 100.0;
    scenario.workload.reads = 1.0;
    scenario.workload.tops = 1.0;
    scenario.network.same_zone = Distribution::constant_ms(0.0);
    scenario.network.cross_zone = Distribution::constant_ms(0.0);
    let cluster = sql(&mut scenario, 0);
    cluster.hash_shards = Some(5);
    cluster.query_proxy_service = Distribution::constant_ms(0.0);
    cluster.shard_proxy_service = Distribution::constant_ms(0.0);
    cluster.row_service = Distribution::constant_ms(0.0);
    cluster.read_service = Distribution::Exponential(Exponential { rate_per_ms: 1.0 });
    cluster.mysql_machine.cores = 256;
    let top = &run(scenario, 1)[0].latency_ms.top;
    let near = |found: Option<f64>, exact: f64, within: f64| {
        let found = found.expect("there were some");
        assert!((found / exact - 1.0).abs() < within, "found {found}, exact {exact}");
    };
    assert!(top.count > 39_000);
    near(top.mean, 2.283333, 0.02);
    near(top.p50, 2.044465, 0.02);
    near(top.p99, 6.210592, 0.04);
}

#[test]
fn coalescing_ends_the_stampede_when_a_hot_row_expires() {
    for seed in SEEDS {
        let clusters = run(preset("cache-stampede"), seed);
        let [each, coalescing] = &clusters[..] else { panic!("two clusters") };
        let p999 = |cluster: &ClusterReport| cluster.latency_ms.read.p999.unwrap_or(0.0);
        assert!(p999(each) > 1.5 * p999(coalescing), "{} and {}", p999(each), p999(coalescing));
    }
}

#[test]
fn semi_synchronous_replication_that_gives_up_loses_what_it_acknowledged() {
    for seed in SEEDS {
        let [gives_up, waits] = &run(preset("semi-sync-degrades"), seed)[..] else { panic!("two clusters") };
        assert!(gives_up.lost_acknowledged_writes > 100, "{} lost", gives_up.lost_acknowledged_writes);
        assert_eq!(waits.lost_acknowledged_writes, 0);
        assert!(success(waits) < success(gives_up), "it pays with writes that wait");
    }
}

#[test]
fn what_a_failover_loses_is_what_replication_did_not_wait_for() {
    for seed in SEEDS {
        let clusters = run(preset("failover-replication"), seed);
        let [asynchronous, semi, synchronous] = &clusters[..] else { panic!("three clusters") };
        assert!(asynchronous.lost_acknowledged_writes > 50, "{}", asynchronous.lost_acknowledged_writes);
        assert_eq!((semi.lost_acknowledged_writes, synchronous.lost_acknowledged_writes), (0, 0));
        let p50 = |cluster: &ClusterReport| cluster.latency_ms.write.p50.unwrap_or(0.0);
        assert!(p50(semi) > 1.2 * p50(asynchronous), "waiting for a replica takes time");
        assert!(p50(synchronous) >= p50(semi), "and for the slower of two, more");
        assert!(success(synchronous) < success(semi), "without one of its replicas it cannot write");
    }
}

#[test]
fn fencing_decides_whether_two_primaries_take_writes() {
    for seed in SEEDS {
        let [none, lease, shutdown] = &run(preset("split-brain"), seed)[..] else { panic!("three clusters") };
        assert!(none.split_brain_writes > 100, "{} by the old primary", none.split_brain_writes);
        assert_eq!((lease.split_brain_writes, shutdown.split_brain_writes), (0, 0));
        assert!(none.errant_transactions >= none.split_brain_writes, "they are named when it returns");
        assert!(!none.errant.is_empty() && none.errant.len() as u64 <= none.errant_transactions);
        assert!(none.errant.iter().any(|one| one.acknowledged), "a client was told of some of them");
        // What had not been replicated when the cut began is lost all the same: replication is asynchronous.
        for fenced in [lease, shutdown] {
            assert!(fenced.lost_acknowledged_writes * 3 < none.lost_acknowledged_writes);
        }
    }
}

/// The incident's mechanism, at the scale of the scenario: writes on both sides if a replica across
/// the country is promoted, none if that is forbidden or the old primary is fenced.
#[test]
fn the_github_partition_leaves_writes_on_both_sides_only_as_it_was() {
    for seed in SEEDS {
        let clusters = run(preset("github-2018"), seed);
        let [as_it_was, same_region, fenced] = &clusters[..] else { panic!("three clusters") };
        assert!(as_it_was.split_brain_writes > 50, "{} in the east", as_it_was.split_brain_writes);
        assert!(as_it_was.errant_transactions >= as_it_was.split_brain_writes);
        assert_eq!((same_region.split_brain_writes, same_region.lost_acknowledged_writes), (0, 0));
        assert_eq!(fenced.split_brain_writes, 0);
        assert!(
            success(same_region) < success(as_it_was),
            "it pays with writes that wait for the partition to end"
        );
    }
}

/// Success after everything has been as before for thirty seconds, in the OSDI'22 experiment
/// (Huang et al., "Metastable Failures in the Wild", retry experiment): its four cases.
fn recovers(trigger_cpus: f64, trigger_s: f64, load: f64, seed: u64) -> bool {
    let mut scenario = preset("retry-storm");
    scenario.clusters.truncate(1);
    scenario.duration_ms = 66_000.0;
    scenario.workload.rate_per_s *= load;
    scenario.faults[0].for_ms = Some(trigger_s * 1_000.0);
    if let faultline::scenario::fault::FaultSpec::SlowMachine { factor, .. } = &mut scenario.faults[0].fault {
        *factor = 2.0 / trigger_cpus;
    }
    let share = success_between(&session(scenario, seed), 0, 55.0, 60.0);
    assert!(!(0.1..0.9).contains(&share), "neither recovered nor down: {share}");
    share > 0.9
}

#[test]
fn the_four_cases_of_the_retry_experiment_end_as_published() {
    for seed in SEEDS {
        assert!(recovers(0.45, 10.0, 1.0, seed), "baseline recovers");
        assert!(!recovers(0.40, 10.0, 1.0, seed), "metastable stays down");
        assert!(recovers(0.40, 9.0, 1.0, seed), "a shorter trigger recovers");
        assert!(recovers(0.40, 10.0, 0.75, seed), "a lower load recovers");
    }
}

#[test]
fn a_budget_or_a_short_queue_lets_a_retry_storm_end() {
    for seed in SEEDS {
        let session = session(preset("retry-storm"), seed);
        let after = |cluster| success_between(&session, cluster, 80.0, 85.0);
        assert!(after(0) < 0.1, "retries without bound: {}", after(0));
        assert!(after(1) > 0.9, "a budget: {}", after(1));
        assert!(after(2) > 0.9, "a short queue: {}", after(2));
    }
}

/// The example of Bronson et al., "Metastable Failures in Distributed Systems" (HotOS 2021): a
/// database for 300 queries a second, one retry after a second, an outage of ten seconds whose
/// messages all arrive when it ends.
fn hotos_recovers(rate_per_s: f64, seed: u64) -> bool {
    let json = format!(
        r#"{{
        "version": 1, "name": "hotos", "title": "HotOS 2021", "duration_ms": 200000,
        "workload": {{ "clients": 12, "rate_per_s": {rate_per_s}, "reads": 0, "keys": 100000, "zipf_theta": 0,
                      "timeout_ms": 3000 }},
        "clusters": [ {{ "sharded_sql": {{
            "shards": [{{ "from": "A", "to": "Z" }}], "replicas": 0, "query_proxies": 12, "deadlines": false,
            "proxy_timeout_ms": 2500, "pool_size": 100000, "cache": {{ "entries": 0 }},
            "retries": {{ "max": 1, "attempt_timeout_ms": 1000, "backoff_ms": 0, "backoff_ms_max": 0,
                         "jitter": false, "budget": null, "unknown_writes": true }},
            "mysql_machine": {{ "cores": 1, "queue_limit": 1000000 }},
            "write_service": {{ "constant_ms": 3.3333 }}
        }} }} ],
        "faults": [ {{ "at_ms": 15000, "for_ms": 10000, "do": {{ "partition": {{ "groups": [
            {{ "roles": ["query-proxy"] }}, {{ "roles": ["shard-proxy"] }} ] }} }} }} ]
    }}"#
    );
    let scenario = faultline::scenario::parse::parse(&json).expect("it is valid");
    let session = session(scenario, seed);
    assert!(success_between(&session, 0, 5.0, 14.0) > 0.999, "all is well before");
    let share = success_between(&session, 0, 185.0, 195.0);
    share > 0.9
}

#[test]
fn the_hotos_example_is_vulnerable_at_280_a_second_and_stable_below_150() {
    for seed in SEEDS {
        assert!(!hotos_recovers(280.0, seed), "280 a second become 560, of 300");
        assert!(hotos_recovers(140.0, seed), "140 a second become 280, of 300");
    }
}

#[test]
fn a_split_relieves_a_hot_shard_and_not_a_hot_row() {
    let throughput = |session: &Session, from_s: f64, to_s: f64| {
        let stretch = (from_s * 1e9) as u64..(to_s * 1e9) as u64;
        let acknowledged =
            session.clusters()[0].history().filter(|operation| operation.outcome == Outcome::Ok);
        let within =
            acknowledged.filter(|operation| operation.completed.is_some_and(|at| stretch.contains(&at.0)));
        within.count() as f64 / (to_s - from_s)
    };
    for seed in SEEDS {
        let scenario = preset("hot-shard-split");
        let hot_shard = session(scenario.clone(), seed);
        let (before, after) = (throughput(&hot_shard, 4.0, 8.0), throughput(&hot_shard, 30.0, 40.0));
        assert!(
            after > 1.15 * before && after > 2_900.0,
            "{before} a second before the split, {after} after it"
        );
        let mut hot_row = scenario;
        let heat = faultline::scenario::fault::FaultSpec::HotKey { share: 1.0 };
        hot_row.faults.push(faultline::scenario::fault::ScheduledFault {
            at_ms: 0.0,
            for_ms: None,
            fault: heat,
        });
        let hot_row = session(hot_row, seed);
        let (before, after) = (throughput(&hot_row, 4.0, 8.0), throughput(&hot_row, 30.0, 40.0));
        assert!(
            after < 1.1 * before && before < 300.0,
            "{before} a second before the split, {after} after it"
        );
    }
}

#[test]
fn an_online_schema_change_goes_on_while_a_blocking_one_stops_writes_and_replicas() {
    for seed in SEEDS {
        let session = session(preset("schema-change"), seed);
        let [blocking, online] = &RunReport::of(&session, None, None).clusters[..] else { panic!("two") };
        // Half of the operations are writes, and those wait for the table.
        let while_locked = success_between(&session, 0, 10.5, 12.5);
        assert!((0.4..0.6).contains(&while_locked), "while the table was locked: {while_locked}");
        assert!(success(online) > 0.999, "{}", success(online));
        assert!(online.latency_ms.write.p99.is_some_and(|p99| p99 < 20.0));
        let (lag_blocking, lag_online) = (blocking.replication_lag_ms_max, online.replication_lag_ms_max);
        assert!(lag_blocking.is_some_and(|lag| lag > 3_000.0), "{lag_blocking:?}");
        assert!(lag_online.is_some_and(|lag| lag < 200.0), "{lag_online:?}");
        assert!(blocking.stale_reads > 20 * online.stale_reads.max(1), "the replica repeats the change");
    }
}

#[test]
fn a_shard_without_disks_is_gone_or_goes_back_to_its_backup() {
    for seed in SEEDS {
        let [none, five, half] = &run(preset("backup-restore"), seed)[..] else { panic!("three clusters") };
        let lost: Vec<u64> = [none, five, half].map(|cluster| cluster.lost_acknowledged_writes).to_vec();
        assert!(lost[0] > 2_000, "all of nineteen seconds: {lost:?}");
        assert!(lost[1] < 800 && lost[2] < 90, "what came after the last fetch: {lost:?}");
        assert!(lost[1] > 3 * lost[2], "{lost:?}");
        let points: Vec<f64> =
            [five, half].map(|cluster| cluster.recovery_point_ms_max.expect("it is restored")).to_vec();
        assert!(points[0] < 5_100.0 && points[1] < 600.0 && points[0] > points[1], "{points:?}");
        assert_eq!((none.restores, five.restores, half.restores), (0, 1, 1));
    }
}
