//! What can be wrong with a scenario, said so that it can be mended: what is
//! wrong, where, and what would be right.
//!
//! No variant leaves anything changed: a scenario that is refused was never used.

use super::limits::TEXT_BYTES_MAX;
use super::schema::SCENARIO_VERSION;
use std::fmt;
use thiserror::Error;

/// Possible names that a message lists at most.
const POSSIBLE_SHOWN_MAX: usize = 24;
/// Longest excerpt of what was found, in characters.
const FOUND_CHARS_MAX: usize = 80;

/// Why a scenario cannot be used.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum ScenarioError {
    /// Refused before it was read.
    #[error("the scenario has {bytes} bytes; at most {TEXT_BYTES_MAX} are allowed")]
    TooLarge { bytes: usize },
    /// The text is not JSON.
    #[error("the scenario is not readable as JSON: {problem} (line {line}, column {column})")]
    Unreadable { problem: String, line: usize, column: usize },
    /// No version, or one that this program does not know.
    #[error("{0}; this program reads version {SCENARIO_VERSION}")]
    Version(String),
    /// A field's value is out of its range, of the wrong type, missing or double.
    #[error("{}: {problem}{}", At(field), Line(*line))]
    WrongField {
        /// Such as `clusters[0].sharded_sql.shards[1].from`; empty for the scenario itself.
        field: String,
        /// Continues the field's name: what it is, and what it must be.
        problem: String,
        line: Option<usize>,
    },
    /// Something is named that does not exist: a field, a kind, a zone, a node …
    #[error("{}: {}{}", At(field), unknown, Line(*line))]
    UnknownName { field: String, unknown: Box<UnknownName>, line: Option<usize> },
}

/// A name that does not exist, with the ones that do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownName {
    /// What it should name: `field`, `zone`, `machine type` …
    pub what: &'static str,
    pub name: String,
    /// The possible name that is most like it, if one is like it at all.
    pub nearest: Option<String>,
    pub possible: Vec<String>,
}

impl UnknownName {
    pub fn new(what: &'static str, name: &str, possible: Vec<String>) -> UnknownName {
        let nearest = nearest(name, possible.iter().map(String::as_str)).map(str::to_string);
        UnknownName { what, name: shortened(name), nearest, possible }
    }
}

impl fmt::Display for UnknownName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "there is no {} `{}`", self.what, self.name)?;
        if let Some(nearest) = &self.nearest {
            write!(f, "; did you mean `{nearest}`?")?;
        } else {
            write!(f, ".")?;
        }
        match self.possible.len() {
            0 => write!(f, " There are none here"),
            count => {
                let shown = &self.possible[..count.min(POSSIBLE_SHOWN_MAX)];
                write!(f, " Possible: {}", shown.join(", "))?;
                match count - shown.len() {
                    0 => Ok(()),
                    more => write!(f, " and {more} more"),
                }
            }
        }
    }
}

impl ScenarioError {
    pub(crate) fn wrong(field: impl Into<String>, problem: impl Into<String>) -> ScenarioError {
        ScenarioError::WrongField { field: field.into(), problem: problem.into(), line: None }
    }

    pub(crate) fn unknown(
        field: impl Into<String>,
        what: &'static str,
        name: &str,
        possible: Vec<String>,
    ) -> ScenarioError {
        ScenarioError::UnknownName {
            field: field.into(),
            unknown: Box::new(UnknownName::new(what, name, possible)),
            line: None,
        }
    }

    /// The field that is wrong, where one is.
    pub fn field(&self) -> Option<&str> {
        match self {
            ScenarioError::WrongField { field, .. } | ScenarioError::UnknownName { field, .. } => Some(field),
            _ => None,
        }
    }
}

/// The possible name that is most like `name`: by edits, and by common beginning.
fn nearest<'a>(name: &str, possible: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    const LIKENESS_MIN: f64 = 0.7;
    // Comparing takes time by the product of the lengths, and no name is that long.
    if name.len() > 4 * FOUND_CHARS_MAX {
        return None;
    }
    let lower = name.to_ascii_lowercase();
    let mut best: Option<(f64, &str)> = None;
    for candidate in possible {
        let likeness = strsim::jaro_winkler(&lower, &candidate.to_ascii_lowercase());
        if likeness >= LIKENESS_MIN && best.is_none_or(|(most, _)| likeness > most) {
            best = Some((likeness, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

/// `text`, cut after some characters so that a message stays readable.
pub(crate) fn shortened(text: &str) -> String {
    match text.char_indices().nth(FOUND_CHARS_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_string(),
    }
}

struct At<'a>(&'a str);

impl fmt::Display for At<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() { write!(f, "scenario") } else { write!(f, "{}", self.0) }
    }
}

struct Line(Option<usize>);

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |line| write!(f, " (line {line})"))
    }
}
