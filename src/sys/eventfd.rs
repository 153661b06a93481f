//! Events: one thread wakes another through a descriptor, which can be waited for together with others.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::sys::eventfd::{EfdFlags, EventFd};

use crate::sys::{Errno, Result, fd, pipe};

/// How often a write that should not fail is tried.
const TRIES: u32 = 8;

/// Something that has happened or not.
#[derive(Debug)]
pub struct Event(Kind);

#[derive(Debug)]
enum Kind {
    Counter(EventFd),
    /// Where the system has no such counters: the event has happened if there is a byte in the pipe.
    Pipe {
        reads: OwnedFd,
        writes: OwnedFd,
    },
}

impl Event {
    /// An event that has not happened.
    pub fn new() -> Result<Event> {
        match EventFd::from_value_and_flags(0, EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK) {
            Ok(counter) => Ok(Event(Kind::Counter(counter))),
            Err(Errno::ENOSYS | Errno::EPERM) => Event::of_pipe(),
            Err(errno) => Err(errno),
        }
    }

    fn of_pipe() -> Result<Event> {
        let (reads, writes) = pipe::new()?;
        fd::set_nonblocking(&reads)?;
        fd::set_nonblocking(&writes)?;
        Ok(Event(Kind::Pipe { reads, writes }))
    }

    /// It has happened: the descriptor can be read.
    pub fn notify(&self) {
        // It can fail only for having happened 2^64 - 2 times, or for a pipe that is full of bytes that say so. Whoever
        // waits for it waits for ever if it did otherwise, so a system that has its whims is asked again.
        let notify = || match &self.0 {
            Kind::Counter(counter) => counter.write(1).is_ok(),
            Kind::Pipe { writes, .. } => matches!(fd::write(writes, b"."), Ok(_) | Err(Errno::EAGAIN)),
        };
        let _ = (0..TRIES).find(|_| notify());
    }

    /// Takes notice: the descriptor cannot be read until it happens again.
    pub fn clear(&self) {
        match &self.0 {
            // It fails only if it has not happened.
            Kind::Counter(counter) => drop(counter.read()),
            Kind::Pipe { reads, .. } => while fd::read(reads, &mut [0; 64]).is_ok_and(|count| count > 0) {},
        }
    }
}

impl AsFd for Event {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match &self.0 {
            Kind::Counter(counter) => counter.as_fd(),
            Kind::Pipe { reads, .. } => reads.as_fd(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::sys::poll;

    #[test]
    fn an_event_is_readable_from_when_it_happens_until_it_is_cleared() {
        for event in [Event::new().unwrap(), Event::of_pipe().unwrap()] {
            let has_happened = || poll::readable([event.as_fd()], Some(Duration::ZERO)) == Ok([true]);
            assert!(!has_happened());
            event.notify();
            event.notify();
            assert!(has_happened());
            event.clear();
            assert!(!has_happened());
        }
    }
}
