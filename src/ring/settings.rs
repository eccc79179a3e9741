//! What ring nodes are set up with.

use super::consistency::ConsistencyLevel;
use super::membership::MembershipSettings;
use super::storage::StorageSettings;
use super::view::Atlas;
use crate::engine::{Distribution, Encryption, NodeId, SimDuration};
use crate::workload::keys::KeySpace;
use std::rc::Rc;

/// When a write is acknowledged.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CommitLogSync {
    /// After an fsync that covers it (Cassandra: `commitlog_sync: batch`).
    EveryWrite,
    /// At once; an fsync runs at this interval (`periodic`).
    Interval(SimDuration),
}

/// Which replicas of a key a coordinator sends an operation to, of those that it believes alive.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Asked {
    /// All of them; it answers after the first answers that are enough (Dynamo, Cassandra's writes).
    All,
    /// As many as it needs, the nearest first (Cassandra's reads).
    Nearest,
    /// As many as it needs, drawn for each operation. A replica that is not asked to write never gets
    /// the value but by repair (quorum systems that do not expand).
    Drawn,
}

/// What a read does about replicas that are behind.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ReadRepair {
    None,
    /// They are brought up to date after the answer.
    Background,
    /// And before it (Cassandra 4: `read_repair = 'BLOCKING'`), so that reads do not go backwards.
    Blocking,
}

/// Writes that are kept for replicas that were not there.
#[derive(Clone, Copy, Debug)]
pub struct HintedHandoff {
    /// For so long after the first that was kept (Cassandra 4.1: `max_hint_window: 3h`).
    pub window: SimDuration,
    /// Delivered to one replica.
    pub rate_per_s: f64,
}

/// Comparisons by Merkle trees.
#[derive(Clone, Debug)]
pub struct AntiEntropy {
    pub interval: SimDuration,
    /// Of the tree: it has two to the power of this many leaves.
    pub depth: u32,
    /// Core time to read and hash one key.
    pub key_service: Distribution,
}

/// What becomes of two writes that did not know of each other.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Versions {
    /// The one with the later time stamp of its coordinator stays.
    LastWriteWins,
    /// Both stay, until somebody who has seen both writes.
    Siblings,
    /// Rows are counters: both count.
    Counter,
    /// There are none: every operation is a round of Paxos.
    CompareAndSet,
}

/// Shared by every node of one ring.
#[derive(Clone)]
pub struct RingSettings {
    pub keys: KeySpace,
    pub atlas: Rc<Atlas>,
    /// Ring nodes in order, spares last; the ring's indices are places in this list.
    pub nodes: Vec<NodeId>,
    /// What one node streams to others, in bytes per nanosecond.
    pub stream_rate: f64,
    pub membership: Rc<MembershipSettings>,
    /// Bytes of what is gossiped of a node once for each of its starts: tokens, zone, address.
    pub state_bytes: u32,
    /// Neighbouring keys that form one partition, from 1; `keys` has the tokens of the partitions.
    pub rows_per_partition: u32,
    pub n: usize,
    pub read_level: ConsistencyLevel,
    pub write_level: ConsistencyLevel,
    pub versions: Versions,
    /// Who is told when the ring has changed, and whether they ask a key's replicas for it.
    pub clients: Vec<NodeId>,
    pub token_aware: bool,
    /// Whether healthy nodes stand in for replicas that are believed dead.
    pub sloppy_quorum: bool,
    pub read_from: Asked,
    pub write_to: Asked,
    /// Whether all but one replica answer a read with a digest.
    pub digest_reads: bool,
    /// The percentile of reads after which another replica is asked.
    pub speculative_retry: Option<f64>,
    pub hinted_handoff: Option<HintedHandoff>,
    pub anti_entropy: Option<AntiEntropy>,
    /// How long tombstones are kept.
    pub gc_grace: SimDuration,
    /// Zone and data centre of each node.
    pub zones: Vec<u8>,
    pub data_centres: Vec<u8>,
    pub read_repair: ReadRepair,
    pub commit_log_sync: CommitLogSync,
    /// A log-structured store; without, all is in memory.
    pub storage: Option<Rc<StorageSettings>>,
    pub request_timeout: SimDuration,
    pub in_flight_max: usize,
    pub coordinator_service: Distribution,
    pub read_service: Distribution,
    /// For each row of a slice, on top.
    pub row_service: Distribution,
    pub write_service: Distribution,
    pub gossip_service: Distribution,
    pub encryption: Encryption,
}
