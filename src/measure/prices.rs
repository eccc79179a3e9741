//! Price sheets: what a machine, a gigabyte stored and a gigabyte moved cost.
//!
//! A sheet is a file in `static/prices/`, dated, each item with its source and
//! whether it was read there, recalled or computed. Costs that the simulator
//! shows are counted usage times these prices, nothing else. The sheets are
//! built into the program, so that the same scenario costs the same everywhere.
//!
//! Left out: reservations and other discounts, taxes, snapshots, provisioned
//! I/O, traffic to the internet, load balancers.

use crate::scenario::document::{parse_tree, read};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use thiserror::Error;

/// Name and text of every sheet that comes with the program.
const BUNDLED: [(&str, &str); 1] =
    [("aws-us-east-1-on-demand", include_str!("../../static/prices/aws-us-east-1-on-demand.json"))];

/// Items that one sheet may have.
const ITEMS_MAX: usize = 10_000;

const VOLUME_STORAGE: &str = "EBS gp3 storage";
const MANAGED_STORAGE: &str = "RDS gp3 storage Single-AZ";
const CROSS_ZONE: &str = "Cross-zone transfer";
const CROSS_REGION: &str = "Cross-region transfer";

/// A machine type that is managed (and stores on managed volumes) begins with this.
pub const MANAGED_PREFIX: &str = "RDS ";

/// A dated list of prices.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PriceSheet {
    /// As scenarios name it.
    pub name: String,
    pub title: String,
    /// Date of the newest source, year-month-day.
    pub date: String,
    pub currency: String,
    pub region: String,
    /// Hours that a month is counted with.
    pub hours_per_month: f64,
    /// What the reader should know about these figures.
    pub note: String,
    pub sources: Vec<String>,
    pub items: Vec<PriceItem>,
}

/// One price.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PriceItem {
    pub item: String,
    pub usd: f64,
    pub unit: PriceUnit,
    /// Virtual cores, for machines where the source gives them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vcpu: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ram_gib: Option<u32>,
    pub source: String,
    pub read_or_recalled: Provenance,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PriceUnit {
    #[serde(rename = "hour")]
    Hour,
    #[serde(rename = "GB-month")]
    GbMonth,
    /// Charged on leaving one zone, and again on arriving in the other.
    #[serde(rename = "GB each direction")]
    GbEachDirection,
    /// Charged on leaving a region.
    #[serde(rename = "GB out")]
    GbOut,
}

/// How a figure came into the sheet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Provenance {
    Read,
    Recalled,
    Computed,
}

/// Why a price sheet cannot be used.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum PriceSheetError {
    #[error("the price sheet cannot be read: {0}")]
    Unreadable(String),
    #[error("the price sheet has {0} items; at most {ITEMS_MAX} are allowed")]
    TooMany(usize),
    #[error("{item} costs {usd}; a price must be a number of 0 or more")]
    Price { item: String, usd: f64 },
    #[error("hours_per_month is {0}; it must be a number from 1 to 744")]
    HoursPerMonth(f64),
    #[error("currency is {0:?}; only \"USD\" is known")]
    Currency(String),
    #[error("the item {0:?} stands twice; each must stand once")]
    Double(String),
    #[error("the item {item:?} in {unit} is missing; every sheet must have it")]
    Missing { item: &'static str, unit: &'static str },
}

