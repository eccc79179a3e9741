//! The JSON Schema of the scenario format says what the program itself accepts, neither more nor less.

use faultline::scenario::error::ScenarioError;
use faultline::scenario::json_schema::json_schema;
use faultline::scenario::parse;
use faultline::scenario::presets::PRESETS;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// Whether an instance fits a schema, and if not, where. It knows the keywords
/// that our schema uses, and panics on any other: what it passes was checked.
fn fits(root: &Value, schema: &Value, instance: &Value, at: &str) -> Result<(), String> {
    let Value::Object(keywords) = schema else { return Ok(()) };
    let number = |value: &Value| value.as_f64().expect("a number");
    let count = |value: &Value| value.as_u64().expect("a count") as usize;
    for (keyword, value) in keywords {
        let good = match (keyword.as_str(), instance) {
            ("$schema" | "$defs" | "title" | "description" | "default" | "format", _) => true,
            ("$ref", _) => {
                fits(root, resolve(root, schema), instance, at)?;
                true
            }
            ("type", _) => match value {
                Value::Array(types) => types.iter().any(|one| is_of(one, instance)),
                one => is_of(one, instance),
            },
            ("const", _) => value == instance,
            ("enum", _) => value.as_array().expect("a list").contains(instance),
            ("anyOf" | "oneOf", _) => {
                let fitting = value
                    .as_array()
                    .expect("a list")
                    .iter()
                    .filter(|one| fits(root, one, instance, at).is_ok())
                    .count();
                if keyword == "oneOf" { fitting == 1 } else { fitting > 0 }
            }
            ("properties", Value::Object(fields)) => {
                for (name, field) in value.as_object().expect("properties") {
                    if let Some(instance) = fields.get(name) {
                        fits(root, field, instance, &format!("{at}/{name}"))?;
                    }
                }
                true
            }
            ("additionalProperties", Value::Object(fields)) => {
                assert_eq!(value, &json!(false));
                let known = keywords.get("properties").and_then(Value::as_object);
                fields.keys().all(|name| known.is_some_and(|known| known.contains_key(name)))
            }
            ("required", Value::Object(fields)) => value
                .as_array()
                .expect("names")
                .iter()
                .all(|name| fields.contains_key(name.as_str().expect("a name"))),
            ("items", Value::Array(list)) => {
                for (place, instance) in list.iter().enumerate() {
                    fits(root, value, instance, &format!("{at}/{place}"))?;
                }
                true
            }
            ("minItems", Value::Array(list)) => list.len() >= count(value),
            ("maxItems", Value::Array(list)) => list.len() <= count(value),
            ("uniqueItems", Value::Array(list)) => {
                list.iter().enumerate().all(|(place, one)| !list[..place].contains(one))
            }
            ("minLength", Value::String(text)) => text.chars().count() >= count(value),
            ("maxLength", Value::String(text)) => text.chars().count() <= count(value),
            ("minimum", Value::Number(_)) => number(instance) >= number(value),
            ("maximum", Value::Number(_)) => number(instance) <= number(value),
            ("exclusiveMinimum", Value::Number(_)) => number(instance) > number(value),
            // Patterns are checked by the test of ranges, against the program itself.
            ("pattern", _) => true,
            (
                "properties"
                | "additionalProperties"
                | "required"
                | "items"
                | "minItems"
                | "maxItems"
                | "uniqueItems"
                | "minLength"
                | "maxLength"
                | "minimum"
                | "maximum"
                | "exclusiveMinimum",
                _,
            ) => true,
            (other, _) => panic!("the keyword {other} is not known to this test"),
        };
        if !good {
            return Err(format!("{at}: {keyword}: {value} does not fit {instance}"));
        }
    }
    Ok(())
}

fn is_of(kind: &Value, instance: &Value) -> bool {
    match kind.as_str().expect("a type") {
        "object" => instance.is_object(),
        "array" => instance.is_array(),
        "string" => instance.is_string(),
        "boolean" => instance.is_boolean(),
        "null" => instance.is_null(),
        "number" => instance.is_number(),
        "integer" => instance.is_u64() || instance.is_i64(),
        other => panic!("the type {other} is not known to this test"),
    }
}

