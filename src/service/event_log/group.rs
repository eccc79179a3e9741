//! The consumer group: which worker has which partition.
//!
//! Models assignment by the server as in Kafka 4.0 (KIP-848). The broker that leads partition 0 coordinates.
//! Members say again and again what they have; the answer says what they are to have. Nobody waits
//! for anybody: a member gives up what is not in the answer, and only when it says so, or its session
//! has run out, the partition goes to the next owner.
//!
//! ```text
//! A has 0 1 2 3 ── B joins ──► A is to have 0 1 ── A says: 0 1 ──► B is to have 2 3
//! ```
//!
//! Each time that a partition is given it gets a generation: the coordinator's term, and a number. So
//! generations grow for ever, also from one coordinator to the next, and whoever takes checkpoints can tell an owner
//! who was taken for dead from the one that came after it.
//!
//! Balanced within one; a member keeps what it has as far as that allows. An operator can have everything
//! assigned anew.
//!
//! Simplified: Kafka's coordinator keeps the group in a log of its own. Here a new one learns it from
//! what members say: until a session time-out has passed it gives nobody what nobody says it has. Only the
//! first coordinator ever knows that there is nothing to be learned. Offsets are not committed here: workers
//! keep them with their state, in the object store. One group, one topic.

use crate::engine::table::Table;
use crate::engine::{Context, NodeId, SimDuration, SimTime};
use crate::service::message::{ServiceEvent, ServiceHost};
use crate::service::settings::Log;
use std::rc::Rc;

/// A partition that a member has, or is to have, by the generation that it was given with: a later owner's is
/// higher.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Assignment {
    pub partition: u16,
    pub generation: u64,
}

/// Who has a partition, and who is to have it.
#[derive(Clone, Copy, Default)]
struct Place {
    /// Who was given it and has not given it up, as of which of its epochs.
    holder: Option<NodeId>,
    given: u64,
    /// With which generation it was given last.
    generation: u64,
    wanted: Option<NodeId>,
}

#[derive(Clone)]
struct Member {
    heard: SimTime,
    /// What it was told last.
    epoch: u64,
    target: Rc<[Assignment]>,
}

/// Members at most; the next is not answered.
const MEMBERS_MAX: usize = 1_024;

/// What coordinates the group, while its broker leads partition 0.
#[derive(Clone)]
pub struct Coordinator {
    term: u32,
    /// Epochs and generations of this term so far.
    counter: u32,
    /// It gives nothing away before then.
    assigns_at: SimTime,
    is_assigning: bool,
    members: Table<Member>,
    places: Vec<Place>,
}

impl Coordinator {
    /// The coordinator of a term; whether there was none before.
    pub fn new(log: &Log, term: u32, is_first: bool, now: SimTime) -> Coordinator {
        // Members that start together are to be there before it begins (`group.initial.rebalance.delay.ms`).
        let gather = SimDuration(2 * log.member_heartbeat.0);
        let wait = if is_first { gather.min(log.session_timeout) } else { log.session_timeout };
        Coordinator {
            term,
            counter: 0,
            assigns_at: now + wait,
            is_assigning: false,
            members: Table::default(),
            places: vec![Place::default(); usize::from(log.partitions)],
        }
    }

    pub fn term(&self) -> u32 {
        self.term
    }

    /// Members that are taken to be alive.
    pub fn members(&self) -> impl Iterator<Item = NodeId> {
        self.members.iter().map(|(node, _)| NodeId(*node as u16))
    }

    /// Who has a partition and has not given it up, as far as it knows, and by which generation.
    pub fn holder(&self, partition: u16) -> Option<(NodeId, u64)> {
        let place = self.places.get(usize::from(partition))?;
        place.holder.map(|holder| (holder, place.generation))
    }

    fn number(&mut self) -> u64 {
        self.counter += 1;
        u64::from(self.term) << 32 | u64::from(self.counter)
    }

    /// A member says what it has, as of the answer with this epoch; what it is told, if it is answered.
    pub fn on_alive<P: ServiceHost>(
        &mut self,
        node: NodeId,
        epoch: u64,
        owned: &[Assignment],
        ctx: &mut Context<P>,
    ) -> Option<(u64, Rc<[Assignment]>)> {
        let now = ctx.monotonic();
        let is_new = !self.members.contains(node.0.into());
        if is_new && self.members.len() >= MEMBERS_MAX {
            return None;
        }
        if is_new && (self.is_assigning || epoch == 0) {
            ctx.output(ServiceEvent::MemberJoined { node });
        }
        let member = || Member { heard: now, epoch: 0, target: Rc::from([]) };
        self.members.entry(node.0.into(), member).heard = now;
        self.learn(node, epoch, owned);
        if is_new && self.is_assigning {
            self.balance();
        }
        self.give();
        self.members.get(node.0.into()).map(|member| (member.epoch, Rc::clone(&member.target)))
    }

