//! The reader: one buffer between the input and the lines borrowed from it.
//!
//! ```text
//! 0 ..... consumed ..... written ..... lines_end ..... end ..... buffer.len()
//!         what is written   the window      the beginning
//!         and still in the  of whole        of a line
//!         input             lines
//! ```
//!
//! *Written* and *consumed* are two marks: bytes are removed from an input that can be peeked at only when they have
//! been written. Only the beginning of a line is ever moved: to the first page of the buffer, and there to the place
//! that it had in its own, so that what follows lies as it does in the full pages of a
//! [pipe](crate::lines::page_buffer).
//!
//! Lines are stamped with the moment of the read that brought their first byte.

use memchr::{memchr, memrchr};

use crate::lines::page_buffer::{PAGE_BYTES, PageBuffer};
use crate::lines::window::{Stamps, Window};
use crate::sys::{Result, memory};
use crate::tai64n::{Label, Stamp};

/// How much is read at once. The kernel allocates these pages only when they are used.
const BUFFER_BYTES: usize = 256 * 1024;

/// The same where there is little memory.
const SCARCE_BUFFER_BYTES: usize = 8 * 1024;

/// What a reader keeps when it shrinks: room for the few lines that a quiet service writes.
const KEPT_BYTES: usize = 2 * PAGE_BYTES;

/// What a source returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// This many bytes; 0 if there is nothing new.
    Bytes(usize),
    /// The input has ended.
    End,
}

/// Where bytes come from.
pub trait Source {
    /// Takes the bytes that have arrived, at most as many as `room` holds. The bytes follow `held`, those taken before
    /// and not consumed. `None` if the source does not hold those any more: the reader then forgets them and calls
    /// again.
    fn take(&mut self, held: &[u8], room: &mut [u8]) -> Result<Option<Taken>>;

    /// Removes bytes that have been logged, in the order in which they were taken. The last of them is stored in `last`
    /// by the same system call. Returns false if the source did not hold them any more: the reader then forgets those
    /// behind them.
    fn consume(&mut self, logged: &[u8], last: &mut [u8]) -> Result<bool>;

    /// Tells whether the last `take`, which gave `count` bytes, gave all there were.
    fn gave_all(&self, count: usize, room_bytes: usize) -> bool {
        count < room_bytes
    }

    /// When the bytes of the last `take` came; `None` if they have just come.
    fn came(&self) -> Option<Label> {
        None
    }

    /// Releases memory that only a high rate of input needs, and gives back to the system what has been freed.
    fn shrink(&mut self) {}

    /// The beginning of a line that is as long as this cannot be left where it is until its end comes.
    fn piece_bytes(&self) -> usize {
        usize::MAX
    }
}

/// A window on the input.
#[derive(Debug)]
pub struct Reader {
    buffer: PageBuffer,
    /// How many bytes the source may give from `written` on.
    capacity_bytes: usize,
    /// The source has given all it had: what comes next begins a page of the pipe.
    is_drained: bool,
    /// Everything before this is consumed.
    consumed: usize,
    /// Everything before this is written; never before `consumed`.
    written: usize,
    /// Behind the last newline; never before `written`.
    lines_end: usize,
    /// Behind the last byte; never before `lines_end`.
    end: usize,
    /// Behind the last byte that was used since the buffer was made.
    used_bytes: usize,
    /// When the first byte of the line at `written` came.
    first_came: Label,
    /// When the last bytes came.
    last_came: Label,
    /// The bytes before `written`, back to the beginning of the input, end within a line.
    is_in_line: bool,
    /// The buffer ends in a newline that the source did not send.
    has_added_newline: bool,
    /// What the source said last of how long a beginning of a line may become.
    piece_bytes: usize,
}

impl Default for Reader {
    fn default() -> Reader {
        Reader::with_capacity(if memory::is_scarce() { SCARCE_BUFFER_BYTES } else { BUFFER_BYTES })
    }
}

