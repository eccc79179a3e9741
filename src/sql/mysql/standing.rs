//! What the configuration service makes of a server: primary of an epoch, with a
//! lease where that is what fences, or a replica of somebody.

use super::commit::Pipeline;
use super::{BINLOG, MySql, Standing};
use crate::engine::{Context, NodeId, SimDuration, SimTime};
use crate::sql::binlog::{EpochStart, Position, start_epoch};
use crate::sql::event::{SqlEvent, SqlHost, SqlTimer, SqlToken};
use crate::sql::message::{Pong, SqlMessage};
use crate::sql::record::{MySqlRecord, SqlRecord};
use crate::sql::settings::Fencing;
use crate::sql::shard_map::{KeyRange, ShardEntry};

impl MySql {
    pub fn pong(&self, round: u32) -> Option<Pong> {
        if self.is_recovering() {
            return None;
        }
        Some(Pong {
            round,
            primary: self.is_primary(),
            epoch: self.epoch,
            position: self.received(),
            has_source: self.source().is_some(),
            initialised: !self.epochs.is_empty() && self.restoring.is_none() && !self.is_going_back(),
            moves: self.moves(),
            alters: self.alters(),
        })
    }

    pub fn on_promote<P: SqlHost>(
        &mut self,
        config: NodeId,
        epoch: u32,
        at_least: Position,
        ctx: &mut Context<P>,
    ) {
        if self.restoring.is_some() || self.is_recovering() || self.is_going_back() {
            return;
        }
        if self.is_primary() && epoch == self.epoch {
            // The answer was lost.
            ctx.disk_sync_file(BINLOG, SqlToken::EpochStored { epoch });
            self.promoting = Some((config, epoch));
            return;
        }
        // It may have lost its disk since it said what it has.
        if self.received() < at_least {
            return;
        }
        if epoch <= self.epoch || self.promoting.is_some_and(|(_, other)| other > epoch) {
            return;
        }
        self.promoting = Some((config, epoch));
        if self.is_primary() {
            self.raise_epoch(epoch, ctx);
        } else {
            self.finish_promotion(ctx);
        }
    }

    /// A primary that stays primary begins a new epoch: what is under way goes on.
    pub(super) fn raise_epoch<P: SqlHost>(&mut self, epoch: u32, ctx: &mut Context<P>) {
        self.epoch_before = Some(self.epoch);
        self.begin_epoch(epoch, self.pipeline.assigned(), ctx);
    }

    pub(super) fn begin_epoch<P: SqlHost>(&mut self, epoch: u32, base: u64, ctx: &mut Context<P>) {
        self.epoch = epoch;
        let start = EpochStart { epoch, base, is_restore: self.point_in_time.take().is_some() };
        start_epoch(&mut self.epochs, start);
        ctx.disk_append_to(BINLOG, SqlRecord::MySql(MySqlRecord::Epoch(start)));
        ctx.disk_sync_file(BINLOG, SqlToken::EpochStored { epoch });
        ctx.output(SqlEvent::Promoted { shard: self.shard as u8, node: ctx.id(), epoch, base });
    }

    /// Whether it is primary of an epoch that a query was routed by.
    pub(super) fn is_primary_of(&self, epoch: u32) -> bool {
        self.is_primary() && (epoch == self.epoch || self.epoch_before == Some(epoch))
    }

    /// Becomes primary, once everything that had arrived is executed.
    pub(super) fn finish_promotion<P: SqlHost>(&mut self, ctx: &mut Context<P>) {
        let Some((_, epoch)) = self.promoting else {
            return;
        };
        if self.relay_len() > 0 || self.is_primary() {
            return;
        }
        let base = self.executed.sequence;
        self.standing = Standing::Primary;
        self.epoch_before = None;
        self.pipeline = Pipeline::starting_at(base);
        self.subscribers.clear();
        self.lease_told = false;
        if let Fencing::Lease(_) = self.settings.failover.fencing {
            self.lease_until = ctx.monotonic();
        }
        self.begin_epoch(epoch, base, ctx);
        if let Fencing::Lease(_) = self.settings.failover.fencing {
            self.ask_for_lease(ctx);
        }
        self.clean_up(ctx);
    }

