//! Sessions: a run is a pure function of scenario, seed and commands; going back
//! and forking change nothing; the driver never does more than it was asked for.

use faultline::engine::{SimDuration, SimTime};
use faultline::scenario::fault::{FaultSpec, ScheduledFault, Selector};
use faultline::scenario::parse::parse;
use faultline::scenario::presets;
use faultline::scenario::schema::{
    BufferingSection, CircuitBreakerSection, ClusterSection, FencingMode, Scenario,
};
use faultline::session::Session;
use faultline::session::command::{Command, LoggedCommand};
use faultline::session::driver::Driver;
use faultline::session::frame::{ArcKind, Frame, NodeFrame};
use faultline::session::frames::cluster_frame;
use faultline::session::inspector::inspect;
use faultline::session::layout::layout;
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
        let mut scenario = preset.scenario().expect("it is valid");
        // Some in which nothing breaks are long, to count rare things: their first seconds are enough.
        if scenario.faults.is_empty() {
            scenario.duration_ms = scenario.duration_ms.min(20_000.0);
        }
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

/// What the page knows of a node now.
fn node(session: &Session, cluster: usize, name: &str) -> NodeFrame {
    let run = &session.clusters()[cluster];
    let node = run.world().find(name).unwrap_or_else(|| panic!("no node {name}"));
    cluster_frame(session, run, 0, None).nodes[node.index()].clone()
}

/// One of the inspector's facts.
fn fact(session: &Session, cluster: usize, name: &str, term: &str) -> Option<String> {
    let node = session.clusters()[cluster].world().find(name)?;
    let facts = inspect(session, cluster as u8, node.0)?.facts;
    facts.into_iter().find(|(found, _)| found == term).map(|(_, text)| text)
}

#[test]
fn two_primaries_are_in_conflict_unless_one_of_them_is_fenced() {
    let mut session = open(&short("split-brain", 20_000.0), &[]);
    session.run_until(ms(7_000));
    for cluster in 0..3 {
        let first = node(&session, cluster, "mysql-1-1");
        assert_eq!((first.state.as_str(), first.primary, first.conflict), ("primary, epoch 1", true, false));
    }
    session.run_until(ms(18_000));
    let primaries = |cluster: usize| -> Vec<NodeFrame> {
        ["mysql-1-1", "mysql-1-2", "mysql-1-3"].map(|name| node(&session, cluster, name)).into()
    };
    for (cluster, crowns) in [(0, 2), (1, 1), (2, 1)] {
        let crowned: Vec<NodeFrame> = primaries(cluster).into_iter().filter(|node| node.primary).collect();
        assert_eq!(crowned.len(), crowns, "{crowned:?}");
        assert!(crowned.iter().all(|node| node.conflict == (crowns > 1)), "{crowned:?}");
    }
    let leased = node(&session, 1, "mysql-1-1");
    assert_eq!((leased.state.as_str(), leased.up, leased.primary), ("primary, no lease", true, false));
    assert_eq!(fact(&session, 1, "mysql-1-1", "Lease").as_deref(), Some("none"));
    assert!(fact(&session, 1, "mysql-2-1", "Lease").is_some_and(|left| left.ends_with(" ms left")));
    assert_eq!(fact(&session, 0, "mysql-1-1", "Lease"), None);
}

#[test]
fn a_node_that_was_switched_off_is_not_one_that_crashed() {
    let mut session = open(&short("split-brain", 30_000.0), &[]);
    let mut seen = Vec::new();
    for second in 8..30 {
        session.run_until(ms(second * 1_000));
        let first = node(&session, 2, "mysql-1-1");
        assert_eq!(first.up, !first.switched_off, "nothing crashes in this run");
        assert_eq!(first.state == "switched off", first.switched_off);
        seen.push(first.switched_off);
    }
    assert!(seen.contains(&true) && !seen[0] && !seen[seen.len() - 1], "{seen:?}");
}

#[test]
fn one_node_of_the_configuration_service_leads_and_its_health_checks_alone_are_shown() {
    let mut session = open(&short("github-2018", 50_000.0), &[]);
    let words = |session: &Session| -> Vec<String> {
        ["config-1", "config-2", "config-3"].map(|name| node(session, 0, name).state).into()
    };
    let leaders = |words: &[String]| words.iter().filter(|words| words.starts_with("leads, map ")).count();
    session.run_until(ms(10_000));
    let before = words(&session);
    assert_eq!(leaders(&before), 1, "{before:?}");
    assert_eq!(before.iter().filter(|words| *words == "follows").count(), 2, "{before:?}");
    session.run_until(ms(40_000));
    // Half a minute into the partition the nodes on the other side of it are the leader's.
    assert_eq!(leaders(&words(&session)), 1, "{:?}", words(&session));
    let cut_off = node(&session, 0, "mysql-1-1").arc;
    assert_eq!(cut_off, Some((1.0, ArcKind::HealthCheck)));
    assert_eq!(node(&session, 0, "mysql-1-2").arc, None, "the leader reaches it, whoever else does not");
    for name in ["config-1", "config-2", "config-3"] {
        let leads = node(&session, 0, name).primary;
        assert_eq!(fact(&session, 0, name, "mysql-1-1").is_some(), leads, "{name}: only a leader asks");
        assert!(
            fact(&session, 0, name, "Role").is_some_and(|role| role.starts_with("leads, term ") == leads)
        );
    }
}

