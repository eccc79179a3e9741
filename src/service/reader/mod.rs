//! Reader: the read service.
//!
//! Models: a stateless service that answers three questions from a database: how often a video was watched in the
//! latest windows, which videos were watched most in the last whole window, and a video's page (its views, its
//! title, its channel). Rows of a video stand together, so that a range of windows is one query.
//!
//! - *Normalized* (SQL): the most watched videos are added up and sorted by the database; a page is three queries,
//!   for views, video and channel.
//! - *Denormalized*: the most watched videos have rows of their own for each partition of the log, which are read
//!   and merged; a page is two queries, as a video's row has its channel's name in it.
//!
//! Where old windows are in cold storage, a range that goes back so far asks the object store as well.
//! Answers are remembered for a time. Where each view is stored, they are counted when they are read.
//!
//! A channel is renamed by the first reader, on behalf of an operator: in one row, or in the row of each of its
//! videos, until all are written.
//!
//! Rows can get a field more while readers are still of the version before: a tolerant reader passes over
//! what it does not know, a strict one fails, until the next version is out.
//!
//! Simplified: a name is a number that goes up when it is changed; caches are not told of changes.

mod renaming;

use super::message::{ServiceEvent, ServiceHost, ServiceMessage, ServiceTimer};
use super::object_store::{Object, ObjectName};
use super::settings::{ServiceSettings, Stored};
use super::worker::counting::{ranked, raw_views};
use crate::engine::lru::LruList;
use crate::engine::table::Table;
use crate::engine::{Context, NodeId, PendingTable, SimDuration, SimTime, Stream};
use crate::workload::client::followed;
use crate::workload::operation::{
    Cause, KeyId, OperationId, OperationKind, Outcome, Request, Response, Selected, SelectedRow, ServedBy,
    Versioned,
};
use crate::workload::tally::Tally;
use renaming::Renaming;
use std::rc::Rc;

/// Readers are clients of their database by these numbers.
const FIRST_READER_CLIENT: u32 = 1 << 21;
/// Requests that one reader answers at a time.
const QUERIES_MAX: usize = 16_384;
/// An endpoint of the database that did not answer is avoided for so long.
const AVOID_FOR: SimDuration = SimDuration::from_ms(1_000);
/// Core time for an answer of the database, and for each row in it.
const ANSWER_SERVICE: SimDuration = SimDuration(3_000);
const ROW_SERVICE: SimDuration = SimDuration(200);
/// Bytes of an answer, and of each video of a top.
const ANSWER_BYTES: u32 = 64;
const RANK_BYTES: u32 = 48;

/// What an operator can have done to readers.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum ReaderControl {
    /// A channel gets another name.
    Rename { channel: u32 },
    /// A version goes out that leaves the views of a device out where it counts them, or none.
    Deploy { leaves_out_device: Option<u8> },
    /// Rows get a field more; readers learn of it one after the other, from then on.
    AddField { after: SimDuration },
}

/// A viewer's question, while the database is asked.
#[derive(Clone)]
struct Query {
    viewer: NodeId,
    request: Request,
    /// Parts that are not answered.
    left: u32,
    rows: Vec<SelectedRow>,
    /// Counts from cold storage.
    cold: Vec<(KeyId, Tally)>,
    /// The name of the channel, of a page.
    name: u64,
    failure: Option<Outcome>,
}

/// What was asked of the database.
#[derive(Clone, Copy)]
struct Open {
    part: Part,
    until: SimTime,
    endpoint: usize,
}

#[derive(Clone, Copy)]
enum Part {
    /// Of the query with this number: rows, or the name of the channel, or a title that nobody looks at.
    Rows(u64),
    Name(u64),
    Title(u64),
    /// A row that is written because a channel is renamed.
    Rename(KeyId),
    /// Counts of old windows, from the object store.
    Cold(u64),
}

/// An answer that is remembered.
#[derive(Clone)]
struct Remembered {
    until: SimTime,
    rows: Rc<[SelectedRow]>,
    name: u64,
}

