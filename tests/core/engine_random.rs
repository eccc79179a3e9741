//! Random streams and the distributions drawn from them.
//!
//! Distributions are held against their own distribution functions by the
//! Dvoretzky–Kiefer–Wolfowitz inequality with Massart's constant: of `n`
//! independent draws, the empirical distribution function is nowhere further
//! than `sqrt(ln(2 / alpha) / (2 n))` from the true one, but with probability
//! `alpha`. Counts are held within [`ERRORS_ALLOWED`] binomial standard errors.

use faultline::engine::distribution::{
    Exponential, Lognormal, NESTING_MAX, PARTS_MAX, Pareto, Part, Shifted, TIME_MS_MAX,
};
use faultline::engine::random::{mix, name_hash};
use faultline::engine::{Distribution, DistributionError, Purpose, SimDuration, SimTime, Stream};
use proptest::prelude::*;
use std::collections::BTreeSet;

const SEED: u64 = 4;
const DRAWS: usize = 200_000;
/// How many standard errors a count may be off.
const ERRORS_ALLOWED: f64 = 4.5;
/// How likely a right distribution may fail the test, over all seeds.
const ALPHA: f64 = 1e-6;

const PURPOSES: [Purpose; 17] = [
    Purpose::Arrival,
    Purpose::Key,
    Purpose::Kind,
    Purpose::Size,
    Purpose::Heat,
    Purpose::Service,
    Purpose::Disk,
    Purpose::Delay,
    Purpose::Loss,
    Purpose::Duplication,
    Purpose::FaultDelay,
    Purpose::Protocol,
    Purpose::Endpoint,
    Purpose::Clock,
    Purpose::Token,
    Purpose::Swarm,
    Purpose::Probe,
];

// ---------------------------------------------------------------------------
// Streams

#[test]
fn the_first_draws_of_a_stream_are_the_same_for_ever_and_everywhere() {
    // Seed 1, purpose 1, FNV-1a of the name, SplitMix64's finaliser three times,
    // SplitMix64 into the state, xoshiro256++: computed with an implementation of
    // its own, not with this one. If these change, every saved run and every
    // share link shows something else than what its author saw.
    let mut stream = Stream::named(1, Purpose::Arrival, "client-1");
    let draws = [(); 4].map(|()| stream.next_u64());
    assert_eq!(
        draws,
        [0x9f34_9072_fe7c_b111, 0x729c_ea9a_1462_8c8d, 0x6c05_3d2c_faa9_6ae3, 0xd6c8_0268_cd1e_84f6]
    );
    // To the last bit: the logarithm is libm's, not the platform's (glibc's gives
    // …641 for the first).
    let mut stream = Stream::named(1, Purpose::Arrival, "client-1");
    let exponentials = [(); 3].map(|()| stream.exponential());
    assert_eq!(exponentials, [0.972_585_504_603_064_3, 0.593_676_312_898_137_2, 0.548_103_455_391_865_8]);
}

#[test]
fn mixing_and_name_hashing_are_the_published_functions() {
    // The first two outputs of SplitMix64 from state 0; FNV-1a's test vectors.
    assert_eq!(mix(0), 0xe220_a839_7b1d_cdaf);
    assert_eq!(mix(0x9e37_79b9_7f4a_7c15), 0x6e78_9e6a_a1b9_65f4);
    assert_eq!(name_hash(""), 0xcbf2_9ce4_8422_2325);
    assert_eq!(name_hash("a"), 0xaf63_dc4c_8601_ec8c);
    assert_eq!(name_hash("foobar"), 0x8594_4171_f739_67e8);
}

#[test]
fn streams_that_differ_in_seed_purpose_or_name_are_all_different() {
    let names = ["a", "b", "ring-1", "ring-2", "ring-12", "client-1"];
    let mut first_draws = BTreeSet::new();
    let mut streams = 0;
    for seed in 0..20 {
        for purpose in PURPOSES {
            for name in names {
                streams += 1;
                first_draws.insert(Stream::named(seed, purpose, name).next_u64());
            }
        }
    }
    assert_eq!(first_draws.len(), streams);
}

