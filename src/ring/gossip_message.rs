//! What nodes of a ring say to each other about who is there, and how long it is.

use super::broadcasts::Told;
use super::gossip::{DIGEST_BYTES, Delta, RUMOUR_BYTES};
use super::rumour::Rumour;
use std::rc::Rc;

/// A message of gossip or of SWIM.
#[derive(Clone, PartialEq, Debug)]
pub enum GossipMessage {
    /// All that the sender has heard, as digests (Cassandra's SYN).
    Digests(Rc<[Rumour]>),
    /// What the sender knows better, and what it asks for (ACK).
    Comparison {
        newer: Rc<[Delta]>,
        wanted: Rc<[Rumour]>,
    },
    /// What was asked for (ACK2), or without deltas all that the sender has heard.
    Deltas {
        deltas: Rc<[Delta]>,
        asks_back: bool,
    },
    /// Are you there?
    Ping {
        number: u32,
        told: Rc<[Told]>,
    },
    /// Ask another node, and tell me what it says.
    PingRequest {
        number: u32,
        target: u16,
        told: Rc<[Told]>,
    },
    Acknowledgement {
        number: u32,
        told: Rc<[Told]>,
    },
    /// The other node has not answered yet.
    NegativeAcknowledgement {
        number: u32,
    },
}

impl GossipMessage {
    /// Bytes without a header; a node's state takes `state_bytes`.
    pub fn bytes(&self, state_bytes: u32) -> u32 {
        let deltas = |deltas: &[Delta]| {
            let states = deltas.iter().filter(|delta| delta.with_state).count();
            deltas.len() as u32 * RUMOUR_BYTES + states as u32 * state_bytes
        };
        // Of a rumour that rides along: its kind, and who says so.
        let told = |told: &[Told]| told.len() as u32 * (RUMOUR_BYTES + 3);
        match self {
            GossipMessage::Digests(digests) => digests.len() as u32 * DIGEST_BYTES,
            GossipMessage::Comparison { newer, wanted } => deltas(newer) + wanted.len() as u32 * DIGEST_BYTES,
            GossipMessage::Deltas { deltas: sent, .. } => deltas(sent),
            GossipMessage::Ping { told: along, .. } => 12 + told(along),
            GossipMessage::PingRequest { told: along, .. } => 19 + told(along),
            GossipMessage::Acknowledgement { told: along, .. } => 5 + told(along),
            GossipMessage::NegativeAcknowledgement { .. } => 5,
        }
    }
}