    /// What a member says that it has, and what follows from what it does not say.
    fn learn(&mut self, node: NodeId, epoch: u64, owned: &[Assignment]) {
        for (number, place) in self.places.iter_mut().enumerate() {
            let claim = owned.iter().find(|assignment| usize::from(assignment.partition) == number);
            match claim {
                Some(claim) => {
                    // Of two who say so the later owner has it.
                    let is_later = claim.generation > place.generation;
                    if is_later || (claim.generation == place.generation && place.holder.is_none()) {
                        place.holder = Some(node);
                        place.generation = claim.generation;
                        place.given = 0;
                        if !self.is_assigning {
                            place.wanted = Some(node);
                        }
                    }
                }
                // It knows that it was given it, and does not have it (any more).
                None if place.holder == Some(node) && epoch >= place.given => place.holder = None,
                None => {}
            }
        }
    }

    pub fn on_leaves<P: ServiceHost>(&mut self, node: NodeId, ctx: &mut Context<P>) {
        if self.members.remove(node.0.into()).is_some() {
            ctx.output(ServiceEvent::MemberLost { node });
            self.forget(node);
        }
    }

    pub fn on_tick<P: ServiceHost>(&mut self, session_timeout: SimDuration, ctx: &mut Context<P>) {
        let now = ctx.monotonic();
        loop {
            let is_lost = |member: &Member| now.since(member.heard) > session_timeout;
            let lost = self.members.iter().find(|(_, member)| is_lost(member)).map(|(node, _)| *node);
            let Some(node) = lost.map(|node| NodeId(node as u16)) else {
                break;
            };
            self.on_leaves(node, ctx);
        }
        if !self.is_assigning && now >= self.assigns_at {
            self.is_assigning = true;
            self.balance();
            self.give();
        }
    }

    /// What a member had is free.
    fn forget(&mut self, node: NodeId) {
        for place in &mut self.places {
            place.holder = place.holder.filter(|holder| *holder != node);
        }
        if self.is_assigning {
            self.balance();
            self.give();
        }
    }

    /// An operator wants everything assigned anew, whoever has it: all that a member has goes to the next one.
    pub fn assign_anew(&mut self) {
        let members: Vec<NodeId> = self.members().collect();
        for place in self.places.iter_mut().filter(|_| self.is_assigning) {
            let rank = members.iter().position(|member| Some(*member) == place.wanted);
            place.wanted = rank.map(|rank| members[(rank + 1) % members.len()]);
        }
        self.give();
    }

    /// Decides who is to have what: as even as can be, and as before as far as that allows.
    fn balance(&mut self) {
        let members: Vec<NodeId> = self.members().collect();
        if members.is_empty() {
            return;
        }
        let share = self.places.len() / members.len();
        let mut one_more = self.places.len() % members.len();
        let mut counts = vec![0; members.len()];
        for place in &mut self.places {
            let rank = members.iter().position(|member| Some(*member) == place.wanted);
            place.wanted = rank
                .filter(|rank| {
                    let takes_one_more = counts[*rank] == share && one_more > 0;
                    one_more -= usize::from(takes_one_more);
                    let keeps = counts[*rank] < share || takes_one_more;
                    counts[*rank] += usize::from(keeps);
                    keeps
                })
                .map(|rank| members[rank]);
        }
        for place in self.places.iter_mut().filter(|place| place.wanted.is_none()) {
            let rank = (0..members.len()).min_by_key(|rank| counts[*rank]).expect("there are members");
            counts[rank] += 1;
            place.wanted = Some(members[rank]);
        }
    }

    /// Gives what nobody has to whom it is meant for, and finds out what each member is to be told.
    fn give(&mut self) {
        if self.is_assigning {
            for number in 0..self.places.len() {
                let Place { holder: None, wanted: Some(wanted), .. } = self.places[number] else {
                    continue;
                };
                if self.members.contains(wanted.0.into()) {
                    let generation = self.number();
                    let given = u64::MAX;
                    self.places[number] =
                        Place { holder: Some(wanted), given, generation, wanted: Some(wanted) };
                }
            }
        }
        for node in self.members().collect::<Vec<NodeId>>() {
            self.tell_apart(node);
        }
    }

    /// Another epoch for a member whose target has changed.
    fn tell_apart(&mut self, node: NodeId) {
        let mine = |place: &Place| place.holder == Some(node) && place.wanted == Some(node);
        let numbered = self.places.iter().zip(0..);
        let target: Vec<Assignment> = numbered
            .filter(|(place, _)| mine(place))
            .map(|(place, partition)| Assignment { partition, generation: place.generation })
            .collect();
        if self
            .members
            .get(node.0.into())
            .is_none_or(|member| member.target[..] == target[..] && member.epoch != 0)
        {
            return;
        }
        let epoch = self.number();
        for place in self.places.iter_mut().filter(|place| place.holder == Some(node)) {
            if place.given == u64::MAX {
                place.given = epoch;
            }
        }
        if let Some(member) = self.members.get_mut(node.0.into()) {
            (member.epoch, member.target) = (epoch, target.into());
        }
    }
}
