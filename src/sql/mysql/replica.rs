//! Replication at the replica: the relay log, its applier, and copies of everything.

use super::{BATCH_ENTRIES, MySql, RELAY_ENTRIES_MAX, Restoring, Standing};
use crate::engine::{Context, NodeId, PagedLog, PagedVec};
use crate::sql::binlog::{BINLOG_ENTRIES_MAX, Entry, EpochStart, Position, start_epoch};
use crate::sql::event::{SqlEvent, SqlHost, SqlToken};
use crate::sql::message::SqlMessage;
use crate::sql::record::{MySqlDisk, MySqlRecord, SqlRecord};
use crate::workload::operation::Cell;
use std::rc::Rc;

impl MySql {
    pub(super) fn source(&self) -> Option<NodeId> {
        match self.standing {
            Standing::Replica { source } => source,
            Standing::Primary => None,
        }
    }

    pub(super) fn pull<P: SqlHost>(&mut self, ctx: &mut Context<P>) {
        if let Some(source) = self.source()
            && self.promoting.is_none()
        {
            self.restoring = None;
            self.source_heard = ctx.monotonic();
            ctx.send(source, SqlMessage::Pull { position: self.received });
        }
    }

    /// Opens a connection to its source and pulls: what an old one held back is not waited for.
    pub(super) fn connect<P: SqlHost>(&mut self, ctx: &mut Context<P>) {
        if let Some(source) = self.source() {
            ctx.reconnect(source);
        }
        self.pull(ctx);
    }

    /// Whether a message is from the source that it follows now.
    pub(super) fn hears<P: SqlHost>(&mut self, from: NodeId, epoch: u32, ctx: &mut Context<P>) -> bool {
        if self.source() != Some(from) || epoch < self.epoch {
            return false;
        }
        self.epoch = epoch;
        self.source_heard = ctx.monotonic();
        true
    }

    pub fn on_replicate<P: SqlHost>(
        &mut self,
        from: NodeId,
        epoch: u32,
        entries: &[Entry],
        source_sequence: u64,
        ctx: &mut Context<P>,
    ) {
        if !self.hears(from, epoch, ctx) || self.restoring.is_some() || self.promoting.is_some() {
            return;
        }
        self.source_sequence = source_sequence;
        for entry in entries {
            let position = entry.position();
            if position.sequence == self.received.sequence + 1 && self.relay.len() < RELAY_ENTRIES_MAX {
                self.received = position;
                self.relay.push_back(*entry);
            }
        }
        // A batch that did not reach the end of the source's log wants another one.
        if entries.len() as u64 == BATCH_ENTRIES {
            self.pull_if_behind(ctx);
        }
        self.apply_next(ctx);
    }

    pub fn on_source_alive<P: SqlHost>(
        &mut self,
        from: NodeId,
        epoch: u32,
        sequence: u64,
        ctx: &mut Context<P>,
    ) {
        if self.hears(from, epoch, ctx) && self.restoring.is_none() {
            self.source_sequence = sequence;
            self.pull_if_behind(ctx);
        }
    }

    pub(super) fn pull_if_behind<P: SqlHost>(&mut self, ctx: &mut Context<P>) {
        if self.received.sequence < self.source_sequence && self.relay.len() < RELAY_ENTRIES_MAX / 2 {
            self.pull(ctx);
        }
    }

    pub(super) fn apply_next<P: SqlHost>(&mut self, ctx: &mut Context<P>) {
        if !self.applying && !self.relay.is_empty() {
            self.applying = true;
            let duration = self.settings.apply_service.sample(ctx.random());
            ctx.submit_work(duration, SqlToken::Applied);
        }
    }

    pub(super) fn applied<P: SqlHost>(&mut self, ctx: &mut Context<P>) {
        self.applying = false;
        let Some(entry) = self.relay.pop_front() else {
            return;
        };
        let position = entry.position();
        if self.epochs.last().is_none_or(|last| last.epoch < position.epoch) {
            start_epoch(&mut self.epochs, EpochStart { epoch: position.epoch, base: position.sequence - 1 });
        }
        self.execute(entry);
        ctx.disk_append(SqlRecord::MySql(MySqlRecord::Commit(entry)));
        if self.relay.is_empty() {
            self.finish_promotion(ctx);
        }
        self.apply_next(ctx);
    }

    pub fn on_snapshot_offer<P: SqlHost>(
        &mut self,
        from: NodeId,
        position: Position,
        epochs: Rc<[EpochStart]>,
        pages: u32,
        ctx: &mut Context<P>,
    ) {
        let epoch = epochs.last().map_or(0, |last| last.epoch);
        if !self.hears(from, epoch, ctx) || self.promoting.is_some() {
            return;
        }
        let errant = errant_transactions(self.executed, &epochs);
        let (shard, node) = (self.shard as u8, ctx.id());
        ctx.output(SqlEvent::SnapshotBegins { shard, node, errant });
        self.relay.clear();
        let rows = PagedVec::filled(Cell::default(), self.settings.keys.len());
        self.restoring = Some(Restoring { rows, position, epochs, next_page: 0, pages });
        ctx.send(from, SqlMessage::SnapshotPull { page: 0 });
    }

    pub fn on_snapshot_page<P: SqlHost>(
        &mut self,
        from: NodeId,
        page: u32,
        rows: Rc<Vec<Cell>>,
        ctx: &mut Context<P>,
    ) {
        if self.source() != Some(from) {
            return;
        }
        let Some(restoring) = &mut self.restoring else {
            return;
        };
        if page != restoring.next_page {
            return;
        }
        self.source_heard = ctx.monotonic();
        restoring.rows.replace_page(page as usize, rows);
        restoring.next_page += 1;
        if restoring.next_page < restoring.pages {
            ctx.send(from, SqlMessage::SnapshotPull { page: restoring.next_page });
            return;
        }
        let restored = self.restoring.take().expect("it was just there");
        self.rows = restored.rows;
        self.executed = restored.position;
        self.received = restored.position;
        self.epochs = restored.epochs.to_vec();
        self.log = PagedLog::starting_at(restored.position.sequence + 1, BINLOG_ENTRIES_MAX);
        ctx.disk_append(SqlRecord::MySql(MySqlRecord::Snapshot(Rc::new(MySqlDisk {
            rows: self.rows.clone(),
            log: Some(self.log.clone()),
            executed: self.executed,
            epochs: self.epochs.clone(),
            epoch: self.epoch,
        }))));
        ctx.disk_sync(SqlToken::SnapshotStored);
        ctx.output(SqlEvent::SnapshotEnds { shard: self.shard as u8, node: ctx.id() });
        self.pull(ctx);
    }
}

/// How many of the transactions up to `position` are not part of a history with these epochs.
fn errant_transactions(position: Position, epochs: &[EpochStart]) -> u64 {
    let next = epochs.iter().find(|start| start.epoch > position.epoch);
    next.map_or(0, |start| position.sequence.saturating_sub(start.base))
}
