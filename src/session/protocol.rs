//! What the page and its worker say to each other, as postcard bytes.

use super::command::{Command, LoggedCommand};
use super::frame::{Frame, Layout};
use super::measured::Measured;
use serde::{Deserialize, Serialize};

/// From the page to the worker.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum ToWorker {
    /// Opens a scenario (JSON), paused at time zero or playing.
    Open {
        scenario: String,
        seed: Option<u64>,
        #[serde(with = "as_json")]
        commands: Vec<LoggedCommand>,
        play: bool,
    },
    /// Opens what a share link holds (the part after `#`).
    OpenLink {
        link: String,
        play: bool,
    },
    /// Replays recorded traffic in the open scenario, from the start. The text
    /// of the file; its name is for messages only.
    Record {
        file_name: String,
        text: String,
        time_scale: f64,
    },
    /// Puts a changed scenario (JSON) in the place of the open one and begins anew: same seed, same
    /// recorded traffic, without live commands. Plays on unless it was paused.
    Redesign {
        scenario: String,
    },
    Play,
    Pause,
    /// Simulated seconds per real second, 0.001 to 100.
    Speed(f64),
    /// Processes one event (of the cluster whose next event is earliest).
    StepEvent,
    /// Goes to a time; back by checkpoint and replay, forward by running.
    Seek {
        time_ns: u64,
    },
    Act(#[serde(with = "as_json")] Command),
    SwitchBranch {
        id: u32,
    },
    /// From the start, same seed unless another is given, without live commands.
    Restart {
        seed: Option<u64>,
    },
    /// Runs to the end as fast as it goes.
    RunToEnd,
    /// Fills the inspector in each frame.
    Inspect {
        cluster: u8,
        node: u16,
    },
    InspectNothing,
    /// Fills the bill of a cluster in each frame, or of none.
    Bill {
        cluster: Option<u8>,
    },
    /// The page has drawn the last frame; the next may be sent.
    Drawn,
    /// Asks for a share link of the run as it is.
    Share,
    /// Runs a scenario (JSON) to its end for the sake of one of its clusters, all at once: whoever does not
    /// want to wait ends the worker. What is open stays as it is.
    Measure {
        scenario: String,
        seed: u64,
        cluster: u8,
    },
}

/// From the worker to the page.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum FromWorker {
    /// The worker has started and can be talked to.
    Ready,
    Opened(Box<Layout>),
    /// Follows [`Opened`](FromWorker::Opened): the scenario of the run, every field of it, as JSON.
    Scenario {
        running: String,
        /// As it was before it was redesigned.
        as_opened: String,
    },
    Frame(Box<Frame>),
    /// The part after `#`.
    Link(String),
    /// Traffic was recorded: lines taken, lines that could not be read, and the first few of those.
    Recorded {
        taken: u64,
        skipped: u64,
        first_skipped: Vec<String>,
    },
    /// What was asked for can't be done; nothing changed. In words for the user.
    Refused(String),
    /// The scenario of a [`Redesign`](ToWorker::Redesign) can't be run; the old run goes on.
    RedesignRefused {
        /// Such as `clusters[0].sharded_sql.replicas`; empty where no field is to blame.
        field: String,
        /// Continues the field's name.
        problem: String,
    },
    /// What came of a [`Measure`](ToWorker::Measure).
    Measured(Measured),
}

/// Commands travel as JSON: the code that writes and reads them so is there for
/// share links, and another copy for postcard would be downloaded too.
mod as_json {
    use crate::scenario::document;
    use serde::de::{Deserialize, DeserializeOwned, Deserializer, Error};
    use serde::ser::{Error as _, Serialize, Serializer};

    pub fn serialize<T: Serialize, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
        let json = serde_json::to_string(value).map_err(S::Error::custom)?;
        serializer.serialize_str(&json)
    }

    pub fn deserialize<'de, T: DeserializeOwned, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<T, D::Error> {
        let json = String::deserialize(deserializer)?;
        let tree = document::parse_tree(&json).map_err(D::Error::custom)?;
        document::read(&tree).map_err(D::Error::custom)
    }
}
