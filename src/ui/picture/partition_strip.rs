//! The partitions of the event log: a bar for each, as full as it lags, from its leader to its worker.

use super::scene::Scene;
use crate::session::frame::PartitionFrame;
use crate::ui::number;
use yew::prelude::*;

/// Beyond so many the strip shows the first ones only.
const SHOWN_MAX: usize = 32;
/// Steps in which a bar fills: a tenth of a second's lag hardly shows, a minute's fills it.
pub const LAG_STEPS: u8 = 12;

/// A partition as it is drawn: anew only when it looks different.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct PartitionView {
    pub leader: Option<u16>,
    pub worker: Option<u16>,
    pub lag_steps: u8,
}

impl PartitionView {
    /// The lag on a logarithmic scale: one step for each doubling from 64 views on.
    pub fn new(partition: &PartitionFrame) -> PartitionView {
        let doublings = 64 - (partition.lag / 64).leading_zeros();
        let PartitionFrame { leader, worker, .. } = *partition;
        PartitionView { leader, worker, lag_steps: (doublings as u8).min(LAG_STEPS) }
    }
}

/// Bars, with a line to the worker of each.
pub fn partition_strip(scene: &Scene, partitions: &[PartitionView]) -> Html {
    let Some(strip) = scene.strip.filter(|_| !partitions.is_empty()) else { return Html::default() };
    let shown = partitions.len().min(SHOWN_MAX);
    let step = (strip.bottom - strip.top) / shown as f32;
    let height = (step * 0.7).min(16.0);
    let bar = |(index, partition): (usize, &PartitionView)| {
        let middle = strip.top + step * (index as f32 + 0.5);
        let (x, y) = (strip.x - strip.width / 2.0, middle - height / 2.0);
        let filled = strip.width * f32::from(partition.lag_steps) / f32::from(LAG_STEPS);
        let end = |node: Option<u16>, x: f32| {
            let mark = scene.marks.get(usize::from(scene.mark_of(node?)?))?;
            let toward = if mark.at.x > x { -mark.radius } else { mark.radius };
            Some(format!("M{x:.0} {middle:.0}L{:.0} {:.0}", mark.at.x + toward, mark.at.y))
        };
        let class = if partition.worker.is_none() { "partition orphan" } else { "partition" };
        html! {
            <g {class}>
                { for end(partition.leader, x).map(|d| html! { <path class="link query" {d} /> }) }
                { for end(partition.worker, x + strip.width).map(|d| html! { <path class="link query" {d} /> }) }
                <rect class="bar" x={x.to_string()} y={y.to_string()} width={strip.width.to_string()} height={height.to_string()} />
                <rect class="lag" x={x.to_string()} y={y.to_string()} width={filled.to_string()} height={height.to_string()} />
            </g>
        }
    };
    let behind = partitions.iter().filter(|partition| partition.lag_steps > 3).count() as u64;
    let label = format!("{} of the event log fall behind", number::many(behind, "partition", "partitions"));
    html! { <g class="strip" role="img" aria-label={label}>{ for partitions.iter().take(shown).enumerate().map(bar) }</g> }
}
