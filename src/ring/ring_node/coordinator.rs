//! A ring node as coordinator: asks replicas, counts their answers, answers the client.
//!
//! ```text
//! write: replicas that are believed alive (sloppy: and stand-ins for the others) ─enough─► client
//! read:  all of them, or as many as needed; the rest stands in `reads`
//! ```

use super::RingNode;
use super::scan::SliceRead;
use crate::engine::{Context, NodeId, Ticket};
use crate::ring::consistency::{ConsistencyLevel, Requirement};
use crate::ring::message::{RingHost, RingMessage, RingTimer};
use crate::ring::place::Places;
use crate::ring::row::Row;
use crate::ring::settings::{Asked, RingSettings, Versions};
use crate::ring::token_ring::REPLICAS_MAX;
use crate::ring::view::Replicas;
use crate::workload::operation::{Cause, Cell, KeyId, OperationId, Outcome, Request, Response, Versioned};
use crate::workload::version_vector::VersionVector;
use std::rc::Rc;

/// A request that this node coordinates. Replicas are bits, by their place among the key's replicas.
#[derive(Clone)]
pub(super) struct Coordinated {
    pub(super) client: NodeId,
    pub(super) id: OperationId,
    pub(super) key: KeyId,
    pub(super) is_write: bool,
    /// What was seen, merged, or what is being written.
    pub(super) row: Row,
    /// What a write has become.
    pub(super) written: Versioned,
    /// Not all of it is known: some came as a digest.
    pub(super) is_digest: bool,
    /// Whom it is sent to if all are there, by the ring of this number.
    pub(super) replicas: Replicas,
    pub(super) view: u32,
    pub(super) requirement: Requirement,
    pub(super) asked: u16,
    pub(super) answered: u16,
    /// Replicas that are being repaired, and that the answer waits for.
    pub(super) repairing: u16,
    pub(super) responded: bool,
    /// A second round, because digests differed.
    pub(super) asks_again: bool,
    /// Who was asked for each place: the replica, or who stands in for it.
    pub(super) nodes: [u16; REPLICAS_MAX],
    /// The stamp of what each showed, of a read.
    pub(super) stamps: [u64; REPLICAS_MAX],
    /// On this node's clock, in nanoseconds.
    pub(super) begun: u64,
    /// Of a read of several rows of a partition; `row` stays empty then.
    pub(super) slice: Option<Box<SliceRead>>,
}

pub(super) const NOBODY: u16 = u16::MAX;

pub(super) fn bits(mask: u16) -> impl Iterator<Item = usize> {
    (0..REPLICAS_MAX).filter(move |place| mask >> place & 1 == 1)
}

/// Whom a request goes to, and how many of them have to answer.
struct Plan {
    replicas: Replicas,
    view: u32,
    requirement: Requirement,
    asked: u16,
    nodes: [u16; REPLICAS_MAX],
}

impl Coordinated {
    /// A request of which nothing is known yet.
    fn new(client: NodeId, request: &Request, plan: Plan, begun: u64) -> Coordinated {
        let Plan { replicas, view, requirement, asked, nodes } = plan;
        Coordinated {
            client,
            id: request.id,
            key: request.key,
            is_write: request.is_write(),
            row: Row::default(),
            written: Versioned::default(),
            is_digest: false,
            replicas,
            view,
            requirement,
            asked,
            answered: 0,
            repairing: 0,
            responded: false,
            asks_again: false,
            nodes,
            stamps: [0; REPLICAS_MAX],
            begun,
            slice: None,
        }
    }

    pub(super) fn place_of(&self, node: u16) -> Option<usize> {
        bits(self.asked).find(|place| self.nodes[*place] == node)
    }

    /// The stamp of all that was seen, merged.
    pub(super) fn whole(&self) -> u64 {
        self.slice.as_ref().map_or_else(|| self.row.stamp(), |slice| slice.stamp())
    }

