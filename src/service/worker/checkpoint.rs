//! What a worker puts aside of a partition, so that another one can go on from there.

use crate::engine::SimTime;
use crate::workload::operation::KeyId;
use std::rc::Rc;

/// Offset and state, taken together.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Checkpoint {
    /// What is before this offset is in the state, or stored.
    pub offset: u64,
    /// Version of the code that counted.
    pub code: u64,
    /// The latest view's time.
    pub watermark: SimTime,
    /// By row: what is counted and may not be stored, and what is stored and may still grow.
    pub rows: Vec<CountedRow>,
    /// Where each view is stored: by video and window, how many there were.
    pub slots: Vec<(KeyId, u32)>,
    /// Views that are known; see [`Seen`](super::seen::Seen).
    pub seen: Rc<Vec<u64>>,
}

/// A row as a checkpoint has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CountedRow {
    pub key: KeyId,
    /// All that was counted.
    pub total: u64,
    /// Of that: what is not known to be stored.
    pub pending: u64,
    /// Offset after the last view in it.
    pub last: u64,
}

impl Checkpoint {
    pub fn bytes(&self) -> u32 {
        64 + 28 * self.rows.len() as u32 + 8 * self.slots.len() as u32 + 8 * self.seen.len() as u32
    }
}
