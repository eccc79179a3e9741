//! The sharded SQL cluster.
//!
//! In the order in which a query meets them: [`query_proxy`], [`shard_proxy`]
//! with its [`result_cache`], [`mysql`] with its [`tables`] and [`binlog`]; beside them the
//! [`config_service`], which holds the [`shard_map`], and a [`backup_store`] with its [`backup_archive`]. [`message`], [`event`],
//! [`record`] and [`settings`] are what they share.

pub mod backup_archive;
pub mod backup_store;
pub mod binlog;
pub mod config_service;
pub mod event;
mod map_requests;
pub mod message;
pub mod mysql;
pub mod query_proxy;
pub mod record;
pub mod result_cache;
pub mod settings;
pub mod shard_map;
pub mod shard_proxy;
pub mod tables;
