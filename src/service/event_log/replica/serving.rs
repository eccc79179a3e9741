//! What the leader of a partition does for producers and consumers.
//!
//! A batch is answered when it has what its producer wants: nothing (nobody is answered), the leader, or a majority
//! of replicas. A fetch gets what is committed, and waits for it if there is nothing yet (KIP-74, `fetch.max.wait.ms`).
//!
//! Simplified: a fetch waits for one view, not for a number of bytes, and ends up to a quarter of a heartbeat late.
//! Kafka closes the connection to a producer that wants no answer where it is not the leader (any more), so that
//! it asks who is; here it is told nothing.

use super::{Replica, Stored};
use crate::engine::disk::UNSYNCED_RECORDS_MAX;
use crate::engine::{Context, NodeId, SimTime, Ticket};
use crate::service::event_log::entries::Entries;
use crate::service::event_log::producers::{Novelty, Producers};
use crate::service::message::{Fetched, LogRefusal, ServiceHost, ServiceMessage};
use crate::service::settings::Acks;
use crate::service::view::Batch;
use std::collections::VecDeque;
use std::rc::Rc;

/// Entries that wait to be committed at most; beyond, producers are turned away.
const UNCOMMITTED_MAX: u64 = 4_096;
/// Producers and fetches that wait for an answer.
const PRODUCES_WAITING_MAX: usize = 8_192;
const FETCHES_WAITING_MAX: usize = 64;

/// A producer that waits.
#[derive(Clone, Copy)]
struct Producer {
    node: NodeId,
    ticket: Ticket,
    base: u64,
    /// Number after the entry.
    end: u64,
}

/// A fetch that waits.
#[derive(Clone, Copy)]
struct Fetch {
    node: NodeId,
    ticket: Ticket,
    offset: u64,
    views_max: u32,
    until: SimTime,
}

/// What a leader remembers of those whom it serves.
#[derive(Clone, Default)]
pub struct Serving {
    pub(super) producers: Producers,
    wait_for_disk: VecDeque<Producer>,
    wait_for_majority: VecDeque<Producer>,
    fetches: Vec<Fetch>,
}

impl Serving {
    /// For a leader that begins with these entries.
    pub(super) fn of(entries: &Entries) -> Serving {
        Serving { producers: Producers::of(entries), ..Serving::default() }
    }
}

impl Replica {
    /// Why it takes nothing, if it does not lead.
    fn not_leader(&self, now: SimTime) -> LogRefusal {
        LogRefusal::NotLeader { hint: self.leader(now) }
    }

    pub fn on_produce<P: ServiceHost>(
        &mut self,
        node: NodeId,
        ticket: Ticket,
        batch: Rc<Batch>,
        acks: Acks,
        ctx: &mut Context<P>,
    ) {
        if let Err(refusal) = self.may_append(ctx) {
            if acks != Acks::None {
                refuse_batch(node, ticket, refusal, ctx);
            }
            return;
        }
        if batch.views.is_empty() {
            // It asks whether this is the leader.
            return answer(node, ticket, Ok(self.entries.end_offset()), ctx);
        }
        let (base, end) = match self.serving.producers.novelty(batch.producer, batch.sequence) {
            Novelty::Known(known) => (known.base, known.end),
            Novelty::OutOfSequence => return refuse_batch(node, ticket, LogRefusal::OutOfSequence, ctx),
            Novelty::New => (self.entries.end_offset(), self.lead_on(batch, ctx)),
        };
        let producer = Producer { node, ticket, base, end };
        let (is_done, waiting) = match acks {
            Acks::None => return,
            Acks::Leader => (end <= self.synced, &mut self.serving.wait_for_disk),
            Acks::All => (end <= self.committed, &mut self.serving.wait_for_majority),
        };
        if is_done {
            answer(node, ticket, Ok(base), ctx);
        } else {
            waiting.push_back(producer);
        }
    }

    fn may_append<P: ServiceHost>(&self, ctx: &Context<P>) -> Result<(), LogRefusal> {
        if !self.leads() || self.hands_over_until.is_some() {
            return Err(self.not_leader(ctx.monotonic()));
        }
        let waiting = self.serving.wait_for_disk.len().max(self.serving.wait_for_majority.len());
        let is_overloaded = self.entries.end() - self.committed >= UNCOMMITTED_MAX
            || waiting >= PRODUCES_WAITING_MAX
            || ctx.disk_backlog() > UNSYNCED_RECORDS_MAX / 2;
        if is_overloaded { Err(LogRefusal::Overloaded) } else { Ok(()) }
    }

    pub(super) fn answer_synced<P: ServiceHost>(&mut self, ctx: &mut Context<P>) {
        answer_until(&mut self.serving.wait_for_disk, self.synced, ctx);
    }