/// One reader.
#[derive(Clone)]
pub struct Reader {
    settings: Rc<ServiceSettings>,
    index: usize,
    next_number: u64,
    open: Table<Open>,
    /// Requests to the object store, by the numbers of what is open.
    cold: PendingTable<u64>,
    timer_set: bool,
    queries: Table<Query>,
    avoided: Option<(NodeId, SimTime)>,
    cache: Table<Remembered>,
    used: LruList,
    hits: u64,
    misses: u64,
    renaming: Renaming,
    /// Whether its version knows of the field that rows have got.
    knows_field: bool,
    leaves_out_device: Option<u8>,
}

impl Reader {
    pub fn new(settings: Rc<ServiceSettings>, index: usize) -> Reader {
        // A video's views, its page, and the top.
        let places = 2 * settings.tables.sizes.videos as usize + 1;
        Reader {
            index,
            next_number: 1,
            open: Table::default(),
            cold: PendingTable::new(settings.reading.timeout, QUERIES_MAX),
            timer_set: false,
            queries: Table::default(),
            avoided: None,
            cache: Table::default(),
            used: LruList::new(places),
            hits: 0,
            misses: 0,
            renaming: Renaming::default(),
            knows_field: false,
            leaves_out_device: None,
            settings,
        }
    }

    /// Questions answered from memory, and all others.
    pub fn hits_and_misses(&self) -> (u64, u64) {
        (self.hits, self.misses)
    }

    /// Rows that are still to be written for a new name.
    pub fn rows_to_rename(&self) -> usize {
        self.renaming.left()
    }

    pub fn on_start<P: ServiceHost>(&mut self, ctx: &mut Context<P>) {
        self.next_number = (u64::from(ctx.incarnation()) << 28) + 1;
        self.cold.restarted(ctx.incarnation());
    }

    /// Core time for a question.
    pub fn service_time(&self, stream: &mut Stream) -> SimDuration {
        self.settings.reading.service.sample(stream)
    }

    /// Core time for an answer of the database.
    pub fn answer_time(rows: usize) -> SimDuration {
        SimDuration(ANSWER_SERVICE.0 + ROW_SERVICE.0 * rows as u64)
    }

    pub fn on_request<P: ServiceHost>(&mut self, viewer: NodeId, request: Request, ctx: &mut Context<P>) {
        if let Some(remembered) = self.remembered(&request, ctx.monotonic()) {
            self.hits += 1;
            let Remembered { rows, name, .. } = remembered;
            self.answer(viewer, &request, (&rows, name), ServedBy::Cache, ctx);
            return;
        }
        self.misses += 1;
        if self.queries.len() >= QUERIES_MAX {
            ctx.send(viewer, Response::failed(request.id, Cause::Overloaded));
            return;
        }
        let query =
            Query { viewer, request, left: 0, rows: Vec::new(), cold: Vec::new(), name: 0, failure: None };
        let number = self.next_number;
        self.queries.entry(number, || query);
        match request.kind {
            OperationKind::Top => self.ask_for_top(number, request.id, ctx),
            OperationKind::Join => {
                self.ask_for_views(number, &request, ctx);
                self.ask_for_names(number, request.key, ctx);
            }
            _ => self.ask_for_views(number, &request, ctx),
        }
    }

    // What is asked.

    /// The latest windows, and the one that a follower asks about.
    fn windows(&self, request: &Request, now: SimTime) -> (u32, u32) {
        let sizes = &self.settings.tables.sizes;
        let last = sizes.window_of(now);
        let first = (last + 1).saturating_sub(self.settings.reading.range_windows);
        let first = followed(request).map_or(first, |(window, _)| first.min(window.min(last)));
        (first, last)
    }

    fn ask_for_views<P: ServiceHost>(&mut self, number: u64, request: &Request, ctx: &mut Context<P>) {
        let settings = Rc::clone(&self.settings);
        let tables = &settings.tables;
        let sizes = &tables.sizes;
        let (first, last) = self.windows(request, ctx.monotonic());
        if settings.processing.stored == Stored::Events {
            for window in first..=last {
                let rows = sizes.raw_slots as u16;
                self.select(Part::Rows(number), tables.raw(request.key, window, 0), rows, ctx);
            }
        } else {
            let rows = ((last - first + 1) * sizes.sub_counts) as u16;
            self.select(Part::Rows(number), tables.count(request.key, first, 0), rows, ctx);
            if let Some(hot) = settings.processing.hot_windows
                && first + hot < last
            {
                let rows = ((last - hot - first) * sizes.sub_counts) as u16;
                let name = ObjectName::Cold { first: tables.count(request.key, first, 0), rows };
                self.ask_for_cold(number, name, ctx);
            }
        }
    }

