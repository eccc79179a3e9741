//! What can be asked on the command line, and how it ends.
//!
//! Exit codes: 0 all is well, 1 a check that the scenario asks for was violated,
//! 2 the input cannot be used. What was asked for goes to standard output;
//! everything else that is said goes to standard error.

mod input;
mod run;

use clap::{Args, Parser, Subcommand};
use faultline::scenario::json_schema::json_schema;
use faultline::scenario::presets::{self, PRESETS};
use faultline::scenario::schema::PriceOverride;
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

pub fn main() -> ExitCode {
    // clap says itself what is wrong, with exit code 2.
    let result = match CommandLine::parse().command {
        Command::List => print(&list()).map(|()| ExitCode::SUCCESS),
        Command::Show { name } => {
            input::preset(&name).and_then(|preset| print(preset.json)).map(|()| ExitCode::SUCCESS)
        }
        Command::Schema => print(&format!("{:#}\n", json_schema())).map(|()| ExitCode::SUCCESS),
        Command::Run(options) => run::run(&options),
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
