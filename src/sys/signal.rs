//! Signals that are read from a descriptor.
//!
//! A [`SignalQueue`] blocks its signals and makes them readable, so that one wait covers them and the input: a signal
//! that comes a moment before the wait ends it all the same. Handlers run in two places alone: in a
//! [peek that waits](crate::sys::waiting_peek), which a signal has to end; and, where the system has no descriptors for
//! signals, while [`poll`](crate::sys::poll) waits: there a handler writes them into a pipe.
//!
//! What was blocked or ignored here is undone in children by [`restore_in_child`].

use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, IntoRawFd, OwnedFd};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering};
use std::time::Duration;

use nix::libc;
use nix::poll::{PollFd, PollTimeout, poll, ppoll};
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, SigmaskHow, sigaction, sigprocmask};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::time::TimeSpec;

pub use nix::sys::signal::Signal;

use crate::sys::process::pid::Pid;
use crate::sys::{Errno, Result, fd, pipe};

/// The signals that this process blocked, a bit each.
static BLOCKED: AtomicU64 = AtomicU64::new(0);
/// The signals that a handler has noted and nobody has taken, a bit each.
static NOTED: AtomicU64 = AtomicU64::new(0);
/// The signals whose default action this process replaced by "ignore", a bit each.
static IGNORED: AtomicU64 = AtomicU64::new(0);

pub(in crate::sys) fn bit(signal: Signal) -> u64 {
    1 << (signal as u32)
}

/// Signals that wait to be read instead of interrupting.
#[derive(Debug)]
pub struct SignalQueue(Kind);

#[derive(Debug)]
enum Kind {
    Descriptor(SignalFd),
    /// Where the system has no such descriptors: a pipe that a handler writes the signals' numbers into.
    Pipe(OwnedFd),
}

impl SignalQueue {
    /// Blocks `signals`, and collects them from now on. One queue at a time.
    pub fn new(signals: &[Signal]) -> Result<SignalQueue> {
        let mut set = SigSet::empty();
        for &signal in signals {
            set.add(signal);
            BLOCKED.fetch_or(bit(signal), Ordering::Relaxed);
        }
        let mut before = SigSet::empty();
        sigprocmask(SigmaskHow::SIG_BLOCK, Some(&set), Some(&mut before))?;
        if signals.contains(&Signal::SIGCHLD) {
            // Where it was ignored nobody would be told; 0.76's supervise has its children find the default action, too.
            take_default(Signal::SIGCHLD)?;
        }
        match SignalFd::with_flags(&set, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC) {
            Ok(descriptor) => Ok(SignalQueue(Kind::Descriptor(descriptor))),
            Err(Errno::ENOSYS | Errno::EPERM) => SignalQueue::by_handler(signals, before),
            Err(errno) => Err(errno),
        }
    }

    fn by_handler(signals: &[Signal], mut outside: SigSet) -> Result<SignalQueue> {
        let (reads, writes) = pipe::new()?;
        fd::set_nonblocking(&reads)?;
        fd::set_nonblocking(&writes)?;
        NOTES.store(writes.into_raw_fd(), Ordering::Relaxed);
        let action = SigAction::new(SigHandler::Handler(note), SaFlags::SA_RESTART, SigSet::all());
        for &signal in signals {
            outside.remove(signal);
            // SAFETY: the handler makes one call, which is async-signal-safe.
            unsafe { handle(signal, &action) }?;
        }
        let _ = LET_IN.set(outside);
        Ok(SignalQueue(Kind::Pipe(reads)))
    }

    /// Prepares for another program in this process: what has come and has not been taken waits for it.
    pub fn leave_to_successor(&mut self) {
        if let Kind::Descriptor(_) = self.0 {
            return;
        }
        while let Some(signal) = self.take() {
            // It is blocked, so it waits.
            let _ = nix::sys::signal::raise(signal);
        }
    }

    /// Takes the next signal that has come, if one has.
    pub fn take(&mut self) -> Option<Signal> {
        let number = match &self.0 {
            Kind::Descriptor(descriptor) => i32::try_from(descriptor.read_signal().ok().flatten()?.ssi_signo).ok()?,
            Kind::Pipe(reads) => {
                let mut number = [0];
                fd::read(reads, &mut number).ok().filter(|&count| count == 1)?;
                i32::from(number[0])
            }
        };
        let signal = Signal::try_from(number).ok()?;
        NOTED.fetch_and(!bit(signal), Ordering::Relaxed);
        Some(signal)
    }
}

