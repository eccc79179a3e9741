//! The part of the scenario file about a gossip-based ring.

use super::membership_schema::{FailureDetectionSection, GossipSection};
use super::schema::{
    DiskSection, EncryptionSection, MachineSection, PlacementSection, SyncPolicy, lognormal,
};
use super::service_schema::ServiceSection;
use crate::engine::Distribution;
use serde::{Deserialize, Serialize};

/// A gossip-based ring.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct RingSection {
    /// Unique in the scenario. Default: Gossip ring.
    pub name: String,
    /// Ring nodes, 1 to 1,000 with the spares.
    pub nodes: u32,
    /// Nodes that have a machine and are no part of the ring at the start; named after the others.
    pub spares: u32,
    /// What one node streams to others when ranges move, in megabits per second. Cassandra's default: 200.
    pub stream_mbit_per_s: f64,
    /// A service that counts views in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<Box<ServiceSection>>,
    /// Nodes that stand elsewhere than in turn.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub placement: Vec<PlacementSection>,
    /// How the ring is divided and dealt out to nodes.
    pub partitioning: PartitioningMode,
    /// Tokens per node, 1 to 256; without meaning with equal shares.
    pub virtual_nodes: u32,
    /// Equal partitions of the ring, unless it is divided by token; at least the number of nodes.
    pub partitions: u32,
    /// Wide rows: so many neighbouring keys, 2 to 10,000, form one partition. They share their replicas, and a scan
    /// within them is one read. Without, each key stands alone, and there are no scans.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rows_per_partition: Option<u32>,
    /// Replicas per key, 1 to 16 and at most the number of nodes.
    pub n: u32,
    /// Replies that a read waits for.
    pub r: u32,
    /// Acknowledgements that a write waits for.
    pub w: u32,
    /// The level of reads by its name, in place of `r`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub read_level: Option<LevelName>,
    /// The level of writes by its name, in place of `w`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub write_level: Option<LevelName>,
    /// What becomes of two writes that did not know of each other.
    pub versions: VersionsMode,
    /// Whether healthy nodes stand in for replicas that are believed dead.
    pub sloppy_quorum: bool,
    /// Whether clients send a request to a replica of its key, not to any node.
    pub token_aware: bool,
    /// Whether clients send requests to nodes of their own region only, if there are any.
    pub region_aware: bool,
    /// Which replicas a read asks.
    pub read_from: ReadReplicas,
    /// Which replicas a write is sent to.
    pub write_to: WriteReplicas,
    /// Whether all but one replica answer a read with a digest of the content.
    pub digest_reads: bool,
    /// A read that takes longer than this percentile of the latest asks one more replica. Cassandra's default: 99.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub speculative_retry_percentile: Option<f64>,
    /// Writes are kept for replicas that are not there, and delivered when they are back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hinted_handoff: Option<HintedHandoffSection>,
    /// Replicas compare what they have by Merkle trees.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub anti_entropy: Option<AntiEntropySection>,
    /// How long tombstones are kept. Cassandra's default: ten days.
    pub gc_grace_ms: f64,
    /// How nodes learn of each other.
    pub gossip: GossipSection,
    /// How a node comes to believe another one dead.
    pub failure_detection: FailureDetectionSection,
    /// What a read does about replicas that it found behind; true is background, false none.
    #[serde(deserialize_with = "read_repair")]
    #[cfg_attr(not(target_arch = "wasm32"), schemars(with = "ModeOrSwitch"))]
    pub read_repair: ReadRepairMode,
    /// When an acknowledged write is on disk.
    pub commit_log_sync: SyncPolicy,
    /// A log-structured store: memtables, sorted tables, compaction. Without, all rows are in memory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub storage: Option<StorageSection>,
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
    /// Encryption, and what it costs.
    pub encryption: EncryptionSection,
    /// Core time of a coordinator per request, and per reply that it handles.
    pub coordinator_service: Distribution,
    /// Core time of a replica for a read.
    pub read_service: Distribution,
    /// Core time of a replica for each row of a scan, on top.
    pub row_service: Distribution,
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
            spares: 0,
            stream_mbit_per_s: 200.0,
            service: None,
            placement: Vec::new(),
            partitioning: PartitioningMode::ByToken,
            virtual_nodes: 16,
            partitions: 1_024,
            rows_per_partition: None,
            n: 3,
            r: 1,
            w: 1,
            read_level: None,
            write_level: None,
            versions: VersionsMode::LastWriteWins,
            sloppy_quorum: false,
            token_aware: false,
            region_aware: false,
            read_from: ReadReplicas::All,
            write_to: WriteReplicas::All,
            digest_reads: false,
            speculative_retry_percentile: None,
            hinted_handoff: None,
            anti_entropy: None,
            gc_grace_ms: 864_000_000.0,
            gossip: GossipSection::default(),
            failure_detection: FailureDetectionSection::default(),
            read_repair: ReadRepairMode::Background,
            commit_log_sync: SyncPolicy::EveryMs(1_000.0),
            storage: None,
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
            encryption: EncryptionSection::default(),
            coordinator_service: lognormal(0.04, 0.3),
            read_service: lognormal(0.2, 0.4),
            row_service: Distribution::constant_ms(0.002),
            write_service: lognormal(0.12, 0.4),
            gossip_service: lognormal(0.03, 0.3),
            legs: LegDelays::default(),
        }
    }
}

