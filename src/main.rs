//! The browser's entry: in a window the page, in a worker the simulation.

#[cfg(target_arch = "wasm32")]
mod worker;

#[cfg(target_arch = "wasm32")]
fn main() {
    use wasm_bindgen::JsCast;
    if js_sys::global().has_type::<web_sys::DedicatedWorkerGlobalScope>() {
        worker::start();
    } else {
        faultline::ui::start();
    }
}

#[cfg(not(target_arch = "wasm32"))]
fn main() {
    eprintln!("This program is the page, and runs in a browser: `cargo xtask play` builds and opens it.");
}
