//! What the parts of a sharded SQL cluster say to each other.

use super::binlog::{Entry, EpochStart, Position};
use super::config_service::agreement::Agreement;
use super::shard_map::{KeyRange, ShardEntry, ShardMap};
use super::tables::Outline;
use crate::engine::{NodeId, SimDuration, SimTime, Ticket, Transport};
use crate::workload::operation::{Cell, HEADER_BYTES, KeyId, Request, Response};
use std::rc::Rc;

/// How much time a query has left when it is sent; [`Remaining::UNLIMITED`] if nobody says.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Remaining(pub SimDuration);

impl Remaining {
    pub const UNLIMITED: Remaining = Remaining(SimDuration(u64::MAX));

    /// Whether it has run out for a message that waited so long at its receiver.
    pub fn is_over(self, waited: SimDuration) -> bool {
        waited > self.0
    }
}

/// One row of the answer to a query over many.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Row {
    pub key: KeyId,
    pub count: u32,
    pub bytes: u32,
    pub value: u64,
}

/// A MySQL server's answer to a health check.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pong {
    pub round: u32,
    /// Whether it takes itself for the primary.
    pub primary: bool,
    pub epoch: u32,
    /// The last transaction that it has, executed or not.
    pub position: Position,
    /// Whether it knows whom to follow.
    pub has_source: bool,
    /// False if its disk was empty when it started and it has no copy yet, or takes one.
    pub initialised: bool,
    /// The move of a range that it takes part in; zero if none.
    pub moves: u64,
    /// The schema change that it makes; zero if none.
    pub alters: u64,
}

/// How far the copy of a range is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ImportProgress {
    /// So many rows are copied.
    Copying { rows: u32 },
    /// All rows are copied, and so many transactions of the source are missing.
    CatchingUp { behind: u64 },
    /// Everything up to where it was told to stop is here; what the rows amount to.
    Done { digest: u64 },
}

/// What a server that restores asks a backup store for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fetch {
    /// Which snapshot there is.
    Offer,
    Page(u32),
    /// Transactions after one.
    Log {
        after: u64,
    },
}

/// A message between two parts of the cluster.
#[derive(Clone, Debug)]
pub enum SqlMessage {
    /// Query proxy to shard proxy; `stamp` is that of the map entry by which it was routed.
    Query {
        ticket: Ticket,
        request: Request,
        stamp: u32,
        remaining: Remaining,
    },
    /// And back.
    QueryReply {
        ticket: Ticket,
        response: Response,
    },
    /// Shard proxy to MySQL; `epoch` is that of the primary it is meant for, zero for any node.
    /// A node that has not executed `request.after` waits for it up to `wait`.
    Execute {
        ticket: Ticket,
        request: Request,
        epoch: u32,
        remaining: Remaining,
        wait: SimDuration,
    },
    /// And back, with the last transaction that the node has executed.
    ExecuteReply {
        ticket: Ticket,
        response: Response,
        executed: u64,
    },
    /// The answer to a query over many rows, from MySQL and on from the shard proxy.
    Rows {
        ticket: Ticket,
        response: Response,
        rows: Rc<[Row]>,
    },
    /// Shard proxy to a replica: how far are you?
    LagProbe,
    /// And back: the last transaction executed, and how old what it shows is.
    Lag {
        executed: u64,
        lag: SimDuration,
    },

    /// Replica to its source: send what comes after this.
    Pull {
        position: Position,
    },
    /// Source to replica: a transaction, and how far the source is.
    Replicate {
        epoch: u32,
        entry: Entry,
        source_sequence: u64,
    },
    /// Source to replica: a batch to catch up with.
    Batch {
        epoch: u32,
        entries: Rc<[Entry]>,
        source_sequence: u64,
    },
    /// Replica to source: everything up to this is on its disk.
    Acknowledge {
        epoch: u32,
        sequence: u64,
    },
    /// Source to replica, at an interval: still here, this far, at this time on its wall clock.
    SourceAlive {
        epoch: u32,
        sequence: u64,
        local_time: u64,
    },
    /// Source to replica: the position is not part of this history, or too old; take a copy, as of this time on
    /// the source's wall clock. To and from a backup store: a snapshot.
    SnapshotOffer {
        position: Position,
        taken: u64,
        epochs: Rc<[EpochStart]>,
        outline: Outline,
    },
    /// Replica to source: the next page of the copy.
    SnapshotPull {
        page: u32,
    },
    /// Source to replica: a page.
    SnapshotPage {
        page: u32,
        rows: Rc<Vec<Cell>>,
    },