/// Gives the signals that are collected, and `alarm`, a handler that runs once somebody lets one of them in: all are blocked
/// until then. Returns the set of them.
///
/// # Safety
///
/// The handler may do only what is async-signal-safe.
pub(in crate::sys) unsafe fn handle_collected(alarm: Signal, handler: extern "C" fn(libc::c_int)) -> Result<SigSet> {
    let collected = BLOCKED.load(Ordering::Relaxed);
    let mut set = SigSet::empty();
    set.add(alarm);
    let mut before = SigSet::empty();
    sigprocmask(SigmaskHow::SIG_BLOCK, Some(&set), Some(&mut before))?;
    if !before.contains(alarm) {
        BLOCKED.fetch_or(bit(alarm), Ordering::Relaxed);
    }
    Signal::iterator().filter(|&signal| collected & bit(signal) != 0).for_each(|signal| set.add(signal));
    // Without SA_RESTART, so that a call ends in which a signal comes.
    let action = SigAction::new(SigHandler::Handler(handler), SaFlags::empty(), SigSet::all());
    for signal in &set {
        // SAFETY: as the caller promises.
        unsafe { handle(signal, &action) }?;
    }
    Ok(set)
}

/// Gives a signal a handler, and remembers what children are to find.
///
/// # Safety
///
/// The handler may do only what is async-signal-safe.
unsafe fn handle(signal: Signal, action: &SigAction) -> Result<()> {
    // SAFETY: as the caller promises.
    let replaced = unsafe { sigaction(signal, action) }?;
    let kept = match replaced.handler() {
        SigHandler::SigIgn => &HANDLED_IGNORED,
        _ => &HANDLED,
    };
    kept.fetch_or(bit(signal), Ordering::Relaxed);
    Ok(())
}

/// Tells whether a [`SignalQueue`] of this process collects a signal.
#[must_use]
pub fn is_collected(signal: Signal) -> bool {
    BLOCKED.load(Ordering::Relaxed) & bit(signal) != 0
}

/// Tells whether a signal that is collected has come and has not been taken.
#[must_use]
pub fn is_waiting(signal: Signal) -> bool {
    if NOTED.load(Ordering::Relaxed) & bit(signal) != 0 {
        return true;
    }
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

impl AsFd for Kind {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Kind::Descriptor(descriptor) => descriptor.as_fd(),
            Kind::Pipe(reads) => reads.as_fd(),
        }
    }
}

/// What can be read while a signal of the [`SignalQueue`] waits to be taken. It is never read itself.
#[derive(Debug)]
pub struct SignalWatch(Kind);

impl SignalWatch {
    /// Watches for one signal; one watch at a time.
    pub fn new(signal: Signal) -> Result<SignalWatch> {
        if come_by_handler() {
            let (reads, writes) = pipe::new()?;
            fd::set_nonblocking(&writes)?;
            WATCHED.store(signal as i32, Ordering::Relaxed);
            WATCH.store(writes.into_raw_fd(), Ordering::Relaxed);
            return Ok(SignalWatch(Kind::Pipe(reads)));
        }
        let mut set = SigSet::empty();
        set.add(signal);
        SignalFd::with_flags(&set, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)
            .map(Kind::Descriptor)
            .map(SignalWatch)
    }
}

impl AsFd for SignalWatch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// The signal of the [`SignalWatch`] that a handler serves, and where it writes to; -1 without one.
static WATCHED: AtomicI32 = AtomicI32::new(-1);
static WATCH: AtomicI32 = AtomicI32::new(-1);
/// Where the handler writes to; -1 where signals need none.
static NOTES: AtomicI32 = AtomicI32::new(-1);
/// The mask that lets the signals of the queue in, for the time of a wait.
static LET_IN: OnceLock<SigSet> = OnceLock::new();
/// The signals that have another action now and had the default one, and those that were ignored, a bit each.
static HANDLED: AtomicU64 = AtomicU64::new(0);
static HANDLED_IGNORED: AtomicU64 = AtomicU64::new(0);

extern "C" fn note(signal: libc::c_int) {
    let number = u8::try_from(signal).unwrap_or(0);
    NOTED.fetch_or(1 << number, Ordering::Relaxed);
    let is_watched = WATCHED.load(Ordering::Relaxed) == signal;
    for pipe in [Some(&NOTES), is_watched.then_some(&WATCH)].into_iter().flatten() {
        // SAFETY: `write` may be called from a handler; one byte of ours, to a pipe that is never closed. The handler
        // runs only in a wait that ends with EINTR, so nobody misses what errno was. A full pipe has told enough.
        unsafe { libc::write(pipe.load(Ordering::Relaxed), (&raw const number).cast(), 1) };
    }
}

/// Tells whether signals come by a handler, and so only to [`poll_and_let_in`]: everywhere else, and in children, they
/// are blocked as they are for a descriptor.
pub(in crate::sys) fn come_by_handler() -> bool {
    LET_IN.get().is_some()
}

