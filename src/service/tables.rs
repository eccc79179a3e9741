//! The tables of the counting service, and where each row stands among all keys of its database.
//!
//! Rows of one video stand together: a range of windows is one read, of one shard or of one partition of a ring.
//!
//! ```text
//! counts    video ▸ window ▸ sub-count     a tally each
//! raw       video ▸ window ▸ slot          views that were inserted together
//! videos    video                          title, channel (by name, or its number)
//! channels  channel                        its name
//! top       partition ▸ window ▸ rank      the most watched videos of one partition of the log
//! ```

use crate::engine::{SimDuration, SimTime};
use crate::workload::keys::KeySpace;
use crate::workload::operation::KeyId;

/// How many rows each table has. A table of none is not there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TableSizes {
    pub videos: u32,
    pub windows: u32,
    pub window: SimDuration,
    pub sub_counts: u32,
    /// Slots for views of one window, if each view is stored.
    pub raw_slots: u32,
    pub videos_per_channel: u32,
    pub partitions: u32,
    /// Ranks of the table of the most watched videos.
    pub ranks: u32,
    /// Whether titles and names stand in the same database.
    pub has_metadata: bool,
    pub has_counts: bool,
}

/// Where the rows of each table stand.
#[derive(Clone)]
pub struct Tables {
    pub sizes: TableSizes,
    raw: KeyId,
    videos: KeyId,
    channels: KeyId,
    top: KeyId,
    keys: KeySpace,
}

impl TableSizes {
    pub fn channels(&self) -> u32 {
        self.videos.div_ceil(self.videos_per_channel)
    }

    /// The window of a moment; the last one takes what comes after it.
    pub fn window_of(&self, at: SimTime) -> u32 {
        ((at.0 / self.window.0) as u32).min(self.windows - 1)
    }

    pub fn window_ends(&self, window: u32) -> SimTime {
        SimTime(self.window.0 * (u64::from(window) + 1))
    }

    pub fn channel_of(&self, video: KeyId) -> u32 {
        video % self.channels()
    }

    fn counts_per_video(&self) -> u32 {
        if self.has_counts { self.windows * self.sub_counts } else { 0 }
    }
}

impl Tables {
    pub fn new(sizes: TableSizes) -> Tables {
        let videos = sizes.videos;
        let raw = videos * sizes.counts_per_video();
        let first_video = raw + videos * sizes.windows * sizes.raw_slots;
        let (metadata, channels) = if sizes.has_metadata { (videos, sizes.channels()) } else { (0, 0) };
        let names = KeySpace::generated(videos);
        let of_videos = |table: &'static str, rows: u32| {
            let names = names.clone();
            let shown = if rows > 0 { videos } else { 0 };
            (0..shown).map(move |video| (format!("{}/{table}", names.name(video)), rows))
        };
        let groups = of_videos("counts", sizes.counts_per_video())
            .chain(of_videos("raw", sizes.windows * sizes.raw_slots))
            .chain(of_videos("video", u32::from(metadata > 0)))
            .chain((0..channels).map(|channel| (format!("{}/channel", names.name(channel)), 1)))
            .chain((0..sizes.partitions * u32::from(sizes.ranks > 0)).map(|partition| {
                (format!("{}/top", names.name(partition % videos)), sizes.windows * sizes.ranks)
            }));
        let keys = KeySpace::grouped(groups);
        Tables {
            sizes,
            raw,
            videos: first_video,
            channels: first_video + metadata,
            top: first_video + metadata + channels,
            keys,
        }
    }

    /// All of them, for the database.
    pub fn keys(&self) -> &KeySpace {
        &self.keys
    }

    pub fn count(&self, video: KeyId, window: u32, sub_count: u32) -> KeyId {
        (video * self.sizes.windows + window) * self.sizes.sub_counts + sub_count
    }

    /// The window and the sub-count of a row of counts.
    pub fn of_count(&self, key: KeyId) -> (KeyId, u32, u32) {
        let (row, sub_count) = (key / self.sizes.sub_counts, key % self.sizes.sub_counts);
        (row / self.sizes.windows, row % self.sizes.windows, sub_count)
    }

    pub fn raw(&self, video: KeyId, window: u32, slot: u32) -> KeyId {
        self.raw + (video * self.sizes.windows + window) * self.sizes.raw_slots + slot
    }

    /// Whether a row has views.
    pub fn is_raw(&self, key: KeyId) -> bool {
        (self.raw..self.videos).contains(&key)
    }

    pub fn video(&self, video: KeyId) -> KeyId {
        self.videos + video
    }

    pub fn channel(&self, channel: u32) -> KeyId {
        self.channels + channel
    }

    pub fn top(&self, partition: u32, window: u32, rank: u32) -> KeyId {
        self.top + (partition * self.sizes.windows + window) * self.sizes.ranks + rank
    }
}
