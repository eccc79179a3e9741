//! Sweeps: the same rows in the same order whatever runs them, in one go, in slices or after an interruption.

use crate::command_line::{Scratch, error, faultline, json_of, out, refused, small};
use faultline::measure::prices::PriceSheet;
use faultline::scenario::presets::PRESETS;
use faultline::scenario::schema::ClusterSection;
use faultline::scenario::{Scenario, parse};
use faultline::session::driver::Driver;
use faultline::session::measured::measure;
use faultline::session::protocol::{FromWorker, ToWorker};
use faultline::sweep::plan::{Plan, PlanError, Seeds, Slice};
use faultline::sweep::pool;
use faultline::sweep::right_size::{Job, SEEDS, Search};
use faultline::sweep::row::Table;
use faultline::sweep::space::{self, Space};
use faultline::sweep::target::Target;
use serde_json::{Value, json};
use std::fs;
use std::sync::Mutex;

fn scenario() -> Scenario {
    parse(&small().to_string()).expect("it is valid")
}

fn plan(vary: &[&str], seeds: &str) -> Result<Plan, PlanError> {
    let vary: Vec<String> = vary.iter().map(ToString::to_string).collect();
    Plan::new(&scenario(), &vary, Some(seeds.parse::<Seeds>().expect("seeds")))
}

#[track_caller]
fn no_plan(vary: &[&str], parts: &[&str]) {
    let message = plan(vary, "1").expect_err("it is no plan").to_string();
    for part in parts {
        assert!(message.contains(part), "`{part}` is missing in: {message}");
    }
}

/// The cells of a row of a table, by the names of its columns.
fn cells(header: &str, row: &str) -> Vec<(String, String)> {
    let split = |line: &str| {
        let (mut cells, mut cell, mut in_quotes) = (Vec::new(), String::new(), false);
        for character in line.trim_end_matches('\n').chars() {
            match character {
                '"' => in_quotes = !in_quotes,
                ',' if !in_quotes => cells.push(std::mem::take(&mut cell)),
                other => cell.push(other),
            }
        }
        cells.push(cell);
        cells
    };
    let (names, cells) = (split(header), split(row));
    assert_eq!(names.len(), cells.len(), "{header}{row}");
    names.into_iter().zip(cells).collect()
}

fn cell<'a>(cells: &'a [(String, String)], name: &str) -> &'a str {
    &cells.iter().find(|(column, _)| column == name).unwrap_or_else(|| panic!("no column {name}")).1
}

const VARY: [&str; 2] = ["workload.rate_per_s=50,100", "clusters.gossip_ring.r=1,2,4"];

fn arguments<'a>(file: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let mut all = vec!["sweep", file, "--vary", VARY[0], "--vary", VARY[1], "--seeds", "3..5"];
    all.extend(more);
    all
}

#[test]
fn the_first_path_varies_slowest_and_the_seed_fastest() {
    let plan = plan(&VARY, "3..5").expect("it is a plan");
    assert_eq!(plan.runs(), 18);
    let run = |run: u64| {
        let values: Vec<String> = plan.values(run).into_iter().map(Value::to_string).collect();
        format!("{} seed {}", values.join(" "), plan.seed(run))
    };
    assert_eq!(
        [0, 1, 2, 3, 9, 17].map(run).join("; "),
        "50 1 seed 3; 50 1 seed 4; 50 1 seed 5; 50 2 seed 3; 100 1 seed 3; 100 4 seed 5"
    );
    assert_eq!(plan.unusable_runs(), 6, "r = 4 with n = 3");
}

#[test]
fn rows_are_the_same_whatever_the_number_of_jobs() {
    let plan = plan(&VARY, "3..5").expect("it is a plan");
    let table = Table::of(&plan);
    let rows = |jobs: usize, waiting_max: usize| {
        let mut rows = Vec::new();
        pool::in_order(
            jobs,
            waiting_max,
            0..plan.runs(),
            |run| table.row(run),
            |run, row| {
                assert_eq!(run, rows.len() as u64);
                rows.push(row);
                true
            },
        );
        rows
    };
    let alone = rows(1, 1);
    assert_eq!(alone.len(), 18);
    for (jobs, waiting_max) in [(2, 2), (3, 100), (7, 8), (40, 40)] {
        assert_eq!(rows(jobs, waiting_max), alone, "{jobs} jobs");
    }
}

