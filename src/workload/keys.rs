//! The keys of a run: their names, and what the clusters derive from the names.

use super::operation::KeyId;
use crate::engine::order::places_by;
use crate::engine::random::mix;
use std::rc::Rc;

/// All keys of a run, shared by everything in it.
///
/// Generated keys are named by a letter and a number (`K00042`), the letter
/// scattered by a hash, so that popularity and shard are unrelated. Recorded
/// keys have the names of the recording.
#[derive(Clone)]
pub struct KeySpace {
    names: Names,
    /// By key: the beginning of its name, by which it is ordered.
    prefixes: Rc<[u64]>,
    tokens: Rc<[i64]>,
    /// All keys in the order of their names, and the place of each in it.
    order: Rc<[KeyId]>,
    ranks: Rc<[u32]>,
}

#[derive(Clone)]
enum Names {
    Generated,
    Recorded(Rc<[String]>),
    Grouped(Rc<[Group]>),
}

/// Rows that stand together: in one shard, in one partition of a ring, one after the other.
#[derive(Clone, Debug)]
pub struct Group {
    pub name: String,
    pub first: KeyId,
    pub rows: u32,
}

impl KeySpace {
    /// `count` keys with generated names.
    pub fn generated(count: u32) -> KeySpace {
        KeySpace::new(Names::Generated, count as usize)
    }

    /// Keys as a recording names them.
    pub fn recorded(names: Vec<String>) -> KeySpace {
        let count = names.len();
        KeySpace::new(Names::Recorded(names.into()), count)
    }

    /// The rows of several tables, group by group: name and rows of each.
    pub fn grouped(groups: impl Iterator<Item = (String, u32)>) -> KeySpace {
        let mut next = 0;
        let place = |(name, rows): (String, u32)| {
            let first = next;
            next += rows;
            Group { name, first, rows }
        };
        let groups: Rc<[Group]> = groups.map(place).collect();
        KeySpace::new(Names::Grouped(groups), next as usize)
    }

    fn new(names: Names, count: usize) -> KeySpace {
        let mut prefixes = Vec::with_capacity(count);
        let mut tokens = Vec::with_capacity(count);
        let mut stand = |name: &str, rows: usize| {
            prefixes.resize(prefixes.len() + rows, prefix_of(name));
            tokens.resize(tokens.len() + rows, token_of(name.as_bytes()));
        };
        match &names {
            Names::Grouped(groups) => groups.iter().for_each(|group| stand(&group.name, group.rows as usize)),
            names => (0..count as u32).for_each(|key| stand(&name_of(names, key), 1)),
        }
        let order = places_by(count, |key| prefixes[key]);
        let mut ranks = vec![0; count];
        for (rank, key) in order.iter().enumerate() {
            ranks[*key as usize] = rank as u32;
        }
        KeySpace {
            names,
            prefixes: prefixes.into(),
            tokens: tokens.into(),
            order: order.into(),
            ranks: ranks.into(),
        }
    }

    /// The same keys, where so many neighbours in the order of their names form one partition and have
    /// the token of its first key.
    pub fn in_partitions(&self, rows: u32) -> KeySpace {
        if rows == 1 {
            return self.clone();
        }
        let first = |rank: &u32| self.order[(rank / rows * rows) as usize];
        let tokens = self.ranks.iter().map(|rank| self.token(first(rank))).collect();
        KeySpace { tokens, ..self.clone() }
    }

    pub fn len(&self) -> usize {
        self.prefixes.len()
    }

    pub fn is_empty(&self) -> bool {
        self.prefixes.is_empty()
    }

    pub fn name(&self, key: KeyId) -> String {
        name_of(&self.names, key)
    }

    /// The beginning of its name as a number: four characters from its first letter on, in capitals.
    #[inline]
    pub fn name_point(&self, key: KeyId) -> u32 {
        (self.prefixes[key as usize] >> 32) as u32
    }

    /// A hash of its name, spread over all numbers.
    #[inline]
    pub fn hash_point(&self, key: KeyId) -> u32 {
        (self.tokens[key as usize] as u64 >> 32) as u32
    }

    /// The key's place on a token ring.
    #[inline]
    pub fn token(&self, key: KeyId) -> i64 {
        self.tokens[key as usize]
    }

    /// All keys in the order of their names.
    pub fn order(&self) -> &[KeyId] {
        &self.order
    }

    /// The key's place in that order.
    #[inline]
    pub fn rank(&self, key: KeyId) -> u32 {
        self.ranks[key as usize]
    }
}

fn name_of(names: &Names, key: KeyId) -> String {
    match names {
        Names::Generated => {
            let letter = (b'A' + (mix(u64::from(key)) % 26) as u8) as char;
            format!("{letter}{key:05}")
        }
        Names::Recorded(names) => names[key as usize].clone(),
        Names::Grouped(groups) => {
            let group = &groups[groups.partition_point(|group| group.first <= key) - 1];
            format!("{}.{}", group.name, key - group.first)
        }
    }
}

/// Eight characters of a name from its first ASCII letter on, in capitals, padded with zeros;
/// a name without a letter stands under A.
fn prefix_of(name: &str) -> u64 {
    let bytes = name.as_bytes();
    let start = bytes.iter().position(u8::is_ascii_alphabetic);
    let from_letter = start.map_or(&b"A"[..], |start| &bytes[start..]);
    let mut prefix = [0; 8];
    for (place, byte) in prefix.iter_mut().zip(from_letter) {
        *place = byte.to_ascii_uppercase();
    }
    u64::from_be_bytes(prefix)
}

/// Murmur3 (x64, 128 bits, seed 0; Appleby 2008), its first 64 bits as a signed
/// number, as Cassandra's `Murmur3Partitioner` takes them. Cassandra's own
/// implementation sign-extends bytes above 127, which ASCII names never have.
pub fn token_of(name: &[u8]) -> i64 {
    fastmurmur3::murmur3_x64_128(name, 0) as u64 as i64
}
