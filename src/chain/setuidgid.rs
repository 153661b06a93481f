//! `setuidgid account child`: runs a program as another user, with that account's group as its only one.
//!
//! Groups go first, as only root may change them. Then it is checked that nothing of the old identity is left: what is
//! run here is what should not have root's rights, and there are ways to keep them that no call reports (inherited
//! capabilities, "no set-user-id fix-up").

use crate::cli::{Exit, Program};
use crate::sys::credentials;
use crate::sys::program::Arguments;

use super::account;
use super::next::unable;

const PROGRAM: Program = Program("setuidgid");

/// Runs the program.
#[must_use]
pub fn run(arguments: &Arguments) -> Exit {
    let (account, next) = match account::read(PROGRAM, arguments) {
        Ok(read) => read,
        Err(exit) => return exit,
    };
    if let Err(errno) = credentials::set_groups(&account.groups) {
        return unable(PROGRAM, "setgid", errno);
    }
    if let Err(errno) = credentials::set_user(account.user) {
        return unable(PROGRAM, "setuid", errno);
    }
    match credentials::is(account.user, &account.groups) {
        Ok(true) => {}
        Ok(false) => return PROGRAM.fatal("user and groups are not those asked for"),
        Err(errno) => return unable(PROGRAM, "check user and groups", errno),
    }
    if account.user != 0 && credentials::can_become_root() {
        return PROGRAM.fatal("privileges are not gone: the child could become root again");
    }
    next.run(PROGRAM)
}
