//! Gossip: how fast rumours spread, what they cost, and when they reach everybody.
//!
//! Published and recorded figures stand here as constants with their sources.

use crate::small_ring::{LockStep, SmallRing, lan, push_to_everybody, scenario};
use faultline::engine::{Purpose, SimDuration, SimTime, Stream};
use faultline::ring::broadcasts::{Broadcasts, RUMOURS_A_MESSAGE_MAX, Told, retransmit_limit};
use faultline::ring::failure_detector::FailureDetection;
use faultline::ring::gossip::{DIGEST_BYTES, Gossip, Heard, RUMOUR_BYTES};
use faultline::ring::gossip_message::GossipMessage;
use faultline::ring::membership::{Direction, MembershipSettings};
use faultline::ring::overlay::{joined, parts};
use faultline::ring::rumour::{Rumour, Standing};
use faultline::session::Session;
use serde_json::{Value, json};
use std::rc::Rc;

/// Mean rounds until all of `n` have heard, each informed node telling `fan_out` distinct random others
/// a round, without loss: Monte Carlo, recorded for this project (n, fan-out, mean rounds).
const PUSH_MEAN_ROUNDS: [(usize, usize, f64); 6] =
    [(30, 1, 9.24), (30, 3, 4.2), (100, 1, 12.31), (100, 3, 5.65), (1_000, 1, 18.2), (1_000, 3, 8.067)];
/// The same with each rumour told 4⌈log10(n + 1)⌉ times at most (memberlist's `RetransmitMult` for a LAN).
const LIMITED_MEAN_ROUNDS: [(usize, f64); 3] = [(30, 4.2), (100, 5.71), (1_000, 8.133)];
/// Rounds to 99.99 % of 30 nodes at fan-out 3 and 30 % loss by the formula of Serf's convergence
/// simulator (website of hashicorp/serf), which takes about twice as many as there are.
const SERF_ROUNDS_30_NODES_30_PERCENT_LOSS: f64 = 13.0;

/// Rounds until all have heard that node 0 is suspected of something new.
fn rounds_to_all(nodes: usize, fan_out: usize, loss: f64, seed: u64) -> f64 {
    let settings = MembershipSettings {
        detection: FailureDetection::TimeOut(SimDuration::from_ms(1_000_000)),
        ..push_to_everybody(nodes, fan_out)
    };
    let mut world = LockStep::new(settings, seed);
    world.introduce();
    world.loss = loss;
    // Everybody's heartbeat rises with each round: the rumour is that of node 0 in the first one.
    let rumour = world.members[0].own_rumour().version + 1;
    for round in 1..200 {
        world.round();
        let has_heard = |member: &faultline::ring::membership::Membership| {
            member.belief(0, SimTime::ZERO).expect("it has started").rumour.version >= rumour
        };
        if world.members.iter().all(has_heard) {
            return f64::from(round);
        }
    }
    panic!("{nodes} nodes had not all heard after 200 rounds");
}

/// Mean, and its standard error.
fn mean_of(samples: &[f64]) -> (f64, f64) {
    let count = samples.len() as f64;
    let mean = samples.iter().sum::<f64>() / count;
    let variance =
        samples.iter().map(|sample| (sample - mean) * (sample - mean)).sum::<f64>() / (count - 1.0);
    (mean, (variance / count).sqrt())
}

#[test]
fn rounds_to_reach_all_are_those_of_the_recorded_monte_carlo() {
    for (nodes, fan_out, published) in PUSH_MEAN_ROUNDS {
        let runs = match nodes {
            30 => 200,
            100 => 60,
            _ => 2,
        };
        let rounds: Vec<f64> = (0..runs).map(|seed| rounds_to_all(nodes, fan_out, 0.0, seed)).collect();
        let (mean, error) = mean_of(&rounds);
        println!("push, n {nodes}, fan-out {fan_out}: {mean:.2} ± {error:.2} rounds, recorded {published}");
        // Of two runs the deviation says little: it is 1.3 rounds at fan-out 1.
        let error = error.max(1.3 / f64::from(runs as u32).sqrt() / fan_out as f64);
        assert!((mean - published).abs() < 4.0 * error, "n {nodes}, fan-out {fan_out}: {mean} ± {error}");
    }
}

