//! A schema change on a live shard, as its primary makes it.
//!
//! ```text
//! blocking: lock the table ─alone─► write every row anew ─► one transaction, which replicas repeat ─► unlock
//! online:   ghost table ─► copy rows, replay what is written ─nearly all─► lock ─► replay the rest ─► rename ─► unlock
//! ```
//!
//! Models, of MySQL 8.0, `ALTER TABLE … ALGORITHM=COPY`: it waits for the
//! transactions that have begun, and whoever comes later waits for it (the
//! metadata lock); reads go on. A replica executes it when it comes to it, alone,
//! and takes as long again. And gh-ost 1.1: rows are copied in chunks by way of
//! the binlog, so replicas take part as they go; the changes in the binlog come
//! first; it pauses while a replica is too far behind; the table is locked for the
//! last of them only, and given free again if that takes too long.
//!
//! Simplified: the new schema has the same rows; copying reads no pages; replicas
//! run the copy's transactions beside those of the table unless they are of the
//! same row. A change that is under way when the primary fails begins anew.

use super::MySql;
use super::query::Asked;
use crate::engine::{Context, NodeId, SimDuration, SimTime};
use crate::sql::binlog::{Change, schema_cell};
use crate::sql::event::{SqlEvent, SqlHost, SqlTimer, SqlToken};
use crate::sql::message::SqlMessage;
use crate::workload::operation::{Cause, Cell, KeyId};

/// Rows written anew in one piece of work.
const PIECE_ROWS: u32 = 50;
/// Transactions replayed in one piece of work.
const REPLAY_ENTRIES: u64 = 1_000;
/// The table is locked when so few changes of rows are missing in its ghost.
const NEARLY_THERE: usize = 20;
/// A cut-over that took too long is tried again after this.
const CUT_OVER_AGAIN_AFTER: SimDuration = SimDuration::from_ms(1_000);
/// How often replicas are asked how far behind they are, and looked at again while they are too far.
const LAG_EVERY: SimDuration = SimDuration::from_ms(100);
/// A replica that says nothing for so long at the start is not waited for.
const LAG_UNKNOWN_FOR: SimDuration = SimDuration::from_ms(1_000);

/// One that is being made.
#[derive(Clone)]
pub(super) struct SchemaChange {
    number: u64,
    stage: Stage,
    work: Option<Work>,
    timer_set: bool,
    /// Rows from this key on are not yet copied; none when all are.
    copy_from: Option<KeyId>,
    /// Transactions up to this one are in the ghost table.
    after: u64,
    /// No cut-over before this.
    not_before: SimTime,
    /// What replicas said how far behind they are, and when they were asked.
    lags: Vec<(NodeId, SimDuration)>,
    asked: Option<SimTime>,
    began: SimTime,
}

#[derive(Clone, Copy)]
enum Stage {
    /// Waits until it has the table to itself.
    Locks { since: SimTime },
    /// Writes rows anew, of which so many are left.
    Rebuilds { since: SimTime, rows: u32, left: u32 },
    /// This transaction creates the ghost table.
    Creates { sequence: u64 },
    /// Fills it.
    Copies,
    /// Has locked the table for the rest.
    CutsOver { since: SimTime },
    /// This transaction makes the change.
    Commits { since: SimTime, sequence: u64 },
}

/// What a core is at.
#[derive(Clone, Copy)]
enum Work {
    Rebuild,
    /// Transactions up to this one.
    Replay {
        upto: u64,
    },
    /// Rows up to the one before this; none: to the last.
    Copy {
        next: Option<KeyId>,
    },
}

impl SchemaChange {
    fn locks_table(&self) -> bool {
        match self.stage {
            Stage::Locks { .. } | Stage::Rebuilds { .. } | Stage::CutsOver { .. } | Stage::Commits { .. } => {
                true
            }
            Stage::Creates { .. } | Stage::Copies => false,
        }
    }
}

impl MySql {
    /// The schema change that it makes; zero if none.
    pub(super) fn alters(&self) -> u64 {
        self.schema_change.as_ref().map_or(0, |change| change.number)
    }

    /// A schema change that is being made: the rows that are done, and whether writes have to wait.
    pub fn schema_change(&self) -> Option<(u32, bool)> {
        let change = self.schema_change.as_ref()?;
        let done = match (change.stage, change.copy_from) {
            (Stage::Rebuilds { rows, left, .. }, _) => rows - left,
            (Stage::Copies, Some(from)) => from,
            (Stage::Locks { .. } | Stage::Creates { .. }, _) => 0,
            _ => self.tables.row_count(),
        };
        Some((done, change.locks_table()))
    }

    pub(super) fn table_is_locked(&self) -> bool {
        self.schema_change.as_ref().is_some_and(SchemaChange::locks_table)
    }

