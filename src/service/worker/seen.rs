//! The views that a worker knows to have counted.
//!
//! A cache of a fixed number of slots, one view in each: a view's number says which slot is its own, and a view
//! is known until another one takes its slot. Which views are known depends on nothing but what was seen before.

use crate::engine::random::mix;
use crate::workload::operation::OperationId;
use std::rc::Rc;

/// Numbers of views by slot; zero where there is none. Shared with checkpoints until it changes.
#[derive(Clone, Default)]
pub struct Seen(Rc<Vec<u64>>);

impl Seen {
    /// Of so many slots; with none it knows nothing.
    pub fn new(slots: usize) -> Seen {
        Seen(Rc::new(vec![0; slots]))
    }

    pub fn of(slots: Rc<Vec<u64>>) -> Seen {
        Seen(slots)
    }

    pub fn slots(&self) -> Rc<Vec<u64>> {
        Rc::clone(&self.0)
    }

    /// Remembers a view; false if it was known.
    pub fn is_new(&mut self, id: OperationId) -> bool {
        if self.0.is_empty() {
            return true;
        }
        let slot = (mix(id.0) % self.0.len() as u64) as usize;
        let is_new = self.0[slot] != id.0;
        if is_new {
            Rc::make_mut(&mut self.0)[slot] = id.0;
        }
        is_new
    }
}
