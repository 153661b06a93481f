//! Processes that we start.

use std::ffi::CStr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::time::{Duration, Instant};

use nix::libc;
use nix::sys::signal::{Signal, killpg};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{ForkResult, fchdir, fork, setpgid};

use crate::sys::process::ended::Ended;
use crate::sys::process::pid::Pid;
use crate::sys::process::pidfd;
use crate::sys::{Errno, Result, poll, signal, uninterrupted};

/// Descriptors from here on are free while a child arranges its own.
const SCRATCH_DESCRIPTOR_MIN: RawFd = 16;

/// How long a process that is told to end has before it is killed.
const GRACE: Duration = Duration::from_millis(200);

/// Between two looks at a process whose end the system cannot be waited for with other things: first, and later.
const BETWEEN_LOOKS_MIN: Duration = Duration::from_millis(1);
const BETWEEN_LOOKS_MAX: Duration = Duration::from_millis(100);

/// Where the kernel cannot close a range of descriptors, those from here on stay open.
const INHERITED_DESCRIPTORS_MAX: RawFd = 65_536;

/// What a process took, with those of its children that it waited for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Processor time in its own code.
    pub user: Duration,
    /// Processor time in the kernel.
    pub system: Duration,
}

/// A process that was started and has not been waited for.
#[derive(Debug)]
pub struct Child(nix::unistd::Pid);

