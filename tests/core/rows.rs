//! What replicas hold of a key merges into the same, whatever they hear and in whatever order,
//! and loses nothing that nobody has replaced.

use faultline::ring::counter::Counter;
use faultline::ring::row::Row;
use faultline::ring::siblings::{ACTORS_MAX, SIBLINGS_MAX, Siblings, VersionVector};
use faultline::workload::operation::{Cell, Versioned};
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::rc::Rc;

/// What happens at replicas of one row.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// A client reads at one replica, and puts at another what replaces it.
    Replace { at: usize, seen_at: usize },
    /// A client puts without having read.
    Blind { at: usize },
    /// One replica hears all that another one has.
    Hear { at: usize, from: usize },
    /// A replica goes back to what it had once, as after a crash, and is another actor from then on.
    Crash { at: usize },
}

const REPLICAS: usize = 3;

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let at = || 0..REPLICAS;
    let step = prop_oneof![
        4 => (at(), at()).prop_map(|(at, seen_at)| Step::Replace { at, seen_at }),
        2 => at().prop_map(|at| Step::Blind { at }),
        4 => (at(), at()).prop_map(|(at, from)| Step::Hear { at, from }),
        1 => at().prop_map(|at| Step::Crash { at }),
    ];
    prop::collection::vec(step, 1..60)
}

fn written(value: u64) -> Cell {
    Cell { content: Versioned { value, version: value }, bytes: 10, count: 0 }
}

fn values(row: &Siblings) -> BTreeSet<u64> {
    row.versions().iter().map(|version| version.cell.content.value).collect()
}

/// Plays steps; the replicas at the end, all values that were put, and those that somebody replaced.
fn play(steps: &[Step]) -> (Vec<Siblings>, BTreeSet<u64>, BTreeSet<u64>) {
    let mut replicas = vec![Siblings::default(); REPLICAS];
    // What each had when it last synced, and what is safe elsewhere or synced.
    let mut synced = replicas.clone();
    let mut actors: Vec<u64> = (0..REPLICAS as u64).collect();
    let (mut put, mut replaced) = (BTreeSet::new(), BTreeSet::new());
    for (number, step) in steps.iter().enumerate() {
        let value = number as u64 + 1;
        match *step {
            Step::Replace { at, seen_at } => {
                let seen = replicas[seen_at].clone();
                if replicas[at].put(actors[at], seen.seen(), written(value)) {
                    put.insert(value);
                    replaced.extend(values(&seen));
                }
            }
            Step::Blind { at } => {
                if replicas[at].put(actors[at], &VersionVector::default(), written(value)) {
                    put.insert(value);
                }
            }
            Step::Hear { at, from } => {
                let heard = replicas[from].clone();
                replicas[at].merge(&heard);
            }
            Step::Crash { at } => {
                // Only what nobody else has is lost, and was put last: nothing that counts as put.
                let lost: BTreeSet<u64> =
                    values(&replicas[at]).difference(&values(&synced[at])).copied().collect();
                let kept: BTreeSet<u64> = (0..REPLICAS)
                    .filter(|other| *other != at)
                    .flat_map(|other| values(&replicas[other]))
                    .collect();
                put.retain(|value| !lost.contains(value) || kept.contains(value));
                replicas[at] = synced[at].clone();
                actors[at] += 10;
            }
        }
        if number % 3 == 0 {
            synced = replicas.clone();
        }
    }
    (replicas, put, replaced)
}

fn merged(replicas: &[Siblings], order: &[usize]) -> Siblings {
    let mut all = Siblings::default();
    order.iter().for_each(|at| all.merge(&replicas[*at]));
    all
}

