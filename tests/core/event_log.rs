//! The event log: brokers, collectors and members of the consumer group, in worlds of their own.
//!
//! Viewers, and workers as members of the group, are stand-ins. Everything is checked after every single event,
//! over many drawn faults.

use crate::small_world::{machine, network};
use crate::swarm::seeds_asked_for;
use faultline::engine::distribution::Lognormal;
use faultline::engine::fault::GROUP_NONE;
use faultline::engine::{
    Context, DiskImage, Distribution, FaultId, FaultKind, Message, NodeId, NodeSet, Output, Process, Purpose,
    SimDuration, SimTime, Stream, Ticket, Transport, World,
};
use faultline::service::broker::{Broker, BrokerRole};
use faultline::service::collector::Collector;
use faultline::service::event_log::entries::Entry;
use faultline::service::event_log::group::Assignment;
use faultline::service::event_log::record::{LogDisk, LogRecord};
use faultline::service::event_log::replicas_of;
use faultline::service::message::{
    Fetched, LogRefusal, ServiceEvent, ServiceMessage, ServiceTimer, ServiceToken,
};
use faultline::service::settings::{
    Acks, Delivery, Ingest, Log, Nodes, ObjectStoreSpeed, Processing, Reading, ServiceSettings, Stored, Sync,
    Trigger,
};
use faultline::service::tables::{TableSizes, Tables};
use faultline::workload::operation::{Cause, OperationId, OperationKind, Outcome, Request, Response};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

// What the worlds are made of.

#[derive(Clone)]
enum Part {
    Broker(Box<Broker>),
    Collector(Box<Collector>),
    Viewer(Viewer),
    Member(Member),
}

/// Reports views: as many as it is told to, one after the other.
#[derive(Clone)]
struct Viewer {
    collectors: u16,
    sent: u64,
    until: u64,
    every: SimDuration,
    videos: u32,
}

/// Stands in for a worker.
#[derive(Clone)]
struct Member {
    settings: Rc<ServiceSettings>,
    coordinator: NodeId,
    answered: bool,
    epoch: u64,
    owned: Vec<Assignment>,
    /// What it may keep; the rest it gives up after a while.
    target: Vec<Assignment>,
    fetched: Vec<Result<Fetched, LogRefusal>>,
}

#[derive(Clone)]
enum Packet {
    Service(ServiceMessage),
    Request(Request),
    Response(Response),
}

impl From<ServiceMessage> for Packet {
    fn from(message: ServiceMessage) -> Packet {
        Packet::Service(message)
    }
}

impl From<Request> for Packet {
    fn from(request: Request) -> Packet {
        Packet::Request(request)
    }
}

impl From<Response> for Packet {
    fn from(response: Response) -> Packet {
        Packet::Response(response)
    }
}

impl Message for Packet {
    fn transport(&self) -> Transport {
        match self {
            Packet::Service(message) => message.transport(),
            _ => Transport::Pooled,
        }
    }

    fn class(&self) -> u8 {
        match self {
            Packet::Service(message) => message.class(),
            _ => 0,
        }
    }

    fn bytes(&self) -> u32 {
        match self {
            Packet::Service(message) => message.bytes(),
            _ => 100,
        }
    }
}

#[derive(Clone, Copy)]
enum Wake {
    Service(ServiceTimer),
    View,
    GiveUp,
}

impl From<ServiceTimer> for Wake {
    fn from(timer: ServiceTimer) -> Wake {
        Wake::Service(timer)
    }
}

#[derive(Clone, Copy)]
struct Done(ServiceToken);

impl From<ServiceToken> for Done {
    fn from(token: ServiceToken) -> Done {
        Done(token)
    }
}

#[derive(Clone)]
enum Said {
    Service(ServiceEvent),
    Answered(Response),
}

impl From<ServiceEvent> for Said {
    fn from(event: ServiceEvent) -> Said {
        Said::Service(event)
    }
}

impl Output for Said {
    fn word(&self) -> u64 {
        match self {
            Said::Service(event) => event.word(),
            Said::Answered(response) => response.id.0 ^ response.outcome.word(),
        }
    }
}

#[derive(Clone, Default)]
struct Kept(LogDisk);

impl DiskImage for Kept {
    type Record = LogRecord;

    fn apply(&mut self, record: LogRecord) {
        self.0.apply(record);
    }
}

/// What a node is told from outside.
#[derive(Clone)]
enum Say {
    Nothing,
    /// A viewer: so many views more.
    View(u64),
    /// A member: to fetch.
    Fetch {
        broker: NodeId,
        partition: u16,
        offset: u64,
    },
    /// A broker: the operator wants the group assigned anew.
    Rebalance,
    /// A member leaves.
    Leave,
}

impl Process for Part {
    type Message = Packet;
    type Timer = Wake;
    type Token = Done;
    type Disk = Kept;
    type Output = Said;
    type Control = Say;

    fn on_start(&mut self, disk: &Kept, ctx: &mut Context<Self>) {
        match self {
            Part::Broker(broker) => broker.on_start(&disk.0, ctx),
            Part::Collector(collector) => collector.on_start(ctx),
            Part::Viewer(viewer) => ctx.set_timer(viewer.every, Wake::View),
            Part::Member(member) => member.say(ctx),
        }
    }

    fn on_message(&mut self, from: NodeId, packet: Packet, ctx: &mut Context<Self>) {
        match (self, packet) {
            (Part::Broker(broker), Packet::Service(message)) => broker.on_message(from, message, ctx),
            (Part::Collector(collector), Packet::Request(request)) => {
                collector.on_request(from, request, ctx);
            }
            (Part::Collector(collector), Packet::Service(message)) => {
                collector.on_message(from, message, ctx);
            }
            (Part::Viewer(_), Packet::Response(response)) => ctx.output(Said::Answered(response)),
            (Part::Member(member), Packet::Service(message)) => member.on_message(message, ctx),
            _ => {}
        }
    }

