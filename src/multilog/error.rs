//! Why a step of the logger failed.

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
    kind: Kind,
}

/// What a caller does about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Failure,
    /// TERM interrupted a step.
    Interruption,
    /// A program with a compiler for regular expressions can do it.
    WantOfCompiler,
}

/// How long to wait before a failed step is retried, unless the error sets another time.
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

    /// A failure without an error number.
    #[must_use]
    pub fn unexplained(what: impl fmt::Display) -> Error {
        Error { what: what.to_string(), cause: None, remark: None, pause: PAUSE, kind: Kind::Failure }
    }

    /// Not a failure: TERM interrupted a step that takes long.
    #[must_use]
    pub fn interruption() -> Error {
        Error { kind: Kind::Interruption, ..Error::unexplained("interrupted") }
    }

    /// Tells whether this is only an interruption by TERM.
    #[must_use]
    pub fn is_interruption(&self) -> bool {
        self.kind == Kind::Interruption
    }

    /// This program has no compiler for regular expressions.
    #[must_use]
    pub fn want_of_compiler() -> Error {
        Error { kind: Kind::WantOfCompiler, ..Error::unexplained("regular expressions") }
    }

    /// Tells whether only a compiler for regular expressions is missing.
    #[must_use]
    pub fn is_want_of_compiler(&self) -> bool {
        self.kind == Kind::WantOfCompiler
    }

    /// The same error, with another time to wait before the step is retried.
    #[must_use]
    pub fn with_pause(self, pause: Duration) -> Error {
        Error { pause, ..self }
    }

    /// Tells whether the disk is full, or the user's quota.
    #[must_use]
    pub fn is_want_of_room(&self) -> bool {
        matches!(self.cause, Some(Errno::ENOSPC | Errno::EDQUOT))
    }

    /// The number of the system's error; 0 if it has none.
    #[must_use]
    pub fn errno(&self) -> i32 {
        self.cause.map_or(0, |errno| errno as i32)
    }

    /// Tells whether the system had no memory.
    #[must_use]
    pub fn is_want_of_memory(&self) -> bool {
        self.cause == Some(Errno::ENOMEM)
    }

    /// How long to wait before the step is retried.
    #[must_use]
    pub fn pause(&self) -> Duration {
        self.pause
    }

    /// The same sentence for a step that will be retried: `unable to create ./main/current, pausing: out of disk
    /// space`.
    #[must_use]
    pub fn pausing(&self) -> impl fmt::Display {
        Error { what: format!("{}, pausing", self.what), ..self.clone() }
    }

    /// The same sentence with a remark at the end: `…: temporary failure (held by pid 7)`.
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

/// Adds to a failed system call what it was called for.
pub trait ResultExt<T> {
    /// Turns a failure into `unable to TO_DO: CAUSE`. `to_do` is formatted only then.
    fn or_unable(self, to_do: impl fmt::Display) -> Result<T, Error>;
}

impl<T> ResultExt<T> for crate::sys::Result<T> {
    fn or_unable(self, to_do: impl fmt::Display) -> Result<T, Error> {
        self.map_err(|errno| Error::unable(to_do, errno))
    }
}
