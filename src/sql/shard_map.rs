//! The shard map: which range of keys is where, under which epoch.

use crate::engine::NodeId;

/// A version of the map; the configuration service alone makes new ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShardMap {
    pub version: u32,
    pub shards: Vec<ShardEntry>,
}

/// One shard: keys whose first letter is in `from..=to`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShardEntry {
    pub from: u8,
    pub to: u8,
    pub proxy: NodeId,
    pub primary: NodeId,
    /// Raised by every promotion.
    pub epoch: u32,
    /// All MySQL nodes of the shard, the first primary first.
    pub nodes: Vec<NodeId>,
}

impl ShardMap {
    /// The shard of a letter. The scenario was checked to cover all of them.
    pub fn shard_of(&self, letter: u8) -> usize {
        self.shards.iter().position(|shard| (shard.from..=shard.to).contains(&letter)).unwrap_or(0)
    }
}
