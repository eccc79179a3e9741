//! Streaming: how ranges come to a node that takes them.
//!
//! Whoever takes the place of a replica gets its rows from that one (Cassandra's
//! `RangeStreamer` with `consistent.rangemovement`): what a quorum had of old replicas, a
//! quorum has of new ones. If it is dead, from as many others as have every
//! acknowledged write among them. It pulls; a source sends one chunk after the other, as
//! fast as its share of the network allows (`stream_throughput_outbound`); a pull that is not
//! answered is repeated, and after a crash it begins anew.
//!
//! ```text
//! taker ── StreamPull (from a key on) ─► source: reads, waits for its turn ── StreamChunk (rows, next key) ─► taker
//! ```

use super::RingNode;
use crate::engine::{Context, NodeId, SimDuration, SimTime};
use crate::ring::message::{Pull, RingHost, RingMessage, RingTimer, RingToken};
use crate::ring::row::Row;
use crate::ring::view::{Change, View};
use crate::workload::operation::KeyId;
use std::rc::Rc;

/// Rows of one chunk, their bytes, and keys that are looked at for it, at most.
const CHUNK_ROWS_MAX: usize = 16;
const CHUNK_BYTES_MAX: u32 = 65_536;
const CHUNK_KEYS_MAX: usize = 65_536;
/// A pull that is not answered is repeated after this.
const AGAIN_AFTER: SimDuration = SimDuration::from_ms(2_000);

/// What comes from one source.
#[derive(Clone, Copy, Debug)]
struct Session {
    source: u16,
    /// Whose place is taken.
    of: u16,
    /// The key that is next; none if all is there.
    next: Option<KeyId>,
    pulled: Option<SimTime>,
}

/// What a node takes and gives of a change of the ring.
#[derive(Clone, Default)]
pub(super) struct Streaming {
    /// The change that it takes by; zero: none.
    change: u64,
    /// Whose places it takes.
    taken_from: Vec<u16>,
    sessions: Vec<Session>,
    received: u32,
    is_stored: bool,
    /// Who waits for rows, the first one first.
    pulls: Vec<Pull>,
    /// Rows are being read for the first.
    reads: bool,
    /// Until then the last chunk takes its share of the network.
    free_at: SimTime,
}

impl Streaming {
    pub(super) fn is_of(&self, change: u64) -> bool {
        self.change == change
    }

    pub(super) fn received(&self) -> u32 {
        self.received
    }
}

impl RingNode {
    /// How far it is with what it takes, 0 to 1; none if it takes nothing.
    pub fn streamed(&self) -> Option<f64> {
        let change = self.view.change.as_ref().filter(|change| self.streaming.is_of(change.id))?;
        if change.is_second || self.streaming.sessions.is_empty() {
            return None;
        }
        let keys = self.settings.keys.len() as f64;
        let sessions = &self.streaming.sessions;
        let done: f64 = sessions.iter().map(|one| one.next.map_or(1.0, |next| f64::from(next) / keys)).sum();
        Some(done / sessions.len() as f64)
    }

    /// Rows that it has received of the change in which it takes ranges.
    pub fn rows_received(&self) -> u32 {
        self.streaming.received
    }

    // Taking.

    /// Pulls what is still to come of a change.
    pub(super) fn stream<P: RingHost>(&mut self, view: &View, ctx: &mut Context<P>) {
        let Some(change) = &view.change else { return };
        if !self.streaming.is_of(change.id) {
            self.streaming.change = change.id;
            self.streaming.sessions.clear();
            (self.streaming.received, self.streaming.is_stored) = (0, false);
            let mut taken_from: Vec<u16> = Vec::new();
            for key in 0..self.settings.keys.len() as KeyId {
                if let Some(of) = view.taken_from(self.settings.keys.token(key), self.index)
                    && !taken_from.contains(&of)
                {
                    taken_from.push(of);
                }
            }
            self.streaming.taken_from = taken_from;
        }
        if self.streaming.is_stored {
            return;
        }
        self.choose_sources(view);
        let sessions = &self.streaming.sessions;
        if sessions.iter().all(|one| one.next.is_none()) && self.has_all(view) {
            self.streaming.is_stored = true;
            return ctx.disk_sync(RingToken::RowsStored { change: change.id });
        }
        let (now, own) = (ctx.monotonic(), self.index);
        for session in &mut self.streaming.sessions {
            let is_due = session.pulled.is_none_or(|pulled| now.since(pulled) > AGAIN_AFTER);
            if let Some(from_key) = session.next.filter(|_| is_due) {
                session.pulled = Some(now);
                let pull = Pull { change: change.id, to: own, of: session.of, from_key };
                ctx.send(self.settings.nodes[usize::from(session.source)], RingMessage::StreamPull(pull));
            }
        }
    }

    /// From whom it comes: whose place is taken, or else all others who are alive.
    fn choose_sources(&mut self, view: &View) {
        let gossip = &self.gossip;
        // Who died in the middle of it gives nothing any more.
        self.streaming.sessions.retain(|one| one.next.is_none() || gossip.believes_alive(one.source));
        for of in self.streaming.taken_from.clone() {
            let is_alive = self.gossip.believes_alive(of);
            for source in 0..self.places.len() as u16 {
                let is_source = if is_alive { source == of } else { source != of && view.is_member(source) };
                let has = |one: &Session| one.source == source && one.of == of;
                if is_source
                    && source != self.index
                    && self.gossip.believes_alive(source)
                    && !self.streaming.sessions.iter().any(has)
                {
                    self.streaming.sessions.push(Session { source, of, next: Some(0), pulled: None });
                }
            }
        }
    }

