//! multilog: reads lines, and writes them to automatically rotated log directories.
//!
//! ```text
//! fd 0 ──▶ StandardInput ──▶ Reader ──window of whole lines──▶ Batch ──▶ e      alert to standard error
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
//! - Error with the disk while logging is announced, and the step is tried again every 5 seconds; the data waits.
#![forbid(unsafe_code)]

pub mod alert;
pub mod batch;
pub mod engine;
pub mod error;
pub mod input;
pub mod journal;
mod name;
pub mod open_line;
pub mod partial;
pub mod patience;
pub mod pausing;
pub mod program;
pub mod script;
#[cfg(test)]
mod simulated;
pub mod status;
pub mod writer;
