//! Backup store: snapshots of every shard, and its binlog.
//!
//! Models an object store with, per shard, a snapshot at an interval (XtraBackup
//! 8.0, or MySQL's CLONE) and the binlog since, fetched at another (mysqlbinlog
//! `--read-from-remote-server`): what was committed since the last fetch is lost
//! when a shard loses all its disks, which is the recovery point. They are taken
//! from a replica while it answers. A server that is to restore a shard fetches the
//! newest snapshot that is old enough, page by page, and replays the binlog on it
//! up to the time that was asked for; how long that takes is the recovery time.
//!
//! Simplified: it has as many cores as it needs and costs nothing but what it keeps and its
//! traffic; pages travel and are kept as they are. Left out: incremental snapshots, checking backups by
//! restoring them.

use super::backup_archive::{Archive, Snapshot};
use super::binlog::{Entry, EpochStart, Position};
use super::event::{SqlHost, SqlTimer};
use super::message::{Fetch, SqlMessage};
use super::record::{BackupChange, BackupDisk, BackupRecord, SqlRecord};
use super::settings::{Backups, SqlSettings};
use super::tables::{Outline, Tables};
use crate::engine::{Context, NodeId, SimDuration, SimTime};
use crate::workload::operation::Cell;
use std::rc::Rc;

/// A server that says nothing for so long is left for the next.
const ANSWER_WITHIN: SimDuration = SimDuration::from_ms(2_000);
/// Transactions in one answer to a server that restores.
const LOG_ENTRIES: usize = 2_000;

/// A snapshot that is being fetched.
#[derive(Clone)]
struct Taking {
    snapshot: Snapshot,
    next_page: usize,
}

/// One shard's backups, and how they are fetched.
#[derive(Clone)]
struct Shelf {
    archive: Archive,
    /// Which of the shard's servers is asked.
    source: usize,
    asked: Option<SimTime>,
    taking: Option<Taking>,
    snapshot_due: SimTime,
}

/// The backup store.
#[derive(Clone)]
pub struct BackupStore {
    settings: Rc<SqlSettings>,
    backups: Backups,
    shelves: Vec<Shelf>,
}

impl BackupStore {
    pub fn new(settings: Rc<SqlSettings>, backups: Backups) -> BackupStore {
        let shelf = |nodes: usize| Shelf {
            archive: Archive::default(),
            // The last one: a replica at the start, if there is any.
            source: nodes - 1,
            asked: None,
            taking: None,
            snapshot_due: SimTime::ZERO,
        };
        let shelves = settings.first_map.shards.iter().map(|entry| shelf(entry.nodes.len())).collect();
        BackupStore { shelves, backups, settings }
    }

    pub fn settings(&self) -> &SqlSettings {
        &self.settings
    }

    /// Of a shard: how many snapshots there are, and the last transaction that is kept.
    pub fn kept(&self, shard: usize) -> (usize, Option<Position>) {
        let archive = &self.shelves[shard].archive;
        (archive.snapshots(), archive.end())
    }

    /// Bytes of all that is kept.
    pub fn bytes(&self) -> u64 {
        self.shelves.iter().map(|shelf| shelf.archive.bytes()).sum()
    }

    pub fn on_start<P: SqlHost>(&mut self, disk: &BackupDisk, ctx: &mut Context<P>) {
        for (shelf, archive) in self.shelves.iter_mut().zip(&disk.archives) {
            shelf.archive = archive.clone();
        }
        ctx.set_timer(self.backups.binlog_every, SqlTimer::Backup);
    }

    pub fn on_timer<P: SqlHost>(&mut self, ctx: &mut Context<P>) {
        let now = ctx.monotonic();
        for shard in 0..self.shelves.len() {
            let shelf = &mut self.shelves[shard];
            match shelf.asked {
                Some(asked) if now.since(asked) < ANSWER_WITHIN => continue,
                Some(_) => {
                    shelf.taking = None;
                    shelf.source += 1;
                }
                None => {}
            }
            self.pull(shard, ctx);
        }
        ctx.set_timer(self.backups.binlog_every, SqlTimer::Backup);
    }

    fn pull<P: SqlHost>(&mut self, shard: usize, ctx: &mut Context<P>) {
        let nodes = &self.settings.first_map.shards[shard].nodes;
        let shelf = &mut self.shelves[shard];
        let now = ctx.monotonic();
        shelf.asked = Some(now);
        let after = shelf.archive.end().filter(|_| now < shelf.snapshot_due && !shelf.archive.is_full());
        ctx.send(nodes[shelf.source % nodes.len()], SqlMessage::BackupPull { after });
    }

