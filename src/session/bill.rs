//! The bill of one cluster: what it costs, what it would need under more load, and what people have to do.
//!
//! The same words and numbers for the page, the table and the report's page: each shows the tables of [`tables`].

use super::frame::{Bill, BillTable, PriceLine};
use super::narrator::plural;
use super::run::Session;
use crate::cluster::run::ClusterRun;
use crate::engine::FaultKind;
use crate::measure::cost::{Cost, CostKinds, RoleCost};
use crate::measure::effort::{Effort, Incident};
use crate::measure::forecast::{Forecast, Hottest};
use crate::measure::prices::Provenance;
use crate::measure::written::{decimals, whole};
use crate::scenario::fault::FaultSpec;

/// The bill of a cluster, for the page.
pub fn bill(session: &Session, cluster: u8) -> Option<Bill> {
    let run = session.clusters().get(usize::from(cluster))?;
    Some(Bill { cluster, tables: tables(session, run), prices: prices(session, run) })
}

/// What people have to do for a cluster, as far as its run shows.
pub fn effort(session: &Session, run: &ClusterRun) -> Effort {
    let mut incidents = run.incidents();
    for begun in &session.state().begun {
        let Some(fault) = session.script().fault(begun.number) else { continue };
        let comes_back = fault.end.is_some();
        let acts_on = match run.blueprint().directory.resolve(&fault.fault) {
            FaultKind::Crash { nodes, .. }
            | FaultKind::Pause { nodes }
            | FaultKind::SlowMachine { nodes, .. }
            | FaultKind::SlowDisk { nodes, .. }
            | FaultKind::ClockSkew { nodes, .. }
            | FaultKind::Control { nodes, .. } => nodes.iter().count() as u32,
            _ => 0,
        };
        let once = acts_on.min(1);
        let (incident, times) = match &fault.fault {
            FaultSpec::Crash { disk_lost: true, .. } => (Incident::DiskLost, acts_on),
            FaultSpec::Split { .. } | FaultSpec::Merge { .. } => (Incident::RangeMoved, once),
            FaultSpec::SchemaChange { .. } => (Incident::SchemaChanged, once),
            FaultSpec::Join { .. } | FaultSpec::Leave { .. } | FaultSpec::Replace { .. } => {
                (Incident::RingChanged, once)
            }
            _ if comes_back => continue,
            FaultSpec::Crash { .. } | FaultSpec::Pause { .. } => (Incident::MachineDown, acts_on),
            FaultSpec::SlowMachine { .. } | FaultSpec::SlowDisk { .. } => (Incident::MachineSlow, acts_on),
            FaultSpec::ClockSkew { .. } => (Incident::ClockWrong, acts_on),
            _ => continue,
        };
        incidents.count(incident, times);
    }
    Effort::of(&run.parts(), &incidents, &session.scenario().effort)
}

/// What a cluster costs, needs and asks for, in words and numbers.
pub fn tables(session: &Session, run: &ClusterRun) -> Vec<BillTable> {
    let now = session.now();
    let hours_per_month = session.prices().hours_per_month;
    vec![
        cost_table(session, &run.split(now), run.summary(now).cost),
        forecast_table(&run.forecast(now), &run.split(now), hours_per_month),
        effort_table(&effort(session, run)),
    ]
}

fn cost_table(session: &Session, split: &[RoleCost], cost: Cost) -> BillTable {
    let hours = session.prices().hours_per_month;
    let mut sum = CostKinds::default();
    split.iter().for_each(|role| sum.add(&role.usd_per_hour));
    // What nobody pays for has no column.
    let kinds: Vec<usize> = (0..CostKinds::WORDS.len()).filter(|kind| sum.all()[*kind] > 0.0).collect();
    let line = |role: &str, machines: u32, usd: &CostKinds| {
        let mut cells =
            vec![role.to_string(), if machines > 0 { machines.to_string() } else { String::new() }];
        cells.extend(kinds.iter().map(|kind| money(usd.all()[*kind] * hours)));
        cells.push(money(usd.total() * hours));
        cells
    };
    let mut head = words(&["USD a month", "machines"]);
    head.extend(kinds.iter().map(|kind| CostKinds::WORDS[*kind].to_string()));
    head.push("together".to_string());
    let paid = split.iter().filter(|role| role.usd_per_hour.total() > 0.0);
    let mut rows: Vec<Vec<String>> =
        paid.map(|role| line(role.role, role.machines, &role.usd_per_hour)).collect();
    rows.push(line("together", split.iter().map(|role| role.machines).sum(), &sum));
    let per_million = cost
        .usd_per_million_operations
        .map_or(String::new(), |usd| format!(", {} for a million operations that succeed", decimals(usd, 3)));
    let own = match session.scenario().price_overrides.len() {
        0 => String::new(),
        1 => ", with 1 price of the scenario's own".to_string(),
        more => format!(", with {more} prices of the scenario's own"),
    };
    let prices = session.prices();
    let note = format!("{} an hour{per_million}.", decimals(cost.usd_per_hour, 3));
    let assumes = format!("Prices: {}, {}{own}.", prices.title, prices.date);
    BillTable { title: "What it costs".to_string(), head, rows, note, assumes }
}

