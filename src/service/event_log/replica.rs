//! One replica of one partition: Raft, as far as it agrees on entries.
//!
//! ```text
//! follower ──hears nobody──► asks on trial ──majority──► candidate ──majority──► leader
//!    ▲                                                                             │
//!    └────────────── a later term, or no majority answers it any more ─────────────┘
//! ```
//!
//! From Ongaro and Ousterhout 2014: terms and votes, on disk before they are told (5.1, 5.2, 5.4.1); an entry
//! is taken only after the one that the leader has before it (5.3); committed is what a majority has, if
//! the last of it is of the leader's own term (5.4.2), which a leader begins with an entry of nothing (8).
//! From Ongaro's thesis (2014): leaders that hear from no majority step down (6.2), leadership is handed over
//! (3.10), a vote is asked for on trial first (9.6), and nobody votes while it hears a leader (4.2.3).
//!
//! As in Redpanda and etcd: many entries travel in one message, several messages are under way to a follower,
//! and a follower whose log differs is tried with one message at a time until it agrees (etcd's `Progress`).
//! Where a follower misses what the leader has dropped, it begins anew where the leader's log begins. That takes
//! the place of snapshots: what is dropped is gone for everybody.
//!
//! With [`Sync::EveryBatch`] a replica has what is on its disk. With an interval it has what is in
//! its memory, as with Kafka and with Redpanda's `write_caching`: a crash forgets what it had confirmed, and if a
//! majority has forgotten it, it is lost although it was acknowledged. Terms and votes are synced always.
//!
//! A replica that comes back without its disk has forgotten what it confirmed: it neither votes nor stands until
//! it has from a leader what that one knows to be committed. If nobody leads for long it does all the same, as
//! if an operator had forced it (Redpanda's unsafe recovery): what it had is lost.
//!
//! Simplified: heartbeats are one message for each partition and follower (Redpanda has one for all partitions),
//! and none where entries travel anyway; answers cost no core time. Replicas are configuration.

use super::entries::{Entries, Entry, nothing};
use super::record::{LogRecord, PartitionDisk};
use super::replicas_of;
use super::serving::Serving;
use crate::engine::{Context, NodeId, SimDuration, SimTime};
use crate::service::message::{ServiceEvent, ServiceHost, ServiceMessage, ServiceToken};
use crate::service::settings::{Log, ServiceSettings, Sync};
use crate::service::view::Batch;
use std::rc::Rc;

/// A batch in the log, at its offset.
#[derive(Clone, Debug)]
pub struct Stored {
    /// Offset of its first view.
    pub base: u64,
    pub batch: Rc<Batch>,
}

/// How a vote is asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Election {
    /// Whether it would win: nothing changes.
    Trial,
    Real,
    /// The leader wants it: who hears that leader votes all the same.
    HandedOver,
}

/// Entries for a follower; none: a heartbeat.
#[derive(Clone, Debug)]
pub struct Append {
    pub term: u32,
    /// Number and offset of the first one, and the term of the entry before it.
    pub from: u64,
    pub offset: u64,
    pub term_before: u32,
    pub entries: Vec<Entry>,
    /// Numbers up to which the leader knows all to be committed, and from which it has kept it.
    pub committed: u64,
    pub first: u64,
}

/// What replicas of a partition say to each other.
#[derive(Clone, Debug)]
pub enum ReplicaMessage {
    /// Candidate: my last entry is of this term and has the number before `end`.
    AskVote {
        term: u32,
        election: Election,
        last_term: u32,
        end: u64,
    },
    Vote {
        term: u32,
        is_trial: bool,
    },
    /// Leader to follower.
    Append(Rc<Append>),
    /// Follower: I have what you have, up to this number.
    Appended {
        term: u32,
        end: u64,
    },
    /// What you sent from this number on does not fit; try from `end` on.
    Differs {
        term: u32,
        from: u64,
        end: u64,
    },
    /// You have all that I have: lead.
    Lead {
        term: u32,
    },
    /// There is a later term than yours.
    Newer {
        term: u32,
    },
}

impl ReplicaMessage {
    pub fn bytes(&self) -> u32 {
        match self {
            ReplicaMessage::Append(append) => 48 + append.entries.iter().map(Entry::bytes).sum::<u32>(),
            _ => 24,
        }
    }

