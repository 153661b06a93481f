//! Locks a log directory against other writers.

use crate::logdir::names::{LOCK, MODE_PRIVATE};
use crate::multilog::error::Error;
use crate::multilog::writer::directory::Directory;
use crate::multilog::writer::place::Place;
use crate::sys::{Errno, file};

/// Locks a directory; the error names the process that holds the lock.
pub(super) fn lock_place<D: Directory>(place: &Place<D>) -> Result<D::Lock, Error> {
    let Place { name, directory, .. } = place;
    directory.lock(LOCK, MODE_PRIVATE).map_err(|errno| {
        let error = Error::unable(format_args!("lock directory {name}"), errno);
        let holder = match errno {
            Errno::EAGAIN => directory.stat(LOCK).ok().flatten().and_then(file::lock_holder),
            _ => None,
        };
        match holder {
            Some(process) => error.with_remark(format_args!("held by pid {process}")),
            None => error,
        }
    })
}
