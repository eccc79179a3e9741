//! The scenario file, field by field. Times are milliseconds unless the name says otherwise.
//!
//! Unknown fields are errors. Every field with a default says which; a field
//! that is left out is as if its default stood there.

use super::fault::ScheduledFault;
pub use super::membership_schema::*;
use super::names::{Seat, zone_of};
pub use super::ring_schema::*;
pub use super::service_schema::*;
pub use super::sql_schema::*;
use crate::engine::{Distribution, Encryption, SimDuration};
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
    /// Share of the writes that delete the row, 0 to 1.
    #[serde(default)]
    pub deletes: f64,
    /// Whether writes count: each adds one to its row, in place of overwriting it.
    #[serde(default)]
    pub counts: bool,
    /// Share of the writes that take one away, 0 to 1, if writes count.
    #[serde(default)]
    pub decrements: f64,
    /// Share of the reads that ask for a range of keys, 0 to 1. Of a ring only with wide rows.
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
    /// Reads that follow each acknowledged write, to see when it becomes visible; without it there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probes: Option<ProbesSection>,
}

/// Reads that follow each acknowledged write: its client reads the key again, through any endpoint.
///
/// They come on top of the workload's rate, and concern clusters without a service, which follows views by itself. `staleness` in a report is counted from them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct ProbesSection {
    /// Delays after the acknowledgement, rising; each write is read at one of them, in turn. At most 16.
    pub at_ms: Vec<f64>,
    /// Further reads after each write, 0 to 16, around the delay after which one in a thousand is stale:
    /// each client looks for it.
    pub searching: u32,
}

impl Default for ProbesSection {
    fn default() -> Self {
        ProbesSection { at_ms: vec![0.0, 1.0, 5.0, 10.0, 50.0], searching: 2 }
    }
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

    /// The counting service in front of it, if there is one.
    pub fn service(&self) -> Option<&ServiceSection> {
        match self {
            ClusterSection::ShardedSql(sql) => sql.service.as_deref(),
            ClusterSection::GossipRing(ring) => ring.service.as_deref(),
        }
    }

    /// Whether its rows are counters that replicas add to.
    pub fn has_counters(&self) -> bool {
        let versions = match self {
            ClusterSection::GossipRing(ring) => Some(ring.versions),
            ClusterSection::ShardedSql(_) => None,
        };
        matches!(versions, Some(VersionsMode::GCounter | VersionsMode::PnCounter))
    }

    /// Its SQL part: itself, or what a ring has beside it for titles and names.
    pub fn sql(&self) -> Option<&SqlSection> {
        match self {
            ClusterSection::ShardedSql(sql) => Some(sql),
            ClusterSection::GossipRing(ring) => ring.service.as_deref()?.metadata.as_deref(),
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
    /// Reads and fsyncs that it does at once, 1 to 64; further ones queue.
    pub channels: u32,
}

impl Default for DiskSection {
    fn default() -> Self {
        DiskSection { read: lognormal(0.5, 0.3), fsync: lognormal(0.9, 0.4), channels: 1 }
    }
}

/// Encryption, and what it costs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct EncryptionSection {
    /// TLS between nodes, clients included.
    pub in_transit: bool,
    /// Core time for each message received: for it and for the answer.
    pub message_ms: f64,
    /// And for each kilobyte of it.
    pub kilobyte_ms: f64,
    /// What is on disk is encrypted.
    pub at_rest: bool,
    /// Core time for each page read and each write that goes to disk.
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

impl EncryptionSection {
    /// Core time that it costs; none for what is off.
    pub fn cost(&self) -> Encryption {
        let only_if =
            |on: bool, cost_ms: f64| if on { SimDuration::from_ms_f64(cost_ms) } else { SimDuration::ZERO };
        Encryption {
            per_message: only_if(self.in_transit, self.message_ms),
            per_kilobyte: only_if(self.in_transit, self.kilobyte_ms),
            per_io: only_if(self.at_rest, self.io_ms),
        }
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

pub(super) fn lognormal(median_ms: f64, sigma: f64) -> Distribution {
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
