//! Moving a range of keys from one shard to another, as the leader drives it.
//!
//! ```text
//! copying ─all rows there─► catching up ─nearly there─► frozen ─all there, and equal─► new epoch ─► new map
//!                                ▲                         │
//!                                └──── takes too long ─────┘
//! ```
//!
//! Models VReplication and `SwitchTraffic` of Vitess (20): rows are copied in
//! chunks while the source serves, its binlog is replayed on top; then the source
//! takes no more writes in the range for a bounded time, both sides are compared
//! (VDiff) at the same transaction, and the map is changed. That it moves is agreed
//! on before it begins, so that a later leader gives up what it finds half done: until the new map
//! is agreed on, the source has the range, and nothing is lost by giving up.
//!
//! Simplified: the comparison happens within the pause (each side reads its rows and
//! says what they amount to); one range moves at a time.

use super::ConfigService;
use super::agreement::Moving;
use super::failover::Phase;
use crate::engine::{Context, NodeId, SimDuration, SimTime};
use crate::sql::event::{Admin, SqlEvent, SqlHost};
use crate::sql::message::{ImportProgress, SqlMessage};
use crate::sql::shard_map::{KeyRange, ShardEntry, Sharding};

/// The source is frozen when so few transactions are missing.
const NEARLY_THERE: u64 = 1_000;
/// After a pause that took too long, the next one is tried after this; so often at most.
const THAW_FOR: SimDuration = SimDuration::from_ms(1_000);
const PAUSES_MAX: u32 = 5;

/// What was asked for, and where the leader is with it.
#[derive(Clone, Debug, Default)]
pub(super) struct Resharding {
    /// By an operator; kept until it is done or taken back.
    wanted: Option<Admin>,
    stage: Stage,
    pauses: u32,
    not_before: SimTime,
}

