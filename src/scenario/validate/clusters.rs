//! The clusters of a scenario.

use super::range::{between, distribution, length, text, whole};
use super::{Checked, sharded_sql};
use crate::measure::prices::PriceSheet;
use crate::scenario::error::ScenarioError;
use crate::scenario::limits::*;
use crate::scenario::names;
use crate::scenario::schema::{ClusterSection, DiskSection, EncryptionSection, MachineSection, Scenario};

pub(super) fn check(scenario: &Scenario, prices: &PriceSheet) -> Checked {
    length("clusters", scenario.clusters.len(), 1, CLUSTERS_MAX, "clusters")?;
    let mut nodes = 0;
    for (index, cluster) in scenario.clusters.iter().enumerate() {
        let path = format!("clusters[{index}].{}", cluster.kind());
        text(&format!("{path}.name"), cluster.name(), 1, NAME_CHARS_MAX)?;
        let before = &scenario.clusters[..index];
        if let Some(earlier) = before.iter().position(|other| other.name() == cluster.name()) {
            let problem = format!(
                "is \"{}\" like clusters[{earlier}]; every cluster needs a name of its own",
                cluster.name()
            );
            return Err(ScenarioError::wrong(format!("{path}.name"), problem));
        }
        match cluster {
            ClusterSection::ShardedSql(sql) => sharded_sql::check(&path, sql, prices)?,
            ClusterSection::GossipRing(ring) => super::gossip_ring::check(&path, ring, prices)?,
        }
        super::service::check(&path, scenario, cluster, prices)?;
        placement(&path, scenario, cluster)?;
        nodes += names::seats(cluster, &scenario.workload).len();
    }
    if nodes > NODES_MAX {
        let problem = format!("have {nodes} nodes in all, clients included; at most {NODES_MAX} are allowed");
        return Err(ScenarioError::wrong("clusters", problem));
    }
    Ok(())
}

/// Every place names a zone, and nodes or roles that the cluster has.
fn placement(path: &str, scenario: &Scenario, cluster: &ClusterSection) -> Checked {
    let placement = cluster.placement();
    length(&format!("{path}.placement"), placement.len(), 0, PLACEMENTS_MAX, "entries")?;
    let nodes = names::node_names(cluster, &scenario.workload);
    for (index, place) in placement.iter().enumerate() {
        let at = |field: &str| format!("{path}.placement[{index}].{field}");
        if !scenario.zones.contains(&place.zone) {
            return Err(ScenarioError::unknown(at("zone"), "zone", &place.zone, scenario.zones.clone()));
        }
        if place.nodes.is_empty() && place.roles.is_empty() {
            return Err(ScenarioError::wrong(at("nodes"), "names nothing; give `nodes` or `roles`"));
        }
        length(&at("nodes"), place.nodes.len(), 0, SELECTED_MAX, "names")?;
        length(&at("roles"), place.roles.len(), 0, SELECTED_MAX, "names")?;
        if let Some(name) = place.nodes.iter().find(|name| !nodes.iter().any(|(node, _)| node == *name)) {
            let possible = nodes.iter().map(|(node, _)| node.clone()).collect();
            return Err(ScenarioError::unknown(at("nodes"), "node", name, possible));
        }
        if let Some(role) = place.roles.iter().find(|role| !nodes.iter().any(|(_, own)| own == *role)) {
            let possible = names::ROLES.iter().map(|role| role.to_string()).collect();
            return Err(ScenarioError::unknown(at("roles"), "role", role, possible));
        }
    }
    Ok(())
}

/// A whole number from 1 to what another field says.
pub(super) fn up_to_another(field: &str, value: u32, other: &str, most: u32) -> Checked {
    if (1..=most).contains(&value) {
        return Ok(());
    }
    let problem = format!("is {value}; it must be a whole number from 1 to `{other}`, which is {most}");
    Err(ScenarioError::wrong(field, problem))
}

pub(super) fn interval(field: &str, interval_ms: f64) -> Checked {
    between(field, interval_ms, INTERVAL_MS_MIN, INTERVAL_MS_MAX)
}

pub(super) fn machine(path: &str, machine: &MachineSection, prices: &PriceSheet) -> Checked {
    if prices.usd_per_hour(&machine.machine_type).is_none() {
        let possible = prices.machine_types().map(str::to_string).collect();
        let field = format!("{path}.machine_type");
        return Err(ScenarioError::unknown(field, "machine type", &machine.machine_type, possible));
    }
    whole(&format!("{path}.cores"), machine.cores, 1, CORES_MAX)?;
    whole(&format!("{path}.queue_limit"), machine.queue_limit, 1, QUEUE_LIMIT_MAX)?;
    between(&format!("{path}.storage_gb"), machine.storage_gb, 0.0, STORAGE_GB_MAX)
}

pub(super) fn disk(path: &str, disk: &DiskSection) -> Checked {
    distribution(&format!("{path}.read"), &disk.read)?;
    distribution(&format!("{path}.fsync"), &disk.fsync)?;
    whole(&format!("{path}.channels"), disk.channels, 1, DISK_CHANNELS_MAX)
}

pub(super) fn encryption(path: &str, encryption: &EncryptionSection) -> Checked {
    for (field, cost_ms) in [
        ("message_ms", encryption.message_ms),
        ("kilobyte_ms", encryption.kilobyte_ms),
        ("io_ms", encryption.io_ms),
    ] {
        between(&format!("{path}.{field}"), cost_ms, 0.0, ENCRYPTION_MS_MAX)?;
    }
    Ok(())
}
