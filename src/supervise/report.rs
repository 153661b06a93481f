//! The state of a service as `svstat` shows it and `svwait` waits for it.

use std::fmt;

use crate::cli::cause;
use crate::supervise::error::Error as FileError;
use crate::supervise::files::{Files, OK, READY, STATUS, read};
use crate::supervise::last_exit::LastExit;
use crate::supervise::options::{DOWN, Options};
use crate::supervise::state::Want;
use crate::supervise::status::Status;
use crate::sys::Errno;
use crate::sys::dir::Dir;
use crate::sys::signal::Signal;
use crate::tai64n::Label;

/// A service that has a supervisor.
#[derive(Clone, Debug)]
pub struct Report {
    /// Its status file.
    pub status: Status,
    /// Whether a new supervisor would start it: there is no file `down`.
    pub is_normally_up: bool,
    /// Whether it has reported that it is ready; `None` if it has not, and has no `notification-fd` that says that it will.
    pub readiness: Option<Readiness>,
    /// How often it has been started; 0.76 does not count.
    pub starts: Option<u64>,
    /// How it last ended, if it has.
    pub last_exit: Option<LastExit>,
}

/// Whether a service that reports it is ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// Since this time.
    Ready(Label),
    /// It has not reported since it was started.
    NotReady,
}

/// Why the state of a service cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// `down` cannot be checked.
    Down(Errno),
    /// No supervisor has the FIFO open.
    NotRunning,
    /// The FIFO that says that a supervisor runs cannot be opened.
    Ok(FileError),
    /// The status cannot be opened.
    OpenStatus(FileError),
    /// The status is too short, or begins with no label.
    BadStatus,
}

impl fmt::Display for Error {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Down(errno) => write!(out, "unable to stat down: {}", cause(*errno)),
            Error::NotRunning => out.write_str("supervise not running"),
            Error::Ok(error) => write!(out, "unable to open supervise/ok: {error}"),
            Error::OpenStatus(error) => write!(out, "unable to open supervise/status: {error}"),
            Error::BadStatus => out.write_str("unable to read supervise/status: bad format"),
        }
    }
}

impl Report {
    /// Reads the state of a service.
    pub fn of(service: &Dir) -> Result<Report, Error> {
        let is_normally_up = is_normally_up(service)?;
        let files = Files::open(service).map_err(Error::Ok)?;
        check_supervisor(&files)?;
        let mut room = [0; Status::BYTES];
        let record = read(files.dir(), STATUS, &mut room)
            .and_then(|record| record.ok_or(FileError::System(Errno::ENOENT)))
            .map_err(Error::OpenStatus)?;
        let status = Status::from_bytes(record).ok_or(Error::BadStatus)?;
        let reports = matches!(Options(service).notification_fd(), Ok(Some(_)));
        let readiness = Some(readiness(&files)).filter(|readiness| reports || *readiness != Readiness::NotReady);
        Ok(Report { status, is_normally_up, readiness, starts: files.starts(), last_exit: files.last_exit() })
    }

    /// Reads again what may change without a new file in `supervise`: whether the supervisor runs, and whether there is a file
    /// `down`.
    pub fn reread(&mut self, service: &Dir, files: &Files) -> Result<(), Error> {
        self.is_normally_up = is_normally_up(service)?;
        check_supervisor(files)
    }

    /// Whether the service runs and, if it reports readiness, is ready.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.status.process.is_some() && self.readiness != Some(Readiness::NotReady)
    }

    /// Whether the service runs and has reported that it is ready.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.status.process.is_some() && matches!(self.readiness, Some(Readiness::Ready(_)))
    }

    /// Whether the service was started again less than so many seconds ago after it had failed.
    #[must_use]
    pub fn is_flapping(&self, seconds: u64) -> bool {
        let has_failed = match self.last_exit {
            Some(LastExit::Signal(signal)) => signal != Signal::SIGTERM as i32,
            // A logger that is restarted exits 0.
            Some(LastExit::Exit(code)) => code != 0,
            Some(LastExit::Unknown) | None => false,
        };
        has_failed && self.starts.is_some_and(|starts| starts > 1) && self.status.age_seconds() < seconds
    }

    /// Whether the service is down although nobody asked for that.
    #[must_use]
    pub fn is_down_by_mistake(&self) -> bool {
        self.status.process.is_none() && (self.is_normally_up || self.status.want == Want::Up)
    }
}

fn is_normally_up(service: &Dir) -> Result<bool, Error> {
    Ok(service.target(DOWN).map_err(Error::Down)?.is_none())
}

/// Fails if no supervisor runs.
fn check_supervisor(files: &Files) -> Result<(), Error> {
    match files.fifo_of_supervisor(OK) {
        Ok(_) => Ok(()),
        Err(FileError::System(Errno::ENXIO)) => Err(Error::NotRunning),
        Err(error) => Err(Error::Ok(error)),
    }
}

fn readiness(files: &Files) -> Readiness {
    let mut room = [0; Label::TEXT_BYTES];
    match read(files.dir(), READY, &mut room).map(|text| text.map(Label::parse)) {
        Ok(Some(Ok(label))) => Readiness::Ready(label),
        _ => Readiness::NotReady,
    }
}

/// One line, as in 0.76; for a service that reports its readiness, it ends with that.
impl fmt::Display for Report {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Report { status, is_normally_up, .. } = self;
        let is_up = status.process.is_some();
        match status.process {
            Some(process) => write!(out, "up (pid {}) ", process.number().cast_unsigned())?,
            None => out.write_str("down ")?,
        }
        write!(out, "{} seconds", status.age_seconds())?;
        let additions = [
            (is_up && !is_normally_up, ", normally down"),
            (!is_up && *is_normally_up, ", normally up"),
            (is_up && status.is_paused, ", paused"),
            (!is_up && status.want == Want::Up, ", want up"),
            (is_up && status.want == Want::Down, ", want down"),
        ];
        for (holds, addition) in additions {
            if holds {
                out.write_str(addition)?;
            }
        }
        match self.readiness {
            Some(Readiness::Ready(label)) if is_up => {
                let seconds = Label::now().unix_seconds() - label.unix_seconds();
                write!(out, ", ready {} seconds", seconds.max(0))
            }
            Some(Readiness::NotReady) if is_up => out.write_str(", not ready"),
            _ => Ok(()),
        }
    }
}
