//! Gossip: what one node has heard of all, and what it tells another one.
//!
//! An exchange is Cassandra's (`Gossiper`: SYN, ACK, ACK2): the first sends
//! digests (who, generation, version) of all that it has heard of; the second
//! answers with the rumours that it knows better and asks for those that it knows
//! worse; the first sends these. Push leaves out the answer's rumours, pull the
//! asking (Demers et al., "Epidemic algorithms", PODC 1987, section 1.3).
//! Without deltas everything is sent each time.
//!
//! A node that hears of itself what it has not said overtakes it: it is suspected
//! and refutes, or it has restarted after its clock was set back and its new
//! generation is the smaller one. (Cassandra keeps the generation on disk for that:
//! `SystemKeyspace.incrementAndGetGeneration`.)

use super::rumour::{Rumour, Standing};
use std::rc::Rc;

/// Bytes of a digest: address 7, generation 4, version 4 (Cassandra 4.0, `GossipDigestSerializer`).
pub const DIGEST_BYTES: u32 = 15;
/// Bytes of a rumour without the node's state: a digest, and how many values follow.
pub const RUMOUR_BYTES: u32 = 19;

/// A rumour on its way.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Delta {
    pub rumour: Rumour,
    /// The state of the node comes along (tokens, zone, address): the other one has not got it.
    pub with_state: bool,
}

/// What one who sent digests has to be told and asked.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Comparison {
    pub newer: Vec<Delta>,
    /// With what is known of each.
    pub wanted: Vec<Rumour>,
}

/// What came of hearing a rumour.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Heard {
    /// It was known, or older than what is known.
    Nothing,
    News,
    /// It is about the listener, who has overtaken it.
    Overtaken,
}

/// What one node has heard of all.
#[derive(Clone, Debug)]
pub struct Gossip {
    own: u16,
    /// By node.
    heard: Vec<Rumour>,
    heard_of: usize,
}

impl Gossip {
    /// What node `own` of `nodes` in all has heard at its start: of itself alone.
    pub fn new(own: u16, nodes: usize, generation: u64) -> Gossip {
        let mut heard: Vec<Rumour> = (0..nodes).map(|node| Rumour::none(node as u16)).collect();
        heard[usize::from(own)].generation = generation.max(1);
        Gossip { own, heard, heard_of: 1 }
    }

    /// Raises the own heartbeat.
    pub fn beat(&mut self) {
        let own = &mut self.heard[usize::from(self.own)];
        own.version = own.version.saturating_add(1);
    }

    /// The newest that it heard of a node; of itself, what it says.
    #[inline]
    pub fn rumour(&self, node: u16) -> Rumour {
        self.heard[usize::from(node)]
    }

    /// Of how many nodes it has heard, itself included.
    pub fn heard_of(&self) -> usize {
        self.heard_of
    }

    /// All that it has heard, in the order of the nodes.
    pub fn rumours(&self) -> impl Iterator<Item = &Rumour> {
        self.heard.iter().filter(|rumour| !rumour.is_none())
    }

    /// What it has heard, to be compared.
    pub fn digests(&self) -> Rc<[Rumour]> {
        self.rumours().copied().collect()
    }

    /// What it has heard, with the state of everybody.
    pub fn everything(&self) -> Rc<[Delta]> {
        self.rumours().map(|rumour| Delta { rumour: *rumour, with_state: true }).collect()
    }

    /// Holds digests, in the order of the nodes, against what it has heard.
    pub fn compare(&self, digests: &[Rumour]) -> Comparison {
        let mut comparison = Comparison::default();
        let mut next = digests.iter().peekable();
        for own in &self.heard {
            while next.next_if(|digest| digest.node < own.node).is_some() {}
            let theirs =
                next.next_if(|digest| digest.node == own.node).copied().unwrap_or(Rumour::none(own.node));
            if own.is_newer_than(&theirs) {
                comparison.newer.push(delta(own, &theirs));
            } else if theirs.is_newer_than(own) {
                comparison.wanted.push(*own);
            }
        }
        comparison
    }

    /// What was asked for, as far as it is newer than what the other one has.
    pub fn answer(&self, wanted: &[Rumour]) -> Rc<[Delta]> {
        let known =
            wanted.iter().filter_map(|theirs| Some((self.heard.get(usize::from(theirs.node))?, theirs)));
        known
            .filter(|(own, theirs)| own.is_newer_than(theirs))
            .map(|(own, theirs)| delta(own, theirs))
            .collect()
    }

    /// Hears a rumour; what was newest is newest.
    pub fn hear(&mut self, rumour: Rumour) -> Heard {
        let Some(known) = self.heard.get_mut(usize::from(rumour.node)) else { return Heard::Nothing };
        if !rumour.is_newer_than(known) {
            return Heard::Nothing;
        }
        if rumour.node == self.own {
            if rumour.generation > known.generation {
                known.generation = rumour.generation.saturating_add(1);
                known.version = 0;
            } else {
                known.version = rumour.version.saturating_add(1);
            }
            return Heard::Overtaken;
        }
        self.heard_of += usize::from(known.is_none());
        *known = rumour;
        Heard::News
    }

    /// Says of another node that it is suspected or dead; the rumour, unless it is no news.
    pub fn accuse(&mut self, node: u16, standing: Standing) -> Option<Rumour> {
        let known = &mut self.heard[usize::from(node)];
        if known.is_none() || node == self.own || standing <= known.standing {
            return None;
        }
        *known = Rumour { standing, hops: 0, ..*known };
        Some(*known)
    }
}

/// Of the same generation the other one has the state already.
fn delta(own: &Rumour, theirs: &Rumour) -> Delta {
    Delta { rumour: *own, with_state: own.generation != theirs.generation }
}
