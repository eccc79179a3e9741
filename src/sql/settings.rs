//! What the parts of a SQL cluster are set up with.

use super::shard_map::ShardMap;
use crate::engine::{Distribution, NodeId, SimDuration};
use crate::workload::keys::KeySpace;
use std::rc::Rc;

/// Where a shard proxy sends reads.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ReadRouting {
    Primary,
    /// Replicas in turn; the primary if there is none.
    Replica,
}

/// When a commit is acknowledged.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BinlogSync {
    /// After an fsync that covers it (MySQL: `sync_binlog = 1`).
    EveryCommit,
    /// At once; an fsync runs at this interval (`sync_binlog = 0`, or N).
    Interval(SimDuration),
}

/// Shared by every part of one cluster.
#[derive(Clone)]
pub struct SqlSettings {
    pub keys: KeySpace,
    /// The map as an operator set it up.
    pub first_map: Rc<ShardMap>,
    pub config: NodeId,
    /// Everybody who is told of a new map.
    pub proxies: Vec<NodeId>,
    pub reads: ReadRouting,
    pub cache_entries: u32,
    pub cache_ttl: SimDuration,
    pub health_interval: SimDuration,
    pub health_timeout: SimDuration,
    pub health_threshold: u32,
    pub binlog_sync: BinlogSync,
    pub proxy_timeout: SimDuration,
    /// Queries that a query proxy has under way at most.
    pub proxy_in_flight_max: usize,
    /// Queries that a shard proxy has under way at most.
    pub pool_size: usize,
    pub query_proxy_service: Distribution,
    pub shard_proxy_service: Distribution,
    pub read_service: Distribution,
    pub write_service: Distribution,
    pub apply_service: Distribution,
}
