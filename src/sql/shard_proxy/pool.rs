//! Connections to one MySQL node: so many, with a queue of those who wait for one.

use crate::engine::SimTime;
use crate::sql::settings::Pool;
use std::collections::VecDeque;

/// What a query gets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Admission {
    /// A connection.
    Connected,
    /// A place in the queue.
    Queued,
    /// The queue is full, or those in it wait too long already.
    TurnedAway,
}

/// Connections to one node; `W` is what waits.
#[derive(Clone)]
pub struct ConnectionPool<W> {
    in_use: u32,
    waiting: VecDeque<(SimTime, W)>,
}

impl<W> Default for ConnectionPool<W> {
    fn default() -> Self {
        ConnectionPool { in_use: 0, waiting: VecDeque::new() }
    }
}

impl<W: Clone> ConnectionPool<W> {
    pub fn in_use(&self) -> u32 {
        self.in_use
    }

    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    pub fn ask(&mut self, now: SimTime, settings: &Pool, query: W) -> (Admission, Option<W>) {
        if self.in_use < settings.connections && self.waiting.is_empty() {
            self.in_use += 1;
            return (Admission::Connected, Some(query));
        }
        let waits_long = settings
            .shed_after
            .is_some_and(|most| self.waiting.front().is_some_and(|(since, _)| now.since(*since) > most));
        if waits_long || self.waiting.len() >= settings.queue as usize {
            return (Admission::TurnedAway, Some(query));
        }
        self.waiting.push_back((now, query));
        (Admission::Queued, None)
    }

    /// A connection is free again; the query that gets it.
    pub fn give_back(&mut self) -> Option<W> {
        match self.waiting.pop_front() {
            Some((_, query)) => Some(query),
            None => {
                self.in_use -= 1;
                None
            }
        }
    }

    /// Takes out the first in the queue if it has waited for the time-out.
    pub fn expired(&mut self, now: SimTime, settings: &Pool) -> Option<W> {
        let (since, _) = self.waiting.front()?;
        if now.since(*since) < settings.timeout {
            return None;
        }
        self.waiting.pop_front().map(|(_, query)| query)
    }

    /// When that is.
    pub fn expires(&self, settings: &Pool) -> Option<SimTime> {
        self.waiting.front().map(|(since, _)| *since + settings.timeout)
    }
}
