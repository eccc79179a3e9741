//! Making the site's JavaScript and styles smaller with esbuild, from npm.
//!
//! Where it can't be had the site is merely larger.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use crate::{node, process};

/// Minifies `files` in place.
pub fn run(files: &[PathBuf]) -> Result<()> {
    if node::set_up().is_err() {
        println!("esbuild is left out, the site is larger than it could be.");
        return Ok(());
    }
    let esbuild = node::packages().join("esbuild");
    for file in files {
        // By its interface: how its command is installed depends on whether npm may run install scripts.
        let mut command = Command::new("node");
        command.arg("-e").arg(MINIFY).arg(&esbuild).arg(file);
        process::run(&mut command).with_context(|| format!("minifying {}", file.display()))?;
    }
    Ok(())
}

const MINIFY: &str = "const [esbuild, file] = process.argv.slice(1); require(esbuild).buildSync({ \
     entryPoints: [file], outfile: file, allowOverwrite: true, minify: true, logLevel: 'warning' });";
