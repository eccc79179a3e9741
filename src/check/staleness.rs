//! Stale reads, found from the history as it grows.
//!
//! A read is stale if it returned an older version than one that had been
//! acknowledged before the read began. Of two writes to a key, one is older if
//! it was acknowledged before the other was sent; where their times overlap, if
//! the cluster itself ordered it first (its version). Under last-write-wins with
//! skewed clocks the two orders disagree, and real time decides: that is what a
//! user would see.
//!
//! ```text
//! write 1 ├────┤ack
//! write 2           ├────┤ack
//! read                        ├────┤ returns 1: stale, by one version,
//!                        └─────┘ old for this long when the read began
//! ```
//!
//! Per key the last [`WRITES_REMEMBERED`] acknowledged writes are remembered; a
//! read that is behind by more is counted as behind by that many.

use crate::engine::{PagedVec, SimDuration, SimTime};
use crate::workload::client::Completed;
use crate::workload::operation::{KeyId, Versioned};
use std::rc::Rc;

/// Acknowledged writes remembered per key.
pub const WRITES_REMEMBERED: usize = 32;

#[derive(Clone, Copy)]
struct Acknowledged {
    content: Versioned,
    invoked: SimTime,
    completed: SimTime,
}

/// How stale a read was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stale {
    /// Acknowledged versions that it missed.
    pub versions: u32,
    /// How long, when the read began, a newer version had been acknowledged.
    pub age: SimDuration,
    /// The write that it should have seen at least.
    pub missed: Versioned,
}

/// The latest acknowledged writes of every key.
#[derive(Clone)]
pub struct AcknowledgedWrites {
    keys: PagedVec<Option<Rc<Vec<Acknowledged>>>>,
}

impl AcknowledgedWrites {
    pub fn new(keys: usize) -> AcknowledgedWrites {
        AcknowledgedWrites { keys: PagedVec::filled(None, keys) }
    }

    /// Takes in an acknowledged write. Returns true if it was lost at birth: an
    /// earlier write, acknowledged before this one was sent, has a higher
    /// version and will be preferred to it (last-write-wins under clock skew).
    pub fn write(&mut self, write: &Completed, now: SimTime) -> bool {
        let Some(place) = self.keys.get_mut(write.key as usize) else {
            return false;
        };
        let writes = Rc::make_mut(place.get_or_insert_with(Default::default));
        let shadowed = writes
            .iter()
            .any(|other| other.completed < write.invoked && other.content.is_newer_than(&write.result));
        if writes.len() == WRITES_REMEMBERED {
            writes.remove(0);
        }
        writes.push(Acknowledged { content: write.result, invoked: write.invoked, completed: now });
        shadowed
    }

    /// Judges a read.
    #[inline]
    pub fn read(&self, read: &Completed) -> Option<Stale> {
        let writes = self.keys.get(read.key as usize)?.as_ref()?;
        // Most reads return the write that was acknowledged last.
        if writes.last().is_some_and(|last| last.content == read.result) {
            return None;
        }
        judge(writes, read)
    }

    /// The newest version, in the cluster's order, that was acknowledged for a key.
    pub fn newest(&self, key: KeyId) -> Option<Versioned> {
        let writes = self.keys.get(key as usize)?.as_ref()?;
        writes.iter().map(|write| write.content).max_by_key(|content| (content.version, content.value))
    }

    /// Acknowledged versions of a key that are newer, in the cluster's order, than this one.
    pub fn newer_than(&self, key: KeyId, survivor: &Versioned) -> impl Iterator<Item = Versioned> + '_ {
        let survivor = *survivor;
        let writes = self.keys.get(key as usize).and_then(|writes| writes.as_deref());
        writes
            .into_iter()
            .flatten()
            .map(|write| write.content)
            .filter(move |content| content.is_newer_than(&survivor))
    }

    pub fn key_count(&self) -> usize {
        self.keys.len()
    }
}

fn judge(writes: &[Acknowledged], read: &Completed) -> Option<Stale> {
    let returned = writes.iter().find(|write| write.content.value == read.result.value);
    let newer = |write: &&Acknowledged| {
        if write.completed >= read.invoked || write.content.value == read.result.value {
            return false;
        }
        match returned {
            Some(returned) if returned.completed < write.invoked => true,
            Some(returned) if write.completed < returned.invoked => false,
            _ => write.content.is_newer_than(&read.result),
        }
    };
    let mut versions = 0;
    let mut oldest: Option<&Acknowledged> = None;
    for write in writes.iter().filter(newer) {
        versions += 1;
        if oldest.is_none_or(|so_far| write.completed < so_far.completed) {
            oldest = Some(write);
        }
    }
    oldest.map(|oldest| Stale { versions, age: read.invoked.since(oldest.completed), missed: oldest.content })
}
