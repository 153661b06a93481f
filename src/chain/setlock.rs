//! `setlock [-nNxX] file program`: runs a program while a lock is held.
//!
//! The lock belongs to the open file, which the program inherits without knowing, and so it ends with the program and
//! with everything that the program leaves running.

use std::ffi::CStr;

use crate::cli::{Exit, Options, Program, Shown, cause, message};
use crate::sys::Errno;
use crate::sys::lockfile::LockFile;
use crate::sys::program::Arguments;

use super::next::Next;

const PROGRAM: Program = Program("setlock");

/// Runs the program.
#[must_use]
pub fn run(arguments: &Arguments) -> Exit {
    let mut wait = true;
    let mut complain = true;
    let mut options = Options::new(arguments, b"nNxX");
    for option in options.by_ref() {
        match option.map(|given| given.letter) {
            Ok(b'n') => wait = false,
            Ok(b'N') => wait = true,
            Ok(b'x') => complain = false,
            Ok(_) => complain = true,
            Err(bad) => {
                message::say(format_args!("{bad}\n"));
                return usage();
            }
        }
    }
    let [path, command @ ..] = options.rest() else {
        return usage();
    };
    let Some(next) = Next::new(command) else {
        return usage();
    };
    let locked = LockFile::open(path)
        .map_err(|errno| ("open", errno))
        .and_then(|file| file.lock(wait).map_err(|errno| ("lock", errno)));
    match locked {
        Ok(()) => next.run(PROGRAM),
        Err((verb, errno)) if complain => unable(verb, path, errno),
        Err(_) => Exit::OK,
    }
}

fn unable(verb: &str, path: &CStr, errno: Errno) -> Exit {
    PROGRAM.fatal(format_args!("unable to {verb} {}: {}", Shown(path.to_bytes()), cause(errno)))
}

fn usage() -> Exit {
    PROGRAM.usage("setlock [ -nNxX ] file program [ arg ... ]")
}
