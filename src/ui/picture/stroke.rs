//! A line that somebody draws across a picture, and what it parts.

use super::curve::Point;
use super::scene::Scene;
use std::fmt::Write;

/// Shorter lines are slips of the hand.
const LENGTH_MIN: f32 = 36.0;
/// How close its ends must be for a line to be a loop.
const LOOP_GAP_MAX: f32 = 40.0;
/// Points that are kept of one line.
const POINTS_MAX: usize = 400;

/// A line while it is drawn.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Stroke(Vec<Point>);

impl Stroke {
    pub fn begin(at: Point) -> Stroke {
        Stroke(vec![at])
    }

    /// Goes on to a point, if that is far enough from the last.
    pub fn extend(&mut self, to: Point) {
        let is_far = self.0.last().is_none_or(|last| last.distance(to) > 4.0);
        if is_far && self.0.len() < POINTS_MAX {
            self.0.push(to);
        }
    }

    /// As the `d` of an SVG path.
    pub fn path(&self) -> String {
        let mut path = String::new();
        for (index, point) in self.0.iter().enumerate() {
            // Writing to a string can't fail.
            let _ = write!(path, "{}{:.0} {:.0}", if index == 0 { 'M' } else { 'L' }, point.x, point.y);
        }
        path
    }

    fn length(&self) -> f32 {
        self.0.windows(2).map(|pair| pair[0].distance(pair[1])).sum()
    }

    /// The nodes on either side. None if the line is too short, or all nodes are on one side.
    ///
    /// A line is prolonged beyond the picture at both ends, unless these meet:
    /// then it is a loop round what it cuts off.
    pub fn sides(&self, scene: &Scene) -> Option<[Vec<u16>; 2]> {
        let (first, last) = (*self.0.first()?, *self.0.last()?);
        if self.length() < LENGTH_MIN {
            return None;
        }
        let mut line = self.0.clone();
        if first.distance(last) < LOOP_GAP_MAX && self.length() > 3.0 * LOOP_GAP_MAX {
            line.push(first);
        } else {
            let reach = scene.width + scene.height;
            let near = |from: usize, to: usize| self.0[from].towards(self.0[to]);
            let end = self.0.len() - 1;
            let outset = end.min(6);
            let (before, after) = (near(outset, 0), near(end - outset, end));
            line.insert(0, first.plus(before.x * reach, before.y * reach));
            line.push(last.plus(after.x * reach, after.y * reach));
        }
        // Seen from far outside: an odd number of crossings leads to the other side.
        let outside = Point::new(-7.3, -scene.height * 3.0);
        let mut sides = [Vec::new(), Vec::new()];
        for mark in &scene.marks {
            let crossings = line.windows(2).filter(|pair| cross(outside, mark.at, pair[0], pair[1])).count();
            sides[crossings % 2].extend(&mark.nodes);
        }
        if sides.iter().any(Vec::is_empty) { None } else { Some(sides) }
    }
}

/// Whether two straight lines cross.
fn cross(a: Point, b: Point, c: Point, d: Point) -> bool {
    let turn = |p: Point, q: Point, r: Point| (q.x - p.x) * (r.y - p.y) - (q.y - p.y) * (r.x - p.x) > 0.0;
    turn(a, b, c) != turn(a, b, d) && turn(c, d, a) != turn(c, d, b)
}
