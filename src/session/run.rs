//! A session: clusters in lockstep, with commands, checkpoints and futures.
//!
//! A run is a pure function of scenario, seed and command log. Going back is the
//! nearest checkpoint and replay. A command given in the past starts another
//! future; the one that was there stays, and can be returned to.

use super::checkpoints::Checkpoints;
use super::command::{COMMANDS_MAX, Command, LoggedCommand};
use super::frame::Line;
use super::script::Script;
use super::state::State;
use crate::cluster::build::traffic;
use crate::cluster::run::ClusterRun;
use crate::engine::fault::ACTIVE_FAULTS_MAX;
use crate::engine::{SimDuration, SimTime};
use crate::measure::prices::PriceSheet;
use crate::scenario::error::ScenarioError;
use crate::scenario::schema::Scenario;
use crate::scenario::validate::{validate, validate_command};
use crate::workload::recorded::Recording;
use std::rc::Rc;
use thiserror::Error;

/// Futures that one run keeps.
pub const FUTURES_MAX: usize = 16;
/// Points of the series, at most.
pub const BUCKETS_MAX: u64 = 400;
/// Checkpoints are this part of a run apart, before they are thinned.
const CHECKPOINTS_PER_RUN: u64 = 120;

/// Why a command was not carried out. Nothing changed.
#[derive(Debug, Error)]
pub enum CommandError {
    #[error(transparent)]
    Invalid(#[from] ScenarioError),
    #[error("fault {0} does not last now, so it cannot be lifted")]
    NotLasting(u32),
    #[error("{ACTIVE_FAULTS_MAX} faults last at once; lift one first")]
    TooManyFaults,
    #[error("this run has {COMMANDS_MAX} commands; restart it to give more")]
    TooManyCommands,
    #[error("this run has {FUTURES_MAX} futures already; go on in one of them, or restart")]
    TooManyFutures,
    #[error("the run is over; go back in time to change something")]
    Over,
    #[error("there is no future {0}")]
    NoSuchFuture(u32),
}

/// One future of a run.
#[derive(Clone)]
pub struct Future {
    pub id: u32,
    pub parent: Option<u32>,
    pub forked_at: SimTime,
    pub commands: Vec<LoggedCommand>,
    /// How far it has been run.
    pub frontier: SimTime,
    script: Script,
    checkpoints: Checkpoints,
}

/// A run with everything that can be done to it.
pub struct Session {
    scenario: Rc<Scenario>,
    seed: u64,
    end: SimTime,
    bucket: SimDuration,
    checkpoint_every: SimDuration,
    state: State,
    futures: Vec<Future>,
    current: usize,
    prices: PriceSheet,
    recorded: bool,
    /// Goes up whenever the state is not a continuation of what it was.
    leaps: u64,
}

impl Session {
    /// Opens a run at time zero. `seed` in place of the scenario's; `commands` of a
    /// shared run; `recording` in place of generated traffic, and then the run lasts
    /// until a second after its last operation.
    ///
    /// # Errors
    /// If the scenario or a command is not valid.
    pub fn open(
        scenario: Scenario,
        seed: Option<u64>,
        commands: Vec<LoggedCommand>,
        recording: Option<Rc<Recording>>,
    ) -> Result<Session, ScenarioError> {
        validate(&scenario)?;
        for logged in &commands {
            if let Command::Begin { fault, for_ms } = &logged.command {
                validate_command(&scenario, fault, *for_ms)?;
            }
        }
        let seed = seed.unwrap_or(scenario.seed);
        let mut end = SimTime(SimDuration::from_ms_f64(scenario.duration_ms).0);
        if let Some(last) = recording.as_ref().and_then(|recording| recording.operations.last()) {
            end = SimTime(last.at_ns) + SimDuration::from_ms(1_000);
        }
        let prices = PriceSheet::of(&scenario);
        let bucket = bucket_for(end);
        let recorded = recording.is_some();
        let traffic = traffic(&scenario, recording);
        let clusters = scenario
            .clusters
            .iter()
            .map(|section| ClusterRun::new(&scenario, section, &traffic, &prices, seed, bucket))
            .collect();
        let state = State::new(clusters);
        let script = Script::new(&scenario.faults, &commands);
        let mut checkpoints = Checkpoints::default();
        checkpoints.push(state.clone());
        let first = Future {
            id: 0,
            parent: None,
            forked_at: SimTime::ZERO,
            commands,
            frontier: SimTime::ZERO,
            script,
            checkpoints,
        };
        Ok(Session {
            scenario: Rc::new(scenario),
            seed,
            end,
            bucket,
            checkpoint_every: SimDuration((end.0 / CHECKPOINTS_PER_RUN).max(1)),
            state,
            futures: vec![first],
            current: 0,
            prices,
            recorded,
            leaps: 0,
        })
    }

