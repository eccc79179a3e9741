//! Two files on one disk, reads beside each other, and the bounds of what waits.
//!
//! A read takes 0.1 ms and an fsync 0.5 ms, so that all times here are exact.

use crate::probe::{Laboratory, Say, Seen};
use crate::small_world::machine;
use faultline::engine::disk::{READS_WAITING_MAX, SYNC_WAITERS_MAX, UNSYNCED_RECORDS_MAX};
use faultline::engine::{DiskSpeed, FaultKind, File, NodeId, NodeSpec, SimDuration, SimTime};

const A: NodeId = NodeId(0);

fn probe(channels: u16) -> Laboratory {
    let disk = DiskSpeed { channels, ..DiskSpeed::default() };
    Laboratory::new(vec![NodeSpec { disk, ..machine("a", 1, 100) }])
}

/// Crashes A at the time and says what its disk kept.
fn kept_after_a_crash(lab: &Laboratory, at_ns: u64) -> Vec<u32> {
    let mut fork = probe(1);
    fork.world = lab.world.clone();
    fork.run_until(SimTime(at_ns));
    let crash = fork.begin(FaultKind::Crash { nodes: fork.set(&[A]), disk_lost: false });
    assert_eq!(fork.world.body(A).disk().backlog(), 0, "what was not synced is gone");
    fork.lift(crash);
    fork.run_until_ms(10);
    match fork.seen_by(A).pop() {
        Some((_, Seen::Started(kept))) => kept,
        other => panic!("it has started again, not {other:?}"),
    }
}

#[test]
fn an_fsync_makes_the_records_of_its_own_file_durable_and_no_others() {
    let mut lab = probe(1);
    for say in [
        Say::AppendTo(File::First, 1),
        Say::AppendTo(File::Second, 2),
        Say::AppendTo(File::First, 3),
        Say::SyncFile(File::Second, 10),
    ] {
        lab.tell(A, say);
    }
    assert_eq!(lab.world.body(A).disk().backlog(), 3);
    lab.run_until_ms(1);
    assert_eq!(lab.world.body(A).disk().backlog(), 2);
    assert_eq!(lab.seen_by(A), [(0.5, Seen::Done(10))]);
    assert_eq!(kept_after_a_crash(&lab, 1_000_000), [2]);
    lab.tell(A, Say::SyncFileBackground(File::First));
    assert_eq!(kept_after_a_crash(&lab, 1_400_000), [2]);
    assert_eq!(kept_after_a_crash(&lab, 1_500_000), [2, 1, 3]);
    lab.run_until_ms(2);
    assert_eq!(lab.world.body(A).disk().sync_count(), 2);
}

#[test]
fn a_transfer_occupies_the_disk_for_as_long_as_it_takes_and_longer_on_a_slow_one() {
    let mut lab = probe(1);
    let transfer = |number| Say::Transfer { duration: SimDuration::from_ms(2), number };
    for say in [transfer(1), Say::Read(2), transfer(3), Say::Sync(4)] {
        lab.tell(A, say);
    }
    lab.run_until_ms(10);
    let seen = |number| Seen::Done(number);
    assert_eq!(lab.seen_by(A), [(2.0, seen(1)), (2.1, seen(2)), (4.1, seen(3)), (4.6, seen(4))]);
    lab.begin(FaultKind::SlowDisk { nodes: lab.set(&[A]), factor: 3.0 });
    lab.tell(A, transfer(5));
    lab.run_until_ms(20);
    assert_eq!(lab.seen_by(A).pop(), Some((16.0, seen(5))));
}

#[test]
fn what_names_no_file_acts_on_the_first() {
    let mut lab = probe(1);
    for say in [Say::Append(1), Say::AppendTo(File::Second, 2), Say::Sync(10)] {
        lab.tell(A, say);
    }
    assert_eq!(kept_after_a_crash(&lab, 500_000), [1]);
    lab.tell(A, Say::SyncFile(File::First, 11));
    lab.run_until_ms(2);
    assert_eq!(lab.seen_by(A), [(0.5, Seen::Done(10)), (1.0, Seen::Done(11))]);
}

