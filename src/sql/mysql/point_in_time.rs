//! A server restores its shard from a backup, to a point in time.
//!
//! ```text
//! stop serving ─► newest snapshot that is old enough ─► replay the binlog up to the time ─► on disk ─► say so
//! ```
//!
//! What the server has stays until all of it has come.

use super::{BINLOG, MySql, Standing};
use crate::engine::{Context, NodeId, PagedLog, SimDuration, SimTime};
use crate::sql::backup_archive::epochs_of;
use crate::sql::binlog::{BINLOG_ENTRIES_MAX, Entry, EpochStart, Position};
use crate::sql::event::{SqlEvent, SqlHost, SqlToken};
use crate::sql::message::{Fetch, SqlMessage};
use crate::sql::record::{MySqlDisk, MySqlRecord, SqlRecord};
use crate::sql::tables::{Outline, Tables};
use crate::workload::operation::Cell;
use std::rc::Rc;

/// An answer that does not come is asked for again after this.
const ASK_AGAIN_AFTER: SimDuration = SimDuration::from_ms(500);

/// What was asked for, and how far it is.
#[derive(Clone)]
pub(super) struct PointInTime {
    number: u64,
    /// On wall clocks, in nanoseconds.
    to: u64,
    stage: Stage,
    asked: SimTime,
    /// When the last transaction that is restored was committed.
    reached: u64,
    replayed: u64,
}

#[derive(Clone)]
enum Stage {
    Asks,
    Copies {
        copy: Copy,
        next_page: u32,
    },
    /// Waits for transactions, or works on them.
    Replays {
        copy: Copy,
        arrived: Option<(Rc<[Entry]>, bool)>,
    },
    Stores,
    /// It is on disk; the configuration service was told.
    Done,
}

/// What is to become the server's.
#[derive(Clone)]
struct Copy {
    taken: u64,
    tables: Tables,
    position: Position,
    epochs: Vec<EpochStart>,
}

impl MySql {
    /// Restores the shard up to a time on wall clocks in nanoseconds (the largest number: as its newest backup has
    /// it), or says that it is done.
    pub fn on_restore<P: SqlHost>(
        &mut self,
        config: NodeId,
        number: u64,
        epoch: u32,
        to: u64,
        ctx: &mut Context<P>,
    ) {
        if self.is_recovering() || epoch < self.epoch {
            return;
        }
        let now = ctx.monotonic();
        match &self.point_in_time {
            Some(point) if point.number == number => match point.stage {
                Stage::Done => ctx.send(config, SqlMessage::Restored { number }),
                Stage::Stores | Stage::Replays { arrived: Some(_), .. } => {}
                _ if now.since(point.asked) >= ASK_AGAIN_AFTER => self.fetch(ctx),
                _ => {}
            },
            _ => {
                if self.is_primary() {
                    self.step_down(ctx);
                }
                self.standing = Standing::Replica { source: None };
                self.promoting = None;
                self.restoring = None;
                self.stop_appliers();
                let point =
                    PointInTime { number, to, stage: Stage::Asks, asked: now, reached: 0, replayed: 0 };
                self.point_in_time = Some(point);
                ctx.output(SqlEvent::RestoreBegins { shard: self.shard as u8, node: ctx.id() });
                self.fetch(ctx);
            }
        }
    }

    /// Whether it is about to become what a backup has, and not there yet.
    pub(super) fn is_going_back(&self) -> bool {
        self.point_in_time.as_ref().is_some_and(|point| !matches!(point.stage, Stage::Done))
    }

    /// Asks the store for what comes next.
    fn fetch<P: SqlHost>(&mut self, ctx: &mut Context<P>) {
        let (Some(point), Some(store)) = (&mut self.point_in_time, self.settings.backup_store) else {
            return;
        };
        point.asked = ctx.monotonic();
        let (taken, fetch) = match &point.stage {
            Stage::Asks => (0, Fetch::Offer),
            Stage::Copies { copy, next_page } => (copy.taken, Fetch::Page(*next_page)),
            Stage::Replays { copy, .. } => (copy.taken, Fetch::Log { after: copy.position.sequence }),
            Stage::Stores | Stage::Done => return,
        };
        let shard = self.shard as u16;
        ctx.send(store, SqlMessage::Fetch { shard, taken, to: point.to, fetch });
    }

