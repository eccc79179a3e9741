//! The token ring held against published vectors, exact results and the order of Dynamo's three strategies.

use faultline::engine::random::mix;
use faultline::ring::token_ring::{Partitioning, TokenRing, coefficient_of_variation};
use faultline::workload::keys::{KeySpace, token_of};
use serde_json::Value;
use std::process::Command;

// Murmur3.

/// Test vectors of MurmurHash3 x64 128 as Guava publishes them (`Murmur3Hash128Test`): seed, both halves, text.
const GUAVA: [(u64, u64, u64, &str); 8] = [
    (0, 0x6299_4269_3e10_f867, 0x92db_0b82_baeb_5347, "hell"),
    (1, 0xa78d_dff5_adae_8d10, 0x1289_00ef_2090_0135, "hello"),
    (2, 0x8a48_6b23_f422_e826, 0xf962_a2c5_8947_765f, "hello "),
    (3, 0x2ea5_9f46_6f6b_ed8c, 0xc610_990a_cc42_8a17, "hello w"),
    (4, 0x79f6_305a_386c_572c, 0x4630_5aed_3483_b94e, "hello wo"),
    (5, 0xc221_9d21_3ec1_f1b5, 0xa1d8_e2e0_a527_85bd, "hello wor"),
    (0, 0xe34b_bc7b_bc07_1b6c, 0x7a43_3ca9_c49a_9347, "The quick brown fox jumps over the lazy dog"),
    (0, 0x658c_a970_ff85_269a, 0x43fe_e3ea_a68e_5c3e, "The quick brown fox jumps over the lazy cog"),
];

#[test]
fn murmur3_gives_guavas_vectors() {
    for (seed, low, high, text) in GUAVA {
        let hash = fastmurmur3::murmur3_x64_128(text.as_bytes(), seed);
        assert_eq!((hash as u64, (hash >> 64) as u64), (low, high), "{text}");
        if seed == 0 {
            assert_eq!(token_of(text.as_bytes()) as u64, low, "{text}");
        }
    }
}

/// Appleby's own check (SMHasher, `VerificationTest`): 256 keys of all lengths, hashed, and their hashes hashed.
#[test]
fn murmur3_gives_smhashers_verification_value() {
    let keys: Vec<u8> = (0..=255).collect();
    let hashes: Vec<u8> = (0..256_u64)
        .flat_map(|at| fastmurmur3::murmur3_x64_128(&keys[..at as usize], 256 - at).to_le_bytes())
        .collect();
    assert_eq!(fastmurmur3::murmur3_x64_128(&hashes, 0) as u32, 0x6384_BA69);
}

/// Tokens that Cassandra's drivers are tested with (python-driver, `test_metadata.py`), as far as they are ASCII.
#[test]
fn tokens_are_cassandras() {
    assert_eq!(token_of(b"123"), -7_468_325_962_851_647_638);
    assert_eq!(token_of(b"9223372036854775807"), 7_162_290_910_810_015_547);
    assert_eq!(token_of(&[0x10; 8]), 1_446_172_840_243_228_796);
}

// Ownership.

fn ring(seed: u64, nodes: usize, partitioning: Partitioning, replicas: usize) -> TokenRing {
    let names: Vec<String> = (1..=nodes).map(|node| format!("ring-{node}")).collect();
    let nodes: Vec<(&str, u8)> = names.iter().map(|name| (name.as_str(), 0)).collect();
    TokenRing::new(seed, &nodes, partitioning, replicas)
}

/// Mean and standard error.
fn mean(values: &[f64]) -> (f64, f64) {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let variance = values.iter().map(|value| (value - mean) * (value - mean)).sum::<f64>() / (count - 1.0);
    (mean, (variance / count).sqrt())
}

/// Uniform spacings: a node's share of a ring of n nodes with V tokens each is distributed as
/// Beta(V, (n−1)V), so that the shares' coefficient of variation is √((n−1)/(nV+1)). With it the mean of the
/// largest share over the mean share, by an independent Monte Carlo (with its standard error).
const SHARES: [(usize, u32, f64, f64, f64); 28] = [
    (3, 1, std::f64::consts::FRAC_1_SQRT_2, 1.8382, 0.0096),
    (3, 4, 0.39223, 1.4314, 0.0055),
    (3, 8, 0.28284, 1.2998, 0.0039),
    (3, 16, 0.20203, 1.2141, 0.0028),
    (3, 32, 0.14359, 1.1511, 0.0020),
    (3, 64, 0.10180, 1.1070, 0.0014),
    (3, 256, 0.05100, 1.0534, 0.0007),
    (10, 1, 0.90453, 2.9395, 0.0175),
    (10, 4, 0.46852, 1.8996, 0.0077),
    (10, 8, 0.33333, 1.6098, 0.0053),
    (10, 16, 0.23643, 1.4183, 0.0034),
    (10, 32, 0.16744, 1.2887, 0.0023),
    (10, 64, 0.11849, 1.1985, 0.0015),
    (10, 256, 0.05928, 1.0973, 0.0007),
    (30, 1, 0.96720, 3.9994, 0.0231),
    (30, 4, 0.48956, 2.2948, 0.0087),
    (30, 8, 0.34689, 1.8480, 0.0052),
    (30, 16, 0.24554, 1.5846, 0.0034),
    (30, 32, 0.17371, 1.3927, 0.0023),
    (30, 64, 0.12287, 1.2726, 0.0016),
    (30, 256, 0.06145, 1.1319, 0.0015),
    (100, 1, 0.99005, 5.1969, 0.0259),
    (100, 4, 0.49687, 2.7123, 0.0088),
    (100, 8, 0.35156, 2.1179, 0.0056),
    (100, 16, 0.24867, 1.7419, 0.0034),
    (100, 32, 0.17586, 1.4997, 0.0021),
    (100, 64, 0.12436, 1.3432, 0.0014),
    (100, 256, 0.06219, 1.1616, 0.0014),
];

