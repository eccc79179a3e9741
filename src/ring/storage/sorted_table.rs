//! A sorted table: rows on disk in the order of their keys, never changed again.
//!
//! Cassandra's SSTable (4.1) and the on-disk components of the LSM tree (O'Neil,
//! Cheng, Gawlick, O'Neil, "The log-structured merge-tree", Acta Informatica 33,
//! 1996). Its rows stand in blocks; a Bloom filter and an index of the blocks are
//! in memory, so that a read of a row is a read of one block.
//!
//! Simplified: a row is read with the block in which it begins; nothing is
//! compressed.

use super::bloom_filter::BloomFilter;
use super::{BLOCK_BYTES, ROW_OVERHEAD_BYTES};
use crate::ring::row::Row;

/// A row in its place.
#[derive(Clone, Debug)]
struct Entry {
    /// Of its key, in the order of all keys.
    place: u32,
    /// In which it begins.
    block: u32,
    row: Row,
}

/// Rows in order.
#[derive(Clone, Debug)]
pub struct SortedTable {
    /// Later tables have greater numbers.
    pub number: u32,
    /// Of levelled compaction; 0 where there are no levels.
    pub level: u8,
    entries: Vec<Entry>,
    filter: BloomFilter,
    rows_per_partition: u32,
    bytes: u64,
}

impl SortedTable {
    /// A table of rows in ascending order of place.
    pub fn new(
        number: u32,
        level: u8,
        rows: Vec<(u32, Row)>,
        rows_per_partition: u32,
        false_positives: f64,
    ) -> SortedTable {
        let mut filter = BloomFilter::new(rows.len(), false_positives);
        let mut bytes = 0;
        let entries = rows.into_iter().map(|(place, row)| {
            filter.insert(place / rows_per_partition);
            let block = (bytes / BLOCK_BYTES) as u32;
            bytes += u64::from(row.bytes() + ROW_OVERHEAD_BYTES);
            Entry { place, block, row }
        });
        let entries = entries.collect();
        SortedTable { number, level, entries, filter, rows_per_partition, bytes }
    }

    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    pub fn blocks(&self) -> u32 {
        self.entries.last().map_or(0, |last| last.block + 1)
    }

    /// First and last place.
    pub fn span(&self) -> (u32, u32) {
        let place = |entry: Option<&Entry>| entry.map_or(0, |entry| entry.place);
        (place(self.entries.first()), place(self.entries.last()))
    }

    /// Whether a read of a place's partition has to look into it.
    pub fn may_hold(&self, place: u32) -> bool {
        let (first, last) = self.span();
        let partition = place / self.rows_per_partition;
        let in_span = (first / self.rows_per_partition..=last / self.rows_per_partition).contains(&partition);
        in_span && self.filter.may_hold(partition)
    }

    pub fn get(&self, place: u32) -> Option<&Row> {
        let found = self.entries.binary_search_by_key(&place, |entry| entry.place).ok()?;
        Some(&self.entries[found].row)
    }

    /// Whether it has a row in a range of places, both ends included.
    pub fn has_any(&self, first: u32, last: u32) -> bool {
        let begin = self.entries.partition_point(|entry| entry.place < first);
        self.entries.get(begin).is_some_and(|entry| entry.place <= last)
    }

    /// The blocks of a range of places, both ends included; where it would stand if it is not there.
    pub fn blocks_of(&self, first: u32, last: u32) -> std::ops::RangeInclusive<u32> {
        let begin = self.entries.partition_point(|entry| entry.place < first);
        let end = self.entries.partition_point(|entry| entry.place <= last);
        let block = |at: usize| self.entries[at.min(self.entries.len() - 1)].block;
        block(begin)..=block(end.saturating_sub(1).max(begin))
    }

    /// Rows in ascending order of place.
    pub fn rows(&self) -> impl Iterator<Item = (u32, &Row)> {
        self.entries.iter().map(|entry| (entry.place, &entry.row))
    }
}
