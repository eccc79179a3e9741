//! Cost: what a cluster's machines, their volumes, its backups and its traffic cost, role by role.
//!
//! Machines, storage and provisioned I/O cost by the hour whether or not they are used. Traffic between zones
//! costs by the gigabyte at both ends, and traffic to another region where it leaves, as the price sheet
//! says: each role pays for its own ends. Backups and objects cost what their stores hold now; of the run's few
//! seconds, that is little. A month has the price sheet's number of hours.
//!
//! ```text
//! role x kind        compute  storage  provisioned I/O  backups  traffic
//! client                                                         counted
//! mysql              hours    GB       above what the            counted
//!                                      volume includes
//! backup-store                                          counted  counted
//! ```
//!
//! Simplified: clients have no machine that is paid for, and the backup store is paid by what it holds. Left
//! out: what [`prices`](super::prices) leaves out.

use super::prices::{PriceSheet, is_managed};
use crate::engine::SimTime;
use crate::engine::network::{NodeTraffic, Traffic};
use crate::scenario::schema::MachineSection;
use serde::Serialize;

/// USD, by what it is paid for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct CostKinds {
    pub compute: f64,
    pub storage: f64,
    pub provisioned_io: f64,
    /// And what an object store keeps.
    pub backups: f64,
    pub traffic: f64,
}

impl CostKinds {
    /// What the kinds are called, in the order of [`CostKinds::all`].
    pub const WORDS: [&str; 5] = ["compute", "storage", "provisioned I/O", "object storage", "traffic"];

    pub fn all(&self) -> [f64; 5] {
        [self.compute, self.storage, self.provisioned_io, self.backups, self.traffic]
    }

    pub fn total(&self) -> f64 {
        self.all().iter().sum()
    }

    pub fn add(&mut self, other: &CostKinds) {
        self.compute += other.compute;
        self.storage += other.storage;
        self.provisioned_io += other.provisioned_io;
        self.backups += other.backups;
        self.traffic += other.traffic;
    }
}

/// What the nodes of one role cost.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RoleCost {
    pub role: &'static str,
    /// That are paid for.
    pub machines: u32,
    pub usd_per_hour: CostKinds,
}

/// What a cluster costs, by time and by what it does.
#[derive(Clone, Debug, PartialEq)]
pub struct Tariff {
    /// What each role costs whether or not it is used, in the order in which roles are built.
    roles: Vec<RoleCost>,
    pub hours_per_month: f64,
    usd_per_cross_zone_byte: f64,
    usd_per_cross_region_byte: f64,
    usd_per_backup_byte_hour: f64,
}

/// What one role has used of what is paid by the byte.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RoleUse {
    pub traffic: NodeTraffic,
    /// Bytes of backups and objects that it keeps now.
    pub backup_bytes: u64,
}

/// Bytes of a whole cluster that are paid for: each end of what goes between zones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PaidBytes(NodeTraffic);

impl PaidBytes {
    pub fn of(traffic: Traffic) -> PaidBytes {
        // Out of one zone and into the other.
        let cross_zone = 2 * traffic.bytes_cross_zone;
        PaidBytes(NodeTraffic { cross_zone, cross_region_out: traffic.bytes_cross_region })
    }

    pub fn since(self, earlier: PaidBytes) -> PaidBytes {
        PaidBytes(NodeTraffic {
            cross_zone: self.0.cross_zone - earlier.0.cross_zone,
            cross_region_out: self.0.cross_region_out - earlier.0.cross_region_out,
        })
    }
}

/// Money, by time and by work done.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Cost {
    pub usd_per_hour: f64,
    pub usd_per_month: f64,
    /// Of operations that succeeded; none if there were none.
    pub usd_per_million_operations: Option<f64>,
}

const BYTES_PER_GB: f64 = 1e9;
const NANOS_PER_HOUR: f64 = 3.6e12;

