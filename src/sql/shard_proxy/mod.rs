//! Shard proxy: in front of one shard, between the query proxies and MySQL.
//!
//! Models: a proxy such as Vitess's VTTablet (20) or ProxySQL (2.6) in front of
//! one shard. A result cache with a size in rows and bytes and a time to live,
//! invalidated by the writes that pass through it; a read of a row that is just
//! being read waits for that answer (coalescing), which stops stampedes. Reads
//! go to the primary, to any replica, to replicas within a lag that it asks
//! them for, or to replicas that have, or wait for, what the session wrote,
//! and else to the primary. To each node a bounded pool of connections with a
//! queue, a time-out and load shedding. It refuses queries that were routed by
//! an older entry of the shard map than its own, and drops those whose deadline
//! has passed. It learns who is primary from the configuration service alone.
//!
//! Simplified: a query's whole core time is spent on its way in. A replica that
//! did not answer in time is avoided for a second. Left out: transactions,
//! prepared statements, the time to open a connection.

mod pool;

use super::event::{SqlHost, SqlTimer};
use super::map_requests::{MAP_REFRESH, MapRequests};
use super::message::{Remaining, Row, SqlMessage};
use super::result_cache::ResultCache;
use super::settings::{ReadRouting, SqlSettings};
use super::shard_map::{ShardEntry, ShardMap};
use crate::engine::table::Table;
use crate::engine::{Context, NodeId, PendingTable, SimDuration, SimTime, Stream, Ticket};
use crate::workload::operation::{
    Cause, Cell, KeyId, OperationId, OperationKind, Outcome, Request, Response, ServedBy,
};
use pool::{Admission, ConnectionPool};
use std::rc::Rc;

/// How long a replica that did not answer gets no reads.
pub const AVOID_REPLICA_FOR: SimDuration = SimDuration::from_ms(1_000);
/// How often replicas are asked how far they are, if that matters.
pub const LAG_PROBE_EVERY: SimDuration = SimDuration::from_ms(100);
/// Reads that wait for one and the same answer at most; more are asked on their own.
const COALESCED_MAX: usize = 4_096;
/// Core time to see that a deadline has passed.
pub const DROP_SERVICE: SimDuration = SimDuration(2_000);

/// A query that was let in.
#[derive(Clone)]
struct Asked {
    query_proxy: NodeId,
    ticket: Ticket,
    request: Request,
    /// When it is no longer of use.
    deadline: Option<SimTime>,
    /// Place of the node that it is for, in the shard's list.
    at: usize,
    /// It was at a replica, which was behind, and goes to the primary now.
    fell_back: bool,
}

/// A row that is being read, and who else waits for it.
#[derive(Clone)]
struct Reading {
    /// Whose query it is that was sent.
    leader: (NodeId, Ticket),
    followers: Vec<Asked>,
}

/// What is known of one node.
#[derive(Clone, Default)]
struct Backend {
    pool: ConnectionPool<Asked>,
    avoid_until: SimTime,
    /// The last transaction that it said it has executed, and how old its data was then.
    executed: u64,
    lag: Option<SimDuration>,
}

/// One shard's proxy.
#[derive(Clone)]
pub struct ShardProxy {
    settings: Rc<SqlSettings>,
    shard: usize,
    map: Rc<ShardMap>,
    cache: ResultCache,
    executing: PendingTable<Asked>,
    /// By place in the shard's list of nodes.
    backends: Vec<Backend>,
    /// By key that is being read.
    reading: Table<Reading>,
    next_replica: usize,
    map_requests: MapRequests,
    pool_timer_set: bool,
    coalesced: u64,
}

impl ShardProxy {
    pub fn new(settings: Rc<SqlSettings>, shard: usize) -> ShardProxy {
        let nodes = settings.first_map.shards[shard].nodes.len();
        let in_use_max = settings.pool.connections as usize * nodes;
        ShardProxy {
            shard,
            map: Rc::clone(&settings.first_map),
            cache: ResultCache::new(settings.keys.len(), settings.cache),
            executing: PendingTable::new(settings.proxy_timeout, in_use_max),
            backends: vec![Backend::default(); nodes],
            reading: Table::default(),
            next_replica: 0,
            map_requests: MapRequests::default(),
            pool_timer_set: false,
            coalesced: 0,
            settings,
        }
    }

    pub fn cache(&self) -> &ResultCache {
        &self.cache
    }

    pub fn in_flight(&self) -> usize {
        self.executing.len()
    }

    /// Queries that wait for a connection.
    pub fn waiting(&self) -> usize {
        self.backends.iter().map(|backend| backend.pool.waiting()).sum()
    }

    /// Connections in use, to all nodes of the shard.
    pub fn connections_in_use(&self) -> u32 {
        self.backends.iter().map(|backend| backend.pool.in_use()).sum()
    }

