//! A world: the nodes of one cluster, their network, and what happens next.
//!
//! A world is a plain value. Cloned, it continues to the same trace hash; the
//! clone shares what neither of the two has written since ([`PagedVec`](super::PagedVec)).

use super::disk::{Disk, Request};
use super::fault::{ACTIVE_FAULTS_MAX, ActiveFault, FaultId, FaultKind, Touched};
use super::machine::{Job, Machine, Running};
use super::network::{Fate, Network, NetworkSpec, STALLED_MESSAGES_MAX, Stalled, Stop, next_retransmission};
use super::node::{Body, NODES_MAX, NodeId, NodeSpec};
use super::process::{Context, Message, Output, Process, Transport};
use super::queue::EventQueue;
use super::random::{Purpose, Stream, name_hash};
use super::time::{SimDuration, SimTime};
use super::trace::{Trace, TraceKind};
use std::collections::VecDeque;
use std::rc::Rc;

/// Something that will happen.
#[derive(Clone)]
pub enum Event<P: Process> {
    Start {
        node: NodeId,
        incarnation: u32,
    },
    Arrive {
        from: NodeId,
        to: NodeId,
        sent: SimTime,
        message: P::Message,
    },
    Served {
        node: NodeId,
        incarnation: u32,
        running: RunningJob<P>,
    },
    Timer {
        node: NodeId,
        incarnation: u32,
        timer: P::Timer,
    },
    DiskDone {
        node: NodeId,
        incarnation: u32,
    },
    /// Connections on a link that have been stalled too long are given up.
    StallCheck {
        link: u32,
    },
    /// A node learns that its connections to `peer` were given up.
    Broken {
        node: NodeId,
        peer: NodeId,
    },
    /// A node is told something that reached it while it was paused.
    Told {
        node: NodeId,
        incarnation: u32,
        control: P::Control,
    },
}

/// A job on a core.
#[derive(Clone)]
pub struct RunningJob<P: Process>(Running<P::Message, P::Token>);

/// A message under way, for the picture.
#[derive(Clone, Copy, Debug)]
pub struct InFlight {
    pub from: NodeId,
    pub to: NodeId,
    pub class: u8,
    /// When it left; later than now where a healed connection has still to retransmit it.
    pub sent: SimTime,
    pub arrives: SimTime,
}

/// What faults on its link make of a message.
enum Passage {
    Arrives(SimTime),
    Dies,
    /// Its connection stalls, by a fault or by the network as it is.
    Stalls(Option<FaultId>),
}

/// What all nodes of a world share and none of them sees.
#[derive(Clone)]
pub struct Kernel<P: Process> {
    pub(super) now: SimTime,
    pub(super) queue: EventQueue<Event<P>>,
    pub(super) network: Network<P::Message>,
    pub(super) trace: Trace,
    faults: Vec<ActiveFault<P::Control>>,
    /// Whether any active fault acts on links.
    links_faulty: bool,
    next_fault: u32,
    outputs: Vec<(NodeId, P::Output)>,
    events: u64,
    done: Vec<P::Token>,
}

#[derive(Clone)]
struct Node<P: Process> {
    process: P,
    /// The process as it was made: what a crash leaves of its memory.
    pristine: P,
    body: Body<P>,
}

/// The nodes of one cluster and everything that is to happen to them.
#[derive(Clone)]
pub struct World<P: Process> {
    nodes: Vec<Node<P>>,
    kernel: Kernel<P>,
}

impl<P: Process> World<P> {
    /// A world in which every node is about to start, at time zero.
    pub fn new(seed: u64, network: NetworkSpec, nodes: Vec<(NodeSpec, P)>) -> World<P> {
        assert!(nodes.len() <= NODES_MAX, "a world has at most {NODES_MAX} nodes");
        let names = nodes.iter().map(|(spec, _)| name_hash(&spec.name)).collect();
        let zones = nodes.iter().map(|(spec, _)| spec.zone).collect();
        let mut kernel = Kernel {
            now: SimTime::ZERO,
            queue: EventQueue::default(),
            network: Network::new(seed, network, names, zones),
            trace: Trace::default(),
            faults: Vec::new(),
            links_faulty: false,
            next_fault: 0,
            outputs: Vec::new(),
            events: 0,
            done: Vec::new(),
        };
        let nodes: Vec<Node<P>> =
            nodes.into_iter().map(|(spec, process)| Node::new(seed, spec, process)).collect();
        for index in 0..nodes.len() {
            kernel.queue.push(SimTime::ZERO, Event::Start { node: NodeId(index as u16), incarnation: 0 });
        }
        World { nodes, kernel }
    }

