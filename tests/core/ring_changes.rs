//! Nodes that join, leave and replace others while a ring serves.

use crate::runs::{self, run};
use crate::swarm::seeds_asked_for;
use faultline::cluster::run::ClusterRun;
use faultline::engine::distribution::Lognormal;
use faultline::engine::{Distribution, Purpose, SimDuration, Stream};
use faultline::ring::place::Step;
use faultline::ring::ring_node::RingNode;
use faultline::scenario::fault::{FaultSpec, ScheduledFault, Selector};
use faultline::scenario::schema::{
    AntiEntropySection, ClusterSection, HintedHandoffSection, PartitioningMode, ReadRepairMode, RingSection,
    Scenario, SyncPolicy,
};
use faultline::session::Session;
use faultline::workload::operation::Outcome;
use serde_json::{Value, json};

fn scenario(ring: Value, faults: Value) -> Scenario {
    let mut section = json!({"nodes": 5, "spares": 2, "n": 3, "r": 2, "w": 2, "stream_mbit_per_s": 20});
    section.as_object_mut().expect("an object").extend(ring.as_object().expect("an object").clone());
    let scenario = json!({
        "version": 1, "name": "changes", "title": "Changes", "duration_ms": 25000,
        "workload": {"clients": 6, "rate_per_s": 300, "reads": 0.5, "keys": 400, "zipf_theta": 0.5, "payload_bytes": 500},
        "clusters": [{"gossip_ring": section}], "faults": faults
    });
    runs::scenario(&scenario)
}

fn nodes(run: &ClusterRun) -> Vec<&RingNode> {
    run.world().node_ids().filter_map(|node| run.world().process(node).as_ring()).collect()
}

fn is_up(run: &ClusterRun, node: &RingNode) -> bool {
    !run.world().body(node.settings().nodes[usize::from(node.index())]).is_down()
}

/// Numbers of the nodes that are a part of the ring, as all that are up see it.
fn members(run: &ClusterRun) -> Result<Vec<u16>, String> {
    let nodes = nodes(run);
    let of = |node: &RingNode| -> Vec<u16> {
        (0..nodes.len() as u16).filter(|other| node.view().is_member(*other)).map(|node| node + 1).collect()
    };
    let mut up = nodes.iter().filter(|node| is_up(run, node));
    let first = up.next().expect("somebody is up");
    for node in up {
        if (of(node), node.view().number) != (of(first), first.view().number) {
            return Err(format!(
                "ring-{} sees {:?} by {} changes, ring-{} {:?} by {}",
                first.index() + 1,
                of(first),
                first.view().number,
                node.index() + 1,
                of(node),
                node.view().number
            ));
        }
    }
    if let Some(change) = &first.view().change {
        return Err(format!("a change of ring-{} is under way", change.mover + 1));
    }
    Ok(of(first))
}

/// Of every key so many replicas of the ring as it is at the end have what was acknowledged last.
fn replicas_have_what_was_acknowledged(run: &ClusterRun, least: usize) -> Result<(), String> {
    let nodes = nodes(run);
    let ring = run.ring().expect("a ring");
    let keys = &run.blueprint().traffic.keys;
    for key in 0..keys.len() as u32 {
        let Some(newest) = run.recorder().acknowledged().newest(key) else { continue };
        let replicas = ring.replicas(keys.token(key));
        let has = |node: &&u16| !newest.is_newer_than(&nodes[usize::from(**node)].cell(key).content);
        let have = replicas.iter().filter(has).count();
        if have < least {
            let held: Vec<_> = replicas
                .iter()
                .map(|node| (node + 1, nodes[usize::from(*node)].cell(key).content.version))
                .collect();
            return Err(format!("key {key}: {newest:?} is at {have} of its replicas: {held:?}"));
        }
    }
    Ok(())
}

fn replicas_are_equal(run: &ClusterRun) -> Result<(), String> {
    let nodes = nodes(run);
    let ring = run.ring().expect("a ring");
    let keys = &run.blueprint().traffic.keys;
    for key in 0..keys.len() as u32 {
        let of = |node: &u16| nodes[usize::from(*node)].cell(key).content;
        let replicas = ring.replicas(keys.token(key));
        if replicas.iter().any(|node| of(node) != of(&replicas[0])) {
            let held: Vec<_> = replicas.iter().map(|node| (node + 1, of(node))).collect();
            return Err(format!("replicas of key {key} hold {held:?}"));
        }
    }
    Ok(())
}

fn failed(run: &ClusterRun) -> usize {
    run.history().filter(|op| op.completed.is_some() && op.outcome != Outcome::Ok).count()
}

/// Whether every undertaking is over.
fn all_are_over(session: &Session) -> bool {
    session.state().begun.iter().all(|begun| begun.ended.is_some())
}

