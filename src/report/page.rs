//! A report as one HTML page: figures, plots, faults and what they touched, narration.
//!
//! The page needs nothing else: no script, no other file, no network. Its plots
//! are SVG by the same code that draws the interface's charts. Every text is escaped.

use super::chart::{self, Chart, ChartCluster, Look, Measure, Rgb};
use super::run_report::{FaultReport, RunReport};
use super::table;
use crate::measure::written::whole;
use crate::session::Session;
use crate::session::frame::{SeriesPoint, Severity};
use crate::session::frames::series;
use plotters::prelude::{IntoDrawingArea, SVGBackend};
use std::fmt::Write;

const PLOT_WIDTH: u32 = 460;
const PLOT_HEIGHT: u32 = 180;
const MEASURES: [Measure; 8] = [
    Measure::Goodput,
    Measure::ReadLatency,
    Measure::WriteLatency,
    Measure::StaleReads,
    Measure::Lag,
    Measure::LogLag,
    Measure::Missing,
    Measure::Cost,
];

/// Okabe and Ito's colours, dark enough for paper; the interface's light theme has the same.
const LINES: [Rgb; 4] = [(0, 114, 178), (176, 106, 0), (11, 122, 88), (168, 72, 127)];
const WORDS: [Rgb; 4] = [(0, 98, 154), (138, 83, 0), (8, 98, 71), (139, 55, 104)];

const LOOK: Look = Look {
    background: (255, 255, 255),
    lines: LINES,
    words: WORDS,
    grid: (221, 216, 206),
    ink: (27, 31, 39),
    ink_soft: (90, 99, 115),
    band: (185, 31, 55),
    bad: (185, 31, 55),
    font: "sans-serif",
    density: 1.0,
};

const STYLE: &str = "
:root { color-scheme: light; }
body { margin: 2rem auto; max-width: 62rem; padding: 0 1rem; background: #f6f4ef; color: #1b1f27;
  font: 1rem/1.5 system-ui, sans-serif; font-variant-numeric: tabular-nums; }
