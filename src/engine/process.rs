//! What a node runs: a state machine without I/O.
//!
//! A process is a plain value. It is told that it starts (with what its disk
//! still holds), that a message was served, that a timer fired, that a disk
//! operation or work of its own is done; it answers through its [`Context`].
//! It never sees the global clock, another process or the scenario.

use super::disk::{DiskImage, File};
use super::event::Event;
use super::kernel::Kernel;
use super::node::{Body, NodeId};
use super::random::Stream;
use super::time::{SimDuration, SimTime};

/// How a message travels.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Transport {
    /// One connection per pair of nodes: messages arrive in order, are
    /// retransmitted when lost, stall in a cut, and the connection breaks after a
    /// time. (A machine with several cores may still finish the later one first.)
    Stream,
    /// A connection from a pool for each message: as reliable as a stream, with
    /// no order among messages and no waiting behind another one.
    Pooled,
    /// Lost is lost, and it can arrive twice.
    Datagram,
}

/// What the network has to know of a message.
pub trait Message: Clone {
    fn transport(&self) -> Transport;
    /// A small number for its kind: selects a delay override, and is traced.
    fn class(&self) -> u8;
    fn bytes(&self) -> u32;
}

/// Something a process reports to whoever watches the run (never to other nodes).
pub trait Output: Clone {
    /// A word that stands for it in the trace hash.
    fn word(&self) -> u64;
}

/// A node's state machine. `Clone` makes worlds cloneable; no `dyn`, no async.
pub trait Process: Clone {
    type Message: Message;
    type Timer: Copy;
    /// What completions of disk operations and work carry back.
    type Token: Copy;
    type Disk: DiskImage;
    type Output: Output;
    /// What a fault or a user can tell a process from outside (a load spike).
    type Control: Clone;

    /// At the start, and after each crash (on a fresh value, with what the disk kept).
    fn on_start(&mut self, disk: &Self::Disk, ctx: &mut Context<Self>);
    /// A message was served.
    fn on_message(&mut self, from: NodeId, message: Self::Message, ctx: &mut Context<Self>);
    fn on_timer(&mut self, timer: Self::Timer, ctx: &mut Context<Self>);
    /// A disk operation or submitted work is done.
    fn on_done(&mut self, token: Self::Token, ctx: &mut Context<Self>);
    /// The machine's queue was full and the message was turned away. Answering
    /// here costs no time (simplified: real rejections cost a little).
    fn on_shed(&mut self, from: NodeId, message: Self::Message, ctx: &mut Context<Self>);
    /// A stream or pooled connection to `peer` was given up.
    fn on_broken(&mut self, peer: NodeId, ctx: &mut Context<Self>);
    fn on_control(&mut self, control: Self::Control, ctx: &mut Context<Self>);
    /// How long a core is occupied by a message, on a machine at full speed; a process may send to itself.
    /// `waited` is how long the message stood in the queue before a core took it:
    /// one that nobody waits for any more need not be served.
    fn service_time(
        &self,
        from: NodeId,
        message: &Self::Message,
        waited: SimDuration,
        stream: &mut Stream,
    ) -> SimDuration;
}

/// What a process can do and know while it handles something.
pub struct Context<'a, P: Process> {
    pub(super) id: NodeId,
    pub(super) kernel: &'a mut Kernel<P>,
    pub(super) body: &'a mut Body<P>,
    pub(super) waited: SimDuration,
}

