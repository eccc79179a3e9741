//! Changing the design of the run.

use super::{App, Message, Popup};
use crate::session::protocol::ToWorker;
use crate::ui::design::{self, Change};
use crate::ui::shared::Shared;
use gloo::timers::callback::Timeout;
use serde_json::{Map, Value};

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

    /// Runs the same scenario anew with another price of an item, or with the sheet's if none was typed.
    pub(super) fn set_price(&mut self, item: &str, typed: &str) -> bool {
        let mut scenario = (*self.design.running).clone();
        let Value::Object(fields) = &mut scenario else { return false };
        let mut own = match fields.remove("price_overrides") {
            Some(Value::Array(own)) => own,
            _ => Vec::new(),
        };
        own.retain(|price| price["item"] != item);
        let usd = js_sys::parse_float(typed);
        if !usd.is_nan() {
            let mut price = Map::new();
            price.insert("item".to_string(), Value::from(item));
            price.insert("usd".to_string(), Value::from(usd));
            own.push(Value::Object(price));
        }
        fields.insert("price_overrides".to_string(), Value::Array(own));
        let scenario = serde_json::to_string(&scenario).unwrap_or_default();
        self.tell(ToWorker::Redesign { scenario });
        self.say("The run begins anew with that price, and the same seed.", false);
        true
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
            // No switch is there to show it at.
            Change::Refused { field, problem } if matches!(self.popup, Some((Popup::Bill(_), _))) => {
                self.say(format!("{field} {problem}."), true);
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
