//! The files in a service's `supervise` directory.
//!
//! Only the supervisor writes them (and svscan the log pipe). Nothing in the directory is followed: a link where a file of
//! ours should be is refused with an [`Error`]. The directory itself may be a link to somewhere that can be
//! written.
//!
//! # Whose files these are
//!
//! A directory is *guarded* if it belongs to this program's user, or to root, and nobody else can write to it. What is in
//! a guarded directory was put there by its owner: `control` and `ok` may then belong to an operator, who controls the
//! service with them. The lock and the log pipe must be this program's user's own.
//!
//! A service also runs in any other directory. But the supervisor does not act on what it reads there, because others
//! may have written it: see [`Files::believed`].

use std::thread::sleep;
use std::time::Duration;

use crate::supervise::error::Error;
use crate::supervise::last_exit::LastExit;
use crate::supervise::record::ProcessRecord;
use crate::supervise::status::Status;
use crate::sys::dir::Dir;
use crate::sys::fifo::{Access, Fifo};
use crate::sys::file::{self, Lock};
use crate::sys::process::pid::Pid;
use crate::sys::process::pidfd;
use crate::sys::replace::{ReplaceStep, Replacement};
use crate::sys::stat::{FileId, Stat};
use crate::sys::{Errno, fd};

/// The directory, within the service directory.
pub const SUPERVISE: &[u8] = b"supervise";
/// Locked while a supervisor runs.
pub const LOCK: &[u8] = b"lock";
/// Receives a byte for each command.
pub const CONTROL: &[u8] = b"control";
/// Has a reader while a supervisor runs.
pub const OK: &[u8] = b"ok";
/// The state of the service: see [`Status`].
pub const STATUS: &[u8] = b"status";
/// Which process the service is: see [`ProcessRecord`].
pub const PROCESS: &[u8] = b"process";
/// How often `./run` has been started since the directory was made, in decimal.
pub const STARTS: &[u8] = b"starts";
/// How `./run` last ended: `exit 0`, `signal 15` or `unknown`.
pub const LAST_EXIT: &[u8] = b"last-exit";
/// Exists while the service is ready, with the label of the time when it became ready.
pub const READY: &[u8] = b"ready";
/// The service writes a newline here when it is ready, if it has a `notification-fd`.
pub const NOTIFY: &[u8] = b"notify";
/// The socket to which the service sends descriptors: see [`FdStore`](crate::supervise::fdstore::FdStore).
pub const FDSTORE: &[u8] = b"fdstore";
/// Which descriptors the supervisor keeps for the service.
pub const STORED: &[u8] = b"stored";
/// What the service writes to its standard output, on the way to its logger.
pub const LOGPIPE: &[u8] = b"logpipe";

/// Only the owner may write to a FIFO of ours.
const FIFO_MODE: u32 = 0o600;
/// The bits by which others than a FIFO's owner and group use it, and those of its group.
const OTHERS: u32 = 0o007;
const GROUP: u32 = 0o070;
/// The bits by which others than its owner write to a file or directory.
const WRITABLE_BY_OTHERS: u32 = 0o022;
/// Files of root are trusted, because root can control this process anyway.
const ROOT: u32 = 0;
const DIRECTORY_MODE: u32 = 0o700;
const LOCK_MODE: u32 = 0o600;

/// How the files with text or records are replaced: they need not survive a power failure.
const REPLACEMENT: Replacement =
    Replacement { suffix: b".new", mode: 0o644, overrides_umask: false, is_durable: false };

/// More is not read of a list of descriptors.
const STORED_BYTES_MAX: usize = 1 << 20;

/// How often, and how long apart, the lock is asked for: a process between fork and exec holds it for a moment after
/// its supervisor was killed.
const LOCK_ATTEMPTS: u32 = 20;
const BETWEEN_LOCK_ATTEMPTS: Duration = Duration::from_millis(5);

/// A `supervise` directory that is held open.
#[derive(Debug)]
pub struct Files(Dir);

impl From<Dir> for Files {
    fn from(dir: Dir) -> Files {
        Files(dir)
    }
}

impl Files {
    /// Opens the directory of a service.
    pub fn open(service: &Dir) -> Result<Files, Error> {
        Ok(Files(service.reach_dir(SUPERVISE)?))
    }

