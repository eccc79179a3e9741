//! Counting the views of one partition.
//!
//! What is counted depends on the views before an offset of the partition and on nothing else: whoever counts
//! the same part of the log, in however many pieces, gets the same rows. That is what makes a replay harmless.

use super::checkpoint::{Checkpoint, CountedRow};
use super::seen::Seen;
use crate::engine::SimTime;
use crate::engine::table::Table;
use crate::service::settings::{Delivery, ServiceSettings, Stored};
use crate::service::view::View;
use crate::workload::operation::KeyId;
use crate::workload::tally::Tally;
use std::rc::Rc;

/// Views of one row that are followed at a time; others are not followed.
const FOLLOWED_MAX: usize = 8;
/// Bits of one device's count in a row of views.
const DEVICE_BITS: u32 = 16;
/// Bits of a video's number in a row of the most watched.
const VIDEO_BITS: u32 = 20;

/// What became of a view.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Counted {
    /// It is in this row.
    In(KeyId),
    Duplicate,
    /// Its window is closed.
    Late,
    /// A bug left it out.
    LeftOut,
}

/// What a row is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RowKind {
    /// A tally.
    Count,
    /// Views, by device.
    Raw,
    /// A rank of the most watched videos: count and video.
    Top,
}

/// A row that is counted in memory.
#[derive(Clone, Debug)]
pub struct Row {
    pub kind: RowKind,
    pub total: u64,
    /// Of the total, what is not known to be stored; of other kinds, whether the row is.
    pub pending: u64,
    /// Offset after the last view in it.
    pub last: u64,
    /// A write of it is under way; it waits to be written.
    pub is_writing: bool,
    pub is_queued: bool,
    /// Views that are followed and not stored yet: when they happened, and their offsets.
    pub followed: Vec<(SimTime, u64)>,
    /// Its count is in cold storage, and the row is to say so.
    pub is_cold: bool,
}

impl Row {
    fn new(kind: RowKind) -> Row {
        Row {
            kind,
            total: 0,
            pending: 0,
            last: 0,
            is_writing: false,
            is_queued: false,
            followed: Vec::new(),
            is_cold: false,
        }
    }
}

/// What a worker counts of one partition.
#[derive(Clone)]
pub struct Counts {
    settings: Rc<ServiceSettings>,
    partition: u16,
    /// Version of the code, and whether it counts wrongly.
    pub code: u64,
    pub leaves_out_device: Option<u8>,
    watermark: SimTime,
    pub rows: Table<Row>,
    /// By count row: the next slot for a view.
    slots: Table<u32>,
    seen: Seen,
}

impl Counts {
    pub fn new(settings: Rc<ServiceSettings>, partition: u16) -> Counts {
        let seen = Seen::new(settings.processing.dedup_views);
        Counts {
            settings,
            partition,
            code: 0,
            leaves_out_device: None,
            watermark: SimTime::ZERO,
            rows: Table::default(),
            slots: Table::default(),
            seen,
        }
    }

    /// Goes on from a checkpoint.
    pub fn restored(settings: Rc<ServiceSettings>, partition: u16, from: &Checkpoint) -> Counts {
        let mut counts = Counts::new(settings, partition);
        counts.code = from.code;
        counts.watermark = from.watermark;
        counts.seen = Seen::of(Rc::clone(&from.seen));
        let kind = counts.kind();
        for row in &from.rows {
            let restored = counts.rows.entry(u64::from(row.key), || Row::new(kind));
            (restored.total, restored.pending, restored.last) = (row.total, row.pending, row.last);
        }
        for (key, next) in &from.slots {
            counts.slots.entry(u64::from(*key), || *next);
        }
        counts
    }

    fn kind(&self) -> RowKind {
        match self.settings.processing.stored {
            Stored::Events => RowKind::Raw,
            Stored::Aggregates | Stored::Both => RowKind::Count,
        }
    }