    /// Old windows may be in the object store.
    fn ask_for_cold<P: ServiceHost>(&mut self, number: u64, name: ObjectName, ctx: &mut Context<P>) {
        let until = ctx.monotonic() + self.settings.reading.timeout;
        let part = Part::Cold(number);
        // Its number comes back as a part of the ticket would; requests of a reader have one table.
        let Ok(ticket) = self.cold.insert(ctx.monotonic(), self.next_number) else { return };
        self.open.entry(self.next_number, || Open { part, until, endpoint: 0 });
        self.next_number += 1;
        if let Some(query) = self.queries.get_mut(number) {
            query.left += 1;
        }
        ctx.send(self.settings.nodes.object_store, ServiceMessage::Get { ticket, name });
        self.arm(ctx);
    }

    /// The object store has answered.
    pub fn on_message<P: ServiceHost>(&mut self, message: &ServiceMessage, ctx: &mut Context<P>) {
        let ServiceMessage::Got { ticket, objects } = message else { return };
        let Some(open) = self.cold.remove(*ticket).and_then(|number| self.open.remove(number)) else {
            return;
        };
        if let (Part::Cold(number), Some(Object::Cold(rows))) = (open.part, objects.first())
            && let Some(query) = self.queries.get_mut(number)
        {
            query.cold.extend_from_slice(rows);
        }
        self.part_done(open, &Response::ok(OperationId::default(), Versioned::default(), 0), &[], ctx);
    }

    fn ask_for_top<P: ServiceHost>(&mut self, number: u64, id: OperationId, ctx: &mut Context<P>) {
        let settings = Rc::clone(&self.settings);
        let tables = &settings.tables;
        let sizes = &tables.sizes;
        let window = sizes.window_of(ctx.monotonic()).saturating_sub(1);
        if sizes.ranks > 0 {
            for partition in 0..sizes.partitions {
                let first = tables.top(partition, window, 0);
                self.select(Part::Rows(number), first, sizes.ranks as u16, ctx);
            }
        } else {
            let range = (tables.count(0, window, 0), tables.count(sizes.videos - 1, window, 0));
            let stride = sizes.windows * sizes.sub_counts;
            let wanted = settings.reading.top_videos;
            let request = Request::top(id, range, wanted, stride, sizes.sub_counts);
            self.ask(Part::Rows(number), request, ctx);
        }
    }

    fn ask_for_names<P: ServiceHost>(&mut self, number: u64, video: KeyId, ctx: &mut Context<P>) {
        let settings = Rc::clone(&self.settings);
        let tables = &settings.metadata_tables;
        let read = |key| Request::point(OperationId::default(), OperationKind::Read, key, 0);
        if settings.reading.joins {
            self.ask(Part::Title(number), read(tables.video(video)), ctx);
            self.ask(Part::Name(number), read(tables.channel(tables.sizes.channel_of(video))), ctx);
        } else {
            self.ask(Part::Name(number), read(tables.video(video)), ctx);
        }
    }

    fn select<P: ServiceHost>(&mut self, part: Part, first: KeyId, rows: u16, ctx: &mut Context<P>) {
        self.ask(part, Request::select(OperationId::default(), first, rows), ctx);
    }

    fn ask<P: ServiceHost>(&mut self, part: Part, request: Request, ctx: &mut Context<P>) {
        let settings = Rc::clone(&self.settings);
        let is_metadata = matches!(part, Part::Name(_) | Part::Title(_) | Part::Rename(_));
        let endpoints = if is_metadata { &settings.nodes.metadata } else { &settings.nodes.database };
        let mut endpoint = ctx.random().below(endpoints.len() as u32) as usize;
        if self.avoided.is_some_and(|(node, until)| node == endpoints[endpoint] && ctx.monotonic() < until) {
            endpoint = (endpoint + 1) % endpoints.len();
        }
        let id = OperationId::new(FIRST_READER_CLIENT + self.index as u32, self.next_number);
        let until = ctx.monotonic() + settings.reading.timeout;
        self.open.entry(self.next_number, || Open { part, until, endpoint });
        self.next_number += 1;
        if let Part::Rows(number) | Part::Name(number) | Part::Title(number) = part
            && let Some(query) = self.queries.get_mut(number)
        {
            query.left += 1;
        }
        ctx.send(endpoints[endpoint], Request { id, ..request });
        self.arm(ctx);
    }

