//! Installing Debian packages, on Debian, where we may.

use std::fs;
use std::process::Command;
use std::sync::Once;

use anyhow::{Context, Result, bail};

use crate::process;

/// How long to wait for another apt that is at work, in seconds.
const LOCK_TIMEOUT_S: u32 = 300;

/// Whether this machine runs Debian itself. Its relatives name their packages differently.
pub fn is_debian() -> bool {
    fs::read_to_string("/etc/os-release").is_ok_and(|text| text.lines().any(|line| line == "ID=debian"))
}

/// Installs `packages`, which must be wanted for `purpose`.
pub fn install(packages: &[&str], purpose: &str) -> Result<()> {
    let by_hand = format!("by hand: apt-get install --no-install-recommends {}", packages.join(" "));
    println!("Installing Debian packages for {purpose}: {} (about a minute) ...", packages.join(", "));
    update_once();
    apt_get(&["install", "--yes", "--quiet", "--no-install-recommends"], packages)
        .with_context(|| format!("{purpose} could not be installed; {by_hand}"))
}

/// A command that runs `program` as root, where we are root or may become so without a password.
pub fn as_root(program: &str) -> Result<Command> {
    if process::answer(Command::new("id").arg("-u")).as_deref() == Some("0") {
        return Ok(Command::new(program));
    }
    if process::answer(Command::new("sudo").args(["-n", "true"])).is_some() {
        let mut command = Command::new("sudo");
        command.args(["-n", program]);
        return Ok(command);
    }
    bail!("this needs root: run it as root, or with a sudo that asks for no password")
}

/// Reads the package lists anew, once in a run. A failure is no reason to stop: the lists at hand may do, and
/// where they don't, the installation says so.
fn update_once() {
    static UPDATED: Once = Once::new();
    UPDATED.call_once(|| {
        if let Err(error) = apt_get(&["update", "--quiet"], &[]) {
            println!("The package lists could not be read anew ({error:#}); going on with those at hand.");
        }
    });
}

fn apt_get(options: &[&str], packages: &[&str]) -> Result<()> {
    // Through `env`, because sudo passes on no variables of its own accord.
    let mut command = as_root("env")?;
    command.args(["DEBIAN_FRONTEND=noninteractive", "apt-get", "-o"]);
    command.arg(format!("DPkg::Lock::Timeout={LOCK_TIMEOUT_S}")).args(options).args(packages);
    process::run(&mut command)
}
