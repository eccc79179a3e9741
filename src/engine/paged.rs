//! A vector in pages that clones share until one of them writes.
//!
//! Tables, stores and histories are large, and a world is cloned at every
//! checkpoint. With pages behind reference counts a clone costs one count per
//! page, and a checkpoint keeps only the pages that were written since.

use std::rc::Rc;

/// Entries in a page.
pub const PAGE_ENTRIES: usize = 256;

/// A growable array whose clones share their unwritten pages.
#[derive(Clone, Debug)]
pub struct PagedVec<T> {
    pages: Vec<Rc<Vec<T>>>,
    len: usize,
}

impl<T> Default for PagedVec<T> {
    fn default() -> Self {
        PagedVec { pages: Vec::new(), len: 0 }
    }
}

impl<T: Clone> PagedVec<T> {
    /// `len` copies of `value`, all pages shared at first.
    pub fn filled(value: T, len: usize) -> PagedVec<T> {
        let mut pages = Vec::with_capacity(len.div_ceil(PAGE_ENTRIES));
        let full = Rc::new(vec![value.clone(); PAGE_ENTRIES]);
        for _ in 0..len / PAGE_ENTRIES {
            pages.push(Rc::clone(&full));
        }
        if !len.is_multiple_of(PAGE_ENTRIES) {
            pages.push(Rc::new(vec![value; len % PAGE_ENTRIES]));
        }
        PagedVec { pages, len }
    }

    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    #[inline]
    pub fn get(&self, index: usize) -> Option<&T> {
        self.pages.get(index / PAGE_ENTRIES)?.get(index % PAGE_ENTRIES)
    }

    /// Mutable access; copies the page first if a clone shares it.
    #[inline]
    pub fn get_mut(&mut self, index: usize) -> Option<&mut T> {
        Rc::make_mut(self.pages.get_mut(index / PAGE_ENTRIES)?).get_mut(index % PAGE_ENTRIES)
    }

    pub fn push(&mut self, value: T) {
        if self.len.is_multiple_of(PAGE_ENTRIES) {
            self.pages.push(Rc::new(Vec::with_capacity(PAGE_ENTRIES)));
        }
        Rc::make_mut(self.pages.last_mut().expect("a page was just made sure of")).push(value);
        self.len += 1;
    }

    /// Appends copies of `value` until there are `len` entries.
    pub fn extend_to(&mut self, len: usize, value: T) {
        while self.len < len {
            self.push(value.clone());
        }
    }

    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &T> {
        self.pages.iter().flat_map(|page| page.iter())
    }

    /// How many pages there are.
    pub fn page_count(&self) -> usize {
        self.pages.len()
    }

    /// A page, shared.
    pub fn page(&self, index: usize) -> Option<Rc<Vec<T>>> {
        self.pages.get(index).cloned()
    }

    /// Puts a page of the same length in place of the one at `index`; false if it does not fit.
    pub fn replace_page(&mut self, index: usize, page: Rc<Vec<T>>) -> bool {
        match self.pages.get_mut(index) {
            Some(old) if old.len() == page.len() => {
                *old = page;
                true
            }
            _ => false,
        }
    }
}
