//! Wide rows: neighbouring keys that form one partition, and scans over them.
//!
//! Cassandra's data model (4.1; "Data definition", partition key and clustering
//! columns): rows of one partition share a token and so their replicas, and stand
//! together in their order. A scan within a partition is one read: the coordinator
//! asks replicas by the read's consistency level, each answers with all rows of the
//! slice (or a digest over them), the newest of each row counts, and replicas are
//! repaired row by row. A scan over several partitions is a read of each, all at
//! once, which the coordinator gathers (`SELECT … WHERE bucket IN (…)`).
//!
//! ```text
//! scan ─► slice of partition 7: its replicas ─enough─┐
//!      ─► slice of partition 8: its replicas ─enough─┴► rows in order ─► client
//! ```
//!
//! Simplified: which partitions a range falls into is known to who asks, as with
//! buckets of time; no paging. Left out: range reads by token, and secondary indexes.

use super::RingNode;
use super::storage::AskedRows;
use crate::engine::random::mix;
use crate::engine::{Context, NodeId, Ticket};
use crate::ring::message::{RingHost, RingToken};
use crate::ring::row::Row;
use crate::ring::settings::RingSettings;
use crate::ring::slice::{Slice, stamp};
use crate::workload::operation::{
    Cause, KeyId, OperationId, OperationKind, Outcome, Request, Response, Selected, SelectedRow, Versioned,
};
use crate::workload::tally::Tally;
use std::rc::Rc;

/// A read of some rows of one partition.
#[derive(Clone)]
pub(super) struct SliceRead {
    /// Which scan it is part of.
    pub scan: u64,
    pub slice: Slice,
    settings: Rc<RingSettings>,
    /// What was seen of each row, merged.
    rows: Vec<Row>,
    /// Answers with data, by the replica's place.
    answers: Vec<(usize, Rc<Vec<Row>>)>,
    /// Whether who asks wants the rows themselves.
    selects: bool,
}

/// What a scan returns of some rows: how many there are, their bytes, and a hash of what they show.
#[derive(Clone, Copy, Default)]
struct Summed {
    rows: u64,
    bytes: u32,
    hash: u64,
}

/// A slice that was read, as a part of its scan.
pub(super) struct Part {
    scan: u64,
    summed: Summed,
    rows: Vec<SelectedRow>,
}

/// A scan that waits for its slices.
#[derive(Clone)]
pub(super) struct Scan {
    client: NodeId,
    id: OperationId,
    /// Slices that have not been read.
    left: u32,
    summed: Summed,
    /// The rows themselves, for a service.
    rows: Option<Vec<SelectedRow>>,
}

impl SliceRead {
    pub fn stamp(&self) -> u64 {
        stamp(&self.rows)
    }

    pub fn take_in(&mut self, place: usize, rows: Rc<Vec<Row>>) {
        for (own, other) in self.rows.iter_mut().zip(rows.iter()) {
            own.merge(other);
        }
        self.answers.push((place, rows));
    }

    /// The rows of which the replica at a place had not all.
    pub fn lacked_by(&self, place: usize) -> Rc<Vec<(KeyId, Row)>> {
        let answer = self.answers.iter().rev().find(|(other, _)| *other == place);
        let lacks = |at: usize, row: &Row| match answer {
            Some((_, rows)) => rows[at].lacks(row),
            None => !row.is_empty(),
        };
        let keys = self.slice.keys(&self.settings.keys).iter().zip(&self.rows).enumerate();
        Rc::new(
            keys.filter(|(at, (_, row))| lacks(*at, row))
                .map(|(_, (key, row))| (*key, row.clone()))
                .collect(),
        )
    }

    fn there(&self) -> impl Iterator<Item = (usize, &Row)> {
        self.rows.iter().enumerate().filter(|(_, row)| !row.is_empty() && !row.is_tombstone())
    }

    /// Its rows, if who asks wants them.
    fn selected(&self) -> Vec<SelectedRow> {
        let keys = self.slice.keys(&self.settings.keys);
        let there = self.there().filter(|_| self.selects);
        let selected = there.map(|(at, row)| {
            let value = match row {
                Row::Counter(counter) => Tally::new(0, counter.value().max(0) as u64, 0).0,
                row => row.shown().content.value,
            };
            SelectedRow { key: keys[at], value, bytes: row.bytes() }
        });
        selected.collect()
    }

