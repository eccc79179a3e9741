//! A machine: some cores, one bounded queue, service times.
//!
//! A message that arrives waits for a free core, occupies it for its service
//! time, and is handled when that is over (first come, first served). Latency
//! under load, saturation and collapse come from here and from nowhere else.
//! A process can submit work of its own (an applier's transactions), which
//! waits in the same queue.
//!
//! Modelled: cores, queueing, a bound on the queue. Simplified: one queue for
//! all kinds of work, no preemption, no memory limit.

use super::node::NodeId;
use super::time::{SimDuration, SimTime};
use std::collections::VecDeque;

/// Cores of a machine on which nothing ever waits (load generators, whose jobs
/// take no time; of jobs that take time, it serves this many at once).
pub const CORES_UNLIMITED: u16 = u16::MAX;

/// Most work of a process's own that may wait for a core of its machine. A process
/// bounds what it submits: it submits the next when one is done, or counts.
pub const WORK_WAITING_MAX: u32 = 1 << 16;

/// Something that occupies a core.
#[derive(Clone)]
pub enum Job<M, K> {
    Message { from: NodeId, message: M },
    Work { token: K, duration: SimDuration },
}

/// The capacity of one machine and what waits for it.
#[derive(Clone)]
pub struct Machine<M, K> {
    pub cores: u16,
    /// Most jobs that wait; the next one is shed.
    pub queue_limit: u32,
    pub(super) busy: u16,
    /// What waits, and since when.
    queue: VecDeque<(SimTime, Job<M, K>)>,
    /// How much of it is work.
    work_waiting: u32,
    /// Core time that finished jobs used, in nanoseconds.
    pub(super) busy_ns: u64,
    pub(super) shed: u64,
    pub(super) served: u64,
}

impl<M, K> Machine<M, K> {
    pub fn new(cores: u16, queue_limit: u32) -> Machine<M, K> {
        assert!(cores > 0, "a machine has at least one core");
        Machine {
            cores,
            queue_limit,
            busy: 0,
            queue: VecDeque::new(),
            work_waiting: 0,
            busy_ns: 0,
            shed: 0,
            served: 0,
        }
    }

    /// How many jobs wait for a core.
    pub fn queue_len(&self) -> usize {
        self.queue.len()
    }

    /// How many cores are at work.
    pub fn busy_cores(&self) -> u16 {
        self.busy
    }

    /// Jobs turned away because the queue was full.
    pub fn shed_count(&self) -> u64 {
        self.shed
    }

    /// Jobs finished.
    pub fn served_count(&self) -> u64 {
        self.served
    }

    /// Core time that finished jobs used, pauses aside; divided by cores and time it is the utilisation.
    pub fn busy_time(&self) -> SimDuration {
        SimDuration(self.busy_ns)
    }

    pub(super) fn has_free_core(&self) -> bool {
        self.busy < self.cores
    }

    pub(super) fn has_room(&self) -> bool {
        self.queue.len() < self.queue_limit as usize
    }

    /// Lets a job wait from `now` on.
    pub(super) fn enqueue(&mut self, now: SimTime, job: Job<M, K>) {
        if let Job::Work { .. } = job {
            assert!(
                self.work_waiting < WORK_WAITING_MAX,
                "machine: more than {WORK_WAITING_MAX} pieces of work wait"
            );
            self.work_waiting += 1;
        }
        self.queue.push_back((now, job));
    }

    /// The job that has waited longest, and since when.
    pub(super) fn dequeue(&mut self) -> Option<(SimTime, Job<M, K>)> {
        let (since, job) = self.queue.pop_front()?;
        if let Job::Work { .. } = job {
            self.work_waiting -= 1;
        }
        Some((since, job))
    }

    /// How many jobs run and wait.
    pub(super) fn jobs(&self) -> u64 {
        self.queue.len() as u64 + u64::from(self.busy)
    }

    /// Forgets all that runs and waits, as a crash does; returns how many jobs were lost.
    pub(super) fn clear(&mut self) -> u64 {
        let lost = self.jobs();
        self.queue.clear();
        self.work_waiting = 0;
        self.busy = 0;
        lost
    }
}

/// A job on a core, as it stands in the event queue.
#[derive(Clone)]
pub(super) struct Running<M, K> {
    pub job: Job<M, K>,
    /// How long it had waited for its core.
    pub waited: SimDuration,
    /// How long the process had been paused in total when the job began: if it
    /// is more when the job ends, the job takes that much longer.
    pub paused_ns: u64,
    /// When it began, later by the pauses that are allowed for: at its end, the
    /// time since is the core time it took.
    pub began: SimTime,
}

impl<M, K> Running<M, K> {
    /// Allows for the pauses since the job began, of `paused_total_ns` in all;
    /// returns how much later it ends for them.
    pub fn stood_still(&mut self, paused_total_ns: u64) -> SimDuration {
        let paused = SimDuration(paused_total_ns - self.paused_ns);
        self.paused_ns = paused_total_ns;
        self.began += paused;
        paused
    }
}