    pub fn now(&self) -> SimTime {
        self.kernel.now
    }

    /// Events processed so far.
    pub fn events(&self) -> u64 {
        self.kernel.events
    }

    pub fn trace_hash(&self) -> u64 {
        self.kernel.trace.hash()
    }

    pub fn network(&self) -> &Network<P::Message> {
        &self.kernel.network
    }

    pub fn node_count(&self) -> usize {
        self.nodes.len()
    }

    pub fn process(&self, node: NodeId) -> &P {
        &self.nodes[node.index()].process
    }

    pub fn body(&self, node: NodeId) -> &Body<P> {
        &self.nodes[node.index()].body
    }

    pub fn node_ids(&self) -> impl Iterator<Item = NodeId> + use<P> {
        (0..self.nodes.len()).map(|index| NodeId(index as u16))
    }

    pub fn find(&self, name: &str) -> Option<NodeId> {
        self.node_ids().find(|node| self.body(*node).name() == name)
    }

    pub fn pending_events(&self) -> usize {
        self.kernel.queue.len()
    }

    pub fn next_event_time(&self) -> Option<SimTime> {
        self.kernel.queue.next_time()
    }

    pub fn active_faults(&self) -> &[ActiveFault<P::Control>] {
        &self.kernel.faults
    }

    /// Messages under way, in no particular order.
    pub fn in_flight(&self) -> impl Iterator<Item = InFlight> + '_ {
        self.kernel.queue.iter().filter_map(|(arrives, event)| match event {
            Event::Arrive { from, to, sent, message } => {
                Some(InFlight { from: *from, to: *to, class: message.class(), sent: *sent, arrives })
            }
            _ => None,
        })
    }

    /// Processes everything up to and including `until`, and leaves the clock there.
    pub fn run_until(&mut self, until: SimTime, observer: &mut impl FnMut(SimTime, NodeId, P::Output)) {
        while self.kernel.queue.next_time().is_some_and(|time| time <= until) {
            self.step(observer);
        }
        self.kernel.now = self.kernel.now.max(until);
    }

    /// Processes one event; false if there is none.
    #[inline]
    pub fn step(&mut self, observer: &mut impl FnMut(SimTime, NodeId, P::Output)) -> bool {
        let Some((time, event)) = self.kernel.queue.pop() else {
            return false;
        };
        debug_assert!(time >= self.kernel.now, "time never goes back");
        self.kernel.now = time;
        self.kernel.events += 1;
        self.dispatch(event);
        self.drain_outputs(observer);
        true
    }

    fn drain_outputs(&mut self, observer: &mut impl FnMut(SimTime, NodeId, P::Output)) {
        if self.kernel.outputs.is_empty() {
            return;
        }
        let mut outputs = std::mem::take(&mut self.kernel.outputs);
        for (node, output) in outputs.drain(..) {
            observer(self.kernel.now, node, output);
        }
        self.kernel.outputs = outputs;
    }

    #[inline]
    fn dispatch(&mut self, event: Event<P>) {
        match event {
            Event::Arrive { from, to, sent, message } => self.arrive(from, to, sent, message),
            Event::Served { node, incarnation, running } => self.served(node, incarnation, running),
            Event::Timer { node, incarnation, timer } => self.timer(node, incarnation, timer),
            Event::DiskDone { node, incarnation } => self.disk_done(node, incarnation),
            Event::Start { node, incarnation } => self.start(node, incarnation),
            Event::StallCheck { link } => self.stall_check(link as usize),
            Event::Broken { node, peer } => self.broken(node, peer),
            Event::Told { node, incarnation, control } => {
                if self.nodes[node.index()].body.incarnation == incarnation {
                    self.tell(node, control);
                }
            }
        }
    }

    fn start(&mut self, node: NodeId, incarnation: u32) {
        let (kernel, place) = (&mut self.kernel, &mut self.nodes[node.index()]);
        if place.body.incarnation != incarnation || place.body.is_down() {
            return;
        }
        if place.body.is_paused() {
            place.body.defer(kernel.now, Event::Start { node, incarnation });
            return;
        }
        kernel.trace.fold(kernel.now, TraceKind::Start, node.0.into(), incarnation.into());
        place.body.started = true;
        let image = place.body.disk.image.clone();
        place.process.on_start(&image, &mut Context { id: node, kernel, body: &mut place.body });
        // It missed what the others were told.
        for index in 0..self.kernel.faults.len() {
            if let FaultKind::Control { nodes, begin, .. } = &self.kernel.faults[index].kind
                && nodes.contains(node)
            {
                let control = begin.clone();
                self.tell(node, control);
            }
        }
    }

    fn arrive(&mut self, from: NodeId, to: NodeId, sent: SimTime, message: P::Message) {
        let kernel = &mut self.kernel;
        if kernel.links_faulty
            && let Some(fault) = kernel.cut_between(from, to)
        {
            let link = kernel.network.link(from, to);
            kernel.stop(link, Stalled { sent, message, fault: Some(fault), caught: true });
            return;
        }
        let class = message.class();
        if !self.nodes[to.index()].body.started {
            kernel.lose_at_crashed(to, class);
            return;
        }
        kernel.trace.fold(
            kernel.now,
            TraceKind::Arrive,
            to.0.into(),
            u64::from(from.0) << 8 | u64::from(class),
        );
        self.submit(to, from, message);
    }

    /// Gives a message a core, queues it, or turns it away.
    #[inline]
    fn submit(&mut self, node: NodeId, from: NodeId, message: P::Message) {
        let (kernel, place) = (&mut self.kernel, &mut self.nodes[node.index()]);
        let body = &mut place.body;
        if body.machine.has_free_core() && !body.is_paused() {
            self.give_core(node, Job::Message { from, message });
        } else if body.machine.has_room() {
            if body.is_paused() {
                kernel.count_paused(node, |touched| touched.delayed += 1);
            }
            body.machine.queue.push_back(Job::Message { from, message });
        } else {
            body.machine.shed += 1;
            kernel.trace.fold(kernel.now, TraceKind::Shed, node.0.into(), message.class().into());
            if body.is_paused() {
                kernel.count_paused(node, |touched| touched.stopped += 1);
            } else {
                place.process.on_shed(from, message, &mut Context { id: node, kernel, body });
            }
        }
    }

    /// Begins a job on a free core; one that takes no time is over at once.
    #[inline]
    fn give_core(&mut self, node: NodeId, job: Job<P::Message, P::Token>) {
        let (kernel, place) = (&mut self.kernel, &mut self.nodes[node.index()]);
        let body = &mut place.body;
        let duration = match &job {
            Job::Message { message, .. } => place.process.service_time(message, &mut body.service_stream),
            Job::Work { duration, .. } => *duration,
        };
        if duration == SimDuration::ZERO {
            body.machine.served += 1;
            self.handle(node, job);
        } else {
            kernel.begin_job(node, body, job, duration);
        }
    }

    #[inline]
    fn handle(&mut self, node: NodeId, job: Job<P::Message, P::Token>) {
        let (kernel, place) = (&mut self.kernel, &mut self.nodes[node.index()]);
        let ctx = &mut Context { id: node, kernel, body: &mut place.body };
        match job {
            Job::Message { from, message } => place.process.on_message(from, message, ctx),
            Job::Work { token, .. } => place.process.on_done(token, ctx),
        }
    }

    fn served(&mut self, node: NodeId, incarnation: u32, running: RunningJob<P>) {
        let (kernel, body) = (&mut self.kernel, &mut self.nodes[node.index()].body);
        if body.incarnation != incarnation {
            return;
        }
        if body.is_paused() {
            body.defer(kernel.now, Event::Served { node, incarnation, running });
            return;
        }
        if body.paused_total_ns > running.0.paused_ns {
            let mut running = running;
            let due = kernel.now + running.0.stood_still(body.paused_total_ns);
            kernel.queue.push(due, Event::Served { node, incarnation, running });
            return;
        }
        kernel.trace.fold(kernel.now, TraceKind::Serve, node.0.into(), body.machine.queue.len() as u64);
        body.machine.busy -= 1;
        body.machine.busy_ns += kernel.now.since(running.0.began).0;
        body.machine.served += 1;
        self.handle(node, running.0.job);
        self.begin_queued(node);
    }

    /// Gives free cores to jobs that wait.
    #[inline]
    fn begin_queued(&mut self, node: NodeId) {
        loop {
            let body = &mut self.nodes[node.index()].body;
            if !body.machine.has_free_core() || body.is_paused() {
                return;
            }
            let Some(job) = body.machine.queue.pop_front() else {
                return;
            };
            self.give_core(node, job);
        }
    }

    fn timer(&mut self, node: NodeId, incarnation: u32, timer: P::Timer) {
        let (kernel, place) = (&mut self.kernel, &mut self.nodes[node.index()]);
        if place.body.incarnation != incarnation {
            return;
        }
        if place.body.is_paused() {
            place.body.defer(kernel.now, Event::Timer { node, incarnation, timer });
            return;
        }
        kernel.trace.fold(kernel.now, TraceKind::Timer, node.0.into(), 0);
        place.process.on_timer(timer, &mut Context { id: node, kernel, body: &mut place.body });
    }

    fn disk_done(&mut self, node: NodeId, incarnation: u32) {
        let (kernel, place) = (&mut self.kernel, &mut self.nodes[node.index()]);
        let body = &mut place.body;
        if body.incarnation != incarnation {
            return;
        }
        if body.is_paused() {
            body.defer(kernel.now, Event::DiskDone { node, incarnation });
            return;
        }
        kernel.trace.fold(kernel.now, TraceKind::Disk, node.0.into(), body.disk.unsynced.len() as u64);
        let mut done = std::mem::take(&mut kernel.done);
        body.disk.finish(&mut done);
        kernel.drive_disk(node, body);
        for token in done.drain(..) {
            place.process.on_done(token, &mut Context { id: node, kernel, body: &mut place.body });
        }
        kernel.done = done;
    }

    fn stall_check(&mut self, link: usize) {
        let kernel = &mut self.kernel;
        let now = kernel.now;
        let timeout = kernel.network.spec.stream_timeout;
        let place = &mut kernel.network.links[link];
        let (from, to) = (place.from, place.to);
        let is_overdue = |held: &Stalled<P::Message>| held.sent + timeout <= now;
        let is_stream = |held: &Stalled<P::Message>| held.message.transport() == Transport::Stream;
        // One connection carries the whole stream.
        let stream_breaks = place.stalled.iter().any(|held| is_stream(held) && is_overdue(held));
        let before = place.stalled.len();
        place.stalled.retain(|held| !(is_overdue(held) || stream_breaks && is_stream(held)));
        let given_up = (before - place.stalled.len()) as u64;
        let oldest = place.stalled.iter().map(|held| held.sent).min();
        place.stall_check_armed = oldest.is_some();
        if let Some(sent) = oldest {
            kernel.queue.push(sent + timeout, Event::StallCheck { link: link as u32 });
        }
        if given_up > 0 {
            kernel.give_up(from, to, given_up);
            self.broken(from, to);
        }
    }

    /// Tells a process that its connections to `peer` were given up.
    fn broken(&mut self, node: NodeId, peer: NodeId) {
        let (kernel, place) = (&mut self.kernel, &mut self.nodes[node.index()]);
        if place.body.is_paused() {
            place.body.defer(kernel.now, Event::Broken { node, peer });
        } else if place.body.started {
            place.process.on_broken(peer, &mut Context { id: node, kernel, body: &mut place.body });
        }
    }

    /// Lets a fault act from now on.
    ///
    /// # Panics
    /// If more than [`ACTIVE_FAULTS_MAX`] are active; callers check [`active_faults`](Self::active_faults).
    pub fn begin_fault(
        &mut self,
        kind: FaultKind<P::Control>,
        observer: &mut impl FnMut(SimTime, NodeId, P::Output),
    ) -> FaultId {
        assert!(self.kernel.faults.len() < ACTIVE_FAULTS_MAX, "more than {ACTIVE_FAULTS_MAX} faults at once");
        let id = FaultId(self.kernel.next_fault);
        self.kernel.next_fault += 1;
        self.kernel.trace.fold(self.kernel.now, TraceKind::FaultBegins, 0, id.0.into());
        self.kernel.faults.push(ActiveFault { id, kind: kind.clone(), touched: Touched::default() });
        self.kernel.refresh_links_faulty();
        for node in kind.nodes().into_iter().flat_map(|set| set.iter()) {
            self.begin_on_node(id, node, &kind);
        }
        self.drain_outputs(observer);
        id
    }

    fn begin_on_node(&mut self, id: FaultId, node: NodeId, kind: &FaultKind<P::Control>) {
        match kind {
            FaultKind::Crash { disk_lost, .. } => {
                let lost = self.crash(node, *disk_lost);
                self.kernel.fault_mut(id).touched.stopped += lost;
            }
            FaultKind::Pause { .. } => {
                let body = &mut self.nodes[node.index()].body;
                if body.pauses == 0 {
                    body.paused_since_ns = self.kernel.now.0;
                }
                body.pauses += 1;
                let held_up = body.machine.jobs();
                self.kernel.fault_mut(id).touched.delayed += held_up;
            }
            FaultKind::Control { begin, .. } => self.tell(node, begin.clone()),
            _ => self.refresh_node(node),
        }
    }

    /// Ends a fault and says what it touched; none if it is not active.
    pub fn lift_fault(
        &mut self,
        id: FaultId,
        observer: &mut impl FnMut(SimTime, NodeId, P::Output),
    ) -> Option<Touched> {
        let at = self.kernel.faults.iter().position(|fault| fault.id == id)?;
        let mut fault = self.kernel.faults.remove(at);
        self.kernel.trace.fold(self.kernel.now, TraceKind::FaultLifts, 0, id.0.into());
        self.kernel.refresh_links_faulty();
        for node in fault.kind.nodes().into_iter().flat_map(|set| set.iter()) {
            match &fault.kind {
                FaultKind::Crash { .. } => self.restart(node),
                FaultKind::Pause { .. } => self.resume(node),
                FaultKind::Control { lift, .. } => self.tell(node, lift.clone()),
                _ => self.refresh_node(node),
            }
        }
        if fault.kind.is_on_links() {
            self.kernel.release_stalled(&mut fault);
        }
        self.drain_outputs(observer);
        Some(fault.touched)
    }

    /// Memory and everything scheduled are gone, and so are the connections that
    /// stall; returns the messages lost with the process.
    fn crash(&mut self, node: NodeId, disk_lost: bool) -> u64 {
        for link in self.kernel.network.links.iter_mut().filter(|link| link.from == node) {
            self.kernel.network.traffic.lost += link.stalled.len() as u64;
            link.stalled.clear();
        }
        let place = &mut self.nodes[node.index()];
        let body = &mut place.body;
        body.crashes += 1;
        body.incarnation += 1;
        body.started = false;
        body.deferred.clear();
        body.disk.crash(disk_lost);
        place.process = place.pristine.clone();
        body.machine.clear()
    }

    fn restart(&mut self, node: NodeId) {
        let body = &mut self.nodes[node.index()].body;
        body.crashes -= 1;
        if body.crashes == 0 {
            let start = Event::Start { node, incarnation: body.incarnation };
            self.kernel.queue.push(self.kernel.now, start);
        }
    }

    fn resume(&mut self, node: NodeId) {
        let (kernel, body) = (&mut self.kernel, &mut self.nodes[node.index()].body);
        body.pauses -= 1;
        if body.pauses > 0 {
            return;
        }
        body.paused_total_ns += kernel.now.0 - body.paused_since_ns;
        // What fell due meanwhile happens now, in the order in which it fell due;
        // a job on a core still needs what was left of it when the pause began.
        while let Some((due, event)) = body.deferred.pop_front() {
            match event {
                Event::Served { node, incarnation, mut running } => {
                    let due = due + running.0.stood_still(body.paused_total_ns);
                    kernel.queue.push(due, Event::Served { node, incarnation, running });
                }
                event => kernel.queue.push(kernel.now, event),
            }
        }
        self.begin_queued(node);
    }

    /// Tells a process something from outside. One that has not started is told
    /// when it does, if the fault still acts then.
    fn tell(&mut self, node: NodeId, control: P::Control) {
        let (kernel, place) = (&mut self.kernel, &mut self.nodes[node.index()]);
        if !place.body.started {
            return;
        }
        if place.body.is_paused() {
            let incarnation = place.body.incarnation;
            place.body.defer(kernel.now, Event::Told { node, incarnation, control });
            return;
        }
        kernel.trace.fold(kernel.now, TraceKind::Control, node.0.into(), 0);
        place.process.on_control(control, &mut Context { id: node, kernel, body: &mut place.body });
    }

    /// Derives a node's speed and clock anew from the faults that act on it.
    fn refresh_node(&mut self, node: NodeId) {
        let body = &mut self.nodes[node.index()].body;
        body.slow_factor = 1.0;
        body.disk_slow_factor = 1.0;
        body.clock_offset_ns = body.base_clock_offset_ns;
        for fault in &self.kernel.faults {
            match &fault.kind {
                FaultKind::SlowMachine { nodes, factor } if nodes.contains(node) => {
                    body.slow_factor *= factor
                }
                FaultKind::SlowDisk { nodes, factor } if nodes.contains(node) => {
                    body.disk_slow_factor *= factor
                }
                FaultKind::ClockSkew { nodes, offset_ns } if nodes.contains(node) => {
                    body.clock_offset_ns = body.clock_offset_ns.saturating_add(*offset_ns)
                }
                _ => {}
            }
        }
    }
}

