//! What the address bar says: the part after `#`.

const SIZING: &str = "/right-size";

/// Where in the page somebody is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Route {
    /// No hash: the first scenario, playing.
    Start,
    /// `#/`: all scenarios.
    Gallery,
    /// `#/s/<name>`: one scenario.
    Scenario(String),
    /// `#/right-size`: many runs, to find a cheaper design.
    Sizing,
    /// Anything else is somebody's run.
    Link(String),
}

impl Route {
    /// Of the page's address as it is.
    pub fn current() -> Route {
        Route::parse(&hash())
    }

    /// Of a hash, with or without its `#`.
    pub fn parse(hash: &str) -> Route {
        let hash = hash.strip_prefix('#').unwrap_or(hash);
        if hash.is_empty() {
            return Route::Start;
        }
        match hash.strip_prefix("/s/") {
            None if hash == SIZING => Route::Sizing,
            Some(name) if !name.is_empty() => Route::Scenario(name.to_string()),
            _ if hash.starts_with('/') => Route::Gallery,
            _ => Route::Link(hash.to_string()),
        }
    }
}

/// Puts a share link into the address without leaving the page or adding to its history.
pub fn replace_with_link(link: &str) {
    if let Some(history) = web_sys::window().and_then(|window| window.history().ok()) {
        let _ = history.replace_state_with_url(&wasm_bindgen::JsValue::NULL, "", Some(&format!("#{link}")));
    }
}

/// Goes to the page that right-sizes, so that Back leads to where we are.
pub fn go_to_sizing() {
    if let Some(location) = location() {
        let _ = location.set_hash(SIZING);
    }
}

/// The address as it is, from its `#` on.
pub fn hash() -> String {
    location().and_then(|location| location.hash().ok()).unwrap_or_default()
}

/// The whole address, to be copied.
pub fn address() -> String {
    location().and_then(|location| location.href().ok()).unwrap_or_default()
}

fn location() -> Option<web_sys::Location> {
    web_sys::window().map(|window| window.location())
}
