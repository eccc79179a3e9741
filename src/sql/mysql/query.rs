//! Queries: who may ask, the pages they need, the rows they get.

use super::moving::Frozen;
use super::{MySql, SUSPENDED_MAX};
use crate::engine::{Context, NodeId, SimDuration, SimTime, Ticket};
use crate::sql::event::{SqlHost, SqlTimer, SqlToken};
use crate::sql::message::{Remaining, Row, SqlMessage};
use crate::workload::operation::{Cause, KeyId, OperationKind, Request, Response, ServedBy};
use crate::workload::tally::Tally;

/// Bytes of a name and a number.
const SUM_BYTES: u32 = 16;

/// A query, and whom to answer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    pub proxy: NodeId,
    pub ticket: Ticket,
    pub request: Request,
    /// The epoch of the primary that it is meant for; zero for any node.
    pub epoch: u32,
}

/// A query that waits for pages.
#[derive(Clone)]
pub(super) struct Suspended {
    asked: Asked,
    pages: u32,
    /// Pages that are still to be decrypted.
    encrypted: u32,
}

/// Reads that wait for a transaction: its version, until when, and what was asked; by version, then as they came.
#[derive(Clone, Default)]
pub(super) struct WaitingReads(Vec<(u64, SimTime, Asked)>);

/// Everything that one `Execute` says.
#[derive(Clone, Copy, Debug)]
pub struct Execute {
    pub ticket: Ticket,
    pub request: Request,
    pub epoch: u32,
    pub remaining: Remaining,
    pub wait: SimDuration,
}

impl MySql {
    pub fn on_execute<P: SqlHost>(&mut self, proxy: NodeId, execute: Execute, ctx: &mut Context<P>) {
        let Execute { ticket, request, epoch, remaining, wait } = execute;
        let asked = Asked { proxy, ticket, request, epoch };
        if remaining.is_over(ctx.waited()) {
            self.refuse(&asked, Cause::DeadlinePassed, ctx);
        } else if let Some(cause) = self.objection(&asked, ctx.monotonic()) {
            self.refuse(&asked, cause, ctx);
        } else if epoch == 0 && request.after > self.executed.version() {
            self.wait_for(asked, wait, ctx);
        } else {
            self.bring_pages(asked, ctx);
        }
    }

    /// Why it does not take a query.
    pub(super) fn objection(&self, asked: &Asked, now: SimTime) -> Option<Cause> {
        let request = &asked.request;
        if self.is_recovering() || self.is_restoring() {
            return Some(Cause::Restoring);
        }
        if asked.epoch != 0 || request.is_write() {
            if !self.is_primary_of(asked.epoch) {
                return Some(Cause::NotPrimary);
            }
            if !self.holds_lease(now) {
                return Some(Cause::LeaseLost);
            }
        }
        let is_point = request.is_write() || request.kind == OperationKind::Read;
        let owns = |key: KeyId| self.range.is_some_and(|range| range.contains(self.settings.point(key)));
        let is_frozen = |frozen: &Frozen| frozen.range.contains(self.settings.point(request.key));
        let moves_away = request.is_write() && self.frozen.as_ref().is_some_and(is_frozen);
        (is_point && !owns(request.key) || moves_away).then_some(Cause::StaleMap)
    }

    pub(super) fn refuse<P: SqlHost>(&mut self, asked: &Asked, cause: Cause, ctx: &mut Context<P>) {
        self.reply(asked, Response::failed(asked.request.id, cause), ctx);
    }

    pub(super) fn reply<P: SqlHost>(&mut self, asked: &Asked, response: Response, ctx: &mut Context<P>) {
        let executed = self.executed.version();
        ctx.send(asked.proxy, SqlMessage::ExecuteReply { ticket: asked.ticket, response, executed });
    }

    /// Reads from disk what is not in memory, and goes on when it is there.
    fn bring_pages<P: SqlHost>(&mut self, asked: Asked, ctx: &mut Context<P>) {
        let request = &asked.request;
        let missing = match &mut self.buffer_pool {
            // The index by count is small and always in memory.
            Some(pool) if !matches!(request.kind, OperationKind::Top | OperationKind::SelectTop) => {
                pool.need(&self.settings.keys, request.key, request.end)
            }
            _ => 0,
        };
        if missing == 0 {
            self.run(asked, ctx);
            return;
        }
        let suspended = Suspended { asked, pages: missing, encrypted: missing };
        match self.suspended.insert(ctx.monotonic(), suspended) {
            Ok(operation) => {
                for _ in 0..missing {
                    if !ctx.disk_read(SqlToken::PageRead { operation }) {
                        self.suspended.remove(operation);
                        self.refuse(&asked, Cause::Overloaded, ctx);
                        return;
                    }
                }
            }
            Err(Suspended { asked, .. }) => self.refuse(&asked, Cause::Overloaded, ctx),
        }
    }

    pub(super) fn page_read<P: SqlHost>(&mut self, operation: Ticket, ctx: &mut Context<P>) {
        let Some(suspended) = self.suspended.get_mut(operation) else {
            return;
        };
        suspended.pages -= 1;
        let per_page = self.settings.encryption.per_io;
        if suspended.pages == 0 && suspended.encrypted > 0 && per_page > SimDuration::ZERO {
            let work = SimDuration(per_page.0 * u64::from(std::mem::take(&mut suspended.encrypted)));
            suspended.pages = 1;
            ctx.submit_work(work, SqlToken::PageRead { operation });
        } else if suspended.pages == 0 {
            let suspended = self.suspended.remove(operation).expect("it was just there");
            self.run(suspended.asked, ctx);
        }
    }

