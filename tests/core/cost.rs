//! What a cluster costs, what it would need and what people have to do: counted, and held against runs.

use crate::runs::{merge, run, scenario};
use faultline::cluster::run::ClusterRun;
use faultline::measure::effort;
use faultline::measure::forecast::{Resource, TARGET};
use faultline::measure::prices::PriceSheet;
use faultline::report::page::page;
use faultline::report::run_report::RunReport;
use faultline::report::table;
use faultline::scenario::fault::FaultSpec;
use faultline::scenario::names::{BACKUP_STORE, CLIENT, ROLES};
use faultline::scenario::presets;
use faultline::scenario::schema::EffortSection;
use faultline::session::Session;
use faultline::session::bill;
use faultline::session::command::{Command, LoggedCommand};
use faultline::session::driver::Driver;
use faultline::session::protocol::{FromWorker, ToWorker};
use serde_json::{Value, json};

const HOURS_PER_MONTH: f64 = 730.0;

/// A scenario that comes with the program, changed.
fn preset(name: &str, changes: Value) -> Session {
    let scenario_of = presets::find(name).expect("a bundled scenario").scenario().expect("it is valid");
    let mut changed = serde_json::to_value(scenario_of).expect("serialises");
    merge(&mut changed, &changes);
    run(scenario(&changed))
}

/// A scenario with one cluster and no faults.
fn one(cluster: Value, workload: Value, more: Value) -> Session {
    let mut changed = json!({
        "version": 1, "name": "one", "title": "One", "duration_ms": 10_000, "workload": workload, "clusters": [cluster],
    });
    merge(&mut changed, &more);
    run(scenario(&changed))
}

fn close(found: f64, wanted: f64, tolerance: f64) -> bool {
    (found - wanted).abs() <= tolerance * wanted.abs().max(1e-12)
}

fn busiest(run: &ClusterRun, session: &Session) -> f64 {
    run.forecast(session.now()).first.expect("there are machines").share
}

fn times(session: &Session, cluster: usize, incident: &str) -> u32 {
    let effort = bill::effort(session, &session.clusters()[cluster]);
    effort.incidents.iter().find(|one| one.incident == incident).map_or(0, |one| one.times)
}

// ---- The split --------------------------------------------------------------

#[test]
fn what_the_roles_pay_adds_up_to_what_the_cluster_costs() {
    for name in ["video-views", "two-regions", "backup-restore", "hot-shard-split", "join-under-load"] {
        for prices in PriceSheet::bundled_names() {
            let session = preset(name, json!({"duration_ms": 3_000.0, "faults": [], "prices": prices}));
            for run in session.clusters() {
                let split = run.split(session.now());
                let together: f64 = split.iter().map(|role| role.usd_per_hour.total()).sum();
                let cost = run.summary(session.now()).cost;
                assert!(close(together, cost.usd_per_hour, 1e-9), "{name}, {prices}: {together} of {cost:?}");
                assert!(close(cost.usd_per_month, cost.usd_per_hour * HOURS_PER_MONTH, 1e-12));
                let of_work = cost.usd_per_million_operations.expect("some succeeded");
                let hours = session.now().0 as f64 / 3.6e12;
                let by_hand = cost.usd_per_hour * hours * 1e6 / run.recorder().counts.ok as f64;
                assert!(close(of_work, by_hand, 1e-9), "{name}: {of_work}, {by_hand}");
            }
        }
    }
}

#[test]
fn every_role_of_a_cluster_has_its_line_and_pays_for_its_own_ends_of_the_traffic() {
    let session = preset("two-regions", json!({"duration_ms": 3_000.0, "faults": []}));
    for run in session.clusters() {
        let mut roles: Vec<&str> = Vec::new();
        for seat in &run.blueprint().directory.seats {
            if !roles.contains(&seat.role()) {
                roles.push(seat.role());
            }
        }
        let split = run.split(session.now());
        assert_eq!(split.iter().map(|cost| cost.role).collect::<Vec<_>>(), roles);
        let traffic = run.world().network().traffic();
        assert!(traffic.bytes_cross_zone > 0 && traffic.bytes_cross_region > 0, "{traffic:?}");
        let usd =
            traffic.bytes_cross_zone as f64 / 1e9 * 0.02 + traffic.bytes_cross_region as f64 / 1e9 * 0.02;
        let per_hour = usd / (session.now().0 as f64 / 3.6e12);
        let paid: f64 = split.iter().map(|cost| cost.usd_per_hour.traffic).sum();
        assert!(close(paid, per_hour, 1e-9), "{paid} of {per_hour}");
        let client = &split[0];
        assert_eq!((client.role, client.machines, client.usd_per_hour.compute), (CLIENT, 0, 0.0));
        assert!(client.usd_per_hour.traffic > 0.0 && client.usd_per_hour.traffic < paid);
    }
}

