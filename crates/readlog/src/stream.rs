//! A directory's lines in order, across its files, as groups: a line with a stamp and the lines without one behind it.
//!
//! The files are one stream of bytes. A file that does not end in a newline goes on in the next (multilog cuts a line of
//! more than 2000 bytes where the file is full), unless that one begins with a stamp, or the line was cut by an outage:
//! then the newline that is missing is supplied.
//!
//! The buffer holds the stream from the group at hand on; groups are ranges of it, so that nothing is copied but what is
//! left over when the buffer is filled up. A stream may be live: its last file is still being written, and at its end
//! there is nothing more *now*.

use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;

use memchr::{memchr, memrchr};

use crate::clock::LocalClock;
use crate::content::{Content, is_packed};
use crate::files::{LogFile, open_plain};
use crate::finder::Finder;
use crate::log_dir::LogDir;
use crate::prefetch::{Job, Workers};
use crate::stamp::{STAMP_BYTES_MAX, Stamp, recognise};
use crate::time_scale::TimeScale;
use crate::warnings::Warnings;
use logyard::cli::Shown;
use logyard::logdir::names::CURRENT;
use logyard::sys::dir::Dir;
use logyard::sys::file::File;
use logyard::sys::{Errno, Result};
use logyard::tai64n::Label;

/// The room that is kept for a read.
const ROOM_BYTES: usize = 1 << 16;
/// The buffer of a stream among many, and of one that is alone.
const BUFFER_BYTES: usize = 4 * ROOM_BYTES;
/// A line longer than this is shown in parts, so that memory stays bounded.
pub(super) const LINE_BYTES_MAX: usize = 64 << 20;
/// A group longer than this goes on as another of the same moment.
pub(super) const GROUP_BYTES_MAX: usize = 1 << 20;

/// What all streams share.
#[derive(Debug)]
pub(super) struct Common {
    /// How labels count.
    pub(super) scale: TimeScale,
    /// The clock on the wall.
    pub(super) clock: LocalClock,
    /// Where trouble is told.
    pub(super) warnings: Warnings,
    /// Who unpacks and searches ahead.
    pub(super) workers: Workers,
    /// How much of a directory is looked through line by line to answer a question about a time.
    pub(super) survey_bytes_max: u64,
}

/// A part of a file that is to be read.
#[derive(Debug)]
pub(super) struct Span {
    /// The file.
    pub(super) piece: Rc<LogFile>,
    /// Where to begin, at the beginning of a line.
    pub(super) from: u64,
    /// Where to end.
    pub(super) to: Option<u64>,
    /// Whether the file is still being written.
    pub(super) is_live: bool,
    /// Whether files before this one were removed before they were read.
    pub(super) is_after_gap: bool,
    /// The content, where it is being unpacked already.
    pub(super) job: Option<Job>,
}

impl Span {
    /// The whole of a file.
    pub(super) fn whole(piece: Rc<LogFile>) -> Span {
        Span { piece, from: 0, to: None, is_live: false, is_after_gap: false, job: None }
    }
}

/// A line with a stamp and the lines without one behind it, in the buffer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Group {
    start: usize,
    end: usize,
    /// The stamp of the first line.
    pub(super) stamp: Option<Stamp>,
    /// The moment, by that stamp or by one before.
    pub(super) label: Option<Label>,
    /// Where the group stands among those of other directories.
    pub(super) key: Label,
}

/// Where in the stream a file begins.
#[derive(Debug)]
struct Mark {
    at: u64,
    offset: u64,
    file: Option<Arc<File>>,
    /// How far the file goes, where that is known.
    end: Option<u64>,
    piece: Rc<LogFile>,
}

/// The lines of a directory.
#[derive(Debug)]
pub(super) struct Stream {
    /// Where it reads.
    pub(super) place: Rc<LogDir>,
    common: Rc<Common>,
    spans: VecDeque<Span>,
    content: Option<(Content, u64)>,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// The place in the stream of the buffer's first byte.
    base: u64,
    marks: VecDeque<Mark>,
    label: Option<Label>,
    /// The stamp of the line behind the group, where it has been looked at.
    ahead: Option<Stamp>,
    /// The last file ended within a line, and in this state.
    torn: Option<Torn>,
    /// How many bytes of the next file are behind `end`: too few to tell whether it goes on with the last line.
    pending: usize,
    is_after_gap: bool,
    group: Option<Group>,
    /// How many stamped lines have had the last label.
    label_count: u64,
    /// The last label of the groups that have been dealt with, and how many of their lines had it.
    consumed: Option<(Label, u64)>,
    /// What was printed by an earlier run.
    printed: Option<Printed>,
    files_opened: u64,
    /// Whether more files will come.
    is_endless: bool,
}

