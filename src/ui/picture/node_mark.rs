//! One node in the picture, or all clients of one zone.

use super::curve::sine_and_cosine;
use super::scene::{Mark, Shape};
use crate::session::frame::{ArcKind, NodeFrame, NodeLayout};
use crate::ui::number;
use crate::ui::view::View;
use std::f32::consts::TAU;
use web_sys::{KeyboardEvent, MouseEvent};
use yew::prelude::*;

/// Load is shown in this many steps, so that a node is drawn anew only when it looks different.
const LOAD_STEPS: f32 = 10.0;
const QUEUE_STEPS: f32 = 8.0;
const ARC_STEPS: f32 = 24.0;

/// What a mark looks like now.
#[derive(Clone, PartialEq, Debug)]
pub struct NodeView {
    pub is_up: bool,
    pub is_switched_off: bool,
    pub recovers: bool,
    pub is_paused: bool,
    pub is_slow: bool,
    /// How far its clock is off, in words.
    pub skew: Option<String>,
    pub load_steps: u8,
    pub queue_steps: u8,
    pub is_primary: bool,
    /// One of several primaries of its shard.
    pub is_in_conflict: bool,
    pub arc_steps: Option<(u8, ArcKind)>,
    /// Lines beside it.
    pub words: Vec<String>,
    /// The node that is inspected believes it dead.
    pub is_doubted: bool,
    pub is_selected: bool,
    /// All of that in words.
    pub description: String,
}

impl NodeView {
    /// `nodes` are those that the mark stands for.
    pub fn new(mark: &Mark, layouts: &[NodeLayout], nodes: &[NodeFrame], zone: &str) -> NodeView {
        let of_mark = || mark.nodes.iter().filter_map(|node| nodes.get(usize::from(*node)));
        let layout = mark.nodes.first().and_then(|node| layouts.get(usize::from(*node)));
        let first = of_mark().next();
        let load = of_mark().map(|node| node.load).fold(0.0, f32::max).clamp(0.0, 1.0);
        let fullest =
            of_mark().max_by_key(|node| u64::from(node.queue) * 1_000 / u64::from(node.queue_limit.max(1)));
        let queue_share =
            fullest.map_or(0.0, |node| node.queue as f32 / node.queue_limit.max(1) as f32).min(1.0);
        let offset =
            of_mark().map(|node| node.clock_offset_ns).max_by_key(|offset| offset.abs()).unwrap_or(0);
        let state = first.map(|node| node.state.as_str()).unwrap_or_default();
        let mut view = NodeView {
            is_up: of_mark().any(|node| node.up),
            is_switched_off: of_mark().any(|node| node.switched_off),
            recovers: of_mark().any(|node| node.recovers),
            is_paused: of_mark().any(|node| node.paused),
            is_slow: of_mark().any(|node| node.slow),
            skew: (offset.abs() >= 50_000_000).then(|| skew(offset)),
            load_steps: (load * LOAD_STEPS).round() as u8,
            // A queue that is not empty shows.
            queue_steps: (queue_share * QUEUE_STEPS).ceil() as u8,
            is_primary: first.is_some_and(|node| node.primary),
            is_in_conflict: first.is_some_and(|node| node.conflict),
            arc_steps: first.and_then(|node| node.arc).and_then(|(share, kind)| {
                let steps = (share.clamp(0.0, 1.0) * ARC_STEPS).round() as u8;
                (steps > 0).then_some((steps, kind))
            }),
            words: mark.words.map(|place| lines(state, place.width, place.lines)).unwrap_or_default(),
            is_doubted: false,
            is_selected: false,
            description: String::new(),
        };
        let name = match mark.nodes.as_slice() {
            [_] => layout.map(|node| node.name.clone()).unwrap_or_default(),
            several => number::many(several.len() as u64, "client", "clients"),
        };
        view.description = view.describe(&name, layout, state, zone);
        view
    }

