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
//! With [`Sync::EveryBatch`](crate::service::settings::Sync::EveryBatch) a replica has what is on its disk. With an interval it has what is in
//! its memory, as with Kafka and with Redpanda's `write_caching`: a crash forgets what it had confirmed, and if a
//! majority has forgotten it, it is lost although it was acknowledged. Terms and votes are synced always.
//!
//! A replica that comes back without its disk has forgotten what it confirmed: it neither votes nor stands until
//! it has from a leader what that one knows to be committed. If nobody leads for long it does all the same, as
//! if an operator had forced it (Redpanda's unsafe recovery): what it had is lost.
//!
//! Simplified: heartbeats are one message for each partition and follower (Redpanda has one for all partitions),
//! and none where entries travel anyway; answers cost no core time. Replicas are configuration.

mod elections;
mod following;
mod leading;
pub(in crate::service) mod serving;

use self::leading::Peer;
use self::serving::Serving;
use super::entries::{Entries, Entry};
use super::producers::Producers;
use super::record::{LogRecord, PartitionDisk};
use super::replicas_of;
use crate::engine::{Context, NodeId, SimDuration, SimTime};
use crate::service::message::{ServiceHost, ServiceMessage};
use crate::service::settings::{Log, ServiceSettings};
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
    /// What is dropped before it says of producers: where the leader's log begins.
    pub dropped: Option<Rc<Producers>>,
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

/// A replica that has lost its disk waits so many election time-outs for a leader.
const FORCED_AFTER: u64 = 20;
/// How often what is too old is dropped.
const RETAIN_EVERY: SimDuration = SimDuration::from_ms(1_000);

/// One replica.
#[derive(Clone)]
pub struct Replica {
    settings: Rc<ServiceSettings>,
    partition: u16,
    /// All replicas, and which of them this one is.
    nodes: Rc<[NodeId]>,
    place: usize,
    role: Role,
    term: u32,
    vote: Option<u16>,
    /// How often term and vote were written, and whether the last time is on disk.
    ballots: u32,
    is_ballot_kept: bool,
    entries: Entries,
    /// Numbers up to which entries are on disk, agree with the leader's, and are committed.
    synced: u64,
    verified: u64,
    committed: u64,
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
    hands_over_until: Option<SimTime>,
    serving: Serving,
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

    fn log_settings(&self) -> &Log {
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
}