    pub fn on_alter<P: SqlHost>(&mut self, config: NodeId, number: u64, ctx: &mut Context<P>) {
        if !self.is_primary() || self.is_recovering() {
            return;
        }
        if self.tables.schema() >= number {
            ctx.send(config, SqlMessage::Altered { number });
            return;
        }
        if self.schema_change.is_some() || self.moves() != 0 {
            return;
        }
        let (now, online) = (ctx.monotonic(), self.settings.schema_change.online);
        self.schema_change = Some(SchemaChange {
            number,
            stage: Stage::Locks { since: now },
            work: None,
            timer_set: false,
            copy_from: None,
            after: 0,
            not_before: now,
            lags: Vec::new(),
            asked: None,
            began: now,
        });
        let rows = self.tables.row_count();
        ctx.output(SqlEvent::SchemaChangeBegins { shard: self.shard as u8, node: ctx.id(), online, rows });
        if online {
            self.create_ghost(ctx);
        }
        self.go_on_with_schema_change(ctx);
    }

    pub fn on_give_up_alter<P: SqlHost>(&mut self, number: u64, ctx: &mut Context<P>) {
        let is_meant = |change: &mut SchemaChange| {
            change.number <= number && !matches!(change.stage, Stage::Commits { .. })
        };
        if self.schema_change.take_if(is_meant).is_none() {
            return;
        }
        if self.settings.schema_change.online {
            self.write_own(0, Change::DropGhost, Cell::default(), ctx);
        }
        ctx.output(SqlEvent::SchemaChangeGivenUp { shard: self.shard as u8, node: ctx.id() });
        self.schema_change_is_over(ctx);
    }

    /// Writes may go on.
    fn schema_change_is_over<P: SqlHost>(&mut self, ctx: &mut Context<P>) {
        self.serve_table_queue(ctx);
        // That had to wait.
        self.clean_up(ctx);
    }

    /// Takes the next step, if what it waits for has come.
    pub(super) fn go_on_with_schema_change<P: SqlHost>(&mut self, ctx: &mut Context<P>) {
        let Some(change) = &mut self.schema_change else {
            return;
        };
        match change.stage {
            Stage::Locks { since } if self.pipeline.len() == 0 && self.locks.is_free() => {
                let rows = self.tables.row_count();
                change.stage = Stage::Rebuilds { since, rows, left: rows };
                self.rebuild(ctx);
            }
            Stage::Creates { sequence } if self.executed.sequence >= sequence => {
                change.stage = Stage::Copies;
                self.fill_ghost(ctx);
            }
            Stage::CutsOver { since }
                if change.work.is_none() && self.pipeline.len() == 0 && self.locks.is_free() =>
            {
                self.cut_over_table(since, ctx);
            }
            Stage::Commits { since, sequence } if self.executed.sequence >= sequence => {
                self.schema_change = None;
                let locked = ctx.monotonic().since(since);
                ctx.output(SqlEvent::SchemaChanged { shard: self.shard as u8, node: ctx.id(), locked });
                self.schema_change_is_over(ctx);
            }
            _ => {}
        }
    }

    /// The transaction that makes the change.
    fn commit_schema_change<P: SqlHost>(
        &mut self,
        change: Change,
        since: SimTime,
        rows: u32,
        ctx: &mut Context<P>,
    ) {
        let sequence = self.pipeline.assigned() + 1;
        if let Some(made) = &mut self.schema_change {
            made.stage = Stage::Commits { since, sequence };
            let cell = schema_cell(made.number, rows);
            self.write_own(0, change, cell, ctx);
        }
    }

    /// What a core was at is done.
    pub(super) fn altered<P: SqlHost>(&mut self, number: u64, ctx: &mut Context<P>) {
        let is_meant = |change: &&mut SchemaChange| change.number == number;
        let Some(work) = self.schema_change.as_mut().filter(is_meant).and_then(|change| change.work.take())
        else {
            return;
        };
        match work {
            Work::Rebuild => self.rebuild(ctx),
            Work::Replay { upto } => self.replay_on_ghost(upto, ctx),
            Work::Copy { next } => self.copy_to_ghost(next, ctx),
        }
    }

    pub(super) fn schema_change_timer<P: SqlHost>(&mut self, number: u64, ctx: &mut Context<P>) {
        let Some(change) = self.schema_change.as_mut().filter(|change| change.number == number) else {
            return;
        };
        change.timer_set = false;
        match change.stage {
            Stage::Copies => self.fill_ghost(ctx),
            Stage::CutsOver { since } => {
                let now = ctx.monotonic();
                if now.since(since) < self.settings.schema_change.cut_over_max {
                    self.look_again_at_schema_change(LAG_EVERY, ctx);
                    return;
                }
                change.stage = Stage::Copies;
                change.not_before = now + CUT_OVER_AGAIN_AFTER;
                ctx.output(SqlEvent::CutOverPostponed { shard: self.shard as u8, node: ctx.id() });
                self.serve_table_queue(ctx);
                self.look_again_at_schema_change(CUT_OVER_AGAIN_AFTER, ctx);
            }
            _ => {}
        }
    }

