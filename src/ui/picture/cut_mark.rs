//! A cut as the slow layer draws it.

use super::cut::Cut;
use yew::prelude::*;

pub fn cut_mark(cut: &Cut, label: &str) -> Html {
    let words = cut.words_at.map(|at| {
        html! { <text class="cut-words" x={at.x.to_string()} y={(at.y - 6.0).to_string()}>{ label.to_string() }</text> }
    });
    let arrow = cut.open_way.map(|(at, way)| {
        let degrees = way.y.atan2(way.x).to_degrees();
        html! {
            <path class="open-way" d="M-15 0H13M6 -6L14 0L6 6"
                transform={format!("translate({:.1},{:.1}) rotate({degrees:.0})", at.x, at.y)} />
        }
    });
    html! {
        <g class="cut" aria-hidden="true">
            <path class="cut-side" d={cut.outline.clone()} />
            <path class="cut-line" d={cut.outline.clone()} />
            { arrow }
            { words }
        </g>
    }
}
