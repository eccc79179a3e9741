//! What one client does next, and when: generated or recorded.
//!
//! Open loop: operations arrive whether or not earlier ones were answered. Each
//! client is a Poisson process of its share of the rate; together they are a
//! Poisson process of the whole. Everything is drawn from streams of the client
//! alone, so that every cluster of a run is asked for the same things at the
//! same times.

use super::keys::KeySpace;
use super::operation::{KeyId, OperationKind};
use super::recorded::Recording;
use super::zipf::Zipf;
use crate::engine::{Purpose, SimDuration, SimTime, Stream};
use std::rc::Rc;

/// What all clients of a run share.
#[derive(Clone)]
pub struct Traffic {
    pub keys: KeySpace,
    pub source: Source,
    /// Client processes that share it.
    pub clients: u32,
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
    pub popularity: Zipf,
    /// Payload of a write in bytes, both ends included.
    pub payload_bytes: [u32; 2],
}

/// One operation to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    pub kind: OperationKind,
    pub key: KeyId,
    pub bytes: u32,
}

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
    pub fn next_arrival(&mut self, hot_share: f64) -> Option<Arrival> {
        match &self.traffic.source {
            Source::Generated(generated) => {
                let read = self.kinds.chance(generated.reads);
                let rank = generated.popularity.sample(&mut self.keys);
                let [low, high] = generated.payload_bytes;
                let size = low + self.sizes.below(high - low + 1);
                // The heat stream moves only while a key is heated, and no other stream moves with it.
                let hot = hot_share > 0.0 && self.heat.chance(hot_share);
                Some(Arrival {
                    kind: if read { OperationKind::Read } else { OperationKind::Write },
                    key: if hot { 0 } else { rank - 1 },
                    bytes: if read { 0 } else { size },
                })
            }
            Source::Recorded(recording) => {
                let next = recording.operations.get(self.cursor)?;
                self.cursor += self.traffic.clients as usize;
                Some(Arrival {
                    kind: if next.is_write { OperationKind::Write } else { OperationKind::Read },
                    key: next.key,
                    bytes: next.bytes,
                })
            }
        }
    }

    pub fn client(&self) -> u32 {
        self.client
    }
}