#[test]
fn results_that_are_early_wait_and_not_too_many_do() {
    let started = Mutex::new(0);
    let mut taken = 0;
    pool::in_order(
        4,
        6,
        0..200,
        |number| {
            let mut started = started.lock().expect("nobody panicked");
            *started = number.max(*started);
            number * 10
        },
        |number, result| {
            assert_eq!((number, result), (taken, taken * 10));
            taken += 1;
            assert!(*started.lock().expect("nobody panicked") < taken + 6, "too far ahead");
            true
        },
    );
    assert_eq!(taken, 200);
    let mut taken = 0;
    pool::in_order(
        3,
        8,
        0..1_000_000,
        |number| number,
        |_, _| {
            taken += 1;
            taken < 5
        },
    );
    assert_eq!(taken, 5, "it ends as soon as nobody wants more");
}

#[test]
#[should_panic(expected = "scoped thread panicked")]
fn a_piece_of_work_that_panics_ends_all() {
    pool::in_order(2, 4, 0..100, |number| assert_ne!(number, 7), |_, ()| true);
}

#[test]
fn a_row_has_what_the_run_itself_reports() {
    let scratch = Scratch::new("sweep-row");
    let mut scenario = small();
    let file = scratch.file("small.json", scenario.to_string());
    let table = out(&faultline(&arguments(&file, &[])));
    let mut lines = table.lines();
    let header = lines.next().expect("a header");
    let row = cells(header, lines.nth(13).expect("the row of r = 2, 100 a second and the seed 4"));
    scenario["workload"]["rate_per_s"] = json!(100);
    scenario["clusters"][1]["gossip_ring"]["r"] = json!(2);
    let report = json_of(&["run", &scratch.file("one.json", scenario.to_string()), "--seed", "4", "--json"]);
    for (name, value) in [
        ("run", &json!(14)),
        ("clusters.gossip_ring.r", &json!(2)),
        ("seed", &json!(4)),
        ("events", &report["events"]),
        ("Sharded SQL.operations.ok", &report["clusters"][0]["operations"]["ok"]),
        ("Gossip ring.latency_ms.read.p99", &report["clusters"][1]["latency_ms"]["read"]["p99"]),
        ("Gossip ring.cost.usd_per_month", &report["clusters"][1]["cost"]["usd_per_month"]),
    ] {
        assert_eq!(cell(&row, name), value.to_string(), "{name}");
    }
    assert_eq!(cell(&row, "trace_hash"), report["trace_hash"]);
    assert_eq!(cell(&row, "error"), "");
    assert_eq!(cell(&row, "Sharded SQL.latency_ms.scan.p99"), "", "there were none");
    let refused = cells(header, table.lines().nth(9).expect("a row of r = 4"));
    assert!(cell(&refused, "error").contains("r: is 4; it must be"), "{refused:?}");
    assert_eq!(cell(&refused, "trace_hash"), "");
}

#[test]
fn every_figure_of_every_report_has_a_column() {
    for preset in PRESETS {
        let mut scenario = preset.scenario().expect("it is valid");
        scenario.duration_ms = scenario.duration_ms.min(300.0);
        // Some begin after what is left of the run.
        scenario.faults.clear();
        let plan = Plan::new(&scenario, &[], None).expect("it is a plan");
        let table = Table::of(&plan);
        let row = cells(&table.header(), &table.row(0));
        assert_eq!(cell(&row, "error"), "", "{}", preset.name);
        if preset.name == "pbs-lnkd-ssd" {
            assert!(row.iter().any(|(name, _)| name.ends_with(".staleness.consistent_at_ms.5")), "{row:?}");
        }
    }
}

#[test]
fn slices_one_after_the_other_are_the_whole() {
    let scratch = Scratch::new("sweep-slices");
    let file = scratch.file("small.json", small().to_string());
    let whole = out(&faultline(&arguments(&file, &["--jobs", "2"])));
    assert_eq!(whole.lines().count(), 19);
    for of in [1, 2, 5, 18, 23] {
        let slice = |number: u64| {
            let slice = format!("{number}/{of}");
            let output = faultline(&arguments(&file, &["--slice", &slice]));
            assert_eq!(output.status.code(), Some(0), "{}", error(&output));
            out(&output)
        };
        assert_eq!((1..=of).map(slice).collect::<String>(), whole, "{of} slices");
    }
    for slice in ["0/3", "4/3", "1/0", "2", "a/b", "1/10001"] {
        refused(&arguments(&file, &["--slice", slice]), &["--slice", "from 1/M to M/M"]);
    }
    let plan = plan(&VARY, "1..3").expect("it is a plan");
    assert_eq!(plan.slice(Slice { number: 2, of: 4 }), 4..9);
}