/// Pittel, "On spreading a rumor", 1987, for fan-out 1: log2 n + ln n + O(1); with a fan-out f of which a
/// share gets through, log(1 + f) n + ln n / f.
#[test]
fn loss_acts_as_a_smaller_fan_out() {
    for (nodes, fan_out, loss) in [(30usize, 3usize, 0.3), (100, 3, 0.3), (100, 1, 0.3), (100, 2, 0.5)] {
        let rounds: Vec<f64> = (0..60).map(|seed| rounds_to_all(nodes, fan_out, loss, seed)).collect();
        let (mean, error) = mean_of(&rounds);
        let reference: Vec<f64> = (0..400).map(|seed| reference_rounds(nodes, fan_out, loss, seed)).collect();
        let (expected, reference_error) = mean_of(&reference);
        let through = fan_out as f64 * (1.0 - loss);
        let theory = libm::log(nodes as f64) * (1.0 / libm::log1p(through) + 1.0 / through);
        println!(
            "n {nodes}, fan-out {fan_out}, loss {loss}: {mean:.2} ± {error:.2}, reference {expected:.2}, theory {theory:.2}"
        );
        let both = (error * error + reference_error * reference_error).sqrt();
        assert!((mean - expected).abs() < 4.0 * both, "{mean} ± {error}, {expected}");
        assert!((mean - theory).abs() < 2.0, "{mean}, theory {theory}");
        if (nodes, fan_out) == (30, 3) {
            let serf = SERF_ROUNDS_30_NODES_30_PERCENT_LOSS;
            assert!((0.35 * serf..serf).contains(&mean), "{mean} of Serf's {serf}");
        }
    }
}

/// The process itself, without any of the program's gossip.
fn reference_rounds(nodes: usize, fan_out: usize, loss: f64, seed: u64) -> f64 {
    let mut random = Stream::new(seed, Purpose::Swarm, 21);
    let mut has_heard = vec![false; nodes];
    has_heard[0] = true;
    let mut rounds = 0.0;
    while has_heard.contains(&false) {
        rounds += 1.0;
        let before = has_heard.clone();
        for from in (0..nodes).filter(|from| before[*from]) {
            let mut told: Vec<usize> = Vec::new();
            while told.len() < fan_out {
                let to = random.below(nodes as u32) as usize;
                if to != from && !told.contains(&to) {
                    told.push(to);
                    has_heard[to] |= !random.chance(loss);
                }
            }
        }
    }
    rounds
}

#[test]
fn rumours_that_are_told_so_often_only_reach_all_nearly_as_fast() {
    for (nodes, published) in LIMITED_MEAN_ROUNDS {
        let limit = retransmit_limit(4, nodes);
        let runs = if nodes == 1_000 { 40 } else { 300 };
        let rounds: Vec<f64> = (0..runs).filter_map(|seed| limited_rounds(nodes, limit, seed)).collect();
        // Nobody told one of 30 in 8 × 30 tries: e^-8 × 30, one run in a hundred.
        assert!(rounds.len() as f64 >= 0.96 * runs as f64, "it died out too often");
        let (mean, error) = mean_of(&rounds);
        println!("limited to {limit}, n {nodes}: {mean:.2} ± {error:.2} rounds, recorded {published}");
        assert!((mean - published).abs() < 4.0 * error.max(0.05), "n {nodes}: {mean} ± {error}");
    }
}

/// Rounds until all have heard, if they have, where everybody who still has the rumour to tell tells three others.
fn limited_rounds(nodes: usize, limit: u32, seed: u64) -> Option<f64> {
    let told = Told { rumour: Rumour { generation: 1, ..Rumour::none(0) }, by: 0 };
    let mut random = Stream::new(seed, Purpose::Swarm, 22);
    let mut queues: Vec<Option<Broadcasts>> = vec![None; nodes];
    queues[0] = Some(Broadcasts::default());
    queues[0].as_mut().expect("it was just made").add(told);
    for round in 1..100 {
        let mut reached = Vec::new();
        for (from, queue) in queues.iter_mut().enumerate() {
            let Some(queue) = queue.as_mut().filter(|queue| !queue.is_empty()) else { continue };
            let mut others: Vec<usize> = Vec::new();
            while others.len() < 3 {
                let to = random.below(nodes as u32) as usize;
                if to != from && !others.contains(&to) {
                    others.push(to);
                    if !queue.take(limit).is_empty() {
                        reached.push(to);
                    }
                }
            }
        }
        for to in reached {
            queues[to].get_or_insert_with(|| {
                let mut queue = Broadcasts::default();
                queue.add(told);
                queue
            });
        }
        if queues.iter().all(Option::is_some) {
            return Some(f64::from(round));
        }
    }
    None
}