#[test]
fn those_who_wait_for_one_file_share_its_fsync_and_the_device_syncs_one_file_at_a_time() {
    for channels in [1, 4] {
        let mut lab = probe(channels);
        // The first begins at once; then one for each file, however many wait.
        for say in [
            Say::AppendTo(File::First, 1),
            Say::SyncFile(File::First, 10),
            Say::AppendTo(File::Second, 2),
            Say::SyncFile(File::Second, 20),
            Say::AppendTo(File::First, 3),
            Say::SyncFile(File::First, 11),
            Say::SyncFile(File::Second, 21),
            Say::SyncFile(File::First, 12),
        ] {
            lab.tell(A, say);
        }
        for (at_ns, kept) in
            [(499_999, &[][..]), (999_999, &[1]), (1_000_000, &[1, 2]), (1_500_000, &[1, 2, 3])]
        {
            assert_eq!(kept_after_a_crash(&lab, at_ns), kept, "at {at_ns} ns, {channels} channels");
        }
        lab.run_until_ms(10);
        assert_eq!(
            lab.seen_by(A),
            [
                (0.5, Seen::Done(10)),
                (1.0, Seen::Done(20)),
                (1.0, Seen::Done(21)),
                (1.5, Seen::Done(11)),
                (1.5, Seen::Done(12))
            ],
            "{channels} channels"
        );
        assert_eq!(lab.world.body(A).disk().sync_count(), 3);
    }
}

/// An fsync, five reads, another fsync and a read, asked for at once.
fn reads_among_fsyncs(channels: u16) -> Vec<(f64, Seen)> {
    let mut lab = probe(channels);
    lab.tell(A, Say::Sync(0));
    for number in 1..=5 {
        lab.tell(A, Say::Read(number));
    }
    lab.tell(A, Say::Sync(6));
    lab.tell(A, Say::Read(7));
    lab.run_until_ms(10);
    lab.seen_by(A)
}

#[test]
fn a_disk_with_one_channel_does_one_thing_at_a_time_in_the_order_in_which_it_was_asked() {
    let done = [(0.5, 0), (0.6, 1), (0.7, 2), (0.8, 3), (0.9, 4), (1.0, 5), (1.5, 6), (1.6, 7)];
    assert_eq!(reads_among_fsyncs(1), done.map(|(at, number)| (at, Seen::Done(number))));
}

#[test]
fn channels_serve_reads_side_by_side_and_an_fsync_on_one_of_them() {
    // One channel syncs, two read; the second fsync lets the last read pass and waits.
    let done = [(0.1, 1), (0.1, 2), (0.2, 3), (0.2, 4), (0.3, 5), (0.3, 7), (0.5, 0), (1.0, 6)];
    assert_eq!(reads_among_fsyncs(3), done.map(|(at, number)| (at, Seen::Done(number))));
    // More channels than requests: all reads at once.
    let done = [(0.1, 1), (0.1, 2), (0.1, 3), (0.1, 4), (0.1, 5), (0.1, 7), (0.5, 0), (1.0, 6)];
    assert_eq!(reads_among_fsyncs(64), done.map(|(at, number)| (at, Seen::Done(number))));
}

#[test]
fn a_crash_frees_all_channels_and_what_ran_on_them_never_ends() {
    let mut lab = probe(2);
    for say in [Say::Sync(1), Say::Read(2), Say::Read(3)] {
        lab.tell(A, say);
    }
    lab.run_until(SimTime(50_000));
    let crash = lab.begin(FaultKind::Crash { nodes: lab.set(&[A]), disk_lost: false });
    lab.lift(crash);
    lab.run_until(SimTime(60_000));
    for say in [Say::Sync(4), Say::Read(5), Say::Read(6)] {
        lab.tell(A, say);
    }
    lab.run_until_ms(10);
    let done = [(0.16, Seen::Done(5)), (0.26, Seen::Done(6)), (0.56, Seen::Done(4))];
    assert_eq!(lab.seen_by(A)[1..], done);
}

