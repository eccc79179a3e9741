//! `faultline run`: opens a session, runs it to its end, and writes what came of it.

use super::input::{self, Unusable};
use super::{DURATION_MS_MAX, RunOptions, VIOLATED, print};
use faultline::engine::SimTime;
use faultline::report::run_report::{RecordingReport, RunReport};
use faultline::report::{history_file, page, table};
use faultline::session::Session;
use faultline::workload::recorded::Recording;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::rc::Rc;

/// How often the progress bar moves, per run.
const STEPS: u64 = 200;

pub fn run(options: &RunOptions) -> Result<ExitCode, Unusable> {
    let mut scenario = input::scenario(&options.scenario)?;
    if let Some(prices) = &options.prices {
        scenario.prices.clone_from(prices);
    }
    scenario.price_overrides.retain(|own| options.price.iter().all(|new| new.item != own.item));
    scenario.price_overrides.extend(options.price.iter().cloned());
    let recording = match &options.workload {
        Some(path) => Some(Rc::new(input::recording(path, options.time_scale)?)),
        None => None,
    };
    // A longer run is another scenario; a shorter one is the same, left early.
    let asked_ms = options.duration_ms.map(|ms| ms as f64);
    if recording.is_none() && asked_ms.is_some_and(|ms| ms > scenario.duration_ms) {
        scenario.duration_ms = asked_ms.unwrap_or(scenario.duration_ms);
    }
    let mut session = Session::open(scenario, options.seed, Vec::new(), recording.clone())
        .map_err(|error| Unusable::Options { error })?;
    let longest = SimTime::from_ms(DURATION_MS_MAX);
    match options.duration_ms {
        Some(ms) => session.set_end(SimTime::from_ms(ms)),
        None if session.end() > longest => session.set_end(longest),
        None => {}
    }
    if let (Some(recording), Some(path)) = (&recording, &options.workload) {
        tell_recording(recording, path, &session);
    }
    session.without_checkpoints();
    // Opened before the run: nobody wants to wait for a run that then cannot be written.
    let history = options.history.as_deref().map(create).transpose()?;
    if history.is_some() {
        session.keep_history();
    }
    let directory = options.report.as_deref().map(directory).transpose()?;

    let wall_ms = run_to_end(&mut session);
    let workload = recording.as_ref().zip(options.workload.as_ref()).map(|(recording, path)| {
        RecordingReport::of(recording, &path.display().to_string(), options.time_scale, session.end().0)
    });
    let report = RunReport::of(&session, Some(wall_ms), workload);
    if let Some((file, path)) = history {
        write_history(&session, file, path, &report)?;
    }
    if let Some(directory) = directory {
        write_report(&session, directory, &report)?;
    }
    if options.json {
        print(&format!("{}\n", report.to_json()))?;
    } else {
        print(&table::text(&report))?;
    }
    let mut violated = report.checks.iter().filter(|check| !check.kept).peekable();
    if violated.peek().is_none() {
        return Ok(ExitCode::SUCCESS);
    }
    violated.for_each(|check| eprintln!("{check}"));
    Ok(ExitCode::from(VIOLATED))
}

/// How much of a file was taken, what of it was not, and what the run is too short for.
fn tell_recording(recording: &Recording, path: &Path, session: &Session) {
    eprintln!(
        "{}: {}, {} operations on {} keys over {:.3} s",
        path.display(),
        recording.format,
        recording.taken,
        recording.keys.len(),
        recording.end_ns() as f64 / 1e9
    );
    if recording.skipped > 0 {
        eprintln!("{} lines were skipped; the first of them:", recording.skipped);
        recording.first_skipped.iter().for_each(|line| eprintln!("  {line}"));
    }
    if recording.gaps_closed > 0 {
        eprintln!("{} gaps of more than a day were closed", recording.gaps_closed);
    }
    let replayed = recording.count_until_ns(session.end().0) as u64;
    if replayed < recording.taken {
        eprintln!(
            "the run ends after {:.3} s, before {} of the operations; a smaller --time-scale brings them in",
            session.end().0 as f64 / 1e9,
            recording.taken - replayed
        );
    }
}

/// Runs to the end, with a progress bar if a terminal watches; returns how long it took.
// The command line may look at the computer's clock: what it says is no part of the run.
#[allow(clippy::disallowed_methods)]
fn run_to_end(session: &mut Session) -> f64 {
    let began = std::time::Instant::now();
    let bar = ProgressBar::with_draw_target(Some(STEPS), ProgressDrawTarget::stderr());
    if bar.is_hidden() {
        session.run_until(session.end());
    } else {
        let style = ProgressStyle::with_template("{bar:30} {msg} simulated, {eta} to go");
        bar.set_style(style.expect("the template is valid"));
        let end = session.end().0;
        for step in 1..=STEPS {
            session.run_until(SimTime((u128::from(end) * u128::from(step) / u128::from(STEPS)) as u64));
            bar.set_message(session.now().to_string());
            bar.set_position(step);
        }
        bar.finish_and_clear();
    }
    began.elapsed().as_secs_f64() * 1_000.0
}

fn create(path: &Path) -> Result<(File, &Path), Unusable> {
    match File::create(path) {
        Ok(file) => Ok((file, path)),
        Err(error) => Err(Unusable::Unwritable { path: path.to_path_buf(), error }),
    }
}

fn directory(path: &Path) -> Result<&Path, Unusable> {
    match fs::create_dir_all(path) {
        Ok(()) => Ok(path),
        Err(error) => Err(Unusable::Unwritable { path: path.to_path_buf(), error }),
    }
}

fn write_history(session: &Session, file: File, path: &Path, report: &RunReport) -> Result<(), Unusable> {
    let mut out = BufWriter::new(file);
    let written = history_file::write(session, &mut out).and_then(|count| out.flush().map(|()| count));
    let count = written.map_err(|error| Unusable::Unwritable { path: path.to_path_buf(), error })?;
    let invoked: u64 = report.clusters.iter().map(|cluster| cluster.operations.invoked).sum();
    if count < invoked {
        eprintln!("{}: holds {count} of {invoked} operations; a history keeps no more", path.display());
    }
    Ok(())
}

fn write_report(session: &Session, directory: &Path, report: &RunReport) -> Result<(), Unusable> {
    let scenario = serde_json::to_string_pretty(session.scenario())
        .expect("a scenario has text keys and finite numbers");
    for (name, text) in [
        ("index.html", page::page(session, report)),
        ("report.json", report.to_json() + "\n"),
        ("scenario.json", scenario + "\n"),
    ] {
        let path: PathBuf = directory.join(name);
        fs::write(&path, text).map_err(|error| Unusable::Unwritable { path, error })?;
    }
    Ok(())
}
