//! What reaches the page from outside: its address, its files, keys, dropped files, the system's theme.

use super::{App, Message, Page, Popup};
use crate::session::protocol::ToWorker;
use crate::ui::gallery::{self, Card, Catalogue};
use crate::ui::route::Route;
use crate::ui::site;
use crate::ui::theme::Theme;
use gloo::events::{EventListener, EventListenerOptions};
use std::rc::Rc;
use wasm_bindgen::JsCast;
use web_sys::{DragEvent, Element, EventTarget, KeyboardEvent};
use yew::Callback;

/// Starts listening, for as long as the result is kept.
pub(super) fn listen(send: &Callback<Message>) -> Vec<EventListener> {
    let Some(window) = web_sys::window() else { return Vec::new() };
    let on = |target: &EventTarget, name: &'static str, hear: Box<dyn Fn(&web_sys::Event)>| {
        // Some have to be kept from the browser.
        let options = EventListenerOptions::enable_prevent_default();
        EventListener::new_with_options(target, name, options, move |event| hear(event))
    };
    let mut listeners = Vec::new();
    let hears = send.clone();
    listeners.push(on(&window, "hashchange", Box::new(move |_| hears.emit(Message::RouteChanged))));
    let hears = send.clone();
    listeners.push(on(
        &window,
        "keydown",
        Box::new(move |event| {
            if let Some(event) = event.dyn_ref::<KeyboardEvent>() {
                hears.emit(Message::Key(event.clone()));
            }
        }),
    ));
    listeners.push(on(&window, "dragover", Box::new(|event| event.prevent_default())));
    let hears = send.clone();
    listeners.push(on(
        &window,
        "drop",
        Box::new(move |event| {
            event.prevent_default();
            let files = event.dyn_ref::<DragEvent>().and_then(|event| event.data_transfer()?.files());
            if let Some(file) = files.and_then(|files| files.get(0)) {
                hears.emit(Message::ReadTraffic(file));
            }
        }),
    ));
    if let Ok(Some(query)) = window.match_media("(prefers-color-scheme: light)") {
        let hears = send.clone();
        listeners.push(on(&query, "change", Box::new(move |_| hears.emit(Message::SystemThemeChanged))));
    }
    listeners
}

impl App {
    /// Goes where the address says.
    pub(super) fn go(&mut self, route: Route) -> bool {
        self.popup = None;
        self.notice = None;
        self.is_drawing = false;
        match route {
            Route::Gallery => {
                self.page = Page::Gallery;
                gallery::set_title("Scenarios");
                if self.run.is_some() {
                    self.tell(ToWorker::Pause);
                }
                self.load_names();
            }
            Route::Sizing => {
                self.page = Page::Sizing;
                gallery::set_title("Right-size");
                if self.run.is_some() {
                    self.tell(ToWorker::Pause);
                }
            }
            Route::Start => {
                self.page = Page::Playground;
                self.opening = Some("the first scenario".to_string());
                match self.catalogue.first() {
                    Some(name) => self.open_scenario(name),
                    None => self.load_names(),
                }
            }
            Route::Scenario(name) => {
                self.page = Page::Playground;
                self.open_scenario(name);
            }
            Route::Link(link) => {
                self.page = Page::Playground;
                self.opening = Some("a shared run".to_string());
                self.run = None;
                self.tell(ToWorker::OpenLink { link, play: true });
            }
        }
        true
    }

    fn load_names(&mut self) {
        if let Catalogue::Names(names) = &self.catalogue {
            // They are known; what is missing is what they say.
            return self.load_cards(names.clone());
        }
        if matches!(self.catalogue, Catalogue::Cards(_)) {
            return;
        }
        let send = self.send.clone();
        yew::platform::spawn_local(
            async move { send.emit(Message::NamesLoaded(gallery::read_names().await)) },
        );
    }