    fn arm<P: ServiceHost>(&mut self, ctx: &mut Context<P>) {
        if let Some(first) = self.open.first_key().filter(|_| !self.timer_set)
            && let Some(open) = self.open.get(first)
        {
            self.timer_set = true;
            ctx.set_timer_at(open.until, ServiceTimer::TimeOut);
        }
    }

    // What is answered.

    pub fn on_selected<P: ServiceHost>(&mut self, selected: &Selected, ctx: &mut Context<P>) {
        if let Some(open) = self.open.remove(selected.response.id.number()) {
            self.part_done(open, &selected.response, &selected.rows, ctx);
        }
    }

    pub fn on_response<P: ServiceHost>(&mut self, response: &Response, ctx: &mut Context<P>) {
        if let Some(open) = self.open.remove(response.id.number()) {
            self.part_done(open, response, &[], ctx);
        }
    }

    pub fn on_timer<P: ServiceHost>(&mut self, timer: ServiceTimer, ctx: &mut Context<P>) {
        match timer {
            ServiceTimer::TimeOut => {
                self.timer_set = false;
                let now = ctx.monotonic();
                while let Some(first) = self.open.first_key() {
                    let Some(open) = self.open.get(first).copied().filter(|open| open.until <= now) else {
                        break;
                    };
                    self.open.remove(first);
                    let nodes = &self.settings.nodes;
                    let is_metadata = matches!(open.part, Part::Name(_) | Part::Title(_) | Part::Rename(_));
                    let endpoints = if is_metadata { &nodes.metadata } else { &nodes.database };
                    if matches!(open.part, Part::Cold(_)) {
                        while self.cold.pop_expired(now).is_some() {}
                    } else {
                        self.avoided = Some((endpoints[open.endpoint], now + AVOID_FOR));
                    }
                    let response = Response::unknown(OperationId::default(), Cause::TimedOut);
                    self.part_done(open, &response, &[], ctx);
                }
                self.arm(ctx);
            }
            ServiceTimer::Retry => self.go_on_renaming(ctx),
            ServiceTimer::Deploy => self.knows_field = true,
            _ => {}
        }
    }

    fn part_done<P: ServiceHost>(
        &mut self,
        open: Open,
        response: &Response,
        rows: &[SelectedRow],
        ctx: &mut Context<P>,
    ) {
        let number = match open.part {
            Part::Rename(key) => return self.renamed(key, response.outcome.is_ok(), ctx),
            Part::Rows(number) | Part::Name(number) | Part::Title(number) | Part::Cold(number) => number,
        };
        let Some(query) = self.queries.get_mut(number) else { return };
        query.left -= 1;
        if !response.outcome.is_ok() {
            query.failure.get_or_insert(response.outcome);
        }
        query.rows.extend_from_slice(rows);
        if let Part::Name(_) = open.part {
            query.name = response.result.value;
        }
        if query.left > 0 {
            return;
        }
        let Some(query) = self.queries.remove(number) else { return };
        let Query { viewer, request, mut rows, cold, name, failure, .. } = query;
        if let Some(outcome) = failure {
            ctx.send(viewer, Response { outcome, ..Response::failed(request.id, Cause::TimedOut) });
            return;
        }
        // A row whose count has gone there says so.
        for row in rows.iter_mut().filter(|row| Tally(row.value).is_archived()) {
            if let Some((_, tally)) = cold.iter().find(|(key, _)| *key == row.key) {
                row.value = tally.plus(Tally::new(0, Tally(row.value).count(), 0)).0;
            }
        }
        if self.cannot_read(&rows) {
            ctx.send(viewer, Response::failed(request.id, Cause::UnknownField));
            return;
        }
        let rows: Rc<[SelectedRow]> = rows.into();
        self.remember(&request, &rows, name, ctx.monotonic());
        self.answer(viewer, &request, (&rows, name), ServedBy::Nodes, ctx);
    }

