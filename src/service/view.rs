//! A view of a video, as an event.

use crate::engine::SimTime;
use crate::engine::random::mix;
use crate::workload::client::MALFORMED_ROWS;
use crate::workload::operation::{KeyId, OperationId, Request};
use std::rc::Rc;

/// Kinds of devices that videos are watched on: the field by which views are sliced.
pub const DEVICES: usize = 4;

/// Somebody watched a video.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct View {
    /// Of the operation that reported it: unique.
    pub id: OperationId,
    pub video: KeyId,
    /// When, by the viewer's clock (which is right).
    pub at: SimTime,
    /// Below [`DEVICES`].
    pub device: u8,
    /// Which of the video's sub-counts it goes to.
    pub sub_count: u8,
    /// Nobody can make sense of it.
    pub is_malformed: bool,
}

impl View {
    /// As a viewer reports it: `after` of the request is the time.
    pub fn of(request: &Request) -> View {
        View {
            id: request.id,
            video: request.key,
            at: SimTime(request.after),
            device: (mix(request.id.0) % DEVICES as u64) as u8,
            sub_count: 0,
            is_malformed: request.rows == MALFORMED_ROWS,
        }
    }
}

/// Bytes of one view on the wire and on disk: a name, a time, a device, a session.
pub const VIEW_BYTES: u32 = 100;

/// Views that a producer sends together.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Batch {
    /// One run of one producer; zero of a producer that is not idempotent.
    pub producer: u64,
    /// Of the producer's batches to this partition, from 1.
    pub sequence: u32,
    pub views: Rc<[View]>,
}

impl Batch {
    pub fn bytes(&self) -> u32 {
        61 + VIEW_BYTES * self.views.len() as u32
    }
}
