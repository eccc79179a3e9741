//! Lost updates of a ring: acknowledged writes that nothing which is left builds upon.
//!
//! A client that counts in a store which cannot reads a row, adds to it, and writes
//! that back: what it writes builds upon what it has read, and that upon what was
//! read before. An acknowledged update is lost if neither it nor anything that
//! builds upon it is left anywhere. (Kingsbury's Jepsen looks for the same in a set
//! to which every client adds: "Riak", aphyr.com 2013.) So are siblings judged.
//! In a ring of counters nobody reads first: there more changes were acknowledged
//! than are left.
//!
//! ```text
//! 1 ◄─ 2 ◄─ 4 ◄─ 6    left is 6: 3 and 5 are lost
//!      └── 3 ◄─ 5
//! ```
//!
//! Of a key the latest [`WORDS_MAX`] words are remembered; whether older updates
//! are lost is settled when they are forgotten.

use crate::engine::PagedVec;
use crate::ring::row::Row;
use crate::workload::client::Completed;
use crate::workload::operation::{KeyId, OperationKind};
use std::rc::Rc;

/// Updates and what they build upon, of one key.
pub const WORDS_MAX: usize = 4_096;

/// A word is an update's name; those that it builds upon follow, marked.
const BASIS: u64 = 1 << 63;
const ACKNOWLEDGED: u64 = 1 << 62;
const NAME: u64 = ACKNOWLEDGED - 1;

/// What happened to one key.
#[derive(Clone, Default)]
struct Updates {
    words: Vec<u64>,
    /// Lost, among those that are forgotten.
    lost: u64,
    /// In a ring of counters: changes that were acknowledged, up and down.
    added: u64,
    taken: u64,
}

/// What was acknowledged of every key, and what it builds upon.
#[derive(Clone)]
pub struct UpdateLedger {
    keys: PagedVec<Option<Rc<Updates>>>,
    acknowledged: u64,
}

impl UpdateLedger {
    pub fn new(keys: usize) -> UpdateLedger {
        UpdateLedger { keys: PagedVec::filled(None, keys), acknowledged: 0 }
    }

    fn of(&mut self, key: KeyId) -> Option<&mut Updates> {
        self.keys.get_mut(key as usize).map(|place| Rc::make_mut(place.get_or_insert_with(Default::default)))
    }

    /// An update is about to be sent, having read a value: the first of those that it read, or a further one.
    pub fn basis(&mut self, key: KeyId, update: u64, value: u64, is_first: bool) {
        if let Some(updates) = self.of(key) {
            if is_first {
                // An earlier attempt was refused.
                if let Some(place) = updates.place(update) {
                    let end = updates.end(place);
                    updates.words.drain(place..end);
                }
                updates.words.push(update);
            }
            updates.words.push(value | BASIS);
        }
    }

    /// An update was acknowledged.
    pub fn acknowledged(&mut self, done: &Completed) {
        self.acknowledged += 1;
        if let Some(updates) = self.of(done.key) {
            match (updates.place(done.id.0), done.kind) {
                (Some(place), _) => updates.words[place] |= ACKNOWLEDGED,
                (None, OperationKind::Decrement) => updates.taken += 1,
                (None, _) => updates.added += 1,
            }
        }
    }

    /// How many updates were acknowledged.
    pub fn count(&self) -> u64 {
        self.acknowledged
    }

    /// Acknowledged updates that are lost, given what is left of each key.
    pub fn lost(&mut self, left: impl Fn(KeyId) -> Row) -> u64 {
        let mut lost = 0;
        for key in 0..self.keys.len() as KeyId {
            if let Some(updates) = self.keys.get(key as usize).and_then(Option::as_deref) {
                lost += updates.lost + updates.lost_of(&left(key), updates.words.len());
            }
            let is_full = |updates: &Rc<Updates>| updates.words.len() > WORDS_MAX;
            if self.keys.get(key as usize).and_then(Option::as_ref).is_some_and(is_full)
                && let Some(updates) = self.of(key)
            {
                updates.forget(&left(key));
            }
        }
        lost
    }
}

impl Updates {
    /// Where an update stands, looked for from the end.
    fn place(&self, update: u64) -> Option<usize> {
        self.words.iter().rposition(|word| word & BASIS == 0 && word & NAME == update)
    }

    /// Where the words of the update at a place end.
    fn end(&self, place: usize) -> usize {
        let after = self.words[place + 1..].iter().position(|word| word & BASIS == 0);
        after.map_or(self.words.len(), |steps| place + 1 + steps)
    }

    /// Lost updates among the first so many words.
    fn lost_of(&self, left: &Row, first: usize) -> u64 {
        let mut builds_upon: Vec<u64> = Vec::new();
        match left {
            Row::Register(cell) => builds_upon.push(cell.content.value),
            Row::Siblings(siblings) => {
                builds_upon.extend(siblings.versions().iter().map(|version| version.cell.content.value));
            }
            Row::Counter(_) => {}
        }
        let (added, taken) = match left {
            Row::Counter(counter) => (counter.added(), counter.taken()),
            _ => (0, 0),
        };
        let mut lost = self.added.saturating_sub(added) + self.taken.saturating_sub(taken);
        // An update was written before whatever builds upon it: one way back finds them all.
        let mut end = self.words.len();
        while let Some(place) = self.words[..end].iter().rposition(|word| word & BASIS == 0) {
            let word = self.words[place];
            let sought = builds_upon.iter().position(|value| *value == word & NAME);
            if let Some(at) = sought {
                builds_upon.swap_remove(at);
                for basis in &self.words[place + 1..end] {
                    let value = basis & NAME;
                    if !builds_upon.contains(&value) {
                        builds_upon.push(value);
                    }
                }
            } else if word & ACKNOWLEDGED != 0 && place < first {
                lost += 1;
            }
            end = place;
        }
        lost
    }

    /// Forgets the older half; which of it are lost is settled by what is left now.
    fn forget(&mut self, left: &Row) {
        let half = self.words.len() / 2;
        let half =
            self.words[half..].iter().position(|word| word & BASIS == 0).map_or(half, |steps| half + steps);
        self.lost += self.lost_of(left, half) - self.lost_of(left, 0);
        self.words.drain(..half);
    }
}
