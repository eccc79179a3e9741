//! How the nodes of the configuration service agree: Raft (Ongaro and Ousterhout,
//! 2014), reduced to one value that is replaced as a whole, with a leader's lease.
//!
//! ```text
//! follower ──nobody led for a while──► candidate ──votes of a majority──► leader
//!    ▲                                                                      │
//!    └──────────────── a later term, or no majority within the lease ◄──────┘
//! ```
//!
//! Votes and states are on disk before they are answered. A state is agreed on
//! when a majority has it on disk under the leader's own term. A follower that
//! has confirmed a leader votes for nobody else until the lease has passed, and a
//! leader counts its lease from when it asked: as long as clocks run equally
//! fast, two never lead at once.

use crate::engine::order::ascending;
use crate::engine::{Context, NodeId, SimDuration, SimTime};
use crate::sql::event::{SqlEvent, SqlHost, SqlTimer, SqlToken};
use crate::sql::message::SqlMessage;
use crate::sql::record::{ConfigRecord, SqlRecord};
use crate::sql::settings::SqlSettings;
use crate::sql::shard_map::{KeyRange, ShardMap};
use std::collections::VecDeque;
use std::rc::Rc;

/// What is agreed upon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigState {
    /// The term of the leader that wrote it, and its number: later states have higher ones.
    pub term: u32,
    pub number: u64,
    pub map: Rc<ShardMap>,
    /// The highest epoch ever given out, per shard.
    pub epochs: Vec<u32>,
    /// The node that was last chosen to become primary, per shard: it may be by now.
    pub targets: Vec<Option<NodeId>>,
    /// The number of the last restore that was done, per shard; zero if there was none.
    pub restored: Vec<u64>,
    /// The range that is being moved, if one is.
    pub moving: Option<Moving>,
}

/// A range on its way from one shard to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moving {
    /// Of all moves there ever were.
    pub id: u64,
    pub source: u16,
    pub target: u16,
    pub range: KeyRange,
}

impl Moving {
    /// Whether a shard gives or gets it.
    pub fn takes_part(&self, shard: usize) -> bool {
        usize::from(self.source) == shard || usize::from(self.target) == shard
    }
}

impl ConfigState {
    fn place(&self) -> (u32, u64) {
        (self.term, self.number)
    }
}

/// What the service's nodes say to each other.
#[derive(Clone, Debug)]
pub enum Agreement {
    /// Candidate: vote for me; my state is as new as this.
    AskVote {
        term: u32,
        state_term: u32,
        number: u64,
    },
    Vote {
        term: u32,
    },
    /// Leader: this is the state, and so much of it is agreed on. Also its heartbeat.
    Propose {
        term: u32,
        state: Rc<ConfigState>,
        agreed: u64,
        sent: SimTime,
    },
    /// Follower: it is on my disk, and you still led when you sent it.
    Stored {
        term: u32,
        number: u64,
        sent: SimTime,
    },
    /// There is a later term than yours.
    Newer {
        term: u32,
    },
}

