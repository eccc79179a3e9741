//! Restores of a shard from its backups: an operator asks for one, or nothing is
//! left of a shard and there are backups.
//!
//! ```text
//! watched ─wanted─► restoring (no primary; one server fetches and replays) ─restored─► intent … as a failover
//! ```
//!
//! The server that is to restore is the one that would be promoted. It becomes
//! primary under a new epoch, whose base is what was restored, so the others take a
//! copy of it. That it is done is agreed on with the new map: nobody restores twice.

use super::ConfigService;
use super::failover::Phase;
use crate::engine::{Context, NodeId, SimDuration, SimTime};
use crate::sql::event::{SqlEvent, SqlHost};
use crate::sql::message::SqlMessage;
use std::rc::Rc;

/// A restore that is not done.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted {
    /// When it was asked for: the same at every node of the service, and later ones are greater.
    pub number: u64,
    /// Up to this time on wall clocks, in nanoseconds.
    to: u64,
}

impl ConfigService {
    /// An operator wants a shard as it was so long ago; without a time, as its newest backup has it.
    pub(super) fn want_restore<P: SqlHost>(
        &mut self,
        shard: u16,
        back: Option<SimDuration>,
        ctx: &mut Context<P>,
    ) {
        let to = back.map_or(u64::MAX, |back| ctx.local_time().saturating_sub(back.0));
        let number = ctx.monotonic().0.max(1);
        if usize::from(shard) < self.restores.len() && self.settings.backup_store.is_some() {
            self.restores[usize::from(shard)] = Some(Wanted { number, to });
        } else if self.acts(ctx) {
            ctx.output(SqlEvent::NothingToRestore { shard: shard as u8 });
        }
    }

    /// Nothing is left of a shard: from its backups, if there are any; whether that is tried.
    pub(super) fn restore_lost_shard<P: SqlHost>(&mut self, shard: usize, ctx: &mut Context<P>) -> bool {
        if self.settings.backup_store.is_none() || self.failovers[shard].has_no_backup {
            return false;
        }
        if self.restores[shard].is_none() {
            let number = ctx.monotonic().0.max(1);
            self.restores[shard] = Some(Wanted { number, to: u64::MAX });
            self.set_operation_timer(ctx);
        }
        true
    }

    /// It was taken back before it began.
    pub(super) fn give_up_restore(&mut self, shard: u16) {
        let shard = usize::from(shard);
        if self.failovers.get(shard).is_some_and(|failover| !failover.phase.is_of_restore()) {
            self.restores[shard] = None;
        }
    }

    pub(super) fn wants_restore(&self) -> bool {
        self.restores.iter().any(Option::is_some)
    }

    pub(super) fn drive_restores<P: SqlHost>(&mut self, ctx: &mut Context<P>) {
        for shard in 0..self.restores.len() {
            let Some(Wanted { number, to }) = self.restores[shard] else {
                continue;
            };
            if number <= self.member.agreed().restored[shard] {
                self.restores[shard] = None;
                continue;
            }
            match self.failovers[shard].phase {
                Phase::Watched => self.begin_restore(shard, ctx),
                Phase::Restoring { target, number: stated } if stated <= self.member.agreed().number => {
                    let epoch = self.member.newest().epochs[shard];
                    ctx.send(target, SqlMessage::Restore { number, epoch, to });
                }
                _ => {}
            }
        }
    }

    fn begin_restore<P: SqlHost>(&mut self, shard: usize, ctx: &mut Context<P>) {
        if self.move_hinders(shard, ctx) {
            return;
        }
        let Some((target, _)) = self.best(shard) else {
            return;
        };
        let stated = self.member.propose(
            |state| {
                state.targets[shard] = Some(target);
                state.map = Rc::new(state.map.next(|shards| shards[shard].serving = false));
            },
            ctx,
        );
        if let Some(number) = stated {
            let failover = &mut self.failovers[shard];
            failover.phase = Phase::Restoring { target, number };
            failover.undisputed = false;
        }
    }

    pub(super) fn on_restored<P: SqlHost>(&mut self, from: NodeId, number: u64, ctx: &mut Context<P>) {
        let Some(shard) = self.shard_of(from) else {
            return;
        };
        let is_wanted = self.restores[shard].is_some_and(|wanted| wanted.number == number);
        if let Phase::Restoring { target, .. } = self.failovers[shard].phase
            && target == from
            && is_wanted
        {
            let epoch = self.member.newest().epochs[shard] + 1;
            let stated = self.member.propose(|state| state.epochs[shard] = epoch, ctx);
            if let Some(stated) = stated {
                ctx.output(SqlEvent::Promoting { shard: shard as u8, node: target, epoch });
                self.failovers[shard].restores = Some(number);
                self.failovers[shard].phase = Phase::Intent { target, epoch, number: stated };
            }
        }
    }

    /// The new primary is agreed on, with what was restored.
    pub(super) fn conclude_restore<P: SqlHost>(&mut self, shard: usize, node: NodeId, ctx: &mut Context<P>) {
        if let Some(number) = self.failovers[shard].restores.take() {
            self.restores[shard] = None;
            let (shard, asked) = (shard as u8, SimTime(number));
            ctx.output(SqlEvent::ShardRestored { shard, node, asked });
        }
    }

    /// There is no backup from that time or before.
    pub(super) fn on_nothing_to_restore<P: SqlHost>(
        &mut self,
        from: NodeId,
        number: u64,
        ctx: &mut Context<P>,
    ) {
        let Some(shard) = self.shard_of(from) else {
            return;
        };
        let is_wanted = self.restores[shard].is_some_and(|wanted| wanted.number == number);
        if is_wanted && self.failovers[shard].phase.is_of_restore() {
            self.restores[shard] = None;
            self.failovers[shard].has_no_backup = true;
            self.failovers[shard].phase = Phase::Watched;
            ctx.output(SqlEvent::NothingToRestore { shard: shard as u8 });
        }
    }
}
