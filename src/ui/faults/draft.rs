//! A fault while somebody puts it together.

use super::kind::Kind;
use super::target::{self, Target};
use crate::engine::Distribution;
use crate::scenario::fault::{FaultSpec, Selector};
use crate::session::frame::Layout;

/// How long a fault lasts, in simulated ms; without a number, until it is lifted.
pub const DURATIONS_MS: [Option<f64>; 5] =
    [None, Some(2_000.0), Some(5_000.0), Some(10_000.0), Some(30_000.0)];

#[derive(Clone, PartialEq, Debug)]
pub struct Draft {
    pub kind: Kind,
    /// Values of target lists.
    pub target: String,
    /// Or where a shard is split, into which it is merged, how far back it goes, who replaces a node.
    pub from: String,
    pub to: String,
    pub amount: f64,
    pub disk_lost: bool,
    /// A cut by zone: those on one side.
    pub zones: Vec<String>,
    /// A cut node by node: those on one side.
    pub nodes: Vec<String>,
    pub is_by_node: bool,
    pub for_ms: Option<f64>,
}

impl Draft {
    /// What is most often wanted.
    pub fn new(kind: Kind, layout: &Layout, for_ms: Option<f64>) -> Draft {
        let first_zone = layout.zones.first().cloned().unwrap_or_default();
        let groups = target::groups(layout, false);
        let first = groups.iter().flat_map(|group| &group.targets).next();
        let from = match kind {
            Kind::OneWayCut => format!("zone:{first_zone}"),
            Kind::Split => "N".to_string(),
            Kind::Merge => "2".to_string(),
            Kind::Restore => "newest".to_string(),
            _ => "all".to_string(),
        };
        // Spares stand last.
        let nodes = layout.clusters.iter().flat_map(|cluster| &cluster.nodes);
        let ring = nodes.filter(|node| node.role == "ring-node");
        let ring: Vec<String> = ring.map(|node| format!("node:{}", node.name)).collect();
        let spare = ring.last().cloned().unwrap_or_default();
        let target = match kind {
            Kind::Join => spare.clone(),
            Kind::Leave | Kind::Replace => ring.first().cloned().unwrap_or_default(),
            _ => first.map(|target| target.value.clone()).unwrap_or_default(),
        };
        let from = if kind == Kind::Replace { spare } else { from };
        Draft {
            kind,
            target,
            from,
            to: "all".to_string(),
            amount: kind.amounts().map_or(0.0, |amounts| amounts.default),
            disk_lost: false,
            zones: vec![first_zone],
            nodes: Vec::new(),
            is_by_node: false,
            for_ms: match kind {
                _ if kind.is_instant() => None,
                Kind::DatabaseDown => Some(30_000.0),
                _ => for_ms,
            },
        }
    }

