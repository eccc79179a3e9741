//! Every fault does what its documentation says, is undone when it is lifted,
//! counts what it touched, and leaves alone what it does not act on.
//!
//! Messages between the probes take one millisecond, so that most times here
//! are exact; expectations are written as (milliseconds, what was seen).

use crate::probe::{Laboratory, Note, Say, Seen, note};
use crate::small_world::{machine, network};
use faultline::engine::distribution::Exponential;
use faultline::engine::fault::GROUP_NONE;
use faultline::engine::network::STALLED_MESSAGES_MAX;
use faultline::engine::process::LOCAL_EPOCH_NS;
use faultline::engine::{
    Distribution, FaultKind, NetworkSpec, NodeId, NodeSet, NodeSpec, SimDuration, SimTime, Touched, Transport,
};

const A: NodeId = NodeId(0);
const B: NodeId = NodeId(1);
const C: NodeId = NodeId(2);

const TRANSPORTS: [Transport; 3] = [Transport::Stream, Transport::Pooled, Transport::Datagram];

fn three_machines() -> Vec<NodeSpec> {
    ["a", "b", "c"].map(|name| machine(name, 2, 100)).into()
}

fn three_probes() -> Laboratory {
    Laboratory::new(three_machines())
}

/// Three probes whose connections are given up after this.
fn impatient_probes(stream_timeout_ms: u64) -> Laboratory {
    let stream_timeout = SimDuration::from_ms(stream_timeout_ms);
    Laboratory::on(NetworkSpec { stream_timeout, ..millisecond() }, three_machines())
}

fn millisecond() -> NetworkSpec {
    network(Distribution::constant_ms(1.0))
}

fn exponential(rate_per_ms: f64) -> Distribution {
    Distribution::Exponential(Exponential { rate_per_ms })
}

fn ms(ms: u64) -> SimDuration {
    SimDuration::from_ms(ms)
}

fn served_in(number: u32, service_ms: u64) -> Note {
    Note { service: ms(service_ms), ..note(Transport::Pooled, number) }
}

fn touched(stopped: u64, delayed: u64, duplicated: u64) -> Touched {
    Touched { stopped, delayed, duplicated }
}

// ---------------------------------------------------------------------------
// Crash

#[test]
fn a_crash_loses_memory_and_unsynced_records_and_keeps_synced_ones() {
    let mut lab = three_probes();
    lab.tell(B, Say::Append(1));
    lab.tell(B, Say::Append(2));
    lab.tell(B, Say::Sync(10));
    lab.send(A, B, note(Transport::Pooled, 7));
    lab.run_until_ms(5);
    assert_eq!(lab.world.process(B).heard, [7]);
    lab.tell(B, Say::Append(3));
    let crash = lab.begin(FaultKind::Crash { nodes: lab.set(&[B]), disk_lost: false });
    assert!(lab.world.body(B).is_down());
    assert!(lab.world.process(B).heard.is_empty(), "memory is lost at once");
    lab.run_until_ms(8);
    assert_eq!(lab.lift(crash), touched(0, 0, 0));
    lab.run_until_ms(20);
    assert!(!lab.world.body(B).is_down());
    assert!(lab.world.process(B).heard.is_empty());
    assert_eq!(
        lab.seen_by(B),
        [(0.5, Seen::Done(10)), (1.0, Seen::Note { from: A, number: 7 }), (8.0, Seen::Started(vec![1, 2]))]
    );
}

#[test]
fn a_crash_with_the_disk_lost_starts_from_nothing() {
    let mut lab = three_probes();
    lab.tell(B, Say::Append(1));
    lab.tell(B, Say::Sync(10));
    lab.run_until_ms(5);
    let crash = lab.begin(FaultKind::Crash { nodes: lab.set(&[B]), disk_lost: true });
    lab.lift(crash);
    lab.run_until_ms(6);
    assert_eq!(lab.seen_by(B), [(0.5, Seen::Done(10)), (5.0, Seen::Started(vec![]))]);
}

#[test]
fn an_fsync_makes_durable_what_was_appended_before_it_began_and_those_that_wait_share_the_next() {
    let mut lab = three_probes();
    // The first fsync begins at once and does not cover the second record.
    for say in [Say::Append(1), Say::Sync(10), Say::Append(2), Say::Sync(11), Say::Sync(12), Say::Read(13)] {
        lab.tell(B, say);
    }
    // A crash at 0.3, 0.7 or 1.05 ms: during the first fsync, the second, the read.
    for (at_ns, kept) in [(300_000, vec![]), (700_000, vec![1]), (1_050_000, vec![1, 2])] {
        let mut fork = three_probes();
        fork.world = lab.world.clone();
        fork.run_until(SimTime(at_ns));
        let crash = fork.begin(FaultKind::Crash { nodes: fork.set(&[B]), disk_lost: false });
        fork.lift(crash);
        fork.run_until_ms(10);
        let (_, last) = fork.seen_by(B).pop().expect("it has started again");
        assert_eq!(last, Seen::Started(kept), "after a crash at {at_ns} ns");
    }
    lab.run_until_ms(10);
    assert_eq!(
        lab.seen_by(B),
        [(0.5, Seen::Done(10)), (1.0, Seen::Done(11)), (1.0, Seen::Done(12)), (1.1, Seen::Done(13))]
    );
    assert_eq!(lab.world.body(B).disk().sync_count(), 2);
    assert_eq!(lab.world.body(B).disk().backlog(), 0);
}