    /// Whether every key that it takes came from whose place is taken, or from enough others.
    fn has_all(&self, view: &View) -> bool {
        let is_done = |source: u16, of: u16| {
            let done = |one: &Session| one.source == source && one.of == of && one.next.is_none();
            self.streaming.sessions.iter().any(done)
        };
        let needed = self.met_by();
        (0..self.settings.keys.len() as KeyId).all(|key| {
            let token = self.settings.keys.token(key);
            let Some(of) = view.taken_from(token, self.index) else { return true };
            let replicas = view.current.replicas(token);
            let others = replicas.iter().filter(|replica| **replica != of && is_done(**replica, of));
            is_done(of, of) || others.count() >= needed
        })
    }

    pub fn on_stream_chunk<P: RingHost>(
        &mut self,
        from: NodeId,
        pull: Pull,
        rows: &[(KeyId, Row)],
        next: Option<KeyId>,
        ctx: &mut Context<P>,
    ) {
        let source = self.member(from);
        let is_awaited = |one: &Session| {
            Some(one.source) == source && one.of == pull.of && one.next == Some(pull.from_key)
        };
        let Some(place) = self.streaming.sessions.iter().position(is_awaited) else { return };
        if !self.streaming.is_of(pull.change) {
            return;
        }
        for (key, row) in rows {
            if !self.store(*key, row, ctx) {
                // The commit log can take no more: it is pulled again.
                return;
            }
        }
        ctx.disk_sync_background();
        self.streaming.received += rows.len() as u32;
        let session = &mut self.streaming.sessions[place];
        (session.next, session.pulled) = (next, None);
        let view = Rc::clone(&self.view);
        if view.change.as_ref().is_some_and(|change| change.id == pull.change && !change.is_second) {
            self.stream(&view, ctx);
        }
    }

    // Giving.

    pub fn on_stream_pull<P: RingHost>(&mut self, pull: Pull, ctx: &mut Context<P>) {
        if self.change_of(pull).is_none() {
            return;
        }
        let is_same = |other: &Pull| (other.to, other.of) == (pull.to, pull.of);
        match self.streaming.pulls.iter_mut().find(|other| is_same(other)) {
            Some(waiting) => *waiting = pull,
            None => self.streaming.pulls.push(pull),
        }
        self.stream_next(ctx);
    }

    fn change_of(&self, pull: Pull) -> Option<&Change> {
        self.view.change.as_ref().filter(|change| change.id == pull.change && !change.is_second)
    }

    /// Reads the next rows for the first who waits, once it is its turn.
    pub(super) fn stream_next<P: RingHost>(&mut self, ctx: &mut Context<P>) {
        let now = ctx.monotonic();
        let Some(pull) = self.streaming.pulls.first().copied().filter(|_| !self.streaming.reads) else {
            return;
        };
        if now < self.streaming.free_at {
            // A timer is set for then.
            return;
        }
        self.streaming.reads = true;
        let (rows, _) = self.rows_for(pull);
        let read = rows
            .iter()
            .fold(SimDuration::ZERO, |sum, _| sum + self.settings.read_service.sample(ctx.random()));
        ctx.submit_work(read, RingToken::RowsRead(pull));
    }

    /// What a pull asks for, as far as one chunk goes, and the key to go on with.
    fn rows_for(&self, pull: Pull) -> (Vec<(KeyId, Row)>, Option<KeyId>) {
        let (mut rows, mut bytes) = (Vec::new(), 0_u32);
        let keys = self.settings.keys.len() as KeyId;
        for key in pull.from_key..keys {
            let is_full = rows.len() == CHUNK_ROWS_MAX || bytes >= CHUNK_BYTES_MAX;
            if is_full || (key - pull.from_key) as usize == CHUNK_KEYS_MAX {
                return (rows, Some(key));
            }
            let token = self.settings.keys.token(key);
            let row = self.row(key);
            if !row.is_empty()
                && self.view.taken_from(token, pull.to) == Some(pull.of)
                && self.view.current.replicas(token).contains(&self.index)
            {
                bytes += row.bytes();
                rows.push((key, row.clone()));
            }
        }
        (rows, None)
    }

    pub(super) fn stream_rows<P: RingHost>(&mut self, pull: Pull, ctx: &mut Context<P>) {
        self.streaming.reads = false;
        self.streaming.pulls.retain(|other| *other != pull);
        if self.change_of(pull).is_some() {
            let (rows, next) = self.rows_for(pull);
            let message = RingMessage::StreamChunk { pull, rows: Rc::new(rows), next };
            let takes = SimDuration((f64::from(message.bytes()) / self.settings.stream_rate) as u64);
            self.streaming.free_at = ctx.monotonic() + takes;
            ctx.set_timer_at(self.streaming.free_at, RingTimer::Stream);
            ctx.send(self.settings.nodes[usize::from(pull.to)], message);
        }
        self.stream_next(ctx);
    }
}
