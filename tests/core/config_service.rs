//! The configuration service: its nodes agree, one leads at a time, and what it does about primaries.
//!
//! The service's nodes are the real ones. MySQL servers and proxies are stand-ins that answer what the
//! service has to hear, and everything is checked after every single event, over many drawn faults.

use crate::small_world::{machine, network};
use crate::swarm::seeds_asked_for;
use faultline::cluster::build;
use faultline::engine::distribution::Lognormal;
use faultline::engine::{
    Context, DiskImage, Distribution, FaultId, FaultKind, Message, NodeId, NodeSet, Output, Process, Purpose,
    SimDuration, SimTime, Stream, Transport, World,
};
use faultline::scenario::parse::parse;
use faultline::sql::binlog::Position;
use faultline::sql::config_service::ConfigService;
use faultline::sql::config_service::agreement::{ConfigState, Member};
use faultline::sql::event::{SqlEvent, SqlTimer, SqlToken};
use faultline::sql::message::{CLASS_CONTROL, Pong, SqlMessage};
use faultline::sql::record::{ConfigDisk, ConfigRecord, SqlRecord};
use faultline::sql::settings::{Fencing, SqlSettings};
use faultline::sql::shard_map::{KeyRange, ShardEntry, ShardMap, Sharding};
use faultline::workload::operation::{Request, Response};
use std::collections::BTreeMap;
use std::rc::Rc;

const SHARDS: u16 = 2;
const SERVERS_PER_SHARD: u16 = 3;
const PROXIES: u16 = 2;
/// How often servers write and proxies ask.
const SERVER_TICK: SimDuration = SimDuration::from_ms(50);
const PROXY_TICK: SimDuration = SimDuration::from_ms(300);

// What the worlds are made of.

#[derive(Clone)]
enum Part {
    Config(Box<ConfigService>),
    /// A node's part in the agreement alone, with something to propose all the time.
    Member(Box<Member>),
    Server(Box<Server>),
    Proxy {
        settings: Rc<SqlSettings>,
        map: Rc<ShardMap>,
    },
}

/// Stands in for a MySQL server: its transactions are a number.
#[derive(Clone)]
struct Server {
    settings: Rc<SqlSettings>,
    shard: usize,
    is_primary: bool,
    source: Option<NodeId>,
    epoch: u32,
    position: Position,
    initialised: bool,
    lease_until: SimTime,
    promoting: Option<NodeId>,
    told_version: u32,
}

/// A message that a node is made to send.
type Say = Option<(NodeId, SqlMessage)>;

#[derive(Clone)]
struct Packet(SqlMessage);

/// Promotions have classes of their own, from here on by epoch: they are seen as they leave.
const CLASS_PROMOTE: u8 = 100;

impl From<SqlMessage> for Packet {
    fn from(message: SqlMessage) -> Packet {
        Packet(message)
    }
}

impl From<Request> for Packet {
    fn from(_: Request) -> Packet {
        unreachable!("nobody asks anything")
    }
}

impl From<Response> for Packet {
    fn from(_: Response) -> Packet {
        unreachable!("nobody asks anything")
    }
}

impl From<faultline::workload::operation::Selected> for Packet {
    fn from(_: faultline::workload::operation::Selected) -> Packet {
        unreachable!("nobody asks anything")
    }
}

impl Message for Packet {
    fn transport(&self) -> Transport {
        self.0.transport()
    }

    fn class(&self) -> u8 {
        match self.0 {
            SqlMessage::Promote { epoch, .. } => CLASS_PROMOTE + epoch as u8,
            _ => CLASS_CONTROL,
        }
    }

    fn bytes(&self) -> u32 {
        self.0.bytes()
    }
}

#[derive(Clone, Copy)]
enum Wake {
    Sql(SqlTimer),
    Tick,
}

impl From<SqlTimer> for Wake {
    fn from(timer: SqlTimer) -> Wake {
        Wake::Sql(timer)
    }
}

#[derive(Clone, Copy)]
enum Done {
    Sql(SqlToken),
    /// A server's new epoch is on disk.
    Epoch(u32),
}

impl From<SqlToken> for Done {
    fn from(token: SqlToken) -> Done {
        Done::Sql(token)
    }
}

#[derive(Clone)]
enum Said {
    Sql(SqlEvent),
    /// A server got a lease.
    Granted {
        epoch: u32,
        until: SimTime,
    },
    /// A server was asked to become primary.
    Asked {
        epoch: u32,
    },
    /// A proxy was told a map.
    Told(Rc<ShardMap>),
}

impl From<SqlEvent> for Said {
    fn from(event: SqlEvent) -> Said {
        Said::Sql(event)
    }
}

impl Output for Said {
    fn word(&self) -> u64 {
        match self {
            Said::Sql(event) => event.word(),
            Said::Granted { epoch, .. } | Said::Asked { epoch } => u64::from(*epoch),
            Said::Told(map) => u64::from(map.version),
        }
    }
}

#[derive(Clone, Default)]
struct Kept {
    config: Option<Rc<ConfigRecord>>,
    server: Option<(u32, Position)>,
}

#[derive(Clone)]
enum Write {
    Config(Rc<ConfigRecord>),
    Server(u32, Position),
}

impl From<SqlRecord> for Write {
    fn from(record: SqlRecord) -> Write {
        match record {
            SqlRecord::Config(record) => Write::Config(record),
            SqlRecord::MySql(_) | SqlRecord::Backup(_) => unreachable!("servers stand in for others here"),
        }
    }
}

impl DiskImage for Kept {
    type Record = Write;

