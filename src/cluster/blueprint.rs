//! What does not change while a cluster runs.

use super::resolve::Directory;
use crate::measure::cost::Tariff;
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
    pub tariff: Tariff,
}

impl Blueprint {
    /// The machine of a node; clients and the backup store have none that is paid for.
    pub fn machine(&self, seat: Seat) -> Option<&MachineSection> {
        match (&self.section, seat) {
            (_, Seat::Client(_) | Seat::BackupStore) => None,
            (ClusterSection::ShardedSql(sql), Seat::Mysql { .. }) => Some(&sql.mysql_machine),
            (ClusterSection::ShardedSql(sql), _) => Some(&sql.proxy_machine),
            (ClusterSection::GossipRing(ring), _) => Some(&ring.machine),
        }
    }
}
