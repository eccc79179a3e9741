//! Checkers: they read the history and say what was violated.
//!
//! [`history`] is what they read; [`staleness`] finds stale reads and writes
//! that lost to a skewed clock, [`durability`] acknowledged writes that a
//! promotion lost, [`views`] what a counting service has too few or too many.

pub mod durability;
pub mod history;
pub mod staleness;
pub mod updates;
pub mod views;