    fn apply(&mut self, record: Write) {
        match record {
            Write::Config(record) => self.config = Some(record),
            Write::Server(epoch, position) => self.server = Some((epoch, position)),
        }
    }
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
            Part::Config(config) => config.on_start(&ConfigDisk { record: disk.config.clone() }, ctx),
            Part::Member(member) => {
                member.on_start(disk.config.as_deref(), ctx);
                ctx.set_timer(SERVER_TICK, Wake::Tick);
            }
            Part::Server(server) => server.on_start(disk.server, ctx),
            Part::Proxy { .. } => ctx.set_timer(PROXY_TICK, Wake::Tick),
        }
    }

    fn on_message(&mut self, from: NodeId, packet: Packet, ctx: &mut Context<Self>) {
        match (self, packet.0) {
            (Part::Config(config), message) => config.on_message(from, message, ctx),
            (Part::Member(member), SqlMessage::Agreement(message)) => member.on_message(from, message, ctx),
            (Part::Server(server), message) => server.on_message(from, message, ctx),
            (Part::Proxy { map: known, .. }, SqlMessage::Map(map)) => {
                ctx.output(Said::Told(Rc::clone(&map)));
                if map.version > known.version {
                    *known = map;
                }
            }
            _ => {}
        }
    }

    fn on_timer(&mut self, timer: Wake, ctx: &mut Context<Self>) {
        match (self, timer) {
            (Part::Config(config), Wake::Sql(timer)) => config.on_timer(timer, ctx),
            (Part::Member(member), Wake::Sql(SqlTimer::Agreement)) => member.on_tick(ctx),
            (Part::Member(member), Wake::Tick) => {
                // Whether it leads or not: it must be refused or do no harm.
                for _ in 0..ctx.random().below(3) {
                    member.propose(|state| state.epochs[0] += 1, ctx);
                }
                ctx.set_timer(SERVER_TICK, Wake::Tick);
            }
            (Part::Server(server), Wake::Tick) => server.on_tick(ctx),
            (Part::Proxy { settings, map }, Wake::Tick) => {
                for config in &settings.config {
                    ctx.send(*config, SqlMessage::MapRequest { version: map.version });
                }
                ctx.set_timer(PROXY_TICK, Wake::Tick);
            }
            _ => {}
        }
    }

    fn on_done(&mut self, token: Done, ctx: &mut Context<Self>) {
        match (self, token) {
            (Part::Config(config), Done::Sql(token)) => config.on_token(token, ctx),
            (Part::Member(member), Done::Sql(SqlToken::StateStored { number })) => member.stored(number, ctx),
            (Part::Server(server), Done::Epoch(epoch)) => server.epoch_stored(epoch, ctx),
            _ => {}
        }
    }

    fn on_shed(&mut self, _: NodeId, _: Packet, _: &mut Context<Self>) {}
    fn on_broken(&mut self, _: NodeId, _: &mut Context<Self>) {}

    fn on_control(&mut self, say: Say, ctx: &mut Context<Self>) {
        if let Some((to, message)) = say {
            ctx.send(to, message);
        }
    }

    fn service_time(&self, _: NodeId, _: &Packet, _: SimDuration, _: &mut Stream) -> SimDuration {
        SimDuration(20_000)
    }
}

impl Server {
    fn new(settings: &Rc<SqlSettings>, shard: usize) -> Server {
        Server {
            settings: Rc::clone(settings),
            shard,
            is_primary: false,
            source: None,
            epoch: 0,
            position: Position::default(),
            initialised: true,
            lease_until: SimTime::ZERO,
            promoting: None,
            told_version: 0,
        }
    }

    fn lease(&self) -> Option<SimDuration> {
        match self.settings.failover.fencing {
            Fencing::Lease(length) => Some(length),
            _ => None,
        }
    }

    fn takes_writes(&self, now: SimTime) -> bool {
        self.is_primary && (self.lease().is_none() || now < self.lease_until)
    }

    fn on_start(&mut self, kept: Option<(u32, Position)>, ctx: &mut Context<Part>) {
        if ctx.is_first_start() {
            let entry = &self.settings.first_map.shards[self.shard];
            self.epoch = 1;
            self.is_primary = entry.primary == ctx.id();
            self.source = Some(entry.primary).filter(|primary| *primary != ctx.id());
            if let Some(length) = self.lease().filter(|_| self.is_primary) {
                self.lease_until = ctx.monotonic() + length;
                ctx.output(Said::Granted { epoch: 1, until: self.lease_until });
            }
            self.keep(ctx);
            ctx.disk_sync_background();
        } else {
            self.initialised = kept.is_some();
            (self.epoch, self.position) = kept.unwrap_or_default();
        }
        ctx.set_timer(SERVER_TICK, Wake::Tick);
    }

    fn keep(&self, ctx: &mut Context<Part>) {
        ctx.disk_append(Write::Server(self.epoch, self.position));
    }

    fn on_tick(&mut self, ctx: &mut Context<Part>) {
        if self.takes_writes(ctx.monotonic()) {
            self.position = Position { epoch: self.epoch, sequence: self.position.sequence + 1 };
            self.keep(ctx);
            ctx.disk_sync_background();
        }
        if self.is_primary {
            let (epoch, sequence) = (self.epoch, self.position.sequence);
            for node in &self.settings.first_map.shards[self.shard].nodes {
                if *node != ctx.id() {
                    ctx.send(*node, SqlMessage::SourceAlive { epoch, sequence, local_time: 0 });
                }
            }
            self.ask_for_lease(ctx);
        }
        ctx.set_timer(SERVER_TICK, Wake::Tick);
    }

    fn ask_for_lease(&self, ctx: &mut Context<Part>) {
        if self.lease().is_some() {
            let asked = ctx.monotonic();
            for config in &self.settings.config {
                ctx.send(*config, SqlMessage::LeaseRequest { epoch: self.epoch, asked });
            }
        }
    }

    fn on_message(&mut self, from: NodeId, message: SqlMessage, ctx: &mut Context<Part>) {
        match message {
            SqlMessage::Ping { round } => {
                let pong = Pong {
                    round,
                    primary: self.is_primary,
                    epoch: self.epoch,
                    position: self.position,
                    has_source: self.source.is_some(),
                    initialised: self.initialised,
                    moves: 0,
                    alters: 0,
                };
                ctx.send(from, SqlMessage::Pong(pong));
            }
            SqlMessage::SourceAlive { epoch, sequence, .. }
                if self.source == Some(from) && epoch >= self.epoch =>
            {
                (self.epoch, self.initialised) = (epoch, true);
                // What it had of another history is gone: it takes a copy.
                self.position = Position { epoch, sequence };
                self.keep(ctx);
                ctx.disk_sync_background();
            }
            SqlMessage::LeaseGranted { epoch, asked, length } if self.is_primary && epoch == self.epoch => {
                let until = asked + length;
                self.lease_until = self.lease_until.max(until);
                ctx.output(Said::Granted { epoch, until });
            }
            SqlMessage::Promote { epoch, at_least } => self.on_promote(from, epoch, at_least, ctx),
            SqlMessage::Shard { version, entry } => self.on_shard(version, &entry, ctx),
            _ => {}
        }
    }

    fn on_promote(&mut self, from: NodeId, epoch: u32, at_least: Position, ctx: &mut Context<Part>) {
        ctx.output(Said::Asked { epoch });
        let asked_again = self.is_primary && epoch == self.epoch;
        if !asked_again && (epoch <= self.epoch || self.position < at_least) {
            return;
        }
        if !asked_again {
            (self.is_primary, self.epoch, self.source, self.initialised) = (true, epoch, None, true);
            self.lease_until = ctx.monotonic();
            self.keep(ctx);
            self.ask_for_lease(ctx);
        }
        self.promoting = Some(from);
        ctx.disk_sync(Done::Epoch(epoch));
    }

    fn epoch_stored(&mut self, epoch: u32, ctx: &mut Context<Part>) {
        if self.is_primary
            && self.epoch == epoch
            && let Some(config) = self.promoting.take()
        {
            ctx.send(config, SqlMessage::Promoted { epoch, base: self.position.sequence });
        }
    }

