//! The one enum of messages, and the other sums over all parts of a cluster.

use crate::engine::{DiskImage, Message as EngineMessage, Output as EngineOutput, SimDuration, Transport};
use crate::ring::message::{RingDisk, RingEvent, RingMessage, RingRecord, RingTimer, RingToken};
use crate::ring::place::RingAdmin;
use crate::service::event_log::record::{LogDisk, LogRecord};
use crate::service::message::{ServiceEvent, ServiceMessage, ServiceTimer, ServiceToken};
use crate::service::reader::ReaderControl;
use crate::service::worker::WorkerControl;
use crate::sql::event::{Admin, SqlEvent, SqlTimer, SqlToken};
use crate::sql::message::SqlMessage;
use crate::sql::record::{BackupDisk, ConfigDisk, MySqlDisk, SqlRecord};
use crate::workload::client::{ClientControl, ClientEvent, ClientTimer};
use crate::workload::client::{
    Topology, got_bytes, put_bytes, request_bytes, response_bytes, topology_bytes,
};
use crate::workload::operation::{Got, Put, Request, Response, Selected};
use std::rc::Rc;

/// Anything that travels in a cluster.
#[derive(Clone, Debug)]
pub enum Message {
    /// From a client.
    Request(Request),
    /// To a client.
    Response(Response),
    /// From a client to a ring that keeps siblings, and back.
    Put(Put),
    Got(Got),
    /// To the clients of a ring that has changed.
    Topology(Rc<Topology>),
    /// To a service that asked for rows.
    Selected(Selected),
    Sql(SqlMessage),
    Ring(RingMessage),
    Service(ServiceMessage),
}

/// Classes of messages to and from clients; the others are with their clusters.
pub const CLASS_REQUEST: u8 = 1;
pub const CLASS_RESPONSE: u8 = 2;

impl EngineMessage for Message {
    fn transport(&self) -> Transport {
        match self {
            Message::Request(_)
            | Message::Response(_)
            | Message::Put(_)
            | Message::Got(_)
            | Message::Selected(_)
            | Message::Topology(_) => Transport::Pooled,
            Message::Sql(message) => message.transport(),
            Message::Ring(message) => message.transport(),
            Message::Service(message) => message.transport(),
        }
    }

    fn class(&self) -> u8 {
        match self {
            Message::Request(_) | Message::Put(_) => CLASS_REQUEST,
            Message::Response(_) | Message::Got(_) | Message::Selected(_) | Message::Topology(_) => {
                CLASS_RESPONSE
            }
            Message::Sql(message) => message.class(),
            Message::Ring(message) => message.class(),
            Message::Service(message) => message.class(),
        }
    }

    fn bytes(&self) -> u32 {
        match self {
            Message::Request(request) => request_bytes(request),
            Message::Response(response) => response_bytes(response),
            Message::Put(put) => put_bytes(put),
            Message::Got(got) => got_bytes(got),
            Message::Topology(topology) => topology_bytes(topology),
            Message::Selected(selected) => {
                response_bytes(&selected.response) + 16 * selected.rows.len() as u32
            }
            Message::Sql(message) => message.bytes(),
            Message::Ring(message) => message.bytes(),
            Message::Service(message) => message.bytes(),
        }
    }
}

/// Any timer.
#[derive(Clone, Copy, Debug)]
pub enum Timer {
    Client(ClientTimer),
    Sql(SqlTimer),
    Ring(RingTimer),
    Service(ServiceTimer),
}

/// What a node can be told from outside.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Control {
    Client(ClientControl),
    Admin(Admin),
    Ring(RingAdmin),
    Workers(WorkerControl),
    Readers(ReaderControl),
    /// Workers and readers: a version goes out that leaves the views of a device out where it counts, or one that
    /// leaves none out.
    Bug(Option<u8>),
    /// Workers and readers: rows get a field more, which readers know from then on.
    AddField {
        after: SimDuration,
    },
    /// The coordinator of the group of workers deals all partitions out anew.
    Rebalance,
    /// Nothing: what was begun is not taken back.
    Nothing,
}

/// Any completion.
#[derive(Clone, Copy, Debug)]
pub enum Token {
    Sql(SqlToken),
    Ring(RingToken),
    Service(ServiceToken),
}

/// Anything reported to whoever watches.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Output {
    Client(ClientEvent),
    Sql(SqlEvent),
    Ring(RingEvent),
    Service(ServiceEvent),
}

impl EngineOutput for Output {
    fn word(&self) -> u64 {
        match self {
            Output::Client(event) => event.word(),
            Output::Sql(event) => event.word() ^ 1 << 63,
            Output::Ring(event) => event.word() ^ 1 << 62,
            Output::Service(event) => event.word() ^ 3 << 62,
        }
    }
}

/// The content of any disk; which one it is is decided by the first record.
#[derive(Clone, Default)]
pub enum Image {
    #[default]
    Empty,
    MySql(MySqlDisk),
    Config(ConfigDisk),
    Backup(BackupDisk),
    Ring(RingDisk),
    Log(LogDisk),
}

/// A record of any disk.
#[derive(Clone)]
pub enum Record {
    Sql(SqlRecord),
    Ring(RingRecord),
    Log(LogRecord),
}

impl DiskImage for Image {
    type Record = Record;

    fn apply(&mut self, record: Record) {
        match record {
            Record::Sql(SqlRecord::MySql(record)) => {
                if !matches!(self, Image::MySql(_)) {
                    *self = Image::MySql(MySqlDisk::default());
                }
                if let Image::MySql(disk) = self {
                    disk.apply(record);
                }
            }
            Record::Sql(SqlRecord::Config(record)) => {
                *self = Image::Config(ConfigDisk { record: Some(record) });
            }
            Record::Sql(SqlRecord::Backup(record)) => {
                if !matches!(self, Image::Backup(_)) {
                    *self = Image::Backup(BackupDisk::default());
                }
                if let Image::Backup(disk) = self {
                    disk.apply(&record);
                }
            }
            Record::Log(record) => {
                if !matches!(self, Image::Log(_)) {
                    *self = Image::Log(LogDisk::default());
                }
                if let Image::Log(disk) = self {
                    disk.apply(record);
                }
            }
            Record::Ring(record) => {
                if !matches!(self, Image::Ring(_)) {
                    *self = Image::Ring(RingDisk::default());
                }
                if let Image::Ring(disk) = self {
                    disk.apply(record);
                }
            }
        }
    }
}

macro_rules! from_variants {
    ($($sum:ident :: $variant:ident ( $part:ty )),* $(,)?) => {
        $(impl From<$part> for $sum {
            #[inline]
            fn from(part: $part) -> $sum {
                $sum::$variant(part)
            }
        })*
    };
}

from_variants! {
    Message::Request(Request),
    Message::Response(Response),
    Message::Put(Put),
    Message::Got(Got),
    Message::Topology(Rc<Topology>),
    Message::Selected(Selected),
    Message::Sql(SqlMessage),
    Message::Ring(RingMessage),
    Message::Service(ServiceMessage),
    Timer::Client(ClientTimer),
    Timer::Sql(SqlTimer),
    Timer::Ring(RingTimer),
    Timer::Service(ServiceTimer),
    Token::Sql(SqlToken),
    Token::Ring(RingToken),
    Token::Service(ServiceToken),
    Output::Client(ClientEvent),
    Output::Sql(SqlEvent),
    Output::Ring(RingEvent),
    Output::Service(ServiceEvent),
    Record::Sql(SqlRecord),
    Record::Ring(RingRecord),
    Record::Log(LogRecord),
}
