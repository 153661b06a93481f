//! The supervisor of one directory, in svscan: a child, one that was found running, or absent.

use std::ffi::{CStr, CString};
use std::os::fd::BorrowedFd;
use std::time::Duration;

use crate::supervise::error::Error;
use crate::supervise::files::{CONTROL, Files, OK};
use crate::supervise::state::Want;
use crate::supervise::status::Status;
use crate::sys::dir::Dir;
use crate::sys::fifo::Fifo;
use crate::sys::process::ended::Ended;
use crate::sys::process::pid::Pid;
use crate::sys::process::pidfd;
use crate::sys::process::spawn::Program;
use crate::sys::signal::{self, Signal};
use crate::sys::stat::FileId;
use crate::sys::{Errno, Result, clock, fd, program};

/// Until a supervisor that exited by itself is started again: it was told to exit, or will fail again.
const AFTER_LEAVING: Duration = Duration::from_secs(5);
/// After this time, a supervisor that works reacts to its control FIFO and to signals.
const READY_WITHIN: Duration = Duration::from_secs(1);
/// Between two starts of a supervisor that is killed again and again.
const BETWEEN_STARTS: Duration = Duration::from_secs(1);

/// The supervisor of one directory.
#[derive(Debug)]
pub enum SupervisorProcess {
    /// There is none, and it may be started from this moment on.
    Absent(Duration),
    /// A child of ours.
    Child {
        /// Its process.
        process: Pid,
        /// When it was started.
        since: Duration,
        /// The identity of its directory, whose name may go.
        directory: FileId,
    },
    /// Somebody else's: an earlier svscan was killed.
    Found {
        /// Has a reader as long as the supervisor runs.
        ok: Fifo,
        /// Its control FIFO, whose name may go.
        control: Option<Fifo>,
    },
}

impl SupervisorProcess {
    /// Whether one runs.
    #[must_use]
    pub fn is_there(&self) -> bool {
        !matches!(self, SupervisorProcess::Absent(_))
    }

    /// Whether there is none and one may be started now.
    #[must_use]
    pub fn is_due(&self) -> bool {
        matches!(self, SupervisorProcess::Absent(moment) if *moment <= clock::uptime())
    }

    /// The child has ended.
    pub fn ended(&mut self, how: Ended) {
        let now = clock::uptime();
        *self = match (how, &self) {
            (Ended::Exited(_), _) => SupervisorProcess::Absent(now + AFTER_LEAVING),
            (Ended::Killed(_), SupervisorProcess::Child { since, .. }) => {
                SupervisorProcess::Absent(now.max(*since + BETWEEN_STARTS))
            }
            (Ended::Killed(_), _) => SupervisorProcess::Absent(now),
        };
    }

    /// The supervisor that was found running has exited. If its status says that nothing runs and nothing is to run, it
    /// has exited by itself; if nothing runs and something should, it was killed while it waited, or was told to exit
    /// in that state.
    pub fn vanished(&mut self, directory: &CStr) {
        let status =
            Dir::reach(directory).ok().and_then(|dir| Files::open(&dir).ok()?.believed().ok()?.status().ok()?);
        let wait = match status {
            Some(Status { process: None, want: Want::Up, .. }) => BETWEEN_STARTS,
            Some(Status { process: None, .. }) => AFTER_LEAVING,
            _ => Duration::ZERO,
        };
        *self = SupervisorProcess::Absent(clock::uptime() + wait);
    }

    /// An attempt to start it has failed.
    pub fn postpone(&mut self) {
        *self = SupervisorProcess::Absent(clock::uptime() + AFTER_LEAVING);
    }

    /// Ends the delay before the next start.
    pub fn start_at_once(&mut self) {
        if let SupervisorProcess::Absent(moment) = self {
            *moment = Duration::ZERO;
        }
    }

    /// Finds one that runs already.
    pub fn find(&mut self, dir: &Dir) -> bool {
        let found = Files::open(dir).and_then(|files| {
            // First, so that one that is found can be told to end whatever becomes of its name from now on.
            let control = files.fifo_of_supervisor(CONTROL).ok();
            let ok = files.fifo_of_supervisor(OK)?;
            // An operator to whom the FIFO was given may read it too; a supervisor also has the lock.
            let is_supervisor = match files.is_locked() {
                Some(is_locked) => is_locked,
                None => ok.owner()? == pidfd::own_user(),
            };
            if is_supervisor { Ok((ok, control)) } else { Err(Error::Foreign) }
        });
        if let Ok((ok, control)) = found {
            *self = SupervisorProcess::Found { ok, control };
        }
        self.is_there()
    }