    fn describe(&self, name: &str, layout: Option<&NodeLayout>, state: &str, zone: &str) -> String {
        let mut parts = vec![name.to_string()];
        if let Some(layout) = layout.filter(|layout| layout.role != "client") {
            parts.push(layout.role.replace('-', " "));
        }
        parts.push(format!("zone {zone}"));
        if !self.is_up && state.is_empty() {
            parts.push("down".to_string());
        }
        if self.is_paused {
            parts.push("paused".to_string());
        }
        if self.is_slow {
            parts.push("slow".to_string());
        }
        if let Some(skew) = &self.skew {
            parts.push(format!("clock off by {skew}"));
        }
        if !state.is_empty() {
            parts.push(state.to_string());
        }
        if self.is_in_conflict {
            parts.push("not the only primary of its shard".to_string());
        }
        if self.load_steps > 0 {
            parts.push(format!("load {} %", u32::from(self.load_steps) * 10));
        }
        if self.queue_steps > 1 {
            parts
                .push(format!("queue {} % full", (f32::from(self.queue_steps) * 100.0 / QUEUE_STEPS) as u32));
        }
        match self.arc_steps {
            Some((_, ArcKind::HealthCheck)) => parts.push("misses health checks".to_string()),
            Some((steps, ArcKind::Suspicion)) if f32::from(steps) > ARC_STEPS / 3.0 => {
                parts.push("suspected by its neighbours".to_string());
            }
            _ => {}
        }
        parts.join(", ")
    }
}

/// A state on so many lines at most: each part that a comma ends begins one, and what is too wide goes on in the next.
fn lines(state: &str, width: f32, lines_max: usize) -> Vec<String> {
    // A letter is about this wide.
    let letters_max = (width / 5.3) as usize;
    let mut lines: Vec<String> = Vec::new();
    let mut is_begun = false;
    for word in state.split(' ').filter(|word| !word.is_empty()) {
        let text = word.trim_end_matches(',');
        match lines.last_mut() {
            Some(line) if is_begun && line.chars().count() + 1 + text.chars().count() <= letters_max => {
                line.push(' ');
                line.push_str(text);
            }
            _ => lines.push(text.to_string()),
        }
        is_begun = text.len() == word.len();
    }
    lines.truncate(lines_max);
    lines
}

fn skew(offset_ns: i64) -> String {
    let ms = offset_ns as f64 / 1e6;
    if ms.abs() >= 1_000.0 { format!("{:+.1} s", ms / 1_000.0) } else { format!("{ms:+.0} ms") }
}

#[derive(PartialEq)]
pub struct NodeMark {
    pub id: AttrValue,
    pub mark: Mark,
    pub zone: AttrValue,
    pub view: NodeView,
    /// The one node of its picture that the tab key reaches; arrow keys go on from there.
    pub is_tab_stop: bool,
    pub on_open: Callback<()>,
    pub on_key: Callback<KeyboardEvent>,
}