impl Reader {
    /// A reader with a buffer of `bytes`, at least one; lines that are longer come in pieces.
    #[must_use]
    pub fn with_capacity(bytes: usize) -> Reader {
        let epoch = Label::from(crate::sys::clock::UnixTime { seconds: 0, nanoseconds: 0 });
        Reader {
            // One byte more, for the newline that the last line may lack; a page more, for a line may begin anywhere in the
            // first.
            buffer: PageBuffer::new(bytes + 1 + PAGE_BYTES),
            capacity_bytes: bytes,
            is_drained: true,
            consumed: 0,
            written: 0,
            lines_end: 0,
            end: 0,
            used_bytes: 0,
            first_came: epoch,
            last_came: epoch,
            is_in_line: false,
            has_added_newline: false,
            piece_bytes: usize::MAX,
        }
    }

    /// Takes as many bytes from the source as it has and fit, and returns how many. `now` is when they came. All
    /// lines of the window must have been written.
    pub fn fill(&mut self, source: &mut impl Source, now: impl FnOnce() -> Label) -> Result<Taken> {
        self.fill_at_most(source, now, self.capacity_bytes)
    }

    /// The same for one byte, to complete a line without reading beyond it.
    pub fn fill_one(&mut self, source: &mut impl Source, now: impl FnOnce() -> Label) -> Result<Taken> {
        self.fill_at_most(source, now, 1)
    }

    fn fill_at_most(&mut self, source: &mut impl Source, now: impl FnOnce() -> Label, most: usize) -> Result<Taken> {
        let (taken, room_end) = loop {
            self.roll();
            let room_end = (self.end + most).min(self.written + self.capacity_bytes);
            let (held, room) = self.buffer.split_at_mut(self.end);
            match source.take(&held[self.written..], &mut room[..room_end - self.end])? {
                Some(taken) => break (taken, room_end),
                None => self.leave_rest(),
            }
        };
        self.piece_bytes = source.piece_bytes();
        let Taken::Bytes(count @ 1..) = taken else { return Ok(taken) };
        self.is_drained = source.gave_all(count, room_end - self.end);
        let new = &self.buffer[self.end..self.end + count];
        self.last_came = source.came().unwrap_or_else(now);
        if self.end == self.written {
            self.first_came = self.last_came;
        }
        if let Some(newline) = memrchr(b'\n', new) {
            self.lines_end = self.end + newline + 1;
        }
        self.end += count;
        self.used_bytes = self.used_bytes.max(self.end);
        Ok(taken)
    }

    /// Gives back the memory that input has touched, but for the first pages and what is still at hand.
    pub fn shrink(&mut self) {
        if self.used_bytes <= KEPT_BYTES {
            return;
        }
        self.roll();
        let mut buffer = PageBuffer::new(self.buffer.len());
        buffer[self.written..self.end].copy_from_slice(&self.buffer[self.written..self.end]);
        self.buffer = buffer;
        self.used_bytes = self.end;
    }

    /// Moves the beginning of a line to the first page.
    fn roll(&mut self) {
        debug_assert_eq!(self.written, self.consumed, "a source that is not told cannot be asked for more");
        let place = if self.end == self.written && self.is_drained { 0 } else { self.written % PAGE_BYTES };
        self.buffer.copy_within(self.written..self.end, place);
        self.end = place + (self.end - self.written);
        self.lines_end = place + (self.lines_end - self.written);
        self.consumed = place;
        self.written = place;
    }

