//! From a fault in words to a fault on the nodes of one cluster.

use super::message::Control;
use crate::engine::fault::GROUP_NONE;
use crate::engine::{FaultKind, NodeId, NodeSet, SimDuration};
use crate::ring::place::RingAdmin;
use crate::scenario::fault::{FaultSpec, Selector};
use crate::scenario::names::{BROKER, CLIENT, CONFIG, READER, RING_NODE, Seat, WORKER, ring_node_number};
use crate::service::reader::ReaderControl;
use crate::service::worker::WorkerControl;
use crate::sql::event::Admin;
use crate::sql::shard_map::{hash_point, name_point};
use crate::workload::client::ClientControl;

/// The nodes of one cluster, as selectors name them.
#[derive(Clone)]
pub struct Directory {
    pub seats: Vec<Seat>,
    /// Zone of each node, as an index.
    pub zones_of: Vec<u8>,
    pub zone_names: Vec<String>,
}

impl Directory {
    /// The nodes that a selector names. Clients stand outside of what is broken:
    /// a role or a node names them, a zone does too (they lose its network), but
    /// machine faults leave them alone, see [`Directory::machines`].
    pub fn select(&self, selector: &Selector) -> NodeSet {
        let chosen = self.seats.iter().enumerate().filter(|(at, seat)| {
            let zone = &self.zone_names[self.zones_of[*at] as usize];
            selector.all
                || selector.zones.contains(zone)
                || selector.roles.iter().any(|role| role == seat.role())
                || selector.nodes.iter().any(|name| *name == seat.name())
        });
        NodeSet::new(self.seats.len(), chosen.map(|(at, _)| NodeId(at as u16)))
    }

    /// The same without clients and the object store, which have no machine that could crash or be slow.
    pub fn machines(&self, selector: &Selector) -> NodeSet {
        let nodes = self.select(selector);
        let has_machine = |seat: Seat| !matches!(seat, Seat::Client(_) | Seat::ObjectStore);
        let machines = nodes.iter().filter(|node| has_machine(self.seats[node.index()]));
        NodeSet::new(self.seats.len(), machines)
    }

    /// The group of each node, as a partition has it; the first group that names a node counts.
    pub fn groups(&self, groups: &[Selector]) -> Vec<u8> {
        let sets: Vec<NodeSet> = groups.iter().map(|group| self.select(group)).collect();
        (0..self.seats.len())
            .map(|at| {
                let node = NodeId(at as u16);
                sets.iter().position(|set| set.contains(node)).map_or(GROUP_NONE, |group| group as u8)
            })
            .collect()
    }

    fn clients(&self) -> NodeSet {
        let clients = self.seats.iter().enumerate().filter(|(_, seat)| seat.role() == CLIENT);
        NodeSet::new(self.seats.len(), clients.map(|(at, _)| NodeId(at as u16)))
    }

    /// What an operator asks of the configuration service, and how that is taken back.
    fn admin(&self, begin: Admin, lift: Admin) -> FaultKind<Control> {
        let configs = self.seats.iter().enumerate().filter(|(_, seat)| seat.role() == CONFIG);
        FaultKind::Control {
            nodes: NodeSet::new(self.seats.len(), configs.map(|(at, _)| NodeId(at as u16))),
            begin: Control::Admin(begin),
            lift: Control::Admin(lift),
        }
    }

    /// What all nodes of some roles are told, and when it is lifted.
    fn told(&self, roles: &[&str], begin: Control, lift: Control) -> FaultKind<Control> {
        let told = self.seats.iter().enumerate().filter(|(_, seat)| roles.contains(&seat.role()));
        let nodes = NodeSet::new(self.seats.len(), told.map(|(at, _)| NodeId(at as u16)));
        FaultKind::Control { nodes, begin, lift }
    }

    /// What an operator asks of a node of a ring.
    fn ring_admin(&self, name: &str, begin: RingAdmin) -> FaultKind<Control> {
        let named = self.seats.iter().enumerate();
        let named = named.filter(|(_, seat)| seat.role() == RING_NODE && seat.name() == name);
        FaultKind::Control {
            nodes: NodeSet::new(self.seats.len(), named.map(|(at, _)| NodeId(at as u16))),
            begin: Control::Ring(begin),
            lift: Control::Ring(RingAdmin::GiveUp),
        }
    }

