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
//!
//! Who is there a node learns by rumour: it knows three others at most, exchanges
//! digests and what differs with one of them every round, and judges by phi accrual,
//! a time-out or SWIM. The ring's tokens are configuration, not rumour.

mod coordinator;
mod membership;
mod replica;

use super::membership::{Action, Membership};
use super::message::{RingDisk, RingHost, RingTimer};
use super::settings::{CommitLogSync, RingSettings};
use crate::engine::{Context, PagedVec, PendingTable};
use crate::workload::operation::{Cell, KeyId};
use coordinator::Coordinated;
use std::rc::Rc;

/// One ring node.
#[derive(Clone)]
pub struct RingNode {
    settings: Rc<RingSettings>,
    /// Place in the ring's list of nodes.
    index: u16,
    cells: PagedVec<Cell>,
    pending: PendingTable<Coordinated>,
    gossip: Membership,
    /// What its membership wants done; empty between events.
    actions: Vec<Action>,
    last_timestamp: u64,
}

impl RingNode {
    pub fn new(settings: Rc<RingSettings>, index: u16) -> RingNode {
        RingNode {
            cells: PagedVec::filled(Cell::default(), settings.keys.len()),
            pending: PendingTable::new(settings.request_timeout, settings.in_flight_max),
            gossip: Membership::new(Rc::clone(&settings.membership), index),
            actions: Vec::new(),
            settings,
            index,
            last_timestamp: 0,
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
        self.begin_gossip(ctx);
        if let CommitLogSync::Interval(interval) = self.settings.commit_log_sync {
            ctx.set_timer(interval, RingTimer::Sync);
        }
    }

    pub fn on_timer<P: RingHost>(&mut self, timer: RingTimer, ctx: &mut Context<P>) {
        match timer {
            RingTimer::Membership(timer) => self.on_membership_timer(timer, ctx),
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
}
