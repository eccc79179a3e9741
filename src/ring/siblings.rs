//! Siblings: all versions of a row that nobody has replaced, with a version vector.
//!
//! Dynamo (SOSP 2007, section 4.4) hands a reader every version that is not older
//! than another, with a context; a write that brings the context back replaces
//! what its writer had seen, and only that. Each version has a dot, the actor that
//! took it in and a number (dotted version vectors: Preguiça, Baquero et al.,
//! "Dotted Version Vectors", 2010), so that two clients that write through one
//! node make two siblings and not one.
//!
//! ```text
//! put(context)  ─►  the versions whose dots are in the context go, one with the next dot comes
//! merge         ─►  what both have, and what the other one has not yet seen
//! ```
//!
//! A vector that grows beyond [`ACTORS_MAX`] forgets actors of which no version
//! is left. That loses nothing: at worst a version that was replaced comes back
//! as a sibling (Riak prunes its vector clocks with the same effect).

use super::row::Actor;
use crate::engine::random::mix;
use crate::workload::operation::Cell;

/// Siblings that a write may leave; with so many, writes are refused until somebody merges them.
pub const SIBLINGS_MAX: usize = 32;
/// Actors that a version vector remembers.
pub const ACTORS_MAX: usize = 64;

/// Of each actor, in ascending order, how many of its dots have been seen.
#[derive(Clone, Debug, Default, PartialEq)]
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

    fn see(&mut self, actor: Actor, number: u32) {
        match self.0.binary_search_by_key(&actor, |entry| entry.0) {
            Ok(place) => self.0[place].1 = self.0[place].1.max(number),
            Err(place) => self.0.insert(place, (actor, number)),
        }
    }

    fn merge(&mut self, other: &VersionVector) {
        for (actor, number) in &other.0 {
            self.see(*actor, *number);
        }
    }

    /// Whether everything that the other one has seen was seen.
    fn covers_all(&self, other: &VersionVector) -> bool {
        other.0.iter().all(|(actor, number)| self.covers(*actor, *number))
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// One version, with its dot.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sibling {
    pub actor: Actor,
    pub number: u32,
    pub cell: Cell,
}

/// All versions of one row that nobody has replaced, as far as a replica knows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Siblings {
    /// By actor and number, ascending.
    versions: Vec<Sibling>,
    seen: VersionVector,
}

/// Bytes of a dot, and of an entry of a version vector.
const ENTRY_BYTES: u32 = 12;

impl Siblings {
    pub fn versions(&self) -> &[Sibling] {
        &self.versions
    }

    /// What a reader brings back with its write.
    pub fn seen(&self) -> &VersionVector {
        &self.seen
    }

    /// Puts a version in the place of those that its writer had seen; false if that left too many.
    pub fn put(&mut self, actor: Actor, context: &VersionVector, cell: Cell) -> bool {
        let kept = self.versions.iter().filter(|version| !context.covers(version.actor, version.number));
        if kept.count() >= SIBLINGS_MAX {
            return false;
        }
        self.versions.retain(|version| !context.covers(version.actor, version.number));
        self.seen.merge(context);
        let number = self.seen.seen(actor) + 1;
        self.seen.see(actor, number);
        self.add(Sibling { actor, number, cell });
        self.prune();
        true
    }

    fn place(&self, version: &Sibling) -> Result<usize, usize> {
        let dot = |version: &Sibling| (version.actor, version.number);
        self.versions.binary_search_by(|other| dot(other).cmp(&dot(version)))
    }

    fn has(&self, version: &Sibling) -> bool {
        self.place(version).is_ok()
    }

    fn add(&mut self, version: Sibling) {
        if let Err(place) = self.place(&version) {
            self.versions.insert(place, version);
        }
    }

    /// Forgets actors of which no version is left, if there are too many.
    fn prune(&mut self) {
        let excess = self.seen.len().saturating_sub(ACTORS_MAX);
        let mut left = excess;
        let versions = &self.versions;
        self.seen.0.retain(|(actor, _)| {
            let goes = left > 0 && versions.iter().all(|version| version.actor != *actor);
            left -= usize::from(goes);
            !goes
        });
    }

    /// Whether the other one has a version, or has seen one replaced, that this one has not.
    pub fn lacks(&self, other: &Siblings) -> bool {
        !self.seen.covers_all(&other.seen)
            || self
                .versions
                .iter()
                .any(|version| other.seen.covers(version.actor, version.number) && !other.has(version))
    }

    pub fn merge(&mut self, other: &Siblings) {
        let Siblings { versions, seen } = self;
        versions.retain(|version| !other.seen.covers(version.actor, version.number) || other.has(version));
        let new = other.versions.iter().filter(|version| !seen.covers(version.actor, version.number));
        let new: Vec<Sibling> = new.copied().collect();
        for version in new {
            self.add(version);
        }
        self.seen.merge(&other.seen);
        self.prune();
    }

    /// The version with the latest time stamp.
    pub fn newest(&self) -> Cell {
        let cells = self.versions.iter().map(|version| version.cell);
        cells.max_by_key(|cell| (cell.content.version, cell.content.value)).unwrap_or_default()
    }

    pub fn are_tombstones(&self) -> bool {
        self.versions.iter().all(|version| version.cell.is_tombstone())
    }

    pub fn hash(&self) -> u64 {
        let versions =
            self.versions.iter().map(|version| mix(version.actor ^ u64::from(version.number) << 1 ^ 1));
        let seen = self.seen.0.iter().map(|(actor, number)| mix(actor ^ u64::from(*number) << 1));
        versions.chain(seen).fold(1, |hash, word| mix(hash ^ word))
    }

    pub fn bytes(&self) -> u32 {
        let versions = self.versions.iter().map(|version| version.cell.bytes + ENTRY_BYTES);
        versions.sum::<u32>() + self.seen.len() as u32 * ENTRY_BYTES
    }
}
