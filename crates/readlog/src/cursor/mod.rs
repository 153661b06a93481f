//! The cursor: where a run stopped, so that the next run continues there, even after `kill -9`.
//!
//! A file cannot be kept in step with a pipe by writing first to the one and then to the other: a reader that is killed in
//! between would print lines twice, or never. So the file holds the lines themselves too:
//!
//! 1. A batch of output, and the position behind it, are written to a new file, which replaces the cursor file.
//! 2. The batch is sent from that file by `sendfile`, and the kernel notes in the file's first page how far it got, within
//!    the same call: see [`sendfile`](logyard::sys::sendfile).
//!
//! The next run finds the file, sends what has not been sent, and goes on at the position. Where standard output is a file
//! that is appended to, `sendfile` is refused; there the file's own length tells how much of the batch arrived. If the
//! output is another one by then, that file is looked up by its path, and what is left becomes a batch of its own.
//!
//! ```text
//! 0      "readlog cursor 1" and a newline
//! 24     how far the file was sent: an offset in this file
//! 32     where the batch begins, and 40: where it ends
//! 48     the file that was appended to: file system, 56: number, 64: length before the batch; zeros if there is none
//! 72     how long its path is, 80: the path; zeros if it is not known
//! 4096   the positions, a line each: see [`record`]
//! ...    the batch
//! ```
//!
//! Numbers are in the machine's byte order: the file is of no use on another one.

mod cursor_file;
mod record;

pub(super) use cursor_file::CursorFile;