#[test]
fn an_interrupted_sweep_goes_on_to_the_very_same_table() {
    let scratch = Scratch::new("sweep-resume");
    let file = scratch.file("small.json", small().to_string());
    for slice in ["1/1", "2/3"] {
        let table = scratch.path(&format!("table-{}.csv", slice.replace('/', "-")));
        let run = || faultline(&arguments(&file, &["--slice", slice, "--out", &table, "--jobs", "3"]));
        let output = run();
        assert_eq!(output.status.code(), Some(0), "{}", error(&output));
        let whole = fs::read(&table).expect("it was written");
        let ends: Vec<usize> = (0..whole.len()).filter(|at| whole[*at] == b'\n').collect();
        let mut cuts = vec![0, 1, 40, ends[0] - 1, ends[0], ends[0] + 1, ends[0] + 2, ends[0] + 30];
        cuts.extend([ends[3], ends[3] + 1, ends[3] + 3, ends[5] - 1, whole.len() - 1, whole.len()]);
        for cut in cuts {
            fs::write(&table, &whole[..cut]).expect("it can be written");
            let output = run();
            assert_eq!(output.status.code(), Some(0), "cut at {cut}: {}", error(&output));
            assert!(fs::read(&table).expect("it is there") == whole, "cut at {cut} of {}", whole.len());
        }
        let output = run();
        assert!(error(&output).contains("rows are there already"), "{}", error(&output));
    }
}

#[test]
fn a_table_of_something_else_is_left_as_it_is() {
    let scratch = Scratch::new("sweep-other");
    let file = scratch.file("small.json", small().to_string());
    let table = scratch.path("table.csv");
    assert_eq!(faultline(&arguments(&file, &["--out", &table])).status.code(), Some(0));
    let before = fs::read(&table).expect("it was written");
    let seeds = ["sweep", &file, "--vary", VARY[0], "--vary", VARY[1], "--seeds", "3..6", "--out", &table];
    refused(&seeds, &["another sweep", "its seeds was [3,5], and now is [3,6]"]);
    refused(&["sweep", &file, "--vary", VARY[0], "--seeds", "3..5", "--out", &table], &["another sweep"]);
    refused(&arguments(&file, &["--slice", "1/2", "--out", &table]), &["its slice was [1,1]"]);
    let mut other = small();
    other["workload"]["keys"] = json!(101);
    let other = scratch.file("other.json", other.to_string());
    refused(&arguments(&other, &["--out", &table]), &["of another scenario"]);
    assert!(fs::read(&table).expect("it is there") == before);
    let notes = scratch.file("notes.csv", "a,b\n1,2\n");
    refused(&arguments(&file, &["--out", &notes]), &["notes.csv", "there is no", "plan.json"]);
    fs::write(&table, [&before[..], b"19,and,more\n"].concat()).expect("it can be written");
    refused(&arguments(&file, &["--out", &table]), &["its line 20 is none of this sweep"]);
    let nowhere = scratch.path("no-such-directory/table.csv");
    refused(&arguments(&file, &["--out", &nowhere]), &["cannot write"]);
}

