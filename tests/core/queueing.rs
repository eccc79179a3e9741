//! The machine model against queueing theory.
//!
//! Sources, servers and sinks are nodes of a world: what is measured here went
//! through the event queue, the network, the machine's queue and its cores, as
//! everything does. One unit of time is one millisecond.
//!
//! The published figures are exact results, evaluated from the closed forms
//! named beside them. How far a measurement may be off is derived, never
//! chosen: four standard errors, from batch means (the run is cut into
//! [`BATCHES`] batches that are long against the system's memory), from the
//! asymptotic variance where theory has it (M/M/1), or from the binomial
//! distribution (independent draws). A quantile is tested by the share of
//! samples above the published value, which has no bias. So that a test cannot
//! pass by being blind, each also states how wide those four standard errors
//! may be at most, relative to the published figure.

use crate::small_world::{machine, network};
use faultline::engine::distribution::{Exponential, Lognormal, Pareto, Part};
use faultline::engine::machine::CORES_UNLIMITED;
use faultline::engine::random::name_hash;
use faultline::engine::{
    Context, Distribution, Message, NetworkSpec, NodeId, Output, Process, SimDuration, SimTime, Stream,
    Transport, World,
};
use std::collections::BTreeMap;

const BATCHES: usize = 32;
/// How many standard errors a measurement may be off.
const ERRORS_ALLOWED: f64 = 4.0;

// ---------------------------------------------------------------------------
// M/M/1. W = 1/(mu - lambda); P(T > t) = exp(-(mu - lambda) t);
// P(Wq > t) = rho exp(-(mu - lambda) t).

#[test]
fn mm1_at_half_load_has_the_published_waits_queue_lengths_and_quantiles() {
    let case = Case("mm1_rho0.5");
    let run = OpenQueue::new(0.5, exponential(1.0)).customers(1_000_000).run(&case);
    case.mm1_mean_wait(&run, 0.5, 1.0, 0.03);
    case.near("mean sojourn", 2.0, run.mean(&run.sojourns), 0.03);
    case.near("L", 1.0, run.in_system(), 0.03);
    case.near("Lq", 0.5, run.waiting(), 0.05);
    case.near("utilisation", 0.5, run.busy_cores(), 0.02);
    case.quantiles("sojourn", &run, &run.sojourns, &[(0.5, 1.386294), (0.95, 5.991465), (0.99, 9.21034)]);
    case.quantiles("sojourn", &run, &run.sojourns, &[(0.999, 13.815511)]);
    case.quantiles("wait", &run, &run.waits, &[(0.95, 4.60517), (0.99, 7.824046), (0.999, 12.429216)]);
    // wait_p0.5 is 0: half of the customers find the server idle.
    case.near("share that waits", 0.5, run.share_above(&run.waits, 0.0), 0.02);
}

#[test]
fn mm1_at_nine_tenths_load_has_the_published_waits_queue_lengths_and_quantiles() {
    // Two million customers is what the asymptotic variance asks for; the tails, for more.
    let case = Case("mm1_rho0.9");
    let run = OpenQueue::new(0.9, exponential(1.0)).customers(6_000_000).run(&case);
    case.mm1_mean_wait(&run, 0.9, 9.0, 0.06);
    case.near("mean sojourn", 10.0, run.mean(&run.sojourns), 0.08);
    case.near("L", 9.0, run.in_system(), 0.08);
    case.near("Lq", 8.1, run.waiting(), 0.1);
    case.quantiles("sojourn", &run, &run.sojourns, &[(0.5, 6.931472), (0.95, 29.957323), (0.99, 46.051702)]);
    case.quantiles("wait", &run, &run.waits, &[(0.5, 5.877867), (0.95, 28.903718), (0.99, 44.998097)]);
}

// ---------------------------------------------------------------------------
// M/M/c. Erlang C = B / (1 - rho (1 - B)); Wq = C / (c mu - lambda);
// P(Wq > t) = C exp(-(c mu - lambda) t);
// P(T > t) = exp(-mu t) [1 + C (1 - exp(-mu t (c - 1 - a))) / (c - 1 - a)], a = lambda / mu.