    /// Ends the run earlier, or lets a recorded one go on longer. Before it has run.
    pub fn set_end(&mut self, end: SimTime) {
        assert_eq!(self.state.now, SimTime::ZERO, "the end is set before the run begins");
        self.end = end;
        self.checkpoint_every = SimDuration((end.0 / CHECKPOINTS_PER_RUN).max(1));
    }

    /// Leaves out all clusters but one, which goes on as it would have beside them: each has a world of its
    /// own. Before it has run.
    pub fn keep_only(&mut self, cluster: usize) {
        assert_eq!(self.state.now, SimTime::ZERO, "clusters are left out before the run begins");
        self.state = State::new(vec![self.state.clusters.swap_remove(cluster)]);
        let mut checkpoints = Checkpoints::default();
        checkpoints.push(self.state.clone());
        self.futures[self.current].checkpoints = checkpoints;
    }

    /// Keeps every operation, for a history file. Before it has run.
    pub fn keep_history(&mut self) {
        for cluster in &mut self.state.clusters {
            cluster.keep_history();
        }
        let mut checkpoints = Checkpoints::default();
        checkpoints.push(self.state.clone());
        self.futures[self.current].checkpoints = checkpoints;
    }

    /// Checkpoints that the current future keeps.
    pub fn checkpoint_count(&self) -> usize {
        self.futures[self.current].checkpoints.len()
    }

    /// Keeps no checkpoints but the first: for runs that are never gone back in.
    pub fn without_checkpoints(&mut self) {
        self.checkpoint_every = SimDuration::MAX;
    }

    pub fn scenario(&self) -> &Scenario {
        &self.scenario
    }

    pub fn seed(&self) -> u64 {
        self.seed
    }

    pub fn now(&self) -> SimTime {
        self.state.now
    }

    pub fn end(&self) -> SimTime {
        self.end
    }

    pub fn is_over(&self) -> bool {
        self.state.now >= self.end
    }

    /// Whether it replays recorded traffic (which no share link holds).
    pub fn is_recorded(&self) -> bool {
        self.recorded
    }

    pub fn bucket(&self) -> SimDuration {
        self.bucket
    }

    pub fn prices(&self) -> &PriceSheet {
        &self.prices
    }

    pub fn clusters(&self) -> &[ClusterRun] {
        &self.state.clusters
    }

    pub fn state(&self) -> &State {
        &self.state
    }

    /// Events processed, over all clusters.
    pub fn events(&self) -> u64 {
        self.state.clusters.iter().map(ClusterRun::events).sum()
    }

    /// One hash over the traces of all clusters.
    pub fn trace_hash(&self) -> u64 {
        let hashes = self.state.clusters.iter().map(ClusterRun::trace_hash);
        hashes.fold(0, |hash, next| crate::engine::random::mix(hash ^ next))
    }

    pub fn narration(&self) -> impl ExactSizeIterator<Item = &Line> {
        self.state.lines()
    }

    pub fn futures(&self) -> &[Future] {
        &self.futures
    }

    pub fn current_future(&self) -> &Future {
        &self.futures[self.current]
    }

    /// The script of the current future.
    pub fn script(&self) -> &Script {
        &self.futures[self.current].script
    }

    pub fn commands(&self) -> &[LoggedCommand] {
        &self.futures[self.current].commands
    }

    /// How far the current future has been run.
    pub fn frontier(&self) -> SimTime {
        self.futures[self.current].frontier
    }

    /// Changes whenever the state is not a continuation of what it was.
    pub fn leaps(&self) -> u64 {
        self.leaps
    }

