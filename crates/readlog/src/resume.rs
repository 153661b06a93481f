//! Finding again the place up to which a directory was printed.
//!
//! A file is known by its identity, and the bytes before the offset prove that it is the one (an inode's number is given
//! to another file once it is free). A processor makes another file of it: then the same bytes may stand at the same
//! offset. If not even that, labels tell: what is before the last label printed was printed, and so many of the lines that
//! have that very label.

use std::rc::Rc;

use crate::content::is_packed;
use crate::files::LogFile;
use crate::log_dir::LogDir;
use crate::stream::{Common, Printed, Span, Stream};
use logyard::cli::Shown;
use logyard::sys::file::File;
use logyard::sys::stat::FileId;
use logyard::tai64n::Label;

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
    /// The last label printed, and how many lines with it were.
    pub(super) label: Option<(Label, u64)>,
}

impl Position {
    /// Where a stream is; `None` before its first file.
    pub(super) fn of(stream: &Stream) -> Option<Position> {
        let (file, piece, offset) = stream.position()?;
        let tail = if piece.label.is_some() && is_packed(file).unwrap_or(true) {
            Vec::new()
        } else {
            tail(file, offset).unwrap_or_default()
        };
        Some(Position { identity: file.stat().ok()?.identity, offset, tail, label: stream.label() })
    }

    /// Finds the place in a directory, and makes the stream of what comes after it.
    pub(super) fn resume(&self, place: &Rc<LogDir>, pieces: Vec<LogFile>, common: &Rc<Common>) -> Stream {
        let found = pieces
            .iter()
            .rposition(|piece| self.is_in(place, piece, true))
            // Without a label nothing tells a line from its repetition a file later.
            .or_else(|| self.label.and_then(|_| pieces.iter().rposition(|piece| self.is_in(place, piece, false))));
        let new = |pieces: Vec<LogFile>| {
            let spans = pieces.into_iter().map(|piece| Span::whole(Rc::new(piece))).collect::<Vec<Span>>();
            (Rc::clone(place), Rc::clone(common), spans)
        };
        if let Some(found) = found {
            let (place, common, mut spans) = new(pieces.into_iter().skip(found).collect());
            if let Some(span) = spans.first_mut() {
                span.from = self.offset;
            }
            let mut stream = Stream::new(place, common, spans);
            stream.resume_after(self.label);
            return stream;
        }
        let Some((label, count)) = self.label else {
            common.warnings.warn(format_args!(
                "unable to find the last line printed in {}: beginning with its first",
                Shown(&place.path)
            ));
            let (place, common, spans) = new(pieces);
            return Stream::new(place, common, spans);
        };
        let is_before = |piece: &LogFile| piece.label.is_some_and(|name| name < label);
        let first = pieces.iter().position(|piece| !is_before(piece)).unwrap_or(pieces.len());
        let before = first.checked_sub(1).and_then(|before| pieces[before].label);
        let (place, common, spans) = new(pieces.into_iter().skip(first).collect());
        let mut stream = Stream::new(place, common, spans);
        // The oldest is removed first: where an older file is left, nothing after it is missing.
        stream.leave_out(Printed { label, count, shows_gap: first == 0 }, before);
        stream
    }

    /// Tells whether the place is in a file: in the very file, or in one with the same bytes before the offset.
    fn is_in(&self, place: &LogDir, piece: &LogFile, is_same_file: bool) -> bool {
        let Ok(file) = piece.open(&place.directory) else { return false };
        let Ok(stat) = file.stat() else { return false };
        if (stat.identity == self.identity) != is_same_file {
            return false;
        }
        if self.tail.is_empty() {
            // A packed file is not changed any more; and the beginning of a file is no proof that it is another's.
            return is_same_file && (self.offset == 0 || (piece.label.is_some() && is_packed(&file).unwrap_or(false)));
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
