//! What was asked for, who works on it, and what has come of it.

use super::work::{Row, SWEEP_RUNS_MAX, Work};
use crate::scenario::Scenario;
use crate::scenario::parse::from_tree;
use crate::session::protocol::{FromWorker, ToWorker};
use crate::sweep::plan::{Plan, Seeds};
use crate::sweep::right_size::{Job, Search};
use crate::sweep::space::{KNOBS, Space};
use crate::sweep::target::Target;
use crate::ui::number::{count, dollars};
use crate::ui::route;
use crate::ui::shared::Shared;
use crate::ui::worker_link::WorkerLink;
use serde_json::Value;
use yew::Callback;

/// Workers at most; a round of a search has no more runs.
const WORKERS_MAX: f64 = 8.0;
/// Runs of a search, unless another number is asked for.
const RUNS: &str = "60";
const RUNS_MAX: f64 = 1_000.0;

/// The limits of a target, in the order of the form's fields.
pub const LIMITS: [(&str, &str); 5] = [
    ("Reads, 99 % within", "ms"),
    ("Writes, 99 % within", "ms"),
    ("Operations that succeed, at least", "%"),
    ("Stale reads, at most", "%"),
    ("Lost acknowledged writes, at most", ""),
];

/// What can happen on the page.
pub enum Act {
    /// Every combination, in place of a search.
    Sweep(bool),
    Cluster(u8),
    Limit(usize, String),
    Runs(String),
    Vary(String),
    Seeds(String),
    Start,
    Cancel,
    /// A worker of the so-manieth start said something.
    Heard(u32, usize, FromWorker),
    Failed(u32, String),
}

/// What stands in the form.
#[derive(Clone, PartialEq)]
pub struct Form {
    pub is_sweep: bool,
    pub cluster: u8,
    pub limits: [String; 5],
    pub runs: String,
    /// A path with its values a line.
    pub vary: String,
    pub seeds: String,
}

/// All that there is to see.
#[derive(Clone, PartialEq)]
pub struct Now {
    pub title: String,
    pub clusters: Vec<String>,
    /// Where we came from, as an address.
    pub back: String,
    pub form: Form,
    pub is_running: bool,
    pub done: usize,
    pub runs: usize,
    pub status: String,
    pub refusal: Option<String>,
    pub rows: Vec<Row>,
}

struct PoolWorker {
    link: WorkerLink,
    job: Option<Job>,
}

/// A search or a sweep of one scenario.
pub struct Sizing {
    scenario: Scenario,
    seed: u64,
    send: Callback<Act>,
    work: Option<Work>,
    workers: Vec<PoolWorker>,
    /// Counts the starts: what a worker of an earlier one says is too late.
    start: u32,
    runs_max: usize,
    links: Vec<Option<String>>,
    now: Shared<Now>,
}

impl Sizing {
    /// Of a scenario as it runs in the playground.
    pub fn new(running: &Value, seed: u64, cluster: u8, send: Callback<Act>) -> Option<Sizing> {
        let scenario = from_tree(running, None).ok()?;
        let checks = &scenario.checks;
        let text =
            |limit: Option<f64>, usual: &str| limit.map_or(usual.to_string(), |limit| limit.to_string());
        let limits = [
            text(checks.latency_ms_p99_max, "20"),
            text(checks.latency_ms_p99_max, "50"),
            text(checks.success_share_min.map(|share| share * 100.0), "99.9"),
            String::new(),
            text(checks.lost_acknowledged_writes_max.map(|lost| lost as f64), "0"),
        ];
        let vary = "workload.rate_per_s=500,1000,2000".to_string();
        let form =
            Form { is_sweep: false, cluster, limits, runs: RUNS.to_string(), vary, seeds: format!("{seed}") };
        let now = Now {
            title: scenario.title.clone(),
            clusters: scenario.clusters.iter().map(|cluster| cluster.name().to_string()).collect(),
            back: route::hash(),
            form,
            is_running: false,
            done: 0,
            runs: 0,
            status: String::new(),
            refusal: None,
            rows: Vec::new(),
        };
        Some(Sizing {
            scenario,
            seed,
            send,
            work: None,
            workers: Vec::new(),
            start: 0,
            runs_max: 0,
            links: Vec::new(),
            now: Shared::new(now),
        })
    }

    pub fn now(&self) -> Shared<Now> {
        self.now.clone()
    }

    /// Carries out what happened; whether there is something new to see.
    pub fn act(&mut self, act: Act) -> bool {
        let mut now = (*self.now).clone();
        let form = &mut now.form;
        match act {
            Act::Sweep(is_sweep) => form.is_sweep = is_sweep,
            Act::Cluster(cluster) => form.cluster = cluster,
            Act::Limit(place, text) => form.limits[place] = text,
            Act::Runs(text) => form.runs = text,
            Act::Vary(text) => form.vary = text,
            Act::Seeds(text) => form.seeds = text,
            Act::Start => {
                self.stop();
                now.refusal = self.begin(&now.form).err();
                now.is_running = now.refusal.is_none();
            }
            Act::Cancel => {
                self.stop();
                now.is_running = false;
                now.status = "Cancelled. What was found until then stays.".to_string();
                self.now = Shared::new(now);
                return true;
            }
            Act::Heard(start, worker, said) if start == self.start => match said {
                FromWorker::Measured(measured) => {
                    let (Some(work), Some(job)) = (&mut self.work, self.workers[worker].job.take()) else {
                        return false;
                    };
                    if self.links.len() <= job.point {
                        self.links.resize(job.point + 1, None);
                    }
                    if self.links[job.point].is_none() {
                        self.links[job.point] = work.link(job);
                    }
                    work.hear(job, measured);
                    now.is_running = !work.is_over();
                    if now.is_running { self.feed() } else { self.stop() }
                }
                FromWorker::Refused(why) => self.broke(why, &mut now),
                _ => return false,
            },
            Act::Failed(start, why) if start == self.start => self.broke(why, &mut now),
            Act::Heard(..) | Act::Failed(..) => return false,
        }
        if let Some(work) = &self.work {
            (now.done, now.runs) = work.progress(self.runs_max);
            now.rows = work.rows(&self.links);
            now.status = status(work, &now);
        }
        self.now = Shared::new(now);
        true
    }

