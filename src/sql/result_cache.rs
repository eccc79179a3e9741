//! The shard proxy's result cache: least recently used, with a time to live.
//!
//! A write that passes through the proxy invalidates its key, when it is sent
//! and again when it is acknowledged. A read that was under way meanwhile can
//! still put an old row back: the classic race, and a source of stale reads
//! until the time to live ends. A write that takes another path (another proxy
//! of the shard) invalidates nothing here.

use super::settings::Cache;
use crate::engine::lru::LruList;
use crate::engine::{PagedVec, SimTime};
use crate::workload::operation::{Cell, HEADER_BYTES, KeyId};

#[derive(Clone, Copy, Default)]
struct Kept {
    cell: Cell,
    expires: SimTime,
}

/// A bounded cache of rows.
#[derive(Clone)]
pub struct ResultCache {
    kept: PagedVec<Kept>,
    order: LruList,
    settings: Cache,
    bytes: u64,
    pub hits: u64,
    pub misses: u64,
}

impl ResultCache {
    /// A cache over `keys` keys; without entries it is off.
    pub fn new(keys: usize, settings: Cache) -> ResultCache {
        let keys = if settings.entries > 0 { keys } else { 0 };
        ResultCache {
            kept: PagedVec::filled(Kept::default(), keys),
            order: LruList::new(keys),
            settings,
            bytes: 0,
            hits: 0,
            misses: 0,
        }
    }

    pub fn is_on(&self) -> bool {
        self.settings.entries > 0
    }

    pub fn len(&self) -> usize {
        self.order.len()
    }

    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// Bytes that its rows take, keys and headers included.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The row, if it is there and not too old.
    pub fn get(&mut self, key: KeyId, now: SimTime) -> Option<Cell> {
        if !self.is_on() {
            return None;
        }
        if !self.order.contains(key) {
            self.misses += 1;
            return None;
        }
        let kept = self.kept.get(key as usize).copied().unwrap_or_default();
        if kept.expires <= now {
            self.misses += 1;
            self.invalidate(key);
            return None;
        }
        self.hits += 1;
        self.order.use_now(key);
        Some(kept.cell)
    }

    pub fn put(&mut self, key: KeyId, cell: Cell, now: SimTime) {
        if !self.is_on() {
            return;
        }
        self.invalidate(key);
        self.bytes += size(&cell);
        *self.kept.get_mut(key as usize).expect("a key of the key space") =
            Kept { cell, expires: now + self.settings.ttl };
        self.order.use_now(key);
        while self.order.len() > self.settings.entries as usize
            || self.settings.bytes.is_some_and(|most| self.bytes > most)
        {
            let Some(oldest) = self.order.oldest() else {
                return;
            };
            self.invalidate(oldest);
        }
    }

    pub fn invalidate(&mut self, key: KeyId) {
        if self.order.remove(key) {
            self.bytes -= self.kept.get(key as usize).map_or(0, |kept| size(&kept.cell));
        }
    }
}

fn size(cell: &Cell) -> u64 {
    u64::from(HEADER_BYTES) + u64::from(cell.bytes)
}
