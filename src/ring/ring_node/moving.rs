//! A ring node that hears of changes of the ring, and one that joins, leaves or replaces another one.
//!
//! The node that is moved drives its change: it says so ([`place`](crate::ring::place)),
//! waits until all act by that, until all that is to be streamed has arrived, lets reads go
//! by the new ring, waits again, and is done ([`view`](crate::ring::view) says why).
//! Who is believed dead is not waited for, but so many replicas of every range have
//! to act by the change that a write by the ring before it can get no quorum without them:
//! they refuse it, and tell the coordinator. Places are on disk before a node acts by them.

use super::RingNode;
use crate::engine::random::mix;
use crate::engine::{Context, SimDuration};
use crate::ring::consistency::ConsistencyLevel;
use crate::ring::message::{Content, RingEvent, RingHost, RingRecord, RingTimer, RingToken};
use crate::ring::place::{Move, MoveEnd, Place, Places, RingAdmin, Step, merge, number};
use crate::ring::settings::Versions;
use crate::ring::token_ring::{Partitioning, REPLICAS_MAX};
use crate::ring::view::View;
use std::rc::Rc;

/// How often a node looks whether a change can go on.
const LOOK_EVERY: SimDuration = SimDuration::from_ms(100);
/// Rings of before that a node remembers.
const FORMER_MAX: usize = 8;

impl RingNode {
    /// What an operator asks of this node.
    pub fn on_admin<P: RingHost>(&mut self, admin: RingAdmin, ctx: &mut Context<P>) {
        let own = self.place(self.index);
        let (what, dead) = match admin {
            RingAdmin::Join => (Move::Join, None),
            RingAdmin::Leave => (Move::Leave, None),
            RingAdmin::Replace { dead } => (Move::Replace, Some(dead)),
            RingAdmin::GiveUp => return self.give_up(MoveEnd::GivenUp, ctx),
        };
        if own.under_way() == Some(what) {
            return;
        }
        let is_member = self.view.is_member(self.index);
        let can_begin = !own.step.is_under_way()
            && self.can_change()
            && match what {
                Move::Join => !is_member,
                Move::Leave => is_member && self.view.members() > self.settings.n,
                Move::Replace => {
                    let is_dead = |node: u16| self.view.is_member(node) && !self.gossip.believes_alive(node);
                    !is_member && dead.is_some_and(is_dead)
                }
            };
        if !can_begin {
            let end = MoveEnd::Refused;
            return ctx.output(RingEvent::MoveOver { node: ctx.id(), what, end });
        }
        let order = self.places.iter().map(|place| place.order).max().unwrap_or(0) + 1;
        let tokens = match dead {
            Some(dead) => self.place(dead).tokens,
            None => mix(own.tokens ^ u64::from(order)),
        };
        ctx.output(RingEvent::MoveBegins { node: ctx.id(), what });
        self.change_place(
            |place| {
                place.order = order;
                place.replaces = dead;
                if what == Move::Leave {
                    place.step = Step::Leaving;
                } else {
                    (place.step, place.tokens) = (Step::Joining, tokens);
                }
            },
            ctx,
        );
    }

    /// Equal shares cannot be moved, nor what is promised in rounds of Paxos; and a write that goes to more
    /// replicas than usual needs room for them. (A scenario that asks for it anyway is refused before.)
    fn can_change(&self) -> bool {
        !matches!(self.settings.atlas.partitioning, Partitioning::EqualShares { .. })
            && self.settings.versions != Versions::CompareAndSet
            && self.settings.n < REPLICAS_MAX
    }

    /// It stays as it was, unless reads go by the new ring already: then it goes on.
    fn give_up<P: RingHost>(&mut self, end: MoveEnd, ctx: &mut Context<P>) {
        let own = self.place(self.index);
        let (Some(what), false) = (own.under_way(), own.step.is_second()) else { return };
        let step = if own.step.is_member() { Step::In } else { Step::Out };
        ctx.output(RingEvent::MoveOver { node: ctx.id(), what, end });
        self.change_place(|place| (place.step, place.replaces) = (step, None), ctx);
    }

    /// Changes what it says of itself.
    fn change_place<P: RingHost>(&mut self, change: impl FnOnce(&mut Place), ctx: &mut Context<P>) {
        let mut places = self.places.to_vec();
        let own = &mut places[usize::from(self.index)];
        own.count += 1;
        change(own);
        self.places = places.into();
        self.act_by_places(ctx);
    }

    /// Changes what it says of how far it is with what it has heard.
    fn note<P: RingHost>(&mut self, change: impl FnOnce(&mut Place), ctx: &mut Context<P>) {
        let mut places = self.places.to_vec();
        let own = &mut places[usize::from(self.index)];
        own.notes += 1;
        change(own);
        self.places = places.into();
        self.look(ctx);
    }

    /// Hears how all stand to the ring.
    pub(super) fn hear_places<P: RingHost>(&mut self, heard: &Places, ctx: &mut Context<P>) {
        let known = Rc::clone(&self.places);
        merge(&mut self.places, heard, self.index);
        if !Rc::ptr_eq(&known, &self.places) {
            self.act_by_places(ctx);
        }
    }