impl<P: Process> Node<P> {
    fn new(seed: u64, spec: NodeSpec, process: P) -> Node<P> {
        let stream = |purpose| Stream::named(seed, purpose, &spec.name);
        Node {
            pristine: process.clone(),
            process,
            body: Body {
                service_stream: stream(Purpose::Service),
                disk_stream: stream(Purpose::Disk),
                protocol_stream: stream(Purpose::Protocol),
                zone: spec.zone,
                machine: Machine::new(spec.cores, spec.queue_limit),
                disk: Disk::new(spec.disk),
                incarnation: 0,
                started: false,
                crashes: 0,
                pauses: 0,
                paused_since_ns: 0,
                paused_total_ns: 0,
                slow_factor: 1.0,
                disk_slow_factor: 1.0,
                base_clock_offset_ns: spec.clock_offset_ns,
                clock_offset_ns: spec.clock_offset_ns,
                deferred: VecDeque::new(),
                name: Rc::from(spec.name),
            },
        }
    }
}

impl<P: Process> Kernel<P> {
    #[inline]
    pub(super) fn send(&mut self, from: NodeId, to: NodeId, message: P::Message) {
        let link = self.network.link(from, to);
        if self.links_faulty
            && let Some(fault) = self.cut_between(from, to)
        {
            self.stop(link, Stalled { sent: self.now, message, fault: Some(fault), caught: false });
            return;
        }
        if !self.queue.has_room() {
            self.lose(to, message.class());
            return;
        }
        let mut arrives = self.network.arrival(self.now, link, message.class(), message.bytes());
        let transport = message.transport();
        if (self.links_faulty || self.network.spec.loss > 0.0) && from != to {
            match self.passage(link, &message, arrives) {
                Passage::Arrives(later) => arrives = later,
                Passage::Dies => return,
                Passage::Stalls(fault) => {
                    self.stop(link, Stalled { sent: self.now, message, fault, caught: false });
                    return;
                }
            }
        }
        if transport == Transport::Stream {
            arrives = self.network.in_order(link, arrives);
        }
        self.queue.push(arrives, Event::Arrive { from, to, sent: self.now, message });
    }