impl Tariff {
    /// Of nodes given by role and machine, of which some have none that is paid for. A type that the sheet
    /// does not price costs nothing here; the scenario was checked to have none.
    pub fn of<'a>(
        sheet: &PriceSheet,
        nodes: impl Iterator<Item = (&'static str, Option<&'a MachineSection>)>,
    ) -> Tariff {
        let mut tariff = Tariff {
            roles: Vec::new(),
            hours_per_month: sheet.hours_per_month,
            usd_per_cross_zone_byte: sheet.cross_zone_usd_per_gb() / BYTES_PER_GB,
            usd_per_cross_region_byte: sheet.cross_region_usd_per_gb() / BYTES_PER_GB,
            usd_per_backup_byte_hour: sheet.backups_usd_per_gb_month() / BYTES_PER_GB / sheet.hours_per_month,
        };
        for (role, machine) in nodes {
            let at = tariff.place_of(role).unwrap_or_else(|| {
                tariff.roles.push(RoleCost { role, machines: 0, usd_per_hour: CostKinds::default() });
                tariff.roles.len() - 1
            });
            if let Some(machine) = machine {
                let place = &mut tariff.roles[at];
                place.machines += 1;
                place.usd_per_hour.add(&machine_usd_per_hour(sheet, machine));
            }
        }
        tariff
    }

    /// The place of a role among [`Tariff::roles`].
    pub fn place_of(&self, role: &str) -> Option<usize> {
        self.roles.iter().position(|place| place.role == role)
    }

    /// What each role costs whether or not it is used.
    pub fn roles(&self) -> &[RoleCost] {
        &self.roles
    }

    /// What each role costs over a stretch of time, with what it used in it.
    pub fn split(&self, stretch_ns: u64, used: &[RoleUse]) -> Vec<RoleCost> {
        let mut split = self.roles.clone();
        for (place, used) in split.iter_mut().zip(used) {
            place.usd_per_hour.traffic = self.traffic_usd_per_hour(stretch_ns, PaidBytes(used.traffic));
            place.usd_per_hour.backups = used.backup_bytes as f64 * self.usd_per_backup_byte_hour;
        }
        split
    }

    fn traffic_usd_per_hour(&self, stretch_ns: u64, bytes: PaidBytes) -> f64 {
        if stretch_ns == 0 {
            return 0.0;
        }
        let usd = bytes.0.cross_zone as f64 * self.usd_per_cross_zone_byte
            + bytes.0.cross_region_out as f64 * self.usd_per_cross_region_byte;
        usd / (stretch_ns as f64 / NANOS_PER_HOUR)
    }

    /// All roles together over a stretch of time, with its traffic, its successes and the backups that are kept.
    pub fn over(&self, stretch_ns: u64, bytes: PaidBytes, backup_bytes: u64, succeeded: u64) -> Cost {
        let hours = stretch_ns as f64 / NANOS_PER_HOUR;
        let fixed: f64 = self.roles.iter().map(|place| place.usd_per_hour.total()).sum();
        let usd_per_hour = fixed
            + self.traffic_usd_per_hour(stretch_ns, bytes)
            + backup_bytes as f64 * self.usd_per_backup_byte_hour;
        Cost {
            usd_per_hour,
            usd_per_month: usd_per_hour * self.hours_per_month,
            usd_per_million_operations: (succeeded > 0 && hours > 0.0)
                .then(|| usd_per_hour * hours / succeeded as f64 * 1e6),
        }
    }

    /// Since the start of the run.
    pub fn since_start(&self, now: SimTime, bytes: PaidBytes, backup_bytes: u64, succeeded: u64) -> Cost {
        self.over(now.0, bytes, backup_bytes, succeeded)
    }
}

/// A machine with its volume.
pub fn machine_usd_per_hour(sheet: &PriceSheet, machine: &MachineSection) -> CostKinds {
    let is_managed = is_managed(&machine.machine_type);
    let storage = machine.storage_gb * sheet.storage_usd_per_gb_month(is_managed);
    let io = sheet.io_usd_per_month(is_managed, machine.provisioned_iops, machine.provisioned_mb_per_s);
    CostKinds {
        compute: sheet.usd_per_hour(&machine.machine_type).unwrap_or(0.0),
        storage: storage / sheet.hours_per_month,
        provisioned_io: io / sheet.hours_per_month,
        ..CostKinds::default()
    }
}
