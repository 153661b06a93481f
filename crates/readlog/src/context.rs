//! What all readers of a run share: how labels are read, where warnings go, and how much work may be done.

use crate::clock::LocalClock;
use crate::prefetch::Workers;
use crate::stamp::{Stamp, recognise};
use crate::time_scale::TimeScale;
use crate::warnings::Warnings;
use logyard::cli::Messages;

/// What all readers of a run share.
#[derive(Debug)]
pub(super) struct Context {
    /// How labels count.
    pub(super) scale: TimeScale,
    /// The local time.
    pub(super) clock: LocalClock,
    /// Receives what could not be read.
    pub(super) warnings: Warnings,
    /// Receives what readlog at the other end of ssh announces.
    pub(super) announcements: Messages,
    /// The threads that unpack and search files before their turn.
    pub(super) workers: Workers,
    /// How much of a directory is read line by line to find a window of time.
    pub(super) survey_bytes_max: u64,
}

impl Context {
    /// Recognises the stamp of a line.
    pub(super) fn recognise(&self, line: &[u8]) -> Option<Stamp> {
        recognise(line, self.scale, &self.clock)
    }
}
