//! The command line as its users meet it: the built program is run, and each error is caused.

use faultline::scenario::presets::PRESETS;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::{env, fs, process};

pub fn faultline(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_faultline")).args(arguments).output().expect("the program starts")
}

pub fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("text")
}

pub fn error(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("text")
}

pub fn json_of(arguments: &[&str]) -> Value {
    let output = faultline(arguments);
    assert_eq!(output.status.code(), Some(0), "{}", error(&output));
    serde_json::from_str(&out(&output)).expect("one JSON object")
}

/// Unusable input: exit code 2, nothing on standard output, each part in the message.
#[track_caller]
pub fn refused(arguments: &[&str], parts: &[&str]) {
    let output = faultline(arguments);
    let message = error(&output);
    assert_eq!(output.status.code(), Some(2), "{message}");
    assert_eq!(out(&output), "");
    for part in parts {
        assert!(message.contains(part), "`{part}` is missing in: {message}");
    }
}

/// A directory of a test's own, removed when it is dropped.
pub struct Scratch(pub PathBuf);

impl Scratch {
    pub fn new(name: &str) -> Scratch {
        let path = env::temp_dir().join(format!("faultline-{}-{name}", process::id()));
        fs::create_dir_all(&path).expect("the temporary directory can be written");
        Scratch(path)
    }

    pub fn file(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        fs::write(self.0.join(name), content).expect("the file can be written");
        self.path(name)
    }

