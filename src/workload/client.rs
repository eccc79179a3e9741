//! A client process: sends operations, waits, gives up.
//!
//! It picks one of the cluster's endpoints at random for each operation and
//! avoids, for a while, one that did not answer in time. It does not retry: an
//! operation that timed out may have happened, and its outcome stays unknown.
//! Where the cluster cannot count, it counts itself: it reads a row, makes of it what
//! it wants, and writes that back ([`Updates`]). If it is asked to, it reads what it wrote at some delays after the
//! acknowledgement ([`probe`](super::probe)).
//!
//! Simplified: it has a machine without limits, and no connection set-up.

use super::generator::Generator;
use super::operation::{
    Cause, Got, HEADER_BYTES, KeyId, OperationId, OperationKind, Outcome, Put, Request, Response, ServedBy,
    Versioned,
};
use super::probe::{Probe, ProbeSettings, Prober};
use crate::engine::{Context, NodeId, PendingTable, Process, Purpose, SimDuration, SimTime, Stream, Ticket};
use std::collections::VecDeque;
use std::rc::Rc;

/// How long an endpoint that did not answer is avoided.
pub const AVOID_FOR: SimDuration = SimDuration::from_ms(1_000);

/// What all clients of a cluster share.
#[derive(Clone)]
pub struct ClientSettings {
    /// Where operations can be sent.
    pub endpoints: Vec<NodeId>,
    /// Which of them are asked, and for what, until the cluster says something else.
    pub topology: Rc<Topology>,
    /// The region of each endpoint, if clients ask in their own region only.
    pub regions: Option<Vec<u8>>,
    pub timeout: SimDuration,
    pub in_flight_max: usize,
    /// Whether reads say what this client last wrote to their key, so that they can wait for it.
    pub sends_session: bool,
    /// Reads that follow each acknowledged write; those that are due are at most `in_flight_max`, and a
    /// write whose reads would be more is not followed.
    pub probes: Option<ProbeSettings>,
    pub updates: Updates,
    /// If a service takes reads and writes apart, and how what was written is followed.
    pub service: Option<ServiceEndpoints>,
}

/// A service that takes writes in one place and reads in another.
#[derive(Clone, Copy, Debug)]
pub struct ServiceEndpoints {
    /// The first so many endpoints take writes, the others reads.
    pub writers: u16,
    /// Every so many writes are followed to where they can be read; none if zero.
    pub follow_every: u64,
    /// Length of the windows that writes are counted in, and how many there are.
    pub window: SimDuration,
    pub windows: u32,
}

/// A write that is followed: it is read again and again until it is in what is read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Follow {
    pub key: KeyId,
    /// When it was asked for.
    pub at: SimTime,
    /// What a read is asked with, and what it must at least answer.
    pub place: u64,
    pub least: u64,
}

/// Time between reads that follow a write, and after which it is given up.
const FOLLOW_EVERY: SimDuration = SimDuration::from_ms(100);
const FOLLOW_FOR: SimDuration = SimDuration::from_ms(600_000);
/// Writes that one client follows at a time; others are not followed.
const FOLLOWED_MAX: usize = 16;

/// How clients change rows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Updates {
    /// By one request: the cluster can overwrite, and count.
    Direct,
    /// Whoever counts reads first, and writes back what it makes of that.
    ReadFirst,
    /// Whatever writes reads first, and brings the context of that back (siblings).
    WithContext,
    /// Whoever counts reads first, and writes on the condition that nothing has changed; if it has, again.
    CompareAndSet,
}

/// Writes on a condition that one operation tries at most.
const TRIES_MAX: u8 = 16;

/// Which endpoints clients ask. A ring that has changed tells them, as Cassandra's nodes push changes of the
/// topology to drivers.
#[derive(Clone, Debug)]
pub struct Topology {
    /// Changes before this one: of two, the one with more counts.
    pub number: u32,
    /// Places of the endpoints that are asked, ascending.
    pub asked: Vec<u16>,
    /// Where each key is, if clients know it and ask there.
    pub owners: Option<Owners>,
}

