//! Price sheets: what comes with the program is whole, dated and sourced; what is wrong is said.

use faultline::measure::prices::{PriceSheet, PriceSheetError, PriceUnit, is_managed};
use faultline::scenario::parse;
use faultline::scenario::schema::{MachineSection, PriceOverride, RingSection, SqlSection};
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
    assert_eq!(PriceSheet::bundled_names().count(), 3);
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

fn bundled(name: &str) -> PriceSheet {
    PriceSheet::bundled(name).expect("bundled")
}

#[test]
fn every_sheet_prices_what_the_first_does_so_that_one_word_changes_sheets() {
    let first = bundled(NAME);
    for name in PriceSheet::bundled_names() {
        let sheet = bundled(name);
        for item in &first.items {
            let same = sheet.items.iter().find(|other| other.item == item.item);
            assert_eq!(same.map(|other| other.unit), Some(item.unit), "{name}: {}", item.item);
        }
        assert!(sheet.machine_types().eq(first.machine_types()), "{name}");
    }
}

#[test]
fn a_commitment_makes_every_machine_cheaper_and_nothing_else() {
    let (on_demand, committed) = (bundled(NAME), bundled("aws-us-east-1-three-years"));
    for (before, after) in on_demand.items.iter().zip(&committed.items) {
        assert_eq!(before.item, after.item);
        if before.unit == PriceUnit::Hour {
            let left = if is_managed(&before.item) { 0.44 } else { 0.40 };
            assert!((after.usd / before.usd - left).abs() < 1e-3, "{}: {}", after.item, after.usd);
        } else {
            assert_eq!(before.usd, after.usd, "{}", before.item);
        }
    }
}

#[test]
fn what_one_owns_costs_what_its_components_come_to() {
    let sheet = bundled("own-hardware");
    // 1,880 USD with a tenth for spares over five years; 82 W, housed and fed; a quarter of an hour of staff.
    let kilowatt = 196.0 + 0.12 * 730.0 * 1.4;
    let a_month = 1_880.0 * 1.1 / 60.0 + 0.082 * kilowatt + 0.25 * 75.0;
    let an_hour = sheet.usd_per_hour("EC2 m6i.large").expect("priced");
    assert!((an_hour - a_month / 730.0).abs() < 1e-12, "{an_hour}");
    let managed = sheet.usd_per_hour("RDS MySQL Single-AZ db.m6i.large").expect("priced");
    assert_eq!(managed, an_hour, "the same server: who runs the database is counted as effort");
    let gigabyte = 0.24 * 1.1 / 60.0 + 0.000_004 * kilowatt;
    assert!((sheet.storage_usd_per_gb_month(false) - gigabyte).abs() < 1e-12);
    assert!(!sheet.is_run_by_vendor("RDS MySQL Single-AZ db.m6i.large"), "what one owns, one runs");
    let large = sheet.usd_per_hour("EC2 m6i.4xlarge").expect("priced");
    let in_the_cloud = bundled(NAME).usd_per_hour("EC2 m6i.4xlarge").expect("priced");
    assert!(an_hour > 0.096 && large < 0.25 * in_the_cloud, "own hardware pays with large machines");
}

#[test]
fn a_price_that_is_set_counts_and_what_is_computed_from_it_follows() {
    let set = |name: &str, item: &str, usd: f64| {
        let mut sheet = bundled(name);
        sheet.set(&[PriceOverride { item: item.to_string(), usd }]);
        sheet
    };
    assert_eq!(set(NAME, "EC2 m6i.large", 0.5).usd_per_hour("EC2 m6i.large"), Some(0.5));
    let own = "own-hardware";
    assert_eq!(set(own, "EC2 m6i.large", 0.5).usd_per_hour("EC2 m6i.large"), Some(0.5));
    let (usual, dear) = (bundled(own), set(own, "Power", 1.12));
    let more = dear.usd_per_hour("EC2 m6i.large").expect("priced")
        - usual.usd_per_hour("EC2 m6i.large").expect("priced");
    assert!((more - 0.082 * 1.4).abs() < 1e-12, "a dollar more for each kilowatt hour: {more}");
}

#[test]
fn a_scenario_that_sets_prices_is_told_what_is_wrong_with_them() {
    let with = |overrides: Value| {
        let scenario = json!({
            "version": 1, "name": "priced", "title": "Priced", "duration_ms": 100, "workload": {"rate_per_s": 1},
            "clusters": [{"sharded_sql": {}}], "price_overrides": overrides,
        });
        parse(&scenario.to_string()).map_err(|error| error.to_string())
    };
    let right = with(json!([{"item": "EC2 m6i.large", "usd": 0.05}])).expect("valid");
    assert_eq!(PriceSheet::of(&right).usd_per_hour("EC2 m6i.large"), Some(0.05));
    for (wrong, part) in [
        (
            json!([{"item": "EC2 m6i.lrge", "usd": 1}]),
            "price_overrides[0].item: there is no price item `EC2 m6i.lrge`; did you mean `EC2 m6i.large`?",
        ),
        (json!([{"item": "Power", "usd": 1}]), "there is no price item `Power`"),
        (
            json!([{"item": "EC2 m6i.large", "usd": -1}]),
            "price_overrides[0].usd: is -1; it must be a number from 0",
        ),
        (
            json!([{"item": "EC2 m6i.large", "usd": 1}, {"item": "EC2 m6i.large", "usd": 2}]),
            "an item can have one price only",
        ),
    ] {
        let error = with(wrong).expect_err("refused");
        assert!(error.contains(part), "{error}");
    }
}

#[test]
fn what_is_wrong_with_what_one_owns_is_said() {
    let own = || serde_json::to_value(bundled("own-hardware")).expect("serialises");
    let mut without = own();
    without.as_object_mut().expect("an object").remove("ownership");
    assert!(error(&without).contains("the sheet has no `ownership`"), "{}", error(&without));
    let mut unpowered = own();
    unpowered["items"].as_array_mut().expect("a list").retain(|item| item["item"] != "Power");
    assert!(error(&unpowered).contains("\"Power\" in kWh is missing"));
    let mut never = own();
    never["ownership"]["years"] = json!(0);
    assert!(error(&never).contains("ownership: years is 0; it must be a number from 1 to 20"));
    let mut negative = own();
    negative["items"][0]["own"]["watts"] = json!(-5);
    assert!(error(&negative).contains("costs -5"));
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
