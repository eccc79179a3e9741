//! The figures above a cluster, in the same order for each, so that the eye compares.

use crate::session::frame::Figures;
use crate::ui::app::{Message, Popup};
use crate::ui::icon::icon;
use crate::ui::number;
use crate::ui::view::View;
use std::rc::Rc;
use yew::prelude::*;

/// How worried one should be about a figure.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Tone {
    Plain,
    Watch,
    Bad,
}

/// One figure: its value, what it is, how worrying.
struct Figure {
    value: String,
    words: &'static str,
    /// More about it, for who points at it.
    details: String,
    tone: Tone,
    /// Whether there is a bill behind it.
    is_billed: bool,
}

/// Latencies from here on are worth watching, and bad.
const LATENCY_MS_WATCH: f64 = 50.0;
const LATENCY_MS_BAD: f64 = 250.0;
const LAG_MS_WATCH: f64 = 100.0;
const LAG_MS_BAD: f64 = 1_000.0;
/// Views in the log that no worker has counted.
const LOG_LAG_WATCH: u64 = 10_000;
const LOG_LAG_BAD: u64 = 100_000;
/// Shares of what clients asked for that succeed.
const GOODPUT_WATCH: f64 = 0.97;
const GOODPUT_BAD: f64 = 0.75;

#[derive(PartialEq)]
pub struct FigureRow {
    pub cluster: u8,
    pub figures: Rc<Figures>,
    pub send: Callback<Message>,
}

impl View for FigureRow {
    fn view(&self) -> Html {
        html! { <dl class="figures">{ for figures(&self.figures).into_iter().map(|figure| self.show(figure)) }</dl> }
    }
}

impl FigureRow {
    fn show(&self, figure: Figure) -> Html {
        let (class, sign, words) = match figure.tone {
            Tone::Plain => ("plain", None, ""),
            Tone::Watch => ("watch", Some("warning"), "worth watching: "),
            Tone::Bad => ("bad", Some("bad"), "bad: "),
        };
        html! {
            <div class={class} title={figure.details}>
                <dt>{ figure.words }</dt>
                <dd>
                    if !words.is_empty() { <span class="hidden">{ words }</span> }
                    if figure.is_billed {
                        <button class="plain inline to-bill" aria-haspopup="dialog" onclick={self.open_bill()}>{ figure.value }</button>
                    } else {
                        { figure.value }
                    }
                    { for sign.map(icon) }
                </dd>
            </div>
        }
    }

    fn open_bill(&self) -> Callback<MouseEvent> {
        let cluster = self.cluster;
        self.send.reform(move |_| Message::OpenPopup(Popup::Bill(cluster), None))
    }
}

