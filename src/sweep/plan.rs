//! Which runs a sweep has: every combination of the values that vary, with every seed.
//!
//! ```text
//! --vary clusters.ring.r=1,2 --vary workload.rate_per_s=500,1000 --seeds 1..3
//!
//! run   r   rate   seed      the first path varies slowest, the seed fastest
//!   1   1    500      1
//!   2   1    500      2
//!   3   1    500      3
//!   4   1   1000      1
//!   …
//! ```
//!
//! What is wrong with every combination (a path that leads nowhere, a field that there is not) is said
//! before anything runs. A combination that cannot be run beside others that can (`r` above `n`, in a
//! product of both) is kept: its runs have rows that say why they were not run.

use super::limits::{COMBINATIONS_MAX, RUNS_MAX, SLICES_MAX, VALUES_MAX, VARIED_MAX};
use super::path::{PathError, cluster_name, clusters, resolve, set, tree_of, written};
use crate::scenario::document::{Step, parse_tree};
use crate::scenario::error::shortened;
use crate::scenario::parse::from_tree;
use crate::scenario::{Scenario, ScenarioError};
use serde_json::Value;
use std::ops::Range;
use std::str::FromStr;
use thiserror::Error;

/// Why there is no such sweep. Nothing was run.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum PlanError {
    #[error(
        "`{0}` does not say what varies how; it must be PATH=VALUE,VALUE,…, such as workload.rate_per_s=500,1000"
    )]
    NoValues(String),
    #[error("{path}: {error}")]
    Path { path: String, error: PathError },
    #[error("{path}: value {number} is empty; between commas there must be a value")]
    EmptyValue { path: String, number: usize },
    #[error("{path}: value {number} is no JSON: {problem}")]
    BadValue { path: String, number: usize, problem: String },
    #[error("{path}: value {number} has a line break; a row of the table is one line")]
    LineBreak { path: String, number: usize },
    #[error("{path}: has {values} values; at most {VALUES_MAX} are allowed")]
    TooManyValues { path: String, values: usize },
    #[error("{path} varies twice; list all of its values at once")]
    Twice { path: String },
    #[error("{paths} paths vary; at most {VARIED_MAX} are allowed")]
    TooManyPaths { paths: usize },
    #[error("the seed is varied by --seeds, not as a value of the scenario")]
    SeedAsValue,
    #[error("{path}: the clusters of a sweep, and their names, must stay the same; vary what is in them")]
    ClusterReplaced { path: String },
    #[error("these are {0} combinations of values; at most {COMBINATIONS_MAX} are allowed")]
    TooManyCombinations(u64),
    #[error("these are {0} runs; at most {RUNS_MAX} are allowed")]
    TooManyRuns(u64),
    /// Whatever else varies, this can't be run.
    #[error("{0}")]
    Scenario(#[from] ScenarioError),
    #[error("none of the {combinations} combinations can be run; the first one: {first}")]
    NothingToRun { combinations: u64, first: ScenarioError },
}

/// Seeds from the first to the last, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seeds {
    pub first: u64,
    pub last: u64,
}

/// Why a text names no seeds, or no slice.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RangeError {
    #[error("seeds are given as A..B, both included: 1..5 are five of them; or as one number")]
    Seeds,
    #[error("the seeds end before they begin; write them as {last}..{first}")]
    SeedsBackwards { first: u64, last: u64 },
    #[error("a slice is given as K/M: the K-th of M parts, from 1/M to M/M, and M at most {SLICES_MAX}")]
    Slice,
}

impl FromStr for Seeds {
    type Err = RangeError;

    fn from_str(text: &str) -> Result<Seeds, RangeError> {
        let number = |text: &str| text.trim().parse::<u64>().map_err(|_| RangeError::Seeds);
        let (first, last) = match text.split_once("..") {
            Some((first, last)) => (number(first)?, number(last)?),
            None => (number(text)?, number(text)?),
        };
        if first > last {
            return Err(RangeError::SeedsBackwards { first, last });
        }
        Ok(Seeds { first, last })
    }
}

impl Seeds {
    pub fn count(self) -> u64 {
        (self.last - self.first).saturating_add(1)
    }
}

/// One of several parts of a sweep, each to be run by another machine: from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slice {
    pub number: u64,
    pub of: u64,
}

impl Slice {
    pub const WHOLE: Slice = Slice { number: 1, of: 1 };
}

