//! The binary log: transactions in the order in which they were committed.
//!
//! A position is the epoch of the primary that wrote a transaction and its
//! sequence number, as MySQL's GTIDs name a server and a number. Sequence
//! numbers go on across epochs; each epoch records where it started. A node's
//! history is a prefix of another's if its last transaction was written under
//! an epoch that had not yet ended there.

use crate::workload::operation::{Cell, KeyId, Versioned};

/// Transactions that a log keeps at least; a replica further behind takes a snapshot.
pub const BINLOG_ENTRIES_MAX: usize = 65_536;

/// The last transaction of a history; sequence 0 is the empty one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Position {
    pub epoch: u32,
    pub sequence: u64,
}

const SEQUENCE_BITS: u32 = 40;

impl Position {
    /// As the version of what the transaction wrote: by epoch, then by sequence.
    pub fn version(self) -> u64 {
        u64::from(self.epoch) << SEQUENCE_BITS | self.sequence
    }

    /// The position that a version stands for.
    pub fn of_version(version: u64) -> Position {
        Position { epoch: (version >> SEQUENCE_BITS) as u32, sequence: version & ((1 << SEQUENCE_BITS) - 1) }
    }
}

/// What a transaction does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Change {
    /// Writes a row.
    Write,
    /// Puts a row in place that another shard had; its version is that shard's.
    Import,
    /// Takes a row away that another shard has now.
    Remove,
    /// Rebuilds the table as a schema change wants it; nothing else can write meanwhile.
    Rebuild,
    /// Creates an empty ghost table, in place of any that is there.
    CreateGhost,
    /// Writes a row of the ghost table.
    Ghost,
    /// Drops the ghost table.
    DropGhost,
    /// Puts the ghost table in place of the table.
    Rename,
}

impl Change {
    /// Whether it changes a row of the table.
    pub fn is_of_a_row(self) -> bool {
        matches!(self, Change::Write | Change::Import | Change::Remove)
    }
}

/// One transaction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Entry {
    pub key: KeyId,
    pub change: Change,
    /// What it wrote.
    pub cell: Cell,
    /// Its own position, as [`Position::version`] has it.
    version: u64,
    /// When it was committed, on the primary's wall clock, in nanoseconds.
    pub committed_at: u64,
}

impl Entry {
    pub fn new(position: Position, key: KeyId, change: Change, cell: Cell, committed_at: u64) -> Entry {
        Entry { key, change, cell, version: position.version(), committed_at }
    }

    pub fn position(&self) -> Position {
        Position::of_version(self.version)
    }

    pub fn sequence(&self) -> u64 {
        self.position().sequence
    }

    /// The row that it leaves behind, in the table or its ghost.
    pub fn row(&self) -> Cell {
        match self.change {
            Change::Remove => Cell::default(),
            _ => self.cell,
        }
    }

    /// The number of the schema change that it makes.
    pub fn schema_change(&self) -> u64 {
        self.cell.content.value
    }

    /// Rows that a replica has to write anew to execute it.
    pub fn rebuilt_rows(&self) -> u32 {
        if self.change == Change::Rebuild { self.cell.count } else { 0 }
    }

    /// Bytes in the log and on the wire.
    pub fn bytes(&self) -> u32 {
        40 + self.cell.bytes
    }
}

/// What a transaction carries that makes the schema change of a number; a rebuild writes so many rows anew.
pub fn schema_cell(number: u64, rows: u32) -> Cell {
    Cell { content: Versioned { value: number, version: 0 }, bytes: 0, count: rows }
}

/// Where an epoch starts: after the transaction with number `base`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EpochStart {
    pub epoch: u32,
    pub base: u64,
    /// What came after the base was undone by a restore.
    pub is_restore: bool,
}

impl EpochStart {
    /// As its first transaction shows it.
    pub fn of(first: Position) -> EpochStart {
        EpochStart { epoch: first.epoch, base: first.sequence - 1, is_restore: false }
    }
}

/// Epochs that a node remembers; older ones are forgotten and whoever needs them takes a snapshot.
pub const EPOCHS_MAX: usize = 256;

/// Adds an epoch, forgetting the oldest one where there are too many.
pub fn start_epoch(epochs: &mut Vec<EpochStart>, start: EpochStart) {
    if epochs.len() == EPOCHS_MAX {
        epochs.remove(0);
    }
    epochs.push(start);
}

/// Whether a history that ends at `position` is a prefix of one with these epochs that ends at `end`.
pub fn is_prefix(position: Position, epochs: &[EpochStart], end: u64) -> bool {
    if position.sequence == 0 {
        return true;
    }
    match epochs.iter().position(|start| start.epoch == position.epoch) {
        None => false,
        Some(at) => {
            let epoch_end = epochs.get(at + 1).map_or(end, |next| next.base);
            position.sequence > epochs[at].base && position.sequence <= epoch_end
        }
    }
}