#[test]
fn what_cannot_be_swept_is_refused_before_anything_runs() {
    no_plan(&["workload.rate=1"], &["workload.rate: there is no field `rate`", "did you mean `rate_per_s`?"]);
    no_plan(&["worklod.keys=1"], &["there is no field `worklod`", "did you mean `workload`?"]);
    no_plan(&["clusters.rng.r=1"], &["there is no cluster `rng`", "Sharded SQL, Gossip ring"]);
    no_plan(&["clusters[2].r=1"], &["clusters has 2 entries", "there is no [2]"]);
    no_plan(&["faults[0].at_ms=1"], &["faults is an empty list"]);
    no_plan(&["zones.a=1"], &["zones is a list of 3", "zones[0]"]);
    no_plan(&["workload[0]=1"], &["workload is no list"]);
    no_plan(&["workload..keys=1"], &["a step without a name"]);
    no_plan(&["clusters[x].r=1"], &["number in brackets"]);
    no_plan(&["=1"], &["the path is empty"]);
    no_plan(&["workload.keys"], &["PATH=VALUE"]);
    no_plan(&["workload.keys="], &["value 1 is empty"]);
    no_plan(&["workload.keys=5,,6"], &["value 2 is empty"]);
    no_plan(&["workload.payload_bytes=[1,2],[1"], &["value 2 is no JSON"]);
    no_plan(&["title=\"a\\nb\""], &["value 1 has a line break"]);
    no_plan(&["workload.keys=5", "workload.keys=6"], &["workload.keys varies twice"]);
    no_plan(&["clusters[1].r=1", "clusters.gossip ring.gossip_ring.r=2"], &["varies twice"]);
    no_plan(&["seed=1,2"], &["--seeds"]);
    no_plan(&["clusters=[]"], &["must stay the same"]);
    no_plan(&["clusters[0].name=Other"], &["must stay the same"]);
    no_plan(&["clusters[1].r=4,5"], &["none of the 2 combinations can be run", "r: is 4"]);
    no_plan(&["workload.keys=many"], &["keys: is the text \"many\"", "whole number"]);
    let values = |count: u32| (1..=count).map(|value| value.to_string()).collect::<Vec<_>>().join(",");
    no_plan(&[&format!("workload.keys={}", values(1_001))], &["1001 values; at most 1000"]);
    let (keys, rate) =
        (format!("workload.keys={}", values(200)), format!("workload.rate_per_s={}", values(200)));
    no_plan(&[&keys, &rate], &["40000 combinations", "at most 20000"]);
    let many = plan(&["workload.keys=1,2"], "1..600000").expect_err("too many").to_string();
    assert!(many.contains("1200000 runs"), "{many}");
    let paths: Vec<String> = (0..17).map(|number| format!("workload.keys={number}")).collect();
    let error = Plan::new(&scenario(), &paths, None).expect_err("too many").to_string();
    assert!(error.contains("17 paths"), "{error}");
    for (seeds, part) in [("5..1", "1..5"), ("a..b", "both included"), ("-1", "both included")] {
        let scratch = Scratch::new("sweep-seeds");
        let file = scratch.file("small.json", small().to_string());
        refused(&["sweep", &file, "--seeds", seeds], &["--seeds", part]);
        refused(&["sweep", &file, "--jobs", "0"], &["--jobs"]);
    }
}

#[test]
fn values_are_json_or_plain_texts_and_objects_are_made_on_the_way() {
    let plan = plan(
        &[
            "clusters.sharded_sql.reads=replica,{\"within_lag_ms\":5},\"primary\"",
            "clusters[0].retries.max=1",
            "workload.payload_bytes=[1,2],7",
        ],
        "1",
    )
    .expect("it is a plan");
    assert_eq!(plan.runs(), 6);
    let sql = |run: u64| {
        let tree = serde_json::to_value(plan.scenario_of(run).expect("it is valid")).expect("JSON");
        (tree["clusters"][0]["sharded_sql"].clone(), tree["workload"]["payload_bytes"].clone())
    };
    assert_eq!(sql(0).0["reads"], "replica");
    assert_eq!(sql(0).1, json!([1, 2]));
    assert_eq!(sql(3).0["reads"], json!({"within_lag_ms": 5.0}));
    assert_eq!(sql(5).0["reads"], "primary");
    assert_eq!(sql(5).0["retries"]["max"], 1);
    assert_eq!(sql(5).1, 7);
}

// ---------------------------------------------------------------------------
// Right-sizing

/// Three knobs of a ring: 3 × 3 × 3 configurations, some of which are not valid.
const KNOBS: &str = r#"[
    {"cluster": "gossip_ring", "label": "Nodes", "path": "nodes", "more": true, "values": [3, 4, 6]},
    {"cluster": "gossip_ring", "label": "Machine", "path": "machine", "more": true, "choices": [
        {"value": {"machine_type": "EC2 m6i.large", "cores": 2}, "label": "m6i.large"},
        {"value": {"machine_type": "EC2 m6i.xlarge", "cores": 4}, "label": "m6i.xlarge"},
        {"value": {"machine_type": "EC2 m6i.2xlarge", "cores": 8}, "label": "m6i.2xlarge"}
    ]},
    {"cluster": "gossip_ring", "label": "R", "path": "r", "values": [1, 2, 4]},
    {"cluster": "sharded_sql", "label": "Not of this kind", "path": "replicas", "values": [0, 1]}
]"#;

