//! The part of the scenario file about the counting service in front of a database.

use super::schema::{DiskSection, MachineSection, SyncPolicy, lognormal};
use super::sql_schema::SqlSection;
use crate::engine::Distribution;
use serde::{Deserialize, Serialize};

/// Collectors, event log, processing service and read service, in front of a database: the workload's keys are
/// videos, its writes are views of them, its reads go to the read service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct ServiceSection {
    /// What is stored of each view.
    pub store: StoreMode,
    /// How titles and names of channels are stored.
    pub model: ModelMode,
    /// A sharded SQL cluster of its own for titles and names, beside a ring for the counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Box<SqlSection>>,
    /// What viewers report their views to.
    pub collectors: CollectorsSection,
    /// Where views are kept until they are counted.
    pub log: LogSection,
    /// The processing service.
    pub workers: WorkersSection,
    /// The read service.
    pub readers: ReadersSection,
    /// Checkpoints, and raw views where both are stored.
    pub object_store: ObjectStoreSection,
    /// Every so many views of a viewer is followed to where it can be read; 0: none.
    pub follow_every: u32,
}

impl Default for ServiceSection {
    fn default() -> Self {
        ServiceSection {
            store: StoreMode::Aggregates,
            model: ModelMode::Denormalized,
            metadata: None,
            collectors: CollectorsSection::default(),
            log: LogSection::default(),
            workers: WorkersSection::default(),
            readers: ReadersSection::default(),
            object_store: ObjectStoreSection::default(),
            follow_every: 100,
        }
    }
}

/// What is stored of each view.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum StoreMode {
    /// Each view, a row in the database.
    Events,
    /// Counts by video and window.
    Aggregates,
    /// Counts in the database, and each view in the object store.
    Both,
}

/// How titles and names are stored.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ModelMode {
    /// Once: a page is joined, and the most watched videos are added up, when they are read. SQL only.
    Normalized,
    /// By query: each video's row has its channel's name, and the most watched videos have rows of their own.
    Denormalized,
}

/// What viewers report their views to: producers of the log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct CollectorsSection {
    /// 1 to 64.
    pub nodes: u32,
    /// When a view counts as taken. Kafka's `acks`.
    pub acks: AcksMode,
    /// Whether brokers recognise a batch that is sent again.
    pub idempotent: bool,
    /// Views in a batch at most.
    pub batch_views: u32,
    /// A batch that is not full waits so long.
    pub linger_ms: f64,
    /// An answer of a broker is waited for so long, then the batch is sent again.
    pub request_timeout_ms: f64,
    /// After this a batch is given up.
    pub delivery_timeout_ms: f64,
    /// Views that one collector holds at most; the next is turned away.
    pub buffer_views: u32,
    /// Partitions that a hot video is spread over, as sub-counts; 1: none is spread.
    pub sub_counts: u32,
    /// A video is hot if it has more than this share of a collector's views, above 0 to 1.
    pub hot_share: f64,
    /// What each runs on.
    pub machine: MachineSection,
    /// Core time for each view.
    pub service: Distribution,
}

impl Default for CollectorsSection {
    fn default() -> Self {
        CollectorsSection {
            nodes: 2,
            acks: AcksMode::All,
            idempotent: true,
            batch_views: 500,
            linger_ms: 5.0,
            request_timeout_ms: 1_000.0,
            delivery_timeout_ms: 30_000.0,
            buffer_views: 100_000,
            sub_counts: 1,
            hot_share: 0.05,
            machine: MachineSection::default(),
            service: lognormal(0.02, 0.3),
        }
    }
}

/// When a producer takes a batch for written.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum AcksMode {
    /// At once (`acks=0`).
    None,
    /// When the partition's leader has it (`acks=1`).
    Leader,
    /// When a majority of its replicas has it (`acks=all`).
    All,
}

/// The event log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct LogSection {
    /// 1 to 32.
    pub brokers: u32,
    /// 1 to 256.
    pub partitions: u32,
    /// Copies of each partition, 1 to 7 and at most the number of brokers.
    pub replication: u32,
    /// When a batch is on disk: before it counts, or at an interval.
    pub sync: SyncPolicy,
    /// What is older is dropped.
    pub retention_ms: f64,
    /// And so is what is more than so many views of a partition.
    pub retention_views: u64,
    /// A follower that hears nothing from its leader stands for election after this to twice this.
    pub election_timeout_ms: f64,
    /// How often a leader says that it is there.
    pub heartbeat_ms: f64,
    /// A fetch that finds nothing waits so long.
    pub fetch_wait_ms: f64,
    /// How often a worker says that it is there.
    pub member_heartbeat_ms: f64,
    /// A worker that has not been heard of for so long loses its partitions.
    pub session_timeout_ms: f64,
    /// What each broker runs on.
    pub machine: MachineSection,
    /// And its disk.
    pub disk: DiskSection,
    /// Core time for each batch.
    pub batch_service: Distribution,
    /// And for each view in it.
    pub view_service_ms: f64,
}