impl PriceSheet {
    /// The names of all sheets that come with the program.
    pub fn bundled_names() -> impl Iterator<Item = &'static str> {
        BUNDLED.iter().map(|(name, _)| *name)
    }

    /// The sheet that comes with the program under this name.
    pub fn bundled(name: &str) -> Option<PriceSheet> {
        let json = PriceSheet::bundled_text(name)?;
        let sheet = parse_tree(json).ok().and_then(|tree| known(&tree));
        Some(sheet.expect("what is bundled can be read"))
    }

    /// Its text.
    pub fn bundled_text(name: &str) -> Option<&'static str> {
        BUNDLED.iter().find(|(bundled, _)| *bundled == name).map(|(_, json)| *json)
    }

    /// Reads a sheet and checks that it has every item that a cost is counted with.
    pub fn parse(json: &str) -> Result<PriceSheet, PriceSheetError> {
        let sheet: PriceSheet = parse_tree(json)
            .map_err(|error| PriceSheetError::Unreadable(error.to_string()))
            .and_then(|tree| read(&tree).map_err(|error| PriceSheetError::Unreadable(error.to_string())))?;
        sheet.validate()?;
        Ok(sheet)
    }

    fn validate(&self) -> Result<(), PriceSheetError> {
        if self.items.len() > ITEMS_MAX {
            return Err(PriceSheetError::TooMany(self.items.len()));
        }
        if self.currency != "USD" {
            return Err(PriceSheetError::Currency(self.currency.clone()));
        }
        if !(1.0..=744.0).contains(&self.hours_per_month) {
            return Err(PriceSheetError::HoursPerMonth(self.hours_per_month));
        }
        let names = || self.items.iter().map(|price| price.item.as_str());
        if let Some((_, double)) =
            names().enumerate().find(|(at, name)| names().skip(at + 1).any(|other| other == *name))
        {
            return Err(PriceSheetError::Double(double.to_string()));
        }
        if let Some(price) = self.items.iter().find(|price| !(price.usd >= 0.0 && price.usd.is_finite())) {
            return Err(PriceSheetError::Price { item: price.item.clone(), usd: price.usd });
        }
        for (item, unit, words) in [
            (VOLUME_STORAGE, PriceUnit::GbMonth, "GB-month"),
            (MANAGED_STORAGE, PriceUnit::GbMonth, "GB-month"),
            (CROSS_ZONE, PriceUnit::GbEachDirection, "GB each direction"),
            (CROSS_REGION, PriceUnit::GbOut, "GB out"),
        ] {
            if self.usd(item, unit).is_none() {
                return Err(PriceSheetError::Missing { item, unit: words });
            }
        }
        Ok(())
    }

    fn usd(&self, item: &str, unit: PriceUnit) -> Option<f64> {
        self.items.iter().find(|price| price.item == item && price.unit == unit).map(|price| price.usd)
    }

    /// What a machine of this type costs by the hour; none if the sheet has no such machine.
    pub fn usd_per_hour(&self, machine_type: &str) -> Option<f64> {
        self.usd(machine_type, PriceUnit::Hour)
    }

    /// Every machine type of the sheet.
    pub fn machine_types(&self) -> impl Iterator<Item = &str> {
        self.items.iter().filter(|price| price.unit == PriceUnit::Hour).map(|price| price.item.as_str())
    }

    /// What a provisioned gigabyte costs by the month, on a managed database's volume or a machine's own.
    pub fn storage_usd_per_gb_month(&self, is_rds: bool) -> f64 {
        let item = if is_rds { MANAGED_STORAGE } else { VOLUME_STORAGE };
        self.usd(item, PriceUnit::GbMonth).expect("validated: the sheet has both storage prices")
    }

    /// What a gigabyte between zones costs in each direction: it is charged on
    /// leaving the one zone, and again on arriving in the other.
    pub fn cross_zone_usd_per_gb(&self) -> f64 {
        self.usd(CROSS_ZONE, PriceUnit::GbEachDirection).expect("validated: the sheet has this price")
    }

    /// What a gigabyte to another region costs: it is charged on leaving.
    pub fn cross_region_usd_per_gb(&self) -> f64 {
        self.usd(CROSS_REGION, PriceUnit::GbOut).expect("validated: the sheet has this price")
    }
}

/// Whether a machine type is a managed database, which stores on managed volumes.
pub fn is_managed(machine_type: &str) -> bool {
    machine_type.starts_with(MANAGED_PREFIX)
}

/// A sheet that is known to be right (a test reads it by [`PriceSheet::parse`] too), field by field: reading it
/// as strictly as a foreign one is eight kilobytes of download.
fn known(tree: &Value) -> Option<PriceSheet> {
    let text = |tree: &Value, field: &str| tree[field].as_str().map(str::to_string);
    let count = |tree: &Value, field: &str| tree[field].as_u64().map(|count| count as u32);
    let item = |tree: &Value| {
        Some(PriceItem {
            item: text(tree, "item")?,
            usd: tree["usd"].as_f64()?,
            unit: match tree["unit"].as_str()? {
                "hour" => PriceUnit::Hour,
                "GB-month" => PriceUnit::GbMonth,
                "GB each direction" => PriceUnit::GbEachDirection,
                "GB out" => PriceUnit::GbOut,
                _ => return None,
            },
            vcpu: count(tree, "vcpu"),
            ram_gib: count(tree, "ram_gib"),
            source: text(tree, "source")?,
            read_or_recalled: match tree["read_or_recalled"].as_str()? {
                "read" => Provenance::Read,
                "recalled" => Provenance::Recalled,
                "computed" => Provenance::Computed,
                _ => return None,
            },
        })
    };
    Some(PriceSheet {
        name: text(tree, "name")?,
        title: text(tree, "title")?,
        date: text(tree, "date")?,
        currency: text(tree, "currency")?,
        region: text(tree, "region")?,
        hours_per_month: tree["hours_per_month"].as_f64()?,
        note: text(tree, "note")?,
        sources: tree["sources"].as_array()?.iter().filter_map(Value::as_str).map(str::to_string).collect(),
        items: tree["items"].as_array()?.iter().map(item).collect::<Option<Vec<_>>>()?,
    })
}
