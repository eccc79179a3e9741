//! A MySQL server: primary or replica of one shard.
//!
//! Models, of MySQL 8.0: the binary log as the unit of commit, its fsync per
//! commit with group commit or at an interval, asynchronous replication (the
//! replica pulls a stream, keeps a relay log, one applier thread executes it at
//! its own speed), positions by epoch and sequence as GTIDs give them, a copy
//! of everything for a node whose history is not a prefix of its source's
//! (the CLONE plugin). A node that restarts is read-only until the
//! configuration service says what it is.
//!
//! Simplified: one row per transaction, point queries only, all rows in memory,
//! crash recovery takes no time of its own, row locks never wait. A replica's
//! state is on disk as of its last fsync, once a second.
//!
//! What a replica applied and what its source sent is real: lag is the work
//! that waits in the relay log, and a promotion loses what had not arrived.

use super::binlog::{BINLOG_ENTRIES_MAX, EPOCHS_MAX, Entry, EpochStart, Position, is_prefix};
use super::config_service::Pong;
use super::event::{SqlEvent, SqlHost, SqlTimer, SqlToken};
use super::message::SqlMessage;
use super::record::{MySqlDisk, MySqlRecord, SqlRecord};
use super::settings::{BinlogSync, SqlSettings};
use crate::engine::disk::UNSYNCED_RECORDS_MAX;
use crate::engine::{Context, NodeId, PagedLog, PagedVec, SimDuration, SimTime, Ticket};
use crate::workload::operation::{Cause, Cell, OperationId, Request, Response, Versioned};
use std::collections::VecDeque;
use std::rc::Rc;

/// Transactions in one batch of catching up, and batches sent for one pull.
const BATCH_ENTRIES: u64 = 256;
const BATCHES_PER_PULL: u64 = 16;
/// Transactions that wait for the applier at most; beyond, the replica lets its source wait.
pub const RELAY_ENTRIES_MAX: usize = 65_536;
/// How often a primary says that it is there, and when a replica asks anew.
const SOURCE_ALIVE_EVERY: SimDuration = SimDuration::from_ms(200);
const SOURCE_CHECK_EVERY: SimDuration = SimDuration::from_ms(500);
const SOURCE_SILENT_AFTER: SimDuration = SimDuration::from_ms(1_000);
/// How often a replica's state goes to disk.
const REPLICA_SYNC_EVERY: SimDuration = SimDuration::from_ms(1_000);

/// What the node is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Standing {
    Primary,
    /// Follows a source, once it knows one.
    Replica {
        source: Option<NodeId>,
    },
}

#[derive(Clone)]
struct Uncommitted {
    entry: Entry,
    proxy: NodeId,
    ticket: Ticket,
    id: OperationId,
}

#[derive(Clone)]
struct Subscriber {
    node: NodeId,
    /// The last transaction that was sent to it.
    sent: u64,
    /// The copy it is taking.
    snapshot: Option<PagedVec<Cell>>,
}

/// The copy that a replica is taking.
#[derive(Clone)]
struct Restoring {
    rows: PagedVec<Cell>,
    position: Position,
    epochs: Rc<[EpochStart]>,
    next_page: u32,
    pages: u32,
}

/// One MySQL server.
#[derive(Clone)]
pub struct MySql {
    settings: Rc<SqlSettings>,
    shard: usize,
    standing: Standing,
    /// The epoch it serves or follows.
    epoch: u32,
    rows: PagedVec<Cell>,
    log: PagedLog<Entry>,
    executed: Position,
    epochs: Vec<EpochStart>,
    /// Primary: the last sequence number given out.
    assigned: u64,
    uncommitted: VecDeque<Uncommitted>,
    subscribers: Vec<Subscriber>,
    /// Replica: what arrived and is not yet executed.
    relay: VecDeque<Entry>,
    received: Position,
    applying: bool,
    source_sequence: u64,
    source_heard: SimTime,
    promoting: Option<u32>,
    config: Option<NodeId>,
    restoring: Option<Restoring>,
}