    fn answer<P: ServiceHost>(
        &mut self,
        viewer: NodeId,
        request: &Request,
        (rows, name): (&[SelectedRow], u64),
        served_by: ServedBy,
        ctx: &mut Context<P>,
    ) {
        let (result, bytes) = match request.kind {
            OperationKind::Top => {
                let top = self.top_of(rows);
                let first = top.first().map_or(0, |(count, _)| *count);
                (Versioned { value: first, version: top.len() as u64 }, RANK_BYTES * top.len() as u32)
            }
            kind => {
                let version = match followed(request) {
                    Some((window, sub_count)) => self.last_of(rows, request.key, window, sub_count),
                    None => 0,
                };
                if kind == OperationKind::Join {
                    let channel = self.settings.tables.sizes.channel_of(request.key);
                    ctx.output(ServiceEvent::Page { channel, name });
                }
                (Versioned { value: self.views(rows), version }, ANSWER_BYTES)
            }
        };
        ctx.send(viewer, Response { served_by, ..Response::ok(request.id, result, bytes) });
    }

    /// Whether a row has a field that this version does not know, and does not pass over.
    fn cannot_read(&self, rows: &[SelectedRow]) -> bool {
        let tables = &self.settings.tables;
        let is_new = |row: &SelectedRow| tables.is_count(row.key) && Tally(row.value).has_field();
        !self.settings.reading.is_tolerant && !self.knows_field && rows.iter().any(is_new)
    }

    fn views(&self, rows: &[SelectedRow]) -> u64 {
        let is_raw = self.settings.processing.stored == Stored::Events;
        let left_out = |value: u64| self.leaves_out_device.map_or(0, |device| raw_views(value, Some(device)));
        let of = |row: &SelectedRow| match is_raw {
            true => raw_views(row.value, None) - left_out(row.value),
            false => Tally(row.value).count(),
        };
        rows.iter().map(of).sum()
    }

    /// Up to which offset the views of a window are in what was read, as far as its rows say.
    fn last_of(&self, rows: &[SelectedRow], video: KeyId, window: u32, sub_count: u32) -> u64 {
        let tables = &self.settings.tables;
        if self.settings.processing.stored == Stored::Events {
            return 0;
        }
        let key = tables.count(video, window, sub_count);
        rows.iter().find(|row| row.key == key).map_or(0, |row| Tally(row.value).last())
    }

    /// The most watched videos, the first of them first: count and video.
    fn top_of(&self, rows: &[SelectedRow]) -> Vec<(u64, KeyId)> {
        let wanted = usize::from(self.settings.reading.top_videos);
        let tables = &self.settings.tables;
        let mut top: Vec<(u64, KeyId)> = Vec::with_capacity(wanted + 1);
        for row in rows {
            let (count, video) = if tables.sizes.ranks > 0 {
                ranked(row.value)
            } else {
                (Tally(row.value).count(), tables.of_count(row.key).0)
            };
            let place = top.partition_point(|(other, _)| *other >= count);
            if place < wanted {
                top.insert(place, (count, video));
                top.truncate(wanted);
            }
        }
        top
    }

    // What is remembered.

    /// The place of a question among those whose answers are remembered.
    fn place(&self, request: &Request) -> u32 {
        match request.kind {
            OperationKind::Top => 2 * self.settings.tables.sizes.videos,
            OperationKind::Join => 2 * request.key + 1,
            _ => 2 * request.key,
        }
    }

    fn remembered(&mut self, request: &Request, now: SimTime) -> Option<Remembered> {
        let place = self.place(request);
        let found = self.cache.get(u64::from(place)).filter(|remembered| now < remembered.until)?.clone();
        self.used.use_now(place);
        Some(found)
    }

    fn remember(&mut self, request: &Request, rows: &Rc<[SelectedRow]>, name: u64, now: SimTime) {
        let reading = &self.settings.reading;
        if reading.cache_entries == 0 || reading.cache_ttl == SimDuration::ZERO {
            return;
        }
        let place = self.place(request);
        let remembered = Remembered { until: now + reading.cache_ttl, rows: Rc::clone(rows), name };
        self.cache.remove(u64::from(place));
        self.cache.entry(u64::from(place), || remembered);
        self.used.use_now(place);
        if self.used.len() > reading.cache_entries
            && let Some(oldest) = self.used.oldest()
        {
            self.used.remove(oldest);
            self.cache.remove(u64::from(oldest));
        }
    }
}
