//! Turns what happened into plain sentences.
//!
//! Captions, the screen reader's text and the transcript are these sentences.
//! Names of nodes stand between `**`. A shard is called by the range that it had then.

use super::frame::{Line, Severity};
use super::service_words::tell as tell_service;
use crate::check::staleness::Stale;
use crate::cluster::run::ClusterRun;
use crate::cluster::watcher::Notable;
use crate::engine::{NodeId, SimDuration, SimTime};
use crate::measure::recorder::Finding;
use crate::ring::message::RingEvent;
use crate::ring::place::{Move, MoveEnd};
use crate::scenario::names::RING_NODE;
use crate::sql::event::SqlEvent;
use crate::sql::shard_map::KeyRange;
use crate::workload::client::Completed;
use crate::workload::operation::ServedBy;

/// A suspicion of one node, and what heals a ring, are told at most this often.
const OFTEN_EVERY: SimDuration = SimDuration::from_ms(10_000);
/// Nodes of a part of an overlay that are named.
const NAMED_MAX: usize = 4;

/// What the narrator remembers of one cluster, so as not to repeat itself.
#[derive(Clone, Debug)]
pub struct Narrator {
    /// By node: how many believe it dead.
    believed_dead_by: Vec<u16>,
    /// By node: when a suspicion of it was told last.
    suspicion_told: Vec<Option<SimTime>>,
    /// By node: when it was told last that it had delivered what it had kept.
    hand_off_told: Vec<Option<SimTime>>,
    /// When trees that differ or tombstones that are dropped were told last.
    healing_told: Option<SimTime>,
    /// When writes that wait for a flush were told last, and that they go on.
    stall_told: Option<SimTime>,
    going_on_told: Option<SimTime>,
    /// By shard: its range as far as is told.
    ranges: Vec<Option<KeyRange>>,
}

impl Narrator {
    pub fn new(run: &ClusterRun) -> Narrator {
        let nodes = run.world().node_count();
        Narrator {
            believed_dead_by: vec![0; nodes],
            suspicion_told: vec![None; nodes],
            hand_off_told: vec![None; nodes],
            healing_told: None,
            stall_told: None,
            going_on_told: None,
            ranges: ranges(run),
        }
    }

    /// All that happened until now is told.
    pub fn has_told_all(&mut self, run: &ClusterRun) {
        self.ranges = ranges(run);
    }

    /// The sentence for something that happened in a cluster; none if it is not worth one.
    pub fn tell(&mut self, cluster: u8, run: &ClusterRun, at: SimTime, notable: &Notable) -> Option<Line> {
        let (severity, text) = match notable {
            Notable::Sql(event) => {
                let told = tell_sql(run, &self.ranges, event)?;
                if let SqlEvent::RangeMoved { source, target, range, .. } = *event {
                    self.range_moved(usize::from(source), usize::from(target), range);
                }
                told
            }
            Notable::PromotionLost { lost: 0, .. } => (
                Severity::Plain,
                "Every acknowledged write had reached the new primary: none is lost.".to_string(),
            ),
            Notable::PromotionLost { shard, lost } => (
                Severity::Violation,
                format!(
                    "**{lost}** acknowledged {} of {} had not reached the new primary: lost.",
                    plural(*lost, "write", "writes"),
                    shard_name(run, &self.ranges, *shard)
                ),
            ),
            Notable::Restored { shard, restore } => (
                Severity::Warning,
                format!(
                    "{} serves again what its backup had: recovery point **{:.1} s**, recovery time **{:.1} s**.",
                    capital(&shard_name(run, &self.ranges, *shard)),
                    restore.point.as_ms_f64() / 1e3,
                    restore.time.as_ms_f64() / 1e3
                ),
            ),
            Notable::OperationOver { .. } => return None,
            Notable::Ring(event) => self.tell_ring(run, at, event)?,
            Notable::Service(event) => tell_service(run, event)?,
            Notable::Overlay { parts, part_of } => tell_overlay(run, *parts, part_of),
            Notable::UpdatesLost { lost, acknowledged } => (
                Severity::Violation,
                format!(
                    "**{lost}** of {acknowledged} acknowledged writes are in nothing that is left: others were written over them by clients that had not seen them."
                ),
            ),
            Notable::Found { operation, finding, since_last } => {
                (Severity::Violation, tell_finding(run, operation, finding, *since_last))
            }
        };
        Some(Line { at_ns: at.0, cluster: Some(cluster), severity, text })
    }

