//! A run is a pure function of its seed and what is done to it; a world can be
//! cloned at any point, and both copies go on as the one would have.

use crate::small_world::machine;
use faultline::engine::distribution::{Exponential, Lognormal};
use faultline::engine::{
    Context, DiskImage, Distribution, FaultId, FaultKind, Message, NetworkSpec, NodeId, NodeSet, NodeSpec,
    Output, Process, SimDuration, SimTime, Stream, Transport, World,
};
use proptest::prelude::*;
use std::collections::BTreeSet;

const NODES: u16 = 5;
const RUN_MS: u64 = 2_000;

// ---------------------------------------------------------------------------

#[test]
fn the_same_seed_gives_the_same_run() {
    let (first, second) = (run(3, &[], RUN_MS), run(3, &[], RUN_MS));
    assert_eq!(first, second);
    assert!(first.events > 10_000, "something happened: {} events", first.events);
}

#[test]
fn every_seed_gives_another_run() {
    let hashes: BTreeSet<u64> = (0..50).map(|seed| run(seed, &[], 100).trace_hash).collect();
    assert_eq!(hashes.len(), 50);
}

#[test]
fn running_in_small_steps_changes_nothing() {
    let whole = run(4, &[], RUN_MS);
    let mut world = chatter(4);
    for ms in 0..=RUN_MS {
        world.run_until(SimTime::from_ms(ms), &mut ignore);
    }
    assert_eq!(Fingerprint::of(&world), whole);

    let mut world = chatter(4);
    while world.next_event_time().is_some_and(|at| at <= SimTime::from_ms(RUN_MS)) {
        world.step(&mut ignore);
    }
    assert_eq!(Fingerprint::of(&world), whole);
}

#[test]
fn the_trace_hash_of_a_small_world_is_what_it_has_always_been() {
    // It covers streams, pooled messages, datagrams, timers, work, disks, loss,
    // random delays and one fault of each kind. It changes if anything about the
    // order, the times or the random draws of the engine does, and with it every
    // run that anybody has saved or shared: whoever changes it writes down here
    // why. It is the same on every platform.
    //
    // - as first written
    let faults: Vec<Scheduled> = (0..KINDS)
        .map(|kind| Scheduled { at_ms: 50 + 60 * u64::from(kind), for_ms: 150, kind, node: kind % 5 })
        .collect();
    let fingerprint = run(1, &faults, RUN_MS);
    assert_eq!(format!("{:016x}", fingerprint.trace_hash), "c3345439f0700257");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_clone_made_at_any_time_goes_on_to_the_same_end_whatever_faults_there_are(
        seed in any::<u64>(),
        faults in prop::collection::vec(any_fault(), 0..8),
        cloned_at_ms in 0..400_u64,
    ) {
        let end_ms = 400;
        let undivided = run(seed, &faults, end_ms);

        let mut script = Script::new(seed, &faults);
        script.run_until_ms(cloned_at_ms);
        let mut clone = script.clone();
        // The clone runs first, and to another end: that must not show.
        clone.world.begin_fault(FaultKind::Crash { nodes: everyone(), disk_lost: true }, &mut ignore);
        clone.run_until_ms(end_ms);
        let mut second_clone = script.clone();
        second_clone.run_until_ms(end_ms);
        script.run_until_ms(end_ms);

        prop_assert_eq!(Fingerprint::of(&script.world), undivided.clone());
        prop_assert_eq!(Fingerprint::of(&second_clone.world), undivided);
    }
}

// ---------------------------------------------------------------------------
// Running

/// What must be equal if two runs are.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Fingerprint {
    trace_hash: u64,
    events: u64,
    pending: usize,
    heard: Vec<u64>,
}

impl Fingerprint {
    fn of(world: &World<Chatter>) -> Fingerprint {
        Fingerprint {
            trace_hash: world.trace_hash(),
            events: world.events(),
            pending: world.pending_events(),
            heard: world.node_ids().map(|node| world.process(node).heard).collect(),
        }
    }
}

