//! `logbench run`: loggers beside each other, each fed the same lines through a pipe.
//!
//! ```text
//! arguments ── what is asked for
//! task ─────── the script, what it does to the input, and what must be left at least
//! subject ──── who takes part: ours, peers that are found, command lines that are given, the limit
//! measure ──── one run: a directory, a pipe, the logger, and what it took
//!   feed ───── the input, at full speed or at a rate
//!   watch ──── ends a logger that hangs, and a run that is interrupted
//!   follow ─── when each line could be read in current
//!   check ──── whether what was left is right (stamps: whether its stamps can be true)
//! workplace ── where the runs' directories are; gone even if logbench is killed
//! calls ────── system calls, counted in a run of their own
//! limit ────── the stand-in that moves the same volume and looks at nothing
//! results ──── medians, spreads and ratios (statistics, machine)
//! table, json, chart, html: how they are shown
//! ```
//!
//! What it promises:
//!
//! - A figure counts only if the log is right: the output is compared with the input, line for line behind the stamps.
//! - The loggers take turns, and each turn begins with another one, so that whatever else the machine does meets all.
//! - A logger has a directory and a process group of its own, and inherits nothing but standard error.

mod arguments;
mod calls;
mod chart;
mod check;
mod feed;
mod follow;
mod html;
mod json;
mod limit;
mod machine;
mod measure;
mod program;
mod report_file;
mod results;
mod stamps;
mod statistics;
mod stop;
mod subject;
mod table;
mod task;
mod watch;
mod workplace;

pub use program::run;
