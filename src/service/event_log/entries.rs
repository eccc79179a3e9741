//! The entries of one replica's log.

use super::producers::Producers;
use super::replica::Stored;
use crate::engine::{PagedLog, SimTime};
use crate::service::view::Batch;
use std::rc::Rc;

/// One batch, or nothing.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Of the leader that appended it.
    pub term: u32,
    /// When, by that leader's clock.
    pub at: SimTime,
    pub stored: Stored,
}

impl Entry {
    /// Offset after its last view.
    pub fn end(&self) -> u64 {
        self.stored.base + self.views()
    }

    pub fn views(&self) -> u64 {
        self.stored.batch.views.len() as u64
    }

    pub fn is_empty(&self) -> bool {
        self.stored.batch.views.is_empty()
    }

    /// Bytes on the wire and on disk.
    pub fn bytes(&self) -> u32 {
        12 + self.stored.batch.bytes()
    }
}

/// A log of which the beginning may be dropped and the end cut off.
#[derive(Clone)]
pub struct Entries {
    /// Number and offset of the first entry that is kept, and the term of the one before it.
    first: u64,
    first_offset: u64,
    term_before: u32,
    /// What those before it say of producers.
    dropped: Rc<Producers>,
    kept: PagedLog<Entry>,
    bytes: u64,
}

/// How many are kept is bounded by retention, and by how many a leader lets wait to be committed.
const UNBOUNDED: usize = usize::MAX / 2;

impl Default for Entries {
    fn default() -> Self {
        Entries::starting_at(0, 0, 0, Rc::default())
    }
}

impl Entries {
    /// An empty log that goes on after what is not kept.
    pub fn starting_at(first: u64, term_before: u32, first_offset: u64, dropped: Rc<Producers>) -> Entries {
        let kept = PagedLog::starting_at(first, UNBOUNDED);
        Entries { first, first_offset, term_before, dropped, kept, bytes: 0 }
    }

    pub fn first(&self) -> u64 {
        self.first
    }

    /// Number of the next entry.
    pub fn end(&self) -> u64 {
        self.kept.next()
    }

    pub fn first_offset(&self) -> u64 {
        self.first_offset
    }

    /// Offset of the next view.
    pub fn end_offset(&self) -> u64 {
        self.offset_at(self.end())
    }

    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// What entries that are not kept any more say of producers.
    pub fn dropped(&self) -> &Rc<Producers> {
        &self.dropped
    }

    pub fn get(&self, number: u64) -> Option<&Entry> {
        if number < self.first { None } else { self.kept.get(number) }
    }

    /// The offset at which an entry begins, or what comes after the last one.
    pub fn offset_at(&self, number: u64) -> u64 {
        match number.checked_sub(1).and_then(|before| self.get(before)) {
            Some(before) => before.end(),
            None => self.first_offset,
        }
    }

    /// The term of the entry before this number, if that is known.
    pub fn term_before(&self, number: u64) -> Option<u32> {
        if number == self.first {
            return Some(self.term_before);
        }
        self.get(number.checked_sub(1)?).map(|before| before.term)
    }

    pub fn last_term(&self) -> u32 {
        self.term_before(self.end()).unwrap_or(self.term_before)
    }

    /// Number of the entry that has this offset, or of the one after the last.
    pub fn number_of(&self, offset: u64) -> u64 {
        let (mut low, mut high) = (self.first, self.end());
        while low < high {
            let middle = low + (high - low) / 2;
            if self.get(middle).is_some_and(|entry| entry.end() <= offset) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }

    /// The entries of these numbers.
    pub fn range(&self, from: u64, end: u64) -> impl Iterator<Item = &Entry> {
        (from.max(self.first)..end).map_while(|number| self.get(number))
    }

    pub fn push(&mut self, entry: Entry) {
        debug_assert_eq!(entry.stored.base, self.end_offset(), "offsets have no holes");
        self.bytes += u64::from(entry.bytes());
        self.kept.push(entry);
    }

    /// Cuts off the entries from this number on.
    pub fn cut(&mut self, from: u64) {
        debug_assert!(from >= self.first, "what is dropped is not cut off");
        let cut: u64 = self.range(from, self.end()).map(|entry| u64::from(entry.bytes())).sum();
        self.bytes -= cut;
        self.kept.truncate(from);
    }

    /// Drops the entries before this number.
    pub fn drop_before(&mut self, number: u64) {
        let number = number.min(self.end());
        if number <= self.first {
            return;
        }
        for dropped in self.first..number {
            if let Some(entry) = self.kept.get(dropped) {
                self.bytes -= u64::from(entry.bytes());
                Rc::make_mut(&mut self.dropped).note(dropped, entry);
            }
        }
        self.first_offset = self.offset_at(number);
        self.term_before = self.term_before(number).unwrap_or(self.term_before);
        self.first = number;
        self.kept.drop_before(number);
    }
}

/// What a leader begins with.
pub fn nothing() -> Rc<Batch> {
    Rc::new(Batch { producer: 0, sequence: 0, views: Rc::from([]) })
}
