//! The network: what delays, loses, holds back or delivers a message.
//!
//! Delays are drawn per link (ordered pair of nodes), from the distribution of
//! the pair of zones or, where a message class has its own, from that; a class
//! can take longer between zones. Three transports ([`Transport`]): a *stream* keeps order and retransmits what is
//! lost, a *pooled* connection is as reliable but one of many, a *datagram* is
//! on its own.
//!
//! Retransmission is that of TCP on Linux: the first after 200 ms, doubling
//! (`TCP_RTO_MIN`; RFC 6298). A connection across a cut stalls; after the cut
//! is healed it goes on at its next retransmission, or it has been given up.
//!
//! Left out: congestion control, round-trip estimation, handshakes, routing.

use super::distribution::Distribution;
use super::fault::FaultId;
use super::node::NodeId;
use super::process::{Message, Transport};
use super::random::{Purpose, Stream, mix};
use super::time::{SimDuration, SimTime};
use std::collections::VecDeque;

/// First retransmission time-out, doubled each time: Linux's `TCP_RTO_MIN`.
pub const RETRANSMIT_FIRST: SimDuration = SimDuration::from_ms(200);
/// Most messages that one link holds back in a cut; the next breaks all connections of the link.
pub const STALLED_MESSAGES_MAX: usize = 1_024;
/// How many stopped messages are remembered for the picture.
pub const STOPS_REMEMBERED: usize = 128;

/// How the network of one world behaves when nothing is wrong with it.
#[derive(Clone, Debug)]
pub struct NetworkSpec {
    /// Number of zones.
    pub zones: usize,
    /// The region of each zone.
    pub regions: Vec<u8>,
    /// Delay from zone a to zone b at `a * zones + b`.
    pub delays: Vec<Distribution>,
    /// Delay of a node's messages to itself.
    pub local_delay: Distribution,
    /// By message class; overrides all the others where it is there.
    pub class_delays: Vec<Option<Distribution>>,
    /// By message class; a further delay where the two nodes stand in different zones.
    pub class_zone_extras: Vec<Option<Distribution>>,
    /// Each message is lost with this probability.
    pub loss: f64,
    /// Per link; none is unlimited. Bytes per nanosecond (1 Gbit/s is 0.125).
    pub bandwidth: Option<f64>,
    /// A stalled connection is given up after this.
    pub stream_timeout: SimDuration,
}

/// A message that a cut or a loss stopped, for the picture.
#[derive(Clone, Copy, Debug)]
pub struct Stop {
    pub at: SimTime,
    pub from: NodeId,
    pub to: NodeId,
    pub class: u8,
}

/// A message that waits for a cut to heal.
#[derive(Clone)]
pub(super) struct Stalled<M> {
    pub sent: SimTime,
    pub message: M,
    /// The fault that stopped it; none if it was lost by the network as it is.
    pub fault: Option<FaultId>,
    /// It was under way when a cut began. Such messages were sent before all
    /// those that were stopped at their sender, and stand before them.
    pub caught: bool,
}

/// An ordered pair of nodes that has been used.
#[derive(Clone)]
pub(super) struct Link<M> {
    pub from: NodeId,
    pub to: NodeId,
    delay: Stream,
    /// When the last message of its stream arrives.
    stream_clear: SimTime,
    /// When the wire is free again, where bandwidth is limited.
    wire_clear: SimTime,
    /// Streams that are only drawn from when something is wrong.
    trouble: Option<Box<Trouble>>,
    /// Messages of stalled connections, in the order in which they were sent.
    pub stalled: VecDeque<Stalled<M>>,
    pub stall_check_armed: bool,
}

#[derive(Clone)]
struct Trouble {
    loss: Stream,
    duplication: Stream,
    delay: Stream,
}

/// Bytes and messages that travelled, by where.
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
pub struct Traffic {
    pub messages: u64,
    pub bytes_same_zone: u64,
    /// Between zones of one region.
    pub bytes_cross_zone: u64,
    pub bytes_cross_region: u64,
    pub lost: u64,
    pub stopped: u64,
}

/// Bytes of one node that are paid for.
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
pub struct NodeTraffic {
    /// To and from other zones of its region.
    pub cross_zone: u64,
    /// To other regions.
    pub cross_region_out: u64,
}