/// The endpoints that have each key, equally many of them.
#[derive(Clone, Debug)]
pub struct Owners {
    endpoints: Rc<Vec<u16>>,
    per_key: usize,
}

impl Owners {
    /// `endpoints` are key by key, `per_key` of each.
    pub fn new(endpoints: Vec<u16>, per_key: usize) -> Owners {
        Owners { endpoints: Rc::new(endpoints), per_key }
    }

    fn of(&self, key: KeyId) -> &[u16] {
        let first = key as usize * self.per_key;
        self.endpoints.get(first..first + self.per_key).unwrap_or_default()
    }
}

/// Writes of its own that a client remembers, to be able to ask for them.
const SESSION_WRITES_MAX: usize = 64;

/// What a client sets timers for.
#[derive(Clone, Copy, Debug)]
pub enum ClientTimer {
    /// The next operation is due, unless the load has changed since.
    Arrival { generation: u32 },
    /// The oldest operation may have run out of time.
    TimeOut,
    /// A read that follows a write is due; one that comes too late, after a pause, says nothing.
    Probe { key: KeyId, probe: Probe, due: SimTime },
    /// A write that is followed is read again.
    Follow(Follow),
}

/// What a client can be told from outside.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ClientControl {
    LoadFactorBegins(f64),
    LoadFactorEnds(f64),
    HotShareBegins(f64),
    HotShareEnds(f64),
    /// This share of what it reports to a service makes no sense.
    PoisonBegins(f64),
    PoisonEnds(f64),
}

/// What a client reports; the history is made of these.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ClientEvent {
    Invoked {
        id: OperationId,
        kind: OperationKind,
        key: KeyId,
    },
    /// An operation is about to write, having read this value (zero: nothing), the first or a further one.
    Basis {
        id: OperationId,
        key: KeyId,
        value: u64,
        is_first: bool,
    },
    /// A read is about to complete, and saw this value as well.
    Saw {
        id: OperationId,
        value: u64,
    },
    Completed(Completed),
    /// What was written can be read, so long after it was asked for.
    Shown {
        after: SimDuration,
    },
}

/// A finished operation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Completed {
    pub id: OperationId,
    pub kind: OperationKind,
    pub key: KeyId,
    pub invoked: SimTime,
    pub outcome: Outcome,
    pub result: Versioned,
    /// Who was asked.
    pub endpoint: NodeId,
    /// Who answered.
    pub served_by: ServedBy,
    /// The shard that executed it; zero in a cluster without shards.
    pub shard: u16,
    /// The write that it followed, if it is a read that follows one.
    pub probe: Option<Probe>,
    /// Whether it makes sense to whoever is to count it.
    pub is_malformed: bool,
}

impl ClientEvent {
    /// A word for the trace hash.
    pub fn word(&self) -> u64 {
        match self {
            ClientEvent::Invoked { id, kind, key } => id.0 ^ u64::from(*key) << 32 ^ *kind as u64,
            ClientEvent::Basis { id, value, is_first, .. } => {
                id.0 ^ value.rotate_left(23) ^ u64::from(*is_first) << 60 ^ 1 << 59
            }
            ClientEvent::Saw { id, value } => id.0 ^ value.rotate_left(23) ^ 1 << 58,
            ClientEvent::Shown { after } => after.0 ^ 1 << 57,
            ClientEvent::Completed(done) => {
                let result = done.result.value ^ done.result.version.rotate_left(17);
                done.id.0 ^ result.rotate_left(7) ^ done.outcome.word() << 56
            }
        }
    }
}

/// A process that can contain clients.
pub trait ClientHost:
    Process<Message: From<Request> + From<Put>, Timer: From<ClientTimer>, Output: From<ClientEvent>>
{
}
impl<P> ClientHost for P where
    P: Process<Message: From<Request> + From<Put>, Timer: From<ClientTimer>, Output: From<ClientEvent>>
{
}

