//! Failure detectors: the published vectors exactly, and what real rings do against theory.

use crate::small_ring::SmallRing;
use faultline::engine::{FaultId, Purpose, SimDuration, SimTime, Stream};
use faultline::ring::broadcasts::retransmit_limit;
use faultline::ring::failure_detector::local_health::{LocalHealth, MULTIPLIER_MAX};
use faultline::ring::failure_detector::phi_accrual::ArrivalWindow;
use faultline::ring::failure_detector::suspicion::{Suspicion, confirmations_wanted, remaining_ms, shortest};
use faultline::ring::failure_detector::time_out;
use faultline::ring::message::RingEvent;
use faultline::ring::rumour::Standing;
use faultline::scenario::fault::{FaultSpec, Selector};
use serde_json::{Value, json};

/// memberlist, `util_test.go`, `TestUtil_SuspicionTimeout`: nodes and ms at multiplier 3 and an interval of 1 s,
/// divided by 3.
const SUSPICION_TIMEOUTS: [(usize, u64); 6] =
    [(5, 1_000), (10, 1_000), (50, 1_698), (100, 2_000), (500, 2_698), (1_000, 3_000)];
/// memberlist, `util_test.go`, `TestRetransmitLimit`, multiplier 3.
const RETRANSMIT_LIMITS: [(usize, u32); 3] = [(0, 0), (1, 3), (99, 6)];
/// memberlist, `suspicion_test.go`, `TestSuspicion_remainingSuspicionTime`: confirmations, wanted, elapsed,
/// shortest and longest in s, and what is left in ms.
const REMAINING: [(u32, u32, u64, u64, u64, f64); 6] = [
    (0, 3, 0, 2, 30, 30_000.0),
    (1, 3, 2, 2, 30, 14_000.0),
    (2, 3, 3, 2, 30, 4_810.0),
    (3, 3, 4, 2, 30, -2_000.0),
    (4, 3, 5, 2, 30, -3_000.0),
    (5, 3, 10, 2, 30, -8_000.0),
];
/// Threshold, and at how many mean intervals it is exceeded: threshold × ln 10 (Cassandra's `FailureDetector`).
#[expect(clippy::approx_constant, reason = "as it is recorded")]
const PHI: [(f64, f64); 6] =
    [(1.0, 2.3026), (3.0, 6.9078), (5.0, 11.5129), (8.0, 18.4207), (10.0, 23.0259), (12.0, 27.631)];
/// Members, and the chance that a dead one is pinged in a period: 1 - (1 - 1/(n - 1))^(n - 1) (SWIM, section 3.2,
/// for finite n; n - 1 of them are alive).
const FIRST_DETECTION: [(u32, f64); 7] =
    [(3, 0.75), (5, 0.683594), (8, 0.660083), (16, 0.644736), (32, 0.638135), (64, 0.63506), (128, 0.633574)];

fn seconds(seconds: u64) -> SimDuration {
    SimDuration::from_ms(seconds * 1_000)
}

#[test]
fn suspicions_last_as_memberlists_do() {
    for (nodes, ms) in SUSPICION_TIMEOUTS {
        assert_eq!(shortest(3, nodes, seconds(1)), SimDuration::from_ms(3 * ms), "{nodes} nodes");
    }
    for (confirmations, wanted, elapsed, least, most, left) in REMAINING {
        let found = remaining_ms(confirmations, wanted, seconds(elapsed), seconds(least), seconds(most));
        assert_eq!(found, left, "{confirmations} of {wanted} confirmations after {elapsed} s");
    }
    for (nodes, limit) in RETRANSMIT_LIMITS {
        assert_eq!(retransmit_limit(3, nodes), limit, "{nodes} nodes");
    }
    // `state.go`: suspicion multiplier 4 wants two others, of whom there must be so many.
    assert_eq!([3, 4, 100].map(|nodes| confirmations_wanted(4, nodes)), [0, 2, 2]);
}

#[test]
fn each_node_confirms_a_suspicion_once_and_no_more_than_are_wanted() {
    let mut suspicion = Suspicion::new(1, SimTime::ZERO, (seconds(2), seconds(30)), 3, 7);
    assert_eq!(suspicion.ends(), SimTime::from_ms(30_000));
    assert!(!suspicion.confirm(7), "who began it confirms nothing");
    assert!(suspicion.confirm(8) && !suspicion.confirm(8));
    assert_eq!(suspicion.ends(), SimTime::from_ms(16_000));
    assert!(suspicion.confirm(9) && suspicion.confirm(10) && !suspicion.confirm(11));
    assert_eq!(suspicion.ends(), SimTime::from_ms(2_000));
}