    pub fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().expect("a path in UTF-8").to_string()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A small scenario with both clusters.
pub fn small() -> Value {
    json!({
        "version": 1, "name": "small", "title": "Small", "duration_ms": 2000,
        "workload": {"rate_per_s": 200, "keys": 100, "reads": 0.5, "clients": 3},
        "clusters": [{"sharded_sql": {}}, {"gossip_ring": {}}],
    })
}

#[test]
fn list_names_every_scenario_with_its_question() {
    let output = faultline(&["list"]);
    assert_eq!(output.status.code(), Some(0));
    let text = out(&output);
    assert_eq!(text.lines().count(), PRESETS.len());
    for (line, preset) in text.lines().zip(PRESETS) {
        assert!(line.starts_with(preset.name) && line.ends_with('?'), "{line}");
    }
}

#[test]
fn what_show_prints_can_be_run_as_a_file() {
    let text = out(&faultline(&["show", "primary-crash"]));
    let scratch = Scratch::new("show");
    let file = scratch.file("mine.json", &text);
    let by_file = json_of(&["run", &file, "--duration-ms", "500", "--json"]);
    let by_name = json_of(&["run", "primary-crash", "--duration-ms", "500", "--json"]);
    assert_eq!(by_file["trace_hash"], by_name["trace_hash"]);
    refused(&["show", "primery-crash"], &["no scenario `primery-crash`", "did you mean `primary-crash`?"]);
}

#[test]
fn a_run_is_billed_by_another_sheet_and_by_single_prices() {
    let compute = |more: &[&str]| {
        let mut arguments = vec!["run", "video-views", "--duration-ms", "500", "--json"];
        arguments.extend(more);
        let report = json_of(&arguments);
        let ring = &report["clusters"][1]["cost"]["split"][1];
        assert_eq!(ring["role"], "ring-node");
        (ring["usd_per_hour"]["compute"].as_f64().expect("a number"), report["trace_hash"].clone())
    };
    let (usual, hash) = compute(&[]);
    assert!((usual - 6.0 * 0.096).abs() < 1e-9, "{usual}");
    let (committed, same) = compute(&["--prices", "aws-us-east-1-three-years"]);
    assert!(committed < 0.5 * usual && same == hash, "{committed}: prices change no run");
    let (own, _) = compute(&["--price", "EC2 m6i.large=0.5", "--price", "EBS gp3 storage=0"]);
    assert!((own - 3.0).abs() < 1e-9, "{own}");
    refused(&["run", "video-views", "--prices", "own-hardwear"], &["did you mean `own-hardware`?"]);
    refused(&["run", "video-views", "--price", "EC2 m6i.lrge=1"], &["did you mean `EC2 m6i.large`?"]);
    refused(&["run", "video-views", "--price", "EC2 m6i.large"], &["it must be an item and a price"]);
    refused(&["run", "video-views", "--price", "EC2 m6i.large=dear"], &["`dear` is no price"]);
}

#[test]
fn schema_prints_a_json_schema() {
    let schema: Value = serde_json::from_str(&out(&faultline(&["schema"]))).expect("JSON");
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    assert_eq!(schema["properties"]["version"]["const"], 1);
}

#[test]
fn run_prints_every_documented_field_as_json() {
    let report = json_of(&["run", "video-views", "--duration-ms", "2000", "--json", "--seed", "7"]);
    assert_eq!(report["scenario"], "video-views");
    assert_eq!(report["seed"], 7);
    assert_eq!(report["simulated_ms"], 2000.0);
    let hash = report["trace_hash"].as_str().expect("text");
    assert!(hash.len() == 16 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()), "{hash}");
    assert!(report["events"].as_u64().expect("a number") > 1_000);
    assert!(report["wall_ms"].as_f64().expect("a number") > 0.0);
    assert!(report["events_per_second"].as_f64().expect("a number") > 0.0);
    let clusters = report["clusters"].as_array().expect("a list");
    assert_eq!(
        clusters.iter().map(|cluster| &cluster["kind"]).collect::<Vec<_>>(),
        ["sharded_sql", "gossip_ring"]
    );
    for cluster in clusters {
        assert!(cluster["name"].is_string());
        let count = |field: &str| cluster["operations"][field].as_u64().expect("a count");
        assert!(count("ok") > 2_000);
        assert_eq!(count("invoked"), count("ok") + count("failed") + count("unknown"));
        assert!(cluster["goodput_per_second"].as_f64().expect("a number") > 1_000.0);
        for kind in ["read", "write"] {
            let latency = &cluster["latency_ms"][kind];
            let ms = |field: &str| latency[field].as_f64().expect("a number");
            assert!(latency["count"].as_u64().expect("a count") > 100);
            assert!(ms("mean") > 0.0 && ms("p50") <= ms("p99") && ms("p99") <= ms("p999"));
        }
        assert!(cluster["stale_reads"].is_u64() && cluster["lost_acknowledged_writes"].is_u64());
        for field in ["usd_per_hour", "usd_per_month", "usd_per_million_operations"] {
            assert!(cluster["cost"][field].as_f64().expect("a number") > 0.0, "{field}");
        }
    }
    assert_eq!(
        clusters[0]["operations"]["invoked"], clusters[1]["operations"]["invoked"],
        "the same operations"
    );
}

#[test]
fn the_same_seed_gives_the_same_run_and_another_seed_another() {
    let hash = |seed: &str| {
        json_of(&["run", "zone-partition", "--duration-ms", "1500", "--json", "--seed", seed])["trace_hash"]
            .clone()
    };
    assert_eq!(hash("3"), hash("3"));
    assert_ne!(hash("3"), hash("4"));
}

#[test]
fn run_prints_a_table_with_a_column_for_each_cluster() {
    let output = faultline(&["run", "slow-replica", "--duration-ms", "1000"]);
    assert_eq!(output.status.code(), Some(0), "{}", error(&output));
    assert_eq!(error(&output), "", "no progress bar in a pipe");
    let text = out(&output);
    for part in [
        "Not dead, only slow",
        "Sharded SQL  Gossip ring",
        "operations invoked",
        "p99.9",
        "per million operations",
    ] {
        assert!(text.contains(part), "`{part}` is missing in: {text}");
    }
    assert!(text.contains("mysql-1-2 and ring-2 30× slower; the run ended before"), "{text}");
}

#[test]
fn a_longer_run_than_the_scenario_goes_on() {
    let scratch = Scratch::new("longer");
    let file = scratch.file("small.json", small().to_string());
    assert_eq!(json_of(&["run", &file, "--json", "--duration-ms", "3000"])["simulated_ms"], 3000.0);
}

