//! Signals as things to read.
//!
//! A [`SignalQueue`] blocks its signals and makes them readable, so that one wait covers them and the input: a signal
//! that comes a moment before the wait ends it all the same. Nothing runs in a handler.
//!
//! What was blocked or ignored here is undone in children by [`restore_in_child`].

use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicU64, Ordering};

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
