//! The trace hash: a running hash over everything that happened.
//!
//! Every event that a node handles, every message that arrives, is lost, stopped
//! or turned away, every fault and every output of a process is folded in, with
//! its time; of a message its kind and its nodes, not what it says. Two runs with
//! the same hash did the same things in the same order. It is a fingerprint for
//! reproduction, not a defence against forgery.

use super::time::SimTime;

/// What kind of thing is folded into the hash.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u64)]
pub enum TraceKind {
    Start = 1,
    Arrive,
    Serve,
    Timer,
    Work,
    Disk,
    Shed,
    Lost,
    Stopped,
    Duplicated,
    Broken,
    Output,
    FaultBegins,
    FaultLifts,
    Control,
    PowerOff,
    PowerOn,
}

/// The running hash and the number of things in it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Trace {
    hash: u64,
    entries: u64,
}

impl Default for Trace {
    fn default() -> Self {
        Trace { hash: 0xcbf2_9ce4_8422_2325, entries: 0 }
    }
}

impl Trace {
    /// Folds one thing in: its time, kind, the node it happened to, and a word about it.
    #[inline(always)]
    pub fn fold(&mut self, now: SimTime, kind: TraceKind, node: u32, word: u64) {
        self.entries += 1;
        self.word(now.0);
        self.word((kind as u64) << 32 | u64::from(node));
        self.word(word);
    }

    /// Folds one more word of the same thing.
    #[inline(always)]
    pub fn word(&mut self, word: u64) {
        // Multiply and xor-shift: odd multiplier of FxHash, 64-bit arithmetic
        // only, which WebAssembly has too (128-bit products it has not).
        let mixed = (self.hash ^ word).wrapping_mul(0x517c_c1b7_2722_0a95);
        self.hash = mixed ^ (mixed >> 29);
    }

    pub fn hash(&self) -> u64 {
        self.hash
    }

    /// How many things were folded in.
    pub fn entries(&self) -> u64 {
        self.entries
    }
}
