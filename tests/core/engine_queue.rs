//! The engine's containers against models that are too simple to be wrong.

use faultline::engine::paged::PAGE_ENTRIES;
use faultline::engine::pending::DEADLINES_UNSWEPT_MIN;
use faultline::engine::queue::{PENDING_BEFORE_MESSAGE_MAX, PENDING_EVENTS_MAX};
use faultline::engine::{EventQueue, PagedLog, PagedVec, PendingTable, SimDuration, SimTime, Ticket};
use proptest::prelude::*;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

// ---------------------------------------------------------------------------
// EventQueue

#[derive(Clone, Debug)]
enum QueueStep {
    /// Pushes at this distance after the time of the last pop; few distinct
    /// values, so that there are many ties.
    Push(u64),
    Pop,
}

fn queue_steps() -> impl Strategy<Value = Vec<QueueStep>> {
    let step = prop_oneof![
        5 => (0_u64..8).prop_map(QueueStep::Push),
        1 => any::<u32>().prop_map(|far| QueueStep::Push(u64::from(far) << 20)),
        5 => Just(QueueStep::Pop),
    ];
    prop::collection::vec(step, 1..400)
}

proptest! {
    #[test]
    fn events_come_out_by_time_and_within_a_nanosecond_in_the_order_they_came_in(steps in queue_steps()) {
        let mut queue: EventQueue<usize> = EventQueue::default();
        // By time, then by insertion.
        let mut model: BTreeMap<(SimTime, usize), usize> = BTreeMap::new();
        let mut now = SimTime::ZERO;
        for (number, step) in steps.into_iter().enumerate() {
            match step {
                QueueStep::Push(distance) => {
                    let at = now + SimDuration(distance);
                    queue.push(at, number);
                    model.insert((at, number), number);
                }
                QueueStep::Pop => {
                    let expected = model.pop_first().map(|((at, _), event)| (at, event));
                    prop_assert_eq!(queue.pop(), expected);
                    now = expected.map_or(now, |(at, _)| at);
                }
            }
            prop_assert_eq!(queue.len(), model.len());
            prop_assert_eq!(queue.is_empty(), model.is_empty());
            prop_assert_eq!(queue.next_time(), model.keys().next().map(|(at, _)| *at));
        }
        let mut pending: Vec<(SimTime, usize)> = queue.iter().map(|(at, event)| (at, *event)).collect();
        pending.sort_unstable();
        let expected: Vec<(SimTime, usize)> = model.into_iter().map(|((at, _), event)| (at, event)).collect();
        prop_assert_eq!(&pending, &expected);

        // A clone goes on as the original does.
        let mut clone = queue.clone();
        clone.push(now, usize::MAX);
        let drained: Vec<(SimTime, usize)> = std::iter::from_fn(|| queue.pop()).collect();
        prop_assert_eq!(drained, expected);
        prop_assert_eq!(clone.len(), pending.len() + 1);
    }
}

#[test]
fn slots_are_reused_so_that_a_long_run_never_runs_out_of_them() {
    // A slot has 22 bits in the key. Were they not reused, the first that does
    // not fit would have come before the end of this.
    let events = PENDING_EVENTS_MAX as u64 + 100_000;
    let mut queue: EventQueue<u64> = EventQueue::default();
    for event in 0..10 {
        queue.push(SimTime(event), event);
    }
    for event in 10..events {
        let (at, popped) = queue.pop().expect("ten events are pending");
        assert_eq!((at, popped), (SimTime(event - 10), event - 10));
        queue.push(SimTime(event), event);
    }
}

#[test]
fn messages_are_refused_before_timers_and_completions_find_no_room() {
    let mut queue: EventQueue<()> = EventQueue::default();
    for at in 0..PENDING_BEFORE_MESSAGE_MAX {
        assert!(queue.has_room());
        queue.push(SimTime(at as u64), ());
    }
    assert!(!queue.has_room());
    queue.push(SimTime::ZERO, ());
    queue.pop();
    queue.pop();
    assert!(queue.has_room());
}

#[test]
#[should_panic(expected = "events pending")]
fn more_events_than_the_bound_are_a_broken_invariant() {
    let mut queue: EventQueue<()> = EventQueue::default();
    for _ in 0..=PENDING_EVENTS_MAX {
        queue.push(SimTime::ZERO, ());
    }
}

// ---------------------------------------------------------------------------
// PagedVec and PagedLog

#[derive(Clone, Debug)]
enum PagedStep {
    Push(u16),
    Set(usize, u16),
    /// Clones the copy in use and goes on with the clone.
    Clone,
    /// Goes on with another copy.
    Switch(usize),
    /// Takes a page of another copy over, if it fits.
    TakePage(usize, usize),
}

fn paged_steps() -> impl Strategy<Value = Vec<PagedStep>> {
    let step = prop_oneof![
        8 => any::<u16>().prop_map(PagedStep::Push),
        8 => (any::<usize>(), any::<u16>()).prop_map(|(at, value)| PagedStep::Set(at, value)),
        1 => Just(PagedStep::Clone),
        2 => any::<usize>().prop_map(PagedStep::Switch),
        1 => (any::<usize>(), any::<usize>()).prop_map(|(copy, page)| PagedStep::TakePage(copy, page)),
    ];
    prop::collection::vec(step, 1..120)
}

