//! Hints: writes that are kept for a replica that was not there.
//!
//! Dynamo's hinted handoff (SOSP 2007, section 4.6) and Cassandra's (4.1): a write
//! that a replica misses is kept elsewhere, for a window of time, and delivered
//! at a limited rate when it is back. Of several writes to a key the newest is kept.

use crate::engine::{PagedVec, SimDuration, SimTime};
use crate::workload::operation::{Cell, KeyId};
use std::collections::VecDeque;

/// Keys with hints for one replica at most.
pub const HINTS_MAX: usize = 65_536;

/// What is kept for one replica.
#[derive(Clone, Default)]
struct Kept {
    cells: PagedVec<Cell>,
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
    pub fn keep(&mut self, owner: u16, key: KeyId, cell: Cell, now: SimTime, window: SimDuration) -> bool {
        let kept = &mut self.kept[usize::from(owner)];
        if kept.keys.is_empty() {
            kept.since = now;
        }
        if now.since(kept.since) > window {
            return false;
        }
        self.put(owner, key, cell)
    }

    /// Puts a hint in its place, whenever it was kept.
    pub fn put(&mut self, owner: u16, key: KeyId, cell: Cell) -> bool {
        if self.kept.len() <= usize::from(owner) {
            self.kept.resize(usize::from(owner) + 1, Kept::default());
        }
        let kept = &mut self.kept[usize::from(owner)];
        kept.cells.extend_to(key as usize + 1, Cell::default());
        let Some(place) = kept.cells.get_mut(key as usize) else {
            return false;
        };
        if place.content.version == 0 {
            if kept.keys.len() >= HINTS_MAX {
                return false;
            }
            kept.keys.push_back(key);
            self.count += 1;
        }
        if cell.content.is_newer_than(&place.content) {
            *place = cell;
        }
        true
    }

    /// The newest version of a key that is kept for anybody.
    pub fn newest(&self, key: KeyId) -> Cell {
        let cells = self.kept.iter().filter(|kept| !kept.keys.is_empty());
        let cells = cells.filter_map(|kept| kept.cells.get(key as usize).copied());
        cells.max_by_key(|cell| (cell.content.version, cell.content.value)).unwrap_or_default()
    }

    /// Those for a replica that are to be sent now, so many at most; nothing while others are on their way.
    pub fn next(
        &mut self,
        owner: u16,
        now: SimTime,
        again_after: SimDuration,
        count: usize,
    ) -> Vec<(KeyId, Cell)> {
        let kept = &mut self.kept[usize::from(owner)];
        if kept.on_their_way > 0 && now.since(kept.sent) < again_after {
            return Vec::new();
        }
        kept.on_their_way = count.min(kept.keys.len());
        kept.sent = now;
        let keys = kept.keys.iter().take(kept.on_their_way);
        keys.map(|key| (*key, kept.cells.get(*key as usize).copied().unwrap_or_default())).collect()
    }

    /// A replica has a version that was kept for it: whether it is gone from here.
    pub fn delivered(&mut self, owner: u16, key: KeyId, version: u64) -> bool {
        let Some(kept) = self.kept.get_mut(usize::from(owner)) else {
            return false;
        };
        let Some(place) = kept.keys.iter().position(|other| *other == key) else {
            return false;
        };
        let Some(cell) = kept.cells.get_mut(key as usize) else {
            return false;
        };
        if cell.content.version > version {
            // A newer one came meanwhile.
            return false;
        }
        *cell = Cell::default();
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
