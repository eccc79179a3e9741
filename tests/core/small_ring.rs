//! What tests of a ring's membership are built from: members in lock-step, and whole rings.

use faultline::cluster::build::traffic;
use faultline::cluster::run::ClusterRun;
use faultline::cluster::watcher::Notable;
use faultline::engine::{Purpose, SimDuration, SimTime, Stream};
use faultline::measure::prices::PriceSheet;
use faultline::ring::failure_detector::FailureDetection;
use faultline::ring::failure_detector::swim::SwimSettings;
use faultline::ring::gossip_message::GossipMessage;
use faultline::ring::membership::{Action, Direction, Membership, MembershipSettings, MembershipTimer};
use faultline::ring::message::RingEvent;
use faultline::scenario::Scenario;
use faultline::scenario::parse::parse;
use serde_json::{Value, json};
use std::rc::Rc;

/// SWIM as memberlist sets it for a local network.
pub fn lan() -> SwimSettings {
    SwimSettings {
        period: SimDuration::from_ms(1_000),
        timeout: SimDuration::from_ms(500),
        indirect: 3,
        round_robin: true,
        suspicion_multiplier: 4,
        suspicion_max_multiplier: 6,
        retransmit_multiplier: 4,
        lifeguard: true,
    }
}

/// Push to everybody with a fan-out, and no heartbeats: nothing changes unless a test changes it.
pub fn push_to_everybody(nodes: usize, fan_out: usize) -> MembershipSettings {
    MembershipSettings {
        neighbours: vec![Vec::new(); nodes],
        with_everybody: true,
        seeds: 0,
        with_the_dead: false,
        direction: Direction::Push,
        with_deltas: false,
        interval: SimDuration::from_ms(200),
        fan_out,
        detection: FailureDetection::Swim(lan()),
    }
}

/// Members whose rounds happen all at once, and whose messages arrive at once or are lost.
pub struct LockStep {
    pub members: Vec<Membership>,
    pub random: Stream,
    pub loss: f64,
    pub sent: u64,
}

impl LockStep {
    pub fn new(settings: MembershipSettings, seed: u64) -> LockStep {
        let settings = Rc::new(settings);
        let mut random = Stream::new(seed, Purpose::Swarm, 20);
        let start = |own: usize| {
            let mut member = Membership::new(Rc::clone(&settings), own as u16);
            member.start(1, SimTime::ZERO, &mut random, &mut Vec::new());
            member
        };
        let members = (0..settings.neighbours.len()).map(start).collect();
        LockStep { members, random, loss: 0.0, sent: 0 }
    }

    /// Everybody hears of everybody.
    pub fn introduce(&mut self) {
        let own = |member: &Membership| faultline::ring::gossip::Delta {
            rumour: member.own_rumour(),
            with_state: true,
        };
        let deltas: Rc<[_]> = self.members.iter().map(own).collect();
        let message = GossipMessage::Deltas { deltas, asks_back: false };
        for member in &mut self.members {
            member.handle_message(0, &message, SimTime::ZERO, &mut Vec::new());
        }
    }

    /// One round of everybody: what is sent is what was known before it.
    pub fn round(&mut self) {
        let mut under_way = Vec::new();
        for from in 0..self.members.len() {
            let mut actions = Vec::new();
            let member = &mut self.members[from];
            member.handle_timer(MembershipTimer::Round, SimTime::ZERO, &mut self.random, &mut actions);
            under_way.push((from as u16, actions));
        }
        while !under_way.is_empty() {
            let mut answers = Vec::new();
            for (from, actions) in under_way {
                for action in actions {
                    let Action::Send { to, message } = action else { continue };
                    self.sent += 1;
                    if self.random.chance(self.loss) {
                        continue;
                    }
                    let mut actions = Vec::new();
                    let member = &mut self.members[usize::from(to)];
                    member.handle_message(from, &message, SimTime::ZERO, &mut actions);
                    answers.push((to, actions));
                }
            }
            under_way = answers;
        }
    }

    /// Whether all have heard the same, of everybody.
    pub fn all_agree(&self) -> bool {
        let nodes = self.members.len();
        let heard = |member: &Membership, of: usize| {
            member.belief(of as u16, SimTime::ZERO).expect("it has started").rumour
        };
        self.members.iter().all(|member| {
            member.heard_of() == nodes
                && (0..nodes).all(|of| heard(member, of).is_same_as(&heard(&self.members[0], of)))
        })
    }
}

/// A ring with hardly any traffic, for so long.
pub fn scenario(ring: Value, seed: u64, seconds: u32) -> Scenario {
    let mut text = json!({
        "version": 1, "name": "small", "title": "Small", "duration_ms": seconds * 1_000, "seed": seed, "zones": ["a"],
        "workload": {"clients": 1, "rate_per_s": 0.01, "keys": 1},
        "clusters": [{"gossip_ring": {"n": 1, "virtual_nodes": 1}}],
    });
    let section = text["clusters"][0]["gossip_ring"].as_object_mut().expect("an object");
    section.extend(ring.as_object().expect("an object").clone());
    parse(&text.to_string()).unwrap_or_else(|error| panic!("{error}"))
}

/// What its nodes said of each other, with the names of the nodes.
pub struct SmallRing {
    pub run: ClusterRun,
    pub seen: Vec<(SimTime, RingEvent)>,
}

impl SmallRing {
    pub fn new(ring: Value, seed: u64) -> SmallRing {
        let scenario = scenario(ring, seed, 3_600);
        SmallRing::of(&scenario)
    }

    pub fn of(scenario: &Scenario) -> SmallRing {
        let prices = PriceSheet::bundled(&scenario.prices).expect("it comes with the program");
        let traffic = traffic(scenario, None);
        let section = &scenario.clusters[0];
        let bucket = SimDuration::from_ms(100);
        let run = ClusterRun::new(scenario, section, &traffic, &prices, scenario.seed, bucket);
        SmallRing { run, seen: Vec::new() }
    }

    pub fn run_ms(&mut self, ms: u64) {
        let until = self.run.world().now() + SimDuration::from_ms(ms);
        while self.run.world().now() < until {
            self.run.run_until(until.min(self.run.world().now() + SimDuration::from_ms(100)));
            for (at, notable) in self.run.take_notable() {
                if let Notable::Ring(event) = notable {
                    self.seen.push((at, event));
                }
            }
        }
    }

    pub fn member(&self, number: u32) -> &Membership {
        let node = self.run.world().find(&format!("ring-{number}")).expect("there is such a node");
        self.run.world().process(node).as_ring().expect("it is of the ring").gossip()
    }

    pub fn count(&self, wanted: impl Fn(&RingEvent) -> bool) -> usize {
        self.seen.iter().filter(|(_, event)| wanted(event)).count()
    }
}
