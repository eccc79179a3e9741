//! A partition at a worker: fetched, looked up, counted, chunk by chunk.

use super::counting::{Counted, Counts};
use super::{AGAIN, Worker, ticket_of};
use crate::engine::{Context, SimDuration, Ticket};
use crate::service::event_log::group::Assignment;
use crate::service::event_log::replica::Stored as StoredBatch;
use crate::service::message::{
    Fetched, LogRefusal, ServiceEvent, ServiceHost, ServiceMessage, ServiceTimer, ServiceToken,
};
use crate::service::settings::{Acks, Delivery, ServiceSettings, Stored, Trigger};
use crate::service::view::{Batch, View};
use std::rc::Rc;

/// What a partition waits for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Stage {
    /// Its checkpoint.
    Resuming,
    /// Nothing: it can be fetched.
    Idle,
    Fetching,
    /// Its offset is being put aside before the work.
    Committing,
    /// So many videos are being looked up.
    LookingUp(u32),
    Processing,
    /// It stands at a malformed view.
    Stuck,
}

/// Views on their way to the queue of dead letters, malformed or late.
#[derive(Clone)]
pub(super) struct DeadLetters {
    partition: u16,
    generation: u64,
    letters: Rc<[(View, bool)]>,
    /// Which broker is asked.
    broker: usize,
}

/// One partition at its worker.
#[derive(Clone)]
pub(super) struct Part {
    pub partition: u16,
    pub generation: u64,
    pub stage: Stage,
    /// Who leads it, as far as is known: a place among the brokers.
    leader: usize,
    /// What is before this offset is counted.
    pub next: u64,
    /// What was last known to be written in the log.
    pub end: u64,
    /// Views that are being worked on, from `next` on.
    pub chunk: Rc<[View]>,
    pub counts: Counts,
    /// Offset of the last checkpoint that was taken.
    pub put_aside: u64,
    pub is_putting_aside: bool,
    /// Something has changed since the last checkpoint was begun.
    pub is_changed: bool,
    /// Views counted and not yet in the object store, from this offset on.
    pub raw_base: u64,
    pub raw: Vec<View>,
    pub is_leaving: bool,
    pub dead_letters_open: u32,
    /// Where the log ended when the job began, and whether the job has all that was there.
    pub job_end: Option<u64>,
    pub has_caught_up: bool,
    /// It counts again what the object store has.
    pub recounts: bool,
    pub recount_wanted: bool,
}

impl Part {
    pub fn new(settings: Rc<ServiceSettings>, assigned: Assignment, worker: usize) -> Part {
        let Assignment { partition, generation } = assigned;
        Part {
            partition,
            generation,
            stage: Stage::Resuming,
            leader: (usize::from(partition) + worker) % settings.nodes.brokers.len(),
            next: 0,
            end: 0,
            chunk: Rc::new([]),
            counts: Counts::new(settings, partition),
            put_aside: 0,
            is_putting_aside: false,
            is_changed: false,
            raw_base: 0,
            raw: Vec::new(),
            is_leaving: false,
            dead_letters_open: 0,
            job_end: None,
            has_caught_up: false,
            recounts: false,
            recount_wanted: false,
        }
    }

    /// Whether nothing of it is under way, so that its state is all there is.
    pub fn is_quiet(&self) -> bool {
        let is_at_rest = matches!(self.stage, Stage::Idle | Stage::Fetching | Stage::Stuck);
        is_at_rest && !self.is_putting_aside && self.dead_letters_open == 0 && !self.is_writing()
    }

    fn is_writing(&self) -> bool {
        self.counts.rows.iter().any(|(_, row)| row.is_writing)
    }

    /// Whether all that was counted is stored.
    pub fn is_written(&self) -> bool {
        self.counts.rows.iter().all(|(_, row)| row.pending == 0)
    }

    pub fn is_put_aside(&self) -> bool {
        !self.is_putting_aside && !self.is_changed && self.raw.is_empty()
    }
}

impl Worker {
    pub(super) fn fetch_all<P: ServiceHost>(&mut self, ctx: &mut Context<P>) {
        let idle = self.parts.iter().filter(|(_, part)| part.stage == Stage::Idle);
        let idle: Vec<u16> = idle.map(|(partition, _)| *partition as u16).collect();
        for partition in idle {
            self.fetch(partition, ctx);
        }
    }

