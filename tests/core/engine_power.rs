//! A machine that is switched off and on again loses what a crash loses, is down
//! meanwhile, and starts once, when nothing holds it down any more.
//!
//! Messages between the probes take one millisecond.

use crate::probe::{Laboratory, Note, Say, Seen, note};
use crate::small_world::machine;
use faultline::engine::{FaultKind, NodeId, SimDuration, SimTime, Transport};

const A: NodeId = NodeId(0);
const B: NodeId = NodeId(1);

fn two_probes() -> Laboratory {
    Laboratory::new(vec![machine("a", 1, 100), machine("b", 1, 100)])
}

fn ms(ms: u64) -> SimDuration {
    SimDuration::from_ms(ms)
}

fn pooled(number: u32) -> Note {
    note(Transport::Pooled, number)
}

/// Tells `by` to switch B off and on, now.
fn power_cycle_b(lab: &mut Laboratory, by: NodeId, off_for_ms: u64) {
    lab.tell(by, Say::PowerCycle { node: B, off_for: ms(off_for_ms) });
    lab.run_until(lab.world.now());
}

#[test]
fn a_power_cycle_loses_what_a_crash_loses_and_starts_a_fresh_process_from_the_disk() {
    let mut lab = two_probes();
    lab.tell(B, Say::Append(1));
    lab.tell(B, Say::Sync(10));
    lab.send(A, B, pooled(7));
    lab.run_until_ms(5);
    // Unsynced, scheduled, being served and queued: all of it is lost.
    lab.tell(B, Say::Append(2));
    lab.tell(B, Say::Timer { after: ms(3), number: 1 });
    for number in 0..3 {
        lab.send(A, B, Note { service: ms(100), ..pooled(number) });
    }
    lab.run_until_ms(7);
    assert_eq!(lab.world.body(B).machine().queue_len(), 2);
    power_cycle_b(&mut lab, B, 10);
    let body = lab.world.body(B);
    assert!(body.is_down());
    assert_eq!((body.machine().queue_len(), body.machine().busy_cores(), body.disk().backlog()), (0, 0, 0));
    assert!(lab.world.process(B).heard.is_empty(), "memory is lost at once");
    // What comes while it is off is lost; what comes after is not.
    lab.run_until_ms(10);
    lab.send(A, B, pooled(8));
    lab.run_until_ms(16);
    assert!(lab.world.body(B).is_down());
    assert_eq!(lab.world.network().traffic().lost, 1);
    lab.run_until_ms(17);
    lab.send(A, B, pooled(9));
    lab.run_until_ms(500);
    assert!(!lab.world.body(B).is_down());
    assert_eq!(
        lab.seen_by(B),
        [
            (0.5, Seen::Done(10)),
            (1.0, Seen::Note { from: A, number: 7 }),
            (7.0, Seen::Marked(false)),
            (17.0, Seen::Started(vec![1])),
            (18.0, Seen::Note { from: A, number: 9 })
        ]
    );
}

#[test]
fn a_node_that_a_crash_holds_down_as_well_starts_when_both_are_over() {
    // Begin and end of the crash; B is off from 5 ms to 15 ms.
    for (crashes, lifted, starts) in
        [(7, 10, 15.0), (7, 20, 20.0), (2, 10, 15.0), (2, 20, 20.0), (7, 15, 15.0), (2, 5, 15.0)]
    {
        let mut lab = two_probes();
        let mut crash = None;
        for now in 0..30 {
            lab.run_until_ms(now);
            if now == crashes {
                crash = Some(lab.begin(FaultKind::Crash { nodes: lab.set(&[B]), disk_lost: false }));
            }
            if now == 5 {
                power_cycle_b(&mut lab, A, 10);
            }
            if now == lifted {
                lab.lift(crash.expect("it has begun"));
            }
            let up_by_now = !lab.world.body(B).is_down();
            let is_down = (5..15).contains(&now) || (crashes..lifted).contains(&now);
            assert_eq!(up_by_now, !is_down, "at {now} ms, crash from {crashes} to {lifted} ms");
        }
        let started = [(starts, Seen::Started(vec![]))];
        assert_eq!(lab.seen_by(B), started, "crash from {crashes} to {lifted} ms");
    }
}

#[test]
fn power_cycles_that_overlap_last_as_long_as_the_longest_and_end_in_one_start() {
    for (first, second, starts) in [(10, 20, 22.0), (20, 5, 20.0), (10, 8, 10.0)] {
        let mut lab = two_probes();
        power_cycle_b(&mut lab, A, first);
        lab.run_until_ms(2);
        power_cycle_b(&mut lab, A, second);
        lab.run_until_ms(100);
        assert_eq!(lab.seen_by(B), [(starts, Seen::Started(vec![]))], "{first} ms, then {second} ms");
    }
}

#[test]
fn a_paused_node_is_switched_off_all_the_same_and_starts_when_it_is_resumed() {
    let mut lab = two_probes();
    lab.tell(B, Say::Timer { after: ms(3), number: 1 });
    lab.send(A, B, pooled(1));
    let pause = lab.begin(FaultKind::Pause { nodes: lab.set(&[B]) });
    lab.run_until_ms(5);
    power_cycle_b(&mut lab, A, 10);
    assert!(lab.world.body(B).is_down() && lab.world.body(B).is_paused());
    lab.run_until_ms(30);
    assert!(!lab.world.body(B).is_down());
    assert_eq!(lab.seen_by(B), []);
    lab.lift(pause);
    lab.send(A, B, pooled(2));
    lab.run_until_ms(40);
    // Neither the timer nor the message that waited in the pause.
    assert_eq!(lab.seen_by(B), [(30.0, Seen::Started(vec![])), (31.0, Seen::Note { from: A, number: 2 })]);
}

#[test]
fn a_pause_that_ends_while_the_power_is_off_starts_nothing() {
    let mut lab = two_probes();
    let pause = lab.begin(FaultKind::Pause { nodes: lab.set(&[B]) });
    power_cycle_b(&mut lab, A, 10);
    lab.run_until_ms(5);
    lab.lift(pause);
    lab.run_until_ms(40);
    assert_eq!(lab.seen_by(B), [(10.0, Seen::Started(vec![]))]);
}

#[test]
fn a_process_that_starts_after_a_power_cycle_is_told_what_faults_tell_it() {
    let mut lab = two_probes();
    let nodes = lab.set(&[B]);
    lab.begin(FaultKind::Control { nodes, begin: Say::Mark(true), lift: Say::Mark(false) });
    power_cycle_b(&mut lab, A, 10);
    lab.run_until_ms(40);
    let expected = [(0.0, Seen::Marked(true)), (10.0, Seen::Started(vec![])), (10.0, Seen::Marked(true))];
    assert_eq!(lab.seen_by(B), expected);
}

#[test]
fn how_long_the_power_is_off_is_in_the_trace() {
    let hash = |off_for: SimDuration| {
        let mut lab = two_probes();
        lab.tell(A, Say::PowerCycle { node: B, off_for });
        lab.run_until(SimTime::from_ms(1));
        lab.world.trace_hash()
    };
    assert_eq!(hash(ms(10)), hash(ms(10)));
    assert_ne!(hash(ms(10)), hash(ms(11)));
}
