//! Checks of one value each. A message says the field, its value and what would be right.

use super::Checked;
use crate::engine::{Distribution, DistributionError};
use crate::scenario::error::{ScenarioError, shortened};
use std::fmt::Display;

/// A number, both ends of the range allowed.
pub(super) fn between(field: &str, value: f64, least: f64, most: f64) -> Checked {
    if (least..=most).contains(&value) {
        return Ok(());
    }
    let problem = format!("is {}; it must be a number from {least} to {most}", number(value));
    Err(ScenarioError::wrong(field, problem))
}

/// A number greater than 0, the upper end allowed.
pub(super) fn positive_up_to(field: &str, value: f64, most: f64) -> Checked {
    if value > 0.0 && value <= most {
        return Ok(());
    }
    let problem = format!("is {}; it must be a number greater than 0 and at most {most}", number(value));
    Err(ScenarioError::wrong(field, problem))
}

/// A whole number, both ends allowed.
pub(super) fn whole<N: PartialOrd + Display + Copy>(field: &str, value: N, least: N, most: N) -> Checked {
    if value >= least && value <= most {
        return Ok(());
    }
    let problem = format!("is {value}; it must be a whole number from {least} to {most}");
    Err(ScenarioError::wrong(field, problem))
}

/// The length of a list.
pub(super) fn length(field: &str, count: usize, least: usize, most: usize, of: &str) -> Checked {
    if (least..=most).contains(&count) {
        return Ok(());
    }
    let problem = format!("has {count} {of}; it must have {least} to {most}");
    Err(ScenarioError::wrong(field, problem))
}

/// A text of some characters, on one line.
pub(super) fn text(field: &str, text: &str, least: usize, most: usize) -> Checked {
    let characters = text.chars().count();
    if !(least..=most).contains(&characters) {
        let problem = format!("has {characters} characters; it must have {least} to {most}");
        return Err(ScenarioError::wrong(field, problem));
    }
    if least > 0 && text.trim().is_empty() {
        return Err(ScenarioError::wrong(field, "is blank; it must say something"));
    }
    if text.chars().any(char::is_control) {
        let shown = shortened(&text.escape_debug().to_string());
        let problem = format!("is \"{shown}\"; it must be one line without control characters");
        return Err(ScenarioError::wrong(field, problem));
    }
    Ok(())
}

/// Every parameter of a distribution, nested ones by their own path.
pub(super) fn distribution(field: &str, distribution: &Distribution) -> Checked {
    match distribution.validate() {
        Ok(()) => Ok(()),
        // Nested too deep is a property of the whole; the rest belongs to one part.
        Err(error @ DistributionError::TooDeep) => Err(ScenarioError::wrong(field, error.to_string())),
        Err(error) => {
            match distribution {
                Distribution::Shifted(shifted) => {
                    self::distribution(&format!("{field}.shifted.of"), &shifted.of)?
                }
                Distribution::Mixture(parts) => {
                    for (index, part) in parts.iter().enumerate() {
                        self::distribution(&format!("{field}.mixture[{index}].of"), &part.of)?;
                    }
                }
                _ => {}
            }
            Err(ScenarioError::wrong(field, error.to_string()))
        }
    }
}

/// A number as a message shows it: never hundreds of digits.
fn number(value: f64) -> String {
    let size = value.abs();
    if size == 0.0 || (1e-6..1e15).contains(&size) { format!("{value}") } else { format!("{value:e}") }
}
