//! Warnings: what could not be read. readlog prints the rest, and exits 1.

use std::cell::Cell;
use std::fmt::Display;

use logyard::cli::{Exit, Messages, Shown, cause};
use logyard::sys::Errno;

/// The exit code of a reader that could not read everything.
const INCOMPLETE: Exit = Exit(1);

/// Whether anything could not be read.
#[derive(Debug)]
pub(super) struct Warnings {
    is_incomplete: Cell<bool>,
    messages: Messages,
}

impl Warnings {
    /// Nothing has gone wrong yet.
    pub(super) fn new(messages: Messages) -> Warnings {
        Warnings { is_incomplete: Cell::new(false), messages }
    }

    /// Warns that something could not be read.
    pub(super) fn warn(&self, text: impl Display) {
        self.is_incomplete.set(true);
        self.announce(text);
    }

    /// Warns of something that does not change the exit code.
    pub(super) fn announce(&self, text: impl Display) {
        self.messages.warn(text);
    }

    /// Warns that a file could not be read.
    pub(super) fn unable_to_read(&self, directory: &[u8], name: &[u8], why: Errno) {
        self.warn(format_args!("unable to read {}/{}: {}", Shown(directory), Shown(name), reason(why)));
    }

    /// The exit code, if nothing worse has happened.
    pub(super) fn exit(&self) -> Exit {
        if self.is_incomplete.get() { INCOMPLETE } else { Exit::OK }
    }
}

/// Why a file could not be read. Some causes are not those of a system call, and have texts of their own.
fn reason(errno: Errno) -> &'static str {
    match errno {
        Errno::EINVAL => "its name is no label",
        Errno::ENXIO => "not a plain file",
        Errno::E2BIG => "unpacking it takes too much memory",
        Errno::EPROTO => "compressed and damaged",
        errno => cause(errno),
    }
}
