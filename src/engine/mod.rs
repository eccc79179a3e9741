//! The discrete-event engine. It knows no database.
//!
//! Read in this order: [`time`], [`queue`], [`random`], [`distribution`];
//! [`process`] (what a node is), [`machine`], [`disk`], [`network`], [`fault`];
//! [`event`], [`kernel`], [`world`] (the loop), [`trace`] (its fingerprint).
//! [`encryption`] says what it costs. [`paged`], [`paged_log`], [`lru`] and [`pending`] are containers that processes build on.

pub mod disk;
pub mod distribution;
pub mod encryption;
pub mod event;
pub mod fault;
pub mod kernel;
pub mod lru;
pub mod machine;
pub mod network;
pub mod node;
pub mod order;
pub mod paged;
pub mod paged_log;
pub mod pending;
pub mod process;
pub mod queue;
pub mod random;
pub mod table;
pub mod time;
pub mod trace;
pub mod world;

pub use disk::{DiskImage, DiskSpeed, File};
pub use distribution::{Distribution, DistributionError};
pub use encryption::Encryption;
pub use fault::{FaultId, FaultKind, NodeSet, Touched};
pub use network::NetworkSpec;
pub use node::{NodeId, NodeSpec};
pub use paged::PagedVec;
pub use paged_log::PagedLog;
pub use pending::{PendingTable, Ticket};
pub use process::{Context, Message, Output, Process, Transport};
pub use queue::EventQueue;
pub use random::{Purpose, Stream};
pub use time::{SimDuration, SimTime};
pub use world::World;
