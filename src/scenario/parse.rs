//! From text to a [`Scenario`] that can be run.
//!
//! In this order, so that each message speaks of the first thing to mend:
//! size, JSON, version, fields and their types, ranges.
//!
//! serde says what was wrong in words for programmers ("invalid type: string,
//! expected f64"). [`reworded`] turns them into words for whoever wrote the
//! file, with the path of the field and the nearest name that would be right.

use super::document::{ReadError, Step, at, line_of, parse_tree, read};
use super::error::{ScenarioError, UnknownName, shortened};
use super::limits::TEXT_BYTES_MAX;
use super::moved::to_present;
use super::schema::{SCENARIO_VERSION, Scenario};
use super::validate::validate;
use serde_json::Value;

/// Reads a scenario file and checks all of it.
pub fn parse(json: &str) -> Result<Scenario, ScenarioError> {
    if json.len() > TEXT_BYTES_MAX {
        return Err(ScenarioError::TooLarge { bytes: json.len() });
    }
    let json = json.trim_start_matches('\u{feff}');
    let tree = parse_tree(json).map_err(unreadable)?;
    from_tree(&tree, Some(json))
}

/// Reads a scenario that is parsed already, and checks all of it. Messages name
/// lines of the text, if it is there.
pub fn from_tree(tree: &Value, json: Option<&str>) -> Result<Scenario, ScenarioError> {
    match version(tree)? {
        SCENARIO_VERSION => {}
        // When version 2 comes, version 1 is brought to it here, step by step, as a tree:
        // `1 => return from_tree(&to_version_2(tree)?, None)`.
        other => return Err(ScenarioError::Version(format!("version is {other}"))),
    }
    if let Some(present) = to_present(tree) {
        return from_tree(&present, None);
    }
    let scenario = read(tree).map_err(|error| reworded(&error, json, tree))?;
    validate(&scenario)?;
    Ok(scenario)
}

fn unreadable(error: serde_json::Error) -> ScenarioError {
    if let Some(name) = quoted(&words(&error), "duplicate field ") {
        let problem = format!("the field `{name}` stands twice; it must stand once");
        return ScenarioError::WrongField { field: String::new(), problem, line: Some(error.line()) };
    }
    ScenarioError::Unreadable { problem: words(&error), line: error.line(), column: error.column() }
}

/// The version, before anything else is looked at: an older or newer file has other fields.
fn version(tree: &Value) -> Result<u32, ScenarioError> {
    let Value::Object(fields) = tree else {
        return Err(ScenarioError::wrong("", format!("is {}; it must be an object", kind(Some(tree)))));
    };
    match fields.get("version") {
        None => Err(ScenarioError::Version("version is missing".to_string())),
        Some(found) => match found.as_u64().and_then(|version| u32::try_from(version).ok()) {
            Some(version) => Ok(version),
            None => Err(ScenarioError::Version(format!("version is {}", kind(Some(found))))),
        },
    }
}

/// serde_json's message without its place, which stands in fields of its own.
fn words(error: &serde_json::Error) -> String {
    let place = format!(" at line {} column {}", error.line(), error.column());
    let text = error.to_string();
    text.strip_suffix(&place).unwrap_or(&text).to_string()
}