    fn range_moved(&mut self, source: usize, target: usize, range: KeyRange) {
        let moved = range.moved(self.ranges[source], self.ranges[target]);
        (self.ranges[source], self.ranges[target]) = moved;
    }

    fn tell_ring(&mut self, run: &ClusterRun, at: SimTime, event: &RingEvent) -> Option<(Severity, String)> {
        let others =
            run.blueprint().directory.seats.iter().filter(|seat| seat.role() == RING_NODE).count() as u16 - 1;
        match event {
            RingEvent::Convicted { node, peer } => {
                let believers = &mut self.believed_dead_by[peer.index()];
                *believers += 1;
                let is_wrong = run.could_answer(*peer);
                let (node, peer) = (name(run, *node), name(run, *peer));
                match *believers {
                    1 => Some((
                        Severity::Warning,
                        format!(
                            "**{node}** has heard nothing of **{peer}** for too long and believes it dead.{}",
                            if is_wrong { " It is up: a false positive." } else { "" }
                        ),
                    )),
                    all if all == others => {
                        Some((Severity::Plain, format!("By now all the others believe **{peer}** dead.")))
                    }
                    _ => None,
                }
            }
            RingEvent::Trusted { node, peer } => {
                let believers = &mut self.believed_dead_by[peer.index()];
                *believers = believers.saturating_sub(1);
                let (first, none_left) = (*believers + 1 == others, *believers == 0);
                let (node, peer) = (name(run, *node), name(run, *peer));
                if none_left {
                    Some((Severity::Plain, format!("Everybody believes **{peer}** alive again.")))
                } else if first {
                    Some((
                        Severity::Plain,
                        format!("**{node}** has news of **{peer}** and believes it alive again."),
                    ))
                } else {
                    None
                }
            }
            RingEvent::MoveBegins { .. }
            | RingEvent::Received { .. }
            | RingEvent::HandsOver { .. }
            | RingEvent::MoveOver { .. } => Some(tell_move(run, event)),
            RingEvent::HandedOff { node, .. } if was_told(&mut self.hand_off_told[node.index()], at) => None,
            RingEvent::HandedOff { node, peer } => {
                let (node, peer) = (name(run, *node), name(run, *peer));
                Some((
                    Severity::Plain,
                    format!("**{node}** has delivered all that it had kept for **{peer}**."),
                ))
            }
            RingEvent::TreesDiffered { .. } | RingEvent::Purged { .. }
                if was_told(&mut self.healing_told, at) =>
            {
                None
            }
            RingEvent::TreesDiffered { node, peer, leaves } => {
                let (node, peer) = (name(run, *node), name(run, *peer));
                let text = format!(
                    "**{node}** and **{peer}** exchange what differs in their trees: {leaves} leaves."
                );
                Some((Severity::Plain, text))
            }
            RingEvent::Purged { node, tombstones } => {
                let node = name(run, *node);
                let text = format!("**{node}** drops tombstones whose grace period is over: {tombstones}.");
                Some((Severity::Plain, text))
            }
            RingEvent::WritesStall { node } => {
                if was_told(&mut self.stall_told, at) {
                    return None;
                }
                let node = name(run, *node);
                let text =
                    format!("**{node}** makes writes wait: its memtable is full and cannot be flushed yet.");
                Some((Severity::Warning, text))
            }
            RingEvent::WritesGoOn { node, writes, for_ms } => {
                if was_told(&mut self.going_on_told, at) {
                    return None;
                }
                let (node, seconds) = (name(run, *node), f64::from(*for_ms) / 1e3);
                let text =
                    format!("**{node}** takes writes again: {writes} had to wait, for up to {seconds:.1} s.");
                Some((Severity::Plain, text))
            }
            RingEvent::Suspected { node, peer } => {
                if was_told(&mut self.suspicion_told[peer.index()], at) {
                    return None;
                }
                let (node, peer) = (name(run, *node), name(run, *peer));
                let text = format!("**{node}** suspects **{peer}**: it and those it asked got no answer.");
                Some((Severity::Plain, text))
            }
            RingEvent::Refuted { node } => {
                let text = format!("**{}** hears that it is suspected, and refutes it.", name(run, *node));
                Some((Severity::Plain, text))
            }
            RingEvent::Repaired { .. } | RingEvent::DigestsDiffered { .. } => None,
        }
    }

