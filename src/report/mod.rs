//! What a run says when it ends, and its plots.

pub mod chart;
pub mod history_file;
pub mod page;
pub mod run_report;
pub mod service;
pub mod storage;
pub mod table;
pub mod verdict;
