//! Runs the next program of the chain in place of this one: how all of the tools end.

use std::ffi::CStr;

use crate::cli::{Exit, Program, Shown, cause};
use crate::sys::Errno;
use crate::sys::process::exec::{Environment, Successor};
use crate::sys::program::Arguments;

/// The next program, ready to run: nothing that it needs has to be allocated any more.
pub(super) struct Next<'a> {
    name: &'a CStr,
    successor: Successor<'a>,
}

impl<'a> Next<'a> {
    /// Makes a command ready; `None` where the command line ends before it.
    pub(super) fn new(command: &'a Arguments) -> Option<Next<'a>> {
        Some(Next { name: command.first()?, successor: Successor::new(command)? })
    }

    /// The same program in another environment.
    pub(super) fn with_environment(self, environment: &'a Environment) -> Next<'a> {
        Next { successor: self.successor.with_environment(environment), ..self }
    }

    /// Becomes that program. Returns only to exit, after announcing the reason: `unable to run X: file does not exist`.
    pub(super) fn run(mut self, program: Program) -> Exit {
        let errno = self.successor.run();
        program.fatal(format_args!("unable to run {}: {}", Shown(self.name.to_bytes()), cause(errno)))
    }
}

/// Says that something was impossible, in the family's grammar: `unable to X: cause`.
pub(super) fn unable(program: Program, what: &str, errno: Errno) -> Exit {
    program.fatal(format_args!("unable to {what}: {}", cause(errno)))
}
