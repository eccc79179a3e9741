//! The part of the scenario file about a sharded SQL cluster.

use super::schema::{DiskSection, EncryptionSection, MachineSection, PlacementSection, lognormal};
use super::service_schema::ServiceSection;
use crate::engine::Distribution;
use serde::{Deserialize, Serialize};

/// Where reads go.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ReadFrom {
    /// The newest data, at the price of the primary's load.
    Primary,
    /// Any replica: data that may be old.
    Replica,
    /// Replicas that were at most so many milliseconds behind when last asked; else the primary.
    WithinLagMs(f64),
    /// Replicas that have what the session wrote; one that has not waits for it
    /// so many milliseconds (0: not at all), then the primary is asked.
    ReadYourWritesWaitMs(f64),
}

/// When a commit has to be on disk.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum LogSyncPolicy {
    /// The acknowledgement waits for the fsync (shared with others: group commit).
    EveryWrite,
    /// The acknowledgement does not wait; an fsync begins with every so many commits.
    EveryWrites(u32),
    /// The acknowledgement does not wait; an fsync runs at this interval.
    EveryMs(f64),
}

/// What a commit waits for besides its own disk.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum ReplicationMode {
    /// Nothing: replicas follow when they can.
    Asynchronous,
    /// Some replicas, for some time: MySQL's semi-synchronous replication, `AFTER_SYNC`.
    SemiSynchronous {
        /// How many have to have it on disk. MySQL's default: 1.
        #[serde(default = "default_semi_sync_replicas")]
        replicas: u32,
        /// After this it goes on asynchronously until they have caught up. MySQL's default: 10,000.
        #[serde(default = "default_semi_sync_timeout")]
        timeout_ms: f64,
    },
    /// All replicas, however long it takes.
    Synchronous,
}

/// How an old primary is kept from taking writes when another is promoted.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum FencingMode {
    /// Not at all: whoever still reaches it can write to it.
    None,
    /// A primary takes queries only while it has a lease of so many milliseconds, and nobody is promoted before that ran out.
    LeaseMs(f64),
    /// It is switched off over the management network, for so many milliseconds.
    ShutdownMs(f64),
}

