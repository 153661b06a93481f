//! Pipes, and looking at what is in one without taking it out.

use std::io::IoSliceMut;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};

use nix::fcntl::{OFlag, SpliceFFlags, tee};
use nix::libc;
use nix::sys::uio::readv;
use nix::unistd::pipe2;

use crate::sys::{Errno, Result, fd, uninterrupted};

/// Makes a pipe: the end to read from, and the end to write to.
pub fn new() -> Result<(OwnedFd, OwnedFd)> {
    match pipe2(OFlag::O_CLOEXEC) {
        // A sandbox that knows only the plain call.
        Err(Errno::ENOSYS | Errno::EPERM) => {
            let (reads, writes) = new_plain()?;
            fd::set_close_on_exec(&reads, true)?;
            fd::set_close_on_exec(&writes, true)?;
            Ok((reads, writes))
        }
        answer => answer,
    }
}

/// The call that there was before `pipe2`, by its number: the C library no longer makes it.
#[cfg(target_arch = "x86_64")]
fn new_plain() -> Result<(OwnedFd, OwnedFd)> {
    let mut ends: [libc::c_int; 2] = [-1; 2];
    // SAFETY: the call writes two ints, to ours.
    Errno::result(unsafe { libc::syscall(libc::SYS_pipe, ends.as_mut_ptr()) })?;
    // SAFETY: the call has just made these descriptors, and nobody else knows of them.
    Ok(unsafe { (OwnedFd::from_raw_fd(ends[0]), OwnedFd::from_raw_fd(ends[1])) })
}

/// Younger machines have only `pipe2`.
#[cfg(not(target_arch = "x86_64"))]
fn new_plain() -> Result<(OwnedFd, OwnedFd)> {
    Err(Errno::ENOSYS)
}

/// Asks whether the system lets pipes be looked into at all. Touches nothing: no bytes are asked for.
pub fn can_peek(from: impl AsFd, to: impl AsFd) -> Result<()> {
    peek(from, to, 0).map(drop)
}

/// Copies up to `most` bytes from the head of one pipe to another, and leaves them where they are. Never waits: `EAGAIN`
/// if there are none, and 0 if there will be none as nobody can write any more.
pub fn peek(from: impl AsFd, to: impl AsFd, most: usize) -> Result<usize> {
    uninterrupted(|| tee(from.as_fd(), to.as_fd(), most, SpliceFFlags::SPLICE_F_NONBLOCK))
}

/// Says how many bytes wait in a pipe.
pub fn waiting_bytes(pipe: impl AsFd) -> Result<usize> {
    let mut count: libc::c_int = 0;
    // SAFETY: FIONREAD writes one int, to one of ours.
    let answer = unsafe { libc::ioctl(pipe.as_fd().as_raw_fd(), libc::FIONREAD, &raw mut count) };
    nix::errno::Errno::result(answer).map(|_| usize::try_from(count).unwrap_or(0))
}

/// Reads into several rooms, one after the other; 0 means end of file.
pub fn read_scattered(from: impl AsFd, rooms: &mut [&mut [u8]]) -> Result<usize> {
    uninterrupted(|| {
        let mut slices: Vec<IoSliceMut<'_>> = rooms.iter_mut().map(|room| IoSliceMut::new(room)).collect();
        readv(from.as_fd(), &mut slices)
    })
}
