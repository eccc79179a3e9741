//! Checks every value of a scenario against its range, and every name against what exists.
//!
//! The first thing that is wrong is reported, with its path as it stands in
//! the file. A scenario that passes can be built and run: nothing later needs to
//! doubt a number or a name.

mod clusters;
mod faults;
mod gossip_ring;
mod range;
mod service;
mod sharded_sql;

use super::error::ScenarioError;
use super::fault::FaultSpec;
use super::limits::*;
use super::schema::{
    ChecksSection, ClusterSection, NetworkSection, PayloadBytes, ProbesSection, Scenario, VersionsMode,
    WorkloadSection,
};
use crate::measure::prices::PriceSheet;
use range::{between, distribution, length, positive_up_to, text, whole};

type Checked = Result<(), ScenarioError>;

/// Checks a whole scenario.
pub fn validate(scenario: &Scenario) -> Checked {
    name(&scenario.name)?;
    text("title", &scenario.title, 1, SENTENCE_CHARS_MAX)?;
    text("question", &scenario.question, 0, SENTENCE_CHARS_MAX)?;
    length("try", scenario.things_to_try.len(), 0, THINGS_TO_TRY_MAX, "sentences")?;
    for (index, sentence) in scenario.things_to_try.iter().enumerate() {
        text(&format!("try[{index}]"), sentence, 1, SENTENCE_CHARS_MAX)?;
    }
    between("duration_ms", scenario.duration_ms, 1.0, DURATION_MS_MAX)?;
    zones(&scenario.zones)?;
    regions(scenario)?;
    network(&scenario.network)?;
    workload(&scenario.workload)?;
    queries(scenario)?;
    versions(scenario)?;
    let prices = price_sheet(&scenario.prices)?;
    clusters::check(scenario, &prices)?;
    checks(&scenario.checks)?;
    faults::check_schedule(scenario)
}

/// Checks a fault that a user begins while the scenario runs. The scenario itself is valid.
pub fn validate_command(scenario: &Scenario, fault: &FaultSpec, for_ms: Option<f64>) -> Checked {
    faults::check_command(scenario, fault, for_ms)
}

fn name(name: &str) -> Checked {
    text("name", name, 1, NAME_CHARS_MAX)?;
    let is_word = |word: &str| {
        !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    };
    if name.split('-').all(is_word) {
        return Ok(());
    }
    let right = "it must be words of lower-case letters and digits, joined by hyphens, such as primary-crash";
    Err(ScenarioError::wrong("name", format!("is \"{name}\"; {right}")))
}

fn zones(zones: &[String]) -> Checked {
    length("zones", zones.len(), 1, ZONES_MAX, "names")?;
    for (index, zone) in zones.iter().enumerate() {
        let field = format!("zones[{index}]");
        text(&field, zone, 1, NAME_CHARS_MAX)?;
        if let Some(earlier) = zones[..index].iter().position(|other| other == zone) {
            let problem = format!("is \"{zone}\" like zones[{earlier}]; every zone needs a name of its own");
            return Err(ScenarioError::wrong(field, problem));
        }
    }
    Ok(())
}

/// Every zone in one region, if there are any.
fn regions(scenario: &Scenario) -> Checked {
    length("regions", scenario.regions.len(), 0, ZONES_MAX, "regions")?;
    for (index, region) in scenario.regions.iter().enumerate() {
        let at = |field: &str| format!("regions[{index}].{field}");
        text(&at("name"), &region.name, 1, NAME_CHARS_MAX)?;
        let earlier = &scenario.regions[..index];
        if earlier.iter().any(|other| other.name == region.name) {
            let problem =
                format!("is \"{}\" like another region; every region needs a name of its own", region.name);
            return Err(ScenarioError::wrong(at("name"), problem));
        }
        length(&at("zones"), region.zones.len(), 1, ZONES_MAX, "names")?;
        for zone in &region.zones {
            if !scenario.zones.contains(zone) {
                return Err(ScenarioError::unknown(at("zones"), "zone", zone, scenario.zones.clone()));
            }
            if let Some(other) = earlier.iter().find(|other| other.zones.contains(zone)) {
                let problem =
                    format!("has \"{zone}\", which {} has already; a zone stands in one region", other.name);
                return Err(ScenarioError::wrong(at("zones"), problem));
            }
        }
    }
    let outside =
        scenario.zones.iter().find(|zone| !scenario.regions.iter().any(|region| region.zones.contains(zone)));
    match outside {
        Some(zone) if !scenario.regions.is_empty() => {
            let problem = format!("leave zone \"{zone}\" out; every zone must stand in one of them");
            Err(ScenarioError::wrong("regions", problem))
        }
        _ => Ok(()),
    }
}

