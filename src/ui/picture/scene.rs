//! Where everything of one cluster stands.
//!
//! A scene is made for a size in CSS pixels, so that text keeps its size on
//! every screen. The slow and the fast layer share it.

use super::curve::{Curve, Point};
use super::{path_scene, ring_scene, sql_scene};
use crate::engine::table::Table;
use crate::session::frame::{ClusterLayout, LinkLayout, LinkUse};

/// Among more marks than this, ways go straight: there is no room to go round any.
const MARKS_AVOIDED_MAX: usize = 36;
/// More lines than this for health checks would hide what they lead to.
const HEALTH_CHECK_LINES_MAX: usize = 24;

/// The form of a mark tells its role before its words do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Shape {
    /// Clients.
    Box,
    /// Proxies and ring nodes.
    Disc,
    /// Databases.
    Drum,
    /// The configuration service.
    Hexagon,
}

/// Which way the words beside a mark run.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Words {
    /// From the mark's middle to the first line's baseline.
    pub offset: Point,
    /// `start`, `middle` or `end`.
    pub anchor: &'static str,
    /// Longest line, in pixels, and how many lines there is room for.
    pub width: f32,
    pub lines: usize,
}

/// One node, or all clients of one zone.
#[derive(Clone, PartialEq, Debug)]
pub struct Mark {
    pub nodes: Vec<u16>,
    pub at: Point,
    pub radius: f32,
    pub shape: Shape,
    pub label: String,
    pub zone: u8,
    /// Where its state is written; none where there is no room.
    pub words: Option<Words>,
    /// Its label shows only when it is looked at.
    pub is_label_beside: bool,
    /// Half the way to its nearest neighbour: what belongs to it reaches no farther.
    pub reach: f32,
}

/// A fixed link as it is drawn.
#[derive(Clone, PartialEq, Debug)]
pub struct Line {
    pub curve: Curve,
    pub use_for: LinkUse,
}

/// The name of a column.
#[derive(Clone, PartialEq, Debug)]
pub struct Heading {
    pub at: Point,
    pub text: &'static str,
    /// One line for each word: the columns are narrow.
    pub is_split: bool,
}

/// The track that ring nodes stand on.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Track {
    pub centre: Point,
    pub radius: f32,
}

/// A column of bars.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Strip {
    pub x: f32,
    pub top: f32,
    pub bottom: f32,
    pub width: f32,
}

#[derive(Clone, PartialEq, Debug)]
pub struct Scene {
    pub width: f32,
    pub height: f32,
    pub marks: Vec<Mark>,
    pub lines: Vec<Line>,
    pub headings: Vec<Heading>,
    pub track: Option<Track>,
    /// Where the partitions of an event log stand.
    pub strip: Option<Strip>,
    /// So many shards that lines which leave one would hide them.
    pub is_crowded: bool,
    /// The mark of each node.
    mark_of: Vec<u16>,
}

impl Scene {
    /// Places a cluster's nodes.
    pub fn new(cluster: &ClusterLayout, width: f32, height: f32) -> Scene {
        let mut scene = Scene::empty(width, height);
        if cluster.nodes.iter().any(|node| node.role == "broker") {
            path_scene::place(&mut scene, cluster);
        } else if cluster.nodes.iter().any(|node| node.role == "ring-node") {
            ring_scene::place(&mut scene, cluster);
        } else {
            sql_scene::place(&mut scene, cluster);
        }
        scene.index(cluster.nodes.len());
        scene.draw_lines(cluster);
        scene
    }

    pub fn empty(width: f32, height: f32) -> Scene {
        Scene {
            width,
            height,
            marks: Vec::new(),
            lines: Vec::new(),
            headings: Vec::new(),
            track: None,
            strip: None,
            is_crowded: false,
            mark_of: Vec::new(),
        }
    }

    pub fn mark_of(&self, node: u16) -> Option<u16> {
        self.mark_of.get(usize::from(node)).copied().filter(|mark| *mark != u16::MAX)
    }

    /// The way from one mark to another, round those that stand between them.
    pub fn curve(&self, from: u16, to: u16) -> Option<Curve> {
        let a = self.marks.get(usize::from(from))?;
        let b = self.marks.get(usize::from(to))?;
        let straight = Curve::between(a.at, a.radius, b.at, b.radius, 0.0);
        if self.marks.len() > MARKS_AVOIDED_MAX {
            return Some(straight);
        }
        let in_the_way = |curve: &Curve| {
            self.marks
                .iter()
                .enumerate()
                .filter(|(index, _)| *index != usize::from(from) && *index != usize::from(to))
                .filter(|(_, mark)| {
                    (1..8).any(|step| curve.at(step as f32 / 8.0).distance(mark.at) < mark.radius + 5.0)
                })
                .map(|(_, mark)| mark.radius)
                .fold(0.0, f32::max)
        };
        let obstacle = in_the_way(&straight);
        if obstacle == 0.0 {
            return Some(straight);
        }
        let is_outside = |curve: &Curve| !(0.0..self.width).contains(&curve.at(0.5).x);
        let effort = |curve: &Curve| in_the_way(curve) + if is_outside(curve) { self.width } else { 0.0 };
        // The same side both ways, seen from the page.
        let left = if a.at.x <= b.at.x { 1.0 } else { -1.0 };
        [obstacle + 16.0, -(obstacle + 16.0), obstacle + 40.0, -(obstacle + 40.0)]
            .map(|bend| Curve::between(a.at, a.radius, b.at, b.radius, bend * left))
            .into_iter()
            .min_by(|one, other| effort(one).total_cmp(&effort(other)))
    }

