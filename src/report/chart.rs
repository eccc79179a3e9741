//! Charts of a run's series.
//!
//! One piece of code for every place that a chart is drawn at: a canvas of the
//! page, an SVG file of a report. It is generic over the drawing backend, and
//! takes colours and density from outside.
//!
//! Clusters are told apart by colour and by dashes, and named at the right end
//! of their lines. There is no minor grid. Text is never measured: backends
//! differ in how they would, and the page's would need inline styles.

use crate::engine::order::{key_of_signed, places_by};
use crate::session::frame::SeriesPoint;
use plotters::coord::Shift;
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

/// What one chart shows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Measure {
    /// Operations asked for and operations that succeeded, per second.
    Goodput,
    ReadLatency,
    WriteLatency,
    StaleReads,
    /// Of the replica that is farthest behind.
    Lag,
    /// Of a counting service: views in its log that no worker has counted, and views taken that are not stored.
    LogLag,
    Missing,
    Cost,
}

impl Measure {
    pub fn title(self) -> &'static str {
        match self {
            Measure::Goodput => "Goodput",
            Measure::ReadLatency => "Read latency",
            Measure::WriteLatency => "Write latency",
            Measure::StaleReads => "Stale reads, lost writes",
            Measure::Lag => "Replication lag",
            Measure::LogLag => "In the log, not counted",
            Measure::Missing => "Taken, not stored",
            Measure::Cost => "Cost",
        }
    }

    /// The unit of its vertical axis, and what else the reader needs.
    pub fn unit(self) -> &'static str {
        match self {
            Measure::Goodput => "operations a second",
            Measure::ReadLatency | Measure::WriteLatency => "p99, p50",
            Measure::StaleReads => "a second",
            Measure::Lag => "log scale",
            Measure::LogLag | Measure::Missing => "views",
            Measure::Cost => "dollars an hour",
        }
    }

    fn is_logarithmic(self) -> bool {
        matches!(self, Measure::ReadLatency | Measure::WriteLatency | Measure::Lag)
    }

    /// The main value of one bucket; NaN where there was none.
    pub fn value(self, point: &SeriesPoint) -> f32 {
        match self {
            Measure::Goodput => point.goodput,
            Measure::ReadLatency => point.read_ms_p99,
            Measure::WriteLatency => point.write_ms_p99,
            Measure::StaleReads => point.stale_reads,
            Measure::Lag => point.lag_ms,
            Measure::LogLag => point.log_lag,
            Measure::Missing => point.views_missing,
            Measure::Cost => point.usd_per_hour,
        }
    }

    /// A second value, drawn faintly.
    fn faint_value(self, point: &SeriesPoint) -> Option<f32> {
        match self {
            Measure::ReadLatency => Some(point.read_ms_p50),
            Measure::WriteLatency => Some(point.write_ms_p50),
            _ => None,
        }
    }
}

/// One cluster's line.
#[derive(Clone, Copy)]
pub struct ChartCluster<'a> {
    /// A few letters.
    pub label: &'a str,
    /// Which of [`Look::lines`] it has.
    pub hue: usize,
    pub points: &'a [SeriesPoint],
}

/// Everything that one chart needs to know.
pub struct Chart<'a> {
    pub measure: Measure,
    pub clusters: &'a [ChartCluster<'a>],
    /// Simulated width of one point, in ns.
    pub bucket_ns: u64,
    /// The axis runs from 0 to here.
    pub end_ns: u64,
    /// When faults acted.
    pub bands_ns: &'a [(u64, u64)],
}

/// A colour without transparency.
pub type Rgb = (u8, u8, u8);

/// Colours, letters, density.
pub struct Look {
    pub background: Rgb,
    pub lines: [Rgb; 4],
    pub words: [Rgb; 4],
    pub grid: Rgb,
    pub ink: Rgb,
    pub ink_soft: Rgb,
    pub band: Rgb,
    pub bad: Rgb,
    pub font: &'static str,
    /// Backend pixels for each pixel that the reader sees.
    pub density: f64,
}

/// What went wrong is the backend's.
pub type DrawResult<DB> = Result<(), DrawingAreaErrorKind<<DB as DrawingBackend>::ErrorType>>;

type Plane<'a, DB> = ChartContext<'a, DB, Cartesian2d<RangedCoordf64, RangedCoordf64>>;

/// Dashes of the first, second … cluster: length and gap.
const DASHES: [Option<(i32, i32)>; 4] = [None, Some((6, 3)), Some((2, 3)), Some((10, 4))];
const TEXT_SIZE: f64 = 10.5;
/// Room for labels at the right.
const LABELS_WIDTH: f64 = 46.0;

