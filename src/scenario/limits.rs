//! Every bound of the scenario format, by name.
//!
//! What is outside is refused with a message that names the field and the
//! bound; nothing is clipped silently. The JSON Schema shows the same numbers.

/// Longest scenario text, in bytes.
pub const TEXT_BYTES_MAX: usize = 1 << 20;
/// Longest name of a scenario, a cluster or a machine type, in characters.
pub const NAME_CHARS_MAX: usize = 64;
/// Longest title, question or sentence of what to try, in characters.
pub const SENTENCE_CHARS_MAX: usize = 400;
/// Most sentences of what to try.
pub const THINGS_TO_TRY_MAX: usize = 12;

/// Longest run: one simulated hour.
pub const DURATION_MS_MAX: f64 = 3_600_000.0;
/// Longest time-out, time to live or clock offset: one simulated day.
pub const SPAN_MS_MAX: f64 = 86_400_000.0;
/// Shortest interval at which something repeats.
pub const INTERVAL_MS_MIN: f64 = 1.0;
/// Longest interval at which something repeats: ten simulated minutes.
pub const INTERVAL_MS_MAX: f64 = 600_000.0;
/// Shortest lease.
pub const LEASE_MS_MIN: f64 = 10.0;
/// Shortest time-out that a client, proxy or coordinator may have.
pub const TIMEOUT_MS_MIN: f64 = 1.0;

pub const ZONES_MAX: usize = 8;
pub const CLUSTERS_MAX: usize = 4;
/// Entries of a cluster's placement.
pub const PLACEMENTS_MAX: usize = 64;
/// Nodes of all clusters together, clients included.
pub const NODES_MAX: usize = 1_024;

pub const LOSS_MAX: f64 = 0.5;
pub const BANDWIDTH_MBIT_PER_S_MIN: f64 = 0.001;
pub const BANDWIDTH_MBIT_PER_S_MAX: f64 = 1_000_000.0;

pub const CLIENTS_MAX: u32 = 256;
pub const RATE_PER_S_MAX: f64 = 200_000.0;
pub const KEYS_MAX: u32 = 1_000_000;
pub const ZIPF_THETA_MAX: f64 = 2.0;
/// Largest payload of a write: one mebibyte.
pub const PAYLOAD_BYTES_MAX: u32 = 1 << 20;
pub const IN_FLIGHT_MAX: u32 = 1_000_000;
/// Delays after a write at which it is read.
pub const PROBE_DELAYS_MAX: usize = 16;
/// Longest of them: one simulated minute.
pub const PROBE_MS_MAX: f64 = 60_000.0;
/// Searching reads after each write.
pub const PROBES_SEARCHING_MAX: u32 = 16;

pub const QUERY_PROXIES_MAX: u32 = 16;
pub const SHARDS_MAX: u32 = 64;
pub const SHARD_PROXIES_MAX: u32 = 3;
pub const SPARE_SHARDS_MAX: u32 = 8;
/// Rows that one step of a resharding copies.
pub const SNAPSHOTS_MAX: u32 = 8;
pub const BACKUP_INTERVAL_MS_MIN: f64 = 100.0;
pub const HINTS_PER_S_MAX: f64 = 1_000_000.0;
pub const TREE_DEPTH_MAX: u32 = 15;
pub const GC_GRACE_MS_MAX: f64 = 8_640_000_000.0;
pub const DISK_CHANNELS_MAX: u32 = 64;
pub const CHUNK_ROWS_MAX: u32 = 1_000;
/// Characters by which a range of names is given.
pub const RANGE_END_CHARS_MAX: usize = 4;
/// Rows that a scan spans or a top asks for.
pub const QUERY_ROWS_MAX: u16 = 1_000;
pub const APPLIERS_MAX: u32 = 64;
pub const RETRIES_MAX: u32 = 20;
/// Retries per query that a budget allows.
pub const RETRY_BUDGET_MAX: f64 = 20.0;
pub const BREAKER_FAILURES_MAX: u32 = 100_000;
pub const BUFFER_SIZE_MAX: u32 = 100_000;
pub const CACHE_BYTES_MAX: u64 = 1 << 40;
pub const BUFFER_POOL_PAGES_MAX: u32 = 10_000_000;
pub const ROWS_PER_PAGE_MAX: u32 = 10_000;
pub const ROW_QUEUE_MAX: u32 = 65_536;
/// Commits from one fsync to the next.
pub const COMMITS_PER_SYNC_MAX: u32 = 1_000_000;
/// Core time that one message or page may cost for encryption.
pub const ENCRYPTION_MS_MAX: f64 = 1_000.0;
pub const REPLICAS_MAX: u32 = 5;
pub const CACHE_ENTRIES_MAX: u32 = 1_000_000;
pub const THRESHOLD_MAX: u32 = 100;
pub const POOL_SIZE_MAX: u32 = 100_000;

