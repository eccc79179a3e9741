//! Locks: a row is held by one transaction from when it is written until it
//! is committed, and others wait for it in the order in which they came. The
//! table is held by a schema change, and writes wait for it likewise.

use crate::engine::Ticket;
use crate::engine::table::Table;
use crate::workload::operation::KeyId;
use std::collections::VecDeque;

/// Rows that are held, and who waits for each, and for the table.
#[derive(Clone, Default)]
pub struct Locks {
    held: Table<VecDeque<Ticket>>,
    table_queue: Vec<Ticket>,
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

impl Locks {
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
        self.table_queue.clear();
    }

    /// Whether no row is held.
    pub fn is_free(&self) -> bool {
        self.held.is_empty()
    }

    /// Waits for the table.
    pub fn wait_for_table(&mut self, waiter: Ticket) {
        self.table_queue.push(waiter);
    }

    /// Whoever waited for the table, in the order in which they came.
    pub fn take_table_queue(&mut self) -> Vec<Ticket> {
        std::mem::take(&mut self.table_queue)
    }

    /// Rows that somebody waits for.
    pub fn contended(&self) -> usize {
        self.held.iter().filter(|(_, queue)| !queue.is_empty()).count()
    }
}