fn sound(session: &Session, expected: &[u16]) {
    let run = &session.clusters()[0];
    assert_eq!(members(run).unwrap_or_else(|why| panic!("{why}")), expected);
    assert!(all_are_over(session));
    replicas_have_what_was_acknowledged(run, 2).unwrap_or_else(|why| panic!("{why}"));
    assert_eq!((run.lost_acknowledged_writes(), run.recorder().counts.stale_reads), (0, 0));
}

#[test]
fn a_spare_joins_while_the_ring_serves() {
    for partitioning in ["by_token", "equal_ranges"] {
        let ring = json!({"partitioning": partitioning});
        let session = run(scenario(ring, json!([{"at_ms": 5000, "do": {"join": {"node": "ring-6"}}}])));
        sound(&session, &[1, 2, 3, 4, 5, 6]);
        let run = &session.clusters()[0];
        assert_eq!(failed(run), 0, "{partitioning}: nothing fails");
        assert!(run.ring().expect("a ring").share(5) > 0.02, "{partitioning}: it owns something");
    }
}

#[test]
fn a_node_leaves_while_the_ring_serves_and_can_come_back() {
    let session = run(scenario(
        json!({}),
        json!([{"at_ms": 4000, "do": {"leave": {"node": "ring-2"}}}, {"at_ms": 14000, "do": {"join": {"node": "ring-2"}}}]),
    ));
    sound(&session, &[1, 2, 3, 4, 5]);
    let run = &session.clusters()[0];
    assert_eq!(failed(run), 0, "nothing fails");
    assert_eq!(nodes(run)[1].place(1).count, 6, "three steps out, three steps in");
}

#[test]
fn a_dead_node_is_replaced_and_is_no_part_of_the_ring_when_it_comes_back() {
    let session = run(scenario(
        json!({"spares": 1}),
        json!([{"at_ms": 3000, "for_ms": 15000, "do": {"crash": {"nodes": {"nodes": ["ring-3"]}}}},
               {"at_ms": 9000, "do": {"replace": {"node": "ring-3", "by": "ring-6"}}}]),
    ));
    sound(&session, &[1, 2, 4, 5, 6]);
    let run = &session.clusters()[0];
    let before = run.blueprint().ring.as_ref().expect("a ring");
    let share = run.ring().expect("a ring").share(5);
    assert!((share - before.share(2)).abs() < 1e-9, "its tokens are taken over as they are");
}

#[test]
fn what_cannot_be_done_is_refused_and_over_at_once() {
    for (what, members_then) in [
        (json!({"join": {"node": "ring-1"}}), vec![1, 2, 3]),
        (json!({"leave": {"node": "ring-4"}}), vec![1, 2, 3]),
        (json!({"leave": {"node": "ring-1"}}), vec![1, 2, 3]),
        (json!({"replace": {"node": "ring-2", "by": "ring-4"}}), vec![1, 2, 3]),
    ] {
        let session = run(scenario(json!({"nodes": 3, "spares": 1}), json!([{"at_ms": 2000, "do": what}])));
        sound(&session, &members_then);
        assert!(nodes(&session.clusters()[0]).iter().all(|node| node.view().number == 0), "nothing was said");
    }
}

#[test]
fn a_join_that_is_lifted_at_any_moment_leaves_nothing_lost() {
    let mut done = 0;
    for step in 0..30 {
        let for_ms = 1 + step * 100;
        let faults = json!([{"at_ms": 5000, "for_ms": for_ms, "do": {"join": {"node": "ring-6"}}}]);
        let session = run(scenario(json!({"stream_mbit_per_s": 1}), faults));
        let run = &session.clusters()[0];
        let members = members(run).unwrap_or_else(|why| panic!("lifted after {for_ms} ms: {why}"));
        done += usize::from(members.contains(&6));
        replicas_have_what_was_acknowledged(run, 2).unwrap_or_else(|why| panic!("after {for_ms} ms: {why}"));
        assert_eq!((run.recorder().counts.stale_reads, failed(run)), (0, 0), "after {for_ms} ms");
    }
    assert!((1..30).contains(&done), "{done} of 30 were done before they were lifted");
}