#[test]
fn a_crash_ends_everything_that_was_scheduled_and_counts_the_messages_it_cost() {
    let mut lab = Laboratory::new(vec![machine("a", 1, 100), machine("b", 1, 100)]);
    lab.tell(B, Say::Timer { after: ms(20), number: 1 });
    for number in 0..3 {
        lab.send(A, B, served_in(number, 10));
    }
    lab.run_until_ms(4);
    lab.tell(B, Say::Sync(2));
    lab.run_until(SimTime(4_200_000));
    let crash = lab.begin(FaultKind::Crash { nodes: lab.set(&[B]), disk_lost: false });
    // One was served, two waited.
    assert_eq!(lab.world.active_faults()[0].touched, touched(3, 0, 0));
    lab.send(A, B, note(Transport::Stream, 3));
    lab.send(A, B, note(Transport::Datagram, 4));
    lab.run_until_ms(8);
    assert_eq!(lab.world.network().traffic().lost, 2);
    assert_eq!(lab.lift(crash), touched(5, 0, 0));
    lab.send(A, B, note(Transport::Pooled, 5));
    lab.run_until_ms(1_000);
    assert_eq!(lab.seen_by(B), [(8.0, Seen::Started(vec![])), (9.0, Seen::Note { from: A, number: 5 })]);
}

#[test]
fn what_a_node_sent_before_it_crashed_still_arrives() {
    let mut lab = three_probes();
    lab.send(A, B, note(Transport::Datagram, 1));
    lab.begin(FaultKind::Crash { nodes: lab.set(&[A]), disk_lost: true });
    lab.run_until_ms(2);
    assert_eq!(lab.notes_to(B), [(1.0, 1)]);
}

#[test]
fn a_node_that_two_faults_crashed_starts_when_both_are_lifted() {
    let mut lab = three_probes();
    let first = lab.begin(FaultKind::Crash { nodes: lab.set(&[A, B]), disk_lost: false });
    lab.run_until_ms(1);
    let second = lab.begin(FaultKind::Crash { nodes: lab.set(&[B]), disk_lost: false });
    lab.run_until_ms(2);
    lab.lift(first);
    lab.run_until_ms(3);
    assert!(!lab.world.body(A).is_down() && lab.world.body(B).is_down());
    lab.lift(second);
    lab.run_until_ms(4);
    assert_eq!(lab.seen_by(A), [(2.0, Seen::Started(vec![]))]);
    assert_eq!(lab.seen_by(B), [(3.0, Seen::Started(vec![]))]);
}

// ---------------------------------------------------------------------------
// Pause

#[test]
fn in_a_pause_timers_are_late_messages_wait_and_work_takes_longer_by_the_pause() {
    let mut lab = three_probes();
    lab.tell(B, Say::Timer { after: ms(6), number: 1 });
    lab.tell(B, Say::Work { duration: ms(10), number: 2 });
    lab.tell(B, Say::Timer { after: ms(30), number: 3 });
    lab.run_until_ms(4);
    let pause = lab.begin(FaultKind::Pause { nodes: lab.set(&[B]) });
    assert!(lab.world.body(B).is_paused());
    lab.send(A, B, note(Transport::Pooled, 7));
    lab.run_until_ms(9);
    assert_eq!(lab.seen_by(B), []);
    // The work on its core, and the message.
    assert_eq!(lab.lift(pause), touched(0, 2, 0));
    lab.run_until_ms(100);
    assert_eq!(
        lab.seen_by(B),
        [
            (9.0, Seen::Note { from: A, number: 7 }),
            (9.0, Seen::Timer(1)),
            (15.0, Seen::Done(2)),
            (30.0, Seen::Timer(3))
        ]
    );
    assert_eq!(lab.world.process(B).heard, [7], "memory is kept");
    assert_eq!(lab.world.body(B).machine().busy_time(), ms(10), "a core that stands still is not used");
}

#[test]
fn work_ends_later_by_exactly_the_time_it_stood_still() {
    // Work of ten milliseconds from time zero; pauses; when it ends.
    let cases: [(&[(u64, u64)], f64); 7] = [
        (&[], 10.0),
        (&[(4, 9)], 15.0),
        // The pause outlasts the time at which it would have ended.
        (&[(8, 20)], 22.0),
        (&[(10, 20)], 20.0),
        (&[(2, 4), (6, 9)], 15.0),
        (&[(2, 4), (11, 20)], 21.0),
        // Two that overlap are one.
        (&[(2, 6), (4, 9)], 17.0),
    ];
    for (pauses, ends_at) in cases {
        let mut lab = three_probes();
        lab.tell(B, Say::Work { duration: ms(10), number: 1 });
        let mut active = Vec::new();
        // The pause at 10 ms must begin before the work ends there.
        for now in 0..30 {
            for (begin, _) in pauses.iter().filter(|(begin, _)| *begin == now) {
                active.push((*begin, lab.begin(FaultKind::Pause { nodes: lab.set(&[B]) })));
            }
            for (begin, _) in pauses.iter().filter(|(_, end)| *end == now) {
                let (_, fault) = active.iter().find(|(began, _)| began == begin).expect("it has begun");
                lab.lift(*fault);
            }
            lab.run_until(SimTime(SimTime::from_ms(now + 1).0 - 1));
        }
        assert_eq!(lab.seen_by(B), [(ends_at, Seen::Done(1))], "with pauses {pauses:?}");
        assert_eq!(lab.world.body(B).machine().busy_time(), ms(10), "with pauses {pauses:?}");
    }
}

#[test]
fn what_a_paused_machine_has_no_room_for_is_turned_away_in_silence_and_counted() {
    let mut lab = Laboratory::new(vec![machine("a", 1, 100), machine("b", 1, 1)]);
    let pause = lab.begin(FaultKind::Pause { nodes: lab.set(&[B]) });
    lab.send(A, B, note(Transport::Pooled, 1));
    lab.send(A, B, note(Transport::Pooled, 2));
    lab.run_until_ms(5);
    assert_eq!(lab.lift(pause), touched(1, 1, 0));
    assert_eq!(lab.seen_by(B), [(5.0, Seen::Note { from: A, number: 1 })]);
    assert_eq!(lab.world.body(B).machine().shed_count(), 1);
}

