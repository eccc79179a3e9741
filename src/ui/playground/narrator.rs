//! What happens, in sentences: to read ([`Narrator`]) and to be read out ([`Announcer`]).

use crate::session::frame::{Line, Severity};
use crate::ui::number;
use gloo::timers::callback::Timeout;
use std::collections::VecDeque;
use std::rc::Rc;
use web_sys::Element;
use yew::prelude::*;

/// Lines on the page; older ones are few people's interest and everybody's time.
const LINES_MAX: usize = 120;
/// Real milliseconds between two announcements.
const ANNOUNCE_MS: u32 = 3_000;
/// Sentences in one announcement.
const ANNOUNCED_MAX: usize = 2;

#[derive(Properties, PartialEq)]
pub struct Props {
    pub story: Rc<VecDeque<Line>>,
    pub hues: Rc<Vec<u8>>,
    pub names: Rc<Vec<String>>,
}

#[component]
pub fn Narrator(props: &Props) -> Html {
    let list = use_node_ref();
    let was_at_end = use_mut_ref(|| true);
    {
        let (list, was_at_end) = (list.clone(), was_at_end.clone());
        use_effect_with(props.story.clone(), move |_| {
            // Who scrolled back to read is left in peace.
            if let Some(list) = list.cast::<Element>().filter(|_| *was_at_end.borrow()) {
                list.set_scroll_top(list.scroll_height());
            }
        });
    }
    let onscroll = {
        let list = list.clone();
        Callback::from(move |_: Event| {
            if let Some(list) = list.cast::<Element>() {
                let below = list.scroll_height() - list.scroll_top() - list.client_height();
                *was_at_end.borrow_mut() = below < 24;
            }
        })
    };
    let skipped = props.story.len().saturating_sub(LINES_MAX);
    let line = |(number, line): (usize, &Line)| show(line, number, props);
    html! {
        <section class="narrator" aria-label="What is happening">
            <h3>{ "What is happening" }</h3>
            if props.story.is_empty() { <p class="hint">{ "Nothing to tell yet." }</p> }
            // Scrollable regions must be reachable by keyboard.
            <ol class="story" ref={list} tabindex="0" aria-label="Transcript" {onscroll}>
                { for props.story.iter().enumerate().skip(skipped).map(line) }
            </ol>
        </section>
    }
}

fn show(line: &Line, number: usize, props: &Props) -> Html {
    let (class, words) = match line.severity {
        Severity::Plain => ("", ""),
        Severity::Warning => ("warning", "Watch: "),
        Severity::Violation => ("violation", "Violation: "),
    };
    let cluster = line.cluster.map(usize::from).and_then(|cluster| {
        let (hue, name) = (props.hues.get(cluster)?, props.names.get(cluster)?);
        Some(html! { <span class={classes!("of-cluster", format!("k{hue}"))}>{ name.clone() }</span> })
    });
    html! {
        <li key={format!("{}-{number}", line.at_ns)} class={class}>
            <time>{ number::clock(line.at_ns) }</time>
            <p>
                if !words.is_empty() { <span class="hidden">{ words }</span> }
                { cluster }
                { marked(&line.text) }
            </p>
        </li>
    }
}

/// `**x**` stands out.
fn marked(text: &str) -> Html {
    let part = |(index, part): (usize, &str)| {
        if index % 2 == 1 {
            html! { <b>{ part.to_string() }</b> }
        } else {
            html! { <>{ part.to_string() }</> }
        }
    };
    text.split("**").enumerate().map(part).collect()
}

#[derive(Properties, PartialEq)]
pub struct AnnouncerProps {
    pub story: Rc<VecDeque<Line>>,
}

/// Says the most important of what is new, now and then.
pub struct Announcer {
    said: String,
    heard_ns: u64,
    timer: Option<Timeout>,
}

impl Component for Announcer {
    type Message = ();
    type Properties = AnnouncerProps;

    fn create(_: &Context<Self>) -> Self {
        Announcer { said: String::new(), heard_ns: 0, timer: None }
    }

    fn changed(&mut self, context: &Context<Self>, _: &AnnouncerProps) -> bool {
        let last_ns = context.props().story.back().map_or(0, |line| line.at_ns);
        if last_ns < self.heard_ns {
            self.heard_ns = last_ns;
        } else if last_ns > self.heard_ns && self.timer.is_none() {
            let link = context.link().clone();
            self.timer = Some(Timeout::new(ANNOUNCE_MS, move || link.send_message(())));
        }
        false
    }

    fn update(&mut self, context: &Context<Self>, (): ()) -> bool {
        self.timer = None;
        let story = &context.props().story;
        let mut new: Vec<&Line> = story.iter().filter(|line| line.at_ns > self.heard_ns).collect();
        self.heard_ns = story.back().map_or(self.heard_ns, |line| line.at_ns);
        // The gravest ones, in order of time: plain lines go first where there are too many.
        for expendable in [Severity::Plain, Severity::Warning, Severity::Violation] {
            let mut excess = new.len().saturating_sub(ANNOUNCED_MAX);
            new.retain(|line| {
                let goes = excess > 0 && line.severity == expendable;
                excess -= usize::from(goes);
                !goes
            });
        }
        let sentences: Vec<String> = new.iter().map(|line| line.text.replace("**", "")).collect();
        self.said = sentences.join(" ");
        true
    }

    fn view(&self, _: &Context<Self>) -> Html {
        html! { <div class="hidden" aria-live="polite">{ self.said.clone() }</div> }
    }
}