/// A ring that needs more than its smallest machines for its load.
fn loaded() -> Scenario {
    let scenario = json!({
        "version": 1, "name": "loaded", "title": "Loaded", "duration_ms": 1500,
        "workload": {"rate_per_s": 3000, "keys": 500, "reads": 0.7, "clients": 4},
        "clusters": [{"sharded_sql": {}}, {"gossip_ring": {"nodes": 6, "r": 1, "w": 2, "machine":
            {"machine_type": "EC2 m6i.2xlarge", "cores": 8},
            "read_service": {"constant_ms": 1.2}, "write_service": {"constant_ms": 1.0}}}],
    });
    parse(&scenario.to_string()).expect("it is valid")
}

fn search(target: Target, runs: usize) -> Search {
    let scenario = loaded();
    Search::new(Space::new(&scenario, 1, KNOBS), target, scenario.seed, runs)
}

/// In the order in which it comes, or otherwise: as if some runs took longer than others.
fn run_search(search: &mut Search, mut order: impl FnMut(&mut Vec<Job>)) {
    while !search.is_over() {
        let mut jobs = search.take_all();
        order(&mut jobs);
        for job in jobs {
            let scenario = search.points[job.point].scenario.clone();
            let measured = measure(scenario, job.seed, 1).expect("it is valid");
            search.hear(job, measured);
        }
    }
}

#[test]
fn one_cluster_alone_runs_as_it_does_beside_the_others() {
    for name in ["zone-partition", "primary-crash"] {
        let report = json_of(&["run", name, "--seed", "3", "--json"]);
        let scenario = PRESETS.iter().find(|preset| preset.name == name).expect("a preset").scenario();
        let scenario = scenario.expect("it is valid");
        for (place, cluster) in report["clusters"].as_array().expect("a list").iter().enumerate() {
            let measured = measure(scenario.clone(), 3, place).expect("it is valid");
            assert_eq!(cluster["trace_hash"], format!("{:016x}", measured.trace_hash));
            assert_eq!(cluster["cost"]["usd_per_month"], json!(measured.usd_per_month));
            assert_eq!(cluster["latency_ms"]["write"]["p99"], json!(measured.write_ms_p99));
            assert_eq!(cluster["lost_acknowledged_writes"], json!(measured.lost_writes));
        }
    }
}

