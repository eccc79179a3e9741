//! What the parts of the counting service say to each other, set timers for and report.

use super::event_log::group::Assignment;
use super::event_log::replica::{ReplicaMessage, Stored};
use super::object_store::{Object, ObjectName};
use super::settings::Acks;
use super::view::Batch;
use crate::engine::{DiskImage, NodeId, Process, SimDuration, SimTime, Ticket, Transport};
use crate::workload::operation::{HEADER_BYTES, KeyId, Request, Response};
use std::rc::Rc;

/// Anything that travels between them.
#[derive(Clone, Debug)]
pub enum ServiceMessage {
    /// Producer to broker. Offsets count views, from zero.
    Produce {
        ticket: Ticket,
        partition: u16,
        batch: Rc<Batch>,
        acks: Acks,
    },
    /// And back: the offset of its first view.
    Produced {
        ticket: Ticket,
        outcome: Result<u64, LogRefusal>,
    },
    /// Worker to broker: what comes from an offset on, as many views at most. It is answered when there
    /// is something, or after a while.
    Fetch {
        ticket: Ticket,
        partition: u16,
        offset: u64,
        views_max: u32,
    },
    Fetched {
        ticket: Ticket,
        outcome: Result<Fetched, LogRefusal>,
    },
    /// Broker to broker, about one partition.
    Replica {
        partition: u16,
        message: ReplicaMessage,
    },
    /// Worker to the coordinator of its group, again and again: it is there, and has these partitions, by these
    /// generations.
    MemberAlive {
        epoch: u64,
        owned: Rc<[Assignment]>,
    },
    /// It leaves: its partitions are free.
    MemberLeaves,
    /// And back: what it is to have. It gives up what is not in it, says so, and gets more when others have given up.
    Assigned {
        epoch: u64,
        target: Rc<[Assignment]>,
    },
    /// Another broker coordinates, if it is known which.
    NotCoordinator {
        hint: Option<NodeId>,
    },
    /// To the object store. A checkpoint is refused if a later generation has asked for that partition.
    Put {
        ticket: Ticket,
        object: Object,
    },
    PutDone {
        ticket: Ticket,
        is_taken: bool,
    },
    Get {
        ticket: Ticket,
        name: ObjectName,
    },
    Got {
        ticket: Ticket,
        objects: Rc<[Object]>,
    },
}

/// What a fetch found.
#[derive(Clone, Debug)]
pub struct Fetched {
    /// In the order of their offsets; the first may begin before the offset that was asked for.
    pub batches: Rc<[Stored]>,
    /// The offset up to which the log is written for good.
    pub committed: u64,
    /// The first offset that is kept.
    pub first: u64,
}

/// Why a broker does not take a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LogRefusal {
    /// It does not lead the partition; who may, if it knows.
    NotLeader { hint: Option<NodeId> },
    /// What was asked for is not kept any more; what is begins here.
    Gone { first: u64 },
    /// What was asked for comes after the end: a crash has lost what was there, as a majority had it in
    /// memory only.
    NeverWritten { end: u64 },
    /// An idempotent producer's batch is not the one that comes next, nor one of those that came last.
    OutOfSequence,
    /// Too much waits.
    Overloaded,
}

/// Classes of messages: to show, and for the trace.
pub const CLASS_PRODUCE: u8 = 40;
pub const CLASS_PRODUCED: u8 = 41;
pub const CLASS_FETCH: u8 = 42;
pub const CLASS_FETCHED: u8 = 43;
pub const CLASS_LOG_REPLICATION: u8 = 44;
pub const CLASS_GROUP: u8 = 45;
pub const CLASS_OBJECT_REQUEST: u8 = 46;
pub const CLASS_OBJECT_REPLY: u8 = 47;

impl ServiceMessage {
    pub fn transport(&self) -> Transport {
        match self {
            // In order, as on the one connection that a producer has to a broker.
            ServiceMessage::Produce { .. } | ServiceMessage::Replica { .. } => Transport::Stream,
            _ => Transport::Pooled,
        }
    }

