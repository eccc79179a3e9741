//! What people do: transport, faults, inspecting, sharing.

use super::{App, Message, NodeAddress, Popup, now_ms};
use crate::scenario::fault::{FaultSpec, Selector};
use crate::session::command::Command;
use crate::session::protocol::ToWorker;
use crate::ui::dialog::Anchor;
use crate::ui::theme::Colours;
use std::rc::Rc;
use wasm_bindgen_futures::JsFuture;
use web_sys::File;

/// Simulated time that a step back takes at real-time speed; slower speeds take shorter steps.
const STEP_BACK_NS: f64 = 100e6;
/// Files of recorded traffic are read up to this size.
const TRAFFIC_BYTES_MAX: f64 = 64.0 * 1024.0 * 1024.0;
pub const SPEED_MIN: f64 = 0.001;
pub const SPEED_MAX: f64 = 100.0;

impl App {
    pub(super) fn play_or_pause(&mut self) -> bool {
        let Some(run) = &self.run else { return false };
        match (run.moment.is_playing, run.moment.is_finished) {
            (true, _) => self.tell(ToWorker::Pause),
            (false, true) => {
                self.tell(ToWorker::Seek { time_ns: 0 });
                self.tell(ToWorker::Play)
            }
            (false, false) => self.tell(ToWorker::Play),
        }
    }

    pub(super) fn step_back(&mut self) -> bool {
        let Some(run) = &self.run else { return false };
        let span_ns = (STEP_BACK_NS * self.speed()).clamp(1e3, 1e10) as u64;
        let time_ns = run.moment.time_ns.saturating_sub(span_ns);
        self.tell(ToWorker::Pause);
        self.tell(ToWorker::Seek { time_ns })
    }

    pub(super) fn step_event(&mut self) -> bool {
        self.tell(ToWorker::Pause);
        self.tell(ToWorker::StepEvent)
    }

    pub(super) fn set_speed(&mut self, speed: f64) -> bool {
        let speed = speed.clamp(SPEED_MIN, SPEED_MAX);
        self.asked_speed = Some(speed);
        self.tell(ToWorker::Speed(speed));
        true
    }

    /// The speed asked for.
    pub(super) fn speed(&self) -> f64 {
        let of_run = self.run.as_ref().map(|run| run.moment.speed).filter(|speed| *speed > 0.0);
        self.asked_speed.or(of_run).unwrap_or(1.0)
    }

    pub(super) fn new_seed(&mut self) -> bool {
        let Some(run) = &self.run else { return false };
        let seed = run.layout.seed.wrapping_add(1);
        self.tell(ToWorker::Restart { seed: Some(seed) });
        self.tell(ToWorker::Play)
    }

    pub(super) fn share(&mut self) -> bool {
        self.tell(ToWorker::Share)
    }

    pub(super) fn copy_trace(&mut self) -> bool {
        if let Some(run) = &self.run {
            self.copy("The trace hash", format!("{:016x}", run.trace_hash));
        }
        false
    }

    /// Puts a text on the clipboard, and says so.
    pub(super) fn copy(&self, what: &'static str, text: String) {
        let Some(window) = web_sys::window() else { return };
        let send = self.send.clone();
        yew::platform::spawn_local(async move {
            let done = JsFuture::from(window.navigator().clipboard().write_text(&text)).await.is_ok();
            send.emit(Message::Copied { what, done });
        });
    }

    pub(super) fn copied(&mut self, what: &'static str, done: bool) -> bool {
        let text = match (what, done) {
            ("The link", true) => {
                "The link is copied and stands in the address bar: who opens it sees this very run."
            }
            ("The link", false) => {
                "The link stands in the address bar: copy it from there. Who opens it sees this very run."
            }
            (_, true) => "The trace hash is copied. The same run gives the same hash everywhere.",
            (_, false) => "The browser did not let us copy it.",
        };
        self.say(text, false);
        true
    }

    pub(super) fn read_traffic(&mut self, file: File) -> bool {
        self.popup = None;
        let file_name = file.name();
        if file.size() > TRAFFIC_BYTES_MAX {
            let megabytes = file.size() / 1024.0 / 1024.0;
            self.say(
                format!("{file_name} has {megabytes:.0} MB; at most 64 MB are read. Cut it, for example to its first hour."),
                true,
            );
            return true;
        }
        let send = self.send.clone();
        let reading = JsFuture::from(file.text());
        self.say(format!("Reading {file_name} …"), false);
        yew::platform::spawn_local(async move {
            let text = reading.await.ok().and_then(|text| text.as_string());
            let text = text.ok_or_else(|| format!("{file_name} could not be read as text."));
            send.emit(Message::TrafficRead { file_name, text });
        });
        true
    }

    pub(super) fn traffic_read(&mut self, file_name: String, text: Result<String, String>) -> bool {
        match text {
            Ok(text) => self.tell(ToWorker::Record { file_name, text, time_scale: 1.0 }),
            Err(why) => {
                self.say(why, true);
                true
            }
        }
    }

    pub(super) fn begin(&mut self, fault: FaultSpec, for_ms: Option<f64>) -> bool {
        self.for_ms = for_ms;
        self.popup = None;
        self.is_drawing = false;
        self.tell(ToWorker::Act(Command::Begin { fault, for_ms }));
        true
    }

    pub(super) fn cut_between(&mut self, sides: [Vec<String>; 2]) -> bool {
        let side = |nodes| Selector { nodes, ..Selector::default() };
        // The smaller side is the one that is cut off.
        let [one, other] = sides;
        let (small, large) = if one.len() <= other.len() { (one, other) } else { (other, one) };
        self.begin(FaultSpec::Partition { groups: vec![side(small), side(large)] }, self.for_ms)
    }

    pub(super) fn start_drawing(&mut self) -> bool {
        self.popup = None;
        self.is_drawing = true;
        true
    }

    pub(super) fn stop_drawing(&mut self) -> bool {
        std::mem::take(&mut self.is_drawing)
    }

    pub(super) fn inspect(&mut self, address: Option<NodeAddress>) -> bool {
        self.popup = None;
        match address.as_ref().and_then(|address| Some((address.cluster, *address.nodes.first()?))) {
            Some((cluster, node)) => self.tell(ToWorker::Inspect { cluster, node }),
            None => self.tell(ToWorker::InspectNothing),
        };
        self.inspected = address;
        true
    }

    pub(super) fn open_popup(&mut self, popup: Popup, anchor: Anchor) -> bool {
        if let Popup::Bill(cluster) = popup {
            self.tell(ToWorker::Bill { cluster: Some(cluster) });
        }
        self.popup = Some((popup, anchor));
        true
    }

    pub(super) fn close_popup(&mut self) -> bool {
        let closed = self.popup.take();
        if let Some((Popup::Bill(_), _)) = closed {
            self.tell(ToWorker::Bill { cluster: None });
        }
        closed.is_some()
    }

    pub(super) fn switch_theme(&mut self) -> bool {
        self.theme = self.theme.other();
        self.theme.remember();
        self.apply_theme()
    }

    pub(super) fn apply_theme(&mut self) -> bool {
        self.theme.apply();
        self.colours = Rc::new(Colours::read());
        self.fast.set_colours((*self.colours).clone());
        self.draw_charts(now_ms());
        true
    }
}
