//! The processing service.

pub mod checkpoint;
