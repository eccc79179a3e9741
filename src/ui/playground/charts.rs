//! The series, on the timeline's axis.

use crate::report::chart::{self, Chart, ChartCluster, Look, Measure};
use crate::session::frame::SeriesPoint;
use crate::ui::number;
use crate::ui::run::Run;
use crate::ui::shared::Shared;
use crate::ui::theme::Colours;
use gloo::timers::callback::Timeout;
use plotters::drawing::IntoDrawingArea;
use plotters_canvas::CanvasBackend;
use std::rc::Rc;
use wasm_bindgen::JsCast;
use wasm_bindgen::closure::Closure;
use web_sys::{CanvasRenderingContext2d, Element, HtmlCanvasElement, ResizeObserver};
use yew::prelude::*;

/// The charts that are always there; the second shows either of two latencies.
const CHARTS: usize = 5;
/// Each chart is drawn in a task of its own, this many real milliseconds after the one before.
const NEXT_MS: u32 = 24;

/// Everything that the charts show.
pub struct ChartData {
    series: Vec<Vec<SeriesPoint>>,
    bucket_ns: u64,
    end_ns: u64,
    bands_ns: Vec<(u64, u64)>,
    names: Rc<Vec<String>>,
    hues: Rc<Vec<u8>>,
    colours: Rc<Colours>,
}

impl ChartData {
    pub fn new(run: &Run, names: &Rc<Vec<String>>, colours: Rc<Colours>) -> ChartData {
        let now_ns = run.moment.frontier_ns;
        let begun = run.faults.iter().filter(|fault| fault.begin_ns <= now_ns);
        ChartData {
            series: run.series.clone(),
            bucket_ns: run.layout.bucket_ns,
            end_ns: run.layout.end_ns,
            bands_ns: begun
                .map(|fault| (fault.begin_ns, fault.end_ns.unwrap_or(now_ns).min(now_ns)))
                .collect(),
            names: names.clone(),
            hues: run.hues.clone(),
            colours,
        }
    }

    fn clusters(&self) -> Vec<ChartCluster<'_>> {
        let clusters = self.series.iter().enumerate().map(|(index, points)| ChartCluster {
            label: self.names.get(index).map_or("", String::as_str),
            hue: self.hues.get(index).map_or(0, |hue| usize::from(*hue)),
            points,
        });
        clusters.collect()
    }
}

#[derive(Properties, PartialEq)]
pub struct Props {
    pub data: Shared<ChartData>,
}

pub enum ChartsMessage {
    /// Draws the next chart that is not up to date.
    DrawNext,
    Resized,
    ShowWrites(bool),
}

pub struct Charts {
    canvases: [NodeRef; CHARTS],
    shows_writes: bool,
    /// Which charts are to be drawn.
    is_due: [bool; CHARTS],
    timer: Option<Timeout>,
    observer: Option<(ResizeObserver, Closure<dyn FnMut()>)>,
}

impl Component for Charts {
    type Message = ChartsMessage;
    type Properties = Props;

    fn create(_: &Context<Self>) -> Self {
        Charts {
            canvases: Default::default(),
            shows_writes: true,
            is_due: [true; CHARTS],
            timer: None,
            observer: None,
        }
    }

    fn changed(&mut self, context: &Context<Self>, _: &Props) -> bool {
        self.draw_all(context);
        true
    }

    fn rendered(&mut self, context: &Context<Self>, first: bool) {
        if !first {
            return;
        }
        let resized = context.link().callback(|()| ChartsMessage::Resized);
        let closure = Closure::<dyn FnMut()>::new(move || resized.emit(()));
        if let (Ok(observer), Some(canvas)) =
            (ResizeObserver::new(closure.as_ref().unchecked_ref()), self.canvases[0].cast::<Element>())
        {
            observer.observe(&canvas);
            self.observer = Some((observer, closure));
        }
    }

    fn destroy(&mut self, _: &Context<Self>) {
        if let Some((observer, _)) = self.observer.take() {
            observer.disconnect();
        }
    }

    fn update(&mut self, context: &Context<Self>, message: ChartsMessage) -> bool {
        match message {
            ChartsMessage::DrawNext => {
                self.timer = None;
                if let Some(next) = self.is_due.iter().position(|is_due| *is_due) {
                    self.is_due[next] = false;
                    self.draw(&context.props().data, next);
                }
                self.go_on(context);
                false
            }
            ChartsMessage::Resized => {
                self.draw_all(context);
                false
            }
            ChartsMessage::ShowWrites(shows_writes) => {
                self.shows_writes = shows_writes;
                self.draw_all(context);
                true
            }
        }
    }

