//! What the parts of a SQL cluster report to whoever watches, and their timers and tokens.

use super::message::SqlMessage;
use super::record::SqlRecord;
use crate::engine::{DiskImage, NodeId, Process};
use crate::workload::operation::{Request, Response};

/// Something worth telling.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum SqlEvent {
    /// The configuration service missed this many answers of a node in a row.
    MissedHealthCheck {
        node: NodeId,
        missed: u32,
        threshold: u32,
    },
    /// A node that had been missed answered again.
    HealthCheckAnswered {
        node: NodeId,
    },
    /// The configuration service asks a node to become primary.
    Promoting {
        shard: u8,
        node: NodeId,
        epoch: u32,
    },
    /// The configuration service wants to promote, and no replica answers.
    NobodyToPromote {
        shard: u8,
    },
    /// A node became primary: transactions after `base` of older epochs are not part of its history.
    Promoted {
        shard: u8,
        node: NodeId,
        epoch: u32,
        base: u64,
    },
    /// A former primary learned of a later epoch and takes no more writes.
    SteppedDown {
        shard: u8,
        node: NodeId,
    },
    /// A node takes a copy of everything; it drops this many transactions that
    /// are not part of its source's history.
    SnapshotBegins {
        shard: u8,
        node: NodeId,
        errant: u64,
    },
    SnapshotEnds {
        shard: u8,
        node: NodeId,
    },
}

impl SqlEvent {
    /// A word for the trace hash.
    pub fn word(&self) -> u64 {
        match *self {
            SqlEvent::MissedHealthCheck { node, missed, .. } => {
                1 << 56 | u64::from(node.0) << 32 | u64::from(missed)
            }
            SqlEvent::HealthCheckAnswered { node } => 2 << 56 | u64::from(node.0),
            SqlEvent::Promoting { shard, node, epoch } => {
                3 << 56 | u64::from(shard) << 48 | u64::from(node.0) << 32 | u64::from(epoch)
            }
            SqlEvent::NobodyToPromote { shard } => 4 << 56 | u64::from(shard),
            SqlEvent::Promoted { shard, node, epoch, base } => {
                5 << 56 ^ u64::from(shard) << 48 ^ u64::from(node.0) << 32 ^ u64::from(epoch) ^ base << 8
            }
            SqlEvent::SteppedDown { shard, node } => 6 << 56 | u64::from(shard) << 48 | u64::from(node.0),
            SqlEvent::SnapshotBegins { shard, node, errant } => {
                7 << 56 ^ u64::from(shard) << 48 ^ u64::from(node.0) << 32 ^ errant
            }
            SqlEvent::SnapshotEnds { shard, node } => 8 << 56 | u64::from(shard) << 48 | u64::from(node.0),
        }
    }
}

/// What the parts set timers for.
#[derive(Clone, Copy, Debug)]
pub enum SqlTimer {
    /// The oldest pending query may have run out of time.
    TimeOut,
    /// A proxy asks for a newer map.
    MapRefresh,
    /// The configuration service begins a round of health checks.
    HealthRound,
    /// And looks who answered.
    HealthCheck { round: u32 },
    /// A replica looks whether its source is still there.
    SourceCheck,
    /// A primary tells its replicas that it is there.
    SourceAlive,
    /// An fsync at an interval.
    Sync,
}

/// What completions of disk operations and work carry.
#[derive(Clone, Copy, Debug)]
pub enum SqlToken {
    /// The transaction with this number, and all before it, is on disk.
    Committed { sequence: u64 },
    /// The applier has executed the first transaction of the relay log.
    Applied,
    /// The new epoch is on disk.
    EpochStored { epoch: u32 },
    /// The snapshot is on disk.
    SnapshotStored,
    /// The new map is on disk.
    MapStored,
}

/// A process that can contain the parts of a SQL cluster.
pub trait SqlHost:
    Process<
        Message: From<SqlMessage> + From<Response> + From<Request>,
        Timer: From<SqlTimer>,
        Token: From<SqlToken>,
        Output: From<SqlEvent>,
        Disk: DiskImage<Record: From<SqlRecord>>,
    >
{
}
impl<P> SqlHost for P where
    P: Process<
            Message: From<SqlMessage> + From<Response> + From<Request>,
            Timer: From<SqlTimer>,
            Token: From<SqlToken>,
            Output: From<SqlEvent>,
            Disk: DiskImage<Record: From<SqlRecord>>,
        >
{
}