fn draw(seed: u64) -> (Scenario, Stream) {
    let mut dice = Stream::new(seed, Purpose::Swarm, 30);
    let mut scenario = scenario(json!({}), json!([]));
    scenario.seed = seed;
    let ClusterSection::GossipRing(ring) = &mut scenario.clusters[0] else { panic!("it is a ring") };
    ring.nodes = 3 + dice.below(4);
    ring.spares = 1 + dice.below(3);
    ring.n = 1 + dice.below(3);
    ring.w = ring.n / 2 + 1 + dice.below(ring.n - ring.n / 2);
    ring.r = ring.n + 1 - ring.w + dice.below(ring.w);
    ring.virtual_nodes = 1 + dice.below(32);
    ring.stream_mbit_per_s = f64::from(1 + dice.below(50));
    if dice.chance(0.3) {
        ring.partitioning = PartitioningMode::EqualRanges;
        ring.partitions = 64;
    }
    if dice.chance(0.5) {
        ring.commit_log_sync = SyncPolicy::EveryWrite;
    }
    ring.digest_reads = dice.chance(0.3);
    if dice.chance(0.5) {
        ring.read_repair = if dice.chance(0.5) { ReadRepairMode::Blocking } else { ReadRepairMode::None };
    }
    if dice.chance(0.5) {
        ring.hinted_handoff = Some(HintedHandoffSection::default());
    }
    ring.token_aware = dice.chance(0.5);
    // Long after one node acts by a change another one may not have heard of it, and some messages
    // take long: who reads then is as far apart as can be from who wrote.
    ring.gossip.interval_ms = f64::from(50 + dice.below(1_500));
    ring.gossip.neighbours = 2;
    if dice.chance(0.5) {
        let tail = Distribution::Lognormal(Lognormal { median_ms: 2.0, sigma: 1.3 });
        scenario.network.same_zone = tail.clone();
        scenario.network.cross_zone = tail;
    }
    if dice.chance(0.5) {
        (scenario.workload.keys, scenario.workload.rate_per_s) = (20 + dice.below(40), 1_000.0);
    }
    (scenario, dice)
}

fn ring(scenario: &Scenario) -> RingSection {
    let ClusterSection::GossipRing(ring) = &scenario.clusters[0] else { panic!("it is a ring") };
    (**ring).clone()
}

fn name(number: u32) -> String {
    format!("ring-{number}")
}

/// Joins and leaves at any time, one of them perhaps in the place of a dead node.
fn add_changes(scenario: &mut Scenario, dice: &mut Stream, latest_ms: u32) {
    let ring = ring(scenario);
    let all = ring.nodes + ring.spares;
    for _ in 0..1 + dice.below(5) {
        let at_ms = 2_000.0 + f64::from(dice.below(latest_ms));
        let for_ms = dice.chance(0.2).then(|| f64::from(1 + dice.below(4_000)));
        let node = name(1 + dice.below(all));
        let fault = if dice.chance(0.6) { FaultSpec::Join { node } } else { FaultSpec::Leave { node } };
        scenario.faults.push(ScheduledFault { at_ms, for_ms, fault });
    }
    if ring.n > 1 && dice.chance(0.5) {
        let node = name(1 + dice.below(ring.nodes));
        let crash = FaultSpec::Crash { nodes: Selector::node(&node), disk_lost: false };
        let at_ms = 2_000.0 + f64::from(dice.below(2_000));
        scenario.faults.push(ScheduledFault { at_ms, for_ms: None, fault: crash });
        let by = name(ring.nodes + 1);
        let at_ms = at_ms + 3_000.0 + f64::from(dice.below(6_000));
        scenario.faults.push(ScheduledFault { at_ms, for_ms: None, fault: FaultSpec::Replace { node, by } });
    }
}

/// Changes alone (the barriers left out, seed 58 reads old data; the second step left out, seed 42): nothing acknowledged is lost and no read is old, at any time.
fn check_changes(seed: u64) {
    let (mut scenario, mut dice) = draw(seed);
    add_changes(&mut scenario, &mut dice, 10_000);
    scenario.duration_ms = 90_000.0;
    let quiet = FaultSpec::LoadSpike { factor: 0.0 };
    scenario.faults.push(ScheduledFault { at_ms: 25_000.0, for_ms: None, fault: quiet });
    let w = ring(&scenario).w as usize;
    let text = serde_json::to_string(&scenario.faults).expect("text");
    let session = run(scenario);
    let run = &session.clusters()[0];
    let stale = run.recorder().counts.stale_reads;
    assert_eq!((run.lost_acknowledged_writes(), stale), (0, 0), "seed {seed}: {text}");
    let crashed = nodes(run).iter().any(|node| !is_up(run, node));
    replicas_have_what_was_acknowledged(run, if crashed { w.saturating_sub(1) } else { w })
        .unwrap_or_else(|why| panic!("seed {seed}: {why}: {text}"));
    if !crashed {
        members(run).unwrap_or_else(|why| panic!("seed {seed}: {why}: {text}"));
        // Of slow messages some are too late.
        assert!(failed(run) < 20, "seed {seed}: {} failed: {text}", failed(run));
    }
}

