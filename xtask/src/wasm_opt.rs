//! Making the site's WebAssembly smaller and faster with wasm-opt, from npm's `binaryen`.
//!
//! What was optimised once is kept under `target/wasm-opt/`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::{checkout, fingerprint, node, process};

/// The features are those that rustc emits for `wasm32-unknown-unknown` by default.
const ARGUMENTS: &[&str] = &[
    "-Oz",
    "--flatten",
    "--rereloop",
    "-Oz",
    "-Oz",
    // The stack lies there, and grows down to it: nothing is read or written so low before it overflows.
    "--low-memory-unused",
    // Functions of one kind beside each other compress better.
    "--reorder-functions-by-name",
    "--strip-producers",
    "--strip-target-features",
    "--enable-bulk-memory",
    "--enable-multivalue",
    "--enable-mutable-globals",
    "--enable-nontrapping-float-to-int",
    "--enable-reference-types",
    "--enable-sign-ext",
];

/// Optimises `files` in place.
pub fn run(files: &[PathBuf]) -> Result<()> {
    let program = node::packages().join("binaryen/bin/wasm-opt");
    let cache = checkout::target().join("wasm-opt");
    fs::create_dir_all(&cache)?;
    let mut used = Vec::new();
    for file in files {
        used.push(
            optimise(&program, file, &cache).with_context(|| format!("optimising {}", file.display()))?,
        );
    }
    forget_all_but(&used, &cache)
}

/// Replaces `file` by its optimised self, and returns the cache's entry for it.
fn optimise(program: &Path, file: &Path, cache: &Path) -> Result<PathBuf> {
    let input = fs::read(file)?;
    let arguments = ARGUMENTS.join(" ");
    let wasm_opt = fs::read(node::packages().join("binaryen/package.json"))?;
    let entry = cache.join(fingerprint::of([arguments.as_bytes(), &wasm_opt, &input])).with_extension("wasm");
    if !entry.is_file() {
        let unfinished = entry.with_extension("unfinished");
        let mut command = Command::new("node");
        command.arg(program).args(ARGUMENTS).arg(file).arg("-o").arg(&unfinished);
        process::run(&mut command)?;
        fs::rename(&unfinished, &entry)?;
    }
    let output_size = fs::copy(&entry, file)?;
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    println!("{name}: {} KB, {} KB after wasm-opt", input.len() / 1000, output_size / 1000);
    Ok(entry)
}

fn forget_all_but(used: &[PathBuf], cache: &Path) -> Result<()> {
    for entry in fs::read_dir(cache)? {
        let path = entry?.path();
        if !used.contains(&path) {
            fs::remove_file(path)?;
        }
    }
    Ok(())
}
