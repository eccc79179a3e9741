//! Replication at the replica: the relay log, its appliers, and copies of everything.

use super::source::BATCH_ENTRIES;
use super::{BINLOG, MySql, Standing};
use crate::engine::{Context, NodeId, PagedLog};
use crate::sql::binlog::{BINLOG_ENTRIES_MAX, Change, Entry, EpochStart, Position, start_epoch};
use crate::sql::event::{SqlEvent, SqlHost, SqlToken};
use crate::sql::message::SqlMessage;
use crate::sql::record::{MySqlDisk, MySqlRecord, SqlRecord};
use crate::sql::settings::Replication;
use crate::sql::tables::{Outline, Tables};
use crate::workload::operation::{Cell, KeyId};
use std::collections::VecDeque;
use std::rc::Rc;

/// Transactions that wait for the appliers at most; beyond, the replica lets its source wait.
pub const RELAY_ENTRIES_MAX: u64 = 65_536;
/// Transactions that one applier may be ahead of the slowest, so that they can be committed in order.
const AHEAD_PER_APPLIER: usize = 8;

/// Transactions that appliers have taken, in order, from the first that is not executed on.
#[derive(Clone, Default)]
pub(super) struct Applying {
    taken: VecDeque<Taken>,
    busy: u32,
    /// Rows that a rebuild of the table has still to write.
    rebuild_left: u32,
    /// Raised when the log is replaced: what appliers still do is void.
    generation_base: u64,
}

#[derive(Clone, Copy)]
struct Taken {
    key: KeyId,
    rebuilds: bool,
    state: ApplyState,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum ApplyState {
    /// Another one that writes the same row has to be done first.
    Waits,
    Runs,
    Done,
}

/// The copy that a replica is taking.
#[derive(Clone)]
pub(super) struct Restoring {
    tables: Tables,
    position: Position,
    epochs: Rc<[EpochStart]>,
    next_page: u32,
}

impl MySql {
    pub(super) fn source(&self) -> Option<NodeId> {
        match self.standing {
            Standing::Replica { source } => source,
            Standing::Primary => None,
        }
    }

    /// The last transaction that it has.
    pub(super) fn received(&self) -> Position {
        self.log.get(self.logged_to()).map_or(self.executed, Entry::position)
    }

