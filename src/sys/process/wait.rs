//! Collects children that have ended, our own and those that we inherit.

use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};

use crate::sys::process::ended::Ended;
use crate::sys::process::pid::Pid;
use crate::sys::{Result, uninterrupted};

/// What has ended among our children.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reaped {
    /// This child ended so.
    Child(Pid, Ended),
    /// There are children, and none has ended.
    NoneEnded,
    /// There are no children.
    NoChildren,
}

/// Collects one child that has ended, whichever it is, without waiting.
pub fn reap() -> Reaped {
    loop {
        match uninterrupted(|| waitpid(None, Some(WaitPidFlag::WNOHANG))) {
            Ok(WaitStatus::Exited(process, code)) => return Reaped::Child(process.into(), Ended::Exited(code)),
            Ok(WaitStatus::Signaled(process, signal, _)) => {
                return Reaped::Child(process.into(), Ended::Killed(signal as i32));
            }
            Ok(WaitStatus::StillAlive) => return Reaped::NoneEnded,
            // A stop or a trace, which was not asked for.
            Ok(_) => {}
            Err(_) => return Reaped::NoChildren,
        }
    }
}

/// From now on, the children that our descendants leave behind become ours.
pub fn become_subreaper() -> Result<()> {
    nix::sys::prctl::set_child_subreaper(true)
}