    fn on_timer(&mut self, timer: Wake, ctx: &mut Context<Self>) {
        match (self, timer) {
            (Part::Broker(broker), Wake::Service(timer)) => broker.on_timer(timer, ctx),
            (Part::Collector(collector), Wake::Service(timer)) => collector.on_timer(timer, ctx),
            (Part::Viewer(viewer), Wake::View) => viewer.on_timer(ctx),
            (Part::Member(member), Wake::Service(ServiceTimer::MemberHeartbeat)) => member.say(ctx),
            (Part::Member(member), Wake::GiveUp) => {
                let target = member.target.clone();
                member.owned.retain(|owned| target.contains(owned));
            }
            _ => {}
        }
    }

    fn on_done(&mut self, Done(token): Done, ctx: &mut Context<Self>) {
        if let Part::Broker(broker) = self {
            broker.on_token(token, ctx);
        }
    }

    fn on_shed(&mut self, from: NodeId, packet: Packet, ctx: &mut Context<Self>) {
        match (self, packet) {
            (Part::Broker(broker), Packet::Service(message)) => broker.on_shed(from, message, ctx),
            (Part::Collector(collector), Packet::Request(request)) => collector.on_shed(from, request, ctx),
            _ => {}
        }
    }

    fn on_broken(&mut self, _: NodeId, _: &mut Context<Self>) {}

    fn on_control(&mut self, say: Say, ctx: &mut Context<Self>) {
        match (self, say) {
            (Part::Viewer(viewer), Say::View(more)) => {
                viewer.until = viewer.sent + more;
                ctx.set_timer(viewer.every, Wake::View);
            }
            (Part::Member(_), Say::Fetch { broker, partition, offset }) => {
                let ticket = Ticket::default();
                ctx.send(broker, ServiceMessage::Fetch { ticket, partition, offset, views_max: 1_000 });
            }
            (Part::Broker(broker), Say::Rebalance) => broker.rebalance(),
            (Part::Member(member), Say::Leave) => {
                member.owned.clear();
                ctx.send(member.coordinator, ServiceMessage::MemberLeaves);
                member.answered = true;
                member.coordinator = ctx.id();
            }
            _ => {}
        }
    }

    fn service_time(&self, _: NodeId, packet: &Packet, _: SimDuration, stream: &mut Stream) -> SimDuration {
        match (self, packet) {
            (Part::Broker(broker), Packet::Service(message)) => broker.service_time(message, stream),
            (Part::Collector(collector), Packet::Request(_)) => collector.service_time(stream),
            _ => SimDuration::ZERO,
        }
    }
}

impl Viewer {
    fn on_timer(&mut self, ctx: &mut Context<Part>) {
        if self.sent == self.until {
            return;
        }
        self.sent += 1;
        let id = OperationId::new(u32::from(ctx.id().0), u64::from(ctx.incarnation()) << 24 | self.sent);
        let video = ctx.random().below(self.videos);
        let request =
            Request { after: ctx.monotonic().0, ..Request::point(id, OperationKind::Write, video, 100) };
        // Collectors stand right before the viewers.
        let collector = NodeId(ctx.id().0 - 1 - ctx.random().below(self.collectors.into()) as u16);
        ctx.send(collector, request);
        let wait = self.every.scaled(0.5 + ctx.random().unit());
        ctx.set_timer(wait, Wake::View);
    }
}

impl Member {
    fn say(&mut self, ctx: &mut Context<Part>) {
        if self.coordinator == ctx.id() {
            return;
        }
        if !self.answered {
            self.coordinator = self.next_coordinator();
        }
        self.answered = false;
        let owned = self.owned.as_slice().into();
        ctx.send(self.coordinator, ServiceMessage::MemberAlive { epoch: self.epoch, owned });
        ctx.set_timer(self.settings.log.member_heartbeat, ServiceTimer::MemberHeartbeat);
    }

    fn next_coordinator(&self) -> NodeId {
        let all: Vec<NodeId> = replicas_of(&self.settings, 0).collect();
        let at = all.iter().position(|node| *node == self.coordinator).unwrap_or(0);
        all[(at + 1) % all.len()]
    }

    fn on_message(&mut self, message: ServiceMessage, ctx: &mut Context<Part>) {
        match message {
            ServiceMessage::Assigned { epoch, target } => {
                self.answered = true;
                if epoch <= self.epoch {
                    return;
                }
                self.epoch = epoch;
                self.target = target.to_vec();
                let news = target.iter().filter(|target| !self.owned.contains(target)).copied();
                let news: Vec<Assignment> = news.collect();
                self.owned.retain(|owned| news.iter().all(|new| new.partition != owned.partition));
                self.owned.extend(news);
                let after = SimDuration::from_ms(ctx.random().below(60).into());
                ctx.set_timer(after, Wake::GiveUp);
            }
            ServiceMessage::NotCoordinator { hint } => {
                self.answered = hint.is_some();
                self.coordinator = hint.unwrap_or(self.coordinator);
            }
            ServiceMessage::Fetched { outcome, .. } => self.fetched.push(outcome),
            _ => {}
        }
    }
}

/// What a world is built by.
#[derive(Clone)]
struct Choice {
    brokers: u16,
    replication: usize,
    partitions: u16,
    collectors: u16,
    members: u16,
    acks: Acks,
    is_idempotent: bool,
    sync: Sync,
    cores: u16,
    linger_ms: f64,
    retention_views: u64,
    retention_ms: u64,
    delivery_timeout_ms: u64,
    election_timeout_ms: u64,
    view_every_us: u64,
    views: u64,
    videos: u32,
    buffer_views: usize,
}

const PLAIN: Choice = Choice {
    brokers: 3,
    replication: 3,
    partitions: 4,
    collectors: 2,
    members: 0,
    acks: Acks::All,
    is_idempotent: true,
    sync: Sync::EveryBatch,
    cores: 2,
    linger_ms: 5.0,
    retention_views: 1_000_000,
    retention_ms: 600_000,
    delivery_timeout_ms: 20_000,
    election_timeout_ms: 600,
    view_every_us: 1_000,
    views: u64::MAX,
    videos: 100,
    buffer_views: 20_000,
};

