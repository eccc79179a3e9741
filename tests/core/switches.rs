//! `static/switches.json`, the settings that the page offers, held against the scenario format.
//!
//! What an entry means stands in `src/ui/design/switch.rs`; that module is the page's, so how it reads and
//! writes a scenario is repeated here in few lines.

use faultline::scenario::json_schema::json_schema;
use faultline::scenario::presets;
use faultline::scenario::{Scenario, parse};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Fields that no switch changes, and why. A field stands for all that is in it.
const EXCEPTIONS: [(&str, &str, &str); 8] = [
    ("SqlSection", "service", "a part of its own, with switches of its own"),
    ("RingSection", "service", "a part of its own, with switches of its own"),
    ("ServiceSection", "metadata", "rings only, where it is a switch"),
    ("SqlSection", "placement", "a list of places, which is edited in the file"),
    ("RingSection", "placement", "a list of places, which is edited in the file"),
    ("SqlSection", "name", "names the cluster, does nothing"),
    ("RingSection", "name", "names the cluster, does nothing"),
    ("RingSection", "legs", "delays of single message legs, for comparison with published results only"),
];

/// The sections whose fields must have switches: in the schema, the kind of cluster, the path to it.
const SECTIONS: [(&str, &str, &str); 5] = [
    ("ServiceSection", "service", ""),
    ("SqlSection", "sharded_sql", ""),
    ("RingSection", "gossip_ring", ""),
    ("WorkloadSection", "", "workload."),
    ("NetworkSection", "", "network."),
];

fn switches() -> Vec<Value> {
    let text = include_str!("../../static/switches.json");
    serde_json::from_str(text).expect("a list of entries")
}

fn text<'a>(switch: &'a Value, field: &str) -> &'a str {
    switch[field].as_str().unwrap_or_default()
}

fn named(switch: &Value) -> String {
    format!("{} {} ({})", text(switch, "cluster"), text(switch, "path"), text(switch, "label"))
}

/// A scenario with nothing but what must stand in one, every default filled in.
fn plain() -> Value {
    full(&json!({
        "version": 1, "name": "plain", "title": "Plain", "duration_ms": 1_000.0, "workload": {"rate_per_s": 100.0},
        "clusters": [{"sharded_sql": {"service": {}}}, {"gossip_ring": {}}],
    }))
    .expect("valid")
}

/// What the format makes of a scenario.
fn full(scenario: &Value) -> Result<Value, String> {
    let scenario: Scenario = parse(&scenario.to_string()).map_err(|error| error.to_string())?;
    Ok(serde_json::to_value(scenario).expect("serialises"))
}

/// JSON pointer to a path of a switch, in a scenario with an SQL cluster and a ring.
fn pointer(switch: &Value, path: &str) -> String {
    let section = match text(switch, "cluster") {
        "sharded_sql" => "/clusters/0/sharded_sql/",
        "gossip_ring" => "/clusters/1/gossip_ring/",
        "service" => "/clusters/0/sharded_sql/service/",
        "" => "/",
        other => panic!("there is no kind of cluster `{other}`"),
    };
    format!("{section}{}", path.replace('.', "/"))
}

fn value<'a>(switch: &Value, path: &str, scenario: &'a Value) -> &'a Value {
    scenario.pointer(&pointer(switch, path)).unwrap_or(&Value::Null)
}

/// An object of several fields sets just these.
fn write(switch: &Value, new: &Value, scenario: &mut Value) {
    let pointer = pointer(switch, text(switch, "path"));
    let (around, name) = pointer.rsplit_once('/').expect("a path");
    let around =
        scenario.pointer_mut(around).unwrap_or_else(|| panic!("{}: {around} is missing", named(switch)));
    match (&mut around[name], new) {
        (Value::Object(fields), Value::Object(new)) if new.len() > 1 => fields.extend(new.clone()),
        (place, new) => *place = new.clone(),
    }
}

/// Of an object only what is named has to be the same.
fn fits(wanted: &Value, found: &Value) -> bool {
    match (wanted, found) {
        (Value::Number(wanted), Value::Number(found)) => wanted.as_f64() == found.as_f64(),
        (Value::Object(wanted), Value::Object(_)) => wanted.iter().all(|(name, one)| fits(one, &found[name])),
        (Value::Array(wanted), Value::Array(found)) => {
            wanted.len() == found.len() && wanted.iter().zip(found).all(|(wanted, found)| fits(wanted, found))
        }
        _ => wanted == found,
    }
}

