//! Sends commands to a supervisor: the letters of `svc`, in the order given.

use std::fmt;

use crate::cli::cause;
use crate::supervise::error::Error as FileError;
use crate::supervise::files::{CONTROL, Files};
use crate::sys::dir::Dir;
use crate::sys::{Errno, fd};

/// What the sender does if the FIFO is full, because the supervisor is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patience {
    /// Waits.
    Waits,
    /// Gives up with `EAGAIN`.
    GivesUp,
}

/// Why a supervisor did not get its commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// No supervisor has the FIFO open.
    NotRunning,
    /// The FIFO cannot be opened.
    Open(FileError),
    /// It cannot be written to.
    Write(Errno),
}

impl fmt::Display for Error {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::NotRunning => out.write_str("supervise not running"),
            Error::Open(error) => error.fmt(out),
            Error::Write(errno) => out.write_str(cause(*errno)),
        }
    }
}

/// Sends letters to the supervisor of a service. The process must ignore SIGPIPE: a supervisor may exit at any moment.
pub fn send(service: &Dir, letters: &[u8], patience: Patience) -> Result<(), Error> {
    let control = match Files::open(service).and_then(|files| files.fifo_of_supervisor(CONTROL)) {
        Ok(control) => control,
        Err(FileError::System(Errno::ENXIO)) => return Err(Error::NotRunning),
        Err(error) => return Err(Error::Open(error)),
    };
    if patience == Patience::Waits {
        control.set_blocking().map_err(Error::Write)?;
    }
    fd::write_all(&control, letters).map_err(Error::Write)
}
