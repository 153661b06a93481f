//! The files in a service's `supervise` directory.
//!
//! Only the supervisor writes them (and svscan the log pipe). Nothing in the directory is followed: a link, or
//! something of another user, where a file of ours should be is refused with a [`Fault`] that says so. The directory
//! itself may be a link to somewhere that can be written.

use std::fmt;
use std::thread::sleep;
use std::time::Duration;

use crate::cli::cause;
use crate::supervise::record::Record;
use crate::supervise::status::Status;
use crate::sys::dir::Dir;
use crate::sys::fifo::{Access, Fifo};
use crate::sys::file::{File, Lock};
use crate::sys::{Errno, fd, pidfd};

/// The directory, within the service directory.
pub const SUPERVISE: &[u8] = b"supervise";
/// Locked while a supervisor runs.
pub const LOCK: &[u8] = b"lock";
/// Takes a byte for each command.
pub const CONTROL: &[u8] = b"control";
/// Has a reader while a supervisor runs.
pub const OK: &[u8] = b"ok";
/// How the service is: see [`Status`].
pub const STATUS: &[u8] = b"status";
/// Which process the service is: see [`Record`].
pub const PROCESS: &[u8] = b"process";
/// How often `./run` has been started since the directory was made, in decimal.
pub const STARTS: &[u8] = b"starts";
/// How `./run` last ended: `exit 0`, `signal 15` or `unknown`.
pub const LAST_EXIT: &[u8] = b"last-exit";
/// There while the service is ready, with the label of the moment when it became so.
pub const READY: &[u8] = b"ready";
/// The service writes a newline here when it is ready, if it has a `notification-fd`.
pub const NOTIFY: &[u8] = b"notify";
/// What the service writes to its standard output, on the way to its logger.
pub const LOGPIPE: &[u8] = b"logpipe";

/// Only the owner may write to a FIFO of ours.
const FIFO_MODE: u32 = 0o600;
const DIRECTORY_MODE: u32 = 0o700;
const LOCK_MODE: u32 = 0o600;
const FILE_MODE: u32 = 0o644;

/// How often, and how long apart, the lock is asked for: a process between fork and exec holds it for a moment after
/// its supervisor was killed.
const LOCK_ATTEMPTS: u32 = 20;
const BETWEEN_LOCK_ATTEMPTS: Duration = Duration::from_millis(5);

/// Why a file of ours cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The system refuses.
    System(Errno),
    /// Something else is where a FIFO should be.
    NoFifo,
    /// Something else is where a plain file should be.
    NoPlainFile,
    /// The file belongs to another user.
    Foreign,
}

impl From<Errno> for Fault {
    fn from(errno: Errno) -> Fault {
        // `Fifo::open` says so of what is not a FIFO.
        if errno == Errno::EPROTO { Fault::NoFifo } else { Fault::System(errno) }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Fault::System(errno) => cause(*errno),
            Fault::NoFifo => "not a FIFO",
            Fault::NoPlainFile => "not a plain file",
            Fault::Foreign => "owned by another user",
        })
    }
}

/// A `supervise` directory that is held open.
#[derive(Debug)]
pub struct Files(Dir);

impl Files {
    /// Opens the directory of a service.
    pub fn open(service: &Dir) -> Result<Files, Fault> {
        Ok(Files(service.reach_dir(SUPERVISE)?))
    }

    /// Opens the directory of a service, and makes it if it is not there.
    pub fn make(service: &Dir) -> Result<Files, Fault> {
        match service.reach_dir(SUPERVISE) {
            Ok(dir) => Ok(Files(dir)),
            Err(Errno::ENOENT) => {
                service.make_dir(SUPERVISE, DIRECTORY_MODE)?;
                Files::open(service)
            }
            Err(errno) => Err(errno.into()),
        }
    }

    /// The directory itself.
    #[must_use]
    pub fn dir(&self) -> &Dir {
        &self.0
    }

    /// Takes the lock that says that a supervisor runs.
    pub fn lock(&self) -> Result<Lock, Fault> {
        for _ in 1..LOCK_ATTEMPTS {
            match self.try_lock() {
                Err(Fault::System(Errno::EAGAIN)) => sleep(BETWEEN_LOCK_ATTEMPTS),
                answer => return answer,
            }
        }
        self.try_lock()
    }

    fn try_lock(&self) -> Result<Lock, Fault> {
        let file = self.0.open_to_append(LOCK, LOCK_MODE)?;
        own(&file)?;
        Ok(Lock::try_exclusive(file)?)
    }

    /// Opens a FIFO of ours, and makes it if it is not there. `Ok(true)`: others could have written to it, which is now
    /// put right.
    pub fn fifo(&self, name: &[u8], access: Access) -> Result<(Fifo, bool), Fault> {
        // What is there is looked at by the opening; a failure to make one shows there too.
        let made = Fifo::make(&self.0, name, FIFO_MODE);
        let fifo = match (Fifo::open(&self.0, name, access), made) {
            (Ok(fifo), _) => fifo,
            (Err(Errno::ENOENT), Err(errno)) | (Err(errno), _) => return Err(errno.into()),
        };
        let stat = fifo.stat()?;
        if fifo.owner()? != pidfd::own_user() {
            return Err(Fault::Foreign);
        }
        let is_open_to_others = stat.mode & 0o077 != 0;
        if is_open_to_others {
            fifo.set_mode(FIFO_MODE)?;
        }
        Ok((fifo, is_open_to_others))
    }