impl Choice {
    fn broker(&self, number: u16) -> NodeId {
        NodeId(number)
    }

    fn collector(&self, number: u16) -> NodeId {
        NodeId(self.brokers + number)
    }

    fn viewer(&self) -> NodeId {
        NodeId(self.brokers + self.collectors)
    }

    fn member(&self, number: u16) -> NodeId {
        NodeId(self.brokers + self.collectors + 1 + number)
    }

    fn settings(&self) -> ServiceSettings {
        let ms = SimDuration::from_ms;
        let sizes = TableSizes {
            videos: 100,
            windows: 1,
            window: ms(60_000),
            sub_counts: 4,
            raw_slots: 0,
            videos_per_channel: 10,
            partitions: self.partitions.into(),
            ranks: 0,
            has_metadata: false,
            has_counts: true,
        };
        ServiceSettings {
            tables: Tables::new(sizes),
            metadata_tables: Tables::new(sizes),
            nodes: Nodes {
                collectors: (0..self.collectors).map(|number| self.collector(number)).collect(),
                brokers: (0..self.brokers).map(|number| self.broker(number)).collect(),
                workers: (0..self.members).map(|number| self.member(number)).collect(),
                readers: Vec::new(),
                object_store: NodeId(0),
                database: Vec::new(),
                metadata: Vec::new(),
            },
            ingest: Ingest {
                acks: self.acks,
                is_idempotent: self.is_idempotent,
                batch_views: 20,
                linger: SimDuration::from_ms_f64(self.linger_ms),
                request_timeout: ms(400),
                delivery_timeout: ms(self.delivery_timeout_ms),
                buffer_views: self.buffer_views,
                service: Distribution::constant_ms(0.01),
                hot_share: 0.2,
            },
            log: Log {
                partitions: self.partitions,
                replication: self.replication,
                sync: self.sync,
                retention: ms(self.retention_ms),
                retention_views: self.retention_views,
                election_timeout: ms(self.election_timeout_ms),
                heartbeat: ms(100),
                batch_service: Distribution::Lognormal(Lognormal { median_ms: 0.02, sigma: 0.5 }),
                view_service: SimDuration(500),
                fetch_wait: ms(300),
                member_heartbeat: ms(150),
                session_timeout: ms(1_000),
            },
            processing: Processing {
                delivery: Delivery::AtLeastOnce,
                stored: Stored::Aggregates,
                trigger: Trigger::Stream,
                aggregates: true,
                flush_every: ms(100),
                checkpoint_every: ms(1_000),
                lateness: ms(1_000),
                fetch_views: 1_000,
                service: Distribution::constant_ms(0.01),
                dedup_views: 0,
                lookups: None,
                buffer_rows: 1_000,
                spill_rows: 1_000,
                writes_in_flight: 16,
                write_timeout: ms(1_000),
                backoff_first: ms(10),
                backoff_max: ms(1_000),
                dead_letters: true,
                writes_tops: false,
                hot_windows: None,
                tag_every: 100,
            },
            reading: Reading {
                cache_entries: 0,
                cache_ttl: ms(0),
                range_windows: 1,
                top_videos: 1,
                is_tolerant: true,
                joins: false,
                service: Distribution::constant_ms(0.01),
                timeout: ms(1_000),
            },
            object_store: ObjectStoreSpeed { first_byte: Distribution::constant_ms(20.0), mb_per_s: 50.0 },
        }
    }
}

/// An entry that some replica knew to be committed.
struct Known {
    entry: Entry,
    /// Of its first view.
    base: u64,
}

/// A world, and what has to hold in it.
struct Checked {
    choice: Choice,
    world: World<Part>,
    said: Vec<(SimTime, NodeId, Said)>,
    seen: usize,
    /// By partition: the log, as far as anybody knew it to be committed.
    logs: Vec<Vec<Known>>,
    /// By broker and partition: up to where it was compared.
    compared: Vec<Vec<u64>>,
    /// By partition and producer: the last sequence in the log.
    sequences: BTreeMap<(u16, u64), u32>,
    /// Views in the log.
    views: BTreeSet<(OperationId, u16, u64)>,
    answered: BTreeMap<OperationId, Response>,
    /// Whether what was acknowledged may be missing.
    may_lose: bool,
}

impl Checked {
    fn new(seed: u64, choice: Choice) -> Checked {
        let settings = Rc::new(choice.settings());
        let mut nodes = Vec::new();
        for number in 0..choice.brokers {
            let broker = Broker::new(Rc::clone(&settings), number.into());
            let spec = machine(&format!("broker-{number}"), choice.cores, 10_000);
            nodes.push((spec, Part::Broker(Box::new(broker))));
        }
        for number in 0..choice.collectors {
            let collector = Collector::new(Rc::clone(&settings), number.into());
            let spec = machine(&format!("collector-{number}"), 2, 10_000);
            nodes.push((spec, Part::Collector(Box::new(collector))));
        }
        let viewer = Viewer {
            collectors: choice.collectors,
            sent: 0,
            until: choice.views,
            every: SimDuration(choice.view_every_us * 1_000),
            videos: choice.videos,
        };
        nodes.push((machine("viewer", 1, 100_000), Part::Viewer(viewer)));
        for number in 0..choice.members {
            let member = Member {
                settings: Rc::clone(&settings),
                coordinator: choice.broker(0),
                answered: true,
                epoch: 0,
                owned: Vec::new(),
                target: Vec::new(),
                fetched: Vec::new(),
            };
            nodes.push((machine(&format!("member-{number}"), 1, 1_000), Part::Member(member)));
        }
        let delay = Distribution::Lognormal(Lognormal { median_ms: 0.2, sigma: 0.5 });
        let partitions = usize::from(choice.partitions) + 1;
        Checked {
            world: World::new(seed, network(delay), nodes),
            said: Vec::new(),
            seen: 0,
            logs: (0..partitions).map(|_| Vec::new()).collect(),
            compared: vec![vec![0; partitions]; choice.brokers.into()],
            sequences: BTreeMap::new(),
            views: BTreeSet::new(),
            answered: BTreeMap::new(),
            may_lose: choice.acks != Acks::All || choice.sync != Sync::EveryBatch,
            choice,
        }
    }

