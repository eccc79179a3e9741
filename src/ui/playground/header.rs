//! Where we are, and the ways from here.

use crate::ui::app::{Message, Popup};
use crate::ui::dialog;
use crate::ui::icon::{brand, icon};
use crate::ui::theme::Theme;
use crate::ui::view::View;
use web_sys::MouseEvent;
use yew::prelude::*;

#[derive(PartialEq)]
pub struct Header {
    pub title: AttrValue,
    pub question: AttrValue,
    pub theme: Theme,
    pub has_run: bool,
    pub send: Callback<Message>,
}

impl View for Header {
    fn view(&self) -> Html {
        let send = &self.send;
        let traffic =
            send.reform(|event: MouseEvent| Message::OpenPopup(Popup::Traffic, dialog::beside(&event)));
        html! {
            <header>
                <a class="brand" href="#/" aria-label="Faultline: all scenarios">{ brand() }<span>{ "Faultline" }</span></a>
                <div class="question">
                    if self.has_run { <h1>{ self.title.clone() }</h1><p>{ self.question.clone() }</p> }
                </div>
                <nav aria-label="Page">
                    <a class="button" href="#/">{ icon("gallery") }<span>{ "Scenarios" }</span></a>
                    if self.has_run {
                        <button aria-haspopup="dialog" onclick={traffic}>{ icon("traffic") }<span>{ "Real traffic" }</span></button>
                        <button onclick={send.reform(|_| Message::Share)}>{ icon("share") }<span>{ "Share" }</span></button>
                        <button class="for-keyboards" aria-label="Keyboard shortcuts" title="Keyboard shortcuts (?)" aria-haspopup="dialog"
                            onclick={send.reform(|_| Message::OpenPopup(Popup::Shortcuts, None))}>{ icon("keyboard") }</button>
                    }
                    <button aria-label={format!("Switch to the {} theme", self.theme.other().name())}
                        title={format!("{} theme", self.theme.other().name())}
                        onclick={send.reform(|_| Message::SwitchTheme)}>{ icon("theme") }</button>
                </nav>
            </header>
        }
    }
}
