//! The panel: the clusters beside each other, their parts to fold out, a line for each switch.

use super::scope::Scope;
use super::state::{Change, Design, differs, is_within};
use super::switch::{Switch, element_id, number};
use crate::ui::app::Message;
use crate::ui::dialog::Dialog;
use crate::ui::icon::icon;
use crate::ui::number::many;
use crate::ui::shared::Shared;
use crate::ui::view::View;
use js_sys::JSON;
use serde_json::Value;
use std::rc::Rc;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{HtmlElement, HtmlInputElement};
use yew::prelude::*;

#[derive(PartialEq)]
pub struct DesignPanel {
    pub design: Shared<Design>,
    /// Which of the clusters' colours each has.
    pub hues: Rc<Vec<u8>>,
    pub send: Callback<Message>,
}

impl View for DesignPanel {
    fn view(&self) -> Html {
        let design = &self.design;
        let oninput = self.send.reform(|event: InputEvent| {
            Message::Design(Change::Search(event.target_unchecked_into::<HtmlInputElement>().value()))
        });
        html! {
            <Dialog title="Design" class="design" on_close={self.send.reform(|()| Message::ClosePopup)}>
                <div class="design-tools">
                    <input type="search" aria-label="Search the settings" placeholder="Search the settings" autocomplete="off"
                        autofocus={!is_touch()} value={design.search.clone()} {oninput} />
                    <p class="hint">{ "Changes wait until they are applied. The run then begins anew, with the same seed." }</p>
                </div>
                <div class="design-scopes">{ self.scopes() }</div>
                { self.foot() }
            </Dialog>
        }
    }
}

impl DesignPanel {
    fn scopes(&self) -> Html {
        let design = &self.design;
        let said = match &design.switches {
            None => "Loading the settings …",
            Some(Err(why)) => why,
            Some(Ok(_)) => "No setting is called that.",
        };
        let scopes = design.scopes.iter().enumerate();
        let scopes: Vec<Html> = scopes.filter_map(|(number, scope)| self.scope(number, scope)).collect();
        if scopes.is_empty() {
            return html! { <p role="status">{ said.to_string() }</p> };
        }
        html! { { for scopes } }
    }

    /// None where there is nothing, or nothing that was searched for.
    fn scope(&self, number: usize, scope: &Scope) -> Option<Html> {
        let design = &self.design;
        let search = design.search.to_ascii_lowercase();
        let all = design.switches(scope, number);
        let mut shown = all.clone();
        shown.retain(|switch| switch.is_shown(&design.draft) && is_found(switch, &all, &search));
        let parts = shown.chunk_by(|one, next| one.text("part") == next.text("part"));
        let parts: Vec<Html> = parts.enumerate().map(|(place, part)| self.part(place, part)).collect();
        let hue = self.hues.get(number).map(|hue| format!("k{hue}"));
        (!parts.is_empty()).then(|| {
            html! {
                <section key={number} class={classes!("scope", hue)} aria-label={scope.name.clone()}>
                    <h3>{ scope.name.clone() }</h3>{ for parts }
                </section>
            }
        })
    }

    fn part(&self, place: usize, switches: &[Switch]) -> Html {
        let Design { as_opened, running, draft, search, .. } = &*self.design;
        let name = switches[0].text("part").to_string();
        let count = |one, other| switches.iter().filter(|switch| differs(switch, one, other)).count();
        let (pending, changed) = (count(draft, running), count(running, as_opened));
        // What is folded out must not fold in while somebody works there: it follows what runs.
        let is_open = place == 0 || changed > 0 || !search.is_empty();
        let (class, tag) = match (pending, changed) {
            (0, 0) => ("", String::new()),
            (0, changed) => ("tag", format!("{changed} changed")),
            (pending, _) => ("tag pending", format!("{pending} to apply")),
        };
        html! {
            <details key={name.clone()} open={is_open}>
                <summary><b>{ name }</b><span {class}>{ tag }</span><span class="count">{ many(switches.len() as u64, "setting", "settings") }</span></summary>
                { for switches.iter().map(|switch| self.row(switch)) }
            </details>
        }
    }

    fn row(&self, switch: &Switch) -> Html {
        let Design { as_opened, running, draft, refusal, .. } = &*self.design;
        let id = element_id(switch.place);
        let is_pending = differs(switch, draft, running);
        let can_reset = differs(switch, draft, as_opened);
        let refusal = refusal.as_ref().filter(|refusal| refusal.place == Some(switch.place));
        let class = match (refusal, is_pending) {
            (Some(_), _) => "setting pending refused",
            (None, true) => "setting pending",
            (None, false) => "setting",
        };
        let place = switch.place;
        let label = switch.text("label").to_string();
        let reset = self.send.reform(move |_: MouseEvent| Message::Design(Change::Reset(place)));
        html! {
            <div key={id.clone()} {class}>
                <label for={id.clone()}>{ label.clone() }</label>
                { self.control(switch, &id, refusal.is_some()) }
                <p id={format!("{id}-help")}>{ switch.text("help").to_string() }</p>
                if let Some(refusal) = refusal { <p class="refusal" role="alert">{ refusal.words.clone() }</p> }
                <p class="notes">
                    { self.notes(switch, is_pending) }
                    if can_reset { <button class="plain" aria-label={format!("Reset: {label}")} onclick={reset}>{ "Reset" }</button> }
                </p>
            </div>
        }
    }

