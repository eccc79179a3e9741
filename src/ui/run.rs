//! The run as the page knows it: what the frames brought, kept and cut into what components read.

use super::picture::{CutView, PartitionView};
use super::shared::Shared;
use crate::session::frame::{
    Bill, BranchFrame, ClusterFrame, ClusterLayout, FaultFrame, Figures, Frame, Inspector, Layout, Line,
    NARRATION_MAX, NodeFrame, SeriesPoint,
};
use std::collections::VecDeque;
use std::rc::Rc;

/// While it plays, numbers and lists change no more often than this: faster ones can't be read.
const READING_MS: f64 = 220.0;

/// The run's clock and controls.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Moment {
    pub time_ns: u64,
    pub frontier_ns: u64,
    pub is_playing: bool,
    pub is_finished: bool,
    pub speed: f64,
    pub reached_speed: f64,
}

/// One cluster as it is now.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct ClusterNow {
    pub figures: Rc<Figures>,
    pub nodes: Rc<Vec<NodeFrame>>,
    pub cuts: Rc<Vec<CutView>>,
    pub partitions: Rc<Vec<PartitionView>>,
}

pub struct Run {
    pub layout: Shared<Layout>,
    /// Which of the clusters' colours each has.
    pub hues: Rc<Vec<u8>>,
    pub moment: Moment,
    pub trace_hash: u64,
    pub events: u64,
    pub clusters: Vec<ClusterNow>,
    pub faults: Rc<Vec<FaultFrame>>,
    pub branches: Rc<Vec<BranchFrame>>,
    pub inspector: Option<Rc<Inspector>>,
    pub bill: Option<Rc<Bill>>,
    pub story: Rc<VecDeque<Line>>,
    /// Of each cluster, bucket by bucket.
    pub series: Vec<Vec<SeriesPoint>>,
    read_ms: f64,
    /// Whether a frame has come.
    pub is_drawn: bool,
}

impl Run {
    pub fn new(layout: Layout) -> Run {
        let clusters = layout.clusters.len();
        Run {
            hues: Rc::new(hues(&layout)),
            layout: Shared::new(layout),
            moment: Moment::default(),
            trace_hash: 0,
            events: 0,
            clusters: vec![ClusterNow::default(); clusters],
            faults: Rc::default(),
            branches: Rc::default(),
            inspector: None,
            bill: None,
            story: Rc::default(),
            series: vec![Vec::new(); clusters],
            read_ms: f64::MIN,
            is_drawn: false,
        }
    }

    /// Takes what a frame brings.
    pub fn hear(&mut self, frame: Frame, now_ms: f64) {
        self.moment = Moment {
            time_ns: frame.time_ns,
            frontier_ns: frame.frontier_ns,
            is_playing: frame.playing,
            is_finished: frame.finished,
            speed: frame.speed,
            reached_speed: frame.reached_speed,
        };
        let reads = !frame.playing || frame.reset || now_ms - self.read_ms >= READING_MS;
        let faults_change = frame.faults.len() != self.faults.len()
            || frame.faults.iter().zip(self.faults.iter()).any(|(new, old)| new.active != old.active);
        if reads || faults_change {
            set(&mut self.faults, frame.faults);
        }
        if reads {
            self.read_ms = now_ms;
            self.trace_hash = frame.trace_hash;
            self.events = frame.events;
            set(&mut self.branches, frame.branches);
            self.inspector = frame.inspector.map(|inspector| match &self.inspector {
                Some(old) if **old == inspector => old.clone(),
                _ => Rc::new(inspector),
            });
        }
        if reads || self.bill.is_none() {
            self.bill = frame.bill.map(|bill| Rc::new(*bill));
        }
        self.tell(frame.narration, frame.reset);
        self.label(&frame.clusters);
        let faults = self.faults.clone();
        for (index, new) in frame.clusters.into_iter().enumerate() {
            let (Some(cluster), Some(series)) = (self.clusters.get_mut(index), self.series.get_mut(index))
            else {
                continue;
            };
            if reads || !self.is_drawn {
                set(&mut cluster.figures, new.figures);
            }
            set(&mut cluster.nodes, new.nodes);
            set(&mut cluster.partitions, new.partitions.iter().map(PartitionView::new).collect());
            if reads || faults_change {
                set(&mut cluster.cuts, cuts(&faults, index));
            }
            if frame.reset {
                series.clear();
            }
            let from = frame.series_from as usize;
            series.truncate(from);
            // What was not sent was empty.
            series.resize(from, NOTHING);
            series.extend(new.series);
        }
        self.is_drawn = true;
    }

