//! Writes the input to a logger's pipe, at full speed or at a rate.

use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use memchr::memchr;

use crate::error::Error;
use crate::watch::Progress;
use logyard::sys::{Errno, fd};

/// What is written at once at full speed: as much as `cat` does.
const PIECE_BYTES: usize = 128 * 1024;

/// How fast, and how much at once.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Pace {
    /// Lines a second; `None` means as fast as the logger reads.
    pub(crate) rate: Option<f64>,
    /// How much is written at once. With a rate, whole lines of at least this size.
    pub(crate) write_bytes: Option<usize>,
}

/// A write: how many lines had been written with it, and the moment just before.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Written {
    pub(crate) lines: u64,
    pub(crate) at: Instant,
}

impl Pace {
    /// How much is written at once, with a rate at least.
    pub(crate) fn piece_bytes(&self) -> usize {
        self.write_bytes.unwrap_or(if self.rate.is_some() { 1 } else { PIECE_BYTES }).max(1)
    }

    /// Writes all of the input, and says when each line was written if there is a rate. A logger that has closed the pipe
    /// gets no more input, and that is no error here.
    pub(crate) fn feed(&self, pipe: BorrowedFd<'_>, input: &[u8], progress: &Progress) -> Result<Vec<Written>, Error> {
        let mut written = Vec::new();
        let fed = match self.rate {
            None => {
                let mut pieces = input.chunks(self.piece_bytes());
                pieces.try_for_each(|piece| progress.during_write(|| fd::write_all(pipe, piece)))
            }
            Some(rate) => self.feed_at_rate(pipe, input, rate, progress, &mut written),
        };
        progress.note_end();
        match fed {
            Ok(()) | Err(Errno::EPIPE) => Ok(written),
            Err(errno) => Err(Error::unable("write to the logger's pipe", errno)),
        }
    }

    fn feed_at_rate(
        &self,
        pipe: BorrowedFd<'_>,
        input: &[u8],
        rate: f64,
        progress: &Progress,
        written: &mut Vec<Written>,
    ) -> Result<(), Errno> {
        let (mut rest, mut lines) = (input, 0);
        let start = Instant::now();
        while !rest.is_empty() {
            let due = start + Duration::from_secs_f64(lines as f64 / rate);
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            let (piece, behind, count) = whole_lines(rest, self.piece_bytes());
            rest = behind;
            lines += count;
            written.push(Written { lines, at: Instant::now() });
            progress.during_write(|| fd::write_all(pipe, piece))?;
        }
        Ok(())
    }
}

/// The first lines, of at least the given size; the bytes behind them; and the number of lines.
fn whole_lines(bytes: &[u8], least_bytes: usize) -> (&[u8], &[u8], u64) {
    let (mut end, mut lines) = (0, 0);
    while end < least_bytes.clamp(1, bytes.len()) {
        end = memchr(b'\n', &bytes[end..]).map_or(bytes.len(), |newline| end + newline + 1);
        lines += 1;
    }
    (&bytes[..end], &bytes[end..], lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn with_a_rate_whole_lines_are_written() {
        assert_eq!(whole_lines(b"a\nbc\nd\n", 1), (&b"a\n"[..], &b"bc\nd\n"[..], 1));
        assert_eq!(whole_lines(b"a\nbc\nd\n", 3), (&b"a\nbc\n"[..], &b"d\n"[..], 2));
        assert_eq!(whole_lines(b"a\nbc\nd\n", 100), (&b"a\nbc\nd\n"[..], &b""[..], 3));
        assert_eq!(whole_lines(b"a", 100), (&b"a"[..], &b""[..], 1));
    }
}
