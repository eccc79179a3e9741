//! What ring nodes say to each other, report, and set timers for.

use super::gossip_message::GossipMessage;
use super::membership::MembershipTimer;
use crate::engine::{DiskImage, NodeId, PagedVec, Process, Ticket, Transport};
use crate::workload::operation::{Cell, HEADER_BYTES, KeyId, Request, Response};

/// A message between two ring nodes.
#[derive(Clone, Debug)]
pub enum RingMessage {
    /// Coordinator to replica.
    Write {
        ticket: Ticket,
        key: KeyId,
        cell: Cell,
    },
    WriteAcknowledged {
        ticket: Ticket,
    },
    Read {
        ticket: Ticket,
        key: KeyId,
    },
    ReadReply {
        ticket: Ticket,
        cell: Cell,
    },
    /// A newer version for a replica that showed an older one; not acknowledged.
    Repair {
        key: KeyId,
        cell: Cell,
    },
    /// About who is there; the state of a node that comes along has so many bytes.
    Gossip {
        message: GossipMessage,
        state_bytes: u32,
    },
}

/// Message classes of the ring. The four legs of a quorum operation have one each.
pub const FIRST_CLASS: u8 = 20;
pub const CLASS_WRITE_REQUEST: u8 = FIRST_CLASS;
pub const CLASS_WRITE_ACKNOWLEDGEMENT: u8 = FIRST_CLASS + 1;
pub const CLASS_READ_REQUEST: u8 = FIRST_CLASS + 2;
pub const CLASS_READ_RESPONSE: u8 = FIRST_CLASS + 3;
pub const CLASS_REPAIR: u8 = FIRST_CLASS + 4;
pub const CLASS_GOSSIP: u8 = FIRST_CLASS + 5;

impl RingMessage {
    pub fn transport(&self) -> Transport {
        match self {
            RingMessage::Gossip { .. } => Transport::Datagram,
            _ => Transport::Pooled,
        }
    }

    pub fn class(&self) -> u8 {
        match self {
            RingMessage::Write { .. } => CLASS_WRITE_REQUEST,
            RingMessage::WriteAcknowledged { .. } => CLASS_WRITE_ACKNOWLEDGEMENT,
            RingMessage::Read { .. } => CLASS_READ_REQUEST,
            RingMessage::ReadReply { .. } => CLASS_READ_RESPONSE,
            RingMessage::Repair { .. } => CLASS_REPAIR,
            RingMessage::Gossip { .. } => CLASS_GOSSIP,
        }
    }

    pub fn bytes(&self) -> u32 {
        HEADER_BYTES
            + match self {
                RingMessage::Write { cell, .. } | RingMessage::Repair { cell, .. } => 40 + cell.bytes,
                RingMessage::ReadReply { cell, .. } => 30 + cell.bytes,
                RingMessage::WriteAcknowledged { .. } => 10,
                RingMessage::Read { .. } => 20,
                RingMessage::Gossip { message, state_bytes } => message.bytes(*state_bytes),
            }
    }
}

/// Something worth telling.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum RingEvent {
    /// A node believes another one dead.
    Convicted { node: NodeId, peer: NodeId },
    /// A node believes another one alive again.
    Trusted { node: NodeId, peer: NodeId },
    /// A node suspects another one, or heard that others do (SWIM).
    Suspected { node: NodeId, peer: NodeId },
    /// A node heard that it is believed dead, and says that it is not.
    Refuted { node: NodeId },
    /// A read saw different versions; so many replicas are being brought up to date.
    Repaired { node: NodeId, key: KeyId, replicas: u8 },
}

impl RingEvent {
    /// A word for the trace hash.
    pub fn word(&self) -> u64 {
        match *self {
            RingEvent::Convicted { node, peer } => 1 << 56 | u64::from(node.0) << 16 | u64::from(peer.0),
            RingEvent::Trusted { node, peer } => 2 << 56 | u64::from(node.0) << 16 | u64::from(peer.0),
            RingEvent::Suspected { node, peer } => 4 << 56 | u64::from(node.0) << 16 | u64::from(peer.0),
            RingEvent::Refuted { node } => 5 << 56 | u64::from(node.0),
            RingEvent::Repaired { node, key, replicas } => {
                3 << 56 | u64::from(node.0) << 40 | u64::from(key) << 8 | u64::from(replicas)
            }
        }
    }
}

/// What ring nodes set timers for.
#[derive(Clone, Copy, Debug)]
pub enum RingTimer {
    Membership(MembershipTimer),
    /// The oldest coordinated request may have run out of time.
    TimeOut,
    /// The commit log goes to disk at an interval.
    Sync,
}

/// What completions of disk operations carry.
#[derive(Clone, Copy, Debug)]
pub enum RingToken {
    /// A write is on disk and can be acknowledged.
    Synced { coordinator: NodeId, ticket: Ticket },
}

/// A record of the commit log.
#[derive(Clone, Copy, Debug)]
pub struct RingRecord {
    pub key: KeyId,
    pub cell: Cell,
}

/// What a ring node finds on its disk: the newest version of each key that was synced.
#[derive(Clone, Default)]
pub struct RingDisk {
    pub cells: PagedVec<Cell>,
}

impl DiskImage for RingDisk {
    type Record = RingRecord;

    fn apply(&mut self, record: RingRecord) {
        let key = record.key as usize;
        self.cells.extend_to(key + 1, Cell::default());
        let cell = self.cells.get_mut(key).expect("the table was just extended");
        if record.cell.content.is_newer_than(&cell.content) {
            *cell = record.cell;
        }
    }
}

/// A process that can contain a ring node.
pub trait RingHost:
    Process<
        Message: From<RingMessage> + From<Response> + From<Request>,
        Timer: From<RingTimer>,
        Token: From<RingToken>,
        Output: From<RingEvent>,
        Disk: DiskImage<Record: From<RingRecord>>,
    >
{
}
impl<P> RingHost for P where
    P: Process<
            Message: From<RingMessage> + From<Response> + From<Request>,
            Timer: From<RingTimer>,
            Token: From<RingToken>,
            Output: From<RingEvent>,
            Disk: DiskImage<Record: From<RingRecord>>,
        >
{
}
