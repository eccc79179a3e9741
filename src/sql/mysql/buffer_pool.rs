//! The buffer pool: which pages of the table are in memory.
//!
//! Rows lie in the order of their keys, so many to a page. A page that is not in
//! memory is read from disk, and the least recently used one makes room. After a
//! crash it is empty; a server that an operator set up begins with the pages of
//! the most popular rows.

use crate::engine::lru::LruList;
use crate::sql::settings::BufferPool as Settings;
use crate::workload::keys::KeySpace;
use crate::workload::operation::KeyId;

/// Pages in memory.
#[derive(Clone)]
pub struct BufferPool {
    settings: Settings,
    in_memory: LruList,
    pub hits: u64,
    pub misses: u64,
}

impl BufferPool {
    pub fn new(settings: Settings, keys: &KeySpace) -> BufferPool {
        let pages = keys.len().div_ceil(settings.rows_per_page as usize);
        BufferPool { settings, in_memory: LruList::new(pages), hits: 0, misses: 0 }
    }

    fn page(&self, keys: &KeySpace, key: KeyId) -> u32 {
        keys.rank(key) / self.settings.rows_per_page
    }

    /// Brings the most popular rows into memory; keys are numbered by popularity.
    pub fn warm_up(&mut self, keys: &KeySpace) {
        for key in (0..keys.len() as KeyId).rev() {
            self.bring_in(self.page(keys, key));
        }
    }

    /// Pages that have to be read before the rows from one key to another can be; they are in memory from now on.
    pub fn need(&mut self, keys: &KeySpace, from: KeyId, to: KeyId) -> u32 {
        let (first, last) = (self.page(keys, from), self.page(keys, to));
        let mut missing = 0;
        for page in first..=last.max(first) {
            if self.in_memory.contains(page) {
                self.hits += 1;
            } else {
                self.misses += 1;
                missing += 1;
            }
            self.bring_in(page);
        }
        missing
    }

    fn bring_in(&mut self, page: u32) {
        self.in_memory.use_now(page);
        if self.in_memory.len() > self.settings.pages as usize
            && let Some(oldest) = self.in_memory.oldest()
        {
            self.in_memory.remove(oldest);
        }
    }

    /// Pages in memory, of so many that fit.
    pub fn fill(&self) -> (usize, u32) {
        (self.in_memory.len(), self.settings.pages)
    }
}