    pub fn class(&self) -> u8 {
        match self {
            ServiceMessage::Produce { .. } => CLASS_PRODUCE,
            ServiceMessage::Produced { .. } => CLASS_PRODUCED,
            ServiceMessage::Fetch { .. } => CLASS_FETCH,
            ServiceMessage::Fetched { .. } => CLASS_FETCHED,
            ServiceMessage::Replica { .. } => CLASS_LOG_REPLICATION,
            ServiceMessage::MemberAlive { .. }
            | ServiceMessage::MemberLeaves
            | ServiceMessage::Assigned { .. }
            | ServiceMessage::NotCoordinator { .. } => CLASS_GROUP,
            ServiceMessage::Put { .. } | ServiceMessage::Get { .. } => CLASS_OBJECT_REQUEST,
            ServiceMessage::PutDone { .. } | ServiceMessage::Got { .. } => CLASS_OBJECT_REPLY,
        }
    }

    pub fn bytes(&self) -> u32 {
        HEADER_BYTES
            + match self {
                ServiceMessage::Produce { batch, .. } => batch.bytes(),
                ServiceMessage::Fetched { outcome: Ok(fetched), .. } => {
                    fetched.batches.iter().map(|stored| stored.batch.bytes()).sum::<u32>()
                }
                ServiceMessage::Replica { message, .. } => message.bytes(),
                ServiceMessage::MemberAlive { owned: list, .. }
                | ServiceMessage::Assigned { target: list, .. } => 16 + 12 * list.len() as u32,
                ServiceMessage::Put { object, .. } => object.bytes(),
                ServiceMessage::Got { objects, .. } => objects.iter().map(Object::bytes).sum::<u32>(),
                _ => 24,
            }
    }
}

/// What they set timers for.
#[derive(Clone, Copy, Debug)]
pub enum ServiceTimer {
    /// Collector: a batch of a partition has waited long enough; `number` says which.
    Linger {
        partition: u16,
        number: u32,
    },
    /// Requests have run out of time.
    TimeOut,
    /// Broker: time to look at elections, heartbeats and waiting fetches of all partitions.
    Tick,
    /// Worker.
    MemberHeartbeat,
    Flush,
    Checkpoint,
    Job,
    /// Worker, collector: what was put off is tried again.
    Retry,
    /// Object store: a request is done.
    Served {
        ticket: Ticket,
    },
}

/// What comes back when something is done.
#[derive(Clone, Copy, Debug)]
pub enum ServiceToken {
    /// Broker: what a partition had appended is on disk up to this index; valid if its end was not cut off
    /// again since.
    Synced {
        partition: u16,
        index: u64,
        cuts: u32,
    },
    /// Broker: term and vote are on disk as they were written the `number`-th time.
    Voted {
        partition: u16,
        number: u32,
    },
    /// Worker: a chunk of a partition has been processed.
    Processed {
        partition: u16,
        generation: u64,
    },
    /// Worker: rows are on its disk, or back from there.
    Spilled,
    Unspilled,
}

/// Something to tell whoever watches.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ServiceEvent {
    /// A broker leads a partition from now on.
    Leads {
        node: NodeId,
        partition: u16,
        term: u32,
    },
    /// A member of the group is taken for dead, or has come.
    MemberLost {
        node: NodeId,
    },
    MemberJoined {
        node: NodeId,
    },
    /// A worker has a partition, and goes on from a checkpoint at this offset.
    Resumed {
        node: NodeId,
        partition: u16,
        offset: u64,
    },
    GivenUp {
        node: NodeId,
        partition: u16,
    },
    /// A checkpoint of a worker that had lost its partition was refused.
    Fenced {
        node: NodeId,
        partition: u16,
    },
    /// What a worker would have read next had been dropped.
    Overtaken {
        node: NodeId,
        partition: u16,
        views: u64,
    },
    /// A view went to the queue of dead letters.
    DeadLetter {
        node: NodeId,
        video: KeyId,
        at: SimTime,
        is_late: bool,
    },
    /// A partition stands still at a malformed view.
    Stuck {
        node: NodeId,
        partition: u16,
    },
    /// Rows go to a worker's disk, and are all back.
    Spills {
        node: NodeId,
    },
    SpillEmpty {
        node: NodeId,
    },
    /// A worker fetches nothing more, and does so again.
    HoldsBack {
        node: NodeId,
    },
    GoesOn {
        node: NodeId,
    },
    /// The database does not answer a worker, and does so again.
    StoreTrouble {
        node: NodeId,
    },
    StoreBack {
        node: NodeId,
    },
    /// A view that is followed is in the database, so long after it happened.
    Followed {
        after: SimDuration,
    },
    /// A row was written, and again because its first time was not answered.
    Written {
        is_retry: bool,
    },
    /// A batch of a collector was given up, with so many views.
    BatchLost {
        node: NodeId,
        views: u32,
    },
    /// A partition was counted again, from the views in the object store; or there are none.
    Recounted {
        node: NodeId,
        partition: u16,
    },
    NothingToRecount {
        node: NodeId,
    },
    /// A page showed a channel by this name.
    Page {
        channel: u32,
        name: u64,
    },
    /// A channel has another name, in so many rows.
    Renamed {
        node: NodeId,
        channel: u32,
        rows: u32,
    },
    /// A job of a batch or micro-batch has begun or ended.
    Job {
        node: NodeId,
        begins: bool,
    },
}

