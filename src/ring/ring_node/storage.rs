//! What a ring node's store costs: flushes, compactions, reads from disk, and the replay after a crash.
//!
//! A flush or a compaction goes through its bytes in chunks: it reads a chunk, a core
//! merges its rows, and it is written; each step waits in the queues that requests
//! wait in. So both take disk and cores from requests, a chunk at a time. A record of
//! the new tables, synced in a file of its own, makes them count: what was unfinished
//! in a crash is thrown away, and the commit log still has what a flush had not finished.
//!
//! ```text
//! chunk:  disk reads (compaction) ─► core merges ─► disk writes ─► next, not faster than the limit
//! ```
//!
//! A read looks into one table after the other, as Cassandra's thread for a request
//! does: each costs core time, and a disk read if its block is not in the cache.
//! While a memtable is full and the one before is not yet on disk, writes wait, for as
//! long as a coordinator does at most (Cassandra blocks its mutation stage, and drops
//! mutations that waited for longer than `write_request_timeout`).
//!
//! Simplified: one flush and one compaction at a time; Merkle trees are built without
//! reading the disk; a repair that comes while writes wait is not taken, and comes again.

use super::RingNode;
use crate::engine::{Context, File, NodeId, PendingTable, SimDuration, SimTime, Ticket};
use crate::ring::message::{
    Content, RingEvent, RingHost, RingMessage, RingRecord, RingTimer, RingToken, Step,
};
use crate::ring::row::Row;
use crate::ring::settings::RingSettings;
use crate::ring::slice::{Slice, stamp};
use crate::ring::storage::log_disk::{Change, LogDisk};
use crate::ring::storage::sorted_table::SortedTable;
use crate::ring::storage::{BLOCK_BYTES, Block, Compaction, Store};
use crate::workload::operation::KeyId;
use std::collections::VecDeque;
use std::rc::Rc;

/// Flushes and compactions go through their bytes in chunks of this size.
const CHUNK_BYTES: u64 = 65_536;
/// Writes that wait for a flush at most; further ones are dropped.
pub const WRITES_STALLED_MAX: usize = 4_096;

/// What a flush or a compaction still has to do.
#[derive(Clone)]
struct Job {
    /// To take the place of what was there.
    result: Result<(Rc<SortedTable>, u32), Compaction>,
    chunks_left: u64,
    /// Of each chunk: time to read it, of a core, and to write it.
    read: SimDuration,
    work: SimDuration,
    write: SimDuration,
    /// How long reading a chunk takes at the limit, and when the next may begin.
    apart: SimDuration,
    next: SimTime,
}

/// A read that waits for the disk.
#[derive(Clone)]
struct SuspendedRead {
    coordinator: NodeId,
    ticket: Ticket,
    asked: AskedRows,
    is_digest: bool,
    tables: u32,
    blocks: Vec<Block>,
    /// Core time to decrypt what was read.
    decryption: SimDuration,
}

/// What a replica is asked for.
#[derive(Clone, Copy)]
pub(super) enum AskedRows {
    Row(KeyId),
    Slice(Slice),
}

/// A write that waits for a flush.
#[derive(Clone)]
struct StalledWrite {
    since: SimTime,
    coordinator: NodeId,
    ticket: Ticket,
    key: KeyId,
    row: Row,
}

/// A store, and what its node is doing about it.
#[derive(Clone)]
pub(super) struct Storage {
    pub store: Store,
    flush: Option<Job>,
    compaction: Option<Job>,
    reads: PendingTable<SuspendedRead>,
    stalled: VecDeque<StalledWrite>,
    stalled_since: Option<SimTime>,
    stalled_count: u32,
    replaying: bool,
}

impl Storage {
    pub fn new(settings: &RingSettings, disk: Option<&LogDisk>) -> Option<Box<Storage>> {
        let storage = settings.storage.as_ref()?;
        let store = Store::new(settings.keys.clone(), settings.rows_per_partition, Rc::clone(storage), disk);
        Some(Box::new(Storage {
            store,
            flush: None,
            compaction: None,
            reads: PendingTable::new(settings.request_timeout, settings.in_flight_max),
            stalled: VecDeque::new(),
            stalled_since: None,
            stalled_count: 0,
            replaying: false,
        }))
    }
}

