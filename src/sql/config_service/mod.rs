//! Configuration service: who is primary, and for whom.
//!
//! Models: ZooKeeper or etcd with an Orchestrator (3.2) or VTOrc (Vitess 20) in
//! one: one node, or three that agree by majority (Raft) and of which one leads
//! while a majority confirms it; when they cannot agree, nothing is promoted.
//! The leader asks every MySQL node at an interval whether it is there and
//! counts consecutive misses. A primary beyond the threshold is replaced by the
//! replica that has most transactions, under a higher epoch: a majority agrees
//! on it, proxies are told that the shard has no primary, the old one is fenced
//! (not at all; its lease runs out; it is switched off), the new one executes
//! what it has and takes over, a majority agrees again, and everybody is told.
//! After a failover none of the same shard follows for a while (anti-flapping).
//! Replicas of other regions can be left out. It moves ranges of keys between shards on an operator's
//! word: copy, catch up, a bounded write pause, compare, a new map; what is given up
//! leaves no trace. It passes schema changes on to primaries, and has a shard restored from its
//! backups: on an operator's word, or because nothing is left of it.
//!
//! Simplified: the service reaches the power switches over a management network
//! that never fails, in a tenth of a second. A new leader does not know when its
//! predecessor's last failover was. Leases assume that clocks run equally fast;
//! that they are set differently does not matter. A node of the service that loses
//! its disk may vote twice.
//! Left out: failure detection through replicas, planned failover, witnesses.

pub mod agreement;
mod failover;
mod resharding;
mod restoring;
mod schema_change;

use super::event::{Admin, SqlEvent, SqlHost, SqlTimer, SqlToken};
use super::message::{Pong, SqlMessage};
use super::record::ConfigDisk;
use super::settings::{Fencing, SqlSettings};
use super::shard_map::{ShardEntry, ShardMap};
use crate::engine::{Context, NodeId, SimDuration, SimTime};
use agreement::Member;
use failover::{Failover, Phase};
use resharding::Resharding;
use std::rc::Rc;

/// How often the leader looks after what an operator asked for.
const LOOK_EVERY: SimDuration = SimDuration::from_ms(20);

/// What the leader knows of one MySQL node.
#[derive(Clone, Debug)]
pub struct Health {
    pub node: NodeId,
    shard: usize,
    /// Consecutive health checks without an answer.
    pub missed: u32,
    answered_round: u32,
    answered: Option<Pong>,
}

/// A node of the configuration service.
#[derive(Clone)]
pub struct ConfigService {
    settings: Rc<SqlSettings>,
    member: Member,
    health: Vec<Health>,
    failovers: Vec<Failover>,
    resharding: Resharding,
    /// By shard: the number of the one that an operator asked for and that is not done.
    schema_changes: Vec<Option<u64>>,
    /// By shard: the restore that is wanted and not done.
    restores: Vec<Option<restoring::Wanted>>,
    operation_timer_set: bool,
    round: u32,
    /// The term in which it last began to act as leader.
    acts_in: u32,
    /// The last map that it told everybody.
    announced: Rc<ShardMap>,
}

impl ConfigService {
    /// The node at a place among the service's nodes.
    pub fn new(settings: Rc<SqlSettings>, place: usize) -> ConfigService {
        let map = &settings.first_map;
        let watched = |(shard, entry): (usize, &ShardEntry)| {
            let nodes = entry.nodes.clone().into_iter();
            nodes.map(move |node| Health { node, shard, missed: 0, answered_round: 0, answered: None })
        };
        ConfigService {
            health: map.shards.iter().enumerate().flat_map(watched).collect(),
            failovers: vec![Failover::default(); map.shards.len()],
            member: Member::new(Rc::clone(&settings), place),
            announced: Rc::clone(map),
            resharding: Resharding::default(),
            schema_changes: vec![None; map.shards.len()],
            restores: vec![None; map.shards.len()],
            operation_timer_set: false,
            round: 0,
            acts_in: 0,
            settings,
        }
    }

