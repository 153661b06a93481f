//! Signals as things to read.
//!
//! A [`SignalQueue`] blocks its signals and makes them readable, so that one wait covers them and the input: a signal
//! that comes a moment before the wait ends it all the same. Nothing runs in a handler.
//!
//! What was blocked or ignored here is undone in children by [`restore_in_child`].

use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering};

use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, SigmaskHow, sigaction, sigprocmask};
use nix::sys::signalfd::{SfdFlags, SignalFd};

pub use nix::sys::signal::Signal;

use crate::sys::{Errno, Result};

/// The signals that this process blocked, a bit each.
static BLOCKED: AtomicU64 = AtomicU64::new(0);
/// The signals whose default action this process replaced by "ignore", a bit each.
static IGNORED: AtomicU64 = AtomicU64::new(0);

fn bit(signal: Signal) -> u64 {
    1 << (signal as u32)
}

/// Signals that wait to be read instead of interrupting.
#[derive(Debug)]
pub struct SignalQueue(SignalFd);

impl SignalQueue {
    /// Blocks `signals`, and collects them from now on.
    pub fn new(signals: &[Signal]) -> Result<SignalQueue> {
        let mut set = SigSet::empty();
        for &signal in signals {
            set.add(signal);
            BLOCKED.fetch_or(bit(signal), Ordering::Relaxed);
        }
        sigprocmask(SigmaskHow::SIG_BLOCK, Some(&set), None)?;
        SignalFd::with_flags(&set, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC).map(SignalQueue)
    }

    /// Takes the next signal that has come, if one has.
    pub fn take(&mut self) -> Option<Signal> {
        let info = self.0.read_signal().ok().flatten()?;
        Signal::try_from(i32::try_from(info.ssi_signo).ok()?).ok()
    }
}

/// Tells whether a [`SignalQueue`] of this process collects a signal.
#[must_use]
pub fn is_collected(signal: Signal) -> bool {
    BLOCKED.load(Ordering::Relaxed) & bit(signal) != 0
}

/// Tells whether a signal that is collected has come and has not been taken.
#[must_use]
pub fn is_waiting(signal: Signal) -> bool {
    let mut set = MaybeUninit::<nix::libc::sigset_t>::zeroed();
    // SAFETY: the call writes a set to a set of ours.
    let answer = unsafe { nix::libc::sigpending(set.as_mut_ptr()) };
    // SAFETY: a set of which all bits are zero is a set; a number of a signal is one.
    answer == 0 && unsafe { nix::libc::sigismember(set.as_ptr(), signal as i32) } == 1
}

impl AsFd for SignalQueue {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Ignores a signal, for this process and not for its children.
pub fn ignore(signal: Signal) -> Result<()> {
    let action = SigAction::new(SigHandler::SigIgn, SaFlags::empty(), SigSet::empty());
    // SAFETY: "ignore" installs no handler.
    let before = unsafe { sigaction(signal, &action) }?;
    if matches!(before.handler(), SigHandler::SigDfl) {
        IGNORED.fetch_or(bit(signal), Ordering::Relaxed);
    }
    Ok(())
}

/// Undoes in a child what this process blocked and ignored. May be called between fork and exec.
pub fn restore_in_child() -> Result<()> {
    let default = SigAction::new(SigHandler::SigDfl, SaFlags::empty(), SigSet::empty());
    let blocked = BLOCKED.load(Ordering::Relaxed);
    let ignored = IGNORED.load(Ordering::Relaxed);
    let mut set = SigSet::empty();
    for signal in Signal::iterator() {
        if blocked & bit(signal) != 0 {
            set.add(signal);
        }
        if ignored & bit(signal) != 0 {
            // SAFETY: "default" installs no handler.
            unsafe { sigaction(signal, &default) }?;
        }
    }
    sigprocmask(SigmaskHow::SIG_UNBLOCK, Some(&set), None)
}

/// Sends a signal to one process that this program started.
pub fn send(process: i32, signal: Signal) -> Result<()> {
    if process <= 0 {
        return Err(Errno::ESRCH);
    }
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(process), signal)
}

/// The code to leave with when the signal of [`leave_on`] comes.
static LEAVE_CODE: AtomicI32 = AtomicI32::new(0);

/// Leaves with an exit code as soon as a signal comes, whatever the process is doing, even if it is blocked in a write to
/// a reader who has stopped; what the process keeps on disk must be right at any moment. A signal that was ignored from
/// the start stays ignored. One signal only.
pub fn leave_on(signal: Signal, code: i32) -> Result<()> {
    LEAVE_CODE.store(code, Ordering::Relaxed);
    let action = SigAction::new(SigHandler::Handler(leave), SaFlags::empty(), SigSet::empty());
    // SAFETY: the handler makes one call, which is async-signal-safe.
    let before = unsafe { sigaction(signal, &action) }?;
    if matches!(before.handler(), SigHandler::SigIgn) {
        ignore(signal)?;
    }
    Ok(())
}

extern "C" fn leave(_signal: nix::libc::c_int) {
    // SAFETY: `_exit` may be called from a handler.
    unsafe { nix::libc::_exit(LEAVE_CODE.load(Ordering::Relaxed)) }
}