    fn view(&self, context: &Context<Self>) -> Html {
        let data = &context.props().data;
        let link = context.link();
        let chart = |number: usize| {
            let measure = self.measure(data, number);
            let title = if number == 1 {
                let choice = |writes: bool, words: &'static str| {
                    html! {
                        <button class="plain" aria-pressed={(self.shows_writes == writes).to_string()}
                            onclick={link.callback(move |_| ChartsMessage::ShowWrites(writes))}>{ words }<span class="hidden">{ " latency" }</span></button>
                    }
                };
                html! { <span class="which">{ choice(false, "Read") }{ choice(true, "Write") }<span>{ " latency" }</span></span> }
            } else {
                html! { <span>{ measure.title() }</span> }
            };
            html! {
                <figure key={number}>
                    <figcaption>{ title }<small>{ measure.unit() }</small></figcaption>
                    <div class="plot"><canvas ref={self.canvases[number].clone()} role="img" aria-label={describe(measure, data)}></canvas></div>
                </figure>
            }
        };
        html! { <div class="charts">{ for (0..CHARTS).map(chart) }</div> }
    }
}

impl Charts {
    fn measure(&self, data: &ChartData, number: usize) -> Measure {
        let counts = data.series.iter().flatten().any(|point| point.log_lag.is_finite());
        match number {
            2 if counts => Measure::Missing,
            3 if counts => Measure::LogLag,
            0 => Measure::Goodput,
            1 if self.shows_writes => Measure::WriteLatency,
            1 => Measure::ReadLatency,
            2 => Measure::StaleReads,
            3 => Measure::Lag,
            _ => Measure::Cost,
        }
    }

    fn draw_all(&mut self, context: &Context<Self>) {
        self.is_due = [true; CHARTS];
        self.go_on(context);
    }

    fn go_on(&mut self, context: &Context<Self>) {
        if self.timer.is_none() && self.is_due.contains(&true) {
            let link = context.link().clone();
            self.timer = Some(Timeout::new(NEXT_MS, move || link.send_message(ChartsMessage::DrawNext)));
        }
    }

    fn draw(&self, data: &ChartData, number: usize) {
        let Some(canvas) = self.canvases[number].cast::<HtmlCanvasElement>() else { return };
        let (width, height) = (canvas.client_width(), canvas.client_height());
        if width < 60 || height < 30 {
            return;
        }
        // Drawn with whole pixels: at least two for each that is seen make lines smooth.
        let density = web_sys::window().map_or(1.0, |window| window.device_pixel_ratio()).clamp(2.0, 3.0);
        let size = |length: i32| (f64::from(length) * density) as u32;
        if canvas.width() != size(width) || canvas.height() != size(height) {
            canvas.set_width(size(width));
            canvas.set_height(size(height));
        } else if let Some(context) = canvas.get_context("2d").ok().flatten() {
            let context: CanvasRenderingContext2d = context.unchecked_into();
            context.clear_rect(0.0, 0.0, f64::from(size(width)), f64::from(size(height)));
        }
        let Some(backend) = CanvasBackend::with_canvas_object(canvas) else { return };
        let clusters = data.clusters();
        let chart = Chart {
            measure: self.measure(data, number),
            clusters: &clusters,
            bucket_ns: data.bucket_ns,
            end_ns: data.end_ns,
            bands_ns: &data.bands_ns,
        };
        // A canvas that can't be drawn on stays empty; its words say the same.
        let _ = chart::draw(&backend.into_drawing_area(), &chart, &look(&data.colours, density));
    }
}

fn look(colours: &Colours, density: f64) -> Look {
    Look {
        background: colours.panel,
        lines: colours.clusters,
        words: colours.cluster_words,
        grid: colours.line,
        ink: colours.ink,
        ink_soft: colours.ink_soft,
        band: colours.bad,
        bad: colours.bad,
        font: "system-ui, sans-serif",
        density,
    }
}

/// The last values, in words.
fn describe(measure: Measure, data: &ChartData) -> String {
    let value = |points: &Vec<SeriesPoint>| {
        let last = points.iter().rev().map(|point| measure.value(point)).find(|value| value.is_finite());
        match (last.map(f64::from), measure) {
            (None, _) => "none yet".to_string(),
            (Some(value), Measure::ReadLatency | Measure::WriteLatency | Measure::Lag) => {
                number::milliseconds(value)
            }
            (Some(value), Measure::Cost) => number::dollars(value),
            (Some(value), Measure::LogLag | Measure::Missing) => number::count(value as u64),
            (Some(value), Measure::Goodput | Measure::StaleReads) => number::per_second(value),
        }
    };
    let clusters = data.series.iter().zip(data.names.iter());
    let words: Vec<String> = clusters.map(|(points, name)| format!("{name} {}", value(points))).collect();
    format!("{}: {}", measure.title(), words.join(", "))
}