    fn run_until_ms(&mut self, ms: u64) {
        let until = SimTime::from_ms(ms);
        while self.world.next_event_time().is_some_and(|time| time <= until) {
            let said = &mut self.said;
            self.world.step(&mut |at, node, what| said.push((at, node, what)));
            self.check();
        }
        self.world.run_until(until, &mut |_, _, _| unreachable!("everything due has happened"));
    }

    fn begin(&mut self, kind: FaultKind<Say>) -> FaultId {
        let said = &mut self.said;
        self.world.begin_fault(kind, &mut |at, node, what| said.push((at, node, what)))
    }

    fn lift(&mut self, fault: FaultId) {
        let said = &mut self.said;
        self.world.lift_fault(fault, &mut |at, node, what| said.push((at, node, what)));
    }

    fn tell(&mut self, node: NodeId, say: Say) {
        let nodes = self.set(&[node]);
        let fault = self.begin(FaultKind::Control { nodes, begin: say, lift: Say::Nothing });
        self.lift(fault);
    }

    fn set(&self, nodes: &[NodeId]) -> NodeSet {
        NodeSet::new(self.world.node_count(), nodes.iter().copied())
    }

    fn crash(&mut self, node: NodeId, disk_lost: bool) -> FaultId {
        let nodes = self.set(&[node]);
        self.begin(FaultKind::Crash { nodes, disk_lost })
    }

    /// Cuts all ways between these nodes and the other brokers.
    fn cut_off_from_brokers(&mut self, node: NodeId) -> [FaultId; 2] {
        let others: Vec<NodeId> =
            (0..self.choice.brokers).map(NodeId).filter(|other| *other != node).collect();
        let (node, others) = (self.set(&[node]), self.set(&others));
        [
            self.begin(FaultKind::OneWayCut { from: node.clone(), to: others.clone() }),
            self.begin(FaultKind::OneWayCut { from: others, to: node }),
        ]
    }

    fn broker(&self, number: u16) -> &Broker {
        match self.world.process(NodeId(number)) {
            Part::Broker(broker) => broker,
            _ => panic!("{number} is a broker"),
        }
    }

    fn member(&self, number: u16) -> &Member {
        match self.world.process(self.choice.member(number)) {
            Part::Member(member) => member,
            _ => panic!("{number} is a member"),
        }
    }

    fn collector(&self, number: u16) -> &Collector {
        match self.world.process(self.choice.collector(number)) {
            Part::Collector(collector) => collector,
            _ => panic!("{number} is a collector"),
        }
    }

    fn views_sent(&self) -> u64 {
        match self.world.process(self.choice.viewer()) {
            Part::Viewer(viewer) => viewer.sent,
            _ => panic!("there is a viewer"),
        }
    }

    fn brokers(&self) -> impl Iterator<Item = u16> + use<> {
        0..self.choice.brokers
    }

    fn all_partitions(&self) -> impl Iterator<Item = u16> + use<> {
        0..=self.choice.partitions
    }

    /// The leader of the latest term.
    fn leader(&self, partition: u16) -> Option<u16> {
        let leads = |number: &u16| {
            let is_up = !self.world.body(NodeId(*number)).is_down();
            is_up && self.broker(*number).role(partition) == BrokerRole::Leader
        };
        self.brokers().filter(leads).max_by_key(|number| self.broker(*number).term(partition))
    }

    fn count(&self, wanted: impl Fn(&ServiceEvent) -> bool) -> usize {
        let events = self.said.iter().filter_map(|(_, _, what)| match what {
            Said::Service(event) => Some(event),
            Said::Answered(_) => None,
        });
        events.filter(|event| wanted(event)).count()
    }

    fn answered_ok(&self) -> usize {
        self.answered.values().filter(|response| response.outcome.is_ok()).count()
    }

    /// Views that were acknowledged and are not in the log (any more).
    fn lost(&self) -> Vec<OperationId> {
        let mut kept = BTreeSet::new();
        for partition in self.all_partitions() {
            let leader = self.leader(partition).expect("one leads");
            for entry in self.broker(leader).committed_entries(partition) {
                kept.extend(entry.stored.batch.views.iter().map(|view| view.id));
            }
        }
        let acknowledged = self.answered.values().filter(|response| response.outcome.is_ok());
        acknowledged.map(|response| response.id).filter(|id| !kept.contains(id)).collect()
    }

    /// Where a view is in the log.
    fn places(&self, id: OperationId) -> impl Iterator<Item = &(OperationId, u16, u64)> {
        self.views.range((id, 0, 0)..=(id, u16::MAX, u64::MAX))
    }

    fn is_there(&self, response: &Response) -> bool {
        let offset = response.result.version.checked_sub(1);
        self.places(response.id).any(|(_, _, at)| offset == Some(*at))
    }

    // What must hold at every moment.

    fn check(&mut self) {
        for number in self.brokers() {
            for partition in self.all_partitions() {
                self.compare(number, partition);
            }
        }
        while let Some((at, _, what)) = self.said.get(self.seen).cloned() {
            self.seen += 1;
            if let Said::Answered(response) = what {
                if response.outcome.is_ok() && !self.may_lose {
                    assert!(self.is_there(&response), "{:?} was acknowledged at {at}", response.id);
                }
                let before = self.answered.insert(response.id, response);
                assert_eq!(before, None, "{:?} was answered twice, at {at}", response.id);
            }
        }
        self.check_owners();
    }