proptest! {
    #[test]
    fn a_paged_vector_and_its_clones_behave_like_plain_vectors(
        filled in 0_usize..3 * PAGE_ENTRIES,
        steps in paged_steps(),
    ) {
        let mut copies = vec![(PagedVec::filled(7_u16, filled), vec![7_u16; filled])];
        let mut current = 0;
        for step in steps {
            match step {
                PagedStep::Push(value) => {
                    copies[current].0.push(value);
                    copies[current].1.push(value);
                }
                PagedStep::Set(at, value) => {
                    // Sometimes one beyond the end.
                    let at = at % (copies[current].1.len() + 1);
                    let (paged, plain) = &mut copies[current];
                    let (left, right) = (paged.get_mut(at), plain.get_mut(at));
                    prop_assert_eq!(left.is_some(), right.is_some());
                    if let (Some(left), Some(right)) = (left, right) {
                        (*left, *right) = (value, value);
                    }
                }
                PagedStep::Clone => {
                    copies.push(copies[current].clone());
                    current = copies.len() - 1;
                }
                PagedStep::Switch(copy) => current = copy % copies.len(),
                PagedStep::TakePage(copy, page) => {
                    let copy = copy % copies.len();
                    let page = page % (copies[copy].0.page_count() + 1);
                    let Some(content) = copies[copy].0.page(page) else {
                        continue;
                    };
                    let start = page * PAGE_ENTRIES;
                    let here = copies[current].1.len().saturating_sub(start).min(PAGE_ENTRIES);
                    let fits = here == content.len();
                    prop_assert_eq!(copies[current].0.replace_page(page, Rc::clone(&content)), fits);
                    if fits {
                        copies[current].1[start..start + here].copy_from_slice(&content);
                    }
                }
            }
        }
        for (paged, plain) in &copies {
            prop_assert_eq!(paged.len(), plain.len());
            prop_assert_eq!(paged.is_empty(), plain.is_empty());
            prop_assert_eq!(paged.page_count(), plain.len().div_ceil(PAGE_ENTRIES));
            prop_assert!(paged.iter().eq(plain.iter()));
            prop_assert!(paged.iter().rev().eq(plain.iter().rev()));
            for at in 0..=plain.len() {
                prop_assert_eq!(paged.get(at), plain.get(at));
            }
        }
    }
}

#[test]
fn clones_of_a_paged_vector_share_every_page_that_neither_has_written() {
    let original = PagedVec::filled(0_u8, 4 * PAGE_ENTRIES);
    let mut clone = original.clone();
    *clone.get_mut(PAGE_ENTRIES + 1).expect("it is that long") = 1;
    let shared = |page| match (original.page(page), clone.page(page)) {
        (Some(left), Some(right)) => Rc::ptr_eq(&left, &right),
        _ => false,
    };
    assert_eq!([0, 1, 2, 3].map(shared), [true, false, true, true]);
}

proptest! {
    #[test]
    fn a_paged_log_numbers_its_entries_and_keeps_at_least_the_latest(
        first in 0_u64..1_000,
        kept_min in 1_usize..3 * PAGE_ENTRIES,
        count in 0_usize..6 * PAGE_ENTRIES,
    ) {
        let mut log = PagedLog::starting_at(first, kept_min);
        for entry in 0..count as u64 {
            prop_assert_eq!(log.next(), first + entry);
            log.push(first + entry);
        }
        let next = first + count as u64;
        prop_assert_eq!(log.next(), next);
        let kept = (next - log.first()) as usize;
        prop_assert!(kept >= kept_min.min(count), "{kept} of {count} are kept");
        prop_assert!(kept <= kept_min + 2 * PAGE_ENTRIES, "{kept} are kept, {kept_min} were asked for");
        for number in log.first()..next {
            prop_assert_eq!(log.get(number), Some(&number));
        }
        prop_assert_eq!(log.get(next), None);
        if log.first() > 0 {
            prop_assert_eq!(log.get(log.first() - 1), None);
        }
    }
}

// ---------------------------------------------------------------------------
// PendingTable

#[derive(Clone, Debug)]
enum PendingStep {
    Insert,
    /// Answers one of all tickets that were ever given out: late ones too.
    Answer(usize),
    Advance(u64),
}

fn pending_steps() -> impl Strategy<Value = Vec<PendingStep>> {
    let step = prop_oneof![
        6 => Just(PendingStep::Insert),
        5 => any::<usize>().prop_map(PendingStep::Answer),
        3 => (0_u64..60).prop_map(PendingStep::Advance),
    ];
    prop::collection::vec(step, 1..400)
}

/// A table, the timer of the process that owns it, and what the table should hold.
struct Waiting {
    table: PendingTable<usize>,
    timer: Option<SimTime>,
    now: SimTime,
    /// Every ticket that was given out; its entry's number is its place.
    tickets: Vec<Ticket>,
    /// Numbers and deadlines of live entries, in the order in which they came.
    live: VecDeque<(usize, SimTime)>,
}

