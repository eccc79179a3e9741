//! What each command does.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command as Program;
use std::thread;

use anyhow::{Context, Result, bail};

use crate::arguments::{Command, HELP};
use crate::server::Server;
use crate::steps::Steps;
use crate::{checkout, chromium, process, site, tools};

/// A path unlike the one that anybody develops at: what loads there loads by relative URL.
const DEEP_PATH: &str = "/a/deep/sub-path/";

/// Does what was asked for.
pub fn run(command: Command) -> Result<()> {
    match command {
        Command::Help => println!("{HELP}"),
        Command::Build => site::build(&tools::set_up()?)?,
        Command::Play { open, port } => play(open, port)?,
        Command::Swarm { runs, seed } => swarm(runs, seed)?,
        Command::Test { browser } => {
            let mut steps = Steps::default();
            let result = test(browser, &mut steps);
            steps.print_table();
            result?;
            if !browser {
                println!("The browser's tests did not run (--no-browser).");
            }
        }
    }
    Ok(())
}

fn play(open: bool, port: u16) -> Result<()> {
    // First of all: that the port is in use should not be said after minutes of building.
    let server = Server::listen(port)?;
    site::build(&tools::set_up()?)?;
    let url = server.serve(&checkout::dist(), "/");
    println!("Faultline runs on {} (Ctrl+C ends it).", url.trim_end_matches('/'));
    if open && let Err(error) = open_in_browser(&url) {
        println!("The browser could not be opened ({error:#}); open the address yourself.");
    }
    loop {
        thread::park();
    }
}

fn open_in_browser(url: &str) -> Result<()> {
    let mut program = if cfg!(windows) {
        let mut program = Program::new("cmd");
        program.args(["/C", "start"]);
        program
    } else {
        Program::new(if cfg!(target_os = "macos") { "open" } else { "xdg-open" })
    };
    process::run(program.arg(url))
}

fn swarm(runs: u64, seed: u64) -> Result<()> {
    let mut cargo =
        cargo(&["test", "--release", "--test", "core", "--", "--ignored", "--nocapture", "swarm_many"]);
    cargo.env("FAULTLINE_SWARM_RUNS", runs.to_string()).env("FAULTLINE_SWARM_SEED", seed.to_string());
    process::run(&mut cargo)
}

/// The cheapest step first; the browser's tests, which need all the others, last.
fn test(browser: bool, steps: &mut Steps) -> Result<()> {
    run_component(steps, "format", "fmt", &["fmt", "--all", "--check"])?;
    let lint = ["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"];
    run_component(steps, "lint", "clippy", &lint)?;
    steps.run("core tests", || process::run(&mut cargo(&["test", "--workspace"])))?;
    let tools = steps.run("set up build tools", tools::set_up)?;
    steps.run("build site", || site::build(&tools))?;
    if !browser {
        steps.skip("browser tests", "--no-browser");
        return Ok(());
    }
    let chromium = steps.run("set up browser", chromium::set_up)?;
    // The browser's tests compare the page's trace hashes with this program's.
    steps.run("build command line", || {
        process::run(&mut cargo(&["build", "--release", "--bin", "faultline"]))
    })?;
    steps.run("browser tests", || browser_tests(&chromium))
}

/// Runs a cargo command that is a rustup component, which a machine may lack.
fn run_component(steps: &mut Steps, name: &'static str, component: &str, arguments: &[&str]) -> Result<()> {
    if process::answer(&mut cargo(&[component, "--version"])).is_none() {
        steps.skip(name, format!("`cargo {component}` is not installed (rustup component add {component})"));
        return Ok(());
    }
    steps.run(name, || process::run(&mut cargo(arguments)))
}

fn browser_tests(chromium: &Path) -> Result<()> {
    let (server, deep_server) = (Server::listen(0)?, Server::listen(0)?);
    let screenshots = checkout::target().join("screenshots");
    fs::create_dir_all(&screenshots)?;
    let mut node = Program::new("node");
    // One file at a time: two browsers on two cores would measure each other.
    node.args(["--test", "--test-reporter=spec", "--test-concurrency=1"]).args(test_files()?);
    node.current_dir(checkout::root());
    node.env("FAULTLINE_URL", server.serve(&checkout::dist(), "/"));
    node.env("FAULTLINE_DEEP_URL", deep_server.serve(&checkout::dist(), DEEP_PATH));
    node.env("FAULTLINE_CHROMIUM", chromium).env("FAULTLINE_SCREENSHOTS", screenshots);
    node.env("FAULTLINE_BIN", command_line_program());
    process::run(&mut node)
}

/// The test files by name: how node's test runner reads a folder's name differs between its versions.
fn test_files() -> Result<Vec<OsString>> {
    let folder = checkout::browser_tests();
    let mut files = Vec::new();
    for entry in fs::read_dir(&folder).with_context(|| format!("reading {}", folder.display()))? {
        let path = entry?.path();
        if path.file_name().is_some_and(|name| name.to_string_lossy().ends_with(".test.mjs")) {
            files.push(path.into_os_string());
        }
    }
    if files.is_empty() {
        bail!("tests/browser/ holds no *.test.mjs");
    }
    files.sort();
    Ok(files)
}

fn command_line_program() -> PathBuf {
    checkout::target().join("release").join(format!("faultline{}", std::env::consts::EXE_SUFFIX))
}

/// Cargo for this machine's own programs, which go where `command_line_program` looks for one of them.
fn cargo(arguments: &[&str]) -> Program {
    let mut cargo = process::cargo();
    cargo.current_dir(checkout::root()).args(arguments).env("CARGO_TARGET_DIR", checkout::target());
    cargo
}
