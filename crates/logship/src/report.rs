//! Messages, and the exit code that follows from them. Nothing else in this crate prints to standard error.

use std::cell::Cell;
use std::fmt::Display;

use logyard::cli::{Exit, Program, message};
use logyard::sys::{fd, terminal};

/// The exit code of a run that could not do everything.
const INCOMPLETE: Exit = Exit(1);

/// The name in messages.
const PROGRAM: Program = Program("logship");

/// Whether anything failed.
#[derive(Debug, Default)]
pub(crate) struct Report(Cell<bool>);

impl Report {
    /// Prints a warning. The exit code will be 1.
    pub(crate) fn warn(&self, text: impl Display) {
        self.0.set(true);
        warn(text);
    }

    /// The exit code, if nothing worse has happened.
    pub(crate) fn exit(&self) -> Exit {
        if self.0.get() { INCOMPLETE } else { Exit::OK }
    }
}

/// Prints a warning about something that logship deals with.
pub(crate) fn warn(text: impl Display) {
    PROGRAM.warn(text);
}

/// Prints what was done.
pub(crate) fn say(text: impl Display) {
    PROGRAM.say(text);
}

/// Prints why the program exits, and returns the exit code.
pub(crate) fn fatal(text: impl Display) -> Exit {
    PROGRAM.fatal(text)
}

/// Prints how the program is called, and returns the exit code.
pub(crate) fn usage(synopsis: impl Display) -> Exit {
    PROGRAM.usage(synopsis)
}

/// Prints a part of a line, for a terminal.
pub(crate) fn draw(text: impl Display) {
    message::say(format_args!("{text}"));
}

/// Tells whether messages appear on a terminal.
pub(crate) fn is_terminal() -> bool {
    terminal::is_terminal(fd::stderr())
}
