//! A MySQL server: primary or replica of one shard.
//!
//! Models, of MySQL 8.0 with InnoDB: the redo log and the binlog, each with an
//! fsync per commit (group commit: transactions that wait together share one),
//! per so many commits or at an interval; recovery as a transaction's two logs
//! have it, which takes time for each since the last checkpoint; a buffer pool
//! that is empty after a crash; row locks from write to commit, with a queue, a
//! time-out and a bound (Vitess calls that hot row protection); replication
//! asynchronous, semi-synchronous (`AFTER_SYNC`: the binlog is sent before the
//! commit is visible; without k acknowledgements in time it goes on
//! asynchronously until k replicas have caught up) or waiting for all replicas;
//! positions by epoch and sequence as GTIDs give them; a relay log and one to
//! many applier workers that commit in order and run transactions side by side
//! unless they write the same row (`WRITESET`); a copy of everything for a node
//! whose history is not a prefix of its source's (the CLONE plugin), whose
//! errant transactions are counted and named; schema changes, blocking (`ALTER
//! TABLE … ALGORITHM=COPY`, which replicas repeat) or online (gh-ost 1.1: a ghost
//! table, the binlog replayed on it, a short lock); restores from a backup to a
//! point in time (snapshot and binlog). A node that restarts is read-only
//! until the configuration service says what it is. With fencing by lease it
//! takes queries as primary only while it has one.
//!
//! Simplified: one row per transaction; a replica's relay log is its binlog,
//! applied by recovery after a crash; applying reads no pages; changed pages are
//! written at no cost; an index orders rows by how often they were written.
//! Replicas acknowledge what is on their disk, not what is in their memory.
//!
//! What a replica applied and what its source sent is real: lag is the work
//! that waits in the relay log, and a promotion loses what had not arrived.

mod backup;
mod buffer_pool;
mod commit;
mod locks;
mod moving;
mod point_in_time;
mod query;
mod replica;
mod schema_change;
mod source;
mod standing;

use crate::engine::disk::File;
use crate::engine::{Context, NodeId, PagedLog, PendingTable, SimDuration, SimTime, Stream};
use crate::sql::binlog::{BINLOG_ENTRIES_MAX, Entry, EpochStart, Position};
use crate::sql::event::{SqlEvent, SqlHost, SqlTimer, SqlToken};
use crate::sql::message::SqlMessage;
use crate::sql::record::{MySqlDisk, MySqlRecord, SqlRecord};
use crate::sql::settings::{Fencing, LogSync, SqlSettings};
use crate::sql::shard_map::KeyRange;
use crate::sql::shard_proxy::DROP_SERVICE;
use crate::sql::tables::Tables;
use crate::workload::operation::{Cell, OperationKind, Request};
use buffer_pool::BufferPool;
use commit::Pipeline;
use locks::Locks;
use moving::{Cleanup, Frozen, Import};
pub use moving::{CopiedRows, Replayed};
use point_in_time::PointInTime;
pub use query::Execute;
use query::{Asked, Suspended, WaitingReads};
use replica::{Applying, Restoring};
use schema_change::SchemaChange;
use source::Subscriber;
use std::rc::Rc;

/// The two files of a server.
const REDO: File = File::First;
const BINLOG: File = File::Second;
/// Operations that wait for pages, and for rows, at most.
const SUSPENDED_MAX: usize = 65_536;
/// How often a primary says that it is there, and when a replica asks anew.
const SOURCE_ALIVE_EVERY: SimDuration = SimDuration::from_ms(200);
const SOURCE_CHECK_EVERY: SimDuration = SimDuration::from_ms(500);
const SOURCE_SILENT_AFTER: SimDuration = SimDuration::from_ms(1_000);
/// How often what nobody waits for goes to disk.
const BACKGROUND_SYNC_EVERY: SimDuration = SimDuration::from_ms(1_000);
/// Core time for a control message (a health check and the like), and for a page of a copy.
const CONTROL_SERVICE: SimDuration = SimDuration(20_000);
const SNAPSHOT_PAGE_SERVICE: SimDuration = SimDuration(200_000);
/// Transactions recovered in one piece of work.
const RECOVERY_PIECE: u64 = 256;

/// What the node is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Standing {
    Primary,
    /// Follows a source, once it knows one.
    Replica {
        source: Option<NodeId>,
    },
}

