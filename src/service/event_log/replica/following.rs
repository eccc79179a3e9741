//! A replica as follower: it takes what the leader has.

use super::{Append, Replica, ReplicaMessage, Role};
use crate::engine::Context;
use crate::service::event_log::entries::{Entries, Entry};
use crate::service::event_log::record::LogRecord;
use crate::service::message::{ServiceHost, ServiceToken};
use crate::service::settings::Sync;
use std::rc::Rc;

impl Replica {
    pub(super) fn on_append<P: ServiceHost>(&mut self, leader: usize, append: &Append, ctx: &mut Context<P>) {
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
        let dropped = append.dropped.clone().unwrap_or_default();
        self.entries = Entries::starting_at(number, term_before, offset, Rc::clone(&dropped));
        self.cuts += 1;
        self.synced = number;
        self.verified = number;
        self.committed = number;
        ctx.disk_append(LogRecord::Emptied {
            partition: self.partition,
            number,
            term_before,
            offset,
            dropped,
        });
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

    pub(super) fn append<P: ServiceHost>(&mut self, number: u64, entry: Entry, ctx: &mut Context<P>) {
        ctx.disk_append(LogRecord::Entry { partition: self.partition, number, entry: entry.clone() });
        self.entries.push(entry);
    }

    /// Asks for all entries to be on disk, if they have to.
    pub(super) fn sync<P: ServiceHost>(&mut self, ctx: &mut Context<P>) {
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
    pub(super) fn confirm<P: ServiceHost>(&mut self, ctx: &mut Context<P>) {
        if let (Some(leader), true) = (self.leader, self.is_ballot_kept && self.role == Role::Follower) {
            let end = self.verified.min(self.synced);
            self.tell(usize::from(leader), ReplicaMessage::Appended { term: self.term, end }, ctx);
        }
    }
}