#[test]
fn neighbouring_streams_do_not_resemble_each_other() {
    let base = || Stream::named(SEED, Purpose::Service, "ring-1");
    let neighbours = [
        ("next seed", Stream::named(SEED + 1, Purpose::Service, "ring-1")),
        ("next purpose", Stream::named(SEED, Purpose::Disk, "ring-1")),
        ("next name", Stream::named(SEED, Purpose::Service, "ring-2")),
        ("its own draws, one later", {
            let mut later = base();
            later.next_u64();
            later
        }),
    ];
    for (which, mut neighbour) in neighbours {
        let mut stream = base();
        let (mut equal_bits, mut product) = (0, 0.0);
        for _ in 0..DRAWS {
            let (left, right) = (stream.next_u64(), neighbour.next_u64());
            equal_bits += u64::from((left ^ right).count_zeros());
            product += (unit(left) - 0.5) * (unit(right) - 0.5);
        }
        // Each bit agrees with probability one half.
        assert_count(equal_bits, DRAWS as u64 * 64, 0.5, which);
        // A product of two uniform deviates has mean 0 and variance 1/144.
        let error = libm::sqrt(DRAWS as f64 / 144.0);
        assert!(product.abs() <= ERRORS_ALLOWED * error, "{which}: correlated ({product}); seed {SEED}");
    }
}

#[test]
fn what_one_stream_draws_does_not_depend_on_which_others_were_made_or_drawn_from() {
    let mut alone = Stream::named(SEED, Purpose::Delay, "a");
    let expected: Vec<u64> = (0..100).map(|_| alone.next_u64()).collect();

    let mut others: Vec<Stream> = PURPOSES.iter().map(|purpose| Stream::named(SEED, *purpose, "b")).collect();
    let mut among_others = Stream::named(SEED, Purpose::Delay, "a");
    for expected in expected {
        for other in &mut others {
            other.next_u64();
        }
        assert_eq!(among_others.next_u64(), expected);
    }
}

#[test]
fn draws_below_a_bound_are_uniform_and_never_reach_it() {
    let mut stream = Stream::named(SEED, Purpose::Key, "below");
    for bound in [1_u32, 2, 3, 7, 100] {
        let mut counts = vec![0_u64; bound as usize];
        for _ in 0..DRAWS {
            counts[stream.below(bound) as usize] += 1;
        }
        for (value, count) in counts.into_iter().enumerate() {
            assert_count(count, DRAWS as u64, 1.0 / f64::from(bound), &format!("{value} below {bound}"));
        }
    }
    assert!((0..1_000).all(|_| stream.below(u32::MAX) < u32::MAX));
}

#[test]
fn chances_come_true_as_often_as_they_should_and_certain_ones_draw_nothing() {
    for probability in [0.001, 0.1, 0.5, 0.999] {
        let mut stream = Stream::named(SEED, Purpose::Loss, "chance");
        let count = (0..DRAWS).filter(|_| stream.chance(probability)).count();
        assert_count(count as u64, DRAWS as u64, probability, "chance");
    }
    let mut stream = Stream::named(SEED, Purpose::Loss, "chance");
    let next = stream.clone().next_u64();
    assert!(stream.chance(1.0) && stream.chance(2.0));
    assert!(!stream.chance(0.0) && !stream.chance(-1.0));
    assert_eq!(stream.next_u64(), next);
}

// ---------------------------------------------------------------------------
// Distributions

#[test]
fn uniform_draws_are_uniform() {
    let mut stream = Stream::named(SEED, Purpose::Service, "unit");
    assert_distribution("unit", |x| x.clamp(0.0, 1.0), || stream.unit());
    let mut stream = Stream::named(SEED, Purpose::Service, "unit_positive");
    assert_distribution("unit_positive", |x| x.clamp(0.0, 1.0), || stream.unit_positive());
    assert_distributed(&Distribution::UniformMs([2.0, 5.0]), |ms| ((ms - 2.0) / 3.0).clamp(0.0, 1.0));
}

#[test]
fn exponential_draws_are_exponential() {
    assert_distributed(&exponential(1.66), |ms| 1.0 - libm::exp(-1.66 * ms));
}

#[test]
fn normal_draws_are_normal() {
    let mut stream = Stream::named(SEED, Purpose::Service, "normal");
    assert_distribution("normal", normal_below, || stream.normal());
}

#[test]
fn lognormal_draws_are_lognormal() {
    let lognormal = Distribution::Lognormal(Lognormal { median_ms: 2.0, sigma: 0.5 });
    assert_distributed(&lognormal, |ms| normal_below(libm::log(ms / 2.0) / 0.5));
}

#[test]
fn pareto_draws_are_pareto() {
    // LinkedIn's disks as fitted by Bailis et al., VLDB 2012.
    assert_distributed(&pareto(0.235, 10.0), |ms| {
        if ms < 0.235 { 0.0 } else { 1.0 - libm::pow(0.235 / ms, 10.0) }
    });
}

