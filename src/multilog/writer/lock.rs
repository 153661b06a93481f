//! Locks a log directory against other writers.

use std::thread;
use std::time::Duration;

use crate::logdir::names::{LOCK, MODE_PRIVATE};
use crate::multilog::error::Error;
use crate::multilog::writer::directory::Directory;
use crate::multilog::writer::place::Place;
use crate::sys::process::pidfd;
use crate::sys::{Errno, file};

/// How often a lock is tried whose holder is not alive, and how long it is waited for between two tries.
const TRIES: usize = 20;
const BETWEEN_TRIES: Duration = Duration::from_millis(5);

/// Locks a directory; the error names the process that holds the lock.
///
/// A logger that is killed while it starts a processor leaves the lock to the new process, until that executes the shell.
pub(super) fn lock_place<D: Directory>(place: &Place<D>) -> Result<D::Lock, Error> {
    let Place { name, directory, .. } = place;
    let unable = |errno| Error::unable(format_args!("lock directory {name}"), errno);
    let mut holder = None;
    for _ in 0..TRIES {
        match directory.lock(LOCK, MODE_PRIVATE) {
            Err(Errno::EAGAIN) => {}
            answer => return answer.map_err(unable),
        }
        holder = directory.stat(LOCK).ok().flatten().and_then(file::lock_holder);
        if holder.is_some_and(|process| pidfd::start_time(process).is_some()) {
            break;
        }
        thread::sleep(BETWEEN_TRIES);
    }
    let error = unable(Errno::EAGAIN);
    Err(match holder {
        Some(process) => error.with_remark(format_args!("held by pid {process}")),
        None => error,
    })
}