#[derive(Clone)]
struct Waiting {
    request: Request,
    invoked: SimTime,
    endpoint: u16,
    probe: Option<Probe>,
    follow: Option<Follow>,
    /// It is to write, and reads what is there first.
    is_reading: bool,
    /// Writes so far.
    tries: u8,
}

/// One client process.
#[derive(Clone)]
pub struct Client {
    settings: Rc<ClientSettings>,
    generator: Generator,
    endpoint_stream: Stream,
    pending: PendingTable<Waiting>,
    /// The ticket of an operation is found by its number: tickets are dense in time.
    tickets: VecDeque<Ticket>,
    first_ticket: u64,
    /// Keys and versions of the latest acknowledged writes, if reads say so; the oldest first.
    session: VecDeque<(KeyId, u64)>,
    avoid_until: Vec<SimTime>,
    topology: Rc<Topology>,
    region: u8,
    prober: Option<Prober>,
    /// Reads that follow a write and are not due yet.
    probes_due: usize,
    /// Writes that are followed.
    followed: usize,
    poison_shares: Vec<f64>,
    next_number: u64,
    load_factors: Vec<f64>,
    hot_shares: Vec<f64>,
    /// Generated traffic: work left before the next arrival, as of `work_as_of`.
    work_left: f64,
    work_as_of: SimTime,
    arrival_generation: u32,
}

impl Client {
    pub fn new(
        settings: Rc<ClientSettings>,
        generator: Generator,
        seed: u64,
        (name, region): (&str, u8),
    ) -> Client {
        Client {
            pending: PendingTable::new(settings.timeout, settings.in_flight_max),
            tickets: VecDeque::new(),
            first_ticket: 1,
            session: VecDeque::new(),
            region,
            avoid_until: vec![SimTime::ZERO; settings.endpoints.len()],
            topology: Rc::clone(&settings.topology),
            endpoint_stream: Stream::named(seed, Purpose::Endpoint, name),
            prober: settings.probes.clone().map(|probes| Prober::new(probes, seed, name)),
            probes_due: 0,
            followed: 0,
            poison_shares: Vec::new(),
            settings,
            generator,
            next_number: 1,
            load_factors: Vec::new(),
            hot_shares: Vec::new(),
            work_left: 0.0,
            work_as_of: SimTime::ZERO,
            arrival_generation: 0,
        }
    }

    /// Operations under way.
    pub fn in_flight(&self) -> usize {
        self.pending.len()
    }