#[test]
fn a_violated_check_is_named_and_gives_exit_code_1() {
    let scratch = Scratch::new("checks");
    let mut scenario = small();
    scenario["checks"] =
        json!({"latency_ms_p99_max": 0.001, "success_share_min": 0.5, "lost_acknowledged_writes_max": 0});
    let file = scratch.file("checks.json", scenario.to_string());
    let output = faultline(&["run", &file, "--json"]);
    assert_eq!(output.status.code(), Some(1));
    let message = error(&output);
    assert_eq!(message.lines().count(), 2, "only what was violated, once per cluster: {message}");
    for cluster in ["Sharded SQL", "Gossip ring"] {
        assert!(message.contains(&format!("{cluster}: latency_ms_p99_max is 0.001, found ")), "{message}");
    }
    let report: Value = serde_json::from_str(&out(&output)).expect("the report is printed all the same");
    assert_eq!(report["checks"].as_array().expect("a list").len(), 6);
    scenario["checks"] = json!({"latency_ms_p99_max": 1000, "success_share_min": 1, "stale_reads_max": 1000});
    let file = scratch.file("kept.json", scenario.to_string());
    assert_eq!(faultline(&["run", &file]).status.code(), Some(0));
}

#[test]
fn acknowledged_writes_that_a_crash_loses_violate_the_check_for_them() {
    let scratch = Scratch::new("lost");
    let mut scenario: Value =
        serde_json::from_str(&out(&faultline(&["show", "primary-crash"]))).expect("JSON");
    scenario["checks"] = json!({"lost_acknowledged_writes_max": 0});
    let file = scratch.file("lost.json", scenario.to_string());
    let output = faultline(&["run", &file, "--duration-ms", "12000"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        error(&output).contains("Sharded SQL: lost_acknowledged_writes_max is 0, found "),
        "{}",
        error(&output)
    );
    assert!(!error(&output).contains("Gossip ring"), "{}", error(&output));
}

#[test]
fn input_that_cannot_be_used_gives_exit_code_2_and_says_why() {
    let scratch = Scratch::new("unusable");
    refused(
        &["run", "video-vews"],
        &["no scenario `video-vews`", "did you mean `video-views`?", "nor is there a file"],
    );
    refused(&["run", scratch.0.to_str().expect("UTF-8")], &["cannot read"]);
    refused(
        &["run", &scratch.file("no.json", "{\n oops")],
        &["no.json", "not readable as JSON", "line 2, column 2"],
    );
    refused(&["run", &scratch.file("latin.json", b"{\"name\": \"\xe9\"}")], &["not UTF-8"]);
    refused(
        &["run", &scratch.file("large.json", vec![b' '; (1 << 20) + 10])],
        &["large.json", "has 1048586 bytes"],
    );
    let mut scenario = small();
    scenario["workload"]["rate"] = json!(1);
    refused(
        &["run", &scratch.file("field.json", scenario.to_string())],
        &["workload.rate", "did you mean `rate_per_s`?"],
    );
    scenario = small();
    scenario["duration_ms"] = json!(0);
    refused(
        &["run", &scratch.file("range.json", scenario.to_string())],
        &["duration_ms: is 0", "from 1 to 3600000"],
    );
    refused(&["run", "video-views", "--duration-ms", "0"], &["--duration-ms", "not in 1.."]);
    refused(&["run", "video-views", "--duration-ms", "3600001"], &["duration_ms: is 3600001", "3600000"]);
    refused(&["run", "video-views", "--seed", "-1"], &["--seed"]);
    refused(&["run", "video-views", "--sed", "1"], &["--sed", "--seed"]);
    refused(&["run", "video-views", "--time-scale", "2"], &["--workload"]);
    refused(&["runn"], &["runn", "run"]);
    refused(&[], &["Usage"]);
    let nowhere = scratch.path("no-such-directory/history.jsonl");
    refused(&["run", "video-views", "--history", &nowhere], &["cannot write", "history.jsonl"]);
    let taken = scratch.file("taken", "a file");
    refused(&["run", "video-views", "--report", &taken], &["cannot write", "taken"]);
}

#[test]
fn recorded_csv_is_replayed_to_every_cluster() {
    let scratch = Scratch::new("csv");
    let lines: String = (0..1_000)
        .map(|n| {
            format!("{},{},key-{},{}\n", n * 2, if n % 4 == 0 { "put" } else { "get" }, n % 50, 100 + n % 7)
        })
        .collect();
    let csv = scratch.file("traffic.csv", format!("time_ms,operation,key,bytes\n{lines}this is odd\n"));
    let report = json_of(&["run", "video-views", "--json", "--workload", &csv]);
    let workload = &report["workload"];
    assert_eq!(
        (
            &workload["format"],
            &workload["taken"],
            &workload["replayed"],
            &workload["skipped"],
            &workload["keys"]
        ),
        (&json!("csv"), &json!(1_000), &json!(1_000), &json!(1), &json!(50))
    );
    assert_eq!(workload["first_skipped"][0]["line"], 1_002);
    for cluster in report["clusters"].as_array().expect("a list") {
        assert_eq!(cluster["operations"]["invoked"], 1_000);
        assert_eq!(cluster["latency_ms"]["write"]["count"], 250);
        assert_eq!(cluster["latency_ms"]["read"]["count"], 750);
    }
    let output = faultline(&["run", "video-views", "--workload", &csv]);
    let told = error(&output);
    assert!(told.contains("CSV, 1000 operations on 50 keys over 1.998 s"), "{told}");
    assert!(
        told.contains("1 lines were skipped") && told.contains("line 1002:") && told.contains("this is odd"),
        "{told}"
    );
}

#[test]
fn a_recorded_log_longer_than_the_scenario_is_replayed_to_its_end_or_as_far_as_asked() {
    let scratch = Scratch::new("log");
    let lines: String = (0..600)
        .map(|n| {
            let (minute, second) = (n / 60, n % 60);
            format!(
                "::1 - - [10/Oct/2000:13:{minute:02}:{second:02} -0700] \"GET /watch/{} HTTP/1.1\" 200 512\n",
                n % 9
            )
        })
        .collect();
    let log = scratch.file("access.log", lines);
    let replayed = |arguments: &[&str]| {
        let mut all = vec!["run", "video-views", "--json", "--workload", &log];
        all.extend(arguments);
        let report = json_of(&all);
        assert_eq!(report["workload"]["replayed"], report["clusters"][0]["operations"]["invoked"]);
        report["workload"]["replayed"].as_u64().expect("a count")
    };
    assert_eq!(replayed(&[]), 600);
    assert_eq!(replayed(&["--time-scale", "0.01"]), 600);
    assert_eq!(replayed(&["--duration-ms", "59999"]), 60);
    let output = faultline(&["run", "video-views", "--workload", &log, "--duration-ms", "59999"]);
    assert!(error(&output).contains("before 540 of the operations"), "{}", error(&output));
}

#[test]
fn a_recording_that_cannot_be_used_gives_exit_code_2() {
    let scratch = Scratch::new("recordings");
    let run = |file: &str, parts: &[&str]| refused(&["run", "video-views", "--workload", file], parts);
    run(&scratch.path("missing.csv"), &["cannot read", "missing.csv"]);
    run(&scratch.file("empty.csv", ""), &["empty.csv", "recording is empty"]);
    run(&scratch.file("letter.txt", "Dear Sir,\nno"), &["none of the 2 lines", "line 1:", "Dear Sir"]);
    run(&scratch.file("packed.log", [0x1f, 0x8b, 8, 0]), &["gzip"]);
    let good = scratch.file("good.csv", "0,get,a,1\n");
    refused(&["run", "video-views", "--workload", &good, "--time-scale", "0"], &["time scale is 0"]);
}

#[test]
fn a_history_holds_every_operation_of_every_cluster_one_a_line() {
    let scratch = Scratch::new("history");
    let file = scratch.path("history.jsonl");
    let report = json_of(&["run", "primary-crash", "--duration-ms", "9000", "--json", "--history", &file]);
    let text = fs::read_to_string(Path::new(&file)).expect("it was written");
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    for cluster in report["clusters"].as_array().expect("a list") {
        let own: Vec<&Value> = lines.iter().filter(|line| line["cluster"] == cluster["name"]).collect();
        let outcome = |word: &str| own.iter().filter(|line| line["outcome"] == word).count();
        for (field, word) in [("ok", "ok"), ("failed", "failed"), ("unknown", "unknown")] {
            assert_eq!(cluster["operations"][field], outcome(word), "{field}");
        }
        let mut names: Vec<(u64, u64)> = own
            .iter()
            .map(|line| (line["client"].as_u64().expect("a client"), line["op"].as_u64().expect("a number")))
            .collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), own.len(), "every operation once");
        assert!(names.iter().all(|(client, op)| (1..=12).contains(client) && *op > 0));
    }
    for line in &lines {
        let ns = |field: &str| line[field].as_u64();
        assert!(line["kind"] == "read" || line["kind"] == "write");
        assert!(line["key"].as_str().is_some_and(|key| !key.is_empty()));
        match ns("completed_ns") {
            Some(completed) => assert!(completed >= ns("invoked_ns").expect("a time")),
            None => assert_eq!(line["outcome"], "unknown", "still under way at the end"),
        }
        if line["kind"] == "write" {
            assert!(line["value"].is_u64(), "a write writes a value: {line}");
        }
    }
    // What reads bring back was written by somebody.
    let values: std::collections::BTreeSet<(&str, u64)> = lines
        .iter()
        .filter(|line| line["kind"] == "write")
        .map(|line| (line["cluster"].as_str().expect("a name"), line["value"].as_u64().expect("a value")))
        .collect();
    let mut reads = 0;
    for line in lines.iter().filter(|line| line["kind"] == "read") {
        if let Some(value) = line["value"].as_u64() {
            reads += 1;
            assert!(values.contains(&(line["cluster"].as_str().expect("a name"), value)), "{line}");
        }
    }
    assert!(reads > 1_000);
}

