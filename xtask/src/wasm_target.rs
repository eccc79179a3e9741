//! A Rust that compiles for `wasm32-unknown-unknown`.
//!
//! Tried in this order, and whatever is found or made is kept:
//!
//! 1. the Rust that runs us, where rustup has added the target;
//! 2. Debian's own newer Rust, where an earlier run has made a standard library for it;
//! 3. `rustup target add`, which is the ordinary way;
//! 4. on Debian, where rustup may reach no server: Debian's `rustc-web` with the standard library's source,
//!    from which the wasm32 standard library is built and put where that compiler looks for it.
//!
//! Whether a Rust will do is found out by compiling two lines with it. That also catches a standard library
//! that was left half-made, and one made for a compiler that Debian has since replaced.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::{debian, process};

const TARGET: &str = "wasm32-unknown-unknown";

/// `rustup target add` downloads about 20 MB. Where it reaches no server it may hang.
const RUSTUP_TIME_LIMIT: Duration = Duration::from_secs(60);

const BY_HAND: &str = "by hand: rustup target add wasm32-unknown-unknown";

/// Debian's Rust, which installs beside rustup's, its source, and a linker of the same LLVM.
const DEBIAN_PACKAGES: [&str; 4] = ["rustc-web", "cargo-web", "rust-web-src", "lld-22"];
const DEBIAN_PROGRAMS: &str = "/usr/bin";
const DEBIAN_LINKER: &str = "/usr/lib/llvm-22/bin/wasm-ld";
const DEBIAN_TARGET_LIBRARY: &str = "/usr/lib/rustlib/wasm32-unknown-unknown";

/// A package's name becomes its library's: this one must be told from the standard library's.
const SCRATCH_PACKAGE: &str = "standard_library_scratch";

/// A library that needs allocation, so that it needs the standard library's files too.
const PROBE: &str = "\
#[unsafe(no_mangle)]
pub extern \"C\" fn probe() {
    drop(vec![std::time::Duration::ZERO])
}
";

/// A Rust that compiles for the browser.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WasmRust {
    /// The Rust that runs us.
    Rustup,
    /// Debian's, in `/usr/bin`.
    Debian,
}

impl WasmRust {
    /// The folder that must come first on PATH for this Rust's cargo and rustc to be the ones that are found.
    pub fn programs(self) -> Option<PathBuf> {
        match self {
            WasmRust::Rustup => None,
            WasmRust::Debian => Some(PathBuf::from(DEBIAN_PROGRAMS)),
        }
    }

    /// Lets `command` and what it starts compile with this Rust. PATH is the caller's to set.
    pub fn configure(self, command: &mut Command) {
        process::forget_outer_cargo(command);
        if self == WasmRust::Debian {
            command.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", DEBIAN_LINKER);
            // Set by `cargo run` to rustup's libraries, which are not this compiler's.
            command.env_remove("LD_LIBRARY_PATH");
            for rustup_only in ["RUSTC", "RUSTDOC", "RUSTUP_TOOLCHAIN"] {
                command.env_remove(rustup_only);
            }
        }
    }

    /// Whether it compiles and links the probe.
    fn works(self, scratch: &Path) -> bool {
        let compile = || -> Result<()> {
            fs::create_dir_all(scratch)?;
            let source = scratch.join("probe.rs");
            fs::write(&source, PROBE)?;
            let program =
                self.programs().map_or_else(|| PathBuf::from("rustc"), |folder| folder.join("rustc"));
            let mut command = Command::new(program);
            self.configure(&mut command);
            command.args(["--edition=2024", "--crate-type=cdylib", "--target", TARGET]);
            if self == WasmRust::Debian {
                command.arg(format!("-Clinker={DEBIAN_LINKER}"));
            }
            command.arg("--out-dir").arg(scratch).arg(&source).stdout(Stdio::null()).stderr(Stdio::null());
            process::run(&mut command)
        };
        compile().is_ok()
    }
}

