//! Cost against latency: a mark for each row, and the frontier as a line.

use super::work::Row;
use crate::sweep::frontier::figures_of;
use crate::ui::number::{dollars, milliseconds};
use yew::prelude::*;

/// In the drawing's own units.
const WIDTH: f64 = 420.0;
const HEIGHT: f64 = 260.0;
const LEFT: f64 = 44.0;
const RIGHT: f64 = 10.0;
const TOP: f64 = 10.0;
const BOTTOM: f64 = 34.0;

/// From figures to places: dollars evenly, milliseconds by their logarithm.
struct Scale {
    usd_max: f64,
    ms_min: f64,
    ms_max: f64,
}

impl Scale {
    fn of(rows: &[Row]) -> Scale {
        let mut scale = Scale { usd_max: 1.0, ms_min: f64::INFINITY, ms_max: 0.0 };
        for row in rows {
            let [usd, ms, _] = figures_of(&row.measured);
            scale.usd_max = scale.usd_max.max(usd * 1.06);
            if ms.is_finite() {
                (scale.ms_min, scale.ms_max) = (scale.ms_min.min(ms / 1.3), scale.ms_max.max(ms * 1.3));
            }
        }
        if scale.ms_max <= 0.0 {
            (scale.ms_min, scale.ms_max) = (1.0, 10.0);
        }
        scale
    }

    fn x(&self, usd: f64) -> f64 {
        LEFT + (WIDTH - LEFT - RIGHT) * usd / self.usd_max
    }

    fn y(&self, ms: f64) -> f64 {
        let log = |ms: f64| libm::log(ms / self.ms_min) / libm::log(self.ms_max / self.ms_min);
        TOP + (HEIGHT - TOP - BOTTOM) * (1.0 - log(ms.min(self.ms_max)))
    }

    /// Round numbers along an axis.
    fn dollars(&self) -> Vec<f64> {
        let mut steps = round_numbers(&[1.0, 2.0, 5.0], 0.01, self.usd_max).into_iter();
        let step = steps.find(|step| self.usd_max / step <= 5.0).unwrap_or(1.0);
        (0..=5).map(|number| step * f64::from(number)).filter(|usd| *usd <= self.usd_max).collect()
    }

    /// As many as have room.
    fn milliseconds(&self) -> Vec<f64> {
        let of = |digits| round_numbers(digits, self.ms_min, self.ms_max);
        let fine = of(&[1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 7.0]);
        let usual = of(&[1.0, 2.0, 5.0]);
        if fine.len() <= 7 {
            fine
        } else if usual.len() <= 9 {
            usual
        } else {
            of(&[1.0])
        }
    }
}

/// These digits and their decimal multiples.
fn round_numbers(digits: &[f64], from: f64, to: f64) -> Vec<f64> {
    let mut numbers = Vec::new();
    let mut decade = 0.01;
    while decade < to {
        numbers
            .extend(digits.iter().map(|digit| decade * digit).filter(|number| (from..=to).contains(number)));
        decade *= 10.0;
    }
    numbers
}

pub fn plot(rows: &[Row]) -> Html {
    let scale = Scale::of(rows);
    let grid = |path: String| html! { <path class="grid" d={path} /> };
    let across = scale.milliseconds().into_iter().map(|ms| {
        let y = scale.y(ms);
        html! {
            <>
                { grid(format!("M{LEFT} {y:.1}H{}", WIDTH - RIGHT)) }
                <text x={format!("{}", LEFT - 5.0)} y={format!("{:.1}", y + 3.0)} text-anchor="end">{ milliseconds(ms) }</text>
            </>
        }
    });
    let bottom = HEIGHT - BOTTOM;
    let up = scale.dollars().into_iter().map(|usd| {
        let x = scale.x(usd);
        html! {
            <>
                { grid(format!("M{x:.1} {TOP}V{bottom}")) }
                <text x={format!("{x:.1}")} y={format!("{}", bottom + 14.0)} text-anchor="middle">{ if usd > 0.0 { dollars(usd) } else { "$0".to_string() } }</text>
            </>
        }
    });
    html! {
        <svg class="scatter" viewBox={format!("0 0 {WIDTH} {HEIGHT}")} aria-hidden="true">
            { for across }{ for up }
            <text x={format!("{}", (LEFT + WIDTH) / 2.0)} y={format!("{}", HEIGHT - 4.0)} text-anchor="middle">{ "a month; up: the slower 99th percentile of reads and writes" }</text>
            <path class="frontier" d={line(rows, &scale)} />
            { for rows.iter().map(|row| mark(row, &scale)) }
        </svg>
    }
}

/// Through those that are faster than all that is cheaper.
fn line(rows: &[Row], scale: &Scale) -> String {
    let mut path = String::new();
    let mut fastest = f64::INFINITY;
    for row in rows.iter().filter(|row| row.is_on_frontier) {
        let [usd, ms, _] = figures_of(&row.measured);
        if ms < fastest {
            fastest = ms;
            let letter = if path.is_empty() { 'M' } else { 'L' };
            path = format!("{path}{letter}{:.1} {:.1}", scale.x(usd), scale.y(ms));
        }
    }
    path
}

/// Filled where the target is kept; the best has a ring around it.
fn mark(row: &Row, scale: &Scale) -> Html {
    let [usd, ms, _] = figures_of(&row.measured);
    let (x, y) = (format!("{:.1}", scale.x(usd)), format!("{:.1}", scale.y(ms)));
    let class = if row.misses.is_empty() { "keeps" } else { "misses" };
    html! {
        <a href={row.link.as_ref().map(|link| format!("#{link}"))} tabindex="-1">
            <title>{ format!("{} a month, {}: {}", dollars(usd), milliseconds(ms), row.words) }</title>
            <circle class="hit" cx={x.clone()} cy={y.clone()} r="9" />
            if row.is_best { <circle class="best" cx={x.clone()} cy={y.clone()} r="7.5" /> }
            <circle {class} cx={x} cy={y} r="4" />
        </a>
    }
}