#[test]
fn a_paused_process_learns_afterwards_what_its_disk_and_its_connections_did() {
    let mut lab = impatient_probes(100);
    lab.tell(B, Say::Append(1));
    lab.tell(B, Say::Sync(10));
    lab.begin(FaultKind::OneWayCut { from: lab.set(&[B]), to: lab.set(&[C]) });
    lab.send(B, C, note(Transport::Stream, 1));
    let pause = lab.begin(FaultKind::Pause { nodes: lab.set(&[B]) });
    lab.tell(B, Say::Mark(true));
    lab.run_until_ms(500);
    assert_eq!(lab.seen_by(B), []);
    lab.lift(pause);
    lab.run_until_ms(501);
    assert_eq!(
        lab.seen_by(B),
        [(500.0, Seen::Marked(true)), (500.0, Seen::Done(10)), (500.0, Seen::Broken(C))]
    );
}

#[test]
fn a_process_that_crashes_in_a_pause_starts_when_it_is_resumed_and_hears_nothing_before() {
    let mut lab = three_probes();
    let pause = lab.begin(FaultKind::Pause { nodes: lab.set(&[B]) });
    let crash = lab.begin(FaultKind::Crash { nodes: lab.set(&[B]), disk_lost: false });
    lab.run_until_ms(2);
    lab.lift(crash);
    lab.send(A, B, note(Transport::Pooled, 1));
    lab.run_until_ms(5);
    lab.lift(pause);
    lab.send(A, B, note(Transport::Pooled, 2));
    lab.run_until_ms(10);
    assert_eq!(lab.seen_by(B), [(5.0, Seen::Started(vec![])), (6.0, Seen::Note { from: A, number: 2 })]);
}

// ---------------------------------------------------------------------------
// Slow machine, slow disk

#[test]
fn a_slow_machine_takes_exactly_its_factor_longer_for_jobs_that_begin_meanwhile() {
    let mut lab = three_probes();
    lab.tell(B, Say::Work { duration: ms(10), number: 1 });
    lab.run_until_ms(5);
    let slow = lab.begin(FaultKind::SlowMachine { nodes: lab.set(&[B]), factor: 2.5 });
    lab.send(A, B, served_in(2, 4));
    lab.tell(C, Say::Work { duration: ms(4), number: 9 });
    lab.run_until_ms(20);
    lab.tell(B, Say::Work { duration: ms(4), number: 3 });
    lab.run_until_ms(40);
    assert_eq!(lab.lift(slow), touched(0, 2, 0));
    lab.tell(B, Say::Work { duration: ms(4), number: 4 });
    lab.run_until_ms(60);
    assert_eq!(
        lab.seen_by(B),
        [
            (10.0, Seen::Done(1)),
            (16.0, Seen::Note { from: A, number: 2 }),
            (30.0, Seen::Done(3)),
            (44.0, Seen::Done(4))
        ]
    );
    assert_eq!(lab.seen_by(C), [(9.0, Seen::Done(9))]);
}

#[test]
fn slowdowns_that_overlap_multiply_and_unwind_to_exactly_full_speed_in_any_order() {
    let factors = [1.1, 1.7, 2.3];
    for lift_order in [[0, 1, 2], [2, 1, 0], [1, 2, 0]] {
        let mut lab = three_probes();
        let faults = factors.map(|factor| {
            let nodes = lab.set(&[B]);
            let machine = lab.begin(FaultKind::SlowMachine { nodes: nodes.clone(), factor });
            (machine, lab.begin(FaultKind::SlowDisk { nodes, factor }))
        });
        assert_eq!(lab.world.body(B).slow_factor(), 1.1 * 1.7 * 2.3);
        assert_eq!(lab.world.body(B).disk_slow_factor(), 1.1 * 1.7 * 2.3);
        let mut left: Vec<usize> = vec![0, 1, 2];
        for lifted in lift_order {
            lab.lift(faults[lifted].0);
            lab.lift(faults[lifted].1);
            left.retain(|fault| *fault != lifted);
            let expected: f64 = left.iter().map(|fault| factors[*fault]).product();
            assert_eq!(lab.world.body(B).slow_factor(), expected);
            assert_eq!(lab.world.body(B).disk_slow_factor(), expected);
        }
        assert_eq!(lab.world.body(B).slow_factor(), 1.0);
    }
}

#[test]
fn a_slow_disk_takes_exactly_its_factor_longer_for_operations_that_begin_meanwhile() {
    let mut lab = three_probes();
    lab.tell(B, Say::Sync(1));
    let slow = lab.begin(FaultKind::SlowDisk { nodes: lab.set(&[B]), factor: 4.0 });
    lab.tell(B, Say::Read(2));
    lab.tell(B, Say::Sync(3));
    // Work is not slowed.
    lab.tell(B, Say::Work { duration: ms(2), number: 9 });
    lab.run_until_ms(10);
    assert_eq!(lab.lift(slow), touched(0, 2, 0));
    lab.tell(B, Say::Read(4));
    lab.run_until_ms(11);
    assert_eq!(
        lab.seen_by(B),
        [
            (0.5, Seen::Done(1)),
            (0.9, Seen::Done(2)),
            (2.0, Seen::Done(9)),
            (2.9, Seen::Done(3)),
            (10.1, Seen::Done(4))
        ]
    );
}

// ---------------------------------------------------------------------------
// Cuts

