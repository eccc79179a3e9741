//! Gossip: who is there, by rumour.
//!
//! Each node knows at most three neighbours. Every round it raises its own
//! heartbeat and exchanges what it has heard with one of them (push-pull, as
//! Cassandra's SYN and ACK): it sends the heartbeats that it knows, the other
//! one takes over what is newer and answers with what it knows better. A
//! heartbeat is a generation (new at every start) and a version.
//!
//! Simplified: all that is gossiped is the heartbeat; the set of members is
//! known from the start.

use super::failure_detector::Suspicion;
use crate::engine::{SimDuration, SimTime};
use std::rc::Rc;

/// What is said of one node.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Heartbeat {
    /// When the node started, by its own wall clock in milliseconds; 0: never heard of.
    pub generation: u64,
    pub version: u32,
}

/// Bytes of one heartbeat on the wire: node, generation, version.
pub const HEARTBEAT_BYTES: u32 = 16;

/// A heartbeat and whose it is.
pub type Digest = (u16, Heartbeat);

#[derive(Clone, Copy, Debug)]
struct Peer {
    heartbeat: Heartbeat,
    suspicion: Suspicion,
    believed_alive: bool,
}

/// What one node has heard of all the others.
#[derive(Clone, Debug)]
pub struct Gossip {
    own: u16,
    peers: Vec<Peer>,
}

/// A change of mind.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Verdict {
    pub peer: u16,
    pub alive: bool,
}

impl Gossip {
    /// The view of node `own` of `nodes` in all: everybody is believed alive, and
    /// news is expected every `expected`.
    pub fn new(own: u16, nodes: usize, now: SimTime, expected: SimDuration, generation: u64) -> Gossip {
        let unknown = Peer {
            heartbeat: Heartbeat::default(),
            suspicion: Suspicion::new(now, expected),
            believed_alive: true,
        };
        let mut peers = vec![unknown; nodes];
        if let Some(me) = peers.get_mut(own as usize) {
            me.heartbeat = Heartbeat { generation, version: 0 };
        }
        Gossip { own, peers }
    }

    /// Raises the own heartbeat, as every round does.
    pub fn beat(&mut self) {
        self.peers[self.own as usize].heartbeat.version += 1;
    }

    /// All heartbeats that it knows.
    pub fn digests(&self) -> Rc<[Digest]> {
        self.peers
            .iter()
            .enumerate()
            .filter(|(_, peer)| peer.heartbeat.generation > 0)
            .map(|(node, peer)| (node as u16, peer.heartbeat))
            .collect()
    }

    /// What it knows better than the sender of these.
    pub fn newer_than(&self, digests: &[Digest]) -> Rc<[Digest]> {
        let mut theirs = vec![Heartbeat::default(); self.peers.len()];
        for (node, heartbeat) in digests {
            if let Some(place) = theirs.get_mut(*node as usize) {
                *place = *heartbeat;
            }
        }
        self.peers
            .iter()
            .enumerate()
            .filter(|(node, peer)| peer.heartbeat > theirs[*node])
            .map(|(node, peer)| (node as u16, peer.heartbeat))
            .collect()
    }

    /// Takes over what is newer, and says who is believed alive again because of it.
    pub fn merge(&mut self, digests: &[Digest], now: SimTime, returned: &mut Vec<Verdict>) {
        for (node, heartbeat) in digests {
            if *node == self.own {
                continue;
            }
            let Some(peer) = self.peers.get_mut(*node as usize) else {
                continue;
            };
            if *heartbeat > peer.heartbeat {
                peer.heartbeat = *heartbeat;
                if peer.believed_alive {
                    peer.suspicion.heard(now);
                } else {
                    peer.suspicion.returned(now);
                    peer.believed_alive = true;
                    returned.push(Verdict { peer: *node, alive: true });
                }
            }
        }
    }

    /// Looks at everybody's suspicion, and says who is believed dead from now on.
    pub fn convict(&mut self, now: SimTime, threshold: f64, convicted: &mut Vec<Verdict>) {
        for (node, peer) in self.peers.iter_mut().enumerate() {
            if node as u16 != self.own && peer.believed_alive && peer.suspicion.phi(now) > threshold {
                peer.believed_alive = false;
                convicted.push(Verdict { peer: node as u16, alive: false });
            }
        }
    }

    #[inline]
    pub fn believes_alive(&self, node: u16) -> bool {
        self.peers[node as usize].believed_alive
    }

    /// How much it suspects a peer now.
    pub fn phi(&self, node: u16, now: SimTime) -> f64 {
        if node == self.own { 0.0 } else { self.peers[node as usize].suspicion.phi(now) }
    }

    pub fn heartbeat(&self, node: u16) -> Heartbeat {
        self.peers[node as usize].heartbeat
    }

    /// Whom it believes dead.
    pub fn believed_dead(&self) -> impl Iterator<Item = u16> + '_ {
        self.peers.iter().enumerate().filter(|(_, peer)| !peer.believed_alive).map(|(node, _)| node as u16)
    }
}

/// Who knows whom: the two beside each node in a ring of all, and one across it
/// where `limit` is 3. Everybody has at most `limit` neighbours, knowing is
/// mutual, and the overlay is connected.
pub fn neighbours(nodes: usize, limit: usize) -> Vec<Vec<u16>> {
    let mut known = vec![Vec::new(); nodes];
    let mut know = |a: usize, b: usize| {
        if a != b && !known[a].contains(&(b as u16)) && known[a].len() < limit && known[b].len() < limit {
            known[a].push(b as u16);
            known[b].push(a as u16);
        }
    };
    if limit == 1 {
        // Pairs; more than two nodes cannot all be connected.
        (0..nodes / 2).for_each(|pair| know(2 * pair, 2 * pair + 1));
        return known;
    }
    (0..nodes).for_each(|node| know(node, (node + 1) % nodes));
    if nodes > 3 {
        (0..nodes / 2).for_each(|node| know(node, node + nodes / 2));
    }
    known
}
