//! A history as a file: one operation a line, as JSON, for checkers outside of this program.
//!
//! ```json
//! {"cluster":"Gossip ring","client":3,"op":17,"kind":"read","key":"K00042","value":4398046511110,
//!  "version":1712,"invoked_ns":812345678,"completed_ns":813456789,"outcome":"ok","cause":null}
//! ```
//!
//! - `client` and `op` (its number at that client) name the operation, alike in every cluster.
//! - `value`: what a write writes is its own name as a number, `client` times 2^40 plus `op`, so
//!   that a read says whose write it saw. `null` if the key had never been written, or
//!   if a read brought nothing back. In a ring of counters a read's value is the count, and an
//!   increment's or decrement's still its name; of siblings a read names the one with the latest time stamp.
//! - `version` orders the writes of one key as the cluster itself did; `null` where none is known.
//! - `outcome`: `ok`, `failed` (surely not done) or `unknown` (it may have happened), with its
//!   `cause`. `completed_ns` is `null` for what was still under way when the run ended.
//!
//! - `served_by` and `shard`, in a SQL cluster: whether the primary, a replica or a cache answered, and
//!   of which shard, counted from 1.
//!
//! Clusters stand one after the other, each one's operations in the order in which they ended.

use crate::check::history::Operation;
use crate::session::Session;
use crate::workload::operation::{OperationKind, Outcome, ServedBy};
use serde::Serialize;
use std::io::{self, Write};

#[derive(Serialize)]
struct Line<'a> {
    cluster: &'a str,
    client: u32,
    op: u64,
    kind: OperationKind,
    key: &'a str,
    value: Option<u64>,
    version: Option<u64>,
    invoked_ns: u64,
    completed_ns: Option<u64>,
    outcome: &'static str,
    cause: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    served_by: Option<ServedBy>,
    #[serde(skip_serializing_if = "Option::is_none")]
    shard: Option<u16>,
}

/// Writes the history of every cluster; returns how many operations that were.
/// The session was told to keep it before it ran.
pub fn write(session: &Session, out: &mut impl Write) -> io::Result<u64> {
    let mut count = 0;
    for cluster in session.clusters() {
        let keys = &cluster.blueprint().traffic.keys;
        for operation in cluster.history() {
            let key = keys.name(operation.key);
            serde_json::to_writer(&mut *out, &line(cluster.name(), &key, &operation))?;
            out.write_all(b"\n")?;
            count += 1;
        }
    }
    Ok(count)
}

fn line<'a>(cluster: &'a str, key: &'a str, operation: &Operation) -> Line<'a> {
    let is_ok = operation.outcome.is_ok();
    let value = match operation.kind {
        kind if kind.is_write() => operation.id.0,
        _ => operation.result.value,
    };
    Line {
        cluster,
        // Counted from 1, as the clients' names are.
        client: operation.id.client() + 1,
        op: operation.id.number(),
        kind: operation.kind,
        key,
        value: (value != 0 && (is_ok || operation.kind.is_write())).then_some(value),
        version: (is_ok && operation.result.version != 0).then_some(operation.result.version),
        invoked_ns: operation.invoked.0,
        completed_ns: operation.completed.map(|completed| completed.0),
        outcome: match operation.outcome {
            Outcome::Ok => "ok",
            Outcome::Failed(_) => "failed",
            Outcome::Unknown(_) => "unknown",
        },
        cause: operation.outcome.cause().map(|cause| cause.describe()),
        served_by: (operation.served_by != ServedBy::Nodes).then_some(operation.served_by),
        // Counted from 1, as the names of its nodes are.
        shard: (operation.served_by != ServedBy::Nodes).then_some(operation.shard + 1),
    }
}
