//! A broker of the event log: its replicas of the partitions, and the consumer group if it leads partition 0.
//!
//! Partition p is on the brokers p, p + 1, ... (counted round); one more partition, after the last, is that
//! of dead letters. [`event_log`](super::event_log) says what is modelled.
//!
//! A broker that hears nothing from another one for an election time-out opens a new connection to it (as
//! brokers do whose requests time out): after a cut nothing waits behind what the old one held back.
//!
//! Core time: each batch that is produced or replicated and each fetch costs some, and so does each view in
//! it. Answers, heartbeats, votes and the group's messages cost none.

use super::event_log::entries::Entry;
use super::event_log::group::{Assignment, Coordinator};
use super::event_log::record::LogDisk;
use super::event_log::replica::serving::{fetched, refuse_batch};
use super::event_log::replica::{Replica, Role};
use super::message::{LogRefusal, ServiceHost, ServiceMessage, ServiceTimer, ServiceToken};
use super::settings::{Acks, ServiceSettings, Sync};
use crate::engine::{Context, NodeId, SimDuration, SimTime, Stream};
use std::rc::Rc;

/// Ticks in a heartbeat.
const TICKS: u64 = 4;

/// What a broker is to a partition.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BrokerRole {
    Leader,
    Follower,
    /// It has no replica of it.
    None,
}

/// One broker.
#[derive(Clone)]
pub struct Broker {
    settings: Rc<ServiceSettings>,
    index: usize,
    /// By partition, dead letters last.
    replicas: Vec<Option<Replica>>,
    coordinator: Option<Coordinator>,
    /// By broker: when it was heard, or a new connection to it opened.
    heard: Vec<SimTime>,
    synced_at: SimTime,
}

impl Broker {
    /// The broker at this place of the settings' list.
    pub fn new(settings: Rc<ServiceSettings>, index: usize) -> Broker {
        let own = settings.nodes.brokers[index];
        let replicas = (0..=settings.log.partitions)
            .map(|partition| Replica::new(Rc::clone(&settings), partition, own))
            .collect();
        let heard = vec![SimTime::ZERO; settings.nodes.brokers.len()];
        Broker { settings, index, replicas, coordinator: None, heard, synced_at: SimTime::ZERO }
    }

    // What can be seen of it.

    pub fn settings(&self) -> &ServiceSettings {
        &self.settings
    }

    /// Its place among the brokers.
    pub fn index(&self) -> usize {
        self.index
    }

    /// Its replica of a partition.
    pub fn replica(&self, partition: u16) -> Option<&Replica> {
        self.replicas.get(usize::from(partition))?.as_ref()
    }

    pub fn role(&self, partition: u16) -> BrokerRole {
        match self.replica(partition).map(Replica::role) {
            Some(Role::Leader) => BrokerRole::Leader,
            Some(_) => BrokerRole::Follower,
            None => BrokerRole::None,
        }
    }

    /// Zero without a replica, and before the first election.
    pub fn term(&self, partition: u16) -> u32 {
        self.replica(partition).map_or(0, Replica::term)
    }

    /// Offset of the first view that it keeps; zero without a replica.
    pub fn first_offset(&self, partition: u16) -> u64 {
        self.replica(partition).map_or(0, |replica| replica.entries().first_offset())
    }

    /// Offset of the next view that it would append; zero without a replica.
    pub fn end_offset(&self, partition: u16) -> u64 {
        self.replica(partition).map_or(0, |replica| replica.entries().end_offset())
    }

    /// Offset up to which it knows views to be committed; zero without a replica.
    pub fn committed_offset(&self, partition: u16) -> u64 {
        self.replica(partition).map_or(0, Replica::committed_offset)
    }

    /// What it keeps of a partition and knows to be committed, in order. Some entries have no views.
    pub fn committed_entries(&self, partition: u16) -> impl Iterator<Item = &Entry> {
        self.replica(partition)
            .into_iter()
            .flat_map(|replica| replica.entries().range(replica.entries().first(), replica.committed()))
    }

    /// Bytes of the entries that it keeps, of all partitions.
    pub fn stored_bytes(&self) -> u64 {
        self.replicas.iter().flatten().map(|replica| replica.entries().bytes()).sum()
    }

    /// What coordinates the group, if this broker does.
    pub fn coordinator(&self) -> Option<&Coordinator> {
        self.coordinator.as_ref()
    }

    // What happens to it.

    pub fn on_start<P: ServiceHost>(&mut self, disk: &LogDisk, ctx: &mut Context<P>) {
        self.heard.fill(ctx.monotonic());
        for (replica, partition) in self.replicas.iter_mut().zip(0..) {
            if let Some(replica) = replica {
                replica.on_start(disk.partition(partition), ctx);
            }
        }
        self.arm(ctx);
    }

    fn arm<P: ServiceHost>(&self, ctx: &mut Context<P>) {
        ctx.set_timer(
            SimDuration(self.settings.log.heartbeat.0 / TICKS).max(SimDuration(1)),
            ServiceTimer::Tick,
        );
    }

    pub fn on_timer<P: ServiceHost>(&mut self, timer: ServiceTimer, ctx: &mut Context<P>) {
        if !matches!(timer, ServiceTimer::Tick) {
            return;
        }
        for replica in self.replicas.iter_mut().flatten() {
            replica.on_tick(ctx);
        }
        self.coordinate(ctx);
        if let Some(coordinator) = &mut self.coordinator {
            coordinator.on_tick(self.settings.log.session_timeout, ctx);
        }
        let now = ctx.monotonic();
        if let Sync::Interval(interval) = self.settings.log.sync
            && now.since(self.synced_at) >= interval
        {
            self.synced_at = now;
            ctx.disk_sync_background();
        }
        self.reconnect(ctx);
        self.arm(ctx);
    }

