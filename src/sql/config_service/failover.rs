//! One shard's failover, as the leader of the configuration service drives it.
//!
//! ```text
//! watched ─dead─► intent ─agreed─► fencing ─old primary harmless─► promoting ─promoted─► agreed ─► watched
//!    └─restore─► restoring ─►┘
//! ```

use super::ConfigService;
use super::agreement::Moving;
use super::resharding::moved;
use crate::engine::{Context, NodeId, SimDuration, SimTime};
use crate::sql::binlog::Position;
use crate::sql::event::{SqlEvent, SqlHost, SqlTimer};
use crate::sql::message::SqlMessage;
use crate::sql::settings::Fencing;
use std::cmp::Reverse;
use std::rc::Rc;

/// How long it takes until a machine is off.
const POWER_SWITCH: SimDuration = SimDuration::from_ms(100);

/// Where a failover is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) enum Phase {
    /// The primary is watched.
    #[default]
    Watched,
    /// A majority has to agree (state `number`), then the target restores the shard from a backup.
    Restoring { target: NodeId, number: u64 },
    /// A majority has to agree that there is going to be another one: state `number`.
    Intent { target: NodeId, epoch: u32, number: u64 },
    /// The old primary has to be harmless first.
    Fencing { target: NodeId, epoch: u32, until: SimTime },
    /// The new one has been asked, the last time at `since`.
    Promoting { target: NodeId, epoch: u32, since: SimTime },
    /// It is primary, and a majority has to agree: state `number`; with it, a range may have moved.
    Concluding { target: NodeId, epoch: u32, number: u64, moving: Option<Moving> },
}

impl Phase {
    /// Who is to be primary, and under which epoch.
    pub fn target(self) -> Option<(NodeId, u32)> {
        match self {
            Phase::Watched | Phase::Restoring { .. } => None,
            Phase::Intent { target, epoch, .. }
            | Phase::Fencing { target, epoch, .. }
            | Phase::Promoting { target, epoch, .. }
            | Phase::Concluding { target, epoch, .. } => Some((target, epoch)),
        }
    }

    pub fn is_of_restore(self) -> bool {
        matches!(self, Phase::Restoring { .. })
    }

    /// Whether the target has been asked to become primary.
    pub fn is_asked(self) -> bool {
        matches!(self, Phase::Promoting { .. } | Phase::Concluding { .. })
    }
}

/// What the leader remembers of one shard.
#[derive(Clone, Debug, Default)]
pub(super) struct Failover {
    pub phase: Phase,
    /// Nobody holds a lease for longer than this, and who holds it; a new leader does not know who.
    pub lease_end: SimTime,
    pub lease_holder: Option<NodeId>,
    /// When the last promotion of another node was agreed on.
    pub recovered: Option<SimTime>,
    /// It was told already that one is blocked, or that there is nobody.
    pub told: bool,
    /// Since the map last had a primary that serves, nobody else was asked to be one: it can go on.
    pub undisputed: bool,
    /// The target has restored the shard from a backup, as this number asked for: nobody else will do.
    pub restores: Option<u64>,
    /// Nothing is kept of it that could be restored.
    pub has_no_backup: bool,
    /// Nodes that were asked to become primary and may be by now.
    pub asked: Vec<NodeId>,
}

impl Failover {
    /// For a new leader, who knows nothing of what its predecessor granted, and only whom it chose last.
    pub fn since(lease_end: SimTime, chosen: Option<NodeId>) -> Failover {
        Failover { lease_end, asked: chosen.into_iter().collect(), ..Failover::default() }
    }
}

impl ConfigService {
    /// The node that should be primary: of those that answer, the one that has most. The
    /// primary itself, if it is back from a restart, is preferred among equals, then the first.
    pub(super) fn best(&self, shard: usize) -> Option<(NodeId, Position)> {
        let entry = &self.map().shards[shard];
        let region = |node: NodeId| self.settings.regions[node.index()];
        let of_shard = || self.health.iter().filter(|health| health.shard == shard);
        // Nothing is left of anything: any will do.
        let all_empty = self.nothing_is_left(shard);
        let candidates = of_shard().filter(|health| health.missed == 0).filter_map(|health| {
            let pong = health.answered?;
            let allowed = self.settings.failover.cross_region || region(health.node) == region(entry.primary);
            (allowed && (pong.initialised || all_empty)).then_some((health.node, pong.position))
        });
        candidates.max_by_key(|(node, position)| (*position, *node == entry.primary, Reverse(*node)))
    }

