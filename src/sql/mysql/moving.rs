//! A range of keys on its way from one shard to another: what the primaries of
//! the source and of the target do.

use super::MySql;
use crate::engine::random::mix;
use crate::engine::{Context, NodeId, SimDuration, SimTime};
use crate::sql::binlog::{Change, Entry};
use crate::sql::event::{SqlHost, SqlTimer, SqlToken};
use crate::sql::message::{ImportProgress, SqlMessage};
use crate::sql::shard_map::KeyRange;
use crate::workload::operation::{Cell, KeyId};
use std::rc::Rc;

/// Transactions of the source in one answer.
const REPLAY_ENTRIES: u64 = 4_096;
/// An answer that does not come is asked for again after this.
const ASK_AGAIN_AFTER: SimDuration = SimDuration::from_ms(500);
/// How often, and how many rows at a time, what the shard no longer has is removed.
const CLEANUP_EVERY: SimDuration = SimDuration::from_ms(50);
const CLEANUP_ROWS: usize = 100;

/// Source: the range takes no writes.
#[derive(Clone)]
pub(super) struct Frozen {
    id: u64,
    attempt: u32,
    pub range: KeyRange,
    /// The last transaction that was begun before.
    begun: u64,
    config: NodeId,
    comparison: Comparison,
}

/// What the rows of the range amount to: a core has to read them all.
#[derive(Clone, Copy, Default)]
enum Comparison {
    #[default]
    NotBegun,
    Runs,
    Done(u64),
}

/// Target: the copy of a range.
#[derive(Clone)]
pub(super) struct Import {
    id: u64,
    config: NodeId,
    source: NodeId,
    range: KeyRange,
    /// Place in the order of keys where copying goes on; none when all rows are copied.
    copy_from: Option<u32>,
    rows: u32,
    /// The source's transaction up to which everything is here.
    after: Option<u64>,
    behind: u64,
    upto: Option<u64>,
    comparison: Comparison,
    /// What came and is not yet written.
    arrived: Vec<(KeyId, Change, Cell)>,
    asked: Option<SimTime>,
    /// The last transaction of its own that it began for this.
    written: u64,
}

/// What a `CopyRows` says, but for who it is from and which move it is of.
pub struct CopiedRows<'a> {
    pub from: u32,
    pub rows: &'a [(KeyId, Cell)],
    pub next: Option<u32>,
    pub sequence: u64,
}

/// The same of a `Replay`.
pub struct Replayed<'a> {
    pub after: u64,
    pub entries: Option<&'a [Entry]>,
    pub upto: u64,
    pub end: u64,
}

/// Rows that are not the shard's any more: where looking for them goes on.
#[derive(Clone, Copy, Default)]
pub(super) struct Cleanup {
    from: Option<KeyId>,
    /// Rows can still be on their way in until this transaction is executed.
    after: u64,
    timer_set: bool,
}

impl Import {
    pub fn range(&self) -> KeyRange {
        self.range
    }
}

impl MySql {
    /// The move that it takes part in; zero if none.
    pub(super) fn moves(&self) -> u64 {
        let frozen = self.frozen.as_ref().map(|frozen| frozen.id);
        frozen.or(self.import.as_ref().map(|import| import.id)).unwrap_or(0)
    }

    pub fn on_forget<P: SqlHost>(&mut self, id: u64, ctx: &mut Context<P>) {
        self.over = self.over.max((id, u32::MAX));
        if self.frozen.as_ref().is_some_and(|frozen| frozen.id <= id) {
            self.frozen = None;
        }
        if self.import.as_ref().is_some_and(|import| import.id <= id) {
            self.import = None;
            self.clean_up(ctx);
        }
    }

    /// A number for the rows of a range, as they are executed.
    fn digest(&self, range: KeyRange) -> u64 {
        let keys = &self.settings.keys;
        let in_range = |key: &&KeyId| range.contains(self.settings.point(**key));
        keys.order().iter().filter(in_range).fold(0, |digest, key| {
            let Cell { content, count, .. } = self.row(*key);
            match content.version {
                0 => digest,
                version => {
                    mix(digest ^ u64::from(*key) ^ mix(version ^ content.value) ^ u64::from(count) << 32)
                }
            }
        })
    }

    // The source.

