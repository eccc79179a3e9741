//! What can be asked of `cargo xtask`.

use std::fmt;

use lexopt::Arg::{Long, Short, Value};

/// Where `play` serves the site when no `--port` is given.
pub const DEFAULT_PORT: u16 = 8080;

/// What `cargo xtask` prints when it is asked for nothing else.
pub const HELP: &str = "\
Faultline: set up, build, serve and test.

Usage: cargo xtask COMMAND

  play [--open] [--port N]    build the site and serve it on http://127.0.0.1:8080;
                              --open also opens it in the browser
  test [--no-browser]         run every test; --no-browser leaves out those that need Chromium
  build                       build the static site into dist/
  swarm --runs N [--seed S]   run N random simulations, the first from seed S (default 1)
  help                        print this

Whatever a command needs and the machine lacks is set up first, which takes minutes, once.

Environment:
  FAULTLINE_TOOLS             where the tools that were set up are kept
                              (default: faultline-tools in the user's cache folder)
  FAULTLINE_CHROMIUM          the Chromium or Chrome that the browser's tests run in";

/// One understood command line.
#[derive(Debug, PartialEq, Eq)]
pub enum Command {
    Help,
    Play { open: bool, port: u16 },
    Test { browser: bool },
    Build,
    Swarm { runs: u64, seed: u64 },
}

/// Why a command line was not understood, and what would have been right. Nothing was done.
#[derive(Debug, PartialEq, Eq)]
pub struct NotUnderstood(String);

impl fmt::Display for NotUnderstood {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Reads a command line, without the program's own name.
pub fn parse(mut parser: lexopt::Parser) -> Result<Command, NotUnderstood> {
    let name = match next(&mut parser)? {
        None | Some(Long("help") | Short('h')) => return Ok(Command::Help),
        Some(Value(name)) => name.to_string_lossy().into_owned(),
        Some(option) => {
            let option = spelled(&option);
            return Err(NotUnderstood(format!(
                "a command must come before {option}, as in `cargo xtask play {option}`"
            )));
        }
    };
    match name.as_str() {
        "help" => without_options(parser, &name, Command::Help),
        "build" => without_options(parser, &name, Command::Build),
        "play" => parse_play(parser),
        "test" => parse_test(parser),
        "swarm" => parse_swarm(parser),
        _ => Err(NotUnderstood(format!(
            "there is no command `{name}`; there are play, test, build, swarm and help"
        ))),
    }
}

fn parse_play(mut parser: lexopt::Parser) -> Result<Command, NotUnderstood> {
    let (mut open, mut port) = (false, DEFAULT_PORT);
    while let Some(argument) = next(&mut parser)? {
        match argument {
            Long("open") => open = true,
            Long("port") => port = number(&mut parser, "--port", "a port from 1 to 65535, such as 8081", 1)?,
            Long("help") | Short('h') => return Ok(Command::Help),
            other => return Err(unknown("play", &spelled(&other), "--open and --port N")),
        }
    }
    Ok(Command::Play { open, port })
}

fn parse_test(mut parser: lexopt::Parser) -> Result<Command, NotUnderstood> {
    let mut browser = true;
    while let Some(argument) = next(&mut parser)? {
        match argument {
            Long("no-browser") => browser = false,
            Long("help") | Short('h') => return Ok(Command::Help),
            other => return Err(unknown("test", &spelled(&other), "--no-browser")),
        }
    }
    Ok(Command::Test { browser })
}

fn parse_swarm(mut parser: lexopt::Parser) -> Result<Command, NotUnderstood> {
    let (mut runs, mut seed) = (None, 1);
    while let Some(argument) = next(&mut parser)? {
        match argument {
            Long("runs") => {
                runs = Some(number(&mut parser, "--runs", "a whole number from 1, such as 1000", 1)?)
            }
            Long("seed") => seed = number(&mut parser, "--seed", "a whole number from 0, such as 42", 0)?,
            Long("help") | Short('h') => return Ok(Command::Help),
            other => return Err(unknown("swarm", &spelled(&other), "--runs N and --seed S")),
        }
    }
    let runs = runs
        .ok_or_else(|| NotUnderstood("swarm needs --runs N, as in `cargo xtask swarm --runs 1000`".into()))?;
    Ok(Command::Swarm { runs, seed })
}

fn without_options(
    mut parser: lexopt::Parser,
    name: &str,
    command: Command,
) -> Result<Command, NotUnderstood> {
    match next(&mut parser)? {
        None => Ok(command),
        Some(Long("help") | Short('h')) => Ok(Command::Help),
        Some(other) => Err(unknown(name, &spelled(&other), "nothing else")),
    }
}

fn next(parser: &mut lexopt::Parser) -> Result<Option<lexopt::Arg<'_>>, NotUnderstood> {
    parser.next().map_err(|error| NotUnderstood(error.to_string()))
}

fn spelled(argument: &lexopt::Arg<'_>) -> String {
    match argument {
        Long(name) => format!("--{name}"),
        Short(name) => format!("-{name}"),
        Value(value) => value.to_string_lossy().into_owned(),
    }
}

fn unknown(command: &str, argument: &str, known: &str) -> NotUnderstood {
    NotUnderstood(format!("{command} does not know `{argument}`; it takes {known}"))
}

/// The number that follows `option`, at least `least`.
fn number<N>(parser: &mut lexopt::Parser, option: &str, expected: &str, least: N) -> Result<N, NotUnderstood>
where
    N: std::str::FromStr + PartialOrd,
{
    let value = parser.value().map_err(|_| NotUnderstood(format!("{option} needs {expected}")))?;
    let value = value.to_string_lossy();
    match value.parse() {
        Ok(number) if number >= least => Ok(number),
        _ => Err(NotUnderstood(format!("{option} is `{value}`; it must be {expected}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Command, NotUnderstood> {
        parse(lexopt::Parser::from_args(line.split_whitespace()))
    }

    #[test]
    fn every_command_of_the_help_is_understood() {
        assert_eq!(parsed(""), Ok(Command::Help));
        assert_eq!(parsed("help"), Ok(Command::Help));
        assert_eq!(parsed("test --help"), Ok(Command::Help));
        assert_eq!(parsed("play"), Ok(Command::Play { open: false, port: 8080 }));
        assert_eq!(parsed("play --open --port 9000"), Ok(Command::Play { open: true, port: 9000 }));
        assert_eq!(parsed("test"), Ok(Command::Test { browser: true }));
        assert_eq!(parsed("test --no-browser"), Ok(Command::Test { browser: false }));
        assert_eq!(parsed("build"), Ok(Command::Build));
        assert_eq!(parsed("swarm --runs 5 --seed=7"), Ok(Command::Swarm { runs: 5, seed: 7 }));
    }

    #[test]
    fn a_wrong_command_line_is_told_what_would_be_right() {
        for (line, told) in [
            ("plya", "play, test, build, swarm"),
            ("--open", "cargo xtask play --open"),
            ("play --prot 1", "--port N"),
            ("play --port", "a port from 1 to 65535"),
            ("play --port 0", "a port from 1 to 65535"),
            ("play --port 70000", "a port from 1 to 65535"),
            ("test browser", "--no-browser"),
            ("build --fast", "nothing else"),
            ("build=1", "play, test, build, swarm"),
            ("test --no-browser=yes", "yes"),
            ("swarm", "--runs N"),
            ("swarm --runs none", "a whole number from 1"),
            ("swarm --runs 0", "a whole number from 1"),
            ("swarm --runs 1 --seed -1", "a whole number from 0"),
        ] {
            let NotUnderstood(message) = parsed(line).expect_err(line);
            assert!(message.contains(told), "`{line}` was told: {message}");
        }
    }
}