    fn look_again_at_schema_change<P: SqlHost>(&mut self, after: SimDuration, ctx: &mut Context<P>) {
        if let Some(change) = &mut self.schema_change
            && !change.timer_set
        {
            change.timer_set = true;
            ctx.set_timer(after, SqlTimer::SchemaChange { number: change.number });
        }
    }

    // Blocking.

    /// Writes the next rows anew.
    fn rebuild<P: SqlHost>(&mut self, ctx: &mut Context<P>) {
        let Some(SchemaChange { stage: Stage::Rebuilds { since, rows, left }, number, work, .. }) =
            &mut self.schema_change
        else {
            return;
        };
        if *left == 0 {
            let (since, rows) = (*since, *rows);
            self.commit_schema_change(Change::Rebuild, since, rows, ctx);
            return;
        }
        *work = Some(Work::Rebuild);
        let (number, piece) = (*number, (*left).min(PIECE_ROWS));
        *left -= piece;
        let duration = self.rewriting(piece, ctx);
        ctx.submit_work(duration, SqlToken::Altered { number });
    }

    /// Core time for writing so many rows anew.
    fn rewriting<P: SqlHost>(&mut self, rows: u32, ctx: &mut Context<P>) -> SimDuration {
        let each = self.settings.schema_change.row_service.sample(ctx.random());
        SimDuration((each + self.settings.encryption.per_io).0 * u64::from(rows))
    }

    /// Takes the next piece of a rebuild that a replica repeats; how long it takes.
    pub(super) fn repeat_rebuild<P: SqlHost>(
        &mut self,
        left: u32,
        ctx: &mut Context<P>,
    ) -> (u32, SimDuration) {
        let piece = left.min(PIECE_ROWS);
        (left - piece, self.rewriting(piece, ctx))
    }

    // Online.

    /// Begins with an empty ghost table.
    fn create_ghost<P: SqlHost>(&mut self, ctx: &mut Context<P>) {
        let sequence = self.pipeline.assigned() + 1;
        if let Some(change) = &mut self.schema_change {
            change.stage = Stage::Creates { sequence };
            change.copy_from = Some(0);
            change.after = sequence;
            self.write_own(0, Change::CreateGhost, Cell::default(), ctx);
        }
    }

    /// Changes of rows that are in the binlog and not in the ghost table: how many, and up to which
    /// transaction; none if the binlog does not reach back far enough.
    fn missing_in_ghost(&self, after: u64) -> Option<(usize, u64)> {
        let upto = self.executed.sequence.min(after + REPLAY_ENTRIES);
        if after + 1 < self.log.first() {
            return None;
        }
        let entries = (after + 1..=upto).filter_map(|sequence| self.log.get(sequence));
        Some((entries.filter(|entry| entry.change.is_of_a_row()).count(), upto))
    }

    /// Does the next of what there is to do: replay, copy, or cut over.
    fn fill_ghost<P: SqlHost>(&mut self, ctx: &mut Context<P>) {
        let Some(change) = self.schema_change.as_ref().filter(|change| change.work.is_none()) else {
            return;
        };
        let (copy_from, not_before) = (change.copy_from, change.not_before);
        let Some((missing, upto)) = self.missing_in_ghost(change.after) else {
            self.create_ghost(ctx);
            return;
        };
        let is_nearly_there = missing <= NEARLY_THERE && upto == self.executed.sequence;
        let now = ctx.monotonic();
        match copy_from {
            None if is_nearly_there && now >= not_before => {
                if let Some(change) = &mut self.schema_change {
                    change.stage = Stage::CutsOver { since: now };
                }
                self.look_again_at_schema_change(self.settings.schema_change.cut_over_max, ctx);
                self.go_on_with_schema_change(ctx);
            }
            _ if missing > 0 => self.begin_replay(missing, upto, ctx),
            Some(_) if self.replicas_are_behind(ctx) => self.look_again_at_schema_change(LAG_EVERY, ctx),
            Some(from) => self.begin_copy(from, ctx),
            None => self.look_again_at_schema_change(LAG_EVERY, ctx),
        }
    }

    fn begin_replay<P: SqlHost>(&mut self, missing: usize, upto: u64, ctx: &mut Context<P>) {
        let each = self.settings.services.apply.sample(ctx.random());
        if let Some(change) = &mut self.schema_change {
            change.work = Some(Work::Replay { upto });
            ctx.submit_work(
                SimDuration(each.0 * missing as u64),
                SqlToken::Altered { number: change.number },
            );
        }
    }

