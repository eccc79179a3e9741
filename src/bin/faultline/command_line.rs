//! What can be asked on the command line, and how it ends.
//!
//! Exit codes: 0 all is well, 1 a check that the scenario asks for was violated,
//! 2 the input cannot be used. What was asked for goes to standard output;
//! everything else that is said goes to standard error.

mod input;
mod right_size;
mod run;
mod sweep;

use clap::builder::TypedValueParser;
use clap::{Args, Parser, Subcommand};
use faultline::scenario::json_schema::json_schema;
use faultline::scenario::presets::{self, PRESETS};
use faultline::scenario::schema::PriceOverride;
use faultline::sweep::limits::JOBS_MAX;
use faultline::sweep::plan::{Seeds, Slice};
use faultline::sweep::right_size::{RUNS, RUNS_MAX};
use input::Unusable;
use std::io::{self, ErrorKind, Write};
use std::path::PathBuf;
use std::process::ExitCode;

/// Longest run that can be asked for: a week, which only recorded traffic needs.
const DURATION_MS_MAX: u64 = 7 * 86_400_000;

const VIOLATED: u8 = 1;
const UNUSABLE: u8 = 2;

/// Breaks a sharded SQL cluster and a gossip ring on purpose, under the same traffic and faults.
#[derive(Parser)]
#[command(name = "faultline", version, max_term_width = 100)]
#[command(
    after_help = "Exit codes: 0 good, 1 a check that the scenario asks for was violated, 2 unusable input."
)]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Lists the scenarios that come with the program.
    List,
    /// Prints a scenario that comes with the program; save it to change it.
    Show { name: String },
    /// Prints the JSON Schema of scenario files.
    Schema,
    /// Runs a scenario and prints what came of it.
    Run(RunOptions),
    /// Runs a scenario with every combination of some values and seeds; prints a row of CSV for each.
    Sweep(SweepOptions),
    /// Searches for the cheapest configuration of a cluster that keeps a target.
    RightSize(RightSizeOptions),
}

#[derive(Args)]
struct RunOptions {
    /// A scenario by name, or a scenario file.
    #[arg(value_name = "NAME|FILE")]
    scenario: String,
    /// The seed, in place of the scenario's.
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    seed: Option<u64>,
    /// Simulated length of the run in ms, in place of the scenario's (or of the recorded traffic's).
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = clap::value_parser!(u64).range(1..=DURATION_MS_MAX))]
    duration_ms: Option<u64>,
    /// The price sheet, in place of the scenario's.
    #[arg(long, value_name = "SHEET")]
    prices: Option<String>,
    /// Sets a price of the sheet, such as "EC2 m6i.large=0.05"; once for each.
    #[arg(long, value_name = "ITEM=USD", value_parser = price)]
    price: Vec<PriceOverride>,
    /// Prints one JSON object instead of a table.
    #[arg(long)]
    json: bool,
    /// Replays recorded traffic: CSV (time_ms, operation, key, bytes) or a web server's access log.
    #[arg(long, value_name = "FILE")]
    workload: Option<PathBuf>,
    /// Multiplies the times of the recorded traffic: 0.1 replays ten times as fast.
    #[arg(
        long,
        value_name = "F",
        requires = "workload",
        allow_negative_numbers = true,
        default_value_t = 1.0
    )]
    time_scale: f64,
    /// Writes every operation of every cluster to a file, one JSON object a line.
    #[arg(long, value_name = "FILE.jsonl")]
    history: Option<PathBuf>,
    /// Writes a page with plots (index.html), report.json and scenario.json to a directory.
    #[arg(long, value_name = "DIR")]
    report: Option<PathBuf>,
}

/// An item of a price sheet and a price. What is wrong with them, the scenario's checks say.
fn price(text: &str) -> Result<PriceOverride, String> {
    let (item, usd) =
        text.rsplit_once('=').ok_or("it must be an item and a price, such as \"EC2 m6i.large=0.05\"")?;
    let usd = usd.parse().map_err(|_| format!("`{usd}` is no price; it must be a number, in USD"))?;
    Ok(PriceOverride { item: item.to_string(), usd })
}

#[derive(Args)]
#[command(after_help = "\
One row a run: its number, what varies, seed, trace hash, and every figure of every cluster's report,
as `run --json` has them. A combination that cannot be run has a row that says why in `error`.
The first --vary varies slowest, the seed fastest; rows stand in that order, whatever --jobs is.

  faultline sweep video-views --vary workload.rate_per_s=500,1000,2000 --vary clusters[1].r=1,2 \\
      --seeds 1..5 --out sweep.csv