    /// Configuration service to MySQL.
    Ping {
        round: u32,
    },
    /// And back.
    Pong(Pong),
    /// Configuration service to a replica: become the primary of this epoch, if you still have so much.
    Promote {
        epoch: u32,
        at_least: Position,
    },
    /// And back, when it is.
    Promoted {
        epoch: u32,
        base: u64,
    },
    /// Configuration service to MySQL: this is your shard now, as of a version of the map.
    Shard {
        version: u32,
        entry: Rc<ShardEntry>,
    },
    /// Primary to configuration service: may I go on? Asked at this time of its own clock.
    LeaseRequest {
        epoch: u32,
        asked: SimTime,
    },
    /// And back: for so long from when it was asked.
    LeaseGranted {
        epoch: u32,
        asked: SimTime,
        length: SimDuration,
    },
    /// Configuration service to the primary of a target shard: take over this range of that source,
    /// and say how far you are; with `upto`, only to that transaction of the source.
    Import {
        id: u64,
        source: NodeId,
        range: KeyRange,
        upto: Option<u64>,
    },
    /// And back.
    Importing {
        id: u64,
        progress: ImportProgress,
    },
    /// Configuration service to the primary of a source shard: take no more writes in this range, for the
    /// so-manieth time.
    Freeze {
        id: u64,
        attempt: u32,
        range: KeyRange,
    },
    /// And back, when all that was begun is done: the last transaction, and what the rows amount to.
    Frozen {
        id: u64,
        attempt: u32,
        sequence: u64,
        digest: u64,
    },
    /// Configuration service to the source: take writes again, this attempt is over.
    Thaw {
        id: u64,
        attempt: u32,
    },
    /// Configuration service to MySQL: this move of a range is over.
    Forget {
        id: u64,
    },
    /// Configuration service to a primary: make the schema change of this number, and say how far you are.
    Alter {
        number: u64,
    },
    /// And back, when it is made.
    Altered {
        number: u64,
    },
    /// Configuration service to a primary: nobody wants the schema change of this number any more.
    GiveUpAlter {
        number: u64,
    },
    /// Backup store to MySQL: send what comes after this; none: a snapshot.
    BackupPull {
        after: Option<Position>,
    },
    /// And back: transactions, and how far the server is.
    BackupEntries {
        entries: Rc<[Entry]>,
        end: u64,
    },
    /// Configuration service to MySQL: restore your shard up to a time on wall clocks, if your epoch is not later.
    Restore {
        number: u64,
        epoch: u32,
        to: u64,
    },
    /// And back, when it is done; or there is no backup.
    Restored {
        number: u64,
    },
    NothingToRestore {
        number: u64,
    },
    /// MySQL to the backup store: a part of the backup that was taken at a time, up to another.
    Fetch {
        shard: u16,
        taken: u64,
        to: u64,
        fetch: Fetch,
    },
    /// And back: transactions after one, and whether there are no more; or there is no such backup.
    BackupLog {
        after: u64,
        entries: Rc<[Entry]>,
        is_last: bool,
    },
    NoBackup,
    /// Target to source: rows of the range, from a place in the order of keys on.
    CopyPull {
        id: u64,
        range: KeyRange,
        from: u32,
    },
    /// And back: rows, where to go on (none at the end), and the last transaction executed before.
    CopyRows {
        id: u64,
        from: u32,
        rows: Rc<[(KeyId, Cell)]>,
        next: Option<u32>,
        sequence: u64,
    },
    /// Target to source: transactions of the range after this one.
    ReplayPull {
        id: u64,
        range: KeyRange,
        after: u64,
    },
    /// And back: those up to a number, of which the source has so many; none if the log is too short.
    Replay {
        id: u64,
        after: u64,
        entries: Option<Rc<[Entry]>>,
        upto: u64,
        end: u64,
    },
    /// Proxy to configuration service: send the map if it is newer than this.
    MapRequest {
        version: u32,
    },
    /// And back, or unasked when it has changed.
    Map(Rc<ShardMap>),
    /// Among the nodes of the configuration service.
    Agreement(Agreement),
}

