//! The proof over real processes: loggers that are killed, starved, and robbed of their files, and what is in their log
//! directories afterwards.
//!
//! | behaviour | file |
//! |---|---|
//! | SIGKILL, SIGTERM and handovers to 0.76 at random moments under load; the figures of all loggers | [`kill`] |
//! | a kill, or an error (such as a full disk while a file is archived), at every system call | [`sweep`] |
//! | TERM ends a logger within a second: during a write that fails, a processor, a removal, an endless line | [`term`] |
//! | TERM in every state of input × disk × processor × standard error | [`term_table`] |
//! | full disks: no bytes, no inodes, two directories | [`full_disk`] |
//! | kills on ext2, ext3, ext4, xfs, btrfs, vfat, tmpfs, overlayfs, FUSE | [`filesystems`] |
//! | power cuts | [`power`] |
//! | directories with very many archives | [`many_archives`] |
//! | `current` or the directory is removed, renamed or truncated | [`removed_files`] |
//! | the journal is removed, truncated, overwritten or foreign | [`journal`] |
//! | too few descriptors, too little memory, closed descriptors; one logger for each directory | [`limits`] |
//! | `B`: a disk that takes nothing for a while; TERM and kills meanwhile | [`stalled_disk`] |
//! | kills of idle loggers; archive names after the clock was changed | [`history`] |
//! | the pipe is shared with other readers and writers, for longer than in `multilog::shared_pipe` | [`shared_pipe`] |
//!
//! Fixtures:
//!
//! - [`lines`]: numbered lines of mixed lengths, each of which can be made again from its number.
//! - [`feed`]: a thread that writes them into a pipe that the test holds open, as svscan does.
//! - [`subject`]: the loggers, ours and the peers, with one task in the words of each.
//! - [`collect`]: what a log directory holds, in the order in which it was written.
//! - [`verdict`]: how many lines are lost, duplicated, torn and misplaced.
//! - [`namespace`]: file systems that no other process sees; `testkit::mounted`: those that every process sees.
//!
//! Long tests are ignored: `.ci/torture` runs them, and prints the table of `doc/reliability.md`.
#![allow(unreachable_pub, clippy::print_stderr)] // The long tests print what they counted.

mod collect;
mod feed;
mod filesystems;
mod full_disk;
mod history;
mod journal;
mod kill;
mod limits;
mod lines;
mod many_archives;
mod namespace;
mod power;
mod removed_files;
mod shared_pipe;
mod stalled_disk;
mod subject;
mod sweep;
mod term;
mod term_table;
mod verdict;
