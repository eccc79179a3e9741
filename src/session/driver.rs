//! Drives a session for a page: slices of work, frames, messages.
//!
//! Wall time decides how far a slice gets, never what happens in it. A frame is
//! sent when the last one was drawn, so that a slow page gets fewer frames, not
//! a longer queue. The clock is handed in: the same driver runs under test.

use super::bill::bill;
use super::frame::{Frame, Line};
use super::frames::{branch_frames, cluster_frame, fault_frames};
use super::inspector::inspect;
use super::layout::layout;
use super::link::ShareLink;
use super::measured::measure;
use super::protocol::{FromWorker, ToWorker};
use super::run::Session;
use crate::engine::{SimDuration, SimTime};
use crate::scenario::{self, Scenario, ScenarioError, document, parse};
use crate::workload::recorded::{self, Recording};
use std::rc::Rc;

/// How long a slice works, in ms of wall time.
const SLICE_MS: f64 = 8.0;
/// Simulated time between two looks at the clock while running, at most.
const STRIDE_MAX: SimDuration = SimDuration::from_ms(5);
/// Simulated seconds per real second.
pub const SPEED_MIN: f64 = 0.001;
pub const SPEED_MAX: f64 = 100.0;

/// A wall clock in milliseconds.
pub type Clock<'a> = &'a mut dyn FnMut() -> f64;

/// What the page has been told already.
#[derive(Default)]
struct Told {
    leaps: Option<u64>,
    lines: u64,
    buckets: usize,
    /// By cluster: the version of the shard map by which its nodes are called.
    labelled: Vec<Option<u32>>,
}

/// Where a run is being taken without regard to speed.
#[derive(Clone, Copy, PartialEq)]
enum Errand {
    /// To a time that was asked for.
    Seek(SimTime),
    /// To the end.
    Finish,
}

/// A session with its speed, and a page that watches it.
pub struct Driver {
    session: Option<Session>,
    /// The scenario as it was before it was redesigned, as JSON.
    as_opened: String,
    /// What the run replays in place of generated traffic.
    recording: Option<Rc<Recording>>,
    playing: bool,
    speed: f64,
    errand: Option<Errand>,
    inspected: Option<(u8, u16)>,
    /// The cluster whose bill is asked for.
    billed: Option<u8>,
    /// The page has drawn the last frame.
    drawn: bool,
    /// Something changed since the last frame.
    dirty: bool,
    /// Wall time of the last slice that played, and simulated time owed since then.
    last_slice_ms: Option<f64>,
    owed_ns: f64,
    speed_meter: SpeedMeter,
    told: Told,
}

/// How fast the last second went.
#[derive(Default)]
struct SpeedMeter {
    since_ms: f64,
    since: SimTime,
    reached: f64,
}

impl Default for Driver {
    fn default() -> Self {
        Driver::new()
    }
}

impl Driver {
    pub fn new() -> Driver {
        Driver {
            session: None,
            as_opened: String::new(),
            recording: None,
            playing: false,
            speed: 1.0,
            errand: None,
            inspected: None,
            billed: None,
            drawn: true,
            dirty: false,
            last_slice_ms: None,
            owed_ns: 0.0,
            speed_meter: SpeedMeter::default(),
            told: Told::default(),
        }
    }

    pub fn session(&self) -> Option<&Session> {
        self.session.as_ref()
    }

    /// Whether [`slice`](Self::slice) has something to do.
    pub fn wants_slice(&self) -> bool {
        self.session.is_some() && (self.playing || self.errand.is_some() || (self.dirty && self.drawn))
    }

    /// Carries out what the page asks for.
    pub fn handle(&mut self, message: ToWorker, clock: Clock) -> Vec<FromWorker> {
        match self.carry_out(message, clock) {
            Ok(mut answers) => {
                answers.extend(self.frame_if_wanted());
                answers
            }
            Err(why) => vec![FromWorker::Refused(why)],
        }
    }