impl Resharding {
    pub fn want(&mut self, wanted: Option<Admin>) {
        self.wanted = wanted;
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum Stage {
    #[default]
    Copying,
    /// The source was told to take no more writes.
    Freezing { since: SimTime },
    /// It takes none, and this is where it stands.
    Frozen { since: SimTime, sequence: u64, digest: u64 },
    /// Both are equal: the target begins a new epoch.
    CuttingOver { since: SimTime },
}

impl ConfigService {
    /// A new leader gives up what it finds half done, and begins anew if it is still wanted.
    pub(super) fn inherit_move<P: SqlHost>(&mut self, ctx: &mut Context<P>) {
        if self.member.newest().moving.is_some() {
            self.abort_move(ctx);
        }
        self.set_operation_timer(ctx);
    }

    /// The move that is agreed on, unless another state is about to replace it.
    fn moving(&self) -> Option<Moving> {
        self.member.agreed().moving.filter(|moving| self.member.newest().moving == Some(*moving))
    }

    /// Whether something moves or is to.
    pub(super) fn moves_are_due(&self) -> bool {
        self.resharding.wanted.is_some() || self.member.newest().moving.is_some()
    }

    pub(super) fn drive_move<P: SqlHost>(&mut self, ctx: &mut Context<P>) {
        let Some(moving) = self.moving() else {
            if self.member.newest().moving.is_none()
                && self.member.newest().number == self.member.agreed().number
            {
                self.begin_move(ctx);
            }
            return;
        };
        if self.resharding.wanted.is_none() && !matches!(self.resharding.stage, Stage::CuttingOver { .. }) {
            self.abort_move(ctx);
            return;
        }
        let now = ctx.monotonic();
        let (source, target) = (self.primary_of(moving.source), self.primary_of(moving.target));
        let Moving { id, range, .. } = moving;
        match self.resharding.stage {
            Stage::Copying => ctx.send(target, SqlMessage::Import { id, source, range, upto: None }),
            Stage::Freezing { since } | Stage::Frozen { since, .. } if self.pause_is_over(since, now) => {
                self.thaw(moving, ctx);
            }
            Stage::Freezing { .. } => {
                let attempt = self.resharding.pauses + 1;
                ctx.send(source, SqlMessage::Freeze { id, attempt, range });
            }
            Stage::Frozen { sequence, .. } => {
                ctx.send(target, SqlMessage::Import { id, source, range, upto: Some(sequence) });
            }
            Stage::CuttingOver { .. } => {}
        }
    }

    fn primary_of(&self, shard: u16) -> NodeId {
        self.map().shards[usize::from(shard)].primary
    }

    fn pause_is_over(&self, since: SimTime, now: SimTime) -> bool {
        now.since(since) >= self.settings.resharding.write_pause_max
    }

    fn begin_move<P: SqlHost>(&mut self, ctx: &mut Context<P>) {
        let Some(wanted) = self.resharding.wanted else {
            return;
        };
        let Some((source, target, range)) = self.planned(wanted) else {
            self.resharding.wanted = None;
            ctx.output(SqlEvent::MoveRefused { source: wanted.shard() as u8 });
            return;
        };
        let is_free = |shard: u16| self.is_quiet(usize::from(shard)) && !self.is_altered(usize::from(shard));
        if !is_free(source) || !is_free(target) {
            return;
        }
        self.resharding.stage = Stage::Copying;
        self.resharding.pauses = 0;
        self.resharding.not_before = SimTime::ZERO;
        let id = self.member.newest().number + 1;
        let proposed =
            self.member.propose(|state| state.moving = Some(Moving { id, source, target, range }), ctx);
        if proposed.is_some() {
            ctx.output(SqlEvent::MoveBegins { source: source as u8, target: target as u8 });
        }
    }

    /// Which range moves from where to where; none if it can't be or has been.
    fn planned(&self, wanted: Admin) -> Option<(u16, u16, KeyRange)> {
        let map = self.map();
        let range_of = |shard: u16| map.shards.get(usize::from(shard))?.range;
        match wanted {
            Admin::Split { shard, name_point, hash_point } => {
                let range = range_of(shard)?;
                let at = match map.sharding {
                    Sharding::ByName => name_point,
                    Sharding::ByHash => hash_point,
                };
                let target = map.shards.iter().position(|entry| entry.range.is_none())? as u16;
                (range.from < at && at <= range.to).then_some((
                    shard,
                    target,
                    KeyRange { from: at, to: range.to },
                ))
            }
            Admin::Merge { shard, into } => {
                let (range, other) = (range_of(shard)?, range_of(into)?);
                let adjacent = other.to.checked_add(1) == Some(range.from)
                    || range.to.checked_add(1) == Some(other.from);
                (shard != into && adjacent).then_some((shard, into, range))
            }
            Admin::GiveUpMove
            | Admin::ChangeSchema { .. }
            | Admin::GiveUpSchemaChange { .. }
            | Admin::Restore { .. }
            | Admin::GiveUpRestore { .. } => None,
        }
    }

    /// Gives up: the source has the range, as it had all the time.
    pub(super) fn abort_move<P: SqlHost>(&mut self, ctx: &mut Context<P>) {
        let Some(moving) = self.member.newest().moving else {
            return;
        };
        if self.member.propose(|state| state.moving = None, ctx).is_some() {
            self.resharding.stage = Stage::Copying;
            let Moving { source, target, .. } = moving;
            ctx.output(SqlEvent::MoveAborted { source: source as u8, target: target as u8 });
        }
    }

    /// The pause took too long: the source takes writes again.
    fn thaw<P: SqlHost>(&mut self, moving: Moving, ctx: &mut Context<P>) {
        self.resharding.pauses += 1;
        let thaw = SqlMessage::Thaw { id: moving.id, attempt: self.resharding.pauses };
        ctx.send(self.primary_of(moving.source), thaw);
        self.resharding.not_before = ctx.monotonic() + THAW_FOR;
        self.resharding.stage = Stage::Copying;
        let (source, target) = (moving.source as u8, moving.target as u8);
        ctx.output(SqlEvent::MoveThaws { source, target });
        if self.resharding.pauses >= PAUSES_MAX {
            self.resharding.wanted = None;
        }
    }

    /// A failover of a shard begins: a move that it takes part in is given up first.
    pub(super) fn move_hinders<P: SqlHost>(&mut self, shard: usize, ctx: &mut Context<P>) -> bool {
        let Some(moving) = self.member.newest().moving else {
            return false;
        };
        let takes_part = moving.takes_part(shard);
        if takes_part {
            self.abort_move(ctx);
        }
        takes_part
    }

    pub(super) fn on_importing<P: SqlHost>(
        &mut self,
        from: NodeId,
        id: u64,
        progress: ImportProgress,
        ctx: &mut Context<P>,
    ) {
        let Some(moving) = self.moving().filter(|moving| moving.id == id) else {
            return;
        };
        if from != self.primary_of(moving.target) {
            return;
        }
        let now = ctx.monotonic();
        match (self.resharding.stage, progress) {
            (Stage::Copying, ImportProgress::CatchingUp { behind })
                if behind <= NEARLY_THERE && now >= self.resharding.not_before =>
            {
                self.resharding.stage = Stage::Freezing { since: now };
                let (source, target) = (moving.source as u8, moving.target as u8);
                ctx.output(SqlEvent::MoveFreezes { source, target });
                self.drive_move(ctx);
            }
            (Stage::Frozen { since, digest, .. }, ImportProgress::Done { digest: found }) => {
                if digest == found {
                    self.cut_over(moving, since, ctx);
                } else {
                    // The copy is not what it should be: nothing is changed.
                    self.resharding.wanted = None;
                    self.abort_move(ctx);
                }
            }
            _ => {}
        }
    }

    pub(super) fn on_frozen<P: SqlHost>(
        &mut self,
        from: NodeId,
        id: u64,
        attempt: u32,
        (sequence, digest): (u64, u64),
        ctx: &mut Context<P>,
    ) {
        let Some(moving) = self.moving().filter(|moving| moving.id == id) else {
            return;
        };
        if let Stage::Freezing { since } = self.resharding.stage
            && from == self.primary_of(moving.source)
            && attempt == self.resharding.pauses + 1
        {
            self.resharding.stage = Stage::Frozen { since, sequence, digest };
            self.drive_move(ctx);
        }
    }

    /// The target begins an epoch that is later than all that wrote the range before, so that what it
    /// writes is newer in the order of versions too.
    fn cut_over<P: SqlHost>(&mut self, moving: Moving, since: SimTime, ctx: &mut Context<P>) {
        let target = usize::from(moving.target);
        let epochs = &self.member.newest().epochs;
        let epoch = epochs[target].max(epochs[usize::from(moving.source)]) + 1;
        let primary = self.primary_of(moving.target);
        let number = self.member.propose(|state| state.epochs[target] = epoch, ctx);
        if let Some(number) = number {
            self.failovers[target].phase = Phase::Intent { target: primary, epoch, number };
            self.resharding.stage = Stage::CuttingOver { since };
        }
    }

    /// What changes in the map besides the primary when a shard's new epoch has begun.
    pub(super) fn cut_over_ranges(&self, shard: usize) -> Option<Moving> {
        let moving = self.moving()?;
        let cutting_over = matches!(self.resharding.stage, Stage::CuttingOver { .. });
        (cutting_over && usize::from(moving.target) == shard).then_some(moving)
    }

    /// The new map is agreed on.
    pub(super) fn conclude_move<P: SqlHost>(&mut self, moving: Moving, ctx: &mut Context<P>) {
        if let Stage::CuttingOver { since } = self.resharding.stage {
            let (source, target, range) = (moving.source as u8, moving.target as u8, moving.range);
            let pause = ctx.monotonic().since(since);
            ctx.output(SqlEvent::RangeMoved { source, target, range, pause });
        }
        self.resharding.stage = Stage::Copying;
        self.resharding.wanted = None;
    }

    /// A node takes part in a move that is over: it has missed that.
    pub(super) fn tell_if_over<P: SqlHost>(&mut self, node: NodeId, id: u64, ctx: &mut Context<P>) {
        if id != 0 && self.member.newest().moving.is_none_or(|moving| moving.id != id) {
            ctx.send(node, SqlMessage::Forget { id });
        }
    }
}

/// The map's ranges after a move.
pub(super) fn moved(moving: Moving, shards: &mut [ShardEntry]) {
    let (source, target) = (usize::from(moving.source), usize::from(moving.target));
    let (kept, joined) = moving.range.moved(shards[source].range, shards[target].range);
    shards[source].range = kept;
    shards[target].range = joined;
}