#[test]
fn mm2_has_the_published_waits_and_quantiles() {
    let case = Case("mm2_rho0.5");
    let run = OpenQueue::new(1.0, exponential(1.0)).cores(2).customers(1_000_000).run(&case);
    case.near("Erlang C", 0.333333, run.share_above(&run.waits, 0.0), 0.03);
    case.near("mean wait", 0.333333, run.mean(&run.waits), 0.05);
    case.near("mean sojourn", 1.333333, run.mean(&run.sojourns), 0.02);
    case.near("Lq", 0.333333, run.waiting(), 0.05);
    case.quantiles("sojourn", &run, &run.sojourns, &[(0.5, 0.974412), (0.95, 3.81646), (0.99, 5.665961)]);
    case.quantiles("sojourn", &run, &run.sojourns, &[(0.999, 8.22751)]);
    case.quantiles("wait", &run, &run.waits, &[(0.95, 1.89712), (0.99, 3.506558), (0.999, 5.809143)]);
}

#[test]
fn mm4_has_the_published_waits_and_quantiles() {
    let case = Case("mm4_rho0.8");
    let run = OpenQueue::new(3.2, exponential(1.0)).cores(4).customers(2_000_000).run(&case);
    case.near("Erlang C", 0.596432, run.share_above(&run.waits, 0.0), 0.03);
    case.near("mean wait", 0.745541, run.mean(&run.waits), 0.06);
    case.near("mean sojourn", 1.745541, run.mean(&run.sojourns), 0.03);
    case.near("Lq", 2.38573, run.waiting(), 0.07);
    case.quantiles("sojourn", &run, &run.sojourns, &[(0.5, 1.346199), (0.95, 4.738019), (0.99, 6.893204)]);
    case.quantiles("wait", &run, &run.waits, &[(0.5, 0.220447), (0.95, 3.098679), (0.99, 5.110476)]);
}

#[test]
fn mm8_has_the_published_waits_and_quantiles() {
    let case = Case("mm8_rho0.9");
    let run = OpenQueue::new(7.2, exponential(1.0)).cores(8).customers(4_000_000).run(&case);
    case.near("Erlang C", 0.701533, run.share_above(&run.waits, 0.0), 0.04);
    case.near("mean wait", 0.876916, run.mean(&run.waits), 0.12);
    case.near("mean sojourn", 1.876916, run.mean(&run.sojourns), 0.06);
    case.near("Lq", 6.313797, run.waiting(), 0.12);
    case.quantiles("sojourn", &run, &run.sojourns, &[(0.5, 1.489355), (0.95, 4.925147), (0.99, 7.087347)]);
    case.quantiles("wait", &run, &run.waits, &[(0.5, 0.423325), (0.95, 3.301556), (0.99, 5.313354)]);
}

#[test]
fn mm32_has_the_published_waits_and_quantiles() {
    let case = Case("mm32_rho0.95");
    let run = OpenQueue::new(30.4, exponential(1.0)).cores(32).customers(6_000_000).run(&case);
    case.near("Erlang C", 0.69571, run.share_above(&run.waits, 0.0), 0.06);
    case.near("mean wait", 0.434819, run.mean(&run.waits), 0.2);
    case.near("mean sojourn", 1.434819, run.mean(&run.sojourns), 0.06);
    case.near("Lq", 13.218492, run.waiting(), 0.2);
    case.quantiles("sojourn", &run, &run.sojourns, &[(0.5, 1.149052), (0.95, 3.705744), (0.99, 5.35319)]);
    // Tails at 95 % load are not gated tighter than this on any sensible sample.
    case.quantiles("wait", &run, &run.waits, &[(0.5, 0.206453), (0.95, 1.645569)]);
}

// ---------------------------------------------------------------------------
// M/D/1. Wq = rho D / (2 (1 - rho)); distribution of Wq: Erlang 1909.

#[test]
fn md1_has_the_published_waits_and_quantiles() {
    let case = Case("md1_rho0.8");
    let run = OpenQueue::new(0.8, Distribution::constant_ms(1.0)).customers(1_000_000).run(&case);
    case.near("mean wait", 2.0, run.mean(&run.waits), 0.05);
    case.near("mean sojourn", 3.0, run.mean(&run.sojourns), 0.04);
    case.quantiles("sojourn", &run, &run.sojourns, &[(0.5, 2.27594), (0.95, 7.620325), (0.99, 11.355887)]);
    case.quantiles("wait", &run, &run.waits, &[(0.5, 1.27594), (0.95, 6.620325), (0.99, 10.355887)]);
}

// ---------------------------------------------------------------------------
// M/G/1. Pollaczek-Khinchine: Wq = lambda E[S^2] / (2 (1 - rho)). Here the server
// draws the service times from its own stream when it begins.

#[test]
fn mg1_with_erlang_2_service_waits_as_pollaczek_and_khinchine_say() {
    let service = Service::SumOfTwo(exponential(2.0));
    let case = Case("mg1_scv0.5_rho0.7");
    let run = OpenQueue::new(0.7, service).customers(500_000).run(&case);
    case.near("mean sojourn", 2.75, run.mean(&run.sojourns), 0.05);
}

