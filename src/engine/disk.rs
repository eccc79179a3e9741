//! A disk: a queue of reads, transfers and fsyncs, and what survives a crash.
//!
//! Records are appended to a file's buffer and become durable when an fsync of
//! that file that began after them completes. Requests that come while an fsync
//! of the file runs or waits share the next one (group commit). What was not
//! synced is lost in a crash; with the disk lost, everything is.
//!
//! Modelled: one device with a queue, drawn times for a read and an fsync, transfers
//! that take as long as the process says (much is read or written in sequence), two
//! files that are synced apart from each other, group commit. Requests begin in
//! the order in which they came, as many at once as the device has channels; of
//! fsyncs only one at a time, which occupies a channel, and what came after one
//! that has to wait goes ahead of it. A volume that does so many requests a second begins
//! them that far apart, whatever its channels would do: one that comes sooner waits in
//! its channel (a provisioned volume's throttle; a transfer counts as one). Simplified: appending costs no time of its
//! own (the fsync pays), a request takes as long beside others as alone, and a
//! crash loses a file's whole buffer, never a part of it.

use super::distribution::Distribution;
use super::time::{SimDuration, SimTime};
use std::collections::VecDeque;

/// Most records of one file that may wait unsynced. A process that appends faster
/// than its disk syncs has to turn work away before ([`Disk::backlog`]).
pub const UNSYNCED_RECORDS_MAX: usize = 1 << 20;
/// Most that may wait for the next fsync of one file. A process waits for no more
/// fsyncs than it has records or requests, which it bounds.
pub const SYNC_WAITERS_MAX: usize = UNSYNCED_RECORDS_MAX;
/// Most reads that may wait for a channel; the next is refused.
pub const READS_WAITING_MAX: usize = 4_096;

/// Most transfers that may wait for a channel. A process has a few under way at a
/// time, each a part of something large.
pub const TRANSFERS_WAITING_MAX: usize = 64;

/// The durable content of a disk: a fold over the records that were synced, in
/// the order in which they became durable.
pub trait DiskImage: Clone + Default {
    type Record: Clone;
    fn apply(&mut self, record: Self::Record);
}

/// A node without a disk.
impl DiskImage for () {
    type Record = ();
    fn apply(&mut self, (): ()) {}
}

/// How long a disk takes, and how much it does at once.
#[derive(Clone, Debug)]
pub struct DiskSpeed {
    pub read: Distribution,
    pub sync: Distribution,
    /// Requests served at once; one is a disk that does one thing at a time.
    pub channels: u16,
    /// From the beginning of one request to that of the next at least; zero where only the channels bound them.
    pub spacing: SimDuration,
}

impl Default for DiskSpeed {
    fn default() -> Self {
        DiskSpeed {
            read: Distribution::constant_ms(0.1),
            sync: Distribution::constant_ms(0.5),
            channels: 1,
            spacing: SimDuration::ZERO,
        }
    }
}

/// A file: an fsync makes the records of one durable and leaves the other alone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum File {
    First,
    Second,
}

/// What a disk is doing or is asked to do.
#[derive(Clone, Copy, Debug)]
pub(super) enum Request<K> {
    Read(K),
    /// Reads or writes in sequence for so long.
    Transfer(K, SimDuration),
    /// Syncs everything that was appended to the file before it begins.
    Sync(File),
}

/// What was appended to a file, and who waits for it to be durable.
#[derive(Clone)]
struct Buffer<R, K> {
    unsynced: VecDeque<R>,
    /// Who waits for the fsync that is queued.
    waiting: Vec<K>,
    /// Who waits for the fsync that runs, and how many records it covers.
    covered: Vec<K>,
    covered_records: usize,
    sync_queued: bool,
}

impl<R, K> Default for Buffer<R, K> {
    fn default() -> Self {
        Buffer {
            unsynced: VecDeque::new(),
            waiting: Vec::new(),
            covered: Vec::new(),
            covered_records: 0,
            sync_queued: false,
        }
    }
}

/// A disk with its buffers and queue.
#[derive(Clone)]
pub struct Disk<D: DiskImage, K> {
    pub(super) speed: DiskSpeed,
    pub(super) image: D,
    buffers: [Buffer<D::Record, K>; 2],
    queue: VecDeque<Request<K>>,
    reads_waiting: usize,
    transfers_waiting: usize,
    /// Channels at work, and whether an fsync occupies one of them.
    busy: u16,
    syncing: bool,
    syncs: u64,
    /// When the volume lets the next request begin.
    next_begin: SimTime,
    /// Requests begun, and channel time of those that were no fsync, in nanoseconds.
    requests: u64,
    read_ns: u64,
}

impl<D: DiskImage, K: Copy> Disk<D, K> {
    pub fn new(speed: DiskSpeed) -> Disk<D, K> {
        assert!(speed.channels > 0, "a disk has at least one channel");
        Disk {
            speed,
            image: D::default(),
            buffers: Default::default(),
            queue: VecDeque::new(),
            reads_waiting: 0,
            transfers_waiting: 0,
            busy: 0,
            syncing: false,
            syncs: 0,
            next_begin: SimTime::ZERO,
            requests: 0,
            read_ns: 0,
        }
    }

