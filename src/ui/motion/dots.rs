//! Single messages: filled is a request, hollow a reply.

use super::stage::{Ways, css};
use crate::session::frame::{MessageFrame, MessageUse};
use crate::ui::picture::{Curve, Point};
use crate::ui::theme::{Colours, Rgb};
use std::f64::consts::TAU;
use web_sys::CanvasRenderingContext2d;

const RADIUS: f64 = 3.6;
const RADIUS_SMALL: f64 = 2.4;
/// Length of a tail in pixels.
const TAIL: f32 = 13.0;

/// The messages of the last frame, and those of the one before that were still under way.
#[derive(Default)]
pub struct Dots {
    now: Vec<MessageFrame>,
    before: Vec<MessageFrame>,
    heard_ns: u64,
}

impl Dots {
    pub fn hear(&mut self, messages: &[MessageFrame], time_ns: u64) {
        std::mem::swap(&mut self.before, &mut self.now);
        self.now.clear();
        self.now.extend_from_slice(messages);
        // Those that are in both are drawn once.
        self.before.retain(|message| message.arrives_ns <= time_ns);
        self.heard_ns = time_ns;
    }

    #[allow(clippy::too_many_arguments)]
    pub fn draw(
        &self,
        canvas: &CanvasRenderingContext2d,
        ways: &mut Ways,
        time_ns: f64,
        shown_max: usize,
        colours: &Colours,
        colour: Rgb,
        little_motion: bool,
    ) {
        if shown_max == 0 {
            return;
        }
        let mut seen: Vec<Seen> = Vec::new();
        for message in self.before.iter().chain(&self.now).take(shown_max) {
            let (sent, arrives) = (message.sent_ns as f64, message.arrives_ns as f64);
            if time_ns < sent || time_ns >= arrives {
                continue;
            }
            let Some(way) = ways.find(message.from, message.to) else { continue };
            let share = ((time_ns - sent) / (arrives - sent).max(1.0)) as f32;
            seen.push(Seen { at: way.at(share), tail: tail(&way, share), use_for: message.use_for });
        }
        if !little_motion {
            draw_tails(canvas, &seen, colour, colours);
        }
        for use_for in [
            MessageUse::Gossip,
            MessageUse::Control,
            MessageUse::Replication,
            MessageUse::Reply,
            MessageUse::Request,
        ] {
            draw_dots(canvas, seen.iter().filter(|seen| seen.use_for == use_for), use_for, colour, colours);
        }
    }
}

/// A message in its place.
struct Seen {
    at: Point,
    tail: Point,
    use_for: MessageUse,
}

fn tail(way: &Curve, share: f32) -> Point {
    way.at((share - TAIL / way.length().max(1.0)).max(0.0))
}

fn is_small(use_for: MessageUse) -> bool {
    matches!(use_for, MessageUse::Gossip | MessageUse::Control)
}

fn draw_tails(canvas: &CanvasRenderingContext2d, seen: &[Seen], colour: Rgb, colours: &Colours) {
    canvas.set_line_width(2.0);
    canvas.set_line_cap("round");
    for small in [false, true] {
        canvas.begin_path();
        for seen in seen.iter().filter(|seen| is_small(seen.use_for) == small) {
            canvas.move_to(f64::from(seen.tail.x), f64::from(seen.tail.y));
            canvas.line_to(f64::from(seen.at.x), f64::from(seen.at.y));
        }
        let (tail_colour, alpha) = if small { (colours.ink_soft, 0.35) } else { (colour, 0.5) };
        canvas.set_stroke_style_str(&css(tail_colour, alpha));
        canvas.stroke();
    }
}

fn draw_dots<'a>(
    canvas: &CanvasRenderingContext2d,
    seen: impl Iterator<Item = &'a Seen>,
    use_for: MessageUse,
    colour: Rgb,
    colours: &Colours,
) {
    let small = is_small(use_for);
    let radius = if small { RADIUS_SMALL } else { RADIUS };
    let paint = if small { colours.ink_soft } else { colour };
    canvas.begin_path();
    let mut is_empty = true;
    for seen in seen {
        let (x, y) = (f64::from(seen.at.x), f64::from(seen.at.y));
        canvas.move_to(x + radius, y);
        let _ = canvas.arc(x, y, radius, 0.0, TAU);
        is_empty = false;
    }
    if is_empty {
        return;
    }
    let is_hollow = use_for == MessageUse::Reply;
    canvas.set_fill_style_str(&css(if is_hollow { colours.background } else { paint }, 1.0));
    canvas.fill();
    if is_hollow {
        canvas.set_line_width(1.7);
        canvas.set_stroke_style_str(&css(paint, 1.0));
        canvas.stroke();
    }
}
