//! The processor: a command of the user that filters a finished file.
//!
//! It reads the file on descriptor 0, writes what is to be kept to 1, reads from 4 what it wrote to 5 the last time,
//! and exits 0 when it is done. Any other exit code means that it must run again, from the beginning.
//!
//! It has no time limit. While it hangs, its file stays `previous`, the engine appends to `current`, and the next
//! rotation waits. TERM kills it: see [`worker`](crate::multilog::writer::worker) and
//! [`Child::wait_unless`](crate::sys::process::child::Child::wait_unless).

use std::os::fd::{AsFd, BorrowedFd, RawFd};

use crate::logdir::names::{MODE_OPEN, NEWSTATE, PREVIOUS, PROCESSED, STATE};
use crate::sys::dir::Dir;
use crate::sys::file::File;
use crate::sys::{Errno, Result};

/// The files of a processor, open.
#[derive(Debug)]
pub struct Files {
    previous: File,
    processed: File,
    state: File,
    newstate: File,
}

impl Files {
    /// Opens the files, and discards the output of an earlier attempt.
    pub fn open(directory: &Dir) -> Result<Files> {
        Ok(Files {
            previous: directory.open_to_read(PREVIOUS.as_bytes())?.if_plain()?,
            processed: create(directory, PROCESSED)?,
            state: match directory.open_to_read(STATE.as_bytes()) {
                // The directory was made by hand, or cleaned up: there is no state.
                Err(Errno::ENOENT) => {
                    create(directory, STATE)?;
                    directory.open_to_read(STATE.as_bytes())?
                }
                answer => answer?.if_plain()?,
            },
            newstate: create(directory, NEWSTATE)?,
        })
    }

    /// Each file with the number that the processor knows it by.
    #[must_use]
    pub fn descriptors(&self) -> [(BorrowedFd<'_>, RawFd); 4] {
        [(self.previous.as_fd(), 0), (self.processed.as_fd(), 1), (self.state.as_fd(), 4), (self.newstate.as_fd(), 5)]
    }
}

/// Creates a new file: an earlier processor that still runs keeps writing to the old one.
fn create(directory: &Dir, name: &str) -> Result<File> {
    match directory.unlink(name.as_bytes()) {
        Ok(()) | Err(Errno::ENOENT) => directory.open_new(name.as_bytes(), MODE_OPEN),
        Err(errno) => Err(errno),
    }
}
