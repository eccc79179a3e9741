//! Operations: what a client asks for and what it is told.

use super::version_vector::VersionVector;
use serde::{Deserialize, Serialize};
use std::rc::Rc;

/// Names an operation in every cluster of a run: the client's number in the
/// upper 24 bits, the operation's number at that client below, from 1. Also the
/// value that the operation writes, so that a read says whose write it saw.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default, Hash, Serialize, Deserialize)]
pub struct OperationId(pub u64);

const CLIENT_SHIFT: u32 = 40;

impl OperationId {
    pub fn new(client: u32, number: u64) -> OperationId {
        OperationId(u64::from(client) << CLIENT_SHIFT | number)
    }

    pub fn client(self) -> u32 {
        (self.0 >> CLIENT_SHIFT) as u32
    }

    pub fn number(self) -> u64 {
        self.0 & ((1 << CLIENT_SHIFT) - 1)
    }
}

/// What an operation does.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OperationKind {
    /// One row.
    Read,
    /// One row.
    Write,
    /// The rows of a range of keys, in their order.
    Scan,
    /// The rows that were written most often.
    Top,
    /// A row, and the row that it refers to.
    Join,
    /// One row, which is gone then.
    Delete,
    /// One is added to a row.
    Increment,
    /// One is taken away from a row.
    Decrement,
    /// A number is added to a row; asked by services.
    Add,
    /// A row becomes what is written, unless it is more already; asked by services.
    Raise,
    /// The rows of a range of keys that stand together, with what is in them; asked by services.
    Select,
    /// The groups of rows with the highest counts; asked by services of a SQL cluster.
    SelectTop,
}

impl OperationKind {
    pub const ALL: [OperationKind; 12] = [
        OperationKind::Read,
        OperationKind::Write,
        OperationKind::Scan,
        OperationKind::Top,
        OperationKind::Join,
        OperationKind::Delete,
        OperationKind::Increment,
        OperationKind::Decrement,
        OperationKind::Add,
        OperationKind::Raise,
        OperationKind::Select,
        OperationKind::SelectTop,
    ];

    /// Whether it changes a row.
    pub fn is_write(self) -> bool {
        use OperationKind::{Add, Decrement, Delete, Increment, Raise, Write};
        matches!(self, Write | Delete | Increment | Decrement | Add | Raise)
    }

    /// Whether it is answered by rows, and in a SQL cluster by several shards.
    pub fn has_rows(self) -> bool {
        use OperationKind::{Scan, Select, SelectTop, Top};
        matches!(self, Scan | Top | Select | SelectTop)
    }

    /// Whether whoever asks wants the rows themselves.
    pub fn is_select(self) -> bool {
        matches!(self, OperationKind::Select | OperationKind::SelectTop)
    }

    /// Whether what it makes of a row depends on what is there.
    pub fn counts(self) -> bool {
        matches!(self, OperationKind::Increment | OperationKind::Decrement)
    }

    /// Its name in reports and histories.
    pub fn name(self) -> &'static str {
        match self {
            OperationKind::Read => "read",
            OperationKind::Write => "write",
            OperationKind::Scan => "scan",
            OperationKind::Top => "top",
            OperationKind::Join => "join",
            OperationKind::Delete => "delete",
            OperationKind::Increment => "increment",
            OperationKind::Decrement => "decrement",
            OperationKind::Add => "add",
            OperationKind::Raise => "raise",
            OperationKind::Select => "select",
            OperationKind::SelectTop => "select top",
        }
    }
}

/// A key, by its place in the [`KeySpace`](super::keys::KeySpace).
pub type KeyId = u32;

/// What a client sends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Request {
    pub id: OperationId,
    pub kind: OperationKind,
    /// The row; the first one of a scan; the referring one of a join. Not used by a top.
    pub key: KeyId,
    /// The last row of a scan, the row that a join refers to; otherwise the key again.
    pub end: KeyId,
    /// Rows that a top asks for, or that a scan spans.
    pub rows: u16,
    /// Payload of a write, in bytes.
    pub bytes: u32,
    /// Of a read: the version that the session last wrote to the key; zero if it never did, or does not care.
    /// Of a write to a ring with compare-and-set: the value that it replaces; zero if nothing was there.
    /// Of a select of the highest counts: rows of a group, and how many of them are added up ([`Request::top`]).
    pub after: u64,
    /// What is written, or added: a client's is its own number.
    pub value: u64,
}

