//! What a run is measured by: [`recorder`] counts, [`latency`] keeps histograms,
//! [`cost`] applies a sheet of [`prices`], [`summary`] is what comes of it.

pub mod cost;
pub mod latency;
pub mod prices;
pub mod recorder;
pub mod restores;
pub mod service;
pub mod summary;
pub mod visibility;

pub use cost::Cost;
pub use latency::LatencySummary;
pub use summary::Summary;