/// What was printed of a directory by an earlier run, where that is known by labels only: everything before a label, and
/// so many of the lines that have it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Printed {
    /// The label.
    pub(super) label: Label,
    /// How many lines that have it were printed.
    pub(super) count: u64,
    /// Whether a first label that is later means that files were removed.
    pub(super) shows_gap: bool,
}

/// How a file came to end within a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Torn {
    /// By its size: the line goes on in the next file.
    Cut,
    /// Perhaps by an outage.
    Unfinished,
}

impl Stream {
    /// The lines of some parts of files.
    pub(super) fn new(place: Rc<LogDir>, common: Rc<Common>, spans: Vec<Span>) -> Stream {
        Stream {
            place,
            common,
            spans: spans.into(),
            content: None,
            buffer: Vec::new(),
            start: 0,
            end: 0,
            base: 0,
            marks: VecDeque::new(),
            label: None,
            ahead: None,
            torn: None,
            pending: 0,
            is_after_gap: false,
            group: None,
            label_count: 0,
            consumed: None,
            printed: None,
            files_opened: 0,
            is_endless: false,
        }
    }

    /// The group at hand.
    pub(super) fn group(&self) -> Option<&Group> {
        self.group.as_ref()
    }

    /// The bytes of a group, newline and all.
    pub(super) fn bytes(&self, group: &Group) -> &[u8] {
        &self.buffer[group.start..group.end]
    }

    /// The file in which a group begins.
    pub(super) fn piece(&self, group: &Group) -> Option<&Rc<LogFile>> {
        let at = self.base + group.start as u64;
        self.marks.iter().rev().find(|mark| mark.at <= at).map(|mark| &mark.piece)
    }

    /// The file, its name, and the offset in it up to which groups have been taken, the one at hand not among them.
    pub(super) fn position(&self) -> Option<(&Arc<File>, &Rc<LogFile>, u64)> {
        let at = self.base + self.start as u64;
        let mark = self.marks.iter().rev().find(|mark| mark.at < at).or(self.marks.front())?;
        let offset = mark.offset + at.saturating_sub(mark.at);
        Some((mark.file.as_ref()?, &mark.piece, mark.end.map_or(offset, |end| offset.min(end))))
    }

    /// The last label of the groups that have been taken, the one at hand not among them, and how many lines had it.
    pub(super) fn label(&self) -> Option<(Label, u64)> {
        self.consumed
    }

    /// Goes on as if lines with this label had been read, so many.
    pub(super) fn resume_after(&mut self, label: Option<(Label, u64)>) {
        self.label = label.map(|(label, _)| label);
        self.label_count = label.map_or(0, |(_, count)| count);
        self.consumed = label;
    }

    /// Leaves out what was printed before. Lines without a label at the beginning belong to a line with this one, which
    /// is before the files that will be read.
    pub(super) fn leave_out(&mut self, printed: Printed, before: Option<Label>) {
        self.printed = Some(printed);
        self.label = before;
        self.consumed = before.map(|_| (printed.label, printed.count));
    }

    /// How many files have been opened so far.
    pub(super) fn files_opened(&self) -> u64 {
        self.files_opened
    }

    /// Goes on in another directory, once there is nothing left to read in the old one.
    pub(super) fn move_to(&mut self, place: Rc<LogDir>) {
        self.place = place;
        self.label = None;
        self.label_count = 0;
        self.consumed = None;
    }

    /// A stream without any file, of a directory that is not there.
    pub(super) fn nowhere(path: &[u8], common: Rc<Common>) -> Result<Stream> {
        let place = LogDir { path: path.to_vec(), service: Vec::new(), directory: Dir::open("/")? };
        Ok(Stream::new(Rc::new(place), common, Vec::new()))
    }

    /// What all streams share.
    pub(super) fn common(&self) -> &Rc<Common> {
        &self.common
    }

    /// Declares that more files will come, or that none will.
    pub(super) fn set_endless(&mut self, is_endless: bool) {
        self.is_endless = is_endless;
    }