    /// Committed prefixes agree, and have each view once, in the order in which it was produced.
    fn compare(&mut self, number: u16, partition: u16) {
        let (now, place) = (self.world.now(), usize::from(partition));
        let Part::Broker(broker) = self.world.process(NodeId(number)) else { return };
        let Some(replica) = broker.replica(partition) else { return };
        let compared = self.compared[usize::from(number)][place].min(replica.committed());
        let from = compared.max(replica.entries().first());
        for at in from..replica.committed() {
            let entry = replica.entries().get(at).expect("it is kept").clone();
            let known = self.logs[place].get(at as usize);
            if self.may_lose {
                continue;
            }
            if let Some(known) = known {
                let is_same = known.entry.term == entry.term && known.base == entry.stored.base;
                let is_same = is_same && known.entry.stored.batch == entry.stored.batch;
                assert!(is_same, "entry {at} of {partition} at {number} is another, {now}");
                continue;
            }
            let expected = self.logs[place].last().map_or(0, |last| last.entry.end());
            assert_eq!(self.logs[place].len() as u64, at, "nobody knew entry {at} of {partition}, {now}");
            assert_eq!(expected, entry.stored.base, "offsets of {partition} have a hole at {now}");
            let batch = &entry.stored.batch;
            if batch.producer != 0 {
                let last = self.sequences.insert((partition, batch.producer), batch.sequence).unwrap_or(0);
                assert_eq!(last + 1, batch.sequence, "producer {:x} in {partition} at {now}", batch.producer);
            }
            for (view, offset) in batch.views.iter().zip(entry.stored.base..) {
                let is_first = self.places(view.id).next().is_none();
                assert!(
                    is_first || !self.choice.is_idempotent,
                    "{:?} is in the log again, in {partition} at {offset}, at {now}",
                    view.id
                );
                self.views.insert((view.id, partition, offset));
            }
            self.logs[place].push(Known { base: entry.stored.base, entry });
        }
        self.compared[usize::from(number)][place] = replica.committed();
    }

    /// No two members have a partition by the same generation.
    fn check_owners(&self) {
        let mut owners = BTreeSet::new();
        for number in 0..self.choice.members {
            for owned in &self.member(number).owned {
                let is_first = owners.insert((owned.partition, owned.generation));
                assert!(is_first, "{owned:?} has two owners at {}", self.world.now());
            }
        }
    }

    /// When nothing is broken any more and nothing new comes.
    fn check_healed(&self) {
        let now = self.world.now();
        for partition in self.all_partitions() {
            let leader = self.leader(partition).expect("one leads when all is healed");
            let (leader, place) = (self.broker(leader), usize::from(partition));
            let end = leader.replica(partition).expect("it leads").entries().end();
            let known = self.logs[place].len() as u64;
            assert!(self.may_lose || known == end, "all of {partition} is committed at {now}");
            for number in self.brokers() {
                let Some(replica) = self.broker(number).replica(partition) else { continue };
                assert_eq!(replica.committed(), end, "{number} has all of {partition} at {now}");
                assert_eq!(replica.entries().end(), end, "{number} has no more of {partition} at {now}");
            }
        }
        for number in 0..self.choice.collectors {
            assert_eq!(self.collector(number).held_views(), 0, "collector {number} holds views at {now}");
        }
    }

    /// Every partition has one owner, and members have as many as each other.
    fn check_group_healed(&self) {
        let now = self.world.now();
        if self.choice.members == 0 {
            return;
        }
        let members: Vec<u16> = (0..self.choice.members)
            .filter(|number| self.member(*number).coordinator != self.choice.member(*number))
            .collect();
        let mut counts = Vec::new();
        let mut owners = BTreeMap::new();
        for number in members {
            let owned = &self.member(number).owned;
            counts.push(owned.len());
            for assignment in owned {
                let before = owners.insert(assignment.partition, number);
                assert_eq!(before, None, "{assignment:?} has a second owner, {number}, at {now}");
            }
        }
        assert_eq!(owners.len(), usize::from(self.choice.partitions), "owners at {now}: {owners:?}");
        let (most, least) = (counts.iter().max(), counts.iter().min());
        assert!(most.unwrap_or(&0) - least.unwrap_or(&0) <= 1, "members have {counts:?} at {now}");
    }
}

// Drawn faults.

struct Dice(Stream);

impl Dice {
    fn new(seed: u64) -> Dice {
        Dice(Stream::new(seed, Purpose::Swarm, 31))
    }

    fn below(&mut self, bound: u32) -> u32 {
        self.0.below(bound)
    }

    fn between(&mut self, low: u64, high: u64) -> u64 {
        low + u64::from(self.0.below((high - low + 1) as u32))
    }

    fn one_in(&mut self, n: u32) -> bool {
        self.below(n) == 0
    }
}

const FAULTS_END_MS: u64 = 8_000;
const HEALED_MS: u64 = FAULTS_END_MS + 14_000;

fn draw_choice(dice: &mut Dice) -> Choice {
    let brokers = 3 + dice.below(3) as u16;
    Choice {
        brokers,
        replication: if brokers == 5 && dice.one_in(2) { 5 } else { 3 },
        partitions: 1 + dice.below(6) as u16,
        collectors: 1 + dice.below(3) as u16,
        members: dice.below(5) as u16,
        is_idempotent: !dice.one_in(4),
        cores: 1 + dice.below(3) as u16,
        linger_ms: [0.0, 2.0, 5.0, 20.0][dice.below(4) as usize],
        retention_views: if dice.one_in(3) { dice.between(50, 500) } else { 1_000_000 },
        retention_ms: if dice.one_in(4) { dice.between(500, 3_000) } else { 600_000 },
        delivery_timeout_ms: if dice.one_in(2) { dice.between(500, 2_000) } else { 20_000 },
        election_timeout_ms: dice.between(200, 800),
        view_every_us: dice.between(700, 5_000),
        ..PLAIN
    }
}

