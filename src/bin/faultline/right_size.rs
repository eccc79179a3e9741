//! `faultline right-size`: searches, and prints the frontier that was found, or all that was tried.

use super::input::{self, Unusable};
use super::sweep::{jobs, progress};
use super::{RightSizeOptions, VIOLATED, print};
use faultline::report::run_report::hash_digits;
use faultline::scenario::Scenario;
use faultline::scenario::error::UnknownName;
use faultline::session::measured::measure;
use faultline::sweep::path::{cluster_number, tree_of};
use faultline::sweep::pool;
use faultline::sweep::right_size::{Job, Point, Search};
use faultline::sweep::space::{KNOBS, Space};
use faultline::sweep::target::Target;
use serde_json::{Map, Value, json};
use std::fmt::Write;
use std::fs;
use std::process::ExitCode;

pub fn right_size(options: &RightSizeOptions) -> Result<ExitCode, Unusable> {
    let scenario = input::scenario(&options.scenario)?;
    let target = Target {
        read_ms_p99_max: options.read_p99_ms,
        write_ms_p99_max: options.write_p99_ms,
        success_share_min: options.success_min,
        stale_share_max: options.stale_share_max,
        lost_writes_max: options.lost_writes_max,
    };
    if target.is_empty() {
        return Err(Unusable::NoTarget);
    }
    let cluster = cluster(&scenario, options.cluster.as_deref())?;
    let seed = options.seed.unwrap_or(scenario.seed);
    let space = Space::new(&scenario, cluster, KNOBS);
    let mut search = Search::new(space, target, seed, options.runs as usize);
    run(&mut search, options.jobs.unwrap_or_else(jobs), options.runs);
    if options.json {
        print(&format!("{:#}\n", as_json(&scenario, &search, seed)))?;
    } else {
        print(&as_text(&scenario, &search))?;
    }
    let Some(best) = search.best() else { return Ok(ExitCode::from(VIOLATED)) };
    if let Some(path) = &options.out {
        let text = serde_json::to_string_pretty(&search.points[best].scenario).expect("a scenario is JSON");
        fs::write(path, text + "\n").map_err(|error| Unusable::Unwritable { path: path.clone(), error })?;
    }
    Ok(ExitCode::SUCCESS)
}

fn cluster(scenario: &Scenario, name: Option<&str>) -> Result<usize, Unusable> {
    let names = || scenario.clusters.iter().map(|cluster| cluster.name().to_string()).collect();
    let tree = tree_of(scenario);
    match name {
        Some(name) => cluster_number(&tree, name),
        None if scenario.clusters.len() == 1 => Ok(0),
        None => Err(Box::new(UnknownName::new("cluster", "", names()))),
    }
    .map_err(|unknown| Unusable::NoSuchCluster { unknown })
}

/// Round by round, each one's runs at once.
fn run(search: &mut Search, jobs: usize, runs: u64) {
    let bar = progress(&(0..runs));
    while !search.is_over() {
        let round: Vec<Job> = search.take_all();
        let mut measured = Vec::new();
        let work = |place: u64| {
            let Job { point, seed } = round[place as usize];
            let scenario = search.points[point].scenario.clone();
            measure(scenario, seed, search.space().cluster).expect("only what can be run is tried")
        };
        pool::in_order(jobs, round.len(), 0..round.len() as u64, work, |_, result| {
            bar.inc(1);
            measured.push(result);
            true
        });
        for (job, measured) in round.into_iter().zip(measured) {
            search.hear(job, measured);
        }
    }
    bar.finish_and_clear();
}

fn differences(search: &Search, point: &Point) -> String {
    search.space().differences(&point.configuration)
}

/// What of a point is not as it should be, in words.
fn misses(point: &Point) -> String {
    let words = point.misses.iter().map(|miss| match miss.found {
        Some(found) => format!("{} {found:.4}", miss.limit),
        None => format!("no {}", miss.limit),
    });
    let words = words.collect::<Vec<String>>().join(", ");
    if words.is_empty() { "it kept the target once".to_string() } else { format!("it has {words}") }
}

