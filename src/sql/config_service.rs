//! Configuration service: who is primary, and for whom.
//!
//! Models: one node in the part of ZooKeeper or etcd with an Orchestrator: it
//! asks every MySQL node at an interval whether it is there, counts consecutive
//! misses, and beyond the threshold promotes the replica that has replicated
//! most, under a higher epoch. The map is on disk before anybody is told.
//!
//! Simplified: a single node (when it is down nothing is promoted), and no
//! fencing: an old primary that cannot be reached goes on taking writes from
//! whoever still reaches it. Those writes are found and counted.

use super::event::{SqlEvent, SqlHost, SqlTimer, SqlToken};
use super::message::SqlMessage;
use super::record::{ConfigDisk, SqlRecord};
use super::settings::SqlSettings;
use super::shard_map::ShardMap;
use crate::engine::{Context, NodeId, SimTime};
use std::rc::Rc;

/// What the service knows of one MySQL node.
#[derive(Clone, Debug)]
pub struct Health {
    pub node: NodeId,
    shard: usize,
    /// Consecutive health checks without an answer.
    pub missed: u32,
    answered_round: u32,
    sequence: u64,
    epoch: u32,
}

#[derive(Clone, Copy, Debug)]
struct Promotion {
    target: NodeId,
    since: SimTime,
}

/// The configuration service.
#[derive(Clone)]
pub struct ConfigService {
    settings: Rc<SqlSettings>,
    map: Rc<ShardMap>,
    health: Vec<Health>,
    promotions: Vec<Option<Promotion>>,
    /// The highest epoch ever given out, per shard.
    epochs: Vec<u32>,
    round: u32,
}

impl ConfigService {
    pub fn new(settings: Rc<SqlSettings>) -> ConfigService {
        let map = Rc::clone(&settings.first_map);
        let health = map
            .shards
            .iter()
            .enumerate()
            .flat_map(|(shard, entry)| {
                entry.nodes.iter().map(move |node| Health {
                    node: *node,
                    shard,
                    missed: 0,
                    answered_round: 0,
                    sequence: 0,
                    epoch: 0,
                })
            })
            .collect();
        ConfigService {
            promotions: vec![None; map.shards.len()],
            epochs: map.shards.iter().map(|shard| shard.epoch).collect(),
            health,
            map,
            settings,
            round: 0,
        }
    }

    pub fn map(&self) -> &ShardMap {
        &self.map
    }

    pub fn health(&self) -> &[Health] {
        &self.health
    }

    pub fn threshold(&self) -> u32 {
        self.settings.health_threshold
    }

    pub fn on_start<P: SqlHost>(&mut self, disk: &ConfigDisk, ctx: &mut Context<P>) {
        if let Some(map) = &disk.map {
            self.map = Rc::clone(map);
            self.epochs = map.shards.iter().map(|shard| shard.epoch).collect();
        }
        ctx.set_timer(self.settings.health_interval, SqlTimer::HealthRound);
    }

    pub fn on_timer<P: SqlHost>(&mut self, timer: SqlTimer, ctx: &mut Context<P>) {
        match timer {
            SqlTimer::HealthRound => {
                self.round += 1;
                for health in &self.health {
                    ctx.send(health.node, SqlMessage::Ping { round: self.round });
                }
                ctx.set_timer(self.settings.health_timeout, SqlTimer::HealthCheck { round: self.round });
                ctx.set_timer(self.settings.health_interval, SqlTimer::HealthRound);
            }
            SqlTimer::HealthCheck { round } => self.check_round(round, ctx),
            _ => {}
        }
    }

    fn check_round<P: SqlHost>(&mut self, round: u32, ctx: &mut Context<P>) {
        let threshold = self.settings.health_threshold;
        for health in &mut self.health {
            if health.answered_round < round {
                health.missed += 1;
                if health.missed <= threshold {
                    let missed = health.missed;
                    ctx.output(SqlEvent::MissedHealthCheck { node: health.node, missed, threshold });
                }
            }
        }
        for shard in 0..self.map.shards.len() {
            if self.missed(self.map.shards[shard].primary) >= threshold {
                self.promote_best(shard, false, ctx);
            }
        }
    }

    fn missed(&self, node: NodeId) -> u32 {
        self.health.iter().find(|health| health.node == node).map_or(0, |health| health.missed)
    }

