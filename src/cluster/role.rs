//! The one enum of roles: what a node can be.
//!
//! Dispatch is static: a message that a role does not know is dropped, as a
//! server drops a packet that it cannot parse.

use super::message::{Control, Image, Message, Output, Timer, Token};
use crate::engine::{Context, Message as EngineMessage, NodeId, Process, SimDuration, Stream};
use crate::ring::message::{RingDisk, RingMessage};
use crate::ring::ring_node::RingNode;
use crate::service::broker::Broker;
use crate::service::collector::Collector;
use crate::service::event_log::record::LogDisk;
use crate::service::object_store::ObjectStore;
use crate::service::reader::{Reader, ReaderControl};
use crate::service::worker::{Worker, WorkerControl};
use crate::sql::backup_store::BackupStore;
use crate::sql::config_service::ConfigService;
use crate::sql::message::SqlMessage;
use crate::sql::mysql::{CopiedRows, Execute, MySql, Replayed};
use crate::sql::query_proxy::QueryProxy;
use crate::sql::record::{BackupDisk, ConfigDisk, MySqlDisk};
use crate::sql::settings::SqlSettings;
use crate::sql::shard_proxy::ShardProxy;
use crate::workload::client::Client;
use crate::workload::operation::{Cause, Put, Response};

/// Core time of the configuration service for any message.
const CONTROL_SERVICE: SimDuration = SimDuration(20_000);

/// What a node is.
#[derive(Clone)]
pub enum Role {
    Client(Box<Client>),
    QueryProxy(Box<QueryProxy>),
    Config(Box<ConfigService>),
    ShardProxy(Box<ShardProxy>),
    MySql(Box<MySql>),
    BackupStore(Box<BackupStore>),
    Ring(Box<RingNode>),
    Collector(Box<Collector>),
    Broker(Box<Broker>),
    Worker(Box<Worker>),
    Reader(Box<Reader>),
    ObjectStore(Box<ObjectStore>),
}

impl Role {
    pub fn as_broker(&self) -> Option<&Broker> {
        match self {
            Role::Broker(broker) => Some(broker),
            _ => None,
        }
    }

    pub fn as_worker(&self) -> Option<&Worker> {
        match self {
            Role::Worker(worker) => Some(worker),
            _ => None,
        }
    }

    pub fn as_mysql(&self) -> Option<&MySql> {
        match self {
            Role::MySql(server) => Some(server),
            _ => None,
        }
    }

    pub fn as_ring(&self) -> Option<&RingNode> {
        match self {
            Role::Ring(node) => Some(node),
            _ => None,
        }
    }

    pub fn as_config(&self) -> Option<&ConfigService> {
        match self {
            Role::Config(config) => Some(config),
            _ => None,
        }
    }

    pub fn as_client(&self) -> Option<&Client> {
        match self {
            Role::Client(client) => Some(client),
            _ => None,
        }
    }
}

impl Process for Role {
    type Message = Message;
    type Timer = Timer;
    type Token = Token;
    type Disk = Image;
    type Output = Output;
    type Control = Control;

    fn on_start(&mut self, disk: &Image, ctx: &mut Context<Self>) {
        match self {
            Role::Client(client) => client.on_start(ctx),
            Role::QueryProxy(proxy) => proxy.on_start(ctx),
            Role::ShardProxy(proxy) => proxy.on_start(ctx),
            Role::Config(config) => match disk {
                Image::Config(disk) => config.on_start(disk, ctx),
                _ => config.on_start(&ConfigDisk::default(), ctx),
            },
            Role::MySql(server) => match disk {
                Image::MySql(disk) => server.on_start(disk, ctx),
                _ => server.on_start(&MySqlDisk::default(), ctx),
            },
            Role::BackupStore(store) => match disk {
                Image::Backup(disk) => store.on_start(disk, ctx),
                _ => store.on_start(&BackupDisk::default(), ctx),
            },
            Role::Ring(node) => match disk {
                Image::Ring(disk) => node.on_start(disk, ctx),
                _ => node.on_start(&RingDisk::default(), ctx),
            },
            Role::Collector(collector) => collector.on_start(ctx),
            Role::Broker(broker) => match disk {
                Image::Log(disk) => broker.on_start(disk, ctx),
                _ => broker.on_start(&LogDisk::default(), ctx),
            },
            Role::Worker(worker) => worker.on_start(ctx),
            Role::Reader(reader) => reader.on_start(ctx),
            Role::ObjectStore(_) => {}
        }
    }