impl FromStr for Slice {
    type Err = RangeError;

    fn from_str(text: &str) -> Result<Slice, RangeError> {
        let parts = text.split_once('/').and_then(|(number, of)| {
            let part = |text: &str| text.trim().parse::<u64>().ok();
            Some((part(number)?, part(of)?))
        });
        match parts {
            Some((number, of)) if (1..=SLICES_MAX).contains(&of) && (1..=of).contains(&number) => {
                Ok(Slice { number, of })
            }
            _ => Err(RangeError::Slice),
        }
    }
}

/// A path with the values that it takes.
#[derive(Clone, Debug, PartialEq)]
pub struct Varied {
    /// As it was written: the name of its column.
    pub name: String,
    pub path: Vec<Step>,
    pub values: Vec<Value>,
}

/// All runs of a sweep.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// The scenario that is varied, with every field.
    scenario: Value,
    varied: Vec<Varied>,
    seeds: Seeds,
    /// Combinations that can't be run.
    unusable: u64,
    /// Delays of the combinations' probes, in ms: their figures have columns of their own.
    probe_delays: Vec<String>,
}

impl Plan {
    /// `vary` are texts such as `workload.rate_per_s=500,1000`. Without seeds the scenario's own is taken.
    pub fn new(scenario: &Scenario, vary: &[String], seeds: Option<Seeds>) -> Result<Plan, PlanError> {
        let tree = tree_of(scenario);
        if vary.len() > VARIED_MAX {
            return Err(PlanError::TooManyPaths { paths: vary.len() });
        }
        let mut varied: Vec<Varied> = Vec::new();
        for text in vary {
            let new = read_varied(&tree, text)?;
            if varied.iter().any(|other| other.path == new.path) {
                return Err(PlanError::Twice { path: new.name });
            }
            varied.push(new);
        }
        let seeds = seeds.unwrap_or(Seeds { first: scenario.seed, last: scenario.seed });
        let mut plan = Plan { scenario: tree, varied, seeds, unusable: 0, probe_delays: Vec::new() };
        let combinations = plan.varied.iter().map(|varied| varied.values.len() as u64);
        let combinations = combinations.fold(1u64, u64::saturating_mul);
        if combinations > COMBINATIONS_MAX {
            return Err(PlanError::TooManyCombinations(combinations));
        }
        let runs = combinations.saturating_mul(seeds.count());
        if runs > RUNS_MAX {
            return Err(PlanError::TooManyRuns(runs));
        }
        plan.look_at_all()?;
        Ok(plan)
    }

    /// Reads every combination, as it will be read when it is run.
    fn look_at_all(&mut self) -> Result<(), PlanError> {
        let mut first_error = None;
        for combination in 0..self.combinations() {
            match self.combination(combination) {
                Ok(scenario) => {
                    let delays = scenario.workload.probes.iter().flat_map(|probes| &probes.at_ms);
                    for delay in delays.map(f64::to_string) {
                        if !self.probe_delays.contains(&delay) {
                            self.probe_delays.push(delay);
                        }
                    }
                }
                // There is no such field, with whatever value.
                Err(error @ ScenarioError::UnknownName { .. }) if names_no_field(&error) => {
                    return Err(error.into());
                }
                Err(error) => {
                    self.unusable += 1;
                    first_error.get_or_insert(error);
                }
            }
        }
        match first_error {
            Some(first) if self.unusable == self.combinations() => {
                Err(PlanError::NothingToRun { combinations: self.unusable, first })
            }
            _ => Ok(()),
        }
    }

    pub fn scenario(&self) -> &Value {
        &self.scenario
    }

    pub fn varied(&self) -> &[Varied] {
        &self.varied
    }

    pub fn seeds(&self) -> Seeds {
        self.seeds
    }

    pub fn probe_delays(&self) -> &[String] {
        &self.probe_delays
    }

    pub fn cluster_names(&self) -> impl Iterator<Item = &str> {
        clusters(&self.scenario).iter().map(cluster_name)
    }

    fn combinations(&self) -> u64 {
        self.varied.iter().map(|varied| varied.values.len() as u64).product()
    }

    pub fn runs(&self) -> u64 {
        self.combinations() * self.seeds.count()
    }

    /// Runs whose rows only say why they can't be run.
    pub fn unusable_runs(&self) -> u64 {
        self.unusable * self.seeds.count()
    }

