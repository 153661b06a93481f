//! Reads and writes descriptors, and makes sure that 0, 1 and 2 are open.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};

use nix::fcntl::{FcntlArg, FdFlag, OFlag, fcntl, open};
use nix::libc;
use nix::sys::stat::Mode;

use crate::sys::stat::Stat;
use crate::sys::{Errno, Result, uninterrupted};

/// Standard input. It may be closed: then calls on it answer `EBADF`.
#[must_use]
pub fn stdin() -> BorrowedFd<'static> {
    // SAFETY: a program never closes its standard descriptors; where one was closed from the start, no object of ours
    // owns the number as long as `occupy_standard` ran first, and calls on it fail cleanly.
    unsafe { BorrowedFd::borrow_raw(0) }
}

/// Standard output; see [`stdin`] for what closed means.
#[must_use]
pub fn stdout() -> BorrowedFd<'static> {
    // SAFETY: as for `stdin`.
    unsafe { BorrowedFd::borrow_raw(1) }
}

/// Standard error; see [`stdin`] for what closed means.
#[must_use]
pub fn stderr() -> BorrowedFd<'static> {
    // SAFETY: as for `stdin`.
    unsafe { BorrowedFd::borrow_raw(2) }
}

/// Takes those of the descriptors 0, 1 and 2 that are closed, so that no file opened later becomes standard error.
///
/// What takes them can neither be read nor written, so that a closed descriptor still answers `EBADF`, and it is closed
/// on exec, so that a child finds what was inherited.
///
/// Not inlined: the stack that it needs would be that of `main`, and stay taken.
#[inline(never)]
pub fn occupy_standard() {
    for descriptor in 0..=2 {
        // SAFETY: only asked for its flags; a closed descriptor answers EBADF.
        let taken = fcntl(unsafe { BorrowedFd::borrow_raw(descriptor) }, FcntlArg::F_GETFD);
        if taken == Err(Errno::EBADF)
            && let Ok(placeholder) = open("/", OFlag::O_PATH | OFlag::O_CLOEXEC, Mode::empty())
        {
            // The lowest free number is `descriptor` itself, as all below it are taken by now.
            let _: RawFd = placeholder.into_raw_fd();
        }
    }
}

/// Duplicates a descriptor that the process was started with. `EBADF` if it was started without.
///
/// Called before the program opens anything: afterwards the number may be that of something else.
pub fn inherited(number: RawFd) -> Result<OwnedFd> {
    // SAFETY: only duplicated; a closed descriptor answers EBADF.
    let duplicate = fcntl(unsafe { BorrowedFd::borrow_raw(number) }, FcntlArg::F_DUPFD_CLOEXEC(3))?;
    // SAFETY: it was made by this call, and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(duplicate) })
}

/// Takes a descriptor that the process was started with: children do not get it. `EBADF` if it was started without.
///
/// Called before the program opens anything, and once for each number.
pub fn take_inherited(number: RawFd) -> Result<OwnedFd> {
    if number <= 2 {
        return Err(Errno::EBADF);
    }
    // SAFETY: only asked to set a flag; a closed descriptor answers EBADF.
    fcntl(unsafe { BorrowedFd::borrow_raw(number) }, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC))?;
    // SAFETY: the process was started with it, so nothing here owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

/// Reads the bytes that are available, at most as many as `room` holds; 0 means end of file.
pub fn read(source: impl AsFd, room: &mut [u8]) -> Result<usize> {
    uninterrupted(|| nix::unistd::read(source.as_fd(), room))
}

/// Reads the bytes that are available behind those that `bytes` holds already, at most `most`, and says how many; 0 means end of
/// file, so `most` must not be 0. Room is not cleared before it is read into. After an error `bytes` are as they were; `ENOMEM` if
/// there is no room for more.
pub fn read_behind(source: impl AsFd, bytes: &mut Vec<u8>, most: usize) -> Result<usize> {
    bytes.try_reserve(most).map_err(|_| Errno::ENOMEM)?;
    let room = &mut bytes.spare_capacity_mut()[..most];
    let descriptor = source.as_fd().as_raw_fd();
    let count = uninterrupted(|| {
        // SAFETY: the call writes at most as many bytes as the room has, and reads none of them.
        let answer = unsafe { libc::read(descriptor, room.as_mut_ptr().cast(), room.len()) };
        Errno::result(answer).map(isize::unsigned_abs)
    })?;
    // SAFETY: the room follows the bytes, and the call has written `count` bytes at its beginning.
    unsafe { bytes.set_len(bytes.len() + count) };
    Ok(count)
}

/// Writes some of `bytes`, and says how many.
pub fn write(sink: impl AsFd, bytes: &[u8]) -> Result<usize> {
    uninterrupted(|| nix::unistd::write(sink.as_fd(), bytes))
}

/// Writes all of `bytes`.
pub fn write_all(sink: impl AsFd, mut bytes: &[u8]) -> Result<()> {
    while !bytes.is_empty() {
        match write(&sink, bytes)? {
            0 => return Err(Errno::EIO),
            written => bytes = &bytes[written..],
        }
    }
    Ok(())
}

