//! Takes over from an earlier supervisor: its counters, and the process that it left behind when it was killed.

use super::{PROGRAM, Running, Supervisor};
use crate::cli::Shown;
use crate::supervise::error::Error;
use crate::supervise::files::{LAST_EXIT, PROCESS, READY, STARTS, STATUS};
use crate::supervise::last_exit::LastExit;
use crate::supervise::record::{ProcessRecord, ServiceScript};
use crate::supervise::state::{Phase, Want};
use crate::sys::process::pidfd::Pidfd;

/// Reads a file of an earlier supervisor; `None` if it does not exist.
type FileResult<T> = std::result::Result<Option<T>, Error>;

impl Supervisor {
    /// The value of a file of an earlier supervisor. An untrusted file is reported and ignored.
    pub(super) fn heed<T>(&self, file: &[u8], answer: FileResult<T>) -> Option<T> {
        if let Err(error @ (Error::Foreign | Error::Writable)) = answer {
            let (name, file) = (Shown(&self.name), Shown(file));
            PROGRAM.warn(format_args!("ignoring {name}/supervise/{file}: {error}"));
        }
        answer.ok().flatten()
    }

    /// Continues the counters of an earlier supervisor.
    pub(super) fn remember(&mut self) {
        // For an untrusted directory, this has been reported.
        let Ok(left) = self.files.believed() else { return };
        let starts = self.heed(STARTS, left.starts()).unwrap_or(0);
        let last_exit = self.heed(LAST_EXIT, left.last_exit()).unwrap_or(LastExit::Unknown);
        (self.starts, self.last_exit) = (starts, last_exit);
    }

    /// Recognises the process that a killed supervisor has left, if it still runs, and supervises it.
    pub(super) fn adopt(&mut self) {
        let record = self.files.believed().ok().and_then(|left| self.heed(PROCESS, left.record()));
        let Some(record) = record.filter(ProcessRecord::is_alive) else {
            self.files.remove(READY);
            return;
        };
        // Fails only if it has ended.
        let Ok(held) = Pidfd::open(record.process) else { return };
        // It may have ended, and its number been reused, before the pidfd was opened.
        if !record.is_alive() {
            return;
        }
        if held.end().is_none() {
            let (name, process) = (Shown(&self.name), record.process);
            PROGRAM.warn(format_args!("unable to hold process {process} of {name}, checking it twice a second"));
        }
        let phase = match record.script {
            ServiceScript::Run => Phase::Up,
            ServiceScript::Finish => Phase::Finishing,
        };
        self.running = Some(Running { process: record.process, script: record.script, adopted: Some(held) });
        self.state.phase = phase;
        self.state.want = Want::Up;
        let status = self.files.believed().ok().and_then(|left| self.heed(STATUS, left.status()));
        if let Some(status) = status {
            self.state.want = status.want;
            self.state.is_paused = status.is_paused;
            // A supervisor killed before it could announce the start has left an older status.
            if status.process == Some(record.process) {
                self.changed = status.changed;
            }
        }
        if phase == Phase::Up {
            self.notify = self.notification().map(|(fifo, _)| fifo);
            if self.state.want == Want::Down {
                self.limit_time();
            }
        }
    }
}