impl MySql {
    pub fn new(settings: Rc<SqlSettings>, shard: usize) -> MySql {
        let keys = settings.keys.len();
        MySql {
            settings,
            shard,
            standing: Standing::Replica { source: None },
            epoch: 0,
            rows: PagedVec::filled(Cell::default(), keys),
            log: PagedLog::starting_at(1, BINLOG_ENTRIES_MAX),
            executed: Position::default(),
            epochs: Vec::new(),
            assigned: 0,
            uncommitted: VecDeque::new(),
            subscribers: Vec::new(),
            relay: VecDeque::new(),
            received: Position::default(),
            applying: false,
            source_sequence: 0,
            source_heard: SimTime::ZERO,
            promoting: None,
            config: None,
            restoring: None,
        }
    }

    pub fn standing(&self) -> Standing {
        self.standing
    }

    pub fn is_primary(&self) -> bool {
        self.standing == Standing::Primary
    }

    pub fn shard(&self) -> usize {
        self.shard
    }

    pub fn epoch(&self) -> u32 {
        self.epoch
    }

    /// The last transaction that was executed here.
    pub fn executed(&self) -> Position {
        self.executed
    }

    /// The transaction with this number, if the log still has it.
    pub fn logged(&self, sequence: u64) -> Option<&Entry> {
        self.log.get(sequence)
    }

    /// Transactions that arrived and wait for the applier.
    pub fn relay_len(&self) -> usize {
        self.relay.len()
    }

    pub fn is_restoring(&self) -> bool {
        self.restoring.is_some()
    }

    pub fn row(&self, key: u32) -> Cell {
        self.rows.get(key as usize).copied().unwrap_or_default()
    }

    pub fn on_start<P: SqlHost>(&mut self, disk: &MySqlDisk, ctx: &mut Context<P>) {
        if ctx.is_first_start() {
            let primary = self.settings.first_map.shards[self.shard].primary;
            self.epoch = 1;
            self.epochs.push(EpochStart { epoch: 1, base: 0 });
            ctx.disk_append(SqlRecord::MySql(MySqlRecord::Epoch { epoch: 1, base: 0 }));
            ctx.disk_sync_background();
            if primary == ctx.id() {
                self.standing = Standing::Primary;
            } else {
                self.standing = Standing::Replica { source: Some(primary) };
                self.connect(ctx);
            }
        } else {
            self.epoch = disk.epoch;
            self.epochs = disk.epochs.clone();
            self.executed = disk.executed;
            self.rows = disk.rows.clone();
            self.rows.extend_to(self.settings.keys.len(), Cell::default());
            if let Some(log) = &disk.log {
                self.log = log.clone();
            }
        }
        self.received = self.executed;
        self.assigned = self.executed.sequence;
        self.source_heard = ctx.monotonic();
        ctx.set_timer(SOURCE_ALIVE_EVERY, SqlTimer::SourceAlive);
        ctx.set_timer(SOURCE_CHECK_EVERY, SqlTimer::SourceCheck);
        ctx.set_timer(self.sync_interval(), SqlTimer::Sync);
    }

    fn sync_interval(&self) -> SimDuration {
        match self.settings.binlog_sync {
            BinlogSync::EveryCommit => REPLICA_SYNC_EVERY,
            BinlogSync::Interval(interval) => interval.min(REPLICA_SYNC_EVERY),
        }
    }

    pub fn on_timer<P: SqlHost>(&mut self, timer: SqlTimer, ctx: &mut Context<P>) {
        match timer {
            SqlTimer::SourceAlive => {
                if self.is_primary() {
                    for subscriber in &self.subscribers {
                        let sequence = self.executed.sequence;
                        ctx.send(subscriber.node, SqlMessage::SourceAlive { epoch: self.epoch, sequence });
                    }
                }
                ctx.set_timer(SOURCE_ALIVE_EVERY, SqlTimer::SourceAlive);
            }
            SqlTimer::SourceCheck => {
                let silent = ctx.monotonic().since(self.source_heard) > SOURCE_SILENT_AFTER;
                if matches!(self.standing, Standing::Replica { source: Some(_) }) && silent {
                    // A copy that got stuck is begun anew by the answer to this.
                    self.connect(ctx);
                }
                ctx.set_timer(SOURCE_CHECK_EVERY, SqlTimer::SourceCheck);
            }
            SqlTimer::Sync => {
                if ctx.disk_backlog() > 0 {
                    ctx.disk_sync_background();
                }
                ctx.set_timer(self.sync_interval(), SqlTimer::Sync);
            }
            _ => {}
        }
    }

