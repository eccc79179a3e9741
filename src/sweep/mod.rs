//! Many runs of one scenario: every combination of some of its values, or a search for the cheapest that will do.
//!
//! [`plan`] says which runs a sweep has, by [`path`]s into the scenario; [`row`] is what one run says, as a
//! line of a table; [`pool`] runs many at once and hands over their results in order.
//!
//! [`right_size`] searches a [`space`] of configurations for the cheapest that keeps a [`target`],
//! and finds the [`frontier`] on its way.

pub mod frontier;
pub mod limits;
pub mod path;
pub mod plan;
#[cfg(not(target_arch = "wasm32"))]
pub mod pool;
pub mod right_size;
pub mod row;
pub mod space;
pub mod target;
