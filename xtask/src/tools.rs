//! Trunk and wasm-bindgen: found on PATH in the right version, or built once and kept.

use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::wasm_target::{self, WasmRust};
use crate::{checkout, process};

/// The newest Trunk that Rust 1.95 compiles.
const TRUNK_VERSION: &str = "0.21.14";

/// The tools' own release profiles optimise for minutes what runs for seconds: Trunk's takes over 20 minutes
/// on two cores. With this one it is 4 to 7 for Trunk and 2 to 4 for wasm-bindgen.
const QUICK_PROFILE: [(&str, &str); 3] = [
    ("CARGO_PROFILE_RELEASE_LTO", "off"),
    ("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16"),
    ("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1"),
];

/// What it takes to build the browser's part.
pub struct BrowserTools {
    rust: WasmRust,
    trunk: PathBuf,
    wasm_bindgen: PathBuf,
}

impl BrowserTools {
    /// Trunk, able to find everything that it starts.
    pub fn trunk(&self) -> Result<Command> {
        let tool_folder = self.wasm_bindgen.parent().map(Path::to_owned);
        let first: Vec<PathBuf> = tool_folder.into_iter().chain(self.rust.programs()).collect();
        let mut command = Command::new(&self.trunk);
        self.rust.configure(&mut command);
        command.env("PATH", process::path_with_first(&first)?);
        Ok(command)
    }
}

/// Finds the tools, and sets up those that are missing.
pub fn set_up() -> Result<BrowserTools> {
    // Trunk works offline: what the browser's part depends on is fetched here.
    process::run(process::cargo().current_dir(checkout::root()).args(["fetch", "--quiet"]))
        .context("the crates that Faultline depends on could not be fetched; is there a network?")?;
    let folder = folder()?;
    fs::create_dir_all(&folder).with_context(|| format!("creating {}", folder.display()))?;
    let _lock = lock(&folder)?;
    let scratch = folder.join("build");
    let rust = wasm_target::set_up(&scratch)?;
    // wasm-bindgen's library and program must be of one version, to the last digit.
    let wasm_bindgen_version = checkout::locked_version("wasm-bindgen")?;
    let wasm_bindgen = Tool {
        program: "wasm-bindgen",
        package: "wasm-bindgen-cli",
        version: &wasm_bindgen_version,
        // Not `--locked`: the lock file in 0.2.130 names a crate that was withdrawn.
        options: &[],
        minutes: "2 to 4",
    };
    let trunk = Tool {
        program: "trunk",
        package: "trunk",
        version: TRUNK_VERSION,
        options: &["--locked", "--no-default-features", "--features", "rustls"],
        minutes: "4 to 7",
    };
    let tools = BrowserTools {
        rust,
        wasm_bindgen: wasm_bindgen.find_or_build(&folder)?,
        trunk: trunk.find_or_build(&folder)?,
    };
    // Only what is under way stands there. Where it can't be deleted, nothing is harmed but the disk.
    let _ = fs::remove_dir_all(&scratch);
    Ok(tools)
}

/// Waits until no other set-up is under way in `folder`, and keeps others waiting until the result is dropped.
fn lock(folder: &Path) -> Result<File> {
    let path = folder.join("lock");
    let file = File::create(&path).with_context(|| format!("creating {}", path.display()))?;
    if file.try_lock().is_err() {
        println!("Waiting for another set-up that is under way in {} ...", folder.display());
        file.lock()?;
    }
    Ok(file)
}

/// A program that is built from a crate.
struct Tool<'a> {
    program: &'a str,
    package: &'a str,
    version: &'a str,
    options: &'a [&'a str],
    minutes: &'a str,
}

impl Tool<'_> {
    fn find_or_build(&self, folder: &Path) -> Result<PathBuf> {
        let file_name = format!("{}{}", self.program, env::consts::EXE_SUFFIX);
        let kept = folder.join("bin").join(&file_name);
        let path = env::var_os("PATH").unwrap_or_default();
        let candidates = std::iter::once(kept.clone())
            .chain(env::split_paths(&path).map(|on_path| on_path.join(&file_name)));
        if let Some(found) =
            candidates.filter(|candidate| candidate.is_file()).find(|candidate| self.is_right(candidate))
        {
            return Ok(found);
        }
        self.build(folder)?;
        Ok(kept)
    }

    /// Whether the program runs and is of our version.
    fn is_right(&self, program: &Path) -> bool {
        let answer = process::answer(Command::new(program).arg("--version"));
        answer.is_some_and(|answer| answer.split_whitespace().nth(1) == Some(self.version))
    }

    fn build(&self, folder: &Path) -> Result<()> {
        let Tool { package, version, minutes, .. } = self;
        println!(
            "Building {package} {version} into {} ({minutes} minutes on two cores) ...",
            folder.display()
        );
        let mut install = process::cargo();
        // From another folder, so that this checkout's .cargo/config.toml plays no part.
        install.current_dir(folder).args(["install", package, "--version", version, "--force"]);
        install.args(self.options).arg("--root").arg(folder).arg("--target-dir").arg(folder.join("build"));
        install.envs(QUICK_PROFILE);
        // Without a lock file, of each dependency the newest version that our compiler can compile.
        install.env("CARGO_RESOLVER_INCOMPATIBLE_RUST_VERSIONS", "fallback");
        process::run(&mut install).with_context(|| {
            let options = self.options.join(" ");
            format!(
                "{package} could not be built; by hand: cargo install {package} --version {version} {options}"
            )
        })
    }
}

/// Where tools are kept: outside of the checkout, so that a clean clone finds them.
fn folder() -> Result<PathBuf> {
    if let Some(chosen) = env::var_os("FAULTLINE_TOOLS") {
        return std::path::absolute(&chosen).context("FAULTLINE_TOOLS is not a folder's name");
    }
    let cache = cache_folder().context("this user has no cache folder; name one in FAULTLINE_TOOLS")?;
    Ok(cache.join("faultline-tools"))
}

fn cache_folder() -> Option<PathBuf> {
    let absolute = |name| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    if cfg!(windows) {
        absolute("LOCALAPPDATA")
    } else if cfg!(target_os = "macos") {
        absolute("HOME").map(|home| home.join("Library/Caches"))
    } else {
        absolute("XDG_CACHE_HOME").or_else(|| absolute("HOME").map(|home| home.join(".cache")))
    }
}
