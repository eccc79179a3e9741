//! What the parts of a counting service are and do, in words: for the picture, the inspector and the narrator.

use super::frame::Severity;
use super::narrator::{name, plural};
use crate::cluster::role::Role;
use crate::cluster::run::ClusterRun;
use crate::engine::NodeId;
use crate::service::broker::{Broker, BrokerRole};
use crate::service::message::ServiceEvent;
use crate::service::worker::Worker;

/// In a few words.
pub fn state_words(run: &ClusterRun, node: NodeId) -> String {
    match run.world().process(node) {
        Role::Broker(broker) => {
            let leads = led(broker).count();
            if leads == 0 { "follows".to_string() } else { format!("leads {}", numbers(led(broker))) }
        }
        Role::Worker(worker) => worker_words(worker),
        Role::Collector(collector) => match collector.held_views() {
            0 => String::new(),
            waiting => format!("{waiting} wait"),
        },
        Role::Reader(reader) => match reader.rows_to_rename() {
            0 => String::new(),
            rows => format!("renames, {rows} rows left"),
        },
        _ => String::new(),
    }
}

fn worker_words(worker: &Worker) -> String {
    if !worker.is_working() {
        return "idle".to_string();
    }
    let (memory, disk) = worker.waiting_rows();
    let partitions = numbers(worker.partitions().map(|(partition, ..)| partition));
    match () {
        () if worker.holds_back() => format!("holds back, {} rows wait", memory + disk),
        () if disk > 0 => format!("{disk} rows on disk"),
        () if worker.is_in_trouble() => format!("no database, {memory} rows wait"),
        () if partitions.is_empty() => "no partition".to_string(),
        () => format!("has {partitions}"),
    }
}

fn led(broker: &Broker) -> impl Iterator<Item = u16> + '_ {
    let partitions = broker.settings().log.partitions;
    (0..partitions).filter(|partition| broker.role(*partition) == BrokerRole::Leader)
}

/// The first few numbers.
fn numbers(numbers: impl Iterator<Item = u16>) -> String {
    const SHOWN_MAX: usize = 6;
    let mut text = String::new();
    for (place, number) in numbers.enumerate() {
        if place == SHOWN_MAX {
            text += " …";
            break;
        }
        text = text + if place == 0 { "" } else { ", " } + &number.to_string();
    }
    text
}

/// What a part is and knows, term by term.
pub fn facts(run: &ClusterRun, node: NodeId, fact: &mut impl FnMut(&str, String)) {
    match run.world().process(node) {
        Role::Broker(broker) => {
            let partitions = broker.settings().log.partitions;
            for partition in 0..=partitions {
                let standing = match broker.role(partition) {
                    BrokerRole::Leader => "leads",
                    BrokerRole::Follower => "follows",
                    BrokerRole::None => continue,
                };
                let (first, end) = (broker.first_offset(partition), broker.end_offset(partition));
                let (term, committed) = (broker.term(partition), broker.committed_offset(partition));
                let text =
                    format!("{standing}, term {term}, {first} to {end}, written for good to {committed}");
                let is_dead = partition == partitions;
                fact(
                    &if is_dead { "Dead letters".to_string() } else { format!("Partition {partition}") },
                    text,
                );
            }
        }
        Role::Worker(worker) => {
            for (partition, next, end) in worker.partitions() {
                let behind = end.saturating_sub(next);
                fact(&format!("Partition {partition}"), format!("at {next}, {behind} behind"));
            }
            let (memory, disk) = worker.waiting_rows();
            fact("Counted", format!("{} views since its start", worker.counted()));
            fact("Rows in memory", worker.open_rows().to_string());
            fact("Rows to write", format!("{memory} in memory, {disk} on disk"));
            fact("Since checkpoint", format!("{} views", worker.since_checkpoint()));
        }
        Role::Collector(collector) => fact("Views held", collector.held_views().to_string()),
        Role::Reader(reader) => {
            let (hits, misses) = reader.hits_and_misses();
            let ratio = hits as f64 / (hits + misses).max(1) as f64 * 100.0;
            fact("Cache", format!("{ratio:.0} % hits"));
        }
        Role::ObjectStore(store) => {
            fact("Views stored", format!("{:.1} MB", store.stored_bytes() as f64 / 1e6));
        }
        _ => {}
    }
}

/// The sentence for an event; none if it is not worth one.
pub fn tell(run: &ClusterRun, event: &ServiceEvent) -> Option<(Severity, String)> {
    use ServiceEvent as E;
    use Severity::{Plain, Violation, Warning};
    let of = |node: NodeId| name(run, node);
    Some(match *event {
        E::Leads { node, partition, term } if term > 1 => {
            (Plain, format!("**{}** leads partition {partition} of the log, term {term}.", of(node)))
        }
        E::MemberLost { node } => (
            Warning,
            format!("**{}** has not been heard of for too long: others get its partitions.", of(node)),
        ),
        E::Resumed { node, partition, offset } if offset > 0 => (
            Plain,
            format!("**{}** goes on with partition {partition} from its checkpoint, at {offset}.", of(node)),
        ),
        E::Fenced { node, partition } => (
            Warning,
            format!(
                "**{}** comes too late with partition {partition}: another worker has it. Its checkpoint is refused.",
                of(node)
            ),
        ),
        E::Overtaken { node, partition, views } => (
            Violation,
            format!(
                "**{views}** {} of partition {partition} had been dropped from the log before **{}** read them: lost.",
                plural(views, "view", "views"),
                of(node)
            ),
        ),
        E::Stuck { node, partition } => (
            Warning,
            format!(
                "**{}** cannot make sense of a view, and partition {partition} stands still there.",
                of(node)
            ),
        ),
        E::Spills { node } => (
            Warning,
            format!("The memory of **{}** for rows to write is full: rows go to its disk.", of(node)),
        ),
        E::SpillEmpty { node } => (Plain, format!("**{}** has no rows on its disk any more.", of(node))),
        E::HoldsBack { node } => (
            Warning,
            format!(
                "The disk of **{}** is full too: it fetches nothing more, and views wait in the log.",
                of(node)
            ),
        ),
        E::GoesOn { node } => (Plain, format!("**{}** fetches again.", of(node))),
        E::StoreTrouble { node } => (
            Warning,
            format!(
                "The database does not answer **{}**: it waits longer from one try to the next.",
                of(node)
            ),
        ),
        E::StoreBack { node } => (Plain, format!("The database answers **{}** again.", of(node))),
        E::BatchLost { node, views } => (
            Warning,
            format!(
                "**{}** gives a batch of {views} {} up: the log did not take it in time.",
                of(node),
                plural(u64::from(views), "view", "views")
            ),
        ),
        E::Recounted { node, partition } => (
            Plain,
            format!(
                "**{}** has counted partition {partition} again, from the views in the object store.",
                of(node)
            ),
        ),
        E::NothingToRecount { node } => (
            Violation,
            format!("**{}** has nothing to count again: the views themselves were not stored.", of(node)),
        ),
        E::Renamed { channel, rows, .. } => (
            Plain,
            format!(
                "Channel {channel} has its new name, in {rows} {}.",
                plural(u64::from(rows), "row", "rows")
            ),
        ),
        _ => return None,
    })
}
