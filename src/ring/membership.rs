//! Membership: what one node believes of who is there, and how it keeps it up.
//!
//! A plain value: it is told messages and timers with the time, and gives
//! [`Action`]s to be carried out. Rounds of [`gossip`](super::gossip) go over the
//! [`overlay`](super::overlay), or to any node that was heard of; a
//! [`failure_detector`](super::failure_detector) judges. As in Cassandra, a round
//! goes now and then to a node that is believed dead, and to a seed, so that two
//! halves that have lost each other find together again
//! (`Gossiper.maybeGossipToUnreachableMember`, `maybeGossipToSeed`).
//!
//! Without that, and with rumours going one way only, who is falsely believed dead
//! stays so: pulled from by nobody, or told nothing that it could refute.
//!
//! A node of which nothing was ever heard is taken to be alive: which nodes there are
//! is configuration here, while who of them is there is learned by rumour only.

use super::broadcasts::Told;
use super::failure_detector::FailureDetection;
use super::failure_detector::phi_accrual::ArrivalWindow;
use super::failure_detector::swim::{Acknowledged, Swim};
use super::failure_detector::time_out;
use super::gossip::{Comparison, Delta, Gossip, Heard};
use super::gossip_message::GossipMessage;
use super::overlay::Overlay;
use super::rumour::{Rumour, Standing};
use crate::engine::{SimDuration, SimTime, Stream};
use std::rc::Rc;

/// A node that starts begins an exchange within this, however long its interval is.
const FIRST_ROUND_WITHIN: SimDuration = SimDuration::from_ms(1_000);

/// Which way rumours go in an exchange, seen from the one who begins it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Direction {
    Push,
    Pull,
    PushPull,
}

/// Shared by the members of one ring.
#[derive(Clone, Debug)]
pub struct MembershipSettings {
    /// The neighbours of each node.
    pub neighbours: Vec<Vec<u16>>,
    /// Rounds go to any node that was heard of, not to neighbours only.
    pub with_everybody: bool,
    /// The first so many nodes are seeds.
    pub seeds: u16,
    /// Whether a round goes to a node that is believed dead now and then.
    pub with_the_dead: bool,
    pub direction: Direction,
    /// Digests first, and then only what differs.
    pub with_deltas: bool,
    pub interval: SimDuration,
    /// Nodes that one round goes to.
    pub fan_out: usize,
    pub detection: FailureDetection,
}

/// Something to be carried out.
#[derive(Clone, PartialEq, Debug)]
pub enum Action {
    Send { to: u16, message: GossipMessage },
    SetTimer { after: SimDuration, timer: MembershipTimer },
    Report(Change),
}

/// A change of mind.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Change {
    /// SWIM: a peer may be dead.
    Suspected(u16),
    /// A peer is believed dead.
    Convicted(u16),
    /// A peer that was believed dead is believed alive again.
    Trusted(u16),
    /// It heard that it is suspected or dead itself, and says that it is not.
    Refuted,
}

/// What it sets timers for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MembershipTimer {
    Round,
    Period,
    PingTimeOut { number: u32 },
    NackDue { number: u32 },
    SuspicionEnds { peer: u16, serial: u32 },
}

/// One peer, as it is judged.
#[derive(Clone, Copy, Debug)]
struct Peer {
    news: ArrivalWindow,
    /// Whom the newest rumour of it came from.
    heard_from: u16,
    believed_alive: bool,
}

/// What one node believes of another one.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Belief {
    pub is_alive: bool,
    /// The newest that was heard of it; [`Rumour::none`] if nothing was.
    pub rumour: Rumour,
    pub heard_from: u16,
    /// How much it is suspected, of what convicts it: 0 to 1.
    pub suspicion: f64,
}

/// One node's beliefs.
#[derive(Clone, Debug)]
pub struct Membership {
    settings: Rc<MembershipSettings>,
    own: u16,
    gossip: Gossip,
    overlay: Overlay,
    peers: Vec<Peer>,
    swim: Option<Box<Swim>>,
}

impl Membership {
    /// Node `own`, not started yet: it has nothing in memory.
    pub fn new(settings: Rc<MembershipSettings>, own: u16) -> Membership {
        Membership {
            gossip: Gossip::new(0, 1, 0),
            overlay: Overlay::new(&[]),
            peers: Vec::new(),
            swim: None,
            settings,
            own,
        }
    }

