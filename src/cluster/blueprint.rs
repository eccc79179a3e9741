//! What does not change while a cluster runs.

use super::resolve::Directory;
use crate::measure::cost::FixedCost;
use crate::measure::prices::PriceSheet;
use crate::ring::token_ring::TokenRing;
use crate::scenario::names::Seat;
use crate::scenario::schema::{ClusterSection, MachineSection};
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
    pub traffic: Rc<Traffic>,
    pub prices: PriceSheet,
    pub fixed_cost: FixedCost,
}

impl Blueprint {
    /// The machine of a node; clients and the backup store have none that is paid for.
    pub fn machine(&self, seat: Seat) -> Option<&MachineSection> {
        machine_of(&self.section, seat)
    }
}

fn machine_of(section: &ClusterSection, seat: Seat) -> Option<&MachineSection> {
    match (section, seat) {
        (_, Seat::Client(_) | Seat::BackupStore) => None,
        (ClusterSection::ShardedSql(sql), Seat::Mysql { .. }) => Some(&sql.mysql_machine),
        (ClusterSection::ShardedSql(sql), _) => Some(&sql.proxy_machine),
        (ClusterSection::GossipRing(ring), _) => Some(&ring.machine),
    }
}

/// What a cluster costs whether or not it is used: its machines and their storage.
pub fn fixed_cost(section: &ClusterSection, seats: &[Seat], prices: &PriceSheet) -> FixedCost {
    let machines = seats.iter().filter_map(|seat| machine_of(section, *seat));
    FixedCost::of(prices, machines.map(|machine| (machine.machine_type.as_str(), machine.storage_gb)))
}
