//! The futures of a run: nothing that was tried is lost.

use crate::session::frame::BranchFrame;
use crate::session::protocol::ToWorker;
use crate::ui::app::Message;
use crate::ui::dialog::{Anchor, Dialog};
use crate::ui::icon::icon;
use crate::ui::number;
use crate::ui::view::View;
use std::rc::Rc;
use yew::prelude::*;

#[derive(PartialEq)]
pub struct Futures {
    pub branches: Rc<Vec<BranchFrame>>,
    pub anchor: Anchor,
    pub send: Callback<Message>,
}

impl View for Futures {
    fn view(&self) -> Html {
        let branch = |branch: &BranchFrame| {
            let id = branch.id;
            let onclick = self.send.reform(move |_| Message::Send(ToWorker::SwitchBranch { id }));
            let from = if branch.parent.is_some() {
                format!("left at {} s, ", number::clock(branch.forked_at_ns))
            } else {
                String::new()
            };
            html! {
                <button key={id} aria-pressed={branch.current.to_string()} {onclick}>
                    { icon(if branch.current { "ok" } else { "branch" }) }
                    <span><b>{ branch.label.clone() }</b><br />{ format!("{from}run to {} s", number::clock(branch.frontier_ns)) }</span>
                </button>
            }
        };
        html! {
            <Dialog title="Futures" class="menu" anchor={self.anchor} on_close={self.send.reform(|()| Message::ClosePopup)}>
                <p>{ "Each began where something was done after time was taken back." }</p>
                <div class="menu-list">{ for self.branches.iter().map(branch) }</div>
            </Dialog>
        }
    }
}