    /// Declares that the last file is still being written.
    pub(super) fn keep_last_live(&mut self) {
        if let Some(span) = self.spans.back_mut() {
            span.is_live = true;
        }
    }

    /// Keeps a last line without newline for a later run, where what is written next may continue it.
    pub(super) fn leave_unfinished_line(&mut self) {
        let Some(span) = self.spans.back_mut().filter(|span| span.to.is_none()) else { return };
        span.is_live = span.piece.name == CURRENT.as_bytes();
        self.is_endless = !span.piece.is_unfinished();
    }

    /// Goes on with the files of another stream, which has not begun, as it would.
    pub(super) fn go_on_with(&mut self, other: Stream) {
        self.spans.extend(other.spans);
        self.printed = other.printed;
    }

    /// Leaves out everything but the part of the last file that is yet to be written, and hands over what is left out.
    pub(super) fn skip_to_end(&mut self) -> (Rc<LogDir>, Vec<Span>) {
        let mut left_out: Vec<Span> = self.spans.drain(..).collect();
        if left_out.last().is_some_and(|last| last.is_live) {
            // A line that is still being written may have begun in a file before.
            for span in left_out.iter_mut().rev() {
                let is_live = std::mem::take(&mut span.is_live);
                let file = span.piece.open(&self.place.directory).ok();
                let file = file.filter(|file| is_live || (span.to.is_none() && !is_packed(file).unwrap_or(true)));
                let end = file.as_ref().map_or(0, |file| last_line_end(file)).max(span.from);
                let Some(size) = file.as_ref().and_then(|file| file.stat().ok()).map(|stat| stat.size_bytes) else {
                    break;
                };
                if !is_live && end == size && size > 0 {
                    break;
                }
                span.to = Some(end);
                self.spans.push_front(Span { from: end, is_live, ..Span::whole(Rc::clone(&span.piece)) });
                if end > 0 || file.is_some_and(|file| self.begins_with_stamp(&file)) {
                    break;
                }
            }
        }
        (Rc::clone(&self.place), left_out)
    }

    fn begins_with_stamp(&self, file: &File) -> bool {
        let mut head = [0; STAMP_BYTES_MAX + 1];
        let length = file.read_at(0, &mut head).unwrap_or(0);
        recognise(&head[..length], self.common.scale, &self.common.clock).is_some()
    }

    /// Adds a part to the end.
    pub(super) fn push(&mut self, span: Span) {
        self.spans.push_back(span);
    }

    /// Declares that the files so far are not written to any more.
    pub(super) fn seal(&mut self) {
        for span in &mut self.spans {
            span.is_live = false;
        }
    }

    /// How many files wait to be read to their end.
    pub(super) fn spans_left(&self) -> usize {
        self.spans.len()
    }

    /// Declares the group at hand as dealt with.
    pub(super) fn consume(&mut self) {
        if let Some(group) = self.group.take() {
            self.start = group.end;
            self.consumed = self.label.map(|label| (label, self.label_count));
        }
    }

    /// Takes the next group to hand; `false` when there is none (in a live stream: none yet).
    pub(super) fn advance(&mut self) -> bool {
        while self.take_group() {
            let Some(printed) = self.printed else { return true };
            let Some(label) = self.label else { return true };
            if label > printed.label {
                self.printed = None;
                if printed.shows_gap {
                    self.tell_gap(Some(printed.label), Some(label));
                }
                return true;
            }
            // A line with the very label has been met: nothing was removed in between.
            self.printed = Some(Printed { shows_gap: false, ..printed });
            if label == printed.label && self.label_count > printed.count {
                return true;
            }
        }
        false
    }

    /// Takes all the whole lines that are in the buffer, or the next ones; groups are not told apart.
    pub(super) fn take_lines(&mut self) -> Option<&[u8]> {
        self.consume();
        self.ahead = None;
        let end = loop {
            if let Some(newline) = memrchr(b'\n', &self.buffer[self.start..self.end]) {
                break self.start + newline + 1;
            }
            if self.end - self.start >= LINE_BYTES_MAX {
                break self.end;
            }
            if !self.fill() {
                return None;
            }
        };
        let start = std::mem::replace(&mut self.start, end);
        if std::mem::take(&mut self.is_after_gap) {
            self.tell_gap(self.label, self.recognise_at(start).map(|stamp| stamp.label));
        }
        let last_line = memrchr(b'\n', &self.buffer[start..end - 1]).map_or(start, |newline| start + newline + 1);
        self.label = self.recognise_at(last_line).map(|stamp| stamp.label).or(self.label);
        Some(&self.buffer[start..end])
    }