    pub fn on_freeze<P: SqlHost>(
        &mut self,
        config: NodeId,
        id: u64,
        attempt: u32,
        range: KeyRange,
        ctx: &mut Context<P>,
    ) {
        // A message that was held back on its way can be of an attempt that is over.
        if !self.is_primary()
            || self.is_recovering()
            || self.schema_change.is_some()
            || (id, attempt) <= self.over
        {
            return;
        }
        if self.frozen.as_ref().is_none_or(|frozen| (frozen.id, frozen.attempt) != (id, attempt)) {
            let (begun, comparison) = (self.pipeline.assigned(), Comparison::NotBegun);
            self.frozen = Some(Frozen { id, attempt, range, begun, config, comparison });
        }
        self.compare_frozen(ctx);
        self.tell_frozen(ctx);
    }

    pub fn on_thaw(&mut self, id: u64, attempt: u32) {
        self.over = self.over.max((id, attempt));
        if self.frozen.as_ref().is_some_and(|frozen| (frozen.id, frozen.attempt) <= (id, attempt)) {
            self.frozen = None;
        }
    }

    /// Reads the frozen rows, once everything that was begun before is done.
    pub(super) fn compare_frozen<P: SqlHost>(&mut self, ctx: &mut Context<P>) {
        let executed = self.executed.sequence;
        if let Some(frozen) = &mut self.frozen
            && executed >= frozen.begun
            && matches!(frozen.comparison, Comparison::NotBegun)
        {
            frozen.comparison = Comparison::Runs;
            let Frozen { id, range, .. } = *frozen;
            self.begin_comparison(id, range, ctx);
        }
    }

    /// Says that the range is frozen, and what it amounts to.
    fn tell_frozen<P: SqlHost>(&mut self, ctx: &mut Context<P>) {
        if let Some(Frozen { id, attempt, config, comparison: Comparison::Done(digest), .. }) = self.frozen {
            ctx.send(config, SqlMessage::Frozen { id, attempt, sequence: self.executed.sequence, digest });
        }
    }

    /// Lets a core read the rows of a range.
    fn begin_comparison<P: SqlHost>(&mut self, id: u64, range: KeyRange, ctx: &mut Context<P>) {
        let keys = self.settings.keys.order().iter();
        let in_range = keys.filter(|key| range.contains(self.settings.point(**key)));
        let rows = in_range.filter(|key| self.row(**key).content.version > 0).count();
        let each = self.settings.services.row.sample(ctx.random());
        ctx.submit_work(SimDuration(each.0 * rows as u64), SqlToken::Compared { id });
    }

    /// The rows of the range have been read.
    pub(super) fn compared<P: SqlHost>(&mut self, id: u64, ctx: &mut Context<P>) {
        if let Some(frozen) = self.frozen.as_ref().filter(|frozen| frozen.id == id) {
            let digest = self.digest(frozen.range);
            if let Some(frozen) = &mut self.frozen
                && matches!(frozen.comparison, Comparison::Runs)
            {
                frozen.comparison = Comparison::Done(digest);
            }
            self.tell_frozen(ctx);
        } else if let Some(import) = self.import.as_ref().filter(|import| import.id == id) {
            let digest = self.digest(import.range);
            if let Some(import) = &mut self.import
                && matches!(import.comparison, Comparison::Runs)
            {
                import.comparison = Comparison::Done(digest);
            }
        }
    }

    pub fn on_copy_pull<P: SqlHost>(
        &mut self,
        target: NodeId,
        id: u64,
        range: KeyRange,
        from: u32,
        ctx: &mut Context<P>,
    ) {
        if !self.is_primary() || self.is_recovering() {
            return;
        }
        let keys = &self.settings.keys;
        let mut rows = Vec::new();
        let mut next = None;
        for (rank, key) in keys.order().iter().enumerate().skip(from as usize) {
            let cell = self.row(*key);
            if cell.content.version == 0 || !range.contains(self.settings.point(*key)) {
                continue;
            }
            if rows.len() == self.settings.resharding.chunk_rows as usize {
                next = Some(rank as u32);
                break;
            }
            rows.push((*key, cell));
        }
        let sequence = self.executed.sequence;
        ctx.send(target, SqlMessage::CopyRows { id, from, rows: rows.into(), next, sequence });
    }