    /// Reads that were answered by another's answer.
    pub fn coalesced(&self) -> u64 {
        self.coalesced
    }

    /// Its shard, as it believes it to be.
    pub fn entry(&self) -> &ShardEntry {
        &self.map.shards[self.shard]
    }

    pub fn settings(&self) -> &SqlSettings {
        &self.settings
    }

    /// Core time for one query that has waited for its core.
    pub fn service_time(
        &self,
        remaining: Remaining,
        waited: SimDuration,
        stream: &mut Stream,
    ) -> SimDuration {
        if remaining.is_over(waited) {
            return DROP_SERVICE;
        }
        self.settings.services.shard_proxy.sample(stream)
    }

    pub fn on_start<P: SqlHost>(&mut self, ctx: &mut Context<P>) {
        self.executing.restarted(ctx.incarnation());
        ctx.set_timer(MAP_REFRESH, SqlTimer::MapRefresh);
        if matches!(self.settings.reads, ReadRouting::WithinLag(_) | ReadRouting::ReadYourWrites { .. }) {
            ctx.set_timer(LAG_PROBE_EVERY, SqlTimer::LagProbe);
        }
    }

    pub fn on_query<P: SqlHost>(
        &mut self,
        query_proxy: NodeId,
        ticket: Ticket,
        request: Request,
        stamp: u32,
        remaining: Remaining,
        ctx: &mut Context<P>,
    ) {
        let now = ctx.monotonic();
        if remaining.is_over(ctx.waited()) {
            refuse(query_proxy, ticket, request.id, Cause::DeadlinePassed, ctx);
            return;
        }
        let own_stamp = self.entry().stamp;
        if stamp != own_stamp {
            // One of the two has an old map; the query proxy comes again.
            if stamp > own_stamp {
                self.request_map(ctx);
            }
            refuse(query_proxy, ticket, request.id, Cause::StaleMap, ctx);
            return;
        }
        let deadline = (remaining != Remaining::UNLIMITED).then(|| {
            let left = SimDuration(remaining.0.0.saturating_sub(ctx.waited().0));
            now + left
        });
        let mut asked = Asked { query_proxy, ticket, request, deadline, at: 0, fell_back: false };
        if request.is_write() {
            self.cache.invalidate(request.key);
            // Whoever comes from now on must not get an answer that is under way.
            self.stop_following(request.key, ctx);
        } else if request.kind == OperationKind::Read && self.answered_otherwise(&asked, ctx) {
            return;
        }
        asked.at = self.route(&request, now);
        self.ask(asked, ctx);
    }

    /// From the cache, or by the answer to a read that is under way.
    fn answered_otherwise<P: SqlHost>(&mut self, asked: &Asked, ctx: &mut Context<P>) -> bool {
        let Asked { query_proxy, ticket, request, .. } = *asked;
        if let Some(cell) = self.cache.get(request.key, ctx.monotonic())
            && cell.content.version >= request.after
        {
            let response = self.signed(Response::ok(request.id, cell.content, cell.bytes), ServedBy::Cache);
            ctx.send(query_proxy, SqlMessage::QueryReply { ticket, response });
            return true;
        }
        if !self.settings.cache.coalescing || request.after > 0 {
            return false;
        }
        match self.reading.get_mut(request.key.into()) {
            Some(reading) if reading.followers.len() < COALESCED_MAX => {
                reading.followers.push(asked.clone());
                self.coalesced += 1;
                true
            }
            Some(_) => false,
            None => {
                let reading = Reading { leader: (query_proxy, ticket), followers: Vec::new() };
                self.reading.entry(request.key.into(), || reading);
                false
            }
        }
    }

    /// Nobody waits any more for a read that is under way; those who did ask on their own.
    fn stop_following<P: SqlHost>(&mut self, key: KeyId, ctx: &mut Context<P>) {
        if let Some(reading) = self.reading.remove(key.into()) {
            for mut asked in reading.followers {
                asked.at = self.route(&asked.request, ctx.monotonic());
                self.ask(asked, ctx);
            }
        }
    }

    fn signed(&self, response: Response, served_by: ServedBy) -> Response {
        Response { served_by, shard: self.shard as u16, ..response }
    }

    /// Takes a connection for a query, or a place in the queue for one.
    fn ask<P: SqlHost>(&mut self, asked: Asked, ctx: &mut Context<P>) {
        let pool = self.settings.pool;
        let at = asked.at;
        match self.backends[at].pool.ask(ctx.monotonic(), &pool, asked) {
            (Admission::Connected, Some(asked)) => self.execute(asked, ctx),
            (Admission::TurnedAway, Some(asked)) => {
                self.fail(&asked, Outcome::Failed(Cause::Overloaded), ctx)
            }
            _ => self.arm_pool_timer(ctx),
        }
    }