    fn replay_on_ghost<P: SqlHost>(&mut self, upto: u64, ctx: &mut Context<P>) {
        let Some(change) = &mut self.schema_change else {
            return;
        };
        let entries = (change.after + 1..=upto).filter_map(|sequence| self.log.get(sequence).copied());
        let entries: Vec<_> = entries.filter(|entry| entry.change.is_of_a_row()).collect();
        change.after = upto;
        for entry in entries {
            self.write_own(entry.key, Change::Ghost, entry.row(), ctx);
        }
        match self.schema_change.as_ref().map(|change| change.stage) {
            Some(Stage::Copies) => self.fill_ghost(ctx),
            _ => self.go_on_with_schema_change(ctx),
        }
    }

    fn begin_copy<P: SqlHost>(&mut self, from: KeyId, ctx: &mut Context<P>) {
        let chunk = self.settings.schema_change.chunk_rows;
        let (mut rows, mut next) = (0, None);
        for key in from..self.settings.keys.len() as KeyId {
            if self.row(key).content.version > 0 {
                if rows == chunk {
                    next = Some(key);
                    break;
                }
                rows += 1;
            }
        }
        let duration = self.rewriting(rows, ctx);
        if let Some(change) = &mut self.schema_change {
            change.work = Some(Work::Copy { next });
            ctx.submit_work(duration, SqlToken::Altered { number: change.number });
        }
    }

    fn copy_to_ghost<P: SqlHost>(&mut self, next: Option<KeyId>, ctx: &mut Context<P>) {
        let Some(change) = &mut self.schema_change else {
            return;
        };
        let Some(from) = std::mem::replace(&mut change.copy_from, next) else {
            return;
        };
        for key in from..next.unwrap_or(self.settings.keys.len() as KeyId) {
            let row = self.row(key);
            if row.content.version > 0 {
                self.write_own(key, Change::Ghost, row, ctx);
            }
        }
        self.look_again_at_schema_change(self.settings.schema_change.chunk_every, ctx);
    }

    /// Asks replicas how far behind they are; whether one is too far, as far as is known.
    fn replicas_are_behind<P: SqlHost>(&mut self, ctx: &mut Context<P>) -> bool {
        let now = ctx.monotonic();
        let Some(change) = &mut self.schema_change else {
            return false;
        };
        if change.asked.is_none_or(|asked| now.since(asked) >= LAG_EVERY) {
            change.asked = Some(now);
            for replica in self.subscribers.iter().map(|subscriber| subscriber.node()) {
                ctx.send(replica, SqlMessage::LagProbe);
            }
        }
        let most = self.settings.schema_change.lag_max;
        let is_unknown =
            change.lags.len() < self.subscribers.len() && now.since(change.began) < LAG_UNKNOWN_FOR;
        is_unknown || change.lags.iter().any(|(_, lag)| *lag > most)
    }

    pub fn on_lag(&mut self, replica: NodeId, lag: SimDuration) {
        if let Some(change) = &mut self.schema_change {
            change.lags.retain(|(node, _)| *node != replica);
            change.lags.push((replica, lag));
        }
    }

    /// The table is locked, and nobody is at it.
    fn cut_over_table<P: SqlHost>(&mut self, since: SimTime, ctx: &mut Context<P>) {
        let Some(change) = &self.schema_change else {
            return;
        };
        match self.missing_in_ghost(change.after) {
            Some((0, upto)) if upto == self.executed.sequence && self.tables.ghost_is_complete() => {
                self.commit_schema_change(Change::Rename, since, 0, ctx);
            }
            Some((missing, upto)) if missing > 0 => self.begin_replay(missing, upto, ctx),
            _ => {
                // It is not what it should be: anew.
                self.create_ghost(ctx);
                self.serve_table_queue(ctx);
            }
        }
    }

    // Writes that wait.

    /// A write that comes while the table is locked.
    pub(super) fn wait_for_table<P: SqlHost>(&mut self, asked: Asked, ctx: &mut Context<P>) {
        match self.lock_waiters.insert(ctx.monotonic(), asked) {
            Ok(waiter) => {
                self.locks.wait_for_table(waiter);
                if let Some(at) = self.lock_waiters.arm() {
                    ctx.set_timer_at(at, SqlTimer::AttemptTimeOut);
                }
            }
            Err(asked) => self.refuse(&asked, Cause::Overloaded, ctx),
        }
    }

    /// The table is free: whoever waited goes on, in the order in which they came.
    fn serve_table_queue<P: SqlHost>(&mut self, ctx: &mut Context<P>) {
        for waiter in self.locks.take_table_queue() {
            if let Some(asked) = self.lock_waiters.remove(waiter) {
                self.lock_and_write(asked, ctx);
            }
        }
    }
}
