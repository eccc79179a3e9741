//! From the service's part of a scenario to what its parts are set up with.

use super::build::nodes_of;
use crate::engine::{NodeId, SimDuration};
use crate::scenario::names::Seat;
use crate::scenario::schema::{
    AcksMode, ClusterSection, DeliveryMode, ModelMode, Scenario, ServiceSection, StoreMode, SyncPolicy,
    TriggerMode,
};
use crate::scenario::service_tables::sizes;
use crate::service::settings::{
    Acks, Delivery, Ingest, Log, Nodes, ObjectStoreSpeed, Processing, Reading, ServiceSettings, Stored, Sync,
    Trigger,
};
use crate::service::tables::Tables;

/// Of a valid scenario.
pub(super) fn service_settings(
    scenario: &Scenario,
    section: &ClusterSection,
    service: &ServiceSection,
    seats: &[Seat],
) -> ServiceSettings {
    let ms = SimDuration::from_ms_f64;
    let nodes = |wanted: fn(&Seat) -> bool| -> Vec<NodeId> { nodes_of(seats, wanted) };
    let (counts, metadata) = sizes(scenario, section, service);
    let query_proxies = nodes(|seat| matches!(seat, Seat::QueryProxy(_)));
    let ring_nodes: Vec<NodeId> = match section {
        ClusterSection::GossipRing(ring) => {
            nodes_of(seats, |seat| matches!(seat, Seat::RingNode(number) if *number <= ring.nodes))
        }
        ClusterSection::ShardedSql(_) => Vec::new(),
    };
    let database = if ring_nodes.is_empty() { query_proxies.clone() } else { ring_nodes };
    let is_apart = service.metadata.is_some();
    let is_normalized = service.model == ModelMode::Normalized || is_apart;
    ServiceSettings {
        nodes: Nodes {
            collectors: nodes(|seat| matches!(seat, Seat::Collector(_))),
            brokers: nodes(|seat| matches!(seat, Seat::Broker(_))),
            workers: nodes(|seat| matches!(seat, Seat::Worker(_))),
            readers: nodes(|seat| matches!(seat, Seat::Reader(_))),
            object_store: nodes(|seat| matches!(seat, Seat::ObjectStore))[0],
            metadata: if is_apart { query_proxies } else { database.clone() },
            database,
        },
        ingest: Ingest {
            acks: match service.collectors.acks {
                AcksMode::None => Acks::None,
                AcksMode::Leader => Acks::Leader,
                AcksMode::All => Acks::All,
            },
            is_idempotent: service.collectors.idempotent,
            batch_views: service.collectors.batch_views as usize,
            linger: ms(service.collectors.linger_ms),
            request_timeout: ms(service.collectors.request_timeout_ms),
            delivery_timeout: ms(service.collectors.delivery_timeout_ms),
            buffer_views: service.collectors.buffer_views as usize,
            service: service.collectors.service.clone(),
            hot_share: service.collectors.hot_share,
        },
        log: Log {
            partitions: service.log.partitions as u16,
            replication: service.log.replication as usize,
            sync: match service.log.sync {
                SyncPolicy::EveryWrite => Sync::EveryBatch,
                SyncPolicy::EveryMs(interval_ms) => Sync::Interval(ms(interval_ms)),
            },
            retention: ms(service.log.retention_ms),
            retention_views: service.log.retention_views,
            election_timeout: ms(service.log.election_timeout_ms),
            heartbeat: ms(service.log.heartbeat_ms),
            batch_service: service.log.batch_service.clone(),
            view_service: ms(service.log.view_service_ms),
            fetch_wait: ms(service.log.fetch_wait_ms),
            member_heartbeat: ms(service.log.member_heartbeat_ms),
            session_timeout: ms(service.log.session_timeout_ms),
        },
        processing: Processing {
            delivery: match service.workers.delivery {
                DeliveryMode::AtMostOnce => Delivery::AtMostOnce,
                DeliveryMode::AtLeastOnce => Delivery::AtLeastOnce,
                DeliveryMode::EffectivelyOnce => Delivery::EffectivelyOnce,
            },
            stored: match service.store {
                StoreMode::Events => Stored::Events,
                StoreMode::Aggregates => Stored::Aggregates,
                StoreMode::Both => Stored::Both,
            },
            trigger: match service.workers.trigger {
                TriggerMode::Stream => Trigger::Stream,
                TriggerMode::EveryMs(interval_ms) => Trigger::Every(ms(interval_ms)),
            },
            aggregates: service.workers.aggregate && service.store != StoreMode::Events,
            flush_every: ms(service.workers.flush_ms),
            checkpoint_every: ms(service.workers.checkpoint_ms),
            lateness: ms(service.workers.lateness_ms),
            fetch_views: service.workers.fetch_views,
            service: service.workers.service.clone(),
            dedup_views: service.workers.deduplicate_views as usize,
            lookups: service.workers.enrichment.as_ref().map(|enrichment| enrichment.cache_entries as usize),
            buffer_rows: service.workers.buffer_rows as usize,
            spill_rows: service.workers.spill_rows as usize,
            writes_in_flight: service.workers.writes_in_flight as usize,
            write_timeout: ms(service.workers.write_timeout_ms),
            backoff_first: ms(service.workers.backoff_ms),
            backoff_max: ms(service.workers.backoff_ms_max),
            dead_letters: service.workers.dead_letters,
            writes_tops: counts.ranks > 0,
            tag_every: u64::from(service.follow_every),
        },
        reading: Reading {
            cache_entries: service.readers.cache_entries as usize,
            cache_ttl: ms(service.readers.cache_ttl_ms),
            range_windows: service.readers.range_windows,
            top_videos: service.readers.top_videos as u16,
            joins: is_normalized,
            service: service.readers.service.clone(),
            timeout: ms(service.readers.timeout_ms),
        },
        object_store: ObjectStoreSpeed {
            first_byte: service.object_store.first_byte.clone(),
            mb_per_s: service.object_store.mb_per_s,
        },
        tables: Tables::new(counts),
        metadata_tables: Tables::new(metadata),
    }
}
