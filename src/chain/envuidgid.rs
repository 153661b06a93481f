//! `envuidgid account child`: runs a program with the account's ids in `UID` and `GID`; the program drops its privileges itself.

use std::ffi::CString;

use crate::cli::{Exit, Program};
use crate::sys::process::exec::Environment;
use crate::sys::program::Arguments;

use super::account;

const PROGRAM: Program = Program("envuidgid");

/// Runs the program.
#[must_use]
pub fn run(arguments: &Arguments) -> Exit {
    let (account, next) = match account::read(PROGRAM, arguments) {
        Ok(read) => read,
        Err(exit) => return exit,
    };
    let [group] = account.groups[..] else {
        return PROGRAM.fatal("no variable holds more than one group");
    };
    let mut environment = Environment::inherited();
    for (name, id) in [("GID", group), ("UID", account.user)] {
        environment.put(CString::new(format!("{name}={id}")).expect("letters and digits"));
    }
    next.with_environment(&environment).run(PROGRAM)
}
