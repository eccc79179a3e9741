//! Share links: a run as text, to stand behind the `#` of an address.
//!
//! Scenario, seed and commands are the whole reproduction of a run; a link
//! holds them, and with them the trace hash that the run then had, so that
//! whoever opens it can see that theirs is the same.
//!
//! ```text
//! 1.  base64url( deflate(JSON)  checksum )
//! ^   ^                         ^ four bytes: deflate has none of its own, and a damaged
//! |   |                           link must not open as another run
//! |   without padding
//! version of the link
//! ```
//!
//! Links come from strangers. Length, unpacked length, scenario and every
//! command are checked before anything runs; no text makes this panic or grow without bound.

use super::command::{COMMANDS_MAX, Command, LoggedCommand};
use crate::engine::random::bytes_hash;
use crate::engine::{SimDuration, SimTime};
use crate::scenario::document;
use crate::scenario::validate::validate_command;
use crate::scenario::{self, Scenario, ScenarioError};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use miniz_oxide::deflate::compress_to_vec;
use miniz_oxide::inflate::{TINFLStatus, decompress_to_vec_with_limit};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Longest link, in characters.
pub const LINK_CHARS_MAX: usize = 64 << 10;
/// Most bytes that a link may unpack to.
pub const UNPACKED_BYTES_MAX: usize = 1 << 20;

const VERSION: &str = "1";
const COMPRESSION_LEVEL: u8 = 9;
const CHECKSUM_BYTES: usize = 4;

/// A run that can be opened again.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ShareLink {
    pub scenario: Scenario,
    pub seed: u64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub commands: Vec<LoggedCommand>,
    /// Of the run at `at`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace_hash: Option<u64>,
    /// Where the run stood.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<SimTime>,
}

/// Why a link cannot be made or opened. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum LinkError {
    #[error(
        "the run is too large for a link: {chars} characters, and at most {LINK_CHARS_MAX} are allowed; share it as a scenario file"
    )]
    RunTooLarge { chars: usize },
    #[error("the link has {chars} characters; at most {LINK_CHARS_MAX} are allowed")]
    TooLong { chars: usize },
    #[error("this is no share link: it must begin with `{VERSION}.`")]
    NotALink,
    #[error(
        "the link is of version {0}; this program reads version {VERSION}: open it with the program that made it, or a newer one"
    )]
    Version(String),
    #[error("the link is damaged ({0}); copy it again, all of it")]
    Damaged(&'static str),
    #[error(
        "the link unpacks to more than {UNPACKED_BYTES_MAX} bytes, which no run needs; it was not opened"
    )]
    UnpacksTooLarge,
    #[error("the link holds no run: {0}")]
    NotARun(String),
    #[error("the link's scenario cannot be used: {0}")]
    Scenario(#[from] ScenarioError),
    #[error("the link holds {0} commands; at most {COMMANDS_MAX} are allowed")]
    TooManyCommands(usize),
    #[error("command {number} of the link {problem}")]
    Command { number: usize, problem: String },
    #[error("the link points to {at}, after the end of its run at {end}")]
    After { at: SimTime, end: SimTime },
}

/// What stands in a link, beside its scenario.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Content {
    seed: u64,
    #[serde(default)]
    commands: Vec<LoggedCommand>,
    #[serde(default)]
    trace_hash: Option<u64>,
    #[serde(default)]
    at: Option<SimTime>,
}

impl ShareLink {
    /// The text of the link, without `#`.
    pub fn encode(&self) -> Result<String, LinkError> {
        let json = serde_json::to_string(self).map_err(not_a_run)?;
        let mut bytes = compress_to_vec(json.as_bytes(), COMPRESSION_LEVEL);
        bytes.extend(checksum(&bytes));
        let link = format!("{VERSION}.{}", URL_SAFE_NO_PAD.encode(bytes));
        if link.len() > LINK_CHARS_MAX || json.len() > UNPACKED_BYTES_MAX {
            return Err(LinkError::RunTooLarge { chars: link.len() });
        }
        Ok(link)
    }