    /// Views that a follower has to take in.
    pub fn views(&self) -> u64 {
        match self {
            ReplicaMessage::Append(append) => append.entries.iter().map(Entry::views).sum(),
            _ => 0,
        }
    }
}

/// What a replica is at the moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    Follower,
    /// With the votes so far, one bit each.
    Candidate {
        votes: u32,
        election: Election,
    },
    Leader,
}

/// What a leader knows of another replica.
#[derive(Clone, Copy)]
struct Peer {
    /// Numbers up to which it has confirmed all, and of what it is sent next.
    matched: u64,
    next: u64,
    /// Where its log ends like this one is being found out: one message at a time.
    is_tried: bool,
    waits: bool,
    heard: SimTime,
    sent: SimTime,
}

/// Entries in one message, and under way to one follower, at most.
const ENTRIES_MAX: u64 = 64;
const IN_FLIGHT_MAX: u64 = 1_024;
/// A preferred replica that has kept up for so many election time-outs leads again.
const HANDED_BACK_AFTER: u64 = 10;
/// A replica that has lost its disk waits so many election time-outs for a leader.
const FORCED_AFTER: u64 = 20;
/// How often what is too old is dropped.
const RETAIN_EVERY: SimDuration = SimDuration::from_ms(1_000);

/// One replica.
#[derive(Clone)]
pub struct Replica {
    pub(super) settings: Rc<ServiceSettings>,
    pub(super) partition: u16,
    /// All replicas, and which of them this one is.
    nodes: Rc<[NodeId]>,
    place: usize,
    role: Role,
    pub(super) term: u32,
    vote: Option<u16>,
    /// How often term and vote were written, and whether the last time is on disk.
    ballots: u32,
    is_ballot_kept: bool,
    pub(super) entries: Entries,
    /// Numbers up to which entries are on disk, agree with the leader's, and are committed.
    pub(super) synced: u64,
    verified: u64,
    pub(super) committed: u64,
    /// How often the end was cut off: what is synced of before says nothing any more.
    cuts: u32,
    /// Who leads this term, and until when nobody else gets a vote.
    leader: Option<u16>,
    faithful_until: SimTime,
    stands_at: SimTime,
    /// It lost its disk, and votes again then.
    forced_at: Option<SimTime>,
    retains_at: SimTime,
    peers: Vec<Peer>,
    /// Number of the entry that it began to lead with.
    began: u64,
    /// Since when the preferred replica has kept up, and until when it is given the lead.
    kept_up_since: Option<SimTime>,
    pub(super) hands_over_until: Option<SimTime>,
    pub(super) serving: Serving,
}

impl Replica {
    /// None if this node has no replica of the partition.
    pub fn new(settings: Rc<ServiceSettings>, partition: u16, own: NodeId) -> Option<Replica> {
        let nodes: Rc<[NodeId]> = replicas_of(&settings, partition).collect();
        let place = nodes.iter().position(|node| *node == own)?;
        Some(Replica {
            settings,
            partition,
            nodes,
            place,
            role: Role::Follower,
            term: 0,
            vote: None,
            ballots: 0,
            is_ballot_kept: true,
            entries: Entries::default(),
            synced: 0,
            verified: 0,
            committed: 0,
            cuts: 0,
            leader: None,
            faithful_until: SimTime::ZERO,
            stands_at: SimTime::ZERO,
            forced_at: None,
            retains_at: SimTime::ZERO,
            peers: Vec::new(),
            began: 0,
            kept_up_since: None,
            hands_over_until: None,
            serving: Serving::default(),
        })
    }

    // What can be seen of it.

    pub fn role(&self) -> Role {
        self.role
    }

    pub fn leads(&self) -> bool {
        self.role == Role::Leader
    }

    /// Whether it leads and knows what is committed: something of its own term is.
    pub fn is_settled(&self) -> bool {
        self.leads() && self.committed > self.began
    }

    /// Whether nobody led before it.
    pub fn leads_first(&self) -> bool {
        self.leads() && self.began == 0
    }

    pub fn term(&self) -> u32 {
        self.term
    }

    pub fn entries(&self) -> &Entries {
        &self.entries
    }

    /// Number up to which it knows entries to be committed.
    pub fn committed(&self) -> u64 {
        self.committed
    }

    pub fn committed_offset(&self) -> u64 {
        self.entries.offset_at(self.committed)
    }

