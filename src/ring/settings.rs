//! What ring nodes are set up with.

use super::membership::MembershipSettings;
use super::token_ring::TokenRing;
use crate::engine::{Distribution, NodeId, SimDuration};
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

/// Shared by every node of one ring.
#[derive(Clone)]
pub struct RingSettings {
    pub keys: KeySpace,
    pub ring: TokenRing,
    /// Ring nodes in order; the ring's indices are places in this list.
    pub nodes: Vec<NodeId>,
    pub membership: Rc<MembershipSettings>,
    /// Bytes of what is gossiped of a node once for each of its starts: tokens, zone, address.
    pub state_bytes: u32,
    pub n: usize,
    pub r: usize,
    pub w: usize,
    pub read_repair: bool,
    pub commit_log_sync: CommitLogSync,
    pub request_timeout: SimDuration,
    pub in_flight_max: usize,
    pub coordinator_service: Distribution,
    pub read_service: Distribution,
    pub write_service: Distribution,
    pub gossip_service: Distribution,
}
