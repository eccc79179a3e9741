//! A world: the nodes of one cluster, their network, and what happens next.
//!
//! A world is a plain value. Cloned, it continues to the same trace hash; the
//! clone shares what neither of the two has written since ([`PagedVec`](super::PagedVec)).

use super::disk::Disk;
use super::event::{DiskRequest, Event, RunningJob};
use super::fault::{ACTIVE_FAULTS_MAX, ActiveFault, FaultId, FaultKind, Touched};
use super::kernel::Kernel;
use super::machine::{Job, Machine};
use super::network::{Network, NetworkSpec, Stalled};
use super::node::{Body, NODES_MAX, NodeId, NodeSpec};
use super::process::{Context, Message, Process, Transport};
use super::queue::EventQueue;
use super::random::{Purpose, Stream, name_hash};
use super::time::{SimDuration, SimTime};
use super::trace::{Trace, TraceKind};
use std::collections::VecDeque;
use std::rc::Rc;

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
            Event::DiskDone { node, incarnation, request } => self.disk_done(node, incarnation, request),
            Event::Start { node, incarnation } => self.start(node, incarnation),
            Event::StallCheck { link } => self.stall_check(link as usize),
            Event::Broken { node, peer } => self.broken(node, peer),
            Event::Told { node, incarnation, control } => {
                if self.nodes[node.index()].body.incarnation == incarnation {
                    self.tell(node, control);
                }
            }
            Event::PowerOff { node, off_for } => self.power_off(node, off_for),
            Event::PowerOn { node } => self.power_on(node),
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
        place.process.on_start(&image, &mut Context::new(node, kernel, &mut place.body));
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
            self.give_core(node, Job::Message { from, message }, SimDuration::ZERO);
        } else if body.machine.has_room() {
            if body.is_paused() {
                kernel.count_paused(node, |touched| touched.delayed += 1);
            }
            body.machine.enqueue(kernel.now, Job::Message { from, message });
        } else {
            body.machine.shed += 1;
            kernel.trace.fold(kernel.now, TraceKind::Shed, node.0.into(), message.class().into());
            if body.is_paused() {
                kernel.count_paused(node, |touched| touched.stopped += 1);
            } else {
                place.process.on_shed(from, message, &mut Context::new(node, kernel, body));
            }
        }
    }

    /// Begins a job on a free core; one that takes no time is over at once.
    #[inline]
    fn give_core(&mut self, node: NodeId, job: Job<P::Message, P::Token>, waited: SimDuration) {
        let (kernel, place) = (&mut self.kernel, &mut self.nodes[node.index()]);
        let body = &mut place.body;
        let duration = match &job {
            Job::Message { from, message } => {
                place.process.service_time(*from, message, waited, &mut body.service_stream)
            }
            Job::Work { duration, .. } => *duration,
        };
        if duration == SimDuration::ZERO {
            body.machine.served += 1;
            self.handle(node, job, waited);
        } else {
            kernel.begin_job(node, body, job, waited, duration);
        }
    }

    #[inline]
    fn handle(&mut self, node: NodeId, job: Job<P::Message, P::Token>, waited: SimDuration) {
        let (kernel, place) = (&mut self.kernel, &mut self.nodes[node.index()]);
        let ctx = &mut Context { id: node, kernel, body: &mut place.body, waited };
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
        kernel.trace.fold(kernel.now, TraceKind::Serve, node.0.into(), body.machine.queue_len() as u64);
        body.machine.busy -= 1;
        body.machine.busy_ns += kernel.now.since(running.0.began).0;
        body.machine.served += 1;
        self.handle(node, running.0.job, running.0.waited);
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
            let Some((since, job)) = body.machine.dequeue() else {
                return;
            };
            self.give_core(node, job, self.kernel.now.since(since));
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
        place.process.on_timer(timer, &mut Context::new(node, kernel, &mut place.body));
    }

    fn disk_done(&mut self, node: NodeId, incarnation: u32, request: DiskRequest<P>) {
        let (kernel, place) = (&mut self.kernel, &mut self.nodes[node.index()]);
        let body = &mut place.body;
        if body.incarnation != incarnation {
            return;
        }
        if body.is_paused() {
            body.defer(kernel.now, Event::DiskDone { node, incarnation, request });
            return;
        }
        kernel.trace.fold(kernel.now, TraceKind::Disk, node.0.into(), body.disk.backlog() as u64);
        let mut done = std::mem::take(&mut kernel.done);
        body.disk.finish(request.0, &mut done);
        kernel.drive_disk(node, body);
        for token in done.drain(..) {
            place.process.on_done(token, &mut Context::new(node, kernel, &mut place.body));
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
            place.process.on_broken(peer, &mut Context::new(node, kernel, &mut place.body));
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
                self.nodes[node.index()].body.crashes += 1;
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
        body.incarnation += 1;
        body.started = false;
        body.deferred.clear();
        body.disk.crash(disk_lost);
        place.process = place.pristine.clone();
        body.machine.clear()
    }

    fn power_off(&mut self, node: NodeId, off_for: SimDuration) {
        let now = self.kernel.now;
        self.kernel.trace.fold(now, TraceKind::PowerOff, node.0.into(), off_for.0);
        if !self.nodes[node.index()].body.is_down() {
            self.crash(node, false);
        }
        let off_until = &mut self.nodes[node.index()].body.off_until;
        *off_until = (*off_until).max(Some(now + off_for));
        self.kernel.queue.push(now + off_for, Event::PowerOn { node });
    }

    fn power_on(&mut self, node: NodeId) {
        let body = &mut self.nodes[node.index()].body;
        if body.off_until.is_some_and(|until| until <= self.kernel.now) {
            body.off_until = None;
            self.kernel.trace.fold(self.kernel.now, TraceKind::PowerOn, node.0.into(), 0);
            self.start_unless_down(node);
        }
    }

    fn restart(&mut self, node: NodeId) {
        self.nodes[node.index()].body.crashes -= 1;
        self.start_unless_down(node);
    }

    fn start_unless_down(&mut self, node: NodeId) {
        let body = &self.nodes[node.index()].body;
        if !body.is_down() {
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
        place.process.on_control(control, &mut Context::new(node, kernel, &mut place.body));
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
                off_until: None,
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