impl Agreement {
    pub fn bytes(&self) -> u32 {
        match self {
            Agreement::Propose { state, .. } => 24 + 36 * state.map.shards.len() as u32,
            _ => 24,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Standing {
    Follower,
    /// With the votes so far, one bit each, and since when.
    Candidate {
        votes: u32,
        since: SimTime,
    },
    Leader,
}

/// What happens when a record is on disk.
#[derive(Clone)]
enum Then {
    AskVotes { term: u32 },
    Vote { to: NodeId, term: u32 },
    Confirm { to: NodeId, term: u32, number: u64, sent: SimTime },
    OwnStored { term: u32, number: u64 },
}

/// What a leader knows of another node.
#[derive(Clone, Copy, Debug, Default)]
struct Peer {
    /// When that was sent which it confirmed last.
    confirmed: Option<SimTime>,
    stored: u64,
}

/// One node's part in the agreement.
#[derive(Clone)]
pub struct Member {
    settings: Rc<SqlSettings>,
    place: usize,
    standing: Standing,
    term: u32,
    voted_for: Option<u16>,
    /// The newest that it has, agreed on or not.
    state: Rc<ConfigState>,
    agreed: Rc<ConfigState>,
    /// Leader: what it proposed and is not agreed on.
    proposed: VecDeque<Rc<ConfigState>>,
    peers: Vec<Peer>,
    /// It votes for nobody else before then.
    promised_until: SimTime,
    stands_at: SimTime,
    writes: u64,
    then: VecDeque<(u64, Then)>,
}

/// Most states that wait for agreement; beyond, nothing new is proposed.
const PROPOSED_MAX: usize = 1_024;

impl Member {
    pub fn new(settings: Rc<SqlSettings>, place: usize) -> Member {
        let map = Rc::clone(&settings.first_map);
        let epochs = map.shards.iter().map(|shard| shard.epoch).collect();
        let targets = vec![None; map.shards.len()];
        let restored = vec![0; map.shards.len()];
        let state = Rc::new(ConfigState { term: 0, number: 0, map, epochs, targets, restored, moving: None });
        Member {
            peers: vec![Peer::default(); settings.config.len()],
            settings,
            place,
            standing: Standing::Follower,
            term: 0,
            voted_for: None,
            agreed: Rc::clone(&state),
            state,
            proposed: VecDeque::new(),
            promised_until: SimTime::ZERO,
            stands_at: SimTime::ZERO,
            writes: 0,
            then: VecDeque::new(),
        }
    }

    /// The last state that it knows to be agreed on.
    pub fn agreed(&self) -> &Rc<ConfigState> {
        &self.agreed
    }

    /// The newest state, agreed on or not.
    pub fn newest(&self) -> &ConfigState {
        &self.state
    }

    pub fn term(&self) -> u32 {
        self.term
    }

    pub fn follows(&self) -> bool {
        self.standing == Standing::Follower
    }

    /// Whether it leads, and a state of its own term is agreed on: then it may act.
    pub fn leads(&self, now: SimTime) -> bool {
        self.holds_lease(now) && self.agreed.term == self.term
    }

    fn lease(&self) -> SimDuration {
        self.settings.failover.leader_lease
    }

    fn majority(&self) -> usize {
        self.settings.config.len() / 2 + 1
    }

    /// Whether a majority, itself included, has confirmed it within the lease.
    fn holds_lease(&self, now: SimTime) -> bool {
        let needed = self.majority() - 1;
        let fresh = self
            .others()
            .filter(|place| self.peers[*place].confirmed.is_some_and(|sent| now.since(sent) < self.lease()));
        self.standing == Standing::Leader && fresh.count() >= needed
    }

    fn others(&self) -> impl Iterator<Item = usize> + use<> {
        let own = self.place;
        (0..self.settings.config.len()).filter(move |place| *place != own)
    }

    fn place_of(&self, node: NodeId) -> Option<usize> {
        self.settings.config.iter().position(|config| *config == node)
    }

    pub fn on_start<P: SqlHost>(&mut self, record: Option<&ConfigRecord>, ctx: &mut Context<P>) {
        let now = ctx.monotonic();
        if let Some(record) = record {
            self.term = record.term;
            self.voted_for = record.voted_for;
            self.state = Rc::clone(&record.state);
        }
        let alone = self.settings.config.len() == 1;
        if !ctx.is_first_start() && !alone {
            // It may have confirmed somebody right before it went down.
            self.promised_until = now + self.lease();
        }
        if alone || (ctx.is_first_start() && self.place == 0) {
            self.stand(ctx);
        } else {
            self.put_off(ctx);
        }
        ctx.set_timer(self.tick(), SqlTimer::Agreement);
    }

    fn tick(&self) -> SimDuration {
        SimDuration(self.lease().0 / 8)
    }

    /// It stands for election if nothing is heard of a leader for one to two leases.
    fn put_off<P: SqlHost>(&mut self, ctx: &mut Context<P>) {
        let wait = self.lease().scaled(1.0 + ctx.random().unit());
        self.stands_at = ctx.monotonic() + wait;
    }

    /// Puts term, vote and state on disk; what follows is done when they are there.
    fn persist<P: SqlHost>(&mut self, then: Option<Then>, ctx: &mut Context<P>) {
        self.writes += 1;
        let record =
            ConfigRecord { term: self.term, voted_for: self.voted_for, state: Rc::clone(&self.state) };
        ctx.disk_append(SqlRecord::Config(Rc::new(record)));
        self.then.extend(then.map(|then| (self.writes, then)));
        ctx.disk_sync(SqlToken::StateStored { number: self.writes });
    }

    pub fn stored<P: SqlHost>(&mut self, write: u64, ctx: &mut Context<P>) {
        while self.then.front().is_some_and(|(first, _)| *first <= write) {
            let (_, then) = self.then.pop_front().expect("the front was just seen");
            match then {
                Then::AskVotes { term } if term == self.term => {
                    let (state_term, number) = self.state.place();
                    self.tell_others(Agreement::AskVote { term, state_term, number }, ctx);
                    self.count_vote(self.place, term, ctx);
                }
                Then::Vote { to, term } if term == self.term => tell(to, Agreement::Vote { term }, ctx),
                Then::Confirm { to, term, number, sent } if term == self.term => {
                    tell(to, Agreement::Stored { term, number, sent }, ctx);
                }
                Then::OwnStored { term, number } if term == self.term => {
                    self.peers[self.place].stored = self.peers[self.place].stored.max(number);
                    self.agree(ctx);
                }
                _ => {}
            }
        }
    }

    fn tell_others<P: SqlHost>(&self, message: Agreement, ctx: &mut Context<P>) {
        for place in self.others() {
            tell(self.settings.config[place], message.clone(), ctx);
        }
    }

    pub fn on_tick<P: SqlHost>(&mut self, ctx: &mut Context<P>) {
        let now = ctx.monotonic();
        match self.standing {
            Standing::Leader if !self.holds_lease(now) => {
                self.follow(ctx);
                ctx.output(SqlEvent::LeadsNoMore { node: ctx.id() });
            }
            Standing::Leader => self.propose_to_others(ctx),
            Standing::Follower | Standing::Candidate { .. } => {
                if now >= self.stands_at && now >= self.promised_until {
                    self.stand(ctx);
                }
            }
        }
        ctx.set_timer(self.tick(), SqlTimer::Agreement);
    }

    fn follow<P: SqlHost>(&mut self, ctx: &mut Context<P>) {
        self.standing = Standing::Follower;
        self.proposed.clear();
        self.put_off(ctx);
    }

    fn stand<P: SqlHost>(&mut self, ctx: &mut Context<P>) {
        self.put_off(ctx);
        self.standing = Standing::Candidate { votes: 0, since: ctx.monotonic() };
        self.term += 1;
        self.voted_for = Some(self.place as u16);
        self.persist(Some(Then::AskVotes { term: self.term }), ctx);
    }

    fn count_vote<P: SqlHost>(&mut self, from: usize, term: u32, ctx: &mut Context<P>) {
        let majority = self.majority() as u32;
        let Standing::Candidate { votes, since } = &mut self.standing else {
            return;
        };
        if term != self.term {
            return;
        }
        *votes |= 1 << from;
        let (votes, since) = (*votes, *since);
        if votes.count_ones() < majority {
            return;
        }
        self.standing = Standing::Leader;
        self.peers = (0..self.peers.len())
            .map(|place| Peer { confirmed: (votes >> place & 1 == 1).then_some(since), stored: 0 })
            .collect();
        ctx.output(SqlEvent::Leads { node: ctx.id(), term });
        // Its own state first of all: only what is stored under its term counts.
        self.propose(|_| {}, ctx);
    }

    /// Proposes the newest state with a change; its number. None if it does not lead.
    pub fn propose<P: SqlHost>(
        &mut self,
        change: impl FnOnce(&mut ConfigState),
        ctx: &mut Context<P>,
    ) -> Option<u64> {
        if self.standing != Standing::Leader || self.proposed.len() >= PROPOSED_MAX {
            return None;
        }
        let mut state = ConfigState::clone(&self.state);
        change(&mut state);
        state.term = self.term;
        state.number += 1;
        let number = state.number;
        self.state = Rc::new(state);
        self.proposed.push_back(Rc::clone(&self.state));
        self.persist(Some(Then::OwnStored { term: self.term, number }), ctx);
        self.propose_to_others(ctx);
        Some(number)
    }

    fn propose_to_others<P: SqlHost>(&mut self, ctx: &mut Context<P>) {
        let agreed = if self.agreed.term == self.term { self.agreed.number } else { 0 };
        let (term, state, sent) = (self.term, Rc::clone(&self.state), ctx.monotonic());
        self.tell_others(Agreement::Propose { term, state, agreed, sent }, ctx);
    }

    /// What a majority has on disk under this term is agreed on.
    fn agree<P: SqlHost>(&mut self, ctx: &mut Context<P>) {
        let stored = ascending(self.peers.iter().map(|peer| peer.stored));
        let agreed = stored[stored.len() - self.majority()];
        let before = self.agreed.place();
        while self.proposed.front().is_some_and(|first| first.number <= agreed) {
            self.agreed = self.proposed.pop_front().expect("the front was just seen");
        }
        if self.agreed.place() != before {
            self.propose_to_others(ctx);
        }
    }

    pub fn on_message<P: SqlHost>(&mut self, from: NodeId, message: Agreement, ctx: &mut Context<P>) {
        let Some(place) = self.place_of(from) else {
            return;
        };
        match message {
            Agreement::AskVote { term, state_term, number } => {
                self.asked_for_vote(place, term, (state_term, number), ctx);
            }
            Agreement::Vote { term } => self.count_vote(place, term, ctx),
            Agreement::Propose { term, state, agreed, sent } => {
                self.proposed_to(from, term, state, agreed, sent, ctx);
            }
            Agreement::Stored { term, number, sent } => {
                if self.standing == Standing::Leader && term == self.term {
                    let peer = &mut self.peers[place];
                    peer.confirmed = peer.confirmed.max(Some(sent));
                    peer.stored = peer.stored.max(number);
                    self.agree(ctx);
                }
            }
            Agreement::Newer { term } => {
                if term > self.term {
                    self.enter(term, ctx);
                }
            }
        }
    }

    /// A later term: whatever it was, it is a follower now.
    fn enter<P: SqlHost>(&mut self, term: u32, ctx: &mut Context<P>) {
        let led = self.standing == Standing::Leader;
        // Who refuses its vote stands when it would have: a node with an old state holds up nobody.
        let stands_at = self.stands_at;
        self.term = term;
        self.voted_for = None;
        self.follow(ctx);
        if !led {
            self.stands_at = stands_at;
        }
        self.persist(None, ctx);
        if led {
            ctx.output(SqlEvent::LeadsNoMore { node: ctx.id() });
        }
    }

    fn asked_for_vote<P: SqlHost>(
        &mut self,
        candidate: usize,
        term: u32,
        state: (u32, u64),
        ctx: &mut Context<P>,
    ) {
        let now = ctx.monotonic();
        if now < self.promised_until || self.holds_lease(now) {
            return;
        }
        let to = self.settings.config[candidate];
        if term < self.term {
            tell(to, Agreement::Newer { term: self.term }, ctx);
            return;
        }
        if term > self.term {
            self.enter(term, ctx);
        }
        let free = self.voted_for.is_none_or(|voted| usize::from(voted) == candidate);
        if free && state >= self.state.place() && self.standing == Standing::Follower {
            self.voted_for = Some(candidate as u16);
            self.promised_until = now + self.lease();
            self.put_off(ctx);
            self.persist(Some(Then::Vote { to, term }), ctx);
        }
    }

    fn proposed_to<P: SqlHost>(
        &mut self,
        leader: NodeId,
        term: u32,
        state: Rc<ConfigState>,
        agreed: u64,
        sent: SimTime,
        ctx: &mut Context<P>,
    ) {
        if term < self.term {
            tell(leader, Agreement::Newer { term: self.term }, ctx);
            return;
        }
        if term > self.term {
            self.enter(term, ctx);
        }
        if let Standing::Candidate { .. } = self.standing {
            self.standing = Standing::Follower;
        }
        self.promised_until = ctx.monotonic() + self.lease();
        self.put_off(ctx);
        if state.place() > self.state.place() {
            self.state = state;
            let number = self.state.number;
            self.persist(Some(Then::Confirm { to: leader, term, number, sent }), ctx);
        } else if self.then.is_empty() {
            let number = if self.state.term == term { self.state.number } else { 0 };
            tell(leader, Agreement::Stored { term, number, sent }, ctx);
        }
        if agreed > 0 && self.state.term == term && agreed >= self.state.number {
            self.agreed = Rc::clone(&self.state);
        }
    }
}

fn tell<P: SqlHost>(to: NodeId, message: Agreement, ctx: &mut Context<P>) {
    ctx.send(to, SqlMessage::Agreement(message));
}
