//! Faults, scheduled or begun by hand: their numbers, and the nodes that they name.
//!
//! A name is right if at least one cluster of the scenario has it; the others
//! then have nothing there to break, and say so.

use super::Checked;
use super::range::{between, distribution, length, positive_up_to, whole};
use crate::scenario::error::ScenarioError;
use crate::scenario::fault::{FaultSpec, Selector};
use crate::scenario::limits::*;
use crate::scenario::names::{self, Seat};
use crate::scenario::schema::{ClusterSection, PartitioningMode, Scenario, VersionsMode};
use crate::service::view::DEVICES;
use crate::sql::shard_map::hash_point;

pub(super) fn check_schedule(scenario: &Scenario) -> Checked {
    length("faults", scenario.faults.len(), 0, FAULTS_MAX, "faults")?;
    if scenario.faults.is_empty() {
        return Ok(());
    }
    let known = Known::of(scenario);
    for (index, scheduled) in scenario.faults.iter().enumerate() {
        let path = format!("faults[{index}]");
        between(&format!("{path}.at_ms"), scheduled.at_ms, 0.0, scenario.duration_ms)?;
        duration(&format!("{path}.for_ms"), scheduled.for_ms)?;
        fault(&known, &format!("{path}.do.{}", scheduled.fault.name()), &scheduled.fault)?;
    }
    Ok(())
}

pub(super) fn check_command(scenario: &Scenario, spec: &FaultSpec, for_ms: Option<f64>) -> Checked {
    duration("for_ms", for_ms)?;
    fault(&Known::of(scenario), spec.name(), spec)
}

fn duration(field: &str, for_ms: Option<f64>) -> Checked {
    for_ms.map_or(Ok(()), |for_ms| positive_up_to(field, for_ms, DURATION_MS_MAX))
}

fn fault(known: &Known, path: &str, fault: &FaultSpec) -> Checked {
    let at = |field: &str| format!("{path}.{field}");
    match fault {
        FaultSpec::Crash { nodes, disk_lost: _ }
        | FaultSpec::Restart { nodes }
        | FaultSpec::Pause { nodes } => known.check(&at("nodes"), nodes),
        FaultSpec::SlowMachine { nodes, factor } | FaultSpec::SlowDisk { nodes, factor } => {
            known.check(&at("nodes"), nodes)?;
            positive_up_to(&at("factor"), *factor, SLOWNESS_MAX)
        }
        FaultSpec::Partition { groups } => known.check_groups(&at("groups"), groups),
        FaultSpec::OneWayCut { from, to } => {
            known.check(&at("from"), from)?;
            known.check(&at("to"), to)
        }
        FaultSpec::Loss { from, to, probability } | FaultSpec::Duplication { from, to, probability } => {
            known.check(&at("from"), from)?;
            known.check(&at("to"), to)?;
            between(&at("probability"), *probability, 0.0, 1.0)
        }
        FaultSpec::Delay { from, to, extra } => {
            known.check(&at("from"), from)?;
            known.check(&at("to"), to)?;
            distribution(&at("extra"), extra)
        }
        FaultSpec::ClockSkew { nodes, offset_ms } => {
            known.check(&at("nodes"), nodes)?;
            between(&at("offset_ms"), *offset_ms, -SPAN_MS_MAX, SPAN_MS_MAX)
        }
        FaultSpec::LoadSpike { factor } => between(&at("factor"), *factor, 0.0, LOAD_FACTOR_MAX),
        FaultSpec::Poison { share } => {
            known.check_service(path)?;
            between(&at("share"), *share, 0.0, 1.0)
        }
        FaultSpec::CountingBug { device } => {
            known.check_service(path)?;
            whole(&at("device"), u32::from(*device), 0, DEVICES as u32 - 1)
        }
        FaultSpec::Recount {} | FaultSpec::Rebalance {} => known.check_service(path),
        FaultSpec::Rename { channel } => {
            known.check_service(path)?;
            whole(&at("channel"), *channel, 0, KEYS_MAX)
        }
        FaultSpec::HotKey { share } => between(&at("share"), *share, 0.0, 1.0),
        FaultSpec::Split { shard, at: place } => {
            whole(&at("shard"), u32::from(*shard), 1, SHARDS_MAX)?;
            let is_name = super::sharded_sql::range_end(&at("at"), place);
            if hash_point(&place.to_ascii_lowercase()).is_some() { Ok(()) } else { is_name.map(|_| ()) }
        }
        FaultSpec::SchemaChange { shard } => whole(&at("shard"), u32::from(*shard), 1, SHARDS_MAX),
        FaultSpec::Restore { shard, back_ms } => {
            whole(&at("shard"), u32::from(*shard), 1, SHARDS_MAX)?;
            back_ms.map_or(Ok(()), |back| between(&at("back_ms"), back, 0.0, DURATION_MS_MAX))
        }
        FaultSpec::Join { node } | FaultSpec::Leave { node } => known.check_ring_node(&at("node"), node),
        FaultSpec::Replace { node, by } => {
            known.check_ring_node(&at("node"), node)?;
            known.check_ring_node(&at("by"), by)?;
            if node == by {
                let problem = format!("is {by}, the node itself; it must be another one, such as a spare");
                return Err(ScenarioError::wrong(at("by"), problem));
            }
            Ok(())
        }
        FaultSpec::Merge { shard, into } => {
            whole(&at("shard"), u32::from(*shard), 1, SHARDS_MAX)?;
            whole(&at("into"), u32::from(*into), 1, SHARDS_MAX)?;
            if shard == into {
                let problem = format!("is {into}, the shard itself; it must be a neighbour");
                return Err(ScenarioError::wrong(at("into"), problem));
            }
            Ok(())
        }
    }
}

