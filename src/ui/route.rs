//! What the address bar says: the part after `#`.

/// Where in the page somebody is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Route {
    /// No hash: the first scenario, playing.
    Start,
    /// `#/`: all scenarios.
    Gallery,
    /// `#/s/<name>`: one scenario.
    Scenario(String),
    /// Anything else is somebody's run.
    Link(String),
}

impl Route {
    /// Of the page's address as it is.
    pub fn current() -> Route {
        Route::parse(&location().and_then(|location| location.hash().ok()).unwrap_or_default())
    }

    /// Of a hash, with or without its `#`.
    pub fn parse(hash: &str) -> Route {
        let hash = hash.strip_prefix('#').unwrap_or(hash);
        if hash.is_empty() {
            return Route::Start;
        }
        match hash.strip_prefix("/s/") {
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

/// The whole address, to be copied.
pub fn address() -> String {
    location().and_then(|location| location.href().ok()).unwrap_or_default()
}

fn location() -> Option<web_sys::Location> {
    web_sys::window().map(|window| window.location())
}
