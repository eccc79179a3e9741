//! Buffering during a failover: writes wait for the new primary instead of failing.
//!
//! As VTGate's buffer (Vitess 20): it begins when a shard turns out to have no
//! primary, keeps a query for a window at most and a failover for its maximum,
//! holds a number of queries over all shards (the oldest is given up for a new
//! one), does not begin again too soon after the last failover, and lets so many
//! queries at once go on when the new primary is known.

use crate::engine::{SimTime, Ticket};
use crate::sql::settings::Buffering;
use std::collections::VecDeque;

/// One shard's buffer.
#[derive(Clone, Debug, Default)]
pub struct ShardBuffer {
    /// When each came, oldest first.
    waiting: VecDeque<(SimTime, Ticket)>,
    began: Option<SimTime>,
    ended: Option<SimTime>,
    /// Queries that were let go and are not answered yet.
    draining: u32,
}

impl ShardBuffer {
    pub fn is_on(&self) -> bool {
        self.began.is_some()
    }

    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Whether a query may be kept: buffering is on, or may begin now.
    pub fn accepts(&self, now: SimTime, settings: &Buffering) -> bool {
        self.is_on() || self.ended.is_none_or(|ended| now.since(ended) >= settings.failovers_apart)
    }

    /// Keeps a query; true if buffering begins with it.
    pub fn keep(&mut self, now: SimTime, query: Ticket) -> bool {
        self.waiting.push_back((now, query));
        let begins = self.began.is_none();
        self.began.get_or_insert(now);
        begins
    }

    pub fn oldest(&self) -> Option<SimTime> {
        self.waiting.front().map(|(came, _)| *came)
    }

    pub fn give_up_oldest(&mut self) -> Option<Ticket> {
        self.waiting.pop_front().map(|(_, query)| query)
    }

    /// Takes out what has waited for longer than the window.
    pub fn expired(&mut self, now: SimTime, settings: &Buffering) -> Option<Ticket> {
        let came = self.oldest()?;
        if now.since(came) >= settings.window { self.give_up_oldest() } else { None }
    }

    pub fn is_overdue(&self, now: SimTime, settings: &Buffering) -> bool {
        self.began.is_some_and(|began| now.since(began) >= settings.failover_max)
    }

    /// Ends buffering: from now on what waits is let go.
    pub fn end(&mut self, now: SimTime) {
        self.began = None;
        self.ended = Some(now);
        self.draining = 0;
    }

    /// The next query to let go, if fewer than `drain` are under way.
    pub fn next_to_go(&mut self, drain: u32) -> Option<Ticket> {
        if self.is_on() || self.draining >= drain {
            return None;
        }
        let (_, query) = self.waiting.pop_front()?;
        self.draining += 1;
        Some(query)
    }

    /// A query that was let go is answered.
    pub fn went(&mut self) {
        self.draining = self.draining.saturating_sub(1);
    }
}
