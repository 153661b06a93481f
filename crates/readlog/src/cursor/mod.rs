//! The cursor: where a run stopped, so that the next run continues there, even after `kill -9`.
//!
//! A file and a pipe cannot be written to in the same moment. A readlog that is killed between the two writes would print
//! lines twice, or never. So the file holds the lines too:
//!
//! 1. A batch of output, and the position behind it, are written to a new file, which replaces the cursor file.
//! 2. The batch is sent from that file by `sendfile`, and the kernel notes in the file's first page how far it got, within
//!    the same call: see [`sendfile`](logyard::sys::sendfile).
//!
//! The next run finds the file, sends the rest of the batch, and continues at the position. If standard output is a file that
//! is appended to, the system refuses `sendfile`; there the length of that file tells how much of the batch arrived. If the
//! next run has another output, it finds that file by its path, and sends the rest as a batch of its own.
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
pub(super) use record::Record;