#[test]
fn mg1_with_lognormal_service_waits_as_pollaczek_and_khinchine_say() {
    // Mean 1 and squared coefficient of variation 2: sigma^2 = ln 3, median 1/sqrt(3).
    let service = Distribution::Lognormal(Lognormal {
        median_ms: 1.0 / libm::sqrt(3.0),
        sigma: libm::sqrt(libm::log(3.0)),
    });
    let case = Case("mg1_scv2.0_rho0.7");
    let run = OpenQueue::new(0.7, Service::Drawn(service)).customers(1_000_000).run(&case);
    case.near("mean sojourn", 4.5, run.mean(&run.sojourns), 0.1);
}

#[test]
fn mg1_with_hyperexponential_service_waits_as_pollaczek_and_khinchine_say() {
    let part = |weight, rate| Part { weight, of: exponential(rate) };
    let service =
        Distribution::Mixture(vec![part(0.8872983346, 1.7745966692), part(1.0 - 0.8872983346, 0.2254033308)]);
    let case = Case("mg1_scv4.0_rho0.7");
    let run = OpenQueue::new(0.7, Service::Drawn(service)).customers(1_000_000).run(&case);
    case.near("mean sojourn", 6.833333, run.mean(&run.sojourns), 0.1);
}

#[test]
fn mg1_with_pareto_service_waits_as_pollaczek_and_khinchine_say() {
    // The fourth moment of the service time is infinite, so that the mean
    // converges more slowly than the square root of the sample and the batch
    // means are skewed; the width allowed is accordingly large.
    let service = Distribution::Pareto(Pareto { scale_ms: 1.0, shape: 3.35 });
    let case = Case("mg1_pareto3.35_rho0.7");
    let run = OpenQueue::new(0.491044776119403, Service::Drawn(service)).customers(1_500_000).run(&case);
    case.near("mean sojourn", 3.456396, run.mean(&run.sojourns), 0.1);
}

// ---------------------------------------------------------------------------
// Bounded queues. M/M/1/K: P_K = (1 - rho) rho^K / (1 - rho^(K+1)), Little on the accepted.

#[test]
fn mm1k_turns_away_and_carries_what_theory_says() {
    // K = 10 counts the one in service, so nine may wait.
    let case = Case("mm1k_rho1.2_K10");
    let run = OpenQueue::new(1.2, exponential(1.0)).queue_limit(9).customers(1_000_000).run(&case);
    case.near("blocking", 0.192586, run.blocking(), 0.03);
    case.near("throughput", 0.968896, run.throughput(), 0.02);
    case.near("L", 6.710709, run.in_system(), 0.02);
    case.near("mean sojourn of the accepted", 6.926138, run.mean(&run.sojourns), 0.02);
}

/// Erlang's loss formula: no queue at all; insensitive to the kind of service time.
#[test]
fn a_machine_without_a_queue_loses_calls_as_erlang_b_says_whatever_the_service_times() {
    let kinds = [
        ("exponential", exponential(1.0)),
        ("constant", Distribution::constant_ms(1.0)),
        ("uniform", Distribution::UniformMs([0.0, 2.0])),
    ];
    for (kind, service) in kinds {
        println!("{kind} service times");
        let case = Case("erlangB_c10_a8.0");
        let run = OpenQueue::new(8.0, service.clone()).cores(10).queue_limit(0).customers(300_000).run(&case);
        case.near("blocking", 0.121661, run.blocking(), 0.05);
        case.near("carried", 7.026711, run.busy_cores(), 0.02);

        let case = Case("erlangB_c100_a90.0");
        let run = OpenQueue::new(90.0, service).cores(100).queue_limit(0).customers(500_000).run(&case);
        case.near("blocking", 0.026957, run.blocking(), 0.2);
        case.near("carried", 87.573836, run.busy_cores(), 0.02);
    }
}

// ---------------------------------------------------------------------------
// The k-th of n replies. E = H_n - H_(n-k); variance = sum of 1/i^2 for i = n-k+1 .. n;
// distribution: Beta(k, n-k+1) at F(t).

