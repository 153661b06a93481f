//! `readlog dir ...`: prints what multilog, svlogd and s6-log wrote.
//!
//! A log directory is in order without an index: the names of its archives are the times at which they were finished, and
//! the lines in a file are in the order of their labels. So readlog answers a question about a time by the names of the
//! files, and by a binary search in the files at the ends of the window.
//!
//! ```text
//! arguments ──── the command line (time_arg: times; filter: which lines; time_scale: how labels count)
//! resolve ────── the log directory that a path means (log_dir: a directory that is open)
//! files ──────── the files of a directory as one sequence: archives, previous, current (near: of very many, some)
//! ranges ─────── which parts of which files a window of time can be in
//! stream ─────── the lines of these parts in order, as groups (a stamped line and the lines without a stamp behind it)
//!   content ──── the bytes of a file, unpacked (prefetch: by other threads, before their turn)
//!   frames ───── the parts of a file that logpack packed, each of which can be unpacked by itself
//!   stamp ────── the stamp at the beginning of a line
//!   finder ───── finds lines that may match a pattern, in whole buffers (block_search: keeps the groups that do match)
//! merge ──────── the groups of several directories in the order of their labels
//! surroundings ─ the lines around a match
//! backward ───── groups from the last to the first (carry: bytes that belong to no group yet; unpacked: a packed file from its
//!                end; last_lines: -n)
//! tail ───────── where a reader begins if earlier lines are not wanted
//! output ─────── how lines are shown, and where they are written; histogram and svg: how many there are
//! overview ───── --list and --disk-usage
//! follow ─────── lines that are written from now on, across rotations, by inotify
//! hosts ──────── the same on other hosts, by ssh
//! cursor ─────── where the last run stopped (resume: how the next run finds that place)
//! context ────── what all readers of a run share (clock: local times; warnings: what could not be read)
//! ```
//!
//! What it promises:
//!
//! - A line is printed once, whatever a logger does meanwhile. The lines of one directory are printed in the order in which
//!   they were written.
//! - If something cannot be read, a warning on standard error says so, the rest is printed, and the exit code is 1.
//! - readlog never changes a log file, and follows no symbolic link in a log directory.
//! - The files may hold anything: no bytes make readlog panic, and a terminal obeys none of them.
#![forbid(unsafe_code)]

mod arguments;
mod backward;
mod block_search;
mod carry;
mod clock;
pub mod content;
mod context;
mod cursor;
mod error;
mod files;
mod filter;
mod finder;
mod follow;
mod frames;
mod histogram;
mod hosts;
mod last_lines;
pub mod log_dir;
mod merge;
mod near;
mod output;
mod overview;
mod prefetch;
mod program;
mod ranges;
mod resolve;
mod resume;
mod sources;
mod stamp;
mod stream;
mod surroundings;
mod svg;
mod tail;
pub mod time_arg;
pub mod time_scale;
mod unpacked;
mod warnings;

pub use program::run;
