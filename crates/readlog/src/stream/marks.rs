//! Where in a stream each file begins.

use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;

use crate::files::LogFile;
use logyard::sys::file::File;

/// The beginning of a file, or of the part of it that is read.
#[derive(Debug)]
pub(super) struct Mark {
    /// The place in the stream.
    pub(super) at: u64,
    /// The place in the file.
    pub(super) offset: u64,
    /// The place in the file behind the last byte that was read; `None` until the file has been read to its end.
    pub(super) end: Option<u64>,
    /// The open file; `None` if it was unpacked ahead and could not be opened since.
    pub(super) file: Option<Arc<File>>,
    /// Its name.
    pub(super) log_file: Rc<LogFile>,
}

/// A place in a file of a directory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FilePosition<'s> {
    /// The open file.
    pub(crate) file: &'s Arc<File>,
    /// Its name.
    pub(crate) log_file: &'s Rc<LogFile>,
    /// The place in it, or in what it unpacks to.
    pub(crate) offset: u64,
}

/// The beginnings of the files that are in the buffer, in order.
#[derive(Debug, Default)]
pub(super) struct Marks(VecDeque<Mark>);

impl Marks {
    /// Adds the file that is read next.
    pub(super) fn push(&mut self, mark: Mark) {
        // An empty file has no bytes that a mark could be asked for. The first mark stays: it is the position before any
        // group has been taken.
        if self.0.len() > 1 && self.0.back().is_some_and(|last| last.at == mark.at) {
            self.0.pop_back();
        }
        self.0.push_back(mark);
    }

    /// Closes the files that are before the one in which `at` lies or ends. Descriptors are scarce where a directory has
    /// very many small archives.
    pub(super) fn forget_before(&mut self, at: u64) {
        while self.0.get(1).is_some_and(|mark| mark.at < at) {
            self.0.pop_front();
        }
    }

    /// Notes that the last file ends at a place in the stream.
    pub(super) fn end_last(&mut self, at: u64) {
        if let Some(mark) = self.0.back_mut() {
            mark.end = Some(mark.offset + at.saturating_sub(mark.at));
        }
    }

    /// Notes that a newline was inserted before the last file.
    pub(super) fn shift_last(&mut self) {
        if let Some(mark) = self.0.back_mut() {
            mark.at += 1;
        }
    }

    /// The file that the byte at a place is in.
    pub(super) fn file_at(&self, at: u64) -> Option<&Rc<LogFile>> {
        self.0.iter().rev().find(|mark| mark.at <= at).map(|mark| &mark.log_file)
    }

    /// A place in the stream as a place in the file that ends there, or that it lies in.
    pub(super) fn position(&self, at: u64) -> Option<FilePosition<'_>> {
        let mark = self.0.iter().rev().find(|mark| mark.at < at).or(self.0.front())?;
        let offset = mark.offset + at.saturating_sub(mark.at);
        Some(FilePosition {
            file: mark.file.as_ref()?,
            log_file: &mark.log_file,
            offset: mark.end.map_or(offset, |end| offset.min(end)),
        })
    }
}