    // Queries.

    pub fn on_execute<P: SqlHost>(
        &mut self,
        proxy: NodeId,
        ticket: Ticket,
        request: Request,
        ctx: &mut Context<P>,
    ) {
        if request.is_write() {
            self.write(proxy, ticket, request, ctx);
            return;
        }
        let response = if self.restoring.is_some() {
            Response::failed(request.id, Cause::Restoring)
        } else {
            let row = self.row(request.key);
            Response::ok(request.id, row.content, row.bytes)
        };
        ctx.send(proxy, SqlMessage::ExecuteReply { ticket, response });
    }

    fn write<P: SqlHost>(&mut self, proxy: NodeId, ticket: Ticket, request: Request, ctx: &mut Context<P>) {
        let refuse = if !self.is_primary() {
            Some(Cause::NotPrimary)
        } else if ctx.disk_backlog() > UNSYNCED_RECORDS_MAX / 2 {
            Some(Cause::Overloaded)
        } else {
            None
        };
        if let Some(cause) = refuse {
            let response = Response::failed(request.id, cause);
            ctx.send(proxy, SqlMessage::ExecuteReply { ticket, response });
            return;
        }
        self.assigned += 1;
        let position = Position { epoch: self.epoch, sequence: self.assigned };
        let content = Versioned { value: request.id.0, version: position.version() };
        let entry = Entry {
            key: request.key,
            cell: Cell { content, bytes: request.bytes },
            committed_at: ctx.local_time(),
        };
        ctx.disk_append(SqlRecord::MySql(MySqlRecord::Commit(entry)));
        let uncommitted = Uncommitted { entry, proxy, ticket, id: request.id };
        match self.settings.binlog_sync {
            BinlogSync::EveryCommit => {
                self.uncommitted.push_back(uncommitted);
                ctx.disk_sync(SqlToken::Committed { sequence: position.sequence });
            }
            BinlogSync::Interval(_) => self.commit(uncommitted, ctx),
        }
    }

    /// Makes a transaction visible, ships it, acknowledges it.
    fn commit<P: SqlHost>(&mut self, uncommitted: Uncommitted, ctx: &mut Context<P>) {
        let mut entry = uncommitted.entry;
        entry.committed_at = ctx.local_time();
        self.execute(entry);
        let sequence = entry.position().sequence;
        for subscriber in &mut self.subscribers {
            if subscriber.sent + 1 == sequence && subscriber.snapshot.is_none() {
                subscriber.sent = sequence;
                let message = SqlMessage::Replicate { epoch: self.epoch, entry, source_sequence: sequence };
                ctx.send(subscriber.node, message);
            }
        }
        let response = Response::ok(uncommitted.id, entry.cell.content, 0);
        ctx.send(uncommitted.proxy, SqlMessage::ExecuteReply { ticket: uncommitted.ticket, response });
    }

    /// Puts a transaction into table and log.
    fn execute(&mut self, entry: Entry) {
        let position = entry.position();
        assert_eq!(position.sequence, self.log.next(), "transactions are executed in order, without a gap");
        *self.rows.get_mut(entry.key as usize).expect("a key of the key space") = entry.cell;
        self.log.push(entry);
        self.executed = position;
    }

