//! What is counted of one cluster, from what its clients report.

use super::latency::Latencies;
use super::restores::Restores;
use super::service::ServiceRecorder;
use super::visibility::Visibility;
use crate::check::durability::{Errant, PromotionLedger};
use crate::check::history::{HISTORY_MAX, Operation};
use crate::check::staleness::{AcknowledgedWrites, Stale};
use crate::check::updates::UpdateLedger;
use crate::engine::order::ascending;
use crate::engine::{NodeId, PagedVec, SimDuration, SimTime};
use crate::service::tables::TableSizes;
use crate::workload::client::Completed;
use crate::workload::operation::{Cause, KeyId, OperationKind, Outcome, ServedBy};
use std::collections::VecDeque;
use std::rc::Rc;

/// Latencies remembered for the figures of the last second, per kind.
const RECENT_MAX: usize = 4_096;
const RECENT_SPAN: SimDuration = SimDuration::from_ms(1_000);

/// Counts since the start, or of a stretch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub invoked: u64,
    pub ok: u64,
    pub failed: u64,
    pub unknown: u64,
    pub stale_reads: u64,
    pub lost_writes: u64,
    /// Of the stale reads: those that a cache answered, and those that a replica did.
    pub stale_from_cache: u64,
    pub stale_from_replica: u64,
    /// And those of rows that had been deleted.
    pub came_back: u64,
    /// Of the lost writes: those that a primary acknowledged after another had been promoted.
    pub split_brain_writes: u64,
}

impl Counts {
    /// Operations that failed or of which nobody knows.
    pub fn errors(&self) -> u64 {
        self.failed + self.unknown
    }

    pub fn since(&self, earlier: &Counts) -> Counts {
        Counts {
            invoked: self.invoked - earlier.invoked,
            ok: self.ok - earlier.ok,
            failed: self.failed - earlier.failed,
            unknown: self.unknown - earlier.unknown,
            stale_reads: self.stale_reads - earlier.stale_reads,
            // What seemed lost can come back with the node that has it.
            lost_writes: self.lost_writes.saturating_sub(earlier.lost_writes),
            stale_from_cache: self.stale_from_cache - earlier.stale_from_cache,
            stale_from_replica: self.stale_from_replica - earlier.stale_from_replica,
            came_back: self.came_back - earlier.came_back,
            split_brain_writes: self.split_brain_writes - earlier.split_brain_writes,
        }
    }
}

/// The latencies of the last second, newest last, in completion order.
#[derive(Clone, Default)]
struct Recent(Rc<VecDeque<(SimTime, u32)>>);

impl Recent {
    fn push(&mut self, now: SimTime, latency: SimDuration) {
        let recent = Rc::make_mut(&mut self.0);
        if recent.len() == RECENT_MAX {
            recent.pop_front();
        }
        recent.push_back((now, u32::try_from(latency.0 / 1_000).unwrap_or(u32::MAX)));
    }

    /// Quantiles in ms of those completed in the last second; zero if there were none.
    fn quantiles_ms<const N: usize>(&self, now: SimTime, quantiles: [f64; N]) -> [f64; N] {
        let recent = self.0.iter().rev().take_while(|(at, _)| now.since(*at) < RECENT_SPAN);
        let micros = ascending(recent.map(|(_, micros)| u64::from(*micros)));
        quantiles.map(|quantile| {
            let rank = ((micros.len() as f64 * quantile).ceil() as usize).saturating_sub(1);
            micros.get(rank).map_or(0.0, |micros| *micros as f64 / 1e3)
        })
    }
}

/// What a finished operation turned out to be, beyond its outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finding {
    StaleRead(Stale),
    /// An acknowledged write that is lost already.
    LostWrite,
}

/// What becomes of writes to one row that did not know of each other, as far as the recorder has to know.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rows {
    /// In so many shards, each of which orders them.
    OfShards(usize),
    /// One of them stays.
    Overwritten,
    /// Writes build upon what they have read: whatever is not built upon is lost.
    BuiltUpon,
    /// All of them count.
    Counters,
    /// They are views for a service: what it has of them is told by its own ledger.
    Views,
}

/// Everything counted of one cluster.
#[derive(Clone)]
pub struct Recorder {
    pub counts: Counts,
    causes: [u64; Cause::ALL.len()],
    pub reads: Latencies,
    pub writes: Latencies,
    pub scans: Latencies,
    pub tops: Latencies,
    pub joins: Latencies,
    bucket_reads: Latencies,
    bucket_writes: Latencies,
    recent_reads: Recent,
    recent_writes: Recent,
    pub stale_age_max: SimDuration,
    pub stale_versions_max: u32,
    pub errant_transactions: u64,
    pub restores: Restores,
    pub visibility: Visibility,
    acknowledged: AcknowledgedWrites,
    /// Rings whose writes build upon each other only.
    updates: Option<UpdateLedger>,
    /// Further siblings that the read saw which is about to complete.
    siblings: Vec<u64>,
    /// SQL clusters only.
    promotions: Option<PromotionLedger>,
    history: Option<PagedVec<Operation>>,
    /// A counting service in front of the cluster.
    pub service: Option<ServiceRecorder>,
}

