//! The scenario file, field by field. Times are milliseconds unless the name says otherwise.
//!
//! Unknown fields are errors. Every field with a default says which; a field
//! that is left out is as if its default stood there.

use super::fault::ScheduledFault;
use super::names::{Seat, zone_of};
use crate::engine::Distribution;
use serde::{Deserialize, Serialize};

/// The version of the format that this program writes.
pub const SCENARIO_VERSION: u32 = 1;

/// Everything a run starts from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// Version of this format: 1.
    pub version: u32,
    /// Lower-case words joined by hyphens; the command line knows it by this.
    pub name: String,
    /// What the gallery shows it under.
    pub title: String,
    /// One sentence that the run answers.
    #[serde(default)]
    pub question: String,
    /// What to try, one plain sentence each.
    #[serde(default, rename = "try")]
    pub things_to_try: Vec<String>,
    /// Of every random stream; the same seed gives the same run. Default: 1.
    #[serde(default = "default_seed")]
    pub seed: u64,
    /// Simulated length of the run, 1 to 3,600,000.
    pub duration_ms: f64,
    /// Zone names, 1 to 8. Default: a, b, c.
    #[serde(default = "default_zones")]
    pub zones: Vec<String>,
    /// Which zones lie together; without any, all zones are one region.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub regions: Vec<RegionSection>,
    /// How messages travel when nothing is wrong.
    #[serde(default)]
    pub network: NetworkSection,
    /// Who asks for what.
    pub workload: WorkloadSection,
    /// One to four, each given the same workload and faults.
    pub clusters: Vec<ClusterSection>,
    /// What is broken, and when; at most 200. Every cluster gets all of them.
    #[serde(default)]
    pub faults: Vec<ScheduledFault>,
    /// What the command line judges a run by.
    #[serde(default)]
    pub checks: ChecksSection,
    /// Name of a price sheet in `static/prices/`.
    #[serde(default = "default_prices")]
    pub prices: String,
}

impl Scenario {
    /// The region of a zone, as an index; a zone that no region names is in the first one.
    pub fn region_of_zone(&self, zone: u8) -> u8 {
        let name = &self.zones[usize::from(zone)];
        self.regions.iter().position(|region| region.zones.contains(name)).unwrap_or(0) as u8
    }

    /// The zone of a node, as an index.
    pub fn zone_of(&self, section: &ClusterSection, seat: Seat) -> u8 {
        zone_of(section, seat, &self.zones)
    }

    pub fn region_of(&self, section: &ClusterSection, seat: Seat) -> u8 {
        self.region_of_zone(self.zone_of(section, seat))
    }
}

/// Zones that lie together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct RegionSection {
    /// Unique among the regions.
    pub name: String,
    /// Names of zones; every zone stands in one region.
    pub zones: Vec<String>,
}

/// Where some nodes stand, in place of their zone in turn.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct PlacementSection {
    /// The zone's name.
    pub zone: String,
    /// Names of nodes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub nodes: Vec<String>,
    /// Roles, all nodes of each; a node's own name counts more.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<String>,
}

/// How messages travel when nothing is wrong.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct NetworkSection {
    /// One way, within a zone.
    pub same_zone: Distribution,
    /// One way, between zones.
    pub cross_zone: Distribution,
    /// One way, between regions. Default: 40 ms, as between the coasts of the United States.
    pub cross_region: Distribution,
    /// Probability that a packet is lost, 0 to 0.5.
    pub loss: f64,
    /// Per link; none is unlimited.
    pub bandwidth_mbit_per_s: Option<f64>,
    /// A stalled connection is given up after this.
    pub stream_timeout_ms: f64,
}

impl Default for NetworkSection {
    fn default() -> Self {
        NetworkSection {
            same_zone: lognormal(0.15, 0.3),
            cross_zone: lognormal(0.6, 0.25),
            cross_region: lognormal(40.4, 0.04),
            loss: 0.0,
            bandwidth_mbit_per_s: None,
            stream_timeout_ms: 10_000.0,
        }
    }
}

