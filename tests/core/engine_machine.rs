//! How long messages wait for a core, and that they are told.
//!
//! Messages between the probes take one millisecond.

use crate::probe::{Laboratory, Note, Say, Seen, note};
use crate::small_world::machine;
use faultline::engine::machine::WORK_WAITING_MAX;
use faultline::engine::{FaultKind, NodeId, SimDuration, Transport};

const A: NodeId = NodeId(0);
const B: NodeId = NodeId(1);

/// B has one core.
fn two_probes() -> Laboratory {
    Laboratory::new(vec![machine("a", 1, 100), machine("b", 1, 100)])
}

fn ms(ms: u64) -> SimDuration {
    SimDuration::from_ms(ms)
}

fn served_in(number: u32, service_ms: u64) -> Note {
    Note { service: ms(service_ms), ..note(Transport::Pooled, number) }
}

fn waits_ms(lab: &Laboratory, node: NodeId) -> Vec<f64> {
    lab.world.process(node).waits.iter().map(|wait| wait.as_ms_f64()).collect()
}

#[test]
fn a_message_has_waited_from_its_arrival_until_a_core_began_with_it() {
    let mut lab = two_probes();
    // The last two take no time once they have a core; the last finds it free.
    for note in [served_in(1, 4), served_in(2, 5), served_in(3, 0)] {
        lab.send(A, B, note);
    }
    lab.run_until_ms(20);
    lab.send(A, B, served_in(4, 0));
    lab.run_until_ms(30);
    assert_eq!(lab.notes_to(B), [(5.0, 1), (10.0, 2), (10.0, 3), (21.0, 4)]);
    assert_eq!(waits_ms(&lab, B), [0.0, 4.0, 9.0, 0.0]);
}

#[test]
fn work_waits_like_a_message_and_what_needs_no_core_has_not_waited() {
    let mut lab = two_probes();
    lab.tell(B, Say::Work { duration: ms(4), number: 1 });
    lab.run_until_ms(1);
    lab.tell(B, Say::Work { duration: ms(2), number: 2 });
    lab.run_until_ms(10);
    lab.tell(B, Say::Sync(3));
    lab.run_until_ms(20);
    assert_eq!(lab.seen_by(B), [(4.0, Seen::Done(1)), (6.0, Seen::Done(2)), (10.5, Seen::Done(3))]);
    assert_eq!(waits_ms(&lab, B), [0.0, 3.0, 0.0]);
}

#[test]
fn a_pause_is_waited_for_by_what_has_no_core_yet_and_by_nothing_else() {
    let mut lab = two_probes();
    lab.send(A, B, served_in(1, 10));
    lab.run_until_ms(3);
    let pause = lab.begin(FaultKind::Pause { nodes: lab.set(&[B]) });
    lab.send(A, B, served_in(2, 0));
    lab.run_until_ms(8);
    lab.lift(pause);
    lab.run_until_ms(20);
    assert_eq!(lab.notes_to(B), [(16.0, 1), (16.0, 2)]);
    assert_eq!(waits_ms(&lab, B), [0.0, 12.0]);

    // A core is free, but the process stands still.
    let pause = lab.begin(FaultKind::Pause { nodes: lab.set(&[B]) });
    lab.send(A, B, served_in(3, 0));
    lab.send(A, B, served_in(4, 2));
    lab.run_until_ms(26);
    lab.lift(pause);
    lab.run_until_ms(40);
    assert_eq!(lab.notes_to(B)[2..], [(26.0, 3), (28.0, 4)]);
    assert_eq!(waits_ms(&lab, B)[2..], [5.0, 5.0]);
}

#[test]
fn a_server_that_is_told_the_wait_spends_no_time_on_what_waited_too_long() {
    let mut lab = two_probes();
    for number in 1..=4 {
        lab.send(A, B, Note { patience: ms(5), ..served_in(number, 4) });
    }
    lab.run_until_ms(20);
    assert_eq!(lab.notes_to(B), [(5.0, 1), (9.0, 2), (9.0, 3), (9.0, 4)]);
    assert_eq!(waits_ms(&lab, B), [0.0, 4.0, 8.0, 8.0]);
    assert_eq!(lab.world.body(B).machine().busy_time(), ms(8));
}

/// One piece of work runs; all that there is room for waits.
fn with_all_the_work_that_may_wait() -> Laboratory {
    let mut lab = two_probes();
    for number in 0..=WORK_WAITING_MAX {
        lab.tell(B, Say::Work { duration: ms(1), number });
    }
    lab
}

#[test]
#[should_panic(expected = "machine: more than 65536 pieces of work wait")]
fn more_work_than_may_wait_is_a_broken_invariant() {
    let mut lab = with_all_the_work_that_may_wait();
    lab.tell(B, Say::Work { duration: ms(1), number: 0 });
}

#[test]
fn work_that_has_got_its_core_or_was_lost_in_a_crash_no_longer_waits() {
    let mut lab = with_all_the_work_that_may_wait();
    lab.run_until_ms(1);
    lab.tell(B, Say::Work { duration: ms(1), number: 0 });
    assert_eq!(lab.world.body(B).machine().queue_len(), WORK_WAITING_MAX as usize);
    let crash = lab.begin(FaultKind::Crash { nodes: lab.set(&[B]), disk_lost: false });
    lab.lift(crash);
    lab.run_until_ms(2);
    for number in 0..=WORK_WAITING_MAX {
        lab.tell(B, Say::Work { duration: ms(1), number });
    }
    assert_eq!(lab.world.body(B).machine().queue_len(), WORK_WAITING_MAX as usize);
}
