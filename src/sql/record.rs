//! What the parts of a SQL cluster have on disk.
//!
//! A MySQL server has two files: the redo log (with it, the rows) and the
//! binlog. A transaction is in the rows after a crash only if it is in both, as
//! InnoDB's recovery decides: one that is in the redo log alone is rolled back.
//! One that is in the binlog alone counts as executed and has left no row.

use super::backup_archive::{Archive, Snapshot};
use super::binlog::{BINLOG_ENTRIES_MAX, Entry, EpochStart, Position, start_epoch};
use super::config_service::agreement::ConfigState;
use super::tables::Tables;
use crate::engine::PagedLog;
use std::collections::VecDeque;
use std::rc::Rc;

/// A record of any part.
#[derive(Clone)]
pub enum SqlRecord {
    MySql(MySqlRecord),
    Config(Rc<ConfigRecord>),
    Backup(BackupRecord),
}

/// A record of a MySQL server.
#[derive(Clone)]
pub enum MySqlRecord {
    /// In the redo log: prepared.
    Redo(Entry),
    /// In the binlog: committed.
    Binlog(Entry),
    /// In a replica's relay log, which recovery executes.
    Relay(Entry),
    /// Recovery has rolled back what was prepared.
    RolledBack,
    /// The rows as they are now are on disk: recovery begins here.
    Checkpoint,
    Epoch(EpochStart),
    /// Everything anew.
    Snapshot(Rc<MySqlDisk>),
}

/// What a MySQL server finds on its disk when it starts.
#[derive(Clone, Default)]
pub struct MySqlDisk {
    /// As long as the highest key written needs.
    pub tables: Tables,
    pub log: Option<PagedLog<Entry>>,
    /// Where the rows were copied from a source, if they were: the log begins after it.
    copied_at: Position,
    /// Prepared in the redo log and not yet in the binlog.
    prepared: VecDeque<Entry>,
    pub epochs: Vec<EpochStart>,
    pub epoch: u32,
    /// Transactions since the last checkpoint.
    pub to_recover: u64,
}

impl MySqlDisk {
    /// A copy of a source's tables, as of a position.
    pub fn copied(tables: Tables, position: Position, epochs: Vec<EpochStart>, epoch: u32) -> MySqlDisk {
        MySqlDisk {
            tables,
            log: Some(PagedLog::starting_at(position.sequence + 1, BINLOG_ENTRIES_MAX)),
            copied_at: position,
            prepared: VecDeque::new(),
            epochs,
            epoch,
            to_recover: 0,
        }
    }

    /// The last transaction in the binlog.
    pub fn position(&self) -> Position {
        let last = self.log.as_ref().and_then(|log| log.get(log.next() - 1));
        last.map_or(self.copied_at, Entry::position)
    }

    pub fn apply(&mut self, record: MySqlRecord) {
        match record {
            MySqlRecord::Redo(entry) => {
                self.to_recover += 1;
                let logged = self.binlog().get(entry.sequence()).map(Entry::position);
                if logged == Some(entry.position()) {
                    self.tables.execute(&entry);
                } else if logged.is_none() {
                    self.prepared.push_back(entry);
                }
            }
            MySqlRecord::Binlog(entry) => {
                self.push(entry);
                if self.prepared.front().is_some_and(|first| first.position() == entry.position()) {
                    self.prepared.pop_front();
                    self.tables.execute(&entry);
                }
            }
            MySqlRecord::Relay(entry) => {
                self.push(entry);
                // A rebuild begins anew.
                self.to_recover += 1 + u64::from(entry.rebuilt_rows());
                self.tables.execute(&entry);
            }
            MySqlRecord::RolledBack => self.prepared.clear(),
            MySqlRecord::Checkpoint => self.to_recover = 0,
            MySqlRecord::Epoch(start) => {
                self.epoch = start.epoch;
                start_epoch(&mut self.epochs, start);
            }
            MySqlRecord::Snapshot(snapshot) => *self = MySqlDisk::clone(&snapshot),
        }
    }

    fn binlog(&mut self) -> &mut PagedLog<Entry> {
        self.log.get_or_insert_with(|| PagedLog::starting_at(1, BINLOG_ENTRIES_MAX))
    }

    fn push(&mut self, entry: Entry) {
        let position = entry.position();
        assert_eq!(position.sequence, self.binlog().next(), "the log on disk has no gap");
        self.binlog().push(entry);
        if self.epochs.last().is_none_or(|last| last.epoch < position.epoch) {
            start_epoch(&mut self.epochs, EpochStart::of(position));
        }
    }
}

/// A record of a backup store.
#[derive(Clone)]
pub struct BackupRecord {
    pub shard: u16,
    /// Snapshots that are kept.
    pub keep: usize,
    pub change: BackupChange,
}

#[derive(Clone)]
pub enum BackupChange {
    Snapshot(Rc<Snapshot>),
    Entries(Rc<[Entry]>),
}

impl BackupRecord {
    pub fn apply(&self, archive: &mut Archive) {
        match &self.change {
            BackupChange::Snapshot(snapshot) => archive.begin(Rc::clone(snapshot), self.keep),
            BackupChange::Entries(entries) => archive.append(entries),
        }
    }
}

/// What a backup store finds on its disk, by shard.
#[derive(Clone, Default)]
pub struct BackupDisk {
    pub archives: Vec<Archive>,
}

impl BackupDisk {
    pub fn apply(&mut self, record: &BackupRecord) {
        let shard = usize::from(record.shard);
        while self.archives.len() <= shard {
            self.archives.push(Archive::default());
        }
        record.apply(&mut self.archives[shard]);
    }
}

/// What a node of the configuration service finds on its disk.
#[derive(Clone, Default)]
pub struct ConfigDisk {
    pub record: Option<Rc<ConfigRecord>>,
}

/// All that a node of the configuration service has to remember.
#[derive(Clone)]
pub struct ConfigRecord {
    pub term: u32,
    /// Place of the node that it voted for in this term.
    pub voted_for: Option<u16>,
    pub state: Rc<ConfigState>,
}
