//! The log-structured store against a map: what it holds is what was written, whatever is flushed,
//! compacted, lost in a crash and replayed.

use faultline::engine::{DiskImage, Distribution, Purpose, Stream};
use faultline::ring::message::{Content, RingDisk, RingRecord};
use faultline::ring::row::Row;
use faultline::ring::slice::Slice;
use faultline::ring::storage::bloom_filter::BloomFilter;
use faultline::ring::storage::compaction::Strategy;
use faultline::ring::storage::log_disk::Change;
use faultline::ring::storage::sorted_table::SortedTable;
use faultline::ring::storage::{Compaction, StorageSettings, Store};
use faultline::workload::keys::KeySpace;
use faultline::workload::operation::{Cell, KeyId, Versioned};
use std::collections::BTreeMap;
use std::rc::Rc;

const SIZE_TIERED: Strategy =
    Strategy::SizeTiered { min_threshold: 4, max_threshold: 32, bucket_low: 0.5, bucket_high: 1.5 };
const LEVELLED: Strategy = Strategy::Levelled { table_bytes: 3_000, fan_out: 4 };

fn settings(compaction: Option<Strategy>) -> StorageSettings {
    StorageSettings {
        memtable_bytes: 4_000,
        commit_log_bytes: 16_000,
        false_positives: 0.05,
        cache_blocks: 3,
        disk_bytes_per_s: 1e8,
        compaction,
        compaction_bytes_per_s: None,
        table_service: Distribution::constant_ms(0.02),
        merge_service: Distribution::constant_ms(0.002),
        replay_service: Distribution::constant_ms(0.01),
    }
}

/// A store with its disk, and what is under way on it.
struct Bench {
    keys: KeySpace,
    rows_per_partition: u32,
    settings: Rc<StorageSettings>,
    store: Store,
    disk: RingDisk,
    flush: Option<(Rc<SortedTable>, u32)>,
    compaction: Option<Compaction>,
    version: u64,
    /// What a reader must find.
    model: BTreeMap<KeyId, Cell>,
}

impl Bench {
    fn new(keys: u32, rows_per_partition: u32, compaction: Option<Strategy>) -> Bench {
        let keys = KeySpace::generated(keys).in_partitions(rows_per_partition);
        let settings = Rc::new(settings(compaction));
        let store = Store::new(keys.clone(), rows_per_partition, Rc::clone(&settings), None);
        Bench {
            keys,
            rows_per_partition,
            settings,
            store,
            disk: RingDisk::default(),
            flush: None,
            compaction: None,
            version: 0,
            model: BTreeMap::new(),
        }
    }

    /// A write that is synced at once; false if it would have to wait.
    fn write(&mut self, key: KeyId, bytes: u32, deletes: bool) -> bool {
        if self.store.must_wait() {
            return false;
        }
        self.version += 1;
        let content = Versioned { value: self.version, version: self.version };
        let cell = if deletes { Cell::tombstone(content) } else { Cell { content, bytes, count: 0 } };
        let row = Row::Register(cell);
        self.store.merge(key, &row);
        let generation = self.store.generation();
        self.disk.apply(RingRecord { key, content: Content::Logged { generation, row } });
        self.model.insert(key, cell);
        true
    }

    fn begin_flush(&mut self) {
        if self.flush.is_none() {
            self.flush = self.store.begin_flush();
        }
    }

    fn end_flush(&mut self) {
        if let Some((table, generation)) = self.flush.take() {
            let change =
                Change { removed: Rc::default(), added: vec![Rc::clone(&table)], flushed: Some(generation) };
            self.disk.apply(RingRecord { key: 0, content: Content::Tables(change) });
            self.store.flushed(table);
        }
    }

    fn begin_compaction(&mut self, grace: u64) {
        if self.compaction.is_none() {
            let now = self.version;
            self.compaction = self.store.begin_compaction(|row| row.shown().content.version + grace < now);
        }
    }

    fn end_compaction(&mut self) {
        if let Some(compaction) = self.compaction.take() {
            let change = Change {
                removed: Rc::clone(&compaction.inputs),
                added: compaction.outputs.clone(),
                flushed: None,
            };
            self.disk.apply(RingRecord { key: 0, content: Content::Tables(change) });
            self.store.install(&compaction);
        }
    }

    /// Until there is nothing to do.
    fn compact(&mut self, grace: u64) {
        loop {
            self.begin_compaction(grace);
            if self.compaction.is_none() {
                return;
            }
            self.end_compaction();
        }
    }

    fn crash(&mut self) {
        (self.flush, self.compaction) = (None, None);
        let keys = self.keys.clone();
        self.store =
            Store::new(keys, self.rows_per_partition, Rc::clone(&self.settings), self.disk.log.as_ref());
    }

