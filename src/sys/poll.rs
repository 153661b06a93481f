//! Waiting until one of several descriptors has something to say.

use std::os::fd::BorrowedFd;
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::sys::{Errno, Result};

/// Waits until one of `sources` can be read without blocking, at most for `timeout` (`None`: for ever), and says of each
/// whether it can. End of file and errors count as readable: reading tells which.
pub fn readable<const N: usize>(sources: [BorrowedFd<'_>; N], timeout: Option<Duration>) -> Result<[bool; N]> {
    let mut asked = sources.map(|source| PollFd::new(source, PollFlags::POLLIN));
    let timeout = match timeout {
        None => PollTimeout::NONE,
        // Rounded up, so that a wait for half a millisecond is not a busy loop.
        Some(time) => PollTimeout::try_from(time.as_nanos().div_ceil(1_000_000)).unwrap_or(PollTimeout::MAX),
    };
    match poll(&mut asked, timeout) {
        Ok(_) => {}
        // A stop and a continue end the wait early: the caller asks again, as after any wait.
        Err(Errno::EINTR) => return Ok([false; N]),
        Err(errno) => return Err(errno),
    }
    Ok(asked.map(|one| one.revents().is_none_or(|events| !events.is_empty())))
}
