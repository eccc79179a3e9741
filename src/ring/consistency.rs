//! How many replicas have to answer an operation, and which.
//!
//! Dynamo's R and W (DeCandia et al., SOSP 2007, section 4.5), and the consistency
//! levels of Cassandra (4.1) by their names. A data centre is a region of the
//! scenario.

/// What an operation asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ConsistencyLevel {
    /// So many replicas, wherever they are.
    Count(u8),
    /// More than half of all.
    Quorum,
    /// One in the coordinator's data centre.
    LocalOne,
    /// More than half of those in the coordinator's data centre.
    LocalQuorum,
    /// More than half of those in each data centre.
    EachQuorum,
    All,
}

/// What that is for the replicas of one key. Replicas are bits, by their place among the key's replicas.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Requirement {
    Count(u8),
    /// So many of these.
    Of {
        these: u16,
        count: u8,
    },
    /// More than half of those in each data centre, and all of these.
    EachDataCentre {
        and: u16,
    },
}

fn majority(count: u32) -> u8 {
    (count / 2 + 1) as u8
}

impl Requirement {
    /// For replicas whose data centres are given by place, asked by a coordinator in `own`. Those that are
    /// `pending`, more than usual while a ring changes, make it need so many more (Cassandra's
    /// `ConsistencyLevel.blockForWrite`).
    pub fn of(
        level: ConsistencyLevel,
        data_centres: impl Iterator<Item = u8>,
        own: u8,
        pending: u16,
    ) -> Requirement {
        let (mut all, mut local) = (0_u16, 0_u16);
        for (place, data_centre) in data_centres.enumerate() {
            all |= 1 << place;
            if data_centre == own {
                local |= 1 << place;
            }
        }
        let more = pending.count_ones() as u8;
        let (usual, usual_local) = ((all & !pending).count_ones(), (local & !pending).count_ones());
        let of_local =
            |count: u8| Requirement::Of { these: local, count: count + (local & pending).count_ones() as u8 };
        match level {
            ConsistencyLevel::Count(count) => Requirement::Count(count + more),
            ConsistencyLevel::Quorum => Requirement::Count(majority(usual) + more),
            ConsistencyLevel::All => Requirement::Count(usual as u8 + more),
            // A data centre without a replica of the key can give none.
            ConsistencyLevel::LocalOne => of_local(1),
            ConsistencyLevel::LocalQuorum => of_local(majority(usual_local)),
            ConsistencyLevel::EachQuorum => Requirement::EachDataCentre { and: pending },
        }
    }

    /// Whether these replicas are enough.
    pub fn is_met(self, by: u16, data_centres: impl Iterator<Item = u8>) -> bool {
        match self {
            Requirement::Count(count) => by.count_ones() >= u32::from(count),
            Requirement::Of { these, count } => (by & these).count_ones() >= u32::from(count),
            Requirement::EachDataCentre { and } => {
                let (mut all, mut answered) = ([0_u32; 256], [0_u32; 256]);
                let usual = data_centres.enumerate().filter(|(place, _)| and >> place & 1 == 0);
                for (place, data_centre) in usual {
                    all[usize::from(data_centre)] += 1;
                    answered[usize::from(data_centre)] += u32::from(by >> place & 1);
                }
                by & and == and
                    && all
                        .iter()
                        .zip(answered)
                        .all(|(all, answered)| *all == 0 || answered >= u32::from(majority(*all)))
            }
        }
    }
}