    /// The operations under way, as they would end if the run ended now.
    pub fn open_operations(&self) -> impl Iterator<Item = Completed> + '_ {
        self.pending.iter().map(|waiting| self.ended(waiting, Outcome::Unknown(Cause::RunEnded)))
    }

    pub fn load_factor(&self) -> f64 {
        self.load_factors.iter().product()
    }

    pub fn on_start<P: ClientHost>(&mut self, ctx: &mut Context<P>) {
        if let Some(gap) = self.generator.next_gap() {
            self.work_left = gap;
            self.work_as_of = ctx.monotonic();
        }
        self.arm_arrival(ctx);
    }

    pub fn on_timer<P: ClientHost>(&mut self, timer: ClientTimer, ctx: &mut Context<P>) {
        match timer {
            ClientTimer::Arrival { generation } if generation == self.arrival_generation => {
                self.invoke(ctx);
                if let Some(gap) = self.generator.next_gap() {
                    self.work_left = gap;
                    self.work_as_of = ctx.monotonic();
                }
                self.arm_arrival(ctx);
            }
            ClientTimer::Arrival { .. } => {}
            ClientTimer::TimeOut => self.time_out(ctx),
            ClientTimer::Probe { key, probe, due } => {
                self.probes_due -= 1;
                if due == ctx.monotonic() {
                    let read = Request::point(self.next_id(), OperationKind::Read, key, 0);
                    self.start(read, (Some(probe), None), ctx);
                }
            }
            ClientTimer::Follow(follow) => {
                let read = Request::point(self.next_id(), OperationKind::Read, follow.key, 0);
                self.start(Request { after: follow.place, ..read }, (None, Some(follow)), ctx);
            }
        }
    }

    pub fn on_response<P: ClientHost>(&mut self, response: Response, ctx: &mut Context<P>) {
        self.take(response, None, ctx);
    }

    /// The cluster has changed.
    pub fn on_topology(&mut self, topology: Rc<Topology>) {
        if topology.number > self.topology.number {
            self.topology = topology;
        }
    }

    pub fn on_got<P: ClientHost>(&mut self, got: &Got, ctx: &mut Context<P>) {
        self.take(got.response, Some(got), ctx);
    }

    fn take<P: ClientHost>(&mut self, mut response: Response, got: Option<&Got>, ctx: &mut Context<P>) {
        let Some(place) = response.id.number().checked_sub(self.first_ticket) else {
            return;
        };
        let Some(ticket) = self.tickets.get(place as usize).copied() else {
            return;
        };
        // Late: it was given up on before.
        let Some(waiting) = self.pending.get_mut(ticket) else {
            return;
        };
        let has_changed = response.outcome == Outcome::Failed(Cause::ConditionFailed);
        if waiting.is_reading && response.outcome.is_ok() || has_changed && waiting.tries < TRIES_MAX {
            self.write_back(ticket, response.result.value, got, ctx);
            return;
        }
        if let (true, Some(cause)) = (waiting.is_reading, response.outcome.cause()) {
            // It has not begun to write.
            response.outcome = Outcome::Failed(cause);
        }
        let Some(waiting) = self.pending.remove(ticket) else {
            return;
        };
        if let Some(got) = got {
            for value in got.values.iter().filter(|value| **value != response.result.value) {
                ctx.output(ClientEvent::Saw { id: response.id, value: *value });
            }
        }
        if self.settings.sends_session && response.outcome.is_ok() && waiting.request.is_write() {
            self.remember_write(waiting.request.key, response.result.version);
        }
        if response.outcome.is_ok() {
            match (&mut self.prober, &waiting.probe) {
                (Some(prober), Some(probe)) => prober.learn(probe, probe.is_stale(&response.result)),
                (Some(_), None) if waiting.request.is_write() => {
                    self.follow(waiting.request.key, response.result, ctx);
                }
                _ => {}
            }
        }
        match waiting.follow {
            Some(follow) => self.looked_for(follow, &response, ctx),
            None if response.outcome.is_ok() => self.follow_if_asked(&waiting, &response.result, ctx),
            None => {}
        }
        let done = Completed {
            result: response.result,
            served_by: response.served_by,
            shard: response.shard,
            ..self.ended(&waiting, response.outcome)
        };
        ctx.output(ClientEvent::Completed(done));
        self.forget_old_tickets();
    }

    /// Writes what it makes of what it has read.
    fn write_back<P: ClientHost>(
        &mut self,
        ticket: Ticket,
        seen: u64,
        got: Option<&Got>,
        ctx: &mut Context<P>,
    ) {
        let Some(waiting) = self.pending.get_mut(ticket) else {
            return;
        };
        waiting.is_reading = false;
        waiting.tries += 1;
        let mut request = waiting.request;
        let to = self.settings.endpoints[usize::from(waiting.endpoint)];
        let only = [seen];
        let values: &[u64] = got.map_or(&only, |got| if got.values.is_empty() { &only } else { &got.values });
        for (place, value) in values.iter().enumerate() {
            let is_first = place == 0;
            ctx.output(ClientEvent::Basis { id: request.id, key: request.key, value: *value, is_first });
        }
        match got {
            Some(got) => ctx.send(to, Put { request, context: Rc::clone(&got.context) }),
            None => {
                if self.settings.updates == Updates::CompareAndSet {
                    request.after = seen;
                }
                ctx.send(to, request);
            }
        }
    }

    pub fn on_control<P: ClientHost>(&mut self, control: ClientControl, ctx: &mut Context<P>) {
        match control {
            ClientControl::HotShareBegins(share) => self.hot_shares.push(share),
            ClientControl::HotShareEnds(share) => remove_one(&mut self.hot_shares, share),
            ClientControl::PoisonBegins(share) => self.poison_shares.push(share),
            ClientControl::PoisonEnds(share) => remove_one(&mut self.poison_shares, share),
            ClientControl::LoadFactorBegins(factor) => {
                self.settle_work(ctx.monotonic());
                self.load_factors.push(factor);
                self.arm_arrival(ctx);
            }
            ClientControl::LoadFactorEnds(factor) => {
                self.settle_work(ctx.monotonic());
                remove_one(&mut self.load_factors, factor);
                self.arm_arrival(ctx);
            }
        }
    }

    /// Takes off the work that was done since it was last looked at.
    fn settle_work(&mut self, now: SimTime) {
        let gap = self.generator.mean_gap().0 as f64;
        if gap > 0.0 {
            let done = now.since(self.work_as_of).0 as f64 * self.load_factor() / gap;
            self.work_left = (self.work_left - done).max(0.0);
        }
        self.work_as_of = now;
    }

    fn arm_arrival<P: ClientHost>(&mut self, ctx: &mut Context<P>) {
        self.arrival_generation = self.arrival_generation.wrapping_add(1);
        let timer = ClientTimer::Arrival { generation: self.arrival_generation };
        if let Some(due) = self.generator.next_recorded() {
            ctx.set_timer_at(due, timer);
            return;
        }
        let factor = self.load_factor();
        let mean_gap = self.generator.mean_gap();
        if factor > 0.0 && mean_gap > SimDuration::ZERO {
            let wait = SimDuration((self.work_left * mean_gap.0 as f64 / factor + 0.5) as u64);
            ctx.set_timer_at(self.work_as_of + wait, timer);
        }
    }

    /// Lets the reads that follow a write come.
    fn follow<P: ClientHost>(&mut self, key: KeyId, written: Versioned, ctx: &mut Context<P>) {
        let Some(prober) = &mut self.prober else {
            return;
        };
        if self.probes_due + prober.per_write() <= self.settings.in_flight_max {
            self.probes_due += prober.per_write();
            prober.draw(written, |probe| {
                let due = ctx.monotonic() + probe.after;
                ctx.set_timer_at(due, ClientTimer::Probe { key, probe, due });
            });
        }
    }

    // Writes that are followed to where they can be read.

    /// A service has taken a write, and said where it is.
    fn follow_if_asked<P: ClientHost>(
        &mut self,
        waiting: &Waiting,
        written: &Versioned,
        ctx: &mut Context<P>,
    ) {
        let Some(service) = self.settings.service else { return };
        let request = &waiting.request;
        let is_asked = request.is_write() && service.follow_every > 0 && written.version > 0;
        let is_sound = request.rows != MALFORMED_ROWS;
        if is_asked
            && is_sound
            && request.id.number().is_multiple_of(service.follow_every)
            && self.followed < FOLLOWED_MAX
        {
            self.followed += 1;
            let window = ((waiting.invoked.0 / service.window.0) as u32).min(service.windows - 1);
            let place = followed_place(window, written.value as u32);
            let follow = Follow { key: request.key, at: waiting.invoked, place, least: written.version };
            ctx.set_timer(FOLLOW_EVERY, ClientTimer::Follow(follow));
        }
    }

    /// A read that follows a write has ended.
    fn looked_for<P: ClientHost>(&mut self, follow: Follow, response: &Response, ctx: &mut Context<P>) {
        let since = ctx.monotonic().since(follow.at);
        if response.outcome.is_ok() && response.result.version >= follow.least {
            self.followed -= 1;
            ctx.output(ClientEvent::Shown { after: since });
        } else {
            self.look_again(follow, ctx);
        }
    }

    fn look_again<P: ClientHost>(&mut self, follow: Follow, ctx: &mut Context<P>) {
        if ctx.monotonic().since(follow.at) < FOLLOW_FOR {
            ctx.set_timer(FOLLOW_EVERY, ClientTimer::Follow(follow));
        } else {
            self.followed -= 1;
        }
    }

    fn next_id(&self) -> OperationId {
        OperationId::new(self.generator.client(), self.next_number)
    }

    fn invoke<P: ClientHost>(&mut self, ctx: &mut Context<P>) {
        let hot_share = self.hot_shares.iter().copied().fold(0.0, f64::max);
        if let Some(mut request) = self.generator.next_arrival(self.next_id(), hot_share) {
            if self.settings.service.is_some() && request.is_write() {
                request.after = ctx.monotonic().0;
                let poison = self.poison_shares.iter().copied().fold(0.0, f64::max);
                if poison > 0.0 && ctx.random().chance(poison) {
                    request.rows = MALFORMED_ROWS;
                }
            }
            self.start(request, (None, None), ctx);
        }
    }

    /// Begins an operation that has the next number.
    fn start<P: ClientHost>(
        &mut self,
        mut request: Request,
        (probe, follow): (Option<Probe>, Option<Follow>),
        ctx: &mut Context<P>,
    ) {
        self.next_number += 1;
        if self.settings.sends_session && request.kind == OperationKind::Read {
            let own = self.session.iter().rev().find(|(key, _)| *key == request.key);
            request.after = own.map_or(0, |(_, version)| *version);
        }
        ctx.output(ClientEvent::Invoked { id: request.id, kind: request.kind, key: request.key });
        let endpoint = match self.settings.service {
            None => self.pick_endpoint(request.key, ctx.monotonic()),
            Some(service) => self.pick_of_service(service.writers, request.is_write(), ctx.monotonic()),
        };
        let is_reading = match self.settings.updates {
            Updates::Direct => false,
            Updates::ReadFirst | Updates::CompareAndSet => request.kind.counts(),
            Updates::WithContext => request.is_write(),
        };
        let waiting =
            Waiting { request, invoked: ctx.monotonic(), endpoint, probe, follow, is_reading, tries: 0 };
        match self.pending.insert(ctx.monotonic(), waiting) {
            Ok(ticket) => {
                self.tickets.push_back(ticket);
                if is_reading {
                    request = Request::point(request.id, OperationKind::Read, request.key, 0);
                }
                ctx.send(self.settings.endpoints[endpoint as usize], request);
                if let Some(at) = self.pending.arm() {
                    ctx.set_timer_at(at, ClientTimer::TimeOut);
                }
            }
            Err(waiting) => {
                self.tickets.push_back(Ticket::default());
                let busy = Outcome::Failed(Cause::ClientBusy);
                if let Some(follow) = waiting.follow {
                    self.look_again(follow, ctx);
                }
                ctx.output(ClientEvent::Completed(self.ended(&waiting, busy)));
            }
        }
    }

    fn time_out<P: ClientHost>(&mut self, ctx: &mut Context<P>) {
        self.pending.timer_fired();
        while let Some(waiting) = self.pending.pop_expired(ctx.monotonic()) {
            self.avoid_until[waiting.endpoint as usize] = ctx.monotonic() + AVOID_FOR;
            if let Some(follow) = waiting.follow {
                self.look_again(follow, ctx);
            }
            let outcome =
                if waiting.is_reading { Outcome::Failed(Cause::TimedOut) } else { Outcome::TIMED_OUT };
            ctx.output(ClientEvent::Completed(self.ended(&waiting, outcome)));
        }
        self.forget_old_tickets();
        if let Some(at) = self.pending.arm() {
            ctx.set_timer_at(at, ClientTimer::TimeOut);
        }
    }

    /// Whether it sends anything there.
    fn may_ask(&self, endpoint: usize) -> bool {
        self.settings.regions.as_ref().is_none_or(|regions| regions[endpoint] == self.region)
    }

    /// One at random, of the key's own if it knows them; if it is avoided, the next that is not.
    fn pick_endpoint(&mut self, key: KeyId, now: SimTime) -> u16 {
        let topology = Rc::clone(&self.topology);
        let own = topology.owners.as_ref().map(|owners| owners.of(key)).unwrap_or_default();
        if !own.is_empty() {
            let first = self.endpoint_stream.below(own.len() as u32) as usize;
            let mut turned = (0..own.len()).map(|step| own[(first + step) % own.len()]);
            let is_usable = |at: usize| self.avoid_until[at] <= now && self.may_ask(at);
            if let Some(endpoint) = turned.find(|at| is_usable(usize::from(*at))) {
                return endpoint;
            }
        }
        let (asked, count) = (&topology.asked, topology.asked.len());
        let first = self.endpoint_stream.below(count as u32) as usize;
        let turned = (0..count).map(|step| asked[(first + step) % count]);
        let turned = turned.filter(|at| self.may_ask(usize::from(*at)));
        let usable = turned.clone().find(|at| self.avoid_until[usize::from(*at)] <= now);
        usable.or(turned.clone().next()).unwrap_or(asked[first])
    }

    /// One of those that take writes, or of the others; if it is avoided, the next that is not.
    fn pick_of_service(&mut self, writers: u16, is_write: bool, now: SimTime) -> u16 {
        let all = self.settings.endpoints.len() as u16;
        let (first, count) = if is_write { (0, writers) } else { (writers, all - writers) };
        let drawn = self.endpoint_stream.below(u32::from(count)) as u16;
        let mut turned = (0..count).map(|step| first + (drawn + step) % count);
        turned.find(|at| self.avoid_until[usize::from(*at)] <= now).unwrap_or(first + drawn)
    }

    /// Drops tickets at the front whose operations are finished.
    fn forget_old_tickets(&mut self) {
        while let Some(ticket) = self.tickets.front() {
            if self.pending.get_mut(*ticket).is_some() {
                return;
            }
            self.tickets.pop_front();
            self.first_ticket += 1;
        }
    }

    fn remember_write(&mut self, key: KeyId, version: u64) {
        if self.session.len() == SESSION_WRITES_MAX {
            self.session.pop_front();
        }
        self.session.push_back((key, version));
    }

    /// An operation that ended so, without a result.
    fn ended(&self, waiting: &Waiting, outcome: Outcome) -> Completed {
        Completed {
            id: waiting.request.id,
            kind: waiting.request.kind,
            key: waiting.request.key,
            invoked: waiting.invoked,
            outcome,
            result: Versioned::default(),
            endpoint: self.settings.endpoints[waiting.endpoint as usize],
            served_by: ServedBy::default(),
            shard: 0,
            probe: waiting.probe,
            is_malformed: waiting.request.rows == MALFORMED_ROWS,
        }
    }
}

