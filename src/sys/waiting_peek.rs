//! Peeking at a pipe where the peek itself waits: `tee` sleeps until there are bytes, so that no poll is needed before it.
//!
//! The signals that a [`SignalQueue`](crate::sys::signal::SignalQueue) collects are blocked. They are let in for the time
//! of the call alone, and their handler ends it: a call that has begun ends with `EINTR`, and one that has not begun finds
//! that the pipe for the copies no longer lets anybody wait. So none is missed, and afterwards each is sent once more, for
//! the queue to find. The time limit is one of those signals: a timer sends `SIGURG`, which means nothing to most programs.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use nix::fcntl::{FcntlArg, OFlag, SpliceFFlags, fcntl, tee};
use nix::libc;
use nix::sys::signal::{SigEvent, SigSet, SigevNotify, SigmaskHow, kill, sigprocmask};
use nix::sys::time::TimeSpec;
use nix::sys::timer::{Expiration, Timer, TimerSetTimeFlags};
use nix::time::ClockId;
use nix::unistd::{getpid, gettid};

use crate::sys::signal::{self, Signal};
use crate::sys::{Errno, Result, kernel};

/// What a timer sends. Its default action is to do nothing, should it come when nobody waits for it.
const ALARM: Signal = Signal::SIGURG;

/// An earlier end than the one that the timer knows is worth a call if it is earlier by more than this.
const TOLERANCE: Duration = Duration::from_millis(1);

/// Before this version `tee` did not look whether the pipe for the copies lets anybody wait.
const KERNEL_LEAST: (u32, u32) = (5, 1);

/// The signals that came during the call, a bit each.
static CAME: AtomicU64 = AtomicU64::new(0);
/// The pipe for the copies; -1 while nobody peeks.
static COPIES: AtomicI32 = AtomicI32::new(-1);

/// How a peek ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Peeked {
    /// How many bytes were copied: 0 at the end of the pipe, and if the wait ended early.
    pub bytes: usize,
    /// A signal has come, and waits to be taken.
    pub has_signal: bool,
    /// The time is over, or a time that was asked for earlier, or somebody has sent `SIGURG`.
    pub has_alarm: bool,
}

/// Peeks at a pipe, and waits for bytes. One at a time in a process, in the thread that made it.
#[derive(Debug)]
pub struct WaitingPeek {
    let_in: SigSet,
    timer: Timer,
    /// When the timer will go off.
    alarm_at: Option<Instant>,
}

impl WaitingPeek {
    /// Prepares to wait: `ENOSYS` if the system has a part of this only, or signals come by another way.
    pub fn new() -> Result<WaitingPeek> {
        if signal::come_by_handler() || kernel::version().is_none_or(|version| version < KERNEL_LEAST) {
            return Err(Errno::ENOSYS);
        }
        // Where this is refused, what comes could not be passed on.
        kill(getpid(), None)?;
        // Another thread could take a signal that is sent to the process.
        let alarm = SigevNotify::SigevThreadId { signal: ALARM, thread_id: gettid().as_raw(), si_value: 0 };
        let timer = Timer::new(ClockId::CLOCK_MONOTONIC, SigEvent::new(alarm))?;
        // SAFETY: the handler stores to numbers that are atomic and makes one call, which is async-signal-safe.
        let let_in = unsafe { signal::handle_collected(ALARM, end_wait) }?;
        Ok(WaitingPeek { let_in, timer, alarm_at: None })
    }

    /// Copies up to `most` bytes from the head of `from` to `copies`, which is empty and used by nobody else. Waits for
    /// bytes, for a signal, and until `end`. `None` if that is impossible, say because somebody has made `from` non-blocking:
    /// then nothing was copied. After an error a signal may be lost, and this process cannot go on.
    pub fn peek(
        &mut self,
        from: BorrowedFd<'_>,
        copies: impl AsFd,
        most: usize,
        end: Option<Instant>,
    ) -> Result<Option<Peeked>> {
        let copies = copies.as_fd();
        if self.set_alarm(end).is_err() {
            return Ok(None);
        }
        COPIES.store(copies.as_raw_fd(), Ordering::Relaxed);
        sigprocmask(SigmaskHow::SIG_UNBLOCK, Some(&self.let_in), None)?;
        let answer = tee(from, copies, most, SpliceFFlags::empty());
        sigprocmask(SigmaskHow::SIG_BLOCK, Some(&self.let_in), None)?;
        COPIES.store(-1, Ordering::Relaxed);
        let came = CAME.load(Ordering::Relaxed);
        if came == 0 {
            return Ok(match answer {
                // A stop and a continue.
                Err(Errno::EINTR) => Some(Peeked::default()),
                answer => answer.ok().map(|bytes| Peeked { bytes, ..Peeked::default() }),
            });
        }
        self.settle(copies)?;
        let has_alarm = came & signal::bit(ALARM) != 0;
        Ok(Some(Peeked { bytes: answer.unwrap_or(0), has_signal: came != signal::bit(ALARM), has_alarm }))
    }

    /// Makes sure that the timer goes off when the wait has to end, or before.
    fn set_alarm(&mut self, end: Option<Instant>) -> Result<()> {
        let Some(end) = end.filter(|end| self.alarm_at.is_none_or(|alarm| *end + TOLERANCE < alarm)) else {
            return Ok(());
        };
        // A time of 0 would set no alarm.
        let left = end.saturating_duration_since(Instant::now()).max(Duration::from_nanos(1));
        self.timer.set(Expiration::OneShot(TimeSpec::from_duration(left)), TimerSetTimeFlags::empty())?;
        self.alarm_at = Some(end);
        Ok(())
    }

    /// Undoes what the handler has done, and lets the queue find the signals.
    fn settle(&mut self, copies: BorrowedFd<'_>) -> Result<()> {
        let came = CAME.load(Ordering::Relaxed);
        fcntl(copies, FcntlArg::F_SETFL(OFlag::empty()))?;
        for signal in self.let_in.iter().filter(|&signal| came & signal::bit(signal) != 0) {
            if signal == ALARM {
                self.alarm_at = None;
            } else {
                // It is blocked, so it waits. To the process and not to this thread: others may wait for it.
                kill(getpid(), signal)?;
            }
            CAME.fetch_and(!signal::bit(signal), Ordering::Relaxed);
        }
        Ok(())
    }
}

extern "C" fn end_wait(signal: libc::c_int) {
    CAME.fetch_or(1 << signal, Ordering::Relaxed);
    let copies = COPIES.load(Ordering::Relaxed);
    if copies >= 0 {
        // SAFETY: `fcntl` may be called from a handler; this sets a flag of the pipe that the call in progress was given.
        unsafe { libc::fcntl(copies, libc::F_SETFL, libc::O_NONBLOCK) };
    }
}