#[test]
fn a_worker_of_the_page_measures_the_same() {
    let scenario = loaded();
    let measure_by_worker = |scenario: String| {
        let message = ToWorker::Measure { scenario, seed: 5, cluster: 1 };
        // As it travels.
        let bytes = postcard::to_allocvec(&message).expect("it can be encoded");
        Driver::new().handle(postcard::from_bytes(&bytes).expect("it can be decoded"), &mut || 0.0)
    };
    let said = measure_by_worker(serde_json::to_string(&scenario).expect("JSON"));
    assert_eq!(said, [FromWorker::Measured(measure(scenario, 5, 1).expect("it is valid"))]);
    let said = measure_by_worker(r#"{"version": 1}"#.to_string());
    assert!(matches!(&said[..], [FromWorker::Refused(why)] if why.contains("is missing")), "{said:?}");
}

#[test]
fn the_search_finds_the_cheapest_of_a_small_space_in_fewer_runs() {
    let limits = [
        Target { read_ms_p99_max: Some(12.0), success_share_min: Some(0.999), ..Target::default() },
        Target { write_ms_p99_max: Some(9.0), stale_share_max: Some(0.0), ..Target::default() },
        Target { read_ms_p99_max: Some(6.5), lost_writes_max: Some(0), ..Target::default() },
    ];
    let scenario = loaded();
    let space = Space::new(&scenario, 1, KNOBS);
    let mut all = Vec::new();
    for configuration in (0..27u8).map(|number| vec![number % 3, number / 3 % 3, number / 9]) {
        let Ok(candidate) = space.candidate(configuration) else { continue };
        let runs =
            (0..SEEDS).map(|n| measure(candidate.scenario.clone(), scenario.seed + n, 1).expect("valid"));
        all.push((candidate.fixed_usd_per_month, runs.collect::<Vec<_>>()));
    }
    assert_eq!(all.len(), 18, "R = 4 is more than N");
    let mut found = Vec::new();
    for target in limits {
        let keeping = all.iter().filter(|(_, runs)| runs.iter().all(|run| target.misses(run).is_empty()));
        let costs = keeping.map(|(_, runs)| runs.iter().map(|run| run.usd_per_month).fold(0.0, f64::max));
        let cheapest = costs.fold(f64::INFINITY, f64::min);
        assert!(cheapest.is_finite(), "{target:?} can be kept");
        let mut search = search(target, 1_000);
        run_search(&mut search, |_| {});
        let best = search.best().expect("something keeps it");
        assert_eq!(search.points[best].usd_per_month(), cheapest, "{target:?}");
        assert!(search.is_exhausted());
        assert!(search.runs() < all.len() * SEEDS as usize, "{} runs", search.runs());
        found.push(cheapest);
    }
    assert!(
        found.windows(2).any(|pair| pair[0] != pair[1]),
        "the limits ask for different things: {found:?}"
    );
}

#[test]
fn what_is_tried_does_not_depend_on_which_run_is_over_first() {
    let target = Target { read_ms_p99_max: Some(7.0), success_share_min: Some(0.99), ..Target::default() };
    let told = |order: fn(&mut Vec<Job>)| {
        let mut search = search(target, 25);
        run_search(&mut search, order);
        let points: Vec<_> = search.points.iter().map(|point| (&point.configuration, &point.runs)).collect();
        format!("{points:?} {:?} {:?}", search.best(), search.frontier())
    };
    let in_order = told(|_| {});
    assert_eq!(told(|jobs| jobs.reverse()), in_order);
    assert_eq!(told(|jobs| jobs.sort_by_key(|job| job.point * 7 % 5)), in_order);
}

#[test]
fn a_search_takes_no_more_runs_than_it_may() {
    let impossible = Target { read_ms_p99_max: Some(0.001), ..Target::default() };
    for runs in [1, 2, 9, 17] {
        let mut search = search(impossible, runs);
        run_search(&mut search, |_| {});
        assert!(search.runs() <= runs, "{} of {runs}", search.runs());
        assert_eq!(search.best(), None);
        assert!(search.closest().is_some());
    }
}

#[test]
fn no_point_of_the_frontier_is_beaten_by_another() {
    let target = Target { read_ms_p99_max: Some(9.0), success_share_min: Some(0.9), ..Target::default() };
    let mut search = search(target, 60);
    run_search(&mut search, |_| {});
    let frontier = search.frontier();
    assert!(frontier.len() > 1, "{frontier:?}");
    let figures = |place: usize| {
        let point = &search.points[place];
        let stale = point.worst.and_then(|worst| worst.stale_share).unwrap_or(0.0);
        [point.usd_per_month(), point.ms_p99(), stale]
    };
    for place in &frontier {
        for other in 0..search.points.len() {
            let (one, other) = (figures(*place), figures(other));
            let is_beaten = one != other && one.iter().zip(&other).all(|(one, other)| other <= one);
            let is_sound = !search.points[*place].misses.iter().any(|miss| miss.limit == "success");
            assert!(is_sound && !is_beaten, "{one:?} by {other:?}");
        }
    }
    assert!(frontier.windows(2).all(|pair| figures(pair[0])[0] <= figures(pair[1])[0]), "by cost");
}

#[test]
fn what_a_cluster_has_now_is_a_choice_and_the_rest_of_it_stays() {
    let scenario = json!({
        "version": 1, "name": "odd", "title": "Odd", "duration_ms": 1000, "workload": {"rate_per_s": 10},
        "clusters": [{"gossip_ring": {"nodes": 5, "n": 2, "read_level": "quorum", "machine":
            {"machine_type": "EC2 i3.large", "cores": 2, "queue_limit": 99}}}],
        "faults": [{"at_ms": 100, "do": {"crash": {"nodes": {"nodes": ["ring-4"]}}}}],
    });
    let scenario = parse(&scenario.to_string()).expect("it is valid");
    let space = Space::new(&scenario, 0, space::KNOBS);
    assert_eq!(space.words(&space.present())[..3], ["5", "as it is", "2"]);
    assert!(space.knobs.iter().all(|knob| knob.label != "R"), "the level is named: R does nothing");
    assert_eq!(space.candidate(space.present()).expect("it is valid").scenario, scenario);
    let with = |knob: usize, choice: u8| {
        let mut configuration = space.present();
        configuration[knob] = choice;
        space.candidate(configuration)
    };
    let larger = with(1, 2).expect("it is valid").scenario;
    let ClusterSection::GossipRing(ring) = &larger.clusters[0] else { panic!("a ring") };
    assert_eq!((ring.machine.machine_type.as_str(), ring.machine.cores), ("EC2 m6i.xlarge", 4));
    assert_eq!(ring.machine.queue_limit, 99, "not the knob's");
    let error = with(0, 0).expect_err("ring-4 is not there").to_string();
    assert!(error.contains("ring-4"), "{error}");
}

#[test]
fn every_knob_turns_something_and_its_machines_are_those_of_the_price_sheet() {
    let knobs: Value = serde_json::from_str(space::KNOBS).expect("JSON");
    let sheet = PriceSheet::bundled("aws-us-east-1-on-demand").expect("a sheet");
    for choice in
        knobs.as_array().expect("a list").iter().filter_map(|knob| knob["choices"].as_array()).flatten()
    {
        let Some(machine) = choice["value"]["machine_type"].as_str() else { continue };
        let item =
            sheet.items.iter().find(|item| item.item == machine).unwrap_or_else(|| panic!("{machine}"));
        let cores = choice["value"]["cores"].as_u64().expect("cores");
        assert!(item.vcpu.is_none_or(|vcpu| u64::from(vcpu) == cores), "{machine}");
    }
    let scenario = scenario();
    for cluster in 0..2 {
        let space = Space::new(&scenario, cluster, space::KNOBS);
        assert!(space.knobs.len() >= 5);
        let now = space.candidate(space.present()).expect("it is valid");
        for (place, knob) in space.knobs.iter().enumerate() {
            let others = (0..knob.choices.len() as u8).filter(|choice| *choice != knob.now);
            let changes = others.filter(|choice| {
                let mut configuration = space.present();
                configuration[place] = *choice;
                space.candidate(configuration).is_ok_and(|candidate| candidate.scenario != now.scenario)
            });
            assert!(changes.count() > 0, "{} does nothing", knob.label);
        }
    }
}

#[test]
fn right_size_prints_the_frontier_and_writes_the_best_as_a_scenario() {
    let scratch = Scratch::new("right-size");
    let file = scratch.file("loaded.json", serde_json::to_string(&loaded()).expect("JSON"));
    let best = scratch.path("best.json");
    let target = ["--read-p99-ms", "9", "--success-min", "0.99", "--lost-writes-max", "0"];
    let command = |more: &[&str]| {
        let mut all = vec!["right-size", file.as_str(), "--cluster", "gossip ring", "--runs", "30"];
        all.extend(target);
        all.extend(more);
        let output = faultline(&all);
        assert_eq!(output.status.code(), Some(0), "{}", error(&output));
        out(&output)
    };
    let text = command(&["--out", &best, "--jobs", "2"]);
    assert!(text.contains("Cheapest that keeps the target: $"), "{text}");
    assert_eq!(command(&["--jobs", "1"]), text, "whatever the number of jobs");
    let report: Value = serde_json::from_str(&command(&["--json"])).expect("JSON");
    let point = &report["points"][report["best"].as_u64().expect("a best") as usize];
    assert_eq!((&point["meets"], &point["misses"]), (&json!(true), &json!([])));
    assert!(report["frontier"].as_array().expect("a list").contains(&report["best"]), "{report:#}");
    let run = json_of(&["run", &best, "--json"]);
    assert_eq!(run["clusters"][1]["trace_hash"], point["trace_hashes"][0], "the point opens its run");
    assert!(run["clusters"][1]["latency_ms"]["read"]["p99"].as_f64().expect("a number") <= 9.0);

    let impossible = ["right-size", &file, "--cluster", "gossip_ring", "--read-p99-ms", "0", "--runs", "3"];
    let output = faultline(&impossible);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        out(&output).contains("Nothing was found") && out(&output).contains("Closest: "),
        "{}",
        out(&output)
    );
    refused(&["right-size", &file, "--cluster", "gossip_ring"], &["--read-p99-ms", "--lost-writes-max"]);
    refused(&["right-size", &file, "--read-p99-ms", "9"], &["--cluster", "Sharded SQL, Gossip ring"]);
    refused(&["right-size", &file, "--cluster", "rng", "--read-p99-ms", "9"], &["no cluster `rng`"]);
    refused(&["right-size", &file, "--success-min", "1.5"], &["--success-min", "from 0 to 1"]);
    refused(&["right-size", &file, "--read-p99-ms=-1"], &["--read-p99-ms", "0 or more"]);
    refused(&["right-size", &file, "--success-min", "1", "--runs", "0"], &["--runs"]);
}
