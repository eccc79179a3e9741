//! What a broker has on disk.

/// A record of a broker.
#[derive(Clone)]
pub enum LogRecord {}

/// What a broker finds on its disk when it starts.
#[derive(Clone, Default)]
pub struct LogDisk {}

impl LogDisk {
    pub fn apply(&mut self, record: LogRecord) {
        match record {}
    }
}