    /// The way between two nodes.
    pub fn way(&self, from: u16, to: u16) -> Option<Curve> {
        let (from, to) = (self.mark_of(from)?, self.mark_of(to)?);
        if from == to { None } else { self.curve(from, to) }
    }

    fn index(&mut self, node_count: usize) {
        self.mark_of = vec![u16::MAX; node_count];
        for (index, mark) in self.marks.iter().enumerate() {
            for node in &mark.nodes {
                self.mark_of[usize::from(*node)] = index as u16;
            }
        }
        for index in 0..self.marks.len() {
            let at = self.marks[index].at;
            let others = self.marks.iter().enumerate().filter(|(other, _)| *other != index);
            self.marks[index].reach =
                others.map(|(_, other)| other.at.distance(at) / 2.0).fold(f32::MAX, f32::min);
        }
    }

    fn draw_lines(&mut self, cluster: &ClusterLayout) {
        let marks =
            |link: &LinkLayout| Some((self.mark_of(link.from)?, self.mark_of(link.to)?, link.use_for));
        let shard = |node: u16| cluster.nodes[usize::from(node)].shard;
        let checks = cluster.links.iter().filter(|link| link.use_for == LinkUse::HealthCheck).count();
        let is_shown = |link: &&LinkLayout| {
            (!self.is_crowded || shard(link.from) == shard(link.to))
                && (link.use_for != LinkUse::HealthCheck || checks <= HEALTH_CHECK_LINES_MAX)
        };
        let mut wanted: Vec<(u16, u16, LinkUse)> =
            cluster.links.iter().filter(is_shown).filter_map(marks).collect();
        // On a ring any node may be asked: a line for each would hide the rest.
        if self.track.is_none() && self.strip.is_none() {
            wanted.extend(self.client_lines(cluster));
        }
        let mut drawn: Vec<((u16, u16), LinkUse)> = Vec::new();
        for (from, to, use_for) in wanted {
            let ends = (from.min(to), from.max(to));
            if from == to || drawn.contains(&(ends, use_for)) {
                continue;
            }
            drawn.push((ends, use_for));
            if let Some(curve) = self.curve(ends.0, ends.1) {
                self.lines.push(Line { curve, use_for });
            }
        }
    }

    /// From all clients to all query proxies: any may ask any.
    fn client_lines(&self, cluster: &ClusterLayout) -> Vec<(u16, u16, LinkUse)> {
        let of_role = |role: &'static str| {
            let has_role = move |mark: &Mark| {
                mark.nodes.first().is_some_and(|node| cluster.nodes[usize::from(*node)].role == role)
            };
            self.marks
                .iter()
                .enumerate()
                .filter(move |(_, mark)| has_role(mark))
                .map(|(index, _)| index as u16)
        };
        of_role("client")
            .flat_map(|client| of_role("query-proxy").map(move |proxy| (client, proxy, LinkUse::Query)))
            .collect()
    }
}

/// Clients of one zone stand together: one box for each zone, down a column.
pub fn place_clients(scene: &mut Scene, cluster: &ClusterLayout, x: f32, top: f32, bottom: f32, radius: f32) {
    let mut by_zone: Table<Vec<u16>> = Table::default();
    for (index, node) in cluster.nodes.iter().enumerate() {
        if node.role == "client" {
            by_zone.entry(u64::from(node.zone), Vec::new).push(index as u16);
        }
    }
    let step = (bottom - top) / by_zone.len().max(1) as f32;
    for (row, (zone, nodes)) in by_zone.iter().enumerate() {
        let label = match nodes.as_slice() {
            [only] => cluster.nodes[usize::from(*only)].label.clone(),
            several => format!("×{}", several.len()),
        };
        scene.marks.push(Mark {
            at: Point::new(x, top + step * (row as f32 + 0.5)),
            radius: radius.min(step * 0.38),
            shape: Shape::Box,
            label,
            zone: *zone as u8,
            words: None,
            is_label_beside: false,
            reach: 0.0,
            nodes: nodes.clone(),
        });
    }
}
