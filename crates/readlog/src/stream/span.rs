//! A part of a file that is to be read.

use std::rc::Rc;
use std::sync::Arc;

use crate::content::Content;
use crate::files::LogFile;
use crate::frames::{self, Chunk};
use crate::prefetch::Job;
use logyard::sys::Result;
use logyard::sys::file::File;

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
    /// The frames to read, of a packed file that was divided.
    pub(crate) chunk: Option<Chunk>,
    /// The thread that unpacks the file, if one does.
    pub(crate) job: Option<Job>,
    /// The file, if it has been opened to see whether a thread is to read it.
    pub(crate) file: Option<Arc<File>>,
}

impl Span {
    /// The whole of a file.
    pub(crate) fn whole(log_file: Rc<LogFile>) -> Span {
        Span { log_file, from: 0, to: None, is_live: false, is_after_gap: false, chunk: None, job: None, file: None }
    }

    /// Tells whether the whole of the file is to be read.
    pub(crate) fn is_whole(&self) -> bool {
        self.from == 0 && self.to.is_none() && self.chunk.is_none()
    }

    /// The bytes of its archive from where it begins.
    pub(crate) fn content(&self, file: Arc<File>) -> Result<Content> {
        match &self.chunk {
            Some(chunk) => Content::of_chunk(file, chunk),
            None => Content::of(file, self.from),
        }
    }

    /// The parts of a packed file, in order, in the place of this span. `None` if it is read in one piece.
    pub(crate) fn divide(&self, file: &Arc<File>) -> Option<Vec<Span>> {
        if self.chunk.is_some() || self.is_live || self.log_file.label.is_none() {
            return None;
        }
        let chunks = frames::divide(file, &self.log_file.index, self.from, self.to)?;
        // The file stays readable after it has been removed.
        let log_file = Rc::new(LogFile { held: Some(Arc::clone(file)), ..LogFile::clone(&self.log_file) });
        let span = |(i, chunk): (usize, Chunk)| Span {
            from: chunk.at,
            is_after_gap: i == 0 && self.is_after_gap,
            chunk: Some(chunk),
            ..Span::whole(Rc::clone(&log_file))
        };
        Some(chunks.into_iter().enumerate().map(span).collect())
    }
}
