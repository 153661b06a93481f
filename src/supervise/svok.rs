//! `svok dir`: exit 0 if a supervisor runs there, 100 if none does.

use std::ffi::CStr;

use crate::cli::{Exit, Program, Shown, cause};
use crate::supervise::error::Error;
use crate::supervise::files::{Files, OK};
use crate::sys::dir::Dir;
use crate::sys::{Errno, program};

const PROGRAM: Program = Program("svok");

/// Runs `svok`.
#[must_use]
pub fn run(arguments: &program::Arguments) -> Exit {
    let Some(dir) = arguments.get(1) else { return PROGRAM.usage("svok dir") };
    match is_supervised(dir) {
        Ok(true) => Exit::OK,
        Ok(false) => Exit::USAGE,
        Err(exit) => exit,
    }
}

fn is_supervised(dir: &CStr) -> Result<bool, Exit> {
    let name = Shown(dir.to_bytes());
    let service =
        Dir::reach(dir).map_err(|errno| PROGRAM.fatal(format_args!("unable to chdir to {name}: {}", cause(errno))))?;
    match Files::open(&service).and_then(|files| files.fifo_of_supervisor(OK)) {
        Ok(_) => Ok(true),
        Err(Error::System(Errno::ENOENT | Errno::ENXIO)) => Ok(false),
        Err(error) => Err(PROGRAM.fatal(format_args!("unable to open {name}/supervise/ok: {error}"))),
    }
}