    fn on_shard(&mut self, version: u32, entry: &ShardEntry, ctx: &mut Context<Part>) {
        if version < self.told_version {
            return;
        }
        self.told_version = version;
        let is_news = entry.epoch > self.epoch || (entry.epoch == self.epoch && !self.is_primary);
        if entry.primary != ctx.id() && is_news {
            (self.is_primary, self.epoch, self.source) = (false, entry.epoch, Some(entry.primary));
            self.promoting = None;
            self.keep(ctx);
            ctx.disk_sync_background();
        }
    }
}

// Setting worlds up.

/// What a test chooses; the rest is as a scenario has it.
#[derive(Clone, Copy, Debug)]
struct Choice {
    config_nodes: u16,
    fencing: Fencing,
    block_ms: u64,
    cross_region: bool,
    leader_lease_ms: u64,
}

const PLAIN: Choice =
    Choice { config_nodes: 3, fencing: Fencing::None, block_ms: 0, cross_region: true, leader_lease_ms: 600 };

impl Choice {
    fn server(&self, shard: u16, number: u16) -> NodeId {
        NodeId(self.config_nodes + shard * SERVERS_PER_SHARD + number)
    }

    fn proxy(&self, number: u16) -> NodeId {
        NodeId(self.config_nodes + SHARDS * SERVERS_PER_SHARD + number)
    }

    /// Server 2 of each shard stands in another region than the others.
    fn settings(&self) -> Rc<SqlSettings> {
        let scenario = parse(
            r#"{ "version": 1, "name": "a", "title": "A", "duration_ms": 1000,
                "workload": { "clients": 1, "rate_per_s": 1 }, "clusters": [ { "sharded_sql": {} } ] }"#,
        )
        .expect("it is valid");
        let traffic = build::traffic(&scenario, None);
        let world = build::build(&scenario, &scenario.clusters[0], &traffic, 1).world;
        let server = world.node_ids().find_map(|node| world.process(node).as_mysql());
        let mut settings = server.expect("there is a server").settings().clone();
        let middle = u32::MAX / 2;
        let ranges = [KeyRange { from: 0, to: middle }, KeyRange { from: middle + 1, to: u32::MAX }];
        let entries = (0..SHARDS).map(|shard| ShardEntry {
            range: Some(ranges[usize::from(shard)]),
            proxies: Vec::new(),
            primary: self.server(shard, 0),
            epoch: 1,
            stamp: 1,
            serving: true,
            nodes: (0..SERVERS_PER_SHARD).map(|number| self.server(shard, number)).collect(),
        });
        settings.sharding = Sharding::ByHash;
        settings.first_map = Rc::new(ShardMap::new(1, Sharding::ByHash, entries.collect()));
        settings.config = (0..self.config_nodes).map(NodeId).collect();
        settings.proxies = (0..PROXIES).map(|number| self.proxy(number)).collect();
        settings.regions = (0..self.proxy(PROXIES).0)
            .map(|node| u8::from((0..SHARDS).any(|shard| self.server(shard, 2) == NodeId(node))))
            .collect();
        let failover = &mut settings.failover;
        failover.health_interval = SimDuration::from_ms(200);
        failover.health_timeout = SimDuration::from_ms(100);
        failover.health_threshold = 3;
        failover.fencing = self.fencing;
        failover.block = SimDuration::from_ms(self.block_ms);
        failover.cross_region = self.cross_region;
        failover.leader_lease = SimDuration::from_ms(self.leader_lease_ms);
        Rc::new(settings)
    }

    fn parts(&self) -> Vec<Part> {
        let settings = self.settings();
        let places = 0..usize::from(self.config_nodes);
        let config = |place| Part::Config(Box::new(ConfigService::new(Rc::clone(&settings), place)));
        let mut parts: Vec<Part> = places.map(config).collect();
        for shard in 0..usize::from(SHARDS) {
            let server = || Part::Server(Box::new(Server::new(&settings, shard)));
            parts.extend((0..SERVERS_PER_SHARD).map(|_| server()));
        }
        let map = &settings.first_map;
        let proxy = || Part::Proxy { settings: Rc::clone(&settings), map: Rc::clone(map) };
        parts.extend((0..PROXIES).map(|_| proxy()));
        parts
    }

    fn members(&self) -> Vec<Part> {
        let settings = self.settings();
        let places = 0..usize::from(self.config_nodes);
        places.map(|place| Part::Member(Box::new(Member::new(Rc::clone(&settings), place)))).collect()
    }
}

/// A world whose every event is checked.
struct Checked {
    choice: Choice,
    world: World<Part>,
    said: Vec<(SimTime, NodeId, Said)>,
    seen: usize,
    /// Every map and every state that any node knew to be agreed on.
    maps: BTreeMap<u32, ShardMap>,
    states: BTreeMap<u64, ConfigState>,
    newest: Vec<u64>,
    /// Per shard and epoch: who was asked to be primary of it, and when first.
    promotions: BTreeMap<(u16, u32), (NodeId, SimTime)>,
    /// Per server and epoch: the end of its last lease.
    leases: BTreeMap<(NodeId, u32), SimTime>,
}

impl Checked {
    fn new(seed: u64, choice: Choice) -> Checked {
        Checked::of(seed, choice, choice.parts())
    }

