//! Which replicas a coordinator sends an operation to.

use super::RingNode;
use crate::engine::Stream;
use crate::ring::settings::Contact;

impl RingNode {
    /// The places in `replicas` of those that are contacted, as bits: all that are believed alive, or of
    /// those as many as are `needed`, at random. Fewer than needed if fewer are believed alive.
    pub(super) fn contacted(&self, replicas: &[u16], needed: usize, random: &mut Stream) -> u32 {
        let alive = |replica: &u16| self.gossip.believes_alive(*replica);
        let places = replicas.iter().enumerate().filter(|(_, replica)| alive(replica));
        let mut contacted = places.fold(0_u32, |bits, (place, _)| bits | 1 << place);
        if self.settings.contact == Contact::Quorum {
            while contacted.count_ones() as usize > needed {
                contacted = without_one(contacted, random.below(contacted.count_ones()));
            }
        }
        contacted
    }
}

/// The bits without one of those that are set, counted from the lowest.
fn without_one(bits: u32, which: u32) -> u32 {
    let above = (0..which).fold(bits, |left, _| left & (left - 1));
    bits ^ (above & above.wrapping_neg())
}
