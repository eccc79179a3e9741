//! Nodes: their names, where they stand, and the state that is not the process's own.

use super::disk::{Disk, DiskSpeed};
use super::event::Event;
use super::machine::Machine;
use super::process::Process;
use super::random::Stream;
use super::time::SimTime;
use std::collections::VecDeque;
use std::rc::Rc;

/// A node of one world, by its place in the order in which nodes were added.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash, serde::Serialize, serde::Deserialize)]
pub struct NodeId(pub u16);

/// Most nodes in a world.
pub const NODES_MAX: usize = 4_096;

impl NodeId {
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// What a node is made from.
#[derive(Clone)]
pub struct NodeSpec {
    /// Unique in its world; random streams are seeded by it.
    pub name: String,
    pub zone: u8,
    pub cores: u16,
    pub queue_limit: u32,
    pub disk: DiskSpeed,
    /// How wrong the node's clock is from the start, in nanoseconds.
    pub clock_offset_ns: i64,
}

/// A node apart from its process: machine, disk, clock, streams, and the state of its faults.
#[derive(Clone)]
pub struct Body<P: Process> {
    pub(super) name: Rc<str>,
    pub(super) zone: u8,
    pub(super) machine: Machine<P::Message, P::Token>,
    pub(super) disk: Disk<P::Disk, P::Token>,
    pub(super) service_stream: Stream,
    pub(super) disk_stream: Stream,
    pub(super) protocol_stream: Stream,
    /// Raised by every crash; what was scheduled before is void.
    pub(super) incarnation: u32,
    /// Whether the process runs: not before its start, nor from a crash to the next start.
    pub(super) started: bool,
    pub(super) crashes: u16,
    /// When its power comes back, while it is switched off.
    pub(super) off_until: Option<SimTime>,
    pub(super) pauses: u16,
    pub(super) paused_since_ns: u64,
    pub(super) paused_total_ns: u64,
    pub(super) slow_factor: f64,
    pub(super) disk_slow_factor: f64,
    pub(super) base_clock_offset_ns: i64,
    pub(super) clock_offset_ns: i64,
    /// Events that fell due while the process was paused, and when they did.
    pub(super) deferred: VecDeque<(SimTime, Event<P>)>,
}

impl<P: Process> Body<P> {
    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn zone(&self) -> u8 {
        self.zone
    }

    pub fn machine(&self) -> &Machine<P::Message, P::Token> {
        &self.machine
    }

    pub fn disk(&self) -> &Disk<P::Disk, P::Token> {
        &self.disk
    }

    /// Keeps an event that falls due now for when the process is resumed.
    pub(super) fn defer(&mut self, now: SimTime, event: Event<P>) {
        self.deferred.push_back((now, event));
    }

    /// Whether it has crashed and not been restarted, or is switched off.
    pub fn is_down(&self) -> bool {
        self.crashes > 0 || self.off_until.is_some()
    }

    /// Whether its power was taken away and has not come back.
    pub fn is_switched_off(&self) -> bool {
        self.off_until.is_some()
    }

    pub fn is_paused(&self) -> bool {
        self.pauses > 0
    }

    /// By which factor faults slow its machine now; 1 is full speed.
    pub fn slow_factor(&self) -> f64 {
        self.slow_factor
    }

    pub fn disk_slow_factor(&self) -> f64 {
        self.disk_slow_factor
    }

    /// How wrong its clock is, in nanoseconds.
    pub fn clock_offset_ns(&self) -> i64 {
        self.clock_offset_ns
    }

    pub fn incarnation(&self) -> u32 {
        self.incarnation
    }
}
