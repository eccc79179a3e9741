//! Sorts what the nodes of a cluster report: operations to the recorder, the
//! rest to be told.

use super::blueprint::Blueprint;
use super::message::Output;
use crate::engine::{NodeId, SimDuration, SimTime};
use crate::measure::recorder::{Finding, Recorder};
use crate::measure::restores::Restore;
use crate::ring::message::RingEvent;
use crate::ring::place::Move;
use crate::scenario::fault::Undertaking;
use crate::scenario::names::Seat;
use crate::service::message::ServiceEvent;
use crate::sql::event::SqlEvent;
use crate::workload::client::{ClientEvent, Completed};
use std::collections::VecDeque;
use std::rc::Rc;

/// Things worth telling that wait to be told, at most; beyond, the oldest go untold.
const NOTABLE_MAX: usize = 1_024;
/// Stale reads and lost writes are told at most this often.
const FINDINGS_EVERY: SimDuration = SimDuration::from_ms(1_000);

/// Something worth telling.
#[derive(Clone, Debug)]
pub enum Notable {
    Sql(SqlEvent),
    /// A promotion, with the acknowledged writes that it lost.
    PromotionLost {
        shard: u8,
        lost: u64,
    },
    /// A shard was restored from a backup.
    Restored {
        shard: u8,
        restore: Restore,
    },
    /// What an operator had asked for of a shard or a ring node (its number, from 1) is over; operations had
    /// failed so often by then.
    OperationOver {
        what: Undertaking,
        shard: u16,
        errors: u64,
    },
    Ring(RingEvent),
    Service(ServiceEvent),
    /// The overlay of a ring broke into parts, or is whole again (one part); the part of each node that is up.
    Overlay {
        parts: u16,
        part_of: Rc<Vec<Option<u16>>>,
    },
    /// So many acknowledged updates of a ring are in nothing that is left any more.
    UpdatesLost {
        lost: u64,
        acknowledged: u64,
    },
    /// One finding, and how many of its kind there were since the last one that was told.
    Found {
        operation: Completed,
        finding: Finding,
        since_last: u64,
    },
}

/// What listens to the nodes of one cluster.
#[derive(Clone)]
pub(super) struct Watcher {
    pub blueprint: Rc<Blueprint>,
    pub recorder: Recorder,
    /// Ring nodes that were believed dead since the last bucket, once for each that came to believe it.
    convicted: Vec<NodeId>,
    notable: VecDeque<(SimTime, Notable)>,
    /// By kind of finding: when one was last told, and how many were not told since.
    last_told: [Option<SimTime>; 2],
    untold: [u64; 2],
}

impl Watcher {
    pub fn new(blueprint: Rc<Blueprint>, recorder: Recorder) -> Watcher {
        Watcher {
            blueprint,
            recorder,
            convicted: Vec::new(),
            notable: VecDeque::new(),
            last_told: [None; 2],
            untold: [0; 2],
        }
    }

