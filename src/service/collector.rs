//! A collector: takes views from viewers, and writes them to the event log as one of its producers.
//!
//! Models a stateless service with a Kafka producer in it (Kafka 4.0's `RecordAccumulator` and `Sender`). Views
//! of one partition travel in batches: a batch goes when it is full or its first view has waited for the linger
//! time, and no more batches are under way than may be, so that batches grow when the log is slow. A batch that is
//! not answered in time is sent again, to the next replica of the partition; after the delivery time-out it is
//! given up. A viewer is answered when its batch is, and told where its view is: sub-count and offset.
//!
//! ```text
//! views ─► partition 0 │ waiting ▒▒▒▒ │ under way [7] [6] [5] ─► its leader
//!          partition 1 │ waiting ▒    │ under way [3]         ─► its leader
//! ```
//!
//! Idempotence (KIP-98): batches have their producer's number and follow each other in sequence; up to five are
//! under way, sent in order, and sent again in order. It needs acknowledgement by a majority, as Kafka demands.
//! Without it one batch is under way, so that order is kept, and one that is sent again may be there twice.
//!
//! When a batch is given up nobody knows whether it is in the log. Those behind it keep their numbers until they
//! are answered or given up, and nothing new is sent meanwhile; then the producer takes a new number and begins
//! with sequence 1, so that no hole is left (Kafka raises the producer's epoch in its place, KIP-360). One that
//! the log refuses to take next although all before it are answered is given up too: the log has lost what came
//! before. Kafka would send it under the new epoch, and could have it twice.
//!
//! A producer that waits for no answer does not see who leads: it asks from time to time (Kafka's learns it from
//! broken connections, and sooner).
//!
//! A partition is chosen by video and sub-count. Views of a video with more than a share of this collector's views
//! are spread over its sub-counts, in turn; all others go to the first one.

use super::event_log::replicas_of;
use super::hot_videos::HotVideos;
use super::message::{LogRefusal, ServiceEvent, ServiceHost, ServiceMessage, ServiceTimer};
use super::settings::{Acks, ServiceSettings};
use super::view::{Batch, View};
use crate::engine::random::mix;
use crate::engine::{Context, NodeId, PendingTable, SimDuration, SimTime, Stream, Ticket};
use crate::workload::operation::{Cause, Request, Response, Versioned};
use std::collections::VecDeque;
use std::rc::Rc;

/// Batches of an idempotent producer under way to a partition (`max.in.flight.requests.per.connection`).
const BATCHES_MAX: usize = super::event_log::producers::BATCHES_KNOWN;
/// Requests under way to all partitions.
const REQUESTS_MAX: usize = 65_536;
/// What a broker refused is tried again after this (`retry.backoff.ms`).
const BACKOFF: SimDuration = SimDuration::from_ms(100);

/// A view and the viewer who waits for it.
#[derive(Clone, Copy)]
struct Waiting {
    view: View,
    viewer: NodeId,
    since: SimTime,
}

/// A batch that the log has not answered.
#[derive(Clone)]
struct Sent {
    batch: Rc<Batch>,
    viewers: Rc<[NodeId]>,
    /// When its first view came.
    since: SimTime,
    /// Of the request that it is under way with, if it is.
    ticket: Option<Ticket>,
    /// Whether all before it were answered when it was sent.
    was_first: bool,
    /// It goes when all before it are answered: sent earlier it was refused.
    waits_for_turn: bool,
}

/// What a collector has for one partition.
#[derive(Clone)]
struct Lane {
    waiting: VecDeque<Waiting>,
    /// The first of them has waited long enough.
    is_due: bool,
    /// Counts linger timers, so that an old one is known.
    lingers: u32,
    under_way: VecDeque<Sent>,
    producer: u64,
    sequence: u32,
    /// The log has answered a batch of this producer: until then it would take any for the first.
    is_known: bool,
    /// A batch was given up: nothing new is sent until nothing is under way, and then with a new number.
    has_hole: bool,
    /// Whom it takes for the leader, among the replicas.
    leader: NodeId,
    /// Refused since something was taken.
    refusals: u32,
    again_at: SimTime,
}