/// What can be named: the zones, and the nodes of every cluster.
struct Known<'a> {
    zones: &'a [String],
    sections: &'a [ClusterSection],
    /// Per cluster; a name stands once, with its zone.
    clusters: Vec<Vec<(String, Seat, u8)>>,
    /// Roles and node names of any cluster, in order.
    roles: Vec<&'static str>,
    nodes: Vec<String>,
}

impl Known<'_> {
    fn of(scenario: &Scenario) -> Known<'_> {
        let mut clusters = Vec::new();
        let mut found_roles: Vec<&'static str> = Vec::new();
        let mut nodes: Vec<String> = Vec::new();
        for section in &scenario.clusters {
            let mut cluster = Vec::new();
            for seat in names::seats(section, &scenario.workload) {
                let name = seat.name();
                if !found_roles.contains(&seat.role()) {
                    found_roles.push(seat.role());
                }
                if !nodes.contains(&name) {
                    nodes.push(name.clone());
                }
                cluster.push((name, seat, scenario.zone_of(section, seat)));
            }
            clusters.push(cluster);
        }
        // Clients are many, all alike and seldom meant: list them last.
        let (clients, mut nodes): (Vec<String>, Vec<String>) =
            nodes.into_iter().partition(|name| name.starts_with(names::CLIENT));
        nodes.extend(clients);
        let roles = names::ROLES.into_iter().filter(|role| found_roles.contains(role)).collect();
        Known { zones: &scenario.zones, sections: &scenario.clusters, clusters, roles, nodes }
    }

    fn check(&self, path: &str, selector: &Selector) -> Checked {
        if selector.is_empty() {
            let right = "give `nodes`, `zones` or `roles`, or \"all\": true";
            return Err(ScenarioError::wrong(path, format!("names nothing; {right}")));
        }
        for (field, names) in
            [("zones", &selector.zones), ("nodes", &selector.nodes), ("roles", &selector.roles)]
        {
            length(&format!("{path}.{field}"), names.len(), 0, SELECTED_MAX, "names")?;
        }
        each(
            path,
            "zones",
            &selector.zones,
            "zone",
            |name| self.zones.iter().any(|zone| zone == name),
            || self.zones.to_vec(),
        )?;
        each(
            path,
            "nodes",
            &selector.nodes,
            "node",
            |name| self.nodes.iter().any(|node| node == name),
            || self.nodes.clone(),
        )?;
        each(
            path,
            "roles",
            &selector.roles,
            "role",
            |name| self.roles.contains(&name),
            || self.roles.iter().map(|role| role.to_string()).collect(),
        )
    }

    /// There has to be a counting service.
    fn check_service(&self, path: &str) -> Checked {
        if self.sections.iter().any(|section| section.service().is_some()) {
            return Ok(());
        }
        let problem = "concerns a counting service, and no cluster has one; give one a `service`";
        Err(ScenarioError::wrong(path, problem))
    }

    /// A node of a ring whose nodes can join and leave.
    fn check_ring_node(&self, path: &str, node: &str) -> Checked {
        let is_node = |seat: Seat| matches!(seat, Seat::RingNode(_));
        let named = |cluster: &[(String, Seat, u8)]| {
            cluster.iter().any(|(name, seat, _)| name == node && is_node(*seat))
        };
        let mut rings =
            self.sections.iter().zip(&self.clusters).filter(|(_, cluster)| named(cluster)).peekable();
        if rings.peek().is_none() {
            let mut possible: Vec<String> = Vec::new();
            for (name, seat, _) in self.clusters.iter().flatten() {
                if is_node(*seat) && !possible.contains(name) {
                    possible.push(name.clone());
                }
            }
            return Err(ScenarioError::unknown(path, "ring node", node, possible));
        }
        for (section, _) in rings {
            let ClusterSection::GossipRing(ring) = section else { continue };
            let problem = if ring.partitioning == PartitioningMode::EqualShares {
                "divided into equal shares, which are fixed here; choose `partitioning` by_token or equal_ranges"
            } else if ring.versions == VersionsMode::CompareAndSet {
                "of rows under compare-and-set, whose ballots do not move here; choose other `versions`"
            } else if ring.n == KEY_REPLICAS_MAX {
                "with 16 replicas, and there is no room for one more while it changes; choose `n` up to 15"
            } else {
                continue;
            };
            let problem = format!("is {node}, of a ring that is {problem}");
            return Err(ScenarioError::wrong(path, problem));
        }
        Ok(())
    }

    /// Two groups or more, none of which has a node in common with another.
    fn check_groups(&self, path: &str, groups: &[Selector]) -> Checked {
        length(path, groups.len(), 2, GROUPS_MAX, "groups")?;
        for (index, group) in groups.iter().enumerate() {
            self.check(&format!("{path}[{index}]"), group)?;
        }
        for (name, seat, zone) in self.clusters.iter().flatten() {
            let mut of =
                groups.iter().enumerate().filter(|(_, group)| self.selects(group, name, *seat, *zone));
            if let (Some((first, _)), Some((second, _))) = (of.next(), of.next()) {
                let problem = format!("has {name} like {path}[{first}]; a node can stand in one group only");
                return Err(ScenarioError::wrong(format!("{path}[{second}]"), problem));
            }
        }
        Ok(())
    }

    fn selects(&self, selector: &Selector, name: &str, seat: Seat, zone: u8) -> bool {
        selector.all
            || selector.nodes.iter().any(|node| node == name)
            || selector.roles.iter().any(|role| role == seat.role())
            || self.zones.get(usize::from(zone)).is_some_and(|zone| selector.zones.contains(zone))
    }
}

fn each(
    path: &str,
    field: &str,
    names: &[String],
    what: &'static str,
    exists: impl Fn(&str) -> bool,
    possible: impl Fn() -> Vec<String>,
) -> Checked {
    match names.iter().position(|name| !exists(name)) {
        None => Ok(()),
        Some(index) => {
            Err(ScenarioError::unknown(format!("{path}.{field}[{index}]"), what, &names[index], possible()))
        }
    }
}
