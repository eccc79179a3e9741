//! A plain time-out: a node of which there was no news for so long is believed dead.
//!
//! What most systems begin with. It is right for one delay of rumours only: a larger
//! ring, a slower machine or a lossy network needs another one, and nothing adapts.

use super::phi_accrual::ArrivalWindow;
use crate::engine::{SimDuration, SimTime};

/// Whether the time is over.
#[inline]
pub fn is_over(news: &ArrivalWindow, after: SimDuration, now: SimTime) -> bool {
    news.silent_for(now) > after
}
