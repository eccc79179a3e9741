//! The history: every operation of one cluster, with its times and its outcome.

use crate::engine::{NodeId, SimTime};
use crate::workload::operation::{KeyId, OperationId, OperationKind, Outcome, ServedBy, Versioned};

/// Operations that a history keeps at most; beyond, it says how many it left out.
pub const HISTORY_MAX: usize = 4_000_000;

/// One operation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Operation {
    pub id: OperationId,
    pub kind: OperationKind,
    pub key: KeyId,
    pub invoked: SimTime,
    /// None if it was still under way when the run ended.
    pub completed: Option<SimTime>,
    pub outcome: Outcome,
    pub result: Versioned,
    /// The proxy or coordinator that was asked.
    pub endpoint: NodeId,
    /// Who answered.
    pub served_by: ServedBy,
    /// The shard that executed it; zero in a cluster without shards.
    pub shard: u16,
}
