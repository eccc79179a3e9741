//! What ring nodes say to each other, report, and set timers for.

use super::gossip_message::GossipMessage;
use super::hints::Hints;
use super::membership::MembershipTimer;
use super::paxos::Acceptor;
use super::place::{Move, MoveEnd, PLACE_BYTES, Places};
use super::row::Row;
use super::slice::Slice;
use super::storage::log_disk::{Change, LogDisk};
use crate::engine::{DiskImage, NodeId, PagedVec, Process, Ticket, Transport};
use crate::workload::client::Topology;
use crate::workload::keys::KeySpace;
use crate::workload::operation::{Got, HEADER_BYTES, KeyId, Request, Response, Selected};
use crate::workload::version_vector::VersionVector;
use std::rc::Rc;

/// A message between two ring nodes.
#[derive(Clone, Debug)]
pub enum RingMessage {
    /// Coordinator to replica.
    Write {
        ticket: Ticket,
        key: KeyId,
        row: Row,
        /// The replica that it is kept for, if the receiver stands in for one.
        owner: Option<u16>,
        /// The number of the ring that the coordinator acts by.
        view: u32,
    },
    /// The coordinator acts by a ring that is too old: it is told the receiver's places.
    Refused {
        ticket: Ticket,
        places: Places,
    },
    WriteAcknowledged {
        ticket: Ticket,
    },
    Read {
        ticket: Ticket,
        key: KeyId,
        is_digest: bool,
    },
    /// The content, or a digest of it.
    ReadReply {
        ticket: Ticket,
        row: Row,
        is_digest: bool,
    },
    /// What a replica lacked in its answer; acknowledged if the read waits for it.
    Repair {
        key: KeyId,
        row: Row,
        ticket: Option<Ticket>,
    },
    RepairAcknowledged {
        ticket: Ticket,
    },
    /// A write that the receiver, a replica of its key, takes in and answers.
    Forward {
        client: NodeId,
        request: Request,
        context: Option<Rc<VersionVector>>,
    },
    /// A proposer asks to take part in a ballot, and in none before it.
    Prepare {
        ticket: Ticket,
        key: KeyId,
        ballot: u64,
    },
    /// The latest ballot that was promised; if it is the one that was asked for, also the row of the last
    /// one that was accepted, or a later committed one.
    Promise {
        ticket: Ticket,
        ballot: u64,
        promised: u64,
        row: Row,
        is_committed: bool,
    },
    Propose {
        ticket: Ticket,
        key: KeyId,
        ballot: u64,
        row: Row,
    },
    /// With the latest ballot that was promised: if it is another one, it was refused.
    Accepted {
        ticket: Ticket,
        ballot: u64,
        promised: u64,
    },
    /// Several rows of one partition.
    ReadSlice {
        ticket: Ticket,
        slice: Slice,
        is_digest: bool,
    },
    /// All rows of a slice, those never written too, or only a stamp over them (the digest).
    Slice {
        ticket: Ticket,
        rows: Option<Rc<Vec<Row>>>,
        stamp: u64,
    },
    /// As `Repair`, of the rows of a slice.
    RepairSlice {
        rows: Rc<Vec<(KeyId, Row)>>,
        ticket: Option<Ticket>,
    },
    /// A write that was kept for the receiver.
    Hint {
        key: KeyId,
        row: Row,
    },
    /// The one with this stamp.
    HintStored {
        key: KeyId,
        stamp: u64,
    },
    /// Hash what we share, and send me the leaves of the tree.
    TreeRequest,
    Tree {
        leaves: Rc<Vec<u64>>,
    },
    /// What the sender has in some leaves; it wants what the receiver has of them, if it names them.
    Sync {
        leaves: Option<Rc<Vec<u32>>>,
        rows: Rc<Vec<(KeyId, Row)>>,
    },
    /// About who is there; the state of a node that comes along has so many bytes. With it, once the ring
    /// has changed, how all stand to the ring.
    Gossip {
        message: GossipMessage,
        state_bytes: u32,
        places: Option<Places>,
    },
    /// Send me the next rows.
    StreamPull(Pull),
    /// Some, and the key to go on with; none if these are the last.
    StreamChunk {
        pull: Pull,
        rows: Rc<Vec<(KeyId, Row)>>,
        next: Option<KeyId>,
    },
}

/// What a node asks for that takes ranges: the rows of keys, from one on, of which it takes another one's place.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pull {
    /// The change of the ring.
    pub change: u64,
    /// Who takes.
    pub to: u16,
    /// Whose place it takes.
    pub of: u16,
    pub from_key: KeyId,
}

/// Bytes of a digest, and of a leaf of a Merkle tree (Cassandra 4.1: MD5 and SHA-256).
const DIGEST_BYTES: u32 = 16;
const LEAF_BYTES: u32 = 32;