/// Finds a Rust that compiles for the browser, or sets one up. `scratch` is a folder that may be filled, and
/// that nobody else fills meanwhile.
pub fn set_up(scratch: &Path) -> Result<WasmRust> {
    let probe = scratch.join("probe");
    if let Some(found) = [WasmRust::Rustup, WasmRust::Debian].into_iter().find(|rust| rust.works(&probe)) {
        return Ok(found);
    }
    println!("Adding the {TARGET} target to Rust (under a minute) ...");
    let mut rustup = Command::new("rustup");
    rustup.args(["target", "add", TARGET]).stdin(Stdio::null());
    let refusal = match process::run_within(&mut rustup, RUSTUP_TIME_LIMIT) {
        Ok(()) if WasmRust::Rustup.works(&probe) => return Ok(WasmRust::Rustup),
        Ok(()) => anyhow::anyhow!("rustup added the target, yet `rustc` compiles nothing for it"),
        Err(error) => error,
    };
    if !debian::is_debian() {
        return Err(refusal.context(format!("Rust can't compile for the browser; {BY_HAND}")));
    }
    println!("rustup could not ({refusal:#}). Taking Debian's own Rust for the browser's part instead.");
    set_up_debian(scratch).with_context(|| format!("Debian's Rust could not be set up either; {BY_HAND}"))?;
    if !WasmRust::Debian.works(&probe) {
        bail!("Debian's Rust was set up, yet compiles nothing for {TARGET}; {BY_HAND}");
    }
    Ok(WasmRust::Debian)
}

fn set_up_debian(scratch: &Path) -> Result<()> {
    debian::install(&DEBIAN_PACKAGES, "compiling for the browser")?;
    println!("Building the wasm32 standard library (one to two minutes) ...");
    let libraries = build_standard_library(&scratch.join("standard-library"))?;
    install_standard_library(&libraries)
}

/// Builds the standard library from Debian's source of it, and returns its files.
fn build_standard_library(scratch: &Path) -> Result<Vec<PathBuf>> {
    if scratch.exists() {
        fs::remove_dir_all(scratch)?;
    }
    fs::create_dir_all(scratch.join("src"))?;
    fs::write(scratch.join("src/lib.rs"), "")?;
    let manifest = format!("[package]\nname = \"{SCRATCH_PACKAGE}\"\nedition = \"2024\"\n\n[workspace]\n");
    fs::write(scratch.join("Cargo.toml"), manifest)?;

    let mut build = Command::new(Path::new(DEBIAN_PROGRAMS).join("cargo"));
    WasmRust::Debian.configure(&mut build);
    build.current_dir(scratch).env("PATH", process::path_with_first(&[DEBIAN_PROGRAMS.into()])?);
    // Building the standard library is an unstable feature, which this permits on a stable compiler. Without
    // bitcode in the libraries, link-time optimisation of what uses them fails.
    build.env("RUSTC_BOOTSTRAP", "1").env("RUSTFLAGS", "-Cembed-bitcode=yes");
    build.args([
        "build",
        "--release",
        "--target",
        TARGET,
        "-Zbuild-std=std,panic_abort",
        "--target-dir",
        "target",
    ]);
    process::run(&mut build)?;

    let built = scratch.join("target").join(TARGET).join("release").join("deps");
    let own = format!("lib{SCRATCH_PACKAGE}-");
    let mut libraries = Vec::new();
    for entry in fs::read_dir(&built).with_context(|| format!("reading {}", built.display()))? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.ends_with(".rlib") && !name.starts_with(&own) {
            libraries.push(path);
        }
    }
    Ok(libraries)
}

/// Puts the standard library where Debian's compiler looks for it: whole or not at all.
fn install_standard_library(libraries: &[PathBuf]) -> Result<()> {
    let unfinished = format!("{DEBIAN_TARGET_LIBRARY}.unfinished");
    process::run(debian::as_root("rm")?.args(["-rf", &unfinished]))?;
    process::run(debian::as_root("mkdir")?.args(["-p", &format!("{unfinished}/lib")]))?;
    let copied = debian::as_root("cp")?.args(libraries).arg(format!("{unfinished}/lib/")).status()?;
    if !copied.success() {
        bail!("copying the standard library to {unfinished} failed; is the disk full?");
    }
    process::run(debian::as_root("rm")?.args(["-rf", DEBIAN_TARGET_LIBRARY]))?;
    process::run(debian::as_root("mv")?.args([&unfinished, DEBIAN_TARGET_LIBRARY]))
}
