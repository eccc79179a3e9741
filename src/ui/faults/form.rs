//! The few questions that a fault asks before it begins.

use super::draft::{DURATIONS_MS, Draft};
use super::kind::Kind;
use super::target::TargetList;
use crate::session::frame::Layout;
use crate::ui::app::Message;
use crate::ui::dialog::{Anchor, Dialog};
use crate::ui::number;
use crate::ui::shared::Shared;
use crate::ui::view::draw;
use web_sys::SubmitEvent;
use yew::prelude::*;

#[derive(Properties, PartialEq)]
pub struct Props {
    pub kind: Kind,
    pub layout: Shared<Layout>,
    pub anchor: Anchor,
    /// The duration that was chosen last.
    pub for_ms: Option<f64>,
    pub send: Callback<Message>,
}

#[component]
pub fn FaultForm(props: &Props) -> Html {
    let draft = use_state(|| Draft::new(props.kind, &props.layout, props.for_ms));
    // Changes one thing of the draft.
    let change = |apply: fn(&mut Draft, String)| {
        let draft = draft.clone();
        Callback::from(move |value: String| {
            let mut new = (*draft).clone();
            apply(&mut new, value);
            draft.set(new);
        })
    };
    let fault = draft.fault(&props.layout);
    let onsubmit = {
        let (send, fault, for_ms) = (props.send.clone(), fault.clone(), draft.for_ms);
        Callback::from(move |event: SubmitEvent| {
            event.prevent_default();
            if let Ok(fault) = &fault {
                send.emit(Message::Begin(fault.clone(), for_ms));
            }
        })
    };
    let target_list = |label: &'static str, with_everything, value: &str, on_choose| {
        html! {
                   { draw(TargetList {
        label: label.into(), layout: props.layout.clone(), with_everything, value: value.to_string().into(), on_choose,
        }) }
               }
    };
    html! {
        <Dialog title={props.kind.title()} anchor={props.anchor} on_close={props.send.reform(|()| Message::ClosePopup)}>
            <form class="fault-form" {onsubmit}>
                <p>{ props.kind.meaning() }</p>
                if props.kind == Kind::Partition { { sides(props, &draft, &change) } }
                if props.kind.has_target() {
                    { target_list("Which?", false, &draft.target, change(|draft, value| draft.target = value)) }
                }
                if props.kind == Kind::Replace {
                    { target_list("By which?", false, &draft.from, change(|draft, value| draft.from = value)) }
                }
                if props.kind.has_way() {
                    { target_list("Messages sent by", true, &draft.from, change(|draft, value| draft.from = value)) }
                    { target_list("and meant for", true, &draft.to, change(|draft, value| draft.to = value)) }
                }
                if let Some(amounts) = props.kind.amounts() {
                    { choices(
                        "amount",
                        amounts.question,
                        amounts.choices.iter().map(|amount| (amount.to_string(), amounts.describe(*amount))),
                        &draft.amount.to_string(),
                        change(|draft, value| draft.amount = finite(&value).unwrap_or(draft.amount)),
                    ) }
                }
                if let Some((question, places)) = props.kind.place() {
                    { choices(
                        "place",
                        question,
                        places.iter().map(|place| (place.to_string(), place.to_string())),
                        &draft.from,
                        change(|draft, value| draft.from = value),
                    ) }
                }
                if props.kind == Kind::Crash {
                    { check("Its disk is lost too", draft.disk_lost, change(|draft, _| draft.disk_lost = !draft.disk_lost)) }
                }
                if !props.kind.is_instant() {
                    { choices(
                        "duration",
                        "For how long?",
                        DURATIONS_MS.iter().map(|duration| (duration_value(*duration), duration_words(*duration))),
                        &duration_value(draft.for_ms),
                        change(|draft, value| draft.for_ms = finite(&value)),
                    ) }
                }
                if let Err(missing) = &fault { <p class="hint" role="status">{ *missing }</p> }
                <div class="form-foot">
                    <button type="submit" class="primary" disabled={fault.is_err()} autofocus=true>{ "Break it" }</button>
                    if props.kind == Kind::Partition {
                        <button type="button" onclick={props.send.reform(|_| Message::StartDrawing)}>{ "Draw a line instead" }</button>
                    }
                </div>
            </form>
        </Dialog>
    }
}