    /// Who leads, as far as it knows.
    pub fn leader(&self, now: SimTime) -> Option<NodeId> {
        if self.hands_over_until.is_some() {
            return Some(self.nodes[0]);
        }
        let known = self.leads() || now < self.faithful_until;
        self.leader.filter(|_| known).map(|place| self.nodes[usize::from(place)])
    }

    pub(super) fn log_settings(&self) -> &Log {
        &self.settings.log
    }

    fn majority(&self) -> usize {
        self.nodes.len() / 2 + 1
    }

    fn others(&self) -> impl Iterator<Item = usize> + use<> {
        let own = self.place;
        (0..self.nodes.len()).filter(move |place| *place != own)
    }

    fn tell<P: ServiceHost>(&self, place: usize, message: ReplicaMessage, ctx: &mut Context<P>) {
        ctx.send(self.nodes[place], ServiceMessage::Replica { partition: self.partition, message });
    }

    // Its start and its clock.

    pub fn on_start<P: ServiceHost>(&mut self, disk: Option<&PartitionDisk>, ctx: &mut Context<P>) {
        let now = ctx.monotonic();
        if let Some(disk) = disk {
            (self.term, self.vote) = (disk.term, disk.vote);
            self.entries = disk.entries.clone();
            self.synced = self.entries.end();
            self.committed = self.entries.first();
        } else if !ctx.is_first_start() {
            let patience = SimDuration(self.log_settings().election_timeout.0 * FORCED_AFTER);
            self.forced_at = Some(now + patience);
        }
        self.put_off(ctx);
        if self.nodes.len() == 1 || (ctx.is_first_start() && self.place == 0) {
            self.stand(Election::Trial, ctx);
        }
    }

    /// It stands if it hears of no leader for one to two election time-outs.
    fn put_off<P: ServiceHost>(&mut self, ctx: &mut Context<P>) {
        let wait = self.log_settings().election_timeout.scaled(1.0 + ctx.random().unit());
        self.stands_at = ctx.monotonic() + wait;
    }

    pub fn on_tick<P: ServiceHost>(&mut self, ctx: &mut Context<P>) {
        let now = ctx.monotonic();
        if self.leads() {
            if self.is_followed(now) {
                self.send_heartbeats(ctx);
                self.hand_back(ctx);
            } else {
                self.follow(None, ctx);
            }
        } else {
            if self.forced_at.is_some_and(|at| now >= at) {
                self.forced_at = None;
            }
            if now >= self.stands_at && self.forced_at.is_none() {
                self.stand(Election::Trial, ctx);
            }
        }
        self.expire_fetches(ctx);
        if now >= self.retains_at {
            self.retains_at = now + RETAIN_EVERY;
            self.retain(ctx);
        }
    }

    /// Whether a majority, itself included, has answered within an election time-out.
    fn is_followed(&self, now: SimTime) -> bool {
        let timeout = self.log_settings().election_timeout;
        let heard = self.others().filter(|place| now.since(self.peers[*place].heard) < timeout);
        heard.count() + 1 >= self.majority()
    }

    /// Drops what is too old or too much, as far as it is committed.
    fn retain<P: ServiceHost>(&mut self, ctx: &mut Context<P>) {
        let (age, views) = (self.log_settings().retention, self.log_settings().retention_views);
        let now = ctx.monotonic();
        let end_offset = self.entries.end_offset();
        let first = self.entries.first();
        let is_dropped = |entry: &&Entry| now.since(entry.at) > age || end_offset - entry.stored.base > views;
        let dropped = self.entries.range(first, self.committed).take_while(is_dropped).count() as u64;
        if dropped > 0 {
            let number = first + dropped;
            self.entries.drop_before(number);
            ctx.disk_append(LogRecord::Dropped { partition: self.partition, number });
        }
    }

    // Terms and votes.

    /// Puts term and vote on disk; [`Replica::on_ballot`] follows.
    fn keep_ballot<P: ServiceHost>(&mut self, ctx: &mut Context<P>) {
        self.ballots += 1;
        self.is_ballot_kept = false;
        let (partition, term, vote) = (self.partition, self.term, self.vote);
        ctx.disk_append(LogRecord::Term { partition, term, vote });
        ctx.disk_sync(ServiceToken::Voted { partition, number: self.ballots });
    }

