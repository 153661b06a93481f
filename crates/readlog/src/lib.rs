//! `readlog dir ...`: reads back what multilog, svlogd and s6-log wrote.
//!
//! A log directory is sorted by itself: its files by their names, which are the moments at which they were finished, and
//! the lines in them by their labels. So there is no index here and no daemon, and a question about a time is answered by
//! looking at names, and then by a binary search in the files at the ends.
//!
//! ```text
//! arguments ──── what is asked for (time_arg: moments; filter: which lines; time_scale: how labels count)
//! resolve ────── which log directories are meant
//! files ──────── a directory's files as one sequence: archives, previous, current
//! ranges ─────── which parts of which files a window of time can be in
//! stream ─────── their lines in order, as groups (a stamped line and those without a stamp behind it)
//!   content ──── a file's bytes, unpacked (prefetch: on other processors, before their turn)
//!   stamp ────── what stands before a line
//!   finder ───── lines that may match a pattern, in whole buffers
//! merge ──────── several directories' groups in the order of their labels (backward: from the last to the first;
//!   unpacked ─── a packed file from its end; last_lines: the last so many)
//! output ─────── how they are shown, and where they go; histogram and svg: how many there are
//! follow ─────── what is written from now on, across rotations, by the events of inotify
//! cursor ─────── where the last run was stopped (resume: how the next one finds that place)
//! ```
//!
//! What it promises:
//!
//! - A line is shown once, whatever a writer does meanwhile, and lines of one directory in the order in which they were
//!   written.
//! - What could not be read is told on standard error, the rest goes on, and the exit code is 1.
//! - A file is never changed, and no name in a log directory is followed through a symbolic link.
//! - What is read may be anything: no bytes make it panic, and on a terminal none are obeyed.
#![forbid(unsafe_code)]

mod arguments;
mod backward;
mod clock;
mod content;
mod context;
mod cursor;
mod error;
mod files;
mod filter;
mod finder;
mod follow;
mod histogram;
mod last_lines;
mod log_dir;
mod merge;
mod output;
mod prefetch;
mod program;
mod ranges;
mod resolve;
mod resume;
mod stamp;
mod stream;
mod svg;
mod time_arg;
mod time_scale;
mod unpacked;
mod warnings;

pub use program::run;
