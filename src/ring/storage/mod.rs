//! A log-structured store: what one ring node has, in memory and on disk.
//!
//! The log-structured merge-tree (O'Neil, Cheng, Gawlick, O'Neil, Acta Informatica
//! 33, 1996) as Cassandra has it (4.1, "Storage engine"): a write goes to the
//! commit log and into the [`memtable`]; a full memtable is flushed to a
//! [`sorted_table`], after which its part of the commit log is dropped; a read
//! merges the memtable with every table that may hold the row, as the
//! [`bloom_filter`] says; [`compaction`] merges tables, which is what keeps reads
//! short, and drops tombstones past their grace.
//!
//! ```text
//! write ─► commit log, memtable ─full─► being flushed ─► tables ─► compaction ─► fewer tables
//! read  ◄─ memtable ◄─ being flushed ◄─ every table that may hold it (block cache, or disk)
//! ```
//!
//! This is the value without time: what flushes and compactions cost, and when
//! they are done, is [`ring_node`](super::ring_node)'s. Bounds: a memtable and the
//! one before it, the commit log of both, and [`TABLES_MAX`] tables; at them writes wait.

pub mod block_cache;
pub mod bloom_filter;
pub mod compaction;
pub mod log_disk;
pub mod memtable;
pub mod sorted_table;

use self::block_cache::{BlockCache, Cached};
use self::compaction::{Plan, Strategy, merged};
use self::memtable::Memtable;
use self::sorted_table::SortedTable;
use super::row::Row;
use super::slice::Slice;
use crate::engine::order::ascending;
use crate::engine::{Distribution, SimDuration};
use crate::workload::keys::KeySpace;
use crate::workload::operation::KeyId;
use std::rc::Rc;

/// Bytes of a block (Cassandra 4.1: `chunk_length_in_kb: 16`).
pub const BLOCK_BYTES: u64 = 16_384;
/// Bytes of a row beside its payload: key, time stamp, flags.
pub const ROW_OVERHEAD_BYTES: u32 = 28;
/// Tables of one node that are in no level above 0; with so many it flushes no more, and writes wait.
pub const TABLES_MAX: usize = 512;

/// How a store is set up.
#[derive(Clone, Debug)]
pub struct StorageSettings {
    /// A memtable is flushed when it has so many bytes.
    pub memtable_bytes: u64,
    /// Of both memtables together.
    pub commit_log_bytes: u64,
    /// Share of the tables without a row that a filter takes for one with it, above 0 to 1.
    pub false_positives: f64,
    pub cache_blocks: u32,
    /// Read or written in sequence.
    pub disk_bytes_per_s: f64,
    pub compaction: Option<Strategy>,
    /// Bytes that compactions read, at most; none: as fast as it goes.
    pub compaction_bytes_per_s: Option<f64>,
    /// Core time of a read for each table that it looks into.
    pub table_service: Distribution,
    /// Core time for each row that a flush or a compaction merges and writes.
    pub merge_service: Distribution,
    /// Core time to replay one record of the commit log.
    pub replay_service: Distribution,
}

impl StorageSettings {
    /// How long the disk takes for bytes in sequence.
    pub fn transfer(&self, bytes: u64) -> SimDuration {
        SimDuration::from_ms_f64(bytes as f64 / self.disk_bytes_per_s * 1e3)
    }
}

/// What was counted since the node's start.
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
pub struct StorageCounts {
    pub flushes: u64,
    pub flushed_bytes: u64,
    pub compactions: u64,
    /// That compactions wrote.
    pub compacted_bytes: u64,
    /// Reads, and the tables that they looked into.
    pub reads: u64,
    pub tables_read: u64,
    /// Of these, tables that had nothing of what was asked for.
    pub false_positives: u64,
    pub cache_hits: u64,
    pub cache_misses: u64,
    pub tombstones_dropped: u64,
    /// Writes that had to wait for a flush, and those of them that waited too long.
    pub writes_stalled: u64,
    pub writes_dropped: u64,
}

/// A block that a read needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block {
    pub table: u32,
    pub number: u32,
}

/// What a read has to look at on disk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// Tables that may hold something.
    pub tables: u32,
    /// Blocks of them that are not in memory.
    pub blocks: Vec<Block>,
}

/// What a compaction turns tables into; nothing is changed until it is [installed](Store::install).
#[derive(Clone)]
pub struct Compaction {
    pub inputs: Rc<[u32]>,
    pub outputs: Vec<Rc<SortedTable>>,
    /// Bytes and rows that it reads.
    pub bytes: u64,
    pub rows: u64,
    pub tombstones: u64,
}

