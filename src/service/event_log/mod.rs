//! The event log: partitions, each replicated over some brokers.
//!
//! Models a log as Redpanda 24 has it: every partition is a Raft group of its own (Ongaro and Ousterhout, "In
//! Search of an Understandable Consensus Algorithm", USENIX ATC 2014; sections of it are named where it is
//! followed), with what producers and consumers know from Apache Kafka 4.0: batches, acknowledgement by nobody,
//! the leader or a majority, sequences of idempotent producers, fetches that wait, retention, consumer groups.
//!
//! ```text
//! entries    │ 3 dropped │ 4: views 90-95 │ 5: nothing, a leader began │ 6: views 96-97 │
//! numbers                  ▲ first                              committed ▲            ▲ end
//! offsets                  90                                            96            98
//! ```
//!
//! Entries have numbers, views have offsets; both begin at zero and have no holes. An entry is one batch of a
//! producer, kept whole or not at all, or nothing: what a leader begins with.
//!
//! Read in this order: [`entries`], [`record`] (what is on disk), [`replica`] (agreement, and what a
//! leader does for producers and consumers), [`producers`] (idempotence), [`group`]; the whole broker is
//! [`broker`](super::broker).
//!
//! Left out: transactions, compacted topics, tiered storage, fetching from followers, changes of the number of
//! partitions or of their replicas, a controller (who replicates what is configuration).

pub mod entries;
pub mod group;
pub mod producers;
pub mod record;
pub mod replica;

use super::settings::ServiceSettings;
use crate::engine::NodeId;

/// The brokers that have a partition, its preferred leader first. The partition after the last one is that of
/// dead letters.
pub fn replicas_of(settings: &ServiceSettings, partition: u16) -> impl Iterator<Item = NodeId> {
    let brokers = &settings.nodes.brokers;
    let copies = settings.log.replication.min(brokers.len());
    (0..copies).map(move |place| brokers[(usize::from(partition) + place) % brokers.len()])
}

/// The partition of dead letters.
pub fn dead_letters(settings: &ServiceSettings) -> u16 {
    settings.log.partitions
}