impl<'a, P: Process> Context<'a, P> {
    /// For handling what waited for no core.
    pub(super) fn new(id: NodeId, kernel: &'a mut Kernel<P>, body: &'a mut Body<P>) -> Context<'a, P> {
        Context { id, kernel, body, waited: SimDuration::ZERO }
    }

    pub fn id(&self) -> NodeId {
        self.id
    }

    /// Whether the node has never crashed: it starts as an operator set it up.
    pub fn is_first_start(&self) -> bool {
        self.body.incarnation == 0
    }

    /// How long the message or the work that is handled waited for its core, from its
    /// arrival to when the core began with it; zero for everything else.
    #[inline]
    pub fn waited(&self) -> SimDuration {
        self.waited
    }

    /// The node's monotonic clock: for time-outs and intervals. Skew does not touch it.
    #[inline]
    pub fn monotonic(&self) -> SimTime {
        self.kernel.now
    }

    /// How often this node was started before.
    pub fn incarnation(&self) -> u32 {
        self.body.incarnation
    }

    /// The node's wall clock in nanoseconds, which may be wrong (skewed, never before zero).
    #[inline]
    pub fn local_time(&self) -> u64 {
        (self.kernel.now.0 as i64 + LOCAL_EPOCH_NS).saturating_add(self.body.clock_offset_ns).max(0) as u64
    }

    /// The process's own random stream.
    #[inline]
    pub fn random(&mut self) -> &mut Stream {
        &mut self.body.protocol_stream
    }

    /// Sends a message; it is on its way when the handler returns.
    #[inline]
    pub fn send(&mut self, to: NodeId, message: impl Into<P::Message>) {
        self.kernel.send(self.id, to, message.into());
    }

    /// Closes the stream to a peer and opens another: what the old one still held
    /// back is lost, and nothing waits behind it any more.
    pub fn reconnect(&mut self, to: NodeId) {
        self.kernel.reconnect(self.id, to);
    }

    /// Sets a timer, relative to now. It does not survive a crash.
    #[inline]
    pub fn set_timer(&mut self, after: SimDuration, timer: impl Into<P::Timer>) {
        self.set_timer_at(self.kernel.now + after, timer);
    }

    /// Sets a timer on the monotonic clock.
    #[inline]
    pub fn set_timer_at(&mut self, at: SimTime, timer: impl Into<P::Timer>) {
        let event = Event::Timer { node: self.id, incarnation: self.body.incarnation, timer: timer.into() };
        self.kernel.queue.push(at.max(self.kernel.now), event);
    }

    /// Submits work that takes a core for `duration` (at full speed); `on_done` follows.
    /// It is never shed: the process bounds how much of it there is.
    ///
    /// # Panics
    /// If more than [`WORK_WAITING_MAX`](super::machine::WORK_WAITING_MAX) would wait.
    pub fn submit_work(&mut self, duration: SimDuration, token: impl Into<P::Token>) {
        self.kernel.submit_work(self.id, self.body, token.into(), duration);
    }

    /// Appends a record to the disk's first file; durable after the next fsync of it.
    #[inline]
    pub fn disk_append(&mut self, record: impl Into<<P::Disk as DiskImage>::Record>) {
        self.disk_append_to(File::First, record);
    }

    #[inline]
    pub fn disk_append_to(&mut self, file: File, record: impl Into<<P::Disk as DiskImage>::Record>) {
        self.body.disk.append(file, record.into());
    }

    /// Asks for an fsync of the first file; `on_done(token)` follows when all that
    /// was appended to it before is durable.
    ///
    /// # Panics
    /// If more than [`SYNC_WAITERS_MAX`](super::disk::SYNC_WAITERS_MAX) would wait for it.
    pub fn disk_sync(&mut self, token: impl Into<P::Token>) {
        self.disk_sync_file(File::First, token);
    }

    pub fn disk_sync_file(&mut self, file: File, token: impl Into<P::Token>) {
        self.body.disk.request_sync(file, Some(token.into()));
        self.kernel.drive_disk(self.id, self.body);
    }

    /// Asks for an fsync of the first file that nobody waits for.
    pub fn disk_sync_background(&mut self) {
        self.disk_sync_file_background(File::First);
    }

    pub fn disk_sync_file_background(&mut self, file: File) {
        self.body.disk.request_sync(file, None);
        self.kernel.drive_disk(self.id, self.body);
    }

    /// Reads from the disk; `on_done(token)` follows. False if the disk refuses,
    /// as too many reads wait already: nothing follows then.
    #[must_use]
    pub fn disk_read(&mut self, token: impl Into<P::Token>) -> bool {
        let taken = self.body.disk.request_read(token.into());
        self.kernel.drive_disk(self.id, self.body);
        taken
    }

    /// Reads or writes in sequence, which occupies the disk for so long (at full speed); `on_done(token)`
    /// follows. What is written is durable only when a record of it is.
    ///
    /// # Panics
    /// If more than [`TRANSFERS_WAITING_MAX`](super::disk::TRANSFERS_WAITING_MAX) would wait.
    pub fn disk_transfer(&mut self, duration: SimDuration, token: impl Into<P::Token>) {
        self.body.disk.request_transfer(duration, token.into());
        self.kernel.drive_disk(self.id, self.body);
    }

    /// Records appended to either file and not yet durable.
    pub fn disk_backlog(&self) -> usize {
        self.body.disk.backlog()
    }

    /// Switches a machine off that this node is the power switch of, its own or another, when the handler is
    /// over, and on again after `off_for`: a crash that keeps the disk, and a start of a fresh process. It
    /// needs no help of the process there, which may be paused or have too much to do. The machine
    /// stays down for as long as a crash or another power cycle lasts, and starts
    /// when it is resumed if it is paused then. No fault counts what it costs.
    pub fn power_cycle_node(&mut self, node: NodeId, off_for: SimDuration) {
        self.kernel.queue.push(self.kernel.now, Event::PowerOff { node, off_for });
    }

    /// Jobs that wait for a core of this machine.
    pub fn queue_len(&self) -> usize {
        self.body.machine.queue_len()
    }

    /// Reports something to whoever watches the run.
    #[inline]
    pub fn output(&mut self, output: impl Into<P::Output>) {
        let output = output.into();
        self.kernel.record_output(self.id, output);
    }
}

/// Wall clocks start here, so that a skew of days stays positive: 2^52 ns, 52 days.
pub const LOCAL_EPOCH_NS: i64 = 1 << 52;