/// A fault that begins and is lifted by schedule.
#[derive(Clone, Copy, Debug)]
struct Scheduled {
    at_ms: u64,
    for_ms: u64,
    kind: u8,
    node: u8,
}

fn any_fault() -> impl Strategy<Value = Scheduled> {
    (0..400_u64, 0..200_u64, 0..KINDS, 0..NODES as u8).prop_map(|(at_ms, for_ms, kind, node)| Scheduled {
        at_ms,
        for_ms,
        kind,
        node,
    })
}

/// How many kinds of fault there are.
const KINDS: u8 = 11;

fn everyone() -> NodeSet {
    NodeSet::new(usize::from(NODES), (0..NODES).map(NodeId))
}

impl Scheduled {
    fn fault(self) -> FaultKind<u32> {
        let nodes = NodeSet::new(usize::from(NODES), [NodeId(self.node.into())]);
        let from = nodes.clone();
        match self.kind {
            0 => FaultKind::Crash { nodes, disk_lost: false },
            1 => FaultKind::Crash { nodes, disk_lost: true },
            2 => FaultKind::Pause { nodes },
            3 => FaultKind::SlowMachine { nodes, factor: 3.0 },
            4 => FaultKind::SlowDisk { nodes, factor: 5.0 },
            5 => FaultKind::Partition {
                group_of: (0..NODES as u8).map(|node| u8::from(node > self.node)).collect(),
            },
            6 => FaultKind::OneWayCut { from, to: everyone() },
            7 => FaultKind::Loss { from, to: everyone(), probability: 0.3 },
            8 => FaultKind::Delay { from, to: everyone(), extra: exponential(0.1) },
            9 => FaultKind::Duplication { from, to: everyone(), probability: 0.3 },
            _ => FaultKind::Control { nodes, begin: 3, lift: 1 },
        }
    }
}

/// A world with the faults that are still to begin or to be lifted.
#[derive(Clone)]
struct Script {
    world: World<Chatter>,
    /// By time, then as given: what begins.
    to_begin: Vec<Scheduled>,
    to_lift: Vec<(u64, FaultId)>,
}

impl Script {
    fn new(seed: u64, faults: &[Scheduled]) -> Script {
        let mut to_begin = faults.to_vec();
        to_begin.sort_by_key(|fault| fault.at_ms);
        Script { world: chatter(seed), to_begin, to_lift: Vec::new() }
    }

    /// Runs to a time, that time's faults included.
    fn run_until_ms(&mut self, end_ms: u64) {
        let now_ms = self.world.now().0 / 1_000_000;
        for ms in now_ms..=end_ms {
            self.world.run_until(SimTime::from_ms(ms), &mut ignore);
            while let Some(due) = self.to_lift.iter().position(|(at_ms, _)| *at_ms <= ms) {
                let (_, fault) = self.to_lift.remove(due);
                self.world.lift_fault(fault, &mut ignore);
            }
            while self.to_begin.first().is_some_and(|fault| fault.at_ms <= ms) {
                let scheduled = self.to_begin.remove(0);
                let fault = self.world.begin_fault(scheduled.fault(), &mut ignore);
                self.to_lift.push((ms + scheduled.for_ms.max(1), fault));
            }
        }
    }
}

fn run(seed: u64, faults: &[Scheduled], end_ms: u64) -> Fingerprint {
    let mut script = Script::new(seed, faults);
    script.run_until_ms(end_ms);
    Fingerprint::of(&script.world)
}

fn ignore(_: SimTime, _: NodeId, _: Heard) {}

fn exponential(rate_per_ms: f64) -> Distribution {
    Distribution::Exponential(Exponential { rate_per_ms })
}

