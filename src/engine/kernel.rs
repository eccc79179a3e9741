//! The kernel of a world: clock, queue, network, faults and trace.
//!
//! What all nodes share and none of them sees. Messages pass through it, and
//! the faults that act on links; machines and disks are driven by it.

use super::disk::Request;
use super::event::{DiskRequest, Event, RunningJob};
use super::fault::{ActiveFault, FaultId, FaultKind, Touched};
use super::machine::{Job, Running};
use super::network::{Fate, Network, STALLED_MESSAGES_MAX, Stalled, Stop, next_retransmission};
use super::node::{Body, NodeId};
use super::process::{Message, Output, Process, Transport};
use super::queue::EventQueue;
use super::time::{SimDuration, SimTime};
use super::trace::{Trace, TraceKind};

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
    pub(super) faults: Vec<ActiveFault<P::Control>>,
    /// Whether any active fault acts on links.
    pub(super) links_faulty: bool,
    pub(super) next_fault: u32,
    pub(super) outputs: Vec<(NodeId, P::Output)>,
    pub(super) events: u64,
    pub(super) done: Vec<P::Token>,
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
        let mut arrives = self.network.arrival(self.now, link, &message);
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
    pub(super) fn cut_between(&self, from: NodeId, to: NodeId) -> Option<FaultId> {
        if from == to {
            return None;
        }
        self.faults.iter().find(|fault| fault.kind.cuts(from, to)).map(|fault| fault.id)
    }

    /// A message meets a cut, or a loss that outlasts its connection's patience:
    /// a datagram dies, a connection stalls.
    pub(super) fn stop(&mut self, link: usize, held: Stalled<P::Message>) {
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
    pub(super) fn give_up(&mut self, from: NodeId, to: NodeId, messages: u64) {
        self.network.traffic.lost += messages;
        self.trace.fold(self.now, TraceKind::Broken, from.0.into(), u64::from(to.0) << 32 | messages);
    }

    /// Sends on what no cut holds any more, at each connection's next
    /// retransmission, and corrects what the `lifted` fault counted.
    pub(super) fn release_stalled(&mut self, lifted: &mut ActiveFault<P::Control>) {
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
    pub(super) fn still_lost(&self, holder: Option<FaultId>) -> bool {
        match holder {
            // Lost by the network as it is.
            None => true,
            Some(id) => {
                self.faults.iter().any(|fault| fault.id == id && matches!(fault.kind, FaultKind::Loss { .. }))
            }
        }
    }

    /// Sends what was stalled, past any loss or delay (simplified: it suffered enough).
    pub(super) fn retransmit(&mut self, link: usize, message: P::Message, leaves: SimTime) {
        let (from, to) = (self.network.links[link].from, self.network.links[link].to);
        if !self.queue.has_room() {
            self.lose(to, message.class());
            return;
        }
        let mut arrives = self.network.arrival(leaves, link, &message);
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

    pub(super) fn lose(&mut self, to: NodeId, class: u8) {
        self.network.traffic.lost += 1;
        self.trace.fold(self.now, TraceKind::Lost, to.0.into(), class.into());
    }

    /// A message reaches a node that has crashed.
    pub(super) fn lose_at_crashed(&mut self, to: NodeId, class: u8) {
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
    pub(super) fn count_paused(&mut self, node: NodeId, count: impl Fn(&mut Touched)) {
        for fault in &mut self.faults {
            if matches!(&fault.kind, FaultKind::Pause { nodes } if nodes.contains(node)) {
                count(&mut fault.touched);
            }
        }
    }

    /// Counts a job that takes longer because its machine is slow.
    pub(super) fn count_slowed(&mut self, node: NodeId) {
        for fault in &mut self.faults {
            if matches!(&fault.kind, FaultKind::SlowMachine { nodes, .. } if nodes.contains(node)) {
                fault.touched.delayed += 1;
            }
        }
    }

    #[inline]
    pub(super) fn begin_job(
        &mut self,
        node: NodeId,
        body: &mut Body<P>,
        job: Job<P::Message, P::Token>,
        waited: SimDuration,
        duration: SimDuration,
    ) {
        let mut duration = duration;
        if body.slow_factor != 1.0 {
            duration = duration.scaled(body.slow_factor);
            self.count_slowed(node);
        }
        body.machine.busy += 1;
        let running = RunningJob(Running { job, waited, paused_ns: body.paused_total_ns, began: self.now });
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
        if body.machine.has_free_core() && body.machine.queue_len() == 0 && !body.is_paused() {
            let duration = duration.max(SimDuration(1));
            self.begin_job(node, body, job, SimDuration::ZERO, duration);
        } else {
            body.machine.enqueue(self.now, job);
        }
    }

    /// Lets the free channels of a disk begin what waits.
    pub(super) fn drive_disk(&mut self, node: NodeId, body: &mut Body<P>) {
        while let Some(request) = body.disk.begin_next() {
            let speed = &body.disk.speed;
            let mut duration = match request {
                Request::Read(_) => speed.read.sample(&mut body.disk_stream),
                Request::Transfer(_, duration) => duration,
                Request::Sync(_) => speed.sync.sample(&mut body.disk_stream),
            };
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
            duration = duration + body.disk.begun(self.now, &request, duration);
            let incarnation = body.incarnation;
            let done = Event::DiskDone { node, incarnation, request: DiskRequest(request) };
            self.queue.push(self.now + duration, done);
        }
    }

    pub(super) fn record_output(&mut self, node: NodeId, output: P::Output) {
        self.trace.fold(self.now, TraceKind::Output, node.0.into(), output.word());
        self.outputs.push((node, output));
    }

    pub(super) fn fault_mut(&mut self, id: FaultId) -> &mut ActiveFault<P::Control> {
        self.faults.iter_mut().find(|fault| fault.id == id).expect("the fault is active")
    }

    pub(super) fn refresh_links_faulty(&mut self) {
        self.links_faulty = self.faults.iter().any(|fault| fault.kind.is_on_links());
    }
}