h1 { margin: 0; font-size: 1.6rem; } h2 { margin: 2rem 0 .5rem; font-size: 1.1rem; }
p { margin: .3rem 0; } .soft { color: #5a6373; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; } th, td { padding: .15rem .8rem .15rem 0; text-align: right; }
th:first-child, td:first-child { text-align: left; white-space: pre; font-weight: normal; }
thead th { border-bottom: 2px solid currentcolor; } td.words { text-align: left; } tbody tr:nth-child(even) { background: #efece5; }
.plots { display: grid; grid-template-columns: repeat(auto-fill, minmax(20rem, 1fr)); gap: 1rem; }
figure { margin: 0; padding: .6rem; background: #fff; border-radius: 8px; }
figcaption { display: flex; justify-content: space-between; } svg { width: 100%; height: auto; display: block; }
ol { list-style: none; padding: 0; } li { margin: .2rem 0; } time { display: inline-block; min-width: 5.5rem; color: #5a6373; }
.warning { color: #7d6000; } .violation { color: #b91f37; }
code { font-family: ui-monospace, monospace; overflow-wrap: anywhere; }
";

/// The page of a session as it stands, with its report.
pub fn page(session: &Session, report: &RunReport) -> String {
    let mut out = String::new();
    let title = escape(&report.title);
    let _ = write!(
        out,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <title>{title} – Faultline</title>\n<style>{STYLE}</style>\n</head>\n<body>\n\
         <h1>{title}</h1>\n<p>{}</p>\n<p class=\"soft\">Seed {}; {}.</p>\n",
        escape(&session.scenario().question),
        report.seed,
        escape(&table::ran(report))
    );
    checks(&mut out, report);
    figures(&mut out, report);
    bills(&mut out, report);
    plots(&mut out, session);
    faults(&mut out, &report.faults);
    recording(&mut out, report);
    narration(&mut out, session);
    let _ = write!(
        out,
        "<h2>What was assumed</h2>\n<p>Prices: {}, {}. {}</p>\n<p>The scenario in full, with every default, \
         and all figures are in <code>report.json</code> and <code>scenario.json</code> beside this page.</p>\n\
         </body>\n</html>\n",
        escape(&session.prices().title),
        escape(&session.prices().date),
        escape(&session.prices().note)
    );
    out
}

fn checks(out: &mut String, report: &RunReport) {
    if report.checks.is_empty() {
        return;
    }
    out.push_str("<h2>Checks</h2>\n<ol>\n");
    for check in &report.checks {
        let class = if check.kept { "" } else { " class=\"violation\"" };
        let _ = writeln!(out, "<li{class}>{}</li>", escape(&check.to_string()));
    }
    out.push_str("</ol>\n");
}

fn figures(out: &mut String, report: &RunReport) {
    out.push_str("<h2>Figures</h2>\n<div class=\"scroll\"><table>\n<thead><tr><th></th>");
    for (at, cluster) in report.clusters.iter().enumerate() {
        let (red, green, blue) = WORDS[at % WORDS.len()];
        let name = escape(&cluster.name);
        let _ = write!(out, "<th scope=\"col\" style=\"color:rgb({red},{green},{blue})\">{name}</th>");
    }
    out.push_str("</tr></thead>\n<tbody>\n");
    for row in table::rows(report) {
        let _ = write!(out, "<tr><th scope=\"row\">{}</th>", escape(row.label));
        for value in &row.values {
            let _ = write!(out, "<td>{}</td>", escape(value));
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</tbody>\n</table></div>\n");
    for cluster in report.clusters.iter().filter(|cluster| !cluster.causes.is_empty()) {
        let causes: Vec<String> =
            cluster.causes.iter().map(|cause| format!("{} {}", whole(cause.count), cause.cause)).collect();
        let _ = writeln!(out, "<p>{}, not ok: {}.</p>", escape(&cluster.name), escape(&causes.join(", ")));
    }
}

fn bills(out: &mut String, report: &RunReport) {
    for cluster in &report.clusters {
        for table in &cluster.bill {
            let _ = write!(
                out,
                "<h2>{}: {}</h2>\n<div class=\"scroll\"><table>\n",
                escape(&cluster.name),
                escape(&table.title)
            );
            if !table.head.is_empty() {
                let cells: String = table
                    .head
                    .iter()
                    .map(|cell| format!("<th scope=\"col\">{}</th>", escape(cell)))
                    .collect();
                let _ = writeln!(out, "<thead><tr>{cells}</tr></thead>");
            }
            out.push_str("<tbody>\n");
            for row in &table.rows {
                let _ = write!(out, "<tr><th scope=\"row\">{}</th>", escape(&row[0]));
                let class = if table.head.is_empty() { " class=\"words\"" } else { "" };
                for cell in &row[1..] {
                    let _ = write!(out, "<td{class}>{}</td>", escape(cell));
                }
                out.push_str("</tr>\n");
            }
            let _ = write!(
                out,
                "</tbody>\n</table></div>\n<p>{}</p>\n<p class=\"soft\">{}</p>\n",
                escape(&table.note),
                escape(&table.assumes)
            );
        }
    }
}

fn plots(out: &mut String, session: &Session) {
    let points: Vec<Vec<SeriesPoint>> =
        session.clusters().iter().map(|run| series(run, session.bucket(), 0)).collect();
    let labels = labels(session.clusters().iter().map(|run| run.kind()));
    let clusters: Vec<ChartCluster> = points
        .iter()
        .zip(&labels)
        .enumerate()
        .map(|(hue, (points, label))| ChartCluster { label, hue, points })
        .collect();
    let end_ns = session.end().0;
    let bands_ns: Vec<(u64, u64)> = session
        .state()
        .begun
        .iter()
        .filter_map(|begun| {
            let fault = session.script().fault(begun.number)?;
            Some((fault.begin.0, begun.ended.or(fault.end).map_or(end_ns, |end| end.0)))
        })
        .collect();
    out.push_str("<h2>Over time</h2>\n<p class=\"soft\">Red bands: faults.</p>\n<div class=\"plots\">\n");
    let counts = session.clusters().iter().any(|run| run.blueprint().service.is_some());
    let of_service = |measure: &Measure| matches!(measure, Measure::LogLag | Measure::Missing);
    for measure in MEASURES.into_iter().filter(|measure| counts || !of_service(measure)) {
        let chart = Chart {
            measure,
            clusters: &clusters,
            bucket_ns: session.bucket().0,
            end_ns,
            bands_ns: &bands_ns,
        };
        let _ = writeln!(
            out,
            "<figure><figcaption><span>{}</span><span class=\"soft\">{}</span></figcaption>{}</figure>",
            escape(measure.title()),
            escape(measure.unit()),
            svg(&chart)
        );
    }
    out.push_str("</div>\n");
}

fn svg(chart: &Chart<'_>) -> String {
    let mut text = String::new();
    {
        let area = SVGBackend::with_string(&mut text, (PLOT_WIDTH, PLOT_HEIGHT)).into_drawing_area();
        chart::draw(&area, chart, &LOOK).expect("drawing into a string cannot fail");
        area.present().expect("drawing into a string cannot fail");
    }
    text
}

/// `SQL` and `ring`, numbered where there are several of a kind.
fn labels(kinds: impl Iterator<Item = &'static str>) -> Vec<String> {
    let kinds: Vec<&str> = kinds.collect();
    let word = |kind: &str| if kind == "gossip_ring" { "ring" } else { "SQL" };
    let label = |(at, kind): (usize, &&str)| {
        let is_unique = kinds.iter().filter(|other| *other == kind).count() == 1;
        if is_unique { word(kind).to_string() } else { format!("{} {}", word(kind), at + 1) }
    };
    kinds.iter().enumerate().map(label).collect()
}

fn faults(out: &mut String, faults: &[FaultReport]) {
    out.push_str("<h2>Faults, and what they touched</h2>\n");
    if faults.is_empty() {
        out.push_str("<p>None.</p>\n");
        return;
    }
    out.push_str("<ol>\n");
    for fault in faults {
        let _ = writeln!(out, "<li>{}</li>", escape(&table::fault_line(fault)));
    }
    out.push_str("</ol>\n");
}

fn recording(out: &mut String, report: &RunReport) {
    let Some(recording) = &report.workload else { return };
    let _ = writeln!(
        out,
        "<h2>Recorded traffic</h2>\n<p>{}: {}, times scaled by {}. {} operations on {} keys were taken, {} of them \
         replayed; {} lines could not be read.</p>",
        escape(&recording.file),
        recording.format,
        recording.time_scale,
        whole(recording.taken),
        whole(recording.keys),
        whole(recording.replayed),
        whole(recording.skipped)
    );
    if !recording.first_skipped.is_empty() {
        out.push_str("<ol>\n");
        for line in &recording.first_skipped {
            let _ = writeln!(out, "<li><code>{}</code></li>", escape(&line.to_string()));
        }
        out.push_str("</ol>\n");
    }
}

fn narration(out: &mut String, session: &Session) {
    out.push_str("<h2>What happened</h2>\n<ol>\n");
    for line in session.narration() {
        let class = match line.severity {
            Severity::Plain => "",
            Severity::Warning => " class=\"warning\"",
            Severity::Violation => " class=\"violation\"",
        };
        let cluster = line.cluster.and_then(|at| session.clusters().get(usize::from(at)));
        let cluster = cluster.map_or(String::new(), |run| format!("{}: ", escape(run.name())));
        let seconds = line.at_ns as f64 / 1e9;
        let _ = writeln!(out, "<li{class}><time>{seconds:.3} s</time> {cluster}{}</li>", strong(&line.text));
    }
    out.push_str("</ol>\n");
}

/// Escapes a narrator's line; what stands between `**` is strong.
fn strong(text: &str) -> String {
    let parts: Vec<String> = text.split("**").map(escape).collect();
    let mut out = String::new();
    for (at, part) in parts.iter().enumerate() {
        // Odd parts stand between two marks, except after a mark that is never closed.
        if at % 2 == 1 && at + 1 < parts.len() {
            let _ = write!(out, "<strong>{part}</strong>");
        } else {
            out.push_str(part);
        }
    }
    out
}

/// Text as HTML shows it.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            _ => out.push(character),
        }
    }
    out
}
