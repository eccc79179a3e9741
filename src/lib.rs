//! Faultline: a sharded SQL cluster and a gossip ring on one clock, to be broken on purpose.
pub mod check;
pub mod cluster;
pub mod engine;
pub mod measure;
pub mod report;
pub mod ring;
pub mod scenario;
pub mod service;
pub mod session;
pub mod sql;
pub mod sweep;
#[cfg(target_arch = "wasm32")]
pub mod ui;
pub mod workload;