/// A cuts off B; C is left alone.
fn partition() -> FaultKind<Say> {
    FaultKind::Partition { group_of: vec![0, 1, GROUP_NONE].into() }
}

#[test]
fn across_a_partition_datagrams_die_and_connections_go_on_at_their_next_retransmission() {
    let mut lab = three_probes();
    lab.run_until_ms(5);
    let cut = lab.begin(partition());
    lab.run_until_ms(10);
    for (number, transport) in TRANSPORTS.into_iter().enumerate() {
        lab.send(A, B, note(transport, number as u32));
    }
    lab.run_until_ms(300);
    assert_eq!(lab.notes_to(B), []);
    assert_eq!(lab.world.active_faults()[0].touched, touched(3, 0, 0), "all wait or are lost so far");
    assert_eq!(lab.world.network().stops().count(), 3);
    // Retransmissions were due at 210 ms; the next are at 610 ms.
    assert_eq!(lab.lift(cut), touched(1, 2, 0));
    lab.run_until_ms(2_000);
    assert_eq!(lab.notes_to(B), [(611.0, 0), (611.0, 1)]);
    assert_eq!(lab.world.network().traffic().lost, 1);
}

#[test]
fn a_partition_stops_only_what_passes_between_its_groups() {
    // Two against two, and one that is in no group.
    let names = ["a", "b", "c", "d", "e"];
    let mut lab = Laboratory::new(names.map(|name| machine(name, 1, 100)).into());
    let group_of = [0, 0, 1, 1, GROUP_NONE];
    let cut = lab.begin(FaultKind::Partition { group_of: group_of.into() });
    for from in 0..5 {
        for to in 0..5 {
            lab.send(NodeId(from), NodeId(to), note(Transport::Datagram, u32::from(from)));
        }
    }
    lab.run_until_ms(2);
    for to in 0..5 {
        let mut heard: Vec<u32> = lab.notes_to(NodeId(to)).into_iter().map(|(_, number)| number).collect();
        heard.sort_unstable();
        let expected: &[u32] = match to {
            0 | 1 => &[0, 1, 4],
            2 | 3 => &[2, 3, 4],
            _ => &[0, 1, 2, 3, 4],
        };
        assert_eq!(heard, expected, "to node {to}");
    }
    assert_eq!(lab.lift(cut), touched(8, 0, 0));
}

#[test]
fn a_stream_keeps_its_order_through_a_cut_and_pooled_connections_do_not_wait_for_each_other() {
    let mut lab = three_probes();
    let cut = lab.begin(partition());
    for number in 0..3 {
        lab.run_until_ms(10 * u64::from(number));
        lab.send(A, B, note(Transport::Stream, number));
        lab.send(A, B, note(Transport::Pooled, 100 + number));
    }
    lab.run_until_ms(100);
    assert_eq!(lab.lift(cut), touched(0, 6, 0));
    lab.run_until_ms(110);
    lab.send(A, B, note(Transport::Stream, 3));
    lab.send(A, B, note(Transport::Pooled, 103));
    lab.run_until_ms(1_000);
    // The stream goes on when its oldest message is retransmitted, at 200 ms.
    assert_eq!(
        lab.notes_to(B),
        [
            (111.0, 103),
            (201.0, 0),
            (201.0, 100),
            (201.0, 1),
            (201.0, 2),
            (201.0, 3),
            (211.0, 101),
            (221.0, 102)
        ]
    );
}

#[test]
fn a_message_under_way_when_a_cut_begins_is_stopped_by_it_and_keeps_its_place() {
    let mut lab = three_probes();
    lab.send(A, B, note(Transport::Stream, 1));
    lab.send(A, B, note(Transport::Datagram, 2));
    lab.run_until(SimTime(400_000));
    let cut = lab.begin(partition());
    // Sent into the cut before the first one meets it.
    lab.send(A, B, note(Transport::Stream, 3));
    lab.run_until(SimTime(800_000));
    lab.send(A, B, note(Transport::Stream, 4));
    lab.run_until_ms(50);
    assert_eq!(lab.lift(cut), touched(1, 3, 0));
    lab.run_until_ms(1_000);
    assert_eq!(lab.notes_to(B), [(201.0, 1), (201.0, 3), (201.0, 4)]);
}

#[test]
fn a_message_that_a_cut_does_not_meet_passes() {
    // The cut is healed before the message would have arrived.
    let mut lab = three_probes();
    lab.send(A, B, note(Transport::Datagram, 1));
    lab.run_until(SimTime(200_000));
    let cut = lab.begin(partition());
    lab.run_until(SimTime(800_000));
    assert_eq!(lab.lift(cut), touched(0, 0, 0));
    lab.run_until_ms(2);
    assert_eq!(lab.notes_to(B), [(1.0, 1)]);
}

#[test]
fn a_stream_that_stalls_too_long_breaks_once_and_the_next_message_opens_another() {
    let mut lab = impatient_probes(1_000);
    let cut = lab.begin(partition());
    for number in 1..4 {
        lab.run_until_ms(10 * u64::from(number));
        lab.send(A, B, note(Transport::Stream, number));
    }
    lab.run_until_ms(40);
    lab.send(A, B, note(Transport::Pooled, 4));
    lab.run_until_ms(3_000);
    // One connection carried the three notes; the pooled one had its own.
    assert_eq!(lab.seen_by(A), [(1_010.0, Seen::Broken(B)), (1_040.0, Seen::Broken(B))]);
    assert_eq!(lab.world.network().traffic().lost, 4);
    assert_eq!(lab.lift(cut), touched(4, 0, 0));
    lab.send(A, B, note(Transport::Stream, 5));
    lab.run_until_ms(10_000);
    assert_eq!(lab.notes_to(B), [(3_001.0, 5)]);
    assert_eq!(lab.seen_by(A).len(), 2, "nothing breaks any more");
}