    /// Whether all nodes of a shard answer and none has anything.
    pub(super) fn nothing_is_left(&self, shard: usize) -> bool {
        let mut of_shard = self.health.iter().filter(|health| health.shard == shard);
        of_shard.all(|health| health.missed == 0 && health.answered.is_some_and(|pong| !pong.initialised))
    }

    pub(super) fn begin<P: SqlHost>(&mut self, shard: usize, ctx: &mut Context<P>) {
        if self.move_hinders(shard, ctx) {
            return;
        }
        self.failovers[shard].restores = None;
        if self.nothing_is_left(shard) && self.restore_lost_shard(shard, ctx) {
            return;
        }
        let now = ctx.monotonic();
        let primary = self.map().shards[shard].primary;
        let Some((target, _)) = self.best(shard) else {
            if !std::mem::replace(&mut self.failovers[shard].told, true) {
                ctx.output(SqlEvent::NobodyToPromote { shard: shard as u8 });
            }
            return;
        };
        let block = self.settings.failover.block;
        let blocked = self.failovers[shard].recovered.is_some_and(|recovered| now.since(recovered) < block);
        if target != primary && blocked {
            if !std::mem::replace(&mut self.failovers[shard].told, true) {
                ctx.output(SqlEvent::FailoverBlocked { shard: shard as u8 });
            }
            return;
        }
        self.failovers[shard].told = false;
        self.failovers[shard].undisputed = self.map().shards[shard].serving;
        let epoch = self.member.newest().epochs[shard] + 1;
        let number = self.member.propose(
            |state| {
                state.epochs[shard] = epoch;
                state.targets[shard] = Some(target);
                state.map = Rc::new(state.map.next(|shards| shards[shard].serving = false));
            },
            ctx,
        );
        if let Some(number) = number {
            ctx.output(SqlEvent::Promoting { shard: shard as u8, node: target, epoch });
            self.failovers[shard].phase = Phase::Intent { target, epoch, number };
        }
    }

    /// Lets every failover take its next step, if it can.
    pub(super) fn go_on<P: SqlHost>(&mut self, ctx: &mut Context<P>) {
        if !self.acts(ctx) {
            return;
        }
        let now = ctx.monotonic();
        let agreed = self.member.agreed().number;
        for shard in 0..self.failovers.len() {
            match self.failovers[shard].phase {
                Phase::Intent { target, epoch, number } if number <= agreed => {
                    self.fence(shard, target, epoch, ctx);
                }
                Phase::Fencing { target, epoch, until } if until <= now => {
                    let target = self.best_by_now(shard, target, epoch, ctx);
                    self.ask(shard, target, epoch, ctx);
                }
                Phase::Concluding { target, number, moving, .. } if number <= agreed => {
                    if let Some(moving) = moving {
                        self.conclude_move(moving, ctx);
                    }
                    let failover = &mut self.failovers[shard];
                    failover.phase = Phase::Watched;
                    failover.has_no_backup = false;
                    failover.asked.retain(|asked| *asked == target);
                    self.conclude_restore(shard, target, ctx);
                }
                _ => {}
            }
        }
    }

    /// Sees to it that whoever may be primary now is harmless.
    pub(super) fn fence<P: SqlHost>(
        &mut self,
        shard: usize,
        target: NodeId,
        epoch: u32,
        ctx: &mut Context<P>,
    ) {
        let now = ctx.monotonic();
        let primary = self.map().shards[shard].primary;
        let until = match self.settings.failover.fencing {
            Fencing::None => now,
            // It need not wait for itself.
            Fencing::Lease(_) if self.failovers[shard].lease_holder == Some(target) => now,
            Fencing::Lease(_) => self.failovers[shard].lease_end.max(now),
            Fencing::Shutdown { off_for } => {
                let mut dangerous = std::mem::take(&mut self.failovers[shard].asked);
                if !dangerous.contains(&primary) {
                    dangerous.push(primary);
                }
                dangerous.retain(|node| *node != target);
                for node in &dangerous {
                    ctx.power_cycle_node(*node, off_for);
                    ctx.output(SqlEvent::SwitchedOff { shard: shard as u8, node: *node });
                }
                if dangerous.is_empty() { now } else { now + POWER_SWITCH }
            }
        };
        self.failovers[shard].phase = Phase::Fencing { target, epoch, until };
        if until > now {
            ctx.set_timer_at(until, SqlTimer::Failover);
        } else {
            self.ask(shard, target, epoch, ctx);
        }
    }

