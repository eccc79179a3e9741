//! The run's clock and its controls.

use crate::session::protocol::ToWorker;
use crate::ui::app::{Message, Popup};
use crate::ui::dialog;
use crate::ui::icon::icon;
use crate::ui::number;
use crate::ui::run::Moment;
use crate::ui::view::{View, draw};
use web_sys::{HtmlInputElement, InputEvent, MouseEvent};
use yew::prelude::*;

#[derive(PartialEq)]
pub struct Transport {
    pub moment: Moment,
    pub asked_speed: f64,
    pub end_ns: u64,
    pub seed: u64,
    pub trace_hash: u64,
    pub events: u64,
    pub futures: usize,
    /// Settings that the run has otherwise than its scenario.
    pub changed: usize,
    pub send: Callback<Message>,
}

impl View for Transport {
    fn view(&self) -> Html {
        let Transport { moment, send, .. } = self;
        let (play_icon, play_words) = match (moment.is_playing, moment.is_finished) {
            (true, _) => ("pause", "Pause"),
            (false, true) => ("restart", "Play again from the start"),
            (false, false) => ("play", "Play"),
        };
        let restart = send.reform(|_| Message::Send(ToWorker::Restart { seed: None }));
        html! {
            <section class="bar" aria-label="Transport">
                <div class="transport" role="group" aria-label="Play and step">
                    <button class="plain" aria-label="Restart" title="Restart" onclick={restart}>{ icon("restart") }</button>
                    <button class="plain" aria-label="Step back" title="Step back (←)" onclick={send.reform(|_| Message::StepBack)}>{ icon("step-back") }</button>
                    <button class="play" aria-label={play_words} title={format!("{play_words} (space)")}
                        onclick={send.reform(|_| Message::PlayOrPause)}>{ icon(play_icon) }</button>
                    <button class="plain" aria-label="Step one event" title="Step one event (→)" onclick={send.reform(|_| Message::StepEvent)}>{ icon("step") }</button>
                    <button class="plain" aria-label="Run to the end" title="Run to the end, as fast as it goes" disabled={moment.is_finished}
                        onclick={send.reform(|_| Message::Send(ToWorker::RunToEnd))}>{ icon("end") }</button>
                </div>
                <div class="clock" aria-label="Simulated time">
                    <b>{ number::clock(moment.time_ns) }</b><span>{ format!(" s of {}", number::seconds(self.end_ns)) }</span>
                </div>
                { draw(Speed { asked: self.asked_speed, reached: reached(moment, self.asked_speed), send: send.clone() }) }
                <div class="chips-of-run">
                    <button class="to-design" aria-haspopup="dialog" aria-keyshortcuts="d" title="Every setting of the run as a switch (D)"
                        onclick={send.reform(|_| Message::OpenDesign)}>
                        { icon("switches") }{ "Design" }
                        if self.changed > 0 { <b>{ self.changed }<span class="hidden">{ " changed" }</span></b> }
                    </button>
                    { chips(self) }
                </div>
            </section>
        }
    }
}

fn chips(transport: &Transport) -> Html {
    let send = &transport.send;
    let futures = send.reform(|event: MouseEvent| Message::OpenPopup(Popup::Futures, dialog::beside(&event)));
    html! {
        <>
            if transport.futures > 1 {
                <button class="chip" aria-haspopup="dialog" onclick={futures}>
                    { icon("branch") }{ number::many(transport.futures as u64, "future", "futures") }
                </button>
            }
            <button class="chip" title="Play the same scenario with the next seed" onclick={send.reform(|_| Message::NewSeed)}>
                { icon("dice") }{ format!("seed {}", transport.seed) }<span class="hidden">{ ": play with the next" }</span>
            </button>
            <button class="chip" title={format!("The same run gives the same hash everywhere. {} events so far. Click to copy.", number::count(transport.events))}
                onclick={send.reform(|_| Message::CopyTrace)}>
                <span class="hidden">{ "Copy the " }</span>{ "trace " }<code data-trace={format!("{:016x}", transport.trace_hash)}>{ number::short_hash(transport.trace_hash) }</code>
            </button>
        </>
    }
}

/// The speed that was reached, where it is clearly lower than the one asked for.
fn reached(moment: &Moment, asked: f64) -> Option<f64> {
    let is_behind = moment.is_playing && moment.reached_speed > 0.0 && moment.reached_speed < asked * 0.8;
    // Two digits are enough, and change less often.
    is_behind.then(|| {
        let scale = libm::pow(10.0, libm::floor(libm::log10(moment.reached_speed)) - 1.0);
        (moment.reached_speed / scale).round() * scale
    })
}

#[derive(PartialEq)]
struct Speed {
    asked: f64,
    reached: Option<f64>,
    send: Callback<Message>,
}

/// From 1/1000 to 100, by powers of ten.
impl View for Speed {
    fn view(&self) -> Html {
        let send = self.send.clone();
        let oninput = Callback::from(move |event: InputEvent| {
            if let Some(input) = event.target_dyn_into::<HtmlInputElement>() {
                // The slider's steps are tenths: whole powers of ten are exact.
                let power = (input.value_as_number() * 10.0).round() / 10.0;
                send.emit(Message::SetSpeed(libm::pow(10.0, power)));
            }
        });
        let words = number::speed(self.asked);
        html! {
            <div class="speed">
                <label for="speed">{ "Speed" }</label>
                <input id="speed" type="range" min="-3" max="2" step="0.1" value={format!("{:.1}", libm::log10(self.asked))}
                    aria-valuetext={format!("{words} real time")} {oninput} list="speeds" />
                <datalist id="speeds">{ for (-3..=2).map(|power| html! { <option value={power.to_string()} /> }) }</datalist>
                <output for="speed">{ words }</output>
                if let Some(reached) = self.reached {
                    <span class="reached" title="This computer does not reach the speed that was asked for">{ format!("reaches {}", number::speed(reached)) }</span>
                }
            </div>
        }
    }
}
