//! "Break something": the faults as things to press.

use super::kind::Kind;
use crate::session::frame::FaultFrame;
use crate::ui::app::{Message, Popup};
use crate::ui::dialog;
use crate::ui::icon::icon;
use std::rc::Rc;
use web_sys::MouseEvent;
use yew::prelude::*;

#[derive(Properties, PartialEq)]
pub struct Props {
    pub faults: Rc<Vec<FaultFrame>>,
    /// Whether a cluster has a counting service.
    pub has_service: bool,
    pub send: Callback<Message>,
}

#[component]
pub fn Palette(props: &Props) -> Html {
    let shows_more = use_state(|| false);
    let tile = |kind: &Kind| {
        let kind = *kind;
        let is_active = props.faults.iter().any(|fault| fault.active && fault.name == kind.name());
        let onclick = props
            .send
            .reform(move |event: MouseEvent| Message::OpenPopup(Popup::Fault(kind), dialog::beside(&event)));
        html! {
            <button class={classes!("tile", is_active.then_some("on"))} aria-haspopup="dialog" {onclick}>
                { icon(kind.icon()) }<span>{ kind.title() }</span>
                if is_active { <span class="hidden">{ ", acting now" }</span> }
            </button>
        }
    };
    let toggle = {
        let shows_more = shows_more.clone();
        Callback::from(move |_: MouseEvent| shows_more.set(!*shows_more))
    };
    html! {
        <section class="palette" aria-label="Break something">
            <div class="section-head">
                <h3>{ "Break something" }</h3>
                <button class="plain more" aria-expanded={shows_more.to_string()} onclick={toggle}>
                    { if *shows_more { "fewer" } else { "more" } }<span class="hidden">{ " ways to break something" }</span>
                </button>
            </div>
            <div class="tiles">
                if props.has_service { { for Kind::SERVICE.iter().map(tile) } }
                { for Kind::FIRST.iter().map(tile) }
                if *shows_more { { for Kind::MORE.iter().map(tile) } }
            </div>
        </section>
    }
}