#[test]
fn ownership_varies_as_uniform_spacings_do() {
    for (nodes, tokens, cv, largest, largest_error) in SHARES {
        let (n, v) = (nodes as f64, f64::from(tokens));
        assert!((((n - 1.0) / (n * v + 1.0)).sqrt() - cv).abs() < 1e-5, "the table is of the formula");
        let runs = (200_000 / (nodes as u64 * u64::from(tokens))).clamp(40, 1_000);
        let (mut squares, mut maxima) = (Vec::new(), Vec::new());
        for seed in 0..runs {
            let shares = ring(seed, nodes, Partitioning::ByToken { tokens }, 1).shares(nodes);
            assert!((shares.iter().sum::<f64>() - 1.0).abs() < 1e-9, "the shares are the ring");
            let deviation = coefficient_of_variation(&shares);
            squares.push(deviation * deviation);
            maxima.push(shares.iter().copied().fold(0.0, f64::max) * n);
        }
        let (square, error) = mean(&squares);
        assert!(
            (square - cv * cv).abs() < 4.0 * error,
            "{nodes} nodes, {tokens} tokens: {} for {cv}, {runs} rings",
            square.sqrt()
        );
        let (max, error) = mean(&maxima);
        let error = libm::hypot(error, largest_error);
        assert!((max - largest).abs() < 4.0 * error, "{nodes} nodes, {tokens} tokens: {max} for {largest}");
    }
}

#[test]
fn equal_shares_are_equal_and_equal_partitions_cover_the_ring() {
    for nodes in [3, 7, 30] {
        let partitions = nodes as u32 * 32;
        let equal = ring(5, nodes, Partitioning::EqualShares { partitions }, 1);
        assert!(coefficient_of_variation(&equal.shares(nodes)) < 1e-9, "{nodes} nodes");
        assert!((0..nodes as u16).all(|node| equal.tokens_of(node) == 32));
        let ranges = ring(5, nodes, Partitioning::EqualRanges { tokens: 8, partitions }, 1);
        assert!(ranges.ranges().all(|(_, _, length)| (length * f64::from(partitions) - 1.0).abs() < 1e-9));
        for edge in [i64::MIN, i64::MIN + 1, -1, 0, 1, i64::MAX] {
            assert_eq!((equal.replicas(edge).len(), ranges.replicas(edge).len()), (1, 1));
        }
    }
    // Partitions that no number of nodes divides: one more for some.
    let uneven = ring(5, 7, Partitioning::EqualShares { partitions: 100 }, 3);
    assert!((0..7).all(|node| (14..=15).contains(&uneven.tokens_of(node))));
}

/// With far more partitions than tokens the second strategy places keys as the first does, but for those
/// between a token and the end of its partition.
#[test]
fn equal_ranges_follow_tokens() {
    let (tokens, partitions) = (4, 65_536);
    let by_token = ring(9, 10, Partitioning::ByToken { tokens }, 3);
    let equal = ring(9, 10, Partitioning::EqualRanges { tokens, partitions }, 3);
    let keys = KeySpace::generated(20_000);
    let differ =
        (0..20_000).filter(|key| by_token.replicas(keys.token(*key)) != equal.replicas(keys.token(*key)));
    assert!(differ.count() < 20, "40 tokens in 65,536 partitions");
}

#[test]
fn replicas_are_distinct_nodes_in_distinct_zones_however_the_ring_is_divided() {
    let names: Vec<String> = (1..=9).map(|node| format!("ring-{node}")).collect();
    let nodes: Vec<(&str, u8)> =
        names.iter().enumerate().map(|(at, name)| (name.as_str(), at as u8 / 3)).collect();
    for partitioning in [
        Partitioning::ByToken { tokens: 8 },
        Partitioning::EqualRanges { tokens: 8, partitions: 512 },
        Partitioning::EqualShares { partitions: 512 },
    ] {
        let ring = TokenRing::new(3, &nodes, partitioning, 3);
        for token in (0..2_000).map(|at| mix(at) as i64) {
            let replicas = ring.replicas(token);
            let mut zones: Vec<u16> = replicas.iter().map(|node| node / 3).collect();
            zones.sort_unstable();
            assert_eq!(zones, [0, 1, 2], "{partitioning:?}: {replicas:?}");
            let mut all: Vec<u16> = ring.walk(token).collect();
            all.sort_unstable();
            assert_eq!(all, (0..9).collect::<Vec<u16>>(), "{partitioning:?}: a walk meets everybody");
        }
    }
}