#[test]
fn a_one_way_cut_leaves_the_way_back_open() {
    let mut lab = three_probes();
    let cut = lab.begin(FaultKind::OneWayCut { from: lab.set(&[A]), to: lab.set(&[B, C]) });
    for (from, to) in [(A, B), (A, C), (B, A), (C, A), (B, C)] {
        lab.send(from, to, note(Transport::Datagram, u32::from(from.0)));
    }
    lab.run_until_ms(2);
    assert_eq!(lab.notes_to(A), [(1.0, 1), (1.0, 2)]);
    assert_eq!(lab.notes_to(B), []);
    assert_eq!(lab.notes_to(C), [(1.0, 1)]);
    assert_eq!(lab.lift(cut), touched(2, 0, 0));
}

#[test]
fn what_two_cuts_hold_goes_on_when_both_are_lifted() {
    let mut lab = three_probes();
    let first = lab.begin(partition());
    let second = lab.begin(FaultKind::OneWayCut { from: lab.set(&[A]), to: lab.set(&[B]) });
    lab.send(A, B, note(Transport::Stream, 1));
    lab.run_until_ms(50);
    lab.lift(first);
    lab.run_until_ms(300);
    assert_eq!(lab.notes_to(B), []);
    lab.lift(second);
    lab.run_until_ms(1_000);
    assert_eq!(lab.notes_to(B), [(601.0, 1)]);
}

#[test]
fn a_link_that_holds_too_many_messages_gives_its_connections_up() {
    let mut lab = three_probes();
    let cut = lab.begin(partition());
    let sent = STALLED_MESSAGES_MAX as u32 + 1;
    for number in 0..sent {
        lab.send(A, B, note(Transport::Stream, number));
    }
    lab.run_until_ms(1);
    assert_eq!(lab.seen_by(A), [(0.0, Seen::Broken(B))]);
    assert_eq!(lab.world.network().traffic().lost, u64::from(sent));
    assert_eq!(lab.lift(cut), touched(u64::from(sent), 0, 0));
    lab.send(A, B, note(Transport::Stream, sent));
    lab.run_until_ms(60_000);
    assert_eq!(lab.notes_to(B), [(2.0, sent)], "no part of the stream is delivered with a gap");
}

#[test]
fn connections_that_stall_are_lost_with_the_sender_that_crashes() {
    let mut lab = three_probes();
    let cut = lab.begin(partition());
    lab.send(A, B, note(Transport::Stream, 1));
    lab.send(A, B, note(Transport::Pooled, 2));
    lab.run_until_ms(10);
    let crash = lab.begin(FaultKind::Crash { nodes: lab.set(&[A]), disk_lost: false });
    lab.lift(crash);
    lab.run_until_ms(20);
    assert_eq!(lab.lift(cut), touched(2, 0, 0));
    lab.run_until_ms(60_000);
    assert_eq!(lab.notes_to(B), []);
    assert_eq!(lab.seen_by(A), [(10.0, Seen::Started(vec![]))], "a new process has no old connections");
}

// ---------------------------------------------------------------------------
// Loss, delay, duplication

/// A fault on the way from A to B.
fn from_a_to_b(lab: &Laboratory, kind: impl FnOnce(NodeSet, NodeSet) -> FaultKind<Say>) -> FaultKind<Say> {
    kind(lab.set(&[A]), lab.set(&[B]))
}

/// Sends `count` notes from A to B, one each millisecond, and lets them arrive.
fn send_in_turn(lab: &mut Laboratory, transport: Transport, count: u32) {
    for number in 0..count {
        lab.run_until_ms(u64::from(number));
        lab.send(A, B, note(transport, number));
    }
    lab.run_until_ms(u64::from(count) + 60_000);
}

/// How late each note came: later than the millisecond that it takes.
fn lateness_ms(lab: &Laboratory) -> Vec<f64> {
    lab.notes_to(B).into_iter().map(|(at, number)| at - f64::from(number) - 1.0).collect()
}

/// `count` of `trials` is within 4.5 binomial standard errors of its probability.
fn assert_share(count: usize, trials: u32, probability: f64) {
    let expected = f64::from(trials) * probability;
    let error = libm::sqrt(expected * (1.0 - probability));
    let off = (count as f64 - expected).abs();
    assert!(off <= 4.5 * error, "{count} of {trials}, not {expected} ± {error}; seed 1");
}

#[test]
fn a_lossy_link_loses_its_share_of_datagrams_and_counts_each() {
    let mut lab = three_probes();
    let loss = from_a_to_b(&lab, |from, to| FaultKind::Loss { from, to, probability: 0.3 });
    let loss = lab.begin(loss);
    send_in_turn(&mut lab, Transport::Datagram, 10_000);
    let arrived = lab.notes_to(B).len();
    assert_share(10_000 - arrived, 10_000, 0.3);
    assert!(lateness_ms(&lab).iter().all(|late| *late == 0.0));
    assert_eq!(lab.lift(loss), touched(10_000 - arrived as u64, 0, 0));
    assert_eq!(lab.world.network().traffic().lost, 10_000 - arrived as u64);
}