    pub fn on_replay_pull<P: SqlHost>(
        &mut self,
        target: NodeId,
        id: u64,
        range: KeyRange,
        after: u64,
        ctx: &mut Context<P>,
    ) {
        if !self.is_primary() || self.is_recovering() {
            return;
        }
        let end = self.executed.sequence;
        let upto = end.min(after + REPLAY_ENTRIES).max(after.min(end));
        let in_log = after + 1 >= self.log.first() && after <= end;
        let entries = in_log.then(|| {
            let all = (after + 1..=upto).filter_map(|sequence| self.log.get(sequence).copied());
            all.filter(|entry| entry.change.is_of_a_row() && range.contains(self.settings.point(entry.key)))
                .collect::<Rc<[Entry]>>()
        });
        ctx.send(target, SqlMessage::Replay { id, after, entries, upto, end });
    }

    // The target.

    pub fn on_import<P: SqlHost>(
        &mut self,
        config: NodeId,
        id: u64,
        source: NodeId,
        range: KeyRange,
        upto: Option<u64>,
        ctx: &mut Context<P>,
    ) {
        // A message that was held back on its way can be of a move that is over, and a range that is
        // its own already must not be overwritten. A server that restarted has to hear first which it has.
        let is_own = self.range.is_some_and(|own| own.contains(range.from) || own.contains(range.to));
        let is_over = (id, 0) <= self.over;
        let is_able = self.is_primary() && !self.is_recovering() && self.schema_change.is_none();
        if !is_able || !self.knows_range || is_own || is_over {
            return;
        }
        let is_known = self.import.as_ref().is_some_and(|import| import.id == id && import.source == source);
        if !is_known {
            self.import = Some(Import {
                id,
                config,
                source,
                range,
                copy_from: Some(0),
                rows: 0,
                after: None,
                behind: u64::MAX,
                upto: None,
                comparison: Comparison::NotBegun,
                arrived: Vec::new(),
                asked: None,
                written: self.pipeline.assigned(),
            });
            self.pull_range(ctx);
        }
        let Some(import) = &mut self.import else {
            return;
        };
        import.config = config;
        if import.upto != upto {
            import.upto = upto;
            import.comparison = Comparison::NotBegun;
        }
        let (after, written) = (import.after, import.written);
        let has_arrived =
            upto.is_some_and(|upto| after.is_some_and(|after| after >= upto)) && import.arrived.is_empty();
        let is_there = has_arrived && import.copy_from.is_none() && self.executed.sequence >= written;
        let progress = match (import.copy_from, import.comparison) {
            (Some(_), _) => ImportProgress::Copying { rows: import.rows },
            (None, Comparison::Done(digest)) if is_there => ImportProgress::Done { digest },
            (None, _) => ImportProgress::CatchingUp { behind: import.behind },
        };
        let compares = is_there && matches!(import.comparison, Comparison::NotBegun);
        if compares {
            import.comparison = Comparison::Runs;
        }
        ctx.send(config, SqlMessage::Importing { id, progress });
        if compares {
            self.begin_comparison(id, range, ctx);
        }
        let overdue = |asked: SimTime| ctx.monotonic().since(asked) >= ASK_AGAIN_AFTER;
        if self.import.as_ref().is_some_and(|import| import.asked.is_some_and(overdue)) {
            self.pull_range(ctx);
        }
    }

    /// Asks the source for what comes next.
    fn pull_range<P: SqlHost>(&mut self, ctx: &mut Context<P>) {
        let Some(import) = &mut self.import else {
            return;
        };
        import.asked = Some(ctx.monotonic());
        let (id, range) = (import.id, import.range);
        let message = match (import.copy_from, import.after) {
            (Some(from), _) => SqlMessage::CopyPull { id, range, from },
            (None, after) => SqlMessage::ReplayPull { id, range, after: after.unwrap_or(0) },
        };
        ctx.send(import.source, message);
    }

    pub(super) fn import_timer<P: SqlHost>(&mut self, ctx: &mut Context<P>) {
        if self.import.as_ref().is_some_and(|import| import.asked.is_none() && import.arrived.is_empty()) {
            self.pull_range(ctx);
        }
    }

    pub fn on_copy_rows<P: SqlHost>(
        &mut self,
        from: NodeId,
        id: u64,
        copied: CopiedRows,
        ctx: &mut Context<P>,
    ) {
        let CopiedRows { from: place, rows, next, sequence } = copied;
        let Some(import) = self.awaiting(from, id).filter(|import| import.copy_from == Some(place)) else {
            return;
        };
        import.asked = None;
        import.copy_from = next;
        import.rows += rows.len() as u32;
        // Whatever is written from now on is replayed on top of the rows.
        import.after.get_or_insert(sequence);
        import.arrived = rows.iter().map(|(key, cell)| (*key, Change::Import, *cell)).collect();
        self.take_in(ctx);
    }