    /// A node crashed: what it believed is forgotten.
    pub fn forget_beliefs_of(&mut self, dead_in_its_view: impl Iterator<Item = NodeId>) {
        for peer in dead_in_its_view {
            let believers = &mut self.believed_dead_by[peer.index()];
            *believers = believers.saturating_sub(1);
        }
    }
}

/// A node that joins, leaves or takes another one's place.
fn tell_move(run: &ClusterRun, event: &RingEvent) -> (Severity, String) {
    let (node, text) = match *event {
        RingEvent::MoveBegins { node, what } => (
            node,
            match what {
                Move::Join => "joins the ring: once all have heard of it, its ranges are streamed to it.",
                Move::Leave => {
                    "leaves the ring: once all have heard of it, its ranges are streamed to others."
                }
                Move::Replace => {
                    "takes the place of a dead node, and gets its ranges from the other replicas."
                }
            }
            .to_string(),
        ),
        RingEvent::Received { node, rows } => (node, format!("has got all that it takes: {rows} rows.")),
        RingEvent::HandsOver { node } => {
            (node, "is as far: reads of the ranges that move go to their new replicas.".to_string())
        }
        RingEvent::MoveOver { node, what, end } => (
            node,
            match (end, what) {
                (MoveEnd::Done, Move::Leave) => "has left the ring.",
                (MoveEnd::Done, _) => "is a part of the ring.",
                (MoveEnd::GivenUp, _) => "gives it up: the ring stays as it was.",
                (MoveEnd::Refused, Move::Join) => "does not join: it is a part of the ring.",
                (MoveEnd::Refused, Move::Leave) => {
                    "does not leave: it is no part of the ring, or too few would be left."
                }
                (MoveEnd::Refused, Move::Replace) => {
                    "replaces nobody: it does not believe that one dead, or is a part of the ring."
                }
            }
            .to_string(),
        ),
        _ => return (Severity::Plain, String::new()),
    };
    (Severity::Plain, format!("**{}** {text}", name(run, node)))
}

fn tell_overlay(run: &ClusterRun, parts: u16, part_of: &[Option<u16>]) -> (Severity, String) {
    if parts == 1 {
        return (Severity::Plain, "The overlay of neighbours is whole again.".to_string());
    }
    let size = |part: u16| part_of.iter().filter(|own| **own == Some(part)).count();
    let smallest = (0..parts).min_by_key(|part| size(*part)).unwrap_or(0);
    let members = part_of.iter().enumerate().filter(|(_, part)| **part == Some(smallest));
    let names: Vec<String> =
        members.take(NAMED_MAX).map(|(node, _)| format!("**{}**", name(run, NodeId(node as u16)))).collect();
    let more = if size(smallest) > NAMED_MAX { " and others" } else { "" };
    let text = format!(
        "The overlay of neighbours is in **{parts}** parts: nobody else talks to {}{more}. Rumours do not cross.",
        names.join(", ")
    );
    (Severity::Warning, text)
}

