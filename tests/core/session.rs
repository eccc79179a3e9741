//! Sessions: a run is a pure function of scenario, seed and commands; going back
//! and forking change nothing; the driver never does more than it was asked for.

use faultline::engine::{SimDuration, SimTime};
use faultline::scenario::fault::{FaultSpec, Selector};
use faultline::scenario::presets;
use faultline::scenario::schema::Scenario;
use faultline::session::Session;
use faultline::session::command::{Command, LoggedCommand};
use faultline::session::driver::Driver;
use faultline::session::frame::Frame;
use faultline::session::link::ShareLink;
use faultline::session::protocol::{FromWorker, ToWorker};
use proptest::prelude::*;

fn short(name: &str, duration_ms: f64) -> Scenario {
    let mut scenario = presets::find(name).expect("a bundled scenario").scenario().expect("it is valid");
    scenario.duration_ms = duration_ms;
    scenario.faults.retain(|fault| fault.at_ms < duration_ms);
    scenario
}

fn open(scenario: &Scenario, commands: &[LoggedCommand]) -> Session {
    Session::open(scenario.clone(), None, commands.to_vec(), None).expect("a valid scenario opens")
}

fn ms(ms: u64) -> SimTime {
    SimTime::from_ms(ms)
}

fn crash(node: &str) -> Command {
    Command::Begin {
        fault: FaultSpec::Crash { nodes: Selector::node(node), disk_lost: false },
        for_ms: Some(700.0),
    }
}

fn hash_at_end(mut session: Session) -> u64 {
    let end = session.end();
    session.run_until(end);
    session.trace_hash()
}

#[test]
fn every_bundled_scenario_gives_the_same_hash_twice() {
    for preset in presets::PRESETS {
        let scenario = preset.scenario().expect("it is valid");
        assert_eq!(hash_at_end(open(&scenario, &[])), hash_at_end(open(&scenario, &[])), "{}", preset.name);
    }
}

#[test]
fn another_seed_gives_another_run() {
    let scenario = short("video-views", 500.0);
    let other = Session::open(scenario.clone(), Some(scenario.seed + 1), Vec::new(), None).expect("it opens");
    assert_ne!(hash_at_end(open(&scenario, &[])), hash_at_end(other));
}

#[test]
fn both_clusters_are_asked_for_the_same_operations() {
    let scenario = short("zone-partition", 2_000.0);
    let mut session = open(&scenario, &[]);
    session.keep_history();
    let end = session.end();
    session.run_until(end);
    let asked = |at: usize| {
        let history = session.clusters()[at].history();
        let mut asked: Vec<_> = history
            .map(|op| {
                (op.id, op.invoked, op.key, op.kind == faultline::workload::operation::OperationKind::Read)
            })
            .collect();
        asked.sort_unstable();
        asked
    };
    assert!(asked(0).len() > 1_000);
    assert_eq!(asked(0), asked(1));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    /// In one go, in pieces, event by event, back and forth: the same run.
    #[test]
    fn how_a_run_is_looked_at_does_not_change_it(
        stops in prop::collection::vec(0u64..1_500, 1..8),
        steps in 0usize..300,
    ) {
        let scenario = short("zone-partition", 1_500.0);
        let commands = [LoggedCommand { at: ms(400), command: crash("mysql-1-1") }];
        let expected = hash_at_end(open(&scenario, &commands));
        let mut session = open(&scenario, &commands);
        for stop in stops {
            session.seek(ms(stop));
            for _ in 0..steps {
                session.step();
            }
        }
        prop_assert_eq!(hash_at_end(session), expected);
    }

    /// Commands given live are the commands of the log: replayed, they give the same run.
    #[test]
    fn live_commands_replay_to_the_same_hash(times in prop::collection::vec((0u64..900, 0usize..4, 0usize..200), 1..6)) {
        let scenario = short("video-views", 1_000.0);
        let mut session = open(&scenario, &[]);
        let mut times = times;
        times.sort_unstable();
        for (at, which, steps) in times {
            if ms(at) > session.now() {
                session.run_until(ms(at));
            }
            for _ in 0..steps {
                session.step();
            }
            let command = match which {
                0 => crash("ring-3"),
                1 => Command::Begin { fault: FaultSpec::LoadSpike { factor: 3.0 }, for_ms: None },
                2 => Command::Begin {
                    fault: FaultSpec::Partition { groups: vec![Selector::zone("a"), Selector::zone("b")] },
                    for_ms: Some(150.0),
                },
                _ => Command::Begin { fault: FaultSpec::Restart { nodes: Selector::node("mysql-2-1") }, for_ms: None },
            };
            session.act(command).expect("the run is not over");
        }
        let commands = session.commands().to_vec();
        let link = ShareLink { scenario: scenario.clone(), seed: session.seed(), commands: commands.clone(), trace_hash: None, at: None };
        let lived = hash_at_end(session);
        prop_assert_eq!(hash_at_end(open(&scenario, &commands)), lived);
        let shared = ShareLink::decode(&link.encode().expect("it fits")).expect("what was encoded decodes");
        let reopened = Session::open(shared.scenario, Some(shared.seed), shared.commands, None).expect("it opens");
        prop_assert_eq!(hash_at_end(reopened), lived);
    }
}

