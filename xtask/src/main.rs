//! `cargo xtask`: everything that is done to Faultline from a command line, on every platform the same.
//!
//! A fresh machine needs only rustup's Rust and Node.js; the rest is set up by the command that first needs
//! it, is kept, and is not mentioned again. The files, in the order in which a command goes through them:
//!
//! | file | what it knows |
//! |---|---|
//! | [`arguments`] | what can be asked for, and the help |
//! | [`steps`] | a named, timed step, and the table at the end |
//! | [`process`] | running another program, and what to say when it fails |
//! | [`checkout`] | where things stand in this checkout |
//! | [`fingerprint`] | telling contents apart by a hash |
//! | [`debian`] | installing Debian packages |
//! | [`wasm_target`] | a Rust that compiles for `wasm32-unknown-unknown` |
//! | [`tools`] | Trunk and wasm-bindgen |
//! | [`node`] | Node.js and the packages of `tests/browser/` |
//! | [`chromium`] | the browser that the browser's tests run in |
//! | [`site`] | the static site in `dist/` |
//! | [`wasm_opt`], [`import_names`], [`compress`], [`bundle`], [`content_version`] | the finishing steps of the site |
//! | [`server`] | serving the site on this machine |
//! | [`commands`] | what each command does with all these |

// The lists in clippy.toml keep wall clocks and hash maps out of the simulation; this crate is not part of
// it.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)]

mod arguments;
mod bundle;
mod checkout;
mod chromium;
mod commands;
mod compress;
mod content_version;
mod debian;
mod fingerprint;
mod import_names;
mod model_cards;
mod node;
mod process;
mod server;
mod site;
mod steps;
mod tools;
mod wasm_opt;
mod wasm_target;

use std::process::ExitCode;

/// Exit code of a command that failed.
const FAILED: u8 = 1;
/// Exit code of a command that was not understood.
const NOT_UNDERSTOOD: u8 = 2;

fn main() -> ExitCode {
    let command = match arguments::parse(lexopt::Parser::from_env()) {
        Ok(command) => command,
        Err(error) => {
            eprintln!("error: {error}\n\n`cargo xtask help` lists the commands.");
            return ExitCode::from(NOT_UNDERSTOOD);
        }
    };
    match commands::run(command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nerror: {error:#}");
            ExitCode::from(FAILED)
        }
    }
}
