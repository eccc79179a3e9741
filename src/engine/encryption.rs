//! What encryption costs: core time, for what travels and for what goes to disk.
//!
//! TLS costs a part per message (record, authentication) and a part per kilobyte
//! (the cipher), at whoever receives it: for it and for the answer. Encryption at
//! rest costs a part per page or record that goes to disk or comes from it.
//! Simplified: connections are set up already, keys never change, and a message
//! takes no more bytes.

use super::time::SimDuration;

/// What encryption costs; zero where it is off.
#[derive(Clone, Copy, Debug, Default)]
pub struct Encryption {
    /// Core time per message that is received: for it and for the answer.
    pub per_message: SimDuration,
    pub per_kilobyte: SimDuration,
    /// Core time per page read and per write that goes to disk.
    pub per_io: SimDuration,
}

impl Encryption {
    /// Core time for TLS of a message of so many bytes.
    pub fn of_message(&self, bytes: impl FnOnce() -> u32) -> SimDuration {
        if self.per_message == SimDuration::ZERO && self.per_kilobyte == SimDuration::ZERO {
            return SimDuration::ZERO;
        }
        self.per_message + self.per_kilobyte.scaled(f64::from(bytes()) / 1_000.0)
    }
}
