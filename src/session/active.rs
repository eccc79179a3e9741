//! Faults while they last, and what is said of them when they are lifted.

use super::frame::{FaultTouch, Line, Severity};
use super::narrator::plural;
use super::script::NumberedFault;
use crate::cluster::run::ClusterRun;
use crate::engine::{FaultId, SimTime, Touched};
use crate::scenario::fault::Undertaking;
use crate::scenario::names::Seat;

/// A fault that has begun.
#[derive(Clone, Debug)]
pub struct BegunFault {
    pub number: u32,
    /// Its name in each cluster.
    ids: Vec<FaultId>,
    errors_before: Vec<u64>,
    /// What an operator asked for, if that is what it is, and by cluster when it was over and what it had touched.
    operation: Option<(Undertaking, u16)>,
    over: Vec<Option<(SimTime, FaultTouch)>>,
    /// When it was lifted, or over.
    pub ended: Option<SimTime>,
    is_lifted: bool,
    /// What it touched, once it has ended.
    touched: Vec<FaultTouch>,
}

fn errors(cluster: &ClusterRun) -> u64 {
    cluster.recorder().counts.errors()
}

impl BegunFault {
    /// Lets a fault act on every cluster.
    pub fn begin(fault: &NumberedFault, clusters: &mut [ClusterRun]) -> BegunFault {
        BegunFault {
            number: fault.number,
            errors_before: clusters.iter().map(errors).collect(),
            ids: clusters.iter_mut().map(|cluster| cluster.begin_fault(&fault.fault)).collect(),
            operation: fault.fault.operation(),
            over: clusters.iter().map(|cluster| never_begins(cluster, fault.fault.operation())).collect(),
            ended: None,
            is_lifted: false,
            touched: Vec::new(),
        }
    }

    /// Lifts it; nothing if it was lifted before.
    pub fn lift(&mut self, now: SimTime, clusters: &mut [ClusterRun]) -> bool {
        if self.ended.is_some() {
            // The clusters take back what is over already: nothing happens.
            if !std::mem::replace(&mut self.is_lifted, true) {
                for (cluster, id) in clusters.iter_mut().zip(&self.ids) {
                    cluster.lift_fault(*id);
                }
            }
            return false;
        }
        self.ended = Some(now);
        self.is_lifted = true;
        self.touched = (0..clusters.len())
            .map(|at| FaultTouch {
                messages: clusters[at].lift_fault(self.ids[at]).unwrap_or_default(),
                operations: errors(&clusters[at]) - self.errors_before[at],
            })
            .collect();
        true
    }

    /// Whether the clusters still count it.
    pub fn lasts(&self) -> bool {
        !self.is_lifted
    }

    /// What an operator asked for is over in a cluster; with the last one it has ended.
    pub fn operation_is_over(&mut self, cluster: usize, over: (Undertaking, u16), at: SimTime, errors: u64) {
        if self.operation != Some(over) || self.ended.is_some() || self.over[cluster].is_some() {
            return;
        }
        let operations = errors - self.errors_before[cluster];
        self.over[cluster] = Some((at, FaultTouch { messages: Touched::default(), operations }));
        let over: Option<Vec<(SimTime, FaultTouch)>> = self.over.iter().copied().collect();
        if let Some(over) = over {
            self.ended = over.iter().map(|(at, _)| *at).max();
            self.touched = over.into_iter().map(|(_, touch)| touch).collect();
        }
    }

    /// What it has touched, per cluster, so far or in all.
    pub fn touched(&self, clusters: &[ClusterRun]) -> Vec<FaultTouch> {
        if self.ended.is_some() {
            return self.touched.clone();
        }
        clusters
            .iter()
            .enumerate()
            .map(|(at, cluster)| FaultTouch {
                messages: cluster.touched(self.ids[at]).unwrap_or_default(),
                operations: errors(cluster) - self.errors_before[at],
            })
            .collect()
    }

    /// What it touched, as a sentence.
    pub fn told(&self, fault: &NumberedFault, now: SimTime, clusters: &[ClusterRun]) -> Line {
        let touched = self.touched(clusters);
        let per_cluster: Vec<String> = clusters
            .iter()
            .zip(&touched)
            .map(|(cluster, touch)| format!("{}: {}", cluster.name(), describe(touch)))
            .collect();
        let text = format!("Lifted: **{}**. {}.", fault.fault.describe(), per_cluster.join(". "));
        Line { at_ns: now.0, cluster: None, severity: Severity::Plain, text }
    }
}

/// A ring has no shards, and not every cluster has a ring with this node: what is asked for is over there at once.
fn never_begins(
    cluster: &ClusterRun,
    operation: Option<(Undertaking, u16)>,
) -> Option<(SimTime, FaultTouch)> {
    let (what, number) = operation?;
    let blueprint = cluster.blueprint();
    let has = if what.is_of_ring() {
        blueprint.directory.seats.contains(&Seat::RingNode(u32::from(number)))
    } else {
        blueprint.map.is_some()
    };
    (!has).then_some((SimTime::ZERO, FaultTouch::default()))
}

/// What a fault touched, in words; zero is said plainly.
pub fn describe(touch: &FaultTouch) -> String {
    let messages = touch.messages;
    let mut parts = Vec::new();
    if messages.stopped > 0 {
        parts.push(format!(
            "{} {} stopped",
            messages.stopped,
            plural(messages.stopped, "message", "messages")
        ));
    }
    if messages.delayed > 0 {
        parts.push(format!(
            "{} {} held up",
            messages.delayed,
            plural(messages.delayed, "message", "messages")
        ));
    }
    if messages.duplicated > 0 {
        parts.push(format!(
            "{} {} doubled",
            messages.duplicated,
            plural(messages.duplicated, "message", "messages")
        ));
    }
    if parts.is_empty() {
        parts.push("it stopped 0 messages".to_string());
    }
    parts.push(format!(
        "{} {} failed or unknown meanwhile",
        touch.operations,
        plural(touch.operations, "operation", "operations")
    ));
    parts.join(", ")
}
