//! Replication at the source: serves the log from a position on, or a copy of everything.

use super::MySql;
use crate::engine::order::ascending;
use crate::engine::{Context, NodeId};
use crate::sql::binlog::{Entry, Position, is_prefix};
use crate::sql::event::SqlHost;
use crate::sql::message::SqlMessage;
use crate::sql::tables::Tables;
use std::rc::Rc;

/// Transactions in one batch of catching up, and batches sent for one pull.
pub(super) const BATCH_ENTRIES: u64 = 256;
const BATCHES_PER_PULL: u64 = 16;

/// A replica that follows this source.
#[derive(Clone)]
pub(super) struct Subscriber {
    node: NodeId,
    /// The last transaction that was sent to it.
    sent: u64,
    /// The last one that it said is on its disk.
    acknowledged: u64,
    /// The copy it is taking.
    snapshot: Option<Tables>,
}

impl Subscriber {
    pub fn node(&self) -> NodeId {
        self.node
    }
}

impl MySql {
    pub fn on_pull<P: SqlHost>(&mut self, replica: NodeId, position: Position, ctx: &mut Context<P>) {
        if !self.is_primary() || self.is_recovering() {
            return;
        }
        let at =
            self.subscribers.iter().position(|subscriber| subscriber.node == replica).unwrap_or_else(|| {
                let subscriber = Subscriber { node: replica, sent: 0, acknowledged: 0, snapshot: None };
                self.subscribers.push(subscriber);
                self.subscribers.len() - 1
            });
        let end = self.pipeline.shippable(self.settings.storage.binlog_sync, self.logged_to());
        let in_log = position.sequence + 1 >= self.log.first();
        if !is_prefix(position, &self.epochs, end) || !in_log {
            self.subscribers[at].snapshot = Some(self.tables.clone());
            self.subscribers[at].acknowledged = 0;
            let offer = SqlMessage::SnapshotOffer {
                position: self.executed,
                taken: ctx.local_time(),
                epochs: self.epochs.as_slice().into(),
                outline: self.tables.outline(),
            };
            ctx.send(replica, offer);
            return;
        }
        self.subscribers[at].snapshot = None;
        let mut sent = position.sequence;
        for _ in 0..BATCHES_PER_PULL {
            let upto = end.min(sent + BATCH_ENTRIES);
            let entries = self.logged_between(sent + 1, upto);
            sent = upto;
            ctx.send(replica, SqlMessage::Batch { epoch: self.epoch, entries, source_sequence: end });
            if sent == end {
                break;
            }
        }
        self.subscribers[at].sent = sent;
    }

    /// Transactions from one to another, as far as the log has them.
    pub(super) fn logged_between(&self, first: u64, last: u64) -> Rc<[Entry]> {
        (first..=last).filter_map(|sequence| self.log.get(sequence).copied()).collect()
    }

    /// Sends everything up to a transaction to those who have all before it; others pull.
    pub(super) fn send_to_subscribers<P: SqlHost>(&mut self, upto: u64, ctx: &mut Context<P>) {
        for at in 0..self.subscribers.len() {
            let subscriber = &mut self.subscribers[at];
            if subscriber.snapshot.is_some() || subscriber.sent >= upto {
                continue;
            }
            let (node, first) = (subscriber.node, subscriber.sent + 1);
            // One that is far behind has been sent as much as it can take, and pulls the rest.
            if upto - first >= BATCH_ENTRIES {
                continue;
            }
            subscriber.sent = upto;
            let epoch = self.epoch;
            let message = if first == upto {
                let Some(entry) = self.log.get(upto).copied() else { continue };
                SqlMessage::Replicate { epoch, entry, source_sequence: upto }
            } else {
                let entries = self.logged_between(first, upto);
                SqlMessage::Batch { epoch, entries, source_sequence: upto }
            };
            ctx.send(node, message);
        }
    }

    pub(super) fn tell_subscribers<P: SqlHost>(&mut self, ctx: &mut Context<P>) {
        if !self.is_primary() {
            return;
        }
        let (epoch, local_time) = (self.epoch, ctx.local_time());
        let sequence = self.pipeline.shippable(self.settings.storage.binlog_sync, self.logged_to());
        for subscriber in &self.subscribers {
            ctx.send(subscriber.node, SqlMessage::SourceAlive { epoch, sequence, local_time });
        }
    }

    /// How far so many replicas are at least, by what they have on disk.
    pub(super) fn acknowledged_by(&self, replicas: usize) -> u64 {
        if replicas == 0 {
            return u64::MAX;
        }
        let each = ascending(self.subscribers.iter().map(|subscriber| subscriber.acknowledged));
        each.len().checked_sub(replicas).map_or(0, |at| each[at])
    }

    pub fn on_acknowledge<P: SqlHost>(
        &mut self,
        replica: NodeId,
        epoch: u32,
        sequence: u64,
        ctx: &mut Context<P>,
    ) {
        if !self.is_primary_of(epoch) {
            return;
        }
        let subscriber = self.subscribers.iter_mut().find(|subscriber| subscriber.node == replica);
        if let Some(subscriber) = subscriber.filter(|subscriber| subscriber.snapshot.is_none()) {
            subscriber.acknowledged = subscriber.acknowledged.max(sequence.min(subscriber.sent));
            self.acknowledgement_came(ctx);
        }
    }

    pub fn on_snapshot_pull<P: SqlHost>(&mut self, replica: NodeId, page: u32, ctx: &mut Context<P>) {
        let is_backup = self.settings.backup_store == Some(replica);
        let copied = if is_backup {
            self.backup.as_ref()
        } else {
            let subscriber = self.subscribers.iter().find(|subscriber| subscriber.node == replica);
            subscriber.filter(|_| self.is_primary()).and_then(|subscriber| subscriber.snapshot.as_ref())
        };
        if let Some(rows) = copied.and_then(|tables| tables.page(page as usize)) {
            if is_backup
                && self.backup.as_ref().is_some_and(|tables| page as usize + 1 == tables.page_count())
            {
                self.backup = None;
            }
            ctx.send(replica, SqlMessage::SnapshotPage { page, rows });
        }
    }
}
