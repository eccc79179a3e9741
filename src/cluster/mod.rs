//! Builds either cluster from its part of a scenario, and runs it.
//!
//! [`message`] and [`role`] are the sums over everything that a node can say and
//! be; [`build`] makes a world of a scenario, [`resolve`] finds the nodes that a
//! fault names, [`run`] is one cluster, made from its [`blueprint`], with what is
//! counted of it; [`watcher`] listens to its nodes.

pub mod blueprint;
pub mod build;
pub mod message;
pub mod resolve;
mod ring_membership;
mod ring_storage;
pub mod role;
pub mod run;
mod service_settings;
mod sql_settings;
pub mod watcher;
