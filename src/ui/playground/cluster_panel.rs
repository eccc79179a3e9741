//! One cluster: its name, its figures, its picture.

use super::figures::FigureRow;
use crate::session::frame::Layout;
use crate::ui::app::Message;
use crate::ui::motion::FastLayer;
use crate::ui::picture::Picture;
use crate::ui::run::ClusterNow;
use crate::ui::shared::Shared;
use crate::ui::view::{View, draw};
use std::rc::Rc;
use yew::prelude::*;

/// Slow enough to follow single messages: one between zones takes about a third of a second.
const SPEED_OF_MESSAGES: f64 = 0.002;

#[derive(PartialEq)]
pub struct ClusterPanel {
    pub cluster: u8,
    pub layout: Shared<Layout>,
    pub hue: u8,
    pub now: ClusterNow,
    pub selected: Option<u16>,
    pub doubted: Rc<Vec<u16>>,
    pub is_drawing: bool,
    pub shows_bands: bool,
    pub fast: FastLayer,
    pub send: Callback<Message>,
}

impl View for ClusterPanel {
    fn view(&self) -> Html {
        let Some(layout) = self.layout.clusters.get(usize::from(self.cluster)) else {
            return Html::default();
        };
        let cluster = self.cluster;
        let right_size = self.send.reform(move |_| Message::RightSize(cluster));
        let is_ring = layout.kind == "gossip_ring";
        html! {
            <section class={classes!("cluster", format!("k{}", self.hue))} aria-label={layout.name.clone()}>
                <div class="cluster-head">
                    <h2>{ layout.name.clone() }</h2><p>{ layout.summary.clone() }</p>
                </div>
                { draw(FigureRow { cluster: self.cluster, figures: self.now.figures.clone(), send: self.send.clone() }) }
                <Picture cluster={self.cluster} layout={self.layout.clone()} nodes={self.now.nodes.clone()}
                    cuts={self.now.cuts.clone()} partitions={self.now.partitions.clone()} selected={self.selected} doubted={self.doubted.clone()}
                    is_drawing={self.is_drawing} fast={self.fast.clone()} send={self.send.clone()} />
                <p class="legend">{ legend(is_ring, self.shows_bands) }
                    if !self.now.partitions.is_empty() { { " · bars: partitions, as full as they lag" } }
                    if self.shows_bands {
                        <button class="plain inline" onclick={self.send.reform(|_| Message::SetSpeed(SPEED_OF_MESSAGES))}>{ "slow down to see messages" }</button>
                    }
                    <button class="plain inline right-size" aria-label={format!("Right-size {}", layout.name)} title="Search for the cheapest design that does what it should"
                        onclick={right_size}>{ "Right-size" }</button>
                </p>
            </section>
        }
    }
}

/// What the marks mean, in one line.
fn legend(is_ring: bool, shows_bands: bool) -> &'static str {
    match (is_ring, shows_bands) {
        (false, true) => "band: traffic · fill: load · arc: missed health checks",
        (true, true) => "band: traffic · fill: load · arc: suspicion",
        (false, false) => "● request ○ reply × stopped · fill: load · arc: missed health checks",
        (true, false) => "● request ○ reply × stopped · fill: load · arc: suspicion · dotted: gossip",
    }
}
