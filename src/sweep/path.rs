//! Paths into a scenario, as its error messages write them: `clusters[0].gossip_ring.r`.
//!
//! A cluster may be named by its number, its name or its kind, and its kind may be left out:
//! `clusters[1].r`, `clusters.Gossip ring.r` and `clusters.gossip_ring.r` are all
//! `clusters[1].gossip_ring.r`.

use crate::scenario::Scenario;
use crate::scenario::document::{Step, at, parse_tree};
use crate::scenario::error::UnknownName;
use serde_json::{Map, Value};
use std::fmt::Write;
use thiserror::Error;

/// Why a path leads nowhere.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum PathError {
    #[error("the path is empty; it must name a field, such as workload.rate_per_s")]
    Empty,
    #[error("{problem}; a path is written such as clusters[0].gossip_ring.r")]
    Malformed { problem: String },
    #[error("{0}")]
    NoSuchCluster(Box<UnknownName>),
    #[error("{list} is an empty list; there is no [{index}]")]
    EmptyList { list: String, index: usize },
    #[error("{list} has {length} entries, from [0]; there is no [{index}]")]
    NoSuchEntry { list: String, length: usize, index: usize },
    #[error("{0} is no list, so that it has no entries")]
    NoList(String),
    #[error("{list} is a list of {length}; name one of its entries, such as {list}[0]")]
    List { list: String, length: usize },
    #[error("{0}")]
    NoSuchField(Box<UnknownName>),
}

/// A scenario as a tree, with every field. By its text: the code that writes and reads that is downloaded anyway.
pub fn tree_of(scenario: &Scenario) -> Value {
    let text = serde_json::to_string(scenario).expect("a scenario is JSON");
    parse_tree(&text).expect("what was just written is JSON")
}

/// Where a path leads in a scenario that has every field. Its last fields may be missing: whoever
/// reads the scenario then says whether they are fields at all.
pub fn resolve(scenario: &Value, path: &str) -> Result<Vec<Step>, PathError> {
    let path = in_full(scenario, parse(path)?)?;
    let mut value = Some(scenario);
    for (depth, step) in path.iter().enumerate() {
        let here = || written(&path[..depth]);
        match (step, value) {
            (_, None) => {}
            (Step::Entry(index), Some(Value::Array(list))) => {
                let (length, index) = (list.len(), *index);
                if length == 0 {
                    return Err(PathError::EmptyList { list: here(), index });
                }
                if index >= length {
                    return Err(PathError::NoSuchEntry { list: here(), length, index });
                }
            }
            (Step::Entry(_), _) => return Err(PathError::NoList(here())),
            (Step::Field(_), Some(Value::Array(list))) => {
                return Err(PathError::List { list: here(), length: list.len() });
            }
            // Every field of the scenario itself is there.
            (Step::Field(name), Some(Value::Object(fields))) if depth == 0 && !fields.contains_key(name) => {
                let possible = fields.keys().cloned().collect();
                return Err(PathError::NoSuchField(Box::new(UnknownName::new("field", name, possible))));
            }
            _ => {}
        }
        value = at(scenario, &path[..=depth]);
    }
    Ok(path)
}

/// Puts a value where a path leads, and makes the objects on the way to it. False if it leads nowhere.
pub fn set(scenario: &mut Value, path: &[Step], value: Value) -> bool {
    let mut place = scenario;
    for step in path {
        place = match step {
            Step::Entry(index) => match place.get_mut(index) {
                Some(entry) => entry,
                None => return false,
            },
            Step::Field(name) => {
                // A kind without content, or nothing at all, gets some: `reads.within_lag_ms`.
                if matches!(place, Value::Null | Value::String(_)) {
                    *place = Value::Object(Map::new());
                }
                let Value::Object(fields) = place else { return false };
                if !fields.contains_key(name) {
                    fields.insert(name.clone(), Value::Null);
                }
                let Some(field) = fields.get_mut(name) else { return false };
                field
            }
        };
    }
    *place = value;
    true
}

/// A path as messages show it.
pub fn written(path: &[Step]) -> String {
    let mut text = String::new();
    for step in path {
        let _ = match step {
            Step::Entry(index) => write!(text, "[{index}]"),
            Step::Field(name) if text.is_empty() => write!(text, "{name}"),
            Step::Field(name) => write!(text, ".{name}"),
        };
    }
    text
}

fn parse(path: &str) -> Result<Vec<Step>, PathError> {
    if path.trim().is_empty() {
        return Err(PathError::Empty);
    }
    let malformed = |problem: String| PathError::Malformed { problem };
    let mut steps = Vec::new();
    for part in path.trim().split('.') {
        let (name, mut entries) = part.split_at(part.find('[').unwrap_or(part.len()));
        if name.is_empty() {
            return Err(malformed(format!("`{path}` has a step without a name")));
        }
        steps.push(Step::Field(name.to_string()));
        while !entries.is_empty() {
            let number = entries.strip_prefix('[').and_then(|entries| entries.split_once(']'));
            let number = number.and_then(|(number, rest)| Some((number.parse().ok()?, rest)));
            let Some((index, rest)) = number else {
                return Err(malformed(format!("`{part}` does not end with a number in brackets")));
            };
            steps.push(Step::Entry(index));
            entries = rest;
        }
    }
    Ok(steps)
}

/// With the number of the cluster, and with its kind.
fn in_full(scenario: &Value, path: Vec<Step>) -> Result<Vec<Step>, PathError> {
    let is_of_cluster = matches!(path.first(), Some(Step::Field(name)) if name == "clusters");
    let (Some(second), true) = (path.get(1), is_of_cluster) else { return Ok(path) };
    let number = match second {
        Step::Entry(number) => *number,
        Step::Field(name) => cluster_number(scenario, name).map_err(PathError::NoSuchCluster)?,
    };
    let mut full = vec![path[0].clone(), Step::Entry(number)];
    if let Some((kind, _)) = clusters(scenario).get(number).and_then(parts) {
        let is_named = matches!(path.get(2), Some(Step::Field(field)) if field == kind);
        if path.len() > 2 && !is_named {
            full.push(Step::Field(kind.to_string()));
        }
    }
    full.extend_from_slice(&path[2..]);
    Ok(full)
}

/// The number of a cluster by its name, or by its kind where it is the only one of it.
pub fn cluster_number(scenario: &Value, name: &str) -> Result<usize, Box<UnknownName>> {
    let clusters = clusters(scenario);
    let named = |cluster: &Value| cluster_name(cluster).eq_ignore_ascii_case(name);
    let is_kind = |cluster: &&Value| parts(cluster).is_some_and(|(kind, _)| kind == name);
    let only = clusters.iter().filter(is_kind).count() == 1;
    let found = clusters.iter().position(named);
    let found = found.or_else(|| clusters.iter().position(|cluster| only && is_kind(&cluster)));
    found.ok_or_else(|| {
        let names = clusters.iter().map(|cluster| cluster_name(cluster).to_string()).collect();
        Box::new(UnknownName::new("cluster", name, names))
    })
}

/// The clusters of a scenario.
pub fn clusters(scenario: &Value) -> &[Value] {
    scenario["clusters"].as_array().map_or(&[], Vec::as_slice)
}

/// Kind and section of a cluster.
pub fn parts(cluster: &Value) -> Option<(&str, &Value)> {
    let (kind, section) = cluster.as_object()?.iter().next()?;
    Some((kind, section))
}

pub fn cluster_name(cluster: &Value) -> &str {
    parts(cluster).and_then(|(_, section)| section["name"].as_str()).unwrap_or_default()
}
