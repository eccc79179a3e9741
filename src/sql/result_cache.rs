//! The shard proxy's result cache: least recently used, with a time to live.
//!
//! A write that passes through the proxy invalidates its key, when it is sent
//! and again when it is acknowledged. A read that was under way meanwhile can
//! still put an old row back: the classic race, and a source of stale reads
//! until the time to live ends.

use crate::engine::{PagedVec, SimDuration, SimTime};
use crate::workload::operation::{Cell, KeyId};

const NONE: u32 = u32::MAX;

#[derive(Clone, Copy)]
struct Slot {
    key: KeyId,
    cell: Cell,
    expires: SimTime,
    newer: u32,
    older: u32,
}

/// A bounded cache of rows.
#[derive(Clone)]
pub struct ResultCache {
    /// Slot of a key, by key.
    slot_of: PagedVec<u32>,
    slots: Vec<Slot>,
    free: Vec<u32>,
    newest: u32,
    oldest: u32,
    entries_max: usize,
    ttl: SimDuration,
    pub hits: u64,
    pub misses: u64,
}

impl ResultCache {
    /// A cache over `keys` keys that holds `entries_max` rows at most; 0 switches it off.
    pub fn new(keys: usize, entries_max: u32, ttl: SimDuration) -> ResultCache {
        ResultCache {
            slot_of: PagedVec::filled(NONE, keys),
            slots: Vec::new(),
            free: Vec::new(),
            newest: NONE,
            oldest: NONE,
            entries_max: entries_max as usize,
            ttl,
            hits: 0,
            misses: 0,
        }
    }

    pub fn is_on(&self) -> bool {
        self.entries_max > 0
    }

    pub fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The row, if it is there and not too old.
    pub fn get(&mut self, key: KeyId, now: SimTime) -> Option<Cell> {
        if !self.is_on() {
            return None;
        }
        let slot = self.slot_of.get(key as usize).copied().unwrap_or(NONE);
        if slot == NONE {
            self.misses += 1;
            return None;
        }
        if self.slots[slot as usize].expires <= now {
            self.misses += 1;
            self.drop_slot(slot);
            return None;
        }
        self.hits += 1;
        self.unlink(slot);
        self.link_newest(slot);
        Some(self.slots[slot as usize].cell)
    }

    pub fn put(&mut self, key: KeyId, cell: Cell, now: SimTime) {
        if !self.is_on() {
            return;
        }
        self.invalidate(key);
        if self.len() == self.entries_max {
            self.drop_slot(self.oldest);
        }
        let entry = Slot { key, cell, expires: now + self.ttl, newer: NONE, older: NONE };
        let slot = match self.free.pop() {
            Some(slot) => {
                self.slots[slot as usize] = entry;
                slot
            }
            None => {
                self.slots.push(entry);
                (self.slots.len() - 1) as u32
            }
        };
        self.set_slot_of(key, slot);
        self.link_newest(slot);
    }

    pub fn invalidate(&mut self, key: KeyId) {
        let slot = self.slot_of.get(key as usize).copied().unwrap_or(NONE);
        if slot != NONE {
            self.drop_slot(slot);
        }
    }

    fn drop_slot(&mut self, slot: u32) {
        self.unlink(slot);
        self.set_slot_of(self.slots[slot as usize].key, NONE);
        self.free.push(slot);
    }

    fn set_slot_of(&mut self, key: KeyId, slot: u32) {
        *self.slot_of.get_mut(key as usize).expect("a key of the key space") = slot;
    }

    fn unlink(&mut self, slot: u32) {
        let Slot { newer, older, .. } = self.slots[slot as usize];
        match newer {
            NONE => self.newest = older,
            _ => self.slots[newer as usize].older = older,
        }
        match older {
            NONE => self.oldest = newer,
            _ => self.slots[older as usize].newer = newer,
        }
    }

    fn link_newest(&mut self, slot: u32) {
        let before = self.newest;
        self.slots[slot as usize].newer = NONE;
        self.slots[slot as usize].older = before;
        match before {
            NONE => self.oldest = slot,
            _ => self.slots[before as usize].newer = slot,
        }
        self.newest = slot;
    }
}
