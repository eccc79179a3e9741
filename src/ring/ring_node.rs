//! A ring node: replica of its ranges, and coordinator of whatever it is asked.
//!
//! Models a Dynamo-style node (DeCandia et al., SOSP 2007; Cassandra): any node
//! coordinates; an operation is sent to all N replicas that the coordinator
//! believes alive, and answered after R or W of them; the newest version wins,
//! by the coordinator's wall clock (last-write-wins); a read that saw different
//! versions brings the older replicas up to date in the background. A
//! coordinator that believes fewer than R or W replicas alive refuses at once.
//!
//! Simplified: a request's coordination costs core time on its way in, replies
//! cost none. A write is kept in memory and in the commit log, reads never touch
//! the disk. Left out here: hinted handoff, anti-entropy, tombstones, sloppy
//! quorums, digest reads: a replica that missed a write gets it by read repair
//! or not at all.

use super::gossip::{Digest, Gossip, Verdict};
use super::message::{RingDisk, RingEvent, RingHost, RingMessage, RingRecord, RingTimer, RingToken};
use super::token_ring::{REPLICAS_MAX, TokenRing};
use crate::engine::disk::UNSYNCED_RECORDS_MAX;
use crate::engine::{Context, Distribution, NodeId, PagedVec, PendingTable, SimDuration, Ticket};
use crate::workload::keys::KeySpace;
use crate::workload::operation::{Cause, Cell, KeyId, OperationId, Request, Response, Versioned};
use std::rc::Rc;

/// When a write is acknowledged.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CommitLogSync {
    /// After an fsync that covers it (Cassandra: `commitlog_sync: batch`).
    EveryWrite,
    /// At once; an fsync runs at this interval (`periodic`).
    Interval(SimDuration),
}

/// Shared by every node of one ring.
#[derive(Clone)]
pub struct RingSettings {
    pub keys: KeySpace,
    pub ring: TokenRing,
    /// Ring nodes in order; the ring's indices are places in this list.
    pub nodes: Vec<NodeId>,
    /// Whom each node knows.
    pub neighbours: Vec<Vec<u16>>,
    pub n: usize,
    pub r: usize,
    pub w: usize,
    pub gossip_interval: SimDuration,
    pub phi_threshold: f64,
    pub read_repair: bool,
    pub commit_log_sync: CommitLogSync,
    pub request_timeout: SimDuration,
    pub in_flight_max: usize,
    pub coordinator_service: Distribution,
    pub read_service: Distribution,
    pub write_service: Distribution,
    pub gossip_service: Distribution,
}

/// A request that this node coordinates.
#[derive(Clone)]
struct Coordinated {
    client: NodeId,
    id: OperationId,
    key: KeyId,
    is_write: bool,
    /// The newest version seen, or the one being written.
    newest: Cell,
    needed: u8,
    /// Replicas that were asked.
    asked: u8,
    answered: u8,
    responded: bool,
    /// What each replica showed, of a read.
    replies: [(NodeId, u64); REPLICAS_MAX],
}

/// One ring node.
#[derive(Clone)]
pub struct RingNode {
    settings: Rc<RingSettings>,
    /// Place in the ring's list of nodes.
    index: u16,
    cells: PagedVec<Cell>,
    pending: PendingTable<Coordinated>,
    gossip: Gossip,
    last_timestamp: u64,
    verdicts: Vec<Verdict>,
}

impl RingNode {
    pub fn new(settings: Rc<RingSettings>, index: u16) -> RingNode {
        let nodes = settings.nodes.len();
        let expected = settings.gossip_interval + settings.gossip_interval;
        RingNode {
            cells: PagedVec::filled(Cell::default(), settings.keys.len()),
            pending: PendingTable::new(settings.request_timeout, settings.in_flight_max),
            gossip: Gossip::new(index, nodes, Default::default(), expected, 0),
            settings,
            index,
            last_timestamp: 0,
            verdicts: Vec::new(),
        }
    }

    pub fn gossip(&self) -> &Gossip {
        &self.gossip
    }

    pub fn settings(&self) -> &RingSettings {
        &self.settings
    }

    pub fn index(&self) -> u16 {
        self.index
    }

    pub fn in_flight(&self) -> usize {
        self.pending.len()
    }

    /// What it holds of a key.
    pub fn cell(&self, key: KeyId) -> Cell {
        self.cells.get(key as usize).copied().unwrap_or_default()
    }

