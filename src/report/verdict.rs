//! Whether a run kept what its scenario asks for.

use super::run_report::ClusterReport;
use crate::measure::run_ended;
use crate::scenario::schema::ChecksSection;
use serde::Serialize;
use std::fmt;

/// One limit of the scenario, held against one cluster.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Check {
    pub cluster: String,
    /// Its name in the scenario.
    pub check: &'static str,
    pub limit: f64,
    pub found: f64,
    pub kept: bool,
}
