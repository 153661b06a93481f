//! Finds the place up to which an earlier run printed a directory.
//!
//! 1. By the identity of the file. The bytes before the offset prove that it is the same file, because the system gives a free
//!    inode number to another file.
//! 2. By these bytes in another file, at the same offset: a processor may have copied the file.
//! 3. By labels: the earlier run printed all lines before the last label that it printed, and counted the lines with that
//!    label.

use std::rc::Rc;

use crate::content::is_packed;
use crate::context::Context;
use crate::files::LogFile;
use crate::log_dir::LogDir;
use crate::stream::{FilePosition, LabelCount, Printed, Span, Stream};
use logyard::cli::Shown;
use logyard::sys::file::File;
use logyard::sys::stat::FileId;

/// How many bytes before the offset are compared.
const TAIL_BYTES: u64 = 256;

/// A place in a directory, between two lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Position {
    /// Which file it is.
    pub(super) identity: FileId,
    /// Where in it, or in what it unpacks to.
    pub(super) offset: u64,
    /// The bytes before, some of them; none of a packed file.
    pub(super) tail: Vec<u8>,
    /// The last label printed, and how many lines with it were printed.
    pub(super) last: Option<LabelCount>,
}

impl Position {
    /// Where a stream is; `None` before its first file.
    pub(super) fn of(stream: &Stream) -> Option<Position> {
        let FilePosition { file, log_file, offset } = stream.files.position()?;
        let tail = if log_file.label.is_some() && is_packed(file).unwrap_or(true) {
            Vec::new()
        } else {
            tail(file, offset).unwrap_or_default()
        };
        Some(Position { identity: file.stat().ok()?.identity, offset, tail, last: stream.last_consumed() })
    }

    /// Finds the place in a directory, and makes the stream of what comes after it.
    pub(super) fn resume(&self, log_dir: &Rc<LogDir>, files: Vec<LogFile>, context: &Rc<Context>) -> Stream {
        let found = files
            .iter()
            .rposition(|log_file| self.is_in(log_dir, log_file, true))
            // Without a label nothing tells a line from its repetition a file later.
            .or_else(|| {
                self.last.and_then(|_| files.iter().rposition(|log_file| self.is_in(log_dir, log_file, false)))
            });
        let new = |files: Vec<LogFile>| {
            let spans = files.into_iter().map(|log_file| Span::whole(Rc::new(log_file))).collect::<Vec<Span>>();
            (Rc::clone(log_dir), Rc::clone(context), spans)
        };
        if let Some(found) = found {
            let (log_dir, context, mut spans) = new(files.into_iter().skip(found).collect());
            if let Some(span) = spans.first_mut() {
                span.from = self.offset;
            }
            let mut stream = Stream::new(log_dir, context, spans);
            stream.resume_after(self.last);
            return stream;
        }
        let Some(last) = self.last else {
            context.warnings.warn(format_args!(
                "unable to find the last line printed in {}: beginning with its first",
                Shown(&log_dir.path)
            ));
            let (log_dir, context, spans) = new(files);
            return Stream::new(log_dir, context, spans);
        };
        let is_before = |log_file: &LogFile| log_file.label.is_some_and(|name| name < last.label);
        let first = files.iter().position(|log_file| !is_before(log_file)).unwrap_or(files.len());
        let before = first.checked_sub(1).and_then(|before| files[before].label);
        let (log_dir, context, spans) = new(files.into_iter().skip(first).collect());
        let mut stream = Stream::new(log_dir, context, spans);
        // The oldest is removed first: where an older file is left, nothing after it is missing.
        stream.skip_printed(Printed { last, shows_gap: first == 0 }, before);
        stream
    }

    /// Tells whether the place is in a file: in the very file, or in one with the same bytes before the offset.
    fn is_in(&self, log_dir: &LogDir, log_file: &LogFile, is_same_file: bool) -> bool {
        let Ok(file) = log_file.open(&log_dir.dir) else { return false };
        let Ok(stat) = file.stat() else { return false };
        if (stat.identity == self.identity) != is_same_file {
            return false;
        }
        if self.tail.is_empty() {
            // A packed file is not changed any more. At the beginning of a plain one there are no bytes to compare, and the
            // file that had this number may be gone: a label, if there is one, is better.
            let is_packed = log_file.label.is_some() && is_packed(&file).unwrap_or(false);
            return is_same_file && (is_packed || (self.offset == 0 && self.last.is_none()));
        }
        stat.size_bytes >= self.offset && tail(&file, self.offset).as_deref() == Some(&self.tail[..])
    }
}

/// The bytes before an offset.
fn tail(file: &File, offset: u64) -> Option<Vec<u8>> {
    let length = offset.min(TAIL_BYTES);
    let mut bytes = vec![0; usize::try_from(length).ok()?];
    let read = file.read_at(offset - length, &mut bytes).ok()?;
    (read == bytes.len()).then_some(bytes)
}
