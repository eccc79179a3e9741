//! Distributions of times: delays, service times, disk times.
//!
//! In scenario files they read as below, in milliseconds, and nest:
//!
//! ```json
//! {"constant_ms": 1}
//! {"uniform_ms": [1, 2]}
//! {"exponential": {"rate_per_ms": 1.66}}
//! {"lognormal": {"median_ms": 1, "sigma": 0.5}}
//! {"pareto": {"scale_ms": 0.235, "shape": 10}}
//! {"empirical_ms": [1, 1, 2, 40]}
//! {"shifted": {"by_ms": 75, "of": {"constant_ms": 1}}}
//! {"mixture": [{"weight": 0.9, "of": {"constant_ms": 1}}, {"weight": 0.1, "of": {"constant_ms": 9}}]}
//! ```
//!
//! `empirical_ms` draws one of the listed values, each equally likely. Every
//! draw is rounded to a nanosecond at once, and every transcendental function
//! is `libm`'s by name: the platform's own differ between machines.

use super::random::Stream;
use super::time::SimDuration;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// How deep distributions may nest.
pub const NESTING_MAX: usize = 8;
/// Most values of an empirical distribution, and most parts of a mixture.
pub const PARTS_MAX: usize = 10_000;
/// Largest weight of a part of a mixture.
pub const WEIGHT_MAX: f64 = 1e9;
/// Longest time a parameter may name: one simulated day.
pub const TIME_MS_MAX: f64 = 86_400_000.0;

/// A distribution of non-negative times.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Distribution {
    /// Always the same.
    ConstantMs(f64),
    /// From the first to the second number, each equally likely.
    UniformMs([f64; 2]),
    Exponential(Exponential),
    Lognormal(Lognormal),
    Pareto(Pareto),
    /// One of the listed values, each equally likely.
    EmpiricalMs(Vec<f64>),
    Shifted(Shifted),
    /// One of several distributions, by weight.
    Mixture(Vec<Part>),
}

/// Exponential; its mean is `1 / rate_per_ms`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Exponential {
    pub rate_per_ms: f64,
}

/// Lognormal: `median_ms * exp(sigma * Z)`, Z standard normal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Lognormal {
    pub median_ms: f64,
    pub sigma: f64,
}

/// Pareto (type I): never below `scale_ms`, P(X > x) = (scale / x)^shape.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Pareto {
    pub scale_ms: f64,
    pub shape: f64,
}

/// Another distribution, later by a constant.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Shifted {
    pub by_ms: f64,
    pub of: Box<Distribution>,
}

/// One part of a mixture; weights are relative to their sum.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Part {
    pub weight: f64,
    pub of: Distribution,
}

