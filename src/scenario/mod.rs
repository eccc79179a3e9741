//! The scenario file: what a run starts from.
//!
//! [`schema`] is the format, with `sql_schema`, `ring_schema`, `membership_schema` and `service_schema` for the clusters, [`fault`] what can be done to a run, [`limits`]
//! every bound. [`parse::parse`] reads a file and [`validate`] checks it; what is wrong
//! is an [`error::ScenarioError`]. [`names`] says what the nodes are called that
//! faults name, and [`presets`] holds the scenarios that come with the program.

pub mod document;
pub mod error;
pub mod fault;
#[cfg(not(target_arch = "wasm32"))]
pub mod json_schema;
pub mod limits;
mod membership_schema;
mod moved;
pub mod names;
pub mod parse;
pub mod presets;
mod ring_schema;
pub mod schema;
mod service_schema;
pub mod service_tables;
mod sql_schema;
pub mod validate;

pub use error::ScenarioError;
pub use parse::parse;
pub use schema::Scenario;
