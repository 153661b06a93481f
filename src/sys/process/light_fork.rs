//! Forks a process that is about to execute a program, without a copy of the descriptors.
//!
//! fork(2) copies the table of descriptors, and execve(2) closes each of them. For svscan, which has a descriptor open for
//! each of thousands of services, that would be most of what a start costs, and the time to start all services would grow
//! with the square of their number. Here the child shares the table until it takes only the part of it that it needs.

use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::sync::OnceLock;

use nix::{libc, unistd};

use crate::sys::process::pid::Pid;
use crate::sys::{Errno, Result, fd};

/// What a child gets in place of the standard input, output and error of this process.
pub(super) type Standard<'a> = [Option<BorrowedFd<'a>>; 3];

/// Where a fork continues.
pub(super) enum Forked {
    /// In this process, once its child has executed a program or exited.
    Parent(Pid),
    /// In the child, which knows whether it has a table of its own.
    Child(Result<()>),
}

/// Forks a child that has these standard descriptors, and of the others only those that this process inherited. Only for
/// programs of one thread. `None` if the system cannot do that; nothing has happened then.
pub(super) fn light_fork(standard: &Standard<'_>) -> Option<Forked> {
    let first = first_unneeded()?;
    let exchanged = Exchanged::new(standard)?;
    let flags = libc::c_long::from(libc::CLONE_FILES | libc::CLONE_VFORK | libc::SIGCHLD);
    // SAFETY: a copy of this process, with a copy of its memory and stack, as of fork(2). It has one thread, so the copy is
    // whole. The descriptors are shared, but this process waits until the child has executed a program or exited.
    match unsafe { libc::syscall(libc::SYS_clone, flags, 0, 0, 0, 0) } {
        0 => {
            // The parent changes them back.
            std::mem::forget(exchanged);
            Some(Forked::Child(close_from(first)))
        }
        process => {
            let process = i32::try_from(process).ok().filter(|process| *process > 0)?;
            Some(Forked::Parent(unistd::Pid::from_raw(process).into()))
        }
    }
}

/// The number from which on no descriptor is meant for children; `None` if the system cannot close them as needed.
fn first_unneeded() -> Option<libc::c_uint> {
    static FIRST: OnceLock<Option<libc::c_uint>> = OnceLock::new();
    *FIRST.get_or_init(|| {
        // Closes nothing, as there is no such number.
        close_from(libc::c_uint::MAX).ok()?;
        let mut first = 3;
        for entry in std::fs::read_dir("/proc/self/fd").ok()? {
            let number = entry.ok()?.file_name().to_str()?.parse().ok()?;
            if number >= first && closes_on_exec(number) == Some(false) {
                first = number + 1;
            }
        }
        libc::c_uint::try_from(first).ok()
    })
}

/// Closes all descriptors from this number on, in a table that is this process's own from then on.
fn close_from(first: libc::c_uint) -> Result<()> {
    // SAFETY: plain numbers. In a child, no owner of a descriptor that is closed runs again.
    let answer = unsafe { libc::syscall(libc::SYS_close_range, first, libc::c_uint::MAX, libc::CLOSE_RANGE_UNSHARE) };
    Errno::result(answer).map(drop)
}

/// Makes a number a duplicate of a descriptor.
fn put(source: RawFd, number: RawFd, closes_on_exec: bool) -> Result<()> {
    if source == number {
        // SAFETY: the number is a standard descriptor's, which is always open.
        return fd::set_close_on_exec(unsafe { BorrowedFd::borrow_raw(number) }, closes_on_exec);
    }
    let flags = if closes_on_exec { libc::O_CLOEXEC } else { 0 };
    // SAFETY: plain numbers; the second is a standard descriptor's, which no object owns.
    Errno::result(unsafe { libc::dup3(source, number, flags) }).map(drop)
}

/// `None` if the descriptor is not open.
fn closes_on_exec(number: RawFd) -> Option<bool> {
    // SAFETY: asks for a flag of a number.
    let flags = Errno::result(unsafe { libc::fcntl(number, libc::F_GETFD) }).ok()?;
    Some(flags & libc::FD_CLOEXEC != 0)
}

/// Standard descriptors of this process that are something else for the moment. Dropped, they are what they were.
struct Exchanged([Option<Saved>; 3]);

struct Saved {
    descriptor: OwnedFd,
    closes_on_exec: bool,
}

impl Exchanged {
    fn new(standard: &Standard<'_>) -> Option<Exchanged> {
        let mut exchanged = Exchanged([const { None }; 3]);
        for (number, source) in (0..).zip(standard) {
            let Some(source) = source else { continue };
            let closes_on_exec = closes_on_exec(number)?;
            // SAFETY: duplicates a number, and the call has made the duplicate, of which nobody else knows.
            let descriptor =
                unsafe { OwnedFd::from_raw_fd(Errno::result(libc::fcntl(number, libc::F_DUPFD_CLOEXEC, 3)).ok()?) };
            exchanged.0[number as usize] = Some(Saved { descriptor, closes_on_exec });
            put(source.as_raw_fd(), number, false).ok()?;
        }
        Some(exchanged)
    }
}

impl Drop for Exchanged {
    fn drop(&mut self) {
        for (number, saved) in (0..).zip(&self.0) {
            if let Some(Saved { descriptor, closes_on_exec }) = saved {
                // It cannot fail: both are open.
                let _ = put(descriptor.as_raw_fd(), number, *closes_on_exec);
            }
        }
    }
}