/// How the ring is divided and dealt out: the strategies of the Dynamo paper (2007, section 6.2), in its order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum PartitioningMode {
    /// Every node draws tokens; ranges end at tokens. Cassandra's way.
    ByToken,
    /// Equal partitions, each held by the nodes whose random tokens follow its end.
    EqualRanges,
    /// Equal partitions, as many for each node.
    EqualShares,
}

/// Consistency levels by their names in Cassandra. A data centre is a region.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum LevelName {
    One,
    Two,
    /// More than half of all replicas.
    Quorum,
    /// One in the coordinator's data centre.
    LocalOne,
    /// More than half of those in the coordinator's data centre.
    LocalQuorum,
    /// More than half of those in each data centre.
    EachQuorum,
    All,
}

impl LevelName {
    /// As Cassandra writes it.
    pub fn in_words(self) -> &'static str {
        match self {
            LevelName::One => "ONE",
            LevelName::Two => "TWO",
            LevelName::Quorum => "QUORUM",
            LevelName::LocalOne => "LOCAL_ONE",
            LevelName::LocalQuorum => "LOCAL_QUORUM",
            LevelName::EachQuorum => "EACH_QUORUM",
            LevelName::All => "ALL",
        }
    }
}

/// What becomes of two writes that did not know of each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum VersionsMode {
    /// The one with the later time stamp of its coordinator stays.
    LastWriteWins,
    /// Both stay as siblings, told apart by version vectors, until a client that has read both writes.
    Siblings,
    /// Each row is a counter that grows: a write adds one.
    GCounter,
    /// Each row is a counter that can go down too: a write adds one, or takes one away.
    PnCounter,
    /// There are none: every operation is a round of Paxos, and who counts sets on condition that nothing changed.
    CompareAndSet,
}

/// Which replicas a read asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ReadReplicas {
    /// All of them, and the first answers count (Dynamo).
    All,
    /// The nearest, as many as it needs (Cassandra).
    Needed,
    /// As many as it needs, drawn for each read.
    Drawn,
}

/// Which replicas a write is sent to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum WriteReplicas {
    /// All of them, and the first acknowledgements count.
    All,
    /// As many as must acknowledge it, drawn for each write: another one never gets it, but by repair.
    Drawn,
}

/// What a read does about replicas that it found behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ReadRepairMode {
    None,
    /// Brings them up to date after the answer.
    Background,
    /// And before it, so that reads of a quorum do not go backwards. Cassandra's default.
    Blocking,
}

/// As it stood in older files, true or false; or a name.
fn read_repair<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<ReadRepairMode, D::Error> {
    Ok(match ModeOrSwitch::deserialize(deserializer)? {
        ModeOrSwitch::Switch(true) => ReadRepairMode::Background,
        ModeOrSwitch::Switch(false) => ReadRepairMode::None,
        ModeOrSwitch::Mode(mode) => mode,
    })
}

/// A mode by its name; true is background, false none.
#[derive(Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
#[serde(untagged)]
enum ModeOrSwitch {
    Mode(ReadRepairMode),
    Switch(bool),
}

/// Writes that are kept for replicas that are not there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct HintedHandoffSection {
    /// For so long after the first that was kept. Cassandra's default: three hours.
    pub window_ms: f64,
    /// Hints delivered to one replica per second.
    pub rate_per_s: f64,
}

