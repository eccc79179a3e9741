//! Places: how each node stands to the ring, as far as another one has heard.
//!
//! Cassandra gossips a node's status with its tokens (4.1: `ApplicationState.STATUS`,
//! `TOKENS`: bootstrapping, normal, leaving, left), and everybody makes the ring of
//! it that it acts by. A place is written by its node alone and only ever
//! replaced by a later one, so that places merge like rumours, in any order; they
//! ride on every message of gossip. With it rides what the node agrees to: up to
//! which changes of the ring it acts by, as Cassandra's nodes gossip the version of
//! their schema to wait for each other (`MigrationCoordinator.awaitSchemaRequests`).

use std::rc::Rc;

/// How a node stands to the ring. What comes after what is said in [`view`](super::view).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    /// No part of the ring: a spare, or one that has left.
    Out,
    /// It will be a part: writes go to it too, and it gets what is there already.
    Joining,
    /// It answers reads; those whose ranges it takes are written to still.
    TakingOver,
    /// A part of the ring.
    In,
    /// It will be no part: writes go to those who take its ranges too.
    Leaving,
    /// Those who take its ranges answer reads; it is written to still.
    HandingOver,
}

impl Step {
    /// Whether reads go by the ring as it will be.
    pub fn is_second(self) -> bool {
        matches!(self, Step::TakingOver | Step::HandingOver)
    }

    /// Whether it is on its way into the ring or out of it.
    pub fn is_under_way(self) -> bool {
        !matches!(self, Step::Out | Step::In)
    }

    /// Whether it is a part of the ring before the change is done.
    pub fn is_member(self) -> bool {
        matches!(self, Step::In | Step::Leaving | Step::HandingOver)
    }
}

/// What an operator asks a node for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Move {
    Join,
    Leave,
    Replace,
}

/// How that ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MoveEnd {
    Done,
    GivenUp,
    /// It could not begin.
    Refused,
}

/// What is said to a node from outside.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RingAdmin {
    Join,
    Leave,
    /// In the place of a dead one.
    Replace {
        dead: u16,
    },
    /// Gives it up, as far as that can be.
    GiveUp,
}

/// What is said of one node's place.
#[derive(Clone, PartialEq, Debug)]
pub struct Place {
    /// How often the node has changed it: the later is the newer.
    pub count: u32,
    /// When the last change of the ring was asked for, among all: later ones have a higher number.
    pub order: u32,
    pub step: Step,
    /// What its tokens are drawn by.
    pub tokens: u64,
    /// Whose tokens it takes over, if it joins in the place of another one.
    pub replaces: Option<u16>,
    /// Whom it has replaced, and in which order. Who comes back is no part of the ring any more.
    pub displaced: Option<Rc<Vec<(u16, u32)>>>,
    /// How often the node has changed what follows.
    pub notes: u32,
    /// It acts by the ring as of so many changes, and has them on its disk.
    pub agreed: u32,
    /// The change of which it has got all that it takes.
    pub received: u64,
}

impl Place {
    /// What is under way, if anything is.
    pub fn under_way(&self) -> Option<Move> {
        match (self.step, self.replaces) {
            (Step::Joining | Step::TakingOver, None) => Some(Move::Join),
            (Step::Joining | Step::TakingOver, Some(_)) => Some(Move::Replace),
            (Step::Leaving | Step::HandingOver, _) => Some(Move::Leave),
            (Step::Out | Step::In, _) => None,
        }
    }

    /// Of a node that stands so when the run begins.
    pub fn first(step: Step, tokens: u64) -> Place {
        Place {
            count: 0,
            order: 0,
            step,
            tokens,
            replaces: None,
            displaced: None,
            notes: 0,
            agreed: 0,
            received: 0,
        }
    }
}

/// Of every node that has a machine, by its place in the list of nodes. Equal ones are shared.
pub type Places = Rc<[Place]>;

/// Bytes of a place on the wire: a digest, and a status in short. (Tokens come along once for each change of
/// the ring; they are not counted again.)
pub const PLACE_BYTES: u32 = 27;

/// Changes of the ring that are known: what is newer has more.
pub fn number(places: &[Place]) -> u32 {
    places.iter().map(|place| place.count).sum()
}

/// Takes in what another node has heard. Of node `own` only that it has forgotten something.
pub fn merge(known: &mut Places, heard: &Places, own: u16) {
    let is_newer = |(known, heard): (&Place, &Place)| heard.count > known.count || heard.notes > known.notes;
    if Rc::ptr_eq(known, heard) || known.len() != heard.len() || !known.iter().zip(heard.iter()).any(is_newer)
    {
        return;
    }
    let mut is_theirs = true;
    let merged: Vec<Place> = known
        .iter()
        .zip(heard.iter())
        .enumerate()
        .map(|(node, (known, heard))| {
            let mut place = if heard.count > known.count { heard.clone() } else { known.clone() };
            let notes = if heard.notes > known.notes { heard } else { known };
            (place.notes, place.agreed, place.received) = (notes.notes, notes.agreed, notes.received);
            if node == usize::from(own) && heard.notes > known.notes {
                // Its disk was lost: it has not got what it once had.
                (place.notes, place.agreed, place.received) = (heard.notes + 1, known.agreed, known.received);
            }
            is_theirs &= place == *heard;
            place
        })
        .collect();
    *known = if is_theirs { Rc::clone(heard) } else { merged.into() };
}