    /// What loss, delay and duplication make of a message that would arrive at `arrives`.
    fn passage(&mut self, link: usize, message: &P::Message, arrives: SimTime) -> Passage {
        let (from, to) = (self.network.links[link].from, self.network.links[link].to);
        let (class, transport) = (message.class(), message.transport());
        if transport == Transport::Stream
            && let Some(ahead) = self.network.stream_stalled_by(link)
        {
            return Passage::Stalls(ahead);
        }
        let mut late = SimDuration::ZERO;
        if self.network.spec.loss > 0.0 {
            match self.network.fate(link, transport, self.network.spec.loss) {
                Fate::Arrives(more) => late = late + more,
                Fate::Stalls => return Passage::Stalls(None),
                Fate::Lost => {
                    self.lose(to, class);
                    return Passage::Dies;
                }
            }
        }
        for index in 0..self.faults.len() {
            let fault = &mut self.faults[index];
            if !fault.kind.acts_between(from, to) {
                continue;
            }
            match &fault.kind {
                FaultKind::Loss { probability, .. } => match self.network.fate(link, transport, *probability)
                {
                    Fate::Arrives(SimDuration::ZERO) => {}
                    Fate::Arrives(more) => {
                        fault.touched.delayed += 1;
                        late = late + more;
                    }
                    Fate::Stalls => return Passage::Stalls(Some(fault.id)),
                    Fate::Lost => {
                        fault.touched.stopped += 1;
                        self.network.remember_stop(Stop { at: self.now, from, to, class });
                        self.lose(to, class);
                        return Passage::Dies;
                    }
                },
                FaultKind::Delay { extra, .. } => {
                    fault.touched.delayed += 1;
                    late = late + self.network.extra_delay(link, extra);
                }
                FaultKind::Duplication { probability, .. } => {
                    if !self.network.duplicates(link, *probability) {
                        continue;
                    }
                    fault.touched.duplicated += 1;
                    self.trace.fold(self.now, TraceKind::Duplicated, to.0.into(), class.into());
                    if transport == Transport::Datagram && self.queue.has_room() {
                        let second = arrives + late + self.network.duplicate_delay(link);
                        let copy = Event::Arrive { from, to, sent: self.now, message: message.clone() };
                        self.queue.push(second, copy);
                    }
                }
                _ => {}
            }
        }
        Passage::Arrives(arrives + late)
    }