    /// The last map that it knows to be agreed on.
    pub fn map(&self) -> &ShardMap {
        &self.member.agreed().map
    }

    pub fn health(&self) -> &[Health] {
        &self.health
    }

    pub fn threshold(&self) -> u32 {
        self.settings.failover.health_threshold
    }

    /// Whether it leads the service.
    pub fn leads(&self, now: SimTime) -> bool {
        self.member.leads(now)
    }

    /// Whether it follows a leader, or waits for one.
    pub fn follows(&self) -> bool {
        self.member.follows()
    }

    /// Whether it is the service's only node.
    pub fn is_alone(&self) -> bool {
        self.settings.config.len() == 1
    }

    pub fn term(&self) -> u32 {
        self.member.term()
    }

    pub fn on_start<P: SqlHost>(&mut self, disk: &ConfigDisk, ctx: &mut Context<P>) {
        self.member.on_start(disk.record.as_deref(), ctx);
        ctx.set_timer(self.settings.failover.health_interval, SqlTimer::HealthRound);
    }

    pub fn on_timer<P: SqlHost>(&mut self, timer: SqlTimer, ctx: &mut Context<P>) {
        match timer {
            SqlTimer::Agreement => self.member.on_tick(ctx),
            SqlTimer::HealthRound => {
                if self.acts(ctx) {
                    self.round += 1;
                    for health in &self.health {
                        ctx.send(health.node, SqlMessage::Ping { round: self.round });
                    }
                    let timeout = self.settings.failover.health_timeout;
                    ctx.set_timer(timeout, SqlTimer::HealthCheck { round: self.round });
                }
                ctx.set_timer(self.settings.failover.health_interval, SqlTimer::HealthRound);
            }
            SqlTimer::HealthCheck { round } if self.acts(ctx) => self.check_round(round, ctx),
            SqlTimer::Failover => self.go_on(ctx),
            SqlTimer::Operation => self.operation_timer(ctx),
            _ => {}
        }
        self.look_at_agreement(ctx);
    }

    pub fn on_token<P: SqlHost>(&mut self, token: SqlToken, ctx: &mut Context<P>) {
        if let SqlToken::StateStored { number } = token {
            self.member.stored(number, ctx);
            self.look_at_agreement(ctx);
        }
    }

    pub fn on_message<P: SqlHost>(&mut self, from: NodeId, message: SqlMessage, ctx: &mut Context<P>) {
        match message {
            SqlMessage::Agreement(message) => self.member.on_message(from, message, ctx),
            SqlMessage::MapRequest { version } => {
                let map = &self.member.agreed().map;
                if map.version > version {
                    ctx.send(from, SqlMessage::Map(Rc::clone(map)));
                }
            }
            SqlMessage::Pong(pong) if self.acts(ctx) => self.on_pong(from, pong, ctx),
            SqlMessage::Promoted { epoch, .. } if self.acts(ctx) => self.on_promoted(from, epoch, ctx),
            SqlMessage::Importing { id, progress } if self.acts(ctx) => {
                self.on_importing(from, id, progress, ctx);
            }
            SqlMessage::Frozen { id, attempt, sequence, digest } if self.acts(ctx) => {
                self.on_frozen(from, id, attempt, (sequence, digest), ctx);
            }
            SqlMessage::Restored { number } if self.acts(ctx) => self.on_restored(from, number, ctx),
            SqlMessage::NothingToRestore { number } if self.acts(ctx) => {
                self.on_nothing_to_restore(from, number, ctx);
            }
            SqlMessage::Altered { number } if self.acts(ctx) => self.on_altered(from, number),
            SqlMessage::LeaseRequest { epoch, asked } if self.acts(ctx) => {
                self.on_lease_request(from, epoch, asked, ctx);
            }
            _ => {}
        }
        self.look_at_agreement(ctx);
    }

