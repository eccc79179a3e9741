//! A ring node as replica: keeps the newest version of each key, in memory and in its commit log.

use super::RingNode;
use crate::engine::disk::UNSYNCED_RECORDS_MAX;
use crate::engine::{Context, NodeId, Ticket};
use crate::ring::message::{RingHost, RingMessage, RingRecord, RingToken};
use crate::ring::settings::CommitLogSync;
use crate::workload::operation::{Cell, KeyId};

impl RingNode {
    pub fn on_write<P: RingHost>(
        &mut self,
        coordinator: NodeId,
        ticket: Ticket,
        key: KeyId,
        cell: Cell,
        ctx: &mut Context<P>,
    ) {
        if !self.store(key, cell, ctx) {
            return;
        }
        match self.settings.commit_log_sync {
            CommitLogSync::EveryWrite => ctx.disk_sync(RingToken::Synced { coordinator, ticket }),
            CommitLogSync::Interval(_) => ctx.send(coordinator, RingMessage::WriteAcknowledged { ticket }),
        }
    }

    /// Keeps a version if it is the newest; false if the commit log can take no more.
    fn store<P: RingHost>(&mut self, key: KeyId, cell: Cell, ctx: &mut Context<P>) -> bool {
        if ctx.disk_backlog() > UNSYNCED_RECORDS_MAX / 2 {
            return false;
        }
        let kept = self.cells.get_mut(key as usize).expect("a key of the key space");
        if cell.content.is_newer_than(&kept.content) {
            *kept = cell;
        }
        ctx.disk_append(RingRecord { key, cell });
        true
    }

    pub fn on_read<P: RingHost>(
        &mut self,
        coordinator: NodeId,
        ticket: Ticket,
        key: KeyId,
        ctx: &mut Context<P>,
    ) {
        let cell = self.cell(key);
        ctx.send(coordinator, RingMessage::ReadReply { ticket, cell });
    }

    pub fn on_repair<P: RingHost>(&mut self, key: KeyId, cell: Cell, ctx: &mut Context<P>) {
        self.store(key, cell, ctx);
    }

    pub fn on_token<P: RingHost>(&mut self, token: RingToken, ctx: &mut Context<P>) {
        let RingToken::Synced { coordinator, ticket } = token;
        ctx.send(coordinator, RingMessage::WriteAcknowledged { ticket });
    }
}
