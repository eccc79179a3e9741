//! Faults: what is done to a system from a moment on until it is lifted.
//!
//! Crash, pause, slow and partition are different things, and so are losing
//! memory and losing the disk. A fault counts what it touched; zero is a result.

use super::distribution::Distribution;
use super::node::NodeId;
use std::rc::Rc;

/// Names a fault for as long as it lasts.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, serde::Serialize, serde::Deserialize)]
pub struct FaultId(pub u32);

/// Most faults that can be active at once in one world.
pub const ACTIVE_FAULTS_MAX: usize = 256;

/// A set of nodes of one world.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeSet(Rc<[bool]>);

impl NodeSet {
    pub fn new(node_count: usize, members: impl IntoIterator<Item = NodeId>) -> NodeSet {
        let mut set = vec![false; node_count];
        for member in members {
            set[member.index()] = true;
        }
        NodeSet(set.into())
    }

    #[inline]
    pub fn contains(&self, node: NodeId) -> bool {
        self.0.get(node.index()).copied().unwrap_or(false)
    }

    pub fn iter(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.0.iter().enumerate().filter(|(_, member)| **member).map(|(index, _)| NodeId(index as u16))
    }

    pub fn is_empty(&self) -> bool {
        !self.0.iter().any(|member| *member)
    }
}

/// The group of a node that a partition leaves alone: it reaches everybody.
pub const GROUP_NONE: u8 = u8::MAX;

/// What a fault does. `C` is what the processes themselves can be told.
#[derive(Clone, Debug)]
pub enum FaultKind<C> {
    /// The process and its memory are gone until the fault is lifted; then it
    /// starts anew from its disk, or from nothing where the disk is lost too.
    Crash { nodes: NodeSet, disk_lost: bool },
    /// The process stands still: messages wait (and are turned away where the
    /// queue is full), timers fire late, what a core was doing takes longer by
    /// the pause. Simplified: an fsync that ends meanwhile counts from the resumption.
    Pause { nodes: NodeSet },
    /// Jobs that begin meanwhile take `factor` times as long.
    SlowMachine { nodes: NodeSet, factor: f64 },
    /// Disk operations that begin meanwhile take `factor` times as long.
    SlowDisk { nodes: NodeSet, factor: f64 },
    /// Nodes of different groups do not reach each other. One group per node; [`GROUP_NONE`] for nodes left alone.
    Partition { group_of: Rc<[u8]> },
    /// Nothing passes from one set to the other; the way back is open.
    OneWayCut { from: NodeSet, to: NodeSet },
    /// Each message from one set to the other is lost with this probability;
    /// streams and pooled connections retransmit, which is lost as often.
    Loss { from: NodeSet, to: NodeSet, probability: f64 },
    /// Each message from one set to the other takes longer.
    Delay { from: NodeSet, to: NodeSet, extra: Distribution },
    /// Each datagram from one set to the other arrives twice with this
    /// probability. Streams discard the second copy; it is counted all the same.
    Duplication { from: NodeSet, to: NodeSet, probability: f64 },
    /// Wall clocks are off by this much.
    ClockSkew { nodes: NodeSet, offset_ns: i64 },
    /// Processes are told something (a load spike), and its opposite when it is
    /// lifted. One that starts meanwhile is told after its start; one that is
    /// down when the fault is lifted need not be told.
    Control { nodes: NodeSet, begin: C, lift: C },
}

impl<C> FaultKind<C> {
    /// Whether it acts on messages under way.
    pub(super) fn is_on_links(&self) -> bool {
        matches!(
            self,
            FaultKind::Partition { .. }
                | FaultKind::OneWayCut { .. }
                | FaultKind::Loss { .. }
                | FaultKind::Delay { .. }
                | FaultKind::Duplication { .. }
        )
    }

    /// Whether nothing passes from one node to the other.
    pub(super) fn cuts(&self, from: NodeId, to: NodeId) -> bool {
        match self {
            FaultKind::Partition { group_of } => {
                let group = |node: NodeId| group_of.get(node.index()).copied().unwrap_or(GROUP_NONE);
                let (a, b) = (group(from), group(to));
                a != b && a != GROUP_NONE && b != GROUP_NONE
            }
            FaultKind::OneWayCut { from: senders, to: receivers } => {
                senders.contains(from) && receivers.contains(to)
            }
            _ => false,
        }
    }

    /// Whether it loses, delays or duplicates messages from one node to the other.
    pub(super) fn acts_between(&self, sender: NodeId, receiver: NodeId) -> bool {
        match self {
            FaultKind::Loss { from, to, .. }
            | FaultKind::Delay { from, to, .. }
            | FaultKind::Duplication { from, to, .. } => from.contains(sender) && to.contains(receiver),
            _ => false,
        }
    }

    /// The nodes whose machines, processes or clocks it acts on.
    pub(super) fn nodes(&self) -> Option<&NodeSet> {
        match self {
            FaultKind::Crash { nodes, .. }
            | FaultKind::Pause { nodes }
            | FaultKind::SlowMachine { nodes, .. }
            | FaultKind::SlowDisk { nodes, .. }
            | FaultKind::ClockSkew { nodes, .. }
            | FaultKind::Control { nodes, .. } => Some(nodes),
            _ => None,
        }
    }
}

/// What a fault touched, in messages.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize)]
pub struct Touched {
    /// Stopped on the way, or lost or turned away with a process that stood
    /// still or was gone. While a cut lasts, what waits for it to heal counts here.
    pub stopped: u64,
    /// Held back and delivered later, or served later (for a slow machine or
    /// disk, the jobs and operations that it made longer).
    pub delayed: u64,
    pub duplicated: u64,
}

impl Touched {
    pub fn total(&self) -> u64 {
        self.stopped + self.delayed + self.duplicated
    }
}

/// A fault that acts now.
#[derive(Clone)]
pub struct ActiveFault<C> {
    pub id: FaultId,
    pub kind: FaultKind<C>,
    pub touched: Touched,
}