impl View for NodeMark {
    fn view(&self) -> Html {
        let NodeMark { mark, view, .. } = self;
        let radius = mark.radius;
        let on_open = self.on_open.clone();
        let onclick = Callback::from(move |event: MouseEvent| {
            event.stop_propagation();
            on_open.emit(());
        });
        let class = classes!(
            "node",
            (!view.is_up).then_some("down"),
            view.is_paused.then_some("paused"),
            view.recovers.then_some("recovers"),
            view.is_primary.then_some("primary"),
            view.is_in_conflict.then_some("conflict"),
            view.is_selected.then_some("selected"),
        );
        let body = outline(mark.shape, radius);
        let clip = format!("{}-clip", self.id);
        let reach = if mark.shape == Shape::Box { radius * 0.72 } else { radius };
        let level = reach * 2.0 * f32::from(view.load_steps) / LOAD_STEPS;
        let is_small = radius < 12.0;
        // A bold letter is about this wide, and a small one.
        let letters = mark.label.chars().count() as f32;
        let is_long = letters * 6.9 > radius * 1.9;
        let is_beside =
            mark.is_label_beside || letters * 5.0 > radius * 2.0 + if is_small { 4.0 } else { 8.0 };
        let label =
            classes!("label", (is_small || is_long).then_some("small"), is_beside.then_some("beside"));
        html! {
            <g id={self.id.clone()} {class} role="button" tabindex={if self.is_tab_stop { "0" } else { "-1" }}
                aria-haspopup="dialog"
                transform={format!("translate({:.1},{:.1})", mark.at.x, mark.at.y)}
                {onclick} onkeydown={self.on_key.clone()}>
                <title>{ view.description.clone() }</title>
                <circle class="hit" r={(radius + 4.0).max(22.0).min(mark.reach).to_string()} />
                <circle class="halo" r={(radius + 10.0).min(mark.reach.max(radius + 3.0)).to_string()} />
                { arc(view, radius) }
                <clipPath id={clip.clone()}><path d={body.clone()} /></clipPath>
                <path class="body" d={body.clone()} />
                if view.is_up && level > 0.0 {
                    <rect class="load" clip-path={format!("url(#{clip})")}
                        x={(-radius * 1.3).to_string()} width={(radius * 2.6).to_string()}
                        y={(reach - level).to_string()} height={level.to_string()} />
                }
                <path class="rim" d={body} />
                if view.is_in_conflict { <path class="hatch" clip-path={format!("url(#{clip})")} d={hatch(radius)} /> }
                if mark.shape == Shape::Drum { <path class="lid" d={lid(radius)} /> }
                <text class={label} y={if is_beside { (-radius - 6.0).to_string() } else { "4".to_string() }}>{ mark.label.clone() }</text>
                if view.queue_steps > 0 { { gauge(view.queue_steps, radius) } }
                if !is_small && mark.reach > radius * 1.22 { { zone_letter(&self.zone, radius) } }
                if view.is_primary && mark.shape == Shape::Drum { { crown(radius) } }
                { badge(view, radius) }
                if view.is_doubted {
                    <path class="doubt" d={format!("M{0:.1} {0:.1}L{1:.1} {1:.1}M{0:.1} {1:.1}L{1:.1} {0:.1}", -radius * 0.9, radius * 0.9)} />
                }
                { words(mark, view) }
            </g>
        }
    }
}

fn outline(shape: Shape, radius: f32) -> String {
    let r = radius;
    match shape {
        Shape::Disc => format!("M{:.1} 0A{r:.1} {r:.1} 0 1 1 {r:.1} 0A{r:.1} {r:.1} 0 1 1 {:.1} 0Z", -r, -r),
        Shape::Box => {
            let (w, h, c) = (r, r * 0.72, r * 0.3);
            format!(
                "M{:.1} {:.1}h{:.1}q{c:.1} 0 {c:.1} {c:.1}v{:.1}q0 {c:.1} {:.1} {c:.1}h{:.1}q{:.1} 0 {:.1} {:.1}v{:.1}q0 {:.1} {c:.1} {:.1}Z",
                -w + c,
                -h,
                2.0 * (w - c),
                2.0 * (h - c),
                -c,
                -2.0 * (w - c),
                -c,
                -c,
                -c,
                -2.0 * (h - c),
                -c,
                -c
            )
        }
        Shape::Drum => {
            let (w, h, lid) = (r * 0.94, r, r * 0.3);
            let top = -h + lid;
            format!(
                "M{:.1} {top:.1}A{w:.1} {lid:.1} 0 0 1 {w:.1} {top:.1}V{:.1}A{w:.1} {lid:.1} 0 0 1 {:.1} {:.1}Z",
                -w, -top, -w, -top
            )
        }
        Shape::Hexagon => {
            let (x, y) = (r * 0.87, r * 0.5);
            format!("M0 {:.1}L{x:.1} {:.1}V{y:.1}L0 {r:.1}L{:.1} {y:.1}V{:.1}Z", -r, -y, -x, -y)
        }
    }
}

/// The near edge of a drum's top.
fn lid(radius: f32) -> String {
    let (w, lid) = (radius * 0.94, radius * 0.3);
    let top = -radius + lid;
    format!("M{:.1} {top:.1}A{w:.1} {lid:.1} 0 0 0 {w:.1} {top:.1}", -w)
}

/// Stripes across the whole mark.
fn hatch(radius: f32) -> String {
    let mut path = String::new();
    let (mut x, length) = (-3.0 * radius, 2.0 * radius);
    while x < radius {
        path += &format!("M{x:.1} {radius:.1}l{length:.1} -{length:.1}");
        x += 7.0;
    }
    path
}

/// Signs at a mark are smaller at a small one.
fn sign_scale(radius: f32) -> f32 {
    (radius / 18.0).clamp(0.45, 1.0)
}

