//! One bar for all time: faults as bands, violations as marks, futures beside it, and the place where we are.

use crate::engine::order::ascending;
use crate::session::frame::{BranchFrame, FaultFrame, Line, Severity};
use crate::session::protocol::ToWorker;
use crate::ui::app::Message;
use crate::ui::number;
use crate::ui::run::Moment;
use crate::ui::view::{View, draw};
use std::collections::VecDeque;
use std::rc::Rc;
use web_sys::{Element, HtmlElement, KeyboardEvent, PointerEvent};
use yew::prelude::*;

/// Letters that the bar is about as long as.
const LETTERS_IN_BAR: u64 = 150;
/// Rows of fault bands; more share the last.
const BAND_ROWS: usize = 3;
/// Marks closer than this share of the bar are one.
const MARKS_MAX: u64 = 300;
/// Futures drawn beside the bar.
const FUTURES_MAX: usize = 3;
/// One press of an arrow key moves by this share.
const KEY_STEP: f64 = 0.01;

#[derive(Properties, PartialEq)]
pub struct Props {
    pub moment: Moment,
    pub end_ns: u64,
    pub faults: Rc<Vec<FaultFrame>>,
    pub branches: Rc<Vec<BranchFrame>>,
    pub story: Rc<VecDeque<Line>>,
    pub send: Callback<Message>,
}

#[component]
pub fn Timeline(props: &Props) -> Html {
    let bar = use_node_ref();
    let is_held = use_mut_ref(|| false);
    let share = |time_ns: u64| (time_ns as f64 / props.end_ns.max(1) as f64).clamp(0.0, 1.0);
    let head = share(props.moment.time_ns);
    {
        // The charts below show the same place: the whole section knows it.
        let bar = bar.clone();
        use_effect_with((head * 10_000.0) as i64, move |head| {
            let section = bar.cast::<Element>().and_then(|bar| bar.closest(".time").ok().flatten());
            if let Some(section) = section {
                let style = wasm_bindgen::JsCast::unchecked_into::<HtmlElement>(section).style();
                let _ = style.set_property("--head", &format!("{:.4}", *head as f64 / 10_000.0));
            }
        });
    }
    let seek = {
        let (send, end_ns, frontier_ns) = (props.send.clone(), props.end_ns, props.moment.frontier_ns);
        Callback::from(move |share: f64| {
            let time_ns = ((share.clamp(0.0, 1.0) * end_ns as f64) as u64).min(frontier_ns);
            send.emit(Message::Send(ToWorker::Seek { time_ns }));
        })
    };
    let at_pointer = {
        let bar = bar.clone();
        move |event: &PointerEvent| {
            let place = bar.cast::<Element>()?.get_bounding_client_rect();
            Some((f64::from(event.client_x()) - place.left()) / place.width().max(1.0))
        }
    };
    let onpointerdown = {
        let (seek, at_pointer, is_held, bar) =
            (seek.clone(), at_pointer.clone(), is_held.clone(), bar.clone());
        Callback::from(move |event: PointerEvent| {
            if let Some(bar) = bar.cast::<HtmlElement>() {
                let _ = bar.set_pointer_capture(event.pointer_id());
                let _ = bar.focus();
            }
            *is_held.borrow_mut() = true;
            if let Some(share) = at_pointer(&event) {
                seek.emit(share);
            }
        })
    };
    let onpointermove = {
        let (seek, is_held) = (seek.clone(), is_held.clone());
        Callback::from(move |event: PointerEvent| {
            if let Some(share) = at_pointer(&event).filter(|_| *is_held.borrow()) {
                seek.emit(share);
            }
        })
    };
    let let_go = Callback::from(move |_: PointerEvent| *is_held.borrow_mut() = false);
    let onkeydown = {
        let frontier = share(props.moment.frontier_ns);
        Callback::from(move |event: KeyboardEvent| {
            let target = match event.key().as_str() {
                "ArrowLeft" | "ArrowDown" => head - KEY_STEP,
                "ArrowRight" | "ArrowUp" => head + KEY_STEP,
                "PageDown" => head - KEY_STEP * 10.0,
                "PageUp" => head + KEY_STEP * 10.0,
                "Home" => 0.0,
                "End" => frontier,
                _ => return,
            };
            event.prevent_default();
            seek.emit(target);
        })
    };
    let now_words =
        format!("{} s of {} s", number::clock(props.moment.time_ns), number::seconds(props.end_ns));
    html! {
        <div class="timeline">
            { draw(Bands { end_ns: props.end_ns, faults: props.faults.clone() }) }
            <div class="slider" ref={bar} role="slider" tabindex="0" aria-label="Time"
                aria-valuemin="0" aria-valuemax={(props.moment.frontier_ns / 1_000_000).to_string()}
                aria-valuenow={(props.moment.time_ns / 1_000_000).to_string()} aria-valuetext={now_words}
                {onpointerdown} {onpointermove} onpointerup={let_go.clone()} onpointercancel={let_go} {onkeydown}>
                <svg width="100%" height="18" aria-hidden="true">
                    <rect class="room" x="0" y="3" width="100%" height="12" rx="6" />
                    <rect class="run" x="0" y="3" width={percent(share(props.moment.frontier_ns))} height="12" rx="6" />
                    <rect class="gone" x="0" y="3" width={percent(head)} height="12" rx="6" />
                    <svg x={percent(head)} y="0" overflow="visible"><path class="head" d="M0 -2V20M-5 -4H5L0 3Z" /></svg>
                </svg>
            </div>
            { draw(Marks { end_ns: props.end_ns, story: props.story.clone() }) }
            { draw(Branches { end_ns: props.end_ns, branches: props.branches.clone() }) }
            <div class="ticks" aria-hidden="true">{ ticks(props.end_ns) }</div>
        </div>
    }
}