    /// Opens a link, with or without its `#`. What it gives can be run as it is.
    pub fn decode(link: &str) -> Result<ShareLink, LinkError> {
        if link.len() > LINK_CHARS_MAX {
            return Err(LinkError::TooLong { chars: link.len() });
        }
        let json = unpack(link.trim().trim_start_matches('#'))?;
        let mut tree = document::parse_tree(&json).map_err(not_a_run)?;
        // The scenario has a version of its own, and is read by its own rules.
        let scenario = tree.as_object_mut().and_then(|fields| fields.remove("scenario"));
        let scenario = scenario.ok_or_else(|| LinkError::NotARun("the scenario is missing".to_string()))?;
        let content: Content = document::read(&tree).map_err(not_a_run)?;
        let link = ShareLink {
            scenario: scenario::parse::from_tree(&scenario, None)?,
            seed: content.seed,
            commands: content.commands,
            trace_hash: content.trace_hash,
            at: content.at,
        };
        link.validate()?;
        Ok(link)
    }

    fn validate(&self) -> Result<(), LinkError> {
        let end = SimTime::ZERO + SimDuration::from_ms_f64(self.scenario.duration_ms);
        if let Some(at) = self.at.filter(|at| *at > end) {
            return Err(LinkError::After { at, end });
        }
        if self.commands.len() > COMMANDS_MAX {
            return Err(LinkError::TooManyCommands(self.commands.len()));
        }
        let mut before = SimTime::ZERO;
        let mut faults = self.scenario.faults.len();
        for (index, logged) in self.commands.iter().enumerate() {
            let wrong = |problem| LinkError::Command { number: index + 1, problem };
            if logged.at > end {
                return Err(wrong(format!("acts at {}, after the end of the run at {end}", logged.at)));
            }
            if logged.at < before {
                return Err(wrong(format!("acts at {}, before the one ahead of it at {before}", logged.at)));
            }
            before = logged.at;
            match &logged.command {
                Command::Begin { fault, for_ms } => {
                    validate_command(&self.scenario, fault, *for_ms)
                        .map_err(|error| wrong(format!("cannot be used: {error}")))?;
                    faults += 1;
                }
                Command::Lift { fault } if (*fault as usize) < faults => {}
                Command::Lift { fault } => {
                    return Err(wrong(format!("lifts fault {fault}, but there are only {faults} by then")));
                }
            }
        }
        Ok(())
    }
}

fn not_a_run(error: impl std::fmt::Display) -> LinkError {
    LinkError::NotARun(error.to_string())
}

fn unpack(link: &str) -> Result<String, LinkError> {
    let (version, text) = link.split_once('.').ok_or(LinkError::NotALink)?;
    if version != VERSION {
        // A short number is a version that is yet to come; anything else was never a link.
        let is_version =
            (1..=4).contains(&version.len()) && version.bytes().all(|byte| byte.is_ascii_digit());
        return Err(if is_version { LinkError::Version(version.to_string()) } else { LinkError::NotALink });
    }
    let bytes = URL_SAFE_NO_PAD
        .decode(text)
        .map_err(|_| LinkError::Damaged("it has a character that no link has, or lacks some"))?;
    let packed_bytes =
        bytes.len().checked_sub(CHECKSUM_BYTES).ok_or(LinkError::Damaged("it is too short"))?;
    let (packed, expected) = bytes.split_at(packed_bytes);
    if checksum(packed) != expected {
        return Err(LinkError::Damaged("its checksum does not match"));
    }
    let unpacked =
        decompress_to_vec_with_limit(packed, UNPACKED_BYTES_MAX).map_err(|error| match error.status {
            TINFLStatus::HasMoreOutput => LinkError::UnpacksTooLarge,
            _ => LinkError::Damaged("it cannot be unpacked"),
        })?;
    let json = String::from_utf8(unpacked).map_err(|_| LinkError::Damaged("it does not unpack to text"))?;
    Ok(json)
}

fn checksum(packed: &[u8]) -> [u8; CHECKSUM_BYTES] {
    let hash = bytes_hash(packed);
    ((hash ^ (hash >> 32)) as u32).to_le_bytes()
}
