//! What a replica holds of a key: a state that any two replicas can merge.
//!
//! Merging is commutative, associative and idempotent (a join semilattice; Shapiro
//! et al., "Conflict-free Replicated Data Types", SSS 2011): whatever a replica
//! hears, how often and in whatever order, replicas that have heard the same
//! hold the same. A register keeps its newest version, [`Siblings`] what nobody
//! has replaced, a [`Counter`] the most that it has heard of each actor.

use super::counter::Counter;
use super::siblings::Siblings;
use crate::engine::random::mix;
use crate::workload::operation::{Cell, Versioned};
use std::rc::Rc;

/// Who changed a row: one run of one node, so that a node that lost what it had not synced does not give
/// the same name twice.
pub type Actor = u64;

/// The state of one key at one replica.
#[derive(Clone, Debug, PartialEq)]
pub enum Row {
    /// The newest version wins. With version zero: nothing was ever written.
    Register(Cell),
    Siblings(Rc<Siblings>),
    Counter(Rc<Counter>),
}

impl Default for Row {
    fn default() -> Self {
        Row::Register(Cell::default())
    }
}

impl Row {
    /// Nothing was ever written.
    pub fn is_empty(&self) -> bool {
        matches!(self, Row::Register(cell) if cell.content.version == 0)
    }

    /// Whether the other state has something that this one lacks.
    pub fn lacks(&self, other: &Row) -> bool {
        match (self, other) {
            (Row::Register(own), Row::Register(other)) => other.content.is_newer_than(&own.content),
            (Row::Siblings(own), Row::Siblings(other)) => own.lacks(other),
            (Row::Counter(own), Row::Counter(other)) => own.lacks(other),
            _ => self.is_empty() && !other.is_empty(),
        }
    }

    /// Takes in what another replica holds.
    pub fn merge(&mut self, other: &Row) {
        if !self.lacks(other) {
            return;
        }
        match (&mut *self, other) {
            (Row::Siblings(own), Row::Siblings(other)) => Rc::make_mut(own).merge(other),
            (Row::Counter(own), Row::Counter(other)) => Rc::make_mut(own).merge(other),
            _ => *self = other.clone(),
        }
    }

    /// What a reader is shown: the newest version, or the count.
    pub fn shown(&self) -> Cell {
        match self {
            Row::Register(cell) => *cell,
            Row::Siblings(siblings) => siblings.newest(),
            Row::Counter(counter) => Cell {
                content: Versioned { value: counter.value() as u64, version: counter.changes() },
                bytes: counter.bytes(),
                count: 0,
            },
        }
    }

    /// Equal for equal states, different for different ones: a register's version, otherwise a hash.
    pub fn stamp(&self) -> u64 {
        match self {
            Row::Register(cell) => cell.content.version,
            Row::Siblings(siblings) => siblings.hash(),
            Row::Counter(counter) => counter.hash(),
        }
    }

    /// A hash for the leaf of a Merkle tree.
    pub fn hash(&self) -> u64 {
        match self {
            Row::Register(cell) => mix(cell.content.version ^ cell.content.value.rotate_left(32)),
            row => row.stamp(),
        }
    }

    /// Bytes on the wire and on disk.
    pub fn bytes(&self) -> u32 {
        match self {
            Row::Register(cell) => cell.bytes,
            Row::Siblings(siblings) => siblings.bytes(),
            Row::Counter(counter) => counter.bytes(),
        }
    }

    /// Whether nothing but deletes is left of it.
    pub fn is_tombstone(&self) -> bool {
        match self {
            Row::Register(cell) => cell.is_tombstone(),
            Row::Siblings(siblings) => siblings.are_tombstones(),
            Row::Counter(_) => false,
        }
    }
}