/// A sharded SQL cluster.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct SqlSection {
    /// Unique in the scenario. Default: Sharded SQL.
    pub name: String,
    /// Query proxies, 1 to 16.
    pub query_proxies: u32,
    /// Ranges of keys by how their names begin; together they cover A to Z once.
    pub shards: Vec<ShardRange>,
    /// So many shards by a hash of the key, 1 to 64, in place of `shards`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hash_shards: Option<u32>,
    /// Shards that stand by without keys, for a split, 0 to 8.
    pub spare_shards: u32,
    /// How a range of keys moves to another shard.
    pub resharding: ReshardingSection,
    /// How the schema of a table is changed.
    pub schema_change: SchemaChangeSection,
    /// A store of snapshots and binlogs, from which a shard can be restored.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backups: Option<BackupsSection>,
    /// A service that counts views in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<Box<ServiceSection>>,
    /// Nodes that stand elsewhere than in turn.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub placement: Vec<PlacementSection>,
    /// Proxies of each shard, 1 to 3.
    pub shard_proxies: u32,
    /// Replicas per shard, 0 to 5.
    pub replicas: u32,
    /// Nodes of the configuration service: 1, or 3 of which a majority must agree.
    pub config_nodes: u32,
    /// Where reads go that the cache does not answer.
    pub reads: ReadFrom,
    /// Every shard proxy's.
    pub cache: CacheSection,
    /// How the configuration service finds out that a node is dead.
    pub health_check: HealthCheckSection,
    /// What it does then.
    pub failover: FailoverSection,
    /// What a commit waits for besides its own disk.
    pub replication: ReplicationMode,
    /// Workers that apply the relay log at a replica, 1 to 64. MySQL's default: 4.
    pub appliers: u32,
    /// When a commit is on disk in the redo log.
    pub redo_log_sync: LogSyncPolicy,
    /// When a commit is on disk in the binlog.
    pub binlog_sync: LogSyncPolicy,
    /// Memory for pages; without it all rows are in memory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub buffer_pool: Option<BufferPoolSection>,
    /// Recovery after a crash.
    pub recovery: RecoverySection,
    /// Transactions that want the same row.
    pub row_locks: RowLocksSection,
    /// A query proxy or shard proxy no longer waits after this.
    pub proxy_timeout_ms: f64,
    /// Whether deadlines travel with queries, and work past them is dropped.
    pub deadlines: bool,
    /// Second attempts of query proxies; without it there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retries: Option<RetriesSection>,
    /// A circuit breaker per shard at every query proxy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub circuit_breaker: Option<CircuitBreakerSection>,
    /// Query proxies keep writes back while a shard has no primary.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub buffering: Option<BufferingSection>,
    /// Connections of a shard proxy to each MySQL node.
    pub pool_size: u32,
    /// Queries that wait for a connection at most, to each node.
    pub pool_queue: u32,
    /// A query that waits for a connection gives up after this.
    pub pool_timeout_ms: f64,
    /// If the first in the queue has waited this long, new queries are turned away.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shed_after_ms: Option<f64>,
    /// Encryption, and what it costs.
    pub encryption: EncryptionSection,
    /// What query proxies, shard proxies and the configuration service run on.
    pub proxy_machine: MachineSection,
    /// What MySQL runs on.
    pub mysql_machine: MachineSection,
    /// MySQL's disk.
    pub disk: DiskSection,
    /// Core time of a query proxy per query.
    pub query_proxy_service: Distribution,
    /// Core time of a shard proxy per query.
    pub shard_proxy_service: Distribution,
    /// Core time of MySQL for a point read.
    pub read_service: Distribution,
    /// Core time of MySQL for each row of a query over many.
    pub row_service: Distribution,
    /// Core time of MySQL for a write, before its fsync.
    pub write_service: Distribution,
    /// Core time of a replica to apply one write.
    pub apply_service: Distribution,
}

impl SqlSection {
    /// How many shards have keys at the start.
    pub fn shard_count(&self) -> u32 {
        self.hash_shards.unwrap_or(self.shards.len() as u32)
    }

    /// With those that stand by.
    pub fn shard_count_in_all(&self) -> u32 {
        self.shard_count() + self.spare_shards
    }
}

impl Default for SqlSection {
    fn default() -> Self {
        SqlSection {
            name: "Sharded SQL".to_string(),
            query_proxies: 2,
            shards: vec![ShardRange::new("A", "M"), ShardRange::new("N", "Z")],
            hash_shards: None,
            spare_shards: 0,
            resharding: ReshardingSection::default(),
            schema_change: SchemaChangeSection::default(),
            backups: None,
            service: None,
            placement: Vec::new(),
            shard_proxies: 1,
            replicas: 1,
            config_nodes: 1,
            reads: ReadFrom::Primary,
            cache: CacheSection::default(),
            health_check: HealthCheckSection::default(),
            failover: FailoverSection::default(),
            replication: ReplicationMode::Asynchronous,
            appliers: 1,
            redo_log_sync: LogSyncPolicy::EveryWrite,
            binlog_sync: LogSyncPolicy::EveryWrite,
            buffer_pool: None,
            recovery: RecoverySection::default(),
            row_locks: RowLocksSection::default(),
            proxy_timeout_ms: 800.0,
            deadlines: true,
            retries: None,
            circuit_breaker: None,
            buffering: None,
            pool_size: 256,
            pool_queue: 0,
            pool_timeout_ms: 100.0,
            shed_after_ms: None,
            encryption: EncryptionSection::default(),
            proxy_machine: MachineSection::default(),
            mysql_machine: MachineSection {
                machine_type: "RDS MySQL Single-AZ db.m6i.large".to_string(),
                cores: 2,
                queue_limit: 512,
                storage_gb: 100.0,
            },
            disk: DiskSection::default(),
            query_proxy_service: lognormal(0.04, 0.3),
            shard_proxy_service: lognormal(0.03, 0.3),
            read_service: lognormal(0.25, 0.4),
            row_service: Distribution::constant_ms(0.002),
            write_service: lognormal(0.35, 0.4),
            apply_service: lognormal(0.3, 0.4),
        }
    }
}

