//! A list of numbers in the order in which they were last used.

use super::paged::PagedVec;

const NONE: u32 = u32::MAX;

#[derive(Clone, Copy)]
struct Link {
    newer: u32,
    older: u32,
}

/// Numbers below a bound, each in the list at most once; every step is constant time.
#[derive(Clone)]
pub struct LruList {
    links: PagedVec<Link>,
    newest: u32,
    oldest: u32,
    len: usize,
}

/// A number that is not in the list is linked to itself.
const fn apart(number: u32) -> Link {
    Link { newer: number, older: number }
}

impl LruList {
    /// For numbers below `count`, which is less than the largest `u32`.
    pub fn new(count: usize) -> LruList {
        let mut links = PagedVec::default();
        for number in 0..count as u32 {
            links.push(apart(number));
        }
        LruList { links, newest: NONE, oldest: NONE, len: 0 }
    }

    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub fn contains(&self, number: u32) -> bool {
        self.links.get(number as usize).is_some_and(|link| link.newer != number)
    }

    pub fn oldest(&self) -> Option<u32> {
        (self.oldest != NONE).then_some(self.oldest)
    }

    /// Puts a number at the newest end, whether or not it was in the list.
    pub fn use_now(&mut self, number: u32) {
        if self.newest == number {
            return;
        }
        self.remove(number);
        let before = self.newest;
        *self.link(number) = Link { newer: NONE, older: before };
        match before {
            NONE => self.oldest = number,
            _ => self.link(before).newer = number,
        }
        self.newest = number;
        self.len += 1;
    }

    /// Takes a number out; false if it was not in.
    pub fn remove(&mut self, number: u32) -> bool {
        if !self.contains(number) {
            return false;
        }
        let Link { newer, older } = *self.link(number);
        match newer {
            NONE => self.newest = older,
            _ => self.link(newer).older = older,
        }
        match older {
            NONE => self.oldest = newer,
            _ => self.link(older).newer = newer,
        }
        *self.link(number) = apart(number);
        self.len -= 1;
        true
    }

    fn link(&mut self, number: u32) -> &mut Link {
        self.links.get_mut(number as usize).expect("a number below the bound")
    }
}
