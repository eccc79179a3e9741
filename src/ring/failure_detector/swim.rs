//! SWIM: nodes ask each other whether they are there.
//!
//! Every period a node pings one other (Das, Gupta, Motivala, "SWIM", DSN 2002,
//! section 3.1). If no acknowledgement comes in time, it asks some others to ping it;
//! if none comes by the end of the period either, it suspects it. Whom it pings is
//! drawn at random, or goes round a shuffled list, so that everyone is pinged once
//! in a while (section 4.3). A suspicion that is not refuted becomes death.
//!
//! Defaults are memberlist's for a local network (`DefaultLANConfig`). With Lifeguard
//! (DSN-W 2018) a node that is itself slow waits longer, those who ping for another
//! say so if they hear nothing, who is pinged hears that it is suspected, and
//! suspicions that others share end sooner.
//!
//! Left out: the ping over TCP beside the indirect ones, leaving on purpose, and
//! memberlist's change of a heard death into a suspicion.

use super::local_health::LocalHealth;
use super::suspicion::{Suspicion, confirmations_wanted, shortest};
use crate::engine::table::Table;
use crate::engine::{SimDuration, SimTime, Stream};
use crate::ring::broadcasts::{Broadcasts, retransmit_limit};
use std::collections::VecDeque;

/// Pings for others that are under way at most; beyond, the oldest is forgotten.
const RELAYS_MAX: usize = 64;
/// Of a ping's time-out, when one who pings for another says that it heard nothing (Lifeguard, section IV.A).
const NACK_AFTER: f64 = 0.8;

/// How SWIM is set.
#[derive(Clone, Debug)]
pub struct SwimSettings {
    /// From one ping to the next.
    pub period: SimDuration,
    /// After this without an acknowledgement others are asked.
    pub timeout: SimDuration,
    /// How many.
    pub indirect: usize,
    /// Goes round a shuffled list, instead of drawing each time.
    pub round_robin: bool,
    pub suspicion_multiplier: u32,
    /// A suspicion that nobody shares lasts so many times longer; with Lifeguard only.
    pub suspicion_max_multiplier: u32,
    pub retransmit_multiplier: u32,
    pub lifeguard: bool,
}

/// A ping under way.
#[derive(Clone, Copy, Debug)]
struct Probe {
    number: u32,
    target: u16,
    is_acknowledged: bool,
    nacks_due: u32,
    nacks: u32,
}

/// A ping for another node.
#[derive(Clone, Copy, Debug)]
struct Relay {
    number: u32,
    asked_by: u16,
    their_number: u32,
}

/// What an acknowledgement was for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Acknowledged {
    /// A ping of one's own, or one that is over.
    Own,
    /// Another's: it is to be told, with its number.
    Relayed { asked_by: u16, their_number: u32 },
}

/// One node's part in SWIM.
#[derive(Clone, Debug)]
pub struct Swim {
    settings: SwimSettings,
    order: Vec<u16>,
    next: usize,
    number: u32,
    probe: Option<Probe>,
    relays: VecDeque<Relay>,
    suspicions: Table<Suspicion>,
    pub(in crate::ring) broadcasts: Broadcasts,
    health: LocalHealth,
}

impl Swim {
    pub fn new(settings: SwimSettings) -> Swim {
        Swim {
            settings,
            order: Vec::new(),
            next: 0,
            number: 0,
            probe: None,
            relays: VecDeque::new(),
            suspicions: Table::default(),
            broadcasts: Broadcasts::default(),
            health: LocalHealth::default(),
        }
    }

    pub fn settings(&self) -> &SwimSettings {
        &self.settings
    }

    pub fn health(&self) -> LocalHealth {
        self.health
    }

    /// The period, as long as it is at this health.
    pub fn period(&self) -> SimDuration {
        self.health.scale(self.settings.period)
    }

    pub fn timeout(&self) -> SimDuration {
        self.health.scale(self.settings.timeout)
    }

    pub fn nack_after(&self) -> Option<SimDuration> {
        self.settings.lifeguard.then(|| self.settings.timeout.scaled(NACK_AFTER))
    }

    pub fn retransmit_limit(&self, nodes: usize) -> u32 {
        retransmit_limit(self.settings.retransmit_multiplier, nodes)
    }

    /// Experience that makes the node worse, or better if negative.
    pub fn feel(&mut self, by: i32) {
        if self.settings.lifeguard {
            self.health.change(by);
        }
    }

    /// Ends the ping of this period: whom it suspects.
    pub fn conclude(&mut self) -> Option<u16> {
        let probe = self.probe.take()?;
        if probe.is_acknowledged {
            self.feel(-1);
            return None;
        }
        // Who asked others and was told that they heard nothing either is well itself.
        let worse = if probe.nacks_due > 0 { probe.nacks_due.saturating_sub(probe.nacks) } else { 1 };
        self.feel(worse as i32);
        Some(probe.target)
    }

