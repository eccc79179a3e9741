//! A process that does what it is told and reports all it sees.
//!
//! A test tells it through [`Say`], from outside, and reads what it reported as
//! [`Seen`]. What it keeps in memory, and what its disk keeps, are lists of numbers.

use crate::small_world::network;
use faultline::engine::{
    Context, DiskImage, Distribution, FaultId, FaultKind, File, Message, NetworkSpec, NodeId, NodeSet,
    NodeSpec, Output, Process, SimDuration, SimTime, Stream, Touched, Transport, World,
};

#[derive(Clone, Default)]
pub struct Probe {
    /// Numbers of the notes that it has got, in order.
    pub heard: Vec<u32>,
    /// How long each of them, and each operation that was done, had waited for its core.
    pub waits: Vec<SimDuration>,
}

#[derive(Clone, Copy)]
pub struct Note {
    pub number: u32,
    pub transport: Transport,
    pub service: SimDuration,
    /// If it waits longer for a core, it is not served: it takes no time.
    pub patience: SimDuration,
}

/// What a probe can be told to do.
#[derive(Clone, Copy)]
pub enum Say {
    Nothing,
    Send {
        to: NodeId,
        note: Note,
    },
    Timer {
        after: SimDuration,
        number: u32,
    },
    Work {
        duration: SimDuration,
        number: u32,
    },
    Append(u32),
    AppendTo(File, u32),
    Sync(u32),
    SyncFile(File, u32),
    SyncFileBackground(File),
    Read(u32),
    Transfer {
        duration: SimDuration,
        number: u32,
    },
    PowerCycle {
        node: NodeId,
        off_for: SimDuration,
    },
    ReportClocks,
    /// Draws from its random stream.
    Draw,
    /// Reports that it was told; `false` when a fault is lifted.
    Mark(bool),
}

#[derive(Clone, PartialEq, Debug)]
pub enum Seen {
    /// What the disk held at the start.
    Started(Vec<u32>),
    Note {
        from: NodeId,
        number: u32,
    },
    Timer(u32),
    Done(u32),
    Shed(u32),
    /// A read from the disk was.
    Refused(u32),
    Broken(NodeId),
    Clocks {
        wall_ns: u64,
        monotonic: SimTime,
    },
    Drew(u64),
    Marked(bool),
}

#[derive(Clone, Default)]
pub struct Notebook(Vec<u32>);

impl DiskImage for Notebook {
    type Record = u32;
    fn apply(&mut self, number: u32) {
        self.0.push(number);
    }
}

impl Message for Note {
    fn transport(&self) -> Transport {
        self.transport
    }

    fn class(&self) -> u8 {
        0
    }

    fn bytes(&self) -> u32 {
        1_000
    }
}

impl Output for Seen {
    fn word(&self) -> u64 {
        match self {
            Seen::Note { number, .. } | Seen::Timer(number) | Seen::Done(number) | Seen::Shed(number) => {
                u64::from(*number)
            }
            Seen::Clocks { wall_ns: word, .. } | Seen::Drew(word) => *word,
            _ => 0,
        }
    }
}

impl Process for Probe {
    type Message = Note;
    type Timer = u32;
    type Token = u32;
    type Disk = Notebook;
    type Output = Seen;
    type Control = Say;

    fn on_start(&mut self, disk: &Notebook, ctx: &mut Context<Self>) {
        ctx.output(Seen::Started(disk.0.clone()));
    }

    fn on_message(&mut self, from: NodeId, note: Note, ctx: &mut Context<Self>) {
        self.heard.push(note.number);
        self.waits.push(ctx.waited());
        ctx.output(Seen::Note { from, number: note.number });
    }

    fn on_timer(&mut self, number: u32, ctx: &mut Context<Self>) {
        ctx.output(Seen::Timer(number));
    }

    fn on_done(&mut self, number: u32, ctx: &mut Context<Self>) {
        self.waits.push(ctx.waited());
        ctx.output(Seen::Done(number));
    }

    fn on_shed(&mut self, _: NodeId, note: Note, ctx: &mut Context<Self>) {
        ctx.output(Seen::Shed(note.number));
    }

    fn on_broken(&mut self, peer: NodeId, ctx: &mut Context<Self>) {
        ctx.output(Seen::Broken(peer));
    }