    /// The shard of a server that is being asked.
    fn asks(&mut self, server: NodeId) -> Option<usize> {
        let shards = &self.settings.first_map.shards;
        let shard = shards.iter().position(|entry| entry.nodes.contains(&server))?;
        let (nodes, shelf) = (&shards[shard].nodes, &self.shelves[shard]);
        (shelf.asked.is_some() && nodes[shelf.source % nodes.len()] == server).then_some(shard)
    }

    fn store<P: SqlHost>(&mut self, shard: usize, change: BackupChange, ctx: &mut Context<P>) {
        let record = BackupRecord { shard: shard as u16, keep: self.backups.snapshots, change };
        record.apply(&mut self.shelves[shard].archive);
        ctx.disk_append(SqlRecord::Backup(record));
        ctx.disk_sync_background();
    }

    pub fn on_entries<P: SqlHost>(
        &mut self,
        server: NodeId,
        entries: Rc<[Entry]>,
        end: u64,
        ctx: &mut Context<P>,
    ) {
        let Some(shard) = self.asks(server).filter(|shard| self.shelves[*shard].taking.is_none()) else {
            return;
        };
        self.shelves[shard].asked = None;
        if !entries.is_empty() {
            self.store(shard, BackupChange::Entries(entries), ctx);
            if self.shelves[shard].archive.end().is_some_and(|kept| kept.sequence < end) {
                self.pull(shard, ctx);
            }
        }
    }

    pub fn on_snapshot_offer<P: SqlHost>(
        &mut self,
        server: NodeId,
        (position, taken): (Position, u64),
        epochs: Rc<[EpochStart]>,
        outline: Outline,
        ctx: &mut Context<P>,
    ) {
        if let Some(shard) = self.asks(server) {
            let snapshot = Snapshot { taken, position, epochs, tables: Tables::outlined(outline) };
            self.shelves[shard].taking = Some(Taking { snapshot, next_page: 0 });
            ctx.send(server, SqlMessage::SnapshotPull { page: 0 });
        }
    }

    pub fn on_snapshot_page<P: SqlHost>(
        &mut self,
        server: NodeId,
        page: u32,
        rows: Rc<Vec<Cell>>,
        ctx: &mut Context<P>,
    ) {
        let Some(shard) = self.asks(server) else {
            return;
        };
        let shelf = &mut self.shelves[shard];
        let Some(taking) = shelf.taking.as_mut().filter(|taking| taking.next_page == page as usize) else {
            return;
        };
        shelf.asked = Some(ctx.monotonic());
        taking.snapshot.tables.replace_page(page as usize, rows);
        taking.next_page += 1;
        if taking.next_page < taking.snapshot.tables.page_count() {
            ctx.send(server, SqlMessage::SnapshotPull { page: page + 1 });
        } else if let Some(Taking { snapshot, .. }) = shelf.taking.take() {
            shelf.asked = None;
            shelf.snapshot_due = ctx.monotonic() + self.backups.snapshot_every;
            self.store(shard, BackupChange::Snapshot(Rc::new(snapshot)), ctx);
        }
    }

    /// A server restores a shard.
    pub fn on_fetch<P: SqlHost>(
        &mut self,
        server: NodeId,
        shard: u16,
        (taken, to): (u64, u64),
        fetch: Fetch,
        ctx: &mut Context<P>,
    ) {
        let Some(shelf) = self.shelves.get(usize::from(shard)) else {
            return;
        };
        let generation = match fetch {
            Fetch::Offer => shelf.archive.before(to),
            Fetch::Page(_) | Fetch::Log { .. } => shelf.archive.taken_at(taken),
        };
        let Some(generation) = generation else {
            ctx.send(server, SqlMessage::NoBackup);
            return;
        };
        let snapshot = &generation.snapshot;
        match fetch {
            Fetch::Offer => {
                let Snapshot { taken, position, .. } = **snapshot;
                let (epochs, outline) = (Rc::clone(&snapshot.epochs), snapshot.tables.outline());
                ctx.send(server, SqlMessage::SnapshotOffer { position, taken, epochs, outline });
            }
            Fetch::Page(page) => {
                if let Some(rows) = snapshot.tables.page(page as usize) {
                    ctx.send(server, SqlMessage::SnapshotPage { page, rows });
                }
            }
            Fetch::Log { after } => {
                let (entries, is_last) = generation.after(after, to, LOG_ENTRIES);
                ctx.send(server, SqlMessage::BackupLog { after, entries: entries.into(), is_last });
            }
        }
    }
}
