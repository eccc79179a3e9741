//! What is said of a node, and which of two things said is the newer.
//!
//! A rumour has a generation (raised by every start of the node that it is about)
//! and a version. Where heartbeats are gossiped the node raises its version every
//! round (Cassandra's `HeartBeatState`); under SWIM the version is the incarnation,
//! which only the node itself raises, to refute a suspicion (Das, Gupta, Motivala,
//! "SWIM", DSN 2002, section 4.2). At equal generation and version, dead overrides
//! suspected and suspected overrides alive: the order of the paper, and what makes
//! all views end up the same whatever the order in which rumours come.

/// How a node is said to be.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(u8)]
pub enum Standing {
    Alive,
    Suspected,
    Dead,
}

/// What is said of one node.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rumour {
    /// Of the start that it is about; 0: nothing was ever heard.
    pub generation: u64,
    /// Heartbeat or incarnation.
    pub version: u32,
    /// Whom it is about, by place in the ring's list of nodes.
    pub node: u16,
    pub standing: Standing,
    /// How often it was passed on until it came here. Only for show: no real
    /// protocol carries it, and it costs no bytes.
    pub hops: u8,
}

impl Rumour {
    /// Nothing was ever heard of the node.
    pub fn none(node: u16) -> Rumour {
        Rumour { generation: 0, version: 0, node, standing: Standing::Alive, hops: 0 }
    }

    pub fn is_none(&self) -> bool {
        self.generation == 0
    }

    pub fn is_newer_than(&self, other: &Rumour) -> bool {
        (self.generation, self.version, self.standing) > (other.generation, other.version, other.standing)
    }

    /// Equally new: the same rumour, on whatever way it came.
    pub fn is_same_as(&self, other: &Rumour) -> bool {
        !self.is_newer_than(other) && !other.is_newer_than(self)
    }

    /// The same, one hop further.
    pub fn passed_on(self) -> Rumour {
        Rumour { hops: self.hops.saturating_add(1), ..self }
    }
}
