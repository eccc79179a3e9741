//! From a run to the search for a cheaper design of it.

use super::{App, Message};
use crate::ui::route;
use crate::ui::sizing::Sizing;

impl App {
    /// Takes the run's scenario along, with what was changed of it.
    pub(super) fn right_size(&mut self, cluster: u8) -> bool {
        let Some(run) = &self.run else { return false };
        let send = self.send.reform(Message::Sizing);
        match Sizing::new(&self.design.running, run.layout.seed, cluster, send) {
            // The old one's workers end with it.
            Some(sizing) => self.sizing = Some(sizing),
            None => return false,
        }
        route::go_to_sizing();
        true
    }
}
