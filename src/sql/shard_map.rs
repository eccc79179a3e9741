//! The shard map: which keys are where, under which epoch.
//!
//! A key has a place among all 32-bit numbers, by its name or by a hash of it
//! (Vitess calls it the keyspace ID), and every shard has a range of them.

use crate::engine::NodeId;
use crate::engine::order::places_by;
use crate::workload::keys::KeySpace;
use crate::workload::operation::KeyId;

/// What a key's place in the map comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sharding {
    /// Its name: neighbours by name stay together, and so do hot spots.
    ByName,
    /// A hash of its name: the load spreads, and every scan asks every shard.
    ByHash,
}

impl Sharding {
    #[inline]
    pub fn point(self, keys: &KeySpace, key: KeyId) -> u32 {
        match self {
            Sharding::ByName => keys.name_point(key),
            Sharding::ByHash => keys.hash_point(key),
        }
    }
}

/// A range of places, both ends included.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct KeyRange {
    pub from: u32,
    pub to: u32,
}

impl KeyRange {
    pub const ALL: KeyRange = KeyRange { from: 0, to: u32::MAX };

    #[inline]
    pub fn contains(self, point: u32) -> bool {
        (self.from..=self.to).contains(&point)
    }

    /// What two shards have when this range has moved from the first to the second.
    pub fn moved(
        self,
        source: Option<KeyRange>,
        target: Option<KeyRange>,
    ) -> (Option<KeyRange>, Option<KeyRange>) {
        let kept = source.filter(|own| *own != self).and_then(|own| {
            if own.from < self.from {
                Some(KeyRange { from: own.from, to: self.from - 1 })
            } else {
                self.to.checked_add(1).map(|from| KeyRange { from, to: own.to })
            }
        });
        let joined =
            target.map_or(self, |own| KeyRange { from: own.from.min(self.from), to: own.to.max(self.to) });
        (kept, Some(joined))
    }

    /// As the interface shows it: `A–M`, `K5–K9`, or `00–7f` for a range of hashes.
    pub fn label(self, sharding: Sharding) -> String {
        let (from, to) = match sharding {
            Sharding::ByName => (name_end(self.from, 0, "A"), name_end(self.to, u8::MAX, "Z")),
            Sharding::ByHash => (format!("{:02x}", self.from >> 24), format!("{:02x}", self.to >> 24)),
        };
        if from == to { from } else { format!("{from}–{to}") }
    }
}

/// The characters of a range's end without its filling; the alphabet's end if nothing else is there.
fn name_end(point: u32, filling: u8, outermost: &str) -> String {
    let bytes = point.to_be_bytes();
    let end = bytes.iter().rposition(|byte| *byte != filling).map_or(0, |last| last + 1);
    if end == 0 { outermost.to_string() } else { String::from_utf8_lossy(&bytes[..end]).into_owned() }
}

/// Place of the first, or of the last, key whose name begins so (up to four characters).
pub fn name_point(beginning: &str, filling: u8) -> u32 {
    let mut bytes = [filling; 4];
    for (place, byte) in bytes.iter_mut().zip(beginning.bytes()) {
        *place = byte;
    }
    u32::from_be_bytes(bytes)
}

/// Place where the hashes begin that are written so in hexadecimal: `80`, `a0c`; none if it is not a number.
pub fn hash_point(beginning: &str) -> Option<u32> {
    let digits = format!("{beginning:0<8}");
    (digits.len() == 8 && digits.bytes().all(|digit| digit.is_ascii_hexdigit()))
        .then(|| u32::from_str_radix(&digits, 16).ok())
        .flatten()
}

/// One shard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShardEntry {
    /// None: it stands by, without keys.
    pub range: Option<KeyRange>,
    pub proxies: Vec<NodeId>,
    pub primary: NodeId,
    /// The primary's term: raised by every promotion.
    pub epoch: u32,
    /// The version of the map in which this entry last changed: queries carry
    /// it, and a shard refuses those that were routed by an older entry.
    pub stamp: u32,
    /// False while it is known to have no primary that takes writes.
    pub serving: bool,
    /// All MySQL nodes of the shard, the first primary first.
    pub nodes: Vec<NodeId>,
}

/// A version of the map; the configuration service alone makes new ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShardMap {
    pub version: u32,
    pub sharding: Sharding,
    pub shards: Vec<ShardEntry>,
    /// Last place and number of every shard that has keys, in order.
    ends: Vec<(u32, u16)>,
}

impl ShardMap {
    /// The ranges must cover all places once.
    pub fn new(version: u32, sharding: Sharding, shards: Vec<ShardEntry>) -> ShardMap {
        let mut map = ShardMap { version, sharding, shards, ends: Vec::new() };
        map.index();
        map
    }

    /// The next version, changed by `change`; entries that it changes get its number as their stamp.
    pub fn next(&self, change: impl FnOnce(&mut [ShardEntry])) -> ShardMap {
        let mut next = self.clone();
        next.version += 1;
        change(&mut next.shards);
        for (entry, before) in next.shards.iter_mut().zip(&self.shards) {
            if entry != before {
                entry.stamp = next.version;
            }
        }
        next.index();
        next
    }

    fn index(&mut self) {
        let ranges: Vec<(u32, u16)> = self
            .shards
            .iter()
            .enumerate()
            .filter_map(|(shard, entry)| entry.range.map(|range| (range.to, shard as u16)))
            .collect();
        let order = places_by(ranges.len(), |at| ranges[at].0.into());
        self.ends = order.into_iter().map(|at| ranges[at as usize]).collect();
        let mut next = Some(0);
        for (_, shard) in &self.ends {
            let range = self.shards[usize::from(*shard)].range.expect("only shards with keys are indexed");
            assert_eq!(next, Some(range.from), "ranges cover all places once");
            next = range.to.checked_add(1);
        }
        assert_eq!(next, None, "ranges cover all places once");
    }

    /// The shard of a place.
    #[inline]
    pub fn shard_of(&self, point: u32) -> usize {
        let at = self.ends.partition_point(|(end, _)| *end < point);
        usize::from(self.ends[at].1)
    }

    /// What the interface calls a shard: its range. None while it stands by.
    pub fn label(&self, shard: usize) -> Option<String> {
        Some(self.shards[shard].range?.label(self.sharding))
    }

    /// The shards that have keys, in the order of their ranges.
    pub fn serving_shards(&self) -> impl Iterator<Item = usize> + '_ {
        self.ends.iter().map(|(_, shard)| usize::from(*shard))
    }
}
