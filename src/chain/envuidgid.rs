//! `envuidgid account child`: runs a program that drops its privileges itself, and says in `UID` and `GID` for whom.

use std::ffi::CString;

use crate::cli::{Exit, Program};
use crate::sys::exec::Environment;
use crate::sys::program::Arguments;

use super::account::Account;
use super::next::Next;

const ENVUIDGID: Program = Program("envuidgid");

/// Runs the program.
#[must_use]
pub fn run(arguments: &Arguments) -> Exit {
    let [_, account, command @ ..] = arguments else {
        return usage();
    };
    let Some(next) = Next::new(command) else {
        return usage();
    };
    let account = match Account::look_up(account.to_bytes()) {
        Ok(account) => account,
        Err(error) => return ENVUIDGID.fatal(error),
    };
    let [group] = account.groups[..] else {
        return ENVUIDGID.fatal("no variable holds more than one group");
    };
    let mut environment = Environment::inherited();
    for (name, id) in [("GID", group), ("UID", account.user)] {
        environment.put(CString::new(format!("{name}={id}")).expect("letters and digits"));
    }
    next.with_environment(&environment).run(ENVUIDGID)
}

fn usage() -> Exit {
    ENVUIDGID.usage("envuidgid account child")
}
