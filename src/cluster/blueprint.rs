//! What does not change while a cluster runs.

use super::resolve::Directory;
use crate::measure::cost::Tariff;
use crate::measure::prices::PriceSheet;
use crate::ring::token_ring::TokenRing;
use crate::scenario::names::Seat;
use crate::scenario::schema::{ClusterSection, DiskSection, MachineSection};
use crate::service::settings::ServiceSettings;
use crate::sql::shard_map::ShardMap;
use crate::workload::generator::Traffic;
use std::rc::Rc;

/// What does not change while a cluster runs.
pub struct Blueprint {
    pub section: ClusterSection,
    pub directory: Directory,
    /// A ring as it is at the start; [`ClusterRun::ring`](super::run::ClusterRun::ring) as it is now.
    pub ring: Option<Rc<TokenRing>>,
    pub neighbours: Vec<Vec<u16>>,
    pub map: Option<Rc<ShardMap>>,
    /// The service in front of it, if there is one.
    pub service: Option<Rc<ServiceSettings>>,
    pub traffic: Rc<Traffic>,
    pub prices: PriceSheet,
    pub tariff: Tariff,
}

impl Blueprint {
    /// The machine of a node; clients, the backup store and the object store have none that is paid for.
    pub fn machine(&self, seat: Seat) -> Option<&MachineSection> {
        machine_of(&self.section, seat).map(|(machine, _)| machine)
    }
}

/// What a node runs on, and its disk where it has one of its own.
pub fn machine_of(section: &ClusterSection, seat: Seat) -> Option<(&MachineSection, Option<&DiskSection>)> {
    let (sql, service) = (section.sql(), section.service());
    match seat {
        Seat::Client(_) | Seat::BackupStore | Seat::ObjectStore => None,
        Seat::Mysql { .. } => sql.map(|sql| (&sql.mysql_machine, Some(&sql.disk))),
        Seat::QueryProxy(_) | Seat::Config(_) | Seat::ShardProxy { .. } => {
            sql.map(|sql| (&sql.proxy_machine, Some(&sql.disk)))
        }
        Seat::RingNode(_) => match section {
            ClusterSection::GossipRing(ring) => Some((&ring.machine, Some(&ring.disk))),
            ClusterSection::ShardedSql(_) => None,
        },
        Seat::Collector(_) => service.map(|service| (&service.collectors.machine, None)),
        Seat::Broker(_) => service.map(|service| (&service.log.machine, Some(&service.log.disk))),
        Seat::Worker(_) => service.map(|service| (&service.workers.machine, Some(&service.workers.disk))),
        Seat::Reader(_) => service.map(|service| (&service.readers.machine, None)),
    }
}

/// What a cluster costs whether or not it is used, and what its use costs.
pub fn tariff(section: &ClusterSection, seats: &[Seat], prices: &PriceSheet) -> Tariff {
    let machine = |seat: &Seat| machine_of(section, *seat).map(|(machine, _)| machine);
    Tariff::of(prices, seats.iter().map(|seat| (seat.role(), machine(seat))))
}
