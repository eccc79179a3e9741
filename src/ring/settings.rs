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
