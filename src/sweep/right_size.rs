//! The search for the cheapest configuration of a cluster that keeps a target, under the scenario's own
//! load and faults.
//!
//! What machines cost is known before anything runs; whether they will do is not. The search starts with
//! the cluster as it is, and goes on in rounds of a few runs each:
//!
//! - Candidates are what differs from something tried in one knob, and from the cheapest so far that keeps the
//!   target in one or two: smaller machines, but more of them. One whose machines alone cost as much as the
//!   cheapest that is known to do is left out.
//! - Those go first that are next to what came closest to the target, the cheapest first. Next to what keeps
//!   it they are spread over what they cost: what keeps it too leaves out all that is dearer, what does not
//!   all that has less of everything and no other difference. Next to what ran exactly as something else,
//!   nothing is looked for.
//! - A candidate runs with one seed first; one that keeps the target, and is the cheapest or on the frontier,
//!   then runs with the others. It is judged by the worst of its runs.
//!
//! It ends when no candidate is left, or no run. A round is planned when all runs of the last one are over,
//! so that what is tried does not depend on how many run at once, nor on which is over first.
//!
//! Simplified: "has less of everything" is taken to be no faster and no more available, which `more` in
//! `static/right_size.json` claims of a knob. A seed has its luck; more seeds are surer.

use super::frontier::{figures_of, frontier};
use super::space::{Candidate, Configuration, Space};
use super::target::{Miss, Target};
use crate::engine::order::{key_of, places_by};
use crate::scenario::Scenario;
use crate::session::measured::Measured;

/// Runs of a round, at most: as many can be under way at once.
const ROUND_RUNS: usize = 8;
/// Seeds that a configuration is tried with.
pub const SEEDS: u64 = 2;
/// Runs of a search, unless another number is asked for, and the largest.
pub const RUNS: usize = 80;
pub const RUNS_MAX: usize = 10_000;

/// A run that is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Job {
    /// Of the point that it belongs to.
    pub point: usize,
    pub seed: u64,
}

/// A configuration that was tried.
#[derive(Clone, Debug)]
pub struct Point {
    pub configuration: Configuration,
    pub scenario: Scenario,
    pub fixed_usd_per_month: f64,
    /// Of each seed, in their order, what came of it.
    pub runs: Vec<Option<Measured>>,
    /// The worst of them.
    pub worst: Option<Measured>,
    pub misses: Vec<Miss>,
    is_expanded: bool,
}

/// A configuration that may be tried.
struct Waiting {
    configuration: Configuration,
    fixed_usd_per_month: f64,
    /// By how much the best that is next to it misses the target.
    parent_misses_by: f64,
}

pub struct Search {
    space: Space,
    target: Target,
    first_seed: u64,
    runs_left: usize,
    pub points: Vec<Point>,
    waiting: Vec<Waiting>,
    /// Configurations that were looked at, whether or not they can be run.
    seen: Vec<Configuration>,
    /// Of this round: those that nobody has taken, and how many are not over.
    to_hand_out: Vec<Job>,
    under_way: usize,
    is_exhausted: bool,
}

impl Point {
    /// Whether it ran with every seed and kept the target.
    pub fn meets(&self) -> bool {
        self.runs.len() as u64 == SEEDS && self.misses.is_empty() && self.runs.iter().all(Option::is_some)
    }

    /// By how much it misses the target, all limits together.
    fn misses_by(&self) -> f64 {
        self.misses.iter().map(|miss| miss.by).sum()
    }

    pub fn usd_per_month(&self) -> f64 {
        self.worst.map_or(self.fixed_usd_per_month, |worst| worst.usd_per_month)
    }

    /// The slower of reads and writes.
    pub fn ms_p99(&self) -> f64 {
        self.worst.map_or(f64::INFINITY, |worst| figures_of(&worst)[1])
    }
}

impl Search {
    pub fn new(space: Space, target: Target, first_seed: u64, runs: usize) -> Search {
        let mut search = Search {
            space,
            target,
            first_seed,
            runs_left: runs,
            points: Vec::new(),
            waiting: Vec::new(),
            seen: Vec::new(),
            to_hand_out: Vec::new(),
            under_way: 0,
            is_exhausted: false,
        };
        search.look_at(search.space.present(), 0.0);
        search.plan_round();
        search
    }

    pub fn space(&self) -> &Space {
        &self.space
    }

    pub fn target(&self) -> &Target {
        &self.target
    }

    /// A run that may begin now. None while those of this round are under way, or when all is over.
    pub fn take(&mut self) -> Option<Job> {
        self.to_hand_out.pop()
    }

    /// All runs that may begin now.
    pub fn take_all(&mut self) -> Vec<Job> {
        let mut jobs = std::mem::take(&mut self.to_hand_out);
        jobs.reverse();
        jobs
    }

