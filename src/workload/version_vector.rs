//! Version vectors: how much of what each actor did has been seen.
//!
//! Parker et al., "Detection of Mutual Inconsistency in Distributed Systems", 1983.
//! A store that keeps siblings hands one to its readers, as a context that they
//! bring back when they write (Dynamo, SOSP 2007, section 4.4).

/// Who changed a row: one run of one node, so that a node that lost what it had not synced does not give
/// the same name twice.
pub type Actor = u64;

/// Of each actor, in ascending order, how many of its dots have been seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VersionVector(Vec<(Actor, u32)>);

impl VersionVector {
    pub fn seen(&self, actor: Actor) -> u32 {
        match self.0.binary_search_by_key(&actor, |entry| entry.0) {
            Ok(place) => self.0[place].1,
            Err(_) => 0,
        }
    }

    /// Whether a dot has been seen.
    pub fn covers(&self, actor: Actor, number: u32) -> bool {
        number <= self.seen(actor)
    }

    pub fn see(&mut self, actor: Actor, number: u32) {
        match self.0.binary_search_by_key(&actor, |entry| entry.0) {
            Ok(place) => self.0[place].1 = self.0[place].1.max(number),
            Err(place) => self.0.insert(place, (actor, number)),
        }
    }

    pub fn merge(&mut self, other: &VersionVector) {
        for (actor, number) in &other.0 {
            self.see(*actor, *number);
        }
    }

    /// Whether everything that the other one has seen was seen.
    pub fn covers_all(&self, other: &VersionVector) -> bool {
        other.0.iter().all(|(actor, number)| self.covers(*actor, *number))
    }

    /// Forgets the first so many actors that are not wanted.
    pub fn forget(&mut self, mut count: usize, is_wanted: impl Fn(Actor) -> bool) {
        self.0.retain(|(actor, _)| {
            let goes = count > 0 && !is_wanted(*actor);
            count -= usize::from(goes);
            !goes
        });
    }

    pub fn entries(&self) -> impl Iterator<Item = (Actor, u32)> + '_ {
        self.0.iter().copied()
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Bytes on the wire and on disk.
    pub fn bytes(&self) -> u32 {
        self.0.len() as u32 * ENTRY_BYTES
    }
}

/// Bytes of an actor and a number.
pub const ENTRY_BYTES: u32 = 12;