#[test]
fn a_report_is_a_page_that_needs_nothing_else() {
    let scratch = Scratch::new("report");
    let directory = scratch.path("report");
    let mut scenario: Value =
        serde_json::from_str(&out(&faultline(&["show", "primary-crash"]))).expect("JSON");
    scenario["title"] = json!("<script>alert('&')</script>");
    let file = scratch.file("hostile.json", scenario.to_string());
    let printed = json_of(&["run", &file, "--duration-ms", "10000", "--json", "--report", &directory]);
    let read = |name: &str| fs::read_to_string(Path::new(&directory).join(name)).expect("it was written");
    let page = read("index.html");
    assert!(
        !page.contains("<script") && page.contains("&lt;script&gt;alert(&#39;&amp;&#39;)&lt;/script&gt;")
    );
    assert_eq!(page.matches("<svg").count(), 6);
    let foreign = ["src=", "href=", "url(", "@import"];
    assert!(foreign.iter().all(|word| !page.contains(word)), "the page asks for nothing else");
    assert!(
        page.contains("mysql-1-1 and ring-1 crashed")
            && page.contains("<strong>mysql-1-2</strong> is primary")
    );
    let saved: Value = serde_json::from_str(&read("report.json")).expect("JSON");
    assert_eq!(saved, printed);
    assert_eq!(saved["faults"][1]["begun"], true);
    let scenario = Path::new(&directory).join("scenario.json");
    let again = json_of(&["run", scenario.to_str().expect("UTF-8"), "--duration-ms", "10000", "--json"]);
    assert_eq!(again["trace_hash"], printed["trace_hash"], "the saved scenario gives the same run");
}