/// One MySQL server.
#[derive(Clone)]
pub struct MySql {
    settings: Rc<SqlSettings>,
    shard: usize,
    standing: Standing,
    /// Transactions that recovery has still to go through; none when it is over.
    recovering: Option<u64>,
    recovered: u64,
    /// The epoch it serves or follows.
    epoch: u32,
    /// The version of the map that it was last told of its shard from, and its keys.
    told_version: u32,
    range: Option<KeyRange>,
    /// False after a restart, until it is told.
    knows_range: bool,
    tables: Tables,
    buffer_pool: Option<BufferPool>,
    /// All it has, executed or not.
    log: PagedLog<Entry>,
    executed: Position,
    epochs: Vec<EpochStart>,
    suspended: PendingTable<Suspended>,
    // As primary.
    pipeline: Pipeline,
    locks: Locks,
    lock_waiters: PendingTable<Asked>,
    subscribers: Vec<Subscriber>,
    lease_until: SimTime,
    lease_told: bool,
    /// The epoch before this one, if it was primary then too and only its number was raised.
    epoch_before: Option<u32>,
    schema_change: Option<SchemaChange>,
    frozen: Option<Frozen>,
    import: Option<Import>,
    /// Moves, and attempts to freeze, up to this one are over.
    over: (u64, u32),
    cleanup: Cleanup,
    // As replica.
    applying: Applying,
    waiting_reads: WaitingReads,
    /// Up to here everything is on disk.
    durable: u64,
    source_sequence: u64,
    source_heard: SimTime,
    /// On its source's clock: everything committed until then is executed here.
    fresh_at: u64,
    promoting: Option<(NodeId, u32)>,
    restoring: Option<Restoring>,
    point_in_time: Option<PointInTime>,
    /// The snapshot that a backup store is fetching.
    backup: Option<Tables>,
    errant: u64,
}

impl MySql {
    pub fn new(settings: Rc<SqlSettings>, shard: usize) -> MySql {
        let keys = settings.keys.len();
        let storage = &settings.storage;
        MySql {
            shard,
            standing: Standing::Replica { source: None },
            recovering: None,
            recovered: 0,
            epoch: 0,
            told_version: 0,
            range: None,
            knows_range: false,
            tables: Tables::empty(keys),
            buffer_pool: storage.buffer_pool.map(|pool| BufferPool::new(pool, &settings.keys)),
            log: PagedLog::starting_at(1, BINLOG_ENTRIES_MAX),
            executed: Position::default(),
            epochs: Vec::new(),
            suspended: PendingTable::new(SimDuration::from_ms(60_000), SUSPENDED_MAX),
            pipeline: Pipeline::default(),
            locks: Locks::default(),
            lock_waiters: PendingTable::new(storage.lock_wait_timeout, SUSPENDED_MAX),
            subscribers: Vec::new(),
            lease_until: SimTime::ZERO,
            lease_told: false,
            epoch_before: None,
            schema_change: None,
            frozen: None,
            import: None,
            over: (0, 0),
            cleanup: Cleanup::default(),
            applying: Applying::default(),
            waiting_reads: WaitingReads::default(),
            durable: 0,
            source_sequence: 0,
            source_heard: SimTime::ZERO,
            fresh_at: 0,
            promoting: None,
            restoring: None,
            point_in_time: None,
            backup: None,
            errant: 0,
            settings,
        }
    }

    pub fn settings(&self) -> &SqlSettings {
        &self.settings
    }

    /// Core time for a message that has waited for its core.
    pub fn service_time(
        &self,
        message: &SqlMessage,
        waited: SimDuration,
        stream: &mut Stream,
    ) -> SimDuration {
        let services = &self.settings.services;
        match message {
            SqlMessage::Execute { remaining, .. } if remaining.is_over(waited) => DROP_SERVICE,
            SqlMessage::Execute { request, .. } => match request.kind {
                kind if kind.is_write() => services.write.sample(stream) + self.settings.encryption.per_io,
                kind if kind.has_rows() => {
                    let rows = SimDuration(services.row.sample(stream).0 * self.rows_touched(request));
                    services.read.sample(stream) + rows
                }
                _ => services.read.sample(stream),
            },
            SqlMessage::SnapshotPull { .. } | SqlMessage::SnapshotPage { .. } => SNAPSHOT_PAGE_SERVICE,
            SqlMessage::Ping { .. }
            | SqlMessage::Promote { .. }
            | SqlMessage::Shard { .. }
            | SqlMessage::Alter { .. } => CONTROL_SERVICE,
            // A replica's applier pays for what arrives, when it executes it.
            _ => SimDuration::ZERO,
        }
    }

    /// Rows that a query over many goes through: those of its range or, where groups are added up, as an index
    /// on what they have in common lists them, this shard's part of them.
    fn rows_touched(&self, request: &Request) -> u64 {
        if request.kind != OperationKind::SelectTop {
            return u64::from(request.rows);
        }
        let (stride, summed) = request.stride_and_summed();
        let groups = u64::from((request.end - request.key) / stride.max(1) + 1);
        (groups * u64::from(summed)).div_ceil(self.settings.first_map.shards.len() as u64)
    }

