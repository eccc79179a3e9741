//! Row locks: a row is held by one transaction from when it is written until it
//! is committed, and others wait for it in the order in which they came.

use crate::engine::Ticket;
use crate::engine::table::Table;
use crate::workload::operation::KeyId;
use std::collections::VecDeque;

/// Rows that are held, and who waits for each.
#[derive(Clone, Default)]
pub struct RowLocks {
    held: Table<VecDeque<Ticket>>,
}

/// What a transaction gets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Lock {
    Granted,
    /// It has to wait.
    Held,
    /// So many wait already that it is turned away.
    TooMany,
}

impl RowLocks {
    /// Asks for a row.
    pub fn ask(&mut self, key: KeyId, queue_max: usize) -> Lock {
        match self.held.get_mut(key.into()) {
            None => {
                self.held.entry(key.into(), VecDeque::new);
                Lock::Granted
            }
            Some(queue) if queue.len() < queue_max => Lock::Held,
            Some(_) => Lock::TooMany,
        }
    }

    /// Waits for a row that is held.
    pub fn wait(&mut self, key: KeyId, waiter: Ticket) {
        self.held.entry(key.into(), VecDeque::new).push_back(waiter);
    }

    /// Gives a row to the next who is still waiting, or frees it.
    pub fn release(&mut self, key: KeyId, mut is_waiting: impl FnMut(Ticket) -> bool) -> Option<Ticket> {
        let queue = self.held.get_mut(key.into())?;
        while let Some(next) = queue.pop_front() {
            if is_waiting(next) {
                return Some(next);
            }
        }
        self.held.remove(key.into());
        None
    }

    /// Nobody holds or waits for anything any more.
    pub fn clear(&mut self) {
        self.held.clear();
    }

    /// Rows that somebody waits for.
    pub fn contended(&self) -> usize {
        self.held.iter().filter(|(_, queue)| !queue.is_empty()).count()
    }
}
