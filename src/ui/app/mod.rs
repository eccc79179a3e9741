//! The root of the page: what it knows, and everything that can happen to it.
//!
//! Components read plain values and send a [`Message`]; only [`App::update`]
//! changes anything. It is a dispatch table; what it calls stands in the files
//! beside this one.

mod commands;
mod from_outside;
mod from_worker;
mod redesign;
mod sizing;
mod view;

use super::design::{Change, Design};
use super::dialog::Anchor;
use super::faults::Kind;
use super::gallery::Catalogue;
use super::motion::FastLayer;
use super::playground::ChartData;
use super::route::Route;
use super::run::Run;
use super::shared::Shared;
use super::sizing::{Act, Sizing};
use super::theme::{Colours, Theme};
use super::worker_link::WorkerLink;
use crate::scenario::fault::FaultSpec;
use crate::session::protocol::{FromWorker, ToWorker};
use gloo::events::EventListener;
use gloo::timers::callback::Timeout;
use std::rc::Rc;
use web_sys::{File, KeyboardEvent};
use yew::prelude::*;

/// Everything that can happen to the page.
pub enum Message {
    /// The worker said something.
    Heard(FromWorker),
    WorkerFailed(String),
    /// The last frame was drawn; the next may come.
    Drawn,
    /// The address changed: a link was followed, or Back pressed.
    RouteChanged,
    /// The names of the site's scenarios are there.
    NamesLoaded(Result<Vec<String>, String>),
    /// The scenarios themselves are there.
    CardsLoaded(Result<Vec<super::gallery::Card>, String>),
    /// The text of one scenario is there.
    ScenarioLoaded {
        name: String,
        text: Result<String, String>,
    },
    /// The text of recorded traffic is there.
    TrafficRead {
        file_name: String,
        text: Result<String, String>,
    },
    /// A key was pressed where nothing else wanted it.
    Key(KeyboardEvent),
    SystemThemeChanged,

    /// Tells the worker something that changes nothing here.
    Send(ToWorker),
    PlayOrPause,
    StepBack,
    StepEvent,
    SetSpeed(f64),
    NewSeed,
    Share,
    CopyTrace,
    /// The clipboard took it, or did not.
    Copied {
        what: &'static str,
        done: bool,
    },
    /// Replays a file of recorded traffic.
    ReadTraffic(File),

    /// Begins a fault, for so many simulated ms or until it is lifted.
    Begin(FaultSpec, Option<f64>),
    /// Begins a cut between two sets of nodes: a line was drawn.
    CutBetween([Vec<String>; 2]),
    StartDrawing,
    StopDrawing,
    Inspect(Option<NodeAddress>),

    OpenDesign,
    Design(Change),
    /// An item of the price sheet, and what was typed for its price.
    SetPrice(String, String),
    /// Looks for a cheaper design of this cluster.
    RightSize(u8),
    Sizing(Act),

    OpenPopup(Popup, Anchor),
    ClosePopup,
    SwitchTheme,
    DismissNotice,
}

/// One node, or the clients of one zone, of one cluster.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NodeAddress {
    pub cluster: u8,
    pub nodes: Vec<u16>,
}

/// The one thing that may be open above the page.
#[derive(Clone, PartialEq, Debug)]
pub enum Popup {
    Fault(Kind),
    Node(NodeAddress),
    Futures,
    Design,
    /// What a cluster costs, would need and asks for.
    Bill(u8),
    Shortcuts,
    /// How recorded traffic was read.
    Recorded {
        taken: u64,
        skipped: u64,
        first_skipped: Vec<String>,
    },
    /// How to bring recorded traffic.
    Traffic,
}

/// A few words at the foot of the page.
#[derive(Clone, PartialEq, Debug)]
pub struct Notice {
    pub text: String,
    /// Something could not be done.
    pub is_refusal: bool,
}

/// What the page shows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Page {
    Gallery,
    Playground,
    Sizing,
}

pub struct App {
    send: Callback<Message>,
    worker: Option<WorkerLink>,
    fast: FastLayer,
    page: Page,
    catalogue: Catalogue,
    run: Option<Run>,
    /// Short names of the run's clusters.
    names: Rc<Vec<String>>,
    charts: Option<Shared<ChartData>>,
    charts_ms: f64,
    /// What is being opened, in words, until it is open.
    opening: Option<String>,
    design: Shared<Design>,
    sizing: Option<Sizing>,
    popup: Option<(Popup, Anchor)>,
    notice: Option<Notice>,
    notice_ends: Option<Timeout>,
    inspected: Option<NodeAddress>,
    is_drawing: bool,
    /// The duration of a fault that was chosen last.
    for_ms: Option<f64>,
    /// The speed that was asked for last, until a frame says so too.
    asked_speed: Option<f64>,
    theme: Theme,
    colours: Rc<Colours>,
    _listeners: Vec<EventListener>,
}