#[derive(PartialEq)]
struct Bands {
    end_ns: u64,
    faults: Rc<Vec<FaultFrame>>,
}

impl View for Bands {
    fn view(&self) -> Html {
        let share = |time_ns: u64| (time_ns as f64 / self.end_ns.max(1) as f64).clamp(0.0, 1.0);
        // Each in the first row where it does not lie on another.
        let mut rows_end = [0_u64; BAND_ROWS];
        let mut placed = Vec::new();
        for fault in self.faults.iter() {
            let end_ns = fault.end_ns.unwrap_or(self.end_ns);
            let free =
                rows_end.iter().position(|row_end| *row_end <= fault.begin_ns).unwrap_or(BAND_ROWS - 1);
            // Words need room too.
            let words = self.end_ns * fault.label.chars().count() as u64 / LETTERS_IN_BAR;
            rows_end[free] = end_ns.max(fault.begin_ns + words);
            placed.push((free, fault, end_ns));
        }
        let rows = placed.iter().map(|(row, _, _)| row + 1).max().unwrap_or(1);
        let band = |(row, fault, end_ns): &(usize, &FaultFrame, u64)| {
            let (from, to) = (share(fault.begin_ns), share(*end_ns));
            let y = (row * 17) as f64;
            let title = match fault.end_ns {
                Some(end_ns) => format!(
                    "{}, from {} s to {} s",
                    fault.label,
                    number::clock(fault.begin_ns),
                    number::clock(end_ns)
                ),
                None => format!("{}, from {} s on", fault.label, number::clock(fault.begin_ns)),
            };
            // Words stand at the band's start; at the far right they end at its end.
            let (x, anchor, dx) = if from > 0.8 { (to.max(from), "end", "-4") } else { (from, "start", "5") };
            html! {
                <g key={fault.number} class={classes!("band", pattern(&fault.name), fault.active.then_some("active"))}>
                    <title>{ title }</title>
                    <rect x={percent(from)} y={y.to_string()} width={percent((to - from).max(0.002))} height="16" rx="3" />
                    <text x={percent(x)} dx={dx} y={(y + 11.5).to_string()} text-anchor={anchor}>{ fault.label.clone() }</text>
                </g>
            }
        };
        html! {
            <svg class="bands" width="100%" height={(rows * 17 + 1).to_string()} role="img" aria-label={bands_words(&self.faults)}>
                <defs>
                    <pattern id="stripes" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><path class="pattern" d="M0 0V6" /></pattern>
                    <pattern id="points" width="5" height="5" patternUnits="userSpaceOnUse"><circle class="pattern" cx="2.5" cy="2.5" r="0.9" /></pattern>
                    <pattern id="bars" width="5" height="5" patternUnits="userSpaceOnUse"><path class="pattern" d="M0 0V5" /></pattern>
                </defs>
                { for placed.iter().map(band) }
            </svg>
        }
    }
}

