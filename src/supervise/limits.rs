//! The limits of the system that svscan has reached.

use std::collections::BTreeSet;
use std::fmt::Display;

use crate::cli::{Program, cause};
use crate::sys::Errno;

const SVSCAN: Program = Program("svscan");

/// The limits of the system that have been reached and named. Each is named once, until it is no longer reached.
#[derive(Debug, Default)]
pub struct Limits(BTreeSet<i32>);

impl Limits {
    fn is_limit(errno: Errno) -> bool {
        matches!(errno, Errno::EMFILE | Errno::ENFILE | Errno::EAGAIN | Errno::ENOMEM)
    }

    /// Says that something failed; of a limit, the first time that it is reached.
    pub(super) fn reached(&mut self, errno: Errno, text: impl Display) {
        if !Limits::is_limit(errno) || self.0.insert(errno as i32) {
            SVSCAN.warn(format_args!("{text}: {}", cause(errno)));
        }
    }

    /// Forgets what was named: there was room for everything.
    pub fn clear(&mut self) {
        self.0.clear();
    }
}
