//! The consumer group.

/// A partition that a member has, or is to have, by the generation that it was given with: a later owner's is
/// higher.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Assignment {
    pub partition: u16,
    pub generation: u64,
}
