//! Files in a `supervise` directory that cannot be used, and why.

use std::fmt;

use crate::cli::cause;
use crate::sys::Errno;

/// Why a file of ours cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// A system call failed.
    System(Errno),
    /// It is not a FIFO.
    NoFifo,
    /// It is not a plain file.
    NoPlainFile,
    /// The file belongs to another user.
    Foreign,
    /// Others can write to it.
    Writable,
    /// In a directory of another user, a file that also has a name elsewhere.
    Linked,
}

impl From<Errno> for Error {
    fn from(errno: Errno) -> Error {
        // `Fifo::open` returns this if the file is not a FIFO.
        if errno == Errno::EPROTO { Error::NoFifo } else { Error::System(errno) }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Error::System(errno) => cause(*errno),
            Error::NoFifo => "not a FIFO",
            Error::NoPlainFile => "not a plain file",
            Error::Foreign => "owned by another user",
            Error::Writable => "writable by others",
            Error::Linked => "has more than one name",
        })
    }
}

impl std::error::Error for Error {}
