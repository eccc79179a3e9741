//! What the worker says.

use super::{App, Page, Popup, now_ms};
use crate::session::frame::{Frame, Layout};
use crate::session::protocol::{FromWorker, ToWorker};
use crate::ui::design::Change;
use crate::ui::playground::ChartData;
use crate::ui::route::{self, Route};
use crate::ui::run::{self, Run};
use crate::ui::shared::Shared;
use crate::ui::{failure, gallery};
use std::rc::Rc;

/// Charts are given new data no more often than this, in real milliseconds.
const CHARTS_MS: f64 = 300.0;

impl App {
    pub(super) fn hear(&mut self, said: FromWorker) -> bool {
        match said {
            // The one worker that plays a run measures none.
            FromWorker::Ready | FromWorker::Measured(_) => false,
            FromWorker::Opened(layout) => self.opened(*layout),
            FromWorker::Scenario { running, as_opened } => {
                self.change_design(Change::Opened { running, as_opened })
            }
            FromWorker::Frame(frame) => self.show(*frame),
            FromWorker::Link(link) => {
                route::replace_with_link(&link);
                self.copy("The link", route::address());
                false
            }
            // The page asks for none.
            FromWorker::Recorded { taken, skipped, first_skipped } => {
                self.notice = None;
                self.popup = Some((Popup::Recorded { taken, skipped, first_skipped }, None));
                self.tell(ToWorker::Play);
                true
            }
            FromWorker::Refused(why) => self.refused(why),
            FromWorker::RedesignRefused { field, problem } => {
                self.change_design(Change::Refused { field, problem })
            }
        }
    }

    fn opened(&mut self, layout: Layout) -> bool {
        gallery::set_title(&layout.title);
        self.opening = None;
        self.asked_speed = None;
        self.inspected = None;
        self.names = Rc::new(run::short_names(&layout));
        let run = Run::new(layout);
        self.fast.set_hues(&run.hues);
        self.run = Some(run);
        self.charts = None;
        self.charts_ms = f64::MIN;
        true
    }

    fn show(&mut self, frame: Frame) -> bool {
        let now_ms = now_ms();
        self.fast.show(&frame);
        let Some(run) = &mut self.run else { return false };
        let redraws_charts = frame.reset || !frame.playing;
        if self.asked_speed == Some(frame.speed) {
            self.asked_speed = None;
        }
        run.hear(frame, now_ms);
        if redraws_charts || now_ms - self.charts_ms >= CHARTS_MS {
            self.draw_charts(now_ms);
        }
        self.page == Page::Playground
    }

    /// Gives the charts what is known now.
    pub(super) fn draw_charts(&mut self, now_ms: f64) {
        self.charts_ms = now_ms;
        if let Some(run) = &self.run {
            self.charts = Some(Shared::new(ChartData::new(run, &self.names, self.colours.clone())));
        }
    }

    /// Nothing changed, unless it was what should have been opened that was refused.
    fn refused(&mut self, why: String) -> bool {
        if self.opening.take().is_some() && matches!(Route::current(), Route::Link(_)) {
            route::replace_with_link("/");
            self.go(Route::Gallery);
        }
        self.say(why, true);
        true
    }

    pub(super) fn worker_failed(&mut self, details: &str) -> bool {
        self.worker = None;
        failure::show("The simulation broke: an error of ours, not of yours.", details);
        false
    }
}