#[test]
fn backups_cost_what_the_store_holds_row_by_row_and_transaction_by_transaction() {
    let kept = |payload: u32| {
        let session = one(
            json!({"sharded_sql": {"backups": {"snapshot_every_ms": 4_000, "binlog_every_ms": 500}}}),
            json!({"rate_per_s": 200, "reads": 0, "keys": 300, "payload_bytes": payload}),
            json!({}),
        );
        let run = &session.clusters()[0];
        let split = run.split(session.now());
        let usd: f64 = split.iter().map(|cost| cost.usd_per_hour.backups).sum();
        let store = split.iter().find(|cost| cost.role == BACKUP_STORE).expect("it has a line");
        assert_eq!(store.usd_per_hour.backups, usd, "nobody else pays for backups");
        let bytes = run.backup_bytes();
        assert!(close(usd * HOURS_PER_MONTH, bytes as f64 / 1e9 * 0.023, 1e-9), "{usd} for {bytes} bytes");
        bytes
    };
    // Every row and every transaction that is kept has its payload once more.
    let (bare, with_payload) = (kept(0), kept(1_000));
    let kept = (with_payload - bare) / 1_000;
    assert_eq!((with_payload - bare) % 1_000, 0);
    // A row has 24 bytes beside its payload, a transaction 40.
    let transactions = (bare - 24 * kept) / 16;
    let rows = kept - transactions;
    assert_eq!(24 * rows + 40 * transactions, bare);
    assert!((1..=2 * 3 * 300).contains(&rows), "{rows} rows in two snapshots of each shard at most");
    assert!((1..=2_100).contains(&transactions), "{transactions} transactions of two thousand");
}

#[test]
fn provisioned_io_is_paid_beyond_what_the_volume_includes() {
    let cost = |iops: f64, prices: &str| {
        let machine = json!({
            "machine_type": "RDS MySQL Single-AZ db.m6i.large", "storage_gb": 100, "provisioned_iops": iops
        });
        let session = one(
            json!({"sharded_sql": {"mysql_machine": machine}}),
            json!({"rate_per_s": 50}),
            json!({"duration_ms": 500, "prices": prices}),
        );
        let split = session.clusters()[0].split(session.now());
        let usd: f64 = split.iter().map(|cost| cost.usd_per_hour.provisioned_io).sum();
        usd * HOURS_PER_MONTH
    };
    let sheet = "aws-us-east-1-on-demand";
    assert_eq!(cost(0.0, sheet), 0.0);
    assert_eq!(cost(3_000.0, sheet), 0.0, "so many are included");
    let servers = 4.0;
    assert!(close(cost(6_000.0, sheet), servers * 3_000.0 * 0.02, 1e-9), "{}", cost(6_000.0, sheet));
    assert_eq!(cost(6_000.0, "own-hardware"), 0.0, "one's own drive does them anyway");
}

#[test]
fn a_volume_with_few_provisioned_requests_makes_writes_wait() {
    let latency = |iops: f64| {
        let machine = json!({
            "machine_type": "RDS MySQL Single-AZ db.m6i.large", "storage_gb": 100, "provisioned_iops": iops
        });
        let session = one(
            json!({"sharded_sql": {"mysql_machine": machine, "replicas": 0, "disk": {"channels": 4}}}),
            json!({"rate_per_s": 300, "reads": 0}),
            json!({"duration_ms": 4_000}),
        );
        let run = &session.clusters()[0];
        let forecast = run.forecast(session.now());
        let mysql = forecast.roles.iter().find(|role| role.role == "mysql").expect("it is there");
        (run.summary(session.now()).write.p50_ms, mysql.disk_requests_per_s_max, mysql.hottest.resource)
    };
    let (free, ..) = latency(0.0);
    let (plenty, ..) = latency(100_000.0);
    assert!(close(plenty, free, 0.05), "{plenty} ms, and {free} without a bound");
    let (throttled, requests, resource) = latency(100.0);
    assert!(throttled > 4.0 * free, "{throttled} ms, and {free} without a bound");
    assert!(requests <= 100.5, "{requests} a second");
    assert_eq!(resource, Resource::ProvisionedIops);
}

// ---- The forecast -----------------------------------------------------------

