//! How many rows the tables of a service have, from its part of a scenario.

use super::schema::{ClusterSection, ModelMode, Scenario, ServiceSection, StoreMode};
use crate::engine::SimDuration;
use crate::service::tables::TableSizes;

/// Windows beyond the end of a run, so that the last views have one of their own.
const SPARE_WINDOWS: u32 = 1;
/// As many videos as one channel has.
const VIDEOS_PER_CHANNEL: u32 = 20;
/// Slots for each view of a video and window, where each view is stored: so many times as many as are expected of
/// the most watched.
const RAW_SPARE: f64 = 2.0;
/// Slots at least, and at most: a read asks for no more rows.
const RAW_SLOTS: (f64, f64) = (8.0, 4_096.0);

/// The tables of a service: of its database, and of the one of titles and names.
pub fn sizes(
    scenario: &Scenario,
    section: &ClusterSection,
    service: &ServiceSection,
) -> (TableSizes, TableSizes) {
    let window_ms = service.workers.window_ms;
    let is_apart = service.metadata.is_some();
    let is_normalized = service.model == ModelMode::Normalized;
    let is_counter = section.has_counters();
    let videos = scenario.workload.keys;
    let raw_slots = match service.store {
        StoreMode::Events => {
            let views = scenario.workload.rate_per_s * (1.0 - scenario.workload.reads) * window_ms / 1_000.0;
            let hottest = views / harmonic(videos, scenario.workload.zipf_theta);
            (hottest * RAW_SPARE).clamp(RAW_SLOTS.0, RAW_SLOTS.1) as u32
        }
        StoreMode::Aggregates | StoreMode::Both => 0,
    };
    let has_ranks = !is_normalized && !is_counter && raw_slots == 0;
    let counts = TableSizes {
        videos,
        windows: libm::ceil(scenario.duration_ms / window_ms) as u32 + SPARE_WINDOWS,
        window: SimDuration::from_ms_f64(window_ms),
        sub_counts: service.collectors.sub_counts,
        raw_slots,
        videos_per_channel: VIDEOS_PER_CHANNEL,
        partitions: service.log.partitions,
        ranks: if has_ranks { service.readers.top_videos } else { 0 },
        has_metadata: !is_apart,
        has_counts: raw_slots == 0,
    };
    let metadata = TableSizes { raw_slots: 0, ranks: 0, has_metadata: true, has_counts: false, ..counts };
    (counts, if is_apart { metadata } else { counts })
}

/// The sum of k^-theta for k from 1 to n: the share of the first of n keys is one part in so many.
fn harmonic(n: u32, theta: f64) -> f64 {
    (1..=n).map(|k| libm::pow(f64::from(k), -theta)).sum()
}
