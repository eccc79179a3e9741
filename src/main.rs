//! The page: mounts the interface in the browser.

#[cfg(target_arch = "wasm32")]
fn main() {
    faultline::ui::start();
}

#[cfg(not(target_arch = "wasm32"))]
fn main() {
    eprintln!("This program is the page, and runs in a browser: `cargo xtask play` builds and opens it.");
}
