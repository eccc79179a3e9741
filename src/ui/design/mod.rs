//! The design of the run: every setting of its scenario as a switch, to be changed and run again.
//!
//! What can be changed is data: a list of switches, `static/switches.json`, which is loaded when the
//! panel is opened first. Here stands only how a switch finds its value in a scenario ([`scope`], [`switch`]),
//! what was changed and not applied yet ([`state`]), and how all of it looks ([`view`]). The worker says
//! whether a scenario can be run.

mod scope;
mod state;
mod switch;
mod view;

use super::site;
use serde_json::Value;
use std::rc::Rc;

pub use state::{Change, Design};
pub use view::{DesignPanel, focus};

const FILE: &str = "static/switches.json";

/// The site's switches, in order.
pub async fn read_switches() -> Result<Rc<Vec<Value>>, String> {
    let text = site::read(FILE).await?;
    match crate::scenario::document::parse_tree(&text) {
        Ok(Value::Array(switches)) => Ok(Rc::new(switches)),
        _ => Err(format!("{FILE} is no list of switches.")),
    }
}
