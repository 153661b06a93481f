//! Processes that may be other processes' children: recognises them, signals them, and tells how they end.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::time::Duration;

use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::Signal;

use crate::sys::dir::Dir;
use crate::sys::file::File;
use crate::sys::process::ended::Ended;
use crate::sys::process::pid::Pid;
use crate::sys::stat::{FileId, Stat};
use crate::sys::{Errno, Result, fd, signal};

/// `PIDFD_GET_INFO` of linux/pidfd.h: `_IOWR(0xff, 11, struct pidfd_info)` with the first published size, 64 bytes.
const PIDFD_GET_INFO: libc::c_ulong = 0xc040_ff0b;
/// `PIDFD_INFO_EXIT`: asks for, and then says that there is, an exit code.
const PIDFD_INFO_EXIT: u64 = 1 << 3;
/// How long the parent of a process that has ended may take to collect it; the exit code is known only then.
const COLLECTED_WITHIN: Duration = Duration::from_millis(200);

/// A process that may be somebody else's child, held so that its number cannot come to mean another one.
///
/// A kernel before 5.3 cannot hold a process. There its number and the moment of its start stand for it: the caller
/// looks now and then whether it has ended, and it is looked at before each signal.
#[derive(Debug)]
pub struct Pidfd {
    process: Pid,
    start_time: u64,
    descriptor: Option<OwnedFd>,
}

impl Pidfd {
    /// Takes hold of a process; `ESRCH` when there is none of this number, or it has ended.
    pub fn open(process: Pid) -> Result<Pidfd> {
        let descriptor = hold(process);
        let start_time = start_time(process).ok_or(Errno::ESRCH)?;
        Ok(Pidfd { process, start_time, descriptor })
    }

    /// A process that another program had taken hold of.
    #[must_use]
    pub fn handed_on(process: Pid, start_time: u64, descriptor: Option<OwnedFd>) -> Pidfd {
        Pidfd { process, start_time, descriptor }
    }

    /// When the process was started, in the kernel's ticks since the system came up.
    #[must_use]
    pub fn start_time(&self) -> u64 {
        self.start_time
    }

    /// What can be read when the process has ended; `None` where it has to be looked at with [`Pidfd::has_ended`].
    #[must_use]
    pub fn end(&self) -> Option<BorrowedFd<'_>> {
        self.descriptor.as_ref().map(AsFd::as_fd)
    }

    /// Tells whether the process has ended, by a look.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        start_time(self.process) != Some(self.start_time)
    }

    /// Tells whether the number means another process by now.
    #[must_use]
    pub fn has_been_replaced(&self) -> bool {
        start_time(self.process).is_some_and(|start_time| start_time != self.start_time)
    }

    /// Sends the process a signal.
    pub fn send(&self, signal: Signal) -> Result<()> {
        match self.descriptor.as_ref().map(|descriptor| send_to(descriptor, signal)) {
            None | Some(Err(Errno::ENOSYS | Errno::EPERM)) => {}
            Some(answer) => return answer,
        }
        if self.has_ended() { Err(Errno::ESRCH) } else { signal::send(self.process, signal) }
    }

    /// How the process ended, once it is readable; `None` where the system cannot tell.
    ///
    /// The code is there when the parent has collected the process, so this waits a moment for that.
    #[must_use]
    pub fn ended(&self) -> Option<Ended> {
        let descriptor = self.descriptor.as_ref()?;
        let mut collected = [PollFd::new(descriptor.as_fd(), PollFlags::empty())];
        let _ = poll(&mut collected, PollTimeout::try_from(COLLECTED_WITHIN).unwrap_or(PollTimeout::ZERO));
        let mut info = Info { mask: PIDFD_INFO_EXIT, ..Info::default() };
        // SAFETY: the request reads and writes at most the 64 bytes that its number states, which `Info` has.
        Errno::result(unsafe { libc::ioctl(descriptor.as_raw_fd(), PIDFD_GET_INFO, &raw mut info) }).ok()?;
        if info.mask & PIDFD_INFO_EXIT == 0 {
            return None;
        }
        if libc::WIFSIGNALED(info.exit_code) {
            return Some(Ended::Killed(libc::WTERMSIG(info.exit_code)));
        }
        Some(Ended::Exited(libc::WEXITSTATUS(info.exit_code)))
    }
}

/// Opens a descriptor for a process, which can be read when it has ended; `None` where the system refuses that.
pub(in crate::sys) fn hold(process: Pid) -> Option<OwnedFd> {
    // SAFETY: two plain numbers.
    let answer = Errno::result(unsafe { libc::syscall(libc::SYS_pidfd_open, process.number(), 0) }).ok()?;
    // SAFETY: the call has just made this descriptor, and nobody else knows of it.
    Some(unsafe { OwnedFd::from_raw_fd(RawFd::try_from(answer).ok()?) })
}