/// Moves to the beginning of a file.
pub fn rewind(file: impl AsFd) -> Result<()> {
    nix::unistd::lseek(file.as_fd(), 0, nix::unistd::Whence::SeekSet).map(drop)
}

/// Asks for the place in a file where the next read begins; `Err` where there is no such place.
pub fn offset(file: impl AsFd) -> Result<u64> {
    nix::unistd::lseek(file.as_fd(), 0, nix::unistd::Whence::SeekCur).map(|offset| u64::try_from(offset).unwrap_or(0))
}

/// Moves to a place in a file.
pub fn seek(file: impl AsFd, offset: u64) -> Result<()> {
    let offset = i64::try_from(offset).map_err(|_| Errno::EINVAL)?;
    nix::unistd::lseek(file.as_fd(), offset, nix::unistd::Whence::SeekSet).map(drop)
}

/// Asks what is behind a descriptor.
pub fn stat(descriptor: impl AsFd) -> Result<Stat> {
    nix::sys::stat::fstat(descriptor.as_fd()).map(|stat| Stat::from(&stat))
}

/// The path of an open file, as far as it has one that is known.
#[must_use]
pub fn path(descriptor: impl AsFd) -> Option<Vec<u8>> {
    let link = format!("/proc/self/fd/{}", descriptor.as_fd().as_raw_fd());
    nix::fcntl::readlink(&link[..]).ok().map(std::os::unix::ffi::OsStringExt::into_vec)
}

/// Tells whether what is written to a descriptor goes to the end of a file.
pub fn is_appending(descriptor: impl AsFd) -> Result<bool> {
    fcntl(descriptor, FcntlArg::F_GETFL).map(|flags| OFlag::from_bits_truncate(flags).contains(OFlag::O_APPEND))
}

/// Tells how a descriptor is open: the flags of its opening.
pub fn access(descriptor: impl AsFd) -> Result<i32> {
    fcntl(descriptor, FcntlArg::F_GETFL).map(|flags| flags & OFlag::O_ACCMODE.bits())
}

/// Sets or clears close-on-exec.
pub fn set_close_on_exec(descriptor: impl AsFd, on: bool) -> Result<()> {
    let flags = if on { FdFlag::FD_CLOEXEC } else { FdFlag::empty() };
    fcntl(descriptor, FcntlArg::F_SETFD(flags)).map(drop)
}

/// Makes a number a duplicate of a descriptor. The number is a standard descriptor's, or, in a child that is about to execute a
/// program, any: what had it is closed.
pub fn place(source: BorrowedFd<'_>, number: RawFd, closes_on_exec: bool) -> Result<()> {
    // By dup2: dup3 is younger, and a filter may not know it.
    // SAFETY: plain numbers; no object owns a standard descriptor, and in such a child none is used again.
    Errno::result(unsafe { libc::dup2(source.as_raw_fd(), number) })?;
    // SAFETY: the number is open now.
    set_close_on_exec(unsafe { BorrowedFd::borrow_raw(number) }, closes_on_exec)
}

/// From now on, reading and writing answer `EAGAIN` instead of waiting; so for all who share the opening.
pub fn set_nonblocking(descriptor: impl AsFd) -> Result<()> {
    let flags = OFlag::from_bits_retain(fcntl(descriptor.as_fd(), FcntlArg::F_GETFL)?);
    fcntl(descriptor, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK)).map(drop)
}

/// Asks for the size of a pipe in bytes; `Err` means that it is no pipe.
pub fn pipe_size(pipe: impl AsFd) -> Result<usize> {
    fcntl(pipe, FcntlArg::F_GETPIPE_SZ).map(|size| usize::try_from(size).unwrap_or(0))
}

/// Asks for a pipe of another size; an unprivileged user may be refused.
pub fn set_pipe_size(pipe: impl AsFd, bytes: usize) -> Result<()> {
    let bytes = i32::try_from(bytes).map_err(|_| Errno::EINVAL)?;
    fcntl(pipe, FcntlArg::F_SETPIPE_SZ(bytes)).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::pipe;

    #[test]
    fn what_is_read_comes_behind_what_is_there() {
        let (reads, writes) = pipe::new().unwrap();
        let mut bytes = b"one ".to_vec();
        write_all(&writes, b"two three").unwrap();

        assert_eq!(read_behind(&reads, &mut bytes, 4), Ok(4));
        assert_eq!(bytes, b"one two ");
        assert_eq!(read_behind(&reads, &mut bytes, 1000), Ok(5), "as many as there are");
        assert_eq!(bytes, b"one two three");
        set_nonblocking(&reads).unwrap();
        assert_eq!(read_behind(&reads, &mut bytes, 4), Err(Errno::EAGAIN));
        drop(writes);
        assert_eq!(read_behind(&reads, &mut bytes, 4), Ok(0));
        assert_eq!(bytes, b"one two three");
    }
}