    /// Begins the ping of this period: whom, and its number.
    pub fn begin(
        &mut self,
        is_member: impl Fn(u16) -> bool,
        nodes: usize,
        random: &mut Stream,
    ) -> Option<(u16, u32)> {
        let target = self.choose(is_member, nodes, random)?;
        self.number = self.number.wrapping_add(1);
        self.probe =
            Some(Probe { number: self.number, target, is_acknowledged: false, nacks_due: 0, nacks: 0 });
        Some((target, self.number))
    }

    fn choose(&mut self, is_member: impl Fn(u16) -> bool, nodes: usize, random: &mut Stream) -> Option<u16> {
        if self.settings.round_robin {
            let left = self.order.iter().skip(self.next).position(|node| is_member(*node));
            if let Some(skipped) = left {
                self.next += skipped + 1;
                return Some(self.order[self.next - 1]);
            }
        }
        self.order = (0..nodes as u16).filter(|node| is_member(*node)).collect();
        self.next = 1;
        if self.settings.round_robin {
            shuffle(&mut self.order, random);
            return self.order.first().copied();
        }
        if self.order.is_empty() {
            None
        } else {
            Some(self.order[random.below(self.order.len() as u32) as usize])
        }
    }

    /// The time-out of a ping: whom to ask others about, unless the ping was answered.
    pub fn timed_out(&mut self, number: u32) -> Option<u16> {
        let probe = self.probe.as_ref().filter(|probe| probe.number == number && !probe.is_acknowledged)?;
        Some(probe.target)
    }

    /// So many were asked to ping too.
    pub fn asked(&mut self, others: usize) {
        if let Some(probe) = self.probe.as_mut().filter(|_| self.settings.lifeguard) {
            probe.nacks_due = others as u32;
        }
    }

    /// Pings for another node; the number of that ping.
    pub fn relay(&mut self, asked_by: u16, their_number: u32) -> u32 {
        self.number = self.number.wrapping_add(1);
        if self.relays.len() == RELAYS_MAX {
            self.relays.pop_front();
        }
        self.relays.push_back(Relay { number: self.number, asked_by, their_number });
        self.number
    }

    pub fn acknowledged(&mut self, number: u32) -> Acknowledged {
        if let Some(at) = self.relays.iter().position(|relay| relay.number == number) {
            let relay = self.relays.remove(at).expect("it was just there");
            return Acknowledged::Relayed { asked_by: relay.asked_by, their_number: relay.their_number };
        }
        if let Some(probe) = self.probe.as_mut().filter(|probe| probe.number == number) {
            probe.is_acknowledged = true;
        }
        Acknowledged::Own
    }

    /// Who is to be told that nothing was heard, with its number.
    pub fn nack_due(&self, number: u32) -> Option<(u16, u32)> {
        let relay = self.relays.iter().find(|relay| relay.number == number)?;
        Some((relay.asked_by, relay.their_number))
    }

    /// One who pinged for this node heard nothing.
    pub fn nacked(&mut self, number: u32) {
        if let Some(probe) = self.probe.as_mut().filter(|probe| probe.number == number) {
            probe.nacks += 1;
        }
    }

    /// A suspicion begins, or `by` confirms one; when it ends with the number that its timer
    /// carries, if that is new.
    pub fn suspect(&mut self, peer: u16, by: u16, nodes: usize, now: SimTime) -> Option<(SimTime, u32)> {
        if let Some(suspicion) = self.suspicions.get_mut(peer.into()) {
            return suspicion.confirm(by).then(|| (suspicion.ends(), suspicion.serial));
        }
        let SwimSettings { suspicion_multiplier, suspicion_max_multiplier, period, lifeguard, .. } =
            self.settings;
        let least = shortest(suspicion_multiplier, nodes, period);
        let (most, wanted) = match (lifeguard, confirmations_wanted(suspicion_multiplier, nodes)) {
            (true, wanted) if wanted > 0 => (least.scaled(f64::from(suspicion_max_multiplier)), wanted),
            _ => (least, 0),
        };
        self.number = self.number.wrapping_add(1);
        let suspicion = Suspicion::new(self.number, now, (least, most), wanted, by);
        let ends = suspicion.ends();
        self.suspicions.entry(peer.into(), || suspicion);
        Some((ends, self.number))
    }

    /// The peer was refuted or is dead.
    pub fn forget(&mut self, peer: u16) {
        self.suspicions.remove(peer.into());
    }

    pub fn suspicion(&self, peer: u16) -> Option<&Suspicion> {
        self.suspicions.get(peer.into())
    }

    /// Whether a suspicion is over: the timer may be of one that was refuted, or has become shorter.
    pub fn is_over(&self, peer: u16, serial: u32, now: SimTime) -> bool {
        let suspicion = self.suspicions.get(peer.into());
        suspicion.is_some_and(|suspicion| suspicion.serial == serial && suspicion.ends() <= now)
    }
}

/// Fisher and Yates, as Durstenfeld has it.
fn shuffle(list: &mut [u16], random: &mut Stream) {
    for at in (1..list.len()).rev() {
        list.swap(at, random.below(at as u32 + 1) as usize);
    }
}
