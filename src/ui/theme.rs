//! Light and dark, and the colours as the canvases need them.
//!
//! All colours are custom properties of `styles.css`. Canvases can't use these
//! by name, so they are read once per theme.

use web_sys::{Element, Window};

/// Where the choice is remembered.
const STORAGE_KEY: &str = "faultline-theme";

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Theme {
    Light,
    Dark,
}

impl Theme {
    /// What the page shows now; boot.js set it before anything was drawn.
    pub fn current() -> Theme {
        match root().and_then(|root| root.get_attribute("data-theme")).as_deref() {
            Some("light") => Theme::Light,
            _ => Theme::Dark,
        }
    }

    /// What the system prefers.
    pub fn of_system() -> Theme {
        let query =
            window().and_then(|window| window.match_media("(prefers-color-scheme: light)").ok().flatten());
        if query.is_some_and(|query| query.matches()) { Theme::Light } else { Theme::Dark }
    }

    pub fn other(self) -> Theme {
        match self {
            Theme::Light => Theme::Dark,
            Theme::Dark => Theme::Light,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Theme::Light => "light",
            Theme::Dark => "dark",
        }
    }

    pub fn apply(self) {
        if let Some(root) = root() {
            let _ = root.set_attribute("data-theme", self.name());
        }
    }

    /// Kept for the next visit, where the browser lets us.
    pub fn remember(self) {
        if let Some(storage) = storage() {
            let _ = storage.set_item(STORAGE_KEY, self.name());
        }
    }

    /// Whether somebody chose, so that the system's preference no longer counts.
    pub fn is_remembered() -> bool {
        storage().and_then(|storage| storage.get_item(STORAGE_KEY).ok().flatten()).is_some()
    }
}

/// Whether the system asks for little motion.
pub fn wants_little_motion() -> bool {
    window()
        .and_then(|window| window.match_media("(prefers-reduced-motion: reduce)").ok().flatten())
        .is_some_and(|query| query.matches())
}

/// A colour without transparency.
pub type Rgb = (u8, u8, u8);

/// The colours of one theme.
#[derive(Clone, PartialEq, Debug)]
pub struct Colours {
    /// Each cluster's own, for marks and for words.
    pub clusters: [Rgb; 4],
    pub cluster_words: [Rgb; 4],
    pub background: Rgb,
    pub panel: Rgb,
    pub line: Rgb,
    pub ink: Rgb,
    pub ink_soft: Rgb,
    pub bad: Rgb,
    pub warn: Rgb,
}

impl Colours {
    pub fn read() -> Colours {
        let style =
            window().zip(root()).and_then(|(window, root)| window.get_computed_style(&root).ok().flatten());
        let read = |name: &str| {
            let value = style.as_ref().and_then(|style| style.get_property_value(name).ok());
            value.as_deref().and_then(parse).unwrap_or((128, 128, 128))
        };
        Colours {
            clusters: ["--k0", "--k1", "--k2", "--k3"].map(read),
            cluster_words: ["--k0-ink", "--k1-ink", "--k2-ink", "--k3-ink"].map(read),
            background: read("--bg"),
            panel: read("--panel"),
            line: read("--line"),
            ink: read("--ink"),
            ink_soft: read("--ink3"),
            bad: read("--bad"),
            warn: read("--warn"),
        }
    }
}

/// `#rrggbb`.
fn parse(text: &str) -> Option<Rgb> {
    let digits = text.trim().strip_prefix('#')?;
    let value = u32::from_str_radix(digits, 16).ok().filter(|_| digits.len() == 6)?;
    Some(((value >> 16) as u8, (value >> 8) as u8, value as u8))
}

fn window() -> Option<Window> {
    web_sys::window()
}

fn root() -> Option<Element> {
    window()?.document()?.document_element()
}

fn storage() -> Option<web_sys::Storage> {
    window()?.local_storage().ok().flatten()
}