    fn carry_out(&mut self, message: ToWorker, clock: Clock) -> Result<Vec<FromWorker>, String> {
        match message {
            ToWorker::Open { scenario, seed, commands, play } => {
                let scenario = parse(&scenario).map_err(|error| error.to_string())?;
                let session =
                    Session::open(scenario, seed, commands, None).map_err(|error| error.to_string())?;
                return Ok(self.open_new(session, play));
            }
            ToWorker::OpenLink { link, play } => {
                let shared = ShareLink::decode(&link).map_err(|error| error.to_string())?;
                let session = Session::open(shared.scenario, Some(shared.seed), shared.commands, None)
                    .map_err(|error| error.to_string())?;
                return Ok(self.open_new(session, play));
            }
            ToWorker::Record { file_name, text, time_scale } => {
                return self.record(&file_name, &text, time_scale);
            }
            ToWorker::Measure { scenario, seed, cluster } => {
                let tree = document::parse_tree(&scenario).map_err(|error| error.to_string())?;
                let measured = scenario::parse::from_tree(&tree, None)
                    .and_then(|scenario| measure(scenario, seed, usize::from(cluster)));
                return Ok(vec![FromWorker::Measured(measured.map_err(|error| error.to_string())?)]);
            }
            ToWorker::Drawn => {
                self.drawn = true;
                return Ok(Vec::new());
            }
            ToWorker::Speed(speed) => {
                if !(SPEED_MIN..=SPEED_MAX).contains(&speed) {
                    return Err(format!("the speed is {speed}; it must be from {SPEED_MIN} to {SPEED_MAX}"));
                }
                self.speed = speed;
                self.owed_ns = 0.0;
                self.dirty = true;
                return Ok(Vec::new());
            }
            _ => {}
        }
        let session = self.session.as_mut().ok_or("no run is open: open a scenario first")?;
        self.dirty = true;
        match message {
            ToWorker::Play => {
                self.playing = !session.is_over();
                self.last_slice_ms = None;
                self.speed_meter =
                    SpeedMeter { since_ms: clock(), since: session.now(), reached: self.speed };
            }
            ToWorker::Pause => {
                self.playing = false;
                self.errand = None;
            }
            ToWorker::StepEvent => {
                self.playing = false;
                self.errand = None;
                session.step();
            }
            ToWorker::Seek { time_ns } => {
                let time = SimTime(time_ns).min(session.end());
                if time < session.now() {
                    session.rewind(time);
                }
                self.errand = Some(Errand::Seek(time));
            }
            ToWorker::RunToEnd => self.errand = Some(Errand::Finish),
            ToWorker::Act(command) => {
                // A seek that is under way is finished first: the command is meant for where it leads.
                if let Some(Errand::Seek(time)) = self.errand.take() {
                    session.run_until(time);
                }
                session.act(command).map_err(|error| error.to_string())?;
            }
            ToWorker::SwitchBranch { id } => session.switch(id).map_err(|error| error.to_string())?,
            ToWorker::Restart { seed } => {
                let play = self.playing;
                let scenario = session.scenario().clone();
                let seed = seed.unwrap_or(session.seed());
                let session = Session::open(scenario, Some(seed), Vec::new(), self.recording.clone())
                    .map_err(|error| error.to_string())?;
                return Ok(self.open(session, play));
            }
            ToWorker::Redesign { scenario } => {
                let (seed, play) = (session.seed(), self.playing || session.is_over());
                return Ok(match redesigned(&scenario, seed, self.recording.clone()) {
                    Ok(session) => self.open(session, play),
                    Err(error) => vec![redesign_refused(&error)],
                });
            }
            ToWorker::Inspect { cluster, node } => self.inspected = Some((cluster, node)),
            ToWorker::InspectNothing => self.inspected = None,
            ToWorker::Bill { cluster } => self.billed = cluster,
            ToWorker::Share => return Ok(vec![FromWorker::Link(share(session)?)]),
            // Handled above.
            _ => {}
        }
        Ok(Vec::new())
    }