    /// The ballot with this number is on disk.
    pub fn on_ballot<P: ServiceHost>(&mut self, number: u32, ctx: &mut Context<P>) {
        if number != self.ballots {
            return;
        }
        self.is_ballot_kept = true;
        match (self.role, self.vote) {
            (Role::Candidate { election: election @ (Election::Real | Election::HandedOver), .. }, _) => {
                self.ask_votes(election, ctx);
                self.count_vote(self.place, ctx);
            }
            (_, Some(vote)) if usize::from(vote) != self.place && self.leader.is_none() => {
                self.tell(usize::from(vote), ReplicaMessage::Vote { term: self.term, is_trial: false }, ctx);
            }
            _ => self.confirm(ctx),
        }
    }

    /// A later term: whatever it was, it is a follower now.
    fn enter<P: ServiceHost>(&mut self, term: u32, vote: Option<u16>, ctx: &mut Context<P>) {
        // Who gets no vote for a poor log must not keep others from standing.
        let stands_at = self.stands_at;
        let led = self.leads();
        self.term = term;
        self.vote = vote;
        self.verified = 0;
        self.follow(None, ctx);
        if !led {
            self.stands_at = stands_at;
        }
        self.keep_ballot(ctx);
    }

    fn follow<P: ServiceHost>(&mut self, leader: Option<u16>, ctx: &mut Context<P>) {
        let led = self.leads();
        self.role = Role::Follower;
        self.leader = leader;
        self.peers.clear();
        self.hands_over_until = None;
        self.put_off(ctx);
        if led {
            self.refuse_all(ctx);
        }
    }

    fn stand<P: ServiceHost>(&mut self, election: Election, ctx: &mut Context<P>) {
        self.put_off(ctx);
        self.leader = None;
        self.role = Role::Candidate { votes: 0, election };
        if election == Election::Trial {
            self.ask_votes(election, ctx);
            self.count_vote(self.place, ctx);
        } else {
            self.term += 1;
            self.vote = Some(self.place as u16);
            self.verified = 0;
            self.keep_ballot(ctx);
        }
    }

    fn ask_votes<P: ServiceHost>(&self, election: Election, ctx: &mut Context<P>) {
        let term = self.term + u32::from(election == Election::Trial);
        let (last_term, end) = (self.entries.last_term(), self.entries.end());
        for place in self.others() {
            self.tell(place, ReplicaMessage::AskVote { term, election, last_term, end }, ctx);
        }
    }

    fn count_vote<P: ServiceHost>(&mut self, from: usize, ctx: &mut Context<P>) {
        let majority = self.majority();
        let Role::Candidate { votes, election } = &mut self.role else {
            return;
        };
        *votes |= 1 << from;
        if (votes.count_ones() as usize) < majority {
            return;
        }
        match election {
            Election::Trial => self.stand(Election::Real, ctx),
            Election::Real | Election::HandedOver => self.begin_to_lead(ctx),
        }
    }

    pub fn on_message<P: ServiceHost>(
        &mut self,
        from: NodeId,
        message: ReplicaMessage,
        ctx: &mut Context<P>,
    ) {
        let Some(place) = self.nodes.iter().position(|node| *node == from) else {
            return;
        };
        match message {
            ReplicaMessage::AskVote { term, election, last_term, end } => {
                self.asked_for_vote(place, term, election, (last_term, end), ctx);
            }
            ReplicaMessage::Vote { term, is_trial } => {
                let asked = match self.role {
                    Role::Candidate { election: Election::Trial, .. } => is_trial.then_some(self.term + 1),
                    _ => (!is_trial).then_some(self.term),
                };
                if asked == Some(term) {
                    self.count_vote(place, ctx);
                }
            }
            ReplicaMessage::Append(append) => self.on_append(place, &append, ctx),
            ReplicaMessage::Appended { term, end } => self.on_appended(place, term, end, ctx),
            ReplicaMessage::Differs { term, from, end } => self.on_differs(place, term, from, end, ctx),
            ReplicaMessage::Lead { term } => {
                if term == self.term && self.leader == Some(place as u16) && self.forced_at.is_none() {
                    self.stand(Election::HandedOver, ctx);
                }
            }
            ReplicaMessage::Newer { term } => {
                if term > self.term {
                    self.enter(term, None, ctx);
                }
            }
        }
    }

