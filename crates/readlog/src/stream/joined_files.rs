//! The files of a directory as one stream of bytes.
//!
//! A file that does not end in a newline continues in the next file: multilog splits a line of more than 2000 bytes where a
//! file is full. There are two exceptions, and for both the missing newline is supplied: the next file begins with a stamp,
//! or the line may have been cut by an outage and no line with a label came before it.

use std::collections::VecDeque;
use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;

use memchr::{memchr, memrchr};

use crate::content::{Content, is_packed};
use crate::context::Context;
use crate::files::LogFile;
use crate::log_dir::LogDir;
use crate::prefetch::{Job, Segments};
use crate::stamp::STAMP_BYTES_MAX;
use crate::stream::marks::{FilePosition, Mark, Marks};
use crate::stream::span::Span;
use logyard::logdir::names::CURRENT;
use logyard::sys::{Errno, Result};

/// The room that is kept for a read.
const ROOM_BYTES: usize = 1 << 16;
/// The size of the buffer, unless a line is longer.
const BUFFER_BYTES: usize = 4 * ROOM_BYTES;
/// A longer line is shown in parts, so that memory stays bounded.
pub(crate) const LINE_BYTES_MAX: usize = 64 << 20;

/// How a file came to end within a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Torn {
    /// The file was full: the line continues in the next file.
    Cut,
    /// The file's writer did not exit cleanly, perhaps because of an outage.
    Unfinished,
}

/// Where the bytes of a file come from.
#[derive(Debug)]
enum Source {
    /// From the file.
    Content(Content),
    /// From a thread that reads it.
    Segments(Segments),
}

impl Source {
    fn read(&mut self, room: &mut [u8]) -> Result<usize> {
        match self {
            Source::Content(content) => content.read(room),
            Source::Segments(segments) => segments.read(room),
        }
    }

    /// Tells whether the bytes read last are known to be wanted.
    fn is_wanted(&self) -> bool {
        matches!(self, Source::Segments(segments) if segments.is_wanted())
    }
}

/// The bytes of some parts of files, one after the other.
#[derive(Debug)]
pub(crate) struct JoinedFiles {
    /// The directory.
    pub(crate) log_dir: Rc<LogDir>,
    context: Rc<Context>,
    /// What has not been read to its end; the first one is open if `content` is.
    spans: VecDeque<Span>,
    /// The open file, and how many bytes of it are still to be read.
    content: Option<(Source, u64)>,
    buffer: Vec<u8>,
    /// The bytes from `start` to `end` have not been taken.
    start: usize,
    end: usize,
    /// The place in the stream of the buffer's first byte.
    base: u64,
    marks: Marks,
    /// The places in the stream of bytes that are known to be wanted: whole groups.
    wanted: VecDeque<Range<u64>>,
    /// How the last file ended, if it ended within a line.
    torn: Option<Torn>,
    /// How many bytes of the next file are behind `end`: too few to tell whether the file continues the last line.
    pending: usize,
    is_after_gap: bool,
    files_opened: u64,
    is_endless: bool,
    /// Whether a thread declined a file, as it will the others.
    is_declined: bool,
}

impl JoinedFiles {
    /// The bytes of some parts of files.
    pub(super) fn new(log_dir: Rc<LogDir>, context: Rc<Context>, spans: Vec<Span>) -> JoinedFiles {
        JoinedFiles {
            log_dir,
            context,
            spans: spans.into(),
            content: None,
            buffer: Vec::new(),
            start: 0,
            end: 0,
            base: 0,
            marks: Marks::default(),
            wanted: VecDeque::new(),
            torn: None,
            pending: 0,
            is_after_gap: false,
            files_opened: 0,
            is_endless: false,
            is_declined: false,
        }
    }

    /// Adds a part of a file to the end.
    pub(crate) fn push(&mut self, span: Span) {
        self.spans.push_back(span);
    }

    /// Takes away all parts that have not been read to their ends.
    pub(crate) fn take_spans(&mut self) -> Vec<Span> {
        self.spans.drain(..).collect()
    }

    /// How many files have not been read to their ends.
    pub(crate) fn spans_left(&self) -> usize {
        self.spans.len()
    }

    /// How many files have been opened so far.
    pub(crate) fn files_opened(&self) -> u64 {
        self.files_opened
    }

    /// Declares whether more files may be added.
    pub(crate) fn set_endless(&mut self, is_endless: bool) {
        self.is_endless = is_endless;
    }

    /// Declares that a writer still appends to the last file.
    pub(crate) fn keep_last_live(&mut self) {
        if let Some(span) = self.spans.back_mut() {
            span.is_live = true;
        }
    }

    /// Declares that no writer appends to the files so far.
    pub(crate) fn seal(&mut self) {
        for span in &mut self.spans {
            span.is_live = false;
        }
    }

    /// Keeps a last line without a newline for a later run if a writer may continue it.
    pub(crate) fn leave_unfinished_line(&mut self) {
        let Some(span) = self.spans.back_mut().filter(|span| span.to.is_none()) else { return };
        span.is_live = span.log_file.name == CURRENT.as_bytes();
        self.is_endless = !span.log_file.is_unfinished();
    }

