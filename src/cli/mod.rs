//! What all commands share: messages, options and exit codes.
//!
//! - [`message`]: `multilog: fatal: unable to lock directory ./main: temporary failure`, one write a message.
//! - [`standard_error`]: where messages go, and what becomes of them when nobody reads it. [`standard_output`]: the same for
//!   lines. [`outlet`]: what both are.
//! - [`mod@cause`]: the family's own words for what a system call may answer.
//! - [`entry`]: how a program begins; `--version`.
//! - [`exit`]: 0, 100 and 111. [`Program::usage`] prints the usage and returns 100, for a wrong command line.
//! - [`getopt`]: options as the family reads them.
//! - [`json`]: bytes as JSON values. [`prometheus`]: metrics. [`size`]: bytes in units.
//! - [`visible`]: text that a terminal must not obey.
//!
//! Library code returns errors whose `Display` finishes the sentence; only this module puts the program's name and
//! the class of the message before it.
#![forbid(unsafe_code)]

pub mod cause;
pub mod entry;
pub mod exit;
pub mod getopt;
pub mod json;
pub mod message;
pub mod outlet;
pub mod prometheus;
pub mod size;
pub mod standard_error;
pub mod standard_output;
pub mod visible;

pub use cause::cause;
pub use exit::Exit;
pub use getopt::Options;
pub use message::{Messages, Program, Shown};