    #[inline]
    fn on_message(&mut self, from: NodeId, message: Message, ctx: &mut Context<Self>) {
        match (self, message) {
            (Role::Ring(node), Message::Request(request) | Message::Put(Put { request, .. }))
                if node.is_replaying() =>
            {
                ctx.send(from, Response::failed(request.id, Cause::Restoring));
            }
            (Role::Ring(node), _) if node.is_replaying() => {}
            (Role::Ring(node), Message::Ring(message)) => on_ring_message(node, from, message, ctx),
            (Role::Ring(node), Message::Request(request)) => node.on_request(from, request, ctx),
            (Role::Ring(node), Message::Put(put)) => {
                node.on_update(from, put.request, Some(put.context), ctx)
            }
            (Role::MySql(server), Message::Sql(message)) => on_mysql_message(server, from, message, ctx),
            (Role::Client(client), Message::Response(response)) => client.on_response(response, ctx),
            (Role::Client(client), Message::Got(got)) => client.on_got(&got, ctx),
            (Role::Client(client), Message::Topology(topology)) => client.on_topology(topology),
            (Role::QueryProxy(proxy), Message::Request(request)) => proxy.on_request(from, request, ctx),
            (Role::QueryProxy(proxy), Message::Sql(message)) => match message {
                SqlMessage::QueryReply { ticket, response } => proxy.on_reply(ticket, response, ctx),
                SqlMessage::Rows { ticket, response, rows } => proxy.on_rows(ticket, response, &rows, ctx),
                SqlMessage::Map(map) => proxy.on_map(map, ctx),
                _ => {}
            },
            (Role::ShardProxy(proxy), Message::Sql(message)) => match message {
                SqlMessage::Query { ticket, request, stamp, remaining } => {
                    proxy.on_query(from, ticket, request, stamp, remaining, ctx);
                }
                SqlMessage::ExecuteReply { ticket, response, executed } => {
                    proxy.on_reply(ticket, response, executed, ctx);
                }
                SqlMessage::Rows { ticket, response, rows } => proxy.on_rows(ticket, response, rows, ctx),
                SqlMessage::Lag { executed, lag } => proxy.on_lag(from, executed, lag),
                SqlMessage::Map(map) => proxy.on_map(map),
                _ => {}
            },
            (Role::Collector(collector), Message::Request(request)) => {
                collector.on_request(from, request, ctx)
            }
            (Role::Collector(collector), Message::Service(message)) => {
                collector.on_message(from, message, ctx)
            }
            (Role::Broker(broker), Message::Service(message)) => broker.on_message(from, message, ctx),
            (Role::Worker(worker), Message::Service(message)) => worker.on_message(message, ctx),
            (Role::Worker(worker), Message::Response(response)) => worker.on_response(&response, ctx),
            (Role::Reader(reader), Message::Request(request)) => reader.on_request(from, request, ctx),
            (Role::Reader(reader), Message::Response(response)) => reader.on_response(&response, ctx),
            (Role::Reader(reader), Message::Service(message)) => reader.on_message(&message, ctx),
            (Role::Reader(reader), Message::Selected(selected)) => reader.on_selected(&selected, ctx),
            (Role::ObjectStore(store), Message::Service(message)) => store.on_message(from, message, ctx),
            (Role::Config(config), Message::Sql(message)) => config.on_message(from, message, ctx),
            (Role::BackupStore(store), Message::Sql(message)) => {
                on_backup_message(store, from, message, ctx);
            }
            _ => {}
        }
    }

