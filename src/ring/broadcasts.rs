//! Rumours that ride on other messages, each so often.
//!
//! SWIM carries changes of membership on its pings and acknowledgements (DSN 2002,
//! section 4.1): those that were sent least often first, each a multiple of the
//! logarithm of the cluster's size (memberlist, `TransmitLimitedQueue`).

use super::rumour::Rumour;
use crate::engine::order::places_by;

/// Rumours that one message carries at most: a datagram of 1,400 bytes (memberlist, `UDPBufferSize`).
pub const RUMOURS_A_MESSAGE_MAX: usize = 60;
/// Rumours that wait at most; the one that was sent most often goes.
const WAITING_MAX: usize = 1_024;

/// A rumour with whom it comes from: who suspects matters, to those who count how many do.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Told {
    pub rumour: Rumour,
    pub by: u16,
}

#[derive(Clone, Copy, Debug)]
struct Waiting {
    told: Told,
    sent: u32,
}

/// The rumours that a node still has to pass on.
#[derive(Clone, Debug, Default)]
pub struct Broadcasts(Vec<Waiting>);

impl Broadcasts {
    /// Passes a rumour on from now on; older ones about the same node are void.
    pub fn add(&mut self, told: Told) {
        self.0.retain(|waiting| {
            let other = &waiting.told;
            other.rumour.node != told.rumour.node
                || other.rumour.is_same_as(&told.rumour) && other.by != told.by
        });
        if self.0.len() == WAITING_MAX {
            let most = self.0.iter().enumerate().max_by_key(|(_, waiting)| waiting.sent);
            let at = most.map_or(0, |(at, _)| at);
            self.0.remove(at);
        }
        self.0.push(Waiting { told, sent: 0 });
    }

    /// The rumours for one message; each is taken `limit` times at most.
    pub fn take(&mut self, limit: u32) -> Vec<Told> {
        // Stable: of equally many times, the one that waits longest.
        let order = places_by(self.0.len(), |at| u64::from(self.0[at].sent));
        self.0 = order.into_iter().map(|at| self.0[at as usize]).collect();
        let taken = self.0.iter_mut().take(RUMOURS_A_MESSAGE_MAX);
        let told = taken
            .map(|waiting| {
                waiting.sent += 1;
                waiting.told
            })
            .collect();
        self.0.retain(|waiting| waiting.sent < limit);
        told
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// How often a rumour is sent in a cluster of `nodes`: multiplier × ⌈log10(nodes + 1)⌉
/// (memberlist, `retransmitLimit` in `util.go`).
pub fn retransmit_limit(multiplier: u32, nodes: usize) -> u32 {
    multiplier * libm::ceil(libm::log10(nodes as f64 + 1.0)) as u32
}
