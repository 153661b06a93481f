//! Events: one thread tells another something, by a descriptor that can be waited for with others.

use std::os::fd::{AsFd, BorrowedFd};

use nix::sys::eventfd::{EfdFlags, EventFd};

use crate::sys::Result;

/// How often a write that should not fail is tried.
const TRIES: u32 = 8;

/// Something that has happened or not.
#[derive(Debug)]
pub struct Event(EventFd);

impl Event {
    /// An event that has not happened.
    pub fn new() -> Result<Event> {
        EventFd::from_value_and_flags(0, EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK).map(Event)
    }

    /// It has happened: the descriptor can be read.
    pub fn happen(&self) {
        // It can fail only for having happened 2^64 - 2 times. Whoever waits for it waits for ever if it did otherwise,
        // so a system that has its whims is asked again.
        let _ = (0..TRIES).find(|_| self.0.write(1).is_ok());
    }

    /// Takes notice: the descriptor cannot be read until it happens again.
    pub fn clear(&self) {
        // It fails only if it has not happened.
        let _ = self.0.read();
    }
}

impl AsFd for Event {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