/// Why a distribution cannot be used. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum DistributionError {
    #[error("{field} is {value}; it must be a number from 0 to {TIME_MS_MAX} (milliseconds)")]
    Time { field: &'static str, value: f64 },
    #[error("{field} is {value}; it must be a number greater than 0")]
    NotPositive { field: &'static str, value: f64 },
    #[error("weight is {0}; it must be a number greater than 0 and at most {WEIGHT_MAX}")]
    Weight(f64),
    #[error("sigma is {0}; it must be a number from 0 to 10")]
    Sigma(f64),
    #[error("uniform_ms runs from {0} to {1}; the first number must not be greater than the second")]
    Reversed(f64, f64),
    #[error("{0} is an empty list; it needs at least one entry")]
    Empty(&'static str),
    #[error("{field} has {count} entries; at most {PARTS_MAX} are allowed")]
    TooMany { field: &'static str, count: usize },
    #[error("distributions nest deeper than {NESTING_MAX} levels")]
    TooDeep,
}

impl Distribution {
    /// Always `ms` milliseconds.
    pub const fn constant_ms(ms: f64) -> Distribution {
        Distribution::ConstantMs(ms)
    }

    /// Checks every parameter; a distribution that passes never panics when drawn from.
    pub fn validate(&self) -> Result<(), DistributionError> {
        self.validate_at(0)
    }

    fn validate_at(&self, depth: usize) -> Result<(), DistributionError> {
        if depth >= NESTING_MAX {
            return Err(DistributionError::TooDeep);
        }
        match self {
            Distribution::ConstantMs(ms) => time("constant_ms", *ms),
            Distribution::UniformMs([low, high]) => {
                time("uniform_ms", *low)?;
                time("uniform_ms", *high)?;
                if low > high { Err(DistributionError::Reversed(*low, *high)) } else { Ok(()) }
            }
            Distribution::Exponential(e) => positive("rate_per_ms", e.rate_per_ms),
            Distribution::Lognormal(l) => {
                time("median_ms", l.median_ms)?;
                if (0.0..=10.0).contains(&l.sigma) { Ok(()) } else { Err(DistributionError::Sigma(l.sigma)) }
            }
            Distribution::Pareto(p) => {
                time("scale_ms", p.scale_ms)?;
                positive("scale_ms", p.scale_ms)?;
                positive("shape", p.shape)
            }
            Distribution::EmpiricalMs(values) => {
                count("empirical_ms", values.len())?;
                values.iter().try_for_each(|ms| time("empirical_ms", *ms))
            }
            Distribution::Shifted(s) => {
                time("by_ms", s.by_ms)?;
                s.of.validate_at(depth + 1)
            }
            Distribution::Mixture(parts) => {
                count("mixture", parts.len())?;
                parts.iter().try_for_each(|part| {
                    if !(part.weight > 0.0 && part.weight <= WEIGHT_MAX) {
                        return Err(DistributionError::Weight(part.weight));
                    }
                    part.of.validate_at(depth + 1)
                })
            }
        }
    }

    /// Draws a time.
    #[inline]
    pub fn sample(&self, stream: &mut Stream) -> SimDuration {
        match self {
            Distribution::ConstantMs(ms) => SimDuration::from_ms_f64(*ms),
            _ => SimDuration::from_ms_f64(self.sample_ms(stream)),
        }
    }

    fn sample_ms(&self, stream: &mut Stream) -> f64 {
        match self {
            Distribution::ConstantMs(ms) => *ms,
            Distribution::UniformMs([low, high]) => low + (high - low) * stream.unit(),
            Distribution::Exponential(e) => stream.exponential() / e.rate_per_ms,
            Distribution::Lognormal(l) => l.median_ms * libm::exp(l.sigma * stream.normal()),
            Distribution::Pareto(p) => p.scale_ms * libm::exp(stream.exponential() / p.shape),
            Distribution::EmpiricalMs(values) => values[stream.below(values.len() as u32) as usize],
            Distribution::Shifted(s) => s.by_ms + s.of.sample_ms(stream),
            Distribution::Mixture(parts) => pick(parts, stream).sample_ms(stream),
        }
    }

    /// The mean, where it is finite.
    pub fn mean_ms(&self) -> Option<f64> {
        Some(match self {
            Distribution::ConstantMs(ms) => *ms,
            Distribution::UniformMs([low, high]) => (low + high) / 2.0,
            Distribution::Exponential(e) => 1.0 / e.rate_per_ms,
            Distribution::Lognormal(l) => l.median_ms * libm::exp(l.sigma * l.sigma / 2.0),
            Distribution::Pareto(p) if p.shape > 1.0 => p.scale_ms * p.shape / (p.shape - 1.0),
            Distribution::Pareto(_) => return None,
            Distribution::EmpiricalMs(values) => values.iter().sum::<f64>() / values.len() as f64,
            Distribution::Shifted(s) => s.by_ms + s.of.mean_ms()?,
            Distribution::Mixture(parts) => {
                let mut sum = 0.0;
                for part in parts {
                    sum += part.weight * part.of.mean_ms()?;
                }
                sum / total_weight(parts)
            }
        })
    }
}

fn total_weight(parts: &[Part]) -> f64 {
    parts.iter().map(|part| part.weight).sum()
}

fn pick<'a>(parts: &'a [Part], stream: &mut Stream) -> &'a Distribution {
    let mut left = stream.unit() * total_weight(parts);
    for part in parts {
        left -= part.weight;
        if left < 0.0 {
            return &part.of;
        }
    }
    &parts[parts.len() - 1].of
}

fn time(field: &'static str, value: f64) -> Result<(), DistributionError> {
    if (0.0..=TIME_MS_MAX).contains(&value) { Ok(()) } else { Err(DistributionError::Time { field, value }) }
}

fn positive(field: &'static str, value: f64) -> Result<(), DistributionError> {
    if value > 0.0 && value.is_finite() {
        Ok(())
    } else {
        Err(DistributionError::NotPositive { field, value })
    }
}

fn count(field: &'static str, count: usize) -> Result<(), DistributionError> {
    match count {
        0 => Err(DistributionError::Empty(field)),
        1..=PARTS_MAX => Ok(()),
        _ => Err(DistributionError::TooMany { field, count }),
    }
}