impl Default for HintedHandoffSection {
    fn default() -> Self {
        HintedHandoffSection { window_ms: 10_800_000.0, rate_per_s: 1_000.0 }
    }
}

/// Replicas compare what they have by Merkle trees.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct AntiEntropySection {
    /// Time from one comparison that a node begins to the next.
    pub interval_ms: f64,
    /// Depth of the tree, 1 to 15: it has two to the power of this many leaves.
    pub depth: u32,
    /// Core time to read and hash one key.
    pub key_service: Distribution,
}

impl Default for AntiEntropySection {
    fn default() -> Self {
        AntiEntropySection { interval_ms: 10_000.0, depth: 10, key_service: Distribution::constant_ms(0.002) }
    }
}

/// A log-structured store. Sizes are scaled down to runs of some minutes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct StorageSection {
    /// A memtable of so many megabytes (1,000,000 bytes) is flushed.
    pub memtable_mb: f64,
    /// The commit log has so many megabytes at most; each memtable has half of it.
    pub commit_log_mb: f64,
    /// Share of the tables without a row that a Bloom filter takes for one with it; 1 is no filter. Cassandra's: 0.01.
    pub bloom_filter_false_positives: f64,
    /// Blocks of tables that are kept in memory, in megabytes.
    pub block_cache_mb: f64,
    /// What the disk reads or writes in sequence.
    pub disk_mb_per_s: f64,
    /// Which tables are merged; null: none.
    pub compaction: Option<CompactionSection>,
    /// Megabytes that compactions of a node read per second at most; null is as many as it can. Cassandra's: 64.
    pub compaction_mb_per_s: Option<f64>,
    /// Core time of a read for each table that it looks into.
    pub table_service: Distribution,
    /// Core time for each row that a flush or a compaction merges.
    pub merge_service: Distribution,
    /// Core time to replay one record of the commit log after a crash.
    pub replay_service: Distribution,
}

impl Default for StorageSection {
    fn default() -> Self {
        StorageSection {
            memtable_mb: 1.0,
            commit_log_mb: 8.0,
            bloom_filter_false_positives: 0.01,
            block_cache_mb: 4.0,
            disk_mb_per_s: 200.0,
            compaction: Some(CompactionSection::SizeTiered(SizeTieredSection::default())),
            compaction_mb_per_s: Some(64.0),
            table_service: Distribution::constant_ms(0.02),
            merge_service: Distribution::constant_ms(0.002),
            replay_service: Distribution::constant_ms(0.01),
        }
    }
}

/// Which sorted tables are merged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum CompactionSection {
    /// Those of like size; Cassandra's default.
    SizeTiered(SizeTieredSection),
    /// Those that overlap between levels.
    Levelled(LevelledSection),
}

/// Compaction of tables of like size, with the defaults of Cassandra.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct SizeTieredSection {
    /// Tables of like size that are merged at least.
    pub min_threshold: u32,
    /// And at most; not less.
    pub max_threshold: u32,
    /// Tables are alike from so many times the mean of their bucket.
    pub bucket_low: f64,
    /// To so many times.
    pub bucket_high: f64,
}

impl Default for SizeTieredSection {
    fn default() -> Self {
        SizeTieredSection { min_threshold: 4, max_threshold: 32, bucket_low: 0.5, bucket_high: 1.5 }
    }
}

/// Compaction by levels.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct LevelledSection {
    /// Size of a table above level 0, in megabytes. Cassandra's: 160.
    pub table_mb: f64,
    /// A level holds so many times as much as the one before. Cassandra's: 10.
    pub fan_out: u32,
}

impl Default for LevelledSection {
    fn default() -> Self {
        LevelledSection { table_mb: 1.0, fan_out: 10 }
    }
}

/// Message legs of a quorum operation, each with a delay of its own.
///
/// Published models of partial quorums draw each leg from a distribution of its own, alike for all replicas.
/// A ring over data centres is a zone for each of them, and a shift of all legs that are not local: clients
/// pick a coordinator at random for each operation, and its zone is where the operation is local.
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
    /// On top of each of the four, where coordinator and replica stand in different zones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cross_zone_extra: Option<Distribution>,
}

impl LegDelays {
    pub fn is_empty(&self) -> bool {
        *self == LegDelays::default()
    }
}
