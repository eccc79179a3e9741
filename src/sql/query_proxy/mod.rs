//! Query proxy: the cluster's front door.
//!
//! Models: a stateless proxy such as Vitess's VTGate (20) or ProxySQL (2.6). It
//! holds the shard map by epoch, by range or by hash; a shard refuses a query
//! that was routed by an older entry, and the proxy gets a newer map and sends
//! it on. A read or write of one row goes to one shard; a scan to the shards
//! that its range touches, a top to all of them, and the answer is as late as
//! the latest; a join reads a row, then the row that it refers to. Deadlines
//! travel with queries. Retries wait exponentially longer, with jitter, within
//! a budget. A circuit breaker per shard; a buffer that keeps writes while a
//! shard has no primary, drained by so many at once.
//!
//! Simplified: a query's core time is spent on its way in, and per row that is
//! merged. A join is a nested loop of one row. Of several shard proxies of a
//! shard one is taken in turn; one that did not answer is avoided for a second.
//! Left out: transactions over shards, plans, connections of clients, streaming.

mod breaker;
mod buffer;
mod gather;
mod retry;

use super::event::{Part, SqlEvent, SqlHost, SqlTimer};
use super::map_requests::{MAP_REFRESH, MapRequests};
use super::message::{Remaining, Row, SqlMessage};
use super::settings::SqlSettings;
use super::shard_map::ShardMap;
use crate::engine::{Context, NodeId, PendingTable, SimDuration, SimTime, Stream, Ticket};
use crate::workload::operation::{
    Cause, OperationKind, Outcome, Request, Response, Selected, SelectedRow, ServedBy, Versioned,
};
use breaker::{CircuitBreaker, Passage};
use buffer::ShardBuffer;
use gather::{Gathered, digest};
use retry::{RetryBudget, Verdict, backoff, judge};
use std::rc::Rc;

/// How often a query is sent on by a newer map, and the wait before the first time, doubled each time.
const REDIRECTS_MAX: u8 = 8;
const REDIRECT_FIRST: SimDuration = SimDuration::from_ms(2);
/// How often the buffers are looked at while something waits in them.
const BUFFER_LOOK_EVERY: SimDuration = SimDuration::from_ms(10);
/// How long a shard proxy that did not answer is avoided, if its shard has another.
const AVOID_PROXY_FOR: SimDuration = SimDuration::from_ms(1_000);
/// Core time to merge one row.
const MERGE_ROW: SimDuration = SimDuration(500);

/// A client's operation.
#[derive(Clone)]
struct Query {
    client: NodeId,
    request: Request,
    deadline: SimTime,
    /// A join has found its first row.
    joined: bool,
    /// Raised when its parts are sent anew: answers to earlier ones don't count.
    round: u8,
    /// Attempts that were sent and are not answered.
    attempts_open: u8,
    /// Shards that have not answered.
    open_parts: u16,
    /// What the first failed part came to.
    failure: Option<Outcome>,
    /// An attempt to write has ended without saying whether it was done.
    may_be_done: bool,
    /// It goes on from the buffer, and counts there until it is answered.
    drains: Option<u16>,
    gathered: Gathered,
}

/// An attempt at a part that was sent.
#[derive(Clone)]
struct Sent {
    part: Part,
    proxy: NodeId,
}

/// One query proxy.
#[derive(Clone)]
pub struct QueryProxy {
    settings: Rc<SqlSettings>,
    map: Rc<ShardMap>,
    queries: PendingTable<Query>,
    sent: PendingTable<Sent>,
    budget: RetryBudget,
    breakers: Vec<CircuitBreaker>,
    buffers: Vec<ShardBuffer>,
    buffer_timer_set: bool,
    next_proxy: usize,
    avoided: Option<(NodeId, SimTime)>,
    map_requests: MapRequests,
    retries: u64,
}

impl QueryProxy {
    pub fn new(settings: Rc<SqlSettings>) -> QueryProxy {
        let shards = settings.first_map.shards.len();
        let attempt_timeout = match &settings.retries {
            Some(retries) => retries.attempt_timeout.min(settings.proxy_timeout),
            None => settings.proxy_timeout,
        };
        QueryProxy {
            map: Rc::clone(&settings.first_map),
            queries: PendingTable::new(settings.proxy_timeout, settings.proxy_in_flight_max),
            sent: PendingTable::new(attempt_timeout, settings.proxy_in_flight_max * shards),
            budget: RetryBudget::default(),
            breakers: vec![CircuitBreaker::default(); shards],
            buffers: vec![ShardBuffer::default(); shards],
            buffer_timer_set: false,
            next_proxy: 0,
            avoided: None,
            map_requests: MapRequests::default(),
            retries: 0,
            settings,
        }
    }

