//! Builds what the page draws of one moment.

use super::frame::{
    ArcKind, BranchFrame, ClusterFrame, FaultFrame, FaultTouch, Figures, MESSAGES_SHOWN_MAX, MessageFrame,
    MessageUse, NodeFrame, PartitionFrame, SeriesPoint, ServiceFigures, StopFrame,
};
use super::layout::{all_arcs, labels};
use super::narrator::plural;
use super::run::{Future, Session};
use crate::cluster::message::{CLASS_REQUEST, CLASS_RESPONSE};
use crate::cluster::role::Role;
use crate::cluster::run::{Bucket, ClusterRun, PartitionNow};
use crate::engine::random::mix;
use crate::engine::world::InFlight;
use crate::engine::{NodeId, SimDuration};
use crate::measure::recorder::Counts;
use crate::ring::message::{CLASS_GOSSIP, CLASS_READ_RESPONSE, CLASS_REPAIR, CLASS_WRITE_ACKNOWLEDGEMENT};
use crate::ring::place::Move;
use crate::ring::ring_node::RingNode;
use crate::scenario::fault::FaultSpec;
use crate::service::message::{
    CLASS_FETCHED, CLASS_GROUP, CLASS_LOG_REPLICATION, CLASS_OBJECT_REPLY, CLASS_PRODUCED,
};
use crate::sql::config_service::ConfigService;
use crate::sql::message::{CLASS_CONTROL, CLASS_REPLICATION, CLASS_REPLY};
use crate::sql::mysql::{MySql, Standing};
use crate::sql::query_proxy::QueryProxy;
use crate::sql::shard_proxy::ShardProxy;

/// Stopped messages are shown for this long.
const STOPS_SHOWN_FOR: SimDuration = SimDuration::from_ms(400);
/// Rates are over this long.
const RATE_SPAN: SimDuration = SimDuration::from_ms(1_000);
/// Nodes that a ring node believes dead and that a frame names, at most.
const DOUBTED_SHOWN_MAX: usize = 64;

/// One cluster now, with its series from a bucket on, and with labels or arcs unless they are those of a version of
/// its map.
pub fn cluster_frame(
    session: &Session,
    run: &ClusterRun,
    series_from: usize,
    labelled: Option<u32>,
) -> ClusterFrame {
    let world = run.world();
    let (messages, under_way) = messages(run);
    let now = session.now();
    let is_new = labelled != run.map_version();
    let stops = world.network().stops().filter(|stop| now.since(stop.at) <= STOPS_SHOWN_FOR);
    ClusterFrame {
        figures: figures(session, run),
        nodes: world.node_ids().map(|node| node_frame(run, node)).collect(),
        messages,
        messages_under_way: under_way,
        stops: stops.map(|stop| StopFrame { from: stop.from.0, to: stop.to.0, at_ns: stop.at.0 }).collect(),
        series: series(run, session.bucket(), series_from),
        trace_hash: run.trace_hash(),
        labels: run.map().filter(|_| is_new).map_or_else(Vec::new, |map| labels(run, map)),
        partitions: run.partitions().iter().map(partition_frame).collect(),
        arcs: run.ring().filter(|_| is_new).map_or_else(Vec::new, |ring| all_arcs(run, ring)),
    }
}

/// The series from a bucket on.
pub fn series(run: &ClusterRun, bucket: SimDuration, from: usize) -> Vec<SeriesPoint> {
    let points = run.buckets().iter().skip(from);
    points.map(|point| series_point(point, bucket)).collect()
}

fn series_point(bucket: &Bucket, length: SimDuration) -> SeriesPoint {
    let per_second = |count: u64| (count as f64 / (length.0 as f64 / 1e9)) as f32;
    let counts = &bucket.counts;
    SeriesPoint {
        throughput: per_second(counts.invoked),
        goodput: per_second(counts.ok),
        errors: per_second(counts.failed + counts.unknown),
        read_ms_p50: bucket.latency.read_ms_p50,
        read_ms_p99: bucket.latency.read_ms_p99,
        write_ms_p50: bucket.latency.write_ms_p50,
        write_ms_p99: bucket.latency.write_ms_p99,
        stale_reads: per_second(counts.stale_reads),
        lost_writes: counts.lost_writes as f32,
        lag_ms: bucket.lag_ms.map_or(f32::NAN, |lag| lag as f32),
        log_lag: bucket.views.map_or(f32::NAN, |(lag, _)| lag as f32),
        views_missing: bucket.views.map_or(f32::NAN, |(_, missing)| missing as f32),
        usd_per_hour: bucket.usd_per_hour as f32,
    }
}

