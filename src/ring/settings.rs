//! What ring nodes are set up with.

use super::token_ring::TokenRing;
use crate::engine::{Distribution, NodeId, SimDuration};
use crate::workload::keys::KeySpace;

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
pub enum Contact {
    /// All of them; it answers after the first R or W answers (Dynamo, Riak, Cassandra's writes).
    All,
    /// R or W of them, drawn at random for each operation. A replica that is not asked to write never gets
    /// the value but by read repair (quorum systems that do not expand).
    Quorum,
}

/// Shared by every node of one ring.
#[derive(Clone)]
pub struct RingSettings {
    pub keys: KeySpace,
    pub ring: TokenRing,
    /// Ring nodes in order; the ring's indices are places in this list.
    pub nodes: Vec<NodeId>,
    /// Whom each node knows.
    pub neighbours: Vec<Vec<u16>>,
    pub n: usize,
    pub r: usize,
    pub w: usize,
    pub contact: Contact,
    pub gossip_interval: SimDuration,
    pub phi_threshold: f64,
    pub read_repair: bool,
    pub commit_log_sync: CommitLogSync,
    pub request_timeout: SimDuration,
    pub in_flight_max: usize,
    pub coordinator_service: Distribution,
    pub read_service: Distribution,
    pub write_service: Distribution,
    pub gossip_service: Distribution,
}