    /// Passes over groups in the buffer in which nothing can be found, without taking them to hand.
    pub(super) fn pass_over(&mut self, finder: &Finder) {
        self.consume();
        if self.printed.is_some() || self.is_after_gap {
            return;
        }
        let Some(newline) = memrchr(b'\n', &self.buffer[self.start..self.end]) else { return };
        let lines = self.start..self.start + newline + 1;
        let found = finder.find(&self.buffer[lines.clone()]);
        // Nothing found: the last group may go on behind these lines.
        let line = self.line_start(lines.start, found.map_or(lines.end - 1, |found| lines.start + found));
        let group = match self.group_start(lines.start, line) {
            Some(group) => group,
            // Without any label so far each line is a group.
            None if self.label.is_none() => {
                if found.is_some() {
                    line
                } else {
                    lines.end
                }
            }
            // A group that began before, and is not passed over in part.
            None => return,
        };
        if group > lines.start {
            self.count_labels(lines.start, group);
            self.start = group;
            self.ahead = None;
            self.consumed = self.label.map(|label| (label, self.label_count));
        }
    }

    /// Where the line begins that a place is in or at the end of.
    fn line_start(&self, from: usize, at: usize) -> usize {
        memrchr(b'\n', &self.buffer[from..at]).map_or(from, |newline| from + newline + 1)
    }

    /// Where the last line with a stamp begins, of those from `from` up to and with the one at `line`.
    fn group_start(&self, from: usize, mut line: usize) -> Option<usize> {
        while self.recognise_at(line).is_none() {
            if line == from {
                return None;
            }
            line = self.line_start(from, line - 1);
        }
        Some(line)
    }

    /// Takes note of the labels between two places that are passed over.
    fn count_labels(&mut self, from: usize, to: usize) {
        let mut last: Option<(Label, u64)> = None;
        let mut line = to;
        while line > from {
            line = self.line_start(from, line - 1);
            let Some(stamp) = self.recognise_at(line) else { continue };
            match &mut last {
                None => last = Some((stamp.label, 1)),
                Some((label, count)) if *label == stamp.label => *count += 1,
                Some((label, count)) => {
                    (self.label, self.label_count) = (Some(*label), *count);
                    return;
                }
            }
        }
        if let Some((label, count)) = last {
            self.label_count = if self.label == Some(label) { self.label_count + count } else { count };
            self.label = Some(label);
        }
    }

    fn take_group(&mut self) -> bool {
        self.consume();
        let seen = self.ahead.take();
        let Some(mut length) = self.find_line_end(0) else { return false };
        let stamp = seen.or_else(|| self.recognise_at(self.start));
        if std::mem::take(&mut self.is_after_gap) {
            self.tell_gap(self.label, stamp.map(|stamp| stamp.label));
        }
        if let Some(stamp) = stamp {
            self.label_count = if self.label == Some(stamp.label) { self.label_count + 1 } else { 1 };
            self.label = Some(stamp.label);
        }
        // Without any label so far, lines have nothing to belong to.
        if self.label.is_some() {
            while length < GROUP_BYTES_MAX && self.next_line_belongs(length) {
                match self.find_line_end(length) {
                    Some(longer) => length = longer,
                    None => break,
                }
            }
        }
        let mut group = Group { start: self.start, end: self.start + length, stamp, label: self.label, key: last() };
        group.key = group.label.or_else(|| self.piece(&group).and_then(|piece| piece.label)).unwrap_or_else(last);
        self.group = Some(group);
        true
    }

    /// Tells whether behind `length` bytes of the group there is a line without a stamp. One that has a stamp is kept in
    /// mind.
    fn next_line_belongs(&mut self, length: usize) -> bool {
        loop {
            let next = &self.buffer[self.start + length..self.end];
            match next.first().copied() {
                Some(b'@' | b'0'..=b'9') => {
                    let is_enough = next.len() > STAMP_BYTES_MAX || memchr(b'\n', next).is_some();
                    if is_enough {
                        self.ahead = self.recognise_at(self.start + length);
                        return self.ahead.is_none();
                    }
                    // Half a stamp, perhaps: it is known once the rest has been written.
                    if !self.fill() {
                        return false;
                    }
                }
                Some(_) => return true,
                None if self.fill() => {}
                None => return false,
            }
        }
    }

