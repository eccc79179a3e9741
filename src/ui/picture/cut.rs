//! A cut of the network as a line across the picture.
//!
//! The line runs where the nearest node on one side is as far as the nearest
//! on the other: whatever the groups and wherever their nodes stand, it parts
//! them, and what is stopped can be seen to stop at it. It is found by marching
//! squares over a coarse grid.

use super::curve::{Curve, Point};
use super::scene::Scene;
use crate::engine::table::Table;
use std::fmt::Write;

/// Pixels between points of the grid.
const GRID: f32 = 11.0;
/// A node that a partition leaves alone is in this group.
pub const GROUP_NONE: u8 = u8::MAX;

/// A cut, for one scene.
#[derive(Clone, PartialEq, Debug)]
pub struct Cut {
    /// Outlines of the parts that are cut off, as the `d` of an SVG path.
    pub outline: String,
    /// Where there is room for a few words on the line.
    pub words_at: Option<Point>,
    /// For a cut that is open one way: where an arrow can stand, and the direction that is open.
    pub open_way: Option<(Point, Point)>,
    /// What has a side: middle, radius, group.
    posts: Vec<(Point, f32, u8)>,
}

impl Cut {
    /// The cut between groups of nodes. None where there are no two groups.
    pub fn new(scene: &Scene, groups: &[u8], one_way: bool) -> Option<Cut> {
        let posts: Vec<(Point, f32, u8)> = scene
            .marks
            .iter()
            .filter_map(|mark| {
                let group = *groups.get(usize::from(*mark.nodes.first()?))?;
                (group != GROUP_NONE).then_some((mark.at, mark.radius, group))
            })
            .collect();
        let mut sizes: Table<usize> = Table::default();
        for (_, _, group) in &posts {
            *sizes.entry(u64::from(*group), || 0) += 1;
        }
        if sizes.len() < 2 {
            return None;
        }
        // The largest group is what the others are cut off from.
        let largest = sizes.iter().max_by_key(|(_, size)| *size).map(|(group, _)| *group)?;
        let mut cut = Cut { outline: String::new(), words_at: None, open_way: None, posts };
        let mut line = Vec::new();
        for (group, _) in sizes.iter().filter(|(group, _)| *group != largest) {
            for outline in outlines(scene, |point| cut.depth(point, *group as u8)) {
                write_smooth(&outline, &mut cut.outline);
                line.extend(outline);
            }
        }
        cut.find_room(scene, &line, one_way);
        Some(cut)
    }

    /// The group on whose side a point lies.
    fn side(&self, point: Point) -> u8 {
        let distance = |post: &&(Point, f32, u8)| point.distance(post.0) - post.1;
        self.posts
            .iter()
            .min_by(|one, other| distance(one).total_cmp(&distance(other)))
            .map_or(GROUP_NONE, |post| post.2)
    }

    /// Below zero on the group's side.
    fn depth(&self, point: Point, group: u8) -> f32 {
        let (mut inside, mut outside) = (f32::MAX, f32::MAX);
        for (at, radius, of) in &self.posts {
            let distance = point.distance(*at) - radius;
            if *of == group { inside = inside.min(distance) } else { outside = outside.min(distance) }
        }
        inside - outside
    }

    /// Where on a curve the cut is met, as a share of the way.
    pub fn meets(&self, curve: &Curve) -> Option<f32> {
        const STEPS: usize = 24;
        let first = self.side(curve.at(0.0));
        let step = (1..=STEPS).find(|step| self.side(curve.at(*step as f32 / STEPS as f32)) != first)?;
        Some((step as f32 - 0.5) / STEPS as f32)
    }

    /// Looks for the point of the line that is farthest from everything that stands in the picture.
    fn find_room(&mut self, scene: &Scene, line: &[Point], one_way: bool) {
        let is_visible = |point: &&Point| {
            (44.0..scene.width - 44.0).contains(&point.x) && (24.0..scene.height - 14.0).contains(&point.y)
        };
        let space = |point: &Point| {
            let nearest = scene.marks.iter().map(|mark| {
                // Words stand below marks: what is above has more room than it seems.
                let below = if mark.words.is_some() && point.y > mark.at.y { 26.0 } else { 0.0 };
                point.distance(mark.at) - mark.radius - below
            });
            nearest.fold(f32::MAX, f32::min).min(60.0) - point.y * 0.02
        };
        let visible = || line.iter().filter(is_visible);
        self.words_at = visible().max_by(|one, other| space(one).total_cmp(&space(other))).copied();
        if one_way {
            let middle = Point::new(scene.width / 2.0, scene.height / 2.0);
            let apart = |point: &Point| self.words_at.is_none_or(|words| words.distance(*point) > 40.0);
            let arrow = visible()
                .filter(|point| apart(point))
                .min_by(|one, other| one.distance(middle).total_cmp(&other.distance(middle)))
                .or(self.words_at.as_ref());
            // Cut from group 0 to group 1; the way back is open, towards group 0.
            self.open_way = arrow.map(|point| {
                let slope = |dx: f32, dy: f32| {
                    self.depth(point.plus(dx, dy), 0) - self.depth(point.plus(-dx, -dy), 0)
                };
                (*point, Point::default().towards(Point::new(-slope(6.0, 0.0), -slope(0.0, 6.0))))
            });
        }
    }
}

