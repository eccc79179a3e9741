//! How many events per second the engine processes, on one core.
//!
//! `cargo bench --bench events` measures, each several times in turn, and prints
//! medians: the bare queue (the hold model: take the earliest event, put one
//! back an exponential time later), M/M/1 through the machine model (source,
//! server and sink as nodes of a world), and each cluster of the default
//! scenario alone, as the command line runs it. The ratios to the bare queue
//! compare runs on different machines better than the absolute figures do. With
//! `-- PART`, only those whose name contains that are measured, and the queue.

// A benchmark reads the wall clock; no simulation here sees it.
#![allow(clippy::disallowed_methods)]

use faultline::engine::machine::CORES_UNLIMITED;
use faultline::engine::{
    Context, DiskSpeed, Distribution, EventQueue, Message, NetworkSpec, NodeId, NodeSpec, Output, Process,
    Purpose, SimDuration, SimTime, Stream, Transport, World,
};
use faultline::scenario::presets;
use faultline::session::Session;
use std::hint::black_box;
use std::time::Instant;

/// How often everything is measured; the median is printed.
const REPETITIONS: usize = 7;
const QUEUE_PENDING: [usize; 3] = [256, 4_096, 65_536];
const QUEUE_EVENTS: u64 = 4_000_000;
const MM1_EVENTS: u64 = 4_000_000;
/// How much of the scenario is run before its clusters are measured.
const CLUSTER_WARM_UP: SimTime = SimTime::from_ms(2_000);

fn main() {
    let mut benchmarks: Vec<Benchmark> = Vec::new();
    for pending in QUEUE_PENDING {
        benchmarks.push(Benchmark::new(&format!("queue, {pending} pending"), move || hold(pending)));
    }
    benchmarks.push(Benchmark::new("M/M/1 through the machine model", mm1));
    let scenario = presets::default().scenario().expect("the default scenario is valid");
    for place in 0..scenario.clusters.len() {
        let name = format!("{}, {}", scenario.name, scenario.clusters[place].name());
        benchmarks.push(Benchmark::new(&name, move || cluster(place)));
    }

    if let Some(part) = std::env::args().skip(1).find(|argument| !argument.starts_with("--")) {
        let mut place = 0;
        benchmarks.retain(|benchmark| {
            place += 1;
            place == 1 || benchmark.name.contains(&part)
        });
    }

    // In turn rather than one after the other, so that a busy moment of the
    // machine touches all of them alike.
    for _ in 0..REPETITIONS {
        for benchmark in &mut benchmarks {
            benchmark.repeat();
        }
    }

    let bare = benchmarks[0].median();
    println!("{:<34} {:>12} {:>10} {:>9}", "", "events/s", "ns/event", "to queue");
    for benchmark in &benchmarks {
        let rate = benchmark.median();
        println!("{:<34} {:>12.0} {:>10.1} {:>9.2}", benchmark.name, rate, 1e9 / rate, rate / bare);
    }
}

/// Something that processes events and says how many.
struct Benchmark {
    name: String,
    run: Box<dyn Fn() -> Measured>,
    rates: Vec<f64>,
}

struct Measured {
    events: u64,
    seconds: f64,
}

impl Benchmark {
    fn new(name: &str, run: impl Fn() -> Measured + 'static) -> Benchmark {
        Benchmark { name: name.to_string(), run: Box::new(run), rates: Vec::new() }
    }

    fn repeat(&mut self) {
        let measured = (self.run)();
        self.rates.push(measured.events as f64 / measured.seconds);
    }

    fn median(&self) -> f64 {
        let mut rates = self.rates.clone();
        rates.sort_by(f64::total_cmp);
        rates[rates.len() / 2]
    }
}

/// Times `run`, which returns how many events it processed.
fn timed(run: impl FnOnce() -> u64) -> Measured {
    let began = Instant::now();
    let events = run();
    Measured { events, seconds: began.elapsed().as_secs_f64() }
}

/// The bare queue in the hold model, with `pending` events in it all the time.
fn hold(pending: usize) -> Measured {
    // Drawn before: this measures the queue, not the logarithm.
    let mut stream = Stream::new(1, Purpose::Service, 0);
    let gaps: Vec<SimDuration> =
        (0..1 << 16).map(|_| SimDuration((stream.exponential() * 1e6) as u64)).collect();
    let mut queue: EventQueue<u64> = EventQueue::default();
    for (event, gap) in gaps.iter().take(pending).enumerate() {
        queue.push(SimTime::ZERO + *gap, event as u64);
    }
    let mut drawn = 0;
    let mut holds = |queue: &mut EventQueue<u64>, count: u64| {
        for _ in 0..count {
            let (now, event) = queue.pop().expect("as many events are put back as are taken");
            drawn = (drawn + 1) % gaps.len();
            queue.push(now + gaps[drawn], black_box(event));
        }
        count
    };
    holds(&mut queue, 4 * pending as u64);
    timed(|| holds(&mut queue, QUEUE_EVENTS))
}

