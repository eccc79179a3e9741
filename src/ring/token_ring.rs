//! The token ring: which nodes hold a key.
//!
//! Consistent hashing with virtual nodes (Karger et al. 1997; DeCandia et al.,
//! "Dynamo", SOSP 2007, section 4.2): every node has V random tokens; a key
//! belongs to the node of the first token at or after its own, and its replicas
//! are the next distinct nodes along the ring, in distinct zones as far as there
//! are enough of them (as Cassandra's `NetworkTopologyStrategy` places racks).

use crate::engine::order::{key_of_signed, places_by};
use crate::engine::random::name_hash;
use crate::engine::{Purpose, Stream};

/// Most replicas of a key.
pub const REPLICAS_MAX: usize = 16;

/// The ring and, for each of its ranges, the replicas.
#[derive(Clone, Debug)]
pub struct TokenRing {
    /// Sorted tokens.
    tokens: Vec<i64>,
    /// Owner of each token, by index of node.
    owners: Vec<u16>,
    /// Replicas of the range that ends at each token, `replicas` to a range.
    preference: Vec<u16>,
    replicas: usize,
}

impl TokenRing {
    /// A ring of nodes given by name and zone, with `virtual_nodes` tokens each
    /// and `replicas` (at most the number of nodes) per key.
    pub fn new(seed: u64, nodes: &[(&str, u8)], virtual_nodes: u32, replicas: usize) -> TokenRing {
        assert!(
            replicas <= nodes.len() && replicas <= REPLICAS_MAX,
            "more replicas than nodes, or than the limit"
        );
        let mut places: Vec<(i64, u16)> = Vec::new();
        for (index, (name, _)) in nodes.iter().enumerate() {
            let mut stream = Stream::new(seed, Purpose::Token, name_hash(name));
            places.extend((0..virtual_nodes).map(|_| (stream.next_u64() as i64, index as u16)));
        }
        let order = places_by(places.len(), |at| key_of_signed(places[at].0));
        let tokens: Vec<i64> = order.iter().map(|at| places[*at as usize].0).collect();
        let owners: Vec<u16> = order.iter().map(|at| places[*at as usize].1).collect();
        let zones: Vec<u8> = nodes.iter().map(|node| node.1).collect();
        let preference =
            (0..owners.len()).flat_map(|at| replicas_from(at, &owners, &zones, replicas)).collect();
        TokenRing { tokens, owners, preference, replicas }
    }

    /// The nodes that hold a token's key, the first owner first.
    #[inline]
    pub fn replicas(&self, token: i64) -> &[u16] {
        let at = self.tokens.partition_point(|other| *other < token);
        let range = if at == self.tokens.len() { 0 } else { at };
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

    /// Each range with its owner: where it ends and how long it is, as fractions of the ring.
    pub fn ranges(&self) -> impl Iterator<Item = (u16, f64, f64)> + '_ {
        const WHOLE: f64 = 18_446_744_073_709_551_616.0;
        (0..self.tokens.len()).map(|at| {
            let before = if at == 0 { self.tokens.len() - 1 } else { at - 1 };
            let length = self.tokens[at].wrapping_sub(self.tokens[before]) as u64 as f64 / WHOLE;
            let length = if self.tokens.len() == 1 { 1.0 } else { length };
            let end = (self.tokens[at] as u64 ^ 1 << 63) as f64 / WHOLE;
            (self.owners[at], end, length)
        })
    }

    /// Share of the ring whose first replica a node is.
    pub fn ownership(&self, node: u16) -> f64 {
        self.ranges().filter(|range| range.0 == node).map(|range| range.2).sum()
    }
}

/// Walks the ring from a token: nodes of new zones first, then the others passed by.
fn replicas_from(at: usize, owners: &[u16], zones: &[u8], replicas: usize) -> Vec<u16> {
    let mut zone_exists = [false; 256];
    zones.iter().for_each(|zone| zone_exists[usize::from(*zone)] = true);
    let distinct_zones = zone_exists.iter().filter(|exists| **exists).count();
    let mut chosen: Vec<u16> = Vec::with_capacity(replicas);
    let mut passed_by: Vec<u16> = Vec::new();
    let mut zones_used: Vec<u8> = Vec::new();
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
