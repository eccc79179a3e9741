//! What clients ask for: operations, keys and their popularity, arrivals, recorded traffic.

pub mod client;
pub mod generator;
pub mod keys;
pub mod operation;
pub mod probe;
pub mod recorded;
pub mod tally;
pub mod version_vector;
pub mod zipf;