    pub fn on_token<P: SqlHost>(&mut self, token: SqlToken, ctx: &mut Context<P>) {
        match token {
            SqlToken::Committed { sequence } => {
                while self.is_primary()
                    && self
                        .uncommitted
                        .front()
                        .is_some_and(|first| first.entry.position().sequence <= sequence)
                {
                    let first = self.uncommitted.pop_front().expect("the front was just seen");
                    self.commit(first, ctx);
                }
            }
            SqlToken::Applied => self.applied(ctx),
            SqlToken::EpochStored { epoch } => {
                if self.is_primary()
                    && self.epoch == epoch
                    && let Some(config) = self.config
                {
                    let base = self.epochs.last().map_or(0, |start| start.base);
                    ctx.send(config, SqlMessage::Promoted { epoch, base });
                }
            }
            SqlToken::SnapshotStored | SqlToken::MapStored => {}
        }
    }

    // Replication, at the source.

    pub fn on_pull<P: SqlHost>(&mut self, replica: NodeId, position: Position, ctx: &mut Context<P>) {
        if !self.is_primary() {
            return;
        }
        let at =
            self.subscribers.iter().position(|subscriber| subscriber.node == replica).unwrap_or_else(|| {
                self.subscribers.push(Subscriber { node: replica, sent: 0, snapshot: None });
                self.subscribers.len() - 1
            });
        let end = self.executed.sequence;
        let in_log = position.sequence + 1 >= self.log.first();
        if !is_prefix(position, &self.epochs, end) || !in_log {
            self.subscribers[at].snapshot = Some(self.rows.clone());
            let offer = SqlMessage::SnapshotOffer {
                position: self.executed,
                epochs: self.epochs.as_slice().into(),
                pages: self.rows.page_count() as u32,
            };
            ctx.send(replica, offer);
            return;
        }
        self.subscribers[at].snapshot = None;
        let mut sent = position.sequence;
        for _ in 0..BATCHES_PER_PULL {
            let upto = end.min(sent + BATCH_ENTRIES);
            let entries: Rc<[Entry]> =
                (sent + 1..=upto).filter_map(|sequence| self.log.get(sequence).copied()).collect();
            sent = upto;
            ctx.send(replica, SqlMessage::Batch { epoch: self.epoch, entries, source_sequence: end });
            if sent == end {
                break;
            }
        }
        self.subscribers[at].sent = sent;
    }

    pub fn on_snapshot_pull<P: SqlHost>(&mut self, replica: NodeId, page: u32, ctx: &mut Context<P>) {
        let subscriber = self.subscribers.iter().find(|subscriber| subscriber.node == replica);
        let rows = subscriber.and_then(|subscriber| subscriber.snapshot.as_ref()?.page(page as usize));
        if let Some(rows) = rows
            && self.is_primary()
        {
            ctx.send(replica, SqlMessage::SnapshotPage { page, rows });
        }
    }

    // Replication, at the replica.

    fn source(&self) -> Option<NodeId> {
        match self.standing {
            Standing::Replica { source } => source,
            Standing::Primary => None,
        }
    }

    fn pull<P: SqlHost>(&mut self, ctx: &mut Context<P>) {
        if let Some(source) = self.source()
            && self.promoting.is_none()
        {
            self.restoring = None;
            self.source_heard = ctx.monotonic();
            ctx.send(source, SqlMessage::Pull { position: self.received });
        }
    }

    /// Opens a connection to its source and pulls: what an old one held back is not waited for.
    fn connect<P: SqlHost>(&mut self, ctx: &mut Context<P>) {
        if let Some(source) = self.source() {
            ctx.reconnect(source);
        }
        self.pull(ctx);
    }