impl Request {
    /// Of one row.
    pub fn point(id: OperationId, kind: OperationKind, key: KeyId, bytes: u32) -> Request {
        Request { id, kind, key, end: key, rows: 1, bytes, after: 0, value: id.0 }
    }

    /// All rows of a range, which are one group's.
    pub fn select(id: OperationId, first: KeyId, rows: u16) -> Request {
        let end = first + u32::from(rows.max(1)) - 1;
        Request { end, rows, ..Request::point(id, OperationKind::Select, first, 0) }
    }

    /// The `wanted` groups with the highest counts: of each group of `stride` rows, from `first` to `end`, the
    /// `summed` rows from the place of `first` on are added up.
    pub fn top(
        id: OperationId,
        (first, end): (KeyId, KeyId),
        wanted: u16,
        stride: u32,
        summed: u32,
    ) -> Request {
        let after = u64::from(stride) << 32 | u64::from(summed);
        Request { end, rows: wanted, after, ..Request::point(id, OperationKind::SelectTop, first, 0) }
    }

    /// Rows of a group, and how many of them a select of the highest counts adds up.
    pub fn stride_and_summed(&self) -> (u32, u32) {
        ((self.after >> 32) as u32, self.after as u32)
    }

    /// Whether it changes a row.
    pub fn is_write(&self) -> bool {
        self.kind.is_write()
    }

    pub fn is_delete(&self) -> bool {
        self.kind == OperationKind::Delete
    }
}

/// A write to a ring that keeps siblings, with the context of what its client had read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Put {
    pub request: Request,
    pub context: Rc<VersionVector>,
}

/// What a ring that keeps siblings answers a read: all of them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Got {
    /// As any answer, with the sibling that was written last.
    pub response: Response,
    /// The value of each.
    pub values: Rc<Vec<u64>>,
    /// For the write that replaces them.
    pub context: Rc<VersionVector>,
}

/// What a service gets for a select.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Selected {
    pub response: Response,
    /// The rows that were ever written, in order.
    pub rows: Rc<[SelectedRow]>,
}

/// A row with what is in it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SelectedRow {
    pub key: KeyId,
    pub value: u64,
    pub bytes: u32,
}

/// What a read returns or a write has become.
///
/// `version` orders the writes of one key as the cluster itself orders them:
/// by epoch and position in a SQL cluster, by timestamp in a ring, by the number of changes in a ring of
/// counters. Zero: never written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Versioned {
    /// The [`OperationId`] of the write, as a number; zero if there was none. In a ring of counters the count.
    pub value: u64,
    pub version: u64,
}

impl Versioned {
    /// Later in the cluster's order; equal versions are ordered by value.
    pub fn is_newer_than(&self, other: &Versioned) -> bool {
        (self.version, self.value) > (other.version, other.value)
    }
}

/// One key's content at a replica.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Cell {
    pub content: Versioned,
    /// Payload in bytes.
    pub bytes: u32,
    /// How often it was written, where the cluster counts that. In a ring, whether it is a tombstone.
    pub count: u32,
}

/// The count of a tombstone.
const TOMBSTONE: u32 = u32::MAX;

impl Cell {
    /// What a delete leaves behind in a ring.
    pub fn tombstone(content: Versioned) -> Cell {
        Cell { content, bytes: 0, count: TOMBSTONE }
    }

    pub fn is_tombstone(&self) -> bool {
        self.count == TOMBSTONE
    }
}

/// Why an operation did not succeed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// Nobody answered in time.
    TimedOut,
    /// A queue or a pool was full.
    Overloaded,
    /// The client itself has too much under way.
    ClientBusy,
    /// A coordinator believed too few replicas alive.
    TooFewReplicas,
    /// The node is not the primary (any more).
    NotPrimary,
    /// The node is still restoring its data.
    Restoring,
    /// The shard map was old, and newer ones did not come in time.
    StaleMap,
    /// The shard has no primary at the moment.
    NoPrimary,
    /// The primary's lease has run out.
    LeaseLost,
    /// Another transaction held the row, or a schema change the table, for too long, or too many waited for it.
    RowLocked,
    /// The deadline had passed before anybody began with it.
    DeadlinePassed,
    /// Failed fast: the circuit breaker of the shard is open.
    CircuitOpen,
    /// No connection of the pool became free in time.
    PoolTimedOut,
    /// It waited for a failover for longer than the buffer allows, or the buffer was full.
    BufferGivenUp,
    /// The replica had not yet executed what the session wrote.
    ReplicaBehind,
    /// The run ended before the answer came.
    RunEnded,
    /// Compare-and-set: the row was not as expected.
    ConditionFailed,
    /// Compare-and-set: a later ballot won, and nobody knows whether this one had been accepted before.
    BallotLost,
    /// As many siblings as a row takes are there already.
    TooManySiblings,
}