/// Draws a chart over the whole area.
pub fn draw<DB: DrawingBackend>(
    area: &DrawingArea<DB, Shift>,
    chart: &Chart<'_>,
    look: &Look,
) -> DrawResult<DB> {
    let pixels = |value: f64| (value * look.density + 0.5) as i32;
    let axis = Axis::new(chart);
    let end_s = seconds(chart.end_ns).max(1e-9);
    let mut plane: Plane<'_, DB> = ChartBuilder::on(area)
        .margin_top(pixels(13.0))
        .margin_bottom(pixels(4.0))
        .margin_left(pixels(2.0))
        .margin_right(pixels(LABELS_WIDTH))
        .build_cartesian_2d(0.0..end_s, axis.low..axis.high)?;

    for (from_ns, to_ns) in chart.bands_ns {
        let (from, to) = (seconds(*from_ns).min(end_s), seconds(*to_ns).min(end_s));
        let style = RGBColor(look.band.0, look.band.1, look.band.2).mix(0.11).filled();
        plane.draw_series([Rectangle::new([(from, axis.high), (to, axis.low)], style)])?;
    }
    for (value, _) in &axis.ticks {
        let style = colour(look.grid).stroke_width(pixels(1.0).max(1) as u32);
        plane.draw_series([PathElement::new(vec![(0.0, *value), (end_s, *value)], style)])?;
    }
    let mut ends = Vec::new();
    if chart.measure == Measure::Goodput {
        // Every cluster gets the same arrivals: one line shows them.
        if let Some(cluster) = chart.clusters.first() {
            let asked = runs(chart, cluster.points, &axis, |point| point.throughput);
            line(
                &mut plane,
                &asked,
                None,
                colour(look.ink_soft).mix(0.8).stroke_width(pixels(1.0).max(1) as u32),
                look,
            )?;
        }
    }
    for (index, cluster) in chart.clusters.iter().enumerate() {
        let dash = DASHES[index % DASHES.len()];
        let base = colour(look.lines[cluster.hue % 4]);
        if chart.measure.faint_value(&SeriesPoint::default()).is_some() {
            let faint = runs(chart, cluster.points, &axis, |point| {
                chart.measure.faint_value(point).unwrap_or(f32::NAN)
            });
            line(&mut plane, &faint, dash, base.mix(0.5).stroke_width(pixels(1.0).max(1) as u32), look)?;
        }
        let main = runs(chart, cluster.points, &axis, |point| chart.measure.value(point));
        line(&mut plane, &main, dash, base.mix(1.0).stroke_width(pixels(1.7).max(1) as u32), look)?;
        if let Some(last) = main.last().and_then(|run| run.last()) {
            let (x, y) = plane.backend_coord(last);
            ends.push((x, y, cluster));
        }
        if chart.measure == Measure::StaleReads {
            lost_writes(area, &plane, chart, cluster, look)?;
        }
    }
    for (value, label) in &axis.ticks {
        let (x, y) = plane.backend_coord(&(0.0, *value));
        // Something to stand on, where lines run behind it. Digits are about this wide.
        let (width, height) =
            (pixels(label.chars().count() as f64 * TEXT_SIZE * 0.62 + 2.0), pixels(TEXT_SIZE));
        let ground = colour(look.background).mix(0.78).filled();
        area.draw(&Rectangle::new([(x, y - height - pixels(1.0)), (x + width, y - pixels(1.0))], ground))?;
        write(area, look, label, (x, y - pixels(2.0)), look.ink_soft, VPos::Bottom)?;
    }
    let (_, height) = area.dim_in_pixel();
    spread(&mut ends, pixels(11.0), height as i32 - pixels(6.0));
    for (x, y, cluster) in ends {
        write(area, look, cluster.label, (x + pixels(4.0), y), look.words[cluster.hue % 4], VPos::Center)?;
    }
    Ok(())
}

/// The vertical axis. On a logarithmic one values are powers of ten.
struct Axis {
    is_logarithmic: bool,
    low: f64,
    high: f64,
    ticks: Vec<(f64, String)>,
}

