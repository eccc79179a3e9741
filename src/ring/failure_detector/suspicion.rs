//! A suspicion: how long a suspected node has to refute it.
//!
//! Formulas of memberlist (`suspicion.go`, `util.go`), which are Lifeguard's (section
//! IV.B): it begins long, in case the one who suspects is itself the slow one, and
//! becomes shorter with each other node that suspects independently.

use crate::engine::{SimDuration, SimTime};

/// One node's suspicion of another.
#[derive(Clone, Debug)]
pub struct Suspicion {
    /// Which one; a timer of an earlier one is void.
    pub serial: u32,
    began: SimTime,
    shortest: SimDuration,
    longest: SimDuration,
    /// Confirmations that make it as short as may be.
    wanted: u32,
    /// Who suspects, the first one included.
    accusers: Vec<u16>,
}

impl Suspicion {
    pub fn new(
        serial: u32,
        began: SimTime,
        (shortest, longest): (SimDuration, SimDuration),
        wanted: u32,
        by: u16,
    ) -> Suspicion {
        Suspicion { serial, began, shortest, longest, wanted, accusers: vec![by] }
    }

    /// Another one suspects; whether it is a new confirmation that counts.
    pub fn confirm(&mut self, by: u16) -> bool {
        if self.confirmations() >= self.wanted || self.accusers.contains(&by) {
            return false;
        }
        self.accusers.push(by);
        true
    }

    pub fn confirmations(&self) -> u32 {
        self.accusers.len() as u32 - 1
    }

    /// When it becomes certainty.
    pub fn ends(&self) -> SimTime {
        let left =
            remaining_ms(self.confirmations(), self.wanted, SimDuration::ZERO, self.shortest, self.longest);
        self.began + SimDuration::from_ms(left.max(0.0) as u64)
    }

    /// How much of its time is over, from 0 to 1.
    pub fn share(&self, now: SimTime) -> f64 {
        let whole = self.ends().since(self.began).0.max(1);
        (now.since(self.began).0 as f64 / whole as f64).min(1.0)
    }
}

/// How long a suspicion lasts at least, in a cluster of `nodes` that probe every `interval`:
/// multiplier × log10(nodes) × interval, the logarithm at least 1 and cut off after three
/// decimals (memberlist, `suspicionTimeout`).
pub fn shortest(multiplier: u32, nodes: usize, interval: SimDuration) -> SimDuration {
    let scale = libm::log10((nodes as f64).max(1.0)).max(1.0);
    let thousandths = (scale * 1_000.0) as u64;
    SimDuration(u64::from(multiplier) * thousandths * interval.0 / 1_000)
}

/// How many confirmations are wanted: multiplier - 2, or none where there are too few nodes to
/// give them (memberlist, `suspectNode` in `state.go`).
pub fn confirmations_wanted(multiplier: u32, nodes: usize) -> u32 {
    let wanted = multiplier.saturating_sub(2);
    if nodes < wanted as usize + 2 { 0 } else { wanted }
}

/// What is left of a suspicion that has `confirmations` of the `wanted` ones after `elapsed`, in ms;
/// negative if it should have ended (memberlist, `remainingSuspicionTime`).
pub fn remaining_ms(
    confirmations: u32,
    wanted: u32,
    elapsed: SimDuration,
    shortest: SimDuration,
    longest: SimDuration,
) -> f64 {
    let fraction = match wanted {
        0 => 1.0,
        _ => libm::log(f64::from(confirmations) + 1.0) / libm::log(f64::from(wanted) + 1.0),
    };
    let (shortest, longest) = (shortest.as_ms_f64(), longest.as_ms_f64());
    let whole = libm::floor(longest - fraction * (longest - shortest));
    whole.max(shortest) - elapsed.as_ms_f64()
}