    /// Whether a message is from the source that it follows now.
    fn hears<P: SqlHost>(&mut self, from: NodeId, epoch: u32, ctx: &mut Context<P>) -> bool {
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

    fn pull_if_behind<P: SqlHost>(&mut self, ctx: &mut Context<P>) {
        if self.received.sequence < self.source_sequence && self.relay.len() < RELAY_ENTRIES_MAX / 2 {
            self.pull(ctx);
        }
    }

    fn apply_next<P: SqlHost>(&mut self, ctx: &mut Context<P>) {
        if !self.applying && !self.relay.is_empty() {
            self.applying = true;
            let duration = self.settings.apply_service.sample(ctx.random());
            ctx.submit_work(duration, SqlToken::Applied);
        }
    }

    fn applied<P: SqlHost>(&mut self, ctx: &mut Context<P>) {
        self.applying = false;
        let Some(entry) = self.relay.pop_front() else {
            return;
        };
        let position = entry.position();
        if self.epochs.last().is_none_or(|last| last.epoch < position.epoch) {
            self.start_epoch(EpochStart { epoch: position.epoch, base: position.sequence - 1 });
        }
        self.execute(entry);
        ctx.disk_append(SqlRecord::MySql(MySqlRecord::Commit(entry)));
        if self.relay.is_empty() {
            self.finish_promotion(ctx);
        }
        self.apply_next(ctx);
    }

    fn start_epoch(&mut self, start: EpochStart) {
        if self.epochs.len() == EPOCHS_MAX {
            self.epochs.remove(0);
        }
        self.epochs.push(start);
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

    // What the configuration service says.

    pub fn pong(&self, round: u32) -> Pong {
        Pong {
            round,
            primary: self.is_primary(),
            epoch: self.epoch,
            sequence: if self.restoring.is_some() {
                0
            } else {
                self.received.sequence.max(self.executed.sequence)
            },
            has_source: self.source().is_some(),
        }
    }

    pub fn on_promote<P: SqlHost>(&mut self, config: NodeId, epoch: u32, ctx: &mut Context<P>) {
        if epoch <= self.epoch || self.restoring.is_some() {
            return;
        }
        self.config = Some(config);
        self.promoting = Some(epoch);
        if self.relay.is_empty() {
            self.finish_promotion(ctx);
        }
    }

    /// Becomes primary, once everything that had arrived is executed.
    fn finish_promotion<P: SqlHost>(&mut self, ctx: &mut Context<P>) {
        let Some(epoch) = self.promoting.take() else {
            return;
        };
        let base = self.executed.sequence;
        self.standing = Standing::Primary;
        self.epoch = epoch;
        self.assigned = base;
        self.subscribers.clear();
        self.start_epoch(EpochStart { epoch, base });
        ctx.disk_append(SqlRecord::MySql(MySqlRecord::Epoch { epoch, base }));
        ctx.disk_sync(SqlToken::EpochStored { epoch });
        ctx.output(SqlEvent::Promoted { shard: self.shard as u8, node: ctx.id(), epoch, base });
    }

    pub fn on_follow<P: SqlHost>(&mut self, epoch: u32, primary: NodeId, ctx: &mut Context<P>) {
        if epoch < self.epoch || primary == ctx.id() {
            return;
        }
        if self.is_primary() {
            if epoch == self.epoch {
                return;
            }
            self.step_down(ctx);
        }
        if self.source() == Some(primary) && self.epoch == epoch {
            return;
        }
        self.epoch = epoch;
        self.promoting = None;
        self.standing = Standing::Replica { source: Some(primary) };
        // What was received from another source and not yet executed is not kept.
        self.relay.clear();
        self.received = self.executed;
        self.connect(ctx);
    }

    /// Stops being primary. What is in its log unacknowledged stays in its history, as
    /// MySQL's recovery would have it; nobody is told, so those outcomes are unknown.
    fn step_down<P: SqlHost>(&mut self, ctx: &mut Context<P>) {
        while let Some(uncommitted) = self.uncommitted.pop_front() {
            self.execute(uncommitted.entry);
            let response = Response::unknown(uncommitted.id, Cause::NotPrimary);
            ctx.send(uncommitted.proxy, SqlMessage::ExecuteReply { ticket: uncommitted.ticket, response });
        }
        self.subscribers.clear();
        ctx.output(SqlEvent::SteppedDown { shard: self.shard as u8, node: ctx.id() });
    }
}

/// How many of the transactions up to `position` are not part of a history with these epochs.
fn errant_transactions(position: Position, epochs: &[EpochStart]) -> u64 {
    let next = epochs.iter().find(|start| start.epoch > position.epoch);
    next.map_or(0, |start| position.sequence.saturating_sub(start.base))
}
