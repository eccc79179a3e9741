//! A channel gets another name: as many rows as have it are written.

use super::{Part, Reader, ReaderControl};
use crate::engine::{Context, SimDuration};
use crate::service::message::{ServiceEvent, ServiceHost, ServiceTimer};
use crate::workload::operation::{KeyId, OperationId, OperationKind, Request};
use std::collections::VecDeque;
use std::rc::Rc;

/// Rows written at a time.
const TOGETHER: usize = 4;
/// What failed is tried again after this.
const AGAIN: SimDuration = SimDuration::from_ms(100);
/// Readers get a new version one after the other.
const DEPLOYS_APART: SimDuration = SimDuration::from_ms(1_000);
/// Bytes of a video's row, or a channel's.
const ROW_BYTES: u32 = 300;

/// Rows that are still to be written.
#[derive(Clone, Default)]
pub(super) struct Renaming {
    waiting: VecDeque<(KeyId, u64)>,
    open: Vec<(KeyId, u64)>,
    rows: u32,
    channel: u32,
    /// Names given so far.
    names: u64,
}

impl Renaming {
    pub fn left(&self) -> usize {
        self.waiting.len() + self.open.len()
    }
}

impl Reader {
    pub fn on_control<P: ServiceHost>(&mut self, control: ReaderControl, ctx: &mut Context<P>) {
        let channel = match control {
            ReaderControl::Rename { channel } => channel,
            ReaderControl::Deploy { leaves_out_device } => {
                self.leaves_out_device = leaves_out_device;
                return;
            }
            ReaderControl::AddField { after } => {
                let turn = SimDuration(DEPLOYS_APART.0 * self.index as u64);
                ctx.set_timer(after + turn, ServiceTimer::Deploy);
                return;
            }
        };
        // One of them does it for all.
        if self.index > 0 {
            return;
        }
        let settings = Rc::clone(&self.settings);
        let tables = &settings.metadata_tables;
        let channels = tables.sizes.channels();
        let channel = channel % channels.max(1);
        self.renaming.names += 1;
        let name = self.renaming.names;
        self.renaming.channel = channel;
        self.renaming.waiting.push_back((tables.channel(channel), name));
        if !settings.reading.joins {
            let videos = (channel..tables.sizes.videos).step_by(channels.max(1) as usize);
            self.renaming.waiting.extend(videos.map(|video| (tables.video(video), name)));
        }
        self.renaming.rows = self.renaming.left() as u32;
        self.go_on_renaming(ctx);
    }

    pub(super) fn go_on_renaming<P: ServiceHost>(&mut self, ctx: &mut Context<P>) {
        while self.renaming.open.len() < TOGETHER {
            let Some((key, name)) = self.renaming.waiting.pop_front() else { return };
            self.renaming.open.push((key, name));
            let write = Request::point(OperationId::default(), OperationKind::Write, key, ROW_BYTES);
            self.ask(Part::Rename(key), Request { value: name, ..write }, ctx);
        }
    }

    pub(super) fn renamed<P: ServiceHost>(&mut self, key: KeyId, is_done: bool, ctx: &mut Context<P>) {
        let Some(place) = self.renaming.open.iter().position(|(open, _)| *open == key) else { return };
        let row = self.renaming.open.remove(place);
        if !is_done {
            self.renaming.waiting.push_back(row);
            ctx.set_timer(AGAIN, ServiceTimer::Retry);
            return;
        }
        if self.renaming.left() == 0 {
            let (channel, rows) = (self.renaming.channel, self.renaming.rows);
            ctx.output(ServiceEvent::Renamed { node: ctx.id(), channel, rows });
        }
        self.go_on_renaming(ctx);
    }
}
