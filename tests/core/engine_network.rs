//! The network when nothing is wrong with it: zones, classes, order, bandwidth, traffic.

use crate::probe::{Laboratory, Note, note};
use crate::small_world::{machine, network};
use faultline::engine::distribution::Exponential;
use faultline::engine::{Distribution, NetworkSpec, NodeId, NodeSpec, SimTime, Transport};

const A: NodeId = NodeId(0);
const B: NodeId = NodeId(1);
const C: NodeId = NodeId(2);

/// Two in zone 0, one in zone 1.
fn in_two_zones() -> Vec<NodeSpec> {
    let in_zone = |name, zone| NodeSpec { zone, ..machine(name, 1, 100) };
    vec![in_zone("a", 0), in_zone("b", 0), in_zone("c", 1)]
}

fn zone_delays() -> NetworkSpec {
    NetworkSpec {
        zones: 2,
        regions: vec![0; 2],
        delays: [1.0, 2.0, 4.0, 8.0].map(Distribution::constant_ms).into(),
        local_delay: Distribution::constant_ms(0.5),
        ..network(Distribution::constant_ms(0.0))
    }
}

fn datagram(number: u32) -> Note {
    note(Transport::Datagram, number)
}

#[test]
fn a_message_takes_the_delay_of_its_pair_of_zones_and_local_ones_their_own() {
    let mut lab = Laboratory::on(zone_delays(), in_two_zones());
    for (from, to) in [(A, A), (A, B), (A, C), (C, A), (C, C)] {
        lab.send(from, to, datagram(u32::from(from.0)));
    }
    lab.run_until_ms(10);
    assert_eq!(lab.notes_to(A), [(0.5, 0), (4.0, 2)]);
    assert_eq!(lab.notes_to(B), [(1.0, 0)]);
    assert_eq!(lab.notes_to(C), [(0.5, 2), (2.0, 0)]);
    let traffic = lab.world.network().traffic();
    assert_eq!((traffic.messages, traffic.bytes_same_zone, traffic.bytes_cross_zone), (5, 3_000, 2_000));
    assert_eq!((traffic.lost, traffic.stopped), (0, 0));
}

#[test]
fn bytes_between_regions_are_counted_apart_from_those_between_zones_of_one() {
    let in_zone = |name, zone| NodeSpec { zone, ..machine(name, 1, 100) };
    let spec = NetworkSpec {
        zones: 3,
        regions: vec![0, 0, 1],
        delays: vec![Distribution::constant_ms(1.0); 9],
        ..network(Distribution::constant_ms(1.0))
    };
    let nodes = vec![in_zone("a", 0), in_zone("b", 1), in_zone("c", 2), in_zone("d", 2)];
    let mut lab = Laboratory::on(spec, nodes);
    let d = NodeId(3);
    for (from, to) in [(A, A), (C, d), (A, B), (A, C), (C, B), (d, A)] {
        lab.send(from, to, datagram(0));
    }
    lab.run_until_ms(10);
    let traffic = lab.world.network().traffic();
    assert_eq!(traffic.messages, 6);
    assert_eq!(traffic.bytes_same_zone, 2_000);
    assert_eq!(traffic.bytes_cross_zone, 1_000);
    assert_eq!(traffic.bytes_cross_region, 3_000);
}

#[test]
fn a_class_with_a_delay_of_its_own_takes_that_between_any_nodes() {
    let class_delays = vec![Some(Distribution::constant_ms(3.0))];
    let mut lab = Laboratory::on(NetworkSpec { class_delays, ..zone_delays() }, in_two_zones());
    for to in [A, B, C] {
        lab.send(A, to, datagram(1));
    }
    lab.run_until_ms(10);
    for to in [A, B, C] {
        assert_eq!(lab.notes_to(to), [(3.0, 1)]);
    }
}

#[test]
fn a_class_can_take_longer_between_zones() {
    let network = NetworkSpec {
        class_delays: vec![Some(Distribution::constant_ms(3.0))],
        class_zone_extras: vec![Some(Distribution::constant_ms(75.0))],
        ..zone_delays()
    };
    let mut lab = Laboratory::on(network, in_two_zones());
    for to in [A, B, C] {
        lab.send(A, to, datagram(1));
    }
    lab.run_until_ms(100);
    assert_eq!([A, B, C].map(|to| lab.notes_to(to)[0].0), [3.0, 3.0, 78.0]);
}

#[test]
fn a_stream_keeps_its_order_where_delays_vary_and_the_others_need_not() {
    for transport in [Transport::Stream, Transport::Pooled, Transport::Datagram] {
        let delay = Distribution::Exponential(Exponential { rate_per_ms: 0.1 });
        let mut lab = Laboratory::on(network(delay), vec![machine("a", 1, 100), machine("b", 1, 100)]);
        for number in 0..500 {
            lab.run_until_ms(u64::from(number));
            lab.send(A, B, note(transport, number));
        }
        lab.run_until_ms(10_000);
        let numbers: Vec<u32> = lab.notes_to(B).into_iter().map(|(_, number)| number).collect();
        assert_eq!(numbers.len(), 500);
        assert_eq!(numbers.is_sorted(), transport == Transport::Stream, "{transport:?}; seed 1");
    }
}

#[test]
fn bandwidth_lets_one_message_after_another_onto_the_wire() {
    // A thousand bytes at 1 Gbit/s take eight microseconds; other links do not wait.
    let network = NetworkSpec { bandwidth: Some(0.125), ..network(Distribution::constant_ms(1.0)) };
    let mut lab = Laboratory::on(network, ["a", "b", "c"].map(|name| machine(name, 1, 100)).into());
    for number in 0..3 {
        lab.send(A, B, datagram(number));
    }
    lab.send(A, C, datagram(9));
    lab.run_until(SimTime(20_000));
    lab.send(A, B, datagram(3));
    lab.run_until(SimTime(1_500_000));
    lab.send(A, B, datagram(4));
    lab.run_until_ms(10);
    assert_eq!(lab.notes_to(B), [(1.008, 0), (1.016, 1), (1.024, 2), (1.032, 3), (2.508, 4)]);
    assert_eq!(lab.notes_to(C), [(1.008, 9)]);
}

#[test]
fn messages_under_way_can_be_seen_with_when_they_left_and_when_they_arrive() {
    let mut lab = Laboratory::on(zone_delays(), in_two_zones());
    lab.send(A, C, datagram(1));
    lab.run_until_ms(1);
    let under_way: Vec<_> = lab.world.in_flight().collect();
    let [message] = under_way[..] else {
        panic!("one message is under way, not {under_way:?}");
    };
    assert_eq!((message.from, message.to, message.class), (A, C, 0));
    assert_eq!((message.sent, message.arrives), (SimTime::ZERO, SimTime::from_ms(2)));
    lab.run_until_ms(2);
    assert_eq!(lab.world.in_flight().count(), 0);
}
