//! Recorded traffic: a file of real requests, to be replayed with its own timing.
//!
//! Two formats, told apart by the first line that one of them can read:
//!
//! ```text
//! CSV         time_ms, operation, key, bytes
//!             0, get, /watch/42, 812
//! access log  203.0.113.7 - - [10/Oct/2000:13:55:36 -0700] "GET /watch/42 HTTP/1.0" 200 2326
//! ```
//!
//! What becomes of the times:
//!
//! - The earliest operation is at 0, the others as long after it as recorded,
//!   times the time scale (0.1 replays ten times as fast). Lines out of order are sorted;
//!   operations of the same time keep their order.
//! - Access logs know whole seconds only. The operations of one second are
//!   spread evenly over it, in their order: all at once would be a burst that nobody sent.
//! - A gap of more than a day is not traffic but a hole in the recording, or a
//!   wrong date: it is closed to [`CLOSED_GAP_MS`] and counted.
//!
//! A line that cannot be read is skipped and counted, the first few are kept
//! with their reasons, and the rest is replayed. Blank lines and a CSV's header count as nothing.
//! Every bound is a constant below; what lies beyond one is skipped likewise.

mod access_log;
mod csv;

use crate::engine::order::{key_of, places_by};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::fmt;
use thiserror::Error;

/// Bytes of a file that are read at most.
pub const TEXT_BYTES_MAX: usize = 64 << 20;
/// Operations that are taken at most.
pub const OPERATIONS_MAX: usize = 2_000_000;
/// Different keys that are taken at most.
pub const KEYS_MAX: usize = 1_000_000;
/// Longest line.
pub const LINE_BYTES_MAX: usize = 64 << 10;
/// Largest size that an operation may have: one gibibyte.
pub const SIZE_BYTES_MAX: u32 = 1 << 30;
/// Skipped lines that are kept to be shown.
pub const SKIPPED_SHOWN_MAX: usize = 10;
/// Characters of a skipped line that are shown.
pub const EXCERPT_CHARS_MAX: usize = 120;
/// Longest time between two operations that counts as recorded: a day.
pub const GAP_MS_MAX: f64 = 86_400_000.0;
/// What a longer gap is closed to, before scaling.
pub const CLOSED_GAP_MS: f64 = 1_000.0;
/// Smallest and largest factor that times may be multiplied by.
pub const TIME_SCALE_MIN: f64 = 1e-6;
pub const TIME_SCALE_MAX: f64 = 1e6;

const SECOND_MS: f64 = 1_000.0;
const NANOS_PER_MS: f64 = 1e6;

/// A recording, ready to be replayed.
#[derive(Clone, Debug, PartialEq)]
pub struct Recording {
    /// In order of time.
    pub operations: Vec<RecordedOperation>,
    /// Every different key, in the order in which the lines name them.
    pub keys: Vec<String>,
    /// Lines that became operations.
    pub taken: u64,
    /// Lines that could not be read, or lay beyond a bound.
    pub skipped: u64,
    /// The first of those.
    pub first_skipped: Vec<SkippedLine>,
    /// Gaps of more than a day that were closed.
    pub gaps_closed: u64,
    pub format: Format,
}

/// One operation of a recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordedOperation {
    /// Since the earliest operation, after scaling.
    pub at_ns: u64,
    /// Its place in [`Recording::keys`].
    pub key: u32,
    pub is_write: bool,
    /// As recorded. An access log gives the reply's size, for writes too.
    pub bytes: u32,
}

/// A line that was not taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SkippedLine {
    /// Counted from 1.
    pub line: u64,
    pub reason: String,
    /// Its beginning, without control characters.
    pub excerpt: String,
}

impl fmt::Display for SkippedLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}: {}", self.line, self.reason, self.excerpt)
    }
}

/// How a recording was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    Csv,
    /// A web server's, common or combined.
    AccessLog,
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Format::Csv => "CSV",
            Format::AccessLog => "access log",
        })
    }
}

/// Why a file cannot be replayed at all. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum RecordingError {
    #[error(
        "the time scale is {0}; it must be a number from {TIME_SCALE_MIN} to {TIME_SCALE_MAX} (0.1 replays ten times as fast)"
    )]
    TimeScale(f64),
    #[error(
        "the recording is empty; it must be CSV (time_ms, operation, key, bytes) or a web server's access log"
    )]
    Empty,
    #[error("the recording is {0}")]
    NotText(&'static str),
    #[error(
        "none of the {skipped} lines can be read; the recording must be CSV (time_ms, operation, key, bytes) \
         or a web server's access log in the common or combined format{}",
        Listed(first)
    )]
    Unreadable { skipped: u64, first: Vec<SkippedLine> },
}

