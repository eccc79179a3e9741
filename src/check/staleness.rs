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
//! Of a read that saw siblings, all of them count as returned. A counter shows how many
//! changes it has, not whose: a read is stale for sure if those are fewer than had been
//! acknowledged before it began.
//!
//! Per key the last [`WRITES_REMEMBERED`] acknowledged writes are remembered; a
//! read that is behind by more is counted as behind by that many.

use crate::engine::{PagedVec, SimDuration, SimTime};
use crate::workload::client::Completed;
use crate::workload::operation::{KeyId, OperationKind, Versioned};
use std::rc::Rc;

/// Acknowledged writes remembered per key.
pub const WRITES_REMEMBERED: usize = 32;

#[derive(Clone, Copy)]
struct Acknowledged {
    content: Versioned,
    is_delete: bool,
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
    /// It returned a row although the newest write that it missed was a delete: the row came back.
    pub came_back: bool,
}

/// The latest acknowledged writes of every key.
#[derive(Clone)]
pub struct AcknowledgedWrites {
    keys: PagedVec<Option<Rc<Vec<Acknowledged>>>>,
    /// In a ring of counters: how many there were of each key.
    changes: Option<PagedVec<u64>>,
}

impl AcknowledgedWrites {
    /// Of so many keys, which may be counters.
    pub fn new(keys: usize, counters: bool) -> AcknowledgedWrites {
        let changes = counters.then(|| PagedVec::filled(0, keys));
        AcknowledgedWrites { keys: PagedVec::filled(None, keys), changes }
    }

    /// Takes in an acknowledged write. Returns true if it was lost at birth: an
    /// earlier write, acknowledged before this one was sent, has a higher
    /// version and will be preferred to it (last-write-wins under clock skew).
    pub fn write(&mut self, write: &Completed, now: SimTime) -> bool {
        if let Some(changes) = self.changes.as_mut().and_then(|changes| changes.get_mut(write.key as usize)) {
            *changes += 1;
        }
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
        let is_delete = write.kind == OperationKind::Delete;
        let (content, invoked) = (write.result, write.invoked);
        writes.push(Acknowledged { content, is_delete, invoked, completed: now });
        shadowed && self.changes.is_none()
    }

    /// Judges a read, which may have seen further siblings.
    #[inline]
    pub fn read(&self, read: &Completed, siblings: &[u64]) -> Option<Stale> {
        let writes = self.keys.get(read.key as usize)?.as_ref()?;
        if let Some(changes) = &self.changes {
            return judge_count(writes, *changes.get(read.key as usize)?, read);
        }
        // Most reads return the write that was acknowledged last.
        if writes.last().is_some_and(|last| last.content == read.result) {
            return None;
        }
        judge(writes, read, siblings)
    }

    /// The newest version, in the cluster's order, that was acknowledged for a key.
    pub fn newest(&self, key: KeyId) -> Option<Versioned> {
        let writes = self.keys.get(key as usize)?.as_ref()?;
        writes.iter().map(|write| write.content).max_by_key(|content| (content.version, content.value))
    }

    /// Whether the newest acknowledged write of a key was a delete: then nothing need be left of it.
    pub fn is_deleted(&self, key: KeyId) -> bool {
        let writes = self.keys.get(key as usize).and_then(|writes| writes.as_deref());
        let newest = writes.and_then(|writes| newest_of(writes.iter()));
        newest.is_some_and(|newest| newest.is_delete)
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

fn newest_of<'a>(writes: impl Iterator<Item = &'a Acknowledged>) -> Option<&'a Acknowledged> {
    writes.max_by_key(|write| (write.content.version, write.content.value))
}

/// A counter with so many acknowledged changes, of which the latest are known.
fn judge_count(writes: &[Acknowledged], changes: u64, read: &Completed) -> Option<Stale> {
    let later = writes.iter().filter(|write| write.completed >= read.invoked).count();
    let (had, shown) = (changes - later as u64, read.result.version);
    let versions = had.checked_sub(shown).filter(|versions| *versions > 0)? as usize;
    let missed = writes.get((writes.len() - later).saturating_sub(versions))?;
    let age = read.invoked.since(missed.completed);
    Some(Stale { versions: versions as u32, age, missed: missed.content, came_back: false })
}

fn judge(writes: &[Acknowledged], read: &Completed, siblings: &[u64]) -> Option<Stale> {
    let mut result = read.result;
    if result.version == 0 {
        // Nothing is what a delete leaves, once its tombstone is gone.
        let deletes = writes.iter().filter(|write| write.is_delete);
        result = newest_of(deletes).map_or(result, |delete| delete.content);
    }
    let returned = writes.iter().find(|write| write.content.value == result.value);
    let newer = |write: &&Acknowledged| {
        let value = write.content.value;
        if write.completed >= read.invoked || value == result.value || siblings.contains(&value) {
            return false;
        }
        match returned {
            Some(returned) if returned.completed < write.invoked => true,
            Some(returned) if write.completed < returned.invoked => false,
            _ => write.content.is_newer_than(&result),
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
    let newest = newest_of(writes.iter().filter(newer));
    let came_back = read.result.version > 0 && newest.is_some_and(|newest| newest.is_delete);
    let age = |oldest: &Acknowledged| read.invoked.since(oldest.completed);
    oldest.map(|oldest| Stale { versions, age: age(oldest), missed: oldest.content, came_back })
}