/// A request under way: its partition and batch.
#[derive(Clone, Copy)]
struct Asked {
    partition: u16,
    sequence: u32,
}

/// One collector.
#[derive(Clone)]
pub struct Collector {
    settings: Rc<ServiceSettings>,
    index: usize,
    lanes: Vec<Lane>,
    requests: PendingTable<Asked>,
    /// Views that it holds.
    held: usize,
    hot: HotVideos,
    /// Numbers of producers so far, and of views of hot videos.
    producers: u32,
    turns: u32,
    is_retry_armed: bool,
}

impl Collector {
    /// The collector at this place of the settings' list.
    pub fn new(settings: Rc<ServiceSettings>, index: usize) -> Collector {
        let lanes = (0..settings.log.partitions).map(|partition| Lane::new(&settings, partition)).collect();
        Collector {
            requests: PendingTable::new(settings.ingest.request_timeout, REQUESTS_MAX),
            settings,
            index,
            lanes,
            held: 0,
            hot: HotVideos::default(),
            producers: 0,
            turns: 0,
            is_retry_armed: false,
        }
    }

    /// Views that it has taken and not answered.
    pub fn held_views(&self) -> usize {
        self.held
    }

    /// Batches under way to the log.
    pub fn batches_under_way(&self) -> usize {
        self.lanes.iter().map(|lane| lane.under_way.len()).sum()
    }

    fn is_idempotent(&self) -> bool {
        self.settings.ingest.is_idempotent && self.settings.ingest.acks == Acks::All
    }

    pub fn on_start<P: ServiceHost>(&mut self, ctx: &mut Context<P>) {
        self.requests.restarted(ctx.incarnation());
        if self.is_idempotent() {
            for partition in 0..self.lanes.len() {
                self.renew_producer(partition, ctx);
            }
        }
        if self.settings.ingest.acks == Acks::None {
            self.arm_retry(self.settings.ingest.request_timeout, ctx);
        }
    }

    /// Another number for this producer, which no run of any collector ever had.
    fn renew_producer<P: ServiceHost>(&mut self, partition: usize, ctx: &mut Context<P>) {
        self.producers += 1;
        let run = u64::from(ctx.incarnation() & 0xFFF_FFFF);
        let lane = &mut self.lanes[partition];
        lane.producer = (self.index as u64 + 1) << 52 | run << 24 | u64::from(self.producers & 0xFF_FFFF);
        lane.sequence = 0;
        lane.is_known = false;
        lane.has_hole = false;
    }

    // Views.

    pub fn on_request<P: ServiceHost>(&mut self, from: NodeId, request: Request, ctx: &mut Context<P>) {
        if self.held >= self.settings.ingest.buffer_views {
            ctx.send(from, Response::failed(request.id, Cause::Overloaded));
            return;
        }
        let now = ctx.monotonic();
        let mut view = View::of(&request);
        view.sub_count = self.sub_count(&view, now);
        if self.settings.ingest.acks == Acks::None {
            ctx.send(from, written(&view, None));
        }
        let partition = self.partition_of(&view);
        self.held += 1;
        let lane = &mut self.lanes[usize::from(partition)];
        lane.waiting.push_back(Waiting { view, viewer: from, since: now });
        if lane.waiting.len() == 1 {
            self.linger(partition, ctx);
        }
        self.pump(partition, ctx);
    }

    /// The machine had too much to do for this one.
    pub fn on_shed<P: ServiceHost>(&mut self, from: NodeId, request: Request, ctx: &mut Context<P>) {
        ctx.send(from, Response::failed(request.id, Cause::Overloaded));
    }

    fn sub_count(&mut self, view: &View, now: SimTime) -> u8 {
        let sub_counts = self.settings.tables.sizes.sub_counts;
        if sub_counts <= 1 {
            return 0;
        }
        self.hot.note(view.video, self.settings.ingest.hot_share, now);
        if !self.hot.is_hot(view.video) {
            return 0;
        }
        self.turns = self.turns.wrapping_add(1);
        (self.turns % sub_counts) as u8
    }

    fn partition_of(&self, view: &View) -> u16 {
        let key = u64::from(view.video) << 8 | u64::from(view.sub_count);
        (mix(key) % u64::from(self.settings.log.partitions)) as u16
    }