#[test]
#[expect(
    clippy::approx_constant,
    reason = "the median of the 2nd of 3 is ln 2, and published as printed here"
)]
fn the_kth_of_n_replies_comes_as_order_statistics_say() {
    let published = [
        ("order_2of3_exp1", 2, 3, 200_000, 0.833333, 0.361111, [0.693147, 2.831861, 3.997023]),
        ("order_1of5_exp1", 1, 5, 200_000, 0.2, 0.04, [0.138629, 0.921034, 1.381551]),
        ("order_5of5_exp1", 5, 5, 200_000, 2.283333, 1.463611, [2.044465, 6.210592, 8.516793]),
        ("order_100of100_exp1", 100, 100, 50_000, 5.187378, 1.634984, [4.975147, 9.20537, 11.51243]),
    ];
    for (id, k, n, operations, mean, variance, [p50, p99, p999]) in published {
        let case = Case(id);
        let samples = quorum(&case, k, n, operations, Distribution::constant_ms(0.0), exponential(1.0));
        let error = libm::sqrt(variance / samples.len() as f64);
        case.near("mean", mean, Estimate { value: mean_of(&samples), error }, 0.03);
        case.independent_quantiles(&samples, &[(0.5, p50), (0.99, p99), (0.999, p999)]);
    }
}

#[test]
fn a_quorum_over_request_and_response_legs_comes_as_order_statistics_say() {
    // Case order_3of5_erlang2: a reply is Exp(1) there and Exp(1) back. The file
    // gives no variance; the sample's own serves.
    let case = Case("order_3of5_erlang2");
    let samples = quorum(&case, 3, 5, 200_000, exponential(1.0), exponential(1.0));
    case.near("mean", 1.771797, Estimate::of_independent(&samples), 0.01);
    case.independent_quantiles(&samples, &[(0.5, 1.678347), (0.99, 3.820623), (0.999, 4.804581)]);
}

// ---------------------------------------------------------------------------
// Fork and join. n = 2 is exact (Flatto and Hahn): (12 - rho) / 8 / (mu - lambda);
// beyond that Nelson and Tantawi approximate to about 5 %.

#[test]
fn a_customer_forked_to_two_servers_takes_as_long_as_flatto_and_hahn_say() {
    let case = Case("forkjoin_rho0.5");
    let run =
        OpenQueue::new(0.5, Service::Drawn(exponential(1.0))).forked_to(1).customers(500_000).run(&case);
    case.near("R1", 2.0, run.mean(&run.sojourns), 0.05);
    let run =
        OpenQueue::new(0.5, Service::Drawn(exponential(1.0))).forked_to(2).customers(500_000).run(&case);
    case.near("R2", 2.875, run.mean(&run.sojourns), 0.05);
}

#[test]
fn a_customer_forked_to_many_servers_takes_as_long_as_nelson_and_tantawi_approximate() {
    let case = Case("forkjoin_rho0.5");
    for (servers, published) in [(3, 3.397727), (5, 4.103409), (10, 5.115882)] {
        let run = OpenQueue::new(0.5, Service::Drawn(exponential(1.0)))
            .forked_to(servers)
            .customers(100_000)
            .run(&case);
        let estimate = run.mean(&run.sojourns);
        // Five per cent for the approximation, and the sample's own error.
        let allowed = 0.05 * published + ERRORS_ALLOWED * estimate.error;
        assert!(
            (estimate.value - published).abs() <= allowed,
            "{}: R{servers} is {estimate:?}, approximated as {published}; seed {}",
            case.0,
            case.seed()
        );
    }
}

// ---------------------------------------------------------------------------
// Closed loops, M/M/1//N. Exact mean value analysis:
// R_n = S (1 + Q_(n-1)); X_n = n / (R_n + Z); Q_n = X_n R_n.

#[test]
fn a_closed_loop_of_clients_settles_where_mean_value_analysis_says() {
    let published = [
        ("closed_N5_Z10.0", 5, [0.436048, 1.466632, 0.436048, 0.639522]),
        ("closed_N20_Z10.0", 20, [0.998131, 10.037451, 0.998131, 10.01869]),
    ];
    for (id, clients, [throughput, response, utilisation, queue]) in published {
        let case = Case(id);
        let run = closed_loop(&case, clients, 10.0, 500_000);
        case.near("throughput", throughput, run.throughput(), 0.02);
        case.near("mean response", response, run.mean(&run.sojourns), 0.03);
        case.near("utilisation", utilisation, run.busy_cores(), 0.02);
        case.near("queue", queue, run.in_system(), 0.03);
    }
}

// ---------------------------------------------------------------------------
// Comparing.

