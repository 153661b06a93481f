//! The proof over real processes: loggers that are killed, starved, and robbed of their files, and what is left afterwards.
//!
//! The parts:
//!
//! - [`lines`]: numbered lines of mixed lengths, each of which can be made again from its number.
//! - [`feed`]: a thread that writes them into a pipe that the harness holds open, as svscan does.
//! - [`subject`]: the loggers, ours and the peers, with one script in each one's words.
//! - [`mounted`]: file systems for one test. [`namespace`]: the same where nobody else sees them.
//! - [`collect`]: what a directory holds, in the order in which it was written.
//! - [`verdict`]: the verdict: lost, doubled, torn, misplaced.
//!
//! What takes long is ignored: `.ci/torture` runs it, and prints the table of `doc/reliability.md`.
#![allow(unreachable_pub, clippy::print_stderr)] // A test says what it skips and what it counted.

mod collect;
mod feed;
mod lines;
mod namespace;
mod subject;
mod verdict;

// SIGKILL, SIGTERM and handovers to 0.76, at random moments under load.
mod kill;
// A kill, or an error, at every system call.
mod sweep;
// TERM, whatever a logger is doing.
mod term;
// TERM in each state of a table.
mod term_table;
// Full file systems.
mod full_disk;
// One file system after the other.
mod filesystems;
// Directories with very many archives.
mod many_archives;
// Files that go away.
mod removed_files;
// Too few descriptors, too little memory, odd ways to be started.
mod limits;
// Idle kills, and names from another year.
mod history;
// The journal in other hands.
mod journal;
// Power cuts.
mod power;
// Others who share the pipe.
mod shared_pipe;