/// Quantiles of one bucket of the series.
#[derive(Clone, Copy, Debug)]
pub struct BucketLatency {
    pub read_ms_p50: f32,
    pub read_ms_p99: f32,
    pub write_ms_p50: f32,
    pub write_ms_p99: f32,
}

impl Recorder {
    /// For a cluster behind a service.
    pub fn of_service(sizes: &TableSizes) -> Recorder {
        Recorder { service: Some(ServiceRecorder::new(sizes)), ..Recorder::new(0, Rows::Views) }
    }

    /// For a cluster over so many keys.
    pub fn new(keys: usize, rows: Rows) -> Recorder {
        let shards = match rows {
            Rows::OfShards(shards) => Some(shards),
            _ => None,
        };
        Recorder {
            counts: Counts::default(),
            causes: [0; Cause::ALL.len()],
            reads: Latencies::default(),
            writes: Latencies::default(),
            scans: Latencies::default(),
            tops: Latencies::default(),
            joins: Latencies::default(),
            bucket_reads: Latencies::with_digits(2),
            bucket_writes: Latencies::with_digits(2),
            recent_reads: Recent::default(),
            recent_writes: Recent::default(),
            stale_age_max: SimDuration::ZERO,
            stale_versions_max: 0,
            errant_transactions: 0,
            restores: Restores::new(shards.unwrap_or(0)),
            visibility: Visibility::default(),
            acknowledged: AcknowledgedWrites::new(keys, rows == Rows::Counters),
            updates: matches!(rows, Rows::Counters | Rows::BuiltUpon).then(|| UpdateLedger::new(keys)),
            siblings: Vec::new(),
            promotions: shards.map(PromotionLedger::new),
            history: None,
            service: None,
        }
    }

    /// Keeps every finished operation from now on, up to [`HISTORY_MAX`].
    pub fn keep_history(&mut self) {
        self.history.get_or_insert_with(PagedVec::default);
    }

    pub fn history(&self) -> impl Iterator<Item = &Operation> {
        self.history.iter().flat_map(|history| history.iter())
    }

    pub fn acknowledged(&self) -> &AcknowledgedWrites {
        &self.acknowledged
    }

    pub fn invoked(&mut self, kind: OperationKind, key: KeyId, now: SimTime) {
        self.counts.invoked += 1;
        if let Some(service) = self.service.as_mut().filter(|_| kind.is_write()) {
            service.asked(key, now);
        }
    }

    /// Takes in a finished operation.
    pub fn completed(&mut self, done: &Completed, now: SimTime) -> Option<Finding> {
        self.remember(done, now);
        if let Some(service) = self.service.as_mut().filter(|_| done.kind.is_write()) {
            service.ended(done);
        }
        match done.outcome {
            Outcome::Ok => self.counts.ok += 1,
            Outcome::Failed(_) => self.counts.failed += 1,
            Outcome::Unknown(_) => self.counts.unknown += 1,
        }
        if let Some(cause) = done.outcome.cause() {
            self.causes[cause as usize] += 1;
            return None;
        }
        let latency = now.since(done.invoked);
        match done.kind {
            OperationKind::Read => {
                self.reads.record(latency);
                self.bucket_reads.record(latency);
                self.recent_reads.push(now, latency);
                self.judge_read(done)
            }
            kind if kind.is_write() => {
                self.writes.record(latency);
                self.bucket_writes.record(latency);
                self.recent_writes.push(now, latency);
                self.judge_write(done, now)
            }
            OperationKind::Scan => self.query(|recorder| &mut recorder.scans, latency),
            OperationKind::Top => self.query(|recorder| &mut recorder.tops, latency),
            _ => self.query(|recorder| &mut recorder.joins, latency),
        }
    }

    /// A query over many rows, of which nobody says whether it was stale.
    fn query(
        &mut self,
        of: impl Fn(&mut Recorder) -> &mut Latencies,
        latency: SimDuration,
    ) -> Option<Finding> {
        of(self).record(latency);
        None
    }

    fn remember(&mut self, done: &Completed, now: SimTime) {
        let Some(history) = &mut self.history else {
            return;
        };
        // Who writes it says how many of all operations it holds.
        if history.len() < HISTORY_MAX {
            history.push(operation(done, Some(now)));
        }
    }

