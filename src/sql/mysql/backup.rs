//! Backups at the server that they are taken from.

use super::MySql;
use crate::engine::{Context, NodeId};
use crate::sql::binlog::{Position, is_prefix};
use crate::sql::event::SqlHost;
use crate::sql::message::SqlMessage;

/// Transactions in one answer.
const BACKUP_ENTRIES: u64 = 4_096;

impl MySql {
    /// The backup store wants what comes after a transaction, or a snapshot.
    pub fn on_backup_pull<P: SqlHost>(
        &mut self,
        store: NodeId,
        after: Option<Position>,
        ctx: &mut Context<P>,
    ) {
        if self.is_recovering() || self.is_restoring() || self.epochs.is_empty() {
            return;
        }
        let end = self.executed;
        // One that has more than this server was filled by another: there is nothing for it here.
        let is_ahead = |after: Position| after > end;
        let follows = |after: Position| {
            is_prefix(after, &self.epochs, end.sequence) && after.sequence + 1 >= self.log.first()
        };
        match after {
            Some(after) if is_ahead(after) || follows(after) => {
                let upto = end.sequence.min(after.sequence + BACKUP_ENTRIES);
                // Nothing, if it is ahead.
                let entries = self.logged_between(after.sequence + 1, if is_ahead(after) { 0 } else { upto });
                ctx.send(store, SqlMessage::BackupEntries { entries, end: end.sequence });
            }
            _ => {
                let offer = SqlMessage::SnapshotOffer {
                    position: end,
                    taken: ctx.local_time(),
                    epochs: self.epochs.as_slice().into(),
                    outline: self.tables.outline(),
                };
                self.backup = Some(self.tables.clone());
                ctx.send(store, offer);
            }
        }
    }
}