/// What a ring makes of writes that do not know of each other has to fit what is written.
fn versions(scenario: &Scenario) -> Checked {
    let WorkloadSection { deletes, decrements, .. } = scenario.workload;
    for (index, cluster) in scenario.clusters.iter().enumerate() {
        let ClusterSection::GossipRing(ring) = cluster else { continue };
        let is_counter = matches!(ring.versions, VersionsMode::GCounter | VersionsMode::PnCounter);
        let problem = match ring.versions {
            _ if is_counter && deletes > 0.0 => {
                format!("has counters, which cannot be deleted; `workload.deletes` is {deletes} and must be 0")
            }
            VersionsMode::GCounter if decrements > 0.0 => format!(
                "has counters that only grow, and `workload.decrements` is {decrements}; with pn_counter they can go down"
            ),
            VersionsMode::CompareAndSet if ring.sloppy_quorum => {
                "sets on a condition, and `sloppy_quorum` is true; it must be false: a stand-in knows of no ballot"
                    .to_string()
            }
            _ => continue,
        };
        return Err(ScenarioError::wrong(format!("clusters[{index}].gossip_ring.versions"), problem));
    }
    Ok(())
}

/// Queries over many rows: a ring has scans alone, and these only with wide rows.
fn queries(scenario: &Scenario) -> Checked {
    let WorkloadSection { counts, deletes, decrements, scans, tops, joins, query_rows, .. } =
        scenario.workload;
    between("workload.deletes", deletes, 0.0, 1.0)?;
    between("workload.decrements", decrements, 0.0, 1.0)?;
    if counts && deletes > 0.0 {
        let problem = format!(
            "is {deletes}; it must be 0 where `workload.counts` is true, which is so: counts are not deleted"
        );
        return Err(ScenarioError::wrong("workload.deletes", problem));
    }
    if decrements > 0.0 && !counts {
        let problem = format!(
            "is {decrements}; it must be 0 without `workload.counts`, which is false: other writes overwrite"
        );
        return Err(ScenarioError::wrong("workload.decrements", problem));
    }
    for (field, share) in [("workload.scans", scans), ("workload.tops", tops), ("workload.joins", joins)] {
        between(field, share, 0.0, 1.0)?;
        let is_scan = field == "workload.scans";
        let cannot = |cluster: &ClusterSection| match cluster {
            _ if cluster.service().is_some() => false,
            ClusterSection::GossipRing(ring) => !is_scan || ring.rows_per_partition.is_none(),
            ClusterSection::ShardedSql(_) => false,
        };
        if let (Some(ring), true) = (scenario.clusters.iter().position(cannot), share > 0.0) {
            let problem = if is_scan {
                format!(
                    "scatters neighbouring keys, and {field} is {share}; it must be 0, \
                     or `rows_per_partition` must keep neighbours together"
                )
            } else {
                format!(
                    "reads keys and slices of partitions, and {field} is {share}; it must be 0 for a gossip ring"
                )
            };
            return Err(ScenarioError::wrong(format!("clusters[{ring}].gossip_ring"), problem));
        }
    }
    if scans + tops + joins > 1.0 {
        let sum = scans + tops + joins;
        let problem =
            format!("are {sum} together; scans, tops and joins are shares of the reads, at most 1 together");
        return Err(ScenarioError::wrong("workload.scans, tops and joins", problem));
    }
    whole("workload.query_rows", query_rows, 1, QUERY_ROWS_MAX)
}

