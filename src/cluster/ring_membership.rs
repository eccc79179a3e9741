//! From a ring's part of a scenario to what its members are set up with.

use crate::engine::random::name_hash;
use crate::engine::{Purpose, SimDuration, Stream};
use crate::ring::failure_detector::FailureDetection;
use crate::ring::failure_detector::swim::SwimSettings;
use crate::ring::membership::{Direction, MembershipSettings};
use crate::ring::overlay::joined;
use crate::scenario::schema::{
    FailureDetectionSection, GossipMode, GossipPeers, PartitioningMode, ProbeOrder, RingSection,
};

/// Bytes of a node's state apart from its tokens: status, zone, version, schema, addresses. Illustrative.
const STATE_BYTES: u32 = 300;
const TOKEN_BYTES: u32 = 8;

/// The settings of the members of a ring.
pub(super) fn membership_settings(ring: &RingSection, seed: u64) -> MembershipSettings {
    let gossip = &ring.gossip;
    let mut stream = Stream::new(seed, Purpose::Overlay, name_hash(&ring.name));
    MembershipSettings {
        neighbours: joined((ring.nodes + ring.spares) as usize, gossip.neighbours as usize, &mut stream),
        with_everybody: gossip.peers == GossipPeers::Everybody,
        seeds: gossip.seeds as u16,
        with_the_dead: gossip.unreachable,
        direction: match gossip.mode {
            GossipMode::Push => Direction::Push,
            GossipMode::Pull => Direction::Pull,
            GossipMode::PushPull => Direction::PushPull,
        },
        with_deltas: gossip.delta,
        interval: SimDuration::from_ms_f64(gossip.interval_ms),
        fan_out: gossip.fan_out as usize,
        detection: detection(&ring.failure_detection),
    }
}

fn detection(section: &FailureDetectionSection) -> FailureDetection {
    match section {
        FailureDetectionSection::PhiAccrual(phi) => {
            FailureDetection::PhiAccrual { threshold: phi.threshold, window: phi.window }
        }
        FailureDetectionSection::TimeOut(time_out) => {
            FailureDetection::TimeOut(SimDuration::from_ms_f64(time_out.after_ms))
        }
        FailureDetectionSection::Swim(swim) => FailureDetection::Swim(SwimSettings {
            period: SimDuration::from_ms_f64(swim.period_ms),
            timeout: SimDuration::from_ms_f64(swim.timeout_ms),
            indirect: swim.indirect as usize,
            round_robin: swim.order == ProbeOrder::RoundRobin,
            suspicion_multiplier: swim.suspicion_multiplier,
            suspicion_max_multiplier: swim.suspicion_max_multiplier,
            retransmit_multiplier: swim.retransmit_multiplier,
            lifeguard: swim.lifeguard,
        }),
    }
}

/// What is gossiped of a node once for each of its starts.
pub(super) fn state_bytes(ring: &RingSection) -> u32 {
    let tokens = match ring.partitioning {
        PartitioningMode::EqualShares => ring.partitions / ring.nodes,
        PartitioningMode::ByToken | PartitioningMode::EqualRanges => ring.virtual_nodes,
    };
    STATE_BYTES + tokens * TOKEN_BYTES
}