impl Component for App {
    type Message = Message;
    type Properties = ();

    fn create(context: &Context<Self>) -> Self {
        let send = context.link().callback(|message| message);
        let worker = WorkerLink::start(send.reform(Message::Heard), send.reform(Message::WorkerFailed));
        let worker = match worker {
            Ok(worker) => Some(worker),
            Err(details) => {
                super::failure::show("The simulation could not be started in this browser.", &details);
                None
            }
        };
        let mut app = App {
            fast: FastLayer::new(send.reform(|()| Message::Drawn)),
            worker,
            page: Page::Playground,
            catalogue: Catalogue::Unknown,
            run: None,
            names: Rc::default(),
            charts: None,
            charts_ms: f64::MIN,
            opening: None,
            design: Shared::new(Design::default()),
            sizing: None,
            popup: None,
            notice: None,
            notice_ends: None,
            inspected: None,
            is_drawing: false,
            for_ms: None,
            asked_speed: None,
            theme: Theme::current(),
            colours: Rc::new(Colours::read()),
            _listeners: from_outside::listen(&send),
            send,
        };
        app.go(Route::current());
        app
    }

    fn update(&mut self, _: &Context<Self>, message: Message) -> bool {
        match message {
            Message::Heard(said) => self.hear(said),
            Message::WorkerFailed(details) => self.worker_failed(&details),
            Message::Drawn => self.tell(ToWorker::Drawn),
            Message::RouteChanged => self.go(Route::current()),
            Message::NamesLoaded(names) => self.names_loaded(names),
            Message::CardsLoaded(cards) => self.cards_loaded(cards),
            Message::ScenarioLoaded { name, text } => self.scenario_loaded(&name, text),
            Message::TrafficRead { file_name, text } => self.traffic_read(file_name, text),
            Message::Key(event) => self.hear_key(&event),
            Message::SystemThemeChanged => self.follow_system_theme(),

            Message::Send(said) => self.tell(said),
            Message::PlayOrPause => self.play_or_pause(),
            Message::StepBack => self.step_back(),
            Message::StepEvent => self.step_event(),
            Message::SetSpeed(speed) => self.set_speed(speed),
            Message::NewSeed => self.new_seed(),
            Message::Share => self.share(),
            Message::CopyTrace => self.copy_trace(),
            Message::Copied { what, done } => self.copied(what, done),
            Message::ReadTraffic(file) => self.read_traffic(file),

            Message::Begin(fault, for_ms) => self.begin(fault, for_ms),
            Message::CutBetween(sides) => self.cut_between(sides),
            Message::StartDrawing => self.start_drawing(),
            Message::StopDrawing => self.stop_drawing(),
            Message::Inspect(node) => self.inspect(node),

            Message::OpenDesign => self.open_design(),
            Message::Design(change) => self.change_design(change),
            Message::SetPrice(item, typed) => self.set_price(&item, &typed),
            Message::RightSize(cluster) => self.right_size(cluster),
            Message::Sizing(act) => self.sizing.as_mut().is_some_and(|sizing| sizing.act(act)),

            Message::OpenPopup(popup, anchor) => self.open_popup(popup, anchor),
            Message::ClosePopup => self.close_popup(),
            Message::SwitchTheme => self.switch_theme(),
            Message::DismissNotice => self.notice.take().is_some(),
        }
    }

    fn view(&self, _: &Context<Self>) -> Html {
        self.page()
    }
}

impl App {
    /// Tells the worker something. Nothing has to be drawn for it.
    fn tell(&self, said: ToWorker) -> bool {
        if let Some(worker) = &self.worker {
            worker.send(said);
        }
        false
    }

    /// Says something at the foot of the page; a refusal stays until it is dismissed.
    fn say(&mut self, text: impl Into<String>, is_refusal: bool) {
        const SEEN_MS: u32 = 7_000;
        self.notice = Some(Notice { text: text.into(), is_refusal });
        self.notice_ends = (!is_refusal).then(|| {
            let send = self.send.clone();
            Timeout::new(SEEN_MS, move || send.emit(Message::DismissNotice))
        });
    }
}

/// Real milliseconds since the page was opened.
fn now_ms() -> f64 {
    web_sys::window().and_then(|window| window.performance()).map_or(0.0, |performance| performance.now())
}
