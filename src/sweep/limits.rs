//! Every bound of a sweep, by name.

/// Paths that one sweep varies.
pub const VARIED_MAX: usize = 16;
/// Values of one path.
pub const VALUES_MAX: usize = 1_000;
/// Combinations of values: each is read and checked before anything runs.
pub const COMBINATIONS_MAX: u64 = 20_000;
/// Combinations times seeds.
pub const RUNS_MAX: u64 = 1_000_000;
/// Runs at once.
pub const JOBS_MAX: usize = 256;
/// Parts that a sweep is cut into.
pub const SLICES_MAX: u64 = 10_000;
/// Results that wait for an earlier one, for each job.
pub const WAITING_PER_JOB_MAX: usize = 16;
