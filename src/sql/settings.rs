//! What the parts of a SQL cluster are set up with.

use super::shard_map::{ShardMap, Sharding};
use crate::engine::{Distribution, Encryption, NodeId, SimDuration};
use crate::workload::keys::KeySpace;
use crate::workload::operation::KeyId;
use std::rc::Rc;

/// Where a shard proxy sends reads.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ReadRouting {
    Primary,
    /// Replicas in turn; the primary if there is none.
    Replica,
    /// Replicas that were at most this far behind when they were last asked.
    WithinLag(SimDuration),
    /// Replicas; one that has not yet executed what the session wrote waits for
    /// it this long, then the primary is asked.
    ReadYourWrites {
        wait: SimDuration,
    },
}

/// When a commit has to be on disk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LogSync {
    /// Before it is acknowledged (MySQL: `sync_binlog = 1`, `innodb_flush_log_at_trx_commit = 1`).
    EveryCommit,
    /// An fsync begins with every so many commits; nobody waits for it.
    EveryCommits(u32),
    /// An fsync runs at this interval; nobody waits for it.
    Interval(SimDuration),
}

/// What a commit waits for besides its own disk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Replication {
    Asynchronous,
    /// So many replicas that have it on disk, before it becomes visible
    /// (`AFTER_SYNC`); after the time-out it is asynchronous until they have caught up.
    SemiSynchronous {
        replicas: u32,
        timeout: SimDuration,
    },
    /// All replicas, however long it takes.
    Synchronous,
}

/// How an old primary is kept from taking writes when another is promoted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fencing {
    /// It is not: whoever still reaches it can write to it.
    None,
    /// A primary takes writes only while it has a lease, and nobody is promoted before that ran out.
    Lease(SimDuration),
    /// It is switched off over the management network, and comes back after this long.
    Shutdown { off_for: SimDuration },
}

/// The configuration service.
#[derive(Clone, Debug)]
pub struct Failover {
    pub health_interval: SimDuration,
    pub health_timeout: SimDuration,
    /// Consecutive misses until a node counts as dead.
    pub health_threshold: u32,
    pub fencing: Fencing,
    /// After a promotion, none of the same shard for so long.
    pub block: SimDuration,
    /// Whether a replica in another region than the primary may be promoted.
    pub cross_region: bool,
    /// How long a leader of the service leads without being confirmed by a majority of it.
    pub leader_lease: SimDuration,
}

/// A query proxy's second attempts.
#[derive(Clone, Debug)]
pub struct Retries {
    /// Attempts after the first.
    pub max: u32,
    /// An attempt without an answer after this counts as failed.
    pub attempt_timeout: SimDuration,
    /// Wait before the first retry, doubled each time up to the other.
    pub backoff_first: SimDuration,
    pub backoff_max: SimDuration,
    /// Whether each wait is drawn between zero and its length.
    pub jitter: bool,
    /// Retries per query, on average; none is unlimited.
    pub budget: Option<f64>,
    /// Whether a write is sent again that may have been done.
    pub unknown_writes: bool,
}

/// A query proxy's circuit breaker, one per shard.
#[derive(Clone, Copy, Debug)]
pub struct Breaker {
    /// Consecutive failures that open it.
    pub failures: u32,
    pub open_for: SimDuration,
}

/// A query proxy's buffer for writes during a failover, one per shard (Vitess 20: `--enable_buffer`).
#[derive(Clone, Copy, Debug)]
pub struct Buffering {
    /// Over all shards.
    pub size: u32,
    /// How long one query waits at most.
    pub window: SimDuration,
    /// How long a failover is waited for at most.
    pub failover_max: SimDuration,
    /// A failover that begins sooner after the last one is not waited for.
    pub failovers_apart: SimDuration,
    /// How many queries go on at once when it ends.
    pub drain: u32,
}

/// A shard proxy's result cache.
#[derive(Clone, Copy, Debug)]
pub struct Cache {
    /// Zero switches it off.
    pub entries: u32,
    pub bytes: Option<u64>,
    pub ttl: SimDuration,
    /// Whether a read of a row that is being read waits for that one's answer.
    pub coalescing: bool,
}