impl RingNode {
    /// The log-structured store, where there is one.
    pub fn store_on_disk(&self) -> Option<&Store> {
        self.storage.as_ref().map(|storage| &storage.store)
    }

    /// Whether it still replays its commit log, and serves nobody.
    pub fn is_replaying(&self) -> bool {
        self.storage.as_ref().is_some_and(|storage| storage.replaying)
    }

    /// Writes that wait for a flush.
    pub fn writes_stalled(&self) -> usize {
        self.storage.as_ref().map_or(0, |storage| storage.stalled.len())
    }

    /// Reads the commit log and replays it; true if there is something to replay.
    pub(super) fn replay<P: RingHost>(&mut self, ctx: &mut Context<P>) -> bool {
        let Some(storage) = &mut self.storage else { return false };
        let log = storage.store.memtable();
        storage.replaying = log.records() > 0;
        if storage.replaying {
            ctx.disk_transfer(storage.store.settings().transfer(log.log_bytes()), RingToken::LogRead);
        }
        storage.replaying
    }

    pub(super) fn log_read<P: RingHost>(&mut self, ctx: &mut Context<P>) {
        let Some(storage) = &self.storage else { return };
        let each = storage.store.settings().replay_service.sample(ctx.random());
        let records = storage.store.memtable().records();
        ctx.submit_work(SimDuration(each.0.saturating_mul(records)), RingToken::Replayed);
    }

    pub(super) fn replayed<P: RingHost>(&mut self, ctx: &mut Context<P>) {
        if let Some(storage) = &mut self.storage {
            storage.replaying = false;
        }
        self.begin(ctx);
    }

    // Writes.

    /// Lets a write wait if there is no room for it; whether it waits, or was dropped.
    pub(super) fn stalls<P: RingHost>(
        &mut self,
        coordinator: NodeId,
        ticket: Ticket,
        (key, row): (KeyId, &Row),
        ctx: &mut Context<P>,
    ) -> bool {
        let Some(storage) = self.storage.as_mut().filter(|storage| storage.store.must_wait()) else {
            return false;
        };
        let since = ctx.monotonic();
        storage.store.counts.writes_stalled += 1;
        storage.stalled_count += 1;
        if storage.stalled.len() < WRITES_STALLED_MAX {
            let write = StalledWrite { since, coordinator, ticket, key, row: row.clone() };
            storage.stalled.push_back(write);
        } else {
            storage.store.counts.writes_dropped += 1;
        }
        if storage.stalled_since.is_none() {
            storage.stalled_since = Some(since);
            ctx.output(RingEvent::WritesStall { node: ctx.id() });
        }
        true
    }

    /// There may be room again: writes that waited go on, but those whose coordinators no longer wait.
    fn end_stall<P: RingHost>(&mut self, ctx: &mut Context<P>) {
        let now = ctx.monotonic();
        while let Some(storage) = self.storage.as_mut().filter(|storage| !storage.store.must_wait()) {
            let Some(write) = storage.stalled.pop_front() else {
                if let Some(since) = storage.stalled_since.take() {
                    let writes = std::mem::take(&mut storage.stalled_count);
                    let for_ms = (now.since(since).0 / 1_000_000) as u32;
                    ctx.output(RingEvent::WritesGoOn { node: ctx.id(), writes, for_ms });
                }
                return;
            };
            if now.since(write.since) > self.settings.request_timeout {
                storage.store.counts.writes_dropped += 1;
            } else if self.store(write.key, &write.row, ctx) {
                let StalledWrite { coordinator, ticket, .. } = write;
                self.acknowledge(RingToken::Written { coordinator, ticket }, ctx);
            }
        }
    }

    // Flushes and compactions.

    pub(super) fn begin_flush<P: RingHost>(&mut self, ctx: &mut Context<P>) {
        let Some(storage) = &mut self.storage else { return };
        let Some((table, generation)) = storage.store.begin_flush() else { return };
        let (rows, bytes) = (table.len() as u64, table.bytes());
        storage.flush = Some(job(&self.settings, Ok((table, generation)), (0, bytes), rows, ctx));
        self.next_chunk(true, ctx);
    }

