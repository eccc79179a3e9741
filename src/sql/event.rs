//! What the parts of a SQL cluster report to whoever watches, and their timers and tokens.

use super::message::SqlMessage;
use super::record::SqlRecord;
use super::shard_map::KeyRange;
use crate::engine::{DiskImage, NodeId, Process, SimDuration, SimTime, Ticket};
use crate::workload::operation::{KeyId, Request, Response, Selected};

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
    /// One of the transactions that it drops, as far as its log reaches: the version of what it wrote, and where.
    Errant {
        shard: u8,
        node: NodeId,
        version: u64,
        key: KeyId,
    },
    /// A node of the configuration service leads it from now on.
    Leads {
        node: NodeId,
        term: u32,
    },
    /// It leads no more: no majority confirmed it.
    LeadsNoMore {
        node: NodeId,
    },
    /// A primary's lease has run out: it takes no writes until it gets another.
    LeaseRanOut {
        shard: u8,
        node: NodeId,
    },
    /// The configuration service had an old primary switched off.
    SwitchedOff {
        shard: u8,
        node: NodeId,
    },
    /// A failover is due and blocked: the last one was too short a time ago.
    FailoverBlocked {
        shard: u8,
    },
    /// A primary no longer waits for replicas (semi-synchronous replication timed out).
    Degraded {
        shard: u8,
        node: NodeId,
    },
    /// And does so again: they have caught up.
    Restored {
        shard: u8,
        node: NodeId,
    },
    /// A server has recovered from a crash: so many transactions since its last checkpoint.
    Recovered {
        shard: u8,
        node: NodeId,
        transactions: u64,
    },
    /// A query proxy's circuit breaker for a shard opened, or closed again.
    BreakerOpened {
        shard: u8,
        node: NodeId,
    },
    BreakerClosed {
        shard: u8,
        node: NodeId,
    },
    /// A query proxy begins to keep writes of a shard back, and ends it with so many kept.
    BufferingBegan {
        shard: u8,
        node: NodeId,
    },
    BufferingEnded {
        shard: u8,
        node: NodeId,
        kept: u32,
    },
    /// A range of keys is about to move from one shard to another.
    MoveBegins {
        source: u8,
        target: u8,
    },
    /// Everything is copied; the source takes no more writes in the range for a moment.
    MoveFreezes {
        source: u8,
        target: u8,
    },
    /// It took too long: the source takes writes again, and it is tried again later.
    MoveThaws {
        source: u8,
        target: u8,
    },
    /// The range belongs to the target now, after so long a write pause.
    RangeMoved {
        source: u8,
        target: u8,
        range: KeyRange,
        pause: SimDuration,
    },
    /// It can't be: no shard stands by, the place is not inside the range, or they are no neighbours.
    MoveRefused {
        source: u8,
    },
    /// It was given up; everything is as before.
    MoveAborted {
        source: u8,
        target: u8,
    },
    /// A primary begins to change the schema of a table with so many rows.
    SchemaChangeBegins {
        shard: u8,
        node: NodeId,
        online: bool,
        rows: u32,
    },
    /// It is changed; writes had to wait for so long.
    SchemaChanged {
        shard: u8,
        node: NodeId,
        locked: SimDuration,
    },
    /// The last of an online change took too long: writes go on, and it is tried again later.
    CutOverPostponed {
        shard: u8,
        node: NodeId,
    },
    /// It was given up; everything is as before.
    SchemaChangeGivenUp {
        shard: u8,
        node: NodeId,
    },
    /// There is no such shard.
    NoSuchShard {
        shard: u8,
    },
    /// A server stops serving and restores its shard from a backup.
    RestoreBegins {
        shard: u8,
        node: NodeId,
    },
    /// It has what was to be restored: up to what was committed at a time on wall clocks (in nanoseconds), so
    /// many transactions after the snapshot.
    PointReached {
        shard: u8,
        node: NodeId,
        reached: u64,
        transactions: u64,
    },
    /// The shard serves what was restored; when that was asked for.
    ShardRestored {
        shard: u8,
        node: NodeId,
        asked: SimTime,
    },
    /// There is no backup that is old enough.
    NothingToRestore {
        shard: u8,
    },
}

