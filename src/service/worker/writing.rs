//! Writing rows to a database that may be slow, or not there.

use super::Worker;
use super::counting::RowKind;
use crate::engine::lru::LruList;
use crate::engine::table::Table;
use crate::engine::{Context, SimDuration, SimTime};
use crate::service::message::{ServiceEvent, ServiceHost, ServiceTimer, ServiceToken};
use crate::service::settings::{Delivery, ServiceSettings};
use crate::service::view::VIEW_BYTES;
use crate::workload::operation::{KeyId, OperationId, OperationKind, Outcome, Request, Response};
use std::collections::VecDeque;
use std::rc::Rc;

/// Bytes of a row of counts, and of a rank.
const ROW_BYTES: u32 = 32;
/// Rows that go to disk, or come back, at a time.
const SPILLED_TOGETHER: usize = 256;
/// Reading or writing so many in sequence: 8 KB at 200 MB/s, and a seek.
const SPILL_TIME: SimDuration = SimDuration(200_000);
/// An endpoint of the database that did not answer is avoided for so long.
const AVOID_FOR: SimDuration = SimDuration::from_ms(1_000);
/// Rounds of failures in a row after which the database is said to be in trouble.
const TROUBLE_AFTER: u32 = 3;

/// A row that waits to be written: partition, generation, key.
type Waiting = (u16, u64, KeyId);

/// What is asked of the database.
#[derive(Clone, Copy)]
enum Asked {
    /// A row is written, with this value, which covers so much of what is pending.
    Write { row: Waiting, value: u64, covered: u64 },
    /// A video is looked up, for a chunk.
    LookUp { partition: u16, generation: u64, video: KeyId },
}

/// Asked, when it is given up, and of which endpoint.
#[derive(Clone, Copy)]
struct Open {
    asked: Asked,
    until: SimTime,
    endpoint: usize,
    is_metadata: bool,
}

/// What a worker has to do with its database.
#[derive(Clone)]
pub(super) struct Store {
    client: u32,
    next_number: u64,
    open: Table<Open>,
    writes_open: usize,
    timer_set: bool,
    memory: VecDeque<Waiting>,
    disk: VecDeque<Waiting>,
    /// Rows that are on their way to disk together; and whether some come back.
    to_disk: usize,
    comes_back: bool,
    has_spilled: bool,
    pub holds_back: bool,
    /// Rounds of failures in a row, and until when nothing is tried.
    failures: u32,
    blocked_until: SimTime,
    avoided: Option<(usize, SimTime)>,
    /// Videos that were looked up.
    remembered: Option<(LruList, usize)>,
}

impl Store {
    pub fn new(settings: &Rc<ServiceSettings>, client: u32) -> Store {
        let videos = settings.tables.sizes.videos as usize;
        Store {
            client,
            next_number: 1,
            open: Table::default(),
            writes_open: 0,
            timer_set: false,
            memory: VecDeque::new(),
            disk: VecDeque::new(),
            to_disk: 0,
            comes_back: false,
            has_spilled: false,
            holds_back: false,
            failures: 0,
            blocked_until: SimTime::ZERO,
            avoided: None,
            remembered: settings.processing.lookups.map(|entries| (LruList::new(videos), entries)),
        }
    }

    /// Numbers of an earlier run are not given again: late answers to it mean nothing to this one.
    pub fn restarted(&mut self, incarnation: u32) {
        self.next_number = (u64::from(incarnation) << 28) + 1;
    }

    pub fn waiting(&self) -> (usize, usize) {
        (self.memory.len(), self.disk.len())
    }

    pub fn is_in_trouble(&self) -> bool {
        self.failures >= TROUBLE_AFTER
    }

    pub fn looks_up(&self) -> bool {
        self.remembered.is_some()
    }

    /// When the oldest request is given up, if no timer is set for it.
    pub fn arm(&mut self) -> Option<SimTime> {
        let first = self.open.first_key().filter(|_| !self.timer_set)?;
        self.timer_set = true;
        self.open.get(first).map(|open| open.until)
    }

    fn send<P: ServiceHost>(
        &mut self,
        settings: &ServiceSettings,
        (asked, kind, key): (Asked, OperationKind, KeyId),
        (value, bytes): (u64, u32),
        ctx: &mut Context<P>,
    ) {
        let is_metadata = matches!(asked, Asked::LookUp { .. });
        let endpoints = if is_metadata { &settings.nodes.metadata } else { &settings.nodes.database };
        let mut endpoint = ctx.random().below(endpoints.len() as u32) as usize;
        if self.avoided.is_some_and(|(avoided, until)| avoided == endpoint && ctx.monotonic() < until) {
            endpoint = (endpoint + 1) % endpoints.len();
        }
        let id = OperationId::new(self.client, self.next_number);
        let until = ctx.monotonic() + settings.processing.write_timeout;
        self.open.entry(self.next_number, || Open { asked, until, endpoint, is_metadata });
        self.next_number += 1;
        ctx.send(endpoints[endpoint], Request { value, ..Request::point(id, kind, key, bytes) });
        if let Some(at) = self.arm() {
            ctx.set_timer_at(at, ServiceTimer::TimeOut);
        }
    }
}

