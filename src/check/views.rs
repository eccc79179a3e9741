//! Views at their source, against what is counted of them.
//!
//! By video and window: how many views were taken (their viewers were told so), and how many may have been
//! (nobody knows of those that timed out). What is counted must lie between the two. Whatever it lacks is
//! missing: still on its way, or lost. Whatever it has too much was counted twice. Views that were put aside as
//! dead letters are not missing; malformed ones are none.
//!
//! ```text
//! taken  ≤  counted + dead letters      counted  ≤  taken + unknown + under way
//! ```

use crate::engine::{PagedVec, SimDuration, SimTime};
use crate::workload::client::Completed;
use crate::workload::operation::{KeyId, Outcome};

/// Views of one video in one window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Cell {
    /// Asked for, and not refused.
    possible: u32,
    taken: u32,
    /// Sound views that came too late to be counted.
    dead: u32,
}

/// What was taken, by video and window.
#[derive(Clone)]
pub struct ViewLedger {
    window: SimDuration,
    windows: u32,
    cells: PagedVec<Cell>,
    taken: u64,
}

/// What is counted, against what was taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Compared {
    /// Views whose viewers were told that they are taken.
    pub taken: u64,
    pub counted: u64,
    /// Taken and not counted: still on their way, or lost.
    pub missing: u64,
    /// Counted and never asked for: counted twice.
    pub excess: u64,
    /// Dead letters among what was taken.
    pub dead: u64,
}

impl ViewLedger {
    pub fn new(videos: u32, windows: u32, window: SimDuration) -> ViewLedger {
        let cells = PagedVec::filled(Cell::default(), (videos * windows) as usize);
        ViewLedger { window, windows, cells, taken: 0 }
    }

    fn cell(&mut self, video: KeyId, at: SimTime) -> &mut Cell {
        let window = ((at.0 / self.window.0) as u32).min(self.windows - 1);
        self.cells.get_mut((video * self.windows + window) as usize).expect("a video and a window of the run")
    }

    /// A viewer reports a view.
    pub fn asked(&mut self, video: KeyId, at: SimTime) {
        self.cell(video, at).possible += 1;
    }

    /// And is told what became of it.
    pub fn ended(&mut self, done: &Completed) {
        let is_taken = done.outcome.is_ok() && !done.is_malformed;
        let cannot_count = done.is_malformed || matches!(done.outcome, Outcome::Failed(_));
        let cell = self.cell(done.key, done.invoked);
        cell.taken += u32::from(is_taken);
        cell.possible -= u32::from(cannot_count);
        self.taken += u64::from(is_taken);
    }

    /// A sound view was put aside.
    pub fn put_aside(&mut self, video: KeyId, at: SimTime) {
        self.cell(video, at).dead += 1;
    }

    pub fn taken(&self) -> u64 {
        self.taken
    }

    /// Compares with what is counted of each video in each window, of those that began until `now`.
    pub fn compare(&self, now: SimTime, counted: impl Fn(KeyId, u32) -> u64) -> Compared {
        let mut compared = Compared { taken: self.taken, ..Compared::default() };
        let until = ((now.0 / self.window.0) as u32).min(self.windows - 1);
        for (at, cell) in self.cells.iter().enumerate() {
            let (video, window) = (at as u32 / self.windows, at as u32 % self.windows);
            if window > until {
                continue;
            }
            let count = counted(video, window);
            compared.counted += count;
            compared.missing += u64::from(cell.taken).saturating_sub(count + u64::from(cell.dead));
            compared.excess += count.saturating_sub(u64::from(cell.possible));
            compared.dead += u64::from(cell.dead);
        }
        compared
    }
}