    fn on_timer(&mut self, timer: Timer, ctx: &mut Context<Self>) {
        match (self, timer) {
            (Role::Client(client), Timer::Client(timer)) => client.on_timer(timer, ctx),
            (Role::QueryProxy(proxy), Timer::Sql(timer)) => proxy.on_timer(timer, ctx),
            (Role::ShardProxy(proxy), Timer::Sql(timer)) => proxy.on_timer(timer, ctx),
            (Role::Config(config), Timer::Sql(timer)) => config.on_timer(timer, ctx),
            (Role::MySql(server), Timer::Sql(timer)) => server.on_timer(timer, ctx),
            (Role::BackupStore(store), Timer::Sql(_)) => store.on_timer(ctx),
            (Role::Ring(node), Timer::Ring(timer)) => node.on_timer(timer, ctx),
            (Role::Collector(collector), Timer::Service(timer)) => collector.on_timer(timer, ctx),
            (Role::Broker(broker), Timer::Service(timer)) => broker.on_timer(timer, ctx),
            (Role::Worker(worker), Timer::Service(timer)) => worker.on_timer(timer, ctx),
            (Role::Reader(reader), Timer::Service(timer)) => reader.on_timer(timer, ctx),
            (Role::ObjectStore(store), Timer::Service(timer)) => store.on_timer(timer, ctx),
            _ => {}
        }
    }

    fn on_done(&mut self, token: Token, ctx: &mut Context<Self>) {
        match (self, token) {
            (Role::MySql(server), Token::Sql(token)) => server.on_token(token, ctx),
            (Role::Config(config), Token::Sql(token)) => config.on_token(token, ctx),
            (Role::Ring(node), Token::Ring(token)) => node.on_token(token, ctx),
            (Role::Broker(broker), Token::Service(token)) => broker.on_token(token, ctx),
            (Role::Worker(worker), Token::Service(token)) => worker.on_token(token, ctx),
            _ => {}
        }
    }

    fn on_shed(&mut self, from: NodeId, message: Message, ctx: &mut Context<Self>) {
        match message {
            Message::Request(request) | Message::Put(Put { request, .. }) => {
                ctx.send(from, Response::failed(request.id, Cause::Overloaded));
            }
            Message::Sql(SqlMessage::Query { ticket, request, .. }) => {
                let response = Response::failed(request.id, Cause::Overloaded);
                ctx.send(from, SqlMessage::QueryReply { ticket, response });
            }
            Message::Sql(SqlMessage::Execute { ticket, request, .. }) => {
                let response = Response::failed(request.id, Cause::Overloaded);
                ctx.send(from, SqlMessage::ExecuteReply { ticket, response, executed: 0 });
            }
            Message::Service(message) => {
                if let Role::Broker(broker) = self {
                    broker.on_shed(from, message, ctx);
                }
            }
            // A coordinator waits for the others; health checks and gossip are missed.
            _ => {}
        }
    }

    fn on_broken(&mut self, _peer: NodeId, _ctx: &mut Context<Self>) {
        // Every request has a time-out of its own, and a replica asks anew when
        // its source has been silent: nothing more is to be done.
    }