impl Default for LogSection {
    fn default() -> Self {
        LogSection {
            brokers: 3,
            partitions: 8,
            replication: 3,
            sync: SyncPolicy::EveryWrite,
            retention_ms: 3_600_000.0,
            retention_views: 2_000_000,
            election_timeout_ms: 600.0,
            heartbeat_ms: 200.0,
            fetch_wait_ms: 200.0,
            member_heartbeat_ms: 500.0,
            session_timeout_ms: 3_000.0,
            machine: MachineSection::default(),
            disk: DiskSection { channels: 4, ..DiskSection::default() },
            batch_service: lognormal(0.03, 0.3),
            view_service_ms: 0.000_5,
        }
    }
}

/// What a crash of a worker may cost.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum DeliveryMode {
    /// Views: offsets are committed before the work is done.
    AtMostOnce,
    /// Double counts: offsets are committed after the work is done, and numbers are added to rows.
    AtLeastOnce,
    /// Nothing: rows are written so that doing it twice is as good as once.
    EffectivelyOnce,
}

/// When workers work.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum TriggerMode {
    /// All the time.
    Stream,
    /// In jobs, so many milliseconds apart; between them workers are switched off and cost nothing.
    EveryMs(f64),
}

/// The processing service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct WorkersSection {
    /// 1 to 64.
    pub nodes: u32,
    /// What a crash may cost.
    pub delivery: DeliveryMode,
    /// When they work.
    pub trigger: TriggerMode,
    /// Length of the windows that views are counted in.
    pub window_ms: f64,
    /// Windows stay open so long after they have ended; what comes later is a dead letter, if counting is
    /// effectively once.
    pub lateness_ms: f64,
    /// Whether counts are gathered in memory; otherwise every view is a write.
    pub aggregate: bool,
    /// How often what was counted is written.
    pub flush_ms: f64,
    /// How often offsets and state are put aside.
    pub checkpoint_ms: f64,
    /// Views that one fetch takes at most.
    pub fetch_views: u32,
    /// Views by which duplicates are recognised, for each partition; 0: they are counted.
    pub deduplicate_views: u32,
    /// Each view's video is looked up in the database.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enrichment: Option<EnrichmentSection>,
    /// Rows that wait in memory to be written.
    pub buffer_rows: u32,
    /// And on disk, if memory is full; then nothing more is fetched.
    pub spill_rows: u32,
    /// Writes that one worker has under way at most.
    pub writes_in_flight: u32,
    /// A write without an answer is given up after this.
    pub write_timeout_ms: f64,
    /// First wait when the database does not answer, doubled each time, with jitter.
    pub backoff_ms: f64,
    /// Longest such wait.
    pub backoff_ms_max: f64,
    /// Whether malformed views go to a queue of their own; otherwise they block their partition.
    pub dead_letters: bool,
    /// What each runs on.
    pub machine: MachineSection,
    /// And its disk.
    pub disk: DiskSection,
    /// Core time for each view.
    pub service: Distribution,
}

impl Default for WorkersSection {
    fn default() -> Self {
        WorkersSection {
            nodes: 4,
            delivery: DeliveryMode::EffectivelyOnce,
            trigger: TriggerMode::Stream,
            window_ms: 5_000.0,
            lateness_ms: 60_000.0,
            aggregate: true,
            flush_ms: 1_000.0,
            checkpoint_ms: 2_000.0,
            fetch_views: 2_000,
            deduplicate_views: 0,
            enrichment: None,
            buffer_rows: 10_000,
            spill_rows: 100_000,
            writes_in_flight: 32,
            write_timeout_ms: 1_000.0,
            backoff_ms: 50.0,
            backoff_ms_max: 5_000.0,
            dead_letters: true,
            machine: MachineSection::default(),
            disk: DiskSection::default(),
            service: lognormal(0.04, 0.3),
        }
    }
}

/// Each view's video is looked up in the database.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct EnrichmentSection {
    /// Videos that a worker remembers; 0: every view is looked up.
    pub cache_entries: u32,
}

impl Default for EnrichmentSection {
    fn default() -> Self {
        EnrichmentSection { cache_entries: 10_000 }
    }
}

/// The read service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct ReadersSection {
    /// 1 to 64.
    pub nodes: u32,
    /// Answers that one remembers at most; 0 is no cache.
    pub cache_entries: u32,
    /// For so long.
    pub cache_ttl_ms: f64,
    /// Latest windows that a count and a top go over.
    pub range_windows: u32,
    /// Videos that a top asks for, 1 to 100.
    pub top_videos: u32,
    /// A reader no longer waits for the database after this.
    pub timeout_ms: f64,
    /// What each runs on.
    pub machine: MachineSection,
    /// Core time for each request.
    pub service: Distribution,
}

impl Default for ReadersSection {
    fn default() -> Self {
        ReadersSection {
            nodes: 2,
            cache_entries: 1_000,
            cache_ttl_ms: 1_000.0,
            range_windows: 12,
            top_videos: 10,
            timeout_ms: 800.0,
            machine: MachineSection::default(),
            service: lognormal(0.04, 0.3),
        }
    }
}

/// The object store.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct ObjectStoreSection {
    /// Time to the first byte of a request.
    pub first_byte: Distribution,
    /// Megabytes a second, of one request.
    pub mb_per_s: f64,
}

impl Default for ObjectStoreSection {
    fn default() -> Self {
        ObjectStoreSection { first_byte: lognormal(30.0, 0.4), mb_per_s: 80.0 }
    }
}
