//! Price sheets: what a machine, a gigabyte stored and a gigabyte moved cost.
//!
//! A sheet is a file in `static/prices/`, dated, each item with its source and
//! whether it was read there, recalled or computed. Costs that the simulator
//! shows are counted usage times these prices, nothing else. The sheets are
//! built into the program, so that the same scenario costs the same everywhere.
//! A scenario changes sheets by one word, so every sheet prices the same items
//! under the same names, and it may set single items to a price of its own.
//!
//! What one owns has no price by the hour: its item says what it costs to buy, the watts that it draws and the
//! hours that somebody looks after it ([`Own`]), and the sheet what is made of these ([`Ownership`]):
//!
//! ```text
//! USD a month = bought * (1 + spares) / (12 * years)
//!             + kilowatts * (hosting + power * hours a month * power usage effectiveness)
//!             + hours of staff a month * staff
//! ```
//!
//! Left out: taxes, interest, what a commitment costs that is not used, requests to
//! object storage, traffic to the internet, load balancers, network hardware, licences.

use crate::scenario::document::{parse_tree, read};
use crate::scenario::schema::{PriceOverride, Scenario};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use thiserror::Error;

/// Name and text of every sheet that comes with the program.
const BUNDLED: [(&str, &str); 3] = [
    ("aws-us-east-1-on-demand", include_str!("../../static/prices/aws-us-east-1-on-demand.json")),
    ("aws-us-east-1-three-years", include_str!("../../static/prices/aws-us-east-1-three-years.json")),
    ("own-hardware", include_str!("../../static/prices/own-hardware.json")),
];

/// Items that one sheet may have.
const ITEMS_MAX: usize = 10_000;

/// Of a machine's own volume, and of a managed database's.
const STORAGE: [&str; 2] = ["EBS gp3 storage", "RDS gp3 storage Single-AZ"];
const IOPS: [&str; 2] = ["EBS gp3 IOPS", "RDS gp3 IOPS"];
const THROUGHPUT: [&str; 2] = ["EBS gp3 throughput", "RDS gp3 throughput"];
const BACKUPS: &str = "Backup storage";
const CROSS_ZONE: &str = "Cross-zone transfer";
const CROSS_REGION: &str = "Cross-region transfer";
/// What a sheet needs that prices what one owns.
const POWER: &str = "Power";
const HOSTING: &str = "Hosting";
const STAFF: &str = "Staff";

const WHOLE: &str = "validated: the sheet has every price";

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
    /// How what one owns is written off; none where everything is rented.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ownership: Option<Ownership>,
    pub items: Vec<PriceItem>,
}

/// How what one owns is written off and housed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ownership {
    /// After which it is worth nothing.
    pub years: f64,
    /// Watts drawn for each watt that a server uses: cooling and losses.
    pub power_usage_effectiveness: f64,
    /// Bought beyond what runs, as a share of it.
    pub spares: f64,
    pub source: String,
}

/// What something costs that one owns.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Own {
    pub purchase_usd: f64,
    pub watts: f64,
    /// For which somebody looks after it.
    pub staff_hours_per_month: f64,
}

/// One price.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PriceItem {
    pub item: String,
    /// Computed, where it is one's own.
    #[serde(default)]
    pub usd: f64,
    pub unit: PriceUnit,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub own: Option<Own>,
    /// So many of the unit come with the volume; only what is above is paid for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub included: Option<f64>,
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
    /// Reads, writes and fsyncs a second.
    #[serde(rename = "IOPS-month")]
    IopsMonth,
    #[serde(rename = "MB/s-month")]
    MbPerSecondMonth,
    #[serde(rename = "kWh")]
    KilowattHour,
    #[serde(rename = "kW-month")]
    KilowattMonth,
    #[serde(rename = "staff hour")]
    StaffHour,
}

impl PriceUnit {
    pub const ALL: [PriceUnit; 9] = [
        PriceUnit::Hour,
        PriceUnit::GbMonth,
        PriceUnit::GbEachDirection,
        PriceUnit::GbOut,
        PriceUnit::IopsMonth,
        PriceUnit::MbPerSecondMonth,
        PriceUnit::KilowattHour,
        PriceUnit::KilowattMonth,
        PriceUnit::StaffHour,
    ];

