//! Operations: what a client asks for and what it is told.

use serde::{Deserialize, Serialize};

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

/// What an operation does to its key.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OperationKind {
    Read,
    Write,
}

/// A key, by its place in the [`KeySpace`](super::keys::KeySpace).
pub type KeyId = u32;

/// What a client sends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Request {
    pub id: OperationId,
    pub kind: OperationKind,
    pub key: KeyId,
    /// Payload of a write, in bytes.
    pub bytes: u32,
}

impl Request {
    pub fn is_write(&self) -> bool {
        self.kind == OperationKind::Write
    }
}

/// What a read returns or a write has become.
///
/// `version` orders the writes of one key as the cluster itself orders them:
/// by epoch and position in a SQL cluster, by timestamp in a ring. Zero: never written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Versioned {
    /// The [`OperationId`] of the write, as a number; zero if there was none.
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
    /// The run ended before the answer came.
    RunEnded,
}

impl Cause {
    pub const ALL: [Cause; 7] = [
        Cause::TimedOut,
        Cause::Overloaded,
        Cause::ClientBusy,
        Cause::TooFewReplicas,
        Cause::NotPrimary,
        Cause::Restoring,
        Cause::RunEnded,
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
            Cause::RunEnded => "still under way at the end",
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

/// What comes back to a client.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Response {
    pub id: OperationId,
    pub outcome: Outcome,
    /// What was read, or the version that the write got.
    pub result: Versioned,
    /// Payload of what was read, in bytes.
    pub bytes: u32,
}

impl Response {
    pub fn failed(id: OperationId, cause: Cause) -> Response {
        Response { id, outcome: Outcome::Failed(cause), result: Versioned::default(), bytes: 0 }
    }

    pub fn unknown(id: OperationId, cause: Cause) -> Response {
        Response { id, outcome: Outcome::Unknown(cause), result: Versioned::default(), bytes: 0 }
    }

    pub fn ok(id: OperationId, result: Versioned, bytes: u32) -> Response {
        Response { id, outcome: Outcome::Ok, result, bytes }
    }
}

/// Bytes of headers around every message, on top of its payload.
pub const HEADER_BYTES: u32 = 60;
