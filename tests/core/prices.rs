//! Price sheets: what comes with the program is whole, dated and sourced; what is wrong is said.

use faultline::measure::prices::{PriceSheet, PriceSheetError, is_managed};
use faultline::scenario::schema::{MachineSection, RingSection, SqlSection};
use serde_json::{Value, json};

const NAME: &str = "aws-us-east-1-on-demand";

fn sheet() -> Value {
    serde_json::to_value(PriceSheet::bundled(NAME).expect("bundled")).expect("serialises")
}

fn error(sheet: &Value) -> String {
    PriceSheet::parse(&sheet.to_string()).expect_err("refused").to_string()
}

#[test]
fn every_bundled_sheet_is_whole_dated_and_sourced() {
    for name in PriceSheet::bundled_names() {
        let sheet = PriceSheet::bundled(name).expect("it is bundled");
        assert_eq!(sheet.name, name);
        let date: Vec<&str> = sheet.date.split('-').collect();
        assert_eq!(date.iter().map(|part| part.len()).collect::<Vec<_>>(), [4, 2, 2], "{}", sheet.date);
        assert!(!sheet.sources.is_empty());
        assert!(sheet.items.iter().all(|price| !price.source.is_empty()));
        assert_eq!(sheet.hours_per_month, 730.0);
    }
    assert!(PriceSheet::bundled("unheard-of").is_none());
}

#[test]
fn it_prices_every_machine_that_a_cluster_has_by_default() {
    let sheet = PriceSheet::bundled(NAME).expect("bundled");
    let sql = SqlSection::default();
    for machine in
        [MachineSection::default(), sql.proxy_machine, sql.mysql_machine, RingSection::default().machine]
    {
        assert!(sheet.usd_per_hour(&machine.machine_type).is_some(), "{}", machine.machine_type);
    }
}

#[test]
fn figures_are_those_of_the_source() {
    let sheet = PriceSheet::bundled(NAME).expect("bundled");
    assert_eq!(sheet.usd_per_hour("EC2 m6i.large"), Some(0.096));
    assert_eq!(sheet.usd_per_hour("RDS MySQL Single-AZ db.m6i.large"), Some(0.171));
    assert_eq!(sheet.usd_per_hour("EBS gp3 storage"), None, "storage is no machine");
    assert_eq!(sheet.storage_usd_per_gb_month(false), 0.08);
    assert_eq!(sheet.storage_usd_per_gb_month(true), 0.115);
    assert_eq!(sheet.cross_zone_usd_per_gb(), 0.01, "on leaving, and once more on arriving");
    assert!(is_managed("RDS MySQL Single-AZ db.m6i.large") && !is_managed("EC2 m6i.large"));
}

#[test]
fn what_is_wrong_with_a_sheet_is_said() {
    let mut negative = sheet();
    negative["items"][0]["usd"] = json!(-1);
    assert!(error(&negative).contains("costs -1; a price must be a number of 0 or more"));
    let mut without = sheet();
    without["items"].as_array_mut().expect("a list").retain(|item| item["item"] != "Cross-zone transfer");
    assert!(error(&without).contains("\"Cross-zone transfer\" in GB each direction is missing"));
    let mut double = sheet();
    let first = double["items"][0].clone();
    double["items"].as_array_mut().expect("a list").push(first);
    assert!(error(&double).contains("stands twice"));
    let mut other = sheet();
    other["currency"] = json!("EUR");
    assert!(error(&other).contains("only \"USD\""));
    let mut unknown = sheet();
    unknown["itemz"] = json!([]);
    assert!(error(&unknown).contains("unknown field `itemz`"));
    assert!(matches!(PriceSheet::parse("no"), Err(PriceSheetError::Unreadable(_))));
}

#[test]
fn what_is_bundled_is_right_and_read_as_it_stands() {
    for name in PriceSheet::bundled_names() {
        let text = PriceSheet::bundled_text(name).expect("it is bundled");
        let strict = PriceSheet::parse(text).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(PriceSheet::bundled(name), Some(strict));
    }
}
