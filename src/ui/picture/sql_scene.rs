//! A sharded SQL cluster, left to right as a query travels: clients, query
//! proxies, shard proxies, primaries, replicas; the configuration service and the
//! backup store below.
//!
//! Every shard has a cell with these last three side by side. Few shards stand
//! in one column of cells; many in a grid, read like a page, with the number of
//! columns that lets their marks be largest.

use super::curve::Point;
use super::scene::{Heading, Mark, Scene, Shape, Words, place_clients};
use crate::engine::order::places_by;
use crate::session::frame::{ClusterLayout, NodeLayout};

/// Up to so many shards stand in one column.
const SHARDS_IN_COLUMN: usize = 8;
const RADIUS_MAX: f32 = 25.0;
const RADIUS_MIN: f32 = 3.0;
/// Part of a cell of a grid that its marks fill, across and down: shards stand apart.
const CELL_FILL: f32 = 0.88;
/// What two lines of words under a mark need, and each further one.
const WORDS_HEIGHT: f32 = 30.0;
const LINE_HEIGHT: f32 = 13.0;
/// What clients, and what query proxies, need beside a grid.
const FRONT_MIN: f32 = 46.0;
/// From one node of the configuration service to the next.
const SERVICES_APART_MAX: f32 = 112.0;

/// One shard's nodes, by index into the cluster's.
#[derive(Default)]
struct Shard {
    proxies: Vec<u16>,
    databases: Vec<u16>,
}

/// Where shards stand, and how large.
struct Grid {
    left: f32,
    top: f32,
    columns: usize,
    /// Of one cell.
    width: f32,
    height: f32,
    radius: f32,
}

impl Grid {
    /// A grid of so many columns, `parts` marks side by side in each.
    fn new(
        shards: usize,
        columns: usize,
        parts: f32,
        (left, top): (f32, f32),
        width: f32,
        height: f32,
    ) -> Grid {
        let (width, height) = (width / columns as f32, height / shards.div_ceil(columns) as f32);
        let has_room = columns == 1 && height >= 2.0 * 14.0 + WORDS_HEIGHT;
        let share = if columns == 1 { 0.27 } else { 0.42 * CELL_FILL };
        let room_for_words = if has_room { WORDS_HEIGHT } else { 4.0 };
        let radius =
            ((height - room_for_words) * 0.42).min(width / parts * share).clamp(RADIUS_MIN, RADIUS_MAX);
        Grid { left, top, columns, width, height, radius }
    }

    /// From one mark to the next in a cell.
    fn step(&self, parts: f32) -> f32 {
        self.width / parts * if self.columns == 1 { 1.0 } else { CELL_FILL }
    }
}

