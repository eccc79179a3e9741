//! Query proxy: the cluster's front door.
//!
//! Models: a stateless proxy such as Vitess's VTGate or ProxySQL's routing: it
//! knows the shard map, sends each point query to the shard proxy of its range,
//! and gives up after a time-out (the outcome is then unknown).
//!
//! Simplified: a query's whole core time is spent on its way in, none on its
//! way out. Left out here: scatter-gather, retries, circuit breaker, buffering.

use super::event::{SqlHost, SqlTimer};
use super::message::SqlMessage;
use super::settings::SqlSettings;
use super::shard_map::ShardMap;
use crate::engine::{Context, NodeId, PendingTable, SimDuration, Stream, Ticket};
use crate::workload::operation::{Cause, OperationId, Request, Response};
use std::rc::Rc;

/// How often a proxy asks for a newer map.
pub const MAP_REFRESH: SimDuration = SimDuration::from_ms(1_000);

#[derive(Clone)]
struct Forwarded {
    client: NodeId,
    id: OperationId,
}

/// One query proxy.
#[derive(Clone)]
pub struct QueryProxy {
    settings: Rc<SqlSettings>,
    map: Rc<ShardMap>,
    pending: PendingTable<Forwarded>,
}

impl QueryProxy {
    pub fn new(settings: Rc<SqlSettings>) -> QueryProxy {
        QueryProxy {
            map: Rc::clone(&settings.first_map),
            pending: PendingTable::new(settings.proxy_timeout, settings.proxy_in_flight_max),
            settings,
        }
    }

    pub fn map(&self) -> &ShardMap {
        &self.map
    }

    /// Queries under way.
    pub fn in_flight(&self) -> usize {
        self.pending.len()
    }

    /// Core time for one query.
    pub fn service_time(&self, stream: &mut Stream) -> SimDuration {
        self.settings.query_proxy_service.sample(stream)
    }

    pub fn on_start<P: SqlHost>(&mut self, ctx: &mut Context<P>) {
        ctx.set_timer(MAP_REFRESH, SqlTimer::MapRefresh);
    }

    pub fn on_request<P: SqlHost>(&mut self, client: NodeId, request: Request, ctx: &mut Context<P>) {
        let shard = self.map.shard_of(self.settings.keys.letter(request.key));
        let proxy = self.map.shards[shard].proxy;
        match self.pending.insert(ctx.monotonic(), Forwarded { client, id: request.id }) {
            Ok(ticket) => {
                ctx.send(proxy, SqlMessage::Query { ticket, request });
                if let Some(at) = self.pending.arm() {
                    ctx.set_timer_at(at, SqlTimer::TimeOut);
                }
            }
            Err(_) => ctx.send(client, Response::failed(request.id, Cause::Overloaded)),
        }
    }

    pub fn on_reply<P: SqlHost>(&mut self, ticket: Ticket, response: Response, ctx: &mut Context<P>) {
        if let Some(forwarded) = self.pending.remove(ticket) {
            ctx.send(forwarded.client, response);
        }
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
            SqlTimer::TimeOut => {
                self.pending.timer_fired();
                while let Some(forwarded) = self.pending.pop_expired(ctx.monotonic()) {
                    ctx.send(forwarded.client, Response::unknown(forwarded.id, Cause::TimedOut));
                }
                if let Some(at) = self.pending.arm() {
                    ctx.set_timer_at(at, SqlTimer::TimeOut);
                }
            }
            _ => {}
        }
    }
}