    /// Opens the directory of a service, and makes it if it is not there.
    pub fn make(service: &Dir) -> Result<Files, Error> {
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

    /// Which directory it is; `None` if the system cannot tell.
    #[must_use]
    pub fn identity(&self) -> Option<FileId> {
        self.0.stat_self().ok().map(|stat| stat.identity)
    }

    /// The supervisor that runs: the process that holds the lock. `None` if that cannot be determined, or if others could have
    /// put the file there.
    #[must_use]
    pub fn supervisor(&self) -> Option<Pid> {
        self.guard().ok()?;
        file::lock_holder(self.0.open_to_read(LOCK).ok()?.stat().ok()?)
    }

    /// Takes the lock that says that a supervisor runs.
    pub fn lock(&self) -> Result<Lock, Error> {
        for _ in 1..LOCK_ATTEMPTS {
            match self.try_lock() {
                Err(Error::System(Errno::EAGAIN)) => sleep(BETWEEN_LOCK_ATTEMPTS),
                answer => return answer,
            }
        }
        self.try_lock()
    }

    fn try_lock(&self) -> Result<Lock, Error> {
        let file = self.0.open_to_append(LOCK, LOCK_MODE)?;
        let stat = file.stat()?;
        if !stat.is_plain {
            return Err(Error::NoPlainFile);
        }
        match self.guard() {
            Ok(()) if stat.owner != pidfd::own_user() => return Err(Error::Foreign),
            // If another user's lock file were linked here, locking it would block that user's programs.
            Err(_) if stat.links > 1 => return Err(Error::Linked),
            _ => {}
        }
        Ok(Lock::try_exclusive(file)?)
    }

    /// Whether the lock is held; `None` if that cannot be determined.
    #[must_use]
    pub fn is_locked(&self) -> Option<bool> {
        match Lock::try_exclusive(self.0.open_to_read(LOCK).ok()?) {
            Ok(_) => Some(false),
            Err(Errno::EAGAIN) => Some(true),
            Err(_) => None,
        }
    }

    /// Opens a FIFO of ours, and makes it if it is not there. `Ok(true)`: its permissions allowed others to use it, and
    /// have been corrected.
    pub fn fifo(&self, name: &[u8], access: Access) -> Result<(Fifo, bool), Error> {
        let fifo = self.open_or_make_fifo(name, access)?;
        if fifo.owner()? != pidfd::own_user() {
            return Err(Error::Foreign);
        }
        self.close_to(OTHERS | GROUP, fifo)
    }

    /// Opens a FIFO that may have been given to an operator, or to a group of them, and makes one of ours if it is not
    /// there. `Ok(true)`: its permissions allowed everybody to use it, and have been corrected.
    pub fn fifo_to_share(&self, name: &[u8], access: Access) -> Result<(Fifo, bool), Error> {
        let fifo = self.open_or_make_fifo(name, access)?;
        let is_all_ours = fifo.owner()? == pidfd::own_user() && fifo.is_of_own_group()?;
        self.close_to(if is_all_ours { OTHERS | GROUP } else { OTHERS }, fifo)
    }

    /// Removes a FIFO that is as we make it: nobody was given it.
    pub fn remove_own_fifo(&self, name: &[u8]) {
        let is_own = |fifo: &Fifo| {
            let stat = fifo.stat().ok()?;
            Some(stat.owner == pidfd::own_user() && stat.mode == FIFO_MODE && fifo.is_of_own_group().ok()?)
        };
        if Fifo::open(&self.0, name, Access::Both).is_ok_and(|fifo| is_own(&fifo) == Some(true)) {
            self.remove(name);
        }
    }

    /// Opens a FIFO of ours that is there.
    pub fn own_fifo(&self, name: &[u8], access: Access) -> Result<Fifo, Error> {
        let fifo = Fifo::open(&self.0, name, access)?;
        if fifo.owner()? == pidfd::own_user() { Ok(fifo) } else { Err(Error::Foreign) }
    }

    fn open_or_make_fifo(&self, name: &[u8], access: Access) -> Result<Fifo, Error> {
        // Opening it checks an existing file. If it could not be made, opening fails too.
        let made = Fifo::make(&self.0, name, FIFO_MODE);
        match (Fifo::open(&self.0, name, access), made) {
            (Ok(fifo), _) => Ok(fifo),
            (Err(Errno::ENOENT), Err(errno)) | (Err(errno), _) => Err(errno.into()),
        }
    }

    /// Clears these mode bits of a FIFO; returns whether any were set.
    fn close_to(&self, bits: u32, fifo: Fifo) -> Result<(Fifo, bool), Error> {
        let stat = fifo.stat()?;
        // A file with another name elsewhere is not changed: its permissions matter there.
        if stat.links > 1 && self.guard().is_err() {
            return Err(Error::Linked);
        }
        if stat.mode & bits == 0 {
            return Ok((fifo, false));
        }
        match fifo.set_mode(FIFO_MODE | stat.mode & GROUP & !bits) {
            Ok(()) => Ok((fifo, true)),
            Err(Errno::EPERM) => Err(Error::Writable),
            Err(errno) => Err(errno.into()),
        }
    }

    /// Whether what is in the directory was put there by this program's user, or by root; what speaks against it if not.
    pub fn guard(&self) -> Result<(), Error> {
        guard(self.0.stat_self()?)
    }

    /// The files of an earlier supervisor that this one may act on. Only a guarded directory is trusted: otherwise
    /// anyone could name a process, which would then be signalled.
    pub fn believed(&self) -> Result<Believed<'_>, Error> {
        self.guard().map(|()| Believed(&self.0))
    }