pub fn place(scene: &mut Scene, cluster: &ClusterLayout) {
    let of_role = |role: &str| -> Vec<u16> {
        let all = cluster.nodes.iter().enumerate();
        all.filter(|(_, node)| node.role == role).map(|(index, _)| index as u16).collect()
    };
    let (query_proxies, mut services) = (of_role("query-proxy"), of_role("config"));
    services.extend(of_role("backup-store"));
    let shards = shards(cluster);

    let (width, top) = (scene.width, 30.0);
    let bottom = scene.height - if services.is_empty() { 12.0 } else { 50.0 };
    let height = (bottom - top).max(40.0);
    let has_replicas = shards.iter().any(|shard| shard.databases.len() > 1);
    let parts = if has_replicas { 3.0 } else { 2.0 };
    scene.is_crowded = shards.len() > SHARDS_IN_COLUMN;
    let front = if scene.is_crowded { FRONT_MIN.max(width * 0.09) } else { width / (parts + 2.0) };
    let grid_of = |columns: usize| {
        Grid::new(shards.len(), columns, parts, (2.0 * front, top), width - 2.0 * front, height)
    };
    let mut grid = grid_of(1);
    if scene.is_crowded {
        for columns in 2..=shards.len() {
            let next = grid_of(columns);
            if next.radius > grid.radius {
                grid = next;
            }
        }
    }
    let step = grid.step(parts);
    let small = (grid.radius * 0.86).max(RADIUS_MIN);
    let front_radius = if scene.is_crowded { 15.0 } else { small };

    place_clients(scene, cluster, front * 0.5, top, bottom, front_radius);
    let beside = Beside { step: front, room: height, zigzag: 0.0 };
    place_stack(
        scene,
        cluster,
        &query_proxies,
        Point::new(front * 1.5, top + height / 2.0),
        front_radius,
        &beside,
    );
    for (number, shard) in shards.iter().enumerate() {
        place_shard(scene, cluster, shard, &grid, (number, step));
    }
    place_services(scene, cluster, &services, front * 2.0 + step);

    let is_narrow = front.min(step) < 96.0 && !scene.is_crowded;
    let column = |number: f32| front * 2.0 + step * number;
    let is_column = |is_there: bool| is_there && !scene.is_crowded;
    let names: [(f32, &'static str, bool); 6] = [
        (front * 0.5, "clients", scene.marks.iter().any(|mark| mark.shape == Shape::Box)),
        (front * 1.5, if scene.is_crowded { "proxies" } else { "query proxies" }, !query_proxies.is_empty()),
        (column(0.5), "shard proxies", is_column(shards.iter().any(|shard| !shard.proxies.is_empty()))),
        (column(1.5), "primaries", is_column(true)),
        (column(2.5), "replicas", is_column(has_replicas)),
        (front + width / 2.0, "shards", scene.is_crowded),
    ];
    for (x, text, is_there) in names {
        if is_there {
            scene.headings.push(Heading { at: Point::new(x, 12.0), text, is_split: is_narrow });
        }
    }
}

/// One shard in its cell: proxies, the first primary, replicas.
fn place_shard(
    scene: &mut Scene,
    cluster: &ClusterLayout,
    shard: &Shard,
    grid: &Grid,
    (number, step): (usize, f32),
) {
    let (column, row) = ((number % grid.columns) as f32, (number / grid.columns) as f32);
    let x = |part: f32| grid.left + grid.width * column + step * (part + 0.5);
    let radius = grid.radius;
    let room = grid.height;
    let has_words = !scene.is_crowded && room >= 2.0 * radius + WORDS_HEIGHT;
    let y = grid.top + room * (row + 0.5) - if has_words { 8.0 } else { 0.0 };
    let zigzag = step * 0.3;
    place_stack(
        scene,
        cluster,
        &shard.proxies,
        Point::new(x(0.0), y),
        radius * 0.86,
        &Beside { step, room, zigzag },
    );
    let Some((primary, replicas)) = shard.databases.split_first() else { return };
    place_stack(scene, cluster, &[*primary], Point::new(x(1.0), y), radius, &Beside { step, room, zigzag });
    place_stack(scene, cluster, replicas, Point::new(x(2.0), y), radius, &Beside { step, room, zigzag });
}

/// What is round a stack of nodes: from its column to the next, its height, and how far it may zigzag.
struct Beside {
    step: f32,
    room: f32,
    zigzag: f32,
}

/// Nodes one below the other about a point. More than two stand in a zigzag, so that none hides another.
fn place_stack(
    scene: &mut Scene,
    cluster: &ClusterLayout,
    nodes: &[u16],
    middle: Point,
    radius: f32,
    beside: &Beside,
) {
    let count = nodes.len() as f32;
    let fill = if scene.is_crowded { CELL_FILL } else { 1.0 };
    let gap = beside.room * fill / count.max(1.0);
    let zigzag = if nodes.len() > 2 && gap < 2.8 * radius { beside.zigzag } else { 0.0 };
    // Neighbours in a zigzag are farther from each other than those in a column; the next stack begins as this one.
    let gap = if zigzag > 0.0 { beside.room / (count + 1.0) } else { gap };
    let room = if zigzag > 0.0 { (gap.hypot(zigzag) * 0.4).min(gap * 0.9) } else { gap * 0.4 };
    let radius = if nodes.len() > 1 { radius.min(room).max(RADIUS_MIN) } else { radius };
    let lines = ((gap - 2.0 * radius - 4.0) / LINE_HEIGHT) as usize;
    for (place, node) in nodes.iter().enumerate() {
        let NodeLayout { role, label, zone, shard, ordinal, .. } = &cluster.nodes[usize::from(*node)];
        let dx = (place % 2) as f32 * zigzag - zigzag / 2.0;
        let at = middle.plus(dx, (place as f32 - (count - 1.0) / 2.0) * gap);
        let offset = Point::new(0.0, radius + 16.0);
        let words = Words { offset, anchor: "middle", width: beside.step - 1.0, lines: lines.min(4) };
        scene.marks.push(Mark {
            nodes: vec![*node],
            at,
            radius,
            shape: if role == "mysql" { Shape::Drum } else { Shape::Disc },
            label: label.clone(),
            zone: *zone,
            words: (lines >= 2 && !scene.is_crowded).then_some(words),
            is_label_beside: scene.is_crowded && (role == "shard-proxy" || *ordinal > 0) && shard.is_some(),
            reach: 0.0,
        });
    }
}

/// The configuration service and the backup store, about a place at the foot; words at the right of each of its nodes if it has several.
fn place_services(scene: &mut Scene, cluster: &ClusterLayout, services: &[u16], x: f32) {
    let several = services.len() > 1;
    let apart = (scene.width / services.len().max(1) as f32).min(SERVICES_APART_MAX);
    let span = apart * (services.len() as f32 - 1.0);
    let first = if several { ((scene.width - span) / 2.0 - 26.0).max(24.0) } else { x };
    let offset = Point::new(if several { 24.0 } else { -26.0 }, if several { -2.0 } else { 4.0 });
    let anchor = if several { "start" } else { "end" };
    for (place, service) in services.iter().enumerate() {
        let NodeLayout { role, label, zone, .. } = &cluster.nodes[usize::from(*service)];
        scene.marks.push(Mark {
            nodes: vec![*service],
            at: Point::new(first + apart * place as f32, scene.height - 26.0),
            radius: 17.0,
            shape: if role == "backup-store" { Shape::Drum } else { Shape::Hexagon },
            label: label.clone(),
            zone: *zone,
            words: Some(Words { offset, anchor, width: apart - 46.0, lines: 2 }),
            is_label_beside: false,
            reach: 0.0,
        });
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
