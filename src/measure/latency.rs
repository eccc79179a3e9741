//! Latency histograms (HDR histograms; Tene), cheap to clone.

use crate::engine::SimDuration;
use hdrhistogram::Histogram;
use std::rc::Rc;

/// Shortest and longest latency told apart: one microsecond and ten minutes, in ns.
const LOWEST_NS: u64 = 1_000;
const HIGHEST_NS: u64 = 600_000_000_000;

/// Latencies of one kind of operation, to three significant digits.
#[derive(Clone)]
pub struct Latencies {
    /// Shared with checkpoints until one of them records.
    histogram: Rc<Histogram<u32>>,
    sum_ns: u128,
}

/// What is said of latencies. All zero if there were none.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct LatencySummary {
    pub count: u64,
    pub mean_ms: f64,
    pub p50_ms: f64,
    pub p99_ms: f64,
    pub p999_ms: f64,
}

impl Default for Latencies {
    fn default() -> Self {
        Latencies::with_digits(3)
    }
}

impl Latencies {
    /// Two significant digits are enough for one bucket of a chart.
    pub fn with_digits(digits: u8) -> Latencies {
        let histogram =
            Histogram::new_with_bounds(LOWEST_NS, HIGHEST_NS, digits).expect("the bounds are valid");
        Latencies { histogram: Rc::new(histogram), sum_ns: 0 }
    }

    pub fn record(&mut self, latency: SimDuration) {
        Rc::make_mut(&mut self.histogram).saturating_record(latency.0);
        self.sum_ns += u128::from(latency.0);
    }

    pub fn clear(&mut self) {
        if !self.histogram.is_empty() {
            Rc::make_mut(&mut self.histogram).reset();
            self.sum_ns = 0;
        }
    }

    pub fn count(&self) -> u64 {
        self.histogram.len()
    }

    /// The quantile in ms; none if nothing was recorded.
    pub fn quantile_ms(&self, quantile: f64) -> Option<f64> {
        (!self.histogram.is_empty()).then(|| self.histogram.value_at_quantile(quantile) as f64 / 1e6)
    }

    pub fn summary(&self) -> LatencySummary {
        let count = self.count();
        if count == 0 {
            return LatencySummary::default();
        }
        let quantile = |q| self.quantile_ms(q).unwrap_or(0.0);
        LatencySummary {
            count,
            mean_ms: self.sum_ns as f64 / count as f64 / 1e6,
            p50_ms: quantile(0.5),
            p99_ms: quantile(0.99),
            p999_ms: quantile(0.999),
        }
    }
}