    /// Runs that are begun or may begin, over the whole search so far.
    pub fn runs(&self) -> usize {
        self.points.iter().map(|point| point.runs.len()).sum()
    }

    pub fn runs_done(&self) -> usize {
        self.runs() - self.under_way
    }

    pub fn is_over(&self) -> bool {
        self.under_way == 0
    }

    /// Whether it ended because nothing was left to be tried, not because the runs were used up.
    pub fn is_exhausted(&self) -> bool {
        self.is_exhausted
    }

    /// What came of a run.
    pub fn hear(&mut self, job: Job, measured: Measured) {
        self.points[job.point].runs[(job.seed - self.first_seed) as usize] = Some(measured);
        self.under_way -= 1;
        if self.under_way == 0 {
            self.judge();
            self.plan_round();
        }
    }

    /// The cheapest that keeps the target; of equally cheap ones the faster one.
    pub fn best(&self) -> Option<usize> {
        let mut best: Option<usize> = None;
        for (place, point) in self.points.iter().enumerate().filter(|(_, point)| point.meets()) {
            let is_better = |other: &Point| {
                let cost = (point.usd_per_month(), other.usd_per_month());
                cost.0 < cost.1 || cost.0 <= cost.1 && point.ms_p99() < other.ms_p99()
            };
            if best.is_none_or(|best| is_better(&self.points[best])) {
                best = Some(place);
            }
        }
        best
    }

    /// What came closest to the target.
    pub fn closest(&self) -> Option<usize> {
        let run: Vec<usize> =
            (0..self.points.len()).filter(|place| self.points[*place].worst.is_some()).collect();
        let by_miss = places_by(run.len(), |at| key_of(self.points[run[at]].misses_by()));
        by_miss.first().map(|at| run[*at as usize])
    }

    /// Points than which none is better in one of cost, latency and staleness and no worse in the others,
    /// by cost. What fails too often or loses writes is none.
    pub fn frontier(&self) -> Vec<usize> {
        let is_unsound = |miss: &Miss| matches!(miss.limit, "success" | "lost writes");
        let is_sound = |point: &Point| !point.misses.iter().any(is_unsound);
        let figures = |point: &Point| point.worst.filter(|_| is_sound(point)).map(|worst| figures_of(&worst));
        frontier(&self.points.iter().map(figures).collect::<Vec<_>>())
    }

    /// Looks at every point that is decided, and at what is next to it.
    fn judge(&mut self) {
        let mut decided = Vec::new();
        for (place, point) in self.points.iter_mut().enumerate() {
            point.worst = point.runs.iter().flatten().copied().reduce(worse);
            let Some(worst) = &point.worst else { continue };
            point.misses = self.target.misses(worst);
            if !point.is_expanded && (!point.misses.is_empty() || point.meets()) {
                point.is_expanded = true;
                decided.push(place);
            }
        }
        let best = self.best();
        for place in decided {
            let point = &self.points[place];
            // The very same run: what it has otherwise does nothing here, and would do nothing next to it.
            if self.points[..place].iter().any(|other| other.worst == point.worst) {
                continue;
            }
            let (configuration, misses_by) = (point.configuration.clone(), point.misses_by());
            self.look_around(&configuration, misses_by, best == Some(place));
        }
    }

    /// At what differs in one knob, or in two.
    fn look_around(&mut self, from: &[u8], parent_misses_by: f64, two_knobs: bool) {
        for first in 0..from.len() {
            for one in self.others(first, from[first]) {
                let mut near = from.to_vec();
                near[first] = one;
                self.look_at(near.clone(), parent_misses_by);
                for second in first + 1..if two_knobs { from.len() } else { 0 } {
                    for other in self.others(second, from[second]) {
                        near[second] = other;
                        self.look_at(near.clone(), parent_misses_by);
                    }
                    near[second] = from[second];
                }
            }
        }
    }

    fn others(&self, knob: usize, choice: u8) -> impl Iterator<Item = u8> + use<> {
        (0..self.space.knobs[knob].choices.len() as u8).filter(move |other| *other != choice)
    }

    fn look_at(&mut self, configuration: Configuration, parent_misses_by: f64) {
        if self.seen.contains(&configuration) {
            let same = |waiting: &&mut Waiting| waiting.configuration == configuration;
            if let Some(waiting) = self.waiting.iter_mut().find(same) {
                waiting.parent_misses_by = waiting.parent_misses_by.min(parent_misses_by);
            }
            return;
        }
        self.seen.push(configuration.clone());
        if let Ok(Candidate { configuration, fixed_usd_per_month, .. }) = self.space.candidate(configuration)
        {
            self.waiting.push(Waiting { configuration, fixed_usd_per_month, parent_misses_by });
        }
    }

