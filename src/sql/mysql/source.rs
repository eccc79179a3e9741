//! Replication at the source: serves the log from a position on, or a copy of everything.

use super::{BATCH_ENTRIES, BATCHES_PER_PULL, MySql, Subscriber};
use crate::engine::{Context, NodeId};
use crate::sql::binlog::{Entry, Position, is_prefix};
use crate::sql::event::SqlHost;
use crate::sql::message::SqlMessage;
use std::rc::Rc;

impl MySql {
    pub fn on_pull<P: SqlHost>(&mut self, replica: NodeId, position: Position, ctx: &mut Context<P>) {
        if !self.is_primary() {
            return;
        }
        let at =
            self.subscribers.iter().position(|subscriber| subscriber.node == replica).unwrap_or_else(|| {
                self.subscribers.push(Subscriber { node: replica, sent: 0, snapshot: None });
                self.subscribers.len() - 1
            });
        let end = self.executed.sequence;
        let in_log = position.sequence + 1 >= self.log.first();
        if !is_prefix(position, &self.epochs, end) || !in_log {
            self.subscribers[at].snapshot = Some(self.rows.clone());
            let offer = SqlMessage::SnapshotOffer {
                position: self.executed,
                epochs: self.epochs.as_slice().into(),
                pages: self.rows.page_count() as u32,
            };
            ctx.send(replica, offer);
            return;
        }
        self.subscribers[at].snapshot = None;
        let mut sent = position.sequence;
        for _ in 0..BATCHES_PER_PULL {
            let upto = end.min(sent + BATCH_ENTRIES);
            let entries: Rc<[Entry]> =
                (sent + 1..=upto).filter_map(|sequence| self.log.get(sequence).copied()).collect();
            sent = upto;
            ctx.send(replica, SqlMessage::Batch { epoch: self.epoch, entries, source_sequence: end });
            if sent == end {
                break;
            }
        }
        self.subscribers[at].sent = sent;
    }

    pub fn on_snapshot_pull<P: SqlHost>(&mut self, replica: NodeId, page: u32, ctx: &mut Context<P>) {
        let subscriber = self.subscribers.iter().find(|subscriber| subscriber.node == replica);
        let rows = subscriber.and_then(|subscriber| subscriber.snapshot.as_ref()?.page(page as usize));
        if let Some(rows) = rows
            && self.is_primary()
        {
            ctx.send(replica, SqlMessage::SnapshotPage { page, rows });
        }
    }
}
