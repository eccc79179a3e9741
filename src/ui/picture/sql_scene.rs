//! A sharded SQL cluster, left to right as a query travels: clients, query
//! proxies, shard proxies, primaries, replicas; the configuration service below.

use super::curve::Point;
use super::scene::{Heading, Mark, Scene, Shape, Words, place_clients};
use crate::engine::order::places_by;
use crate::session::frame::{ClusterLayout, NodeLayout};

/// Shards in one column; more stand in further columns, closer together.
const SHARDS_IN_COLUMN: usize = 8;
const RADIUS_MAX: f32 = 25.0;
const RADIUS_MIN: f32 = 7.0;
/// What two lines of words under a mark need.
const WORDS_HEIGHT: f32 = 30.0;

/// One shard's nodes, by index into the cluster's.
#[derive(Default)]
struct Shard {
    proxies: Vec<u16>,
    databases: Vec<u16>,
}

pub fn place(scene: &mut Scene, cluster: &ClusterLayout) {
    let of_role = |role: &str| -> Vec<u16> {
        let all = cluster.nodes.iter().enumerate();
        all.filter(|(_, node)| node.role == role).map(|(index, _)| index as u16).collect()
    };
    let (query_proxies, services) = (of_role("query-proxy"), of_role("config"));
    let shards = shards(cluster);

    let (width, top) = (scene.width, 30.0);
    let bottom = scene.height - if services.is_empty() { 12.0 } else { 50.0 };
    let height = (bottom - top).max(40.0);
    let banks = shards.len().div_ceil(SHARDS_IN_COLUMN).max(1);
    let rows = shards.len().div_ceil(banks).max(1);
    let row_height = height / rows as f32;
    let step = width / (5.0 + 3.0 * (banks as f32 - 1.0));
    let has_room = row_height >= 2.0 * 14.0 + WORDS_HEIGHT && banks == 1;
    let room_for_words = if has_room { WORDS_HEIGHT } else { 4.0 };
    let radius = ((row_height - room_for_words) * 0.42).min(step * 0.27).clamp(RADIUS_MIN, RADIUS_MAX);
    let small = (radius * 0.86).max(RADIUS_MIN);
    let column = |number: f32| (number + 0.5) * step;

    place_clients(scene, cluster, column(0.0), top, bottom, small);
    place_column(scene, cluster, &query_proxies, (column(1.0), top, bottom), small);

    for (number, shard) in shards.iter().enumerate() {
        let (bank, row) = ((number / rows) as f32, (number % rows) as f32);
        let x = |column_number: f32| column(column_number + 3.0 * bank);
        let y = top + row_height * (row + 0.5) - if has_room { 8.0 } else { 0.0 };
        for proxy in &shard.proxies {
            let mark = mark(cluster, *proxy, Point::new(x(2.0), y), small, Shape::Disc);
            scene.marks.push(mark);
        }
        let Some((primary, replicas)) = shard.databases.split_first() else { continue };
        let words = has_room.then(|| under(radius));
        let mut first = mark(cluster, *primary, Point::new(x(3.0), y), radius, Shape::Drum);
        first.words = words;
        scene.marks.push(first);
        let count = replicas.len() as f32;
        let gap = row_height / count.max(1.0);
        let several = replicas.len() > 1;
        let replica_radius = radius.min(gap * if several { 0.36 } else { 0.5 }).max(RADIUS_MIN);
        for (place, replica) in replicas.iter().enumerate() {
            let dy = (place as f32 - (count - 1.0) / 2.0) * gap;
            // More than two stand in a zigzag, so that none hides another.
            let dx = if replicas.len() > 2 { (place % 2) as f32 * step * 0.3 - step * 0.15 } else { 0.0 };
            let at = Point::new(x(4.0) + dx, y + dy);
            let mut next = mark(cluster, *replica, at, replica_radius, Shape::Drum);
            next.words = words
                .filter(|_| gap >= 2.0 * replica_radius + WORDS_HEIGHT - 6.0)
                .map(|_| under(replica_radius));
            scene.marks.push(next);
        }
    }

    let service_y = scene.height - 26.0;
    for (place, service) in services.iter().enumerate() {
        let x = column(2.5) + (place as f32 - (services.len() as f32 - 1.0) / 2.0) * 44.0;
        let mut service = mark(cluster, *service, Point::new(x, service_y), 17.0, Shape::Hexagon);
        if place == 0 {
            service.words = Some(Words { offset: Point::new(-26.0, 4.0), anchor: "end", is_narrow: false });
        }
        scene.marks.push(service);
    }

    let is_narrow = step < 96.0;
    let names: [(&'static str, bool); 5] = [
        ("clients", scene.marks.iter().any(|mark| mark.shape == Shape::Box)),
        ("query proxies", !query_proxies.is_empty()),
        ("shard proxies", shards.iter().any(|shard| !shard.proxies.is_empty())),
        ("primaries", true),
        ("replicas", shards.iter().any(|shard| shard.databases.len() > 1)),
    ];
    for (number, (text, is_there)) in names.into_iter().enumerate() {
        if is_there && (banks == 1 || number < 2) {
            let at = Point::new(column(number as f32), 12.0);
            scene.headings.push(Heading { at, text, is_split: is_narrow });
        }
    }
}

fn shards(cluster: &ClusterLayout) -> Vec<Shard> {
    let mut shards: Vec<Shard> = Vec::new();
    for (index, node) in cluster.nodes.iter().enumerate() {
        let Some(number) = node.shard.map(usize::from) else { continue };
        while shards.len() <= number {
            shards.push(Shard::default());
        }
        let shard = &mut shards[number];
        match node.role.as_str() {
            "shard-proxy" => shard.proxies.push(index as u16),
            "mysql" => shard.databases.push(index as u16),
            _ => {}
        }
    }
    for shard in &mut shards {
        let ordinal = |at: usize| u64::from(cluster.nodes[usize::from(shard.databases[at])].ordinal);
        let order = places_by(shard.databases.len(), ordinal);
        shard.databases = order.iter().map(|at| shard.databases[*at as usize]).collect();
    }
    shards
}

/// Spreads nodes over a column.
fn place_column(
    scene: &mut Scene,
    cluster: &ClusterLayout,
    nodes: &[u16],
    (x, top, bottom): (f32, f32, f32),
    radius_max: f32,
) {
    let gap = (bottom - top) / nodes.len().max(1) as f32;
    let radius = radius_max.min(gap * 0.4).max(RADIUS_MIN);
    for (place, node) in nodes.iter().enumerate() {
        let at = Point::new(x, top + gap * (place as f32 + 0.5));
        scene.marks.push(mark(cluster, *node, at, radius, Shape::Disc));
    }
}

fn mark(cluster: &ClusterLayout, index: u16, at: Point, radius: f32, shape: Shape) -> Mark {
    let NodeLayout { label, zone, .. } = &cluster.nodes[usize::from(index)];
    Mark { nodes: vec![index], at, radius, shape, label: label.clone(), zone: *zone, words: None }
}

fn under(radius: f32) -> Words {
    Words { offset: Point::new(0.0, radius + 16.0), anchor: "middle", is_narrow: false }
}