    pub fn standing(&self) -> Standing {
        self.standing
    }

    pub fn is_primary(&self) -> bool {
        self.standing == Standing::Primary
    }

    /// Whose keys are here, as far as it knows; none while its shard stands by.
    pub fn range(&self) -> Option<KeyRange> {
        self.range
    }

    /// Whether it knows that its shard has no keys yet.
    pub fn stands_by(&self) -> bool {
        self.knows_range && self.range.is_none()
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

    /// The number of the last transaction that it has, executed or not.
    pub fn logged_to(&self) -> u64 {
        self.log.next() - 1
    }

    /// The transaction with this number, if the log still has it.
    pub fn logged(&self, sequence: u64) -> Option<&Entry> {
        self.log.get(sequence)
    }

    /// Transactions that it has and has not executed: at a replica, the relay log.
    pub fn relay_len(&self) -> usize {
        (self.logged_to() - self.executed.sequence) as usize
    }

    /// Whether it takes a copy of everything, from its source or from a backup.
    pub fn is_restoring(&self) -> bool {
        self.restoring.is_some() || self.point_in_time.is_some()
    }

    pub fn is_recovering(&self) -> bool {
        self.recovering.is_some()
    }

    /// Transactions that its last recovery had to go through.
    pub fn recovered(&self) -> u64 {
        self.recovered
    }

    /// Transactions that are begun and not committed.
    pub fn uncommitted(&self) -> usize {
        self.pipeline.len()
    }

    /// Whether it waits for replicas no more, though it is set up to.
    pub fn is_degraded(&self) -> bool {
        self.pipeline.degraded
    }

    /// Transactions that it alone had, and gave up for a copy of another history.
    pub fn errant(&self) -> u64 {
        self.errant
    }

    pub fn buffer_pool(&self) -> Option<&BufferPool> {
        self.buffer_pool.as_ref()
    }

    pub fn contended_rows(&self) -> usize {
        self.locks.contended()
    }

    /// Whether it has a lease, where that is what fences; when it runs out.
    pub fn lease_until(&self) -> Option<SimTime> {
        (self.is_primary() && matches!(self.settings.failover.fencing, Fencing::Lease(_)))
            .then_some(self.lease_until)
    }

    /// The number of the last schema change that was made here; zero if there was none.
    pub fn schema(&self) -> u64 {
        self.tables.schema()
    }

    pub fn row(&self, key: u32) -> Cell {
        self.tables.row(key)
    }

    pub fn on_start<P: SqlHost>(&mut self, disk: &MySqlDisk, ctx: &mut Context<P>) {
        self.source_heard = ctx.monotonic();
        if ctx.is_first_start() {
            let primary = self.settings.first_map.shards[self.shard].primary;
            self.range = self.settings.first_map.shards[self.shard].range;
            self.knows_range = true;
            self.epoch = 1;
            let first = EpochStart { epoch: 1, base: 0, is_restore: false };
            self.epochs.push(first);
            ctx.disk_append_to(BINLOG, SqlRecord::MySql(MySqlRecord::Epoch(first)));
            ctx.disk_sync_file_background(BINLOG);
            if let Some(pool) = &mut self.buffer_pool {
                pool.warm_up(&self.settings.keys);
            }
            if primary == ctx.id() {
                self.standing = Standing::Primary;
                if let Fencing::Lease(length) = self.settings.failover.fencing {
                    self.lease_until = ctx.monotonic() + length;
                }
            } else {
                self.standing = Standing::Replica { source: Some(primary) };
                self.connect(ctx);
            }
        } else {
            self.recover(disk, ctx);
        }
        ctx.set_timer(SOURCE_ALIVE_EVERY, SqlTimer::SourceAlive);
        ctx.set_timer(SOURCE_CHECK_EVERY, SqlTimer::SourceCheck);
        let storage = &self.settings.storage;
        ctx.set_timer(interval(storage.redo_log_sync), SqlTimer::SyncRedo);
        ctx.set_timer(interval(storage.binlog_sync), SqlTimer::SyncBinlog);
        ctx.set_timer(storage.checkpoint_every, SqlTimer::Checkpoint);
        if let Fencing::Lease(length) = self.settings.failover.fencing {
            ctx.set_timer(SimDuration(length.0 / 3), SqlTimer::Lease);
        }
    }

    /// Begins with what the disk has. Until recovery is over, nobody gets an answer.
    fn recover<P: SqlHost>(&mut self, disk: &MySqlDisk, ctx: &mut Context<P>) {
        self.epoch = disk.epoch;
        self.epochs = disk.epochs.clone();
        self.tables = disk.tables.clone();
        self.tables.extend_to(self.settings.keys.len());
        if let Some(log) = &disk.log {
            self.log = log.clone();
        }
        self.executed = disk.position();
        self.durable = self.executed.sequence;
        ctx.disk_append_to(REDO, SqlRecord::MySql(MySqlRecord::RolledBack));
        self.recovered = disk.to_recover;
        self.recovering = Some(disk.to_recover);
        self.recover_next(ctx);
    }

    fn recover_next<P: SqlHost>(&mut self, ctx: &mut Context<P>) {
        let Some(left) = self.recovering else {
            return;
        };
        if left == 0 {
            self.recovering = None;
            let (shard, node) = (self.shard as u8, ctx.id());
            ctx.output(SqlEvent::Recovered { shard, node, transactions: self.recovered });
            return;
        }
        let piece = left.min(RECOVERY_PIECE);
        self.recovering = Some(left - piece);
        let each = self.settings.storage.recovery_service.sample(ctx.random());
        ctx.submit_work(SimDuration(each.0.saturating_mul(piece)), SqlToken::Recovered);
    }

    pub fn on_timer<P: SqlHost>(&mut self, timer: SqlTimer, ctx: &mut Context<P>) {
        match timer {
            SqlTimer::SourceAlive => {
                self.tell_subscribers(ctx);
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
            SqlTimer::SyncRedo => {
                self.sync_in_background(REDO, ctx);
                ctx.set_timer(interval(self.settings.storage.redo_log_sync), SqlTimer::SyncRedo);
            }
            SqlTimer::SyncBinlog => {
                self.sync_in_background(BINLOG, ctx);
                ctx.set_timer(interval(self.settings.storage.binlog_sync), SqlTimer::SyncBinlog);
            }
            SqlTimer::Checkpoint => {
                ctx.disk_append_to(REDO, SqlRecord::MySql(MySqlRecord::Checkpoint));
                ctx.disk_sync_file_background(REDO);
                ctx.set_timer(self.settings.storage.checkpoint_every, SqlTimer::Checkpoint);
            }
            SqlTimer::Lease => self.renew_lease(ctx),
            SqlTimer::Acknowledgement => self.acknowledgements_due(ctx),
            SqlTimer::AttemptTimeOut => self.lock_time_out(ctx),
            SqlTimer::WaitTimeOut => self.wait_time_out(ctx),
            SqlTimer::Import => self.import_timer(ctx),
            SqlTimer::Cleanup => self.cleanup_timer(ctx),
            SqlTimer::SchemaChange { number } => self.schema_change_timer(number, ctx),
            _ => {}
        }
    }

    fn sync_in_background<P: SqlHost>(&mut self, file: File, ctx: &mut Context<P>) {
        if ctx.disk_backlog() > 0 {
            ctx.disk_sync_file_background(file);
        }
    }

    pub fn on_token<P: SqlHost>(&mut self, token: SqlToken, ctx: &mut Context<P>) {
        match token {
            SqlToken::RedoSynced { sequence } => self.redo_synced(sequence, ctx),
            SqlToken::BinlogSynced { sequence } => self.binlog_synced(sequence, ctx),
            SqlToken::Applied { sequence } => self.applied(sequence, ctx),
            SqlToken::PageRead { operation } => self.page_read(operation, ctx),
            SqlToken::Recovered => self.recover_next(ctx),
            SqlToken::Imported { id } => self.imported(id, ctx),
            SqlToken::Compared { id } => self.compared(id, ctx),
            SqlToken::Altered { number } => self.altered(number, ctx),
            SqlToken::EpochStored { epoch } => self.epoch_stored(epoch, ctx),
            SqlToken::SnapshotStored => self.snapshot_stored(ctx),
            SqlToken::Replayed { number } => self.replayed(number, ctx),
            SqlToken::RestoreStored { number } => self.restore_stored(number, ctx),
            SqlToken::StateStored { .. } => {}
        }
    }

    /// Makes a transaction visible.
    fn execute(&mut self, entry: &Entry) {
        assert_eq!(
            entry.sequence(),
            self.executed.sequence + 1,
            "transactions are executed in order, without a gap"
        );
        self.tables.execute(entry);
        self.executed = entry.position();
    }
}

fn interval(sync: LogSync) -> SimDuration {
    match sync {
        LogSync::Interval(interval) => interval.min(BACKGROUND_SYNC_EVERY),
        LogSync::EveryCommit | LogSync::EveryCommits(_) => BACKGROUND_SYNC_EVERY,
    }
}