    fn on_control(&mut self, say: Say, ctx: &mut Context<Self>) {
        match say {
            Say::Nothing => {}
            Say::Send { to, note } => ctx.send(to, note),
            Say::Timer { after, number } => ctx.set_timer(after, number),
            Say::Work { duration, number } => ctx.submit_work(duration, number),
            Say::Append(number) => ctx.disk_append(number),
            Say::AppendTo(file, number) => ctx.disk_append_to(file, number),
            Say::Sync(number) => ctx.disk_sync(number),
            Say::SyncFile(file, number) => ctx.disk_sync_file(file, number),
            Say::SyncFileBackground(file) => ctx.disk_sync_file_background(file),
            Say::Transfer { duration, number } => ctx.disk_transfer(duration, number),
            Say::Read(number) => {
                if !ctx.disk_read(number) {
                    ctx.output(Seen::Refused(number));
                }
            }
            Say::PowerCycle { node, off_for } if node == ctx.id() => {
                ctx.power_cycle_node(ctx.id(), off_for);
                // The handler finishes first.
                ctx.output(Seen::Marked(false));
            }
            Say::PowerCycle { node, off_for } => ctx.power_cycle_node(node, off_for),
            Say::ReportClocks => {
                let (wall_ns, monotonic) = (ctx.local_time(), ctx.monotonic());
                ctx.output(Seen::Clocks { wall_ns, monotonic });
            }
            Say::Draw => {
                let drawn = ctx.random().next_u64();
                ctx.output(Seen::Drew(drawn));
            }
            Say::Mark(begins) => ctx.output(Seen::Marked(begins)),
        }
    }

    fn service_time(&self, _: NodeId, note: &Note, waited: SimDuration, _: &mut Stream) -> SimDuration {
        if waited > note.patience { SimDuration::ZERO } else { note.service }
    }
}

/// A world of probes, and everything they have seen.
pub struct Laboratory {
    pub world: World<Probe>,
    seen: Vec<(SimTime, NodeId, Seen)>,
}

/// The transport's note of this number, which takes no time to serve.
pub fn note(transport: Transport, number: u32) -> Note {
    Note { number, transport, service: SimDuration::ZERO, patience: SimDuration::MAX }
}

impl Laboratory {
    /// Probes on these machines. Messages take exactly one millisecond.
    pub fn new(machines: Vec<NodeSpec>) -> Laboratory {
        Laboratory::on(network(Distribution::constant_ms(1.0)), machines)
    }

    pub fn on(network: NetworkSpec, machines: Vec<NodeSpec>) -> Laboratory {
        Laboratory::seeded(1, network, machines)
    }

    pub fn seeded(seed: u64, network: NetworkSpec, machines: Vec<NodeSpec>) -> Laboratory {
        let nodes = machines.into_iter().map(|machine| (machine, Probe::default())).collect();
        let mut laboratory = Laboratory { world: World::new(seed, network, nodes), seen: Vec::new() };
        laboratory.run_until_ms(0);
        laboratory
    }

    pub fn run_until(&mut self, until: SimTime) {
        let seen = &mut self.seen;
        self.world.run_until(until, &mut |at, node, what| seen.push((at, node, what)));
    }

    pub fn run_until_ms(&mut self, ms: u64) {
        self.run_until(SimTime::from_ms(ms));
    }

    pub fn begin(&mut self, kind: FaultKind<Say>) -> FaultId {
        let seen = &mut self.seen;
        self.world.begin_fault(kind, &mut |at, node, what| seen.push((at, node, what)))
    }

    /// Lifts a fault that must be active.
    pub fn lift(&mut self, fault: FaultId) -> Touched {
        let seen = &mut self.seen;
        self.world
            .lift_fault(fault, &mut |at, node, what| seen.push((at, node, what)))
            .expect("the fault is active")
    }

    /// Tells a probe something, now.
    pub fn tell(&mut self, node: NodeId, say: Say) {
        let nodes = self.set(&[node]);
        let fault = self.begin(FaultKind::Control { nodes, begin: say, lift: Say::Nothing });
        self.lift(fault);
    }

    pub fn send(&mut self, from: NodeId, to: NodeId, note: Note) {
        self.tell(from, Say::Send { to, note });
    }

    pub fn set(&self, members: &[NodeId]) -> NodeSet {
        NodeSet::new(self.world.node_count(), members.iter().copied())
    }

    /// What one probe has seen since its first start, with the milliseconds.
    pub fn seen_by(&self, node: NodeId) -> Vec<(f64, Seen)> {
        let own = self.seen.iter().filter(|(_, at_node, _)| *at_node == node);
        own.skip(1).map(|(at, _, what)| (at.as_ms_f64(), what.clone())).collect()
    }

    /// When which notes were served, in milliseconds.
    pub fn notes_to(&self, node: NodeId) -> Vec<(f64, u32)> {
        self.seen_by(node)
            .into_iter()
            .filter_map(|(at, what)| match what {
                Seen::Note { number, .. } => Some((at, number)),
                _ => None,
            })
            .collect()
    }
}
