//! The page: what is asked for, how far it is, and what was found, as a picture and as a table.

use super::plot::plot;
use super::state::{Act, Form, LIMITS, Now};
use super::work::Row;
use crate::ui::number::{count, dollars, milliseconds};
use crate::ui::shared::Shared;
use crate::ui::view::View;
use web_sys::HtmlInputElement;
use yew::prelude::*;

#[derive(PartialEq)]
pub struct SizingPage {
    pub now: Shared<Now>,
    pub send: Callback<Act>,
}

impl View for SizingPage {
    fn view(&self) -> Html {
        let now = &self.now;
        html! {
            <main class="gallery sizing">
                <div class="gallery-head">
                    <h1>{ format!("Right-size: {}", now.title) }</h1>
                    <p>{ "Many runs of this scenario, on all of this computer's cores: its own traffic and its own faults, without recorded traffic and what was done by hand. Every point opens its run." }</p>
                    <p><a href={if now.back.is_empty() { "#".to_string() } else { now.back.clone() }}>{ "Back to the run" }</a></p>
                </div>
                <div class="sizing-parts">
                    { self.form() }
                    <section class="found" aria-label="What was found">
                        if now.is_running || now.done > 0 {
                            <label class="progress">
                                <progress max={now.runs.to_string()} value={now.done.to_string()} />
                                <span>{ format!("{} of {} runs", count(now.done as u64), count(now.runs as u64)) }</span>
                            </label>
                        }
                        <p role="status">{ now.status.clone() }</p>
                        if !now.rows.is_empty() {
                            { plot(&now.rows) }
                            <p class="legend">{ "● keeps the target · ○ does not · ◎ the cheapest that does · line: the frontier" }</p>
                        }
                    </section>
                </div>
                if !now.rows.is_empty() { { table(&now.rows) } }
            </main>
        }
    }
}

impl SizingPage {
    fn form(&self) -> Html {
        let now = &self.now;
        let form = &now.form;
        let act = |act: fn(String) -> Act| {
            self.send
                .reform(move |event: Event| act(event.target_unchecked_into::<HtmlInputElement>().value()))
        };
        let cluster = self.send.reform(|event: Event| {
            let value = event.target_unchecked_into::<HtmlInputElement>().value();
            Act::Cluster(js_sys::parse_float(&value) as u8)
        });
        let option = |(number, name): (usize, &String)| {
            html! { <option value={number.to_string()} selected={number == usize::from(form.cluster)}>{ name.clone() }</option> }
        };
        let (start, cancel) = (self.send.reform(|_| Act::Start), self.send.reform(|_| Act::Cancel));
        html! {
            <section class="asked" aria-label="What to look for">
                <fieldset disabled={now.is_running}>
                    <div class="which" role="group" aria-label="What to run">
                        { self.mode(false, "The cheapest") }{ self.mode(true, "Every combination") }
                    </div>
                    <label class="field"><span>{ "Cluster" }</span><select onchange={cluster}>{ for now.clusters.iter().enumerate().map(option) }</select></label>
                    { for (0..LIMITS.len()).map(|place| self.limit(form, place)) }
                    if form.is_sweep {
                        <label class="field"><span>{ "Values: a path and its values a line" }</span>
                            <textarea rows="4" spellcheck="false" onchange={act(Act::Vary)} value={form.vary.clone()} /></label>
                        { field("Seeds, from..to", "", form.seeds.clone(), "text", act(Act::Seeds)) }
                    } else {
                        { field("Runs at most", "", form.runs.clone(), "number", act(Act::Runs)) }
                    }
                </fieldset>
                if let Some(refusal) = &now.refusal { <p class="refusal" role="alert">{ refusal.clone() }</p> }
                <div class="form-foot">
                    if now.is_running {
                        <button class="primary" onclick={cancel}>{ "Cancel" }</button>
                    } else {
                        <button class="primary" onclick={start}>{ "Start" }</button>
                    }
                </div>
            </section>
        }
    }

    fn mode(&self, is_sweep: bool, words: &'static str) -> Html {
        let pressed = (self.now.form.is_sweep == is_sweep).to_string();
        let onclick = self.send.reform(move |_| Act::Sweep(is_sweep));
        html! { <button class="plain" aria-pressed={pressed} {onclick}>{ words }</button> }
    }

    fn limit(&self, form: &Form, place: usize) -> Html {
        let (label, unit) = LIMITS[place];
        let onchange = self.send.reform(move |event: Event| {
            Act::Limit(place, event.target_unchecked_into::<HtmlInputElement>().value())
        });
        field(label, unit, form.limits[place].clone(), "number", onchange)
    }
}

fn field(
    label: &'static str,
    unit: &'static str,
    value: String,
    kind: &'static str,
    onchange: Callback<Event>,
) -> Html {
    html! {
        <label class="field one"><span>{ label }</span><span class="control"><input type={kind} step="any" min="0" {value} {onchange} />{ unit }</span></label>
    }
}

fn table(rows: &[Row]) -> Html {
    let head = ["A month", "Design", "Reads p99", "Writes p99", "Succeed", "Stale", "Lost", "Target"];
    html! {
        <div class="sizing-table">
            <table>
                <caption class="hidden">{ "Everything that was run, by cost" }</caption>
                <thead><tr>{ for head.iter().map(|words| html! { <th scope="col">{ *words }</th> }) }</tr></thead>
                <tbody>{ for rows.iter().map(row) }</tbody>
            </table>
        </div>
    }
}

fn row(row: &Row) -> Html {
    let measured = &row.measured;
    let ms = |ms: Option<f64>| milliseconds(ms.unwrap_or(f64::NAN));
    let percent =
        |share: Option<f64>| share.map_or("–".to_string(), |share| format!("{:.3} %", share * 100.0));
    let target = match (row.is_best, row.misses.is_empty(), row.is_open) {
        (true, ..) => "the cheapest".to_string(),
        (_, true, true) => "kept once".to_string(),
        (_, true, false) => "kept".to_string(),
        (_, false, _) => format!("not: {}", row.misses),
    };
    let cells = [
        ms(measured.read_ms_p99),
        ms(measured.write_ms_p99),
        percent(measured.success_share),
        percent(measured.stale_share),
        count(measured.lost_writes),
        target,
    ];
    let class = classes!(row.is_best.then_some("best"), row.is_on_frontier.then_some("on-frontier"));
    html! {
        <tr {class} data-trace={format!("{:016x}", measured.trace_hash)}>
            <td>{ dollars(measured.usd_per_month) }</td>
            <td>
                if let Some(link) = &row.link { <a href={format!("#{link}")}>{ row.words.clone() }</a> } else { { row.words.clone() } }
            </td>
            { for cells.into_iter().map(|words| html! { <td>{ words }</td> }) }
        </tr>
    }
}
