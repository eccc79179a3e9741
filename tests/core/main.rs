//! The tests of everything but the page, in one binary.

mod json_schema;
mod links;
mod presets;
mod prices;
mod recorded;
mod scenario_errors;
