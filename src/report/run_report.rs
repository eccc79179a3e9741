//! A run's report: the one object that `--json` prints, that the page saves, and
//! that every other form of the report is made from.
//!
//! Figures are of the whole run, from its start to where it stands now. What
//! there was none of is `null`, never 0: a latency of nothing is not fast.

use super::service::ServiceReport;
use super::storage::StorageReport;
use super::verdict::{Check, judge};
use crate::check::durability::Errant;
use crate::cluster::run::ClusterRun;
use crate::measure::cost::{Cost, RoleCost};
use crate::measure::effort::Effort;
use crate::measure::forecast::{Forecast, Hottest};
use crate::measure::latency::LatencySummary;
use crate::ring::token_ring::coefficient_of_variation;
use crate::scenario::names::Seat;
use crate::session::Session;
use crate::session::bill::{effort, tables};
use crate::session::frame::BillTable;
use crate::session::frames::fault_frames;
use crate::workload::recorded::{Format, Recording, SkippedLine};
use serde::{Serialize, Serializer};

/// A whole run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RunReport {
    /// Its name.
    pub scenario: String,
    pub title: String,
    pub seed: u64,
    pub simulated_ms: f64,
    /// Over all clusters, 16 hexadecimal digits.
    pub trace_hash: String,
    pub events: u64,
    /// How long the computer took; none where nobody looked at a clock.
    pub wall_ms: Option<f64>,
    pub events_per_second: Option<f64>,
    /// The recorded traffic, if it was not generated.
    pub workload: Option<RecordingReport>,
    pub clusters: Vec<ClusterReport>,
    pub faults: Vec<FaultReport>,
    /// What the scenario asks for, cluster by cluster.
    pub checks: Vec<Check>,
    /// Name of the price sheet, and its date.
    pub prices: String,
    pub prices_date: String,
}

/// A recorded file.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RecordingReport {
    pub file: String,
    pub format: Format,
    pub time_scale: f64,
    pub keys: u64,
    /// Lines that became operations, and how many of those the run was long enough for.
    pub taken: u64,
    pub replayed: u64,
    pub skipped: u64,
    pub first_skipped: Vec<SkippedLine>,
    pub gaps_closed: u64,
}

/// One cluster.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ClusterReport {
    pub name: String,
    pub kind: &'static str,
    pub trace_hash: String,
    pub events: u64,
    pub operations: Operations,
    /// Failed and unknown by cause, most frequent first.
    pub causes: Vec<CauseCount>,
    pub goodput_per_second: f64,
    pub latency_ms: Latencies,
    pub stale_reads: u64,
    /// The stalest read, in time and in versions.
    pub stale_age_ms_max: f64,
    pub stale_versions_max: u64,
    /// Of the stale reads: those that a cache answered, and those that a replica did.
    pub stale_reads_from_cache: u64,
    pub stale_reads_from_replica: u64,
    /// And those that returned a row which had been deleted.
    pub reads_of_deleted_rows: u64,
    pub staleness: Staleness,
    pub lost_acknowledged_writes: u64,
    /// Of the lost ones: those that a primary acknowledged after another had been promoted.
    pub split_brain_writes: u64,
    /// Transactions that a returning primary alone had, and gave up.
    pub errant_transactions: u64,
    /// The first of them, one by one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errant: Vec<ErrantReport>,
    /// Restores of shards from backups, and the worst of their recovery points and recovery times.
    pub restores: u64,
    pub recovery_point_ms_max: Option<f64>,
    pub recovery_time_ms_max: Option<f64>,
    /// Second attempts of query proxies.
    pub retries: u64,
    /// How often a ring node believed another one dead that was up; none without a ring.
    pub false_convictions: Option<u64>,
    /// Of log-structured stores, where a ring has them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub storage: Option<StorageReport>,
    /// Of a counting service in front of the cluster.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<ServiceReport>,
    /// None where there are no replicas that lag.
    pub replication_lag_ms_max: Option<f64>,
    /// Who owns what of a ring as it is at the end; none without one.
    pub ownership: Option<OwnershipReport>,
    pub cost: CostReport,
    /// What it would need under more load.
    pub forecast: Forecast,
    /// What people have to do for it.
    pub effort: Effort,
    /// The same three in words, as every other form of the report shows them.
    #[serde(skip)]
    pub bill: Vec<BillTable>,
}

