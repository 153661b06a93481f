//! Steps of the logger that failed, and why.

use std::fmt;
use std::time::Duration;

use crate::cli::cause;
use crate::sys::Errno;

/// A step that failed, and why. Its `Display` is a sentence without its subject: `unable to create ./main/current: out of
/// disk space`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    what: String,
    cause: Option<Errno>,
    remark: Option<String>,
    pause: Duration,
    is_interruption: bool,
}

/// How long a step that failed is left alone, unless it says otherwise.
const PAUSE: Duration = Duration::from_secs(5);

impl Error {
    /// A system call that failed.
    #[must_use]
    pub fn new(what: impl fmt::Display, cause: Errno) -> Error {
        Error { cause: Some(cause), ..Error::unexplained(what) }
    }

    /// A system call that failed, with what it was to do: `unable to create ./main/current: out of disk space`.
    #[must_use]
    pub fn unable(to_do: impl fmt::Display, cause: Errno) -> Error {
        Error::new(format_args!("unable to {to_do}"), cause)
    }

    /// Something that failed without the system having a word for it.
    #[must_use]
    pub fn unexplained(what: impl fmt::Display) -> Error {
        Error { what: what.to_string(), cause: None, remark: None, pause: PAUSE, is_interruption: false }
    }

    /// No trouble at all: TERM came before what takes long was done.
    #[must_use]
    pub fn interruption() -> Error {
        Error { is_interruption: true, ..Error::unexplained("interrupted") }
    }

    /// Tells whether nothing is wrong but that TERM came.
    #[must_use]
    pub fn is_interruption(&self) -> bool {
        self.is_interruption
    }

    /// The same trouble, with another time to wait before the step is tried again.
    #[must_use]
    pub fn with_pause(self, pause: Duration) -> Error {
        Error { pause, ..self }
    }

    /// Tells whether there is no room: on the disk, or in what the user may have of it.
    #[must_use]
    pub fn is_want_of_room(&self) -> bool {
        matches!(self.cause, Some(Errno::ENOSPC | Errno::EDQUOT))
    }

    /// The number of the system's error; 0 if it has none.
    #[must_use]
    pub fn errno(&self) -> i32 {
        self.cause.map_or(0, |errno| errno as i32)
    }

    /// Tells whether the system had no memory for it.
    #[must_use]
    pub fn is_want_of_memory(&self) -> bool {
        self.cause == Some(Errno::ENOMEM)
    }

    /// How long to wait before the step is tried again.
    #[must_use]
    pub fn pause(&self) -> Duration {
        self.pause
    }

    /// The same sentence, for a step that will be tried again: `unable to create ./main/current, pausing: out of disk
    /// space`.
    #[must_use]
    pub fn pausing(&self) -> impl fmt::Display {
        Error { what: format!("{}, pausing", self.what), ..self.clone() }
    }

    /// The same sentence with something more to know at its end: `…: temporary failure (held by pid 7)`.
    #[must_use]
    pub fn with_remark(self, remark: impl fmt::Display) -> Error {
        Error { remark: Some(remark.to_string()), ..self }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.what)?;
        if let Some(errno) = self.cause {
            write!(out, ": {}", cause(errno))?;
        }
        match &self.remark {
            Some(remark) => write!(out, " ({remark})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Error {}

/// Says of a system call that failed what it was to do.
pub trait ResultExt<T> {
    /// Turns a failure into `unable to TO_DO: CAUSE`. `to_do` is formatted only then.
    fn or_unable(self, to_do: impl fmt::Display) -> Result<T, Error>;
}

impl<T> ResultExt<T> for crate::sys::Result<T> {
    fn or_unable(self, to_do: impl fmt::Display) -> Result<T, Error> {
        self.map_err(|errno| Error::unable(to_do, errno))
    }
}
