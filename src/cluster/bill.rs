//! What a cluster costs and what it would need, role by role, from what its nodes did.

use super::role::Role;
use super::run::ClusterRun;
use crate::engine::{NodeId, SimTime};
use crate::measure::cost::{RoleCost, RoleUse};
use crate::measure::effort::{Incident, Incidents, Part};
use crate::measure::forecast::{Forecast, NodeLoad};
use crate::scenario::names::{CLIENT, Seat};

impl ClusterRun {
    /// The place of each node's role among those of the tariff.
    fn role_of(&self, node: NodeId) -> usize {
        let blueprint = self.blueprint();
        let role = blueprint.directory.seats[node.index()].role();
        blueprint.tariff.place_of(role).expect("the tariff has the role of every node")
    }

    /// Bytes that a store keeps which is paid by them.
    fn stored_bytes_of(&self, node: NodeId) -> u64 {
        match self.world().process(node) {
            Role::BackupStore(store) => store.bytes(),
            Role::ObjectStore(store) => store.stored_bytes(),
            _ => 0,
        }
    }

    /// Bytes of all backups, and of all that an object store keeps.
    pub fn backup_bytes(&self) -> u64 {
        self.world().node_ids().map(|node| self.stored_bytes_of(node)).sum()
    }

    /// What each role costs, of the whole run until now.
    pub fn split(&self, now: SimTime) -> Vec<RoleCost> {
        let tariff = &self.blueprint().tariff;
        let mut used = vec![RoleUse::default(); tariff.roles().len()];
        for node in self.world().node_ids() {
            let traffic = self.world().network().traffic_of(node);
            let place = &mut used[self.role_of(node)];
            place.traffic.cross_zone += traffic.cross_zone;
            place.traffic.cross_region_out += traffic.cross_region_out;
            place.backup_bytes += self.stored_bytes_of(node);
        }
        tariff.split(now.0, &used)
    }

    /// What it would need under more load.
    pub fn forecast(&self, now: SimTime) -> Forecast {
        let loads: Vec<NodeLoad> = self.world().node_ids().map(|node| self.load_of(node, now)).collect();
        let hours_per_month = self.blueprint().tariff.hours_per_month;
        Forecast::of(&loads, &self.split(now), now.0 as f64 / 1e9, self.recorder().counts.ok, hours_per_month)
    }

    /// How busy a node was, of the whole run until now.
    fn load_of(&self, node: NodeId, now: SimTime) -> NodeLoad {
        let body = self.world().body(node);
        let (machine, disk) = (body.machine(), body.disk());
        let of_run = |busy_ns: f64| if now.0 > 0 { busy_ns / now.0 as f64 } else { 0.0 };
        let core_ns = machine.busy_time().0 as f64;
        let requests = disk.request_count() as f64;
        NodeLoad {
            role: self.role_of(node),
            name: body.name().to_string(),
            shares: [
                of_run(core_ns / f64::from(machine.cores)),
                of_run(disk.read_time().0 as f64 / f64::from(disk.speed().channels)),
                of_run(requests * disk.speed().spacing.0 as f64),
            ],
            disk_requests_per_s: of_run(requests * 1e9),
            core_ms: core_ns / 1e6,
        }
    }

    /// The processes of each role. What has no machine that is paid for, and is no client, is a vendor's service
    /// unless everything is one's own.
    pub fn parts(&self) -> Vec<Part> {
        let blueprint = self.blueprint();
        let is_rented = blueprint.prices.ownership.is_none();
        let run_by_vendor = |seat: Seat| match blueprint.machine(seat) {
            Some(machine) => blueprint.prices.is_run_by_vendor(&machine.machine_type),
            None => is_rented && seat.role() != CLIENT,
        };
        let mut parts: Vec<Part> =
            blueprint.tariff.roles().iter().map(|cost| Part::none_of(cost.role)).collect();
        for seat in &blueprint.directory.seats {
            if let Some(part) = parts.iter_mut().find(|part| part.role == seat.role()) {
                part.processes += 1;
                part.run_by_vendor += u32::from(run_by_vendor(*seat));
            }
        }
        parts
    }

    /// What needed somebody's hands, as far as the nodes reported it.
    pub fn incidents(&self) -> Incidents {
        let mut incidents = self.reported_incidents();
        // A ring reports no lost writes: they are looked for.
        if self.kind() == "gossip_ring" && self.lost_acknowledged_writes() > 0 {
            incidents.count(Incident::LostWrites, 1);
        }
        incidents
    }
}
