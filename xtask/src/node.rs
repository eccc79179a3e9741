//! Node.js and the packages of `tests/browser/`: the browser's driver, the accessibility checker, and what the
//! site is made with.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::{checkout, fingerprint, process};

/// The first Node.js that has what playwright-core and we ask of it. Debian 12's own is older.
const OLDEST_VERSION: (u32, u32) = (20, 10);

/// Installs the Node packages, unless those of the present lock file are installed.
pub fn set_up() -> Result<()> {
    let folder = checkout::browser_tests();
    let lock =
        fs::read(folder.join("package-lock.json")).context("reading tests/browser/package-lock.json")?;
    let lock_hash = fingerprint::of([&lock]);
    // Written last: where an installation was broken off, it is missing.
    let installed_lock_hash = packages().join(".installed-lock-hash");
    if fs::read_to_string(&installed_lock_hash).is_ok_and(|installed| installed == lock_hash) {
        return Ok(());
    }
    check_node()?;
    println!("Installing the Node packages of tests/browser/ (about 10 s) ...");
    process::run(npm().current_dir(&folder).args(["ci", "--no-audit", "--no-fund"]))
        .context("by hand: npm ci, in tests/browser/")?;
    fs::write(installed_lock_hash, lock_hash)?;
    Ok(())
}

/// Where the Node packages are installed.
pub fn packages() -> PathBuf {
    checkout::browser_tests().join("node_modules")
}

/// Nothing is installed here: Node.js comes from a different place on every platform.
fn check_node() -> Result<()> {
    let version = process::answer(Command::new("node").arg("--version"));
    let is_new_enough =
        version.as_deref().and_then(parse_version).is_some_and(|version| version >= OLDEST_VERSION);
    if !is_new_enough || process::answer(npm().arg("--version")).is_none() {
        let (major, minor) = OLDEST_VERSION;
        let found = version.as_deref().unwrap_or("none");
        bail!(
            "Node.js {major}.{minor} or newer with npm is needed (found: {found}); install it, then try again"
        );
    }
    Ok(())
}

fn parse_version(answer: &str) -> Option<(u32, u32)> {
    let mut numbers = answer.strip_prefix('v')?.split('.').map(|part| part.parse().ok());
    Some((numbers.next()??, numbers.next()??))
}

/// npm, which is a script on Windows and must be named as such.
fn npm() -> Command {
    Command::new(if cfg!(windows) { "npm.cmd" } else { "npm" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_and_compared_as_numbers() {
        assert_eq!(parse_version("v20.20.2"), Some((20, 20)));
        assert!(parse_version("v20.9.0") < Some(OLDEST_VERSION));
        assert_eq!(parse_version("20"), None);
    }
}
