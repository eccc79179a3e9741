//! What stands in front of a database: event log, processing service, read service.
//!
//! ```text
//! viewers ─► collectors ─► event log: partitions on brokers ─► workers ─► database ◄─ readers ◄─ viewers
//!                                                                 └► object store ◄──┘
//! ```
//!
//! Read in this order: [`view`] (what happens), [`tables`] (what is stored of it), [`settings`], [`message`];
//! then the roles along the path: [`collector`], [`broker`] and its [`event_log`], [`worker`], [`object_store`].

pub mod broker;
pub mod collector;
pub mod event_log;
pub mod hot_videos;
pub mod message;
pub mod object_store;
pub mod reader;
pub mod settings;
pub mod tables;
pub mod view;
pub mod worker;
