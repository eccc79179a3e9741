//! The part of the scenario file about who is there in a gossip-based ring: gossip, and failure detection.

use serde::{Deserialize, Serialize};

/// How nodes learn of each other.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct GossipSection {
    /// Which way rumours go in an exchange, seen from the node that begins it.
    pub mode: GossipMode,
    /// Time from one round to the next.
    pub interval_ms: f64,
    /// Whom rounds go to.
    pub peers: GossipPeers,
    /// Neighbours that a node has at most, 1 to 3, chosen when it joins.
    pub neighbours: u32,
    /// Nodes that one round goes to: at most the number of neighbours, if it goes to neighbours.
    pub fan_out: u32,
    /// The first so many nodes are seeds, which a round goes to now and then; at most the number of nodes.
    pub seeds: u32,
    /// Whether a round goes to a node that is believed dead now and then.
    pub unreachable: bool,
    /// Digests first, and then only what differs; without, everything each time.
    pub delta: bool,
}

impl Default for GossipSection {
    fn default() -> Self {
        GossipSection {
            mode: GossipMode::PushPull,
            interval_ms: 200.0,
            peers: GossipPeers::Neighbours,
            neighbours: 3,
            fan_out: 1,
            seeds: 1,
            unreachable: true,
            delta: true,
        }
    }
}

/// Which way rumours go.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum GossipMode {
    /// A node tells what it has heard.
    Push,
    /// A node asks what the other one has heard.
    Pull,
    /// Both.
    PushPull,
}

/// Whom rounds of gossip go to.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum GossipPeers {
    /// The few that a node knows.
    Neighbours,
    /// Any node that it has heard of, as in Cassandra and memberlist.
    Everybody,
}

/// How a node comes to believe another one dead.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum FailureDetectionSection {
    /// By how unlikely it is that news is merely late; Cassandra's way.
    PhiAccrual(PhiAccrualSection),
    /// By how long there was no news.
    TimeOut(TimeOutSection),
    /// By asking, with suspicions that can be refuted; memberlist's way.
    Swim(SwimSection),
}

impl Default for FailureDetectionSection {
    fn default() -> Self {
        FailureDetectionSection::PhiAccrual(PhiAccrualSection::default())
    }
}

/// The phi accrual failure detector.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct PhiAccrualSection {
    /// Suspicion level at which a node is believed dead; Cassandra's is 8.
    pub threshold: f64,
    /// Intervals that the usual one is the mean of; Cassandra's is 1,000.
    pub window: u32,
}

impl Default for PhiAccrualSection {
    fn default() -> Self {
        PhiAccrualSection { threshold: 8.0, window: 1_000 }
    }
}

/// A plain time-out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct TimeOutSection {
    /// A node of which there was no news for so long is believed dead.
    pub after_ms: f64,
}

impl Default for TimeOutSection {
    fn default() -> Self {
        TimeOutSection { after_ms: 4_000.0 }
    }
}

/// SWIM, with the defaults of memberlist for a local network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct SwimSection {
    /// From one ping to the next.
    pub period_ms: f64,
    /// After this without an answer others are asked to ping; less than the period.
    pub timeout_ms: f64,
    /// How many are asked.
    pub indirect: u32,
    /// Whom the next ping goes to.
    pub order: ProbeOrder,
    /// A suspicion lasts so many periods, times the logarithm of the number of nodes.
    pub suspicion_multiplier: u32,
    /// With Lifeguard, a suspicion that nobody shares lasts so many times longer.
    pub suspicion_max_multiplier: u32,
    /// A rumour is sent so many times, times the logarithm of the number of nodes.
    pub retransmit_multiplier: u32,
    /// A node that is itself slow judges more slowly; suspicions that are shared end sooner.
    pub lifeguard: bool,
}

impl Default for SwimSection {
    fn default() -> Self {
        SwimSection {
            period_ms: 1_000.0,
            timeout_ms: 500.0,
            indirect: 3,
            order: ProbeOrder::RoundRobin,
            suspicion_multiplier: 4,
            suspicion_max_multiplier: 6,
            retransmit_multiplier: 4,
            lifeguard: true,
        }
    }
}

/// Whom the next ping goes to.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ProbeOrder {
    /// Any, each as likely.
    Random,
    /// The next of a shuffled list.
    RoundRobin,
}
