//! Messages, and the exit code that follows from them.

use std::cell::Cell;
use std::fmt::Display;

use logyard::cli::{Exit, Program};

/// The exit code of a run that could not do everything.
pub(crate) const INCOMPLETE: Exit = Exit(1);

/// The name in messages.
pub(crate) const PROGRAM: Program = Program("logship");

/// Whether anything failed.
#[derive(Debug, Default)]
pub(crate) struct Report(Cell<bool>);

impl Report {
    /// Prints a warning. The exit code will be 1.
    pub(crate) fn warn(&self, text: impl Display) {
        self.0.set(true);
        PROGRAM.warn(text);
    }

    /// The exit code, if nothing worse has happened.
    pub(crate) fn exit(&self) -> Exit {
        if self.0.get() { INCOMPLETE } else { Exit::OK }
    }
}
