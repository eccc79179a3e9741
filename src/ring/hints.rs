//! Hints: writes that are kept for a replica that was not there.
//!
//! Dynamo's hinted handoff (SOSP 2007, section 4.6) and Cassandra's (4.1): a write
//! that a replica misses is kept elsewhere, for a window of time, and delivered
//! at a limited rate when it is back. Several writes to a key are kept merged.

use super::row::Row;
use crate::engine::{PagedVec, SimDuration, SimTime};
use crate::workload::operation::KeyId;
use std::collections::VecDeque;

/// Keys with hints for one replica at most.
pub const HINTS_MAX: usize = 65_536;

/// What is kept for one replica.
#[derive(Clone, Default)]
struct Kept {
    rows: PagedVec<Row>,
    /// Keys with a hint, in the order in which they came.
    keys: VecDeque<KeyId>,
    /// When the first was kept.
    since: SimTime,
    /// So many from the front are on their way, sent last at a time.
    on_their_way: usize,
    sent: SimTime,
}

/// All hints of a node, by the replica that they are for.
#[derive(Clone, Default)]
pub struct Hints {
    kept: Vec<Kept>,
    count: usize,
}

impl Hints {
    pub fn new(nodes: usize) -> Hints {
        Hints { kept: vec![Kept::default(); nodes], count: 0 }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.count
    }

    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Keeps a write for a replica; false if the window is over or there are too many.
    pub fn keep(&mut self, owner: u16, key: KeyId, row: &Row, now: SimTime, window: SimDuration) -> bool {
        let kept = &mut self.kept[usize::from(owner)];
        if kept.keys.is_empty() {
            kept.since = now;
        }
        if now.since(kept.since) > window {
            return false;
        }
        self.put(owner, key, row)
    }

    /// Puts a hint in its place, whenever it was kept.
    pub fn put(&mut self, owner: u16, key: KeyId, row: &Row) -> bool {
        if self.kept.len() <= usize::from(owner) {
            self.kept.resize(usize::from(owner) + 1, Kept::default());
        }
        let kept = &mut self.kept[usize::from(owner)];
        kept.rows.extend_to(key as usize + 1, Row::default());
        let Some(place) = kept.rows.get_mut(key as usize) else {
            return false;
        };
        if place.is_empty() {
            if kept.keys.len() >= HINTS_MAX {
                return false;
            }
            kept.keys.push_back(key);
            self.count += 1;
        }
        place.merge(row);
        true
    }

    /// Adds what is kept of a key for anybody.
    pub fn merge_into(&self, key: KeyId, row: &mut Row) {
        let kept = self.kept.iter().filter(|kept| !kept.keys.is_empty());
        for other in kept.filter_map(|kept| kept.rows.get(key as usize)) {
            row.merge(other);
        }
    }

    /// Those for a replica that are to be sent now, so many at most; nothing while others are on their way.
    pub fn next(
        &mut self,
        owner: u16,
        now: SimTime,
        again_after: SimDuration,
        count: usize,
    ) -> Vec<(KeyId, Row)> {
        let kept = &mut self.kept[usize::from(owner)];
        if kept.on_their_way > 0 && now.since(kept.sent) < again_after {
            return Vec::new();
        }
        kept.on_their_way = count.min(kept.keys.len());
        kept.sent = now;
        let keys = kept.keys.iter().take(kept.on_their_way);
        keys.map(|key| (*key, kept.rows.get(*key as usize).cloned().unwrap_or_default())).collect()
    }

    /// A replica has the row with this stamp that was kept for it: whether it is gone from here.
    pub fn delivered(&mut self, owner: u16, key: KeyId, stamp: u64) -> bool {
        let Some(kept) = self.kept.get_mut(usize::from(owner)) else {
            return false;
        };
        let Some(place) = kept.keys.iter().position(|other| *other == key) else {
            return false;
        };
        let Some(row) = kept.rows.get_mut(key as usize) else {
            return false;
        };
        if row.stamp() != stamp {
            // Another write came meanwhile.
            return false;
        }
        *row = Row::default();
        kept.keys.remove(place);
        kept.on_their_way = kept.on_their_way.saturating_sub(usize::from(place < kept.on_their_way));
        self.count -= 1;
        true
    }

    /// Replicas for which there is something.
    pub fn owners(&self) -> impl Iterator<Item = (u16, usize)> + '_ {
        let kept = self.kept.iter().enumerate().filter(|(_, kept)| !kept.keys.is_empty());
        kept.map(|(owner, kept)| (owner as u16, kept.keys.len()))
    }

    /// As after a restart of one of so many nodes: nothing is on its way, and windows begin anew.
    pub fn restarted(&mut self, nodes: usize, now: SimTime) {
        self.kept.resize(nodes, Kept::default());
        for kept in &mut self.kept {
            kept.on_their_way = 0;
            kept.since = now;
        }
    }
}