/// Crashes, pauses and cuts in the middle of changes: all heals when they are lifted, and nothing
/// is lost that more than half of the replicas had to acknowledge.
fn check_broken(seed: u64) {
    let (mut scenario, mut dice) = draw(seed);
    scenario.duration_ms = 120_000.0;
    add_changes(&mut scenario, &mut dice, 8_000);
    let all = ring(&scenario).nodes + ring(&scenario).spares;
    let ClusterSection::GossipRing(section) = &mut scenario.clusters[0] else { panic!("it is a ring") };
    section.commit_log_sync = SyncPolicy::EveryWrite;
    section.anti_entropy =
        Some(AntiEntropySection { interval_ms: 500.0, depth: 6, ..AntiEntropySection::default() });
    for _ in 0..1 + dice.below(4) {
        let at_ms = 2_000.0 + f64::from(dice.below(8_000));
        let for_ms = Some(20.0 + f64::from(dice.below(6_000)));
        let nodes = Selector::node(&name(1 + dice.below(all)));
        let fault = match dice.below(5) {
            0 | 1 => FaultSpec::Crash { nodes, disk_lost: false },
            2 => FaultSpec::Pause { nodes },
            3 => FaultSpec::OneWayCut { from: nodes, to: Selector::all() },
            _ => {
                let rest = Selector { zones: vec!["b".to_string(), "c".to_string()], ..Selector::default() };
                FaultSpec::Partition { groups: vec![Selector::zone("a"), rest] }
            }
        };
        scenario.faults.push(ScheduledFault { at_ms, for_ms, fault });
    }
    // Who was to be dead for good comes back too; then there is no more load.
    for fault in &mut scenario.faults {
        if let (FaultSpec::Crash { .. }, None) = (&fault.fault, fault.for_ms) {
            fault.for_ms = Some(20_000.0);
        }
    }
    let quiet = FaultSpec::LoadSpike { factor: 0.0 };
    scenario.faults.push(ScheduledFault { at_ms: 30_000.0, for_ms: None, fault: quiet });
    let text = serde_json::to_string(&scenario.faults).expect("text");
    let mut session = Session::open(scenario, None, Vec::new(), None).expect("it is valid");
    session.without_checkpoints();
    session.run_until(session.end() + SimDuration::from_ms(10));
    let run = &session.clusters()[0];
    members(run).unwrap_or_else(|why| panic!("seed {seed}: {why}: {text}"));
    replicas_have_what_was_acknowledged(run, 1).unwrap_or_else(|why| panic!("seed {seed}: {why}: {text}"));
    replicas_are_equal(run).unwrap_or_else(|why| panic!("seed {seed}: {why}: {text}"));
    assert_eq!(run.lost_acknowledged_writes(), 0, "seed {seed}: {text}");
    for node in nodes(run) {
        assert!(matches!(node.place(node.index()).step, Step::In | Step::Out), "seed {seed}: {text}");
    }
}

#[test]
fn changes_alone_lose_nothing_and_show_nothing_old() {
    (1..=60).for_each(check_changes);
}

#[test]
fn changes_in_which_things_break_heal() {
    (1..=25).for_each(check_broken);
}

/// `FAULTLINE_SWARM_RUNS=N cargo test --test core -- --ignored ring_changes_many`.
#[test]
#[ignore = "as many runs as asked for"]
fn ring_changes_many() {
    seeds_asked_for().for_each(|seed| {
        check_changes(seed);
        check_broken(seed);
    });
}

#[test]
fn clients_ask_whoever_has_joined_and_no_more_whoever_has_left() {
    for token_aware in [true, false] {
        let faults = json!([
            {"at_ms": 4000, "do": {"join": {"node": "ring-6"}}},
            {"at_ms": 12000, "do": {"leave": {"node": "ring-2"}}},
        ]);
        let session = run(scenario(json!({"token_aware": token_aware, "stream_mbit_per_s": 200}), faults));
        let run = &session.clusters()[0];
        let asked = |name: &str, seconds: std::ops::Range<u64>| {
            let node = run.world().find(name).expect("it is there");
            let within = |operation: &faultline::check::history::Operation| {
                seconds.contains(&(operation.invoked.0 / 1_000_000_000))
            };
            run.history().filter(|operation| operation.endpoint == node && within(operation)).count()
        };
        assert_eq!(asked("ring-6", 0..4), 0, "a spare is not asked");
        assert!(asked("ring-6", 12..25) > 400, "who has joined is: {}", asked("ring-6", 12..25));
        assert!(asked("ring-2", 0..12) > 400);
        assert_eq!(asked("ring-2", 20..25), 0, "who has left is not");
        assert_eq!(asked("ring-7", 0..25), 0, "the other spare never is");
    }
}
