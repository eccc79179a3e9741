//! The runs that are to be done, whether by a search or by a sweep, and a line for each.

use crate::engine::order::{key_of, places_by};
use crate::scenario::Scenario;
use crate::session::link::ShareLink;
use crate::session::measured::Measured;
use crate::sweep::frontier::{figures_of, frontier};
use crate::sweep::plan::Plan;
use crate::sweep::right_size::{Job, Search};
use crate::sweep::target::{Miss, Target};

/// Runs of a sweep in the page; the command line has larger ones.
pub const SWEEP_RUNS_MAX: u64 = 400;

pub enum Work {
    Search(Box<Search>),
    Sweep { plan: Box<Plan>, target: Target, next: u64, results: Vec<Option<Measured>> },
}

/// A configuration or a run of the table.
#[derive(Clone, PartialEq)]
pub struct Row {
    pub measured: Measured,
    pub words: String,
    /// Of the target: what is not kept, in words; empty if all is.
    pub misses: String,
    /// Not every seed has been run.
    pub is_open: bool,
    pub is_best: bool,
    pub is_on_frontier: bool,
    /// Its run, as an address.
    pub link: Option<String>,
}

impl Work {
    /// The next run that may begin, with its scenario as JSON.
    pub fn take(&mut self) -> Option<(Job, String)> {
        let (job, scenario) = match self {
            Work::Search(search) => {
                let job = search.take()?;
                (job, as_json(&search.points[job.point].scenario))
            }
            Work::Sweep { plan, next, .. } => loop {
                if *next >= plan.runs() {
                    return None;
                }
                let run = *next;
                *next += 1;
                // What can't be run stays without a result.
                if let Ok(scenario) = plan.scenario_of(run) {
                    break (Job { point: run as usize, seed: plan.seed(run) }, as_json(&scenario));
                }
            },
        };
        Some((job, scenario))
    }

    pub fn hear(&mut self, job: Job, measured: Measured) {
        match self {
            Work::Search(search) => search.hear(job, measured),
            Work::Sweep { results, .. } => results[job.point] = Some(measured),
        }
    }

    /// Runs that are over, and how many there are to be, at most.
    pub fn progress(&self, runs_max: usize) -> (usize, usize) {
        match self {
            Work::Search(search) => (search.runs_done(), runs_max),
            Work::Sweep { plan, results, .. } => {
                (results.iter().flatten().count(), (plan.runs() - plan.unusable_runs()) as usize)
            }
        }
    }

    pub fn is_over(&self) -> bool {
        match self {
            Work::Search(search) => search.is_over(),
            Work::Sweep { .. } => {
                let (done, all) = self.progress(0);
                done == all
            }
        }
    }

    /// The scenario and the seed that a row's link opens.
    pub fn link(&self, job: Job) -> Option<String> {
        let scenario = match self {
            Work::Search(search) => search.points[job.point].scenario.clone(),
            Work::Sweep { plan, .. } => plan.scenario_of(job.point as u64).ok()?,
        };
        let link = ShareLink { scenario, seed: job.seed, commands: Vec::new(), trace_hash: None, at: None };
        link.encode().ok()
    }

    /// A line for everything that was run, by cost.
    pub fn rows(&self, links: &[Option<String>]) -> Vec<Row> {
        let mut rows = match self {
            Work::Search(search) => rows_of_search(search, links),
            Work::Sweep { plan, target, results, .. } => rows_of_sweep(plan, target, results, links),
        };
        let by_cost = places_by(rows.len(), |place| key_of(rows[place].measured.usd_per_month));
        let mut sorted = Vec::with_capacity(rows.len());
        for place in by_cost {
            let empty =
                Row { words: String::new(), misses: String::new(), link: None, ..rows[place as usize] };
            sorted.push(std::mem::replace(&mut rows[place as usize], empty));
        }
        sorted
    }
}

fn rows_of_search(search: &Search, links: &[Option<String>]) -> Vec<Row> {
    let (best, frontier) = (search.best(), search.frontier());
    let mut rows = Vec::new();
    for (place, point) in search.points.iter().enumerate() {
        let Some(measured) = point.worst.or(point.runs.iter().flatten().next().copied()) else { continue };
        rows.push(Row {
            measured,
            words: search.space().differences(&point.configuration),
            misses: words(&point.misses),
            is_open: point.misses.is_empty() && !point.meets(),
            is_best: best == Some(place),
            is_on_frontier: frontier.contains(&place),
            link: links.get(place).cloned().flatten(),
        });
    }
    rows
}

fn rows_of_sweep(
    plan: &Plan,
    target: &Target,
    results: &[Option<Measured>],
    links: &[Option<String>],
) -> Vec<Row> {
    let figures: Vec<_> = results.iter().map(|result| result.as_ref().map(figures_of)).collect();
    let frontier = frontier(&figures);
    let mut rows = Vec::new();
    for (run, result) in results.iter().enumerate() {
        let Some(measured) = *result else { continue };
        let mut told = String::new();
        for (varied, value) in plan.varied().iter().zip(plan.values(run as u64)) {
            told = format!("{told}{}: {value}, ", varied.name);
        }
        rows.push(Row {
            measured,
            words: format!("{told}seed {}", plan.seed(run as u64)),
            misses: words(&target.misses(&measured)),
            is_open: false,
            is_best: false,
            is_on_frontier: frontier.contains(&run),
            link: links.get(run).cloned().flatten(),
        });
    }
    rows
}

fn words(misses: &[Miss]) -> String {
    let names: Vec<&str> = misses.iter().map(|miss| miss.limit).collect();
    names.join(", ")
}

fn as_json(scenario: &Scenario) -> String {
    serde_json::to_string(scenario).expect("a scenario is JSON")
}