    /// Asks for what comes next, if it may.
    pub(super) fn fetch<P: ServiceHost>(&mut self, partition: u16, ctx: &mut Context<P>) {
        if self.store.holds_back || !self.is_working() {
            return;
        }
        let settings = Rc::clone(&self.settings);
        let Some(part) = self.parts.get_mut(u64::from(partition)) else { return };
        if part.stage != Stage::Idle
            || part.is_leaving
            || part.recount_wanted
            || part.has_caught_up && !part.recounts
        {
            return;
        }
        if part.recounts {
            part.stage = Stage::Fetching;
            self.ask_for_segment(partition, ctx);
            return;
        }
        let generation = part.generation;
        let (to, offset) = (settings.nodes.brokers[part.leader], part.next);
        if let Some(ticket) = ticket_of(&mut self.fetches, (partition, generation), ctx) {
            part.stage = Stage::Fetching;
            let views_max = settings.processing.fetch_views;
            ctx.send(to, ServiceMessage::Fetch { ticket, partition, offset, views_max });
        }
    }

    pub(super) fn on_fetched<P: ServiceHost>(
        &mut self,
        ticket: Ticket,
        outcome: Result<Fetched, LogRefusal>,
        ctx: &mut Context<P>,
    ) {
        let Some((partition, generation)) = self.fetches.remove(ticket) else { return };
        let fetched = match outcome {
            Ok(fetched) => fetched,
            Err(refusal) => return self.fetch_failed(partition, generation, refusal, ctx),
        };
        let is_job = self.settings.processing.trigger != Trigger::Stream;
        let Some(part) = self.part(partition, generation) else { return };
        part.end = fetched.committed;
        part.stage = Stage::Idle;
        let job_end = *part.job_end.get_or_insert(fetched.committed);
        let views = views_from(&fetched.batches, part.next);
        if views.is_empty() {
            part.has_caught_up = is_job && part.next >= job_end;
            if part.has_caught_up {
                self.look_at_job(ctx);
            } else {
                self.fetch(partition, ctx);
            }
            self.let_go(ctx);
        } else if part.is_leaving {
            self.let_go(ctx);
        } else {
            self.take(partition, views.into(), ctx);
        }
    }

    /// A chunk is there, and begins at the next offset.
    pub(super) fn take<P: ServiceHost>(&mut self, partition: u16, views: Rc<[View]>, ctx: &mut Context<P>) {
        let settings = Rc::clone(&self.settings);
        let Some(part) = self.parts.get_mut(u64::from(partition)) else { return };
        part.chunk = views;
        if settings.processing.delivery == Delivery::AtMostOnce {
            part.stage = Stage::Committing;
            self.commit_before(partition, ctx);
        } else {
            self.look_up(partition, ctx);
        }
    }

    /// Looks up the videos of a chunk that are not remembered, and goes on when all are there.
    pub(super) fn look_up<P: ServiceHost>(&mut self, partition: u16, ctx: &mut Context<P>) {
        let Some(part) = self.parts.get_mut(u64::from(partition)) else { return };
        let generation = part.generation;
        let chunk = Rc::clone(&part.chunk);
        let mut asked = 0;
        if self.store.looks_up() {
            for view in chunk.iter() {
                asked += u32::from(self.look_up_video(view.video, (partition, generation), ctx));
            }
        }
        let Some(part) = self.parts.get_mut(u64::from(partition)) else { return };
        if asked > 0 {
            part.stage = Stage::LookingUp(asked);
        } else {
            self.process(partition, ctx);
        }
    }

    /// A video was looked up, with or without success.
    pub(super) fn looked_up<P: ServiceHost>(
        &mut self,
        partition: u16,
        generation: u64,
        ctx: &mut Context<P>,
    ) {
        let Some(part) = self.part(partition, generation) else { return };
        if let Stage::LookingUp(left) = &mut part.stage {
            *left -= 1;
            if *left == 0 {
                self.process(partition, ctx);
            }
        }
    }

    fn process<P: ServiceHost>(&mut self, partition: u16, ctx: &mut Context<P>) {
        let Some(part) = self.parts.get_mut(u64::from(partition)) else { return };
        part.stage = Stage::Processing;
        let (generation, views) = (part.generation, part.chunk.len() as u64);
        let each = self.settings.processing.service.sample(ctx.random());
        ctx.submit_work(SimDuration(each.0 * views), ServiceToken::Processed { partition, generation });
    }

