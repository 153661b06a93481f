//! The groups of a directory: each stamped line, and the lines without a stamp that follow it.

use std::rc::Rc;

use memchr::{memchr, memrchr};

use crate::context::Context;
use crate::files::LogFile;
use crate::log_dir::LogDir;
use crate::stamp::{STAMP_BYTES_MAX, Stamp};
use crate::stream::joined_files::{JoinedFiles, LINE_BYTES_MAX};
use crate::stream::span::Span;
use crate::time_scale;
use logyard::cli::Shown;
use logyard::sys::Result;
use logyard::sys::dir::Dir;
use logyard::tai64n::Label;

/// A longer group is continued by another one of the same moment.
pub(crate) const GROUP_BYTES_MAX: usize = 1 << 20;

/// A stamped line and the lines without a stamp that follow it: the next bytes of the stream.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Group {
    length: usize,
    /// The stamp of the first line.
    pub(crate) stamp: Option<Stamp>,
    /// The moment: by that stamp, or by the last one before it.
    pub(crate) label: Option<Label>,
    /// Where the group stands among those of other directories.
    pub(crate) key: Label,
}

/// A label, and how many stamped lines in a row have had it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LabelCount {
    pub(crate) label: Label,
    pub(crate) count: u64,
}

/// What an earlier run printed of a directory, if it is known by labels only: everything before a label, and some of the
/// lines that have it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Printed {
    /// The label, and how many lines that have it were printed.
    pub(crate) last: LabelCount,
    /// Whether a first label that is later means that files were removed.
    pub(crate) shows_gap: bool,
}

/// The lines of a directory.
#[derive(Debug)]
pub(crate) struct Stream {
    /// The files that the lines are in.
    pub(crate) files: JoinedFiles,
    pub(super) context: Rc<Context>,
    /// The last label read.
    pub(super) last: Option<LabelCount>,
    /// The last label of the groups that have been consumed.
    pub(super) consumed: Option<LabelCount>,
    group: Option<Group>,
    /// The stamp of the line behind the group, if it has been recognised already.
    pub(super) next_stamp: Option<Stamp>,
    /// What an earlier run printed.
    pub(super) printed: Option<Printed>,
}

impl Stream {
    /// The lines of some parts of files.
    pub(crate) fn new(log_dir: Rc<LogDir>, context: Rc<Context>, spans: Vec<Span>) -> Stream {
        Stream {
            files: JoinedFiles::new(log_dir, Rc::clone(&context), spans),
            context,
            last: None,
            consumed: None,
            group: None,
            next_stamp: None,
            printed: None,
        }
    }

    /// A stream without files, of a directory that does not exist.
    pub(crate) fn nowhere(path: &[u8], context: Rc<Context>) -> Result<Stream> {
        let log_dir = LogDir { path: path.to_vec(), service: Vec::new(), dir: Dir::open("/")?, only: None };
        Ok(Stream::new(Rc::new(log_dir), context, Vec::new()))
    }

    /// What all streams share.
    pub(crate) fn context(&self) -> &Rc<Context> {
        &self.context
    }

    /// The current group.
    pub(crate) fn group(&self) -> Option<&Group> {
        self.group.as_ref()
    }

    /// The bytes of the current group, with its last newline.
    pub(crate) fn bytes(&self, group: &Group) -> &[u8] {
        &self.files.unread()[..group.length]
    }

    /// Tells whether the current group is known to match the pattern that is searched for.
    pub(crate) fn is_wanted(&mut self) -> bool {
        self.group.is_some() && self.files.wanted_bytes() > 0
    }

    /// The file in which the current group begins.
    pub(crate) fn log_file(&self) -> Option<&Rc<LogFile>> {
        self.files.file_at_start()
    }

    /// The last label of the groups that have been consumed, and how many lines had it.
    pub(crate) fn last_consumed(&self) -> Option<LabelCount> {
        self.consumed
    }

    /// Continues as if this many lines with this label had been read.
    pub(crate) fn resume_after(&mut self, last: Option<LabelCount>) {
        self.last = last;
        self.consumed = last;
    }

    /// Skips what an earlier run printed. Lines without a label at the beginning belong to the line with the label `before`,
    /// which is in a file before those that are read.
    pub(crate) fn skip_printed(&mut self, printed: Printed, before: Option<Label>) {
        self.printed = Some(printed);
        self.last = before.map(|label| LabelCount { label, count: 0 });
        self.consumed = before.map(|_| printed.last);
    }

    /// Continues in another directory. Nothing may be left to read in the old one.
    pub(crate) fn move_to(&mut self, log_dir: Rc<LogDir>) {
        self.files.log_dir = log_dir;
        self.last = None;
        self.consumed = None;
    }

    /// Continues with the files of another stream, of which nothing has been read.
    pub(crate) fn append(&mut self, mut other: Stream) {
        for span in other.files.take_spans() {
            self.files.push(span);
        }
        self.printed = other.printed;
    }