    fn of(seed: u64, choice: Choice, parts: Vec<Part>) -> Checked {
        let delay = Distribution::Lognormal(Lognormal { median_ms: 1.0, sigma: 0.7 });
        let place = |(at, part): (usize, Part)| (machine(&format!("node-{at}"), 1, 4_096), part);
        let nodes = parts.into_iter().enumerate().map(place).collect();
        Checked {
            choice,
            world: World::new(seed, network(delay), nodes),
            said: Vec::new(),
            seen: 0,
            maps: BTreeMap::new(),
            states: BTreeMap::new(),
            newest: vec![0; usize::from(choice.config_nodes)],
            promotions: BTreeMap::new(),
            leases: BTreeMap::new(),
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

    fn set(&self, nodes: &[NodeId]) -> NodeSet {
        NodeSet::new(self.world.node_count(), nodes.iter().copied())
    }

    fn crash(&mut self, node: NodeId) -> FaultId {
        let nodes = self.set(&[node]);
        self.begin(FaultKind::Crash { nodes, disk_lost: false })
    }

    /// Cuts all ways between these nodes and the others.
    fn cut_off(&mut self, nodes: &[NodeId]) -> FaultId {
        let group_of = self.world.node_ids().map(|node| u8::from(nodes.contains(&node))).collect();
        self.begin(FaultKind::Partition { group_of })
    }

    fn config_nodes(&self) -> impl Iterator<Item = NodeId> + use<> {
        (0..self.choice.config_nodes).map(NodeId)
    }

    fn config(&self, node: NodeId) -> &ConfigService {
        match self.world.process(node) {
            Part::Config(config) => config,
            _ => panic!("{node:?} is a node of the service"),
        }
    }

    fn server(&self, node: NodeId) -> &Server {
        match self.world.process(node) {
            Part::Server(server) => server,
            _ => panic!("{node:?} is a server"),
        }
    }

    fn leads(&self, node: NodeId) -> bool {
        match self.world.process(node) {
            Part::Config(config) => config.leads(self.world.now()),
            Part::Member(member) => member.leads(self.world.now()),
            _ => false,
        }
    }

    fn leader(&self) -> Option<NodeId> {
        self.config_nodes().find(|node| self.leads(*node))
    }

    /// The last map that the leader knows to be agreed on.
    fn map(&self) -> &ShardMap {
        self.config(self.leader().expect("one leads")).map()
    }

    fn events(&self) -> impl Iterator<Item = (f64, SqlEvent)> + '_ {
        self.said.iter().filter_map(|(at, _, what)| match what {
            Said::Sql(event) => Some((at.as_ms_f64(), *event)),
            _ => None,
        })
    }

    fn count(&self, wanted: impl Fn(&SqlEvent) -> bool) -> usize {
        self.events().filter(|(_, event)| wanted(event)).count()
    }

    fn shard_of(&self, node: NodeId) -> u16 {
        (node.0 - self.choice.config_nodes) / SERVERS_PER_SHARD
    }

    // What must hold at every moment.

    fn check(&mut self) {
        let leaders = self.config_nodes().filter(|node| self.leads(*node)).count();
        assert!(leaders <= 1, "{leaders} nodes lead at {}", self.world.now());
        for node in self.config_nodes() {
            self.check_agreed(node);
        }
        self.check_promotions();
        while let Some((at, node, what)) = self.said.get(self.seen).cloned() {
            self.seen += 1;
            match what {
                Said::Granted { epoch, until } => self.check_lease(at, node, epoch, until),
                Said::Told(map) => self.check_map(at, map.version, &map),
                _ => {}
            }
        }
        if let Fencing::Lease(_) = self.choice.fencing {
            self.check_holders();
        }
    }

    /// What is agreed on stays, and is the same for all.
    fn check_agreed(&mut self, node: NodeId) {
        let now = self.world.now();
        match self.world.process(node) {
            Part::Config(config) => {
                let version = config.map().version;
                if self.newest[node.index()] != u64::from(version) {
                    self.newest[node.index()] = version.into();
                    let map = config.map().clone();
                    self.check_map(now, version, &map);
                }
                if self.leads(node) {
                    let newest = *self.maps.last_key_value().expect("there is a map").0;
                    assert_eq!(version, newest, "{node:?} leads at {now} and does not know the newest map");
                }
            }
            Part::Member(member) => {
                let agreed = member.agreed();
                if self.newest[node.index()] != agreed.number {
                    self.newest[node.index()] = agreed.number;
                    let known =
                        self.states.entry(agreed.number).or_insert_with(|| ConfigState::clone(agreed));
                    assert_eq!(
                        known,
                        agreed.as_ref(),
                        "state {} is forked at {node:?} at {now}",
                        agreed.number
                    );
                }
                let newest = self.states.last_key_value().map_or(0, |(number, _)| *number);
                if self.leads(node) {
                    assert_eq!(agreed.number, newest, "{node:?} leads at {now} and lost a state");
                }
            }
            _ => {}
        }
    }

    fn check_map(&mut self, now: SimTime, version: u32, map: &ShardMap) {
        let known = self.maps.entry(version).or_insert_with(|| map.clone());
        assert_eq!(known, map, "version {version} of the map is forked at {now}");
        if let Some((_, before)) = self.maps.range(..version).next_back() {
            for (entry, before) in map.shards.iter().zip(&before.shards) {
                let is_same = entry.primary == before.primary;
                assert!(entry.epoch >= before.epoch, "an epoch went back in version {version} at {now}");
                assert!(
                    entry.epoch > before.epoch || is_same,
                    "an epoch has two primaries in version {version} at {now}"
                );
            }
        }
    }

    fn check_promotions(&mut self) {
        let now = self.world.now();
        let leaving: Vec<(NodeId, u32)> = self
            .world
            .in_flight()
            .filter(|message| message.sent == now && message.class >= CLASS_PROMOTE)
            .map(|message| (message.to, u32::from(message.class - CLASS_PROMOTE)))
            .collect();
        for (target, epoch) in leaving {
            let shard = self.shard_of(target);
            let (known, _) = *self.promotions.entry((shard, epoch)).or_insert((target, now));
            assert_eq!(known, target, "epoch {epoch} of shard {shard} was given out twice, at {now}");
            for ((node, granted), until) in &self.leases {
                if self.shard_of(*node) == shard && *node != target && *granted < epoch {
                    assert!(
                        *until <= now,
                        "{node:?} has a lease of epoch {granted} until {until}, and {target:?} is asked at {now}"
                    );
                }
            }
        }
    }

    fn check_lease(&mut self, now: SimTime, node: NodeId, epoch: u32, until: SimTime) {
        let end = self.leases.entry((node, epoch)).or_insert(until);
        *end = until.max(*end);
        let shard = self.shard_of(node);
        for ((_, later), (target, asked)) in self.promotions.range((shard, epoch + 1)..(shard + 1, 0)) {
            assert!(
                *target == node || until <= *asked,
                "{node:?} got a lease of epoch {epoch} until {until} at {now}; \
                 {target:?} was asked for epoch {later} at {asked}"
            );
        }
    }

    fn check_holders(&self) {
        let now = self.world.now();
        for shard in 0..SHARDS {
            let servers = (0..SERVERS_PER_SHARD).map(|number| self.choice.server(shard, number));
            let holders: Vec<NodeId> = servers.filter(|node| self.server(*node).takes_writes(now)).collect();
            assert!(holders.len() <= 1, "{holders:?} have leases for one shard at {now}");
        }
    }

    /// When nothing is broken any more.
    fn check_healed(&self) {
        let now = self.world.now();
        let leader = self.leader().expect("one leads when all is healed");
        let map = self.config(leader).map();
        for node in self.config_nodes() {
            assert_eq!(self.config(node).map(), map, "{node:?} knows the leader's map at {now}");
        }
        for number in 0..PROXIES {
            let Part::Proxy { map: known, .. } = self.world.process(self.choice.proxy(number)) else {
                panic!("it is a proxy");
            };
            assert_eq!(known.as_ref(), map, "proxy {number} knows the leader's map at {now}");
        }
        for (shard, entry) in map.shards.iter().enumerate() {
            assert!(entry.serving, "shard {shard} has a primary at {now}");
            for node in &entry.nodes {
                let server = self.server(*node);
                let is_primary = *node == entry.primary;
                assert_eq!(server.is_primary, is_primary, "{node:?} knows what it is at {now}");
                assert_eq!(server.epoch, entry.epoch, "{node:?} knows the epoch of shard {shard} at {now}");
                assert!(!is_primary || server.takes_writes(now), "{node:?} takes writes at {now}");
                assert!(is_primary || server.source == Some(entry.primary), "{node:?} follows at {now}");
            }
        }
    }
}

// Drawn faults.

struct Dice(Stream);

impl Dice {
    fn new(seed: u64) -> Dice {
        Dice(Stream::new(seed, Purpose::Swarm, 21))
    }

