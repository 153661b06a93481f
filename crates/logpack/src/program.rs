//! The program: from the command line to the exit code.

use std::ffi::CStr;
use std::fmt::Display;
use std::mem::ManuallyDrop;
use std::os::fd::AsFd;

use crate::list;
use crate::options::{self, Request, Task, USAGE};
use crate::pack::{Error, Packers, Settings};
use crate::unpack::unpack;
use logyard::cli::{Exit, Program, Shown, cause, message};
use logyard::sys::file::File;
use logyard::sys::process::priority;
use logyard::sys::program::Arguments;
use logyard::sys::{fd, memory, terminal};
use logyard::tai64n::Zone;

const PROGRAM: Program = Program("logpack");

/// Runs `logpack`.
#[must_use]
pub fn run(arguments: &Arguments) -> Exit {
    fd::occupy_standard();
    let Request { task, files, keeps_priority } = match options::parse(arguments) {
        Ok(request) => request,
        Err(problem) => {
            message::say(format_args!("{problem}\n"));
            return PROGRAM.usage(USAGE);
        }
    };
    if !keeps_priority && !matches!(task, Task::List) {
        priority::lower();
    }
    let answer = match task {
        Task::Pack(_) if terminal::is_terminal(fd::stdout()) => {
            message::say(format_args!("logpack: compressed data is not written to a terminal\n"));
            return PROGRAM.usage(USAGE);
        }
        Task::Pack(settings) => pack_all(settings).map_err(|error| error.to_string()),
        Task::Unpack if files.is_empty() => unpack(fd::stdin(), fd::stdout()).map_err(|error| error.to_string()),
        Task::Unpack => each(files, |file| unpack(file.as_fd(), fd::stdout())),
        Task::List => list_all(files),
    };
    match answer {
        Ok(()) => Exit::OK,
        Err(text) => PROGRAM.fatal(text),
    }
}

fn pack_all(settings: Settings) -> Result<(), Error> {
    memory::look_whether_scarce(settings.long_lines_bytes());
    // The program ends, and takes its memory and its threads with it: faster than freeing them one by one.
    let mut packers = ManuallyDrop::new(Packers::start(settings)?);
    packers.pack(fd::stdin(), fd::stdout())
}

/// Does the same to each file, up to the first that fails.
fn each<E: Display>(files: &[&CStr], mut work: impl FnMut(&File) -> Result<(), E>) -> Result<(), String> {
    for path in files {
        let shown = Shown(path.to_bytes());
        let file = File::open(path).map_err(|errno| format!("unable to open {shown}: {}", cause(errno)))?;
        work(&file).map_err(|error| format!("{shown}: {error}"))?;
    }
    Ok(())
}

fn list_all(files: &[&CStr]) -> Result<(), String> {
    let zone = Zone::local().map_err(|error| error.to_string())?;
    let list = |file: &File| {
        let index = list::read(file).map_err(|errno| format!("unable to read input: {}", cause(errno)))?;
        let index = index.ok_or("unable to list frames: the file has no index, or a damaged one")?;
        let write = |text: &str| fd::write_all(fd::stdout(), text.as_bytes());
        write(&list::table(&index, &zone)).map_err(|errno| format!("unable to write output: {}", cause(errno)))
    };
    if files.is_empty() {
        return list(&File::open(c"/dev/stdin").map_err(|errno| format!("unable to read input: {}", cause(errno)))?);
    }
    each(files, list)
}