    /// Opens a run of another scenario.
    fn open_new(&mut self, session: Session, play: bool) -> Vec<FromWorker> {
        self.as_opened = as_json(session.scenario());
        self.recording = None;
        self.open(session, play)
    }

    fn open(&mut self, session: Session, play: bool) -> Vec<FromWorker> {
        let layout = layout(&session);
        let running = as_json(session.scenario());
        self.session = Some(session);
        self.playing = play;
        self.errand = None;
        self.inspected = None;
        self.dirty = true;
        self.drawn = true;
        self.last_slice_ms = None;
        self.owed_ns = 0.0;
        self.speed_meter = SpeedMeter::default();
        self.told = Told::default();
        vec![
            FromWorker::Opened(Box::new(layout)),
            FromWorker::Scenario { running, as_opened: self.as_opened.clone() },
        ]
    }

    fn record(&mut self, file_name: &str, text: &str, time_scale: f64) -> Result<Vec<FromWorker>, String> {
        let session = self.session.as_ref().ok_or("no run is open: open a scenario first")?;
        let recording = recorded::parse(text, time_scale).map_err(|error| format!("{file_name}: {error}"))?;
        let said = FromWorker::Recorded {
            taken: recording.taken,
            skipped: recording.skipped,
            first_skipped: recording.first_skipped.iter().map(ToString::to_string).collect(),
        };
        let scenario = session.scenario().clone();
        let seed = session.seed();
        let recording = Some(Rc::new(recording));
        let session = Session::open(scenario, Some(seed), Vec::new(), recording.clone())
            .map_err(|error| error.to_string())?;
        self.recording = recording;
        let mut answers = self.open(session, true);
        answers.push(said);
        Ok(answers)
    }

    /// Works for about [`SLICE_MS`] and sends a frame if the last one was drawn.
    pub fn slice(&mut self, clock: Clock) -> Vec<FromWorker> {
        let began = clock();
        if let Some(session) = &mut self.session {
            if let Some(errand) = self.errand {
                if run_errand(session, errand, began + SLICE_MS, clock) {
                    self.errand = None;
                    self.playing &= !session.is_over();
                }
                self.dirty = true;
                self.last_slice_ms = None;
            } else if self.playing {
                self.play(began, clock);
            }
        }
        self.frame_if_wanted().into_iter().collect()
    }

    /// Goes on by the simulated time that has come due since the last slice.
    fn play(&mut self, began: f64, clock: Clock) {
        let Some(session) = &mut self.session else {
            return;
        };
        let passed_ms = self.last_slice_ms.map_or(0.0, |last| (began - last).clamp(0.0, 100.0));
        self.last_slice_ms = Some(began);
        self.owed_ns += passed_ms * 1e6 * self.speed;
        let target = session.now() + SimDuration(self.owed_ns as u64);
        let before = session.now();
        let deadline = began + SLICE_MS;
        while session.now() < target && !session.is_over() {
            let stride = target.min(session.now() + STRIDE_MAX);
            session.run_until(stride);
            if clock() >= deadline {
                break;
            }
        }
        let went = session.now().since(before).0 as f64;
        // What could not be done in time is not owed for ever: the run is slower than asked.
        self.owed_ns = (self.owed_ns - went).clamp(0.0, 20e6 * self.speed);
        self.dirty |= went > 0.0;
        self.speed_meter.measure(began, session.now(), self.speed);
        if session.is_over() {
            self.playing = false;
            self.dirty = true;
        }
    }

    fn frame_if_wanted(&mut self) -> Option<FromWorker> {
        if !(self.dirty && self.drawn) {
            return None;
        }
        let frame = self.frame()?;
        self.dirty = false;
        self.drawn = false;
        Some(FromWorker::Frame(Box::new(frame)))
    }

