//! A service directory, or that of a log service, as its supervisor describes it.

use logyard::supervise::files::Files;
use logyard::supervise::report::{Error, Report};
use logyard::supervise::snapshot::Failure;
use logyard::sys::Errno;
use logyard::sys::dir::Dir;
use logyard::sys::inotify::Watch;
use logyard::sys::process::pid::Pid;

use crate::look::Look;
use crate::watches::Watches;

/// A directory with a supervisor, held open.
#[derive(Debug)]
pub(crate) struct Unit {
    /// The directory, or why it cannot be reached.
    pub(crate) dir: Result<Dir, Errno>,
    /// Its `supervise` directory; `None` if it cannot be reached.
    pub(crate) files: Option<Files>,
    /// What tells that `supervise` has changed; `None` if nothing does.
    watch: Option<Watch>,
    /// What the supervisor says, or why nothing can be said.
    pub(crate) report: Result<Report, Failure>,
}

impl Unit {
    /// Looks at a directory for the first time.
    pub(crate) fn new(dir: Result<Dir, Errno>, watches: &Watches) -> Unit {
        let mut unit = Unit { dir, files: None, watch: None, report: Err(Failure::Report(Error::NotRunning)) };
        unit.ask(watches);
        unit
    }

    /// Reads what the supervisor says if it says something new, or if nothing tells whether it does.
    pub(crate) fn look(&mut self, look: Look, watches: &Watches) {
        let has_changed = self.watch.map_or(look.is_turn, |watch| watches.has_changed(watch));
        if has_changed || (look.is_thorough && !self.is_as_before()) {
            self.ask(watches);
        }
    }

    /// Reads again what no change of a file in `supervise` tells; `false` if that is not enough.
    fn is_as_before(&mut self) -> bool {
        let (Ok(dir), Some(files), Ok(report)) = (&self.dir, &self.files, &mut self.report) else { return false };
        let is_same = || Some(Files::open(dir).ok()?.identity()? == files.identity()?);
        self.watch.is_some() && is_same() == Some(true) && report.reread(dir, files).is_ok()
    }

    fn ask(&mut self, watches: &Watches) {
        let dir = match &self.dir {
            Ok(dir) => dir,
            Err(errno) => {
                self.report = Err(Failure::Unreachable(*errno));
                return;
            }
        };
        self.files = Files::open(dir).ok();
        // Before the report: what is replaced in between is noticed the next time.
        self.watch = self.files.as_ref().and_then(|files| watches.add(files));
        self.report = Report::of(dir).map_err(Failure::Report);
    }

    /// The process, if the supervisor runs and has one.
    pub(crate) fn process(&self) -> Option<Pid> {
        self.report.as_ref().ok()?.status.process
    }
}