    /// Whether the control FIFO of one that was found has been removed, by its directory's removal.
    #[must_use]
    pub fn is_erased(&self) -> bool {
        let SupervisorProcess::Found { control: Some(control), .. } = self else { return false };
        control.stat().is_ok_and(|stat| stat.links == 0)
    }

    /// Writes commands to the control FIFO of the supervisor; returns whether that succeeded. `name` is where its directory
    /// was.
    pub fn tell(&self, name: &CStr, commands: &[u8]) -> bool {
        self.tell_if(name, commands, |_| true)
    }

    /// The same, but writes nothing if the control FIFO may belong to another process.
    pub fn tell_trusted(&self, name: &CStr, commands: &[u8]) -> bool {
        self.tell_if(name, commands, |files| files.guard().is_ok())
    }

    fn tell_if(&self, name: &CStr, commands: &[u8], condition: impl Fn(&Files) -> bool) -> bool {
        let told = match self {
            SupervisorProcess::Absent(_) => None,
            SupervisorProcess::Found { control: Some(control), .. } => fd::write(control, commands).ok(),
            SupervisorProcess::Found { control: None, .. } => {
                Dir::reach(name).ok().and_then(|dir| write(&Files::open(&dir).ok()?, commands))
            }
            SupervisorProcess::Child { process, directory, .. } => {
                let is_its = |dir: &Dir| dir.stat_self().is_ok_and(|stat| stat.identity == *directory);
                // Its name may be gone or lead elsewhere; the child, which has not been collected, works in it.
                let dir = Dir::reach(name).ok().filter(is_its);
                let dir = dir.or_else(|| Dir::of_process(*process).ok().filter(is_its));
                let files = dir.and_then(|dir| Files::open(&dir).ok());
                files.filter(condition).and_then(|files| write(&files, commands))
            }
        };
        told == Some(commands.len())
    }

    /// Asks the supervisor to end: by commands, or by the signal that asks a child of ours for the same where its control
    /// FIFO is gone, or may be somebody else's.
    pub fn ask(&self, name: &CStr, commands: &[u8], signal: Signal) -> bool {
        let is_told = self.tell_trusted(name, commands);
        match self {
            SupervisorProcess::Child { process, since, .. } if !is_told && clock::uptime() >= *since + READY_WITHIN => {
                signal::send(*process, signal).is_ok()
            }
            _ => is_told,
        }
    }

    /// Starts one, in a directory of this name and identity.
    pub fn start(
        &mut self,
        directory: &CStr,
        identity: FileId,
        ends: Ends<'_>,
        complain: impl Fn(Errno),
    ) -> Result<()> {
        let sibling = sibling(c"supervise");
        let supervisor = Program {
            name: c"supervise",
            arguments: &[c"supervise", directory],
            otherwise: sibling.as_deref(),
            standard: [ends.input, ends.output, None],
            environment: None,
        };
        let process = supervisor.start(complain)?;
        *self = SupervisorProcess::Child { process, since: clock::uptime(), directory: identity };
        Ok(())
    }
}

/// Replaces svscan's own standard input and output in a supervisor.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ends<'a> {
    /// A logger's input.
    pub input: Option<BorrowedFd<'a>>,
    /// A service's output.
    pub output: Option<BorrowedFd<'a>>,
}

/// The path of a program that is installed beside this one.
#[must_use]
pub fn sibling(name: &CStr) -> Option<CString> {
    let mut path = program::own_path()?;
    path.truncate(path.iter().rposition(|&byte| byte == b'/')? + 1);
    path.extend(name.to_bytes());
    CString::new(path).ok()
}

fn write(files: &Files, commands: &[u8]) -> Option<usize> {
    fd::write(&files.fifo_of_supervisor(CONTROL).ok()?, commands).ok()
}

/// Whether the process that the directory's supervisor last recorded still runs.
#[must_use]
pub fn has_process(directory: &Dir) -> bool {
    let record = || Files::open(directory).ok()?.believed().ok()?.record().ok()?;
    record().is_some_and(|record| record.is_alive())
}