fn is_shown(switch: &Value, scenario: &Value) -> bool {
    let Some(when) = switch["when"].as_str() else { return true };
    let value = value(switch, when, scenario);
    !(value.is_null() || *value == json!(false) || value.as_f64() == Some(0.0))
}

/// Everything that a click on the switch can write.
fn writes(switch: &Value) -> Vec<&Value> {
    match text(switch, "control") {
        "toggle" => vec![&switch["on"], &switch["off"]],
        "choice" => {
            switch["choices"].as_array().expect("choices").iter().map(|choice| &choice["value"]).collect()
        }
        _ => Vec::new(),
    }
}

/// The scenario, with one or two other switches set such that this one is shown.
fn with_shown(switch: &Value, all: &[Value], scenario: &Value) -> Value {
    if is_shown(switch, scenario) {
        return scenario.clone();
    }
    let once = changed(switch, all, scenario);
    let found = once.iter().find(|changed| is_shown(switch, changed)).cloned().or_else(|| {
        let full =
            |scenario: &Value| full(scenario).unwrap_or_else(|error| panic!("{}: {error}", named(switch)));
        let twice = once.iter().flat_map(|scenario| changed(switch, all, &full(scenario)));
        twice.into_iter().find(|changed| is_shown(switch, changed))
    });
    let found = found.unwrap_or_else(|| panic!("no other switch makes {} appear", named(switch)));
    full(&found).unwrap_or_else(|error| panic!("{}: {error}", named(switch)))
}

/// The scenario with each of the shown switches of a cluster set otherwise.
fn changed(switch: &Value, all: &[Value], scenario: &Value) -> Vec<Value> {
    let shown = all.iter().filter(|other| other["cluster"] == switch["cluster"] && is_shown(other, scenario));
    let one = |other: &Value, new: &Value| {
        let mut changed = scenario.clone();
        write(other, new, &mut changed);
        changed
    };
    shown.flat_map(|other| writes(other).into_iter().map(|new| one(other, new)).collect::<Vec<_>>()).collect()
}

/// The schemas that may stand at a schema: references followed, alternatives taken apart.
fn alternatives<'a>(root: &'a Value, schema: &'a Value) -> Vec<&'a Value> {
    if let Some(reference) = schema["$ref"].as_str() {
        return alternatives(root, root.pointer(&reference[1..]).expect("it exists"));
    }
    let kinds = ["anyOf", "oneOf"].iter().filter_map(|keyword| schema[keyword].as_array()).flatten();
    let kinds: Vec<&Value> = kinds.flat_map(|one| alternatives(root, one)).collect();
    if kinds.is_empty() { vec![schema] } else { kinds }
}

