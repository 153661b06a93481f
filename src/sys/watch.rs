//! Waits for any number of descriptors, each with a number of its own.

use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

use crate::sys::{Errno, Result, poll, signal};

/// How many events are taken at a time.
const EVENTS: usize = 64;

/// A set of descriptors. A descriptor that is closed leaves it.
#[derive(Debug)]
pub struct Watch(Epoll);

/// What a descriptor has to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// The number that it was added with.
    pub number: u64,
    /// The other end sends no more.
    pub has_ended: bool,
}

impl Watch {
    /// Makes an empty set.
    pub fn new() -> Result<Watch> {
        Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).map(Watch)
    }

    /// Adds a descriptor, which is reported as long as it can be read.
    pub fn add(&self, descriptor: BorrowedFd<'_>, number: u64) -> Result<()> {
        self.0.add(descriptor, EpollEvent::new(EpollFlags::EPOLLIN, number))
    }

    /// Adds a descriptor that is reported when more can be read than before. What it holds already counts.
    pub fn add_edge(&self, descriptor: BorrowedFd<'_>, number: u64) -> Result<()> {
        let flags = EpollFlags::EPOLLIN | EpollFlags::EPOLLRDHUP | EpollFlags::EPOLLET;
        self.0.add(descriptor, EpollEvent::new(flags, number))
    }

    /// Removes a descriptor.
    pub fn remove(&self, descriptor: BorrowedFd<'_>) -> Result<()> {
        self.0.delete(descriptor)
    }

    /// Waits, at most for `timeout` (`None`: without a limit).
    pub fn wait(&self, timeout: Option<Duration>) -> Result<Vec<Event>> {
        let timeout = if signal::come_by_handler() {
            // They come only to a wait of `poll`'s.
            poll::wait([self.as_fd()], timeout)?;
            Some(Duration::ZERO)
        } else {
            timeout
        };
        let timeout = match timeout {
            None => EpollTimeout::NONE,
            Some(time) => EpollTimeout::try_from(poll::milliseconds(time)).unwrap_or(EpollTimeout::MAX),
        };
        let mut events = [EpollEvent::empty(); EVENTS];
        let count = match self.0.wait(&mut events, timeout) {
            Ok(count) => count,
            Err(Errno::EINTR) => 0,
            Err(errno) => return Err(errno),
        };
        let ended = EpollFlags::EPOLLRDHUP | EpollFlags::EPOLLHUP | EpollFlags::EPOLLERR;
        Ok(events[..count]
            .iter()
            .map(|event| Event { number: event.data(), has_ended: event.events().intersects(ended) })
            .collect())
    }
}

impl AsFd for Watch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.0.as_fd()
    }
}