#[test]
fn shifted_and_mixed_draws_are_shifted_and_mixed() {
    let slow = Distribution::Shifted(Shifted { by_ms: 5.0, of: Box::new(exponential(1.0)) });
    let parts = vec![Part { weight: 9.0, of: exponential(2.0) }, Part { weight: 3.0, of: slow }];
    assert_distributed(&Distribution::Mixture(parts), |ms| {
        let fast = 1.0 - libm::exp(-2.0 * ms);
        let slow = if ms < 5.0 { 0.0 } else { 1.0 - libm::exp(5.0 - ms) };
        0.75 * fast + 0.25 * slow
    });
}

#[test]
fn empirical_draws_are_the_listed_values_each_equally_likely() {
    let empirical = Distribution::EmpiricalMs(vec![1.0, 1.0, 2.0, 40.0]);
    let mut stream = Stream::named(SEED, Purpose::Service, "empirical");
    let draws: Vec<SimDuration> = (0..DRAWS).map(|_| empirical.sample(&mut stream)).collect();
    for (value, probability) in [(1, 0.5), (2, 0.25), (40, 0.25)] {
        let count = draws.iter().filter(|draw| **draw == SimDuration::from_ms(value)).count();
        assert_count(count as u64, DRAWS as u64, probability, &format!("{value} ms"));
    }
}

#[test]
fn constants_draw_nothing_and_are_always_the_same() {
    let mut stream = Stream::named(SEED, Purpose::Service, "constant");
    let next = stream.clone().next_u64();
    assert_eq!(Distribution::constant_ms(1.5).sample(&mut stream), SimDuration(1_500_000));
    assert_eq!(stream.next_u64(), next);
}

#[test]
fn samples_have_the_mean_that_the_distribution_says_it_has() {
    // With each, its standard deviation, from the closed form.
    let lognormal_mean = libm::exp(0.125);
    let cases = [
        (Distribution::constant_ms(3.0), 3.0, 0.0),
        (Distribution::UniformMs([2.0, 5.0]), 3.5, 3.0 / libm::sqrt(12.0)),
        (exponential(4.0), 0.25, 0.25),
        (
            Distribution::Lognormal(Lognormal { median_ms: 1.0, sigma: 0.5 }),
            lognormal_mean,
            lognormal_mean * libm::sqrt(libm::exp(0.25) - 1.0),
        ),
        (pareto(1.0, 3.0), 1.5, libm::sqrt(3.0 / 4.0)),
        (Distribution::EmpiricalMs(vec![1.0, 2.0, 3.0]), 2.0, libm::sqrt(2.0 / 3.0)),
        (Distribution::Shifted(Shifted { by_ms: 10.0, of: Box::new(exponential(1.0)) }), 11.0, 1.0),
        (
            Distribution::Mixture(vec![
                Part { weight: 1.0, of: Distribution::constant_ms(1.0) },
                Part { weight: 3.0, of: Distribution::constant_ms(5.0) },
            ]),
            4.0,
            libm::sqrt(3.0),
        ),
    ];
    for (distribution, mean, deviation) in cases {
        let stated = distribution.mean_ms().expect("finite");
        assert!((stated - mean).abs() < 1e-12, "{distribution:?} says its mean is {stated}, not {mean}");
        let mut stream = Stream::named(SEED, Purpose::Service, "mean");
        let sum: f64 = (0..DRAWS).map(|_| distribution.sample(&mut stream).as_ms_f64()).sum();
        // Rounding to nanoseconds is at most half of one.
        let allowed = ERRORS_ALLOWED * deviation / libm::sqrt(DRAWS as f64) + 1e-6;
        let sampled = sum / DRAWS as f64;
        assert!(
            (sampled - mean).abs() <= allowed,
            "{distribution:?}: mean {sampled}, not {mean}; seed {SEED}"
        );
    }
    assert_eq!(pareto(1.0, 1.0).mean_ms(), None, "infinite");
}

#[test]
fn times_are_rounded_to_the_nearest_nanosecond_and_saturate() {
    for (ms, nanoseconds) in [
        (0.0, 0),
        (1.0, 1_000_000),
        (0.000_000_4, 0),
        (0.000_000_6, 1),
        (1.234_567_8, 1_234_568),
        (-1.0, 0),
        (-0.0, 0),
        (f64::NAN, 0),
        (f64::INFINITY, u64::MAX),
        (1e30, u64::MAX),
        (TIME_MS_MAX, 86_400_000_000_000),
    ] {
        assert_eq!(SimDuration::from_ms_f64(ms), SimDuration(nanoseconds), "{ms} ms");
    }
    assert_eq!(SimDuration(3).scaled(0.5), SimDuration(2));
    assert_eq!(SimDuration(1_000).scaled(2.5), SimDuration(2_500));
    assert_eq!(SimDuration(1_000).scaled(0.0), SimDuration::ZERO);
    assert_eq!(SimTime::MAX + SimDuration(1), SimTime::MAX);
    assert_eq!(SimTime(1).since(SimTime(2)), SimDuration::ZERO);
    assert_eq!(SimDuration(1) - SimDuration(2), SimDuration::ZERO);
}

