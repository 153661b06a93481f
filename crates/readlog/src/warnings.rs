//! Warnings: what could not be read. readlog prints the rest, and exits 1.

use std::cell::Cell;
use std::fmt::Display;

use logyard::cli::{Exit, Program, Shown, cause, message};
use logyard::sys::Errno;

/// The exit code of a reader that could not read everything.
const INCOMPLETE: Exit = Exit(1);

/// The name in messages.
pub(super) const PROGRAM: Program = Program("readlog");

/// Whether anything could not be read.
#[derive(Debug, Default)]
pub(super) struct Warnings {
    has_warned: Cell<bool>,
    is_quiet: bool,
}

impl Warnings {
    /// No warnings yet. If `is_quiet`, none is printed.
    pub(super) fn new(is_quiet: bool) -> Warnings {
        Warnings { has_warned: Cell::new(false), is_quiet }
    }

    /// Prints a warning: something could not be read.
    pub(super) fn warn(&self, text: impl Display) {
        self.has_warned.set(true);
        self.note(text);
    }

    /// Notes that something could not be read, which has been told.
    pub(super) fn mark(&self) {
        self.has_warned.set(true);
    }

    /// Prints a warning that does not count: everything is read all the same.
    pub(super) fn note(&self, text: impl Display) {
        if !self.is_quiet {
            PROGRAM.warn(text);
        }
    }

    /// Prints a hint.
    pub(super) fn hint(&self, text: impl Display) {
        if !self.is_quiet {
            message::say(format_args!("readlog: {text}\n"));
        }
    }

    /// Warns that a file could not be read.
    pub(super) fn unable_to_read(&self, directory: &[u8], name: &[u8], why: Errno) {
        self.warn(format_args!("unable to read {}/{}: {}", Shown(directory), Shown(name), reason(why)));
    }

    /// The exit code, if nothing worse has happened.
    pub(super) fn exit(&self) -> Exit {
        if self.has_warned.get() { INCOMPLETE } else { Exit::OK }
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