/// Whether something that happens often was told a short time ago; if not, it is told now.
fn was_told(told: &mut Option<SimTime>, at: SimTime) -> bool {
    let is_recent = told.is_some_and(|told| at.since(told) < OFTEN_EVERY);
    if !is_recent {
        *told = Some(at);
    }
    is_recent
}

fn tell_sql(run: &ClusterRun, ranges: &[Option<KeyRange>], event: &SqlEvent) -> Option<(Severity, String)> {
    let shard_name = |shard| shard_name(run, ranges, shard);
    Some(match *event {
        SqlEvent::MissedHealthCheck { node, missed, threshold } => {
            let severity = if missed < threshold { Severity::Plain } else { Severity::Warning };
            let node = name(run, node);
            let text = if missed < threshold {
                format!("**{node}** missed a health check ({missed} of {threshold}).")
            } else {
                format!("**{node}** missed {missed} health checks in a row: it counts as dead.")
            };
            (severity, text)
        }
        SqlEvent::HealthCheckAnswered { node } => {
            (Severity::Plain, format!("**{}** answers its health checks again.", name(run, node)))
        }
        SqlEvent::Promoting { shard, node, epoch } => (
            Severity::Plain,
            format!(
                "The configuration service asks **{}** to become primary of {}, epoch {epoch}.",
                name(run, node),
                shard_name(shard)
            ),
        ),
        SqlEvent::NobodyToPromote { shard } => (
            Severity::Warning,
            format!("No node of {} answers: there is nobody to promote.", shard_name(shard)),
        ),
        SqlEvent::Promoted { shard, node, epoch, .. } => (
            Severity::Warning,
            format!("**{}** is primary of {} now, epoch {epoch}.", name(run, node), shard_name(shard)),
        ),
        SqlEvent::SteppedDown { node, .. } => (
            Severity::Plain,
            format!(
                "**{}** learns that it is not primary any more and takes no more writes.",
                name(run, node)
            ),
        ),
        SqlEvent::SnapshotBegins { node, errant, .. } if errant > 0 => (
            Severity::Warning,
            format!(
                "**{}** holds {errant} {} that nobody else has. It drops them and takes a copy of everything.",
                name(run, node),
                plural(errant, "write", "writes")
            ),
        ),
        SqlEvent::SnapshotBegins { node, .. } => {
            (Severity::Plain, format!("**{}** takes a copy of everything from its source.", name(run, node)))
        }
        // Counted when the copy begins, and listed in the report.
        SqlEvent::Errant { .. } => return None,
        SqlEvent::SnapshotEnds { node, .. } => {
            (Severity::Plain, format!("**{}** has its copy and follows its source again.", name(run, node)))
        }
        SqlEvent::Leads { node, term } => (
            Severity::Plain,
            format!("**{}** leads the configuration service, term {term}.", name(run, node)),
        ),
        SqlEvent::LeadsNoMore { node } => (
            Severity::Warning,
            format!(
                "No majority confirms **{}** any more: it leads the configuration service no longer.",
                name(run, node)
            ),
        ),
        SqlEvent::LeaseRanOut { shard, node } => (
            Severity::Warning,
            format!(
                "The lease of **{}** on {} has run out: it refuses queries until it gets another.",
                name(run, node),
                shard_name(shard)
            ),
        ),
        SqlEvent::SwitchedOff { node, .. } => (
            Severity::Warning,
            format!(
                "The configuration service has **{}** switched off, so that it takes no writes.",
                name(run, node)
            ),
        ),
        SqlEvent::FailoverBlocked { shard } => (
            Severity::Warning,
            format!(
                "A failover of {} is due, and blocked: the last one was too short a time ago.",
                shard_name(shard)
            ),
        ),
        SqlEvent::Degraded { node, .. } => (
            Severity::Warning,
            format!(
                "**{}** has waited for its replicas for too long: from now on it acknowledges writes without them.",
                name(run, node)
            ),
        ),
        SqlEvent::Restored { node, .. } => (
            Severity::Plain,
            format!("The replicas of **{}** have caught up: it waits for them again.", name(run, node)),
        ),
        SqlEvent::Recovered { node, transactions, .. } => (
            Severity::Plain,
            format!(
                "**{}** has recovered {transactions} {} from its logs.",
                name(run, node),
                plural(transactions, "transaction", "transactions")
            ),
        ),
        SqlEvent::BreakerOpened { shard, node } => (
            Severity::Warning,
            format!(
                "The circuit breaker of **{}** for {} opens: queries fail at once.",
                name(run, node),
                shard_name(shard)
            ),
        ),
        SqlEvent::BreakerClosed { shard, node } => (
            Severity::Plain,
            format!("The circuit breaker of **{}** for {} closes.", name(run, node), shard_name(shard)),
        ),
        SqlEvent::MoveBegins { source, target } => {
            (Severity::Plain, format!("Keys of {} are copied to {}.", shard_name(source), shard_name(target)))
        }
        SqlEvent::MoveFreezes { source, target } => (
            Severity::Plain,
            format!(
                "{} has nearly all: {} takes no more writes in the range for a moment.",
                capital(&shard_name(target)),
                shard_name(source)
            ),
        ),
        SqlEvent::MoveThaws { source, .. } => (
            Severity::Warning,
            format!(
                "The pause takes too long: {} takes writes again, until the next attempt.",
                shard_name(source)
            ),
        ),
        SqlEvent::RangeMoved { source, target, range, pause } => (
            Severity::Plain,
            format!(
                "The range {} belongs to {} now; {} took no writes in it for {:.0} ms.",
                range_name(run, range),
                shard_name(target),
                shard_name(source),
                pause.as_ms_f64()
            ),
        ),
        SqlEvent::MoveRefused { source } => (
            Severity::Warning,
            format!(
                "{} stays as it is: no shard stands by, the place is not inside its range, or they are no neighbours.",
                capital(&shard_name(source))
            ),
        ),
        SqlEvent::MoveAborted { source, .. } => {
            (Severity::Warning, format!("The move is given up: {} keeps its range.", shard_name(source)))
        }
        SqlEvent::SchemaChangeBegins { shard, node, online: false, rows } => (
            Severity::Warning,
            format!(
                "**{}** locks the table of {} and writes its {rows} {} anew, for a new schema: writes wait.",
                name(run, node),
                shard_name(shard),
                plural(rows.into(), "row", "rows")
            ),
        ),
        SqlEvent::SchemaChangeBegins { shard, node, online: true, rows } => (
            Severity::Plain,
            format!(
                "**{}** copies the {rows} {} of {} to a table with the new schema, beside the old one.",
                name(run, node),
                plural(rows.into(), "row", "rows"),
                shard_name(shard)
            ),
        ),
        SqlEvent::SchemaChanged { shard, locked, .. } => (
            Severity::Plain,
            format!(
                "{} has its new schema. Its table was locked for {:.0} ms; replicas follow.",
                capital(&shard_name(shard)),
                locked.as_ms_f64()
            ),
        ),
        SqlEvent::CutOverPostponed { shard, .. } => (
            Severity::Warning,
            format!(
                "The table of {} was locked for too long: writes go on, and the last step is tried again.",
                shard_name(shard)
            ),
        ),
        SqlEvent::SchemaChangeGivenUp { shard, .. } => (
            Severity::Warning,
            format!("The schema change is given up: {} keeps its table.", shard_name(shard)),
        ),
        SqlEvent::RestoreBegins { shard, node } => (
            Severity::Warning,
            format!(
                "**{}** stops serving and restores {} from a backup.",
                name(run, node),
                shard_name(shard)
            ),
        ),
        SqlEvent::PointReached { node, transactions, .. } => (
            Severity::Plain,
            format!(
                "**{}** has the snapshot, and {transactions} {} replayed on it.",
                name(run, node),
                plural(transactions, "transaction", "transactions")
            ),
        ),
        // Told with its figures.
        SqlEvent::ShardRestored { .. } => return None,
        SqlEvent::NothingToRestore { shard } => (
            Severity::Warning,
            format!("There is no backup of {} that is old enough: nothing is restored.", shard_name(shard)),
        ),
        SqlEvent::NoSuchShard { shard } => {
            (Severity::Warning, format!("There is no shard {}: nothing is done.", u16::from(shard) + 1))
        }
        SqlEvent::BufferingBegan { shard, node } => (
            Severity::Plain,
            format!("**{}** keeps writes of {} until it has a primary.", name(run, node), shard_name(shard)),
        ),
        SqlEvent::BufferingEnded { shard, node, kept } => (
            Severity::Plain,
            format!(
                "**{}** lets {kept} kept {} of {} go on.",
                name(run, node),
                plural(u64::from(kept), "write", "writes"),
                shard_name(shard)
            ),
        ),
    })
}