    /// Runs on to `until`, at most to the end.
    pub fn run_until(&mut self, until: SimTime) {
        let until = until.min(self.end);
        while self.state.now < until {
            let future = &mut self.futures[self.current];
            let newest = future.checkpoints.newest().unwrap_or(SimTime::ZERO);
            let next_checkpoint = newest + self.checkpoint_every;
            if self.state.now >= next_checkpoint {
                future.checkpoints.push(self.state.clone());
                continue;
            }
            self.state.run_until(until.min(next_checkpoint), &future.script);
            future.frontier = future.frontier.max(self.state.now);
        }
    }

    /// Processes one event; false if the run is over.
    pub fn step(&mut self) -> bool {
        let future = &mut self.futures[self.current];
        let stepped = self.state.step(self.end, &future.script);
        if !stepped {
            self.run_until(self.end);
        }
        let future = &mut self.futures[self.current];
        future.frontier = future.frontier.max(self.state.now);
        stepped
    }

    /// Goes to a time: on, or back by checkpoint and replay.
    pub fn seek(&mut self, time: SimTime) {
        let time = time.min(self.end);
        if time < self.state.now {
            self.rewind(time);
        }
        self.run_until(time);
    }

    /// Goes back to the nearest checkpoint that is not later than `time`; replay is the caller's.
    pub fn rewind(&mut self, time: SimTime) {
        let checkpoints = &self.futures[self.current].checkpoints;
        let state = checkpoints.before(time).expect("the first checkpoint is at time zero");
        self.state = State::clone(state);
        self.leaps += 1;
    }

    /// Does something to the run now, in another future if this one has gone on from here.
    pub fn act(&mut self, command: Command) -> Result<(), CommandError> {
        if self.is_over() {
            return Err(CommandError::Over);
        }
        match &command {
            Command::Begin { fault, for_ms } => {
                validate_command(&self.scenario, fault, *for_ms)?;
                if self.state.lasting() >= ACTIVE_FAULTS_MAX {
                    return Err(CommandError::TooManyFaults);
                }
            }
            Command::Lift { fault } if !self.state.lasts(*fault) => {
                return Err(CommandError::NotLasting(*fault));
            }
            Command::Lift { .. } => {}
        }
        if self.commands().len() >= COMMANDS_MAX {
            return Err(CommandError::TooManyCommands);
        }
        // A command acts after everything that happens at its time.
        let now = self.state.now;
        self.state.run_until(now, &self.futures[self.current].script);
        let future = &self.futures[self.current];
        let has_gone_on = future.frontier > now || future.commands.iter().any(|logged| logged.at > now);
        if has_gone_on {
            self.fork(now)?;
        }
        let logged = LoggedCommand { at: now, command };
        let future = &mut self.futures[self.current];
        future.script.command(&logged);
        future.commands.push(logged);
        self.state.run_until(now, &future.script);
        Ok(())
    }

    /// Starts another future here. The old one keeps everything.
    fn fork(&mut self, now: SimTime) -> Result<(), CommandError> {
        if self.futures.len() >= FUTURES_MAX {
            return Err(CommandError::TooManyFutures);
        }
        let parent = &self.futures[self.current];
        let commands: Vec<LoggedCommand> =
            parent.commands.iter().filter(|logged| logged.at <= now).cloned().collect();
        let child = Future {
            id: self.futures.len() as u32,
            parent: Some(parent.id),
            forked_at: now,
            frontier: now,
            script: Script::new(&self.scenario.faults, &commands),
            checkpoints: parent.checkpoints.until(now),
            commands,
        };
        self.futures.push(child);
        self.current = self.futures.len() - 1;
        Ok(())
    }

    /// Goes over to another future, at the time where this one is or as far as that one goes.
    pub fn switch(&mut self, id: u32) -> Result<(), CommandError> {
        let at =
            self.futures.iter().position(|future| future.id == id).ok_or(CommandError::NoSuchFuture(id))?;
        let time = self.state.now.min(self.futures[at].frontier);
        self.current = at;
        self.rewind(time);
        self.run_until(time);
        Ok(())
    }
}

/// The widest bucket of a round length with which a run has few enough of them.
fn bucket_for(end: SimTime) -> SimDuration {
    const ROUND_MS: [u64; 14] = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000];
    let fits = |ms: &&u64| end.0.div_ceil(SimDuration::from_ms(**ms).0) <= BUCKETS_MAX;
    let ms = ROUND_MS.iter().find(fits).copied();
    ms.map_or_else(|| SimDuration(end.0.div_ceil(BUCKETS_MAX)), SimDuration::from_ms)
}