/// Keys whose names begin in a range, both ends included.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ShardRange {
    /// The beginning of the first names: a letter A to Z, and up to three more characters, such as K5.
    pub from: String,
    /// The beginning of the last names, included.
    pub to: String,
}

impl ShardRange {
    pub fn new(from: &str, to: &str) -> ShardRange {
        ShardRange { from: from.to_string(), to: to.to_string() }
    }
}

/// The shard proxy's result cache.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct CacheSection {
    /// Results kept at most; 0 switches the cache off.
    pub entries: u32,
    /// Bytes that they take at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// Whether a read of a row that is just being read waits for that answer.
    pub coalescing: bool,
    /// How long a result is served after it was read.
    pub ttl_ms: f64,
}

impl Default for CacheSection {
    fn default() -> Self {
        CacheSection { entries: 1_000, bytes: None, coalescing: false, ttl_ms: 1_000.0 }
    }
}

/// How the configuration service finds out that a node is dead.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct HealthCheckSection {
    /// Time from one check to the next.
    pub interval_ms: f64,
    /// A check without an answer after this counts as a miss.
    pub timeout_ms: f64,
    /// Consecutive misses until it counts as dead, 1 to 100.
    pub threshold: u32,
}

impl Default for HealthCheckSection {
    fn default() -> Self {
        HealthCheckSection { interval_ms: 500.0, timeout_ms: 400.0, threshold: 3 }
    }
}

/// What the configuration service does about a dead primary.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct FailoverSection {
    /// How the old primary is kept from taking writes.
    pub fencing: FencingMode,
    /// After a failover, none of the same shard for so long. VTOrc's default: 30,000; Orchestrator's: 3,600,000.
    pub block_ms: f64,
    /// Whether a replica in another region may be promoted.
    pub cross_region: bool,
    /// How long a leader of the configuration service leads without being confirmed by a majority.
    pub leader_lease_ms: f64,
}

impl Default for FailoverSection {
    fn default() -> Self {
        FailoverSection {
            fencing: FencingMode::None,
            block_ms: 30_000.0,
            cross_region: true,
            leader_lease_ms: 2_000.0,
        }
    }
}

/// How a range of keys moves to another shard.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct ReshardingSection {
    /// Rows that are copied at a time.
    pub chunk_rows: u32,
    /// Pause after them, so that the copy leaves room for queries.
    pub chunk_every_ms: f64,
    /// How long the source takes no writes at most, when the range is handed over.
    pub write_pause_ms_max: f64,
}

impl Default for ReshardingSection {
    fn default() -> Self {
        ReshardingSection { chunk_rows: 50, chunk_every_ms: 20.0, write_pause_ms_max: 500.0 }
    }
}

/// How the schema of a table is changed. Defaults of the online change are gh-ost's (1.1), with a chunk and a pause for smaller tables.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct SchemaChangeSection {
    /// By a copy beside the table; otherwise the table is locked until it is rewritten.
    pub online: bool,
    /// Core time to write one row as the new schema has it.
    pub row_service: Distribution,
    /// Rows that an online change copies at a time.
    pub chunk_rows: u32,
    /// Pause after them, so that the copy leaves room for queries.
    pub chunk_every_ms: f64,
    /// An online change pauses while a replica is further behind than this.
    pub lag_ms_max: f64,
    /// How long an online change locks the table at most, when it puts the new one in its place.
    pub cut_over_ms_max: f64,
}

impl Default for SchemaChangeSection {
    fn default() -> Self {
        SchemaChangeSection {
            online: true,
            row_service: Distribution::constant_ms(0.2),
            chunk_rows: 100,
            chunk_every_ms: 20.0,
            lag_ms_max: 1_500.0,
            cut_over_ms_max: 3_000.0,
        }
    }
}