/// Closed outlines of where `depth` is below zero; what lies beyond the picture is above.
fn outlines(scene: &Scene, depth: impl Fn(Point) -> f32) -> Vec<Vec<Point>> {
    let columns = (scene.width / GRID) as usize + 4;
    let rows = (scene.height / GRID) as usize + 4;
    let point =
        |column: usize, row: usize| Point::new((column as f32 - 1.5) * GRID, (row as f32 - 1.5) * GRID);
    let mut depths = vec![GRID; columns * rows];
    for row in 1..rows - 1 {
        for column in 1..columns - 1 {
            depths[row * columns + column] = depth(point(column, row));
        }
    }
    let depth_at = |column: usize, row: usize| depths[row * columns + column];
    // Each edge of the grid that the outline crosses, with the one or two edges where it goes on. An edge is
    // named by its upper left point, doubled, plus one if it runs downwards.
    let mut next: Table<[Option<usize>; 2]> = Table::default();
    let mut join = |one: usize, other: usize| {
        for (from, to) in [(one, other), (other, one)] {
            let ends = next.entry(from as u64, Default::default);
            let free = if ends[0].is_none() { 0 } else { 1 };
            ends[free] = Some(to);
        }
    };
    for row in 0..rows - 1 {
        for column in 0..columns - 1 {
            let here = row * columns + column;
            let (top, left) = (here * 2, here * 2 + 1);
            let (bottom, right) = ((here + columns) * 2, (here + 1) * 2 + 1);
            let corners =
                [(0, 0), (1, 0), (1, 1), (0, 1)].map(|(dx, dy)| depth_at(column + dx, row + dy) < 0.0);
            match corners {
                [true, false, false, false] | [false, true, true, true] => join(top, left),
                [false, true, false, false] | [true, false, true, true] => join(top, right),
                [false, false, true, false] | [true, true, false, true] => join(right, bottom),
                [false, false, false, true] | [true, true, true, false] => join(left, bottom),
                [true, true, false, false] | [false, false, true, true] => join(left, right),
                [true, false, false, true] | [false, true, true, false] => join(top, bottom),
                [true, false, true, false] => {
                    join(top, right);
                    join(left, bottom);
                }
                [false, true, false, true] => {
                    join(top, left);
                    join(right, bottom);
                }
                [true, true, true, true] | [false, false, false, false] => {}
            }
        }
    }
    let crossing = |edge: usize| {
        let (here, is_down) = (edge / 2, edge % 2 == 1);
        let (column, row) = (here % columns, here / columns);
        let (far_column, far_row) = if is_down { (column, row + 1) } else { (column + 1, row) };
        let (near, far) = (depth_at(column, row), depth_at(far_column, far_row));
        point(column, row).between(point(far_column, far_row), (near / (near - far)).clamp(0.0, 1.0))
    };
    let mut outlines = Vec::new();
    while let Some(start) = next.first_key() {
        let mut outline = Vec::new();
        let mut edge = start as usize;
        while let Some(ends) = next.remove(edge as u64) {
            outline.push(crossing(edge));
            match ends.into_iter().flatten().find(|end| next.contains(*end as u64)) {
                Some(end) => edge = end,
                None => break,
            }
        }
        outlines.push(outline);
    }
    outlines
}

/// A closed curve through the middles between every second point.
fn write_smooth(outline: &[Point], path: &mut String) {
    let points: Vec<Point> = outline.iter().step_by(2).copied().collect();
    let (Some(first), Some(last)) = (points.first(), points.last()) else { return };
    let start = last.between(*first, 0.5);
    // Writing to a string can't fail.
    let _ = write!(path, "M{:.0} {:.0}", start.x, start.y);
    for (index, point) in points.iter().enumerate() {
        let following = points[(index + 1) % points.len()];
        let middle = point.between(following, 0.5);
        let _ = write!(path, "Q{:.0} {:.0} {:.0} {:.0}", point.x, point.y, middle.x, middle.y);
    }
    path.push('Z');
}