impl ServiceEvent {
    /// Whether it is more than one of many.
    pub fn is_worth_telling(&self) -> bool {
        use ServiceEvent::{Followed, Page, Written};
        !matches!(self, Followed { .. } | Page { .. } | Written { .. })
    }

    /// A word for the trace hash.
    pub fn word(&self) -> u64 {
        use ServiceEvent as E;
        let (kind, node, value) = match *self {
            E::Leads { node, partition, term } => (1, node.0, u64::from(term) << 16 | u64::from(partition)),
            E::MemberLost { node } => (2, node.0, 0),
            E::MemberJoined { node } => (3, node.0, 0),
            E::Resumed { node, partition, offset, .. } => (4, node.0, offset << 8 ^ u64::from(partition)),
            E::GivenUp { node, partition } => (5, node.0, u64::from(partition)),
            E::Fenced { node, partition } => (6, node.0, u64::from(partition)),
            E::Overtaken { node, partition, views } => (7, node.0, views << 8 ^ u64::from(partition)),
            E::DeadLetter { node, video, at, .. } => (8, node.0, at.0 ^ u64::from(video)),
            E::Stuck { node, partition } => (9, node.0, u64::from(partition)),
            E::Spills { node } => (10, node.0, 0),
            E::SpillEmpty { node } => (11, node.0, 0),
            E::HoldsBack { node } => (12, node.0, 0),
            E::GoesOn { node } => (13, node.0, 0),
            E::StoreTrouble { node } => (14, node.0, 0),
            E::StoreBack { node } => (15, node.0, 0),
            E::Followed { after } => (16, 0, after.0),
            E::Written { is_retry } => (17, 0, u64::from(is_retry)),
            E::BatchLost { node, views } => (18, node.0, u64::from(views)),
            E::Recounted { node, partition } => (20, node.0, u64::from(partition)),
            E::NothingToRecount { node } => (21, node.0, 0),
            E::Page { channel, name } => (22, 0, name << 32 ^ u64::from(channel)),
            E::Renamed { node, rows, .. } => (23, node.0, u64::from(rows)),
            E::Job { node, begins } => (19, node.0, u64::from(begins)),
        };
        value ^ u64::from(node) << 40 ^ kind << 56
    }
}

/// A process that can contain the parts of the service.
pub trait ServiceHost:
    Process<
        Message: From<ServiceMessage> + From<Request> + From<Response>,
        Timer: From<ServiceTimer>,
        Token: From<ServiceToken>,
        Output: From<ServiceEvent>,
        Disk: DiskImage<Record: From<super::event_log::record::LogRecord>>,
    >
{
}
impl<P> ServiceHost for P where
    P: Process<
            Message: From<ServiceMessage> + From<Request> + From<Response>,
            Timer: From<ServiceTimer>,
            Token: From<ServiceToken>,
            Output: From<ServiceEvent>,
            Disk: DiskImage<Record: From<super::event_log::record::LogRecord>>,
        >
{
}
