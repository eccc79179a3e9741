//! Cost: what the machines, their storage and the traffic between zones cost.
//!
//! Machines and storage cost by the hour whether or not they are used; traffic
//! between zones and between regions costs by the gigabyte, counted from the
//! messages that were sent: between zones in both directions, between regions
//! once, as the price sheet says. A month has the
//! price sheet's number of hours.

use super::prices::{PriceSheet, is_managed};
use crate::engine::SimTime;
use crate::engine::network::Traffic;

/// What a cluster costs whether or not it is used.
#[derive(Clone, Debug, PartialEq)]
pub struct FixedCost {
    pub machines_usd_per_hour: f64,
    pub storage_usd_per_hour: f64,
    hours_per_month: f64,
    usd_per_cross_zone_byte: f64,
    usd_per_cross_region_byte: f64,
}

/// Bytes that are paid for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PaidBytes {
    pub cross_zone: u64,
    pub cross_region: u64,
}

impl PaidBytes {
    pub fn of(traffic: Traffic) -> PaidBytes {
        PaidBytes { cross_zone: traffic.bytes_cross_zone, cross_region: traffic.bytes_cross_region }
    }

    pub fn since(self, earlier: PaidBytes) -> PaidBytes {
        PaidBytes {
            cross_zone: self.cross_zone - earlier.cross_zone,
            cross_region: self.cross_region - earlier.cross_region,
        }
    }
}

/// Money, by time and by work done.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Cost {
    pub usd_per_hour: f64,
    pub usd_per_month: f64,
    /// Of operations that succeeded; none if there were none.
    pub usd_per_million_operations: Option<f64>,
}

const BYTES_PER_GB: f64 = 1e9;
const NANOS_PER_HOUR: f64 = 3.6e12;

impl FixedCost {
    /// Of machines given by type and storage in gigabytes. A type that the sheet
    /// does not price costs nothing here; the scenario was checked to have none.
    pub fn of<'a>(sheet: &PriceSheet, machines: impl Iterator<Item = (&'a str, f64)>) -> FixedCost {
        let mut machines_usd_per_hour = 0.0;
        let mut storage_usd_per_month = 0.0;
        for (machine_type, storage_gb) in machines {
            machines_usd_per_hour += sheet.usd_per_hour(machine_type).unwrap_or(0.0);
            storage_usd_per_month += storage_gb * sheet.storage_usd_per_gb_month(is_managed(machine_type));
        }
        FixedCost {
            machines_usd_per_hour,
            storage_usd_per_hour: storage_usd_per_month / sheet.hours_per_month,
            hours_per_month: sheet.hours_per_month,
            // Out of one zone and into the other.
            usd_per_cross_zone_byte: 2.0 * sheet.cross_zone_usd_per_gb() / BYTES_PER_GB,
            usd_per_cross_region_byte: sheet.cross_region_usd_per_gb() / BYTES_PER_GB,
        }
    }

    /// With the traffic between zones and the successes of a stretch of time.
    pub fn over(&self, stretch_ns: u64, bytes: PaidBytes, succeeded: u64) -> Cost {
        let hours = stretch_ns as f64 / NANOS_PER_HOUR;
        let traffic_usd = bytes.cross_zone as f64 * self.usd_per_cross_zone_byte
            + bytes.cross_region as f64 * self.usd_per_cross_region_byte;
        let traffic = if hours > 0.0 { traffic_usd / hours } else { 0.0 };
        let usd_per_hour = self.machines_usd_per_hour + self.storage_usd_per_hour + traffic;
        Cost {
            usd_per_hour,
            usd_per_month: usd_per_hour * self.hours_per_month,
            usd_per_million_operations: (succeeded > 0 && hours > 0.0)
                .then(|| usd_per_hour * hours / succeeded as f64 * 1e6),
        }
    }

    /// Since the start of the run.
    pub fn since_start(&self, now: SimTime, bytes: PaidBytes, succeeded: u64) -> Cost {
        self.over(now.0, bytes, succeeded)
    }
}
