//! The frontier: what no other beats in cost, latency and staleness at once (Pareto).

use crate::engine::order::{key_of, places_by};
use crate::session::measured::Measured;

/// Dollars a month, the slower 99th percentile of reads and writes in ms, stale reads for each read.
pub type Figures = [f64; 3];

/// What of a run the frontier is drawn by. Where nothing succeeded, it took for ever.
pub fn figures_of(measured: &Measured) -> Figures {
    let kinds = [measured.read_ms_p99, measured.write_ms_p99];
    // A workload may have only one of the two.
    let slower = kinds.into_iter().flatten().fold(0.0, f64::max);
    let ms_p99 = if slower > 0.0 { slower } else { f64::INFINITY };
    [measured.usd_per_month, ms_p99, measured.stale_share.unwrap_or(0.0)]
}

/// The places of those than which none is better in one figure and no worse in the others, by cost; of equal
/// ones the first. What has no figures is left out.
pub fn frontier(all: &[Option<Figures>]) -> Vec<usize> {
    let is_beaten = |place: usize, own: &Figures| {
        all.iter().enumerate().any(|(other_place, other)| {
            let Some(other) = other else { return false };
            let is_no_worse = other.iter().zip(own).all(|(other, own)| other <= own);
            is_no_worse && (other != own || other_place < place)
        })
    };
    let mut frontier = Vec::new();
    for (place, figures) in all.iter().enumerate() {
        if figures.is_some_and(|figures| !is_beaten(place, &figures)) {
            frontier.push(place);
        }
    }
    let cost = |place: usize| all[place].map_or(0.0, |figures| figures[0]);
    let by_cost = places_by(frontier.len(), |at| key_of(cost(frontier[at])));
    by_cost.into_iter().map(|at| frontier[at as usize]).collect()
}
