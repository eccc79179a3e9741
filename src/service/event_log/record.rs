//! What a broker has on disk: for each partition its term, its vote and its entries.

use super::entries::{Entries, Entry};
use super::producers::Producers;
use std::rc::Rc;

/// A record of a broker, about one partition.
#[derive(Clone)]
pub enum LogRecord {
    /// A later term, or whom it votes for in it: a place among the replicas.
    Term { partition: u16, term: u32, vote: Option<u16> },
    /// An entry. What stood at its number or after it is cut off.
    Entry { partition: u16, number: u64, entry: Entry },
    /// What is before this number is dropped.
    Dropped { partition: u16, number: u64 },
    /// All is dropped; the log goes on from here.
    Emptied { partition: u16, number: u64, term_before: u32, offset: u64, dropped: Rc<Producers> },
}

/// What of one partition survives a crash.
#[derive(Clone, Default)]
pub struct PartitionDisk {
    pub term: u32,
    pub vote: Option<u16>,
    pub entries: Entries,
}

/// What a broker finds on its disk when it starts.
#[derive(Clone, Default)]
pub struct LogDisk {
    partitions: Vec<PartitionDisk>,
}

impl LogDisk {
    pub fn apply(&mut self, record: LogRecord) {
        match record {
            LogRecord::Term { partition, term, vote } => {
                let kept = self.partition_mut(partition);
                (kept.term, kept.vote) = (term, vote);
            }
            LogRecord::Entry { partition, number, entry } => {
                let entries = &mut self.partition_mut(partition).entries;
                if number < entries.end() {
                    entries.cut(number);
                }
                entries.push(entry);
            }
            LogRecord::Dropped { partition, number } => {
                self.partition_mut(partition).entries.drop_before(number);
            }
            LogRecord::Emptied { partition, number, term_before, offset, dropped } => {
                self.partition_mut(partition).entries =
                    Entries::starting_at(number, term_before, offset, dropped);
            }
        }
    }

    /// None if nothing of the partition was ever written.
    pub fn partition(&self, partition: u16) -> Option<&PartitionDisk> {
        self.partitions.get(usize::from(partition)).filter(|kept| kept.term > 0)
    }

    /// Bytes of entries.
    pub fn bytes(&self) -> u64 {
        self.partitions.iter().map(|kept| kept.entries.bytes()).sum()
    }

    fn partition_mut(&mut self, partition: u16) -> &mut PartitionDisk {
        let place = usize::from(partition);
        if self.partitions.len() <= place {
            self.partitions.resize_with(place + 1, PartitionDisk::default);
        }
        &mut self.partitions[place]
    }
}