    /// Opens a new connection to brokers that have not been heard of for long.
    fn reconnect<P: ServiceHost>(&mut self, ctx: &mut Context<P>) {
        let (now, timeout) = (ctx.monotonic(), self.settings.log.election_timeout);
        for (broker, heard) in self.heard.iter_mut().enumerate() {
            if broker != self.index && now.since(*heard) >= timeout {
                *heard = now;
                ctx.reconnect(self.settings.nodes.brokers[broker]);
            }
        }
    }

    /// Takes the group over, or leaves it, with the lead of partition 0.
    fn coordinate<P: ServiceHost>(&mut self, ctx: &mut Context<P>) {
        let Some(Some(replica)) = self.replicas.first() else {
            return;
        };
        let term = replica.is_settled().then(|| replica.term());
        if term != self.coordinator.as_ref().map(Coordinator::term) {
            self.coordinator = term.map(|term| {
                Coordinator::new(&self.settings.log, term, replica.leads_first(), ctx.monotonic())
            });
        }
    }

    pub fn on_message<P: ServiceHost>(
        &mut self,
        from: NodeId,
        message: ServiceMessage,
        ctx: &mut Context<P>,
    ) {
        match message {
            ServiceMessage::Produce { ticket, partition, batch, acks } => match self.replica_mut(partition) {
                Some(replica) => replica.on_produce(from, ticket, batch, acks, ctx),
                None => refuse_batch(from, ticket, LogRefusal::NotLeader { hint: None }, ctx),
            },
            ServiceMessage::Fetch { ticket, partition, offset, views_max } => {
                match self.replica_mut(partition) {
                    Some(replica) => replica.on_fetch(from, ticket, offset, views_max, ctx),
                    None => fetched(from, ticket, Err(LogRefusal::NotLeader { hint: None }), ctx),
                }
            }
            ServiceMessage::Replica { partition, message } => {
                if let Some(broker) = self.settings.nodes.brokers.iter().position(|broker| *broker == from) {
                    self.heard[broker] = ctx.monotonic();
                }
                if let Some(replica) = self.replica_mut(partition) {
                    replica.on_message(from, message, ctx);
                }
            }
            ServiceMessage::MemberAlive { epoch, owned } => self.on_alive(from, epoch, &owned, ctx),
            ServiceMessage::MemberLeaves => {
                self.coordinate(ctx);
                if let Some(coordinator) = &mut self.coordinator {
                    coordinator.on_leaves(from, ctx);
                }
            }
            _ => {}
        }
    }

    fn on_alive<P: ServiceHost>(
        &mut self,
        from: NodeId,
        epoch: u64,
        owned: &[Assignment],
        ctx: &mut Context<P>,
    ) {
        self.coordinate(ctx);
        match &mut self.coordinator {
            Some(coordinator) => {
                if let Some((epoch, target)) = coordinator.on_alive(from, epoch, owned, ctx) {
                    ctx.send(from, ServiceMessage::Assigned { epoch, target });
                }
            }
            None => {
                let now = ctx.monotonic();
                let leader = self.replica(0).and_then(|replica| replica.leader(now));
                let hint = leader.filter(|leader| *leader != ctx.id());
                ctx.send(from, ServiceMessage::NotCoordinator { hint });
            }
        }
    }

    /// An operator has the group's partitions assigned anew; nothing happens unless this broker coordinates it.
    pub fn rebalance(&mut self) {
        if let Some(coordinator) = &mut self.coordinator {
            coordinator.assign_anew();
        }
    }

    /// Too much waited for the broker's cores: who asked is told.
    pub fn on_shed<P: ServiceHost>(&mut self, from: NodeId, message: ServiceMessage, ctx: &mut Context<P>) {
        match message {
            ServiceMessage::Produce { ticket, acks, .. } if acks != Acks::None => {
                refuse_batch(from, ticket, LogRefusal::Overloaded, ctx);
            }
            ServiceMessage::Fetch { ticket, .. } => fetched(from, ticket, Err(LogRefusal::Overloaded), ctx),
            _ => {}
        }
    }

    pub fn on_token<P: ServiceHost>(&mut self, token: ServiceToken, ctx: &mut Context<P>) {
        match token {
            ServiceToken::Synced { partition, index, cuts } => {
                if let Some(replica) = self.replica_mut(partition) {
                    replica.on_synced(index, cuts, ctx);
                }
            }
            ServiceToken::Voted { partition, number } => {
                if let Some(replica) = self.replica_mut(partition) {
                    replica.on_ballot(number, ctx);
                }
            }
            _ => {}
        }
    }

    fn replica_mut(&mut self, partition: u16) -> Option<&mut Replica> {
        self.replicas.get_mut(usize::from(partition))?.as_mut()
    }

    /// Core time of a message.
    pub fn service_time(&self, message: &ServiceMessage, stream: &mut Stream) -> SimDuration {
        let views = match message {
            ServiceMessage::Produce { batch, .. } => batch.views.len() as u64,
            ServiceMessage::Fetch { partition, offset, views_max, .. } => {
                self.replica(*partition).map_or(0, |replica| replica.views_at_hand(*offset, *views_max))
            }
            ServiceMessage::Replica { message, .. } => match message.views() {
                0 => return SimDuration::ZERO,
                views => views,
            },
            _ => return SimDuration::ZERO,
        };
        let log = &self.settings.log;
        log.batch_service.sample(stream) + SimDuration(log.view_service.0 * views)
    }
}
