//! What a report says of a counting service.

use super::run_report::{Latency, latency};
use crate::cluster::role::Role;
use crate::cluster::run::ClusterRun;
use crate::engine::SimTime;
use crate::service::settings::Trigger;
use serde::Serialize;

/// A counting service, from the start of the run to where it stands now.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ServiceReport {
    pub views: ViewsReport,
    /// From when a view happened to when it is stored in the database, and to when a reader shows it; of the views
    /// that are followed.
    pub stored_after_ms: Latency,
    pub shown_after_ms: Latency,
    /// Views in the log that no worker has counted yet.
    pub log_lag_views: u64,
    /// Writes of rows that were answered or given up, and of these the ones that have to be repeated.
    pub row_writes: u64,
    pub row_write_retries: u64,
    /// Writes of rows for each view that was taken.
    pub row_writes_per_view: Option<f64>,
    /// Payload of the rows of the database that count, each once, and of the views in the object store.
    pub database_mb: f64,
    pub object_store_mb: f64,
    /// Stored views by kind of device; none where only counts are stored.
    pub stored_by_device: Option<Vec<u64>>,
    /// How often a worker went on with a partition from a checkpoint, and was refused one that came too late.
    pub resumes: u64,
    pub fenced_checkpoints: u64,
    pub leader_changes: u64,
    pub times_held_back: u64,
    pub times_spilled: u64,
    pub batches_given_up: u64,
    /// Jobs, where workers do not work all the time.
    pub jobs: u64,
    /// Hours that workers were switched on.
    pub worker_hours: f64,
    /// For how long pages of one channel showed different names, at most, and rows that were written for new names.
    pub names_disagreed_ms: f64,
    pub rows_renamed: u64,
}

/// Views at their source, against what is counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ViewsReport {
    /// Viewers were told that they are taken.
    pub taken: u64,
    /// What the database has.
    pub counted: u64,
    /// Taken and not counted, by video and window: still on their way, or lost.
    pub missing: u64,
    /// Counted and never asked for.
    pub counted_twice: u64,
    /// Dropped from the log before they were read.
    pub overtaken: u64,
    pub dead_letters_malformed: u64,
    pub dead_letters_late: u64,
}

const NANOS_PER_HOUR: f64 = 3.6e12;

impl ServiceReport {
    /// None where there is no service.
    pub fn of(run: &ClusterRun, now: SimTime) -> Option<ServiceReport> {
        let compared = run.compared_views()?;
        let summary = run.recorder().service.as_ref()?.summary();
        let counts = summary.counts;
        let service = run.blueprint().service.as_ref()?;
        let world = run.world();
        let workers = world.node_ids().filter_map(|node| world.process(node).as_worker());
        let worked: f64 = match service.processing.trigger {
            Trigger::Stream => now.0 as f64 * service.nodes.workers.len() as f64,
            Trigger::Every(_) => workers.map(|worker| worker.worked(now).0 as f64).sum(),
        };
        let stored = run.stored_of_service();
        let object_store_bytes = world.node_ids().map(|node| match world.process(node) {
            Role::ObjectStore(store) => store.stored_bytes(),
            _ => 0,
        });
        Some(ServiceReport {
            views: ViewsReport {
                taken: compared.taken,
                counted: compared.counted,
                missing: compared.missing,
                counted_twice: compared.excess,
                overtaken: counts.views_overtaken,
                dead_letters_malformed: counts.dead_letters_malformed,
                dead_letters_late: counts.dead_letters_late,
            },
            stored_after_ms: latency(summary.stored),
            shown_after_ms: latency(summary.shown),
            log_lag_views: run.log_lag(),
            row_writes: counts.row_writes,
            row_write_retries: counts.row_write_retries,
            row_writes_per_view: (compared.taken > 0)
                .then(|| counts.row_writes as f64 / compared.taken as f64),
            database_mb: stored.database_bytes as f64 / 1e6,
            object_store_mb: object_store_bytes.sum::<u64>() as f64 / 1e6,
            stored_by_device: stored.by_device,
            resumes: counts.resumes,
            fenced_checkpoints: counts.fenced_checkpoints,
            leader_changes: counts.leader_changes,
            times_held_back: counts.times_held_back,
            times_spilled: counts.times_spilled,
            batches_given_up: counts.batches_given_up,
            jobs: counts.jobs,
            worker_hours: worked / NANOS_PER_HOUR,
            names_disagreed_ms: summary.names_disagreed_ms,
            rows_renamed: counts.rows_renamed,
        })
    }
}
