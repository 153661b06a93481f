//! The preallocated file: the `current` after the next rotation, made ahead, with its room on the disk.
//!
//! Where a log grows fast, finding pages or blocks for it is much of what a write costs. The finisher does that
//! ahead while `current` fills, and the writes that follow only copy. The preallocated file has no name until it becomes `current`: a
//! killed logger leaves nothing of it behind. Where the system knows no such files, or the disk has no room to give away,
//! there is none, and `current` is made when it is needed.
//!
//! None is made on a disk that is short of room, and when a disk is full whatever was taken ahead in any directory of the
//! script is given back. Room behind the end of `current` is also given back when the file ends early, after some seconds,
//! and by the successor of a killed logger.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::lines::page_buffer::PAGE_BYTES;
use crate::logdir::room::NEWLINE_ZONE_BYTES;
use crate::multilog::writer::directory::{Directory, LogFile};
use crate::multilog::writer::place::SharedPlace;
use crate::sys::stat::Stat;
use crate::sys::{Errno, Result};

/// A file that is full sooner than this is worth a preallocated successor.
pub(super) const FILLING_TIME: Duration = Duration::from_secs(1);
/// A preallocated file takes no more than this.
const ROOM_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// No file is preallocated unless the disk has room for so many: other loggers may preallocate too, and all write.
const PREALLOCATED_FREE: u64 = 8;
/// Less room than this behind the end of a file is nothing out of the ordinary: file systems have blocks.
const SLACK_BYTES: u64 = 64 * 1024;

#[derive(Debug)]
enum NextFile<F> {
    Unwanted,
    Wanted,
    Ready(F),
    /// The system knows no such files.
    Impossible,
}

/// A preallocated file, or the request for one: the finisher makes it, and the writer takes it.
#[derive(Debug)]
pub struct Preallocated<D: Directory> {
    place: SharedPlace<D>,
    room_bytes: u64,
    state: Mutex<NextFile<D::File>>,
}

impl<D: Directory> Preallocated<D> {
    /// No preallocated file yet, in a directory whose files grow to at most `size_max_bytes`.
    #[must_use]
    pub fn new(place: SharedPlace<D>, size_max_bytes: u64) -> Preallocated<D> {
        // So much every file holds that is full, wherever its last line ends.
        let least_bytes = size_max_bytes.saturating_sub(NEWLINE_ZONE_BYTES).min(ROOM_BYTES_MAX);
        let is_worth_it = size_max_bytes >= D::PREALLOCATED_BYTES_MIN;
        let room_bytes = if is_worth_it { least_bytes - least_bytes % PAGE_BYTES as u64 } else { 0 };
        Preallocated { place, room_bytes, state: Mutex::new(NextFile::Unwanted) }
    }

    /// The room that a preallocated file has.
    #[must_use]
    pub fn room_bytes(&self) -> u64 {
        self.room_bytes
    }

    /// Requests a preallocated file.
    pub fn want(&self) {
        let mut state = self.state();
        if self.room_bytes > 0 && matches!(*state, NextFile::Unwanted) {
            *state = NextFile::Wanted;
        }
    }

    /// Whether a file is preallocated or requested.
    #[must_use]
    pub fn is_wanted(&self) -> bool {
        matches!(*self.state(), NextFile::Wanted | NextFile::Ready(_))
    }

    /// Drops the file or the request; tells whether there was a file, whose room is free again.
    pub fn forget(&self) -> bool {
        let mut state = self.state();
        if matches!(*state, NextFile::Impossible) {
            return false;
        }
        matches!(std::mem::replace(&mut *state, NextFile::Unwanted), NextFile::Ready(_))
    }

    /// Takes the preallocated file, if there is one.
    pub fn take(&self) -> Option<D::File> {
        let mut state = self.state();
        match std::mem::replace(&mut *state, NextFile::Unwanted) {
            NextFile::Ready(file) => Some(file),
            other => {
                *state = other;
                None
            }
        }
    }

    /// Preallocated files cannot become `current` here: makes none any more.
    pub fn give_up(&self) {
        *self.state() = NextFile::Impossible;
    }

    /// Makes the preallocated file if one is requested and possible.
    pub fn prepare(&self) {
        if !matches!(*self.state(), NextFile::Wanted) {
            return;
        }
        let made = self.place.directory.nameless(self.room_bytes, PREALLOCATED_FREE * self.room_bytes);
        let mut state = self.state();
        // It may have been forgotten meanwhile.
        if matches!(*state, NextFile::Wanted) {
            *state = match made {
                Ok(file) => NextFile::Ready(file),
                Err(Errno::EOPNOTSUPP | Errno::EISDIR | Errno::EINVAL | Errno::ENOSYS) => NextFile::Impossible,
                Err(_) => NextFile::Unwanted,
            };
        }
    }

    fn state(&self) -> MutexGuard<'_, NextFile<D::File>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tells whether a file has more room behind its end than blocks explain.
pub(super) fn has_slack(stat: Stat) -> bool {
    stat.allocated_bytes > stat.size_bytes + SLACK_BYTES
}

/// Gives back the room that a file has behind its end.
pub(super) fn give_back<F: LogFile>(file: &F) -> Result<()> {
    file.truncate(file.stat()?.size_bytes)
}
