//! Checkpoints: offset and state of a partition in the object store, and back from there.
//!
//! Views that are stored raw go there first, then the checkpoint that says that they need not be read again.

use super::counting::Counts;
use super::partition::Stage;
use super::{AGAIN, Worker, ticket_of};
use crate::engine::{Context, Ticket};
use crate::service::event_log::group::Assignment;
use crate::service::message::{ServiceEvent, ServiceHost, ServiceMessage, ServiceTimer};
use crate::service::object_store::{Object, ObjectName, Segment};
use crate::service::settings::{Delivery, Stored};
use crate::service::worker::checkpoint::Checkpoint;
use std::rc::Rc;

/// A request to the object store.
#[derive(Clone)]
pub(super) struct Asked {
    partition: u16,
    generation: u64,
    what: What,
}

#[derive(Clone)]
enum What {
    Resume,
    /// Views up to an offset; then the checkpoint.
    Views {
        end: u64,
        then: Rc<Checkpoint>,
    },
    Checkpoint {
        offset: u64,
    },
    /// The offset before the work.
    Commit {
        offset: u64,
    },
    Segment,
}

impl Worker {
    fn ask<P: ServiceHost>(
        &mut self,
        asked: Asked,
        message: impl FnOnce(Ticket) -> ServiceMessage,
        ctx: &mut Context<P>,
    ) {
        let to = self.settings.nodes.object_store;
        if let Some(ticket) = ticket_of(&mut self.objects, asked, ctx) {
            ctx.send(to, message(ticket));
        }
    }

    /// Asks for the checkpoint of a partition, and shuts its former owner out.
    pub(super) fn resume<P: ServiceHost>(&mut self, assigned: Assignment, ctx: &mut Context<P>) {
        let Assignment { partition, generation } = assigned;
        let name = ObjectName::Checkpoint { partition, generation };
        let asked = Asked { partition, generation, what: What::Resume };
        self.ask(asked, |ticket| ServiceMessage::Get { ticket, name }, ctx);
    }

    pub(super) fn put_all_aside<P: ServiceHost>(&mut self, ctx: &mut Context<P>) {
        if self.settings.processing.delivery == Delivery::AtMostOnce {
            return;
        }
        let due = self.parts.iter().filter(|(_, part)| {
            let is_there = part.stage != Stage::Resuming;
            is_there && (part.is_changed || !part.raw.is_empty()) && part.dead_letters_open == 0
        });
        let due: Vec<u16> = due.map(|(partition, _)| *partition as u16).collect();
        for partition in due {
            self.put_aside(partition, ctx);
        }
    }

    /// Puts offset and state of a partition aside, as they are now.
    pub(super) fn put_aside<P: ServiceHost>(&mut self, partition: u16, ctx: &mut Context<P>) {
        let stores_views = self.settings.processing.stored == Stored::Both;
        let delivery = self.settings.processing.delivery;
        let Some(part) = self.parts.get_mut(u64::from(partition)) else { return };
        if part.is_putting_aside {
            return;
        }
        part.is_putting_aside = true;
        part.is_changed = false;
        let generation = part.generation;
        let then = Rc::new(match delivery {
            Delivery::AtMostOnce => {
                Checkpoint { offset: part.next, code: part.counts.code, ..Checkpoint::default() }
            }
            _ => part.counts.checkpoint(part.next),
        });
        if stores_views && !part.raw.is_empty() {
            let segment = Segment { partition, base: part.raw_base, views: part.raw.as_slice().into() };
            let asked = Asked { partition, generation, what: What::Views { end: segment.end(), then } };
            self.ask(asked, |ticket| ServiceMessage::Put { ticket, object: Object::Segment(segment) }, ctx);
        } else {
            self.put_checkpoint(partition, generation, then, false, ctx);
        }
    }

    fn put_checkpoint<P: ServiceHost>(
        &mut self,
        partition: u16,
        generation: u64,
        state: Rc<Checkpoint>,
        is_before_work: bool,
        ctx: &mut Context<P>,
    ) {
        let offset = state.offset;
        let what = if is_before_work { What::Commit { offset } } else { What::Checkpoint { offset } };
        let object = Object::Checkpoint { partition, generation, state };
        let asked = Asked { partition, generation, what };
        self.ask(asked, |ticket| ServiceMessage::Put { ticket, object }, ctx);
    }

    /// At most once: the offset after a chunk is put aside before its work.
    pub(super) fn commit_before<P: ServiceHost>(&mut self, partition: u16, ctx: &mut Context<P>) {
        let Some(part) = self.parts.get_mut(u64::from(partition)) else { return };
        let offset = part.next + part.chunk.len() as u64;
        let generation = part.generation;
        let state = Rc::new(Checkpoint { offset, code: part.counts.code, ..Checkpoint::default() });
        self.put_checkpoint(partition, generation, state, true, ctx);
    }

