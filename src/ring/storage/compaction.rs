//! Compaction: which sorted tables are merged into new ones, and how.
//!
//! Size-tiered (Cassandra 4.1, `SizeTieredCompactionStrategy`): tables of like size
//! form a bucket; a bucket of enough tables is merged into one. Each row is written
//! anew once for each tier, and a read may have to look into all tables of all tiers.
//!
//! Levelled (`LeveledCompactionStrategy`; after LevelDB): new tables stand in level
//! 0; those of the levels above have a size, do not overlap within their level, and
//! a level holds so many times as much as the one before. A read looks into one
//! table of each level at most; for that rows are written anew more often.
//!
//! ```text
//! size-tiered:  ▪▪▪▪ ─► ■        levelled:  0 ▪▪▪▪ ─┐
//!               ■■■■ ─► ⬛                   1 ▪▪▪▪▪◄┴─┐
//!                                           2 ▪▪▪▪▪▪◄─┴▪▪▪▪
//! ```
//!
//! Simplified: the bucket with the smallest tables goes first (Cassandra: the one
//! that is read most); no smallest size below which all tables are alike; tables
//! are not compacted for their tombstones alone.

use super::sorted_table::SortedTable;
use crate::engine::order::places_by;
use crate::ring::row::Row;
use std::rc::Rc;

/// Tables of level 0 that begin a compaction of it (LevelDB, `kL0_CompactionTrigger`).
const LEVEL_0_TABLES: usize = 4;
/// Tables that one compaction takes in at most, by levels (Cassandra, `MAX_COMPACTING_L0`).
const INPUTS_MAX: usize = 32;
const LEVELS_MAX: u8 = 8;

/// Which tables are merged.
#[derive(Clone, Copy, Debug)]
pub enum Strategy {
    SizeTiered {
        /// Tables that a bucket must have, and those that are merged at a time at most.
        min_threshold: u32,
        max_threshold: u32,
        /// Tables are alike from so many times to so many times the mean of their bucket.
        bucket_low: f64,
        bucket_high: f64,
    },
    Levelled {
        table_bytes: u64,
        /// How many times as much a level holds as the one before.
        fan_out: u32,
    },
}

/// What is to be merged.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// Numbers of tables.
    pub inputs: Vec<u32>,
    /// Of what comes of it.
    pub level: u8,
    /// What comes of it is cut at this size.
    pub table_bytes: u64,
}

impl Strategy {
    /// The next compaction, if there is one to do.
    pub fn plan(&self, tables: &[Rc<SortedTable>]) -> Option<Plan> {
        match *self {
            Strategy::SizeTiered { min_threshold, max_threshold, .. } => {
                let buckets = self.buckets(tables);
                let bucket = buckets.iter().find(|bucket| bucket.len() >= min_threshold as usize)?;
                let inputs = bucket.iter().take(max_threshold as usize).map(|table| table.number).collect();
                Some(Plan { inputs, level: 0, table_bytes: u64::MAX })
            }
            Strategy::Levelled { table_bytes, .. } => {
                let level = (0..LEVELS_MAX - 1).rev().find(|level| self.excess(tables, *level) > 0)?;
                let of_level = |level: u8| tables.iter().filter(move |table| table.level == level);
                let chosen: Vec<&Rc<SortedTable>> = match level {
                    0 => of_level(0).take(INPUTS_MAX).collect(),
                    // In turn: the one that was written longest ago.
                    _ => of_level(level).min_by_key(|table| table.number).into_iter().collect(),
                };
                let overlaps = |table: &&Rc<SortedTable>| chosen.iter().any(|other| overlap(table, other));
                let below = of_level(level + 1).filter(overlaps);
                let inputs = chosen.iter().copied().chain(below).map(|table| table.number).collect();
                Some(Plan { inputs, level: level + 1, table_bytes })
            }
        }
    }

    /// Compactions that would be done now, if there was time: Cassandra's `pending tasks`.
    pub fn pending(&self, tables: &[Rc<SortedTable>]) -> u32 {
        match *self {
            Strategy::SizeTiered { min_threshold, max_threshold, .. } => {
                let buckets = self.buckets(tables);
                let due = buckets.iter().filter(|bucket| bucket.len() >= min_threshold as usize);
                due.map(|bucket| (bucket.len() as u32).div_ceil(max_threshold)).sum()
            }
            Strategy::Levelled { .. } => (0..LEVELS_MAX - 1).map(|level| self.excess(tables, level)).sum(),
        }
    }

    /// Tables of like size, the smallest first.
    fn buckets<'a>(&self, tables: &'a [Rc<SortedTable>]) -> Vec<Vec<&'a SortedTable>> {
        let Strategy::SizeTiered { bucket_low, bucket_high, .. } = *self else { return Vec::new() };
        let mut buckets: Vec<Vec<&SortedTable>> = Vec::new();
        let mut mean = 0.0;
        for at in places_by(tables.len(), |at| tables[at].bytes()) {
            let table = &*tables[at as usize];
            let bytes = table.bytes() as f64;
            match buckets.last_mut() {
                Some(bucket) if (bucket_low * mean..=bucket_high * mean).contains(&bytes) => {
                    mean = (mean * bucket.len() as f64 + bytes) / (bucket.len() + 1) as f64;
                    bucket.push(table);
                }
                _ => {
                    mean = bytes;
                    buckets.push(vec![table]);
                }
            }
        }
        buckets
    }

    /// Compactions that a level needs.
    fn excess(&self, tables: &[Rc<SortedTable>], level: u8) -> u32 {
        let Strategy::Levelled { table_bytes, fan_out } = *self else { return 0 };
        let of_level = tables.iter().filter(|table| table.level == level);
        if level == 0 {
            return (of_level.count() / LEVEL_0_TABLES) as u32;
        }
        let bytes: u64 = of_level.map(|table| table.bytes()).sum();
        let room = (0..level).fold(table_bytes, |room, _| room.saturating_mul(u64::from(fan_out)));
        bytes.saturating_sub(room).div_ceil(table_bytes.max(1)) as u32
    }
}

fn overlap(one: &SortedTable, other: &SortedTable) -> bool {
    let ((from, to), (other_from, other_to)) = (one.span(), other.span());
    from <= other_to && other_from <= to
}

/// The rows of several tables, merged, in ascending order of place.
pub fn merged(tables: &[Rc<SortedTable>]) -> Vec<(u32, Row)> {
    let all: Vec<(u32, &Row)> = tables.iter().flat_map(|table| table.rows()).collect();
    let mut rows: Vec<(u32, Row)> = Vec::with_capacity(all.len());
    for at in places_by(all.len(), |at| u64::from(all[at].0)) {
        let (place, row) = all[at as usize];
        match rows.last_mut() {
            Some((last, merged)) if *last == place => merged.merge(row),
            _ => rows.push((place, row.clone())),
        }
    }
    rows
}
