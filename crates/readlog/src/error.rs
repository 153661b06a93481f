//! Why printing ends before everything has been printed.

use std::fmt;
use std::path::PathBuf;

use crate::warnings::PROGRAM;
use logyard::cli::{Exit, Shown, cause};
use logyard::sys::Errno;

/// What the program cannot go on after.
#[derive(Debug)]
pub(super) enum Error {
    /// Standard output, or the pager, takes no more.
    Output(Errno),
    /// The system does not tell what happens in directories.
    Follow(Errno),
    /// The file that is named as a cursor is something else: it is left as it is.
    ForeignCursor(PathBuf),
    /// The cursor file cannot be read or written.
    Cursor(PathBuf, Errno),
    /// The picture cannot be written.
    Picture(PathBuf, Errno),
}

impl Error {
    /// Says why, and returns the code to leave with: that of what was printed, where nobody wanted more.
    pub(super) fn exit(&self, of_printed: Exit) -> Exit {
        match self {
            Error::Output(Errno::EPIPE) => of_printed,
            _ => PROGRAM.fatal(self),
        }
    }
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
