//! The site's own files, by relative address.
//!
//! The site's version stands in the address of `boot.js` and is handed on to
//! everything that is loaded from here, so that kept old files and new ones
//! never meet.

use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::Response;

/// The address of one of the site's files.
pub fn address(name: &str) -> String {
    let version = web_sys::window()
        .and_then(|window| window.document())
        .and_then(|document| document.get_element_by_id("boot"))
        .and_then(|boot| boot.get_attribute("src"))
        .and_then(|source| source.split_once('?').map(|(_, version)| format!("?{version}")))
        .unwrap_or_default();
    format!("./{name}{version}")
}

/// Reads one of the site's files. The error is for users.
pub async fn read(name: &str) -> Result<String, String> {
    let failed = |_: JsValue| {
        format!("{name} could not be loaded; is there a connection? Reload the page to try again.")
    };
    let window = web_sys::window().ok_or("there is no window")?;
    let response: Response =
        JsFuture::from(window.fetch_with_str(&address(name))).await.map_err(failed)?.unchecked_into();
    if !response.ok() {
        return Err(format!("{name} could not be loaded (the server answered {}).", response.status()));
    }
    let text = JsFuture::from(response.text().map_err(failed)?).await.map_err(failed)?;
    text.as_string().ok_or_else(|| format!("{name} is not text."))
}
