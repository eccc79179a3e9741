//! The bundled scenarios of the counting service, over three seeds: what each is there to show.

use crate::runs::run;
use faultline::report::service::ServiceReport;
use faultline::scenario::presets;
use faultline::session::Session;

/// The clusters of a bundled scenario with each of three seeds.
fn over_seeds(name: &str) -> Vec<(u64, Vec<ServiceReport>, Session)> {
    let preset = presets::find(name).expect("it is bundled");
    (1..=3)
        .map(|seed| {
            let mut scenario = preset.scenario().expect("valid");
            scenario.seed = seed;
            let session = run(scenario);
            let reports = session
                .clusters()
                .iter()
                .map(|run| ServiceReport::of(run, session.now()).expect("a service"));
            (seed, reports.collect(), session)
        })
        .collect()
}

#[test]
fn a_hot_partition_falls_behind_and_sub_counts_keep_up() {
    for (seed, reports, _) in over_seeds("service-scale") {
        let [one, split] = &reports[..] else { panic!("two clusters") };
        let (late, soon) = (one.stored_after_ms.p99, split.stored_after_ms.p99);
        assert!(late > soon.map(|ms| 2.0 * ms), "seed {seed}: {late:?} {soon:?}");
    }
}

#[test]
fn a_crash_loses_or_doubles_or_neither() {
    for (seed, reports, _) in over_seeds("service-reliable") {
        let [most, least, exactly] = &reports[..] else { panic!("three clusters") };
        assert!(most.views.missing > 50 && most.views.counted_twice == 0, "seed {seed}: {:?}", most.views);
        assert!(
            least.views.missing == 0 && least.views.counted_twice > 500,
            "seed {seed}: {:?}",
            least.views
        );
        assert_eq!((exactly.views.missing, exactly.views.counted_twice), (0, 0), "seed {seed}");
    }
}

#[test]
fn counting_in_memory_spares_the_database() {
    for (seed, reports, session) in over_seeds("service-fast") {
        let [each, gathered] = &reports[..] else { panic!("two clusters") };
        let writes = |report: &ServiceReport| report.row_writes_per_view.expect("views were taken");
        assert!(writes(each) > 3.0 * writes(gathered), "seed {seed}: {} {}", writes(each), writes(gathered));
        // Who reads feels it.
        let p50 = |cluster: usize| session.clusters()[cluster].summary(session.now()).read.p50_ms;
        assert!(p50(0) > p50(1), "seed {seed}: {} {}", p50(0), p50(1));
    }
}

#[test]
fn an_outage_of_thirty_seconds_costs_time_and_no_view() {
    for (seed, reports, _) in over_seeds("database-down") {
        let [report] = &reports[..] else { panic!("one cluster") };
        assert!(report.times_spilled > 0 && report.times_held_back > 0, "seed {seed}: {report:?}");
        assert!(report.stored_after_ms.p99 > Some(20_000.0), "seed {seed}: {:?}", report.stored_after_ms);
        // What is missing at the end is on its way: about a flush and a half.
        assert!(
            report.views.missing < 8_000 && report.views.counted_twice == 0,
            "seed {seed}: {:?}",
            report.views
        );
    }
}

#[test]
fn a_bug_stays_in_counts_and_not_where_views_are_stored() {
    for (seed, reports, _) in over_seeds("what-is-stored") {
        let [events, counts, both] = &reports[..] else { panic!("three clusters") };
        assert_eq!(
            (events.views.missing, both.views.missing),
            (0, 0),
            "seed {seed}: {:?} {:?}",
            events.views,
            both.views
        );
        assert!(counts.views.missing > 1_000, "seed {seed}: {:?}", counts.views);
        assert!(
            counts.stored_by_device.is_none()
                && events.stored_by_device.is_some()
                && both.stored_by_device.is_some()
        );
        let writes = |report: &ServiceReport| report.row_writes_per_view.expect("views were taken");
        assert!(writes(events) > 1.5 * writes(counts), "seed {seed}: {} {}", writes(events), writes(counts));
        let stored = |report: &ServiceReport| report.database_mb + report.object_store_mb;
        assert!(stored(events) > 4.0 * stored(counts), "seed {seed}: {} {}", stored(events), stored(counts));
    }
}

#[test]
fn the_rarer_the_jobs_the_later_the_counts_and_the_fewer_the_hours() {
    for (seed, reports, _) in over_seeds("stream-or-batch") {
        let delays: Vec<f64> =
            reports.iter().map(|report| report.stored_after_ms.p50.expect("followed")).collect();
        assert!(delays[1] > 10.0 * delays[0] && delays[2] > 5.0 * delays[1], "seed {seed}: {delays:?}");
        let hours: Vec<f64> = reports.iter().map(|report| report.worker_hours).collect();
        assert!(hours[1] < 0.1 * hours[0] && hours[2] < 0.6 * hours[1], "seed {seed}: {hours:?}");
        for report in &reports {
            assert_eq!(
                (report.views.missing, report.views.counted_twice),
                (0, 0),
                "seed {seed}: {:?}",
                report.views
            );
        }
    }
}

#[test]
fn a_name_stands_once_or_with_every_video() {
    for (seed, reports, _) in over_seeds("a-page-and-a-rename") {
        let rows: Vec<u64> = reports.iter().map(|report| report.rows_renamed).collect();
        assert_eq!(rows, [1, 21, 1], "seed {seed}");
        let writes: Vec<f64> =
            reports.iter().map(|report| report.row_writes_per_view.expect("views")).collect();
        assert!(
            writes[1] > 1.2 * writes[0],
            "seed {seed}: rows of the most watched are written too: {writes:?}"
        );
        assert!(
            reports.iter().all(|report| report.names_disagreed_ms > 0.0),
            "seed {seed}: caches keep the old name"
        );
    }
}

#[test]
fn a_malformed_view_is_put_aside_or_stops_its_partition() {
    for (seed, reports, _) in over_seeds("poison") {
        let [aside, stuck] = &reports[..] else { panic!("two clusters") };
        assert!(
            aside.views.dead_letters_malformed > 0 && aside.log_lag_views < 3_000,
            "seed {seed}: {aside:?}"
        );
        assert!(stuck.log_lag_views > 5_000 && stuck.views.missing > 5_000, "seed {seed}: {stuck:?}");
    }
}

#[test]
fn a_field_is_added_without_errors_or_with() {
    for (seed, _, session) in over_seeds("add-a-field") {
        let unknown: Vec<u64> = session
            .clusters()
            .iter()
            .map(|run| {
                let causes = run.summary(session.now()).causes;
                causes.iter().find(|(cause, _)| cause.contains("field")).map_or(0, |(_, count)| *count)
            })
            .collect();
        assert!(unknown[2] > 500, "seed {seed}: strict readers fail: {unknown:?}");
        assert_eq!((unknown[0], unknown[1], unknown[3]), (0, 0, 0), "seed {seed}");
    }
}