#[test]
fn on_a_lossy_link_pooled_messages_all_arrive_late_by_their_retransmissions() {
    let mut lab = three_probes();
    let loss = from_a_to_b(&lab, |from, to| FaultKind::Loss { from, to, probability: 0.1 });
    let loss = lab.begin(loss);
    send_in_turn(&mut lab, Transport::Pooled, 10_000);
    let late = lateness_ms(&lab);
    assert_eq!(late.len(), 10_000);
    // Lost once, twice, three times …: 200 ms, doubled each time.
    let lost_times = |times: i32| (libm::pow(2.0, times.into()) - 1.0) * 200.0;
    for times in 0..4 {
        let count = late.iter().filter(|late| **late == lost_times(times)).count();
        assert_share(count, 10_000, libm::pow(0.1, times.into()) * 0.9);
    }
    assert!(late.iter().all(|late| (0..10).any(|times| *late == lost_times(times))));
    let delayed = late.iter().filter(|late| **late > 0.0).count() as u64;
    assert_eq!(lab.lift(loss), touched(0, delayed, 0));
}

#[test]
fn on_a_lossy_link_a_stream_loses_nothing_and_keeps_its_order() {
    let mut lab = three_probes();
    let loss = from_a_to_b(&lab, |from, to| FaultKind::Loss { from, to, probability: 0.01 });
    let loss = lab.begin(loss);
    send_in_turn(&mut lab, Transport::Stream, 5_000);
    let numbers: Vec<u32> = lab.notes_to(B).into_iter().map(|(_, number)| number).collect();
    assert_eq!(numbers, (0..5_000).collect::<Vec<u32>>());
    let lifted = lab.lift(loss);
    assert_share(lifted.delayed as usize, 5_000, 0.01);
    assert_eq!(lifted.stopped, 0);
    // What was lost itself is late by retransmissions; what came behind it by
    // less; none by more than what was lost last before it.
    assert!(lateness_ms(&lab).iter().all(|late| *late <= 1_400.0));
}

#[test]
fn a_stream_whose_every_retransmission_is_lost_stalls_whole_and_goes_on_when_the_loss_is_lifted() {
    let mut lab = three_probes();
    let loss = from_a_to_b(&lab, |from, to| FaultKind::Loss { from, to, probability: 1.0 });
    let loss = lab.begin(loss);
    lab.send(A, B, note(Transport::Stream, 1));
    lab.run_until_ms(10);
    // Another fault, lifted meanwhile, does not set it free.
    let delay =
        from_a_to_b(&lab, |from, to| FaultKind::Delay { from, to, extra: Distribution::constant_ms(5.0) });
    let delay = lab.begin(delay);
    let cut = lab.begin(partition());
    lab.send(A, B, note(Transport::Stream, 2));
    lab.lift(delay);
    lab.lift(cut);
    lab.send(A, B, note(Transport::Stream, 3));
    lab.run_until_ms(1_000);
    assert_eq!(lab.notes_to(B), []);
    lab.lift(loss);
    lab.run_until_ms(5_000);
    assert_eq!(lab.notes_to(B), [(1_401.0, 1), (1_401.0, 2), (1_401.0, 3)]);
    assert_eq!(lab.seen_by(A), []);
}

#[test]
fn a_connection_whose_every_retransmission_is_lost_breaks_at_its_time_out_and_says_so() {
    for transport in [Transport::Stream, Transport::Pooled] {
        let mut lab = impatient_probes(1_000);
        let loss = from_a_to_b(&lab, |from, to| FaultKind::Loss { from, to, probability: 1.0 });
        let loss = lab.begin(loss);
        lab.send(A, B, note(transport, 1));
        lab.run_until_ms(2_000);
        assert_eq!(lab.seen_by(A), [(1_000.0, Seen::Broken(B))]);
        assert_eq!(lab.lift(loss), touched(1, 0, 0));
        lab.run_until_ms(10_000);
        assert_eq!(lab.notes_to(B), []);
    }
}

#[test]
fn a_network_that_loses_messages_without_any_fault_does_so_by_the_same_rules() {
    let lossy = NetworkSpec { loss: 0.3, ..millisecond() };
    let mut lab = Laboratory::on(lossy.clone(), three_machines());
    send_in_turn(&mut lab, Transport::Datagram, 10_000);
    let lost = 10_000 - lab.notes_to(B).len();
    assert_share(lost, 10_000, 0.3);
    assert_eq!(lab.world.network().traffic().lost, lost as u64);

    let mut lab = Laboratory::on(NetworkSpec { loss: 0.1, ..lossy.clone() }, three_machines());
    send_in_turn(&mut lab, Transport::Pooled, 10_000);
    let late = lateness_ms(&lab);
    assert_eq!(late.len(), 10_000);
    assert_share(late.iter().filter(|late| **late > 0.0).count(), 10_000, 0.1);

    let stream_timeout = SimDuration::from_ms(1_000);
    let mut lab = Laboratory::on(NetworkSpec { loss: 1.0, stream_timeout, ..lossy }, three_machines());
    lab.send(A, B, note(Transport::Stream, 1));
    lab.send(A, A, note(Transport::Datagram, 2));
    lab.run_until_ms(2_000);
    assert_eq!(lab.seen_by(A), [(0.0, Seen::Note { from: A, number: 2 }), (1_000.0, Seen::Broken(B))]);
}

#[test]
fn a_delay_makes_each_message_later_by_itself_and_not_by_those_before_it() {
    for transport in TRANSPORTS {
        let mut lab = three_probes();
        let delay = from_a_to_b(&lab, |from, to| FaultKind::Delay {
            from,
            to,
            extra: Distribution::constant_ms(75.0),
        });
        let delay = lab.begin(delay);
        send_in_turn(&mut lab, transport, 100);
        assert_eq!(lateness_ms(&lab), [75.0; 100], "{transport:?}");
        assert_eq!(lab.lift(delay), touched(0, 100, 0));
        lab.send(A, B, note(transport, 100));
        lab.send(B, A, note(transport, 100));
        let sent = lab.world.now().as_ms_f64();
        lab.run_until(lab.world.now() + ms(100));
        assert_eq!(lab.notes_to(B).last(), Some(&(sent + 1.0, 100)));
    }
}

