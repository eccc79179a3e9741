//! Views: the ring that a node acts by, made of the places that it has heard of.
//!
//! One change of the ring at a time, the one that was asked for first; others wait.
//! It goes in steps, and who is one step behind must not be harmed by who is ahead:
//!
//! ```text
//!             reads      writes
//! before      old        old            any node may not have heard of the change yet
//! first step  old        old and new    ranges are streamed once all act by it
//! second      new        old and new    once all is there
//! after       new        new            once all act by the second step
//! ```
//!
//! Any R of the old replicas meet any write of the first three rows, any R of the new ones any
//! write of the last three: a write needs as many acknowledgements more as there
//! are replicas more. Cassandra up to 5.0 goes from the first step to
//! the end in one (`TokenMetadata.calculatePendingRanges`), and a read by the old ring can
//! miss a write by the new one; the order here is that of CEP-21 (Cassandra 5.1:
//! `StartJoin`, `MidJoin`, `FinishJoin`).

use super::place::{Place, Places, number};
use super::token_ring::{Member, Partitioning, REPLICAS_MAX, TokenRing};
use crate::engine::random::mix;
use crate::workload::client::{Owners, Topology};
use crate::workload::keys::KeySpace;
use crate::workload::operation::KeyId;
use std::cell::RefCell;
use std::ops::Deref;
use std::rc::Rc;

/// Views and rings that are remembered, so that nodes that have heard the same share them.
const REMEMBERED: usize = 16;

/// The replicas of a key that a write goes to; those that are more than usual stand last.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Replicas {
    nodes: [u16; REPLICAS_MAX],
    count: u8,
    pending: u8,
}

impl Replicas {
    /// `more` of those who are not replicas anyway, as far as there is room.
    fn new(nodes: &[u16], more: &[u16]) -> Replicas {
        let mut replicas = Replicas { nodes: [0; REPLICAS_MAX], count: 0, pending: 0 };
        let others = more.iter().filter(|node| !nodes.contains(node));
        for (place, node) in nodes.iter().chain(others).take(REPLICAS_MAX).enumerate() {
            replicas.nodes[place] = *node;
            replicas.count += 1;
            replicas.pending += u8::from(place >= nodes.len());
        }
        replicas
    }

    /// Those that are more than usual, as bits by place.
    pub fn pending(&self) -> u16 {
        let all = (1_u32 << self.count) - 1;
        (all & !((1_u32 << (self.count - self.pending)) - 1)) as u16
    }
}

impl Deref for Replicas {
    type Target = [u16];

    fn deref(&self) -> &[u16] {
        &self.nodes[..usize::from(self.count)]
    }
}

/// A change of the ring that is under way.
#[derive(Debug)]
pub struct Change {
    /// Names this change of this ring.
    pub id: u64,
    /// Who joins or leaves.
    pub mover: u16,
    /// The ring as it will be.
    pub next: Rc<TokenRing>,
    /// Reads go by it already.
    pub is_second: bool,
    /// Who takes ranges.
    pub gainers: Vec<u16>,
}

/// The ring that a node acts by.
#[derive(Debug)]
pub struct View {
    /// Changes that it comprises: a later one has more.
    pub number: u32,
    places: Places,
    pub current: Rc<TokenRing>,
    pub change: Option<Change>,
}

impl View {
    /// The ring by which reads go.
    pub fn ring(&self) -> &TokenRing {
        match &self.change {
            Some(change) if change.is_second => &change.next,
            _ => &self.current,
        }
    }

    /// Who answers reads of a token.
    pub fn readers(&self, token: i64) -> Replicas {
        Replicas::new(self.ring().replicas(token), &[])
    }

    /// Whom a write of a token goes to.
    pub fn writers(&self, token: i64) -> Replicas {
        let ring = self.ring();
        let more = match &self.change {
            Some(change) if change.is_second => self.current.replicas(token),
            Some(change) => change.next.replicas(token),
            None => &[],
        };
        Replicas::new(ring.replicas(token), more)
    }

    /// Whose place as replica of a token a node takes; none if it takes none.
    pub fn taken_from(&self, token: i64, node: u16) -> Option<u16> {
        let change = self.change.as_ref()?;
        let (old, new) = (self.current.replicas(token), change.next.replicas(token));
        let place = new.iter().filter(|new| !old.contains(new)).position(|new| *new == node)?;
        old.iter().filter(|old| !new.contains(old)).nth(place).copied()
    }

    /// Whether a node is a part of the ring.
    pub fn is_member(&self, node: u16) -> bool {
        is_member(&self.places, node)
    }

    /// Nodes that are a part of the ring.
    pub fn members(&self) -> usize {
        (0..self.places.len()).filter(|node| self.is_member(*node as u16)).count()
    }

    /// Whom clients ask by it, for keys of their owners or for any.
    pub fn topology(&self, keys: &KeySpace, token_aware: bool) -> Topology {
        let asked = (0..self.places.len() as u16).filter(|node| self.is_member(*node)).collect();
        let ring = self.ring();
        let owners = token_aware.then(|| {
            let of_key = |key| ring.replicas(keys.token(key)).iter().copied();
            let owners: Vec<u16> = (0..keys.len() as KeyId).flat_map(of_key).collect();
            let per_key = owners.len() / keys.len().max(1);
            Owners::new(owners, per_key)
        });
        Topology { number: self.number, asked, owners }
    }

