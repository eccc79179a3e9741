//! Counts what in a cluster needed somebody's hands, from what its nodes report. What an operator does to it is
//! counted from the faults, by `session::bill`.

use crate::engine::SimDuration;
use crate::measure::effort::{Incident, Incidents};
use crate::sql::event::SqlEvent;

/// The configuration service may be without a leader for so long before somebody has to look.
const LEADERLESS_MAX: SimDuration = SimDuration::from_ms(5_000);

/// What counts.
#[derive(Clone, Default)]
pub struct IncidentWatch {
    counts: Incidents,
    /// By shard: whether nobody can be promoted, until somebody is.
    stuck: Vec<bool>,
    /// For so long nobody has led the configuration service.
    leaderless: SimDuration,
    is_gone: bool,
}

impl IncidentWatch {
    pub fn counts(&self) -> Incidents {
        self.counts
    }

    pub fn count(&mut self, incident: Incident) {
        self.counts.count(incident, 1);
    }

    /// Takes in what a part of a SQL cluster reports.
    pub fn hear(&mut self, event: &SqlEvent) {
        match *event {
            SqlEvent::NobodyToPromote { shard } | SqlEvent::FailoverBlocked { shard }
                if !std::mem::replace(self.shard(shard), true) =>
            {
                self.count(Incident::FailoverByHand);
            }
            SqlEvent::Promoted { shard, .. } => *self.shard(shard) = false,
            SqlEvent::SnapshotBegins { errant, .. } if errant > 0 => self.count(Incident::ErrantTransactions),
            SqlEvent::ShardRestored { .. } => self.count(Incident::Restore),
            _ => {}
        }
    }

    fn shard(&mut self, shard: u8) -> &mut bool {
        let shard = usize::from(shard);
        if self.stuck.len() <= shard {
            self.stuck.resize(shard + 1, false);
        }
        &mut self.stuck[shard]
    }

    /// Somebody led the configuration service at the end of a stretch of time, or nobody did.
    pub fn led(&mut self, somebody: bool, stretch: SimDuration) {
        if somebody {
            (self.leaderless, self.is_gone) = (SimDuration::ZERO, false);
            return;
        }
        self.leaderless = self.leaderless + stretch;
        if self.leaderless > LEADERLESS_MAX && !std::mem::replace(&mut self.is_gone, true) {
            self.count(Incident::ConfigGone);
        }
    }
}
