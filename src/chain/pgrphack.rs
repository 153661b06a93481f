//! `pgrphack child`: runs a program in a session and a process group of its own.

use crate::cli::{Exit, Program};
use crate::sys::process::fork;
use crate::sys::program::Arguments;

use super::next::Next;

const PROGRAM: Program = Program("pgrphack");

/// Runs the program.
#[must_use]
pub fn run(arguments: &Arguments) -> Exit {
    let Some(next) = Next::new(arguments.get(1..).unwrap_or_default()) else {
        return PROGRAM.usage("pgrphack child");
    };
    // Fails for one that leads a process group already, and that is what was wanted.
    let _ = fork::start_session();
    next.run(PROGRAM)
}
