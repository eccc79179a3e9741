//! From text to a [`Scenario`] that can be run.
//!
//! In this order, so that each message speaks of the first thing to mend:
//! size, JSON, version, fields and their types, ranges.
//!
//! serde says what was wrong in words for programmers ("invalid type: string,
//! expected f64"). [`reworded`] turns them into words for whoever wrote the
//! file, with the path of the field and the nearest name that would be right.

use super::error::{ScenarioError, UnknownName, shortened};
use super::limits::TEXT_BYTES_MAX;
use super::schema::{SCENARIO_VERSION, Scenario};
use super::validate::validate;
use serde_json::Value;
use serde_json::error::Category;
use serde_path_to_error::{Path, Segment};

/// Reads a scenario file and checks all of it.
pub fn parse(json: &str) -> Result<Scenario, ScenarioError> {
    if json.len() > TEXT_BYTES_MAX {
        return Err(ScenarioError::TooLarge { bytes: json.len() });
    }
    let json = json.trim_start_matches('\u{feff}');
    let tree: Value = serde_json::from_str(json).map_err(unreadable)?;
    match version(&tree)? {
        SCENARIO_VERSION => {}
        // When version 2 comes, version 1 is brought to it here, step by step, as a tree:
        // `1 => return typed(&to_version_2(tree)?.to_string(), …)`.
        other => return Err(ScenarioError::Version(format!("version is {other}"))),
    }
    let scenario = typed(json, &tree)?;
    validate(&scenario)?;
    Ok(scenario)
}