fn shards(rate_per_s: f64) -> Session {
    one(
        json!({"sharded_sql": {"cache": {"entries": 0}, "replicas": 0, "mysql_machine": {
            "machine_type": "RDS MySQL Single-AZ db.m6i.large", "cores": 2, "queue_limit": 64, "storage_gb": 100
        }}}),
        json!({"rate_per_s": rate_per_s, "reads": 0.95, "keys": 2_000, "zipf_theta": 0.3, "clients": 6}),
        json!({"duration_ms": 8_000}),
    )
}

#[test]
fn the_machine_that_a_forecast_names_saturates_where_it_says() {
    const RATE: f64 = 500.0;
    // How far from the forecast a run may be: work that does not grow with the load, and the draws of one run.
    const TOLERANCE: f64 = 0.1;
    let base = shards(RATE);
    let first = base.clusters()[0].forecast(base.now()).first.expect("there are machines");
    let factor = first.saturates_at.expect("it did something");
    assert!(first.node.starts_with("mysql-") && first.resource == Resource::Cores, "{first:?}");
    assert!(factor > 3.0, "{factor}: the run is far from it");
    for part in [0.3, 0.8] {
        let session = shards(RATE * factor * part);
        let run = &session.clusters()[0];
        let share = busiest(run, &session);
        assert!(close(share, part, TOLERANCE), "{part} of the way it is busy to {share}");
        let counts = run.recorder().counts;
        assert!(counts.ok as f64 > 0.99 * counts.invoked as f64, "{part}: {counts:?}");
    }
    let beyond = shards(RATE * factor * 1.25);
    let run = &beyond.clusters()[0];
    assert!(busiest(run, &beyond) > 0.97, "{}", busiest(run, &beyond));
    let counts = run.recorder().counts;
    assert!((counts.ok as f64) < 0.95 * counts.invoked as f64, "it is saturated, and still {counts:?}");
    let hottest = run.forecast(beyond.now()).first.expect("there are machines").node;
    assert_eq!(hottest, first.node);
}

#[test]
fn with_the_machines_that_a_forecast_asks_for_ten_times_the_load_is_served_at_its_target() {
    let ring = |nodes: u64, rate_per_s: f64| {
        one(
            json!({"gossip_ring": {"nodes": nodes, "r": 2, "w": 2, "virtual_nodes": 64, "token_aware": true}}),
            json!({"rate_per_s": rate_per_s, "keys": 200, "zipf_theta": 0.3}),
            json!({"duration_ms": 6_000}),
        )
    };
    let base = ring(6, 1_500.0);
    let forecast = base.clusters()[0].forecast(base.now());
    let needed = forecast.roles[0].machines_at[0];
    assert!(needed > 6, "{needed}: there is something to add");
    let grown = ring(needed, 15_000.0);
    let share = grown.clusters()[0].forecast(grown.now()).roles[0].share_mean;
    // The last machine may be needed for a part only.
    assert!(share < TARGET * 1.1 && share > TARGET * 0.8, "{needed} machines are busy to {share}");
    let more = &forecast.at[0];
    assert_eq!(more.machines, needed);
    let by_hand = forecast.roles[0].share_mean * 6.0 * 10.0 / TARGET;
    assert_eq!(needed, by_hand.ceil() as u64);
    let found = grown.clusters()[0].summary(grown.now()).cost.usd_per_month;
    assert!(close(more.usd_per_month, found, 0.1), "{} forecast, {found} found", more.usd_per_month);
}

#[test]
fn a_forecast_of_a_role_never_asks_for_fewer_machines_and_grows_traffic_with_the_load() {
    let session = preset("video-views", json!({"duration_ms": 4_000.0, "faults": []}));
    for run in session.clusters() {
        let now: f64 = run.split(session.now()).iter().map(|cost| cost.usd_per_hour.traffic).sum();
        let forecast = run.forecast(session.now());
        for role in &forecast.roles {
            assert!(role.machines_at[0] >= u64::from(role.machines), "{role:?}");
            assert!(role.machines_at[1] >= role.machines_at[0], "{role:?}");
            assert!(role.hottest.share >= role.share_mean, "{role:?}");
        }
        for at in &forecast.at {
            assert!(close(at.usd_per_hour.traffic, now * at.factor, 1e-9), "{at:?}");
        }
    }
}

// ---- People -----------------------------------------------------------------