#[test]
fn broadcasts_send_the_least_told_first_and_each_as_often_as_it_may() {
    let told = |node: u16, version: u32| Told {
        rumour: Rumour { generation: 1, version, ..Rumour::none(node) },
        by: node,
    };
    let mut queue = Broadcasts::default();
    (0..100).for_each(|node| queue.add(told(node, 0)));
    let first = queue.take(2);
    assert_eq!(first.len(), RUMOURS_A_MESSAGE_MAX);
    let second = queue.take(2);
    assert_eq!(
        second[..40].iter().map(|told| told.rumour.node).collect::<Vec<_>>(),
        (60..100).collect::<Vec<u16>>()
    );
    queue.add(told(99, 1));
    let newest = queue.take(2);
    assert_eq!(newest[0].rumour.version, 1, "what is newer takes the place of what is older");
    while !queue.is_empty() {
        queue.take(2);
    }
}

/// With three neighbours each a rumour passes a number of nodes that grows with the logarithm of the ring.
#[test]
fn three_neighbours_are_enough_for_a_thousand_nodes() {
    let mut last = 0.0;
    for nodes in [10usize, 100, 1_000] {
        let settings = MembershipSettings {
            neighbours: joined(nodes, 3, &mut Stream::new(5, Purpose::Overlay, 0)),
            with_everybody: false,
            direction: Direction::PushPull,
            with_deltas: true,
            ..push_to_everybody(nodes, 1)
        };
        let mut world = LockStep::new(settings, 5);
        let mut rounds = 0;
        while !world.all_agree() {
            world.round();
            rounds += 1;
            assert!(rounds < 60, "{nodes} nodes do not agree after {rounds} rounds");
        }
        let hops = |member: &faultline::ring::membership::Membership| {
            (0..nodes as u16)
                .map(|of| member.belief(of, SimTime::ZERO).expect("it has started").rumour.hops)
                .max()
        };
        let deepest = world.members.iter().filter_map(hops).max().expect("there are members");
        println!("three neighbours, n {nodes}: {rounds} rounds, {deepest} hops at most");
        let log = libm::log2(nodes as f64);
        assert!(f64::from(deepest) >= log - 2.0 && f64::from(deepest) <= 4.0 * log, "{deepest} hops");
        assert!(f64::from(rounds) > last && f64::from(rounds) < 3.0 * log + 6.0, "{rounds} rounds");
        last = f64::from(rounds);
    }
}

/// Nodes that join one after the other: at most so many neighbours, mutual, connected.
#[test]
fn the_overlay_that_joining_makes_is_connected_and_nobody_knows_too_many() {
    for seed in 0..40 {
        let mut random = Stream::new(seed, Purpose::Overlay, 1);
        for limit in 1..=3 {
            let nodes = 1 + random.below(60) as usize;
            let known = joined(nodes, limit, &mut random);
            assert!(known.iter().all(|known| known.len() <= limit));
            for (node, peers) in known.iter().enumerate() {
                for peer in peers {
                    assert_ne!(usize::from(*peer), node);
                    assert!(known[usize::from(*peer)].contains(&(node as u16)), "knowing is mutual");
                }
                assert!(
                    peers.iter().enumerate().all(|(at, peer)| !peers[..at].contains(peer)),
                    "twice the same"
                );
            }
            let links = known
                .iter()
                .enumerate()
                .flat_map(|(node, peers)| peers.iter().map(move |peer| (node as u16, *peer)));
            let (count, _) = parts(&vec![true; nodes], links);
            if limit > 1 {
                assert_eq!(count, 1, "{nodes} nodes, {limit} neighbours each");
            }
        }
    }
}

