//! What is shown when the page itself breaks.
//!
//! The words stand in `index.html`, so that they can be shown whatever is left
//! of the interface.

use std::panic::PanicHookInfo;
use wasm_bindgen::JsValue;

/// Shows panics on the page, and their words in the console.
pub fn tell_panics() {
    yew::set_custom_panic_hook(Box::new(|panic: &PanicHookInfo<'_>| {
        let words = panic.to_string();
        web_sys::console::error_1(&JsValue::from_str(&words));
        show("The page broke: an error of ours, not of yours.", &words);
    }));
}

/// Shows that Faultline can't go on. `details` are for whoever mends it.
pub fn show(what: &str, details: &str) {
    let Some(document) = web_sys::window().and_then(|window| window.document()) else { return };
    let fill = |id: &str, text: &str| {
        if let Some(element) = document.get_element_by_id(id) {
            element.set_text_content(Some(text));
        }
    };
    fill("failed-what", what);
    fill("failed-details", details);
    if let Some(panel) = document.get_element_by_id("failed") {
        let _ = panel.remove_attribute("hidden");
    }
}