#[test]
fn every_bad_parameter_is_refused_by_name() {
    let nested = |levels: usize| {
        (1..levels).fold(Distribution::constant_ms(1.0), |of, _| {
            Distribution::Shifted(Shifted { by_ms: 0.0, of: Box::new(of) })
        })
    };
    let part = |weight| Distribution::Mixture(vec![Part { weight, of: Distribution::constant_ms(1.0) }]);
    let lognormal = |median_ms, sigma| Distribution::Lognormal(Lognormal { median_ms, sigma });
    let bad: Vec<(Distribution, DistributionError)> = vec![
        (Distribution::constant_ms(-1.0), DistributionError::Time { field: "constant_ms", value: -1.0 }),
        (
            Distribution::constant_ms(f64::INFINITY),
            DistributionError::Time { field: "constant_ms", value: f64::INFINITY },
        ),
        (Distribution::UniformMs([1.0, -2.0]), DistributionError::Time { field: "uniform_ms", value: -2.0 }),
        (Distribution::UniformMs([2.0, 1.0]), DistributionError::Reversed(2.0, 1.0)),
        (exponential(0.0), DistributionError::NotPositive { field: "rate_per_ms", value: 0.0 }),
        (lognormal(-1.0, 1.0), DistributionError::Time { field: "median_ms", value: -1.0 }),
        (lognormal(1.0, 10.5), DistributionError::Sigma(10.5)),
        (pareto(0.0, 1.0), DistributionError::NotPositive { field: "scale_ms", value: 0.0 }),
        (pareto(1.0, -1.0), DistributionError::NotPositive { field: "shape", value: -1.0 }),
        (Distribution::EmpiricalMs(Vec::new()), DistributionError::Empty("empirical_ms")),
        (
            Distribution::EmpiricalMs(vec![1.0, 1e9]),
            DistributionError::Time { field: "empirical_ms", value: 1e9 },
        ),
        (
            Distribution::EmpiricalMs(vec![1.0; PARTS_MAX + 1]),
            DistributionError::TooMany { field: "empirical_ms", count: PARTS_MAX + 1 },
        ),
        (Distribution::Mixture(Vec::new()), DistributionError::Empty("mixture")),
        (part(0.0), DistributionError::Weight(0.0)),
        (part(f64::MAX), DistributionError::Weight(f64::MAX)),
        (nested(NESTING_MAX + 1), DistributionError::TooDeep),
    ];
    for (distribution, error) in bad {
        assert_eq!(distribution.validate(), Err(error));
    }
    // Not a number is not equal to itself; the message must still name the field.
    for (distribution, field) in [
        (Distribution::constant_ms(f64::NAN), "constant_ms"),
        (exponential(f64::NAN), "rate_per_ms"),
        (lognormal(1.0, f64::NAN), "sigma"),
        (part(f64::NAN), "weight"),
    ] {
        let error = distribution.validate().expect_err("not a number");
        assert!(error.to_string().starts_with(field), "{error}");
    }
    assert_eq!(nested(NESTING_MAX).validate(), Ok(()));
    assert_eq!(part(1.0).validate(), Ok(()));
}