    /// Nodes are called otherwise when the shard map has changed, and own other arcs when the ring has.
    fn label(&mut self, clusters: &[ClusterFrame]) {
        let differs = |(layout, frame): (&ClusterLayout, &ClusterFrame)| {
            layout.nodes.iter().zip(&frame.labels).any(|(node, label)| node.label != *label)
                || layout.nodes.iter().zip(&frame.arcs).any(|(node, arcs)| node.arcs != *arcs)
        };
        if !self.layout.clusters.iter().zip(clusters).any(differs) {
            return;
        }
        let mut layout = (*self.layout).clone();
        for (cluster, frame) in layout.clusters.iter_mut().zip(clusters) {
            for (node, label) in cluster.nodes.iter_mut().zip(&frame.labels) {
                node.label.clone_from(label);
            }
            for (node, arcs) in cluster.nodes.iter_mut().zip(&frame.arcs) {
                node.arcs.clone_from(arcs);
            }
        }
        self.layout = Shared::new(layout);
    }

    fn tell(&mut self, lines: Vec<Line>, reset: bool) {
        if !reset && lines.is_empty() {
            return;
        }
        let story = Rc::make_mut(&mut self.story);
        if reset {
            story.clear();
        }
        story.extend(lines);
        while story.len() > NARRATION_MAX {
            story.pop_front();
        }
    }
}

const NOTHING: SeriesPoint = SeriesPoint {
    throughput: 0.0,
    goodput: 0.0,
    errors: 0.0,
    read_ms_p50: f32::NAN,
    read_ms_p99: f32::NAN,
    write_ms_p50: f32::NAN,
    write_ms_p99: f32::NAN,
    stale_reads: 0.0,
    lost_writes: 0.0,
    lag_ms: f32::NAN,
    log_lag: f32::NAN,
    views_missing: f32::NAN,
    usd_per_hour: 0.0,
};

/// Keeps the old value where it is equal, so that who reads it sees that nothing changed.
fn set<T: PartialEq>(kept: &mut Rc<T>, new: T) {
    if **kept != new {
        *kept = Rc::new(new);
    }
}

fn cuts(faults: &[FaultFrame], cluster: usize) -> Vec<CutView> {
    let cuts = faults.iter().filter(|fault| fault.active).filter_map(|fault| {
        let groups = fault.groups.get(cluster).filter(|groups| !groups.is_empty())?;
        Some(CutView { groups: groups.clone(), one_way: fault.one_way, label: "cut".to_string() })
    });
    cuts.collect()
}

/// A kind's own colour for its first cluster, one of the others for the next.
fn hues(layout: &Layout) -> Vec<u8> {
    let mut free = vec![0, 1, 2, 3];
    let mut hues = Vec::new();
    for cluster in &layout.clusters {
        let own = if cluster.kind == "gossip_ring" { 1 } else { 0 };
        let hue = if free.contains(&own) { own } else { free.last().copied().unwrap_or(own) };
        free.retain(|other| *other != hue);
        hues.push(hue);
    }
    hues
}

/// A few letters that name a cluster beside its line in a chart.
pub fn short_names(layout: &Layout) -> Vec<String> {
    let of_kind = |kind: &str| if kind == "gossip_ring" { "ring" } else { "SQL" };
    let is_unique = |kind: &str| layout.clusters.iter().filter(|cluster| cluster.kind == kind).count() == 1;
    let name = |(index, cluster): (usize, &ClusterLayout)| {
        if is_unique(&cluster.kind) {
            of_kind(&cluster.kind).to_string()
        } else {
            format!("{} {}", of_kind(&cluster.kind), index + 1)
        }
    };
    layout.clusters.iter().enumerate().map(name).collect()
}