    /// An operator asks for something, or takes it back.
    pub fn on_admin<P: SqlHost>(&mut self, admin: Admin, ctx: &mut Context<P>) {
        match admin {
            Admin::Split { .. } | Admin::Merge { .. } => self.resharding.want(Some(admin)),
            Admin::GiveUpMove => self.resharding.want(None),
            Admin::ChangeSchema { shard } => self.want_schema_change(shard, ctx),
            Admin::GiveUpSchemaChange { shard } => self.give_up_schema_change(shard),
            Admin::Restore { shard, back } => self.want_restore(shard, back, ctx),
            Admin::GiveUpRestore { shard } => self.give_up_restore(shard),
        }
        self.set_operation_timer(ctx);
    }

    fn set_operation_timer<P: SqlHost>(&mut self, ctx: &mut Context<P>) {
        if !self.operation_timer_set {
            self.operation_timer_set = true;
            ctx.set_timer(LOOK_EVERY, SqlTimer::Operation);
        }
    }

    /// Looks how far what an operator asked for is.
    fn operation_timer<P: SqlHost>(&mut self, ctx: &mut Context<P>) {
        self.operation_timer_set = false;
        if self.acts(ctx) {
            self.drive_move(ctx);
            self.drive_schema_changes(ctx);
            self.drive_restores(ctx);
        }
        if self.moves_are_due() || self.wants_schema_change() || self.wants_restore() {
            self.set_operation_timer(ctx);
        }
    }

    fn acts<P: SqlHost>(&self, ctx: &Context<P>) -> bool {
        self.member.leads(ctx.monotonic()) && self.acts_in == self.member.term()
    }

    /// Something may have been agreed on.
    fn look_at_agreement<P: SqlHost>(&mut self, ctx: &mut Context<P>) {
        if !self.member.leads(ctx.monotonic()) {
            return;
        }
        if self.acts_in != self.member.term() {
            self.begin_to_act(ctx);
        }
        if self.announced.version < self.map().version {
            self.announce(false, ctx);
        }
        self.go_on(ctx);
    }

    /// It leads now: what it has heard as a follower is old, and so may be what others were told.
    fn begin_to_act<P: SqlHost>(&mut self, ctx: &mut Context<P>) {
        self.acts_in = self.member.term();
        let granted_until = match self.settings.failover.fencing {
            Fencing::Lease(length) => ctx.monotonic() + length,
            Fencing::None | Fencing::Shutdown { .. } => SimTime::ZERO,
        };
        let targets = &self.member.agreed().targets;
        self.failovers = targets.iter().map(|target| Failover::since(granted_until, *target)).collect();
        for health in &mut self.health {
            health.missed = 0;
            health.answered = None;
            health.answered_round = self.round;
        }
        if !ctx.is_first_start() || self.map().version > 1 {
            self.announce(true, ctx);
        }
        self.inherit_move(ctx);
    }

    /// Tells everybody the map as it is agreed on, or nodes only what changed.
    fn announce<P: SqlHost>(&mut self, everything: bool, ctx: &mut Context<P>) {
        let map = Rc::clone(&self.member.agreed().map);
        for proxy in &self.settings.proxies {
            ctx.send(*proxy, SqlMessage::Map(Rc::clone(&map)));
        }
        for (entry, before) in map.shards.iter().zip(&self.announced.shards) {
            if everything || entry.stamp != before.stamp {
                let shared = Rc::new(entry.clone());
                for node in &entry.nodes {
                    let entry = Rc::clone(&shared);
                    ctx.send(*node, SqlMessage::Shard { version: map.version, entry });
                }
            }
        }
        self.announced = map;
    }

    fn tell_shard<P: SqlHost>(&self, node: NodeId, shard: usize, ctx: &mut Context<P>) {
        let map = self.map();
        let entry = Rc::new(map.shards[shard].clone());
        ctx.send(node, SqlMessage::Shard { version: map.version, entry });
    }

    // Health.

