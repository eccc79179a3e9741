//! Worker: the processing service, which turns views into counts.
//!
//! Models: a stream processor such as Flink 1.20 or Kafka Streams. A worker has some partitions of the log, given
//! by the coordinator of its group; of each it fetches views, counts them in memory by video and window, and
//! writes rows to the database. Offset and state are put aside together at an interval (one partition's are
//! consistent by themselves: no view touches two); whoever takes a partition over goes on from there.
//!
//! ```text
//! fetch ─► (look up) ─► count ─► rows ─flush─► waiting rows (memory, then disk) ─► database
//!   ▲                     │                        full: nothing more is fetched
//!   └──── next offset     └─checkpoint─► object store
//! ```
//!
//! - *At most once*: the offset is put aside before the work; a write without an answer is not repeated.
//! - *At least once*: offset and what is not known to be stored are put aside after it, and added again.
//! - *Effectively once*: rows hold all that was counted, and never fall: to write one twice changes nothing.
//!   Views that come later than `lateness` after their window has ended are dead letters.
//!
//! A malformed view goes to the queue of dead letters, one more partition of the log, before the next checkpoint.
//! A database that does not answer is left alone for an exponentially longer time, with jitter. With `trigger`
//! the same is done in jobs, each of which takes what was there when it began.
//!
//! Simplified: a checkpoint holds the whole state of a partition; one write a row (rows of the database are
//! small), many at once; lookups of a chunk are waited for together; rows that wait on disk are read back in
//! the order in which they came. A restarted worker forgets what it had on disk: the checkpoint has it.
//! Left out: joins of streams, timers of users, state beyond memory.

pub mod checkpoint;
pub mod counting;
mod membership;
mod partition;
mod putting_aside;
mod seen;
mod writing;

use super::event_log::group::Assignment;
use super::message::{LogRefusal, ServiceEvent, ServiceHost, ServiceMessage, ServiceTimer, ServiceToken};
use super::settings::{ServiceSettings, Trigger};
use crate::engine::table::Table;
use crate::engine::{Context, PendingTable, SimDuration, SimTime, Stream, Ticket};
use crate::workload::operation::Response;
use crate::workload::tally::Tally;
use membership::Membership;
use partition::{DeadLetters, Part};
use putting_aside::Asked;
use std::rc::Rc;
use writing::Store;

/// A fetch without an answer is given up after this: longer than a broker lets one wait.
const FETCH_TIMEOUT: SimDuration = SimDuration::from_ms(2_000);
/// A request to the object store without an answer is given up after this.
const OBJECT_TIMEOUT: SimDuration = SimDuration::from_ms(5_000);
/// Requests of one kind under way at most: several for each partition.
const REQUESTS_MAX: usize = 4_096;
/// What was refused or not answered is tried again after this.
const AGAIN: SimDuration = SimDuration::from_ms(100);
/// Core time for any answer.
const ANSWER_SERVICE: SimDuration = SimDuration(3_000);
/// Operations of workers and readers are numbered as clients' are; these are no client's numbers.
pub const FIRST_WORKER_CLIENT: u32 = 1 << 20;

/// What an operator can have done to workers.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum WorkerControl {
    /// A version of the code goes out that leaves the views of a device out, or none.
    Deploy { leaves_out_device: Option<u8> },
    /// All is counted again, from the views in the object store.
    Recount,
    /// A version of the code goes out whose rows have a field more.
    AddField,
}

/// One worker.
#[derive(Clone)]
pub struct Worker {
    settings: Rc<ServiceSettings>,
    index: usize,
    membership: Membership,
    parts: Table<Part>,
    fetches: PendingTable<(u16, u64)>,
    objects: PendingTable<Asked>,
    dead_letters: PendingTable<DeadLetters>,
    store: Store,
    /// Version of the code that is out, and what it leaves out.
    code: u64,
    leaves_out_device: Option<u8>,
    /// Whether it works now, and since when; always, unless it works in jobs.
    working_since: Option<SimTime>,
    worked: SimDuration,
    counted: u64,
    /// When what was put off is tried again.
    retries_at: Option<SimTime>,
}