/// Who takes writes.
fn crown(radius: f32) -> Html {
    let (x, y) = (radius * 0.8, -radius * 0.98);
    html! {
        <path class="crown" transform={format!("translate({x:.1},{y:.1})scale({:.2})", sign_scale(radius))}
            d="M-7.5 5V-4.5L-3.5 -0.5L0 -6L3.5 -0.5L7.5 -4.5V5Z" />
    }
}

/// How far a health check or suspicion has run: full circle means dead.
fn arc(view: &NodeView, radius: f32) -> Html {
    let Some((steps, kind)) = view.arc_steps else { return Html::default() };
    let share = (f32::from(steps) / ARC_STEPS).min(0.999);
    let (sine, cosine) = sine_and_cosine(share * TAU);
    let r = radius + 5.5;
    let d = format!(
        "M0 {:.1}A{r:.1} {r:.1} 0 {} 1 {:.1} {:.1}",
        -r,
        u8::from(share > 0.5),
        r * sine,
        -r * cosine
    );
    let class = classes!(
        "arc",
        match kind {
            ArcKind::HealthCheck => "health",
            ArcKind::Suspicion => "suspicion",
        },
        (share > 0.6).then_some("far"),
    );
    html! { <path {class} {d} /> }
}

/// How full its queue is, as a small column at its right.
fn gauge(steps: u8, radius: f32) -> Html {
    let share = (f32::from(steps) / QUEUE_STEPS).min(1.0);
    let height = (radius * 1.3).max(10.0);
    let (x, bottom) = (radius + 3.0, height / 2.0);
    html! {
        <g class={classes!("gauge", (share > 0.7).then_some("full"))}>
            <rect class="gauge-room" x={x.to_string()} y={(-bottom).to_string()} width="4" height={height.to_string()} rx="1.5" />
            <rect class="gauge-fill" x={x.to_string()} y={(bottom - height * share).to_string()} width="4"
                height={(height * share).to_string()} rx="1.5" />
        </g>
    }
}

fn zone_letter(zone: &AttrValue, radius: f32) -> Html {
    let at = -radius * 0.78;
    html! {
        <g class="zone" transform={format!("translate({at:.1},{at:.1})")}>
            <circle r="7.5" /><text y="3.4">{ zone.clone() }</text>
        </g>
    }
}

/// The worst that is being done to it, at its lower right.
fn badge(view: &NodeView, radius: f32) -> Html {
    let sign = if view.is_switched_off {
        html! { <path d="M0 -4.4V-0.4M-2.7 -2.7A3.8 3.8 0 1 0 2.7 -2.7" /> }
    } else if !view.is_up {
        html! { <path d="M-3.2 -3.2L3.2 3.2M3.2 -3.2L-3.2 3.2" /> }
    } else if view.is_paused {
        html! { <path d="M-2 -3.4V3.4M2 -3.4V3.4" /> }
    } else if view.recovers {
        html! { <path d="M3.2 -2.2A3.9 3.9 0 1 0 3.9 0.6M3.6 -4.8V-1.8H0.6" /> }
    } else if view.is_slow {
        html! { <path d="M-4.5 1q2.2 -5 4.5 -1t4.5 -1" /> }
    } else if view.skew.is_some() {
        html! { <path d="M0 -3.6V0L2.6 2" /> }
    } else {
        return Html::default();
    };
    let at = radius * 0.78;
    html! {
        <g class="badge" transform={format!("translate({at:.1},{at:.1})scale({:.2})", sign_scale(radius))}>
            <circle r="8" />{ sign }
            if let (Some(skew), true) = (&view.skew, view.is_up) { <text x="12" y="4">{ skew.clone() }</text> }
        </g>
    }
}

fn words(mark: &Mark, view: &NodeView) -> Html {
    let Some(place) = mark.words else { return Html::default() };
    let (x, y) = (place.offset.x, place.offset.y);
    let line = |(number, text): (usize, &String)| {
        html! { <text class="words" text-anchor={place.anchor} x={x.to_string()} y={(y + 13.0 * number as f32).to_string()}>{ text.clone() }</text> }
    };
    view.words.iter().enumerate().map(line).collect()
}