    fn asked_for_vote<P: ServiceHost>(
        &mut self,
        candidate: usize,
        term: u32,
        election: Election,
        last: (u32, u64),
        ctx: &mut Context<P>,
    ) {
        let is_faithful = self.leads() || ctx.monotonic() < self.faithful_until;
        if is_faithful && election != Election::HandedOver {
            return;
        }
        let is_late = if election == Election::Trial { term <= self.term } else { term < self.term };
        if is_late {
            self.tell(candidate, ReplicaMessage::Newer { term: self.term }, ctx);
            return;
        }
        let is_good = self.forced_at.is_none() && last >= (self.entries.last_term(), self.entries.end());
        if election == Election::Trial {
            if is_good {
                self.tell(candidate, ReplicaMessage::Vote { term, is_trial: true }, ctx);
            }
            return;
        }
        let vote = is_good.then_some(candidate as u16);
        if term > self.term {
            self.enter(term, vote, ctx);
        } else if vote.is_some() && (self.vote.is_none() || self.vote == vote) {
            self.vote = vote;
            self.keep_ballot(ctx);
        } else {
            return;
        }
        if vote.is_some() {
            self.put_off(ctx);
        }
    }

    // Following.

    fn on_append<P: ServiceHost>(&mut self, leader: usize, append: &Append, ctx: &mut Context<P>) {
        if append.term < self.term {
            self.tell(leader, ReplicaMessage::Newer { term: self.term }, ctx);
            return;
        }
        if append.term > self.term {
            self.enter(append.term, None, ctx);
        }
        assert!(!self.leads(), "partition {}: two lead in term {}", self.partition, self.term);
        self.role = Role::Follower;
        self.leader = Some(leader as u16);
        self.faithful_until = ctx.monotonic() + self.log_settings().election_timeout;
        self.put_off(ctx);
        if append.from >= self.entries.first()
            && self.entries.term_before(append.from) != Some(append.term_before)
        {
            if append.from != append.first {
                let end = self.fits_until(append.from);
                self.tell(leader, ReplicaMessage::Differs { term: self.term, from: append.from, end }, ctx);
                return;
            }
            // What comes before is committed, and dropped: nothing here is of any use.
            self.empty(append, ctx);
        }
        let is_news = self.take_entries(append, ctx);
        self.verified = self.verified.max(append.from + append.entries.len() as u64);
        self.committed = self.committed.max(append.committed.min(self.verified));
        if self.forced_at.is_some() && self.committed == append.committed && self.committed > 0 {
            let last = self.entries.term_before(self.committed);
            self.forced_at = self.forced_at.filter(|_| last != Some(self.term));
        }
        if is_news {
            self.sync(ctx);
        } else {
            self.confirm(ctx);
        }
    }

    /// From where on a leader whose entries before `from` differ should try: it skips a whole term (section 5.3).
    fn fits_until(&self, from: u64) -> u64 {
        let Some(term) = self.entries.term_before(from) else {
            return self.entries.end().min(from);
        };
        let mut end = from - 1;
        while end > self.committed && self.entries.term_before(end) == Some(term) {
            end -= 1;
        }
        end
    }

    fn empty<P: ServiceHost>(&mut self, append: &Append, ctx: &mut Context<P>) {
        let (number, term_before, offset) = (append.from, append.term_before, append.offset);
        self.entries = Entries::starting_at(number, term_before, offset);
        self.cuts += 1;
        self.synced = number;
        self.verified = number;
        self.committed = number;
        ctx.disk_append(LogRecord::Emptied { partition: self.partition, number, term_before, offset });
    }

    /// Appends what it does not have; whether there was anything.
    fn take_entries<P: ServiceHost>(&mut self, append: &Append, ctx: &mut Context<P>) -> bool {
        let before = self.entries.end();
        let mut is_news = false;
        for (number, entry) in (append.from..).zip(&append.entries) {
            if number < self.entries.first() {
                continue;
            }
            if !is_news && number < before {
                if self.entries.term_before(number + 1) == Some(entry.term) {
                    continue;
                }
                self.cut(number);
            }
            is_news = true;
            self.append(number, entry.clone(), ctx);
        }
        is_news
    }

    /// Cuts off what the leader does not have.
    fn cut(&mut self, number: u64) {
        self.entries.cut(number);
        self.cuts += 1;
        self.synced = self.synced.min(number);
        self.verified = self.verified.min(number);
        // Below only if a majority has forgotten what it had.
        self.committed = self.committed.min(number);
    }