fn field<'a>(root: &'a Value, schemas: &[&'a Value], name: &str) -> Vec<&'a Value> {
    let fields = schemas.iter().filter_map(|schema| schema["properties"].get(name));
    fields.flat_map(|field| alternatives(root, field)).collect()
}

/// Paths of all values in a section: objects are taken apart, kinds of a value are not.
fn leaves(root: &Value, schema: &Value, path: &str) -> Vec<String> {
    // A cluster in a cluster has the same fields again.
    if path == "metadata" {
        return vec![path.to_string()];
    }
    if path == "service.metadata" {
        return Vec::new();
    }
    let object = match alternatives(root, schema).as_slice() {
        [only] => *only,
        // An object that may be missing.
        [one, other] if other["type"] == "null" => *one,
        _ => return vec![path.to_string()],
    };
    let Some(fields) = object["properties"].as_object() else { return vec![path.to_string()] };
    let dot = if path.is_empty() { "" } else { "." };
    fields.iter().flat_map(|(name, field)| leaves(root, field, &format!("{path}{dot}{name}"))).collect()
}

#[test]
fn every_entry_is_whole_and_parts_stand_together() {
    let all = switches();
    let mut parts = BTreeSet::new();
    let mut before = (String::new(), String::new());
    for switch in &all {
        let name = named(switch);
        for (field, _) in switch.as_object().expect("an object") {
            let known = [
                "cluster", "part", "path", "when", "label", "control", "unit", "step", "choices", "on",
                "off", "default", "help",
            ];
            assert!(known.contains(&field.as_str()), "{name}: what is {field}?");
        }
        for field in ["part", "path", "label", "help"] {
            assert!(!text(switch, field).is_empty(), "{name} has no {field}");
        }
        let help = text(switch, "help");
        assert!(
            help.ends_with('.') && !help.trim_end_matches('.').contains(". "),
            "{name}: one sentence, please: {help}"
        );
        let of_control = match text(switch, "control") {
            "number" => &[][..],
            "toggle" => &["on", "off"],
            "choice" => &["choices"],
            other => panic!("{name}: there is no control `{other}`"),
        };
        for field in ["on", "off", "choices"] {
            assert_eq!(switch.get(field).is_some(), of_control.contains(&field), "{name}: {field}");
        }
        let part = (text(switch, "cluster").to_string(), text(switch, "part").to_string());
        assert!(part == before || parts.insert(part.clone()), "{name}: its part began further up");
        before = part;
    }
}

#[test]
fn every_path_exists_in_the_format() {
    let schema = json_schema();
    for switch in &switches() {
        let root = match text(switch, "cluster") {
            "sharded_sql" => &schema["$defs"]["SqlSection"],
            "gossip_ring" => &schema["$defs"]["RingSection"],
            "service" => &schema["$defs"]["ServiceSection"],
            _ => &schema,
        };
        for path in ["path", "when"].map(|path| text(switch, path)) {
            let fields = path.split('.').filter(|name| !name.is_empty());
            let found = fields.fold(vec![root], |schemas, name| field(&schema, &schemas, name));
            assert!(!found.is_empty(), "{}: there is no {path}", named(switch));
        }
    }
}

#[test]
fn every_default_is_the_formats() {
    let all = switches();
    for switch in &all {
        let scenario = with_shown(switch, &all, &plain());
        let found = value(switch, text(switch, "path"), &scenario);
        match switch.get("default") {
            Some(default) => assert!(fits(default, found), "{}: {default}, but {found}", named(switch)),
            // The one field that has none.
            None => assert_eq!(text(switch, "path"), "workload.rate_per_s"),
        }
    }
}

#[test]
fn everything_that_a_switch_writes_can_be_run_and_is_known_again() {
    let all = switches();
    let mut default =
        serde_json::to_value(presets::default().scenario().expect("valid")).expect("serialises");
    default["clusters"][0]["sharded_sql"]["service"] = json!({});
    let default = full(&default);
    for switch in &all {
        let scenario = with_shown(switch, &all, default.as_ref().expect("valid"));
        for new in writes(switch).into_iter().chain(switch.get("default")) {
            let mut changed = scenario.clone();
            write(switch, new, &mut changed);
            let read = full(&changed).unwrap_or_else(|error| panic!("{}: {new}: {error}", named(switch)));
            let found = value(switch, text(switch, "path"), &read);
            assert!(fits(new, found), "{}: {new} was written, and {found} is read", named(switch));
            if let Some(choices) = switch["choices"].as_array() {
                let chosen = |choice: &&Value| match choice["has"].as_str() {
                    Some(field) => found.get(field).is_some(),
                    None => fits(&choice["value"], found),
                };
                assert_eq!(
                    choices.iter().filter(chosen).count(),
                    1,
                    "{}: which choice is {found}?",
                    named(switch)
                );
            }
        }
        if text(switch, "control") == "toggle" {
            assert!(!fits(&switch["off"], &switch["on"]), "{} can't be switched off", named(switch));
        }
    }
}

#[test]
fn every_field_has_a_switch_or_a_reason_to_have_none() {
    let schema = json_schema();
    let all = switches();
    let mut excepted: BTreeSet<&(&str, &str, &str)> = BTreeSet::new();
    for (section, cluster, prefix) in SECTIONS {
        for leaf in leaves(&schema, &schema["$defs"][section], "") {
            let is_excepted = |(holder, field, _): &&(&str, &str, &str)| {
                *holder == section && (leaf == *field || leaf.starts_with(&format!("{field}.")))
            };
            let exception = EXCEPTIONS.iter().find(is_excepted);
            let is_switched = all.iter().filter(|switch| text(switch, "cluster") == cluster).any(|switch| {
                let path = text(switch, "path");
                let leaf = format!("{prefix}{leaf}");
                // It itself, one of its numbers, or it as one of several fields that are set together.
                leaf == path
                    || path.starts_with(&format!("{leaf}."))
                    || leaf
                        .strip_prefix(&format!("{path}."))
                        .is_some_and(|field| writes(switch).iter().any(|new| new.get(field).is_some()))
            });
            assert_ne!(
                is_switched,
                exception.is_some(),
                "{section}.{leaf}: a switch, or an exception with its reason?"
            );
            excepted.extend(exception);
        }
    }
    assert_eq!(excepted.len(), EXCEPTIONS.len(), "an exception for a field that is gone");
}