    fn on_control(&mut self, control: Control, ctx: &mut Context<Self>) {
        match (self, control) {
            (Role::Client(client), Control::Client(control)) => client.on_control(control, ctx),
            (Role::Config(config), Control::Admin(admin)) => config.on_admin(admin, ctx),
            (Role::Ring(node), Control::Ring(admin)) => node.on_admin(admin, ctx),
            (Role::Worker(worker), Control::Workers(control)) => worker.on_control(control, ctx),
            (Role::Reader(reader), Control::Readers(control)) => reader.on_control(control, ctx),
            (Role::Worker(worker), Control::Bug(device)) => {
                worker.on_control(WorkerControl::Deploy { leaves_out_device: device }, ctx);
            }
            (Role::Reader(reader), Control::Bug(device)) => {
                reader.on_control(ReaderControl::Deploy { leaves_out_device: device }, ctx);
            }
            (Role::Worker(worker), Control::AddField { .. }) => {
                worker.on_control(WorkerControl::AddField, ctx);
            }
            (Role::Reader(reader), Control::AddField { after }) => {
                reader.on_control(ReaderControl::AddField { after }, ctx);
            }
            (Role::Broker(broker), Control::Rebalance) => broker.rebalance(),
            _ => {}
        }
    }

    #[inline]
    fn service_time(
        &self,
        from: NodeId,
        message: &Message,
        waited: SimDuration,
        stream: &mut Stream,
    ) -> SimDuration {
        match (self, message) {
            (Role::Ring(node), message) => ring_service(node, from, message, stream),
            (Role::QueryProxy(proxy), Message::Request(_)) => {
                proxy.service_time(stream) + encryption(proxy.settings(), message)
            }
            (Role::QueryProxy(proxy), Message::Sql(SqlMessage::Rows { rows, .. })) => {
                QueryProxy::merge_time(rows) + encryption(proxy.settings(), message)
            }
            (Role::QueryProxy(proxy), _) => encryption(proxy.settings(), message),
            (Role::ShardProxy(proxy), Message::Sql(SqlMessage::Query { remaining, .. })) => {
                proxy.service_time(*remaining, waited, stream) + encryption(proxy.settings(), message)
            }
            (Role::ShardProxy(proxy), _) => encryption(proxy.settings(), message),
            (Role::MySql(server), Message::Sql(sql)) => {
                server.service_time(sql, waited, stream) + encryption(server.settings(), message)
            }
            (Role::Collector(collector), Message::Request(_)) => collector.service_time(stream),
            (Role::Broker(broker), Message::Service(message)) => broker.service_time(message, stream),
            (Role::Worker(worker), Message::Service(message)) => worker.service_time(message, stream),
            (Role::Worker(_), Message::Response(_)) => Worker::answer_time(),
            (Role::Reader(reader), Message::Request(_)) => reader.service_time(stream),
            (Role::Reader(_), Message::Response(_)) => Reader::answer_time(0),
            (Role::Reader(_), Message::Selected(selected)) => Reader::answer_time(selected.rows.len()),
            (Role::Config(_), _) => CONTROL_SERVICE,
            (Role::BackupStore(store), _) => encryption(store.settings(), message),
            _ => SimDuration::ZERO,
        }
    }
}

/// Core time for TLS.
fn encryption(settings: &SqlSettings, message: &Message) -> SimDuration {
    settings.encryption.of_message(|| message.bytes())
}