/// One cluster of the default scenario, without the others.
fn cluster(place: usize) -> Measured {
    let mut scenario = presets::default().scenario().expect("the default scenario is valid");
    scenario.clusters = vec![scenario.clusters.swap_remove(place)];
    let mut session =
        Session::open(scenario, None, Vec::new(), None).expect("it is valid without the others");
    session.without_checkpoints();
    session.run_until(CLUSTER_WARM_UP);
    let before = session.events();
    timed(|| {
        session.run_until(session.end());
        session.events() - before
    })
}

/// M/M/1 at 80 % load: a source, a server with one core, a sink.
fn mm1() -> Measured {
    let network = NetworkSpec {
        zones: 1,
        regions: vec![0],
        delays: vec![Distribution::constant_ms(0.0)],
        local_delay: Distribution::constant_ms(0.0),
        class_delays: Vec::new(),
        class_zone_extras: Vec::new(),
        loss: 0.0,
        bandwidth: None,
        stream_timeout: SimDuration::from_ms(10_000),
    };
    let node = |name: &str, cores: u16| NodeSpec {
        name: name.to_string(),
        zone: 0,
        cores,
        queue_limit: u32::MAX,
        disk: DiskSpeed::default(),
        clock_offset_ns: 0,
    };
    let mut world = World::new(
        1,
        network,
        vec![
            (node("source", CORES_UNLIMITED), Station::Source),
            (node("server", 1), Station::Server),
            (node("sink", CORES_UNLIMITED), Station::Sink { served: 0 }),
        ],
    );
    let mut observer = |_: SimTime, _: NodeId, _: Nothing| {};
    while world.events() < 100_000 {
        world.step(&mut observer);
    }
    let before = world.events();
    let measured = timed(|| {
        while world.events() < before + MM1_EVENTS {
            world.step(&mut observer);
        }
        world.events() - before
    });
    if let Station::Sink { served } = world.process(NodeId(2)) {
        assert!(*served > MM1_EVENTS / 5, "the sink got what the server served");
    }
    black_box(world.trace_hash());
    measured
}

#[derive(Clone)]
enum Station {
    Source,
    Server,
    Sink { served: u64 },
}

#[derive(Clone)]
struct Customer {
    arrived: SimTime,
}

#[derive(Clone)]
struct Nothing;

impl Output for Nothing {
    fn word(&self) -> u64 {
        0
    }
}

impl Message for Customer {
    fn transport(&self) -> Transport {
        Transport::Pooled
    }

    fn class(&self) -> u8 {
        0
    }

    fn bytes(&self) -> u32 {
        100
    }
}

const MEAN_GAP_NS: f64 = 1_250_000.0;
const MEAN_SERVICE_NS: f64 = 1_000_000.0;

impl Process for Station {
    type Message = Customer;
    type Timer = ();
    type Token = ();
    type Disk = ();
    type Output = Nothing;
    type Control = ();

    fn on_start(&mut self, (): &(), ctx: &mut Context<Self>) {
        if let Station::Source = self {
            ctx.set_timer(SimDuration::ZERO, ());
        }
    }

    fn on_message(&mut self, _: NodeId, customer: Customer, ctx: &mut Context<Self>) {
        match self {
            Station::Server => ctx.send(NodeId(2), customer),
            Station::Sink { served } => {
                black_box(ctx.monotonic().since(customer.arrived));
                *served += 1;
            }
            Station::Source => {}
        }
    }

    fn on_timer(&mut self, (): (), ctx: &mut Context<Self>) {
        let arrived = ctx.monotonic();
        ctx.send(NodeId(1), Customer { arrived });
        let gap = SimDuration((ctx.random().exponential() * MEAN_GAP_NS) as u64);
        ctx.set_timer(gap, ());
    }

    fn on_done(&mut self, (): (), _: &mut Context<Self>) {}
    fn on_shed(&mut self, _: NodeId, _: Customer, _: &mut Context<Self>) {}
    fn on_broken(&mut self, _: NodeId, _: &mut Context<Self>) {}
    fn on_control(&mut self, (): (), _: &mut Context<Self>) {}

    fn service_time(&self, _: NodeId, _: &Customer, _: SimDuration, stream: &mut Stream) -> SimDuration {
        match self {
            Station::Server => SimDuration((stream.exponential() * MEAN_SERVICE_NS) as u64),
            _ => SimDuration::ZERO,
        }
    }
}