/// Polls, and lets in the signals that have come before or come meanwhile: they are in the queue then.
pub(in crate::sys) fn poll_and_let_in(asked: &mut [PollFd<'_>], timeout: Option<Duration>) -> Result<()> {
    let let_in = LET_IN.get().copied().ok_or(Errno::EINVAL)?;
    // A wait that finds something at once lets no signal in.
    let mut blocked = SigSet::empty();
    sigprocmask(SigmaskHow::SIG_SETMASK, Some(&let_in), Some(&mut blocked))?;
    sigprocmask(SigmaskHow::SIG_SETMASK, Some(&blocked), None)?;
    match ppoll(asked, timeout.map(TimeSpec::from_duration), Some(let_in)) {
        // What has come is in the queue by now.
        Err(Errno::EINTR) => match poll(asked, PollTimeout::ZERO) {
            Ok(_) | Err(Errno::EINTR) => Ok(()),
            Err(errno) => Err(errno),
        },
        answer => answer.map(drop),
    }
}

/// Makes sure that children which have ended wait to be collected: where SIGCHLD was ignored from the start they would be
/// gone at once, and nobody could be told how they ended. Their own children find it ignored, as it was.
pub fn want_children() -> Result<()> {
    if take_default(Signal::SIGCHLD)? {
        HANDLED_IGNORED.fetch_or(bit(Signal::SIGCHLD), Ordering::Relaxed);
    }
    Ok(())
}

/// Gives a signal its default action; says whether it was ignored.
fn take_default(signal: Signal) -> Result<bool> {
    let action = SigAction::new(SigHandler::SigDfl, SaFlags::empty(), SigSet::empty());
    // SAFETY: "default" installs no handler.
    let before = unsafe { sigaction(signal, &action) }?;
    Ok(matches!(before.handler(), SigHandler::SigIgn))
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

/// Gives the signals that this process ignores their default action for another program in this process, which will ignore
/// them itself. What is blocked stays blocked, so that nothing that comes meanwhile is missed.
pub fn stop_ignoring() -> Result<()> {
    set_ignored(SigHandler::SigDfl)
}

/// Undoes [`stop_ignoring`], as there is no other program.
pub fn ignore_again() -> Result<()> {
    set_ignored(SigHandler::SigIgn)
}

fn set_ignored(handler: SigHandler) -> Result<()> {
    let action = SigAction::new(handler, SaFlags::empty(), SigSet::empty());
    let ignored = IGNORED.load(Ordering::Relaxed);
    for signal in Signal::iterator().filter(|&signal| ignored & bit(signal) != 0) {
        // SAFETY: neither action installs a handler.
        unsafe { sigaction(signal, &action) }?;
    }
    Ok(())
}

/// The signals that children find ignored although this process handles them, a bit each.
#[must_use]
pub fn ignored_in_children() -> u64 {
    HANDLED_IGNORED.load(Ordering::Relaxed)
}

/// Has children find these signals ignored: the first program in this process did.
pub fn ignore_in_children(signals: u64) {
    HANDLED_IGNORED.fetch_or(signals, Ordering::Relaxed);
    HANDLED.fetch_and(!signals, Ordering::Relaxed);
}

/// Undoes in a child what this process blocked and ignored. May be called between fork and exec.
pub fn restore_in_child() -> Result<()> {
    let default = SigAction::new(SigHandler::SigDfl, SaFlags::empty(), SigSet::empty());
    let to_ignore = SigAction::new(SigHandler::SigIgn, SaFlags::empty(), SigSet::empty());
    let handled = HANDLED.load(Ordering::Relaxed);
    let handled_ignored = HANDLED_IGNORED.load(Ordering::Relaxed);
    let blocked = BLOCKED.load(Ordering::Relaxed);
    let ignored = IGNORED.load(Ordering::Relaxed);
    let mut set = SigSet::empty();
    for signal in Signal::iterator() {
        if blocked & bit(signal) != 0 {
            set.add(signal);
        }
        if (ignored | handled) & bit(signal) != 0 {
            // SAFETY: "default" installs no handler.
            unsafe { sigaction(signal, &default) }?;
        }
        if handled_ignored & bit(signal) != 0 {
            // SAFETY: "ignore" installs no handler.
            unsafe { sigaction(signal, &to_ignore) }?;
        }
    }
    sigprocmask(SigmaskHow::SIG_UNBLOCK, Some(&set), None)
}

/// Sends a signal to one process that this program started.
pub fn send(process: impl Into<Pid>, signal: Signal) -> Result<()> {
    let process = process.into().number();
    if process <= 0 {
        return Err(Errno::ESRCH);
    }
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(process), signal)
}

/// The code to exit with when the signal of [`exit_on`] comes.
static LEAVE_CODE: AtomicI32 = AtomicI32::new(0);

/// Exits with a code as soon as a signal comes, whatever the process is doing, even if it is blocked in a write to
/// a reader who has stopped; what the process keeps on disk must be right at any moment. A signal that was ignored from
/// the start stays ignored. One signal only.
pub fn exit_on(signal: Signal, code: i32) -> Result<()> {
    LEAVE_CODE.store(code, Ordering::Relaxed);
    let action = SigAction::new(SigHandler::Handler(exit_in_handler), SaFlags::empty(), SigSet::empty());
    // SAFETY: the handler makes one call, which is async-signal-safe.
    let before = unsafe { sigaction(signal, &action) }?;
    if matches!(before.handler(), SigHandler::SigIgn) {
        ignore(signal)?;
    }
    Ok(())
}

extern "C" fn exit_in_handler(_signal: nix::libc::c_int) {
    // SAFETY: `_exit` may be called from a handler.
    unsafe { nix::libc::_exit(LEAVE_CODE.load(Ordering::Relaxed)) }
}