    /// The bytes in the buffer that have not been taken.
    pub(super) fn unread(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    /// Takes the next bytes of the buffer.
    pub(super) fn take(&mut self, bytes: usize) -> &[u8] {
        let start = self.start;
        self.start += bytes;
        &self.buffer[start..self.start]
    }

    /// Notes where bytes are that are known to be wanted.
    fn note_wanted(&mut self, place: Range<u64>) {
        match self.wanted.back_mut() {
            Some(last) if last.end == place.start => last.end = place.end,
            _ => self.wanted.push_back(place),
        }
    }

    /// How many of the unread bytes are known to be wanted, from the first on.
    pub(super) fn wanted_bytes(&mut self) -> usize {
        let at = self.base + self.start as u64;
        while self.wanted.front().is_some_and(|wanted| wanted.end <= at) {
            self.wanted.pop_front();
        }
        let bytes = self.wanted.front().filter(|wanted| wanted.start <= at).map_or(0, |wanted| wanted.end - at);
        usize::try_from(bytes).map_or(self.unread().len(), |bytes| bytes.min(self.unread().len()))
    }

    /// Takes the next whole lines if they are known to be wanted: those in the buffer, or else the next of the open file.
    pub(super) fn take_wanted(&mut self) -> Option<&[u8]> {
        let wanted = self.wanted_bytes();
        if let Some(newline) = memrchr(b'\n', &self.unread()[..wanted]) {
            return Some(self.take(newline + 1));
        }
        if self.start < self.end || self.pending > 0 {
            return None;
        }
        let (Source::Segments(segments), _) = self.content.as_mut()? else { return None };
        let bytes = segments.take_wanted()?;
        self.base += bytes.len() as u64;
        Some(bytes)
    }

    /// Tells, once, whether files were removed before what comes next.
    pub(super) fn take_gap(&mut self) -> bool {
        std::mem::take(&mut self.is_after_gap)
    }

    /// Tells whether files were removed before what comes next.
    pub(super) fn is_after_gap(&self) -> bool {
        self.is_after_gap
    }

    /// The file that the next byte is in.
    pub(super) fn file_at_start(&self) -> Option<&Rc<LogFile>> {
        self.marks.file_at(self.base + self.start as u64)
    }

    /// The place up to which bytes have been taken.
    pub(crate) fn position(&self) -> Option<FilePosition<'_>> {
        self.marks.position(self.base + self.start as u64)
    }

    /// Gets more bytes into the buffer; `false` if there are none (now). Without a label so far, a line that an outage may
    /// have cut is not continued.
    pub(super) fn fill(&mut self, has_label: bool) -> bool {
        self.marks.forget_before(self.base + self.start as u64);
        loop {
            self.make_room();
            let Some((content, left)) = &mut self.content else {
                if self.open_next() {
                    continue;
                }
                return self.end_last_line();
            };
            let begin = self.end + self.pending;
            let room = self.buffer.len() - begin;
            let room = usize::try_from(*left).map_or(room, |left| room.min(left));
            let answer = if room == 0 { Ok(0) } else { content.read(&mut self.buffer[begin..begin + room]) };
            let bytes = answer.unwrap_or_else(|errno| {
                if let Some(span) = self.spans.front() {
                    self.context.warnings.unable_to_read(&self.log_dir.path, &span.log_file.name, errno);
                }
                0
            });
            if bytes > 0 {
                *left -= bytes as u64;
                self.pending += bytes;
                // A newline may still be inserted before what follows a torn line.
                if self.torn.is_none() && content.is_wanted() {
                    let at = self.base + begin as u64;
                    self.note_wanted(at..at + bytes as u64);
                }
                if self.torn.is_none() || self.shows_stamp() {
                    self.accept_pending(has_label);
                    return true;
                }
                continue;
            }
            if self.spans.front().is_some_and(|span| span.is_live) {
                return false;
            }
            if self.pending > 0 {
                self.accept_pending(has_label);
                return true;
            }
            self.close();
        }
    }

    fn make_room(&mut self) {
        if self.buffer.len() - self.end >= ROOM_BYTES {
            return;
        }
        self.buffer.copy_within(self.start..self.end + self.pending, 0);
        self.base += self.start as u64;
        self.end -= self.start;
        self.start = 0;
        if self.buffer.len() - self.end < ROOM_BYTES {
            self.buffer.resize((self.buffer.len() * 2).max(BUFFER_BYTES), 0);
        }
    }