/// Who owns what of a token ring.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct OwnershipReport {
    pub nodes: Vec<OwnedShare>,
    /// Of the shares: their standard deviation over their mean. With V random tokens for each of n nodes it is
    /// expected to be √((n−1)/(nV+1)).
    pub coefficient_of_variation: f64,
}

/// What one node owns.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct OwnedShare {
    pub node: String,
    /// Of the ring: where it is the first replica, 0 to 1.
    pub share: f64,
}

/// How soon writes become visible, and how many versions reads are behind.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Staleness {
    /// By delay in ms: the share of the reads, sent that long after a write's acknowledgement, that return
    /// it or a newer one. Of the delays that the scenario lists.
    #[serde(serialize_with = "as_object")]
    pub consistent_at_ms: Vec<(String, Option<f64>)>,
    /// The delay from which on 99.9 % do. None if too few reads followed writes, or none did late enough.
    pub t_visibility_ms_p999: Option<f64>,
    /// By k: the share of all reads of one row that return one of the k latest acknowledged versions.
    #[serde(serialize_with = "as_object")]
    pub within_versions: Vec<(String, Option<f64>)>,
}

/// Versions back of which a report tells.
const VERSIONS_TOLD: [usize; 5] = [1, 2, 3, 5, 10];

fn as_object<S: Serializer>(entries: &[(String, Option<f64>)], to: S) -> Result<S::Ok, S::Error> {
    to.collect_map(entries.iter().map(|(name, value)| (name, value)))
}

/// A transaction that a returning server alone had.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ErrantReport {
    pub node: String,
    /// From 1.
    pub shard: u16,
    pub epoch: u32,
    pub sequence: u64,
    pub key: String,
    /// Whether a client had been told that it was done.
    pub acknowledged: bool,
}

/// Errant transactions in a report at most.
const ERRANT_MAX: usize = 100;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Operations {
    pub invoked: u64,
    pub ok: u64,
    /// Surely not done.
    pub failed: u64,
    /// Timed out or still under way at the end: it may have happened.
    pub unknown: u64,
    /// Of the unknown: still under way at the end.
    pub under_way: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CauseCount {
    pub cause: String,
    pub count: u64,
}

/// Of operations that succeeded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Latencies {
    pub read: Latency,
    pub write: Latency,
    /// Queries over many rows, where the workload has them.
    #[serde(skip_serializing_if = "Latency::is_empty")]
    pub scan: Latency,
    #[serde(skip_serializing_if = "Latency::is_empty")]
    pub top: Latency,
    #[serde(skip_serializing_if = "Latency::is_empty")]
    pub join: Latency,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Latency {
    pub count: u64,
    pub mean: Option<f64>,
    pub p50: Option<f64>,
    pub p99: Option<f64>,
    pub p999: Option<f64>,
}

impl Latency {
    fn is_empty(&self) -> bool {
        self.count == 0
    }
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct CostReport {
    pub usd_per_hour: f64,
    pub usd_per_month: f64,
    pub usd_per_million_operations: Option<f64>,
    /// Role by role, by what is paid for; together as much as the cluster.
    pub split: Vec<RoleCost>,
}

/// One fault, with what it touched.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FaultReport {
    pub name: String,
    /// In words.
    pub label: String,
    pub begin_ms: f64,
    /// When it was or will be lifted; none if it lasts to the end.
    pub end_ms: Option<f64>,
    /// False if the run ended before it began.
    pub begun: bool,
    pub touched: Vec<TouchedCluster>,
}

/// What a fault did to one cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TouchedCluster {
    pub cluster: String,
    pub messages_stopped: u64,
    pub messages_delayed: u64,
    pub messages_duplicated: u64,
    /// That failed or are unknown while it lasted.
    pub operations_not_ok: u64,
}

