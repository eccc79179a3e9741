//! Faults as a scenario file or a user names them, before they meet a cluster.
//!
//! A fault names nodes, zones or roles. Every cluster of a run gets the same
//! script and picks what it has: a crash of `ring-1` does nothing to a cluster
//! without such a node, and says so.

use super::names::ring_node_number;
use crate::engine::Distribution;
use serde::{Deserialize, Serialize};

/// Which nodes: all that any of its parts names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Selector {
    /// By zone name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub zones: Vec<String>,
    /// By node name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub nodes: Vec<String>,
    /// By role name (`mysql`, `ring-node`, …).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<String>,
    /// Everything.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub all: bool,
}

impl Selector {
    pub fn all() -> Selector {
        Selector { all: true, ..Selector::default() }
    }

    pub fn zone(name: &str) -> Selector {
        Selector { zones: vec![name.to_string()], ..Selector::default() }
    }

    pub fn node(name: &str) -> Selector {
        Selector { nodes: vec![name.to_string()], ..Selector::default() }
    }

    pub fn is_empty(&self) -> bool {
        !self.all && self.zones.is_empty() && self.nodes.is_empty() && self.roles.is_empty()
    }

    /// In words: `zone a`, `r3 and r4`, `everything`.
    pub fn describe(&self) -> String {
        if self.all {
            return "everything".to_string();
        }
        let mut parts: Vec<String> = self.zones.iter().map(|zone| format!("zone {zone}")).collect();
        parts.extend(self.roles.iter().map(|role| format!("every {role}")));
        parts.extend(self.nodes.iter().cloned());
        match parts.len() {
            0 => "nothing".to_string(),
            1 => parts.remove(0),
            _ => {
                let last = parts.pop().expect("two parts or more");
                format!("{} and {last}", parts.join(", "))
            }
        }
    }
}

/// Something that an operator has done to a shard or to a node of a ring, and that is then over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Undertaking {
    Move,
    SchemaChange,
    Restore,
    Join,
    Leave,
    Replace,
}

impl Undertaking {
    /// Whether it is done to a node of a ring, not to a shard.
    pub fn is_of_ring(self) -> bool {
        matches!(self, Undertaking::Join | Undertaking::Leave | Undertaking::Replace)
    }
}

/// What a fault does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum FaultSpec {
    /// Memory lost, and with `disk_lost` the disk too; restarts when lifted.
    Crash {
        nodes: Selector,
        /// Whether it comes back with an empty disk.
        #[serde(default)]
        disk_lost: bool,
    },
    /// A crash and a start at once.
    Restart { nodes: Selector },
    /// Stands still; resumes when lifted.
    Pause { nodes: Selector },
    /// Service times `factor` times as long.
    SlowMachine { nodes: Selector, factor: f64 },
    /// Disk times `factor` times as long.
    SlowDisk { nodes: Selector, factor: f64 },
    /// Nothing passes between groups. Nodes in no group reach everybody.
    Partition { groups: Vec<Selector> },
    /// Nothing passes from one set to the other; the way back stays open.
    OneWayCut { from: Selector, to: Selector },
    /// Each message is lost with `probability`.
    Loss {
        #[serde(default = "Selector::all")]
        from: Selector,
        #[serde(default = "Selector::all")]
        to: Selector,
        probability: f64,
    },
    /// Each message takes longer.
    Delay {
        #[serde(default = "Selector::all")]
        from: Selector,
        #[serde(default = "Selector::all")]
        to: Selector,
        extra: Distribution,
    },
    /// Each datagram arrives twice with `probability`; streams discard the copy.
    Duplication {
        #[serde(default = "Selector::all")]
        from: Selector,
        #[serde(default = "Selector::all")]
        to: Selector,
        probability: f64,
    },
    /// Wall clocks are off by `offset_ms` (negative: behind).
    ClockSkew { nodes: Selector, offset_ms: f64 },
    /// Clients send `factor` times as much.
    LoadSpike { factor: f64 },
    /// This share of all operations goes to the most popular key.
    HotKey { share: f64 },
    /// The part of a shard from a place on moves to a shard that stands by; lifted, it is given up if it is not done.
    Split {
        /// The shard's number, from 1.
        shard: u16,
        /// Where the names begin that move, such as G or K5; in a cluster sharded by hash, the first digits of the hash, such as 80.
        at: String,
    },
    /// All that a shard has moves to a neighbour; lifted, it is given up if it is not done.
    Merge {
        /// The shard's number, from 1.
        shard: u16,
        /// The neighbour's number.
        into: u16,
    },
    /// The schema of a shard's table changes; lifted, it is given up if it is not done.
    SchemaChange {
        /// The shard's number, from 1.
        shard: u16,
    },
    /// A shard is restored from its backups; lifted, it is given up if it has not begun.
    Restore {
        /// The shard's number, from 1.
        shard: u16,
        /// As it was so long before; without it, as the newest backup has it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        back_ms: Option<f64>,
    },
    /// This share of the views that are reported to a service makes no sense.
    Poison { share: f64 },
    /// A version of the workers goes out that leaves the views of one kind of device out; lifted, one that does not.
    CountingBug {
        /// 0 to 3.
        device: u8,
    },
    /// Workers count everything again from the views in the object store.
    Recount {},
    /// All partitions of the log are dealt out to workers anew.
    Rebalance {},
    /// Workers write rows with a field more; readers learn of it later, one after the other.
    AddField {
        /// How much later the first reader gets its new version. Default: 10,000.
        #[serde(default = "default_readers_after")]
        readers_after_ms: f64,
    },
    /// A channel gets another name.
    Rename {
        /// From 0; there are as many as a twentieth of the videos.
        channel: u32,
    },
    /// A node joins a ring that it is no part of; lifted, it is given up if reads do not go to it yet.
    Join {
        /// By name; see `spares`.
        node: String,
    },
    /// A node leaves its ring; lifted, it is given up if reads do not go to others yet.
    Leave {
        /// By name.
        node: String,
    },
    /// A node takes the place of one that is believed dead; lifted, it is given up as a join is.
    Replace {
        /// The dead one, by name.
        node: String,
        /// Who takes its place, by name; see `spares`.
        by: String,
    },
}

