//! How replicas choose a leader: terms, votes, trials.

use super::{Election, Replica, ReplicaMessage, Role};
use crate::engine::Context;
use crate::service::event_log::record::LogRecord;
use crate::service::message::{ServiceHost, ServiceToken};

impl Replica {
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
    pub(super) fn enter<P: ServiceHost>(&mut self, term: u32, vote: Option<u16>, ctx: &mut Context<P>) {
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

    pub(super) fn follow<P: ServiceHost>(&mut self, leader: Option<u16>, ctx: &mut Context<P>) {
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

    pub(super) fn stand<P: ServiceHost>(&mut self, election: Election, ctx: &mut Context<P>) {
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

    pub(super) fn count_vote<P: ServiceHost>(&mut self, from: usize, ctx: &mut Context<P>) {
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

    pub(super) fn asked_for_vote<P: ServiceHost>(
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
}