    /// Waits until the first view that waits has waited long enough.
    fn linger<P: ServiceHost>(&mut self, partition: u16, ctx: &mut Context<P>) {
        let lane = &mut self.lanes[usize::from(partition)];
        lane.lingers = lane.lingers.wrapping_add(1);
        let due = lane.waiting.front().map(|first| first.since + self.settings.ingest.linger);
        lane.is_due = due.is_some_and(|due| due <= ctx.monotonic());
        if let Some(due) = due.filter(|_| !lane.is_due) {
            ctx.set_timer_at(due, ServiceTimer::Linger { partition, number: lane.lingers });
        }
    }

    // Batches.

    /// Sends what can be sent to a partition.
    fn pump<P: ServiceHost>(&mut self, partition: u16, ctx: &mut Context<P>) {
        let place = usize::from(partition);
        if self.lanes[place].has_hole && self.lanes[place].under_way.is_empty() {
            self.renew_producer(place, ctx);
        }
        let again_at = self.lanes[place].again_at;
        if ctx.monotonic() < again_at {
            self.arm_retry(again_at.since(ctx.monotonic()), ctx);
            return;
        }
        while self.gather(partition, ctx) {}
        for number in 0..self.lanes[place].under_way.len() {
            let sent = &self.lanes[place].under_way[number];
            if sent.ticket.is_some() {
                continue;
            }
            if sent.waits_for_turn && number > 0 {
                break;
            }
            self.send(partition, number, ctx);
        }
        if let Some(at) = self.requests.arm() {
            ctx.set_timer_at(at, ServiceTimer::TimeOut);
        }
    }

    /// Makes a batch of what waits, if it is time and there may be one more; whether it did.
    fn gather<P: ServiceHost>(&mut self, partition: u16, ctx: &mut Context<P>) -> bool {
        let ingest = &self.settings.ingest;
        let (views_max, acks) = (ingest.batch_views.max(1), ingest.acks);
        let is_idempotent = self.is_idempotent();
        let lane = &mut self.lanes[usize::from(partition)];
        let batches_max = if is_idempotent && lane.is_known { BATCHES_MAX } else { 1 };
        let is_time = lane.waiting.len() >= views_max || (lane.is_due && !lane.waiting.is_empty());
        if !is_time || lane.has_hole || (lane.under_way.len() >= batches_max && acks != Acks::None) {
            return false;
        }
        let count = lane.waiting.len().min(views_max);
        let taken: Vec<Waiting> = lane.waiting.drain(..count).collect();
        lane.sequence += 1;
        let batch = Rc::new(Batch {
            producer: lane.producer,
            sequence: lane.sequence,
            views: taken.iter().map(|waiting| waiting.view).collect(),
        });
        if acks == Acks::None {
            self.held -= count;
            let (leader, ticket) = (lane.leader, Ticket::default());
            ctx.send(leader, ServiceMessage::Produce { ticket, partition, batch, acks });
        } else {
            lane.under_way.push_back(Sent {
                batch,
                viewers: taken.iter().map(|waiting| waiting.viewer).collect(),
                since: taken[0].since,
                ticket: None,
                was_first: false,
                waits_for_turn: false,
            });
        }
        self.linger(partition, ctx);
        true
    }

    fn send<P: ServiceHost>(&mut self, partition: u16, number: usize, ctx: &mut Context<P>) {
        let lane = &mut self.lanes[usize::from(partition)];
        let sent = &mut lane.under_way[number];
        let asked = Asked { partition, sequence: sent.batch.sequence };
        // With that many under way the next one waits until one has timed out.
        let Ok(ticket) = self.requests.insert(ctx.monotonic(), asked) else {
            return;
        };
        sent.ticket = Some(ticket);
        sent.was_first = number == 0;
        // One without views asks who leads.
        let acks = if sent.batch.views.is_empty() { Acks::Leader } else { self.settings.ingest.acks };
        let batch = Rc::clone(&sent.batch);
        ctx.send(lane.leader, ServiceMessage::Produce { ticket, partition, batch, acks });
    }

