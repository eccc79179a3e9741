//! All scenarios, to choose one from: a folder of files on the site, in the order of its `index.json`.

mod card;
mod sketch;
mod view;

use super::site;
use std::rc::Rc;

pub use card::Card;
pub use view::{Gallery, GalleryState};

const FOLDER: &str = "static/scenarios";

/// What is known of the site's scenarios.
pub enum Catalogue {
    Unknown,
    Names(Vec<String>),
    Cards(Rc<Vec<Card>>),
    Failed(String),
}

impl Catalogue {
    /// The name of the first.
    pub fn first(&self) -> Option<String> {
        match self {
            Catalogue::Names(names) => names.first().cloned(),
            Catalogue::Cards(cards) => cards.first().map(|card| card.name.clone()),
            Catalogue::Unknown | Catalogue::Failed(_) => None,
        }
    }
}

/// Whether a scenario can have this name: lower-case letters, digits, hyphens.
pub fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

/// Its file on the site.
pub fn file_of(name: &str) -> String {
    format!("{FOLDER}/{name}.json")
}

/// The names of all, in order.
pub async fn read_names() -> Result<Vec<String>, String> {
    let text = site::read(&format!("{FOLDER}/index.json")).await?;
    let names = card::parse_names(&text);
    if names.is_empty() { Err(format!("{FOLDER}/index.json names no scenario.")) } else { Ok(names) }
}

/// The scenarios of these names. One that can't be read is left out, unless all are.
pub async fn read_cards(names: Vec<String>) -> Result<Vec<Card>, String> {
    let mut cards = Vec::new();
    let mut failure = None;
    for name in names {
        match site::read(&file_of(&name)).await {
            Ok(text) => cards.extend(Card::parse(&name, &text)),
            Err(why) => failure = Some(why),
        }
    }
    match failure {
        Some(why) if cards.is_empty() => Err(why),
        _ => Ok(cards),
    }
}

pub fn set_title(title: &str) {
    if let Some(document) = web_sys::window().and_then(|window| window.document()) {
        document.set_title(&format!("{title} – Faultline"));
    }
}
