//! Points, and the curves that messages travel on.

/// A point of a picture, in CSS pixels from its upper left corner.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Point {
    pub x: f32,
    pub y: f32,
}

impl Point {
    pub fn new(x: f32, y: f32) -> Point {
        Point { x, y }
    }

    pub fn plus(self, dx: f32, dy: f32) -> Point {
        Point::new(self.x + dx, self.y + dy)
    }

    pub fn distance(self, other: Point) -> f32 {
        (self.x - other.x).hypot(self.y - other.y)
    }

    pub fn between(self, other: Point, share: f32) -> Point {
        Point::new(self.x + (other.x - self.x) * share, self.y + (other.y - self.y) * share)
    }

    /// The direction to another point, of length 1; to the right if they are the same.
    pub fn towards(self, other: Point) -> Point {
        let length = self.distance(other);
        if length < 0.01 {
            return Point::new(1.0, 0.0);
        }
        Point::new((other.x - self.x) / length, (other.y - self.y) / length)
    }
}

/// A quadratic Bézier curve.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Curve {
    pub from: Point,
    pub control: Point,
    pub to: Point,
}

impl Curve {
    /// From rim to rim of two discs, bent to the left by `bend` pixels in its middle.
    pub fn between(a: Point, a_radius: f32, b: Point, b_radius: f32, bend: f32) -> Curve {
        let forward = a.towards(b);
        let middle = a.between(b, 0.5);
        // The curve's middle lies halfway between the straight line and its control point.
        let control = middle.plus(forward.y * bend * 2.0, -forward.x * bend * 2.0);
        let leave = a.towards(control);
        let enter = b.towards(control);
        Curve {
            from: a.plus(leave.x * a_radius, leave.y * a_radius),
            control,
            to: b.plus(enter.x * b_radius, enter.y * b_radius),
        }
    }

    /// The point at a share of the way, 0 to 1.
    pub fn at(&self, share: f32) -> Point {
        let first = self.from.between(self.control, share);
        let second = self.control.between(self.to, share);
        first.between(second, share)
    }

    /// The same curve, `by` pixels to its right: who goes and who comes back do not meet.
    pub fn beside(&self, by: f32) -> Curve {
        let forward = self.from.towards(self.to);
        let (dx, dy) = (-forward.y * by, forward.x * by);
        Curve { from: self.from.plus(dx, dy), control: self.control.plus(dx, dy), to: self.to.plus(dx, dy) }
    }

    pub fn length(&self) -> f32 {
        self.from.distance(self.control) * 0.5 + self.control.distance(self.to) * 0.5
    }

    /// As the `d` of an SVG path.
    pub fn path(&self) -> String {
        format!(
            "M{:.1} {:.1}Q{:.1} {:.1} {:.1} {:.1}",
            self.from.x, self.from.y, self.control.x, self.control.y, self.to.x, self.to.y
        )
    }
}

/// By the functions that the simulation draws with: another pair need not be downloaded.
pub fn sine_and_cosine(angle: f32) -> (f32, f32) {
    (libm::sin(f64::from(angle)) as f32, libm::cos(f64::from(angle)) as f32)
}