#[test]
fn local_health_stays_in_its_range_and_stretches_time_outs() {
    let mut health = LocalHealth::default();
    health.change(-1);
    assert_eq!((health.score(), health.scale(seconds(1))), (0, seconds(1)));
    health.change(100);
    assert_eq!((health.score(), health.scale(seconds(1))), (MULTIPLIER_MAX - 1, seconds(8)));
}

/// With exponential arrivals phi exceeds 8 after 18.42 mean intervals: as likely as 10^-8.
#[test]
fn phi_convicts_at_its_threshold_times_ln_10_mean_intervals() {
    let mut random = Stream::new(1, Purpose::Swarm, 30);
    let mut window = ArrivalWindow::new(SimTime::ZERO, seconds(1));
    let mut now = SimTime::ZERO;
    for _ in 0..20_000 {
        now += SimDuration((random.exponential() * 1e9) as u64);
        window.heard(now, 1_000);
    }
    let mean = window.mean_interval().0 as f64;
    // Of a window of 1,000 intervals: one second, and 4 × 1/√1000 more or less.
    assert!((mean / 1e9 - 1.0).abs() < 0.13, "mean {mean}");
    for (threshold, intervals) in PHI {
        let at = |factor: f64| now + SimDuration((intervals * factor * mean) as u64);
        assert!(window.phi(at(0.9999)) < threshold && window.phi(at(1.0001)) > threshold, "{threshold}");
    }
    assert!(time_out::is_over(&window, seconds(4), now + seconds(5)));
    assert!(!time_out::is_over(&window, seconds(4), now + seconds(4)));
}

/// In a ring of Cassandra's kind: news as it comes, and conviction in the first round after 18.42 means.
#[test]
fn a_dead_node_is_convicted_after_its_mean_interval_times_18_42() {
    let mut ring =
        SmallRing::new(json!({"nodes": 6, "failure_detection": {"phi_accrual": {"threshold": 8}}}), 4);
    ring.run_ms(120_000);
    crash(&mut ring, 1);
    ring.run_ms(30_000);
    let convicted: Vec<(SimTime, u16)> = ring
        .seen
        .iter()
        .filter_map(|(at, event)| match event {
            RingEvent::Convicted { node, peer } if *peer == node_id(&ring, 1) => Some((*at, node.0)),
            _ => None,
        })
        .collect();
    assert_eq!(convicted.len(), 5);
    for (at, node) in convicted {
        let member =
            ring.run.world().process(faultline::engine::NodeId(node)).as_ring().expect("a ring node");
        let (phi, since) = (member.gossip().phi(0, ring.run.world().now()), ring.run.world().now().since(at));
        let silent = phi * std::f64::consts::LN_10;
        let mean_ms = (150_000.0 - 120_000.0) / silent;
        let at_conviction = silent - since.as_ms_f64() / mean_ms;
        println!("convicted after {at_conviction:.2} mean intervals of about {mean_ms:.0} ms");
        // The mean is known to the last news before the crash: a few rounds of 200 ms.
        assert!((at_conviction - 18.42).abs() < 2.5, "{at_conviction} mean intervals of {mean_ms} ms");
    }
}

fn node_id(ring: &SmallRing, number: u32) -> faultline::engine::NodeId {
    ring.run.world().find(&format!("ring-{number}")).expect("there is such a node")
}

fn named(numbers: impl Iterator<Item = u32>) -> Selector {
    Selector { nodes: numbers.map(|number| format!("ring-{number}")).collect(), ..Selector::default() }
}

fn crash(ring: &mut SmallRing, number: u32) -> FaultId {
    ring.run.begin_fault(&FaultSpec::Crash { nodes: named(number..=number), disk_lost: false })
}

/// SWIM whose suspicions are over within a period or two, with rumours by gossip.
fn swim(nodes: u32, order: &str, more: Value) -> Value {
    let mut swim = json!({"order": order, "suspicion_multiplier": 1, "lifeguard": false});
    swim.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    json!({"nodes": nodes, "gossip": {"interval_ms": 500, "unreachable": false}, "failure_detection": {"swim": swim}})
}