/// The id of a published case.
struct Case(&'static str);

/// A measured figure and its standard error.
#[derive(Clone, Copy, Debug)]
struct Estimate {
    value: f64,
    error: f64,
}

impl Estimate {
    /// From the values of batches.
    fn of_independent(values: &[f64]) -> Estimate {
        let mean = mean_of(values);
        let squares: f64 = values.iter().map(|value| (value - mean) * (value - mean)).sum();
        let count = values.len() as f64;
        Estimate { value: mean, error: libm::sqrt(squares / (count - 1.0) / count) }
    }
}

fn mean_of(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

impl Case {
    /// Each case has a seed of its own, so that they are independent of each other.
    fn seed(&self) -> u64 {
        name_hash(self.0)
    }

    /// The measurement is within [`ERRORS_ALLOWED`] standard errors of what was
    /// published, and those are at most `width` of it.
    fn near(&self, what: &str, published: f64, measured: Estimate, width: f64) {
        let Case(id) = self;
        let allowed = ERRORS_ALLOWED * measured.error;
        // The published figures are printed to six digits.
        let printed = 1e-6_f64.max(published * 1e-6);
        println!(
            "{id}: {what} {:.6}, published {published}, off by {:+.2} of {ERRORS_ALLOWED} errors, width {:.4}",
            measured.value,
            (measured.value - published) / measured.error,
            allowed / published
        );
        assert!(
            (measured.value - published).abs() <= allowed + printed,
            "{id}: {what} is {measured:?}, published is {published}; seed {}",
            self.seed()
        );
        assert!(
            allowed <= width * published,
            "{id}: {what} is known to ±{allowed} only, which is more than {width} of {published}; \
             the sample is too small; seed {}",
            self.seed()
        );
    }

    /// The mean wait of M/M/1 against the asymptotic variance of its estimator,
    /// rho (2 + 5 rho - 4 rho^2 + rho^3) / (n (1 - rho)^4) for mu = 1.
    fn mm1_mean_wait(&self, run: &Run, rho: f64, published: f64, width: f64) {
        let idle = 1.0 - rho;
        let variance = rho * (2.0 + 5.0 * rho - 4.0 * rho * rho + rho * rho * rho)
            / (run.waits.len() as f64 * idle * idle * idle * idle);
        let value = mean_of(&run.waits);
        self.near("mean wait", published, Estimate { value, error: libm::sqrt(variance) }, width);
    }

    /// The share of samples above each published quantile is what it should be.
    fn quantiles(&self, what: &str, run: &Run, samples: &[f64], published: &[(f64, f64)]) {
        for &(probability, quantile) in published {
            let share = run.share_above(samples, quantile);
            let what = format!("share of {what}s above its p{probability}");
            self.near(&what, 1.0 - probability, share, quantile_width(probability));
        }
    }

    /// The same for independent samples, whose count above is binomial.
    fn independent_quantiles(&self, samples: &[f64], published: &[(f64, f64)]) {
        let count = samples.len() as f64;
        for &(probability, quantile) in published {
            let above = samples.iter().filter(|sample| **sample > quantile).count() as f64;
            let error = libm::sqrt(probability * (1.0 - probability) / count);
            let what = format!("share above p{probability}");
            let share = Estimate { value: above / count, error };
            self.near(&what, 1.0 - probability, share, quantile_width(probability));
        }
    }
}

/// How wide four standard errors of a share above a quantile may be. An error in
/// the share is a much smaller one in the quantile itself: where the tail is
/// exponential, 40 % more samples above p99 is a p99 that is 7 % too large.
fn quantile_width(probability: f64) -> f64 {
    match probability {
        p if p > 0.99 => 0.6,
        p if p > 0.5 => 0.4,
        _ => 0.1,
    }
}

// ---------------------------------------------------------------------------
// Running.

/// What a run measured, warm-up apart.
struct Run {
    sojourns: Vec<f64>,
    /// Sojourn less service, where the service time was known.
    waits: Vec<f64>,
    batches: Vec<Batch>,
}

/// What was counted during one batch.
#[derive(Clone, Copy, Default)]
struct Batch {
    ms: f64,
    served: f64,
    shed: f64,
    busy_ms: f64,
    /// Jobs times milliseconds.
    in_system_area: f64,
    waiting_area: f64,
}

impl Run {
    /// The mean of the samples, with its error from batch means.
    fn mean(&self, samples: &[f64]) -> Estimate {
        Estimate::of_independent(&batches_of(samples).map(mean_of).collect::<Vec<f64>>())
    }

    /// The share of samples above a threshold, with its error from batch means.
    fn share_above(&self, samples: &[f64], threshold: f64) -> Estimate {
        let share = |batch: &[f64]| {
            batch.iter().filter(|sample| **sample > threshold).count() as f64 / batch.len() as f64
        };
        Estimate::of_independent(&batches_of(samples).map(share).collect::<Vec<f64>>())
    }

    /// The mean number of jobs in the machine, waiting or served.
    fn in_system(&self) -> Estimate {
        self.rate(|batch| batch.in_system_area, |batch| batch.ms)
    }

    fn waiting(&self) -> Estimate {
        self.rate(|batch| batch.waiting_area, |batch| batch.ms)
    }

    fn busy_cores(&self) -> Estimate {
        self.rate(|batch| batch.busy_ms, |batch| batch.ms)
    }

    /// Jobs served per millisecond.
    fn throughput(&self) -> Estimate {
        self.rate(|batch| batch.served, |batch| batch.ms)
    }

    /// The share of jobs that are turned away.
    fn blocking(&self) -> Estimate {
        self.rate(|batch| batch.shed, |batch| batch.shed + batch.served)
    }

    /// One count by another, with its error from batch means.
    fn rate(&self, count: impl Fn(&Batch) -> f64, by: impl Fn(&Batch) -> f64) -> Estimate {
        Estimate::of_independent(
            &self.batches.iter().map(|batch| count(batch) / by(batch)).collect::<Vec<f64>>(),
        )
    }
}

fn batches_of(samples: &[f64]) -> impl Iterator<Item = &[f64]> {
    samples.chunks_exact(samples.len() / BATCHES)
}

/// A source of Poisson arrivals, one or more servers with a queue, a sink.
struct OpenQueue {
    arrivals_per_ms: f64,
    service: Service,
    cores: u16,
    queue_limit: u32,
    servers: u16,
    customers: usize,
}

impl OpenQueue {
    fn new(arrivals_per_ms: f64, service: impl Into<Service>) -> OpenQueue {
        OpenQueue {
            arrivals_per_ms,
            service: service.into(),
            cores: 1,
            queue_limit: u32::MAX,
            servers: 1,
            customers: 0,
        }
    }

    fn cores(self, cores: u16) -> OpenQueue {
        OpenQueue { cores, ..self }
    }

    fn queue_limit(self, queue_limit: u32) -> OpenQueue {
        OpenQueue { queue_limit, ..self }
    }

    fn forked_to(self, servers: u16) -> OpenQueue {
        OpenQueue { servers, ..self }
    }

    fn customers(self, customers: usize) -> OpenQueue {
        OpenQueue { customers, ..self }
    }

    fn run(self, case: &Case) -> Run {
        let first_server = 2;
        let source = Station::Source {
            gap: exponential(self.arrivals_per_ms),
            service: self.service.clone(),
            servers: (first_server..first_server + self.servers).map(NodeId).collect(),
            number: 0,
        };
        let mut nodes = vec![
            (machine("source", CORES_UNLIMITED, u32::MAX), source),
            (machine("sink", CORES_UNLIMITED, u32::MAX), Station::sink(self.servers)),
        ];
        for server in 0..self.servers {
            let spec = machine(&format!("server-{server}"), self.cores, self.queue_limit);
            nodes.push((spec, Station::Server { service: self.service.clone(), next: NodeId(1) }));
        }
        let load = self.arrivals_per_ms / f64::from(self.cores);
        let world = World::new(case.seed(), undelayed(Vec::new()), nodes);
        measure(world, NodeId(first_server), load, self.customers)
    }
}

/// Clients that think, send to one server, and wait for it.
fn closed_loop(case: &Case, clients: u32, think_ms: f64, customers: usize) -> Run {
    let terminals = Station::Terminals { clients, think: exponential(1.0 / think_ms), server: NodeId(1) };
    let server = Station::Server { service: Service::Drawn(exponential(1.0)), next: NodeId(0) };
    let nodes = vec![
        (machine("terminals", CORES_UNLIMITED, u32::MAX), terminals),
        (machine("server", 1, u32::MAX), server),
    ];
    measure(World::new(case.seed(), undelayed(Vec::new()), nodes), NodeId(1), 0.9, customers)
}

/// Runs a world until its warm-up is over and then until `customers` are through.
fn measure(mut world: World<Station>, server: NodeId, load: f64, customers: usize) -> Run {
    let load = load.min(0.95);
    // At least 20 / (1 - rho)^2 service times, in customers.
    let warm_up = (20.0 / ((1.0 - load) * (1.0 - load))) as usize * 2;
    let mut run = Run { sojourns: Vec::new(), waits: Vec::new(), batches: Vec::new() };
    let mut area = Batch::default();
    let mut before = Batch::default();
    let mut finished = 0;
    while run.batches.len() < BATCHES {
        let machine = world.body(server).machine();
        let (waiting, busy) = (machine.queue_len() as f64, f64::from(machine.busy_cores()));
        let was = world.now();
        let mut ended = false;
        world.step(&mut |_, _, finish: Finish| {
            finished += 1;
            ended = true;
            if finished > warm_up {
                run.sojourns.push(finish.sojourn.as_ms_f64());
                if let Some(service) = finish.service {
                    run.waits.push((finish.sojourn - service).as_ms_f64());
                }
            }
        });
        let passed = world.now().since(was).as_ms_f64();
        area.in_system_area += (waiting + busy) * passed;
        area.waiting_area += waiting * passed;
        let in_batch = customers / BATCHES;
        if ended && finished >= warm_up && (finished - warm_up).is_multiple_of(in_batch) {
            let machine = world.body(server).machine();
            let now = Batch {
                ms: world.now().as_ms_f64(),
                served: machine.served_count() as f64,
                shed: machine.shed_count() as f64,
                busy_ms: machine.busy_time().as_ms_f64(),
                ..area
            };
            if finished > warm_up {
                run.batches.push(now.since(&before));
            }
            before = now;
        }
    }
    run
}

impl Batch {
    fn since(&self, before: &Batch) -> Batch {
        Batch {
            ms: self.ms - before.ms,
            served: self.served - before.served,
            shed: self.shed - before.shed,
            busy_ms: self.busy_ms - before.busy_ms,
            in_system_area: self.in_system_area - before.in_system_area,
            waiting_area: self.waiting_area - before.waiting_area,
        }
    }
}

/// How long a coordinator waits for the `k`-th of `n` replies, for each operation.
fn quorum(
    case: &Case,
    k: u16,
    n: u16,
    operations: usize,
    there: Distribution,
    back: Distribution,
) -> Vec<f64> {
    let coordinator =
        Station::Coordinator { wait_for: k, replicas: n, operation: 0, replies: 0, began: SimTime::ZERO };
    let mut nodes = vec![(machine("coordinator", CORES_UNLIMITED, u32::MAX), coordinator)];
    for replica in 1..=n {
        let spec = machine(&format!("replica-{replica}"), CORES_UNLIMITED, u32::MAX);
        nodes.push((spec, Station::Replica));
    }
    // By class: requests, replies.
    let mut world = World::new(case.seed(), undelayed(vec![Some(there), Some(back)]), nodes);
    let mut samples = Vec::with_capacity(operations);
    while samples.len() < operations {
        world.step(&mut |_, _, finish: Finish| samples.push(finish.sojourn.as_ms_f64()));
    }
    samples
}

fn exponential(rate_per_ms: f64) -> Distribution {
    Distribution::Exponential(Exponential { rate_per_ms })
}

/// No delay but what `class_delays` say.
fn undelayed(class_delays: Vec<Option<Distribution>>) -> NetworkSpec {
    NetworkSpec { class_delays, ..network(Distribution::constant_ms(0.0)) }
}

// ---------------------------------------------------------------------------
// The processes.

/// How long a customer is served, and who draws it.
#[derive(Clone)]
enum Service {
    /// The source draws it, so that the wait is known exactly.
    Carried(Distribution),
    /// The server draws it from its own stream when it begins.
    Drawn(Distribution),
    /// The same, as the sum of two draws (Erlang-2).
    SumOfTwo(Distribution),
}

impl From<Distribution> for Service {
    fn from(distribution: Distribution) -> Service {
        Service::Carried(distribution)
    }
}

#[derive(Clone)]
enum Station {
    Source { gap: Distribution, service: Service, servers: Vec<NodeId>, number: u64 },
    Server { service: Service, next: NodeId },
    Sink { parts: u16, joining: BTreeMap<u64, u16> },
    Terminals { clients: u32, think: Distribution, server: NodeId },
    Coordinator { wait_for: u16, replicas: u16, operation: u64, replies: u16, began: SimTime },
    Replica,
}

impl Station {
    /// A sink of customers of whom `parts` come from as many servers.
    fn sink(parts: u16) -> Station {
        Station::Sink { parts, joining: BTreeMap::new() }
    }
}

#[derive(Clone, Copy)]
enum Packet {
    Customer { number: u64, arrived: SimTime, service: Option<SimDuration> },
    Request { operation: u64 },
    Reply { operation: u64 },
}

impl Message for Packet {
    fn transport(&self) -> Transport {
        Transport::Pooled
    }

    fn class(&self) -> u8 {
        match self {
            Packet::Customer { .. } | Packet::Request { .. } => 0,
            Packet::Reply { .. } => 1,
        }
    }

    fn bytes(&self) -> u32 {
        100
    }
}

/// A customer or an operation is through.
#[derive(Clone, Copy)]
struct Finish {
    sojourn: SimDuration,
    service: Option<SimDuration>,
}

impl Output for Finish {
    fn word(&self) -> u64 {
        self.sojourn.0
    }
}

impl Process for Station {
    type Message = Packet;
    type Timer = ();
    type Token = ();
    type Disk = ();
    type Output = Finish;
    type Control = ();

    fn on_start(&mut self, (): &(), ctx: &mut Context<Self>) {
        match self {
            Station::Source { gap, .. } => {
                let gap = gap.sample(ctx.random());
                ctx.set_timer(gap, ());
            }
            Station::Terminals { clients, think, .. } => {
                for _ in 0..*clients {
                    let think = think.sample(ctx.random());
                    ctx.set_timer(think, ());
                }
            }
            Station::Coordinator { .. } => ctx.set_timer(SimDuration::ZERO, ()),
            _ => {}
        }
    }

    fn on_timer(&mut self, (): (), ctx: &mut Context<Self>) {
        let arrived = ctx.monotonic();
        match self {
            Station::Source { gap, service, servers, number } => {
                *number += 1;
                let service = match service {
                    Service::Carried(distribution) => Some(distribution.sample(ctx.random())),
                    _ => None,
                };
                for server in servers {
                    ctx.send(*server, Packet::Customer { number: *number, arrived, service });
                }
                let gap = gap.sample(ctx.random());
                ctx.set_timer(gap, ());
            }
            Station::Terminals { server, .. } => {
                ctx.send(*server, Packet::Customer { number: 0, arrived, service: None });
            }
            Station::Coordinator { replicas, operation, replies, began, .. } => {
                *operation += 1;
                *replies = 0;
                *began = arrived;
                for replica in 1..=*replicas {
                    ctx.send(NodeId(replica), Packet::Request { operation: *operation });
                }
            }
            _ => {}
        }
    }

    fn on_message(&mut self, from: NodeId, packet: Packet, ctx: &mut Context<Self>) {
        let now = ctx.monotonic();
        match (self, packet) {
            (Station::Server { next, .. }, customer) => ctx.send(*next, customer),
            (Station::Sink { parts: 1, .. }, Packet::Customer { arrived, service, .. }) => {
                ctx.output(Finish { sojourn: now.since(arrived), service });
            }
            (Station::Sink { parts, joining }, Packet::Customer { number, arrived, service }) => {
                let joined = joining.entry(number).or_insert(0);
                *joined += 1;
                if joined == parts {
                    joining.remove(&number);
                    ctx.output(Finish { sojourn: now.since(arrived), service });
                }
            }
            (Station::Terminals { think, .. }, Packet::Customer { arrived, service, .. }) => {
                ctx.output(Finish { sojourn: now.since(arrived), service });
                let think = think.sample(ctx.random());
                ctx.set_timer(think, ());
            }
            (Station::Replica, Packet::Request { operation }) => ctx.send(from, Packet::Reply { operation }),
            (
                Station::Coordinator { wait_for, operation: current, replies, began, .. },
                Packet::Reply { operation },
            ) if operation == *current => {
                *replies += 1;
                if replies == wait_for {
                    ctx.output(Finish { sojourn: now.since(*began), service: None });
                    // The next one; replies to this one that are still to come are late.
                    ctx.set_timer(SimDuration::ZERO, ());
                }
            }
            _ => {}
        }
    }

    fn on_done(&mut self, (): (), _: &mut Context<Self>) {}
    fn on_shed(&mut self, _: NodeId, _: Packet, _: &mut Context<Self>) {}
    fn on_broken(&mut self, _: NodeId, _: &mut Context<Self>) {}
    fn on_control(&mut self, (): (), _: &mut Context<Self>) {}

    fn service_time(&self, _: NodeId, packet: &Packet, _: SimDuration, stream: &mut Stream) -> SimDuration {
        let Station::Server { service, .. } = self else {
            return SimDuration::ZERO;
        };
        match (service, packet) {
            (_, Packet::Customer { service: Some(carried), .. }) => *carried,
            (Service::SumOfTwo(distribution), _) => distribution.sample(stream) + distribution.sample(stream),
            (Service::Drawn(distribution) | Service::Carried(distribution), _) => distribution.sample(stream),
        }
    }
}