/// The figures above a cluster: rates and latencies of the last second while it
/// runs; of the whole run, as its report has them, when it is over.
fn figures(session: &Session, run: &ClusterRun) -> Figures {
    let now = session.now();
    let summary = run.summary(now);
    let over = session.is_over();
    let (throughput, goodput, quantiles) = if over {
        let seconds = (now.0 as f64 / 1e9).max(f64::MIN_POSITIVE);
        let quantiles =
            [summary.read.p50_ms, summary.read.p99_ms, summary.write.p50_ms, summary.write.p99_ms];
        (summary.invoked as f64 / seconds, summary.goodput_per_second, quantiles)
    } else {
        let (counts, span) = last_second(session, run);
        let seconds = (span.0 as f64 / 1e9).max(f64::MIN_POSITIVE);
        let quantiles = run.recorder().recent_quantiles_ms(now);
        (counts.invoked as f64 / seconds, counts.ok as f64 / seconds, quantiles)
    };
    let counts = run.recorder().counts;
    let visibility = &run.recorder().visibility;
    let probes = session.scenario().workload.probes.as_ref();
    let first = probes.and_then(|probes| probes.at_ms.first());
    Figures {
        invoked: summary.invoked,
        ok: summary.ok,
        failed: summary.failed,
        unknown: if over { summary.unknown } else { counts.unknown },
        causes: if over { summary.causes } else { run.recorder().causes() },
        throughput_per_second: throughput,
        goodput_per_second: goodput,
        read_latency_ms_p50: quantiles[0],
        read_latency_ms_p99: quantiles[1],
        write_latency_ms_p50: quantiles[2],
        write_latency_ms_p99: quantiles[3],
        stale_reads: summary.stale_reads,
        lost_acknowledged_writes: summary.lost_acknowledged_writes,
        replication_lag_ms: if over { summary.replication_lag_ms_max } else { run.replication_lag_ms() },
        visible_after_ms: probes.and_then(|_| visibility.t_visibility_ms()),
        visible_at: first.copied().zip(visibility.consistent_share(0)),
        service: service_figures(run, over),
        usd_per_hour: summary.cost.usd_per_hour,
        usd_per_month: summary.cost.usd_per_month,
        usd_per_million_operations: summary.cost.usd_per_million_operations,
    }
}

/// Of a counting service: what the database had when it was last looked at, or has when the run is over.
fn service_figures(run: &ClusterRun, over: bool) -> Option<ServiceFigures> {
    let summary = run.recorder().service.as_ref()?.summary();
    let compared = if over { run.compared_views()? } else { summary.compared };
    let shown = summary.shown;
    Some(ServiceFigures {
        views_taken: compared.taken,
        views_counted: compared.counted,
        views_missing: compared.missing,
        views_counted_twice: compared.excess,
        dead_letters: summary.counts.dead_letters_malformed + summary.counts.dead_letters_late,
        log_lag: run.log_lag(),
        shown_after_ms: (shown.count > 0).then_some((shown.p50_ms, shown.p99_ms)),
    })
}

fn partition_frame(partition: &PartitionNow) -> PartitionFrame {
    PartitionFrame {
        leader: partition.leader.map(|node| node.0),
        worker: partition.worker.map(|node| node.0),
        end: partition.end,
        lag: partition.end.saturating_sub(partition.counted),
    }
}

/// Counts of the closed buckets of the last second, and the bucket that is open, with their length.
fn last_second(session: &Session, run: &ClusterRun) -> (Counts, SimDuration) {
    let bucket = session.bucket();
    let closed = run.buckets().len();
    let wanted = (RATE_SPAN.0 / bucket.0).max(1) as usize;
    let mut sum = Counts::default();
    let taken = run.buckets().iter().rev().take(wanted);
    let mut span = 0;
    for point in taken {
        span += bucket.0;
        sum.invoked += point.counts.invoked;
        sum.ok += point.counts.ok;
    }
    if closed == 0 {
        let counts = run.recorder().counts;
        return (counts, SimDuration(session.now().0));
    }
    (sum, SimDuration(span))
}

