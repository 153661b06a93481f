//! Finds the first label of a file.

use std::ops::Range;
use std::sync::Arc;

use memchr::memchr;

use crate::content::{Content, is_packed};
use crate::files::LogFile;
use crate::ranges::probe::{LabelledLine, Probe};
use crate::ranges::survey::Next;
use crate::stamp::STAMP_BYTES_MAX;
use logyard::sys::Result;
use logyard::sys::file::File;
use logyard::tai64n::Label;

/// How much of a file is read to find its first label: at first, and if that is not enough.
const HEAD_BYTES: usize = 64;
const LONG_HEAD_BYTES: usize = 1 << 16;

/// How many files are asked if they begin with a label.
pub(crate) const ASKED_MAX: usize = 16;

/// What is known of a file's first label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum First {
    /// This line has it.
    At(LabelledLine),
    /// No line at the beginning of the file has one.
    Without,
    /// The file is packed, or cannot be read. The reader warns of that when it opens the file.
    Unknown,
}

impl First {
    pub(super) fn label(self) -> Option<Label> {
        if let First::At(line) = self { Some(line.label) } else { None }
    }
}

impl From<Option<LabelledLine>> for First {
    fn from(line: Option<LabelledLine>) -> First {
        line.map_or(First::Without, First::At)
    }
}

impl Probe<'_> {
    /// The first label, if the file need not be unpacked for it.
    pub(super) fn first_in_head(self, log_file: &LogFile) -> First {
        // Does not ask whether it is a plain file: the listing said so, and this is done for every file.
        let opened = match &log_file.held {
            Some(file) => Ok(Arc::clone(file)),
            None => self.log_dir.dir.open_to_read(&log_file.name).map(Arc::new),
        };
        let Ok(file) = opened else { return First::Unknown };
        let mut head = [0; HEAD_BYTES];
        match file.read_at(0, &mut head) {
            Ok(0) => return First::Without,
            Ok(length) => {
                if let Some(stamp) = self.context.recognise(&head[..length]) {
                    return First::At(LabelledLine { label: stamp.label, at: 0 });
                }
            }
            Err(_) => return First::Unknown,
        }
        if log_file.label.is_some() && is_packed(&file).unwrap_or(true) {
            return First::Unknown;
        }
        First::from(self.next_label(&file, 0..u64::MAX, LONG_HEAD_BYTES).ok().flatten())
    }

    /// The first label in the first `bytes_max` bytes, unpacked if the file is packed.
    pub(crate) fn first_label(self, log_file: &LogFile, bytes_max: u64) -> Result<Option<LabelledLine>> {
        let content = Content::of(log_file.open(&self.log_dir.dir)?, 0)?;
        let mut first = None;
        self.each_label(content, bytes_max, |line| {
            first = Some(line);
            Next::Nothing
        })?;
        Ok(first)
    }

    /// Tells whether a line at the beginning of a file has a label. The file may be packed.
    pub(crate) fn begins_with_label(self, log_file: &LogFile) -> bool {
        self.first_label(log_file, LONG_HEAD_BYTES as u64).is_ok_and(|first| first.is_some())
    }

    /// Tells whether a packed file has a line with an earlier label at its beginning.
    pub(super) fn packed_begins_before(self, log_file: &LogFile, until: Label) -> bool {
        let mut head = vec![0; LONG_HEAD_BYTES];
        let read = |head: &mut [u8]| -> Result<usize> { Content::of(log_file.open(&self.log_dir.dir)?, 0)?.read(head) };
        match read(&mut head) {
            Ok(length) => self.first_labelled(&head[..length]).is_some_and(|line| line.label < until),
            Err(_) => false,
        }
    }

    /// The first line with a label that begins in a range of a plain file, which is read in steps.
    pub(super) fn next_label(self, file: &File, range: Range<u64>, step: usize) -> Result<Option<LabelledLine>> {
        let mut block = vec![0; step + STAMP_BYTES_MAX + 1];
        let mut at = range.start;
        while at < range.end {
            let length = file.read_at(at, &mut block)?;
            // A line begins where the file does, and behind each newline.
            let skipped = if at == 0 { Some(0) } else { memchr(b'\n', &block[..length]).map(|newline| newline + 1) };
            let found = skipped.and_then(|skipped| {
                let line = self.first_labelled(&block[skipped..length])?;
                Some(LabelledLine { at: at + skipped as u64 + line.at, ..line })
            });
            if let Some(line) = found {
                return Ok((line.at < range.end).then_some(line));
            }
            if length < block.len() {
                return Ok(None);
            }
            // Blocks overlap by as much as a stamp is long, and the newline before it.
            at += step as u64;
        }
        Ok(None)
    }

    /// The first line with a label in a block that begins with a line.
    fn first_labelled(self, block: &[u8]) -> Option<LabelledLine> {
        let mut at = 0;
        loop {
            if let Some(stamp) = self.context.recognise(&block[at..]) {
                return Some(LabelledLine { label: stamp.label, at: at as u64 });
            }
            at += memchr(b'\n', &block[at..])? + 1;
        }
    }
}
