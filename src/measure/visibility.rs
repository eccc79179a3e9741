//! When writes become visible, counted from the reads that follow them.
//!
//! PBS (Bailis et al., "Probabilistically Bounded Staleness for Practical Partial
//! Quorums", PVLDB 5(8), 2012) asks three things of a cluster, and so does this:
//! how likely a read that is sent some time after a write's acknowledgement
//! returns that write or a newer one; after which time that is so for 99.9 % of
//! the reads (t-visibility); and how likely a read returns one of the k latest
//! versions (k-staleness).
//!
//! The first is a share of reads at one delay each. The second is the delay at
//! which the share of stale reads, as it falls with the delay, crosses one in a
//! thousand. It is estimated in two steps: the best falling fit to all shares
//! (isotonic regression; Ayer et al. 1955) says where about, and a local fit of
//! the logarithm of the share against the logarithm of the delay, by maximum
//! likelihood, over the delays within a seventh of there, says where exactly. The
//! paper takes the first delay of a sweep at which at most 50 of 50,000 reads are
//! stale, which comes out early by 2.5 to 12.5 %.
//!
//! Only counts are kept, by delays two to three percent apart. The history has
//! all that they are made of: a read that follows a write is its client's next
//! one of the key, sent exactly the delay after the write's completion.

use crate::engine::SimDuration;
use crate::workload::operation::Versioned;
use crate::workload::probe::{Probe, STALE_SHARE_SOUGHT};
use std::rc::Rc;

/// Versions back up to which reads are told apart.
pub const VERSIONS_BACK_MAX: usize = 16;
/// Delays that are told apart within a factor of two, as a power of two.
const STEPS_PER_OCTAVE_LOG2: u32 = 5;
/// A delay below this counts as none.
const NO_DELAY: SimDuration = SimDuration(10_000);
/// How far around the crossing the local fit looks, as a logarithm.
const WINDOW: f64 = 0.15;
/// Times that the local fit moves to where it found the crossing.
const FITS: usize = 5;
/// Stale reads in the window below which a local fit says nothing.
const STALE_FITTED_MIN: f64 = 20.0;

/// Reads at about one delay.
#[derive(Clone, Copy, Debug, Default)]
struct Shares {
    reads: u64,
    stale: u64,
    /// Of all delays, in ns.
    delays_ns: u64,
}

impl Shares {
    fn delay_ms(&self) -> f64 {
        self.delays_ns as f64 / self.reads as f64 / 1e6
    }
}

/// What is counted of reads that follow writes, and of how old reads are.
#[derive(Clone, Default)]
pub struct Visibility {
    /// By listed delay: reads, and those of them that were stale.
    listed: Vec<[u64; 2]>,
    /// By delay, listed ones included; shared with checkpoints until one of them counts.
    by_delay: Rc<Vec<Shares>>,
    /// Reads by how many acknowledged versions they were behind, the last entry for all above.
    versions_behind: [u64; VERSIONS_BACK_MAX + 1],
}

impl Visibility {
    /// A read of one row that missed so many acknowledged versions.
    pub fn read(&mut self, versions_behind: u32) {
        self.versions_behind[(versions_behind as usize).min(VERSIONS_BACK_MAX)] += 1;
    }

    /// A read that followed a write.
    pub fn followed(&mut self, probe: &Probe, read: &Versioned) {
        let is_stale = probe.is_stale(read);
        if let Some(place) = probe.listed {
            let place = usize::from(place);
            if self.listed.len() <= place {
                self.listed.resize(place + 1, [0; 2]);
            }
            self.listed[place][0] += 1;
            self.listed[place][1] += u64::from(is_stale);
        }
        let by_delay = Rc::make_mut(&mut self.by_delay);
        let place = place_of(probe.after);
        if by_delay.len() <= place {
            by_delay.resize(place + 1, Shares::default());
        }
        by_delay[place].reads += 1;
        by_delay[place].stale += u64::from(is_stale);
        by_delay[place].delays_ns += if place == 0 { 0 } else { probe.after.0 };
    }

    /// Share of the reads at the listed delay that returned the write or a newer one; none if there were none.
    pub fn consistent_share(&self, listed: usize) -> Option<f64> {
        let [reads, stale] = *self.listed.get(listed)?;
        (reads > 0).then(|| 1.0 - stale as f64 / reads as f64)
    }

    /// Share of all reads of one row that returned one of the `k` latest acknowledged versions, or a newer one.
    pub fn within_versions_share(&self, k: usize) -> Option<f64> {
        assert!((1..=VERSIONS_BACK_MAX).contains(&k), "reads further back are not told apart");
        let all: u64 = self.versions_behind.iter().sum();
        let within: u64 = self.versions_behind[..k].iter().sum();
        (all > 0).then(|| within as f64 / all as f64)
    }

