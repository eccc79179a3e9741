//! A ring node among its peers: carries out what its membership wants done.

use super::RingNode;
use crate::engine::{Context, NodeId};
use crate::ring::gossip_message::GossipMessage;
use crate::ring::membership::{Action, Change, MembershipTimer};
use crate::ring::message::{RingEvent, RingHost, RingMessage, RingTimer};
use crate::ring::place::Places;
use std::rc::Rc;

impl RingNode {
    /// A generation is the start's time by the node's own clock, in milliseconds (Cassandra: in seconds).
    pub(super) fn begin_gossip<P: RingHost>(&mut self, ctx: &mut Context<P>) {
        let (generation, now) = (ctx.local_time() / 1_000_000, ctx.monotonic());
        self.gossip.start(generation, now, ctx.random(), &mut self.actions);
        self.carry_out(ctx);
    }

    pub(super) fn on_membership_timer<P: RingHost>(&mut self, timer: MembershipTimer, ctx: &mut Context<P>) {
        let now = ctx.monotonic();
        self.gossip.handle_timer(timer, now, ctx.random(), &mut self.actions);
        self.carry_out(ctx);
    }

    pub fn on_gossip<P: RingHost>(
        &mut self,
        from: NodeId,
        message: &GossipMessage,
        places: Option<&Places>,
        ctx: &mut Context<P>,
    ) {
        let Some(from) = self.member(from) else { return };
        if let Some(places) = places {
            self.hear_places(places, ctx);
        }
        self.gossip.handle_message(from, message, ctx.monotonic(), &mut self.actions);
        self.carry_out(ctx);
    }

    fn carry_out<P: RingHost>(&mut self, ctx: &mut Context<P>) {
        let node_of = |member: u16| self.settings.nodes[usize::from(member)];
        let state_bytes = self.settings.state_bytes;
        // Nothing is to be said of a ring that has not changed.
        let has_changed = !Rc::ptr_eq(&self.places, &self.settings.atlas.first);
        for action in self.actions.drain(..) {
            match action {
                Action::Send { to, message } => {
                    let places = has_changed.then(|| Rc::clone(&self.places));
                    ctx.send(node_of(to), RingMessage::Gossip { message, state_bytes, places });
                }
                Action::SetTimer { after, timer } => ctx.set_timer(after, RingTimer::Membership(timer)),
                Action::Report(change) => {
                    let node = ctx.id();
                    ctx.output(match change {
                        Change::Suspected(peer) => RingEvent::Suspected { node, peer: node_of(peer) },
                        Change::Convicted(peer) => RingEvent::Convicted { node, peer: node_of(peer) },
                        Change::Trusted(peer) => RingEvent::Trusted { node, peer: node_of(peer) },
                        Change::Refuted => RingEvent::Refuted { node },
                    });
                }
            }
        }
    }
}