impl Worker {
    pub fn new(settings: Rc<ServiceSettings>, index: usize) -> Worker {
        let store = Store::new(&settings, FIRST_WORKER_CLIENT + index as u32);
        Worker {
            membership: Membership::default(),
            parts: Table::default(),
            fetches: PendingTable::new(FETCH_TIMEOUT, REQUESTS_MAX),
            objects: PendingTable::new(OBJECT_TIMEOUT, REQUESTS_MAX),
            dead_letters: PendingTable::new(FETCH_TIMEOUT, REQUESTS_MAX),
            store,
            code: 0,
            leaves_out_device: None,
            working_since: None,
            worked: SimDuration::ZERO,
            counted: 0,
            retries_at: None,
            settings,
            index,
        }
    }

    // What is shown of it.

    /// The partitions that it has, with the offsets that it goes on from and that it knows to be written.
    pub fn partitions(&self) -> impl Iterator<Item = (u16, u64, u64)> + '_ {
        self.parts.iter().map(|(partition, part)| (*partition as u16, part.next, part.end))
    }

    /// Views that it has counted since it started.
    pub fn counted(&self) -> u64 {
        self.counted
    }

    /// Rows that wait in memory, and on disk.
    pub fn waiting_rows(&self) -> (usize, usize) {
        self.store.waiting()
    }

    pub fn holds_back(&self) -> bool {
        self.store.holds_back
    }

    pub fn is_in_trouble(&self) -> bool {
        self.store.is_in_trouble()
    }

    /// Windows and rows in memory.
    pub fn open_rows(&self) -> usize {
        self.parts.iter().map(|(_, part)| part.counts.rows.len()).sum()
    }

    /// How long it has worked, where it works in jobs.
    pub fn worked(&self, now: SimTime) -> SimDuration {
        self.worked + self.working_since.map_or(SimDuration::ZERO, |since| now.since(since))
    }

    pub fn is_working(&self) -> bool {
        self.working_since.is_some()
    }

    /// The oldest checkpoint of its partitions is so many views behind what is counted.
    pub fn since_checkpoint(&self) -> u64 {
        self.parts.iter().map(|(_, part)| part.next.saturating_sub(part.put_aside)).sum()
    }

    // What happens to it.

    pub fn on_start<P: ServiceHost>(&mut self, ctx: &mut Context<P>) {
        let incarnation = ctx.incarnation();
        self.fetches.restarted(incarnation);
        self.objects.restarted(incarnation);
        self.dead_letters.restarted(incarnation);
        self.store.restarted(incarnation);
        let processing = &self.settings.processing;
        let first = |every: SimDuration| SimDuration(every.0 + every.0 * self.index as u64 / 64);
        ctx.set_timer(SimDuration::ZERO, ServiceTimer::MemberHeartbeat);
        ctx.set_timer(first(processing.flush_every), ServiceTimer::Flush);
        ctx.set_timer(first(processing.checkpoint_every), ServiceTimer::Checkpoint);
        match processing.trigger {
            Trigger::Stream => self.working_since = Some(ctx.monotonic()),
            Trigger::Every(every) => {
                ctx.set_timer_at(next_multiple(ctx.monotonic(), every), ServiceTimer::Job)
            }
        }
    }

    pub fn on_message<P: ServiceHost>(&mut self, message: ServiceMessage, ctx: &mut Context<P>) {
        match message {
            ServiceMessage::Assigned { epoch, target } => self.on_assigned(epoch, &target, ctx),
            ServiceMessage::NotCoordinator { hint } => self.on_not_coordinator(hint, ctx),
            ServiceMessage::Fetched { ticket, outcome } => self.on_fetched(ticket, outcome, ctx),
            ServiceMessage::Produced { ticket, outcome } => {
                self.on_dead_letters_taken(ticket, outcome.is_ok(), ctx)
            }
            ServiceMessage::PutDone { ticket, is_taken } => self.on_put(ticket, is_taken, ctx),
            ServiceMessage::Got { ticket, objects } => self.on_got(ticket, &objects, ctx),
            _ => {}
        }
    }

    pub fn on_response<P: ServiceHost>(&mut self, response: &Response, ctx: &mut Context<P>) {
        self.on_answer(response, ctx);
    }

    pub fn on_timer<P: ServiceHost>(&mut self, timer: ServiceTimer, ctx: &mut Context<P>) {
        match timer {
            ServiceTimer::MemberHeartbeat => {
                self.say_alive(ctx);
                ctx.set_timer(self.settings.log.member_heartbeat, ServiceTimer::MemberHeartbeat);
            }
            ServiceTimer::Flush => {
                if self.is_working() {
                    self.flush(ctx);
                }
                ctx.set_timer(self.settings.processing.flush_every, ServiceTimer::Flush);
            }
            ServiceTimer::Checkpoint => {
                if self.is_working() {
                    self.put_all_aside(ctx);
                }
                ctx.set_timer(self.settings.processing.checkpoint_every, ServiceTimer::Checkpoint);
            }
            ServiceTimer::Job => self.begin_job(ctx),
            ServiceTimer::TimeOut => self.fetches_timed_out(ctx),
            ServiceTimer::ObjectTimeOut => self.objects_timed_out(ctx),
            ServiceTimer::DeadLetterTimeOut => self.dead_letters_timed_out(ctx),
            ServiceTimer::DatabaseTimeOut => self.writes_timed_out(ctx),
            ServiceTimer::Retry => {
                self.retries_at = None;
                self.write(ctx);
                self.fetch_all(ctx);
                if let Some(wait) = self.store.blocked_for(ctx.monotonic()) {
                    self.retry_after(wait, ctx);
                }
            }
            _ => {}
        }
    }

    pub fn on_token<P: ServiceHost>(&mut self, token: ServiceToken, ctx: &mut Context<P>) {
        match token {
            ServiceToken::Processed { partition, generation } => {
                self.on_processed(partition, generation, ctx)
            }
            ServiceToken::Spilled => {}
            ServiceToken::Unspilled => self.on_unspilled(ctx),
            _ => {}
        }
    }

    pub fn on_control<P: ServiceHost>(&mut self, control: WorkerControl, ctx: &mut Context<P>) {
        match control {
            WorkerControl::Deploy { leaves_out_device } => self.deploy(leaves_out_device),
            WorkerControl::Recount => self.recount(ctx),
            WorkerControl::AddField => {
                self.code = Tally::with_field(self.code);
                self.deploy(self.leaves_out_device);
            }
        }
    }

    /// What was put off is tried again after a while, or sooner if that is due.
    fn retry_after<P: ServiceHost>(&mut self, wait: SimDuration, ctx: &mut Context<P>) {
        let at = ctx.monotonic() + wait;
        if self.retries_at.is_none_or(|due| at < due) {
            self.retries_at = Some(at);
            ctx.set_timer_at(at, ServiceTimer::Retry);
        }
    }

    /// Another version of the code counts from now on.
    fn deploy(&mut self, leaves_out_device: Option<u8>) {
        self.code += 1;
        self.leaves_out_device = leaves_out_device;
        for part in self.parts.values_mut() {
            part.counts.code = part.counts.code.max(self.code);
            part.counts.leaves_out_device = leaves_out_device;
        }
    }

    /// Core time for a message.
    pub fn service_time(&self, _message: &ServiceMessage, _stream: &mut Stream) -> SimDuration {
        ANSWER_SERVICE
    }

    pub fn answer_time() -> SimDuration {
        ANSWER_SERVICE
    }

    fn fetches_timed_out<P: ServiceHost>(&mut self, ctx: &mut Context<P>) {
        self.fetches.timer_fired();
        while let Some((partition, generation)) = self.fetches.pop_expired(ctx.monotonic()) {
            self.fetch_failed(partition, generation, LogRefusal::NotLeader { hint: None }, ctx);
        }
        rearm(&mut self.fetches, ServiceTimer::TimeOut, ctx);
    }

    fn objects_timed_out<P: ServiceHost>(&mut self, ctx: &mut Context<P>) {
        self.objects.timer_fired();
        while let Some(asked) = self.objects.pop_expired(ctx.monotonic()) {
            self.object_failed(&asked, ctx);
        }
        rearm(&mut self.objects, ServiceTimer::ObjectTimeOut, ctx);
    }

    fn dead_letters_timed_out<P: ServiceHost>(&mut self, ctx: &mut Context<P>) {
        self.dead_letters.timer_fired();
        while let Some(dead) = self.dead_letters.pop_expired(ctx.monotonic()) {
            self.send_dead_letters(dead, ctx);
        }
        rearm(&mut self.dead_letters, ServiceTimer::DeadLetterTimeOut, ctx);
    }

    // Jobs.

    fn begin_job<P: ServiceHost>(&mut self, ctx: &mut Context<P>) {
        if let Trigger::Every(every) = self.settings.processing.trigger {
            ctx.set_timer_at(next_multiple(ctx.monotonic(), every), ServiceTimer::Job);
            if !self.is_working() {
                self.working_since = Some(ctx.monotonic());
                ctx.output(ServiceEvent::Job { node: ctx.id(), begins: true });
                for part in self.parts.values_mut() {
                    (part.has_caught_up, part.job_end) = (false, None);
                }
                self.fetch_all(ctx);
            }
        }
    }

    /// A job ends when all that it took is counted, stored and put aside.
    fn look_at_job<P: ServiceHost>(&mut self, ctx: &mut Context<P>) {
        if self.settings.processing.trigger == Trigger::Stream || !self.is_working() {
            return;
        }
        if self.parts.iter().any(|(_, part)| !part.has_caught_up) {
            return;
        }
        self.flush(ctx);
        let is_written = self.parts.iter().all(|(_, part)| part.is_written());
        if !is_written {
            return;
        }
        self.put_all_aside(ctx);
        if self.parts.iter().all(|(_, part)| part.put_aside == part.next && part.is_put_aside()) {
            let since = self.working_since.take().expect("it works");
            self.worked = self.worked + ctx.monotonic().since(since);
            ctx.output(ServiceEvent::Job { node: ctx.id(), begins: false });
        }
    }

    fn part(&mut self, partition: u16, generation: u64) -> Option<&mut Part> {
        self.parts.get_mut(u64::from(partition)).filter(|part| part.generation == generation)
    }

    fn owned(&self) -> Rc<[Assignment]> {
        let owned = self.parts.iter();
        owned
            .map(|(partition, part)| Assignment { partition: *partition as u16, generation: part.generation })
            .collect()
    }
}

/// The next multiple of an interval after a moment.
fn next_multiple(now: SimTime, every: SimDuration) -> SimTime {
    SimTime((now.0 / every.0 + 1) * every.0)
}

/// A ticket for what waits; none if too much does. `timer` says that its time is over.
fn ticket_of<T, P: ServiceHost>(
    table: &mut PendingTable<T>,
    entry: T,
    timer: ServiceTimer,
    ctx: &mut Context<P>,
) -> Option<Ticket> {
    let ticket = table.insert(ctx.monotonic(), entry).ok()?;
    rearm(table, timer, ctx);
    Some(ticket)
}

fn rearm<T, P: ServiceHost>(table: &mut PendingTable<T>, timer: ServiceTimer, ctx: &mut Context<P>) {
    if let Some(at) = table.arm() {
        ctx.set_timer_at(at, timer);
    }
}
