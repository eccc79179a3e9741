//! What stands in front of a database: event log, processing service, read service.
//!
//! ```text
//! viewers ─► collectors ─► event log: partitions on brokers ─► workers ─► database ◄─ readers ◄─ viewers
//!                                                                 └► object store ◄──┘
//! ```
//!
//! Read in this order: [`view`] (what happens), [`tables`] (what is stored of it), [`settings`], [`message`];
//! then the roles along the path: [`event_log`], [`worker`], [`object_store`].

pub mod event_log;
pub mod message;
pub mod object_store;
pub mod settings;
pub mod tables;
pub mod view;
pub mod worker;