    /// The core time of a chunk is over: it is counted.
    pub(super) fn on_processed<P: ServiceHost>(
        &mut self,
        partition: u16,
        generation: u64,
        ctx: &mut Context<P>,
    ) {
        let settings = Rc::clone(&self.settings);
        let processing = &settings.processing;
        let is_job = processing.trigger != Trigger::Stream;
        let Some(part) = self.part(partition, generation) else { return };
        let chunk = std::mem::replace(&mut part.chunk, Rc::new([]));
        part.stage = Stage::Idle;
        part.is_changed = true;
        let first = part.next;
        let mut letters = Vec::new();
        let mut each = Vec::new();
        let mut counted = 0;
        for (view, offset) in chunk.iter().zip(first..) {
            if view.is_malformed {
                if !processing.dead_letters {
                    part.stage = Stage::Stuck;
                    break;
                }
                letters.push((*view, false));
            } else {
                match part.counts.count(view, offset) {
                    Counted::In(key) if !processing.aggregates => each.push(key),
                    Counted::In(_) | Counted::Duplicate | Counted::LeftOut => {}
                    Counted::Late => letters.push((*view, true)),
                }
                counted += 1;
            }
            if processing.stored == Stored::Both && !part.recounts {
                part.raw.push(*view);
            }
            part.next = offset + 1;
        }
        part.end = part.end.max(part.next);
        part.has_caught_up = is_job && part.job_end.is_some_and(|end| part.next >= end);
        let is_stuck = part.stage == Stage::Stuck;
        // They are there already when all is counted again.
        let is_dead = !letters.is_empty() && !part.recounts;
        part.dead_letters_open += u32::from(is_dead);
        self.counted += counted;
        if is_dead {
            let broker = usize::from(partition) % settings.nodes.brokers.len();
            let letters = letters.into();
            self.send_dead_letters(DeadLetters { partition, generation, letters, broker }, ctx);
        }
        if is_stuck {
            ctx.output(ServiceEvent::Stuck { node: ctx.id(), partition });
        }
        if !processing.aggregates {
            self.enqueue(partition, each, ctx);
        }
        self.write(ctx);
        self.let_go(ctx);
        self.recount_if_wanted(partition, ctx);
        self.fetch(partition, ctx);
        self.look_at_job(ctx);
    }

    pub(super) fn fetch_failed<P: ServiceHost>(
        &mut self,
        partition: u16,
        generation: u64,
        refusal: LogRefusal,
        ctx: &mut Context<P>,
    ) {
        let brokers = self.settings.nodes.brokers.clone();
        let node = ctx.id();
        let Some(part) = self.part(partition, generation) else { return };
        part.stage = Stage::Idle;
        match refusal {
            LogRefusal::Gone { first } => {
                ctx.output(ServiceEvent::Overtaken {
                    node,
                    partition,
                    views: first.saturating_sub(part.next),
                });
                part.next = first;
                part.raw_base = first;
                part.raw.clear();
            }
            LogRefusal::NotLeader { hint } => {
                let hinted = brokers.iter().position(|broker| Some(*broker) == hint);
                part.leader = hinted.unwrap_or((part.leader + 1) % brokers.len());
            }
            // What it had counted is lost: others take its place.
            LogRefusal::NeverWritten { end } => {
                ctx.output(ServiceEvent::Overtaken { node, partition, views: part.next.saturating_sub(end) });
                part.next = end;
                part.raw_base = part.raw_base.min(end);
                part.raw.truncate((end - part.raw_base) as usize);
            }
            LogRefusal::OutOfSequence | LogRefusal::Overloaded => {}
        }
        ctx.set_timer(AGAIN, ServiceTimer::Retry);
        self.let_go(ctx);
    }

    // Dead letters.

    pub(super) fn send_dead_letters<P: ServiceHost>(&mut self, dead: DeadLetters, ctx: &mut Context<P>) {
        let brokers = &self.settings.nodes.brokers;
        let views = dead.letters.iter().map(|(view, _)| *view).collect();
        let batch = Rc::new(Batch { producer: 0, sequence: 0, views });
        let to = brokers[dead.broker];
        let dead = DeadLetters { broker: (dead.broker + 1) % brokers.len(), ..dead };
        if let Some(ticket) = ticket_of(&mut self.dead_letters, dead, ctx) {
            let partition = self.settings.log.partitions;
            ctx.send(to, ServiceMessage::Produce { ticket, partition, batch, acks: Acks::All });
        }
    }

    /// What is refused is sent again, to another broker, when its time is over.
    pub(super) fn on_dead_letters_taken<P: ServiceHost>(
        &mut self,
        ticket: Ticket,
        is_taken: bool,
        ctx: &mut Context<P>,
    ) {
        let Some(dead) = is_taken.then(|| self.dead_letters.remove(ticket)).flatten() else { return };
        for (view, is_late) in dead.letters.iter() {
            let node = ctx.id();
            ctx.output(ServiceEvent::DeadLetter { node, video: view.video, at: view.at, is_late: *is_late });
        }
        if let Some(part) = self.part(dead.partition, dead.generation) {
            part.dead_letters_open = part.dead_letters_open.saturating_sub(1);
            self.let_go(ctx);
        }
    }
}

/// The views of some batches from an offset on.
fn views_from(batches: &[StoredBatch], from: u64) -> Vec<View> {
    let mut views = Vec::with_capacity(batches.iter().map(|stored| stored.batch.views.len()).sum());
    for stored in batches {
        let known = from.saturating_sub(stored.base) as usize;
        views.extend(stored.batch.views.iter().skip(known));
    }
    views
}