/// Drawn overlays of any shape: with push, pull or both, with or without deltas, under loss, views become
/// the same if the overlay is connected, and do not if it is not.
#[test]
fn views_converge_whenever_the_overlay_is_connected() {
    for seed in 0..60 {
        let mut random = Stream::new(seed, Purpose::Swarm, 23);
        let nodes = 2 + random.below(30) as usize;
        let mut known: Vec<Vec<u16>> = vec![Vec::new(); nodes];
        let mut know = |one: usize, other: usize| {
            if one != other && !known[one].contains(&(other as u16)) {
                known[one].push(other as u16);
                known[other].push(one as u16);
            }
        };
        // A tree, with some links more; or two of them.
        let is_broken = nodes > 3 && seed % 4 == 0;
        let half = if is_broken { nodes / 2 } else { nodes };
        for node in 1..nodes {
            let first = if node < half { 0 } else { half };
            if node > first {
                know(node, first + random.below((node - first) as u32) as usize);
            }
        }
        for _ in 0..random.below(nodes as u32) {
            let first = if random.chance(0.5) || !is_broken { 0 } else { half };
            let size = (if first == 0 { half } else { nodes - half }) as u32;
            know(first + random.below(size) as usize, first + random.below(size) as usize);
        }
        let direction = [Direction::Push, Direction::Pull, Direction::PushPull][random.below(3) as usize];
        let settings = MembershipSettings {
            neighbours: known,
            with_everybody: false,
            direction,
            with_deltas: random.chance(0.5),
            ..push_to_everybody(nodes, 1 + random.below(2) as usize)
        };
        let mut world = LockStep::new(settings, seed);
        world.loss = if random.chance(0.5) { 0.3 } else { 0.0 };
        let agree = (0..2_000).any(|_| {
            world.round();
            world.all_agree()
        });
        assert_eq!(agree, !is_broken, "seed {seed}: {nodes} nodes, {direction:?}");
    }
}

#[test]
fn a_node_that_hears_of_itself_what_it_has_not_said_overtakes_it() {
    let mut gossip = Gossip::new(3, 5, 1_000);
    let said = |generation, version, standing| Rumour { generation, version, standing, ..Rumour::none(3) };
    assert_eq!(gossip.hear(said(900, 77, Standing::Dead)), Heard::Nothing, "of an earlier start");
    // Its clock was ahead at the last start.
    assert_eq!(gossip.hear(said(5_000, 12, Standing::Alive)), Heard::Overtaken);
    assert!(gossip.rumour(3).is_newer_than(&said(5_000, 12, Standing::Dead)));
    let own = gossip.rumour(3);
    assert_eq!(gossip.hear(Rumour { standing: Standing::Suspected, ..own }), Heard::Overtaken);
    assert_eq!((gossip.rumour(3).generation, gossip.rumour(3).version), (own.generation, own.version + 1));
    assert_eq!(gossip.rumour(3).standing, Standing::Alive);
}

/// Found by a drawn run: a node that restarts after its clock was set back stayed dead to the others.
#[test]
fn a_node_that_restarts_after_its_clock_was_set_back_is_believed_alive_again() {
    for detector in
        [json!({"phi_accrual": {}}), json!({"time_out": {}}), json!({"swim": {"suspicion_multiplier": 1}})]
    {
        for mode in ["push", "pull", "push_pull"] {
            let mut scenario =
                scenario(json!({"gossip": {"mode": mode}, "failure_detection": detector}), 3, 40);
            scenario.faults = serde_json::from_value(json!([
                {"at_ms": 0, "for_ms": 4_000, "do": {"clock_skew": {"nodes": {"nodes": ["ring-1"]}, "offset_ms": 20_000}}},
                {"at_ms": 1_000, "do": {"restart": {"nodes": {"nodes": ["ring-1"]}}}},
                {"at_ms": 5_000, "for_ms": 10_000, "do": {"crash": {"nodes": {"nodes": ["ring-1"]}}}},
            ]))
            .expect("faults");
            let mut session = Session::open(scenario, None, Vec::new(), None).expect("valid");
            session.run_until(SimTime::from_ms(40_000));
            let run = &session.clusters()[0];
            for node in run.world().node_ids() {
                let Some(ring) = run.world().process(node).as_ring() else { continue };
                let dead: Vec<u16> = ring.gossip().believed_dead().collect();
                assert!(
                    dead.is_empty(),
                    "{mode}, {detector}: ring-{} believes {dead:?} dead",
                    ring.index() + 1
                );
            }
            let convicted = session.narration().any(|line| line.text.contains("believes it dead"));
            assert!(convicted, "it was dead for ten seconds");
        }
    }
}