fn reworded(error: &ReadError, json: Option<&str>, tree: &Value) -> ScenarioError {
    let path = error.path.as_slice();
    let line = json.map(|json| line_of(json, path));
    let found = at(tree, path);
    let text = error.message.as_str();
    let wrong = |field: String, problem: String| ScenarioError::WrongField { field, problem, line };
    let (field, is) = (written(path), kind(found));

    if let Some((name, possible)) = unknown(text, "unknown field") {
        let unknown = Box::new(UnknownName::new("field", name, possible));
        return ScenarioError::UnknownName { field, unknown, line };
    }
    let entry = |possible: Vec<String>| {
        format!(
            "is {is}; it must be an object with exactly one entry, named by one of: {}",
            possible.join(", ")
        )
    };
    if let Some((name, possible)) = unknown(text, "unknown variant") {
        // Several entries: that only one may stand there is the first thing to know.
        if found.and_then(Value::as_object).is_some_and(|entries| entries.len() != 1) {
            return wrong(field, entry(possible));
        }
        let what = if last_key(path) == Some("do") { "fault" } else { "kind" };
        let unknown = Box::new(UnknownName::new(what, name, possible));
        return ScenarioError::UnknownName { field, unknown, line };
    }
    if let Some(name) = quoted(text, "missing field ") {
        return wrong(field, format!("the field `{name}` is missing"));
    }
    if let Some((selector, found)) = selector(tree, path) {
        return wrong(
            selector,
            format!(
                "is {}; it must be an object such as {{\"nodes\": [\"ring-1\"]}}, {{\"zones\": [\"a\"]}}, \
                 {{\"roles\": [\"mysql\"]}} or {{\"all\": true}}",
                kind(Some(found))
            ),
        );
    }
    if text.contains("untagged enum PayloadBytes") {
        let right = "a whole number of bytes, or a list of two (least and most)";
        return wrong(field, format!("is {is}; it must be {right}"));
    }
    if text.starts_with("number out of range") {
        return wrong(field, "is a number too large to be held".to_string());
    }
    if text.ends_with("expected newtype variant") || text.ends_with("expected struct variant") {
        let name = last_key(path).unwrap_or_default();
        return wrong(field, format!("is without its value; it must be an object: {{\"{name}\": …}}"));
    }
    if text.ends_with("expected unit") {
        let name = last_key(path).unwrap_or_default();
        return wrong(field, format!("has a value; it must stand alone: \"{name}\""));
    }
    if ["expected ", "trailing "].iter().any(|beginning| text.starts_with(beginning)) {
        if matches!(found, Some(Value::Array(_))) {
            return wrong(field, "is a list with too many entries".to_string());
        }
        return wrong(field, entry(variants(path)));
    }
    match text.rsplit_once(", expected ") {
        Some((_, expected)) => wrong(field, format!("is {is}; it must be {}", right(expected))),
        None => wrong(field, text.to_string()),
    }
}

/// What is expected, in the words of whoever writes a scenario.
fn right(expected: &str) -> String {
    let whole = |max: u64| format!("a whole number from 0 to {max}");
    match expected {
        "f64" | "f32" => "a number".to_string(),
        "u8" => whole(u64::from(u8::MAX)),
        "u16" => whole(u64::from(u16::MAX)),
        "u32" => whole(u64::from(u32::MAX)),
        "u64" => whole(u64::MAX),
        "a string" | "string" => "a text in quotes".to_string(),
        "a boolean" => "true or false".to_string(),
        "a sequence" => "a list".to_string(),
        "an array of length 2" => "a list of exactly two numbers".to_string(),
        _ if expected.starts_with("struct ") => "an object with named fields".to_string(),
        _ => expected.to_string(),
    }
}

/// What was found, in a few words.
fn kind(found: Option<&Value>) -> String {
    match found {
        None => "not what was expected".to_string(),
        Some(Value::Null) => "null".to_string(),
        Some(Value::Bool(value)) => value.to_string(),
        Some(Value::Number(number)) => shortened(&number.to_string()),
        Some(Value::String(text)) => format!("the text \"{}\"", shortened(text)),
        Some(Value::Array(list)) => format!("a list of {}", list.len()),
        Some(Value::Object(fields)) => format!("an object of {}", fields.len()),
    }
}

