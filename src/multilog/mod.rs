//! multilog: reads lines, and writes them to automatically rotated log directories.
//!
//! ```text
//! fd 0 ──▶ Input ──▶ Reader ──window of whole lines──▶ Batch ──▶ e      alert to standard error
//!   ▲      (peek)    (one buffer, lines borrowed)      (the     ├─▶ =file  status
//!   │                                                   script) └─▶ ./dir  LogDir: append, rotate, archive, trim
//!   └─────────────── consumed when it is written ◀──────────────────────────────┘
//! ```
//!
//! - [`script`]: the arguments, parsed once; [`selector`]: its patterns, compiled.
//! - [`input`], [`peek`] and [`reader`]: bytes from descriptor 0, signals, and the window of whole lines; [`stray`]: bytes
//!   that others who read the pipe make us consume.
//! - [`batch`]: what one turn writes and where, decided without touching anything.
//! - [`alert`], [`status`], [`logdir`]: where lines go.
//! - [`engine`]: the loop that carries it all out; [`pausing`] and [`partial`]: what it does when a step fails.
//! - [`journal`], [`record`] and [`mod@settle`]: what a killed logger leaves its successor, and what that makes of it.
//!
//! # Promises
//!
//! - Every line that was selected is in its directories, once and in order, when multilog leaves.
//! - What was read is written before multilog waits for more.
//! - From a pipe: a logger that is killed at any moment and started again has lost, doubled and torn no line.
//! - On TERM nothing is taken beyond the line that has been begun: the rest is the next logger's. It leaves within a
//!   second, also while the disk is full, a processor hangs, or nobody reads standard error. What it had read from anything
//!   but a pipe and cannot write is put back (a file) or counted on standard error.
//! - Nothing that is printed holds up the logging: see [`standard_error`].
//! - Trouble with the disk while logging is announced, and the step is tried again every 5 seconds; the data waits.
#![forbid(unsafe_code)]

pub mod alert;
pub mod batch;
pub mod engine;
pub mod input;
pub mod journal;
pub mod judge;
pub mod logdir;
pub mod partial;
pub mod pausing;
pub mod peek;
pub mod reader;
pub mod record;
pub mod rewriting;
pub mod script;
pub mod selector;
pub mod settle;
#[cfg(test)]
mod simulated;
pub mod status;
pub mod stray;

use crate::cli::standard_error::{self, Threads};
use crate::cli::{Exit, Program};
use crate::multilog::engine::Engine;
use crate::multilog::input::{Input, Intake};
use crate::multilog::logdir::{Claim, Directory, LogDir, PathDir, Trouble};
use crate::multilog::pausing::Interruptible;
use crate::multilog::record::Heading;
use crate::multilog::script::Script;
use crate::multilog::settle::settle;
use crate::multilog::status::StatusFile;
use crate::sys::program::Arguments;
use crate::sys::signal::{self, Signal};
use crate::sys::{self, dir, fd, memory};

pub use selector::Selector;

/// The name in messages.
pub const PROGRAM: Program = Program("multilog");

/// Files are made with the modes that are asked for, whatever the parent's mask.
const UMASK: u32 = 0o022;

/// What a busy logger may need of the address space, and what each log directory adds, with a thread's stack. Where it may
/// not have so much it makes do with less.
const BUSY_BYTES: usize = 3 * 1024 * 1024;
const DIRECTORY_BYTES: usize = 1024 * 1024;

/// The program: logs standard input as the arguments say.
pub fn run(arguments: &Arguments) -> Exit {
    run_on(arguments, Input::new)
}

/// The same program without peeking: it reads, and what it has read is gone when it is killed. For comparison.
pub fn run_reading(arguments: &Arguments) -> Exit {
    run_on(arguments, Input::reading)
}

fn run_on(arguments: &Arguments, input: fn() -> sys::Result<Input>) -> Exit {
    fd::occupy_standard();
    standard_error::never_block(PROGRAM, Threads::Allowed);
    let Program(name) = PROGRAM;
    memory::end_when_exhausted(name);
    memory::use_one_arena();
    dir::set_umask(UMASK);
    let script = Script::parse(arguments.get(1..).unwrap_or_default());
    memory::look_whether_scarce(BUSY_BYTES + script.directories.len() * DIRECTORY_BYTES);
    for ignored in &script.ignored {
        PROGRAM.warn(ignored);
    }
    let exit = match start(script, input) {
        Ok(engine) => engine.run(),
        Err(trouble) if trouble.is_interruption() => Exit::OK,
        Err(trouble) => PROGRAM.fatal(trouble),
    };
    standard_error::report_dropped();
    exit
}

/// Opens all that the script names. Until every directory is locked, no file in any is touched.
fn start(script: Script, input: fn() -> sys::Result<Input>) -> Result<Engine<PathDir, Input>, Trouble> {
    let input = catch_signals(input)?;
    let claims = script.directories.iter().map(Claim::new).collect::<Result<Vec<_>, _>>()?;
    warn_of_network(&claims);
    let statuses = script.statuses.iter().map(|path| StatusFile::open(path)).collect::<Result<Vec<_>, _>>()?;
    assemble(script, input, claims, statuses)
}

/// Says once if a directory is on a file system on which nobody has tried what a killed logger leaves.
fn warn_of_network(claims: &[Claim<PathDir>]) {
    let found = claims.iter().map(Claim::place).find_map(|place| Some((place, place.directory.network_file_system()?)));
    if let Some((place, kind)) = found {
        let name = &place.name;
        PROGRAM.warn(format_args!(
            "{name} is on a network file system ({kind}): what a kill does to lines is untested there"
        ));
    }
}

/// Completes what a predecessor left half done, puts the directories right, and makes an engine of it all.
fn assemble<D: Directory, I: Intake>(
    script: Script,
    mut input: I,
    claims: Vec<Claim<D>>,
    statuses: Vec<StatusFile>,
) -> Result<Engine<D, I>, Trouble> {
    for claim in &claims {
        // Of a logger that was killed while it made its journal. Where it cannot be removed it is in nobody's way.
        let _ = journal::discard_unfinished(claim.place());
    }
    let origin = input.origin().filter(|_| !claims.is_empty());
    let legacy = settle(origin, &claims, &mut input)?;
    let heading = origin.map(|origin| Heading::new(origin, legacy.last_number, &script, &claims));
    let journal = heading.as_ref().and_then(|heading| journal::reserve(claims[0].place(), heading));
    let mut patience = Interruptible(&mut input);
    let mut directories: Vec<LogDir<_>> = Vec::new();
    for (number, claim) in claims.into_iter().enumerate() {
        // Without a journal nobody could tell the next logger what becomes of a file that is whole.
        let is_whole = legacy.is_whole[number] && journal.is_some();
        directories.push(claim.prepare(is_whole, legacy.is_torn(number), &mut patience)?);
    }
    let open_line = legacy.open_line().cloned();
    let mut engine = Engine::new(script, input, directories, statuses, heading, open_line);
    engine.take_over(journal, &legacy.has_journal)?;
    Ok(engine)
}

/// A reader of alerts that went away, or a limit on the size of files, is an error that is told, and no death.
fn catch_signals(input: fn() -> sys::Result<Input>) -> Result<Input, Trouble> {
    [Signal::SIGPIPE, Signal::SIGXFSZ]
        .into_iter()
        .try_for_each(signal::ignore)
        .and_then(|()| signal::want_children())
        .and_then(|()| input())
        .map_err(|errno| Trouble::new("unable to catch signals", errno))
}
