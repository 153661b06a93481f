//! Waiting until one of several descriptors has something to say.

use std::os::fd::BorrowedFd;
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::sys::{Errno, Result};

/// Waits until one of `sources` can be read without blocking, at most for `timeout` (`None`: for ever), and says of each
/// whether it can. End of file and errors count as readable: reading tells which.
pub fn readable<const N: usize>(sources: [BorrowedFd<'_>; N], timeout: Option<Duration>) -> Result<[bool; N]> {
    let asked = sources.map(|source| PollFd::new(source, PollFlags::POLLIN));
    wait(asked, timeout).map(|asked| asked.map(|one| is_awake(&one)))
}

/// As [`readable`], for sources that may be absent; what is absent is never readable.
pub fn readable_among<const N: usize>(
    sources: [Option<BorrowedFd<'_>>; N],
    timeout: Option<Duration>,
) -> Result<[bool; N]> {
    // Something must stand in the place of what is absent; asked for nothing, its answer is not looked at.
    let Some(&stand_in) = sources.iter().flatten().next() else { return Err(Errno::EINVAL) };
    let asked = sources.map(|source| match source {
        Some(source) => PollFd::new(source, PollFlags::POLLIN),
        None => PollFd::new(stand_in, PollFlags::empty()),
    });
    let asked = wait(asked, timeout)?;
    Ok(std::array::from_fn(|i| sources[i].is_some() && is_awake(&asked[i])))
}

/// As [`readable`], for any number of sources.
pub fn readable_of(sources: &[BorrowedFd<'_>], timeout: Option<Duration>) -> Result<Vec<bool>> {
    let asked: Vec<PollFd<'_>> = sources.iter().map(|source| PollFd::new(*source, PollFlags::POLLIN)).collect();
    wait(asked, timeout).map(|asked| asked.iter().map(is_awake).collect())
}

fn wait<'fd, A: AsMut<[PollFd<'fd>]>>(mut asked: A, timeout: Option<Duration>) -> Result<A> {
    let timeout = match timeout {
        None => PollTimeout::NONE,
        // Rounded up, so that a wait for half a millisecond is not a busy loop.
        Some(time) => PollTimeout::try_from(time.as_nanos().div_ceil(1_000_000)).unwrap_or(PollTimeout::MAX),
    };
    match poll(asked.as_mut(), timeout) {
        // A stop and a continue end the wait early with nothing readable: the caller asks again, as after any wait.
        Ok(_) | Err(Errno::EINTR) => Ok(asked),
        Err(errno) => Err(errno),
    }
}

fn is_awake(one: &PollFd<'_>) -> bool {
    one.revents().is_none_or(|events| !events.is_empty())
}