#[test]
fn a_disk_refuses_reads_when_too_many_wait_and_takes_them_again_later() {
    let mut lab = probe(1);
    let all = READS_WAITING_MAX as u32 + 2;
    // One runs, as many as there is room for wait, one is refused. Fsyncs are taken.
    for number in 0..all {
        lab.tell(A, Say::Read(number));
    }
    assert_eq!(lab.seen_by(A), [(0.0, Seen::Refused(all - 1))]);
    lab.tell(A, Say::Sync(all));
    lab.run_until(SimTime(100_000));
    lab.tell(A, Say::Read(all + 1));
    lab.run_until_ms(1_000);
    let seen = lab.seen_by(A);
    assert_eq!(seen.len(), all as usize + 2);
    assert_eq!(seen[seen.len() - 2].1, Seen::Done(all));
    assert_eq!(seen[seen.len() - 1].1, Seen::Done(all + 1));

    // Those that waited in a crash take no room.
    for number in 0..all {
        lab.tell(A, Say::Read(number));
    }
    let crash = lab.begin(FaultKind::Crash { nodes: lab.set(&[A]), disk_lost: false });
    lab.lift(crash);
    lab.run_until_ms(1_001);
    lab.tell(A, Say::Read(9));
    lab.run_until_ms(1_002);
    assert_eq!(lab.seen_by(A).last(), Some(&(1_001.1, Seen::Done(9))));
}

#[test]
#[should_panic(expected = "disk: more than 1048576 wait for one fsync")]
fn more_waiters_for_an_fsync_than_may_wait_are_a_broken_invariant() {
    let mut lab = probe(1);
    // One that runs, and one for the other file, do not count.
    lab.tell(A, Say::Sync(0));
    lab.tell(A, Say::SyncFile(File::Second, 0));
    for _ in 0..SYNC_WAITERS_MAX {
        lab.tell(A, Say::Sync(1));
    }
    lab.tell(A, Say::SyncFile(File::Second, 2));
    lab.tell(A, Say::Sync(3));
}

#[test]
#[should_panic(expected = "disk: more than 1048576 unsynced records in a file")]
fn more_unsynced_records_than_a_file_may_have_are_a_broken_invariant() {
    let mut lab = probe(1);
    for number in 0..UNSYNCED_RECORDS_MAX as u32 {
        lab.tell(A, Say::Append(number));
    }
    lab.tell(A, Say::AppendTo(File::Second, 0));
    assert_eq!(lab.world.body(A).disk().backlog(), UNSYNCED_RECORDS_MAX + 1);
    lab.tell(A, Say::Append(0));
}

#[test]
fn a_throttled_volume_begins_its_requests_apart_whatever_its_channels() {
    let spacing = SimDuration::from_ms(1);
    let disk = DiskSpeed { channels: 3, spacing, ..DiskSpeed::default() };
    let mut lab = Laboratory::new(vec![NodeSpec { disk, ..machine("a", 1, 100) }]);
    for number in 1..=4 {
        lab.tell(A, Say::Read(number));
    }
    lab.run_until_ms(10);
    let seen = |number| Seen::Done(number);
    assert_eq!(lab.seen_by(A), [(0.1, seen(1)), (1.1, seen(2)), (2.1, seen(3)), (3.1, seen(4))]);
    // What comes late enough does not wait.
    lab.tell(A, Say::Read(5));
    lab.run_until_ms(20);
    assert_eq!(lab.seen_by(A).pop(), Some((10.1, seen(5))));
    let disk = lab.world.body(A).disk();
    assert_eq!((disk.request_count(), disk.read_time()), (5, SimDuration(500_000)), "waiting is no reading");
}
