//! Shard proxy: one per shard, between the query proxies and MySQL.
//!
//! Models: a proxy such as Vitess's VTTablet or ProxySQL in front of one shard:
//! a result cache, routing of reads to the primary or the replicas, a bounded
//! pool of connections, a time-out. It learns who is primary from the
//! configuration service alone, and asks again when it is refused.
//!
//! Simplified: a query's whole core time is spent on its way in. A replica that
//! did not answer in time is avoided for a second. Left out here: lag bounds,
//! read-your-writes, coalescing, transactions.

use super::event::{SqlHost, SqlTimer};
use super::message::SqlMessage;
use super::query_proxy::MAP_REFRESH;
use super::result_cache::ResultCache;
use super::settings::{ReadRouting, SqlSettings};
use super::shard_map::{ShardEntry, ShardMap};
use crate::engine::{Context, NodeId, PendingTable, SimDuration, SimTime, Stream, Ticket};
use crate::workload::operation::{Cause, Cell, Outcome, Request, Response};
use std::rc::Rc;

/// How long a replica that did not answer gets no reads.
pub const AVOID_REPLICA_FOR: SimDuration = SimDuration::from_ms(1_000);

#[derive(Clone)]
struct Executing {
    query_proxy: NodeId,
    ticket: Ticket,
    request: Request,
    node: NodeId,
}

/// One shard's proxy.
#[derive(Clone)]
pub struct ShardProxy {
    settings: Rc<SqlSettings>,
    shard: usize,
    map: Rc<ShardMap>,
    cache: ResultCache,
    pending: PendingTable<Executing>,
    next_replica: usize,
    /// By place in the shard's list of nodes.
    avoid_until: Vec<SimTime>,
    map_request_sent: SimTime,
}

impl ShardProxy {
    pub fn new(settings: Rc<SqlSettings>, shard: usize) -> ShardProxy {
        let nodes = settings.first_map.shards[shard].nodes.len();
        ShardProxy {
            shard,
            map: Rc::clone(&settings.first_map),
            cache: ResultCache::new(settings.keys.len(), settings.cache_entries, settings.cache_ttl),
            pending: PendingTable::new(settings.proxy_timeout, settings.pool_size),
            next_replica: 0,
            avoid_until: vec![SimTime::ZERO; nodes],
            map_request_sent: SimTime::ZERO,
            settings,
        }
    }

    pub fn cache(&self) -> &ResultCache {
        &self.cache
    }

    pub fn in_flight(&self) -> usize {
        self.pending.len()
    }

    /// Its shard, as it believes it to be.
    pub fn entry(&self) -> &ShardEntry {
        &self.map.shards[self.shard]
    }

    /// Core time for one query.
    pub fn service_time(&self, stream: &mut Stream) -> SimDuration {
        self.settings.shard_proxy_service.sample(stream)
    }

    pub fn on_start<P: SqlHost>(&mut self, ctx: &mut Context<P>) {
        ctx.set_timer(MAP_REFRESH, SqlTimer::MapRefresh);
    }

    pub fn on_query<P: SqlHost>(
        &mut self,
        query_proxy: NodeId,
        ticket: Ticket,
        request: Request,
        ctx: &mut Context<P>,
    ) {
        if request.is_write() {
            self.cache.invalidate(request.key);
        } else if let Some(cell) = self.cache.get(request.key, ctx.monotonic()) {
            let response = Response::ok(request.id, cell.content, cell.bytes);
            ctx.send(query_proxy, SqlMessage::QueryReply { ticket, response });
            return;
        }
        let node = self.route(&request, ctx.monotonic());
        match self.pending.insert(ctx.monotonic(), Executing { query_proxy, ticket, request, node }) {
            Ok(own) => {
                ctx.send(node, SqlMessage::Execute { ticket: own, request });
                if let Some(at) = self.pending.arm() {
                    ctx.set_timer_at(at, SqlTimer::TimeOut);
                }
            }
            Err(_) => {
                let response = Response::failed(request.id, Cause::Overloaded);
                ctx.send(query_proxy, SqlMessage::QueryReply { ticket, response });
            }
        }
    }

    pub fn on_reply<P: SqlHost>(&mut self, ticket: Ticket, response: Response, ctx: &mut Context<P>) {
        let Some(executing) = self.pending.remove(ticket) else {
            return;
        };
        let key = executing.request.key;
        match response.outcome {
            Outcome::Ok if executing.request.is_write() => self.cache.invalidate(key),
            Outcome::Ok => {
                let cell = Cell { content: response.result, bytes: response.bytes };
                self.cache.put(key, cell, ctx.monotonic());
            }
            Outcome::Failed(Cause::NotPrimary) => self.request_map(ctx),
            _ => {}
        }
        let ticket = executing.ticket;
        ctx.send(executing.query_proxy, SqlMessage::QueryReply { ticket, response });
    }

    pub fn on_map(&mut self, map: Rc<ShardMap>) {
        if map.version > self.map.version {
            self.map = map;
        }
    }

    pub fn on_timer<P: SqlHost>(&mut self, timer: SqlTimer, ctx: &mut Context<P>) {
        match timer {
            SqlTimer::MapRefresh => {
                ctx.send(self.settings.config, SqlMessage::MapRequest { version: self.map.version });
                ctx.set_timer(MAP_REFRESH, SqlTimer::MapRefresh);
            }
            SqlTimer::TimeOut => self.time_out(ctx),
            _ => {}
        }
    }

    fn time_out<P: SqlHost>(&mut self, ctx: &mut Context<P>) {
        self.pending.timer_fired();
        while let Some(executing) = self.pending.pop_expired(ctx.monotonic()) {
            if let Some(at) = self.entry().nodes.iter().position(|node| *node == executing.node) {
                self.avoid_until[at] = ctx.monotonic() + AVOID_REPLICA_FOR;
            }
            let response = Response::unknown(executing.request.id, Cause::TimedOut);
            ctx.send(executing.query_proxy, SqlMessage::QueryReply { ticket: executing.ticket, response });
        }
        if let Some(at) = self.pending.arm() {
            ctx.set_timer_at(at, SqlTimer::TimeOut);
        }
    }

    /// The node that a query goes to.
    fn route(&mut self, request: &Request, now: SimTime) -> NodeId {
        let shard = &self.map.shards[self.shard];
        if request.is_write() || self.settings.reads == ReadRouting::Primary {
            return shard.primary;
        }
        let count = shard.nodes.len();
        for step in 0..count {
            let at = (self.next_replica + step) % count;
            if shard.nodes[at] != shard.primary && self.avoid_until[at] <= now {
                self.next_replica = at + 1;
                return shard.nodes[at];
            }
        }
        shard.primary
    }

    /// Asks for a newer map, at most every hundred milliseconds.
    fn request_map<P: SqlHost>(&mut self, ctx: &mut Context<P>) {
        let now = ctx.monotonic();
        if now.since(self.map_request_sent) >= SimDuration::from_ms(100) {
            self.map_request_sent = now;
            ctx.send(self.settings.config, SqlMessage::MapRequest { version: self.map.version });
        }
    }
}
