//! Why setup failed.

use std::fmt::{self, Display};

use crate::cli::cause;
use crate::sys::Errno;

/// A failed operation on a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    verb: &'static str,
    path: String,
    errno: Errno,
}

impl fmt::Display for Error {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "unable to {} {}: {}", self.verb, self.path, cause(self.errno))
    }
}

impl Error {
    /// Adds the operation and the path, for `map_err`.
    pub fn at(verb: &'static str, path: &str) -> impl FnOnce(Errno) -> Error {
        let path = path.to_owned();
        move |errno| Error { verb, path, errno }
    }
}

pub(super) fn text(error: impl Display) -> String {
    error.to_string()
}