#[test]
fn what_is_said_of_effort_names_every_role_and_every_incident_and_the_usual_weights() {
    let file: Value = serde_json::from_str(effort::TEXT).expect("JSON");
    let names = |list: &str, field: &str| -> Vec<String> {
        let entries = file[list].as_array().expect("a list");
        entries.iter().map(|entry| entry[field].as_str().expect("text").to_string()).collect()
    };
    let described = names("technologies", "role");
    for role in ROLES {
        assert!(described.iter().any(|other| other == role), "what technology is {role}?");
    }
    let weights = serde_json::to_value(EffortSection::default()).expect("serialises");
    let usual: Vec<(String, f64)> = file["weights"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|one| {
            (one["name"].as_str().expect("text").to_string(), one["usual"].as_f64().expect("a number"))
        })
        .collect();
    assert_eq!(usual.len(), weights.as_object().expect("an object").len());
    for (name, usual) in usual {
        assert_eq!(weights[&name].as_f64(), Some(usual), "{name}");
    }
    assert_eq!(names("incidents", "name"), effort::NAMES);
    for incident in file["incidents"].as_array().expect("a list") {
        assert!(!incident["steps"].as_array().expect("a list").is_empty(), "{incident}");
    }
}

#[test]
fn hours_are_put_together_as_is_said() {
    let weights = json!({
        "usd_per_hour": 50, "technology_hours": 100, "part_hours": 10, "technology_hours_per_month": 2,
        "process_hours_per_month": 1, "vendor_run_share": 0.5, "step_hours": 3, "such_runs_per_month": 4,
    });
    let crash = json!([{"at_ms": 100, "do": {"crash": {"nodes": {"nodes": ["mysql-1-1"]}}}}]);
    let found = |prices: &str| {
        let session = one(
            json!({"sharded_sql": {}}),
            json!({"rate_per_s": 50}),
            json!({"effort": weights, "faults": crash, "duration_ms": 1_000, "prices": prices}),
        );
        bill::effort(&session, &session.clusters()[0])
    };
    let effort = found("aws-us-east-1-on-demand");
    assert_eq!((effort.processes, effort.technologies.len(), effort.parts.len()), (9, 4, 4));
    assert_eq!(effort.development_hours, 4.0 * 100.0 + 4.0 * 10.0);
    assert_eq!(effort.development_usd, effort.development_hours * 50.0);
    // The crashed server never comes back: two steps. Five processes of one's own, four that the vendor runs.
    assert_eq!(effort.manual_steps, 2);
    assert_eq!(effort.maintenance_hours_per_month, 4.0 * 2.0 + (5.0 + 4.0 * 0.5) + 2.0 * 3.0 * 4.0);
    assert_eq!(effort.maintenance_usd_per_month, effort.maintenance_hours_per_month * 50.0);
    // What one owns, no vendor runs.
    let own = found("own-hardware");
    assert_eq!(own.maintenance_hours_per_month, effort.maintenance_hours_per_month + 4.0 * 0.5);
}

#[test]
fn what_comes_back_by_itself_needs_no_hands_and_what_does_not_does() {
    let crash = |for_ms: Value| {
        let mut fault = json!({"at_ms": 500, "do": {"crash": {"nodes": {"nodes": ["mysql-1-2", "ring-1"]}}}});
        if !for_ms.is_null() {
            merge(&mut fault, &json!({"for_ms": for_ms}));
        }
        preset("video-views", json!({"duration_ms": 3_000.0, "faults": [fault]}))
    };
    let lasting = crash(Value::Null);
    assert_eq!([times(&lasting, 0, "machine_down"), times(&lasting, 1, "machine_down")], [1, 1]);
    let back = crash(json!(700));
    assert_eq!([times(&back, 0, "machine_down"), times(&back, 1, "machine_down")], [0, 0]);

    // By hand is by hand, whenever.
    let scenario_of = presets::find("video-views").expect("bundled").scenario().expect("valid");
    let nodes = faultline::scenario::fault::Selector::node("mysql-2-2");
    let at = |ms| faultline::engine::SimTime::from_ms(ms);
    let begin = Command::Begin { fault: FaultSpec::Pause { nodes }, for_ms: None };
    let commands = vec![
        LoggedCommand { at: at(300), command: begin },
        LoggedCommand { at: at(800), command: Command::Lift { fault: scenario_of.faults.len() as u32 } },
    ];
    let mut session = Session::open(scenario_of, None, commands, None).expect("it opens");
    session.run_until(at(1_500));
    assert_eq!([times(&session, 0, "machine_down"), times(&session, 1, "machine_down")], [1, 0]);
}

