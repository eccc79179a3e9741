//! One shard's failover, as the leader of the configuration service drives it.
//!
//! ```text
//! watched ─dead─► intent ─agreed─► fencing ─old primary harmless─► promoting ─promoted─► agreed ─► watched
//!    └─restore─► restoring ─►┘
//! ```

use super::agreement::Moving;
use crate::engine::{NodeId, SimTime};

/// Where a failover is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) enum Phase {
    /// The primary is watched.
    #[default]
    Watched,
    /// A majority has to agree (state `number`), then the target restores the shard from a backup.
    Restoring { target: NodeId, number: u64 },
    /// A majority has to agree that there is going to be another one: state `number`.
    Intent { target: NodeId, epoch: u32, number: u64 },
    /// The old primary has to be harmless first.
    Fencing { target: NodeId, epoch: u32, until: SimTime },
    /// The new one has been asked, the last time at `since`.
    Promoting { target: NodeId, epoch: u32, since: SimTime },
    /// It is primary, and a majority has to agree: state `number`; with it, a range may have moved.
    Concluding { target: NodeId, epoch: u32, number: u64, moving: Option<Moving> },
}

impl Phase {
    /// Who is to be primary, and under which epoch.
    pub fn target(self) -> Option<(NodeId, u32)> {
        match self {
            Phase::Watched | Phase::Restoring { .. } => None,
            Phase::Intent { target, epoch, .. }
            | Phase::Fencing { target, epoch, .. }
            | Phase::Promoting { target, epoch, .. }
            | Phase::Concluding { target, epoch, .. } => Some((target, epoch)),
        }
    }

    pub fn is_of_restore(self) -> bool {
        matches!(self, Phase::Restoring { .. })
    }

    /// Whether the target has been asked to become primary.
    pub fn is_asked(self) -> bool {
        matches!(self, Phase::Promoting { .. } | Phase::Concluding { .. })
    }
}

/// What the leader remembers of one shard.
#[derive(Clone, Debug, Default)]
pub(super) struct Failover {
    pub phase: Phase,
    /// Nobody holds a lease for longer than this, and who holds it; a new leader does not know who.
    pub lease_end: SimTime,
    pub lease_holder: Option<NodeId>,
    /// When the last promotion of another node was agreed on.
    pub recovered: Option<SimTime>,
    /// It was told already that one is blocked, or that there is nobody.
    pub told: bool,
    /// Since the map last had a primary that serves, nobody else was asked to be one: it can go on.
    pub undisputed: bool,
    /// The target has restored the shard from a backup, as this number asked for: nobody else will do.
    pub restores: Option<u64>,
    /// Nothing is kept of it that could be restored.
    pub has_no_backup: bool,
    /// Nodes that were asked to become primary and may be by now.
    pub asked: Vec<NodeId>,
}

impl Failover {
    /// For a new leader, who knows nothing of what its predecessor granted, and only whom it chose last.
    pub fn since(lease_end: SimTime, chosen: Option<NodeId>) -> Failover {
        Failover { lease_end, asked: chosen.into_iter().collect(), ..Failover::default() }
    }
}