fn figures(figures: &Figures) -> Vec<Figure> {
    let share = figures.goodput_per_second / figures.throughput_per_second.max(1e-9);
    let asked = figures.throughput_per_second > 0.0;
    let broken = figures.failed + figures.unknown;
    let broken_share = broken as f64 / figures.invoked.max(1) as f64;
    let causes: Vec<String> =
        figures.causes.iter().map(|(cause, count)| format!("{cause}: {}", number::count(*count))).collect();
    let per_million = figures.usd_per_million_operations;
    vec![
        Figure {
            value: number::per_second(figures.goodput_per_second),
            words: "goodput",
            details: format!(
                "Operations that succeeded in the last simulated second; clients asked for {}",
                number::per_second(figures.throughput_per_second)
            ),
            tone: tone(asked && share < GOODPUT_WATCH, asked && share < GOODPUT_BAD),
            is_billed: false,
        },
        latency("read p99", figures.read_latency_ms_p99, figures.read_latency_ms_p50),
        latency("write p99", figures.write_latency_ms_p99, figures.write_latency_ms_p50),
        match figures.service {
            Some(service) => Figure {
                value: number::count(service.views_missing),
                words: "not counted",
                details: format!(
                    "Views taken: {}, counted: {}; the others are on their way, or lost. In the log: {}. Dead letters: {}",
                    number::count(service.views_taken),
                    number::count(service.views_counted),
                    number::count(service.log_lag),
                    number::count(service.dead_letters)
                ),
                tone: tone(service.log_lag > LOG_LAG_WATCH, service.log_lag > LOG_LAG_BAD),
                is_billed: false,
            },
            None => Figure {
                value: number::count(figures.stale_reads),
                words: "stale reads",
                details: "Reads that returned an older version than one acknowledged before the read began"
                    .to_string(),
                tone: tone(figures.stale_reads > 0, figures.stale_reads > 0),
                is_billed: false,
            },
        },
        Figure {
            value: format!("{} / {}", number::count(figures.failed), number::count(figures.unknown)),
            words: "failed / unknown",
            details: if causes.is_empty() {
                "Failed: surely not done. Unknown: timed out, it may have happened".to_string()
            } else {
                causes.join(", ")
            },
            tone: tone(broken > 0, broken_share > 0.01),
            is_billed: false,
        },
        match figures.service {
            Some(service) => Figure {
                value: number::count(service.views_counted_twice),
                words: "counted twice",
                details: "Views that are in the counts and were never asked for".to_string(),
                tone: tone(service.views_counted_twice > 0, service.views_counted_twice > 0),
                is_billed: false,
            },
            None => Figure {
                value: number::count(figures.lost_acknowledged_writes),
                words: "lost writes",
                details: "Writes that were acknowledged and are gone".to_string(),
                tone: tone(figures.lost_acknowledged_writes > 0, figures.lost_acknowledged_writes > 0),
                is_billed: false,
            },
        },
        match figures.visible_at {
            _ if figures.service.is_some() => {
                let shown = figures.service.and_then(|service| service.shown_after_ms);
                Figure {
                    value: shown.map_or("–".to_string(), |(_, p99)| number::milliseconds(p99)),
                    words: "readable p99",
                    details: shown.map_or(String::new(), |(p50, _)| {
                        format!(
                            "From a view to where a reader shows it; median {}",
                            number::milliseconds(p50)
                        )
                    }),
                    tone: Tone::Plain,
                    is_billed: false,
                }
            }
            Some((ms, share)) => Figure {
                value: figures.visible_after_ms.map_or("–".to_string(), number::milliseconds),
                words: "visible after",
                details: format!(
                    "999 of 1,000 reads that come this long after a write's acknowledgement see it; after {ms} ms {:.1} % do",
                    share * 100.0
                ),
                tone: Tone::Plain,
                is_billed: false,
            },
            None => Figure {
                value: figures.replication_lag_ms.map_or("–".to_string(), number::milliseconds),
                words: "lag",
                details: "How far the replica that is farthest behind is behind".to_string(),
                tone: figures
                    .replication_lag_ms
                    .map_or(Tone::Plain, |lag| tone(lag >= LAG_MS_WATCH, lag >= LAG_MS_BAD)),
                is_billed: false,
            },
        },
        Figure {
            value: number::dollars(figures.usd_per_month),
            words: "a month",
            details: per_million.map_or_else(
                || format!("{} an hour", number::dollars(figures.usd_per_hour)),
                |usd| {
                    format!(
                        "{} an hour, {} per million operations",
                        number::dollars(figures.usd_per_hour),
                        number::dollars(usd)
                    )
                },
            ),
            tone: Tone::Plain,
            is_billed: true,
        },
    ]
}

fn latency(words: &'static str, p99_ms: f64, p50_ms: f64) -> Figure {
    Figure {
        value: number::milliseconds(p99_ms),
        words,
        details: format!(
            "99 of 100 were faster, in the last simulated second; half were faster than {}",
            number::milliseconds(p50_ms)
        ),
        tone: tone(p99_ms >= LATENCY_MS_WATCH, p99_ms >= LATENCY_MS_BAD),
        is_billed: false,
    }
}

fn tone(is_worth_watching: bool, is_bad: bool) -> Tone {
    match (is_worth_watching, is_bad) {
        (_, true) => Tone::Bad,
        (true, false) => Tone::Watch,
        (false, false) => Tone::Plain,
    }
}
