//! A report as a table of text, one column per cluster.

use super::run_report::{ClusterReport, FaultReport, RunReport};
use super::service::{ServiceReport, ViewsReport};
use super::storage::StorageReport;
use std::fmt::Write;

/// One row of figures: what they are, and each cluster's.
pub struct Row {
    pub label: &'static str,
    pub values: Vec<String>,
}

/// The figures of every cluster, row by row. Causes follow in a list of their own. What no cluster has is left out.
pub fn rows(report: &RunReport) -> Vec<Row> {
    type Figure = fn(&ClusterReport) -> String;
    let figures: [(&str, Figure); 48] = [
        ("operations invoked", |cluster| whole(cluster.operations.invoked)),
        ("  ok", |cluster| whole(cluster.operations.ok)),
        ("  failed", |cluster| whole(cluster.operations.failed)),
        ("  unknown", |cluster| whole(cluster.operations.unknown)),
        ("goodput, per second", |cluster| decimals(cluster.goodput_per_second, 1)),
        ("read latency p50, ms", |cluster| milliseconds(cluster.latency_ms.read.p50)),
        ("  p99", |cluster| milliseconds(cluster.latency_ms.read.p99)),
        ("  p99.9", |cluster| milliseconds(cluster.latency_ms.read.p999)),
        ("  mean", |cluster| milliseconds(cluster.latency_ms.read.mean)),
        ("write latency p50, ms", |cluster| milliseconds(cluster.latency_ms.write.p50)),
        ("  p99", |cluster| milliseconds(cluster.latency_ms.write.p99)),
        ("  p99.9", |cluster| milliseconds(cluster.latency_ms.write.p999)),
        ("  mean", |cluster| milliseconds(cluster.latency_ms.write.mean)),
        ("scan latency p99, ms", |cluster| milliseconds(cluster.latency_ms.scan.p99)),
        ("top-N latency p99, ms", |cluster| milliseconds(cluster.latency_ms.top.p99)),
        ("join latency p99, ms", |cluster| milliseconds(cluster.latency_ms.join.p99)),
        ("retries of query proxies", |cluster| some(cluster.retries)),
        ("stale reads", |cluster| whole(cluster.stale_reads)),
        ("  stalest, ms", |cluster| {
            if cluster.stale_reads > 0 { decimals(cluster.stale_age_ms_max, 1) } else { NONE.to_string() }
        }),
        ("  of deleted rows", |cluster| some(cluster.reads_of_deleted_rows)),
        ("99.9 % of reads see a write after, ms", |cluster| {
            milliseconds(cluster.staleness.t_visibility_ms_p999)
        }),
        ("lost acknowledged writes", |cluster| whole(cluster.lost_acknowledged_writes)),
        ("  acknowledged in a split brain", |cluster| some(cluster.split_brain_writes)),
        ("errant transactions", |cluster| some(cluster.errant_transactions)),
        ("restored: recovery point, worst, ms", |cluster| milliseconds(cluster.recovery_point_ms_max)),
        ("  recovery time, worst, ms", |cluster| milliseconds(cluster.recovery_time_ms_max)),
        ("replication lag, largest, ms", |cluster| milliseconds(cluster.replication_lag_ms_max)),
        ("times that a node that is up was believed dead", |cluster| {
            some(cluster.false_convictions.unwrap_or(0))
        }),
        ("ownership of the ring: deviation over mean", |cluster| {
            let deviation = cluster.ownership.as_ref().map(|owned| owned.coefficient_of_variation);
            deviation.map_or(NONE.to_string(), |deviation| decimals(deviation, 3))
        }),
        ("sorted tables that a read looks into", |cluster| {
            stored(cluster, |storage| storage.tables_per_read)
        }),
        ("sorted tables of a node, at the end, most", |cluster| {
            stored(cluster, |storage| Some(storage.tables_max as f64))
        }),
        ("bytes written for each that is flushed", |cluster| {
            stored(cluster, |storage| storage.write_amplification)
        }),
        ("writes that waited for a flush", |cluster| {
            some(cluster.storage.map_or(0, |storage| storage.writes_stalled))
        }),
        ("  for too long", |cluster| some(cluster.storage.map_or(0, |storage| storage.writes_dropped))),
        ("views taken", |cluster| views(cluster, |views| Some(views.taken))),
        ("  counted", |cluster| views(cluster, |views| Some(views.counted))),
        ("  missing: on their way, or lost", |cluster| views(cluster, |views| Some(views.missing))),
        ("  counted twice", |cluster| views(cluster, |views| Some(views.counted_twice))),
        ("  dead letters", |cluster| {
            views(cluster, |views| {
                Some(views.dead_letters_malformed + views.dead_letters_late).filter(|dead| *dead > 0)
            })
        }),
        ("stored after, p50, ms", |cluster| served(cluster, |service| service.stored_after_ms.p50)),
        ("  p99", |cluster| served(cluster, |service| service.stored_after_ms.p99)),
        ("readable after, p50, ms", |cluster| served(cluster, |service| service.shown_after_ms.p50)),
        ("  p99", |cluster| served(cluster, |service| service.shown_after_ms.p99)),
        ("rows written per view", |cluster| {
            let rows = cluster.service.as_ref().and_then(|service| service.row_writes_per_view);
            rows.map_or(NONE.to_string(), |rows| decimals(rows, 3))
        }),
        ("stored in database and object store, MB", |cluster| {
            let stored =
                cluster.service.as_ref().map(|service| service.database_mb + service.object_store_mb);
            stored.map_or(NONE.to_string(), |mb| decimals(mb, 2))
        }),
        ("cost, USD per hour", |cluster| decimals(cluster.cost.usd_per_hour, 3)),
        ("  per month", |cluster| decimals(cluster.cost.usd_per_month, 2)),
        ("  per million operations", |cluster| {
            cluster.cost.usd_per_million_operations.map_or(NONE.to_string(), |usd| decimals(usd, 3))
        }),
    ];
    let rows = figures.into_iter();
    rows.map(|(label, figure)| Row { label, values: report.clusters.iter().map(figure).collect() })
        .filter(|row| row.values.iter().any(|value| value != NONE))
        .collect()
}