struct Listed<'a>(&'a [SkippedLine]);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|line| write!(f, "\n  {line}"))
    }
}

/// Reads a recording; times are multiplied by `time_scale`.
pub fn parse(text: &str, time_scale: f64) -> Result<Recording, RecordingError> {
    parse_bytes(text.as_bytes(), time_scale)
}

/// Reads a recording that may hold bytes that are not UTF-8; they become replacement characters.
pub fn parse_bytes(bytes: &[u8], time_scale: f64) -> Result<Recording, RecordingError> {
    if !(TIME_SCALE_MIN..=TIME_SCALE_MAX).contains(&time_scale) {
        return Err(RecordingError::TimeScale(time_scale));
    }
    match bytes {
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => {
            return Err(RecordingError::NotText("in UTF-16; save it as UTF-8 and try again"));
        }
        [0x1f, 0x8b, ..] => {
            return Err(RecordingError::NotText("compressed with gzip; unpack it and try again"));
        }
        _ => {}
    }
    let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
    let mut reading = Reading::default();
    let mut read = 0;
    for (index, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
        read += line.len() + 1;
        reading.line(index as u64 + 1, line.strip_suffix(b"\r").unwrap_or(line), read > TEXT_BYTES_MAX + 1);
    }
    reading.finish(time_scale)
}

impl Recording {
    /// When the last operation is invoked, from the start of the run.
    pub fn end_ns(&self) -> u64 {
        self.operations.last().map_or(0, |operation| operation.at_ns)
    }

    /// How many operations are invoked in a run that ends then; at its very end counts.
    pub fn count_until_ns(&self, end_ns: u64) -> usize {
        self.operations.partition_point(|operation| operation.at_ns <= end_ns)
    }
}

/// What one line says.
struct Entry<'a> {
    /// Of any epoch.
    time_ms: f64,
    key: Cow<'a, str>,
    is_write: bool,
    bytes: u32,
}

/// An operation before its time is known to the others.
#[derive(Clone, Copy)]
struct Taken {
    time_ms: f64,
    key: u32,
    is_write: bool,
    bytes: u32,
}

/// A recording while its lines are read.
#[derive(Default)]
struct Reading {
    format: Option<Format>,
    csv: csv::Lines,
    operations: Vec<Taken>,
    keys: Vec<String>,
    /// Each key's place. The map of JSON trees: the page has it anyway, and another one is kilobytes of download.
    key_places: Map<String, Value>,
    skipped: u64,
    first_skipped: Vec<SkippedLine>,
}

impl Reading {
    fn line(&mut self, number: u64, bytes: &[u8], beyond_text: bool) {
        if bytes.iter().all(u8::is_ascii_whitespace) {
            return;
        }
        if beyond_text {
            return self.skip(number, bytes, format!("beyond the first {} MiB", TEXT_BYTES_MAX >> 20));
        }
        if bytes.len() > LINE_BYTES_MAX {
            return self.skip(number, bytes, format!("longer than {} KiB", LINE_BYTES_MAX >> 10));
        }
        let text = String::from_utf8_lossy(bytes);
        match self.read(&text) {
            Ok(Some(entry)) => {
                if let Err(reason) = self.take(entry) {
                    self.skip(number, bytes, reason);
                }
            }
            Ok(None) => {}
            Err(reason) => self.skip(number, bytes, reason),
        }
    }

