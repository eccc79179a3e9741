//! Making the site's JavaScript and styles smaller with esbuild, from npm.
//!
//! A script gets what it imports from npm's packages into its own file: `boot.js` the decoder of xz. Comments
//! that name a licence stay.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use crate::{node, process};

/// Bundles and minifies `files` in place.
pub fn run(files: &[PathBuf]) -> Result<()> {
    for file in files {
        // By its interface: how its command is installed depends on whether npm may run install scripts.
        let mut command = Command::new("node");
        command.arg("-e").arg(BUNDLE).arg(node::packages()).arg(file);
        process::run(&mut command).with_context(|| format!("bundling {}", file.display()))?;
    }
    Ok(())
}

const BUNDLE: &str = "const [packages, file] = process.argv.slice(1); require(`${packages}/esbuild`).buildSync({ \
     entryPoints: [file], outfile: file, allowOverwrite: true, bundle: file.endsWith('.js'), format: 'esm', \
     nodePaths: [packages], minify: true, legalComments: 'inline', logLevel: 'warning' });";