    fn load_cards(&self, names: Vec<String>) {
        let send = self.send.clone();
        yew::platform::spawn_local(async move {
            send.emit(Message::CardsLoaded(gallery::read_cards(names).await))
        });
    }

    pub(super) fn names_loaded(&mut self, names: Result<Vec<String>, String>) -> bool {
        match names {
            Ok(names) => {
                self.catalogue = Catalogue::Names(names.clone());
                match (Route::current(), names.first()) {
                    (Route::Start, Some(first)) => self.open_scenario(first.clone()),
                    _ if self.page == Page::Gallery => self.load_cards(names),
                    // Somebody went elsewhere meanwhile.
                    _ => {}
                }
            }
            Err(why) => {
                self.opening = None;
                self.page = Page::Gallery;
                self.catalogue = Catalogue::Failed(why);
            }
        }
        true
    }

    pub(super) fn cards_loaded(&mut self, cards: Result<Vec<Card>, String>) -> bool {
        self.catalogue = match cards {
            Ok(cards) => Catalogue::Cards(Rc::new(cards)),
            Err(why) => Catalogue::Failed(why),
        };
        true
    }

    fn open_scenario(&mut self, name: String) {
        self.run = None;
        if !gallery::is_name(&name) {
            return self.no_such_scenario(&name);
        }
        self.opening = Some(name.replace('-', " "));
        let send = self.send.clone();
        yew::platform::spawn_local(async move {
            let text = site::read(&gallery::file_of(&name)).await;
            send.emit(Message::ScenarioLoaded { name, text });
        });
    }

    pub(super) fn scenario_loaded(&mut self, name: &str, text: Result<String, String>) -> bool {
        let is_wanted = match Route::current() {
            Route::Start => true,
            Route::Scenario(wanted) => wanted == name,
            Route::Gallery | Route::Sizing | Route::Link(_) => false,
        };
        match text {
            // Somebody went elsewhere meanwhile.
            _ if !is_wanted => false,
            Ok(scenario) => {
                self.tell(ToWorker::Open { scenario, seed: None, commands: Vec::new(), play: true })
            }
            Err(_) => {
                self.no_such_scenario(name);
                true
            }
        }
    }

    fn no_such_scenario(&mut self, name: &str) {
        self.opening = None;
        self.page = Page::Gallery;
        self.load_names();
        self.say(format!("There is no scenario called {name} here. Choose one of these."), true);
    }

    pub(super) fn hear_key(&mut self, event: &KeyboardEvent) -> bool {
        let is_for_us =
            !event.default_prevented() && !event.ctrl_key() && !event.meta_key() && !event.alt_key();
        if !is_for_us || self.popup.is_some() || self.page != Page::Playground {
            return false;
        }
        let focused = event.target().and_then(|target| target.dyn_into::<Element>().ok());
        let is_in = |selector: &str| {
            focused.as_ref().and_then(|element| element.closest(selector).ok().flatten()).is_some()
        };
        if is_in("input:not([type=range]), select, textarea") {
            return false;
        }
        let arrows_are_taken = is_in("[role=slider], [type=range], .node");
        match event.key().as_str() {
            " " if !is_in("button, a, summary, [role=button]") => {
                event.prevent_default();
                self.play_or_pause()
            }
            "ArrowLeft" if !arrows_are_taken => {
                event.prevent_default();
                self.step_back()
            }
            "ArrowRight" if !arrows_are_taken => {
                event.prevent_default();
                self.step_event()
            }
            "d" | "D" => {
                // Or the letter would land in the search, which has the focus by then.
                event.prevent_default();
                self.open_design()
            }
            "?" => self.open_popup(Popup::Shortcuts, None),
            "Escape" if self.is_drawing => self.stop_drawing(),
            "Escape" if self.inspected.is_some() => self.inspect(None),
            _ => false,
        }
    }

    pub(super) fn follow_system_theme(&mut self) -> bool {
        if Theme::is_remembered() {
            return false;
        }
        self.theme = Theme::of_system();
        self.apply_theme()
    }
}
