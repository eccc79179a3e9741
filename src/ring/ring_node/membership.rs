//! A ring node among its peers: rounds of gossip, and what it comes to believe.

use super::RingNode;
use crate::engine::{Context, NodeId};
use crate::ring::gossip::{Digest, Verdict};
use crate::ring::message::{RingEvent, RingHost, RingMessage, RingTimer};

impl RingNode {
    pub(super) fn gossip_round<P: RingHost>(&mut self, ctx: &mut Context<P>) {
        self.gossip.beat();
        let neighbours = &self.settings.neighbours[self.index as usize];
        if !neighbours.is_empty() {
            let neighbour = neighbours[ctx.random().below(neighbours.len() as u32) as usize];
            let to = self.settings.nodes[neighbour as usize];
            ctx.send(to, RingMessage::GossipPush { digests: self.gossip.digests() });
        }
        let mut verdicts = std::mem::take(&mut self.verdicts);
        self.gossip.convict(ctx.monotonic(), self.settings.phi_threshold, &mut verdicts);
        self.report(&mut verdicts, ctx);
        self.verdicts = verdicts;
        ctx.set_timer(self.settings.gossip_interval, RingTimer::GossipRound);
    }

    pub fn on_gossip_push<P: RingHost>(&mut self, from: NodeId, digests: &[Digest], ctx: &mut Context<P>) {
        let answer = self.gossip.newer_than(digests);
        self.merge(digests, ctx);
        ctx.send(from, RingMessage::GossipPull { digests: answer });
    }

    pub fn on_gossip_pull<P: RingHost>(&mut self, digests: &[Digest], ctx: &mut Context<P>) {
        self.merge(digests, ctx);
    }

    fn merge<P: RingHost>(&mut self, digests: &[Digest], ctx: &mut Context<P>) {
        let mut verdicts = std::mem::take(&mut self.verdicts);
        self.gossip.merge(digests, ctx.monotonic(), &mut verdicts);
        self.report(&mut verdicts, ctx);
        self.verdicts = verdicts;
    }

    fn report<P: RingHost>(&self, verdicts: &mut Vec<Verdict>, ctx: &mut Context<P>) {
        for verdict in verdicts.drain(..) {
            let (node, peer) = (ctx.id(), self.settings.nodes[verdict.peer as usize]);
            ctx.output(if verdict.alive {
                RingEvent::Trusted { node, peer }
            } else {
                RingEvent::Convicted { node, peer }
            });
        }
    }
}