proptest! {
    #[test]
    fn siblings_merge_into_the_same_in_any_order_and_lose_nothing(steps in steps()) {
        let (replicas, put, replaced) = play(&steps);
        let whole = merged(&replicas, &[0, 1, 2]);
        for order in [[0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
            prop_assert_eq!(&merged(&replicas, &order), &whole);
        }
        for replica in &replicas {
            prop_assert!(!whole.lacks(replica));
            let mut again = whole.clone();
            again.merge(replica);
            prop_assert_eq!(&again, &whole);
        }
        let left = values(&whole);
        for value in put.difference(&replaced) {
            prop_assert!(left.contains(value), "{} is gone, of {:?}", value, left);
        }
    }

    #[test]
    fn whoever_lacks_nothing_is_not_changed_by_a_merge(steps in steps()) {
        let (replicas, ..) = play(&steps);
        for (one, other) in [(0, 1), (1, 0), (0, 2), (2, 1)] {
            let mut after = replicas[one].clone();
            after.merge(&replicas[other]);
            prop_assert_eq!(replicas[one].lacks(&replicas[other]), after != replicas[one]);
            prop_assert_eq!(after.hash() == replicas[one].hash(), after == replicas[one]);
        }
    }

    #[test]
    fn counters_count_every_change_once(
        changes in prop::collection::vec((0..REPLICAS, any::<bool>(), 0..REPLICAS, 0..REPLICAS), 0..80),
    ) {
        let mut replicas = vec![Counter::default(); REPLICAS];
        let (mut added, mut taken) = (0, 0);
        for (at, takes, from, to) in changes {
            replicas[at].count(at as u64, takes);
            if takes { taken += 1 } else { added += 1 }
            // Only the actor's own entry travels.
            let shard = replicas[from].shard(from as u64);
            replicas[to].merge(&shard);
        }
        let mut forwards = Counter::default();
        replicas.iter().for_each(|replica| forwards.merge(replica));
        let mut backwards = Counter::default();
        replicas.iter().rev().for_each(|replica| backwards.merge(replica));
        prop_assert_eq!(&forwards, &backwards);
        prop_assert_eq!((forwards.added(), forwards.taken()), (added, taken));
        prop_assert_eq!(forwards.value(), added as i64 - taken as i64);
    }
}

#[test]
fn two_clients_that_write_through_one_node_make_two_siblings() {
    let mut row = Siblings::default();
    assert!(row.put(7, &VersionVector::default(), written(1)));
    let context = row.seen().clone();
    assert!(row.put(7, &context, written(2)));
    assert!(row.put(7, &context, written(3)));
    // 1 is replaced; 2 and 3 did not know of each other. A plain version vector would have lost 2.
    assert_eq!(values(&row), BTreeSet::from([2, 3]));
    let context = row.seen().clone();
    assert!(row.put(7, &context, written(4)));
    assert_eq!(values(&row), BTreeSet::from([4]));
}

#[test]
fn a_row_takes_so_many_siblings_and_a_vector_so_many_actors() {
    let mut row = Siblings::default();
    for value in 0..SIBLINGS_MAX as u64 {
        assert!(row.put(value, &VersionVector::default(), written(value + 1)));
    }
    assert!(!row.put(99, &VersionVector::default(), written(99)));
    let mut all_replaced = row.clone();
    for actor in 0..3 * ACTORS_MAX as u64 {
        let context = all_replaced.seen().clone();
        assert!(all_replaced.put(1_000 + actor, &context, written(1_000 + actor)));
        assert!(all_replaced.seen().len() <= ACTORS_MAX);
    }
    assert_eq!(all_replaced.versions().len(), 1);
}

#[test]
fn rows_of_different_kinds_hold_what_was_written_first() {
    let mut row = Row::default();
    assert!(row.is_empty() && !row.lacks(&Row::default()));
    let mut counter = Counter::default();
    counter.count(1, false);
    let counter = Row::Counter(Rc::new(counter));
    assert!(row.lacks(&counter));
    row.merge(&counter);
    assert_eq!(row, counter);
    row.merge(&Row::default());
    assert_eq!((row.shown().content.value, row.shown().content.version), (1, 1));
}