    /// The delay in ms from which on 99.9 % of the reads return the write or a newer one; none if the reads
    /// do not show it.
    pub fn t_visibility_ms(&self) -> Option<f64> {
        let shares: Vec<Shares> = self.by_delay.iter().copied().filter(|shares| shares.reads > 0).collect();
        let crossing_ms = isotonic_crossing_ms(&shares)?;
        if crossing_ms == 0.0 { Some(0.0) } else { Some(refined_crossing_ms(&shares, crossing_ms)) }
    }
}

/// None at all first, then steps of equal length within each factor of two.
fn place_of(delay: SimDuration) -> usize {
    if delay < NO_DELAY {
        return 0;
    }
    let steps = 1 << STEPS_PER_OCTAVE_LOG2;
    let octave = (u64::BITS - delay.0.leading_zeros()).saturating_sub(STEPS_PER_OCTAVE_LOG2 + 1);
    u64::from(octave) as usize * steps + (delay.0 >> octave) as usize
}

/// A stretch of delays with one share of stale reads.
struct Level {
    from_ms: f64,
    reads: u64,
    stale: u64,
}

/// Where the falling fit first lies at or below the share that is sought.
fn isotonic_crossing_ms(shares: &[Shares]) -> Option<f64> {
    let mut levels: Vec<Level> = Vec::new();
    for shares in shares {
        let mut level = Level { from_ms: shares.delay_ms(), reads: shares.reads, stale: shares.stale };
        // A level that rises above the one before it is one with it.
        while let Some(before) =
            levels.pop_if(|before| level.stale * before.reads > before.stale * level.reads)
        {
            level.from_ms = before.from_ms;
            level.reads += before.reads;
            level.stale += before.stale;
        }
        levels.push(level);
    }
    let is_visible = |level: &Level| level.stale as f64 <= STALE_SHARE_SOUGHT * level.reads as f64;
    let first = levels.iter().position(is_visible)?;
    // Too few reads can't show that one in a thousand is stale.
    let reads: u64 = levels[first..].iter().map(|level| level.reads).sum();
    (reads as f64 * STALE_SHARE_SOUGHT >= 1.0).then(|| levels[first].from_ms)
}

/// The crossing by local fits around it, where there are enough stale reads for one.
fn refined_crossing_ms(shares: &[Shares], rough_ms: f64) -> f64 {
    let mut crossing_ms = rough_ms;
    for _ in 0..FITS {
        let Some(moved) = local_fit(shares, crossing_ms) else {
            return crossing_ms;
        };
        crossing_ms *= libm::exp(moved.clamp(-WINDOW, WINDOW));
    }
    crossing_ms
}

/// Fits `share = exp(a + b x)`, x the logarithm of delay over centre, to the reads in the window (a Poisson
/// regression, by Newton's method); returns where it crosses the share that is sought.
fn local_fit(shares: &[Shares], centre_ms: f64) -> Option<f64> {
    let points: Vec<(f64, f64, f64)> = shares
        .iter()
        .filter(|shares| shares.delays_ns > 0)
        .map(|shares| (libm::log(shares.delay_ms() / centre_ms), shares.reads as f64, shares.stale as f64))
        .filter(|(x, _, _)| x.abs() <= WINDOW)
        .collect();
    let reads: f64 = points.iter().map(|(_, reads, _)| reads).sum();
    let stale: f64 = points.iter().map(|(_, _, stale)| stale).sum();
    if stale < STALE_FITTED_MIN {
        return None;
    }
    let (mut a, mut b) = (libm::log(stale / reads), 0.0);
    for _ in 0..20 {
        let [mut gradient_a, mut gradient_b, mut aa, mut ab, mut bb] = [0.0; 5];
        for (x, reads, stale) in &points {
            let expected = reads * libm::exp(a + b * x);
            gradient_a += stale - expected;
            gradient_b += (stale - expected) * x;
            aa += expected;
            ab += expected * x;
            bb += expected * x * x;
        }
        let determinant = aa * bb - ab * ab;
        if !determinant.is_normal() {
            return None;
        }
        a += (gradient_a * bb - gradient_b * ab) / determinant;
        b += (gradient_b * aa - gradient_a * ab) / determinant;
    }
    // A share that does not fall crosses nothing.
    let crossing = (libm::log(STALE_SHARE_SOUGHT) - a) / b;
    (b < 0.0 && crossing.is_finite()).then_some(crossing)
}
