//! Pipes, and peeking at their bytes without taking them out.

use std::io::IoSliceMut;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};

use nix::fcntl::{FcntlArg, OFlag, SpliceFFlags, fcntl, open, splice, tee};
use nix::libc;
use nix::sys::stat::Mode;
use nix::sys::uio::readv;
use nix::unistd::pipe2;

use crate::sys::process::pid::Pid;
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

/// Opens both ends of the pipe without a name that another process has as its standard input: the end to read from, and the
/// end to write to. `ENXIO` if it reads from something else.
pub fn of_process(process: Pid) -> Result<(OwnedFd, OwnedFd)> {
    let link = format!("/proc/{process}/fd/0");
    if !nix::fcntl::readlink(&link[..])?.as_encoded_bytes().starts_with(b"pipe:") {
        return Err(Errno::ENXIO);
    }
    let end = |access| {
        // Without O_NONBLOCK, opening would wait for the other end.
        let flags = access | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
        let end = uninterrupted(|| open(&link[..], flags, Mode::empty()))?;
        let flags = OFlag::from_bits_retain(fcntl(&end, FcntlArg::F_GETFL)?);
        fcntl(&end, FcntlArg::F_SETFL(flags & !OFlag::O_NONBLOCK))?;
        Ok(end)
    };
    let (reads, writes) = (end(OFlag::O_RDONLY)?, end(OFlag::O_WRONLY)?);
    let is_one = fd::stat(&reads)?.identity == fd::stat(&writes)?.identity;
    if is_one { Ok((reads, writes)) } else { Err(Errno::ESTALE) }
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

/// Asks whether the system lets bytes be moved from one pipe to another. Touches nothing either.
pub fn can_shift(from: impl AsFd, to: impl AsFd) -> Result<()> {
    shift(from, to, 0).map(drop)
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
    Errno::result(answer).map(|_| usize::try_from(count).unwrap_or(0))
}

/// Says how many bytes a pipe can hold.
pub fn capacity_bytes(pipe: impl AsFd) -> Result<usize> {
    let count = fcntl(pipe, FcntlArg::F_GETPIPE_SZ)?;
    Ok(usize::try_from(count).unwrap_or(0))
}

/// Reads into several rooms, one after the other; 0 means end of file.
pub fn read_scattered<const N: usize>(from: impl AsFd, rooms: [&mut [u8]; N]) -> Result<usize> {
    let mut slices = rooms.map(IoSliceMut::new);
    uninterrupted(|| readv(from.as_fd(), &mut slices))
}

/// Where bytes are taken out of a pipe, by a descriptor that is open for reading alone.
#[derive(Debug)]
pub struct Outlet(Option<OwnedFd>);

impl Outlet {
    /// The outlet of the pipe on descriptor 0. Where that can be written to as well, the pipe is opened once more.
    pub fn of_stdin() -> Result<Outlet> {
        let flags = fcntl(fd::stdin(), FcntlArg::F_GETFL)?;
        if OFlag::from_bits_retain(flags) & OFlag::O_ACCMODE == OFlag::O_RDONLY {
            return Ok(Outlet(None));
        }
        let flags = OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
        open("/proc/self/fd/0", flags, Mode::empty()).map(|again| Outlet(Some(again)))
    }

    /// Tells whether the system lets bytes be taken out this way. Touches nothing: there is no room for any.
    #[must_use]
    pub fn is_usable(&self) -> bool {
        self.take([]).is_ok()
    }

    /// Takes bytes out into several rooms, one after the other, in one step. Never waits: `EAGAIN` if there are none, and
    /// 0 if there will be none.
    ///
    /// A read would drop what of a packet it has no room for. This leaves it in the pipe.
    pub fn take<const N: usize>(&self, rooms: [&mut [u8]; N]) -> Result<usize> {
        let descriptor = self.0.as_ref().map_or(fd::stdin(), AsFd::as_fd).as_raw_fd();
        let slices = rooms.map(IoSliceMut::new);
        uninterrupted(|| {
            let flags = SpliceFFlags::SPLICE_F_NONBLOCK.bits();
            // SAFETY: an IoSliceMut has the layout of an iovec, and each names memory that is lent for the call. The
            // descriptor cannot be written to, as `of_stdin` has made sure: so the kernel stores to them.
            let answer = unsafe { libc::vmsplice(descriptor, slices.as_ptr().cast(), slices.len(), flags) };
            Errno::result(answer).map(isize::unsigned_abs)
        })
    }
}

/// Moves up to `most` bytes from one pipe to another. Never waits: `EAGAIN` if there are none, and 0 if there will be
/// none. Of a packet it moves a part and leaves the rest.
pub fn shift(from: impl AsFd, to: impl AsFd, most: usize) -> Result<usize> {
    uninterrupted(|| splice(from.as_fd(), None, to.as_fd(), None, most, SpliceFFlags::SPLICE_F_NONBLOCK))
}

/// Lets other processes know that this one reads a pipe, until it ends; unless another one does, whose number is
/// returned. Processes that do not ask are not seen.
pub fn claim(pipe: impl AsFd) -> Result<Option<Pid>> {
    // A lock for reading needs no right to write. It excludes nobody else who reads; but it can be seen.
    lock(&pipe, libc::F_RDLCK)?;
    let mut other = flock(libc::F_WRLCK);
    fcntl(&pipe, FcntlArg::F_GETLK(&mut other))?;
    if i32::from(other.l_type) != libc::F_RDLCK {
        return Ok(None);
    }
    lock(&pipe, libc::F_UNLCK)?;
    Ok(Some(Pid::new(other.l_pid)))
}

fn lock(pipe: impl AsFd, kind: i32) -> Result<()> {
    fcntl(pipe, FcntlArg::F_SETLK(&flock(kind))).map(drop)
}

/// A lock of the first byte of whatever it is.
fn flock(kind: i32) -> libc::flock {
    let short = |number: i32| i16::try_from(number).expect("the kernel keeps these numbers small");
    libc::flock { l_type: short(kind), l_whence: short(libc::SEEK_SET), l_start: 0, l_len: 1, l_pid: 0 }
}
