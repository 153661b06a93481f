//! Writes to a shared descriptor without waiting for a reader and without changing the descriptor for the others.
//!
//! `O_NONBLOCK` belongs to the open file, which other processes share, so it is never set. What does instead depends on
//! what the descriptor leads to:
//!
//! - a pipe: `RWF_NOWAIT`, for one write (kernel 6.5 and later);
//! - a socket: `MSG_DONTWAIT`;
//! - a terminal, a FIFO, and a pipe where the kernel is older: an open file of our own, by way of `/proc`;
//! - where that is refused: `poll`, and then a write of no more than a pipe takes in one piece. Such a write can wait only
//!   if another writer takes the room in the moment between the two.
//!
//! Files and other devices do not wait for anybody.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::libc;
use nix::sys::stat::{Mode, SFlag, fstat};

use crate::sys::{Result, fd, poll, terminal, uninterrupted};

/// What a pipe takes in one piece, whoever else writes to it, and what there is room for where `poll` says that there is
/// any.
pub const ATOMIC_BYTES: usize = 4096;

/// A descriptor, and how to write to it without waiting.
#[derive(Debug)]
pub struct Prompt {
    sink: BorrowedFd<'static>,
    way: Way,
}

#[derive(Debug)]
enum Way {
    /// Nothing here waits for a reader.
    Plain,
    /// Each write says that it must not wait.
    NoWait,
    Socket,
    /// The same pipe or terminal, opened once more.
    Own(OwnedFd),
    /// Asked for room before each write.
    Polled,
}

impl Prompt {
    /// Finds out how to write to a descriptor.
    #[must_use]
    pub fn new(sink: BorrowedFd<'static>) -> Prompt {
        let kind = fstat(sink).map_or(SFlag::empty(), |stat| SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT);
        let way = match kind {
            SFlag::S_IFIFO => Way::NoWait,
            SFlag::S_IFSOCK => Way::Socket,
            SFlag::S_IFCHR if terminal::is_terminal(sink) => own_or_polled(sink),
            SFlag::S_IFCHR => Way::Polled,
            _ => Way::Plain,
        };
        Prompt { sink, way }
    }

    /// The descriptor.
    #[must_use]
    pub fn descriptor(&self) -> BorrowedFd<'static> {
        self.sink
    }

    /// Writes some of `bytes`, and says how many; `EAGAIN` if there is no room now.
    pub fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        if matches!(self.way, Way::NoWait) {
            match write_no_wait(self.sink, bytes) {
                // A FIFO, an older kernel, or a filter that does not know the call.
                Err(Errno::EOPNOTSUPP | Errno::EINVAL | Errno::ENOSYS | Errno::EPERM | Errno::EACCES) => {
                    self.way = own_or_polled(self.sink);
                }
                answer => return answer,
            }
        }
        match &self.way {
            Way::Plain => fd::write(self.sink, bytes),
            Way::Socket => send_no_wait(self.sink, bytes),
            Way::Own(own) => fd::write(own, bytes),
            Way::Polled | Way::NoWait => write_if_room(self.sink, bytes, Duration::ZERO),
        }
    }

    /// Tells whether [`Prompt::wait`] can tell when there is room again.
    #[must_use]
    pub fn can_wait(&self) -> bool {
        !matches!(self.way, Way::Plain)
    }

    /// Waits until there is room, at most for `timeout` (`None`: without a limit), and says whether there is. An error is room.
    pub fn wait(&self, timeout: Option<Duration>) -> Result<bool> {
        poll::writable(self.sink, timeout)
    }
}

/// Writes some of `bytes`, at most [`ATOMIC_BYTES`], if there is room for them within `timeout`. It needs neither memory nor a lock, so that it can be
/// called between fork and exec.
pub fn write_if_room(sink: BorrowedFd<'_>, bytes: &[u8], timeout: Duration) -> Result<usize> {
    if poll::writable(sink, Some(timeout))? {
        fd::write(sink, &bytes[..bytes.len().min(ATOMIC_BYTES)])
    } else {
        Err(Errno::EAGAIN)
    }
}

/// Opens what `sink` leads to once more. That needs `/proc`, and the permission: a pipe belongs to the user who made it.
fn own_or_polled(sink: BorrowedFd<'_>) -> Way {
    let path = format!("/proc/self/fd/{}", sink.as_raw_fd());
    let flags = OFlag::O_WRONLY | OFlag::O_NONBLOCK | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
    let opened = open(path.as_str(), flags, Mode::empty());
    match opened {
        Ok(own) if is_same(sink, own.as_fd()) => Way::Own(own),
        _ => Way::Polled,
    }
}

fn is_same(one: BorrowedFd<'_>, other: BorrowedFd<'_>) -> bool {
    let identity = |descriptor| fstat(descriptor).map(|stat| (stat.st_dev, stat.st_ino));
    matches!((identity(one), identity(other)), (Ok(one), Ok(other)) if one == other)
}

/// A write at the file's own position that answers `EAGAIN` where it would wait.
fn write_no_wait(sink: BorrowedFd<'_>, bytes: &[u8]) -> Result<usize> {
    // By the plain call: not every C library has the function.
    const HERE: libc::c_long = -1;
    let part = libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
    uninterrupted(|| {
        // SAFETY: one part, which lies in `bytes` and is only read from.
        let count = unsafe {
            libc::syscall(libc::SYS_pwritev2, sink.as_raw_fd(), &raw const part, 1, HERE, HERE, libc::RWF_NOWAIT)
        };
        Errno::result(count).map(|count| usize::try_from(count).unwrap_or(0))
    })
}

fn send_no_wait(sink: BorrowedFd<'_>, bytes: &[u8]) -> Result<usize> {
    let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
    uninterrupted(|| {
        // SAFETY: the bytes are only read from, and are as many as is said.
        let count = unsafe { libc::send(sink.as_raw_fd(), bytes.as_ptr().cast(), bytes.len(), flags) };
        Errno::result(count).map(|count| usize::try_from(count).unwrap_or(0))
    })
}
