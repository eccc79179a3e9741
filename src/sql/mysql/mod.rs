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

mod replica;
mod source;

use crate::engine::disk::UNSYNCED_RECORDS_MAX;
use crate::engine::{Context, NodeId, PagedLog, PagedVec, SimDuration, SimTime, Ticket};
use crate::sql::binlog::{BINLOG_ENTRIES_MAX, Entry, EpochStart, Position, start_epoch};
use crate::sql::config_service::Pong;
use crate::sql::event::{SqlEvent, SqlHost, SqlTimer, SqlToken};
use crate::sql::message::SqlMessage;
use crate::sql::record::{MySqlDisk, MySqlRecord, SqlRecord};
use crate::sql::settings::{BinlogSync, SqlSettings};
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
        start_epoch(&mut self.epochs, EpochStart { epoch, base });
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
