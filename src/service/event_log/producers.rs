//! Idempotence: which batches of which producers a partition has.
//!
//! As Kafka's brokers do (KIP-98; `ProducerStateManager`): of each producer the last five batches are known.
//! One of them that comes again is not appended again, and is answered with the offset that it has; anything but
//! the next one is refused. It is derived from the log's entries, so that a new leader knows it too. Of a producer
//! that is not known any batch is taken (KIP-360). What is dropped from the log leaves behind what it says of
//! producers, and so does what a follower gets that begins anew (Kafka keeps snapshots for both).
//!
//! Simplified: Kafka forgets a producer after a day, here it is forgotten when too many others came.

use super::entries::{Entries, Entry};
use crate::engine::table::Table;

/// Batches of a producer that are known; as many a producer has in flight at most
/// (`ProducerStateEntry.NUM_BATCHES_TO_RETAIN`).
pub const BATCHES_KNOWN: usize = 5;
/// Producers that are known; the one that was quiet for the longest is forgotten.
const PRODUCERS_MAX: usize = 256;

/// A batch that is in the log.
#[derive(Clone, Copy, Default, Debug)]
pub struct Known {
    sequence: u32,
    /// Offset of its first view.
    pub base: u64,
    /// Number after its entry.
    pub end: u64,
}

/// What a batch is to a partition.
pub enum Novelty {
    New,
    Known(Known),
    OutOfSequence,
}

/// The last batches of each producer, the newest last.
#[derive(Clone, Default, Debug)]
pub struct Producers(Table<[Known; BATCHES_KNOWN]>);

impl Producers {
    /// What a log says of them.
    pub fn of(entries: &Entries) -> Producers {
        let mut producers = Producers::clone(entries.dropped());
        for number in entries.first()..entries.end() {
            if let Some(entry) = entries.get(number) {
                producers.note(number, entry);
            }
        }
        producers
    }

    pub fn novelty(&self, producer: u64, sequence: u32) -> Novelty {
        let Some(known) = self.0.get(producer).filter(|_| producer != 0) else {
            return Novelty::New;
        };
        if sequence == known[BATCHES_KNOWN - 1].sequence + 1 {
            return Novelty::New;
        }
        match known.iter().find(|batch| batch.sequence == sequence && sequence != 0) {
            Some(batch) => Novelty::Known(*batch),
            None => Novelty::OutOfSequence,
        }
    }

    /// An entry was appended.
    pub fn note(&mut self, number: u64, entry: &Entry) {
        let batch = &entry.stored.batch;
        if batch.producer == 0 {
            return;
        }
        if self.0.len() >= PRODUCERS_MAX && !self.0.contains(batch.producer) {
            let newest = |known: &[Known; BATCHES_KNOWN]| known[BATCHES_KNOWN - 1].end;
            let quietest =
                self.0.iter().min_by_key(|(_, known)| newest(known)).map(|(producer, _)| *producer);
            quietest.map(|producer| self.0.remove(producer));
        }
        let known = self.0.entry(batch.producer, Default::default);
        known.rotate_left(1);
        known[BATCHES_KNOWN - 1] =
            Known { sequence: batch.sequence, base: entry.stored.base, end: number + 1 };
    }
}