fn resolve<'a>(root: &'a Value, schema: &'a Value) -> &'a Value {
    match schema.get("$ref").and_then(Value::as_str) {
        None => schema,
        Some(reference) => {
            root.pointer(reference.strip_prefix('#').expect("a local reference")).expect("it exists")
        }
    }
}

/// A scenario in which every field, every kind of fault and every kind of distribution stands.
fn everything() -> Value {
    let all = json!({"all": true});
    let one = json!({"constant_ms": 1.0});
    let distributions = json!([
        {"weight": 1.0, "of": one},
        {"weight": 1.0, "of": {"uniform_ms": [1.0, 2.0]}},
        {"weight": 1.0, "of": {"exponential": {"rate_per_ms": 1.66}}},
        {"weight": 1.0, "of": {"lognormal": {"median_ms": 1.0, "sigma": 0.5}}},
        {"weight": 1.0, "of": {"pareto": {"scale_ms": 0.235, "shape": 10.0}}},
        {"weight": 1.0, "of": {"empirical_ms": [1.0, 1.0, 40.0]}},
        {"weight": 1.0, "of": {"shifted": {"by_ms": 75.0, "of": one}}},
    ]);
    let selector = json!({"zones": ["a"], "nodes": ["ring-1"], "roles": ["mysql"], "all": true});
    let faults = [
        json!({"crash": {"nodes": selector, "disk_lost": true}}),
        json!({"restart": {"nodes": all}}),
        json!({"pause": {"nodes": all}}),
        json!({"slow_machine": {"nodes": all, "factor": 2.0}}),
        json!({"slow_disk": {"nodes": all, "factor": 2.0}}),
        json!({"partition": {"groups": [{"zones": ["a"]}, {"zones": ["b"]}]}}),
        json!({"one_way_cut": {"from": all, "to": all}}),
        json!({"loss": {"from": all, "to": all, "probability": 0.1}}),
        json!({"delay": {"from": all, "to": all, "extra": one}}),
        json!({"duplication": {"from": all, "to": all, "probability": 0.1}}),
        json!({"clock_skew": {"nodes": all, "offset_ms": -5.0}}),
        json!({"load_spike": {"factor": 2.0}}),
        json!({"hot_key": {"share": 0.5}}),
    ];
    let faults: Vec<Value> =
        faults.iter().map(|fault| json!({"at_ms": 1.0, "for_ms": 2.0, "do": fault})).collect();
    let given = json!({
        "version": 1, "name": "everything", "title": "Everything", "question": "All of it?", "try": ["It."],
        "seed": 7, "duration_ms": 3_600_000.0, "zones": ["a", "b"],
        "network": {"same_zone": {"mixture": distributions}, "bandwidth_mbit_per_s": 100.0},
        "workload": {"rate_per_s": 10.0, "payload_bytes": [1, 2], "probes": {"at_ms": [0.0, 1.0]}},
        "clusters": [
            {"sharded_sql": {"binlog_sync": {"every_ms": 10.0}}},
            {"gossip_ring": {"legs": {
                "write_request": one, "write_acknowledgement": one, "read_request": one, "read_response": one,
                "cross_zone_extra": one}}},
            {"gossip_ring": {"name": "Timed", "failure_detection": {"time_out": {}}}},
            {"gossip_ring": {"name": "SWIM", "failure_detection": {"swim": {}}}},
        ],
        "faults": faults,
        "checks": {"lost_acknowledged_writes_max": 1, "stale_reads_max": 1, "latency_ms_p99_max": 1.0, "success_share_min": 0.5},
    });
    let scenario = parse(&given.to_string()).unwrap_or_else(|error| panic!("{error}"));
    serde_json::to_value(scenario).expect("serialises")
}

