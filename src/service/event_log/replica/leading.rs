//! A replica as leader: what it sends to whom, what is committed, and how it hands the lead over.

use super::serving::Serving;
use super::{Append, Replica, ReplicaMessage, Role, Stored};
use crate::engine::{Context, SimTime};
use crate::service::event_log::entries::{Entry, nothing};
use crate::service::message::{ServiceEvent, ServiceHost};
use crate::service::view::Batch;
use std::rc::Rc;

/// What a leader knows of another replica.
#[derive(Clone, Copy)]
pub(super) struct Peer {
    /// Numbers up to which it has confirmed all, and of what it is sent next.
    matched: u64,
    next: u64,
    /// Where its log ends like this one is being found out: one message at a time.
    is_tried: bool,
    waits: bool,
    pub(super) heard: SimTime,
    sent: SimTime,
}

/// Entries in one message, and under way to one follower, at most.
const ENTRIES_MAX: u64 = 64;
const IN_FLIGHT_MAX: u64 = 1_024;
/// A preferred replica that has kept up for so many election time-outs leads again.
const HANDED_BACK_AFTER: u64 = 10;

impl Replica {
    pub(super) fn begin_to_lead<P: ServiceHost>(&mut self, ctx: &mut Context<P>) {
        let now = ctx.monotonic();
        self.role = Role::Leader;
        self.leader = Some(self.place as u16);
        self.began = self.entries.end();
        self.kept_up_since = None;
        let peer = Peer {
            matched: 0,
            next: self.began,
            is_tried: true,
            waits: false,
            heard: now,
            sent: SimTime::ZERO,
        };
        self.peers = vec![peer; self.nodes.len()];
        self.serving = Serving::of(&self.entries);
        ctx.output(ServiceEvent::Leads { node: ctx.id(), partition: self.partition, term: self.term });
        self.lead_on(nothing(), ctx);
    }

    /// Appends a batch and sends it to everybody; the number after it.
    pub(super) fn lead_on<P: ServiceHost>(&mut self, batch: Rc<Batch>, ctx: &mut Context<P>) -> u64 {
        let (number, base) = (self.entries.end(), self.entries.end_offset());
        let entry = Entry { term: self.term, at: ctx.monotonic(), stored: Stored { base, batch } };
        self.serving.producers.note(number, &entry);
        self.append(number, entry, ctx);
        self.send_entries(ctx);
        self.sync(ctx);
        number + 1
    }

    /// Sends every follower what it can take; those who lack the same get the same message.
    fn send_entries<P: ServiceHost>(&mut self, ctx: &mut Context<P>) {
        let mut last: Option<Rc<Append>> = None;
        for place in self.others() {
            while self.can_send(place) {
                last = Some(self.send(place, last, ctx));
            }
        }
    }

    fn can_send(&self, place: usize) -> bool {
        let (peer, end) = (&self.peers[place], self.entries.end());
        if peer.is_tried { !peer.waits } else { peer.next < end && peer.next - peer.matched < IN_FLIGHT_MAX }
    }

    /// Sends a follower the next entries, or none if it has them all.
    fn send<P: ServiceHost>(
        &mut self,
        place: usize,
        like: Option<Rc<Append>>,
        ctx: &mut Context<P>,
    ) -> Rc<Append> {
        let from = self.peers[place].next.max(self.entries.first());
        let append = like.filter(|like| like.from == from).unwrap_or_else(|| self.entries_from(from));
        let peer = &mut self.peers[place];
        peer.sent = ctx.monotonic();
        peer.waits = peer.is_tried;
        peer.next = if peer.is_tried { from } else { from + append.entries.len() as u64 };
        self.tell(place, ReplicaMessage::Append(Rc::clone(&append)), ctx);
        append
    }

    fn entries_from(&self, from: u64) -> Rc<Append> {
        let end = self.entries.end().min(from + ENTRIES_MAX);
        Rc::new(Append {
            term: self.term,
            from,
            offset: self.entries.offset_at(from),
            term_before: self.entries.term_before(from).expect("it is kept, or comes next"),
            entries: self.entries.range(from, end).cloned().collect(),
            dropped: (from == self.entries.first()).then(|| Rc::clone(self.entries.dropped())),
            committed: self.committed,
            first: self.entries.first(),
        })
    }

