//! Reads what a command names: scenarios and recorded traffic. Says what cannot be used, and why.

use faultline::scenario::error::UnknownName;
use faultline::scenario::limits::TEXT_BYTES_MAX;
use faultline::scenario::presets::{self, PRESETS, Preset};
use faultline::scenario::{self, Scenario, ScenarioError};
use faultline::sweep::plan::PlanError;
use faultline::workload::recorded::{self, Recording, RecordingError, SkippedLine};
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Why nothing was run, or its results could not be written.
#[derive(Debug, Error)]
pub enum Unusable {
    #[error("{unknown}")]
    NoSuchScenario { unknown: Box<UnknownName> },
    #[error("{unknown}; nor is there a file of this name")]
    NoSuchScenarioOrFile { unknown: Box<UnknownName> },
    #[error("cannot read {}: {error}", path.display())]
    Unreadable { path: PathBuf, error: io::Error },
    #[error("{}: {error}", path.display())]
    Scenario { path: PathBuf, error: ScenarioError },
    #[error("{error}")]
    Options { error: ScenarioError },
    #[error("{}: {error}", path.display())]
    Recording { path: PathBuf, error: RecordingError },
    #[error("{error}")]
    Plan { error: Box<PlanError> },
    #[error(
        "{} holds the rows of another sweep: {what}; name another file, or delete this one and its .plan.json",
        path.display()
    )]
    OtherTable { path: PathBuf, what: String },
    #[error("--cluster: {unknown}")]
    NoSuchCluster { unknown: Box<UnknownName> },
    #[error(
        "there is nothing to keep: give at least one of --read-p99-ms, --write-p99-ms, --success-min, --stale-share-max, --lost-writes-max"
    )]
    NoTarget,
    #[error("cannot write {}: {error}", path.display())]
    Unwritable { path: PathBuf, error: io::Error },
    #[error("cannot print: {error}")]
    Output { error: io::Error },
}

/// A scenario that comes with the program.
pub fn preset(name: &str) -> Result<Preset, Unusable> {
    presets::find(name).ok_or_else(|| Unusable::NoSuchScenario { unknown: unknown(name) })
}

fn unknown(name: &str) -> Box<UnknownName> {
    Box::new(UnknownName::new(
        "scenario",
        name,
        PRESETS.iter().map(|preset| preset.name.to_string()).collect(),
    ))
}

/// A scenario by name, or else from a file.
pub fn scenario(name_or_file: &str) -> Result<Scenario, Unusable> {
    let path = PathBuf::from(name_or_file);
    let parsed = match presets::find(name_or_file) {
        Some(preset) => preset.scenario(),
        None if !path.exists() => {
            return Err(Unusable::NoSuchScenarioOrFile { unknown: unknown(name_or_file) });
        }
        None => scenario::parse(&text(&path)?),
    };
    parsed.map_err(|error| Unusable::Scenario { path, error })
}

fn text(path: &Path) -> Result<String, Unusable> {
    let unreadable = |error| Unusable::Unreadable { path: path.to_path_buf(), error };
    let mut file = File::open(path).map_err(unreadable)?;
    let mut bytes = Vec::new();
    // One byte more than allowed: enough for the parser to say that it is too large.
    (&mut file).take(TEXT_BYTES_MAX as u64 + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() > TEXT_BYTES_MAX {
        let length = file.metadata().map_or(bytes.len(), |metadata| metadata.len() as usize);
        let error = ScenarioError::TooLarge { bytes: length };
        return Err(Unusable::Scenario { path: path.to_path_buf(), error });
    }
    String::from_utf8(bytes).map_err(|_| {
        unreadable(io::Error::new(
            io::ErrorKind::InvalidData,
            "it is not UTF-8 text; save it as UTF-8 and try again",
        ))
    })
}

/// Recorded traffic from a file. What lies beyond the bound of its size is not kept, only counted.
pub fn recording(path: &Path, time_scale: f64) -> Result<Recording, Unusable> {
    let unreadable = |error| Unusable::Unreadable { path: path.to_path_buf(), error };
    let mut file = File::open(path).map_err(unreadable)?;
    let mut bytes = Vec::new();
    (&mut file).take(recorded::TEXT_BYTES_MAX as u64).read_to_end(&mut bytes).map_err(unreadable)?;
    let left = lines_left(&mut file).map_err(unreadable)?;
    // The line that the bound cuts through is one of those that are left.
    if let (true, Some(end)) = (left > 0, bytes.iter().rposition(|byte| *byte == b'\n')) {
        bytes.truncate(end);
    }
    let mut recording = recorded::parse_bytes(&bytes, time_scale)
        .map_err(|error| Unusable::Recording { path: path.to_path_buf(), error })?;
    recording.skipped += left;
    if left > 0 && recording.first_skipped.len() < recorded::SKIPPED_SHOWN_MAX {
        let line = bytes.iter().filter(|byte| **byte == b'\n').count() as u64 + 2;
        let reason = format!("beyond the first {} MiB, like all that follow", recorded::TEXT_BYTES_MAX >> 20);
        recording.first_skipped.push(SkippedLine { line, reason, excerpt: String::new() });
    }
    Ok(recording)
}

/// Lines from here to the end of a file.
fn lines_left(file: &mut File) -> io::Result<u64> {
    let mut buffer = [0; 64 << 10];
    let (mut lines, mut is_open) = (0, false);
    loop {
        let count = file.read(&mut buffer)?;
        if count == 0 {
            return Ok(lines + u64::from(is_open));
        }
        lines += buffer[..count].iter().filter(|byte| **byte == b'\n').count() as u64;
        is_open = buffer[count - 1] != b'\n';
    }
}