    fn frame(&mut self) -> Option<Frame> {
        let session = self.session.as_ref()?;
        let reset = self.told.leaps != Some(session.leaps());
        if reset {
            self.told = Told { leaps: Some(session.leaps()), ..Told::default() };
        }
        let series_from = self.told.buckets;
        let runs = session.clusters();
        self.told.labelled.resize(runs.len(), None);
        let labelled = self.told.labelled.iter_mut();
        let clusters: Vec<_> = runs
            .iter()
            .zip(labelled)
            .map(|(run, labelled)| {
                let frame = cluster_frame(session, run, series_from, *labelled);
                *labelled = run.map_version();
                frame
            })
            .collect();
        self.told.buckets += clusters.iter().map(|cluster| cluster.series.len()).min().unwrap_or(0);
        let told = session.state().lines_told;
        let new = (told - self.told.lines).min(session.narration().len() as u64) as usize;
        let narration: Vec<Line> =
            session.narration().skip(session.narration().len() - new).cloned().collect();
        self.told.lines = told;
        Some(Frame {
            time_ns: session.now().0,
            frontier_ns: session.frontier().0,
            playing: self.playing || self.errand.is_some(),
            finished: session.is_over(),
            speed: self.speed,
            reached_speed: self.speed_meter.reached,
            trace_hash: session.trace_hash(),
            events: session.events(),
            clusters,
            faults: fault_frames(session),
            branches: branch_frames(session),
            narration,
            series_from: series_from as u32,
            reset,
            inspector: self.inspected.and_then(|(cluster, node)| inspect(session, cluster, node)),
            bill: self.billed.and_then(|cluster| bill(session, cluster)).map(Box::new),
        })
    }
}

impl SpeedMeter {
    fn measure(&mut self, now_ms: f64, now: SimTime, asked: f64) {
        let passed = now_ms - self.since_ms;
        if passed >= 500.0 {
            let went_ms = now.since(self.since).as_ms_f64();
            self.reached = (went_ms / passed).min(asked);
            self.since_ms = now_ms;
            self.since = now;
        }
    }
}

/// Goes on until the errand is done (true) or the time is up.
fn run_errand(session: &mut Session, errand: Errand, deadline: f64, clock: Clock) -> bool {
    let target = match errand {
        Errand::Seek(time) => time,
        Errand::Finish => session.end(),
    };
    while session.now() < target {
        let stride = target.min(session.now() + STRIDE_MAX);
        session.run_until(stride);
        if clock() >= deadline {
            return session.now() >= target;
        }
    }
    true
}

fn redesigned(scenario: &str, seed: u64, recording: Option<Rc<Recording>>) -> Result<Session, ScenarioError> {
    // As a tree: nobody wrote this text, so that no message should name its lines.
    let tree = document::parse_tree(scenario).unwrap_or_default();
    let scenario = scenario::parse::from_tree(&tree, None)?;
    Session::open(scenario, Some(seed), Vec::new(), recording)
}

fn redesign_refused(error: &ScenarioError) -> FromWorker {
    let field = error.field().unwrap_or_default();
    let words = error.to_string();
    let problem = words.strip_prefix(field).and_then(|words| words.strip_prefix(": ")).unwrap_or(&words);
    FromWorker::RedesignRefused { field: field.to_string(), problem: problem.to_string() }
}

fn as_json(scenario: &Scenario) -> String {
    serde_json::to_string(scenario).expect("a scenario is JSON")
}

fn share(session: &Session) -> Result<String, String> {
    if session.is_recorded() {
        return Err("this run replays a recorded file, which a link cannot hold; share the file and its scenario instead"
            .to_string());
    }
    let shared = ShareLink {
        scenario: session.scenario().clone(),
        seed: session.seed(),
        commands: session.commands().to_vec(),
        trace_hash: Some(session.trace_hash()),
        at: Some(session.now()),
    };
    shared.encode().map_err(|error| error.to_string())
}