fn network(network: &NetworkSection) -> Checked {
    distribution("network.same_zone", &network.same_zone)?;
    distribution("network.cross_zone", &network.cross_zone)?;
    distribution("network.cross_region", &network.cross_region)?;
    between("network.loss", network.loss, 0.0, LOSS_MAX)?;
    if let Some(bandwidth) = network.bandwidth_mbit_per_s {
        let field = "network.bandwidth_mbit_per_s";
        between(field, bandwidth, BANDWIDTH_MBIT_PER_S_MIN, BANDWIDTH_MBIT_PER_S_MAX)?;
    }
    between("network.stream_timeout_ms", network.stream_timeout_ms, TIMEOUT_MS_MIN, SPAN_MS_MAX)
}

fn workload(workload: &WorkloadSection) -> Checked {
    whole("workload.clients", workload.clients, 1, CLIENTS_MAX)?;
    positive_up_to("workload.rate_per_s", workload.rate_per_s, RATE_PER_S_MAX)?;
    between("workload.reads", workload.reads, 0.0, 1.0)?;
    whole("workload.keys", workload.keys, 1, KEYS_MAX)?;
    between("workload.zipf_theta", workload.zipf_theta, 0.0, ZIPF_THETA_MAX)?;
    payload(workload.payload_bytes)?;
    between("workload.timeout_ms", workload.timeout_ms, TIMEOUT_MS_MIN, SPAN_MS_MAX)?;
    whole("workload.in_flight_max", workload.in_flight_max, 1, IN_FLIGHT_MAX)?;
    workload.probes.as_ref().map_or(Ok(()), probes)
}

fn probes(probes: &ProbesSection) -> Checked {
    length("workload.probes.at_ms", probes.at_ms.len(), 0, PROBE_DELAYS_MAX, "delays")?;
    for (index, delay_ms) in probes.at_ms.iter().enumerate() {
        let field = format!("workload.probes.at_ms[{index}]");
        between(&field, *delay_ms, 0.0, PROBE_MS_MAX)?;
        if index > 0 && *delay_ms <= probes.at_ms[index - 1] {
            let problem = format!("is {delay_ms}, after {}; delays must rise", probes.at_ms[index - 1]);
            return Err(ScenarioError::wrong(field, problem));
        }
    }
    whole("workload.probes.searching", probes.searching, 0, PROBES_SEARCHING_MAX)
}

fn payload(payload: PayloadBytes) -> Checked {
    let field = "workload.payload_bytes";
    match payload {
        PayloadBytes::Constant(bytes) => whole(field, bytes, 0, PAYLOAD_BYTES_MAX),
        PayloadBytes::Uniform([least, most]) => {
            whole(&format!("{field}[0]"), least, 0, PAYLOAD_BYTES_MAX)?;
            whole(&format!("{field}[1]"), most, 0, PAYLOAD_BYTES_MAX)?;
            if least > most {
                let problem =
                    format!("runs from {least} to {most}; the first number must not be the greater");
                return Err(ScenarioError::wrong(field, problem));
            }
            Ok(())
        }
    }
}

fn price_sheet(name: &str) -> Result<PriceSheet, ScenarioError> {
    PriceSheet::bundled(name).ok_or_else(|| {
        let possible = PriceSheet::bundled_names().map(str::to_string).collect();
        ScenarioError::unknown("prices", "price sheet", name, possible)
    })
}

fn checks(checks: &ChecksSection) -> Checked {
    if let Some(latency_ms) = checks.latency_ms_p99_max {
        positive_up_to("checks.latency_ms_p99_max", latency_ms, SPAN_MS_MAX)?;
    }
    if let Some(share) = checks.success_share_min {
        between("checks.success_share_min", share, 0.0, 1.0)?;
    }
    Ok(())
}