/// What an operator can ask of a SQL cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admin {
    /// Moves the part of a shard from a place on (by name, or by hash) to a shard that stands by.
    Split { shard: u16, name_point: u32, hash_point: u32 },
    /// Moves all that a shard has to a neighbour.
    Merge { shard: u16, into: u16 },
    /// Gives up the move that is under way.
    GiveUpMove,
    /// Changes the schema of a shard's table.
    ChangeSchema { shard: u16 },
    /// Gives that up.
    GiveUpSchemaChange { shard: u16 },
    /// Restores a shard as it was so long ago; without a time, as its newest backup has it.
    Restore { shard: u16, back: Option<SimDuration> },
    /// Gives that up, if it has not begun.
    GiveUpRestore { shard: u16 },
}

impl Admin {
    /// The shard that it is about.
    pub fn shard(self) -> u16 {
        match self {
            Admin::Split { shard, .. }
            | Admin::Merge { shard, .. }
            | Admin::ChangeSchema { shard, .. }
            | Admin::GiveUpSchemaChange { shard }
            | Admin::Restore { shard, .. }
            | Admin::GiveUpRestore { shard } => shard,
            Admin::GiveUpMove => 0,
        }
    }
}

impl SqlEvent {
    /// A word for the trace hash.
    pub fn word(&self) -> u64 {
        let word = |kind: u64, shard: u8, node: NodeId, more: u64| {
            kind << 56 ^ u64::from(shard) << 48 ^ u64::from(node.0) << 32 ^ more
        };
        const NOBODY: NodeId = NodeId(0);
        match *self {
            SqlEvent::MissedHealthCheck { node, missed, .. } => word(1, 0, node, missed.into()),
            SqlEvent::HealthCheckAnswered { node } => word(2, 0, node, 0),
            SqlEvent::Promoting { shard, node, epoch } => word(3, shard, node, epoch.into()),
            SqlEvent::NobodyToPromote { shard } => word(4, shard, NOBODY, 0),
            SqlEvent::Promoted { shard, node, epoch, base } => {
                word(5, shard, node, u64::from(epoch) ^ base << 8)
            }
            SqlEvent::SteppedDown { shard, node } => word(6, shard, node, 0),
            SqlEvent::SnapshotBegins { shard, node, errant } => word(7, shard, node, errant),
            SqlEvent::SnapshotEnds { shard, node } => word(8, shard, node, 0),
            SqlEvent::Errant { shard, node, version, key } => {
                word(36, shard, node, version ^ u64::from(key) << 8)
            }
            SqlEvent::Leads { node, term } => word(9, 0, node, term.into()),
            SqlEvent::LeadsNoMore { node } => word(10, 0, node, 0),
            SqlEvent::LeaseRanOut { shard, node } => word(11, shard, node, 0),
            SqlEvent::SwitchedOff { shard, node } => word(12, shard, node, 0),
            SqlEvent::FailoverBlocked { shard } => word(13, shard, NOBODY, 0),
            SqlEvent::Degraded { shard, node } => word(14, shard, node, 0),
            SqlEvent::Restored { shard, node } => word(15, shard, node, 0),
            SqlEvent::Recovered { shard, node, transactions } => word(16, shard, node, transactions),
            SqlEvent::BreakerOpened { shard, node } => word(17, shard, node, 0),
            SqlEvent::BreakerClosed { shard, node } => word(18, shard, node, 0),
            SqlEvent::BufferingBegan { shard, node } => word(19, shard, node, 0),
            SqlEvent::BufferingEnded { shard, node, kept } => word(20, shard, node, kept.into()),
            SqlEvent::MoveBegins { source, target } => word(21, source, NodeId(target.into()), 0),
            SqlEvent::MoveFreezes { source, target } => word(22, source, NodeId(target.into()), 0),
            SqlEvent::MoveThaws { source, target } => word(23, source, NodeId(target.into()), 0),
            SqlEvent::RangeMoved { source, target, range, pause } => {
                word(24, source, NodeId(target.into()), pause.0 ^ u64::from(range.from) << 8)
            }
            SqlEvent::MoveRefused { source } => word(26, source, NOBODY, 0),
            SqlEvent::MoveAborted { source, target } => word(25, source, NodeId(target.into()), 0),
            SqlEvent::SchemaChangeBegins { shard, node, online, rows } => {
                word(27, shard, node, u64::from(rows) << 1 | u64::from(online))
            }
            SqlEvent::SchemaChanged { shard, node, locked } => word(28, shard, node, locked.0),
            SqlEvent::CutOverPostponed { shard, node } => word(29, shard, node, 0),
            SqlEvent::SchemaChangeGivenUp { shard, node } => word(30, shard, node, 0),
            SqlEvent::NoSuchShard { shard } => word(31, shard, NOBODY, 0),
            SqlEvent::RestoreBegins { shard, node } => word(32, shard, node, 0),
            SqlEvent::PointReached { shard, node, reached, transactions } => {
                word(33, shard, node, reached ^ transactions)
            }
            SqlEvent::ShardRestored { shard, node, asked } => word(34, shard, node, asked.0),
            SqlEvent::NothingToRestore { shard } => word(35, shard, NOBODY, 0),
        }
    }
}

