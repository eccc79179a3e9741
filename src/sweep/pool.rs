//! Work done by several threads at once, its results taken in order.
//!
//! Whoever is free takes the next piece of work. A result that comes before its turn waits, and so that
//! not too many do, nobody starts what is too far ahead of the first that is missing.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

struct Desk<T> {
    /// The next piece of work that nobody has taken.
    next: u64,
    end: u64,
    /// The next result to be handed over, and what has come of it and the following ones.
    first_missing: u64,
    results: VecDeque<Option<T>>,
    /// Nobody starts anything any more.
    is_closed: bool,
}

/// Does the pieces of `work` in threads, as many as `jobs`, and hands every result to `take`, here and in
/// order; at most `waiting_max` wait for their turn. Ends early where `take` says false.
pub fn in_order<T: Send>(
    jobs: usize,
    waiting_max: usize,
    numbers: Range<u64>,
    work: impl Fn(u64) -> T + Sync,
    mut take: impl FnMut(u64, T) -> bool,
) {
    let desk = Desk {
        next: numbers.start,
        end: numbers.end,
        first_missing: numbers.start,
        results: VecDeque::new(),
        is_closed: false,
    };
    let (desk, changed) = (Mutex::new(desk), Condvar::new());
    let waiting_max = waiting_max.max(jobs) as u64;
    thread::scope(|scope| {
        let worker = || {
            // A panic of ours must not leave the others waiting.
            let closing = Closing { desk: &desk, changed: &changed };
            while let Some(number) = next(&desk, &changed, waiting_max) {
                let result = work(number);
                let mut desk = lock(&desk);
                let place = (number - desk.first_missing) as usize;
                desk.results[place] = Some(result);
                drop(desk);
                changed.notify_all();
            }
            std::mem::forget(closing);
        };
        for _ in 0..jobs.max(1) {
            scope.spawn(worker);
        }
        for number in numbers {
            let Some(result) = first(&desk, &changed) else { break };
            if !take(number, result) {
                break;
            }
        }
        lock(&desk).is_closed = true;
        changed.notify_all();
    });
}

/// Takes a piece of work; none when all is taken. Waits while too many results do.
fn next<T>(desk: &Mutex<Desk<T>>, changed: &Condvar, waiting_max: u64) -> Option<u64> {
    let mut desk = lock(desk);
    while !desk.is_closed && desk.next < desk.end && desk.next >= desk.first_missing + waiting_max {
        desk = changed.wait(desk).unwrap_or_else(PoisonError::into_inner);
    }
    (!desk.is_closed && desk.next < desk.end).then(|| {
        desk.results.push_back(None);
        desk.next += 1;
        desk.next - 1
    })
}

/// The next result in order, as soon as it is there; none if it never will be.
fn first<T>(desk: &Mutex<Desk<T>>, changed: &Condvar) -> Option<T> {
    let mut desk = lock(desk);
    loop {
        if matches!(desk.results.front(), Some(Some(_))) {
            let result = desk.results.pop_front().flatten();
            desk.first_missing += 1;
            changed.notify_all();
            return result;
        }
        if desk.is_closed {
            return None;
        }
        desk = changed.wait(desk).unwrap_or_else(PoisonError::into_inner);
    }
}

fn lock<T>(desk: &Mutex<Desk<T>>) -> MutexGuard<'_, Desk<T>> {
    desk.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Closes the desk when it is dropped, which only a panic does.
struct Closing<'a, T> {
    desk: &'a Mutex<Desk<T>>,
    changed: &'a Condvar,
}

impl<T> Drop for Closing<'_, T> {
    fn drop(&mut self) {
        lock(self.desk).is_closed = true;
        self.changed.notify_all();
    }
}
