//! Schema changes that an operator asked for: the leader passes them on to the
//! primary of the shard, again and again until it says that it is done, so that
//! a change begins anew when another is primary.

use super::ConfigService;
use crate::engine::{Context, NodeId};
use crate::sql::event::{SqlEvent, SqlHost};
use crate::sql::message::SqlMessage;

impl ConfigService {
    /// Its number is when it was asked for: the same at every node of the service, and later ones are greater.
    pub(super) fn want_schema_change<P: SqlHost>(&mut self, shard: u16, ctx: &mut Context<P>) {
        let number = ctx.monotonic().0.max(1);
        if let Some(wanted) = self.schema_changes.get_mut(usize::from(shard)) {
            *wanted = Some(number);
        } else if self.acts(ctx) {
            ctx.output(SqlEvent::NoSuchShard { shard: shard as u8 });
        }
    }

    pub(super) fn give_up_schema_change(&mut self, shard: u16) {
        if let Some(wanted) = self.schema_changes.get_mut(usize::from(shard)) {
            *wanted = None;
        }
    }

    pub(super) fn wants_schema_change(&self) -> bool {
        self.schema_changes.iter().any(Option::is_some)
    }

    /// Asks primaries for what is wanted, where nothing else is done to the shard.
    pub(super) fn drive_schema_changes<P: SqlHost>(&mut self, ctx: &mut Context<P>) {
        for shard in 0..self.schema_changes.len() {
            if let Some(number) = self.schema_changes[shard]
                && self.is_quiet(shard)
                && self.member.newest().moving.is_none_or(|moving| !moving.takes_part(shard))
            {
                ctx.send(self.map().shards[shard].primary, SqlMessage::Alter { number });
            }
        }
    }

    /// Whether a schema change stands in the way of a move.
    pub(super) fn is_altered(&self, shard: usize) -> bool {
        let primary = self.map().shards[shard].primary;
        let answered =
            self.health.iter().find(|health| health.node == primary).and_then(|health| health.answered);
        self.schema_changes[shard].is_some() || answered.is_some_and(|pong| pong.alters != 0)
    }

    pub(super) fn on_altered(&mut self, from: NodeId, number: u64) {
        if let Some(shard) = self.shard_of(from)
            && self.schema_changes[shard].is_some_and(|wanted| wanted <= number)
        {
            self.schema_changes[shard] = None;
        }
    }

    /// A node makes a schema change that nobody wants any more.
    pub(super) fn tell_if_unwanted<P: SqlHost>(&mut self, node: NodeId, alters: u64, ctx: &mut Context<P>) {
        if let Some(shard) = self.shard_of(node)
            && alters != 0
            && self.schema_changes[shard].is_none_or(|wanted| wanted != alters)
        {
            ctx.send(node, SqlMessage::GiveUpAlter { number: alters });
        }
    }
}
