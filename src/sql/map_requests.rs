//! How proxies ask for a newer shard map.

use super::event::SqlHost;
use super::message::SqlMessage;
use super::settings::SqlSettings;
use crate::engine::{Context, SimDuration, SimTime};

/// How often a proxy asks on its own account, and at most when it is refused.
pub const MAP_REFRESH: SimDuration = SimDuration::from_ms(1_000);
const REQUESTS_APART: SimDuration = SimDuration::from_ms(10);

/// Asks the nodes of the configuration service in turn, not more often than an answer can come.
#[derive(Clone, Copy, Debug, Default)]
pub struct MapRequests {
    last: SimTime,
    next: usize,
}

impl MapRequests {
    /// Asks for a map that is newer than a version.
    pub fn ask<P: SqlHost>(&mut self, settings: &SqlSettings, version: u32, ctx: &mut Context<P>) {
        let now = ctx.monotonic();
        if now.since(self.last) >= REQUESTS_APART {
            self.last = now;
            self.next = (self.next + 1) % settings.config.len();
            ctx.send(settings.config[self.next], SqlMessage::MapRequest { version });
        }
    }
}