fn on_ring_message(node: &mut RingNode, from: NodeId, message: RingMessage, ctx: &mut Context<Role>) {
    match message {
        RingMessage::Write { ticket, key, row, owner, view } => {
            node.on_write(from, ticket, (key, &row), (owner, view), ctx);
        }
        RingMessage::Refused { ticket, places } => node.on_refused(from, ticket, &places, ctx),
        RingMessage::StreamPull(pull) => node.on_stream_pull(pull, ctx),
        RingMessage::StreamChunk { pull, rows, next } => {
            node.on_stream_chunk(from, pull, &rows, next, ctx);
        }
        RingMessage::WriteAcknowledged { ticket } => node.on_write_acknowledged(from, ticket, ctx),
        RingMessage::Read { ticket, key, is_digest } => node.on_read(from, ticket, key, is_digest, ctx),
        RingMessage::ReadReply { ticket, row, is_digest } => {
            node.on_read_reply(from, ticket, &row, is_digest, ctx);
        }
        RingMessage::Repair { key, row, ticket } => node.on_repair(from, (key, &row), ticket, ctx),
        RingMessage::ReadSlice { ticket, slice, is_digest } => {
            node.on_read_slice(from, ticket, slice, is_digest, ctx);
        }
        RingMessage::Slice { ticket, rows, stamp } => node.on_slice(from, ticket, rows, stamp, ctx),
        RingMessage::RepairSlice { rows, ticket } => node.on_repair_slice(from, &rows, ticket, ctx),
        RingMessage::RepairAcknowledged { ticket } => node.on_repaired(from, ticket, ctx),
        RingMessage::Hint { key, row } => node.on_hint(from, key, &row, ctx),
        RingMessage::HintStored { key, stamp } => node.on_hint_stored(from, key, stamp, ctx),
        RingMessage::TreeRequest => node.on_tree_request(from, ctx),
        RingMessage::Tree { leaves } => node.on_tree(from, leaves, ctx),
        RingMessage::Sync { leaves, rows } => node.on_sync(from, leaves, &rows, ctx),
        RingMessage::Forward { client, request, context } => node.serve(client, request, context, ctx),
        RingMessage::Prepare { ticket, key, ballot } => node.on_prepare(from, ticket, key, ballot, ctx),
        RingMessage::Promise { ticket, ballot, promised, row, is_committed } => {
            node.on_promise(from, ticket, (ballot, promised), (&row, is_committed), ctx);
        }
        RingMessage::Propose { ticket, key, ballot, row } => {
            node.on_propose(from, ticket, (key, ballot), row, ctx);
        }
        RingMessage::Accepted { ticket, ballot, promised } => {
            node.on_accepted(from, ticket, (ballot, promised), ctx);
        }
        RingMessage::Gossip { message, places, .. } => {
            node.on_gossip(from, &message, places.as_ref(), ctx);
        }
    }
}

fn on_mysql_message(server: &mut MySql, from: NodeId, message: SqlMessage, ctx: &mut Context<Role>) {
    match message {
        SqlMessage::Execute { ticket, request, epoch, remaining, wait } => {
            server.on_execute(from, Execute { ticket, request, epoch, remaining, wait }, ctx);
        }
        SqlMessage::LagProbe => server.on_lag_probe(from, ctx),
        SqlMessage::Lag { lag, .. } => server.on_lag(from, lag),
        SqlMessage::Alter { number } => server.on_alter(from, number, ctx),
        SqlMessage::BackupPull { after } => server.on_backup_pull(from, after, ctx),
        SqlMessage::Restore { number, epoch, to } => server.on_restore(from, number, epoch, to, ctx),
        SqlMessage::BackupLog { after, entries, is_last } => {
            server.on_backup_log(after, entries, is_last, ctx);
        }
        SqlMessage::NoBackup => server.on_no_backup(ctx),
        SqlMessage::GiveUpAlter { number } => server.on_give_up_alter(number, ctx),
        SqlMessage::Replicate { epoch, entry, source_sequence } => {
            server.on_replicate(from, epoch, &[entry], source_sequence, ctx);
        }
        SqlMessage::Batch { epoch, entries, source_sequence } => {
            server.on_replicate(from, epoch, &entries, source_sequence, ctx);
        }
        SqlMessage::Acknowledge { epoch, sequence } => server.on_acknowledge(from, epoch, sequence, ctx),
        SqlMessage::SourceAlive { epoch, sequence, local_time } => {
            server.on_source_alive(from, epoch, sequence, local_time, ctx);
        }
        SqlMessage::Pull { position } => server.on_pull(from, position, ctx),
        SqlMessage::SnapshotOffer { position, taken, epochs, outline } => {
            server.on_snapshot_offer(from, (position, taken), epochs, outline, ctx);
        }
        SqlMessage::SnapshotPull { page } => server.on_snapshot_pull(from, page, ctx),
        SqlMessage::SnapshotPage { page, rows } => server.on_snapshot_page(from, page, rows, ctx),
        SqlMessage::Ping { round } => {
            if let Some(pong) = server.pong(round) {
                ctx.send(from, SqlMessage::Pong(pong));
            }
        }
        SqlMessage::Promote { epoch, at_least } => server.on_promote(from, epoch, at_least, ctx),
        SqlMessage::Shard { version, entry } => server.on_shard(version, &entry, ctx),
        SqlMessage::LeaseGranted { epoch, asked, length } => server.on_lease_granted(epoch, asked, length),
        SqlMessage::Import { id, source, range, upto } => {
            server.on_import(from, id, source, range, upto, ctx)
        }
        SqlMessage::Freeze { id, attempt, range } => server.on_freeze(from, id, attempt, range, ctx),
        SqlMessage::Thaw { id, attempt } => server.on_thaw(id, attempt),
        SqlMessage::Forget { id } => server.on_forget(id, ctx),
        SqlMessage::CopyPull { id, range, from: place } => server.on_copy_pull(from, id, range, place, ctx),
        SqlMessage::CopyRows { id, from: place, rows, next, sequence } => {
            server.on_copy_rows(from, id, CopiedRows { from: place, rows: &rows, next, sequence }, ctx);
        }
        SqlMessage::ReplayPull { id, range, after } => server.on_replay_pull(from, id, range, after, ctx),
        SqlMessage::Replay { id, after, entries, upto, end } => {
            server.on_replay(from, id, Replayed { after, entries: entries.as_deref(), upto, end }, ctx);
        }
        _ => {}
    }
}