    /// Opens the next file that can be opened; `false` if there is none, or if it must not be begun yet.
    fn open_next(&mut self) -> bool {
        loop {
            self.prefetch(0);
            let Some(span) = self.spans.front_mut() else { return false };
            if span.is_after_gap {
                if self.start < self.end {
                    return false;
                }
                self.is_after_gap = true;
                self.torn = None;
            }
            let job = span.job.take();
            let is_job = job.is_some();
            let segments = job.and_then(Job::wait);
            self.is_declined |= is_job && segments.is_none();
            // Positions in a file are of no use where lines are left out of it.
            let needs_file = segments.is_none() || !self.context.workers.leave_lines_out();
            let file = match span.file.take() {
                Some(file) => Ok(file),
                None if needs_file => span.log_file.open_or_renamed(&self.log_dir.dir),
                None => Err(Errno::ENOENT),
            };
            if segments.is_none()
                && let Ok(file) = &file
                && let Some(parts) = span.divide(file)
            {
                self.replace(0, parts);
                continue;
            }
            let opened = match (segments, &file) {
                (Some(segments), _) => Ok(Source::Segments(segments)),
                // A file that is being written is not packed, whatever it begins with.
                (None, Ok(file)) if span.log_file.label.is_none() => {
                    Ok(Source::Content(Content::Plain { file: Arc::clone(file), offset: span.from }))
                }
                (None, Ok(file)) => span.content(Arc::clone(file)).map(Source::Content),
                (None, Err(errno)) => Err(*errno),
            };
            match opened {
                Ok(content) => {
                    self.files_opened += 1;
                    self.marks.push(Mark {
                        at: self.base + self.end as u64,
                        offset: span.from,
                        end: None,
                        file: file.ok(),
                        log_file: Rc::clone(&span.log_file),
                    });
                    self.content = Some((content, span.to.map_or(u64::MAX, |to| to.saturating_sub(span.from))));
                    self.prefetch(1);
                    return true;
                }
                Err(errno) => {
                    let is_archive = span.log_file.label.is_some();
                    match self.spans.get_mut(1) {
                        // Removed since it was listed, as the oldest archives are: a gap before the next file.
                        Some(next) if errno == Errno::ENOENT && is_archive => next.is_after_gap = true,
                        _ => {
                            let name = &self.spans[0].log_file.name;
                            self.context.warnings.unable_to_read(&self.log_dir.path, name, errno);
                        }
                    }
                    self.spans.pop_front();
                }
            }
        }
    }

    /// Puts the parts of a file in the place of its span.
    fn replace(&mut self, i: usize, parts: Vec<Span>) {
        // Not by moving all that is behind it.
        let before: Vec<Span> = self.spans.drain(..=i).take(i).collect();
        for span in before.into_iter().chain(parts).rev() {
            self.spans.push_front(span);
        }
    }

    /// Has files from the `i`th on, or the parts of them, unpacked and searched by other threads.
    fn prefetch(&mut self, mut i: usize) {
        while let Some(span) = self.spans.get_mut(i).filter(|span| !span.is_live && self.context.workers.is_free()) {
            // What is no archive yet is not packed, whatever it begins with.
            let is_archive = span.log_file.label.is_some();
            if span.file.is_some() {
                // It is read in the ordinary way.
                return;
            }
            if span.job.is_none() {
                let Ok(file) = span.log_file.open(&self.log_dir.dir) else { return };
                if let Some(parts) = span.divide(&file) {
                    self.replace(i, parts);
                    continue;
                }
                let is_packed = is_archive && is_packed(&file).unwrap_or(false);
                if (is_packed || !self.is_declined) && (span.is_whole() || span.chunk.is_some()) {
                    span.job = self.context.workers.start(&file, span.chunk.clone(), is_packed);
                }
                if span.job.is_none() {
                    span.file = Some(file);
                    return;
                }
            }
            i += 1;
        }
    }

    /// Closes the file that has been read to its end.
    fn close(&mut self) {
        self.content = None;
        let Some(span) = self.spans.pop_front() else { return };
        if self.has_partial_line() {
            self.torn = Some(if span.log_file.is_unfinished() { Torn::Unfinished } else { Torn::Cut });
        }
        self.marks.end_last(self.base + self.end as u64);
    }

    fn has_partial_line(&self) -> bool {
        self.start < self.end && self.buffer[self.end - 1] != b'\n'
    }

    /// Tells whether the pending bytes are enough to see if the file begins with a stamp.
    fn shows_stamp(&self) -> bool {
        let head = &self.buffer[self.end..self.end + self.pending];
        !matches!(head.first(), Some(b'@' | b'0'..=b'9'))
            || head.len() > STAMP_BYTES_MAX
            || memchr(b'\n', head).is_some()
    }

    /// Accepts the pending bytes, with a newline before them if they begin a file that does not continue the last line.
    fn accept_pending(&mut self, has_label: bool) {
        let first = self.end;
        self.end += std::mem::take(&mut self.pending);
        let Some(torn) = self.torn.take() else { return };
        let has_stamp = self.context.recognise(&self.buffer[first..self.end]).is_some();
        if !has_stamp && (torn == Torn::Cut || has_label) {
            return;
        }
        if self.end == self.buffer.len() {
            self.buffer.push(0);
        }
        self.buffer.copy_within(first..self.end, first + 1);
        self.buffer[first] = b'\n';
        self.end += 1;
        self.marks.shift_last();
    }

    /// Ends a last line that has no newline, if nothing follows or something is missing; `false` if there is no such line.
    fn end_last_line(&mut self) -> bool {
        if (self.is_endless && self.spans.is_empty()) || !self.has_partial_line() {
            return false;
        }
        self.buffer[self.end] = b'\n';
        self.end += 1;
        self.torn = None;
        true
    }
}