fn as_text(scenario: &Scenario, search: &Search) -> String {
    let best = search.best();
    let mut text = format!("{}: {}\n", scenario.title, scenario.clusters[search.space().cluster].name());
    let ended = if search.is_exhausted() { "nothing cheaper is left to try" } else { "all runs are used up" };
    let _ = writeln!(text, "{} configurations, {} runs; {ended}", search.points.len(), search.runs());
    let _ = match best {
        None => {
            let closest = search.closest().map(|closest| &search.points[closest]);
            let closest = closest.map_or(String::new(), |point| {
                format!("\nClosest: {}; {}.", differences(search, point), misses(point))
            });
            writeln!(text, "Nothing was found that keeps the target.{closest}\n")
        }
        Some(best) => {
            let (now, best) = (&search.points[0], &search.points[best]);
            let (now_usd, best_usd) = (now.usd_per_month(), best.usd_per_month());
            let keeps = if now.meets() { "keeps" } else { "does not keep" };
            writeln!(
                text,
                "Cheapest that keeps the target: ${best_usd:.0} a month ({}).\nAs it is: ${now_usd:.0}, and {keeps} it.\n",
                differences(search, best)
            )
        }
    };
    let _ = writeln!(
        text,
        "  {:>9}  {:>9}  {:>9}  {:>8}  {:>8}  {:>5}  configuration (* keeps the target)",
        "$ a month", "read p99", "write p99", "success", "stale", "lost"
    );
    for place in search.frontier() {
        let point = &search.points[place];
        let worst = point.worst.expect("the frontier was run");
        let ms = |ms: Option<f64>| ms.map_or("–".to_string(), |ms| format!("{ms:.2} ms"));
        let share =
            |share: Option<f64>| share.map_or("–".to_string(), |share| format!("{:.3} %", share * 100.0));
        let _ = writeln!(
            text,
            "{} {:>9.0}  {:>9}  {:>9}  {:>8}  {:>8}  {:>5}  {}",
            if point.meets() { '*' } else { ' ' },
            worst.usd_per_month,
            ms(worst.read_ms_p99),
            ms(worst.write_ms_p99),
            share(worst.success_share),
            share(worst.stale_share),
            worst.lost_writes,
            differences(search, point)
        );
    }
    text
}

fn as_json(scenario: &Scenario, search: &Search, seed: u64) -> Value {
    let space = search.space();
    let point = |point: &Point| {
        let knobs = space.knobs.iter().map(|knob| knob.label.clone());
        let words = space.words(&point.configuration).into_iter().map(Value::from);
        let mut described = json!({
            "configuration": Value::Object(knobs.zip(words).collect::<Map<String, Value>>()),
            "fixed_usd_per_month": point.fixed_usd_per_month,
            "meets": point.meets(),
            "misses": point.misses,
            "trace_hashes": point.runs.iter().flatten().map(|run| hash_digits(run.trace_hash)).collect::<Vec<_>>(),
        });
        if let Some(worst) = &point.worst {
            described["usd_per_month"] = json!(worst.usd_per_month);
            described["read_ms_p99"] = json!(worst.read_ms_p99);
            described["write_ms_p99"] = json!(worst.write_ms_p99);
            described["success_share"] = json!(worst.success_share);
            described["stale_share"] = json!(worst.stale_share);
            described["lost_writes"] = json!(worst.lost_writes);
        }
        described
    };
    json!({
        "scenario": scenario.name,
        "cluster": scenario.clusters[space.cluster].name(),
        "first_seed": seed,
        "target": search.target(),
        "runs": search.runs(),
        "exhausted": search.is_exhausted(),
        "best": search.best(),
        "frontier": search.frontier(),
        "points": search.points.iter().map(point).collect::<Vec<Value>>(),
    })
}
