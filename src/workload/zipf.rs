//! Zipf-distributed ranks: rank k of n has a probability proportional to k^-θ.
//!
//! Drawn by rejection-inversion (Hörmann and Derflinger, "Rejection-inversion to
//! generate variates from monotone discrete distributions", ACM TOMACS 6(3),
//! 1996): exact for every θ ≥ 0, θ = 1 included, with no table. YCSB's own
//! generator (Gray et al. 1994) approximates ranks from the third on and knows
//! only θ < 1; its constant is 0.99.

use crate::engine::Stream;

/// A sampler of ranks 1 to n.
#[derive(Clone, Debug)]
pub struct Zipf {
    ranks: f64,
    theta: f64,
    integral_first: f64,
    integral_last: f64,
    shortcut: f64,
}

impl Zipf {
    /// `ranks` at least 1, `theta` from 0 (uniform) up.
    pub fn new(ranks: u32, theta: f64) -> Zipf {
        assert!(ranks >= 1 && theta >= 0.0, "a Zipf distribution has at least one rank and theta from 0 up");
        let mut zipf =
            Zipf { ranks: f64::from(ranks), theta, integral_first: 0.0, integral_last: 0.0, shortcut: 0.0 };
        zipf.integral_first = zipf.integral(1.5) - 1.0;
        zipf.integral_last = zipf.integral(zipf.ranks + 0.5);
        zipf.shortcut = 2.0 - zipf.integral_inverse(zipf.integral(2.5) - zipf.density(2.0));
        zipf
    }

    /// Draws a rank, 1 being the most popular.
    pub fn sample(&self, stream: &mut Stream) -> u32 {
        if self.theta == 0.0 {
            return stream.below(self.ranks as u32) + 1;
        }
        loop {
            let u = self.integral_last + stream.unit() * (self.integral_first - self.integral_last);
            let x = self.integral_inverse(u);
            let rank = (x + 0.5).clamp(1.0, self.ranks).trunc();
            if rank - x <= self.shortcut || u >= self.integral(rank + 0.5) - self.density(rank) {
                return rank as u32;
            }
        }
    }

    /// x^-θ.
    fn density(&self, x: f64) -> f64 {
        libm::exp(-self.theta * libm::log(x))
    }

    /// The integral of the density from 1 to x.
    fn integral(&self, x: f64) -> f64 {
        let log_x = libm::log(x);
        expm1_over((1.0 - self.theta) * log_x) * log_x
    }

    fn integral_inverse(&self, x: f64) -> f64 {
        let t = (x * (1.0 - self.theta)).max(-1.0);
        libm::exp(log1p_over(t) * x)
    }
}

/// ln(1 + x) / x, continuous at zero.
fn log1p_over(x: f64) -> f64 {
    if x.abs() > 1e-8 { libm::log1p(x) / x } else { 1.0 - x * (0.5 - x * (1.0 / 3.0 - 0.25 * x)) }
}

/// (e^x - 1) / x, continuous at zero.
fn expm1_over(x: f64) -> f64 {
    if x.abs() > 1e-8 { libm::expm1(x) / x } else { 1.0 + x * 0.5 * (1.0 + x / 3.0 * (1.0 + 0.25 * x)) }
}