fn draw_fault(dice: &mut Dice, checked: &Checked, hit: u16) -> (u64, u64, FaultKind<Say>) {
    let some = |dice: &mut Dice, at_most: u32| {
        let count = 1 + dice.below(at_most);
        let some: Vec<NodeId> = (0..count).map(|_| NodeId(dice.below(hit.into()) as u16)).collect();
        checked.set(&some)
    };
    // But the viewer: a stand-in for many, it would send more than a stalled connection holds.
    let viewer = checked.choice.viewer();
    let everybody: Vec<NodeId> = checked.world.node_ids().filter(|node| *node != viewer).collect();
    let everybody = checked.set(&everybody);
    let kind = match dice.below(14) {
        0..=3 => FaultKind::Crash { nodes: some(dice, 2), disk_lost: false },
        4 => FaultKind::Crash { nodes: some(dice, 5), disk_lost: false },
        5 | 6 => FaultKind::Pause { nodes: some(dice, 2) },
        7 => {
            let mut group_of: Vec<u8> = checked.world.node_ids().map(|_| dice.below(2) as u8).collect();
            group_of[viewer.index()] = GROUP_NONE;
            FaultKind::Partition { group_of: group_of.into() }
        }
        8 => FaultKind::OneWayCut { from: some(dice, 2), to: everybody },
        9 => FaultKind::OneWayCut { from: everybody, to: some(dice, 2) },
        10 => FaultKind::OneWayCut { from: some(dice, 2), to: some(dice, 2) },
        11 => {
            let probability = 0.02 + 0.3 * dice.0.unit();
            FaultKind::Loss { from: everybody.clone(), to: everybody, probability }
        }
        12 => {
            let extra = Distribution::Lognormal(Lognormal { median_ms: 20.0, sigma: 1.5 });
            FaultKind::Delay { from: everybody.clone(), to: everybody, extra }
        }
        _ => FaultKind::SlowDisk { nodes: some(dice, 1), factor: 2.0 + 100.0 * dice.0.unit() },
    };
    let at = dice.between(0, FAULTS_END_MS - 100);
    (at, dice.between(at + 10, (at + 3_000).min(FAULTS_END_MS)), kind)
}

/// Lets all that happens happen, in order.
fn suffer(checked: &mut Checked, faults: Vec<(u64, u64, FaultKind<Say>)>) {
    let mut active: Vec<Option<FaultId>> = vec![None; faults.len()];
    let mut moments: Vec<(u64, usize, bool)> = Vec::new();
    for (fault, (begins, ends, _)) in faults.iter().enumerate() {
        moments.extend([(*begins, fault, true), (*ends, fault, false)]);
    }
    moments.sort_unstable_by_key(|(at, fault, begins)| (*at, *fault, !begins));
    for (at, fault, begins) in moments {
        checked.run_until_ms(at);
        if begins {
            active[fault] = Some(checked.begin(faults[fault].2.clone()));
        } else if let Some(id) = active[fault].take() {
            checked.lift(id);
        }
        checked.check();
    }
}

/// Nothing that was acknowledged is lost, nothing is there twice, and all heals: whatever crashes, as long as
/// disks last.
fn log_holds(seed: u64) {
    let mut dice = Dice::new(seed);
    let choice = draw_choice(&mut dice);
    let mut checked = Checked::new(seed, choice.clone());
    let only_brokers = dice.one_in(2);
    let hit = if only_brokers { choice.brokers } else { checked.world.node_count() as u16 };
    let count = 1 + dice.below(12);
    let faults = (0..count).map(|_| draw_fault(&mut dice, &checked, hit)).collect();
    suffer(&mut checked, faults);
    checked.run_until_ms(FAULTS_END_MS + 1_000);
    checked.tell(choice.viewer(), Say::View(0));
    checked.run_until_ms(HEALED_MS);
    checked.check_healed();
    checked.check_group_healed();
    let answered = checked.answered.len() as u64;
    let sent = checked.views_sent();
    assert!(!only_brokers || answered == sent, "{answered} of {sent} viewers have answers");
    assert!(checked.answered_ok() > 0, "something was acknowledged");
}

/// Runs every seed and says which ones failed.
fn every_seed(seeds: std::ops::Range<u64>) {
    let mut failed = Vec::new();
    for seed in seeds {
        if std::panic::catch_unwind(|| log_holds(seed)).is_err() {
            failed.push(seed);
        }
    }
    assert!(failed.is_empty(), "{} seeds failed: {failed:?}", failed.len());
}

#[test]
fn nothing_acknowledged_is_lost_or_there_twice_whatever_crashes() {
    every_seed(1..41);
}

/// With `FAULTLINE_SWARM_SEED` and `FAULTLINE_SWARM_RUNS`.
#[test]
#[ignore = "as many runs as asked for"]
fn event_log_many() {
    every_seed(seeds_asked_for());
}

// What it does when.

#[test]
fn every_view_is_acknowledged_soon_and_has_its_place() {
    for acks in [Acks::None, Acks::Leader, Acks::All] {
        let mut checked = Checked::new(1, Choice { acks, ..PLAIN });
        checked.run_until_ms(3_000);
        checked.tell(checked.choice.viewer(), Say::View(0));
        checked.run_until_ms(4_000);
        checked.check_healed();
        assert!(checked.views_sent() > 2_500);
        assert_eq!(checked.answered_ok() as u64, checked.views_sent(), "{acks:?}");
        // What comes before the first election is lost where nobody waits for an answer.
        let lost = checked.lost().len();
        assert!(lost == 0 || (acks == Acks::None && lost < 50), "{acks:?}: {lost} lost");
    }
}

#[test]
fn partitions_are_led_by_their_first_replicas() {
    let mut checked = Checked::new(1, PLAIN);
    checked.run_until_ms(1_000);
    for partition in checked.all_partitions() {
        assert_eq!(checked.leader(partition), Some(partition % 3));
    }
    assert_eq!(checked.count(|event| matches!(event, ServiceEvent::Leads { .. })), 5);
}