impl RunReport {
    /// Of a session as it stands. `wall_ms` is what the caller's clock said; the core has none.
    pub fn of(session: &Session, wall_ms: Option<f64>, workload: Option<RecordingReport>) -> RunReport {
        let scenario = session.scenario();
        let clusters: Vec<ClusterReport> =
            session.clusters().iter().map(|run| ClusterReport::of(session, run)).collect();
        let events = session.events();
        RunReport {
            scenario: scenario.name.clone(),
            title: scenario.title.clone(),
            seed: session.seed(),
            simulated_ms: session.now().as_ms_f64(),
            trace_hash: hash_digits(session.trace_hash()),
            events,
            wall_ms,
            events_per_second: wall_ms.filter(|ms| *ms > 0.0).map(|ms| events as f64 / ms * 1_000.0),
            workload,
            checks: judge(&scenario.checks, &clusters),
            faults: faults(session),
            clusters,
            prices: session.prices().name.clone(),
            prices_date: session.prices().date.clone(),
        }
    }

    /// As `--json` prints it.
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).expect("a report has text keys and plain values only")
    }
}

impl ClusterReport {
    /// One that has every figure which a report can have, whatever they are: for tables, whose columns
    /// must not depend on what came of a run. With figures for these delays of probes, in ms.
    pub fn with_every_figure(probe_delays: &[String]) -> ClusterReport {
        let some = Latency { count: 1, ..Latency::default() };
        ClusterReport {
            latency_ms: Latencies { read: some, write: some, scan: some, top: some, join: some },
            staleness: Staleness {
                consistent_at_ms: probe_delays.iter().map(|delay| (delay.clone(), None)).collect(),
                within_versions: VERSIONS_TOLD.map(|k| (k.to_string(), None)).into(),
                ..Staleness::default()
            },
            errant: vec![ErrantReport::default()],
            storage: Some(StorageReport::default()),
            ownership: Some(OwnershipReport::default()),
            forecast: Forecast { first: Some(Hottest::default()), ..Forecast::default() },
            service: Some(ServiceReport::default()),
            ..ClusterReport::default()
        }
    }

    fn of(session: &Session, run: &ClusterRun) -> ClusterReport {
        let summary = run.summary(session.now());
        ClusterReport {
            name: run.name().to_string(),
            kind: run.kind(),
            trace_hash: hash_digits(run.trace_hash()),
            events: run.events(),
            operations: Operations {
                invoked: summary.invoked,
                ok: summary.ok,
                failed: summary.failed,
                unknown: summary.unknown,
                under_way: run.open_operations(),
            },
            causes: summary.causes.into_iter().map(|(cause, count)| CauseCount { cause, count }).collect(),
            goodput_per_second: summary.goodput_per_second,
            latency_ms: Latencies {
                read: latency(summary.read),
                write: latency(summary.write),
                scan: latency(summary.scan),
                top: latency(summary.top),
                join: latency(summary.join),
            },
            stale_reads: summary.stale_reads,
            stale_age_ms_max: summary.stale_age_ms_max,
            stale_versions_max: summary.stale_versions_max,
            stale_reads_from_cache: summary.stale_reads_from_cache,
            stale_reads_from_replica: summary.stale_reads_from_replica,
            reads_of_deleted_rows: summary.reads_of_deleted_rows,
            staleness: staleness(session, run),
            lost_acknowledged_writes: summary.lost_acknowledged_writes,
            split_brain_writes: summary.split_brain_writes,
            errant_transactions: summary.errant_transactions,
            errant: run
                .recorder()
                .errant_list()
                .take(ERRANT_MAX)
                .map(|errant| errant_report(run, errant))
                .collect(),
            restores: summary.restores,
            recovery_point_ms_max: summary.recovery_point_ms_max,
            recovery_time_ms_max: summary.recovery_time_ms_max,
            retries: summary.retries,
            false_convictions: (run.kind() == "gossip_ring").then(|| run.false_convictions()),
            storage: StorageReport::of(run),
            service: ServiceReport::of(run, session.now()),
            replication_lag_ms_max: summary.replication_lag_ms_max,
            ownership: ownership(run),
            cost: cost(summary.cost, run.split(session.now())),
            forecast: run.forecast(session.now()),
            effort: effort(session, run),
            bill: tables(session, run),
        }
    }
}