    /// Everything under way to a partition is to be sent again, in order.
    fn call_back(&mut self, partition: u16) {
        for sent in &mut self.lanes[usize::from(partition)].under_way {
            sent.ticket.take().map(|ticket| self.requests.remove(ticket));
            sent.waits_for_turn = false;
        }
    }

    pub fn on_message<P: ServiceHost>(&mut self, _: NodeId, message: ServiceMessage, ctx: &mut Context<P>) {
        let ServiceMessage::Produced { ticket, outcome } = message else {
            return;
        };
        let Some(Asked { partition, sequence }) = self.requests.remove(ticket) else {
            return;
        };
        let lane = &mut self.lanes[usize::from(partition)];
        let Some(number) = lane.under_way.iter().position(|sent| sent.batch.sequence == sequence) else {
            return;
        };
        match outcome {
            Ok(base) => {
                lane.refusals = 0;
                lane.is_known = true;
                if let Some(sent) = lane.under_way.remove(number) {
                    self.answer(&sent, base, ctx);
                }
            }
            Err(refusal) => self.on_refused(partition, number, refusal, ctx),
        }
        self.pump(partition, ctx);
    }

    fn answer<P: ServiceHost>(&mut self, sent: &Sent, base: u64, ctx: &mut Context<P>) {
        self.held -= sent.viewers.len();
        for ((view, viewer), offset) in sent.batch.views.iter().zip(sent.viewers.iter()).zip(base..) {
            ctx.send(*viewer, written(view, Some(offset)));
        }
    }

    fn on_refused<P: ServiceHost>(
        &mut self,
        partition: u16,
        number: usize,
        refusal: LogRefusal,
        ctx: &mut Context<P>,
    ) {
        let place = usize::from(partition);
        let lane = &mut self.lanes[place];
        lane.under_way[number].ticket = None;
        match refusal {
            LogRefusal::OutOfSequence if lane.under_way[number].was_first => self.give_up(partition, 0, ctx),
            LogRefusal::OutOfSequence => lane.under_way[number].waits_for_turn = true,
            LogRefusal::NotLeader { hint } => {
                lane.refusals += 1;
                let is_known = hint.filter(|hint| *hint != lane.leader && lane.refusals == 1);
                if is_known.is_none() {
                    // Nobody knows, or two send it to each other.
                    lane.again_at = ctx.monotonic() + BACKOFF;
                }
                lane.leader = hint.unwrap_or_else(|| next_replica(&self.settings, partition, lane.leader));
                self.call_back(partition);
            }
            _ => {
                lane.again_at = ctx.monotonic() + BACKOFF;
                self.call_back(partition);
            }
        }
        self.expire(partition, ctx);
    }

    /// Gives the batches up that have taken too long, and views that waited for too long.
    fn expire<P: ServiceHost>(&mut self, partition: u16, ctx: &mut Context<P>) {
        let (now, timeout) = (ctx.monotonic(), self.settings.ingest.delivery_timeout);
        let place = usize::from(partition);
        while let Some(number) =
            self.lanes[place].under_way.iter().position(|sent| now.since(sent.since) >= timeout)
        {
            self.give_up(partition, number, ctx);
        }
        let mut lost = 0;
        let waiting = &mut self.lanes[place].waiting;
        while let Some(late) = waiting.pop_front_if(|waiting| now.since(waiting.since) >= timeout) {
            // It was never sent.
            ctx.send(late.viewer, Response::failed(late.view.id, Cause::TimedOut));
            lost += 1;
        }
        self.held -= lost;
        if lost > 0 {
            ctx.output(ServiceEvent::BatchLost { node: ctx.id(), views: lost as u32 });
        }
    }

    /// Nobody knows what has become of a batch.
    fn give_up<P: ServiceHost>(&mut self, partition: u16, number: usize, ctx: &mut Context<P>) {
        let is_idempotent = self.is_idempotent();
        let lane = &mut self.lanes[usize::from(partition)];
        let Some(sent) = lane.under_way.remove(number) else {
            return;
        };
        lane.has_hole |= is_idempotent;
        self.held -= sent.viewers.len();
        sent.ticket.map(|ticket| self.requests.remove(ticket));
        for (view, viewer) in sent.batch.views.iter().zip(sent.viewers.iter()) {
            ctx.send(*viewer, Response::unknown(view.id, Cause::TimedOut));
        }
        if !sent.viewers.is_empty() {
            ctx.output(ServiceEvent::BatchLost { node: ctx.id(), views: sent.viewers.len() as u32 });
        }
    }