/// What is lost of what was acknowledged when the leader of a partition crashes right after an acknowledgement.
fn lost_with_a_leader(seed: u64, choice: Choice) -> usize {
    let mut checked = Checked::new(seed, choice);
    checked.run_until_ms(1_000);
    // Nobody copies from it any more, and a moment later it is gone.
    let cut = checked.cut_off_from_brokers(NodeId(0));
    checked.run_until_ms(1_100);
    let crash = checked.crash(NodeId(0), false);
    checked.run_until_ms(2_000);
    for fault in cut {
        checked.lift(fault);
    }
    checked.run_until_ms(4_000);
    checked.lift(crash);
    checked.tell(checked.choice.viewer(), Say::View(0));
    checked.run_until_ms(12_000);
    checked.check_healed();
    checked.lost().len()
}

#[test]
fn a_crash_of_the_leader_costs_what_producers_did_not_wait_for() {
    let lost = |acks| lost_with_a_leader(1, Choice { acks, ..PLAIN });
    assert_eq!(lost(Acks::All), 0);
    let (leader, none) = (lost(Acks::Leader), lost(Acks::None));
    assert!(leader > 10, "{leader} acknowledged by the leader alone are lost");
    assert!(none > leader, "{none} are lost if nobody waits, {leader} if the leader has to answer");
}

#[test]
fn a_group_gives_every_partition_to_one_member() {
    let mut checked = Checked::new(1, Choice { members: 3, partitions: 8, ..PLAIN });
    checked.run_until_ms(1_500);
    checked.check_group_healed();
}

#[test]
fn a_group_moves_what_it_must_when_a_member_leaves_or_an_operator_wants_it() {
    let mut checked = Checked::new(1, Choice { members: 3, partitions: 8, ..PLAIN });
    checked.run_until_ms(1_550);
    let owned = |checked: &Checked, number| checked.member(number).owned.clone();
    let before = owned(&checked, 0);
    checked.tell(checked.choice.member(2), Say::Leave);
    checked.run_until_ms(3_000);
    checked.check_group_healed();
    let kept = owned(&checked, 0);
    assert!(before.iter().all(|assignment| kept.contains(assignment)), "{before:?} became {kept:?}");
    checked.tell(NodeId(0), Say::Rebalance);
    checked.run_until_ms(4_500);
    checked.check_group_healed();
    let moved = owned(&checked, 0);
    assert!(moved.iter().all(|assignment| !kept.contains(assignment)), "{kept:?} became {moved:?}");
}

#[test]
fn a_fetch_gets_what_is_committed_and_waits_for_it() {
    let mut checked = Checked::new(1, Choice { members: 1, views: 500, ..PLAIN });
    checked.run_until_ms(2_000);
    let end = checked.broker(0).committed_offset(0);
    let fetch = |offset| Say::Fetch { broker: NodeId(0), partition: 0, offset };
    for offset in [0, 7, end + 10, end] {
        checked.tell(checked.choice.member(0), fetch(offset));
        checked.run_until_ms(checked.world.now().as_ms_f64() as u64 + 200);
    }
    let views =
        |fetched: &Fetched| fetched.batches.iter().map(|stored| stored.batch.views.len()).sum::<usize>();
    let outcomes = &checked.member(0).fetched;
    // What has nothing to get waits still.
    assert_eq!(outcomes.len(), 3, "{outcomes:?}");
    assert_eq!(views(outcomes[0].as_ref().expect("it is there")) as u64, end);
    let second = outcomes[1].as_ref().expect("it is there");
    assert!(second.batches[0].base <= 7 && (views(second) as u64) < end);
    assert_eq!(outcomes[2].as_ref().err(), Some(&LogRefusal::NeverWritten { end }));
    checked.run_until_ms(4_000);
    let last = checked.member(0).fetched[3].as_ref().expect("it waited long enough");
    assert_eq!((last.batches.len(), last.committed), (0, end));
}

/// What is lost when all brokers lose power at once.
fn lost_with_the_power(choice: Choice) -> usize {
    let mut checked = Checked::new(1, choice);
    checked.run_until_ms(1_430);
    let all: Vec<NodeId> = checked.brokers().map(NodeId).collect();
    let nodes = checked.set(&all);
    let crash = checked.begin(FaultKind::Crash { nodes, disk_lost: false });
    checked.run_until_ms(1_500);
    checked.lift(crash);
    checked.tell(checked.choice.viewer(), Say::View(0));
    checked.run_until_ms(8_000);
    checked.check_healed();
    checked.lost().len()
}

#[test]
fn what_was_acknowledged_from_memory_is_lost_with_the_power_of_all() {
    assert_eq!(lost_with_the_power(PLAIN), 0);
    let interval = Sync::Interval(SimDuration::from_ms(250));
    let lost = lost_with_the_power(Choice { sync: interval, ..PLAIN });
    assert!((50..400).contains(&lost), "{lost} lost");
    // A crash of one broker costs nothing: two have it in memory.
    assert_eq!(lost_with_a_leader(1, Choice { sync: interval, ..PLAIN }), 0);
}

/// The checks of the drawn runs would find it.
#[test]
fn the_checks_see_that_acknowledged_views_are_lost() {
    let lossy = Choice { sync: Sync::Interval(SimDuration::from_ms(250)), ..PLAIN };
    let seen = std::panic::catch_unwind(|| {
        let mut checked = Checked::new(1, lossy);
        checked.may_lose = false;
        checked.run_until_ms(1_430);
        let all: Vec<NodeId> = checked.brokers().map(NodeId).collect();
        let nodes = checked.set(&all);
        let crash = checked.begin(FaultKind::Crash { nodes, disk_lost: false });
        checked.run_until_ms(1_500);
        checked.lift(crash);
        checked.run_until_ms(8_000);
    });
    assert!(seen.is_err());
}