/// A store of snapshots and binlogs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct BackupsSection {
    /// Time from one snapshot of a shard to the next.
    pub snapshot_every_ms: f64,
    /// Snapshots of a shard that are kept, with the binlog since the oldest.
    pub snapshots: u32,
    /// Time from one fetch of the binlog to the next: so much can be lost.
    pub binlog_every_ms: f64,
}

impl Default for BackupsSection {
    fn default() -> Self {
        BackupsSection { snapshot_every_ms: 30_000.0, snapshots: 2, binlog_every_ms: 1_000.0 }
    }
}

/// Second attempts of query proxies.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct RetriesSection {
    /// Attempts after the first, 1 to 20.
    pub max: u32,
    /// An attempt without an answer after this counts as failed.
    pub attempt_timeout_ms: f64,
    /// Wait before the first retry, doubled each time.
    pub backoff_ms: f64,
    /// Longest wait.
    pub backoff_ms_max: f64,
    /// Whether each wait is drawn between zero and its length.
    pub jitter: bool,
    /// Retries per query on average, such as 0.2; null is unlimited.
    pub budget: Option<f64>,
    /// Whether a write is sent again that may have been done already.
    pub unknown_writes: bool,
}

impl Default for RetriesSection {
    fn default() -> Self {
        RetriesSection {
            max: 2,
            attempt_timeout_ms: 300.0,
            backoff_ms: 10.0,
            backoff_ms_max: 1_000.0,
            jitter: true,
            budget: Some(0.2),
            unknown_writes: false,
        }
    }
}

/// A circuit breaker per shard at every query proxy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct CircuitBreakerSection {
    /// Consecutive failures that open it.
    pub failures: u32,
    /// How long queries then fail at once, before one is let through.
    pub open_ms: f64,
}

impl Default for CircuitBreakerSection {
    fn default() -> Self {
        CircuitBreakerSection { failures: 20, open_ms: 1_000.0 }
    }
}

/// Query proxies keep writes back while a shard has no primary. Defaults are VTGate's (Vitess 20).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct BufferingSection {
    /// Queries kept at most, over all shards; the oldest is given up for a new one.
    pub size: u32,
    /// How long one query is kept at most.
    pub window_ms: f64,
    /// How long a failover is waited for at most.
    pub failover_ms_max: f64,
    /// A failover that begins sooner after the last one is not waited for.
    pub failovers_apart_ms: f64,
    /// How many queries go on at once when it ends.
    pub drain_concurrency: u32,
}

impl Default for BufferingSection {
    fn default() -> Self {
        BufferingSection {
            size: 1_000,
            window_ms: 10_000.0,
            failover_ms_max: 20_000.0,
            failovers_apart_ms: 60_000.0,
            drain_concurrency: 1,
        }
    }
}

/// MySQL's memory for pages.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct BufferPoolSection {
    /// Pages in memory at most.
    pub pages: u32,
    /// Rows on one page.
    pub rows_per_page: u32,
}

impl Default for BufferPoolSection {
    fn default() -> Self {
        BufferPoolSection { pages: 1_000, rows_per_page: 10 }
    }
}

/// Recovery after a crash.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct RecoverySection {
    /// Time from one checkpoint to the next: recovery begins at the last one.
    pub checkpoint_every_ms: f64,
    /// Core time to recover one transaction.
    pub service: Distribution,
}

impl Default for RecoverySection {
    fn default() -> Self {
        RecoverySection { checkpoint_every_ms: 30_000.0, service: Distribution::constant_ms(0.05) }
    }
}

/// Transactions that want the same row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct RowLocksSection {
    /// How long one waits for a row. MySQL's default: 50,000.
    pub wait_timeout_ms: f64,
    /// Transactions that wait for one row at most; the next is turned away.
    pub queue: u32,
}

impl Default for RowLocksSection {
    fn default() -> Self {
        RowLocksSection { wait_timeout_ms: 50_000.0, queue: 10_000 }
    }
}

fn default_semi_sync_replicas() -> u32 {
    1
}

fn default_semi_sync_timeout() -> f64 {
    10_000.0
}
