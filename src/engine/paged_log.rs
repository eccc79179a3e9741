//! A bounded log in pages that clones share.
//!
//! Entries are numbered consecutively. When the log is longer than its bound,
//! whole pages at its beginning are dropped; who needs those has to take a
//! snapshot instead.

use super::paged::PAGE_ENTRIES;
use std::collections::VecDeque;
use std::rc::Rc;

/// Numbered entries, of which the oldest are dropped.
#[derive(Clone, Debug)]
pub struct PagedLog<T> {
    /// Number of the first entry that is kept.
    first: u64,
    pages: VecDeque<Rc<Vec<T>>>,
    pages_max: usize,
}

impl<T: Clone> PagedLog<T> {
    /// An empty log whose next entry has the number `first`, keeping at least
    /// `entries_max` entries.
    pub fn starting_at(first: u64, entries_max: usize) -> PagedLog<T> {
        PagedLog { first, pages: VecDeque::new(), pages_max: entries_max.div_ceil(PAGE_ENTRIES) + 1 }
    }

    /// Number of the first entry that is kept.
    pub fn first(&self) -> u64 {
        self.first
    }

    /// Number of the next entry.
    pub fn next(&self) -> u64 {
        let last = self.pages.back().map_or(0, |page| page.len());
        self.first + (self.pages.len().saturating_sub(1) * PAGE_ENTRIES + last) as u64
    }

    pub fn push(&mut self, entry: T) {
        if self.pages.back().is_none_or(|page| page.len() == PAGE_ENTRIES) {
            self.pages.push_back(Rc::new(Vec::with_capacity(PAGE_ENTRIES)));
            if self.pages.len() > self.pages_max {
                self.pages.pop_front();
                self.first += PAGE_ENTRIES as u64;
            }
        }
        Rc::make_mut(self.pages.back_mut().expect("a page was just made sure of")).push(entry);
    }

    /// Drops the entries from this number on.
    pub fn truncate(&mut self, next: u64) {
        let kept = next.saturating_sub(self.first) as usize;
        self.pages.truncate(kept.div_ceil(PAGE_ENTRIES));
        let before = self.pages.len().saturating_sub(1) * PAGE_ENTRIES;
        if let Some(last) = self.pages.back_mut()
            && last.len() > kept - before
        {
            Rc::make_mut(last).truncate(kept - before);
        }
    }

    /// Drops the pages at the beginning that have no entry of this number or a later one.
    pub fn drop_before(&mut self, number: u64) {
        let page = PAGE_ENTRIES as u64;
        while self.first + page <= number
            && self.pages.front().is_some_and(|front| front.len() == PAGE_ENTRIES)
        {
            self.pages.pop_front();
            self.first += page;
        }
    }

    /// All that are kept, oldest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &T> {
        self.pages.iter().flat_map(|page| page.iter())
    }

    /// The entry with this number, if it is kept.
    pub fn get(&self, number: u64) -> Option<&T> {
        let at = number.checked_sub(self.first)? as usize;
        self.pages.get(at / PAGE_ENTRIES)?.get(at % PAGE_ENTRIES)
    }
}
