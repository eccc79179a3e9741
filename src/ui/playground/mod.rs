//! The parts of the playground, from top to bottom of the page.

mod bill;
mod charts;
mod cluster_panel;
mod figures;
mod futures;
mod header;
mod inspector;
mod narrator;
mod node_menu;
mod shortcuts;
mod timeline;
mod traffic;
mod transport;

pub use bill::BillPanel;
pub use charts::{ChartData, Charts};
pub use cluster_panel::ClusterPanel;
pub use futures::Futures;
pub use header::Header;
pub use inspector::InspectorPanel;
pub use narrator::{Announcer, Narrator};
pub use node_menu::NodeMenu;
pub use shortcuts::Shortcuts;
pub use timeline::Timeline;
pub use traffic::{RecordedReport, TrafficForm};
pub use transport::Transport;