    /// The state, as of an offset.
    pub fn checkpoint(&self, offset: u64) -> Checkpoint {
        let rows = self.rows.iter().filter(|(_, row)| row.kind != RowKind::Top).map(|(key, row)| {
            CountedRow { key: *key as KeyId, total: row.total, pending: row.pending, last: row.last }
        });
        Checkpoint {
            offset,
            code: self.code,
            watermark: self.watermark,
            rows: rows.collect(),
            slots: self.slots.iter().map(|(key, next)| (*key as KeyId, *next)).collect(),
            seen: self.seen.slots(),
        }
    }

    fn is_closed(&self, window: u32) -> bool {
        let sizes = &self.settings.tables.sizes;
        sizes.window_ends(window) + self.settings.processing.lateness <= self.watermark
    }

    /// Counts a view that stands at an offset.
    pub fn count(&mut self, view: &View, offset: u64) -> Counted {
        if !self.seen.is_new(view.id) {
            return Counted::Duplicate;
        }
        self.watermark = self.watermark.max(view.at);
        let settings = Rc::clone(&self.settings);
        let (tables, processing) = (&settings.tables, &settings.processing);
        let window = tables.sizes.window_of(view.at);
        if processing.delivery == Delivery::EffectivelyOnce && self.is_closed(window) {
            return Counted::Late;
        }
        // Where each view is stored, whoever reads counts.
        let counts_now = processing.stored != Stored::Events;
        if counts_now && self.leaves_out_device == Some(view.device) {
            return Counted::LeftOut;
        }
        let kind = self.kind();
        let (key, more) = match kind {
            RowKind::Raw => {
                let place = tables.raw(view.video, window, 0);
                let next = self.slots.entry(u64::from(place), || 0);
                let slot = (*next).min(tables.sizes.raw_slots - 1);
                *next += 1;
                (place + slot, 1 << (DEVICE_BITS * u32::from(view.device)))
            }
            _ => (tables.count(view.video, window, u32::from(view.sub_count)), 1),
        };
        let row = self.rows.entry(u64::from(key), || Row::new(kind));
        row.total += more;
        row.pending += 1;
        row.last = offset + 1;
        let is_followed = processing.tag_every > 0 && view.id.number().is_multiple_of(processing.tag_every);
        if is_followed && row.followed.len() < FOLLOWED_MAX {
            row.followed.push((view.at, offset));
        }
        Counted::In(key)
    }

    /// Rows that are to be written and neither wait for it nor are being written.
    pub fn unwritten(&self) -> Vec<KeyId> {
        let due = self.rows.iter().filter(|(_, row)| row.pending > 0 && !row.is_queued && !row.is_writing);
        due.map(|(key, _)| *key as KeyId).collect()
    }

    /// Forgets rows that are stored and will not grow.
    pub fn forget_closed(&mut self) {
        let gone: Vec<u64> = self
            .rows
            .iter()
            .filter(|(_, row)| row.pending == 0 && !row.is_writing && !row.is_queued)
            .filter(|(key, row)| match row.kind {
                RowKind::Count if self.settings.processing.hot_windows.is_some() => row.is_cold,
                RowKind::Raw => !self.is_shared_slot(*key as KeyId),
                RowKind::Count => {
                    let (_, window, _) = self.settings.tables.of_count(*key as KeyId);
                    self.is_closed(window)
                }
                RowKind::Top => false,
            })
            .map(|(key, _)| *key)
            .collect();
        for key in gone {
            self.rows.remove(key);
        }
    }

    /// Whether it is the last slot of its window, which takes all further views.
    fn is_shared_slot(&self, key: KeyId) -> bool {
        let tables = &self.settings.tables;
        let slots = tables.sizes.raw_slots;
        (key - tables.raw(0, 0, 0)) % slots == slots - 1
    }