    /// What it comes to.
    pub fn part(&self) -> Part {
        Part { scan: self.scan, summed: self.summed(), rows: self.selected() }
    }

    fn summed(&self) -> Summed {
        let mut summed = Summed::default();
        for (_, row) in self.there() {
            summed.rows += 1;
            summed.bytes = summed.bytes.saturating_add(row.bytes());
            summed.hash = mix(summed.hash ^ row.hash());
        }
        summed
    }
}

impl RingNode {
    /// Reads a slice of each partition that a scan touches.
    pub(super) fn on_scan<P: RingHost>(&mut self, client: NodeId, request: &Request, ctx: &mut Context<P>) {
        let settings = Rc::clone(&self.settings);
        let (first, last) = (settings.keys.rank(request.key), settings.keys.rank(request.end));
        let slices = match request.kind {
            // A group is a partition, however many rows it has.
            OperationKind::Select => vec![Slice { first, rows: request.rows }],
            _ => Slice::of_range(first, last.max(first), settings.rows_per_partition),
        };
        self.scans_begun += 1;
        let scan = self.scans_begun;
        let left = slices.len() as u32;
        let rows = request.kind.is_select().then(Vec::new);
        self.scans.entry(scan, || Scan { client, id: request.id, left, summed: Summed::default(), rows });
        for slice in slices {
            let rows = vec![Row::default(); usize::from(slice.rows)];
            let selects = request.kind.is_select();
            let settings = Rc::clone(&settings);
            let read = SliceRead { scan, slice, settings, rows, answers: Vec::new(), selects };
            let part = Request { key: slice.keys(&self.settings.keys)[0], ..*request };
            if let Err(cause) = self.coordinate(client, part, (None, Some(Box::new(read))), ctx) {
                self.scan_failed(scan, Outcome::Failed(cause), ctx);
                return;
            }
        }
    }

    /// One slice of a scan has been read.
    pub(super) fn slice_done<P: RingHost>(&mut self, part: Part, ctx: &mut Context<P>) {
        let Part { scan, summed: part, rows: selected } = part;
        let Some(Scan { client, id, left, summed, rows }) = self.scans.get_mut(scan) else { return };
        *left -= 1;
        if let Some(rows) = rows {
            rows.extend(selected);
        }
        summed.rows += part.rows;
        summed.bytes = summed.bytes.saturating_add(part.bytes);
        // Whichever comes first.
        summed.hash ^= part.hash;
        if *left == 0 {
            let result = Versioned { value: summed.hash, version: summed.rows };
            let response = Response::ok(*id, result, summed.bytes);
            match rows.take() {
                Some(rows) => ctx.send(*client, Selected { response, rows: rows.into() }),
                None => ctx.send(*client, response),
            }
            self.scans.remove(scan);
        }
    }

    /// A scan fails with the first of its slices that does.
    pub(super) fn scan_failed<P: RingHost>(&mut self, scan: u64, outcome: Outcome, ctx: &mut Context<P>) {
        if let Some(Scan { client, id, .. }) = self.scans.remove(scan) {
            ctx.send(client, Response { outcome, ..Response::failed(id, Cause::TimedOut) });
        }
    }

    // As a replica.

    pub fn on_read_slice<P: RingHost>(
        &mut self,
        coordinator: NodeId,
        ticket: Ticket,
        slice: Slice,
        is_digest: bool,
        ctx: &mut Context<P>,
    ) {
        self.read((coordinator, ticket), AskedRows::Slice(slice), is_digest, ctx);
    }

    pub fn on_repair_slice<P: RingHost>(
        &mut self,
        coordinator: NodeId,
        rows: &[(KeyId, Row)],
        ticket: Option<Ticket>,
        ctx: &mut Context<P>,
    ) {
        let mut is_stored = true;
        for (key, row) in rows {
            is_stored &= self.store(*key, row, ctx);
        }
        if let Some(ticket) = ticket.filter(|_| is_stored) {
            self.acknowledge(RingToken::Repaired { coordinator, ticket }, ctx);
        }
    }
}
