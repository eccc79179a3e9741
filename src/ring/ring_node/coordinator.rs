//! A ring node as coordinator: asks replicas, counts their answers, answers the client.

use super::RingNode;
use crate::engine::{Context, NodeId, Ticket};
use crate::ring::message::{RingEvent, RingHost, RingMessage, RingTimer};
use crate::ring::token_ring::REPLICAS_MAX;
use crate::workload::operation::{Cause, Cell, KeyId, OperationId, Request, Response, Versioned};
use std::rc::Rc;

/// A request that this node coordinates.
#[derive(Clone)]
pub(super) struct Coordinated {
    client: NodeId,
    id: OperationId,
    key: KeyId,
    is_write: bool,
    /// The newest version seen, or the one being written.
    newest: Cell,
    needed: u8,
    /// Replicas that were asked.
    asked: u8,
    answered: u8,
    responded: bool,
    /// What each replica showed, of a read.
    replies: [(NodeId, u64); REPLICAS_MAX],
}

impl RingNode {
    pub fn on_request<P: RingHost>(&mut self, client: NodeId, request: Request, ctx: &mut Context<P>) {
        let settings = Rc::clone(&self.settings);
        let replicas = settings.ring.replicas(settings.keys.token(request.key));
        let needed = if request.is_write() { settings.w } else { settings.r };
        let contacted = self.contacted(replicas, needed, ctx.random());
        let asked = contacted.count_ones() as usize;
        if asked < needed {
            ctx.send(client, Response::failed(request.id, Cause::TooFewReplicas));
            return;
        }
        let newest = if request.is_write() { self.new_cell(&request, ctx) } else { Cell::default() };
        let coordinated = Coordinated {
            client,
            id: request.id,
            key: request.key,
            is_write: request.is_write(),
            newest,
            needed: needed as u8,
            asked: asked as u8,
            answered: 0,
            responded: false,
            replies: [(NodeId(0), 0); REPLICAS_MAX],
        };
        let Ok(ticket) = self.pending.insert(ctx.monotonic(), coordinated) else {
            ctx.send(client, Response::failed(request.id, Cause::Overloaded));
            return;
        };
        if let Some(at) = self.pending.arm() {
            ctx.set_timer_at(at, RingTimer::TimeOut);
        }
        for (_, replica) in replicas.iter().enumerate().filter(|(place, _)| contacted >> place & 1 == 1) {
            let to = settings.nodes[*replica as usize];
            if request.is_write() {
                ctx.send(to, RingMessage::Write { ticket, key: request.key, cell: newest });
            } else {
                ctx.send(to, RingMessage::Read { ticket, key: request.key });
            }
        }
    }

    /// A version by this node's wall clock in microseconds, never twice the same.
    fn new_cell<P: RingHost>(&mut self, request: &Request, ctx: &mut Context<P>) -> Cell {
        self.last_timestamp = (ctx.local_time() / 1_000).max(self.last_timestamp + 1);
        let content = Versioned { value: request.id.0, version: self.last_timestamp };
        Cell { content, bytes: request.bytes, count: 0 }
    }

    pub fn on_write_acknowledged<P: RingHost>(&mut self, ticket: Ticket, ctx: &mut Context<P>) {
        let Some(coordinated) = self.pending.get_mut(ticket) else {
            return;
        };
        coordinated.answered += 1;
        if coordinated.answered == coordinated.needed {
            coordinated.responded = true;
            let response = Response::ok(coordinated.id, coordinated.newest.content, 0);
            ctx.send(coordinated.client, response);
        }
        if coordinated.answered == coordinated.asked {
            self.pending.remove(ticket);
        }
    }

    pub fn on_read_reply<P: RingHost>(
        &mut self,
        from: NodeId,
        ticket: Ticket,
        cell: Cell,
        ctx: &mut Context<P>,
    ) {
        let Some(coordinated) = self.pending.get_mut(ticket) else {
            return;
        };
        coordinated.replies[coordinated.answered as usize] = (from, cell.content.version);
        coordinated.answered += 1;
        if cell.content.is_newer_than(&coordinated.newest.content) {
            coordinated.newest = cell;
        }
        if coordinated.answered == coordinated.needed {
            coordinated.responded = true;
            let response = Response::ok(coordinated.id, coordinated.newest.content, coordinated.newest.bytes);
            ctx.send(coordinated.client, response);
        }
        if coordinated.answered == coordinated.asked {
            let finished = self.pending.remove(ticket).expect("it was just there");
            self.repair(&finished, ctx);
        }
    }

    /// Brings replicas that showed an older version up to date.
    fn repair<P: RingHost>(&self, read: &Coordinated, ctx: &mut Context<P>) {
        if !self.settings.read_repair || read.is_write {
            return;
        }
        let newest = read.newest.content.version;
        let replies = &read.replies[..read.answered as usize];
        let mut behind = 0;
        for (replica, _) in replies.iter().filter(|(_, version)| *version < newest) {
            behind += 1;
            ctx.send(*replica, RingMessage::Repair { key: read.key, cell: read.newest });
        }
        if behind > 0 {
            ctx.output(RingEvent::Repaired { node: ctx.id(), key: read.key, replicas: behind });
        }
    }

    pub(super) fn time_out<P: RingHost>(&mut self, ctx: &mut Context<P>) {
        self.pending.timer_fired();
        while let Some(coordinated) = self.pending.pop_expired(ctx.monotonic()) {
            if !coordinated.responded {
                ctx.send(coordinated.client, Response::unknown(coordinated.id, Cause::TimedOut));
            }
            self.repair(&coordinated, ctx);
        }
        if let Some(at) = self.pending.arm() {
            ctx.set_timer_at(at, RingTimer::TimeOut);
        }
    }
}
