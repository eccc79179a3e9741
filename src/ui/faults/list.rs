//! What is broken now and what was, with what each fault touched.

use crate::engine::order::places_by;
use crate::session::command::Command;
use crate::session::frame::{FaultFrame, FaultTouch};
use crate::session::protocol::ToWorker;
use crate::ui::app::Message;
use crate::ui::icon::icon;
use crate::ui::number;
use crate::ui::view::View;
use std::rc::Rc;
use yew::prelude::*;

/// Lines that are shown; the timeline shows all.
const LINES_MAX: usize = 5;

#[derive(PartialEq)]
pub struct FaultList {
    pub faults: Rc<Vec<FaultFrame>>,
    /// Short names of the clusters.
    pub names: Rc<Vec<String>>,
    pub now_s: u64,
    pub send: Callback<Message>,
}

impl View for FaultList {
    fn view(&self) -> Html {
        // Acting first, then the latest that were lifted, then what is to come.
        let rank = |fault: &&FaultFrame| {
            let is_to_come =
                fault.begin_ns > self.now_s * 1_000_000_000 && !fault.active && !has_touched(fault);
            (
                if fault.active {
                    0
                } else if is_to_come {
                    2
                } else {
                    1
                },
                if is_to_come { fault.begin_ns } else { u64::MAX - fault.begin_ns },
            )
        };
        let order = places_by(self.faults.len(), |at| {
            rank(&&self.faults[at]).0 << 62 | rank(&&self.faults[at]).1 >> 2
        });
        let faults: Vec<&FaultFrame> = order.iter().map(|at| &self.faults[*at as usize]).collect();
        let line = |fault: &&FaultFrame| {
            let is_to_come = rank(fault).0 == 2;
            let words = if is_to_come {
                format!("from {} s", number::seconds(fault.begin_ns))
            } else {
                touched(fault, &self.names)
            };
            let lift = fault.active.then(|| {
            let number = fault.number;
            let onclick = self.send.reform(move |_| Message::Send(ToWorker::Act(Command::Lift { fault: number })));
            html! { <button class="lift" {onclick}>{ "Lift" }<span class="hidden">{ format!(": {}", fault.label) }</span></button> }
        });
            html! {
                <li key={fault.number} class={classes!(fault.active.then_some("active"), is_to_come.then_some("to-come"))}>
                    { icon(icon_of(&fault.name)) }
                    <div><b>{ fault.label.clone() }</b><span>{ words }</span></div>
                    { lift }
                </li>
            }
        };
        if faults.is_empty() {
            return Html::default();
        }
        html! {
            <section class="fault-list" aria-label="Faults">
                <ul>{ for faults.iter().take(LINES_MAX).map(line) }</ul>
            </section>
        }
    }
}

fn icon_of(name: &str) -> &str {
    match name {
        "restart" => "restart_node",
        "pause" => "pause_node",
        "join" => "split",
        "leave" => "merge",
        "replace" => "restore",
        other => other,
    }
}

fn has_touched(fault: &FaultFrame) -> bool {
    fault.touched.iter().any(|touch| touch.messages.total() > 0 || touch.operations > 0)
}

/// `SQL: stopped 41 messages, 12 operations failed`. Zero is said too.
fn touched(fault: &FaultFrame, names: &[String]) -> String {
    if !has_touched(fault) {
        // What an operator asked for stops nothing by itself.
        let asked = ["split", "merge", "schema_change", "restore", "join", "leave", "replace"];
        if asked.contains(&fault.name.as_str()) {
            return if fault.active { "under way" } else { "over" }.to_string();
        }
        let so_far = if fault.active { "touched nothing so far" } else { "touched nothing" };
        return format!("{so_far}: 0 messages stopped");
    }
    let of_cluster = |(touch, name): (&FaultTouch, &String)| format!("{name}: {}", describe(touch));
    fault.touched.iter().zip(names).map(of_cluster).collect::<Vec<_>>().join(" · ")
}

fn describe(touch: &FaultTouch) -> String {
    let messages = &touch.messages;
    let parts = [
        (messages.stopped, format!("stopped {}", number::many(messages.stopped, "message", "messages"))),
        (messages.delayed, format!("delayed {}", number::count(messages.delayed))),
        (messages.duplicated, format!("doubled {}", number::count(messages.duplicated))),
        (touch.operations, format!("{} failed", number::many(touch.operations, "operation", "operations"))),
    ];
    let parts: Vec<String> =
        parts.into_iter().filter(|(count, _)| *count > 0).map(|(_, words)| words).collect();
    if parts.is_empty() { "touched nothing".to_string() } else { parts.join(", ") }
}
