//! Checkpoints: states to return to, thinned as they age.
//!
//! There are never more than [`CHECKPOINTS_MAX`], and of large worlds (a ring of a
//! thousand nodes that all know each other) fewer. When there is one too many,
//! the one whose absence is felt least goes: the gap that it would leave,
//! relative to its distance from the newest. So they lie dense near the present
//! and ever wider apart before it, and the first one, at time zero, always stays.

use super::state::State;
use crate::engine::SimTime;
use std::rc::Rc;

/// Checkpoints that one future keeps.
pub const CHECKPOINTS_MAX: usize = 32;
/// The fewest, whatever their size.
pub const CHECKPOINTS_MIN: usize = 4;
/// What checkpoints take that share nothing with each other, at most, above the fewest.
const BYTES_MAX: usize = 512 << 20;

/// The checkpoints of one future, in order. Futures share those from before they parted.
#[derive(Clone, Default)]
pub struct Checkpoints(Vec<Rc<State>>);

impl Checkpoints {
    /// Keeps a state that is later than all that are kept.
    pub fn push(&mut self, state: State) {
        debug_assert!(self.0.last().is_none_or(|last| last.now < state.now));
        self.0.push(Rc::new(state));
        let size = self.0.last().map_or(0, |state| state.unshared_bytes());
        let most = (BYTES_MAX / size.max(1)).clamp(CHECKPOINTS_MIN, CHECKPOINTS_MAX);
        while self.0.len() > most {
            self.thin();
        }
    }

    fn thin(&mut self) {
        let newest = self.0.last().expect("there is one too many").now;
        let times: Vec<u64> = self.0.iter().map(|state| state.now.0).collect();
        let felt = |at: usize| (times[at + 1] - times[at - 1]) as f64 / (newest.0 - times[at]).max(1) as f64;
        let least = (1..times.len() - 1).min_by(|a, b| felt(*a).total_cmp(&felt(*b)));
        if let Some(least) = least {
            self.0.remove(least);
        }
    }

    /// The latest state that is not later than `time`.
    pub fn before(&self, time: SimTime) -> Option<&Rc<State>> {
        self.0.iter().rev().find(|state| state.now <= time)
    }

    pub fn newest(&self) -> Option<SimTime> {
        self.0.last().map(|state| state.now)
    }

    /// Those that are not later than `time`, for a future that parts there.
    pub fn until(&self, time: SimTime) -> Checkpoints {
        Checkpoints(self.0.iter().filter(|state| state.now <= time).cloned().collect())
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
