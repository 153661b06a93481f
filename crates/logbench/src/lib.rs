//! `logbench run`: benchmarks loggers and verifies their output. Each logger is fed the same lines through a pipe.
//!
//! ```text
//! arguments ──── the command line
//! task ───────── the script, its effect on the input, and the lines that the log must hold at least
//! subject ────── the loggers: ours, the peers that are installed, the commands that the user gives, the limit
//! measure ────── one run: a directory, a pipe, the logger, and the time and memory that it needed
//!   feed ─────── writes the input to the pipe, at full speed or at a rate
//!   watch ────── kills a logger that hangs, and ends a run that is interrupted
//!   follow ───── when each line could be read in current
//!   check ────── compares the log with the input (stamps: whether its stamps can be true)
//! scratch_dir ── the directories of the runs; removed even if logbench is killed
//! calls ──────── system calls, counted in a separate run
//! limit ──────── the stand-in that moves the same volume and interprets nothing
//! results ────── medians, spreads and ratios (statistics, machine)
//! syslog ─────── `logbench syslog`: compares syslog daemons
//! table, json, chart, html: the reports (report_file: where they are written)
//! history, history_chart: earlier reports, compared over time
//! ```
//!
//! What it promises:
//!
//! - A figure counts only if the log is right: the output is compared with the input, line for line behind the stamps.
//! - The loggers take turns, and each turn begins with another logger, so that other load on the machine affects all of them.
//! - Each logger has a directory and a process group of its own, and inherits only standard error.

mod arguments;
mod calls;
mod chart;
mod check;
mod error;
mod feed;
mod follow;
mod history;
mod history_chart;
mod html;
mod json;
mod limit;
mod machine;
mod measure;
mod program;
mod report_file;
mod results;
mod scratch_dir;
mod stamps;
mod statistics;
mod subject;
mod syslog;
mod table;
mod task;
mod watch;

pub use program::run;
