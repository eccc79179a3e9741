//! Effort: what people have to do to build a cluster and to keep it running.
//!
//! Counted: the processes of each role, how many technologies they are, and what in the run needed somebody's hands,
//! with the steps that each takes. Which technology a role is and which steps an incident takes stands in
//! `static/effort.json`; the weights stand there too, and in the scenario's `effort`, where they can be changed:
//!
//! ```text
//! development, hours         = technologies * technology_hours + kinds of parts * part_hours
//! maintenance, hours a month = technologies * technology_hours_per_month
//!                            + processes * process_hours_per_month    (* vendor_run_share, where a vendor runs it)
//!                            + steps in the run * step_hours * such_runs_per_month
//! ```
//!
//! What came back by itself needs nobody: a machine whose fault the scenario ends, a failover that the cluster does.
//! What was lifted by hand, or still lasts, does. Simplified: an hour is an hour, however rare the skill; the hours of
//! unknown roles count as those of a technology of their own. Who looks after hardware of one's own is in its price.
//! Left out: the clients, the network's faults (somebody else mends them), on-call duty, the software's own
//! development.

use crate::scenario::document::parse_tree;
use crate::scenario::schema::EffortSection;
use serde::Serialize;
use serde_json::Value;
use std::sync::OnceLock;

/// Something that needs somebody's hands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Incident {
    MachineDown,
    DiskLost,
    MachineSlow,
    ClockWrong,
    FailoverByHand,
    ErrantTransactions,
    LostWrites,
    ConfigGone,
    Restore,
    OverlayBroken,
    RangeMoved,
    SchemaChanged,
    RingChanged,
}

/// How many kinds there are.
const KINDS: usize = 13;

/// Their names in `static/effort.json`, in order.
pub const NAMES: [&str; KINDS] = [
    "machine_down",
    "disk_lost",
    "machine_slow",
    "clock_wrong",
    "failover_by_hand",
    "errant_transactions",
    "lost_writes",
    "config_gone",
    "restore",
    "overlay_broken",
    "range_moved",
    "schema_changed",
    "ring_changed",
];

/// How often each happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Incidents([u32; KINDS]);

impl Incidents {
    pub fn count(&mut self, incident: Incident, times: u32) {
        self.0[incident as usize] += times;
    }

    pub fn times(&self, incident: Incident) -> u32 {
        self.0[incident as usize]
    }
}

/// The processes of one role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    pub role: &'static str,
    pub processes: u32,
    /// Of these, those that a vendor runs.
    pub run_by_vendor: u32,
}

impl Part {
    pub fn none_of(role: &'static str) -> Part {
        Part { role, processes: 0, run_by_vendor: 0 }
    }
}

/// What people have to do.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Effort {
    pub processes: u32,
    /// Each once, in the order of the roles.
    pub technologies: Vec<String>,
    pub parts: Vec<PartReport>,
    /// What needed somebody's hands in the run.
    pub incidents: Vec<IncidentReport>,
    /// Of all of them.
    pub manual_steps: u32,
    pub development_hours: f64,
    pub development_usd: f64,
    pub maintenance_hours_per_month: f64,
    pub maintenance_usd_per_month: f64,
    pub weights: EffortSection,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PartReport {
    pub role: &'static str,
    pub processes: u32,
    pub run_by_vendor: u32,
    pub technology: String,
    /// That are such a thing.
    pub products: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct IncidentReport {
    pub incident: &'static str,
    pub words: String,
    pub times: u32,
    /// That each takes.
    pub steps: Vec<String>,
}

/// The text of `static/effort.json`.
pub const TEXT: &str = include_str!("../../static/effort.json");

fn file() -> &'static Value {
    static FILE: OnceLock<Value> = OnceLock::new();
    FILE.get_or_init(|| parse_tree(TEXT).expect("what is bundled can be read"))
}

fn entry(list: &str, field: &str, name: &str) -> &'static Value {
    let entries = file()[list].as_array().map_or(&[][..], Vec::as_slice);
    entries.iter().find(|entry| entry[field] == name).unwrap_or(&Value::Null)
}

fn texts(list: &Value) -> Vec<String> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_string).collect()
}

impl Effort {
    /// Of a cluster of such parts, in which so much needed somebody's hands.
    pub fn of(parts: &[Part], incidents: &Incidents, weights: &EffortSection) -> Effort {
        let parts: Vec<PartReport> = parts.iter().filter_map(part).collect();
        let mut technologies: Vec<String> = Vec::new();
        for part in &parts {
            if !technologies.contains(&part.technology) {
                technologies.push(part.technology.clone());
            }
        }
        let incidents: Vec<IncidentReport> =
            NAMES.iter().zip(incidents.0).filter(|(_, times)| *times > 0).map(incident).collect();
        let manual_steps = incidents.iter().map(|one| one.times * one.steps.len() as u32).sum();
        let processes = parts.iter().map(|part| part.processes).sum();
        let run_by_vendor: u32 = parts.iter().map(|part| part.run_by_vendor).sum();
        let looked_after =
            f64::from(processes - run_by_vendor) + f64::from(run_by_vendor) * weights.vendor_run_share;
        let kinds = technologies.len() as f64;
        let development_hours = kinds * weights.technology_hours + parts.len() as f64 * weights.part_hours;
        let maintenance_hours_per_month = kinds * weights.technology_hours_per_month
            + looked_after * weights.process_hours_per_month
            + f64::from(manual_steps) * weights.step_hours * weights.such_runs_per_month;
        Effort {
            processes,
            technologies,
            parts,
            incidents,
            manual_steps,
            development_hours,
            development_usd: development_hours * weights.usd_per_hour,
            maintenance_hours_per_month,
            maintenance_usd_per_month: maintenance_hours_per_month * weights.usd_per_hour,
            weights: weights.clone(),
        }
    }
}

/// What is said of a role; nothing of one that is somebody else's.
fn part(part: &Part) -> Option<PartReport> {
    let entry = entry("technologies", "role", part.role);
    let technology = entry["technology"].as_str().unwrap_or(part.role);
    (!technology.is_empty()).then(|| PartReport {
        role: part.role,
        processes: part.processes,
        run_by_vendor: part.run_by_vendor,
        technology: technology.to_string(),
        products: texts(&entry["products"]),
    })
}

fn incident((name, times): (&&'static str, u32)) -> IncidentReport {
    let entry = entry("incidents", "name", name);
    IncidentReport {
        incident: name,
        words: entry["words"].as_str().unwrap_or(name).to_string(),
        times,
        steps: texts(&entry["steps"]),
    }
}
