//! multilog: reads lines, and writes them to automatically rotated log directories.
//!
//! ```text
//! fd 0 ──▶ Input ──▶ Reader ──window of whole lines──▶ Batch ──▶ e      alert to standard error
//!   ▲                (one buffer, lines borrowed)      (the     ├─▶ =file  status
//!   │                                                   script) └─▶ ./dir  LogDir: append, rotate, archive, trim
//!   └─────────────── consumed when it is written ◀──────────────────────────────┘
//! ```
//!
//! - [`program`]: opens what the script names, and starts the engine. [`engine`]: the loop.
//!   [`regex_program`]: the program that also matches regular expressions.
//! - [`script`]: the arguments, parsed once; its selectors and their matcher.
//! - [`input`]: bytes from descriptor 0, and signals. The [reader](crate::lines::reader) makes lines of them.
//! - [`batch`]: what one turn of the engine writes and where, decided without touching anything. [`open_line`]: a line
//!   that is not complete at the end of a batch.
//! - Where lines go: [`writer`], log directories; [`alert`], `e`; [`status`], `=file`; the copies of `1` to
//!   [`standard_output`](crate::cli::standard_output).
//! - [`journal`]: what a killed logger leaves for its successor, and how the successor completes it.
//! - [`withheld`]: lines that a directory does not get because of `L` or `D`, and how the log counts them.
//! - [`metrics`]: `M`, what the logger has done, for node_exporter.
//! - [`error`], [`patience`], [`pausing`], [`pace`], [`partial`]: what failed, and whether it is retried.
//!
//! # Promises
//!
//! - When multilog exits, every selected line is in its directories, once and in order.
//! - It writes everything it has read before it waits for more.
//! - From a pipe: if it is killed at any moment and started again, no line is lost, duplicated or torn.
//! - On TERM it completes the current line and reads nothing beyond it; the rest is for the next logger. It exits
//!   within a second, also while the disk is full, a processor hangs, or nobody reads standard error. If it cannot
//!   write what it read from something other than a pipe, it puts the bytes back (a file) or counts them on standard
//!   error.
//! - Messages never block the logging: see [`standard_error`](crate::cli::standard_error).
//! - If the disk refuses a step, multilog prints a warning, keeps the data and retries every 5 seconds (on a
//!   full disk, every second).
#![forbid(unsafe_code)]

pub mod alert;
pub mod batch;
pub mod engine;
pub mod error;
pub mod input;
pub mod journal;
pub mod local_zone;
pub mod metrics;
mod name;
pub mod open_line;
pub mod pace;
pub mod partial;
pub mod patience;
pub mod pausing;
pub mod program;
pub mod regex_program;
pub mod script;
#[cfg(test)]
mod simulated;
pub mod status;
pub mod withheld;
pub mod writer;