    /// Asks the node that has replicated most to take over; again after a while without an
    /// answer. The primary itself is a candidate if it is back, read-only, from a restart.
    fn promote_best<P: SqlHost>(&mut self, shard: usize, primary_too: bool, ctx: &mut Context<P>) {
        let now = ctx.monotonic();
        let patience = self.settings.health_timeout + self.settings.health_interval;
        if self.promotions[shard].is_some_and(|promotion| now.since(promotion.since) < patience) {
            return;
        }
        let entry = &self.map.shards[shard];
        let best = self
            .health
            .iter()
            .filter(|health| health.shard == shard && health.missed == 0)
            .filter(|health| primary_too || health.node != entry.primary)
            .max_by_key(|health| (health.epoch, health.sequence, health.node == entry.primary));
        match best.map(|health| health.node) {
            Some(target) => self.promote(shard, target, ctx),
            None => {
                if self.missed(entry.primary) == self.settings.health_threshold {
                    ctx.output(SqlEvent::NobodyToPromote { shard: shard as u8 });
                }
            }
        }
    }

    fn promote<P: SqlHost>(&mut self, shard: usize, target: NodeId, ctx: &mut Context<P>) {
        self.epochs[shard] += 1;
        let epoch = self.epochs[shard];
        self.promotions[shard] = Some(Promotion { target, since: ctx.monotonic() });
        ctx.output(SqlEvent::Promoting { shard: shard as u8, node: target, epoch });
        ctx.send(target, SqlMessage::Promote { epoch });
    }

    pub fn on_pong<P: SqlHost>(&mut self, from: NodeId, pong: Pong, ctx: &mut Context<P>) {
        let Some(health) = self.health.iter_mut().find(|health| health.node == from) else {
            return;
        };
        if pong.round > health.answered_round {
            health.answered_round = pong.round;
            if health.missed > 0 {
                health.missed = 0;
                ctx.output(SqlEvent::HealthCheckAnswered { node: from });
            }
        }
        health.sequence = pong.sequence;
        health.epoch = pong.epoch;
        let shard = health.shard;
        let entry = &self.map.shards[shard];
        let (primary, epoch) = (entry.primary, entry.epoch);
        if from == primary {
            // It restarted and waits to be told that it still is the primary.
            if !pong.primary && self.promotions[shard].is_none() {
                self.promote_best(shard, true, ctx);
            }
        } else if pong.epoch < epoch || (!pong.primary && !pong.has_source) {
            let promoting = self.promotions[shard].is_some_and(|promotion| promotion.target == from);
            if !promoting {
                ctx.send(from, SqlMessage::Follow { epoch, primary });
            }
        }
    }

    pub fn on_promoted<P: SqlHost>(&mut self, from: NodeId, epoch: u32, ctx: &mut Context<P>) {
        let Some(shard) = self.health.iter().find(|health| health.node == from).map(|health| health.shard)
        else {
            return;
        };
        if epoch <= self.map.shards[shard].epoch {
            return;
        }
        self.promotions[shard] = None;
        let mut map = ShardMap::clone(&self.map);
        map.version += 1;
        map.shards[shard].primary = from;
        map.shards[shard].epoch = epoch;
        self.epochs[shard] = self.epochs[shard].max(epoch);
        self.map = Rc::new(map);
        ctx.disk_append(SqlRecord::Map(Rc::clone(&self.map)));
        ctx.disk_sync(SqlToken::MapStored);
    }

    pub fn on_token<P: SqlHost>(&mut self, token: SqlToken, ctx: &mut Context<P>) {
        if let SqlToken::MapStored = token {
            for proxy in &self.settings.proxies {
                ctx.send(*proxy, SqlMessage::Map(Rc::clone(&self.map)));
            }
            for entry in &self.map.shards {
                for node in entry.nodes.iter().filter(|node| **node != entry.primary) {
                    ctx.send(*node, SqlMessage::Follow { epoch: entry.epoch, primary: entry.primary });
                }
            }
        }
    }

    pub fn on_map_request<P: SqlHost>(&mut self, from: NodeId, version: u32, ctx: &mut Context<P>) {
        if self.map.version > version {
            ctx.send(from, SqlMessage::Map(Rc::clone(&self.map)));
        }
    }
}

/// An answer to a health check.
#[derive(Clone, Copy, Debug)]
pub struct Pong {
    pub round: u32,
    pub primary: bool,
    pub epoch: u32,
    pub sequence: u64,
    pub has_source: bool,
}
