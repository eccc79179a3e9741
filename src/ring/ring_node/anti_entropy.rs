//! Anti-entropy: replicas compare what they have by Merkle trees, and exchange what differs.
//!
//! Dynamo (SOSP 2007, section 4.7) and Cassandra's full repair (4.1): at an interval
//! a node asks one replica with which it shares keys for a tree of hashes over
//! them; both build theirs, which takes core time for every key; the leaves that
//! differ are exchanged, and each merges what it gets.
//!
//! ```text
//! TreeRequest ─► both hash their keys ─► Tree ─► leaves that differ: Sync, rows both ways
//! ```
//!
//! Simplified: one tree for all keys that two nodes share, sent as its leaves; a
//! session at a time.

use super::RingNode;
use crate::engine::random::mix;
use crate::engine::{Context, NodeId, SimDuration};
use crate::ring::message::{RingEvent, RingHost, RingMessage, RingTimer, RingToken};
use crate::ring::row::Row;
use crate::workload::operation::KeyId;
use std::rc::Rc;

/// A session that got no answer is given up after this.
const SESSION_MAX: SimDuration = SimDuration::from_ms(30_000);

/// A comparison with one peer.
#[derive(Clone)]
pub(super) struct Session {
    peer: NodeId,
    begun: SimDuration,
    /// The own leaves, once they are hashed, and the peer's.
    own: Option<Rc<Vec<u64>>>,
    theirs: Option<Rc<Vec<u64>>>,
}

impl RingNode {
    pub(super) fn arm_anti_entropy<P: RingHost>(&mut self, ctx: &mut Context<P>) {
        if let Some(anti_entropy) = &self.settings.anti_entropy {
            ctx.set_timer(anti_entropy.interval, RingTimer::AntiEntropy);
        }
    }

    /// Begins a session with the next replica that is believed alive.
    pub(super) fn begin_anti_entropy<P: RingHost>(&mut self, ctx: &mut Context<P>) {
        self.arm_anti_entropy(ctx);
        let now = SimDuration(ctx.monotonic().0);
        if self.session.as_ref().is_some_and(|session| now.0 - session.begun.0 < SESSION_MAX.0) {
            return;
        }
        self.session = None;
        let nodes = self.settings.nodes.len();
        let others = (1..nodes).map(|step| ((usize::from(self.compared_last) + step) % nodes) as u16);
        let next = others.filter(|node| *node != self.index && self.gossip.believes_alive(*node));
        let Some(peer) = next.clone().find(|node| self.shares_keys_with(*node)) else {
            return;
        };
        self.compared_last = peer;
        let peer = self.settings.nodes[usize::from(peer)];
        self.session = Some(Session { peer, begun: now, own: None, theirs: None });
        ctx.send(peer, RingMessage::TreeRequest);
        self.build_tree(peer, ctx);
    }

    fn shares_keys_with(&self, node: u16) -> bool {
        (0..self.settings.keys.len() as KeyId).any(|key| self.is_shared(key, node))
    }

    /// Whether both are replicas of a key.
    fn is_shared(&self, key: KeyId, node: u16) -> bool {
        let replicas = self.view.writers(self.settings.keys.token(key));
        replicas.contains(&self.index) && replicas.contains(&node)
    }

    /// Lets a core read and hash what is shared with a peer.
    fn build_tree<P: RingHost>(&mut self, peer: NodeId, ctx: &mut Context<P>) {
        let (Some(node), Some(anti_entropy)) = (self.member(peer), &self.settings.anti_entropy) else {
            return;
        };
        let each = anti_entropy.key_service.sample(ctx.random());
        let keys = (0..self.settings.keys.len() as KeyId).filter(|key| self.is_shared(*key, node)).count();
        ctx.submit_work(SimDuration(each.0 * keys as u64), RingToken::TreeBuilt { peer });
    }

    pub fn on_tree_request<P: RingHost>(&mut self, from: NodeId, ctx: &mut Context<P>) {
        self.build_tree(from, ctx);
    }

