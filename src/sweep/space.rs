//! What can be changed of a cluster to make it cheaper or better, and what that costs before anything is run.
//!
//! The knobs are data, `static/right_size.json`. An entry of the file has
//!
//! - `cluster`: the kind of cluster that it belongs to; `path`: from that cluster's section to the value;
//! - `label`, and in their order `values`, or `choices` of a `value` with a `label`. An object of several
//!   fields stands for those fields only: others beside them stay as they are;
//! - `more`: whether a later value does no worse for speed and availability, all else being equal, so that
//!   what is smaller than something too small is not tried;
//! - `unless`: the knob does nothing where there is something at this path.
//!
//! What the cluster has now is a choice too, whether or not the file lists it.

use super::path::{clusters, parts, tree_of};
use crate::cluster::blueprint::tariff;
use crate::measure::cost::PaidBytes;
use crate::measure::prices::PriceSheet;
use crate::scenario::document::{fits, parse_tree};
use crate::scenario::names::seats;
use crate::scenario::parse::from_tree;
use crate::scenario::{Scenario, ScenarioError};
use serde_json::{Map, Value};

/// The knobs that come with the program.
pub const KNOBS: &str = include_str!("../../static/right_size.json");

/// Of each knob, which choice: a place in its list.
pub type Configuration = Vec<u8>;

#[derive(Clone, Debug, PartialEq)]
pub struct Choice {
    pub value: Value,
    pub label: String,
    /// What the cluster has now, and the file does not list: neither more nor less than the others.
    pub is_apart: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Knob {
    pub label: String,
    path: String,
    pub choices: Vec<Choice>,
    /// What the cluster has now.
    pub now: u8,
    is_more: bool,
}

/// Every configuration of one cluster of a scenario.
pub struct Space {
    /// With every field.
    scenario: Value,
    pub cluster: usize,
    kind: String,
    pub knobs: Vec<Knob>,
    prices: PriceSheet,
}

/// A configuration that can be run.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    pub configuration: Configuration,
    pub scenario: Scenario,
    /// Machines and storage; what is counted by use comes on top.
    pub fixed_usd_per_month: f64,
}

impl Space {
    /// Of one cluster of a valid scenario, with the knobs of a file that is known to be right.
    pub fn new(scenario: &Scenario, cluster: usize, knobs: &str) -> Space {
        let tree = tree_of(scenario);
        let (kind, section) = parts(&clusters(&tree)[cluster]).expect("a cluster has a kind");
        let entries = parse_tree(knobs).unwrap_or_default();
        let entries = entries.as_array().map_or(&[][..], Vec::as_slice);
        let own = entries.iter().filter(|entry| entry["cluster"] == kind);
        let knobs =
            own.filter(|entry| entry["unless"].as_str().is_none_or(|path| value_at(section, path).is_null()));
        let knobs = knobs.map(|entry| knob(entry, section)).filter(|knob| knob.choices.len() > 1).collect();
        let prices = PriceSheet::of(scenario);
        Space { cluster, kind: kind.to_string(), knobs, prices, scenario: tree }
    }

    /// What the cluster is now.
    pub fn present(&self) -> Configuration {
        self.knobs.iter().map(|knob| knob.now).collect()
    }

    /// The words for a configuration, knob by knob.
    pub fn words(&self, configuration: &[u8]) -> Vec<&str> {
        let chosen = self.knobs.iter().zip(configuration);
        chosen.map(|(knob, choice)| knob.choices[usize::from(*choice)].label.as_str()).collect()
    }

    /// The knobs that stand otherwise than now, in words.
    pub fn differences(&self, configuration: &[u8]) -> String {
        let mut text = String::new();
        for (place, (knob, words)) in self.knobs.iter().zip(self.words(configuration)).enumerate() {
            if configuration[place] != knob.now {
                let separator = if text.is_empty() { "" } else { ", " };
                text = format!("{text}{separator}{}: {words}", knob.label);
            }
        }
        if text.is_empty() { "as it is".to_string() } else { text }
    }

    /// A configuration as a scenario; an error if it can't be run: a quorum of more nodes than there are,
    /// or a fault of the scenario that names a node which is not there any more.
    pub fn candidate(&self, configuration: Configuration) -> Result<Candidate, ScenarioError> {
        let mut tree = self.scenario.clone();
        let section = &mut tree["clusters"][self.cluster][self.kind.as_str()];
        for (knob, choice) in self.knobs.iter().zip(&configuration) {
            if *choice != knob.now {
                put(section, &knob.path, &knob.choices[usize::from(*choice)].value);
            }
        }
        let scenario = from_tree(&tree, None)?;
        let fixed_usd_per_month = self.fixed_usd_per_month(&scenario);
        Ok(Candidate { configuration, scenario, fixed_usd_per_month })
    }

    fn fixed_usd_per_month(&self, scenario: &Scenario) -> f64 {
        const HOUR_NS: u64 = 3_600_000_000_000;
        let section = &scenario.clusters[self.cluster];
        let cost = tariff(section, &seats(section, &scenario.workload), &self.prices);
        cost.over(HOUR_NS, PaidBytes::default(), 0, 0).usd_per_month
    }

    /// Whether the one has nothing that the other has less of.
    pub fn is_no_more(&self, one: &[u8], than: &[u8]) -> bool {
        self.knobs.iter().zip(one.iter().zip(than)).all(|(knob, (one, than))| {
            let is_apart = |choice: &u8| knob.choices[usize::from(*choice)].is_apart;
            one == than || knob.is_more && one < than && !is_apart(one) && !is_apart(than)
        })
    }
}

fn knob(entry: &Value, section: &Value) -> Knob {
    let text = |field: &str| entry[field].as_str().unwrap_or_default().to_string();
    let path = text("path");
    let now = value_at(section, &path);
    let list = |field: &str| entry[field].as_array().cloned().unwrap_or_default().into_iter();
    let plain = list("values").map(|value| Choice { label: value.to_string(), value, is_apart: false });
    let named = list("choices").map(|choice| Choice {
        value: choice["value"].clone(),
        label: choice["label"].as_str().unwrap_or_default().to_string(),
        is_apart: false,
    });
    let mut choices: Vec<Choice> = plain.chain(named).collect();
    let found = choices.iter().position(|choice| fits(&choice.value, now));
    let place = found.unwrap_or_else(|| {
        // A number has its place among the numbers; what is something else stands before the rest.
        let below =
            |choice: &&Choice| choice.value.as_f64().zip(now.as_f64()).is_some_and(|(one, now)| one < now);
        let place = choices.iter().take_while(below).count();
        let label = if now.is_number() { now.to_string() } else { "as it is".to_string() };
        choices.insert(place, Choice { value: now.clone(), label, is_apart: !now.is_number() });
        place
    });
    Knob { label: text("label"), path, choices, now: place as u8, is_more: entry["more"] == true }
}

fn value_at<'a>(section: &'a Value, path: &str) -> &'a Value {
    path.split('.').fold(section, |value, field| &value[field])
}

/// Puts a value into a section, and makes the objects on the way to it.
fn put(section: &mut Value, path: &str, value: &Value) {
    let mut place = section;
    for field in path.split('.') {
        if !place.is_object() {
            *place = Value::Object(Map::new());
        }
        place = &mut place[field];
    }
    match (place, value) {
        (Value::Object(fields), Value::Object(new)) if new.len() > 1 => {
            for (name, value) in new {
                fields.insert(name.clone(), value.clone());
            }
        }
        (place, value) => *place = value.clone(),
    }
}