#[test]
fn a_primary_that_waits_for_replicas_no_more_says_so() {
    let mut session = open(&short("semi-sync-degrades", 12_000.0), &[]);
    session.run_until(ms(5_000));
    assert_eq!(node(&session, 0, "mysql-1-1").state, "primary, epoch 1");
    assert_eq!(fact(&session, 0, "mysql-1-1", "Semi-synchronous"), None);
    session.run_until(ms(9_000));
    assert_eq!(node(&session, 0, "mysql-1-1").state, "primary, waits for replicas no more");
    assert!(fact(&session, 0, "mysql-1-1", "Semi-synchronous").is_some());
    assert_eq!(node(&session, 1, "mysql-1-1").state, "primary, epoch 1", "it waits however long it takes");
}

#[test]
fn proxies_say_what_waits_at_them() {
    let mut session = open(&short("cache-stampede", 3_000.0), &[]);
    let mut waited = [false; 2];
    for at in 0..150 {
        session.run_until(ms(at * 20));
        for (cluster, waited) in waited.iter_mut().enumerate() {
            let words = node(&session, cluster, "shard-proxy-1").state;
            let connections = fact(&session, cluster, "shard-proxy-1", "Connections").expect("it has some");
            assert_eq!(words, if connections.ends_with(", 0 wait") { "" } else { connections.as_str() });
            *waited |= !words.is_empty();
        }
    }
    assert_eq!(waited, [true, false], "coalescing spares the connections");

    let mut session = open(&short("retry-storm", 32_000.0), &[]);
    session.run_until(ms(32_000));
    let number = |cluster: usize| -> u64 {
        fact(&session, cluster, "query-proxy-1", "Retries").expect("it retries").parse().expect("a number")
    };
    assert!(number(0) > 2 * number(1), "a budget bounds retries: {} and {}", number(0), number(1));
    assert_eq!(fact(&session, 0, "query-proxy-1", "Retry budget"), None);
    assert!(fact(&session, 1, "query-proxy-1", "Retry budget").is_some());
}

#[test]
fn a_query_proxy_says_what_it_keeps_back_and_whom_it_does_not_ask() {
    let mut scenario = short("failover-replication", 12_000.0);
    scenario.clusters.truncate(2);
    let mut sections = scenario.clusters.iter_mut().map(|section| match section {
        ClusterSection::ShardedSql(sql) => sql,
        ClusterSection::GossipRing(_) => panic!("a ring"),
    });
    let first = sections.next().expect("there is a first");
    first.buffering = Some(BufferingSection::default());
    // So that there is no primary for as long as it lasts.
    first.failover.fencing = FencingMode::LeaseMs(3_000.0);
    sections.next().expect("there is a second").circuit_breaker = Some(CircuitBreakerSection::default());
    let mut session = open(&scenario, &[]);
    session.run_until(ms(7_000));
    for cluster in 0..2 {
        assert_eq!(node(&session, cluster, "query-proxy-1").state, "");
    }
    let (mut kept, mut broken) = (false, false);
    for step in 0..200 {
        session.run_until(ms(8_000 + step * 20));
        let words = node(&session, 0, "query-proxy-1").state;
        assert!(words.is_empty() || words.starts_with("keeps ") && words.ends_with(" back"), "{words}");
        kept |= !words.is_empty();
        let words = node(&session, 1, "query-proxy-1").state;
        assert!(words.is_empty() || words == "breaker open for A–M", "{words}");
        let breaker = fact(&session, 1, "query-proxy-1", "Breaker").expect("it has one");
        assert_eq!(breaker, if words.is_empty() { "closed" } else { "open for A–M" });
        broken |= !words.is_empty();
    }
    assert!(kept && broken, "kept {kept}, broken {broken}");
}

