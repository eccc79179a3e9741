//! The way of a transaction: lock, redo log, binlog, replicas, commit.
//!
//! ```text
//! lock row → redo log (prepare) → fsync → binlog → fsync → replicas (wait for k) → visible, unlocked, acknowledged
//! ```
//!
//! Transactions go through in the order of their numbers; each stage does at
//! once what has come to it, which is MySQL's group commit.

use super::locks::Lock;
use super::query::Asked;
use super::{BINLOG, MySql, REDO};
use crate::engine::disk::UNSYNCED_RECORDS_MAX;
use crate::engine::{Context, SimTime};
use crate::sql::binlog::{Change, Entry, Position};
use crate::sql::event::{SqlEvent, SqlHost, SqlTimer, SqlToken};
use crate::sql::record::{MySqlRecord, SqlRecord};
use crate::sql::settings::{LogSync, Replication};
use crate::workload::operation::{Cause, Cell, KeyId, OperationKind, Response, ServedBy, Versioned};
use crate::workload::tally::Tally;
use std::collections::VecDeque;

/// A transaction that is not yet committed.
#[derive(Clone)]
struct Transaction {
    entry: Entry,
    /// Who asked for it; none if the server did itself.
    asked: Option<Asked>,
    /// When it was sent to the replicas.
    sent: Option<SimTime>,
}

/// How far transactions are.
#[derive(Clone, Default)]
pub(super) struct Pipeline {
    /// The last number given out.
    assigned: u64,
    redo_synced: u64,
    binlog_synced: u64,
    /// In the order of their numbers.
    transactions: VecDeque<Transaction>,
    /// It goes on without replicas.
    pub degraded: bool,
    timer_set: bool,
    /// Commits since the last fsync of a log that is synced every so many.
    redo_unsynced: u32,
    binlog_unsynced: u32,
}

impl Pipeline {
    pub fn starting_at(base: u64) -> Pipeline {
        Pipeline { assigned: base, redo_synced: base, binlog_synced: base, ..Pipeline::default() }
    }

    /// The last number given out.
    pub fn assigned(&self) -> u64 {
        self.assigned
    }

    /// Transactions that are begun and not committed.
    pub fn len(&self) -> usize {
        self.transactions.len()
    }

    /// What may be sent to replicas: in the binlog, and on disk if commits wait for that.
    pub fn shippable(&self, sync: LogSync, logged: u64) -> u64 {
        match sync {
            LogSync::EveryCommit => self.binlog_synced.min(logged),
            LogSync::EveryCommits(_) | LogSync::Interval(_) => logged,
        }
    }
}

impl MySql {
    /// Begins a write, as soon as it has its row.
    pub(super) fn lock_and_write<P: SqlHost>(&mut self, asked: Asked, ctx: &mut Context<P>) {
        // It may have waited for a page.
        if let Some(cause) = self.objection(&asked, ctx.monotonic()) {
            self.refuse(&asked, cause, ctx);
            return;
        }
        if ctx.disk_backlog() > UNSYNCED_RECORDS_MAX / 2 {
            self.refuse(&asked, Cause::Overloaded, ctx);
            return;
        }
        if self.table_is_locked() {
            self.wait_for_table(asked, ctx);
            return;
        }
        let key = asked.request.key;
        match self.locks.ask(key, self.settings.storage.row_queue_max as usize) {
            Lock::Granted => self.write(asked, ctx),
            Lock::TooMany => self.refuse(&asked, Cause::RowLocked, ctx),
            Lock::Held => match self.lock_waiters.insert(ctx.monotonic(), asked) {
                Ok(waiter) => {
                    self.locks.wait(key, waiter);
                    if let Some(at) = self.lock_waiters.arm() {
                        ctx.set_timer_at(at, SqlTimer::AttemptTimeOut);
                    }
                }
                Err(asked) => self.refuse(&asked, Cause::Overloaded, ctx),
            },
        }
    }

    pub(super) fn lock_time_out<P: SqlHost>(&mut self, ctx: &mut Context<P>) {
        self.lock_waiters.timer_fired();
        while let Some(asked) = self.lock_waiters.pop_expired(ctx.monotonic()) {
            self.refuse(&asked, Cause::RowLocked, ctx);
        }
        if let Some(at) = self.lock_waiters.arm() {
            ctx.set_timer_at(at, SqlTimer::AttemptTimeOut);
        }
    }

    /// A transaction that has its row gets its number and goes into the redo log.
    fn write<P: SqlHost>(&mut self, asked: Asked, ctx: &mut Context<P>) {
        let request = &asked.request;
        let row = self.row(request.key);
        let (count, before) = (row.count, if row.count > 0 { row.content.value } else { 0 });
        let value = match request.kind {
            OperationKind::Add => Tally(before).plus(Tally(request.value)).0,
            OperationKind::Raise => request.value.max(before),
            _ => request.value,
        };
        let content = Versioned { value, version: self.next_position().version() };
        // A row that is deleted keeps the version of that, and counts from the start if it is written again.
        let count = match request.kind {
            OperationKind::Delete => 0,
            OperationKind::Decrement => count.saturating_sub(1),
            _ => count.saturating_add(1),
        };
        let cell = Cell { content, bytes: request.bytes, count };
        self.prepare(request.key, Change::Write, cell, Some(asked), ctx);
    }

