//! Forecast: what a cluster would need under ten and a hundred times the load of the run.
//!
//! It is arithmetic over what the run measured, not a simulation: how busy each node's cores, the channels of its
//! disk and its volume's throttle were, times the factor. It assumes [`ASSUMPTIONS`]. How well that holds is tested by
//! running a scenario at the rates that it names (`tests/core/cost.rs`).
//!
//! ```text
//! first to saturate    at factor 1 / (highest share of any node's cores, disk or volume)
//! machines of a role   ceil(machines * mean share * factor / TARGET), never fewer than now
//! cost                 machines, volumes and provisioned I/O with the machines; traffic and
//!                      backups with the factor
//! ```
//!
//! Left out: waiting (a machine that is half busy answers later, and time-outs and retries add load), shares that
//! change with load (cache hits, group commit, batches), answers that get longer as more rows have been written,
//! limits of connections and queues. Fsyncs are no part of a disk's share: what waits together shares one.

use super::cost::{CostKinds, RoleCost};
use serde::Serialize;

/// Share of its cores and its disk that a machine is to be busy, so that queues stay short.
pub const TARGET: f64 = 0.6;
pub const FACTORS: [f64; 2] = [10.0, 100.0];

/// What a forecast takes for granted, in words.
pub const ASSUMPTIONS: &str = "Arithmetic over what this run measured, its faults included: work grows with the \
     load, as do traffic and backups; keys are as popular as they were, and caches hit as often. Machines of a role \
     are added until they are busy to 60 % on average. That spreads what can be spread: the keys of one shard or \
     node move only if it is split, and a single key stays on one machine.";

/// What a machine can run out of.
#[derive(Default, Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Resource {
    #[default]
    Cores,
    Disk,
    ProvisionedIops,
}

impl Resource {
    pub const ALL: [Resource; 3] = [Resource::Cores, Resource::Disk, Resource::ProvisionedIops];

    pub fn words(self) -> &'static str {
        match self {
            Resource::Cores => "cores",
            Resource::Disk => "disk",
            Resource::ProvisionedIops => "provisioned IOPS",
        }
    }
}

/// How busy one node was.
#[derive(Clone, Debug, PartialEq)]
pub struct NodeLoad {
    /// The place of its role among those of the cluster.
    pub role: usize,
    pub name: String,
    /// Of what it could have done over the run, by [`Resource`].
    pub shares: [f64; 3],
    /// Reads, transfers and fsyncs of its disk a second.
    pub disk_requests_per_s: f64,
    /// Core time that it spent, in ms.
    pub core_ms: f64,
}

impl NodeLoad {
    /// The resource that is most used, and how much of it.
    fn tightest(&self) -> (Resource, f64) {
        let at = (1..3).fold(0, |best, at| if self.shares[at] > self.shares[best] { at } else { best });
        (Resource::ALL[at], self.shares[at])
    }
}

/// A node that is busiest: of its role, or of all.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Hottest {
    pub node: String,
    pub resource: Resource,
    /// 0 to 1.
    pub share: f64,
    /// Times the load of the run at which that is all of it; none if it did nothing.
    pub saturates_at: Option<f64>,
}

/// One role.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RoleForecast {
    pub role: &'static str,
    pub machines: u32,
    /// Mean over its machines of how busy their tightest resource was, 0 to 1.
    pub share_mean: f64,
    pub hottest: Hottest,
    /// Core time per operation that succeeded, over all its machines; none if none did.
    pub core_ms_per_operation: Option<f64>,
    /// Of the machine whose disk had most to do.
    pub disk_requests_per_s_max: f64,
    /// Machines needed at each of [`FACTORS`].
    pub machines_at: [u64; 2],
}

/// The whole cluster at a factor.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ForecastAt {
    pub factor: f64,
    pub operations_per_s: f64,
    pub machines: u64,
    pub usd_per_hour: CostKinds,
    pub usd_per_month: f64,
    pub usd_per_million_operations: Option<f64>,
}

