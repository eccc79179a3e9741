//! A row that counts: how many, up to where, and by which code.
//!
//! Three columns in one number, so that of two tallies the greater one is the later one: first the
//! version of the code that counted, then the count, then the last offset of the log that is in it.
//! Counting the same log again by the same code gives the same tallies: to write the greater one
//! (`UPDATE … SET … WHERE tally < ?`, or a write with its own time stamp) is idempotent.

/// Bits of the offset, and of the count.
const LAST_BITS: u32 = 28;
const COUNT_BITS: u32 = 30;

/// Highest offset and count that a row takes.
pub const LAST_MAX: u64 = (1 << LAST_BITS) - 1;
pub const COUNT_MAX: u64 = (1 << COUNT_BITS) - 1;
pub const CODE_MAX: u64 = (1 << (64 - LAST_BITS - COUNT_BITS)) - 1;

/// A count with its provenance, as a row has it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Tally(pub u64);

impl Tally {
    /// # Panics
    /// If a part is beyond its bits; a run is too short for that.
    pub fn new(code: u64, count: u64, last: u64) -> Tally {
        assert!(code <= CODE_MAX && count <= COUNT_MAX && last <= LAST_MAX, "a tally out of bounds");
        Tally(code << (LAST_BITS + COUNT_BITS) | count << LAST_BITS | last)
    }

    /// Version of the code that counted.
    pub fn code(self) -> u64 {
        self.0 >> (LAST_BITS + COUNT_BITS)
    }

    pub fn count(self) -> u64 {
        self.0 >> LAST_BITS & COUNT_MAX
    }

    /// Offset of the last event that is in it.
    pub fn last(self) -> u64 {
        self.0 & LAST_MAX
    }

    /// With another one's count added.
    pub fn plus(self, other: Tally) -> Tally {
        let count = (self.count() + other.count()).min(COUNT_MAX);
        Tally::new(self.code().max(other.code()), count, self.last().max(other.last()))
    }
}