fn send_to(descriptor: &OwnedFd, signal: Signal) -> Result<()> {
    let (no_info, no_flags) = (std::ptr::null::<libc::siginfo_t>(), 0);
    // SAFETY: a descriptor of ours, a plain number, and no pointer.
    let answer =
        unsafe { libc::syscall(libc::SYS_pidfd_send_signal, descriptor.as_raw_fd(), signal as i32, no_info, no_flags) };
    Errno::result(answer).map(drop)
}

/// `struct pidfd_info` as first published.
#[repr(C)]
#[derive(Default)]
struct Info {
    mask: u64,
    cgroup: u64,
    /// pid, tgid, ppid, and eight user and group ids.
    ids: [u32; 11],
    exit_code: i32,
}

/// When a process was started, in the kernel's ticks since the system came up: with its number, and the system's own
/// start, its identity. `None` when there is no such process, or it has ended and waits to be collected.
#[must_use]
pub fn start_time(process: impl Into<Pid>) -> Option<u64> {
    about(process.into()).filter(|about| !matches!(about.state, b'Z' | b'X')).map(|about| about.start_time)
}

/// What `/proc` says of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct About {
    /// A letter: `T` if it is stopped.
    pub state: u8,
    /// The process that started it, or adopted it.
    pub parent: Pid,
    /// When it was started, in the kernel's ticks since the system came up.
    pub start_time: u64,
}

impl About {
    /// Tells whether the process was stopped by a signal.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.state == b'T'
    }

    /// Reads the text of `/proc/PID/stat`.
    fn parse(text: &[u8]) -> Option<About> {
        // The second field is the program's name in parentheses, and may itself hold spaces and parentheses.
        let after_name = text.iter().rposition(|&byte| byte == b')')? + 1;
        let mut fields = std::str::from_utf8(&text[after_name..]).ok()?.split_ascii_whitespace();
        // The state is field 3, the parent field 4, the start time field 22.
        let state = *fields.next()?.as_bytes().first()?;
        let parent = fields.next()?.parse().ok()?;
        Some(About { state, parent, start_time: fields.nth(22 - 5)?.parse().ok()? })
    }
}

/// Asks what `/proc` says of a process; `None` when there is none of this number, or no `/proc`.
#[must_use]
pub fn about(process: Pid) -> Option<About> {
    AboutFile::open(process)?.about()
}

/// A process that is asked about again and again. It stays the same process, whatever its number means by then.
#[derive(Debug)]
pub struct AboutFile(File);

impl AboutFile {
    /// Opens `/proc/PID/stat`; `None` when there is no such process, or no `/proc`.
    #[must_use]
    pub fn open(process: Pid) -> Option<AboutFile> {
        file_of(process, b"stat").map(AboutFile)
    }

    /// Asks; `None` when the process has been collected.
    #[must_use]
    pub fn about(&self) -> Option<About> {
        let mut text = [0; 1024];
        let length = self.0.read_at(0, &mut text).ok()?;
        About::parse(&text[..length])
    }
}

/// The arguments that a process was started with; empty where the system does not tell.
#[must_use]
pub fn arguments(process: Pid) -> Vec<Vec<u8>> {
    let mut text = [0; 4096];
    let length = file_of(process, b"cmdline").and_then(|file| fd::read(&file, &mut text).ok()).unwrap_or(0);
    let arguments = text[..length].strip_suffix(b"\0").unwrap_or(&text[..length]);
    arguments.split(|&byte| byte == 0).map(Into::into).collect()
}

/// Opens a file of `/proc/PID`; `None` when there is no such process, or no such file.
pub(in crate::sys) fn file_of(process: Pid, name: &[u8]) -> Option<File> {
    Dir::open(format!("/proc/{process}").as_str()).ok()?.open_to_read(name).ok()
}

/// Which file a process has open under a descriptor; `None` where the system does not tell.
#[must_use]
pub fn open_by(process: Pid, descriptor: RawFd) -> Option<FileId> {
    let path = format!("/proc/{process}/fd/{descriptor}");
    nix::sys::stat::stat(path.as_str()).ok().map(|stat| Stat::from(&stat).identity)
}

/// This process.
#[must_use]
pub fn own() -> Pid {
    nix::unistd::Pid::this().into()
}

/// The user whose rights this process has.
#[must_use]
pub fn own_user() -> u32 {
    nix::unistd::geteuid().as_raw()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_a_start_time() {
        assert!(start_time(own()).is_some_and(|ticks| ticks > 0));
        assert_eq!(start_time(i32::MAX), None);
    }
}