    pub(super) fn begin_compaction<P: RingHost>(&mut self, ctx: &mut Context<P>) {
        let grace_us = self.settings.gc_grace.0 / 1_000;
        let now_us = ctx.local_time() / 1_000;
        let is_over = |row: &Row| row.shown().content.version.saturating_add(grace_us) < now_us;
        let Some(storage) = self.storage.as_mut().filter(|storage| storage.compaction.is_none()) else {
            return;
        };
        let Some(compaction) = storage.store.begin_compaction(is_over) else { return };
        let (rows, read) = (compaction.rows, compaction.bytes);
        let written = compaction.outputs.iter().map(|table| table.bytes()).sum();
        storage.compaction = Some(job(&self.settings, Err(compaction), (read, written), rows, ctx));
        self.next_chunk(false, ctx);
    }

    fn job(&mut self, is_flush: bool) -> Option<&mut Job> {
        let storage = self.storage.as_mut()?;
        if is_flush { storage.flush.as_mut() } else { storage.compaction.as_mut() }
    }

    pub(super) fn next_chunk<P: RingHost>(&mut self, is_flush: bool, ctx: &mut Context<P>) {
        let Some(job) = self.job(is_flush) else { return };
        if job.chunks_left == 0 {
            let (removed, added, flushed) = match &job.result {
                Ok((table, generation)) => (Rc::default(), vec![Rc::clone(table)], Some(*generation)),
                Err(compaction) => (Rc::clone(&compaction.inputs), compaction.outputs.clone(), None),
            };
            let content = Content::Tables(Change { removed, added, flushed });
            ctx.disk_append_to(File::Second, RingRecord { key: 0, content });
            ctx.disk_sync_file(File::Second, RingToken::Storage { is_flush, step: Step::Durable });
        } else if ctx.monotonic() < job.next {
            ctx.set_timer_at(job.next, RingTimer::Compact);
        } else {
            job.next = job.next.max(ctx.monotonic()) + job.apart;
            let read = job.read;
            if read == SimDuration::ZERO {
                self.storage_step(is_flush, Step::Read, ctx);
            } else {
                ctx.disk_transfer(read, RingToken::Storage { is_flush, step: Step::Read });
            }
        }
    }

    /// A step of a flush or a compaction is done.
    pub(super) fn storage_step<P: RingHost>(&mut self, is_flush: bool, step: Step, ctx: &mut Context<P>) {
        let Some(job) = self.job(is_flush) else { return };
        let next = |step| RingToken::Storage { is_flush, step };
        match step {
            Step::Read => ctx.submit_work(job.work, next(Step::Work)),
            Step::Work => ctx.disk_transfer(job.write, next(Step::Write)),
            Step::Write => {
                job.chunks_left -= 1;
                self.next_chunk(is_flush, ctx);
            }
            Step::Durable => self.install(is_flush, ctx),
        }
    }

    fn install<P: RingHost>(&mut self, is_flush: bool, ctx: &mut Context<P>) {
        let Some(storage) = &mut self.storage else { return };
        let job = if is_flush { storage.flush.take() } else { storage.compaction.take() };
        match job.map(|job| job.result) {
            Some(Ok((table, _))) => storage.store.flushed(table),
            Some(Err(compaction)) => {
                storage.store.install(&compaction);
                if compaction.tombstones > 0 {
                    let tombstones = compaction.tombstones as u32;
                    ctx.output(RingEvent::Purged { node: ctx.id(), tombstones });
                }
            }
            None => return,
        }
        if storage.store.is_full() {
            self.begin_flush(ctx);
        }
        self.end_stall(ctx);
        self.begin_compaction(ctx);
    }

    // Reads.

