//! The limits of the system that svscan has reached.

use std::collections::BTreeSet;
use std::fmt::Display;

use crate::cli::{Messages, cause};
use crate::sys::Errno;

/// The limits of the system that have been reached and named. Each is named once, until it is no longer reached.
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

    /// Says that something failed; of a limit, the first time that it is reached.
    pub(super) fn reached(&mut self, errno: Errno, text: impl Display) {
        if !Limits::is_limit(errno) || self.named.insert(errno as i32) {
            self.messages.warn(format_args!("{text}: {}", cause(errno)));
        }
    }

    /// Forgets what was named: there was room for everything.
    pub fn clear(&mut self) {
        self.named.clear();
    }
}
