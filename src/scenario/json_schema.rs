//! The scenario format as a JSON Schema (draft 2020-12), for editors and other programs.
//!
//! Fields, kinds, defaults and descriptions come from the types themselves; the
//! ranges of numbers are added from [`limits`](super::limits), where `validate` takes them from
//! too. What a schema cannot say (r at most n, shards that cover the alphabet,
//! nodes that exist) is left to `validate`, and stands in the descriptions.

use super::limits::*;
use super::schema::Scenario;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

/// The schema of a scenario file.
pub fn json_schema() -> Value {
    let schema = SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<Scenario>();
    let mut schema = schema.to_value();
    for (holder, field, keywords) in ranges() {
        let place = property(&mut schema, holder, field);
        let Some(place) = place else { panic!("the schema has no {holder}.{field}") };
        let Value::Object(keywords) = keywords else { panic!("the range of {holder}.{field} is no object") };
        place.extend(keywords);
    }
    schema
}

/// One field's schema. An empty holder is the scenario itself; `FaultSpec/crash` a variant.
fn property<'a>(schema: &'a mut Value, holder: &str, field: &str) -> Option<&'a mut Map<String, Value>> {
    let holder = match holder.split_once('/') {
        None if holder.is_empty() => schema,
        None => schema.get_mut("$defs")?.get_mut(holder)?,
        Some((name, variant)) => schema
            .get_mut("$defs")?
            .get_mut(name)?
            .get_mut("oneOf")?
            .as_array_mut()?
            .iter_mut()
            .find_map(|one| one.get_mut("properties")?.get_mut(variant))?,
    };
    let place = if field.is_empty() { holder } else { holder.get_mut("properties")?.get_mut(field)? };
    place.as_object_mut()
}