fn duration_value(duration: Option<f64>) -> String {
    duration.map_or("lifted".to_string(), |ms| ms.to_string())
}

fn duration_words(duration: Option<f64>) -> String {
    duration.map_or("until I lift it".to_string(), |ms| format!("{} s", number::seconds((ms * 1e6) as u64)))
}

/// A few choices beside each other.
fn choices(
    name: &'static str,
    question: &'static str,
    choices: impl Iterator<Item = (String, String)>,
    chosen: &str,
    on_choose: Callback<String>,
) -> Html {
    let choice = |(value, words): (String, String)| {
        let checked = value == chosen;
        let onchange = on_choose.reform({
            let value = value.clone();
            move |_: Event| value.clone()
        });
        html! {
            <label class="chip-choice"><input type="radio" {name} {value} {checked} {onchange} /><span>{ words }</span></label>
        }
    };
    html! {
        <fieldset class="field"><legend>{ question }</legend><div class="chips">{ for choices.map(choice) }</div></fieldset>
    }
}

fn check(words: &str, checked: bool, on_change: Callback<String>) -> Html {
    let onchange = on_change.reform(|_: Event| String::new());
    html! { <label class="check"><input type="checkbox" {checked} {onchange} /><span>{ words.to_string() }</span></label> }
}

/// Who is on which side of a cut.
fn sides(props: &Props, draft: &Draft, change: &impl Fn(fn(&mut Draft, String)) -> Callback<String>) -> Html {
    let toggle_zone = change(|draft, zone| toggle(&mut draft.zones, zone));
    let toggle_node = change(|draft, node| toggle(&mut draft.nodes, node));
    let zone = |zone: &String| {
        let onchange = toggle_zone.reform({
            let zone = zone.clone();
            move |_: Event| zone.clone()
        });
        let checked = draft.zones.contains(zone);
        html! { <label class="chip-choice"><input type="checkbox" {checked} {onchange} /><span>{ format!("zone {zone}") }</span></label> }
    };
    let node = |name: &String| {
        let onchange = toggle_node.reform({
            let name = name.clone();
            move |_: Event| name.clone()
        });
        let checked = draft.nodes.contains(name);
        html! { <label class="chip-choice"><input type="checkbox" {checked} {onchange} /><span>{ name.clone() }</span></label> }
    };
    let cluster = |cluster: &crate::session::frame::ClusterLayout| {
        let names: Vec<String> = cluster.nodes.iter().map(|node| node.name.clone()).collect();
        html! { <><h3>{ cluster.name.clone() }</h3><div class="chips">{ for names.iter().map(node) }</div></> }
    };
    html! {
        <>
            { choices(
                "sides",
                "Along which line?",
                [("zone", "between zones"), ("node", "node by node")].map(|(value, words)| (value.to_string(), words.to_string())).into_iter(),
                if draft.is_by_node { "node" } else { "zone" },
                change(|draft, value| draft.is_by_node = value == "node"),
            ) }
            <fieldset class="field">
                <legend>{ "Cut off from all others" }</legend>
                if draft.is_by_node {
                    <div class="node-sides">{ for props.layout.clusters.iter().map(cluster) }</div>
                } else {
                    <div class="chips">{ for props.layout.zones.iter().map(zone) }</div>
                }
            </fieldset>
        </>
    }
}

fn toggle(list: &mut Vec<String>, entry: String) {
    let count = list.len();
    list.retain(|other| *other != entry);
    if list.len() == count {
        list.push(entry);
    }
}

/// By the browser's own reader of numbers.
fn finite(text: &str) -> Option<f64> {
    Some(js_sys::parse_float(text)).filter(|number| number.is_finite())
}