    /// Answers a read when all that may hold something of it has been looked at.
    pub(super) fn read<P: RingHost>(
        &mut self,
        (coordinator, ticket): (NodeId, Ticket),
        asked: AskedRows,
        is_digest: bool,
        ctx: &mut Context<P>,
    ) {
        let Some(storage) = &mut self.storage else {
            self.answer((coordinator, ticket), asked, is_digest, ctx);
            return;
        };
        let slice = match asked {
            AskedRows::Row(key) => Slice { first: self.settings.keys.rank(key), rows: 1 },
            AskedRows::Slice(slice) => slice,
        };
        let reading = storage.store.plan_read(slice);
        if reading.tables == 0 {
            self.answer((coordinator, ticket), asked, is_digest, ctx);
            return;
        }
        let per_block = self.settings.encryption.per_io;
        let read = SuspendedRead {
            coordinator,
            ticket,
            asked,
            is_digest,
            tables: reading.tables,
            decryption: SimDuration(per_block.0 * reading.blocks.len() as u64),
            blocks: reading.blocks,
        };
        // With too many under way it gets no answer, and its coordinator asks another or waits in vain.
        if let Ok(operation) = storage.reads.insert(ctx.monotonic(), read) {
            self.read_next(operation, ctx);
        }
    }

    /// Reads the next block, or lets a core merge what was read.
    fn read_next<P: RingHost>(&mut self, operation: Ticket, ctx: &mut Context<P>) {
        let Some(storage) = &mut self.storage else { return };
        let Some(read) = storage.reads.get(operation) else { return };
        if !read.blocks.is_empty() {
            if !ctx.disk_read(RingToken::BlockRead { operation }) {
                storage.reads.remove(operation);
            }
            return;
        }
        let each = storage.store.settings().table_service.sample(ctx.random());
        let work = SimDuration(each.0 * u64::from(read.tables)) + read.decryption;
        ctx.submit_work(work, RingToken::TablesRead { operation });
    }

    pub(super) fn block_read<P: RingHost>(&mut self, operation: Ticket, ctx: &mut Context<P>) {
        let Some(storage) = &mut self.storage else { return };
        let Some(read) = storage.reads.get_mut(operation) else { return };
        if let Some(block) = read.blocks.pop() {
            storage.store.has_read(block);
        }
        self.read_next(operation, ctx);
    }

    pub(super) fn tables_read<P: RingHost>(&mut self, operation: Ticket, ctx: &mut Context<P>) {
        let read = self.storage.as_mut().and_then(|storage| storage.reads.remove(operation));
        if let Some(SuspendedRead { coordinator, ticket, asked, is_digest, .. }) = read {
            self.answer((coordinator, ticket), asked, is_digest, ctx);
        }
    }

    fn answer<P: RingHost>(
        &self,
        (coordinator, ticket): (NodeId, Ticket),
        asked: AskedRows,
        is_digest: bool,
        ctx: &mut Context<P>,
    ) {
        ctx.send(
            coordinator,
            match asked {
                AskedRows::Row(key) => {
                    RingMessage::ReadReply { ticket, row: self.row_to_show(key), is_digest }
                }
                AskedRows::Slice(slice) => {
                    let keys = slice.keys(&self.settings.keys).iter();
                    let rows: Vec<Row> = keys.map(|key| self.row_to_show(*key)).collect();
                    let stamp = stamp(&rows);
                    RingMessage::Slice { ticket, rows: (!is_digest).then(|| Rc::new(rows)), stamp }
                }
            },
        );
    }
}

/// A job that reads and writes so many bytes, and merges so many rows.
fn job<P: RingHost>(
    settings: &RingSettings,
    result: Result<(Rc<SortedTable>, u32), Compaction>,
    (read, written): (u64, u64),
    rows: u64,
    ctx: &mut Context<P>,
) -> Job {
    let storage = settings.storage.as_ref().expect("a store has settings");
    let chunks = read.max(written).div_ceil(CHUNK_BYTES).max(1);
    let merge = SimDuration(storage.merge_service.sample(ctx.random()).0.saturating_mul(rows));
    let blocks = (read + written).div_ceil(BLOCK_BYTES);
    let encryption = SimDuration(settings.encryption.per_io.0 * blocks);
    let limit = match (&result, storage.compaction_bytes_per_s) {
        (Err(_), Some(limit)) => SimDuration::from_ms_f64(read as f64 / limit * 1e3),
        _ => SimDuration::ZERO,
    };
    let of_chunk = |whole: SimDuration| SimDuration(whole.0 / chunks);
    Job {
        result,
        chunks_left: chunks,
        read: of_chunk(storage.transfer(read)),
        work: of_chunk(merge + encryption),
        write: of_chunk(storage.transfer(written)),
        apart: of_chunk(limit),
        next: ctx.monotonic(),
    }
}