    /// A leaf of the tree for each part of the ring.
    fn leaves(&self, peer: u16, depth: u32) -> Rc<Vec<u64>> {
        let mut leaves = vec![0; 1 << depth];
        for key in 0..self.settings.keys.len() as KeyId {
            let row = self.row(key);
            if !row.is_empty() && self.is_shared(key, peer) {
                let leaf = self.leaf_of(key, depth);
                // The order of keys in a leaf does not matter.
                leaves[leaf] ^= mix(u64::from(key) ^ row.hash());
            }
        }
        Rc::new(leaves)
    }

    fn leaf_of(&self, key: KeyId, depth: u32) -> usize {
        ((self.settings.keys.token(key) as u64 ^ 1 << 63) >> (64 - depth)) as usize
    }

    pub(super) fn tree_built<P: RingHost>(&mut self, peer: NodeId, ctx: &mut Context<P>) {
        let (Some(node), Some(anti_entropy)) = (self.member(peer), &self.settings.anti_entropy) else {
            return;
        };
        let leaves = self.leaves(node, anti_entropy.depth);
        match self.session.as_mut().filter(|session| session.peer == peer && session.own.is_none()) {
            Some(session) => {
                session.own = Some(leaves);
                self.compare_trees(ctx);
            }
            None => ctx.send(peer, RingMessage::Tree { leaves }),
        }
    }

    pub fn on_tree<P: RingHost>(&mut self, from: NodeId, leaves: Rc<Vec<u64>>, ctx: &mut Context<P>) {
        if let Some(session) = self.session.as_mut().filter(|session| session.peer == from) {
            session.theirs = Some(leaves);
            self.compare_trees(ctx);
        }
    }

    fn compare_trees<P: RingHost>(&mut self, ctx: &mut Context<P>) {
        let Some(Session { peer, own: Some(own), theirs: Some(theirs), .. }) = self.session.clone() else {
            return;
        };
        self.session = None;
        let differing: Vec<u32> = own
            .iter()
            .zip(theirs.iter())
            .enumerate()
            .filter(|(_, (own, theirs))| own != theirs)
            .map(|(leaf, _)| leaf as u32)
            .collect();
        if !differing.is_empty() {
            let rows = self.rows_of(peer, &differing);
            ctx.output(RingEvent::TreesDiffered { node: ctx.id(), peer, leaves: differing.len() as u32 });
            ctx.send(peer, RingMessage::Sync { leaves: Some(Rc::new(differing)), rows });
        }
    }

    /// What it has in some leaves of the tree that it shares with a peer.
    fn rows_of(&self, peer: NodeId, leaves: &[u32]) -> Rc<Vec<(KeyId, Row)>> {
        let (Some(node), Some(anti_entropy)) = (self.member(peer), &self.settings.anti_entropy) else {
            return Rc::default();
        };
        let is_in =
            |key: KeyId| leaves.binary_search(&(self.leaf_of(key, anti_entropy.depth) as u32)).is_ok();
        let keys =
            (0..self.settings.keys.len() as KeyId).filter(|key| is_in(*key) && self.is_shared(*key, node));
        Rc::new(keys.map(|key| (key, self.row(key))).filter(|(_, row)| !row.is_empty()).collect())
    }

    /// Rows that a peer has; with leaves, it wants what is here of them.
    pub fn on_sync<P: RingHost>(
        &mut self,
        from: NodeId,
        leaves: Option<Rc<Vec<u32>>>,
        rows: &[(KeyId, Row)],
        ctx: &mut Context<P>,
    ) {
        let own = leaves.map(|leaves| self.rows_of(from, &leaves));
        for (key, row) in rows {
            if self.row(*key).lacks(row) {
                self.store(*key, row, ctx);
            }
        }
        if let Some(rows) = own {
            ctx.send(from, RingMessage::Sync { leaves: None, rows });
        }
    }
}
