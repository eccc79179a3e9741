//! A ring node as replica: keeps what it hears of each key, merged, in memory and in its commit log.

use super::RingNode;
use super::storage::AskedRows;
use crate::engine::disk::UNSYNCED_RECORDS_MAX;
use crate::engine::{Context, NodeId, SimDuration, Ticket};
use crate::ring::message::{Content, RingEvent, RingHost, RingMessage, RingRecord, RingTimer, RingToken};
use crate::ring::paxos::ballot_time_us;
use crate::ring::row::Row;
use crate::ring::settings::{CommitLogSync, Versions};
use crate::workload::operation::KeyId;
use std::rc::Rc;

/// Keys looked at in one go for tombstones that may be dropped.
const PURGED_AT_ONCE: usize = 4_096;
const PURGE_EVERY_MIN: SimDuration = SimDuration::from_ms(100);

impl RingNode {
    /// A write of its own, or one that it keeps for another replica.
    pub fn on_write<P: RingHost>(
        &mut self,
        coordinator: NodeId,
        ticket: Ticket,
        (key, row): (KeyId, &Row),
        (owner, view): (Option<u16>, u32),
        ctx: &mut Context<P>,
    ) {
        if self.is_outdated(view, key) {
            ctx.send(coordinator, RingMessage::Refused { ticket, places: Rc::clone(&self.places) });
            return;
        }
        let is_kept = match owner {
            None if self.stalls(coordinator, ticket, (key, row), ctx) => false,
            None => self.store(key, row, ctx),
            Some(owner) => self.keep_hint(owner, key, row, ctx),
        };
        if is_kept {
            self.acknowledge(RingToken::Written { coordinator, ticket }, ctx);
        }
    }

    /// Whether a write that was sent by an older ring would go to other replicas by the one that is known here:
    /// it could be acknowledged and not be seen by those who go by that one.
    fn is_outdated(&self, view: u32, key: KeyId) -> bool {
        if view >= self.view.number {
            return false;
        }
        let token = self.settings.keys.token(key);
        let former = self.former.iter().find(|former| former.number == view);
        former.is_none_or(|former| former.writers(token) != self.view.writers(token))
    }

    /// At once, or when it is on disk.
    pub(super) fn acknowledge<P: RingHost>(&mut self, token: RingToken, ctx: &mut Context<P>) {
        match self.settings.commit_log_sync {
            CommitLogSync::EveryWrite => ctx.disk_sync(token),
            CommitLogSync::Interval(_) => self.on_token(token, ctx),
        }
    }

    /// Takes in what another node has of a key; false if the commit log or the memtable can take no more.
    pub(super) fn store<P: RingHost>(&mut self, key: KeyId, row: &Row, ctx: &mut Context<P>) -> bool {
        if ctx.disk_backlog() > UNSYNCED_RECORDS_MAX / 2 {
            return false;
        }
        let Some(storage) = &mut self.storage else {
            self.rows.get_mut(key as usize).expect("a key of the key space").merge(row);
            ctx.disk_append(RingRecord { key, content: Content::Row(row.clone()) });
            return true;
        };
        if storage.store.must_wait() {
            return false;
        }
        storage.store.merge(key, row);
        let generation = storage.store.generation();
        ctx.disk_append(RingRecord { key, content: Content::Logged { generation, row: row.clone() } });
        if storage.store.is_full() {
            self.begin_flush(ctx);
        }
        true
    }

    /// What it answers a read with.
    pub(super) fn row_to_show(&self, key: KeyId) -> Row {
        let mut row = self.row(key);
        if self.settings.sloppy_quorum && !self.hints.is_empty() {
            // It may stand in for a replica.
            self.hints.merge_into(key, &mut row);
        }
        row
    }

    pub fn on_read<P: RingHost>(
        &mut self,
        coordinator: NodeId,
        ticket: Ticket,
        key: KeyId,
        is_digest: bool,
        ctx: &mut Context<P>,
    ) {
        self.read((coordinator, ticket), AskedRows::Row(key), is_digest, ctx);
    }

    pub fn on_repair<P: RingHost>(
        &mut self,
        coordinator: NodeId,
        (key, row): (KeyId, &Row),
        ticket: Option<Ticket>,
        ctx: &mut Context<P>,
    ) {
        if self.store(key, row, ctx)
            && let Some(ticket) = ticket
        {
            self.acknowledge(RingToken::Repaired { coordinator, ticket }, ctx);
        }
    }

    pub fn on_token<P: RingHost>(&mut self, token: RingToken, ctx: &mut Context<P>) {
        match token {
            RingToken::Written { coordinator, ticket } => {
                ctx.send(coordinator, RingMessage::WriteAcknowledged { ticket });
            }
            RingToken::Repaired { coordinator, ticket } => {
                ctx.send(coordinator, RingMessage::RepairAcknowledged { ticket });
            }
            RingToken::Promised { coordinator, ticket, key, ballot } => {
                self.promised(coordinator, ticket, key, ballot, ctx);
            }
            RingToken::Accepted { coordinator, ticket, ballot } => {
                ctx.send(coordinator, RingMessage::Accepted { ticket, ballot, promised: ballot });
            }
            RingToken::TreeBuilt { peer } => self.tree_built(peer, ctx),
            RingToken::RowsRead(pull) => self.stream_rows(pull, ctx),
            RingToken::PlacesStored { number } => self.places_stored(number, ctx),
            RingToken::RowsStored { change } => self.rows_stored(change, ctx),
            RingToken::Storage { is_flush, step } => self.storage_step(is_flush, step, ctx),
            RingToken::BlockRead { operation } => self.block_read(operation, ctx),
            RingToken::TablesRead { operation } => self.tables_read(operation, ctx),
            RingToken::LogRead => self.log_read(ctx),
            RingToken::Replayed => self.replayed(ctx),
        }
    }

    // Tombstones.

    pub(super) fn arm_purge<P: RingHost>(&mut self, ctx: &mut Context<P>) {
        // A compaction drops them, where there is one.
        if self.storage.is_some() {
            return;
        }
        let every = SimDuration(self.settings.gc_grace.0 / 8).max(PURGE_EVERY_MIN);
        ctx.set_timer(every, RingTimer::Purge);
    }

    /// Drops tombstones whose grace period is over: from then on a replica that missed the delete can bring
    /// the row back.
    pub(super) fn purge<P: RingHost>(&mut self, ctx: &mut Context<P>) {
        let grace_us = self.settings.gc_grace.0 / 1_000;
        let is_ballot = self.settings.versions == Versions::CompareAndSet;
        let written_us = |version| if is_ballot { ballot_time_us(version) } else { version };
        let now_us = ctx.local_time() / 1_000;
        let mut purged = 0;
        for key in 0..self.rows.len() as KeyId {
            let row = self.row(key);
            if row.is_tombstone() && written_us(row.shown().content.version).saturating_add(grace_us) < now_us
            {
                let stamp = row.stamp();
                if let Some(purged) = self.rows.get_mut(key as usize) {
                    *purged = Row::default();
                }
                ctx.disk_append(RingRecord { key, content: Content::Purged { stamp } });
                purged += 1;
                if purged == PURGED_AT_ONCE {
                    break;
                }
            }
        }
        if purged > 0 {
            ctx.output(RingEvent::Purged { node: ctx.id(), tombstones: purged as u32 });
        }
        self.arm_purge(ctx);
    }
}
