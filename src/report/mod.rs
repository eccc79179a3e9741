//! What a run says when it ends, and its plots.

pub mod chart;