/// What a cluster would need under more load.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Forecast {
    pub assumptions: &'static str,
    pub target_share: f64,
    /// That succeeded in the run.
    pub operations_per_s: f64,
    /// The machine that saturates first; none in a cluster without machines.
    pub first: Option<Hottest>,
    pub roles: Vec<RoleForecast>,
    pub at: Vec<ForecastAt>,
}

impl Forecast {
    /// From how busy the nodes were over `seconds` in which so many operations succeeded, and what the cluster cost.
    pub fn of(
        loads: &[NodeLoad],
        split: &[RoleCost],
        seconds: f64,
        succeeded: u64,
        hours_per_month: f64,
    ) -> Forecast {
        let paid = split.iter().enumerate().filter(|(_, place)| place.machines > 0);
        let roles: Vec<RoleForecast> =
            paid.filter_map(|(at, place)| role(loads, at, place, succeeded)).collect();
        let operations_per_s = if seconds > 0.0 { succeeded as f64 / seconds } else { 0.0 };
        let first = hottest(loads.iter().filter(|load| split[load.role].machines > 0));
        let at = FACTORS.iter().enumerate().map(|(place, factor)| {
            let mut usd_per_hour = CostKinds::default();
            let mut machines = 0;
            for cost in split {
                let role = roles.iter().find(|role| role.role == cost.role);
                let needed = role.map_or(u64::from(cost.machines), |role| role.machines_at[place]);
                machines += needed;
                usd_per_hour.add(&grown(cost, needed, *factor));
            }
            let usd_per_month = usd_per_hour.total() * hours_per_month;
            let operations_per_s = operations_per_s * factor;
            ForecastAt {
                factor: *factor,
                operations_per_s,
                machines,
                usd_per_hour,
                usd_per_month,
                usd_per_million_operations: (operations_per_s > 0.0)
                    .then(|| usd_per_hour.total() / 3_600.0 / operations_per_s * 1e6),
            }
        });
        let at = at.collect();
        Forecast { assumptions: ASSUMPTIONS, target_share: TARGET, operations_per_s, first, roles, at }
    }
}

/// What a role costs with so many machines, under so much more load.
fn grown(cost: &RoleCost, machines: u64, factor: f64) -> CostKinds {
    let CostKinds { compute, storage, provisioned_io, backups, traffic } = cost.usd_per_hour;
    let more = machines as f64 / f64::from(cost.machines.max(1));
    CostKinds {
        compute: compute * more,
        storage: storage * more,
        provisioned_io: provisioned_io * more,
        backups: backups * factor,
        traffic: traffic * factor,
    }
}

fn role(loads: &[NodeLoad], at: usize, cost: &RoleCost, succeeded: u64) -> Option<RoleForecast> {
    let own = || loads.iter().filter(|load| load.role == at);
    let machines = f64::from(cost.machines);
    let shares: f64 = own().map(|load| load.tightest().1).sum();
    let core_ms: f64 = own().map(|load| load.core_ms).sum();
    let needed = |factor: f64| libm::ceil(shares * factor / TARGET - 1e-9).max(machines) as u64;
    Some(RoleForecast {
        role: cost.role,
        machines: cost.machines,
        share_mean: shares / machines,
        hottest: hottest(own())?,
        core_ms_per_operation: (succeeded > 0).then(|| core_ms / succeeded as f64),
        disk_requests_per_s_max: own().fold(0.0, |most, load| load.disk_requests_per_s.max(most)),
        machines_at: FACTORS.map(needed),
    })
}

fn hottest<'a>(loads: impl Iterator<Item = &'a NodeLoad>) -> Option<Hottest> {
    let mut best: Option<(&NodeLoad, Resource, f64)> = None;
    for load in loads {
        let (resource, share) = load.tightest();
        if best.is_none_or(|(_, _, most)| share > most) {
            best = Some((load, resource, share));
        }
    }
    let (load, resource, share) = best?;
    let saturates_at = (share > 0.0).then(|| 1.0 / share);
    Some(Hottest { node: load.name.clone(), resource, share, saturates_at })
}