    /// Starts; `generation` should be higher at each start, and grows by rumour if it is not.
    pub fn start(&mut self, generation: u64, now: SimTime, random: &mut Stream, actions: &mut Vec<Action>) {
        let settings = Rc::clone(&self.settings);
        let nodes = settings.neighbours.len();
        self.gossip = Gossip::new(self.own, nodes, generation);
        self.overlay = Overlay::new(&settings.neighbours[usize::from(self.own)]);
        let news = ArrivalWindow::new(now, settings.interval + settings.interval);
        self.peers = vec![Peer { news, heard_from: self.own, believed_alive: true }; nodes];
        // Rounds of different nodes fall on different moments; who starts does not wait long for its first.
        let first = settings.interval.min(FIRST_ROUND_WITHIN).scaled(random.unit());
        actions.push(Action::SetTimer { after: first, timer: MembershipTimer::Round });
        if let FailureDetection::Swim(swim) = &settings.detection {
            let first = swim.period.scaled(random.unit());
            actions.push(Action::SetTimer { after: first, timer: MembershipTimer::Period });
            let mut swim = Swim::new(swim.clone());
            swim.broadcasts.add(Told { rumour: self.gossip.rumour(self.own), by: self.own });
            self.swim = Some(Box::new(swim));
        }
    }

    pub fn has_started(&self) -> bool {
        !self.peers.is_empty()
    }

    // What it believes.

    #[inline]
    pub fn believes_alive(&self, node: u16) -> bool {
        self.peers.get(usize::from(node)).is_none_or(|peer| peer.believed_alive)
    }