    fn judge_read(&mut self, read: &Completed) -> Option<Finding> {
        if self.service.is_some() {
            return None;
        }
        if let Some(probe) = &read.probe {
            self.visibility.followed(probe, &read.result);
        }
        let siblings = std::mem::take(&mut self.siblings);
        let stale = self.acknowledged.read(read, &siblings);
        self.visibility.read(stale.map_or(0, |stale| stale.versions));
        let stale = stale?;
        self.counts.stale_reads += 1;
        self.counts.came_back += u64::from(stale.came_back);
        match read.served_by {
            ServedBy::Cache => self.counts.stale_from_cache += 1,
            ServedBy::Replica => self.counts.stale_from_replica += 1,
            ServedBy::Primary | ServedBy::Nodes => {}
        }
        self.stale_age_max = self.stale_age_max.max(stale.age);
        self.stale_versions_max = self.stale_versions_max.max(stale.versions);
        Some(Finding::StaleRead(stale))
    }

    fn judge_write(&mut self, write: &Completed, now: SimTime) -> Option<Finding> {
        if self.service.is_some() {
            return None;
        }
        self.restores.acknowledged(usize::from(write.shard), now);
        let shadowed = self.acknowledged.write(write, now);
        let lost = match &mut self.promotions {
            Some(promotions) => {
                promotions.acknowledged(usize::from(write.shard), write.result.version, write.key)
            }
            None => shadowed && self.updates.is_none(),
        };
        if let Some(updates) = &mut self.updates {
            updates.acknowledged(write);
        }
        if lost {
            self.counts.lost_writes += 1;
            self.counts.split_brain_writes += u64::from(self.promotions.is_some());
        }
        lost.then_some(Finding::LostWrite)
    }

    /// An update is about to be sent that builds upon a value, the first or a further one.
    pub fn basis(&mut self, key: KeyId, update: u64, value: u64, is_first: bool) {
        if let Some(updates) = &mut self.updates {
            updates.basis(key, update, value, is_first);
        }
    }

    /// The read that completes next saw this sibling as well.
    pub fn saw(&mut self, value: u64) {
        self.siblings.push(value);
    }

    /// What updates build upon, where they do.
    pub fn updates(&mut self) -> Option<&mut UpdateLedger> {
        self.updates.as_mut()
    }

    /// A node of a SQL cluster became primary; returns how many acknowledged writes that lost.
    pub fn promoted(&mut self, shard: usize, epoch: u32, base: u64) -> u64 {
        let lost = self.promotions.as_mut().map_or(0, |promotions| promotions.promoted(shard, epoch, base));
        self.counts.lost_writes += lost;
        lost
    }

    /// A server of a SQL cluster dropped a transaction that nobody else had.
    pub fn errant(&mut self, node: NodeId, shard: u8, version: u64, key: KeyId) {
        if let Some(promotions) = &mut self.promotions {
            promotions.errant(node, shard, version, key);
        }
    }

    /// Errant transactions, kept aside one by one.
    pub fn errant_list(&self) -> impl Iterator<Item = Errant> + '_ {
        self.promotions.iter().flat_map(PromotionLedger::errant_transactions)
    }

    /// Keys of one shard of a SQL cluster are another's now.
    pub fn moved(&mut self, source: usize, moves: impl Fn(KeyId) -> bool) {
        if let Some(promotions) = &mut self.promotions {
            promotions.moved(source, moves);
        }
    }

    /// Failed and unknown operations by cause, most frequent first.
    pub fn causes(&self) -> Vec<(String, u64)> {
        let mut causes: Vec<(String, u64)> = Vec::new();
        for cause in Cause::ALL {
            let count = self.causes[cause as usize];
            if count > 0 {
                let place = causes.partition_point(|(_, other)| *other >= count);
                causes.insert(place, (cause.describe().to_string(), count));
            }
        }
        causes
    }

    /// Median and p99 of reads, then of writes, over the last second, in ms.
    pub fn recent_quantiles_ms(&self, now: SimTime) -> [f64; 4] {
        let [read_p50, read_p99] = self.recent_reads.quantiles_ms(now, [0.5, 0.99]);
        let [write_p50, write_p99] = self.recent_writes.quantiles_ms(now, [0.5, 0.99]);
        [read_p50, read_p99, write_p50, write_p99]
    }

    /// Ends a bucket of the series.
    pub fn close_bucket(&mut self) -> BucketLatency {
        let quantile = |latencies: &Latencies, q| latencies.quantile_ms(q).map_or(f32::NAN, |ms| ms as f32);
        let closed = BucketLatency {
            read_ms_p50: quantile(&self.bucket_reads, 0.5),
            read_ms_p99: quantile(&self.bucket_reads, 0.99),
            write_ms_p50: quantile(&self.bucket_writes, 0.5),
            write_ms_p99: quantile(&self.bucket_writes, 0.99),
        };
        self.bucket_reads.clear();
        self.bucket_writes.clear();
        closed
    }
}

/// A finished operation as the history has it.
pub fn operation(done: &Completed, completed: Option<SimTime>) -> Operation {
    Operation {
        id: done.id,
        kind: done.kind,
        key: done.key,
        invoked: done.invoked,
        completed,
        outcome: done.outcome,
        result: done.result,
        endpoint: done.endpoint,
        served_by: done.served_by,
        shard: done.shard,
    }
}