impl Waiting {
    fn arm(&mut self) -> Result<(), TestCaseError> {
        let armed = self.table.arm();
        if let Some(due) = armed {
            prop_assert_eq!(self.timer, None, "one timer at a time");
            self.timer = Some(due);
        }
        Ok(())
    }

    /// Lets time pass, and the timer fire whenever it is due.
    fn advance(&mut self, to: SimTime) -> Result<(), TestCaseError> {
        while let Some(due) = self.timer.filter(|due| *due <= to) {
            self.timer = None;
            self.now = due;
            self.table.timer_fired();
            while let Some(expired) = self.table.pop_expired(due) {
                let (number, deadline) = self.live.pop_front().expect("only live entries expire");
                prop_assert_eq!(expired, number, "in the order in which they came");
                prop_assert_eq!(deadline, due, "neither early nor late");
            }
            self.arm()?;
        }
        self.now = to;
        Ok(())
    }
}

proptest! {
    #[test]
    fn every_entry_is_answered_or_expires_on_time_once_with_one_timer(
        steps in pending_steps(),
        limit in 1_usize..40,
    ) {
        let timeout = SimDuration(100);
        let mut waiting = Waiting {
            table: PendingTable::new(timeout, limit),
            timer: None,
            now: SimTime::ZERO,
            tickets: Vec::new(),
            live: VecDeque::new(),
        };
        for step in steps {
            match step {
                PendingStep::Insert => {
                    let number = waiting.tickets.len();
                    prop_assert_eq!(waiting.table.is_full(), waiting.live.len() == limit);
                    match waiting.table.insert(waiting.now, number) {
                        Ok(ticket) => {
                            waiting.tickets.push(ticket);
                            waiting.live.push_back((number, waiting.now + timeout));
                        }
                        Err(returned) => {
                            prop_assert_eq!(returned, number);
                            prop_assert_eq!(waiting.live.len(), limit);
                        }
                    }
                    waiting.arm()?;
                }
                PendingStep::Answer(which) if !waiting.tickets.is_empty() => {
                    let which = which % waiting.tickets.len();
                    let place = waiting.live.iter().position(|(number, _)| *number == which);
                    let ticket = waiting.tickets[which];
                    prop_assert_eq!(waiting.table.get_mut(ticket).copied(), place.map(|_| which));
                    prop_assert_eq!(waiting.table.remove(ticket), place.map(|_| which));
                    prop_assert_eq!(waiting.table.remove(ticket), None, "answered once");
                    if let Some(place) = place {
                        waiting.live.remove(place);
                    }
                }
                PendingStep::Answer(_) => {}
                PendingStep::Advance(nanoseconds) => {
                    waiting.advance(waiting.now + SimDuration(nanoseconds))?;
                }
            }
            let overdue = waiting.live.iter().any(|(_, deadline)| *deadline <= waiting.now);
            prop_assert!(!overdue, "an entry outlived its time");
            prop_assert!(waiting.timer.is_some() || waiting.live.is_empty());
            prop_assert_eq!(waiting.table.len(), waiting.live.len());
            let mut held: Vec<usize> = waiting.table.iter().copied().collect();
            held.sort_unstable();
            let expected: Vec<usize> = waiting.live.iter().map(|(number, _)| *number).collect();
            prop_assert_eq!(held, expected);
        }
    }
}

#[test]
fn deadlines_stay_bounded_behind_an_entry_that_nobody_answers() {
    let mut table: PendingTable<u32> = PendingTable::new(SimDuration::from_ms(1_000_000), 100);
    table.insert(SimTime::ZERO, 0).expect("there is room");
    for number in 1..100_000 {
        let ticket = table.insert(SimTime(number.into()), number).expect("there is room");
        assert!(table.deadline_count() <= DEADLINES_UNSWEPT_MIN);
        assert_eq!(table.remove(ticket), Some(number));
    }
    assert_eq!(table.len(), 1);
}

#[test]
fn a_ticket_of_an_earlier_run_names_nothing_in_a_later_one() {
    let mut given: Vec<Ticket> = Vec::new();
    for incarnation in 0..200 {
        let mut table: PendingTable<u32> = PendingTable::new(SimDuration::from_ms(1), 10);
        table.restarted(incarnation);
        for _ in 0..50 {
            assert!(given.iter().all(|ticket| table.get_mut(*ticket).is_none()));
            let ticket = table.insert(SimTime::ZERO, 1).expect("there is room");
            table.remove(ticket);
            given.push(ticket);
        }
    }
}

#[test]
fn a_ticket_that_was_never_given_out_names_nothing() {
    let mut table: PendingTable<u32> = PendingTable::new(SimDuration::from_ms(1), 10);
    assert_eq!(table.remove(Ticket::default()), None);
    table.insert(SimTime::ZERO, 1).expect("there is room");
    assert_eq!(table.remove(Ticket::default()), None);
    assert_eq!(table.len(), 1);
}
