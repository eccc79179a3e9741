//! Object store: checkpoints, views in segments, and the counts of old windows (cold storage).
//!
//! Models: a managed store such as S3: durable, strongly consistent, a first byte that takes tens of
//! milliseconds and a bandwidth for each request, any number of them at once. Objects are put whole. A
//! checkpoint is put on a condition (`If-Match`): whoever asks for one with a later generation shuts out those
//! with an earlier one. Segments of a partition cover offsets; what is put twice is kept once.
//!
//! Simplified: it cannot crash and loses nothing (it can be cut off, paused, or slowed); one checkpoint for
//! each partition is kept; no listing by pages.

use super::message::{ServiceHost, ServiceMessage, ServiceTimer};
use super::settings::ServiceSettings;
use super::view::{DEVICES, VIEW_BYTES, View};
use super::worker::checkpoint::Checkpoint;
use crate::engine::{Context, NodeId, PagedVec, PendingTable, SimDuration, Stream};
use crate::workload::operation::KeyId;
use crate::workload::tally::Tally;
use std::rc::Rc;

/// What is put.
#[derive(Clone, Debug)]
pub enum Object {
    Checkpoint {
        partition: u16,
        generation: u64,
        state: Rc<Checkpoint>,
    },
    /// Views from an offset on.
    Segment(Segment),
    /// Counts of closed windows: row and tally.
    Cold(Rc<[(KeyId, Tally)]>),
}

/// Views of a partition that follow each other.
#[derive(Clone, Debug)]
pub struct Segment {
    pub partition: u16,
    pub base: u64,
    pub views: Rc<[View]>,
}

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub enum ObjectName {
    /// The newest checkpoint of a partition. Whoever asked with an earlier generation puts none any more.
    Checkpoint { partition: u16, generation: u64 },
    /// The segment that has an offset, or the first one after it.
    Segment { partition: u16, offset: u64 },
    /// The counts of so many rows, as far as they are there.
    Cold { first: KeyId, rows: u16 },
}

impl Object {
    pub fn bytes(&self) -> u32 {
        match self {
            Object::Checkpoint { state, .. } => state.bytes(),
            Object::Cold(rows) => 12 * rows.len() as u32,
            Object::Segment(segment) => VIEW_BYTES * segment.views.len() as u32,
        }
    }
}

impl Segment {
    pub fn end(&self) -> u64 {
        self.base + self.views.len() as u64
    }
}

/// Requests under way at most.
const REQUESTS_MAX: usize = 65_536;
/// A request cannot take longer.
const REQUEST_MAX: SimDuration = SimDuration::from_ms(600_000);

/// A reply that waits for its time.
#[derive(Clone)]
struct Waiting {
    to: NodeId,
    reply: ServiceMessage,
}

/// What is kept of a partition.
#[derive(Clone, Default)]
struct Kept {
    generation: u64,
    checkpoint: Option<Rc<Checkpoint>>,
    /// By offset; no two overlap.
    segments: Vec<Segment>,
}

/// The store.
#[derive(Clone)]
pub struct ObjectStore {
    settings: Rc<ServiceSettings>,
    kept: Vec<Kept>,
    /// By row: the greatest tally that was put; zero: none.
    cold: PagedVec<u64>,
    waiting: PendingTable<Waiting>,
}

impl ObjectStore {
    pub fn new(settings: Rc<ServiceSettings>) -> ObjectStore {
        let partitions = usize::from(settings.log.partitions);
        ObjectStore {
            settings,
            kept: vec![Kept::default(); partitions],
            cold: PagedVec::default(),
            waiting: PendingTable::new(REQUEST_MAX, REQUESTS_MAX),
        }
    }

    /// Bytes of views that are kept.
    pub fn stored_bytes(&self) -> u64 {
        let segments = self.kept.iter().flat_map(|kept| &kept.segments);
        segments.map(|segment| u64::from(VIEW_BYTES) * segment.views.len() as u64).sum()
    }

    /// The count of a row in cold storage.
    pub fn cold(&self, key: KeyId) -> Tally {
        Tally(self.cold.get(key as usize).copied().unwrap_or(0))
    }

    /// Views by kind of device; none if there are none.
    pub fn views_by_device(&self) -> Option<Vec<u64>> {
        let views = self.kept.iter().flat_map(|kept| &kept.segments).flat_map(|segment| segment.views.iter());
        let mut by_device = None;
        for view in views {
            let sums = by_device.get_or_insert_with(|| vec![0; DEVICES]);
            sums[usize::from(view.device)] += 1;
        }
        by_device
    }