pub const RING_NODES_MAX: u32 = 1_000;
/// Replicas of one key.
pub const KEY_REPLICAS_MAX: u32 = crate::ring::token_ring::REPLICAS_MAX as u32;
/// Keys that form one partition.
pub const PARTITION_ROWS_MAX: u32 = 10_000;
/// Memtable, commit log, block cache and table of a store, in megabytes.
pub const STORAGE_MB_MIN: f64 = 0.01;
pub const STORAGE_MB_MAX: f64 = 1_000.0;
pub const DISK_MB_PER_S_MIN: f64 = 0.01;
pub const DISK_MB_PER_S_MAX: f64 = 100_000.0;
pub const FALSE_POSITIVES_MIN: f64 = 0.000_01;
/// Tables that are merged at a time.
pub const COMPACTED_TABLES_MAX: u32 = 256;
pub const BUCKET_RATIO_MAX: f64 = 100.0;
pub const LEVEL_FAN_OUT_MAX: u32 = 100;
pub const VIRTUAL_NODES_MAX: u32 = 256;
/// Nodes that stand by to join a ring.
pub const SPARES_MAX: u32 = 64;
pub const PARTITIONS_MAX: u32 = 65_536;
pub const NEIGHBOURS_MAX: u32 = 3;
/// Nodes that one round of gossip goes to.
pub const FAN_OUT_MAX: u32 = 16;
pub const PHI_THRESHOLD_MAX: f64 = 100.0;
/// Intervals that a failure detector takes the mean of.
pub const WINDOW_MAX: u32 = 1_000_000;
/// Nodes that are asked to ping another one.
pub const INDIRECT_MAX: u32 = 16;
/// Multipliers of SWIM.
pub const SWIM_MULTIPLIER_MAX: u32 = 100;

/// Collectors, workers and readers of one service, each.
pub const SERVICE_NODES_MAX: u32 = 64;
pub const BROKERS_MAX: u32 = 32;
pub const LOG_PARTITIONS_MAX: u32 = 256;
/// Copies of one partition of the log.
pub const LOG_REPLICATION_MAX: u32 = 7;
pub const RETENTION_VIEWS_MAX: u64 = 100_000_000;
/// Views in a batch or a fetch.
pub const BATCH_VIEWS_MAX: u32 = 100_000;
/// Views or rows that one node holds.
pub const HELD_MAX: u32 = 10_000_000;
pub const SUB_COUNTS_MAX: u32 = 64;
pub const WINDOW_MS_MIN: f64 = 100.0;
/// Rows of all tables of one service together.
pub const TABLE_ROWS_MAX: u64 = 2_000_000;
/// Windows that one question goes over.
pub const RANGE_WINDOWS_MAX: u32 = 1_000;
pub const TOP_VIDEOS_MAX: u32 = 100;
pub const FOLLOW_EVERY_MAX: u32 = 1_000_000;

pub const CORES_MAX: u16 = 256;
pub const QUEUE_LIMIT_MAX: u32 = 1_000_000;
pub const STORAGE_GB_MAX: f64 = 1_000_000.0;

pub const FAULTS_MAX: usize = 200;
/// Names in one selector.
pub const SELECTED_MAX: usize = 512;
pub const GROUPS_MAX: usize = 16;
/// How much slower a machine or disk may get.
pub const SLOWNESS_MAX: f64 = 10_000.0;
/// How much more load a spike may bring.
pub const LOAD_FACTOR_MAX: f64 = 100.0;
