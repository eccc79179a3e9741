//! Runs of scenarios, for tests that look at what came of them.

use faultline::scenario::Scenario;
use faultline::scenario::parse::parse;
use faultline::session::Session;
use serde_json::{Value, json};

/// To its end, with its history.
pub fn run(scenario: Scenario) -> Session {
    let mut session = Session::open(scenario, None, Vec::new(), None).expect("it is valid");
    session.without_checkpoints();
    session.keep_history();
    session.run_until(session.end());
    session
}

/// A scenario of a test's own.
pub fn scenario(scenario: &Value) -> Scenario {
    parse(&scenario.to_string()).unwrap_or_else(|error| panic!("{error}"))
}

/// A run of two clusters of a kind that differ in what is given for the second.
pub fn pair(
    kind: &str,
    workload: Value,
    [common, on]: [Value; 2],
    faults: Value,
    duration_ms: u32,
) -> Session {
    let mut off = json!({"name": "off"});
    let mut with = json!({"name": "on"});
    merge(&mut off, &common);
    merge(&mut with, &common);
    merge(&mut with, &on);
    run(scenario(&json!({
        "version": 1, "name": "pair", "title": "Pair", "duration_ms": duration_ms, "workload": workload,
        "clusters": [{kind: off}, {kind: with}], "faults": faults
    })))
}

/// Puts fields in, in place of those of the same name.
pub fn merge(into: &mut Value, more: &Value) {
    let (Value::Object(into), Value::Object(more)) = (into, more) else { panic!("objects") };
    into.extend(more.clone());
}
