//! What small worlds are built from: plain machines and a plain network.

use faultline::engine::{DiskSpeed, Distribution, NetworkSpec, NodeSpec, SimDuration};

/// A machine in zone 0 with a default disk and a right clock.
pub fn machine(name: &str, cores: u16, queue_limit: u32) -> NodeSpec {
    NodeSpec {
        name: name.to_string(),
        zone: 0,
        cores,
        queue_limit,
        disk: DiskSpeed::default(),
        clock_offset_ns: 0,
    }
}

/// One zone, one delay for all messages, nothing lost, no limit on bandwidth,
/// connections that are given up after ten seconds.
pub fn network(delay: Distribution) -> NetworkSpec {
    NetworkSpec {
        zones: 1,
        regions: vec![0],
        delays: vec![delay],
        local_delay: Distribution::constant_ms(0.0),
        class_delays: Vec::new(),
        class_zone_extras: Vec::new(),
        loss: 0.0,
        bandwidth: None,
        stream_timeout: SimDuration::from_ms(10_000),
    }
}