/// Message classes of the ring. The four legs of a quorum operation have one each.
pub const FIRST_CLASS: u8 = 20;
pub const CLASS_WRITE_REQUEST: u8 = FIRST_CLASS;
pub const CLASS_WRITE_ACKNOWLEDGEMENT: u8 = FIRST_CLASS + 1;
pub const CLASS_READ_REQUEST: u8 = FIRST_CLASS + 2;
pub const CLASS_READ_RESPONSE: u8 = FIRST_CLASS + 3;
pub const CLASS_REPAIR: u8 = FIRST_CLASS + 4;
pub const CLASS_GOSSIP: u8 = FIRST_CLASS + 5;
pub const CLASS_HINT: u8 = FIRST_CLASS + 6;
pub const CLASS_ANTI_ENTROPY: u8 = FIRST_CLASS + 7;
pub const CLASS_PAXOS: u8 = FIRST_CLASS + 8;
pub const CLASS_STREAM: u8 = FIRST_CLASS + 9;
pub const LAST_CLASS: u8 = CLASS_STREAM;

impl RingMessage {
    pub fn transport(&self) -> Transport {
        match self {
            RingMessage::Gossip { .. } => Transport::Datagram,
            _ => Transport::Pooled,
        }
    }

    pub fn class(&self) -> u8 {
        match self {
            RingMessage::Write { .. } | RingMessage::Forward { .. } => CLASS_WRITE_REQUEST,
            RingMessage::WriteAcknowledged { .. } => CLASS_WRITE_ACKNOWLEDGEMENT,
            RingMessage::Read { .. } | RingMessage::ReadSlice { .. } => CLASS_READ_REQUEST,
            RingMessage::ReadReply { .. } | RingMessage::Slice { .. } => CLASS_READ_RESPONSE,
            RingMessage::Repair { .. }
            | RingMessage::RepairSlice { .. }
            | RingMessage::RepairAcknowledged { .. } => CLASS_REPAIR,
            RingMessage::Hint { .. } | RingMessage::HintStored { .. } => CLASS_HINT,
            RingMessage::TreeRequest | RingMessage::Tree { .. } | RingMessage::Sync { .. } => {
                CLASS_ANTI_ENTROPY
            }
            RingMessage::Gossip { .. } | RingMessage::Refused { .. } => CLASS_GOSSIP,
            RingMessage::StreamPull(_) | RingMessage::StreamChunk { .. } => CLASS_STREAM,
            RingMessage::Prepare { .. }
            | RingMessage::Promise { .. }
            | RingMessage::Propose { .. }
            | RingMessage::Accepted { .. } => CLASS_PAXOS,
        }
    }

    pub fn bytes(&self) -> u32 {
        HEADER_BYTES
            + match self {
                RingMessage::Write { row, .. }
                | RingMessage::Repair { row, .. }
                | RingMessage::Hint { row, .. } => 40 + row.bytes(),
                RingMessage::ReadReply { is_digest: true, .. } => DIGEST_BYTES,
                RingMessage::ReadReply { row, .. } => 30 + row.bytes(),
                RingMessage::WriteAcknowledged { .. }
                | RingMessage::RepairAcknowledged { .. }
                | RingMessage::HintStored { .. }
                | RingMessage::TreeRequest => 10,
                RingMessage::Tree { leaves } => (leaves.len() as u32).saturating_mul(LEAF_BYTES),
                RingMessage::Sync { rows, .. } | RingMessage::StreamChunk { rows, .. } => {
                    rows.iter().fold(0_u32, |sum, (_, row)| sum.saturating_add(28 + row.bytes()))
                }
                RingMessage::Read { .. } | RingMessage::StreamPull(_) => 20,
                RingMessage::Refused { places, .. } => places.len() as u32 * PLACE_BYTES,
                RingMessage::Gossip { message, state_bytes, places } => {
                    let places = places.as_ref().map_or(0, |places| places.len() as u32);
                    message.bytes(*state_bytes) + places * PLACE_BYTES
                }
                RingMessage::Forward { request, context, .. } => {
                    20 + request.bytes + context.as_ref().map_or(0, |context| context.bytes())
                }
                RingMessage::Prepare { .. } | RingMessage::Accepted { .. } => 30,
                RingMessage::Promise { row, .. } | RingMessage::Propose { row, .. } => 40 + row.bytes(),
                RingMessage::Slice { rows, .. } => {
                    rows.as_ref().map_or(DIGEST_BYTES, |rows| 30 + bytes_of(rows.iter()))
                }
                RingMessage::RepairSlice { rows, .. } => 40 + bytes_of(rows.iter().map(|(_, row)| row)),
                RingMessage::ReadSlice { .. } => 30,
            }
    }
}

