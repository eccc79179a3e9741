//! What is counted of a counting service, from what its parts and viewers report.

use super::latency::{Latencies, LatencySummary};
use crate::check::views::{Compared, ViewLedger};
use crate::engine::{SimDuration, SimTime};
use crate::service::message::ServiceEvent;
use crate::service::tables::TableSizes;
use crate::workload::client::Completed;
use crate::workload::operation::KeyId;

/// Channels whose names are watched.
const CHANNELS_MAX: usize = 1_024;

/// The names that pages show of one channel.
#[derive(Clone, Copy, Debug)]
struct Name {
    channel: u32,
    newest: u64,
    /// When a page first showed the newest name, and when one last showed an older one after that.
    since: SimTime,
    old_until: Option<SimTime>,
}

/// Everything counted of one service.
#[derive(Clone)]
pub struct ServiceRecorder {
    pub views: ViewLedger,
    /// From when a view happened to when it is stored, and to when a reader shows it: of those that are followed.
    stored: Latencies,
    shown: Latencies,
    names: Vec<Name>,
    pub counts: ServiceCounts,
    /// What is counted, as of when it was last looked.
    pub compared: Compared,
}

/// Events, counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ServiceCounts {
    pub row_writes: u64,
    pub row_write_retries: u64,
    pub dead_letters_malformed: u64,
    pub dead_letters_late: u64,
    pub resumes: u64,
    pub fenced_checkpoints: u64,
    pub leader_changes: u64,
    /// Views that had been dropped from the log before they were read.
    pub views_overtaken: u64,
    pub batches_given_up: u64,
    pub times_held_back: u64,
    pub times_spilled: u64,
    pub jobs: u64,
    pub rows_renamed: u64,
}

/// What is said of one service.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ServiceSummary {
    pub compared: Compared,
    pub stored: LatencySummary,
    pub shown: LatencySummary,
    /// For how long pages of one channel showed different names, at most.
    pub names_disagreed_ms: f64,
    pub counts: ServiceCounts,
}

impl ServiceRecorder {
    pub fn new(sizes: &TableSizes) -> ServiceRecorder {
        ServiceRecorder {
            views: ViewLedger::new(sizes.videos, sizes.windows, sizes.window),
            stored: Latencies::default(),
            shown: Latencies::default(),
            names: Vec::new(),
            counts: ServiceCounts::default(),
            compared: Compared::default(),
        }
    }

    pub fn asked(&mut self, video: KeyId, now: SimTime) {
        self.views.asked(video, now);
    }

    pub fn ended(&mut self, done: &Completed) {
        self.views.ended(done);
    }

    pub fn shown(&mut self, after: SimDuration) {
        self.shown.record(after);
    }

    /// Takes in what a part of the service reports.
    pub fn event(&mut self, event: &ServiceEvent, now: SimTime) {
        let counts = &mut self.counts;
        match *event {
            ServiceEvent::Followed { after } => self.stored.record(after),
            ServiceEvent::Written { is_retry } => {
                counts.row_writes += 1;
                counts.row_write_retries += u64::from(is_retry);
            }
            ServiceEvent::DeadLetter { video, at, is_late, .. } => {
                if is_late {
                    counts.dead_letters_late += 1;
                    self.views.put_aside(video, at);
                } else {
                    counts.dead_letters_malformed += 1;
                }
            }
            ServiceEvent::Resumed { .. } => counts.resumes += 1,
            ServiceEvent::Fenced { .. } => counts.fenced_checkpoints += 1,
            ServiceEvent::Leads { .. } => counts.leader_changes += 1,
            ServiceEvent::Overtaken { views, .. } => counts.views_overtaken += views,
            ServiceEvent::BatchLost { .. } => counts.batches_given_up += 1,
            ServiceEvent::HoldsBack { .. } => counts.times_held_back += 1,
            ServiceEvent::Spills { .. } => counts.times_spilled += 1,
            ServiceEvent::Job { begins, .. } => counts.jobs += u64::from(begins),
            ServiceEvent::Renamed { rows, .. } => counts.rows_renamed += u64::from(rows),
            ServiceEvent::Page { channel, name } => self.page(channel, name, now),
            _ => {}
        }
    }

    fn page(&mut self, channel: u32, shown: u64, now: SimTime) {
        match self.names.iter_mut().find(|name| name.channel == channel) {
            Some(name) if shown > name.newest => {
                (name.newest, name.since, name.old_until) = (shown, now, None);
            }
            Some(name) if shown < name.newest => name.old_until = Some(now),
            Some(_) => {}
            // Before its first change there is nothing to watch.
            None if shown == 0 => {}
            None => {
                if self.names.len() < CHANNELS_MAX {
                    self.names.push(Name { channel, newest: shown, since: now, old_until: None });
                }
            }
        }
    }

    pub fn summary(&self) -> ServiceSummary {
        let disagreed = self.names.iter().filter_map(|name| Some(name.old_until?.since(name.since)));
        ServiceSummary {
            compared: self.compared,
            stored: self.stored.summary(),
            shown: self.shown.summary(),
            names_disagreed_ms: disagreed.max().map_or(0.0, SimDuration::as_ms_f64),
            counts: self.counts,
        }
    }
}
