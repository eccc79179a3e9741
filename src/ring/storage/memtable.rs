//! A memtable: the rows that were written since the last flush, merged.
//!
//! The same is what a commit log's segments hold of them, as replaying merges
//! their records: how many there are says how long that takes.

use super::ROW_OVERHEAD_BYTES;
use crate::engine::PagedVec;
use crate::ring::row::Row;
use crate::workload::operation::KeyId;

/// Rows in memory, by key.
#[derive(Clone, Default)]
pub struct Memtable {
    rows: PagedVec<Row>,
    /// Keys with a row, in the order in which they came.
    keys: PagedVec<KeyId>,
    bytes: u64,
    records: u64,
    log_bytes: u64,
}

impl Memtable {
    /// Takes in a write.
    pub fn merge(&mut self, key: KeyId, row: &Row) {
        self.records += 1;
        self.log_bytes += u64::from(row.bytes() + ROW_OVERHEAD_BYTES);
        self.rows.extend_to(key as usize + 1, Row::default());
        let kept = self.rows.get_mut(key as usize).expect("the rows were just extended");
        if kept.is_empty() {
            self.keys.push(key);
            self.bytes += u64::from(ROW_OVERHEAD_BYTES);
        }
        let before = kept.bytes();
        kept.merge(row);
        self.bytes = self.bytes + u64::from(kept.bytes()) - u64::from(before);
    }

    /// Takes in all that another one has, with the records that it came from.
    pub fn merge_all(&mut self, other: &Memtable) {
        for key in other.keys.iter() {
            if let Some(row) = other.get(*key) {
                self.merge(*key, row);
            }
        }
        self.records += other.records.saturating_sub(other.keys.len() as u64);
        self.log_bytes = (self.log_bytes + other.log_bytes).saturating_sub(other.bytes);
    }

    pub fn get(&self, key: KeyId) -> Option<&Row> {
        self.rows.get(key as usize).filter(|row| !row.is_empty())
    }

    /// Keys with a row, in the order in which they came.
    pub fn keys(&self) -> impl Iterator<Item = KeyId> + '_ {
        self.keys.iter().copied()
    }

    pub fn len(&self) -> usize {
        self.keys.len()
    }

    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Of its rows.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Records of the commit log that it came from, and their bytes.
    pub fn records(&self) -> u64 {
        self.records
    }

    pub fn log_bytes(&self) -> u64 {
        self.log_bytes
    }
}