impl Axis {
    fn new(chart: &Chart<'_>) -> Axis {
        let measure = chart.measure;
        let points = || chart.clusters.iter().flat_map(|cluster| cluster.points);
        let main = points().map(|point| f64::from(measure.value(point)));
        let faint = points().filter_map(|point| measure.faint_value(point)).map(f64::from);
        let asked = points().map(|point| f64::from(point.throughput)).filter(|_| measure == Measure::Goodput);
        let finite = main.chain(faint).chain(asked).filter(|value| value.is_finite());
        if measure.is_logarithmic() {
            let (low, high) = finite
                .filter(|value| *value > 0.0)
                .fold((f64::MAX, 0.0_f64), |(low, high), value| (low.min(value), high.max(value)));
            // Lag below a millisecond is none; latencies have a floor of their own.
            let floor = if measure == Measure::Lag { 1.0 } else { 0.01 };
            let low = if high > 0.0 { libm::floor(libm::log10(low.max(floor))) } else { 0.0 };
            let high = if high > 0.0 { libm::ceil(libm::log10(high)) } else { 2.0 }.max(low + 1.0);
            // Labels of at most four powers of ten fit.
            let step = (((high - low) / 4.0) + 0.999) as i32;
            let powers = (low as i32..=high as i32).step_by(step.max(1) as usize);
            let ticks =
                powers.map(|power| (f64::from(power), milliseconds(libm::pow(10.0, f64::from(power)))));
            Axis { is_logarithmic: true, low, high, ticks: ticks.collect() }
        } else {
            let most = finite.fold(0.0, f64::max);
            let high = nice_above(if measure == Measure::Cost { most * 1.15 } else { most * 1.02 });
            let label = |value: f64| {
                if measure == Measure::Cost { format!("${}", short(value)) } else { short(value) }
            };
            let ticks = [0.0, high / 2.0, high].map(|value| (value, label(value)));
            Axis { is_logarithmic: false, low: 0.0, high, ticks: ticks.to_vec() }
        }
    }

    fn place(&self, value: f64) -> f64 {
        let value = if self.is_logarithmic { libm::log10(value.max(1e-9)) } else { value };
        value.clamp(self.low, self.high)
    }
}

/// Unbroken runs of points: a line stops where there was no value.
fn runs(
    chart: &Chart<'_>,
    points: &[SeriesPoint],
    axis: &Axis,
    value: impl Fn(&SeriesPoint) -> f32,
) -> Vec<Vec<(f64, f64)>> {
    let mut runs: Vec<Vec<(f64, f64)>> = Vec::new();
    let mut is_open = false;
    for (index, point) in points.iter().enumerate() {
        let value = f64::from(value(point));
        if !value.is_finite() {
            is_open = false;
            continue;
        }
        if !is_open {
            runs.push(Vec::new());
            is_open = true;
        }
        let middle_ns = chart.bucket_ns as f64 * (index as f64 + 0.5);
        let at = ((middle_ns / 1e9).min(seconds(chart.end_ns)), axis.place(value));
        if let Some(run) = runs.last_mut() {
            run.push(at);
        }
    }
    runs
}

fn line<DB: DrawingBackend>(
    plane: &mut Plane<'_, DB>,
    runs: &[Vec<(f64, f64)>],
    dash: Option<(i32, i32)>,
    style: ShapeStyle,
    look: &Look,
) -> DrawResult<DB> {
    for run in runs {
        match dash {
            None => plane.draw_series(LineSeries::new(run.iter().copied(), style))?,
            Some((length, gap)) => {
                let pixels = |value: i32| (f64::from(value) * look.density) as i32;
                plane.draw_series(DashedLineSeries::new(
                    run.iter().copied(),
                    pixels(length),
                    pixels(gap),
                    style,
                ))?
            }
        };
    }
    Ok(())
}

/// Acknowledged writes that were found lost: a mark at the top, whatever their number.
fn lost_writes<DB: DrawingBackend>(
    area: &DrawingArea<DB, Shift>,
    plane: &Plane<'_, DB>,
    chart: &Chart<'_>,
    cluster: &ChartCluster<'_>,
    look: &Look,
) -> DrawResult<DB> {
    let size = (4.0 * look.density) as i32;
    for (index, point) in cluster.points.iter().enumerate() {
        if point.lost_writes > 0.0 {
            let at_s = chart.bucket_ns as f64 * (index as f64 + 0.5) / 1e9;
            let (x, _) = plane.backend_coord(&(at_s.min(seconds(chart.end_ns)), 0.0));
            let triangle = vec![(x, size * 2), (x - size, 0), (x + size, 0)];
            area.draw(&Polygon::new(triangle, colour(look.bad).filled()))?;
        }
    }
    Ok(())
}

/// Moves labels apart that would be written over each other, and none below `lowest`.
fn spread<T>(ends: &mut [(i32, i32, T)], gap: i32, lowest: i32) {
    let order = places_by(ends.len(), |at| key_of_signed(ends[at].1.into()));
    let mut highest = i32::MIN;
    for at in &order {
        let end = &mut ends[*at as usize];
        end.1 = end.1.max(highest);
        highest = end.1 + gap;
    }
    let mut limit = lowest;
    for at in order.iter().rev() {
        let end = &mut ends[*at as usize];
        end.1 = end.1.min(limit);
        limit = end.1 - gap;
    }
}