// Dynamo's strategies.

/// Mean load over largest load of 30 nodes with N = 3, as section 6.2 of the paper measures it: requests for
/// keys of skewed popularity, each served by all replicas of its key.
fn efficiency(seed: u64, partitioning: Partitioning, keys: &KeySpace) -> f64 {
    const NODES: usize = 30;
    let ring = ring(seed, NODES, partitioning, 3);
    let mut load = [0.0; NODES];
    for key in 0..keys.len() as u32 {
        // Zipf, 0.5: enough popular keys for popularity to be spread by hashing, as the paper assumes.
        let requests = 1.0 / f64::from(1 + key).sqrt();
        ring.replicas(keys.token(key)).iter().for_each(|node| load[usize::from(*node)] += requests);
    }
    let largest = load.iter().copied().fold(0.0, f64::max);
    load.iter().sum::<f64>() / NODES as f64 / largest
}

/// Figure 8: with the same amount of information about who is where, equal shares balance best and random tokens
/// with equal partitions worst. Information is a place for each token and, with equal partitions, for each partition.
#[test]
fn dynamos_strategies_balance_in_their_published_order() {
    let keys = KeySpace::generated(20_000);
    let runs = 30;
    for entries in [480, 960, 1_920, 3_840] {
        let of = |partitioning| {
            mean(&(0..runs).map(|seed| efficiency(seed, partitioning, &keys)).collect::<Vec<_>>())
        };
        // A quarter of it is tokens where there are partitions too: these have to be many more (Q ≫ S·T).
        let tokens = entries / 30;
        let (first, first_error) = of(Partitioning::ByToken { tokens });
        let equal = Partitioning::EqualRanges { tokens: tokens / 4, partitions: entries * 3 / 4 };
        let (second, second_error) = of(equal);
        let (third, third_error) = of(Partitioning::EqualShares { partitions: entries });
        println!("{entries} entries: {first:.3} ±{first_error:.3}, {second:.3}, {third:.3}");
        assert!(
            first - second > 3.0 * libm::hypot(first_error, second_error),
            "{entries}: {first} over {second}"
        );
        assert!(
            third - first > 3.0 * libm::hypot(first_error, third_error),
            "{entries}: {third} over {first}"
        );
    }
}

// Joining.

/// The newcomer takes 1/(n+1) of the keys, and nothing else moves: consistent hashing's point.
#[test]
fn who_joins_takes_its_share_of_the_keys_and_none_moves_between_others() {
    let keys = KeySpace::generated(20_000);
    for (nodes, tokens, runs) in [(3, 16, 60), (10, 16, 60), (30, 64, 20)] {
        let mut moved = Vec::new();
        for seed in 0..runs {
            let before = ring(seed, nodes, Partitioning::ByToken { tokens }, 1);
            let after = ring(seed, nodes + 1, Partitioning::ByToken { tokens }, 1);
            let mut count = 0;
            for key in 0..keys.len() as u32 {
                let (old, new) = (before.replicas(keys.token(key))[0], after.replicas(keys.token(key))[0]);
                if old != new {
                    assert_eq!(usize::from(new), nodes, "only to the newcomer");
                    count += 1;
                }
            }
            moved.push(f64::from(count) / keys.len() as f64);
        }
        let (share, error) = mean(&moved);
        let expected = 1.0 / (nodes as f64 + 1.0);
        assert!((share - expected).abs() < 4.0 * error, "{nodes} nodes: {share} for {expected}");
    }
}

// The report.

#[test]
fn the_report_tells_ownership() {
    let run = |json: bool| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_faultline"));
        command.args(["run", "zone-partition", "--duration-ms", "200"]).args(json.then_some("--json"));
        String::from_utf8(command.output().expect("it runs").stdout).expect("text")
    };
    let report: Value = serde_json::from_str(&run(true)).expect("JSON");
    let clusters = report["clusters"].as_array().expect("a list");
    let owned =
        &clusters.iter().find(|cluster| cluster["kind"] == "gossip_ring").expect("a ring")["ownership"];
    let shares: Vec<f64> = owned["nodes"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|node| node["share"].as_f64().unwrap())
        .collect();
    assert_eq!(owned["nodes"][0]["node"], "ring-1");
    assert!((shares.iter().sum::<f64>() - 1.0).abs() < 1e-9);
    let told = owned["coefficient_of_variation"].as_f64().expect("a number");
    assert!((told - coefficient_of_variation(&shares)).abs() < 1e-9);
    assert!(run(false).contains("ownership of the ring"));
}