/// Message classes of the SQL cluster, from [`FIRST_CLASS`].
pub const FIRST_CLASS: u8 = 10;
/// Classes at [`FIRST_CLASS`] `+ 0..`: queries, replies, replication, control.
pub const CLASS_QUERY: u8 = FIRST_CLASS;
pub const CLASS_REPLY: u8 = FIRST_CLASS + 1;
pub const CLASS_REPLICATION: u8 = FIRST_CLASS + 2;
pub const CLASS_CONTROL: u8 = FIRST_CLASS + 3;

impl SqlMessage {
    pub fn transport(&self) -> Transport {
        match self.class() {
            CLASS_REPLICATION => Transport::Stream,
            // A query takes a connection of a pool; a health check opens one of its own and gives up on it.
            _ => Transport::Pooled,
        }
    }

    pub fn class(&self) -> u8 {
        match self {
            SqlMessage::Query { .. } | SqlMessage::Execute { .. } => CLASS_QUERY,
            SqlMessage::QueryReply { .. } | SqlMessage::ExecuteReply { .. } | SqlMessage::Rows { .. } => {
                CLASS_REPLY
            }
            SqlMessage::Pull { .. }
            | SqlMessage::Replicate { .. }
            | SqlMessage::Batch { .. }
            | SqlMessage::Acknowledge { .. }
            | SqlMessage::SourceAlive { .. }
            | SqlMessage::SnapshotOffer { .. }
            | SqlMessage::SnapshotPull { .. }
            | SqlMessage::SnapshotPage { .. }
            | SqlMessage::CopyPull { .. }
            | SqlMessage::CopyRows { .. }
            | SqlMessage::ReplayPull { .. }
            | SqlMessage::Replay { .. }
            | SqlMessage::BackupPull { .. }
            | SqlMessage::BackupEntries { .. }
            | SqlMessage::Fetch { .. }
            | SqlMessage::BackupLog { .. }
            | SqlMessage::NoBackup => CLASS_REPLICATION,
            _ => CLASS_CONTROL,
        }
    }

    pub fn bytes(&self) -> u32 {
        HEADER_BYTES
            + match self {
                SqlMessage::Query { request, .. } | SqlMessage::Execute { request, .. } => 30 + request.bytes,
                SqlMessage::QueryReply { response, .. } | SqlMessage::ExecuteReply { response, .. } => {
                    30 + response.bytes
                }
                SqlMessage::Rows { rows, .. } => 30 + total(rows.iter().map(|row| 16 + row.bytes)),
                SqlMessage::CopyRows { rows, .. } => total(rows.iter().map(|(_, row)| 28 + row.bytes)),
                SqlMessage::Replay { entries: Some(entries), .. } => total(entries.iter().map(Entry::bytes)),
                SqlMessage::Replicate { entry, .. } => entry.bytes(),
                SqlMessage::BackupEntries { entries, .. } | SqlMessage::BackupLog { entries, .. } => {
                    total(entries.iter().map(Entry::bytes))
                }
                SqlMessage::Batch { entries, .. } => total(entries.iter().map(Entry::bytes)),
                SqlMessage::SnapshotPage { rows, .. } => total(rows.iter().map(|row| 24 + row.bytes)),
                SqlMessage::Map(map) => 20 * map.shards.len() as u32,
                SqlMessage::Agreement(agreement) => agreement.bytes(),
                _ => 20,
            }
    }
}

/// A sum that stays at the largest number: recorded payloads can be huge.
fn total(bytes: impl Iterator<Item = u32>) -> u32 {
    bytes.fold(0, u32::saturating_add)
}