/// A log-structured store.
#[derive(Clone)]
pub struct Store {
    keys: KeySpace,
    rows_per_partition: u32,
    settings: Rc<StorageSettings>,
    memtable: Memtable,
    /// Full, and on its way to disk.
    flushing: Option<Memtable>,
    /// Of the memtable: later ones have greater numbers.
    generation: u32,
    tables: Vec<Rc<SortedTable>>,
    /// Of each table.
    cached: Vec<Cached>,
    cache: BlockCache,
    next_table: u32,
    pub counts: StorageCounts,
}

impl Store {
    /// What is on disk after a crash: tables, and the commit log, which is replayed.
    pub fn new(
        keys: KeySpace,
        rows_per_partition: u32,
        settings: Rc<StorageSettings>,
        disk: Option<&log_disk::LogDisk>,
    ) -> Store {
        let mut store = Store {
            cache: BlockCache::new(settings.cache_blocks),
            keys,
            rows_per_partition,
            settings,
            memtable: Memtable::default(),
            flushing: None,
            generation: 1,
            tables: Vec::new(),
            cached: Vec::new(),
            next_table: 1,
            counts: StorageCounts::default(),
        };
        let Some(disk) = disk else { return store };
        for (generation, segment) in disk.segments() {
            store.memtable.merge_all(segment);
            store.generation = *generation;
        }
        store.generation = store.generation.max(disk.flushed() + 1);
        for table in disk.tables() {
            store.next_table = store.next_table.max(table.number + 1);
            store.add(Rc::clone(table));
        }
        store
    }

    pub fn settings(&self) -> &Rc<StorageSettings> {
        &self.settings
    }

    pub fn memtable(&self) -> &Memtable {
        &self.memtable
    }

    /// The memtable that is on its way to disk.
    pub fn flushing(&self) -> Option<&Memtable> {
        self.flushing.as_ref()
    }

    pub fn tables(&self) -> &[Rc<SortedTable>] {
        &self.tables
    }

    pub fn cache_fill(&self) -> (usize, u32) {
        self.cache.fill()
    }

    /// Of the memtable that writes go to: what the commit log says of them.
    pub fn generation(&self) -> u32 {
        self.generation
    }

    pub fn pending_compactions(&self) -> u32 {
        self.settings.compaction.map_or(0, |strategy| strategy.pending(&self.tables))
    }

    // Writes.

    /// Whether the memtable, its part of the commit log or the whole of it is full.
    pub fn is_full(&self) -> bool {
        let before = self.flushing.as_ref().map_or(0, Memtable::log_bytes);
        let (own, limit) = (self.memtable.log_bytes(), self.settings.commit_log_bytes);
        self.memtable.bytes() >= self.settings.memtable_bytes || own >= limit / 2 || before + own >= limit
    }

    /// Whether writes have to wait for a flush.
    pub fn must_wait(&self) -> bool {
        self.is_full() && !self.may_flush()
    }

    fn may_flush(&self) -> bool {
        let new = self.tables.iter().filter(|table| table.level == 0).count();
        self.flushing.is_none() && new < TABLES_MAX
    }

    /// Takes in a write.
    pub fn merge(&mut self, key: KeyId, row: &Row) {
        self.memtable.merge(key, row);
    }

    /// Begins a flush: what is to be written, and the generation whose part of the commit log is no
    /// longer needed then. None if there is nothing to flush, a flush is under way, or there are too many tables.
    pub fn begin_flush(&mut self) -> Option<(Rc<SortedTable>, u32)> {
        if self.memtable.is_empty() || !self.may_flush() {
            return None;
        }
        let full = std::mem::take(&mut self.memtable);
        let places = ascending(full.keys().map(|key| u64::from(self.keys.rank(key))));
        let rows = places.into_iter().map(|place| {
            let key = self.keys.order()[place as usize];
            (place as u32, full.get(key).cloned().unwrap_or_default())
        });
        let table = self.table(0, rows.collect());
        self.flushing = Some(full);
        self.generation += 1;
        Some((table, self.generation - 1))
    }

    fn table(&mut self, level: u8, rows: Vec<(u32, Row)>) -> Rc<SortedTable> {
        let number = self.next_table;
        self.next_table += 1;
        Rc::new(SortedTable::new(number, level, rows, self.rows_per_partition, self.settings.false_positives))
    }

    /// The flush is on disk.
    pub fn flushed(&mut self, table: Rc<SortedTable>) {
        self.counts.flushes += 1;
        self.counts.flushed_bytes += table.bytes();
        self.flushing = None;
        self.add(table);
    }

