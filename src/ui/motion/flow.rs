//! Traffic as bands along links, as wide as it is dense.
//!
//! What is known of a link is the sample of messages under way that each frame
//! brings. How many a second pass is how many are under way by how long each
//! takes; it is smoothed over a fraction of a real second.

use super::stage::{Ways, css};
use crate::engine::order::{key_of, places_by};
use crate::engine::table::{Table, pair};
use crate::session::frame::{MessageFrame, MessageUse};
use crate::ui::theme::Rgb;
use web_sys::CanvasRenderingContext2d;

/// Real milliseconds over which traffic is smoothed.
const SMOOTH_MS: f64 = 300.0;
const WIDTH_MAX: f64 = 7.0;
/// Bands drawn at most, widest first.
const BANDS_MAX: usize = 64;

#[derive(Default)]
pub struct Flows {
    /// By marks; with any pair of nodes between them, to find the way.
    links: Table<Flow>,
    heard_ms: f64,
}

#[derive(Clone, Copy)]
struct Flow {
    nodes: (u16, u16),
    /// Messages per simulated second.
    per_second: f64,
}

impl Flows {
    pub fn hear(&mut self, messages: &[MessageFrame], under_way: u32, ways: &Ways, now_ms: f64) {
        let share = ((now_ms - self.heard_ms) / SMOOTH_MS).clamp(0.02, 1.0);
        self.heard_ms = now_ms;
        let scale = f64::from(under_way.max(messages.len() as u32)) / messages.len().max(1) as f64;
        for flow in self.links.values_mut() {
            flow.per_second *= 1.0 - share;
        }
        // What nodes tell each other all the time would hide what is done for clients.
        let is_for_operations =
            |message: &&MessageFrame| !matches!(message.use_for, MessageUse::Gossip | MessageUse::Control);
        for message in messages.iter().filter(is_for_operations) {
            let Some(marks) = ways.marks(message.from, message.to) else { continue };
            let life_ns = message.arrives_ns.saturating_sub(message.sent_ns).max(1_000) as f64;
            let nodes = (message.from, message.to);
            let flow = self.links.entry(pair(marks.0, marks.1), || Flow { nodes, per_second: 0.0 });
            flow.per_second += share * scale * 1e9 / life_ns;
        }
        self.links.retain(|flow| flow.per_second > 0.5);
    }

    pub fn draw(&self, canvas: &CanvasRenderingContext2d, ways: &mut Ways, colour: Rgb, fade: f64) {
        let flows: Vec<Flow> = self.links.iter().map(|(_, flow)| *flow).collect();
        let order = places_by(flows.len(), |at| !key_of(flows[at].per_second));
        let bands: Vec<Flow> = order.iter().take(BANDS_MAX).map(|at| flows[*at as usize]).collect();
        let most = bands.first().map_or(1.0, |band| band.per_second);
        canvas.set_line_cap("butt");
        for band in &bands {
            let Some(way) = ways.find(band.nodes.0, band.nodes.1) else { continue };
            let strength = (band.per_second / most).sqrt();
            // What a cut stops gets no farther than the cut.
            let end = ways.cuts.iter().filter_map(|cut| cut.meets(&way)).fold(1.0_f32, f32::min);
            canvas.begin_path();
            canvas.move_to(f64::from(way.from.x), f64::from(way.from.y));
            if end < 1.0 {
                for step in 1..=8 {
                    let point = way.at(end * step as f32 / 8.0);
                    canvas.line_to(f64::from(point.x), f64::from(point.y));
                }
            } else {
                canvas.quadratic_curve_to(
                    f64::from(way.control.x),
                    f64::from(way.control.y),
                    f64::from(way.to.x),
                    f64::from(way.to.y),
                );
            }
            canvas.set_line_width(1.2 + WIDTH_MAX * strength);
            canvas.set_stroke_style_str(&css(colour, fade * (0.12 + 0.33 * strength)));
            canvas.stroke();
        }
    }
}