    fn below(&mut self, bound: u32) -> u32 {
        self.0.below(bound)
    }

    fn between(&mut self, low: u64, high: u64) -> u64 {
        low + u64::from(self.0.below((high - low + 1) as u32))
    }

    fn some_nodes(&mut self, nodes: u16, at_most: u32) -> Vec<NodeId> {
        let count = 1 + self.below(at_most);
        (0..count).map(|_| NodeId(self.below(nodes.into()) as u16)).collect()
    }
}

const FAULTS_END_MS: u64 = 15_000;

/// What goes wrong, with the milliseconds when it begins and ends.
fn draw_faults(dice: &mut Dice, checked: &Checked) -> Vec<(u64, u64, FaultKind<Say>)> {
    let count = 2 + dice.below(10);
    let mut faults: Vec<(u64, u64, FaultKind<Say>)> = Vec::new();
    for _ in 0..count {
        let fault = draw_fault(dice, checked);
        // Several at once multiply: an fsync would outlast the run.
        let is_slow = |kind: &FaultKind<Say>| matches!(kind, FaultKind::SlowDisk { .. });
        if !(is_slow(&fault.2) && faults.iter().any(|(_, _, other)| is_slow(other))) {
            faults.push(fault);
        }
    }
    faults
}

fn draw_fault(dice: &mut Dice, checked: &Checked) -> (u64, u64, FaultKind<Say>) {
    let config_nodes = checked.choice.config_nodes;
    let all = checked.world.node_count() as u16;
    let nodes = if dice.below(2) == 0 { config_nodes } else { all };
    let some = dice.some_nodes(nodes, 2);
    let set = checked.set(&some);
    let everybody: Vec<NodeId> = checked.world.node_ids().collect();
    let everybody = checked.set(&everybody);
    let others = dice.some_nodes(nodes, 2);
    let others = checked.set(&others);
    let kind = match dice.below(13) {
        0 | 1 => {
            // With all disks of a region lost, nobody in it may be promoted, and nobody elsewhere.
            let may_be_lost = checked.choice.cross_region && some.iter().all(|node| node.0 >= config_nodes);
            FaultKind::Crash { nodes: set, disk_lost: may_be_lost && dice.below(3) == 0 }
        }
        2 => FaultKind::Pause { nodes: set },
        3 | 4 => {
            let group_of: Vec<u8> = (0..all).map(|_| dice.below(2) as u8).collect();
            FaultKind::Partition { group_of: group_of.into() }
        }
        5 => FaultKind::OneWayCut { from: set, to: everybody },
        6 => FaultKind::OneWayCut { from: everybody, to: set },
        11 | 12 => FaultKind::OneWayCut { from: set, to: others },
        7 => {
            let probability = 0.05 + 0.5 * dice.0.unit();
            FaultKind::Loss { from: everybody.clone(), to: everybody, probability }
        }
        8 => {
            let extra = Distribution::Lognormal(Lognormal { median_ms: 50.0, sigma: 1.5 });
            FaultKind::Delay { from: everybody.clone(), to: everybody, extra }
        }
        9 => FaultKind::SlowDisk { nodes: set, factor: 2.0 + 500.0 * dice.0.unit() },
        _ => {
            let offset_ns = (dice.0.unit() - 0.5) * 10e9;
            FaultKind::ClockSkew { nodes: set, offset_ns: offset_ns as i64 }
        }
    };
    let at = dice.between(0, FAULTS_END_MS - 100);
    (at, dice.between(at + 10, (at + 6_000).min(FAULTS_END_MS)), kind)
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

fn draw_choice(dice: &mut Dice) -> Choice {
    Choice {
        config_nodes: [1, 3, 3, 3, 5][dice.below(5) as usize],
        fencing: match dice.below(4) {
            0 => Fencing::None,
            1 => Fencing::Shutdown { off_for: SimDuration::from_ms(dice.between(200, 2_000)) },
            _ => Fencing::Lease(SimDuration::from_ms(dice.between(300, 1_500))),
        },
        block_ms: [0, 1_000, 3_000][dice.below(3) as usize],
        cross_region: dice.below(3) > 0,
        leader_lease_ms: dice.between(200, 1_200),
    }
}

fn agreement_holds(seed: u64) {
    let mut dice = Dice::new(seed);
    let choice = draw_choice(&mut dice);
    let mut checked = Checked::of(seed, Choice { fencing: Fencing::None, ..choice }, choice.members());
    let faults = draw_faults(&mut dice, &checked);
    suffer(&mut checked, faults);
    let before = checked.newest.iter().copied().max().unwrap_or(0);
    checked.run_until_ms(FAULTS_END_MS + 15_000);
    assert!(checked.leader().is_some(), "one leads when all is healed");
    for node in checked.config_nodes() {
        let behind = checked.newest[node.index()];
        assert!(behind > before, "{node:?} knows {behind}, and {before} was agreed on before all was healed");
    }
}

fn service_holds(seed: u64) {
    let mut dice = Dice::new(seed);
    let choice = draw_choice(&mut dice);
    let mut checked = Checked::new(seed, choice);
    let faults = draw_faults(&mut dice, &checked);
    suffer(&mut checked, faults);
    checked.run_until_ms(FAULTS_END_MS + 15_000);
    checked.check_healed();
}

/// Runs every seed and says which ones failed.
fn every_seed(seeds: std::ops::Range<u64>, run: fn(u64)) {
    let mut failed = Vec::new();
    for seed in seeds {
        if std::panic::catch_unwind(|| run(seed)).is_err() {
            failed.push(seed);
        }
    }
    assert!(failed.is_empty(), "{} seeds failed: {failed:?}", failed.len());
}

// What it does when.

const LEASE: Fencing = Fencing::Lease(SimDuration::from_ms(1_500));
const SHUTDOWN: Fencing = Fencing::Shutdown { off_for: SimDuration::from_ms(1_000) };

impl Checked {
    /// When each server was asked to become primary, and for which epoch.
    fn asked(&self) -> Vec<(f64, NodeId, u32)> {
        let asked = self.said.iter().filter_map(|(at, node, what)| match what {
            Said::Asked { epoch } => Some((at.as_ms_f64(), *node, *epoch)),
            _ => None,
        });
        asked.collect()
    }

    fn versions_told(&self) -> Vec<(f64, ShardMap)> {
        let told = self.said.iter().filter_map(|(at, _, what)| match what {
            Said::Told(map) => Some((at.as_ms_f64(), ShardMap::clone(map))),
            _ => None,
        });
        told.collect()
    }

    /// Cuts both ways between one node and some others.
    fn cut_between(&mut self, node: NodeId, others: &[NodeId]) -> [FaultId; 2] {
        let (node, others) = (self.set(&[node]), self.set(others));
        [
            self.begin(FaultKind::OneWayCut { from: node.clone(), to: others.clone() }),
            self.begin(FaultKind::OneWayCut { from: others, to: node }),
        ]
    }

    fn cut_from_service(&mut self, node: NodeId) -> [FaultId; 2] {
        let configs: Vec<NodeId> = self.config_nodes().collect();
        self.cut_between(node, &configs)
    }
}

#[test]
fn the_first_node_leads_soon_after_the_first_start() {
    for config_nodes in [1, 3, 5] {
        for seed in 1..20 {
            let mut checked = Checked::new(seed, Choice { config_nodes, ..PLAIN });
            checked.run_until_ms(100);
            assert_eq!(checked.leader(), Some(NodeId(0)), "of {config_nodes}, seed {seed}");
            checked.run_until_ms(5_000);
            assert_eq!(checked.count(|event| matches!(event, SqlEvent::Leads { .. })), 1);
            assert_eq!(checked.map().version, 1);
            checked.check_healed();
        }
    }
}

#[test]
fn a_dead_primary_is_replaced_once_proxies_know_and_it_is_fenced() {
    for fencing in [Fencing::None, LEASE, SHUTDOWN] {
        for config_nodes in [1, 3] {
            let choice = Choice { fencing, config_nodes, ..PLAIN };
            let mut checked = Checked::new(1, choice);
            checked.run_until_ms(2_050);
            let primary = choice.server(0, 0);
            checked.crash(primary);
            checked.run_until_ms(6_000);
            let missed = checked
                .count(|event| matches!(event, SqlEvent::MissedHealthCheck { node, .. } if *node == primary));
            assert_eq!(missed, 3, "missed health checks are told up to the threshold");
            let asked = checked.asked();
            let [(asked_at, target, 2)] = asked[..] else { panic!("{fencing:?}: {asked:?}") };
            assert!(target == choice.server(0, 1) || target == choice.server(0, 2));
            let told = checked.versions_told();
            let (closed_at, closed) = &told[0];
            assert!(
                !closed.shards[0].serving && closed.shards[1].serving,
                "proxies are told that none serves"
            );
            assert_eq!(closed.shards[0].epoch, 1);
            if fencing != Fencing::None {
                assert!(closed_at < &asked_at, "{fencing:?}: told at {closed_at}, asked at {asked_at}");
            }
            let off = checked.events().find(|(_, event)| matches!(event, SqlEvent::SwitchedOff { .. }));
            assert_eq!(off.is_some(), fencing == SHUTDOWN);
            if let Some((off_at, event)) = off {
                assert_eq!(event, SqlEvent::SwitchedOff { shard: 0, node: primary });
                assert!(asked_at >= off_at + 100.0, "off at {off_at}, asked at {asked_at}");
            }
            let entry = &checked.map().shards[0];
            assert_eq!((entry.primary, entry.epoch, entry.serving), (target, 2, true));
            assert_eq!(entry.stamp, checked.map().version);
            assert_eq!(checked.map().shards[1].stamp, 1, "the other shard is as it was");
        }
    }
}

#[test]
fn none_is_promoted_too_soon_after_another() {
    let choice = Choice { block_ms: 5_000, ..PLAIN };
    let mut checked = Checked::new(1, choice);
    checked.run_until_ms(2_050);
    let _down = checked.crash(choice.server(0, 0));
    checked.run_until_ms(3_500);
    let second = checked.map().shards[0].primary;
    assert_ne!(second, choice.server(0, 0));
    checked.crash(second);
    checked.run_until_ms(12_000);
    let asked = checked.asked();
    let [(first_at, _, 2), (second_at, third, 3)] = asked[..] else { panic!("{asked:?}") };
    assert!((5_000.0..5_700.0).contains(&(second_at - first_at)), "{asked:?}");
    assert_eq!(checked.count(|event| matches!(event, SqlEvent::FailoverBlocked { .. })), 1);
    assert_eq!(checked.map().shards[0].primary, third);
}

/// It is no failover to another node: a primary that is back is told at once that it is one.
#[test]
fn a_primary_that_is_back_at_once_is_promoted_again_whatever_is_blocked() {
    let choice = Choice { block_ms: 60_000, ..PLAIN };
    let mut checked = Checked::new(1, choice);
    checked.run_until_ms(2_050);
    let _down = checked.crash(choice.server(0, 0));
    checked.run_until_ms(4_050);
    let second = checked.map().shards[0].primary;
    let down = checked.crash(second);
    checked.run_until_ms(4_100);
    checked.lift(down);
    checked.run_until_ms(5_000);
    let entry = &checked.map().shards[0];
    assert_eq!((entry.primary, entry.epoch, entry.serving), (second, 3, true));
    assert_eq!(checked.count(|event| matches!(event, SqlEvent::FailoverBlocked { .. })), 0);
}

/// Nobody else can hold a lease: there is none to wait for.
#[test]
fn a_primary_that_is_back_at_once_waits_for_no_lease_of_its_own() {
    let choice = Choice { fencing: LEASE, ..PLAIN };
    let mut checked = Checked::new(1, choice);
    checked.run_until_ms(4_050);
    let down = checked.crash(choice.server(0, 0));
    checked.run_until_ms(4_100);
    checked.lift(down);
    checked.run_until_ms(4_500);
    let entry = &checked.map().shards[0];
    assert_eq!((entry.primary, entry.epoch, entry.serving), (choice.server(0, 0), 2, true));
}

#[test]
fn a_replica_of_another_region_is_promoted_only_if_that_is_allowed() {
    for cross_region in [false, true] {
        let choice = Choice { cross_region, ..PLAIN };
        let mut checked = Checked::new(1, choice);
        checked.run_until_ms(2_050);
        checked.crash(choice.server(0, 0));
        checked.crash(choice.server(0, 1));
        checked.run_until_ms(6_000);
        let far = choice.server(0, 2);
        assert_eq!(checked.asked().iter().any(|(_, node, _)| *node == far), cross_region);
        let nobody = checked.count(|event| matches!(event, SqlEvent::NobodyToPromote { .. }));
        assert_eq!(nobody, usize::from(!cross_region), "it is told once");
    }
}

#[test]
fn who_has_lost_its_disk_is_promoted_only_if_nothing_is_left_anywhere() {
    for lost in [2, 3] {
        let choice = PLAIN;
        let mut checked = Checked::new(1, choice);
        checked.run_until_ms(2_050);
        let servers: Vec<NodeId> = (0..lost).map(|number| choice.server(0, number)).collect();
        let nodes = checked.set(&servers);
        let down = checked.begin(FaultKind::Crash { nodes, disk_lost: true });
        // The others must not be quicker than they.
        let cut = (lost < 3).then(|| checked.cut_from_service(choice.server(0, 2)));
        checked.run_until_ms(2_100);
        checked.lift(down);
        checked.run_until_ms(5_000);
        if let Some(cut) = cut {
            assert_eq!(checked.asked(), [], "somebody with data may be there still");
            cut.into_iter().for_each(|fault| checked.lift(fault));
        }
        checked.run_until_ms(10_000);
        let primary = checked.map().shards[0].primary;
        assert!(lost == 3 || primary == choice.server(0, 2), "{primary:?} is primary");
        checked.check_healed();
    }
}

#[test]
fn without_a_majority_nobody_leads_nothing_is_promoted_and_no_lease_is_granted() {
    for fencing in [Fencing::None, LEASE, SHUTDOWN] {
        let choice = Choice { fencing, ..PLAIN };
        let mut checked = Checked::new(1, choice);
        checked.run_until_ms(2_050);
        // Node 0 has everybody but the other two of the service, who are alone.
        let group_of: Vec<u8> =
            checked.world.node_ids().map(|node| [0, 1, 2][node.index().min(3) % 3]).collect();
        let cut = checked.begin(FaultKind::Partition { group_of: group_of.into() });
        checked.crash(choice.server(0, 0));
        checked.run_until_ms(2_050 + choice.leader_lease_ms + 100);
        assert_eq!(checked.leader(), None);
        let granted = checked.leases.clone();
        checked.run_until_ms(15_000);
        assert_eq!(checked.leader(), None);
        assert_eq!(checked.asked(), []);
        assert_eq!(checked.leases, granted, "{fencing:?}");
        assert_eq!(checked.maps.len(), 1, "{fencing:?}: the map is the first one");
        checked.lift(cut);
        checked.run_until_ms(25_000);
        let entry = &checked.map().shards[0];
        assert!(entry.serving && entry.primary != choice.server(0, 0), "{fencing:?}: {entry:?}");
    }
}

#[test]
fn a_leader_that_is_cut_off_stops_before_another_one_begins() {
    let choice = Choice { fencing: LEASE, ..PLAIN };
    let mut checked = Checked::new(1, choice);
    checked.run_until_ms(2_050);
    // Who leads no more, and who was primary, are alone together.
    let cut = checked.cut_off(&[NodeId(0), choice.server(0, 0)]);
    checked.run_until_ms(9_000);
    let stopped = checked.events().find(|(_, event)| *event == SqlEvent::LeadsNoMore { node: NodeId(0) });
    let (stopped, _) = stopped.expect("it says so");
    let begins = checked
        .events()
        .find(|(_, event)| matches!(event, SqlEvent::Leads { node, .. } if *node != NodeId(0)));
    assert!(begins.expect("another one leads").0 >= stopped - 100.0);
    let entry = &checked.map().shards[0];
    assert!(entry.serving && entry.primary != choice.server(0, 0), "{entry:?}");
    assert!(!checked.server(choice.server(0, 0)).takes_writes(checked.world.now()));
    checked.lift(cut);
    checked.run_until_ms(14_000);
    checked.check_healed();
}

/// Node 1 hears both of them and has confirmed the leader: it votes for nobody else.
#[test]
fn who_does_not_hear_the_leader_does_not_replace_it() {
    for seed in 1..20 {
        let mut checked = Checked::new(seed, PLAIN);
        checked.run_until_ms(2_050);
        checked.cut_between(NodeId(0), &[NodeId(2)]);
        checked.run_until_ms(8_000);
        assert_eq!(checked.leader(), Some(NodeId(0)), "seed {seed}");
        assert_eq!(checked.count(|event| matches!(event, SqlEvent::LeadsNoMore { .. })), 0, "seed {seed}");
    }
}

/// A node may have confirmed a leader right before it went down.
#[test]
fn who_was_restarted_votes_for_nobody_else_while_the_leader_may_lead() {
    for seed in 1..40 {
        let mut checked = Checked::new(seed, PLAIN);
        checked.run_until_ms(2_050);
        // Node 2 asks node 1 again and again, and in vain.
        checked.cut_between(NodeId(0), &[NodeId(2)]);
        let at_ms = 4_000 + 17 * seed;
        checked.run_until_ms(at_ms);
        assert_eq!(checked.leader(), Some(NodeId(0)), "seed {seed}");
        let down = checked.crash(NodeId(1));
        checked.cut_off(&[NodeId(0)]);
        checked.run_until_ms(at_ms + 1);
        checked.lift(down);
        checked.run_until_ms(at_ms + 4_000);
        assert!(checked.leader().is_some(), "seed {seed}: in the end it votes");
    }
}

/// A follower whose disk is behind goes down with the leader: what it had not on disk was not agreed on.
#[test]
fn what_is_on_the_disk_of_no_majority_is_not_agreed_on() {
    for seed in 1..20 {
        let mut checked = Checked::of(seed, PLAIN, PLAIN.members());
        checked.run_until_ms(2_050);
        let nodes = checked.set(&[NodeId(1)]);
        let slow = checked.begin(FaultKind::SlowDisk { nodes, factor: 600.0 });
        let alone = checked.cut_off(&[NodeId(2)]);
        checked.run_until_ms(3_000 + 10 * seed);
        let _leader_is_down = checked.crash(NodeId(0));
        let down = checked.crash(NodeId(1));
        checked.lift(slow);
        checked.lift(alone);
        checked.run_until_ms(4_000);
        checked.lift(down);
        checked.run_until_ms(8_000);
        assert!(checked.leader().is_some(), "seed {seed}");
    }
}

#[test]
fn another_leader_ends_what_the_first_one_began() {
    for at_ms in (2_600..4_600).step_by(100) {
        for fencing in [Fencing::None, LEASE, SHUTDOWN] {
            let choice = Choice { fencing, ..PLAIN };
            let mut checked = Checked::new(at_ms, choice);
            checked.run_until_ms(2_050);
            checked.crash(choice.server(0, 0));
            checked.run_until_ms(at_ms);
            let leader = checked.leader().expect("one leads");
            let down = checked.crash(leader);
            checked.run_until_ms(12_000);
            let entry = &checked.map().shards[0];
            assert!(entry.serving && entry.primary != choice.server(0, 0), "{fencing:?} {at_ms}: {entry:?}");
            checked.lift(down);
            checked.run_until_ms(14_000);
            let newest = checked.map().clone();
            for node in checked.config_nodes() {
                assert_eq!(checked.config(node).map(), &newest, "{node:?}, {fencing:?}, {at_ms}");
            }
        }
    }
}

#[test]
fn a_single_node_knows_after_a_restart_what_was_agreed_on() {
    let choice = Choice { config_nodes: 1, ..PLAIN };
    let mut checked = Checked::new(1, choice);
    checked.run_until_ms(2_050);
    checked.crash(choice.server(0, 0));
    checked.run_until_ms(5_000);
    let before = checked.map().clone();
    assert_eq!(before.shards[0].epoch, 2);
    let down = checked.crash(NodeId(0));
    checked.run_until_ms(6_000);
    assert_eq!(checked.leader(), None);
    checked.lift(down);
    checked.run_until_ms(6_010);
    assert_eq!(checked.map(), &before, "it leads alone, at once");
    checked.crash(before.shards[0].primary);
    checked.run_until_ms(10_000);
    assert_eq!(checked.map().shards[0].epoch, 3, "epochs go on");
}

/// A proxy that hears nothing of the leader is told by another node.
#[test]
fn every_node_of_the_service_answers_who_asks_for_the_map() {
    let choice = PLAIN;
    let mut checked = Checked::new(1, choice);
    checked.run_until_ms(2_050);
    let (leader, proxy) = (checked.set(&[NodeId(0)]), checked.set(&[choice.proxy(0)]));
    checked.begin(FaultKind::OneWayCut { from: leader, to: proxy });
    checked.crash(choice.server(0, 0));
    checked.run_until_ms(6_000);
    assert_eq!(checked.leader(), Some(NodeId(0)));
    assert_eq!(checked.map().shards[0].epoch, 2);
    let Part::Proxy { map, .. } = checked.world.process(choice.proxy(0)) else { panic!("it is a proxy") };
    assert_eq!(map.as_ref(), checked.map());
}

#[test]
fn a_primary_that_answers_again_before_another_was_asked_goes_on() {
    let choice = Choice { fencing: LEASE, ..PLAIN };
    let mut checked = Checked::new(1, choice);
    checked.run_until_ms(4_050);
    let primary = choice.server(0, 0);
    let cut = checked.cut_from_service(primary);
    let began = |checked: &Checked| checked.count(|event| matches!(event, SqlEvent::Promoting { .. }));
    let mut at_ms = 4_050;
    while began(&checked) == 0 {
        at_ms += 10;
        checked.run_until_ms(at_ms);
    }
    cut.into_iter().for_each(|fault| checked.lift(fault));
    checked.run_until_ms(at_ms + 3_000);
    assert_eq!(checked.asked(), []);
    let entry = &checked.map().shards[0];
    assert_eq!((entry.primary, entry.epoch, entry.serving), (primary, 1, true));
    assert_eq!(checked.map().version, 3, "none serves, and it serves again");
    assert!(checked.server(primary).takes_writes(checked.world.now()));
}

/// Another one may be primary by then, of a later epoch, with a lease: there is no way back.
#[test]
fn a_primary_that_answers_again_after_another_was_asked_does_not_go_on() {
    let choice = Choice { fencing: LEASE, ..PLAIN };
    let mut checked = Checked::new(1, choice);
    checked.run_until_ms(2_050);
    let primary = choice.server(0, 0);
    let cut = checked.cut_from_service(primary);
    // The second one gets its lease, and takes long to say that it is primary.
    let nodes = checked.set(&[choice.server(0, 1), choice.server(0, 2)]);
    let slow = checked.begin(FaultKind::SlowDisk { nodes, factor: 4_000.0 });
    let mut at_ms = 2_050;
    while checked.asked().is_empty() {
        at_ms += 10;
        checked.run_until_ms(at_ms);
    }
    let second = checked.asked()[0].1;
    assert_ne!(second, primary);
    at_ms += 20;
    checked.run_until_ms(at_ms);
    assert!(checked.server(second).takes_writes(checked.world.now()));
    let second_cut = checked.cut_from_service(second);
    // The third one is chosen; before it is asked, the first one is back.
    while checked.count(|event| matches!(event, SqlEvent::Promoting { epoch: 3, .. })) == 0 {
        at_ms += 10;
        checked.run_until_ms(at_ms);
    }
    cut.into_iter().for_each(|fault| checked.lift(fault));
    checked.lift(slow);
    checked.run_until_ms(at_ms + 4_000);
    second_cut.into_iter().for_each(|fault| checked.lift(fault));
    checked.run_until_ms(at_ms + 12_000);
    assert!(checked.map().shards[0].epoch >= 3);
    checked.check_healed();
}

/// While it is fenced, an old primary may go on for a while: who had most before need not have most after.
#[test]
fn who_has_most_when_the_old_primary_is_fenced_is_promoted() {
    let choice = Choice { fencing: LEASE, ..PLAIN };
    let mut checked = Checked::new(1, choice);
    checked.run_until_ms(4_050);
    let (primary, second, third) = (choice.server(0, 0), choice.server(0, 1), choice.server(0, 2));
    // It is cut off, and takes no writes at first, so that both replicas have the same.
    let _cut = checked.cut_from_service(primary);
    let mut at_ms = 4_050;
    let chosen = |checked: &Checked| {
        checked.events().find_map(|(_, event)| match event {
            SqlEvent::Promoting { node, .. } => Some(node),
            _ => None,
        })
    };
    let first_choice = loop {
        at_ms += 10;
        checked.run_until_ms(at_ms);
        if let Some(node) = chosen(&checked) {
            break node;
        }
    };
    assert!(checked.server(primary).takes_writes(checked.world.now()), "its lease is not over");
    let other = if first_choice == second { third } else { second };
    let (from, to) = (checked.set(&[primary]), checked.set(&[first_choice]));
    checked.begin(FaultKind::OneWayCut { from, to });
    checked.run_until_ms(at_ms + 5_000);
    assert_eq!(checked.asked()[0].1, other);
    assert_eq!(checked.map().shards[0].primary, other);
}

#[test]
fn messages_that_make_no_sense_do_no_harm() {
    let choice = Choice { fencing: LEASE, ..PLAIN };
    let mut checked = Checked::new(1, choice);
    checked.run_until_ms(2_000);
    let before = checked.map().clone();
    for message in [
        SqlMessage::Promoted { epoch: 7, base: 3 },
        SqlMessage::LeaseRequest { epoch: 9, asked: SimTime::MAX },
        SqlMessage::MapRequest { version: u32::MAX },
        SqlMessage::Map(Rc::new(before.clone())),
        SqlMessage::LagProbe,
    ] {
        for from in [choice.server(0, 1), choice.proxy(0), NodeId(1)] {
            let nodes = checked.set(&[from]);
            let say = Some((NodeId(0), message.clone()));
            let said = checked.begin(FaultKind::Control { nodes, begin: say, lift: None });
            checked.lift(said);
        }
    }
    checked.run_until_ms(4_000);
    assert_eq!(checked.map(), &before);
    checked.check_healed();
}

// Over many drawn faults.

#[test]
fn states_are_never_lost_or_forked_and_one_node_leads_at_a_time() {
    every_seed(1..151, agreement_holds);
}

#[test]
fn the_service_keeps_its_promises_whatever_breaks() {
    every_seed(1..151, service_holds);
}

/// `FAULTLINE_SWARM_RUNS=N cargo test --test core -- --ignored config_service_many`.
#[test]
#[ignore = "as many runs as asked for"]
fn config_service_many() {
    every_seed(seeds_asked_for(), |seed| {
        agreement_holds(seed);
        service_holds(seed);
    });
}