    fn act_by_places<P: RingHost>(&mut self, ctx: &mut Context<P>) {
        if number(&self.places) != self.view.number {
            let view = self.settings.atlas.view(&self.places);
            if self.former.len() == FORMER_MAX {
                self.former.pop_front();
            }
            self.former.push_back(std::mem::replace(&mut self.view, view));
            self.store_places(ctx);
        }
        self.look(ctx);
    }

    /// After a start: it acts by what its disk has.
    pub(super) fn places_restored<P: RingHost>(&mut self, ctx: &mut Context<P>) {
        if self.view.number > 0 {
            self.store_places(ctx);
            self.arm_look(ctx);
        }
    }

    fn store_places<P: RingHost>(&mut self, ctx: &mut Context<P>) {
        if !self.stores_places {
            self.stores_places = true;
            let content = Content::Places(Rc::clone(&self.places));
            ctx.disk_append(RingRecord { key: 0, content });
            ctx.disk_sync(RingToken::PlacesStored { number: self.view.number });
        }
    }

    pub(super) fn places_stored<P: RingHost>(&mut self, number: u32, ctx: &mut Context<P>) {
        self.stores_places = false;
        if number < self.view.number {
            self.store_places(ctx);
        }
        self.note(|place| place.agreed = number, ctx);
    }

    pub(super) fn rows_stored<P: RingHost>(&mut self, change: u64, ctx: &mut Context<P>) {
        if self.view.change.as_ref().is_some_and(|now| now.id == change && !now.is_second) {
            ctx.output(RingEvent::Received { node: ctx.id(), rows: self.streaming.received() });
            self.note(|place| place.received = change, ctx);
        }
    }

    fn arm_look<P: RingHost>(&mut self, ctx: &mut Context<P>) {
        if !self.move_armed {
            self.move_armed = true;
            ctx.set_timer(LOOK_EVERY, RingTimer::Move);
        }
    }

    pub(super) fn move_on<P: RingHost>(&mut self, ctx: &mut Context<P>) {
        self.move_armed = false;
        self.look(ctx);
    }

    /// Does what is its own part of the change that is under way.
    fn look<P: RingHost>(&mut self, ctx: &mut Context<P>) {
        let (view, own) = (Rc::clone(&self.view), self.place(self.index));
        let is_own_turn = view.change.as_ref().is_some_and(|change| change.mover == self.index);
        if own.step.is_under_way() {
            self.arm_look(ctx);
            // Nothing is before it, and yet it is not its turn: what it asks for cannot be any more.
            if view.change.is_none() {
                return self.give_up(MoveEnd::Refused, ctx);
            }
        }
        let Some(change) = &view.change else { return };
        if change.is_second {
            if is_own_turn && self.all_act_by(&view) {
                self.is_done(ctx);
            }
            return;
        }
        let has_received = |node: &u16| self.place(*node).received == change.id;
        if change.gainers.contains(&self.index) && !has_received(&self.index) {
            self.arm_look(ctx);
            if self.streaming.is_of(change.id) || self.all_act_by(&view) {
                self.stream(&view, ctx);
            }
        } else if is_own_turn
            && change.gainers.iter().all(has_received)
            && (!change.gainers.is_empty() || self.all_act_by(&view))
        {
            ctx.output(RingEvent::HandsOver { node: ctx.id() });
            let step = if view.is_member(self.index) { Step::HandingOver } else { Step::TakingOver };
            self.change_place(|place| place.step = step, ctx);
        }
    }

    fn is_done<P: RingHost>(&mut self, ctx: &mut Context<P>) {
        let own = self.place(self.index);
        let Some(what) = own.under_way() else { return };
        ctx.output(RingEvent::MoveOver { node: ctx.id(), what, end: MoveEnd::Done });
        self.change_place(
            |place| {
                place.step = if what == Move::Leave { Step::Out } else { Step::In };
                if let Some(dead) = place.replaces.take() {
                    let mut displaced = place.displaced.take().map_or_else(Vec::new, |list| list.to_vec());
                    displaced.push((dead, place.order));
                    place.displaced = Some(Rc::new(displaced));
                }
            },
            ctx,
        );
        let topology = Rc::new(self.view.topology(&self.settings.keys, self.settings.token_aware));
        for client in &self.settings.clients {
            ctx.send(*client, Rc::clone(&topology));
        }
    }

    /// Whether every node that is believed alive acts by a view or a later one, and of the replicas of every range so
    /// many that no write by an earlier one can be acknowledged without them.
    fn all_act_by(&self, view: &View) -> bool {
        let acts = |node: u16| self.place(node).agreed >= view.number;
        let nodes = 0..self.places.len() as u16;
        let is_waited_for = |node: u16| node == self.index || self.gossip.believes_alive(node);
        let needed = self.met_by();
        nodes.filter(|node| is_waited_for(*node)).all(acts)
            && view
                .current
                .all_ranges(|replicas| replicas.iter().filter(|replica| acts(**replica)).count() >= needed)
    }

    /// So many replicas of a key have every write that was acknowledged among them, if more than half had to
    /// acknowledge it. (By a level of data centres it is not known how many: one.)
    pub(super) fn met_by(&self) -> usize {
        let n = self.settings.n;
        let written = match self.settings.write_level {
            ConsistencyLevel::Count(count) => usize::from(count),
            ConsistencyLevel::Quorum => n / 2 + 1,
            ConsistencyLevel::All => n,
            _ => 1,
        };
        if 2 * written > n { n - written + 1 } else { 1 }
    }
}