    /// A row that is deleted may be gone altogether.
    fn check(&self, seed: u64) {
        for key in 0..self.keys.len() as KeyId {
            let wanted = self.model.get(&key).copied().unwrap_or_default();
            for (found, whose) in [
                (self.store.get(key).shown(), "the store"),
                (self.disk.row(key, &self.keys).shown(), "its disk"),
            ] {
                let is_gone = wanted.is_tombstone() && found == Cell::default();
                assert!(
                    found == wanted || is_gone,
                    "seed {seed}, key {key}: {whose} has {found:?}, not {wanted:?}"
                );
            }
        }
        let logs = [Some(self.store.memtable()), self.store.flushing()];
        let log_bytes: u64 = logs.into_iter().flatten().map(|memtable| memtable.log_bytes()).sum();
        assert!(log_bytes <= self.settings.commit_log_bytes + 2_000, "seed {seed}: {log_bytes}");
        let (blocks, room) = self.store.cache_fill();
        assert!(blocks <= room as usize);
    }
}

#[test]
fn a_store_holds_what_was_written_whatever_is_flushed_compacted_and_lost_in_crashes() {
    for seed in 0..60 {
        let mut stream = Stream::new(seed, Purpose::Swarm, 50);
        let strategy = [None, Some(SIZE_TIERED), Some(LEVELLED)][(seed % 3) as usize];
        let rows_per_partition = if stream.chance(0.5) { 1 } else { 1 + stream.below(9) };
        let mut bench = Bench::new(20 + stream.below(80), rows_per_partition, strategy);
        let grace = u64::from(stream.below(300));
        for _ in 0..4_000 {
            match stream.below(100) {
                0 => bench.crash(),
                1..8 => bench.begin_flush(),
                8..20 => bench.end_flush(),
                20..24 => bench.begin_compaction(grace),
                24..32 => bench.end_compaction(),
                32..40 => {
                    let first = stream.below(bench.keys.len() as u32);
                    let reading = bench.store.plan_read(Slice { first, rows: 1 });
                    reading.blocks.into_iter().for_each(|block| bench.store.has_read(block));
                }
                _ => {
                    let key = stream.below(bench.keys.len() as u32);
                    let deletes = stream.chance(0.2);
                    bench.write(key, stream.below(1_500), deletes);
                    if bench.store.is_full() {
                        bench.begin_flush();
                    }
                }
            }
            if stream.below(200) == 0 {
                bench.check(seed);
            }
        }
        bench.check(seed);
    }
}

#[test]
fn a_read_finds_in_its_tables_what_the_filter_and_the_blocks_say() {
    let mut bench = Bench::new(500, 1, None);
    for round in 0..6 {
        for key in (round..500).step_by(3) {
            assert!(bench.write(key, 100, false), "there is room");
            if bench.store.is_full() {
                bench.begin_flush();
                bench.end_flush();
            }
        }
    }
    assert!(bench.store.tables().len() > 10, "{}", bench.store.tables().len());
    for key in 0..500 {
        let place = bench.keys.rank(key);
        for table in bench.store.tables() {
            assert!(
                table.get(place).is_none() || table.may_hold(place),
                "a filter never says no to what is there"
            );
        }
        let reading = bench.store.plan_read(Slice { first: place, rows: 1 });
        let holding = bench.store.tables().iter().filter(|table| table.get(place).is_some()).count();
        assert!(reading.tables as usize >= holding);
    }
    let counts = bench.store.counts;
    let without = counts.reads as f64 * bench.store.tables().len() as f64;
    assert!((counts.false_positives as f64) < 0.1 * without, "one in twenty errs: {counts:?}, {without}");
}

#[test]
fn filters_err_as_often_as_they_are_made_for() {
    for share in [0.001, 0.01, 0.1, 0.5] {
        let mut filter = BloomFilter::new(5_000, share);
        (0..5_000).for_each(|entry| filter.insert(entry * 7));
        assert!((0..5_000).all(|entry| filter.may_hold(entry * 7)));
        let wrong = (0..100_000).filter(|entry| filter.may_hold(1_000_000 + entry)).count() as f64 / 1e5;
        assert!((0.6 * share..1.6 * share).contains(&wrong), "{wrong}, not {share}");
    }
    assert!(BloomFilter::new(10, 1.0).may_hold(3), "without a filter every table may hold all");
}

#[test]
fn size_tiers_merge_like_with_like_and_each_row_once_a_tier() {
    let mut bench = Bench::new(4_000, 1, Some(SIZE_TIERED));
    for key in 0..4_000 {
        bench.write(key, 100, false);
        if bench.store.is_full() {
            bench.begin_flush();
            bench.end_flush();
            bench.compact(0);
            assert!(bench.store.tables().len() <= 3 * 4, "three of each of at most four tiers");
        }
    }
    let counts = bench.store.counts;
    assert!((100..140).contains(&counts.flushes), "128 bytes a row, 4,000 a table: {counts:?}");
    // 4^3 = 64 flushes have gone through three tiers.
    let rewritten = counts.compacted_bytes as f64 / counts.flushed_bytes as f64;
    assert!((2.0..3.2).contains(&rewritten), "{rewritten}");
}