impl FaultSpec {
    /// In plain words, as bands and captions show it.
    pub fn describe(&self) -> String {
        match self {
            FaultSpec::Crash { nodes, disk_lost: false } => format!("{} crashed", nodes.describe()),
            FaultSpec::Crash { nodes, disk_lost: true } => format!("{} crashed, disk lost", nodes.describe()),
            FaultSpec::Restart { nodes } => format!("{} restarted", nodes.describe()),
            FaultSpec::Pause { nodes } => format!("{} paused", nodes.describe()),
            FaultSpec::SlowMachine { nodes, factor } => format!("{} {factor}× slower", nodes.describe()),
            FaultSpec::SlowDisk { nodes, factor } => format!("disk of {} {factor}× slower", nodes.describe()),
            FaultSpec::Partition { groups } => {
                let groups: Vec<String> = groups.iter().map(Selector::describe).collect();
                match groups.as_slice() {
                    [one, rest @ ..] if !rest.is_empty() => format!("{one} cut from {}", rest.join(" from ")),
                    _ => "partition".to_string(),
                }
            }
            FaultSpec::OneWayCut { from, to } => {
                format!("no way from {} to {}", from.describe(), to.describe())
            }
            FaultSpec::Loss { from, to, probability } => {
                format!("{} % of messages lost{}", percent(*probability), way(from, to))
            }
            FaultSpec::Delay { from, to, extra } => match extra.mean_ms() {
                Some(mean) => format!("messages {mean} ms later{}", way(from, to)),
                None => format!("messages later{}", way(from, to)),
            },
            FaultSpec::Duplication { from, to, probability } => {
                format!("{} % of datagrams doubled{}", percent(*probability), way(from, to))
            }
            FaultSpec::ClockSkew { nodes, offset_ms } => {
                format!("clock of {} {offset_ms:+} ms", nodes.describe())
            }
            FaultSpec::LoadSpike { factor } => format!("load ×{factor}"),
            FaultSpec::HotKey { share } => format!("{} % on one key", percent(*share)),
            FaultSpec::Split { shard, at } => format!("shard {shard} split at {at}"),
            FaultSpec::Merge { shard, into } => format!("shard {shard} merged into shard {into}"),
            FaultSpec::SchemaChange { shard } => format!("schema change of shard {shard}"),
            FaultSpec::Restore { shard, back_ms: None } => format!("shard {shard} restored from backup"),
            FaultSpec::Restore { shard, back_ms: Some(back) } => {
                format!("shard {shard} restored to {} s before", back / 1e3)
            }
            FaultSpec::Poison { share } => format!("{} % of views malformed", percent(*share)),
            FaultSpec::CountingBug { device } => format!("counting bug: device {device} left out"),
            FaultSpec::Recount {} => "recount from stored views".to_string(),
            FaultSpec::Rebalance {} => "partitions dealt out anew".to_string(),
            FaultSpec::AddField { .. } => "rows get a field more".to_string(),
            FaultSpec::Rename { channel } => format!("channel {channel} renamed"),
            FaultSpec::Join { node } => format!("{node} joins"),
            FaultSpec::Leave { node } => format!("{node} leaves"),
            FaultSpec::Replace { node, by } => format!("{by} replaces {node}"),
        }
    }