    fn run<P: SqlHost>(&mut self, asked: Asked, ctx: &mut Context<P>) {
        let request = asked.request;
        if request.is_write() {
            self.lock_and_write(asked, ctx);
            return;
        }
        let served_by = if self.is_primary() { ServedBy::Primary } else { ServedBy::Replica };
        match request.kind {
            kind if kind.has_rows() => {
                let rows = match kind {
                    OperationKind::Top => self.top(usize::from(request.rows)),
                    OperationKind::SelectTop => self.top_counts(&request),
                    _ => self.scan(&request),
                };
                let response = Response { served_by, ..Response::ok(request.id, Default::default(), 0) };
                ctx.send(asked.proxy, SqlMessage::Rows { ticket: asked.ticket, response, rows: rows.into() });
            }
            _ => {
                let row = self.row(request.key);
                let response = Response::ok(request.id, row.content, row.bytes);
                self.reply(&asked, Response { served_by, ..response }, ctx);
            }
        }
    }

    /// Rows of its own in a range of keys, in their order, as many as are asked for at most.
    fn scan(&self, request: &Request) -> Vec<Row> {
        let keys = &self.settings.keys;
        let (first, last) = (keys.rank(request.key) as usize, keys.rank(request.end) as usize);
        let own = keys.order()[first..=last.max(first)].iter().filter_map(|key| self.own_row(*key));
        own.take(usize::from(request.rows)).collect()
    }

    /// Its rows that were written most often; equally often written ones by key.
    fn top(&self, count: usize) -> Vec<Row> {
        let mut top: Vec<Row> = Vec::with_capacity(count + 1);
        for key in 0..self.settings.keys.len() as KeyId {
            let Some(row) = self.own_row(key) else {
                continue;
            };
            if top.len() == count && top.last().is_some_and(|last| last.count >= row.count) {
                continue;
            }
            let place = top.partition_point(|other| other.count >= row.count);
            top.insert(place, row);
            top.truncate(count);
        }
        top
    }

    /// The groups of rows with the highest counts, each by the first of the rows that are added up.
    fn top_counts(&self, request: &Request) -> Vec<Row> {
        let (stride, summed) = request.stride_and_summed();
        let wanted = usize::from(request.rows);
        let mut top: Vec<Row> = Vec::with_capacity(wanted + 1);
        let groups = (request.key..=request.end).step_by(stride.max(1) as usize);
        for first in groups {
            let rows = (first..first + summed).filter_map(|key| self.own_row(key));
            let sum = rows.map(|row| Tally(row.value)).fold(Tally::default(), Tally::plus);
            let row = Row { key: first, count: 0, bytes: SUM_BYTES, value: sum.0 };
            if sum.count() > 0 {
                let place = top.partition_point(|other| Tally(other.value).count() >= sum.count());
                top.insert(place, row);
                top.truncate(wanted);
            }
        }
        top
    }

    /// A row that was written and not deleted, of a key that this shard has.
    fn own_row(&self, key: KeyId) -> Option<Row> {
        let cell = self.row(key);
        let owned =
            cell.count > 0 && self.range.is_some_and(|range| range.contains(self.settings.point(key)));
        owned.then_some(Row { key, count: cell.count, bytes: cell.bytes, value: cell.content.value })
    }

    // Reads that wait for what the session wrote.

    fn wait_for<P: SqlHost>(&mut self, asked: Asked, wait: SimDuration, ctx: &mut Context<P>) {
        if wait == SimDuration::ZERO || self.waiting_reads.0.len() >= SUSPENDED_MAX {
            self.refuse(&asked, Cause::ReplicaBehind, ctx);
            return;
        }
        let until = ctx.monotonic() + wait;
        let version = asked.request.after;
        let reads = &mut self.waiting_reads.0;
        let place = reads.partition_point(|(other, ..)| *other <= version);
        reads.insert(place, (version, until, asked));
        ctx.set_timer_at(until, SqlTimer::WaitTimeOut);
    }

    /// Something was executed: reads that waited for it go on.
    pub(super) fn wake_reads<P: SqlHost>(&mut self, ctx: &mut Context<P>) {
        let executed = self.executed.version();
        let ready = self.waiting_reads.0.partition_point(|(version, ..)| *version <= executed);
        let woken: Vec<_> = self.waiting_reads.0.drain(..ready).collect();
        for (_, _, asked) in woken {
            self.bring_pages(asked, ctx);
        }
    }

    pub(super) fn wait_time_out<P: SqlHost>(&mut self, ctx: &mut Context<P>) {
        let now = ctx.monotonic();
        while let Some(place) = self.waiting_reads.0.iter().position(|(_, until, _)| *until <= now) {
            let (_, _, asked) = self.waiting_reads.0.remove(place);
            self.refuse(&asked, Cause::ReplicaBehind, ctx);
        }
    }

    // What proxies ask replicas.

    pub fn on_lag_probe<P: SqlHost>(&mut self, proxy: NodeId, ctx: &mut Context<P>) {
        if self.is_recovering() || self.is_restoring() {
            return;
        }
        let lag = if self.is_primary() {
            SimDuration::ZERO
        } else {
            SimDuration(ctx.local_time().saturating_sub(self.fresh_at))
        };
        ctx.send(proxy, SqlMessage::Lag { executed: self.executed.version(), lag });
    }
}