/// What becomes of a message on a lossy link.
pub(super) enum Fate {
    /// It arrives, this much later.
    Arrives(SimDuration),
    /// Each retransmission is lost too, until its connection is given up.
    Stalls,
    Lost,
}

/// The network of one world.
#[derive(Clone)]
pub struct Network<M> {
    pub(super) spec: NetworkSpec,
    seed: u64,
    names: Vec<u64>,
    zones: Vec<u8>,
    /// Place of a link in `links` plus one, at `from * nodes + to`.
    index: Vec<u32>,
    pub(super) links: Vec<Link<M>>,
    pub(super) traffic: Traffic,
    by_node: Vec<NodeTraffic>,
    pub(super) stops: VecDeque<Stop>,
}

impl<M: Message> Network<M> {
    pub(super) fn new(seed: u64, spec: NetworkSpec, names: Vec<u64>, zones: Vec<u8>) -> Network<M> {
        assert_eq!(spec.delays.len(), spec.zones * spec.zones, "one delay per ordered pair of zones");
        assert_eq!(spec.regions.len(), spec.zones, "every zone is in a region");
        assert!(zones.iter().all(|zone| usize::from(*zone) < spec.zones), "every node stands in a zone");
        let nodes = names.len();
        Network {
            spec,
            seed,
            names,
            zones,
            index: vec![0; nodes * nodes],
            links: Vec::new(),
            traffic: Traffic::default(),
            by_node: vec![NodeTraffic::default(); nodes],
            stops: VecDeque::new(),
        }
    }

    pub fn traffic(&self) -> Traffic {
        self.traffic
    }

    pub fn traffic_of(&self, node: NodeId) -> NodeTraffic {
        self.by_node[node.index()]
    }

    /// The latest messages that were stopped, oldest first.
    pub fn stops(&self) -> impl Iterator<Item = &Stop> {
        self.stops.iter()
    }

    #[inline]
    pub(super) fn link(&mut self, from: NodeId, to: NodeId) -> usize {
        let at = from.index() * self.names.len() + to.index();
        let place = self.index[at];
        if place != 0 {
            return place as usize - 1;
        }
        self.links.push(Link {
            from,
            to,
            delay: Stream::new(self.seed, Purpose::Delay, self.link_entity(from, to)),
            stream_clear: SimTime::ZERO,
            wire_clear: SimTime::ZERO,
            trouble: None,
            stalled: VecDeque::new(),
            stall_check_armed: false,
        });
        self.index[at] = self.links.len() as u32;
        self.links.len() - 1
    }

    fn link_entity(&self, from: NodeId, to: NodeId) -> u64 {
        mix(self.names[from.index()]) ^ self.names[to.index()].rotate_left(32)
    }

    /// When a message that leaves now arrives, faults and its stream's order aside, and counts its bytes.
    #[inline]
    pub(super) fn arrival(&mut self, now: SimTime, link: usize, message: &M) -> SimTime {
        let (class, bytes) = (message.class(), message.bytes());
        let place = &mut self.links[link];
        let (from, to) = (place.from, place.to);
        let (zone_from, zone_to) = (self.zones[from.index()], self.zones[to.index()]);
        self.traffic.messages += 1;
        if zone_from == zone_to {
            self.traffic.bytes_same_zone += u64::from(bytes);
        } else if self.spec.regions[usize::from(zone_from)] == self.spec.regions[usize::from(zone_to)] {
            self.traffic.bytes_cross_zone += u64::from(bytes);
            self.by_node[from.index()].cross_zone += u64::from(bytes);
            self.by_node[to.index()].cross_zone += u64::from(bytes);
        } else {
            self.traffic.bytes_cross_region += u64::from(bytes);
            self.by_node[from.index()].cross_region_out += u64::from(bytes);
        }
        let mut leaves = now;
        if let Some(bandwidth) = self.spec.bandwidth {
            leaves = leaves.max(place.wire_clear) + SimDuration((f64::from(bytes) / bandwidth + 0.5) as u64);
            place.wire_clear = leaves;
        }
        let distribution = match self.spec.class_delays.get(class as usize) {
            Some(Some(own)) => own,
            _ if from == to => &self.spec.local_delay,
            _ => &self.spec.delays[zone_from as usize * self.spec.zones + zone_to as usize],
        };
        let arrives = leaves + distribution.sample(&mut place.delay);
        match self.spec.class_zone_extras.get(class as usize) {
            Some(Some(extra)) if zone_from != zone_to => arrives + extra.sample(&mut place.delay),
            _ => arrives,
        }
    }

