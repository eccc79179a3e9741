//! What one client does next, and when: generated or recorded.
//!
//! Open loop: operations arrive whether or not earlier ones were answered. Each
//! client is a Poisson process of its share of the rate; together they are a
//! Poisson process of the whole. Everything is drawn from streams of the client
//! alone, so that every cluster of a run is asked for the same things at the
//! same times.

use super::keys::KeySpace;
use super::operation::{KeyId, OperationId, OperationKind, Request};
use super::recorded::Recording;
use super::zipf::Zipf;
use crate::engine::random::mix;
use crate::engine::{Purpose, SimDuration, SimTime, Stream};
use std::rc::Rc;

/// What all clients of a run share.
#[derive(Clone)]
pub struct Traffic {
    pub keys: KeySpace,
    pub source: Source,
    /// Client processes that share it.
    pub clients: u32,
    /// Whether writes add to their rows, in place of overwriting them.
    pub counts: bool,
}

impl Traffic {
    /// What an ordinary write is.
    fn write(&self) -> OperationKind {
        if self.counts { OperationKind::Increment } else { OperationKind::Write }
    }
}

/// Where operations come from.
#[derive(Clone)]
pub enum Source {
    Generated(Generated),
    Recorded(Rc<Recording>),
}

/// Parameters of generated traffic.
#[derive(Clone)]
pub struct Generated {
    /// Of all clients together.
    pub rate_per_s: f64,
    /// Share of reads, 0 to 1.
    pub reads: f64,
    /// Of the writes: the share that are deletes.
    pub deletes: f64,
    /// Of the writes of a traffic that counts: the share that take one away.
    pub decrements: f64,
    /// Of the reads: the shares that are scans, tops and joins; the others read one row.
    pub queries: QueryShares,
    pub popularity: Zipf,
    /// Payload of a write in bytes, both ends included.
    pub payload_bytes: [u32; 2],
}

/// Shares of the reads that are about more than one row, each from 0, together at most 1.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct QueryShares {
    pub scans: f64,
    pub tops: f64,
    pub joins: f64,
    /// Rows that a scan spans and a top asks for.
    pub rows: u16,
}

impl QueryShares {
    fn kind(&self, drawn: f64) -> OperationKind {
        let QueryShares { scans, tops, joins, .. } = *self;
        match drawn {
            _ if drawn < scans => OperationKind::Scan,
            _ if drawn < scans + tops => OperationKind::Top,
            _ if drawn < scans + tops + joins => OperationKind::Join,
            _ => OperationKind::Read,
        }
    }
}

/// As many rows as one row of the other kind: a video and its channel.
const ROWS_PER_REFERRED: u64 = 20;

/// One client's own traffic.
#[derive(Clone)]
pub struct Generator {
    traffic: Rc<Traffic>,
    client: u32,
    gaps: Stream,
    keys: Stream,
    kinds: Stream,
    sizes: Stream,
    heat: Stream,
    /// Place of the next recorded operation.
    cursor: usize,
}

const NANOS_PER_S: f64 = 1e9;

impl Generator {
    pub fn new(traffic: Rc<Traffic>, seed: u64, client: u32, name: &str) -> Generator {
        let stream = |purpose| Stream::named(seed, purpose, name);
        Generator {
            traffic,
            client,
            gaps: stream(Purpose::Arrival),
            keys: stream(Purpose::Key),
            kinds: stream(Purpose::Kind),
            sizes: stream(Purpose::Size),
            heat: stream(Purpose::Heat),
            cursor: client as usize,
        }
    }

    /// How much work, in units of the mean gap at load factor 1, lies before the
    /// next arrival of generated traffic; none if the traffic is recorded.
    pub fn next_gap(&mut self) -> Option<f64> {
        match self.traffic.source {
            Source::Generated(_) => Some(self.gaps.exponential()),
            Source::Recorded(_) => None,
        }
    }

    /// The mean gap of this client at load factor 1.
    pub fn mean_gap(&self) -> SimDuration {
        match &self.traffic.source {
            Source::Generated(generated) => SimDuration(
                (NANOS_PER_S * f64::from(self.traffic.clients) / generated.rate_per_s + 0.5) as u64,
            ),
            Source::Recorded(_) => SimDuration::ZERO,
        }
    }

    /// When the next recorded operation of this client is due; none at the end, or if traffic is generated.
    pub fn next_recorded(&self) -> Option<SimTime> {
        match &self.traffic.source {
            Source::Generated(_) => None,
            Source::Recorded(recording) => {
                recording.operations.get(self.cursor).map(|next| SimTime(next.at_ns))
            }
        }
    }

    /// The operation that is due now. `hot_share` of generated ones go to the most popular key.
    pub fn next_arrival(&mut self, id: OperationId, hot_share: f64) -> Option<Request> {
        match &self.traffic.source {
            Source::Generated(generated) => {
                let read = self.kinds.chance(generated.reads);
                let rank = generated.popularity.sample(&mut self.keys);
                let [low, high] = generated.payload_bytes;
                let size = low + self.sizes.below(high - low + 1);
                // The heat stream moves only while a key is heated, and no other stream moves with it.
                let hot = hot_share > 0.0 && self.heat.chance(hot_share);
                let key = if hot { 0 } else { rank - 1 };
                if !read {
                    let deletes = generated.deletes > 0.0 && self.kinds.chance(generated.deletes);
                    let takes = generated.decrements > 0.0 && self.kinds.chance(generated.decrements);
                    let (kind, size) = match () {
                        () if deletes => (OperationKind::Delete, 0),
                        () if takes => (OperationKind::Decrement, size),
                        () => (self.traffic.write(), size),
                    };
                    return Some(Request::point(id, kind, key, size));
                }
                let queries = generated.queries;
                let kind =
                    if queries.rows > 0 { queries.kind(self.kinds.unit()) } else { OperationKind::Read };
                Some(query(id, kind, key, queries.rows, &self.traffic.keys))
            }
            Source::Recorded(recording) => {
                let next = recording.operations.get(self.cursor)?;
                self.cursor += self.traffic.clients as usize;
                let kind = if next.is_write { self.traffic.write() } else { OperationKind::Read };
                Some(Request::point(id, kind, next.key, next.bytes))
            }
        }
    }

    pub fn client(&self) -> u32 {
        self.client
    }
}

/// A read of some kind that begins at a key.
fn query(id: OperationId, kind: OperationKind, key: KeyId, rows: u16, keys: &KeySpace) -> Request {
    let mut request = Request::point(id, kind, key, 0);
    match kind {
        OperationKind::Scan => {
            let last = (keys.rank(key) as usize + usize::from(rows) - 1).min(keys.len() - 1);
            request.end = keys.order()[last];
            request.rows = rows;
        }
        OperationKind::Top => request.rows = rows,
        OperationKind::Join => {
            let referred = (keys.len() as u64 / ROWS_PER_REFERRED).max(1);
            request.end = (mix(u64::from(key)) % referred) as KeyId;
        }
        _ => {}
    }
    request
}