fn ownership(run: &ClusterRun) -> Option<OwnershipReport> {
    let ring = run.ring()?;
    let seats = run.blueprint().directory.seats.iter();
    let names: Vec<String> =
        seats.filter(|seat| matches!(seat, Seat::RingNode(_))).map(|seat| seat.name()).collect();
    let shares = ring.shares(names.len());
    let named = names.into_iter().zip(shares).enumerate();
    let members = named.filter(|(node, _)| ring.tokens_of(*node as u16) > 0);
    let nodes: Vec<OwnedShare> = members.map(|(_, (node, share))| OwnedShare { node, share }).collect();
    let shares: Vec<f64> = nodes.iter().map(|node| node.share).collect();
    let coefficient_of_variation = coefficient_of_variation(&shares);
    Some(OwnershipReport { nodes, coefficient_of_variation })
}

fn staleness(session: &Session, run: &ClusterRun) -> Staleness {
    let visibility = &run.recorder().visibility;
    let probes = session.scenario().workload.probes.as_ref();
    let listed = probes.map_or(&[][..], |probes| &probes.at_ms).iter().enumerate();
    Staleness {
        consistent_at_ms: listed
            .map(|(place, ms)| (ms.to_string(), visibility.consistent_share(place)))
            .collect(),
        t_visibility_ms_p999: visibility.t_visibility_ms(),
        within_versions: VERSIONS_TOLD.map(|k| (k.to_string(), visibility.within_versions_share(k))).into(),
    }
}

fn errant_report(run: &ClusterRun, errant: Errant) -> ErrantReport {
    ErrantReport {
        node: run.world().body(errant.node).name().to_string(),
        shard: u16::from(errant.shard) + 1,
        epoch: errant.position.epoch,
        sequence: errant.position.sequence,
        key: run.blueprint().traffic.keys.name(errant.key).to_string(),
        acknowledged: errant.acknowledged,
    }
}

impl RecordingReport {
    /// Of a recording that was replayed from a file until `end_ns`.
    pub fn of(recording: &Recording, file: &str, time_scale: f64, end_ns: u64) -> RecordingReport {
        RecordingReport {
            file: file.to_string(),
            format: recording.format,
            time_scale,
            keys: recording.keys.len() as u64,
            taken: recording.taken,
            replayed: recording.count_until_ns(end_ns) as u64,
            skipped: recording.skipped,
            first_skipped: recording.first_skipped.clone(),
            gaps_closed: recording.gaps_closed,
        }
    }
}

pub(super) fn latency(summary: LatencySummary) -> Latency {
    let of = |ms: f64| (summary.count > 0).then_some(ms);
    Latency {
        count: summary.count,
        mean: of(summary.mean_ms),
        p50: of(summary.p50_ms),
        p99: of(summary.p99_ms),
        p999: of(summary.p999_ms),
    }
}

fn cost(cost: Cost, split: Vec<RoleCost>) -> CostReport {
    let Cost { usd_per_hour, usd_per_month, usd_per_million_operations } = cost;
    CostReport { usd_per_hour, usd_per_month, usd_per_million_operations, split }
}

fn faults(session: &Session) -> Vec<FaultReport> {
    let ms = |ns: u64| ns as f64 / 1e6;
    let begun = |number: u32| session.state().begun.iter().any(|begun| begun.number == number);
    let report = |frame: crate::session::frame::FaultFrame| FaultReport {
        begun: begun(frame.number),
        touched: session
            .clusters()
            .iter()
            .zip(&frame.touched)
            .map(|(run, touch)| TouchedCluster {
                cluster: run.name().to_string(),
                messages_stopped: touch.messages.stopped,
                messages_delayed: touch.messages.delayed,
                messages_duplicated: touch.messages.duplicated,
                operations_not_ok: touch.operations,
            })
            .collect(),
        name: frame.name,
        label: frame.label,
        begin_ms: ms(frame.begin_ns),
        end_ms: frame.end_ns.map(ms),
    };
    fault_frames(session).into_iter().map(report).collect()
}

/// A hash as reports show it: 16 hexadecimal digits.
pub fn hash_digits(hash: u64) -> String {
    format!("{hash:016x}")
}
