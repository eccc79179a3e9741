//! One replica of one partition.

use crate::service::view::Batch;
use std::rc::Rc;

/// A batch in the log, at its offset.
#[derive(Clone, Debug)]
pub struct Stored {
    /// Offset of its first view.
    pub base: u64,
    pub batch: Rc<Batch>,
}

/// What replicas of a partition say to each other.
#[derive(Clone, Debug)]
pub enum ReplicaMessage {}

impl ReplicaMessage {
    pub fn bytes(&self) -> u32 {
        match *self {}
    }
}
