//! Waiting for new bytes in a pipe that still holds old ones.
//!
//! `poll` says at once that such a pipe can be read. An edge-triggered epoll speaks when something is written, whatever
//! is there already: since its event is queued by the write, none is missed between a look and the wait.

use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

use crate::sys::poll::{self, Ready};
use crate::sys::{Errno, Result};

/// What the events of the edge are called, and those of the other.
const EDGE: u64 = 0;
const OTHER: u64 = 1;

/// Waits for a change of one descriptor, or for another to be readable.
#[derive(Debug)]
pub struct EdgeWatch(Epoll);

impl EdgeWatch {
    /// Watches for changes of `edge`, and whether `other` can be read. What `edge` holds already counts as one change.
    pub fn new(edge: BorrowedFd<'_>, other: impl AsFd) -> Result<EdgeWatch> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        epoll.add(edge, EpollEvent::new(EpollFlags::EPOLLIN | EpollFlags::EPOLLET, EDGE))?;
        epoll.add(other, EpollEvent::new(EpollFlags::EPOLLIN, OTHER))?;
        Ok(EdgeWatch(epoll))
    }

    /// Waits, at most for `timeout` (`None`: for ever). Says of the edge and of the other what there is.
    pub fn wait(&self, timeout: Option<Duration>) -> Result<[Ready; 2]> {
        let mut ready = [Ready::default(); 2];
        let mut events = [EpollEvent::empty(); 2];
        let timeout = match timeout {
            None => EpollTimeout::NONE,
            Some(time) => EpollTimeout::try_from(poll::milliseconds(time)).unwrap_or(EpollTimeout::MAX),
        };
        let count = match self.0.wait(&mut events, timeout) {
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
}