    pub fn map(&self) -> &ShardMap {
        &self.map
    }

    /// Queries under way.
    pub fn in_flight(&self) -> usize {
        self.queries.len()
    }

    /// Queries that wait for a failover.
    pub fn buffered(&self) -> usize {
        self.buffers.iter().map(ShardBuffer::len).sum()
    }

    /// Second attempts so far.
    pub fn retries(&self) -> u64 {
        self.retries
    }

    pub fn retry_budget(&self) -> Option<f64> {
        self.settings.retries.as_ref()?.budget.map(|_| self.budget.tokens())
    }

    /// Shards whose circuit breaker is open.
    pub fn broken_shards(&self) -> impl Iterator<Item = usize> + '_ {
        self.breakers.iter().enumerate().filter(|(_, breaker)| breaker.is_shut()).map(|(shard, _)| shard)
    }

    pub fn settings(&self) -> &SqlSettings {
        &self.settings
    }

    /// Core time for one query.
    pub fn service_time(&self, stream: &mut Stream) -> SimDuration {
        self.settings.services.query_proxy.sample(stream)
    }

    /// Core time to merge rows.
    pub fn merge_time(rows: &[Row]) -> SimDuration {
        SimDuration(MERGE_ROW.0 * rows.len() as u64)
    }

    pub fn on_start<P: SqlHost>(&mut self, ctx: &mut Context<P>) {
        self.queries.restarted(ctx.incarnation());
        self.sent.restarted(ctx.incarnation());
        ctx.set_timer(MAP_REFRESH, SqlTimer::MapRefresh);
    }

    pub fn on_request<P: SqlHost>(&mut self, client: NodeId, request: Request, ctx: &mut Context<P>) {
        if let Some(share) = self.settings.retries.as_ref().and_then(|retries| retries.budget) {
            self.budget.query_came(share);
        }
        let now = ctx.monotonic();
        let query = Query {
            client,
            request,
            deadline: now + self.settings.proxy_timeout,
            joined: false,
            round: 0,
            attempts_open: 0,
            open_parts: 0,
            failure: None,
            may_be_done: false,
            drains: None,
            gathered: Gathered::default(),
        };
        match self.queries.insert(now, query) {
            Ok(ticket) => {
                if let Some(at) = self.queries.arm() {
                    ctx.set_timer_at(at, SqlTimer::TimeOut);
                }
                self.begin(ticket, 0, ctx);
            }
            Err(_) => ctx.send(client, Response::failed(request.id, Cause::Overloaded)),
        }
    }

    /// Sends a query's parts to their shards.
    fn begin<P: SqlHost>(&mut self, ticket: Ticket, redirects: u8, ctx: &mut Context<P>) {
        let Some(query) = self.queries.get_mut(ticket) else {
            return;
        };
        query.round = query.round.wrapping_add(1);
        query.failure = None;
        query.gathered = Gathered::default();
        let (request, round, joined) = (query.request, query.round, query.joined);
        let shards: Vec<u16> = match request.kind {
            OperationKind::Top | OperationKind::SelectTop => {
                self.map.serving_shards().map(|shard| shard as u16).collect()
            }
            OperationKind::Scan => self.scanned(&request),
            // The rows of a group are in one shard.
            OperationKind::Select => vec![self.map.shard_of(self.settings.point(request.key)) as u16],
            _ => {
                let key = if joined { request.end } else { request.key };
                let shard = self.map.shard_of(self.settings.point(key)) as u16;
                self.dispatch(Part { query: ticket, shard, attempt: 0, redirects, round }, ctx);
                return;
            }
        };
        if let Some(query) = self.queries.get_mut(ticket) {
            query.open_parts = shards.len() as u16;
        }
        for shard in shards {
            self.dispatch(Part { query: ticket, shard, attempt: 0, redirects, round }, ctx);
        }
    }

    /// The shards that can have rows of a scan's range.
    fn scanned(&self, request: &Request) -> Vec<u16> {
        use super::shard_map::Sharding;
        let shards = self.map.serving_shards();
        match self.settings.sharding {
            Sharding::ByHash => shards.map(|shard| shard as u16).collect(),
            Sharding::ByName => {
                let keys = &self.settings.keys;
                let (first, last) = (keys.name_point(request.key), keys.name_point(request.end));
                let touched = shards.filter(|shard| {
                    self.map.shards[*shard].range.is_some_and(|range| range.from <= last && first <= range.to)
                });
                touched.map(|shard| shard as u16).collect()
            }
        }
    }

    /// Sends one part to its shard, or keeps it, or fails it.
    fn dispatch<P: SqlHost>(&mut self, part: Part, ctx: &mut Context<P>) {
        let now = ctx.monotonic();
        let Some(query) = self.current(part) else {
            return;
        };
        let mut request = query.request;
        if request.kind == OperationKind::Join {
            let key = if query.joined { request.end } else { request.key };
            request = Request::point(request.id, OperationKind::Read, key, 0);
        }
        let left = query.deadline.since(now);
        let shard = usize::from(part.shard);
        let draining = query.drains.is_some();
        let entry = &self.map.shards[shard];
        if request.is_write() && !draining && (!entry.serving || self.buffers[shard].is_on()) {
            let cause = Outcome::Failed(Cause::NoPrimary);
            if !self.keep(part, ctx) {
                self.judge_failure(part, cause, ctx);
            }
            return;
        }
        if let Some(breaker) = self.settings.breaker
            && self.breakers[shard].ask(now, breaker.open_for) == Passage::Shut
        {
            self.part_failed(part, Outcome::Failed(Cause::CircuitOpen), ctx);
            return;
        }
        let stamp = entry.stamp;
        let proxy = self.pick_proxy(shard, now);
        match self.sent.insert(now, Sent { part, proxy }) {
            Ok(ticket) => {
                if let Some(query) = self.queries.get_mut(part.query) {
                    query.attempts_open = query.attempts_open.saturating_add(1);
                }
                let remaining = if self.settings.deadlines {
                    Remaining(left.min(self.sent.timeout()))
                } else {
                    Remaining::UNLIMITED
                };
                ctx.send(proxy, SqlMessage::Query { ticket, request, stamp, remaining });
                if let Some(at) = self.sent.arm() {
                    ctx.set_timer_at(at, SqlTimer::AttemptTimeOut);
                }
            }
            Err(_) => self.part_failed(part, Outcome::Failed(Cause::Overloaded), ctx),
        }
    }

    /// One of a shard's proxies in turn, unless it has just not answered.
    fn pick_proxy(&mut self, shard: usize, now: SimTime) -> NodeId {
        let proxies = &self.map.shards[shard].proxies;
        if proxies.len() == 1 {
            return proxies[0];
        }
        self.next_proxy = self.next_proxy.wrapping_add(1);
        let proxy = proxies[self.next_proxy % proxies.len()];
        match self.avoided {
            Some((avoided, until)) if avoided == proxy && now < until => {
                proxies[(self.next_proxy + 1) % proxies.len()]
            }
            _ => proxy,
        }
    }

    // Answers.

    pub fn on_reply<P: SqlHost>(&mut self, ticket: Ticket, response: Response, ctx: &mut Context<P>) {
        self.on_rows(ticket, response, &[], ctx);
    }

    pub fn on_rows<P: SqlHost>(
        &mut self,
        ticket: Ticket,
        response: Response,
        rows: &[Row],
        ctx: &mut Context<P>,
    ) {
        let Some(Sent { part, .. }) = self.sent.remove(ticket) else {
            return;
        };
        self.attempt_ended(part);
        self.tell_breaker(part.shard, response.outcome, ctx);
        if response.outcome.is_ok() {
            self.part_done(part, response, rows, ctx);
        } else {
            self.judge_failure(part, response.outcome, ctx);
        }
    }

    fn part_done<P: SqlHost>(&mut self, part: Part, response: Response, rows: &[Row], ctx: &mut Context<P>) {
        let Some(query) = self.current(part) else {
            return;
        };
        match query.request.kind {
            OperationKind::Join if !query.joined => {
                query.joined = true;
                self.begin(part.query, 0, ctx);
            }
            kind if kind.has_rows() => {
                query.gathered.add(rows);
                query.open_parts -= 1;
                self.finish_gathering(part.query, ctx);
            }
            _ => self.answer(part.query, response, ctx),
        }
    }

    /// Answers a query over several shards when the last of them has answered.
    fn finish_gathering<P: SqlHost>(&mut self, ticket: Ticket, ctx: &mut Context<P>) {
        let Some(query) = self.queries.get_mut(ticket).filter(|query| query.open_parts == 0) else {
            return;
        };
        let request = query.request;
        let response = match query.failure {
            Some(outcome) => Response { outcome, ..Response::failed(request.id, Cause::TimedOut) },
            None => {
                let gathered = std::mem::take(&mut query.gathered);
                let rows = gathered.finish(&request, &self.settings.keys);
                let bytes = rows.iter().fold(0_u32, |sum, row| sum.saturating_add(row.bytes));
                let result = Versioned { value: digest(&rows), version: rows.len() as u64 };
                let response =
                    Response { served_by: ServedBy::Nodes, ..Response::ok(request.id, result, bytes) };
                if request.kind.is_select() {
                    self.answer_rows(ticket, response, &rows, ctx);
                    return;
                }
                response
            }
        };
        self.answer(ticket, response, ctx);
    }

    /// Decides what becomes of a part that did not succeed.
    fn judge_failure<P: SqlHost>(&mut self, part: Part, outcome: Outcome, ctx: &mut Context<P>) {
        let Some(query) = self.current(part) else {
            return;
        };
        let is_write = query.request.is_write();
        if is_write && matches!(outcome, Outcome::Unknown(_)) {
            query.may_be_done = true;
        }
        let waits_for_primary = matches!(
            outcome,
            Outcome::Failed(Cause::NotPrimary | Cause::NoPrimary | Cause::LeaseLost | Cause::Restoring)
        );
        if waits_for_primary || outcome == Outcome::Failed(Cause::StaleMap) {
            self.request_map(ctx);
        }
        if waits_for_primary && is_write && self.keep(part, ctx) {
            return;
        }
        let retries = self.settings.retries.clone();
        let unknown_writes = retries.as_ref().is_some_and(|retries| retries.unknown_writes);
        match judge(outcome, !is_write || unknown_writes) {
            Verdict::Redirect if part.redirects < REDIRECTS_MAX => {
                let wait = SimDuration(REDIRECT_FIRST.0 << part.redirects);
                let part = Part { redirects: part.redirects + 1, ..part };
                ctx.set_timer(wait, SqlTimer::Retry { part });
            }
            Verdict::Retry
                if retries.as_ref().is_some_and(|retries| u32::from(part.attempt) < retries.max) =>
            {
                let retries = retries.expect("it was just looked at");
                if retries.budget.is_some() && !self.budget.take() {
                    self.part_failed(part, outcome, ctx);
                    return;
                }
                self.retries += 1;
                let part = Part { attempt: part.attempt + 1, ..part };
                let wait = backoff(&retries, part.attempt, ctx.random());
                ctx.set_timer(wait, SqlTimer::Retry { part });
            }
            _ => self.part_failed(part, outcome, ctx),
        }
    }

    /// Sends a part again: by the map as it is now, whole queries over several shards anew.
    fn retry<P: SqlHost>(&mut self, part: Part, ctx: &mut Context<P>) {
        let Some(query) = self.current(part) else {
            return;
        };
        match query.request.kind {
            kind if kind.has_rows() => {
                if part.attempt == 0 {
                    // The shards have changed: rows may have moved from one that has
                    // answered to one that has not.
                    self.begin(part.query, part.redirects, ctx);
                } else {
                    self.dispatch(part, ctx);
                }
            }
            _ => {
                let key = if query.joined { query.request.end } else { query.request.key };
                let shard = self.map.shard_of(self.settings.point(key)) as u16;
                self.dispatch(Part { shard, ..part }, ctx);
            }
        }
    }

    /// The query of a part, unless it is answered or its parts were sent anew since.
    fn current(&mut self, part: Part) -> Option<&mut Query> {
        self.queries.get_mut(part.query).filter(|query| query.round == part.round)
    }

    fn attempt_ended(&mut self, part: Part) {
        if let Some(query) = self.queries.get_mut(part.query) {
            query.attempts_open = query.attempts_open.saturating_sub(1);
        }
    }

    fn part_failed<P: SqlHost>(&mut self, part: Part, outcome: Outcome, ctx: &mut Context<P>) {
        let Some(query) = self.current(part) else {
            return;
        };
        let outcome = match outcome {
            Outcome::Failed(cause) if query.may_be_done => Outcome::Unknown(cause),
            outcome => outcome,
        };
        if query.request.kind.has_rows() {
            query.failure.get_or_insert(outcome);
            query.open_parts = query.open_parts.saturating_sub(1);
            self.finish_gathering(part.query, ctx);
        } else {
            let id = query.request.id;
            self.answer(part.query, Response { outcome, ..Response::failed(id, Cause::TimedOut) }, ctx);
        }
    }

    fn answer<P: SqlHost>(&mut self, ticket: Ticket, response: Response, ctx: &mut Context<P>) {
        if let Some(query) = self.queries.remove(ticket) {
            ctx.send(query.client, response);
            self.drained(query.drains, ctx);
        }
    }

    /// Answers a service, which wants the rows themselves.
    fn answer_rows<P: SqlHost>(
        &mut self,
        ticket: Ticket,
        response: Response,
        rows: &[Row],
        ctx: &mut Context<P>,
    ) {
        if let Some(query) = self.queries.remove(ticket) {
            let selected = |row: &Row| SelectedRow { key: row.key, value: row.value, bytes: row.bytes };
            let rows = rows.iter().map(selected).collect();
            ctx.send(query.client, Selected { response, rows });
            self.drained(query.drains, ctx);
        }
    }

    fn tell_breaker<P: SqlHost>(&mut self, shard: u16, outcome: Outcome, ctx: &mut Context<P>) {
        let Some(settings) = self.settings.breaker else {
            return;
        };
        let breaker = &mut self.breakers[usize::from(shard)];
        let (shard, node) = (shard as u8, ctx.id());
        match outcome {
            Outcome::Ok => {
                if breaker.succeeded() {
                    ctx.output(SqlEvent::BreakerClosed { shard, node });
                }
            }
            Outcome::Unknown(_)
            | Outcome::Failed(Cause::Overloaded | Cause::PoolTimedOut | Cause::DeadlinePassed) => {
                if breaker.failed(ctx.monotonic(), settings.failures, settings.open_for) {
                    ctx.output(SqlEvent::BreakerOpened { shard, node });
                }
            }
            // It answers, and says no.
            Outcome::Failed(_) => {}
        }
    }

    // Buffering.

    /// Keeps a write until its shard has a primary; false if it can't be kept.
    fn keep<P: SqlHost>(&mut self, part: Part, ctx: &mut Context<P>) -> bool {
        let Some(settings) = self.settings.buffering else {
            return false;
        };
        let now = ctx.monotonic();
        let shard = usize::from(part.shard);
        if !self.buffers[shard].accepts(now, &settings) {
            return false;
        }
        if self.buffered() >= settings.size as usize {
            // The oldest of all makes room.
            let fullest = (0..self.buffers.len())
                .filter(|shard| !self.buffers[*shard].is_empty())
                .min_by_key(|shard| self.buffers[*shard].oldest());
            if let Some(query) = fullest.and_then(|shard| self.buffers[shard].give_up_oldest()) {
                self.give_up(query, ctx);
            }
        }
        if let Some(query) = self.queries.get_mut(part.query)
            && let Some(drained) = query.drains.take()
        {
            self.buffers[usize::from(drained)].went();
        }
        if self.buffers[shard].keep(now, part.query) {
            ctx.output(SqlEvent::BufferingBegan { shard: part.shard as u8, node: ctx.id() });
        }
        if !self.buffer_timer_set {
            self.buffer_timer_set = true;
            ctx.set_timer(BUFFER_LOOK_EVERY, SqlTimer::Buffer);
        }
        true
    }

    fn give_up<P: SqlHost>(&mut self, query: Ticket, ctx: &mut Context<P>) {
        if let Some(round) = self.queries.get_mut(query).map(|query| query.round) {
            let part = Part { query, shard: 0, attempt: 0, redirects: 0, round };
            self.part_failed(part, Outcome::Failed(Cause::BufferGivenUp), ctx);
        }
    }

    /// Looks for what has waited too long.
    fn look_at_buffers<P: SqlHost>(&mut self, ctx: &mut Context<P>) {
        let Some(settings) = self.settings.buffering else {
            return;
        };
        let now = ctx.monotonic();
        for shard in 0..self.buffers.len() {
            while let Some(query) = self.buffers[shard].expired(now, &settings) {
                self.give_up(query, ctx);
            }
            if self.buffers[shard].is_overdue(now, &settings) {
                self.end_buffering(shard, ctx);
            }
        }
        self.buffer_timer_set = self.buffers.iter().any(|buffer| buffer.is_on() || !buffer.is_empty());
        if self.buffer_timer_set {
            ctx.set_timer(BUFFER_LOOK_EVERY, SqlTimer::Buffer);
        }
    }

    fn end_buffering<P: SqlHost>(&mut self, shard: usize, ctx: &mut Context<P>) {
        let kept = self.buffers[shard].len() as u32;
        self.buffers[shard].end(ctx.monotonic());
        ctx.output(SqlEvent::BufferingEnded { shard: shard as u8, node: ctx.id(), kept });
        self.let_go(shard, ctx);
    }

    fn let_go<P: SqlHost>(&mut self, shard: usize, ctx: &mut Context<P>) {
        let Some(settings) = self.settings.buffering else {
            return;
        };
        while let Some(ticket) = self.buffers[shard].next_to_go(settings.drain) {
            match self.queries.get_mut(ticket) {
                Some(query) => {
                    query.drains = Some(shard as u16);
                    let round = query.round;
                    let part = Part { query: ticket, shard: shard as u16, attempt: 0, redirects: 0, round };
                    self.retry(part, ctx);
                }
                // It ran out of time meanwhile.
                None => self.buffers[shard].went(),
            }
        }
    }

    fn drained<P: SqlHost>(&mut self, drains: Option<u16>, ctx: &mut Context<P>) {
        if let Some(shard) = drains {
            self.buffers[usize::from(shard)].went();
            self.let_go(usize::from(shard), ctx);
        }
    }

    // The map.

    pub fn on_map<P: SqlHost>(&mut self, map: Rc<ShardMap>, ctx: &mut Context<P>) {
        if map.version <= self.map.version {
            return;
        }
        let before = std::mem::replace(&mut self.map, map);
        for shard in 0..self.map.shards.len() {
            let (entry, old) = (&self.map.shards[shard], &before.shards[shard]);
            let has_new_primary = entry.serving && entry.stamp > old.stamp;
            if has_new_primary && self.buffers[shard].is_on() {
                self.end_buffering(shard, ctx);
            }
        }
    }

    fn request_map<P: SqlHost>(&mut self, ctx: &mut Context<P>) {
        self.map_requests.ask(&self.settings, self.map.version, ctx);
    }

    pub fn on_timer<P: SqlHost>(&mut self, timer: SqlTimer, ctx: &mut Context<P>) {
        match timer {
            SqlTimer::MapRefresh => {
                self.request_map(ctx);
                ctx.set_timer(MAP_REFRESH, SqlTimer::MapRefresh);
            }
            SqlTimer::TimeOut => self.time_out(ctx),
            SqlTimer::AttemptTimeOut => self.attempt_time_out(ctx),
            SqlTimer::Retry { part } => self.retry(part, ctx),
            SqlTimer::Buffer => self.look_at_buffers(ctx),
            _ => {}
        }
    }

    fn time_out<P: SqlHost>(&mut self, ctx: &mut Context<P>) {
        self.queries.timer_fired();
        while let Some(query) = self.queries.pop_expired(ctx.monotonic()) {
            let id = query.request.id;
            let surely_not_done = query.request.is_write() && query.attempts_open == 0 && !query.may_be_done;
            ctx.send(
                query.client,
                match surely_not_done {
                    true => Response::failed(id, Cause::DeadlinePassed),
                    false => Response::unknown(id, Cause::TimedOut),
                },
            );
            self.drained(query.drains, ctx);
        }
        if let Some(at) = self.queries.arm() {
            ctx.set_timer_at(at, SqlTimer::TimeOut);
        }
    }

    fn attempt_time_out<P: SqlHost>(&mut self, ctx: &mut Context<P>) {
        self.sent.timer_fired();
        while let Some(Sent { part, proxy }) = self.sent.pop_expired(ctx.monotonic()) {
            self.attempt_ended(part);
            self.avoided = Some((proxy, ctx.monotonic() + AVOID_PROXY_FOR));
            self.tell_breaker(part.shard, Outcome::TIMED_OUT, ctx);
            self.judge_failure(part, Outcome::TIMED_OUT, ctx);
        }
        if let Some(at) = self.sent.arm() {
            ctx.set_timer_at(at, SqlTimer::AttemptTimeOut);
        }
    }
}
