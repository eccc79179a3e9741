//! Counters that lose nothing when replicas count at the same time.
//!
//! A grow-only counter has an entry for each actor, which that actor alone
//! increments; states merge by the larger entry, and the value is the sum
//! (G-Counter). With a second number for what was taken away it can go down too
//! (PN-Counter; Shapiro, Preguiça, Baquero, Zawirski, "A comprehensive study of
//! Convergent and Commutative Replicated Data Types", 2011, section 3.1).
//! Cassandra's counters (2.1 and later) are built alike: a leader among the
//! replicas increments its own shard, and the others get the shard.

use crate::engine::random::mix;
use crate::workload::version_vector::Actor;

/// What one actor has added and taken away.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Shard {
    actor: Actor,
    added: u32,
    taken: u32,
}

/// The state of one counter at one replica. Restarts of its replicas add an entry each.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Counter {
    /// By actor, ascending.
    shards: Vec<Shard>,
}

/// Bytes of an entry.
const SHARD_BYTES: u32 = 16;

impl Counter {
    fn entry(&mut self, actor: Actor) -> &mut Shard {
        let place = match self.shards.binary_search_by_key(&actor, |shard| shard.actor) {
            Ok(place) => place,
            Err(place) => {
                self.shards.insert(place, Shard { actor, added: 0, taken: 0 });
                place
            }
        };
        &mut self.shards[place]
    }

    fn of(&self, actor: Actor) -> (u32, u32) {
        match self.shards.binary_search_by_key(&actor, |shard| shard.actor) {
            Ok(place) => (self.shards[place].added, self.shards[place].taken),
            Err(_) => (0, 0),
        }
    }

    /// The actor adds one, or takes one away.
    pub fn count(&mut self, actor: Actor, takes: bool) {
        let shard = self.entry(actor);
        shard.added += u32::from(!takes);
        shard.taken += u32::from(takes);
    }

    /// The actor adds so many.
    pub fn add(&mut self, actor: Actor, amount: u32) {
        let shard = self.entry(actor);
        shard.added = shard.added.saturating_add(amount);
    }

    /// What is sent to the other replicas: the actor's own entry.
    pub fn shard(&self, actor: Actor) -> Counter {
        Counter { shards: self.shards.iter().filter(|shard| shard.actor == actor).copied().collect() }
    }

    pub fn lacks(&self, other: &Counter) -> bool {
        other.shards.iter().any(|shard| {
            let (added, taken) = self.of(shard.actor);
            shard.added > added || shard.taken > taken
        })
    }

    pub fn merge(&mut self, other: &Counter) {
        for shard in &other.shards {
            let own = self.entry(shard.actor);
            own.added = own.added.max(shard.added);
            own.taken = own.taken.max(shard.taken);
        }
    }

    /// All that was added.
    pub fn added(&self) -> u64 {
        self.shards.iter().map(|shard| u64::from(shard.added)).sum()
    }

    /// All that was taken away.
    pub fn taken(&self) -> u64 {
        self.shards.iter().map(|shard| u64::from(shard.taken)).sum()
    }

    pub fn value(&self) -> i64 {
        self.added() as i64 - self.taken() as i64
    }

    /// How often it was changed, either way: grows with every change.
    pub fn changes(&self) -> u64 {
        self.added() + self.taken()
    }

    pub fn hash(&self) -> u64 {
        let words = self
            .shards
            .iter()
            .map(|shard| mix(shard.actor ^ mix(u64::from(shard.added) << 32 | u64::from(shard.taken))));
        words.fold(2, |hash, word| mix(hash ^ word))
    }

    pub fn bytes(&self) -> u32 {
        self.shards.len() as u32 * SHARD_BYTES
    }
}
