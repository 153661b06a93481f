//! Makes the second logger on a pipe wait until the first has exited: two loggers would take each other's lines.

use std::fmt;
use std::time::{Duration, Instant};

use crate::sys::process::pid::Pid;
use crate::sys::{fd, pipe};

/// How often a logger looks whether the one before it has left the pipe.
pub(super) const TURN_CHECK: Duration = Duration::from_millis(100);
/// How long the pipe may stay unchanged before the other reader counts as inactive.
const TURN_PATIENCE: Duration = Duration::from_secs(10);

/// Whether this process is the one that reads the pipe.
#[derive(Debug, Default)]
pub(super) enum Turn {
    /// It is, or the system cannot tell.
    Ours,
    /// Not checked yet.
    #[default]
    Unknown,
    /// Another logger reads it. The number of bytes in the pipe has been `waiting_bytes` since `since`. `is_told` is
    /// true once a message has said so.
    Theirs { waiting_bytes: usize, since: Instant, is_told: bool },
}

/// A warning about the pipe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    /// Another logger reads it, and this one waits.
    IsTaken(Pid),
    /// The other logger does not read, so this one does.
    IsNotRead(Pid),
    /// Another process reads it, or changes its bytes.
    HasChanged,
}

impl fmt::Display for Notice {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Notice::IsTaken(other) => {
                write!(out, "standard input is read by another multilog, waiting until it exits (pid {other})")
            }
            Notice::IsNotRead(other) => {
                write!(out, "the other multilog does not read standard input, reading it (pid {other})")
            }
            Notice::HasChanged => out.write_str(
                "what standard input showed has changed: another process reads from it, or changes what it wrote; lines \
                 may be logged twice, or be missing here",
            ),
        }
    }
}

impl Turn {
    /// Tells whether it is our turn to read. Called only while the logger holds no bytes of the pipe.
    pub(super) fn is_ours(&mut self, notices: &mut Vec<Notice>) -> bool {
        if matches!(self, Turn::Ours) {
            return true;
        }
        // If the system does not offer the lock, nobody waits.
        let Ok(Some(other)) = pipe::claim(fd::stdin()) else {
            *self = Turn::Ours;
            return true;
        };
        let waiting_bytes = pipe::waiting_bytes(fd::stdin()).unwrap_or(0);
        let Turn::Theirs { waiting_bytes: before, since, is_told } = *self else {
            // It may be about to exit.
            *self = Turn::Theirs { waiting_bytes, since: Instant::now(), is_told: false };
            return false;
        };
        if !is_told {
            notices.push(Notice::IsTaken(other));
        }
        let stands_still = before == waiting_bytes && waiting_bytes > 0;
        if stands_still && since.elapsed() >= TURN_PATIENCE {
            notices.push(Notice::IsNotRead(other));
            *self = Turn::Ours;
            return true;
        }
        let since = if stands_still { since } else { Instant::now() };
        *self = Turn::Theirs { waiting_bytes, since, is_told: true };
        false
    }
}
