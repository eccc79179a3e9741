//! A block cache: the blocks of sorted tables that were read last, so many at most.
//!
//! Cassandra's chunk cache (4.1, `file_cache_size`), least recently used first
//! out. It is empty after a start, and a table that a compaction writes is not in it.

use crate::engine::PagedVec;
use crate::engine::lru::LruList;

const NONE: u32 = u32::MAX;

/// Where each block of one table is in the cache.
#[derive(Clone, Default)]
pub struct Cached(PagedVec<u32>);

impl Cached {
    /// Of a table with so many blocks, none of which is in the cache.
    pub fn none_of(blocks: u32) -> Cached {
        Cached(PagedVec::filled(NONE, blocks as usize))
    }

    fn slot(&self, block: u32) -> u32 {
        self.0.get(block as usize).copied().unwrap_or(NONE)
    }

    fn put(&mut self, block: u32, slot: u32) {
        if let Some(place) = self.0.get_mut(block as usize) {
            *place = slot;
        }
    }
}

/// Which blocks are in memory.
#[derive(Clone)]
pub struct BlockCache {
    used: LruList,
    room: u32,
    /// By slot: number of the table, and block.
    blocks: PagedVec<(u32, u32)>,
    free: Vec<u32>,
}

impl BlockCache {
    /// A cache with room for so many blocks.
    pub fn new(room: u32) -> BlockCache {
        BlockCache { used: LruList::new(room as usize), room, blocks: PagedVec::default(), free: Vec::new() }
    }

    /// Blocks in it, and how many there is room for.
    pub fn fill(&self) -> (usize, u32) {
        (self.used.len(), self.room)
    }

    /// Whether a block is in it; it is used now, if it is.
    pub fn has(&mut self, cached: &Cached, block: u32) -> bool {
        let slot = cached.slot(block);
        if slot != NONE {
            self.used.use_now(slot);
        }
        slot != NONE
    }

    /// Puts a block in; returns what had to go for it, if anything, to be [forgotten](Self::forget_block).
    pub fn put(&mut self, table: u32, cached: &mut Cached, block: u32) -> Option<(u32, u32)> {
        if self.room == 0 || cached.slot(block) != NONE {
            return None;
        }
        let mut gone = None;
        let slot = match self.free.pop() {
            Some(slot) => slot,
            None if self.blocks.len() < self.room as usize => {
                self.blocks.push((table, block));
                (self.blocks.len() - 1) as u32
            }
            None => {
                let oldest = self.used.oldest().expect("a full cache has an oldest block");
                gone = self.blocks.get(oldest as usize).copied();
                oldest
            }
        };
        if let Some(place) = self.blocks.get_mut(slot as usize) {
            *place = (table, block);
        }
        self.used.use_now(slot);
        cached.put(block, slot);
        gone
    }

    /// The block of a table had to go.
    pub fn forget_block(cached: &mut Cached, block: u32) {
        cached.put(block, NONE);
    }

    /// A table is gone, and its blocks with it.
    pub fn forget_table(&mut self, cached: &Cached) {
        for slot in cached.0.iter().filter(|slot| **slot != NONE) {
            self.used.remove(*slot);
            self.free.push(*slot);
        }
    }
}
