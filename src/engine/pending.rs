//! A bounded table of things a process waits for, each with the same time-out.
//!
//! A ticket names an entry and its generation, so that a late answer to an
//! entry that is gone is recognised rather than mistaken for another's. As all
//! entries of a table have the same time-out they expire in the order in which
//! they came: a queue of deadlines and one timer serve them all, where a timer
//! each would fill the event queue with time-outs that never matter.

use super::time::{SimDuration, SimTime};
use std::collections::VecDeque;

/// Deadlines of answered entries are swept out only if there are this many deadlines.
pub const DEADLINES_UNSWEPT_MIN: usize = 64;

/// Names an entry of a [`PendingTable`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Ticket {
    slot: u32,
    generation: u32,
}

#[derive(Clone)]
struct Slot<T> {
    generation: u32,
    entry: Option<T>,
}

impl<T> Slot<T> {
    fn holds(&self, ticket: Ticket) -> bool {
        self.generation == ticket.generation && self.entry.is_some()
    }
}

/// Entries awaiting an answer or their time-out.
#[derive(Clone)]
pub struct PendingTable<T> {
    slots: Vec<Slot<T>>,
    free: Vec<u32>,
    deadlines: VecDeque<(SimTime, Ticket)>,
    timeout: SimDuration,
    limit: usize,
    timer_armed: bool,
    first_generation: u32,
}

impl<T> PendingTable<T> {
    /// A table whose entries expire after `timeout`, of which there are at most `limit`.
    pub fn new(timeout: SimDuration, limit: usize) -> PendingTable<T> {
        PendingTable {
            slots: Vec::new(),
            free: Vec::new(),
            deadlines: VecDeque::new(),
            timeout,
            limit,
            timer_armed: false,
            first_generation: 0,
        }
    }

    /// As the table of a process that was started so many times before: answers that an earlier run of it had
    /// asked for are still on their way, and mean nothing to this one.
    pub fn restarted(&mut self, incarnation: u32) {
        // As far apart as any number of them can be (Knuth, volume 3, section 6.4, Fibonacci hashing).
        self.first_generation = incarnation.wrapping_mul(0x9E37_79B9);
    }

    pub fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn is_full(&self) -> bool {
        self.len() >= self.limit
    }

    pub fn timeout(&self) -> SimDuration {
        self.timeout
    }

    /// Adds an entry, or hands it back if the table is full.
    pub fn insert(&mut self, now: SimTime, entry: T) -> Result<Ticket, T> {
        if self.is_full() {
            return Err(entry);
        }
        self.drop_answered();
        // Behind an entry that is still waited for, deadlines of answered ones pile up.
        if self.deadlines.len() >= DEADLINES_UNSWEPT_MIN.max(2 * self.len()) {
            let slots = &self.slots;
            self.deadlines.retain(|(_, ticket)| slots[ticket.slot as usize].holds(*ticket));
        }
        let slot = match self.free.pop() {
            Some(slot) => slot,
            None => {
                self.slots.push(Slot { generation: self.first_generation, entry: None });
                (self.slots.len() - 1) as u32
            }
        };
        let place = &mut self.slots[slot as usize];
        place.generation = place.generation.wrapping_add(1);
        place.entry = Some(entry);
        let ticket = Ticket { slot, generation: place.generation };
        self.deadlines.push_back((now + self.timeout, ticket));
        Ok(ticket)
    }

    pub fn get(&self, ticket: Ticket) -> Option<&T> {
        let slot = self.slots.get(ticket.slot as usize)?;
        if slot.generation != ticket.generation { None } else { slot.entry.as_ref() }
    }

    pub fn get_mut(&mut self, ticket: Ticket) -> Option<&mut T> {
        let slot = self.slots.get_mut(ticket.slot as usize)?;
        if slot.generation != ticket.generation { None } else { slot.entry.as_mut() }
    }

    /// Takes an entry out; none if it was answered or expired before.
    pub fn remove(&mut self, ticket: Ticket) -> Option<T> {
        let slot = self.slots.get_mut(ticket.slot as usize)?;
        if slot.generation != ticket.generation {
            return None;
        }
        let entry = slot.entry.take()?;
        self.free.push(ticket.slot);
        Some(entry)
    }

    /// Takes out the next entry whose time has run out; call until none is left.
    pub fn pop_expired(&mut self, now: SimTime) -> Option<T> {
        while let Some(&(deadline, ticket)) = self.deadlines.front() {
            let alive = self.get_mut(ticket).is_some();
            if alive && deadline > now {
                return None;
            }
            self.deadlines.pop_front();
            if alive {
                return self.remove(ticket);
            }
        }
        None
    }

    /// Takes out any entry, in the order of their slots.
    pub fn pop_any(&mut self) -> Option<T> {
        let at = self.slots.iter().position(|slot| slot.entry.is_some())?;
        self.free.push(at as u32);
        self.slots[at].entry.take()
    }

    /// When the one timer that serves this table must be set, if it must be set now.
    /// Call after [`insert`](Self::insert), and from the timer after the expired
    /// entries were taken, having called [`timer_fired`](Self::timer_fired).
    pub fn arm(&mut self) -> Option<SimTime> {
        if self.timer_armed {
            return None;
        }
        self.drop_answered();
        let &(deadline, _) = self.deadlines.front()?;
        self.timer_armed = true;
        Some(deadline)
    }

    /// How many deadlines are kept, of answered entries too: at most twice as
    /// many as there ever were entries at once, and [`DEADLINES_UNSWEPT_MIN`].
    pub fn deadline_count(&self) -> usize {
        self.deadlines.len()
    }

    /// Forgets the deadlines at the front whose entries are gone.
    fn drop_answered(&mut self) {
        while let Some(&(_, ticket)) = self.deadlines.front() {
            if self.get_mut(ticket).is_some() {
                return;
            }
            self.deadlines.pop_front();
        }
    }

    /// The timer that [`arm`](Self::arm) asked for has fired.
    pub fn timer_fired(&mut self) {
        self.timer_armed = false;
    }

    /// The live entries, in the order of their slots.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.slots.iter().filter_map(|slot| slot.entry.as_ref())
    }
}
