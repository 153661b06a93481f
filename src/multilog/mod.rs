//! multilog: reads lines, and writes them to automatically rotated log directories.
//!
//! ```text
//! fd 0 ──▶ Input ──▶ Reader ──window of whole lines──▶ Batch ──▶ e      alert to standard error
//!                    (one buffer, lines borrowed)      (the     ├─▶ =file  status
//!                                                       script) └─▶ ./dir  LogDir: append, rotate, archive, trim
//! ```
//!
//! - [`script`]: the arguments, parsed once; [`selector`]: its patterns, compiled.
//! - [`input`] and [`reader`]: bytes from descriptor 0, signals, and the window of whole lines.
//! - [`batch`]: what one turn writes and where, decided without touching anything.
//! - [`alert`], [`status`], [`logdir`]: where lines go.
//! - [`engine`]: the loop that carries it all out.
//!
//! # Promises
//!
//! - Every line that was selected is in its directories, once and in order, when multilog leaves.
//! - What was read is written before multilog waits for more.
//! - On TERM nothing is read beyond the line that has been begun: the rest is the next logger's.
//! - Trouble with the disk while logging is announced, and the step is tried again every 5 seconds; the data waits.
#![forbid(unsafe_code)]

pub mod alert;
pub mod batch;
pub mod engine;
pub mod input;
pub mod logdir;
pub mod reader;
pub mod script;
pub mod selector;
pub mod status;

use crate::cli::{Exit, Program};
use crate::multilog::engine::{Engine, Pausing};
use crate::multilog::input::Input;
use crate::multilog::logdir::{Claim, LogDir, Trouble};
use crate::multilog::script::Script;
use crate::multilog::status::StatusFile;
use crate::sys::program::Arguments;
use crate::sys::signal::{self, Signal};
use crate::sys::{dir, fd};

pub use selector::Selector;

/// The name in messages.
pub const PROGRAM: Program = Program("multilog");

/// Files are made with the modes that are asked for, whatever the parent's mask.
const UMASK: u32 = 0o022;

/// The program: logs standard input as the arguments say.
pub fn run(arguments: &Arguments) -> Exit {
    fd::occupy_standard();
    dir::set_umask(UMASK);
    let script = Script::parse(arguments.get(1..).unwrap_or_default());
    for ignored in &script.ignored {
        PROGRAM.warn(ignored);
    }
    match start(script) {
        Ok(engine) => engine.run(),
        Err(trouble) => PROGRAM.fatal(trouble),
    }
}

/// Opens all that the script names. Until every directory is locked, no file in any is touched.
fn start(script: Script) -> Result<Engine<dir::Dir>, Trouble> {
    let input = catch_signals()?;
    let claims = script.directories.iter().map(Claim::new).collect::<Result<Vec<_>, _>>()?;
    let statuses = script.statuses.iter().map(|path| StatusFile::open(path)).collect::<Result<Vec<_>, _>>()?;
    let mut patience = Pausing(&input);
    let mut directories: Vec<LogDir<_>> = Vec::new();
    for claim in claims {
        match claim.open(&mut patience) {
            Ok(directory) => directories.push(directory),
            Err(trouble) => {
                // What was in good order is left so.
                for directory in &mut directories {
                    let _ = directory.seal(&mut patience);
                }
                return Err(trouble);
            }
        }
    }
    Ok(Engine::new(script, input, directories, statuses))
}

/// A reader of alerts that went away, or a limit on the size of files, is an error that is told, and no death.
fn catch_signals() -> Result<Input, Trouble> {
    [Signal::SIGPIPE, Signal::SIGXFSZ]
        .into_iter()
        .try_for_each(signal::ignore)
        .and_then(|()| Input::new())
        .map_err(|errno| Trouble::new("unable to catch signals", errno))
}