    /// The runs that come next.
    fn plan_round(&mut self) {
        let limit = self.best().map(|best| self.points[best].usd_per_month());
        let frontier = self.frontier();
        let mut round = Vec::new();
        for (place, point) in self.points.iter().enumerate() {
            let is_open = point.misses.is_empty() && (point.runs.len() as u64) < SEEDS;
            let is_cheaper = limit.is_none_or(|limit| point.usd_per_month() < limit);
            if is_open && (is_cheaper || frontier.contains(&place)) {
                round.extend((point.runs.len() as u64..SEEDS).map(|run| (place, run)));
            }
        }
        let too_small: Vec<&Point> =
            self.points.iter().filter(|point| point.misses.iter().any(|miss| miss.is_of_load)).collect();
        self.waiting.retain(|waiting| {
            let Waiting { configuration, fixed_usd_per_month, .. } = waiting;
            let is_too_dear = limit.is_some_and(|limit| *fixed_usd_per_month >= limit);
            let is_too_small =
                too_small.iter().any(|point| self.space.is_no_more(configuration, &point.configuration));
            !is_too_dear && !is_too_small
        });
        // Something that keeps the target once has to be able to do so again.
        let spare = if limit.is_none() && self.runs_left >= SEEDS as usize { SEEDS as usize - 1 } else { 0 };
        let room =
            ROUND_RUNS.saturating_sub(round.len()).min(self.runs_left.saturating_sub(round.len() + spare));
        let chosen = self.choose(room);
        self.is_exhausted = chosen.is_empty() && round.is_empty() && self.waiting.is_empty();
        let mut configurations: Vec<Configuration> = Vec::new();
        for place in &chosen {
            configurations.push(self.waiting[*place].configuration.clone());
        }
        self.waiting.retain(|waiting| !configurations.contains(&waiting.configuration));
        for configuration in configurations {
            let candidate = self.space.candidate(configuration).expect("only what can be run waits");
            let Candidate { configuration, scenario, fixed_usd_per_month } = candidate;
            round.push((self.points.len(), 0));
            self.points.push(Point {
                configuration,
                scenario,
                fixed_usd_per_month,
                runs: Vec::new(),
                worst: None,
                misses: Vec::new(),
                is_expanded: false,
            });
        }
        round.truncate(self.runs_left);
        self.runs_left -= round.len();
        for (point, run) in round.iter().rev() {
            self.to_hand_out.push(Job { point: *point, seed: self.first_seed + run });
            self.points[*point].runs.push(None);
        }
        self.under_way = self.to_hand_out.len();
    }

    /// Which of those that wait are tried next: places among them. Those next to what came closest first, the
    /// cheapest of them; next to what keeps the target, where they are too many, spread over what they cost.
    fn choose(&self, room: usize) -> Vec<usize> {
        let cost = |place: usize| self.waiting[place].fixed_usd_per_month;
        let misses_by = |place: u32| self.waiting[place as usize].parent_misses_by;
        let by_cost = places_by(self.waiting.len(), |place| key_of(cost(place)));
        let by_miss = places_by(by_cost.len(), |at| key_of(misses_by(by_cost[at])));
        let order: Vec<u32> = by_miss.into_iter().map(|at| by_cost[at as usize]).collect();
        let mut chosen = Vec::new();
        for alike in order.chunk_by(|one, other| misses_by(*one) == misses_by(*other)) {
            let count = alike.len().min(room - chosen.len());
            let is_next_to_good = misses_by(alike[0]) <= 0.0;
            let spread = |n: usize| if is_next_to_good { (2 * n + 1) * alike.len() / (2 * count) } else { n };
            chosen.extend((0..count).map(|n| alike[spread(n)] as usize));
        }
        chosen
    }
}

/// The worse of two runs, figure by figure; the hash is that of the first.
fn worse(one: Measured, other: Measured) -> Measured {
    let more = |one: Option<f64>, other: Option<f64>| match (one, other) {
        (Some(one), Some(other)) => Some(one.max(other)),
        _ => None,
    };
    Measured {
        trace_hash: one.trace_hash,
        events: one.events + other.events,
        usd_per_month: one.usd_per_month.max(other.usd_per_month),
        read_ms_p99: more(one.read_ms_p99, other.read_ms_p99),
        write_ms_p99: more(one.write_ms_p99, other.write_ms_p99),
        success_share: one.success_share.zip(other.success_share).map(|(one, other)| one.min(other)),
        stale_share: more(one.stale_share, other.stale_share),
        lost_writes: one.lost_writes.max(other.lost_writes),
    }
}
