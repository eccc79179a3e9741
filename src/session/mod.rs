//! Clusters in lockstep, commands, checkpoints, futures, frames.
//!
//! [`run`] is a session; its [`state`] at a moment goes through a [`script`] of
//! faults, is kept in [`checkpoints`], and told by the [`narrator`]. [`driver`]
//! runs it for a page, which sees [`frame`]s (made by [`frames`], [`layout`], [`bill`] and
//! [`inspector`]) and speaks the [`protocol`]. [`link`] is a run as text, [`measured`] what came of one in a few figures.

pub mod active;
pub mod bill;
pub mod checkpoints;
pub mod command;
pub mod driver;
pub mod frame;
pub mod frames;
pub mod inspector;
pub mod layout;
pub mod link;
pub mod measured;
pub mod narrator;
pub mod protocol;
pub mod run;
pub mod script;
mod service_words;
pub mod state;

pub use run::Session;