fn on_backup_message(store: &mut BackupStore, from: NodeId, message: SqlMessage, ctx: &mut Context<Role>) {
    match message {
        SqlMessage::BackupEntries { entries, end } => store.on_entries(from, entries, end, ctx),
        SqlMessage::SnapshotOffer { position, taken, epochs, outline } => {
            store.on_snapshot_offer(from, (position, taken), epochs, outline, ctx);
        }
        SqlMessage::SnapshotPage { page, rows } => store.on_snapshot_page(from, page, rows, ctx),
        SqlMessage::Fetch { shard, taken, to, fetch } => store.on_fetch(from, shard, (taken, to), fetch, ctx),
        _ => {}
    }
}

fn ring_service(node: &RingNode, from: NodeId, message: &Message, stream: &mut Stream) -> SimDuration {
    let settings = node.settings();
    let encryption = &settings.encryption;
    let service = match message {
        Message::Request(_) | Message::Put(_) | Message::Ring(RingMessage::Forward { .. }) => {
            settings.coordinator_service.sample(stream)
        }
        Message::Ring(RingMessage::Prepare { .. }) => settings.read_service.sample(stream),
        Message::Ring(RingMessage::Propose { .. }) => {
            settings.write_service.sample(stream) + encryption.per_io
        }
        Message::Ring(RingMessage::Write { .. } | RingMessage::Repair { .. } | RingMessage::Hint { .. }) => {
            settings.write_service.sample(stream) + encryption.per_io
        }
        Message::Ring(
            RingMessage::Sync { rows, .. }
            | RingMessage::StreamChunk { rows, .. }
            | RingMessage::RepairSlice { rows, .. },
        ) => {
            let each = settings.write_service.sample(stream) + encryption.per_io;
            SimDuration(each.0.saturating_mul(rows.len() as u64))
        }
        Message::Ring(RingMessage::Read { .. }) => settings.read_service.sample(stream),
        Message::Ring(RingMessage::ReadSlice { slice, .. }) => {
            let rows = SimDuration(settings.row_service.sample(stream).0 * u64::from(slice.rows));
            settings.read_service.sample(stream) + rows
        }
        Message::Ring(RingMessage::Gossip { .. }) => settings.gossip_service.sample(stream),
        _ => SimDuration::ZERO,
    };
    // What a coordinator asks of itself crosses no network.
    if settings.nodes[usize::from(node.index())] == from {
        return service;
    }
    service + encryption.of_message(|| message.bytes())
}
