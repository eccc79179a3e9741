//! Changing the design of the run.

use super::{App, Message, Popup};
use crate::session::protocol::ToWorker;
use crate::ui::design::{self, Change};
use crate::ui::shared::Shared;
use gloo::timers::callback::Timeout;

impl App {
    pub(super) fn open_design(&mut self) -> bool {
        if self.run.is_none() {
            return false;
        }
        if !matches!(self.design.switches, Some(Ok(_))) {
            let send = self.send.clone();
            yew::platform::spawn_local(async move {
                send.emit(Message::Design(Change::Loaded(design::read_switches().await)));
            });
        }
        self.open_popup(Popup::Design, None)
    }

    pub(super) fn change_design(&mut self, change: Change) -> bool {
        match &change {
            Change::Apply => {
                let scenario = serde_json::to_string(&*self.design.draft).unwrap_or_default();
                self.tell(ToWorker::Redesign { scenario });
            }
            Change::Opened { .. } if self.design.is_applying => {
                self.popup = None;
                self.say("The run began anew with the changed design, and the same seed.", false);
            }
            _ => {}
        }
        let mut new = (*self.design).clone();
        new.change(change);
        if let Some(id) = new.refusal.as_ref().and_then(|refusal| refusal.element_id()) {
            // It may have to be drawn first.
            Timeout::new(0, move || design::focus(&id)).forget();
        }
        self.design = Shared::new(new);
        true
    }
}
