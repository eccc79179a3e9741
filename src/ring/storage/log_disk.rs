//! What a log-structured store has on disk: sorted tables, and the commit log's segments.
//!
//! A segment holds the writes that one memtable got; it is dropped when the
//! memtable has been flushed. Records of a segment that become durable after
//! that (the flush was faster) are of no use any more.

use super::memtable::Memtable;
use super::sorted_table::SortedTable;
use crate::ring::row::Row;
use crate::workload::keys::KeySpace;
use crate::workload::operation::KeyId;
use std::rc::Rc;

/// Tables that came, with those that went for them.
#[derive(Clone, Debug)]
pub struct Change {
    pub removed: Rc<[u32]>,
    pub added: Vec<Rc<SortedTable>>,
    /// After a flush: the generation whose segment is no longer needed.
    pub flushed: Option<u32>,
}

/// The durable part of a store.
#[derive(Clone, Default)]
pub struct LogDisk {
    tables: Vec<Rc<SortedTable>>,
    /// By generation of memtable, ascending.
    segments: Vec<(u32, Memtable)>,
    /// Generations up to this one are in tables.
    flushed: u32,
}

impl LogDisk {
    pub fn tables(&self) -> &[Rc<SortedTable>] {
        &self.tables
    }

    pub fn segments(&self) -> &[(u32, Memtable)] {
        &self.segments
    }

    pub fn flushed(&self) -> u32 {
        self.flushed
    }

    /// A record of the commit log.
    pub fn append(&mut self, generation: u32, key: KeyId, row: &Row) {
        if generation <= self.flushed {
            return;
        }
        let at = self.segments.partition_point(|(other, _)| *other < generation);
        if self.segments.get(at).is_none_or(|(other, _)| *other != generation) {
            self.segments.insert(at, (generation, Memtable::default()));
        }
        self.segments[at].1.merge(key, row);
    }

    /// A flush or a compaction is complete.
    pub fn change(&mut self, change: Change) {
        self.tables.retain(|table| !change.removed.contains(&table.number));
        self.tables.extend(change.added);
        if let Some(generation) = change.flushed {
            self.flushed = self.flushed.max(generation);
            self.segments.retain(|(other, _)| *other > self.flushed);
        }
    }

    /// What is there of a key.
    pub fn get(&self, key: KeyId, keys: &KeySpace) -> Row {
        let mut row = Row::default();
        for (_, segment) in &self.segments {
            segment.get(key).into_iter().for_each(|other| row.merge(other));
        }
        let place = keys.rank(key);
        for table in self.tables.iter().filter(|table| table.may_hold(place)) {
            table.get(place).into_iter().for_each(|other| row.merge(other));
        }
        row
    }
}