/// Name and possible names from a message such as "unknown field `x`, expected one of `a`, `b`".
fn unknown<'a>(text: &'a str, beginning: &str) -> Option<(&'a str, Vec<String>)> {
    let rest = text.strip_prefix(beginning)?.strip_prefix(" `")?;
    // The last of these: an unknown name may hold anything, our own names do not.
    let (name, expected) =
        rest.rsplit_once("`, expected ").or_else(|| rest.rsplit_once("`, there are no "))?;
    let possible = expected.split('`').skip(1).step_by(2).map(str::to_string).collect();
    Some((name, possible))
}

fn quoted<'a>(text: &'a str, beginning: &str) -> Option<&'a str> {
    text.strip_prefix(beginning)?.strip_prefix('`')?.strip_suffix('`')
}

/// A path as messages show it: `clusters[0].sharded_sql.shards[1].from`.
fn written(path: &[Step]) -> String {
    let mut text = String::new();
    for step in path {
        match step {
            Step::Entry(index) => text.push_str(&format!("[{index}]")),
            Step::Field(name) => {
                if !text.is_empty() {
                    text.push('.');
                }
                text.push_str(&shortened(name));
            }
        }
    }
    text
}

fn last_key(path: &[Step]) -> Option<&str> {
    match path.last()? {
        Step::Field(name) => Some(name),
        Step::Entry(_) => None,
    }
}

/// A set of nodes that is written as a list or a text: the likeliest slip of all, and serde's
/// message about it (a list may stand for an object) would lead astray.
fn selector<'a>(tree: &'a Value, path: &[Step]) -> Option<(String, &'a Value)> {
    let mut text = String::new();
    let mut value = tree;
    let mut in_fault = false;
    let mut in_groups = false;
    for step in path {
        let is_selector = match step {
            Step::Entry(index) => {
                value = value.get(index)?;
                text.push_str(&format!("[{index}]"));
                in_groups
            }
            Step::Field(name) => {
                value = value.get(name)?;
                let dot = if text.is_empty() { "" } else { "." };
                text.push_str(&format!("{dot}{}", shortened(name)));
                in_groups = in_fault && name == "groups";
                let named = in_fault && matches!(name.as_str(), "nodes" | "from" | "to");
                in_fault |= name == "do";
                named
            }
        };
        if is_selector {
            return (!value.is_object()).then_some((text, value));
        }
    }
    None
}

/// The kinds that may stand at a path, asked of serde itself.
fn variants(path: &[Step]) -> Vec<String> {
    let names: Vec<&str> = path
        .iter()
        .filter_map(|step| match step {
            Step::Field(name) => Some(name.as_str()),
            Step::Entry(_) => None,
        })
        .collect();
    match names.as_slice() {
        ["clusters"] => variants_of::<super::schema::ClusterSection>(),
        [.., "do"] => variants_of::<super::fault::FaultSpec>(),
        [.., "reads"] => variants_of::<super::schema::ReadFrom>(),
        [.., "binlog_sync" | "redo_log_sync"] => variants_of::<super::schema::LogSyncPolicy>(),
        [.., "partitioning"] => variants_of::<super::ring_schema::PartitioningMode>(),
        [.., "failure_detection"] => variants_of::<super::membership_schema::FailureDetectionSection>(),
        [.., "order"] => variants_of::<super::membership_schema::ProbeOrder>(),
        [.., "gossip", "mode"] => variants_of::<super::membership_schema::GossipMode>(),
        [.., "gossip", "peers"] => variants_of::<super::membership_schema::GossipPeers>(),
        [.., "commit_log_sync"] => variants_of::<super::schema::SyncPolicy>(),
        [.., "replication"] => variants_of::<super::schema::ReplicationMode>(),
        [.., "fencing"] => variants_of::<super::schema::FencingMode>(),
        _ => variants_of::<crate::engine::Distribution>(),
    }
}

fn variants_of<T: serde::de::DeserializeOwned>() -> Vec<String> {
    match read::<T>(&Value::String("?".to_string())) {
        Ok(_) => Vec::new(),
        Err(error) => unknown(&error.message, "unknown variant").map(|(_, names)| names).unwrap_or_default(),
    }
}
