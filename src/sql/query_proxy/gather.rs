//! Putting the shards' answers to one query together.

use crate::engine::order::places_by;
use crate::engine::random::mix;
use crate::sql::message::Row;
use crate::workload::keys::KeySpace;
use crate::workload::operation::{OperationKind, Request};
use crate::workload::tally::{COUNT_MAX, Tally};

/// Rows that came so far.
#[derive(Clone, Debug, Default)]
pub struct Gathered {
    rows: Vec<Row>,
}

impl Gathered {
    pub fn add(&mut self, rows: &[Row]) {
        self.rows.extend_from_slice(rows);
    }

    /// The rows that the query asked for, in their order: the most written for a
    /// top (equal ones by key), the first of its range for a scan.
    pub fn finish(self, request: &Request, keys: &KeySpace) -> Vec<Row> {
        let rows = self.rows;
        let rank = |place: usize| match request.kind {
            OperationKind::Top => u64::from(u32::MAX - rows[place].count) << 32 | u64::from(rows[place].key),
            OperationKind::SelectTop => COUNT_MAX - Tally(rows[place].value).count(),
            _ => u64::from(keys.rank(rows[place].key)),
        };
        let order = places_by(rows.len(), rank);
        order.into_iter().take(usize::from(request.rows)).map(|place| rows[place as usize]).collect()
    }
}

/// A number that stands for rows and their order, as the value of the answer.
pub fn digest(rows: &[Row]) -> u64 {
    rows.iter().fold(0, |digest, row| mix(digest ^ u64::from(row.key) << 32 ^ u64::from(row.count)))
}
