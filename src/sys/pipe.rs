//! Pipes, and looking at what is in one without taking it out.

use std::io::IoSliceMut;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use nix::fcntl::{OFlag, SpliceFFlags, tee};
use nix::libc;
use nix::sys::uio::readv;
use nix::unistd::pipe2;

use crate::sys::{Result, uninterrupted};

/// Makes a pipe: the end to read from, and the end to write to.
pub fn new() -> Result<(OwnedFd, OwnedFd)> {
    pipe2(OFlag::O_CLOEXEC)
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
