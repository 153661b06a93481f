//! The pipe from a service to its logger, which outlives both.
//!
//! It is a FIFO in the service's `supervise` directory. svscan holds it open for reading and writing. The service and the
//! logger have openings of their own. That of the logger is for reading only, so that it sees the end of file once svscan
//! has closed its end and the service has exited. That of the service is for both, although it only writes: so the pipe has
//! a reader as long as the service lives, and no SIGPIPE comes if svscan, the logger and all supervisors are killed.
//! Whichever of them is killed, the bytes stay as long as one is left, and a new svscan opens the same pipe.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use crate::supervise::error::Error;
use crate::supervise::files::{Files, LOGPIPE};
use crate::sys::dir::Dir;
use crate::sys::fifo::{self, Access, Fifo};
use crate::sys::{Errno, Result, pipe, poll};

/// The pipe of a pair, as svscan holds it.
#[derive(Debug)]
pub enum LogPipe {
    /// The FIFO in the service's directory, open for reading and writing.
    Named(Fifo),
    /// If no FIFO can be made, or if 0.76's svscan has started the supervisors: an unnamed pipe, as in 0.76, which lasts as
    /// long as svscan or one of them.
    Nameless {
        /// The end to read.
        reads: OwnedFd,
        /// The end to write, until svscan closes it.
        writes: Option<OwnedFd>,
    },
}

/// One end of a pipe, for one process.
#[derive(Debug)]
pub enum End<'a> {
    /// An opening of its own.
    Own(Fifo),
    /// svscan's.
    Shared(BorrowedFd<'a>),
}

impl AsFd for End<'_> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            End::Own(fifo) => fifo.as_fd(),
            End::Shared(descriptor) => *descriptor,
        }
    }
}

impl LogPipe {
    /// Opens the pipe of a service, and makes it if it is not there. The error tells why the FIFO could not be used.
    pub fn make(service: &Dir) -> Result<(LogPipe, Option<Error>)> {
        match Files::make(service).and_then(|files| files.fifo(LOGPIPE, Access::Both)) {
            Ok((fifo, _)) => Ok((LogPipe::Named(fifo), None)),
            // The unnamed pipe would need even more descriptors.
            Err(Error::System(errno @ (Errno::EMFILE | Errno::ENFILE))) => Err(errno),
            Err(error) => {
                let (reads, writes) = pipe::new()?;
                Ok((LogPipe::Nameless { reads, writes: Some(writes) }, Some(error)))
            }
        }
    }

    /// The unnamed pipe from which the running supervisor of a log reads, if it does: that of 0.76's svscan, which may have
    /// ended. Once both ends are open here, it outlives the supervisors too.
    #[must_use]
    pub fn of_running(log: &Dir) -> Option<LogPipe> {
        let files = Files::open(log).ok()?;
        let supervisor = files.supervisor()?;
        let (reads, writes) = pipe::of_process(supervisor).ok()?;
        // The number may have come to mean another process before the pipe was opened.
        (files.supervisor() == Some(supervisor)).then_some(LogPipe::Nameless { reads, writes: Some(writes) })
    }

    /// Whether a supervisor can open it by its name.
    #[must_use]
    pub fn is_named(&self) -> bool {
        matches!(self, LogPipe::Named(_))
    }

    /// The end that the service writes to.
    pub fn end_to_write(&self, service: &Dir) -> Result<End<'_>> {
        match self {
            LogPipe::Named(fifo) => own_end(fifo, service, Access::Both),
            LogPipe::Nameless { writes, .. } => writes.as_ref().map(|end| End::Shared(end.as_fd())).ok_or(Errno::EPIPE),
        }
    }

    /// The end that the logger reads from.
    pub fn end_to_read(&self, service: &Dir) -> Result<End<'_>> {
        match self {
            LogPipe::Named(fifo) => own_end(fifo, service, Access::Read),
            LogPipe::Nameless { reads, .. } => Ok(End::Shared(reads.as_fd())),
        }
    }

    /// Closes the writing end, so that the logger sees the end of file when all other writers have closed theirs. What
    /// is in the pipe stays. `service` is the directory, if its name still leads there.
    pub fn let_go(&mut self, service: Option<&Dir>) {
        match self {
            LogPipe::Named(fifo) => {
                let by_name = || {
                    let reads = Fifo::open(Files::open(service?).ok()?.dir(), LOGPIPE, Access::Read).ok()?;
                    (fifo::identity(&reads) == fifo::identity(&*fifo)).then_some(reads)
                };
                if let Some(reads) = by_name().or_else(|| fifo.reopen_to_read().ok()) {
                    *fifo = reads;
                }
            }
            LogPipe::Nameless { writes, .. } => *writes = None,
        }
    }

    /// How many bytes have been written and not yet read.
    #[must_use]
    pub fn bytes_waiting(&self) -> usize {
        pipe::waiting_bytes(self.reads()).unwrap_or(0)
    }

    /// Whether another process can still write to it, after svscan has closed its end.
    #[must_use]
    pub fn has_writer(&self) -> bool {
        poll::wait([self.reads()], Some(Duration::ZERO)).is_ok_and(|[ready]| !ready.hung_up)
    }

    fn reads(&self) -> BorrowedFd<'_> {
        match self {
            LogPipe::Named(fifo) => fifo.as_fd(),
            LogPipe::Nameless { reads, .. } => reads.as_fd(),
        }
    }
}

/// Opens the FIFO a second time; if its name leads to another file by now, the first descriptor is used.
fn own_end<'a>(held: &'a Fifo, service: &Dir, access: Access) -> Result<End<'a>> {
    let files = Files::open(service).map_err(|_| Errno::ENOENT);
    match files.and_then(|files| Fifo::open(files.dir(), LOGPIPE, access)) {
        Ok(fifo) if fifo::identity(&fifo)? == fifo::identity(held)? => {
            fifo.set_blocking()?;
            Ok(End::Own(fifo))
        }
        Err(errno @ (Errno::EMFILE | Errno::ENFILE)) => Err(errno),
        Ok(_) | Err(_) => {
            held.set_blocking()?;
            Ok(End::Shared(held.as_fd()))
        }
    }
}