    pub fn on_start<P: RingHost>(&mut self, disk: &RingDisk, ctx: &mut Context<P>) {
        self.cells = disk.cells.clone();
        self.cells.extend_to(self.settings.keys.len(), Cell::default());
        let expected = self.settings.gossip_interval + self.settings.gossip_interval;
        let generation = ctx.local_time() / 1_000_000;
        let nodes = self.settings.nodes.len();
        self.gossip = Gossip::new(self.index, nodes, ctx.monotonic(), expected, generation);
        // Rounds of different nodes fall on different moments.
        let first = SimDuration((self.settings.gossip_interval.0 as f64 * ctx.random().unit()) as u64);
        ctx.set_timer(first, RingTimer::GossipRound);
        if let CommitLogSync::Interval(interval) = self.settings.commit_log_sync {
            ctx.set_timer(interval, RingTimer::Sync);
        }
    }

    pub fn on_timer<P: RingHost>(&mut self, timer: RingTimer, ctx: &mut Context<P>) {
        match timer {
            RingTimer::GossipRound => self.gossip_round(ctx),
            RingTimer::TimeOut => self.time_out(ctx),
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

    // As coordinator.

    pub fn on_request<P: RingHost>(&mut self, client: NodeId, request: Request, ctx: &mut Context<P>) {
        let settings = Rc::clone(&self.settings);
        let replicas = settings.ring.replicas(settings.keys.token(request.key));
        let needed = if request.is_write() { settings.w } else { settings.r };
        let alive = replicas.iter().filter(|replica| self.gossip.believes_alive(**replica)).count();
        if alive < needed {
            ctx.send(client, Response::failed(request.id, Cause::TooFewReplicas));
            return;
        }
        let newest = if request.is_write() { self.new_cell(&request, ctx) } else { Cell::default() };
        let coordinated = Coordinated {
            client,
            id: request.id,
            key: request.key,
            is_write: request.is_write(),
            newest,
            needed: needed as u8,
            asked: alive as u8,
            answered: 0,
            responded: false,
            replies: [(NodeId(0), 0); REPLICAS_MAX],
        };
        let Ok(ticket) = self.pending.insert(ctx.monotonic(), coordinated) else {
            ctx.send(client, Response::failed(request.id, Cause::Overloaded));
            return;
        };
        if let Some(at) = self.pending.arm() {
            ctx.set_timer_at(at, RingTimer::TimeOut);
        }
        for replica in replicas.iter().filter(|replica| self.gossip.believes_alive(**replica)) {
            let to = settings.nodes[*replica as usize];
            if request.is_write() {
                ctx.send(to, RingMessage::Write { ticket, key: request.key, cell: newest });
            } else {
                ctx.send(to, RingMessage::Read { ticket, key: request.key });
            }
        }
    }

    /// A version by this node's wall clock in microseconds, never twice the same.
    fn new_cell<P: RingHost>(&mut self, request: &Request, ctx: &mut Context<P>) -> Cell {
        self.last_timestamp = (ctx.local_time() / 1_000).max(self.last_timestamp + 1);
        let content = Versioned { value: request.id.0, version: self.last_timestamp };
        Cell { content, bytes: request.bytes, count: 0 }
    }

    pub fn on_write_acknowledged<P: RingHost>(&mut self, ticket: Ticket, ctx: &mut Context<P>) {
        let Some(coordinated) = self.pending.get_mut(ticket) else {
            return;
        };
        coordinated.answered += 1;
        if coordinated.answered == coordinated.needed {
            coordinated.responded = true;
            let response = Response::ok(coordinated.id, coordinated.newest.content, 0);
            ctx.send(coordinated.client, response);
        }
        if coordinated.answered == coordinated.asked {
            self.pending.remove(ticket);
        }
    }

    pub fn on_read_reply<P: RingHost>(
        &mut self,
        from: NodeId,
        ticket: Ticket,
        cell: Cell,
        ctx: &mut Context<P>,
    ) {
        let Some(coordinated) = self.pending.get_mut(ticket) else {
            return;
        };
        coordinated.replies[coordinated.answered as usize] = (from, cell.content.version);
        coordinated.answered += 1;
        if cell.content.is_newer_than(&coordinated.newest.content) {
            coordinated.newest = cell;
        }
        if coordinated.answered == coordinated.needed {
            coordinated.responded = true;
            let response = Response::ok(coordinated.id, coordinated.newest.content, coordinated.newest.bytes);
            ctx.send(coordinated.client, response);
        }
        if coordinated.answered == coordinated.asked {
            let finished = self.pending.remove(ticket).expect("it was just there");
            self.repair(&finished, ctx);
        }
    }

    /// Brings replicas that showed an older version up to date.
    fn repair<P: RingHost>(&self, read: &Coordinated, ctx: &mut Context<P>) {
        if !self.settings.read_repair || read.is_write {
            return;
        }
        let newest = read.newest.content.version;
        let replies = &read.replies[..read.answered as usize];
        let mut behind = 0;
        for (replica, _) in replies.iter().filter(|(_, version)| *version < newest) {
            behind += 1;
            ctx.send(*replica, RingMessage::Repair { key: read.key, cell: read.newest });
        }
        if behind > 0 {
            ctx.output(RingEvent::Repaired { node: ctx.id(), key: read.key, replicas: behind });
        }
    }

    fn time_out<P: RingHost>(&mut self, ctx: &mut Context<P>) {
        self.pending.timer_fired();
        while let Some(coordinated) = self.pending.pop_expired(ctx.monotonic()) {
            if !coordinated.responded {
                ctx.send(coordinated.client, Response::unknown(coordinated.id, Cause::TimedOut));
            }
            self.repair(&coordinated, ctx);
        }
        if let Some(at) = self.pending.arm() {
            ctx.set_timer_at(at, RingTimer::TimeOut);
        }
    }

    // As replica.

    pub fn on_write<P: RingHost>(
        &mut self,
        coordinator: NodeId,
        ticket: Ticket,
        key: KeyId,
        cell: Cell,
        ctx: &mut Context<P>,
    ) {
        if !self.store(key, cell, ctx) {
            return;
        }
        match self.settings.commit_log_sync {
            CommitLogSync::EveryWrite => ctx.disk_sync(RingToken::Synced { coordinator, ticket }),
            CommitLogSync::Interval(_) => ctx.send(coordinator, RingMessage::WriteAcknowledged { ticket }),
        }
    }

    /// Keeps a version if it is the newest; false if the commit log can take no more.
    fn store<P: RingHost>(&mut self, key: KeyId, cell: Cell, ctx: &mut Context<P>) -> bool {
        if ctx.disk_backlog() > UNSYNCED_RECORDS_MAX / 2 {
            return false;
        }
        let kept = self.cells.get_mut(key as usize).expect("a key of the key space");
        if cell.content.is_newer_than(&kept.content) {
            *kept = cell;
        }
        ctx.disk_append(RingRecord { key, cell });
        true
    }

    pub fn on_read<P: RingHost>(
        &mut self,
        coordinator: NodeId,
        ticket: Ticket,
        key: KeyId,
        ctx: &mut Context<P>,
    ) {
        let cell = self.cell(key);
        ctx.send(coordinator, RingMessage::ReadReply { ticket, cell });
    }

    pub fn on_repair<P: RingHost>(&mut self, key: KeyId, cell: Cell, ctx: &mut Context<P>) {
        self.store(key, cell, ctx);
    }

    pub fn on_token<P: RingHost>(&mut self, token: RingToken, ctx: &mut Context<P>) {
        let RingToken::Synced { coordinator, ticket } = token;
        ctx.send(coordinator, RingMessage::WriteAcknowledged { ticket });
    }

    // Gossip.

    fn gossip_round<P: RingHost>(&mut self, ctx: &mut Context<P>) {
        self.gossip.beat();
        let neighbours = &self.settings.neighbours[self.index as usize];
        if !neighbours.is_empty() {
            let neighbour = neighbours[ctx.random().below(neighbours.len() as u32) as usize];
            let to = self.settings.nodes[neighbour as usize];
            ctx.send(to, RingMessage::GossipPush { digests: self.gossip.digests() });
        }
        let mut verdicts = std::mem::take(&mut self.verdicts);
        self.gossip.convict(ctx.monotonic(), self.settings.phi_threshold, &mut verdicts);
        self.report(&mut verdicts, ctx);
        self.verdicts = verdicts;
        ctx.set_timer(self.settings.gossip_interval, RingTimer::GossipRound);
    }

    pub fn on_gossip_push<P: RingHost>(&mut self, from: NodeId, digests: &[Digest], ctx: &mut Context<P>) {
        let answer = self.gossip.newer_than(digests);
        self.merge(digests, ctx);
        ctx.send(from, RingMessage::GossipPull { digests: answer });
    }

    pub fn on_gossip_pull<P: RingHost>(&mut self, digests: &[Digest], ctx: &mut Context<P>) {
        self.merge(digests, ctx);
    }

    fn merge<P: RingHost>(&mut self, digests: &[Digest], ctx: &mut Context<P>) {
        let mut verdicts = std::mem::take(&mut self.verdicts);
        self.gossip.merge(digests, ctx.monotonic(), &mut verdicts);
        self.report(&mut verdicts, ctx);
        self.verdicts = verdicts;
    }

    fn report<P: RingHost>(&self, verdicts: &mut Vec<Verdict>, ctx: &mut Context<P>) {
        for verdict in verdicts.drain(..) {
            let (node, peer) = (ctx.id(), self.settings.nodes[verdict.peer as usize]);
            ctx.output(if verdict.alive {
                RingEvent::Trusted { node, peer }
            } else {
                RingEvent::Convicted { node, peer }
            });
        }
    }
}
