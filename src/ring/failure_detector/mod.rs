//! How a node comes to believe another one dead.
//!
//! [`phi_accrual`] and [`time_out`] judge by how long there has been no news of a
//! heartbeat; each node judges for itself. [`swim`] asks nodes whether they are
//! there, and tells all what came of it: first a [`suspicion`], which who is
//! suspected can refute. [`local_health`] makes a node that is itself slow judge
//! more slowly.

pub mod local_health;
pub mod phi_accrual;
pub mod suspicion;
pub mod swim;
pub mod time_out;

use self::swim::SwimSettings;
use crate::engine::SimDuration;

/// Which detector, and how it is set.
#[derive(Clone, Debug)]
pub enum FailureDetection {
    PhiAccrual {
        /// Phi above which a node is believed dead.
        threshold: f64,
        /// Intervals that the mean is taken of.
        window: u32,
    },
    /// Dead after so long without news.
    TimeOut(SimDuration),
    Swim(SwimSettings),
}
