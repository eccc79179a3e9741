//! One cluster of a run: its world, what is counted of it, and its series.

use super::blueprint::{Blueprint, tariff};
use super::build::{Built, build};
use super::message::Image;
use super::resolve::Directory;
use super::role::Role;
use super::watcher::{Notable, Watcher};
use crate::check::history::Operation;
use crate::check::views::Compared;
use crate::engine::process::LOCAL_EPOCH_NS;
use crate::engine::{FaultId, NodeId, PagedVec, SimDuration, SimTime, Touched, World};
use crate::measure::cost::PaidBytes;
use crate::measure::effort::{Incident, Incidents};
use crate::measure::prices::PriceSheet;
use crate::measure::recorder::{BucketLatency, Counts, Recorder, Rows, operation};
use crate::measure::summary::Summary;
use crate::ring::overlay::parts;
use crate::ring::ring_node::RingNode;
use crate::ring::row::Row;
use crate::ring::token_ring::TokenRing;
use crate::ring::view::View;
use crate::scenario::fault::FaultSpec;
use crate::scenario::schema::{ClusterSection, GossipPeers, Scenario, VersionsMode};
use crate::service::broker::BrokerRole;
use crate::service::object_store::ObjectStore;
use crate::service::view::DEVICES;
use crate::service::worker::counting::raw_views;
use crate::sql::config_service::ConfigService;
use crate::sql::shard_map::{ShardEntry, ShardMap};
use crate::workload::generator::Traffic;
use crate::workload::operation::{Cause, KeyId};
use crate::workload::tally::Tally;
use std::rc::Rc;

/// One point of the series; the cost and the lag of that moment with it.
#[derive(Clone, Copy, Debug)]
pub struct Bucket {
    pub counts: Counts,
    pub latency: BucketLatency,
    pub lag_ms: Option<f64>,
    /// Of a service: views in the log that are not counted, and taken ones that are not in the database.
    pub views: Option<(u64, u64)>,
    pub usd_per_hour: f64,
}

/// How often it is looked at what a service has counted.
const COMPARE_EVERY: SimDuration = SimDuration::from_ms(1_000);
/// How often it is looked for lost updates.
const AUDIT_EVERY: SimDuration = SimDuration::from_ms(1_000);

/// What the recorder has to know of a cluster's rows.
fn rows(blueprint: &Blueprint) -> Rows {
    match &blueprint.section {
        ClusterSection::ShardedSql(_) => {
            Rows::OfShards(blueprint.map.as_ref().map_or(0, |map| map.shards.len()))
        }
        ClusterSection::GossipRing(ring) => match ring.versions {
            VersionsMode::GCounter | VersionsMode::PnCounter => Rows::Counters,
            VersionsMode::Siblings => Rows::BuiltUpon,
            _ if blueprint.traffic.counts => Rows::BuiltUpon,
            _ => Rows::Overwritten,
        },
    }
}

/// What is left of a key at a ring node: in memory or, where it is down, on disk.
fn left_at(world: &World<Role>, node: NodeId, key: KeyId) -> Option<Row> {
    let ring = world.process(node).as_ring()?;
    let body = world.body(node);
    match body.disk().image() {
        // One that is paused when it should start has nothing in memory yet.
        _ if !body.is_down() && ring.gossip().has_started() => Some(ring.known(key)),
        Image::Ring(disk) => Some(disk.known(key, &ring.settings().keys)),
        _ => None,
    }
}

/// What the database of a service stores.
#[derive(Clone, Debug, Default)]
pub struct StoredOfService {
    /// Of all rows, each once.
    pub database_bytes: u64,
    /// Views by kind of device, wherever they are; none where only counts are stored.
    pub by_device: Option<Vec<u64>>,
}

/// A partition of the log of a service.
#[derive(Clone, Copy, Debug)]
pub struct PartitionNow {
    pub leader: Option<NodeId>,
    pub worker: Option<NodeId>,
    /// Offset up to which it is written for good, and up to which it is counted.
    pub end: u64,
    pub counted: u64,
}