/// Who asks for what.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct WorkloadSection {
    /// Client processes, 1 to 256; they share the rate evenly.
    #[serde(default = "default_clients")]
    pub clients: u32,
    /// Operations a second from all clients together (Poisson).
    pub rate_per_s: f64,
    /// Share of reads, 0 to 1.
    #[serde(default = "default_reads")]
    pub reads: f64,
    /// Share of the reads that ask for a range of keys, 0 to 1. Sharded SQL only.
    #[serde(default)]
    pub scans: f64,
    /// Share of the reads that ask for the rows written most often, 0 to 1. Sharded SQL only.
    #[serde(default)]
    pub tops: f64,
    /// Share of the reads that ask for a row and the one that it refers to, 0 to 1. Sharded SQL only.
    #[serde(default)]
    pub joins: f64,
    /// Rows that a scan spans and a top asks for, 1 to 1,000.
    #[serde(default = "default_query_rows")]
    pub query_rows: u16,
    /// Number of keys, 1 to 1,000,000.
    #[serde(default = "default_keys")]
    pub keys: u32,
    /// Zipf's constant, 0 (uniform) to 2; YCSB's is 0.99.
    #[serde(default = "default_theta")]
    pub zipf_theta: f64,
    /// Payload of a write in bytes: constant, or between two numbers.
    #[serde(default)]
    pub payload_bytes: PayloadBytes,
    /// After this a client no longer waits; the operation's outcome is unknown.
    #[serde(default = "default_client_timeout")]
    pub timeout_ms: f64,
    /// Operations that one client has under way at most; above it refuses at once.
    #[serde(default = "default_in_flight")]
    pub in_flight_max: u32,
}

/// Size of a payload.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum PayloadBytes {
    /// Always as many, 0 to 1,048,576.
    Constant(u32),
    /// From the first to the second number, each equally likely.
    Uniform([u32; 2]),
}

impl Default for PayloadBytes {
    fn default() -> Self {
        PayloadBytes::Constant(200)
    }
}

/// One architecture under test.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum ClusterSection {
    /// Query proxies, shard proxies, MySQL primaries and replicas, a configuration service.
    ShardedSql(Box<SqlSection>),
    /// Equal nodes on a token ring, with quorums and gossip.
    GossipRing(Box<RingSection>),
}

impl ClusterSection {
    pub fn placement(&self) -> &[PlacementSection] {
        match self {
            ClusterSection::ShardedSql(sql) => &sql.placement,
            ClusterSection::GossipRing(ring) => &ring.placement,
        }
    }

    pub fn name(&self) -> &str {
        match self {
            ClusterSection::ShardedSql(sql) => &sql.name,
            ClusterSection::GossipRing(ring) => &ring.name,
        }
    }

    /// Its kind in scenario files and reports.
    pub fn kind(&self) -> &'static str {
        match self {
            ClusterSection::ShardedSql(_) => "sharded_sql",
            ClusterSection::GossipRing(_) => "gossip_ring",
        }
    }
}

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

/// When an acknowledged write is on disk.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum SyncPolicy {
    /// The acknowledgement waits for the fsync (shared with others: group commit).
    EveryWrite,
    /// The acknowledgement does not wait; an fsync runs at this interval.
    EveryMs(f64),
}

/// A machine type of the price sheet, with its capacity.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct MachineSection {
    /// An item of the price sheet, priced by the hour.
    pub machine_type: String,
    /// 1 to 256.
    pub cores: u16,
    /// Jobs that wait for a core at most; the next is turned away.
    pub queue_limit: u32,
    /// Provisioned storage, priced by gigabyte and month.
    pub storage_gb: f64,
}

impl Default for MachineSection {
    fn default() -> Self {
        MachineSection {
            machine_type: "EC2 m6i.large".to_string(),
            cores: 2,
            queue_limit: 512,
            storage_gb: 0.0,
        }
    }
}

/// A disk's times.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct DiskSection {
    /// Time of one read that memory does not have.
    pub read: Distribution,
    /// Time of one fsync; writes that wait together share it.
    pub fsync: Distribution,
}

impl Default for DiskSection {
    fn default() -> Self {
        DiskSection { read: lognormal(0.5, 0.3), fsync: lognormal(0.9, 0.4) }
    }
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

/// Encryption, and what it costs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct EncryptionSection {
    /// TLS between services, clients included.
    pub in_transit: bool,
    /// Core time for each message received: for it and for the answer.
    pub message_ms: f64,
    /// And for each kilobyte of it.
    pub kilobyte_ms: f64,
    /// Pages and logs are encrypted on disk.
    pub at_rest: bool,
    /// Core time for each page read and each transaction written.
    pub io_ms: f64,
}

impl Default for EncryptionSection {
    fn default() -> Self {
        EncryptionSection {
            in_transit: false,
            message_ms: 0.01,
            kilobyte_ms: 0.002,
            at_rest: false,
            io_ms: 0.02,
        }
    }
}