fn tell_finding(run: &ClusterRun, operation: &Completed, finding: &Finding, since_last: u64) -> String {
    let client = operation.id.client() + 1;
    let key = run.blueprint().traffic.keys.name(operation.key);
    let endpoint = name(run, operation.endpoint);
    let more = match since_last {
        0 | 1 => String::new(),
        n => format!(" And {} more like it.", n - 1),
    };
    match finding {
        Finding::StaleRead(Stale { versions, age, .. }) => format!(
            "Client {client} read an old version of **{key}** through **{endpoint}**{}: {} newer {} been \
             acknowledged, the first {:.1} ms before it asked.{more}",
            match operation.served_by {
                ServedBy::Cache => ", from the cache",
                ServedBy::Replica => ", from a replica",
                ServedBy::Primary | ServedBy::Nodes => "",
            },
            versions,
            plural(u64::from(*versions), "one had", "ones had"),
            age.as_ms_f64()
        ),
        Finding::LostWrite if run.kind() == "sharded_sql" => format!(
            "Client {client}'s write of **{key}** was acknowledged by a primary that had been replaced: lost.{more}"
        ),
        Finding::LostWrite => format!(
            "Client {client}'s write of **{key}** was acknowledged with an earlier timestamp than a write before it: \
             the last write wins, and this is not it.{more}"
        ),
    }
}

pub(super) fn name(run: &ClusterRun, node: NodeId) -> String {
    run.world().body(node).name().to_string()
}

/// A shard by its range: `shard A–M`; by its number while it stands by.
fn shard_name(run: &ClusterRun, ranges: &[Option<KeyRange>], shard: u8) -> String {
    match ranges.get(usize::from(shard)).copied().flatten() {
        Some(range) => format!("shard {}", range_name(run, range)),
        None => format!("shard {}", shard + 1),
    }
}

fn range_name(run: &ClusterRun, range: KeyRange) -> String {
    let map = run.blueprint().map.as_ref().expect("only SQL clusters have ranges");
    format!("**{}**", range.label(map.sharding))
}

fn ranges(run: &ClusterRun) -> Vec<Option<KeyRange>> {
    run.map().map_or_else(Vec::new, |map| map.shards.iter().map(|entry| entry.range).collect())
}

/// The beginning of a sentence. Only ASCII: the table of all other capitals is a larger download than all sentences.
fn capital(text: &str) -> String {
    let mut text = text.to_string();
    if let Some(first) = text.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    text
}

pub fn plural<'a>(count: u64, one: &'a str, many: &'a str) -> &'a str {
    if count == 1 { one } else { many }
}
