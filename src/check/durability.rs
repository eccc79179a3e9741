//! Lost acknowledged writes of a SQL cluster, from acknowledgements and promotions.
//!
//! An acknowledged write has the position of its transaction. When a node is
//! promoted, its history ends at a base: transactions of older epochs beyond it
//! are not part of the shard's history any more. Acknowledged ones among them
//! are lost, and so are those that an old primary goes on acknowledging. What was
//! acknowledged of keys that moved to another shard is not looked for there.

use crate::engine::{NodeId, PagedLog, PagedVec};
use crate::sql::binlog::Position;
use crate::workload::operation::KeyId;

/// Acknowledged positions remembered per shard, newest; older ones are taken to be replicated.
const POSITIONS_MAX: usize = 1 << 20;

#[derive(Clone)]
struct ShardLedger {
    acknowledged: PagedLog<(u64, KeyId)>,
    /// Epochs in the order in which they began, with the base of each.
    epochs: Vec<(u32, u64)>,
}

/// A transaction that a returning server alone had, and dropped for a copy of another history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Errant {
    pub node: NodeId,
    pub shard: u8,
    pub position: Position,
    pub key: KeyId,
    /// Whether a client had been told that it was done: then it is a lost write too.
    pub acknowledged: bool,
}

/// Errant transactions kept aside, the first ones.
const ERRANT_MAX: usize = 10_000;

/// What every shard has promised and where its epochs begin.
#[derive(Clone, Default)]
pub struct PromotionLedger {
    shards: Vec<ShardLedger>,
    /// Who dropped it, of which shard, its version, its key.
    errant: PagedVec<(NodeId, u8, u64, KeyId)>,
}

impl PromotionLedger {
    pub fn new(shards: usize) -> PromotionLedger {
        let ledger =
            ShardLedger { acknowledged: PagedLog::starting_at(0, POSITIONS_MAX), epochs: Vec::new() };
        PromotionLedger { shards: vec![ledger; shards], errant: PagedVec::default() }
    }

    /// Keeps an errant transaction aside.
    pub fn errant(&mut self, node: NodeId, shard: u8, version: u64, key: KeyId) {
        if self.errant.len() < ERRANT_MAX {
            self.errant.push((node, shard, version, key));
        }
    }

    /// The errant transactions that were kept aside, as they were found.
    pub fn errant_transactions(&self) -> impl Iterator<Item = Errant> + '_ {
        self.errant.iter().map(|(node, shard, version, key)| {
            let mut told = self.shards[usize::from(*shard)].acknowledged.iter();
            Errant {
                node: *node,
                shard: *shard,
                position: Position::of_version(*version),
                key: *key,
                acknowledged: told.any(|(other, _)| other == version),
            }
        })
    }

    /// An acknowledged write; returns true if it is lost already: its epoch has
    /// ended, and it lies beyond where the next one began.
    pub fn acknowledged(&mut self, shard: usize, version: u64, key: KeyId) -> bool {
        let ledger = &mut self.shards[shard];
        ledger.acknowledged.push((version, key));
        let position = Position::of_version(version);
        let next = ledger.epochs.iter().find(|(epoch, _)| *epoch > position.epoch);
        next.is_some_and(|(_, base)| position.sequence > *base)
    }

    /// Some keys are another shard's from now on, with all that was acknowledged of them: a failover of the
    /// shard that had them loses nothing of theirs any more.
    pub fn moved(&mut self, source: usize, moves: impl Fn(KeyId) -> bool) {
        let ledger = &mut self.shards[source];
        let mut kept = PagedLog::starting_at(0, POSITIONS_MAX);
        for entry in ledger.acknowledged.iter().filter(|(_, key)| !moves(*key)) {
            kept.push(*entry);
        }
        ledger.acknowledged = kept;
    }

    /// A promotion; returns how many acknowledged writes it loses.
    pub fn promoted(&mut self, shard: usize, epoch: u32, base: u64) -> u64 {
        let ledger = &mut self.shards[shard];
        let lost = ledger
            .acknowledged
            .iter()
            .map(|(version, _)| Position::of_version(*version))
            .filter(|position| position.epoch < epoch && position.sequence > base)
            // Those beyond an earlier epoch's base were counted then.
            .filter(|position| {
                let next = ledger.epochs.iter().find(|(later, _)| *later > position.epoch);
                next.is_none_or(|(_, earlier_base)| position.sequence <= *earlier_base)
            })
            .count() as u64;
        ledger.epochs.push((epoch, base));
        lost
    }
}
