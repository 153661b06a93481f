//! The reader: one buffer between the input and the lines borrowed from it.
//!
//! ```text
//! 0 ..... consumed ..... written ..... lines_end ..... end ..... buffer.len()
//!         what is written   the window      the beginning
//!         and still in the  of whole        of a line
//!         input             lines
//! ```
//!
//! What has been written and what has been consumed are two marks: an input that can be peeked at gives its bytes up only
//! when they are on their way to the disk. Only the beginning of a line is ever moved, to the front of the buffer.
//!
//! Lines are stamped with the moment of the read that brought their first byte.

use memchr::memrchr;

use crate::multilog::batch::{Stamps, Window};
use crate::sys::Result;
use crate::tai64n::{Label, Stamp};

/// How much is read at once. The kernel gives these pages only when they are used.
const BUFFER_BYTES: usize = 256 * 1024;

/// Where bytes come from.
pub trait Source {
    /// Takes what is there, at most as much as `room` holds; 0 means end of input. The bytes follow those taken before.
    fn take(&mut self, room: &mut [u8]) -> Result<usize>;

    /// Gives up bytes that have been written, in the order in which they were taken.
    fn consume(&mut self, bytes: usize) -> Result<()>;
}

/// A window on the input.
#[derive(Debug)]
pub struct Reader {
    buffer: Box<[u8]>,
    /// Up to here the source has been told that it may forget.
    consumed: usize,
    /// Up to here all is written; never before `consumed`.
    written: usize,
    /// Behind the last newline; never before `written`.
    lines_end: usize,
    /// Behind the last byte; never before `lines_end`.
    end: usize,
    /// When the first byte of the line at `written` came.
    first_came: Label,
    /// When the last bytes came.
    last_came: Label,
    /// The bytes before `written`, back to the beginning of the input, end within a line.
    is_in_line: bool,
    /// A newline stands at the end that the source never sent.
    has_added_newline: bool,
}

impl Default for Reader {
    fn default() -> Reader {
        Reader::with_capacity(BUFFER_BYTES)
    }
}

impl Reader {
    /// A reader with a buffer of `bytes`, at least one; lines that are longer come in pieces.
    #[must_use]
    pub fn with_capacity(bytes: usize) -> Reader {
        let epoch = Label::from(crate::sys::clock::UnixTime { seconds: 0, nanoseconds: 0 });
        Reader {
            // One byte more, for the newline that the last line may lack.
            buffer: vec![0; bytes + 1].into_boxed_slice(),
            consumed: 0,
            written: 0,
            lines_end: 0,
            end: 0,
            first_came: epoch,
            last_came: epoch,
            is_in_line: false,
            has_added_newline: false,
        }
    }

    /// Takes more bytes from the source, all that is there and fits; says how many, 0 at the end of the input. `now` is
    /// when they came. All lines of the window must have been written.
    pub fn fill(&mut self, source: &mut impl Source, now: impl FnOnce() -> Label) -> Result<usize> {
        let room = self.buffer.len() - 1;
        self.fill_at_most(source, now, room)
    }

    /// The same, for a line that is to be completed and nothing behind it: one byte.
    pub fn fill_one(&mut self, source: &mut impl Source, now: impl FnOnce() -> Label) -> Result<usize> {
        self.fill_at_most(source, now, 1)
    }

    fn fill_at_most(&mut self, source: &mut impl Source, now: impl FnOnce() -> Label, most: usize) -> Result<usize> {
        self.roll();
        let room_end = (self.end + most).min(self.buffer.len() - 1);
        let count = source.take(&mut self.buffer[self.end..room_end])?;
        let new = &self.buffer[self.end..self.end + count];
        self.last_came = now();
        if self.end == self.written {
            self.first_came = self.last_came;
        }
        if let Some(newline) = memrchr(b'\n', new) {
            self.lines_end = self.end + newline + 1;
        }
        self.end += count;
        Ok(count)
    }

    /// Moves the beginning of a line to the front.
    fn roll(&mut self) {
        debug_assert_eq!(self.written, self.consumed, "a source that is not told cannot be asked for more");
        self.buffer.copy_within(self.written..self.end, 0);
        self.end -= self.written;
        self.lines_end -= self.written;
        self.consumed = 0;
        self.written = 0;
    }

    /// The whole lines at hand, or the first piece of a line that fills the buffer; `None` if there is neither.
    #[must_use]
    pub fn window(&self) -> Option<Window<'_>> {
        if self.lines_end > self.written {
            return Some(Window { bytes: &self.buffer[self.written..self.lines_end], is_open: false });
        }
        let is_full = self.written == 0 && self.end == self.buffer.len() - 1;
        is_full.then(|| Window { bytes: &self.buffer[..self.end], is_open: true })
    }

    /// All that is at hand and not written, the beginning of a line included.
    #[must_use]
    pub fn pending(&self) -> &[u8] {
        &self.buffer[self.written..self.end]
    }

    /// Tells whether what was written last ended within a line.
    #[must_use]
    pub fn is_in_line(&self) -> bool {
        self.is_in_line
    }

    /// The stamps of the lines at hand.
    #[must_use]
    pub fn stamps(&self) -> Stamps {
        Stamps { first: Stamp::from(self.first_came), rest: Stamp::from(self.last_came) }
    }

    /// Notes that the first `bytes` of the window are written.
    pub fn mark_written(&mut self, bytes: usize) {
        if bytes == 0 {
            return;
        }
        self.written += bytes;
        self.lines_end = self.lines_end.max(self.written);
        debug_assert!(self.written <= self.end);
        self.is_in_line = self.buffer[self.written - 1] != b'\n';
        self.first_came = self.last_came;
    }

    /// Lets the source forget what is written.
    pub fn consume_written(&mut self, source: &mut impl Source) -> Result<()> {
        let added = usize::from(self.has_added_newline && self.written == self.end);
        source.consume(self.written - self.consumed - added)?;
        self.consumed = self.written;
        Ok(())
    }

    /// Tells whether a line has been begun and not ended: in the buffer, or in what is written already.
    #[must_use]
    pub fn has_open_line(&self) -> bool {
        self.end > self.lines_end || (self.end == self.written && self.is_in_line)
    }

    /// Ends the line that the input broke off in, if it did: the next window holds it, with a newline.
    pub fn end_line(&mut self) {
        if self.has_open_line() {
            self.buffer[self.end] = b'\n';
            self.end += 1;
            self.lines_end = self.end;
            self.has_added_newline = true;
        }
    }
}