/// A shard proxy's connections, to each MySQL node.
#[derive(Clone, Copy, Debug)]
pub struct Pool {
    pub connections: u32,
    /// Queries that wait for one at most.
    pub queue: u32,
    pub timeout: SimDuration,
    /// If the first in the queue has waited this long, new ones are turned away.
    pub shed_after: Option<SimDuration>,
}

/// MySQL's memory for pages.
#[derive(Clone, Copy, Debug)]
pub struct BufferPool {
    pub pages: u32,
    pub rows_per_page: u32,
}

/// MySQL's storage.
#[derive(Clone, Debug)]
pub struct Storage {
    pub redo_log_sync: LogSync,
    pub binlog_sync: LogSync,
    /// None: all rows are in memory, at once after a start.
    pub buffer_pool: Option<BufferPool>,
    pub checkpoint_every: SimDuration,
    /// Core time to recover one transaction after a crash.
    pub recovery_service: Distribution,
    pub lock_wait_timeout: SimDuration,
    /// Transactions that wait for one row at most; the next is turned away.
    pub row_queue_max: u32,
}

/// Moving a range of keys from one shard to another.
#[derive(Clone, Copy, Debug)]
pub struct Resharding {
    /// Rows that are copied at a time, and the pause after them.
    pub chunk_rows: u32,
    pub chunk_every: SimDuration,
    /// How long the source takes no writes at most.
    pub write_pause_max: SimDuration,
}

/// Changing the schema of a table.
#[derive(Clone, Debug)]
pub struct SchemaChange {
    /// By a copy beside the table, in place of a lock on it.
    pub online: bool,
    /// Core time to write one row anew.
    pub row_service: Distribution,
    /// Rows that an online change copies at a time, and the pause after them.
    pub chunk_rows: u32,
    pub chunk_every: SimDuration,
    /// It pauses while a replica is further behind.
    pub lag_max: SimDuration,
    /// How long it locks the table at most.
    pub cut_over_max: SimDuration,
}

/// What a backup store does.
#[derive(Clone, Copy, Debug)]
pub struct Backups {
    pub snapshot_every: SimDuration,
    /// Snapshots of a shard that are kept.
    pub snapshots: usize,
    pub binlog_every: SimDuration,
}

/// Core times.
#[derive(Clone, Debug)]
pub struct Services {
    pub query_proxy: Distribution,
    pub shard_proxy: Distribution,
    pub read: Distribution,
    /// For each row of a query over many.
    pub row: Distribution,
    pub write: Distribution,
    pub apply: Distribution,
}

/// Shared by every part of one cluster.
#[derive(Clone)]
pub struct SqlSettings {
    pub keys: KeySpace,
    pub sharding: Sharding,
    /// The map as an operator set it up.
    pub first_map: Rc<ShardMap>,
    /// The nodes of the configuration service: one or three.
    pub config: Vec<NodeId>,
    pub backup_store: Option<NodeId>,
    pub backups: Option<Backups>,
    /// Everybody who is told of a new map.
    pub proxies: Vec<NodeId>,
    /// Region of every node, by its number: operators wrote it down.
    pub regions: Vec<u8>,
    pub failover: Failover,
    /// How long a proxy waits for an answer.
    pub proxy_timeout: SimDuration,
    /// Queries that a query proxy has under way at most.
    pub proxy_in_flight_max: usize,
    /// Whether deadlines travel with queries, and work past them is dropped.
    pub deadlines: bool,
    pub retries: Option<Retries>,
    pub breaker: Option<Breaker>,
    pub buffering: Option<Buffering>,
    pub reads: ReadRouting,
    pub cache: Cache,
    pub pool: Pool,
    pub replication: Replication,
    /// Workers that apply the relay log at a replica.
    pub appliers: u32,
    pub storage: Storage,
    pub encryption: Encryption,
    pub resharding: Resharding,
    pub schema_change: SchemaChange,
    pub services: Services,
}

impl SqlSettings {
    /// A key's place in the shard map.
    #[inline]
    pub fn point(&self, key: KeyId) -> u32 {
        self.sharding.point(&self.keys, key)
    }
}