    /// What would be there after a crash now.
    pub fn image(&self) -> &D {
        &self.image
    }

    /// Records appended to either file and not yet durable.
    pub fn backlog(&self) -> usize {
        self.buffers.iter().map(|buffer| buffer.unsynced.len()).sum()
    }

    /// Records appended to one file and not yet durable.
    pub fn unsynced(&self, file: File) -> usize {
        self.buffers[file as usize].unsynced.len()
    }

    /// Fsyncs completed, of both files.
    pub fn sync_count(&self) -> u64 {
        self.syncs
    }

    /// Requests begun: reads, transfers and fsyncs.
    pub fn request_count(&self) -> u64 {
        self.requests
    }

    /// Channel time of reads and transfers. That of fsyncs says little of how much more there could be: what
    /// waits together shares one.
    pub fn read_time(&self) -> SimDuration {
        SimDuration(self.read_ns)
    }

    pub fn speed(&self) -> &DiskSpeed {
        &self.speed
    }

    /// Counts a request that begins now and takes so long; how much later it ends because the volume is throttled.
    pub(super) fn begun(&mut self, now: SimTime, request: &Request<K>, duration: SimDuration) -> SimDuration {
        self.requests += 1;
        if !matches!(request, Request::Sync(_)) {
            self.read_ns += duration.0;
        }
        let begins = self.next_begin.max(now);
        self.next_begin = begins + self.speed.spacing;
        begins.since(now)
    }

    pub(super) fn append(&mut self, file: File, record: D::Record) {
        let unsynced = &mut self.buffers[file as usize].unsynced;
        assert!(
            unsynced.len() < UNSYNCED_RECORDS_MAX,
            "disk: more than {UNSYNCED_RECORDS_MAX} unsynced records in a file"
        );
        unsynced.push_back(record);
    }

    pub(super) fn request_sync(&mut self, file: File, token: Option<K>) {
        let buffer = &mut self.buffers[file as usize];
        if let Some(token) = token {
            assert!(
                buffer.waiting.len() < SYNC_WAITERS_MAX,
                "disk: more than {SYNC_WAITERS_MAX} wait for one fsync"
            );
            buffer.waiting.push(token);
        }
        if !buffer.sync_queued {
            buffer.sync_queued = true;
            self.queue.push_back(Request::Sync(file));
        }
    }

    /// Queues a read; false if too many wait.
    pub(super) fn request_read(&mut self, token: K) -> bool {
        let has_room = self.reads_waiting < READS_WAITING_MAX;
        if has_room {
            self.reads_waiting += 1;
            self.queue.push_back(Request::Read(token));
        }
        has_room
    }

    /// Queues a transfer that takes so long.
    pub(super) fn request_transfer(&mut self, duration: SimDuration, token: K) {
        assert!(
            self.transfers_waiting < TRANSFERS_WAITING_MAX,
            "disk: more than {TRANSFERS_WAITING_MAX} transfers wait"
        );
        self.transfers_waiting += 1;
        self.queue.push_back(Request::Transfer(token, duration));
    }

    /// Begins the next request, if a channel is free and there is one that can begin.
    pub(super) fn begin_next(&mut self) -> Option<Request<K>> {
        if self.busy == self.speed.channels {
            return None;
        }
        // There is an fsync of each file in the queue at most.
        let at =
            self.queue.iter().position(|request| !(self.syncing && matches!(request, Request::Sync(_))))?;
        let request = self.queue.remove(at)?;
        match request {
            Request::Read(_) => self.reads_waiting -= 1,
            Request::Transfer(..) => self.transfers_waiting -= 1,
            Request::Sync(file) => {
                self.syncing = true;
                let buffer = &mut self.buffers[file as usize];
                buffer.sync_queued = false;
                std::mem::swap(&mut buffer.covered, &mut buffer.waiting);
                buffer.covered_records = buffer.unsynced.len();
            }
        }
        self.busy += 1;
        Some(request)
    }

    /// Ends a request that runs: what an fsync covered becomes durable. The tokens
    /// of those who waited are put into `done`.
    pub(super) fn finish(&mut self, request: Request<K>, done: &mut Vec<K>) {
        self.busy -= 1;
        match request {
            Request::Read(token) | Request::Transfer(token, _) => done.push(token),
            Request::Sync(file) => {
                self.syncing = false;
                self.syncs += 1;
                let buffer = &mut self.buffers[file as usize];
                for record in buffer.unsynced.drain(..buffer.covered_records) {
                    self.image.apply(record);
                }
                buffer.covered_records = 0;
                done.append(&mut buffer.covered);
            }
        }
    }

    /// Loses what was not durable, or everything.
    pub(super) fn crash(&mut self, disk_lost: bool) {
        self.buffers = Default::default();
        self.queue.clear();
        self.reads_waiting = 0;
        self.transfers_waiting = 0;
        self.busy = 0;
        self.syncing = false;
        if disk_lost {
            self.image = D::default();
        }
    }
}
