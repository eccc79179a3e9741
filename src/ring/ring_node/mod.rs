//! A ring node: replica of its ranges, and coordinator of whatever it is asked.
//!
//! Models a Dynamo-style node (DeCandia et al., SOSP 2007; Cassandra 4.1): any node
//! coordinates. A write goes to all N replicas that the coordinator believes alive,
//! a read to all of them or to as many as it needs, the nearest first, with digests
//! from all but one and one more replica if it takes longer than most. It is answered
//! after R or W of them, or after those that a consistency level names; with fewer
//! believed alive it is refused at once, or (sloppy) others stand in. The newest version
//! wins, by the coordinator's wall clock (last-write-wins). Replicas that were
//! not there get what they missed by hints, by read repair (before or after the
//! answer) and by Merkle trees. In place of the newest version alone a row can keep
//! siblings, be a counter, or be changed by rounds of Paxos only. A delete is a
//! tombstone, which is dropped after its grace period: a replica that missed it until
//! then brings the row back. Neighbouring
//! keys can form one partition (a wide row): they share their replicas, and a scan
//! within it is one read of them, a scan over several a read of each.
//!
//! What a node has is in memory and in its commit log, or in a log-structured store (O'Neil
//! et al., "The log-structured merge-tree", 1996; Cassandra's storage engine): a memtable
//! is flushed to sorted tables, a read looks into every table that may hold the row (Bloom
//! filters, block cache, disk), compactions merge tables, size-tiered or levelled. Flushes
//! and compactions take disk and cores from requests, in chunks of 64 KB, one of each at a
//! time; when flushes cannot keep up writes wait. After a crash the commit log is replayed.
//!
//! Simplified: a request's coordination costs core time on its way in, replies
//! cost none. Without a store reads never touch the disk; with one, a read looks into all
//! its tables one after the other, nothing is compressed, and Merkle trees and hints read
//! no disk. TLS costs its receiver core time for each message but those to itself,
//! encryption at rest for each write and block. Nearness is by zone and region, not by measured
//! latency.
//!
//! Who is there a node learns by rumour: it knows three others at most, exchanges
//! digests and what differs with one of them every round, and judges by phi accrual,
//! a time-out or SWIM. With rumours goes how each node stands to the ring: everybody acts by
//! the ring that it has heard of. Nodes join, leave and replace dead ones while the ring
//! serves, one after the other: writes go to old and new replicas, ranges are
//! streamed at a limited rate, then reads go to the new ones (the order of Cassandra 5.1).
//! A replica refuses a write that was sent by a ring that is too old for it.
//!
//! Simplified: tokens at the start are configuration. A spare runs and gossips. Clients are told of
//! a change by the node that was moved, once, when it is done. What a node owns no more stays on its
//! disk. Equal shares and compare-and-set rows cannot be moved. What siblings, counters and rounds of
//! Paxos read before they write costs no disk.

mod anti_entropy;
mod coordinator;
mod handoff;
mod light_transaction;
mod membership;
mod moving;
mod reads;
mod replica;
mod scan;
mod storage;
mod streaming;
mod versions;

use super::hints::Hints;
use super::membership::{Action, Membership};
use super::message::{RingDisk, RingHost, RingTimer, known};
use super::paxos::Acceptor;
use super::place::{Place, Places};
use super::row::Row;
use super::settings::{CommitLogSync, RingSettings, Versions};
use super::speculation::Speculation;
use super::view::View;
use crate::engine::table::Table;
use crate::engine::{Context, NodeId, PagedVec, PendingTable};
use crate::workload::operation::{Cell, KeyId};
use crate::workload::version_vector::Actor;
use anti_entropy::Session;
use coordinator::Coordinated;
use light_transaction::Transaction;
use scan::Scan;
use std::collections::VecDeque;
use std::rc::Rc;
use storage::Storage;
use streaming::Streaming;

/// One ring node.
#[derive(Clone)]
pub struct RingNode {
    settings: Rc<RingSettings>,
    /// Place in the ring's list of nodes.
    index: u16,
    /// All that it has, where there is no store.
    rows: PagedVec<Row>,
    storage: Option<Box<Storage>>,
    /// Of each key, if every operation is a transaction.
    acceptors: PagedVec<Acceptor>,
    transactions: PendingTable<Transaction>,
    /// What it is called in rows that have actors, since it started.
    actor: Actor,
    /// The dots that it has given.
    dots: u32,
    pending: PendingTable<Coordinated>,
    /// Scans under way, by their number; each has a slice that is pending.
    scans: Table<Scan>,
    scans_begun: u64,
    gossip: Membership,
    /// What its membership wants done; empty between events.
    actions: Vec<Action>,
    last_timestamp: u64,
    speculation: Speculation,
    /// Reads for which one more replica was asked.
    speculations: u64,
    hints: Hints,
    handoff_armed: bool,
    session: Option<Session>,
    /// With whom trees were compared last.
    compared_last: u16,
    /// How all stand to the ring, as far as it has heard, and the ring that it acts by for that.
    places: Places,
    view: Rc<View>,
    /// Those that it acted by before, the oldest first.
    former: VecDeque<Rc<View>>,
    /// Places are on their way to its disk.
    stores_places: bool,
    move_armed: bool,
    streaming: Streaming,
}

