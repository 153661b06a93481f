//! A lock that outlives this program: it belongs to the open file, which the next program inherits.

use std::ffi::CStr;
use std::os::fd::{AsRawFd, IntoRawFd, OwnedFd};

use nix::fcntl::{OFlag, open};
use nix::libc;
use nix::sys::stat::Mode;

use crate::sys::process::exec;
use crate::sys::{Errno, Result, uninterrupted};

/// A file to be locked, which the next program will have open.
#[derive(Debug)]
pub struct LockFile(OwnedFd);

impl LockFile {
    /// Opens a file, made with mode 0600 if it is not there; what is in it stays.
    pub fn open(path: &CStr) -> Result<LockFile> {
        let flags = OFlag::O_WRONLY | OFlag::O_NONBLOCK | OFlag::O_APPEND | OFlag::O_CREAT | OFlag::O_CLOEXEC;
        let file = uninterrupted(|| open(path, flags, Mode::from_bits_truncate(0o600)))?;
        exec::hand_on(file).map(LockFile)
    }

    /// Locks the file for as long as anybody has it open: this process, the program that it becomes, and all to whom
    /// that hands it. Waits for other holders, or answers `EAGAIN`.
    pub fn lock(self, wait: bool) -> Result<()> {
        let operation = if wait { libc::LOCK_EX } else { libc::LOCK_EX | libc::LOCK_NB };
        // By the plain call: nix's lock ends when its owner is dropped, and this one is to stay.
        // SAFETY: a descriptor that is open, and two flags.
        uninterrupted(|| Errno::result(unsafe { libc::flock(self.0.as_raw_fd(), operation) }))?;
        let _ = self.0.into_raw_fd();
        Ok(())
    }
}
