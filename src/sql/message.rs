//! What the parts of a sharded SQL cluster say to each other.

use super::binlog::{Entry, EpochStart, Position};
use super::shard_map::ShardMap;
use crate::engine::{Ticket, Transport};
use crate::workload::operation::{Cell, HEADER_BYTES, Request, Response};
use std::rc::Rc;

/// A message between two parts of the cluster.
#[derive(Clone, Debug)]
pub enum SqlMessage {
    /// Query proxy to shard proxy.
    Query { ticket: Ticket, request: Request },
    /// And back.
    QueryReply { ticket: Ticket, response: Response },
    /// Shard proxy to MySQL.
    Execute { ticket: Ticket, request: Request },
    /// And back.
    ExecuteReply { ticket: Ticket, response: Response },

    /// Replica to its source: send what comes after this.
    Pull { position: Position },
    /// Source to replica: a transaction, and how far the source is.
    Replicate { epoch: u32, entry: Entry, source_sequence: u64 },
    /// Source to replica: a batch to catch up with.
    Batch { epoch: u32, entries: Rc<[Entry]>, source_sequence: u64 },
    /// Source to replica, at an interval: still here, this far.
    SourceAlive { epoch: u32, sequence: u64 },
    /// Source to replica: the position is not part of this history, or too old; take a copy.
    SnapshotOffer { position: Position, epochs: Rc<[EpochStart]>, pages: u32 },
    /// Replica to source: the next page of the copy.
    SnapshotPull { page: u32 },
    /// Source to replica: a page.
    SnapshotPage { page: u32, rows: Rc<Vec<Cell>> },

    /// Configuration service to MySQL.
    Ping { round: u32 },
    /// And back: what the node is, under which epoch, and how far.
    Pong { round: u32, primary: bool, epoch: u32, sequence: u64, has_source: bool },
    /// Configuration service to a replica: become the primary of this epoch.
    Promote { epoch: u32 },
    /// And back, when it is.
    Promoted { epoch: u32, base: u64 },
    /// Configuration service to MySQL: under this epoch, this is the primary.
    Follow { epoch: u32, primary: crate::engine::NodeId },
    /// Proxy to configuration service: send the map if it is newer than this.
    MapRequest { version: u32 },
    /// And back, or unasked when it has changed.
    Map(Rc<ShardMap>),
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
            SqlMessage::QueryReply { .. } | SqlMessage::ExecuteReply { .. } => CLASS_REPLY,
            SqlMessage::Pull { .. }
            | SqlMessage::Replicate { .. }
            | SqlMessage::Batch { .. }
            | SqlMessage::SourceAlive { .. }
            | SqlMessage::SnapshotOffer { .. }
            | SqlMessage::SnapshotPull { .. }
            | SqlMessage::SnapshotPage { .. } => CLASS_REPLICATION,
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
                SqlMessage::Replicate { entry, .. } => 40 + entry.cell.bytes,
                SqlMessage::Batch { entries, .. } => total(entries.iter().map(|entry| 40 + entry.cell.bytes)),
                SqlMessage::SnapshotPage { rows, .. } => total(rows.iter().map(|row| 24 + row.bytes)),
                SqlMessage::Map(map) => 20 * map.shards.len() as u32,
                _ => 20,
            }
    }
}

/// A sum that stays at the largest number: recorded payloads can be huge.
fn total(bytes: impl Iterator<Item = u32>) -> u32 {
    bytes.fold(0, u32::saturating_add)
}
