//! What a scenario says of money: prices of its own, and what it takes to build and to run a cluster.

use serde::{Deserialize, Serialize};

/// An item of the price sheet at another price.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct PriceOverride {
    /// As the sheet calls it: `EC2 m6i.large`, `Cross-zone transfer` …
    pub item: String,
    /// In the item's unit, 0 to 1,000,000. What the sheet computes from it follows.
    pub usd: f64,
}

/// Weights by which the work on a cluster is estimated: to build it, and to keep it running.
///
/// How they are put together stands in `measure/effort.rs`. They are estimates, to be changed; what each is
/// meant to hold stands in `static/effort.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct EffortSection {
    /// What an hour of an engineer costs, 0 to 10,000.
    pub usd_per_hour: f64,
    /// To learn a technology and to build on it, once. Hours, 0 to 10,000, as all that follow.
    pub technology_hours: f64,
    /// To configure, deploy, test and watch one kind of part, once.
    pub part_hours: f64,
    /// To keep a technology up to date, a month.
    pub technology_hours_per_month: f64,
    /// To look after one running process, a month.
    pub process_hours_per_month: f64,
    /// What is left of that for a machine that the vendor runs, 0 to 1.
    pub vendor_run_share: f64,
    /// For each step that somebody had to do by hand in the run.
    pub step_hours: f64,
    /// How often a month what went wrong in the run goes wrong, 0 to 1,000.
    pub such_runs_per_month: f64,
}

impl Default for EffortSection {
    fn default() -> Self {
        EffortSection {
            usd_per_hour: 100.0,
            technology_hours: 80.0,
            part_hours: 24.0,
            technology_hours_per_month: 4.0,
            process_hours_per_month: 0.5,
            vendor_run_share: 0.3,
            step_hours: 0.5,
            such_runs_per_month: 1.0,
        }
    }
}