    /// What the switch is elsewhere, where that is not what it is here.
    fn notes(&self, switch: &Switch, is_pending: bool) -> String {
        let Design { as_opened, running, draft, .. } = &*self.design;
        let mut notes = String::new();
        let mut known = vec![switch.words(switch.value(draft))];
        let mut note = |what: &str, value: &Value| {
            let words = switch.words(value);
            if !known.contains(&words) {
                notes = format!("{notes}{what} {}. ", words.trim_end());
                known.push(words);
            }
        };
        if is_pending {
            note("To apply; in the run:", switch.value(running));
        }
        if switch.is_shown(as_opened) {
            note("In the scenario:", switch.value(as_opened));
        }
        if let Some(default) = switch.entry.get("default") {
            note("By default:", default);
        }
        notes
    }

    fn control(&self, switch: &Switch, id: &str, is_refused: bool) -> Html {
        let value = switch.value(&self.design.draft);
        let place = switch.place;
        // A list has a value as a field has; only a box can be checked.
        let onchange = self.send.reform(move |event: Event| {
            let control = event.target_unchecked_into::<HtmlInputElement>();
            Message::Design(Change::Set(place, control.value(), control.checked()))
        });
        let id = id.to_string();
        let described_by = format!("{id}-help");
        let is_invalid = is_refused.then_some("true");
        if switch.text("control") == "choice" {
            let chosen = switch.choice_of(value);
            let option = |(index, choice): (usize, &Value)| {
                html! { <option value={index.to_string()} selected={chosen == Some(index)}>{ choice["label"].as_str().unwrap_or_default().to_string() }</option> }
            };
            return html! {
                <select {id} aria-describedby={described_by} aria-invalid={is_invalid} {onchange}>
                    if chosen.is_none() { <option selected=true disabled=true>{ switch.words(value) }</option> }
                    { for switch.choices().iter().enumerate().map(option) }
                </select>
            };
        }
        let is_toggle = switch.text("control") == "toggle";
        let step = &switch.entry["step"];
        let step = if step.is_null() { "any".to_string() } else { number(step) };
        let value_words = if is_toggle { "on".to_string() } else { number(value) };
        html! {
            <span class="control">
                <input type={if is_toggle { "checkbox" } else { "number" }} role={is_toggle.then_some("switch")} {id} aria-describedby={described_by} aria-invalid={is_invalid}
                    {step} value={value_words} checked={is_toggle && switch.is_on(value)} {onchange} />
                { switch.text("unit").to_string() }
            </span>
        }
    }

    fn foot(&self) -> Html {
        let design = &self.design;
        let settings = |count: usize| many(count as u64, "setting", "settings");
        let status = match (design.pending, design.changed) {
            (0, 0) => "The run has the scenario as it was opened.".to_string(),
            (0, changed) => format!("The run differs from its scenario by {}.", settings(changed)),
            (pending, _) => format!("{} to apply.", settings(pending)),
        };
        let refusal = design.refusal.as_ref().filter(|refusal| refusal.place.is_none());
        let button = |class: &'static str, words: &'static str, disabled: bool, change: fn() -> Change| {
            let onclick = self.send.reform(move |_: MouseEvent| Message::Design(change()));
            html! { <button {class} {disabled} {onclick}>{ words }</button> }
        };
        html! {
            <div class="design-foot">
                if let Some(refusal) = refusal { <p class="refusal" role="alert">{ refusal.words.clone() }</p> }
                <p role="status">{ status }</p>
                <div class="form-foot">
                    { button("primary", "Apply and restart", design.pending == 0, || Change::Apply) }
                    if design.pending > 0 {
                        { button("", "Discard", false, || Change::Discard) }
                    } else {
                        <a class="button" download={file_name(design)} href={as_file(design)}>{ icon("file") }{ "Save as a file" }</a>
                    }
                    { button("", "Reset to scenario", design.pending + design.changed == 0, || Change::ResetAll) }
                </div>
            </div>
        }
    }
}

/// Whether every word that is searched for is there; a switch is also found by those that come with it.
fn is_found(switch: &Switch, all: &[Switch], search: &str) -> bool {
    let path = switch.text("path");
    let has_it = |switch: &Switch| {
        let text = |field| switch.text(field);
        let texts = format!(
            "{} {} {} {} {}",
            switch.scope.name,
            text("part"),
            text("label"),
            text("help"),
            text("path")
        );
        let texts = texts.to_ascii_lowercase();
        search.split(' ').all(|word| texts.contains(word))
    };
    let comes_with_it = |other: &&Switch| {
        let when = other.text("when");
        when == path || is_within(when, path)
    };
    has_it(switch) || all.iter().filter(comes_with_it).any(has_it)
}

fn file_name(design: &Design) -> String {
    format!("{}.json", design.running["name"].as_str().unwrap_or("scenario"))
}

/// The scenario of the run as an address, indented, its fields in their order.
fn as_file(design: &Design) -> String {
    let text = JSON::parse(&design.running_text)
        .and_then(|value| JSON::stringify_with_replacer_and_space(&value, &JsValue::NULL, &JsValue::from(2)))
        .unwrap_or_default();
    format!("data:application/json,{}", String::from(js_sys::encode_uri_component(&String::from(text))))
}

/// Whether focusing a field would cover the page with a keyboard.
fn is_touch() -> bool {
    let query = web_sys::window().and_then(|window| window.match_media("(pointer: coarse)").ok().flatten());
    query.is_some_and(|query| query.matches())
}

/// Shows a control of the panel and puts the focus there.
pub fn focus(id: &str) {
    let Some(element) = web_sys::window().and_then(|window| window.document()?.get_element_by_id(id)) else {
        return;
    };
    if let Ok(Some(part)) = element.closest("details") {
        let _ = part.set_attribute("open", "");
    }
    if let Some(element) = element.dyn_ref::<HtmlElement>() {
        let _ = element.focus();
    }
}