#[test]
fn the_preferred_replica_leads_again_after_a_while() {
    let mut checked = Checked::new(1, PLAIN);
    checked.run_until_ms(1_000);
    let crash = checked.crash(NodeId(0), false);
    checked.run_until_ms(3_000);
    assert_ne!(checked.leader(0), Some(0));
    checked.lift(crash);
    checked.run_until_ms(8_000);
    assert_ne!(checked.leader(0), Some(0), "not at once");
    checked.run_until_ms(12_000);
    assert_eq!(checked.leader(0), Some(0));
    let term = checked.broker(0).term(0);
    checked.tell(checked.choice.viewer(), Say::View(0));
    checked.run_until_ms(14_000);
    checked.check_healed();
    assert_eq!(checked.broker(0).term(0), term, "and stays the leader");
    assert_eq!(checked.answered_ok() as u64, checked.views_sent());
}

#[test]
fn who_comes_back_after_a_cut_deposes_nobody() {
    let mut checked = Checked::new(1, PLAIN);
    checked.run_until_ms(1_000);
    // It leads partitions 2 and follows in the others.
    let cut = checked.cut_off_from_brokers(NodeId(2));
    checked.run_until_ms(5_000);
    for fault in cut {
        checked.lift(fault);
    }
    checked.run_until_ms(7_000);
    for partition in [0, 1, 3, 4] {
        assert_eq!((checked.leader(partition), checked.broker(2).term(partition)), (Some(partition % 3), 1));
    }
}

#[test]
fn a_replica_without_its_disk_votes_when_it_has_everything_again() {
    let mut checked = Checked::new(1, PLAIN);
    checked.run_until_ms(1_000);
    let lost = checked.crash(NodeId(2), true);
    checked.run_until_ms(1_050);
    let leader = checked.crash(NodeId(0), false);
    checked.run_until_ms(1_100);
    // The other one has what was acknowledged; the empty one must not make itself or anybody else leader.
    checked.lift(lost);
    checked.run_until_ms(5_000);
    assert_ne!(checked.leader(0), Some(2));
    checked.lift(leader);
    checked.tell(checked.choice.viewer(), Say::View(0));
    checked.run_until_ms(25_000);
    checked.check_healed();
    assert_eq!(checked.lost(), Vec::new());
}

#[test]
fn what_is_too_old_or_too_much_is_dropped_everywhere() {
    for (retention_ms, retention_views) in [(1_000, 1_000_000), (600_000, 300)] {
        let mut checked = Checked::new(1, Choice { retention_ms, retention_views, ..PLAIN });
        checked.run_until_ms(3_000);
        let crash = checked.crash(NodeId(1), false);
        checked.run_until_ms(8_000);
        checked.lift(crash);
        checked.run_until_ms(12_000);
        for number in checked.brokers() {
            for partition in 0..4 {
                let broker = checked.broker(number);
                let kept = broker.end_offset(partition) - broker.first_offset(partition);
                assert!((100..1_500).contains(&kept), "{number} has {kept} views of {partition}");
            }
            let disk = checked.world.body(NodeId(number)).disk().image().0.bytes();
            let (broker, small) = (checked.broker(number), 400_000);
            assert!(broker.stored_bytes() < small && disk < small, "{number}: {disk} on disk");
        }
        checked.tell(checked.choice.viewer(), Say::View(0));
        checked.run_until_ms(14_000);
        checked.check_healed();
    }
}

#[test]
fn what_a_collector_cannot_hold_is_turned_away_and_what_takes_too_long_is_given_up() {
    let mut checked = Checked::new(1, Choice { delivery_timeout_ms: 1_000, buffer_views: 300, ..PLAIN });
    let all: Vec<NodeId> = checked.brokers().map(NodeId).collect();
    checked.run_until_ms(500);
    let nodes = checked.set(&all);
    let crash = checked.begin(FaultKind::Crash { nodes, disk_lost: false });
    checked.run_until_ms(4_000);
    assert!((0..2).all(|number| checked.collector(number).held_views() <= 300));
    let count =
        |outcome: Outcome| checked.answered.values().filter(|answer| answer.outcome == outcome).count();
    let overloaded = count(Outcome::Failed(Cause::Overloaded));
    let (unknown, never_sent) = (count(Outcome::TIMED_OUT), count(Outcome::Failed(Cause::TimedOut)));
    assert!(overloaded > 300 && unknown > 50 && never_sent > 50, "{overloaded} {unknown} {never_sent}");
    checked.lift(crash);
    checked.tell(checked.choice.viewer(), Say::View(2_000));
    checked.run_until_ms(10_000);
    checked.check_healed();
    // Some were turned away until the log was back.
    let is_overloaded = |outcome: Outcome| outcome == Outcome::Failed(Cause::Overloaded);
    let overloaded = checked.answered.values().filter(|answer| is_overloaded(answer.outcome)).count();
    let lost = checked.said.iter().filter_map(|(_, _, what)| match what {
        Said::Service(ServiceEvent::BatchLost { views, .. }) => Some(*views as usize),
        _ => None,
    });
    assert_eq!(lost.sum::<usize>(), checked.answered.len() - overloaded - checked.answered_ok());
}

#[test]
fn a_hot_video_is_spread_over_its_sub_counts() {
    for (videos, spread) in [(100, 1), (2, 4)] {
        let mut checked = Checked::new(1, Choice { videos, ..PLAIN });
        checked.run_until_ms(3_000);
        let ok = checked.answered.values().filter(|answer| answer.outcome.is_ok());
        let sub_counts: BTreeSet<u64> = ok.map(|answer| answer.result.value).collect();
        assert_eq!(sub_counts.len(), spread, "of {videos} videos: {sub_counts:?}");
    }
}

#[test]
fn a_view_costs_few_events() {
    let busy = Choice { partitions: 8, view_every_us: 100, cores: 4, ..PLAIN };
    let mut checked = Checked::new(1, busy);
    checked.world.run_until(SimTime::from_ms(1_000), &mut |_, _, _| {});
    let (events, views) = (checked.world.events(), checked.views_sent());
    checked.world.run_until(SimTime::from_ms(2_000), &mut |_, _, _| {});
    let (events, views) = (checked.world.events() - events, checked.views_sent() - views);
    // Five are the viewer's: its timer, its request there and served, the answer.
    println!("{events} events for {views} views");
    assert!(events < 14 * views, "{events} events for {views} views");
}
