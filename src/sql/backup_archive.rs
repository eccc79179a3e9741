//! What a backup store keeps of one shard: snapshots, and the binlog after each.

use super::binlog::{Entry, EpochStart, Position, start_epoch};
use super::tables::Tables;
use crate::engine::PagedVec;
use std::collections::VecDeque;
use std::rc::Rc;

/// Transactions kept after one snapshot at most; then another is taken.
pub const ENTRIES_MAX: usize = 262_144;

/// A snapshot.
#[derive(Clone)]
pub struct Snapshot {
    /// On the wall clock of the server that it was taken from, in nanoseconds: nothing in it is later.
    pub taken: u64,
    pub position: Position,
    pub epochs: Rc<[EpochStart]>,
    pub tables: Tables,
}

/// A snapshot, and what was written after it.
#[derive(Clone)]
pub struct Generation {
    pub snapshot: Rc<Snapshot>,
    entries: PagedVec<Entry>,
    bytes: u64,
}

impl Generation {
    /// The last transaction that it has.
    pub fn end(&self) -> Position {
        self.entries.iter().next_back().map_or(self.snapshot.position, Entry::position)
    }

    /// Transactions after one, committed at a time or before, so many at most; whether these are the last.
    pub fn after(&self, sequence: u64, to: u64, count: usize) -> (Vec<Entry>, bool) {
        let skipped = sequence.saturating_sub(self.snapshot.position.sequence) as usize;
        let wanted = (skipped..self.entries.len()).map_while(|at| self.entries.get(at).copied());
        let mut wanted = wanted.take_while(|entry| entry.committed_at <= to);
        let found: Vec<Entry> = wanted.by_ref().take(count).collect();
        (found, wanted.next().is_none())
    }
}

/// All that is kept of one shard, the oldest first.
#[derive(Clone, Default)]
pub struct Archive {
    generations: VecDeque<Generation>,
}

impl Archive {
    /// Adds a snapshot, and lets go of the oldest beyond so many.
    pub fn begin(&mut self, snapshot: Rc<Snapshot>, keep: usize) {
        let bytes = snapshot.tables.bytes();
        self.generations.push_back(Generation { snapshot, entries: PagedVec::default(), bytes });
        while self.generations.len() > keep.max(1) {
            self.generations.pop_front();
        }
    }

    /// Adds transactions that follow on the last.
    pub fn append(&mut self, entries: &[Entry]) {
        if let Some(newest) = self.generations.back_mut() {
            for entry in entries {
                if entry.sequence() == newest.end().sequence + 1 && newest.entries.len() < ENTRIES_MAX {
                    newest.bytes += u64::from(entry.bytes());
                    newest.entries.push(*entry);
                }
            }
        }
    }

    /// The last transaction that it has; none without a snapshot.
    pub fn end(&self) -> Option<Position> {
        self.generations.back().map(Generation::end)
    }

    pub fn is_full(&self) -> bool {
        self.generations.back().is_some_and(|newest| newest.entries.len() >= ENTRIES_MAX)
    }

    /// The newest snapshot that has nothing later than a time, with what follows it.
    pub fn before(&self, to: u64) -> Option<&Generation> {
        self.generations.iter().rev().find(|generation| generation.snapshot.taken <= to)
    }

    /// The one that was taken at a time.
    pub fn taken_at(&self, taken: u64) -> Option<&Generation> {
        self.generations.iter().find(|generation| generation.snapshot.taken == taken)
    }

    /// Bytes of all snapshots, each in full, and of the binlog after them.
    pub fn bytes(&self) -> u64 {
        self.generations.iter().map(|generation| generation.bytes).sum()
    }

    pub fn snapshots(&self) -> usize {
        self.generations.len()
    }
}

/// Notes the epochs under which transactions were written.
pub fn epochs_of(entries: &[Entry], epochs: &mut Vec<EpochStart>) {
    for entry in entries {
        let position = entry.position();
        if epochs.last().is_none_or(|last| last.epoch < position.epoch) {
            start_epoch(epochs, EpochStart::of(position));
        }
    }
}