    pub(super) fn read_message(&self, ticket: Ticket, is_digest: bool) -> RingMessage {
        match &self.slice {
            Some(read) => RingMessage::ReadSlice { ticket, slice: read.slice, is_digest },
            None => RingMessage::Read { ticket, key: self.key, is_digest },
        }
    }

    /// What the replica at a place lacked in its answer.
    pub(super) fn repair_message(&self, place: usize, ticket: Option<Ticket>) -> RingMessage {
        match &self.slice {
            Some(read) => RingMessage::RepairSlice { rows: read.lacked_by(place), ticket },
            None => RingMessage::Repair { key: self.key, row: self.row.clone(), ticket },
        }
    }
}

impl RingNode {
    pub fn on_request<P: RingHost>(&mut self, client: NodeId, request: Request, ctx: &mut Context<P>) {
        match self.settings.versions {
            _ if request.kind.has_rows() => self.on_scan(client, &request, ctx),
            Versions::CompareAndSet => self.begin_transaction(client, request, ctx),
            Versions::Siblings | Versions::Counter if request.is_write() => {
                self.on_update(client, request, None, ctx);
            }
            _ => self.serve(client, request, None, ctx),
        }
    }

    /// Coordinates a request of one row; a write may come with the context of what its client had read.
    pub fn serve<P: RingHost>(
        &mut self,
        client: NodeId,
        request: Request,
        context: Option<Rc<VersionVector>>,
        ctx: &mut Context<P>,
    ) {
        if let Err(cause) = self.coordinate(client, request, (context, None), ctx) {
            ctx.send(client, Response::failed(request.id, cause));
        }
    }

    /// Asks the replicas of a key, or of several rows of its partition.
    pub(super) fn coordinate<P: RingHost>(
        &mut self,
        client: NodeId,
        request: Request,
        (context, slice): (Option<Rc<VersionVector>>, Option<Box<SliceRead>>),
        ctx: &mut Context<P>,
    ) -> Result<(), Cause> {
        let settings = Rc::clone(&self.settings);
        let token = settings.keys.token(request.key);
        let (level, planned) = if request.is_write() {
            (settings.write_level, self.view.writers(token))
        } else {
            (settings.read_level, self.view.readers(token))
        };
        let requirement = self.requirement(level, &planned);
        let replicas = &*planned;
        let (mut nodes, mut reachable) = self.believed_alive(replicas);
        if settings.sloppy_quorum && (reachable.count_ones() as usize) < replicas.len() {
            reachable |= self.find_stand_ins(token, replicas, &mut nodes);
        }
        if !requirement.is_met(reachable, data_centres(&settings, replicas)) {
            return Err(Cause::TooFewReplicas);
        }
        let is_write = request.is_write();
        let asked = match if is_write { settings.write_to } else { settings.read_from } {
            Asked::All => reachable,
            Asked::Nearest => self.nearest(reachable, &nodes, requirement, replicas),
            Asked::Drawn => self.drawn(reachable, requirement, replicas, ctx),
        };
        let (row, written) = match is_write {
            true => self.row_of_write(&request, context.as_deref(), ctx)?,
            false => Default::default(),
        };
        let plan = Plan { replicas: planned, view: self.view.number, requirement, asked, nodes };
        let mut coordinated = Coordinated::new(client, &request, plan, ctx.monotonic().0);
        (coordinated.row, coordinated.written, coordinated.slice) = (row.clone(), written, slice);
        let ticket = self.open(coordinated, ctx).ok_or(Cause::Overloaded)?;
        if is_write {
            self.send_writes(ticket, request.key, &row, replicas, (asked, &nodes), ctx);
        } else {
            self.send_reads(ticket, ctx);
            self.arm_speculation(ticket, ctx);
        }
        Ok(())
    }

    /// Waits for answers; none if it waits for as many as it may.
    fn open<P: RingHost>(&mut self, coordinated: Coordinated, ctx: &mut Context<P>) -> Option<Ticket> {
        let ticket = self.pending.insert(ctx.monotonic(), coordinated).ok()?;
        if let Some(at) = self.pending.arm() {
            ctx.set_timer_at(at, RingTimer::TimeOut);
        }
        Some(ticket)
    }

