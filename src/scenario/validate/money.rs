//! Prices, weights of effort, and what is provisioned of a volume.

use super::Checked;
use super::range::{between, length};
use crate::measure::prices::PriceSheet;
use crate::scenario::error::ScenarioError;
use crate::scenario::limits::*;
use crate::scenario::schema::{EffortSection, MachineSection, RingSection, Scenario};

/// The price sheet of a scenario, once its own prices are known to be right.
pub(super) fn price_sheet(scenario: &Scenario) -> Result<PriceSheet, ScenarioError> {
    let name = &scenario.prices;
    let mut sheet = PriceSheet::bundled(name).ok_or_else(|| {
        let possible = PriceSheet::bundled_names().map(str::to_string).collect();
        ScenarioError::unknown("prices", "price sheet", name, possible)
    })?;
    let overrides = &scenario.price_overrides;
    length("price_overrides", overrides.len(), 0, PRICE_OVERRIDES_MAX, "prices")?;
    for (index, new) in overrides.iter().enumerate() {
        let at = |field: &str| format!("price_overrides[{index}].{field}");
        if !sheet.items.iter().any(|price| price.item == new.item) {
            let possible = sheet.items.iter().map(|price| price.item.clone()).collect();
            return Err(ScenarioError::unknown(at("item"), "price item", &new.item, possible));
        }
        if let Some(earlier) = overrides[..index].iter().position(|other| other.item == new.item) {
            let problem = format!(
                "is \"{}\" like price_overrides[{earlier}]; an item can have one price only",
                new.item
            );
            return Err(ScenarioError::wrong(at("item"), problem));
        }
        between(&at("usd"), new.usd, 0.0, PRICE_USD_MAX)?;
    }
    sheet.set(overrides);
    Ok(sheet)
}

pub(super) fn effort(effort: &EffortSection) -> Checked {
    between("effort.usd_per_hour", effort.usd_per_hour, 0.0, EFFORT_MAX)?;
    between("effort.technology_hours", effort.technology_hours, 0.0, EFFORT_MAX)?;
    between("effort.part_hours", effort.part_hours, 0.0, EFFORT_MAX)?;
    let monthly = effort.technology_hours_per_month;
    between("effort.technology_hours_per_month", monthly, 0.0, EFFORT_MAX)?;
    between("effort.process_hours_per_month", effort.process_hours_per_month, 0.0, EFFORT_MAX)?;
    between("effort.vendor_run_share", effort.vendor_run_share, 0.0, 1.0)?;
    between("effort.step_hours", effort.step_hours, 0.0, EFFORT_MAX)?;
    between("effort.such_runs_per_month", effort.such_runs_per_month, 0.0, SUCH_RUNS_MAX)
}

/// What is provisioned has to be a volume's.
pub(super) fn provisioned(path: &str, machine: &MachineSection) -> Checked {
    for (name, value, least, most) in [
        ("provisioned_iops", machine.provisioned_iops, PROVISIONED_IOPS_MIN, PROVISIONED_IOPS_MAX),
        ("provisioned_mb_per_s", machine.provisioned_mb_per_s, 1.0, PROVISIONED_MB_PER_S_MAX),
    ] {
        let field = format!("{path}.{name}");
        if value == 0.0 {
            continue;
        }
        if !(least..=most).contains(&value) {
            let problem = format!("is {value}; it must be 0, or a number from {least} to {most}");
            return Err(ScenarioError::wrong(field, problem));
        }
        if machine.storage_gb == 0.0 {
            let problem = format!("is {value}; it must be 0 without a volume: `storage_gb`, which is 0");
            return Err(ScenarioError::wrong(field, problem));
        }
    }
    Ok(())
}

/// The stores of a ring read and write in sequence, and no faster than their volume.
pub(super) fn throughput_of_ring(path: &str, ring: &RingSection) -> Checked {
    let provisioned = ring.machine.provisioned_mb_per_s;
    match &ring.storage {
        None => no_throughput(&format!("{path}.machine"), &ring.machine),
        Some(storage) if provisioned > 0.0 && storage.disk_mb_per_s > provisioned => {
            let problem = format!(
                "is {}; it must be at most `machine.provisioned_mb_per_s`, which is {provisioned}",
                storage.disk_mb_per_s
            );
            Err(ScenarioError::wrong(format!("{path}.storage.disk_mb_per_s"), problem))
        }
        Some(_) => Ok(()),
    }
}

/// Nothing else does: megabytes a second would be paid for and do nothing.
pub(super) fn no_throughput(path: &str, machine: &MachineSection) -> Checked {
    match machine.provisioned_mb_per_s {
        0.0 => Ok(()),
        value => {
            let problem = format!(
                "is {value}; it must be 0 without a ring's `storage`, which is what reads and writes in sequence"
            );
            Err(ScenarioError::wrong(format!("{path}.provisioned_mb_per_s"), problem))
        }
    }
}
