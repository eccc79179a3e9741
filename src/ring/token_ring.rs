//! The token ring: which nodes hold a key.
//!
//! Consistent hashing with virtual nodes (Karger et al. 1997; DeCandia et al.,
//! "Dynamo", SOSP 2007, section 4.2): every node has V random tokens; a key
//! belongs to the node of the first token at or after its own, and its replicas
//! are the next distinct nodes along the ring, in distinct zones as far as there
//! are enough of them (as Cassandra's `NetworkTopologyStrategy` places racks).
//!
//! Where ranges end and who holds them are two questions; Dynamo's section 6.2
//! answers them in three ways, see [`Partitioning`].

use crate::engine::order::{key_of_signed, places_by};
use crate::engine::random::name_hash;
use crate::engine::{Purpose, Stream};
use std::rc::Rc;

/// Most replicas of a key.
pub const REPLICAS_MAX: usize = 16;

/// How the ring is divided and dealt out: the strategies of Dynamo's section 6.2, in its order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Partitioning {
    /// So many random tokens per node; a range ends at each token.
    ByToken { tokens: u32 },
    /// So many random tokens per node, which only say who follows whom: the ring is divided into equal
    /// partitions, and each is held by the first distinct nodes after its end.
    EqualRanges { tokens: u32, partitions: u32 },
    /// Equal partitions, dealt out at random in equal numbers; each is a token of its node.
    EqualShares { partitions: u32 },
}

/// A node that is a part of the ring.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Member {
    /// Its place in the list of all nodes.
    pub node: u16,
    /// What its tokens are drawn by.
    pub tokens: u64,
    pub zone: u8,
}

/// The ring and, for each of its ranges, the replicas.
#[derive(Clone, Debug)]
pub struct TokenRing {
    /// Where ranges end, ascending.
    ends: Rc<[i64]>,
    /// All nodes' tokens, ascending, and the node of each.
    tokens: Rc<[i64]>,
    owners: Vec<u16>,
    /// Replicas of each range, `replicas` to a range.
    preference: Vec<u16>,
    replicas: usize,
}

impl TokenRing {
    /// A ring of nodes given by name and zone, with `replicas` (at most the number of nodes) per key.
    pub fn new(seed: u64, nodes: &[(&str, u8)], partitioning: Partitioning, replicas: usize) -> TokenRing {
        let member = |(node, (name, zone)): (usize, &(&str, u8))| Member {
            node: node as u16,
            tokens: name_hash(name),
            zone: *zone,
        };
        let members: Vec<Member> = nodes.iter().enumerate().map(member).collect();
        TokenRing::of(seed, &members, partitioning, replicas)
    }

    /// A ring of members in ascending order.
    pub fn of(seed: u64, members: &[Member], partitioning: Partitioning, replicas: usize) -> TokenRing {
        assert!(
            replicas <= members.len() && replicas <= REPLICAS_MAX,
            "more replicas than nodes, or than the limit"
        );
        let (ends, tokens, owners) = match partitioning {
            Partitioning::ByToken { tokens } => {
                let (tokens, owners) = random_tokens(seed, members, tokens);
                (Rc::clone(&tokens), tokens, owners)
            }
            Partitioning::EqualRanges { tokens, partitions } => {
                let (tokens, owners) = random_tokens(seed, members, tokens);
                (equal_ends(partitions), tokens, owners)
            }
            Partitioning::EqualShares { partitions } => {
                let ends = equal_ends(partitions);
                (Rc::clone(&ends), ends, dealt(seed, members, partitions))
            }
        };
        let nodes = members.last().map_or(0, |member| usize::from(member.node) + 1);
        let mut zones = vec![None; nodes];
        members.iter().for_each(|member| zones[usize::from(member.node)] = Some(member.zone));
        let first = |end: i64| tokens.partition_point(|token| *token < end);
        let preference =
            ends.iter().flat_map(|end| replicas_from(first(*end), &owners, &zones, replicas)).collect();
        TokenRing { ends, tokens, owners, preference, replicas }
    }