    /// The replicas of a key that are believed alive.
    pub(super) fn believed_alive(&self, replicas: &[u16]) -> ([u16; REPLICAS_MAX], u16) {
        let mut nodes = [NOBODY; REPLICAS_MAX];
        let mut alive = 0_u16;
        for (place, replica) in replicas.iter().enumerate() {
            if self.gossip.believes_alive(*replica) {
                nodes[place] = *replica;
                alive |= 1 << place;
            }
        }
        (nodes, alive)
    }

    fn requirement(&self, level: ConsistencyLevel, replicas: &Replicas) -> Requirement {
        let own = self.settings.data_centres[usize::from(self.index)];
        Requirement::of(level, data_centres(&self.settings, replicas), own, replicas.pending())
    }

    /// Healthy nodes further along the ring, for the replicas that are not believed alive.
    fn find_stand_ins(&self, token: i64, replicas: &[u16], nodes: &mut [u16; REPLICAS_MAX]) -> u16 {
        let mut missing = (0..replicas.len()).filter(|place| nodes[*place] == NOBODY).collect::<Vec<_>>();
        missing.reverse();
        let mut found = 0_u16;
        for node in self.view.ring().walk(token) {
            let Some(place) = missing.last() else {
                break;
            };
            if !replicas.contains(&node) && self.gossip.believes_alive(node) {
                nodes[*place] = node;
                found |= 1 << place;
                missing.pop();
            }
        }
        found
    }

    /// As many as are needed: itself first, then its zone, its data centre, the others.
    fn nearest(
        &self,
        reachable: u16,
        nodes: &[u16; REPLICAS_MAX],
        requirement: Requirement,
        replicas: &[u16],
    ) -> u16 {
        let mut chosen = 0_u16;
        let distance = |place: usize| self.distance(nodes[place]);
        for wanted in 0..4 {
            for place in bits(reachable).filter(|place| distance(*place) == wanted) {
                if requirement.is_met(chosen, data_centres(&self.settings, replicas)) {
                    return chosen;
                }
                chosen |= 1 << place;
            }
        }
        chosen
    }

    /// As many as are needed, drawn.
    fn drawn<P: RingHost>(
        &self,
        reachable: u16,
        requirement: Requirement,
        replicas: &[u16],
        ctx: &mut Context<P>,
    ) -> u16 {
        let mut left = reachable;
        let mut kept = 0_u16;
        // One after the other, in an order that is drawn, is left out if it is not needed.
        while left != 0 {
            let which = ctx.random().below(left.count_ones()) as usize;
            let place = 1 << bits(left).nth(which).unwrap_or_default();
            left &= !place;
            if !requirement.is_met(left | kept, data_centres(&self.settings, replicas)) {
                kept |= place;
            }
        }
        kept
    }

    pub(super) fn distance(&self, node: u16) -> u8 {
        let (own, other) = (usize::from(self.index), usize::from(node));
        let settings = &self.settings;
        match () {
            () if own == other => 0,
            () if settings.zones[own] == settings.zones[other] => 1,
            () if settings.data_centres[own] == settings.data_centres[other] => 2,
            () => 3,
        }
    }

    fn send_writes<P: RingHost>(
        &mut self,
        ticket: Ticket,
        key: KeyId,
        row: &Row,
        replicas: &[u16],
        (asked, nodes): (u16, &[u16; REPLICAS_MAX]),
        ctx: &mut Context<P>,
    ) {
        for (place, replica) in replicas.iter().enumerate() {
            let node = nodes[place];
            if node == NOBODY {
                self.keep_hint(*replica, key, row, ctx);
            }
            if asked >> place & 1 == 0 {
                continue;
            }
            let owner = (node != *replica).then_some(*replica);
            let to = self.settings.nodes[usize::from(node)];
            let view = self.view.number;
            ctx.send(to, RingMessage::Write { ticket, key, row: row.clone(), owner, view });
        }
    }