impl RingNode {
    pub fn new(settings: Rc<RingSettings>, index: u16) -> RingNode {
        let places = Rc::clone(&settings.atlas.first);
        RingNode {
            view: settings.atlas.view(&places),
            places,
            former: VecDeque::new(),
            stores_places: false,
            move_armed: false,
            streaming: Streaming::default(),
            rows: PagedVec::filled(Row::default(), settings.keys.len()),
            storage: Storage::new(&settings, None),
            acceptors: PagedVec::default(),
            transactions: PendingTable::new(settings.request_timeout, settings.in_flight_max),
            actor: 0,
            dots: 0,
            pending: PendingTable::new(settings.request_timeout, settings.in_flight_max),
            scans: Table::default(),
            scans_begun: 0,
            gossip: Membership::new(Rc::clone(&settings.membership), index),
            actions: Vec::new(),
            settings,
            index,
            last_timestamp: 0,
            speculation: Speculation::default(),
            speculations: 0,
            hints: Hints::default(),
            handoff_armed: false,
            session: None,
            compared_last: index,
        }
    }

    /// What it believes of who is there.
    pub fn gossip(&self) -> &Membership {
        &self.gossip
    }

    pub fn settings(&self) -> &RingSettings {
        &self.settings
    }

    pub fn index(&self) -> u16 {
        self.index
    }

    /// A node's place in the ring's list, which is in ascending order.
    fn member(&self, node: NodeId) -> Option<u16> {
        self.settings.nodes.binary_search(&node).ok().map(|place| place as u16)
    }

    /// The ring that it acts by.
    pub fn view(&self) -> &View {
        &self.view
    }

    /// How a node stands to the ring, as far as this one has heard.
    pub fn place(&self, node: u16) -> &Place {
        &self.places[usize::from(node)]
    }

    pub fn in_flight(&self) -> usize {
        self.pending.len() + self.transactions.len()
    }

    /// Reads for which it asked one more replica.
    pub fn speculations(&self) -> u64 {
        self.speculations
    }

    pub fn hints(&self) -> &Hints {
        &self.hints
    }

    /// What it holds of a key.
    pub fn row(&self, key: KeyId) -> Row {
        match &self.storage {
            Some(storage) => storage.store.get(key),
            None => self.rows.get(key as usize).expect("a key of the key space").clone(),
        }
    }

    /// All that it knows of a key, for whomever it keeps it.
    pub fn known(&self, key: KeyId) -> Row {
        known(self.row(key), Some(&self.hints), &self.acceptors, key)
    }

    /// Rows of which it holds more than one version.
    pub fn rows_with_siblings(&self) -> usize {
        let several = |row: &Row| matches!(row, Row::Siblings(siblings) if siblings.versions().len() > 1);
        (0..self.settings.keys.len() as KeyId).map(|key| self.row(key)).filter(several).count()
    }

    /// What it would show of a key.
    pub fn cell(&self, key: KeyId) -> Cell {
        self.row(key).shown()
    }

    pub fn on_start<P: RingHost>(&mut self, disk: &RingDisk, ctx: &mut Context<P>) {
        self.pending.restarted(ctx.incarnation());
        self.transactions.restarted(ctx.incarnation());
        self.rows = disk.rows.clone();
        self.rows.extend_to(self.settings.keys.len(), Row::default());
        self.storage = Storage::new(&self.settings, disk.log.as_ref());
        self.hints = disk.hints.clone().unwrap_or_default();
        if self.settings.versions == Versions::CompareAndSet {
            self.acceptors = disk.acceptors.clone();
            self.acceptors.extend_to(self.settings.keys.len(), Acceptor::default());
        }
        if matches!(self.settings.versions, Versions::Siblings | Versions::Counter) {
            self.actor = self.draw_actor(ctx);
        }
        self.hints.restarted(self.settings.nodes.len(), ctx.monotonic());
        if let Some(places) = &disk.places {
            self.places = Rc::clone(places);
            self.view = self.settings.atlas.view(places);
        }
        if !self.replay(ctx) {
            self.begin(ctx);
        }
    }

    /// From now on it serves.
    fn begin<P: RingHost>(&mut self, ctx: &mut Context<P>) {
        self.arm_handoff(ctx);
        self.arm_anti_entropy(ctx);
        self.arm_purge(ctx);
        if self.storage.as_ref().is_some_and(|storage| storage.store.is_full()) {
            self.begin_flush(ctx);
        }
        self.begin_compaction(ctx);
        self.begin_gossip(ctx);
        self.places_restored(ctx);
        if let CommitLogSync::Interval(interval) = self.settings.commit_log_sync {
            ctx.set_timer(interval, RingTimer::Sync);
        }
    }

    pub fn on_timer<P: RingHost>(&mut self, timer: RingTimer, ctx: &mut Context<P>) {
        match timer {
            RingTimer::Membership(timer) => self.on_membership_timer(timer, ctx),
            RingTimer::TimeOut => self.time_out(ctx),
            RingTimer::Speculate { ticket } => self.speculate(ticket, ctx),
            RingTimer::Handoff => self.hand_off(ctx),
            RingTimer::AntiEntropy => self.begin_anti_entropy(ctx),
            RingTimer::Purge => self.purge(ctx),
            RingTimer::Move => self.move_on(ctx),
            RingTimer::Stream => self.stream_next(ctx),
            RingTimer::Ballot { ticket } => self.prepare(ticket, ctx),
            RingTimer::TransactionTimeOut => self.transactions_time_out(ctx),
            RingTimer::Compact => self.next_chunk(false, ctx),
            RingTimer::Sync => {
                if ctx.disk_backlog() > 0 {
                    ctx.disk_sync_background();
                }
                if let CommitLogSync::Interval(interval) = self.settings.commit_log_sync {
                    ctx.set_timer(interval, RingTimer::Sync);
                }
            }
        }
    }
}