    /// Brings the rows of the most watched videos of each window up to date.
    pub fn rank(&mut self) {
        let settings = Rc::clone(&self.settings);
        let tables = &settings.tables;
        let ranks = tables.sizes.ranks as usize;
        let mut windows: Vec<(u32, Vec<u64>)> = Vec::new();
        for (key, _) in self.rows.iter().filter(|(_, row)| row.kind == RowKind::Count && row.pending > 0) {
            let (_, window, _) = tables.of_count(*key as KeyId);
            if !windows.iter().any(|(other, _)| *other == window) {
                windows.push((window, Vec::with_capacity(ranks + 1)));
            }
        }
        for (key, row) in self.rows.iter().filter(|(_, row)| row.kind == RowKind::Count) {
            let (video, window, _) = tables.of_count(*key as KeyId);
            if let Some((_, top)) = windows.iter_mut().find(|(other, _)| *other == window) {
                let value = row.total << VIDEO_BITS | u64::from(video);
                let place = top.partition_point(|other| *other >= value);
                if place < ranks {
                    top.insert(place, value);
                    top.truncate(ranks);
                }
            }
        }
        for (window, top) in windows {
            for (rank, value) in top.into_iter().enumerate() {
                let key = tables.top(u32::from(self.partition), window, rank as u32);
                let row = self.rows.entry(u64::from(key), || Row::new(RowKind::Top));
                if row.total != value {
                    (row.total, row.pending) = (value, 1);
                }
            }
        }
    }

    /// Rows of windows that are closed and old, whose counts are stored: they can go to cold storage.
    pub fn to_archive(&self, now: SimTime, most: usize) -> Vec<(KeyId, Tally)> {
        let settings = &self.settings;
        let Some(hot) = settings.processing.hot_windows else { return Vec::new() };
        let newest = settings.tables.sizes.window_of(now);
        let old = self.rows.iter().filter(|(key, row)| {
            let is_stored = row.pending == 0 && !row.is_writing && !row.is_queued && !row.is_cold;
            is_stored && row.kind == RowKind::Count && row.total > 0 && {
                let (_, window, _) = settings.tables.of_count(*key as KeyId);
                window + hot < newest && self.is_closed(window)
            }
        });
        old.take(most).map(|(key, row)| (*key as KeyId, Tally::new(self.code, row.total, row.last))).collect()
    }

    /// Counts are in cold storage: their rows are to say so.
    pub fn archived(&mut self, rows: &[(KeyId, Tally)]) {
        for (key, _) in rows {
            if let Some(row) = self.rows.get_mut(u64::from(*key)) {
                (row.is_cold, row.pending) = (true, row.pending + 1);
            }
        }
    }

    /// What a write of a row says, and how much of what is pending it covers.
    pub fn to_write(&self, key: KeyId) -> Option<(u64, u64)> {
        let row = self.rows.get(u64::from(key)).filter(|row| row.pending > 0)?;
        let is_exact = self.settings.processing.delivery == Delivery::EffectivelyOnce;
        Some(match row.kind {
            RowKind::Count if row.is_cold => (Tally::archived().0, row.pending),
            RowKind::Count if is_exact => (Tally::new(self.code, row.total, row.last).0, row.pending),
            RowKind::Count => (Tally::new(self.code, row.pending, row.last).0, row.pending),
            RowKind::Raw | RowKind::Top => (row.total, row.pending),
        })
    }

    /// A write of a row was answered: what it covered is stored. When views happened that were followed.
    pub fn stored(&mut self, key: KeyId, value: u64, covered: u64) -> Vec<SimTime> {
        let Some(row) = self.rows.get_mut(u64::from(key)) else { return Vec::new() };
        row.is_writing = false;
        if row.kind != RowKind::Top || row.total == value {
            row.pending = row.pending.saturating_sub(covered);
        }
        let upto = if row.kind == RowKind::Count { Tally(value).last() } else { u64::MAX };
        let stored = row.followed.iter().filter(|(_, offset)| *offset < upto).map(|(at, _)| *at).collect();
        row.followed.retain(|(_, offset)| *offset >= upto);
        stored
    }
}

/// The views of a row of views, and of one device.
pub fn raw_views(value: u64, device: Option<u8>) -> u64 {
    let of = |device: u32| value >> (DEVICE_BITS * device) & ((1 << DEVICE_BITS) - 1);
    match device {
        Some(device) => of(u32::from(device)),
        None => (0..4).map(of).sum(),
    }
}

/// Count and video of a row of the most watched.
pub fn ranked(value: u64) -> (u64, KeyId) {
    (value >> VIDEO_BITS, (value & ((1 << VIDEO_BITS) - 1)) as KeyId)
}
