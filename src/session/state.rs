//! The state of a run at one moment: what a checkpoint keeps.

use super::active::BegunFault;
use super::frame::{Line, NARRATION_MAX, Severity};
use super::narrator::Narrator;
use super::script::{Act, Script};
use crate::cluster::run::ClusterRun;
use crate::cluster::watcher::Notable;
use crate::engine::SimTime;
use crate::engine::fault::ACTIVE_FAULTS_MAX;
use crate::scenario::fault::{FaultSpec, Selector};
use std::collections::VecDeque;
use std::rc::Rc;

/// All clusters at one moment, with what has been done to them and told of them.
#[derive(Clone)]
pub struct State {
    pub now: SimTime,
    pub clusters: Vec<ClusterRun>,
    /// Acts of the script that have been done.
    pub acts_done: usize,
    pub begun: Vec<BegunFault>,
    narrators: Vec<Narrator>,
    lines: VecDeque<Rc<Line>>,
    /// Lines told so far, including those that are not kept any more.
    pub lines_told: u64,
}

impl State {
    pub fn new(clusters: Vec<ClusterRun>) -> State {
        State {
            now: SimTime::ZERO,
            narrators: clusters.iter().map(Narrator::new).collect(),
            clusters,
            acts_done: 0,
            begun: Vec::new(),
            lines: VecDeque::new(),
            lines_told: 0,
        }
    }

    /// Goes on to `until`, doing what the script says on the way.
    pub fn run_until(&mut self, until: SimTime, script: &Script) {
        loop {
            let act = script.act_after(self.acts_done).filter(|(at, _)| *at <= until);
            let upto = act.map_or(until, |(at, _)| at);
            for cluster in &mut self.clusters {
                cluster.run_until(upto);
            }
            self.now = self.now.max(upto);
            self.tell_notable();
            match act {
                Some((_, act)) => self.do_act(act, script),
                None => return,
            }
        }
    }

    /// Processes the one event that is next over all clusters, if there is one by
    /// `limit`; acts of the script that are due before are done first.
    pub fn step(&mut self, limit: SimTime, script: &Script) -> bool {
        let next = |clusters: &[ClusterRun]| {
            let times = clusters.iter().enumerate();
            times.filter_map(|(at, cluster)| Some((cluster.next_event_time()?, at))).min()
        };
        let mut due = next(&self.clusters);
        if let Some((at, _)) = script.act_after(self.acts_done).filter(|(at, _)| *at <= limit)
            && due.is_none_or(|(time, _)| time > at)
        {
            self.run_until(at, script);
            due = next(&self.clusters);
        }
        let Some((time, cluster)) = due.filter(|(time, _)| *time <= limit) else {
            return false;
        };
        self.clusters[cluster].step(limit);
        self.now = self.now.max(time);
        self.tell_notable();
        true
    }

    fn do_act(&mut self, act: Act, script: &Script) {
        self.acts_done += 1;
        // What was over before is over, in however many steps the run came here.
        self.tell_notable();
        match act {
            Act::Begin { number } => {
                let fault = script.fault(number).expect("the script numbers its own faults");
                // Live commands are refused before; a shared run's are not.
                if self.lasting() >= ACTIVE_FAULTS_MAX {
                    let text = format!("Too many faults at once: not begun: {}.", fault.fault.describe());
                    self.push(Line { at_ns: self.now.0, cluster: None, severity: Severity::Warning, text });
                    return;
                }
                if let FaultSpec::Crash { nodes, .. } | FaultSpec::Restart { nodes } = &fault.fault {
                    self.forget_beliefs(nodes);
                }
                self.begun.push(BegunFault::begin(fault, &mut self.clusters));
                if !matches!(fault.fault, FaultSpec::Restart { .. }) {
                    let text = format!("**{}**.", fault.fault.describe());
                    self.push(Line { at_ns: self.now.0, cluster: None, severity: Severity::Warning, text });
                }
            }
            Act::Lift { number } => {
                let Some(fault) = script.fault(number) else {
                    return;
                };
                let Some(begun) = self.begun.iter_mut().find(|begun| begun.number == number) else {
                    return;
                };
                if begun.lift(self.now, &mut self.clusters) {
                    let line = begun.told(fault, self.now, &self.clusters);
                    self.push(line);
                }
            }
        }
        self.tell_notable();
    }

    /// Bytes that two states do not share.
    pub fn unshared_bytes(&self) -> usize {
        self.clusters.iter().map(ClusterRun::unshared_bytes).sum()
    }

    /// What a crashing node believed of others is gone with its memory.
    fn forget_beliefs(&mut self, nodes: &Selector) {
        for (cluster, narrator) in self.clusters.iter().zip(&mut self.narrators) {
            for node in cluster.blueprint().directory.machines(nodes).iter() {
                if let Some(ring) = cluster.world().process(node).as_ring() {
                    let dead = ring.gossip().believed_dead();
                    narrator.forget_beliefs_of(dead.map(|peer| ring.settings().nodes[peer as usize]));
                }
            }
        }
    }

    fn tell_notable(&mut self) {
        let mut lines = Vec::new();
        for (at, cluster) in self.clusters.iter_mut().enumerate() {
            for (time, notable) in cluster.take_notable() {
                if let Notable::OperationOver { what, shard, errors } = notable {
                    for begun in &mut self.begun {
                        begun.operation_is_over(at, (what, shard), time, errors);
                    }
                }
                if let Some(line) = self.narrators[at].tell(at as u8, cluster, time, &notable) {
                    let place = lines.partition_point(|other: &Line| other.at_ns <= line.at_ns);
                    lines.insert(place, line);
                }
            }
            self.narrators[at].has_told_all(cluster);
        }
        lines.into_iter().for_each(|line| self.push(line));
    }

    fn push(&mut self, line: Line) {
        if self.lines.len() == NARRATION_MAX {
            self.lines.pop_front();
        }
        self.lines.push_back(Rc::new(line));
        self.lines_told += 1;
    }

    /// The lines that are kept, oldest first.
    pub fn lines(&self) -> impl ExactSizeIterator<Item = &Line> {
        self.lines.iter().map(|line| line.as_ref())
    }

    /// Whether a fault lasts now.
    pub fn lasts(&self, number: u32) -> bool {
        self.begun.iter().any(|begun| begun.number == number && begun.ended.is_none())
    }

    /// Faults that last now.
    pub fn lasting(&self) -> usize {
        self.begun.iter().filter(|begun| begun.lasts()).count()
    }
}