    pub fn output(&mut self, now: SimTime, output: Output) {
        match output {
            Output::Client(ClientEvent::Invoked { kind, key, .. }) => self.recorder.invoked(kind, key, now),
            Output::Client(ClientEvent::Shown { after }) => {
                if let Some(service) = &mut self.recorder.service {
                    service.shown(after);
                }
            }
            Output::Service(event) => {
                if let Some(service) = &mut self.recorder.service {
                    service.event(&event, now);
                }
                if event.is_worth_telling() {
                    self.tell(now, Notable::Service(event));
                }
            }
            Output::Client(ClientEvent::Basis { id, key, value, is_first }) => {
                self.recorder.basis(key, id.0, value, is_first);
            }
            Output::Client(ClientEvent::Saw { value, .. }) => self.recorder.saw(value),
            Output::Client(ClientEvent::Completed(done)) => {
                if let Some(finding) = self.recorder.completed(&done, now) {
                    self.found(now, done, finding);
                }
            }
            Output::Sql(event) => {
                if !matches!(event, SqlEvent::Errant { .. }) {
                    self.tell(now, Notable::Sql(event));
                }
                if let Some((what, shard)) = over(&event) {
                    let errors = self.recorder.counts.errors();
                    self.tell(now, Notable::OperationOver { what, shard: u16::from(shard) + 1, errors });
                }
                match event {
                    SqlEvent::Promoted { shard, epoch, base, .. } => {
                        let lost = self.recorder.promoted(usize::from(shard), epoch, base);
                        self.tell(now, Notable::PromotionLost { shard, lost });
                    }
                    SqlEvent::RestoreBegins { shard, .. } => {
                        self.recorder.restores.begins(usize::from(shard))
                    }
                    SqlEvent::PointReached { shard, reached, .. } => {
                        self.recorder.restores.reached(usize::from(shard), reached);
                    }
                    SqlEvent::ShardRestored { shard, asked, .. } => {
                        let restore = self.recorder.restores.done(usize::from(shard), asked, now);
                        self.tell(now, Notable::Restored { shard, restore });
                    }
                    SqlEvent::RangeMoved { source, range, .. } => {
                        if let Some(map) = &self.blueprint.map {
                            let keys = &self.blueprint.traffic.keys;
                            let moves = |key| range.contains(map.sharding.point(keys, key));
                            self.recorder.moved(usize::from(source), moves);
                        }
                    }
                    SqlEvent::Errant { shard, node, version, key } => {
                        self.recorder.errant(node, shard, version, key);
                    }
                    SqlEvent::SnapshotBegins { errant, .. } => self.recorder.errant_transactions += errant,
                    _ => {}
                }
            }
            // Repairs are many and small: they show in the stale reads that they end.
            Output::Ring(RingEvent::Repaired { .. } | RingEvent::DigestsDiffered { .. }) => {}
            Output::Ring(event) => {
                if let RingEvent::Convicted { peer, .. } = event {
                    self.convicted.push(peer);
                }
                self.tell(now, Notable::Ring(event));
                if let RingEvent::MoveOver { node, what, .. } = event {
                    let what = match what {
                        Move::Join => Undertaking::Join,
                        Move::Leave => Undertaking::Leave,
                        Move::Replace => Undertaking::Replace,
                    };
                    let seat = self.blueprint.directory.seats[node.index()];
                    let shard = if let Seat::RingNode(number) = seat { number as u16 } else { 0 };
                    let errors = self.recorder.counts.errors();
                    self.tell(now, Notable::OperationOver { what, shard, errors });
                }
            }
        }
    }

    /// Takes who was believed dead since this was last called.
    pub fn take_convicted(&mut self) -> Vec<NodeId> {
        std::mem::take(&mut self.convicted)
    }

    /// Takes what is worth telling and was not yet told.
    pub fn take_notable(&mut self) -> Vec<(SimTime, Notable)> {
        self.notable.drain(..).collect()
    }

    fn found(&mut self, now: SimTime, operation: Completed, finding: Finding) {
        let kind = usize::from(finding == Finding::LostWrite);
        self.untold[kind] += 1;
        if self.last_told[kind].is_none_or(|last| now.since(last) >= FINDINGS_EVERY) {
            self.last_told[kind] = Some(now);
            let since_last = std::mem::take(&mut self.untold[kind]);
            self.tell(now, Notable::Found { operation, finding, since_last });
        }
    }

    pub fn tell(&mut self, now: SimTime, notable: Notable) {
        if self.notable.len() == NOTABLE_MAX {
            self.notable.pop_front();
        }
        self.notable.push_back((now, notable));
    }
}

/// What is over with an event, and of which shard.
fn over(event: &SqlEvent) -> Option<(Undertaking, u8)> {
    match *event {
        SqlEvent::RangeMoved { source, .. } | SqlEvent::MoveRefused { source } => {
            Some((Undertaking::Move, source))
        }
        SqlEvent::SchemaChanged { shard, .. } => Some((Undertaking::SchemaChange, shard)),
        SqlEvent::ShardRestored { shard, .. } | SqlEvent::NothingToRestore { shard } => {
            Some((Undertaking::Restore, shard))
        }
        SqlEvent::NoSuchShard { shard } => Some((Undertaking::SchemaChange, shard)),
        _ => None,
    }
}