    fn add(&mut self, table: Rc<SortedTable>) {
        self.cached.push(Cached::none_of(table.blocks()));
        self.tables.push(table);
    }

    // Compaction.

    /// The next compaction, if there is one to do. `may_drop` says of a tombstone whether its grace is over.
    pub fn begin_compaction(&mut self, may_drop: impl Fn(&Row) -> bool) -> Option<Compaction> {
        let Plan { inputs, level, table_bytes } = self.settings.compaction?.plan(&self.tables)?;
        let (chosen, others): (Vec<_>, Vec<_>) =
            self.tables.iter().cloned().partition(|table| inputs.contains(&table.number));
        // It covers what others may still hold.
        let goes = |place: u32, row: &Row| {
            let key = self.keys.order()[place as usize];
            let in_memory = [Some(&self.memtable), self.flushing.as_ref()].into_iter().flatten();
            row.is_tombstone()
                && may_drop(row)
                && in_memory.into_iter().all(|memtable| memtable.get(key).is_none())
                && !others.iter().any(|table| table.may_hold(place))
        };
        let mut rows = merged(&chosen);
        let all = rows.len();
        rows.retain(|(place, row)| !goes(*place, row));
        let tombstones = (all - rows.len()) as u64;
        let (bytes, read) = (
            chosen.iter().map(|table| table.bytes()).sum(),
            chosen.iter().map(|table| table.len()).sum::<usize>(),
        );
        let mut outputs = Vec::new();
        let (mut part, mut part_bytes) = (Vec::new(), 0);
        for (place, row) in rows {
            let row_bytes = u64::from(row.bytes() + ROW_OVERHEAD_BYTES);
            if part_bytes > 0 && part_bytes + row_bytes > table_bytes {
                outputs.push(self.table(level, std::mem::take(&mut part)));
                part_bytes = 0;
            }
            part_bytes += row_bytes;
            part.push((place, row));
        }
        if !part.is_empty() {
            outputs.push(self.table(level, part));
        }
        Some(Compaction { inputs: inputs.into(), outputs, bytes, rows: read as u64, tombstones })
    }

    /// A compaction is on disk.
    pub fn install(&mut self, compaction: &Compaction) {
        self.counts.compactions += 1;
        self.counts.tombstones_dropped += compaction.tombstones;
        for number in compaction.inputs.iter() {
            if let Some(at) = self.at(*number) {
                self.tables.remove(at);
                let cached = self.cached.remove(at);
                self.cache.forget_table(&cached);
            }
        }
        for table in &compaction.outputs {
            self.counts.compacted_bytes += table.bytes();
            self.add(Rc::clone(table));
        }
    }

    fn at(&self, number: u32) -> Option<usize> {
        self.tables.iter().position(|table| table.number == number)
    }

    // Reads.

    /// What it has of a key, wherever it is.
    pub fn get(&self, key: KeyId) -> Row {
        let mut row = self.memtable.get(key).cloned().unwrap_or_default();
        if let Some(other) = self.flushing.as_ref().and_then(|memtable| memtable.get(key)) {
            row.merge(other);
        }
        let place = self.keys.rank(key);
        for table in self.tables.iter().rev().filter(|table| table.may_hold(place)) {
            if let Some(other) = table.get(place) {
                row.merge(other);
            }
        }
        row
    }

    /// What a read of a slice of one partition has to look at on disk.
    pub fn plan_read(&mut self, slice: Slice) -> Reading {
        let (first, last) = (slice.first, slice.first + u32::from(slice.rows) - 1);
        let mut reading = Reading::default();
        self.counts.reads += 1;
        for (table, cached) in self.tables.iter().zip(&self.cached).rev() {
            if !table.may_hold(first) {
                continue;
            }
            reading.tables += 1;
            self.counts.tables_read += 1;
            let has_some = table.has_any(first, last);
            self.counts.false_positives += u64::from(!has_some);
            for number in table.blocks_of(first, last) {
                if self.cache.has(cached, number) {
                    self.counts.cache_hits += 1;
                } else {
                    self.counts.cache_misses += 1;
                    reading.blocks.push(Block { table: table.number, number });
                }
            }
        }
        reading
    }

    /// A block was read from disk; its table may be gone by now.
    pub fn has_read(&mut self, block: Block) {
        let Some(at) = self.at(block.table) else { return };
        if let Some((table, number)) = self.cache.put(block.table, &mut self.cached[at], block.number)
            && let Some(at) = self.at(table)
        {
            BlockCache::forget_block(&mut self.cached[at], number);
        }
    }
}