/// What the parts set timers for.
#[derive(Clone, Copy, Debug)]
pub enum SqlTimer {
    /// The oldest pending query may have run out of time.
    TimeOut,
    /// The oldest attempt of a query proxy, the oldest row lock's waiter or the
    /// oldest waiter for a connection may have.
    AttemptTimeOut,
    /// A part of a query is tried again.
    Retry {
        part: Part,
    },
    /// What a query proxy buffers may have waited for too long.
    Buffer,
    /// A proxy asks for a newer map.
    MapRefresh,
    /// A shard proxy asks replicas how far they are.
    LagProbe,
    /// The configuration service begins a round of health checks.
    HealthRound,
    /// And looks who answered.
    HealthCheck {
        round: u32,
    },
    /// The nodes of the configuration service: confirm the leader, or stand for it.
    Agreement,
    /// A failover may go on.
    Failover,
    /// The next step of what an operator asked for.
    Operation,
    /// A target copies the next rows, or asks again.
    Import,
    /// The backup store fetches what is new.
    Backup,
    /// The next step of the schema change of a number.
    SchemaChange {
        number: u64,
    },
    /// A primary removes rows that are not its shard's any more.
    Cleanup,
    /// A replica looks whether its source is still there.
    SourceCheck,
    /// A primary tells its replicas that it is there.
    SourceAlive,
    /// An fsync of the redo log, or of the binlog, at an interval.
    SyncRedo,
    SyncBinlog,
    Checkpoint,
    /// A primary asks for its lease.
    Lease,
    /// The oldest transaction may have waited for replicas for too long.
    Acknowledgement,
    /// The oldest read that waits for a transaction may have.
    WaitTimeOut,
}

/// A part of a query at a query proxy: for one shard, in one attempt.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Part {
    pub query: Ticket,
    pub shard: u16,
    pub attempt: u8,
    /// How often it was sent on because the map was old.
    pub redirects: u8,
    /// In which round of its query it was sent.
    pub round: u8,
}

/// What completions of disk operations and work carry.
#[derive(Clone, Copy, Debug)]
pub enum SqlToken {
    /// The redo log up to this transaction is on disk.
    RedoSynced { sequence: u64 },
    /// The binlog (a replica's relay log) up to this transaction is on disk.
    BinlogSynced { sequence: u64 },
    /// A worker has executed this transaction of the relay log.
    Applied { sequence: u64 },
    /// A page that an operation waits for is in memory.
    PageRead { operation: Ticket },
    /// Some of what the crash left is recovered.
    Recovered,
    /// Rows or transactions of a range that moves here can be written.
    Imported { id: u64 },
    /// Rows of a range that moves have been read, for a comparison.
    Compared { id: u64 },
    /// Rows are written anew, or transactions replayed on them, for the schema change of a number.
    Altered { number: u64 },
    /// What was restored for a number is on disk.
    RestoreStored { number: u64 },
    /// Transactions of a backup are executed, for the restore of a number.
    Replayed { number: u64 },
    /// The new epoch is on disk.
    EpochStored { epoch: u32 },
    /// The snapshot is on disk.
    SnapshotStored,
    /// What the configuration service knows is on disk, as of its number.
    StateStored { number: u64 },
}

/// A process that can contain the parts of a SQL cluster.
pub trait SqlHost:
    Process<
        Message: From<SqlMessage> + From<Response> + From<Request> + From<Selected>,
        Timer: From<SqlTimer>,
        Token: From<SqlToken>,
        Output: From<SqlEvent>,
        Disk: DiskImage<Record: From<SqlRecord>>,
    >
{
}
impl<P> SqlHost for P where
    P: Process<
            Message: From<SqlMessage> + From<Response> + From<Request> + From<Selected>,
            Timer: From<SqlTimer>,
            Token: From<SqlToken>,
            Output: From<SqlEvent>,
            Disk: DiskImage<Record: From<SqlRecord>>,
        >
{
}