    // Timers.

    pub fn on_timer<P: ServiceHost>(&mut self, timer: ServiceTimer, ctx: &mut Context<P>) {
        match timer {
            ServiceTimer::Linger { partition, number } => {
                let lane = &mut self.lanes[usize::from(partition)];
                if lane.lingers == number {
                    lane.is_due = true;
                    self.pump(partition, ctx);
                }
            }
            ServiceTimer::TimeOut => self.on_time_out(ctx),
            ServiceTimer::Retry => {
                self.is_retry_armed = false;
                if self.settings.ingest.acks == Acks::None {
                    self.ask_who_leads(ctx);
                }
                for partition in 0..self.settings.log.partitions {
                    self.expire(partition, ctx);
                    self.pump(partition, ctx);
                }
            }
            _ => {}
        }
    }

    fn arm_retry<P: ServiceHost>(&mut self, after: SimDuration, ctx: &mut Context<P>) {
        if !self.is_retry_armed {
            self.is_retry_armed = true;
            ctx.set_timer(after, ServiceTimer::Retry);
        }
    }

    /// Brokers that did not answer in time: connections to them are closed, and others tried.
    fn on_time_out<P: ServiceHost>(&mut self, ctx: &mut Context<P>) {
        self.requests.timer_fired();
        while let Some(Asked { partition, sequence }) = self.requests.pop_expired(ctx.monotonic()) {
            let lane = &mut self.lanes[usize::from(partition)];
            if lane.under_way.iter().any(|sent| sent.batch.sequence == sequence) {
                ctx.reconnect(lane.leader);
                lane.leader = next_replica(&self.settings, partition, lane.leader);
                lane.refusals = 0;
                self.call_back(partition);
                self.expire(partition, ctx);
                self.pump(partition, ctx);
            }
        }
        if let Some(at) = self.requests.arm() {
            ctx.set_timer_at(at, ServiceTimer::TimeOut);
        }
    }

    /// Where no answer is waited for: a batch without views goes to each partition, and is answered.
    fn ask_who_leads<P: ServiceHost>(&mut self, ctx: &mut Context<P>) {
        for lane in self.lanes.iter_mut().filter(|lane| lane.under_way.is_empty()) {
            lane.sequence += 1;
            lane.under_way.push_back(Sent {
                batch: Rc::new(Batch { producer: 0, sequence: lane.sequence, views: Rc::from([]) }),
                viewers: Rc::from([]),
                since: ctx.monotonic(),
                ticket: None,
                was_first: false,
                waits_for_turn: false,
            });
        }
        self.arm_retry(self.settings.ingest.request_timeout, ctx);
    }

    /// Core time of a view.
    pub fn service_time(&self, stream: &mut Stream) -> SimDuration {
        self.settings.ingest.service.sample(stream)
    }
}

impl Lane {
    fn new(settings: &ServiceSettings, partition: u16) -> Lane {
        Lane {
            waiting: VecDeque::new(),
            is_due: false,
            lingers: 0,
            under_way: VecDeque::new(),
            producer: 0,
            sequence: 0,
            is_known: false,
            has_hole: false,
            leader: replicas_of(settings, partition).next().expect("a partition has replicas"),
            refusals: 0,
            again_at: SimTime::ZERO,
        }
    }
}

/// The replica to try after this one.
fn next_replica(settings: &ServiceSettings, partition: u16, after: NodeId) -> NodeId {
    let mut replicas = replicas_of(settings, partition).skip_while(|node| *node != after).skip(1);
    let next = replicas.next().or_else(|| replicas_of(settings, partition).next());
    next.expect("a partition has replicas")
}

/// What a viewer is told: the sub-count that its view went to, and where it is in the log.
fn written(view: &View, offset: Option<u64>) -> Response {
    let version = offset.map_or(0, |offset| offset + 1);
    Response::ok(view.id, Versioned { value: view.sub_count.into(), version }, 0)
}
