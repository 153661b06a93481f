//! What the filters share: bytes in, bytes out, and nothing held back.
//!
//! What was read is written before the next read, the beginning of a line too, so that `tail -f current | tai64nlocal`
//! shows each line when it comes. Errors are told by exit code 111 alone, as 0.76 does: a filter that loses its reader
//! has nobody to talk to.

use std::os::fd::BorrowedFd;

use crate::cli::Exit;
use crate::multilog::reader::{Reader, Source, Taken};
use crate::sys::{Errno, Result, fd, poll};
use crate::tai64n::Label;

/// The size that a pipe is asked to have once a read comes back full: fewer and larger turns for reader and writer.
const PIPE_BYTES: usize = 1024 * 1024;

/// A descriptor that is read until it ends.
#[derive(Debug)]
struct Stream<'f> {
    input: BorrowedFd<'f>,
    /// The size of the pipe, as long as a larger one may still be asked for.
    growable_bytes: Option<usize>,
}

impl<'f> Stream<'f> {
    fn new(input: BorrowedFd<'f>) -> Stream<'f> {
        Stream { input, growable_bytes: fd::pipe_size(input).ok().filter(|&size| size < PIPE_BYTES) }
    }
}

impl Source for Stream<'_> {
    fn take(&mut self, room: &mut [u8]) -> Result<Taken> {
        loop {
            match fd::read(self.input, room) {
                // Somebody made the shared descriptor non-blocking.
                Err(Errno::EAGAIN) => drop(poll::readable([self.input], None)?),
                Ok(0) => return Ok(Taken::End),
                Ok(bytes) => {
                    if self.growable_bytes.is_some_and(|size| bytes >= size) {
                        self.growable_bytes = None;
                        // A refusal is no harm.
                        let _ = fd::set_pipe_size(self.input, PIPE_BYTES);
                    }
                    return Ok(Taken::Bytes(bytes));
                }
                Err(errno) => return Err(errno),
            }
        }
    }

    fn consume(&mut self, _bytes: usize, _last: &mut [u8]) -> Result<()> {
        Ok(())
    }
}

/// Turns lines into other lines.
pub trait Filter {
    /// Appends to `output` what becomes of the bytes that `reader` has at hand, and says how many were dealt with. The
    /// others are shown again with more behind them, or with `is_end` when none will come.
    fn filter(&mut self, reader: &Reader, is_end: bool, output: &mut Vec<u8>) -> usize;
}

/// Filters an input to standard output.
pub fn run(input: BorrowedFd<'_>, filter: &mut impl Filter) -> Exit {
    match copy(&mut Stream::new(input), filter) {
        Ok(()) => Exit::OK,
        Err(_) => Exit::TROUBLE,
    }
}

fn copy(input: &mut Stream<'_>, filter: &mut impl Filter) -> Result<()> {
    let mut reader = Reader::default();
    let mut output = Vec::new();
    loop {
        let is_end = reader.fill(input, Label::now)? == Taken::End;
        let done = filter.filter(&reader, is_end, &mut output);
        reader.mark_written(done);
        reader.consume_written(input, &mut [0])?;
        fd::write_all(fd::stdout(), &output)?;
        output.clear();
        if is_end {
            return Ok(());
        }
    }
}