    /// Sends a query that has a connection.
    fn execute<P: SqlHost>(&mut self, asked: Asked, ctx: &mut Context<P>) {
        let now = ctx.monotonic();
        let (at, request) = (asked.at, asked.request);
        if asked.deadline.is_some_and(|deadline| deadline < now) {
            self.fail(&asked, Outcome::Failed(Cause::DeadlinePassed), ctx);
            self.connection_free(at, ctx);
            return;
        }
        let entry = self.entry();
        let node = entry.nodes[at];
        let for_primary = node == entry.primary;
        let epoch = if for_primary { entry.epoch } else { 0 };
        let remaining =
            asked.deadline.map_or(Remaining::UNLIMITED, |deadline| Remaining(deadline.since(now)));
        let wait = match self.settings.reads {
            ReadRouting::ReadYourWrites { wait } if !for_primary => wait,
            _ => SimDuration::ZERO,
        };
        match self.executing.insert(now, asked) {
            Ok(ticket) => {
                ctx.send(node, SqlMessage::Execute { ticket, request, epoch, remaining, wait });
                if let Some(at) = self.executing.arm() {
                    ctx.set_timer_at(at, SqlTimer::TimeOut);
                }
            }
            Err(asked) => {
                self.fail(&asked, Outcome::Failed(Cause::Overloaded), ctx);
                self.connection_free(at, ctx);
            }
        }
    }

    /// A connection to a node is free: the next query gets it.
    fn connection_free<P: SqlHost>(&mut self, at: usize, ctx: &mut Context<P>) {
        if let Some(next) = self.backends[at].pool.give_back() {
            self.execute(next, ctx);
        }
    }

    fn fail<P: SqlHost>(&mut self, asked: &Asked, outcome: Outcome, ctx: &mut Context<P>) {
        let response = Response { outcome, ..Response::failed(asked.request.id, Cause::Overloaded) };
        self.reply(asked, response, ctx);
    }

    /// Answers a query, and those who waited for the same row.
    fn reply<P: SqlHost>(&mut self, asked: &Asked, response: Response, ctx: &mut Context<P>) {
        let response = Response { shard: self.shard as u16, ..response };
        ctx.send(asked.query_proxy, SqlMessage::QueryReply { ticket: asked.ticket, response });
        let key = asked.request.key;
        let leads = self
            .reading
            .get_mut(key.into())
            .is_some_and(|reading| reading.leader == (asked.query_proxy, asked.ticket));
        if leads && let Some(reading) = self.reading.remove(key.into()) {
            for follower in reading.followers {
                let response = Response { id: follower.request.id, ..response };
                ctx.send(follower.query_proxy, SqlMessage::QueryReply { ticket: follower.ticket, response });
            }
        }
    }

    pub fn on_reply<P: SqlHost>(
        &mut self,
        ticket: Ticket,
        response: Response,
        executed: u64,
        ctx: &mut Context<P>,
    ) {
        let Some(mut asked) = self.executing.remove(ticket) else {
            return;
        };
        let at = asked.at;
        self.backends[at].executed = self.backends[at].executed.max(executed);
        match response.outcome {
            Outcome::Failed(Cause::ReplicaBehind) if !asked.fell_back => {
                asked.fell_back = true;
                if let Some(primary) = self.place_of_primary() {
                    asked.at = primary;
                    self.ask(asked, ctx);
                    self.connection_free(at, ctx);
                    return;
                }
            }
            Outcome::Failed(Cause::NotPrimary | Cause::StaleMap) => self.request_map(ctx),
            Outcome::Ok => {
                let key = asked.request.key;
                if asked.request.is_write() {
                    self.cache.invalidate(key);
                } else if asked.request.kind == OperationKind::Read {
                    let cell = Cell { content: response.result, bytes: response.bytes, count: 0 };
                    self.cache.put(key, cell, ctx.monotonic());
                }
            }
            _ => {}
        }
        self.reply(&asked, response, ctx);
        self.connection_free(at, ctx);
    }

    pub fn on_rows<P: SqlHost>(
        &mut self,
        ticket: Ticket,
        response: Response,
        rows: Rc<[Row]>,
        ctx: &mut Context<P>,
    ) {
        if let Some(asked) = self.executing.remove(ticket) {
            let response = Response { shard: self.shard as u16, ..response };
            ctx.send(asked.query_proxy, SqlMessage::Rows { ticket: asked.ticket, response, rows });
            self.connection_free(asked.at, ctx);
        }
    }

    pub fn on_lag(&mut self, from: NodeId, executed: u64, lag: SimDuration) {
        if let Some(at) = self.entry().nodes.iter().position(|node| *node == from) {
            self.backends[at].executed = self.backends[at].executed.max(executed);
            self.backends[at].lag = Some(lag);
        }
    }

