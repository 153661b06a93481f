//! What went wrong, and who decides whether to try again.

use std::fmt;
use std::os::fd::BorrowedFd;
use std::time::Duration;

use crate::cli::cause;
use crate::sys::Errno;

/// A step that failed, and why. `Display` is a sentence without its subject: `unable to create ./main/current: out of
/// disk space`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    what: String,
    cause: Option<Errno>,
    remark: Option<String>,
    pause: Duration,
    is_interruption: bool,
}

/// How long a step that failed is left alone, unless it says otherwise.
const PAUSE: Duration = Duration::from_secs(5);

impl Trouble {
    /// A system call that failed.
    #[must_use]
    pub fn new(what: impl fmt::Display, cause: Errno) -> Trouble {
        Trouble { cause: Some(cause), ..Trouble::unexplained(what) }
    }

    /// Something that failed without the system having a word for it.
    #[must_use]
    pub fn unexplained(what: impl fmt::Display) -> Trouble {
        Trouble { what: what.to_string(), cause: None, remark: None, pause: PAUSE, is_interruption: false }
    }

    /// No trouble at all: TERM came before what takes long was done.
    #[must_use]
    pub fn interruption() -> Trouble {
        Trouble { is_interruption: true, ..Trouble::unexplained("interrupted") }
    }

    /// Tells whether nothing is wrong but that TERM came.
    #[must_use]
    pub fn is_interruption(&self) -> bool {
        self.is_interruption
    }

    /// The same trouble, with another time to wait before the step is tried again.
    #[must_use]
    pub fn with_pause(self, pause: Duration) -> Trouble {
        Trouble { pause, ..self }
    }

    /// Tells whether there is no room: on the disk, or in what the user may have of it.
    #[must_use]
    pub fn is_want_of_room(&self) -> bool {
        matches!(self.cause, Some(Errno::ENOSPC | Errno::EDQUOT))
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
        Trouble { what: format!("{}, pausing", self.what), ..self.clone() }
    }

    /// The same sentence with something more to know at its end: `…: temporary failure (held by pid 7)`.
    #[must_use]
    pub fn with_remark(self, remark: impl fmt::Display) -> Trouble {
        Trouble { remark: Some(remark.to_string()), ..self }
    }
}

impl fmt::Display for Trouble {
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

impl std::error::Error for Trouble {}

/// Says what went wrong, waits a while, and decides: `Ok` to try again, `Err` to give up.
pub trait Patience {
    /// A step failed that can be tried again. Announces it and waits.
    fn pause(&mut self, trouble: Trouble) -> Result<(), Trouble>;

    /// Something failed that nothing depends on. Announces it.
    fn complain(&mut self, trouble: &Trouble);

    /// Tells whether the logger is leaving, so that what can be left undone is.
    fn is_hurried(&self) -> bool {
        false
    }

    /// Tells whether a step that takes long is to be given up half done: nothing has been read yet, and TERM has come.
    fn is_interrupted(&mut self) -> bool {
        false
    }

    /// What becomes readable when the logger begins to leave.
    fn hurry(&self) -> Option<BorrowedFd<'_>> {
        None
    }

    /// Repeats a step until it succeeds or patience ends.
    fn retry<T>(&mut self, mut step: impl FnMut(&mut Self) -> Result<T, Trouble>) -> Result<T, Trouble>
    where
        Self: Sized,
    {
        loop {
            match step(self) {
                Ok(done) => return Ok(done),
                Err(trouble) => self.pause(trouble)?,
            }
        }
    }
}