/// Sizes of messages are those of what is in them.
#[test]
fn digests_cost_less_than_everything_and_only_what_differs_is_sent() {
    let state_bytes = 428;
    let mut one = Gossip::new(0, 100, 1);
    let two = Gossip::new(1, 100, 1);
    for node in 2..100 {
        one.hear(Rumour { generation: 1, ..Rumour::none(node) });
    }
    let digests = GossipMessage::Digests(one.digests());
    assert_eq!(digests.bytes(state_bytes), 99 * DIGEST_BYTES);
    let comparison = two.compare(&one.digests());
    assert_eq!((comparison.newer.len(), comparison.wanted.len()), (1, 99));
    let deltas = GossipMessage::Deltas { deltas: one.answer(&comparison.wanted), asks_back: false };
    assert_eq!(deltas.bytes(state_bytes), 99 * (RUMOUR_BYTES + state_bytes), "it had heard of none of them");
    let mut later = one.clone();
    later.beat();
    let comparison = one.compare(&later.digests());
    assert_eq!((comparison.newer.len(), comparison.wanted.len()), (0, 1));
    let deltas = GossipMessage::Deltas { deltas: later.answer(&comparison.wanted), asks_back: false };
    assert_eq!(deltas.bytes(state_bytes), RUMOUR_BYTES, "a heartbeat goes without the state");
    let everything = GossipMessage::Deltas { deltas: one.everything(), asks_back: false };
    assert_eq!(everything.bytes(state_bytes), 99 * (RUMOUR_BYTES + state_bytes));
    let empty = GossipMessage::Comparison { newer: Rc::new([]), wanted: Rc::new([]) };
    assert_eq!(empty.bytes(state_bytes), 0);
}

/// Messages and bytes that each node sends a second, once all have heard of all.
fn load(nodes: u32, gossip: Value, detection: Value) -> (f64, f64) {
    let mut ring =
        SmallRing::new(json!({"nodes": nodes, "gossip": gossip, "failure_detection": detection}), 11);
    ring.run_ms(20_000);
    let before = ring.run.world().network().traffic();
    ring.run_ms(10_000);
    let after = ring.run.world().network().traffic();
    let per_node = |total: u64| total as f64 / f64::from(nodes) / 10.0;
    (per_node(after.messages - before.messages), per_node(after.bytes_same_zone - before.bytes_same_zone))
}

/// SWIM, table 1: the load of each member does not depend on the size of the group. Nor do the messages of
/// gossip; its digests do, as they name everybody.
#[test]
fn the_load_of_a_node_is_constant_in_the_size_of_the_ring() {
    let seldom = json!({"interval_ms": 600_000});
    let swim: Vec<(f64, f64)> =
        [16, 64, 200].map(|nodes| load(nodes, seldom.clone(), json!({"swim": {}}))).to_vec();
    println!("SWIM, 16, 64 and 200 nodes: {swim:.2?} messages and bytes a second");
    for (messages, bytes) in &swim {
        // A ping and an acknowledgement each second, of one's own and of another's.
        assert!((messages - 2.0).abs() < 0.1, "{messages} messages a second");
        assert!((bytes / swim[0].1 - 1.0).abs() < 0.1, "{bytes} bytes a second");
    }
    let gossip: Vec<(f64, f64)> =
        [16, 64].map(|nodes| load(nodes, json!({"seeds": 0}), json!({"phi_accrual": {}}))).to_vec();
    println!("gossip, 16 and 64 nodes: {gossip:.2?} messages and bytes a second");
    for (messages, _) in &gossip {
        // Five rounds of digests, comparison and deltas.
        assert!((12.0..=15.1).contains(messages), "{messages} messages a second");
    }
    assert!(gossip[1].1 > 2.5 * gossip[0].1, "digests name everybody: {gossip:?}");
}

/// Halves that a cut kept apart for long know nobody of the other half any more.
fn after_a_long_cut(gossip: Value) -> (u16, String) {
    let mut scenario = scenario(json!({"nodes": 8, "gossip": gossip}), 5, 90);
    let half = |numbers: std::ops::RangeInclusive<u32>| json!({"nodes": numbers.map(|number| format!("ring-{number}")).collect::<Vec<_>>()});
    scenario.faults = serde_json::from_value(json!([
        {"at_ms": 5_000, "for_ms": 40_000, "do": {"partition": {"groups": [half(1..=4), half(5..=8)]}}},
    ]))
    .expect("faults");
    let mut session = Session::open(scenario, None, Vec::new(), None).expect("valid");
    session.run_until(SimTime::from_ms(90_000));
    let said: Vec<&str> = session.narration().map(|line| line.text.as_str()).collect();
    (session.clusters()[0].overlay().0, said.join("\n"))
}