fn unreadable(error: serde_json::Error) -> ScenarioError {
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

/// Fields and types. The text is read again, for its lines and for fields that stand twice.
fn typed(json: &str, tree: &Value) -> Result<Scenario, ScenarioError> {
    let mut deserializer = serde_json::Deserializer::from_str(json);
    let scenario: Scenario =
        serde_path_to_error::deserialize(&mut deserializer).map_err(|error| reworded(&error, tree))?;
    // serde also takes a list of values in place of an object; this format does not.
    let canonical = serde_json::to_value(&scenario)
        .map_err(|error| ScenarioError::wrong("", format!("cannot be written back: {error}")))?;
    match list_for_object(tree, &canonical, String::new()) {
        Some(field) => Err(ScenarioError::wrong(field, "is a list; it must be an object with named fields")),
        None => Ok(scenario),
    }
}

/// The path of the first list that stands where an object should.
fn list_for_object(given: &Value, canonical: &Value, path: String) -> Option<String> {
    match (given, canonical) {
        (Value::Array(_), Value::Object(_)) => Some(path),
        (Value::Array(given), Value::Array(canonical)) => {
            given.iter().zip(canonical).enumerate().find_map(|(index, (given, canonical))| {
                list_for_object(given, canonical, format!("{path}[{index}]"))
            })
        }
        (Value::Object(given), Value::Object(canonical)) => given.iter().find_map(|(name, given)| {
            let dot = if path.is_empty() { "" } else { "." };
            list_for_object(given, canonical.get(name)?, format!("{path}{dot}{name}"))
        }),
        _ => None,
    }
}

/// serde_json's message without its place, which stands in fields of its own.
fn words(error: &serde_json::Error) -> String {
    let place = format!(" at line {} column {}", error.line(), error.column());
    let text = error.to_string();
    text.strip_suffix(&place).unwrap_or(&text).to_string()
}

fn reworded(error: &serde_path_to_error::Error<serde_json::Error>, tree: &Value) -> ScenarioError {
    let path = error.path();
    let line = Some(error.inner().line());
    let found = at(tree, path);
    let text = words(error.inner());
    let wrong = |field: String, problem: String| ScenarioError::WrongField { field, problem, line };
    let (field, is) = (written(path), kind(found));

    if let Some((name, possible)) = unknown(&text, "unknown field") {
        let unknown = UnknownName::new("field", name, possible);
        return ScenarioError::UnknownName { field, unknown, line };
    }
    let entry = |possible: Vec<String>| {
        format!(
            "is {is}; it must be an object with exactly one entry, named by one of: {}",
            possible.join(", ")
        )
    };
    if let Some((name, possible)) = unknown(&text, "unknown variant") {
        // Several entries: that only one may stand there is the first thing to know.
        if found.and_then(Value::as_object).is_some_and(|entries| entries.len() != 1) {
            return wrong(field, entry(possible));
        }
        let what = if last_key(path) == Some("do") { "fault" } else { "kind" };
        return ScenarioError::UnknownName { field, unknown: UnknownName::new(what, name, possible), line };
    }
    if let Some(name) = quoted(&text, "missing field ") {
        return wrong(field, format!("the field `{name}` is missing"));
    }
    if let Some(name) = quoted(&text, "duplicate field ") {
        return wrong(field, format!("the field `{name}` stands twice; it must stand once"));
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
    if error.inner().classify() == Category::Syntax && text.starts_with("number out of range") {
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
    // The text was read as JSON before, so what serde_json calls an error of syntax is one of shape.
    if error.inner().classify() != Category::Data {
        if matches!(found, Some(Value::Array(_))) {
            return wrong(field, "is a list with too many entries".to_string());
        }
        return wrong(field, entry(variants(path)));
    }
    match text.rsplit_once(", expected ") {
        Some((_, expected)) => wrong(field, format!("is {is}; it must be {}", right(expected))),
        None => wrong(field, text),
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

/// The value at a path, if the text has one there.
fn at<'a>(tree: &'a Value, path: &Path) -> Option<&'a Value> {
    path.iter().try_fold(tree, |value, segment| match segment {
        Segment::Seq { index } => value.get(index),
        Segment::Map { key } => value.get(key),
        Segment::Enum { variant } => value.get(variant),
        Segment::Unknown => None,
    })
}

/// A path as messages show it: `clusters[0].sharded_sql.shards[1].from`.
fn written(path: &Path) -> String {
    let mut text = String::new();
    for segment in path.iter() {
        match segment {
            Segment::Seq { index } => text.push_str(&format!("[{index}]")),
            Segment::Map { key: name } | Segment::Enum { variant: name } => {
                if !text.is_empty() {
                    text.push('.');
                }
                text.push_str(&shortened(name));
            }
            Segment::Unknown => text.push_str(".?"),
        }
    }
    text
}

fn last_key(path: &Path) -> Option<&str> {
    match path.iter().last()? {
        Segment::Map { key } => Some(key),
        Segment::Enum { variant } => Some(variant),
        Segment::Seq { .. } | Segment::Unknown => None,
    }
}

/// A set of nodes that is written as a list or a text: the likeliest slip of all, and serde's
/// message about it (a list may stand for an object) would lead astray.
fn selector<'a>(tree: &'a Value, path: &Path) -> Option<(String, &'a Value)> {
    let mut text = String::new();
    let mut value = tree;
    let mut in_fault = false;
    let mut in_groups = false;
    for segment in path.iter() {
        let is_selector = match segment {
            Segment::Seq { index } => {
                value = value.get(index)?;
                text.push_str(&format!("[{index}]"));
                in_groups
            }
            Segment::Map { key: name } | Segment::Enum { variant: name } => {
                value = value.get(name)?;
                let dot = if text.is_empty() { "" } else { "." };
                text.push_str(&format!("{dot}{}", shortened(name)));
                in_groups = in_fault && name == "groups";
                let named = in_fault && matches!(name.as_str(), "nodes" | "from" | "to");
                in_fault |= name == "do";
                named
            }
            Segment::Unknown => return None,
        };
        if is_selector {
            return (!value.is_object()).then_some((text, value));
        }
    }
    None
}

/// The kinds that may stand at a path, asked of serde itself.
fn variants(path: &Path) -> Vec<String> {
    let names: Vec<&str> = path
        .iter()
        .filter_map(|segment| match segment {
            Segment::Map { key } => Some(key.as_str()),
            Segment::Enum { variant } => Some(variant.as_str()),
            Segment::Seq { .. } | Segment::Unknown => None,
        })
        .collect();
    match names.as_slice() {
        ["clusters"] => variants_of::<super::schema::ClusterSection>(),
        [.., "do"] => variants_of::<super::fault::FaultSpec>(),
        [.., "reads"] => variants_of::<super::schema::ReadFrom>(),
        [.., "binlog_sync" | "commit_log_sync"] => variants_of::<super::schema::SyncPolicy>(),
        _ => variants_of::<crate::engine::Distribution>(),
    }
}

fn variants_of<T: serde::de::DeserializeOwned>() -> Vec<String> {
    match serde_json::from_str::<T>("\"?\"") {
        Ok(_) => Vec::new(),
        Err(error) => unknown(&words(&error), "unknown variant").map(|(_, names)| names).unwrap_or_default(),
    }
}