    /// Moves behind the current group.
    pub(crate) fn consume(&mut self) {
        if let Some(group) = self.group.take() {
            self.files.take(group.length);
            self.consumed = self.last;
        }
    }

    /// Makes the next group the current one; `false` if there is none (in a live stream: none yet).
    pub(crate) fn advance(&mut self) -> bool {
        while self.take_group() {
            let (Some(printed), Some(last)) = (self.printed, self.last) else { return true };
            if last.label > printed.last.label {
                self.printed = None;
                if printed.shows_gap {
                    self.warn_of_gap(Some(printed.last.label), Some(last.label));
                }
                return true;
            }
            // A line with this very label was found, so nothing was removed in between.
            self.printed = Some(Printed { shows_gap: false, ..printed });
            if last.label == printed.last.label && last.count > printed.last.count {
                return true;
            }
        }
        false
    }

    /// Takes all whole lines in the buffer, or the next ones. Does not tell groups apart.
    pub(crate) fn take_lines(&mut self) -> Option<&[u8]> {
        self.consume();
        self.next_stamp = None;
        let length = loop {
            let unread = self.files.unread();
            if let Some(newline) = memrchr(b'\n', unread) {
                break newline + 1;
            }
            if unread.len() >= LINE_BYTES_MAX {
                break unread.len();
            }
            if !self.fill() {
                return None;
            }
        };
        if self.files.take_gap() {
            let first = self.recognise_at(0).map(|stamp| stamp.label);
            self.warn_of_gap(self.last_label(), first);
        }
        let last_line = self.line_start(length - 1);
        if let Some(stamp) = self.recognise_at(last_line) {
            self.last = Some(LabelCount { label: stamp.label, count: 0 });
        }
        Some(self.files.take(length))
    }

    fn take_group(&mut self) -> bool {
        self.consume();
        let known = self.next_stamp.take();
        let Some(mut length) = self.find_line_end(0) else { return false };
        let stamp = known.or_else(|| self.recognise_at(0));
        if self.files.take_gap() {
            self.warn_of_gap(self.last_label(), stamp.map(|stamp| stamp.label));
        }
        if let Some(Stamp { label, .. }) = stamp {
            let before = self.last.filter(|last| last.label == label).map_or(0, |last| last.count);
            self.last = Some(LabelCount { label, count: before + 1 });
        }
        // Before the first label, lines have nothing that they could belong to.
        if self.last.is_some() {
            while length < GROUP_BYTES_MAX && self.next_line_belongs(length) {
                match self.find_line_end(length) {
                    Some(longer) => length = longer,
                    None => break,
                }
            }
        }
        let label = self.last_label();
        let key = label.or_else(|| self.log_file().and_then(|log_file| log_file.label));
        self.group = Some(Group { length, stamp, label, key: key.unwrap_or_else(time_scale::latest) });
        true
    }

    /// Tells whether a line without a stamp follows the first `length` bytes. Keeps the stamp of a line that has one.
    fn next_line_belongs(&mut self, length: usize) -> bool {
        loop {
            let next = &self.files.unread()[length..];
            match next.first().copied() {
                Some(b'@' | b'0'..=b'9') => {
                    let is_enough = next.len() > STAMP_BYTES_MAX || memchr(b'\n', next).is_some();
                    if is_enough {
                        self.next_stamp = self.recognise_at(length);
                        return self.next_stamp.is_none();
                    }
                    // This may be the beginning of a stamp: that is known once the rest has been written.
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

    /// Where the line ends that begins at `from`, with its newline.
    fn find_line_end(&mut self, from: usize) -> Option<usize> {
        let mut searched = from;
        loop {
            let unread = self.files.unread();
            if let Some(newline) = memchr(b'\n', &unread[searched..]) {
                return Some(searched + newline + 1);
            }
            searched = unread.len();
            if searched - from >= LINE_BYTES_MAX {
                return Some(searched);
            }
            if !self.fill() {
                return None;
            }
        }
    }

    fn fill(&mut self) -> bool {
        self.files.fill(self.last.is_some())
    }

    fn last_label(&self) -> Option<Label> {
        self.last.map(|last| last.label)
    }

    /// Recognises the stamp of the unread line that begins at `at`.
    pub(super) fn recognise_at(&self, at: usize) -> Option<Stamp> {
        self.context.recognise(&self.files.unread()[at..])
    }

    /// Where the unread line begins that `at` is in, or at the end of.
    pub(super) fn line_start(&self, at: usize) -> usize {
        memrchr(b'\n', &self.files.unread()[..at]).map_or(0, |newline| newline + 1)
    }

    fn warn_of_gap(&self, last: Option<Label>, first: Option<Label>) {
        let mut text = format!("files were removed from {} before they could be read", Shown(&self.files.log_dir.path));
        if let Some(last) = last {
            text.push_str(&format!(": last label printed {last}"));
        }
        if let Some(first) = first {
            text.push_str(if last.is_some() { ", " } else { ": " });
            text.push_str(&format!("first found {first}"));
        }
        self.context.warnings.warn(text);
    }
}