    /// Where ranges end.
    pub fn ends(&self) -> impl Iterator<Item = i64> + '_ {
        self.ends.iter().copied()
    }

    /// Whether something is so of the replicas of every range.
    pub fn all_ranges(&self, is_so: impl Fn(&[u16]) -> bool) -> bool {
        self.preference.chunks(self.replicas).all(is_so)
    }

    /// The nodes that hold a token's key, the first owner first.
    #[inline]
    pub fn replicas(&self, token: i64) -> &[u16] {
        let at = self.ends.partition_point(|end| *end < token);
        let range = if at == self.ends.len() { 0 } else { at };
        &self.preference[range * self.replicas..(range + 1) * self.replicas]
    }

    /// All nodes, each once, in the order in which they come after a token.
    pub fn walk(&self, token: i64) -> impl Iterator<Item = u16> + '_ {
        let first = self.tokens.partition_point(|other| *other < token);
        let owners = (0..self.owners.len()).map(move |step| self.owners[(first + step) % self.owners.len()]);
        let mut seen: Vec<u16> = Vec::new();
        owners.filter(move |node| {
            let is_new = !seen.contains(node);
            if is_new {
                seen.push(*node);
            }
            is_new
        })
    }

    /// Each range with its first replica: where it ends and how long it is, as fractions of the ring.
    pub fn ranges(&self) -> impl Iterator<Item = (u16, f64, f64)> + '_ {
        const WHOLE: f64 = 18_446_744_073_709_551_616.0;
        (0..self.ends.len()).map(|at| {
            let before = if at == 0 { self.ends.len() - 1 } else { at - 1 };
            let length = self.ends[at].wrapping_sub(self.ends[before]) as u64 as f64 / WHOLE;
            let length = if self.ends.len() == 1 { 1.0 } else { length };
            let end = (self.ends[at] as u64 ^ 1 << 63) as f64 / WHOLE;
            (self.preference[at * self.replicas], end, length)
        })
    }

    /// Share of the ring whose first replica a node is, 0 to 1.
    pub fn share(&self, node: u16) -> f64 {
        self.ranges().filter(|range| range.0 == node).map(|range| range.2).sum()
    }

    /// Of each of so many nodes: the share of the ring whose first replica it is, 0 to 1.
    pub fn shares(&self, nodes: usize) -> Vec<f64> {
        let mut shares = vec![0.0; nodes];
        self.ranges().for_each(|(node, _, length)| shares[usize::from(node)] += length);
        shares
    }

    /// Tokens of a node.
    pub fn tokens_of(&self, node: u16) -> usize {
        self.owners.iter().filter(|owner| **owner == node).count()
    }
}

/// The standard deviation of shares over their mean: 0 if all are equal.
pub fn coefficient_of_variation(shares: &[f64]) -> f64 {
    let count = shares.len() as f64;
    let mean = shares.iter().sum::<f64>() / count;
    let variance = shares.iter().map(|share| (share - mean) * (share - mean)).sum::<f64>() / count;
    variance.sqrt() / mean
}

/// Tokens that every node draws for itself, ascending, and the node of each.
fn random_tokens(seed: u64, members: &[Member], count: u32) -> (Rc<[i64]>, Vec<u16>) {
    let mut places: Vec<(i64, u16)> = Vec::new();
    for member in members {
        let mut stream = Stream::new(seed, Purpose::Token, member.tokens);
        places.extend((0..count).map(|_| (stream.next_u64() as i64, member.node)));
    }
    let order = places_by(places.len(), |at| key_of_signed(places[at].0));
    let tokens = order.iter().map(|at| places[*at as usize].0).collect();
    (tokens, order.iter().map(|at| places[*at as usize].1).collect())
}

/// Where so many equal partitions end.
fn equal_ends(partitions: u32) -> Rc<[i64]> {
    let end = |at: u32| (((u128::from(at) + 1) << 64) / u128::from(partitions) - 1) as u64;
    (0..partitions).map(|at| (end(at) ^ 1 << 63) as i64).collect()
}

/// The node of each partition: as many for each node, as far as that goes.
fn dealt(seed: u64, members: &[Member], partitions: u32) -> Vec<u16> {
    let mut stream = Stream::named(seed, Purpose::Token, "partitions");
    let mut owners: Vec<u16> = (0..partitions as usize).map(|at| members[at % members.len()].node).collect();
    for at in 1..owners.len() {
        let other = stream.below(at as u32 + 1) as usize;
        owners.swap(at, other);
    }
    owners
}

/// Walks the ring from a token: nodes of new zones first, then the others passed by.
fn replicas_from(at: usize, owners: &[u16], zones: &[Option<u8>], replicas: usize) -> Vec<u16> {
    let mut zone_exists = [false; 256];
    zones.iter().flatten().for_each(|zone| zone_exists[usize::from(*zone)] = true);
    let distinct_zones = zone_exists.iter().filter(|exists| **exists).count();
    let mut chosen: Vec<u16> = Vec::with_capacity(replicas);
    let mut passed_by: Vec<u16> = Vec::new();
    let mut zones_used: Vec<Option<u8>> = Vec::new();
    for step in 0..owners.len() {
        if chosen.len() == replicas {
            break;
        }
        let node = owners[(at + step) % owners.len()];
        if chosen.contains(&node) || passed_by.contains(&node) {
            continue;
        }
        let zone = zones[node as usize];
        if !zones_used.contains(&zone) {
            zones_used.push(zone);
            chosen.push(node);
        } else if zones_used.len() == distinct_zones {
            chosen.push(node);
        } else {
            passed_by.push(node);
            continue;
        }
        // Once every zone has one, those passed by come first, in ring order.
        if zones_used.len() == distinct_zones {
            while chosen.len() < replicas && !passed_by.is_empty() {
                chosen.push(passed_by.remove(0));
            }
        }
    }
    chosen
}