/// Bytes of rows that share a partition's key: those that were written, each with its own key and time.
fn bytes_of<'a>(rows: impl Iterator<Item = &'a Row>) -> u32 {
    const ROW_BYTES: u32 = 18;
    let written = rows.filter(|row| !row.is_empty());
    written.fold(0, |sum: u32, row| sum.saturating_add(ROW_BYTES + row.bytes()))
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
    /// Digests of a read differed: replicas are asked again, for their data.
    DigestsDiffered { node: NodeId, key: KeyId },
    /// A node has delivered all hints that it kept for another.
    HandedOff { node: NodeId, peer: NodeId },
    /// Two replicas compared their trees, and exchange so many leaves.
    TreesDiffered { node: NodeId, peer: NodeId, leaves: u32 },
    /// A node dropped so many tombstones whose grace period was over.
    Purged { node: NodeId, tombstones: u32 },
    /// A node begins to join, to leave or to replace another one.
    MoveBegins { node: NodeId, what: Move },
    /// A node has all rows that it takes: so many were sent to it.
    Received { node: NodeId, rows: u32 },
    /// Reads go by the ring as it will be.
    HandsOver { node: NodeId },
    /// It is over: done, given up, or it could not begin.
    MoveOver { node: NodeId, what: Move, end: MoveEnd },
    /// Writes wait at a node: its memtable is full and cannot be flushed yet.
    WritesStall { node: NodeId },
    /// They go on, after so long; so many had to wait.
    WritesGoOn { node: NodeId, writes: u32, for_ms: u32 },
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
            RingEvent::DigestsDiffered { node, key } => 4 << 56 | u64::from(node.0) << 40 | u64::from(key),
            RingEvent::HandedOff { node, peer } => 5 << 56 | u64::from(node.0) << 16 | u64::from(peer.0),
            RingEvent::TreesDiffered { node, peer, leaves } => {
                6 << 56 | u64::from(node.0) << 40 | u64::from(peer.0) << 24 | u64::from(leaves)
            }
            RingEvent::Purged { node, tombstones } => {
                7 << 56 | u64::from(node.0) << 40 | u64::from(tombstones)
            }
            RingEvent::MoveBegins { node, what } => 8 << 56 | u64::from(node.0) << 16 | what as u64,
            RingEvent::Received { node, rows } => 9 << 56 | u64::from(node.0) << 40 | u64::from(rows),
            RingEvent::HandsOver { node } => 10 << 56 | u64::from(node.0),
            RingEvent::MoveOver { node, what, end } => {
                11 << 56 | u64::from(node.0) << 16 | (what as u64) << 8 | end as u64
            }
            RingEvent::WritesStall { node } => 12 << 56 | u64::from(node.0),
            RingEvent::WritesGoOn { node, writes, .. } => {
                13 << 56 | u64::from(node.0) << 40 | u64::from(writes)
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
    /// A read may have taken longer than most.
    Speculate {
        ticket: Ticket,
    },
    /// Hints are delivered.
    Handoff,
    /// Another replica is compared with.
    AntiEntropy,
    /// Old tombstones are dropped.
    Purge,
    /// A change of the ring may go on.
    Move,
    /// The next rows may be streamed.
    Stream,
    /// A transaction is tried again.
    Ballot {
        ticket: Ticket,
    },
    /// The oldest transaction may have run out of time.
    TransactionTimeOut,
    /// A compaction may go on, as far as its limit is concerned.
    Compact,
}

/// What completions of disk operations carry.
#[derive(Clone, Copy, Debug)]
pub enum RingToken {
    /// A write is on disk and can be acknowledged.
    Written {
        coordinator: NodeId,
        ticket: Ticket,
    },
    /// The same of a repair that a read waits for.
    Repaired {
        coordinator: NodeId,
        ticket: Ticket,
    },
    /// A promise, and an acceptance, are on disk.
    Promised {
        coordinator: NodeId,
        ticket: Ticket,
        key: KeyId,
        ballot: u64,
    },
    Accepted {
        coordinator: NodeId,
        ticket: Ticket,
        ballot: u64,
    },
    /// The keys that are shared with a peer are hashed.
    TreeBuilt {
        peer: NodeId,
    },
    /// The rows that are streamed next are read.
    RowsRead(Pull),
    /// Places up to this number are on disk.
    PlacesStored {
        number: u32,
    },
    /// All that it takes by a change of the ring is on disk.
    RowsStored {
        change: u64,
    },
    /// A step of a flush or of a compaction is done.
    Storage {
        is_flush: bool,
        step: Step,
    },
    /// A block of a table was read.
    BlockRead {
        operation: Ticket,
    },
    /// What was read of tables is merged.
    TablesRead {
        operation: Ticket,
    },
    /// The commit log was read, after a crash.
    LogRead,
    /// And replayed.
    Replayed,
}

/// The steps of each chunk of a flush or a compaction, and the last of all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Read,
    Work,
    Write,
    Durable,
}