fn node_frame(run: &ClusterRun, node: NodeId) -> NodeFrame {
    let world = run.world();
    let body = world.body(node);
    let process = world.process(node);
    let is_client = process.as_client().is_some();
    NodeFrame {
        up: !body.is_down(),
        switched_off: body.is_switched_off(),
        recovers: server(run, node).is_some_and(|server| server.is_recovering() || server.is_restoring()),
        paused: body.is_paused(),
        slow: body.slow_factor() > 1.0 || body.disk_slow_factor() > 1.0,
        clock_offset_ns: body.clock_offset_ns(),
        queue: body.machine().queue_len() as u32,
        queue_limit: body.machine().queue_limit,
        load: if is_client { 0.0 } else { run.loads()[node.index()] },
        state: state_words(run, node),
        primary: takes_writes(run, node) || config(run, node).is_some_and(|config| config.leads(world.now())),
        conflict: is_in_conflict(run, node),
        arc: arc(run, node),
        believes_dead: process.as_ring().map_or_else(Vec::new, |ring| {
            let dead = ring.gossip().believed_dead().take(DOUBTED_SHOWN_MAX);
            dead.map(|peer| ring.settings().nodes[usize::from(peer)].0).collect()
        }),
    }
}

/// The MySQL server of a node that is up.
fn server(run: &ClusterRun, node: NodeId) -> Option<&MySql> {
    run.world().process(node).as_mysql().filter(|_| !run.world().body(node).is_down())
}

/// The configuration service's node, if it is up.
fn config(run: &ClusterRun, node: NodeId) -> Option<&ConfigService> {
    run.world().process(node).as_config().filter(|_| !run.world().body(node).is_down())
}

/// Whether it believes that it is primary and may write: a lease that ran out fences it.
fn takes_writes(run: &ClusterRun, node: NodeId) -> bool {
    server(run, node).is_some_and(|server| server.is_primary() && server.holds_lease(run.world().now()))
}

/// Whether it is one of several primaries of its shard.
fn is_in_conflict(run: &ClusterRun, node: NodeId) -> bool {
    let (Some(server), Some(map)) = (run.world().process(node).as_mysql(), &run.blueprint().map) else {
        return false;
    };
    let others = || map.shards[server.shard()].nodes.iter().filter(|other| **other != node);
    takes_writes(run, node) && others().any(|other| takes_writes(run, *other))
}

/// What a node is now, in a few words; nothing where it is what it always is.
fn state_words(run: &ClusterRun, node: NodeId) -> String {
    let body = run.world().body(node);
    if body.is_switched_off() {
        return "switched off".to_string();
    }
    if body.is_down() {
        return "down".to_string();
    }
    match run.world().process(node) {
        Role::MySql(server) => mysql_words(run, node, server),
        Role::Ring(ring) => {
            let dead = ring.gossip().believed_dead().count();
            match standing(ring) {
                Some((words, Some(done))) => format!("{words} {:.0} %", done * 100.0),
                Some((words, None)) => words.to_string(),
                None if dead == 0 => String::new(),
                None => format!("believes {dead} dead"),
            }
        }
        Role::Config(config) => {
            let map = format!("map {}", config.map().version);
            match (config.is_alone(), config.leads(run.world().now()), config.follows()) {
                (true, ..) => map,
                (_, true, _) => format!("leads, {map}"),
                (_, _, true) => "follows".to_string(),
                _ => "seeks a majority".to_string(),
            }
        }
        Role::QueryProxy(proxy) => query_proxy_words(proxy),
        Role::ShardProxy(proxy) => shard_proxy_words(proxy),
        Role::BackupStore(_) | Role::Client(_) => String::new(),
        _ => super::service_words::state_words(run, node),
    }
}

