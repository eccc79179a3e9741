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

use crate::engine::random::mix;
use crate::workload::operation::Cell;
use crate::workload::version_vector::{Actor, ENTRY_BYTES, VersionVector};

/// Siblings that a write may leave; with so many, writes are refused until somebody merges them.
pub const SIBLINGS_MAX: usize = 32;
/// Actors that a version vector remembers.
pub const ACTORS_MAX: usize = 64;

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

impl Siblings {
    pub fn versions(&self) -> &[Sibling] {
        &self.versions
    }

    /// What a reader brings back with its write.
    pub fn seen(&self) -> &VersionVector {
        &self.seen
    }

    /// Puts a version in the place of those that its writer had seen; false if that left too many. The dot is
    /// the actor's own, with a number higher than all that it gave before: a vector may have forgotten it.
    pub fn put(&mut self, (actor, number): (Actor, u32), context: &VersionVector, cell: Cell) -> bool {
        let kept = self.versions.iter().filter(|version| !context.covers(version.actor, version.number));
        if kept.count() >= SIBLINGS_MAX {
            return false;
        }
        self.versions.retain(|version| !context.covers(version.actor, version.number));
        self.seen.merge(context);
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
        let Siblings { versions, seen } = self;
        seen.forget(excess, |actor| versions.iter().any(|version| version.actor == actor));
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
        let seen = self.seen.entries().map(|(actor, number)| mix(actor ^ u64::from(number) << 1));
        versions.chain(seen).fold(1, |hash, word| mix(hash ^ word))
    }

    pub fn bytes(&self) -> u32 {
        let versions = self.versions.iter().map(|version| version.cell.bytes + ENTRY_BYTES);
        versions.sum::<u32>() + self.seen.bytes()
    }
}
