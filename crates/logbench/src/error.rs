//! Why logbench exits without a report.

use std::fmt::Display;
use std::io;
use std::path::Path;

use logyard::cli::{Shown, cause};
use logyard::sys::Errno;

/// Why logbench exits without a report.
#[derive(Debug)]
pub(crate) enum Error {
    /// The command line is wrong.
    Usage(String),
    /// A system call failed: "unable to …".
    System(String),
    /// The user interrupted it.
    Interrupted,
}

impl Error {
    /// Completes the sentence "unable to …" with the attempt and its cause.
    pub(crate) fn unable(what: impl Display, errno: Errno) -> Error {
        Error::System(format!("unable to {what}: {}", cause(errno)))
    }

    /// The same for a file.
    pub(crate) fn file(verb: &str, path: &Path, error: &io::Error) -> Error {
        let errno = Errno::from_raw(error.raw_os_error().unwrap_or(0));
        Error::unable(format_args!("{verb} {}", Shown(path.as_os_str().as_encoded_bytes())), errno)
    }

    /// The file system of a directory has no room for a run.
    pub(crate) fn full(directory: &Path) -> Error {
        Error::unable(format_args!("log to {}", Shown(directory.as_os_str().as_encoded_bytes())), Errno::ENOSPC)
    }

    /// A file was to be a report, and is not.
    pub(crate) fn no_report(path: &Path) -> Error {
        let path = Shown(path.as_os_str().as_encoded_bytes());
        Error::System(format!("unable to read {path}: it is not a report that logbench --json wrote"))
    }
}
