//! Recovery point and recovery time of shards that were restored from backups.

use crate::engine::process::LOCAL_EPOCH_NS;
use crate::engine::{SimDuration, SimTime};

/// One restore.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Restore {
    /// How much older what was restored is than the last write that had been acknowledged.
    pub point: SimDuration,
    /// From when it was asked for until the shard served again.
    pub time: SimDuration,
}

#[derive(Clone, Copy, Default)]
struct Shard {
    /// When the last write was acknowledged: at any time, and before the restore that is under way.
    acknowledged: SimTime,
    before: SimTime,
    reached: SimTime,
}

/// All restores of a cluster.
#[derive(Clone, Default)]
pub struct Restores {
    shards: Vec<Shard>,
    /// How many were done.
    pub count: u64,
    /// The worst of each.
    pub point_max: SimDuration,
    pub time_max: SimDuration,
}

impl Restores {
    pub fn new(shards: usize) -> Restores {
        Restores { shards: vec![Shard::default(); shards], ..Restores::default() }
    }

    pub fn acknowledged(&mut self, shard: usize, now: SimTime) {
        if let Some(shard) = self.shards.get_mut(shard) {
            shard.acknowledged = now;
        }
    }

    pub fn begins(&mut self, shard: usize) {
        self.shards[shard].before = self.shards[shard].acknowledged;
    }

    /// What is restored was committed until then, on a wall clock, in nanoseconds.
    pub fn reached(&mut self, shard: usize, reached: u64) {
        self.shards[shard].reached = SimTime(reached.saturating_sub(LOCAL_EPOCH_NS as u64));
    }

    /// The shard serves what was restored, as had been asked for at a time.
    pub fn done(&mut self, shard: usize, asked: SimTime, now: SimTime) -> Restore {
        let Shard { before, reached, .. } = self.shards[shard];
        let restore = Restore { point: before.since(reached), time: now.since(asked) };
        self.count += 1;
        self.point_max = self.point_max.max(restore.point);
        self.time_max = self.time_max.max(restore.time);
        restore
    }
}
