//! Takes over from an earlier supervisor: its counters, and the process that it left behind when it was killed.

use super::{PROGRAM, Running, Supervisor};
use crate::cli::Shown;
use crate::supervise::error::Error;
use crate::supervise::files::{LAST_EXIT, PROCESS, READY, STARTS, STATUS, STORED};
use crate::supervise::last_exit::LastExit;
use crate::supervise::record::{ProcessRecord, ServiceScript};
use crate::supervise::state::{Phase, Want};
use crate::sys::process::pid::Pid;
use crate::sys::process::pidfd::Pidfd;

/// What is read of an earlier supervisor; `None` if it says nothing.
type FileResult<T> = std::result::Result<Option<T>, Error>;

impl Supervisor {
    /// What one of the files of an earlier supervisor says. One that is not to be believed is named and ignored.
    pub(super) fn heed<T>(&self, file: &[u8], answer: FileResult<T>) -> Option<T> {
        if let Err(error @ (Error::Foreign | Error::Writable)) = answer {
            let (name, file) = (Shown(&self.name), Shown(file));
            PROGRAM.warn(format_args!("ignoring {name}/supervise/{file}: {error}"));
        }
        answer.ok().flatten()
    }

    /// Goes on counting where an earlier supervisor has stopped.
    pub(super) fn remember(&mut self) {
        // Of a directory that is not to be believed this has been said.
        let Ok(left) = self.files.believed() else { return };
        let starts = self.heed(STARTS, left.starts()).unwrap_or(0);
        let last_exit = self.heed(LAST_EXIT, left.last_exit()).unwrap_or(LastExit::Unknown);
        (self.starts, self.last_exit) = (starts, last_exit);
    }

    /// Takes the descriptors that the killed supervisor kept out of the service, which still has them.
    fn take_back_stored(&mut self, held: &Pidfd, process: Pid) {
        let list = self.files.believed().ok().and_then(|left| self.heed(STORED, left.stored()));
        let Some(list) = list else { return };
        let missing = self.store.take_back(&list, held, process);
        if missing > 0 {
            let name = Shown(&self.name);
            PROGRAM.warn(format_args!("unable to take {missing} stored descriptors of {name} from process {process}"));
        }
        self.write(STORED, self.store.list().as_bytes());
    }

    /// Recognises the process that a killed supervisor has left, if it still runs, and looks after it.
    pub(super) fn adopt(&mut self) {
        let record = self.files.believed().ok().and_then(|left| self.heed(PROCESS, left.record()));
        let Some(record) = record.filter(ProcessRecord::is_alive) else {
            self.files.remove(READY);
            self.files.remove(STORED);
            return;
        };
        // Fails only if it has ended.
        let Ok(held) = Pidfd::open(record.process) else { return };
        // It may have ended, and its number been given away, between the look and the grip.
        if !record.is_alive() {
            return;
        }
        if held.end().is_none() {
            let (name, process) = (Shown(&self.name), record.process);
            PROGRAM.warn(format_args!("unable to hold process {process} of {name}, looking at it twice a second"));
        }
        let phase = match record.script {
            ServiceScript::Run => Phase::Up,
            ServiceScript::Finish => Phase::Finishing,
        };
        if record.script == ServiceScript::Run {
            self.take_back_stored(&held, record.process);
        }
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