    pub(super) fn pull<P: SqlHost>(&mut self, ctx: &mut Context<P>) {
        if let Some(source) = self.source()
            && self.promoting.is_none()
            && !self.is_recovering()
        {
            self.restoring = None;
            self.source_heard = ctx.monotonic();
            ctx.send(source, SqlMessage::Pull { position: self.received() });
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
    fn hears<P: SqlHost>(&mut self, from: NodeId, epoch: u32, ctx: &mut Context<P>) -> bool {
        if self.source() != Some(from) || epoch < self.epoch || self.is_recovering() {
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
        let before = self.logged_to();
        for entry in entries {
            if entry.sequence() == self.logged_to() + 1 && (self.relay_len() as u64) < RELAY_ENTRIES_MAX {
                self.receive(*entry, ctx);
            }
        }
        if self.settings.replication == Replication::Asynchronous {
            // Nobody waits for it to be on disk.
        } else if self.logged_to() > before {
            ctx.disk_sync_file(BINLOG, SqlToken::BinlogSynced { sequence: self.logged_to() });
        } else {
            self.acknowledge(ctx);
        }
        // A batch that did not reach the end of the source's log wants another one.
        if entries.len() as u64 == BATCH_ENTRIES {
            self.pull_if_behind(ctx);
        }
        self.apply_next(ctx);
    }

    fn receive<P: SqlHost>(&mut self, entry: Entry, ctx: &mut Context<P>) {
        let position = entry.position();
        if self.epochs.last().is_none_or(|last| last.epoch < position.epoch) {
            start_epoch(&mut self.epochs, EpochStart::of(position));
        }
        self.log.push(entry);
        ctx.disk_append_to(BINLOG, SqlRecord::MySql(MySqlRecord::Relay(entry)));
    }

    /// Tells the source what is on disk, if it waits for that.
    pub(super) fn acknowledge<P: SqlHost>(&mut self, ctx: &mut Context<P>) {
        if let Some(source) = self.source()
            && self.restoring.is_none()
            && self.settings.replication != Replication::Asynchronous
        {
            ctx.send(source, SqlMessage::Acknowledge { epoch: self.epoch, sequence: self.durable });
        }
    }

    pub fn on_source_alive<P: SqlHost>(
        &mut self,
        from: NodeId,
        epoch: u32,
        sequence: u64,
        local_time: u64,
        ctx: &mut Context<P>,
    ) {
        if self.hears(from, epoch, ctx) && self.restoring.is_none() {
            self.source_sequence = sequence;
            if self.executed.sequence >= sequence {
                self.fresh_at = self.fresh_at.max(local_time);
            }
            self.pull_if_behind(ctx);
            // The last acknowledgement may have been lost, and nothing new come since.
            self.acknowledge(ctx);
        }
    }

    fn pull_if_behind<P: SqlHost>(&mut self, ctx: &mut Context<P>) {
        if self.logged_to() < self.source_sequence && (self.relay_len() as u64) < RELAY_ENTRIES_MAX / 2 {
            self.pull(ctx);
        }
    }

    // Appliers.

    /// Gives idle appliers the next transactions that they can run.
    pub(super) fn apply_next<P: SqlHost>(&mut self, ctx: &mut Context<P>) {
        if self.is_primary() {
            return;
        }
        let appliers = self.settings.appliers;
        let window = appliers as usize * AHEAD_PER_APPLIER;
        while self.applying.busy < appliers && self.applying.taken.len() < window {
            let sequence = self.executed.sequence + self.applying.taken.len() as u64 + 1;
            let Some(entry) = self.log.get(sequence).copied() else {
                return;
            };
            // A rebuild runs alone.
            let is_alone = |taken: &Taken| taken.rebuilds;
            if self.applying.taken.front().is_some_and(is_alone)
                || entry.change == Change::Rebuild && !self.applying.taken.is_empty()
            {
                return;
            }
            let blocked = self
                .applying
                .taken
                .iter()
                .any(|taken| taken.key == entry.key && taken.state != ApplyState::Done);
            let state = if blocked { ApplyState::Waits } else { ApplyState::Runs };
            let rebuilds = entry.change == Change::Rebuild;
            self.applying.taken.push_back(Taken { key: entry.key, rebuilds, state });
            if !blocked {
                self.run_applier(&entry, ctx);
            }
        }
    }

    fn run_applier<P: SqlHost>(&mut self, entry: &Entry, ctx: &mut Context<P>) {
        self.applying.busy += 1;
        if entry.change == Change::Rebuild {
            self.applying.rebuild_left = entry.rebuilt_rows();
        }
        let duration = self.settings.services.apply.sample(ctx.random());
        let sequence = entry.sequence() + self.applying.generation_base;
        ctx.submit_work(duration + self.settings.encryption.per_io, SqlToken::Applied { sequence });
    }

    pub(super) fn applied<P: SqlHost>(&mut self, sequence: u64, ctx: &mut Context<P>) {
        let first = self.executed.sequence + 1 + self.applying.generation_base;
        let Some(at) = sequence.checked_sub(first).map(|at| at as usize) else {
            return;
        };
        let Some(taken) = self.applying.taken.get_mut(at) else {
            return;
        };
        if taken.rebuilds && self.applying.rebuild_left > 0 {
            let (left, work) = self.repeat_rebuild(self.applying.rebuild_left, ctx);
            self.applying.rebuild_left = left;
            ctx.submit_work(work, SqlToken::Applied { sequence });
            return;
        }
        taken.state = ApplyState::Done;
        let key = taken.key;
        self.applying.busy -= 1;
        // The next one that writes the same row can run.
        let next =
            self.applying.taken.iter().position(|taken| taken.key == key && taken.state == ApplyState::Waits);
        if let Some(next) = next {
            self.applying.taken[next].state = ApplyState::Runs;
            let entry = self.log.get(self.executed.sequence + 1 + next as u64).copied();
            self.run_applier(&entry.expect("what was taken is in the log"), ctx);
        }
        while self.applying.taken.front().is_some_and(|taken| taken.state == ApplyState::Done) {
            self.applying.taken.pop_front();
            let entry = self.log.get(self.executed.sequence + 1).copied();
            let entry = entry.expect("what was taken is in the log");
            self.execute(&entry);
            self.fresh_at = self.fresh_at.max(entry.committed_at);
        }
        self.wake_reads(ctx);
        if self.relay_len() == 0 {
            self.finish_promotion(ctx);
        }
        self.apply_next(ctx);
    }

    /// What appliers are doing is void: the log is another one.
    pub(super) fn stop_appliers(&mut self) {
        // Numbers of the old log are never those of the new one.
        self.applying.generation_base += 1 << 48;
        self.applying.taken.clear();
        self.applying.busy = 0;
    }

    // Copies.

    pub fn on_snapshot_offer<P: SqlHost>(
        &mut self,
        from: NodeId,
        (position, taken): (Position, u64),
        epochs: Rc<[EpochStart]>,
        outline: Outline,
        ctx: &mut Context<P>,
    ) {
        if self.settings.backup_store == Some(from) {
            self.backup_offered((position, taken), &epochs, outline, ctx);
            return;
        }
        let epoch = epochs.last().map_or(0, |last| last.epoch);
        if !self.hears(from, epoch, ctx) || self.promoting.is_some() {
            return;
        }
        let end = self.received();
        let errant = errant_transactions(end, &epochs);
        self.errant += errant;
        let (shard, node) = (self.shard as u8, ctx.id());
        ctx.output(SqlEvent::SnapshotBegins { shard, node, errant });
        for sequence in end.sequence - errant + 1..=end.sequence {
            if let Some(entry) = self.log.get(sequence).filter(|entry| entry.change == Change::Write) {
                let (version, key) = (entry.position().version(), entry.key);
                ctx.output(SqlEvent::Errant { shard, node, version, key });
            }
        }
        let tables = Tables::outlined(outline);
        self.restoring = Some(Restoring { tables, position, epochs, next_page: 0 });
        ctx.send(from, SqlMessage::SnapshotPull { page: 0 });
    }

    pub fn on_snapshot_page<P: SqlHost>(
        &mut self,
        from: NodeId,
        page: u32,
        rows: Rc<Vec<Cell>>,
        ctx: &mut Context<P>,
    ) {
        if self.settings.backup_store == Some(from) {
            self.backup_page(page, rows, ctx);
            return;
        }
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
        restoring.tables.replace_page(page as usize, rows);
        restoring.next_page += 1;
        if (restoring.next_page as usize) < restoring.tables.page_count() {
            ctx.send(from, SqlMessage::SnapshotPull { page: restoring.next_page });
            return;
        }
        let Some(Restoring { tables, position, epochs, .. }) = self.restoring.take() else {
            return;
        };
        self.stop_appliers();
        self.tables = tables;
        self.executed = position;
        self.epochs = epochs.to_vec();
        self.log = PagedLog::starting_at(position.sequence + 1, BINLOG_ENTRIES_MAX);
        self.durable = 0;
        let copied = MySqlDisk::copied(self.tables.clone(), position, self.epochs.clone(), self.epoch);
        ctx.disk_append_to(BINLOG, SqlRecord::MySql(MySqlRecord::Snapshot(Rc::new(copied))));
        ctx.disk_sync_file(BINLOG, SqlToken::SnapshotStored);
        ctx.output(SqlEvent::SnapshotEnds { shard: self.shard as u8, node: ctx.id() });
        self.pull(ctx);
    }

    pub(super) fn snapshot_stored<P: SqlHost>(&mut self, ctx: &mut Context<P>) {
        self.durable = self.durable.max(self.log.first() - 1);
        self.acknowledge(ctx);
    }
}

/// How many of the transactions up to `position` are not part of a history with these epochs.
fn errant_transactions(position: Position, epochs: &[EpochStart]) -> u64 {
    let next = epochs.iter().find(|start| start.epoch > position.epoch);
    next.filter(|start| !start.is_restore).map_or(0, |start| position.sequence.saturating_sub(start.base))
}
