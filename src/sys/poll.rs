//! Waiting until one of several descriptors has something to say.

use std::os::fd::BorrowedFd;
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::sys::{Errno, Result};

/// What a descriptor has to say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ready {
    /// Reading does not block. End of file and errors count: reading tells which.
    pub is_readable: bool,
    /// Of a pipe: nobody can write to it any more.
    pub hung_up: bool,
}

/// Waits until one of `sources` can be read without blocking, at most for `timeout` (`None`: for ever), and says of each
/// what it has to say.
pub fn wait<const N: usize>(sources: [BorrowedFd<'_>; N], timeout: Option<Duration>) -> Result<[Ready; N]> {
    let mut asked = sources.map(|source| PollFd::new(source, PollFlags::POLLIN));
    let timeout = match timeout {
        None => PollTimeout::NONE,
        Some(time) => PollTimeout::try_from(milliseconds(time)).unwrap_or(PollTimeout::MAX),
    };
    match poll(&mut asked, timeout) {
        Ok(_) => {}
        // A stop and a continue end the wait early: the caller asks again, as after any wait.
        Err(Errno::EINTR) => return Ok([Ready::default(); N]),
        Err(errno) => return Err(errno),
    }
    Ok(asked.map(|one| {
        let events = one.revents().unwrap_or(PollFlags::POLLERR);
        Ready { is_readable: !events.is_empty(), hung_up: events.intersects(PollFlags::POLLHUP | PollFlags::POLLERR) }
    }))
}

/// The same, saying of each only whether it can be read.
pub fn readable<const N: usize>(sources: [BorrowedFd<'_>; N], timeout: Option<Duration>) -> Result<[bool; N]> {
    wait(sources, timeout).map(|ready| ready.map(|one| one.is_readable))
}

/// Rounds up, so that a wait for half a millisecond is not a busy loop.
pub(in crate::sys) fn milliseconds(time: Duration) -> u128 {
    time.as_nanos().div_ceil(1_000_000)
}
