//! How a coordinator reads: replicas answer with data or digests, differences are asked for and repaired.
//!
//! ```text
//! all of them, or as many as needed (one with data, others a digest)
//!   ─too slow─► one more   ─digests differ─► all again, with data   ─versions differ─► repair ─► client
//! ```

use super::RingNode;
use super::coordinator::{Coordinated, bits, data_centres};
use crate::engine::{Context, NodeId, Ticket};
use crate::ring::message::{RingEvent, RingHost, RingTimer};
use crate::ring::row::Row;
use crate::ring::settings::ReadRepair;
use crate::workload::operation::{Got, Response};
use std::rc::Rc;

impl RingNode {
    pub fn on_read_reply<P: RingHost>(
        &mut self,
        from: NodeId,
        ticket: Ticket,
        row: &Row,
        is_digest: bool,
        ctx: &mut Context<P>,
    ) {
        let node = self.member(from);
        let Some(read) = self.pending.get_mut(ticket).filter(|coordinated| !coordinated.is_write) else {
            return;
        };
        let Some(place) = node.and_then(|node| read.place_of(node)) else {
            return;
        };
        // A digest that comes while data are asked for is of the first round.
        if read.asks_again && is_digest || read.answered >> place & 1 == 1 {
            return;
        }
        read.stamps[place] = row.stamp();
        read.answered |= 1 << place;
        if read.row.lacks(row) {
            read.row.merge(row);
            read.is_digest = is_digest;
        } else if !is_digest && row.stamp() == read.row.stamp() {
            read.is_digest = false;
        }
        self.answered(ticket, ctx);
    }

    /// The same of several rows of a partition; of a digest only the stamp is known.
    pub fn on_slice<P: RingHost>(
        &mut self,
        from: NodeId,
        ticket: Ticket,
        rows: Option<Rc<Vec<Row>>>,
        stamp: u64,
        ctx: &mut Context<P>,
    ) {
        let node = self.member(from);
        let Some(read) = self.pending.get_mut(ticket) else { return };
        let Some(place) = node.and_then(|node| read.place_of(node)) else { return };
        if read.asks_again && rows.is_none() || read.answered >> place & 1 == 1 {
            return;
        }
        read.stamps[place] = stamp;
        read.answered |= 1 << place;
        if let (Some(slice), Some(rows)) = (&mut read.slice, rows) {
            slice.take_in(place, rows);
        }
        self.answered(ticket, ctx);
    }

    /// One more replica has answered a read.
    fn answered<P: RingHost>(&mut self, ticket: Ticket, ctx: &mut Context<P>) {
        let settings = Rc::clone(&self.settings);
        let Some(read) = self.pending.get(ticket) else { return };
        let is_enough = read.requirement.is_met(read.answered, data_centres(&settings, &read.replicas));
        if is_enough && !read.responded && read.repairing == 0 {
            self.conclude_read(ticket, ctx);
        }
        self.finish_read(ticket, ctx);
    }

    /// Enough have answered.
    fn conclude_read<P: RingHost>(&mut self, ticket: Ticket, ctx: &mut Context<P>) {
        let mode = self.settings.read_repair;
        let Some(read) = self.pending.get_mut(ticket) else {
            return;
        };
        let whole = read.whole();
        let behind: u16 =
            bits(read.answered).filter(|place| read.stamps[*place] != whole).map(|place| 1 << place).sum();
        if self.settings.digest_reads && !read.asks_again && (behind != 0 || read.is_digest) {
            self.ask_again(ticket, ctx);
            return;
        }
        if mode == ReadRepair::Blocking && behind != 0 {
            read.repairing = behind;
            let (key, replicas) = (read.key, behind.count_ones() as u8);
            for place in bits(behind) {
                let to = self.settings.nodes[usize::from(read.nodes[place])];
                ctx.send(to, read.repair_message(place, Some(ticket)));
            }
            ctx.output(RingEvent::Repaired { node: ctx.id(), key, replicas });
            return;
        }
        self.respond_to_read(ticket, ctx);
    }