/// How a node stands to its ring, if it is not simply a part of it, and how far it is with what it takes.
pub(super) fn standing(ring: &RingNode) -> Option<(&'static str, Option<f64>)> {
    let words = match ring.place(ring.index()).under_way() {
        Some(Move::Leave) => "leaves",
        Some(_) => "joins",
        None if !ring.view().is_member(ring.index()) => "spare",
        None if ring.streamed().is_some() => "takes",
        None => return None,
    };
    Some((words, ring.streamed()))
}

fn mysql_words(run: &ClusterRun, node: NodeId, server: &MySql) -> String {
    match server.standing() {
        _ if server.is_recovering() => "recovers".to_string(),
        Standing::Primary if !server.holds_lease(run.world().now()) => "primary, no lease".to_string(),
        Standing::Primary if server.stands_by() => "stands by".to_string(),
        Standing::Primary if server.is_degraded() => "primary, waits for replicas no more".to_string(),
        Standing::Primary => format!("primary, epoch {}", server.epoch()),
        _ if server.is_restoring() => "takes a copy".to_string(),
        Standing::Replica { source: None } => "waits".to_string(),
        Standing::Replica { .. } => match run.lag_of(node) {
            Some(lag) if lag >= 1_000.0 => format!("replica, {:.1} s behind", lag / 1_000.0),
            Some(lag) if lag >= 1.0 => format!("replica, {lag:.0} ms behind"),
            Some(_) => "replica".to_string(),
            None => "replica, no primary".to_string(),
        },
    }
}

fn query_proxy_words(proxy: &QueryProxy) -> String {
    let mut words = String::new();
    let kept = proxy.buffered() as u64;
    if kept > 0 {
        words = format!("keeps {kept} {} back", plural(kept, "write", "writes"));
    }
    if let Some(shards) = broken_shards(proxy) {
        words = if words.is_empty() { words } else { words + ", " };
        words = words + "breaker open for " + &shards;
    }
    words
}

/// The shards that a query proxy does not ask now, in words.
pub fn broken_shards(proxy: &QueryProxy) -> Option<String> {
    let mut broken = proxy.broken_shards();
    let first = broken.next()?;
    let others = broken.count();
    Some(match proxy.map().label(first) {
        Some(range) if others == 0 => range,
        _ => format!("{} {}", others + 1, plural(others as u64 + 1, "shard", "shards")),
    })
}

fn shard_proxy_words(proxy: &ShardProxy) -> String {
    match proxy.waiting() {
        0 => String::new(),
        waiting => format!("{} in use, {waiting} wait", proxy.connections_in_use()),
    }
}

/// The arc round a node: health checks that the leader of the configuration service missed, or
/// the highest suspicion that a neighbour that still trusts it has of it.
fn arc(run: &ClusterRun, node: NodeId) -> Option<(f32, ArcKind)> {
    let world = run.world();
    match world.process(node) {
        Role::MySql(_) => {
            let configs = world.node_ids().filter_map(|other| config(run, other));
            let leaders = configs.filter(|config| config.leads(world.now()));
            let mut missed = leaders.filter_map(|config| {
                let health = config.health().iter().find(|health| health.node == node)?;
                Some(health.missed as f32 / config.threshold() as f32)
            });
            missed.next().filter(|share| *share > 0.0).map(|share| (share.min(1.0), ArcKind::HealthCheck))
        }
        Role::Ring(ring) => {
            let settings = ring.settings();
            let now = world.now();
            let neighbours = &settings.membership.neighbours[usize::from(ring.index())];
            let suspicion = neighbours
                .iter()
                .filter_map(|neighbour| {
                    let other = settings.nodes[usize::from(*neighbour)];
                    let up = !world.body(other).is_down();
                    world.process(other).as_ring().filter(|_| up)
                })
                .filter_map(|other| other.gossip().belief(ring.index(), now))
                .map(|belief| belief.suspicion)
                .fold(0.0, f64::max);
            let share = suspicion as f32;
            // Below a quarter it is the ordinary wait for the next rumour.
            (share > 0.25).then_some((share, ArcKind::Suspicion))
        }
        _ => None,
    }
}