    pub fn on_map(&mut self, map: Rc<ShardMap>) {
        if map.version > self.map.version {
            let primary = self.entry().primary;
            self.map = map;
            if self.entry().primary != primary {
                // Positions of another history mean nothing any more.
                for backend in &mut self.backends {
                    backend.executed = 0;
                    backend.lag = None;
                }
            }
        }
    }

    pub fn on_timer<P: SqlHost>(&mut self, timer: SqlTimer, ctx: &mut Context<P>) {
        match timer {
            SqlTimer::MapRefresh => {
                self.request_map(ctx);
                ctx.set_timer(MAP_REFRESH, SqlTimer::MapRefresh);
            }
            SqlTimer::LagProbe => {
                for node in &self.entry().nodes {
                    ctx.send(*node, SqlMessage::LagProbe);
                }
                ctx.set_timer(LAG_PROBE_EVERY, SqlTimer::LagProbe);
            }
            SqlTimer::TimeOut => self.time_out(ctx),
            SqlTimer::AttemptTimeOut => self.pool_time_out(ctx),
            _ => {}
        }
    }

    fn time_out<P: SqlHost>(&mut self, ctx: &mut Context<P>) {
        self.executing.timer_fired();
        while let Some(asked) = self.executing.pop_expired(ctx.monotonic()) {
            self.backends[asked.at].avoid_until = ctx.monotonic() + AVOID_REPLICA_FOR;
            self.fail(&asked, Outcome::TIMED_OUT, ctx);
            // The connection is closed, and another one opened in its place.
            self.connection_free(asked.at, ctx);
        }
        if let Some(at) = self.executing.arm() {
            ctx.set_timer_at(at, SqlTimer::TimeOut);
        }
    }

    fn pool_time_out<P: SqlHost>(&mut self, ctx: &mut Context<P>) {
        self.pool_timer_set = false;
        let pool = self.settings.pool;
        for at in 0..self.backends.len() {
            while let Some(asked) = self.backends[at].pool.expired(ctx.monotonic(), &pool) {
                self.fail(&asked, Outcome::Failed(Cause::PoolTimedOut), ctx);
            }
        }
        self.arm_pool_timer(ctx);
    }

    fn arm_pool_timer<P: SqlHost>(&mut self, ctx: &mut Context<P>) {
        if self.pool_timer_set {
            return;
        }
        let pool = &self.settings.pool;
        let first = self.backends.iter().filter_map(|backend| backend.pool.expires(pool)).min();
        if let Some(at) = first {
            self.pool_timer_set = true;
            ctx.set_timer_at(at, SqlTimer::AttemptTimeOut);
        }
    }

    // Routing.

    fn place_of_primary(&self) -> Option<usize> {
        let entry = self.entry();
        entry.nodes.iter().position(|node| *node == entry.primary)
    }

    /// Place of the node that a query goes to.
    fn route(&mut self, request: &Request, now: SimTime) -> usize {
        let primary = self.place_of_primary().unwrap_or(0);
        if request.is_write() {
            return primary;
        }
        match self.settings.reads {
            ReadRouting::Primary => primary,
            ReadRouting::Replica => self.next_replica(primary, now, |_| true).unwrap_or(primary),
            ReadRouting::WithinLag(bound) => {
                let near = |backend: &Backend| backend.lag.is_some_and(|lag| lag <= bound);
                self.next_replica(primary, now, near).unwrap_or(primary)
            }
            ReadRouting::ReadYourWrites { wait } => {
                let has_it = |backend: &Backend| backend.executed >= request.after;
                let found = self.next_replica(primary, now, has_it);
                let may_wait = wait > SimDuration::ZERO;
                let waits = || may_wait.then(|| self.next_replica(primary, now, |_| true)).flatten();
                found.or_else(waits).unwrap_or(primary)
            }
        }
    }

    /// The replicas in turn, leaving out those that did not answer.
    fn next_replica(
        &mut self,
        primary: usize,
        now: SimTime,
        will_do: impl Fn(&Backend) -> bool,
    ) -> Option<usize> {
        let count = self.backends.len();
        let usable = |at: &usize| {
            let backend = &self.backends[*at];
            *at != primary && backend.avoid_until <= now && will_do(backend)
        };
        let chosen = (0..count).map(|step| (self.next_replica + step) % count).find(usable)?;
        self.next_replica = chosen + 1;
        Some(chosen)
    }

    fn request_map<P: SqlHost>(&mut self, ctx: &mut Context<P>) {
        self.map_requests.ask(&self.settings, self.map.version, ctx);
    }
}

fn refuse<P: SqlHost>(to: NodeId, ticket: Ticket, id: OperationId, cause: Cause, ctx: &mut Context<P>) {
    ctx.send(to, SqlMessage::QueryReply { ticket, response: Response::failed(id, cause) });
}
