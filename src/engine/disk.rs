//! A disk: a queue of reads and fsyncs, and what survives a crash.
//!
//! Records are appended to a buffer and become durable when an fsync that began
//! after them completes. Requests that come while an fsync runs share the next
//! one (group commit). What was not synced is lost in a crash; with the disk
//! lost, everything is.
//!
//! Modelled: one device that does one thing at a time, drawn times for a read
//! and an fsync, group commit. Simplified: appending costs no time of its own
//! (the fsync pays), and a crash loses the whole buffer, never a part of it.

use super::distribution::Distribution;
use std::collections::VecDeque;

/// Most records that may wait unsynced. A process that appends faster than its
/// disk syncs has to turn work away before ([`Disk::backlog`]).
pub const UNSYNCED_RECORDS_MAX: usize = 1 << 20;

/// The durable content of a disk: a fold over the records that were synced.
pub trait DiskImage: Clone + Default {
    type Record: Clone;
    fn apply(&mut self, record: Self::Record);
}

/// A node without a disk.
impl DiskImage for () {
    type Record = ();
    fn apply(&mut self, (): ()) {}
}

/// How long a disk takes.
#[derive(Clone, Debug)]
pub struct DiskSpeed {
    pub read: Distribution,
    pub sync: Distribution,
}

impl Default for DiskSpeed {
    fn default() -> Self {
        DiskSpeed { read: Distribution::constant_ms(0.1), sync: Distribution::constant_ms(0.5) }
    }
}

/// What a disk is doing or is asked to do.
#[derive(Clone, Copy, Debug)]
pub(super) enum Request<K> {
    Read(K),
    /// Syncs everything appended before it begins.
    Sync,
}

/// A disk with its buffer and queue.
#[derive(Clone)]
pub struct Disk<D: DiskImage, K> {
    pub speed: DiskSpeed,
    pub(super) image: D,
    pub(super) unsynced: VecDeque<D::Record>,
    pub(super) queue: VecDeque<Request<K>>,
    pub(super) running: Option<Request<K>>,
    /// Who waits for the fsync that is queued.
    pub(super) waiting: Vec<K>,
    /// Who waits for the fsync that runs, and how many records it covers.
    pub(super) covered: Vec<K>,
    pub(super) covered_records: usize,
    pub(super) sync_queued: bool,
    pub(super) syncs: u64,
}

impl<D: DiskImage, K: Copy> Disk<D, K> {
    pub fn new(speed: DiskSpeed) -> Disk<D, K> {
        Disk {
            speed,
            image: D::default(),
            unsynced: VecDeque::new(),
            queue: VecDeque::new(),
            running: None,
            waiting: Vec::new(),
            covered: Vec::new(),
            covered_records: 0,
            sync_queued: false,
            syncs: 0,
        }
    }

    /// What would be there after a crash now.
    pub fn image(&self) -> &D {
        &self.image
    }

    /// Records appended and not yet durable.
    pub fn backlog(&self) -> usize {
        self.unsynced.len()
    }

    /// Fsyncs completed.
    pub fn sync_count(&self) -> u64 {
        self.syncs
    }

    pub(super) fn append(&mut self, record: D::Record) {
        assert!(
            self.unsynced.len() < UNSYNCED_RECORDS_MAX,
            "disk: more than {UNSYNCED_RECORDS_MAX} unsynced records"
        );
        self.unsynced.push_back(record);
    }

    pub(super) fn request_sync(&mut self, token: Option<K>) {
        self.waiting.extend(token);
        if !self.sync_queued {
            self.sync_queued = true;
            self.queue.push_back(Request::Sync);
        }
    }

    /// Begins the next request, if the device is idle and there is one.
    pub(super) fn begin_next(&mut self) -> Option<Request<K>> {
        if self.running.is_some() {
            return None;
        }
        let request = self.queue.pop_front()?;
        if let Request::Sync = request {
            self.sync_queued = false;
            std::mem::swap(&mut self.covered, &mut self.waiting);
            self.covered_records = self.unsynced.len();
        }
        self.running = Some(request);
        Some(request)
    }

    /// Ends what runs: what was covered becomes durable. The tokens of those who
    /// waited are put into `done`.
    pub(super) fn finish(&mut self, done: &mut Vec<K>) {
        match self.running.take() {
            Some(Request::Read(token)) => done.push(token),
            Some(Request::Sync) => {
                self.syncs += 1;
                for record in self.unsynced.drain(..self.covered_records) {
                    self.image.apply(record);
                }
                self.covered_records = 0;
                done.append(&mut self.covered);
            }
            None => {}
        }
    }

    /// Loses what was not durable, or everything.
    pub(super) fn crash(&mut self, disk_lost: bool) {
        self.unsynced.clear();
        self.queue.clear();
        self.running = None;
        self.waiting.clear();
        self.covered.clear();
        self.covered_records = 0;
        self.sync_queued = false;
        if disk_lost {
            self.image = D::default();
        }
    }
}