    /// The old primary may have gone on for as long as its lease, and not every replica have got it.
    /// Nobody was asked for this epoch yet.
    pub(super) fn best_by_now<P: SqlHost>(
        &self,
        shard: usize,
        target: NodeId,
        epoch: u32,
        ctx: &mut Context<P>,
    ) -> NodeId {
        // The primary itself stays, however old its last answer is; and where machines are switched off,
        // whom it was to be, who is on.
        let is_fixed = self.failovers[shard].restores.is_some();
        let stays = is_fixed || target == self.map().shards[shard].primary || self.shuts_down();
        match self.best(shard) {
            Some((best, _)) if best != target && !stays => {
                ctx.output(SqlEvent::Promoting { shard: shard as u8, node: best, epoch });
                best
            }
            _ => target,
        }
    }

    pub(super) fn ask<P: SqlHost>(&mut self, shard: usize, target: NodeId, epoch: u32, ctx: &mut Context<P>) {
        let answered =
            self.health.iter().find(|health| health.node == target).and_then(|health| health.answered);
        let at_least = answered.map_or(Position::default(), |pong| pong.position);
        let failover = &mut self.failovers[shard];
        failover.phase = Phase::Promoting { target, epoch, since: ctx.monotonic() };
        if !failover.asked.contains(&target) {
            failover.asked.push(target);
        }
        ctx.send(target, SqlMessage::Promote { epoch, at_least });
    }

    /// No answer yet: the same one again, or another if it does not answer its health checks.
    pub(super) fn ask_again<P: SqlHost>(
        &mut self,
        shard: usize,
        target: NodeId,
        epoch: u32,
        since: SimTime,
        ctx: &mut Context<P>,
    ) {
        let failover = &self.settings.failover;
        if ctx.monotonic().since(since) < failover.health_timeout + failover.health_interval {
            return;
        }
        let answered =
            self.health.iter().find(|health| health.node == target).and_then(|health| health.answered);
        let has_begun = answered.is_some_and(|pong| pong.primary && pong.epoch == epoch);
        // It may have lost its disk since, or what was not on it.
        let has = answered.filter(|pong| pong.initialised).map(|pong| pong.position);
        let is_behind = self.best(shard).is_some_and(|(best, most)| best != target && Some(most) > has);
        let is_replica = target != self.map().shards[shard].primary;
        let is_fixed = self.failovers[shard].restores.is_some();
        if self.missed(target) > 0 || is_behind && !is_fixed && !has_begun && (is_replica || has.is_none()) {
            self.failovers[shard].phase = Phase::Watched;
            self.begin(shard, ctx);
        } else {
            self.ask(shard, target, epoch, ctx);
        }
    }

    pub(super) fn on_promoted<P: SqlHost>(&mut self, from: NodeId, epoch: u32, ctx: &mut Context<P>) {
        let Some(shard) = self.shard_of(from) else {
            return;
        };
        let Phase::Promoting { target, epoch: expected, .. } = self.failovers[shard].phase else {
            return;
        };
        if target != from || epoch != expected {
            return;
        }
        let moving = self.cut_over_ranges(shard);
        let restores = self.failovers[shard].restores;
        if self.map().shards[shard].primary != from {
            self.failovers[shard].recovered = Some(ctx.monotonic());
        }
        let number = self.member.propose(
            |state| {
                state.map = Rc::new(state.map.next(|shards| {
                    shards[shard].primary = from;
                    shards[shard].epoch = epoch;
                    shards[shard].serving = true;
                    if let Some(moving) = moving {
                        moved(moving, shards);
                    }
                }));
                if moving.is_some() {
                    state.moving = None;
                }
                if let Some(number) = restores {
                    state.restored[shard] = number;
                }
            },
            ctx,
        );
        if let Some(number) = number {
            self.failovers[shard].phase = Phase::Concluding { target, epoch, number, moving };
        }
    }

    /// Grants a lease to the primary that is agreed on, or to the one that is being made.
    pub(super) fn on_lease_request<P: SqlHost>(
        &mut self,
        from: NodeId,
        epoch: u32,
        asked: SimTime,
        ctx: &mut Context<P>,
    ) {
        let Fencing::Lease(length) = self.settings.failover.fencing else {
            return;
        };
        let Some(shard) = self.shard_of(from) else {
            return;
        };
        let entry = &self.map().shards[shard];
        let phase = self.failovers[shard].phase;
        let is_agreed =
            phase == Phase::Watched && entry.serving && entry.primary == from && entry.epoch == epoch;
        if is_agreed || (phase.is_asked() && phase.target() == Some((from, epoch))) {
            let failover = &mut self.failovers[shard];
            failover.lease_end = failover.lease_end.max(ctx.monotonic() + length);
            failover.lease_holder = Some(from);
            ctx.send(from, SqlMessage::LeaseGranted { epoch, asked, length });
        }
    }
}
