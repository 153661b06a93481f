//! Waits until one of several descriptors is ready.

use std::os::fd::BorrowedFd;
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::sys::{Errno, Result, signal};

/// What a descriptor has to say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ready {
    /// Reading does not block. End of file and errors count: reading tells which.
    pub is_readable: bool,
    /// Of a pipe: nobody can write to it any more.
    pub hung_up: bool,
}

/// Waits until one of `sources` can be read without blocking, at most for `timeout` (`None`: without a limit), and says of each
/// what it has to say.
pub fn wait<const N: usize>(sources: [BorrowedFd<'_>; N], timeout: Option<Duration>) -> Result<[Ready; N]> {
    let mut asked = sources.map(|source| PollFd::new(source, PollFlags::POLLIN));
    ask(&mut asked, timeout)?;
    Ok(asked.map(|one| answer(&one)))
}

/// The same, saying of each only whether it can be read.
pub fn readable<const N: usize>(sources: [BorrowedFd<'_>; N], timeout: Option<Duration>) -> Result<[bool; N]> {
    wait(sources, timeout).map(|ready| ready.map(|one| one.is_readable))
}

/// Waits until `source` can be read or nobody is at the other end of `watched`, a terminal or a pipe, and says of each whether it
/// is so. Bytes that can be read from `watched` do not count.
pub fn readable_or_hung_up(source: BorrowedFd<'_>, watched: BorrowedFd<'_>) -> Result<[bool; 2]> {
    let mut asked = [PollFd::new(source, PollFlags::POLLIN), PollFd::new(watched, PollFlags::empty())];
    ask(&mut asked, None)?;
    Ok([answer(&asked[0]).is_readable, answer(&asked[1]).hung_up])
}

/// [`readable`] for sources that may be absent; what is absent is never readable.
pub fn readable_among<const N: usize>(
    sources: [Option<BorrowedFd<'_>>; N],
    timeout: Option<Duration>,
) -> Result<[bool; N]> {
    // Something must stand in the place of what is absent; asked for nothing, its answer is not looked at.
    let Some(&stand_in) = sources.iter().flatten().next() else { return Err(Errno::EINVAL) };
    let mut asked = sources.map(|source| match source {
        Some(source) => PollFd::new(source, PollFlags::POLLIN),
        None => PollFd::new(stand_in, PollFlags::empty()),
    });
    ask(&mut asked, timeout)?;
    Ok(std::array::from_fn(|at| sources[at].is_some() && answer(&asked[at]).is_readable))
}

/// The same, for any number of sources.
pub fn readable_of(sources: &[BorrowedFd<'_>], timeout: Option<Duration>) -> Result<Vec<bool>> {
    let mut asked: Vec<PollFd<'_>> = sources.iter().map(|source| PollFd::new(*source, PollFlags::POLLIN)).collect();
    ask(&mut asked, timeout)?;
    Ok(asked.iter().map(|one| answer(one).is_readable).collect())
}

/// Waits until `sink` has room for some bytes, at most for `timeout` (`None`: without a limit), and says whether it has. An error
/// counts as room: writing tells.
pub fn writable(sink: BorrowedFd<'_>, timeout: Option<Duration>) -> Result<bool> {
    let mut asked = [PollFd::new(sink, PollFlags::POLLOUT)];
    ask(&mut asked, timeout)?;
    Ok(asked[0].revents().is_none_or(|events| !events.is_empty()))
}

/// Waits until `sink` has room or `source` can be read, at most for `timeout` (`None`: without a limit), and says of each
/// whether it is so.
pub fn writable_or_readable(
    sink: BorrowedFd<'_>,
    source: BorrowedFd<'_>,
    timeout: Option<Duration>,
) -> Result<[bool; 2]> {
    let mut asked = [PollFd::new(sink, PollFlags::POLLOUT), PollFd::new(source, PollFlags::POLLIN)];
    ask(&mut asked, timeout)?;
    Ok(asked.map(|one| answer(&one).is_readable))
}

pub(in crate::sys) fn ask(asked: &mut [PollFd<'_>], timeout: Option<Duration>) -> Result<()> {
    if signal::come_by_handler() {
        return signal::poll_and_let_in(asked, timeout);
    }
    let timeout = match timeout {
        None => PollTimeout::NONE,
        Some(time) => PollTimeout::try_from(milliseconds(time)).unwrap_or(PollTimeout::MAX),
    };
    match poll(asked, timeout) {
        // A stop and a continue end the wait early with nothing to say: the caller asks again, as after any wait.
        Ok(_) | Err(Errno::EINTR) => Ok(()),
        Err(errno) => Err(errno),
    }
}

pub(in crate::sys) fn answer(one: &PollFd<'_>) -> Ready {
    let events = one.revents().unwrap_or(PollFlags::POLLERR);
    Ready { is_readable: !events.is_empty(), hung_up: events.intersects(PollFlags::POLLHUP | PollFlags::POLLERR) }
}

/// Rounds up, so that a wait for half a millisecond is not a busy loop.
pub(in crate::sys) fn milliseconds(time: Duration) -> u64 {
    // Without the division of 128 bits that `as_nanos` would need: a logger asks for each line.
    time.as_secs().saturating_mul(1000).saturating_add(u64::from(time.subsec_nanos().div_ceil(1_000_000)))
}
