//! What can be done to one node.

use crate::scenario::fault::{FaultSpec, Selector};
use crate::session::command::Command;
use crate::session::frame::{FaultFrame, Layout};
use crate::session::protocol::ToWorker;
use crate::ui::app::{Message, NodeAddress};
use crate::ui::dialog::{Anchor, Dialog};
use crate::ui::icon::icon;
use crate::ui::shared::Shared;
use crate::ui::view::View;
use std::rc::Rc;
use wasm_bindgen::JsCast;
use web_sys::{Element, HtmlElement, KeyboardEvent};
use yew::prelude::*;

#[derive(PartialEq)]
pub struct NodeMenu {
    pub address: NodeAddress,
    pub layout: Shared<Layout>,
    pub faults: Rc<Vec<FaultFrame>>,
    pub anchor: Anchor,
    pub for_ms: Option<f64>,
    pub send: Callback<Message>,
}

impl View for NodeMenu {
    fn view(&self) -> Html {
        let address = &self.address;
        let Some(cluster) = self.layout.clusters.get(usize::from(address.cluster)) else {
            return Html::default();
        };
        let named = |node: &u16| cluster.nodes.get(usize::from(*node));
        let names: Vec<String> =
            address.nodes.iter().filter_map(named).map(|node| node.name.clone()).collect();
        let Some(first) = address.nodes.first().and_then(named) else { return Html::default() };
        let zone = self.layout.zones.get(usize::from(first.zone)).cloned().unwrap_or_default();
        let title = match names.as_slice() {
            [only] => format!("{only} · {} · zone {zone}", first.role.replace('-', " ")),
            several => format!("{} clients · zone {zone}", several.len()),
        };
        let all = || Selector { nodes: names.clone(), ..Selector::default() };
        let others = || {
            let others = cluster.nodes.iter().map(|node| &node.name).filter(|name| !names.contains(name));
            Selector { nodes: others.cloned().collect(), ..Selector::default() }
        };
        let acts_on = |fault: &&FaultFrame| {
            let nodes = fault.nodes.get(usize::from(address.cluster));
            fault.active && nodes.is_some_and(|nodes| address.nodes.iter().any(|node| nodes.contains(node)))
        };
        let lift = |fault: &FaultFrame| {
            let number = fault.number;
            let onclick =
                self.send.reform(move |_| Message::Send(ToWorker::Act(Command::Lift { fault: number })));
            let close = self.send.reform(|_: MouseEvent| Message::ClosePopup);
            let onclick = Callback::from(move |event: MouseEvent| {
                onclick.emit(event.clone());
                close.emit(event);
            });
            html! { <button class="lifts" {onclick}>{ icon("ok") }<span>{ format!("Lift: {}", fault.label) }</span></button> }
        };
        let begin = |name: &'static str, words: &'static str, fault: FaultSpec, for_ms: Option<f64>| {
            let onclick = self.send.reform(move |_| Message::Begin(fault.clone(), for_ms));
            html! { <button {onclick}>{ icon(name) }<span>{ words }</span></button> }
        };
        let for_ms = self.for_ms;
        let inspect = {
            let address = address.clone();
            self.send.reform(move |_| Message::Inspect(Some(address.clone())))
        };
        html! {
            <Dialog {title} class="menu" anchor={self.anchor} on_close={self.send.reform(|()| Message::ClosePopup)}>
                <div class="menu-list" onkeydown={Callback::from(|event: KeyboardEvent| move_focus(&event))}>
                    <button autofocus=true onclick={inspect}>{ icon("inspect") }<span>{ "Inspect" }</span></button>
                    { for self.faults.iter().filter(acts_on).map(lift) }
                    { begin("crash", "Crash", FaultSpec::Crash { nodes: all(), disk_lost: false }, for_ms) }
                    { begin("crash", "Crash, and lose its disk", FaultSpec::Crash { nodes: all(), disk_lost: true }, for_ms) }
                    { begin("restart_node", "Restart", FaultSpec::Restart { nodes: all() }, None) }
                    { begin("pause_node", "Pause", FaultSpec::Pause { nodes: all() }, for_ms) }
                    { begin("slow_machine", "Slow down 10×", FaultSpec::SlowMachine { nodes: all(), factor: 10.0 }, for_ms) }
                    { begin("slow_disk", "Slow its disk 20×", FaultSpec::SlowDisk { nodes: all(), factor: 20.0 }, for_ms) }
                    { begin("clock_skew", "Set its clock 5 s ahead", FaultSpec::ClockSkew { nodes: all(), offset_ms: 5_000.0 }, for_ms) }
                    { begin("clock_skew", "Set its clock 5 s back", FaultSpec::ClockSkew { nodes: all(), offset_ms: -5_000.0 }, for_ms) }
                    { begin("isolate", "Cut it off from all others", FaultSpec::Partition { groups: vec![all(), others()] }, for_ms) }
                </div>
            </Dialog>
        }
    }
}

/// Up and down go from one entry to the next, and round.
fn move_focus(event: &KeyboardEvent) {
    let step = match event.key().as_str() {
        "ArrowDown" => 1,
        "ArrowUp" => -1,
        _ => return,
    };
    let focused = event.target().and_then(|target| target.dyn_into::<Element>().ok());
    let list = focused.as_ref().and_then(|element| element.closest(".menu-list").ok().flatten());
    let Some(entries) = list.and_then(|list| list.query_selector_all("button").ok()) else { return };
    let count = entries.length() as i32;
    let entry =
        |index: i32| entries.item(index as u32).and_then(|entry| entry.dyn_into::<HtmlElement>().ok());
    let at = (0..count).find(|index| entry(*index).map(Element::from) == focused).unwrap_or(0);
    event.prevent_default();
    if let Some(next) = entry((at + step).rem_euclid(count.max(1))) {
        let _ = next.focus();
    }
}
