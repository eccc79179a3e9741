//! The table of a sweep: a row for each run, in CSV (RFC 4180), as pandas and spreadsheets read it.
//!
//! ```text
//! run, what varies …, seed, trace_hash, events, simulated_ms, error, <cluster>.<figure> …
//! ```
//!
//! - `run` counts the whole sweep's runs from 1, in whatever slice it stands.
//! - What varies stands under its path, as it was given.
//! - `error` says why a combination was not run; all that follows is empty then, as the hash is.
//! - Every cluster has every figure of its report (`faultline run --json`), by its path there, in
//!   alphabetical order: `Gossip ring.latency_ms.read.p99`. What there was none of is empty. A list (causes
//!   of failure, who owns what) is one cell of JSON. Which columns there are follows from the plan alone,
//!   never from what came of the runs.
//!
//! A row is one line: line breaks within cells are spaces.

use super::plan::Plan;
use crate::report::run_report::{ClusterReport, RunReport};
use crate::session::Session;
use serde_json::Value;

/// Makes the rows of one sweep.
pub struct Table<'a> {
    plan: &'a Plan,
    /// Of each cluster.
    figures: Vec<String>,
}

impl<'a> Table<'a> {
    pub fn of(plan: &'a Plan) -> Table<'a> {
        let report = ClusterReport::with_every_figure(plan.probe_delays());
        let figures = figures(&report).into_iter().map(|(name, _)| name);
        // Which cluster it is stands before them.
        let figures = figures.filter(|figure| figure != "name").collect();
        Table { plan, figures }
    }

    /// The names of the columns, as a line.
    pub fn header(&self) -> String {
        let mut cells = vec!["run".to_string()];
        cells.extend(self.plan.varied().iter().map(|varied| varied.name.clone()));
        cells.extend(["seed", "trace_hash", "events", "simulated_ms", "error"].map(String::from));
        for cluster in self.plan.cluster_names() {
            cells.extend(self.figures.iter().map(|figure| format!("{cluster}.{figure}")));
        }
        line(&cells)
    }

    /// Runs a run, counted from 0, to its end; its row, as a line.
    pub fn row(&self, run: u64) -> String {
        let mut cells = vec![(run + 1).to_string()];
        cells.extend(self.plan.values(run).into_iter().map(cell));
        cells.push(self.plan.seed(run).to_string());
        let clusters = self.plan.cluster_names().count();
        let opened = self
            .plan
            .scenario_of(run)
            .and_then(|scenario| Session::open(scenario, Some(self.plan.seed(run)), Vec::new(), None));
        match opened {
            Err(error) => {
                cells.extend([String::new(), String::new(), String::new(), error.to_string()]);
                cells.resize(cells.len() + clusters * self.figures.len(), String::new());
            }
            Ok(mut session) => {
                session.without_checkpoints();
                session.run_until(session.end());
                let report = RunReport::of(&session, None, None);
                cells.push(report.trace_hash.clone());
                cells.push(report.events.to_string());
                cells.push(report.simulated_ms.to_string());
                cells.push(String::new());
                for cluster in &report.clusters {
                    cells.extend(self.cells_of(cluster));
                }
            }
        }
        line(&cells)
    }

    fn cells_of(&self, cluster: &ClusterReport) -> Vec<String> {
        let mut cells = vec![String::new(); self.figures.len()];
        for (name, value) in figures(cluster).into_iter().filter(|(name, _)| name != "name") {
            match self.figures.binary_search(&name) {
                Ok(place) => cells[place] = cell(&value),
                // A null stands for a whole group of figures.
                Err(_) if value.is_null() => {}
                Err(_) => panic!("the figure {name} of a report has no column"),
            }
        }
        cells
    }
}

/// Every figure of a report by its path, in order.
fn figures(report: &ClusterReport) -> Vec<(String, Value)> {
    let tree = serde_json::to_value(report).expect("a report is JSON");
    let mut figures = Vec::new();
    flatten(String::new(), tree, &mut figures);
    figures.sort_by(|one, other| one.0.cmp(&other.0));
    figures
}

fn flatten(path: String, value: Value, figures: &mut Vec<(String, Value)>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let path = if path.is_empty() { name } else { format!("{path}.{name}") };
                flatten(path, value, figures);
            }
        }
        value => figures.push((path, value)),
    }
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// A line of a table, with its end.
fn line(cells: &[String]) -> String {
    let mut line = String::new();
    for (place, cell) in cells.iter().enumerate() {
        if place > 0 {
            line.push(',');
        }
        let cell = cell.replace(['\n', '\r'], " ");
        if cell.contains([',', '"']) {
            line.push('"');
            line.push_str(&cell.replace('"', "\"\""));
            line.push('"');
        } else {
            line.push_str(&cell);
        }
    }
    line.push('\n');
    line
}