    /// Whom it believes dead.
    pub fn believed_dead(&self) -> impl Iterator<Item = u16> + '_ {
        self.peers.iter().enumerate().filter(|(_, peer)| !peer.believed_alive).map(|(node, _)| node as u16)
    }

    /// What it believes of a node; none before it has started.
    pub fn belief(&self, node: u16, now: SimTime) -> Option<Belief> {
        let peer = self.peers.get(usize::from(node))?;
        let suspicion = match (&self.settings.detection, &self.swim) {
            _ if node == self.own => 0.0,
            _ if !peer.believed_alive => 1.0,
            (FailureDetection::PhiAccrual { threshold, .. }, _) => peer.news.phi(now) / threshold,
            (FailureDetection::TimeOut(after), _) => {
                peer.news.silent_for(now).0 as f64 / after.0.max(1) as f64
            }
            (FailureDetection::Swim(_), swim) => {
                let suspicion = swim.as_ref().and_then(|swim| swim.suspicion(node));
                suspicion.map_or(0.0, |suspicion| suspicion.share(now))
            }
        };
        Some(Belief {
            is_alive: peer.believed_alive,
            rumour: self.gossip.rumour(node),
            heard_from: peer.heard_from,
            suspicion: suspicion.min(1.0),
        })
    }

    /// How much a peer is suspected by how long it has been silent.
    pub fn phi(&self, node: u16, now: SimTime) -> f64 {
        match self.peers.get(usize::from(node)) {
            Some(peer) if node != self.own => peer.news.phi(now),
            _ => 0.0,
        }
    }

    /// What it says of itself.
    pub fn own_rumour(&self) -> Rumour {
        self.gossip
            .rumours()
            .find(|rumour| rumour.node == self.own)
            .copied()
            .unwrap_or(Rumour::none(self.own))
    }

    /// Of how many nodes it has heard, itself included.
    pub fn heard_of(&self) -> usize {
        self.gossip.heard_of()
    }

    pub fn overlay(&self) -> &Overlay {
        &self.overlay
    }

    pub fn swim(&self) -> Option<&Swim> {
        self.swim.as_deref()
    }

    pub fn settings(&self) -> &MembershipSettings {
        &self.settings
    }

    /// Bytes of memory that its beliefs take: in proportion to the number of nodes.
    pub fn memory_bytes(&self) -> usize {
        let swim = self.swim.as_ref().map_or(0, |swim| size_of::<Swim>() + swim.broadcasts.len() * 32);
        self.peers.len() * (size_of::<Peer>() + size_of::<Rumour>()) + swim
    }

    // What it does.

    pub fn handle_timer(
        &mut self,
        timer: MembershipTimer,
        now: SimTime,
        random: &mut Stream,
        actions: &mut Vec<Action>,
    ) {
        match timer {
            MembershipTimer::Round => self.round(now, random, actions),
            MembershipTimer::Period => self.period(now, random, actions),
            MembershipTimer::PingTimeOut { number } => self.ping_timed_out(number, random, actions),
            MembershipTimer::NackDue { number } => {
                let due = self.swim.as_ref().and_then(|swim| swim.nack_due(number));
                if let Some((to, number)) = due {
                    let message = GossipMessage::NegativeAcknowledgement { number };
                    actions.push(Action::Send { to, message });
                }
            }
            MembershipTimer::SuspicionEnds { peer, serial } => {
                if self.swim.as_ref().is_some_and(|swim| swim.is_over(peer, serial, now))
                    && let Some(rumour) = self.gossip.accuse(peer, Standing::Dead)
                {
                    self.take_over(Told { rumour, by: self.own }, self.own, now, actions);
                }
            }
        }
    }

    pub fn handle_message(
        &mut self,
        from: u16,
        message: &GossipMessage,
        now: SimTime,
        actions: &mut Vec<Action>,
    ) {
        match message {
            GossipMessage::Digests(digests) => {
                // What is said of it itself it need not ask for.
                if let Some(digest) = digests.iter().find(|digest| digest.node == self.own) {
                    self.hear(Told { rumour: *digest, by: from }, from, now, actions);
                }
                let Comparison { mut newer, mut wanted } = self.gossip.compare(digests);
                match self.settings.direction {
                    Direction::Push => newer.clear(),
                    Direction::Pull => wanted.clear(),
                    Direction::PushPull => {}
                }
                let message = GossipMessage::Comparison { newer: newer.into(), wanted: wanted.into() };
                actions.push(Action::Send { to: from, message });
            }
            GossipMessage::Comparison { newer, wanted } => {
                self.hear_all(newer, from, now, actions);
                if !wanted.is_empty() {
                    let deltas = self.gossip.answer(wanted);
                    let message = GossipMessage::Deltas { deltas, asks_back: false };
                    actions.push(Action::Send { to: from, message });
                }
            }
            GossipMessage::Deltas { deltas, asks_back } => {
                self.hear_all(deltas, from, now, actions);
                if *asks_back {
                    let deltas = self.gossip.everything();
                    let message = GossipMessage::Deltas { deltas, asks_back: false };
                    actions.push(Action::Send { to: from, message });
                }
            }
            GossipMessage::Ping { number, told } => {
                self.hear_told(told, from, now, actions);
                let message =
                    GossipMessage::Acknowledgement { number: *number, told: self.riding_along(from) };
                actions.push(Action::Send { to: from, message });
            }
            GossipMessage::PingRequest { number, target, told } => {
                self.hear_told(told, from, now, actions);
                self.relay(from, *number, *target, actions);
            }
            GossipMessage::Acknowledgement { number, told } => {
                self.hear_told(told, from, now, actions);
                let Some(swim) = &mut self.swim else { return };
                if let Acknowledged::Relayed { asked_by, their_number } = swim.acknowledged(*number) {
                    let told = self.riding_along(asked_by);
                    let message = GossipMessage::Acknowledgement { number: their_number, told };
                    actions.push(Action::Send { to: asked_by, message });
                }
            }
            GossipMessage::NegativeAcknowledgement { number } => {
                if let Some(swim) = &mut self.swim {
                    swim.nacked(*number);
                }
            }
        }
    }

    // Gossip.

    fn round(&mut self, now: SimTime, random: &mut Stream, actions: &mut Vec<Action>) {
        if self.swim.is_none() {
            self.gossip.beat();
        }
        for to in self.targets(random) {
            let message = match (self.settings.with_deltas, self.settings.direction) {
                (true, _) => GossipMessage::Digests(self.gossip.digests()),
                (false, Direction::Pull) => GossipMessage::Deltas { deltas: Rc::new([]), asks_back: true },
                (false, direction) => GossipMessage::Deltas {
                    deltas: self.gossip.everything(),
                    asks_back: direction == Direction::PushPull,
                },
            };
            actions.push(Action::Send { to, message });
        }
        self.convict(now, actions);
        actions.push(Action::SetTimer { after: self.settings.interval, timer: MembershipTimer::Round });
    }

    /// Whom a round goes to.
    fn targets(&mut self, random: &mut Stream) -> Vec<u16> {
        let settings = Rc::clone(&self.settings);
        let (overlay, peers, gossip, own) = (&mut self.overlay, &self.peers, &self.gossip, self.own);
        let is_alive = |node: u16| peers[usize::from(node)].believed_alive;
        let members = || -> Vec<u16> {
            let heard = gossip.rumours().map(|rumour| rumour.node);
            heard.filter(|node| *node != own && is_alive(*node)).collect()
        };
        overlay.keep_alive(is_alive, members, random);
        let mut known: Vec<u16> = overlay.now().collect();
        if settings.with_everybody {
            // A neighbour that was never heard of is known from joining.
            known.retain(|node| gossip.rumour(*node).is_none());
            known.extend(members());
        }
        if known.is_empty() {
            known = overlay.now().collect();
        }
        let mut targets = draw(known, settings.fan_out, random);
        let dead: Vec<u16> = self.believed_dead().collect();
        let alive = (self.peers.len() - dead.len()) as f64;
        if settings.with_the_dead && random.chance(dead.len() as f64 / alive) {
            targets.extend(draw(dead, 1, random));
        }
        // A round that goes to a seed anyway is enough.
        let others = (self.peers.len() - 1).max(1) as f64;
        if !targets.iter().any(|node| *node < settings.seeds)
            && random.chance(f64::from(settings.seeds) / others)
        {
            let seeds = (0..settings.seeds).filter(|node| *node != self.own).collect();
            targets.extend(draw(seeds, 1, random));
        }
        targets
    }

    fn hear_all(&mut self, deltas: &[Delta], from: u16, now: SimTime, actions: &mut Vec<Action>) {
        for delta in deltas {
            // Who began a suspicion is not said here: it counts as the listener's (memberlist, `mergeState`).
            self.hear(Told { rumour: delta.rumour, by: self.own }, from, now, actions);
        }
    }

    fn hear(&mut self, told: Told, from: u16, now: SimTime, actions: &mut Vec<Action>) {
        let told = Told { rumour: told.rumour.passed_on(), ..told };
        match self.gossip.hear(told.rumour) {
            Heard::News => self.take_over(told, from, now, actions),
            Heard::Overtaken => {
                let rumour = self.gossip.rumour(self.own);
                let Some(swim) = &mut self.swim else { return };
                swim.broadcasts.add(Told { rumour, by: self.own });
                if told.rumour.standing != Standing::Alive {
                    swim.feel(1);
                    actions.push(Action::Report(Change::Refuted));
                }
            }
            Heard::Nothing => self.hear_again(told, now, actions),
        }
    }

    /// What is news for this node: it believes it from now on, and passes it on.
    fn take_over(&mut self, told: Told, from: u16, now: SimTime, actions: &mut Vec<Action>) {
        let (node, standing) = (told.rumour.node, told.rumour.standing);
        let heard_of = self.gossip.heard_of();
        let peer = &mut self.peers[usize::from(node)];
        let was_alive = peer.believed_alive;
        peer.heard_from = from;
        peer.believed_alive = standing != Standing::Dead;
        match (was_alive, peer.believed_alive) {
            (true, true) => {
                if let FailureDetection::PhiAccrual { window, .. } = self.settings.detection {
                    peer.news.heard(now, window);
                } else {
                    peer.news.returned(now);
                }
            }
            (false, true) => {
                peer.news.returned(now);
                actions.push(Action::Report(Change::Trusted(node)));
            }
            (true, false) => actions.push(Action::Report(Change::Convicted(node))),
            (false, false) => {}
        }
        let Some(swim) = &mut self.swim else { return };
        swim.broadcasts.add(told);
        // A suspicion of an older incarnation is void.
        swim.forget(node);
        if standing == Standing::Suspected {
            actions.push(Action::Report(Change::Suspected(node)));
            suspect(swim, told, heard_of, now, actions);
        }
    }

    /// A rumour that is not new can still be another one's suspicion.
    fn hear_again(&mut self, told: Told, now: SimTime, actions: &mut Vec<Action>) {
        let Some(known) =
            self.peers.get(usize::from(told.rumour.node)).map(|_| self.gossip.rumour(told.rumour.node))
        else {
            return;
        };
        let heard_of = self.gossip.heard_of();
        let Some(swim) = &mut self.swim else { return };
        if told.rumour.standing == Standing::Suspected
            && known.is_same_as(&told.rumour)
            && suspect(swim, told, heard_of, now, actions)
        {
            swim.broadcasts.add(told);
        }
    }

    /// Looks at how long everybody has been silent.
    fn convict(&mut self, now: SimTime, actions: &mut Vec<Action>) {
        let detection = &self.settings.detection;
        let is_over = |peer: &Peer| match detection {
            FailureDetection::PhiAccrual { threshold, .. } => peer.news.phi(now) > *threshold,
            FailureDetection::TimeOut(after) => time_out::is_over(&peer.news, *after, now),
            FailureDetection::Swim(_) => false,
        };
        for (node, peer) in self.peers.iter_mut().enumerate() {
            if node as u16 != self.own && peer.believed_alive && is_over(peer) {
                peer.believed_alive = false;
                actions.push(Action::Report(Change::Convicted(node as u16)));
            }
        }
    }

    // SWIM.

    fn period(&mut self, now: SimTime, random: &mut Stream, actions: &mut Vec<Action>) {
        let Some(swim) = &mut self.swim else { return };
        let suspect = swim.conclude();
        if let Some(peer) = suspect {
            if let Some(rumour) = self.gossip.accuse(peer, Standing::Suspected) {
                self.take_over(Told { rumour, by: self.own }, self.own, now, actions);
            } else {
                // Others suspect it already: one more who does.
                let rumour = self.gossip.rumour(peer);
                self.hear_again(Told { rumour, by: self.own }, now, actions);
            }
        }
        let (gossip, peers, own) = (&self.gossip, &self.peers, self.own);
        let is_member = |node: u16| {
            node != own && !gossip.rumour(node).is_none() && peers[usize::from(node)].believed_alive
        };
        let Some(swim) = &mut self.swim else { return };
        let begun = swim.begin(is_member, peers.len(), random);
        let (period, timeout) = (swim.period(), swim.timeout());
        if let Some((target, number)) = begun {
            let message = GossipMessage::Ping { number, told: self.riding_along(target) };
            actions.push(Action::Send { to: target, message });
            actions.push(Action::SetTimer { after: timeout, timer: MembershipTimer::PingTimeOut { number } });
        }
        actions.push(Action::SetTimer { after: period, timer: MembershipTimer::Period });
    }

    fn ping_timed_out(&mut self, number: u32, random: &mut Stream, actions: &mut Vec<Action>) {
        let Some(swim) = &mut self.swim else { return };
        let Some(target) = swim.timed_out(number) else { return };
        let is_other = |rumour: &&Rumour| {
            rumour.node != self.own
                && rumour.node != target
                && self.peers[usize::from(rumour.node)].believed_alive
        };
        let others: Vec<u16> = self.gossip.rumours().filter(is_other).map(|rumour| rumour.node).collect();
        let asked = draw(others, swim.settings().indirect, random);
        swim.asked(asked.len());
        for to in asked {
            let message = GossipMessage::PingRequest { number, target, told: self.riding_along(to) };
            actions.push(Action::Send { to, message });
        }
    }

    fn relay(&mut self, asked_by: u16, their_number: u32, target: u16, actions: &mut Vec<Action>) {
        let Some(swim) = self.swim.as_mut().filter(|_| usize::from(target) < self.peers.len()) else {
            return;
        };
        let number = swim.relay(asked_by, their_number);
        if let Some(after) = swim.nack_after() {
            actions.push(Action::SetTimer { after, timer: MembershipTimer::NackDue { number } });
        }
        let message = GossipMessage::Ping { number, told: self.riding_along(target) };
        actions.push(Action::Send { to: target, message });
    }

    fn hear_told(&mut self, told: &[Told], from: u16, now: SimTime, actions: &mut Vec<Action>) {
        for told in told {
            self.hear(*told, from, now, actions);
        }
    }

    /// The rumours that ride on a message to a node.
    fn riding_along(&mut self, to: u16) -> Rc<[Told]> {
        let heard_of = self.gossip.heard_of();
        let Some(swim) = &mut self.swim else { return Rc::new([]) };
        let limit = swim.retransmit_limit(heard_of);
        let mut told = swim.broadcasts.take(limit);
        // Who is suspected is the first who should know (Lifeguard's buddy system).
        let rumour = self.gossip.rumour(to);
        if swim.settings().lifeguard
            && rumour.standing != Standing::Alive
            && !told.iter().any(|other| other.rumour.node == to)
        {
            told.push(Told { rumour, by: self.own });
        }
        told.into()
    }
}

/// Begins or confirms a suspicion; whether there is anything new in it.
fn suspect(swim: &mut Swim, told: Told, nodes: usize, now: SimTime, actions: &mut Vec<Action>) -> bool {
    let peer = told.rumour.node;
    let Some((ends, serial)) = swim.suspect(peer, told.by, nodes, now) else { return false };
    actions.push(Action::SetTimer {
        after: ends.since(now),
        timer: MembershipTimer::SuspicionEnds { peer, serial },
    });
    true
}

/// So many of a list, each as likely; all if there are no more.
fn draw(mut list: Vec<u16>, count: usize, random: &mut Stream) -> Vec<u16> {
    let count = count.min(list.len());
    for at in 0..count {
        let other = at + random.below((list.len() - at) as u32) as usize;
        list.swap(at, other);
    }
    list.truncate(count);
    list
}
