//! The keys of a run: their names, and what the clusters derive from the names.

use super::operation::KeyId;
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
    letters: Rc<[u8]>,
    tokens: Rc<[i64]>,
}

#[derive(Clone)]
enum Names {
    Generated,
    Recorded(Rc<[String]>),
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

    fn new(names: Names, count: usize) -> KeySpace {
        let mut letters = Vec::with_capacity(count);
        let mut tokens = Vec::with_capacity(count);
        for key in 0..count as u32 {
            let name = name_of(&names, key);
            letters.push(range_letter(&name));
            tokens.push(token_of(name.as_bytes()));
        }
        KeySpace { names, letters: letters.into(), tokens: tokens.into() }
    }

    pub fn len(&self) -> usize {
        self.letters.len()
    }

    pub fn is_empty(&self) -> bool {
        self.letters.is_empty()
    }

    pub fn name(&self, key: KeyId) -> String {
        name_of(&self.names, key)
    }

    /// The letter that decides the shard, A to Z.
    #[inline]
    pub fn letter(&self, key: KeyId) -> u8 {
        self.letters[key as usize]
    }

    /// The key's place on a token ring.
    #[inline]
    pub fn token(&self, key: KeyId) -> i64 {
        self.tokens[key as usize]
    }
}

fn name_of(names: &Names, key: KeyId) -> String {
    match names {
        Names::Generated => {
            let letter = (b'A' + (mix(u64::from(key)) % 26) as u8) as char;
            format!("{letter}{key:05}")
        }
        Names::Recorded(names) => names[key as usize].clone(),
    }
}

/// The first ASCII letter of a name, as a capital; A where there is none.
fn range_letter(name: &str) -> u8 {
    name.bytes().find(u8::is_ascii_alphabetic).unwrap_or(b'A').to_ascii_uppercase()
}

/// Murmur3 (x64, 128 bits, seed 0; Appleby 2008), its first 64 bits as a signed
/// number, as Cassandra's `Murmur3Partitioner` takes them. Cassandra's own
/// implementation sign-extends bytes above 127, which ASCII names never have.
pub fn token_of(name: &[u8]) -> i64 {
    fastmurmur3::murmur3_x64_128(name, 0) as u64 as i64
}