    pub(super) fn backup_offered<P: SqlHost>(
        &mut self,
        (position, taken): (Position, u64),
        epochs: &[EpochStart],
        outline: Outline,
        ctx: &mut Context<P>,
    ) {
        if let Some(point) = &mut self.point_in_time
            && matches!(point.stage, Stage::Asks)
        {
            let tables = Tables::outlined(outline);
            let copy = Copy { taken, tables, position, epochs: epochs.to_vec() };
            point.stage = Stage::Copies { copy, next_page: 0 };
            point.reached = taken;
            self.fetch(ctx);
        }
    }

    pub(super) fn backup_page<P: SqlHost>(&mut self, page: u32, rows: Rc<Vec<Cell>>, ctx: &mut Context<P>) {
        let Some(point) = &mut self.point_in_time else {
            return;
        };
        if let Stage::Copies { copy, next_page } = &mut point.stage
            && *next_page == page
        {
            copy.tables.replace_page(page as usize, rows);
            *next_page += 1;
            if *next_page as usize == copy.tables.page_count() {
                point.stage = Stage::Replays { copy: copy.clone(), arrived: None };
            }
            self.fetch(ctx);
        }
    }

    pub fn on_backup_log<P: SqlHost>(
        &mut self,
        after: u64,
        entries: Rc<[Entry]>,
        is_last: bool,
        ctx: &mut Context<P>,
    ) {
        let each = self.settings.services.apply.sample(ctx.random());
        if let Some(PointInTime { stage: Stage::Replays { copy, arrived }, number, .. }) =
            &mut self.point_in_time
            && arrived.is_none()
            && copy.position.sequence == after
        {
            let work = SimDuration(each.0 * entries.len() as u64);
            *arrived = Some((entries, is_last));
            ctx.submit_work(work, SqlToken::Replayed { number: *number });
        }
    }

    /// Transactions of the backup have been executed.
    pub(super) fn replayed<P: SqlHost>(&mut self, number: u64, ctx: &mut Context<P>) {
        let Some(point) = self.point_in_time.as_mut().filter(|point| point.number == number) else {
            return;
        };
        let Stage::Replays { copy, arrived } = &mut point.stage else {
            return;
        };
        let Some((entries, is_last)) = arrived.take() else {
            return;
        };
        for entry in entries.iter() {
            copy.tables.execute(entry);
            copy.position = entry.position();
            point.reached = entry.committed_at;
        }
        epochs_of(&entries, &mut copy.epochs);
        point.replayed += entries.len() as u64;
        if is_last {
            self.become_what_was_restored(ctx);
        } else {
            self.fetch(ctx);
        }
    }

    fn become_what_was_restored<P: SqlHost>(&mut self, ctx: &mut Context<P>) {
        let Some(point) = &mut self.point_in_time else {
            return;
        };
        let Stage::Replays { copy, .. } = std::mem::replace(&mut point.stage, Stage::Stores) else {
            return;
        };
        let number = point.number;
        let Copy { tables, position, epochs, .. } = copy;
        self.tables = tables;
        self.executed = position;
        self.epochs = epochs;
        self.log = PagedLog::starting_at(position.sequence + 1, BINLOG_ENTRIES_MAX);
        self.durable = 0;
        let copied = MySqlDisk::copied(self.tables.clone(), position, self.epochs.clone(), self.epoch);
        ctx.disk_append_to(BINLOG, SqlRecord::MySql(MySqlRecord::Snapshot(Rc::new(copied))));
        ctx.disk_sync_file(BINLOG, SqlToken::RestoreStored { number });
    }

    /// What was restored is on disk.
    pub(super) fn restore_stored<P: SqlHost>(&mut self, number: u64, ctx: &mut Context<P>) {
        if let Some(point) = self.point_in_time.as_mut().filter(|point| point.number == number) {
            point.stage = Stage::Done;
            self.durable = self.durable.max(self.executed.sequence);
            let (shard, node) = (self.shard as u8, ctx.id());
            let (reached, transactions) = (point.reached, point.replayed);
            ctx.output(SqlEvent::PointReached { shard, node, reached, transactions });
        }
    }

    /// There is no backup that is old enough, or the one that was being copied is gone.
    pub fn on_no_backup<P: SqlHost>(&mut self, ctx: &mut Context<P>) {
        let Some(point) = &mut self.point_in_time else {
            return;
        };
        match point.stage {
            Stage::Asks => {
                let number = point.number;
                self.point_in_time = None;
                for config in &self.settings.config {
                    ctx.send(*config, SqlMessage::NothingToRestore { number });
                }
            }
            Stage::Copies { .. } | Stage::Replays { .. } => {
                point.stage = Stage::Asks;
                self.fetch(ctx);
            }
            Stage::Stores | Stage::Done => {}
        }
    }
}
