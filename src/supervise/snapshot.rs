//! All that can be said of a service at one moment: itself, its log service and its logger.

use std::ffi::CStr;
use std::fmt;

use crate::cli::{Shown, cause};
use crate::supervise::error::Error as FileError;
use crate::supervise::logger::{Condition, Logger, Unknown};
use crate::supervise::pair::{LOG, Seen};
use crate::supervise::report::{self, Report};
use crate::sys::Errno;
use crate::sys::dir::Dir;

/// A service at one moment.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// Its path as it was given, with control characters made visible.
    pub name: String,
    /// How it is, or why nothing can be said.
    pub report: Result<Report, Failure>,
    /// Its log service; `None` if it has none.
    pub log: Option<LogSnapshot>,
    /// What svscan makes of the two; `None` if the directory cannot be reached.
    pub seen: Option<Seen>,
}

/// Why nothing can be said of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Its directory cannot be reached.
    Unreachable(Errno),
    /// Its supervisor cannot be asked.
    Report(report::Error),
}

impl Failure {
    /// Tells whether another user might be told more.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        self.refusal().is_some()
    }

    /// Tells whether there is no such directory, or no supervisor for it.
    #[must_use]
    pub fn is_absence(&self) -> bool {
        match self {
            Failure::Unreachable(errno) | Failure::Report(report::Error::Ok(FileError::System(errno))) => {
                matches!(errno, Errno::ENOENT | Errno::ENOTDIR)
            }
            Failure::Report(error) => *error == report::Error::NotRunning,
        }
    }

    /// What a logger does if no more is known of its log service: it may run if it is only the permission that is missing.
    #[must_use]
    pub fn logger(&self) -> Condition {
        self.refusal().map_or(Condition::Down, |errno| Condition::Unknown(Unknown::Unreadable(errno)))
    }

    fn refusal(&self) -> Option<Errno> {
        let errno = match self {
            Failure::Unreachable(errno) | Failure::Report(report::Error::Down(errno)) => *errno,
            Failure::Report(
                report::Error::Ok(FileError::System(errno)) | report::Error::OpenStatus(FileError::System(errno)),
            ) => *errno,
            Failure::Report(_) => return None,
        };
        matches!(errno, Errno::EACCES | Errno::EPERM).then_some(errno)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Unreachable(errno) => write!(out, "unable to chdir: {}", cause(*errno)),
            Failure::Report(error) => error.fmt(out),
        }
    }
}

/// The log service of a service.
#[derive(Clone, Debug)]
pub struct LogSnapshot {
    /// How it is, or why nothing can be said.
    pub report: Result<Report, Failure>,
    /// Its logger.
    pub logger: Logger,
}

impl Snapshot {
    /// Looks at a service.
    #[must_use]
    pub fn of(path: &CStr) -> Snapshot {
        let name = Shown(path.to_bytes()).to_string();
        match Dir::reach(path) {
            Ok(service) => Snapshot {
                name,
                report: look(&service),
                log: service.reach_dir(LOG).ok().map(|log| LogSnapshot::of(&service, &log)),
                seen: Some(Seen::of(&service)),
            },
            Err(errno) => Snapshot { name, report: Err(Failure::Unreachable(errno)), log: None, seen: None },
        }
    }
}

impl Snapshot {
    /// Looks at a service alone.
    #[must_use]
    pub fn service(path: &CStr) -> Snapshot {
        let name = Shown(path.to_bytes()).to_string();
        let reached = Dir::reach(path).map_err(Failure::Unreachable);
        Snapshot { name, report: reached.and_then(|service| look(&service)), log: None, seen: None }
    }
}

impl LogSnapshot {
    fn of(service: &Dir, log: &Dir) -> LogSnapshot {
        let report = look(log);
        let process = report.as_ref().ok().and_then(|report| report.status.process);
        let mut logger = Logger::of(service, log, process);
        if let Err(failure) = &report {
            logger.condition = failure.logger();
        }
        LogSnapshot { logger, report }
    }
}

/// Why nothing can be said, or how it is.
fn look(service: &Dir) -> Result<Report, Failure> {
    Report::of(service).map_err(Failure::Report)
}
