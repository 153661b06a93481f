//! Why readlog exits before it has printed everything.

use std::fmt;
use std::path::PathBuf;

use logyard::cli::{Shown, cause};
use logyard::sys::Errno;

/// Why readlog exits before it has printed everything.
#[derive(Debug)]
pub(super) enum Error {
    /// Standard output, or the pager, cannot be written to.
    Output(Errno),
    /// The system does not report events in directories.
    Follow(Errno),
    /// The file that is given as a cursor is another kind of file. It is not changed.
    ForeignCursor(PathBuf),
    /// The cursor file cannot be read or written.
    Cursor(PathBuf, Errno),
    /// The picture cannot be written.
    Picture(PathBuf, Errno),
}

impl fmt::Display for Error {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |path: &PathBuf| Shown(path.as_os_str().as_encoded_bytes()).to_string();
        match self {
            Error::Output(errno) => write!(out, "unable to write output: {}", cause(*errno)),
            Error::Follow(errno) => write!(out, "unable to follow: {}", cause(*errno)),
            Error::ForeignCursor(path) => write!(out, "unable to use {}: not a cursor file", shown(path)),
            Error::Cursor(path, errno) => write!(out, "unable to use cursor file {}: {}", shown(path), cause(*errno)),
            Error::Picture(path, errno) => write!(out, "unable to write {}: {}", shown(path), cause(*errno)),
        }
    }
}
