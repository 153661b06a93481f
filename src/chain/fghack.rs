//! `fghack child`: keeps a program in the foreground that puts itself in the background, so that supervise can see it.
//!
//! The program gets many descriptors of a pipe that nobody writes to. They stay open in whatever it leaves running, as a
//! daemon closes a few descriptors that it knows, and not these; when the last is closed, all of it has ended.

use std::os::fd::OwnedFd;

use crate::cli::{Exit, Program, cause};
use crate::sys::process::ended::Ended;
use crate::sys::process::{exec, fork};
use crate::sys::program::Arguments;
use crate::sys::{Result, fd, pipe as pipes};

use super::next::{Next, unable};

const PROGRAM: Program = Program("fghack");

/// How many descriptors the program gets besides the pipe's own: more than daemons close at their start.
const DUPLICATES: usize = 30;

/// Runs the program, and exits with its exit code when all that it started has ended.
#[must_use]
pub fn run(arguments: &Arguments) -> Exit {
    let Some(next) = Next::new(arguments.get(1..).unwrap_or_default()) else {
        return PROGRAM.usage("fghack child");
    };
    let (reader, writer) = match pipe() {
        Ok(ends) => ends,
        Err(errno) => return unable(PROGRAM, "create pipe", errno),
    };
    let child = fork::fork(|| {
        // The program can do with fewer, if it must.
        let _duplicates: Vec<OwnedFd> = (0..DUPLICATES).map_while(|_| exec::duplicate(&writer).ok()).collect();
        next.run(PROGRAM).into()
    });
    let child = match child {
        Ok(child) => child,
        Err(errno) => return unable(PROGRAM, "fork", errno),
    };
    drop(writer);
    while fd::read(&reader, &mut [0; 512]).is_ok_and(|read| read > 0) {}
    match child.wait() {
        Ok(Ended::Exited(code)) => Exit(code),
        Ok(Ended::Killed(_)) => PROGRAM.fatal("child crashed"),
        Err(errno) => PROGRAM.fatal(format_args!("wait failed: {}", cause(errno))),
    }
}

/// A pipe: its reading end for us, its writing end for the program.
fn pipe() -> Result<(OwnedFd, OwnedFd)> {
    let (reader, writer) = pipes::new()?;
    Ok((reader, exec::hand_on(writer)?))
}
