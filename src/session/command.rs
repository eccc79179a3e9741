//! What a user does to a run while it runs.

use crate::engine::SimTime;
use crate::scenario::fault::FaultSpec;
use serde::{Deserialize, Serialize};

/// Most commands that one run may have.
pub const COMMANDS_MAX: usize = 1_000;

/// Something done to a run. Faults are numbered in the order in which they
/// stand: the scenario's schedule first, then the user's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(clippy::large_enum_variant, reason = "commands are few, and most of them begin a fault")]
pub enum Command {
    /// Begins a fault now, until it is lifted or `for_ms` have passed.
    Begin { fault: FaultSpec, for_ms: Option<f64> },
    /// Lifts the fault with this number now.
    Lift { fault: u32 },
}

/// A command with its simulated time: it acts after everything that happens at that time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LoggedCommand {
    pub at: SimTime,
    pub command: Command,
}