/// Holder, field and range of every number and list that has one.
fn ranges() -> Vec<(&'static str, &'static str, Value)> {
    fn numbers(least: impl Into<Value>, most: impl Into<Value>) -> Value {
        json!({"minimum": least.into(), "maximum": most.into()})
    }
    fn above_zero(most: f64) -> Value {
        json!({"exclusiveMinimum": 0, "maximum": most})
    }
    fn entries(least: usize, most: usize) -> Value {
        json!({"minItems": least, "maxItems": most})
    }
    fn characters(least: usize, most: usize) -> Value {
        json!({"minLength": least, "maxLength": most})
    }
    let interval = || numbers(INTERVAL_MS_MIN, INTERVAL_MS_MAX);
    let timeout = || numbers(TIMEOUT_MS_MIN, SPAN_MS_MAX);
    let range_end = || json!({"pattern": "^[A-Z][A-Z0-9]{0,3}$"});
    vec![
        ("", "version", json!({"const": super::schema::SCENARIO_VERSION})),
        ("", "name", json!({"pattern": "^[a-z0-9]+(-[a-z0-9]+)*$", "maxLength": NAME_CHARS_MAX})),
        ("", "title", characters(1, SENTENCE_CHARS_MAX)),
        ("", "question", characters(0, SENTENCE_CHARS_MAX)),
        ("", "try", entries(0, THINGS_TO_TRY_MAX)),
        ("", "duration_ms", numbers(1, DURATION_MS_MAX)),
        ("", "zones", json!({"minItems": 1, "maxItems": ZONES_MAX, "uniqueItems": true})),
        ("", "clusters", entries(1, CLUSTERS_MAX)),
        ("", "faults", entries(0, FAULTS_MAX)),
        ("NetworkSection", "loss", numbers(0, LOSS_MAX)),
        (
            "NetworkSection",
            "bandwidth_mbit_per_s",
            numbers(BANDWIDTH_MBIT_PER_S_MIN, BANDWIDTH_MBIT_PER_S_MAX),
        ),
        ("NetworkSection", "stream_timeout_ms", timeout()),
        ("WorkloadSection", "clients", numbers(1, CLIENTS_MAX)),
        ("WorkloadSection", "rate_per_s", above_zero(RATE_PER_S_MAX)),
        ("WorkloadSection", "reads", numbers(0, 1)),
        ("WorkloadSection", "keys", numbers(1, KEYS_MAX)),
        ("WorkloadSection", "zipf_theta", numbers(0, ZIPF_THETA_MAX)),
        ("WorkloadSection", "timeout_ms", timeout()),
        ("WorkloadSection", "in_flight_max", numbers(1, IN_FLIGHT_MAX)),
        ("ProbesSection", "at_ms", entries(0, PROBE_DELAYS_MAX)),
        ("ProbesSection", "searching", numbers(0, PROBES_SEARCHING_MAX)),
        ("SqlSection", "name", characters(1, NAME_CHARS_MAX)),
        ("SqlSection", "query_proxies", numbers(1, QUERY_PROXIES_MAX)),
        ("SqlSection", "shards", entries(1, SHARDS_MAX as usize)),
        ("SqlSection", "hash_shards", numbers(1, SHARDS_MAX)),
        ("SqlSection", "placement", entries(0, PLACEMENTS_MAX)),
        ("SqlSection", "shard_proxies", numbers(1, SHARD_PROXIES_MAX)),
        ("SqlSection", "config_nodes", json!({"enum": [1, 3], "minimum": 1, "maximum": 3})),
        ("SqlSection", "appliers", numbers(1, APPLIERS_MAX)),
        ("SqlSection", "pool_queue", numbers(0, POOL_SIZE_MAX)),
        ("SqlSection", "pool_timeout_ms", timeout()),
        ("SqlSection", "shed_after_ms", numbers(0, SPAN_MS_MAX)),
        ("SqlSection", "spare_shards", numbers(0, SPARE_SHARDS_MAX)),
        ("ReshardingSection", "chunk_rows", numbers(1, CHUNK_ROWS_MAX)),
        ("ReshardingSection", "chunk_every_ms", numbers(0, INTERVAL_MS_MAX)),
        ("ReshardingSection", "write_pause_ms_max", timeout()),
        ("DiskSection", "channels", numbers(1, DISK_CHANNELS_MAX)),
        ("BackupsSection", "snapshot_every_ms", numbers(BACKUP_INTERVAL_MS_MIN, SPAN_MS_MAX)),
        ("BackupsSection", "snapshots", numbers(1, SNAPSHOTS_MAX)),
        ("BackupsSection", "binlog_every_ms", numbers(BACKUP_INTERVAL_MS_MIN, SPAN_MS_MAX)),
        ("SchemaChangeSection", "chunk_rows", numbers(1, CHUNK_ROWS_MAX)),
        ("SchemaChangeSection", "chunk_every_ms", numbers(0, INTERVAL_MS_MAX)),
        ("SchemaChangeSection", "lag_ms_max", numbers(0, SPAN_MS_MAX)),
        ("SchemaChangeSection", "cut_over_ms_max", timeout()),
        ("FaultSpec/split", "shard", numbers(1, SHARDS_MAX)),
        ("FaultSpec/merge", "shard", numbers(1, SHARDS_MAX)),
        ("FaultSpec/schema_change", "shard", numbers(1, SHARDS_MAX)),
        ("FaultSpec/restore", "shard", numbers(1, SHARDS_MAX)),
        ("FaultSpec/restore", "back_ms", numbers(0, DURATION_MS_MAX)),
        ("FaultSpec/merge", "into", numbers(1, SHARDS_MAX)),
        ("FailoverSection", "block_ms", numbers(0, SPAN_MS_MAX)),
        ("FailoverSection", "leader_lease_ms", numbers(LEASE_MS_MIN, INTERVAL_MS_MAX)),
        ("FencingMode/lease_ms", "", numbers(LEASE_MS_MIN, INTERVAL_MS_MAX)),
        ("FencingMode/shutdown_ms", "", timeout()),
        ("ReplicationMode/semi_synchronous", "replicas", numbers(1, REPLICAS_MAX)),
        ("ReplicationMode/semi_synchronous", "timeout_ms", timeout()),
        ("LogSyncPolicy/every_writes", "", numbers(1, COMMITS_PER_SYNC_MAX)),
        ("LogSyncPolicy/every_ms", "", interval()),
        ("ReadFrom/within_lag_ms", "", numbers(0, SPAN_MS_MAX)),
        ("ReadFrom/read_your_writes_wait_ms", "", numbers(0, SPAN_MS_MAX)),
        ("BufferPoolSection", "pages", numbers(1, BUFFER_POOL_PAGES_MAX)),
        ("BufferPoolSection", "rows_per_page", numbers(1, ROWS_PER_PAGE_MAX)),
        ("RecoverySection", "checkpoint_every_ms", interval()),
        ("RowLocksSection", "wait_timeout_ms", timeout()),
        ("RowLocksSection", "queue", numbers(0, ROW_QUEUE_MAX)),
        ("RetriesSection", "max", numbers(1, RETRIES_MAX)),
        ("RetriesSection", "attempt_timeout_ms", timeout()),
        ("RetriesSection", "backoff_ms", numbers(0, SPAN_MS_MAX)),
        ("RetriesSection", "backoff_ms_max", numbers(0, SPAN_MS_MAX)),
        ("RetriesSection", "budget", above_zero(RETRY_BUDGET_MAX)),
        ("CircuitBreakerSection", "failures", numbers(1, BREAKER_FAILURES_MAX)),
        ("CircuitBreakerSection", "open_ms", timeout()),
        ("BufferingSection", "size", numbers(1, BUFFER_SIZE_MAX)),
        ("BufferingSection", "window_ms", timeout()),
        ("BufferingSection", "failover_ms_max", timeout()),
        ("BufferingSection", "failovers_apart_ms", numbers(0, SPAN_MS_MAX)),
        ("BufferingSection", "drain_concurrency", numbers(1, BUFFER_SIZE_MAX)),
        ("EncryptionSection", "message_ms", numbers(0, ENCRYPTION_MS_MAX)),
        ("EncryptionSection", "kilobyte_ms", numbers(0, ENCRYPTION_MS_MAX)),
        ("EncryptionSection", "io_ms", numbers(0, ENCRYPTION_MS_MAX)),
        ("CacheSection", "bytes", numbers(1, CACHE_BYTES_MAX)),
        ("WorkloadSection", "scans", numbers(0, 1)),
        ("WorkloadSection", "deletes", numbers(0, 1)),
        ("WorkloadSection", "decrements", numbers(0, 1)),
        ("RingSection", "speculative_retry_percentile", numbers(1, 100)),
        ("RingSection", "gc_grace_ms", numbers(TIMEOUT_MS_MIN, GC_GRACE_MS_MAX)),
        ("HintedHandoffSection", "window_ms", numbers(0, SPAN_MS_MAX)),
        ("HintedHandoffSection", "rate_per_s", numbers(1, HINTS_PER_S_MAX)),
        ("AntiEntropySection", "interval_ms", numbers(INTERVAL_MS_MIN, INTERVAL_MS_MAX)),
        ("AntiEntropySection", "depth", numbers(1, TREE_DEPTH_MAX)),
        ("WorkloadSection", "tops", numbers(0, 1)),
        ("WorkloadSection", "joins", numbers(0, 1)),
        ("WorkloadSection", "query_rows", numbers(1, QUERY_ROWS_MAX)),
        ("RingSection", "placement", entries(0, PLACEMENTS_MAX)),
        ("RegionSection", "name", characters(1, NAME_CHARS_MAX)),
        ("RegionSection", "zones", entries(1, ZONES_MAX)),
        ("", "regions", entries(0, ZONES_MAX)),
        ("SqlSection", "replicas", numbers(0, REPLICAS_MAX)),
        ("SqlSection", "proxy_timeout_ms", timeout()),
        ("SqlSection", "pool_size", numbers(1, POOL_SIZE_MAX)),
        ("ShardRange", "from", range_end()),
        ("ShardRange", "to", range_end()),
        ("CacheSection", "entries", numbers(0, CACHE_ENTRIES_MAX)),
        ("CacheSection", "ttl_ms", numbers(0, SPAN_MS_MAX)),
        ("HealthCheckSection", "interval_ms", interval()),
        ("HealthCheckSection", "timeout_ms", numbers(TIMEOUT_MS_MIN, INTERVAL_MS_MAX)),
        ("HealthCheckSection", "threshold", numbers(1, THRESHOLD_MAX)),
        ("RingSection", "name", characters(1, NAME_CHARS_MAX)),
        ("RingSection", "nodes", numbers(1, RING_NODES_MAX)),
        ("RingSection", "virtual_nodes", numbers(1, VIRTUAL_NODES_MAX)),
        ("RingSection", "spares", numbers(0, SPARES_MAX)),
        ("RingSection", "stream_mbit_per_s", numbers(BANDWIDTH_MBIT_PER_S_MIN, BANDWIDTH_MBIT_PER_S_MAX)),
        ("RingSection", "partitions", numbers(1, PARTITIONS_MAX)),
        ("RingSection", "rows_per_partition", numbers(2, PARTITION_ROWS_MAX)),
        ("RingSection", "n", numbers(1, KEY_REPLICAS_MAX)),
        ("RingSection", "r", numbers(1, KEY_REPLICAS_MAX)),
        ("RingSection", "w", numbers(1, KEY_REPLICAS_MAX)),
        ("RingSection", "request_timeout_ms", timeout()),
        ("RingSection", "in_flight_max", numbers(1, IN_FLIGHT_MAX)),
        ("StorageSection", "memtable_mb", numbers(STORAGE_MB_MIN, STORAGE_MB_MAX)),
        ("StorageSection", "commit_log_mb", numbers(STORAGE_MB_MIN, STORAGE_MB_MAX)),
        ("StorageSection", "bloom_filter_false_positives", numbers(FALSE_POSITIVES_MIN, 1)),
        ("StorageSection", "block_cache_mb", numbers(0, STORAGE_MB_MAX)),
        ("StorageSection", "disk_mb_per_s", numbers(DISK_MB_PER_S_MIN, DISK_MB_PER_S_MAX)),
        ("StorageSection", "compaction_mb_per_s", numbers(DISK_MB_PER_S_MIN, DISK_MB_PER_S_MAX)),
        ("SizeTieredSection", "min_threshold", numbers(2, COMPACTED_TABLES_MAX)),
        ("SizeTieredSection", "max_threshold", numbers(2, COMPACTED_TABLES_MAX)),
        ("SizeTieredSection", "bucket_low", numbers(0, 1)),
        ("SizeTieredSection", "bucket_high", numbers(1, BUCKET_RATIO_MAX)),
        ("LevelledSection", "table_mb", numbers(STORAGE_MB_MIN, STORAGE_MB_MAX)),
        ("LevelledSection", "fan_out", numbers(2, LEVEL_FAN_OUT_MAX)),
        ("GossipSection", "interval_ms", interval()),
        ("GossipSection", "neighbours", numbers(1, NEIGHBOURS_MAX)),
        ("GossipSection", "fan_out", numbers(1, FAN_OUT_MAX)),
        ("GossipSection", "seeds", numbers(0, RING_NODES_MAX)),
        ("PhiAccrualSection", "threshold", above_zero(PHI_THRESHOLD_MAX)),
        ("PhiAccrualSection", "window", numbers(1, WINDOW_MAX)),
        ("TimeOutSection", "after_ms", timeout()),
        ("SwimSection", "period_ms", interval()),
        ("SwimSection", "timeout_ms", numbers(TIMEOUT_MS_MIN, INTERVAL_MS_MAX)),
        ("SwimSection", "indirect", numbers(0, INDIRECT_MAX)),
        ("SwimSection", "suspicion_multiplier", numbers(1, SWIM_MULTIPLIER_MAX)),
        ("SwimSection", "suspicion_max_multiplier", numbers(1, SWIM_MULTIPLIER_MAX)),
        ("SwimSection", "retransmit_multiplier", numbers(1, SWIM_MULTIPLIER_MAX)),
        ("MachineSection", "cores", numbers(1, CORES_MAX)),
        ("MachineSection", "queue_limit", numbers(1, QUEUE_LIMIT_MAX)),
        ("MachineSection", "storage_gb", numbers(0, STORAGE_GB_MAX)),
        ("ServiceSection", "follow_every", numbers(0, FOLLOW_EVERY_MAX)),
        ("CollectorsSection", "nodes", numbers(1, SERVICE_NODES_MAX)),
        ("CollectorsSection", "batch_views", numbers(1, BATCH_VIEWS_MAX)),
        ("CollectorsSection", "linger_ms", numbers(0, INTERVAL_MS_MAX)),
        ("CollectorsSection", "request_timeout_ms", timeout()),
        ("CollectorsSection", "delivery_timeout_ms", timeout()),
        ("CollectorsSection", "buffer_views", numbers(1, HELD_MAX)),
        ("CollectorsSection", "sub_counts", numbers(1, SUB_COUNTS_MAX)),
        ("CollectorsSection", "hot_share", above_zero(1.0)),
        ("LogSection", "brokers", numbers(1, BROKERS_MAX)),
        ("LogSection", "partitions", numbers(1, LOG_PARTITIONS_MAX)),
        ("LogSection", "replication", numbers(1, LOG_REPLICATION_MAX)),
        ("LogSection", "retention_ms", timeout()),
        ("LogSection", "retention_views", numbers(1, RETENTION_VIEWS_MAX)),
        ("LogSection", "election_timeout_ms", interval()),
        ("LogSection", "heartbeat_ms", interval()),
        ("LogSection", "fetch_wait_ms", interval()),
        ("LogSection", "member_heartbeat_ms", interval()),
        ("LogSection", "session_timeout_ms", interval()),
        ("LogSection", "view_service_ms", numbers(0, ENCRYPTION_MS_MAX)),
        ("TriggerMode/every_ms", "", numbers(WINDOW_MS_MIN, SPAN_MS_MAX)),
        ("WorkersSection", "nodes", numbers(1, SERVICE_NODES_MAX)),
        ("WorkersSection", "window_ms", numbers(WINDOW_MS_MIN, SPAN_MS_MAX)),
        ("WorkersSection", "lateness_ms", numbers(0, SPAN_MS_MAX)),
        ("WorkersSection", "flush_ms", interval()),
        ("WorkersSection", "checkpoint_ms", interval()),
        ("WorkersSection", "fetch_views", numbers(1, BATCH_VIEWS_MAX)),
        ("WorkersSection", "deduplicate_views", numbers(0, HELD_MAX)),
        ("EnrichmentSection", "cache_entries", numbers(0, CACHE_ENTRIES_MAX)),
        ("WorkersSection", "buffer_rows", numbers(1, HELD_MAX)),
        ("WorkersSection", "spill_rows", numbers(0, HELD_MAX)),
        ("WorkersSection", "writes_in_flight", numbers(1, IN_FLIGHT_MAX)),
        ("WorkersSection", "write_timeout_ms", timeout()),
        ("WorkersSection", "backoff_ms", timeout()),
        ("WorkersSection", "backoff_ms_max", timeout()),
        ("ReadersSection", "nodes", numbers(1, SERVICE_NODES_MAX)),
        ("ReadersSection", "cache_entries", numbers(0, CACHE_ENTRIES_MAX)),
        ("ReadersSection", "cache_ttl_ms", numbers(0, SPAN_MS_MAX)),
        ("ReadersSection", "range_windows", numbers(1, RANGE_WINDOWS_MAX)),
        ("ReadersSection", "top_videos", numbers(1, TOP_VIDEOS_MAX)),
        ("ReadersSection", "timeout_ms", timeout()),
        ("ObjectStoreSection", "mb_per_s", numbers(DISK_MB_PER_S_MIN, DISK_MB_PER_S_MAX)),
        ("FaultSpec/poison", "share", numbers(0, 1)),
        ("FaultSpec/counting_bug", "device", numbers(0, 3)),
        ("FaultSpec/rename", "channel", numbers(0, KEYS_MAX)),
        ("SyncPolicy/every_ms", "", interval()),
        ("ChecksSection", "latency_ms_p99_max", above_zero(SPAN_MS_MAX)),
        ("ChecksSection", "success_share_min", numbers(0, 1)),
        ("ScheduledFault", "at_ms", numbers(0, DURATION_MS_MAX)),
        ("ScheduledFault", "for_ms", above_zero(DURATION_MS_MAX)),
        ("FaultSpec/slow_machine", "factor", above_zero(SLOWNESS_MAX)),
        ("FaultSpec/slow_disk", "factor", above_zero(SLOWNESS_MAX)),
        ("FaultSpec/partition", "groups", entries(2, GROUPS_MAX)),
        ("FaultSpec/loss", "probability", numbers(0, 1)),
        ("FaultSpec/duplication", "probability", numbers(0, 1)),
        ("FaultSpec/clock_skew", "offset_ms", numbers(-SPAN_MS_MAX, SPAN_MS_MAX)),
        ("FaultSpec/load_spike", "factor", numbers(0, LOAD_FACTOR_MAX)),
        ("FaultSpec/hot_key", "share", numbers(0, 1)),
    ]
}