    /// A transaction of the server's own: nobody waits for its row or its answer.
    pub(super) fn write_own<P: SqlHost>(
        &mut self,
        key: KeyId,
        change: Change,
        cell: Cell,
        ctx: &mut Context<P>,
    ) {
        self.prepare(key, change, cell, None, ctx);
    }

    fn next_position(&self) -> Position {
        Position { epoch: self.epoch, sequence: self.pipeline.assigned + 1 }
    }

    fn prepare<P: SqlHost>(
        &mut self,
        key: KeyId,
        change: Change,
        cell: Cell,
        asked: Option<Asked>,
        ctx: &mut Context<P>,
    ) {
        let position = self.next_position();
        self.pipeline.assigned = position.sequence;
        let entry = Entry::new(position, key, change, cell, ctx.local_time());
        ctx.disk_append_to(REDO, SqlRecord::MySql(MySqlRecord::Redo(entry)));
        self.pipeline.transactions.push_back(Transaction { entry, asked, sent: None });
        match self.settings.storage.redo_log_sync {
            LogSync::EveryCommit => {
                ctx.disk_sync_file(REDO, SqlToken::RedoSynced { sequence: position.sequence });
                return;
            }
            LogSync::EveryCommits(commits) => {
                self.pipeline.redo_unsynced += 1;
                if self.pipeline.redo_unsynced >= commits {
                    self.pipeline.redo_unsynced = 0;
                    ctx.disk_sync_file_background(REDO);
                }
            }
            LogSync::Interval(_) => {}
        }
        self.advance(ctx);
    }

    pub(super) fn redo_synced<P: SqlHost>(&mut self, sequence: u64, ctx: &mut Context<P>) {
        if self.is_primary() {
            self.pipeline.redo_synced = self.pipeline.redo_synced.max(sequence);
            self.advance(ctx);
        }
    }

    pub(super) fn binlog_synced<P: SqlHost>(&mut self, sequence: u64, ctx: &mut Context<P>) {
        self.durable = self.durable.max(sequence.min(self.logged_to()));
        if self.is_primary() {
            self.pipeline.binlog_synced = self.pipeline.binlog_synced.max(sequence);
            self.advance(ctx);
        } else {
            self.acknowledge(ctx);
        }
    }

    /// Lets every stage do what it can.
    pub(super) fn advance<P: SqlHost>(&mut self, ctx: &mut Context<P>) {
        self.write_binlog(ctx);
        self.ship(ctx);
        self.commit(ctx);
    }

    /// What is prepared goes into the binlog.
    fn write_binlog<P: SqlHost>(&mut self, ctx: &mut Context<P>) {
        let prepared = match self.settings.storage.redo_log_sync {
            LogSync::EveryCommit => self.pipeline.redo_synced.min(self.pipeline.assigned),
            LogSync::EveryCommits(_) | LogSync::Interval(_) => self.pipeline.assigned,
        };
        let before = self.logged_to();
        let Some(first) = self.pipeline.transactions.front().map(|first| first.entry.sequence()) else {
            return;
        };
        for sequence in before + 1..=prepared {
            let transaction = &mut self.pipeline.transactions[(sequence - first) as usize];
            transaction.entry.committed_at = ctx.local_time();
            let entry = transaction.entry;
            self.log.push(entry);
            ctx.disk_append_to(BINLOG, SqlRecord::MySql(MySqlRecord::Binlog(entry)));
        }
        let logged = self.logged_to();
        if logged == before {
            return;
        }
        match self.settings.storage.binlog_sync {
            LogSync::EveryCommit => ctx.disk_sync_file(BINLOG, SqlToken::BinlogSynced { sequence: logged }),
            LogSync::EveryCommits(commits) => {
                self.pipeline.binlog_unsynced += (logged - before) as u32;
                if self.pipeline.binlog_unsynced >= commits {
                    self.pipeline.binlog_unsynced = 0;
                    ctx.disk_sync_file_background(BINLOG);
                }
            }
            LogSync::Interval(_) => {}
        }
    }

    /// What replicas may have is sent to them.
    fn ship<P: SqlHost>(&mut self, ctx: &mut Context<P>) {
        let upto = self.pipeline.shippable(self.settings.storage.binlog_sync, self.logged_to());
        self.send_to_subscribers(upto, ctx);
        if self.settings.replication == Replication::Asynchronous {
            return;
        }
        let now = ctx.monotonic();
        for transaction in self.pipeline.transactions.iter_mut().rev() {
            if transaction.entry.sequence() <= upto {
                if transaction.sent.is_some() {
                    break;
                }
                transaction.sent = Some(now);
            }
        }
        self.arm_acknowledgement(ctx);
    }