/// Kinds of faults are told apart by texture, not by colour alone.
fn pattern(name: &str) -> &'static str {
    match name {
        "partition" | "one_way_cut" | "loss" | "delay" | "duplication" => "on-network",
        "load_spike" | "hot_key" => "on-load",
        _ => "on-node",
    }
}

fn bands_words(faults: &[FaultFrame]) -> String {
    if faults.is_empty() {
        return "No faults so far".to_string();
    }
    let words: Vec<String> = faults
        .iter()
        .map(|fault| format!("{} from {} s", fault.label, number::clock(fault.begin_ns)))
        .collect();
    format!("Faults: {}", words.join("; "))
}

#[derive(PartialEq)]
struct Marks {
    end_ns: u64,
    story: Rc<VecDeque<Line>>,
}

/// Where something promised was broken.
impl View for Marks {
    fn view(&self) -> Html {
        let violations = self.story.iter().filter(|line| line.severity == Severity::Violation);
        let mut places = ascending(violations.map(|line| line.at_ns * MARKS_MAX / self.end_ns.max(1)));
        places.dedup();
        let mark = |place: &u64| {
            let x = percent(*place as f64 / MARKS_MAX as f64);
            html! { <svg key={*place} {x} overflow="visible"><path class="violation" d="M0 0L4 7H-4Z" /></svg> }
        };
        html! { <svg class="marks" width="100%" height="8" aria-hidden="true">{ for places.iter().map(mark) }</svg> }
    }
}

#[derive(PartialEq)]
struct Branches {
    end_ns: u64,
    branches: Rc<Vec<BranchFrame>>,
}

impl View for Branches {
    fn view(&self) -> Html {
        let share = |time_ns: u64| (time_ns as f64 / self.end_ns.max(1) as f64).clamp(0.0, 1.0);
        let others: Vec<&BranchFrame> =
            self.branches.iter().filter(|branch| !branch.current).rev().take(FUTURES_MAX).collect();
        if others.is_empty() {
            return Html::default();
        }
        let branch = |(row, branch): (usize, &&BranchFrame)| {
            let (from, to) = (share(branch.forked_at_ns), share(branch.frontier_ns));
            let y = row * 13 + 6;
            let is_far = to > 0.75;
            html! {
                <g key={branch.id} class="future">
                    <line x1={percent(from)} x2={percent(to.max(from + 0.004))} y1={y.to_string()} y2={y.to_string()} />
                    <text x={percent(if is_far { from } else { to })} dx={if is_far { "-6" } else { "6" }} y={(y + 4).to_string()}
                        text-anchor={if is_far { "end" } else { "start" }}>{ branch.label.clone() }</text>
                </g>
            }
        };
        html! {
            <svg class="futures" width="100%" height={(others.len() * 13 + 2).to_string()} aria-hidden="true">
                { for others.iter().enumerate().map(branch) }
            </svg>
        }
    }
}

/// A handful of round seconds.
fn ticks(end_ns: u64) -> Html {
    let end_s = end_ns as f64 / 1e9;
    let rough = end_s / 6.0;
    let power = libm::pow(10.0, libm::floor(libm::log10(rough.max(1e-9))));
    let step = [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .map(|factor| factor * power)
        .find(|step| *step >= rough)
        .unwrap_or(rough);
    let count = (end_s / step) as usize;
    let tick = |number: usize| {
        let at_s = step * number as f64;
        let label = format!("{} s", number::seconds((at_s * 1e9) as u64));
        let share = at_s / end_s;
        let anchor = if number == 0 {
            "start"
        } else if share > 0.97 {
            "end"
        } else {
            "middle"
        };
        html! { <text x={percent(share)} y="11" text-anchor={anchor}>{ label }</text> }
    };
    html! { <svg width="100%" height="13">{ for (0..=count).map(tick) }</svg> }
}

fn percent(share: f64) -> String {
    format!("{:.2}%", share * 100.0)
}