    pub fn on_replay<P: SqlHost>(&mut self, from: NodeId, id: u64, replayed: Replayed, ctx: &mut Context<P>) {
        let Replayed { after, entries, upto, end } = replayed;
        let expected = |import: &&mut Import| import.copy_from.is_none() && import.after == Some(after);
        let Some(import) = self.awaiting(from, id).filter(expected) else {
            return;
        };
        import.asked = None;
        let Some(entries) = entries else {
            // The log does not reach back far enough: everything anew.
            import.copy_from = Some(0);
            import.after = None;
            import.rows = 0;
            self.pull_range(ctx);
            return;
        };
        import.after = Some(upto);
        import.behind = end - upto;
        let change = |entry: &Entry| match entry.change {
            Change::Remove => Change::Remove,
            _ => Change::Import,
        };
        import.arrived = entries.iter().map(|entry| (entry.key, change(entry), entry.cell)).collect();
        self.take_in(ctx);
    }

    /// The copy that an answer is for.
    fn awaiting(&mut self, from: NodeId, id: u64) -> Option<&mut Import> {
        let is_primary = self.is_primary();
        let import = self.import.as_mut().filter(|import| import.id == id && import.source == from)?;
        (is_primary && import.asked.is_some()).then_some(import)
    }

    /// Works on what arrived.
    fn take_in<P: SqlHost>(&mut self, ctx: &mut Context<P>) {
        let Some(import) = &self.import else {
            return;
        };
        let (id, count) = (import.id, import.arrived.len() as u64);
        let each = self.settings.services.apply.sample(ctx.random());
        ctx.submit_work(SimDuration(each.0 * count.max(1)), SqlToken::Imported { id });
    }

    pub(super) fn imported<P: SqlHost>(&mut self, id: u64, ctx: &mut Context<P>) {
        let is_primary = self.is_primary();
        let Some(import) = self.import.as_mut().filter(|import| import.id == id && is_primary) else {
            return;
        };
        let arrived = std::mem::take(&mut import.arrived);
        let hurries = import.upto.is_some() || import.behind > 0;
        let copies = import.copy_from.is_some();
        for (key, change, cell) in arrived {
            self.write_own(key, change, cell, ctx);
        }
        let written = self.pipeline.assigned();
        if let Some(import) = &mut self.import {
            import.written = written;
        }
        if !copies && hurries {
            self.pull_range(ctx);
        } else {
            ctx.set_timer(self.settings.resharding.chunk_every, SqlTimer::Import);
        }
    }

    // Rows that are another shard's.

    /// Looks for rows that are not in the shard's range, and removes them.
    pub(super) fn clean_up<P: SqlHost>(&mut self, ctx: &mut Context<P>) {
        self.cleanup.from = Some(0);
        self.cleanup.after = self.pipeline.assigned();
        if !self.cleanup.timer_set {
            self.cleanup.timer_set = true;
            ctx.set_timer(CLEANUP_EVERY, SqlTimer::Cleanup);
        }
    }

    pub(super) fn cleanup_timer<P: SqlHost>(&mut self, ctx: &mut Context<P>) {
        self.cleanup.timer_set = false;
        let Some(from) = self.cleanup.from else {
            return;
        };
        self.cleanup.from = None;
        if !self.is_primary() || self.import.is_some() || self.schema_change.is_some() || !self.knows_range {
            // Whoever is primary next, or when the copy is over, looks again.
            return;
        }
        if self.executed.sequence < self.cleanup.after {
            self.cleanup = Cleanup { from: Some(from), timer_set: true, ..self.cleanup };
            ctx.set_timer(CLEANUP_EVERY, SqlTimer::Cleanup);
            return;
        }
        let mut stray = Vec::new();
        for key in from..self.settings.keys.len() as KeyId {
            let is_stray = self.row(key).content.version > 0
                && !self.range.is_some_and(|range| range.contains(self.settings.point(key)));
            if is_stray {
                if stray.len() == CLEANUP_ROWS {
                    self.cleanup.from = Some(key);
                    break;
                }
                stray.push(key);
            }
        }
        for key in stray {
            self.write_own(key, Change::Remove, Cell::default(), ctx);
        }
        if self.cleanup.from.is_some() {
            self.cleanup.timer_set = true;
            ctx.set_timer(CLEANUP_EVERY, SqlTimer::Cleanup);
        }
    }
}