    /// What a fault is on this cluster. A restart is a crash that is lifted at once.
    pub fn resolve(&self, fault: &FaultSpec) -> FaultKind<Control> {
        match fault {
            FaultSpec::Crash { nodes, disk_lost } => {
                FaultKind::Crash { nodes: self.machines(nodes), disk_lost: *disk_lost }
            }
            FaultSpec::Restart { nodes } => {
                FaultKind::Crash { nodes: self.machines(nodes), disk_lost: false }
            }
            FaultSpec::Pause { nodes } => FaultKind::Pause { nodes: self.machines(nodes) },
            FaultSpec::SlowMachine { nodes, factor } => {
                FaultKind::SlowMachine { nodes: self.machines(nodes), factor: *factor }
            }
            FaultSpec::SlowDisk { nodes, factor } => {
                FaultKind::SlowDisk { nodes: self.machines(nodes), factor: *factor }
            }
            FaultSpec::Partition { groups } => FaultKind::Partition { group_of: self.groups(groups).into() },
            FaultSpec::OneWayCut { from, to } => {
                FaultKind::OneWayCut { from: self.select(from), to: self.select(to) }
            }
            FaultSpec::Loss { from, to, probability } => {
                FaultKind::Loss { from: self.select(from), to: self.select(to), probability: *probability }
            }
            FaultSpec::Delay { from, to, extra } => {
                FaultKind::Delay { from: self.select(from), to: self.select(to), extra: extra.clone() }
            }
            FaultSpec::Duplication { from, to, probability } => FaultKind::Duplication {
                from: self.select(from),
                to: self.select(to),
                probability: *probability,
            },
            FaultSpec::ClockSkew { nodes, offset_ms } => {
                FaultKind::ClockSkew { nodes: self.machines(nodes), offset_ns: (offset_ms * 1e6) as i64 }
            }
            FaultSpec::LoadSpike { factor } => FaultKind::Control {
                nodes: self.clients(),
                begin: Control::Client(ClientControl::LoadFactorBegins(*factor)),
                lift: Control::Client(ClientControl::LoadFactorEnds(*factor)),
            },
            FaultSpec::Split { shard, at } => {
                let shard = shard.saturating_sub(1);
                let (name_point, hash_point) = (name_point(at, 0), hash_point(at).unwrap_or(0));
                self.admin(Admin::Split { shard, name_point, hash_point }, Admin::GiveUpMove)
            }
            FaultSpec::Merge { shard, into } => {
                let (shard, into) = (shard.saturating_sub(1), into.saturating_sub(1));
                self.admin(Admin::Merge { shard, into }, Admin::GiveUpMove)
            }
            FaultSpec::SchemaChange { shard } => {
                let shard = shard.saturating_sub(1);
                self.admin(Admin::ChangeSchema { shard }, Admin::GiveUpSchemaChange { shard })
            }
            FaultSpec::Restore { shard, back_ms } => {
                let shard = shard.saturating_sub(1);
                let back = back_ms.map(SimDuration::from_ms_f64);
                self.admin(Admin::Restore { shard, back }, Admin::GiveUpRestore { shard })
            }
            FaultSpec::Poison { share } => FaultKind::Control {
                nodes: self.clients(),
                begin: Control::Client(ClientControl::PoisonBegins(*share)),
                lift: Control::Client(ClientControl::PoisonEnds(*share)),
            },
            FaultSpec::CountingBug { device } => {
                self.told(&[WORKER, READER], Control::Bug(Some(*device)), Control::Bug(None))
            }
            FaultSpec::Recount {} => {
                self.told(&[WORKER], Control::Workers(WorkerControl::Recount), Control::Nothing)
            }
            FaultSpec::Rebalance {} => self.told(&[BROKER], Control::Rebalance, Control::Nothing),
            FaultSpec::AddField { readers_after_ms } => {
                let after = SimDuration::from_ms_f64(*readers_after_ms);
                self.told(&[WORKER, READER], Control::AddField { after }, Control::Nothing)
            }
            FaultSpec::Rename { channel } => {
                let begin = Control::Readers(ReaderControl::Rename { channel: *channel });
                self.told(&[READER], begin, Control::Nothing)
            }
            FaultSpec::Join { node } => self.ring_admin(node, RingAdmin::Join),
            FaultSpec::Leave { node } => self.ring_admin(node, RingAdmin::Leave),
            FaultSpec::Replace { node, by } => {
                let dead = ring_node_number(node).map_or(u16::MAX, |number| (number - 1) as u16);
                self.ring_admin(by, RingAdmin::Replace { dead })
            }
            FaultSpec::HotKey { share } => FaultKind::Control {
                nodes: self.clients(),
                begin: Control::Client(ClientControl::HotShareBegins(*share)),
                lift: Control::Client(ClientControl::HotShareEnds(*share)),
            },
        }
    }

    /// The nodes that a fault acts on, for the picture.
    pub fn acts_on(&self, fault: &FaultSpec) -> Vec<u16> {
        let sets: Vec<NodeSet> = fault.selectors().iter().map(|selector| self.select(selector)).collect();
        (0..self.seats.len() as u16)
            .filter(|node| sets.iter().any(|set| set.contains(NodeId(*node))))
            .collect()
    }
}