const NONE: &str = "–";

/// A count that most clusters do not have.
fn some(count: u64) -> String {
    if count > 0 { whole(count) } else { NONE.to_string() }
}

/// A figure of log-structured stores.
fn stored(cluster: &ClusterReport, figure: fn(StorageReport) -> Option<f64>) -> String {
    cluster.storage.and_then(figure).map_or(NONE.to_string(), |value| decimals(value, 2))
}

/// A figure of the views of a service.
fn views(cluster: &ClusterReport, figure: fn(&ViewsReport) -> Option<u64>) -> String {
    let found = cluster.service.as_ref().and_then(|service| figure(&service.views));
    found.map_or(NONE.to_string(), whole)
}

/// A time of a service.
fn served(cluster: &ClusterReport, figure: fn(&ServiceReport) -> Option<f64>) -> String {
    milliseconds(cluster.service.as_ref().and_then(figure))
}

/// The whole report as text.
pub fn text(report: &RunReport) -> String {
    let mut out = String::new();
    let names: Vec<String> = report.clusters.iter().map(|cluster| cluster.name.clone()).collect();
    let _ = writeln!(out, "{} ({}), seed {}", report.title, report.scenario, report.seed);
    let _ = writeln!(out, "{}", ran(report));
    let rows = rows(report);
    let label_width = rows.iter().map(|row| width(row.label)).max().unwrap_or(0);
    let widths: Vec<usize> = names
        .iter()
        .enumerate()
        .map(|(at, name)| rows.iter().map(|row| width(&row.values[at])).max().unwrap_or(0).max(width(name)))
        .collect();
    let mut line = |label: &str, values: &[String]| {
        let _ = write!(out, "{label}{}", " ".repeat(label_width - width(label)));
        for (value, column) in values.iter().zip(&widths) {
            let _ = write!(out, "  {}{value}", " ".repeat(column - width(value)));
        }
        out.push('\n');
    };
    line("", &names);
    rows.iter().for_each(|row| line(row.label, &row.values));
    for cluster in report.clusters.iter().filter(|cluster| !cluster.causes.is_empty()) {
        let causes: Vec<String> =
            cluster.causes.iter().map(|cause| format!("{} {}", whole(cause.count), cause.cause)).collect();
        let _ = writeln!(out, "{}, not ok: {}", cluster.name, causes.join(", "));
    }
    for fault in &report.faults {
        let _ = writeln!(out, "{}", fault_line(fault));
    }
    for check in &report.checks {
        let _ = writeln!(out, "check: {check}");
    }
    out
}

/// How long it was simulated and how long that took.
pub fn ran(report: &RunReport) -> String {
    let mut out = format!(
        "{} s simulated, {} events, trace hash {}",
        decimals(report.simulated_ms / 1_000.0, 3),
        whole(report.events),
        report.trace_hash
    );
    if let (Some(wall_ms), Some(speed)) = (report.wall_ms, report.events_per_second) {
        let _ = write!(out, "; took {} ms, {} events a second", decimals(wall_ms, 0), whole(speed as u64));
    }
    out
}

/// A fault and what it touched, in one line.
pub fn fault_line(fault: &FaultReport) -> String {
    let seconds = |ms: f64| decimals(ms / 1_000.0, 1);
    let end = fault.end_ms.map_or("the end".to_string(), |end| format!("{} s", seconds(end)));
    let mut out = format!("{} s to {end}: {}", seconds(fault.begin_ms), fault.label);
    if !fault.begun {
        out.push_str("; the run ended before");
        return out;
    }
    for touched in &fault.touched {
        let _ = write!(
            out,
            "; {}: {} messages stopped, {} delayed, {} doubled, {} operations not ok meanwhile",
            touched.cluster,
            whole(touched.messages_stopped),
            whole(touched.messages_delayed),
            whole(touched.messages_duplicated),
            whole(touched.operations_not_ok)
        );
    }
    out
}

fn width(text: &str) -> usize {
    text.chars().count()
}

fn milliseconds(value: Option<f64>) -> String {
    value.map_or(NONE.to_string(), |ms| decimals(ms, if ms < 10.0 { 2 } else { 1 }))
}

fn decimals(value: f64, places: usize) -> String {
    let text = format!("{value:.places$}");
    match text.split_once('.') {
        Some((left, right)) => format!("{}.{right}", grouped(left)),
        None => grouped(&text),
    }
}

/// A whole number with its thousands apart.
pub fn whole(value: u64) -> String {
    grouped(&value.to_string())
}

fn grouped(digits: &str) -> String {
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) && !out.ends_with('-') {
            out.push(',');
        }
        out.push(digit);
    }
    out
}
