//! What the interface needs to draw one moment, and what it needs to know once.
//!
//! Frames are plain values: the page never sees a node. All times are simulated
//! nanoseconds on the run's clock.

use crate::engine::Touched;
use serde::{Deserialize, Serialize};

/// Messages under way that one frame shows at most, per cluster.
pub const MESSAGES_SHOWN_MAX: usize = 160;
/// Narrator lines that are kept.
pub const NARRATION_MAX: usize = 400;

/// What does not change while a run runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Layout {
    pub scenario_name: String,
    pub title: String,
    pub question: String,
    pub things_to_try: Vec<String>,
    pub seed: u64,
    pub end_ns: u64,
    pub zones: Vec<String>,
    /// Width of one point of the series.
    pub bucket_ns: u64,
    pub clusters: Vec<ClusterLayout>,
    pub price_sheet: String,
}

/// One cluster's nodes and fixed links.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClusterLayout {
    pub name: String,
    /// `sharded_sql` or `gossip_ring`.
    pub kind: String,
    /// In a few words: `2 shards, 1 replica each, reads from primary`.
    pub summary: String,
    pub nodes: Vec<NodeLayout>,
    pub links: Vec<LinkLayout>,
}

/// One node's fixed facts. Its place on the page is the page's business.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NodeLayout {
    /// Unique in its cluster; faults name it by this.
    pub name: String,
    /// `client`, `query-proxy`, `shard-proxy`, `mysql`, `config`, `ring-node`.
    pub role: String,
    /// A few letters to write into it, at first; see [`ClusterFrame::labels`].
    pub label: String,
    pub zone: u8,
    /// The shard it belongs to, and which of its role there (0 is the first primary).
    pub shard: Option<u8>,
    pub ordinal: u16,
    /// Machine type and its price.
    pub machine_type: String,
    pub usd_per_hour: f64,
    /// Ring nodes: share of the keys whose first replica it is, 0 to 1.
    pub ownership: f32,
    /// Ring nodes: start angles of its tokens as fractions of the ring, with their lengths, at first; see
    /// [`ClusterFrame::arcs`].
    pub arcs: Vec<(f32, f32)>,
}

/// What a fixed link is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LinkUse {
    Query,
    Replication,
    HealthCheck,
    Gossip,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct LinkLayout {
    pub from: u16,
    pub to: u16,
    pub use_for: LinkUse,
}

/// One moment of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Frame {
    pub time_ns: u64,
    /// How far this future has been run; scrubbing goes from 0 to here.
    pub frontier_ns: u64,
    pub playing: bool,
    pub finished: bool,
    /// Simulated seconds per real second that were asked for.
    pub speed: f64,
    /// Simulated seconds per real second that the last second reached.
    pub reached_speed: f64,
    pub trace_hash: u64,
    pub events: u64,
    pub clusters: Vec<ClusterFrame>,
    pub faults: Vec<FaultFrame>,
    pub branches: Vec<BranchFrame>,
    /// Lines that are new since the last frame; all that are kept if `reset`.
    pub narration: Vec<Line>,
    /// The series, from bucket `series_from` on; the page keeps what came before.
    pub series_from: u32,
    /// Everything that the page keeps (narration, series) starts anew: the run was seeked or loaded.
    pub reset: bool,
    pub inspector: Option<Inspector>,
}

/// One cluster at one moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClusterFrame {
    pub figures: Figures,
    pub nodes: Vec<NodeFrame>,
    /// Up to [`MESSAGES_SHOWN_MAX`] of those under way; the same ones from frame to frame.
    pub messages: Vec<MessageFrame>,
    /// How many are under way in all.
    pub messages_under_way: u32,
    /// Messages that a cut or a loss stopped in the last moments.
    pub stops: Vec<StopFrame>,
    pub series: Vec<SeriesPoint>,
    pub trace_hash: u64,
    /// What every node is called from now on; nothing if the page knows it.
    pub labels: Vec<String>,
    /// The partitions of the log of a counting service; nothing without one.
    pub partitions: Vec<PartitionFrame>,
    /// The arcs of every node of a ring from now on ([`NodeLayout::arcs`]); nothing if the page knows them.
    pub arcs: Vec<Vec<(f32, f32)>>,
}

/// The figures above a cluster. Rates are over the last simulated second.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Figures {
    pub invoked: u64,
    pub ok: u64,
    pub failed: u64,
    pub unknown: u64,
    /// Failed and unknown by cause, most frequent first.
    pub causes: Vec<(String, u64)>,
    pub throughput_per_second: f64,
    pub goodput_per_second: f64,
    pub read_latency_ms_p50: f64,
    pub read_latency_ms_p99: f64,
    pub write_latency_ms_p50: f64,
    pub write_latency_ms_p99: f64,
    pub stale_reads: u64,
    pub lost_acknowledged_writes: u64,
    /// Largest lag of a replica in ms; none where there are no replicas of that kind.
    pub replication_lag_ms: Option<f64>,
    /// Where reads follow writes: the delay in ms from which on 99.9 % of them see the write, and the share that
    /// does after the first of the listed delays, which is given with it.
    pub visible_after_ms: Option<f64>,
    pub visible_at: Option<(f64, f64)>,
    /// Of a counting service; none without one.
    pub service: Option<ServiceFigures>,
    pub usd_per_hour: f64,
    pub usd_per_month: f64,
    pub usd_per_million_operations: Option<f64>,
}