#[test]
fn a_command_in_the_past_starts_another_future_and_keeps_the_old_one() {
    let scenario = short("video-views", 2_000.0);
    let mut session = open(&scenario, &[]);
    session.run_until(ms(2_000));
    let as_it_was = session.trace_hash();
    session.seek(ms(1_000));
    session.act(crash("mysql-1-1")).expect("the past can be changed");
    session.run_until(ms(2_000));
    let changed = session.trace_hash();
    assert_ne!(changed, as_it_was);
    assert_eq!(session.futures().len(), 2);
    session.switch(0).expect("the old future is there");
    session.run_until(ms(2_000));
    assert_eq!(session.trace_hash(), as_it_was);
    session.switch(1).expect("so is the new one");
    session.run_until(ms(2_000));
    assert_eq!(session.trace_hash(), changed);
    assert!(session.switch(9).is_err());
}

#[test]
fn lifting_says_what_was_touched_and_zero_plainly() {
    let scenario = short("video-views", 2_000.0);
    let mut session = open(&scenario, &[]);
    session.run_until(ms(500));
    let nothing = FaultSpec::OneWayCut { from: Selector::node("client-1"), to: Selector::node("client-2") };
    session.act(Command::Begin { fault: nothing, for_ms: None }).expect("it begins");
    session.run_until(ms(600));
    session.act(Command::Lift { fault: 0 }).expect("it lasts");
    let last = session.narration().last().expect("it was told").text.clone();
    assert!(last.contains("it stopped 0 messages"), "{last}");
    assert!(session.act(Command::Lift { fault: 0 }).is_err(), "it was lifted already");
    assert!(session.act(Command::Lift { fault: 7 }).is_err(), "it never was");
}

#[test]
fn the_series_adds_up_to_the_summary() {
    let mut session = open(&short("primary-crash", 12_000.0), &[]);
    let end = session.end();
    session.run_until(end);
    for run in session.clusters() {
        let summary = run.summary(end);
        let (mut invoked, mut ok, mut stale, mut lost) = (0, 0, 0, 0);
        for bucket in run.buckets().iter() {
            invoked += bucket.counts.invoked;
            ok += bucket.counts.ok;
            stale += bucket.counts.stale_reads;
            lost += bucket.counts.lost_writes;
        }
        assert_eq!(
            (invoked, ok, stale, lost),
            (summary.invoked, summary.ok, summary.stale_reads, summary.lost_acknowledged_writes),
            "{}",
            run.name()
        );
        assert_eq!(summary.invoked, summary.ok + summary.failed + summary.unknown, "{}", run.name());
    }
}

/// A page and a clock that goes on by two milliseconds at every look.
struct Page {
    driver: Driver,
    time_ms: f64,
    frames: Vec<Frame>,
    refused: Vec<String>,
    links: Vec<String>,
    /// As it runs, and as it was opened.
    scenarios: Vec<[String; 2]>,
    /// Field and problem of designs that were refused.
    blamed: Vec<[String; 2]>,
}

impl Page {
    fn new() -> Page {
        Page {
            driver: Driver::new(),
            time_ms: 0.0,
            frames: Vec::new(),
            refused: Vec::new(),
            links: Vec::new(),
            scenarios: Vec::new(),
            blamed: Vec::new(),
        }
    }

    fn say(&mut self, message: ToWorker) {
        let time = &mut self.time_ms;
        let answers = self.driver.handle(message, &mut || {
            *time += 2.0;
            *time
        });
        self.take(answers);
    }

    fn slice(&mut self) {
        let time = &mut self.time_ms;
        let answers = self.driver.slice(&mut || {
            *time += 2.0;
            *time
        });
        self.take(answers);
    }