impl Worker {
    /// Everything that was counted and is not stored is to be written.
    pub(super) fn flush<P: ServiceHost>(&mut self, ctx: &mut Context<P>) {
        let writes_tops = self.settings.processing.writes_tops;
        let mut due = Vec::new();
        for part in self.parts.values_mut() {
            if writes_tops {
                part.counts.rank();
            }
            due.push((part.partition, part.counts.unwritten()));
        }
        for (partition, keys) in due {
            self.enqueue(partition, keys, ctx);
        }
        self.write(ctx);
    }

    /// Rows wait to be written: in memory, or on disk when that is full.
    pub(super) fn enqueue<P: ServiceHost>(&mut self, partition: u16, keys: Vec<KeyId>, ctx: &mut Context<P>) {
        let settings = Rc::clone(&self.settings);
        let processing = &settings.processing;
        let Some(part) = self.parts.get_mut(u64::from(partition)) else { return };
        let generation = part.generation;
        for key in keys {
            let Some(row) = part.counts.rows.get_mut(u64::from(key)) else { continue };
            if row.is_queued {
                continue;
            }
            row.is_queued = true;
            let waiting = (partition, generation, key);
            let store = &mut self.store;
            if store.memory.len() < processing.buffer_rows && store.disk.is_empty() {
                store.memory.push_back(waiting);
                continue;
            }
            if processing.spill_rows > 0 {
                store.to_disk += 1;
                if !std::mem::replace(&mut store.has_spilled, true) {
                    ctx.output(ServiceEvent::Spills { node: ctx.id() });
                }
                if store.to_disk == SPILLED_TOGETHER {
                    store.to_disk = 0;
                    ctx.disk_transfer(SPILL_TIME, ServiceToken::Spilled);
                }
            }
            store.disk.push_back(waiting);
        }
        if self.store.disk.len() > processing.spill_rows && !self.store.holds_back {
            self.store.holds_back = true;
            ctx.output(ServiceEvent::HoldsBack { node: ctx.id() });
        }
    }

    /// Writes as many rows as may be under way.
    pub(super) fn write<P: ServiceHost>(&mut self, ctx: &mut Context<P>) {
        let settings = Rc::clone(&self.settings);
        let processing = &settings.processing;
        while self.store.writes_open < processing.writes_in_flight
            && ctx.monotonic() >= self.store.blocked_until
        {
            let Some(waiting) = self.store.memory.pop_front() else { break };
            let (partition, generation, key) = waiting;
            let Some(part) = self.part(partition, generation) else { continue };
            let leaves = part.is_leaving && processing.delivery != Delivery::AtMostOnce;
            let to_write = part.counts.to_write(key);
            let Some(row) = part.counts.rows.get_mut(u64::from(key)) else { continue };
            row.is_queued = false;
            // Whoever takes the partition over writes it.
            let Some((value, covered)) = to_write.filter(|_| !leaves && !row.is_writing) else { continue };
            row.is_writing = true;
            let is_added = processing.delivery != Delivery::EffectivelyOnce;
            let (kind, bytes) = match row.kind {
                RowKind::Count if is_added => (OperationKind::Add, ROW_BYTES),
                RowKind::Count => (OperationKind::Raise, ROW_BYTES),
                RowKind::Raw => (OperationKind::Raise, VIEW_BYTES * covered as u32),
                RowKind::Top => (OperationKind::Write, ROW_BYTES),
            };
            self.store.writes_open += 1;
            let asked = Asked::Write { row: waiting, value, covered };
            self.store.send(&settings, (asked, kind, key), (value, bytes), ctx);
        }
        self.bring_back(ctx);
    }

    /// Rows on disk come back when there is room.
    fn bring_back<P: ServiceHost>(&mut self, ctx: &mut Context<P>) {
        let processing = &self.settings.processing;
        let store = &mut self.store;
        let has_room = store.memory.len() <= processing.buffer_rows / 2;
        if has_room && !store.disk.is_empty() && !store.comes_back {
            store.comes_back = true;
            if processing.spill_rows > 0 {
                ctx.disk_transfer(SPILL_TIME, ServiceToken::Unspilled);
            } else {
                self.on_unspilled(ctx);
            }
        }
    }

    pub(super) fn on_unspilled<P: ServiceHost>(&mut self, ctx: &mut Context<P>) {
        let spill_rows = self.settings.processing.spill_rows;
        let store = &mut self.store;
        store.comes_back = false;
        for _ in 0..SPILLED_TOGETHER {
            if let Some(waiting) = store.disk.pop_front() {
                store.memory.push_back(waiting);
            }
        }
        let node = ctx.id();
        if store.disk.is_empty() && std::mem::take(&mut store.has_spilled) {
            store.to_disk = 0;
            ctx.output(ServiceEvent::SpillEmpty { node });
        }
        if store.holds_back && store.disk.len() <= spill_rows / 2 {
            store.holds_back = false;
            ctx.output(ServiceEvent::GoesOn { node });
            self.fetch_all(ctx);
        }
        self.write(ctx);
    }