/// The figures of a counting service, since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ServiceFigures {
    /// Views whose viewers were told that they are taken.
    pub views_taken: u64,
    pub views_counted: u64,
    /// Taken and not counted: on their way, or lost.
    pub views_missing: u64,
    pub views_counted_twice: u64,
    pub dead_letters: u64,
    /// Views in the log that no worker has counted yet.
    pub log_lag: u64,
    /// Median and p99 from when a view happened to when a reader shows it; none where no view was followed so far.
    pub shown_after_ms: Option<(f64, f64)>,
}

/// A partition of the log.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct PartitionFrame {
    /// The broker that leads it, and the worker that has it.
    pub leader: Option<u16>,
    pub worker: Option<u16>,
    /// Views written for good, and those of them that are not counted yet.
    pub end: u64,
    pub lag: u64,
}

/// What a clock-like arc round a node stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ArcKind {
    /// Missed health checks, of the threshold.
    HealthCheck,
    /// Suspicion by its neighbours, of what convicts it.
    Suspicion,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NodeFrame {
    pub up: bool,
    /// Not crashed: its power was taken away, to fence it.
    pub switched_off: bool,
    /// It runs and serves nobody: it goes through its logs, or takes a copy.
    pub recovers: bool,
    pub paused: bool,
    /// Machine or disk slowed by a fault.
    pub slow: bool,
    /// Clock offset by skew, in ns.
    pub clock_offset_ns: i64,
    pub queue: u32,
    pub queue_limit: u32,
    /// Utilisation of its cores over the last moments, 0 to 1.
    pub load: f32,
    /// What it is now, in a few words: `primary, epoch 4`, `replica, 12 ms behind`.
    pub state: String,
    /// A primary that takes writes, or the leader of the configuration service.
    pub primary: bool,
    /// Another node of its shard takes writes too.
    pub conflict: bool,
    pub arc: Option<(f32, ArcKind)>,
    /// Ring nodes: whom it believes dead, the first 64.
    pub believes_dead: Vec<u16>,
}

/// What a message is, for the picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum MessageUse {
    Request,
    Reply,
    Replication,
    Gossip,
    Control,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct MessageFrame {
    pub from: u16,
    pub to: u16,
    pub sent_ns: u64,
    pub arrives_ns: u64,
    pub use_for: MessageUse,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct StopFrame {
    pub from: u16,
    pub to: u16,
    pub at_ns: u64,
}

/// One bucket of the series.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SeriesPoint {
    /// Invoked, per second.
    pub throughput: f32,
    /// Succeeded, per second.
    pub goodput: f32,
    /// Failed or unknown, per second.
    pub errors: f32,
    /// NaN where there was none.
    pub read_ms_p50: f32,
    pub read_ms_p99: f32,
    pub write_ms_p50: f32,
    pub write_ms_p99: f32,
    /// Per second.
    pub stale_reads: f32,
    /// Acknowledged writes found lost in this bucket.
    pub lost_writes: f32,
    /// Largest; NaN where there are no replicas of that kind.
    pub lag_ms: f32,
    /// Views in the log that are not counted yet, and views taken that are not in the database, at the end of the
    /// bucket; NaN without a counting service.
    pub log_lag: f32,
    pub views_missing: f32,
    pub usd_per_hour: f32,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FaultFrame {
    pub number: u32,
    /// Its name in scenario files: `partition`, `crash` …
    pub name: String,
    pub label: String,
    pub begin_ns: u64,
    /// When it was lifted or will be by schedule.
    pub end_ns: Option<u64>,
    pub active: bool,
    /// Per cluster, what it touched so far.
    pub touched: Vec<FaultTouch>,
    /// The nodes it acts on, per cluster.
    pub nodes: Vec<Vec<u16>>,
    /// For cuts: the group of each node, per cluster (255: none).
    pub groups: Vec<Vec<u8>>,
    /// A cut that is open the other way.
    pub one_way: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FaultTouch {
    pub messages: Touched,
    /// Operations that failed or whose outcome is unknown while it lasted.
    pub operations: u64,
}

/// One future.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BranchFrame {
    pub id: u32,
    pub parent: Option<u32>,
    pub forked_at_ns: u64,
    pub frontier_ns: u64,
    pub current: bool,
    /// Its first own command in words, or `as it was`.
    pub label: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Severity {
    Plain,
    /// Worth watching.
    Warning,
    /// Something promised was broken.
    Violation,
}

/// One sentence of the narrator.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Line {
    pub at_ns: u64,
    /// The cluster it is about; none if it is about all.
    pub cluster: Option<u8>,
    pub severity: Severity,
    /// Plain text; `**` marks what stands out.
    pub text: String,
}

/// What a node is and believes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Inspector {
    pub cluster: u8,
    pub node: u16,
    /// Term and description, in reading order.
    pub facts: Vec<(String, String)>,
}