    /// Opens a FIFO that a supervisor reads, to write to it; `ENXIO` when no supervisor runs.
    pub fn fifo_of_supervisor(&self, name: &[u8]) -> Result<Fifo, Fault> {
        Ok(Fifo::open(&self.0, name, Access::Write)?)
    }

    /// Makes or replaces a file in one step: whoever reads it sees the old bytes or the new ones. Returns the step that
    /// failed.
    pub fn replace(&self, name: &[u8], bytes: &[u8]) -> Result<(), (Step, Errno)> {
        let new = [name, b".new"].concat();
        let file = match self.0.open_new(&new, FILE_MODE) {
            // Left behind by a supervisor that was killed, or planted: its name goes, what it may lead to stays.
            Err(Errno::EEXIST) => self.0.unlink(&new).and_then(|()| self.0.open_new(&new, FILE_MODE)),
            answer => answer,
        }
        .map_err(|errno| (Step::Open, errno))?;
        fd::write_all(&file, bytes).map_err(|errno| (Step::Write, errno))?;
        self.0.rename(&new, name).map_err(|errno| (Step::Rename, errno))
    }

    /// Takes a file away, if it is there.
    pub fn remove(&self, name: &[u8]) {
        // What cannot be removed is overwritten next time.
        let _ = self.0.unlink(name);
    }

    /// Reads what the supervisor says of the service.
    pub fn status(&self) -> Option<Status> {
        let mut room = [0; Status::BYTES];
        Status::from_bytes(read(&self.0, STATUS, &mut room).ok()??)
    }

    /// Reads which process the service is or was.
    #[must_use]
    pub fn record(&self) -> Option<Record> {
        let mut room = [0; Record::TEXT_BYTES_MAX];
        Record::parse(read(&self.0, PROCESS, &mut room).ok()??)
    }

    /// Reads how often the service has been started.
    #[must_use]
    pub fn starts(&self) -> Option<u64> {
        let mut room = [0; 32];
        std::str::from_utf8(read(&self.0, STARTS, &mut room).ok()??).ok()?.trim_end().parse().ok()
    }

    /// Reads how the service last ended.
    #[must_use]
    pub fn last_exit(&self) -> Option<LastExit> {
        let mut room = [0; 32];
        LastExit::parse(read(&self.0, LAST_EXIT, &mut room).ok()??)
    }
}

/// The steps of replacing a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Opening the new file.
    Open,
    /// Writing it.
    Write,
    /// Giving it its name.
    Rename,
}

/// How `./run` last ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LastExit {
    /// With this code.
    Exit(i32),
    /// Killed by this signal.
    Signal(i32),
    /// The system did not tell.
    Unknown,
}

impl LastExit {
    /// Reads the file's text.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<LastExit> {
        match std::str::from_utf8(text).ok()?.trim_end().split_once(' ') {
            Some(("exit", code)) => code.parse().ok().map(LastExit::Exit),
            Some(("signal", signal)) => signal.parse().ok().map(LastExit::Signal),
            Some(_) => None,
            None => (text.trim_ascii_end() == b"unknown").then_some(LastExit::Unknown),
        }
    }
}

impl fmt::Display for LastExit {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LastExit::Exit(code) => write!(out, "exit {code}"),
            LastExit::Signal(signal) => write!(out, "signal {signal}"),
            LastExit::Unknown => out.write_str("unknown"),
        }
    }
}

/// Reads the beginning of a plain file, at most as much as `room` holds; `None` when there is no such name.
pub fn read<'r>(dir: &Dir, name: &[u8], room: &'r mut [u8]) -> Result<Option<&'r [u8]>, Fault> {
    let file = match dir.open_to_read(name) {
        Err(Errno::ENOENT) => return Ok(None),
        answer => answer?,
    };
    if !file.stat()?.is_plain {
        return Err(Fault::NoPlainFile);
    }
    let length = fd::read(&file, room)?;
    Ok(Some(&room[..length]))
}

fn own(file: &File) -> Result<(), Fault> {
    if !file.stat()?.is_plain {
        return Err(Fault::NoPlainFile);
    }
    if file.owner()? == pidfd::own_user() { Ok(()) } else { Err(Fault::Foreign) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_exit_survives_its_text() {
        for exit in [LastExit::Exit(0), LastExit::Exit(255), LastExit::Signal(9), LastExit::Unknown] {
            assert_eq!(LastExit::parse(format!("{exit}\n").as_bytes()), Some(exit));
        }
        for text in ["", "exit", "exit x", "left 1", "unknown 1"] {
            assert_eq!(LastExit::parse(text.as_bytes()), None, "{text:?}");
        }
    }
}