/// A sample of the messages under way, and how many there are. Which ones are in
/// it is a property of the message itself: what is shown stays shown.
fn messages(run: &ClusterRun) -> (Vec<MessageFrame>, u32) {
    let travelling = || run.world().in_flight().filter(|message| message.from != message.to);
    let count = travelling().count();
    let share = MESSAGES_SHOWN_MAX as f64 / count.max(MESSAGES_SHOWN_MAX) as f64;
    let below = (share * u64::MAX as f64) as u64;
    let identity = |message: &InFlight| {
        mix(message.sent.0 ^ u64::from(message.from.0) << 48 ^ u64::from(message.to.0) << 32)
    };
    let shown = travelling().filter(|message| identity(message) <= below).take(MESSAGES_SHOWN_MAX);
    let frames = shown.map(|message| MessageFrame {
        from: message.from.0,
        to: message.to.0,
        sent_ns: message.sent.0,
        arrives_ns: message.arrives.0,
        use_for: message_use(message.class),
    });
    (frames.collect(), count as u32)
}

fn message_use(class: u8) -> MessageUse {
    match class {
        CLASS_REQUEST => MessageUse::Request,
        CLASS_RESPONSE | CLASS_REPLY | CLASS_WRITE_ACKNOWLEDGEMENT | CLASS_READ_RESPONSE => MessageUse::Reply,
        CLASS_PRODUCED | CLASS_FETCHED | CLASS_OBJECT_REPLY => MessageUse::Reply,
        CLASS_REPLICATION | CLASS_REPAIR | CLASS_LOG_REPLICATION => MessageUse::Replication,
        CLASS_GOSSIP => MessageUse::Gossip,
        CLASS_CONTROL | CLASS_GROUP => MessageUse::Control,
        _ => MessageUse::Request,
    }
}

/// Every fault that has begun or is to come, in the current future.
pub fn fault_frames(session: &Session) -> Vec<FaultFrame> {
    let state = session.state();
    let clusters = session.clusters();
    let begun = |number: u32| state.begun.iter().find(|begun| begun.number == number);
    session
        .script()
        .faults()
        .iter()
        .map(|fault| {
            let begun = begun(fault.number);
            let nothing = || vec![FaultTouch::default(); clusters.len()];
            let directories = || clusters.iter().map(|run| &run.blueprint().directory);
            FaultFrame {
                number: fault.number,
                name: fault.fault.name().to_string(),
                label: fault.fault.describe(),
                begin_ns: fault.begin.0,
                end_ns: begun.and_then(|begun| begun.ended).or(fault.end).map(|end| end.0),
                active: begun.is_some_and(|begun| begun.ended.is_none()),
                touched: begun.map_or_else(nothing, |begun| begun.touched(clusters)),
                nodes: directories().map(|directory| directory.acts_on(&fault.fault)).collect(),
                groups: match &fault.fault {
                    FaultSpec::Partition { groups } => {
                        directories().map(|directory| directory.groups(groups)).collect()
                    }
                    FaultSpec::OneWayCut { from, to } => {
                        let groups = [from.clone(), to.clone()];
                        directories().map(|directory| directory.groups(&groups)).collect()
                    }
                    _ => Vec::new(),
                },
                one_way: matches!(fault.fault, FaultSpec::OneWayCut { .. }),
            }
        })
        .collect()
}

/// Every future.
pub fn branch_frames(session: &Session) -> Vec<BranchFrame> {
    let current = session.current_future().id;
    session.futures().iter().map(|future| branch_frame(session, future, current)).collect()
}

fn branch_frame(session: &Session, future: &Future, current: u32) -> BranchFrame {
    let own = future.commands.iter().find(|logged| future.parent.is_none() || logged.at >= future.forked_at);
    let label = match own.map(|logged| &logged.command) {
        None => "as it was".to_string(),
        Some(super::command::Command::Begin { fault, .. }) => fault.describe(),
        Some(super::command::Command::Lift { fault }) => {
            let lifted = session.script().fault(*fault).map(|fault| fault.fault.describe());
            format!("lifted: {}", lifted.unwrap_or_else(|| format!("fault {fault}")))
        }
    };
    BranchFrame {
        id: future.id,
        parent: future.parent,
        forked_at_ns: future.forked_at.0,
        frontier_ns: future.frontier.0.max(if future.id == current { session.now().0 } else { 0 }),
        current: future.id == current,
        label,
    }
}