impl Cause {
    pub const ALL: [Cause; 19] = [
        Cause::TimedOut,
        Cause::Overloaded,
        Cause::ClientBusy,
        Cause::TooFewReplicas,
        Cause::NotPrimary,
        Cause::Restoring,
        Cause::StaleMap,
        Cause::NoPrimary,
        Cause::LeaseLost,
        Cause::RowLocked,
        Cause::DeadlinePassed,
        Cause::CircuitOpen,
        Cause::PoolTimedOut,
        Cause::BufferGivenUp,
        Cause::ReplicaBehind,
        Cause::RunEnded,
        Cause::ConditionFailed,
        Cause::BallotLost,
        Cause::TooManySiblings,
    ];

    /// In words, as reports show it.
    pub fn describe(self) -> &'static str {
        match self {
            Cause::TimedOut => "timed out",
            Cause::Overloaded => "turned away: overloaded",
            Cause::ClientBusy => "client had too much under way",
            Cause::TooFewReplicas => "too few replicas believed alive",
            Cause::NotPrimary => "refused: not the primary",
            Cause::Restoring => "node is restoring its data",
            Cause::StaleMap => "shard map was old",
            Cause::NoPrimary => "shard has no primary",
            Cause::LeaseLost => "refused: the primary's lease ran out",
            Cause::RowLocked => "row or table was locked too long",
            Cause::DeadlinePassed => "deadline had passed before it began",
            Cause::CircuitOpen => "failed fast: circuit breaker open",
            Cause::PoolTimedOut => "no connection became free",
            Cause::BufferGivenUp => "failover took longer than the buffer allows",
            Cause::ReplicaBehind => "replica was behind the session",
            Cause::RunEnded => "still under way at the end",
            Cause::ConditionFailed => "refused: the row had changed",
            Cause::BallotLost => "a later ballot won",
            Cause::TooManySiblings => "refused: too many siblings",
        }
    }
}

/// How an operation ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    Ok,
    /// Surely not done.
    Failed(Cause),
    /// It may have happened.
    Unknown(Cause),
}

impl Outcome {
    /// What giving up on an answer means.
    pub const TIMED_OUT: Outcome = Outcome::Unknown(Cause::TimedOut);

    pub fn is_ok(self) -> bool {
        self == Outcome::Ok
    }

    pub fn cause(self) -> Option<Cause> {
        match self {
            Outcome::Ok => None,
            Outcome::Failed(cause) | Outcome::Unknown(cause) => Some(cause),
        }
    }

    /// A small number for the trace hash.
    pub fn word(self) -> u64 {
        match self {
            Outcome::Ok => 0,
            Outcome::Failed(cause) => 1 + 2 * cause as u64,
            Outcome::Unknown(cause) => 2 + 2 * cause as u64,
        }
    }
}

/// Who answered, as far as the answer says.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ServedBy {
    /// A ring node, or several at once.
    #[default]
    Nodes,
    Primary,
    Replica,
    Cache,
}

/// What comes back to a client.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Response {
    pub id: OperationId,
    pub outcome: Outcome,
    /// What was read, or the version that the write got.
    pub result: Versioned,
    /// Payload of what was read, in bytes.
    pub bytes: u32,
    pub served_by: ServedBy,
    /// The shard that executed it; zero in a cluster without shards.
    pub shard: u16,
}

impl Response {
    pub fn failed(id: OperationId, cause: Cause) -> Response {
        Response::ended(id, Outcome::Failed(cause))
    }

    pub fn unknown(id: OperationId, cause: Cause) -> Response {
        Response::ended(id, Outcome::Unknown(cause))
    }

    pub fn ok(id: OperationId, result: Versioned, bytes: u32) -> Response {
        Response { result, bytes, ..Response::ended(id, Outcome::Ok) }
    }

    fn ended(id: OperationId, outcome: Outcome) -> Response {
        Response {
            id,
            outcome,
            result: Versioned::default(),
            bytes: 0,
            served_by: ServedBy::default(),
            shard: 0,
        }
    }
}

/// Bytes of headers around every message, on top of its payload.
pub const HEADER_BYTES: u32 = 60;