    /// How far enough replicas are for a commit.
    fn acknowledged(&self) -> u64 {
        let replicas = match self.settings.replication {
            Replication::Asynchronous => return u64::MAX,
            Replication::SemiSynchronous { .. } if self.pipeline.degraded => return u64::MAX,
            Replication::SemiSynchronous { replicas, .. } => replicas as usize,
            Replication::Synchronous => self.settings.first_map.shards[self.shard].nodes.len() - 1,
        };
        self.acknowledged_by(replicas)
    }

    /// Commits what has been through everything.
    pub(super) fn commit<P: SqlHost>(&mut self, ctx: &mut Context<P>) {
        let shippable = self.pipeline.shippable(self.settings.storage.binlog_sync, self.logged_to());
        let upto = shippable.min(self.acknowledged());
        while self.pipeline.transactions.front().is_some_and(|first| first.entry.sequence() <= upto) {
            let transaction = self.pipeline.transactions.pop_front().expect("the front was just seen");
            self.execute(&transaction.entry);
            let Some(asked) = transaction.asked else {
                continue;
            };
            let response = if self.holds_lease(ctx.monotonic()) {
                let response = Response::ok(asked.request.id, transaction.entry.cell.content, 0);
                Response { served_by: ServedBy::Primary, ..response }
            } else {
                // Another may be primary by now, and not have it.
                Response::unknown(asked.request.id, Cause::LeaseLost)
            };
            self.reply(&asked, response, ctx);
            self.unlock(asked.request.key, ctx);
        }
        self.compare_frozen(ctx);
        self.go_on_with_schema_change(ctx);
    }

    fn unlock<P: SqlHost>(&mut self, key: u32, ctx: &mut Context<P>) {
        loop {
            let waiters = &mut self.lock_waiters;
            let next = self.locks.release(key, |waiter| waiters.get_mut(waiter).is_some());
            let Some(asked) = next.and_then(|waiter| self.lock_waiters.remove(waiter)) else {
                return;
            };
            match self.objection(&asked, ctx.monotonic()) {
                Some(cause) => self.refuse(&asked, cause, ctx),
                None => return self.write(asked, ctx),
            }
        }
    }

    // Waiting for replicas.

    fn arm_acknowledgement<P: SqlHost>(&mut self, ctx: &mut Context<P>) {
        let Replication::SemiSynchronous { timeout, .. } = self.settings.replication else {
            return;
        };
        if self.pipeline.timer_set || self.pipeline.degraded {
            return;
        }
        if let Some(sent) = self.pipeline.transactions.front().and_then(|first| first.sent) {
            self.pipeline.timer_set = true;
            ctx.set_timer_at(sent + timeout, SqlTimer::Acknowledgement);
        }
    }

    /// The oldest transaction may have waited for too long: then nobody waits any more.
    pub(super) fn acknowledgements_due<P: SqlHost>(&mut self, ctx: &mut Context<P>) {
        self.pipeline.timer_set = false;
        let Replication::SemiSynchronous { timeout, .. } = self.settings.replication else {
            return;
        };
        let oldest = self.pipeline.transactions.front().and_then(|first| first.sent);
        let overdue = oldest.is_some_and(|sent| sent + timeout <= ctx.monotonic());
        if self.is_primary() && overdue && !self.pipeline.degraded {
            self.pipeline.degraded = true;
            ctx.output(SqlEvent::Degraded { shard: self.shard as u8, node: ctx.id() });
            self.commit(ctx);
        } else {
            self.arm_acknowledgement(ctx);
        }
    }

    /// A replica has more on its disk.
    pub(super) fn acknowledgement_came<P: SqlHost>(&mut self, ctx: &mut Context<P>) {
        if let Replication::SemiSynchronous { replicas, .. } = self.settings.replication
            && self.pipeline.degraded
        {
            let upto = self.pipeline.shippable(self.settings.storage.binlog_sync, self.logged_to());
            if self.acknowledged_by(replicas as usize) >= upto {
                self.pipeline.degraded = false;
                ctx.output(SqlEvent::Restored { shard: self.shard as u8, node: ctx.id() });
            }
        }
        self.commit(ctx);
    }

    /// Everything that was begun is put into the log and executed, and nobody is told how it ended.
    pub(super) fn give_up_transactions<P: SqlHost>(&mut self, ctx: &mut Context<P>) {
        while let Some(transaction) = self.pipeline.transactions.pop_front() {
            let entry = transaction.entry;
            if entry.sequence() > self.logged_to() {
                self.log.push(entry);
                ctx.disk_append_to(BINLOG, SqlRecord::MySql(MySqlRecord::Binlog(entry)));
            }
            self.execute(&entry);
            if let Some(asked) = transaction.asked {
                self.reply(&asked, Response::unknown(asked.request.id, Cause::NotPrimary), ctx);
            }
        }
        self.locks.clear();
        while let Some(asked) = self.lock_waiters.pop_any() {
            self.refuse(&asked, Cause::NotPrimary, ctx);
        }
        self.pipeline = Pipeline::default();
    }
}