    /// The fault that cuts the way, if one does.
    fn cut_between(&self, from: NodeId, to: NodeId) -> Option<FaultId> {
        if from == to {
            return None;
        }
        self.faults.iter().find(|fault| fault.kind.cuts(from, to)).map(|fault| fault.id)
    }

    /// A message meets a cut, or a loss that outlasts its connection's patience:
    /// a datagram dies, a connection stalls.
    fn stop(&mut self, link: usize, held: Stalled<P::Message>) {
        let (from, to) = (self.network.links[link].from, self.network.links[link].to);
        let class = held.message.class();
        self.trace.fold(self.now, TraceKind::Stopped, to.0.into(), u64::from(from.0) << 8 | u64::from(class));
        self.network.remember_stop(Stop { at: self.now, from, to, class });
        if let Some(fault) = held.fault {
            self.fault_mut(fault).touched.stopped += 1;
        }
        if held.message.transport() == Transport::Datagram {
            self.lose(to, class);
            return;
        }
        let place = &mut self.network.links[link];
        if place.stalled.len() >= STALLED_MESSAGES_MAX {
            // Send buffers are full: all connections of the link are given up.
            let given_up = place.stalled.len() as u64 + 1;
            place.stalled.clear();
            self.give_up(from, to, given_up);
            self.queue.push(self.now, Event::Broken { node: from, peer: to });
            return;
        }
        if !place.stall_check_armed {
            place.stall_check_armed = true;
            let due = held.sent + self.network.spec.stream_timeout;
            self.queue.push(due.max(self.now), Event::StallCheck { link: link as u32 });
        }
        if held.caught {
            let caught = place.stalled.partition_point(|other| other.caught);
            place.stalled.insert(caught, held);
        } else {
            place.stalled.push_back(held);
        }
    }

