//! The limits of the system that svscan has reached.

use std::collections::BTreeSet;
use std::fmt::Display;

use crate::cli::{Messages, cause};
use crate::sys::Errno;

/// Reports each limit of the system once, until there is room again.
#[derive(Debug)]
pub struct Limits {
    named: BTreeSet<i32>,
    messages: Messages,
}

impl Limits {
    /// No limit has been reached.
    #[must_use]
    pub fn new(messages: Messages) -> Limits {
        Limits { named: BTreeSet::new(), messages }
    }

    fn is_limit(errno: Errno) -> bool {
        matches!(errno, Errno::EMFILE | Errno::ENFILE | Errno::EAGAIN | Errno::ENOMEM)
    }

    /// Reports a failure; if it is a limit, only the first time.
    pub(super) fn reached(&mut self, errno: Errno, text: impl Display) {
        if !Limits::is_limit(errno) || self.named.insert(errno as i32) {
            self.messages.warn(format_args!("{text}: {}", cause(errno)));
        }
    }

    /// There was room for everything: the next failure is reported again.
    pub fn clear(&mut self) {
        self.named.clear();
    }
}