    /// To those who were sent nothing for a while. What was lost on the way comes to light by them.
    pub(super) fn send_heartbeats<P: ServiceHost>(&mut self, ctx: &mut Context<P>) {
        let (now, every) = (ctx.monotonic(), self.log_settings().heartbeat);
        for place in self.others() {
            if now.since(self.peers[place].sent) >= every {
                self.send(place, None, ctx);
            }
        }
    }

    /// The follower's record, if it speaks to this leadership.
    fn peer<P: ServiceHost>(&mut self, place: usize, term: u32, ctx: &mut Context<P>) -> Option<&mut Peer> {
        if term > self.term {
            self.enter(term, None, ctx);
        }
        if term < self.term || !self.leads() {
            return None;
        }
        let peer = &mut self.peers[place];
        peer.heard = ctx.monotonic();
        Some(peer)
    }

    pub(super) fn on_appended<P: ServiceHost>(
        &mut self,
        place: usize,
        term: u32,
        end: u64,
        ctx: &mut Context<P>,
    ) {
        let Some(peer) = self.peer(place, term, ctx) else {
            return;
        };
        peer.matched = peer.matched.max(end);
        peer.next = peer.next.max(end);
        peer.is_tried = false;
        peer.waits = false;
        self.commit(ctx);
        self.send_entries(ctx);
        self.give_lead(ctx);
    }

    pub(super) fn on_differs<P: ServiceHost>(
        &mut self,
        place: usize,
        term: u32,
        from: u64,
        end: u64,
        ctx: &mut Context<P>,
    ) {
        let Some(peer) = self.peer(place, term, ctx) else {
            return;
        };
        // An answer to what was sent before it was tried says nothing new.
        if peer.is_tried && from != peer.next {
            return;
        }
        peer.is_tried = true;
        peer.waits = false;
        peer.next = end;
        // Less than it confirmed only if it has forgotten it.
        peer.matched = peer.matched.min(end);
        self.send_entries(ctx);
    }

    /// Commits what a majority has, if it ends with an entry of its own term (section 5.4.2).
    pub(super) fn commit<P: ServiceHost>(&mut self, ctx: &mut Context<P>) {
        let has = |place: usize| if place == self.place { self.synced } else { self.peers[place].matched };
        let all = 0..self.nodes.len();
        let is_had = |end: u64| all.clone().filter(|place| has(*place) >= end).count() >= self.majority();
        let had = all.clone().map(has).filter(|end| is_had(*end)).max().unwrap_or(0);
        if had > self.committed && had > self.began {
            self.committed = had;
            self.answer_committed(ctx);
        }
    }

    // Handing over.

    /// Gives the lead back to the preferred replica when that one has kept up for a while.
    pub(super) fn hand_back<P: ServiceHost>(&mut self, ctx: &mut Context<P>) {
        if self.place == 0 {
            return;
        }
        let (now, timeout) = (ctx.monotonic(), self.log_settings().election_timeout);
        let preferred = &self.peers[0];
        let keeps_up =
            now.since(preferred.heard) < timeout && preferred.matched + ENTRIES_MAX >= self.committed;
        if !keeps_up {
            self.kept_up_since = None;
        }
        let since = keeps_up.then(|| *self.kept_up_since.get_or_insert(now));
        match self.hands_over_until {
            Some(until) if now >= until => {
                // It did not work: this one leads on, and tries again after as long.
                self.hands_over_until = None;
                self.kept_up_since = None;
            }
            None if since.is_some_and(|since| now.since(since).0 >= HANDED_BACK_AFTER * timeout.0) => {
                self.hands_over_until = Some(now + timeout);
                self.give_lead(ctx);
            }
            _ => {}
        }
    }

    /// While it is handed over nothing is appended: as soon as the next leader has everything it stands.
    fn give_lead<P: ServiceHost>(&mut self, ctx: &mut Context<P>) {
        if self.hands_over_until.is_some() && self.peers[0].matched == self.entries.end() {
            self.tell(0, ReplicaMessage::Lead { term: self.term }, ctx);
        }
    }
}
