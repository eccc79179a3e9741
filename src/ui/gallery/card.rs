//! What a scenario's file says about itself.
//!
//! Read with the browser's own JSON: the page only shows it, the worker checks it.

use js_sys::{Array, JSON, Object, Reflect};
use wasm_bindgen::{JsCast, JsValue};

#[derive(Clone, PartialEq, Debug)]
pub struct Card {
    /// The name of its file, without the ending.
    pub name: String,
    pub title: String,
    pub question: String,
    pub things_to_try: Vec<String>,
    /// Names of the faults that it schedules, in order.
    pub faults: Vec<String>,
    pub duration_ms: f64,
    /// Of its clusters, in order.
    pub kinds: Vec<String>,
}

impl Card {
    /// None where the text is no JSON object.
    pub fn parse(name: &str, text: &str) -> Option<Card> {
        let scenario = JSON::parse(text).ok().filter(JsValue::is_object)?;
        let title = string(&scenario, "title");
        Some(Card {
            title: if title.is_empty() { name.to_string() } else { title },
            name: name.to_string(),
            question: string(&scenario, "question"),
            things_to_try: list(&scenario, "try").iter().filter_map(|entry| entry.as_string()).collect(),
            faults: list(&scenario, "faults")
                .iter()
                .filter_map(|fault| only_key(&get(&fault, "do")))
                .collect(),
            duration_ms: get(&scenario, "duration_ms").as_f64().unwrap_or(0.0),
            kinds: list(&scenario, "clusters").iter().filter_map(|cluster| only_key(&cluster)).collect(),
        })
    }
}

/// The names in `index.json`: a list of `{"file": "name.json", "name": "name"}`.
pub fn parse_names(text: &str) -> Vec<String> {
    let list: Array = JSON::parse(text).ok().and_then(|value| value.dyn_into().ok()).unwrap_or_default();
    let file = |entry: JsValue| string(&entry, "file");
    list.iter().map(file).filter_map(|file| file.strip_suffix(".json").map(str::to_string)).collect()
}

fn get(object: &JsValue, key: &str) -> JsValue {
    Reflect::get(object, &JsValue::from_str(key)).unwrap_or(JsValue::UNDEFINED)
}

fn string(object: &JsValue, key: &str) -> String {
    get(object, key).as_string().unwrap_or_default()
}

fn list(object: &JsValue, key: &str) -> Array {
    get(object, key).dyn_into().unwrap_or_default()
}

/// `{"crash": {…}}` is a crash.
fn only_key(object: &JsValue) -> Option<String> {
    Object::keys(object.dyn_ref::<Object>()?).get(0).as_string()
}