    /// Counts messages that are lost because their connections are given up.
    fn give_up(&mut self, from: NodeId, to: NodeId, messages: u64) {
        self.network.traffic.lost += messages;
        self.trace.fold(self.now, TraceKind::Broken, from.0.into(), u64::from(to.0) << 32 | messages);
    }

    /// Sends on what no cut holds any more, at each connection's next
    /// retransmission, and corrects what the `lifted` fault counted.
    fn release_stalled(&mut self, lifted: &mut ActiveFault<P::Control>) {
        for link in 0..self.network.links.len() {
            let (from, to) = (self.network.links[link].from, self.network.links[link].to);
            if self.network.links[link].stalled.is_empty() || self.cut_between(from, to).is_some() {
                continue;
            }
            let stalled = std::mem::take(&mut self.network.links[link].stalled);
            let mut stream_resumes = None;
            let mut stream_stays = false;
            for held in stalled {
                let is_stream = held.message.transport() == Transport::Stream;
                if self.still_lost(held.fault) || (is_stream && stream_stays) {
                    stream_stays |= is_stream;
                    self.network.links[link].stalled.push_back(held);
                    continue;
                }
                // It was not stopped after all: it is late.
                if let Some(id) = held.fault {
                    let holder = if id == lifted.id {
                        Some(&mut *lifted)
                    } else {
                        self.faults.iter_mut().find(|fault| fault.id == id)
                    };
                    if let Some(holder) = holder {
                        holder.touched.stopped -= 1;
                        holder.touched.delayed += 1;
                    }
                }
                let mut leaves = next_retransmission(held.sent, self.now);
                if is_stream {
                    // One connection: everything waits for its oldest message.
                    leaves = *stream_resumes.get_or_insert(leaves);
                }
                self.retransmit(link, held.message, leaves);
            }
        }
    }