#[test]
fn random_delays_reorder_pooled_messages_and_datagrams_but_never_a_stream() {
    for transport in TRANSPORTS {
        let mut lab = three_probes();
        let extra = exponential(0.1);
        let delay = from_a_to_b(&lab, |from, to| FaultKind::Delay { from, to, extra });
        lab.begin(delay);
        send_in_turn(&mut lab, transport, 1_000);
        let numbers: Vec<u32> = lab.notes_to(B).into_iter().map(|(_, number)| number).collect();
        assert_eq!(numbers.len(), 1_000);
        assert_eq!(numbers.is_sorted(), transport == Transport::Stream, "{transport:?}");
    }
}

#[test]
fn duplication_delivers_datagrams_twice_and_connections_once_and_counts_both() {
    for transport in TRANSPORTS {
        let mut lab = three_probes();
        let duplication = from_a_to_b(&lab, |from, to| FaultKind::Duplication { from, to, probability: 1.0 });
        let duplication = lab.begin(duplication);
        send_in_turn(&mut lab, transport, 100);
        let mut arrivals = [0_u32; 100];
        for (at, number) in lab.notes_to(B) {
            arrivals[number as usize] += 1;
            let late = at - f64::from(number) - 1.0;
            assert!((0.0..1.0).contains(&late), "a copy comes within a millisecond");
        }
        let expected = if transport == Transport::Datagram { 2 } else { 1 };
        assert_eq!(arrivals, [expected; 100], "{transport:?}");
        assert_eq!(lab.lift(duplication), touched(0, 0, 100));
    }
    let mut lab = three_probes();
    let duplication = from_a_to_b(&lab, |from, to| FaultKind::Duplication { from, to, probability: 0.2 });
    let duplication = lab.begin(duplication);
    send_in_turn(&mut lab, Transport::Datagram, 10_000);
    let copies = lab.notes_to(B).len() - 10_000;
    assert_share(copies, 10_000, 0.2);
    assert_eq!(lab.lift(duplication), touched(0, 0, copies as u64));
}

#[test]
fn faults_on_links_do_not_touch_what_a_node_sends_to_itself() {
    let mut lab = three_probes();
    let (from, to) = (lab.set(&[A, B, C]), lab.set(&[A, B, C]));
    let extra = Distribution::constant_ms(50.0);
    let faults = [
        lab.begin(partition()),
        lab.begin(FaultKind::OneWayCut { from: from.clone(), to: to.clone() }),
        lab.begin(FaultKind::Loss { from: from.clone(), to: to.clone(), probability: 1.0 }),
        lab.begin(FaultKind::Delay { from: from.clone(), to: to.clone(), extra }),
        lab.begin(FaultKind::Duplication { from, to, probability: 1.0 }),
    ];
    for (number, transport) in TRANSPORTS.into_iter().enumerate() {
        lab.send(A, A, note(transport, number as u32));
    }
    lab.run_until_ms(10);
    assert_eq!(lab.notes_to(A), [(0.0, 0), (0.0, 1), (0.0, 2)]);
    for fault in faults {
        assert_eq!(lab.lift(fault), touched(0, 0, 0));
    }
}

// ---------------------------------------------------------------------------
// Clocks and control

#[test]
fn clock_skew_moves_the_wall_clock_only_and_skews_add_up() {
    let mut machines = three_machines();
    machines[1].clock_offset_ns = 5_000_000;
    let mut lab = Laboratory::new(machines);
    let offset_ms = |lab: &mut Laboratory| {
        lab.tell(B, Say::ReportClocks);
        let Some((_, Seen::Clocks { wall_ns, monotonic })) = lab.seen_by(B).pop() else {
            panic!("it reports its clocks");
        };
        assert_eq!(monotonic, lab.world.now(), "the monotonic clock is not skewed");
        (wall_ns as i64 - LOCAL_EPOCH_NS - lab.world.now().0 as i64) / 1_000_000
    };
    assert_eq!(offset_ms(&mut lab), 5);
    lab.run_until_ms(100);
    let skew = |lab: &mut Laboratory, offset_ns| {
        let nodes = lab.set(&[B]);
        lab.begin(FaultKind::ClockSkew { nodes, offset_ns })
    };
    let ahead = skew(&mut lab, 1_000_000_000);
    lab.tell(B, Say::Timer { after: ms(10), number: 1 });
    assert_eq!(offset_ms(&mut lab), 1_005);
    let behind = skew(&mut lab, -300_000_000);
    assert_eq!(offset_ms(&mut lab), 705);
    lab.run_until_ms(200);
    assert_eq!(lab.lift(ahead), touched(0, 0, 0));
    assert_eq!(offset_ms(&mut lab), -295);
    lab.lift(behind);
    assert_eq!(offset_ms(&mut lab), 5);
    assert!(lab.seen_by(B).contains(&(110.0, Seen::Timer(1))), "timers run on the monotonic clock");

    // However wrong, a wall clock stays a number.
    for offset_ns in [i64::MIN, i64::MAX] {
        let faults = [skew(&mut lab, offset_ns), skew(&mut lab, offset_ns)];
        lab.tell(B, Say::ReportClocks);
        for fault in faults {
            lab.lift(fault);
        }
    }
}