/// Five nodes in two zones that write to each other all the time.
fn chatter(seed: u64) -> World<Chatter> {
    let across = Distribution::Lognormal(Lognormal { median_ms: 1.0, sigma: 0.5 });
    let network = NetworkSpec {
        zones: 2,
        regions: vec![0; 2],
        delays: vec![exponential(5.0), across.clone(), across, exponential(5.0)],
        local_delay: Distribution::constant_ms(0.01),
        class_delays: Vec::new(),
        class_zone_extras: Vec::new(),
        loss: 0.01,
        bandwidth: Some(0.125),
        stream_timeout: SimDuration::from_ms(100),
    };
    let nodes = (0..NODES).map(|node| {
        let spec = machine(&format!("node-{node}"), 1 + node % 2, 10);
        (NodeSpec { zone: (node % 2) as u8, ..spec }, Chatter { heard: 0, rate: 1 })
    });
    World::new(seed, network, nodes.collect())
}

// ---------------------------------------------------------------------------
// The process

/// Writes to a random node at random times; now and then works, or notes what it
/// has heard on its disk.
#[derive(Clone)]
struct Chatter {
    heard: u64,
    /// How many times as often it writes.
    rate: u32,
}

#[derive(Clone, Copy)]
struct Remark {
    transport: Transport,
    hops: u8,
}

#[derive(Clone, Copy)]
struct Heard(u64);

#[derive(Clone, Default)]
struct Count(u64);

impl DiskImage for Count {
    type Record = u64;
    fn apply(&mut self, heard: u64) {
        self.0 = heard;
    }
}

impl Message for Remark {
    fn transport(&self) -> Transport {
        self.transport
    }

    fn class(&self) -> u8 {
        self.hops
    }

    fn bytes(&self) -> u32 {
        1_000
    }
}

impl Output for Heard {
    fn word(&self) -> u64 {
        self.0
    }
}

impl Chatter {
    fn remark(hops: u8, ctx: &mut Context<Self>) {
        let to = NodeId(ctx.random().below(NODES.into()) as u16);
        let transport = match ctx.random().below(3) {
            0 => Transport::Stream,
            1 => Transport::Pooled,
            _ => Transport::Datagram,
        };
        ctx.send(to, Remark { transport, hops });
    }
}

impl Process for Chatter {
    type Message = Remark;
    type Timer = ();
    type Token = u64;
    type Disk = Count;
    type Output = Heard;
    /// The rate.
    type Control = u32;

    fn on_start(&mut self, disk: &Count, ctx: &mut Context<Self>) {
        self.heard = disk.0;
        ctx.set_timer(SimDuration::ZERO, ());
    }

    fn on_message(&mut self, _: NodeId, remark: Remark, ctx: &mut Context<Self>) {
        self.heard += 1;
        match ctx.random().below(8) {
            0 => {
                ctx.disk_append(self.heard);
                ctx.disk_sync(self.heard);
            }
            1 => {
                ctx.disk_append(self.heard);
                ctx.disk_sync_background();
            }
            2 => assert!(ctx.disk_read(self.heard), "few read at once"),
            3 => ctx.submit_work(SimDuration(300_000), self.heard),
            _ if remark.hops > 0 => Chatter::remark(remark.hops - 1, ctx),
            _ => ctx.output(Heard(self.heard)),
        }
    }

    fn on_timer(&mut self, (): (), ctx: &mut Context<Self>) {
        Chatter::remark(2, ctx);
        let gap = exponential(f64::from(self.rate)).sample(ctx.random());
        ctx.set_timer(gap, ());
    }

    fn on_done(&mut self, heard: u64, ctx: &mut Context<Self>) {
        ctx.output(Heard(heard));
    }

    fn on_shed(&mut self, _: NodeId, _: Remark, ctx: &mut Context<Self>) {
        ctx.output(Heard(u64::MAX));
    }

    fn on_broken(&mut self, peer: NodeId, ctx: &mut Context<Self>) {
        ctx.send(peer, Remark { transport: Transport::Stream, hops: 0 });
    }

    fn on_control(&mut self, rate: u32, ctx: &mut Context<Self>) {
        self.rate = rate;
        let wall = ctx.local_time();
        ctx.output(Heard(wall));
    }

    fn service_time(&self, _: NodeId, remark: &Remark, _: SimDuration, stream: &mut Stream) -> SimDuration {
        match remark.hops {
            0 => SimDuration::ZERO,
            _ => exponential(3.0).sample(stream),
        }
    }
}