fn write<DB: DrawingBackend>(
    area: &DrawingArea<DB, Shift>,
    look: &Look,
    text: &str,
    at: (i32, i32),
    paint: Rgb,
    vertical: VPos,
) -> DrawResult<DB> {
    // By name: from a text alone plotters would look for the families that it knows, in the letters of all scripts.
    let font = FontDesc::new(FontFamily::Name(look.font), TEXT_SIZE * look.density, FontStyle::Normal);
    let style = font.color(&colour(paint)).pos(Pos::new(HPos::Left, vertical));
    area.draw_text(text, &style, at)
}

fn colour(rgb: Rgb) -> RGBColor {
    RGBColor(rgb.0, rgb.1, rgb.2)
}

fn seconds(ns: u64) -> f64 {
    ns as f64 / 1e9
}

/// The next number above of 1, 2, 4, 6 or 10 times a power of ten: its half is short too.
fn nice_above(value: f64) -> f64 {
    if value <= 0.0 || !value.is_finite() {
        return 1.0;
    }
    let power = libm::pow(10.0, libm::floor(libm::log10(value)));
    let factor = [1.0, 2.0, 4.0, 6.0, 10.0].into_iter().find(|factor| factor * power >= value);
    factor.unwrap_or(10.0) * power
}

/// `6k`, `300`, `0.5`.
fn short(value: f64) -> String {
    if value >= 1_000.0 {
        format!("{}k", value / 1_000.0)
    } else {
        format!("{}", (value * 1_000.0 + 0.5) as u64 as f64 / 1_000.0)
    }
}

fn milliseconds(value: f64) -> String {
    if value >= 1_000.0 { format!("{} s", value / 1_000.0) } else { format!("{value} ms") }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOOK: Look = Look {
        background: (255, 255, 255),
        lines: [(0, 114, 178); 4],
        words: [(0, 98, 154); 4],
        grid: (221, 216, 206),
        ink: (27, 31, 39),
        ink_soft: (95, 104, 120),
        band: (194, 41, 63),
        bad: (194, 41, 63),
        font: "sans-serif",
        density: 1.0,
    };

    fn svg(measure: Measure, points: &[SeriesPoint]) -> String {
        let mut text = String::new();
        {
            let area = SVGBackend::with_string(&mut text, (240, 110)).into_drawing_area();
            let clusters = [
                ChartCluster { label: "SQL", hue: 0, points },
                ChartCluster { label: "ring", hue: 1, points },
            ];
            let chart = Chart {
                measure,
                clusters: &clusters,
                bucket_ns: 100_000_000,
                end_ns: 3_000_000_000,
                bands_ns: &[(1_000_000_000, 2_000_000_000)],
            };
            draw(&area, &chart, &LOOK).expect("drawing into a string can't fail");
            area.present().expect("drawing into a string can't fail");
        }
        text
    }

    #[test]
    fn every_measure_is_drawn_and_its_lines_are_named() {
        let point = SeriesPoint {
            goodput: 90.0,
            throughput: 100.0,
            read_ms_p99: 3.0,
            write_ms_p99: 40.0,
            ..SeriesPoint::default()
        };
        for measure in [
            Measure::Goodput,
            Measure::ReadLatency,
            Measure::WriteLatency,
            Measure::StaleReads,
            Measure::Lag,
            Measure::Cost,
        ] {
            let text = svg(measure, &[point; 20]);
            assert!(text.contains("SQL") && text.contains("ring"), "{measure:?} names no line: {text}");
        }
    }

    #[test]
    fn a_chart_of_nothing_is_drawn_without_lines() {
        let text = svg(Measure::ReadLatency, &[]);
        assert!(!text.contains("SQL"));
    }

    #[test]
    fn a_line_is_interrupted_where_there_was_no_value() {
        let value = SeriesPoint { lag_ms: 5.0, ..SeriesPoint::default() };
        let none = SeriesPoint { lag_ms: f32::NAN, ..SeriesPoint::default() };
        let points = [value, value, none, value, value];
        let clusters = [ChartCluster { label: "SQL", hue: 0, points: &points }];
        let chart = Chart {
            measure: Measure::Lag,
            clusters: &clusters,
            bucket_ns: 1_000_000_000,
            end_ns: 5_000_000_000,
            bands_ns: &[],
        };
        let runs = runs(&chart, &points, &Axis::new(&chart), |point| point.lag_ms);
        assert_eq!(runs.iter().map(Vec::len).collect::<Vec<_>>(), [2, 2]);
    }

    #[test]
    fn axes_end_at_round_numbers() {
        assert_eq!([0.0, 3.0, 41.0, 99.0, 1_200.0].map(nice_above), [1.0, 4.0, 60.0, 100.0, 2_000.0]);
    }
}
