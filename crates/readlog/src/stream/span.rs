//! A part of a file that is to be read.

use std::rc::Rc;

use crate::files::LogFile;
use crate::prefetch::Job;

/// A part of a file that is to be read.
#[derive(Debug)]
pub(crate) struct Span {
    /// The file.
    pub(crate) log_file: Rc<LogFile>,
    /// Where to begin: at the beginning of a line.
    pub(crate) from: u64,
    /// Where to end; `None` means the end of the file.
    pub(crate) to: Option<u64>,
    /// Whether a writer still appends to the file.
    pub(crate) is_live: bool,
    /// Whether files before this one were removed before they could be read.
    pub(crate) is_after_gap: bool,
    /// The thread that unpacks the file, if one does.
    pub(crate) job: Option<Job>,
}

impl Span {
    /// The whole of a file.
    pub(crate) fn whole(log_file: Rc<LogFile>) -> Span {
        Span { log_file, from: 0, to: None, is_live: false, is_after_gap: false, job: None }
    }

    /// Tells whether the whole of the file is to be read.
    pub(crate) fn is_whole(&self) -> bool {
        self.from == 0 && self.to.is_none()
    }
}
