//! What a replica remembers of the ballots for a key: single-decree Paxos, one value after another.
//!
//! Lamport, "Paxos Made Simple" (2001); as a register that is changed by a
//! proposer who has seen its value, Rystsov, "CASPaxos" (2018). Cassandra's
//! lightweight transactions (2.0 and later) are built of the same rounds.
//!
//! A version is the ballot that proposed it: a later version was proposed by
//! somebody who had seen the earlier one, if that was ever chosen.

use super::row::Row;

/// Bits of a ballot for the proposer's place among the nodes.
const PROPOSER_BITS: u32 = 10;

/// The ballot of a proposer at a time, in microseconds.
pub fn ballot(time_us: u64, proposer: u16) -> u64 {
    time_us << PROPOSER_BITS | u64::from(proposer)
}

/// When a ballot was made, in microseconds.
pub fn ballot_time_us(ballot: u64) -> u64 {
    ballot >> PROPOSER_BITS
}

/// The state of an acceptor. It is on disk before anybody hears of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Acceptor {
    /// Ballots before this one are refused.
    pub promised: u64,
    /// The value of the last ballot that was accepted, with that ballot as its version.
    pub accepted: Row,
}

impl Acceptor {
    /// Whether it takes part in a ballot from now on.
    pub fn promise(&mut self, ballot: u64) -> bool {
        let promises = ballot > self.promised;
        self.promised = self.promised.max(ballot);
        promises
    }

    /// Whether it accepts a ballot's value.
    pub fn accept(&mut self, ballot: u64, row: &Row) -> bool {
        let accepts = ballot >= self.promised;
        if accepts {
            self.promised = ballot;
            self.accepted = row.clone();
        }
        accepts
    }
}