    fn append<P: ServiceHost>(&mut self, number: u64, entry: Entry, ctx: &mut Context<P>) {
        ctx.disk_append(LogRecord::Entry { partition: self.partition, number, entry: entry.clone() });
        self.entries.push(entry);
    }

    /// Asks for all entries to be on disk, if they have to.
    fn sync<P: ServiceHost>(&mut self, ctx: &mut Context<P>) {
        let (index, cuts) = (self.entries.end(), self.cuts);
        match self.log_settings().sync {
            Sync::EveryBatch => {
                ctx.disk_sync(ServiceToken::Synced { partition: self.partition, index, cuts });
            }
            Sync::Interval(_) => self.on_synced(index, cuts, ctx),
        }
    }

    /// What it had before the end was cut off so often is on disk, up to this number.
    pub fn on_synced<P: ServiceHost>(&mut self, end: u64, cuts: u32, ctx: &mut Context<P>) {
        if cuts != self.cuts || end <= self.synced {
            return;
        }
        self.synced = end;
        if self.leads() {
            self.answer_synced(ctx);
            self.commit(ctx);
        } else {
            self.confirm(ctx);
        }
    }

    /// Tells the leader what it has.
    fn confirm<P: ServiceHost>(&mut self, ctx: &mut Context<P>) {
        if let (Some(leader), true) = (self.leader, self.is_ballot_kept && self.role == Role::Follower) {
            let end = self.verified.min(self.synced);
            self.tell(usize::from(leader), ReplicaMessage::Appended { term: self.term, end }, ctx);
        }
    }

    // Leading.

    fn begin_to_lead<P: ServiceHost>(&mut self, ctx: &mut Context<P>) {
        let now = ctx.monotonic();
        self.role = Role::Leader;
        self.leader = Some(self.place as u16);
        self.began = self.entries.end();
        self.kept_up_since = None;
        let peer = Peer {
            matched: 0,
            next: self.began,
            is_tried: true,
            waits: false,
            heard: now,
            sent: SimTime::ZERO,
        };
        self.peers = vec![peer; self.nodes.len()];
        self.serving = Serving::of(&self.entries);
        ctx.output(ServiceEvent::Leads { node: ctx.id(), partition: self.partition, term: self.term });
        self.lead_on(nothing(), ctx);
    }

    /// Appends a batch and sends it to everybody; the number after it.
    pub(super) fn lead_on<P: ServiceHost>(&mut self, batch: Rc<Batch>, ctx: &mut Context<P>) -> u64 {
        let (number, base) = (self.entries.end(), self.entries.end_offset());
        let entry = Entry { term: self.term, at: ctx.monotonic(), stored: Stored { base, batch } };
        self.serving.producers.note(number, &entry);
        self.append(number, entry, ctx);
        self.send_entries(ctx);
        self.sync(ctx);
        number + 1
    }

    /// Sends every follower what it can take; those who lack the same get the same message.
    fn send_entries<P: ServiceHost>(&mut self, ctx: &mut Context<P>) {
        let mut last: Option<Rc<Append>> = None;
        for place in self.others() {
            while self.can_send(place) {
                last = Some(self.send(place, last, ctx));
            }
        }
    }

    fn can_send(&self, place: usize) -> bool {
        let (peer, end) = (&self.peers[place], self.entries.end());
        if peer.is_tried { !peer.waits } else { peer.next < end && peer.next - peer.matched < IN_FLIGHT_MAX }
    }

    /// Sends a follower the next entries, or none if it has them all.
    fn send<P: ServiceHost>(
        &mut self,
        place: usize,
        like: Option<Rc<Append>>,
        ctx: &mut Context<P>,
    ) -> Rc<Append> {
        let from = self.peers[place].next.max(self.entries.first());
        let append = like.filter(|like| like.from == from).unwrap_or_else(|| self.entries_from(from));
        let peer = &mut self.peers[place];
        peer.sent = ctx.monotonic();
        peer.waits = peer.is_tried;
        peer.next = if peer.is_tried { from } else { from + append.entries.len() as u64 };
        self.tell(place, ReplicaMessage::Append(Rc::clone(&append)), ctx);
        append
    }

