//! FIFOs in a directory that is held open.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use nix::fcntl::{FcntlArg, OFlag, fcntl, open, openat};
use nix::libc;
use nix::sys::stat::{Mode, SFlag, fchmod, fstat, mknodat};

use crate::sys::dir::Dir;
use crate::sys::stat::{FileId, Stat};
use crate::sys::{Errno, Result, uninterrupted};

/// What a FIFO is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// For reading alone: end of file is seen when the last writer has gone.
    Read,
    /// For writing alone; `ENXIO` when nobody has it open for reading.
    Write,
    /// For both: the FIFO then always has a reader and a writer.
    Both,
}

/// A FIFO that is open and answers `EAGAIN` instead of waiting. Closed on drop and on exec.
#[derive(Debug)]
pub struct Fifo(OwnedFd);

impl Fifo {
    /// Makes a FIFO, unless the name is taken.
    pub fn make(dir: &Dir, name: &[u8], mode: u32) -> Result<()> {
        match mknodat(dir.as_fd(), name, SFlag::S_IFIFO, Mode::from_bits_truncate(mode), 0) {
            Err(Errno::EEXIST) => Ok(()),
            answer => answer,
        }
    }

    /// Opens a FIFO by its name. No link is followed, and what is not a FIFO is `EPROTO`.
    pub fn open(dir: &Dir, name: &[u8], access: Access) -> Result<Fifo> {
        let access = match access {
            Access::Read => OFlag::O_RDONLY,
            Access::Write => OFlag::O_WRONLY,
            Access::Both => OFlag::O_RDWR,
        };
        let flags = access | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC | OFlag::O_NOFOLLOW;
        let fifo = uninterrupted(|| openat(dir.as_fd(), name, flags, Mode::empty()))?;
        let mode = fstat(&fifo)?.st_mode;
        if mode & libc::S_IFMT == libc::S_IFIFO { Ok(Fifo(fifo)) } else { Err(Errno::EPROTO) }
    }

    /// One that another program had opened; `EPROTO` if it is none.
    pub fn handed_on(descriptor: OwnedFd) -> Result<Fifo> {
        let mode = fstat(&descriptor)?.st_mode;
        if mode & libc::S_IFMT == libc::S_IFIFO { Ok(Fifo(descriptor)) } else { Err(Errno::EPROTO) }
    }

    /// Asks for the user that owns it.
    pub fn owner(&self) -> Result<u32> {
        fstat(&self.0).map(|stat| stat.st_uid)
    }

    /// Whether its group is that of this process.
    pub fn is_of_own_group(&self) -> Result<bool> {
        fstat(&self.0).map(|stat| stat.st_gid == nix::unistd::getegid().as_raw())
    }

    /// Opens the same FIFO anew, for reading alone, whatever its name is by now.
    pub fn reopen_to_read(&self) -> Result<Fifo> {
        let path = format!("/proc/self/fd/{}", self.0.as_raw_fd());
        let flags = OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
        let fifo = uninterrupted(|| open(&path[..], flags, Mode::empty()))?;
        if identity(&fifo)? == identity(&self.0)? { Ok(Fifo(fifo)) } else { Err(Errno::ESTALE) }
    }

    /// Asks what the FIFO is.
    pub fn stat(&self) -> Result<Stat> {
        fstat(&self.0).map(|stat| Stat::from(&stat))
    }

    /// Sets the permission bits.
    pub fn set_mode(&self, mode: u32) -> Result<()> {
        uninterrupted(|| fchmod(&self.0, Mode::from_bits_truncate(mode)))
    }

    /// From now on, reading and writing wait. Only this opening is concerned, not others of the same FIFO.
    pub fn set_blocking(&self) -> Result<()> {
        let flags = OFlag::from_bits_retain(fcntl(&self.0, FcntlArg::F_GETFL)?);
        fcntl(&self.0, FcntlArg::F_SETFL(flags & !OFlag::O_NONBLOCK)).map(drop)
    }
}

impl AsFd for Fifo {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Which file is open under a descriptor.
pub fn identity(descriptor: impl AsFd) -> Result<FileId> {
    fstat(descriptor.as_fd()).map(|stat| Stat::from(&stat).identity)
}