    pub(super) fn on_put<P: ServiceHost>(&mut self, ticket: Ticket, is_taken: bool, ctx: &mut Context<P>) {
        let Some(Asked { partition, generation, what }) = self.objects.remove(ticket) else { return };
        let node = ctx.id();
        if !is_taken {
            ctx.output(ServiceEvent::Fenced { node, partition });
            if self.part(partition, generation).is_some() {
                self.drop_part(partition, ctx);
            }
            return;
        }
        let Some(part) = self.part(partition, generation) else { return };
        match what {
            What::Views { end, then } => {
                let stored = end.saturating_sub(part.raw_base) as usize;
                part.raw.drain(..stored.min(part.raw.len()));
                part.raw_base = end;
                self.put_checkpoint(partition, generation, then, false, ctx);
            }
            What::Checkpoint { offset } => {
                part.is_putting_aside = false;
                part.put_aside = offset;
                part.counts.forget_closed();
                let is_over = part.is_leaving && part.is_quiet() && offset == part.next && !part.is_changed;
                if is_over {
                    self.drop_part(partition, ctx);
                    self.say_alive(ctx);
                } else {
                    self.let_go(ctx);
                    self.recount_if_wanted(partition, ctx);
                    self.look_at_job(ctx);
                }
            }
            What::Commit { offset } => {
                part.put_aside = offset;
                self.look_up(partition, ctx);
            }
            What::Resume | What::Segment => {}
        }
    }

    pub(super) fn on_got<P: ServiceHost>(
        &mut self,
        ticket: Ticket,
        objects: &[Object],
        ctx: &mut Context<P>,
    ) {
        let Some(Asked { partition, generation, what }) = self.objects.remove(ticket) else { return };
        let settings = Rc::clone(&self.settings);
        let (code, leaves_out_device) = (self.code, self.leaves_out_device);
        let node = ctx.id();
        let Some(part) = self.part(partition, generation) else { return };
        match (what, objects.first()) {
            (What::Resume, found) => {
                if let Some(Object::Checkpoint { state, .. }) = found {
                    part.counts = Counts::restored(settings, partition, state);
                    part.next = state.offset;
                }
                part.counts.code = part.counts.code.max(code);
                part.counts.leaves_out_device = leaves_out_device;
                (part.put_aside, part.raw_base, part.end) = (part.next, part.next, part.next);
                part.stage = Stage::Idle;
                let offset = part.next;
                ctx.output(ServiceEvent::Resumed { node, partition, offset });
                self.fetch(partition, ctx);
                self.look_at_job(ctx);
            }
            (What::Segment, Some(Object::Segment(segment))) => {
                part.stage = Stage::Idle;
                let views = &segment.views[part.next.saturating_sub(segment.base) as usize..];
                let views = views.into();
                self.take(partition, views, ctx);
            }
            (What::Segment, _) => {
                // It goes on from the log.
                part.stage = Stage::Idle;
                part.recounts = false;
                part.raw_base = part.next;
                ctx.output(ServiceEvent::Recounted { node, partition });
                self.fetch(partition, ctx);
            }
            _ => {}
        }
    }

    /// A request to the object store was not answered in time.
    pub(super) fn object_failed<P: ServiceHost>(&mut self, asked: &Asked, ctx: &mut Context<P>) {
        let Asked { partition, generation, .. } = *asked;
        let Some(part) = self.part(partition, generation) else { return };
        match asked.what {
            What::Resume => self.resume(Assignment { partition, generation }, ctx),
            What::Views { .. } | What::Checkpoint { .. } => {
                part.is_putting_aside = false;
                part.is_changed = true;
                self.let_go(ctx);
            }
            What::Commit { .. } => self.commit_before(partition, ctx),
            What::Segment => {
                part.stage = Stage::Idle;
                ctx.set_timer(AGAIN, ServiceTimer::Retry);
            }
        }
    }

    // Counting again.

    /// All is counted again, from the views in the object store.
    pub(super) fn recount<P: ServiceHost>(&mut self, ctx: &mut Context<P>) {
        if self.settings.processing.stored != Stored::Both {
            ctx.output(ServiceEvent::NothingToRecount { node: ctx.id() });
            return;
        }
        self.code += 1;
        for part in self.parts.values_mut() {
            part.recount_wanted = true;
        }
        self.put_all_aside(ctx);
        let quiet: Vec<u16> = self.parts.iter().map(|(partition, _)| *partition as u16).collect();
        for partition in quiet {
            self.recount_if_wanted(partition, ctx);
        }
    }

    /// A partition that is put aside with all its views begins anew.
    pub(super) fn recount_if_wanted<P: ServiceHost>(&mut self, partition: u16, ctx: &mut Context<P>) {
        let settings = Rc::clone(&self.settings);
        let (code, leaves_out_device) = (self.code, self.leaves_out_device);
        let Some(part) = self.parts.get_mut(u64::from(partition)).filter(|part| part.recount_wanted) else {
            return;
        };
        if !part.is_quiet() {
            return;
        }
        if !part.is_put_aside() {
            self.put_aside(partition, ctx);
            return;
        }
        let code = code.max(part.counts.code + 1);
        part.counts = Counts::new(settings, partition);
        (part.counts.code, part.counts.leaves_out_device) = (code, leaves_out_device);
        (part.next, part.recount_wanted, part.recounts) = (0, false, true);
        part.stage = Stage::Idle;
        self.fetch(partition, ctx);
    }

    pub(super) fn ask_for_segment<P: ServiceHost>(&mut self, partition: u16, ctx: &mut Context<P>) {
        let Some(part) = self.parts.get(u64::from(partition)) else { return };
        let (generation, offset) = (part.generation, part.next);
        let asked = Asked { partition, generation, what: What::Segment };
        let name = ObjectName::Segment { partition, offset };
        self.ask(asked, |ticket| ServiceMessage::Get { ticket, name }, ctx);
    }
}