/// One cluster of a run.
#[derive(Clone)]
pub struct ClusterRun {
    world: World<Role>,
    watcher: Watcher,
    bucket: SimDuration,
    buckets: PagedVec<Bucket>,
    counts_at_bucket: Counts,
    bytes_at_bucket: PaidBytes,
    lag_ms_max: Option<f64>,
    /// Utilisation of each node over the last bucket.
    loads: Rc<Vec<f32>>,
    busy_at_bucket: Rc<Vec<u64>>,
    /// A crash may have lost acknowledged writes of a ring.
    audit_due: bool,
    /// When it was last looked for lost updates.
    updates_audited: SimTime,
    /// How many were told to be lost; told again when they are twice as many.
    told_lost: u64,
    audited_lost: u64,
    /// In how many parts the overlay of a ring is.
    overlay_parts: u16,
    false_convictions: u64,
    /// When it was last looked at what a service has counted.
    views_compared: SimTime,
}

impl ClusterRun {
    /// A cluster of a valid scenario, about to start.
    pub fn new(
        scenario: &Scenario,
        section: &ClusterSection,
        traffic: &Rc<Traffic>,
        prices: &PriceSheet,
        seed: u64,
        bucket: SimDuration,
    ) -> ClusterRun {
        let Built { seats, world, ring, neighbours, map, service } = build(scenario, section, traffic, seed);
        let zones_of = seats.iter().map(|seat| scenario.zone_of(section, *seat)).collect();
        let directory = Directory { zones_of, zone_names: scenario.zones.clone(), seats };
        let nodes = directory.seats.len();
        let tariff = tariff(section, &directory.seats, prices);
        let blueprint = Blueprint {
            section: section.clone(),
            directory,
            ring,
            neighbours,
            map,
            service,
            traffic: Rc::clone(traffic),
            prices: prices.clone(),
            tariff,
        };
        let recorder = match &blueprint.service {
            Some(service) => Recorder::of_service(&service.tables.sizes),
            None => Recorder::new(traffic.keys.len(), rows(&blueprint)),
        };
        ClusterRun {
            world,
            watcher: Watcher::new(Rc::new(blueprint), recorder),
            bucket,
            buckets: PagedVec::default(),
            counts_at_bucket: Counts::default(),
            bytes_at_bucket: PaidBytes::default(),
            lag_ms_max: None,
            loads: Rc::new(vec![0.0; nodes]),
            busy_at_bucket: Rc::new(vec![0; nodes]),
            audit_due: false,
            updates_audited: SimTime::ZERO,
            told_lost: 0,
            audited_lost: 0,
            overlay_parts: 1,
            false_convictions: 0,
            views_compared: SimTime::ZERO,
        }
    }

    pub fn name(&self) -> &str {
        self.watcher.blueprint.section.name()
    }