    pub fn on_message<P: ServiceHost>(
        &mut self,
        from: NodeId,
        message: ServiceMessage,
        ctx: &mut Context<P>,
    ) {
        match message {
            ServiceMessage::Put { ticket, object } => {
                let bytes = object.bytes();
                let is_taken = self.put(object);
                self.answer(from, bytes, ServiceMessage::PutDone { ticket, is_taken }, ctx);
            }
            ServiceMessage::Get { ticket, name } => {
                let objects: Rc<[Object]> = self.get(name).into();
                let bytes = objects.iter().map(Object::bytes).sum();
                self.answer(from, bytes, ServiceMessage::Got { ticket, objects }, ctx);
            }
            _ => {}
        }
    }

    fn put(&mut self, object: Object) -> bool {
        match object {
            Object::Checkpoint { partition, generation, state } => {
                let Some(kept) = self.kept.get_mut(usize::from(partition)) else { return false };
                let is_taken = generation >= kept.generation;
                if is_taken {
                    (kept.generation, kept.checkpoint) = (generation, Some(state));
                }
                is_taken
            }
            Object::Segment(segment) => {
                let Some(kept) = self.kept.get_mut(usize::from(segment.partition)) else { return false };
                let end = kept.segments.last().map_or(0, Segment::end);
                // What was there before is the same: views have their offsets for good.
                let known = end.saturating_sub(segment.base) as usize;
                if known < segment.views.len() {
                    let views = segment.views[known..].into();
                    kept.segments.push(Segment { base: segment.base + known as u64, views, ..segment });
                }
                true
            }
            Object::Cold(rows) => {
                for (key, tally) in rows.iter() {
                    self.cold.extend_to(*key as usize + 1, 0);
                    if let Some(kept) = self.cold.get_mut(*key as usize) {
                        *kept = (*kept).max(tally.0);
                    }
                }
                true
            }
        }
    }

    fn get(&mut self, name: ObjectName) -> Vec<Object> {
        if let ObjectName::Cold { first, rows } = name {
            let rows = (first..first + u32::from(rows)).map(|key| (key, self.cold(key)));
            return vec![Object::Cold(rows.filter(|(_, tally)| tally.count() > 0).collect())];
        }
        let (ObjectName::Checkpoint { partition, .. } | ObjectName::Segment { partition, .. }) = name else {
            return Vec::new();
        };
        let Some(kept) = self.kept.get_mut(usize::from(partition)) else { return Vec::new() };
        let segment = |segment: &Segment| Object::Segment(segment.clone());
        match name {
            ObjectName::Checkpoint { generation, .. } => {
                kept.generation = kept.generation.max(generation);
                let generation = kept.generation;
                let found = kept.checkpoint.iter();
                found
                    .map(|state| Object::Checkpoint { partition, generation, state: Rc::clone(state) })
                    .collect()
            }
            ObjectName::Segment { offset, .. } => {
                kept.segments.iter().find(|segment| segment.end() > offset).map(segment).into_iter().collect()
            }
            ObjectName::Cold { .. } => Vec::new(),
        }
    }

    /// Answers when the request has taken its time.
    fn answer<P: ServiceHost>(
        &mut self,
        to: NodeId,
        bytes: u32,
        reply: ServiceMessage,
        ctx: &mut Context<P>,
    ) {
        let speed = &self.settings.object_store;
        let transfer = SimDuration::from_ms_f64(f64::from(bytes) / (speed.mb_per_s * 1_000.0));
        let takes = speed.first_byte.sample(ctx.random()) + transfer;
        // Beyond that nobody is answered, and has to ask again.
        if let Ok(ticket) = self.waiting.insert(ctx.monotonic(), Waiting { to, reply }) {
            ctx.set_timer(takes, ServiceTimer::Served { ticket });
        }
    }

    pub fn on_timer<P: ServiceHost>(&mut self, timer: ServiceTimer, ctx: &mut Context<P>) {
        if let ServiceTimer::Served { ticket } = timer
            && let Some(Waiting { to, reply }) = self.waiting.remove(ticket)
        {
            ctx.send(to, reply);
        }
    }

    /// It is managed: its machines are none of anybody's business.
    pub fn service_time(&self, _stream: &mut Stream) -> SimDuration {
        SimDuration::ZERO
    }
}