    fn entries_from(&self, from: u64) -> Rc<Append> {
        let end = self.entries.end().min(from + ENTRIES_MAX);
        Rc::new(Append {
            term: self.term,
            from,
            offset: self.entries.offset_at(from),
            term_before: self.entries.term_before(from).expect("it is kept, or comes next"),
            entries: self.entries.range(from, end).cloned().collect(),
            committed: self.committed,
            first: self.entries.first(),
        })
    }

    /// To those who were sent nothing for a while. What was lost on the way comes to light by them.
    fn send_heartbeats<P: ServiceHost>(&mut self, ctx: &mut Context<P>) {
        let (now, every) = (ctx.monotonic(), self.log_settings().heartbeat);
        for place in self.others() {
            if now.since(self.peers[place].sent) >= every {
                self.send(place, None, ctx);
            }
        }
    }

    /// The follower's record, if it speaks to this leadership.
    fn peer<P: ServiceHost>(&mut self, place: usize, term: u32, ctx: &mut Context<P>) -> Option<&mut Peer> {
        if term > self.term {
            self.enter(term, None, ctx);
        }
        if term < self.term || !self.leads() {
            return None;
        }
        let peer = &mut self.peers[place];
        peer.heard = ctx.monotonic();
        Some(peer)
    }

    fn on_appended<P: ServiceHost>(&mut self, place: usize, term: u32, end: u64, ctx: &mut Context<P>) {
        let Some(peer) = self.peer(place, term, ctx) else {
            return;
        };
        peer.matched = peer.matched.max(end);
        peer.next = peer.next.max(end);
        peer.is_tried = false;
        peer.waits = false;
        self.commit(ctx);
        self.send_entries(ctx);
        self.give_lead(ctx);
    }

    fn on_differs<P: ServiceHost>(
        &mut self,
        place: usize,
        term: u32,
        from: u64,
        end: u64,
        ctx: &mut Context<P>,
    ) {
        let Some(peer) = self.peer(place, term, ctx) else {
            return;
        };
        // An answer to what was sent before it was tried says nothing new.
        if peer.is_tried && from != peer.next {
            return;
        }
        peer.is_tried = true;
        peer.waits = false;
        peer.next = end;
        // Less than it confirmed only if it has forgotten it.
        peer.matched = peer.matched.min(end);
        self.send_entries(ctx);
    }

    /// Commits what a majority has, if it ends with an entry of its own term (section 5.4.2).
    fn commit<P: ServiceHost>(&mut self, ctx: &mut Context<P>) {
        let has = |place: usize| if place == self.place { self.synced } else { self.peers[place].matched };
        let all = 0..self.nodes.len();
        let is_had = |end: u64| all.clone().filter(|place| has(*place) >= end).count() >= self.majority();
        let had = all.clone().map(has).filter(|end| is_had(*end)).max().unwrap_or(0);
        if had > self.committed && had > self.began {
            self.committed = had;
            self.answer_committed(ctx);
        }
    }

    // Handing over.

    /// Gives the lead back to the preferred replica when that one has kept up for a while.
    fn hand_back<P: ServiceHost>(&mut self, ctx: &mut Context<P>) {
        if self.place == 0 {
            return;
        }
        let (now, timeout) = (ctx.monotonic(), self.log_settings().election_timeout);
        let preferred = &self.peers[0];
        let keeps_up = now.since(preferred.heard) < timeout && preferred.matched >= self.committed;
        if !keeps_up {
            self.kept_up_since = None;
        }
        let since = keeps_up.then(|| *self.kept_up_since.get_or_insert(now));
        match self.hands_over_until {
            Some(until) if now >= until => {
                // It did not work: this one leads on, and tries again after as long.
                self.hands_over_until = None;
                self.kept_up_since = None;
            }
            None if since.is_some_and(|since| now.since(since).0 >= HANDED_BACK_AFTER * timeout.0) => {
                self.hands_over_until = Some(now + timeout);
                self.give_lead(ctx);
            }
            _ => {}
        }
    }

    /// While it is handed over nothing is appended: as soon as the next leader has everything it stands.
    fn give_lead<P: ServiceHost>(&mut self, ctx: &mut Context<P>) {
        if self.hands_over_until.is_some() && self.peers[0].matched == self.entries.end() {
            self.tell(0, ReplicaMessage::Lead { term: self.term }, ctx);
        }
    }
}