    pub(super) fn epoch_stored<P: SqlHost>(&mut self, epoch: u32, ctx: &mut Context<P>) {
        if self.is_primary()
            && self.epoch == epoch
            && let Some((config, _)) = self.promoting.take()
        {
            let base = self.epochs.last().map_or(0, |start| start.base);
            ctx.send(config, SqlMessage::Promoted { epoch, base });
        }
    }

    pub fn on_shard<P: SqlHost>(&mut self, version: u32, entry: &ShardEntry, ctx: &mut Context<P>) {
        if version < self.told_version || self.is_recovering() {
            return;
        }
        self.told_version = version;
        self.knows_range = true;
        if self.range != entry.range {
            self.range = entry.range;
            let has = |range: KeyRange| {
                entry.range.is_some_and(|own| own.contains(range.from) && own.contains(range.to))
            };
            // What was on its way has arrived, here or there.
            if self.import.as_ref().is_some_and(|import| has(import.range())) {
                self.import = None;
            }
            if self.frozen.as_ref().is_some_and(|frozen| !has(frozen.range)) {
                self.frozen = None;
            }
            self.clean_up(ctx);
        }
        if entry.primary == ctx.id() || entry.epoch < self.epoch {
            return;
        }
        // Until another is primary, it goes on with what it restores.
        if self.point_in_time.is_some() && entry.epoch == self.epoch {
            return;
        }
        self.point_in_time = None;
        if self.is_primary() {
            if entry.epoch == self.epoch {
                return;
            }
            self.step_down(ctx);
        }
        if self.source() == Some(entry.primary) && self.epoch == entry.epoch {
            return;
        }
        self.epoch = entry.epoch;
        self.promoting = None;
        self.standing = Standing::Replica { source: Some(entry.primary) };
        self.connect(ctx);
    }

    /// Stops being primary. What it had begun stays in its history, as MySQL's recovery
    /// would have it; nobody is told, so those outcomes are unknown.
    pub(super) fn step_down<P: SqlHost>(&mut self, ctx: &mut Context<P>) {
        self.schema_change = None;
        self.give_up_transactions(ctx);
        self.frozen = None;
        self.import = None;
        self.subscribers.clear();
        self.standing = Standing::Replica { source: None };
        ctx.output(SqlEvent::SteppedDown { shard: self.shard as u8, node: ctx.id() });
    }

    // Fencing.

    pub(super) fn ask_for_lease<P: SqlHost>(&mut self, ctx: &mut Context<P>) {
        let asked = ctx.monotonic();
        for config in &self.settings.config {
            ctx.send(*config, SqlMessage::LeaseRequest { epoch: self.epoch, asked });
        }
    }

    pub(super) fn renew_lease<P: SqlHost>(&mut self, ctx: &mut Context<P>) {
        let Fencing::Lease(length) = self.settings.failover.fencing else {
            return;
        };
        if self.is_primary() && !self.is_recovering() {
            if !self.holds_lease(ctx.monotonic()) && !self.lease_told {
                self.lease_told = true;
                ctx.output(SqlEvent::LeaseRanOut { shard: self.shard as u8, node: ctx.id() });
            }
            self.ask_for_lease(ctx);
        }
        ctx.set_timer(SimDuration(length.0 / 3), SqlTimer::Lease);
    }

    pub fn on_lease_granted(&mut self, epoch: u32, asked: SimTime, length: SimDuration) {
        if self.is_primary() && epoch == self.epoch {
            self.lease_until = self.lease_until.max(asked + length);
            self.lease_told = false;
        }
    }

    /// Whether it may take queries as primary, as far as its lease goes.
    pub fn holds_lease(&self, now: SimTime) -> bool {
        !matches!(self.settings.failover.fencing, Fencing::Lease(_)) || now < self.lease_until
    }
}