    fn broke(&mut self, why: String, now: &mut Now) {
        self.stop();
        now.is_running = false;
        now.refusal = Some(format!("A run could not be done: {why}"));
    }

    /// Starts what the form asks for. The error is for users.
    fn begin(&mut self, form: &Form) -> Result<(), String> {
        let target = target(form)?;
        let work = if form.is_sweep {
            let lines: Vec<String> =
                form.vary.lines().filter(|line| !line.trim().is_empty()).map(str::to_string).collect();
            let seeds = form.seeds.parse::<Seeds>().map_err(|error| error.to_string())?;
            let plan = Plan::new(&self.scenario, &lines, Some(seeds)).map_err(|error| error.to_string())?;
            if plan.runs() > SWEEP_RUNS_MAX {
                return Err(format!(
                    "These are {} runs; the page does at most {SWEEP_RUNS_MAX}. The command line does more: faultline sweep.",
                    count(plan.runs())
                ));
            }
            Work::Sweep { results: vec![None; plan.runs() as usize], plan: Box::new(plan), target, next: 0 }
        } else {
            if target.is_empty() {
                return Err("Give at least one limit: what has no target is cheapest when it does nothing."
                    .to_string());
            }
            let runs = js_sys::parse_float(&form.runs);
            if !(1.0..=RUNS_MAX).contains(&runs) {
                return Err(format!("Runs must be from 1 to {RUNS_MAX}."));
            }
            self.runs_max = runs as usize;
            let space = Space::new(&self.scenario, usize::from(form.cluster), KNOBS);
            Work::Search(Box::new(Search::new(space, target, self.seed, self.runs_max)))
        };
        self.work = Some(work);
        self.links.clear();
        let cores = web_sys::window().map_or(1.0, |window| window.navigator().hardware_concurrency());
        let start = self.start;
        for worker in 0..cores.clamp(1.0, WORKERS_MAX) as usize {
            let hears = self.send.reform(move |said| Act::Heard(start, worker, said));
            let fails = self.send.reform(move |why| Act::Failed(start, why));
            let link = WorkerLink::start(hears, fails)?;
            self.workers.push(PoolWorker { link, job: None });
        }
        self.feed();
        Ok(())
    }

    /// Gives everybody who is free something to do.
    fn feed(&mut self) {
        let Some(work) = &mut self.work else { return };
        let cluster = self.now.form.cluster;
        for worker in self.workers.iter_mut().filter(|worker| worker.job.is_none()) {
            let Some((job, scenario)) = work.take() else { return };
            worker.job = Some(job);
            worker.link.send(ToWorker::Measure { scenario, seed: job.seed, cluster });
        }
    }

    fn stop(&mut self) {
        self.start += 1;
        self.workers.drain(..).for_each(|worker| worker.link.stop());
    }
}

impl Drop for Sizing {
    fn drop(&mut self) {
        self.stop();
    }
}

fn target(form: &Form) -> Result<Target, String> {
    let mut numbers = [None; 5];
    for (place, text) in form.limits.iter().enumerate() {
        let number = js_sys::parse_float(text);
        let most = if LIMITS[place].1 == "%" { 100.0 } else { f64::MAX };
        if !text.trim().is_empty() {
            if !(0.0..=most).contains(&number) {
                return Err(format!("{}: this must be a number from 0 on, or empty.", LIMITS[place].0));
            }
            numbers[place] = Some(number);
        }
    }
    let [read_ms_p99_max, write_ms_p99_max, success, stale, lost] = numbers;
    Ok(Target {
        read_ms_p99_max,
        write_ms_p99_max,
        success_share_min: success.map(|percent| percent / 100.0),
        stale_share_max: stale.map(|percent| percent / 100.0),
        lost_writes_max: lost.map(|lost| lost as u64),
    })
}

fn status(work: &Work, now: &Now) -> String {
    let Work::Search(search) = work else {
        let unusable = match work {
            Work::Sweep { plan, .. } if plan.unusable_runs() > 0 => {
                format!(" {} more cannot be run.", count(plan.unusable_runs()))
            }
            _ => String::new(),
        };
        let ended =
            if now.is_running { "Running every combination …" } else { "Every combination was run." };
        return format!("{ended}{unusable}");
    };
    let ended = match (now.is_running, search.is_exhausted()) {
        (true, _) => "Searching …",
        (false, true) => "Done: nothing cheaper is left to try.",
        (false, false) => "Done: all runs are used up.",
    };
    let found = match (search.best(), search.closest()) {
        (Some(best), _) => {
            let (best, first) = (&search.points[best], &search.points[0]);
            let keeps = if first.meets() { "" } else { ", which does not keep it" };
            format!(
                "The cheapest {}that keeps the target costs {} a month. As it is: {}{keeps}.",
                if now.is_running { "so far " } else { "" },
                dollars(best.usd_per_month()),
                dollars(first.usd_per_month())
            )
        }
        (None, Some(closest)) if !now.is_running => format!(
            "Nothing was found that keeps the target. Closest: {}.",
            search.space().differences(&search.points[closest].configuration)
        ),
        _ => String::new(),
    };
    format!("{ended} {found}")
}
