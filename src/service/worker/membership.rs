//! A worker as a member of its group.
//!
//! It says that it is there, and what it has. What it is to have no more it finishes: rows that are being written
//! are waited for, offset and state are put aside, and then it says that it has it no more.

use super::Worker;
use super::partition::Part;
use crate::engine::{Context, NodeId};
use crate::service::event_log::group::Assignment;
use crate::service::message::{ServiceEvent, ServiceHost, ServiceMessage};
use crate::service::settings::Delivery;
use std::rc::Rc;

/// Heartbeats without an answer, after which another broker is asked.
const UNANSWERED_MAX: u32 = 2;

/// What a worker knows of its group.
#[derive(Clone, Default)]
pub(super) struct Membership {
    /// Who coordinates, as far as it knows: a place among the brokers.
    coordinator: usize,
    epoch: u64,
    unanswered: u32,
}

impl Worker {
    pub(super) fn say_alive<P: ServiceHost>(&mut self, ctx: &mut Context<P>) {
        let brokers = &self.settings.nodes.brokers;
        if self.membership.unanswered >= UNANSWERED_MAX {
            self.membership.unanswered = 0;
            self.membership.coordinator = (self.membership.coordinator + 1) % brokers.len();
        }
        self.membership.unanswered += 1;
        let to = brokers[self.membership.coordinator];
        ctx.send(to, ServiceMessage::MemberAlive { epoch: self.membership.epoch, owned: self.owned() });
    }

    pub(super) fn on_not_coordinator<P: ServiceHost>(&mut self, hint: Option<NodeId>, ctx: &mut Context<P>) {
        let hinted = self.settings.nodes.brokers.iter().position(|broker| Some(*broker) == hint);
        if let Some(place) = hinted.filter(|place| *place != self.membership.coordinator) {
            self.membership.coordinator = place;
            self.membership.unanswered = 0;
            self.say_alive(ctx);
        }
    }

    pub(super) fn on_assigned<P: ServiceHost>(
        &mut self,
        epoch: u64,
        target: &Rc<[Assignment]>,
        ctx: &mut Context<P>,
    ) {
        self.membership.unanswered = 0;
        if epoch < self.membership.epoch {
            return;
        }
        self.membership.epoch = epoch;
        let wanted = |partition: u16| target.iter().find(|assigned| assigned.partition == partition);
        let mut replaced = Vec::new();
        for (partition, part) in self.parts.iter() {
            if wanted(*partition as u16).is_some_and(|assigned| assigned.generation != part.generation) {
                replaced.push(*partition as u16);
            }
        }
        // It had been taken for dead: what it has is somebody else's past.
        for partition in replaced {
            self.drop_part(partition, ctx);
        }
        for part in self.parts.values_mut() {
            part.is_leaving = wanted(part.partition).is_none();
        }
        for assigned in target.iter() {
            let key = u64::from(assigned.partition);
            if !self.parts.contains(key) {
                let part = Part::new(Rc::clone(&self.settings), *assigned, self.index);
                self.parts.entry(key, || part);
                self.resume(*assigned, ctx);
            }
        }
        self.let_go(ctx);
        // One that was to go and is to stay after all goes on.
        self.fetch_all(ctx);
    }

    /// Puts what is to go aside, as soon as nothing of it is under way.
    pub(super) fn let_go<P: ServiceHost>(&mut self, ctx: &mut Context<P>) {
        // What is written at most once cannot be left to others: they could write it twice.
        let writes_first = self.settings.processing.delivery == Delivery::AtMostOnce;
        let is_ready =
            |part: &Part| part.is_leaving && part.is_quiet() && (!writes_first || part.is_written());
        let ready = self.parts.iter().filter(|(_, part)| is_ready(part));
        let ready: Vec<u16> = ready.map(|(partition, _)| *partition as u16).collect();
        for partition in ready {
            self.put_aside(partition, ctx);
        }
    }

    /// It has a partition no more.
    pub(super) fn drop_part<P: ServiceHost>(&mut self, partition: u16, ctx: &mut Context<P>) {
        if self.parts.remove(u64::from(partition)).is_some() {
            ctx.output(ServiceEvent::GivenUp { node: ctx.id(), partition });
        }
    }
}
