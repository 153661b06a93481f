//! Forks a process that is about to execute a program, without a copy of the descriptors.
//!
//! fork(2) copies the table of descriptors, and execve(2) closes each of them. For svscan, which has a descriptor open for
//! each of thousands of services, that would be most of what a start costs, and the time to start all services would grow
//! with the square of their number. Here the child shares the table until it takes only the part of it that it needs.

use std::num::NonZeroUsize;
use std::os::fd::{AsFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicI32, Ordering};

use nix::sys::mman::{MapFlags, ProtFlags, mmap_anonymous};
use nix::{libc, unistd};

use crate::sys::process::exit::exit_child;
use crate::sys::process::pid::Pid;
use crate::sys::{Errno, Result, fd, kernel};

/// Before this version, a table that is taken in part may have numbers that stay taken although nothing is open there
/// (CVE-2024-45025): a program would run out of descriptors too early, if svscan has many.
const KERNEL_LEAST: (u32, u32) = (6, 11);
/// What a child gets in place of the standard input, output and error of this process.
pub(super) type Standard<'a> = [Option<BorrowedFd<'a>>; 3];

/// Forks a child that has these standard descriptors, and of the others only those that this process inherited, and waits
/// until it has executed a program or exited. `execute` answers why it could not, and `complain` says so, in this process, but on
/// the standard error of the child. `None` if the system cannot fork like that; nothing has happened then.
///
/// # Safety
///
/// This process has one thread: another one would be missing from the copy, with whatever it had locked, and would see the
/// standard descriptors change.
pub(super) unsafe fn light_fork(
    standard: &Standard<'_>,
    execute: impl FnOnce() -> Errno,
    complain: impl Fn(Errno),
) -> Option<Pid> {
    let Ground { first, failure } = ground()?;
    let exchanged = Exchanged::new(standard)?;
    failure.store(0, Ordering::Relaxed);
    let flags = libc::c_long::from(libc::CLONE_FILES | libc::CLONE_VFORK | libc::SIGCHLD);
    let nothing: libc::c_long = 0;
    // SAFETY: a copy of this process, with a copy of its memory and stack, as of fork(2). It has one thread, so the copy is
    // whole. The descriptors are shared, but this process waits until the child has executed a program or exited.
    match unsafe { libc::syscall(libc::SYS_clone, flags, nothing, nothing, nothing, nothing) } {
        0 => {
            // The parent changes them back.
            std::mem::forget(exchanged);
            let errno = close_from(*first).map_or_else(|errno| errno, |()| execute());
            failure.store(errno as i32, Ordering::Relaxed);
            exit_child()
        }
        process => {
            let process = i32::try_from(process).ok().filter(|process| *process > 0)?;
            let failure = failure.load(Ordering::Relaxed);
            if failure != 0 {
                complain(Errno::from_raw(failure));
            }
            drop(exchanged);
            Some(unistd::Pid::from_raw(process).into())
        }
    }
}

/// What is found out once.
struct Ground {
    /// The number from which on no descriptor is meant for children.
    first: libc::c_uint,
    /// Where a child leaves the reason of its failure: in memory that it shares, as its descriptors for messages are closed.
    failure: &'static AtomicI32,
}

/// `None` if the system cannot fork like that.
fn ground() -> Option<&'static Ground> {
    static GROUND: OnceLock<Option<Ground>> = OnceLock::new();
    GROUND.get_or_init(|| Some(Ground { first: first_unneeded()?, failure: shared_number()? })).as_ref()
}

fn first_unneeded() -> Option<libc::c_uint> {
    // On s390x the call takes its arguments in another order.
    if cfg!(target_arch = "s390x") || kernel::version()? < KERNEL_LEAST {
        return None;
    }
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
}

/// A number that children share with this process.
fn shared_number() -> Option<&'static AtomicI32> {
    let length = NonZeroUsize::new(size_of::<AtomicI32>())?;
    let protection = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
    // SAFETY: the system chooses where; the memory is of nobody else, zero, aligned to a page, and stays for good.
    unsafe { Some(mmap_anonymous(None, length, protection, MapFlags::MAP_SHARED).ok()?.cast().as_ref()) }
}

/// Closes all descriptors from this number on, in a table that is this process's own from then on.
fn close_from(first: libc::c_uint) -> Result<()> {
    // SAFETY: plain numbers. In a child, nobody who has a descriptor that is closed uses it again: it executes or exits.
    let answer = unsafe { libc::syscall(libc::SYS_close_range, first, libc::c_uint::MAX, libc::CLOSE_RANGE_UNSHARE) };
    Errno::result(answer).map(drop)
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
            fd::place(*source, number, false).ok()?;
        }
        Some(exchanged)
    }
}

impl Drop for Exchanged {
    fn drop(&mut self) {
        for (number, saved) in (0..).zip(&self.0) {
            if let Some(Saved { descriptor, closes_on_exec }) = saved {
                // It cannot fail: both are open.
                let _ = fd::place(descriptor.as_fd(), number, *closes_on_exec);
            }
        }
    }
}
