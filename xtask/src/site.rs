//! The static site in `dist/`.
//!
//! Trunk compiles the page, which is its own worker, and copies the static files, as `index.html` and `Trunk.toml` say.
//! Then the WebAssembly is optimised, what it imports gets short names, and it is compressed; JavaScript and styles are
//! bundled and minified, model cards are taken from the module docs, and `index.html` is told the version of all it loads.
//! The result loads everything by relative URL: it can be put at any path of any server of static files.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::tools::BrowserTools;
use crate::{
    bundle, checkout, compress, content_version, import_names, model_cards, node, process, wasm_opt,
};

/// Builds the site.
pub fn build(tools: &BrowserTools) -> Result<()> {
    // Before the minutes of compiling: without Node.js there is no site.
    node::set_up()?;
    let mut trunk = tools.trunk()?;
    // A folder of its own: the Rust that compiles for the browser may not be the one that compiles for this
    // machine, and each would compile everything anew after the other.
    trunk.env("CARGO_TARGET_DIR", checkout::target().join("wasm"));
    // Trunk takes the customary `NO_COLOR=1` for a wrong argument, and a wish to see where a panic came from for
    // one to see where in Trunk a compiler's error was passed on.
    trunk.env_remove("NO_COLOR").env("RUST_LIB_BACKTRACE", "0");
    trunk.current_dir(checkout::root()).args(["build", "--config", "Trunk.toml", "--log", "warn"]);
    process::run(&mut trunk).context("the site could not be built")?;
    wasm_opt::run(&files_of(&["wasm"])?)?;
    let module = checkout::dist().join("faultline-ui_bg.wasm");
    import_names::shorten(&module, &checkout::dist().join("faultline-ui.js"))?;
    compress::run(&module)?;
    bundle::run(&files_of(&["js", "css"])?)?;
    model_cards::write(&checkout::dist().join("static/model-cards"))?;
    let version = content_version::stamp(&checkout::dist())?;
    println!("The site is in {} (version {version}).", checkout::dist().display());
    Ok(())
}

/// The files of `dist/` itself with one of these extensions.
fn files_of(extensions: &[&str]) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(checkout::dist()).context("reading dist")? {
        let path = entry?.path();
        let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
        if extensions.contains(&extension) {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}