#[test]
fn distributions_read_as_documented_and_name_what_they_do_not_know() {
    let texts = [
        r#"{"constant_ms":1.0}"#,
        r#"{"uniform_ms":[1.0,2.0]}"#,
        r#"{"exponential":{"rate_per_ms":1.66}}"#,
        r#"{"lognormal":{"median_ms":1.0,"sigma":0.5}}"#,
        r#"{"pareto":{"scale_ms":0.235,"shape":10.0}}"#,
        r#"{"empirical_ms":[1.0,1.0,2.0,40.0]}"#,
        r#"{"shifted":{"by_ms":75.0,"of":{"constant_ms":1.0}}}"#,
        r#"{"mixture":[{"weight":0.9,"of":{"constant_ms":1.0}},{"weight":0.1,"of":{"constant_ms":9.0}}]}"#,
    ];
    for text in texts {
        let distribution: Distribution = serde_json::from_str(text).expect(text);
        assert_eq!(distribution.validate(), Ok(()), "{text}");
        assert_eq!(serde_json::to_string(&distribution).expect(text), text);
    }
    for (text, name) in [
        (r#"{"gaussian":{"mean_ms":1}}"#, "gaussian"),
        (r#"{"exponential":{"rate_per_ms":1,"median_ms":1}}"#, "median_ms"),
        (r#"{"pareto":{"scale_ms":1}}"#, "shape"),
    ] {
        let error = serde_json::from_str::<Distribution>(text).expect_err(text);
        assert!(error.to_string().contains(name), "{error}");
    }
}

proptest! {
    #[test]
    fn a_distribution_that_passes_validation_can_be_drawn_from(
        distribution in any_distribution(),
        seed in any::<u64>(),
    ) {
        if distribution.validate().is_ok() {
            let mut stream = Stream::new(seed, Purpose::Service, 0);
            for _ in 0..20 {
                distribution.sample(&mut stream);
            }
            if let Some(mean) = distribution.mean_ms() {
                prop_assert!(mean >= 0.0, "{mean}");
            }
        }
    }
}

/// Any distribution, sensible or not, with extreme numbers among the sensible ones.
fn any_distribution() -> impl Strategy<Value = Distribution> {
    let number = || {
        prop_oneof![
            4 => 0.0..10.0_f64,
            1 => 0.0..=TIME_MS_MAX,
            1 => any::<f64>(),
            1 => Just(f64::MIN_POSITIVE),
            1 => Just(f64::MAX),
        ]
    };
    let leaf = prop_oneof![
        number().prop_map(Distribution::ConstantMs),
        (number(), number()).prop_map(|(low, high)| Distribution::UniformMs([low, high])),
        number().prop_map(exponential),
        (number(), number())
            .prop_map(|(median_ms, sigma)| Distribution::Lognormal(Lognormal { median_ms, sigma })),
        (number(), number()).prop_map(|(scale_ms, shape)| pareto(scale_ms, shape)),
        prop::collection::vec(number(), 0..5).prop_map(Distribution::EmpiricalMs),
    ];
    leaf.prop_recursive(10, 30, 3, move |inner| {
        let part = (number(), inner.clone()).prop_map(|(weight, of)| Part { weight, of });
        prop_oneof![
            (number(), inner)
                .prop_map(|(by_ms, of)| Distribution::Shifted(Shifted { by_ms, of: Box::new(of) })),
            prop::collection::vec(part, 0..4).prop_map(Distribution::Mixture),
        ]
    })
}

// ---------------------------------------------------------------------------
// Comparing

/// Draws of `distribution`, in milliseconds, follow the distribution function `below`.
fn assert_distributed(distribution: &Distribution, below: impl Fn(f64) -> f64) {
    assert_eq!(distribution.validate(), Ok(()));
    let mut stream = Stream::named(SEED, Purpose::Service, "distribution");
    let what = format!("{distribution:?}");
    assert_distribution(&what, below, || distribution.sample(&mut stream).as_ms_f64());
}

fn assert_distribution(what: &str, below: impl Fn(f64) -> f64, mut draw: impl FnMut() -> f64) {
    let mut draws: Vec<f64> = (0..DRAWS).map(|_| draw()).collect();
    draws.sort_by(f64::total_cmp);
    let count = DRAWS as f64;
    let allowed = libm::sqrt(libm::log(2.0 / ALPHA) / (2.0 * count));
    let mut furthest: f64 = 0.0;
    for (place, value) in draws.into_iter().enumerate() {
        let expected = below(value);
        furthest = furthest.max((expected - place as f64 / count).abs());
        furthest = furthest.max((expected - (place + 1) as f64 / count).abs());
    }
    assert!(
        furthest <= allowed,
        "{what}: {furthest} from its distribution, {allowed} is allowed; seed {SEED}"
    );
}

/// `count` of `trials` is what a probability of `probability` makes likely.
fn assert_count(count: u64, trials: u64, probability: f64, what: &str) {
    let expected = trials as f64 * probability;
    let error = libm::sqrt(expected * (1.0 - probability));
    let off = (count as f64 - expected).abs();
    assert!(
        off <= ERRORS_ALLOWED * error,
        "{what}: {count} of {trials}, not {expected} ± {error}; seed {SEED}"
    );
}

/// The standard normal distribution function.
fn normal_below(x: f64) -> f64 {
    0.5 * libm::erfc(-x / std::f64::consts::SQRT_2)
}

fn unit(bits: u64) -> f64 {
    (bits >> 11) as f64 / (1_u64 << 53) as f64
}

fn exponential(rate_per_ms: f64) -> Distribution {
    Distribution::Exponential(Exponential { rate_per_ms })
}

fn pareto(scale_ms: f64, shape: f64) -> Distribution {
    Distribution::Pareto(Pareto { scale_ms, shape })
}