    /// Whether what a fault holds is held because each of its retransmissions
    /// was lost, and still would be.
    fn still_lost(&self, holder: Option<FaultId>) -> bool {
        match holder {
            // Lost by the network as it is.
            None => true,
            Some(id) => {
                self.faults.iter().any(|fault| fault.id == id && matches!(fault.kind, FaultKind::Loss { .. }))
            }
        }
    }

    /// Sends what was stalled, past any loss or delay (simplified: it suffered enough).
    fn retransmit(&mut self, link: usize, message: P::Message, leaves: SimTime) {
        let (from, to) = (self.network.links[link].from, self.network.links[link].to);
        if !self.queue.has_room() {
            self.lose(to, message.class());
            return;
        }
        let mut arrives = self.network.arrival(leaves, link, message.class(), message.bytes());
        if message.transport() == Transport::Stream {
            arrives = self.network.in_order(link, arrives);
        }
        self.queue.push(arrives, Event::Arrive { from, to, sent: leaves, message });
    }

    pub(super) fn reconnect(&mut self, from: NodeId, to: NodeId) {
        let link = self.network.link(from, to);
        for class in self.network.close_stream(link, self.now) {
            self.lose(to, class);
        }
    }

    fn lose(&mut self, to: NodeId, class: u8) {
        self.network.traffic.lost += 1;
        self.trace.fold(self.now, TraceKind::Lost, to.0.into(), class.into());
    }