    fn send_reads<P: RingHost>(&self, ticket: Ticket, ctx: &mut Context<P>) {
        let Some(read) = self.pending.get(ticket) else { return };
        // The nearest sends the data.
        let data = bits(read.asked).min_by_key(|place| self.distance(read.nodes[*place]));
        for place in bits(read.asked) {
            let is_digest = self.settings.digest_reads && Some(place) != data;
            let to = self.settings.nodes[usize::from(read.nodes[place])];
            ctx.send(to, read.read_message(ticket, is_digest));
        }
    }

    /// Writes what a transaction has chosen; its client hears of it when enough replicas have it.
    pub(super) fn commit<P: RingHost>(
        &mut self,
        client: NodeId,
        request: &Request,
        cell: Cell,
        ctx: &mut Context<P>,
    ) {
        let settings = Rc::clone(&self.settings);
        let replicas = self.view.writers(settings.keys.token(request.key));
        let (nodes, asked) = self.believed_alive(&replicas);
        let row = Row::Register(cell);
        let requirement = self.requirement(settings.write_level, &replicas);
        let plan = Plan { replicas, view: self.view.number, requirement, asked, nodes };
        let mut coordinated = Coordinated::new(client, request, plan, ctx.monotonic().0);
        (coordinated.row, coordinated.written) = (row.clone(), cell.content);
        let Some(ticket) = self.open(coordinated, ctx) else {
            ctx.send(client, Response::unknown(request.id, Cause::Overloaded));
            return;
        };
        self.send_writes(ticket, request.key, &row, &replicas, (asked, &nodes), ctx);
    }

    pub fn on_write_acknowledged<P: RingHost>(&mut self, from: NodeId, ticket: Ticket, ctx: &mut Context<P>) {
        let node = self.member(from);
        let Some(coordinated) = self.pending.get_mut(ticket).filter(|coordinated| coordinated.is_write)
        else {
            return;
        };
        let Some(place) = node.and_then(|node| coordinated.place_of(node)) else {
            return;
        };
        coordinated.answered |= 1 << place;
        self.conclude_write(ticket, ctx);
    }

    fn conclude_write<P: RingHost>(&mut self, ticket: Ticket, ctx: &mut Context<P>) {
        self.plan_anew(ticket, ctx);
        let Some(write) = self.pending.get_mut(ticket) else {
            return;
        };
        let is_enough =
            write.requirement.is_met(write.answered, data_centres(&self.settings, &write.replicas));
        if is_enough && !write.responded {
            write.responded = true;
            ctx.send(write.client, Response::ok(write.id, write.written, 0));
        }
        if write.answered == write.asked {
            self.pending.remove(ticket);
        }
    }

    /// If the ring has changed since a write was sent, it goes to those who are replicas now too, and
    /// needs as many of them as one that is sent now.
    fn plan_anew<P: RingHost>(&mut self, ticket: Ticket, ctx: &mut Context<P>) {
        let view = Rc::clone(&self.view);
        let Some(write) = self.pending.get_mut(ticket).filter(|write| write.view != view.number) else {
            return;
        };
        write.view = view.number;
        let replicas = view.writers(self.settings.keys.token(write.key));
        if replicas == write.replicas {
            return;
        }
        let (mut asked, mut answered, mut nodes) = (0, 0, [NOBODY; REPLICAS_MAX]);
        for (place, replica) in replicas.iter().enumerate() {
            nodes[place] = *replica;
            // Who stood in for another one has not got it as its own.
            let own = |old: &usize| write.replicas.get(*old) == Some(replica);
            if let Some(old) = write.place_of(*replica).filter(own) {
                asked |= 1 << place;
                answered |= (write.answered >> old & 1) << place;
            }
        }
        (write.replicas, write.nodes, write.answered) = (replicas, nodes, answered);
        let (key, row) = (write.key, write.row.clone());
        let unasked = bits(!asked).filter(|place| *place < replicas.len());
        for place in unasked {
            let node = replicas[place];
            if self.gossip.believes_alive(node) {
                asked |= 1 << place;
                let (owner, view) = (None, view.number);
                let write = RingMessage::Write { ticket, key, row: row.clone(), owner, view };
                ctx.send(self.settings.nodes[usize::from(node)], write);
            } else {
                self.keep_hint(node, key, &row, ctx);
            }
        }
        let requirement = self.requirement(self.settings.write_level, &replicas);
        let write = self.pending.get_mut(ticket).expect("it was just there");
        (write.asked, write.requirement) = (asked, requirement);
    }

