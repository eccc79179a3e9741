//! A circuit breaker (Nygard, "Release It!", 2007): after a number of failures in
//! a row a shard is not asked any more for a while; then one query is let
//! through, and its fate decides.

use crate::engine::{SimDuration, SimTime};

/// What a query may do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Passage {
    Open,
    Shut,
}

/// The breaker of one shard at one query proxy.
#[derive(Clone, Copy, Debug, Default)]
pub struct CircuitBreaker {
    failures: u32,
    /// Shut until then; after it, one query at a time is let through.
    shut_until: Option<SimTime>,
    probe_sent: Option<SimTime>,
}

impl CircuitBreaker {
    pub fn is_shut(&self) -> bool {
        self.shut_until.is_some()
    }

    /// Asks for a passage. A probe that was let through and is not heard of is given up after `open_for`.
    pub fn ask(&mut self, now: SimTime, open_for: SimDuration) -> Passage {
        match self.shut_until {
            None => Passage::Open,
            Some(until) if now < until => Passage::Shut,
            Some(_) if self.probe_sent.is_some_and(|sent| now.since(sent) < open_for) => Passage::Shut,
            Some(_) => {
                self.probe_sent = Some(now);
                Passage::Open
            }
        }
    }

    /// A query succeeded; true if that closes the breaker.
    pub fn succeeded(&mut self) -> bool {
        self.failures = 0;
        self.probe_sent = None;
        self.shut_until.take().is_some()
    }

    /// A query failed; true if that trips the breaker.
    pub fn failed(&mut self, now: SimTime, failures_max: u32, open_for: SimDuration) -> bool {
        self.failures = self.failures.saturating_add(1);
        let was_shut = self.is_shut();
        if self.probe_sent.take().is_some() || (!was_shut && self.failures >= failures_max) {
            self.shut_until = Some(now + open_for);
            return !was_shut;
        }
        false
    }
}