    /// The fault, or what is still missing, in words.
    pub fn fault(&self, layout: &Layout) -> Result<FaultSpec, &'static str> {
        let target = || self.find(layout, false, &self.target).ok_or("Choose what it acts on.");
        let way = || {
            let from = self.find(layout, true, &self.from).ok_or("Choose whose messages.")?;
            let to = self.find(layout, true, &self.to).ok_or("Choose where they go.")?;
            Ok::<_, &'static str>((from, to))
        };
        let node =
            |value: &str| value.strip_prefix("node:").map(str::to_string).ok_or("Choose one node of a ring.");
        let share = self.amount / 100.0;
        Ok(match self.kind {
            Kind::Partition => FaultSpec::Partition { groups: self.sides(layout)? },
            Kind::Crash => FaultSpec::Crash { nodes: target()?, disk_lost: self.disk_lost },
            Kind::Restart => FaultSpec::Restart { nodes: target()? },
            Kind::Pause => FaultSpec::Pause { nodes: target()? },
            Kind::SlowMachine => FaultSpec::SlowMachine { nodes: target()?, factor: self.amount },
            Kind::SlowDisk => FaultSpec::SlowDisk { nodes: target()?, factor: self.amount },
            Kind::ClockSkew => FaultSpec::ClockSkew { nodes: target()?, offset_ms: self.amount },
            Kind::OneWayCut => {
                let (from, to) = way()?;
                FaultSpec::OneWayCut { from, to: self.apart_from(layout, to) }
            }
            Kind::Loss => way().map(|(from, to)| FaultSpec::Loss { from, to, probability: share })?,
            Kind::Duplication => {
                way().map(|(from, to)| FaultSpec::Duplication { from, to, probability: share })?
            }
            Kind::Delay => {
                let extra = Distribution::constant_ms(self.amount);
                way().map(|(from, to)| FaultSpec::Delay { from, to, extra })?
            }
            Kind::Split => FaultSpec::Split { shard: self.amount as u16, at: self.from.clone() },
            Kind::Merge => FaultSpec::Merge {
                shard: self.amount as u16,
                into: self.from.parse().map_err(|_| "Choose into which.")?,
            },
            Kind::Restore => {
                let back_ms = self.from.parse().ok().map(|seconds: u32| f64::from(seconds) * 1e3);
                FaultSpec::Restore { shard: self.amount as u16, back_ms }
            }
            Kind::SchemaChange => FaultSpec::SchemaChange { shard: self.amount as u16 },
            Kind::Join => FaultSpec::Join { node: node(&self.target)? },
            Kind::Leave => FaultSpec::Leave { node: node(&self.target)? },
            Kind::Replace => FaultSpec::Replace { node: node(&self.target)?, by: node(&self.from)? },
            Kind::LoadSpike => FaultSpec::LoadSpike { factor: self.amount },
            Kind::HotKey => FaultSpec::HotKey { share },
            Kind::KillWorker => {
                let nodes = Selector::node(&format!("worker-{}", self.amount));
                FaultSpec::Crash { nodes, disk_lost: false }
            }
            Kind::Poison => FaultSpec::Poison { share },
            Kind::DatabaseDown => {
                let groups =
                    vec![of_roles(layout, &["worker", "reader"]), of_roles(layout, &DATABASE_FRONTS)];
                FaultSpec::Partition { groups }
            }
            Kind::SlowDatabase => FaultSpec::SlowMachine {
                nodes: of_roles(layout, &["mysql", "ring-node"]),
                factor: self.amount,
            },
            Kind::Rebalance => FaultSpec::Rebalance {},
            Kind::CountingBug => FaultSpec::CountingBug { device: self.amount as u8 },
            Kind::Recount => FaultSpec::Recount {},
            Kind::Rename => FaultSpec::Rename { channel: self.amount as u32 },
            Kind::AddField => FaultSpec::AddField { readers_after_ms: 10_000.0 },
        })
    }

    fn find(&self, layout: &Layout, with_everything: bool, value: &str) -> Option<Selector> {
        let groups = target::groups(layout, with_everything);
        let mut targets = groups.into_iter().flat_map(|group| group.targets);
        targets.find(|target: &Target| target.value == value).map(|target| target.selector)
    }

    /// Within the zone that is cut off, messages still pass: "anywhere" means the other zones.
    fn apart_from(&self, layout: &Layout, to: Selector) -> Selector {
        match self.from.strip_prefix("zone:") {
            Some(zone) if to.all => target::other_zones(layout, &[zone.to_string()]),
            _ => to,
        }
    }

    fn sides(&self, layout: &Layout) -> Result<Vec<Selector>, &'static str> {
        if self.is_by_node {
            let mut others: Vec<String> = node_names(layout);
            others.retain(|name| !self.nodes.contains(name));
            if self.nodes.is_empty() || others.is_empty() {
                return Err("Choose at least one node, and leave at least one.");
            }
            let side = |nodes| Selector { nodes, ..Selector::default() };
            return Ok(vec![side(self.nodes.clone()), side(others)]);
        }
        let others = target::other_zones(layout, &self.zones);
        if self.zones.is_empty() || others.zones.is_empty() {
            return Err("Choose at least one zone, and leave at least one.");
        }
        Ok(vec![Selector { zones: self.zones.clone(), ..Selector::default() }, others])
    }
}

/// Where a database takes requests.
const DATABASE_FRONTS: [&str; 2] = ["query-proxy", "ring-node"];

/// Those of some roles that are there.
fn of_roles(layout: &Layout, roles: &[&str]) -> Selector {
    let is_there = |role: &&&str| {
        layout.clusters.iter().flat_map(|cluster| &cluster.nodes).any(|node| node.role == **role)
    };
    Selector {
        roles: roles.iter().filter(is_there).map(|role| role.to_string()).collect(),
        ..Selector::default()
    }
}

/// Of all clusters, each once.
fn node_names(layout: &Layout) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for node in layout.clusters.iter().flat_map(|cluster| &cluster.nodes) {
        if !names.contains(&node.name) {
            names.push(node.name.clone());
        }
    }
    names
}