/// Calls `visit` with every object of an instance: its schema and its JSON pointer.
fn each_object<'a>(
    root: &'a Value,
    schema: &'a Value,
    instance: &Value,
    pointer: &str,
    visit: &mut impl FnMut(&'a Value, &Map<String, Value>, &str),
) {
    let schema = resolve(root, schema);
    for choices in ["anyOf", "oneOf"] {
        if let Some(choices) = schema.get(choices).and_then(Value::as_array) {
            let chosen = choices.iter().find(|one| fits(root, one, instance, "").is_ok()).expect("one fits");
            return each_object(root, chosen, instance, pointer, visit);
        }
    }
    match instance {
        Value::Object(fields) => {
            visit(schema, fields, pointer);
            for (name, instance) in fields {
                each_object(root, &schema["properties"][name], instance, &format!("{pointer}/{name}"), visit);
            }
        }
        Value::Array(list) => {
            for (place, instance) in list.iter().enumerate() {
                each_object(root, &schema["items"], instance, &format!("{pointer}/{place}"), visit);
            }
        }
        _ => {}
    }
}

fn changed(instance: &Value, pointer: &str, field: &str, value: Value) -> String {
    let mut changed = instance.clone();
    let object = changed.pointer_mut(pointer).and_then(Value::as_object_mut).expect("an object");
    object.insert(field.to_string(), value);
    changed.to_string()
}

#[test]
fn it_is_of_the_named_draft_and_describes_every_field_of_every_section() {
    let schema = json_schema();
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    let mut sections = vec![("Scenario", &schema)];
    sections.extend(
        schema["$defs"].as_object().expect("definitions").iter().map(|(name, one)| (name.as_str(), one)),
    );
    for (name, section) in sections {
        assert!(section.get("description").is_some(), "{name} has no description");
        if !name.ends_with("Section") && name != "Scenario" && name != "ShardRange" {
            continue;
        }
        for (field, one) in section.get("properties").and_then(Value::as_object).into_iter().flatten() {
            let described = one.get("description").or_else(|| resolve(&schema, one).get("description"));
            assert!(described.is_some(), "{name}.{field} has no description");
        }
    }
}