    /// What a line says; none if it is a header. The first line that can be read fixes the format.
    fn read<'a>(&mut self, text: &'a str) -> Result<Option<Entry<'a>>, String> {
        match self.format {
            Some(Format::Csv) => self.csv.read(text).map(Some),
            Some(Format::AccessLog) => access_log::read(text).map(Some),
            None => {
                if self.csv.is_header(text) {
                    self.format = Some(Format::Csv);
                    return Ok(None);
                }
                if let Ok(entry) = access_log::read(text) {
                    self.format = Some(Format::AccessLog);
                    return Ok(Some(entry));
                }
                match self.csv.read(text) {
                    Ok(entry) => {
                        self.format = Some(Format::Csv);
                        Ok(Some(entry))
                    }
                    // Neither: say what is wrong by the format that it looks like.
                    Err(reason) if !text.contains(['[', '"']) => Err(reason),
                    Err(_) => access_log::read(text).map(Some),
                }
            }
        }
    }

    fn take(&mut self, entry: Entry) -> Result<(), String> {
        if self.operations.len() >= OPERATIONS_MAX {
            return Err(format!("beyond the first {OPERATIONS_MAX} operations"));
        }
        let place = self.key_places.get(entry.key.as_ref()).and_then(Value::as_u64);
        let key = match place {
            Some(place) => place as u32,
            None if self.keys.len() >= KEYS_MAX => {
                return Err(format!("a new key beyond the first {KEYS_MAX}"));
            }
            None => {
                let place = self.keys.len() as u32;
                self.keys.push(entry.key.to_string());
                self.key_places.insert(entry.key.into_owned(), place.into());
                place
            }
        };
        let Entry { time_ms, is_write, bytes, .. } = entry;
        self.operations.push(Taken { time_ms, key, is_write, bytes });
        Ok(())
    }

    fn skip(&mut self, line: u64, bytes: &[u8], reason: String) {
        self.skipped += 1;
        if self.first_skipped.len() < SKIPPED_SHOWN_MAX {
            self.first_skipped.push(SkippedLine { line, reason, excerpt: excerpt(bytes) });
        }
    }

    fn finish(mut self, time_scale: f64) -> Result<Recording, RecordingError> {
        let format = match self.format {
            Some(format) if !self.operations.is_empty() => format,
            _ if self.skipped == 0 => return Err(RecordingError::Empty),
            _ => return Err(RecordingError::Unreadable { skipped: self.skipped, first: self.first_skipped }),
        };
        let order = places_by(self.operations.len(), |at| key_of(self.operations[at].time_ms));
        self.operations = order.iter().map(|at| self.operations[*at as usize]).collect();
        if format == Format::AccessLog {
            spread_over_seconds(&mut self.operations);
        }
        let gaps_closed = close_gaps(&mut self.operations);
        let operations: Vec<RecordedOperation> = self
            .operations
            .into_iter()
            .map(|taken| RecordedOperation {
                // `as` saturates; adding a half rounds to the nearest nanosecond.
                at_ns: (taken.time_ms * time_scale * NANOS_PER_MS + 0.5) as u64,
                key: taken.key,
                is_write: taken.is_write,
                bytes: taken.bytes,
            })
            .collect();
        Ok(Recording {
            taken: operations.len() as u64,
            operations,
            keys: self.keys,
            skipped: self.skipped,
            first_skipped: self.first_skipped,
            gaps_closed,
            format,
        })
    }
}

/// Gives the k operations of one second the times 0, 1/k, 2/k … of it.
fn spread_over_seconds(operations: &mut [Taken]) {
    for second in operations.chunk_by_mut(|a, b| a.time_ms == b.time_ms) {
        let count = second.len() as f64;
        for (place, operation) in second.iter_mut().enumerate() {
            operation.time_ms += SECOND_MS * place as f64 / count;
        }
    }
}

/// Counts times from the first operation and closes long gaps; how many there were.
fn close_gaps(operations: &mut [Taken]) -> u64 {
    let mut closed = 0;
    let Some(mut before_ms) = operations.first().map(|first| first.time_ms) else { return 0 };
    let mut left_out_ms = before_ms;
    for operation in operations {
        let gap_ms = operation.time_ms - before_ms;
        before_ms = operation.time_ms;
        if gap_ms > GAP_MS_MAX {
            closed += 1;
            left_out_ms += gap_ms - CLOSED_GAP_MS;
        }
        operation.time_ms = (operation.time_ms - left_out_ms).max(0.0);
    }
    closed
}

/// The beginning of a line, safe to print.
fn excerpt(bytes: &[u8]) -> String {
    // A character has at most four bytes.
    let beginning = String::from_utf8_lossy(&bytes[..bytes.len().min(4 * EXCERPT_CHARS_MAX)]);
    let visible = |c: char| if c.is_control() { '\u{b7}' } else { c };
    let mut text: String = beginning.chars().take(EXCERPT_CHARS_MAX).map(visible).collect();
    if beginning.chars().count() > EXCERPT_CHARS_MAX {
        text.pop();
        text.push('…');
    }
    text
}

/// What was found, as a reason quotes it.
fn quoted(text: &str) -> String {
    const QUOTED_CHARS_MAX: usize = 40;
    let visible = |c: char| if c.is_control() { '\u{b7}' } else { c };
    let mut quoted: String = text.chars().take(QUOTED_CHARS_MAX).map(visible).collect();
    if text.chars().nth(QUOTED_CHARS_MAX).is_some() {
        quoted.push('…');
    }
    format!("\"{quoted}\"")
}

/// A size in bytes; `-` and nothing are 0.
fn size(text: &str) -> Result<u32, String> {
    if matches!(text, "" | "-") {
        return Ok(0);
    }
    match text.parse::<u64>() {
        Ok(bytes) if bytes <= u64::from(SIZE_BYTES_MAX) => Ok(bytes as u32),
        _ => Err(format!(
            "the size is {}; it must be a whole number up to {SIZE_BYTES_MAX}, or -",
            quoted(text)
        )),
    }
}
