//! The browser that the browser's tests run in.

use std::env;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};

use crate::debian;

/// Names the browser to take, before all others.
const CHOSEN: &str = "FAULTLINE_CHROMIUM";

/// Where the platforms' packages put Chromium, Chrome and Edge.
const USUAL_PLACES: &[&str] = &[
    "/usr/bin/chromium",
    "/usr/bin/chromium-browser",
    "/usr/bin/google-chrome",
    "/usr/bin/google-chrome-stable",
    "/usr/bin/microsoft-edge",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Microsoft Edge.app/Contents/MacOS/Microsoft Edge",
    r"C:\Program Files\Google\Chrome\Application\chrome.exe",
    r"C:\Program Files (x86)\Google\Chrome\Application\chrome.exe",
    r"C:\Program Files (x86)\Microsoft\Edge\Application\msedge.exe",
    r"C:\Program Files\Microsoft\Edge\Application\msedge.exe",
];

const WITHOUT: &str = "or run `cargo xtask test --no-browser`, which leaves out the tests that need it";

/// Finds a browser, and on Debian installs one where there is none.
pub fn set_up() -> Result<PathBuf> {
    if let Some(chosen) = env::var_os(CHOSEN) {
        let chosen = PathBuf::from(chosen);
        if !chosen.is_file() {
            bail!(
                "{CHOSEN} is {}, which is no file; name a Chromium or Chrome there, or unset it",
                chosen.display()
            );
        }
        return Ok(chosen);
    }
    if let Some(found) = find() {
        return Ok(found);
    }
    if debian::is_debian() {
        // With a font: without any, every text is a row of boxes, and nothing is as wide as it should be.
        debian::install(&["chromium", "fonts-dejavu-core"], "the browser's tests").context(WITHOUT)?;
    }
    find().with_context(|| {
        format!("there is no Chromium: install Chromium, Chrome or Edge, or name one in {CHOSEN}; {WITHOUT}")
    })
}

fn find() -> Option<PathBuf> {
    USUAL_PLACES.iter().map(PathBuf::from).find(|place| place.is_file())
}