    /// Digests say that they differ and not in what: everybody again, with data.
    fn ask_again<P: RingHost>(&mut self, ticket: Ticket, ctx: &mut Context<P>) {
        let Some(read) = self.pending.get_mut(ticket) else { return };
        read.asks_again = true;
        read.answered = 0;
        // What is answered and repaired is made of data only: no replica may have all that they have together.
        read.row = Row::default();
        read.is_digest = false;
        for place in bits(read.asked) {
            let to = self.settings.nodes[usize::from(read.nodes[place])];
            ctx.send(to, read.read_message(ticket, false));
        }
        let key = read.key;
        ctx.output(RingEvent::DigestsDiffered { node: ctx.id(), key });
    }

    fn respond_to_read<P: RingHost>(&mut self, ticket: Ticket, ctx: &mut Context<P>) {
        let Some(read) = self.pending.get_mut(ticket).filter(|read| !read.responded) else {
            return;
        };
        read.responded = true;
        let took = ctx.monotonic().0.saturating_sub(read.begun);
        match &read.slice {
            Some(slice) => {
                let part = slice.part();
                self.slice_done(part, ctx);
            }
            None => {
                let response = Response::ok(read.id, read.row.shown().content, read.row.bytes());
                match &read.row {
                    Row::Siblings(siblings) => {
                        let versions = siblings.versions().iter();
                        let values = Rc::new(versions.map(|version| version.cell.content.value).collect());
                        let context = Rc::new(siblings.seen().clone());
                        ctx.send(read.client, Got { response, values, context });
                    }
                    _ => ctx.send(read.client, response),
                }
            }
        }
        self.speculation.took(took);
    }

    /// A replica that the answer waits for has been repaired.
    pub fn on_repaired<P: RingHost>(&mut self, from: NodeId, ticket: Ticket, ctx: &mut Context<P>) {
        let node = self.member(from);
        let Some(read) = self.pending.get_mut(ticket) else {
            return;
        };
        let Some(place) = node.and_then(|node| read.place_of(node)) else {
            return;
        };
        let was_repairing = read.repairing != 0;
        read.repairing &= !(1 << place);
        read.stamps[place] = read.whole();
        if was_repairing && read.repairing == 0 {
            self.respond_to_read(ticket, ctx);
            self.finish_read(ticket, ctx);
        }
    }

    /// With the last answer, a read is over; unless it was a digest that differs from what was answered.
    fn finish_read<P: RingHost>(&mut self, ticket: Ticket, ctx: &mut Context<P>) {
        let over = self.pending.get(ticket).filter(|read| read.responded && read.answered == read.asked);
        let Some(read) = over else { return };
        let (settings, whole) = (&self.settings, read.whole());
        let differs = bits(read.answered).any(|place| read.stamps[place] != whole);
        let may_ask = settings.digest_reads && !read.asks_again && settings.read_repair != ReadRepair::None;
        if may_ask && (read.is_digest || differs && read.slice.is_some()) {
            self.ask_again(ticket, ctx);
            return;
        }
        let finished = self.pending.remove(ticket).expect("it was just there");
        self.repair(&finished, ctx);
    }

    /// Brings replicas that lacked something up to date.
    pub(super) fn repair<P: RingHost>(&self, read: &Coordinated, ctx: &mut Context<P>) {
        if self.settings.read_repair == ReadRepair::None || read.is_write || read.is_digest {
            return;
        }
        let whole = read.whole();
        let mut behind = 0;
        for place in bits(read.answered).filter(|place| read.stamps[*place] != whole) {
            behind += 1;
            let to = self.settings.nodes[usize::from(read.nodes[place])];
            ctx.send(to, read.repair_message(place, None));
        }
        if behind > 0 {
            ctx.output(RingEvent::Repaired { node: ctx.id(), key: read.key, replicas: behind });
        }
    }

    // Speculative retry.

    pub(super) fn arm_speculation<P: RingHost>(&mut self, ticket: Ticket, ctx: &mut Context<P>) {
        if let Some(after) = self.speculation.after(&self.settings) {
            ctx.set_timer(after, RingTimer::Speculate { ticket });
        }
    }
}