#[test]
fn levels_keep_tables_apart_and_reads_short() {
    let mut bench = Bench::new(1_000, 1, Some(LEVELLED));
    let mut stream = Stream::new(1, Purpose::Swarm, 51);
    for _ in 0..8_000 {
        bench.write(stream.below(1_000), 100, false);
        if bench.store.is_full() {
            bench.begin_flush();
            bench.end_flush();
            bench.compact(0);
        }
    }
    let tables = bench.store.tables();
    for level in 1..8 {
        let mut spans: Vec<_> =
            tables.iter().filter(|table| table.level == level).map(|table| table.span()).collect();
        spans.sort_unstable();
        assert!(spans.windows(2).all(|pair| pair[0].1 < pair[1].0), "level {level}: {spans:?}");
    }
    let deepest = tables.iter().map(|table| table.level).max().expect("some");
    assert!(deepest >= 2, "130 KB are more than one level holds");
    let above_0 = tables.iter().filter(|table| table.level == 0).count();
    let (counts, reads) = (bench.store.counts, 1_000);
    for first in 0..reads {
        bench.store.plan_read(Slice { first, rows: 1 });
    }
    let touched = (bench.store.counts.tables_read - counts.tables_read) as f64 / f64::from(reads);
    assert!(touched <= (above_0 + usize::from(deepest)) as f64, "{touched}");
    assert!(above_0 < 4, "{above_0}");
}

#[test]
fn a_tombstone_stays_while_another_table_may_hold_what_it_covers() {
    let mut bench = Bench::new(100, 1, Some(SIZE_TIERED));
    let flush = |bench: &mut Bench| {
        bench.begin_flush();
        bench.end_flush();
    };
    // A large table with the row, and four small ones, one of which has the tombstone.
    for key in 0..30 {
        bench.write(key, 1_000, false);
    }
    flush(&mut bench);
    bench.write(7, 0, true);
    flush(&mut bench);
    for key in 90..93 {
        bench.write(key, 0, false);
        flush(&mut bench);
    }
    for _ in 0..10 {
        bench.write(99, 0, false);
    }
    bench.begin_compaction(0);
    assert_eq!(
        bench.compaction.as_ref().map(|compaction| compaction.inputs.len()),
        Some(4),
        "the small ones"
    );
    bench.end_compaction();
    assert!(bench.store.get(7).is_tombstone(), "the large table still has the row");
    assert_eq!(bench.store.counts.tombstones_dropped, 0);
    bench.check(0);

    // Now it is merged with the row that it covers.
    let mut bench = Bench::new(100, 1, Some(SIZE_TIERED));
    for keys in [0..10, 10..20, 20..30] {
        keys.for_each(|key| assert!(bench.write(key, 100, false)));
        flush(&mut bench);
    }
    (30..40).for_each(|key| assert!(bench.write(key, 100, false)));
    bench.write(7, 0, true);
    flush(&mut bench);
    bench.begin_compaction(1_000);
    bench.end_compaction();
    assert!(bench.store.get(7).is_tombstone(), "its grace is not over");
    assert_eq!(bench.store.tables().len(), 1);
    for _ in 0..3 {
        (50..85).for_each(|key| assert!(bench.write(key, 120, false)));
        flush(&mut bench);
    }
    bench.begin_compaction(0);
    bench.end_compaction();
    assert_eq!(bench.store.counts.tombstones_dropped, 1);
    assert!(bench.store.get(7).is_empty(), "it is gone, and so is the row");
    bench.check(0);
}

#[test]
fn what_a_crash_leaves_unfinished_is_done_again() {
    let mut bench = Bench::new(50, 1, Some(SIZE_TIERED));
    for round in 0..4 {
        (0..25).for_each(|key| assert!(bench.write(key + round * 5, 100, false)));
        bench.begin_flush();
        if round < 3 {
            bench.end_flush();
        }
    }
    let records = bench.store.flushing().expect("under way").records();
    bench.crash();
    assert_eq!((bench.store.tables().len(), bench.store.memtable().records()), (3, records));
    bench.check(0);
    bench.begin_flush();
    bench.end_flush();
    bench.begin_compaction(0);
    assert!(bench.compaction.is_some());
    bench.crash();
    assert_eq!((bench.store.tables().len(), bench.store.memtable().records()), (4, 0));
    bench.compact(0);
    assert_eq!(bench.store.tables().len(), 1);
    bench.check(0);
}
