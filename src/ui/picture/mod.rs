//! The picture of one cluster: where things stand ([`scene`]), and the slow layer that shows them ([`view`]).

mod curve;
mod cut;
mod cut_mark;
mod node_mark;
mod partition_strip;
mod path_scene;
mod ring_scene;
mod ring_track;
mod scene;
mod sql_scene;
mod stroke;
mod view;

pub use curve::{Curve, Point};
pub use cut::Cut;
pub use partition_strip::PartitionView;
pub use scene::Scene;
pub use view::{CutView, Picture};
