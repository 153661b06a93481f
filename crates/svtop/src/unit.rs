//! A service directory, or that of a log service, as its supervisor describes it.

use logyard::supervise::files::{Files, STATUS};
use logyard::supervise::report::Report;
use logyard::supervise::snapshot::Failure;
use logyard::sys::dir::Dir;
use logyard::sys::process::pid::Pid;
use logyard::sys::stat::Version;

/// A directory with a supervisor, held open.
#[derive(Debug)]
pub(crate) struct Unit {
    pub(crate) dir: Dir,
    /// Its `supervise` directory; `None` if it cannot be reached.
    pub(crate) files: Option<Files>,
    /// Which `supervise/status` the report is of.
    version: Option<Version>,
    /// What the supervisor says, or why nothing can be said.
    pub(crate) report: Result<Report, Failure>,
}

impl Unit {
    /// Looks at a directory for the first time.
    pub(crate) fn new(dir: Dir) -> Unit {
        let report = Err(Failure::Report(logyard::supervise::report::Error::NotRunning));
        let mut unit = Unit { dir, files: None, version: None, report };
        unit.ask();
        unit
    }

    /// Reads what the supervisor says if it says something new; a thorough look asks in any case. Returns whether it asked.
    pub(crate) fn look(&mut self, is_thorough: bool) -> bool {
        let asks = is_thorough || self.files.is_none() || self.version() != self.version;
        if asks {
            self.ask();
        }
        asks
    }

    fn ask(&mut self) {
        self.files = Files::open(&self.dir).ok();
        // Before the report: what is replaced in between is noticed the next time.
        self.version = self.version();
        self.report = Report::of(&self.dir).map_err(Failure::Report);
    }

    fn version(&self) -> Option<Version> {
        self.files.as_ref()?.dir().version(STATUS).ok().flatten()
    }

    /// The process, if the supervisor runs and has one.
    pub(crate) fn process(&self) -> Option<Pid> {
        self.report.as_ref().ok()?.status.process
    }
}