    /// A message reaches a node that has crashed.
    fn lose_at_crashed(&mut self, to: NodeId, class: u8) {
        self.lose(to, class);
        let crash = self
            .faults
            .iter_mut()
            .find(|fault| matches!(&fault.kind, FaultKind::Crash { nodes, .. } if nodes.contains(to)));
        if let Some(crash) = crash {
            crash.touched.stopped += 1;
        }
    }

    /// Counts a message that meets a paused process, for every pause of it.
    fn count_paused(&mut self, node: NodeId, count: impl Fn(&mut Touched)) {
        for fault in &mut self.faults {
            if matches!(&fault.kind, FaultKind::Pause { nodes } if nodes.contains(node)) {
                count(&mut fault.touched);
            }
        }
    }

    /// Counts a job that takes longer because its machine is slow.
    fn count_slowed(&mut self, node: NodeId) {
        for fault in &mut self.faults {
            if matches!(&fault.kind, FaultKind::SlowMachine { nodes, .. } if nodes.contains(node)) {
                fault.touched.delayed += 1;
            }
        }
    }

    #[inline]
    fn begin_job(
        &mut self,
        node: NodeId,
        body: &mut Body<P>,
        job: Job<P::Message, P::Token>,
        duration: SimDuration,
    ) {
        let mut duration = duration;
        if body.slow_factor != 1.0 {
            duration = duration.scaled(body.slow_factor);
            self.count_slowed(node);
        }
        body.machine.busy += 1;
        let running = RunningJob(Running { job, paused_ns: body.paused_total_ns, began: self.now });
        let served = Event::Served { node, incarnation: body.incarnation, running };
        self.queue.push(self.now + duration, served);
    }

    pub(super) fn submit_work(
        &mut self,
        node: NodeId,
        body: &mut Body<P>,
        token: P::Token,
        duration: SimDuration,
    ) {
        let job = Job::Work { token, duration: duration.max(SimDuration(1)) };
        if body.machine.has_free_core() && body.machine.queue.is_empty() && !body.is_paused() {
            let duration = duration.max(SimDuration(1));
            self.begin_job(node, body, job, duration);
        } else {
            body.machine.queue.push_back(job);
        }
    }

    /// Lets an idle disk begin what waits.
    pub(super) fn drive_disk(&mut self, node: NodeId, body: &mut Body<P>) {
        let Some(request) = body.disk.begin_next() else {
            return;
        };
        let speed = &body.disk.speed;
        let distribution = match request {
            Request::Read(_) => &speed.read,
            Request::Sync => &speed.sync,
        };
        let mut duration = distribution.sample(&mut body.disk_stream);
        if body.disk_slow_factor != 1.0 {
            duration = duration.scaled(body.disk_slow_factor);
            for fault in &mut self.faults {
                if let FaultKind::SlowDisk { nodes, .. } = &fault.kind
                    && nodes.contains(node)
                {
                    fault.touched.delayed += 1;
                }
            }
        }
        self.queue.push(self.now + duration, Event::DiskDone { node, incarnation: body.incarnation });
    }

    pub(super) fn record_output(&mut self, node: NodeId, output: P::Output) {
        self.trace.fold(self.now, TraceKind::Output, node.0.into(), output.word());
        self.outputs.push((node, output));
    }

    fn fault_mut(&mut self, id: FaultId) -> &mut ActiveFault<P::Control> {
        self.faults.iter_mut().find(|fault| fault.id == id).expect("the fault is active")
    }

    fn refresh_links_faulty(&mut self) {
        self.links_faulty = self.faults.iter().any(|fault| fault.kind.is_on_links());
    }
}
