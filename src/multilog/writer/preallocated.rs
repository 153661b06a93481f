//! The preallocated file: the `current` after the next rotation, created in advance, with its space on the disk.
//!
//! If a log grows fast, much of the cost of a write is finding pages or blocks. The finisher does that in advance while
//! `current` fills, and the later writes only copy. The preallocated file has no name until it becomes `current`: a
//! killed logger leaves nothing of it behind. If the system does not support such files, or the disk has little space,
//! none is made, and `current` is created when it is needed.
//!
//! When a disk is full, the preallocated space of all directories of the script is released. Space behind the end of
//! `current` is also released if the file ends early, after some seconds without a write, and by the successor of a
//! killed logger.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::lines::page_buffer::PAGE_BYTES;
use crate::logdir::room::NEWLINE_ZONE_BYTES;
use crate::multilog::writer::directory::{Directory, LogFile};
use crate::multilog::writer::place::SharedPlace;
use crate::sys::stat::Stat;
use crate::sys::{Errno, Result};

/// If a file fills faster than this, the next one is preallocated.
pub(super) const FILLING_TIME: Duration = Duration::from_secs(1);
/// The largest size of a preallocated file.
const ROOM_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// A file is preallocated only if the disk has space for this many: other loggers may preallocate too, and all write.
const PREALLOCATED_FREE: u64 = 8;
/// Less space than this behind the end of a file is normal: file systems allocate blocks.
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
    room_bytes: AtomicU64,
    state: Mutex<NextFile<D::File>>,
}

impl<D: Directory> Preallocated<D> {
    /// No preallocated file yet, in a directory whose files grow to at most `size_max_bytes`.
    #[must_use]
    pub fn new(place: SharedPlace<D>, size_max_bytes: u64) -> Preallocated<D> {
        let room_bytes = AtomicU64::new(room_bytes::<D>(size_max_bytes));
        Preallocated { place, room_bytes, state: Mutex::new(NextFile::Unwanted) }
    }

    /// The files grow to another size from now on. A file that is being preallocated meanwhile keeps the size that it has.
    pub fn change_size(&self, size_max_bytes: u64) {
        self.room_bytes.store(room_bytes::<D>(size_max_bytes), Ordering::Relaxed);
        self.forget();
    }

    /// The room that a preallocated file has.
    #[must_use]
    pub fn room_bytes(&self) -> u64 {
        self.room_bytes.load(Ordering::Relaxed)
    }

    /// Requests a preallocated file.
    pub fn want(&self) {
        let mut state = self.state();
        if self.room_bytes() > 0 && matches!(*state, NextFile::Unwanted) {
            *state = NextFile::Wanted;
        }
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
        let room_bytes = self.room_bytes();
        let made = self.place.directory.nameless(room_bytes, PREALLOCATED_FREE * room_bytes);
        let mut state = self.state();
        // The request may have been dropped meanwhile.
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

/// The room that a preallocated file gets where files grow to at most `size_max_bytes`; 0 if there is to be none.
fn room_bytes<D: Directory>(size_max_bytes: u64) -> u64 {
    // Every full file holds at least this much, wherever its last line ends.
    let least_bytes = size_max_bytes.saturating_sub(NEWLINE_ZONE_BYTES).min(ROOM_BYTES_MAX);
    let is_worth_it = size_max_bytes >= D::PREALLOCATED_BYTES_MIN;
    if is_worth_it { least_bytes - least_bytes % PAGE_BYTES as u64 } else { 0 }
}

/// Tells whether a file has more room behind its end than blocks explain.
pub(super) fn has_slack(stat: Stat) -> bool {
    stat.allocated_bytes > stat.size_bytes + SLACK_BYTES
}

/// Releases the space behind the end of a file.
pub(super) fn give_back<F: LogFile>(file: &F) -> Result<()> {
    file.truncate(file.stat()?.size_bytes)
}
