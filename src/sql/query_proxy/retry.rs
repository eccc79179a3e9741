//! Second attempts: which outcomes are worth one, how long to wait, and a budget.
//!
//! The budget is a token bucket, as in Finagle's `RetryBudget` and gRPC's retry
//! throttling: every query puts a share of a token in, every retry takes one
//! out. When most queries fail it runs dry, and retries can't multiply the load.

use crate::engine::{SimDuration, Stream};
use crate::sql::settings::Retries;
use crate::workload::operation::{Cause, Outcome};

/// Tokens that are there at the start, and at most.
const TOKENS_FIRST: f64 = 10.0;
const TOKENS_MAX: f64 = 100.0;

/// How many retries may still be made.
#[derive(Clone, Copy, Debug)]
pub struct RetryBudget {
    tokens: f64,
}

impl Default for RetryBudget {
    fn default() -> Self {
        RetryBudget { tokens: TOKENS_FIRST }
    }
}

impl RetryBudget {
    pub fn query_came(&mut self, share: f64) {
        self.tokens = (self.tokens + share).min(TOKENS_MAX);
    }

    /// Takes a token, if there is one.
    pub fn take(&mut self) -> bool {
        let there = self.tokens >= 1.0;
        if there {
            self.tokens -= 1.0;
        }
        there
    }

    pub fn tokens(&self) -> f64 {
        self.tokens
    }
}

/// What to do about an answer that is not a success.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// It was sent by an old map: send it on by a new one.
    Redirect,
    /// Another attempt may succeed.
    Retry,
    /// It stays as it is.
    Final,
}

/// Judges an outcome; `idempotent`: whether doing it twice is as good as once.
pub fn judge(outcome: Outcome, idempotent: bool) -> Verdict {
    match outcome {
        Outcome::Ok => Verdict::Final,
        Outcome::Failed(Cause::StaleMap) => Verdict::Redirect,
        Outcome::Failed(Cause::RowLocked | Cause::DeadlinePassed) => Verdict::Final,
        Outcome::Failed(_) => Verdict::Retry,
        Outcome::Unknown(_) if idempotent => Verdict::Retry,
        Outcome::Unknown(_) => Verdict::Final,
    }
}

/// How long to wait before attempt `attempt` (from 1), and with jitter, a draw between zero and that.
pub fn backoff(retries: &Retries, attempt: u8, stream: &mut Stream) -> SimDuration {
    let doublings = u32::from(attempt.saturating_sub(1)).min(20);
    let full = SimDuration(retries.backoff_first.0.saturating_mul(1 << doublings)).min(retries.backoff_max);
    if retries.jitter { full.scaled(stream.unit()) } else { full }
}
