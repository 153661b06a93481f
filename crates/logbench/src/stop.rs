//! Why a comparison ends before its report.

use std::fmt::Display;
use std::io;
use std::path::Path;

use logyard::cli::{Exit, Program, Shown, cause};
use logyard::sys::Errno;

/// The program that speaks.
pub(crate) const PROGRAM: Program = Program("logbench");

/// How it is called.
const SYNOPSIS: &str = "logbench [run] [options] | logbench corpus shape size (logbench --help tells more)";

/// Why it ends.
#[derive(Debug)]
pub(crate) enum Stop {
    /// What is asked for makes no sense.
    Usage(String),
    /// Something in the system failed: "unable to …".
    Trouble(String),
    /// Somebody pressed the key for it.
    Interrupted,
}

impl Stop {
    /// Finishes the sentence "unable to …" with what was tried and why it failed.
    pub(crate) fn unable(what: impl Display, errno: Errno) -> Stop {
        Stop::Trouble(format!("unable to {what}: {}", cause(errno)))
    }

    /// The same for a file.
    pub(crate) fn file(verb: &str, path: &Path, error: &io::Error) -> Stop {
        let errno = Errno::from_raw(error.raw_os_error().unwrap_or(0));
        Stop::unable(format_args!("{verb} {}", Shown(path.as_os_str().as_encoded_bytes())), errno)
    }

    /// The file system of a directory has no room for a run.
    pub(crate) fn full(directory: &Path) -> Stop {
        Stop::unable(format_args!("log to {}", Shown(directory.as_os_str().as_encoded_bytes())), Errno::ENOSPC)
    }

    /// Says why, and returns the code to leave with.
    pub(crate) fn exit(self) -> Exit {
        match self {
            Stop::Usage(problem) => {
                logyard::cli::message::say(format_args!("logbench: {problem}\n"));
                PROGRAM.usage(SYNOPSIS)
            }
            Stop::Trouble(text) => PROGRAM.fatal(text),
            Stop::Interrupted => Exit(130),
        }
    }
}
