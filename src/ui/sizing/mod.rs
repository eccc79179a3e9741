//! Many runs at once, to find a better design of one cluster: a search for the cheapest that keeps a target,
//! or every combination of some values.
//!
//! Workers of their own run the page's own module, each one run at a time; cancelling ends them.
//! [`state`] is what was asked for and what has come of it, [`work`] says which run is next, [`view`] and
//! [`plot`] show it.

mod plot;
mod state;
mod view;
mod work;

pub use state::{Act, Sizing};
pub use view::SizingPage;
