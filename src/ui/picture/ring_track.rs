//! The ring that tokens stand on: who owns which part of the keys.

use super::curve::sine_and_cosine;
use super::scene::{Scene, Track};
use crate::session::frame::ClusterLayout;
use std::f32::consts::TAU;
use std::fmt::Write;
use yew::prelude::*;

/// Shades that tell neighbours on the ring apart.
const SHADES: usize = 6;
/// Arcs shorter than this, in pixels, are not drawn one by one.
const ARC_LENGTH_MIN: f32 = 1.2;

/// The track with each node's arcs in its shade; those of the selected node stand out.
pub fn ring_track(scene: &Scene, cluster: &ClusterLayout, selected: Option<u16>) -> Html {
    let Some(track) = scene.track else { return Html::default() };
    let of_node = |(index, mark): (usize, &super::scene::Mark)| {
        let node = mark.nodes.first().copied()?;
        let arcs = &cluster.nodes.get(usize::from(node))?.arcs;
        if arcs.is_empty() {
            return None;
        }
        let class =
            classes!("arcs", format!("shade-{}", index % SHADES), (selected == Some(node)).then_some("own"));
        Some(html! { <path {class} d={arcs_path(track, arcs)} /> })
    };
    html! {
        <g class="track">
            <circle cx={track.centre.x.to_string()} cy={track.centre.y.to_string()} r={track.radius.to_string()} />
            { for scene.marks.iter().enumerate().filter_map(of_node) }
        </g>
    }
}

fn arcs_path(track: Track, arcs: &[(f32, f32)]) -> String {
    let mut path = String::new();
    let point = |share: f32| {
        let (sine, cosine) = sine_and_cosine(TAU * (share - 0.25));
        (track.centre.x + track.radius * cosine, track.centre.y + track.radius * sine)
    };
    for (start, length) in arcs {
        if length * TAU * track.radius < ARC_LENGTH_MIN {
            continue;
        }
        // A whole circle has no two ends to draw between.
        let length = length.min(0.9999);
        let ((x1, y1), (x2, y2)) = (point(*start), point(start + length));
        // Writing to a string can't fail.
        let _ = write!(
            path,
            "M{x1:.1} {y1:.1}A{r:.1} {r:.1} 0 {} 1 {x2:.1} {y2:.1}",
            u8::from(length > 0.5),
            r = track.radius
        );
    }
    path
}
