//! A gossip ring: its nodes on a circle, its clients outside.

use super::curve::Point;
use super::curve::sine_and_cosine;
use super::scene::{Heading, Mark, Scene, Shape, Track, Words, place_clients};
use crate::session::frame::ClusterLayout;
use std::f32::consts::TAU;

const RADIUS_MAX: f32 = 25.0;
const RADIUS_MIN: f32 = 7.0;
/// Below this width no words stand beside nodes.
const WORDS_WIDTH_MIN: f32 = 460.0;

pub fn place(scene: &mut Scene, cluster: &ClusterLayout) {
    let nodes: Vec<u16> = (0..cluster.nodes.len() as u16)
        .filter(|index| cluster.nodes[usize::from(*index)].role == "ring-node")
        .collect();
    let has_words = scene.width >= WORDS_WIDTH_MIN && nodes.len() <= 16;
    let clients_x = (scene.width * 0.09).max(30.0);
    place_clients(scene, cluster, clients_x, scene.height * 0.12, scene.height * 0.88, 21.0);

    if scene.marks.iter().any(|mark| mark.shape == Shape::Box) {
        scene.headings.push(Heading { at: Point::new(clients_x, 12.0), text: "clients", is_split: false });
    }
    let left = clients_x + 34.0;
    let margin = if has_words { 82.0 } else { 32.0 };
    let centre = Point::new((left + scene.width) / 2.0, scene.height / 2.0);
    let space = (scene.height / 2.0 - if has_words { 48.0 } else { 34.0 })
        .min((scene.width - left) / 2.0 - margin)
        .max(40.0);
    let gap = TAU * space / nodes.len().max(1) as f32;
    let node_radius = (gap * 0.34).clamp(RADIUS_MIN, RADIUS_MAX);
    scene.track = Some(Track { centre, radius: space });
    for (place, index) in nodes.iter().enumerate() {
        let angle = TAU * (place as f32 / nodes.len() as f32 - 0.25);
        let (sine, cosine) = sine_and_cosine(angle);
        let node = &cluster.nodes[usize::from(*index)];
        scene.marks.push(Mark {
            nodes: vec![*index],
            at: Point::new(centre.x + space * cosine, centre.y + space * sine),
            radius: node_radius,
            shape: Shape::Disc,
            label: node.label.clone(),
            zone: node.zone,
            words: has_words.then(|| outwards(sine, cosine, node_radius)),
            is_label_beside: false,
            reach: 0.0,
        });
    }
}

/// Words stand on the outer side of their node.
fn outwards(sine: f32, cosine: f32, radius: f32) -> Words {
    if cosine.abs() < 0.3 {
        let dy = if sine > 0.0 { radius + 18.0 } else { -radius - 22.0 };
        return Words { offset: Point::new(0.0, dy), anchor: "middle", width: 150.0, lines: 2 };
    }
    let reach = radius + 12.0;
    Words {
        offset: Point::new(reach * cosine.signum(), 4.0 + 8.0 * sine),
        anchor: if cosine > 0.0 { "start" } else { "end" },
        width: 50.0,
        lines: 2,
    }
}
