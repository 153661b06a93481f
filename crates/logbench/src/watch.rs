//! Ends a run that the user interrupts, or whose logger hangs.

use std::ffi::CString;
use std::os::fd::BorrowedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use logyard::sys::file::File;
use logyard::sys::process::child::Child;
use logyard::sys::{Errno, Result, poll};

/// How often the progress of a run is checked.
const INTERVAL: Duration = Duration::from_millis(500);
/// How long a run may make no progress on a full file system: loggers retry every few seconds.
const FULL_DISK_PATIENCE: Duration = Duration::from_secs(10);
/// A file system with less room than this is full.
const ROOM_MIN_BYTES: u64 = 64 * 1024;

/// How far a run has come.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    writes: AtomicU64,
    is_writing: AtomicBool,
    /// All of the input has been written, and logbench waits for the logger to exit.
    has_ended: AtomicBool,
}

impl Progress {
    /// Makes a write to the logger's pipe, which takes as long as the pipe is full.
    pub(crate) fn during_write(&self, write: impl FnOnce() -> Result<()>) -> Result<()> {
        self.is_writing.store(true, Ordering::Relaxed);
        let answer = write();
        self.is_writing.store(false, Ordering::Relaxed);
        self.writes.fetch_add(1, Ordering::Relaxed);
        answer
    }

    /// Nothing more is to be written.
    pub(crate) fn note_end(&self) {
        self.has_ended.store(true, Ordering::Relaxed);
    }

    /// A number that changes with each write, and what the logger fails to do if it does not change; `None` if logbench waits
    /// for nothing.
    fn look(&self) -> (u64, Option<&'static str>) {
        let blocked = if self.has_ended.load(Ordering::Relaxed) {
            Some("did not end")
        } else {
            self.is_writing.load(Ordering::Relaxed).then_some("did not read")
        };
        (self.writes.load(Ordering::Relaxed), blocked)
    }
}

/// Why a logger was killed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum KillReason {
    /// The user interrupted the run.
    Interrupted,
    /// It made no progress on a full file system.
    DiskFull,
    /// It made no progress. The text says what it did not do.
    Hung(String),
}

/// Watches a run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Watcher<'w> {
    pub(crate) child: &'w Child,
    pub(crate) progress: &'w Progress,
    /// The directory of the run.
    pub(crate) directory: &'w Path,
    /// A logger that makes no progress for this long is killed.
    pub(crate) patience: Duration,
}

impl Watcher<'_> {
    /// Returns when `over` becomes readable, because the run is over. If `interruptions` becomes readable before, or the logger
    /// makes no progress, it first kills the logger and its process group.
    pub(crate) fn watch(self, interruptions: BorrowedFd<'_>, over: BorrowedFd<'_>) -> Option<KillReason> {
        let reason = self.wait(interruptions, over)?;
        let _ = self.child.kill_group();
        Some(reason)
    }

    fn wait(self, interruptions: BorrowedFd<'_>, over: BorrowedFd<'_>) -> Option<KillReason> {
        let Watcher { progress, directory, patience, .. } = self;
        let mut last = progress.look();
        let mut since = Instant::now();
        loop {
            match poll::readable([interruptions, over], Some(INTERVAL)) {
                Ok([_, true]) | Err(_) => return None,
                Ok([true, false]) => return Some(KillReason::Interrupted),
                Ok([false, false]) => {}
            }
            let now = progress.look();
            let stands_still = now.1.filter(|_| now == last);
            last = now;
            let Some(what) = stands_still else {
                since = Instant::now();
                continue;
            };
            if since.elapsed() >= patience.min(FULL_DISK_PATIENCE) && is_full(directory) {
                return Some(KillReason::DiskFull);
            }
            if since.elapsed() >= patience {
                return Some(KillReason::Hung(format!("{what} for {} s", patience.as_secs())));
            }
        }
    }
}

fn is_full(directory: &Path) -> bool {
    free_bytes(directory).is_ok_and(|free_bytes| free_bytes < ROOM_MIN_BYTES)
}

/// How much room a directory's file system has.
pub(crate) fn free_bytes(directory: &Path) -> Result<u64> {
    let path = CString::new(directory.as_os_str().as_bytes()).map_err(|_| Errno::EINVAL)?;
    File::open(&path)?.free_bytes()
}
