//! What the keyboard can do.

use crate::ui::app::Message;
use crate::ui::dialog::Dialog;
use crate::ui::view::View;
use yew::prelude::*;

const SHORTCUTS: [(&str, &str); 9] = [
    ("Space", "play or pause"),
    ("→", "step one event"),
    ("←", "step back: 100 ms at real-time speed, less when slower"),
    ("D", "the design: every setting of the run as a switch"),
    ("Tab", "to the next part; each picture is one stop"),
    ("← ↑ → ↓", "in a picture: from node to node"),
    ("Enter", "on a node: everything that can be done to it"),
    ("Home, End", "on the timeline: to its start, to where the run has come"),
    ("Esc", "closes what is open"),
];

#[derive(PartialEq)]
pub struct Shortcuts {
    pub send: Callback<Message>,
}

impl View for Shortcuts {
    fn view(&self) -> Html {
        let shortcut = |(keys, words): &(&str, &str)| html! { <><dt><kbd>{ keys.to_string() }</kbd></dt><dd>{ words.to_string() }</dd></> };
        html! {
            <Dialog title="Keyboard" on_close={self.send.reform(|()| Message::ClosePopup)}>
                <dl class="shortcuts">{ for SHORTCUTS.iter().map(shortcut) }</dl>
                <p class="hint">{ "With a mouse or pen: draw a line across a picture to cut the network along it." }</p>
            </Dialog>
        }
    }
}
