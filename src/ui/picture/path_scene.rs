//! A counting service round its database: the path of a view along the top, to the right; what is asked comes back below.
//!
//! ```text
//! viewers ─► collectors ─► brokers ▤ partitions ─► workers ─► object store
//!    ▲                                               │
//!    └──── readers ◄──── database ◄──────────────────┘
//! ```
//!
//! The database is drawn as it is without a service, in the lower part; readers stand where its clients would.

use super::curve::Point;
use super::scene::{Heading, Mark, Scene, Shape, Strip, Words, place_clients};
use super::{ring_scene, sql_scene};
use crate::session::frame::ClusterLayout;

/// Part of the height that the path along the top takes.
const PATH_SHARE: f32 = 0.44;
const RADIUS_MAX: f32 = 19.0;
/// Below this distance of columns no words stand under nodes.
const WORDS_WIDTH_MIN: f32 = 64.0;
/// Part of a SQL cluster's width that is its clients', against the others.
const BLANK_SHARE: f32 = 0.25;
/// Where the columns stand, as shares of the width.
const VIEWERS: f32 = 0.07;
const COLLECTORS: f32 = 0.24;
const BROKERS: f32 = 0.43;
const PARTITIONS: f32 = 0.55;
const WORKERS: f32 = 0.72;
const OBJECTS: f32 = 0.92;

pub fn place(scene: &mut Scene, cluster: &ClusterLayout) {
    let (width, height) = (scene.width, scene.height);
    let foot = height * PATH_SHARE;
    let apart = width * (BROKERS - COLLECTORS);
    place_clients(scene, cluster, width * VIEWERS, 26.0, foot, 17.0);
    for (role, share, text) in [
        ("collector", COLLECTORS, "collectors"),
        ("broker", BROKERS, "event log"),
        ("worker", WORKERS, "workers"),
        ("object-store", OBJECTS, "objects"),
    ] {
        column(scene, cluster, role, (width * share, 26.0, foot), apart);
        scene.headings.push(Heading { at: Point::new(width * share, 12.0), text, is_split: false });
    }
    scene.headings.push(Heading { at: Point::new(width * VIEWERS, 12.0), text: "viewers", is_split: false });
    scene.strip =
        Some(Strip { x: width * PARTITIONS, top: 26.0, bottom: foot - 8.0, width: (width * 0.07).min(46.0) });

    // The database, without those who ask.
    let mut rest = cluster.clone();
    let is_database = |role: &str| {
        !matches!(role, "client" | "collector" | "broker" | "worker" | "reader" | "object-store")
    };
    let has_ring = rest.nodes.iter().any(|node| node.role == "ring-node");
    let has_sql = rest.nodes.iter().any(|node| node.role == "mysql");
    for node in rest.nodes.iter_mut().filter(|node| !is_database(&node.role)) {
        node.role.clear();
        node.shard = None;
    }
    let share_of_ring = if has_sql { 0.58 } else { 1.0 };
    if has_ring {
        let part = (0.0, foot, width * share_of_ring, height - foot);
        below(scene, &rest, part, |scene, cluster| ring_scene::place(scene, cluster));
    }
    if has_sql {
        let mut sql = rest.clone();
        sql.nodes.iter_mut().filter(|node| node.role == "ring-node").for_each(|node| node.role.clear());
        let left = if has_ring { width * share_of_ring } else { 0.0 };
        let before = (scene.headings.len(), scene.marks.len());
        // Where clients would stand a ring has its margin.
        let blank = if has_ring { (width - left) * BLANK_SHARE } else { 0.0 };
        let part = (left - blank, foot, width - left + blank, height - foot);
        below(scene, &sql, part, |scene, cluster| sql_scene::place(scene, cluster));
        if has_ring {
            scene.headings.truncate(before.0);
            let at = Point::new((left + width) / 2.0, foot + 14.0);
            scene.headings.push(Heading { at, text: "names in SQL", is_split: false });
            scene.marks[before.1..].iter_mut().for_each(|mark| mark.words = None);
        }
    }
    column(scene, cluster, "reader", (width * VIEWERS, foot + 30.0, height - 12.0), apart);
    scene.headings.push(Heading {
        at: Point::new(width * VIEWERS, foot + 14.0),
        text: "readers",
        is_split: false,
    });
}

/// Nodes of a role, one below the other.
fn column(
    scene: &mut Scene,
    cluster: &ClusterLayout,
    role: &str,
    (x, top, bottom): (f32, f32, f32),
    apart: f32,
) {
    let nodes = cluster.nodes.iter().enumerate().filter(|(_, node)| node.role == role);
    let nodes: Vec<u16> = nodes.map(|(index, _)| index as u16).collect();
    let step = (bottom - top) / nodes.len().max(1) as f32;
    let has_words = apart >= WORDS_WIDTH_MIN && step >= 44.0;
    let radius = (step * if has_words { 0.3 } else { 0.42 }).min(RADIUS_MAX).min(apart * 0.24);
    for (row, index) in nodes.iter().enumerate() {
        let node = &cluster.nodes[usize::from(*index)];
        let lift = if has_words { 7.0 } else { 0.0 };
        let offset = Point::new(0.0, radius + 12.0);
        scene.marks.push(Mark {
            nodes: vec![*index],
            at: Point::new(x, top + step * (row as f32 + 0.5) - lift),
            radius,
            shape: match role {
                "broker" | "object-store" => Shape::Drum,
                _ => Shape::Disc,
            },
            label: node.label.clone(),
            zone: node.zone,
            words: has_words.then_some(Words { offset, anchor: "middle", width: apart * 0.9, lines: 1 }),
            is_label_beside: false,
            reach: 0.0,
        });
    }
}

/// Places a part of a cluster in a part of the picture.
fn below(
    scene: &mut Scene,
    cluster: &ClusterLayout,
    (left, top, width, height): (f32, f32, f32, f32),
    place: impl Fn(&mut Scene, &ClusterLayout),
) {
    let mut part = Scene::empty(width, height);
    place(&mut part, cluster);
    let moved = |at: Point| at.plus(left, top);
    scene.marks.extend(part.marks.into_iter().map(|mark| Mark { at: moved(mark.at), ..mark }));
    let headings = part.headings.into_iter();
    scene.headings.extend(headings.map(|heading| Heading { at: moved(heading.at), ..heading }));
    if let Some(track) = part.track {
        scene.track = Some(super::scene::Track { centre: moved(track.centre), ..track });
    }
    scene.is_crowded |= part.is_crowded;
}