    /// `sharded_sql` or `gossip_ring`.
    pub fn kind(&self) -> &'static str {
        self.watcher.blueprint.section.kind()
    }

    pub fn blueprint(&self) -> &Blueprint {
        &self.watcher.blueprint
    }

    pub fn world(&self) -> &World<Role> {
        &self.world
    }

    /// The shard map in force: the newest that a node of the configuration service knows to be agreed on.
    pub fn map(&self) -> Option<&ShardMap> {
        let services = self.world.node_ids().filter_map(|node| self.world.process(node).as_config());
        services.map(ConfigService::map).max_by_key(|map| map.version)
    }

    /// The version of the shard map, or how often the ring has changed: what it is drawn by.
    pub fn map_version(&self) -> Option<u32> {
        let map = self.map().map(|map| map.version);
        map.or_else(|| self.newest_view().map(|view| view.number))
    }

    /// How the node of a ring sees it that has heard of most changes; none in a cluster without one.
    fn newest_view(&self) -> Option<&View> {
        let nodes = self.world.node_ids().filter_map(|node| self.world.process(node).as_ring());
        nodes.map(RingNode::view).max_by_key(|view| view.number)
    }

    /// The token ring, of that node.
    pub fn ring(&self) -> Option<&TokenRing> {
        self.newest_view().map(View::ring)
    }

    /// The nodes that are a part of it. What others have is lost to it.
    fn ring_members(&self) -> Vec<NodeId> {
        let Some(view) = self.newest_view() else { return Vec::new() };
        let nodes = self.world.node_ids();
        let place = |node: NodeId| self.world.process(node).as_ring().map(RingNode::index);
        nodes.filter(|node| place(*node).is_some_and(|place| view.is_member(place))).collect()
    }

    pub fn recorder(&self) -> &Recorder {
        &self.watcher.recorder
    }

    pub fn trace_hash(&self) -> u64 {
        self.world.trace_hash()
    }

    pub fn events(&self) -> u64 {
        self.world.events()
    }

    pub fn loads(&self) -> &[f32] {
        &self.loads
    }

    pub fn buckets(&self) -> &PagedVec<Bucket> {
        &self.buckets
    }

    pub fn keep_history(&mut self) {
        self.watcher.recorder.keep_history();
    }

    /// Finished operations, then those still under way, if the history is kept.
    pub fn history(&self) -> impl Iterator<Item = Operation> + '_ {
        let open = self.world.node_ids().filter_map(|node| self.world.process(node).as_client());
        let open = open.flat_map(|client| client.open_operations()).map(|done| operation(&done, None));
        self.watcher.recorder.history().copied().chain(open)
    }

    /// Operations that were asked for and not yet answered.
    pub fn open_operations(&self) -> u64 {
        let clients = self.world.node_ids().filter_map(|node| self.world.process(node).as_client());
        clients.map(|client| client.in_flight() as u64).sum()
    }

    /// Processes everything up to and including `until`.
    pub fn run_until(&mut self, until: SimTime) {
        loop {
            let bucket_ends = SimTime(self.bucket.0 * (self.buckets.len() as u64 + 1));
            let upto = until.min(bucket_ends);
            let ClusterRun { world, watcher, .. } = self;
            world.run_until(upto, &mut |now, _, output| watcher.output(now, output));
            if upto < bucket_ends {
                return;
            }
            self.close_bucket();
            if upto == until {
                return;
            }
        }
    }

    /// Processes one event, if it is not later than `limit`; returns its time.
    pub fn step(&mut self, limit: SimTime) -> Option<SimTime> {
        let next = self.world.next_event_time().filter(|next| *next <= limit)?;
        let bucket_ends = SimTime(self.bucket.0 * (self.buckets.len() as u64 + 1));
        if next > bucket_ends {
            self.run_until(bucket_ends);
        }
        let ClusterRun { world, watcher, .. } = self;
        world.step(&mut |now, _, output| watcher.output(now, output));
        Some(next)
    }

    pub fn next_event_time(&self) -> Option<SimTime> {
        self.world.next_event_time()
    }

    fn close_bucket(&mut self) {
        let lag_ms = self.replication_lag_ms();
        if let Some(lag) = lag_ms {
            self.lag_ms_max = Some(self.lag_ms_max.map_or(lag, |max| max.max(lag)));
        }
        self.audit_updates();
        if self.audit_due && self.watcher.blueprint.service.is_none() {
            self.audit_ring();
        }
        self.compare_views();
        let compared = self.watcher.recorder.service.as_ref().map(|service| service.compared);
        self.look_at_overlay();
        self.look_at_leader();
        self.judge_convictions();
        let mut counts = self.watcher.recorder.counts;
        counts.lost_writes += self.audited_lost;
        let since = counts.since(&self.counts_at_bucket);
        let bytes = PaidBytes::of(self.world.network().traffic());
        let cost = self.watcher.blueprint.tariff.over(
            self.bucket.0,
            bytes.since(self.bytes_at_bucket),
            self.backup_bytes(),
            since.ok,
        );
        self.counts_at_bucket = counts;
        self.bytes_at_bucket = bytes;
        self.buckets.push(Bucket {
            counts: since,
            latency: self.watcher.recorder.close_bucket(),
            lag_ms,
            views: compared.map(|compared| (self.log_lag(), compared.missing)),
            usd_per_hour: cost.usd_per_hour,
        });
        self.measure_loads();
    }

    /// The parts that the overlay of a ring is in, without the nodes that are down. Nodes that know
    /// each other but are cut off from each other are in one part.
    pub fn overlay(&self) -> (u16, Vec<Option<u16>>) {
        let member =
            |node: NodeId| self.world.process(node).as_ring().filter(|ring| ring.gossip().has_started());
        let there: Vec<bool> = self.world.node_ids().map(|node| member(node).is_some()).collect();
        let nodes = self.world.node_ids().filter_map(|node| Some((node, member(node)?)));
        let links = nodes.flat_map(|(node, ring)| {
            let known = ring.gossip().overlay().now();
            known.map(move |peer| (node.0, ring.settings().nodes[usize::from(peer)].0))
        });
        parts(&there, links)
    }

    /// Bytes that a copy of it shares with nobody: above all what ring nodes believe of each other.
    pub fn unshared_bytes(&self) -> usize {
        let nodes = self.world.node_ids().filter_map(|node| self.world.process(node).as_ring());
        nodes.map(|ring| ring.gossip().memory_bytes()).sum()
    }

    /// Whether a node is up, neither paused nor a ring node that still replays its commit log.
    pub fn could_answer(&self, node: NodeId) -> bool {
        let body = self.world.body(node);
        let is_replaying = self.world.process(node).as_ring().is_some_and(RingNode::is_replaying);
        !body.is_down() && !body.is_paused() && !is_replaying
    }

    /// How often a ring node believed another one dead that was up, paused ones aside.
    pub fn false_convictions(&self) -> u64 {
        self.false_convictions
    }

    /// Who is up when the bucket ends was convicted falsely in it.
    fn judge_convictions(&mut self) {
        let convicted = self.watcher.take_convicted();
        let is_false = |node: &&NodeId| self.could_answer(**node);
        self.false_convictions += convicted.iter().filter(is_false).count() as u64;
    }

    /// Tells if the overlay broke, or is whole again. No node can know it: each sees its part only.
    fn look_at_overlay(&mut self) {
        let ClusterSection::GossipRing(ring) = &self.watcher.blueprint.section else { return };
        if ring.gossip.peers == GossipPeers::Everybody {
            return;
        }
        let (count, part_of) = self.overlay();
        // All of it may be down.
        let count = count.max(1);
        if count != self.overlay_parts {
            if count > self.overlay_parts {
                self.watcher.incidents.count(Incident::OverlayBroken);
            }
            self.overlay_parts = count;
            let now = self.world.now();
            self.watcher.tell(now, Notable::Overlay { parts: count, part_of: Rc::new(part_of) });
        }
    }

    /// Counts it if nobody leads the configuration service for long.
    fn look_at_leader(&mut self) {
        let mut configs =
            self.world.node_ids().filter_map(|node| Some((node, self.world.process(node).as_config()?)));
        let mut there = false;
        let leads = configs.any(|(node, config)| {
            there = true;
            !self.world.body(node).is_down() && config.leads(self.world.now())
        });
        if there {
            self.watcher.incidents.led(leads, self.bucket);
        }
    }

    /// What needed somebody's hands, as its nodes reported it.
    pub fn reported_incidents(&self) -> Incidents {
        self.watcher.incidents.counts()
    }

    fn measure_loads(&mut self) {
        let mut loads = Vec::with_capacity(self.loads.len());
        let mut busy_now = Vec::with_capacity(self.loads.len());
        for node in self.world.node_ids() {
            let machine = self.world.body(node).machine();
            let busy = machine.busy_time().0;
            let capacity = self.bucket.0 as f64 * f64::from(machine.cores);
            let used = busy.saturating_sub(self.busy_at_bucket[node.index()]) as f64;
            loads.push((used / capacity).min(1.0) as f32);
            busy_now.push(busy);
        }
        self.loads = Rc::new(loads);
        self.busy_at_bucket = Rc::new(busy_now);
    }

    /// Lets a fault act on this cluster from now on.
    pub fn begin_fault(&mut self, fault: &FaultSpec) -> FaultId {
        let kind = self.watcher.blueprint.directory.resolve(fault);
        let may_lose = matches!(
            fault,
            FaultSpec::Crash { .. }
                | FaultSpec::Restart { .. }
                | FaultSpec::Join { .. }
                | FaultSpec::Leave { .. }
                | FaultSpec::Replace { .. }
        );
        if may_lose && self.kind() == "gossip_ring" {
            self.audit_due = true;
        }
        let ClusterRun { world, watcher, .. } = self;
        world.begin_fault(kind, &mut |now, _, output| watcher.output(now, output))
    }

    /// Ends a fault; what it touched, unless it has ended before.
    pub fn lift_fault(&mut self, id: FaultId) -> Option<Touched> {
        let ClusterRun { world, watcher, .. } = self;
        world.lift_fault(id, &mut |now, _, output| watcher.output(now, output))
    }

    /// What an active fault has touched so far.
    pub fn touched(&self, id: FaultId) -> Option<Touched> {
        self.world.active_faults().iter().find(|fault| fault.id == id).map(|fault| fault.touched)
    }

    /// Takes what is worth telling and was not yet told.
    pub fn take_notable(&mut self) -> Vec<(SimTime, Notable)> {
        self.watcher.take_notable()
    }

    /// The largest lag of a replica behind the primary of its shard. None without
    /// replicas, or while no primary is up.
    pub fn replication_lag_ms(&self) -> Option<f64> {
        let map = self.watcher.blueprint.map.as_ref()?;
        let replicas = map.shards.iter().flat_map(|shard| &shard.nodes);
        replicas.filter_map(|node| self.lag_of(*node)).max_by(f64::total_cmp)
    }

    /// How far one replica is behind, in ms: how long ago the primary committed the
    /// first transaction that it has not executed. None for a primary, a node that
    /// is down, and while no primary is up.
    pub fn lag_of(&self, node: NodeId) -> Option<f64> {
        let server = |node: NodeId| {
            let up = !self.world.body(node).is_down();
            self.world.process(node).as_mysql().filter(|_| up)
        };
        let replica = server(node).filter(|replica| !replica.is_primary())?;
        let shard = &self.watcher.blueprint.map.as_ref()?.shards[replica.shard()];
        let primaries = shard.nodes.iter().filter_map(|node| server(*node).map(|server| (*node, server)));
        let (primary_node, primary) =
            primaries.filter(|(_, server)| server.is_primary()).max_by_key(|(_, server)| server.epoch())?;
        // Commits are stamped by the primary's wall clock: they are compared with the same.
        let clock =
            self.world.now().0 as i64 + LOCAL_EPOCH_NS + self.world.body(primary_node).clock_offset_ns();
        let behind = primary.logged(replica.executed().sequence + 1);
        let lag_ns = behind.map_or(0, |entry| clock.saturating_sub(entry.committed_at as i64).max(0));
        Some(lag_ns as f64 / 1e6)
    }

    /// Once a second: counts acknowledged updates that nothing which is left builds upon.
    fn audit_updates(&mut self) {
        let members = self.ring_members();
        let (world, now) = (&self.world, self.world.now());
        let Some(updates) = self.watcher.recorder.updates() else {
            return;
        };
        self.audit_due = false;
        if now.since(self.updates_audited) >= AUDIT_EVERY {
            self.updates_audited = now;
            let lost = updates.lost(|key| {
                let mut left = Row::default();
                members.iter().filter_map(|node| left_at(world, *node, key)).for_each(|row| left.merge(&row));
                left
            });
            let acknowledged = updates.count();
            self.audited_lost = lost;
            if lost >= 2 * self.told_lost.max(1) {
                self.told_lost = lost;
                self.watcher.tell(now, Notable::UpdatesLost { lost, acknowledged });
            }
        }
    }

    /// Now and then: what the database has of the views that were taken.
    fn compare_views(&mut self) {
        let now = self.world.now();
        if now.since(self.views_compared) >= COMPARE_EVERY {
            self.views_compared = now;
            if let Some(compared) = self.compared_views()
                && let Some(service) = &mut self.watcher.recorder.service
            {
                service.compared = compared;
            }
        }
    }

    /// What the database has of the views that were taken, looked at now; none without a service.
    pub fn compared_views(&self) -> Option<Compared> {
        let service = self.watcher.blueprint.service.as_ref()?;
        let views = &self.watcher.recorder.service.as_ref()?.views;
        let (tables, sizes) = (&service.tables, &service.tables.sizes);
        let rows = self.counting_rows();
        let value = |key: KeyId| rows(key).0;
        let store = self.object_store();
        let cold = |key: KeyId| store.map_or(0, |store| store.cold(key).count());
        Some(views.compare(self.world.now(), |video, window| {
            if sizes.raw_slots > 0 {
                let slots = (0..sizes.raw_slots).map(|slot| value(tables.raw(video, window, slot)));
                slots.take_while(|value| *value > 0).map(|value| raw_views(value, None)).sum()
            } else {
                let rows = (0..sizes.sub_counts).map(|sub| tables.count(video, window, sub));
                let count = |key: KeyId| match Tally(value(key)) {
                    tally if tally.is_archived() => tally.count() + cold(key),
                    tally => tally.count(),
                };
                rows.map(count).sum()
            }
        }))
    }

    fn object_store(&self) -> Option<&ObjectStore> {
        self.world.node_ids().find_map(|node| match self.world.process(node) {
            Role::ObjectStore(store) => Some(store.as_ref()),
            _ => None,
        })
    }

    /// What the database of a service has in a row, and its bytes: that of the primary, or of all replicas merged.
    fn counting_rows(&self) -> impl Fn(KeyId) -> (u64, u32) + '_ {
        let members = self.ring_members();
        let leaders = self.leaders();
        let newest_map = self.map();
        move |key| {
            if members.is_empty() {
                let blueprint = &self.watcher.blueprint;
                let Some(map) = newest_map.or(blueprint.map.as_deref()) else { return (0, 0) };
                let Some(service) = &blueprint.service else { return (0, 0) };
                let shard = map.shard_of(map.sharding.point(service.tables.keys(), key));
                let server = leaders[shard].and_then(|node| self.world.process(node).as_mysql());
                return server.map_or((0, 0), |server| {
                    let row = server.row(key);
                    (row.content.value, row.bytes)
                });
            }
            let mut left = Row::default();
            members
                .iter()
                .filter_map(|node| left_at(&self.world, *node, key))
                .for_each(|row| left.merge(&row));
            let value = match &left {
                Row::Counter(counter) => Tally::new(0, counter.value().max(0) as u64, 0).0,
                row => row.shown().content.value,
            };
            (value, left.bytes())
        }
    }

    /// What the database of a service stores.
    pub fn stored_of_service(&self) -> StoredOfService {
        let Some(service) = &self.watcher.blueprint.service else { return StoredOfService::default() };
        let tables = &service.tables;
        let rows = self.counting_rows();
        let is_raw = tables.sizes.raw_slots > 0;
        let mut stored =
            StoredOfService { by_device: is_raw.then(|| vec![0; DEVICES]), ..Default::default() };
        for key in 0..tables.keys().len() as KeyId {
            let (value, bytes) = rows(key);
            if value > 0 {
                stored.database_bytes += u64::from(bytes);
            }
            if let Some(by_device) = stored.by_device.as_mut().filter(|_| tables.is_raw(key)) {
                for (device, sum) in by_device.iter_mut().enumerate() {
                    *sum += raw_views(value, Some(device as u8));
                }
            }
        }
        stored.by_device = stored.by_device.or_else(|| self.object_store()?.views_by_device());
        stored
    }

    /// Views in the log that no worker has counted yet.
    pub fn log_lag(&self) -> u64 {
        self.partitions().iter().map(|partition| partition.end.saturating_sub(partition.counted)).sum()
    }

    /// The partitions of the log of a service, as its brokers and workers have them.
    pub fn partitions(&self) -> Vec<PartitionNow> {
        let Some(service) = &self.watcher.blueprint.service else { return Vec::new() };
        let empty = PartitionNow { leader: None, worker: None, end: 0, counted: 0 };
        let mut partitions = vec![empty; usize::from(service.log.partitions)];
        for node in self.world.node_ids().filter(|node| !self.world.body(*node).is_down()) {
            if let Some(broker) = self.world.process(node).as_broker() {
                for (number, partition) in (0..).zip(&mut partitions) {
                    partition.end = partition.end.max(broker.committed_offset(number));
                    if broker.role(number) == BrokerRole::Leader {
                        partition.leader = Some(node);
                    }
                }
            }
            if let Some(worker) = self.world.process(node).as_worker() {
                for (number, next, _) in worker.partitions() {
                    if let Some(partition) = partitions.get_mut(usize::from(number)) {
                        (partition.worker, partition.counted) = (Some(node), partition.counted.max(next));
                    }
                }
            }
        }
        partitions
    }

    /// By shard: the node whose rows count, the primary if it is up.
    fn leaders(&self) -> Vec<Option<NodeId>> {
        let Some(map) = &self.watcher.blueprint.map else { return Vec::new() };
        let standing = |node: NodeId| {
            let server = self.world.process(node).as_mysql()?;
            Some((!self.world.body(node).is_down(), server.is_primary(), server.epoch(), server.executed()))
        };
        let leader = |shard: &ShardEntry| {
            let best = shard.nodes.iter().filter_map(|node| Some((standing(*node)?, *node)));
            best.max_by_key(|(standing, _)| *standing).map(|(_, node)| node)
        };
        map.shards.iter().map(leader).collect()
    }

    /// Counts acknowledged writes of a ring of which no replica has the version or
    /// a later one, in memory or, where the node is down, on disk.
    fn audit_ring(&mut self) {
        let mut lost = 0;
        let acknowledged = self.watcher.recorder.acknowledged();
        let members = self.ring_members();
        for key in 0..acknowledged.key_count() as u32 {
            let Some(newest) = acknowledged.newest(key) else {
                continue;
            };
            let survivor = members
                .iter()
                .filter_map(|node| left_at(&self.world, *node, key))
                .map(|row| row.shown().content)
                .max_by_key(|content| (content.version, content.value))
                .unwrap_or_default();
            let is_gone = survivor.version == 0 && acknowledged.is_deleted(key);
            if newest.is_newer_than(&survivor) && !is_gone {
                lost += acknowledged.newer_than(key, &survivor).count() as u64;
            }
        }
        self.audited_lost = self.audited_lost.max(lost);
    }

    /// Acknowledged writes that are lost, as far as is known now.
    pub fn lost_acknowledged_writes(&self) -> u64 {
        self.watcher.recorder.counts.lost_writes + self.audited_lost
    }

    /// Second attempts of query proxies, as far as they remember: a crash forgets them.
    fn retries(&self) -> u64 {
        let proxies = self.world.node_ids().map(|node| match self.world.process(node) {
            Role::QueryProxy(proxy) => proxy.retries(),
            _ => 0,
        });
        proxies.sum()
    }

    /// All figures since the start.
    pub fn summary(&self, now: SimTime) -> Summary {
        let counts = self.watcher.recorder.counts;
        let restores = &self.watcher.recorder.restores;
        let open = self.open_operations();
        let mut causes = self.watcher.recorder.causes();
        if open > 0 {
            let ended = Cause::RunEnded.describe().to_string();
            causes.push((ended, open));
        }
        let seconds = now.0 as f64 / 1e9;
        let traffic = self.world.network().traffic();
        Summary {
            invoked: counts.invoked,
            ok: counts.ok,
            failed: counts.failed,
            unknown: counts.unknown + open,
            causes,
            read: self.watcher.recorder.reads.summary(),
            write: self.watcher.recorder.writes.summary(),
            scan: self.watcher.recorder.scans.summary(),
            top: self.watcher.recorder.tops.summary(),
            join: self.watcher.recorder.joins.summary(),
            goodput_per_second: if seconds > 0.0 { counts.ok as f64 / seconds } else { 0.0 },
            stale_reads: counts.stale_reads,
            stale_age_ms_max: self.watcher.recorder.stale_age_max.as_ms_f64(),
            stale_versions_max: u64::from(self.watcher.recorder.stale_versions_max),
            stale_reads_from_cache: counts.stale_from_cache,
            stale_reads_from_replica: counts.stale_from_replica,
            reads_of_deleted_rows: counts.came_back,
            lost_acknowledged_writes: self.lost_acknowledged_writes(),
            split_brain_writes: counts.split_brain_writes,
            errant_transactions: self.watcher.recorder.errant_transactions,
            restores: restores.count,
            recovery_point_ms_max: (restores.count > 0).then(|| restores.point_max.as_ms_f64()),
            recovery_time_ms_max: (restores.count > 0).then(|| restores.time_max.as_ms_f64()),
            retries: self.retries(),
            replication_lag_ms_max: self.lag_ms_max,
            cost: self.watcher.blueprint.tariff.since_start(
                now,
                PaidBytes::of(traffic),
                self.backup_bytes(),
                counts.ok,
            ),
        }
    }
}