    /// A read takes longer than most: one more replica is asked.
    pub(super) fn speculate<P: RingHost>(&mut self, ticket: Ticket, ctx: &mut Context<P>) {
        let settings = Rc::clone(&self.settings);
        let Some(read) = self.pending.get_mut(ticket).filter(|read| !read.responded && read.repairing == 0)
        else {
            return;
        };
        let (asked, replicas) = (read.asked, read.replicas);
        let unasked = (0..replicas.len()).filter(|place| asked >> place & 1 == 0);
        let next = unasked.min_by_key(|place| self.distance(replicas[*place]));
        let Some(place) = next.filter(|place| self.gossip.believes_alive(replicas[*place])) else {
            return;
        };
        self.speculations += 1;
        if let Some(read) = self.pending.get_mut(ticket) {
            read.asked |= 1 << place;
            read.nodes[place] = replicas[place];
            let to = settings.nodes[usize::from(replicas[place])];
            ctx.send(to, read.read_message(ticket, false));
        }
    }

    /// A replica knows of a change of the ring that this node did not: now it does.
    pub fn on_refused<P: RingHost>(
        &mut self,
        from: NodeId,
        ticket: Ticket,
        places: &Places,
        ctx: &mut Context<P>,
    ) {
        self.hear_places(places, ctx);
        self.plan_anew(ticket, ctx);
        let (node, view) = (self.member(from), self.view.number);
        let Some(write) = self.pending.get_mut(ticket).filter(|write| write.is_write) else {
            return;
        };
        // It may be no replica any more; then it is not asked again.
        if let Some(place) = node.and_then(|node| write.place_of(node)) {
            let (key, row) = (write.key, write.row.clone());
            let owner = write.replicas.get(place).copied().filter(|replica| Some(*replica) != node);
            ctx.send(from, RingMessage::Write { ticket, key, row, owner, view });
        }
        self.conclude_write(ticket, ctx);
    }

    pub(super) fn time_out<P: RingHost>(&mut self, ctx: &mut Context<P>) {
        self.pending.timer_fired();
        while let Some(coordinated) = self.pending.pop_expired(ctx.monotonic()) {
            match &coordinated.slice {
                _ if coordinated.responded => {}
                Some(slice) => self.scan_failed(slice.scan, Outcome::TIMED_OUT, ctx),
                None => ctx.send(coordinated.client, Response::unknown(coordinated.id, Cause::TimedOut)),
            }
            if coordinated.is_write {
                self.hint_the_silent(&coordinated, ctx);
            } else {
                self.repair(&coordinated, ctx);
            }
        }
        if let Some(at) = self.pending.arm() {
            ctx.set_timer_at(at, RingTimer::TimeOut);
        }
    }

    /// Replicas that were asked and did not answer may have missed the write.
    fn hint_the_silent<P: RingHost>(&mut self, write: &Coordinated, ctx: &mut Context<P>) {
        for place in bits(write.asked & !write.answered) {
            self.keep_hint(write.replicas[place], write.key, &write.row, ctx);
        }
    }
}

pub(super) fn data_centres<'a>(
    settings: &'a RingSettings,
    replicas: &'a [u16],
) -> impl Iterator<Item = u8> + 'a {
    replicas.iter().map(|replica| settings.data_centres[usize::from(*replica)])
}
