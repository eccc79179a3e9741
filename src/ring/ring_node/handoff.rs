//! Hinted handoff: what is kept for replicas that were not there, and how they get it.

use super::RingNode;
use crate::engine::disk::UNSYNCED_RECORDS_MAX;
use crate::engine::{Context, NodeId, SimDuration};
use crate::ring::message::{Content, RingEvent, RingHost, RingMessage, RingRecord, RingTimer};
use crate::ring::row::Row;
use crate::workload::operation::KeyId;

/// How often hints are delivered, and what is not acknowledged after this is sent again.
const DELIVER_EVERY: SimDuration = SimDuration::from_ms(100);
const AGAIN_AFTER: SimDuration = SimDuration::from_ms(2_000);

impl RingNode {
    /// Keeps a write for a replica; false if hints are off, too old or too many.
    pub(super) fn keep_hint<P: RingHost>(
        &mut self,
        owner: u16,
        key: KeyId,
        row: &Row,
        ctx: &mut Context<P>,
    ) -> bool {
        let Some(handoff) = self.settings.hinted_handoff else {
            return false;
        };
        if owner == self.index || ctx.disk_backlog() > UNSYNCED_RECORDS_MAX / 2 {
            return false;
        }
        if !self.hints.keep(owner, key, row, ctx.monotonic(), handoff.window) {
            return false;
        }
        ctx.disk_append(RingRecord { key, content: Content::Hint { owner, row: row.clone() } });
        self.arm_handoff(ctx);
        true
    }

    pub(super) fn arm_handoff<P: RingHost>(&mut self, ctx: &mut Context<P>) {
        if !self.handoff_armed && !self.hints.is_empty() {
            self.handoff_armed = true;
            ctx.set_timer(DELIVER_EVERY, RingTimer::Handoff);
        }
    }

    /// Sends the next hints to replicas that are believed alive again.
    pub(super) fn hand_off<P: RingHost>(&mut self, ctx: &mut Context<P>) {
        self.handoff_armed = false;
        let Some(handoff) = self.settings.hinted_handoff else {
            return;
        };
        let per_tick = (handoff.rate_per_s * DELIVER_EVERY.as_ms_f64() / 1e3).max(1.0) as usize;
        let owners: Vec<u16> = self.hints.owners().map(|(owner, _)| owner).collect();
        for owner in owners.into_iter().filter(|owner| self.gossip.believes_alive(*owner)) {
            let to = self.settings.nodes[usize::from(owner)];
            for (key, row) in self.hints.next(owner, ctx.monotonic(), AGAIN_AFTER, per_tick) {
                ctx.send(to, RingMessage::Hint { key, row });
            }
        }
        self.arm_handoff(ctx);
    }

    /// A write that another node kept for this one.
    pub fn on_hint<P: RingHost>(&mut self, from: NodeId, key: KeyId, row: &Row, ctx: &mut Context<P>) {
        if self.store(key, row, ctx) {
            ctx.send(from, RingMessage::HintStored { key, stamp: row.stamp() });
        }
    }

    pub fn on_hint_stored<P: RingHost>(
        &mut self,
        from: NodeId,
        key: KeyId,
        stamp: u64,
        ctx: &mut Context<P>,
    ) {
        let Some(owner) = self.member(from) else {
            return;
        };
        if self.hints.delivered(owner, key, stamp) {
            ctx.disk_append(RingRecord { key, content: Content::HintDone { owner, stamp } });
            if self.hints.owners().all(|(other, _)| other != owner) {
                ctx.output(RingEvent::HandedOff { node: ctx.id(), peer: from });
            }
        }
    }
}