    fn recognise_at(&self, at: usize) -> Option<Stamp> {
        recognise(&self.buffer[at..self.end], self.common.scale, &self.common.clock)
    }

    /// Where the line that begins `from` bytes behind the start ends, newline included, counted from the start.
    fn find_line_end(&mut self, from: usize) -> Option<usize> {
        let mut searched = from;
        loop {
            if let Some(newline) = memchr(b'\n', &self.buffer[self.start + searched..self.end]) {
                return Some(searched + newline + 1);
            }
            searched = self.end - self.start;
            if searched - from >= LINE_BYTES_MAX {
                return Some(searched);
            }
            if !self.fill() {
                return None;
            }
        }
    }

    /// Gets more bytes into the buffer; `false` when there are none (now).
    fn fill(&mut self) -> bool {
        loop {
            self.make_room();
            let Some((content, left)) = &mut self.content else {
                if self.open_next() {
                    continue;
                }
                return self.end_of_all();
            };
            let begin = self.end + self.pending;
            let room = self.buffer.len() - begin;
            let room = usize::try_from(*left).map_or(room, |left| room.min(left));
            let answer = if room == 0 { Ok(0) } else { content.read(&mut self.buffer[begin..begin + room]) };
            let bytes = answer.unwrap_or_else(|errno| {
                if let Some(span) = self.spans.front() {
                    self.common.warnings.unable_to_read(&self.place.path, &span.piece.name, errno);
                }
                0
            });
            if bytes > 0 {
                *left -= bytes as u64;
                self.pending += bytes;
                if self.torn.is_none() || self.shows_stamp() {
                    self.mend();
                    return true;
                }
                continue;
            }
            if self.spans.front().is_some_and(|span| span.is_live) {
                return false;
            }
            if self.pending > 0 {
                self.mend();
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
        while self.marks.get(1).is_some_and(|mark| mark.at < self.base) {
            self.marks.pop_front();
        }
        if self.buffer.len() - self.end < ROOM_BYTES {
            self.buffer.resize((self.buffer.len() * 2).max(BUFFER_BYTES), 0);
        }
    }

    /// Opens the next file that can be opened; `false` if there is none, or if it must not be begun yet.
    fn open_next(&mut self) -> bool {
        while let Some(span) = self.spans.front_mut() {
            if span.is_after_gap {
                if self.start < self.end {
                    return false;
                }
                self.is_after_gap = true;
                self.torn = None;
            }
            let unpacked = span.job.take().and_then(Job::wait);
            let file =
                span.piece.open(&self.place.directory).or_else(|errno| reopen_renamed(&self.place, &span.piece, errno));
            let opened = match (unpacked, &file) {
                (Some(bytes), _) => Ok(Content::Ready(std::io::Cursor::new(bytes))),
                // What is being written is not packed, whatever it begins with.
                (None, Ok(file)) if span.piece.label.is_none() => {
                    Ok(Content::Plain { file: Arc::clone(file), offset: span.from })
                }
                (None, Ok(file)) => Content::of(Arc::clone(file), span.from),
                (None, Err(errno)) => Err(*errno),
            };
            match opened {
                Ok(content) => {
                    self.files_opened += 1;
                    let (at, piece) = (self.base + self.end as u64, Rc::clone(&span.piece));
                    self.marks.push_back(Mark { at, offset: span.from, file: file.ok(), end: None, piece });
                    self.content = Some((content, span.to.map_or(u64::MAX, |to| to.saturating_sub(span.from))));
                    self.look_ahead();
                    return true;
                }
                Err(errno) => {
                    let is_archive = span.piece.label.is_some();
                    match self.spans.get_mut(1) {
                        // Removed since it was listed, as the oldest are: told with what is found next.
                        Some(next) if errno == Errno::ENOENT && is_archive => next.is_after_gap = true,
                        _ => {
                            let name = &self.spans[0].piece.name;
                            self.common.warnings.unable_to_read(&self.place.path, name, errno);
                        }
                    }
                    self.spans.pop_front();
                }
            }
        }
        false
    }

    /// Has the files behind the one that is open unpacked and searched meanwhile.
    fn look_ahead(&mut self) {
        for span in self.spans.iter_mut().skip(1) {
            if !self.common.workers.is_free() || span.is_live {
                return;
            }
            let is_whole = span.from == 0 && span.to.is_none();
            if is_whole && span.job.is_none() {
                span.job = self.common.workers.start(&self.place.directory, &span.piece);
            }
            if span.job.is_none() {
                return;
            }
        }
    }

    /// Closes the file that has been read to its end.
    fn close(&mut self) {
        self.content = None;
        let Some(span) = self.spans.pop_front() else { return };
        let is_torn = self.start < self.end && self.buffer[self.end - 1] != b'\n';
        self.torn =
            is_torn.then_some(if span.piece.is_unfinished() { Torn::Unfinished } else { Torn::Cut }).or(self.torn);
        let end = self.base + self.end as u64;
        if let Some(mark) = self.marks.back_mut() {
            mark.end = Some(mark.offset + end.saturating_sub(mark.at));
        }
    }

    /// Tells whether the bytes that are pending show if the file begins with a stamp.
    fn shows_stamp(&self) -> bool {
        let head = &self.buffer[self.end..self.end + self.pending];
        !matches!(head.first(), Some(b'@' | b'0'..=b'9'))
            || head.len() > STAMP_BYTES_MAX
            || memchr(b'\n', head).is_some()
    }

    /// Takes the bytes that are pending, with a newline before them if they begin a file and do not continue the last line
    /// of the file before.
    fn mend(&mut self) {
        let first = self.end;
        self.end += std::mem::take(&mut self.pending);
        let Some(torn) = self.torn.take() else { return };
        let goes_on = self.recognise_at(first).is_none() && (torn == Torn::Cut || self.label.is_some());
        if goes_on {
            return;
        }
        if self.end == self.buffer.len() {
            self.buffer.push(0);
        }
        self.buffer.copy_within(first..self.end, first + 1);
        self.buffer[first] = b'\n';
        self.end += 1;
        if let Some(mark) = self.marks.back_mut() {
            mark.at += 1;
        }
    }

    /// Ends a last line that has no newline, where nothing follows or something is missing.
    fn end_of_all(&mut self) -> bool {
        if self.is_endless && self.spans.is_empty() {
            return false;
        }
        let has_partial_line = self.start < self.end && self.buffer[self.end - 1] != b'\n';
        if has_partial_line {
            self.buffer[self.end] = b'\n';
            self.end += 1;
            self.torn = None;
        }
        has_partial_line
    }

    fn tell_gap(&self, last: Option<Label>, first: Option<Label>) {
        let mut text = format!("files were removed from {} before they could be read", Shown(&self.place.path));
        if let Some(last) = last {
            text.push_str(&format!(": last label printed {last}"));
        }
        if let Some(first) = first {
            text.push_str(if last.is_some() { ", " } else { ": " });
            text.push_str(&format!("first found {first}"));
        }
        self.common.warnings.warn(text);
    }
}

/// An archive that has another ending by now: compressed, or through svlogd's processor.
pub(super) fn reopen_renamed(place: &LogDir, piece: &LogFile, errno: Errno) -> Result<Arc<File>> {
    if errno != Errno::ENOENT || piece.label.is_none() {
        return Err(errno);
    }
    let label = &piece.name[..Label::TEXT_BYTES];
    let mut names: Vec<Vec<u8>> = place.directory.names()?.into_iter().map(|(name, _)| name).collect();
    names.retain(|name| name.starts_with(label));
    names.sort_unstable();
    let name = names.into_iter().next().ok_or(errno)?;
    open_plain(&place.directory, &name).map(Arc::new)
}

/// Where the last line of a file ends that has its newline.
fn last_line_end(file: &File) -> u64 {
    let mut end = file.stat().map_or(0, |stat| stat.size_bytes);
    let mut block = vec![0; ROOM_BYTES];
    while end > 0 {
        let start = end.saturating_sub(ROOM_BYTES as u64);
        let length = usize::try_from(end - start).expect("a block at most");
        let Ok(read) = file.read_at(start, &mut block[..length]) else { return 0 };
        if let Some(newline) = memrchr(b'\n', &block[..read]) {
            return start + newline as u64 + 1;
        }
        end = start;
    }
    0
}

/// The last moment there is.
pub(super) fn last() -> Label {
    let mut bytes = [0xff; 12];
    bytes[8..].copy_from_slice(&999_999_999_u32.to_be_bytes());
    Label::from_bytes(bytes).expect("less than a second")
}
