//! Files that are open.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::fcntl::{Flock, FlockArg};
use nix::sys::stat::{FileStat, Mode, fchmod, fstat};

use crate::sys::{Result, fd, uninterrupted};

/// An open file, closed on drop and on exec.
#[derive(Debug)]
pub struct File(OwnedFd);

impl File {
    /// Appends (or writes, by how it was opened) some of `bytes`, and says how many.
    pub fn write(&self, bytes: &[u8]) -> Result<usize> {
        fd::write(&self.0, bytes)
    }

    /// Waits until the file's bytes are on the disk.
    pub fn sync(&self) -> Result<()> {
        uninterrupted(|| nix::unistd::fsync(&self.0))
    }

    /// Sets the permission bits.
    pub fn set_mode(&self, mode: u32) -> Result<()> {
        uninterrupted(|| fchmod(&self.0, Mode::from_bits_truncate(mode)))
    }

    /// Asks what the file is.
    pub fn stat(&self) -> Result<Stat> {
        fstat(&self.0).map(|stat| Stat::from(&stat))
    }
}

impl From<OwnedFd> for File {
    fn from(descriptor: OwnedFd) -> File {
        File(descriptor)
    }
}

impl AsFd for File {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// What the system says of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stat {
    /// Whether it is a plain file: no directory, link, FIFO, socket or device.
    pub is_plain: bool,
    /// Whether it is a directory.
    pub is_directory: bool,
    /// The user that owns it.
    pub owner: u32,
    /// The permission bits, 0o7777 at most.
    pub mode: u32,
    /// The length.
    pub size_bytes: u64,
    /// How many names the file has.
    pub links: u64,
    /// The file system it is on, and its number there: together its identity.
    pub identity: (u64, u64),
}

impl From<&FileStat> for Stat {
    fn from(stat: &FileStat) -> Stat {
        Stat {
            is_plain: stat.st_mode & nix::libc::S_IFMT == nix::libc::S_IFREG,
            is_directory: stat.st_mode & nix::libc::S_IFMT == nix::libc::S_IFDIR,
            owner: stat.st_uid,
            mode: stat.st_mode & 0o7777,
            size_bytes: u64::try_from(stat.st_size).unwrap_or(0),
            links: u64::from(stat.st_nlink),
            identity: (stat.st_dev, stat.st_ino),
        }
    }
}

/// A file that is locked against everybody else who locks it, until dropped.
///
/// The lock is `flock`'s, as 0.76 takes it: the other kinds of locks do not exclude it.
#[derive(Debug)]
pub struct Lock(Flock<OwnedFd>);

impl AsFd for Lock {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Lock {
    /// Locks a file, or fails at once with `EAGAIN` when somebody else holds the lock.
    pub fn try_exclusive(file: File) -> Result<Lock> {
        match Flock::lock(file.0, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => Ok(Lock(lock)),
            Err((_, errno)) => Err(errno),
        }
    }
}
