//! Recorded traffic: how to bring it, and how it was read.

use crate::ui::app::Message;
use crate::ui::dialog::{Anchor, Dialog};
use crate::ui::number;
use crate::ui::view::View;
use web_sys::HtmlInputElement;
use yew::prelude::*;

#[derive(PartialEq)]
pub struct TrafficForm {
    pub anchor: Anchor,
    pub send: Callback<Message>,
}

impl View for TrafficForm {
    fn view(&self) -> Html {
        let onchange = {
            let send = self.send.clone();
            Callback::from(move |event: Event| {
                let input = event.target_dyn_into::<HtmlInputElement>();
                if let Some(file) = input.and_then(|input| input.files()?.get(0)) {
                    send.emit(Message::ReadTraffic(file));
                }
            })
        };
        html! {
            <Dialog title="Real traffic" anchor={self.anchor} on_close={self.send.reform(|()| Message::ClosePopup)}>
                <p>{ "Replay what real users asked for, in place of the scenario's clients: drop a file anywhere on this page, or choose one. It never leaves this computer." }</p>
                <p>{ "Either a CSV file with the columns " }<code>{ "time_ms, operation, key, bytes" }</code>
                    { ", or the access log of a web server (common or combined format). At most 64 MB are read." }</p>
                <label class="file-choice">
                    <span>{ "Choose a file" }</span>
                    <input type="file" accept=".csv,.log,.txt,text/csv,text/plain" {onchange} />
                </label>
            </Dialog>
        }
    }
}

#[derive(PartialEq)]
pub struct RecordedReport {
    pub taken: u64,
    pub skipped: u64,
    pub first_skipped: Vec<String>,
    pub send: Callback<Message>,
}

impl View for RecordedReport {
    fn view(&self) -> Html {
        html! {
            <Dialog title="Recorded traffic" on_close={self.send.reform(|()| Message::ClosePopup)}>
                <p>{ format!("{} taken, {} skipped.", number::many(self.taken, "line", "lines"), number::count(self.skipped)) }</p>
                if !self.first_skipped.is_empty() {
                    <h3>{ "The first that were skipped" }</h3>
                    <ul class="skipped">{ for self.first_skipped.iter().map(|line| html! { <li>{ line.clone() }</li> }) }</ul>
                }
                <div class="form-foot">
                    <button class="primary" autofocus=true onclick={self.send.reform(|_| Message::ClosePopup)}>{ "Watch it" }</button>
                </div>
            </Dialog>
        }
    }
}
