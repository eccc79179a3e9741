//! What the parts of the counting service are set up with.

use super::tables::Tables;
use crate::engine::{Distribution, NodeId, SimDuration};

/// What all parts share.
pub struct ServiceSettings {
    /// Of the database of counts, and of the one of titles and names: the same, unless they are two.
    pub tables: Tables,
    pub metadata_tables: Tables,
    pub nodes: Nodes,
    pub ingest: Ingest,
    pub log: Log,
    pub processing: Processing,
    pub reading: Reading,
    pub object_store: ObjectStoreSpeed,
}

/// Who is who.
pub struct Nodes {
    pub collectors: Vec<NodeId>,
    pub brokers: Vec<NodeId>,
    pub workers: Vec<NodeId>,
    pub readers: Vec<NodeId>,
    pub object_store: NodeId,
    /// Where the database takes requests.
    pub database: Vec<NodeId>,
    /// Where titles and names are asked for: the same, or another database.
    pub metadata: Vec<NodeId>,
}

/// When a producer takes a batch for written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Acks {
    /// At once: nobody answers.
    None,
    /// The leader of the partition has it.
    Leader,
    /// A majority of its replicas has it, on disk if the log is synced before.
    All,
}

/// Collectors: what viewers talk to, and the producers of the log.
pub struct Ingest {
    pub acks: Acks,
    /// Whether brokers recognise a batch that is sent again.
    pub is_idempotent: bool,
    pub batch_views: usize,
    /// A batch that is not full waits so long.
    pub linger: SimDuration,
    /// An answer is waited for so long, then the batch is sent again.
    pub request_timeout: SimDuration,
    /// After this a batch is given up.
    pub delivery_timeout: SimDuration,
    /// Views that one collector holds at most; the next is turned away.
    pub buffer_views: usize,
    /// Core time for each view.
    pub service: Distribution,
    /// A video with more than this share of a collector's views is spread over its sub-counts.
    pub hot_share: f64,
}

/// The event log.
pub struct Log {
    pub partitions: u16,
    /// Copies of each partition.
    pub replication: usize,
    /// Whether a batch is on disk before it counts as written; otherwise synced at an interval.
    pub sync: Sync,
    /// What is older is dropped.
    pub retention: SimDuration,
    /// And so is what is more than so many views of a partition.
    pub retention_views: u64,
    /// A follower that hears nothing from its leader stands for election after this to twice this.
    pub election_timeout: SimDuration,
    pub heartbeat: SimDuration,
    /// Core time for each batch produced, fetched or replicated, and for each view in it.
    pub batch_service: Distribution,
    pub view_service: SimDuration,
    /// A fetch that finds nothing waits so long.
    pub fetch_wait: SimDuration,
    /// Members of the group say so often that they are there, and are taken for dead after so long.
    pub member_heartbeat: SimDuration,
    pub session_timeout: SimDuration,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sync {
    EveryBatch,
    Interval(SimDuration),
}

/// What a crash of a worker may cost.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Delivery {
    /// Offsets are committed before the work is done: what was under way is lost.
    AtMostOnce,
    /// Offsets are committed with what is not yet stored: what was stored since is added again.
    AtLeastOnce,
    /// The same, and rows are written so that doing it twice is as good as once.
    EffectivelyOnce,
}

/// What is stored of each view.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stored {
    /// Each view, in the database.
    Events,
    /// Counts by video and window.
    Aggregates,
    /// Counts in the database, and each view in the object store.
    Both,
}

/// When workers work.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Trigger {
    Stream,
    /// Jobs, so long apart; between them workers are switched off.
    Every(SimDuration),
}

/// The processing service.
pub struct Processing {
    pub delivery: Delivery,
    pub stored: Stored,
    pub trigger: Trigger,
    /// Whether counts are gathered in memory; otherwise every view is a write.
    pub aggregates: bool,
    pub flush_every: SimDuration,
    pub checkpoint_every: SimDuration,
    /// Windows stay open so long after they have ended.
    pub lateness: SimDuration,
    pub fetch_views: u32,
    /// Core time for each view.
    pub service: Distribution,
    /// Views by which duplicates are known; none: duplicates are counted.
    pub dedup_views: usize,
    /// Channels of videos that are remembered; without it each view is looked up. None: nothing is looked up.
    pub lookups: Option<usize>,
    /// Rows that wait in memory to be written, and on disk.
    pub buffer_rows: usize,
    pub spill_rows: usize,
    pub writes_in_flight: usize,
    pub write_timeout: SimDuration,
    pub backoff_first: SimDuration,
    pub backoff_max: SimDuration,
    /// Whether malformed views go to a queue of their own; otherwise they block their partition.
    pub dead_letters: bool,
    /// Whether the most watched videos of each window are written as rows of their own.
    pub writes_tops: bool,
    /// Every so many views of a viewer is followed to where it can be read.
    pub tag_every: u64,
}

/// The read service.
pub struct Reading {
    pub cache_entries: usize,
    pub cache_ttl: SimDuration,
    /// Windows that a range and a top go over.
    pub range_windows: u32,
    pub top_videos: u16,
    /// Whether pages are joined when they are read, or were put together when they were written.
    pub joins: bool,
    pub service: Distribution,
    pub timeout: SimDuration,
}

/// How fast the object store is; it is managed, and does any number of requests at once.
pub struct ObjectStoreSpeed {
    pub first_byte: Distribution,
    /// Megabytes a second, of one request.
    pub mb_per_s: f64,
}
