//! Unpacking and searching files before their turn, on the other processors.
//!
//! A file is dealt with as a whole by one thread, and only so many at a time over all directories; a thread waits for
//! nobody, and whoever needs a file that no thread has been given reads it in the ordinary way. So there is no order in
//! which this could lock up.

use std::cell::Cell;
use std::io::Read;
use std::rc::Rc;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use memchr::memchr;

use crate::readlog::clock::LocalClock;
use crate::readlog::content::unpack;
use crate::readlog::filter::Pattern;
use crate::readlog::pieces::Piece;
use crate::readlog::scale::Scale;
use crate::readlog::stamp::recognise;
use crate::sys::dir::Dir;
use crate::sys::file::File;

/// A file that unpacks to more is unpacked when its turn comes, a bit at a time.
const UNPACKED_BYTES_MAX: u64 = 128 << 20;

/// What a thread looks for in a file, so that only what may be wanted is handed on.
#[derive(Clone, Debug)]
pub(super) struct Search {
    /// What a group must match.
    pub(super) pattern: Pattern,
    /// How labels count.
    pub(super) scale: Scale,
}

/// The threads that may run.
#[derive(Clone, Debug)]
pub(super) struct Workers {
    free: Rc<Cell<usize>>,
    search: Option<Search>,
}

impl Workers {
    /// As many as there are processors, and one that waits for its result to be fetched.
    pub(super) fn new(search: Option<Search>) -> Workers {
        let processors = thread::available_parallelism().map_or(1, usize::from);
        Workers { free: Rc::new(Cell::new(processors + 1)), search }
    }

    /// Tells whether a thread is free.
    pub(super) fn is_free(&self) -> bool {
        self.free.get() > 0
    }

    /// Has a file unpacked and searched, if there is anything to gain and a thread can be had.
    pub(super) fn start(&self, directory: &Dir, piece: &Piece) -> Option<Job> {
        // What is no archive is in the making.
        piece.label?;
        let file = piece.open(directory).ok()?;
        let is_packed = crate::readlog::content::is_packed(&file).unwrap_or(false);
        if !is_packed && (self.search.is_none() || file.stat().ok()?.size_bytes > UNPACKED_BYTES_MAX) {
            return None;
        }
        let search = self.search.clone();
        let thread = thread::Builder::new().spawn(move || {
            let bytes = read_whole(&file)?;
            Some(match search {
                Some(search) => thin_out(&bytes, &search),
                None => bytes,
            })
        });
        self.free.set(self.free.get() - 1);
        Some(Job { thread: thread.ok()?, free: Rc::clone(&self.free) })
    }
}

/// A file that is being unpacked and searched.
#[derive(Debug)]
pub(super) struct Job {
    thread: JoinHandle<Option<Vec<u8>>>,
    free: Rc<Cell<usize>>,
}

impl Job {
    /// Waits for the bytes; `None` if the file must be read in the ordinary way.
    pub(super) fn wait(self) -> Option<Vec<u8>> {
        let bytes = self.thread.join().ok().flatten();
        self.free.set(self.free.get() + 1);
        bytes
    }
}

/// Unpacks a file; `None` if it is too big, or damaged: then whoever reads it bit by bit gets further and says so.
fn read_whole(file: &Arc<File>) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let source = match unpack(file).ok()? {
        Some(unpacked) => unpacked,
        None => crate::readlog::content::plain(file),
    };
    source.take(UNPACKED_BYTES_MAX + 1).read_to_end(&mut bytes).ok()?;
    (bytes.len() as u64 <= UNPACKED_BYTES_MAX).then_some(bytes)
}

/// Leaves out the groups that do not match. What comes before the first stamp and the last group stay: whether they match
/// depends on the files around.
fn thin_out(bytes: &[u8], search: &Search) -> Vec<u8> {
    let clock = LocalClock::system();
    let mut kept = Vec::new();
    let mut line = 0;
    // The group so far: where it begins, and where its message does.
    let mut group: Option<(usize, usize)> = None;
    while line < bytes.len() {
        let end = memchr(b'\n', &bytes[line..]).map_or(bytes.len(), |newline| line + newline + 1);
        if let Some(stamp) = recognise(&bytes[line..end], search.scale, &clock) {
            match group {
                None => kept.extend_from_slice(&bytes[..line]),
                Some((start, message)) if search.pattern.selects(&bytes[message..line]) => {
                    kept.extend_from_slice(&bytes[start..line]);
                }
                Some(_) => {}
            }
            group = Some((line, line + stamp.bytes));
        }
        line = end;
    }
    kept.extend_from_slice(&bytes[group.map_or(0, |(start, _)| start)..]);
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_belong_to_another_file_is_kept() {
        let search = Search { pattern: Pattern::new("b", false, false).expect("a pattern"), scale: Scale::Djb };
        let label = "@400000003ce2403d00000000";
        let bytes =
            format!("head\n{label} a\n{label} b\n trace\n{label} c\n b in a trace\n{label} d\n{label} e\n tail");

        let kept = thin_out(bytes.as_bytes(), &search);

        let expected = format!("head\n{label} b\n trace\n{label} c\n b in a trace\n{label} e\n tail");
        assert_eq!(String::from_utf8_lossy(&kept), expected);
    }
}