    pub(super) fn answer_committed<P: ServiceHost>(&mut self, ctx: &mut Context<P>) {
        answer_until(&mut self.serving.wait_for_majority, self.committed, ctx);
        let offset = self.committed_offset();
        let mut fetches = std::mem::take(&mut self.serving.fetches);
        fetches.retain(|fetch| {
            let waits = fetch.offset >= offset;
            if !waits {
                self.serve_fetch(fetch, ctx);
            }
            waits
        });
        self.serving.fetches = fetches;
    }

    /// It leads no more: who waits has to go elsewhere.
    pub(super) fn refuse_all<P: ServiceHost>(&mut self, ctx: &mut Context<P>) {
        let serving = std::mem::take(&mut self.serving);
        let refusal = self.not_leader(ctx.monotonic());
        for producer in serving.wait_for_disk.iter().chain(&serving.wait_for_majority) {
            refuse_batch(producer.node, producer.ticket, refusal, ctx);
        }
        for fetch in &serving.fetches {
            fetched(fetch.node, fetch.ticket, Err(refusal), ctx);
        }
    }

    // Consumers.

    pub fn on_fetch<P: ServiceHost>(
        &mut self,
        node: NodeId,
        ticket: Ticket,
        offset: u64,
        views_max: u32,
        ctx: &mut Context<P>,
    ) {
        let now = ctx.monotonic();
        if !self.leads() {
            return fetched(node, ticket, Err(self.not_leader(now)), ctx);
        }
        let (first, committed) = (self.entries.first_offset(), self.committed_offset());
        let refusal = if offset < first {
            Some(LogRefusal::Gone { first })
        } else if offset > committed && self.is_settled() {
            Some(LogRefusal::NeverWritten { end: committed })
        } else {
            None
        };
        if let Some(refusal) = refusal {
            return fetched(node, ticket, Err(refusal), ctx);
        }
        let fetch = Fetch { node, ticket, offset, views_max, until: now + self.log_settings().fetch_wait };
        if offset < committed {
            self.serve_fetch(&fetch, ctx);
        } else if self.serving.fetches.len() < FETCHES_WAITING_MAX {
            self.serving.fetches.push(fetch);
        } else {
            fetched(node, ticket, Err(LogRefusal::Overloaded), ctx);
        }
    }

    /// Views that a fetch gets now.
    pub fn views_at_hand(&self, offset: u64, views_max: u32) -> u64 {
        self.committed_offset().saturating_sub(offset).min(views_max.into())
    }

    fn serve_fetch<P: ServiceHost>(&self, fetch: &Fetch, ctx: &mut Context<P>) {
        let from = self.entries.number_of(fetch.offset);
        let wanted = fetch.offset.saturating_add(fetch.views_max.max(1).into());
        let found = self.entries.range(from, self.committed).filter(|entry| !entry.is_empty());
        let batches: Rc<[Stored]> =
            found.take_while(|entry| entry.stored.base < wanted).map(|entry| entry.stored.clone()).collect();
        let (first, committed) = (self.entries.first_offset(), self.committed_offset());
        fetched(fetch.node, fetch.ticket, Ok(Fetched { batches, committed, first }), ctx);
    }

    /// Fetches that have waited long enough get nothing.
    pub(super) fn expire_fetches<P: ServiceHost>(&mut self, ctx: &mut Context<P>) {
        let now = ctx.monotonic();
        if self.serving.fetches.iter().all(|fetch| fetch.until > now) {
            return;
        }
        let fetches = std::mem::take(&mut self.serving.fetches);
        let (expired, waiting): (Vec<Fetch>, Vec<Fetch>) =
            fetches.into_iter().partition(|fetch| fetch.until <= now);
        self.serving.fetches = waiting;
        for fetch in &expired {
            self.serve_fetch(fetch, ctx);
        }
    }
}

fn answer_until<P: ServiceHost>(waiting: &mut VecDeque<Producer>, end: u64, ctx: &mut Context<P>) {
    while let Some(producer) = waiting.pop_front_if(|producer| producer.end <= end) {
        answer(producer.node, producer.ticket, Ok(producer.base), ctx);
    }
}

fn answer<P: ServiceHost>(
    node: NodeId,
    ticket: Ticket,
    outcome: Result<u64, LogRefusal>,
    ctx: &mut Context<P>,
) {
    ctx.send(node, ServiceMessage::Produced { ticket, outcome });
}

pub(in crate::service) fn refuse_batch<P: ServiceHost>(
    node: NodeId,
    ticket: Ticket,
    refusal: LogRefusal,
    ctx: &mut Context<P>,
) {
    answer(node, ticket, Err(refusal), ctx);
}

pub(in crate::service) fn fetched<P: ServiceHost>(
    node: NodeId,
    ticket: Ticket,
    outcome: Result<Fetched, LogRefusal>,
    ctx: &mut Context<P>,
) {
    ctx.send(node, ServiceMessage::Fetched { ticket, outcome });
}
