//! `svc options services`: controls services by name.
//!
//! The letters are written to each service's control FIFO in the order given. For their meaning see
//! [`Control`](crate::supervise::control::Control) and, for their effects, [`state`](crate::supervise::state).

use std::ffi::CStr;

use crate::cli::{Exit, Options, Program, Shown, cause, message};
use crate::supervise::commands::{self, Error, Patience};
use crate::sys::dir::Dir;
use crate::sys::program;
use crate::sys::signal::{self, Signal};

const PROGRAM: Program = Program("svc");

/// The letters: 0.76's, those for USR1, USR2, QUIT and WINCH, and that for a new program of supervise.
const LETTERS: &[u8] = b"udopchaitkx12qwe";

/// Runs `svc`. A failure with one service is reported, and the others are still controlled.
#[must_use]
pub fn run(arguments: &program::Arguments) -> Exit {
    let mut letters = Vec::new();
    let mut options = Options::new(arguments, LETTERS);
    for option in options.by_ref() {
        match option {
            Ok(given) if letters.contains(&given.letter) => {}
            Ok(given) => letters.push(given.letter),
            Err(bad) => {
                message::say(format_args!("{bad}\n"));
                return usage();
            }
        }
    }
    // A supervisor may exit between the opening and the writing.
    if let Err(errno) = signal::ignore(Signal::SIGPIPE) {
        return PROGRAM.fatal(format_args!("unable to ignore SIGPIPE: {}", cause(errno)));
    }
    for dir in options.rest() {
        steer(dir, &letters);
    }
    Exit::OK
}

fn steer(dir: &CStr, letters: &[u8]) {
    let name = Shown(dir.to_bytes());
    let service = match Dir::reach(dir) {
        Ok(service) => service,
        Err(errno) => return PROGRAM.warn(format_args!("unable to chdir to {name}: {}", cause(errno))),
    };
    match commands::send(&service, letters, Patience::Waits) {
        Ok(()) => {}
        Err(Error::Write(errno)) => PROGRAM.warn(format_args!("error writing commands to {name}: {}", cause(errno))),
        Err(error) => PROGRAM.warn(format_args!("unable to control {name}: {error}")),
    }
}

fn usage() -> Exit {
    message::say(format_args!(
        "svc options: u up, d down, o once, x exit, p pause, c continue, h hup, a alarm, i interrupt, t term, k kill\n"
    ));
    Exit::USAGE
}
