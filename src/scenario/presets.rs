//! The scenarios that come with the program, the default first.
//!
//! Each is a file in `static/scenarios/`, and the page's gallery shows them in
//! this order. To add one: write the file, add it to `index.json` beside it and
//! here; a test holds the three together.

use super::error::ScenarioError;
use super::schema::Scenario;

/// A scenario by its name, as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Preset {
    pub name: &'static str,
    pub json: &'static str,
}

macro_rules! preset {
    ($name:literal) => {
        Preset { name: $name, json: include_str!(concat!("../../static/scenarios/", $name, ".json")) }
    };
}

/// All of them; [`default`] is the first.
pub const PRESETS: &[Preset] = &[
    preset!("video-views"),
    preset!("primary-crash"),
    preset!("zone-partition"),
    preset!("hot-key-spike"),
    preset!("slow-replica"),
    preset!("clock-skew"),
    preset!("cache-and-staleness"),
    preset!("shards-under-load"),
    preset!("failover-replication"),
    preset!("split-brain"),
    preset!("semi-sync-degrades"),
    preset!("github-2018"),
    preset!("cache-stampede"),
    preset!("retry-storm"),
    preset!("scatter-gather"),
    preset!("hot-shard-split"),
    preset!("schema-change"),
    preset!("backup-restore"),
    preset!("quorum-partition"),
    preset!("sloppy-hints"),
    preset!("lost-updates"),
    preset!("who-is-alive"),
    preset!("two-regions"),
    preset!("deletes-come-back"),
    preset!("compaction-debt"),
    preset!("speculative-retry"),
    preset!("join-under-load"),
    preset!("pbs-lnkd-ssd"),
    preset!("pbs-lnkd-disk"),
    preset!("count-views"),
    preset!("service-scale"),
    preset!("service-reliable"),
    preset!("service-fast"),
    preset!("database-down"),
    preset!("what-is-stored"),
    preset!("stream-or-batch"),
    preset!("a-page-and-a-rename"),
    preset!("poison"),
];

/// The preset with this name.
pub fn find(name: &str) -> Option<Preset> {
    PRESETS.iter().copied().find(|preset| preset.name == name)
}

/// What the page opens with.
pub fn default() -> Preset {
    PRESETS[0]
}

impl Preset {
    /// Reads and checks it like any other file.
    pub fn scenario(&self) -> Result<Scenario, ScenarioError> {
        super::parse(self.json)
    }
}
