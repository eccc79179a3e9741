//! A Bloom filter: whether a sorted table may hold a partition.
//!
//! Bloom, "Space/time trade-offs in hash coding with allowable errors", CACM 1970.
//! A real one: for a share p of false positives it has −ln p / (ln 2)² bits for
//! each entry and sets (bits / entries) · ln 2 of them, placed by two hashes
//! (Kirsch and Mitzenmacher, "Less hashing, same performance", ESA 2006; Cassandra
//! 4.1 does the same, `bloom_filter_fp_chance`). With p = 1 there is no filter.

use crate::engine::random::mix;

/// A filter over numbers.
#[derive(Clone, Debug)]
pub struct BloomFilter {
    /// Empty: it says yes to everything.
    words: Vec<u64>,
    hashes: u32,
}

impl BloomFilter {
    /// An empty filter for so many entries, with a share of false positives above 0 and up to 1.
    pub fn new(entries: usize, false_positives: f64) -> BloomFilter {
        if false_positives >= 1.0 {
            return BloomFilter { words: Vec::new(), hashes: 0 };
        }
        const LN_2: f64 = std::f64::consts::LN_2;
        let bits_each = -libm::log(false_positives) / (LN_2 * LN_2);
        let bits = libm::ceil(bits_each * entries.max(1) as f64) as usize;
        BloomFilter {
            words: vec![0; bits.div_ceil(64)],
            hashes: (libm::round(bits_each * LN_2) as u32).max(1),
        }
    }

    fn places(&self, entry: u32) -> impl Iterator<Item = (usize, u64)> + use<> {
        let bits = self.words.len() as u64 * 64;
        let first = mix(u64::from(entry));
        let step = mix(first) | 1;
        (0..u64::from(self.hashes)).map(move |number| {
            let bit = first.wrapping_add(number.wrapping_mul(step)) % bits;
            ((bit / 64) as usize, 1 << (bit % 64))
        })
    }

    pub fn insert(&mut self, entry: u32) {
        for (word, bit) in self.places(entry) {
            self.words[word] |= bit;
        }
    }

    /// False: surely not.
    pub fn may_hold(&self, entry: u32) -> bool {
        self.places(entry).all(|(word, bit)| self.words[word] & bit != 0)
    }
}