impl Child {
    /// Starts `/bin/sh -c command` as the leader of a process group of its own, in `directory` with the given descriptors under the given numbers and standard error
    /// as it is; all others are closed. Signals are as they were inherited.
    ///
    /// What goes wrong after the fork is for `complain` to say, which must neither allocate nor lock; the child exits
    /// with exit code 111.
    pub fn start_shell<const N: usize>(
        command: &CStr,
        directory: BorrowedFd<'_>,
        descriptors: [(BorrowedFd<'_>, RawFd); N],
        complain: impl Fn(Errno),
    ) -> Result<Child> {
        let arguments = [c"sh".as_ptr(), c"-c".as_ptr(), command.as_ptr(), std::ptr::null()];
        // SAFETY: the child makes only async-signal-safe calls before it executes or exits: nothing in `become_shell`
        // allocates or locks, which `complain` promises too.
        match unsafe { fork() }? {
            ForkResult::Parent { child } => {
                // The child does the same; whoever is first, the group is there before anybody signals it.
                let _ = setpgid(child, child);
                Ok(Child(child))
            }
            ForkResult::Child => {
                let Err(errno) = become_shell(&arguments, directory, descriptors);
                complain(errno);
                // SAFETY: exits immediately, without running what the parent has registered for its own end.
                unsafe { libc::_exit(111) }
            }
        }
    }

    /// Waits until the process ends, and says how; `None` if it still runs after `time`, or when `exit_request` can be read.
    pub fn wait_for(&self, time: Duration, exit_request: Option<BorrowedFd<'_>>) -> Result<Option<Ended>> {
        self.ended_within(pidfd::hold(self.pid()).as_ref(), exit_request, Some(time))
    }

    /// Waits until the process ends, or until `exit_request` can be read: then the process and its group are ended, and the
    /// answer is `None`. In every case the process has been collected afterwards.
    pub fn wait_unless(&self, exit_request: BorrowedFd<'_>) -> Result<Option<Ended>> {
        let end = pidfd::hold(self.pid());
        if let Some(ended) = self.ended_within(end.as_ref(), Some(exit_request), None)? {
            return Ok(Some(ended));
        }
        for signal in [Signal::SIGTERM, Signal::SIGKILL] {
            let _ = killpg(self.0, signal);
            if self.ended_within(end.as_ref(), None, Some(GRACE))?.is_some() {
                // What is left of the group has had its time.
                let _ = killpg(self.0, Signal::SIGKILL);
                return Ok(None);
            }
        }
        self.wait()?;
        let _ = killpg(self.0, Signal::SIGKILL);
        Ok(None)
    }

    /// Waits until the process ends, collects it, and says how it ended; `None` when `exit_request` can be read or the time is
    /// over before. `end` can be read when the process has ended; without it, the process is looked at now and then.
    fn ended_within(
        &self,
        end: Option<&OwnedFd>,
        exit_request: Option<BorrowedFd<'_>>,
        time: Option<Duration>,
    ) -> Result<Option<Ended>> {
        let deadline = time.map(|time| Instant::now() + time);
        let mut pause = BETWEEN_LOOKS_MIN;
        loop {
            match uninterrupted(|| waitpid(self.0, Some(WaitPidFlag::WNOHANG)))? {
                WaitStatus::Exited(_, code) => return Ok(Some(Ended::Exited(code))),
                WaitStatus::Signaled(_, signal, _) => return Ok(Some(Ended::Killed(signal as i32))),
                _ => {}
            }
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            if left == Some(Duration::ZERO) {
                return Ok(None);
            }
            let look = if end.is_some() { left } else { Some(left.map_or(pause, |left| left.min(pause))) };
            pause = (2 * pause).min(BETWEEN_LOOKS_MAX);
            match poll::readable_among([end.map(AsFd::as_fd), exit_request], look) {
                Ok([_, true]) => return Ok(None),
                Ok([_, false]) => {}
                // Nothing can be waited for; the process goes on all the same.
                Err(_) => std::thread::sleep(look.unwrap_or(BETWEEN_LOOKS_MAX)),
            }
        }
    }

    /// Waits until the process ends.
    pub fn wait(&self) -> Result<Ended> {
        loop {
            match uninterrupted(|| waitpid(self.0, None))? {
                WaitStatus::Exited(_, code) => return Ok(Ended::Exited(code)),
                WaitStatus::Signaled(_, signal, _) => return Ok(Ended::Killed(signal as i32)),
                _ => {}
            }
        }
    }

    /// The process.
    #[must_use]
    pub fn pid(&self) -> Pid {
        self.0.into()
    }

    /// Kills the process and all others in its group.
    pub fn kill_group(&self) -> Result<()> {
        killpg(self.0, Signal::SIGKILL)
    }

    /// Waits until the process ends, and says what it took.
    pub fn wait_with_usage(&self) -> Result<(Ended, Usage)> {
        let mut status = 0;
        // SAFETY: rusage is plain numbers, for which zero is a value.
        let mut taken: libc::rusage = unsafe { std::mem::zeroed() };
        uninterrupted(|| {
            // SAFETY: the call writes an int and a rusage, to ours.
            Errno::result(unsafe { libc::wait4(self.0.as_raw(), &raw mut status, 0, &raw mut taken) })
        })?;
        let ended = match WaitStatus::from_raw(self.0, status)? {
            WaitStatus::Signaled(_, signal, _) => Ended::Killed(signal as i32),
            WaitStatus::Exited(_, code) => Ended::Exited(code),
            // Stops are not asked for.
            _ => return Err(Errno::ECHILD),
        };
        let time = |time: libc::timeval| {
            Duration::from_secs(time.tv_sec.unsigned_abs()) + Duration::from_micros(time.tv_usec.unsigned_abs())
        };
        Ok((ended, Usage { user: time(taken.ru_utime), system: time(taken.ru_stime) }))
    }
}

impl From<nix::unistd::Pid> for Child {
    fn from(process: nix::unistd::Pid) -> Child {
        Child(process)
    }
}

/// Turns this process into the shell; returns only if that fails.
fn become_shell<const N: usize>(
    arguments: &[*const libc::c_char; 4],
    directory: BorrowedFd<'_>,
    descriptors: [(BorrowedFd<'_>, RawFd); N],
) -> Result<std::convert::Infallible> {
    fchdir(directory)?;
    setpgid(nix::unistd::Pid::from_raw(0), nix::unistd::Pid::from_raw(0))?;
    // First out of the way of the numbers to come, then into place.
    let mut raised = descriptors.map(|(source, number)| (source.as_raw_fd(), number));
    for (source, _) in &mut raised {
        // SAFETY: plain descriptor numbers.
        *source = Errno::result(unsafe { libc::fcntl(*source, libc::F_DUPFD_CLOEXEC, SCRATCH_DESCRIPTOR_MIN) })?;
    }
    let mut highest = libc::STDERR_FILENO;
    for (source, number) in raised {
        // SAFETY: plain descriptor numbers.
        Errno::result(unsafe { libc::dup2(source, number) })?;
        highest = highest.max(number);
    }
    for number in libc::STDERR_FILENO + 1..=highest {
        if !raised.iter().any(|&(_, taken)| taken == number) {
            // SAFETY: closes what the shell is not to have; a number that is not open is no harm.
            unsafe { libc::close(number) };
        }
    }
    // SAFETY: as above.
    if unsafe { libc::syscall(libc::SYS_close_range, highest + 1, libc::c_uint::MAX, 0) } != 0 {
        let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        // SAFETY: writes a limit into ours; where that is refused, the highest number that is tried is closed.
        let is_known = unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) } == 0;
        let end = if is_known { RawFd::try_from(limit.rlim_cur).unwrap_or(RawFd::MAX) } else { RawFd::MAX };
        for number in highest + 1..end.min(INHERITED_DESCRIPTORS_MAX) {
            // SAFETY: as above.
            unsafe { libc::close(number) };
        }
    }
    signal::restore_in_child()?;
    // SAFETY: the arguments are C strings and end with a null pointer; the environment is the process's own.
    unsafe { libc::execv(c"/bin/sh".as_ptr(), arguments.as_ptr()) };
    Err(Errno::last())
}