#[test]
fn a_process_that_starts_while_it_should_have_been_told_something_is_told_then() {
    let mut lab = three_probes();
    let nodes = lab.set(&[B, C]);
    let told = lab.begin(FaultKind::Control { nodes, begin: Say::Mark(true), lift: Say::Mark(false) });
    lab.run_until_ms(1);
    let crash = lab.begin(FaultKind::Crash { nodes: lab.set(&[B, C]), disk_lost: false });
    lab.run_until_ms(2);
    lab.lift(crash);
    lab.run_until_ms(3);
    let crash = lab.begin(FaultKind::Crash { nodes: lab.set(&[C]), disk_lost: false });
    lab.run_until_ms(4);
    assert_eq!(lab.lift(told), touched(0, 0, 0));
    lab.lift(crash);
    lab.run_until_ms(10);
    let before = [(0.0, Seen::Marked(true)), (2.0, Seen::Started(vec![])), (2.0, Seen::Marked(true))];
    let mut expected = before.to_vec();
    expected.push((4.0, Seen::Marked(false)));
    assert_eq!(lab.seen_by(B), expected);
    // It was down when the fault was lifted: nothing to take back.
    let mut expected = before.to_vec();
    expected.push((4.0, Seen::Started(vec![])));
    assert_eq!(lab.seen_by(C), expected);
}

// ---------------------------------------------------------------------------
// Counting nothing, and leaving others alone

/// One of each kind of fault on A, on B, or on the way from A to B.
fn one_of_each(lab: &Laboratory) -> Vec<(&'static str, FaultKind<Say>)> {
    let (a, b) = (|| lab.set(&[A]), || lab.set(&[B]));
    vec![
        ("crash", FaultKind::Crash { nodes: b(), disk_lost: true }),
        ("pause", FaultKind::Pause { nodes: b() }),
        ("slow machine", FaultKind::SlowMachine { nodes: b(), factor: 3.0 }),
        ("slow disk", FaultKind::SlowDisk { nodes: b(), factor: 3.0 }),
        ("partition", partition()),
        ("one-way cut", FaultKind::OneWayCut { from: a(), to: b() }),
        ("loss", FaultKind::Loss { from: a(), to: b(), probability: 0.5 }),
        ("delay", FaultKind::Delay { from: a(), to: b(), extra: exponential(0.5) }),
        ("duplication", FaultKind::Duplication { from: a(), to: b(), probability: 0.5 }),
        ("clock skew", FaultKind::ClockSkew { nodes: a(), offset_ns: 1_000_000 }),
        ("control", FaultKind::Control { nodes: b(), begin: Say::Nothing, lift: Say::Nothing }),
    ]
}

#[test]
fn a_fault_that_touched_nothing_says_so_and_is_gone_once_lifted() {
    for (name, kind) in one_of_each(&three_probes()) {
        let mut lab = three_probes();
        let fault = lab.begin(kind);
        // Traffic on another link does not concern it.
        lab.send(A, C, note(Transport::Datagram, 1));
        lab.run_until_ms(1_000);
        let lifted = lab.lift(fault);
        assert_eq!(lifted, touched(0, 0, 0), "{name}");
        assert_eq!(lifted.total(), 0);
        assert_eq!(lab.world.lift_fault(fault, &mut |_, _, _| {}), None, "{name} is lifted once");
        assert!(lab.world.active_faults().is_empty());
    }
}

/// Sends datagrams from A to B and C by turns over links with random delays, and
/// returns when those to C arrived, and what A drew.
fn arrivals_at_c(machines: Vec<NodeSpec>, fault: Option<FaultKind<Say>>) -> (Vec<(f64, u32)>, Vec<Seen>) {
    let mut lab = Laboratory::seeded(7, network(exponential(1.0)), machines);
    let [a, b, c] = ["a", "b", "c"].map(|name| lab.world.find(name).expect("it is there"));
    if let Some(fault) = fault {
        lab.begin(fault);
    }
    for number in 0..500 {
        lab.run_until_ms(u64::from(number));
        lab.send(a, b, note(Transport::Datagram, number));
        lab.send(a, c, note(Transport::Datagram, number));
        lab.tell(a, Say::Draw);
    }
    lab.run_until_ms(10_000);
    let drawn = lab.seen_by(a).into_iter().map(|(_, seen)| seen).collect();
    (lab.notes_to(c), drawn)
}

#[test]
fn no_fault_shifts_what_another_link_or_node_draws() {
    let undisturbed = arrivals_at_c(three_machines(), None);
    assert_eq!(undisturbed.0.len(), 500);
    for (name, fault) in one_of_each(&three_probes()) {
        assert_eq!(
            arrivals_at_c(three_machines(), Some(fault)),
            undisturbed,
            "{name} on another link; seed 7"
        );
    }
}

#[test]
fn no_added_or_reordered_node_shifts_what_the_others_draw() {
    let undisturbed = arrivals_at_c(three_machines(), None);
    let mut more = three_machines();
    more.insert(1, machine("new", 1, 100));
    assert_eq!(arrivals_at_c(more, None), undisturbed, "with another node; seed 7");
    let mut reversed = three_machines();
    reversed.reverse();
    assert_eq!(arrivals_at_c(reversed, None), undisturbed, "in another order; seed 7");
}

#[test]
fn messages_that_a_lossy_or_doubling_link_lets_through_travel_as_long_as_they_would_have() {
    let undisturbed = arrivals_at_c(three_machines(), None).0;
    let lab = three_probes();
    let (a, c) = (lab.set(&[A]), lab.set(&[C]));
    let loss = FaultKind::Loss { from: a.clone(), to: c.clone(), probability: 0.5 };
    let let_through = arrivals_at_c(three_machines(), Some(loss)).0;
    assert_share(let_through.len(), 500, 0.5);
    assert!(let_through.iter().all(|arrival| undisturbed.contains(arrival)));

    let duplication = FaultKind::Duplication { from: a, to: c, probability: 0.5 };
    let doubled = arrivals_at_c(three_machines(), Some(duplication)).0;
    assert!(undisturbed.iter().all(|arrival| doubled.contains(arrival)));
}
