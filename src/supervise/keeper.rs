//! The supervisor of one directory, as svscan sees it: started by it, found running, or absent.

use std::ffi::{CStr, CString};
use std::os::fd::BorrowedFd;
use std::time::Duration;

use crate::supervise::files::{CONTROL, Files, OK};
use crate::supervise::state::Want;
use crate::supervise::status::Status;
use crate::sys::child::Ended;
use crate::sys::dir::Dir;
use crate::sys::fifo::Fifo;
use crate::sys::spawn::Program;
use crate::sys::{Errno, Result, clock, fd, program};

/// Until a supervisor that left by itself is started again: it was told to leave, or will fail again.
const AFTER_LEAVING: Duration = Duration::from_secs(5);
/// Between two starts of a supervisor that is killed again and again.
const BETWEEN_STARTS: Duration = Duration::from_secs(1);

/// The supervisor of one directory.
#[derive(Debug)]
pub enum Keeper {
    /// There is none, and it may be started from this moment on.
    Absent(Duration),
    /// A child of ours.
    Child {
        /// Its process.
        process: i32,
        /// When it was started.
        since: Duration,
    },
    /// Somebody else's: an earlier svscan was killed. The FIFO is open as long as the supervisor runs.
    Found(Fifo),
}

impl Keeper {
    /// Whether one runs.
    #[must_use]
    pub fn is_there(&self) -> bool {
        !matches!(self, Keeper::Absent(_))
    }

    /// Whether there is none and one may be started now.
    #[must_use]
    pub fn is_due(&self) -> bool {
        matches!(self, Keeper::Absent(moment) if *moment <= clock::uptime())
    }

    /// The child has ended.
    pub fn ended(&mut self, how: Ended) {
        let now = clock::uptime();
        *self = match (how, &self) {
            (Ended::Exited(_), _) => Keeper::Absent(now + AFTER_LEAVING),
            (Ended::Killed(_), Keeper::Child { since, .. }) => Keeper::Absent(now.max(*since + BETWEEN_STARTS)),
            (Ended::Killed(_), _) => Keeper::Absent(now),
        };
    }

    /// The one that was found has gone. If its status says that nothing runs and nothing is to run, it has left by itself;
    /// if nothing runs and something should, it was killed while it waited, or was told to leave as it was.
    pub fn vanished(&mut self, directory: &CStr) {
        let status = Dir::reach(directory).ok().and_then(|dir| Files::open(&dir).ok()?.status());
        let wait = match status {
            Some(Status { process: 0, want: Want::Up, .. }) => BETWEEN_STARTS,
            Some(Status { process: 0, .. }) => AFTER_LEAVING,
            _ => Duration::ZERO,
        };
        *self = Keeper::Absent(clock::uptime() + wait);
    }

    /// An attempt to start it has failed.
    pub fn postpone(&mut self) {
        *self = Keeper::Absent(clock::uptime() + AFTER_LEAVING);
    }

    /// Waits for nothing any more.
    pub fn hurry(&mut self) {
        if let Keeper::Absent(moment) = self {
            *moment = Duration::ZERO;
        }
    }

    /// Finds one that runs already.
    pub fn find(&mut self, dir: &Dir) -> bool {
        let found = Files::open(dir).and_then(|files| files.fifo_of_supervisor(OK));
        if let Ok(fifo) = found {
            *self = Keeper::Found(fifo);
        }
        self.is_there()
    }

    /// Starts one.
    pub fn start(&mut self, directory: &CStr, ends: Ends<'_>, complain: impl Fn(Errno)) -> Result<()> {
        let sibling = sibling(c"supervise");
        let supervisor = Program {
            name: c"supervise",
            arguments: &[c"supervise", directory],
            otherwise: sibling.as_deref(),
            standard: [ends.input, ends.output, None],
            environment: None,
        };
        let process = supervisor.start(complain)?;
        *self = Keeper::Child { process, since: clock::uptime() };
        Ok(())
    }
}

/// What a supervisor gets instead of svscan's own standard input and output.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ends<'a> {
    /// A logger's input.
    pub input: Option<BorrowedFd<'a>>,
    /// A service's output.
    pub output: Option<BorrowedFd<'a>>,
}

/// Where a program of the family is that was installed beside this one.
#[must_use]
pub fn sibling(name: &CStr) -> Option<CString> {
    let mut path = program::own_path()?;
    path.truncate(path.iter().rposition(|&byte| byte == b'/')? + 1);
    path.extend(name.to_bytes());
    CString::new(path).ok()
}

/// Writes commands to the supervisor of a directory; says whether one took them.
pub fn tell(directory: &CStr, commands: &[u8]) -> bool {
    let told = Dir::reach(directory).ok().and_then(|dir| {
        let control = Files::open(&dir).ok()?.fifo_of_supervisor(CONTROL).ok()?;
        fd::write(&control, commands).ok()
    });
    told == Some(commands.len())
}

/// Whether the process that the directory's supervisor last recorded still runs.
#[must_use]
pub fn has_process(directory: &CStr) -> bool {
    let record = Dir::reach(directory).ok().and_then(|dir| Files::open(&dir).ok()?.record());
    record.is_some_and(|record| record.is_alive())
}