    fn take(&mut self, answers: Vec<FromWorker>) {
        for answer in answers {
            match answer {
                FromWorker::Frame(frame) => self.frames.push(*frame),
                FromWorker::Refused(why) => self.refused.push(why),
                FromWorker::Link(link) => self.links.push(link),
                FromWorker::Scenario { running, as_opened } => self.scenarios.push([running, as_opened]),
                FromWorker::RedesignRefused { field, problem } => self.blamed.push([field, problem]),
                _ => {}
            }
        }
    }

    /// Slices until there is nothing more to do, drawing every frame.
    fn run(&mut self) {
        for _ in 0..1_000_000 {
            if !self.driver.wants_slice() {
                return;
            }
            self.slice();
            self.say(ToWorker::Drawn);
        }
        panic!("the driver never comes to rest");
    }

    fn open(&mut self, scenario: &Scenario, play: bool) {
        let scenario = serde_json::to_string(scenario).expect("a scenario is JSON");
        self.say(ToWorker::Open { scenario, seed: None, commands: Vec::new(), play });
    }
}

#[test]
fn the_driver_gives_the_same_hash_as_a_run_in_one_go_whatever_the_speed() {
    let scenario = short("video-views", 800.0);
    let expected = hash_at_end(open(&scenario, &[]));
    for speed in [0.3, 1.0, 100.0] {
        let mut page = Page::new();
        page.open(&scenario, false);
        page.say(ToWorker::Speed(speed));
        page.say(ToWorker::Play);
        page.run();
        let last = page.frames.last().expect("frames were sent");
        assert!(last.finished && !last.playing);
        assert_eq!(last.trace_hash, expected, "at speed {speed}");
    }
}

#[test]
fn a_frame_is_sent_only_when_the_last_one_was_drawn() {
    let mut page = Page::new();
    page.open(&short("video-views", 2_000.0), true);
    assert_eq!(page.frames.len(), 1, "the first frame comes with the opening");
    for _ in 0..50 {
        page.slice();
    }
    assert_eq!(page.frames.len(), 1, "the page has not drawn it yet");
    page.say(ToWorker::Drawn);
    page.slice();
    assert_eq!(page.frames.len(), 2);
}

#[test]
fn figures_on_the_page_are_those_of_the_report_when_the_run_is_over() {
    let scenario = short("primary-crash", 10_500.0);
    let mut page = Page::new();
    page.open(&scenario, false);
    page.say(ToWorker::RunToEnd);
    page.run();
    let last = page.frames.last().expect("frames were sent");
    let mut session = open(&scenario, &[]);
    let end = session.end();
    session.run_until(end);
    for (frame, run) in last.clusters.iter().zip(session.clusters()) {
        let (figures, summary) = (&frame.figures, run.summary(end));
        assert_eq!(
            (
                figures.ok,
                figures.failed,
                figures.unknown,
                figures.stale_reads,
                figures.lost_acknowledged_writes
            ),
            (
                summary.ok,
                summary.failed,
                summary.unknown,
                summary.stale_reads,
                summary.lost_acknowledged_writes
            )
        );
        assert_eq!(figures.goodput_per_second, summary.goodput_per_second);
        assert_eq!(figures.write_latency_ms_p99, summary.write.p99_ms);
        assert_eq!(figures.usd_per_month, summary.cost.usd_per_month);
    }
}

#[test]
fn what_cannot_be_done_is_refused_in_words_and_changes_nothing() {
    let mut page = Page::new();
    page.say(ToWorker::Play);
    page.say(ToWorker::Open { scenario: "{".to_string(), seed: None, commands: Vec::new(), play: true });
    page.say(ToWorker::OpenLink { link: "1.nonsense".to_string(), play: true });
    assert_eq!(page.refused.len(), 3, "{:?}", page.refused);
    page.open(&short("video-views", 300.0), false);
    let before = page.frames.last().expect("it opened").clone();
    page.say(ToWorker::Drawn);
    page.say(ToWorker::Speed(0.0));
    page.say(ToWorker::Act(crash("no-such-node")));
    page.say(ToWorker::Act(Command::Lift { fault: 3 }));
    page.say(ToWorker::SwitchBranch { id: 5 });
    assert_eq!(page.refused.len(), 7, "{:?}", page.refused);
    assert_eq!(page.driver.session().expect("it is open").trace_hash(), before.trace_hash);
}