/// One shard that takes all keys and one that stands by; split at 1 s, merged again at 6 s.
fn split_and_merged() -> Scenario {
    let mut scenario = short("hot-shard-split", 12_000.0);
    scenario.workload.rate_per_s = 300.0;
    let split = FaultSpec::Split { shard: 1, at: "N".to_string() };
    let merge = FaultSpec::Merge { shard: 2, into: 1 };
    scenario.faults = [(1_000.0, split), (6_000.0, merge)]
        .map(|(at_ms, fault)| ScheduledFault { at_ms, fault, for_ms: Some(4_500.0) })
        .into();
    scenario
}

#[test]
fn shards_are_called_by_the_map_in_force() {
    let mut session = open(&split_and_merged(), &[]);
    let labels = |session: &Session| -> Vec<String> {
        let nodes = &layout(session).clusters[0].nodes;
        let of_shards = nodes.iter().filter(|node| node.shard.is_some());
        of_shards.map(|node| node.label.clone()).collect()
    };
    let spare = |session: &Session| {
        let keys = fact(session, 0, "mysql-2-1", "Keys").expect("it knows");
        assert_eq!(fact(session, 0, "shard-proxy-2", "Keys").as_deref(), Some(keys.as_str()));
        [node(session, 0, "mysql-2-1").state, keys]
    };
    let whole = ["P A–Z", "A–Z", "A–Z", "P spare", "spare", "spare"];
    session.run_until(ms(900));
    assert_eq!(labels(&session), whole);
    assert_eq!(spare(&session), ["stands by", "none: it stands by"]);
    session.run_until(ms(5_900));
    assert_eq!(labels(&session), ["P A–M", "A–M", "A–M", "P N–Z", "N–Z", "N–Z"]);
    assert_eq!(spare(&session), ["primary, epoch 2", "N–Z"]);
    session.run_until(ms(12_000));
    assert_eq!(labels(&session), whole);
    assert_eq!(spare(&session), ["stands by", "none: it stands by"]);
}

#[test]
fn the_narrator_calls_shards_by_the_ranges_of_that_moment_however_late_it_tells() {
    let told = |steps: u64| -> Vec<String> {
        let mut session = open(&split_and_merged(), &[]);
        for step in 1..=steps {
            session.run_until(ms(12_000 * step / steps));
        }
        session.narration().map(|line| line.text.clone()).collect()
    };
    let lines = told(1);
    assert_eq!(lines, told(1_200), "told at the end and told at once");
    let of_moves: Vec<&str> = lines
        .iter()
        .filter(|line| line.contains("copied") || line.contains("belongs"))
        .filter_map(|line| line.split(" took no writes").next())
        .collect();
    assert_eq!(
        of_moves,
        [
            "Keys of shard **A–Z** are copied to shard 2.",
            "The range **N–Z** belongs to shard 2 now; shard **A–Z**",
            "Keys of shard **N–Z** are copied to shard **A–M**.",
            "The range **N–Z** belongs to shard **A–M** now; shard **N–Z**",
        ]
    );
}

#[test]
fn a_frame_brings_labels_only_when_the_shard_map_changes() {
    let mut page = Page::new();
    page.open(&split_and_merged(), true);
    page.run();
    let labelled = |page: &Page| -> Vec<(u64, String)> {
        let frames = page.frames.iter().filter(|frame| !frame.clusters[0].labels.is_empty());
        frames.map(|frame| (frame.time_ns, frame.clusters[0].labels.join(" "))).collect()
    };
    let all = labelled(&page);
    assert!(
        (3..20).contains(&all.len()) && page.frames.len() > 200,
        "{} of {}",
        all.len(),
        page.frames.len()
    );
    assert!(all[0].1.contains(" P A–Z ") && all[1].1.contains(" P N–Z "), "{all:?}");
    page.say(ToWorker::Seek { time_ns: all[1].0 });
    page.run();
    assert!(labelled(&page).last().expect("there is one").1.contains(" P N–Z "), "as it was then");
}

#[test]
fn a_ring_of_a_thousand_keeps_few_checkpoints_and_still_goes_back_to_the_same() {
    let scenario = parse(
        r#"{"version": 1, "name": "many", "title": "Many", "duration_ms": 4000,
            "workload": {"rate_per_s": 1, "keys": 10},
            "clusters": [{"gossip_ring": {"nodes": 1000, "virtual_nodes": 1, "gossip": {"interval_ms": 1000}}}]}"#,
    )
    .expect("it is valid");
    let mut session = Session::open(scenario, None, Vec::new(), None).expect("it is valid");
    session.run_until(session.end());
    let (hash, size) = (session.trace_hash(), session.state().unshared_bytes());
    assert!(size > 20 << 20, "{size} bytes");
    assert!(session.checkpoint_count() * size < 700 << 20, "{} of {size} bytes", session.checkpoint_count());
    session.seek(SimTime(1_500_000_000));
    session.run_until(session.end());
    assert_eq!(session.trace_hash(), hash);
}