#[test]
fn an_overlay_that_broke_in_two_is_told_and_seeds_or_the_dead_mend_it() {
    let (parts, said) = after_a_long_cut(json!({"seeds": 0, "unreachable": false}));
    assert_eq!(parts, 2, "{said}");
    assert!(said.contains("in **2** parts"), "{said}");
    assert!(!said.contains("whole again"), "{said}");
    for mended in
        [json!({"seeds": 1, "unreachable": false}), json!({"seeds": 0, "unreachable": true}), json!({})]
    {
        let (parts, said) = after_a_long_cut(mended.clone());
        assert_eq!(parts, 1, "{mended}: {said}");
        assert!(said.contains("in **2** parts") && said.contains("whole again"), "{mended}: {said}");
    }
    // With one neighbour each there are pairs that never hear of each other.
    let mut ring = SmallRing::new(json!({"gossip": {"neighbours": 1, "seeds": 0}}), 1);
    ring.run_ms(3_000);
    assert_eq!(ring.run.overlay().0, 3);
    assert_eq!(ring.member(1).heard_of(), 2);
}

/// A thousand nodes with three neighbours each: within a few seconds all have heard of all, and nobody is
/// believed dead that is not.
#[test]
fn a_ring_of_a_thousand_nodes_holds_together() {
    let mut ring = SmallRing::new(json!({"nodes": 1_000}), 3);
    ring.run_ms(6_000);
    for number in 1..=1_000 {
        let member = ring.member(number);
        assert_eq!((member.heard_of(), member.believed_dead().count()), (1_000, 0), "ring-{number}");
        assert!(member.overlay().now().count() <= 3);
        assert!(member.memory_bytes() <= 64_000);
    }
    assert_eq!(ring.run.overlay().0, 1);
    println!("a thousand nodes: {} KB of beliefs each", ring.member(1).memory_bytes() / 1_000);
}

/// What one node believes is bounded by the number of nodes, and the inspector says how much it is.
#[test]
fn beliefs_take_a_few_bytes_for_each_node() {
    let mut ring = SmallRing::new(json!({"nodes": 300}), 2);
    ring.run_ms(10_000);
    let member = ring.member(1);
    assert_eq!(member.heard_of(), 300);
    assert!(member.memory_bytes() <= 300 * 64, "{} bytes", member.memory_bytes());
    let settings =
        MembershipSettings { detection: FailureDetection::Swim(lan()), ..push_to_everybody(300, 1) };
    let mut world = LockStep::new(settings, 2);
    world.introduce();
    assert!(world.members[0].memory_bytes() < 300 * 128, "{} bytes", world.members[0].memory_bytes());
}

/// Two nodes that disagree: cut off from each other, each half believes the other dead, and the inspector says so.
#[test]
fn the_inspector_shows_what_each_node_believes_of_each_other() {
    let mut scenario = scenario(json!({"nodes": 4}), 5, 30);
    scenario.faults = serde_json::from_value(json!([
        {"at_ms": 5_000, "do": {"partition": {"groups": [{"nodes": ["ring-1"]}, {"nodes": ["ring-2", "ring-3", "ring-4"]}]}}},
    ]))
    .expect("faults");
    let mut session = Session::open(scenario, None, Vec::new(), None).expect("valid");
    let facts = |session: &Session, number: u16| {
        // The client stands before the ring's nodes.
        let inspector =
            faultline::session::inspector::inspect(session, 0, number).expect("there is such a node");
        inspector
            .facts
            .into_iter()
            .map(|(term, text)| format!("{term}: {text}"))
            .collect::<Vec<_>>()
            .join("\n")
    };
    session.run_until(SimTime::from_ms(1));
    assert!(facts(&session, 2).contains("ring-1: never heard of"), "{}", facts(&session, 2));
    session.run_until(SimTime::from_ms(4_000));
    let before = facts(&session, 2);
    assert!(before.contains("ring-1: alive, φ 0.") && before.contains("Believes dead: nobody"), "{before}");
    assert!(before.contains("Heard of: 4 of 4 nodes, 1 KB"), "{before}");
    session.run_until(SimTime::from_ms(25_000));
    assert!(facts(&session, 1).contains("ring-2: dead, heartbeat"), "{}", facts(&session, 1));
    let other = facts(&session, 2);
    assert!(other.contains("ring-1: dead, heartbeat") && other.contains("ring-3: alive, φ"), "{other}");
}
