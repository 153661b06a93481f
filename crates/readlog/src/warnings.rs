//! What could not be read: a message on standard error, the rest goes on, and the exit code remembers.

use std::cell::Cell;
use std::fmt::Display;

use logyard::cli::{Exit, Program, Shown, cause};
use logyard::sys::Errno;

/// The exit code of a reader that could not read everything.
const INCOMPLETE: Exit = Exit(1);

/// The program that speaks.
pub(super) const PROGRAM: Program = Program("readlog");

/// Counts, in effect up to one, what could not be read.
#[derive(Debug, Default)]
pub(super) struct Warnings(Cell<bool>);

impl Warnings {
    /// Says what could not be read.
    pub(super) fn warn(&self, text: impl Display) {
        self.0.set(true);
        PROGRAM.warn(text);
    }

    /// Says that a file could not be read.
    pub(super) fn unable_to_read(&self, directory: &[u8], name: &[u8], why: Errno) {
        self.warn(format_args!("unable to read {}/{}: {}", Shown(directory), Shown(name), reason(why)));
    }

    /// The code to leave with when nothing worse has happened.
    pub(super) fn exit(&self) -> Exit {
        if self.0.get() { INCOMPLETE } else { Exit::OK }
    }
}

/// Why a file could not be read; what no system call says has words of its own.
fn reason(errno: Errno) -> &'static str {
    match errno {
        Errno::EINVAL => "its name is no label",
        Errno::ENXIO => "not a plain file",
        Errno::E2BIG => "unpacking it takes too much memory",
        Errno::EPROTO => "compressed and damaged",
        errno => cause(errno),
    }
}
