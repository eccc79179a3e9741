//! One switch: the value of a scenario that it stands for, in words, and what it writes there.
//!
//! An entry of the file has
//!
//! - `cluster`: the kind of cluster it belongs to; none: it is the scenario's;
//! - `part`: the part of the architecture that it is shown under;
//! - `path`: from the cluster's section, or from the scenario, to the value;
//! - `label`, `help`, `default`;
//! - `control`: `number` (with `unit`, `step`), `toggle` (which writes `on` or `off`), or `choice` of
//!   `choices` (which writes a `value`; one that is known by a field, whatever that holds, names it in `has`);
//! - `when`: it is shown only where there is something at this path, other than null, false and 0.
//!
//! An object of several fields stands for those fields only: others beside them are left as they are.

use super::scope::Scope;
use crate::scenario::document::fits;
use serde_json::Value;

/// What a list of choices shows for a value that is none of them.
const OTHER: &str = "other, as in the scenario";

/// A scope and an entry of the file, by number: unique on the page.
pub type Place = (usize, usize);

/// An entry of the file, in one place of a scenario.
#[derive(Clone, Copy)]
pub struct Switch<'a> {
    pub entry: &'a Value,
    pub scope: &'a Scope,
    pub place: Place,
}

impl<'a> Switch<'a> {
    /// A field of the entry that is text; empty where there is none.
    pub fn text(&self, field: &str) -> &'a str {
        self.entry[field].as_str().unwrap_or_default()
    }

    /// Its value in a scenario; null where there is none.
    pub fn value<'s>(&self, scenario: &'s Value) -> &'s Value {
        self.at(scenario, self.text("path"))
    }

    fn at<'s>(&self, scenario: &'s Value, path: &str) -> &'s Value {
        path.split('.').fold(self.scope.section(scenario), |value, field| &value[field])
    }

    /// Whether it means anything in this scenario.
    pub fn is_shown(&self, scenario: &Value) -> bool {
        // A cluster may have no service.
        if self.scope.section(scenario).is_null() {
            return false;
        }
        let when = self.text("when");
        when.is_empty() || is_something(self.at(scenario, when))
    }

    pub fn is_on(&self, value: &Value) -> bool {
        !fits(&self.entry["off"], value)
    }

    pub fn choices(&self) -> &'a [Value] {
        self.entry["choices"].as_array().map_or(&[], Vec::as_slice)
    }

    /// Which of the choices a value is.
    pub fn choice_of(&self, value: &Value) -> Option<usize> {
        self.choices().iter().position(|choice| match choice["has"].as_str() {
            Some(field) => !value[field].is_null(),
            None => fits(&choice["value"], value),
        })
    }

    /// A value as people read it. Two values that read alike are the same to this switch.
    pub fn words(&self, value: &Value) -> String {
        match self.text("control") {
            "toggle" => if self.is_on(value) { "on" } else { "off" }.to_string(),
            "choice" => {
                let choice =
                    self.choice_of(value).and_then(|choice| self.choices()[choice]["label"].as_str());
                choice.unwrap_or(OTHER).to_string()
            }
            _ => format!("{} {}", number(value), self.text("unit")),
        }
    }

    /// What is written for what somebody did to the control. `known` are scenarios whose own values are
    /// taken where they have what is asked for: better than what is usual elsewhere.
    pub fn written(&self, typed: String, is_checked: bool, known: [&Value; 2]) -> Value {
        match self.text("control") {
            "toggle" if is_checked => {
                let known = known.into_iter().find(|scenario| self.is_on(self.value(scenario)));
                known.map_or(&self.entry["on"], |scenario| self.value(scenario)).clone()
            }
            "toggle" => self.entry["off"].clone(),
            "choice" => {
                let choice = js_sys::parse_float(&typed) as usize;
                let known =
                    known.into_iter().find(|scenario| self.choice_of(self.value(scenario)) == Some(choice));
                known.map_or_else(
                    || self.choices()[choice]["value"].clone(),
                    |scenario| self.taken_from(scenario),
                )
            }
            _ => parsed(typed),
        }
    }

    /// What this switch is set to in a scenario, to be written into another.
    pub fn taken_from(&self, scenario: &Value) -> Value {
        let value = self.value(scenario);
        let choice = self.choice_of(value).map(|choice| &self.choices()[choice]);
        choice.filter(|choice| choice["has"].is_null()).map_or(value, |choice| &choice["value"]).clone()
    }

    /// Sets it. Where the object around it is missing, nothing happens.
    pub fn write(&self, scenario: &mut Value, value: Value) {
        let Some(mut around) = self.scope.section_mut(scenario) else { return };
        let mut path = self.text("path");
        while let Some((field, rest)) = path.split_once('.') {
            let Some(inner) = around.get_mut(field) else { return };
            (around, path) = (inner, rest);
        }
        let Value::Object(around) = around else { return };
        match (around.get_mut(path), value) {
            (Some(Value::Object(fields)), Value::Object(new)) if new.len() > 1 => {
                for (name, value) in new {
                    fields.insert(name, value);
                }
            }
            (_, value) => {
                around.insert(path.to_string(), value);
            }
        }
    }
}

/// Of the control of a switch.
pub fn element_id((scope, entry): Place) -> String {
    format!("switch-{scope}-{entry}")
}

/// A number without needless zeros, or what was typed in its place; nothing for anything else.
pub fn number(value: &Value) -> String {
    match value {
        Value::Number(number) => number.as_f64().unwrap_or(f64::NAN).to_string(),
        Value::String(text) => text.clone(),
        _ => String::new(),
    }
}

/// What stands in a field for a number. What is none stays as it was typed, for the worker to refuse.
fn parsed(typed: String) -> Value {
    let number = js_sys::parse_float(&typed);
    if number.is_nan() {
        Value::String(typed)
    } else if number == libm::trunc(number) && number.abs() < 9e15 {
        Value::from(number as i64)
    } else {
        Value::from(number)
    }
}

fn is_something(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => false,
        Value::Number(number) => number.as_f64() != Some(0.0),
        _ => true,
    }
}