    /// Its name in scenario files.
    pub fn name(&self) -> &'static str {
        match self {
            FaultSpec::Crash { .. } => "crash",
            FaultSpec::Restart { .. } => "restart",
            FaultSpec::Pause { .. } => "pause",
            FaultSpec::SlowMachine { .. } => "slow_machine",
            FaultSpec::SlowDisk { .. } => "slow_disk",
            FaultSpec::Partition { .. } => "partition",
            FaultSpec::OneWayCut { .. } => "one_way_cut",
            FaultSpec::Loss { .. } => "loss",
            FaultSpec::Delay { .. } => "delay",
            FaultSpec::Duplication { .. } => "duplication",
            FaultSpec::ClockSkew { .. } => "clock_skew",
            FaultSpec::LoadSpike { .. } => "load_spike",
            FaultSpec::HotKey { .. } => "hot_key",
            FaultSpec::Split { .. } => "split",
            FaultSpec::Merge { .. } => "merge",
            FaultSpec::SchemaChange { .. } => "schema_change",
            FaultSpec::Restore { .. } => "restore",
            FaultSpec::Poison { .. } => "poison",
            FaultSpec::CountingBug { .. } => "counting_bug",
            FaultSpec::Recount {} => "recount",
            FaultSpec::Rebalance {} => "rebalance",
            FaultSpec::AddField { .. } => "add_field",
            FaultSpec::Rename { .. } => "rename",
            FaultSpec::Join { .. } => "join",
            FaultSpec::Leave { .. } => "leave",
            FaultSpec::Replace { .. } => "replace",
        }
    }

    /// Whether it is over as soon as it has begun.
    pub fn is_instant(&self) -> bool {
        matches!(
            self,
            FaultSpec::Restart { .. }
                | FaultSpec::Recount {}
                | FaultSpec::Rebalance {}
                | FaultSpec::Rename { .. }
        )
    }

    /// What an operator asks for that is over when it is done, and of which shard or ring node (from 1).
    pub fn operation(&self) -> Option<(Undertaking, u16)> {
        match self {
            FaultSpec::Split { shard, .. } | FaultSpec::Merge { shard, .. } => {
                Some((Undertaking::Move, *shard))
            }
            FaultSpec::SchemaChange { shard } => Some((Undertaking::SchemaChange, *shard)),
            FaultSpec::Restore { shard, .. } => Some((Undertaking::Restore, *shard)),
            FaultSpec::Join { node } => Some((Undertaking::Join, numbered(node))),
            FaultSpec::Leave { node } => Some((Undertaking::Leave, numbered(node))),
            FaultSpec::Replace { by, .. } => Some((Undertaking::Replace, numbered(by))),
            _ => None,
        }
    }

    /// Every set of nodes that it names.
    pub fn selectors(&self) -> Vec<&Selector> {
        match self {
            FaultSpec::Crash { nodes, .. }
            | FaultSpec::Restart { nodes }
            | FaultSpec::Pause { nodes }
            | FaultSpec::SlowMachine { nodes, .. }
            | FaultSpec::SlowDisk { nodes, .. }
            | FaultSpec::ClockSkew { nodes, .. } => vec![nodes],
            FaultSpec::Partition { groups } => groups.iter().collect(),
            FaultSpec::OneWayCut { from, to }
            | FaultSpec::Loss { from, to, .. }
            | FaultSpec::Delay { from, to, .. }
            | FaultSpec::Duplication { from, to, .. } => vec![from, to],
            FaultSpec::LoadSpike { .. }
            | FaultSpec::HotKey { .. }
            | FaultSpec::Split { .. }
            | FaultSpec::Merge { .. }
            | FaultSpec::SchemaChange { .. }
            | FaultSpec::Restore { .. }
            | FaultSpec::Poison { .. }
            | FaultSpec::CountingBug { .. }
            | FaultSpec::Recount {}
            | FaultSpec::Rebalance {}
            | FaultSpec::AddField { .. }
            | FaultSpec::Rename { .. }
            | FaultSpec::Join { .. }
            | FaultSpec::Leave { .. }
            | FaultSpec::Replace { .. } => Vec::new(),
        }
    }
}

fn numbered(node: &str) -> u16 {
    ring_node_number(node).and_then(|number| u16::try_from(number).ok()).unwrap_or(0)
}

fn default_readers_after() -> f64 {
    10_000.0
}

fn way(from: &Selector, to: &Selector) -> String {
    match (from.all, to.all) {
        (true, true) => String::new(),
        (false, true) => format!(" from {}", from.describe()),
        (true, false) => format!(" to {}", to.describe()),
        (false, false) => format!(" from {} to {}", from.describe(), to.describe()),
    }
}

fn percent(probability: f64) -> f64 {
    (probability * 1000.0).round() / 10.0
}

/// A fault with its time, as the scenario schedules it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ScheduledFault {
    /// Milliseconds from the start of the run.
    pub at_ms: f64,
    /// How long it lasts; without it, to the end of the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub for_ms: Option<f64>,
    /// What it does.
    #[serde(rename = "do")]
    pub fault: FaultSpec,
}
