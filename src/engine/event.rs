//! What stands in the event queue of a world.

use super::disk::Request;
use super::machine::Running;
use super::node::NodeId;
use super::process::Process;
use super::time::{SimDuration, SimTime};

/// Something that will happen.
#[derive(Clone)]
pub enum Event<P: Process> {
    Start {
        node: NodeId,
        incarnation: u32,
    },
    Arrive {
        from: NodeId,
        to: NodeId,
        sent: SimTime,
        message: P::Message,
    },
    Served {
        node: NodeId,
        incarnation: u32,
        running: RunningJob<P>,
    },
    Timer {
        node: NodeId,
        incarnation: u32,
        timer: P::Timer,
    },
    DiskDone {
        node: NodeId,
        incarnation: u32,
        request: DiskRequest<P>,
    },
    /// Connections on a link that have been stalled too long are given up.
    StallCheck {
        link: u32,
    },
    /// A node learns that its connections to `peer` were given up.
    Broken {
        node: NodeId,
        peer: NodeId,
    },
    /// A node is told something that reached it while it was paused.
    Told {
        node: NodeId,
        incarnation: u32,
        control: P::Control,
    },
    PowerOff {
        node: NodeId,
        off_for: SimDuration,
    },
    /// Void if the node has been switched off for longer since.
    PowerOn {
        node: NodeId,
    },
}

/// A job on a core.
#[derive(Clone)]
pub struct RunningJob<P: Process>(pub(super) Running<P::Message, P::Token>);

/// A request on a channel of a disk.
#[derive(Clone)]
pub struct DiskRequest<P: Process>(pub(super) Request<P::Token>);