/// Rows of a request that makes no sense to whoever is to count it.
pub const MALFORMED_ROWS: u16 = 0;

/// How a read says that it follows a write, of a window and one of its sub-counts.
fn followed_place(window: u32, sub_count: u32) -> u64 {
    (u64::from(window) << 8 | u64::from(sub_count)) + 1
}

/// The window and the sub-count that a read follows a write to; none if it follows none.
pub fn followed(request: &Request) -> Option<(u32, u32)> {
    let packed = request.after.checked_sub(1)?;
    Some(((packed >> 8) as u32, (packed & 0xFF) as u32))
}

fn remove_one(values: &mut Vec<f64>, value: f64) {
    if let Some(at) = values.iter().position(|other| *other == value) {
        values.remove(at);
    }
}

/// Bytes of a request on the wire.
pub fn request_bytes(request: &Request) -> u32 {
    HEADER_BYTES + 20 + request.bytes
}

/// Bytes of a write with its context on the wire.
pub fn put_bytes(put: &Put) -> u32 {
    request_bytes(&put.request) + put.context.bytes()
}

/// Bytes of an answer with siblings on the wire.
pub fn got_bytes(got: &Got) -> u32 {
    response_bytes(&got.response) + got.context.bytes()
}

/// Bytes of what a client is told of a changed cluster: a name and an address for each endpoint.
pub fn topology_bytes(topology: &Topology) -> u32 {
    HEADER_BYTES + 40 * topology.asked.len() as u32
}

/// Bytes of a response on the wire.
pub fn response_bytes(response: &Response) -> u32 {
    HEADER_BYTES + 20 + response.bytes
}