    /// The whole lines at hand, or the first piece of a line that fills the buffer; `None` if there is neither.
    #[must_use]
    pub fn window(&self) -> Option<Window<'_>> {
        if self.lines_end > self.written {
            return Some(Window { bytes: &self.buffer[self.written..self.lines_end], is_open: false });
        }
        let beginning = &self.buffer[self.written..self.end];
        let is_full = beginning.len() == self.capacity_bytes;
        let is_piece = is_full || (!beginning.is_empty() && beginning.len() >= self.piece_bytes);
        is_piece.then_some(Window { bytes: beginning, is_open: true })
    }

    /// All that is at hand and not written, the beginning of a line included.
    #[must_use]
    pub fn pending(&self) -> &[u8] {
        &self.buffer[self.written..self.end]
    }

    /// The same without the newline that the source never sent.
    #[must_use]
    pub fn unwritten(&self) -> &[u8] {
        let added = usize::from(self.has_added_newline && self.end > self.written);
        &self.buffer[self.written..self.end - added]
    }

    /// Tells whether what was written last ended within a line.
    #[must_use]
    pub fn is_in_line(&self) -> bool {
        self.is_in_line
    }

    /// When the first line at hand came, and the others.
    #[must_use]
    pub fn labels(&self) -> [Label; 2] {
        [self.first_came, self.last_came]
    }

    /// The stamps of the lines at hand.
    #[must_use]
    pub fn stamps(&self) -> Stamps {
        let [first, rest] = self.labels().map(Stamp::from);
        Stamps { first, rest }
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

    /// Tells whether the window's last byte is a newline that the source never sent.
    #[must_use]
    pub fn has_added_newline(&self) -> bool {
        self.has_added_newline
    }

    /// Lets the source forget what is written; the last byte of it goes to `last`.
    pub fn consume_written(&mut self, source: &mut impl Source, last: &mut [u8]) -> Result<()> {
        let added = usize::from(self.has_added_newline && self.written == self.end);
        let logged = self.consumed..self.written - added;
        self.consumed = self.written;
        if !logged.is_empty() && !source.consume(&self.buffer[logged], last)? {
            self.leave_rest();
        }
        Ok(())
    }

    /// Tells whether a line has been begun and not ended: in the buffer, or in what is written already.
    #[must_use]
    pub fn has_open_line(&self) -> bool {
        self.end > self.lines_end || (self.end == self.written && self.is_in_line)
    }

    /// Begins within a line whose beginning another process has written.
    pub fn resume_in_line(&mut self) {
        self.is_in_line = true;
    }

    /// Forgets everything behind the first line: it stays in the source for the next reader.
    pub fn leave_other_lines(&mut self) {
        if let Some(newline) = memchr(b'\n', &self.buffer[self.written..self.end]) {
            self.end = self.written + newline + 1;
            self.lines_end = self.end;
        }
    }

    /// Forgets the beginning of a line: it stays in the source for the next reader.
    pub fn leave_rest(&mut self) {
        self.end = self.written;
        self.lines_end = self.written;
    }

    /// Ends an unfinished last line, if there is one: the next window holds it, with a newline.
    pub fn end_line(&mut self) {
        if self.has_open_line() {
            self.buffer[self.end] = b'\n';
            self.end += 1;
            self.lines_end = self.end;
            self.has_added_newline = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Text that lies in the pages of a pipe.
    #[derive(Default)]
    struct Piped {
        text: Vec<u8>,
        taken_bytes: usize,
        consumed_bytes: usize,
    }

    impl Source for Piped {
        fn take(&mut self, held: &[u8], room: &mut [u8]) -> Result<Option<Taken>> {
            assert_eq!(held, &self.text[self.consumed_bytes..self.taken_bytes]);
            let rest = &self.text[self.taken_bytes..];
            if rest.is_empty() {
                return Ok(Some(Taken::End));
            }
            assert_eq!(room.as_ptr().addr() % PAGE_BYTES, self.taken_bytes % PAGE_BYTES);
            let count = rest.len().min(room.len()).min(4 * PAGE_BYTES);
            room[..count].copy_from_slice(&rest[..count]);
            self.taken_bytes += count;
            Ok(Some(Taken::Bytes(count)))
        }

        fn consume(&mut self, logged: &[u8], _last: &mut [u8]) -> Result<bool> {
            self.consumed_bytes += logged.len();
            Ok(true)
        }

        fn gave_all(&self, _count: usize, _room_bytes: usize) -> bool {
            false
        }
    }

    #[test]
    fn bytes_come_to_lie_where_they_lie_in_the_pages_of_a_pipe() {
        // What is given at once often ends with a line, often within one.
        let text: Vec<u8> =
            (0..20_000).flat_map(|number| format!("{number:05}{}\n", "x".repeat(number % 3)).into_bytes()).collect();
        let mut source = Piped { text, ..Piped::default() };
        let mut reader = Reader::with_capacity(5 * PAGE_BYTES);
        let mut seen = Vec::new();
        while reader.fill(&mut source, Label::now).unwrap() != Taken::End {
            while let Some(window) = reader.window() {
                seen.extend_from_slice(window.bytes);
                let count = window.bytes.len();
                reader.mark_written(count);
            }
            reader.consume_written(&mut source, &mut [0]).unwrap();
            if seen.len() % 7 == 0 {
                reader.shrink();
            }
        }
        assert_eq!(seen, source.text);
        assert_eq!(source.consumed_bytes, source.text.len());
    }
}
