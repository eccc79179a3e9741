//! The event log: partitions, each replicated over some brokers.

pub mod group;
pub mod record;
pub mod replica;
