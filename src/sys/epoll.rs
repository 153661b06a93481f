//! Waiting for new bytes in a pipe that still holds old ones.
//!
//! `poll` says at once that such a pipe can be read. An edge-triggered epoll speaks when something is written, whatever
//! is there already: since its event is queued by the write, none is missed between a look and the wait.
//!
//! Where the system refuses epoll, the caller is told to look again and again, a moment apart.

use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use nix::poll::{PollFd, PollFlags};
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

use crate::sys::poll::{self, Ready};
use crate::sys::{Errno, Result, signal};

/// What the events of the edge are called, and those of the other.
const EDGE: u64 = 0;
const OTHER: u64 = 1;

/// Between two looks where no change is told of.
const BETWEEN_LOOKS: Duration = Duration::from_millis(100);

/// Waits for a change of one descriptor, or for another to be readable.
#[derive(Debug)]
pub struct EdgeWatch(Option<Epoll>);

impl EdgeWatch {
    /// Watches for changes of `edge`, and whether `other` can be read. What `edge` holds already counts as one change.
    #[must_use]
    pub fn new(edge: BorrowedFd<'_>, other: BorrowedFd<'_>) -> EdgeWatch {
        let watch = || -> Result<Epoll> {
            let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
            epoll.add(edge, EpollEvent::new(EpollFlags::EPOLLIN | EpollFlags::EPOLLET, EDGE))?;
            epoll.add(other, EpollEvent::new(EpollFlags::EPOLLIN, OTHER))?;
            Ok(epoll)
        };
        // Whatever the reason is, looking again does as well.
        EdgeWatch(watch().ok())
    }

    /// Waits, at most for `timeout` (`None`: without a limit). Says of the edge and of the other, both as they were given to
    /// [`EdgeWatch::new`], what there is. The edge may be said to have changed when it has not.
    pub fn wait(
        &mut self,
        edge: BorrowedFd<'_>,
        other: BorrowedFd<'_>,
        timeout: Option<Duration>,
    ) -> Result<[Ready; 2]> {
        if let Some(epoll) = &self.0 {
            match wait_by(epoll, timeout) {
                Err(_) => self.0 = None,
                answer => return answer,
            }
        }
        // A pipe that nobody can write to any more says so without being asked.
        let mut asked = [PollFd::new(edge, PollFlags::empty()), PollFd::new(other, PollFlags::POLLIN)];
        let is_shorter = timeout.is_some_and(|time| time < BETWEEN_LOOKS);
        poll::ask(&mut asked, if is_shorter { timeout } else { Some(BETWEEN_LOOKS) })?;
        let [mut edge, other] = asked.map(|one| poll::answer(&one));
        edge.is_readable |= !is_shorter && !other.is_readable;
        Ok([edge, other])
    }
}

fn wait_by(epoll: &Epoll, timeout: Option<Duration>) -> Result<[Ready; 2]> {
    let mut ready = [Ready::default(); 2];
    let mut events = [EpollEvent::empty(); 2];
    let timeout = if signal::come_by_handler() {
        // They come only to a wait of `poll`'s.
        poll::wait([epoll.0.as_fd()], timeout)?;
        EpollTimeout::ZERO
    } else {
        match timeout {
            None => EpollTimeout::NONE,
            Some(time) => EpollTimeout::try_from(poll::milliseconds(time)).unwrap_or(EpollTimeout::MAX),
        }
    };
    let count = match epoll.wait(&mut events, timeout) {
        Ok(count) => count,
        Err(Errno::EINTR) => 0,
        Err(errno) => return Err(errno),
    };
    for event in &events[..count] {
        let hung_up = event.events().intersects(EpollFlags::EPOLLHUP | EpollFlags::EPOLLERR);
        ready[usize::from(event.data() == OTHER)] = Ready { is_readable: true, hung_up };
    }
    Ok(ready)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::{fd, pipe};

    #[test]
    fn changes_of_a_pipe_that_holds_bytes_are_told_with_and_without_epoll() {
        for has_epoll in [true, false] {
            let (reads, writes) = pipe::new().unwrap();
            let (other, _other_writes) = pipe::new().unwrap();
            fd::write_all(&writes, b"held").unwrap();
            let mut watch = EdgeWatch::new(reads.as_fd(), other.as_fd());
            if !has_epoll {
                watch.0 = None;
            }
            let mut wait = |time| watch.wait(reads.as_fd(), other.as_fd(), time).unwrap();

            let [edge, _] = wait(Some(Duration::from_secs(60)));
            assert!(edge.is_readable && !edge.hung_up, "bytes that wait already count");
            let [edge, other] = wait(Some(Duration::ZERO));
            assert!(!edge.is_readable && !other.is_readable, "nothing has come");
            fd::write_all(&writes, b" more").unwrap();
            assert!(wait(None)[0].is_readable);
            drop(writes);
            let [edge, _] = wait(None);
            assert!(edge.is_readable && edge.hung_up);
        }
    }
}