#[test]
fn a_shared_run_opens_to_the_same_hash() {
    let mut page = Page::new();
    page.open(&short("video-views", 1_200.0), false);
    page.say(ToWorker::Seek { time_ns: SimDuration::from_ms(300).0 });
    page.run();
    page.say(ToWorker::Act(crash("ring-2")));
    page.say(ToWorker::RunToEnd);
    page.run();
    page.say(ToWorker::Share);
    let link = page.links.pop().expect("a link was given");
    let mut other = Page::new();
    other.say(ToWorker::OpenLink { link, play: false });
    other.say(ToWorker::RunToEnd);
    other.run();
    assert_eq!(
        other.frames.last().map(|frame| frame.trace_hash),
        page.frames.last().map(|frame| frame.trace_hash)
    );
}

/// What the page sends when `replicas` of the first cluster were changed.
fn with_replicas(running: &str, replicas: u32) -> ToWorker {
    let mut scenario: serde_json::Value = serde_json::from_str(running).expect("JSON");
    scenario["clusters"][0]["sharded_sql"]["replicas"] = replicas.into();
    ToWorker::Redesign { scenario: scenario.to_string() }
}

#[test]
fn a_redesigned_run_begins_anew_with_the_same_seed_and_is_what_a_link_carries() {
    let mut page = Page::new();
    let scenario = serde_json::to_string(&short("video-views", 600.0)).expect("JSON");
    page.say(ToWorker::Open { scenario, seed: Some(7), commands: Vec::new(), play: false });
    page.say(ToWorker::Seek { time_ns: 200_000_000 });
    page.run();
    page.say(ToWorker::Act(crash("mysql-1-1")));
    let [opened, as_opened] = page.scenarios.last().expect("the scenario is told").clone();
    assert_eq!(opened, as_opened);
    page.say(with_replicas(&opened, 3));
    let [running, as_opened] = page.scenarios.last().expect("the scenario is told").clone();
    assert_eq!((page.scenarios.len(), &as_opened), (2, &opened), "what it was is still known");
    assert_ne!(running, opened);
    let session = page.driver.session().expect("it is open");
    assert_eq!((session.now(), session.seed(), session.commands().len()), (SimTime::ZERO, 7, 0));
    page.run();
    assert_eq!(page.driver.session().expect("it is open").now(), SimTime::ZERO, "it was paused and still is");

    page.say(ToWorker::RunToEnd);
    page.run();
    let hash = page.driver.session().expect("it is open").trace_hash();
    page.say(ToWorker::Share);
    let shared = ShareLink::decode(page.links.last().expect("a link")).expect("it opens");
    assert_eq!(serde_json::to_string(&shared.scenario).expect("JSON"), running);
    assert_eq!(hash_at_end(Session::open(shared.scenario, Some(7), Vec::new(), None).expect("valid")), hash);

    // A run that is over has nothing to show: the next design plays.
    page.say(with_replicas(&running, 2));
    assert!(page.driver.wants_slice());
    page.run();
    assert!(page.driver.session().expect("it is open").is_over());
}

#[test]
fn a_design_that_cannot_be_run_is_refused_by_field_and_the_old_run_goes_on() {
    let mut page = Page::new();
    page.open(&short("video-views", 600.0), false);
    page.say(ToWorker::Seek { time_ns: 200_000_000 });
    page.run();
    let [running, _] = page.scenarios.last().expect("the scenario is told").clone();
    let before = page.driver.session().expect("it is open").trace_hash();
    page.say(with_replicas(&running, 99));
    page.say(ToWorker::Redesign { scenario: "{".to_string() });
    let [field, problem] = &page.blamed[0];
    assert_eq!(field, "clusters[0].sharded_sql.replicas");
    assert_eq!(problem, "is 99; it must be a whole number from 0 to 5");
    assert_eq!((page.blamed.len(), page.scenarios.len(), page.refused.len()), (2, 1, 0));
    assert_eq!(page.driver.session().expect("it is open").trace_hash(), before);
}

#[test]
fn recorded_traffic_stays_when_the_run_is_redesigned_or_restarted() {
    let mut page = Page::new();
    page.open(&short("video-views", 600.0), false);
    let text = "time_ms, operation, key, bytes\n1, get, a, 10\n2, put, b, 10\n".to_string();
    page.say(ToWorker::Record { file_name: "traffic.csv".to_string(), text, time_scale: 1.0 });
    let [running, _] = page.scenarios.last().expect("the scenario is told").clone();
    for again in [with_replicas(&running, 3), ToWorker::Restart { seed: None }] {
        page.say(again);
        assert!(page.driver.session().expect("it is open").is_recorded());
    }
    page.open(&short("video-views", 600.0), false);
    assert!(!page.driver.session().expect("it is open").is_recorded());
}
