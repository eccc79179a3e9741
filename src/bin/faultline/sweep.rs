//! `faultline sweep`: runs every combination, and writes a row for each; goes on where it was left.
//!
//! Beside a table stands what it is a table of, as `FILE.csv.plan.json`. A sweep that is started again
//! keeps the rows that are there, drops the last one if it is torn, and runs the rest. With another plan
//! it refuses, whatever the file holds.

use super::input::{self, Unusable};
use super::{SweepOptions, print};
use faultline::sweep::limits::WAITING_PER_JOB_MAX;
use faultline::sweep::plan::{Plan, Slice};
use faultline::sweep::pool;
use faultline::sweep::row::Table;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::{Value, json};
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, ErrorKind, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread;

pub fn sweep(options: &SweepOptions) -> Result<ExitCode, Unusable> {
    let scenario = input::scenario(&options.scenario)?;
    let plan = Plan::new(&scenario, &options.vary, options.seeds)
        .map_err(|error| Unusable::Plan { error: Box::new(error) })?;
    let slice = options.slice.unwrap_or(Slice::WHOLE);
    let table = Table::of(&plan);
    let all = plan.slice(slice);
    let header = if slice.number == 1 { table.header() } else { String::new() };
    if plan.unusable_runs() > 0 {
        eprintln!(
            "{} of the {} runs cannot be run: the column `error` says why",
            plan.unusable_runs(),
            plan.runs()
        );
    }
    let jobs = options.jobs.unwrap_or_else(jobs);
    let bar = progress(&all);
    let Some(path) = &options.out else {
        print(&header)?;
        let mut result = Ok(());
        run(&table, all, jobs, &bar, |row| match io::stdout().lock().write_all(row.as_bytes()) {
            Ok(()) => true,
            // A reader who has seen enough (`| head`) is no error.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => false,
            Err(error) => {
                result = Err(Unusable::Output { error });
                false
            }
        });
        return result.map(|()| ExitCode::SUCCESS);
    };
    let unwritable = |error| Unusable::Unwritable { path: path.clone(), error };
    let (mut file, rows) = open(path, &header, &all, &description(&plan, slice, &table))?;
    let left = all.start + rows..all.end;
    if rows > 0 {
        eprintln!("{}: {rows} of {} rows are there already", path.display(), all.end - all.start);
    }
    bar.set_position(rows);
    let mut written = Ok(());
    // Each row is written at once, so that whatever ends this leaves whole rows, but for the last.
    run(&table, left, jobs, &bar, |row| {
        written = file.write_all(row.as_bytes());
        written.is_ok()
    });
    written.map_err(unwritable)?;
    eprintln!("{}: {} rows", path.display(), all.end - all.start);
    Ok(ExitCode::SUCCESS)
}

fn run(table: &Table, runs: Range<u64>, jobs: usize, bar: &ProgressBar, mut write: impl FnMut(&str) -> bool) {
    pool::in_order(
        jobs,
        jobs * WAITING_PER_JOB_MAX,
        runs,
        |run| table.row(run),
        |_, row| {
            bar.inc(1);
            write(&row)
        },
    );
    bar.finish_and_clear();
}

/// As many as the computer has cores.
pub fn jobs() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

/// A bar, if a terminal watches.
pub fn progress(runs: &Range<u64>) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(runs.end - runs.start), ProgressDrawTarget::stderr());
    let style = ProgressStyle::with_template("{bar:30} {pos} of {len} runs, {eta} to go");
    bar.set_style(style.expect("the template is valid"));
    bar
}

/// All that decides what stands in the table.
fn description(plan: &Plan, slice: Slice, table: &Table) -> Value {
    let varied = plan.varied().iter().map(|varied| json!({"path": varied.name, "values": varied.values}));
    json!({
        "faultline": env!("CARGO_PKG_VERSION"),
        "scenario": plan.scenario(),
        "vary": varied.collect::<Vec<Value>>(),
        "seeds": [plan.seeds().first, plan.seeds().last],
        "slice": [slice.number, slice.of],
        "columns": table.header(),
    })
}

/// Opens a table to be gone on with, and says how many rows it has; what is torn is cut off.
fn open(path: &Path, header: &str, all: &Range<u64>, description: &Value) -> Result<(File, u64), Unusable> {
    let unwritable = |error| Unusable::Unwritable { path: path.to_path_buf(), error };
    let plan_path = PathBuf::from(format!("{}.plan.json", path.display()));
    let has_rows = path.metadata().is_ok_and(|metadata| metadata.len() > 0);
    if has_rows {
        check_description(path, &plan_path, description)?;
    } else {
        fs::write(&plan_path, format!("{description:#}\n"))
            .map_err(|error| Unusable::Unwritable { path: plan_path, error })?;
    }
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)
        .map_err(unwritable)?;
    let (bytes, rows) = whole_rows(&file, path, header, all)?;
    file.set_len(bytes).and_then(|()| file.seek(SeekFrom::End(0))).map_err(unwritable)?;
    if bytes == 0 {
        file.write_all(header.as_bytes()).map_err(unwritable)?;
    }
    Ok((file, rows))
}

fn check_description(path: &Path, plan_path: &Path, description: &Value) -> Result<(), Unusable> {
    let other = |what: String| Unusable::OtherTable { path: path.to_path_buf(), what };
    let text = fs::read_to_string(plan_path)
        .map_err(|_| other(format!("there is no {} beside it that says of which", plan_path.display())))?;
    let found: Value = serde_json::from_str(&text).unwrap_or_default();
    let fields = description.as_object().expect("it is an object");
    match fields.iter().find(|(name, value)| found[name.as_str()] != **value) {
        None => Ok(()),
        Some((name, _)) if name == "scenario" => Err(other("of another scenario".to_string())),
        Some((name, value)) => {
            Err(other(format!("its {name} was {}, and now is {value}", found[name.as_str()])))
        }
    }
}

/// Bytes and rows up to where the table is whole.
fn whole_rows(file: &File, path: &Path, header: &str, all: &Range<u64>) -> Result<(u64, u64), Unusable> {
    let unreadable = |error| Unusable::Unreadable { path: path.to_path_buf(), error };
    let mut reader = BufReader::new(file);
    let (mut bytes, mut rows) = (0, 0);
    let mut line = Vec::new();
    loop {
        line.clear();
        reader.read_until(b'\n', &mut line).map_err(unreadable)?;
        if line.last() != Some(&b'\n') {
            return Ok((bytes, rows));
        }
        let is_header = bytes == 0 && !header.is_empty();
        let run = all.start + rows;
        let is_ours = match is_header {
            true => line == header.as_bytes(),
            false => run < all.end && line.starts_with(format!("{},", run + 1).as_bytes()),
        };
        if !is_ours {
            let what = format!("its line {} is none of this sweep", u64::from(!header.is_empty()) + rows + 1);
            return Err(Unusable::OtherTable { path: path.to_path_buf(), what });
        }
        bytes += line.len() as u64;
        rows += u64::from(!is_header);
    }
}