/// A gossip-based ring.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct RingSection {
    /// Unique in the scenario. Default: Gossip ring.
    pub name: String,
    /// Ring nodes, 1 to 256.
    pub nodes: u32,
    /// Nodes that stand elsewhere than in turn.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub placement: Vec<PlacementSection>,
    /// Tokens per node, 1 to 256.
    pub virtual_nodes: u32,
    /// Replicas per key, 1 to 16 and at most the number of nodes.
    pub n: u32,
    /// Replies that a read waits for.
    pub r: u32,
    /// Acknowledgements that a write waits for.
    pub w: u32,
    /// How nodes learn of each other.
    pub gossip: GossipSection,
    /// Whether a read that saw different versions writes the newest back.
    pub read_repair: bool,
    /// When an acknowledged write is on disk.
    pub commit_log_sync: SyncPolicy,
    /// A coordinator no longer waits after this.
    pub request_timeout_ms: f64,
    /// Requests that one coordinator has under way at most.
    pub in_flight_max: u32,
    /// How wrong each node's clock is from the start: a draw of this, before or after true time.
    pub clock_offset: Distribution,
    /// What every ring node runs on.
    pub machine: MachineSection,
    /// Every ring node's disk.
    pub disk: DiskSection,
    /// Core time of a coordinator per request, and per reply that it handles.
    pub coordinator_service: Distribution,
    /// Core time of a replica for a read.
    pub read_service: Distribution,
    /// Core time of a replica for a write.
    pub write_service: Distribution,
    /// Core time for one gossip message.
    pub gossip_service: Distribution,
    /// Delays per message leg, in place of the network's; a coordinator's own replica included.
    #[serde(skip_serializing_if = "LegDelays::is_empty")]
    pub legs: LegDelays,
}

impl Default for RingSection {
    fn default() -> Self {
        RingSection {
            name: "Gossip ring".to_string(),
            nodes: 6,
            placement: Vec::new(),
            virtual_nodes: 16,
            n: 3,
            r: 1,
            w: 1,
            gossip: GossipSection::default(),
            read_repair: true,
            commit_log_sync: SyncPolicy::EveryMs(1_000.0),
            request_timeout_ms: 800.0,
            in_flight_max: 1_024,
            clock_offset: Distribution::constant_ms(0.0),
            machine: MachineSection {
                machine_type: "EC2 m6i.large".to_string(),
                cores: 2,
                queue_limit: 512,
                storage_gb: 100.0,
            },
            disk: DiskSection::default(),
            coordinator_service: lognormal(0.04, 0.3),
            read_service: lognormal(0.2, 0.4),
            write_service: lognormal(0.12, 0.4),
            gossip_service: lognormal(0.03, 0.3),
            legs: LegDelays::default(),
        }
    }
}

/// Message legs of a quorum operation, each with a delay of its own.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct LegDelays {
    /// Coordinator to replica, with the new value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub write_request: Option<Distribution>,
    /// Replica to coordinator.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub write_acknowledgement: Option<Distribution>,
    /// Coordinator to replica.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub read_request: Option<Distribution>,
    /// Replica to coordinator, with the value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub read_response: Option<Distribution>,
}

impl LegDelays {
    pub fn is_empty(&self) -> bool {
        *self == LegDelays::default()
    }
}

/// Gossip and the failure detector that it feeds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct GossipSection {
    /// Time from one round to the next.
    pub interval_ms: f64,
    /// Neighbours that a node knows and talks to, 1 to 3.
    pub neighbours: u32,
    /// Suspicion level at which a node is believed dead; Cassandra's is 8.
    pub phi_threshold: f64,
}

impl Default for GossipSection {
    fn default() -> Self {
        GossipSection { interval_ms: 200.0, neighbours: 3, phi_threshold: 8.0 }
    }
}

/// Limits that a run must keep; exit code 1 of the command line if one is violated.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct ChecksSection {
    /// Acknowledged writes that nobody can read any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lost_acknowledged_writes_max: Option<u64>,
    /// Reads older than a write acknowledged before they began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stale_reads_max: Option<u64>,
    /// Of reads and writes alike.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latency_ms_p99_max: Option<f64>,
    /// Share of operations that succeed, 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub success_share_min: Option<f64>,
}

fn lognormal(median_ms: f64, sigma: f64) -> Distribution {
    Distribution::Lognormal(crate::engine::distribution::Lognormal { median_ms, sigma })
}

fn default_seed() -> u64 {
    1
}
fn default_zones() -> Vec<String> {
    ["a", "b", "c"].map(String::from).to_vec()
}
fn default_prices() -> String {
    "aws-us-east-1-on-demand".to_string()
}
fn default_clients() -> u32 {
    12
}
fn default_query_rows() -> u16 {
    10
}
fn default_semi_sync_replicas() -> u32 {
    1
}
fn default_semi_sync_timeout() -> f64 {
    10_000.0
}
fn default_reads() -> f64 {
    0.9
}
fn default_keys() -> u32 {
    10_000
}
fn default_theta() -> f64 {
    0.99
}
fn default_client_timeout() -> f64 {
    1_000.0
}
fn default_in_flight() -> u32 {
    1_024
}