fn forecast_table(forecast: &Forecast, split: &[RoleCost], hours_per_month: f64) -> BillTable {
    let mut head = words(&["machines", "busiest", "now"]);
    head.extend(forecast.at.iter().map(|at| format!("{}× the load", at.factor)));
    let mut rows: Vec<Vec<String>> = Vec::new();
    for role in &forecast.roles {
        let mut row = vec![role.role.to_string(), busiest(&role.hottest), role.machines.to_string()];
        row.extend(role.machines_at.iter().map(|machines| whole(*machines)));
        rows.push(row);
    }
    let mut now = CostKinds::default();
    split.iter().for_each(|role| now.add(&role.usd_per_hour));
    let mut line = |label: &str, first: String, of: &dyn Fn(usize) -> String| {
        let mut row = vec![label.to_string(), String::new(), first];
        row.extend((0..forecast.at.len()).map(of));
        rows.push(row);
    };
    line("operations a second", decimals(forecast.operations_per_s, 0), &|at| {
        decimals(forecast.at[at].operations_per_s, 0)
    });
    for (kind, words) in CostKinds::WORDS.iter().enumerate() {
        if now.all()[kind] > 0.0 {
            line(&format!("USD a month: {words}"), money(now.all()[kind] * hours_per_month), &|at| {
                money(forecast.at[at].usd_per_hour.all()[kind] * hours_per_month)
            });
        }
    }
    line("USD a month", money(now.total() * hours_per_month), &|at| money(forecast.at[at].usd_per_month));
    let first = forecast.first.as_ref().and_then(|hottest| Some((hottest, hottest.saturates_at?)));
    let first = first.map_or(String::new(), |(hottest, at)| {
        let left = if at >= 10.0 { decimals(at, 0) } else { decimals(at, 1) };
        format!(
            "{} saturates first, its {} at {left} times the load.",
            hottest.node,
            hottest.resource.words()
        )
    });
    let assumes = forecast.assumptions.to_string();
    BillTable { title: "With more load".to_string(), head, rows, note: first, assumes }
}

fn busiest(hottest: &Hottest) -> String {
    format!("{} {} %, {}", hottest.node, decimals(hottest.share * 100.0, 1), hottest.resource.words())
}

fn effort_table(effort: &Effort) -> BillTable {
    let mut rows = vec![
        vec![
            "parts to run".to_string(),
            format!(
                "{} {} of {} {}",
                effort.processes,
                plural(effort.processes.into(), "process", "processes"),
                effort.parts.len(),
                plural(effort.parts.len() as u64, "kind", "kinds")
            ),
        ],
        vec![
            "technologies".to_string(),
            format!("{}: {}", effort.technologies.len(), effort.technologies.join(", ")),
        ],
    ];
    for incident in &effort.incidents {
        let count = incident.steps.len();
        let word = plural(count as u64, "step", "steps");
        let steps = format!("{} × {count} {word}: {}", incident.times, incident.steps.join("; "));
        rows.push(vec![incident.words.clone(), steps]);
    }
    rows.push(vec!["steps by hand in this run".to_string(), effort.manual_steps.to_string()]);
    rows.push(vec!["development, once".to_string(), work(effort.development_hours, effort.development_usd)]);
    let maintenance = work(effort.maintenance_hours_per_month, effort.maintenance_usd_per_month);
    rows.push(vec!["maintenance, a month".to_string(), maintenance]);
    let weights = &effort.weights;
    let assumes = format!(
        "Weights, to be changed in the design: {} USD an hour; {} h for each technology and {} h for each kind of \
         part, once; a month {} h for each technology, {} h for each process ({} of that where a vendor runs it), \
         {} h for each step, with what went wrong here going wrong {} times a month.",
        weights.usd_per_hour,
        weights.technology_hours,
        weights.part_hours,
        weights.technology_hours_per_month,
        weights.process_hours_per_month,
        weights.vendor_run_share,
        weights.step_hours,
        weights.such_runs_per_month
    );
    let note = String::new();
    BillTable { title: "What people have to do".to_string(), head: Vec::new(), rows, note, assumes }
}

fn work(hours: f64, usd: f64) -> String {
    format!("{} h, {} USD", decimals(hours, 1), decimals(usd, 0))
}

/// USD: cents where they matter, and what is less than a cent as it is.
fn money(usd: f64) -> String {
    match usd {
        _ if usd == 0.0 => "0".to_string(),
        _ if usd < 0.01 => format!("{usd:.4}"),
        _ if usd < 1_000.0 => decimals(usd, 2),
        _ => decimals(usd, 0),
    }
}

/// A price as one would type it.
fn price_words(usd: f64) -> String {
    let digits = format!("{usd:.5}");
    digits.trim_end_matches('0').trim_end_matches('.').to_string()
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| word.to_string()).collect()
}

/// The prices that a cluster is billed by, each once.
fn prices(session: &Session, run: &ClusterRun) -> Vec<PriceLine> {
    let blueprint = run.blueprint();
    let sheet = session.prices();
    let own = &session.scenario().price_overrides;
    let mut lines: Vec<PriceLine> = Vec::new();
    let machines = blueprint.directory.seats.iter().filter_map(|seat| blueprint.machine(*seat));
    let mut types: Vec<&str> = Vec::new();
    for machine in machines {
        if types.contains(&machine.machine_type.as_str()) {
            continue;
        }
        types.push(&machine.machine_type);
        for price in sheet.items_of(&machine.machine_type) {
            if lines.iter().all(|line| line.item != price.item) {
                let is_own = own.iter().any(|new| new.item == price.item);
                lines.push(PriceLine {
                    item: price.item.clone(),
                    usd: price_words(price.usd),
                    unit: price.unit.words().to_string(),
                    origin: match price.read_or_recalled {
                        _ if is_own => "set in the scenario",
                        Provenance::Read => "read",
                        Provenance::Recalled => "recalled",
                        Provenance::Computed => "computed",
                    }
                    .to_string(),
                });
            }
        }
    }
    lines
}