#[test]
fn every_preset_and_a_scenario_with_every_field_fit_it() {
    let schema = json_schema();
    for preset in PRESETS {
        let instance: Value = serde_json::from_str(preset.json).expect("JSON");
        fits(&schema, &schema, &instance, "").unwrap_or_else(|error| panic!("{}: {error}", preset.name));
        let full = serde_json::to_value(preset.scenario().expect("valid")).expect("serialises");
        fits(&schema, &schema, &full, "").unwrap_or_else(|error| panic!("{}, in full: {error}", preset.name));
    }
    fits(&schema, &schema, &everything(), "").unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn it_refuses_what_the_program_refuses() {
    let schema = json_schema();
    let full = everything();
    for (pointer, field, value) in [
        ("", "durations_ms", json!(1)),
        ("", "version", json!(2)),
        ("/workload", "clients", json!(0)),
        ("/clusters/0", "gossip_ring", json!({})),
        ("/faults/0/do", "crush", json!({})),
    ] {
        let text = changed(&full, pointer, field, value);
        let instance: Value = serde_json::from_str(&text).expect("JSON");
        assert!(parse(&text).is_err(), "{pointer}/{field}");
        assert!(fits(&schema, &schema, &instance, "").is_err(), "{pointer}/{field}");
    }
}

#[test]
fn its_fields_are_those_that_the_program_reads() {
    let schema = json_schema();
    let full = everything();
    let mut objects = 0;
    each_object(&schema, &schema, &full, "", &mut |section, fields, pointer| {
        let known: BTreeSet<&str> =
            section["properties"].as_object().expect("properties").keys().map(String::as_str).collect();
        assert_eq!(section["additionalProperties"], json!(false), "{pointer}");
        // An object that names a kind takes one entry only; kinds are compared below.
        if known.len() == 1 && section.get("required").is_some() && fields.len() == 1 {
            let error = parse(&changed(&full, pointer, "zzz", json!(1)));
            if matches!(&error, Err(ScenarioError::WrongField { problem, .. }) if problem.contains("exactly one entry"))
            {
                return;
            }
        }
        let Err(ScenarioError::UnknownName { unknown, .. }) =
            parse(&changed(&full, pointer, "zzz", json!(1)))
        else {
            panic!("{pointer}: an unknown field is not told");
        };
        let possible: BTreeSet<&str> = unknown.possible.iter().map(String::as_str).collect();
        assert_eq!(possible, known, "{pointer}");
        objects += 1;
    });
    assert!(objects > 50, "{objects} objects were compared");
}

#[test]
fn its_kinds_are_those_that_the_program_reads() {
    let schema = json_schema();
    let full = everything();
    for (definition, pointer, field) in [
        ("FaultSpec", "/faults/0", "do"),
        ("Distribution", "/network", "same_zone"),
        ("LogSyncPolicy", "/clusters/0/sharded_sql", "binlog_sync"),
        ("SyncPolicy", "/clusters/1/gossip_ring", "commit_log_sync"),
        ("FailureDetectionSection", "/clusters/1/gossip_ring", "failure_detection"),
        ("ProbeOrder", "/clusters/3/gossip_ring/failure_detection/swim", "order"),
        ("GossipMode", "/clusters/1/gossip_ring/gossip", "mode"),
        ("GossipPeers", "/clusters/1/gossip_ring/gossip", "peers"),
        ("ReadReplicas", "/clusters/1/gossip_ring", "read_from"),
        ("WriteReplicas", "/clusters/1/gossip_ring", "write_to"),
        ("ReplicationMode", "/clusters/0/sharded_sql", "replication"),
        ("FencingMode", "/clusters/0/sharded_sql/failover", "fencing"),
        ("ReadFrom", "/clusters/0/sharded_sql", "reads"),
    ] {
        let known: BTreeSet<String> = schema["$defs"][definition]["oneOf"]
            .as_array()
            .expect("kinds")
            .iter()
            .flat_map(|one| match (one.get("const"), one.get("enum"), one.get("properties")) {
                (Some(Value::String(name)), ..) => vec![name.clone()],
                (_, Some(Value::Array(names)), _) => {
                    names.iter().map(|name| name.as_str().expect("a name").to_string()).collect()
                }
                (_, _, Some(Value::Object(kinds))) => kinds.keys().cloned().collect(),
                _ => panic!("{definition}: {one}"),
            })
            .collect();
        let Err(ScenarioError::UnknownName { unknown, .. }) =
            parse(&changed(&full, pointer, field, json!("zzz")))
        else {
            panic!("{definition}: an unknown kind is not told");
        };
        assert_eq!(unknown.possible.iter().cloned().collect::<BTreeSet<_>>(), known, "{definition}");
    }
}

#[test]
fn its_ranges_are_those_that_the_program_keeps() {
    let schema = json_schema();
    let full = everything();
    // The field may still be refused for what another field says (n is at most nodes), never for its own range.
    let refused =
        |pointer: &str, field: &str, value: Value| match parse(&changed(&full, pointer, field, value)) {
            Ok(_) => None,
            Err(error) if error.field().is_some_and(|at| at.split('.').next_back() == Some(field)) => {
                Some(error.to_string())
            }
            Err(_) => None,
        };
    let mut ranges = 0;
    each_object(&schema, &schema, &full, "", &mut |section, fields, pointer| {
        for (name, one) in section["properties"].as_object().expect("properties") {
            let is_whole = one["type"] == "integer" || one["type"][0] == "integer";
            // The version is one number; whole numbers of 64 bits go from end to end.
            if !fields.contains_key(name) || name == "version" || one["format"] == "uint64" {
                continue;
            }
            let bound = |keyword: &str| one.get(keyword).and_then(Value::as_f64);
            let as_json = |number: f64| if is_whole { json!(number as i64) } else { json!(number) };
            let step = |bound: f64| if is_whole { 1.0 } else { (bound.abs() * 1e-9).max(1e-9) };
            for (good, bad) in [
                bound("minimum").map(|least| (least, least - step(least))),
                bound("maximum").map(|most| (most, most + step(most))),
                bound("exclusiveMinimum").map(|least| (least + step(least), least)),
            ]
            .into_iter()
            .flatten()
            {
                ranges += 1;
                assert!(
                    refused(pointer, name, as_json(bad)).is_some(),
                    "{pointer}/{name}: {bad} is accepted"
                );
                if let Some(error) = refused(pointer, name, as_json(good)) {
                    assert!(error.contains("which is"), "{pointer}/{name}: {good} is refused: {error}");
                }
            }
        }
    });
    assert!(ranges > 80, "{ranges} bounds were tried");
}