    /// When a message of the link's stream that would arrive at `arrives` is let
    /// in: not before the one that was sent before it.
    #[inline]
    pub(super) fn in_order(&mut self, link: usize, arrives: SimTime) -> SimTime {
        let place = &mut self.links[link];
        place.stream_clear = place.stream_clear.max(arrives);
        place.stream_clear
    }

    /// What stalls the link's stream, if it is stalled (some fault, or the network as it is).
    pub(super) fn stream_stalled_by(&self, link: usize) -> Option<Option<FaultId>> {
        let mut stalled = self.links[link].stalled.iter();
        stalled.find(|held| held.message.transport() == Transport::Stream).map(|held| held.fault)
    }

    /// Forgets a link's stream; returns the classes of the messages that it held back.
    pub(super) fn close_stream(&mut self, link: usize, now: SimTime) -> Vec<u8>
    where
        M: Message,
    {
        let place = &mut self.links[link];
        place.stream_clear = now;
        let (closed, kept): (VecDeque<_>, VecDeque<_>) = std::mem::take(&mut place.stalled)
            .into_iter()
            .partition(|stalled| stalled.message.transport() == Transport::Stream);
        place.stalled = kept;
        closed.iter().map(|stalled| stalled.message.class()).collect()
    }

    /// What becomes of a message of the transport on a link that loses each one with `probability`.
    pub(super) fn fate(&mut self, link: usize, transport: Transport, probability: f64) -> Fate {
        let timeout = self.spec.stream_timeout;
        let stream = &mut self.trouble(link).loss;
        if transport == Transport::Datagram {
            return if stream.chance(probability) { Fate::Lost } else { Fate::Arrives(SimDuration::ZERO) };
        }
        let mut late = SimDuration::ZERO;
        let mut wait = RETRANSMIT_FIRST;
        while stream.chance(probability) {
            late = late + wait;
            wait = wait + wait;
            if late >= timeout {
                return Fate::Stalls;
            }
        }
        Fate::Arrives(late)
    }

    pub(super) fn duplicates(&mut self, link: usize, probability: f64) -> bool {
        self.trouble(link).duplication.chance(probability)
    }

    pub(super) fn duplicate_delay(&mut self, link: usize) -> SimDuration {
        // A duplicate takes a way of its own: up to a millisecond later.
        let stream = &mut self.trouble(link).duplication;
        SimDuration((stream.unit() * 1e6) as u64)
    }

    pub(super) fn extra_delay(&mut self, link: usize, extra: &Distribution) -> SimDuration {
        extra.sample(&mut self.trouble(link).delay)
    }

    fn trouble(&mut self, link: usize) -> &mut Trouble {
        let entity = self.link_entity(self.links[link].from, self.links[link].to);
        let seed = self.seed;
        self.links[link].trouble.get_or_insert_with(|| {
            Box::new(Trouble {
                loss: Stream::new(seed, Purpose::Loss, entity),
                duplication: Stream::new(seed, Purpose::Duplication, entity),
                delay: Stream::new(seed, Purpose::FaultDelay, entity),
            })
        })
    }

    pub(super) fn remember_stop(&mut self, stop: Stop) {
        self.traffic.stopped += 1;
        if self.stops.len() == STOPS_REMEMBERED {
            self.stops.pop_front();
        }
        self.stops.push_back(stop);
    }
}

/// When a sender whose message was first lost at `since` retransmits next, at or after `now`.
pub(super) fn next_retransmission(since: SimTime, now: SimTime) -> SimTime {
    let mut wait = RETRANSMIT_FIRST;
    let mut at = since + wait;
    while at < now {
        wait = wait + wait;
        at += wait;
    }
    at
}