    /// As sheets write it.
    pub fn words(self) -> &'static str {
        match self {
            PriceUnit::Hour => "hour",
            PriceUnit::GbMonth => "GB-month",
            PriceUnit::GbEachDirection => "GB each direction",
            PriceUnit::GbOut => "GB out",
            PriceUnit::IopsMonth => "IOPS-month",
            PriceUnit::MbPerSecondMonth => "MB/s-month",
            PriceUnit::KilowattHour => "kWh",
            PriceUnit::KilowattMonth => "kW-month",
            PriceUnit::StaffHour => "staff hour",
        }
    }
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
    #[error("{0:?} is one's own, and the sheet has no `ownership`; it must say how that is written off")]
    NoOwnership(String),
    #[error("ownership: {field} is {value}; it must be a number from {least} to {most}")]
    Ownership { field: &'static str, value: f64, least: f64, most: f64 },
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
        let mut sheet = sheet.expect("what is bundled can be read");
        sheet.compute();
        Some(sheet)
    }

    /// The sheet of a scenario that was checked, with the prices that it sets itself.
    pub fn of(scenario: &Scenario) -> PriceSheet {
        let mut sheet =
            PriceSheet::bundled(&scenario.prices).expect("the scenario was checked to name a price sheet");
        sheet.set(&scenario.price_overrides);
        sheet
    }

    /// Sets items to other prices; what is computed from them follows. Unknown ones do nothing.
    pub fn set(&mut self, overrides: &[PriceOverride]) {
        for new in overrides {
            if let Some(price) = self.items.iter_mut().find(|price| price.item == new.item) {
                price.usd = new.usd;
                price.own = None;
            }
        }
        self.compute();
    }

    /// Computes what one's own things cost.
    fn compute(&mut self) {
        let Some(ownership) = &self.ownership else { return };
        let rate = |item, unit| self.usd(item, unit).unwrap_or(0.0);
        let power_usd = rate(POWER, PriceUnit::KilowattHour);
        let kilowatt_usd = rate(HOSTING, PriceUnit::KilowattMonth)
            + power_usd * self.hours_per_month * ownership.power_usage_effectiveness;
        let staff_usd = rate(STAFF, PriceUnit::StaffHour);
        let bought = (1.0 + ownership.spares) / (12.0 * ownership.years);
        for price in &mut self.items {
            if let Some(own) = price.own {
                let usd_per_month = own.purchase_usd * bought
                    + own.watts / 1_000.0 * kilowatt_usd
                    + own.staff_hours_per_month * staff_usd;
                let hours = if price.unit == PriceUnit::Hour { self.hours_per_month } else { 1.0 };
                price.usd = usd_per_month / hours;
            }
        }
    }

    /// Its text.
    pub fn bundled_text(name: &str) -> Option<&'static str> {
        BUNDLED.iter().find(|(bundled, _)| *bundled == name).map(|(_, json)| *json)
    }

    /// Reads a sheet and checks that it has every item that a cost is counted with.
    pub fn parse(json: &str) -> Result<PriceSheet, PriceSheetError> {
        let mut sheet: PriceSheet = parse_tree(json)
            .map_err(|error| PriceSheetError::Unreadable(error.to_string()))
            .and_then(|tree| read(&tree).map_err(|error| PriceSheetError::Unreadable(error.to_string())))?;
        sheet.validate()?;
        sheet.compute();
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
        let mut needed = vec![
            (BACKUPS, PriceUnit::GbMonth),
            (CROSS_ZONE, PriceUnit::GbEachDirection),
            (CROSS_REGION, PriceUnit::GbOut),
        ];
        for at in 0..2 {
            needed.push((STORAGE[at], PriceUnit::GbMonth));
            needed.push((IOPS[at], PriceUnit::IopsMonth));
            needed.push((THROUGHPUT[at], PriceUnit::MbPerSecondMonth));
        }
        if self.ownership.is_some() {
            needed.push((POWER, PriceUnit::KilowattHour));
            needed.push((HOSTING, PriceUnit::KilowattMonth));
            needed.push((STAFF, PriceUnit::StaffHour));
        }
        if let Some((item, unit)) = needed.into_iter().find(|(item, unit)| self.usd(item, *unit).is_none()) {
            return Err(PriceSheetError::Missing { item, unit: unit.words() });
        }
        self.validate_ownership()
    }

    fn validate_ownership(&self) -> Result<(), PriceSheetError> {
        let own = self.items.iter().filter_map(|price| Some((price, price.own?)));
        for (price, own) in own {
            if self.ownership.is_none() {
                return Err(PriceSheetError::NoOwnership(price.item.clone()));
            }
            for usd in [own.purchase_usd, own.watts, own.staff_hours_per_month] {
                if !(usd >= 0.0 && usd.is_finite()) {
                    return Err(PriceSheetError::Price { item: price.item.clone(), usd });
                }
            }
        }
        let Some(ownership) = &self.ownership else { return Ok(()) };
        for (field, value, least, most) in [
            ("years", ownership.years, 1.0, 20.0),
            ("power_usage_effectiveness", ownership.power_usage_effectiveness, 1.0, 10.0),
            ("spares", ownership.spares, 0.0, 10.0),
        ] {
            if !(least..=most).contains(&value) {
                return Err(PriceSheetError::Ownership { field, value, least, most });
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

    /// Whether a machine of this type is run by a vendor, under this sheet: what one owns, one runs.
    pub fn is_run_by_vendor(&self, machine_type: &str) -> bool {
        is_managed(machine_type) && self.ownership.is_none()
    }

    /// What a provisioned gigabyte costs by the month, on a managed database's volume or a machine's own.
    pub fn storage_usd_per_gb_month(&self, is_managed: bool) -> f64 {
        self.usd(STORAGE[usize::from(is_managed)], PriceUnit::GbMonth).expect(WHOLE)
    }

    /// What provisioned reads, writes and fsyncs a second and megabytes a second cost by the month, beyond
    /// those that come with the volume.
    pub fn io_usd_per_month(&self, is_managed: bool, iops: f64, mb_per_s: f64) -> f64 {
        let at = usize::from(is_managed);
        self.usd_above(IOPS[at], iops) + self.usd_above(THROUGHPUT[at], mb_per_s)
    }

    fn usd_above(&self, item: &str, provisioned: f64) -> f64 {
        let price = self.items.iter().find(|price| price.item == item).expect(WHOLE);
        (provisioned - price.included.unwrap_or(0.0)).max(0.0) * price.usd
    }

    /// What a gigabyte of backups costs by the month.
    pub fn backups_usd_per_gb_month(&self) -> f64 {
        self.usd(BACKUPS, PriceUnit::GbMonth).expect(WHOLE)
    }

    /// The items that a machine, its volume, backups and traffic are paid by; the machine's first.
    pub fn items_of<'a>(&'a self, machine_type: &'a str) -> impl Iterator<Item = &'a PriceItem> {
        let at = usize::from(is_managed(machine_type));
        let names = [machine_type, STORAGE[at], IOPS[at], THROUGHPUT[at], BACKUPS, CROSS_ZONE, CROSS_REGION];
        names.into_iter().filter_map(|name| self.items.iter().find(|price| price.item == name))
    }

    /// What a gigabyte between zones costs in each direction: it is charged on
    /// leaving the one zone, and again on arriving in the other.
    pub fn cross_zone_usd_per_gb(&self) -> f64 {
        self.usd(CROSS_ZONE, PriceUnit::GbEachDirection).expect(WHOLE)
    }

    /// What a gigabyte to another region costs: it is charged on leaving.
    pub fn cross_region_usd_per_gb(&self) -> f64 {
        self.usd(CROSS_REGION, PriceUnit::GbOut).expect(WHOLE)
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
    let own = |tree: &Value| {
        Some(Own {
            purchase_usd: tree["purchase_usd"].as_f64()?,
            watts: tree["watts"].as_f64()?,
            staff_hours_per_month: tree["staff_hours_per_month"].as_f64()?,
        })
    };
    let ownership = |tree: &Value| {
        Some(Ownership {
            years: tree["years"].as_f64()?,
            power_usage_effectiveness: tree["power_usage_effectiveness"].as_f64()?,
            spares: tree["spares"].as_f64()?,
            source: text(tree, "source")?,
        })
    };
    let item = |tree: &Value| {
        Some(PriceItem {
            item: text(tree, "item")?,
            usd: tree["usd"].as_f64().unwrap_or(0.0),
            unit: PriceUnit::ALL.into_iter().find(|unit| tree["unit"] == unit.words())?,
            own: own(&tree["own"]),
            included: tree["included"].as_f64(),
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
        ownership: ownership(&tree["ownership"]),
        items: tree["items"].as_array()?.iter().map(item).collect::<Option<Vec<_>>>()?,
    })
}