/// Crashes nodes one after the other; in which period each was first pinged: 1 is the first.
fn periods_to_detection(nodes: u32, crashes: u32, order: &str, seed: u64) -> Vec<f64> {
    let mut ring = SmallRing::new(swim(nodes, order, json!({})), seed);
    ring.run_ms(8_000 + 40 * u64::from(nodes));
    let mut random = Stream::new(seed, Purpose::Swarm, 31);
    let mut periods = Vec::new();
    for number in 1..=crashes {
        ring.run_ms(u64::from(random.below(1_000)));
        let (crashed, dead) = (ring.run.world().now(), node_id(&ring, number));
        ring.seen.clear();
        crash(&mut ring, number);
        let first = |ring: &SmallRing| {
            let found =
                |event: &RingEvent| matches!(event, RingEvent::Suspected { peer, .. } if *peer == dead);
            ring.seen.iter().find(|(_, event)| found(event)).map(|(at, _)| *at)
        };
        while first(&ring).is_none() {
            ring.run_ms(500);
        }
        // A ping's failure is known a period after it was sent.
        let pinged_ms = first(&ring).expect("it was just there").since(crashed).as_ms_f64() - 1_000.0;
        periods.push((pinged_ms / 1_000.0).ceil().max(1.0));
        // Until all have heard that it is dead, and ping it no more.
        ring.run_ms(6_000);
    }
    periods
}

/// The time to the first ping of a dead node is geometric: n - 1 nodes each choose one of n - 1 each period.
#[test]
fn the_time_to_first_detection_is_that_of_the_exact_formula() {
    for (nodes, chance) in FIRST_DETECTION {
        let formula = |nodes: f64| 1.0 - libm::pow(1.0 - 1.0 / (nodes - 1.0), nodes - 1.0);
        assert!((formula(f64::from(nodes)) - chance).abs() < 1e-6);
        // As nodes die there are fewer of them: each crash has its own chance.
        let crashes = if nodes <= 8 { 1 } else { nodes / 2 };
        let samples = if nodes <= 8 { 200 } else { 300 };
        let (mut sum, mut expected, mut variance, mut count) = (0.0, 0.0, 0.0, 0);
        for seed in 0..u64::from(u32::div_ceil(samples, crashes)) {
            for (at, periods) in periods_to_detection(nodes, crashes, "random", seed).into_iter().enumerate()
            {
                let chance = formula(f64::from(nodes - at as u32));
                sum += periods;
                expected += 1.0 / chance;
                variance += (1.0 - chance) / (chance * chance);
                count += 1;
            }
        }
        let error = variance.sqrt() / f64::from(count);
        let (found, exact) = (sum / f64::from(count), expected / f64::from(count));
        println!(
            "first detection, n {nodes}: {found:.3} ± {error:.3} periods, exactly {exact:.3} ({:.4} for n)",
            1.0 / chance
        );
        assert!((found - exact).abs() < 3.5 * error, "{nodes} nodes: {found} ± {error}, {exact}");
    }
}

/// SWIM, section 4.3: going round a shuffled list, each node pings each other one within 2n - 1 periods.
#[test]
fn going_round_a_list_bounds_the_time_to_detection() {
    for seed in 0..20 {
        for periods in periods_to_detection(5, 1, "round_robin", seed) {
            assert!(periods <= 9.0, "{periods} periods");
        }
    }
}

fn one_way_cut(ring: &mut SmallRing, from: u32, to: u32) {
    ring.run.begin_fault(&FaultSpec::OneWayCut { from: named(from..=from), to: named(to..=to) });
}

#[test]
fn others_reach_a_node_that_one_alone_cannot() {
    let suspected = |indirect: u32| {
        let mut ring = SmallRing::new(swim(6, "round_robin", json!({"indirect": indirect})), 2);
        ring.run_ms(10_000);
        one_way_cut(&mut ring, 1, 2);
        ring.run_ms(40_000);
        ring.count(|event| matches!(event, RingEvent::Suspected { .. }))
    };
    assert_eq!(suspected(3), 0);
    assert!(suspected(0) > 0);
}

