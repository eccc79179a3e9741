//! Some rows of one partition, in the order of their keys.

use super::row::Row;
use crate::engine::random::mix;
use crate::workload::keys::KeySpace;
use crate::workload::operation::KeyId;

/// Rows that stand together in one partition.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Slice {
    /// Place of the first key in the order of all keys.
    pub first: u32,
    pub rows: u16,
}

impl Slice {
    /// The slices of a range of places, both ends included, where a partition has so many rows.
    pub fn of_range(first: u32, last: u32, rows_per_partition: u32) -> Vec<Slice> {
        let (from, to) = (first / rows_per_partition, last / rows_per_partition);
        (from..=to)
            .map(|partition| {
                let begin = first.max(partition * rows_per_partition);
                let end = last.min(partition * rows_per_partition + (rows_per_partition - 1));
                Slice { first: begin, rows: (end - begin + 1) as u16 }
            })
            .collect()
    }

    pub fn keys(self, keys: &KeySpace) -> &[KeyId] {
        &keys.order()[self.first as usize..self.first as usize + usize::from(self.rows)]
    }
}

/// One stamp for several rows.
pub fn stamp(rows: &[Row]) -> u64 {
    rows.iter().fold(0, |hash, row| mix(hash ^ row.stamp()))
}
