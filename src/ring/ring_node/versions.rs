//! What a write becomes at the node that takes it in: a version, a sibling, or a count.
//!
//! A sibling's dot and a counter's entry belong to one actor, which is a replica of
//! the key: a coordinator that is none sends the request on to one that is. If none
//! is believed alive (and a sloppy quorum does without), it is an actor of its own
//! for this one write.

use super::RingNode;
use crate::engine::{Context, NodeId};
use crate::ring::counter::Counter;
use crate::ring::message::{RingHost, RingMessage};
use crate::ring::row::Row;
use crate::ring::settings::Versions;
use crate::ring::siblings::Siblings;
use crate::workload::operation::{Cause, Cell, KeyId, OperationKind, Request, Response, Versioned};
use crate::workload::tally::Tally;
use crate::workload::version_vector::{Actor, VersionVector};
use std::rc::Rc;

/// Bits of an actor that are drawn when it starts; the others are its place among the nodes.
const ACTOR_DRAWN_BITS: u32 = 48;

impl RingNode {
    /// Another actor than any that this node has been before.
    pub(super) fn draw_actor<P: RingHost>(&mut self, ctx: &mut Context<P>) -> Actor {
        u64::from(self.index) << ACTOR_DRAWN_BITS | ctx.random().next_u64() >> (64 - ACTOR_DRAWN_BITS)
    }

    /// A write of a row that has actors: taken in here, or by a replica of the key.
    pub fn on_update<P: RingHost>(
        &mut self,
        client: NodeId,
        request: Request,
        context: Option<Rc<VersionVector>>,
        ctx: &mut Context<P>,
    ) {
        let settings = Rc::clone(&self.settings);
        let replicas = self.view.readers(settings.keys.token(request.key));
        let alive = replicas.iter().filter(|replica| self.gossip.believes_alive(**replica));
        let leader = alive.min_by_key(|replica| self.distance(**replica));
        match leader {
            Some(leader) if *leader != self.index => {
                let to = settings.nodes[usize::from(*leader)];
                ctx.send(to, RingMessage::Forward { client, request, context });
            }
            None if !settings.sloppy_quorum => {
                ctx.send(client, Response::failed(request.id, Cause::TooFewReplicas));
            }
            _ => self.serve(client, request, context, ctx),
        }
    }

    /// A time stamp by this node's wall clock in microseconds, never twice the same.
    fn new_version<P: RingHost>(&mut self, at_least: u64, ctx: &mut Context<P>) -> u64 {
        self.last_timestamp = (ctx.local_time() / 1_000).max(self.last_timestamp + 1).max(at_least);
        self.last_timestamp
    }

    /// What is sent to the replicas for a write, and what the write has become.
    pub(super) fn row_of_write<P: RingHost>(
        &mut self,
        request: &Request,
        context: Option<&VersionVector>,
        ctx: &mut Context<P>,
    ) -> Result<(Row, Versioned), Cause> {
        match self.settings.versions {
            Versions::Siblings => self.new_sibling(request, context, ctx),
            Versions::Counter => Ok(self.counted(request, ctx)),
            Versions::LastWriteWins | Versions::CompareAndSet => {
                // A row that only rises brings its own time stamp.
                let version = match request.kind {
                    OperationKind::Raise => request.value,
                    _ => self.new_version(0, ctx),
                };
                let cell = new_cell(request, version);
                Ok((Row::Register(cell), cell.content))
            }
        }
    }

    fn is_replica(&self, key: KeyId) -> bool {
        self.view.writers(self.settings.keys.token(key)).contains(&self.index)
    }

    fn actor_for<P: RingHost>(&mut self, key: KeyId, ctx: &mut Context<P>) -> (bool, Actor) {
        let is_replica = self.is_replica(key);
        (is_replica, if is_replica { self.actor } else { self.draw_actor(ctx) })
    }

    /// The next dot is given here and now; the commit log has it when the write to itself arrives.
    fn keep_at_once(&mut self, key: KeyId, row: &Row) {
        match &mut self.storage {
            Some(storage) => storage.store.merge(key, row),
            None => self.rows.get_mut(key as usize).expect("a key of the key space").merge(row),
        }
    }

    fn new_sibling<P: RingHost>(
        &mut self,
        request: &Request,
        context: Option<&VersionVector>,
        ctx: &mut Context<P>,
    ) -> Result<(Row, Versioned), Cause> {
        let (is_replica, actor) = self.actor_for(request.key, ctx);
        let mut siblings = match self.row(request.key) {
            Row::Siblings(siblings) if is_replica => Siblings::clone(&siblings),
            _ => Siblings::default(),
        };
        let version = self.new_version(siblings.newest().content.version + 1, ctx);
        let cell = new_cell(request, version);
        self.dots += 1;
        if !siblings.put((actor, self.dots), context.unwrap_or(&VersionVector::default()), cell) {
            return Err(Cause::TooManySiblings);
        }
        let row = Row::Siblings(Rc::new(siblings));
        if is_replica {
            self.keep_at_once(request.key, &row);
        }
        Ok((row, cell.content))
    }

    fn counted<P: RingHost>(&mut self, request: &Request, ctx: &mut Context<P>) -> (Row, Versioned) {
        let (is_replica, actor) = self.actor_for(request.key, ctx);
        let mut counter = match self.row(request.key) {
            Row::Counter(counter) if is_replica => Counter::clone(&counter),
            _ => Counter::default(),
        };
        match request.kind {
            OperationKind::Add => counter.add(actor, Tally(request.value).count() as u32),
            kind => counter.count(actor, kind == OperationKind::Decrement),
        }
        let own = Row::Counter(Rc::new(counter.shard(actor)));
        let whole = Row::Counter(Rc::new(counter));
        if is_replica {
            self.keep_at_once(request.key, &own);
        }
        (own, whole.shown().content)
    }
}

fn new_cell(request: &Request, version: u64) -> Cell {
    let content = Versioned { value: request.value, version };
    if request.is_delete() {
        Cell::tombstone(content)
    } else {
        Cell { content, bytes: request.bytes, count: 0 }
    }
}
