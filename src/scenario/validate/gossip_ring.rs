//! A gossip-based ring.

use super::Checked;
use super::clusters::{disk, interval, machine, up_to_another};
use super::range::{between, distribution, positive_up_to, whole};
use crate::measure::prices::PriceSheet;
use crate::scenario::limits::*;
use crate::scenario::schema::{RingSection, SyncPolicy};

pub(super) fn check(path: &str, ring: &RingSection, prices: &PriceSheet) -> Checked {
    let at = |field: &str| format!("{path}.{field}");
    whole(&at("nodes"), ring.nodes, 1, RING_NODES_MAX)?;
    whole(&at("virtual_nodes"), ring.virtual_nodes, 1, VIRTUAL_NODES_MAX)?;
    whole(&at("n"), ring.n, 1, KEY_REPLICAS_MAX)?;
    up_to_another(&at("n"), ring.n, "nodes", ring.nodes)?;
    up_to_another(&at("r"), ring.r, "n", ring.n)?;
    up_to_another(&at("w"), ring.w, "n", ring.n)?;
    interval(&at("gossip.interval_ms"), ring.gossip.interval_ms)?;
    whole(&at("gossip.neighbours"), ring.gossip.neighbours, 1, NEIGHBOURS_MAX)?;
    positive_up_to(&at("gossip.phi_threshold"), ring.gossip.phi_threshold, PHI_THRESHOLD_MAX)?;
    sync(&at("commit_log_sync"), ring.commit_log_sync)?;
    between(&at("request_timeout_ms"), ring.request_timeout_ms, TIMEOUT_MS_MIN, SPAN_MS_MAX)?;
    whole(&at("in_flight_max"), ring.in_flight_max, 1, IN_FLIGHT_MAX)?;
    machine(&at("machine"), &ring.machine, prices)?;
    disk(&at("disk"), &ring.disk)?;
    for (field, times) in [
        ("clock_offset", &ring.clock_offset),
        ("coordinator_service", &ring.coordinator_service),
        ("read_service", &ring.read_service),
        ("write_service", &ring.write_service),
        ("gossip_service", &ring.gossip_service),
    ] {
        distribution(&at(field), times)?;
    }
    for (field, delay) in [
        ("legs.write_request", &ring.legs.write_request),
        ("legs.write_acknowledgement", &ring.legs.write_acknowledgement),
        ("legs.read_request", &ring.legs.read_request),
        ("legs.read_response", &ring.legs.read_response),
        ("legs.cross_zone_extra", &ring.legs.cross_zone_extra),
    ] {
        if let Some(delay) = delay {
            distribution(&at(field), delay)?;
        }
    }
    Ok(())
}

fn sync(field: &str, policy: SyncPolicy) -> Checked {
    match policy {
        SyncPolicy::EveryWrite => Ok(()),
        SyncPolicy::EveryMs(interval_ms) => interval(&format!("{field}.every_ms"), interval_ms),
    }
}