/// A record of the commit log.
#[derive(Clone, Debug)]
pub struct RingRecord {
    pub key: KeyId,
    pub content: Content,
}

/// What a record says of a key.
#[derive(Clone, Debug)]
pub enum Content {
    Row(Row),
    /// With a store: the same, of a generation of its memtable.
    Logged {
        generation: u32,
        row: Row,
    },
    /// A flush or a compaction of a store; it is about no single key.
    Tables(Change),
    /// The tombstone with this stamp is dropped.
    Purged {
        stamp: u64,
    },
    /// A write is kept for a replica.
    Hint {
        owner: u16,
        row: Row,
    },
    /// How all stand to the ring.
    Places(Places),
    /// A ballot that it takes part in.
    Promised {
        ballot: u64,
    },
    /// A ballot's value.
    Accepted {
        row: Row,
    },
    /// It has it.
    HintDone {
        owner: u16,
        stamp: u64,
    },
}

/// What a ring node finds on its disk: all that was synced of each key, its hints, and its ballots.
#[derive(Clone, Default)]
pub struct RingDisk {
    pub rows: PagedVec<Row>,
    pub hints: Option<Hints>,
    /// How all stand to the ring; none if it has not changed.
    pub places: Option<Places>,
    pub acceptors: PagedVec<Acceptor>,
    /// With a store, in place of the rows.
    pub log: Option<LogDisk>,
}

/// A row with all that hints and ballots know of its key.
pub fn known(mut row: Row, hints: Option<&Hints>, acceptors: &PagedVec<Acceptor>, key: KeyId) -> Row {
    if let Some(hints) = hints {
        hints.merge_into(key, &mut row);
    }
    if let Some(acceptor) = acceptors.get(key as usize) {
        row.merge(&acceptor.accepted);
    }
    row
}

impl RingDisk {
    /// What is there of a key.
    pub fn row(&self, key: KeyId, keys: &KeySpace) -> Row {
        match &self.log {
            Some(log) => log.get(key, keys),
            None => self.rows.get(key as usize).cloned().unwrap_or_default(),
        }
    }

    /// All that it holds of a key, for whomever it is kept.
    pub fn known(&self, key: KeyId, keys: &KeySpace) -> Row {
        known(self.row(key, keys), self.hints.as_ref(), &self.acceptors, key)
    }

    fn kept(&mut self, key: KeyId) -> &mut Row {
        self.rows.extend_to(key as usize + 1, Row::default());
        self.rows.get_mut(key as usize).expect("the table was just extended")
    }

    fn acceptor(&mut self, key: KeyId) -> &mut Acceptor {
        self.acceptors.extend_to(key as usize + 1, Acceptor::default());
        self.acceptors.get_mut(key as usize).expect("the table was just extended")
    }
}

impl DiskImage for RingDisk {
    type Record = RingRecord;

    fn apply(&mut self, record: RingRecord) {
        let key = record.key;
        match record.content {
            Content::Row(row) => self.kept(key).merge(&row),
            Content::Logged { generation, row } => {
                self.log.get_or_insert_default().append(generation, key, &row);
            }
            Content::Tables(change) => self.log.get_or_insert_default().change(change),
            Content::Purged { stamp } => {
                let kept = self.kept(key);
                if kept.stamp() == stamp {
                    *kept = Row::default();
                }
            }
            Content::Places(places) => self.places = Some(places),
            Content::Hint { owner, row } => {
                self.hints.get_or_insert_with(Hints::default).put(owner, record.key, &row);
            }
            Content::Promised { ballot } => {
                self.acceptor(key).promise(ballot);
            }
            Content::Accepted { row } => {
                let ballot = row.stamp();
                self.acceptor(key).accept(ballot, &row);
            }
            Content::HintDone { owner, stamp } => {
                if let Some(hints) = &mut self.hints {
                    hints.delivered(owner, record.key, stamp);
                }
            }
        }
    }
}

/// A process that can contain a ring node.
pub trait RingHost:
    Process<
        Message: From<RingMessage>
                     + From<Response>
                     + From<Request>
                     + From<Got>
                     + From<Selected>
                     + From<Rc<Topology>>,
        Timer: From<RingTimer>,
        Token: From<RingToken>,
        Output: From<RingEvent>,
        Disk: DiskImage<Record: From<RingRecord>>,
    >
{
}
impl<P> RingHost for P where
    P: Process<
            Message: From<RingMessage>
                         + From<Response>
                         + From<Request>
                         + From<Got>
                         + From<Selected>
                         + From<Rc<Topology>>,
            Timer: From<RingTimer>,
            Token: From<RingToken>,
            Output: From<RingEvent>,
            Disk: DiskImage<Record: From<RingRecord>>,
        >
{
}