Started again with the same --out, it keeps the rows that are there and runs the rest. What the table is
of stands beside it, in FILE.csv.plan.json. Slices are cut in order, and only the first has the header:
one after the other they are the whole table, byte for byte.")]
struct SweepOptions {
    /// A scenario by name, or a scenario file.
    #[arg(value_name = "NAME|FILE")]
    scenario: String,
    /// A path into the scenario and the values that it takes: JSON, or text without quotes.
    #[arg(long, value_name = "PATH=V1,V2,…")]
    vary: Vec<String>,
    /// Seeds from A to B, both included, in place of the scenario's.
    #[arg(long, value_name = "A..B", allow_negative_numbers = true)]
    seeds: Option<Seeds>,
    /// Runs at once; as many as there are cores if not given.
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = jobs_parser())]
    jobs: Option<usize>,
    /// Only the K-th of M parts, from 1/M to M/M.
    #[arg(long, value_name = "K/M")]
    slice: Option<Slice>,
    /// A file in place of standard output; a sweep that was interrupted goes on in it.
    #[arg(long, value_name = "FILE.csv")]
    out: Option<PathBuf>,
}

#[derive(Args)]
#[command(after_help = "\
Under the scenario's own load and faults. It starts with the cluster as it is, and turns the knobs that
stand in static/right_size.json: machines, how many of them, replicas, quorums. Every configuration is
judged by the worst of two runs, the first with the scenario's seed; the same search tries the same
configurations whatever --jobs is. Exit code 1: nothing was found that keeps the target.")]
struct RightSizeOptions {
    /// A scenario by name, or a scenario file.
    #[arg(value_name = "NAME|FILE")]
    scenario: String,
    /// The cluster by its name or kind; may be left out where there is only one.
    #[arg(long, value_name = "NAME")]
    cluster: Option<String>,
    /// Most that the 99th percentile of reads may take.
    #[arg(long, value_name = "MS", value_parser = at_least_0)]
    read_p99_ms: Option<f64>,
    /// Most that the 99th percentile of writes may take.
    #[arg(long, value_name = "MS", value_parser = at_least_0)]
    write_p99_ms: Option<f64>,
    /// Least share of the operations that succeed, 0 to 1.
    #[arg(long, value_name = "SHARE", value_parser = share)]
    success_min: Option<f64>,
    /// Most stale reads for each read, 0 to 1.
    #[arg(long, value_name = "SHARE", value_parser = share)]
    stale_share_max: Option<f64>,
    /// Most acknowledged writes that are lost.
    #[arg(long, value_name = "N")]
    lost_writes_max: Option<u64>,
    /// Runs that the search may take.
    #[arg(long, value_name = "N", default_value_t = RUNS as u64, allow_negative_numbers = true, value_parser = clap::value_parser!(u64).range(1..=RUNS_MAX as u64))]
    runs: u64,
    /// The first of the two seeds, in place of the scenario's.
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    seed: Option<u64>,
    /// Runs at once; as many as there are cores if not given.
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = jobs_parser())]
    jobs: Option<usize>,
    /// Prints everything that was tried as one JSON object, in place of a table.
    #[arg(long)]
    json: bool,
    /// Writes the scenario with the cheapest configuration to a file.
    #[arg(long, value_name = "FILE.json")]
    out: Option<PathBuf>,
}

fn at_least_0(text: &str) -> Result<f64, String> {
    let number = text.parse::<f64>().ok().filter(|number| *number >= 0.0 && number.is_finite());
    number.ok_or_else(|| "it must be a number of 0 or more".to_string())
}

fn share(text: &str) -> Result<f64, String> {
    let number = text.parse::<f64>().ok().filter(|number| (0.0..=1.0).contains(number));
    number.ok_or_else(|| "it must be a share: a number from 0 to 1".to_string())
}

fn jobs_parser() -> impl TypedValueParser<Value = usize> {
    clap::value_parser!(u64).range(1..=JOBS_MAX as u64).map(|jobs| jobs as usize)
}

pub fn main() -> ExitCode {
    // clap says itself what is wrong, with exit code 2.
    let result = match CommandLine::parse().command {
        Command::List => print(&list()).map(|()| ExitCode::SUCCESS),
        Command::Show { name } => {
            input::preset(&name).and_then(|preset| print(preset.json)).map(|()| ExitCode::SUCCESS)
        }
        Command::Schema => print(&format!("{:#}\n", json_schema())).map(|()| ExitCode::SUCCESS),
        Command::Run(options) => run::run(&options),
        Command::Sweep(options) => sweep::sweep(&options),
        Command::RightSize(options) => right_size::right_size(&options),
    };
    result.unwrap_or_else(|error| {
        eprintln!("faultline: {error}");
        ExitCode::from(UNUSABLE)
    })
}

fn list() -> String {
    let width = PRESETS.iter().map(|preset| preset.name.len()).max().unwrap_or(0);
    let line = |preset: &presets::Preset| {
        let scenario = preset.scenario().expect("every bundled scenario is valid");
        format!("{:width$}  {}\n", preset.name, scenario.question)
    };
    PRESETS.iter().map(line).collect()
}

/// Prints to standard output; a reader who has seen enough (`| head`) is no error.
fn print(text: &str) -> Result<(), Unusable> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(Unusable::Output { error }),
        _ => Ok(()),
    }
}