    fn check_round<P: SqlHost>(&mut self, round: u32, ctx: &mut Context<P>) {
        let threshold = self.threshold();
        for health in &mut self.health {
            if health.answered_round < round {
                health.missed += 1;
                if health.missed <= threshold {
                    let missed = health.missed;
                    ctx.output(SqlEvent::MissedHealthCheck { node: health.node, missed, threshold });
                }
            }
        }
        for shard in 0..self.failovers.len() {
            match self.failovers[shard].phase {
                Phase::Watched => {
                    let entry = &self.map().shards[shard];
                    if self.missed(entry.primary) >= threshold || !entry.serving {
                        self.begin(shard, ctx);
                    }
                }
                Phase::Promoting { target, epoch, since } => self.ask_again(shard, target, epoch, since, ctx),
                // Another will restore it.
                Phase::Restoring { target, .. } if self.missed(target) >= threshold => {
                    self.failovers[shard].phase = Phase::Watched;
                }
                Phase::Restoring { .. }
                | Phase::Intent { .. }
                | Phase::Fencing { .. }
                | Phase::Concluding { .. } => {}
            }
        }
    }

    fn shard_of(&self, node: NodeId) -> Option<usize> {
        self.health.iter().find(|health| health.node == node).map(|health| health.shard)
    }

    /// Whether a shard's primary is well, and nothing is done about it.
    fn is_quiet(&self, shard: usize) -> bool {
        let entry = &self.map().shards[shard];
        let health = self.health.iter().find(|health| health.node == entry.primary);
        let is_well = health.is_some_and(|health| {
            health.missed == 0
                && health.answered.is_some_and(|pong| pong.primary && pong.epoch == entry.epoch)
        });
        is_well && entry.serving && self.failovers[shard].phase == Phase::Watched
    }

    fn missed(&self, node: NodeId) -> u32 {
        self.health.iter().find(|health| health.node == node).map_or(0, |health| health.missed)
    }

    fn on_pong<P: SqlHost>(&mut self, from: NodeId, pong: Pong, ctx: &mut Context<P>) {
        let Some(health) = self.health.iter_mut().find(|health| health.node == from) else {
            return;
        };
        if pong.round <= health.answered_round || pong.round > self.round {
            return;
        }
        health.answered_round = pong.round;
        health.answered = Some(pong);
        if health.missed > 0 {
            health.missed = 0;
            ctx.output(SqlEvent::HealthCheckAnswered { node: from });
        }
        let shard = health.shard;
        let entry = &self.map().shards[shard];
        let (primary, epoch, serving) = (entry.primary, entry.epoch, entry.serving);
        let phase = self.failovers[shard].phase;
        if from == primary {
            let is_primary = pong.primary && pong.epoch == epoch;
            match phase {
                // It restarted, and waits to be told what it is; or it began an epoch that a former
                // leader did not live to see.
                Phase::Watched if (!pong.primary || pong.epoch > epoch) && serving => self.begin(shard, ctx),
                Phase::Intent { target, .. } | Phase::Fencing { target, .. }
                    if is_primary
                        && target != from
                        && self.failovers[shard].undisputed
                        && !self.shuts_down() =>
                {
                    self.take_back(shard, ctx);
                }
                _ => {}
            }
        }
        self.tell_if_over(from, pong.moves, ctx);
        self.tell_if_unwanted(from, pong.alters, ctx);
        let is_target = phase.target().is_some_and(|(target, _)| target == from) || phase.is_of_restore();
        let knows = pong.epoch >= epoch && (pong.primary || pong.has_source);
        if !knows && !is_target && from != primary {
            self.tell_shard(from, shard, ctx);
        }
    }

    fn shuts_down(&self) -> bool {
        matches!(self.settings.failover.fencing, Fencing::Shutdown { .. })
    }

    /// The old primary is there after all, and nobody else was asked.
    fn take_back<P: SqlHost>(&mut self, shard: usize, ctx: &mut Context<P>) {
        self.failovers[shard].phase = Phase::Watched;
        self.member
            .propose(|state| state.map = Rc::new(state.map.next(|shards| shards[shard].serving = true)), ctx);
    }
}