    /// Opens a FIFO that a supervisor reads, to write to it; `ENXIO` when no supervisor runs.
    pub fn fifo_of_supervisor(&self, name: &[u8]) -> Result<Fifo, Error> {
        Ok(Fifo::open(&self.0, name, Access::Write)?)
    }

    /// Makes or replaces a file in one step: a reader sees the old bytes or the new ones. Returns the step that
    /// failed.
    pub fn replace(&self, name: &[u8], bytes: &[u8]) -> Result<(), (ReplaceStep, Errno)> {
        REPLACEMENT.carry_out(&self.0, name, bytes)
    }

    /// Removes a file, if it exists.
    pub fn remove(&self, name: &[u8]) {
        // A file that cannot be removed is overwritten next time.
        let _ = self.0.unlink(name);
    }

    /// Reads what the supervisor says of the service.
    pub fn status(&self) -> Option<Status> {
        let mut room = [0; Status::BYTES];
        Status::from_bytes(read(&self.0, STATUS, &mut room).ok()??)
    }

    /// Reads how often the service has been started.
    #[must_use]
    pub fn starts(&self) -> Option<u64> {
        let mut room = [0; 32];
        parse_starts(read(&self.0, STARTS, &mut room).ok()??)
    }

    /// Reads how the service last ended.
    #[must_use]
    pub fn last_exit(&self) -> Option<LastExit> {
        let mut room = [0; 32];
        LastExit::parse(read(&self.0, LAST_EXIT, &mut room).ok()??)
    }
}

/// What is in a guarded directory. Each file must be its owner's too, as it may be older than the guard.
#[derive(Clone, Copy, Debug)]
pub struct Believed<'f>(&'f Dir);

impl Believed<'_> {
    /// Which process the service is or was.
    pub fn record(self) -> Result<Option<ProcessRecord>, Error> {
        let mut room = [0; ProcessRecord::TEXT_BYTES_MAX];
        Ok(self.read(PROCESS, &mut room)?.and_then(ProcessRecord::parse))
    }

    /// Which descriptors were stored for the service.
    pub fn stored(self) -> Result<Option<String>, Error> {
        let mut room = vec![0; STORED_BYTES_MAX];
        Ok(self.read(STORED, &mut room)?.map(|text| String::from_utf8_lossy(text).into_owned()))
    }

    /// How the service was.
    pub fn status(self) -> Result<Option<Status>, Error> {
        let mut room = [0; Status::BYTES];
        Ok(self.read(STATUS, &mut room)?.and_then(Status::from_bytes))
    }

    /// How often the service has been started.
    pub fn starts(self) -> Result<Option<u64>, Error> {
        let mut room = [0; 32];
        Ok(self.read(STARTS, &mut room)?.and_then(parse_starts))
    }

    /// How the service last ended.
    pub fn last_exit(self) -> Result<Option<LastExit>, Error> {
        let mut room = [0; 32];
        Ok(self.read(LAST_EXIT, &mut room)?.and_then(LastExit::parse))
    }

    fn read<'r>(self, name: &[u8], room: &'r mut [u8]) -> Result<Option<&'r [u8]>, Error> {
        read_if(self.0, name, room, guard)
    }
}

fn guard(stat: Stat) -> Result<(), Error> {
    if stat.owner != pidfd::own_user() && stat.owner != ROOT {
        return Err(Error::Foreign);
    }
    if stat.mode & WRITABLE_BY_OTHERS == 0 { Ok(()) } else { Err(Error::Writable) }
}

fn parse_starts(text: &[u8]) -> Option<u64> {
    std::str::from_utf8(text).ok()?.trim_end().parse().ok()
}

/// Reads the beginning of a plain file, at most as much as `room` holds; `None` when there is no such name.
pub fn read<'r>(dir: &Dir, name: &[u8], room: &'r mut [u8]) -> Result<Option<&'r [u8]>, Error> {
    read_if(dir, name, room, |_| Ok(()))
}

/// The same, if what was opened passes a check.
fn read_if<'r>(
    dir: &Dir,
    name: &[u8],
    room: &'r mut [u8],
    check: impl Fn(Stat) -> Result<(), Error>,
) -> Result<Option<&'r [u8]>, Error> {
    let file = match dir.open_to_read(name) {
        Err(Errno::ENOENT) => return Ok(None),
        answer => answer?,
    };
    let stat = file.stat()?;
    if !stat.is_plain {
        return Err(Error::NoPlainFile);
    }
    check(stat)?;
    let length = fd::read(&file, room)?;
    Ok(Some(&room[..length]))
}