    /// The runs of a slice, counted from 0. The slices of one sweep are its runs, one after the other.
    pub fn slice(&self, slice: Slice) -> Range<u64> {
        let end = |number: u64| (u128::from(self.runs()) * u128::from(number) / u128::from(slice.of)) as u64;
        end(slice.number - 1)..end(slice.number)
    }

    pub fn seed(&self, run: u64) -> u64 {
        self.seeds.first + run % self.seeds.count()
    }

    /// The values of a run, in the order of what varies.
    pub fn values(&self, run: u64) -> Vec<&Value> {
        self.values_of(run / self.seeds.count())
    }

    fn values_of(&self, mut combination: u64) -> Vec<&Value> {
        let mut values = Vec::new();
        for varied in self.varied.iter().rev() {
            let count = varied.values.len() as u64;
            values.push(&varied.values[(combination % count) as usize]);
            combination /= count;
        }
        values.reverse();
        values
    }

    /// The scenario of a run; its seed is [`seed`](Self::seed).
    pub fn scenario_of(&self, run: u64) -> Result<Scenario, ScenarioError> {
        self.combination(run / self.seeds.count())
    }

    fn combination(&self, combination: u64) -> Result<Scenario, ScenarioError> {
        let mut tree = self.scenario.clone();
        for (varied, value) in self.varied.iter().zip(self.values_of(combination)) {
            if !set(&mut tree, &varied.path, value.clone()) {
                let problem = "is not there, or holds nothing of this name";
                return Err(ScenarioError::wrong(written(&varied.path), problem));
            }
        }
        from_tree(&tree, None)
    }
}

fn names_no_field(error: &ScenarioError) -> bool {
    matches!(error, ScenarioError::UnknownName { unknown, .. } if unknown.what == "field")
}

fn read_varied(scenario: &Value, text: &str) -> Result<Varied, PlanError> {
    let (name, list) = text.split_once('=').ok_or_else(|| PlanError::NoValues(shortened(text)))?;
    let name = name.trim().to_string();
    let path = resolve(scenario, &name).map_err(|error| PlanError::Path { path: name.clone(), error })?;
    match written(&path).as_str() {
        "seed" => return Err(PlanError::SeedAsValue),
        path if keeps_clusters(path) => {}
        _ => return Err(PlanError::ClusterReplaced { path: name }),
    }
    let texts = at_commas(list);
    if texts.len() > VALUES_MAX {
        return Err(PlanError::TooManyValues { path: name, values: texts.len() });
    }
    let values = texts.iter().enumerate().map(|(place, text)| read_value(&name, place + 1, text));
    let values = values.collect::<Result<Vec<Value>, PlanError>>()?;
    Ok(Varied { name, path, values })
}

/// Whether a value at this path leaves all clusters what they are called.
fn keeps_clusters(path: &str) -> bool {
    let mut steps = path.split('.');
    match (steps.next(), steps.next(), steps.next()) {
        (Some(first), kind, field) if first.starts_with("clusters") => {
            first.ends_with(']') && kind.is_some() && field.is_some_and(|field| field != "name")
        }
        _ => true,
    }
}

/// JSON, or a text without quotes.
fn read_value(path: &str, number: usize, text: &str) -> Result<Value, PlanError> {
    let path = || path.to_string();
    if text.is_empty() {
        return Err(PlanError::EmptyValue { path: path(), number });
    }
    let value = match parse_tree(text) {
        Ok(value) => value,
        Err(error) if text.starts_with(['{', '[', '"']) => {
            return Err(PlanError::BadValue { path: path(), number, problem: error.to_string() });
        }
        Err(_) => Value::String(text.to_string()),
    };
    match &value {
        Value::String(text) if text.contains(['\n', '\r']) => {
            Err(PlanError::LineBreak { path: path(), number })
        }
        _ => Ok(value),
    }
}

/// The parts between commas, those within quotes, brackets and braces aside.
fn at_commas(list: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut begin, mut depth, mut in_quotes, mut is_escaped) = (0, 0i32, false, false);
    for (at, character) in list.char_indices() {
        match character {
            _ if is_escaped => is_escaped = false,
            '\\' if in_quotes => is_escaped = true,
            '"' => in_quotes = !in_quotes,
            _ if in_quotes => {}
            '[' | '{' => depth += 1,
            ']' | '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(list[begin..at].trim());
                begin = at + 1;
            }
            _ => {}
        }
    }
    parts.push(list[begin..].trim());
    parts
}
