//! What the parts of a SQL cluster have on disk.

use super::binlog::{BINLOG_ENTRIES_MAX, Entry, EpochStart, Position, start_epoch};
use super::shard_map::ShardMap;
use crate::engine::{PagedLog, PagedVec};
use crate::workload::operation::Cell;
use std::rc::Rc;

/// A record of any part.
#[derive(Clone)]
pub enum SqlRecord {
    MySql(MySqlRecord),
    Map(Rc<ShardMap>),
}

/// A record of a MySQL server.
#[derive(Clone)]
pub enum MySqlRecord {
    Commit(Entry),
    Epoch {
        epoch: u32,
        base: u64,
    },
    /// Everything anew.
    Snapshot(Rc<MySqlDisk>),
}

/// What a MySQL server finds on its disk when it starts.
#[derive(Clone, Default)]
pub struct MySqlDisk {
    /// As long as the highest key written needs.
    pub rows: PagedVec<Cell>,
    pub log: Option<PagedLog<Entry>>,
    pub executed: Position,
    pub epochs: Vec<EpochStart>,
    pub epoch: u32,
}

impl MySqlDisk {
    pub fn apply(&mut self, record: MySqlRecord) {
        match record {
            MySqlRecord::Commit(entry) => {
                let key = entry.key as usize;
                self.rows.extend_to(key + 1, Cell::default());
                *self.rows.get_mut(key).expect("the table was just extended") = entry.cell;
                let log = self.log.get_or_insert_with(|| PagedLog::starting_at(1, BINLOG_ENTRIES_MAX));
                let position = entry.position();
                assert_eq!(position.sequence, log.next(), "the log on disk has no gap");
                log.push(entry);
                self.executed = position;
                if self.epochs.last().is_none_or(|last| last.epoch < position.epoch) {
                    start_epoch(
                        &mut self.epochs,
                        EpochStart { epoch: position.epoch, base: position.sequence - 1 },
                    );
                }
            }
            MySqlRecord::Epoch { epoch, base } => {
                self.epoch = epoch;
                start_epoch(&mut self.epochs, EpochStart { epoch, base });
            }
            MySqlRecord::Snapshot(snapshot) => *self = MySqlDisk::clone(&snapshot),
        }
    }
}

/// What the configuration service finds on its disk.
#[derive(Clone, Default)]
pub struct ConfigDisk {
    pub map: Option<Rc<ShardMap>>,
}
