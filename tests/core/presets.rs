//! The scenarios that come with the program.

use faultline::scenario::presets::{self, PRESETS};
use faultline::scenario::{names, parse};
use std::collections::BTreeSet;

#[test]
fn each_reads_and_is_written_and_read_back_the_same() {
    for preset in PRESETS {
        let scenario = preset.scenario().unwrap_or_else(|error| panic!("{}: {error}", preset.name));
        assert_eq!(scenario.name, preset.name, "the file's name is the scenario's");
        let text = serde_json::to_string_pretty(&scenario).expect("serialises");
        assert_eq!(parse(&text).as_ref(), Ok(&scenario), "{}", preset.name);
    }
}

#[test]
fn each_asks_one_question_and_says_what_to_try() {
    for preset in PRESETS {
        let scenario = preset.scenario().expect("valid");
        assert!(scenario.question.ends_with('?'), "{}: {}", preset.name, scenario.question);
        assert!((2..=4).contains(&scenario.things_to_try.len()), "{}", preset.name);
    }
}

#[test]
fn names_are_unique_and_the_index_beside_the_files_lists_them_in_order() {
    let names: BTreeSet<&str> = PRESETS.iter().map(|preset| preset.name).collect();
    assert_eq!(names.len(), PRESETS.len());
    let index: Vec<serde_json::Value> =
        serde_json::from_str(include_str!("../../static/scenarios/index.json")).expect("the index is a list");
    let listed: Vec<(&str, &str)> = index
        .iter()
        .map(|entry| (entry["file"].as_str().expect("a file"), entry["name"].as_str().expect("a name")))
        .collect();
    let expected: Vec<(String, &str)> =
        PRESETS.iter().map(|preset| (format!("{}.json", preset.name), preset.name)).collect();
    let expected: Vec<(&str, &str)> = expected.iter().map(|(file, name)| (file.as_str(), *name)).collect();
    assert_eq!(listed, expected);
}

#[test]
fn the_default_has_both_clusters_and_nothing_broken() {
    let scenario = presets::default().scenario().expect("valid");
    let kinds: Vec<&str> = scenario.clusters.iter().map(|cluster| cluster.kind()).collect();
    assert_eq!(kinds, ["sharded_sql", "gossip_ring"]);
    assert!(scenario.faults.is_empty());
}

#[test]
fn nodes_are_named_and_placed_as_documented() {
    let scenario = presets::default().scenario().expect("valid");
    let place = |cluster: usize, wanted: &str| {
        let section = &scenario.clusters[cluster];
        names::seats(section, &scenario.workload)
            .into_iter()
            .find(|seat| seat.name() == wanted)
            .map(|seat| (seat.role(), scenario.zone_of(section, seat)))
    };
    for (name, role, zone) in [
        ("client-1", "client", 0),
        ("client-12", "client", 2),
        ("query-proxy-2", "query-proxy", 1),
        ("config-1", "config", 2),
        ("shard-proxy-2", "shard-proxy", 1),
        ("mysql-1-1", "mysql", 0),
        ("mysql-1-2", "mysql", 1),
        ("mysql-2-1", "mysql", 1),
        ("mysql-2-2", "mysql", 2),
    ] {
        assert_eq!(place(0, name), Some((role, zone)), "{name}");
    }
    let ring_zones: Vec<u8> =
        (1..=6).map(|number| place(1, &format!("ring-{number}")).expect("a ring node").1).collect();
    assert_eq!(ring_zones, [0, 0, 1, 1, 2, 2]);
    let order: Vec<String> = names::node_names(&scenario.clusters[0], &scenario.workload)
        .into_iter()
        .skip(12)
        .map(|(name, _)| name)
        .collect();
    assert_eq!(
        order,
        [
            "query-proxy-1",
            "query-proxy-2",
            "config-1",
            "shard-proxy-1",
            "mysql-1-1",
            "mysql-1-2",
            "shard-proxy-2",
            "mysql-2-1",
            "mysql-2-2"
        ]
    );
}