#[test]
fn a_node_that_was_away_for_a_moment_refutes_the_suspicion() {
    let mut ring = SmallRing::new(json!({"nodes": 10, "failure_detection": {"swim": {}}}), 6);
    ring.run_ms(10_000);
    let pause = ring.run.begin_fault(&FaultSpec::Pause { nodes: named(4..=4) });
    ring.run_ms(4_500);
    assert!(ring.count(|event| matches!(event, RingEvent::Suspected { .. })) >= 9, "all have heard of it");
    let belief = ring.member(1).belief(3, ring.run.world().now()).expect("it has started");
    assert!(belief.is_alive && belief.rumour.standing == Standing::Suspected && belief.suspicion > 0.0);
    ring.run.lift_fault(pause);
    ring.run_ms(10_000);
    let belief = ring.member(1).belief(3, ring.run.world().now()).expect("it has started");
    assert_eq!((belief.rumour.standing, belief.suspicion), (Standing::Alive, 0.0));
    assert!(belief.rumour.version > 0, "by a higher incarnation");
    assert!(ring.count(|event| matches!(event, RingEvent::Refuted { .. })) > 0);
    assert_eq!(ring.count(|event| matches!(event, RingEvent::Convicted { .. })), 0);
}

/// How often healthy nodes are believed dead while a fifth of the ring handles messages far too slowly now and
/// then, its timers on time (as in the experiments of Lifeguard, section V, in small).
fn healthy_nodes_convicted(lifeguard: bool, seed: u64) -> usize {
    let detection = json!({"swim": {"lifeguard": lifeguard, "period_ms": 1_000, "suspicion_multiplier": 4}});
    let mut ring = SmallRing::new(json!({"nodes": 30, "failure_detection": detection}), seed);
    ring.run_ms(10_000);
    ring.seen.clear();
    let mut random = Stream::new(seed, Purpose::Swarm, 32);
    for _ in 0..6 {
        let slow = FaultSpec::SlowMachine { nodes: named(1..=6), factor: 8_000.0 };
        let slow = ring.run.begin_fault(&slow);
        ring.run_ms(8_000 + u64::from(random.below(8_000)));
        ring.run.lift_fault(slow);
        ring.run_ms(500 + u64::from(random.below(1_000)));
    }
    ring.run_ms(20_000);
    let slow: Vec<_> = (1..=6).map(|number| node_id(&ring, number)).collect();
    ring.count(|event| matches!(event, RingEvent::Convicted { peer, .. } if !slow.contains(peer)))
}

#[test]
fn lifeguard_spares_healthy_nodes_while_others_are_slow() {
    let total = |lifeguard: bool| (0..4).map(|seed| healthy_nodes_convicted(lifeguard, seed)).sum::<usize>();
    let (without, with) = (total(false), total(true));
    println!("healthy nodes believed dead: {without} times without Lifeguard, {with} times with it");
    assert!(without > 0, "slow nodes accuse healthy ones");
    // Its authors measured 10 to 100 times fewer.
    assert!(with * 10 <= without, "{with} with Lifeguard, {without} without");
}

/// False positives in a healthy ring, by how much of the gossip is lost.
fn false_positives(detection: &Value, loss: f64) -> usize {
    let mut ring = SmallRing::new(json!({"nodes": 8, "failure_detection": detection}), 9);
    ring.run_ms(20_000);
    ring.seen.clear();
    let before = ring.run.false_convictions();
    let all = Selector::all();
    ring.run.begin_fault(&FaultSpec::Loss { from: all.clone(), to: all, probability: loss });
    ring.run_ms(60_000);
    let convicted = ring.count(|event| matches!(event, RingEvent::Convicted { .. }));
    assert_eq!(ring.run.false_convictions(), convicted as u64 + before, "everybody is up");
    convicted
}

#[test]
fn false_positives_come_with_loss_and_go_with_patience() {
    let phi = |threshold: f64| json!({"phi_accrual": {"threshold": threshold}});
    let time_out = |after_ms: u32| json!({"time_out": {"after_ms": after_ms}});
    for (hasty, patient) in [(phi(2.0), phi(12.0)), (time_out(700), time_out(8_000))] {
        let counts = [(&hasty, 0.0), (&hasty, 0.6), (&patient, 0.6)]
            .map(|(detection, loss)| false_positives(detection, loss));
        println!("{hasty}: {} without loss, {} with 60 %; {patient}: {}", counts[0], counts[1], counts[2]);
        assert!(counts[1] > 2 * counts[0] && counts[1] > 5 * counts[2], "{counts:?}");
    }
}