    /// What a node's place was then.
    pub fn place(&self, node: u16) -> &Place {
        &self.places[usize::from(node)]
    }
}

fn is_member(places: &[Place], node: u16) -> bool {
    let own = &places[usize::from(node)];
    let displaces = |place: &Place| {
        let mut displaced = place.displaced.iter().flat_map(|displaced| displaced.iter());
        displaced.any(|(other, order)| *other == node && *order > own.order)
    };
    own.step.is_member() && !places.iter().any(displaces)
}

/// Makes views of places: the same of the same, whoever asks.
pub struct Atlas {
    pub seed: u64,
    /// Zones of all nodes.
    pub zones: Vec<u8>,
    pub partitioning: Partitioning,
    /// Replicas of a key.
    pub replicas: usize,
    /// As all know them when the run begins.
    pub first: Places,
    views: RefCell<Vec<Rc<View>>>,
    rings: RefCell<Vec<(Vec<Member>, Rc<TokenRing>)>>,
}

impl Atlas {
    pub fn new(
        seed: u64,
        zones: Vec<u8>,
        partitioning: Partitioning,
        replicas: usize,
        first: Places,
    ) -> Atlas {
        let (views, rings) = (RefCell::default(), RefCell::default());
        Atlas { seed, zones, partitioning, replicas, first, views, rings }
    }

    /// The places at the start.
    pub fn first(&self) -> &Places {
        &self.first
    }

    fn ring(&self, members: Vec<Member>) -> Rc<TokenRing> {
        let known =
            self.rings.borrow().iter().find(|(other, _)| *other == members).map(|(_, ring)| Rc::clone(ring));
        known.unwrap_or_else(|| {
            let ring = Rc::new(TokenRing::of(self.seed, &members, self.partitioning, self.replicas));
            remember(&mut self.rings.borrow_mut(), (members, Rc::clone(&ring)));
            ring
        })
    }

    /// The ring that follows from places.
    pub fn view(&self, places: &Places) -> Rc<View> {
        let same = |view: &&Rc<View>| {
            let mut both = view.places.iter().zip(places.iter());
            Rc::ptr_eq(&view.places, places) || both.all(|(one, other)| one.count == other.count)
        };
        let known = self.views.borrow().iter().find(same).map(Rc::clone);
        known.unwrap_or_else(|| {
            let view = Rc::new(self.make(places));
            remember(&mut self.views.borrow_mut(), Rc::clone(&view));
            view
        })
    }

    fn make(&self, places: &Places) -> View {
        let nodes = 0..places.len() as u16;
        let member = |node: u16, tokens: u64| Member { node, tokens, zone: self.zones[usize::from(node)] };
        let members: Vec<Member> = nodes
            .clone()
            .filter(|node| is_member(places, *node))
            .map(|node| member(node, places[usize::from(node)].tokens))
            .collect();
        let current = self.ring(members.clone());
        // Of those who are under way: who is a step ahead, then who asked first.
        let mut under_way: Option<(bool, u32, u16, Vec<Member>)> = None;
        for mover in nodes {
            let place = &places[usize::from(mover)];
            let is_in = is_member(places, mover);
            let replaced = place.replaces.filter(|_| !is_in);
            if !place.step.is_under_way() || replaced.is_some_and(|other| !is_member(places, other)) {
                continue;
            }
            let mut next = members.clone();
            next.retain(|member| member.node != mover && Some(member.node) != replaced);
            if !place.step.is_member() {
                let at = next.partition_point(|member| member.node < mover);
                next.insert(at, member(mover, place.tokens));
            } else if !is_in {
                continue;
            }
            if next.len() < self.replicas {
                continue;
            }
            let key = (!place.step.is_second(), place.order, mover);
            if under_way.as_ref().is_none_or(|(first, order, node, _)| key < (*first, *order, *node)) {
                under_way = Some((key.0, key.1, key.2, next));
            }
        }
        let change = under_way.map(|(is_first, order, mover, next)| {
            let next = self.ring(next);
            let id = members.iter().fold(u64::from(order) << 16 | u64::from(mover), |id, member| {
                mix(id ^ mix(u64::from(member.node) ^ member.tokens))
            });
            let mut gainers: Vec<u16> = Vec::new();
            for token in current.ends().chain(next.ends()) {
                let (old, new) = (current.replicas(token), next.replicas(token));
                for node in new.iter().filter(|node| !old.contains(node)) {
                    if !gainers.contains(node) {
                        gainers.push(*node);
                    }
                }
            }
            Change { id, mover, next, is_second: !is_first, gainers }
        });
        View { number: number(places), places: Rc::clone(places), current, change }
    }
}

fn remember<T>(list: &mut Vec<T>, entry: T) {
    if list.len() == REMEMBERED {
        list.remove(0);
    }
    list.push(entry);
}
