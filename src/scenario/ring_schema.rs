//! The part of the scenario file about a gossip-based ring.

use super::schema::{DiskSection, MachineSection, PlacementSection, SyncPolicy, lognormal};
use crate::engine::Distribution;
use serde::{Deserialize, Serialize};

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
    /// Which replicas an operation is sent to. Default: all.
    pub contact: ContactPolicy,
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
            contact: ContactPolicy::All,
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

/// Which replicas of a key a coordinator sends an operation to, of those that it believes alive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ContactPolicy {
    /// All of them; the first R or W answers count.
    All,
    /// R or W of them, drawn for each operation: a replica that is not asked never gets the write, but by
    /// read repair.
    Quorum,
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