    /// Asks for a video's channel; false if it is remembered.
    pub(super) fn look_up_video<P: ServiceHost>(
        &mut self,
        video: KeyId,
        (partition, generation): (u16, u64),
        ctx: &mut Context<P>,
    ) -> bool {
        let settings = Rc::clone(&self.settings);
        let Some((remembered, _)) = &mut self.store.remembered else { return false };
        if remembered.contains(video) {
            remembered.use_now(video);
            return false;
        }
        let asked = Asked::LookUp { partition, generation, video };
        let key = settings.metadata_tables.video(video);
        self.store.send(&settings, (asked, OperationKind::Read, key), (0, 0), ctx);
        true
    }

    /// The database has answered.
    pub(super) fn on_answer<P: ServiceHost>(&mut self, response: &Response, ctx: &mut Context<P>) {
        if let Some(open) = self.store.open.remove(response.id.number()) {
            self.ended(open, response.outcome, ctx);
        }
    }

    pub(super) fn writes_timed_out<P: ServiceHost>(&mut self, ctx: &mut Context<P>) {
        let now = ctx.monotonic();
        self.store.timer_set = false;
        while let Some(first) = self.store.open.first_key() {
            let Some(open) = self.store.open.get(first).copied().filter(|open| open.until <= now) else {
                break;
            };
            self.store.open.remove(first);
            self.store.avoided = Some((open.endpoint, now + AVOID_FOR));
            self.ended(open, Outcome::TIMED_OUT, ctx);
        }
    }

    fn ended<P: ServiceHost>(&mut self, open: Open, outcome: Outcome, ctx: &mut Context<P>) {
        match outcome {
            Outcome::Ok if !open.is_metadata => self.database_answered(ctx),
            Outcome::Ok => {}
            _ => self.database_failed(ctx),
        }
        match open.asked {
            Asked::LookUp { partition, generation, video } => {
                // What cannot be looked up now is counted without: it will be asked for again.
                if let (Outcome::Ok, Some((remembered, entries))) = (outcome, &mut self.store.remembered)
                    && *entries > 0
                {
                    remembered.use_now(video);
                    if remembered.len() > *entries
                        && let Some(oldest) = remembered.oldest()
                    {
                        remembered.remove(oldest);
                    }
                }
                self.looked_up(partition, generation, ctx);
            }
            Asked::Write { row, value, covered } => {
                self.store.writes_open -= 1;
                self.write_ended(row, (value, covered), outcome, ctx);
                self.write(ctx);
                self.let_go(ctx);
                self.look_at_job(ctx);
            }
        }
    }

    fn write_ended<P: ServiceHost>(
        &mut self,
        (partition, generation, key): Waiting,
        (value, covered): (u64, u64),
        outcome: Outcome,
        ctx: &mut Context<P>,
    ) {
        let gives_up = self.settings.processing.delivery == Delivery::AtMostOnce
            && matches!(outcome, Outcome::Unknown(_));
        let Some(part) = self.part(partition, generation) else { return };
        part.is_changed = true;
        if outcome.is_ok() || gives_up {
            let followed = part.counts.stored(key, value, covered);
            let is_left = part.counts.rows.get(u64::from(key)).is_some_and(|row| row.pending > 0);
            for at in followed {
                ctx.output(ServiceEvent::Followed { after: ctx.monotonic().since(at) });
            }
            if is_left && !self.settings.processing.aggregates {
                self.enqueue(partition, vec![key], ctx);
            }
        } else {
            if let Some(row) = part.counts.rows.get_mut(u64::from(key)) {
                row.is_writing = false;
            }
            self.enqueue(partition, vec![key], ctx);
        }
        ctx.output(ServiceEvent::Written { is_retry: !outcome.is_ok() });
    }

    fn database_answered<P: ServiceHost>(&mut self, ctx: &mut Context<P>) {
        if self.store.is_in_trouble() {
            ctx.output(ServiceEvent::StoreBack { node: ctx.id() });
        }
        self.store.failures = 0;
    }

    /// It is left alone for a while, longer each time.
    fn database_failed<P: ServiceHost>(&mut self, ctx: &mut Context<P>) {
        let processing = &self.settings.processing;
        let now = ctx.monotonic();
        if now < self.store.blocked_until {
            return;
        }
        self.store.failures += 1;
        let doublings = (self.store.failures - 1).min(20);
        let full = SimDuration(processing.backoff_first.0.saturating_mul(1 << doublings))
            .min(processing.backoff_max);
        // Between half of it and all of it, so that workers do not come back together.
        let wait = full.scaled(0.5 + 0.5 * ctx.random().unit());
        self.store.blocked_until = now + wait;
        ctx.set_timer(wait, ServiceTimer::Retry);
        if self.store.failures == TROUBLE_AFTER {
            ctx.output(ServiceEvent::StoreTrouble { node: ctx.id() });
        }
    }
}