#[test]
fn failures_that_need_an_operator_are_counted_from_the_run() {
    let disks = preset("backup-restore", json!({"duration_ms": 36_000.0}));
    for (cluster, restored) in [(0, 0), (1, 1), (2, 1)] {
        assert_eq!(times(&disks, cluster, "disk_lost"), 2, "primary and replica");
        assert_eq!(times(&disks, cluster, "restore"), restored, "only from backups");
    }
    let alone = one(
        json!({"sharded_sql": {"replicas": 0}}),
        json!({"rate_per_s": 50}),
        json!({"faults": [{"at_ms": 1_000, "do": {"crash": {"nodes": {"nodes": ["mysql-1-1"]}}}}]}),
    );
    assert_eq!(times(&alone, 0, "failover_by_hand"), 1, "nobody is left who could be promoted, told once");

    let github = preset("github-2018", json!({}));
    let errant = |cluster: usize| github.clusters()[cluster].recorder().errant_transactions;
    for cluster in 0..3 {
        let is_counted = times(&github, cluster, "errant_transactions") > 0;
        assert_eq!(is_counted, errant(cluster) > 0, "cluster {cluster} has {}", errant(cluster));
    }
    assert!(errant(0) > 0 && errant(1) == 0, "nobody was promoted across regions");

    let moved = preset("hot-shard-split", json!({"duration_ms": 20_000.0}));
    let splits = |cluster: usize| times(&moved, cluster, "range_moved");
    let asked = moved.script().faults().iter().filter(|fault| matches!(fault.fault, FaultSpec::Split { .. }));
    assert_eq!(splits(0) as usize, asked.count(), "each was somebody's order");

    let joins = preset("join-under-load", json!({}));
    assert!(times(&joins, 0, "ring_changed") > 0);
    let quiet = preset("video-views", json!({"duration_ms": 2_000.0, "faults": []}));
    for run in quiet.clusters() {
        assert_eq!(bill::effort(&quiet, run).manual_steps, 0, "nothing happened");
    }
}

#[test]
fn a_configuration_service_without_a_majority_needs_somebody() {
    let crash = |nodes: Value| {
        let session = one(
            json!({"sharded_sql": {"config_nodes": 3}}),
            json!({"rate_per_s": 20}),
            json!({"faults": [{"at_ms": 1_000, "do": {"crash": {"nodes": {"nodes": nodes}}}}], "duration_ms": 14_000}),
        );
        times(&session, 0, "config_gone")
    };
    assert_eq!(crash(json!(["config-1"])), 0, "the others elect another leader");
    assert_eq!(crash(json!(["config-1", "config-2"])), 1);
}

// ---- What is shown ----------------------------------------------------------

#[test]
fn page_table_and_report_show_the_same_bill() {
    let scenario_of = presets::find("primary-crash").expect("bundled").scenario().expect("valid");
    let mut changed = serde_json::to_value(scenario_of).expect("serialises");
    merge(&mut changed, &json!({"duration_ms": 4_000.0, "faults": []}));
    let mut driver = Driver::default();
    let mut clock = || 0.0;
    let mut last = None;
    let asked = [
        ToWorker::Open { scenario: changed.to_string(), seed: None, commands: Vec::new(), play: false },
        ToWorker::Bill { cluster: Some(1) },
        ToWorker::RunToEnd,
    ];
    for message in asked.into_iter().chain((0..100).map(|_| ToWorker::Drawn)) {
        let mut said = driver.handle(message, &mut clock);
        said.extend(driver.slice(&mut clock));
        for said in said {
            if let FromWorker::Frame(frame) = said {
                last = Some(*frame);
            }
        }
    }
    let last = last.expect("frames came");
    assert!(last.finished);
    let shown = last.bill.expect("it was asked for");
    let session = run(scenario(&changed));
    let report = RunReport::of(&session, None, None);
    assert_eq!(shown.tables, report.clusters[1].bill);
    let (text, html) = (table::text(&report), page(&session, &report));
    for cluster in &report.clusters {
        for table in &cluster.bill {
            for cell in table.rows.iter().flatten().chain([&table.note]) {
                let escaped = cell.replace('&', "&amp;").replace('\'', "&#39;");
                assert!(text.contains(cell.as_str()) && html.contains(&escaped), "{cell}");
            }
        }
    }
    let json: Value = serde_json::from_str(&report.to_json()).expect("JSON");
    let cluster = &json["clusters"][0];
    assert!(cluster["cost"]["split"][1]["usd_per_hour"]["compute"].as_f64().expect("a number") > 0.0);
    assert_eq!(cluster["forecast"]["at"].as_array().expect("a list").len(), 2);
    assert_eq!(cluster["effort"]["weights"]["usd_per_hour"], 100.0);
    let prices: Vec<&str> = shown.prices.iter().map(|price| price.item.as_str()).collect();
    assert!(prices.contains(&"EC2 m6i.large") && prices.contains(&"Cross-zone transfer"), "{prices:?}");
}
